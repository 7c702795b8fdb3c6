// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title A gate: who may buy cover of a pool and who may deposit into it
/// @notice Asked before money comes in and never after: nothing stands between a holder and what is owed to him, nor
///         between an underwriter and the queue. A list, an identity registry or a sanctions registry answers it.
interface IGate {
    /// @param action the selector of `IPolicies.buy` (asked for buyer and holder) or `IERC7540Deposit.requestDeposit` (asked
    ///        for who pays in)
    function allowed(address account, bytes4 action) external view returns (bool);
}
