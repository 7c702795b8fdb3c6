// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Status} from "./IIncidents.sol";

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
    address distributor; // is paid the fee; zero: nobody
    uint16 feeBps; // of the premium and on top of it, at most 2_000; both together at most maxPremium
}

/// @title Policies: ERC-721 cover, bought, moved, lowered, cancelled and settled.
interface IPolicies {
    event Bought(
        uint256 indexed id, bytes32 indexed product, address indexed pool, Policy policy, uint256 premium
    );
    /// @notice Paid by the buyer on top of the premium, at once.
    event Distributed(uint256 indexed id, address indexed distributor, uint256 fee);
    event Lowered(uint256 indexed id, uint256 sum, uint256 refund);
    event Cancelled(uint256 indexed id, uint256 refund);
    event Settled(
        uint256 indexed id, uint256 indexed incident, uint256 lost, uint256 due, uint256 paid, address settler
    );
    /// @notice `settleBatch` passed over a policy; `reason` is what `settle` reverts with, error and arguments.
    event Skipped(uint256 indexed id, uint256 indexed incident, bytes reason);

    error DeadlinePassed(uint256 deadline, uint256 time);
    error ZeroAddress();
    error NotAPool(address pool);
    error UnknownProduct(bytes32 product);
    error WrongAsset(address expected, address got);
    /// @notice Protocol cover is for the registrant alone.
    error NotRegistrant(address expected, address got);
    /// @notice A trigger's feeds are dead or too near the strike, or its canary is; or no rung watches it.
    error SalesClosed(bytes32 trigger);
    error SumBelowMinimum(uint256 sum, uint256 minimum);
    /// @notice The position account is not the caller and has not signed for this purchase.
    error NoConsent(address position);
    error FeeTooHigh(uint256 most, uint256 got);
    /// @notice Premium and fee together.
    error PremiumAbove(uint256 premium, uint256 maximum);
    /// @notice The pool received another amount than was sent: the asset takes a fee.
    error WrongTransfer(uint256 expected, uint256 got);
    error NotHolder(uint256 id, address caller);
    error NotIncepted(uint256 id, uint256 inception);
    error Expired(uint256 id, uint256 expiry);
    /// @notice An incident touches the policy and its claims are open.
    error Frozen(uint256 id);
    error NotLower(uint256 newSum, uint256 sum);
    /// @notice Something is due and not yet paid, so the token must live on.
    error StillOwed(uint256 id, uint256 due, uint256 paid);
    error UnknownIncident(uint256 incident);
    error WrongGauge(bytes32 expected, bytes32 got);
    error IncidentNotOpen(uint256 incident, Status status);
    error NotTouched(uint256 id, uint256 incident);
    error StillDwelling(uint256 incident, uint256 dwellEnd);
    error ClaimsOver(uint256 incident, uint256 claimsEnd);
    error NothingToPay(uint256 id, uint256 incident);
    error NotSelf(address caller);

    function buy(Purchase calldata purchase) external returns (uint256 id);
    function buyWithPermit(
        Purchase calldata purchase,
        uint256 value,
        uint256 permitDeadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint256 id);
    function lower(uint256 id, uint128 newSum) external returns (uint256 refund);
    function cancel(uint256 id) external returns (uint256 refund);
    /// @notice Settles policies against one incident. A policy that cannot be settled is skipped with an event
    ///         by `settleBatch` and reverts in `settle`. Payment goes to the holder, whoever calls.
    function settle(uint256 id, uint256 incident) external returns (uint256 paid);
    function settleBatch(uint256[] calldata ids, uint256 incident) external returns (uint256 paid);
    /// @notice What a policy is due for an incident and what of it has been paid, in pool units.
    function settlement(uint256 id, uint256 incident) external view returns (uint128 due, uint128 paid);
    function policy(uint256 id) external view returns (Policy memory);
}
