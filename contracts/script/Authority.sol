// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

// Compiled for deployment as they are: who may list gauges and wire contracts, and how long a change waits.
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
