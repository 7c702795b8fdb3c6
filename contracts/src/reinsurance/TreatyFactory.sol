// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {ICatalog} from "../interfaces/ICatalog.sol";
import {IPool} from "../interfaces/IPool.sol";
import {ITreatyFactory, TreatyTerms} from "../interfaces/ITreaty.sol";
import {Treaty} from "./Treaty.sol";

/// @title TreatyFactory
/// @notice No roles: anyone makes treaties. A pool cedes only to treaties made here, so it knows their code; and a
///         treaty is made only for a registered pool, so reinsurers know who may draw on them.
contract TreatyFactory is ITreatyFactory {
    uint256 private constant BPS = 10_000;
    uint256 private constant LONGEST = 5 * 365 days;

    ICatalog public immutable catalog;
    address public immutable implementation;

    /// @inheritdoc ITreatyFactory
    mapping(address treaty => bool) public isTreaty;

    constructor(ICatalog catalog_) {
        (catalog, implementation) = (catalog_, address(new Treaty()));
    }

    /// @inheritdoc ITreatyFactory
    function make(TreatyTerms calldata terms) external returns (address treaty) {
        _check(terms);
        treaty = Clones.cloneWithImmutableArgs(implementation, abi.encode(terms));
        isTreaty[treaty] = true;
        emit TreatyMade(treaty, terms.cedant, terms);
    }

    function _check(TreatyTerms calldata t) private view {
        if (!catalog.isPool(t.cedant)) revert NotAPool(t.cedant);
        address asset = IPool(t.cedant).asset();
        if (t.asset != asset) revert WrongAsset(asset, t.asset);
        _require(t.shareBps != 0 && t.shareBps <= BPS, "shareBps", t.shareBps);
        _require(t.premiumBps <= BPS, "premiumBps", t.premiumBps);
        _require(t.limit != 0, "limit", t.limit);
        // Parts of an aggregate overlap when an earlier loss of the year grows: together they stay within the layer.
        uint256 most = t.aggregate ? uint256(t.limit) * t.shareBps / BPS : type(uint128).max;
        _require(t.yearlyLimit != 0 && t.yearlyLimit <= most, "yearlyLimit", t.yearlyLimit);
        _require(t.end > t.start && t.end - t.start <= LONGEST, "end", t.end);
        _require(t.notice <= 365 days, "notice", t.notice);
    }

    function _require(bool holds, bytes32 field, uint256 got) private pure {
        if (!holds) revert OutOfRange(field, got);
    }
}
