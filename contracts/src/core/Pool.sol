// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICatalog, Product} from "../interfaces/ICatalog.sol";
import {IIncidents, Incident, Status} from "../interfaces/IIncidents.sol";
import {Booking, IPool, PayOrder, PoolConfig, Reduction} from "../interfaces/IPool.sol";
import {IPoolCapital, PoolState, Underwriting} from "../interfaces/IPoolCapital.sol";
import {ITranche} from "../interfaces/ITranche.sol";
import {Due} from "../libraries/Due.sol";
import {Exposure} from "../libraries/Exposure.sol";
import {Price} from "../libraries/Price.sol";
import {Stream} from "../libraries/Stream.sol";
import {Waterfall} from "../libraries/Waterfall.sol";
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
contract Pool is IPool, IPoolCapital, ReentrancyGuardTransient {
    using Exposure for Exposure.Cover;
    using SafeCast for uint256;
    using SafeERC20 for IERC20;
    using Stream for Stream.Store;
    using Waterfall for Waterfall.Entry;

    /// @dev What one incident left of one product. `instantPaid` is at most what the reserve holds for it.
    struct Share {
        uint128 instantPaid;
        uint64 fraction; // wad, at most 1e18
    }

    /// @dev What an accrual, or the call behind it, paid to cohorts.
    struct Exits {
        uint256[4] assets;
        bool[4] looked;
    }

    uint256 private constant WAD = 1e18;
    uint256 private constant BPS = 10_000;
    uint256 private constant SHARE_OFFSET = 1e6;
    uint256 private constant JUNIOR = 1;
    uint256 private constant SENIOR = 3;
    /// @dev A booking walks all products of its gauge in the transaction that opens the incident.
    uint256 public constant MAX_PRODUCTS = 4;

    ICatalog public immutable catalog;
    IIncidents public immutable incidents;
    address public immutable policies;
    address public immutable asset;
    address public immutable curator;
    ITranche private immutable _junior;
    ITranche private immutable _mezzanine;
    ITranche private immutable _senior;
    uint256 private immutable _epoch;
    uint256 private immutable _leverageBps;
    uint256 private immutable _subordinationBps;
    uint256 private immutable _surplusBps;
    uint256 private immutable _surgeHalfLife;

    /// @dev The rest of the config; never written again.
    PoolConfig private _config;

    /// @dev surplus, junior, mezzanine, senior: money that bears losses. Two words.
    uint128[4] private _layers;
    Stream.Store private _stream;

    // One word: exposure that counts for price, leverage and exits. Invariant: the sum over all products.
    uint128 private _exposure;
    uint64 private _surge; // wad, as of `_surgeAt`
    uint32 private _surgeAt; // seconds, enough until 2106
    uint32 private _rolled; // day: all releases up to it are out of `_exposure`
    mapping(uint256 day => uint256 amount) public exposureEnds;

    // One word. Money that belongs to depositors who wait for shares, and to cohorts that were paid.
    uint128 private _pendingDeposits;
    uint128 private _redeemable;

    // One word. Invariant: `_owed` is the sum of `owed`.
    uint128 private _owed;
    uint64 public closedAt; // seconds; zero: open
    uint32 private _epochDone; // deposits and exits of all epochs up to it are done
    uint32 private _dwelling; // bookings whose incident dwells
    mapping(address account => uint256 amount) public owed;

    // One word. `_instantOutstanding` is the sum of instantPaid of the bookings that are not settled.
    uint128 private _capSum; // sum of the caps asked for; pending ones count
    uint128 private _instantOutstanding;
    /// @inheritdoc IPool
    uint256 public locked;

    mapping(bytes32 product => Exposure.Cover) private _covers;
    /// @dev At most MAX_PRODUCTS each; the catalog knows this pool under every gauge that has one.
    mapping(bytes32 gauge => bytes32[]) private _products;
    mapping(uint256 incident => Waterfall.Entry) private _entries;
    mapping(uint256 incident => mapping(bytes32 product => Share)) private _shares;
    /// @dev Incidents in the order in which they fell short. One that is no longer short is dropped at the head.
    uint256[] private _short;
    uint256 private _shortHead;

    constructor(PoolConfig memory c, ICatalog catalog_, IIncidents incidents_, address policies_) {
        _checkConfig(c);
        (catalog, incidents, policies) = (catalog_, incidents_, policies_);
        (asset, curator, _config) = (c.asset, c.curator, c);
        (_epoch, _leverageBps, _subordinationBps) = (c.epoch, c.leverageBps, c.subordinationBps);
        (_surplusBps, _surgeHalfLife) = (c.surplusBps, c.surgeHalfLife);
        _stream.time = uint64(block.timestamp);
        _rolled = uint32(block.timestamp / Stream.DAY);
        _epochDone = uint32(block.timestamp / c.epoch);
        _junior = new Tranche(c.asset, 1, c.epoch, c.cooldown, c.curator, "Breakwater Junior", "BW-J");
        _mezzanine = new Tranche(c.asset, 2, c.epoch, c.cooldown, address(0), "Breakwater Mezzanine", "BW-M");
        _senior = new Tranche(c.asset, 3, c.epoch, c.cooldown, address(0), "Breakwater Senior", "BW-S");
    }

    modifier onlyPolicies() {
        if (msg.sender != policies) revert NotPolicies(msg.sender);
        _;
    }

    modifier onlyIncidents() {
        if (msg.sender != address(incidents)) revert NotIncidents(msg.sender);
        _;
    }

    modifier onlyCurator() {
        if (msg.sender != curator) revert NotCurator(msg.sender);
        _;
    }

    /// @inheritdoc IPool
    function accrue() external nonReentrant {
        _accrue();
    }

    // ----- the curator -----

    /// @inheritdoc IPool
    function setProduct(bytes32 product, uint128 cap, uint64 floorRate) external nonReentrant onlyCurator {
        if (closedAt != 0) revert PoolIsClosed(closedAt);
        _accrue();
        Exposure.Cover storage cover = _covers[product];
        bool first = cover.gauge == 0;
        if (first) _underwrite(product, cover);
        uint128 before = cover.effectiveAt == 0 ? cover.cap : cover.pendingCap;
        (uint128 capNow, uint64 rateNow, bool live) = cover.setting(block.timestamp);
        bool raises = cap > capNow;
        bool waits = raises || floorRate < rateNow;
        (cover.cap, cover.floorRate) = (raises ? capNow : cap, floorRate < rateNow ? rateNow : floorRate);
        cover.live = live || !waits;
        uint256 effectiveAt = block.timestamp;
        if (waits) effectiveAt += uint256(_config.cooldown) + 2 * _epoch;
        (cover.pendingCap, cover.pendingRate) = waits ? (cap, floorRate) : (0, 0);
        cover.effectiveAt = waits ? uint64(effectiveAt) : 0;
        _capSum = _capSum - before + cap;
        if (raises) _checkLock(locked, 0);
        emit ProductCapped(product, cover.gauge, cap, floorRate, effectiveAt);
        if (first && _products[cover.gauge].length == 1) catalog.attach(cover.gauge);
    }

    /// @inheritdoc IPool
    function lock(uint256 shares) external nonReentrant onlyCurator {
        if (shares == 0) revert ZeroAmount();
        _accrue();
        uint256 balance = _junior.balanceOf(curator);
        if (balance < locked || balance - locked < shares) revert ITranche.SharesLocked(locked, balance);
        _setLocked(locked + shares);
    }

    /// @inheritdoc IPool
    function unlock(uint256 shares) external nonReentrant onlyCurator {
        if (shares == 0) revert ZeroAmount();
        if (shares > locked) revert LockTooSmall(shares, locked);
        _accrue();
        _checkLock(locked - shares, _instantOutstanding);
        _setLocked(locked - shares);
    }

    // ----- policies -----

    /// @inheritdoc IPool
    function sell(bytes32 product, uint128 sum, uint64 inception, uint64 expiry, uint256 premium)
        external
        nonReentrant
        onlyPolicies
        returns (uint256 streamRate)
    {
        _accrue();
        uint256 price = quote(product, sum, inception, expiry);
        if (premium != price) revert WrongPremium(price, premium);
        Exposure.Cover storage cover = _covers[product];
        cover.roll(block.timestamp);
        exposureEnds[cover.add(sum, inception, expiry)] += sum;
        // The sum was found to fit the capacity, and any exposure of 128 bits fits the word.
        uint256 exposure = uint256(_exposure) + sum;
        _exposure = exposure.toUint128();
        streamRate = premium * WAD / (expiry - block.timestamp);
        // The part of a unit that does not stream is earned at once.
        _distribute(premium - _stream.start(streamRate, expiry));
        emit Sold(product, sum, premium, inception, expiry, exposure);
    }

    /// @inheritdoc IPool
    function reduce(Reduction calldata r) external nonReentrant onlyPolicies returns (uint256 refund) {
        _accrue();
        uint256 from = closedAt != 0 ? block.timestamp : Math.max(block.timestamp, r.refundFrom);
        uint256 freed = _stream.cut(r.streamRate, r.expiry);
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
    function pay(PayOrder calldata order) external nonReentrant onlyPolicies returns (uint256 paid) {
        _accrue();
        Incident memory incident = incidents.incident(order.incident);
        Waterfall.Entry storage entry = _entries[order.incident];
        entry.due += order.due - order.dueBefore;
        bool dwells = incident.status == Status.Dwelling;
        paid = dwells ? _payInstantly(entry, order) : _payShare(entry, order);
        emit BookingPaid(
            order.incident,
            order.product,
            entry.due,
            entry.paid,
            _shares[order.incident][order.product].instantPaid
        );
        if (paid == 0) return 0;
        // At most what is funded, so 128 bits hold it.
        uint256 exposure = _expose(order.product, uint128(paid), order.expiry);
        emit ExposureReduced(order.product, paid, 0, order.expiry, 0, exposure);
        _payOut(order, incident.opener, paid);
    }

    // ----- incidents -----

    /// @inheritdoc IPool
    function book(uint256 incident, bytes32 gauge, uint64 onsetTime, uint128 loss, uint128 base)
        external
        nonReentrant
        onlyIncidents
        returns (uint256 returned)
    {
        // Without deposits and exits: nobody leaves in the call that brings the loss.
        _earn();
        Waterfall.Entry storage entry = _entries[incident];
        uint256 lambda = loss == 0 ? 0 : Due.lambda(loss, base);
        bytes32[] memory products = _products[gauge];
        (uint256 reserve, uint256[] memory inForce_, uint256[] memory fractions) =
            _assess(products, onsetTime, lambda);
        if (entry.openedAt == 0) {
            if (reserve == 0) return 0;
            (entry.openedAt, entry.limit) = (uint48(block.number), _layers);
            ++_dwelling;
        }
        (uint256 excess, uint256[] memory excesses) =
            _writeShares(incident, entry, products, onsetTime, inForce_, fractions);
        entry.onsetTime = uint48(onsetTime);
        uint256 borne = _rebook(incident, entry, reserve, excess);
        emit Booked(incident, onsetTime, reserve, entry.funded, _surge);
        for (uint256 i; borne != 0; ++i) {
            uint256 part = Math.min(borne, excesses[i]);
            if (part == 0) continue;
            borne -= part;
            Product memory terms = catalog.product(products[i]);
            returned += Math.mulDiv(part, terms.unitDen, terms.unitNum);
        }
    }

    /// @inheritdoc IPool
    function settleBooking(uint256 incident) external nonReentrant onlyIncidents {
        _accrue();
        Waterfall.Entry storage entry = _entries[incident];
        if (entry.openedAt == 0 || entry.settled) return;
        entry.settled = true;
        --_dwelling;
        _instantOutstanding -= entry.instantPaid;
        emit BookingSettled(incident);
    }

    /// @inheritdoc IPool
    function closeBooking(uint256 incident) external nonReentrant {
        Waterfall.Entry storage entry = _entries[incident];
        if (entry.openedAt == 0) revert UnknownBooking(incident);
        if (entry.closed) revert BookingIsClosed(incident);
        Incident memory known = incidents.incident(incident);
        if (known.status != Status.Final || block.timestamp <= known.claimsEnd) {
            revert ClaimsOpen(incident, known.claimsEnd);
        }
        _accrue();
        (uint128 due, uint256 funded) = (entry.due, entry.funded);
        (entry.closed, entry.reserved) = (true, due);
        emit BookingClosed(incident, due, entry.paid);
        _release(incident, entry, entry.give(funded - Math.min(funded, due)), 0);
    }

    /// @inheritdoc IPool
    function withdraw(address account) external nonReentrant returns (uint256 amount) {
        amount = owed[account];
        if (amount == 0) revert NothingOwed(account);
        _accrue();
        owed[account] = 0;
        _owed -= uint128(amount);
        emit Withdrawn(account, amount);
        IERC20(asset).safeTransfer(account, amount);
    }

    // ----- tranches -----

    /// @inheritdoc IPoolCapital
    function takeDeposit(address owner, uint256 assets) external nonReentrant {
        _layerOf(msg.sender);
        _pendingDeposits += assets.toUint128();
        uint256 before = IERC20(asset).balanceOf(address(this));
        // Under this pool's guard, so that no other deposit can be counted twice in between.
        ITranche(msg.sender).pull(owner, assets);
        uint256 got = IERC20(asset).balanceOf(address(this)) - before;
        if (got != assets) revert WrongTransfer(assets, got);
    }

    /// @inheritdoc IPoolCapital
    function returnDeposit(address to, uint256 assets) external nonReentrant {
        _layerOf(msg.sender);
        _pendingDeposits -= assets.toUint128();
        _send(to, assets);
    }

    /// @inheritdoc IPoolCapital
    function payExits() external nonReentrant returns (uint256 assets, bool looked) {
        uint256 index = _layerOf(msg.sender);
        Exits memory exits = _accrue();
        if (_dwelling == 0) _payCohort(index, exits);
        return (exits.assets[index], exits.looked[index]);
    }

    /// @inheritdoc IPoolCapital
    function sendRedemption(address to, uint256 assets) external nonReentrant {
        _layerOf(msg.sender);
        _redeemable -= assets.toUint128();
        _send(to, assets);
    }

    /// @inheritdoc IPoolCapital
    function lockRecovered(uint256 shares) external nonReentrant {
        if (_layerOf(msg.sender) != JUNIOR) revert NotTranche(msg.sender);
        _setLocked(locked + shares);
    }

    // ----- views -----

    /// @inheritdoc IPool
    function quote(bytes32 product, uint128 sum, uint64 inception, uint64 expiry)
        public
        view
        returns (uint256)
    {
        if (closedAt != 0) revert PoolIsClosed(closedAt);
        Exposure.Cover storage cover = _known(product);
        uint256 floorRate = _checkSale(product, cover, sum, inception, expiry);
        PoolConfig storage c = _config;
        Price.Curve memory curve = Price.Curve({
            capacity: Price.capacity(capital(), _leverageBps),
            kink: c.kink,
            scarcityKink: c.scarcityKink,
            scarcityFull: c.scarcityFull
        });
        uint256 exposure = _exposure;
        if (exposure + sum > curve.capacity) revert CapacityExceeded(exposure + sum, curve.capacity);
        uint256 base = Price.base(floorRate, c.costOfCapital, _leverageBps);
        return Price.premium(curve, exposure, exposure + sum, base, _surgeNow(), expiry - inception);
    }

    /// @inheritdoc IPool
    function fraction(uint256 incident, bytes32 product) external view returns (uint256) {
        _known(product);
        return _shares[incident][product].fraction;
    }

    /// @inheritdoc IPool
    function instantBudget(uint256 incident) public view returns (uint256) {
        Waterfall.Entry storage entry = _entries[incident];
        uint256 budget = Math.saturatingSub(_lockValue(locked), _instantOutstanding);
        return Math.min(budget, Math.saturatingSub(entry.funded, entry.paid));
    }

    /// @inheritdoc IPool
    function booking(uint256 incident) external view returns (Booking memory) {
        Waterfall.Entry storage e = _entries[incident];
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
        return uint256(_layers[0]) + _layers[1] + _layers[2] + _layers[3];
    }

    /// @inheritdoc IPoolCapital
    function layer(uint256 index) external view returns (uint256) {
        return _layers[index];
    }

    /// @inheritdoc IPoolCapital
    function exitable(uint256 index) public view returns (uint256) {
        uint256 needed = Math.ceilDiv(uint256(_exposure) * BPS, _leverageBps);
        uint256 free = Math.saturatingSub(capital(), needed);
        if (index == SENIOR) return free;
        uint256 below = uint256(_layers[1]) + _layers[2];
        // With both sides after the exit; surplus belongs to nobody who could leave.
        uint256 spare = Math.saturatingSub(below * BPS, _subordinationBps * (below + _layers[3]));
        return Math.min(free, spare / (BPS - _subordinationBps));
    }

    /// @inheritdoc IPoolCapital
    function config() external view returns (PoolConfig memory) {
        return _config;
    }

    /// @inheritdoc IPoolCapital
    function state() external view returns (PoolState memory) {
        return PoolState({
            layers: _layers,
            unearnedScaled: _stream.unearnedScaled,
            streamRate: _stream.rate,
            accruedTo: _stream.time,
            epochDone: _epochDone,
            exposure: _exposure,
            surge: _surge,
            surgeAt: _surgeAt,
            pendingDeposits: _pendingDeposits,
            redeemable: _redeemable,
            owed: _owed,
            capSum: _capSum,
            instantOutstanding: _instantOutstanding,
            dwelling: _dwelling
        });
    }

    /// @inheritdoc IPoolCapital
    function tranche(uint256 index) external view returns (address) {
        return address(_tranche(index));
    }

    /// @inheritdoc IPoolCapital
    function underwriting(bytes32 product) external view returns (Underwriting memory u) {
        Exposure.Cover storage c = _covers[product];
        u.gauge = c.gauge;
        (u.cap, u.floorRate, u.live) = c.setting(block.timestamp);
        if (c.effectiveAt > block.timestamp) {
            (u.pendingCap, u.pendingRate, u.effectiveAt) = (c.pendingCap, c.pendingRate, c.effectiveAt);
        }
        u.exposure = uint128(c.exposureAt(block.timestamp));
    }

    /// @inheritdoc IPoolCapital
    function productsOf(bytes32 gauge) external view returns (bytes32[] memory) {
        return _products[gauge];
    }

    /// @inheritdoc IPoolCapital
    function inForce(bytes32 product, uint256 time) external view returns (uint256) {
        return _covers[product].inForce(time);
    }

    /// @inheritdoc IPoolCapital
    function dayOf(bytes32 product, uint256 day)
        external
        view
        returns (uint256 expiring, uint256 releasing)
    {
        Exposure.Day storage d = _covers[product].days_[day];
        return (d.expiring, d.releasing);
    }

    /// @inheritdoc IPoolCapital
    function streamEnds(uint256 day) external view returns (uint256) {
        return _stream.ends[day];
    }

    /// @inheritdoc IPoolCapital
    function instantPaid(uint256 incident, bytes32 product) external view returns (uint256) {
        return _shares[incident][product].instantPaid;
    }

    /// @inheritdoc IPoolCapital
    function shortBookings() external view returns (uint256[] memory line) {
        line = new uint256[](_short.length - _shortHead);
        for (uint256 i; i < line.length; ++i) {
            line[i] = _short[_shortHead + i];
        }
    }

    // ----- accrual -----

    /// @dev Brings everything up to now; deposits and exits only once an epoch, and never while a booking dwells.
    function _accrue() private returns (Exits memory exits) {
        _earn();
        uint256 epoch = block.timestamp / _epoch;
        if (_epochDone >= epoch || _dwelling != 0) return exits;
        // Enough for four billion epochs.
        _epochDone = uint32(epoch);
        for (uint256 i = JUNIOR; i <= SENIOR; ++i) {
            uint128 deposited = uint128(_tranche(i).processDeposits());
            if (deposited != 0) {
                _pendingDeposits -= deposited;
                _layers[i] += deposited;
            }
            _payCohort(i, exits);
        }
    }

    /// @dev Lets premiums be earned and exposure fall.
    function _earn() private {
        uint256 today = block.timestamp / Stream.DAY;
        if (_rolled < today) {
            uint256 exposure = _exposure;
            // Once nothing is left, no later day releases anything.
            for (uint256 day = _rolled + 1; day <= today && exposure != 0; ++day) {
                exposure -= exposureEnds[day];
            }
            (_exposure, _rolled) = (uint128(exposure), uint32(today));
        }
        uint256 earned = _stream.advance(block.timestamp);
        if (earned == 0) return;
        _distribute(earned);
        emit Accrued(block.timestamp, earned);
    }

    /// @dev Surplus takes its part, the tranches the rest by weight and size. Parts of all but senior round down.
    function _distribute(uint256 earned) private {
        if (earned == 0) return;
        uint256 toSurplus = earned * _surplusBps / BPS;
        uint256 rest = earned - toSurplus;
        uint16[3] memory weights = _config.weightBps;
        uint256[3] memory scaled;
        for (uint256 i; i < 3; ++i) {
            scaled[i] = uint256(weights[i]) * _layers[i + 1];
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
        _layers[index] -= uint128(assets);
        _redeemable += uint128(assets);
    }

    // ----- products -----

    function _underwrite(bytes32 product, Exposure.Cover storage cover) private {
        Product memory terms = catalog.product(product);
        if (terms.unitDen == 0) revert UnknownProduct(product);
        if (terms.asset != asset) revert WrongAsset(asset, terms.asset);
        bytes32[] storage products = _products[terms.gauge];
        if (products.length == MAX_PRODUCTS) revert TooManyProducts(terms.gauge, MAX_PRODUCTS);
        products.push(product);
        cover.init(terms, block.timestamp);
    }

    /// @dev Value of `shares` of the lock must cover the curator's part of all caps, and `least`.
    function _checkLock(uint256 shares, uint256 least) private view {
        uint256 caps = closedAt != 0
            ? 0
            : Math.ceilDiv(uint256(_capSum) * _config.curatorShareBps, BPS);
        uint256 needed = Math.max(caps, least);
        uint256 value = _lockValue(shares);
        if (value < needed) revert LockTooSmall(needed, value);
    }

    function _lockValue(uint256 shares) private view returns (uint256) {
        return shares == 0 ? 0 : _junior.convertToAssets(shares);
    }

    function _setLocked(uint256 shares) private {
        locked = shares;
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
            exposureEnds[out] -= sum;
            _exposure -= sum;
        }
        return _exposure;
    }

    function _known(bytes32 product) private view returns (Exposure.Cover storage cover) {
        cover = _covers[product];
        if (cover.gauge == 0) revert UnknownProduct(product);
    }

    function _surgeNow() private view returns (uint256) {
        return Price.decayed(_surge, block.timestamp - _surgeAt, _surgeHalfLife);
    }

    // ----- payments -----

    /// @dev In the dwell only the curator's lock may be spent.
    function _payInstantly(Waterfall.Entry storage entry, PayOrder calldata order) private returns (uint256 paid) {
        paid = Math.min(
            Math.saturatingSub(order.due, order.paidBefore), instantBudget(order.incident)
        );
        uint128 added = uint128(paid);
        entry.paid += added;
        entry.instantPaid += added;
        _shares[order.incident][order.product].instantPaid += added;
        _instantOutstanding += added;
    }

    /// @dev After the dwell everyone gets the same fraction, which only grows as the booking is filled.
    function _payShare(Waterfall.Entry storage entry, PayOrder calldata order) private returns (uint256 paid) {
        (uint256 reserved, uint256 funded, uint256 before) = (entry.reserved, entry.funded, entry.paid);
        if (closedAt == 0 && entry.due > funded) _close();
        if (reserved == 0) return 0;
        uint256 target = Math.mulDiv(order.due, Math.min(funded, reserved), reserved);
        paid = Math.saturatingSub(target, order.paidBefore);
        // What is due in all is at most what is reserved; should it not be, money of others stays untouched.
        paid = Math.min(paid, Math.saturatingSub(funded, before));
        entry.paid = uint128(before + paid);
    }

    function _close() private {
        closedAt = uint64(block.timestamp);
        emit PoolClosed(block.timestamp);
    }

    function _payOut(PayOrder calldata order, address opener, uint256 paid) private {
        uint256 bounty = paid * _covers[order.product].bountyBps / BPS;
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
        owed[to] += amount;
        _owed += uint128(amount);
        emit Credited(to, amount);
    }

    // ----- bookings -----

    /// @dev What was in force of each product at the onset, the fraction of it that is owed, and the sum.
    function _assess(bytes32[] memory products, uint256 onsetTime, uint256 lambda)
        private
        view
        returns (uint256 reserve, uint256[] memory inForce_, uint256[] memory fractions)
    {
        inForce_ = new uint256[](products.length);
        fractions = new uint256[](products.length);
        for (uint256 i; i < products.length; ++i) {
            Exposure.Cover storage cover = _covers[products[i]];
            uint256 sums = cover.inForce(onsetTime);
            uint256 f = Due.fraction(lambda, cover.deductibleBps);
            uint256 limit = cover.eventLimit;
            if (limit != 0 && sums * f / WAD > limit) f = limit * WAD / sums;
            (inForce_[i], fractions[i]) = (sums, f);
            reserve += sums * f / WAD;
        }
    }

    /// @dev Stores the fractions and finds what of the instant payments the new reserve does not hold.
    function _writeShares(
        uint256 incident,
        Waterfall.Entry storage entry,
        bytes32[] memory products,
        uint256 onsetTime,
        uint256[] memory inForce_,
        uint256[] memory fractions
    ) private returns (uint256 excess, uint256[] memory excesses) {
        excesses = new uint256[](products.length);
        for (uint256 i; i < products.length; ++i) {
            Share storage share = _shares[incident][products[i]];
            uint256 paid = share.instantPaid;
            if (paid != 0) {
                excesses[i] = _excess(
                    _covers[products[i]], entry.onsetTime, onsetTime, paid, share.fraction, fractions[i]
                );
                excess += excesses[i];
                paid -= excesses[i];
            }
            (share.instantPaid, share.fraction) = (uint128(paid), uint64(fractions[i]));
            emit ProductBooked(incident, products[i], inForce_[i], fractions[i], paid);
        }
    }

    /// @dev Of `paid`: what went to policies that the new onset leaves out, and what the lower fraction takes back.
    function _excess(
        Exposure.Cover storage cover,
        uint256 onsetBefore,
        uint256 onset,
        uint256 paid,
        uint256 fractionBefore,
        uint256 fractionNow
    ) private view returns (uint256 excess) {
        if (onset != onsetBefore) {
            uint256 left = Math.saturatingSub(cover.inceptedBy(onsetBefore), cover.inceptedBy(onset));
            excess = Math.min(paid, Math.mulDiv(left, fractionBefore, WAD, Math.Rounding.Ceil));
        }
        if (fractionNow < fractionBefore) {
            excess += Math.mulDiv(
                paid - excess, fractionBefore - fractionNow, fractionBefore, Math.Rounding.Ceil
            );
        }
    }

    /// @dev Raises or lowers the reserve, lets the curator bear `excess`; answers what he could bear of it.
    function _rebook(uint256 incident, Waterfall.Entry storage entry, uint256 reserve, uint256 excess)
        private
        returns (uint256 borne)
    {
        (uint256 reserved, uint256 funded) = (entry.reserved, entry.funded);
        uint256[4] memory given;
        entry.reserved = reserve.toUint128();
        if (reserve > reserved) _raise(incident, entry, reserve - reserved);
        else given = entry.give(funded - Math.min(funded, reserve));
        if (excess != 0) {
            borne = Math.min(excess, _layers[JUNIOR] + given[JUNIOR]);
            entry.instantPaid -= uint128(excess);
            _instantOutstanding -= uint128(excess);
            entry.paid -= uint128(borne);
            entry.due -= uint128(borne);
            _keepPaid(entry, given, _missing(borne, _layers[JUNIOR]));
        }
        _release(incident, entry, given, borne);
        if (borne != 0) _bear(incident, borne);
    }

    function _raise(uint256 incident, Waterfall.Entry storage entry, uint256 amount) private {
        uint256 more = Math.mulDiv(_config.surgeSlope, amount, Math.max(1, capital()));
        _surge = uint64(Math.min(_config.surgeMax, _surgeNow() + more));
        _surgeAt = uint32(block.timestamp);
        uint256[4] memory taken = entry.charge(_layers, amount);
        for (uint256 i; i < Waterfall.LAYERS; ++i) {
            if (taken[i] != 0) emit Charged(incident, i, taken[i]);
        }
        if (entry.funded < entry.reserved && !entry.queued) {
            entry.queued = true;
            _short.push(incident);
        }
    }

    /// @dev What was paid and nobody bears stays charged, but of junior's no more than leaves `kept`.
    function _keepPaid(Waterfall.Entry storage entry, uint256[4] memory given, uint256 kept) private {
        uint256 missing = Math.saturatingSub(entry.paid, entry.funded);
        if (missing == 0) return;
        given[JUNIOR] -= kept;
        entry.fill(given, missing);
        given[JUNIOR] += kept;
    }

    /// @dev Gives `given` to bookings that are short, then to the layers; `borne` is to leave junior afterwards.
    function _release(uint256 incident, Waterfall.Entry storage entry, uint256[4] memory given, uint256 borne)
        private
    {
        uint256 kept = _missing(borne, _layers[JUNIOR]);
        given[JUNIOR] -= kept;
        _fillShort(incident, given);
        given[JUNIOR] += kept;
        uint256 openedAt = entry.openedAt;
        for (uint256 i = SENIOR; i >= JUNIOR; --i) {
            uint256 amount = given[i];
            if (amount == 0) continue;
            (bool held, uint256 minted) = _tranche(i).mintRecovery(incident, openedAt, amount);
            if (!held) {
                given[0] += amount;
                continue;
            }
            _add(i, amount);
            emit Released(incident, i, amount, minted);
        }
        if (given[0] == 0) return;
        _add(0, given[0]);
        emit Released(incident, 0, given[0], 0);
    }

    /// @dev One step for each booking that it fills, and one for the last that it does not.
    function _fillShort(uint256 from, uint256[4] memory given) private {
        uint256 left = given[0] + given[1] + given[2] + given[3];
        uint256 head = _shortHead;
        while (left != 0 && head < _short.length) {
            uint256 to = _short[head];
            Waterfall.Entry storage entry = _entries[to];
            uint256 amount = Math.min(left, Math.saturatingSub(entry.reserved, entry.funded));
            if (amount != 0) {
                left -= amount;
                uint256[4] memory parts = entry.fill(given, amount);
                for (uint256 i; i < Waterfall.LAYERS; ++i) {
                    if (parts[i] != 0) emit Filled(from, to, i, parts[i]);
                }
            }
            if (entry.funded < entry.reserved) break;
            entry.queued = false;
            ++head;
        }
        _shortHead = head;
    }

    /// @dev Takes `borne` out of junior and as much value out of the curator's lock.
    function _bear(uint256 incident, uint256 borne) private {
        uint256 assets = _layers[JUNIOR];
        uint256 shares = Math.mulDiv(
            borne, _junior.totalSupply() + SHARE_OFFSET, assets + 1, Math.Rounding.Ceil
        );
        shares = Math.min(shares, locked);
        _layers[JUNIOR] = uint128(assets - borne);
        _setLocked(locked - shares);
        emit InstantLoss(incident, borne, shares);
        _junior.burnLocked(curator, shares);
    }

    // ----- small -----

    function _add(uint256 index, uint256 amount) private {
        if (amount != 0) _layers[index] += uint128(amount);
    }

    function _missing(uint256 amount, uint256 there) private pure returns (uint256) {
        return Math.saturatingSub(amount, there);
    }

    function _tranche(uint256 index) private view returns (ITranche) {
        return index == 1 ? _junior : index == 2 ? _mezzanine : _senior;
    }

    function _layerOf(address caller) private view returns (uint256) {
        if (caller == address(_junior)) return 1;
        if (caller == address(_mezzanine)) return 2;
        if (caller == address(_senior)) return 3;
        revert NotTranche(caller);
    }

    function _checkConfig(PoolConfig memory c) private view {
        _require(c.asset.code.length != 0, "asset", uint160(c.asset));
        _require(c.curator != address(0), "curator", 0);
        _require(c.epoch != 0, "epoch", 0);
        _require(c.leverageBps != 0, "leverageBps", 0);
        _require(c.surgeHalfLife != 0, "surgeHalfLife", 0);
        _require(c.curatorShareBps <= BPS, "curatorShareBps", c.curatorShareBps);
        _require(c.surplusBps <= BPS, "surplusBps", c.surplusBps);
        _require(c.subordinationBps < BPS, "subordinationBps", c.subordinationBps);
        uint256 weights = uint256(c.weightBps[0]) + c.weightBps[1] + c.weightBps[2];
        _require(weights == BPS, "weightBps", weights);
        _require(c.kink != 0 && c.kink < WAD, "kink", c.kink);
        _require(c.scarcityKink >= WAD, "scarcityKink", c.scarcityKink);
        _require(c.scarcityFull >= c.scarcityKink, "scarcityFull", c.scarcityFull);
    }

    function _require(bool holds, bytes32 field, uint256 got) private pure {
        if (!holds) revert OutOfRange(field, got);
    }
}
