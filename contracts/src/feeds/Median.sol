// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IFeed, Sources} from "../interfaces/IFeed.sol";
import {IAggregator} from "./IPriceSources.sol";

/// @title The median of feeds, some of which may be dead, wrong or hostile
library Median {
    struct Answer {
        /// At least three feeds answered, and the sequencer is up and past its grace.
        bool ok;
        /// The two middle answers, wad; the same one of an odd number. Zero unless ok.
        uint128 low;
        uint128 high;
        /// Seconds: the oldest update among the answers; zero unless ok.
        uint64 oldest;
        /// Seconds: when the sequencer last came back; zero if there is none or it does not say.
        uint64 upSince;
    }

    /// @notice With less gas than this a good feed could seem dead.
    error NotEnoughGas(uint256 need, uint256 left);
    /// @notice Feeds are 3 to 9 and strictly ascending, ages at least 1; `field` in ASCII, left-aligned.
    error BadSources(bytes32 field, uint256 got);

    /// @dev An adapter over a proxied aggregator takes a tenth of it.
    uint256 internal constant FEED_GAS = 300_000;
    /// @dev What is needed so that 63 of 64 parts of what is left are `FEED_GAS`, the call itself included.
    uint256 internal constant GAS_NEEDED = FEED_GAS * 64 / 63 + 10_000;
    uint256 internal constant LEAST = 3;
    uint256 internal constant MOST = 9;

    /// @notice Reverts with `BadSources`.
    function check(Sources memory sources) internal pure {
        uint256 count = sources.feeds.length;
        if (count < LEAST || count > MOST) revert BadSources("feeds", count);
        if (sources.maxAge == 0) revert BadSources("maxAge", 0);
        address previous;
        for (uint256 i; i < count; ++i) {
            address feed = address(sources.feeds[i]);
            if (feed <= previous) revert BadSources("feed", uint160(feed));
            previous = feed;
        }
    }

    /// @notice Asks every feed. Nothing that a feed or the sequencer does makes this revert; only `NotEnoughGas` does.
    function read(Sources memory sources, uint256 time) internal view returns (Answer memory answer) {
        bool up;
        (up, answer.upSince) = _sequencer(sources, time);
        if (!up) return answer;
        uint256 count = sources.feeds.length;
        uint256[] memory prices = new uint256[](count);
        uint256 answered;
        uint256 oldest = time;
        for (uint256 i; i < count; ++i) {
            (bool ok, uint256 price, uint256 updatedAt) = ask(sources.feeds[i], time);
            if (!ok) continue;
            if (time - updatedAt > sources.maxAge) continue;
            if (updatedAt < oldest) oldest = updatedAt;
            _insert(prices, answered++, price);
        }
        if (answered < LEAST) return answer;
        answer.ok = true;
        (answer.low, answer.high) = (uint128(prices[(answered - 1) / 2]), uint128(prices[answered / 2]));
        answer.oldest = uint64(oldest);
    }

    /// @notice Asks one feed, however old its answer is. `ok`: the price fits 128 bits and is not zero, and its time
    ///         is not to come.
    function ask(IFeed feed, uint256 time) internal view returns (bool ok, uint256 price, uint256 updatedAt) {
        uint256[5] memory out;
        ok = _call(address(feed), abi.encodeCall(IFeed.read, ()), out, 2);
        (price, updatedAt) = (out[0], out[1]);
        ok = ok && price != 0 && price <= type(uint128).max && updatedAt <= time;
    }

    /// @dev Up, and since when. One that cannot be asked, or that says nothing sensible, counts as down.
    function _sequencer(Sources memory sources, uint256 time) private view returns (bool up, uint64 since) {
        if (sources.sequencer == address(0)) return (true, 0);
        uint256[5] memory out;
        bytes memory call_ = abi.encodeCall(IAggregator.latestRoundData, ());
        if (!_call(sources.sequencer, call_, out, 5)) return (false, 0);
        (uint256 status, uint256 startedAt) = (out[1], out[2]);
        if (status != 0 || startedAt == 0 || startedAt > time) return (false, 0);
        return (time - startedAt >= sources.grace, uint64(startedAt));
    }

    /// @dev Takes no more than `words` words of the answer, whatever is sent, and no more gas than stated.
    function _call(address to, bytes memory data, uint256[5] memory out, uint256 words)
        private
        view
        returns (bool ok)
    {
        if (gasleft() < GAS_NEEDED) revert NotEnoughGas(GAS_NEEDED, gasleft());
        assembly ("memory-safe") {
            ok := staticcall(FEED_GAS, to, add(data, 32), mload(data), out, shl(5, words))
            ok := and(ok, iszero(lt(returndatasize(), shl(5, words))))
        }
    }

    /// @dev Into the ascending first `count` of them.
    function _insert(uint256[] memory sorted, uint256 count, uint256 value) private pure {
        uint256 i = count;
        for (; i != 0 && sorted[i - 1] > value; --i) {
            sorted[i] = sorted[i - 1];
        }
        sorted[i] = value;
    }
}
