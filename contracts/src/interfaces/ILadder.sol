// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title What the rungs above the proof need of the incidents. `Incidents` implements it.
/// @dev A held incident becomes Disputed when its window is over, whoever finalises it: its undisputed part is paid at
///      once, the whole of it stays reserved, and the assembly decides between the two.
interface ILadder {
    /// @notice The incident was held: challenged, over its rung's ceiling, or sent up by the guardian.
    event Held(uint256 indexed id, uint128 undisputed, address by);
    /// @notice The window is over: `loss` may be paid, `asserted` stays reserved until the assembly decides.
    event Disputed(uint256 indexed id, uint128 loss, uint128 asserted);
    /// @notice The assembly decided; `loss` is between what was undisputed and what was asserted.
    event Decided(uint256 indexed id, uint128 loss, uint32 claimsEnd);
    /// @notice The payout is a great part of some pool: it waits once.
    event Delayed(uint256 indexed id, uint64 dwellEnd);
    event CeilingSet(uint8 indexed rung, address indexed asset, uint128 ceiling);
    event GuardianSet(address guardian);

    /// @notice The gauge or trigger does not name this rung.
    error RungNotAllowed(bytes32 gauge, uint8 rung);
    error NotGuardian(address caller);
    /// @notice The guardian may send an incident up only while it waits for its great payout, and once.
    error NotDelayed(uint256 id);
    error NotHeld(uint256 id);
    error NotDisputed(uint256 id, uint8 status);
    error OutsideDispute(uint128 loss, uint128 least, uint128 most);

    /// @notice A challenge says that at most `undisputed` was lost: holds the incident; the lowest counts.
    ///         Only the contract that opened it, while it dwells.
    function hold(uint256 id, uint128 undisputed) external;
    /// @notice Sends a delayed incident to the assembly. Only the guardian.
    function escalate(uint256 id) external;
    /// @notice Ends a dispute; `loss` from what was undisputed to what was asserted. Below the threshold: void.
    ///         Only a contract wired as the assembly.
    function decide(uint256 id, uint128 loss) external;
    /// @notice A later measurement that shows the report of a Disputed or dwelling incident to be wrong ends the
    ///         dispute in its favour. Only the contract that opened it.
    function overrule(uint256 id, uint128 loss) external;
    /// @notice Most that may be open on a rung in payouts of one asset, pool units. Restricted.
    function setCeiling(uint8 rung, address asset, uint128 ceiling) external;
    function setGuardian(address guardian) external;

    /// @notice Loss that the pools are booked for; above `incident(id).loss` only while it is disputed.
    function asserted(uint256 id) external view returns (uint128);
    function held(uint256 id) external view returns (bool);
    /// @notice Blocks that an answer to an incident of this rung has.
    function window(uint8 rung) external view returns (uint64);
}
