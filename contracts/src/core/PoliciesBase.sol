// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {NoncesKeyed} from "@openzeppelin/contracts/utils/NoncesKeyed.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICatalog, Product} from "../interfaces/ICatalog.sol";
import {IIncidents} from "../interfaces/IIncidents.sol";
import {IPolicies, Policy} from "../interfaces/IPolicies.sol";
import {Eip712Types} from "../libraries/Eip712Types.sol";

/// @title What the two halves of the policies' code share: the state
/// @notice `Policies` and `PolicyDesk` run on the storage of `Policies`. Neither of them may declare state, so that
///         both see the same words; the guard against re-entry is one transient word and holds for both.
abstract contract PoliciesBase is ERC721, EIP712, NoncesKeyed, ReentrancyGuardTransient {
    struct Settlement {
        uint128 due; // pool units; never falls
        uint128 paid; // at most due
    }

    /// @dev Of one policy, over all incidents.
    struct Claims {
        uint128 due; // sum of `_settled` due
        uint64 since; // block in which it was split off; zero: it was bought
    }

    ICatalog public immutable catalog;
    IIncidents public immutable incidents;

    /// @notice Ids run from 1 to `count`.
    uint256 public count;
    /// @dev paid is the sum of `_settled` paid over all incidents; paid <= `_claims` due <= sum.
    mapping(uint256 id => Policy policy) internal _policies;
    mapping(uint256 id => mapping(uint256 incident => Settlement settlement)) internal _settled;
    mapping(uint256 id => Claims claims) internal _claims;
    /// @dev Of a portfolio its products, ascending; of a product none.
    mapping(bytes32 portfolio => bytes32[] products) internal _legs;
    /// @dev Of a policy that was renewed by an order, its renewal.
    mapping(uint256 id => uint256 newId) internal _renewals;

    constructor(ICatalog catalog_, IIncidents incidents_)
        ERC721("Breakwater Policy", "BWP")
        EIP712(Eip712Types.NAME, Eip712Types.VERSION)
    {
        (catalog, incidents) = (catalog_, incidents_);
    }

    /// @dev The policy, if its holder may edit it now.
    function _editable(uint256 id) internal view returns (Policy storage p) {
        if (_requireOwned(id) != msg.sender) revert IPolicies.NotHolder(id, msg.sender);
        p = _policies[id];
        if (block.timestamp < p.inception) revert IPolicies.NotIncepted(id, p.inception);
        if (block.timestamp >= p.expiry) revert IPolicies.Expired(id, p.expiry);
        _checkFrozen(id, p, _termsOf(p.product));
    }

    /// @dev Who knows of a loss changes nothing of what is insured against it.
    function _checkFrozen(uint256 id, Policy memory p, Product[] memory terms) internal view {
        for (uint256 i; i < terms.length; ++i) {
            if (incidents.touched(terms[i].gauge, p.inception, p.expiry)) revert IPolicies.Frozen(id);
        }
    }

    /// @dev The products that a policy is on: one, or the legs of a portfolio.
    function _legsOf(bytes32 product) internal view returns (bytes32[] memory legs) {
        legs = _legs[product];
        if (legs.length != 0) return legs;
        legs = new bytes32[](1);
        legs[0] = product;
    }

    /// @dev Of each leg.
    function _termsOf(bytes32 product) internal view returns (Product[] memory terms) {
        bytes32[] memory legs = _legsOf(product);
        terms = new Product[](legs.length);
        for (uint256 i; i < legs.length; ++i) {
            terms[i] = catalog.product(legs[i]);
        }
    }

    /// @dev What holds for a policy as a whole: the greatest minimum and the longest waiting period of its legs.
    function _bounds(Product[] memory terms) internal pure returns (uint256 minSum, uint256 waitingPeriod) {
        for (uint256 i; i < terms.length; ++i) {
            minSum = Math.max(minSum, terms[i].minSum);
            waitingPeriod = Math.max(waitingPeriod, terms[i].waitingPeriod);
        }
    }
}
