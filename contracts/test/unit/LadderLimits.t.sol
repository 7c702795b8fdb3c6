// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IIncidents, Rung, Status} from "breakwater/interfaces/IIncidents.sol";
import {ILadder, Times} from "breakwater/interfaces/ILadder.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {LadderFixture} from "../LadderFixture.sol";

/// @notice Ceilings of the rungs and positions told by several triggers.
contract CeilingsTest is LadderFixture {
    uint8 private constant QUORUM = uint8(Rung.Quorum);

    function _open() private view returns (uint256) {
        return incidents.openOn(QUORUM, address(usd));
    }

    function test_aboveItsCeilingARungDecidesNothing() public {
        uint256 first = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 600);
        assertEq(_open(), 600);
        assertFalse(incidents.held(first));
        vm.expectEmit(true, true, true, true, address(incidents));
        emit ILadder.Held(first + 1, 0, address(incidents));
        uint256 id = openBy(Rung.Quorum, trigger, ONSET, ONSET + 1, 401);
        assertTrue(incidents.held(id));
        // It is the assembly's now and leaves the rung its room.
        assertEq(_open(), 600);
        dispute(id);
        assertEq(status(id), uint256(Status.Disputed));
        assertEq(incidents.incident(id).loss, 0);
        assertEq(incidents.asserted(id), 401);
        decideBy(Rung.Assembly, id, 401);
        assertEq(incidents.incident(id).loss, 401);
        assertEq(_open(), 600);
    }

    function test_atItsCeilingARungDecides() public {
        openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 600);
        uint256 id = openBy(Rung.Quorum, trigger, ONSET, ONSET + 1, 400);
        assertFalse(incidents.held(id));
        assertEq(_open(), 1000);
    }

    function test_revisionsCountAsWell() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 600);
        vm.startPrank(who(Rung.Quorum));
        incidents.revise(id, m(ONSET, ONSET + 2, 300));
        assertEq(_open(), 300);
        incidents.revise(id, m(ONSET, ONSET + 3, 500));
        assertEq(_open(), 500);
        vm.stopPrank();
        incidents.setCeiling(QUORUM, address(usd), 550);
        vm.prank(who(Rung.Quorum));
        incidents.revise(id, m(ONSET, ONSET + 4, 551));
        assertTrue(incidents.held(id));
        assertEq(_open(), 0);
    }

    /// @dev What was opened under a higher ceiling stays as it was told.
    function test_loweredCeilingsTouchNothingOpen() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 600);
        incidents.setCeiling(QUORUM, address(usd), 100);
        vm.prank(who(Rung.Quorum));
        incidents.revise(id, m(ONSET, ONSET + 2, 500));
        assertFalse(incidents.held(id));
        dispute(id);
        assertEq(status(id), uint256(Status.Final));
        assertTrue(incidents.held(openBy(Rung.Quorum, trigger, ONSET, ONSET + 1, 100)));
    }

    function test_nothingIsOpenOnceItIsOver() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 600);
        expectRevert(abi.encodeWithSelector(ILadder.IncidentNotOver.selector, id, 0));
        incidents.release(id);
        dispute(id);
        uint256 end = incidents.incident(id).claimsEnd;
        vm.warp(end);
        expectRevert(abi.encodeWithSelector(ILadder.IncidentNotOver.selector, id, end));
        incidents.release(id);
        vm.warp(end + 1);
        assertEq(_open(), 600);
        incidents.release(id);
        assertEq(_open(), 0);
        expectRevert(abi.encodeWithSelector(IIncidents.NothingNew.selector, id));
        incidents.release(id);
    }

    function test_voidsAndDecisionsMakeRoom() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 600);
        holdBy(Rung.Quorum, id, 200);
        dispute(id);
        assertEq(_open(), 600);
        decideBy(Rung.Assembly, id, 500);
        assertEq(_open(), 0);
        id = openBy(Rung.Quorum, trigger, ONSET, ONSET + 1, 600);
        vm.prank(who(Rung.Quorum));
        incidents.revise(id, m(ONSET, ONSET + 2, 0));
        assertEq(_open(), 0);
        dispute(id);
        assertEq(status(id), uint256(Status.Voided));
        assertEq(_open(), 0);
    }

    function test_proofsHaveNoCeiling() public {
        uint256 id = openBy(Rung.Proof, gauge, ONSET, ONSET + 1, 1000);
        assertFalse(incidents.held(id));
        assertEq(incidents.openOn(uint8(Rung.Proof), address(usd)), 0);
        dispute(id);
        vm.warp(incidents.incident(id).claimsEnd + uint256(1));
        expectRevert(abi.encodeWithSelector(IIncidents.NothingNew.selector, id));
        incidents.release(id);
    }

    function test_withoutACeilingAllGoesToTheAssembly() public {
        pool.setMoney(address(wording), 1000);
        assertTrue(incidents.held(openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 100)));
    }

    function test_onlyTheTimelockSetsCeilings() public {
        vm.prank(keeper);
        expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, keeper));
        incidents.setCeiling(QUORUM, address(usd), 1);
    }

    /// @dev Anyone can make a pool that sells more than it could ever pay.
    function test_coverBeyondItsCapitalFillsNoCeiling() public {
        _join(address(usd), 1);
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 999);
        assertEq(_open(), 1000);
        assertFalse(incidents.held(id));
        vm.prank(who(Rung.Quorum));
        incidents.revise(id, m(ONSET, ONSET + 2, 500));
        assertEq(_open(), 501);
        dispute(id);
        vm.warp(incidents.incident(id).claimsEnd + uint256(1));
        incidents.release(id);
        assertEq(_open(), 0);
    }

    // ----- one position told by several -----

    function _triggerOnTheVault() private returns (bytes32) {
        Trigger memory t = triggerOf(CANARY_AND_QUORUM);
        t.claims = catalog.gaugeInfo(gauge).subject;
        return catalog.listTrigger(t);
    }

    /// @dev Any number of incidents of one subject may be opened in between.
    function test_nobodyPushesAPaymentOutOfSight() public {
        bytes32 canary = _triggerOnTheVault();
        uint256 proof = openBy(Rung.Proof, gauge, ONSET, ONSET + 1, 500);
        assertEq(_paid(proof, alice, 300), 300);
        for (uint64 i = 1; i < 12; ++i) {
            Trigger memory t = triggerOf(CANARY_AND_QUORUM);
            (t.claims, t.threshold) = (catalog.gaugeInfo(gauge).subject, 0.1e18 + i);
            openBy(Rung.Canary, catalog.listTrigger(t), ONSET, ONSET + 1, 500);
        }
        uint256 probe = openBy(Rung.Canary, canary, ONSET, ONSET + 1, 500);
        assertEq(_paid(probe, alice, 300), 0);
        assertEq(_paid(probe, bob, 300), 300);
    }

    /// @dev Whoever waits with the second telling until the claims of the first are over is told of the same blocks.
    function test_waitingMakesNoSecondLossOfTheSameBlocks() public {
        bytes32 canary = _triggerOnTheVault();
        uint256 proof = openBy(Rung.Proof, gauge, ONSET, ONSET + 2, 500);
        assertEq(_paid(proof, alice, 300), 300);
        dispute(proof);
        vm.warp(incidents.incident(proof).claimsEnd + uint256(1));
        uint256 probe = openBy(Rung.Canary, canary, ONSET + 1, ONSET + 50, 500);
        assertEq(_paid(probe, alice, 300), 0);
    }

    /// @dev What was paid at once on a loss that was refuted is not paid again for the same onset.
    function test_whatAVoidedIncidentPaidIsNotPaidAgainForItsBlocks() public {
        uint256 id = openBy(Rung.Proof, gauge, ONSET, ONSET + 1, 500);
        assertEq(_paid(id, alice, 200), 200);
        vm.prank(who(Rung.Proof));
        incidents.revise(id, m(ONSET, ONSET + 2, 0));
        dispute(id);
        id = openBy(Rung.Proof, gauge, ONSET, ONSET + 3, 500);
        assertEq(_paid(id, alice, 300), 100);
    }

    function _paidForAll(uint256 id, uint128 wanted) private returns (uint128) {
        vm.prank(keeper);
        return incidents.consume(id, keeper, true, 500, wanted);
    }

    /// @dev Who is insured for all holders is paid for each of them, wherever they are insured.
    function test_whatPaysForAllHoldersPaysForEachOfThem() public {
        uint256 proof = openBy(Rung.Proof, gauge, ONSET, ONSET + 1, 500);
        uint256 probe = openBy(Rung.Canary, _triggerOnTheVault(), ONSET, ONSET + 1, 500);
        assertEq(_paidForAll(proof, 450), 450);
        assertEq(_paid(probe, alice, 300), 50);
        assertEq(_paid(probe, bob, 300), 0);
        assertEq(_paidForAll(proof, 50), 0, "alice has the rest");
        assertEq(_paid(proof, bob, 300), 0, "all are paid one loss together");
    }

    function test_whatEachHolderWasPaidIsNotPaidForAll() public {
        uint256 proof = openBy(Rung.Proof, gauge, ONSET, ONSET + 1, 500);
        uint256 probe = openBy(Rung.Canary, _triggerOnTheVault(), ONSET, ONSET + 1, 500);
        assertEq(_paid(probe, alice, 200), 200);
        assertEq(_paid(probe, bob, 200), 200);
        assertEq(_paidForAll(proof, 500), 100);
    }

    function _paid(uint256 id, address account, uint128 wanted) private returns (uint128) {
        vm.prank(keeper);
        return incidents.consume(id, account, false, 300, wanted);
    }

    function test_onePositionIsPaidOnceByGaugeCanaryAndQuorum() public {
        bytes32 canary = _triggerOnTheVault();
        uint256 proof = openBy(Rung.Proof, gauge, ONSET, ONSET + 1, 500);
        uint256 probe = openBy(Rung.Canary, canary, ONSET, ONSET + 1, 500);
        assertEq(_paid(proof, alice, 100), 100);
        assertEq(_paid(probe, alice, 150), 150);
        assertEq(_paid(proof, alice, 300), 50);
        assertEq(_paid(probe, alice, 300), 0);
        // Another account, and another subject, are another matter.
        assertEq(_paid(probe, bob, 300), 300);
        assertEq(_paid(openBy(Rung.Quorum, trigger, ONSET, ONSET + 1, 500), alice, 300), 300);
    }

    function test_lossesWithoutCommonClaimsAreTwo() public {
        bytes32 canary = _triggerOnTheVault();
        uint256 proof = openBy(Rung.Proof, gauge, ONSET, ONSET + 1, 500);
        assertEq(_paid(proof, alice, 300), 300);
        dispute(proof);
        vm.warp(incidents.incident(proof).claimsEnd + uint256(1));
        uint256 probe = openBy(Rung.Canary, canary, ONSET + 5, ONSET + 6, 500);
        assertEq(_paid(probe, alice, 300), 300);
    }

    function test_claimsOpenAtTheOpeningCountToTheLastSecond() public {
        bytes32 canary = _triggerOnTheVault();
        uint256 proof = openBy(Rung.Proof, gauge, ONSET, ONSET + 1, 500);
        assertEq(_paid(proof, alice, 300), 300);
        dispute(proof);
        vm.warp(incidents.incident(proof).claimsEnd);
        uint256 probe = openBy(Rung.Canary, canary, ONSET + 5, ONSET + 6, 500);
        assertEq(_paid(probe, alice, 300), 0);
    }

    /// @dev What an incident paid in its dwell and was voided afterwards was paid all the same.
    function test_voidedIncidentsCountWhileTheyDwelt() public {
        bytes32 canary = _triggerOnTheVault();
        uint256 proof = openBy(Rung.Proof, gauge, ONSET, ONSET + 1, 500);
        assertEq(_paid(proof, alice, 300), 300);
        uint256 probe = openBy(Rung.Canary, canary, ONSET, ONSET + 1, 500);
        vm.prank(who(Rung.Proof));
        incidents.revise(proof, m(ONSET, ONSET + 2, 0));
        dispute(proof);
        assertEq(status(proof), uint256(Status.Voided));
        assertEq(_paid(probe, alice, 300), 0);
        dispute(probe);
        probe = openBy(Rung.Canary, canary, ONSET + 5, ONSET + 6, 500);
        assertEq(_paid(probe, alice, 300), 300);
    }

    /// @dev Losses of one gauge one after the other are different losses.
    function test_laterLossesOfOneGaugeArePaidInFull() public {
        for (uint64 i; i < 2; ++i) {
            uint256 id = openBy(Rung.Proof, gauge, ONSET + 2 * i, ONSET + 2 * i + 1, 500);
            assertEq(_paid(id, alice, 300), 300);
            dispute(id);
        }
    }
}

/// @notice Great payouts and the guardian.
contract GuardianTest is LadderFixture {
    address private guardian = makeAddr("guardian");

    function times() internal pure override returns (Times memory) {
        return Times(DWELL, WINDOW, QUORUM_WINDOW, ASSEMBLY_WINDOW, GUARDIAN_DELAY, 5000);
    }

    function setUp() public override {
        super.setUp();
        incidents.setGuardian(guardian);
    }

    function _great() private returns (uint256 id) {
        id = openBy(Rung.Proof, gauge, ONSET, ONSET + 1, 501);
        vm.roll(incidents.incident(id).dwellEnd + 1);
    }

    function _escalate(uint256 id) private {
        vm.prank(guardian);
        incidents.escalate(id);
    }

    function test_greatPayoutsWaitOnceAndThenPayByThemselves() public {
        uint256 id = _great();
        uint64 end = uint64(block.number) + GUARDIAN_DELAY;
        vm.expectEmit(true, true, true, true, address(incidents));
        emit ILadder.Delayed(id, end);
        incidents.finalise(id);
        assertEq(status(id), uint256(Status.Dwelling));
        assertEq(incidents.incident(id).dwellEnd, end);
        vm.roll(end);
        expectRevert(abi.encodeWithSelector(IIncidents.DwellNotOver.selector, id, end, end));
        incidents.finalise(id);
        vm.roll(uint256(end) + 1);
        incidents.finalise(id);
        assertEq(status(id), uint256(Status.Final));
    }

    function test_payoutsUpToTheShareDoNotWait() public {
        uint256 id = openBy(Rung.Proof, gauge, ONSET, ONSET + 1, 500);
        dispute(id);
        assertEq(status(id), uint256(Status.Final));
    }

    /// @dev A pool of one's own that loses everything makes no payout of the others great.
    function test_aHollowPoolMakesNothingGreat() public {
        _join(address(usd), 1);
        uint256 id = openBy(Rung.Proof, gauge, ONSET, ONSET + 1, 400);
        dispute(id);
        assertEq(status(id), uint256(Status.Final));
    }

    function test_poolsOfOneAssetAreGreatTogether() public {
        _join(address(usd), 3000);
        // 2,000 of 4,000.
        uint256 id = openBy(Rung.Proof, gauge, ONSET, ONSET + 1, 1000);
        dispute(id);
        assertEq(status(id), uint256(Status.Final));
        _join(address(wording), 1500);
        id = openBy(Rung.Proof, gauge, ONSET + 1, ONSET + 2, 751);
        dispute(id);
        assertEq(status(id), uint256(Status.Dwelling), "of the other asset");
    }

    function test_withoutAGuardianNothingWaits() public {
        incidents.setGuardian(address(0));
        incidents.finalise(_great());
        assertEq(status(1), uint256(Status.Final));
    }

    function test_guardianSendsUpOnlyWhatWaitsAndOnce() public {
        uint256 id = openBy(Rung.Proof, gauge, ONSET, ONSET + 1, 501);
        bytes memory notDelayed = abi.encodeWithSelector(ILadder.NotDelayed.selector, id);
        vm.prank(guardian);
        expectRevert(notDelayed);
        incidents.escalate(id);
        dispute(id);
        vm.prank(bob);
        expectRevert(abi.encodeWithSelector(ILadder.NotGuardian.selector, bob));
        incidents.escalate(id);
        _escalate(id);
        vm.prank(guardian);
        expectRevert(notDelayed);
        incidents.escalate(id);
        // One delay is all: the next is the dispute, which the guardian has no hand in.
        uint64 end = incidents.incident(id).dwellEnd;
        vm.roll(uint256(end) + 1);
        vm.prank(guardian);
        expectRevert(abi.encodeWithSelector(IIncidents.DwellOver.selector, id, end, end + 1));
        incidents.escalate(id);
        incidents.finalise(id);
        assertEq(status(id), uint256(Status.Disputed));
        vm.prank(guardian);
        expectRevert(abi.encodeWithSelector(IIncidents.NotDwelling.selector, id, Status.Disputed));
        incidents.escalate(id);
    }

    function test_theGuardianCannotDeny() public {
        uint256 id = _great();
        incidents.finalise(id);
        _escalate(id);
        dispute(id);
        assertEq(incidents.incident(id).loss, 0);
        assertEq(pool.booking(id).reserved, 501);
        // Nobody decides, and it pays in full.
        dispute(id);
        assertEq(status(id), uint256(Status.Final));
        assertEq(incidents.incident(id).loss, 501);
    }

    function test_onlyTheTimelockNamesTheGuardian() public {
        vm.prank(guardian);
        expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, guardian));
        incidents.setGuardian(guardian);
    }
}

/// @notice Where nobody was wired as the assembly, nobody could end a dispute.
contract NoAssemblyTest is LadderFixture {
    function wire(address) internal override {
        wireUpTo(Rung.Quorum);
    }

    function test_withoutAnAssemblyWhatWasHeldEndsAsAsserted() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 500);
        holdBy(Rung.Quorum, id, 0);
        dispute(id);
        assertEq(status(id), uint256(Status.Final));
        assertEq(incidents.incident(id).loss, 500);
    }
}
