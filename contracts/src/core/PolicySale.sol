// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Product} from "../interfaces/ICatalog.sol";
import {IExtensions} from "../interfaces/IExtensions.sol";
import {IHoldings} from "../interfaces/IHoldings.sol";
import {Rung} from "../interfaces/IIncidents.sol";
import {IPolicies, Policy, Purchase} from "../interfaces/IPolicies.sol";
import {IPool} from "../interfaces/IPool.sol";
import {Eip712Types, PositionConsent} from "../libraries/Eip712Types.sol";
import {Gates} from "../libraries/Gates.sol";
import {PoliciesBase} from "./PoliciesBase.sol";

/// @title Selling policies: who may buy what, for which money
abstract contract PolicySale is PoliciesBase {
    using SafeERC20 for IERC20;

    /// @dev Most of a premium that a distributor may be paid on top of it.
    uint256 public constant MAX_FEE_BPS = 2000;
    uint256 private constant BPS = 10_000;

    /// @dev Sells what `purchase` says to `payer`. A consent of the position is used up under `key`: zero for purchases,
    ///      the policy's id for a renewal, so that it can wait for long and stands in the way of no other.
    function _sell(Purchase memory purchase, address payer, uint192 key) internal returns (uint256 id) {
        bytes32[] memory legs = _legsOf(purchase.product);
        (address asset, uint64 inception) = _checkPurchase(purchase, legs, payer, key);
        // The quote is as of the pool's last accrual, the price as of now.
        IPool(purchase.pool).accrue();
        (uint256 premium, uint256 dearest) = _quote(purchase, legs, inception);
        uint256 fee = premium * purchase.feeBps / BPS;
        if (premium + fee > purchase.maxPremium) {
            revert IPolicies.PremiumAbove(premium + fee, purchase.maxPremium);
        }
        _pay(IERC20(asset), payer, purchase.pool, premium);
        if (legs.length != 1) {
            IPool(purchase.pool).addLegs(legs, dearest, purchase.sum, inception, purchase.expiry);
        }
        uint256 rate =
            IPool(purchase.pool).sell(legs[dearest], purchase.sum, inception, purchase.expiry, premium);

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
            IERC20(asset).safeTransferFrom(payer, purchase.distributor, fee);
        }
        // Without a call to the receiver: a contract that cannot handle tokens still gets its payments.
        _mint(purchase.to, id);
    }

    function _quote(Purchase memory purchase, bytes32[] memory legs, uint64 inception)
        private
        view
        returns (uint256 premium, uint256 dearest)
    {
        if (legs.length == 1) {
            return (IPool(purchase.pool).quote(legs[0], purchase.sum, inception, purchase.expiry), 0);
        }
        return IPool(purchase.pool).quoteLegs(legs, purchase.sum, inception, purchase.expiry);
    }

    function _checkPurchase(Purchase memory purchase, bytes32[] memory legs, address payer, uint192 key)
        private
        returns (address asset, uint64 inception)
    {
        address position = purchase.position;
        if (block.timestamp > purchase.deadline) {
            revert IPolicies.DeadlinePassed(purchase.deadline, block.timestamp);
        }
        if (position == address(0) || purchase.to == address(0)) revert IPolicies.ZeroAddress();
        if (purchase.feeBps > MAX_FEE_BPS) revert IPolicies.FeeTooHigh(MAX_FEE_BPS, purchase.feeBps);
        if (purchase.feeBps != 0 && purchase.distributor == address(0)) revert IPolicies.ZeroAddress();
        if (!catalog.isPool(purchase.pool)) revert IPolicies.NotAPool(purchase.pool);
        Product[] memory terms = new Product[](legs.length);
        for (uint256 i; i < legs.length; ++i) {
            terms[i] = catalog.product(legs[i]);
            if (terms[i].unitDen == 0) revert IPolicies.UnknownProduct(legs[i]);
            if (terms[i].registrant != address(0) && position != terms[i].registrant) {
                revert IPolicies.NotRegistrant(terms[i].registrant, position);
            }
        }
        (uint256 least, uint256 wait) = _bounds(terms);
        if (purchase.sum < least) revert IPolicies.SumBelowMinimum(purchase.sum, least);
        if (position != payer) _useConsent(purchase, payer, key);
        // All legs have one asset.
        asset = terms[0].asset;
        address ofPool = IPool(purchase.pool).asset();
        if (ofPool != asset) revert IPolicies.WrongAsset(asset, ofPool);
        for (uint256 i; i < legs.length; ++i) {
            _checkOnSale(terms[i].gauge);
        }
        inception = uint64(block.timestamp + wait);
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
}
