// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Incident, Status} from "breakwater/interfaces/IIncidents.sol";
import {Bounds} from "./Bounds.sol";
import {Handler} from "./Handler.sol";
import {Stage} from "./Stage.sol";

/// @notice Incidents: how they begin, how they may be answered, how they end.
contract LossesInvariants is Stage {
    function _target() internal override {
        Handler h = handler;
        _targetLosses();
        _targetTime();
        _add(h.misreport.selector);
    }

    /// @notice At most one incident of a gauge dwells.
    function invariant_one_incident_of_a_gauge_dwells() public view {
        for (uint256 g; g < cast.gauges.length; ++g) {
            uint256 dwelling;
            for (uint256 k = incidents.count(); k != 0; --k) {
                Incident memory i = incidents.incident(k);
                if (i.gauge == cast.gauges[g] && i.status == Status.Dwelling) ++dwelling;
            }
            assertLe(dwelling, 1);
        }
        _kept("two at once");
    }

    /// @notice No block counts in two incidents of a gauge that stood.
    function invariant_incidents_of_a_gauge_do_not_overlap() public view {
        for (uint256 g; g < cast.gauges.length; ++g) {
            uint256 least;
            for (uint256 k = 1; k <= incidents.count(); ++k) {
                Incident memory i = incidents.incident(k);
                if (i.gauge != cast.gauges[g]) continue;
                assertLt(i.onset, i.reading, "reading");
                if (i.status == Status.Voided) continue;
                assertGe(i.onset, least, "overlap");
                least = i.reading;
            }
        }
        _kept("overlap");
    }

    /// @notice A block at which the gauge was found healthy opens nothing any more.
    function invariant_healthy_blocks_are_not_measured_again() public view {
        _kept("measured twice");
    }

    /// @notice An incident reaches no further from its onset than the span, so that none is stretched over another.
    function invariant_no_incident_is_stretched() public view {
        _kept("stretched");
    }

    /// @notice A revision moves the onset back only with a higher loss, and the reading never.
    function invariant_revisions_do_not_run_backwards() public view {
        _kept("backwards");
    }

    /// @notice Whatever is said last, there is time to answer it, and no dwell is cut short.
    function invariant_there_is_always_time_to_answer() public view {
        _kept("time to answer");
    }

    /// @notice The peak is the highest fraction of its base that an incident ever lost.
    function invariant_the_peak_is_the_highest_loss() public view {
        for (uint256 k = incidents.count(); k != 0; --k) {
            Incident memory i = incidents.incident(k);
            (, uint256 peak,,,,) = handler.files(k);
            assertEq(i.peak, peak, "peak");
            assertLe(i.loss, i.base, "base");
        }
    }

    /// @notice Nobody ends a dwell before its time.
    function invariant_nothing_ends_before_its_dwell() public view {
        _kept("early end");
        _kept("early close");
    }

    /// @notice What is final or void is never measured again.
    function invariant_what_ended_is_not_revised() public view {
        for (uint256 k = incidents.count(); k != 0; --k) {
            (,,,,, bytes32 final_) = handler.files(k);
            if (final_ != 0) assertEq(handler.measurementOf(k), final_);
        }
        _kept("late");
    }

    /// @notice An incident is void if, and only if, the last word on it was below the threshold.
    function invariant_only_refuted_incidents_are_void() public view {
        for (uint256 k = incidents.count(); k != 0; --k) {
            Incident memory i = incidents.incident(k);
            bool refuted = uint256(i.loss) * Bounds.WAD / i.base < Bounds.THRESHOLD;
            if (i.status == Status.Voided) assertTrue(refuted, "voided");
            if (i.status == Status.Final) assertFalse(refuted, "final");
        }
    }

    /// @notice A poor proof never replaces a better one.
    function invariant_poor_proofs_replace_nothing() public view {
        _kept("poor proof");
    }

    /// @notice A proof counts for the onset that it was made from and for no other.
    function invariant_proofs_count_for_their_onset() public view {
        _kept("stale proof");
    }
}
