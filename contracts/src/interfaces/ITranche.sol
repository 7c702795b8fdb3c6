// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC7540Deposit, IERC7540Operator, IERC7540Redeem, IERC7575} from "./IAsyncVault.sol";

/// @title Tranche: ERC-20 shares of one layer of a pool, entered and left by epoch (ERC-7540).
/// @dev requestId is the epoch for deposits and the cohort's payable epoch for redemptions.
interface ITranche is IERC20, IERC7540Operator, IERC7540Deposit, IERC7540Redeem, IERC7575 {
    event DepositsProcessed(uint256 indexed requestId, uint256 assets, uint256 shares);
    event RedemptionsProcessed(uint256 indexed requestId, uint256 shares, uint256 assets, uint256 remaining);
    /// @notice The tranche or the pool is closed: the assets of the request go back when claimed.
    event DepositsReturned(uint256 indexed requestId, uint256 assets);
    event DepositClaimed(address indexed controller, uint256 indexed requestId, uint256 shares);
    event RedeemClaimed(address indexed controller, uint256 indexed requestId, uint256 assets);
    event RecoveryClaimed(uint256 indexed incident, address indexed account, uint256 shares);
    event QueuedRecoveryClaimed(
        uint256 indexed incident, uint256 indexed requestId, address indexed controller, uint256 shares
    );

    error NotPool(address caller);
    error ZeroAmount();
    error ZeroAddress();
    /// @notice The curator's balance would be left below what he has locked.
    error SharesLocked(uint256 locked, uint256 left);
    /// @notice The caller is neither the one whose money it is nor his operator.
    error NotOwner(address owner, address caller);
    /// @notice What is asked for in advance is priced in an epoch to come.
    error NoPreview();
    /// @notice A deposit is claimed whole: so many assets, for so many shares.
    error ClaimedWhole(uint256 requestId, uint256 assets, uint256 shares);
    error AboveClaimable(uint256 most, uint256 got);
    /// @notice The pool is closed, or a share is worth less than a millionth of what it was worth at first.
    error TrancheIsClosed();
    /// @notice Neither taken in nor waiting for more than 30 days after its epoch.
    error NotProcessed(uint256 requestId);
    error NothingToClaim(uint256 requestId, address controller);
    /// @notice No cohort is payable now: none has matured, the oldest was looked at in this epoch, or a booking
    ///         of the pool dwells.
    error NothingMatured(uint256 epoch);
    error NothingToRecover(uint256 incident, address account);

    /// @notice Sends the shares of a processed deposit to its controller, or, if it was refused, its assets (then
    ///         `shares` is zero); by anyone. Deposits that wait for 30 days after their epoch are refused by it.
    function claimDeposit(uint256 requestId, address controller) external returns (uint256 shares);
    /// @notice Sends what has been paid so far for a redemption to its controller; by anyone.
    function claimRedeem(uint256 requestId, address controller) external returns (uint256 assets);
    /// @notice Prices and pays the oldest matured cohort as far as the pool allows; by anyone. Answers what was
    ///         paid, that of the accrual on the way included.
    function processRedemptions() external returns (uint256 assets);
    /// @notice Shares released by `incident` to `account` for what it held at the end of the block before opening.
    function claimRecovery(uint256 incident, address account) external returns (uint256 shares);
    /// @notice The same for what stood under one requestId then, in the redemption queue or as a processed
    ///         deposit that was not claimed.
    function claimQueuedRecovery(uint256 incident, uint256 requestId, address controller)
        external
        returns (uint256 shares);

    // Called by the pool.

    /// @notice Turns the deposits of at most eight earlier epochs into shares, oldest first, or refuses them; returns
    ///         the assets that came in.
    function processDeposits() external returns (uint256 assets);
    /// @notice Burns what the oldest payable cohort is paid for; at most `exitable` assets. `looked`: there was one.
    function payCohort(uint256 exitable) external returns (uint256 assets, bool looked);
    /// @notice Mints shares for `assets` that come back, for the holders at the end of the block before `openedAt`.
    ///         `held` is false if nobody held shares then. Before the assets are added to the layer.
    function mintRecovery(uint256 incident, uint256 openedAt, uint256 assets)
        external
        returns (bool held, uint256 shares);
    /// @notice Moves `assets` from `owner` to the pool, with the allowance that the owner gave this tranche.
    function pull(address owner, uint256 assets) external;
    /// @notice Burns shares of the curator; the pool has lowered the lock before.
    function burnLocked(address account, uint256 shares) external;

    /// @notice 1 junior, 2 mezzanine, 3 senior.
    function layer() external view returns (uint256);
}
