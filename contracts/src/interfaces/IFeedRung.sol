// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Sources} from "./IFeed.sol";
import {Claims, IHoldings} from "./IHoldings.sol";

/// @notice Terms of depeg cover: Trigger.terms = abi.encode(bytes32("breakwater.depeg/1"), DepegTerms).
struct DepegTerms {
    Sources sources;
    uint128 strike; // wad, at least 1: a median below it counts
    uint128 par; // wad, at least the strike: what a unit is worth when nothing is lost
    uint128 base; // units of the trigger's asset that a loss is counted on; all payouts stay within the loss
    uint64 margin; // wad, at most 1e18: cover is sold only from strike * (1 + margin) on
    uint32 period; // seconds of live time below the strike, at least maxGap, at most 90 days
    uint32 maxGap; // seconds, at least 1: longer without an observation while feeds live and the run begins anew
    Claims claims;
}

/// @notice What is known of a price under watch. One run at a time; all times in seconds.
struct Run {
    uint64 onset; // block before the last observation at or above the strike; zero: none yet
    uint64 onsetTime; // of that observation
    uint64 since; // the first observation after it that was not; zero: none
    uint64 last; // the last observation
    bool live; // whether it had a median
    uint128 price; // the last median
    uint64 elapsed; // live time below the strike; dead time does not count
    uint256 sum; // wad * seconds over `elapsed`
    uint64 downtime; // dead time ever measured
    uint64 downBefore; // of it, up to the onset
    uint256 incident; // that this run opened; zero: none
}

/// @title FeedRung: a price that stays below a strike
/// @notice Feeds that are dead pause a run and extend the times to report; they never end it and never deny.
interface IFeedRung is IHoldings {
    /// @notice `live` false: no median. `restarted`: too long without an observation, the run began anew.
    event Observed(bytes32 indexed trigger, bool live, uint256 price, bool restarted, Run run);
    event Counted(uint256 indexed id, uint128 price, uint128 loss, uint64 downtime);

    /// @notice The median has not been below the strike for long enough, or never was at or above it before.
    error RunTooShort(bytes32 trigger, uint256 elapsed, uint256 period);
    /// @notice One run opens one incident.
    error AlreadyOpened(bytes32 trigger, uint256 id);
    error NotLower(uint256 id, uint128 loss, uint128 before);
    error NoDowntime(uint256 id);

    /// @notice Records what the feeds say now; by anyone, and never in vain because a feed is bad.
    function poke(bytes32 trigger) external;
    /// @notice Observes, and opens an incident when the run is long enough.
    function open(bytes32 trigger) external returns (uint256 id);
    /// @notice Observes, and lowers a dwelling incident of the run to the best median since it was opened; one at or
    ///         above the strike refutes it.
    function review(uint256 id) external;
    /// @notice Passes dead time on that was measured since the onset and has not been passed on.
    function extend(uint256 id) external;
    function run(bytes32 trigger) external view returns (Run memory);
}
