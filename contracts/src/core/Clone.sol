// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title Code that only clones of it run
/// @notice The contract that holds the code has no arguments and serves nobody.
abstract contract Clone {
    /// @dev In the code, so every clone, and a contract that lends its code to one, knows whose code it runs.
    address private immutable _code = address(this);

    /// @notice Called at the address of the code itself and not through a clone.
    error NotAClone();

    function _onlyClone() internal view {
        if (address(this) == _code) revert NotAClone();
    }
}
