// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ICatalog} from "../interfaces/ICatalog.sol";
import {IIncidents} from "../interfaces/IIncidents.sol";
import {Booking, IPool, PoolConfig} from "../interfaces/IPool.sol";
import {IPoolCapital, PoolState, Underwriting} from "../interfaces/IPoolCapital.sol";
import {ITranche} from "../interfaces/ITranche.sol";
import {Exposure} from "../libraries/Exposure.sol";
import {Ledger} from "../libraries/Ledger.sol";
import {Waterfall} from "../libraries/Waterfall.sol";

/// @title What a pool is made of, and every way to read it
/// @notice Nothing here changes anything.
abstract contract PoolViews is IPool, IPoolCapital {
    using Exposure for Exposure.Cover;

    // The internal ones stand in the config too; as immutables they cost no storage read.
    ICatalog public immutable catalog;
    IIncidents public immutable incidents;
    address public immutable policies;
    address public immutable asset;
    address public immutable curator;
    uint256 internal immutable _epoch;
    uint256 internal immutable _leverageBps;
    uint256 internal immutable _subordinationBps;
    uint256 internal immutable _surplusBps;

    /// @dev Everything else, word by word in `Ledger`.
    Ledger.Store internal _l;

    constructor(PoolConfig memory c, ICatalog catalog_, IIncidents incidents_, address policies_) {
        _checkConfig(c);
        (catalog, incidents, policies) = (catalog_, incidents_, policies_);
        (asset, curator, _l.config) = (c.asset, c.curator, c);
        (_epoch, _leverageBps, _subordinationBps) = (c.epoch, c.leverageBps, c.subordinationBps);
        _surplusBps = c.surplusBps;
    }

    /// @inheritdoc IPool
    function fraction(uint256 incident, bytes32 product) external view returns (uint256) {
        _known(product);
        return _l.shares[incident][product].fraction;
    }

    /// @inheritdoc IPool
    function closedAt() public view returns (uint64) {
        return _l.closedAt;
    }

    /// @inheritdoc IPool
    function locked() external view returns (uint256) {
        return _l.locked;
    }

    /// @inheritdoc IPoolCapital
    function owed(address account) external view returns (uint256) {
        return _l.owed[account];
    }

    /// @inheritdoc IPoolCapital
    function exposureEnds(uint256 day) external view returns (uint256) {
        return _l.exposureEnds[day];
    }

    /// @inheritdoc IPool
    function booking(uint256 incident) external view returns (Booking memory) {
        Waterfall.Entry storage e = _l.entries[incident];
        return Booking({
            reserved: e.reserved,
            funded: e.funded,
            due: e.due,
            paid: e.paid,
            instantPaid: e.instantPaid,
            limit: e.limit,
            charged: e.charged,
            openedAt: e.openedAt,
            onsetTime: e.onsetTime,
            settled: e.settled,
            closed: e.closed
        });
    }

    /// @inheritdoc IPool
    function capital() public view returns (uint256) {
        return uint256(_l.layers[0]) + _l.layers[1] + _l.layers[2] + _l.layers[3];
    }

    /// @inheritdoc IPoolCapital
    function layer(uint256 index) external view returns (uint256) {
        return _l.layers[index];
    }

    /// @inheritdoc IPoolCapital
    function config() external view returns (PoolConfig memory) {
        return _l.config;
    }

    /// @inheritdoc IPoolCapital
    function state() external view returns (PoolState memory) {
        return PoolState({
            layers: _l.layers,
            unearnedScaled: _l.stream.unearnedScaled,
            streamRate: _l.stream.rate,
            accruedTo: _l.stream.time,
            epochDone: _l.epochDone,
            exposure: _l.exposure,
            surge: _l.surge,
            surgeAt: _l.surgeAt,
            pendingDeposits: _l.pendingDeposits,
            redeemable: _l.redeemable,
            owed: _l.owedSum,
            capSum: _l.capSum,
            instantOutstanding: _l.instantOutstanding,
            dwelling: _l.dwelling
        });
    }

    /// @inheritdoc IPoolCapital
    function tranche(uint256 index) external view returns (address) {
        return address(_tranche(index));
    }

    /// @inheritdoc IPoolCapital
    function underwriting(bytes32 product) external view returns (Underwriting memory u) {
        Exposure.Cover storage c = _l.covers[product];
        u.gauge = c.gauge;
        (u.cap, u.floorRate, u.live) = c.setting(block.timestamp);
        if (c.effectiveAt > block.timestamp) {
            (u.pendingCap, u.pendingRate, u.effectiveAt) = (c.pendingCap, c.pendingRate, c.effectiveAt);
        }
        u.exposure = uint128(c.exposureAt(block.timestamp));
    }

    /// @inheritdoc IPoolCapital
    function productsOf(bytes32 gauge) external view returns (bytes32[] memory) {
        return _l.products[gauge];
    }

    /// @inheritdoc IPoolCapital
    function inForce(bytes32 product, uint256 time) external view returns (uint256) {
        return _l.covers[product].inForce(time);
    }

    /// @inheritdoc IPoolCapital
    function dayOf(bytes32 product, uint256 day) external view returns (uint256 expiring, uint256 releasing) {
        Exposure.Day storage d = _l.covers[product].days_[day];
        return (d.expiring, d.releasing);
    }

    /// @inheritdoc IPoolCapital
    function streamEnds(uint256 day) external view returns (uint256) {
        return _l.stream.ends[day];
    }

    /// @inheritdoc IPoolCapital
    function instantPaid(uint256 incident, bytes32 product) external view returns (uint256) {
        return _l.shares[incident][product].instantPaid;
    }

    /// @inheritdoc IPoolCapital
    function shortBookings() external view returns (uint256[] memory line) {
        line = new uint256[](_l.short_.length - _l.shortHead);
        for (uint256 i; i < line.length; ++i) {
            line[i] = _l.short_[_l.shortHead + i];
        }
    }

    function _tranche(uint256 index) internal view returns (ITranche) {
        return _l.tranches[index - 1];
    }

    function _known(bytes32 product) internal view returns (Exposure.Cover storage cover) {
        cover = _l.covers[product];
        if (cover.gauge == 0) revert UnknownProduct(product);
    }

    function _checkConfig(PoolConfig memory c) private view {
        _require(c.asset.code.length != 0, "asset", uint160(c.asset));
        _require(c.curator != address(0), "curator", 0);
        _require(c.epoch != 0, "epoch", 0);
        _require(c.leverageBps != 0, "leverageBps", 0);
        _require(c.surgeHalfLife != 0, "surgeHalfLife", 0);
        _require(c.curatorShareBps <= 10_000, "curatorShareBps", c.curatorShareBps);
        _require(c.surplusBps <= 10_000, "surplusBps", c.surplusBps);
        _require(c.subordinationBps < 10_000, "subordinationBps", c.subordinationBps);
        uint256 weights = uint256(c.weightBps[0]) + c.weightBps[1] + c.weightBps[2];
        _require(weights == 10_000, "weightBps", weights);
        _require(c.kink != 0 && c.kink < 1e18, "kink", c.kink);
        _require(c.scarcityKink >= 1e18, "scarcityKink", c.scarcityKink);
        _require(c.scarcityFull >= c.scarcityKink, "scarcityFull", c.scarcityFull);
    }

    function _require(bool holds, bytes32 field, uint256 got) private pure {
        if (!holds) revert OutOfRange(field, got);
    }
}
