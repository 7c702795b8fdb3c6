// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IPolicies, Policy} from "./IPolicies.sol";

/// @title What holders do with policies beside buying, giving back and being paid. Part of the policies contract.
interface IPolicyDesk {
    /// @notice `policy` is the new one; its sum and stream rate left the old one, which keeps all else.
    event SplitOff(uint256 indexed id, uint256 indexed newId, Policy policy);

    /// @notice Makes two policies of one: the new one, with `sumOff` of the sum, goes to `to`. What was paid and what is
    ///         due stays with the old one. Only its holder, and only while he could lower it; each part must be worth
    ///         at least the product's minimum.
    function split(uint256 id, uint128 sumOff, address to) external returns (uint256 newId);
}

/// @notice All that the policies contract answers to, beside ERC-721.
interface IWholePolicies is IPolicies, IPolicyDesk {}
