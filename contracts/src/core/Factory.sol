// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {ICatalog} from "../interfaces/ICatalog.sol";
import {IFactory} from "../interfaces/IFactory.sol";
import {PoolConfig} from "../interfaces/IPool.sol";
import {IPoolDesk} from "../interfaces/IPoolDesk.sol";
import {Terms} from "../libraries/Terms.sol";

/// @title Factory
/// @notice It alone may register pools, so every pool of the catalog runs the code named here. It keeps no state and
///         has no power over a pool that it made.
contract Factory is IFactory {
    /// @inheritdoc IFactory
    address public immutable catalog;
    /// @inheritdoc IFactory
    address public immutable pool;
    /// @inheritdoc IFactory
    address public immutable tranche;

    constructor(address catalog_, address pool_, address tranche_) {
        (catalog, pool, tranche) = (catalog_, pool_, tranche_);
    }

    /// @inheritdoc IFactory
    function createPool(PoolConfig calldata config, bytes32 salt) external returns (address made) {
        salt = _salt(msg.sender, salt);
        made = Clones.cloneDeterministicWithImmutableArgs(pool, Terms.pack(config), salt);
        address[3] memory tranches;
        // An asset that does not tell its decimals counts as one without any.
        (, uint8 decimals) = SafeERC20.tryGetDecimals(IERC20(config.asset));
        for (uint256 i; i < 3; ++i) {
            // Only junior is locked, so only junior knows the curator. Shares have six decimals more than assets.
            bytes memory terms = abi.encodePacked(
                made,
                config.asset,
                i == 0 ? config.curator : address(0),
                uint8(i + 1),
                decimals + 6,
                config.epoch,
                config.cooldown
            );
            tranches[i] = Clones.cloneDeterministicWithImmutableArgs(tranche, terms, salt);
        }
        IPoolDesk(made).initialise(tranches);
        emit PoolCreated(made, config.curator, config, tranches);
        ICatalog(catalog).registerPool(made);
    }

    /// @inheritdoc IFactory
    function poolOf(address creator, PoolConfig calldata config, bytes32 salt)
        external
        view
        returns (address)
    {
        return Clones.predictDeterministicAddressWithImmutableArgs(
            pool, Terms.pack(config), _salt(creator, salt)
        );
    }

    /// @dev Mixed with the creator, so that nobody takes the address that another one planned with.
    function _salt(address creator, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encode(creator, salt));
    }
}
