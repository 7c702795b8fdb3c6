// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Offer} from "../interfaces/IPoolDesk.sol";

/// @title Shares a purchase out over pools so that the last unit costs the same in each
/// @notice Prices rise with exposure, so equal marginal prices are the cheapest split. It is found by halving the
///         price, whose supply only grows with it; the units that the whole numbers leave over fill up the next price.
library Split {
    uint256 private constant WAD = 1e18;

    /// @notice The pools offer less in all, each at least `least`, than is asked.
    error NotEnough(uint256 wanted, uint256 offered);

    /// @notice Parts of `sum` at equal marginal prices, each zero or at least `least`.
    /// @dev A part below `least` is left to the others, or where they cannot hold it is bought at `least`: the split is
    ///      then near the cheapest one, so whoever asks compares it with single pools.
    function parts(Offer[] memory offers, uint256 sum, uint256 least)
        internal
        pure
        returns (uint256[] memory sums)
    {
        uint256 count = offers.length;
        sums = new uint256[](count);
        uint256[] memory most = new uint256[](count);
        uint256 offered;
        for (uint256 i; i < count; ++i) {
            most[i] = offers[i].most < least ? 0 : offers[i].most;
            offered += most[i];
        }
        if (offered < sum) revert NotEnough(sum, offered);
        uint256[] memory fixed_ = new uint256[](count);
        // Each round takes one pool out, so there are at most as many.
        while (true) {
            uint256[] memory shares = equalise(offers, most, sum);
            uint256 low = _lowest(shares, least);
            if (low == count) {
                for (uint256 i; i < count; ++i) {
                    sums[i] = fixed_[i] + shares[i];
                }
                return sums;
            }
            offered -= most[low];
            if (offered < sum) {
                if (sum < least) revert NotEnough(least, sum);
                (fixed_[low], sum) = (least, sum - least);
            }
            most[low] = 0;
        }
    }

    /// @notice Parts of `sum`, which is at most the sum of `most`, at equal marginal prices; exact.
    function equalise(Offer[] memory offers, uint256[] memory most, uint256 sum)
        internal
        pure
        returns (uint256[] memory shares)
    {
        (uint256 low, uint256 high) = (0, _dearest(offers));
        // At `high` everything is offered; `low` ends as the highest price at which less than `sum` is.
        while (low + 1 < high) {
            uint256 price = (low + high) / 2;
            if (_total(supply(offers, most, price)) < sum) low = price;
            else high = price;
        }
        shares = supply(offers, most, low);
        uint256 taken = _total(shares);
        if (taken >= sum) {
            // Only where nothing is asked: at price zero nothing is offered.
            return new uint256[](offers.length);
        }
        uint256[] memory next = supply(offers, most, high);
        uint256 left = sum - taken;
        for (uint256 i; i < shares.length && left != 0; ++i) {
            uint256 more = Math.min(left, next[i] - shares[i]);
            shares[i] += more;
            left -= more;
        }
    }

    /// @notice What each pool sells up to a marginal `price`, wad a year; rounded down, rising with the price.
    function supply(Offer[] memory offers, uint256[] memory most, uint256 price)
        internal
        pure
        returns (uint256[] memory shares)
    {
        shares = new uint256[](offers.length);
        for (uint256 i; i < shares.length; ++i) {
            if (most[i] == 0) continue;
            uint256 upTo = _exposureAt(offers[i], price);
            shares[i] = Math.min(most[i], Math.saturatingSub(upTo, offers[i].exposure));
        }
    }

    /// @dev Exposure at which the pool's marginal price is `price`.
    function _exposureAt(Offer memory o, uint256 price) private pure returns (uint256) {
        // What costs nothing is sold at any price above zero.
        uint256 scarcity =
            o.rate == 0 ? (price == 0 ? 0 : type(uint256).max) : Math.mulDiv(price, WAD, o.rate);
        if (scarcity < WAD) return 0;
        if (scarcity < o.scarcityKink) return Math.mulDiv(o.kink, scarcity - WAD, o.scarcityKink - WAD);
        if (scarcity >= o.scarcityFull) return o.capacity;
        uint256 above = scarcity - o.scarcityKink;
        return o.kink + Math.mulDiv(o.capacity - o.kink, above, o.scarcityFull - o.scarcityKink);
    }

    /// @dev A price at which every pool offers all that it has.
    function _dearest(Offer[] memory offers) private pure returns (uint256 price) {
        price = 1;
        for (uint256 i; i < offers.length; ++i) {
            price = Math.max(
                price, Math.mulDiv(offers[i].rate, offers[i].scarcityFull, WAD, Math.Rounding.Ceil) + 1
            );
        }
    }

    /// @dev The smallest part above zero that is below `least`; the number of parts if there is none.
    function _lowest(uint256[] memory shares, uint256 least) private pure returns (uint256 index) {
        index = shares.length;
        uint256 lowest = least;
        for (uint256 i; i < shares.length; ++i) {
            if (shares[i] != 0 && shares[i] < lowest) (index, lowest) = (i, shares[i]);
        }
    }

    function _total(uint256[] memory shares) private pure returns (uint256 total) {
        for (uint256 i; i < shares.length; ++i) {
            total += shares[i];
        }
    }
}
