// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICatalog, Product} from "../interfaces/ICatalog.sol";
import {IIncidents, Incident, Status} from "../interfaces/IIncidents.sol";
import {IPool, PayOrder, PoolConfig, Reduction} from "../interfaces/IPool.sol";
import {IPoolCapital} from "../interfaces/IPoolCapital.sol";
import {ITranche} from "../interfaces/ITranche.sol";
import {Bookings} from "../libraries/Bookings.sol";
import {Due} from "../libraries/Due.sol";
import {Exposure} from "../libraries/Exposure.sol";
import {Price} from "../libraries/Price.sol";
import {Stream} from "../libraries/Stream.sol";
import {Waterfall} from "../libraries/Waterfall.sol";
import {PoolViews} from "./PoolViews.sol";
import {Tranche} from "./Tranche.sol";

/// @title Pool
/// @notice Roles: `policies` sells, reduces and pays; `incidents` books; the curator sets caps and locks junior;
///         the three tranches move deposits and exits; everyone else may accrue, close a booking and push what is
///         owed. Nobody can take money out but through a payment, a refund or the redemption queue.
/// @notice Of the asset it assumes that a transfer moves what it says or fails, and that balances do not shrink by
///         themselves. One that takes a fee is refused at the door; one that stalls delays payments, which stay owed.
/// @dev Money identity, at every moment: balance >= the layers + unearned + (funded - paid) of all bookings + owed
///      + pending deposits + redeemable. Only the right-hand side is ever acted on.
/// @dev Every entry point: check, accrue, compute, write, emit, call out. Formulas are in docs/design.md, "Pool".
contract Pool is PoolViews, ReentrancyGuardTransient {
    using Exposure for Exposure.Cover;
    using SafeCast for uint256;
    using SafeERC20 for IERC20;
    using Stream for Stream.Store;
    using Waterfall for Waterfall.Entry;

    /// @dev What an accrual, or the call behind it, paid to cohorts.
    struct Exits {
        uint256[4] assets;
        bool[4] looked;
    }

    uint256 private constant WAD = 1e18;
    uint256 private constant BPS = 10_000;
    uint256 private constant JUNIOR = 1;
    uint256 private constant SENIOR = 3;
    /// @dev A booking walks all products of its gauge in the transaction that opens the incident.
    uint256 public constant MAX_PRODUCTS = 4;

    constructor(PoolConfig memory c, ICatalog catalog_, IIncidents incidents_, address policies_)
        PoolViews(c, catalog_, incidents_, policies_)
    {
        _l.stream.time = uint64(block.timestamp);
        _l.rolled = uint32(block.timestamp / Stream.DAY);
        _l.epochDone = uint32(block.timestamp / c.epoch);
        _l.tranches[0] = new Tranche(c.asset, 1, c.epoch, c.cooldown, c.curator, "Breakwater Junior", "BW-J");
        _l.tranches[1] =
            new Tranche(c.asset, 2, c.epoch, c.cooldown, address(0), "Breakwater Mezzanine", "BW-M");
        _l.tranches[2] = new Tranche(c.asset, 3, c.epoch, c.cooldown, address(0), "Breakwater Senior", "BW-S");
    }

    /// @inheritdoc IPool
    function accrue() external nonReentrant {
        _accrue();
    }

    /// @inheritdoc IPool
    function roll(bytes32 product) external {
        _known(product).roll(block.timestamp);
    }

    // ----- the curator -----

    /// @inheritdoc IPool
    function setProduct(bytes32 product, uint128 cap, uint64 floorRate) external nonReentrant {
        _only(curator, NotCurator.selector);
        if (_l.closedAt != 0) revert PoolIsClosed(_l.closedAt);
        _accrue();
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
        if (waits) effectiveAt += uint256(_l.config.cooldown) + 2 * _epoch;
        (cover.pendingCap, cover.pendingRate) = waits ? (cap, floorRate) : (0, 0);
        cover.effectiveAt = waits ? uint64(effectiveAt) : 0;
        _l.capSum = _l.capSum - before + cap;
        if (raises) _checkLock(_l.locked, 0);
        emit ProductCapped(product, cover.gauge, cap, floorRate, effectiveAt);
        if (first && _l.products[cover.gauge].length == 1) catalog.attach(cover.gauge);
    }

    /// @inheritdoc IPool
    function lock(uint256 shares) external nonReentrant {
        _only(curator, NotCurator.selector);
        if (shares == 0) revert ZeroAmount();
        _accrue();
        uint256 balance = _tranche(JUNIOR).balanceOf(curator);
        if (balance < _l.locked || balance - _l.locked < shares) {
            revert ITranche.SharesLocked(_l.locked, balance);
        }
        _setLocked(_l.locked + shares);
    }

    /// @inheritdoc IPool
    function unlock(uint256 shares) external nonReentrant {
        _only(curator, NotCurator.selector);
        if (shares == 0) revert ZeroAmount();
        if (shares > _l.locked) revert LockTooSmall(shares, _l.locked);
        _accrue();
        _checkLock(_l.locked - shares, _l.instantOutstanding);
        _setLocked(_l.locked - shares);
    }

    // ----- policies -----

    /// @inheritdoc IPool
    function sell(bytes32 product, uint128 sum, uint64 inception, uint64 expiry, uint256 premium)
        external
        nonReentrant
        returns (uint256 streamRate)
    {
        _only(policies, NotPolicies.selector);
        _accrue();
        uint256 price = quote(product, sum, inception, expiry);
        if (premium != price) revert WrongPremium(price, premium);
        Exposure.Cover storage cover = _l.covers[product];
        cover.roll(block.timestamp);
        _l.exposureEnds[cover.add(sum, inception, expiry)] += sum;
        // The sum was found to fit the capacity, and any exposure of 128 bits fits the word.
        uint256 exposure = uint256(_l.exposure) + sum;
        _l.exposure = exposure.toUint128();
        streamRate = premium * WAD / (expiry - block.timestamp);
        // The part of a unit that does not stream is earned at once.
        _distribute(premium - _l.stream.start(streamRate, expiry));
        emit Sold(product, sum, premium, inception, expiry, exposure);
    }

    /// @inheritdoc IPool
    function reduce(Reduction calldata r) external nonReentrant returns (uint256 refund) {
        _only(policies, NotPolicies.selector);
        _accrue();
        uint256 from = _l.closedAt != 0 ? block.timestamp : Math.max(block.timestamp, r.refundFrom);
        uint256 freed = _l.stream.cut(r.streamRate, r.expiry);
        if (from < r.expiry && r.whole != 0) {
            refund = Math.mulDiv(r.streamRate * (r.expiry - from) / WAD, r.unpaid, r.whole);
        }
        // The refund streams from now or later, so it is part of what is freed.
        _distribute(freed - refund);
        uint256 exposure = _expose(r.product, r.sum, r.expiry);
        emit ExposureReduced(r.product, r.sum, r.streamRate, r.expiry, refund, exposure);
        _send(r.to, refund);
    }

    /// @inheritdoc IPool
    function pay(PayOrder calldata order) external nonReentrant returns (uint256 paid) {
        _only(policies, NotPolicies.selector);
        _accrue();
        Waterfall.Entry storage entry = _l.entries[order.incident];
        if (entry.openedAt == 0) return 0;
        entry.due += order.due - order.dueBefore;
        paid = entry.settled ? _payShare(entry, order) : _payInstantly(entry, order);
        emit BookingPaid(
            order.incident,
            order.product,
            entry.due,
            entry.paid,
            _l.shares[order.incident][order.product].instantPaid
        );
        if (paid == 0) return 0;
        // At most what is funded, so 128 bits hold it.
        uint256 exposure = _expose(order.product, uint128(paid), order.expiry);
        emit ExposureReduced(order.product, paid, 0, order.expiry, 0, exposure);
        _payOut(order, incidents.incident(order.incident).opener, paid);
    }

    // ----- incidents -----

    /// @inheritdoc IPool
    function book(uint256 incident, bytes32 gauge, uint64 onsetTime, uint128 loss, uint128 base)
        external
        nonReentrant
        returns (uint256 returned)
    {
        _only(address(incidents), NotIncidents.selector);
        // Without deposits and exits: nobody leaves in the call that brings the loss.
        _earn();
        uint256 lambda = loss == 0 ? 0 : Due.lambda(loss, base);
        return Bookings.book(_l, catalog, incident, gauge, onsetTime, lambda);
    }

    /// @inheritdoc IPool
    function settleBooking(uint256 incident) external nonReentrant {
        _only(address(incidents), NotIncidents.selector);
        // Without deposits and exits: what goes wrong there must not keep other pools' incidents from being final.
        _earn();
        Waterfall.Entry storage entry = _l.entries[incident];
        if (entry.openedAt == 0 || entry.settled) return;
        entry.settled = true;
        --_l.dwelling;
        _l.instantOutstanding -= entry.instantPaid;
        emit BookingSettled(incident);
    }

    /// @inheritdoc IPool
    function closeBooking(uint256 incident) external nonReentrant {
        Waterfall.Entry storage entry = _l.entries[incident];
        if (entry.openedAt == 0) revert UnknownBooking(incident);
        if (entry.closed) revert BookingIsClosed(incident);
        Incident memory known = incidents.incident(incident);
        if (known.status != Status.Final || block.timestamp <= known.claimsEnd) {
            revert ClaimsOpen(incident, known.claimsEnd);
        }
        _accrue();
        Bookings.close(_l, incident);
    }

    /// @inheritdoc IPool
    function withdraw(address account) external nonReentrant returns (uint256 amount) {
        amount = _l.owed[account];
        if (amount == 0) revert NothingOwed(account);
        _accrue();
        _l.owed[account] = 0;
        _l.owedSum -= uint128(amount);
        emit Withdrawn(account, amount);
        IERC20(asset).safeTransfer(account, amount);
    }

    // ----- tranches -----

    /// @inheritdoc IPoolCapital
    function takeDeposit(address owner, uint256 assets) external nonReentrant {
        _layerOf(msg.sender);
        _l.pendingDeposits += assets.toUint128();
        uint256 before = IERC20(asset).balanceOf(address(this));
        // Under this pool's guard, so that no other deposit can be counted twice in between.
        ITranche(msg.sender).pull(owner, assets);
        uint256 got = IERC20(asset).balanceOf(address(this)) - before;
        if (got != assets) revert WrongTransfer(assets, got);
    }

    /// @inheritdoc IPoolCapital
    function returnDeposit(address to, uint256 assets) external nonReentrant {
        _layerOf(msg.sender);
        _l.pendingDeposits -= assets.toUint128();
        _send(to, assets);
    }

    /// @inheritdoc IPoolCapital
    function payExits() external nonReentrant returns (uint256 assets, bool looked) {
        uint256 index = _layerOf(msg.sender);
        Exits memory exits = _accrue();
        if (_l.dwelling == 0) _payCohort(index, exits);
        return (exits.assets[index], exits.looked[index]);
    }

    /// @inheritdoc IPoolCapital
    function sendRedemption(address to, uint256 assets) external nonReentrant {
        _layerOf(msg.sender);
        _l.redeemable -= assets.toUint128();
        _send(to, assets);
    }

    /// @inheritdoc IPoolCapital
    function lockRecovered(uint256 shares) external nonReentrant {
        if (_layerOf(msg.sender) != JUNIOR) revert NotTranche(msg.sender);
        _setLocked(_l.locked + shares);
    }

    // ----- views -----

    /// @inheritdoc IPool
    function quote(bytes32 product, uint128 sum, uint64 inception, uint64 expiry)
        public
        view
        returns (uint256)
    {
        if (_l.closedAt != 0) revert PoolIsClosed(_l.closedAt);
        Exposure.Cover storage cover = _known(product);
        uint256 floorRate = _checkSale(product, cover, sum, inception, expiry);
        PoolConfig storage c = _l.config;
        Price.Curve memory curve = Price.Curve({
            capacity: Price.capacity(capital(), _leverageBps),
            kink: c.kink,
            scarcityKink: c.scarcityKink,
            scarcityFull: c.scarcityFull
        });
        uint256 exposure = _l.exposure;
        if (exposure + sum > curve.capacity) revert CapacityExceeded(exposure + sum, curve.capacity);
        uint256 base = Price.base(floorRate, c.costOfCapital, _leverageBps);
        return Price.premium(curve, exposure, exposure + sum, base, _surgeNow(), expiry - inception);
    }

    /// @inheritdoc IPool
    function instantBudget(uint256 incident) public view returns (uint256) {
        Waterfall.Entry storage entry = _l.entries[incident];
        uint256 budget = Math.saturatingSub(_lockValue(_l.locked), _l.instantOutstanding);
        return Math.min(budget, Math.saturatingSub(entry.funded, entry.paid));
    }

    /// @inheritdoc IPoolCapital
    function exitable(uint256 index) public view returns (uint256) {
        uint256 needed = Math.ceilDiv(uint256(_l.exposure) * BPS, _leverageBps);
        uint256 free = Math.saturatingSub(capital(), needed);
        if (index == SENIOR) return free;
        uint256 below = uint256(_l.layers[1]) + _l.layers[2];
        // With both sides after the exit; surplus belongs to nobody who could leave.
        uint256 spare = Math.saturatingSub(below * BPS, _subordinationBps * (below + _l.layers[3]));
        return Math.min(free, spare / (BPS - _subordinationBps));
    }

    // ----- accrual -----

    /// @dev Brings everything up to now; deposits and exits only once an epoch, and never while a booking dwells.
    function _accrue() private returns (Exits memory exits) {
        _earn();
        uint256 epoch = block.timestamp / _epoch;
        if (_l.epochDone >= epoch || _l.dwelling != 0) return exits;
        // Enough for four billion epochs.
        _l.epochDone = uint32(epoch);
        for (uint256 i = JUNIOR; i <= SENIOR; ++i) {
            uint128 deposited = uint128(_tranche(i).processDeposits());
            if (deposited != 0) {
                _l.pendingDeposits -= deposited;
                _l.layers[i] += deposited;
            }
            _payCohort(i, exits);
        }
    }

    /// @dev Lets premiums be earned and exposure fall.
    function _earn() private {
        uint256 today = block.timestamp / Stream.DAY;
        if (_l.rolled < today) {
            uint256 exposure = _l.exposure;
            // Once nothing is left, no later day releases anything.
            for (uint256 day = _l.rolled + 1; day <= today && exposure != 0; ++day) {
                exposure -= _l.exposureEnds[day];
            }
            (_l.exposure, _l.rolled) = (uint128(exposure), uint32(today));
        }
        uint256 earned = _l.stream.advance(block.timestamp);
        if (earned == 0) return;
        _distribute(earned);
        emit Accrued(block.timestamp, earned);
    }

    /// @dev Surplus takes its part, the tranches the rest by weight and size. Parts of all but senior round down.
    function _distribute(uint256 earned) private {
        if (earned == 0) return;
        uint256 toSurplus = earned * _surplusBps / BPS;
        uint256 rest = earned - toSurplus;
        uint16[3] memory weights = _l.config.weightBps;
        uint256[3] memory scaled;
        for (uint256 i; i < 3; ++i) {
            scaled[i] = uint256(weights[i]) * _l.layers[i + 1];
        }
        uint256 total = scaled[0] + scaled[1] + scaled[2];
        if (total == 0) {
            _add(0, earned);
            return;
        }
        uint256 junior = Math.mulDiv(rest, scaled[0], total);
        uint256 mezzanine = Math.mulDiv(rest, scaled[1], total);
        _add(0, toSurplus);
        _add(1, junior);
        _add(2, mezzanine);
        _add(3, rest - junior - mezzanine);
    }

    function _payCohort(uint256 index, Exits memory exits) private {
        (uint256 assets, bool looked) = _tranche(index).payCohort(exitable(index));
        if (!looked) return;
        exits.looked[index] = true;
        if (assets == 0) return;
        exits.assets[index] += assets;
        // The tranche pays no more than its layer.
        _l.layers[index] -= uint128(assets);
        _l.redeemable += uint128(assets);
    }

    // ----- products -----

    function _underwrite(bytes32 product, Exposure.Cover storage cover) private {
        Product memory terms = catalog.product(product);
        if (terms.unitDen == 0) revert UnknownProduct(product);
        if (terms.asset != asset) revert WrongAsset(asset, terms.asset);
        bytes32[] storage products = _l.products[terms.gauge];
        if (products.length == MAX_PRODUCTS) revert TooManyProducts(terms.gauge, MAX_PRODUCTS);
        products.push(product);
        cover.init(terms, block.timestamp);
    }

    /// @dev Value of `shares` of the lock must cover the curator's part of all caps, and `least`.
    function _checkLock(uint256 shares, uint256 least) private view {
        uint256 caps =
            _l.closedAt != 0 ? 0 : Math.ceilDiv(uint256(_l.capSum) * _l.config.curatorShareBps, BPS);
        uint256 needed = Math.max(caps, least);
        uint256 value = _lockValue(shares);
        if (value < needed) revert LockTooSmall(needed, value);
    }

    function _lockValue(uint256 shares) private view returns (uint256) {
        return shares == 0 ? 0 : _tranche(JUNIOR).convertToAssets(shares);
    }

    function _setLocked(uint256 shares) private {
        _l.locked = shares;
        emit CuratorLocked(shares);
    }

    /// @dev Everything about a sale but capacity and price; answers the floor rate in force.
    function _checkSale(
        bytes32 product,
        Exposure.Cover storage cover,
        uint256 sum,
        uint256 inception,
        uint256 expiry
    ) private view returns (uint256) {
        (uint256 cap, uint256 floorRate, bool live) = cover.setting(block.timestamp);
        if (!live) revert NotEffective(product, cover.effectiveAt);
        if (expiry % Stream.DAY != 0) revert BadExpiry(expiry);
        uint256 term = Math.saturatingSub(expiry, inception);
        if (term < cover.minTerm || term > cover.maxTerm) {
            revert TermOutOfRange(term, cover.minTerm, cover.maxTerm);
        }
        uint256 expected = block.timestamp + cover.waitingPeriod;
        if (inception != expected) revert WrongInception(expected, inception);
        uint256 wanted = cover.exposureAt(block.timestamp) + sum;
        if (wanted > cap) revert CapExceeded(product, wanted, cap);
        return floorRate;
    }

    /// @dev Takes a part of a policy out of the exposure; answers what the pool's exposure is then.
    function _expose(bytes32 product, uint128 sum, uint256 expiry) private returns (uint256) {
        Exposure.Cover storage cover = _known(product);
        cover.roll(block.timestamp);
        uint256 out = cover.remove(sum, expiry, block.timestamp);
        if (out != 0) {
            _l.exposureEnds[out] -= sum;
            _l.exposure -= sum;
        }
        return _l.exposure;
    }

    function _surgeNow() private view returns (uint256) {
        return Price.decayed(_l.surge, block.timestamp - _l.surgeAt, _l.config.surgeHalfLife);
    }

    // ----- payments -----

    /// @dev In the dwell only the curator's lock may be spent.
    function _payInstantly(Waterfall.Entry storage entry, PayOrder calldata order)
        private
        returns (uint256 paid)
    {
        paid = Math.min(Math.saturatingSub(order.due, order.paidBefore), instantBudget(order.incident));
        uint128 added = uint128(paid);
        entry.paid += added;
        entry.instantPaid += added;
        _l.shares[order.incident][order.product].instantPaid += added;
        _l.instantOutstanding += added;
    }

    /// @dev After the dwell everyone gets the same fraction, which only grows as the booking is filled.
    function _payShare(Waterfall.Entry storage entry, PayOrder calldata order)
        private
        returns (uint256 paid)
    {
        (uint256 reserved, uint256 funded, uint256 before) = (entry.reserved, entry.funded, entry.paid);
        if (_l.closedAt == 0 && entry.due > funded) _close();
        if (reserved == 0) return 0;
        uint256 target = Math.mulDiv(order.due, Math.min(funded, reserved), reserved);
        paid = Math.saturatingSub(target, order.paidBefore);
        // What is due in all is at most what is reserved; should it not be, money of others stays untouched.
        paid = Math.min(paid, Math.saturatingSub(funded, before));
        entry.paid = uint128(before + paid);
    }

    function _close() private {
        _l.closedAt = uint64(block.timestamp);
        emit PoolClosed(block.timestamp);
    }

    function _payOut(PayOrder calldata order, address opener, uint256 paid) private {
        uint256 bounty = paid * _l.covers[order.product].bountyBps / BPS;
        uint256 toOpener = opener == order.holder ? 0 : bounty / 2;
        uint256 toSettler = order.settler == order.holder ? 0 : bounty - bounty / 2;
        _payPart(order.incident, opener, toOpener);
        _payPart(order.incident, order.settler, toSettler);
        _payPart(order.incident, order.holder, paid - toOpener - toSettler);
    }

    function _payPart(uint256 incident, address to, uint256 amount) private {
        if (amount == 0) return;
        emit Paid(incident, to, amount, !_send(to, amount));
    }

    /// @dev Sends, or owes what cannot be sent: nobody who refuses money stops anyone else.
    function _send(address to, uint256 amount) private returns (bool sent) {
        if (amount == 0) return true;
        sent = IERC20(asset).trySafeTransfer(to, amount);
        if (sent) return true;
        _l.owed[to] += amount;
        _l.owedSum += uint128(amount);
        emit Credited(to, amount);
    }

    // ----- small -----

    /// @dev A layer stays at 2^128 - 1, which no honest asset reaches: an overflow here would deny an incident to
    ///      every other pool of its gauge.
    function _add(uint256 index, uint256 amount) private {
        if (amount == 0) return;
        _l.layers[index] = uint128(Math.min(_l.layers[index] + amount, type(uint128).max));
    }

    function _layerOf(address caller) private view returns (uint256 index) {
        for (index = JUNIOR; index <= SENIOR; ++index) {
            if (caller == address(_tranche(index))) return index;
        }
        revert NotTranche(caller);
    }

    /// @dev Reverts with an error of one argument, the caller.
    function _only(address expected, bytes4 error_) private view {
        if (msg.sender == expected) return;
        bytes memory data = abi.encodeWithSelector(error_, msg.sender);
        assembly ("memory-safe") {
            revert(add(data, 32), mload(data))
        }
    }
}
