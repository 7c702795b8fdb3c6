// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IFeed} from "../interfaces/IFeed.sol";
import {IAggregator} from "./IPriceSources.sol";
import {Scale} from "./Scale.sol";

/// @title A Chainlink aggregator as a feed
contract ChainlinkFeed is IFeed {
    IAggregator public immutable source;
    /// @notice As the source had them when this was deployed.
    uint8 public immutable decimals;

    constructor(IAggregator source_) {
        source = source_;
        decimals = source_.decimals();
        if (decimals > Scale.MAX_DECIMALS) revert BadConfig(decimals, Scale.MAX_DECIMALS);
    }

    /// @inheritdoc IFeed
    function read() external view returns (uint256 price, uint64 updatedAt) {
        (uint80 round, int256 answer,, uint256 time, uint80 answeredIn) = source.latestRoundData();
        if (time == 0 || time > type(uint64).max || answeredIn < round) {
            revert IncompleteRound(round, answeredIn, time);
        }
        return (Scale.toWad(answer, decimals), uint64(time));
    }
}
