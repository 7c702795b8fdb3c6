// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IGate} from "../interfaces/IGate.sol";

/// @title Asks a gate
library Gates {
    /// @dev Enough for registries behind proxies; what takes more counts as no.
    uint256 internal constant GAS = 250_000;

    /// @notice The gate of a pool does not let the account in, or fails.
    error NotAllowed(address gate, address account, bytes4 action);

    /// @notice Refuses an account that the gate does not let in; zero lets in everyone.
    function check(address gate, address account, bytes4 action) internal view {
        if (gate == address(0)) return;
        bytes memory data = abi.encodeCall(IGate.allowed, (account, action));
        bool ok;
        assembly ("memory-safe") {
            // One word is read, however much is answered; anything but one is no.
            ok := staticcall(GAS, gate, add(data, 32), mload(data), 0, 32)
            ok := and(and(ok, gt(returndatasize(), 31)), eq(mload(0), 1))
        }
        if (!ok) revert NotAllowed(gate, account, action);
    }
}
