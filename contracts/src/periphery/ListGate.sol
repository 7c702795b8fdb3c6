// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IGate} from "../interfaces/IGate.sol";

/// @title A list of accounts, and registries that are asked as well
/// @notice Its owner is the curator of the pool or whoever answers for its list. An account must pass the list and
///         every registry; a registry that fails lets nobody in.
contract ListGate is IGate, Ownable2Step {
    /// @notice `Allow`: only who is listed. `Deny`: everyone but who is listed.
    enum Mode {
        Allow,
        Deny
    }

    /// @notice A registry of others, by the selector of a view `(address) -> bool`.
    struct Registry {
        address registry;
        bytes4 view_;
        bool pass; // the answer that lets in: true for identities, false for sanctions
    }

    uint256 public constant MAX_REGISTRIES = 4;
    /// @dev Of each registry, so that all of them fit into what a gate may take.
    uint256 private constant REGISTRY_GAS = 40_000;

    Mode public immutable mode;
    mapping(address account => bool listed) public isListed;
    Registry[] private _registries;

    event Listed(address indexed account, bool listed);
    event RegistriesSet(Registry[] registries);

    error TooManyRegistries(uint256 most, uint256 got);

    constructor(address owner, Mode mode_) Ownable(owner) {
        mode = mode_;
    }

    function list(address[] calldata accounts, bool listed) external onlyOwner {
        for (uint256 i; i < accounts.length; ++i) {
            isListed[accounts[i]] = listed;
            emit Listed(accounts[i], listed);
        }
    }

    /// @notice Replaces all registries.
    function setRegistries(Registry[] calldata registries_) external onlyOwner {
        if (registries_.length > MAX_REGISTRIES) {
            revert TooManyRegistries(MAX_REGISTRIES, registries_.length);
        }
        delete _registries;
        for (uint256 i; i < registries_.length; ++i) {
            _registries.push(registries_[i]);
        }
        emit RegistriesSet(registries_);
    }

    function registries() external view returns (Registry[] memory) {
        return _registries;
    }

    /// @inheritdoc IGate
    function allowed(address account, bytes4) external view returns (bool) {
        if (isListed[account] != (mode == Mode.Allow)) return false;
        uint256 count = _registries.length;
        for (uint256 i; i < count; ++i) {
            if (!_passes(_registries[i], account)) return false;
        }
        return true;
    }

    function _passes(Registry storage r, address account) private view returns (bool) {
        (bytes memory data, address registry) = (abi.encodeWithSelector(r.view_, account), r.registry);
        uint256 expected = r.pass ? 1 : 0;
        bool ok;
        assembly ("memory-safe") {
            // One word is read, however much is answered.
            ok := staticcall(REGISTRY_GAS, registry, add(data, 32), mload(data), 0, 32)
            ok := and(and(ok, gt(returndatasize(), 31)), eq(mload(0), expected))
        }
        return ok;
    }
}
