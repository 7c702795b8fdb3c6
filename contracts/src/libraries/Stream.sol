// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Premiums that stream until their policies expire
/// @notice Rates are pool units * 1e18 per second and end at the beginning of a day, UTC.
library Stream {
    uint256 internal constant DAY = 1 days;
    uint256 private constant SCALE = 1e18;

    struct Store {
        // Invariant: the sum, over all policies, of rate * (expiry - time).
        uint192 unearnedScaled;
        // Seconds: everything up to here is earned.
        uint64 time;
        // Invariant: the sum of `ends` over all days after `time`.
        uint256 rate;
        mapping(uint256 day => uint256 rate) ends;
    }

    /// @notice Lets time pass; returns what was earned by it, pool units.
    /// @dev One step a day and none once nothing streams any more: at most as many as the longest policy has days.
    function advance(Store storage self, uint256 to) internal returns (uint256 earned) {
        (uint256 scaled, uint256 time, uint256 rate) = (self.unearnedScaled, self.time, self.rate);
        if (time == to) return 0;
        uint256 before = _units(scaled);
        while (rate != 0 && time < to) {
            uint256 next = Math.min((time / DAY + 1) * DAY, to);
            scaled -= rate * (next - time);
            if (next % DAY == 0) rate -= self.ends[next / DAY];
            time = next;
        }
        self.unearnedScaled = uint192(scaled);
        self.time = uint64(to);
        self.rate = rate;
        return before - _units(scaled);
    }

    /// @notice Starts a stream from now to `expiry`, a day's beginning after now; returns the growth of `unearned`.
    function start(Store storage self, uint256 rate, uint256 expiry) internal returns (uint256) {
        uint256 scaled = self.unearnedScaled;
        uint256 grown = scaled + rate * (expiry - self.time);
        self.unearnedScaled = SafeCast.toUint192(grown);
        self.rate += rate;
        self.ends[expiry / DAY] += rate;
        return _units(grown) - _units(scaled);
    }

    /// @notice Takes `rate` out of the streams that end at `expiry`; returns by how much `unearned` falls.
    function cut(Store storage self, uint256 rate, uint256 expiry) internal returns (uint256) {
        if (expiry <= self.time) return 0;
        uint256 scaled = self.unearnedScaled;
        uint256 shrunk = scaled - rate * (expiry - self.time);
        self.unearnedScaled = uint192(shrunk);
        self.rate -= rate;
        self.ends[expiry / DAY] -= rate;
        return _units(scaled) - _units(shrunk);
    }

    /// @notice Premium that is paid and not earned, rounded up: pool units that belong to the policies' holders.
    function unearned(Store storage self) internal view returns (uint256) {
        return _units(self.unearnedScaled);
    }

    function _units(uint256 scaled) private pure returns (uint256) {
        return Math.ceilDiv(scaled, SCALE);
    }
}
