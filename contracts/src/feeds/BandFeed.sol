// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IFeed} from "../interfaces/IFeed.sol";
import {IBand} from "./IPriceSources.sol";

/// @title A Band reference pair as a feed
contract BandFeed is IFeed {
    IBand public immutable source;
    string public base;
    string public quote;

    constructor(IBand source_, string memory base_, string memory quote_) {
        (source, base, quote) = (source_, base_, quote_);
    }

    /// @inheritdoc IFeed
    function read() external view returns (uint256 price, uint64 updatedAt) {
        IBand.ReferenceData memory data = source.getReferenceData(base, quote);
        if (data.rate == 0) revert NotPositive(0);
        if (data.rate > type(uint128).max) revert PriceTooHigh(data.rate);
        // A rate is as old as the older of its two sides.
        uint256 time = Math.min(data.lastUpdatedBase, data.lastUpdatedQuote);
        if (time == 0 || time > type(uint64).max) revert IncompleteRound(0, 0, time);
        return (data.rate, uint64(time));
    }
}
