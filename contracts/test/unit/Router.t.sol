// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {IPolicies, Policy} from "breakwater/interfaces/IPolicies.sol";
import {PoolConfig} from "breakwater/interfaces/IPool.sol";
import {IRouter, Order} from "breakwater/interfaces/IRouter.sol";
import {Eip712Types, PositionConsent} from "breakwater/libraries/Eip712Types.sol";
import {Split} from "breakwater/libraries/Split.sol";
import {Router} from "breakwater/periphery/Router.sol";
import {Fixture} from "../Fixture.sol";

/// @notice One purchase over three pools of other curves.
contract RouterTest is Fixture {
    uint128 private constant K = 1_000e6;
    Router private router;
    bytes32 private product;
    address[] private pools;
    uint64 private costOfCapital = 0.05e18;

    function setUp() public override {
        super.setUp();
        openVault();
        router = new Router(catalog, policies);
        product = listProduct(termsFor(list(vaultSpec())));
        for (uint256 i; i < 3; ++i) {
            costOfCapital = uint64(0.05e18 + i * 0.005e18);
            pools.push(address(makePool(usd, 100 * K)));
        }
        for (uint256 i; i < 3; ++i) {
            underwrite(Pool(pools[i]), product, 400 * K);
        }
    }

    function configFor(address asset) internal view override returns (PoolConfig memory config) {
        config = super.configFor(asset);
        config.costOfCapital = costOfCapital;
    }

    function _expiry() private view returns (uint64) {
        return uint64((block.timestamp / 1 days + 31) * 1 days);
    }

    function _quote(uint256 index, uint256 sum) private view returns (uint256) {
        return Pool(pools[index]).quote(product, uint128(sum), uint64(block.timestamp + 1 days), _expiry());
    }

    function _order(uint256[] memory sums, uint256 maxPremium) private returns (Order memory order) {
        order.product = product;
        order.pools = pools;
        order.sums = new uint128[](sums.length);
        uint256 parts;
        for (uint256 i; i < sums.length; ++i) {
            order.sums[i] = uint128(sums[i]);
            if (sums[i] != 0) ++parts;
        }
        (order.expiry, order.maxPremium) = (_expiry(), maxPremium);
        order.deadline = uint64(block.timestamp);
        order.consents = _consents(parts, order.deadline);
    }

    function _consents(uint256 parts, uint256 deadline) private returns (bytes[] memory consents) {
        (, uint256 key) = makeKey("alice");
        consents = new bytes[](parts);
        for (uint256 i; i < parts; ++i) {
            bytes32 hash = Eip712Types.hash(
                PositionConsent(alice, product, address(router), policies.nonces(alice) + i, deadline)
            );
            bytes32 separator = Eip712Types.domainSeparator(block.chainid, address(policies));
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, MessageHashUtils.toTypedDataHash(separator, hash));
            consents[i] = abi.encodePacked(r, s, v);
        }
    }

    function test_splitIsNeverDearerThanOnePoolOrEqualParts(uint256 sum) public view {
        sum = bound(sum, 100e6, 900 * K);
        (uint256[] memory sums, uint256[] memory premiums) = router.split(product, sum, _expiry(), pools);
        (uint256 total, uint256 cost, uint256 equal) = (0, 0, 0);
        for (uint256 i; i < 3; ++i) {
            total += sums[i];
            cost += premiums[i];
            assertTrue(sums[i] == 0 || sums[i] >= 100e6);
            assertEq(premiums[i], sums[i] == 0 ? 0 : _quote(i, sums[i]));
        }
        assertEq(total, sum);
        for (uint256 i; i < 3; ++i) {
            if (sum <= 400 * K) assertLe(cost, _quote(i, sum));
            uint256 part = sum / 3 + (i == 0 ? sum % 3 : 0);
            if (sum >= 300e6) equal += _quote(i, part);
        }
        if (equal != 0) assertLe(cost, equal);
    }

    function test_lastUnitsCostTheSame() public view {
        (uint256[] memory sums,) = router.split(product, 600 * K, _expiry(), pools);
        uint256[3] memory last;
        for (uint256 i; i < 3; ++i) {
            last[i] = _quote(i, sums[i] + K / 10) - _quote(i, sums[i]);
        }
        assertApproxEqRel(last[0], last[1], 0.001e18);
        assertApproxEqRel(last[1], last[2], 0.001e18);
        assertGt(sums[0], sums[1]);
        assertGt(sums[1], sums[2]);
    }

    function test_partsAreBoughtTogetherAndTheRestReturns() public {
        (uint256[] memory sums, uint256[] memory premiums) = router.split(product, 600 * K, _expiry(), pools);
        uint256 cost = premiums[0] + premiums[1] + premiums[2];
        Order memory order = _order(sums, cost + 5 * K);
        usd.mint(alice, 100 * K);
        vm.startPrank(alice);
        usd.approve(address(router), type(uint256).max);
        uint256[] memory ids = router.buy(order);
        vm.stopPrank();
        assertEq(ids.length, 3);
        assertEq(100 * K - usd.balanceOf(alice), cost);
        assertEq(usd.balanceOf(address(router)), 0);
        assertEq(usd.allowance(address(router), address(policies)), 0);
        for (uint256 i; i < 3; ++i) {
            Policy memory policy = policies.policy(ids[i]);
            assertEq(policy.sum, sums[i]);
            assertEq(policy.pool, pools[i]);
            assertEq(policy.position, alice);
            assertEq(IERC721(address(policies)).ownerOf(ids[i]), alice);
        }
    }

    function test_distributorsArePaidThroughTheRouter() public {
        (uint256[] memory sums, uint256[] memory premiums) = router.split(product, 600 * K, _expiry(), pools);
        uint256 fees;
        for (uint256 i; i < 3; ++i) {
            fees += premiums[i] / 10;
        }
        Order memory order = _order(sums, premiums[0] + premiums[1] + premiums[2] + fees);
        (order.distributor, order.feeBps) = (keeper, 1000);
        usd.mint(alice, 100 * K);
        vm.startPrank(alice);
        usd.approve(address(router), type(uint256).max);
        router.buy(order);
        assertEq(usd.balanceOf(keeper), fees);
        assertEq(usd.balanceOf(address(router)), 0);
    }

    function test_allOrNothingWithinOneMaximum() public {
        (uint256[] memory sums, uint256[] memory premiums) = router.split(product, 600 * K, _expiry(), pools);
        Order memory order = _order(sums, premiums[0] + premiums[1] + premiums[2] - 1);
        usd.mint(alice, 100 * K);
        vm.startPrank(alice);
        usd.approve(address(router), type(uint256).max);
        expectRevert(abi.encodeWithSelector(IPolicies.PremiumAbove.selector, premiums[2], premiums[2] - 1));
        router.buy(order);
        assertEq(usd.balanceOf(alice), 100 * K);
        assertEq(policies.count(), 0);
    }

    /// @dev Consents name the router, and it takes them from the position account alone.
    function test_nobodyElseUsesAConsent() public {
        (uint256[] memory sums, uint256[] memory premiums) = router.split(product, 100 * K, _expiry(), pools);
        Order memory order = _order(sums, premiums[0] + premiums[1] + premiums[2]);
        usd.mint(bob, 100 * K);
        vm.startPrank(bob);
        usd.approve(address(router), type(uint256).max);
        expectRevert(abi.encodeWithSelector(IPolicies.NoConsent.selector, bob));
        router.buy(order);
    }

    function test_poolsThatSellNothingGetNothing() public {
        vm.prank(curator);
        Pool(pools[0]).setProduct(product, 0, 0.02e18);
        pools.push(alice);
        (uint256[] memory sums, uint256[] memory premiums) = router.split(product, 300 * K, _expiry(), pools);
        assertEq(sums[0], 0);
        assertEq(sums[3], 0);
        assertEq(premiums[0], 0);
        assertEq(sums[1] + sums[2], 300 * K);
        expectRevert(abi.encodeWithSelector(Split.NotEnough.selector, 801 * K, 800 * K));
        router.split(product, 801 * K, _expiry(), pools);
    }

    function test_lengthsAgree() public {
        Order memory order;
        order.pools = new address[](9);
        expectRevert(abi.encodeWithSelector(IRouter.TooManyPools.selector, 8, 9));
        router.buy(order);
        expectRevert(abi.encodeWithSelector(IRouter.TooManyPools.selector, 8, 9));
        router.split(product, 1, 0, order.pools);
        order.pools = new address[](2);
        order.sums = new uint128[](1);
        expectRevert(abi.encodeWithSelector(IRouter.WrongLength.selector, 2, 1));
        router.buy(order);
        order.sums = new uint128[](2);
        order.sums[1] = 1;
        expectRevert(abi.encodeWithSelector(IRouter.WrongLength.selector, 1, 0));
        router.buy(order);
    }
}
