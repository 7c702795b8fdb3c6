// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IFeed} from "../interfaces/IFeed.sol";

/// @title Prices of any number of decimals in wad
library Scale {
    /// @dev More decimals than this leave no digit of a price that fits.
    uint256 internal constant MAX_DECIMALS = 36;

    /// @notice `answer` / 10^decimals in wad, rounded down: at most one unit, whoever it serves.
    ///         Reverts with `NotPositive` or `PriceTooHigh`; decimals at most `MAX_DECIMALS`.
    function toWad(int256 answer, uint256 decimals) internal pure returns (uint256 price) {
        if (answer <= 0) revert IFeed.NotPositive(answer);
        price = uint256(answer);
        // Checked before scaling, so that nothing overflows: 2^128 * 10^18 fits.
        if (price > type(uint128).max && decimals <= 18) revert IFeed.PriceTooHigh(price);
        price = decimals <= 18 ? price * 10 ** (18 - decimals) : price / 10 ** (decimals - 18);
        if (price == 0) revert IFeed.NotPositive(answer);
        if (price > type(uint128).max) revert IFeed.PriceTooHigh(price);
    }
}
