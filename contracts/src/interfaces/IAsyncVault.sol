// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title What ERC-7540 and ERC-7575 ask of a vault that is entered and left by requests
/// @notice One interface for each id that the standards fix. `controller` owns a request; an operator acts for him.

interface IERC7540Operator {
    event OperatorSet(address indexed controller, address indexed operator, bool approved);

    /// @notice Lets `operator` request for the caller, and claim what the caller's requests are worth; or not any more.
    function setOperator(address operator, bool approved) external returns (bool);
    function isOperator(address controller, address operator) external view returns (bool);
}

interface IERC7540Deposit {
    event DepositRequest(
        address indexed controller,
        address indexed owner,
        uint256 indexed requestId,
        address sender,
        uint256 assets
    );

    /// @notice Takes `assets` from `owner`; they become shares of `controller` in a later epoch.
    function requestDeposit(uint256 assets, address controller, address owner)
        external
        returns (uint256 requestId);
    /// @notice Assets of a request that wait for their epoch.
    function pendingDepositRequest(uint256 requestId, address controller) external view returns (uint256);
    /// @notice Assets of a request that became shares and were not claimed.
    function claimableDepositRequest(uint256 requestId, address controller) external view returns (uint256);
    /// @notice Claims the shares of the controller's oldest requests, of `assets` together; requests are claimed whole.
    function deposit(uint256 assets, address receiver, address controller) external returns (uint256 shares);
    /// @notice The same by shares; answers their assets.
    function mint(uint256 shares, address receiver, address controller) external returns (uint256 assets);
}

interface IERC7540Redeem {
    event RedeemRequest(
        address indexed controller,
        address indexed owner,
        uint256 indexed requestId,
        address sender,
        uint256 shares
    );

    /// @notice Puts shares of `owner` into the queue for good; `controller` gets the assets.
    function requestRedeem(uint256 shares, address controller, address owner)
        external
        returns (uint256 requestId);
    /// @notice Shares of a request that still wait in the queue, rounded up.
    function pendingRedeemRequest(uint256 requestId, address controller) external view returns (uint256);
    /// @notice Shares of a request that were paid for and whose assets were not claimed, rounded down.
    function claimableRedeemRequest(uint256 requestId, address controller) external view returns (uint256);
}

/// @dev ERC-4626's functions with `share`; the shares are this contract. Previews always revert: prices are those of
///      the epoch that is to come. What is written of the two functions with a controller holds for those without; the
///      controller is then the caller.
interface IERC7575 {
    event Deposit(address indexed sender, address indexed owner, uint256 assets, uint256 shares);
    event Withdraw(
        address indexed sender,
        address indexed receiver,
        address indexed owner,
        uint256 assets,
        uint256 shares
    );

    function asset() external view returns (address);
    function share() external view returns (address);
    function totalAssets() external view returns (uint256);
    function convertToShares(uint256 assets) external view returns (uint256);
    function convertToAssets(uint256 shares) external view returns (uint256);
    /// @notice Assets whose shares `controller` may claim, as of the pool's last accrual.
    function maxDeposit(address controller) external view returns (uint256);
    /// @notice Shares that `controller` may claim, as of the pool's last accrual.
    function maxMint(address controller) external view returns (uint256);
    /// @notice Assets that `controller` may claim, as of the pool's last accrual.
    function maxWithdraw(address controller) external view returns (uint256);
    /// @notice Shares whose assets `controller` may claim, as of the pool's last accrual.
    function maxRedeem(address controller) external view returns (uint256);
    function previewDeposit(uint256 assets) external view returns (uint256);
    function previewMint(uint256 shares) external view returns (uint256);
    function previewWithdraw(uint256 assets) external view returns (uint256);
    function previewRedeem(uint256 shares) external view returns (uint256);
    function deposit(uint256 assets, address receiver) external returns (uint256 shares);
    function mint(uint256 shares, address receiver) external returns (uint256 assets);
    /// @notice Sends `assets` of what the controller's oldest redemptions were paid; answers their shares.
    function withdraw(uint256 assets, address receiver, address controller) external returns (uint256 shares);
    /// @notice The same by shares; answers their assets, rounded down.
    function redeem(uint256 shares, address receiver, address controller) external returns (uint256 assets);
}
