// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ICatalog, Product} from "../interfaces/ICatalog.sol";
import {IIncidents} from "../interfaces/IIncidents.sol";
import {IPolicies, Policy, Purchase} from "../interfaces/IPolicies.sol";
import {IPolicyDesk} from "../interfaces/IPolicyDesk.sol";
import {Eip712Types, RenewalOrder} from "../libraries/Eip712Types.sol";
import {PoliciesBase} from "./PoliciesBase.sol";

/// @title PolicyDesk
/// @notice What holders do beside buying, giving back and being paid. `Policies` lends it its storage by
///         `delegatecall`. Called directly it changes nothing: on its own storage there are no policies.
contract PolicyDesk is PoliciesBase, IPolicyDesk {
    using SafeERC20 for IERC20;

    /// @dev A renewal that begins earlier than this before the end would charge twice for the time between.
    uint256 public constant MAX_LEAD = 7 days;

    constructor(ICatalog catalog_, IIncidents incidents_) PoliciesBase(catalog_, incidents_) {}

    /// @inheritdoc IPolicyDesk
    function split(uint256 id, uint128 sumOff, address to) external nonReentrant returns (uint256 newId) {
        Policy storage p = _editable(id);
        uint128 sum = p.sum;
        uint256 least = catalog.product(p.product).minSum;
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
        Product memory terms = catalog.product(p.product);
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
        if (order.tip != 0) IERC20(terms.asset).safeTransferFrom(holder, msg.sender, order.tip);
    }

    /// @inheritdoc IPolicyDesk
    function cancelRenewal(uint256 id) external {
        emit RenewalCancelled(id, msg.sender, _useNonce(msg.sender, uint192(id)));
    }

    /// @inheritdoc IPolicyDesk
    function renewal(uint256 id) external view returns (uint256) {
        return _renewals[id];
    }

    /// @dev Gapless, not much earlier than it must be, and not bought for what is already known to come.
    function _checkRenewable(RenewalOrder calldata order, Policy memory p, Product memory terms)
        private
        view
    {
        if (order.lead > MAX_LEAD) revert LeadTooLong(MAX_LEAD, order.lead);
        uint256 inception = block.timestamp + terms.waitingPeriod;
        if (inception > p.expiry || inception + order.lead < p.expiry) {
            revert NotRenewable(inception, Math.saturatingSub(p.expiry, order.lead), p.expiry);
        }
        if (incidents.touched(terms.gauge, p.inception, p.expiry)) revert IPolicies.Frozen(order.policy);
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
