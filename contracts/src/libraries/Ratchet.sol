// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Numbers that others sign and that may only move so fast
/// @notice What is in force follows from what is stored and the time, so nobody has to keep it up to date.
library Ratchet {
    /// @dev Seconds before a limit that was loosened begins to rise: time for those whom it endangers.
    uint256 internal constant DELAY = 2 days;
    uint256 internal constant DAY = 1 days;
    /// @dev Part of itself by which a number may move in a day.
    uint256 internal constant PART = 10;
    /// @dev Wad a year by which any rate may move in a day, so that one near zero is not stuck there.
    uint256 internal constant RATE_STEP = 1e15;

    /// @notice A limit that falls at once and rises slowly. All zero: it was never set.
    struct Limit {
        uint128 from; // in force until `start`
        uint128 target; // never exceeded
        uint128 peak; // most that was in force when a rise was asked for; zero: nothing ever was
        uint48 start; // seconds
    }

    /// @notice The limit in force. The first one ever comes whole after its delay; later ones rise by at most a tenth
    ///         of the most that it has been, a day, rounded up so that a small one moves too.
    function inForce(Limit memory self, uint256 time) internal pure returns (uint128) {
        if (self.from >= self.target) return self.target;
        if (time < self.start) return self.from;
        if (self.peak == 0) return self.target;
        uint256 risen = Math.ceilDiv(self.peak, PART) * (time - self.start) / DAY;
        return uint128(Math.min(self.target, self.from + risen));
    }

    /// @notice The limit after `target` was signed at `time`. `named` is false if the one signed last left it out.
    function set(Limit memory self, uint128 target, bool named, uint256 time)
        internal
        pure
        returns (Limit memory next)
    {
        uint128 reached = inForce(self, time);
        uint128 before = named ? reached : 0;
        if (before < target && target <= self.target && named) {
            // A rise that was announced goes on, to a lower end.
            (next.from, next.target, next.peak, next.start) = (self.from, target, self.peak, self.start);
            return next;
        }
        next.target = target;
        next.from = target < before ? target : before;
        // Also what a limit had reached that was left out since: it does not come back whole as a first one would.
        next.peak = reached > self.peak ? reached : self.peak;
        next.start = uint48(time + DELAY);
    }

    /// @notice A rate that moves toward `target` from `start` on, at most a tenth of itself or `RATE_STEP` a day.
    function rateAt(uint256 from, uint256 target, uint256 start, uint256 time)
        internal
        pure
        returns (uint256)
    {
        uint256 moved = Math.max(from / PART, RATE_STEP) * (time - start) / DAY;
        if (target > from) return Math.min(target, from + moved);
        return Math.max(target, Math.saturatingSub(from, moved));
    }
}
