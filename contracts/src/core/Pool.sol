// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IERC7540Deposit} from "../interfaces/IAsyncVault.sol";
import {ICatalog} from "../interfaces/ICatalog.sol";
import {IIncidents, Status} from "../interfaces/IIncidents.sol";
import {Booking, IPool, PayOrder, Reduction} from "../interfaces/IPool.sol";
import {IPoolCapital} from "../interfaces/IPoolCapital.sol";
import {IUnderwriting} from "../interfaces/IUnderwriting.sol";
import {ITranche} from "../interfaces/ITranche.sol";
import {Bookings} from "../libraries/Bookings.sol";
import {Buckets, Days} from "../libraries/Buckets.sol";
import {Cessions} from "../libraries/Cessions.sol";
import {Due} from "../libraries/Due.sol";
import {Exposure} from "../libraries/Exposure.sol";
import {Gates} from "../libraries/Gates.sol";
import {Idle} from "../libraries/Idle.sol";
import {Ledger} from "../libraries/Ledger.sol";
import {Price} from "../libraries/Price.sol";
import {Stream} from "../libraries/Stream.sol";
import {Terms} from "../libraries/Terms.sol";
import {Waterfall} from "../libraries/Waterfall.sol";
import {PoolBase} from "./PoolBase.sol";

/// @title Pool
/// @notice Roles: `policies` sells, reduces and pays; `incidents` books; the curator sets caps and locks junior;
///         the three tranches move deposits and exits; everyone else may accrue, close a booking and push what is
///         owed. Nobody can take money out but through a payment, a refund or the redemption queue.
/// @notice Of the asset it assumes that a transfer moves what it says or fails, and that balances do not shrink by
///         themselves. One that takes a fee is refused at the door; one that stalls delays payments, which stay owed.
/// @dev Money identity, at every moment: balance >= the layers + unearned + (funded - ceded + drawn - paid) of all
///      bookings + owed + pending deposits + redeemable + premiums of treaties. Only the right-hand side is acted on.
/// @dev Every entry point: check, accrue, compute, write, emit, call out. Formulas are in docs/design.md, "Pool".
contract Pool is PoolBase, IPool, IPoolCapital {
    using Buckets for Buckets.Store;
    using Cessions for Cessions.Store;
    using Days for Days.Sums;
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
    uint256 private constant SENIOR = 3;
    /// @dev Payments accrue too, and must not hang on a contract that the curator chose.
    uint256 private constant LEVERAGE_GAS = 100_000;
    /// @dev With less left, what comes after a failed call would fail too.
    uint256 private constant ASSET_GAS = 100_000;

    address public immutable policies;
    address private immutable _desk;

    /// @param desk the `PoolDesk` of the same catalog and incidents.
    constructor(ICatalog catalog_, IIncidents incidents_, address policies_, address desk)
        PoolBase(catalog_, incidents_)
    {
        (policies, _desk) = (policies_, desk);
    }

    /// @dev Everything of `IPoolDesk`. The desk's code is fixed with this one's and works on this storage.
    fallback() external {
        _onlyClone();
        address desk = _desk;
        // All memory is free here, and nothing comes after.
        assembly ("memory-safe") {
            let data := mload(64)
            calldatacopy(data, 0, calldatasize())
            let ok := delegatecall(gas(), desk, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if iszero(ok) { revert(data, returndatasize()) }
            return(data, returndatasize())
        }
    }

    /// @inheritdoc IPool
    function accrue() external nonReentrant {
        _accrue();
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
        // A portfolio pays for its other legs as well.
        if (premium < price) revert WrongPremium(price, premium);
        _l.exposureEnds.add(_addToProduct(product, sum, expiry), sum);
        // The sum was found to fit the capacity, and any exposure of 128 bits fits the word.
        uint256 exposure = uint256(_l.exposure) + sum;
        _l.exposure = exposure.toUint128();
        streamRate = premium * WAD / (expiry - block.timestamp);
        // The part of a unit that does not stream is earned at once.
        _distribute(premium - _l.stream.start(streamRate, expiry), 0);
        emit Sold(product, sum, premium, inception, expiry, exposure);
    }

    /// @inheritdoc IPool
    function addLegs(bytes32[] calldata legs, uint256 sold, uint128 sum, uint64 inception, uint64 expiry)
        external
        nonReentrant
    {
        _only(policies, NotPolicies.selector);
        _accrue();
        for (uint256 i; i < legs.length; ++i) {
            if (i == sold) continue;
            // One after another, so that each limit is asked with what the legs before have taken of it.
            quote(legs[i], sum, inception, expiry);
            _addToProduct(legs[i], sum, expiry);
            emit LegAdded(legs[i], sum, inception, expiry);
        }
    }

    /// @inheritdoc IPool
    function reduceLegs(bytes32[] calldata legs, uint256 reduced, uint128 sum, uint64 expiry)
        external
        nonReentrant
    {
        _only(policies, NotPolicies.selector);
        for (uint256 i; i < legs.length; ++i) {
            if (i == reduced) continue;
            _takeFromProduct(legs[i], sum, expiry);
            emit LegReduced(legs[i], sum, expiry);
        }
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
        _distribute(freed - refund, 0);
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
        _payOut(order, _incidents.incident(order.incident).opener, paid);
    }

    // ----- incidents -----

    /// @inheritdoc IPool
    function book(uint256 incident, bytes32 gauge, uint64 onsetTime, uint128 loss, uint128 base)
        external
        nonReentrant
        returns (uint256 returned)
    {
        _only(address(_incidents), NotIncidents.selector);
        // Without deposits and exits: nobody leaves in the call that brings the loss.
        _earn();
        uint256 lambda = loss == 0 ? 0 : Due.lambda(loss, base);
        return Bookings.book(_l, _catalog, incident, gauge, onsetTime, lambda);
    }

    /// @inheritdoc IPool
    function settleBooking(uint256 incident) external nonReentrant {
        _only(address(_incidents), NotIncidents.selector);
        // Without deposits and exits: what goes wrong there must not keep other pools' incidents from being final.
        _earn();
        Waterfall.Entry storage entry = _l.entries[incident];
        if (entry.openedAt == 0 || entry.freed) return;
        if (!entry.settled) {
            entry.settled = true;
            --_l.dwelling;
            emit BookingSettled(incident);
        }
        // What is disputed may still be found to be less, and the curator bears that as well.
        if (_incidents.incident(incident).status == Status.Disputed) return;
        entry.freed = true;
        _l.instantOutstanding -= entry.instantPaid;
        emit LockFreed(incident);
    }

    // ----- tranches -----

    /// @inheritdoc IPoolCapital
    function takeDeposit(address owner, uint256 assets) external nonReentrant {
        _layerOf(msg.sender);
        Gates.check(Terms.gate(), owner, IERC7540Deposit.requestDeposit.selector);
        _l.pendingDeposits += assets.toUint128();
        IERC20 token = IERC20(Terms.asset());
        uint256 before = token.balanceOf(address(this));
        // Under this pool's guard, so that no other deposit can be counted twice in between.
        ITranche(msg.sender).pull(owner, assets);
        uint256 got = token.balanceOf(address(this)) - before;
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
        if (_l.dwelling == 0 && _l.vault.blindSince == 0) _payCohort(index, exits);
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

    /// @notice The contract that lists products and knows this pool.
    function catalog() external view returns (ICatalog) {
        return _catalog;
    }

    /// @notice The contract that books here.
    function incidents() external view returns (IIncidents) {
        return _incidents;
    }

    /// @inheritdoc IPool
    function asset() external view returns (address) {
        return Terms.asset();
    }

    /// @inheritdoc IPool
    function fraction(uint256 incident, bytes32 product) external view returns (uint256) {
        _known(product);
        return _l.shares[incident][product].fraction;
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
            closed: e.closed,
            ceded: e.ceded,
            drawn: e.drawn,
            recovered: e.recovered
        });
    }

    /// @inheritdoc IPool
    function closedAt() external view returns (uint64) {
        return _l.closedAt;
    }

    /// @inheritdoc IPool
    function money() external view returns (uint256 sum) {
        address token = Terms.asset();
        bytes memory data = abi.encodeCall(IERC20.balanceOf, (address(this)));
        assembly ("memory-safe") {
            // One word is read, however much is answered: what a pool's asset does must not stop other pools.
            let ok := staticcall(ASSET_GAS, token, add(data, 32), mload(data), 0, 32)
            if and(ok, gt(returndatasize(), 31)) { sum := mload(0) }
        }
        return Math.saturatingAdd(sum, _l.vault.mark);
    }

    /// @inheritdoc IPool
    function gate() external view returns (address) {
        return Terms.gate();
    }

    /// @inheritdoc IPool
    function locked() external view returns (uint256) {
        return _l.locked;
    }

    /// @inheritdoc IPoolCapital
    function layer(uint256 index) external view returns (uint256) {
        return _l.layers[index];
    }

    /// @inheritdoc IPool
    function quote(bytes32 product, uint128 sum, uint64 inception, uint64 expiry)
        public
        view
        returns (uint256)
    {
        if (_l.closedAt != 0) revert PoolIsClosed(_l.closedAt);
        Exposure.Cover storage cover = _known(product);
        Limits memory l = _checkSale(product, cover, sum, inception, expiry);
        uint256 shape = Terms.curve();
        Price.Curve memory curve = Price.Curve({
            capacity: Price.capacity(_capital(), l.leverage),
            kink: shape >> 128,
            scarcityKink: uint64(shape >> 64),
            scarcityFull: uint64(shape)
        });
        uint256 exposure = _l.exposure;
        if (exposure + sum > curve.capacity) revert CapacityExceeded(exposure + sum, curve.capacity);
        uint256 base = Price.base(l.floorRate, Terms.costOfCapital(), l.leverage);
        return Price.premium(curve, exposure, exposure + sum, base, _surgeNow(), expiry - inception);
    }

    /// @inheritdoc IPool
    function quoteLegs(bytes32[] calldata legs, uint128 sum, uint64 inception, uint64 expiry)
        external
        view
        returns (uint256 premium, uint256 dearest)
    {
        (uint256 most, uint256 saved) = (0, 0);
        for (uint256 i; i < legs.length; ++i) {
            uint256 whole = quote(legs[i], sum, inception, expiry);
            uint256 rate = _limits(legs[i], _l.covers[legs[i]]).floorRate;
            // Scarcity, surge and the cost of capital are for the one sum that the capital stands behind.
            uint256 part = rate == 0 ? whole : Price.actuarial(sum, rate, expiry - inception);
            premium += part;
            if (whole > most) (most, saved, dearest) = (whole, part, i);
        }
        premium = premium - saved + most;
    }

    /// @inheritdoc IPool
    function instantBudget(uint256 incident) public view returns (uint256) {
        Waterfall.Entry storage entry = _l.entries[incident];
        uint256 budget = Math.saturatingSub(_lockValue(_l.locked), _l.instantOutstanding);
        // Treaties pay once a loss is final, so in the dwell only what the layers gave is there.
        return Math.min(budget, Math.saturatingSub(entry.own(), entry.paid));
    }

    /// @inheritdoc IPoolCapital
    function exitable(uint256 index) public view returns (uint256) {
        uint256 needed = Math.ceilDiv(uint256(_l.exposure) * BPS, _exitLeverage());
        uint256 free = Math.saturatingSub(_capital(), needed);
        if (index == SENIOR) return free;
        uint256 below = uint256(_l.layers[1]) + _l.layers[2];
        uint256 subordination = Terms.subordinationBps();
        // With both sides after the exit; surplus belongs to nobody who could leave.
        uint256 spare = Math.saturatingSub(below * BPS, subordination * (below + _l.layers[3]));
        return Math.min(free, spare / (BPS - subordination));
    }

    // ----- accrual -----

    /// @dev Brings everything up to now; deposits and exits only once an epoch, and never while a booking dwells.
    function _accrue() private returns (Exits memory exits) {
        (bool blind, bool low) = _earn();
        uint256 epoch = block.timestamp / Terms.epoch();
        if (_l.epochDone >= epoch || _l.dwelling != 0 || blind) return exits;
        // Enough for four billion epochs. Deposits that wait are tried again by every accrual.
        if (!low) _l.epochDone = uint32(epoch);
        for (uint256 i = JUNIOR; i <= SENIOR; ++i) {
            uint128 deposited = low ? 0 : uint128(_tranche(i).processDeposits());
            if (deposited != 0) {
                _l.pendingDeposits -= deposited;
                _l.layers[i] += deposited;
            }
            _payCohort(i, exits);
        }
        // Once an epoch, and whenever somebody may have left: a vault must not make every accrual dear.
        if (!low || exits.looked[1] || exits.looked[2] || exits.looked[3]) _keepCash();
    }

    /// @dev Exits and losses leave less capital, and the vault's part of it stays within its cap.
    function _keepCash() private {
        Ledger.Vault storage v = _l.vault;
        if (v.mark == 0) return;
        uint256 most = _capital() * v.capBps / BPS;
        if (v.mark > most) Idle.divest(_l, v.mark - most);
    }

    /// @dev Lets premiums be earned and exposure fall, and marks the vault; `blind`: it could not be read, `low`: it
    ///      may be worth more than it is marked at, so that nobody may buy in.
    function _earn() private returns (bool blind, bool low) {
        _onlyClone();
        uint256 today = block.timestamp / Stream.DAY;
        if (_l.rolled < today) {
            uint256 exposure = _l.exposure;
            exposure -= _l.exposureEnds.between(_l.rolled, today, exposure);
            (_l.exposure, _l.rolled) = (uint128(exposure), uint32(today));
        }
        uint256 earned = _l.stream.advance(block.timestamp);
        uint256 back;
        if (_l.vault.vault != address(0)) {
            uint256 gain;
            (gain, back, blind, low) = Idle.mark(_l);
            earned += gain;
        }
        if (earned == 0) return (blind, low);
        _distribute(earned, back);
        emit Accrued(block.timestamp, earned);
    }

    /// @dev Surplus takes its part, the tranches the rest by weight and size. Parts of all but senior round down. What
    ///      the vault had lost and gave `back` is no gain of anybody's but theirs who lost it.
    function _distribute(uint256 earned, uint256 back) private {
        if (earned == 0) return;
        uint256 fresh = earned - back;
        fresh -= _takeFee(fresh);
        if (_l.cessions.line != 0) fresh -= _l.cessions.setAside(fresh);
        earned = fresh + back;
        uint256 toSurplus = earned * Terms.surplusBps() / BPS;
        uint256 rest = earned - toSurplus;
        uint256 weights = Terms.weightsBps();
        uint256[3] memory scaled;
        for (uint256 i; i < 3; ++i) {
            scaled[i] = (weights >> (32 - 16 * i) & 0xffff) * _l.layers[i + 1];
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

    /// @dev The curator's part, rounded down; none in a closed pool, where premium is for those who are short.
    function _takeFee(uint256 earned) private returns (uint256 fee) {
        fee = _l.closedAt == 0 ? earned * Terms.curatorFeeBps() / BPS : 0;
        // As with layers: what no honest asset reaches must not stop a booking.
        fee = Math.min(fee, type(uint128).max - _l.owedSum);
        if (fee == 0) return 0;
        _l.owed[Terms.curator()] += fee;
        _l.owedSum += uint128(fee);
        emit FeeEarned(fee);
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

    /// @dev Everything about a sale but capacity and price; answers the limits in force.
    function _checkSale(
        bytes32 product,
        Exposure.Cover storage cover,
        uint256 sum,
        uint256 inception,
        uint256 expiry
    ) private view returns (Limits memory l) {
        l = _limits(product, cover);
        if (expiry % Stream.DAY != 0) revert BadExpiry(expiry);
        uint256 term = Math.saturatingSub(expiry, inception);
        if (term < cover.minTerm || term > cover.maxTerm) {
            revert TermOutOfRange(term, cover.minTerm, cover.maxTerm);
        }
        uint256 expected = block.timestamp + cover.waitingPeriod;
        // A portfolio waits for the leg that waits longest.
        if (inception < expected) revert WrongInception(expected, inception);
        uint256 wanted = cover.exposureAt(block.timestamp) + sum;
        if (wanted > l.cap) revert CapExceeded(product, wanted, l.cap);
        if (l.cluster == 0) return l;
        wanted = _inCluster(l.cluster) + sum;
        if (wanted > l.clusterCap) revert ClusterExceeded(l.cluster, wanted, l.clusterCap);
    }

    /// @dev A product's cluster never changes, so it is asked once.
    function _addToCluster(bytes32 product, Exposure.Cover storage cover, uint256 sum, uint256 out) private {
        address underwriting = Terms.underwriting();
        if (underwriting == address(0)) return;
        bytes32 cluster = cover.cluster;
        if (cluster == 0) {
            cluster = IUnderwriting(underwriting).clusterOf(product);
            cover.cluster = cluster;
        }
        _l.clusters[cluster].add(sum, out, block.timestamp);
    }

    /// @dev A committee may demand at most that each unit of exposure is backed by one of capital: no exposure ever
    ///      takes more. That its certificate is out of date locks nobody in.
    function _exitLeverage() private view returns (uint256 bps) {
        bps = Terms.leverageBps();
        address underwriting = Terms.underwriting();
        if (underwriting == address(0)) return bps;
        bytes memory data = abi.encodeCall(IUnderwriting.leverage, (address(this)));
        uint256 certified;
        assembly ("memory-safe") {
            // One word is read, however much is answered; a contract that fails certifies nothing.
            let ok := staticcall(LEVERAGE_GAS, underwriting, add(data, 32), mload(data), 0, 32)
            if and(ok, gt(returndatasize(), 31)) { certified := mload(0) }
        }
        return Math.min(bps, Math.max(BPS, certified));
    }

    /// @dev Takes a part of a policy out of the exposure; answers what the pool's exposure is then.
    function _expose(bytes32 product, uint128 sum, uint256 expiry) private returns (uint256) {
        uint256 out = _takeFromProduct(product, sum, expiry);
        if (out != 0) {
            _l.exposureEnds.remove(out, sum);
            _l.exposure -= sum;
        }
        return _l.exposure;
    }

    /// @dev Counts a sum in a product and its cluster; answers the day at which it stops counting.
    function _addToProduct(bytes32 product, uint128 sum, uint64 expiry) private returns (uint256 out) {
        Exposure.Cover storage cover = _l.covers[product];
        cover.roll(block.timestamp);
        // A portfolio counts from the waiting period of each leg on, though it begins with the longest of them: were it
        // counted later, nothing that begins earlier could be sold until then.
        out = cover.add(sum, block.timestamp + cover.waitingPeriod, expiry);
        _addToCluster(product, cover, sum, out);
    }

    /// @dev Takes a sum out of a product and its cluster; answers the day whose release shrinks, zero if it is past.
    function _takeFromProduct(bytes32 product, uint128 sum, uint256 expiry) private returns (uint256 out) {
        Exposure.Cover storage cover = _known(product);
        cover.roll(block.timestamp);
        out = cover.remove(sum, expiry, block.timestamp);
        bytes32 cluster = cover.cluster;
        if (out != 0 && cluster != 0) _l.clusters[cluster].remove(sum, out, block.timestamp);
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
        (uint256 funded, uint256 uncovered, uint256 before) = (entry.funded, entry.uncovered, entry.paid);
        if (_l.closedAt == 0 && entry.due > funded) _close();
        if (entry.line != 0) {
            _l.cessions.draw(entry, order.incident);
            emit Ceded(order.incident, entry.ceded, entry.drawn);
        }
        // Of what is to be held, all but what is paid to nobody's account already is for those who are owed.
        uint256 whole = entry.need() - uncovered;
        if (whole == 0) return 0;
        uint256 there = Math.min(Math.saturatingSub(funded, uncovered), whole);
        uint256 target = Math.mulDiv(order.due, there, whole);
        paid = Math.saturatingSub(target, order.paidBefore);
        // Without treaties it always is there; what one of them could not send is paid once it can.
        paid = Math.min(paid, Math.saturatingSub(entry.held(), before));
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
        if (_l.vault.shares != 0) Idle.raise(_l, amount);
        sent = IERC20(Terms.asset()).trySafeTransfer(to, amount);
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
}
