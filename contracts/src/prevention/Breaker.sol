// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {AssemblyConfig} from "../interfaces/IAssembly.sol";
import {Agreement, IBreaker, IPausable, Trip, Verdict} from "../interfaces/IBreaker.sol";
import {IIncidents, Incident, Status} from "../interfaces/IIncidents.sol";
import {IReporters} from "../interfaces/IReporters.sol";
import {BreakerTrip, Eip712Types} from "../libraries/Eip712Types.sol";
import {Quorum} from "../libraries/Quorum.sol";
import {Assembly} from "../triggers/Assembly.sol";
import {Targets} from "./Targets.sol";

/// @title Breaker
/// @notice Has no owner. Its balance is at least the bonds of challenges that are not settled and what it owes; the
///         bonds behind trips are with the reporters' registry.
/// @dev To its assembly it is the list of incidents: a disputed trip is one whose "loss", of 100, is how far it had cause.
contract Breaker is IBreaker, ReentrancyGuardTransient {
    using Quorum for Quorum.Nonces;
    using SafeERC20 for IERC20;

    struct Standing {
        uint64 next; // seconds: no trip before
        uint64 until; // seconds: end of the newest trip, or of the unpause that it needed
        bool paused; // `pause` succeeded, and `unpause` has not since
        uint256 trip; // the newest
    }

    /// @notice Seconds from a trip's start in which it may be challenged; longer than any trip.
    uint64 public constant CHALLENGE_WINDOW = 7 days;
    uint256 private constant BPS = 10_000;
    /// @dev What a trip with every cause has of `decide`.
    uint128 private constant CAUSE = 100;

    IReporters public immutable reporters;
    /// @notice Stakers who judge challenged trips, and those alone.
    Assembly public immutable judges;
    /// @inheritdoc IBreaker
    uint128 public immutable challengeBond;
    IERC20 private immutable _asset;

    /// @inheritdoc IBreaker
    uint256 public trips;
    mapping(address target => Agreement) private _agreements;
    mapping(address target => Standing) private _standing;
    mapping(uint256 id => Trip) private _trips;
    /// @dev By target, so that what is signed for one never stands in the way of another.
    mapping(address target => Quorum.Nonces) private _nonces;
    /// @inheritdoc IBreaker
    mapping(address account => uint128) public owed;

    /// @param challengeBond_ units of the reporters' asset, at least 1.
    /// @param config of the assembly, which is born here so that nobody ever had to name it.
    constructor(IReporters reporters_, uint128 challengeBond_, AssemblyConfig memory config) {
        if (challengeBond_ == 0) revert OutOfRange("challengeBond", 0);
        (reporters, challengeBond, _asset) = (reporters_, challengeBond_, IERC20(reporters_.asset()));
        judges = new Assembly(IIncidents(address(this)), config);
    }

    // ----- the protocol -----

    /// @inheritdoc IBreaker
    function agree(address target, Agreement calldata terms) external nonReentrant {
        if (!Targets.speaksFor(target, msg.sender)) revert NotForTarget(target, msg.sender);
        if (terms.guardian == address(0)) revert ZeroAddress();
        _within("pricePerHour", terms.pricePerHour, 1, type(uint96).max);
        _within("maxDuration", terms.maxDuration, 10 minutes, 3 days);
        _within("period", terms.period, 2 * uint256(terms.maxDuration), 365 days);
        _within("signers", terms.signers, 1, 32);
        Agreement memory made = terms;
        made.since = uint64(block.number);
        _agreements[target] = made;
        emit Agreed(target, made, msg.sender);
    }

    /// @inheritdoc IBreaker
    function quit(address target) external nonReentrant {
        Agreement memory a = _agreements[target];
        if (a.since == 0) revert NoAgreement(target);
        _checkGuardian(target, a.guardian);
        delete _agreements[target];
        emit Left(target, msg.sender);
        if (tripped(target)) _undo(target, false);
    }

    /// @inheritdoc IBreaker
    function undo(address target, bool stayPaused) external nonReentrant {
        Standing storage s = _standing[target];
        if (!tripped(target) && !(stayPaused && s.paused)) revert NotTripped(target);
        _checkGuardian(target, _trips[s.trip].guardian);
        _undo(target, stayPaused);
    }

    /// @inheritdoc IBreaker
    function challenge(uint256 id) external nonReentrant {
        Trip storage t = _known(id);
        _checkGuardian(t.target, t.guardian);
        if (t.verdict != Verdict.Standing || t.signers.length == 0) revert NotStanding(id, uint8(t.verdict));
        uint256 challengeEnd = t.start + CHALLENGE_WINDOW;
        if (block.timestamp > challengeEnd) revert TooLate(challengeEnd, block.timestamp);
        (t.verdict, t.challenger) = (Verdict.Disputed, msg.sender);
        emit Challenged(id, msg.sender, challengeBond);
        uint256 before = _asset.balanceOf(address(this));
        _asset.safeTransferFrom(msg.sender, address(this), challengeBond);
        uint256 got = _asset.balanceOf(address(this)) - before;
        if (got != challengeBond) revert WrongTransfer(challengeBond, got);
    }

    // ----- anyone -----

    /// @inheritdoc IBreaker
    function post(BreakerTrip calldata trip, address[] calldata signers, bytes[] calldata signatures)
        external
        nonReentrant
        returns (uint256 id)
    {
        Agreement memory a = _agreements[trip.target];
        _checkTerms(a, trip, signers.length);
        bytes32 digest = MessageHashUtils.toTypedDataHash(
            Eip712Types.domainSeparator(block.chainid, address(this)), Eip712Types.hash(trip)
        );
        _take(trip, digest, signers, signatures);
        // A pause that nobody lifted would make the next one fail.
        Standing storage s = _standing[trip.target];
        if (s.paused) _call(s.trip, trip.target, false);
        id = _open(a, trip, digest, signers);
        if (a.calls) _call(id, trip.target, true);
    }

    /// @inheritdoc IBreaker
    function push(address target) external nonReentrant {
        Standing storage s = _standing[target];
        Trip storage t = _trips[s.trip];
        bool pause = tripped(target);
        // Once each: who lifted the pause himself is not paused again, and a later pause of his own is not lifted.
        bool due = pause ? t.pausedAt == 0 : s.paused;
        if (!due) revert NothingToCall(target);
        _call(s.trip, target, pause);
    }

    /// @inheritdoc IBreaker
    function settle(uint256 id) external nonReentrant {
        Trip storage t = _known(id);
        if (t.signers.length == 0) revert AlreadySettled(id);
        uint256 challengeEnd = t.start + CHALLENGE_WINDOW;
        bool open = t.verdict == Verdict.Standing && block.timestamp <= challengeEnd;
        if (open || t.verdict == Verdict.Disputed) revert StillOpen(id, challengeEnd);
        bool wrong = t.verdict == Verdict.Wrong;
        address[] memory signers = t.signers;
        delete t.signers;
        // Nothing is sent here: an account that cannot be paid must not keep bonds from being free or slashed.
        if (t.challenger != address(0)) owed[wrong ? t.challenger : reporters.sink()] += challengeBond;
        uint128 compensation = wrong ? _slash(t, signers) : 0;
        for (uint256 i; i < signers.length && !wrong; ++i) {
            reporters.release(t.digest, signers[i]);
        }
        emit Settled(id, wrong, compensation);
    }

    /// @inheritdoc IBreaker
    function withdraw(address account) external nonReentrant {
        uint128 amount = owed[account];
        if (amount == 0) revert NothingOwed(account);
        owed[account] = 0;
        emit Withdrawn(account, amount);
        _asset.safeTransfer(account, amount);
    }

    // ----- the assembly -----

    /// @notice What the assembly asks of `IIncidents`: whether the trip is disputed, and since when stake counts.
    function incident(uint256 id) external view returns (Incident memory i) {
        Trip storage t = _known(id);
        i.status = t.verdict == Verdict.Disputed ? Status.Disputed : Status.Final;
        i.openedAt = t.postedAt;
    }

    /// @notice What the assembly asks of `ILadder`: silence leaves the trip all its cause.
    function asserted(uint256 id) external view returns (uint128) {
        _known(id);
        return CAUSE;
    }

    /// @notice The assembly's word: below half, the trip was wrong and ends at once.
    function decide(uint256 id, uint128 percent) external nonReentrant {
        if (msg.sender != address(judges)) revert NotAssembly(msg.sender);
        Trip storage t = _known(id);
        if (t.verdict != Verdict.Disputed) revert NotDisputed(id, uint8(t.verdict));
        bool wrong = 2 * uint256(percent) < CAUSE;
        t.verdict = wrong ? Verdict.Wrong : Verdict.Right;
        emit Decided(id, wrong, percent);
        if (wrong && block.timestamp < t.end) _end(id, t);
    }

    // ----- views -----

    /// @inheritdoc IBreaker
    function tripped(address target) public view returns (bool) {
        return block.timestamp < _trips[_standing[target].trip].end;
    }

    /// @inheritdoc IBreaker
    function trippedUntil(address target) external view returns (uint64) {
        return _standing[target].until;
    }

    /// @inheritdoc IBreaker
    function agreementOf(address target) external view returns (Agreement memory) {
        return _agreements[target];
    }

    /// @inheritdoc IBreaker
    function tripOf(uint256 id) external view returns (Trip memory) {
        return _trips[id];
    }

    /// @inheritdoc IBreaker
    function standingOf(address target) external view returns (uint256 id, uint64 next, bool paused) {
        Standing storage s = _standing[target];
        return (s.trip, s.next, s.paused);
    }

    /// @inheritdoc IBreaker
    function lastNonce(address target, bytes32 signerSet) external view returns (uint256) {
        return _nonces[target].last[Eip712Types.BREAKER_TRIP_TYPEHASH][signerSet];
    }

    // ----- internals -----

    /// @dev The block's hash commits to the terms that its state held, so nobody is bound by terms that came after.
    function _checkTerms(Agreement memory a, BreakerTrip calldata trip, uint256 signers) private view {
        if (a.since == 0) revert NoAgreement(trip.target);
        if (trip.selector != 0) revert WholeTargetOnly(trip.selector);
        _within("duration", trip.duration, 1, a.maxDuration);
        bytes32 known = blockhash(trip.number);
        if (known == 0 || known != trip.blockHash) revert UnknownBlock(trip.number, known, trip.blockHash);
        if (trip.number < a.since) revert SignedBefore(a.since, trip.number);
        if (signers < a.signers) revert TooFewSigners(a.signers, signers);
        uint64 next = _standing[trip.target].next;
        if (block.timestamp < next) revert TooSoon(next, block.timestamp);
    }

    function _take(
        BreakerTrip calldata trip,
        bytes32 digest,
        address[] calldata signers,
        bytes[] calldata signatures
    ) private {
        (uint256 quorum, address[] memory members) = reporters.members();
        Quorum.Nonces storage nonces = _nonces[trip.target];
        nonces.take(_termsOf(trip), digest, quorum, members, signers, signatures);
    }

    function _termsOf(BreakerTrip calldata trip) private pure returns (Quorum.Terms memory) {
        return Quorum.Terms(
            Eip712Types.BREAKER_TRIP_TYPEHASH, trip.signerSet, trip.nonce, trip.validFrom, trip.validUntil
        );
    }

    function _open(Agreement memory a, BreakerTrip calldata trip, bytes32 digest, address[] calldata signers)
        private
        returns (uint256 id)
    {
        uint64 start = uint64(block.timestamp);
        // Rounded up, in favour of the protocol.
        uint128 bondEach = uint128(Math.ceilDiv(uint256(a.pricePerHour) * trip.duration, 1 hours));
        id = ++trips;
        Trip storage t = _trips[id];
        (t.guardian, t.pricePerHour, t.target) = (a.guardian, a.pricePerHour, trip.target);
        (t.postedAt, t.verdict) = (uint64(block.number), Verdict.Standing);
        (t.start, t.end, t.pausedAt) = (start, start + trip.duration, a.calls ? 0 : start);
        (t.bondEach, t.digest, t.signers) = (bondEach, digest, signers);
        Standing storage s = _standing[trip.target];
        (s.next, s.until, s.trip) = (start + a.period, t.end, id);
        for (uint256 i; i < signers.length; ++i) {
            reporters.hold(digest, signers[i], bondEach);
        }
        emit Tripped(id, trip.target, digest, trip, signers, bondEach, t.end);
    }

    function _undo(address target, bool stayPaused) private {
        Standing storage s = _standing[target];
        if (tripped(target)) _end(s.trip, _trips[s.trip]);
        if (!s.paused) return;
        if (!stayPaused) return _call(s.trip, target, false);
        s.paused = false;
        emit LeftPaused(s.trip, target);
    }

    /// @dev Only of a trip that runs, which is its target's newest.
    function _end(uint256 id, Trip storage t) private {
        uint64 end = uint64(block.timestamp);
        (t.end, _standing[t.target].until) = (end, end);
        emit Ended(id, t.target, end, msg.sender);
    }

    /// @dev A target that refuses loses only its own protection.
    function _call(uint256 id, address target, bool pause) private {
        (bool success, bytes4 reason) = Targets.call(target, pause);
        emit Called(id, target, pause, success, reason);
        if (!success) return;
        Standing storage s = _standing[target];
        s.paused = pause;
        if (pause) _trips[id].pausedAt = uint64(block.timestamp);
        // What failed until now may have failed because nobody had lifted the pause.
        else s.until = uint64(block.timestamp);
    }

    /// @dev The challenger gets what the pause cost by the agreed price, as far as the registry lets a prover be paid.
    function _slash(Trip storage t, address[] memory signers) private returns (uint128 compensation) {
        uint256 time = t.pausedAt == 0 ? 0 : t.end - t.pausedAt;
        // Rounded down, in favour of the burn; so are the parts below.
        uint256 left = uint256(t.pricePerHour) * time / 1 hours;
        uint256 share = reporters.proverBps();
        for (uint256 i; i < signers.length; ++i) {
            uint128 held = reporters.heldUnder(address(this), t.digest, signers[i]);
            uint128 shared = share == 0 ? 0 : uint128(Math.min(left * BPS / share, held));
            uint128 part = uint128(uint256(shared) * share / BPS);
            if (shared != 0) reporters.slash(t.digest, signers[i], shared, t.challenger);
            if (shared != held) reporters.slash(t.digest, signers[i], held - shared, address(0));
            (left, compensation) = (left - part, compensation + part);
        }
    }

    function _known(uint256 id) private view returns (Trip storage t) {
        t = _trips[id];
        if (t.verdict == Verdict.None) revert UnknownTrip(id);
    }

    function _checkGuardian(address target, address guardian) private view {
        if (msg.sender != guardian && !Targets.speaksFor(target, msg.sender)) {
            revert NotGuardian(target, msg.sender);
        }
    }

    function _within(bytes32 field, uint256 got, uint256 least, uint256 most) private pure {
        if (got < least || got > most) revert OutOfRange(field, got);
    }
}
