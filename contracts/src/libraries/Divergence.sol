// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title What a constant-product position loses against holding its two sides
library Divergence {
    uint256 internal constant WAD = 1e18;

    /// @notice 1 - 2 * sqrt(r) / (1 + r), r the change of the price of x in y, wad, rounded down: in favour of the
    ///         pools. All prices at least 1.
    function loss(uint128 x0, uint128 y0, uint128 x1, uint128 y1) internal pure returns (uint256) {
        // With r = a / b this is 1 - 2 * sqrt(a * b) / (a + b), which is the same for r and for 1 / r.
        uint256 a = uint256(x1) * y0;
        uint256 b = uint256(x0) * y1;
        uint256 most = Math.max(a, b);
        // Both to at most 126 bits, so that products fit. What is cut off is less than 2^-125 of the greater.
        uint256 shift = Math.log2(most) > 125 ? Math.log2(most) - 125 : 0;
        (a, b) = (a >> shift, b >> shift);
        // Scaled so that whole roots lose nothing that shows in a wad.
        uint256 up = (251 - Math.log2(a > b ? a : b) * 2) / 2;
        (a, b) = (a << up, b << up);
        uint256 kept = Math.mulDiv(2 * Math.sqrt(a * b, Math.Rounding.Ceil), WAD, a + b, Math.Rounding.Ceil);
        return WAD - Math.min(kept, WAD);
    }
}
