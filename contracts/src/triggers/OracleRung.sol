// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Median} from "../feeds/Median.sol";
import {ICatalog} from "../interfaces/ICatalog.sol";
import {IHistory} from "../interfaces/IHistory.sol";
import {Claims, IHoldings} from "../interfaces/IHoldings.sol";
import {IIncidents, Incident} from "../interfaces/IIncidents.sol";
import {IOracleRung, LiquidationLog, OracleTerms} from "../interfaces/IOracleRung.sol";
import {Evidence, IProofRung} from "../interfaces/IProofRung.sol";
import {Run} from "../interfaces/IRunRung.sol";
import {Trigger} from "../interfaces/ITriggers.sol";
import {Header} from "../libraries/Header.sol";
import {Reader} from "../libraries/Reader.sol";
import {Receipts} from "../libraries/Receipts.sol";
import {Runs} from "../libraries/Runs.sol";
import {Trie} from "../libraries/Trie.sol";
import {Holdings} from "./Holdings.sol";
import {RunRung} from "./RunRung.sol";

/// @title OracleRung
/// @notice Has no owner and no parameter. What it pays for is in logs that the chain itself confirms; what they are
///         worth is the lowest median of the references while the feed was wrong.
contract OracleRung is IOracleRung, RunRung {
    using Receipts for Receipts.Log;

    /// @dev What an incident pays by.
    struct Case {
        uint128 price; // wad: the lowest median of the references in the run
        uint64 until; // the last block in which the feed was seen wrong
        uint64 since; // seconds: when its run began
    }

    /// @dev Of one borrower in one incident, over all its logs; units of the asset.
    struct Liquidated {
        uint128 lost;
        uint128 repaid;
    }

    bytes32 private constant TAG = "breakwater.oracle/1";
    uint256 private constant WAD = 1e18;

    /// @dev Of the run that goes on; what an incident of it pays by.
    mapping(bytes32 trigger => Case) private _current;
    mapping(uint256 id => Case) private _cases;
    mapping(uint256 id => mapping(address borrower => Liquidated)) private _liquidated;
    /// @dev By trigger, block, transaction and place in its receipt.
    mapping(bytes32 log => bool) private _used;

    constructor(IHistory history_, ICatalog catalog_, IIncidents incidents_)
        Holdings(history_, catalog_, incidents_)
    {}

    /// @inheritdoc IOracleRung
    function proveLog(uint256 id, uint256 transaction, uint256 log, Evidence calldata evidence)
        external
        nonReentrant
    {
        Incident memory incident = _incidentOf(id);
        OracleTerms memory t = _decode(_termsOf(incident.gauge));
        if (evidence.headers.length != 2) revert IProofRung.WrongHeaderCount(2, 2, evidence.headers.length);
        Reader.Proof memory proof = Reader.start(evidence);
        Header.Parsed memory header = history.verify(evidence.headers[1]);
        _checkBlock(incident, _cases[id].until, header, t.maxGap);
        _use(incident.gauge, header.number, transaction, log);
        Receipts.Log memory found = _find(header.receiptsRoot, proof, evidence, transaction, log);
        address borrower = _borrowerIn(t.log, found);
        uint256 debt = _debtOf(t, evidence, proof, incident.onset, borrower);
        _record(id, t.log, found, borrower, debt, incident.loss);
    }

    /// @notice Debts are no holdings: what was owed is not what was lost.
    function provePositions(uint256 id, address[] calldata, Evidence calldata)
        external
        view
        override(Holdings, IHoldings)
    {
        revert NoHoldings(incidents.incident(id).gauge);
    }

    /// @inheritdoc IHoldings
    function sellable(bytes32 trigger) external view returns (bool) {
        bytes memory encoded = terms[trigger];
        if (encoded.length == 0) return false;
        OracleTerms memory t = _decode(encoded);
        (bool live, uint256 price, Median.Answer memory answer) = _look(t);
        // Half the tolerance is kept clear: what is already on its way out is not insured.
        return live && !_off(price, answer, t.tolerance / 2);
    }

    function _tag() internal pure override returns (bytes32) {
        return TAG;
    }

    function _check(Trigger calldata trigger) internal pure override returns (Claims memory) {
        OracleTerms memory t = _decode(trigger.terms);
        Median.check(t.references);
        _within("tolerance", t.tolerance, 1, WAD);
        _within("maxGap", t.maxGap, 1, type(uint32).max);
        _within("period", t.period, t.maxGap, 30 days);
        _within("base", t.base, 1, type(uint128).max);
        _within("debtUnit", t.debtUnit, 1, type(uint128).max);
        _within("topicCount", t.log.topicCount, 2, 4);
        _within("borrower", t.log.borrower, 1, t.log.topicCount - 1);
        _within("topic", uint256(t.log.topics[0]), 1, type(uint256).max);
        _within("unitNum", t.log.unitNum, 1, type(uint64).max);
        _within("unitDen", t.log.unitDen, 1, type(uint64).max);
        _within("holding.width", t.claims.holding.width, 1, 256);
        uint256 emitter = uint160(t.log.emitter);
        // The logs of one function are those of the contract that it is a function of.
        if (trigger.selector != 0) {
            _within("emitter", emitter, uint160(trigger.subject), uint160(trigger.subject));
        }
        return t.claims;
    }

    function _claimsIn(bytes memory encoded) internal pure override returns (Claims memory) {
        return _decode(encoded).claims;
    }

    function _sizeOf(bytes memory encoded) internal pure override returns (uint128 base, uint32 period) {
        OracleTerms memory t = _decode(encoded);
        return (t.base, t.period);
    }

    function _lossOf(bytes memory encoded, Run memory) internal pure override returns (uint128) {
        return _decode(encoded).base;
    }

    function _opened(bytes32 trigger, uint256 id, Run memory, uint128, uint64) internal override {
        Case memory c = _current[trigger];
        _cases[id] = c;
        emit OracleOpened(trigger, id, c.price);
        emit StillWrong(id, c.until);
    }

    function _observe(bytes32 trigger, bytes memory encoded) internal override returns (Run memory r) {
        OracleTerms memory t = _decode(encoded);
        r = _runs[trigger];
        (bool live, uint256 price, Median.Answer memory answer) = _look(t);
        bool healthy = live && !_off(price, answer, t.tolerance);
        Runs.Look memory look = Runs.Look(live, healthy, answer.low, answer.upSince, 0);
        if (healthy) look.number = _anchored();
        uint64 began = r.since;
        Runs.observe(r, look, uint64(block.timestamp), t.maxGap);
        _runs[trigger] = r;
        Case memory c = _current[trigger];
        if (live) {
            // Of the whole run, dead looks left out; the lowest, in favour of the pools.
            if (healthy || began == 0 || answer.low < c.price) c.price = answer.low;
            if (!healthy) c.until = uint64(block.number) - 1;
            c.since = r.since;
            _current[trigger] = c;
        }
        // A run that began anew is not the one that the incident is of.
        if (live && !healthy && r.incident != 0 && r.since == _cases[r.incident].since) {
            _cases[r.incident].until = c.until;
            emit StillWrong(r.incident, c.until);
        }
        emit Observed(trigger, live, live ? price : 0, answer.low, c.price, r);
    }

    /// @dev What the protocol reads counts however old it is: it reads it all the same.
    function _look(OracleTerms memory t)
        private
        view
        returns (bool live, uint256 price, Median.Answer memory answer)
    {
        answer = Median.read(t.references, block.timestamp);
        if (!answer.ok) return (false, 0, answer);
        (live, price,) = Median.ask(t.watched, block.timestamp);
    }

    /// @dev Off both middles by more than a part of them, rounded in favour of the pools.
    function _off(uint256 price, Median.Answer memory answer, uint256 part) private pure returns (bool) {
        uint256 least = answer.low - Math.mulDiv(answer.low, part, WAD, Math.Rounding.Ceil);
        uint256 most = answer.high + Math.mulDiv(answer.high, part, WAD, Math.Rounding.Ceil);
        return price < least || price > most;
    }

    function _checkBlock(Incident memory incident, uint64 until, Header.Parsed memory header, uint32 maxGap)
        private
        pure
    {
        if (header.number <= incident.onset || header.number > until) {
            revert OutsideRun(header.number, incident.onset + 1, until);
        }
        uint256 least = Math.saturatingSub(incident.afterTime, maxGap);
        if (header.timestamp < least) revert LogTooEarly(header.timestamp, least);
    }

    function _use(bytes32 trigger, uint64 number, uint256 transaction, uint256 log) private {
        bytes32 key = keccak256(abi.encode(trigger, number, transaction, log));
        if (_used[key]) revert AlreadyProven(number, transaction, log);
        _used[key] = true;
        emit LogProven(trigger, number, transaction, log);
    }

    function _find(
        bytes32 root,
        Reader.Proof memory proof,
        Evidence calldata evidence,
        uint256 transaction,
        uint256 log
    ) private pure returns (Receipts.Log memory found) {
        (found, proof.cursor) = Receipts.prove(
            proof.nodes, evidence.paths, proof.cursor, root, transaction, log
        );
    }

    /// @dev Checks that the log is the one that the terms name.
    function _borrowerIn(LiquidationLog memory terms_, Receipts.Log memory log)
        private
        pure
        returns (address)
    {
        if (log.emitter != terms_.emitter) revert WrongEmitter(terms_.emitter, log.emitter);
        if (log.count != terms_.topicCount) revert WrongTopicCount(terms_.topicCount, log.count);
        for (uint256 i; i < log.count; ++i) {
            bytes32 expected = terms_.topics[i];
            if (i == terms_.borrower || expected == 0) continue;
            if (log.topics[i] != expected) revert WrongTopic(i, expected, log.topics[i]);
        }
        return address(uint160(uint256(log.topics[terms_.borrower])));
    }

    /// @dev The debt at the onset in units of the asset, rounded down.
    function _debtOf(
        OracleTerms memory t,
        Evidence calldata evidence,
        Reader.Proof memory proof,
        uint64 onset,
        address borrower
    ) private view returns (uint256 debt) {
        bytes32 root = _header(evidence.headers[0], onset).stateRoot;
        root = _keeperRoot(t.claims, evidence, proof, root, true);
        debt = _amount(t.claims.holding, evidence, proof, root, borrower);
        Trie.done(evidence.paths, proof.cursor);
        debt = Math.min(Math.mulDiv(debt, t.debtUnit, WAD), type(uint128).max);
        if (debt == 0) revert NoDebt(borrower);
    }

    /// @dev What was taken at the price less what was repaid, rounded down; both at most 2^128 - 1.
    function _lossIn(LiquidationLog memory terms_, Receipts.Log memory log, uint128 price)
        private
        pure
        returns (uint256 lost, uint256 repaid)
    {
        uint256 seized = Math.min(log.wordOf(terms_.seized), type(uint128).max);
        repaid = Math.min(log.wordOf(terms_.repaid), type(uint128).max);
        // 128 and 64 bits; what no division could bring down to 256 is more than any loss.
        uint256 scaled = uint256(price) * terms_.unitNum;
        uint256 unit = WAD * terms_.unitDen;
        (uint256 high,) = Math.mul512(seized, scaled);
        uint256 worth = high < unit ? Math.mulDiv(seized, scaled, unit) : type(uint128).max;
        lost = Math.saturatingSub(Math.min(worth, type(uint128).max), repaid);
    }

    /// @dev Adds one log to what the borrower lost. Of debt that was made after the onset nothing counts.
    function _record(
        uint256 id,
        LiquidationLog memory terms_,
        Receipts.Log memory log,
        address borrower,
        uint256 debt,
        uint128 most
    ) private {
        (uint256 lost, uint256 repaid) = _lossIn(terms_, log, _cases[id].price);
        Liquidated memory l = _liquidated[id][borrower];
        l.lost = uint128(Math.min(l.lost + lost, type(uint128).max));
        l.repaid = uint128(Math.min(l.repaid + repaid, type(uint128).max));
        _liquidated[id][borrower] = l;
        emit LogCounted(id, borrower, l.lost, l.repaid, debt);
        uint256 counted = l.repaid > debt ? Math.mulDiv(l.lost, debt, l.repaid) : l.lost;
        uint128 position = uint128(Math.min(counted, most));
        incidents.recordPosition(id, borrower, position, position);
    }

    function _decode(bytes memory encoded) private pure returns (OracleTerms memory t) {
        (, t) = abi.decode(encoded, (bytes32, OracleTerms));
    }
}
