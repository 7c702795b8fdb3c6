// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IReporters} from "../interfaces/IReporters.sol";
import {Eip712Types} from "../libraries/Eip712Types.sol";

/// @title Reporters
/// @notice Its balance is at least the sum of all bonds, free, held or leaving, of rewards and of what is unburned.
///         Governance says who may sign and how many must; it cannot touch a bond.
contract Reporters is IReporters, AccessManaged, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    struct Bond {
        uint128 bonded; // free and held
        uint128 held; // at most `bonded`
        uint128 leaving; // not in `bonded`
        uint64 leavesAt; // seconds
        bool active; // in the signer set
    }

    /// @dev Bounds every loop over signers.
    uint256 public constant MAX_REPORTERS = 32;
    uint256 private constant BPS = 10_000;
    /// @dev A reporter who slashes itself through a friend must lose at least half.
    uint256 private constant MAX_PROVER_BPS = 5000;

    /// @inheritdoc IReporters
    address public immutable asset;
    /// @inheritdoc IReporters
    address public immutable sink;
    /// @inheritdoc IReporters
    uint128 public immutable minBond;
    /// @inheritdoc IReporters
    uint32 public immutable unbondDelay;
    /// @inheritdoc IReporters
    uint16 public immutable proverBps;

    /// @inheritdoc IReporters
    mapping(address account => bool user) public isUser;
    bool private _wired;
    /// @inheritdoc IReporters
    uint256 public quorum;
    /// @dev Strictly ascending, at most `MAX_REPORTERS`, fewer than twice `quorum`.
    address[] private _members;
    mapping(address reporter => Bond bond) private _bonds;
    /// @inheritdoc IReporters
    mapping(address prover => uint128 amount) public rewards;
    /// @inheritdoc IReporters
    uint128 public unburned;
    mapping(address user => mapping(bytes32 key => mapping(address reporter => uint128))) private _held;

    /// @param authority an AccessManager; it decides who reports and how many must sign.
    /// @param minBond_ units of `asset_`, at least 1.
    /// @param unbondDelay_ seconds, at least one day; each user checks that it is long enough for what it judges.
    /// @param proverBps_ at most half.
    /// @param quorum_ how many must sign, 1 to 32; governance may change it.
    constructor(
        address authority,
        address asset_,
        address sink_,
        uint128 minBond_,
        uint32 unbondDelay_,
        uint16 proverBps_,
        uint256 quorum_
    ) AccessManaged(authority) {
        if (asset_ == address(0)) revert OutOfRange("asset", 0);
        if (sink_ == address(0) || sink_ == address(this)) revert OutOfRange("sink", uint160(sink_));
        if (minBond_ == 0) revert OutOfRange("minBond", 0);
        if (unbondDelay_ < 1 days) revert OutOfRange("unbondDelay", unbondDelay_);
        if (proverBps_ > MAX_PROVER_BPS) revert OutOfRange("proverBps", proverBps_);
        (asset, sink, minBond, unbondDelay, proverBps) = (asset_, sink_, minBond_, unbondDelay_, proverBps_);
        _setQuorum(quorum_);
    }

    // ----- governance -----

    /// @inheritdoc IReporters
    function wire(address[] calldata users) external restricted {
        if (_wired) revert AlreadyWired();
        _wired = true;
        for (uint256 i; i < users.length; ++i) {
            isUser[users[i]] = true;
        }
        emit Wired(users);
    }

    /// @inheritdoc IReporters
    function admit(address reporter) external restricted {
        Bond storage own = _bonds[reporter];
        if (own.active) revert AlreadyAdmitted(reporter);
        if (own.bonded < minBond) revert BondTooSmall(reporter, minBond, own.bonded);
        uint256 count = _members.length + 1;
        if (count > MAX_REPORTERS) revert TooManyReporters(MAX_REPORTERS);
        _checkMajority(quorum, count);
        own.active = true;
        _members.push(reporter);
        // Signatures are checked in this order, so the list is kept in it.
        for (uint256 i = count - 1; i != 0 && _members[i - 1] > reporter; --i) {
            (_members[i], _members[i - 1]) = (_members[i - 1], reporter);
        }
        emit Admitted(reporter);
    }

    /// @inheritdoc IReporters
    function remove(address reporter) external restricted {
        if (!_bonds[reporter].active) revert NotAdmitted(reporter);
        _remove(reporter, _bonds[reporter]);
    }

    /// @inheritdoc IReporters
    function setQuorum(uint256 quorum_) external restricted {
        _setQuorum(quorum_);
    }

    // ----- reporters -----

    /// @inheritdoc IReporters
    function bond(uint128 amount) external nonReentrant {
        if (amount == 0) revert ZeroAmount();
        _bonds[msg.sender].bonded += amount;
        emit Bonded(msg.sender, amount);
        uint256 before = IERC20(asset).balanceOf(address(this));
        IERC20(asset).safeTransferFrom(msg.sender, address(this), amount);
        uint256 got = IERC20(asset).balanceOf(address(this)) - before;
        if (got != amount) revert WrongTransfer(amount, got);
    }

    /// @inheritdoc IReporters
    function unbond(uint128 amount) external nonReentrant {
        if (amount == 0) revert ZeroAmount();
        Bond storage own = _bonds[msg.sender];
        _checkFree(msg.sender, own, amount);
        own.bonded -= amount;
        own.leaving += amount;
        uint64 leavesAt = uint64(block.timestamp) + unbondDelay;
        own.leavesAt = leavesAt;
        emit Leaving(msg.sender, amount, leavesAt);
        if (own.active && own.bonded < minBond) _remove(msg.sender, own);
    }

    /// @inheritdoc IReporters
    function withdraw() external nonReentrant {
        Bond storage own = _bonds[msg.sender];
        uint128 amount = own.leaving;
        if (amount == 0) revert NothingToWithdraw(msg.sender);
        if (block.timestamp < own.leavesAt) revert StillLeaving(msg.sender, own.leavesAt);
        own.leaving = 0;
        emit Withdrawn(msg.sender, amount);
        IERC20(asset).safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IReporters
    function claim() external nonReentrant {
        uint128 amount = rewards[msg.sender];
        if (amount == 0) revert NothingToWithdraw(msg.sender);
        rewards[msg.sender] = 0;
        emit Claimed(msg.sender, amount);
        IERC20(asset).safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IReporters
    function burn() external nonReentrant {
        uint128 amount = unburned;
        if (amount == 0) revert ZeroAmount();
        unburned = 0;
        emit Burned(amount);
        IERC20(asset).safeTransfer(sink, amount);
    }

    // ----- users -----

    /// @inheritdoc IReporters
    function hold(bytes32 key, address reporter, uint128 amount) external nonReentrant {
        _checkUser();
        Bond storage own = _bonds[reporter];
        _checkFree(reporter, own, amount);
        own.held += amount;
        _held[msg.sender][key][reporter] += amount;
        emit Held(msg.sender, key, reporter, amount);
    }

    /// @inheritdoc IReporters
    function release(bytes32 key, address reporter) external nonReentrant {
        _checkUser();
        uint128 amount = _held[msg.sender][key][reporter];
        if (amount == 0) return;
        _held[msg.sender][key][reporter] = 0;
        _bonds[reporter].held -= amount;
        emit Released(msg.sender, key, reporter, amount);
    }

    /// @inheritdoc IReporters
    function slash(bytes32 key, address reporter, uint128 most, address prover)
        external
        nonReentrant
        returns (uint128 taken)
    {
        _checkUser();
        Bond storage own = _bonds[reporter];
        uint128 held = uint128(Math.min(most, _held[msg.sender][key][reporter]));
        uint128 free = uint128(Math.min(most - held, own.bonded - own.held));
        uint128 leaving = uint128(Math.min(most - held - free, own.leaving));
        taken = held + free + leaving;
        _held[msg.sender][key][reporter] -= held;
        own.held -= held;
        own.bonded -= held + free;
        own.leaving -= leaving;
        // Rounded down, in favour of the burn.
        uint128 reward = prover == address(0) ? 0 : uint128(uint256(taken) * proverBps / BPS);
        // Nothing is sent here: an account that cannot be paid must not keep a reporter from being slashed.
        if (reward != 0) rewards[prover] += reward;
        unburned += taken - reward;
        emit Slashed(msg.sender, key, reporter, held, free, leaving, prover, reward);
        if (own.active) _remove(reporter, own);
    }

    // ----- views -----

    /// @inheritdoc IReporters
    function members() external view returns (uint256, address[] memory) {
        return (quorum, _members);
    }

    /// @inheritdoc IReporters
    function signerSet() external view returns (bytes32) {
        return Eip712Types.signerSet(quorum, _members);
    }

    /// @inheritdoc IReporters
    function isReporter(address account) external view returns (bool) {
        return _bonds[account].active;
    }

    /// @inheritdoc IReporters
    function bondOf(address reporter)
        external
        view
        returns (uint128 bonded, uint128 held, uint128 leaving, uint64 leavesAt)
    {
        Bond storage own = _bonds[reporter];
        return (own.bonded, own.held, own.leaving, own.leavesAt);
    }

    /// @inheritdoc IReporters
    function heldUnder(address user, bytes32 key, address reporter) external view returns (uint128) {
        return _held[user][key][reporter];
    }

    // ----- internals -----

    function _setQuorum(uint256 quorum_) private {
        if (quorum_ == 0 || quorum_ > MAX_REPORTERS) revert OutOfRange("quorum", quorum_);
        _checkMajority(quorum_, _members.length);
        quorum = quorum_;
        emit QuorumSet(quorum_);
    }

    function _remove(address reporter, Bond storage own) private {
        own.active = false;
        uint256 last = _members.length - 1;
        bool found;
        for (uint256 i; i < last; ++i) {
            found = found || _members[i] == reporter;
            if (found) _members[i] = _members[i + 1];
        }
        _members.pop();
        emit Removed(reporter);
    }

    function _checkUser() private view {
        if (!isUser[msg.sender]) revert NotUser(msg.sender);
    }

    function _checkFree(address reporter, Bond storage own, uint128 amount) private view {
        uint128 free = own.bonded - own.held;
        if (amount > free) revert NotFree(reporter, free, amount);
    }

    function _checkMajority(uint256 quorum_, uint256 count) private pure {
        if (2 * quorum_ <= count) revert NotMajority(quorum_, count);
    }
}
