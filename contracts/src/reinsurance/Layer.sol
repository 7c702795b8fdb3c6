// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {TreatyTerms} from "../interfaces/ITreaty.sol";

/// @title What a treaty owes on a loss
library Layer {
    uint256 private constant BPS = 10_000;

    /// @notice The treaty's part of a loss `x` that comes on top of `before`, rounded down: so the parts of several
    ///         treaties whose shares are at most the whole are together at most `x`.
    /// @param x at most 2^128 - 1
    /// @param before the year's losses for an aggregate treaty, else zero
    function part(TreatyTerms memory t, uint256 x, uint256 before) internal pure returns (uint256) {
        return (_inside(t, before + x) - _inside(t, before)) * t.shareBps / BPS;
    }

    function _inside(TreatyTerms memory t, uint256 y) private pure returns (uint256) {
        return Math.min(Math.saturatingSub(y, t.attachment), t.limit);
    }
}
