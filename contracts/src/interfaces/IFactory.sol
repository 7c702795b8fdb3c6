// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {PoolConfig} from "./IPool.sol";

/// @title Factory: makes pools, and nobody else can.
interface IFactory {
    /// @notice `tranches` are those of layers 1 to 3.
    event PoolCreated(address indexed pool, address indexed curator, PoolConfig config, address[3] tranches);

    /// @notice Makes a pool with its tranches and registers it; by anyone, for any curator. Its address follows from
    ///         the caller, the salt and the config. Reverts with `IPool.OutOfRange` if the config breaks a range.
    function createPool(PoolConfig calldata config, bytes32 salt) external returns (address pool);

    /// @notice Where `createPool` of `creator` puts, or put, its pool.
    function poolOf(address creator, PoolConfig calldata config, bytes32 salt) external view returns (address);
    /// @notice Where pools are registered.
    function catalog() external view returns (address);
    /// @notice The code that all pools run.
    function pool() external view returns (address);
    /// @notice The code that all tranches run.
    function tranche() external view returns (address);
}
