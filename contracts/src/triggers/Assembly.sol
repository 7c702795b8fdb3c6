// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {AssemblyConfig, Case, IAssembly} from "../interfaces/IAssembly.sol";
import {IIncidents, Incident, Status} from "../interfaces/IIncidents.sol";
import {ILadder} from "../interfaces/ILadder.sol";

/// @title Assembly
/// @notice Has no owner. Its balance is at least all that is staked, leaving or unburned.
contract Assembly is IAssembly, ReentrancyGuardTransient {
    using Checkpoints for Checkpoints.Trace208;
    using SafeERC20 for IERC20;

    struct Voter {
        uint128 leaving;
        uint64 leavesAt; // seconds
        uint32 commits; // neither revealed nor slashed
    }

    struct Commit {
        bytes32 commitment;
        uint128 weight; // at least 1 while it is open
    }

    uint256 private constant BPS = 10_000;
    uint256 private constant PERCENT = 100;
    /// @dev A case ends, if it cannot do better, by the second round.
    uint8 private constant LAST_ROUND = 1;

    IIncidents public immutable incidents;
    IERC20 private immutable _token;
    address private immutable _sink;
    uint32 private immutable _commitTime;
    uint32 private immutable _revealTime;
    uint32 private immutable _unstakeDelay;
    uint16 private immutable _quorumBps;
    uint16 private immutable _slashBps;

    mapping(address account => Voter voter) private _voters;
    /// @dev By block; what is leaving is not in them.
    mapping(address voter => Checkpoints.Trace208) private _stakes;
    Checkpoints.Trace208 private _total;
    mapping(uint256 id => Case case_) private _cases;
    mapping(uint256 id => mapping(uint8 round => mapping(address voter => Commit))) private _commits;
    /// @dev Sums to `revealed` of the round.
    mapping(uint256 id => mapping(uint8 round => uint128[101])) private _buckets;
    /// @inheritdoc IAssembly
    uint128 public unburned;

    constructor(IIncidents incidents_, AssemblyConfig memory c) {
        if (c.token == address(0)) revert OutOfRange("token", 0);
        if (c.sink == address(0) || c.sink == address(this)) revert OutOfRange("sink", uint160(c.sink));
        _within("commitTime", c.commitTime, 1 hours, 14 days);
        _within("revealTime", c.revealTime, 1 hours, 14 days);
        _within("unstakeDelay", c.unstakeDelay, 2 * (uint256(c.commitTime) + c.revealTime), 180 days);
        _within("quorumBps", c.quorumBps, 1, BPS);
        _within("slashBps", c.slashBps, 1, BPS);
        (incidents, _token, _sink) = (incidents_, IERC20(c.token), c.sink);
        (_commitTime, _revealTime, _unstakeDelay) = (c.commitTime, c.revealTime, c.unstakeDelay);
        (_quorumBps, _slashBps) = (c.quorumBps, c.slashBps);
    }

    // ----- stake -----

    /// @inheritdoc IAssembly
    function stake(uint128 amount) external nonReentrant {
        if (amount == 0) revert ZeroAmount();
        _setStake(msg.sender, _staked(msg.sender) + amount, _totalStaked() + amount);
        emit Staked(msg.sender, amount);
        uint256 before = _token.balanceOf(address(this));
        _token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 got = _token.balanceOf(address(this)) - before;
        if (got != amount) revert WrongTransfer(amount, got);
    }

    /// @inheritdoc IAssembly
    function unstake(uint128 amount) external nonReentrant {
        if (amount == 0) revert ZeroAmount();
        Voter storage own = _voters[msg.sender];
        if (own.commits != 0) revert CommitOpen(msg.sender, own.commits);
        uint128 staked = _staked(msg.sender);
        if (amount > staked) revert NotEnoughStake(msg.sender, staked, amount);
        _setStake(msg.sender, staked - amount, _totalStaked() - amount);
        own.leaving += amount;
        uint64 leavesAt = uint64(block.timestamp) + _unstakeDelay;
        own.leavesAt = leavesAt;
        emit Unstaked(msg.sender, amount, leavesAt);
    }

    /// @inheritdoc IAssembly
    function withdraw() external nonReentrant {
        Voter storage own = _voters[msg.sender];
        uint128 amount = own.leaving;
        if (amount == 0) revert NothingToWithdraw(msg.sender);
        if (block.timestamp < own.leavesAt) revert StillLeaving(msg.sender, own.leavesAt);
        own.leaving = 0;
        emit Withdrawn(msg.sender, amount);
        _token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IAssembly
    function burn() external nonReentrant {
        uint128 amount = unburned;
        if (amount == 0) revert ZeroAmount();
        unburned = 0;
        emit Burned(amount);
        _token.safeTransfer(_sink, amount);
    }

    // ----- cases -----

    /// @inheritdoc IAssembly
    function begin(uint256 id) external nonReentrant {
        if (_cases[id].commitEnd != 0) revert AlreadyBegun(id);
        Incident memory incident = incidents.incident(id);
        if (incident.status != Status.Disputed) revert NotDisputed(id, uint8(incident.status));
        Case storage c = _cases[id];
        c.undisputed = incident.loss;
        c.asserted = _ladder().asserted(id);
        c.openedAt = incident.openedAt;
        c.eligible = totalStakedAt(incident.openedAt - 1);
        _beginRound(id, c);
    }

    /// @inheritdoc IAssembly
    function commit(uint256 id, bytes32 commitment) external nonReentrant {
        Case storage c = _open(id);
        if (block.timestamp > c.commitEnd) revert CommitOver(id, c.commitEnd);
        uint8 round = c.round;
        if (_commits[id][round][msg.sender].weight != 0) revert AlreadyCommitted(id, msg.sender);
        // What was staked since counts nowhere, and what was moved to another account was not there before.
        uint256 weight = Math.min(stakedAt(msg.sender, c.openedAt - 1), _staked(msg.sender));
        if (weight == 0) revert NoStake(msg.sender, c.openedAt);
        _commits[id][round][msg.sender] = Commit(commitment, uint128(weight));
        ++_voters[msg.sender].commits;
        emit Committed(id, round, msg.sender, commitment, uint128(weight));
    }

    /// @inheritdoc IAssembly
    function reveal(uint256 id, uint8 value, bytes32 salt) external nonReentrant {
        Case storage c = _open(id);
        if (block.timestamp <= c.commitEnd || block.timestamp > c.revealEnd) {
            revert NotRevealing(id, c.commitEnd, c.revealEnd);
        }
        if (value > PERCENT) revert ValueOutOfRange(PERCENT, value);
        uint8 round = c.round;
        Commit storage own = _commits[id][round][msg.sender];
        uint128 weight = own.weight;
        if (weight == 0) revert NotCommitted(id, msg.sender);
        bytes32 got = commitmentOf(id, round, msg.sender, value, salt);
        if (got != own.commitment) revert WrongReveal(own.commitment, got);
        delete _commits[id][round][msg.sender];
        --_voters[msg.sender].commits;
        _buckets[id][round][value] += weight;
        c.revealed += weight;
        emit Revealed(id, round, msg.sender, value, weight);
    }

    /// @inheritdoc IAssembly
    function close(uint256 id) external nonReentrant {
        Case storage c = _open(id);
        if (block.timestamp <= c.revealEnd) revert RevealNotOver(id, c.revealEnd);
        bool quorum = c.revealed != 0 && uint256(c.revealed) * BPS >= uint256(c.eligible) * _quorumBps;
        bool disputed = incidents.incident(id).status == Status.Disputed;
        if (disputed && !quorum && c.round < LAST_ROUND) {
            ++c.round;
            c.revealed = 0;
            return _beginRound(id, c);
        }
        c.closed = true;
        // Silence rejects nothing: what the rung below asserted stands.
        uint8 percent = quorum ? _median(id, c.round, c.revealed) : uint8(PERCENT);
        // Rounded down, in favour of the pools.
        uint256 loss = c.undisputed + uint256(c.asserted - c.undisputed) * percent / PERCENT;
        emit Closed(id, percent, uint128(loss), quorum, disputed);
        if (disputed) _ladder().decide(id, uint128(loss));
    }

    /// @inheritdoc IAssembly
    function punish(uint256 id, uint8 round, address voter) external nonReentrant {
        Case storage c = _cases[id];
        if (c.commitEnd == 0) revert UnknownCase(id);
        uint128 weight = _commits[id][round][voter].weight;
        if (weight == 0) revert NotCommitted(id, voter);
        if (round == c.round && block.timestamp <= c.revealEnd) revert RevealNotOver(id, c.revealEnd);
        delete _commits[id][round][voter];
        --_voters[voter].commits;
        uint128 staked = _staked(voter);
        // Rounded up, in favour of the burn; other cases may have taken of the same stake before.
        uint128 amount = uint128(Math.min(Math.ceilDiv(uint256(weight) * _slashBps, BPS), staked));
        _setStake(voter, staked - amount, _totalStaked() - amount);
        unburned += amount;
        emit Slashed(id, round, voter, amount);
    }

    // ----- views -----

    /// @inheritdoc IAssembly
    function commitmentOf(uint256 id, uint8 round, address voter, uint8 value, bytes32 salt)
        public
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(block.chainid, address(this), id, round, voter, value, salt));
    }

    /// @inheritdoc IAssembly
    function config() external view returns (AssemblyConfig memory) {
        return AssemblyConfig({
            token: address(_token),
            sink: _sink,
            commitTime: _commitTime,
            revealTime: _revealTime,
            unstakeDelay: _unstakeDelay,
            quorumBps: _quorumBps,
            slashBps: _slashBps
        });
    }

    /// @inheritdoc IAssembly
    function caseOf(uint256 id) external view returns (Case memory) {
        return _cases[id];
    }

    /// @inheritdoc IAssembly
    function commitOf(uint256 id, uint8 round, address voter) external view returns (bytes32, uint128) {
        Commit storage own = _commits[id][round][voter];
        return (own.commitment, own.weight);
    }

    /// @inheritdoc IAssembly
    function tally(uint256 id, uint8 round) external view returns (uint128[101] memory) {
        return _buckets[id][round];
    }

    /// @inheritdoc IAssembly
    function stakeOf(address voter)
        external
        view
        returns (uint128 staked, uint128 leaving, uint64 leavesAt, uint32 commits)
    {
        Voter storage own = _voters[voter];
        return (_staked(voter), own.leaving, own.leavesAt, own.commits);
    }

    /// @inheritdoc IAssembly
    function stakedAt(address voter, uint256 number) public view returns (uint128) {
        return _at(_stakes[voter], number);
    }

    /// @inheritdoc IAssembly
    function totalStakedAt(uint256 number) public view returns (uint128) {
        return _at(_total, number);
    }

    // ----- internals -----

    function _beginRound(uint256 id, Case storage c) private {
        c.commitEnd = uint64(block.timestamp) + _commitTime;
        c.revealEnd = c.commitEnd + _revealTime;
        emit Began(id, c.round, c.undisputed, c.asserted, c.eligible, c.commitEnd, c.revealEnd);
    }

    /// @dev The lowest percent that at least half of the revealed stake does not exceed.
    function _median(uint256 id, uint8 round, uint128 revealed) private view returns (uint8 percent) {
        uint128[101] storage buckets = _buckets[id][round];
        uint256 sum = buckets[0];
        while (2 * sum < revealed) sum += buckets[++percent];
    }

    function _setStake(address voter, uint128 staked, uint128 total) private {
        uint48 number = uint48(block.number);
        _stakes[voter].push(number, staked);
        _total.push(number, total);
    }

    function _open(uint256 id) private view returns (Case storage c) {
        c = _cases[id];
        if (c.commitEnd == 0) revert UnknownCase(id);
        if (c.closed) revert CaseClosed(id);
    }

    function _staked(address voter) private view returns (uint128) {
        return uint128(_stakes[voter].latest());
    }

    /// @dev Kept within 128 bits by `stake`.
    function _totalStaked() private view returns (uint128) {
        return uint128(_total.latest());
    }

    /// @dev At the end of a block, so only of blocks that are over.
    function _at(Checkpoints.Trace208 storage trace, uint256 number) private view returns (uint128) {
        if (number >= block.number) revert NotMined(number, block.number);
        return uint128(trace.upperLookupRecent(uint48(number)));
    }

    function _ladder() private view returns (ILadder) {
        return ILadder(address(incidents));
    }

    function _within(bytes32 field, uint256 got, uint256 least, uint256 most) private pure {
        if (got < least || got > most) revert OutOfRange(field, got);
    }
}
