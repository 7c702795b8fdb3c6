// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICatalog, Product} from "../interfaces/ICatalog.sol";
import {IPolicies, Purchase} from "../interfaces/IPolicies.sol";
import {IPool} from "../interfaces/IPool.sol";
import {IPoolDesk, Offer} from "../interfaces/IPoolDesk.sol";
import {IRouter, Order} from "../interfaces/IRouter.sol";
import {Split} from "../libraries/Split.sol";

/// @title Router
/// @notice Holds money only within one call, and nobody's tokens at any time.
contract Router is IRouter, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    uint256 public constant MAX_POOLS = 8;

    ICatalog public immutable catalog;
    IPolicies public immutable policies;

    constructor(ICatalog catalog_, IPolicies policies_) {
        (catalog, policies) = (catalog_, policies_);
    }

    /// @inheritdoc IRouter
    function buy(Order calldata order) external nonReentrant returns (uint256[] memory ids) {
        _checkLengths(order);
        IERC20 asset = IERC20(catalog.product(order.product).asset);
        uint256 before = asset.balanceOf(address(this));
        asset.safeTransferFrom(msg.sender, address(this), order.maxPremium);
        asset.forceApprove(address(policies), order.maxPremium);
        ids = new uint256[](order.consents.length);
        uint256 part;
        for (uint256 i; i < order.pools.length; ++i) {
            if (order.sums[i] == 0) continue;
            uint256 left = asset.balanceOf(address(this)) - before;
            ids[part] = policies.buy(_purchase(order, i, order.consents[part], left));
            ++part;
        }
        asset.forceApprove(address(policies), 0);
        uint256 unspent = asset.balanceOf(address(this)) - before;
        emit Routed(msg.sender, order.product, ids, order.maxPremium - unspent);
        if (unspent != 0) asset.safeTransfer(msg.sender, unspent);
    }

    /// @inheritdoc IRouter
    function split(bytes32 product, uint256 sum, uint64 expiry, address[] calldata pools)
        external
        view
        returns (uint256[] memory sums, uint256[] memory premiums)
    {
        if (pools.length > MAX_POOLS) revert TooManyPools(MAX_POOLS, pools.length);
        Product memory terms = catalog.product(product);
        Offer[] memory offers = new Offer[](pools.length);
        for (uint256 i; i < pools.length; ++i) {
            if (!catalog.isPool(pools[i])) continue;
            // A pool that refuses to offer sells nothing.
            try IPoolDesk(pools[i]).offer(product) returns (Offer memory offer) {
                offers[i] = offer;
            } catch {}
        }
        Ask memory ask = Ask(product, uint64(block.timestamp + terms.waitingPeriod), expiry, terms.minSum);
        sums = Split.parts(offers, sum, ask.least);
        uint256 cost;
        (premiums, cost) = _quotes(ask, pools, sums);
        // The smallest part that a pool sells bends the rule of equal prices; the plain ways are tried beside it.
        for (uint256 i; i <= pools.length; ++i) {
            uint256[] memory other =
                i < pools.length ? _single(offers, sum, i) : _equal(offers, sum, ask.least);
            if (other.length == 0) continue;
            (uint256[] memory otherPremiums, uint256 otherCost) = _quotes(ask, pools, other);
            if (otherCost < cost) (sums, premiums, cost) = (other, otherPremiums, otherCost);
        }
    }

    struct Ask {
        bytes32 product;
        uint64 inception;
        uint64 expiry;
        uint256 least;
    }

    function _quotes(Ask memory ask, address[] calldata pools, uint256[] memory sums)
        private
        view
        returns (uint256[] memory premiums, uint256 cost)
    {
        premiums = new uint256[](pools.length);
        for (uint256 i; i < pools.length; ++i) {
            if (sums[i] == 0) continue;
            // A part is at most what the pool offered, which has 128 bits.
            premiums[i] = IPool(pools[i]).quote(ask.product, uint128(sums[i]), ask.inception, ask.expiry);
            cost += premiums[i];
        }
    }

    /// @dev All of it from one pool; nothing if that pool does not hold it.
    function _single(Offer[] memory offers, uint256 sum, uint256 index)
        private
        pure
        returns (uint256[] memory sums)
    {
        if (offers[index].most < sum) return sums;
        sums = new uint256[](offers.length);
        sums[index] = sum;
    }

    /// @dev Equal parts, the first with the remainder; nothing if some pool does not hold or sell its part.
    function _equal(Offer[] memory offers, uint256 sum, uint256 least)
        private
        pure
        returns (uint256[] memory sums)
    {
        uint256 count = offers.length;
        uint256[] memory parts = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            parts[i] = sum / count + (i == 0 ? sum % count : 0);
            if (parts[i] < least || parts[i] > offers[i].most) return sums;
        }
        return parts;
    }

    function _purchase(Order calldata order, uint256 index, bytes calldata consent, uint256 left)
        private
        view
        returns (Purchase memory)
    {
        return Purchase({
            product: order.product,
            pool: order.pools[index],
            position: msg.sender,
            sum: order.sums[index],
            expiry: order.expiry,
            maxPremium: left,
            deadline: order.deadline,
            to: msg.sender,
            consent: consent,
            distributor: order.distributor,
            feeBps: order.feeBps
        });
    }

    function _checkLengths(Order calldata order) private pure {
        uint256 count = order.pools.length;
        if (count > MAX_POOLS) revert TooManyPools(MAX_POOLS, count);
        if (order.sums.length != count) revert WrongLength(count, order.sums.length);
        uint256 parts;
        for (uint256 i; i < count; ++i) {
            if (order.sums[i] != 0) ++parts;
        }
        if (order.consents.length != parts) revert WrongLength(parts, order.consents.length);
    }
}
