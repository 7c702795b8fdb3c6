// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ICatalog, Product} from "./ICatalog.sol";
import {Times} from "./ILadder.sol";
import {Policy} from "./IPolicies.sol";

/// @notice One product of a portfolio.
struct Leg {
    Product terms;
    ICatalog.GaugeInfo gauge;
    bytes32 wordingHash;
}

/// @title Renders what a product says in plain language, and what a policy looks like
/// @dev Pure apart from the decimals and symbol of the asset, which it asks the asset for.
interface IWording {
    /// @notice The delays that the text names, which the incidents take from here.
    function times() external view returns (Times memory);
    /// @notice The terms as Markdown text, rendered from the product's own parameters.
    function wording(Product calldata terms, ICatalog.GaugeInfo calldata gauge)
        external
        view
        returns (string memory);
    /// @notice ERC-721 metadata of a policy as a data URI: JSON with attributes and the certificate.
    function tokenURI(
        uint256 id,
        Policy calldata policy,
        Product calldata terms,
        ICatalog.GaugeInfo calldata gauge,
        bytes32 wordingHash
    ) external view returns (string memory);
    /// @notice The same of a policy on a portfolio; 2 to 8 legs.
    function portfolioURI(uint256 id, Policy calldata policy, Leg[] calldata legs)
        external
        view
        returns (string memory);
}
