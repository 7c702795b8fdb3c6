// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Product} from "../interfaces/ICatalog.sol";

/// @title What a policy is due for an incident
/// @notice Every division rounds down, in favour of the pool.
library Due {
    uint256 private constant WAD = 1e18;
    uint256 private constant BPS = 10_000;

    /// @notice The loss as a fraction of its base, wad.
    function lambda(uint128 loss, uint128 base) internal pure returns (uint256) {
        return uint256(loss) * WAD / base;
    }

    /// @notice The fraction of a sum that a loss of `lambda_` (wad) takes after the deductible, wad.
    function fraction(uint256 lambda_, uint256 deductibleBps) internal pure returns (uint256) {
        uint256 d = deductibleBps * 1e14;
        return lambda_ <= d ? 0 : (lambda_ - d) * WAD / (WAD - d);
    }

    /// @notice Pool units due for `lost` (gauge units, at most 2^128 - 1), at most `sumLeft` times `fEff`.
    /// @param sumLeft pool units of the sum that other incidents have left.
    /// @param fEff the pool's fraction for the product, wad, at most 1e18.
    function amount(Product memory terms, uint256 lost, uint256 lambda_, uint256 sumLeft, uint256 fEff)
        internal
        pure
        returns (uint256)
    {
        // Both factors have at most 128 bits.
        uint256 units = lost * terms.unitNum / terms.unitDen;
        return Math.min(_payable(terms, units, lambda_), sumLeft * fEff / WAD);
    }

    /// @notice Gauge units that all policies on one position, on these terms, may be granted of `lost`.
    function claimable(Product memory terms, uint256 lost, uint256 lambda_) internal pure returns (uint256) {
        return _payable(terms, lost, lambda_);
    }

    /// @dev The payable part of a loss after the deductible; at most `lost`, because f <= lambda_.
    function _payable(Product memory terms, uint256 lost, uint256 lambda_) private pure returns (uint256) {
        uint256 f = fraction(lambda_, terms.deductibleBps);
        if (f == 0) return 0;
        return Math.mulDiv(Math.mulDiv(lost, terms.lossCapBps, BPS), f, lambda_);
    }
}
