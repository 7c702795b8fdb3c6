// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Measurement} from "../interfaces/IIncidents.sol";
import {IRunRung, Run} from "../interfaces/IRunRung.sol";
import {Holdings} from "./Holdings.sol";

/// @title The part that rungs share whose incidents are of a run: time in which every look found something wrong
abstract contract RunRung is IRunRung, Holdings {
    mapping(bytes32 trigger => Run) internal _runs;

    /// @inheritdoc IRunRung
    function poke(bytes32 trigger) external nonReentrant {
        _observe(trigger, _termsOf(trigger));
    }

    /// @inheritdoc IRunRung
    function open(bytes32 trigger) external nonReentrant returns (uint256 id) {
        bytes memory encoded = _termsOf(trigger);
        Run memory r = _observe(trigger, encoded);
        if (r.incident != 0) revert AlreadyOpened(trigger, r.incident);
        (uint128 base, uint32 period) = _sizeOf(encoded);
        // Nothing has elapsed before a healthy observation, so this means that there is an onset.
        if (r.elapsed < period) revert RunTooShort(trigger, r.elapsed, period);
        Measurement memory m = Measurement({
            onset: r.onset,
            reading: _anchored(),
            onsetTime: r.onsetTime,
            afterTime: r.since,
            base: base,
            loss: _lossOf(encoded, r),
            evidence: keccak256(abi.encode(r))
        });
        id = _open(trigger, m);
        _runs[trigger].incident = id;
        uint64 dead = r.downtime - r.downBefore;
        _opened(trigger, id, r, m.loss, dead);
        _extend(id, dead);
    }

    /// @inheritdoc IRunRung
    function run(bytes32 trigger) external view returns (Run memory) {
        return _runs[trigger];
    }

    /// @dev Asks the feeds and writes down what that means for the run.
    function _observe(bytes32 trigger, bytes memory encoded) internal virtual returns (Run memory r);

    /// @dev What a loss is counted on, and how long a run must be.
    function _sizeOf(bytes memory encoded) internal pure virtual returns (uint128 base, uint32 period);

    /// @dev What a run that is long enough has cost; at most the base.
    function _lossOf(bytes memory encoded, Run memory r) internal pure virtual returns (uint128);

    /// @dev Writes down what counts of a run that opened an incident; `dead`: seconds that are passed on.
    function _opened(bytes32 trigger, uint256 id, Run memory r, uint128 loss, uint64 dead) internal virtual;
}
