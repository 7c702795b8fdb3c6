// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Form, GaugeSpec, Reading} from "./IGauges.sol";
import {Measurement} from "./IIncidents.sol";

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
    /// @notice `old` is the hash over the staged holders that are no newcomers; `saturated`: a sum was out of range.
    event Staged(bytes32 indexed gauge, address indexed stager, Reading reading, bytes32 old, bool saturated);
    /// @notice What an incident is measured by: its first call opens or revises, later ones revise.
    ///         `afterAssets` are the assets at onset + 1.
    event Measured(uint256 indexed id, Reading onset, uint128 afterAssets, Reading reading);

    error UnknownGauge(bytes32 gauge);
    /// @notice The spec is not that of the incident's gauge.
    error WrongGauge(bytes32 expected, bytes32 got);
    error WrongChain(uint256 expected, uint256 got);
    error WrongHeaderCount(uint256 least, uint256 most, uint256 got);
    error NotAdjacent(uint256 onset, uint256 next);
    error NotAscending(uint256 previous, uint256 next);
    /// @notice Another block was to be proven here.
    error WrongBlock(uint256 expected, uint256 got);
    /// @notice A loss is neither proven nor denied: the account's code or a pinned word of it is another.
    error Undecided(address account);
    /// @notice A sum is below zero or above 2^128 - 1, or one of its sides exceeds 2^256 - 1.
    error SumOutOfRange(bytes32 gauge, uint256 number);
    error UndefinedLoss(bytes32 gauge, uint256 number);
    /// @notice The one block after the onset shows less than half the threshold.
    error NoOnset(uint256 lambda, uint256 least);
    error BelowThreshold(uint256 lambda, uint256 threshold);
    error NotStaged(address stager, bytes32 gauge, uint256 number);
    error NotLater(uint256 reading, uint256 number);
    error OutsideIncident(uint256 number, uint256 first, uint256 last);
    error WrongForm(Form form);
    /// @notice `widen` may not lift the loss above the incident's peak.
    error AbovePeak(uint256 lambda, uint256 peak);
    error HoldersNotAscending(address previous, address next);
    error HoldersMismatch(bytes32 expected, bytes32 got);
    /// @notice `newcomers` must have one bit for each holder, in whole words.
    error WrongBitmap(uint256 expected, uint256 got);

    /// @notice Asserts a loss from headers a, a + 1 and, if given, b > a + 1. Opens an incident, or revises
    ///         the gauge's dwelling one by an earlier onset or a later reading.
    function assertLoss(GaugeSpec calldata spec, Evidence calldata evidence) external returns (uint256 id);
    /// @notice The same from readings that `msg.sender` staged; b may equal a + 1.
    function assertStaged(GaugeSpec calldata spec, uint64 onset, uint64 reading) external returns (uint256 id);
    /// @notice Proves one later block of a dwelling incident: the loss becomes what that block shows, lower or
    ///         higher; below the threshold the incident is void.
    function proveLater(GaugeSpec calldata spec, uint256 id, Evidence calldata evidence) external;
    /// @notice Enumerated gauges: adds holders at the onset and at a block from the reading on; the loss falls, or
    ///         rises up to the incident's peak. Headers: onset and that block.
    function widen(GaugeSpec calldata spec, uint256 id, Evidence calldata evidence) external;
    /// @notice `proveLater` and `widen` from readings that `msg.sender` staged.
    function proveLaterStaged(GaugeSpec calldata spec, uint256 id, uint64 reading) external;
    function widenStaged(GaugeSpec calldata spec, uint256 id, uint64 reading) external;
    /// @notice Verifies one block and keeps the reading under (msg.sender, gauge, block). For an enumerated
    ///         gauge the holders of each call must follow those of the call before.
    function stage(GaugeSpec calldata spec, Evidence calldata evidence) external;
    /// @notice Proves shares of `accounts` (ascending) at the incident's onset and at one block from onset + 1
    ///         to its reading. Headers: onset, that block. With the block equal to the incident's reading only
    ///         the holding account is walked; else, for ratio and geometric gauges, the gauge is read too.
    ///         Walks: onset: holding account, then each account's slot; block: (gauge walks,) then the same.
    function provePositions(
        GaugeSpec calldata spec,
        uint256 id,
        address[] calldata accounts,
        Evidence calldata evidence
    ) external;
    /// @notice The loss that headers a, a + 1 and, if given, b > a + 1 prove, whatever it is: records nothing, and
    ///         neither an onset nor the threshold is asked for. Reverts as `assertLoss` does.
    function measure(GaugeSpec calldata spec, Evidence calldata evidence)
        external
        view
        returns (Measurement memory);
    /// @notice What `stager` has staged; block number zero: nothing.
    function staged(address stager, bytes32 gauge, uint64 number) external view returns (Reading memory);
    /// @notice The readings that an incident is measured by; block number zero: not an incident of this rung.
    function readings(uint256 id)
        external
        view
        returns (Reading memory onset, uint128 afterAssets, Reading memory reading);
}
