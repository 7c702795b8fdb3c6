// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Identities} from "breakwater/governance/Identities.sol";
import {ISignal} from "breakwater/interfaces/ISignal.sol";
import {Chamber} from "../Chamber.sol";

/// @notice What a poll counts, whom it counts, and how far its result goes.
/// @dev The supply is 100,000,000: linear polls count in full with 4,000,000 votes, quadratic ones with the weight
///      of 25 persons who have 160,000 each.
contract SignalTest is Chamber {
    bytes32 private product;

    function setUp() public override {
        super.setUp();
        openVault();
        product = listProduct(termsFor(list(vaultSpec())));
        vm.prank(treasury);
        bwr.delegate(treasury);
        vm.warp(block.timestamp + 1);
    }

    function _cast(address voter, int16 direction) private {
        vm.prank(voter);
        signal.cast(product, direction);
    }

    /// @dev A second after the last vote.
    function _close() private returns (int256) {
        vm.warp(signal.poll(product).end);
        return signal.signalBps(product);
    }

    // ----- linear -----

    function test_aPollIsTheMeanByVotes() public {
        signal.open(product);
        assertEq(signal.signalBps(product), 0);
        _cast(whale, 10_000);
        _cast(delegate, -5000);
        // Open yet: nothing moves before it is over.
        assertEq(signal.signalBps(product), 0);
        // (6,000,000 - 3,000,000 / 2) / 9,000,000 of 1,000 bps.
        assertEq(_close(), 500);
    }

    /// @dev With cold storage of the signal and the token, without the 21,000 of a transaction.
    function test_gasOfAPoll() public {
        vm.cool(address(signal));
        vm.cool(address(bwr));
        signal.open(product);
        vm.snapshotGasLastCall("Governance", "open a poll");
        vm.cool(address(signal));
        vm.cool(address(bwr));
        _cast(whale, 10_000);
        vm.snapshotGasLastCall("Governance", "cast in a poll, first");
        vm.cool(address(signal));
        vm.cool(address(bwr));
        _cast(delegate, -5000);
        vm.snapshotGasLastCall("Governance", "cast in a poll");
        assertEq(_close(), 500);
    }

    function test_missingVotesCountForNoChange() public {
        signal.open(product);
        _cast(minnow, 10_000);
        // 10,000 of the 4,000,000 votes that count in full.
        assertEq(_close(), 2);
    }

    /// @dev Both ways it is rounded to the side of no change.
    function test_resultsAreRoundedTowardsNoChange() public {
        signal.open(product);
        _cast(whale, -9999);
        assertEq(_close(), -999);
        vm.warp(block.timestamp + 23 days);
        signal.open(product);
        _cast(whale, 9999);
        assertEq(_close(), 999);
    }

    function test_nobodyMovesARateFurtherThanTheBound() public {
        signal.open(product);
        _cast(treasury, -10_000);
        _cast(whale, -10_000);
        assertEq(_close(), -1000);
    }

    function test_directionsHaveBounds() public {
        signal.open(product);
        vm.startPrank(whale);
        expectRevert(abi.encodeWithSelector(ISignal.DirectionOutOfRange.selector, int256(10_001)));
        signal.cast(product, 10_001);
        expectRevert(abi.encodeWithSelector(ISignal.DirectionOutOfRange.selector, int256(-10_001)));
        signal.cast(product, -10_001);
        vm.stopPrank();
    }

    function test_everyVoterCountsOnce() public {
        signal.open(product);
        _cast(whale, 10_000);
        expectRevert(abi.encodeWithSelector(ISignal.AlreadyCast.selector, product, whale));
        _cast(whale, -10_000);
        vm.warp(block.timestamp + 30 days);
        signal.open(product);
        _cast(whale, 10_000);
        assertEq(signal.poll(product).weight, 6_000_000e18);
    }

    /// @dev What moves in the second of the opening, or later, moves no weight.
    function test_borrowedVotesWeighNothing() public {
        vm.prank(whale);
        bwr.transfer(alice, 6_000_000e18);
        vm.prank(alice);
        bwr.delegate(alice);
        signal.open(product);
        uint256 snapshot = signal.poll(product).snapshot;
        assertEq(snapshot, block.timestamp - 1);
        expectRevert(abi.encodeWithSelector(ISignal.NoVotes.selector, alice, snapshot));
        _cast(alice, 10_000);
        vm.warp(block.timestamp + 1 days);
        expectRevert(abi.encodeWithSelector(ISignal.NoVotes.selector, alice, snapshot));
        _cast(alice, 10_000);
        _cast(whale, 10_000);
        assertEq(signal.poll(product).weight, 6_000_000e18);
    }

    /// @dev With every vote burned there is nothing to divide by.
    function test_aPollWithoutVotesIsNoChange() public {
        address[4] memory holders = [treasury, whale, saver, minnow];
        for (uint256 i; i < holders.length; ++i) {
            uint256 all = bwr.balanceOf(holders[i]);
            vm.prank(holders[i]);
            bwr.burn(all);
        }
        vm.warp(block.timestamp + 1);
        signal.open(product);
        assertEq(_close(), 0);
    }

    function test_votesBelongToTheDelegate() public {
        signal.open(product);
        uint256 snapshot = signal.poll(product).snapshot;
        expectRevert(abi.encodeWithSelector(ISignal.NoVotes.selector, saver, snapshot));
        _cast(saver, 10_000);
        _cast(delegate, 10_000);
        assertEq(signal.poll(product).weight, 3_000_000e18);
    }

    // ----- time -----

    function test_pollsEndAndResultsLapse() public {
        expectRevert(abi.encodeWithSelector(ISignal.NoPoll.selector, product));
        _cast(whale, 10_000);
        signal.open(product);
        uint256 opened = block.timestamp;
        _cast(whale, 10_000);
        vm.warp(opened + 7 days);
        expectRevert(abi.encodeWithSelector(ISignal.NoPoll.selector, product));
        _cast(delegate, 10_000);
        assertEq(signal.signalBps(product), 1000);
        vm.warp(opened + 37 days - 1);
        assertEq(signal.signalBps(product), 1000);
        vm.warp(opened + 37 days);
        assertEq(signal.signalBps(product), 0);
    }

    /// @dev An empty poll pushes no result out: the one before it holds until it lapses by itself.
    function test_aResultHoldsWhileTheNextPollRuns() public {
        signal.open(product);
        _cast(whale, 10_000);
        uint256 ended = signal.poll(product).end;
        vm.warp(ended + 23 days - 1);
        expectRevert(abi.encodeWithSelector(ISignal.TooEarly.selector, product, ended + 23 days));
        signal.open(product);
        vm.warp(ended + 24 days);
        signal.open(product);
        vm.warp(ended + 30 days - 1);
        assertEq(signal.signalBps(product), 1000);
        vm.warp(ended + 30 days);
        assertEq(signal.signalBps(product), 0);
        vm.warp(ended + 31 days);
        assertEq(signal.signalBps(product), 0);
    }

    function test_onlyListedProductsHavePolls() public {
        expectRevert(abi.encodeWithSelector(ISignal.UnknownProduct.selector, bytes32("none")));
        signal.open("none");
        assertEq(signal.signalBps("none"), 0);
    }

    // ----- terms -----

    function test_termsHoldForLaterPollsOnly() public {
        signal.open(product);
        signal.setTerms(ISignal.Mode.Quadratic, 200);
        _cast(whale, 10_000);
        assertEq(_close(), 1000);
        vm.warp(block.timestamp + 23 days);
        signal.open(product);
        assertEq(uint256(signal.poll(product).mode), uint256(ISignal.Mode.Quadratic));
        assertEq(uint256(signal.poll(product).maxBps), 200);
        expectRevert(abi.encodeWithSelector(ISignal.MaxBpsTooLarge.selector, 1000, 1001));
        signal.setTerms(ISignal.Mode.Linear, 1001);
        vm.prank(alice);
        expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, alice));
        signal.setTerms(ISignal.Mode.Linear, 0);
    }

    // ----- quadratic -----

    function _openQuadratic() private returns (uint256 snapshot) {
        signal.setTerms(ISignal.Mode.Quadratic, 1000);
        identities.add("whale", whale);
        identities.add("minnow", minnow);
        vm.warp(block.timestamp + 1);
        signal.open(product);
        return signal.poll(product).snapshot;
    }

    function test_quadraticPollsCountSquareRoots() public {
        _openQuadratic();
        // sqrt(100,000,000e18), rounded down.
        assertEq(signal.poll(product).quorum, 10_000e9);
        _cast(whale, 10_000);
        _cast(minnow, -10_000);
        ISignal.Poll memory poll = signal.poll(product);
        // sqrt(6,000,000e18) and sqrt(10,000e18).
        assertEq(poll.weight, 2_449_489_742_783 + 100e9);
        assertEq(poll.sum, int256(2_449_489_742_783 - 100e9) * 10_000);
        assertEq(_close(), 234);
    }

    function test_quadraticPollsAreForIdentities() public {
        uint256 snapshot = _openQuadratic();
        expectRevert(abi.encodeWithSelector(ISignal.NotAnIdentity.selector, delegate, snapshot));
        _cast(delegate, 10_000);
        // Not even if he is registered while it runs.
        identities.add("delegate", delegate);
        vm.warp(block.timestamp + 1);
        expectRevert(abi.encodeWithSelector(ISignal.NotAnIdentity.selector, delegate, snapshot));
        _cast(delegate, 10_000);
    }

    /// @dev Revocation is for later polls, and whoever moves to another account stays one person.
    function test_aPersonCountsOnceWhereverHeMoves() public {
        uint256 snapshot = _openQuadratic();
        identities.remove("minnow");
        identities.add("minnow", delegate);
        vm.warp(block.timestamp + 1);
        expectRevert(abi.encodeWithSelector(ISignal.NotAnIdentity.selector, delegate, snapshot));
        _cast(delegate, 10_000);
        _cast(minnow, 10_000);
        vm.warp(block.timestamp + 30 days);
        signal.open(product);
        snapshot = signal.poll(product).snapshot;
        expectRevert(abi.encodeWithSelector(ISignal.NotAnIdentity.selector, minnow, snapshot));
        _cast(minnow, 10_000);
        _cast(delegate, 10_000);
    }

    // ----- identities -----

    function test_onePersonHasOneAccount() public {
        identities.add("a", alice);
        assertEq(identities.accountOf("a"), alice);
        assertEq(identities.personOf(alice), bytes32("a"));
        expectRevert(abi.encodeWithSelector(Identities.PersonHasAccount.selector, bytes32("a"), alice));
        identities.add("a", bob);
        expectRevert(abi.encodeWithSelector(Identities.AccountHasPerson.selector, alice, bytes32("a")));
        identities.add("b", alice);
        expectRevert(abi.encodeWithSelector(Identities.UnknownPerson.selector, bytes32("b")));
        identities.remove("b");
        expectRevert(Identities.ZeroPerson.selector);
        identities.add(0, bob);
        expectRevert(Identities.ZeroAddress.selector);
        identities.add("b", address(0));
        identities.remove("a");
        identities.add("b", alice);
        assertEq(identities.accountOf("a"), address(0));
        assertEq(identities.personOf(alice), bytes32("b"));
    }

    function test_identitiesAreKnownOfPastSeconds() public {
        uint48 added = uint48(block.timestamp);
        identities.add("a", alice);
        expectRevert(abi.encodeWithSelector(Identities.NotPast.selector, added, added));
        identities.heldAt(alice, added);
        vm.warp(added + 10);
        identities.remove("a");
        vm.warp(added + 20);
        assertFalse(identities.heldAt(alice, added - 1));
        assertTrue(identities.heldAt(alice, added));
        assertTrue(identities.heldAt(alice, added + 9));
        assertFalse(identities.heldAt(alice, added + 10));
    }

    function test_onlyTheRegistrarKeepsIdentities() public {
        handOver();
        vm.prank(clerk);
        identities.add("a", alice);
        expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this)));
        identities.add("b", bob);
        expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this)));
        identities.remove("a");
        vm.prank(clerk);
        identities.remove("a");
    }
}
