// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Measurement, Rung} from "breakwater/interfaces/IIncidents.sol";
import {IPolicies, Policy, Purchase} from "breakwater/interfaces/IPolicies.sol";
import {PoolConfig} from "breakwater/interfaces/IPool.sol";
import {IPolicyDesk} from "breakwater/interfaces/IPolicyDesk.sol";
import {Eip712Types, PositionConsent, RenewalOrder} from "breakwater/libraries/Eip712Types.sol";
import {Gates} from "breakwater/libraries/Gates.sol";
import {ListGate} from "breakwater/periphery/ListGate.sol";
import {Fixture} from "../Fixture.sol";
import {Wallet} from "../harness/Wallet.sol";

/// @notice Renewals by signed order, against the real pool; the test measures in the rung's place.
contract PoliciesRenewTest is Fixture {
    uint128 private constant SUM = 10_000e6;
    ListGate private gate;
    Pool private pool;
    bytes32 private gauge;
    bytes32 private product;
    IPolicyDesk private desk;
    uint256 private aliceKey;
    uint256 private bobKey;

    function setUp() public override {
        super.setUp();
        (alice, aliceKey) = makeKey("alice");
        (bob, bobKey) = makeKey("bob");
        gate = new ListGate(curator, ListGate.Mode.Deny);
        gauge = list(vaultSpec());
        product = listProduct(termsFor(gauge));
        pool = makePool(usd, 1_000_000e6);
        underwrite(pool, product, 1_000_000e6);
        desk = IPolicyDesk(address(policies));
    }

    function wire(address) internal override {
        address[] memory contracts = new address[](1);
        contracts[0] = address(this);
        incidents.wire(address(policies), contracts, new Rung[](1));
    }

    function configFor(address asset) internal view override returns (PoolConfig memory config) {
        config = super.configFor(asset);
        config.gate = address(gate);
    }

    /// @dev A policy of alice, at the moment from which a renewal is gapless.
    function _cover() private returns (uint256 id) {
        id = buy(pool, product, alice, SUM);
        usd.mint(bob, 1_000_000e6);
        vm.prank(bob);
        usd.approve(address(policies), type(uint256).max);
        vm.warp(uint256(policies.policy(id).expiry) - 1 days);
        // Quotes are as of the last accrual.
        pool.accrue();
    }

    function _order(uint256 id) private view returns (RenewalOrder memory) {
        return RenewalOrder({
            policy: id,
            sum: SUM,
            term: 30 days,
            lead: 1 days,
            maxPremium: 1000e6,
            tip: 1e6,
            distributor: address(0),
            feeBps: 0,
            nonce: id << 64,
            deadline: policies.policy(id).expiry
        });
    }

    function _sign(uint256 key, bytes32 structHash) private view returns (bytes memory) {
        bytes32 digest = MessageHashUtils.toTypedDataHash(policies.DOMAIN_SEPARATOR(), structHash);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _consent(uint256 key, address position, address buyer, uint256 nonce, uint256 deadline)
        private
        view
        returns (bytes memory)
    {
        return _sign(key, Eip712Types.hash(PositionConsent(position, product, buyer, nonce, deadline)));
    }

    /// @dev Executed by the keeper.
    function _renew(RenewalOrder memory order, uint256 key, bytes memory consent) private returns (uint256) {
        bytes memory signature = _sign(key, Eip712Types.hash(order));
        vm.prank(keeper);
        return desk.renew(order, signature, consent);
    }

    function _refused(RenewalOrder memory order, uint256 key, bytes memory consent, bytes memory reason)
        private
    {
        bytes memory signature = _sign(key, Eip712Types.hash(order));
        vm.prank(keeper);
        expectRevert(reason);
        desk.renew(order, signature, consent);
    }

    // ----- what is bought -----

    function test_renewsWithoutAGap() public {
        uint256 id = _cover();
        Policy memory old = policies.policy(id);
        uint256 premium = pool.quote(product, SUM, old.expiry, old.expiry + 30 days);
        uint256 held = usd.balanceOf(alice);
        RenewalOrder memory order = _order(id);
        (order.distributor, order.feeBps) = (lp, 1000);
        uint256 fee = premium / 10;
        order.maxPremium = premium + fee + order.tip;
        uint256 had = usd.balanceOf(lp);
        vm.expectEmit(true, true, true, true, address(policies));
        emit IPolicyDesk.Renewed(id, 2, keeper, 1e6);
        uint256 newId = _renew(order, aliceKey, "");
        assertEq(newId, 2);
        assertEq(desk.renewal(id), newId);
        assertEq(policies.ownerOf(newId), alice);
        Policy memory p = policies.policy(newId);
        assertEq(p.product, old.product);
        assertEq(p.pool, old.pool);
        assertEq(p.position, alice);
        assertEq(p.sum, SUM);
        assertEq(p.inception, old.expiry);
        assertEq(p.expiry, old.expiry + 30 days);
        assertEq(usd.balanceOf(alice), held - premium - fee - 1e6);
        assertEq(usd.balanceOf(keeper), 1e6);
        assertEq(usd.balanceOf(lp), had + fee);
        // The old one is as it was: nothing is edited upwards.
        assertEq(keccak256(abi.encode(policies.policy(id))), keccak256(abi.encode(old)));
    }

    /// @dev The new cover begins neither after the end of the old one nor much earlier.
    function test_renewalWindow() public {
        uint256 id = _cover();
        uint256 expiry = policies.policy(id).expiry;
        RenewalOrder memory order = _order(id);
        order.deadline = type(uint64).max;
        bytes4 error_ = IPolicyDesk.NotRenewable.selector;
        vm.warp(expiry - 1 days + 1);
        _refused(order, aliceKey, "", abi.encodeWithSelector(error_, expiry + 1, expiry - 1 days, expiry));
        vm.warp(expiry - 2 days - 1);
        _refused(
            order, aliceKey, "", abi.encodeWithSelector(error_, expiry - 1 days - 1, expiry - 1 days, expiry)
        );
        order.lead = 7 days + 1;
        bytes memory reason = abi.encodeWithSelector(IPolicyDesk.LeadTooLong.selector, 7 days, 7 days + 1);
        _refused(order, aliceKey, "", reason);
        order.lead = 1 days;
        vm.warp(expiry - 2 days);
        order.deadline = uint64(block.timestamp - 1);
        reason =
            abi.encodeWithSelector(IPolicies.DeadlinePassed.selector, block.timestamp - 1, block.timestamp);
        _refused(order, aliceKey, "", reason);
        order.deadline += 1;
        uint256 newId = _renew(order, aliceKey, "");
        assertEq(policies.policy(newId).inception, expiry - 1 days);
    }

    function test_renewalBuysNoMoreThanIsLeft() public {
        uint256 id = _cover();
        vm.prank(alice);
        policies.lower(id, 4000e6);
        assertEq(policies.policy(_renew(_order(id), aliceKey, "")).sum, 4000e6);
    }

    function test_renewalCostsNoMoreThanOrdered() public {
        uint256 id = _cover();
        Policy memory old = policies.policy(id);
        uint256 premium = pool.quote(product, SUM, old.expiry, old.expiry + 30 days);
        RenewalOrder memory order = _order(id);
        order.maxPremium = premium + order.tip - 1;
        _refused(
            order, aliceKey, "", abi.encodeWithSelector(IPolicies.PremiumAbove.selector, premium, premium - 1)
        );
        order.tip = order.maxPremium + 1;
        _refused(
            order,
            aliceKey,
            "",
            abi.encodeWithSelector(IPolicies.PremiumAbove.selector, order.tip, order.maxPremium)
        );
    }

    /// @dev Nobody's standing order buys cover of what is being lost.
    function test_renewalIsFrozenWhileAnIncidentTouches() public {
        uint256 id = _cover();
        vm.roll(block.number + 1000);
        (uint64 now_, uint64 head) = (uint64(block.timestamp), uint64(block.number));
        incidents.open(
            gauge,
            Rung.Proof,
            keeper,
            Measurement(head - 2, head - 1, now_ - 24, now_ - 12, 1_000_000e6, 400_000e6, 0)
        );
        _refused(_order(id), aliceKey, "", abi.encodeWithSelector(IPolicies.Frozen.selector, id));
    }

    // ----- who ordered it -----

    /// @dev Replay: the order buys once, and no second order buys again for the same policy.
    function test_orderBuysOnce() public {
        uint256 id = _cover();
        RenewalOrder memory order = _order(id);
        uint256 newId = _renew(order, aliceKey, "");
        bytes memory reason = abi.encodeWithSelector(IPolicyDesk.AlreadyRenewed.selector, id, newId);
        _refused(order, aliceKey, "", reason);
        order.nonce = policies.nonces(alice, uint192(id));
        _refused(order, aliceKey, "", reason);
        // Its renewal is another policy, which the order does not name.
        order.policy = newId;
        vm.warp(uint256(policies.policy(newId).expiry) - 1 days);
        order.deadline = uint64(block.timestamp);
        bytes memory signature = _sign(aliceKey, Eip712Types.hash(_order(id)));
        order.nonce = newId << 64;
        expectRevert(abi.encodeWithSelector(IPolicyDesk.NotOrdered.selector, newId, alice));
        desk.renew(order, signature, "");
    }

    /// @dev An order dies with the transfer: the money is its signer's, the policy is not.
    function test_orderOfAFormerHolderBuysNothing() public {
        uint256 id = _cover();
        RenewalOrder memory order = _order(id);
        vm.prank(alice);
        policies.transferFrom(alice, bob, id);
        _refused(order, aliceKey, "", abi.encodeWithSelector(IPolicyDesk.NotOrdered.selector, id, bob));
        vm.prank(bob);
        policies.transferFrom(bob, keeper, id);
        _refused(order, bobKey, "", abi.encodeWithSelector(IPolicyDesk.NotOrdered.selector, id, keeper));
    }

    function test_orderIsAsItWasSigned() public {
        uint256 id = _cover();
        bytes memory signature = _sign(aliceKey, Eip712Types.hash(_order(id)));
        RenewalOrder memory order = _order(id);
        order.tip += 1;
        bytes memory reason = abi.encodeWithSelector(IPolicyDesk.NotOrdered.selector, id, alice);
        expectRevert(reason);
        desk.renew(order, signature, "");
        order = _order(id);
        vm.chainId(77);
        expectRevert(reason);
        desk.renew(order, signature, "");
    }

    function test_orderIsCancelled() public {
        uint256 id = _cover();
        RenewalOrder memory order = _order(id);
        vm.expectEmit(true, true, true, true, address(policies));
        emit IPolicyDesk.RenewalCancelled(id, alice, id << 64);
        vm.prank(alice);
        desk.cancelRenewal(id);
        _refused(
            order,
            aliceKey,
            "",
            abi.encodeWithSelector(Nonces.InvalidAccountNonce.selector, alice, (id << 64) + 1)
        );
        order.nonce += 1;
        _renew(order, aliceKey, "");
    }

    function test_contractsOrderByERC1271() public {
        Wallet wallet = new Wallet(alice);
        uint256 id = buy(pool, product, address(wallet), SUM);
        vm.warp(uint256(policies.policy(id).expiry) - 1 days);
        RenewalOrder memory order = _order(id);
        _refused(
            order, bobKey, "", abi.encodeWithSelector(IPolicyDesk.NotOrdered.selector, id, address(wallet))
        );
        assertEq(policies.ownerOf(_renew(order, aliceKey, "")), address(wallet));
    }

    // ----- whom it insures -----

    /// @dev Nobody's position is insured without its own consent, which waits under the policy's key.
    function test_positionMustConsentToARenewal() public {
        uint256 id = _cover();
        vm.prank(alice);
        policies.transferFrom(alice, bob, id);
        RenewalOrder memory order = _order(id);
        bytes memory reason = abi.encodeWithSelector(IPolicies.NoConsent.selector, alice);
        _refused(order, bobKey, "", reason);
        // One for a purchase, one for another holder, one for another time, one of the holder himself.
        _refused(order, bobKey, _consent(aliceKey, alice, bob, 0, order.deadline), reason);
        _refused(order, bobKey, _consent(aliceKey, alice, keeper, id << 64, order.deadline), reason);
        _refused(order, bobKey, _consent(aliceKey, alice, bob, id << 64, order.deadline + 1), reason);
        _refused(order, bobKey, _consent(bobKey, alice, bob, id << 64, order.deadline), reason);
        uint256 newId = _renew(order, bobKey, _consent(aliceKey, alice, bob, id << 64, order.deadline));
        assertEq(policies.ownerOf(newId), bob);
        assertEq(policies.policy(newId).position, alice);
        assertEq(policies.nonces(alice), 0);
    }

    function test_positionTakesItsConsentBack() public {
        uint256 id = _cover();
        vm.prank(alice);
        policies.transferFrom(alice, bob, id);
        RenewalOrder memory order = _order(id);
        bytes memory consent = _consent(aliceKey, alice, bob, id << 64, order.deadline);
        vm.prank(alice);
        desk.cancelRenewal(id);
        _refused(order, bobKey, consent, abi.encodeWithSelector(IPolicies.NoConsent.selector, alice));
    }

    /// @dev A consent to a renewal buys nothing else.
    function test_consentToARenewalIsNoneToAPurchase() public {
        uint256 id = _cover();
        Purchase memory purchase = purchaseOf(pool, product, alice, SUM);
        purchase.consent = _consent(aliceKey, alice, bob, id << 64, purchase.deadline);
        vm.prank(bob);
        expectRevert(abi.encodeWithSelector(IPolicies.NoConsent.selector, alice));
        policies.buy(purchase);
    }

    function test_gateIsAskedForTheHolder() public {
        uint256 id = _cover();
        address[] memory listed = new address[](1);
        listed[0] = keeper;
        vm.prank(curator);
        gate.list(listed, true);
        uint256 snapshot = vm.snapshotState();
        _renew(_order(id), aliceKey, "");
        vm.revertToState(snapshot);
        listed[0] = alice;
        vm.prank(curator);
        gate.list(listed, true);
        _refused(
            _order(id),
            aliceKey,
            "",
            abi.encodeWithSelector(Gates.NotAllowed.selector, address(gate), alice, IPolicies.buy.selector)
        );
    }
}
