// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Incidents} from "breakwater/core/Incidents.sol";
import {Measurement, Rung} from "breakwater/interfaces/IIncidents.sol";
import {Token} from "../Tokens.sol";

/// @notice An asset that refuses to send to whom it has blocked, until it relents.
contract Fickle is Token {
    mapping(address account => bool) public blocked;

    constructor() Token("FCKL", 6) {}

    function setBlocked(address account, bool on) external {
        blocked[account] = on;
    }

    function _update(address from, address to, uint256 amount) internal override {
        require(from == address(0) || !blocked[to], "blocked");
        super._update(from, to, amount);
    }
}

/// @notice Stands where the proof rung stands and says whatever it is told: proofs are tested elsewhere.
contract AssertingRung {
    Incidents private _incidents;

    function wire(Incidents incidents) external {
        require(address(_incidents) == address(0), "wired");
        _incidents = incidents;
    }

    function open(bytes32 gauge, address opener, Measurement calldata m) external returns (uint256) {
        return _incidents.open(gauge, Rung.Proof, opener, m);
    }

    function revise(uint256 id, Measurement calldata m) external {
        _incidents.revise(id, m);
    }

    function record(uint256 id, address account, uint128 lost, uint128 value) external {
        _incidents.recordPosition(id, account, lost, value);
    }
}
