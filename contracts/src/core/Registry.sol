// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IIncidents, Incident, Status} from "../interfaces/IIncidents.sol";
import {Rungs} from "./Rungs.sol";

/// @title The registry of positions: what each lost and was paid, over all policies, pools and kinds of cover
abstract contract Registry is Rungs {
    struct Position {
        uint128 lost; // gauge units
        uint128 value; // at the onset, gauge units
        uint128 paid; // never falls
        uint64 onset; // block
        uint64 earlier; // the incident of the subject that paid the account before this one did
    }

    /// @dev Incidents of one gauge that a walk from the newest passes at most.
    uint256 public constant LOOK_BACK = 8;

    /// @dev Ids run from 1 to `count`. loss <= base; onset < reading; peak is at least the loss fraction.
    mapping(uint256 id => Incident incident) internal _incidents;
    /// @dev In the place of an account: all who were paid, and those who were paid for all holders.
    address private constant ALL = address(0);
    address private constant WHOLE = address(1);

    mapping(uint256 id => bytes32 subject) internal _subjectOf;
    /// @dev The last incident of whatever was listed on a subject that began to pay the account. Nobody but who is paid
    ///      makes this list longer, so nobody can push a payment out of it.
    mapping(bytes32 subject => mapping(address account => uint64 id)) private _lastPaid;
    /// @dev What was proven of a position counts only for the onset it was proven from.
    mapping(uint256 id => mapping(address account => Position position)) private _positions;

    /// @inheritdoc IIncidents
    function recordPosition(uint256 id, address account, uint128 lost, uint128 value) external {
        Incident storage incident_ = _ofCaller(id);
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
    function consume(uint256 id, address account, bool whole, uint128 lost, uint128 wanted)
        external
        returns (uint128 granted)
    {
        if (msg.sender != policies) revert NotPolicies(msg.sender);
        Incident storage incident_ = _known(id);
        _checkClaims(id, incident_);
        granted = uint128(Math.min(wanted, _room(id, incident_, account, whole, lost)));
        if (granted == 0) return 0;
        uint128 paidInAll = incident_.paid + granted;
        incident_.paid = paidInAll;
        _pay(id, ALL, granted);
        if (whole) _pay(id, WHOLE, granted);
        emit PositionPaid(id, account, whole, granted, _pay(id, account, granted), paidInAll);
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

    function _known(uint256 id) internal view returns (Incident storage incident_) {
        incident_ = _incidents[id];
        if (incident_.status == Status.None) revert UnknownIncident(id);
    }

    /// @dev The incident, if the caller is the contract that opened it.
    function _ofCaller(uint256 id) internal view returns (Incident storage incident_) {
        incident_ = _known(id);
        if (msg.sender != incident_.rungContract) revert NotThisRung(incident_.rungContract, msg.sender);
    }

    /// @dev What may still be paid for a position that lost `lost`, or for all holders.
    function _room(uint256 id, Incident storage incident_, address account, bool whole, uint128 lost)
        private
        view
        returns (uint256)
    {
        uint256 own = _positions[id][account].paid + _paidElsewhere(id, incident_, account);
        uint256 all = incident_.paid;
        // Who is paid for all holders is paid for each of them; from then on all are paid one loss together.
        bool stands = whole || _positions[id][WHOLE].paid + _paidElsewhere(id, incident_, WHOLE) != 0;
        if (stands) all += _paidElsewhere(id, incident_, ALL);
        // Both may have been exceeded by what was paid in the dwell before a lower measurement came.
        return Math.min(Math.saturatingSub(lost, own), Math.saturatingSub(incident_.loss, all));
    }

    function _pay(uint256 id, address account, uint128 amount) private returns (uint128 paid) {
        Position storage p = _positions[id][account];
        if (p.paid == 0) {
            bytes32 subject = _subjectOf[id];
            (p.earlier, _lastPaid[subject][account]) = (_lastPaid[subject][account], uint64(id));
        }
        paid = p.paid + amount;
        p.paid = paid;
    }

    /// @dev What the account was paid for the same loss where it was told by another gauge or trigger of the subject.
    function _paidElsewhere(uint256 id, Incident storage incident_, address account)
        private
        view
        returns (uint256 paid)
    {
        uint256 other = _lastPaid[_subjectOf[id]][account];
        for (; other != 0; other = _positions[other][account].earlier) {
            if (other != id && _overlap(incident_, _incidents[other])) {
                paid += _positions[other][account].paid;
            }
        }
    }

    /// @dev Whether both tell of the same blocks, so that nobody makes two losses of one by waiting, or claims of one
    ///      were open when the other was opened, on different gauges. `mine` is open now.
    function _overlap(Incident storage mine, Incident storage other) private view returns (bool) {
        if (mine.onset < other.reading && other.onset < mine.reading) return true;
        if (other.gauge == mine.gauge) return false;
        if (other.openedAt >= mine.openedAt) return true;
        // One that was voided has no claims: its answers ended with its dwell.
        if (other.status == Status.Voided) return other.dwellEnd >= mine.openedAt;
        return other.status != Status.Final || other.claimsEnd >= mine.openedTime;
    }

    function _checkClaims(uint256 id, Incident storage incident_) internal view {
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
}
