// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Days} from "./Buckets.sol";

/// @title Premiums that stream until their policies expire
/// @notice Rates are pool units * 1e18 per second and end at the beginning of a day, UTC.
library Stream {
    using Days for Days.Sums;

    uint256 internal constant DAY = 1 days;
    uint256 private constant SPAN = Days.SPAN * DAY;
    uint256 private constant SCALE = 1e18;

    struct Store {
        // Invariant: the sum, over all policies, of rate * (expiry - time).
        uint192 unearnedScaled;
        // Seconds: everything up to here is earned.
        uint64 time;
        // Invariant: the sum of `ends` over all days after `time`.
        uint256 rate;
        Days.Sums ends;
        // By the spans of `ends`: the sum of rate * the second at which it ends.
        mapping(uint256 span => uint256 amount) moments;
    }

    /// @notice Lets time pass; returns what was earned by it, pool units.
    /// @dev One step for each whole span or else a day, and none once nothing streams any more: two years take at most
    ///      62 days and 22 spans. What ends within a span streams to its end only.
    function advance(Store storage self, uint256 to) internal returns (uint256 earned) {
        (uint256 scaled, uint256 time, uint256 rate) = (self.unearnedScaled, self.time, self.rate);
        if (time == to) return 0;
        uint256 before = _units(scaled);
        while (rate != 0 && time < to) {
            if (time % SPAN == 0 && time + SPAN <= to) {
                uint256 ending = self.ends.inSpan[time / SPAN];
                rate -= ending;
                scaled -= rate * SPAN + self.moments[time / SPAN] - ending * time;
                time += SPAN;
                continue;
            }
            uint256 next = Math.min((time / DAY + 1) * DAY, to);
            scaled -= rate * (next - time);
            if (next % DAY == 0) rate -= self.ends.on[next / DAY];
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
        self.ends.add(expiry / DAY, rate);
        self.moments[(expiry - 1) / SPAN] += rate * expiry;
        return _units(grown) - _units(scaled);
    }

    /// @notice Takes `rate` out of the streams that end at `expiry`; returns by how much `unearned` falls.
    function cut(Store storage self, uint256 rate, uint256 expiry) internal returns (uint256) {
        if (expiry <= self.time) return 0;
        uint256 scaled = self.unearnedScaled;
        uint256 shrunk = scaled - rate * (expiry - self.time);
        self.unearnedScaled = uint192(shrunk);
        self.rate -= rate;
        self.ends.remove(expiry / DAY, rate);
        self.moments[(expiry - 1) / SPAN] -= rate * expiry;
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
