// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

struct Policy {
    bytes32 product;
    address pool;
    address position; // the account whose loss is covered; never the owner of the token
    uint128 sum; // sum insured, pool units
    uint128 paid; // over all incidents, at most sum
    uint64 purchased; // seconds
    uint64 inception;
    uint64 expiry; // a multiple of one day, UTC
    uint256 streamRate; // pool units * 1e18 per second still streaming
}

struct Purchase {
    bytes32 product;
    address pool;
    address position;
    uint128 sum;
    uint64 expiry;
    uint256 maxPremium;
    uint64 deadline; // seconds
    address to; // receives the token
    bytes consent; // of the position account: empty if it is msg.sender
}

/// @title Policies: ERC-721 cover, bought, moved, lowered, cancelled and settled.
interface IPolicies {
    event Bought(uint256 indexed id, bytes32 indexed product, address indexed pool, Policy policy, uint256 premium);
    event Lowered(uint256 indexed id, uint256 sum, uint256 refund);
    event Cancelled(uint256 indexed id, uint256 refund);
    event Settled(uint256 indexed id, uint256 indexed incident, uint256 lost, uint256 due, uint256 paid, address settler);

    function buy(Purchase calldata purchase) external returns (uint256 id);
    function buyWithPermit(Purchase calldata purchase, uint256 value, uint256 permitDeadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (uint256 id);
    function lower(uint256 id, uint128 newSum) external returns (uint256 refund);
    function cancel(uint256 id) external returns (uint256 refund);
    /// @notice Settles policies against one incident. A policy that cannot be settled is skipped with an event
    ///         by `settleBatch` and reverts in `settle`. Payment goes to the holder, whoever calls.
    function settle(uint256 id, uint256 incident) external returns (uint256 paid);
    function settleBatch(uint256[] calldata ids, uint256 incident) external returns (uint256 paid);
    function policy(uint256 id) external view returns (Policy memory);
}
