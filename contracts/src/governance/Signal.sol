// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ICatalog} from "../interfaces/ICatalog.sol";
import {ISignal} from "../interfaces/ISignal.sol";
import {BreakwaterToken} from "./BreakwaterToken.sol";
import {Identities} from "./Identities.sol";

/// @title Signal: a bounded say of the community in each product's floor rate
/// @notice Weights are votes at a second before the poll was opened, so that what is borrowed for a transaction
///         weighs nothing. Each poll is counted in two sums, whoever votes.
contract Signal is ISignal, AccessManaged {
    /// @notice Most that a result moves a rate, bps.
    uint16 public constant MAX_BPS = 1000;
    /// @notice Seconds in which a poll takes votes.
    uint48 public constant POLL_TIME = 7 days;
    /// @notice Seconds for which a result holds. The next poll ends when it lapses at the earliest: an empty one
    ///         cannot be opened to push it out.
    uint48 public constant VALID_TIME = 30 days;
    /// @notice Share of the votes, in bps, that a linear result needs in order to count in full.
    uint256 public constant QUORUM_BPS = 400;
    /// @notice A quadratic one counts in full with the weight of so many persons who share those votes equally.
    uint256 public constant QUORUM_PERSONS = 25;
    int256 private constant FULL = 10_000;

    BreakwaterToken public immutable token;
    Identities public immutable identities;
    ICatalog public immutable catalog;

    /// @notice How the next poll will count.
    Mode public mode;
    /// @notice The most that the next poll will move a rate, bps.
    uint16 public maxBps;

    mapping(bytes32 product => Poll) private _polls;
    /// @dev The end of the newest poll that the account voted in: no two polls of a product end together.
    mapping(bytes32 product => mapping(address voter => uint48 end)) private _castIn;

    /// @param authority an AccessManager; its admin sets the terms.
    constructor(address authority, ICatalog catalog_, BreakwaterToken token_, Identities identities_)
        AccessManaged(authority)
    {
        (catalog, token, identities) = (catalog_, token_, identities_);
        _setTerms(Mode.Linear, MAX_BPS);
    }

    /// @inheritdoc ISignal
    function setTerms(Mode newMode, uint16 newMaxBps) external restricted {
        if (newMaxBps > MAX_BPS) revert MaxBpsTooLarge(MAX_BPS, newMaxBps);
        _setTerms(newMode, newMaxBps);
    }

    /// @inheritdoc ISignal
    function open(bytes32 product) external {
        if (catalog.product(product).unitDen == 0) revert UnknownProduct(product);
        Poll storage last = _polls[product];
        uint48 time = uint48(block.timestamp);
        uint48 opensAt = last.end + VALID_TIME - POLL_TIME;
        if (time < opensAt) revert TooEarly(product, opensAt);

        // The second before this one is over for every token and every identity.
        uint48 snapshot = time - 1;
        // Rounded down, and 1 at least: it is a divisor.
        uint256 quorum = token.getPastTotalSupply(snapshot) * QUORUM_BPS / uint256(FULL);
        if (mode == Mode.Quadratic) quorum = Math.sqrt(quorum * QUORUM_PERSONS);
        Poll memory next = Poll({
            snapshot: snapshot,
            end: time + POLL_TIME,
            beforeUntil: last.end + VALID_TIME,
            // Within MAX_BPS.
            before: int16(signalBps(product)),
            maxBps: maxBps,
            mode: mode,
            quorum: Math.max(quorum, 1),
            weight: 0,
            sum: 0
        });
        _polls[product] = next;
        emit PollOpened(product, snapshot, next.end, next.mode, next.maxBps, next.quorum, next.before);
    }

    /// @inheritdoc ISignal
    function cast(bytes32 product, int16 direction) external {
        Poll storage current = _polls[product];
        (uint48 end, uint48 snapshot) = (current.end, current.snapshot);
        if (block.timestamp >= end) revert NoPoll(product);
        if (direction < -FULL || direction > FULL) revert DirectionOutOfRange(direction);
        if (_castIn[product][msg.sender] == end) revert AlreadyCast(product, msg.sender);

        uint256 weight = token.getPastVotes(msg.sender, snapshot);
        if (weight == 0) revert NoVotes(msg.sender, snapshot);
        if (current.mode == Mode.Quadratic) {
            if (!identities.heldAt(msg.sender, snapshot)) revert NotAnIdentity(msg.sender, snapshot);
            weight = Math.sqrt(weight);
        }
        _castIn[product][msg.sender] = end;
        current.weight += weight;
        // Votes have 208 bits at most.
        current.sum += int256(weight) * direction;
        emit SignalCast(product, end, msg.sender, direction, weight);
    }

    /// @inheritdoc ISignal
    function poll(bytes32 product) external view returns (Poll memory) {
        return _polls[product];
    }

    /// @inheritdoc ISignal
    /// @dev The mean of the directions by weight, of `maxBps`, rounded towards no change; missing weight up to the
    ///      quorum counts as a vote for no change. So a few votes move little, and no vote moves more than the bound.
    function signalBps(bytes32 product) public view returns (int256) {
        Poll storage last = _polls[product];
        if (block.timestamp < last.end) return block.timestamp < last.beforeUntil ? last.before : int16(0);
        if (block.timestamp >= last.end + VALID_TIME) return 0;
        int256 whole = int256(Math.max(last.weight, last.quorum)) * FULL;
        return last.sum * int256(uint256(last.maxBps)) / whole;
    }

    function _setTerms(Mode newMode, uint16 newMaxBps) private {
        (mode, maxBps) = (newMode, newMaxBps);
        emit TermsSet(newMode, newMaxBps);
    }
}
