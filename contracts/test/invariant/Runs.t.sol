// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Run} from "breakwater/interfaces/IRunRung.sol";
import {DepegTerms} from "breakwater/interfaces/IFeedRung.sol";
import {Rung} from "breakwater/interfaces/IIncidents.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {TriggerFixture} from "../TriggerFixture.sol";
import {Watchers} from "./handlers/Watchers.sol";

/// @notice What holds of runs below a strike, whoever looks when, and whatever feeds do.
contract RunsInvariants is TriggerFixture {
    Watchers private watchers;
    bytes32 private trigger;

    function setUp() public override {
        super.setUp();
        openVault();
        DepegTerms memory t;
        t.sources = makeFeeds(3);
        (t.strike, t.par, t.base) = (0.95e18, 1e18, 1_000_000e6);
        (t.period, t.maxGap, t.claims) = (2 hours, 1 hours, vaultClaims());
        Trigger memory listed = triggerOf(Rung.Feed, t.claims, abi.encode(bytes32("breakwater.depeg/1"), t));
        trigger = catalog.listTrigger(listed);
        feedRung.enrol(listed);
        watchers = new Watchers(feedRung, trigger, feeds);
        setPrice(t.sources, 1e18);
        feedRung.poke(trigger);
        pass(60);
        targetContract(address(watchers));
    }

    function run() private view returns (Run memory) {
        return feedRung.run(trigger);
    }

    /// @notice Counted time and dead time never overlap.
    function invariant_no_second_of_a_run_is_both_counted_and_dead() public view {
        Run memory r = run();
        assertLe(r.elapsed + r.downtime - r.downBefore, r.last - r.onsetTime);
    }

    function invariant_a_run_lies_below_its_strike_throughout() public view {
        Run memory r = run();
        assertLe(r.sum, uint256(r.elapsed) * (watchers.STRIKE() - 1));
    }

    function invariant_a_run_counts_what_watchers_saw() public view {
        assertEq(run().elapsed, watchers.below());
        assertEq(run().sum, watchers.area());
    }

    function invariant_health_ends_a_run() public view {
        Run memory r = run();
        if (watchers.healthy()) assertEq(r.elapsed + r.since + r.incident, 0);
    }

    function invariant_dead_looks_change_no_count() public view {
        assertFalse(watchers.deadLookCounted());
    }

    function invariant_incidents_had_their_period() public view {
        assertFalse(watchers.openedEarly());
    }

    /// @dev The campaign is worth nothing where nothing is ever opened or dead.
    function test_watchersReachWhatIsClaimed() public {
        for (uint256 i; i < 300; ++i) {
            if (i % 5 == 4) watchers.open(i);
            else watchers.look(i);
        }
        assertGt(watchers.opened(), 0);
        assertGt(watchers.deadLooks(), 10);
    }
}
