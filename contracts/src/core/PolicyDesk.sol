// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ICatalog, Product} from "../interfaces/ICatalog.sol";
import {IIncidents} from "../interfaces/IIncidents.sol";
import {IPolicies, Policy, Purchase} from "../interfaces/IPolicies.sol";
import {IPolicyDesk} from "../interfaces/IPolicyDesk.sol";
import {Eip712Types, RenewalOrder} from "../libraries/Eip712Types.sol";
import {Leg} from "../interfaces/IWording.sol";
import {PoliciesBase} from "./PoliciesBase.sol";
import {PolicySale} from "./PolicySale.sol";

/// @title PolicyDesk
/// @notice Sales, and what holders do beside giving back and being paid. `Policies` lends it its storage by
///         `delegatecall`. Called directly it changes nothing: on its own storage there are no policies.
contract PolicyDesk is PolicySale, IPolicyDesk {
    using SafeERC20 for IERC20;

    /// @dev A renewal that begins earlier than this before the end would charge twice for the time between.
    uint256 public constant MAX_LEAD = 7 days;
    /// @dev Every sale, edit and payment of a portfolio walks all of them.
    uint256 public constant MAX_LEGS = 8;

    constructor(ICatalog catalog_, IIncidents incidents_) PoliciesBase(catalog_, incidents_) {}

    /// @notice See `IPolicies.buy`.
    function buy(Purchase calldata purchase) external nonReentrant returns (uint256) {
        return _sell(purchase, msg.sender, 0);
    }

    /// @notice See `IPolicies.buyWithPermit`.
    function buyWithPermit(
        Purchase calldata purchase,
        uint256 value,
        uint256 permitDeadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant returns (uint256) {
        address asset = catalog.product(_legsOf(purchase.product)[0]).asset;
        // Someone may have sent the permit on already; the allowance then stands, and if not, the transfer fails.
        try IERC20Permit(asset).permit(msg.sender, address(this), value, permitDeadline, v, r, s) {} catch {}
        return _sell(purchase, msg.sender, 0);
    }

    /// @inheritdoc IPolicyDesk
    function split(uint256 id, uint128 sumOff, address to) external nonReentrant returns (uint256 newId) {
        Policy storage p = _editable(id);
        uint128 sum = p.sum;
        (uint256 least,) = _bounds(_termsOf(p.product));
        uint256 left = Math.saturatingSub(sum - _claims[id].due, sumOff);
        if (sumOff < least) revert IPolicies.SumBelowMinimum(sumOff, least);
        if (left < least) revert IPolicies.SumBelowMinimum(left, least);
        Policy memory part = p;
        // Rounded down: what is due is used up in the old policy alone, and its refunds are cut for it.
        (part.sum, part.paid, part.streamRate) = (sumOff, 0, Math.mulDiv(p.streamRate, sumOff, sum));
        p.sum = sum - sumOff;
        p.streamRate -= part.streamRate;
        newId = ++count;
        _policies[newId] = part;
        _claims[newId].since = uint64(block.number);
        emit SplitOff(id, newId, part);
        _mint(to, newId);
    }

    /// @inheritdoc IPolicyDesk
    function renew(RenewalOrder calldata order, bytes calldata signature, bytes calldata consent)
        external
        nonReentrant
        returns (uint256 newId)
    {
        uint256 id = order.policy;
        address holder = _requireOwned(id);
        Policy memory p = _policies[id];
        if (_renewals[id] != 0) revert AlreadyRenewed(id, _renewals[id]);
        Product[] memory terms = _termsOf(p.product);
        _checkRenewable(order, p, terms);
        _useOrder(order, holder, signature);
        if (order.tip > order.maxPremium) revert IPolicies.PremiumAbove(order.tip, order.maxPremium);
        newId = _sell(
            Purchase({
                product: p.product,
                pool: p.pool,
                position: p.position,
                sum: uint128(Math.min(order.sum, p.sum - _claims[id].due)),
                expiry: p.expiry + order.term,
                maxPremium: order.maxPremium - order.tip,
                deadline: order.deadline,
                to: holder,
                consent: consent,
                distributor: order.distributor,
                feeBps: order.feeBps
            }),
            holder,
            uint192(id)
        );
        _renewals[id] = newId;
        emit Renewed(id, newId, msg.sender, order.tip);
        if (order.tip != 0) IERC20(terms[0].asset).safeTransferFrom(holder, msg.sender, order.tip);
    }

    /// @inheritdoc IPolicyDesk
    function cancelRenewal(uint256 id) external {
        emit RenewalCancelled(id, msg.sender, _useNonce(msg.sender, uint192(id)));
    }

    /// @inheritdoc IPolicyDesk
    function renewal(uint256 id) external view returns (uint256) {
        return _renewals[id];
    }

    /// @inheritdoc IPolicyDesk
    function listPortfolio(bytes32[] calldata products) external returns (bytes32 id) {
        uint256 size = products.length;
        if (size < 2 || size > MAX_LEGS) revert WrongLegCount(MAX_LEGS, size);
        id = keccak256(abi.encode(products));
        if (_legs[id].length != 0) return id;
        Product[] memory terms = new Product[](size);
        for (uint256 i; i < size; ++i) {
            terms[i] = catalog.product(products[i]);
            if (terms[i].unitDen == 0) revert IPolicies.UnknownProduct(products[i]);
            _checkLeg(products, terms, i);
        }
        _legs[id] = products;
        emit PortfolioListed(id, products);
    }

    /// @inheritdoc IPolicyDesk
    function legsOf(bytes32 portfolio) external view returns (bytes32[] memory) {
        return _legs[portfolio];
    }

    /// @inheritdoc IPolicyDesk
    function portfolioURI(uint256 id) external view returns (string memory) {
        _requireOwned(id);
        Policy memory p = _policies[id];
        bytes32[] memory legs = _legsOf(p.product);
        Leg[] memory shown = new Leg[](legs.length);
        for (uint256 i; i < legs.length; ++i) {
            Product memory terms = catalog.product(legs[i]);
            shown[i] = Leg(terms, catalog.gaugeInfo(terms.gauge), catalog.wordingHash(legs[i]));
        }
        return catalog.renderer().portfolioURI(id, p, shown);
    }

    /// @dev Each gauge once: what it measures would else be due twice out of one sum. One report window, so that the
    ///      pool's exposure ends on one day whichever leg is paid.
    function _checkLeg(bytes32[] calldata products, Product[] memory terms, uint256 i) private pure {
        Product memory leg = terms[i];
        // Tokens are assigned for one product of a policy.
        if (leg.salvage != address(0)) revert LegTakesSalvage(products[i]);
        if (i == 0) return;
        if (products[i] <= products[i - 1]) revert LegsNotAscending(products[i]);
        if (leg.asset != terms[0].asset) revert IPolicies.WrongAsset(terms[0].asset, leg.asset);
        if (leg.reportWindow != terms[0].reportWindow) {
            revert WrongReportWindow(terms[0].reportWindow, leg.reportWindow);
        }
        for (uint256 j; j < i; ++j) {
            if (terms[j].gauge == leg.gauge) revert SameGauge(leg.gauge);
        }
    }

    /// @dev Gapless, not much earlier than it must be, and not bought for what is already known to come.
    function _checkRenewable(RenewalOrder calldata order, Policy memory p, Product[] memory terms)
        private
        view
    {
        if (order.lead > MAX_LEAD) revert LeadTooLong(MAX_LEAD, order.lead);
        (, uint256 wait) = _bounds(terms);
        uint256 inception = block.timestamp + wait;
        if (inception > p.expiry || inception + order.lead < p.expiry) {
            revert NotRenewable(inception, Math.saturatingSub(p.expiry, order.lead), p.expiry);
        }
        _checkFrozen(order.policy, p, terms);
    }

    /// @dev An order is its holder's for one policy: who was holder when he signed it orders nothing any more.
    function _useOrder(RenewalOrder calldata order, address holder, bytes calldata signature) private {
        uint256 nonce = _useNonce(holder, uint192(order.policy));
        if (order.nonce != nonce) revert InvalidAccountNonce(holder, nonce);
        bytes32 digest = _hashTypedDataV4(Eip712Types.hash(order));
        if (!SignatureChecker.isValidSignatureNowCalldata(holder, digest, signature)) {
            revert NotOrdered(order.policy, holder);
        }
    }
}
