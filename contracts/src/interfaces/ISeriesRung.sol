// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Sources} from "./IFeed.sol";
import {Claims, IHoldings} from "./IHoldings.sol";

/// @notice Terms of cover for the loss of a constant-product position against holding its two sides, from one time to
///         another: Trigger.terms = abi.encode(bytes32("breakwater.series/1"), SeriesTerms).
struct SeriesTerms {
    Sources x;
    Sources y;
    uint64 start; // seconds
    uint64 end; // seconds, after the start
    uint32 maxGap; // seconds of live time after each of them in which it is observed, at least 1
    uint128 base; // units of the trigger's asset that a loss is counted on; all payouts stay within the loss
    Claims claims;
}

struct Observation {
    uint64 number; // the block before it; zero: none yet
    uint64 time; // seconds
    uint128 x; // wad
    uint128 y;
}

/// @notice What is known of one series.
struct Series {
    Observation first;
    Observation second;
    uint64 last; // seconds: the last look at the feeds
    bool dead; // whether one of them had no median then
    uint64 startDown; // seconds of dead time after the start, by which the first observation may be later
    uint64 endDown; // after the end, for the second
    uint256 incident; // zero: none
}

/// @title SeriesRung: impermanent loss between two times, from the medians of two prices
interface ISeriesRung is IHoldings {
    event Observed(bytes32 indexed trigger, bool live, Series series);
    event SeriesOpened(bytes32 indexed trigger, uint256 indexed id);

    /// @notice It is not the time of an observation that is still to be made.
    error OutsideSeries(bytes32 trigger, uint256 time);
    /// @notice The second observation is missing.
    error SeriesOpen(bytes32 trigger);
    error AlreadyOpened(bytes32 trigger, uint256 id);

    /// @notice Records both medians at the start or the end, whichever it is time for; by anyone.
    function poke(bytes32 trigger) external;
    /// @notice Opens an incident once both observations are made.
    function open(bytes32 trigger) external returns (uint256 id);
    function series(bytes32 trigger) external view returns (Series memory);
}
