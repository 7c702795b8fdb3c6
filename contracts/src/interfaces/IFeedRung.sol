// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Sources} from "./IFeed.sol";
import {Claims} from "./IHoldings.sol";
import {IRunRung, Run} from "./IRunRung.sol";

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

/// @title FeedRung: a price that stays below a strike
/// @notice Feeds that are dead pause a run and extend the times to report; they never end it and never deny.
interface IFeedRung is IRunRung {
    /// @notice `live` false: no median. `restarted`: too long without an observation, the run began anew.
    event Observed(bytes32 indexed trigger, bool live, uint256 price, bool restarted, Run run);
    event Counted(uint256 indexed id, uint128 price, uint128 loss, uint64 downtime);

    error NotLower(uint256 id, uint128 loss, uint128 before);
    error NoDowntime(uint256 id);

    /// @notice Observes, and lowers a dwelling incident of the run to the best median since it was opened; one at or
    ///         above the strike refutes it.
    function review(uint256 id) external;
    /// @notice Passes dead time on that was measured since the onset and has not been passed on.
    function extend(uint256 id) external;
}
