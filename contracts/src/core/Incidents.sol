// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICatalog} from "../interfaces/ICatalog.sol";
import {IIncidents, Incident, Measurement, Rung, Status} from "../interfaces/IIncidents.sol";
import {IPool} from "../interfaces/IPool.sol";
import {IWording} from "../interfaces/IWording.sol";

/// @title Incidents
/// @notice Holds no money. Pools are called without a catch: a caller could else hand over too little gas for
///         one of them and so leave it unbooked.
contract Incidents is IIncidents, AccessManaged, ReentrancyGuardTransient {
    struct Position {
        uint128 lost; // gauge units
        uint128 value; // at the onset, gauge units
        uint128 paid; // never falls
        uint64 onset; // block
    }

    uint256 private constant WAD = 1e18;
    /// @dev Dwells in a span: nothing raises a loss later than this after its opening.
    uint64 public constant SPAN = 8;
    /// @dev The part of a dwell that every revision leaves for an answer.
    uint64 public constant ANSWER = 4;
    /// @dev The part of the threshold by which a revision behind the span must move the loss fraction.
    uint256 public constant STEP = 8;
    /// @dev Incidents of one gauge that `touched` looks back on.
    uint256 public constant LOOK_BACK = 8;

    ICatalog public immutable catalog;
    /// @inheritdoc IIncidents
    uint64 public immutable dwell;
    /// @inheritdoc IIncidents
    uint32 public immutable claimWindow;

    /// @notice The one contract that may consume; zero until wired.
    address public policies;
    /// @dev One more than the rung that a contract serves; zero for none. Never changes once wired.
    mapping(address rungContract => uint256 rung) private _rung;

    /// @inheritdoc IIncidents
    uint256 public count;
    /// @dev Ids run from 1 to `count`. loss <= base; onset < reading; peak is at least the loss fraction.
    mapping(uint256 id => Incident incident) private _incidents;
    /// @dev The gauge's incident before this one that was not voided; its reading <= this one's onset.
    mapping(uint256 id => uint256 earlier) private _previous;
    /// @inheritdoc IIncidents
    mapping(bytes32 gauge => uint256 id) public latest;
    /// @dev Last reading of the gauge's voided incidents: it was healthy there.
    mapping(bytes32 gauge => uint64 reading) private _voidedAt;
    /// @dev What was proven of a position counts only for the onset it was proven from.
    mapping(uint256 id => mapping(address account => Position position)) private _positions;

    /// @param dwell_ blocks, at least 1.
    /// @param claimWindow_ seconds, at least 1.
    constructor(ICatalog catalog_, address authority, uint64 dwell_, uint32 claimWindow_)
        AccessManaged(authority)
    {
        IWording text = catalog_.renderer();
        // What holders read and what happens to them must be the same.
        if (dwell_ == 0 || claimWindow_ == 0 || text.dwell() != dwell_ || text.claimWindow() != claimWindow_)
        {
            revert WrongTerms(dwell_, claimWindow_);
        }
        catalog = catalog_;
        dwell = dwell_;
        claimWindow = claimWindow_;
    }

    /// @inheritdoc IIncidents
    function wire(address policies_, address[] calldata rungContracts, Rung[] calldata rungs)
        external
        restricted
    {
        if (policies != address(0)) revert AlreadyWired();
        if (policies_ == address(0) || rungContracts.length != rungs.length) {
            revert BadWiring(policies_, rungContracts.length, rungs.length);
        }
        policies = policies_;
        for (uint256 i; i < rungs.length; ++i) {
            _rung[rungContracts[i]] = 1 + uint256(rungs[i]);
        }
        emit Wired(policies_, rungContracts, rungs);
    }

    /// @inheritdoc IIncidents
    function open(bytes32 gauge, Rung rung, address opener, Measurement calldata m)
        external
        nonReentrant
        returns (uint256 id)
    {
        if (_rung[msg.sender] != 1 + uint256(rung)) revert NotRung(msg.sender, rung);
        uint256 threshold = _threshold(gauge);
        _checkShape(m);
        _checkSpan(m, gauge);
        uint256 last = latest[gauge];
        if (_incidents[last].status == Status.Dwelling) {
            // A refuted incident that nobody answered must not keep a later one out.
            bool over = _lambdaOf(_incidents[last]) < threshold && m.onset >= _incidents[last].reading;
            if (!over) revert AlreadyDwelling(last);
            _void(last, _incidents[last]);
            last = latest[gauge];
        }
        _checkOnset(m, last);
        // The gauge was healthy at the voiding block, so a dip before it is over.
        if (m.reading <= _voidedAt[gauge]) revert ReadingTooEarly(m.reading, _voidedAt[gauge]);
        uint256 lambda = _lambda(m.loss, m.base);
        if (lambda < threshold) revert BelowThreshold(lambda, threshold);

        id = ++count;
        _previous[id] = last;
        latest[gauge] = id;
        Incident storage incident_ = _incidents[id];
        incident_.gauge = gauge;
        incident_.opener = opener;
        incident_.openedAt = uint64(block.number);
        incident_.openedTime = uint64(block.timestamp);
        incident_.rung = rung;
        incident_.status = Status.Dwelling;
        incident_.rungContract = msg.sender;
        uint64 dwellEnd = uint64(block.number) + dwell;
        incident_.dwellEnd = dwellEnd;
        incident_.spanEnd = uint64(block.number) + SPAN * dwell;
        incident_.peak = uint64(lambda);
        _measure(incident_, m);
        emit Opened(id, gauge, rung, opener, m, dwellEnd);
        _book(id, incident_, m.loss);
    }

    /// @inheritdoc IIncidents
    function revise(uint256 id, Measurement calldata m) external nonReentrant {
        Incident storage incident_ = _known(id);
        if (msg.sender != incident_.rungContract) revert NotThisRung(incident_.rungContract, msg.sender);
        _checkShape(m);
        if (incident_.status != Status.Dwelling) revert NotDwelling(id, incident_.status);
        if (block.number > incident_.dwellEnd) revert DwellOver(id, incident_.dwellEnd, block.number);
        uint256 lambda = _lambda(m.loss, m.base);
        bool raises = lambda > incident_.peak;
        if (raises && block.number > incident_.spanEnd) {
            revert SpanOver(id, incident_.spanEnd, block.number);
        }
        if (
            m.onset > incident_.onset || (m.onset < incident_.onset && !raises)
                || m.reading < incident_.reading
        ) revert RevisionBackwards(id, m.onset, m.reading);
        bytes32 gauge = incident_.gauge;
        if (raises) {
            _checkSpan(m, gauge);
            _checkOnset(m, _previous[id]);
            incident_.peak = uint64(lambda);
        }
        if (
            m.onset == incident_.onset && m.reading == incident_.reading && m.loss == incident_.loss
                && m.base == incident_.base
        ) revert NothingNew(id);
        // Behind the span only what moves the loss counts; else anyone could prove block after block for ever.
        uint256 threshold = _threshold(gauge);
        if (block.number > incident_.spanEnd && !_moves(_lambdaOf(incident_), lambda, threshold)) {
            revert NothingNew(id);
        }
        // News of a higher loss gives a whole dwell to answer it, anything proven before a quarter.
        uint64 answer = uint64(block.number) + (raises ? dwell : dwell / ANSWER);
        uint64 dwellEnd = uint64(Math.max(incident_.dwellEnd, answer));
        incident_.dwellEnd = dwellEnd;
        _measure(incident_, m);
        emit Revised(id, m, dwellEnd);
        _book(id, incident_, lambda < threshold ? 0 : m.loss);
    }

    /// @inheritdoc IIncidents
    function recordPosition(uint256 id, address account, uint128 lost, uint128 value) external {
        Incident storage incident_ = _known(id);
        if (msg.sender != incident_.rungContract) revert NotThisRung(incident_.rungContract, msg.sender);
        _checkClaims(id, incident_);
        Position storage p = _positions[id][account];
        uint128 before = _lostOf(incident_, p.onset, p.lost, p.value);
        uint128 now_ = _lostOf(incident_, incident_.onset, lost, value);
        // Ranked by what it pays: a proof of more loss on less worth must not push a better one out.
        bool better = now_ > before || (now_ == before && (p.onset != incident_.onset || lost > p.lost));
        if (!better) return;
        (p.lost, p.value, p.onset) = (lost, value, incident_.onset);
        emit PositionProven(id, account, incident_.onset, lost, value);
    }

    /// @inheritdoc IIncidents
    function finalise(uint256 id) external nonReentrant {
        Incident storage incident_ = _known(id);
        if (incident_.status != Status.Dwelling) revert NotDwelling(id, incident_.status);
        if (block.number <= incident_.dwellEnd) revert DwellNotOver(id, incident_.dwellEnd, block.number);
        if (_lambdaOf(incident_) < _threshold(incident_.gauge)) return _void(id, incident_);
        uint32 claimsEnd = uint32(block.timestamp) + claimWindow;
        incident_.status = Status.Final;
        incident_.claimsEnd = claimsEnd;
        emit Finalised(id, claimsEnd);
        _settle(id, incident_.gauge);
    }

    /// @inheritdoc IIncidents
    function consume(uint256 id, address account, uint128 lost, uint128 wanted)
        external
        returns (uint128 granted)
    {
        if (msg.sender != policies) revert NotPolicies(msg.sender);
        Incident storage incident_ = _known(id);
        _checkClaims(id, incident_);
        uint128 paid = _positions[id][account].paid;
        uint128 paidInAll = incident_.paid;
        // Both may have been exceeded by what was paid in the dwell before a lower measurement came.
        uint256 room = Math.min(Math.saturatingSub(lost, paid), Math.saturatingSub(incident_.loss, paidInAll));
        granted = uint128(Math.min(wanted, room));
        if (granted == 0) return 0;
        paid += granted;
        paidInAll += granted;
        _positions[id][account].paid = paid;
        incident_.paid = paidInAll;
        emit PositionPaid(id, account, granted, paid, paidInAll);
    }

    /// @inheritdoc IIncidents
    function positionLost(uint256 id, address account) external view returns (uint128) {
        Position storage p = _positions[id][account];
        return _lostOf(_incidents[id], p.onset, p.lost, p.value);
    }

    /// @inheritdoc IIncidents
    function positionPaid(uint256 id, address account) external view returns (uint128) {
        return _positions[id][account].paid;
    }

    /// @inheritdoc IIncidents
    function incident(uint256 id) external view returns (Incident memory) {
        return _incidents[id];
    }

    /// @inheritdoc IIncidents
    function dwelling(bytes32 gauge) external view returns (uint256 id) {
        id = latest[gauge];
        if (_incidents[id].status != Status.Dwelling) return 0;
    }

    /// @inheritdoc IIncidents
    function touched(bytes32 gauge, uint256 from, uint256 to) external view returns (bool) {
        uint256 id = latest[gauge];
        for (uint256 i; i < LOOK_BACK && id != 0; ++i) {
            Incident storage incident_ = _incidents[id];
            uint256 time = incident_.onsetTime;
            bool open_ = incident_.status == Status.Dwelling || incident_.claimsEnd >= block.timestamp;
            if (open_ && from <= time && time <= to) return true;
            id = _previous[id];
        }
        return false;
    }

    /// @dev The incident never was: what came before it is the latest again.
    function _void(uint256 id, Incident storage incident_) private {
        (bytes32 gauge, uint64 reading) = (incident_.gauge, incident_.reading);
        incident_.status = Status.Voided;
        latest[gauge] = _previous[id];
        if (reading > _voidedAt[gauge]) _voidedAt[gauge] = reading;
        emit Voided(id, reading);
        _settle(id, gauge);
    }

    function _measure(Incident storage incident_, Measurement calldata m) private {
        incident_.onset = m.onset;
        incident_.reading = m.reading;
        incident_.onsetTime = m.onsetTime;
        incident_.afterTime = m.afterTime;
        incident_.base = m.base;
        incident_.loss = m.loss;
        incident_.evidence = m.evidence;
    }

    /// @dev Every pool of the gauge books the incident as it is measured now, or with loss zero.
    function _book(uint256 id, Incident storage incident_, uint128 loss) private {
        (uint64 onsetTime, uint128 base) = (incident_.onsetTime, incident_.base);
        bytes32 gauge = incident_.gauge;
        address[] memory pools = catalog.poolsOf(gauge);
        uint256 returned;
        for (uint256 i; i < pools.length; ++i) {
            returned += IPool(pools[i]).book(id, gauge, onsetTime, loss, base);
        }
        if (returned == 0) return;
        uint128 paid = uint128(Math.saturatingSub(incident_.paid, returned));
        incident_.paid = paid;
        emit Returned(id, returned, paid);
    }

    function _settle(uint256 id, bytes32 gauge) private {
        address[] memory pools = catalog.poolsOf(gauge);
        for (uint256 i; i < pools.length; ++i) {
            IPool(pools[i]).settleBooking(id);
        }
    }

    function _known(uint256 id) private view returns (Incident storage incident_) {
        incident_ = _incidents[id];
        if (incident_.status == Status.None) revert UnknownIncident(id);
    }

    function _threshold(bytes32 gauge) private view returns (uint256) {
        ICatalog.GaugeInfo memory info = catalog.gaugeInfo(gauge);
        if (info.listedAt == 0) revert UnknownGauge(gauge);
        return info.threshold;
    }

    function _checkShape(Measurement calldata m) private view {
        if (m.reading <= m.onset || m.afterTime <= m.onsetTime || m.base == 0 || m.loss > m.base) {
            revert BadMeasurement(m.onset, m.reading, m.base, m.loss);
        }
        if (m.reading >= block.number) revert NotMined(m.reading, block.number);
    }

    /// @dev Keeps anyone from stretching an old small loss over a new great one: its early onset would shut
    ///      out the policies that incepted in between.
    function _checkSpan(Measurement calldata m, bytes32 gauge) private view {
        uint256 last = Math.max(m.onset, _voidedAt[gauge]) + SPAN * dwell;
        if (m.reading > last) revert ReadingTooLate(m.reading, last);
    }

    /// @dev No block may count in two incidents. `earlier` zero has reading zero.
    function _checkOnset(Measurement calldata m, uint256 earlier) private view {
        uint64 least = _incidents[earlier].reading;
        if (m.onset < least) revert OnsetTooEarly(m.onset, least);
    }

    function _checkClaims(uint256 id, Incident storage incident_) private view {
        Status status = incident_.status;
        if (status == Status.Voided) revert IncidentNotOpen(id, status);
        if (status == Status.Final && block.timestamp > incident_.claimsEnd) {
            revert ClaimsOver(id, incident_.claimsEnd);
        }
    }

    /// @dev What a position proven from `onset` has lost by the incident's measurement of now; zero if its
    ///      onset moved. Rounded down, in favour of the pools.
    function _lostOf(Incident storage incident_, uint64 onset, uint128 lost, uint128 value)
        private
        view
        returns (uint128)
    {
        if (onset != incident_.onset || lost == 0) return 0;
        return uint128(Math.min(lost, uint256(value) * incident_.loss / incident_.base));
    }

    /// @dev Whether two loss fractions are at least an eighth of the threshold, rounded up, apart.
    function _moves(uint256 before, uint256 lambda, uint256 threshold) private pure returns (bool) {
        uint256 distance = lambda > before ? lambda - before : before - lambda;
        return distance >= Math.ceilDiv(threshold, STEP);
    }

    function _lambdaOf(Incident storage incident_) private view returns (uint256) {
        return _lambda(incident_.loss, incident_.base);
    }

    /// @dev Loss as a fraction, wad, rounded down: in favour of the pools.
    function _lambda(uint256 loss, uint256 base) private pure returns (uint256) {
        return loss * WAD / base;
    }
}
