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
    }

    /// @dev Incidents of one gauge that `touched` looks back on, and of one subject that `consume` does.
    uint256 public constant LOOK_BACK = 8;

    /// @dev Ids run from 1 to `count`. loss <= base; onset < reading; peak is at least the loss fraction.
    mapping(uint256 id => Incident incident) internal _incidents;
    /// @dev The newest incident of whatever was listed on a subject, voided ones included.
    mapping(bytes32 subject => uint256 id) private _newestOf;
    /// @dev The incident of the same subject that was opened before this one, and the subject.
    mapping(uint256 id => uint256 earlier) private _earlierOf;
    mapping(uint256 id => bytes32 subject) private _subjectOf;
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
    function consume(uint256 id, address account, uint128 lost, uint128 wanted)
        external
        returns (uint128 granted)
    {
        if (msg.sender != policies) revert NotPolicies(msg.sender);
        Incident storage incident_ = _known(id);
        _checkClaims(id, incident_);
        uint128 paid = _positions[id][account].paid;
        uint128 paidInAll = incident_.paid;
        uint256 elsewhere = _paidElsewhere(id, incident_, account);
        // Both may have been exceeded by what was paid in the dwell before a lower measurement came.
        uint256 room = Math.min(
            Math.saturatingSub(lost, paid + elsewhere), Math.saturatingSub(incident_.loss, paidInAll)
        );
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

    /// @dev Puts a new incident behind the others of its subject.
    function _chain(uint256 id, bytes32 subject) internal {
        (_subjectOf[id], _earlierOf[id], _newestOf[subject]) = (subject, _newestOf[subject], id);
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

    /// @dev What the account was paid for the same loss where it was told by another gauge or trigger of the subject.
    function _paidElsewhere(uint256 id, Incident storage incident_, address account)
        private
        view
        returns (uint256 paid)
    {
        uint256 other = _newestOf[_subjectOf[id]];
        for (uint256 i; i < LOOK_BACK && other != 0; ++i) {
            uint256 part = _positions[other][account].paid;
            if (part != 0 && _overlap(incident_, _incidents[other])) paid += part;
            other = _earlierOf[other];
        }
    }

    /// @dev Whether claims of one were open when the other was opened, on different gauges. `mine` is open now.
    function _overlap(Incident storage mine, Incident storage other) private view returns (bool) {
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
