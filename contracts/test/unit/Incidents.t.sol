// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Catalog} from "breakwater/core/Catalog.sol";
import {Incidents} from "breakwater/core/Incidents.sol";
import {IIncidents, Incident, Measurement, Rung, Status} from "breakwater/interfaces/IIncidents.sol";
import {Times} from "breakwater/interfaces/ILadder.sol";
import {Wording} from "breakwater/periphery/Wording.sol";
import {Fixture} from "../Fixture.sol";
import {Spy} from "../Spy.sol";

/// @notice The state table of an incident, row by row; the test stands in the rung's place.
contract IncidentsTest is Fixture {
    uint64 private constant ONSET = 9000;
    bytes32 private gauge;
    Spy private pool;

    function setUp() public override {
        super.setUp();
        gauge = list(vaultSpec());
        pool = new Spy();
        register(address(pool));
        vm.prank(address(pool));
        catalog.attach(gauge);
    }

    function wire(address) internal override {
        address[] memory contracts = new address[](1);
        contracts[0] = address(this);
        incidents.wire(keeper, contracts, new Rung[](1));
    }

    function _m(uint64 onset, uint64 reading, uint128 loss) private pure returns (Measurement memory) {
        uint64 time = uint64(START) + onset * 12;
        return Measurement(onset, reading, time, time + 12, 1000, loss, keccak256("evidence"));
    }

    function _open(uint64 onset, uint64 reading, uint128 loss) private returns (uint256) {
        return incidents.open(gauge, Rung.Proof, bob, _m(onset, reading, loss));
    }

    function _status(uint256 id) private view returns (uint256) {
        return uint256(incidents.incident(id).status);
    }

    function _refused(bytes memory reason, uint64 onset, uint64 reading, uint128 loss) private {
        expectRevert(reason);
        _open(onset, reading, loss);
    }

    function _refusedRevision(bytes memory reason, uint64 onset, uint64 reading, uint128 loss) private {
        expectRevert(reason);
        incidents.revise(1, _m(onset, reading, loss));
    }

    // ----- wiring -----

    function test_wiredOnceByTheTimelock() public {
        expectRevert(IIncidents.AlreadyWired.selector);
        incidents.wire(keeper, new address[](0), new Rung[](0));
        Incidents fresh = new Incidents(catalog, address(manager));
        vm.prank(keeper);
        expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, keeper));
        fresh.wire(keeper, new address[](0), new Rung[](0));
        expectRevert(abi.encodeWithSelector(IIncidents.BadWiring.selector, address(0), 0, 0));
        fresh.wire(address(0), new address[](0), new Rung[](0));
        expectRevert(abi.encodeWithSelector(IIncidents.BadWiring.selector, keeper, 1, 0));
        fresh.wire(keeper, new address[](1), new Rung[](0));
    }

    /// @dev What the wording promises and what the contract does is one set of numbers, none of them missing.
    function test_timesAreThoseOfTheWording() public {
        assertEq(incidents.dwell(), DWELL);
        assertEq(incidents.claimWindow(), WINDOW);
        assertEq(incidents.window(uint8(Rung.Feed)), DWELL);
        assertEq(incidents.window(uint8(Rung.Quorum)), QUORUM_WINDOW);
        assertEq(incidents.window(uint8(Rung.Assembly)), ASSEMBLY_WINDOW);
        assertEq(incidents.guardianDelay(), GUARDIAN_DELAY);
        assertEq(incidents.heavyBps(), type(uint16).max);
        bytes32[5] memory fields =
            [bytes32("dwell"), "claimWindow", "quorumWindow", "assemblyWindow", "guardianDelay"];
        for (uint256 i; i < 5; ++i) {
            uint64[5] memory t = [DWELL, WINDOW, QUORUM_WINDOW, ASSEMBLY_WINDOW, GUARDIAN_DELAY];
            t[i] = 0;
            Wording without = new Wording(Times(t[0], uint32(t[1]), t[2], t[3], t[4], 0));
            Catalog other = new Catalog(address(manager), without);
            expectRevert(abi.encodeWithSelector(IIncidents.NoTime.selector, fields[i]));
            new Incidents(other, address(manager));
        }
    }

    function test_onlyRungsOpen() public {
        vm.prank(bob);
        _refused(abi.encodeWithSelector(IIncidents.NotRung.selector, bob, Rung.Proof), ONSET, ONSET + 1, 500);
        expectRevert(abi.encodeWithSelector(IIncidents.NotRung.selector, address(this), Rung.Quorum));
        incidents.open(gauge, Rung.Quorum, bob, _m(ONSET, ONSET + 1, 500));
    }

    // ----- opening -----

    function test_opensAndBooks() public {
        uint256 id = _open(ONSET, ONSET + 1, 500);
        Incident memory incident = incidents.incident(id);
        assertEq(id, 1);
        assertEq(incident.opener, bob);
        assertEq(incident.openedAt, block.number);
        assertEq(incident.openedTime, block.timestamp);
        assertEq(incident.dwellEnd, block.number + DWELL);
        assertEq(incident.spanEnd, block.number + 8 * DWELL);
        assertEq(incident.peak, 0.5e18);
        assertEq(incidents.dwelling(gauge, 0), id);
        assertEq(incidents.latest(gauge), id);
        Spy.Call memory call = pool.last();
        assertFalse(call.settled);
        assertEq(call.incident, id);
        assertEq(call.onsetTime, incident.onsetTime);
        assertEq(call.loss, 500);
        assertEq(call.base, 1000);
    }

    function test_measurementsMakeSense() public {
        bytes4 bad = IIncidents.BadMeasurement.selector;
        _refused(abi.encodeWithSelector(bad, ONSET, ONSET, 1000, 500), ONSET, ONSET, 500);
        _refused(abi.encodeWithSelector(bad, ONSET, ONSET + 1, 1000, 1001), ONSET, ONSET + 1, 1001);
        Measurement memory m = _m(ONSET, ONSET + 1, 0);
        m.base = 0;
        expectRevert(abi.encodeWithSelector(bad, ONSET, ONSET + 1, 0, 0));
        incidents.open(gauge, Rung.Proof, bob, m);
        m = _m(ONSET, ONSET + 1, 500);
        m.afterTime = m.onsetTime;
        expectRevert(bad);
        incidents.open(gauge, Rung.Proof, bob, m);
        expectRevert(abi.encodeWithSelector(IIncidents.UnknownGauge.selector, bytes32(0)));
        incidents.open(0, Rung.Proof, bob, m);
    }

    function test_readingIsMined() public {
        uint64 head = uint64(block.number);
        _refused(abi.encodeWithSelector(IIncidents.NotMined.selector, head, head), head - 1, head, 500);
        _open(head - 2, head - 1, 500);
    }

    function test_lossBelowTheThresholdOpensNothing() public {
        _refused(
            abi.encodeWithSelector(IIncidents.BelowThreshold.selector, 0.099e18, 0.1e18), ONSET, ONSET + 1, 99
        );
        _open(ONSET, ONSET + 1, 100);
    }

    /// @dev Stretching an old small loss over a new great one would shut out those who bought in between.
    function test_readingLiesWithinTheSpan() public {
        uint64 last = ONSET + 8 * DWELL;
        _refused(
            abi.encodeWithSelector(IIncidents.ReadingTooLate.selector, last + 1, last), ONSET, last + 1, 500
        );
        _open(ONSET, last, 500);
    }

    function test_oneIncidentDwellsAtATime() public {
        uint256 id = _open(ONSET, ONSET + 1, 500);
        _refused(abi.encodeWithSelector(IIncidents.AlreadyDwelling.selector, id), ONSET + 1, ONSET + 2, 500);
        passDwell(id);
        _refused(abi.encodeWithSelector(IIncidents.AlreadyDwelling.selector, id), ONSET + 1, ONSET + 2, 500);
        incidents.finalise(id);
        _open(ONSET + 1, ONSET + 2, 500);
    }

    /// @dev The same loss cannot be told twice.
    function test_onsetLiesBehindEarlierIncidents() public {
        uint256 id = _open(ONSET, ONSET + 10, 500);
        passDwell(id);
        incidents.finalise(id);
        _refused(
            abi.encodeWithSelector(IIncidents.OnsetTooEarly.selector, ONSET + 9, ONSET + 10),
            ONSET + 9,
            ONSET + 20,
            500
        );
        _open(ONSET + 10, ONSET + 20, 500);
    }

    // ----- revision -----

    function test_higherLossGivesAWholeDwell() public {
        _open(ONSET, ONSET + 1, 300);
        vm.roll(block.number + DWELL);
        incidents.revise(1, _m(ONSET, ONSET + 2, 500));
        assertEq(incidents.incident(1).dwellEnd, block.number + DWELL);
        assertEq(incidents.incident(1).peak, 0.5e18);
        assertEq(pool.last().loss, 500);
    }

    function test_lowerLossGivesAQuarterToAnswer() public {
        _open(ONSET, ONSET + 1, 500);
        uint64 end = incidents.incident(1).dwellEnd;
        incidents.revise(1, _m(ONSET, ONSET + 2, 300));
        assertEq(incidents.incident(1).dwellEnd, end);
        vm.roll(end);
        incidents.revise(1, _m(ONSET, ONSET + 3, 200));
        assertEq(incidents.incident(1).dwellEnd, end + DWELL / 4);
        assertEq(incidents.incident(1).peak, 0.5e18);
        // Back up to what was proven before, no further than the peak, also with its own quarter.
        vm.roll(end + DWELL / 4);
        incidents.revise(1, _m(ONSET, ONSET + 4, 500));
        assertEq(incidents.incident(1).dwellEnd, end + DWELL / 2);
    }

    function test_revisionsKeepTheirPlace() public {
        _open(ONSET, ONSET + 5, 500);
        bytes4 backwards = IIncidents.RevisionBackwards.selector;
        _refusedRevision(abi.encodeWithSelector(backwards, 1, ONSET, ONSET + 4), ONSET, ONSET + 4, 600);
        _refusedRevision(
            abi.encodeWithSelector(backwards, 1, ONSET + 1, ONSET + 5), ONSET + 1, ONSET + 5, 600
        );
        // An earlier onset only with a higher loss: else it would shut holders out for nothing.
        _refusedRevision(
            abi.encodeWithSelector(backwards, 1, ONSET - 1, ONSET + 5), ONSET - 1, ONSET + 5, 500
        );
        _refusedRevision(abi.encodeWithSelector(IIncidents.NothingNew.selector, 1), ONSET, ONSET + 5, 500);
        incidents.revise(1, _m(ONSET - 1, ONSET + 5, 501));
        assertEq(incidents.incident(1).onset, ONSET - 1);
        assertEq(incidents.incident(1).onsetTime, START + uint256(ONSET - 1) * 12);
    }

    function test_earlierOnsetStaysBehindEarlierIncidents() public {
        uint256 first = _open(ONSET, ONSET + 10, 500);
        passDwell(first);
        incidents.finalise(first);
        uint256 id = _open(ONSET + 20, ONSET + 30, 500);
        expectRevert(abi.encodeWithSelector(IIncidents.OnsetTooEarly.selector, ONSET + 9, ONSET + 10));
        incidents.revise(id, _m(ONSET + 9, ONSET + 30, 600));
        incidents.revise(id, _m(ONSET + 10, ONSET + 30, 600));
    }

    function test_raisesEndWithTheSpan() public {
        vm.roll(ONSET + 10);
        _open(ONSET, ONSET + 1, 300);
        uint64 spanEnd = incidents.incident(1).spanEnd;
        // Raised again and again, up to the last block of the span.
        for (uint128 i = 1; block.number + DWELL <= spanEnd; ++i) {
            vm.roll(incidents.incident(1).dwellEnd);
            incidents.revise(1, _m(ONSET, ONSET + 1 + uint64(i), 300 + i));
        }
        vm.roll(uint256(spanEnd) + 1);
        _refusedRevision(
            abi.encodeWithSelector(IIncidents.SpanOver.selector, 1, spanEnd, spanEnd + 1),
            ONSET,
            ONSET + 100,
            900
        );
    }

    function test_raisesReadWithinTheSpanOfTheOnset() public {
        _open(ONSET, ONSET + 1, 300);
        uint64 last = ONSET + 8 * DWELL;
        _refusedRevision(
            abi.encodeWithSelector(IIncidents.ReadingTooLate.selector, last + 1, last), ONSET, last + 1, 500
        );
        // A lower loss may be read at any later block.
        incidents.revise(1, _m(ONSET, last + 1, 250));
    }

    function test_revisionsEndWithTheDwell() public {
        _open(ONSET, ONSET + 1, 300);
        uint64 end = incidents.incident(1).dwellEnd;
        vm.roll(uint256(end) + 1);
        _refusedRevision(
            abi.encodeWithSelector(IIncidents.DwellOver.selector, 1, end, end + 1), ONSET, ONSET + 2, 200
        );
        incidents.finalise(1);
        _refusedRevision(
            abi.encodeWithSelector(IIncidents.NotDwelling.selector, 1, Status.Final), ONSET, ONSET + 2, 200
        );
        expectRevert(abi.encodeWithSelector(IIncidents.UnknownIncident.selector, 9));
        incidents.revise(9, _m(ONSET, ONSET + 2, 200));
    }

    function test_onlyItsRungRevises() public {
        _open(ONSET, ONSET + 1, 300);
        bytes memory reason = abi.encodeWithSelector(IIncidents.NotThisRung.selector, address(this), bob);
        vm.startPrank(bob);
        _refusedRevision(reason, ONSET, ONSET + 2, 200);
        expectRevert(reason);
        incidents.recordPosition(1, alice, 1, 1);
    }

    // ----- refuted and void -----

    function test_refutedBooksNothingAndMayBeAnswered() public {
        _open(ONSET, ONSET + 1, 500);
        incidents.revise(1, _m(ONSET, ONSET + 2, 99));
        assertEq(_status(1), uint256(Status.Dwelling));
        assertEq(pool.last().loss, 0);
        incidents.revise(1, _m(ONSET, ONSET + 3, 400));
        assertEq(pool.last().loss, 400);
        passDwell(1);
        incidents.finalise(1);
        assertEq(_status(1), uint256(Status.Final));
    }

    function test_refutedToTheEndIsVoid() public {
        _open(ONSET, ONSET + 1, 500);
        incidents.revise(1, _m(ONSET, ONSET + 2, 99));
        passDwell(1);
        incidents.finalise(1);
        assertEq(_status(1), uint256(Status.Voided));
        assertEq(incidents.latest(gauge), 0);
        assertEq(incidents.dwelling(gauge, 0), 0);
        assertTrue(pool.last().settled);
        expectRevert(abi.encodeWithSelector(IIncidents.IncidentNotOpen.selector, 1, Status.Voided));
        incidents.recordPosition(1, alice, 1, 1);
    }

    /// @dev The dip that was answered is over; a later one counts, also far behind the same onset.
    function test_voidIsNoDenialAndNoSecondChance() public {
        _open(ONSET, ONSET + 1, 500);
        incidents.revise(1, _m(ONSET, ONSET + 300, 0));
        passDwell(1);
        incidents.finalise(1);
        _refused(
            abi.encodeWithSelector(IIncidents.ReadingTooEarly.selector, ONSET + 1, ONSET + 300),
            ONSET,
            ONSET + 1,
            500
        );
        _refused(
            abi.encodeWithSelector(IIncidents.ReadingTooEarly.selector, ONSET + 300, ONSET + 300),
            ONSET + 100,
            ONSET + 300,
            500
        );
        uint256 id = _open(ONSET, ONSET + 301, 500);
        assertEq(incidents.latest(gauge), id);
    }

    /// @dev A refuted incident in its dwell does not keep a later loss waiting.
    function test_laterLossVoidsARefutedIncident() public {
        _open(ONSET, ONSET + 1, 500);
        incidents.revise(1, _m(ONSET, ONSET + 5, 99));
        _refused(abi.encodeWithSelector(IIncidents.AlreadyDwelling.selector, 1), ONSET + 4, ONSET + 6, 500);
        uint256 id = _open(ONSET + 5, ONSET + 6, 500);
        assertEq(_status(1), uint256(Status.Voided));
        assertEq(_status(id), uint256(Status.Dwelling));
        (bool settled, uint256 incident,,,) = pool.calls(pool.count() - 2);
        assertTrue(settled);
        assertEq(incident, 1);
    }

    // ----- final -----

    function test_finalAfterTheDwellByAnyone() public {
        _open(ONSET, ONSET + 1, 500);
        uint64 end = incidents.incident(1).dwellEnd;
        vm.roll(end);
        expectRevert(abi.encodeWithSelector(IIncidents.DwellNotOver.selector, 1, end, end));
        incidents.finalise(1);
        vm.roll(uint256(end) + 1);
        vm.prank(bob);
        incidents.finalise(1);
        assertEq(incidents.incident(1).claimsEnd, block.timestamp + WINDOW);
        assertTrue(pool.last().settled);
        expectRevert(abi.encodeWithSelector(IIncidents.NotDwelling.selector, 1, Status.Final));
        incidents.finalise(1);
    }

    /// @dev Escape before the loss is booked: a pool that cannot book stops the opening, and no pool is skipped
    ///      for want of gas.
    function test_everyPoolIsBookedOrNone() public {
        pool.set(0, true);
        vm.expectRevert();
        _open(ONSET, ONSET + 1, 500);
        assertEq(incidents.count(), 0);
    }

    function test_poolsDoNotComeBackIn() public {
        uint64 last = uint64(block.number - 1);
        pool.attack(abi.encodeCall(incidents.revise, (1, _m(ONSET, last, 900))));
        _open(ONSET + 800, last, 500);
        assertEq(
            pool.refusal(),
            abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
    }

    // ----- registry -----

    function test_consumesUpToThePositionAndTheIncident() public {
        _open(ONSET, ONSET + 1, 500);
        vm.startPrank(keeper);
        assertEq(incidents.consume(1, alice, false, 300, 200), 200);
        assertEq(incidents.consume(1, alice, false, 300, 200), 100);
        assertEq(incidents.consume(1, alice, false, 300, 200), 0);
        assertEq(incidents.positionPaid(1, alice), 300);
        assertEq(incidents.consume(1, bob, false, 400, 400), 200);
        assertEq(incidents.incident(1).paid, 500);
        vm.stopPrank();
        expectRevert(abi.encodeWithSelector(IIncidents.NotPolicies.selector, address(this)));
        incidents.consume(1, alice, false, 300, 200);
    }

    function testFuzz_neverGrantsMoreThanTheLoss(uint128[8] memory lost, uint128[8] memory wanted) public {
        _open(ONSET, ONSET + 1, 500);
        vm.startPrank(keeper);
        uint256 granted;
        for (uint160 i; i < 8; ++i) {
            granted += incidents.consume(1, address(2 + i / 2), false, lost[i] % 400, wanted[i] % 400);
            assertLe(incidents.positionPaid(1, address(2 + i / 2)), 399);
        }
        assertLe(granted, 500);
        assertEq(incidents.incident(1).paid, granted);
    }

    /// @dev What the curator bore is claimable again by those who lost it.
    function test_whatTheCuratorBoreIsReturned() public {
        _open(ONSET, ONSET + 1, 500);
        vm.prank(keeper);
        incidents.consume(1, alice, false, 300, 300);
        pool.set(120, false);
        incidents.revise(1, _m(ONSET, ONSET + 2, 200));
        assertEq(incidents.incident(1).paid, 180);
        pool.set(1000, false);
        incidents.revise(1, _m(ONSET, ONSET + 3, 100));
        assertEq(incidents.incident(1).paid, 0);
    }

    function test_claimsEnd() public {
        _open(ONSET, ONSET + 1, 500);
        passDwell(1);
        incidents.finalise(1);
        uint256 end = incidents.incident(1).claimsEnd;
        vm.warp(end);
        vm.prank(keeper);
        assertEq(incidents.consume(1, alice, false, 300, 100), 100);
        incidents.recordPosition(1, alice, 1, 1000);
        vm.warp(end + 1);
        bytes memory reason = abi.encodeWithSelector(IIncidents.ClaimsOver.selector, 1, end);
        expectRevert(reason);
        incidents.recordPosition(1, alice, 2, 1000);
        vm.prank(keeper);
        expectRevert(reason);
        incidents.consume(1, alice, false, 300, 100);
    }

    function test_positionsAreCappedByTheIncident() public {
        _open(ONSET, ONSET + 1, 500);
        incidents.recordPosition(1, alice, 90, 200);
        assertEq(incidents.positionLost(1, alice), 90);
        incidents.revise(1, _m(ONSET, ONSET + 2, 300));
        assertEq(incidents.positionLost(1, alice), 60);
    }

    /// @dev More loss on less worth is the poorer proof once funds are back, and does not push the better one out.
    function test_recordsGiveWayOnlyToBetterOnes() public {
        _open(ONSET, ONSET + 1, 500);
        incidents.revise(1, _m(ONSET, ONSET + 2, 200));
        incidents.recordPosition(1, alice, 40, 200);
        assertEq(incidents.positionLost(1, alice), 40);
        incidents.recordPosition(1, alice, 50, 100);
        assertEq(incidents.positionLost(1, alice), 40);
        incidents.recordPosition(1, alice, 45, 300);
        assertEq(incidents.positionLost(1, alice), 45);
    }

    function test_recordsOfAnotherOnsetAreVoid() public {
        _open(ONSET, ONSET + 1, 500);
        incidents.recordPosition(1, alice, 100, 200);
        incidents.revise(1, _m(ONSET - 1, ONSET + 1, 600));
        assertEq(incidents.positionLost(1, alice), 0);
        incidents.recordPosition(1, alice, 0, 0);
        incidents.recordPosition(1, alice, 30, 200);
        assertEq(incidents.positionLost(1, alice), 30);
    }

    // ----- touched -----

    function test_touchesWhileItDwellsAndWhileClaimsAreOpen() public {
        uint64 onsetTime = _m(ONSET, ONSET + 1, 500).onsetTime;
        assertFalse(incidents.touched(gauge, 0, type(uint64).max));
        _open(ONSET, ONSET + 1, 500);
        assertTrue(incidents.touched(gauge, onsetTime, onsetTime));
        assertFalse(incidents.touched(gauge, onsetTime + 1, type(uint64).max));
        assertFalse(incidents.touched(gauge, 0, onsetTime - 1));
        passDwell(1);
        incidents.finalise(1);
        uint256 end = incidents.incident(1).claimsEnd;
        vm.warp(end);
        assertTrue(incidents.touched(gauge, 0, onsetTime));
        vm.warp(end + 1);
        assertFalse(incidents.touched(gauge, 0, onsetTime));
    }

    function test_touchesThroughLaterIncidents() public {
        for (uint64 i; i < 9; ++i) {
            uint256 id = _open(ONSET + 10 * i, ONSET + 10 * i + 1, 500);
            passDwell(id);
            incidents.finalise(id);
        }
        uint64 first = _m(ONSET, ONSET + 1, 500).onsetTime;
        assertTrue(incidents.touched(gauge, first + 120, first + 120));
        // The ninth from the end is out of sight.
        assertFalse(incidents.touched(gauge, first, first));
    }
}
