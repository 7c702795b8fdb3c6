// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {RenewalOrder} from "../libraries/Eip712Types.sol";
import {IPolicies, Policy} from "./IPolicies.sol";

/// @title What holders do with policies beside buying, giving back and being paid. Part of the policies contract.
interface IPolicyDesk {
    /// @notice `policy` is the new one; its sum and stream rate left the old one, which keeps all else.
    event SplitOff(uint256 indexed id, uint256 indexed newId, Policy policy);
    /// @notice The holder's order was executed by `executor`, who got `tip` of him; the purchase has its own event.
    event Renewed(uint256 indexed id, uint256 indexed newId, address indexed executor, uint256 tip);
    /// @notice What `account` signed for a renewal of `id` under `nonce` holds no more.
    event RenewalCancelled(uint256 indexed id, address indexed account, uint256 nonce);

    /// @notice `id` names `products` from now on, wherever a product is named in a purchase.
    event PortfolioListed(bytes32 indexed id, bytes32[] products);

    error WrongLegCount(uint256 most, uint256 got);
    /// @notice Not strictly above the product before it.
    error LegsNotAscending(bytes32 product);
    /// @notice Two legs are on it.
    error SameGauge(bytes32 gauge);
    /// @notice All legs have the report window of the first.
    error WrongReportWindow(uint256 expected, uint256 got);
    error LegTakesSalvage(bytes32 product);
    /// @notice The holder of the policy has not signed this order.
    error NotOrdered(uint256 id, address holder);
    /// @notice An order for the policy was executed; `newId` is its renewal.
    error AlreadyRenewed(uint256 id, uint256 newId);
    error LeadTooLong(uint256 most, uint256 got);
    /// @notice The renewal would begin at `inception`, too early for the order or after the end of the policy.
    error NotRenewable(uint256 inception, uint256 least, uint256 most);

    /// @notice Makes two policies of one: the new one, with `sumOff` of the sum, goes to `to`. What was paid and what is
    ///         due stays with the old one. Only its holder, and only while he could lower it; each part must be worth
    ///         at least the product's minimum.
    function split(uint256 id, uint128 sumOff, address to) external returns (uint256 newId);

    /// @notice Buys for the holder of a policy, with his money, what his signed order says: a further policy on the same
    ///         product, pool and position, for the lesser of the order's sum and what is left of the policy's. By anyone,
    ///         once for each policy, while the new inception, one waiting period from now, is at most the order's lead
    ///         before the old expiry and not after it, and no incident touches the policy.
    /// @dev Order and consent carry the keyed nonces of their signers, the policy's id being the key.
    /// @param consent of the position account, with the holder as buyer and the order's deadline; empty if it is the holder.
    function renew(RenewalOrder calldata order, bytes calldata signature, bytes calldata consent)
        external
        returns (uint256 newId);
    /// @notice Takes back what the caller signed for a renewal of `id`, as its holder or as its position account.
    function cancelRenewal(uint256 id) external;
    /// @notice Makes one thing to buy of 2 to 8 products: a policy on it pays for each of them out of one sum. They are
    ///         ascending, of one asset and one report window, each on a gauge of its own, and take no salvage. By anyone;
    ///         the id is keccak256(abi.encode(products)), and a second time it changes nothing.
    function listPortfolio(bytes32[] calldata products) external returns (bytes32 id);
    /// @notice The products of a portfolio; none of anything else.
    function legsOf(bytes32 portfolio) external view returns (bytes32[] memory);
    /// @notice What `tokenURI` answers for a policy on a portfolio.
    function portfolioURI(uint256 id) external view returns (string memory);
    /// @notice The policy that renewed `id` by an order, or zero.
    function renewal(uint256 id) external view returns (uint256 newId);
}

/// @notice All that the policies contract answers to, beside ERC-721.
interface IWholePolicies is IPolicies, IPolicyDesk {}
