// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Form, GaugeSpec} from "../interfaces/IGauges.sol";
import {IIncidents, Incident, Measurement, Rung, Status} from "../interfaces/IIncidents.sol";
import {Evidence, IProofRung} from "../interfaces/IProofRung.sol";
import {Challenge, IQuorumRung, PostedReport} from "../interfaces/IQuorumRung.sol";
import {IReporters} from "../interfaces/IReporters.sol";
import {Eip712Types, LossReport} from "../libraries/Eip712Types.sol";
import {Quorum} from "../libraries/Quorum.sol";
import {QuorumPositions} from "./QuorumPositions.sol";

/// @title QuorumRung
/// @notice Has no owner. Its balance is at least the bonds of unresolved challenges and strikes, what it owes and what
///         is unburned; the bonds behind reports are with the reporters' registry.
contract QuorumRung is QuorumPositions {
    /// @dev The part of a report's figure by which each challenge of it must be below the one before.
    uint256 public constant STEP = 16;
    /// @dev The part of the proven base by which a report may be off.
    uint256 public constant TOLERANCE = 100;

    IProofRung public immutable proofRung;
    /// @inheritdoc IQuorumRung
    uint128 public immutable reportBond;

    /// @dev Of incidents of this rung. Their measurement is the report's until the report is judged.
    mapping(uint256 id => PostedReport report) private _posted;
    mapping(uint256 id => Challenge[] challenges) private _challenges;
    /// @dev Two reports of one reading cost a signer its bond once.
    mapping(address signer => mapping(bytes32 reading => bool)) private _proven;

    /// @param reportBond_ at most what a reporter must have bonded.
    /// @param challengeBond_ at least 1; both in units of the reporters' asset.
    constructor(
        IIncidents incidents_,
        IReporters reporters_,
        IProofRung proofRung_,
        uint128 reportBond_,
        uint128 challengeBond_
    ) QuorumPositions(incidents_, reporters_, challengeBond_) {
        if (reportBond_ == 0 || reportBond_ > reporters_.minBond()) {
            revert OutOfRange("reportBond", reportBond_);
        }
        (proofRung, reportBond) = (proofRung_, reportBond_);
    }

    // ----- reports -----

    /// @inheritdoc IQuorumRung
    function post(LossReport calldata report, address[] calldata signers, bytes[] calldata signatures)
        external
        nonReentrant
        returns (uint256 id)
    {
        bytes32 digest = _digest(Eip712Types.hash(report));
        Quorum.Terms memory terms = Quorum.Terms(
            Eip712Types.LOSS_REPORT_TYPEHASH,
            report.signerSet,
            report.nonce,
            report.validFrom,
            report.validUntil
        );
        _take(terms, digest, signers, signatures);
        id = report.incident;
        if (id == 0) {
            // Whoever sends the transaction may have copied it, so the opener's bounty is one of the signers'.
            address opener = signers[uint256(digest) % signers.length];
            id = incidents.open(report.gauge, Rung.Quorum, opener, _measurement(report));
        } else {
            _checkPosted(id);
            bytes32 gauge = incidents.incident(id).gauge;
            if (gauge != report.gauge) revert WrongGauge(gauge, report.gauge);
            incidents.revise(id, _measurement(report));
        }
        _keep(id, report, digest, signers);
        emit Posted(id, digest, report, signers, reportBond);
    }

    /// @inheritdoc IQuorumRung
    function challenge(uint256 id, uint128 loss) external nonReentrant returns (uint256 index) {
        _checkPosted(id);
        PostedReport storage r = _posted[id];
        uint128 against = r.loss;
        // Rounded up: a step too small would let a friend of the signers fill the room below them.
        uint256 most = Math.saturatingSub(r.lowest, Math.ceilDiv(against, STEP));
        if (loss >= r.lowest || (loss > most && loss != 0)) revert ChallengeTooHigh(uint128(most), loss);
        uint128 bond = nextBond(id);
        if (r.challenger == address(0) || loss > r.highest) (r.challenger, r.highest) = (msg.sender, loss);
        r.lowest = loss;
        index = _challenges[id].length;
        _challenges[id].push(Challenge(msg.sender, loss, against, bond));
        emit Challenged(id, index, msg.sender, loss, against, bond);
        _pull(bond);
        _ladder(incidents).hold(id, loss);
    }

    // ----- judgement -----

    /// @inheritdoc IQuorumRung
    function settle(uint256 id) external nonReentrant {
        _checkPosted(id);
        PostedReport storage r = _posted[id];
        if (r.signers.length == 0) revert AlreadySettled(id);
        Incident memory incident = _over(id);
        // The one that is farther from the decision loses; a tie is nobody's. Without a challenge zero stands for it.
        bool wrong = 2 * uint256(incident.loss) < uint256(r.highest) + r.loss;
        // Evidence may still come.
        if (!wrong && incident.status == Status.Final && block.timestamp <= incident.claimsEnd) {
            revert ClaimsOpen(id, incident.claimsEnd);
        }
        if (!wrong && incident.status == Status.Voided && block.number <= incident.dwellEnd) {
            revert StillOpen(id, uint8(incident.status));
        }
        emit Settled(id, r.digest, wrong);
        _free(r, wrong, r.challenger);
    }

    /// @inheritdoc IQuorumRung
    function resolve(uint256 id, uint256 index) external nonReentrant {
        if (index >= _challenges[id].length) revert UnknownChallenge(id, index);
        Challenge storage c = _challenges[id][index];
        uint128 bond = c.bond;
        if (bond == 0) revert AlreadyResolved(id, index);
        Incident memory incident = _over(id);
        uint128 last = _posted[id].loss;
        // Void at the last report's own figure: it was taken back or a proof took its place, and nobody decided.
        bool undecided = incident.status == Status.Voided && incident.loss >= last;
        // The decision was about more than what was challenged.
        bool outgrown = last > c.against;
        bool nearer = 2 * uint256(incident.loss) <= uint256(c.loss) + c.against;
        bool returned = undecided || outgrown || nearer;
        c.bond = 0;
        emit ChallengeResolved(id, index, returned);
        _refund(c.challenger, bond, returned);
    }

    /// @inheritdoc IQuorumRung
    function equivocate(
        address signer,
        LossReport calldata first,
        bytes calldata firstSignature,
        LossReport calldata second,
        bytes calldata secondSignature
    ) external nonReentrant {
        bytes32 a = _digest(Eip712Types.hash(first));
        bytes32 b = _digest(Eip712Types.hash(second));
        bool sameReading =
            first.gauge == second.gauge && first.onset == second.onset && first.reading == second.reading;
        bool sameLoss = first.base == second.base && first.loss == second.loss;
        if (!sameReading || sameLoss) revert NoEquivocation(a, b);
        bytes32 reading = keccak256(abi.encode(first.gauge, first.onset, first.reading));
        if (_proven[signer][reading]) revert AlreadyProven(signer, reading);
        _proven[signer][reading] = true;
        Quorum.check(a, signer, firstSignature);
        Quorum.check(b, signer, secondSignature);
        uint128 taken = reporters.slash(a, signer, type(uint128).max, msg.sender);
        taken += reporters.slash(b, signer, type(uint128).max, msg.sender);
        if (taken == 0) revert NothingToSlash(signer);
        emit Equivocated(signer, a, b, taken);
    }

    /// @inheritdoc IQuorumRung
    function contradict(uint256 id, GaugeSpec calldata spec, Evidence calldata evidence)
        external
        nonReentrant
    {
        _checkPosted(id);
        PostedReport storage r = _posted[id];
        if (r.signers.length == 0) revert AlreadySettled(id);
        Incident memory incident = incidents.incident(id);
        bytes32 gauge = keccak256(abi.encode(spec));
        if (gauge != incident.gauge) revert WrongGauge(incident.gauge, gauge);
        if (spec.form == Form.Enumerated) revert WrongForm(uint8(spec.form));
        Measurement memory m = proofRung.measure(spec, evidence);
        if (m.onset != r.onset || m.reading != r.reading) revert WrongBlocks(m.onset, m.reading);

        bool sameTimes = m.onsetTime == incident.onsetTime && m.afterTime == incident.afterTime;
        if (sameTimes && !_off(r.base, m.base, m.base) && !_off(r.loss, m.loss, m.base)) {
            revert NoContradiction(m.base, m.loss);
        }
        emit Contradicted(id, r.digest, m.base, m.loss, msg.sender);
        // Pools pay by the fraction of the reported base. Rounded down, in their favour. False times cover the
        // wrong policies, which no figure mends.
        uint256 loss = sameTimes ? uint256(m.loss) * r.base / m.base : 0;
        _free(r, true, msg.sender);
        _overrule(id, incident, loss);
    }

    // ----- views -----

    /// @inheritdoc IQuorumRung
    function nextBond(uint256 id) public view returns (uint128) {
        return challengeBond * uint128(_challenges[id].length + 1);
    }

    /// @inheritdoc IQuorumRung
    function posted(uint256 id) external view returns (PostedReport memory) {
        return _posted[id];
    }

    /// @inheritdoc IQuorumRung
    function challengeAt(uint256 id, uint256 index) external view returns (Challenge memory) {
        if (index >= _challenges[id].length) revert UnknownChallenge(id, index);
        return _challenges[id][index];
    }

    /// @inheritdoc IQuorumRung
    function challenges(uint256 id) external view returns (uint256) {
        return _challenges[id].length;
    }

    // ----- internals -----

    /// @dev The bonds of the report that was replaced are free before those of the new one are held.
    function _keep(uint256 id, LossReport calldata report, bytes32 digest, address[] calldata signers)
        private
    {
        PostedReport storage r = _posted[id];
        if (r.signers.length != 0) _free(r, false, address(0));
        if (r.digest != 0 && r.onset != report.onset) _dropPositions(id);
        (r.digest, r.onset, r.reading) = (digest, report.onset, report.reading);
        (r.base, r.loss, r.lowest, r.signers) = (report.base, report.loss, report.loss, signers);
        // A challenge stands until a report goes below it; else the same report, posted again, would shake it off.
        if (r.highest >= report.loss) (r.highest, r.challenger) = (0, address(0));
        for (uint256 i; i < signers.length; ++i) {
            reporters.hold(digest, signers[i], reportBond);
        }
    }

    /// @dev Ends what bonds back the report, by a slash or not; at most 32 signers.
    function _free(PostedReport storage r, bool wrong, address prover) private {
        bytes32 digest = r.digest;
        address[] memory signers = r.signers;
        delete r.signers;
        for (uint256 i; i < signers.length; ++i) {
            address signer = signers[i];
            if (!wrong) {
                reporters.release(digest, signer);
                continue;
            }
            // Nothing if the signer was slashed already: what backs other reports and what is free is not for this one.
            uint128 held = reporters.heldUnder(address(this), digest, signer);
            if (held != 0) reporters.slash(digest, signer, held, prover);
        }
    }

    /// @dev The proven loss counts as far as the incident's state lets it; nothing that was final changes.
    function _overrule(uint256 id, Incident memory incident, uint256 loss) private {
        if (incident.status == Status.Disputed) {
            uint128 asserted = _ladder(incidents).asserted(id);
            loss = Math.min(Math.max(loss, incident.loss), asserted);
        } else if (incident.status != Status.Dwelling || loss >= incident.loss) {
            return;
        }
        // At most the reported loss, which has 128 bits.
        _ladder(incidents).overrule(id, uint128(loss));
    }

    /// @dev The incident, once neither time nor the assembly can change it.
    function _over(uint256 id) private view returns (Incident memory incident) {
        incident = incidents.incident(id);
        if (incident.status == Status.Dwelling || incident.status == Status.Disputed) {
            revert StillOpen(id, uint8(incident.status));
        }
    }

    function _checkPosted(uint256 id) internal view override {
        if (_posted[id].digest == 0) revert UnknownReport(id);
    }

    function _off(uint128 reported, uint128 proven, uint128 base) private pure returns (bool) {
        uint256 distance = reported > proven ? reported - proven : proven - reported;
        return distance * TOLERANCE > base;
    }

    function _measurement(LossReport calldata report) private pure returns (Measurement memory) {
        return Measurement({
            onset: report.onset,
            reading: report.reading,
            onsetTime: report.onsetTime,
            afterTime: report.afterTime,
            base: report.base,
            loss: report.loss,
            evidence: report.evidence
        });
    }
}
