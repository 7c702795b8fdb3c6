// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Price} from "breakwater/libraries/Price.sol";

/// @notice Checked by halmos for every input, not for samples: `cargo xtask review`.
contract SymbolicPrice {
    uint256 private constant WAD = 1e18;
    uint256 private constant CAPACITY = 1 << 20;
    uint256 private constant KINK = 1 << 19;

    /// A curve of a pool with a capacity of a million units, kinked at half of it.
    function _curve() private pure returns (Price.Curve memory) {
        return Price.Curve({capacity: CAPACITY, kink: 0.5e18, scarcityKink: 2e18, scarcityFull: 8e18});
    }

    function _integral(uint256 x) private pure returns (uint256) {
        return Price.integral(_curve(), x);
    }

    /// Below the kink a unit more never costs less than the floor or more than the scarcity there.
    function check_a_unit_below_the_kink(uint24 x) external pure {
        if (x >= KINK) return;
        uint256 step = _integral(uint256(x) + 1) - _integral(x);
        assert(step >= WAD);
        assert(step <= 2 * WAD + 1);
    }

    /// Above the kink a unit more never costs less than the scarcity at the kink or more than that at full use.
    function check_a_unit_above_the_kink(uint24 x) external pure {
        if (x < KINK || x >= CAPACITY) return;
        uint256 step = _integral(uint256(x) + 1) - _integral(x);
        assert(step >= 2 * WAD);
        assert(step <= 8 * WAD + 1);
    }

    /// The integral is at most the exact one, and less than one below it, in each piece.
    function check_the_integral_rounds_down_by_less_than_one(uint24 x) external pure {
        if (x > KINK) return;
        // The exact one is x + x * x / (2 * KINK), times wad.
        uint256 exact = uint256(x) * WAD * (2 * KINK) + WAD * x * x;
        uint256 rounded = _integral(x) * (2 * KINK);
        assert(rounded <= exact);
        assert(exact - rounded < 2 * KINK);
    }

    /// The scarcity that lower one piece ends with is that which the upper one begins with.
    function check_the_pieces_meet() external pure {
        assert(_integral(KINK) == KINK * WAD + KINK * WAD / 2);
        assert(_integral(KINK + 1) - _integral(KINK) >= 2 * WAD);
    }

    /// A surge only decays.
    function check_a_surge_only_decays(uint64 surge, uint32 elapsed) external pure {
        assert(Price.decayed(surge, elapsed, 1 days) <= surge);
    }

    /// A surge that has waited longer is never the higher one, within one half-life.
    function check_a_later_surge_is_no_higher(uint16 surge, uint16 first, uint16 more) external pure {
        if (uint256(first) + more >= 1 days) return;
        assert(Price.decayed(surge, uint256(first) + more, 1 days) <= Price.decayed(surge, first, 1 days));
    }
}
