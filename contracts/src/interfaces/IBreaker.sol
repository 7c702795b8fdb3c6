// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title What the canary asks a circuit breaker
interface IBreaker {
    /// @notice Whether the breaker holds `target` paused now.
    function tripped(address target) external view returns (bool);
    /// @notice Seconds: when the newest trip of `target` ends or ended, by itself or undone; zero: never tripped.
    function trippedUntil(address target) external view returns (uint64);
}
