// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title One source of one price. Adapters of Chainlink, Pyth and Band implement it.
/// @notice An adapter repeats what its source says and refuses what the source itself marks as unusable. Whether an
///         answer is fresh enough is decided by who asks.
interface IFeed {
    /// @notice A scale or a limit of the constructor is out of range.
    error BadConfig(uint256 got, uint256 most);
    /// @notice The source says zero or less.
    error NotPositive(int256 answer);
    /// @notice The round is not finished, or its answer was carried over from an earlier one.
    error IncompleteRound(uint256 round, uint256 answeredIn, uint256 updatedAt);
    /// @notice The source is surer of its price only within `bps` of it.
    error TooUncertain(uint256 bps, uint256 most);
    /// @notice A price above 2^128 - 1 is none.
    error PriceTooHigh(uint256 price);

    /// @notice The price in wad, at least 1 and below 2^128, and when the source last set it, seconds.
    function read() external view returns (uint256 price, uint64 updatedAt);
}

/// @notice What is asked for one price, and how.
struct Sources {
    IFeed[] feeds; // 3 to 9, strictly ascending by address; whoever lists them vouches that they are independent
    uint32 maxAge; // seconds, at least 1: an older answer is none
    uint32 grace; // seconds after the sequencer came back in which there is no price
    address sequencer; // Chainlink-shaped, answer 0: up, 1: down since startedAt; zero: the chain has none
}
