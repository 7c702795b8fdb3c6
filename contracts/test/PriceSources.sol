// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IAggregator, IBand, IPyth} from "breakwater/feeds/IPriceSources.sol";
import {IFeed} from "breakwater/interfaces/IFeed.sol";

/// @notice A Chainlink-shaped source that says what it is told to; also a sequencer uptime feed.
contract Aggregator is IAggregator {
    uint8 public immutable decimals;
    uint80 private _round = 1;
    uint80 private _answeredIn = 1;
    int256 private _answer;
    uint256 private _startedAt;
    uint256 private _updatedAt;

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }

    function set(int256 answer, uint256 time) external {
        (_answer, _startedAt, _updatedAt) = (answer, time, time);
        _answeredIn = ++_round;
    }

    function setRound(uint80 round, uint80 answeredIn) external {
        (_round, _answeredIn) = (round, answeredIn);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (_round, _answer, _startedAt, _updatedAt, _answeredIn);
    }
}

/// @notice A Pyth-shaped source.
contract Pyth is IPyth {
    mapping(bytes32 id => Price) private _prices;

    function set(bytes32 id, int64 price, uint64 conf, int32 expo, uint256 time) external {
        _prices[id] = Price(price, conf, expo, time);
    }

    function getPriceUnsafe(bytes32 id) external view returns (Price memory) {
        return _prices[id];
    }
}

/// @notice A Band-shaped source.
contract Band is IBand {
    mapping(bytes32 pair => ReferenceData) private _data;

    function set(string calldata base, string calldata quote, ReferenceData calldata data) external {
        _data[keccak256(abi.encode(base, quote))] = data;
    }

    function getReferenceData(string calldata base, string calldata quote)
        external
        view
        returns (ReferenceData memory)
    {
        return _data[keccak256(abi.encode(base, quote))];
    }
}

/// @notice Ways in which a feed may misbehave towards who asks it.
enum Malice {
    None,
    Revert,
    RevertHuge,
    BurnGas,
    HugeData,
    NoData,
    OneWord,
    HugePrice,
    HugeTime
}

/// @notice A feed that answers what it is told, or misbehaves.
contract TellingFeed is IFeed {
    uint256 private _price;
    uint64 private _time;
    Malice private _malice;

    error Refused();

    function set(uint256 price, uint256 time) external {
        (_price, _time, _malice) = (price, uint64(time), Malice.None);
    }

    function misbehave(Malice malice) external {
        _malice = malice;
    }

    function read() external view returns (uint256, uint64) {
        Malice malice = _malice;
        if (malice == Malice.None) return (_price, _time);
        if (malice == Malice.Revert) revert Refused();
        if (malice == Malice.BurnGas) {
            assembly {
                invalid()
            }
        }
        (uint256 price, uint64 time) = (_price, _time);
        if (malice == Malice.HugePrice) price = type(uint256).max;
        uint256 stamp = malice == Malice.HugeTime ? type(uint256).max - 5 : time;
        uint256 size = 64;
        if (malice == Malice.NoData) size = 0;
        if (malice == Malice.OneWord) size = 32;
        // As much as the gas of one question pays for.
        if (malice == Malice.HugeData || malice == Malice.RevertHuge) size = 180_000;
        assembly {
            mstore(0, price)
            mstore(32, stamp)
            if eq(malice, 2) { revert(0, size) }
            return(0, size)
        }
    }
}
