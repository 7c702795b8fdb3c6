// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title Sums by day, and over spans of 32 days so that long silence costs little
/// @notice Three years are at most 62 days and 34 spans. Days count from 1.
library Days {
    uint256 internal constant SPAN = 32;

    struct Sums {
        mapping(uint256 day => uint256 amount) on;
        mapping(uint256 span => uint256 amount) inSpan; // days 32 * span + 1 to 32 * span + 32
    }

    function add(Sums storage self, uint256 day, uint256 amount) internal {
        self.on[day] += amount;
        self.inSpan[(day - 1) / SPAN] += amount;
    }

    function remove(Sums storage self, uint256 day, uint256 amount) internal {
        self.on[day] -= amount;
        self.inSpan[(day - 1) / SPAN] -= amount;
    }

    /// @notice The sum over the days after `from` up to `to`; ends where it has reached `most`, which it never exceeds.
    function between(Sums storage self, uint256 from, uint256 to, uint256 most)
        internal
        view
        returns (uint256 sum)
    {
        uint256 day = from;
        while (day < to && sum < most) {
            if (day % SPAN == 0 && day + SPAN <= to) {
                sum += self.inSpan[day / SPAN];
                day += SPAN;
            } else {
                sum += self.on[++day];
            }
        }
    }
}

/// @title A sum whose parts end at the beginning of some day
/// @notice O(1) in its parts; a reading walks the days since the sum was rolled last, and stops where nothing is left.
library Buckets {
    using Days for Days.Sums;

    uint256 internal constant DAY = 1 days;

    struct Store {
        uint128 sum; // of what ends after `rolled`
        uint32 rolled; // day: all that ends up to it is out of `sum`
        Days.Sums ends;
    }

    /// @notice The sum at `time`, not before the day that was rolled last.
    function sumAt(Store storage self, uint256 time) internal view returns (uint256 left) {
        left = self.sum;
        left -= self.ends.between(self.rolled, time / DAY, left);
    }

    /// @notice Adds `amount` until `day`, which is after `time`.
    function add(Store storage self, uint256 amount, uint256 day, uint256 time) internal {
        // Whoever adds has found that the sum fits a cap of 128 bits.
        self.sum = uint128(sumAt(self, time) + amount);
        self.rolled = uint32(time / DAY);
        self.ends.add(day, amount);
    }

    /// @notice Takes `amount` out that was added until `day`, which is after `time`.
    function remove(Store storage self, uint256 amount, uint256 day, uint256 time) internal {
        self.sum = uint128(sumAt(self, time) - amount);
        self.rolled = uint32(time / DAY);
        self.ends.remove(day, amount);
    }
}
