// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {BreakerTrip} from "../libraries/Eip712Types.sol";

/// @notice What a target that is paused by a call must have; OpenZeppelin's `Pausable` with two guarded functions has.
interface IPausable {
    function pause() external;
    function unpause() external;
}

/// @notice What a protocol agreed to. A wrong trip costs each signer the price of its whole duration.
struct Agreement {
    address guardian; // may undo and challenge trips
    uint96 pricePerHour; // what an hour of a wrong pause costs, units of the reporters' asset, at least 1
    uint32 maxDuration; // seconds of one trip, 10 minutes to 3 days
    uint32 period; // seconds from one trip to the next, twice `maxDuration` to 365 days
    uint8 signers; // that a trip needs, beside the reporters' own quorum; 1 to 32
    bool calls; // true: `pause` and `unpause` are called; false: the target asks `tripped`
    uint64 since; // block in which it was made; zero: there is none
}

enum Verdict {
    None,
    Standing,
    Disputed,
    Right,
    Wrong
}

/// @notice One trip, by the terms that were agreed when it was posted.
struct Trip {
    address guardian;
    uint96 pricePerHour;
    address target;
    uint64 postedAt; // block
    Verdict verdict;
    uint64 start; // seconds
    uint64 end; // seconds, exclusive; earlier than signed if it was undone or found wrong
    uint64 pausedAt; // seconds; zero: the target's `pause` never succeeded
    address challenger; // zero: nobody
    uint128 bondEach; // held from each signer
    bytes32 digest; // EIP-712; also the key under which bonds are held
    address[] signers; // whose bonds are held; empty once it is settled
}

/// @title Breaker: reporters stop a protocol that asked for it, for a short time, and answer for it with their bonds.
interface IBreaker {
    event Agreed(address indexed target, Agreement agreement, address by);
    event Left(address indexed target, address by);
    event Tripped(
        uint256 indexed id,
        address indexed target,
        bytes32 indexed digest,
        BreakerTrip trip,
        address[] signers,
        uint128 bondEach,
        uint64 end
    );
    /// @notice `pause` (or `unpause`) of the target was called; `reason`: first bytes of what it reverted with.
    event Called(uint256 indexed id, address indexed target, bool pause, bool success, bytes4 reason);
    /// @notice The trip ended before its time: the protocol undid it, or it was found wrong.
    event Ended(uint256 indexed id, address indexed target, uint64 end, address by);
    /// @notice The target stays paused, and the breaker will not unpause it.
    event LeftPaused(uint256 indexed id, address indexed target);
    event Challenged(uint256 indexed id, address indexed challenger, uint128 bond);
    event Decided(uint256 indexed id, bool wrong, uint128 percent);
    /// @notice The signers' bonds are free or slashed; `compensation` of what was slashed is the challenger's.
    event Settled(uint256 indexed id, bool wrong, uint128 compensation);
    event Withdrawn(address indexed account, uint128 amount);

    error OutOfRange(bytes32 field, uint256 got);
    error ZeroAddress();
    /// @notice The target does not name the caller as its owner, authority or default admin.
    error NotForTarget(address target, address caller);
    error NoAgreement(address target);
    /// @notice This breaker pauses the whole of a target, not one function.
    error WholeTargetOnly(bytes4 selector);
    /// @notice Not a block of this chain among the last 256.
    error UnknownBlock(uint64 number, bytes32 expected, bytes32 got);
    /// @notice The terms are younger than the block that the signers had seen.
    error SignedBefore(uint64 agreement, uint64 number);
    error TooFewSigners(uint256 least, uint256 got);
    /// @notice One trip a period.
    error TooSoon(uint256 next, uint256 time);
    error NotTripped(address target);
    error NothingToCall(address target);
    /// @notice A call that gets less gas than it is promised would fail for that alone.
    error NotEnoughGas(uint256 need, uint256 left);
    error UnknownTrip(uint256 id);
    error NotGuardian(address target, address caller);
    error NotStanding(uint256 id, uint8 verdict);
    error TooLate(uint256 challengeEnd, uint256 time);
    error StillOpen(uint256 id, uint256 challengeEnd);
    error NotDisputed(uint256 id, uint8 verdict);
    error AlreadySettled(uint256 id);
    error NotAssembly(address caller);
    error NothingOwed(address account);
    error WrongTransfer(uint256 expected, uint256 got);

    /// @notice Makes or replaces the terms of a target; `since` is set here. By the target itself, or by what it names
    ///         as `owner()` or `authority()`, or whoever has its role zero. A trip that runs keeps its own terms.
    function agree(address target, Agreement calldata terms) external;
    /// @notice Ends the agreement and undoes a trip that runs. By the guardian or whoever may agree.
    function quit(address target) external;
    /// @notice Pauses the target. Anyone may send what the reporters signed.
    function post(BreakerTrip calldata trip, address[] calldata signers, bytes[] calldata signatures)
        external
        returns (uint256 id);
    /// @notice Tries `pause` again while the trip runs, or `unpause` once it is over. Anyone may; only of targets that
    ///         are called, and each until it succeeded once.
    function push(address target) external;
    /// @notice Ends the running trip at once. By its guardian or whoever may agree.
    /// @param stayPaused do not call `unpause`, now or later: the protocol keeps itself paused. Also once the trip is
    ///        over, while nobody has called it.
    function undo(address target, bool stayPaused) external;

    /// @notice Says that a trip had no cause, with a bond: burned if the assembly does not find so. By its guardian or
    ///         whoever may agree, within the challenge window, once.
    function challenge(uint256 id) external;
    /// @notice Frees or slashes the signers' bonds once nothing can change the verdict. Anyone may.
    function settle(uint256 id) external;
    /// @notice Pays out to an account what it is owed of challengers' bonds. Anyone may.
    function withdraw(address account) external;

    /// @notice Whether the breaker holds `target` paused now.
    function tripped(address target) external view returns (bool);
    /// @notice Seconds: when the newest trip of `target` ends or ended, by itself or undone, or when the `unpause` that
    ///         was due then succeeded; zero: never tripped.
    function trippedUntil(address target) external view returns (uint64);
    function agreementOf(address target) external view returns (Agreement memory);
    function tripOf(uint256 id) external view returns (Trip memory);
    /// @notice How many trips there were; the first has the id 1.
    function trips() external view returns (uint256);
    /// @notice The newest trip of a target, when the next may come (seconds), and whether an `unpause` is due to it.
    function standingOf(address target) external view returns (uint256 id, uint64 next, bool paused);
    /// @notice Last nonce taken for a target from a signer set.
    function lastNonce(address target, bytes32 signerSet) external view returns (uint256);
    /// @notice What a challenge costs, units of the reporters' asset.
    function challengeBond() external view returns (uint128);
    function owed(address account) external view returns (uint128);
}
