// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @notice The delays and the measure of a great payout: the wording names them, and the incidents read them there
///         when they are made, so that text and code cannot part. All but `heavyBps` at least 1.
struct Times {
    uint64 dwell; // blocks that an answer to a proof, a feed or a canary has
    uint32 claimWindow; // seconds in which policies are settled once an incident is final
    uint64 quorumWindow; // blocks in which a report of the quorum may be challenged
    uint64 assemblyWindow; // blocks of a dispute: if the assembly has not decided by then, what was asserted stands
    uint64 guardianDelay; // blocks that a great payout waits, once
    uint16 heavyBps; // of a pool's capital at opening: above it a payout is great; 65,535: no payout is
}

/// @title What the rungs above the proof need of the incidents. `Incidents` implements it.
/// @dev A held incident becomes Disputed when its window is over, whoever finalises it: its undisputed part is paid at
///      once, the whole of it stays reserved, and the assembly decides between the two.
interface ILadder {
    /// @notice The incident was held: challenged, over its rung's ceiling, or sent up by the guardian.
    event Held(uint256 indexed id, uint128 undisputed, address by);
    /// @notice The window is over: `loss` may be paid, `asserted` stays reserved until the assembly decides.
    ///         Undecided at the end of block `decideBy`, what was asserted stands.
    event Disputed(uint256 indexed id, uint128 loss, uint128 asserted, uint64 decideBy);
    /// @notice The assembly decided; `loss` is between what was undisputed and what was asserted.
    event Decided(uint256 indexed id, uint128 loss, uint32 claimsEnd);
    /// @notice Re-executed evidence lowered the loss of a dwelling incident and lifted what held it.
    event Overruled(uint256 indexed id, uint128 loss, uint64 dwellEnd);
    /// @notice A proof of the same blocks took the place of what the quorum had reported and nobody was paid for.
    event Outranked(uint256 indexed id);
    /// @notice What `pool` can pay for an incident counts as `amount` towards the ceiling of its rung from now on.
    event Counted(uint256 indexed id, address indexed pool, uint256 amount);
    /// @notice Its claims are over: it no longer counts towards the ceiling of its rung.
    event Uncounted(uint256 indexed id);
    /// @notice The payout is a great part of some pool: it waits once.
    event Delayed(uint256 indexed id, uint64 dwellEnd);
    event CeilingSet(uint8 indexed rung, address indexed asset, uint128 ceiling);
    event GuardianSet(address guardian);

    /// @notice The gauge or trigger does not name this rung.
    error RungNotAllowed(bytes32 gauge, uint8 rung);
    error NotGuardian(address caller);
    /// @notice The guardian may send an incident up only while it waits for its great payout, and once.
    error NotDelayed(uint256 id);
    error NotDisputed(uint256 id, uint8 status);
    error IncidentNotOver(uint256 id, uint256 claimsEnd);
    error OutsideDispute(uint128 loss, uint128 least, uint128 most);

    /// @notice A challenge says that at most `undisputed` was lost: holds the incident; the lowest counts.
    ///         Only the contract that opened it, while it dwells.
    function hold(uint256 id, uint128 undisputed) external;
    /// @notice Sends a delayed incident to the assembly, undisputed in nothing. Only the guardian.
    function escalate(uint256 id) external;
    /// @notice Ends a dispute; `loss` from what was undisputed to what was asserted. Below the threshold: void.
    ///         Only a contract wired as the assembly.
    function decide(uint256 id, uint128 loss) external;
    /// @notice Re-executed evidence that shows a report to be wrong. A Disputed incident ends as if decided; of a
    ///         dwelling one the loss falls to `loss`, what held it is lifted, and a quarter of its window is left for an
    ///         answer. Only the contract that opened it.
    function overrule(uint256 id, uint128 loss) external;
    /// @notice Once its claims are over an incident no longer counts towards the ceiling of its rung. By anyone.
    function release(uint256 id) external;
    /// @notice Most that may be open on a rung in payouts of one asset, pool units; zero until set, so that all goes to
    ///         the assembly. It changes nothing for what is open. Restricted.
    function setCeiling(uint8 rung, address asset, uint128 ceiling) external;
    /// @notice Zero: nobody, and no payout waits. Restricted.
    function setGuardian(address guardian) external;

    /// @notice Loss that the pools are booked for; above `incident(id).loss` only while it is disputed.
    function asserted(uint256 id) external view returns (uint128);
    function held(uint256 id) external view returns (bool);
    /// @notice Blocks that an answer to an incident of this rung has; of the assembly, those it has to decide in.
    function window(uint8 rung) external view returns (uint64);
    function guardian() external view returns (address);
    /// @notice Blocks that a great payout waits, once.
    function guardianDelay() external view returns (uint64);
    /// @notice See `Times`.
    function heavyBps() external view returns (uint16);
    function ceiling(uint8 rung, address asset) external view returns (uint256);
    /// @notice Reserved in pools of this asset for incidents of a rung that are not at the assembly, pool units.
    function openOn(uint8 rung, address asset) external view returns (uint256);
}
