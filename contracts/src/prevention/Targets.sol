// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IBreaker, IPausable} from "../interfaces/IBreaker.sol";

/// @title How the breaker meets contracts that are not ours
/// @notice Nothing of what they answer is trusted further than themselves, and no length of it costs us anything.
library Targets {
    /// @dev Gas that `pause` and `unpause` get.
    uint256 internal constant CALL_GAS = 500_000;
    /// @dev What a call itself costs, and what is left to do after it.
    uint256 private constant REST_GAS = 100_000;

    /// @notice Whether `account` is the target, or what it names as owner or authority, or has its default admin role.
    function speaksFor(address target, address account) internal view returns (bool) {
        uint256 word = uint160(account);
        return account == target || _answers(target, abi.encodeCall(Ownable.owner, ()), word)
            || _answers(target, abi.encodeCall(IAccessManaged.authority, ()), word)
            || _answers(target, abi.encodeCall(IAccessControl.hasRole, (bytes32(0), account)), 1);
    }

    /// @notice Calls `pause` or `unpause` with exactly `CALL_GAS`, so that whoever sends the transaction cannot make
    ///         it fail.
    /// @return success whether it did not revert.
    /// @return reason first four bytes of what it reverted with.
    function call(address target, bool pause) internal returns (bool success, bytes4 reason) {
        uint256 need = CALL_GAS * 64 / 63 + REST_GAS;
        if (gasleft() < need) revert IBreaker.NotEnoughGas(need, gasleft());
        // An account without code would take any call for done.
        if (target.code.length == 0) return (false, 0);
        uint256 gasLimit = CALL_GAS;
        bytes memory data =
            pause ? abi.encodeCall(IPausable.pause, ()) : abi.encodeCall(IPausable.unpause, ());
        bytes32 head;
        assembly ("memory-safe") {
            mstore(0, 0)
            success := call(gasLimit, target, 0, add(data, 32), mload(data), 0, 4)
            head := mload(0)
        }
        if (!success) reason = bytes4(head);
    }

    /// @dev Exactly one word, and this one.
    function _answers(address target, bytes memory data, uint256 expected) private view returns (bool same) {
        assembly ("memory-safe") {
            let success := staticcall(gas(), target, add(data, 32), mload(data), 0, 32)
            same := and(success, and(eq(returndatasize(), 32), eq(mload(0), expected)))
        }
    }
}
