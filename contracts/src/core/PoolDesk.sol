// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ICatalog, Product} from "../interfaces/ICatalog.sol";
import {IIncidents, Incident, Status} from "../interfaces/IIncidents.sol";
import {IPool, PoolConfig} from "../interfaces/IPool.sol";
import {IPoolDesk, Offer, PoolState, Underwriting} from "../interfaces/IPoolDesk.sol";
import {ITranche} from "../interfaces/ITranche.sol";
import {ICedant, ITreaty, ITreatyFactory, TreatyTerms} from "../interfaces/ITreaty.sol";
import {Bookings} from "../libraries/Bookings.sol";
import {Cessions} from "../libraries/Cessions.sol";
import {Config} from "../libraries/Config.sol";
import {Exposure} from "../libraries/Exposure.sol";
import {Idle} from "../libraries/Idle.sol";
import {Ledger} from "../libraries/Ledger.sol";
import {Price} from "../libraries/Price.sol";
import {Stream} from "../libraries/Stream.sol";
import {Terms} from "../libraries/Terms.sol";
import {Waterfall} from "../libraries/Waterfall.sol";
import {PoolBase} from "./PoolBase.sol";

/// @title PoolDesk
/// @notice What a pool does beside purchases, payments and bookings: the curator's acts, upkeep, and views that no
///         contract calls. One for all pools, which lend it their storage by `delegatecall`. Called directly it
///         changes nothing: it has no config, no curator and no tranches, and every change asks for one of them.
contract PoolDesk is PoolBase, IPoolDesk, ICedant {
    using Cessions for Cessions.Store;
    using Exposure for Exposure.Cover;
    using SafeERC20 for IERC20;

    /// @dev A booking walks all products of its gauge in the transaction that opens the incident.
    uint256 public constant MAX_PRODUCTS = 4;

    uint256 private constant WAD = 1e18;

    /// @dev Whoever it made a treaty for knows the treaty's code.
    ITreatyFactory private immutable _treaties;

    constructor(ICatalog catalog_, IIncidents incidents_, ITreatyFactory treaties_)
        PoolBase(catalog_, incidents_)
    {
        _treaties = treaties_;
    }

    /// @dev The pool accrues through its own code before the guard is entered; nothing runs in between.
    modifier accrued() {
        IPool(address(this)).accrue();
        _;
    }

    /// @inheritdoc IPoolDesk
    function initialise(address[3] calldata tranches) external {
        _onlyClone();
        if (address(_l.tranches[0]) != address(0)) revert AlreadyInitialised();
        Config.check(Terms.config());
        for (uint256 i; i < 3; ++i) {
            _l.tranches[i] = ITranche(tranches[i]);
        }
        _l.stream.time = uint64(block.timestamp);
        _l.rolled = uint32(block.timestamp / Stream.DAY);
        _l.epochDone = uint32(block.timestamp / Terms.epoch());
    }

    // ----- the curator -----

    /// @inheritdoc IPoolDesk
    function setProduct(bytes32 product, uint128 cap, uint64 floorRate) external accrued nonReentrant {
        _only(Terms.curator(), IPool.NotCurator.selector);
        if (_l.closedAt != 0) revert IPool.PoolIsClosed(_l.closedAt);
        Exposure.Cover storage cover = _l.covers[product];
        bool first = cover.gauge == 0;
        if (first) _underwrite(product, cover);
        uint128 before = cover.effectiveAt == 0 ? cover.cap : cover.pendingCap;
        (uint128 capNow, uint64 rateNow, bool live) = cover.setting(block.timestamp);
        bool raises = cap > capNow;
        bool waits = raises || floorRate < rateNow;
        (cover.cap, cover.floorRate) = (raises ? capNow : cap, floorRate < rateNow ? rateNow : floorRate);
        cover.live = live || !waits;
        uint256 effectiveAt = block.timestamp;
        if (waits) effectiveAt += Terms.cooldown() + 2 * Terms.epoch();
        (cover.pendingCap, cover.pendingRate) = waits ? (cap, floorRate) : (0, 0);
        cover.effectiveAt = waits ? uint64(effectiveAt) : 0;
        _l.capSum = _l.capSum - before + cap;
        if (raises) _checkLock(_l.locked, 0);
        emit IPool.ProductCapped(product, cover.gauge, cap, floorRate, effectiveAt);
        if (first && _l.products[cover.gauge].length == 1) _catalog.attach(cover.gauge);
    }

    /// @inheritdoc IPoolDesk
    function lock(uint256 shares) external accrued nonReentrant {
        _only(Terms.curator(), IPool.NotCurator.selector);
        if (shares == 0) revert IPool.ZeroAmount();
        uint256 balance = _tranche(JUNIOR).balanceOf(Terms.curator());
        if (balance < _l.locked || balance - _l.locked < shares) {
            revert ITranche.SharesLocked(_l.locked, balance);
        }
        _setLocked(_l.locked + shares);
    }

    /// @inheritdoc IPoolDesk
    function unlock(uint256 shares) external accrued nonReentrant {
        _only(Terms.curator(), IPool.NotCurator.selector);
        if (shares == 0) revert IPool.ZeroAmount();
        if (shares > _l.locked) revert IPool.LockTooSmall(shares, _l.locked);
        _checkLock(_l.locked - shares, _l.instantOutstanding);
        _setLocked(_l.locked - shares);
    }

    /// @inheritdoc IPoolDesk
    function setVault(address vault_, uint16 capBps, bytes32 cluster) external nonReentrant {
        _only(Terms.curator(), IPool.NotCurator.selector);
        Idle.name(_l, vault_, capBps, cluster, _treaties.isTreaty(vault_));
    }

    /// @inheritdoc IPoolDesk
    function invest(uint256 amount) external accrued nonReentrant {
        _only(Terms.curator(), IPool.NotCurator.selector);
        Idle.invest(_l, amount);
    }

    /// @inheritdoc IPoolDesk
    function divest(uint256 amount) external accrued nonReentrant returns (uint256) {
        _only(Terms.curator(), IPool.NotCurator.selector);
        return Idle.divest(_l, amount);
    }

    /// @inheritdoc IPoolDesk
    function attachTreaty(address treaty) external accrued nonReentrant {
        _only(Terms.curator(), IPool.NotCurator.selector);
        if (_l.closedAt != 0) revert IPool.PoolIsClosed(_l.closedAt);
        if (!_treaties.isTreaty(treaty)) revert IPool.NotATreaty(treaty);
        TreatyTerms memory t = ITreaty(treaty).terms();
        if (t.cedant != address(this)) revert IPool.NotATreaty(treaty);
        (bool found,) = _l.cessions.find(treaty);
        if (found) revert IPool.AlreadyCeding(treaty);
        (uint256 count, uint256 shareBps, uint256 premiumBps) = _l.cessions.sums();
        if (count == Cessions.MAX_TREATIES) revert IPool.TooManyTreaties(Cessions.MAX_TREATIES);
        uint256 least = block.timestamp + Terms.cooldown() + 2 * Terms.epoch();
        _require(t.start >= least, "start", t.start);
        _require(shareBps + t.shareBps <= BPS, "shareBps", shareBps + t.shareBps);
        _require(premiumBps + t.premiumBps <= BPS, "premiumBps", premiumBps + t.premiumBps);
        // Places have 16 bits.
        _require(_l.cessions.all.length < type(uint16).max, "treaties", _l.cessions.all.length);
        _l.cessions.push(Cessions.Reinsurer(treaty, t.premiumBps, t.start, t.end, 0, t.shareBps), count);
        emit IPool.TreatyAttached(treaty, t.shareBps, t.premiumBps, t.start, t.end);
    }

    // ----- anyone -----

    /// @inheritdoc IPoolDesk
    function detachTreaty(address treaty) external accrued nonReentrant {
        (bool found, uint256 rest) = _l.cessions.find(treaty);
        if (!found) revert IPool.NotCeding(treaty);
        TreatyTerms memory t = ITreaty(treaty).terms();
        (uint256 until, uint256 encumbered) = (uint256(t.end) + t.notice, ITreaty(treaty).encumbered());
        _payPremium(treaty);
        // Nor with premium that it could not be sent.
        bool runs = block.timestamp < until || encumbered != 0 || _l.cessions.premiumOf(treaty) != 0;
        if (runs || _l.dwelling != 0) revert IPool.TreatyRuns(treaty, until, encumbered);
        _l.cessions.remove(rest);
        emit IPool.TreatyDetached(treaty);
    }

    /// @inheritdoc ICedant
    function payPremium(address treaty) external accrued nonReentrant returns (uint128) {
        return _payPremium(treaty);
    }

    /// @inheritdoc IPoolDesk
    function recover(uint256 incident, uint256 amount) external accrued nonReentrant {
        Waterfall.Entry storage entry = _l.entries[incident];
        if (entry.openedAt == 0) revert IPool.UnknownBooking(incident);
        if (!entry.closed) revert IPool.BookingIsOpen(incident);
        if (amount == 0) revert IPool.ZeroAmount();
        IERC20 token = IERC20(Terms.asset());
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 got = token.balanceOf(address(this)) - before;
        if (got != amount) revert IPool.WrongTransfer(amount, got);
        Bookings.recover(_l, incident, amount);
    }

    /// @inheritdoc IPoolDesk
    function roll(bytes32 product) external {
        _known(product).roll(block.timestamp);
    }

    /// @inheritdoc IPoolDesk
    function closeBooking(uint256 incident) external accrued nonReentrant {
        Waterfall.Entry storage entry = _l.entries[incident];
        if (entry.openedAt == 0) revert IPool.UnknownBooking(incident);
        if (entry.closed) revert IPool.BookingIsClosed(incident);
        Incident memory known = _incidents.incident(incident);
        if (known.status != Status.Final || block.timestamp <= known.claimsEnd) {
            revert IPool.ClaimsOpen(incident, known.claimsEnd);
        }
        Bookings.close(_l, incident);
    }

    /// @inheritdoc IPoolDesk
    function collectReturn(uint256 incident) external accrued nonReentrant returns (uint256 amount) {
        (ITreaty treaty, IERC20 token) = (ITreaty(_l.vault.vault), IERC20(Terms.asset()));
        uint256 before = token.balanceOf(address(this));
        treaty.claimReturn(incident);
        amount = token.balanceOf(address(this)) - before;
        _l.layers[0] = uint128(Math.min(_l.layers[0] + amount, type(uint128).max));
        emit IPool.ReturnCollected(address(treaty), incident, amount);
    }

    /// @inheritdoc IPoolDesk
    function withdraw(address account) external accrued nonReentrant returns (uint256 amount) {
        amount = _l.owed[account];
        if (amount == 0) revert IPool.NothingOwed(account);
        _l.owed[account] = 0;
        _l.owedSum -= uint128(amount);
        emit IPool.Withdrawn(account, amount);
        if (_l.vault.shares != 0) Idle.raise(_l, amount);
        IERC20(Terms.asset()).safeTransfer(account, amount);
    }

    // ----- views -----

    /// @inheritdoc IPoolDesk
    function owed(address account) external view returns (uint256) {
        return _l.owed[account];
    }

    /// @inheritdoc IPoolDesk
    function offer(bytes32 product) external view returns (Offer memory o) {
        if (_l.closedAt != 0) revert IPool.PoolIsClosed(_l.closedAt);
        Exposure.Cover storage cover = _known(product);
        Limits memory l = _limits(product, cover);
        PoolConfig memory c = Terms.config();
        o.capacity = Price.capacity(_capital(), l.leverage);
        o.kink = Math.mulDiv(o.capacity, c.kink, WAD);
        (o.scarcityKink, o.scarcityFull, o.exposure) = (c.scarcityKink, c.scarcityFull, _l.exposure);
        uint256 base = Price.base(l.floorRate, c.costOfCapital, l.leverage);
        o.rate = Math.mulDiv(base, WAD + _surgeNow(), WAD, Math.Rounding.Ceil);
        uint256 inProduct = Math.saturatingSub(l.cap, cover.exposureAt(block.timestamp));
        o.most = Math.min(Math.saturatingSub(o.capacity, o.exposure), inProduct);
        if (l.cluster == 0) return o;
        o.most = Math.min(o.most, Math.saturatingSub(l.clusterCap, _inCluster(l.cluster)));
    }

    /// @inheritdoc IPoolDesk
    function clusterExposure(bytes32 cluster) external view returns (uint256) {
        return _inCluster(cluster);
    }

    /// @inheritdoc IPoolDesk
    function clusterEnds(bytes32 cluster, uint256 day) external view returns (uint256) {
        return _l.clusters[cluster].ends.on[day];
    }

    /// @inheritdoc IPoolDesk
    function exposureEnds(uint256 day) external view returns (uint256) {
        return _l.exposureEnds.on[day];
    }

    /// @inheritdoc IPoolDesk
    function capital() external view returns (uint256) {
        return _capital();
    }

    /// @inheritdoc IPoolDesk
    function curator() external view returns (address) {
        return Terms.curator();
    }

    /// @inheritdoc IPoolDesk
    function config() external view returns (PoolConfig memory) {
        return Terms.config();
    }

    /// @inheritdoc IPoolDesk
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
            dwelling: _l.dwelling,
            premiums: _l.cessions.premiums
        });
    }

    /// @inheritdoc ICedant
    function cedes(address treaty) external view returns (bool attached, bool dwelling) {
        (attached,) = _l.cessions.find(treaty);
        dwelling = _l.dwelling != 0;
    }

    /// @inheritdoc IPoolDesk
    function treatyFactory() external view returns (address) {
        return address(_treaties);
    }

    /// @inheritdoc IPoolDesk
    function treaties() external view returns (address[] memory) {
        return _l.cessions.treaties();
    }

    /// @inheritdoc IPoolDesk
    function premiumOf(address treaty) external view returns (uint256) {
        return _l.cessions.premiumOf(treaty);
    }

    /// @inheritdoc IPoolDesk
    function tranche(uint256 index) external view returns (address) {
        return address(_tranche(index));
    }

    /// @inheritdoc IPoolDesk
    function underwriting(bytes32 product) external view returns (Underwriting memory u) {
        Exposure.Cover storage c = _l.covers[product];
        u.gauge = c.gauge;
        (u.cap, u.floorRate, u.live) = c.setting(block.timestamp);
        if (c.effectiveAt > block.timestamp) {
            (u.pendingCap, u.pendingRate, u.effectiveAt) = (c.pendingCap, c.pendingRate, c.effectiveAt);
        }
        u.exposure = uint128(c.exposureAt(block.timestamp));
    }

    /// @inheritdoc IPoolDesk
    function productsOf(bytes32 gauge) external view returns (bytes32[] memory) {
        return _l.products[gauge];
    }

    /// @inheritdoc IPoolDesk
    function inForce(bytes32 product, uint256 time) external view returns (uint256) {
        return _l.covers[product].inForce(time);
    }

    /// @inheritdoc IPoolDesk
    function dayOf(bytes32 product, uint256 day) external view returns (uint256 expiring, uint256 releasing) {
        Exposure.Cover storage c = _l.covers[product];
        return (c.expiring.on[day], c.releasing.on[day]);
    }

    /// @inheritdoc IPoolDesk
    function streamEnds(uint256 day) external view returns (uint256) {
        return _l.stream.ends.on[day];
    }

    /// @inheritdoc IPoolDesk
    function instantPaid(uint256 incident, bytes32 product) external view returns (uint256) {
        return _l.shares[incident][product].instantPaid;
    }

    /// @inheritdoc IPoolDesk
    function shortBookings() external view returns (uint256[] memory line) {
        line = new uint256[](_l.short_.length - _l.shortHead);
        for (uint256 i; i < line.length; ++i) {
            line[i] = _l.short_[_l.shortHead + i];
        }
    }

    /// @inheritdoc IPoolDesk
    function vault() external view returns (Ledger.Vault memory) {
        return _l.vault;
    }

    // ----- inside -----

    function _payPremium(address treaty) private returns (uint128) {
        if (_l.vault.shares != 0) Idle.raise(_l, _l.cessions.premiumOf(treaty));
        return _l.cessions.payPremium(treaty);
    }

    function _underwrite(bytes32 product, Exposure.Cover storage cover) private {
        Product memory terms = _catalog.product(product);
        if (terms.unitDen == 0) revert IPool.UnknownProduct(product);
        if (terms.asset != Terms.asset()) revert IPool.WrongAsset(Terms.asset(), terms.asset);
        bytes32[] storage products = _l.products[terms.gauge];
        if (products.length == MAX_PRODUCTS) revert IPool.TooManyProducts(terms.gauge, MAX_PRODUCTS);
        products.push(product);
        cover.init(terms, block.timestamp);
    }

    /// @dev Value of `shares` of the lock must cover the curator's part of all caps and of all cover, and `least`.
    function _checkLock(uint256 shares, uint256 least) private view {
        // Cover that was sold under a cap stays in force when the cap is lowered.
        uint256 sums = _l.closedAt != 0 ? 0 : Math.max(_l.capSum, _l.exposure);
        uint256 caps = Math.ceilDiv(sums * Terms.curatorShareBps(), BPS);
        uint256 needed = Math.max(caps, least);
        uint256 value = _lockValue(shares);
        if (value < needed) revert IPool.LockTooSmall(needed, value);
    }

    function _require(bool holds, bytes32 field, uint256 got) private pure {
        if (!holds) revert IPool.OutOfRange(field, got);
    }
}
