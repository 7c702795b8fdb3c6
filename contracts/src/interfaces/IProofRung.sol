// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {GaugeSpec, Reading} from "./IGauges.sol";

/// @notice Proofs of one or more blocks. Nodes are sent once, whoever shares them.
struct Evidence {
    bytes[] headers; // RLP, ascending by block number
    bytes nodes; // concatenated RLP nodes of the state and storage tries
    bytes paths; // for each walk: one count byte, then that many big-endian uint16 indices into nodes
    address[] holders; // enumerated: strictly ascending; else empty
    uint256[] newcomers; // widen: bitmap over holders, 1 where the holder is new; else empty
}

/// @title ProofRung: losses measured from headers and Merkle proofs alone.
/// @dev Order of the walks: for each header; for each account of the spec: its account walk; then the
///      storage walks of that account: its pins in spec order, its non-native terms in spec order, and, if it
///      is the holding account of an enumerated gauge, the claims of `holders` in order.
interface IProofRung {
    event Staged(bytes32 indexed gauge, address indexed stager, Reading reading);

    /// @notice Asserts a loss from headers a, a + 1 and, if given, b > a + 1. Opens an incident, or revises
    ///         the gauge's dwelling one by an earlier onset or a later reading.
    function assertLoss(GaugeSpec calldata spec, Evidence calldata evidence) external returns (uint256 id);
    /// @notice The same from readings that `msg.sender` staged; b may equal a + 1.
    function assertStaged(GaugeSpec calldata spec, uint64 onset, uint64 reading) external returns (uint256 id);
    /// @notice Proves one later block of a dwelling incident: the loss becomes what that block shows, lower or
    ///         higher; below the threshold the incident is void.
    function proveLater(GaugeSpec calldata spec, uint256 id, Evidence calldata evidence) external;
    /// @notice Enumerated gauges: adds holders at both blocks of the incident; only a lower loss is taken.
    ///         Headers: onset and reading.
    function widen(GaugeSpec calldata spec, uint256 id, Evidence calldata evidence) external;
    /// @notice Verifies one block and keeps the reading under (msg.sender, gauge, block). For an enumerated
    ///         gauge the holders of each call must follow those of the call before.
    function stage(GaugeSpec calldata spec, Evidence calldata evidence) external;
    /// @notice Proves shares of `accounts` (ascending) at the incident's onset and at one block from onset + 1
    ///         to its reading. Headers: onset, that block. With the block equal to the incident's reading only
    ///         the holding account is walked; else, for ratio and geometric gauges, the gauge is read too.
    ///         Walks: onset: holding account, then each account's slot; block: (gauge walks,) then the same.
    function provePositions(GaugeSpec calldata spec, uint256 id, address[] calldata accounts, Evidence calldata evidence)
        external;
}
