// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {ICatalog, Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {Sources} from "breakwater/interfaces/IFeed.sol";
import {DepegTerms} from "breakwater/interfaces/IFeedRung.sol";
import {Rung} from "breakwater/interfaces/IIncidents.sol";
import {IPolicies} from "breakwater/interfaces/IPolicies.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {Aggregator} from "../PriceSources.sol";
import {TriggerFixture} from "../TriggerFixture.sol";

/// @notice Failures of others that docs/failures.md lists and no other test shows whole.
contract FailuresTest is TriggerFixture {
    Pool private pool;
    bytes32 private gauge;
    bytes32 private product;

    function setUp() public override {
        super.setUp();
        openVault();
        gauge = list(vaultSpec());
        product = listProduct(termsFor(gauge));
        pool = makePool(usd, 1_000_000e6);
        underwrite(pool, product, 1_000_000e6);
    }

    function _gasOfASale(uint256 seed) private returns (uint256) {
        address buyer = address(uint160(0x100000 + seed));
        uint256 before = gasleft();
        buy(purchaseOf(pool, product, buyer, 100e6));
        return before - gasleft();
    }

    /// @dev A sale costs the same with three policies in the book as with three hundred.
    function test_noOperationLoopsOverPolicies() public {
        for (uint256 i; i < 3; ++i) {
            _gasOfASale(i);
        }
        uint256 few = _gasOfASale(3);
        for (uint256 i = 4; i < 300; ++i) {
            _gasOfASale(i);
        }
        assertApproxEqRel(_gasOfASale(300), few, 0.02e18);
    }

    /// @dev A product is named by its terms: other terms are another product, whoever lists them.
    function test_termsOfLivePoliciesStay() public {
        uint256 id = buy(pool, product, alice, 1_000e6);
        bytes memory before = abi.encode(catalog.product(policies.policy(id).product));
        Product memory other = termsFor(gauge);
        (other.deductibleBps, other.lossCapBps) = (5000, 5000);
        assertNotEq(listProduct(other), product);
        assertEq(policies.policy(id).product, product);
        assertEq(abi.encode(catalog.product(product)), before);
        // Nor is the same one listed again, with a text that changed meanwhile.
        bytes32 hash = catalog.wordingHash(product);
        expectRevert(abi.encodeWithSelector(ICatalog.AlreadyListed.selector, product));
        catalog.listProduct(termsFor(gauge), hash);
    }

    /// @dev Nor after the exploit: more cover is another policy, with a waiting period of its own.
    function test_noPolicyIsRaised() public {
        uint256 id = buy(pool, product, alice, 1_000e6);
        vm.warp(policies.policy(id).inception);
        vm.prank(alice);
        expectRevert(abi.encodeWithSelector(IPolicies.NotLower.selector, 1_000e6 + 1, 1_000e6));
        policies.lower(id, 1_000e6 + 1);
    }

    /// @dev The chain's sequencer stands still over the end of the policy and of its report window.
    function test_sequencerDownAcrossExpiryDeniesNothing() public {
        Sources memory sources = makeFeeds(3);
        Aggregator sequencer = new Aggregator(0);
        sequencer.set(0, block.timestamp - 1 days);
        sources.sequencer = address(sequencer);
        DepegTerms memory t;
        t.sources = sources;
        (t.strike, t.par, t.base) = (0.95e18, 1e18, 1_000_000e6);
        (t.margin, t.period, t.maxGap, t.claims) = (0.02e18, 4 hours, 1 hours, vaultClaims());
        Trigger memory listed = triggerOf(Rung.Feed, t.claims, abi.encode(bytes32("breakwater.depeg/1"), t));
        bytes32 trigger = catalog.listTrigger(listed);
        feedRung.enrol(listed);
        Product memory terms = productOn(trigger, Kind.Depeg);
        terms.reportWindow = 1 days;
        bytes32 depeg = listProduct(terms);
        underwrite(pool, depeg, 500_000e6);

        setPrice(sources, 1e18);
        feedRung.poke(trigger);
        uint256 policy = buy(pool, depeg, alice, 50_000e6);
        uint256 expiry = policies.policy(policy).expiry;
        vm.warp(expiry - 1 hours);
        uint256 onset = seal();
        setPrice(sources, 1e18);
        feedRung.poke(trigger);
        pass(60);
        setPrice(sources, 0.9e18);
        feedRung.poke(trigger);

        pass(5 days);
        sequencer.set(0, block.timestamp - 40 minutes);
        for (uint256 i; i < 9; ++i) {
            setPrice(sources, 0.9e18);
            feedRung.poke(trigger);
            pass(30 minutes);
        }
        setPrice(sources, 0.9e18);
        uint256 reading = seal();
        uint256 id = feedRung.open(trigger);
        assertGt(block.timestamp, expiry + 1 days);
        assertLe(incidents.incident(id).openedTime, expiry + 1 days);
        address[] memory accounts = holdersOf(alice);
        feedRung.provePositions(id, accounts, holdingsOf(onset, reading, accounts));
        passDwell(id);
        uint256 before = usd.balanceOf(alice);
        policies.settle(policy, id);
        assertEq(usd.balanceOf(alice) - before, 5_000e6);
    }
}
