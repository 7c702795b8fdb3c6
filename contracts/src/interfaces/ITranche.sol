// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title Tranche: ERC-20 shares of one layer of a pool, entered and left by epoch (ERC-7540 shape).
/// @dev requestId is the epoch for deposits and the cohort's payable epoch for redemptions.
interface ITranche {
    event DepositRequest(address indexed controller, address indexed owner, uint256 indexed requestId, address sender, uint256 assets);
    event RedeemRequest(address indexed controller, address indexed owner, uint256 indexed requestId, address sender, uint256 shares);
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

    function requestDeposit(uint256 assets, address controller, address owner) external returns (uint256 requestId);
    function requestRedeem(uint256 shares, address controller, address owner) external returns (uint256 requestId);
    /// @notice Sends the shares of a processed deposit to its controller; by anyone.
    function claimDeposit(uint256 requestId, address controller) external returns (uint256 shares);
    /// @notice Sends what has been paid so far for a redemption to its controller; by anyone.
    function claimRedeem(uint256 requestId, address controller) external returns (uint256 assets);
    /// @notice Prices and pays the oldest matured cohort as far as the pool allows; by anyone.
    function processRedemptions() external returns (uint256 assets);
    /// @notice Shares released by `incident` to `account` for what it held at the end of the block before opening.
    function claimRecovery(uint256 incident, address account) external returns (uint256 shares);
    /// @notice The same for shares that stood in the redemption queue then.
    function claimQueuedRecovery(uint256 incident, uint256 requestId, address controller) external returns (uint256 shares);

    // Called by the pool.
    function processDeposits() external returns (uint256 assets, uint256 shares);
    function mintRecovery(uint256 incident, uint256 assets) external returns (uint256 shares);

    function layer() external view returns (uint256);
    function convertToAssets(uint256 shares) external view returns (uint256);
    function convertToShares(uint256 assets) external view returns (uint256);
}
