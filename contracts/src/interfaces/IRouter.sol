// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @notice One purchase in parts. The caller is buyer, holder and position account.
struct Order {
    bytes32 product;
    address[] pools; // at most 8
    uint128[] sums; // one for each pool; zero: nothing is bought there
    uint64 expiry;
    uint256 maxPremium; // all premiums and fees together
    uint64 deadline; // seconds
    bytes[] consents; // for each part that is bought, in their order; see `IRouter.buy`
    address distributor; // as in a `Purchase`
    uint16 feeBps;
}

/// @title Router: buys one product from several pools at once
interface IRouter {
    event Routed(address indexed buyer, bytes32 indexed product, uint256[] ids, uint256 spent);

    error TooManyPools(uint256 most, uint256 got);
    /// @notice Not one sum for each pool, or one consent for each part.
    error WrongLength(uint256 expected, uint256 got);

    /// @notice How a purchase is cheapest over `pools`, as of their last accruals: parts at equal marginal prices, or
    ///         a single pool or equal parts where these are cheaper. Pools that sell nothing get nothing.
    /// @return sums one for each pool, zero or at least the product's minimum, `sum` together
    /// @return premiums one for each pool, without fees
    function split(bytes32 product, uint256 sum, uint64 expiry, address[] calldata pools)
        external
        view
        returns (uint256[] memory sums, uint256[] memory premiums);

    /// @notice Takes `maxPremium`, buys all parts or none, and returns what was not spent. The tokens go to the caller.
    /// @dev The policies contract sees this contract as the buyer, so the caller, whose position is insured, signs one
    ///      consent for each part, with this contract as buyer, the order's deadline, and nonces one after another.
    ///      Nobody but the position account itself can use them here.
    function buy(Order calldata order) external returns (uint256[] memory ids);
}
