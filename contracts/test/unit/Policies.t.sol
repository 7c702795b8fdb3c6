// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20Errors, IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {Measurement, Rung} from "breakwater/interfaces/IIncidents.sol";
import {IPolicies, Policy, Purchase} from "breakwater/interfaces/IPolicies.sol";
import {Fixture} from "../Fixture.sol";
import {FeeToken, Token} from "../Tokens.sol";

/// @notice A contract account that answers for one key.
contract Wallet is IERC1271 {
    address private immutable _owner;

    constructor(address owner) {
        _owner = owner;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        return ECDSA.recover(hash, signature) == _owner ? this.isValidSignature.selector : bytes4(0);
    }
}

/// @notice Purchase, consent, lowering and cancelling, against the real pool.
contract PoliciesTest is Fixture {
    Pool private pool;
    bytes32 private gauge;
    bytes32 private product;

    function setUp() public override {
        super.setUp();
        gauge = list(vaultSpec());
        product = listProduct(termsFor(gauge));
        pool = makePool(usd, 1_000_000e6);
        underwrite(pool, product, 1_000_000e6);
    }

    function wire(address) internal override {
        address[] memory contracts = new address[](1);
        contracts[0] = address(this);
        incidents.wire(address(policies), contracts, new Rung[](1));
    }

    function _purchase() private view returns (Purchase memory) {
        return purchaseOf(pool, product, alice, 10_000e6);
    }

    /// @dev The caller has money and has allowed the policies contract to take it.
    function _fund(address buyer) private {
        usd.mint(buyer, 1_000_000e6);
        vm.prank(buyer);
        usd.approve(address(policies), type(uint256).max);
    }

    function _refused(address buyer, Purchase memory purchase, bytes memory reason) private {
        _fund(buyer);
        vm.prank(buyer);
        expectRevert(reason);
        policies.buy(purchase);
    }

    function _open() private returns (uint256) {
        uint64 now_ = uint64(block.timestamp);
        uint64 head = uint64(block.number);
        return incidents.open(
            gauge,
            Rung.Proof,
            keeper,
            Measurement(head - 2, head - 1, now_ - 24, now_ - 12, 1_000_000e6, 500_000e6, 0)
        );
    }

    // ----- purchase -----

    function test_buys() public {
        Purchase memory purchase = _purchase();
        purchase.to = bob;
        uint256 inception = block.timestamp + 1 days;
        uint256 premium = pool.quote(product, purchase.sum, uint64(inception), purchase.expiry);
        uint256 held = usd.balanceOf(address(pool));
        uint256 id = buy(purchase);
        assertEq(id, 1);
        assertEq(policies.ownerOf(id), bob);
        assertGt(premium, 0);
        assertEq(usd.balanceOf(address(pool)), held + premium);
        Policy memory p = policies.policy(id);
        assertEq(p.product, product);
        assertEq(p.pool, address(pool));
        assertEq(p.position, alice);
        assertEq(p.sum, 10_000e6);
        assertEq(p.paid, 0);
        assertEq(p.purchased, block.timestamp);
        assertEq(p.inception, inception);
        assertEq(p.expiry, purchase.expiry);
        assertEq(p.streamRate, premium * 1e18 / (purchase.expiry - block.timestamp));
    }

    function test_purchaseHasADeadline() public {
        Purchase memory purchase = _purchase();
        purchase.deadline -= 1;
        _refused(
            alice,
            purchase,
            abi.encodeWithSelector(IPolicies.DeadlinePassed.selector, block.timestamp - 1, block.timestamp)
        );
    }

    function test_purchaseNamesAccounts() public {
        Purchase memory purchase = _purchase();
        purchase.to = address(0);
        _refused(alice, purchase, abi.encodeWithSelector(IPolicies.ZeroAddress.selector));
        purchase = _purchase();
        purchase.position = address(0);
        _refused(alice, purchase, abi.encodeWithSelector(IPolicies.ZeroAddress.selector));
    }

    function test_purchaseNamesAPoolAndAProduct() public {
        Purchase memory purchase = _purchase();
        purchase.pool = keeper;
        _refused(alice, purchase, abi.encodeWithSelector(IPolicies.NotAPool.selector, keeper));
        purchase = _purchase();
        purchase.product = bytes32(uint256(1));
        _refused(
            alice, purchase, abi.encodeWithSelector(IPolicies.UnknownProduct.selector, bytes32(uint256(1)))
        );
        purchase = _purchase();
        Token other = new Token("OTHER", 6);
        purchase.pool = address(makePool(other, 1000e6));
        purchase.deadline = type(uint64).max;
        _refused(
            alice,
            purchase,
            abi.encodeWithSelector(IPolicies.WrongAsset.selector, address(usd), address(other))
        );
    }

    /// @dev Less than the minimum is not worth a settlement: bounty farming with dust.
    function test_purchaseHasAMinimum() public {
        Purchase memory purchase = _purchase();
        purchase.sum = 100e6 - 1;
        _refused(
            alice, purchase, abi.encodeWithSelector(IPolicies.SumBelowMinimum.selector, 100e6 - 1, 100e6)
        );
    }

    function test_purchaseHasAMaximumPremium() public {
        Purchase memory purchase = _purchase();
        uint256 premium = pool.quote(product, purchase.sum, uint64(block.timestamp + 1 days), purchase.expiry);
        purchase.maxPremium = premium - 1;
        _refused(
            alice, purchase, abi.encodeWithSelector(IPolicies.PremiumAbove.selector, premium, premium - 1)
        );
        purchase.maxPremium = premium;
        buy(purchase);
    }

    /// @dev The quote is made after the pool accrued, so that a day without calls changes no price.
    function test_priceIsThatOfNow() public {
        buy(_purchase());
        vm.warp(block.timestamp + 60 days);
        Purchase memory purchase = _purchase();
        buy(purchase);
    }

    function test_feeOnTransferIsRefused() public {
        FeeToken fee = new FeeToken();
        Product memory terms = termsFor(gauge);
        terms.asset = address(fee);
        bytes32 id = listProduct(terms);
        Token plain = new Token("FEE", 18);
        // The pool is made while the token takes no fee, as one that can switch it on would do.
        bytes memory code = address(fee).code;
        vm.etch(address(fee), address(plain).code);
        Pool feePool = makePool(Token(address(fee)), 1_000_000e18);
        underwrite(feePool, id, 1_000_000e18);
        vm.etch(address(fee), code);
        Purchase memory purchase = purchaseOf(feePool, id, alice, 1000e18);
        fee.mint(alice, 1000e18);
        vm.startPrank(alice);
        fee.approve(address(policies), type(uint256).max);
        expectRevert(IPolicies.WrongTransfer.selector);
        policies.buy(purchase);
    }

    function test_protocolCoverIsForTheRegistrant() public {
        Product memory terms = termsFor(gauge);
        (terms.kind, terms.registrant, terms.lossCapBps) = (Kind.Protocol, bob, 9000);
        bytes32 id = listProduct(terms);
        underwrite(pool, id, 100_000e6);
        _refused(
            alice,
            purchaseOf(pool, id, alice, 1000e6),
            abi.encodeWithSelector(IPolicies.NotRegistrant.selector, bob, alice)
        );
        // The registrant signs for whoever pays; without a signature nobody buys in its name.
        _refused(
            alice,
            purchaseOf(pool, id, bob, 1000e6),
            abi.encodeWithSelector(IPolicies.NoConsent.selector, bob)
        );
        buy(purchaseOf(pool, id, bob, 1000e6));
    }

    function test_permitPaysThePremium() public {
        (address buyer, uint256 key) = makeKey("permit");
        usd.mint(buyer, 1_000_000e6);
        Purchase memory purchase = purchaseOf(pool, product, buyer, 10_000e6);
        bytes32 digest = keccak256(
            abi.encodePacked(
                hex"1901",
                usd.DOMAIN_SEPARATOR(),
                keccak256(
                    abi.encode(
                        keccak256(
                            "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                        ),
                        buyer,
                        address(policies),
                        1e12,
                        0,
                        block.timestamp
                    )
                )
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        vm.prank(buyer);
        policies.buyWithPermit(purchase, 1e12, block.timestamp, v, r, s);
        // Used up, as after someone sent it on first: the allowance stands and the purchase goes through.
        vm.prank(buyer);
        policies.buyWithPermit(purchase, 1e12, block.timestamp, v, r, s);
        assertEq(policies.balanceOf(buyer), 2);
        vm.prank(bob);
        expectRevert(IERC20Errors.ERC20InsufficientAllowance.selector);
        policies.buyWithPermit(purchaseOf(pool, product, bob, 10_000e6), 1e12, block.timestamp, v, r, s);
    }

    // ----- consent -----

    function _consent(uint256 key, Purchase memory purchase, address buyer, uint256 nonce)
        private
        view
        returns (bytes memory)
    {
        bytes32 digest = keccak256(
            abi.encodePacked(
                hex"1901",
                policies.DOMAIN_SEPARATOR(),
                keccak256(
                    abi.encode(
                        keccak256(
                            "PositionConsent(address position,bytes32 product,address buyer,uint256 nonce,uint256 deadline)"
                        ),
                        purchase.position,
                        purchase.product,
                        buyer,
                        nonce,
                        uint256(purchase.deadline)
                    )
                )
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev First lister choosing who is covered: nobody is insured without its own consent.
    function test_positionMustConsent() public {
        _refused(bob, _purchase(), abi.encodeWithSelector(IPolicies.NoConsent.selector, alice));
    }

    function test_signatureHoldsForOnePurchase() public {
        (address position, uint256 key) = makeKey("position");
        Purchase memory purchase = purchaseOf(pool, product, position, 10_000e6);
        purchase.deadline = uint64(block.timestamp + 1 days);
        purchase.consent = _consent(key, purchase, bob, 0);
        _fund(bob);
        vm.prank(bob);
        policies.buy(purchase);
        assertEq(policies.nonces(position), 1);
        bytes memory reason = abi.encodeWithSelector(IPolicies.NoConsent.selector, position);
        _refused(bob, purchase, reason);
        purchase.consent = _consent(key, purchase, bob, 1);
        vm.prank(bob);
        policies.buy(purchase);
    }

    function test_signatureNamesBuyerProductDeadlineAndContract() public {
        (address position, uint256 key) = makeKey("position");
        Purchase memory purchase = purchaseOf(pool, product, position, 10_000e6);
        bytes memory reason = abi.encodeWithSelector(IPolicies.NoConsent.selector, position);
        purchase.consent = _consent(key, purchase, bob, 0);
        _refused(keeper, purchase, reason);
        purchase.deadline += 1;
        _refused(bob, purchase, reason);
        purchase.deadline -= 1;
        Product memory terms = termsFor(gauge);
        terms.deductibleBps = 1;
        purchase.product = listProduct(terms);
        _refused(bob, purchase, reason);
        purchase.product = product;
        vm.chainId(77);
        _refused(bob, purchase, reason);
    }

    function test_contractsConsentByERC1271() public {
        (address owner, uint256 key) = makeKey("owner");
        Wallet wallet = new Wallet(owner);
        Purchase memory purchase = purchaseOf(pool, product, address(wallet), 10_000e6);
        purchase.consent = _consent(key, purchase, bob, 0);
        purchase.to = bob;
        _fund(bob);
        vm.prank(bob);
        policies.buy(purchase);
        purchase.consent = _consent(uint256(7), purchase, bob, 1);
        _refused(bob, purchase, abi.encodeWithSelector(IPolicies.NoConsent.selector, address(wallet)));
    }

    // ----- edits -----

    function test_lowersWithARefund() public {
        uint256 id = buy(_purchase());
        uint256 rate = policies.policy(id).streamRate;
        vm.warp(block.timestamp + 10 days);
        uint256 held = usd.balanceOf(alice);
        uint256 left = policies.policy(id).expiry - block.timestamp;
        vm.prank(alice);
        uint256 refund = policies.lower(id, 4000e6);
        assertEq(policies.policy(id).sum, 4000e6);
        uint256 kept = (rate * 4000e6 + 10_000e6 - 1) / 10_000e6;
        assertEq(policies.policy(id).streamRate, kept);
        assertEq(refund, (rate - kept) * left / 1e18);
        assertEq(usd.balanceOf(alice), held + refund);
    }

    /// @dev Cover for the waiting period and a week is earned, whatever happens to the policy.
    function test_firstWeekIsEarned() public {
        uint256 id = buy(_purchase());
        Policy memory p = policies.policy(id);
        vm.warp(p.inception);
        vm.prank(alice);
        assertEq(policies.cancel(id), p.streamRate * (p.expiry - p.purchased - 7 days) / 1e18);
    }

    function test_cancelBurnsTheToken() public {
        uint256 id = buy(_purchase());
        vm.warp(block.timestamp + 10 days);
        uint256 exposure = pool.state().exposure;
        vm.prank(alice);
        policies.cancel(id);
        assertEq(policies.policy(id).sum, 0);
        assertEq(policies.policy(id).streamRate, 0);
        assertEq(pool.state().exposure, exposure - 10_000e6);
        bytes memory reason = abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, id);
        vm.startPrank(alice);
        expectRevert(reason);
        policies.cancel(id);
        expectRevert(reason);
        policies.lower(id, 1);
        expectRevert(reason);
        policies.tokenURI(id);
    }

    function test_onlyTheHolderEdits() public {
        uint256 id = buy(_purchase());
        vm.warp(block.timestamp + 2 days);
        vm.prank(alice);
        policies.transferFrom(alice, bob, id);
        vm.startPrank(alice);
        expectRevert(abi.encodeWithSelector(IPolicies.NotHolder.selector, id, alice));
        policies.lower(id, 4000e6);
        expectRevert(abi.encodeWithSelector(IPolicies.NotHolder.selector, id, alice));
        policies.cancel(id);
        vm.stopPrank();
        uint256 held = usd.balanceOf(bob);
        vm.prank(bob);
        uint256 refund = policies.cancel(id);
        assertGt(refund, 0);
        assertEq(usd.balanceOf(bob), held + refund);
    }

    function test_editsAreBetweenInceptionAndExpiry() public {
        uint256 id = buy(_purchase());
        Policy memory p = policies.policy(id);
        vm.startPrank(alice);
        vm.warp(p.inception - 1);
        expectRevert(abi.encodeWithSelector(IPolicies.NotIncepted.selector, id, p.inception));
        policies.cancel(id);
        vm.warp(p.expiry);
        expectRevert(abi.encodeWithSelector(IPolicies.Expired.selector, id, p.expiry));
        policies.lower(id, 4000e6);
        vm.warp(p.expiry - 1);
        policies.cancel(id);
    }

    /// @dev Nothing edits a policy upwards.
    function test_sumIsOnlyLowered() public {
        uint256 id = buy(_purchase());
        vm.warp(block.timestamp + 2 days);
        vm.startPrank(alice);
        expectRevert(abi.encodeWithSelector(IPolicies.NotLower.selector, 10_000e6, 10_000e6));
        policies.lower(id, 10_000e6);
        expectRevert(abi.encodeWithSelector(IPolicies.SumBelowMinimum.selector, 100e6 - 1, 100e6));
        policies.lower(id, 100e6 - 1);
        policies.lower(id, 100e6);
    }

    /// @dev Edit and claim: who knows of a loss may not change what is insured against it, nor take the premium
    ///      back; and who is not touched may.
    function test_editsAreFrozenWhileAnIncidentTouches() public {
        uint256 id = buy(_purchase());
        vm.warp(block.timestamp + 2 days);
        vm.roll(block.number + 100);
        _open();
        uint256 late = buy(_purchase());
        vm.startPrank(alice);
        expectRevert(abi.encodeWithSelector(IPolicies.Frozen.selector, id));
        policies.lower(id, 4000e6);
        expectRevert(abi.encodeWithSelector(IPolicies.Frozen.selector, id));
        policies.cancel(id);
        vm.warp(block.timestamp + 2 days);
        policies.cancel(late);
        vm.stopPrank();
        passDwell(1);
        incidents.finalise(1);
        vm.prank(alice);
        expectRevert(abi.encodeWithSelector(IPolicies.Frozen.selector, id));
        policies.cancel(id);
        vm.warp(uint256(incidents.incident(1).claimsEnd) + 1);
        vm.prank(alice);
        policies.cancel(id);
    }

    function test_metadataIsTheRenderers() public {
        uint256 id = buy(_purchase());
        assertEq(
            policies.tokenURI(id),
            wording.tokenURI(
                id,
                policies.policy(id),
                catalog.product(product),
                catalog.gaugeInfo(gauge),
                catalog.wordingHash(product)
            )
        );
    }
}
