// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IFeed} from "../interfaces/IFeed.sol";
import {IPyth} from "./IPriceSources.sol";
import {Scale} from "./Scale.sol";

/// @title A Pyth price as a feed
/// @notice Reads what was last pushed; how old that may be is decided by who asks.
contract PythFeed is IFeed {
    uint256 private constant BPS = 10_000;

    IPyth public immutable source;
    bytes32 public immutable id;
    /// @notice A confidence wider than this part of the price is refused.
    uint16 public immutable maxConfidenceBps;

    /// @notice The price is a multiple of 10^expo outside what fits.
    error BadExponent(int256 expo);

    /// @param maxConfidenceBps_ 1 to 10,000.
    constructor(IPyth source_, bytes32 id_, uint16 maxConfidenceBps_) {
        if (maxConfidenceBps_ == 0 || maxConfidenceBps_ > BPS) revert BadConfig(maxConfidenceBps_, BPS);
        (source, id, maxConfidenceBps) = (source_, id_, maxConfidenceBps_);
    }

    /// @inheritdoc IFeed
    function read() external view returns (uint256 price, uint64 updatedAt) {
        IPyth.Price memory p = source.getPriceUnsafe(id);
        if (p.price <= 0) revert NotPositive(p.price);
        // Prices have 63 bits, so no true price needs a positive exponent.
        if (p.expo > 0 || p.expo < -int256(Scale.MAX_DECIMALS)) revert BadExponent(p.expo);
        // Rounded up: a confidence at the limit is refused rather than let through.
        uint256 bps = Math.ceilDiv(uint256(p.conf) * BPS, uint64(p.price));
        if (bps > maxConfidenceBps) revert TooUncertain(bps, maxConfidenceBps);
        if (p.publishTime == 0 || p.publishTime > type(uint64).max) {
            revert IncompleteRound(0, 0, p.publishTime);
        }
        return (Scale.toWad(p.price, uint256(-int256(p.expo))), uint64(p.publishTime));
    }
}
