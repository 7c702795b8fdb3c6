// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IBreaker} from "../interfaces/IBreaker.sol";
import {ICanary} from "../interfaces/ICanary.sol";
import {CanaryTerms, ICanaryRung, Watch} from "../interfaces/ICanaryRung.sol";
import {ICatalog} from "../interfaces/ICatalog.sol";
import {IHistory} from "../interfaces/IHistory.sol";
import {Claims, IHoldings} from "../interfaces/IHoldings.sol";
import {IIncidents, Incident, Measurement, Rung} from "../interfaces/IIncidents.sol";
import {Trigger} from "../interfaces/ITriggers.sol";
import {Holdings} from "./Holdings.sol";

/// @title CanaryRung
/// @notice Has no owner and no parameter. Whoever can make a withdrawal fail for a moment gains nothing: it takes two
///         failures the stated time apart, with no success by anyone in between nor in the dwell.
contract CanaryRung is ICanaryRung, Holdings {
    bytes32 private constant TAG = "breakwater.canary/1";
    /// @dev What the call itself costs beside the gas that it hands on.
    uint256 private constant CALL_GAS = 10_000;

    mapping(bytes32 trigger => Watch) private _watches;
    /// @dev The canary got out after the incident was opened.
    mapping(uint256 id => bool) private _refuted;

    constructor(IHistory history_, ICatalog catalog_, IIncidents incidents_)
        Holdings(history_, catalog_, incidents_)
    {}

    /// @inheritdoc ICanaryRung
    function probe(bytes32 trigger) external nonReentrant returns (bool success) {
        return _probe(trigger);
    }

    /// @inheritdoc ICanaryRung
    function open(bytes32 trigger) external nonReentrant returns (uint256 id) {
        CanaryTerms memory t = _decode(_termsOf(trigger));
        Watch memory w = _watches[trigger];
        if (w.incident != 0) revert AlreadyOpened(trigger, w.incident);
        if (!w.ripe) revert NotRipe(trigger);
        Measurement memory m = Measurement({
            onset: w.onset,
            reading: _anchored(),
            onsetTime: w.onsetTime,
            afterTime: w.failedAt,
            base: t.base,
            loss: t.base,
            evidence: keccak256(abi.encode(w))
        });
        id = incidents.open(trigger, Rung.Canary, msg.sender, m);
        _watches[trigger].incident = id;
        emit CanaryOpened(trigger, id);
    }

    /// @inheritdoc ICanaryRung
    function review(uint256 id) external nonReentrant {
        Incident memory incident = incidents.incident(id);
        if (!_refuted[id]) _probe(incident.gauge);
        if (!_refuted[id]) revert NotRefuted(id);
        Measurement memory m = Measurement({
            onset: incident.onset,
            reading: incident.reading,
            onsetTime: incident.onsetTime,
            afterTime: incident.afterTime,
            base: incident.base,
            loss: 0,
            evidence: keccak256(abi.encode(incident.evidence, uint256(0)))
        });
        incidents.revise(id, m);
    }

    /// @inheritdoc IHoldings
    function sellable(bytes32 trigger) external view returns (bool) {
        bytes memory encoded = terms[trigger];
        Watch memory w = _watches[trigger];
        if (encoded.length == 0 || w.onset == 0 || w.failedAt != 0) return false;
        CanaryTerms memory t = _decode(encoded);
        return t.breaker == address(0) || !IBreaker(t.breaker).tripped(ICanary(t.canary).target());
    }

    /// @inheritdoc ICanaryRung
    function watch(bytes32 trigger) external view returns (Watch memory) {
        return _watches[trigger];
    }

    function _tag() internal pure override returns (bytes32) {
        return TAG;
    }

    function _check(Trigger calldata trigger) internal view override returns (Claims memory) {
        CanaryTerms memory t = _decode(trigger.terms);
        _within("gasLimit", t.gasLimit, 50_000, 10_000_000);
        _within("spacing", t.spacing, 1 hours, 30 days);
        _within("base", t.base, 1, type(uint128).max);
        address target = ICanary(t.canary).target();
        if (target != trigger.subject) revert WrongTarget(trigger.subject, target);
        bytes4 selector = ICanary(t.canary).selector();
        // A trigger on the whole contract may be told by any of its functions.
        if (trigger.selector != 0 && selector != trigger.selector) {
            revert WrongSelector(trigger.selector, selector);
        }
        return t.claims;
    }

    function _claimsIn(bytes memory encoded) internal pure override returns (Claims memory) {
        return _decode(encoded).claims;
    }

    function _probe(bytes32 trigger) private returns (bool success) {
        CanaryTerms memory t = _decode(_termsOf(trigger));
        uint64 until = _breakerEnd(t);
        success = _try(t);
        Watch memory w = _watches[trigger];
        if (success) {
            if (w.incident != 0) _refuted[w.incident] = true;
            w = Watch(_anchored(), uint64(block.timestamp), 0, false, 0);
        } else if (w.onset != 0) {
            _fail(t, w, until);
        }
        _watches[trigger] = w;
        emit Probed(trigger, success, w);
    }

    function _fail(CanaryTerms memory t, Watch memory w, uint64 until) private view {
        uint64 time = uint64(block.timestamp);
        // What failed before our breaker let go may have failed because of it.
        if (w.failedAt != 0 && until > w.failedAt && !w.ripe) w.failedAt = 0;
        // After the onset even within its second, as an incident must be.
        if (w.failedAt == 0) w.failedAt = uint64(Math.max(time, w.onsetTime + 1));
        else if (time >= w.failedAt + t.spacing) w.ripe = true;
    }

    /// @dev When the breaker last let go of the target; reverts while it holds it.
    function _breakerEnd(CanaryTerms memory t) private view returns (uint64 until) {
        if (t.breaker == address(0)) return 0;
        address target = ICanary(t.canary).target();
        until = IBreaker(t.breaker).trippedUntil(target);
        if (IBreaker(t.breaker).tripped(target)) revert BreakerTripped(target, until);
    }

    /// @dev The canary gets exactly what is stated: 63 of 64 parts of what is left are at least that.
    function _try(CanaryTerms memory t) private returns (bool success) {
        uint256 need = uint256(t.gasLimit) * 64 / 63 + CALL_GAS;
        if (gasleft() < need) revert NotEnoughGas(need, gasleft());
        (address canary, uint256 gasLimit) = (t.canary, t.gasLimit);
        bytes memory data = abi.encodeCall(ICanary.probe, ());
        assembly ("memory-safe") {
            // Without a copy of what it answers, however much that is.
            success := call(gasLimit, canary, 0, add(data, 32), mload(data), 0, 0)
        }
    }

    function _decode(bytes memory encoded) private pure returns (CanaryTerms memory t) {
        (, t) = abi.decode(encoded, (bytes32, CanaryTerms));
    }
}
