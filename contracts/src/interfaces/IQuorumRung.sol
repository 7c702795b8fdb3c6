// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {LossReport, PositionsReport} from "../libraries/Eip712Types.sol";
import {GaugeSpec} from "./IGauges.sol";
import {Evidence} from "./IProofRung.sol";

/// @notice The report that an incident is measured by.
struct PostedReport {
    bytes32 digest; // EIP-712; also the key under which bonds are held
    uint64 onset; // block
    uint64 reading; // block
    uint128 base; // gauge units
    uint128 loss; // gauge units
    uint128 highest; // figure of the incident's highest challenge below `loss`; zero if there is none
    uint128 lowest; // least that a challenge of this report said; `loss` if there was none
    address challenger; // whose challenge is the highest; zero: nobody's
    address[] signers; // whose bonds are held for it; empty once it is settled
}

struct Challenge {
    address challenger;
    uint128 loss; // what the challenger says was lost, gauge units
    uint128 against; // what the report said
    uint128 bond; // zero once it is resolved
}

/// @notice Merkle roots of the positions of an incident.
struct Positions {
    bytes32 standing; // zero: none
    bytes32 pending; // zero: none; stands when block.number > pendingEnd
    uint64 pendingEnd; // block
    uint8 strikes;
    bytes32 struck; // the root that was struck last, until the next one is posted
    address striker; // whose bond of `challengeBond` stands against it
}

/// @title QuorumRung: losses that bonded reporters sign for.
/// @dev A report and its highest challenge stand against one another: when the incident is decided, the one whose
///      figure is farther from the decision loses its bond. Only the last report of an incident is judged so.
interface IQuorumRung {
    event Posted(
        uint256 indexed id, bytes32 indexed digest, LossReport report, address[] signers, uint128 bondEach
    );
    event Challenged(
        uint256 indexed id,
        uint256 indexed index,
        address indexed challenger,
        uint128 loss,
        uint128 against,
        uint128 bond
    );
    /// @notice The bond went back to the challenger, or to the sink.
    event ChallengeResolved(uint256 indexed id, uint256 indexed index, bool returned);
    /// @notice The report is judged: its signers' bonds are slashed or free.
    event Settled(uint256 indexed id, bytes32 indexed digest, bool slashed);
    event Equivocated(address indexed signer, bytes32 indexed first, bytes32 indexed second, uint128 taken);
    event Contradicted(
        uint256 indexed id, bytes32 indexed digest, uint128 base, uint128 loss, address prover
    );
    event PositionsPosted(
        uint256 indexed id, bytes32 indexed root, PositionsReport report, uint64 pendingEnd
    );
    event PositionsStruck(uint256 indexed id, bytes32 indexed root, address striker);
    event StrikeResolved(uint256 indexed id, bytes32 indexed root, address striker, bool returned);
    /// @notice The onset moved, so what was said about positions no longer counts.
    event PositionsDropped(uint256 indexed id);
    event Burned(uint128 amount);
    event Withdrawn(address indexed account, uint128 amount);

    error OutOfRange(bytes32 field, uint256 got);
    /// @notice Bonds could leave before a report is judged.
    error UnbondDelayTooShort(uint256 least, uint256 got);
    error UnknownReport(uint256 id);
    error UnknownChallenge(uint256 id, uint256 index);
    error WrongGauge(bytes32 expected, bytes32 got);
    /// @notice A challenge must be a sixteenth of the report's figure below the last one, or zero.
    error ChallengeTooHigh(uint128 most, uint128 got);
    error StillOpen(uint256 id, uint8 status);
    error ClaimsOpen(uint256 id, uint256 claimsEnd);
    error AlreadySettled(uint256 id);
    error AlreadyResolved(uint256 id, uint256 index);
    /// @notice The two reports do not exclude one another.
    error NoEquivocation(bytes32 first, bytes32 second);
    error AlreadyProven(address signer, bytes32 reading);
    error NothingToSlash(address signer);
    error ZeroAmount();
    error WrongTransfer(uint256 expected, uint256 got);
    error WrongForm(uint8 form);
    error WrongBlocks(uint64 onset, uint64 reading);
    error NoContradiction(uint128 base, uint128 loss);
    error NotOpen(uint256 id, uint8 status);
    error ZeroRoot();
    error NothingPending(uint256 id);
    error NoStrikesLeft(uint256 id);
    /// @notice So near the end of the claims a strike could deny them.
    error StrikeTooLate(uint256 claimsEnd, uint256 needed);
    error NoStrike(uint256 id);
    error NoPositions(uint256 id);
    error WrongLength(uint256 expected, uint256 got);
    error WrongProof(address account);
    error NothingOwed(address account);

    /// @notice Opens an incident (`report.incident` zero) or revises one of this rung. Each signer's free bond must
    ///         cover `reportBond`, which is held until the report is replaced or judged.
    function post(LossReport calldata report, address[] calldata signers, bytes[] calldata signatures)
        external
        returns (uint256 id);
    /// @notice Says that at most `loss` was lost, against the report that the incident is measured by now, with a bond
    ///         of `nextBond(id)`. Only while the incident dwells; it then goes to the assembly.
    function challenge(uint256 id, uint128 loss) external returns (uint256 index);
    /// @notice Judges the last report once its incident is over: slashed if its highest challenge was nearer to what
    ///         was decided, else free once no claim is open.
    function settle(uint256 id) external;
    /// @notice Gives a challenger's bond back, or burns it if the decision is nearer to the report that it was made
    ///         against; back also if a later report said that still more was lost.
    function resolve(uint256 id, uint256 index) external;
    /// @notice `signer` signed two reports of one gauge, onset and reading that differ in base or loss. All of its bond
    ///         that does not back other reports is slashed.
    function equivocate(
        address signer,
        LossReport calldata first,
        bytes calldata firstSignature,
        LossReport calldata second,
        bytes calldata secondSignature
    ) external;
    /// @notice The report's own blocks, proven: slashed if base or loss are off by more than a hundredth of the proven
    ///         base, and an incident that is still open takes the proven loss. Not for enumerated gauges, whose holders a
    ///         prover picks.
    function contradict(uint256 id, GaugeSpec calldata spec, Evidence calldata evidence) external;

    /// @notice Names the root of what each position lost; it stands after one window, or at once when no strike is left.
    function postPositions(
        PositionsReport calldata report,
        address[] calldata signers,
        bytes[] calldata signatures
    ) external;
    /// @notice Refuses a pending root, with a bond: burned if the very same root is posted next. Twice per incident.
    function strike(uint256 id) external;
    /// @notice Returns the bond of a strike that no further root answered until the claims were over.
    function resolveStrike(uint256 id) external;
    /// @notice Records what positions lost, each proven by the standing root.
    function recordPositions(
        uint256 id,
        address[] calldata accounts,
        uint128[] calldata lost,
        uint128[] calldata value,
        bytes32[][] calldata proofs
    ) external;
    /// @notice Pays out bonds that came back.
    function withdraw() external;
    /// @notice Sends what challengers lost to the reporters' sink. Anyone may.
    function burn() external;

    /// @notice Held from each signer of a report, in units of the reporters' asset.
    function reportBond() external view returns (uint128);
    /// @notice What the next challenge of the incident costs.
    function nextBond(uint256 id) external view returns (uint128);
    /// @notice What the first challenge of an incident and each strike cost.
    function challengeBond() external view returns (uint128);
    function posted(uint256 id) external view returns (PostedReport memory);
    function challengeAt(uint256 id, uint256 index) external view returns (Challenge memory);
    function challenges(uint256 id) external view returns (uint256 count);
    function positions(uint256 id) external view returns (Positions memory);
    function owed(address account) external view returns (uint128);
    /// @notice Lost by challengers and not yet sent to the sink.
    function unburned() external view returns (uint128);
    /// @notice Last nonce taken of a message type from a signer set.
    function lastNonce(bytes32 typeHash, bytes32 signerSet) external view returns (uint256);
}
