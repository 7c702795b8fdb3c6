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
    uint256 private constant WAD = 1e18;
    /// @dev Dwells in a span: nothing raises a loss later than this after its opening.
    uint64 public constant SPAN = 8;
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
    /// @dev Ids run from 1 to `count`. loss <= base; onset < reading.
    mapping(uint256 id => Incident incident) private _incidents;
    /// @dev The gauge's incident before this one that was not voided; its reading <= this one's onset.
    mapping(uint256 id => uint256 earlier) private _previous;
    /// @inheritdoc IIncidents
    mapping(bytes32 gauge => uint256 id) public latest;
    /// @dev The highest reading that voided an incident of the gauge: the gauge was healthy there.
    mapping(bytes32 gauge => uint64 reading) private _voidedAt;
    /// @inheritdoc IIncidents
    mapping(uint256 id => mapping(address account => uint128 lost)) public positionLost;
    /// @dev positionPaid <= positionLost where the loss was the position's own; never falls.
    /// @inheritdoc IIncidents
    mapping(uint256 id => mapping(address account => uint128 paid)) public positionPaid;

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
        _checkSpan(m);
        uint256 last = latest[gauge];
        if (_incidents[last].status == Status.Dwelling) revert AlreadyDwelling(last);
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
        _measure(incident_, m);
        emit Opened(id, gauge, rung, opener, m, dwellEnd);
        _book(id, gauge, m.onsetTime, m.loss, m.base);
    }

    /// @inheritdoc IIncidents
    function revise(uint256 id, Measurement calldata m) external nonReentrant {
        Incident storage incident_ = _known(id);
        if (msg.sender != incident_.rungContract) revert NotThisRung(incident_.rungContract, msg.sender);
        _checkShape(m);
        if (incident_.status != Status.Dwelling) revert NotDwelling(id, incident_.status);
        if (block.number > incident_.dwellEnd) revert DwellOver(id, incident_.dwellEnd, block.number);
        uint256 lambda = _lambda(m.loss, m.base);
        bool raises = lambda > _lambda(incident_.loss, incident_.base);
        uint64 spanEnd = incident_.spanEnd;
        if (raises && block.number > spanEnd) revert SpanOver(id, spanEnd, block.number);
        if (
            m.onset > incident_.onset || (m.onset < incident_.onset && !raises)
                || m.reading < incident_.reading
        ) revert RevisionBackwards(id, m.onset, m.reading);

        bytes32 gauge = incident_.gauge;
        if (lambda < _threshold(gauge)) return _void(id, incident_, m);

        if (raises) _checkSpan(m);
        _checkOnset(m, _previous[id]);
        if (m.onset == incident_.onset && m.reading == incident_.reading && m.loss == incident_.loss) {
            revert NothingNew(id);
        }
        uint64 renewed = uint64(block.number) + dwell;
        // A higher loss gives counter-evidence a whole dwell; a lower one may not put the end off for ever.
        uint64 dwellEnd = raises
            ? uint64(Math.min(renewed, spanEnd + dwell))
            : uint64(Math.max(incident_.dwellEnd, Math.min(renewed, spanEnd)));
        incident_.dwellEnd = dwellEnd;
        _measure(incident_, m);
        emit Revised(id, m, dwellEnd);
        _book(id, gauge, m.onsetTime, m.loss, m.base);
    }

    /// @inheritdoc IIncidents
    function recordPosition(uint256 id, address account, uint128 lost) external {
        Incident storage incident_ = _known(id);
        if (msg.sender != incident_.rungContract) revert NotThisRung(incident_.rungContract, msg.sender);
        _checkClaims(id, incident_);
        if (lost <= positionLost[id][account]) return;
        positionLost[id][account] = lost;
        emit PositionProven(id, account, lost);
    }

    /// @inheritdoc IIncidents
    function finalise(uint256 id) external nonReentrant {
        Incident storage incident_ = _known(id);
        if (incident_.status != Status.Dwelling) revert NotDwelling(id, incident_.status);
        if (block.number <= incident_.dwellEnd) revert DwellNotOver(id, incident_.dwellEnd, block.number);
        uint32 claimsEnd = uint32(block.timestamp) + claimWindow;
        incident_.status = Status.Final;
        incident_.claimsEnd = claimsEnd;
        emit Finalised(id, claimsEnd);
        address[] memory pools = catalog.poolsOf(incident_.gauge);
        for (uint256 i; i < pools.length; ++i) {
            IPool(pools[i]).settleBooking(id);
        }
    }

    /// @inheritdoc IIncidents
    function consume(uint256 id, address account, uint128 lost, uint128 wanted)
        external
        returns (uint128 granted)
    {
        if (msg.sender != policies) revert NotPolicies(msg.sender);
        Incident storage incident_ = _known(id);
        _checkClaims(id, incident_);
        uint128 paid = positionPaid[id][account];
        uint128 paidInAll = incident_.paid;
        // Both may have been exceeded by what was paid in the dwell before a lower measurement came.
        uint256 room = Math.min(Math.saturatingSub(lost, paid), Math.saturatingSub(incident_.loss, paidInAll));
        granted = uint128(Math.min(wanted, room));
        if (granted == 0) return 0;
        paid += granted;
        paidInAll += granted;
        positionPaid[id][account] = paid;
        incident_.paid = paidInAll;
        emit PositionPaid(id, account, granted, paid, paidInAll);
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
    function _void(uint256 id, Incident storage incident_, Measurement calldata m) private {
        bytes32 gauge = incident_.gauge;
        incident_.status = Status.Voided;
        latest[gauge] = _previous[id];
        if (m.reading > _voidedAt[gauge]) _voidedAt[gauge] = m.reading;
        emit Voided(id, m);
        _book(id, gauge, incident_.onsetTime, 0, m.base);
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

    function _book(uint256 id, bytes32 gauge, uint64 onsetTime, uint128 loss, uint128 base) private {
        address[] memory pools = catalog.poolsOf(gauge);
        for (uint256 i; i < pools.length; ++i) {
            IPool(pools[i]).book(id, gauge, onsetTime, loss, base);
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
    function _checkSpan(Measurement calldata m) private view {
        uint256 last = uint256(m.onset) + SPAN * dwell;
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

    /// @dev Loss as a fraction, wad, rounded down: in favour of the pools.
    function _lambda(uint256 loss, uint256 base) private pure returns (uint256) {
        return loss * WAD / base;
    }
}
