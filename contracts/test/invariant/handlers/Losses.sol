// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IPoolDesk, IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Tranche} from "breakwater/core/Tranche.sol";
import {IIncidents, Incident, Measurement, Status} from "breakwater/interfaces/IIncidents.sol";
import {Booking, IPool} from "breakwater/interfaces/IPool.sol";
import {Bounds} from "../Bounds.sol";
import {Capital} from "./Capital.sol";
import {Holders} from "./Holders.sol";
import {Policy} from "breakwater/interfaces/IPolicies.sol";

/// @notice Incidents: opened, raised, lowered, refuted, made final, closed; and what positions are proven to have lost.
abstract contract Losses is Holders, Capital {
    /// @notice The latest that is known of an incident.
    struct File {
        uint256 gauge; // index
        uint256 peak; // wad
        uint256 dwellEnd;
        uint256 mostLost; // gauge units
        uint256 returned; // gauge units, borne by the curator
        bytes32 final_; // hash of the measurement that was made final
    }

    mapping(uint256 id => File) public files;
    /// @notice Pool units of an incident that the curator bore, by pool index.
    mapping(uint256 id => mapping(uint256 pool => uint256 amount)) public borne;
    /// @notice The highest loss that a position was ever proven to have.
    mapping(uint256 id => mapping(address account => uint256 amount)) public mostPositionLost;
    /// @dev Last reading of a voided incident.
    mapping(uint256 gauge => uint256 number) internal lastVoided;

    // ----- actions -----

    /// @notice Opens an incident, or raises the one that dwells.
    function openIncident() external step(true) {
        uint256 g = _gauge();
        uint256 id = cast.incidents.dwelling(cast.gauges[g], 0);
        if (id == 0) return _open(g);
        Incident memory i = cast.incidents.incident(id);
        bool refuted = _lambda(i) < Bounds.THRESHOLD;
        // A refuted incident that nobody answers does not keep the next one out.
        if (refuted && _chance(80)) {
            _advance(2);
            return _open(g);
        }
        if (_isLive(i)) return _raise(id, i);
        _finalise(id);
    }

    /// @notice Everything is lost at once, so that pools fall short.
    function collapse() external step(true) {
        if (!_chance(50)) return;
        for (uint256 g; g < cast.gauges.length; ++g) {
            if (cast.incidents.dwelling(cast.gauges[g], 0) != 0) continue;
            uint256 id = _openAt(g, Bounds.MOST_BASE, Bounds.WAD);
            if (id != 0) _prove(id);
        }
    }

    function raise() external step(true) {
        (uint256 id, Incident memory i) = _someLive();
        if (id != 0) _raise(id, i);
        else if (_chance(50)) _open(_gauge());
    }

    function lowerLoss() external step(true) {
        (uint256 id, Incident memory i) = _someLive();
        if (id == 0) return;
        if (_chance(60)) _payInstantly(id);
        i = cast.incidents.incident(id);
        Measurement memory m = _as(i);
        m.reading = _laterReading(i);
        uint256 least = Bounds.THRESHOLD + 1;
        uint256 lambda = _between(least, Math.max(least, _lambda(i)));
        m.loss = uint128(uint256(m.base) * lambda / Bounds.WAD);
        _revise(id, i, m);
    }

    function refute() external step(true) {
        (uint256 id, Incident memory i) = _someLive();
        if (id == 0) return;
        if (_chance(60)) _payInstantly(id);
        i = cast.incidents.incident(id);
        Measurement memory m = _as(i);
        m.reading = _laterReading(i);
        m.loss = _chance(70) ? 0 : uint128(uint256(m.base) * _draw(Bounds.THRESHOLD) / Bounds.WAD);
        _revise(id, i, m);
    }

    /// @notice Every position's loss, good and poor proofs in turn.
    function prove() external step(false) {
        uint256 count = cast.incidents.count();
        if (count == 0) return;
        uint256 id = count - _draw(Math.min(count, 2));
        if (_takesProofs(cast.incidents.incident(id))) _prove(id);
    }

    function finalise() external step(false) {
        _endDwell(cast.gauges[_gauge()]);
    }

    function _endDwell(bytes32 gauge) internal {
        uint256 id = cast.incidents.dwelling(gauge, 0);
        if (id == 0) return;
        uint256 dwellEnd = cast.incidents.incident(id).dwellEnd;
        if (_block() <= dwellEnd) _advance(dwellEnd + 1 - _block());
        _finalise(id);
    }

    function closeBooking() external step(false) {
        for (uint256 id = cast.incidents.count(); id != 0; --id) {
            Incident memory i = cast.incidents.incident(id);
            if (i.status != Status.Final || i.claimsEnd >= _now()) continue;
            for (uint256 p; p < cast.pools.length; ++p) {
                Booking memory b = cast.pools[p].booking(id);
                if (b.openedAt == 0 || b.closed) continue;
                _did(b.funded < b.reserved ? bytes32("closed short") : bytes32("closed"));
                _must(cast.stranger, address(cast.pools[p]), abi.encodeCall(IPoolDesk.closeBooking, (id)));
                return;
            }
        }
    }

    // ----- opening -----

    function _gauge() internal returns (uint256) {
        return _chance(65) ? 0 : 1;
    }

    function _open(uint256 g) internal {
        uint256 base = _between(Bounds.LEAST_BASE, _chance(50) ? Bounds.SMALL_BASE : Bounds.MOST_BASE);
        uint256 lambda = _between(Bounds.THRESHOLD + 1, _chance(50) ? 3 * Bounds.THRESHOLD : Bounds.WAD);
        uint256 id = _openAt(g, base, _chance(20) ? Bounds.WAD : lambda);
        if (id == 0) return;
        if (_chance(80)) _prove(id);
        if (_chance(40)) _payInstantly(id);
    }

    /// @dev Opens an incident of `base` whole units and a loss of `lambda` wad; zero if no block can be measured.
    function _openAt(uint256 g, uint256 base, uint256 lambda) private returns (uint256 id) {
        // Someone trades in the very block of the opening.
        if (_chance(60)) _trade(Tranche(cast.pools[0].tranche(1 + _draw(2))));
        uint256 last = cast.incidents.latest(cast.gauges[g]);
        Incident memory previous = cast.incidents.incident(last);
        bool voids = previous.status == Status.Dwelling;
        Measurement memory m = _drop(previous.reading, voids ? previous.reading : lastVoided[g]);
        if (m.reading == 0) return 0;
        (m.base, m.loss) = (_units(g, base), uint128(uint256(_units(g, base)) * lambda / Bounds.WAD));
        if (voids) _lookAtBooking(last);
        id = cast.rung.open(cast.gauges[g], _person(), m);
        if (voids) lastVoided[g] = Math.max(lastVoided[g], previous.reading);
        _did(voids ? bytes32("opened behind a refuted") : bytes32("opened"));
        files[id].gauge = g;
        for (uint256 p; p < cast.pools.length; ++p) {
            delete chargedBefore[p];
        }
        _file(id);
        _compareOrder(id);
        if (cast.pools[0].booking(id).openedAt != 0) _did("booked");
    }

    /// @dev Blocks that may be measured; reading zero if there are none yet.
    function _drop(uint256 least, uint256 voidedAt) private returns (Measurement memory m) {
        uint256 reading = _block() - 1 - _draw(Bounds.MOST_READING_AGE);
        if (reading <= least || reading <= voidedAt) return m;
        m.onset = uint64(Math.max(reading - 1 - _draw(Bounds.MOST_ONSET_AGE), least));
        m.reading = uint64(reading);
        (m.onsetTime, m.afterTime) = (_timeOf(m.onset), _timeOf(m.onset + 1));
        m.evidence = bytes32(steps);
    }

    /// @dev A gauge of index 1 counts in units of 1e-18, the pools in units of 1e-6.
    function _units(uint256 g, uint256 whole) internal pure returns (uint128) {
        return uint128(whole * Bounds.UNIT * (g == 0 ? 1 : 1e12));
    }

    // ----- revising -----

    /// @dev Some incident that dwells and can still be revised.
    function _someLive() internal returns (uint256 id, Incident memory i) {
        uint256 first = _draw(cast.gauges.length);
        for (uint256 g; g < cast.gauges.length; ++g) {
            id = cast.incidents.dwelling(cast.gauges[(first + g) % cast.gauges.length], 0);
            i = cast.incidents.incident(id);
            if (_isLive(i)) return (id, i);
        }
        return (0, i);
    }

    function _as(Incident memory i) internal view returns (Measurement memory m) {
        (m.onset, m.reading, m.onsetTime, m.afterTime) = (i.onset, i.reading, i.onsetTime, i.afterTime);
        (m.base, m.loss, m.evidence) = (i.base, i.loss, bytes32(steps));
    }

    function _laterReading(Incident memory i) internal returns (uint64) {
        return uint64(_between(i.reading, _block() - 1));
    }

    function _raise(uint256 id, Incident memory i) internal {
        uint256 g = files[id].gauge;
        Measurement memory m = _as(i);
        m.reading = _laterReading(i);
        uint256 least = _earliestOnset(id, g);
        if (_chance(50) && i.onset > least) {
            m.onset = uint64(i.onset - _draw(Math.min(i.onset - least, Bounds.MOST_ONSET_AGE) + 1));
            (m.onsetTime, m.afterTime) = (_timeOf(m.onset), _timeOf(m.onset + 1));
        }
        uint256 lambda = _between(i.peak + 1, Math.min(Bounds.WAD, i.peak + Bounds.THRESHOLD * 3));
        if (lambda > Bounds.WAD || _block() > i.spanEnd) return;
        if (m.reading > Math.max(m.onset, lastVoided[g]) + Bounds.SPAN) return;
        // One more than the fraction says, so that rounding down keeps it above the peak.
        m.loss = uint128(Math.min(m.base, uint256(m.base) * lambda / Bounds.WAD + 1));
        _revise(id, i, m);
        if (_chance(60)) _prove(id);
        if (_chance(40)) _payInstantly(id);
    }

    /// @notice The reading of the newest incident before this one that was not voided.
    function _earliestOnset(uint256 id, uint256 g) internal view returns (uint256) {
        for (uint256 k = id - 1; k != 0; --k) {
            Incident memory earlier = cast.incidents.incident(k);
            if (earlier.gauge == cast.gauges[g] && earlier.status != Status.Voided) return earlier.reading;
        }
        return Bounds.FIRST_BLOCK;
    }

    function _revise(uint256 id, Incident memory i, Measurement memory m) internal {
        bool same = m.onset == i.onset && m.reading == i.reading && m.loss == i.loss && m.base == i.base;
        if (same || (_block() > i.spanEnd && !_moves(i, m))) return;
        _lookAtBooking(id);
        uint256 paid = i.paid;
        if (!_must(cast.stranger, address(cast.rung), abi.encodeCall(cast.rung.revise, (id, m)))) return;
        _did(_lambda(i) < uint256(m.loss) * Bounds.WAD / m.base ? bytes32("raised") : bytes32("lowered loss"));
        uint256 paidNow = cast.incidents.incident(id).paid;
        if (paidNow < paid) files[id].returned += paid - paidNow;
        _noteBorne(id);
        if (m.onset != i.onset) _checkStale(id);
        else if (uint256(m.loss) * i.base <= uint256(i.loss) * m.base) _checkReleased();
        _checkDwell(id, i, m);
        _file(id);
        _compareOrder(id);
    }

    /// @dev Behind the span only what moves the loss counts.
    function _moves(Incident memory i, Measurement memory m) private pure returns (bool) {
        (uint256 before, uint256 lambda) = (_lambda(i), uint256(m.loss) * Bounds.WAD / m.base);
        uint256 distance = before > lambda ? before - lambda : lambda - before;
        return distance * 8 >= Bounds.THRESHOLD;
    }

    function _noteBorne(uint256 id) private {
        for (uint256 p; p < cast.pools.length; ++p) {
            uint256 paid = cast.pools[p].booking(id).paid;
            if (paid >= paidBefore[p]) continue;
            _did("curator bore");
            borne[id][p] += paidBefore[p] - paid;
            // Shares of the lock were burned.
            address junior = cast.pools[p].tranche(1);
            _note(junior, cast.curator);
            // As much value left as shares did, unless the lock is used up.
            bool kept = _priceKept(p, 1) || cast.pools[p].locked() == 0;
            _rule(kept, "juniors bear the curator's");
        }
    }

    /// @dev What comes back takes no value from a share; what the curator bears has a rule of its own.
    function _checkReleased() private {
        for (uint256 p; p < cast.pools.length; ++p) {
            for (uint256 i = 2; i < 4; ++i) {
                _rule(_priceKept(p, i), "price");
            }
        }
    }

    /// @dev What was proven from another onset says nothing about this one.
    function _checkStale(uint256 id) private {
        for (uint256 j; j < INSURED; ++j) {
            _rule(cast.incidents.positionLost(id, cast.people[j]) == 0, "stale proof");
        }
    }

    /// @dev Whoever is answered has time to answer.
    function _checkDwell(uint256 id, Incident memory before, Measurement memory m) private {
        Incident memory i = cast.incidents.incident(id);
        uint256 lambda = uint256(m.loss) * Bounds.WAD / m.base;
        uint256 answer = lambda > files[id].peak ? Bounds.DWELL : Bounds.DWELL / 4;
        _rule(i.dwellEnd >= before.dwellEnd && i.dwellEnd >= _block() + answer, "time to answer");
    }

    function _file(uint256 id) internal {
        Incident memory i = cast.incidents.incident(id);
        File storage f = files[id];
        f.peak = Math.max(f.peak, _lambda(i));
        f.mostLost = Math.max(f.mostLost, i.loss);
        f.dwellEnd = i.dwellEnd;
        for (uint256 j; j < INSURED; ++j) {
            _filePosition(id, cast.people[j]);
        }
    }

    function _filePosition(uint256 id, address who) private {
        uint256 lost = cast.incidents.positionLost(id, who);
        if (lost > mostPositionLost[id][who]) mostPositionLost[id][who] = lost;
    }

    /// @dev Junior before mezzanine before senior when taking, the other way round when giving back.
    function _compareOrder(uint256 id) internal {
        for (uint256 p; p < cast.pools.length; ++p) {
            Pool pool = cast.pools[p];
            Booking memory b = pool.booking(id);
            for (uint256 i; i < 4; ++i) {
                uint256 before = chargedBefore[p][i];
                if (b.charged[i] > before) {
                    for (uint256 j; j < i; ++j) {
                        bool spent = b.charged[j] >= b.limit[j] || pool.state().layers[j] == 0;
                        _rule(spent, "order of losses");
                    }
                } else if (b.charged[i] < before && b.paid >= paidBefore[p]) {
                    for (uint256 j = i + 1; j < 4; ++j) {
                        _rule(b.charged[j] == 0, "order of losses");
                    }
                }
            }
        }
    }

    // ----- proving -----

    function _takesProofs(Incident memory i) internal view returns (bool) {
        return i.status == Status.Dwelling || (i.status == Status.Final && _now() <= i.claimsEnd);
    }

    function _prove(uint256 id) internal {
        Incident memory i = cast.incidents.incident(id);
        for (uint256 j; j < INSURED; ++j) {
            uint256 value = _between(i.base / 20, i.base / 2);
            uint256 lost = _between(value / 3, value) * _lambda(i) / Bounds.WAD;
            address who = cast.people[j];
            uint256 before = cast.incidents.positionLost(id, who);
            bytes memory data = abi.encodeCall(cast.rung.record, (id, who, uint128(lost), uint128(value)));
            _must(cast.stranger, address(cast.rung), data);
            _rule(cast.incidents.positionLost(id, who) >= before, "poor proof");
            _filePosition(id, who);
        }
    }

    /// @dev Some of those whom the curator's junior pays at once.
    function _payInstantly(uint256 id) internal virtual;

    // ----- the end -----

    function _finalise(uint256 id) internal {
        Incident memory before = cast.incidents.incident(id);
        if (!_must(cast.stranger, address(cast.incidents), abi.encodeCall(IIncidents.finalise, (id)))) {
            return;
        }
        _noteEnd(id, before);
    }

    /// @dev After anything that may have made an incident final or void.
    function _noteEnd(uint256 id, Incident memory before) internal {
        Incident memory i = cast.incidents.incident(id);
        if (before.status != Status.Dwelling || i.status == Status.Dwelling) return;
        _did(i.status == Status.Voided ? bytes32("voided") : bytes32("final"));
        _rule(_block() > before.dwellEnd, "early end");
        _rule((i.status == Status.Voided) == (_lambda(i) < Bounds.THRESHOLD), "void");
        if (i.status == Status.Voided) {
            uint256 g = files[id].gauge;
            lastVoided[g] = Math.max(lastVoided[g], i.reading);
        }
        files[id].final_ = measurementOf(id);
    }

    /// @notice What an incident says was lost.
    function measurementOf(uint256 id) public view returns (bytes32) {
        Incident memory i = cast.incidents.incident(id);
        return keccak256(abi.encode(i.onset, i.reading, i.onsetTime, i.afterTime, i.base, i.loss, i.evidence));
    }

    /// @inheritdoc Holders
    function frozen(Policy memory p) public view override returns (bool) {
        bytes32 gauge = cast.catalog.product(p.product).gauge;
        for (uint256 k = cast.incidents.count(); k != 0; --k) {
            Incident memory i = cast.incidents.incident(k);
            if (i.gauge != gauge || i.status == Status.Voided) continue;
            if (i.onsetTime < p.inception || i.onsetTime > p.expiry) continue;
            if (i.status == Status.Dwelling || i.claimsEnd >= _now()) return true;
        }
        return false;
    }
}
