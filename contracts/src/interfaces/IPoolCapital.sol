// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title The side of a pool that its tranches use.
interface IPoolCapital {
    // Called by a tranche.

    /// @notice Takes `assets` of `owner` in through the tranche's `pull`; refuses any other amount.
    function takeDeposit(address owner, uint256 assets) external;
    /// @notice Sends the assets of a refused deposit back, or owes them.
    function returnDeposit(address to, uint256 assets) external;
    /// @notice Accrues and looks at the tranche's oldest cohort; `looked`: one was looked at, here or by the accrual.
    function payExits() external returns (uint256 assets, bool looked);
    /// @notice Sends what a cohort was paid, or owes it.
    function sendRedemption(address to, uint256 assets) external;
    /// @notice Locks recovery shares that the curator just received.
    function lockRecovered(uint256 shares) external;

    /// @notice Assets of a layer: 0 surplus, 1 junior, 2 mezzanine, 3 senior.
    function layer(uint256 index) external view returns (uint256);
    /// @notice What may leave tranche `index` (1 to 3) now, by capacity and by subordination.
    function exitable(uint256 index) external view returns (uint256);
}
