// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IHoldings} from "./IHoldings.sol";

/// @notice What is known of a price under watch. One run at a time; all times in seconds.
struct Run {
    uint64 onset; // block before the last healthy observation; zero: none yet
    uint64 onsetTime; // of that observation
    uint64 since; // the first observation after it that was not; zero: none
    uint64 last; // the last observation
    bool live; // whether it had a median
    uint128 price; // the last median
    uint64 elapsed; // live time that was not healthy; dead time does not count
    uint256 sum; // wad * seconds over `elapsed`
    uint64 downtime; // dead time ever measured
    uint64 downBefore; // of it, up to the onset
    uint256 incident; // that this run opened; zero: none
}

/// @title What rungs have in common that open an incident once something was seen wrong for long enough
interface IRunRung is IHoldings {
    /// @notice It has not been seen wrong for long enough, or never was seen right before.
    error RunTooShort(bytes32 trigger, uint256 elapsed, uint256 period);
    /// @notice One run opens one incident.
    error AlreadyOpened(bytes32 trigger, uint256 id);

    /// @notice Records what the feeds say now; by anyone, and never in vain because a feed is bad.
    function poke(bytes32 trigger) external;
    /// @notice Observes, and opens an incident when the run is long enough.
    function open(bytes32 trigger) external returns (uint256 id);
    function run(bytes32 trigger) external view returns (Run memory);
}
