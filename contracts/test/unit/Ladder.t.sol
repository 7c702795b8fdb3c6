// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IIncidents, Rung, Status} from "breakwater/interfaces/IIncidents.sol";
import {ILadder} from "breakwater/interfaces/ILadder.sol";
import {LadderFixture} from "../LadderFixture.sol";

/// @notice The rungs above the proof, row by row of docs/ladder.md.
contract LadderTest is LadderFixture {
    bytes4 private constant OUTSIDE = ILadder.OutsideDispute.selector;

    function _expectHeld(uint256 id, uint128 undisputed, address by) private {
        vm.expectEmit(true, true, true, true, address(incidents));
        emit ILadder.Held(id, undisputed, by);
    }

    // ----- opening -----

    function test_rungsOpenOnlyWhatNamesThem() public {
        bytes4 no = ILadder.RungNotAllowed.selector;
        expectRevert(abi.encodeWithSelector(no, gauge, Rung.Feed));
        openBy(Rung.Feed, gauge, ONSET, ONSET + 1, 500);
        expectRevert(abi.encodeWithSelector(no, gauge, Rung.Canary));
        openBy(Rung.Canary, gauge, ONSET, ONSET + 1, 500);
        expectRevert(abi.encodeWithSelector(no, gauge, Rung.Assembly));
        openBy(Rung.Assembly, gauge, ONSET, ONSET + 1, 500);
        expectRevert(abi.encodeWithSelector(no, trigger, Rung.Proof));
        openBy(Rung.Proof, trigger, ONSET, ONSET + 1, 500);
        expectRevert(abi.encodeWithSelector(no, trigger, Rung.Feed));
        openBy(Rung.Feed, trigger, ONSET, ONSET + 1, 500);
        assertEq(openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 500), 1);
        assertEq(openBy(Rung.Canary, trigger, ONSET, ONSET + 1, 500), 2);
    }

    function test_eachRungHasItsWindow() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 500);
        assertEq(incidents.incident(id).dwellEnd, block.number + QUORUM_WINDOW);
        assertEq(incidents.incident(id).spanEnd, block.number + 8 * QUORUM_WINDOW);
        id = openBy(Rung.Canary, trigger, ONSET, ONSET + 1, 500);
        assertEq(incidents.incident(id).dwellEnd, block.number + DWELL);
        // A lower loss leaves a quarter of its own window.
        id = 1;
        vm.roll(block.number + QUORUM_WINDOW);
        vm.prank(who(Rung.Quorum));
        incidents.revise(id, m(ONSET, ONSET + 2, 300));
        assertEq(incidents.incident(id).dwellEnd, block.number + QUORUM_WINDOW / 4);
    }

    /// @dev Slow losses are the quorum's, so its reading may lie further behind the onset.
    function test_spanFollowsTheWindow() public {
        vm.roll(20_000);
        uint64 last = ONSET + 8 * QUORUM_WINDOW;
        expectRevert(abi.encodeWithSelector(IIncidents.ReadingTooLate.selector, last + 1, last));
        openBy(Rung.Quorum, gauge, ONSET, last + 1, 500);
        openBy(Rung.Quorum, gauge, ONSET, last, 500);
    }

    // ----- held and disputed -----

    function test_heldIncidentPaysWhatNobodyDisputes() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 500);
        _expectHeld(id, 200, who(Rung.Quorum));
        holdBy(Rung.Quorum, id, 200);
        assertTrue(incidents.held(id));
        assertEq(incidents.incident(id).loss, 500);
        vm.roll(incidents.incident(id).dwellEnd + 1);
        vm.expectEmit(true, true, true, true, address(incidents));
        emit ILadder.Disputed(id, 200, 500, uint64(block.number) + ASSEMBLY_WINDOW);
        incidents.finalise(id);
        assertEq(status(id), uint256(Status.Disputed));
        assertEq(incidents.incident(id).loss, 200);
        assertEq(incidents.asserted(id), 500);
        assertEq(incidents.incident(id).claimsEnd, 0);
        // The pools keep what was asserted and pay from it.
        assertEq(pool.booking(id).reserved, 500);
        assertTrue(pool.last().settled);
        vm.prank(keeper);
        assertEq(incidents.consume(id, alice, false, 500, 500), 200);
    }

    function test_lowestChallengeCounts() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 500);
        holdBy(Rung.Quorum, id, 200);
        _expectHeld(id, 200, who(Rung.Quorum));
        holdBy(Rung.Quorum, id, 300);
        holdBy(Rung.Quorum, id, 150);
        dispute(id);
        assertEq(incidents.incident(id).loss, 150);
    }

    function test_challengesBelowTheThresholdLeaveNothingUndisputed() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 500);
        holdBy(Rung.Quorum, id, 99);
        dispute(id);
        assertEq(incidents.incident(id).loss, 0);
        assertEq(incidents.asserted(id), 500);
        id = openBy(Rung.Quorum, gauge, ONSET + 1, ONSET + 2, 500);
        holdBy(Rung.Quorum, id, 100);
        dispute(id);
        assertEq(incidents.incident(id).loss, 100);
    }

    function test_onlyItsRungHoldsAndOnlyBelowTheLoss() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 500);
        address quorum = who(Rung.Quorum);
        expectRevert(abi.encodeWithSelector(IIncidents.NotThisRung.selector, quorum, who(Rung.Canary)));
        holdBy(Rung.Canary, id, 200);
        expectRevert(abi.encodeWithSelector(OUTSIDE, 500, 0, 500));
        holdBy(Rung.Quorum, id, 500);
        uint64 end = incidents.incident(id).dwellEnd;
        vm.roll(uint256(end) + 1);
        expectRevert(abi.encodeWithSelector(IIncidents.DwellOver.selector, id, end, end + 1));
        holdBy(Rung.Quorum, id, 200);
        incidents.finalise(id);
        expectRevert(abi.encodeWithSelector(IIncidents.NotDwelling.selector, id, Status.Final));
        holdBy(Rung.Quorum, id, 200);
    }

    /// @dev A challenge that a lower measurement has overtaken is about nothing any more.
    function test_challengeAboveALowerLossIsMoot() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 500);
        holdBy(Rung.Quorum, id, 300);
        vm.prank(who(Rung.Quorum));
        incidents.revise(id, m(ONSET, ONSET + 2, 250));
        dispute(id);
        assertEq(status(id), uint256(Status.Final));
        assertEq(incidents.incident(id).loss, 250);
    }

    function test_disputesTouchPolicies() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 500);
        holdBy(Rung.Quorum, id, 200);
        dispute(id);
        uint64 time = incidents.incident(id).onsetTime;
        assertTrue(incidents.touched(gauge, time, time));
        vm.warp(block.timestamp + 365 days);
        assertTrue(incidents.touched(gauge, time, time));
        assertFalse(incidents.touched(gauge, time + 1, type(uint64).max));
    }

    // ----- the assembly -----

    function test_onlyTheAssemblyDecidesAndOnlyBetweenTheTwo() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 500);
        holdBy(Rung.Quorum, id, 200);
        expectRevert(abi.encodeWithSelector(ILadder.NotDisputed.selector, id, Status.Dwelling));
        decideBy(Rung.Assembly, id, 300);
        dispute(id);
        expectRevert(abi.encodeWithSelector(IIncidents.NotRung.selector, who(Rung.Quorum), Rung.Assembly));
        decideBy(Rung.Quorum, id, 300);
        expectRevert(abi.encodeWithSelector(OUTSIDE, 199, 200, 500));
        decideBy(Rung.Assembly, id, 199);
        expectRevert(abi.encodeWithSelector(OUTSIDE, 501, 200, 500));
        decideBy(Rung.Assembly, id, 501);
        decideBy(Rung.Assembly, id, 300);
        // Only then do the pools free the curators' locks.
        assertTrue(pool.last().settled);
        assertEq(status(id), uint256(Status.Final));
        assertEq(incidents.incident(id).loss, 300);
        assertEq(incidents.asserted(id), 300);
        assertEq(incidents.incident(id).claimsEnd, block.timestamp + WINDOW);
        assertEq(pool.booking(id).reserved, 300);
        expectRevert(abi.encodeWithSelector(ILadder.NotDisputed.selector, id, Status.Final));
        decideBy(Rung.Assembly, id, 300);
    }

    /// @dev The reporters may not tell the assembly the same again; a proof of the same blocks still counts.
    function test_decidedBelowTheThresholdIsVoidForReportersOnly() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 5, 500);
        holdBy(Rung.Quorum, id, 0);
        dispute(id);
        decideBy(Rung.Assembly, id, 99);
        assertEq(status(id), uint256(Status.Voided));
        assertEq(incidents.latest(gauge), 0);
        assertEq(pool.booking(id).reserved, 0);
        expectRevert(abi.encodeWithSelector(IIncidents.ReadingTooEarly.selector, ONSET + 5, ONSET + 5));
        openBy(Rung.Quorum, gauge, ONSET, ONSET + 5, 500);
        assertEq(openBy(Rung.Proof, gauge, ONSET, ONSET + 5, 500), 2);
    }

    /// @dev Silence denies nothing and holds nothing up: what the last rung said stands.
    function test_noIncidentStaysUndecidedForEver() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 500);
        holdBy(Rung.Quorum, id, 0);
        dispute(id);
        uint64 end = incidents.incident(id).dwellEnd;
        vm.roll(end);
        expectRevert(abi.encodeWithSelector(IIncidents.DwellNotOver.selector, id, end, end));
        incidents.finalise(id);
        vm.roll(uint256(end) + 1);
        vm.prank(bob);
        incidents.finalise(id);
        assertEq(status(id), uint256(Status.Final));
        assertEq(incidents.incident(id).loss, 500);
    }

    function test_voidsInTheMiddleLeaveTheOthersLinked() public {
        uint256 first = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 500);
        holdBy(Rung.Quorum, first, 200);
        dispute(first);
        uint256 second = openBy(Rung.Quorum, gauge, ONSET + 1, ONSET + 2, 500);
        holdBy(Rung.Quorum, second, 0);
        dispute(second);
        uint256 third = openBy(Rung.Quorum, gauge, ONSET + 2, ONSET + 3, 500);
        decideBy(Rung.Assembly, second, 0);
        assertEq(incidents.latest(gauge), third);
        uint64 time = incidents.incident(first).onsetTime;
        assertTrue(incidents.touched(gauge, time, time));
        time = incidents.incident(second).onsetTime;
        assertFalse(incidents.touched(gauge, time, time));
    }

    // ----- re-executed evidence -----

    function test_overrulingADwellingIncidentLowersAndFreesIt() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 500);
        holdBy(Rung.Quorum, id, 100);
        expectRevert(abi.encodeWithSelector(OUTSIDE, 500, 0, 500));
        overruleBy(Rung.Quorum, id, 500);
        expectRevert(
            abi.encodeWithSelector(IIncidents.NotThisRung.selector, who(Rung.Quorum), who(Rung.Canary))
        );
        overruleBy(Rung.Canary, id, 300);
        vm.roll(incidents.incident(id).dwellEnd);
        overruleBy(Rung.Quorum, id, 300);
        assertFalse(incidents.held(id));
        assertEq(incidents.incident(id).dwellEnd, block.number + QUORUM_WINDOW / 4);
        assertEq(pool.last().loss, 300);
        overruleBy(Rung.Quorum, id, 99);
        assertEq(pool.last().loss, 0);
        dispute(id);
        assertEq(status(id), uint256(Status.Voided));
    }

    function test_overrulingADisputeEndsIt() public {
        uint256 id = openBy(Rung.Quorum, gauge, ONSET, ONSET + 1, 500);
        holdBy(Rung.Quorum, id, 200);
        dispute(id);
        expectRevert(abi.encodeWithSelector(OUTSIDE, 100, 200, 500));
        overruleBy(Rung.Quorum, id, 100);
        overruleBy(Rung.Quorum, id, 250);
        assertEq(status(id), uint256(Status.Final));
        assertEq(incidents.incident(id).loss, 250);
    }

    // ----- a proof above a report -----

    function test_proofTakesThePlaceOfAnUnpaidReport() public {
        uint256 report = openBy(Rung.Quorum, gauge, ONSET, ONSET + 5, 900);
        vm.expectEmit(true, true, true, true, address(incidents));
        emit ILadder.Outranked(report);
        uint256 id = openBy(Rung.Proof, gauge, ONSET + 1, ONSET + 2, 500);
        assertEq(status(report), uint256(Status.Voided));
        assertEq(pool.booking(report).reserved, 0);
        assertEq(incidents.latest(gauge), id);
        assertEq(incidents.openOn(uint8(Rung.Quorum), address(usd)), 0);
    }

    function test_proofTakesThePlaceOfAnUnpaidDispute() public {
        uint256 report = openBy(Rung.Quorum, gauge, ONSET, ONSET + 5, 900);
        holdBy(Rung.Quorum, report, 0);
        dispute(report);
        openBy(Rung.Proof, gauge, ONSET + 1, ONSET + 2, 500);
        assertEq(status(report), uint256(Status.Voided));
        assertEq(pool.booking(report).reserved, 0);
    }

    function test_whatWasPaidOnAReportStands() public {
        uint256 report = openBy(Rung.Quorum, gauge, ONSET, ONSET + 5, 900);
        holdBy(Rung.Quorum, report, 200);
        dispute(report);
        vm.prank(keeper);
        incidents.consume(report, alice, false, 10, 10);
        expectRevert(abi.encodeWithSelector(IIncidents.OnsetTooEarly.selector, ONSET + 1, ONSET + 5));
        openBy(Rung.Proof, gauge, ONSET + 1, ONSET + 2, 500);
    }

    /// @dev Else a long report would keep a later, proven loss waiting, or be lost to it.
    function test_proofOfALaterLossStandsBesideAReport() public {
        uint256 report = openBy(Rung.Quorum, gauge, ONSET, ONSET + 5, 900);
        uint256 id = openBy(Rung.Proof, gauge, ONSET + 5, ONSET + 7, 500);
        assertEq(status(report), uint256(Status.Dwelling));
        assertEq(incidents.latest(gauge), id);
        // The report may not grow into the blocks of the proof.
        expectRevert(abi.encodeWithSelector(IIncidents.RevisionBackwards.selector, report, ONSET, ONSET + 6));
        vm.prank(who(Rung.Quorum));
        incidents.revise(report, m(ONSET, ONSET + 6, 500));
        vm.roll(incidents.incident(report).dwellEnd + 1);
        incidents.finalise(report);
        incidents.finalise(id);
        assertEq(status(report), uint256(Status.Final));
        assertEq(status(id), uint256(Status.Final));
    }

    function _finalProof(uint64 onset, uint64 reading) private returns (uint256 id) {
        id = openBy(Rung.Proof, gauge, onset, reading, 500);
        dispute(id);
        assertEq(status(id), uint256(Status.Final));
    }

    function _revise(Rung rung_, uint256 id, uint64 onset, uint64 reading, uint128 loss) private {
        vm.prank(who(rung_));
        incidents.revise(id, m(onset, reading, loss));
    }

    /// @dev The later proof stands on top of the report; the report keeps nothing out all the same.
    function test_proofOfTheReportsBlocksCountsBelowALaterProof() public {
        uint256 report = openBy(Rung.Quorum, gauge, ONSET, ONSET + 5, 900);
        uint256 later = openBy(Rung.Proof, gauge, ONSET + 5, ONSET + 7, 500);
        expectRevert(abi.encodeWithSelector(IIncidents.AlreadyDwelling.selector, later));
        openBy(Rung.Proof, gauge, ONSET + 1, ONSET + 3, 500);
        dispute(later);
        vm.expectEmit(true, true, true, true, address(incidents));
        emit ILadder.Outranked(report);
        uint256 id = openBy(Rung.Proof, gauge, ONSET + 1, ONSET + 3, 500);
        assertEq(status(report), uint256(Status.Voided));
        assertEq(pool.booking(report).reserved, 0);
        assertEq(incidents.latest(gauge), later);
        dispute(id);
        assertEq(status(id), uint256(Status.Final));
    }

    function test_revisedProofTakesThePlaceOfReportsBeforeIt() public {
        uint256 report = openBy(Rung.Quorum, gauge, ONSET, ONSET + 5, 900);
        uint256 id = openBy(Rung.Proof, gauge, ONSET + 5, ONSET + 7, 500);
        _revise(Rung.Proof, id, ONSET + 4, ONSET + 7, 600);
        assertEq(status(report), uint256(Status.Voided));
        assertEq(incidents.incident(id).onset, ONSET + 4);
    }

    /// @dev A report of later blocks stays beside an earlier proof until the proof reads them too.
    function test_proofTakesThePlaceOfALaterReportOnceItReadsItsBlocks() public {
        uint256 report = openBy(Rung.Quorum, gauge, ONSET + 5, ONSET + 9, 900);
        uint256 id = openBy(Rung.Proof, gauge, ONSET, ONSET + 2, 500);
        assertEq(incidents.latest(gauge), report);
        _revise(Rung.Proof, id, ONSET, ONSET + 5, 400);
        assertEq(status(report), uint256(Status.Dwelling));
        _revise(Rung.Proof, id, ONSET, ONSET + 6, 300);
        assertEq(status(report), uint256(Status.Voided));
        assertEq(incidents.latest(gauge), id);
    }

    function test_whatWasPaidOnALaterReportStopsAProof() public {
        uint256 report = openBy(Rung.Quorum, gauge, ONSET + 5, ONSET + 9, 900);
        holdBy(Rung.Quorum, report, 200);
        dispute(report);
        vm.prank(keeper);
        incidents.consume(report, alice, false, 10, 10);
        uint256 id = openBy(Rung.Proof, gauge, ONSET, ONSET + 2, 500);
        expectRevert(abi.encodeWithSelector(IIncidents.RevisionBackwards.selector, id, ONSET, ONSET + 6));
        _revise(Rung.Proof, id, ONSET, ONSET + 6, 300);
        _revise(Rung.Proof, id, ONSET, ONSET + 5, 300);
    }

    /// @dev What was decided of later blocks keeps no loss of earlier ones out, whoever tells it.
    function test_earlierLossesCountBelowAFinalProof() public {
        uint256 later = _finalProof(ONSET + 10, ONSET + 12);
        expectRevert(abi.encodeWithSelector(IIncidents.OnsetTooEarly.selector, ONSET + 9, ONSET + 12));
        openBy(Rung.Proof, gauge, ONSET + 9, ONSET + 11, 500);
        uint256 report = openBy(Rung.Quorum, gauge, ONSET + 6, ONSET + 8, 500);
        uint256 id = openBy(Rung.Proof, gauge, ONSET, ONSET + 2, 500);
        assertEq(incidents.latest(gauge), later);
        assertEq(incidents.dwelling(gauge, ONSET + 1), id);
        assertEq(incidents.dwelling(gauge, ONSET + 2), 0);
        // No block counts twice.
        expectRevert(abi.encodeWithSelector(IIncidents.AlreadyDwelling.selector, id));
        openBy(Rung.Proof, gauge, ONSET + 1, ONSET + 3, 500);
        expectRevert(
            abi.encodeWithSelector(IIncidents.RevisionBackwards.selector, report, ONSET + 6, ONSET + 11)
        );
        _revise(Rung.Quorum, report, ONSET + 6, ONSET + 11, 600);
        expectRevert(abi.encodeWithSelector(IIncidents.OnsetTooEarly.selector, ONSET + 1, ONSET + 2));
        _revise(Rung.Quorum, report, ONSET + 1, ONSET + 8, 600);
        // A later block may still answer it, up to the blocks that are another's.
        _revise(Rung.Quorum, report, ONSET + 6, ONSET + 10, 400);
        _revise(Rung.Proof, id, ONSET, ONSET + 3, 0);
        dispute(id);
        assertEq(status(id), uint256(Status.Voided));
        uint64 time = incidents.incident(report).onsetTime;
        assertTrue(incidents.touched(gauge, time, time));
    }

    /// @dev So that an edit of a policy finds the one that was put there among the eight that it looks at.
    function test_earlierLossesAreLookedForBehindAtMostSeven() public {
        for (uint64 i = 1; i < 8; ++i) {
            _finalProof(ONSET + 10 * i, ONSET + 10 * i + 1);
        }
        uint256 id = openBy(Rung.Proof, gauge, ONSET + 4, ONSET + 6, 500);
        uint64 time = incidents.incident(id).onsetTime;
        assertTrue(incidents.touched(gauge, time, time));
        _finalProof(ONSET + 80, ONSET + 81);
        expectRevert(abi.encodeWithSelector(IIncidents.OnsetTooEarly.selector, ONSET, ONSET + 11));
        openBy(Rung.Proof, gauge, ONSET, ONSET + 2, 500);
    }

    function test_reportsStandAboveNoProof() public {
        uint256 id = openBy(Rung.Proof, gauge, ONSET, ONSET + 5, 500);
        expectRevert(abi.encodeWithSelector(IIncidents.AlreadyDwelling.selector, id));
        openBy(Rung.Quorum, gauge, ONSET, ONSET + 6, 900);
        expectRevert(abi.encodeWithSelector(IIncidents.AlreadyDwelling.selector, id));
        openBy(Rung.Quorum, gauge, ONSET + 5, ONSET + 6, 900);
        // Nor does a canary stand above a report.
        id = openBy(Rung.Quorum, trigger, ONSET, ONSET + 5, 500);
        expectRevert(abi.encodeWithSelector(IIncidents.AlreadyDwelling.selector, id));
        openBy(Rung.Canary, trigger, ONSET, ONSET + 5, 500);
    }
}
