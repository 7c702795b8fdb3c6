// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC7540Redeem} from "breakwater/interfaces/IAsyncVault.sol";
import {IPoolDesk, IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {ICatalog, Kind} from "breakwater/interfaces/ICatalog.sol";
import {IIncidents, Incident, Measurement, Rung, Status} from "breakwater/interfaces/IIncidents.sol";
import {IPolicies, Policy, Purchase} from "breakwater/interfaces/IPolicies.sol";
import {IPool, PayOrder, Reduction} from "breakwater/interfaces/IPool.sol";
import {IPoolCapital} from "breakwater/interfaces/IPoolCapital.sol";
import {ITranche} from "breakwater/interfaces/ITranche.sol";
import {Bounds} from "../Bounds.sol";
import {Settlements} from "./Settlements.sol";

/// @notice Tries what nobody may do, with arguments that would do if only the guard were gone.
abstract contract Strangers is Settlements {
    // ----- roles -----

    /// @notice Calls that belong to contracts or to the curator, from somebody else.
    function usurp() external step(false) {
        Pool pool = _pool();
        _usurpPolicies(pool);
        _usurpIncidents(pool);
        _usurpCurator(pool);
        _usurpTranche(pool);
        _usurpPool(ITranche(pool.tranche(1)));
        _usurpRung();
        _usurpRoles();
    }

    function _by(address target, bytes memory data, bytes32 rule) private {
        _refused(cast.stranger, target, data, rule);
    }

    function _usurpPolicies(Pool pool) private {
        bytes32 product = cast.products[0];
        bytes32 rule = "only policies";
        PayOrder memory order;
        order.incident = 1;
        order.product = product;
        order.holder = cast.stranger;
        order.settler = cast.stranger;
        _by(address(pool), abi.encodeCall(IPool.pay, (order)), rule);
        Reduction memory r;
        r.product = product;
        r.to = cast.stranger;
        _by(address(pool), abi.encodeCall(IPool.reduce, (r)), rule);
        (uint256 least, uint256 most) = _room(pool, product);
        if (most < least) return;
        Purchase memory p = _purchase(pool, product, uint128(least));
        uint64 inception = uint64(_now() + Bounds.WAITING);
        uint256 premium = _quote(pool, p);
        _by(address(pool), abi.encodeCall(IPool.sell, (product, p.sum, inception, p.expiry, premium)), rule);
    }

    function _usurpIncidents(Pool pool) private {
        bytes32 rule = "only incidents";
        uint256 next = cast.incidents.count() + 1;
        bytes memory data = abi.encodeCall(IPool.book, (next, cast.gauges[0], uint64(_now()), 1, 2));
        _by(address(pool), data, rule);
        _by(address(pool), abi.encodeCall(IPool.settleBooking, (next)), rule);
    }

    function _usurpCurator(Pool pool) private {
        bytes32 rule = "only curator";
        _by(address(pool), abi.encodeCall(IPoolDesk.setProduct, (cast.products[0], 0, 1e18)), rule);
        _by(address(pool), abi.encodeCall(IPoolDesk.unlock, (1)), rule);
        _by(address(pool), abi.encodeCall(IPoolDesk.lock, (1)), rule);
    }

    function _usurpTranche(Pool pool) private {
        bytes32 rule = "only tranches";
        _by(address(pool), abi.encodeCall(IPoolCapital.returnDeposit, (cast.stranger, 0)), rule);
        _by(address(pool), abi.encodeCall(IPoolCapital.sendRedemption, (cast.stranger, 0)), rule);
        _by(address(pool), abi.encodeCall(IPoolCapital.lockRecovered, (1)), rule);
    }

    function _usurpPool(ITranche tranche) private {
        bytes32 rule = "only the pool";
        _by(address(tranche), abi.encodeCall(ITranche.processDeposits, ()), rule);
        _by(address(tranche), abi.encodeCall(ITranche.payCohort, (0)), rule);
        _by(address(tranche), abi.encodeCall(ITranche.mintRecovery, (1, _block(), 1)), rule);
        _by(address(tranche), abi.encodeCall(ITranche.pull, (cast.stranger, 0)), rule);
        _by(address(tranche), abi.encodeCall(ITranche.burnLocked, (cast.stranger, 0)), rule);
    }

    function _usurpRung() private {
        bytes32 rule = "only the rung";
        address incidents = address(cast.incidents);
        Measurement memory m;
        (m.onset, m.reading) = (uint64(_block() - 2), uint64(_block() - 1));
        (m.onsetTime, m.afterTime) = (_timeOf(m.onset), _timeOf(m.reading));
        (m.base, m.loss) = (2, 2);
        _by(incidents, abi.encodeCall(IIncidents.open, (cast.gauges[1], Rung.Proof, cast.stranger, m)), rule);
        uint256 id = cast.incidents.count();
        if (id == 0) return;
        Incident memory i = cast.incidents.incident(id);
        if (_takesProofs(i)) {
            _by(incidents, abi.encodeCall(IIncidents.recordPosition, (id, cast.stranger, 1, 1)), rule);
            _by(incidents, abi.encodeCall(IIncidents.consume, (id, cast.stranger, false, 1, 1)), rule);
        }
        if (!_isLive(i)) return;
        m = _as(i);
        m.loss = uint128(uint256(i.loss) / 2);
        _by(incidents, abi.encodeCall(IIncidents.revise, (id, m)), rule);
    }

    function _usurpRoles() private {
        bytes32 rule = "only roles";
        address catalog = address(cast.catalog);
        _by(catalog, abi.encodeCall(ICatalog.registerPool, (address(cast.rung))), rule);
        _by(catalog, abi.encodeCall(ICatalog.attach, (cast.gauges[1])), rule);
        address[] memory rungs = new address[](1);
        rungs[0] = cast.stranger;
        bytes memory data = abi.encodeCall(cast.incidents.wire, (cast.stranger, rungs, new Rung[](1)));
        _by(address(cast.incidents), data, rule);
        // Not even the role may wire twice.
        _refused(cast.curator, address(cast.incidents), data, rule);
    }

    // ----- policies -----

    /// @notice Cover that the terms, the pool or the insured do not allow.
    function buyForbidden() external step(false) {
        Pool pool = _pool();
        bytes32 product = cast.products[_draw(cast.products.length)];
        if (pool.closedAt() != 0) return _tryClosed(pool, product);
        (uint256 least, uint256 most) = _room(pool, product);
        if (most < least) return;
        Purchase memory p = _purchase(pool, product, uint128(least));
        p.to = p.position;
        cast.usd.mint(p.to, 1e30);
        vm.prank(p.to);
        cast.usd.approve(address(cast.policies), type(uint256).max);
        _tryTerms(pool, p);
        _tryCaps(pool, p);
        _tryConsent(p);
    }

    function _tryBuy(address who, Purchase memory p, bytes32 rule) private {
        _refused(who, address(cast.policies), abi.encodeCall(IPolicies.buy, (p)), rule);
    }

    function _tryClosed(Pool pool, bytes32 product) private {
        Purchase memory p = _purchase(pool, product, Bounds.MIN_SUM);
        p.to = p.position;
        cast.usd.mint(p.to, 1e30);
        vm.prank(p.to);
        cast.usd.approve(address(cast.policies), type(uint256).max);
        _did("tried a closed pool");
        _tryBuy(p.to, p, "closed pool");
    }

    function _tryTerms(Pool pool, Purchase memory p) private {
        bytes32 rule = "terms of sale";
        uint64 expiry = p.expiry;
        p.expiry = expiry + 1;
        _tryBuy(p.to, p, rule);
        p.expiry = uint64((_now() + Bounds.WAITING + Bounds.MAX_TERM) / Bounds.DAY * Bounds.DAY + 1 days);
        _tryBuy(p.to, p, rule);
        p.expiry = uint64((_now() + Bounds.WAITING) / Bounds.DAY * Bounds.DAY + 1 days);
        if (p.expiry < _now() + Bounds.WAITING + Bounds.MIN_TERM) _tryBuy(p.to, p, rule);
        p.expiry = expiry;
        --p.sum;
        _tryBuy(p.to, p, rule);
        ++p.sum;
        rule = "buyer's limits";
        p.maxPremium = _quote(pool, p) - 1;
        _tryBuy(p.to, p, rule);
        p.maxPremium = type(uint256).max;
        p.deadline = uint64(_now() - 1);
        _tryBuy(p.to, p, rule);
        p.deadline = uint64(_now());
    }

    function _tryCaps(Pool pool, Purchase memory p) private {
        uint128 sum = p.sum;
        uint256 cap = pool.underwriting(p.product).cap - pool.underwriting(p.product).exposure;
        uint256 capacity = pool.capital() * pool.config().leverageBps / Bounds.BPS - pool.state().exposure;
        p.sum = uint128(cap < capacity ? cap + 1 : capacity + 1);
        _tryBuy(p.to, p, cap < capacity ? bytes32("over cap") : bytes32("over capacity"));
        p.sum = sum;
    }

    function _tryConsent(Purchase memory p) private {
        bool protocol = cast.catalog.product(p.product).kind == Kind.Protocol;
        cast.usd.mint(cast.stranger, 1e30);
        vm.prank(cast.stranger);
        cast.usd.approve(address(cast.policies), type(uint256).max);
        _tryBuy(cast.stranger, p, "consent");
        if (protocol) {
            p.position = cast.stranger;
            _tryBuy(cast.stranger, p, "consent");
        } else if (p.position != p.to) {
            // Signed for another buyer.
            p.consent = _consent(p);
            _tryBuy(cast.stranger, p, "consent");
        }
    }

    /// @notice Edits by others, edits of what a loss touches, and payments that nobody is owed.
    function meddle() external step(false) {
        uint256 count = cast.policies.count();
        for (uint256 n; n < 3; ++n) {
            uint256 id = 1 + _draw(count);
            if (_ownerOf(id) != address(0)) _meddle(id);
        }
        (uint256 live,) = _someLive();
        if (live != 0) _tryEarly(live);
    }

    function _meddle(uint256 id) private {
        Policy memory p = _policy(id);
        bool edits = _now() >= p.inception && _now() < p.expiry;
        if (edits && p.sum >= dueOf(id) + 2 * Bounds.MIN_SUM) {
            bool touched = frozen(p);
            _did(touched ? bytes32("tried a frozen policy") : bytes32("tried another's policy"));
            bytes32 rule = touched ? bytes32("frozen") : bytes32("holder");
            address who = touched ? _ownerOf(id) : cast.stranger;
            address policies = address(cast.policies);
            _refused(who, policies, abi.encodeCall(IPolicies.lower, (id, p.sum - Bounds.MIN_SUM)), rule);
            if (p.paid == dueOf(id)) {
                _refused(who, policies, abi.encodeCall(IPolicies.cancel, (id)), rule);
            }
        }
        uint256 k = _payable();
        if (k != 0) _trySettle(id, k);
    }

    // ----- losses and capital -----

    /// @notice Measurements and endings that come too early, too late or run backwards.
    function misreport() external step(false) {
        _tryStretch();
        for (uint256 id = cast.incidents.count(); id != 0 && _chance(80); --id) {
            Incident memory i = cast.incidents.incident(id);
            if (_isLive(i)) _tryBackwards(id, i);
            if (i.status != Status.Dwelling || _block() > i.dwellEnd) _tryLate(id, i);
            if (i.status == Status.Voided) _tryAgain(i);
            if (i.status == Status.Final && i.claimsEnd >= _now()) {
                _by(address(_pool()), abi.encodeCall(IPoolDesk.closeBooking, (id)), "early close");
            }
        }
    }

    function _tryRevise(uint256 id, Measurement memory m, bytes32 rule) private {
        _by(address(cast.rung), abi.encodeCall(cast.rung.revise, (id, m)), rule);
    }

    function _tryBackwards(uint256 id, Incident memory i) private {
        Measurement memory m = _as(i);
        --m.reading;
        if (m.reading > m.onset) _tryRevise(id, m, "backwards");
        m = _as(i);
        if (m.onset > _earliestOnset(id, files[id].gauge)) {
            --m.onset;
            m.onsetTime -= 1;
            _tryRevise(id, m, "backwards");
        }
        _by(address(cast.incidents), abi.encodeCall(IIncidents.finalise, (id)), "early end");
        // Opened beside the one that dwells, unless that is refuted and over.
        if (_lambda(i) < Bounds.THRESHOLD || i.reading + 1 >= _block()) return;
        m = _as(i);
        (m.onset, m.reading) = (i.reading, uint64(_block() - 1));
        (m.onsetTime, m.afterTime) = (_timeOf(m.onset), _timeOf(m.onset + 1));
        _by(address(cast.rung), abi.encodeCall(cast.rung.open, (i.gauge, cast.stranger, m)), "two at once");
    }

    /// @dev The gauge was healthy at the block that voided the incident.
    function _tryAgain(Incident memory i) private {
        uint256 last = cast.incidents.latest(i.gauge);
        if (cast.incidents.incident(last).status == Status.Dwelling) return;
        Measurement memory m = _as(i);
        m.loss = m.base;
        // Where the next one begins later, this block is out of reach anyway.
        if (m.onset < cast.incidents.incident(last).reading) return;
        _by(address(cast.rung), abi.encodeCall(cast.rung.open, (i.gauge, cast.stranger, m)), "measured twice");
    }

    /// @dev An old small loss, stretched over a new one.
    function _tryStretch() private {
        uint256 g = _gauge();
        uint256 last = cast.incidents.latest(cast.gauges[g]);
        Incident memory previous = cast.incidents.incident(last);
        if (previous.status == Status.Dwelling) return;
        Measurement memory m;
        m.reading = uint64(_block() - 1);
        uint256 onset = _block() - 2 - Bounds.SPAN;
        if (onset < lastVoided[g]) return;
        m.onset = uint64(onset);
        (m.onsetTime, m.afterTime) = (_timeOf(m.onset), _timeOf(m.onset + 1));
        (m.base, m.loss) = (_units(g, Bounds.LEAST_BASE), _units(g, Bounds.LEAST_BASE));
        bytes memory data = abi.encodeCall(cast.rung.open, (cast.gauges[g], cast.stranger, m));
        if (onset >= previous.reading) return _by(address(cast.rung), data, "stretched");
        // It reaches back into the one before.
        m.reading = uint64(m.onset + Bounds.SPAN);
        data = abi.encodeCall(cast.rung.open, (cast.gauges[g], cast.stranger, m));
        _by(address(cast.rung), data, "overlap");
    }

    function _tryLate(uint256 id, Incident memory i) private {
        Measurement memory m = _as(i);
        m.loss = i.loss / 2;
        if (m.loss != i.loss) _tryRevise(id, m, "late");
    }

    /// @notice Money of others, locked shares and second helpings.
    function grab() external step(false) {
        Pool pool = _pool();
        ITranche tranche = ITranche(pool.tranche(1));
        uint256 balance = tranche.balanceOf(cast.curator);
        if (balance != 0 && pool.locked() != 0) {
            bytes memory data = abi.encodeCall(tranche.transfer, (cast.stranger, balance));
            _refused(cast.curator, address(tranche), data, "locked shares");
        }
        for (uint256 i = 1; i < 4; ++i) {
            tranche = ITranche(pool.tranche(i));
            bytes memory ask = abi.encodeCall(IERC7540Redeem.requestRedeem, (1e6, cast.stranger, _person()));
            _by(address(tranche), ask, "queue of others");
            _tryTwice(tranche);
        }
        if (_chance(50)) _tryUnlock(pool);
    }

    function _tryTwice(ITranche tranche) private {
        uint256[] storage ids = batchLine[address(tranche)].ids;
        if (ids.length == 0) return;
        uint256 id = ids[_draw(ids.length)];
        for (uint256 j; j < cast.people.length; ++j) {
            if (!claimedDeposit[address(tranche)][id][cast.people[j]]) continue;
            bytes memory data = abi.encodeCall(ITranche.claimDeposit, (id, cast.people[j]));
            _by(address(tranche), data, "claimed twice");
        }
    }
}
