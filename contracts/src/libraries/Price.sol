// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title What exposure costs
/// @notice The premium is an integral over the exposure, so that a purchase in two parts costs no less than in one.
library Price {
    uint256 private constant WAD = 1e18;
    uint256 private constant BPS = 10_000;
    uint256 private constant YEAR = 365 days;

    /// @notice The scarcity curve: two linear pieces that meet at the kink.
    struct Curve {
        uint256 capacity; // C, pool units: the most exposure that the capital may carry
        uint256 kink; // wad of C
        uint256 scarcityKink; // wad, the multiplier at the kink
        uint256 scarcityFull; // wad, the multiplier at C
    }

    /// @notice Exposure that `capital` may carry, rounded down.
    function capacity(uint256 capital, uint256 leverageBps) internal pure returns (uint256) {
        return capital * leverageBps / BPS;
    }

    /// @notice Wad a year before scarcity and surge; the cost of capital is rounded up.
    function base(uint256 floorRate, uint256 costOfCapital, uint256 leverageBps)
        internal
        pure
        returns (uint256)
    {
        return floorRate + Math.ceilDiv(costOfCapital * BPS, leverageBps);
    }

    /// @notice Premium for raising the exposure from `from` to `to` (at most C) for `term` seconds; rounded up.
    function premium(Curve memory curve, uint256 from, uint256 to, uint256 base_, uint256 surge, uint256 term)
        internal
        pure
        returns (uint256)
    {
        uint256 area = integral(curve, to) - integral(curve, from);
        uint256 yearly = Math.mulDiv(area, base_, WAD, Math.Rounding.Ceil);
        return Math.mulDiv(yearly, (WAD + surge) * term, WAD * WAD * YEAR, Math.Rounding.Ceil);
    }

    /// @notice What a sum is expected to cost in `term` seconds by the actuarial rate alone; rounded up.
    function actuarial(uint256 sum, uint256 floorRate, uint256 term) internal pure returns (uint256) {
        return Math.mulDiv(sum, floorRate * term, WAD * YEAR, Math.Rounding.Ceil);
    }

    /// @notice Integral of scarcity from 0 to x, in units times wad; the quadratic part is rounded down.
    /// @param x below 2^128 and at most the capacity.
    function integral(Curve memory curve, uint256 x) internal pure returns (uint256) {
        if (x == 0) return 0;
        uint256 kink = Math.mulDiv(curve.capacity, curve.kink, WAD);
        if (x <= kink) return x * WAD + Math.mulDiv(curve.scarcityKink - WAD, x * x, 2 * kink);
        // Below the kink the integral has no value where the kink is zero.
        uint256 below =
            kink == 0 ? 0 : kink * WAD + Math.mulDiv(curve.scarcityKink - WAD, kink * kink, 2 * kink);
        uint256 above = x - kink;
        // x is at most the capacity, so the capacity is above the kink here.
        return below + curve.scarcityKink * above
            + Math.mulDiv(curve.scarcityFull - curve.scarcityKink, above * above, 2 * (curve.capacity - kink));
    }

    /// @notice A surge of `surge` wad after `elapsed` seconds: halves every half-life, linear in between.
    function decayed(uint256 surge, uint256 elapsed, uint256 halfLife) internal pure returns (uint256) {
        uint256 halvings = elapsed / halfLife;
        // A surge has at most 64 bits.
        if (halvings >= 64) return 0;
        surge >>= halvings;
        return surge - surge * (elapsed % halfLife) / (2 * halfLife);
    }
}
