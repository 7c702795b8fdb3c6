// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {BreakwaterToken} from "breakwater/governance/BreakwaterToken.sol";
import {Council} from "breakwater/governance/Council.sol";
import {Identities} from "breakwater/governance/Identities.sol";
import {Signal} from "breakwater/governance/Signal.sol";
import {ISignal} from "breakwater/interfaces/ISignal.sol";
import {Base} from "../../Base.sol";

/// @notice Six accounts that trade, delegate, vote and signal, and a registrar who knows four persons among them.
/// @dev Everything is drawn from the number of the draw, so a campaign depends on the order of the calls alone.
///      What is refused is caught: a draw that were undone would be drawn again for ever.
contract Voters is Base {
    struct Held {
        uint256 since;
        bytes32 person;
    }

    uint256 public constant PEOPLE = 6;
    uint256 private constant PERSONS = 4;

    BreakwaterToken private immutable TOKEN;
    Council private immutable COUNCIL;
    Identities private immutable IDENTITIES;
    Signal private immutable SIGNAL;
    bytes32 private immutable PRODUCT;
    address private immutable ADMIN;
    uint256 private _draws;

    uint256[] public proposals;
    /// @notice How often each action did what it is for.
    mapping(bytes32 action => uint256) public done;
    /// @notice Most that one person, and one account, has voted in one poll.
    uint256 public mostOfOnePerson;
    uint256 public mostOfOneAccount;
    /// @notice Votes in quadratic polls by accounts that stood for nobody at the snapshot.
    uint256 public ofNobody;
    /// @notice The largest signal that was ever seen beyond its own poll's bound.
    uint256 public beyond;
    mapping(address account => Held[]) private _held;
    mapping(uint256 end => mapping(bytes32 person => uint256)) private _ofPerson;
    mapping(uint256 end => mapping(address account => uint256)) private _ofAccount;

    constructor(
        BreakwaterToken token,
        Council council,
        Identities identities,
        Signal signal,
        bytes32 product,
        address admin
    ) {
        (TOKEN, COUNCIL, IDENTITIES, SIGNAL) = (token, council, identities, signal);
        (PRODUCT, ADMIN) = (product, admin);
    }

    function person(uint256 index) public pure returns (address) {
        return address(uint160(0x70000 + index));
    }

    // ----- actions -----

    function move() external {
        (address from, address to) = (_someone(), _someone());
        uint256 amount = bound(_draw(), 0, TOKEN.balanceOf(from));
        vm.prank(from);
        TOKEN.transfer(to, amount);
        ++done["moved"];
    }

    function delegate() external {
        (address from, address to) = (_someone(), _someone());
        vm.prank(from);
        TOKEN.delegate(to);
        ++done["delegated"];
    }

    function propose() external {
        address[] memory targets = new address[](1);
        bytes[] memory calldatas = new bytes[](1);
        (targets[0], calldatas[0]) = (address(COUNCIL), abi.encodeCall(COUNCIL.setVotingDelay, (1 days)));
        address who = _someone();
        string memory text = vm.toString(proposals.length);
        vm.prank(who);
        try COUNCIL.propose(targets, new uint256[](1), calldatas, text) returns (uint256 id) {
            proposals.push(id);
            ++done["proposed"];
        } catch {}
    }

    /// @dev Whole or in three parts, which may be more than there is.
    function vote() external {
        uint256 id = proposals[proposals.length - 1];
        uint256 start = COUNCIL.proposalSnapshot(id);
        if (vm.getBlockTimestamp() <= start && _draw() % 2 == 0) vm.warp(start + 1);
        address voter = _someone();
        uint256 support = _draw() % 6;
        if (support > 2) {
            uint256 most = TOKEN.getVotes(voter) / 2;
            bytes memory parts = abi.encodePacked(
                uint128(_draw() % (most + 1)), uint128(_draw() % (most + 1)), uint128(_draw() % (most + 1))
            );
            vm.prank(voter);
            try COUNCIL.castVoteWithReasonAndParams(id, 255, "", parts) {
                ++done["voted in parts"];
            } catch {}
        } else {
            vm.prank(voter);
            try COUNCIL.castVote(id, uint8(support)) {
                ++done["voted"];
            } catch {}
        }
    }

    function openPoll() external {
        uint256 end = SIGNAL.poll(PRODUCT).end;
        if (end != 0 && vm.getBlockTimestamp() < end + 23 days && _draw() % 2 == 0) vm.warp(end + 23 days);
        ISignal.Mode mode = ISignal.Mode(_draw() % 2);
        uint16 most = uint16(_draw() % 1001);
        vm.prank(ADMIN);
        SIGNAL.setTerms(mode, most);
        try SIGNAL.open(PRODUCT) {
            ++done[mode == ISignal.Mode.Linear ? bytes32("opened linear") : bytes32("opened quadratic")];
        } catch {}
    }

    function say() external {
        address voter = _someone();
        int256 direction = int256(_draw() % 24_001) - 12_000;
        vm.prank(voter);
        try SIGNAL.cast(PRODUCT, int16(direction)) {
            _noteCast(voter);
        } catch {}
    }

    /// @dev Each person is given another account, or his first, or none.
    function identify() external {
        bytes32 who = bytes32(1 + _draw() % PERSONS);
        address before = IDENTITIES.accountOf(who);
        if (before != address(0)) {
            vm.prank(ADMIN);
            IDENTITIES.remove(who);
            _held[before].push(Held(vm.getBlockTimestamp(), 0));
            ++done["removed"];
        }
        if (_draw() % 4 == 0) return;
        address account = _someone();
        vm.prank(ADMIN);
        try IDENTITIES.add(who, account) {
            _held[account].push(Held(vm.getBlockTimestamp(), who));
            ++done["added"];
        } catch {}
    }

    function passTime() external {
        uint256 signalled = _abs(SIGNAL.signalBps(PRODUCT));
        if (signalled > 0) ++done["moved a rate"];
        vm.warp(vm.getBlockTimestamp() + (_draw() % 3 == 0 ? _draw() % 3 days : _draw() % 60));
        ISignal.Poll memory poll = SIGNAL.poll(PRODUCT);
        if (vm.getBlockTimestamp() < poll.end) return;
        signalled = _abs(SIGNAL.signalBps(PRODUCT));
        if (signalled > poll.maxBps) beyond = _max(beyond, signalled - poll.maxBps);
    }

    // ----- what is remembered -----

    function proposalCount() external view returns (uint256) {
        return proposals.length;
    }

    function _noteCast(address voter) private {
        ISignal.Poll memory poll = SIGNAL.poll(PRODUCT);
        mostOfOneAccount = _max(mostOfOneAccount, ++_ofAccount[poll.end][voter]);
        if (poll.mode == ISignal.Mode.Linear) {
            ++done["signalled linear"];
            return;
        }
        bytes32 who = _personAt(voter, poll.snapshot);
        if (who == 0) ++ofNobody;
        else mostOfOnePerson = _max(mostOfOnePerson, ++_ofPerson[poll.end][who]);
        ++done["signalled quadratic"];
    }

    function _personAt(address account, uint256 time) private view returns (bytes32 who) {
        Held[] storage held = _held[account];
        for (uint256 i; i < held.length; ++i) {
            if (held[i].since <= time) who = held[i].person;
        }
    }

    function _someone() private returns (address) {
        return person(_draw() % PEOPLE);
    }

    function _draw() private returns (uint256) {
        return uint256(keccak256(abi.encode("voters", ++_draws)));
    }

    function _abs(int256 value) private pure returns (uint256) {
        return uint256(value < 0 ? -value : value);
    }

    function _max(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a : b;
    }
}
