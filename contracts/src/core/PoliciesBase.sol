// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {NoncesKeyed} from "@openzeppelin/contracts/utils/NoncesKeyed.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICatalog, Product} from "../interfaces/ICatalog.sol";
import {IExtensions} from "../interfaces/IExtensions.sol";
import {IHoldings} from "../interfaces/IHoldings.sol";
import {IIncidents, Rung} from "../interfaces/IIncidents.sol";
import {IPolicies, Policy, Purchase} from "../interfaces/IPolicies.sol";
import {IPool} from "../interfaces/IPool.sol";
import {Eip712Types, PositionConsent} from "../libraries/Eip712Types.sol";
import {Gates} from "../libraries/Gates.sol";

/// @title What the two halves of the policies' code share: the state
/// @notice `Policies` and `PolicyDesk` run on the storage of `Policies`. Neither of them may declare state, so that
///         both see the same words; the guard against re-entry is one transient word and holds for both.
abstract contract PoliciesBase is ERC721, EIP712, NoncesKeyed, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    struct Settlement {
        uint128 due; // pool units; never falls
        uint128 paid; // at most due
    }

    /// @dev Of one policy, over all incidents.
    struct Claims {
        uint128 due; // sum of `_settled` due
        uint64 since; // block in which it was split off; zero: it was bought
    }

    /// @dev Most of a premium that a distributor may be paid on top of it.
    uint256 public constant MAX_FEE_BPS = 2000;
    uint256 private constant BPS = 10_000;

    ICatalog public immutable catalog;
    IIncidents public immutable incidents;

    /// @notice Ids run from 1 to `count`.
    uint256 public count;
    /// @dev paid is the sum of `_settled` paid over all incidents; paid <= `_claims` due <= sum.
    mapping(uint256 id => Policy policy) internal _policies;
    mapping(uint256 id => mapping(uint256 incident => Settlement settlement)) internal _settled;
    mapping(uint256 id => Claims claims) internal _claims;
    /// @dev Of a policy that was renewed by an order, its renewal.
    mapping(uint256 id => uint256 newId) internal _renewals;

    constructor(ICatalog catalog_, IIncidents incidents_)
        ERC721("Breakwater Policy", "BWP")
        EIP712(Eip712Types.NAME, Eip712Types.VERSION)
    {
        (catalog, incidents) = (catalog_, incidents_);
    }

    /// @dev Sells what `purchase` says to `payer`. A consent of the position is used up under `key`: zero for purchases,
    ///      the policy's id for a renewal, so that it can wait for long and stands in the way of no other.
    function _sell(Purchase memory purchase, address payer, uint192 key) internal returns (uint256 id) {
        Product memory terms = _checkPurchase(purchase, payer, key);
        IPool pool = IPool(purchase.pool);
        uint64 inception = uint64(block.timestamp + terms.waitingPeriod);
        // The quote is as of the pool's last accrual, the price as of now.
        pool.accrue();
        uint256 premium = pool.quote(purchase.product, purchase.sum, inception, purchase.expiry);
        uint256 fee = premium * purchase.feeBps / BPS;
        if (premium + fee > purchase.maxPremium) {
            revert IPolicies.PremiumAbove(premium + fee, purchase.maxPremium);
        }
        _pay(IERC20(terms.asset), payer, purchase.pool, premium);
        uint256 rate = pool.sell(purchase.product, purchase.sum, inception, purchase.expiry, premium);

        id = ++count;
        Policy memory p = Policy({
            product: purchase.product,
            pool: purchase.pool,
            position: purchase.position,
            sum: purchase.sum,
            paid: 0,
            purchased: uint64(block.timestamp),
            inception: inception,
            expiry: purchase.expiry,
            streamRate: rate
        });
        _policies[id] = p;
        emit IPolicies.Bought(id, purchase.product, purchase.pool, p, premium);
        if (fee != 0) {
            emit IPolicies.Distributed(id, purchase.distributor, fee);
            IERC20(terms.asset).safeTransferFrom(payer, purchase.distributor, fee);
        }
        // Without a call to the receiver: a contract that cannot handle tokens still gets its payments.
        _mint(purchase.to, id);
    }

    function _checkPurchase(Purchase memory purchase, address payer, uint192 key)
        private
        returns (Product memory terms)
    {
        address position = purchase.position;
        if (block.timestamp > purchase.deadline) {
            revert IPolicies.DeadlinePassed(purchase.deadline, block.timestamp);
        }
        if (position == address(0) || purchase.to == address(0)) revert IPolicies.ZeroAddress();
        if (purchase.feeBps > MAX_FEE_BPS) revert IPolicies.FeeTooHigh(MAX_FEE_BPS, purchase.feeBps);
        if (purchase.feeBps != 0 && purchase.distributor == address(0)) revert IPolicies.ZeroAddress();
        if (!catalog.isPool(purchase.pool)) revert IPolicies.NotAPool(purchase.pool);
        terms = catalog.product(purchase.product);
        if (terms.unitDen == 0) revert IPolicies.UnknownProduct(purchase.product);
        if (terms.registrant != address(0) && position != terms.registrant) {
            revert IPolicies.NotRegistrant(terms.registrant, position);
        }
        if (purchase.sum < terms.minSum) revert IPolicies.SumBelowMinimum(purchase.sum, terms.minSum);
        if (position != payer) _useConsent(purchase, payer, key);
        address asset = IPool(purchase.pool).asset();
        if (asset != terms.asset) revert IPolicies.WrongAsset(terms.asset, asset);
        _checkOnSale(terms.gauge);
        address gate = IPool(purchase.pool).gate();
        Gates.check(gate, payer, IPolicies.buy.selector);
        Gates.check(gate, purchase.to, IPolicies.buy.selector);
    }

    /// @dev What a machine watches is sold only while its rung sees it healthy: a policy could else not pay, or would be
    ///      bought for what is already seen to come.
    function _checkOnSale(bytes32 gauge) private view {
        uint8 bits = catalog.gaugeInfo(gauge).rungs;
        Rung rung = bits >> uint8(Rung.Feed) & 1 != 0 ? Rung.Feed : Rung.Canary;
        if (bits >> uint8(rung) & 1 == 0) return;
        address[] memory rungs = IExtensions(address(incidents)).rungContracts(rung);
        for (uint256 i; i < rungs.length; ++i) {
            if (IHoldings(rungs[i]).sellable(gauge)) return;
        }
        revert IPolicies.SalesClosed(gauge);
    }

    /// @dev A signature holds for one purchase: its nonce is used up, and it names product, buyer and deadline.
    function _useConsent(Purchase memory purchase, address payer, uint192 key) private {
        address position = purchase.position;
        PositionConsent memory consent = PositionConsent({
            position: position,
            product: purchase.product,
            buyer: payer,
            nonce: _useNonce(position, key),
            deadline: purchase.deadline
        });
        bytes32 digest = _hashTypedDataV4(Eip712Types.hash(consent));
        if (!SignatureChecker.isValidSignatureNow(position, digest, purchase.consent)) {
            revert IPolicies.NoConsent(position);
        }
    }

    function _pay(IERC20 asset, address payer, address pool, uint256 amount) private {
        uint256 before = asset.balanceOf(pool);
        asset.safeTransferFrom(payer, pool, amount);
        uint256 got = asset.balanceOf(pool) - before;
        if (got != amount) revert IPolicies.WrongTransfer(amount, got);
    }

    /// @dev The policy, if its holder may edit it now.
    function _editable(uint256 id) internal view returns (Policy storage p) {
        if (_requireOwned(id) != msg.sender) revert IPolicies.NotHolder(id, msg.sender);
        p = _policies[id];
        if (block.timestamp < p.inception) revert IPolicies.NotIncepted(id, p.inception);
        if (block.timestamp >= p.expiry) revert IPolicies.Expired(id, p.expiry);
        bytes32 gauge = catalog.product(p.product).gauge;
        if (incidents.touched(gauge, p.inception, p.expiry)) revert IPolicies.Frozen(id);
    }
}
