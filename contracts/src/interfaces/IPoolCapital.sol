// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {PoolConfig} from "./IPool.sol";

/// @notice What a pool knows of one product: terms it copied, what its curator allows, and what it insures.
struct Underwriting {
    bytes32 gauge; // zero: the curator never set it
    uint128 cap; // in force, pool units
    uint64 floorRate; // in force, wad a year
    uint128 pendingCap;
    uint64 pendingRate;
    uint64 effectiveAt; // seconds, of the pending setting; zero: none pending
    uint128 exposure; // counts for caps and price, now
    bool live; // some setting has been in force
}

/// @notice Every other state word of a pool, as of its last accrual unless it says so. Pool units.
struct PoolState {
    uint128[4] layers; // surplus, junior, mezzanine, senior
    uint256 unearnedScaled; // units * 1e18
    uint256 streamRate; // units * 1e18 per second
    uint256 accruedTo; // seconds
    uint256 epochDone; // deposits and exits of all epochs up to it have been processed
    uint256 exposure;
    uint256 surge; // wad, at `surgeAt`
    uint256 surgeAt; // seconds
    uint256 pendingDeposits;
    uint256 redeemable; // paid to cohorts and not claimed
    uint256 owed; // sum of `owed` over all accounts
    uint256 capSum; // caps asked for, over all products
    uint256 instantOutstanding; // instant payments of the incidents that dwell
    uint256 dwelling; // bookings whose incident dwells
}

/// @title The side of a pool that its tranches use, and its state in full.
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

    function curator() external view returns (address);
    /// @notice Assets of a layer: 0 surplus, 1 junior, 2 mezzanine, 3 senior.
    function layer(uint256 index) external view returns (uint256);
    /// @notice What may leave tranche `index` (1 to 3) now, by capacity and by subordination.
    function exitable(uint256 index) external view returns (uint256);

    function config() external view returns (PoolConfig memory);
    function state() external view returns (PoolState memory);
    /// @notice The tranche of a layer, 1 to 3.
    function tranche(uint256 index) external view returns (address);
    function underwriting(bytes32 product) external view returns (Underwriting memory);
    /// @notice Products of a gauge that the pool underwrites, at most four.
    function productsOf(bytes32 gauge) external view returns (bytes32[] memory);
    /// @notice Sums whose cover includes second `time`, not after now.
    function inForce(bytes32 product, uint256 time) external view returns (uint256);
    /// @notice Sums of a product that expire, and that stop counting as exposure, when `day` begins.
    function dayOf(bytes32 product, uint256 day) external view returns (uint256 expiring, uint256 releasing);
    /// @notice Rate that stops streaming when `day` begins, units * 1e18 per second.
    function streamEnds(uint256 day) external view returns (uint256);
    /// @notice Exposure of the pool that stops counting when `day` begins.
    function exposureEnds(uint256 day) external view returns (uint256);
    /// @notice What was paid in the dwell for an incident on a product and not borne by the curator.
    function instantPaid(uint256 incident, bytes32 product) external view returns (uint256);
    /// @notice The line of short bookings, oldest first; some may no longer be short.
    function shortBookings() external view returns (uint256[] memory);
    function owed(address account) external view returns (uint256);
}
