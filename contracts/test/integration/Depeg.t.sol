// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {Sources} from "breakwater/interfaces/IFeed.sol";
import {DepegTerms} from "breakwater/interfaces/IFeedRung.sol";
import {Rung} from "breakwater/interfaces/IIncidents.sol";
import {IPolicies, Purchase} from "breakwater/interfaces/IPolicies.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {TriggerFixture} from "../TriggerFixture.sol";
import {Malice} from "../PriceSources.sol";

/// @notice Cover of a depeg from purchase to payment, over the whole settlement layer.
contract DepegTest is TriggerFixture {
    Sources private sources;
    bytes32 private trigger;
    bytes32 private product;
    Pool private pool;

    function setUp() public override {
        super.setUp();
        openVault();
        sources = makeFeeds(3);
        DepegTerms memory t;
        t.sources = sources;
        (t.strike, t.par, t.base) = (0.95e18, 1e18, 1_000_000e6);
        (t.margin, t.period, t.maxGap, t.claims) = (0.02e18, 4 hours, 1 hours, vaultClaims());
        Trigger memory listed = triggerOf(Rung.Feed, t.claims, abi.encode(bytes32("breakwater.depeg/1"), t));
        trigger = catalog.listTrigger(listed);
        feedRung.enrol(listed);
        Product memory terms = productOn(trigger, Kind.Depeg);
        terms.reportWindow = 1 days;
        product = listProduct(terms);
        pool = makePool(usd, 1_000_000e6);
        underwrite(pool, product, 500_000e6);
        _see(1e18);
    }

    function _see(uint256 price) private {
        setPrice(sources, price);
        feedRung.poke(trigger);
    }

    function _stay(uint256 price, uint256 time) private {
        for (uint256 i; i < time; i += 30 minutes) {
            pass(30 minutes);
            _see(price);
        }
    }

    function _closed(Purchase memory purchase) private {
        usd.mint(alice, 1_000_000e6);
        vm.startPrank(alice);
        usd.approve(address(policies), type(uint256).max);
        expectRevert(abi.encodeWithSelector(IPolicies.SalesClosed.selector, trigger));
        policies.buy(purchase);
        vm.stopPrank();
    }

    /// @dev Seals the onset's block, sees it healthy, and falls.
    function _fall() private returns (uint256 onset) {
        onset = seal();
        _see(1e18);
        pass(60);
        _see(0.9e18);
    }

    function _prove(uint256 id, uint256 onset, uint256 reading) private {
        address[] memory accounts = holdersOf(alice);
        feedRung.provePositions(id, accounts, holdingsOf(onset, reading, accounts));
    }

    function test_depegIsPaid() public {
        uint256 policy = buy(pool, product, alice, 50_000e6);
        pass(2 days);
        uint256 onset = _fall();
        _stay(0.9e18, 4 hours);
        uint256 reading = seal();
        uint256 id = feedRung.open(trigger);
        _prove(id, onset, reading);
        passDwell(id);
        uint256 before = usd.balanceOf(alice);
        policies.settle(policy, id);
        // A tenth of 100,000 shares is lost, and a tenth of the sum may pay.
        assertEq(usd.balanceOf(alice) - before, 5_000e6);
    }

    /// @dev Whoever buys when it is to be seen coming incepts behind the onset.
    function test_purchaseAtTheBrinkIsNotCovered() public {
        _see(0.97e18);
        uint256 policy = buy(pool, product, alice, 50_000e6);
        pass(1 days - 1 hours);
        uint256 onset = _fall();
        _stay(0.9e18, 4 hours);
        uint256 reading = seal();
        uint256 id = feedRung.open(trigger);
        _prove(id, onset, reading);
        passDwell(id);
        expectRevert(abi.encodeWithSelector(IPolicies.NotTouched.selector, policy, id));
        policies.settle(policy, id);
    }

    function test_nothingIsSoldNearTheStrike() public {
        // The bound is 0.95 * 1.02.
        setPrice(sources, 0.969e18 - 1);
        _closed(purchaseOf(pool, product, alice, 50_000e6));
        setPrice(sources, 0.969e18);
        buy(pool, product, alice, 50_000e6);
    }

    function test_nothingIsSoldWhileFeedsAreDead() public {
        feeds[1].misbehave(Malice.BurnGas);
        _closed(purchaseOf(pool, product, alice, 50_000e6));
        _see(1e18);
        vm.warp(block.timestamp + sources.maxAge + 1);
        _closed(purchaseOf(pool, product, alice, 50_000e6));
    }

    function test_nothingIsSoldOnATriggerThatNoRungReads() public {
        DepegTerms memory t;
        t.sources = sources;
        Trigger memory listed = triggerOf(Rung.Feed, vaultClaims(), hex"01");
        trigger = catalog.listTrigger(listed);
        product = listProduct(productOn(trigger, Kind.Depeg));
        underwrite(pool, product, 500_000e6);
        setPrice(sources, 1e18);
        _closed(purchaseOf(pool, product, alice, 50_000e6));
    }

    /// @dev The run is paused over the end of the report window; cover that was in force still pays.
    function test_deadFeedNeverDenies() public {
        uint256 policy = buy(pool, product, alice, 50_000e6);
        uint256 expiry = policies.policy(policy).expiry;
        vm.warp(expiry - 1 hours);
        uint256 onset = _fall();
        feeds[0].misbehave(Malice.Revert);
        pass(60);
        feedRung.poke(trigger);
        pass(6 days);
        feedRung.poke(trigger);
        pass(60);
        _see(0.9e18);
        _stay(0.9e18, 4 hours);
        uint256 reading = seal();
        uint256 id = feedRung.open(trigger);
        assertGt(block.timestamp, expiry + 1 days);
        assertLe(incidents.incident(id).openedTime, expiry + 1 days);
        _prove(id, onset, reading);
        passDwell(id);
        uint256 before = usd.balanceOf(alice);
        policies.settle(policy, id);
        assertEq(usd.balanceOf(alice) - before, 5_000e6);
    }
}
