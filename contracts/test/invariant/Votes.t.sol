// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ISignal} from "breakwater/interfaces/ISignal.sol";
import {Chamber} from "../Chamber.sol";
import {Voters} from "./handlers/Voters.sol";

/// @notice Votes and signals count what was there, once.
contract VotesInvariants is Chamber {
    Voters private voters;
    bytes32 private product;
    bytes4[] private actions;

    function setUp() public override {
        super.setUp();
        openVault();
        product = listProduct(termsFor(list(vaultSpec())));
        voters = new Voters(bwr, council, identities, signal, product, address(this));
        for (uint256 i; i < voters.PEOPLE(); ++i) {
            _give(voters.person(i), 1_000_000e18 * (i + 1), voters.person(i));
        }
        vm.warp(block.timestamp + 1);
        voters.propose();
        actions = [
            voters.move.selector,
            voters.delegate.selector,
            voters.propose.selector,
            voters.vote.selector,
            voters.vote.selector,
            voters.openPoll.selector,
            voters.say.selector,
            voters.say.selector,
            voters.say.selector,
            voters.identify.selector,
            voters.passTime.selector
        ];
        targetContract(address(voters));
        targetSelectors(address(voters), actions);
    }

    /// @notice Votes counted for a proposal never exceed the votes at its snapshot: neither one voter's nor all.
    function invariant_votes_counted_never_exceed_those_of_the_snapshot() public view {
        uint256 count = voters.proposalCount();
        for (uint256 i; i < count; ++i) {
            uint256 id = voters.proposals(i);
            uint256 snapshot = council.proposalSnapshot(id);
            if (block.timestamp <= snapshot) continue;
            (uint256 against, uint256 supporting, uint256 abstaining) = council.proposalVotes(id);
            uint256 used;
            for (uint256 p; p < voters.PEOPLE(); ++p) {
                uint256 own = council.usedVotes(id, voters.person(p));
                assertLe(own, bwr.getPastVotes(voters.person(p), snapshot));
                used += own;
            }
            assertEq(against + supporting + abstaining, used);
            assertLe(used, bwr.getPastTotalSupply(snapshot));
        }
    }

    /// @notice A signal never leaves its poll's bound, and no poll's bound exceeds that of the contract.
    function invariant_a_signal_never_leaves_its_bounds() public view {
        assertEq(voters.beyond(), 0);
        assertLe(_abs(signal.signalBps(product)), signal.MAX_BPS());
        ISignal.Poll memory poll = signal.poll(product);
        assertLe(uint256(poll.maxBps), uint256(signal.MAX_BPS()));
        assertLe(_abs(poll.sum), poll.weight * 10_000);
    }

    /// @notice A poll never counts more than the votes at its snapshot.
    function invariant_a_poll_counts_no_more_than_the_votes_of_its_snapshot() public view {
        ISignal.Poll memory poll = signal.poll(product);
        if (poll.end == 0) return;
        assertLe(poll.weight, bwr.getPastTotalSupply(poll.snapshot));
        assertLt(voters.mostOfOneAccount(), 2);
    }

    /// @notice A person counts once in a quadratic poll, and whoever stood for nobody at its snapshot does not count.
    function invariant_an_identity_counts_once() public view {
        assertLt(voters.mostOfOnePerson(), 2);
        assertEq(voters.ofNobody(), 0);
    }

    /// @notice No two persons share an account.
    function invariant_an_account_stands_for_one_person() public view {
        for (uint256 i = 1; i < 5; ++i) {
            address account = identities.accountOf(bytes32(i));
            if (account != address(0)) assertEq(identities.personOf(account), bytes32(i));
        }
    }

    /// @dev A campaign that reaches nothing proves nothing.
    function test_a_campaign_of_voters_reaches_everything() public {
        uint256 seed = 1;
        for (uint256 i; i < 1000; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            (bool ok,) = address(voters).call(abi.encodePacked(actions[seed % actions.length]));
            ok;
        }
        bytes32[12] memory what = [
            bytes32("moved"),
            "delegated",
            "proposed",
            "voted",
            "voted in parts",
            "opened linear",
            "opened quadratic",
            "signalled linear",
            "signalled quadratic",
            "moved a rate",
            "added",
            "removed"
        ];
        for (uint256 i; i < what.length; ++i) {
            log(string(abi.encodePacked(what[i])), voters.done(what[i]));
        }
        for (uint256 i; i < what.length; ++i) {
            assertGt(voters.done(what[i]), 5, string(abi.encodePacked(what[i])));
        }
    }

    function _abs(int256 value) private pure returns (uint256) {
        return uint256(value < 0 ? -value : value);
    }
}
