// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title A sum whose parts end at the beginning of some day
/// @notice O(1) in its parts; a reading walks the days since the sum was rolled last, and stops where nothing is left.
library Buckets {
    uint256 internal constant DAY = 1 days;

    struct Store {
        uint128 sum; // of what ends after `rolled`
        uint32 rolled; // day: all that ends up to it is out of `sum`
        mapping(uint256 day => uint256 amount) ends;
    }

    /// @notice The sum at `time`, not before the day that was rolled last.
    function sumAt(Store storage self, uint256 time) internal view returns (uint256 left) {
        left = self.sum;
        uint256 today = time / DAY;
        for (uint256 day = self.rolled + 1; day <= today && left != 0; ++day) {
            left -= self.ends[day];
        }
    }

    /// @notice Adds `amount` until `day`, which is after `time`.
    function add(Store storage self, uint256 amount, uint256 day, uint256 time) internal {
        // Whoever adds has found that the sum fits a cap of 128 bits.
        self.sum = uint128(sumAt(self, time) + amount);
        self.rolled = uint32(time / DAY);
        self.ends[day] += amount;
    }

    /// @notice Takes `amount` out that was added until `day`, which is after `time`.
    function remove(Store storage self, uint256 amount, uint256 day, uint256 time) internal {
        self.sum = uint128(sumAt(self, time) - amount);
        self.rolled = uint32(time / DAY);
        self.ends[day] -= amount;
    }
}
