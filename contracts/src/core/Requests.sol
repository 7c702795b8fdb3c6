// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {DoubleEndedQueue} from "@openzeppelin/contracts/utils/structs/DoubleEndedQueue.sol";
import {IERC7540Deposit, IERC7540Operator, IERC7540Redeem, IERC7575} from "../interfaces/IAsyncVault.sol";
import {IPool} from "../interfaces/IPool.sol";
import {Shares} from "./Shares.sol";

/// @title The face of a tranche that ERC-7540 describes: operators, and claims by amount over a controller's requests
/// @notice A request is an epoch's, so a controller has at most one a day of each sort, whoever makes them for him.
abstract contract Requests is Shares, ReentrancyGuardTransient, IERC165 {
    using DoubleEndedQueue for DoubleEndedQueue.Bytes32Deque;

    /// @dev What a request may claim now, and whether it will never claim more.
    struct Claimable {
        uint256 assets;
        uint256 shares;
        bool last;
    }

    /// @notice Requests with something to claim that one claim, or one `max`, walks through: who has more claims again.
    ///         Those that were claimed by their ids are passed without being counted, so that nobody shuts a controller
    ///         out by making and claiming for him what he never asked for.
    uint256 public constant MAX_WALK = 64;

    /// @inheritdoc IERC7540Operator
    mapping(address controller => mapping(address operator => bool)) public isOperator;
    /// @dev Ids, oldest first, of requests that may still have something to claim.
    mapping(address controller => DoubleEndedQueue.Bytes32Deque) private _entries;
    mapping(address controller => DoubleEndedQueue.Bytes32Deque) private _exits;

    /// @inheritdoc IERC7540Operator
    function setOperator(address operator, bool approved) external returns (bool) {
        isOperator[msg.sender][operator] = approved;
        emit OperatorSet(msg.sender, operator, approved);
        return true;
    }

    /// @inheritdoc IERC7575
    function deposit(uint256 assets, address receiver) external nonReentrant returns (uint256 shares) {
        (, shares) = _enter(assets, type(uint256).max, receiver, msg.sender);
    }

    /// @inheritdoc IERC7540Deposit
    function deposit(uint256 assets, address receiver, address controller)
        external
        nonReentrant
        returns (uint256 shares)
    {
        (, shares) = _enter(assets, type(uint256).max, receiver, controller);
    }

    /// @inheritdoc IERC7575
    function mint(uint256 shares, address receiver) external nonReentrant returns (uint256 assets) {
        (assets,) = _enter(type(uint256).max, shares, receiver, msg.sender);
    }

    /// @inheritdoc IERC7540Deposit
    function mint(uint256 shares, address receiver, address controller)
        external
        nonReentrant
        returns (uint256 assets)
    {
        (assets,) = _enter(type(uint256).max, shares, receiver, controller);
    }

    /// @inheritdoc IERC7575
    function withdraw(uint256 assets, address receiver, address controller)
        external
        nonReentrant
        returns (uint256 shares)
    {
        (, shares) = _exit(assets, type(uint256).max, receiver, controller);
    }

    /// @inheritdoc IERC7575
    function redeem(uint256 shares, address receiver, address controller)
        external
        nonReentrant
        returns (uint256 assets)
    {
        (assets,) = _exit(type(uint256).max, shares, receiver, controller);
    }

    /// @inheritdoc IERC7540Deposit
    function claimableDepositRequest(uint256 requestId, address controller) external view returns (uint256) {
        return _entryOf(requestId, controller).assets;
    }

    /// @inheritdoc IERC7540Redeem
    function claimableRedeemRequest(uint256 requestId, address controller) external view returns (uint256) {
        return _exitOf(requestId, controller).shares;
    }

    /// @inheritdoc IERC7575
    function maxDeposit(address controller) external view returns (uint256 assets) {
        (assets,) = _most(_entries[controller], _entryOf, controller);
    }

    /// @inheritdoc IERC7575
    function maxMint(address controller) external view returns (uint256 shares) {
        (, shares) = _most(_entries[controller], _entryOf, controller);
    }

    /// @inheritdoc IERC7575
    function maxWithdraw(address controller) external view returns (uint256 assets) {
        (assets,) = _most(_exits[controller], _exitOf, controller);
    }

    /// @inheritdoc IERC7575
    function maxRedeem(address controller) external view returns (uint256 shares) {
        (, shares) = _most(_exits[controller], _exitOf, controller);
    }

    /// @notice Always reverts: the price is that of an epoch to come. So do the other three.
    function previewDeposit(uint256) external pure returns (uint256) {
        revert NoPreview();
    }

    function previewMint(uint256) external pure returns (uint256) {
        revert NoPreview();
    }

    function previewWithdraw(uint256) external pure returns (uint256) {
        revert NoPreview();
    }

    function previewRedeem(uint256) external pure returns (uint256) {
        revert NoPreview();
    }

    /// @notice This contract: a tranche is its own share.
    function share() external view returns (address) {
        return address(this);
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == type(IERC165).interfaceId || id == type(IERC7575).interfaceId
            || id == type(IERC7540Operator).interfaceId || id == type(IERC7540Deposit).interfaceId
            || id == type(IERC7540Redeem).interfaceId;
    }

    /// @dev What a deposit may claim.
    function _entryOf(uint256 requestId, address controller) internal view virtual returns (Claimable memory);

    /// @dev What a redemption may claim.
    function _exitOf(uint256 requestId, address controller) internal view virtual returns (Claimable memory);

    /// @dev Sends the shares of a whole deposit.
    function _takeEntry(uint256 requestId, address controller, address receiver)
        internal
        virtual
        returns (uint256 shares);

    /// @dev Counts `assets` of a redemption as claimed; the money is sent by the caller.
    function _takeExit(uint256 requestId, address controller, uint256 assets) internal virtual;

    /// @dev Sends what was counted, through the pool.
    function _sendExit(address receiver, uint256 assets) internal virtual;

    function _noteEntry(uint256 requestId, address controller) internal {
        _entries[controller].pushBack(bytes32(requestId));
    }

    function _noteExit(uint256 requestId, address controller) internal {
        _exits[controller].pushBack(bytes32(requestId));
    }

    /// @dev Only an owner, or whom he let, moves what is his.
    function _checkOwner(address owner) internal view {
        if (owner != msg.sender && !isOperator[owner][msg.sender]) revert NotOwner(owner, msg.sender);
    }

    /// @dev Claims whole deposits up to `assets` or `shares`; the other one is out of reach. Both are met exactly.
    function _enter(uint256 assets, uint256 shares, address receiver, address controller)
        private
        returns (uint256 gotAssets, uint256 gotShares)
    {
        DoubleEndedQueue.Bytes32Deque storage queue = _open(_entries[controller], assets, shares, controller);
        if (receiver == address(0)) revert ZeroAddress();
        for (uint256 n; n < MAX_WALK && gotAssets < assets && gotShares < shares && !queue.empty();) {
            uint256 requestId = uint256(queue.front());
            Claimable memory c = _entryOf(requestId, controller);
            if (!c.last) break;
            if (c.assets != 0) {
                // A deposit is claimed whole, because recoveries go by who held it.
                if (c.assets > assets - gotAssets || c.shares > shares - gotShares) {
                    revert ClaimedWhole(requestId, c.assets, c.shares);
                }
                _takeEntry(requestId, controller, receiver);
                (gotAssets, gotShares) = (gotAssets + c.assets, gotShares + c.shares);
                ++n;
            }
            queue.popFront();
        }
        _checkMet(assets, shares, gotAssets, gotShares);
        emit Deposit(controller, receiver, gotAssets, gotShares);
    }

    /// @dev Claims of redemptions up to `assets` or `shares`, in the same way, but in parts.
    function _exit(uint256 assets, uint256 shares, address receiver, address controller)
        private
        returns (uint256 gotAssets, uint256 gotShares)
    {
        DoubleEndedQueue.Bytes32Deque storage queue = _open(_exits[controller], assets, shares, controller);
        if (receiver == address(0)) revert ZeroAddress();
        for (uint256 n; n < MAX_WALK && gotAssets < assets && gotShares < shares && !queue.empty();) {
            uint256 requestId = uint256(queue.front());
            Claimable memory c = _exitOf(requestId, controller);
            if (c.assets != 0) ++n;
            uint256 part = Math.min(c.assets, assets - gotAssets);
            // Both rounded down: no part is worth more than its whole.
            uint256 burned = c.assets == 0 ? c.shares : Math.mulDiv(c.shares, part, c.assets);
            if (burned > shares - gotShares) {
                burned = shares - gotShares;
                part = Math.mulDiv(c.assets, burned, c.shares);
            }
            if (part != 0) _takeExit(requestId, controller, part);
            (gotAssets, gotShares) = (gotAssets + part, gotShares + burned);
            if (!c.last || part != c.assets) break;
            queue.popFront();
        }
        _checkMet(assets, shares, gotAssets, gotShares);
        emit Withdraw(msg.sender, receiver, controller, gotAssets, gotShares);
        _sendExit(receiver, gotAssets);
    }

    /// @dev The controller's requests, brought up to now, if the caller may claim them.
    function _open(
        DoubleEndedQueue.Bytes32Deque storage queue,
        uint256 assets,
        uint256 shares,
        address controller
    ) private returns (DoubleEndedQueue.Bytes32Deque storage) {
        _checkOwner(controller);
        if (assets == 0 || shares == 0) revert ZeroAmount();
        IPool(pool()).accrue();
        return queue;
    }

    /// @dev The one that was asked for is met; the other one is out of reach.
    function _checkMet(uint256 assets, uint256 shares, uint256 gotAssets, uint256 gotShares) private pure {
        if (gotAssets == assets || gotShares == shares) return;
        if (shares == type(uint256).max) revert AboveClaimable(gotAssets, assets);
        revert AboveClaimable(gotShares, shares);
    }

    /// @dev What one claim may take at most.
    function _most(
        DoubleEndedQueue.Bytes32Deque storage queue,
        function(uint256, address) internal view returns (Claimable memory) claimableOf,
        address controller
    ) private view returns (uint256 assets, uint256 shares) {
        (uint256 count, uint256 n) = (queue.length(), 0);
        for (uint256 i; i < count && n < MAX_WALK; ++i) {
            Claimable memory c = claimableOf(uint256(queue.at(i)), controller);
            if (c.assets != 0) ++n;
            (assets, shares) = (assets + c.assets, shares + c.shares);
            if (!c.last) return (assets, shares);
        }
    }
}
