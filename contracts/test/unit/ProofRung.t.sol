// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {GaugeSpec, Reading} from "breakwater/interfaces/IGauges.sol";
import {Incident, Status} from "breakwater/interfaces/IIncidents.sol";
import {IProofRung} from "breakwater/interfaces/IProofRung.sol";
import {Fixture} from "../Fixture.sol";

/// @notice Losses of a ratio gauge: assertion, later blocks, positions.
contract ProofRungTest is Fixture {
    bytes32 private gauge;

    function setUp() public override {
        super.setUp();
        openVault();
        gauge = list(vaultSpec());
    }

    /// @dev Seals a healthy block and one after a drain of `lost`; answers the healthy one.
    function _drain(uint256 lost) private returns (uint256 a) {
        a = seal();
        setVault(1_000_000e6 - lost, 1_000_000e6);
        seal();
    }

    function test_assertsADrain() public {
        GaugeSpec memory spec = vaultSpec();
        uint256 a = _drain(400_000e6);
        vm.prank(keeper);
        uint256 id = rung.assertLoss(spec, evidenceOf(spec, a, a + 1));
        Incident memory incident = incidents.incident(id);
        assertEq(incident.gauge, gauge);
        assertEq(incident.onset, a);
        assertEq(incident.reading, a + 1);
        assertEq(incident.base, 1_000_000e6);
        assertEq(incident.loss, 400_000e6);
        assertEq(incident.opener, keeper);
        assertEq(uint256(incident.status), uint256(Status.Dwelling));
        assertEq(incident.dwellEnd, block.number + DWELL);
        (Reading memory onset, uint128 afterAssets, Reading memory reading) = rung.readings(id);
        assertEq(onset.assets, 1_000_000e6);
        assertEq(onset.claims, 1_000_000e6);
        assertEq(afterAssets, 600_000e6);
        assertEq(reading.assets, 600_000e6);
        assertEq(incident.evidence, keccak256(abi.encode(onset, reading)));
        assertEq(history.anchored(a), keccak256(headerOf(a)));
        assertEq(history.anchored(a + 1), keccak256(headerOf(a + 1)));
    }
}
