// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Agreement, Trip, Verdict} from "breakwater/interfaces/IBreaker.sol";
import {BreakerTrip, Eip712Types} from "breakwater/libraries/Eip712Types.sol";
import {Breaker} from "breakwater/prevention/Breaker.sol";
import {Assembly} from "breakwater/triggers/Assembly.sol";
import {Reporters} from "breakwater/triggers/Reporters.sol";
import {Base} from "../../Base.sol";
import {HostileTarget} from "../../Pausables.sol";
import {Token} from "../../Tokens.sol";

/// @notice Five reporters who trip three protocols, whose owners change their terms, undo, challenge and quit; one judge.
/// @dev Everything is drawn from the number of the draw. What is refused is caught, so that the next draw differs.
contract Trippers is Base {
    uint256 public constant REPORTERS = 5;
    uint256 public constant TARGETS = 3;
    address public constant JUDGE = address(0x90000);
    bytes32 private constant SALT = keccak256("salt");

    Breaker private immutable BREAKER;
    Reporters private immutable REGISTRY;
    Token private immutable BONDS;
    address private immutable ADMIN;

    /// @notice The last one asks the breaker; the others are called.
    HostileTarget[TARGETS] public targets;
    uint256 private _draws;
    uint256 private _nonce;
    mapping(bytes32 action => uint256) public done;
    /// @notice Longest that the terms allowed when the trip was posted, seconds.
    mapping(uint256 id => uint256) public longest;
    /// @notice The period of those terms.
    mapping(uint256 id => uint256) public period;
    mapping(uint256 id => address[]) private _signers;
    /// @notice What each reporter was given to bond.
    mapping(address reporter => uint256) public minted;
    /// @notice What each lost in trips that were judged wrong.
    mapping(address reporter => uint256) public lost;

    constructor(Breaker breaker, Reporters registry, Token bonds, address admin) {
        (BREAKER, REGISTRY, BONDS, ADMIN) = (breaker, registry, bonds, admin);
        for (uint256 i; i < TARGETS; ++i) {
            targets[i] = new HostileTarget(guardian(i));
        }
    }

    function reporter(uint256 index) public pure returns (address) {
        return vm.addr(_key(index));
    }

    function guardian(uint256 target) public pure returns (address) {
        return address(uint160(0x80000 + target));
    }

    function signersOf(uint256 id) external view returns (address[] memory) {
        return _signers[id];
    }

    // ----- reporters -----

    function trip() public {
        _mine();
        uint256 target = _draw() % TARGETS;
        Agreement memory a = BREAKER.agreementOf(address(targets[target]));
        BreakerTrip memory signed = _trip(address(targets[target]), a.maxDuration);
        address[] memory signers = _someSigners();
        bytes[] memory signatures = _sign(signed, signers);
        try BREAKER.post(signed, signers, signatures) returns (uint256 id) {
            (longest[id], period[id], _signers[id]) = (a.maxDuration, a.period, signers);
            if (BREAKER.tripOf(id).pausedAt != 0) ++done["paused"];
            ++done["tripped"];
        } catch {
            ++done["refused"];
        }
    }

    /// @dev Fresh bond for somebody; who was put out is admitted again.
    function bond() public {
        address who = reporter(_draw() % REPORTERS);
        uint128 amount = uint128(1 + _draw() % 10_000e6);
        minted[who] += amount;
        BONDS.mint(who, amount);
        vm.startPrank(who);
        BONDS.approve(address(REGISTRY), amount);
        REGISTRY.bond(amount);
        vm.stopPrank();
        if (REGISTRY.isReporter(who)) return;
        vm.prank(ADMIN);
        try REGISTRY.admit(who) {
            ++done["admitted"];
        } catch {}
    }

    // ----- protocols -----

    function agree() public {
        uint256 i = _draw() % TARGETS;
        uint32 most = uint32(10 minutes + _draw() % 6 hours);
        uint96 price = uint96(1 + _draw() % 2000e6);
        uint32 gap = uint32(2 * uint256(most) + _draw() % 2 days);
        Agreement memory a = Agreement(guardian(i), price, most, gap, 3, i != TARGETS - 1, 0);
        vm.prank(guardian(i));
        BREAKER.agree(address(targets[i]), a);
        ++done["agreed"];
    }

    function quit() public {
        if (_draw() % 4 != 0) return;
        uint256 i = _draw() % TARGETS;
        vm.prank(guardian(i));
        try BREAKER.quit(address(targets[i])) {
            ++done["quit"];
        } catch {}
    }

    function undo() public {
        uint256 i = _draw() % TARGETS;
        vm.prank(guardian(i));
        try BREAKER.undo(address(targets[i]), _draw() % 2 == 0) {
            ++done["undone"];
        } catch {}
    }

    function turn() public {
        targets[_draw() % TARGETS].set(HostileTarget.Manner(_draw() % 4));
    }

    function push() public {
        try BREAKER.push(address(targets[_draw() % TARGETS])) {
            ++done["pushed"];
        } catch {}
    }

    function challenge() public {
        uint256 id = _someTrip();
        if (id == 0) return;
        address guard = BREAKER.tripOf(id).guardian;
        BONDS.mint(guard, BREAKER.challengeBond());
        vm.prank(guard);
        BONDS.approve(address(BREAKER), type(uint256).max);
        vm.prank(guard);
        try BREAKER.challenge(id) {
            ++done["challenged"];
        } catch {}
    }

    // ----- judgement -----

    /// @dev From the beginning to the end of a case, or of both its rounds if the judge is silent.
    function judge() public {
        uint256 id = _someTrip();
        Assembly judges = BREAKER.judges();
        if (id == 0) return;
        try judges.begin(id) {}
        catch {
            return;
        }
        uint8 percent = uint8(_draw() % 101);
        bool silent = _draw() % 4 == 0;
        for (uint8 round; !judges.caseOf(id).closed; ++round) {
            if (!silent) _cast(judges, id, round, percent);
            vm.warp(judges.caseOf(id).revealEnd + 1);
            judges.close(id);
        }
        ++done[BREAKER.tripOf(id).verdict == Verdict.Wrong ? bytes32("wrong") : bytes32("right")];
    }

    function settle() public {
        uint256 id = _someTrip();
        if (id == 0) return;
        Trip memory t = BREAKER.tripOf(id);
        try BREAKER.settle(id) {
            ++done["settled"];
            for (uint256 i; i < t.signers.length && t.verdict == Verdict.Wrong; ++i) {
                lost[t.signers[i]] += t.bondEach;
            }
        } catch {}
    }

    function collect() public {
        address who = guardian(_draw() % TARGETS);
        try BREAKER.withdraw(who) {
            ++done["collected"];
        } catch {}
    }

    function passTime() public {
        vm.warp(vm.getBlockTimestamp() + _draw() % 1 days);
        if (_draw() % 4 == 0) vm.warp(vm.getBlockTimestamp() + 3 days);
        _mine();
    }

    // ----- internals -----

    function _cast(Assembly judges, uint256 id, uint8 round, uint8 percent) private {
        bytes32 commitment = judges.commitmentOf(id, round, JUDGE, percent, SALT);
        vm.prank(JUDGE);
        judges.commit(id, commitment);
        vm.warp(judges.caseOf(id).commitEnd + 1);
        vm.prank(JUDGE);
        judges.reveal(id, percent, SALT);
    }

    function _someTrip() private returns (uint256) {
        uint256 count = BREAKER.trips();
        return count == 0 ? 0 : count - _draw() % (count < 6 ? count : 6);
    }

    function _trip(address target, uint32 most) private returns (BreakerTrip memory) {
        uint64 number = uint64(vm.getBlockNumber() - 1);
        return BreakerTrip({
            target: target,
            selector: 0,
            number: number,
            blockHash: keccak256(abi.encode("block", number)),
            transaction: 0,
            evidence: keccak256("document"),
            // Now and then longer than agreed.
            duration: uint32(1 + _draw() % (uint256(most) * 5 / 4 + 1)),
            signerSet: REGISTRY.signerSet(),
            nonce: ++_nonce,
            validFrom: 0,
            validUntil: type(uint64).max
        });
    }

    /// @dev Three or four members, ascending; fewer if there are fewer.
    function _someSigners() private returns (address[] memory signers) {
        (, address[] memory members) = REGISTRY.members();
        uint256 count = 3 + _draw() % 2;
        if (count > members.length) count = members.length;
        signers = new address[](count);
        uint256 skip = members.length == count ? 0 : _draw() % (members.length - count + 1);
        for (uint256 i; i < count; ++i) {
            signers[i] = members[i + skip];
        }
    }

    function _sign(BreakerTrip memory signed, address[] memory signers)
        private
        view
        returns (bytes[] memory signatures)
    {
        bytes32 digest = MessageHashUtils.toTypedDataHash(
            Eip712Types.domainSeparator(block.chainid, address(BREAKER)), Eip712Types.hash(signed)
        );
        signatures = new bytes[](signers.length);
        for (uint256 i; i < signers.length; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(_keyOf(signers[i]), digest);
            signatures[i] = abi.encodePacked(r, s, v);
        }
    }

    function _keyOf(address who) private pure returns (uint256 key) {
        for (uint256 i; i < REPORTERS; ++i) {
            if (reporter(i) == who) key = _key(i);
        }
    }

    function _key(uint256 index) private pure returns (uint256) {
        return uint256(keccak256(abi.encode("tripper", index)));
    }

    function _mine() private {
        uint256 number = vm.getBlockNumber() + 1;
        vm.roll(number);
        vm.warp(vm.getBlockTimestamp() + 12);
        vm.setBlockhash(number - 1, keccak256(abi.encode("block", number - 1)));
    }

    function _draw() private returns (uint256) {
        return uint256(keccak256(abi.encode("trippers", ++_draws)));
    }
}
