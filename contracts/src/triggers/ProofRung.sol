// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICatalog} from "../interfaces/ICatalog.sol";
import {Form, GaugeSpec, Reading} from "../interfaces/IGauges.sol";
import {IHistory} from "../interfaces/IHistory.sol";
import {IIncidents, Incident, Measurement, Rung} from "../interfaces/IIncidents.sol";
import {Evidence, IProofRung} from "../interfaces/IProofRung.sol";
import {Gauge} from "../libraries/Gauge.sol";
import {Header} from "../libraries/Header.sol";
import {Reader} from "../libraries/Reader.sol";
import {Trie} from "../libraries/Trie.sol";

/// @title ProofRung
/// @notice Has no owner and no parameter. What it says was lost follows from block hashes that the chain
///         itself confirms.
contract ProofRung is IProofRung, ReentrancyGuardTransient {
    /// @dev One reading of an enumerated gauge may come in several parts.
    struct Stage {
        Reading reading;
        bytes32 old; // hash over the holders that are no newcomers
        address last; // holder proven last
        bool saturated; // a sum is out of range
    }

    /// @dev What an incident is measured by.
    struct Measure {
        Gauge.Onset onset;
        Reading reading;
    }

    /// @dev What positions were proven to hold at the onset and at block `b`, and the loss up to `b`.
    struct Held {
        Reading b;
        uint128 loss;
        uint256[] before;
        uint256[] later;
    }

    IHistory public immutable history;
    ICatalog public immutable catalog;
    IIncidents public immutable incidents;

    /// @dev Proven under a header of the chain, so true for ever. Keyed by stager, so nobody can spoil another's.
    mapping(address stager => mapping(bytes32 gauge => mapping(uint64 number => Stage))) private _stages;
    /// @dev For incidents of this rung: blocks and base are those of the incident, and both readings of an
    ///      enumerated gauge have the same holders.
    mapping(uint256 id => Measure measure) private _measures;

    constructor(IHistory history_, ICatalog catalog_, IIncidents incidents_) {
        history = history_;
        catalog = catalog_;
        incidents = incidents_;
    }

    /// @inheritdoc IProofRung
    function assertLoss(GaugeSpec calldata spec, Evidence calldata evidence)
        external
        nonReentrant
        returns (uint256 id)
    {
        bytes32 gauge = _gauge(spec);
        Reading[] memory r = _readOnset(spec, gauge, evidence);
        return _assert(spec, gauge, r[0], r[1], r[r.length - 1]);
    }

    /// @inheritdoc IProofRung
    function assertStaged(GaugeSpec calldata spec, uint64 onset, uint64 reading)
        external
        nonReentrant
        returns (uint256 id)
    {
        bytes32 gauge = _gauge(spec);
        if (reading <= onset) revert NotAscending(onset, reading);
        Reading memory a = _staged(gauge, onset, true).reading;
        Reading memory next = _staged(gauge, onset + 1, false).reading;
        Reading memory b = _staged(gauge, reading, false).reading;
        _checkSame(a.holders, next.holders);
        _checkSame(a.holders, b.holders);
        return _assert(spec, gauge, a, next, b);
    }

    /// @inheritdoc IProofRung
    function proveLater(GaugeSpec calldata spec, uint256 id, Evidence calldata evidence)
        external
        nonReentrant
    {
        (bytes32 gauge, Incident memory incident) = _incident(spec, id);
        Header.Parsed[] memory headers = _headers(evidence, 1, 1);
        _later(spec, gauge, id, incident, _readAll(spec, gauge, evidence, headers, false)[0]);
    }

    /// @inheritdoc IProofRung
    function proveLaterStaged(GaugeSpec calldata spec, uint256 id, uint64 reading) external nonReentrant {
        (bytes32 gauge, Incident memory incident) = _incident(spec, id);
        _later(spec, gauge, id, incident, _staged(gauge, reading, false).reading);
    }

    /// @inheritdoc IProofRung
    function widen(GaugeSpec calldata spec, uint256 id, Evidence calldata evidence) external nonReentrant {
        (bytes32 gauge, Incident memory incident) = _incident(spec, id);
        if (spec.form != Form.Enumerated) revert WrongForm(spec.form);
        bytes32 old = Reader.chainWithout(0, evidence.holders, evidence.newcomers);
        _checkSame(_measures[id].onset.a.holders, old);
        Reading[] memory r = _readAll(spec, gauge, evidence, _headers(evidence, 2, 2), true);
        _widen(spec, gauge, id, incident, r[0], r[1]);
    }

    /// @inheritdoc IProofRung
    function widenStaged(GaugeSpec calldata spec, uint256 id, uint64 reading) external nonReentrant {
        (bytes32 gauge, Incident memory incident) = _incident(spec, id);
        if (spec.form != Form.Enumerated) revert WrongForm(spec.form);
        Stage memory a = _staged(gauge, incident.onset, true);
        Stage memory b = _staged(gauge, reading, false);
        bytes32 chain = _measures[id].onset.a.holders;
        _checkSame(chain, a.old);
        _checkSame(chain, b.old);
        _checkSame(a.reading.holders, b.reading.holders);
        _widen(spec, gauge, id, incident, a.reading, b.reading);
    }

    /// @inheritdoc IProofRung
    function stage(GaugeSpec calldata spec, Evidence calldata evidence) external nonReentrant {
        bytes32 gauge = _gauge(spec);
        Header.Parsed[] memory headers = _headers(evidence, 1, 1);
        Stage memory s = _stages[msg.sender][gauge][headers[0].number];
        _extend(spec, evidence, headers[0], s);
        _stages[msg.sender][gauge][headers[0].number] = s;
        emit Staged(gauge, msg.sender, s.reading, s.old, s.saturated);
    }

    /// @inheritdoc IProofRung
    function provePositions(
        GaugeSpec calldata spec,
        uint256 id,
        address[] calldata accounts,
        Evidence calldata evidence
    ) external nonReentrant {
        (bytes32 gauge, Incident memory incident) = _incident(spec, id);
        Held memory held = _walkPositions(spec, gauge, id, incident, accounts, evidence);
        Gauge.Onset memory onset = _measures[id].onset;
        for (uint256 i; i < accounts.length; ++i) {
            (uint256 lost, uint256 value) =
                Gauge.positionLoss(spec, onset, held.b, held.loss, held.before[i], held.later[i]);
            // The loss of one position never exceeds that of all.
            lost = Math.min(lost, incident.loss);
            value = Math.min(value, type(uint128).max);
            incidents.recordPosition(id, accounts[i], uint128(lost), uint128(value));
        }
    }

    /// @inheritdoc IProofRung
    function measure(GaugeSpec calldata spec, Evidence calldata evidence)
        external
        view
        returns (Measurement memory)
    {
        bytes32 gauge = _gauge(spec);
        Reading[] memory r = _readOnset(spec, gauge, evidence);
        Reading memory b = r[r.length - 1];
        Gauge.Onset memory onset = Gauge.Onset(r[0], Gauge.baseOf(spec, gauge, r[0]), r[1].assets);
        return _measurement(r[0].time, r[1].time, Gauge.lossOf(spec, gauge, onset, b), onset, b);
    }

    /// @inheritdoc IProofRung
    function staged(address stager, bytes32 gauge, uint64 number) external view returns (Reading memory) {
        return _stages[stager][gauge][number].reading;
    }

    /// @inheritdoc IProofRung
    function readings(uint256 id)
        external
        view
        returns (Reading memory onset, uint128 afterAssets, Reading memory reading)
    {
        Measure memory m = _measures[id];
        return (m.onset.a, m.onset.afterAssets, m.reading);
    }

    /// @dev Opens an incident, or revises the one that dwells.
    function _assert(
        GaugeSpec calldata spec,
        bytes32 gauge,
        Reading memory a,
        Reading memory next,
        Reading memory b
    ) private returns (uint256 id) {
        Gauge.Onset memory onset = Gauge.Onset(a, Gauge.baseOf(spec, gauge, a), next.assets);
        uint256 first = Gauge.lambda(Gauge.lossOf(spec, gauge, onset, next), onset.base);
        uint256 least = (uint256(spec.threshold) + 1) / 2;
        if (first < least) revert NoOnset(first, least);
        uint128 loss = Gauge.lossOf(spec, gauge, onset, b);
        uint256 lambda = Gauge.lambda(loss, onset.base);
        if (lambda < spec.threshold) revert BelowThreshold(lambda, spec.threshold);

        Measurement memory m = _measurement(a.time, next.time, loss, onset, b);
        id = incidents.dwelling(gauge, a.number);
        if (id == 0) {
            id = incidents.open(gauge, Rung.Proof, msg.sender, m);
            _keep(id, onset, b);
        } else {
            bytes32 chain = _measures[id].onset.a.holders;
            // Other holders may show that the first were chosen to understate the loss; they may not undo a
            // widening by going back to what was asserted before.
            if (a.holders != chain && lambda <= incidents.incident(id).peak) {
                revert HoldersMismatch(chain, a.holders);
            }
            _revise(id, m, onset, b);
        }
        history.anchor(a.number);
        history.anchor(next.number);
    }

    function _revise(uint256 id, Measurement memory m, Gauge.Onset memory onset, Reading memory b) private {
        incidents.revise(id, m);
        _keep(id, onset, b);
    }

    /// @dev A later block of a dwelling incident is proven.
    function _later(
        GaugeSpec calldata spec,
        bytes32 gauge,
        uint256 id,
        Incident memory incident,
        Reading memory b
    ) private {
        if (b.number <= incident.reading) {
            revert NotLater(incident.reading, b.number);
        }
        Gauge.Onset memory onset = _measures[id].onset;
        _checkSame(onset.a.holders, b.holders);
        uint128 loss = Gauge.lossOf(spec, gauge, onset, b);
        _revise(id, _measurement(incident.onsetTime, incident.afterTime, loss, onset, b), onset, b);
    }

    /// @dev The onset and a block from the reading on are proven with more holders.
    function _widen(
        GaugeSpec calldata spec,
        bytes32 gauge,
        uint256 id,
        Incident memory incident,
        Reading memory a,
        Reading memory b
    ) private {
        if (a.number != incident.onset) revert WrongBlock(incident.onset, a.number);
        if (b.number < incident.reading) revert NotLater(incident.reading, b.number);
        uint128 afterAssets = _measures[id].onset.afterAssets;
        Gauge.Onset memory onset = Gauge.Onset(a, Gauge.baseOf(spec, gauge, a), afterAssets);
        uint128 loss = Gauge.lossOf(spec, gauge, onset, b);
        uint256 lambda = Gauge.lambda(loss, onset.base);
        if (lambda > incident.peak) revert AbovePeak(lambda, incident.peak);
        _revise(id, _measurement(incident.onsetTime, incident.afterTime, loss, onset, b), onset, b);
    }

    /// @dev Positions are proven at the onset and the reading long after their hashes would have been forgotten.
    function _keep(uint256 id, Gauge.Onset memory onset, Reading memory b) private {
        history.anchor(b.number);
        _measures[id] = Measure(onset, b);
        emit Measured(id, onset.a, onset.afterAssets, b);
    }

    /// @dev What accounts held at the onset and at one block up to the reading, and the loss up to it.
    function _walkPositions(
        GaugeSpec calldata spec,
        bytes32 gauge,
        uint256 id,
        Incident memory incident,
        address[] calldata accounts,
        Evidence calldata evidence
    ) private view returns (Held memory held) {
        Header.Parsed[] memory headers = _headers(evidence, 2, 2);
        _checkBlocks(spec, incident, headers);
        Reader.chainOf(0, address(0), accounts);
        Reader.Proof memory proof = Reader.start(evidence);
        held.before = _holdings(spec, accounts, evidence, proof, headers[0]);
        if (headers[1].number == incident.reading) {
            held.b = _measures[id].reading;
            held.loss = incident.loss;
        } else {
            (held.b,) = Reader.read(spec, evidence, proof, headers[1], 0);
            held.loss = Gauge.lossOf(spec, gauge, _measures[id].onset, held.b);
        }
        held.later = _holdings(spec, accounts, evidence, proof, headers[1]);
        Trie.done(evidence.paths, proof.cursor);
    }

    /// @dev Claims are worth what they say, so only shares have a block that serves their holder best.
    function _checkBlocks(GaugeSpec calldata spec, Incident memory incident, Header.Parsed[] memory headers)
        private
        pure
    {
        if (headers[0].number != incident.onset) revert WrongBlock(incident.onset, headers[0].number);
        uint256 first = Gauge.hasShares(spec) ? uint256(incident.onset) + 1 : incident.reading;
        if (headers[1].number < first || headers[1].number > incident.reading) {
            revert OutsideIncident(headers[1].number, first, incident.reading);
        }
    }

    /// @dev What each account holds at a block.
    function _holdings(
        GaugeSpec calldata spec,
        address[] calldata accounts,
        Evidence calldata evidence,
        Reader.Proof memory proof,
        Header.Parsed memory header
    ) private pure returns (uint256[] memory amounts) {
        bytes32 root = Reader.holdingRoot(spec, evidence, proof, header.stateRoot);
        amounts = new uint256[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            amounts[i] = Reader.holdingOf(spec, evidence, proof, root, accounts[i]);
        }
    }

    /// @dev Reads one block into a stage; the holders' claims add to those of the calls before.
    function _extend(
        GaugeSpec calldata spec,
        Evidence calldata evidence,
        Header.Parsed memory header,
        Stage memory s
    ) private pure {
        _checkHolders(spec, evidence);
        uint256 claims = s.reading.claims;
        bytes32 chain = Reader.chainOf(s.reading.holders, s.last, evidence.holders);
        Reader.Proof memory proof = Reader.start(evidence);
        bool saturated;
        (s.reading, saturated) = Reader.read(spec, evidence, proof, header, chain);
        Trie.done(evidence.paths, proof.cursor);
        if (spec.form != Form.Enumerated) {
            s.saturated = saturated;
            return;
        }
        claims += s.reading.claims;
        s.saturated = s.saturated || saturated || claims > type(uint128).max;
        s.reading.claims = uint128(Math.min(claims, type(uint128).max));
        s.old = Reader.chainWithout(s.old, evidence.holders, evidence.newcomers);
        s.last = evidence.holders[evidence.holders.length - 1];
    }

    /// @dev Reads the gauge at a, a + 1 and, if given, b.
    function _readOnset(GaugeSpec calldata spec, bytes32 gauge, Evidence calldata evidence)
        private
        view
        returns (Reading[] memory)
    {
        Header.Parsed[] memory headers = _headers(evidence, 2, 3);
        if (headers[1].number != headers[0].number + 1) {
            revert NotAdjacent(headers[0].number, headers[1].number);
        }
        return _readAll(spec, gauge, evidence, headers, true);
    }

    /// @dev Reads the gauge in every block, the first without saturation if it is an onset; all walks must be used.
    function _readAll(
        GaugeSpec calldata spec,
        bytes32 gauge,
        Evidence calldata evidence,
        Header.Parsed[] memory headers,
        bool onset
    ) private pure returns (Reading[] memory r) {
        _checkHolders(spec, evidence);
        bytes32 chain = Reader.chainOf(0, address(0), evidence.holders);
        Reader.Proof memory proof = Reader.start(evidence);
        r = new Reading[](headers.length);
        for (uint256 i; i < headers.length; ++i) {
            bool saturated;
            (r[i], saturated) = Reader.read(spec, evidence, proof, headers[i], chain);
            if (saturated && onset && i == 0) revert SumOutOfRange(gauge, headers[i].number);
        }
        Trie.done(evidence.paths, proof.cursor);
    }

    /// @dev The headers' fields, as the chain confirms them, ascending by number.
    function _headers(Evidence calldata evidence, uint256 least, uint256 most)
        private
        view
        returns (Header.Parsed[] memory headers)
    {
        uint256 count = evidence.headers.length;
        if (count < least || count > most) revert WrongHeaderCount(least, most, count);
        headers = new Header.Parsed[](count);
        for (uint256 i; i < count; ++i) {
            headers[i] = history.verify(evidence.headers[i]);
            if (i != 0 && headers[i].number <= headers[i - 1].number) {
                revert NotAscending(headers[i - 1].number, headers[i].number);
            }
        }
    }

    /// @dev The id of a listed gauge of this chain, which a fork may have left.
    function _gauge(GaugeSpec calldata spec) private view returns (bytes32 gauge) {
        gauge = keccak256(abi.encode(spec));
        if (catalog.gaugeInfo(gauge).listedAt == 0) revert UnknownGauge(gauge);
        if (spec.chainId != block.chainid) revert WrongChain(block.chainid, spec.chainId);
    }

    /// @dev An incident of this rung and of this gauge, which is listed because the incident was opened.
    function _incident(GaugeSpec calldata spec, uint256 id)
        private
        view
        returns (bytes32 gauge, Incident memory incident)
    {
        gauge = keccak256(abi.encode(spec));
        incident = incidents.incident(id);
        if (incident.gauge != gauge) revert WrongGauge(incident.gauge, gauge);
        if (incident.rungContract != address(this)) {
            revert IIncidents.NotThisRung(incident.rungContract, address(this));
        }
        if (spec.chainId != block.chainid) revert WrongChain(block.chainid, spec.chainId);
    }

    function _staged(bytes32 gauge, uint64 number, bool exact) private view returns (Stage memory s) {
        s = _stages[msg.sender][gauge][number];
        if (s.reading.time == 0) revert NotStaged(msg.sender, gauge, number);
        if (exact && s.saturated) revert SumOutOfRange(gauge, number);
    }

    function _checkSame(bytes32 expected, bytes32 got) private pure {
        if (got != expected) revert HoldersMismatch(expected, got);
    }

    /// @dev Holders are listed if and only if the gauge has no total.
    function _checkHolders(GaugeSpec calldata spec, Evidence calldata evidence) private pure {
        if ((spec.form == Form.Enumerated) == (evidence.holders.length == 0)) revert WrongForm(spec.form);
    }

    /// @dev Anyone who reads the same two blocks arrives at the same evidence.
    function _measurement(
        uint64 onsetTime,
        uint64 afterTime,
        uint128 loss,
        Gauge.Onset memory onset,
        Reading memory b
    ) private pure returns (Measurement memory) {
        return Measurement({
            onset: onset.a.number,
            reading: b.number,
            onsetTime: onsetTime,
            afterTime: afterTime,
            base: onset.base,
            loss: loss,
            evidence: keccak256(abi.encode(onset.a, b))
        });
    }
}
