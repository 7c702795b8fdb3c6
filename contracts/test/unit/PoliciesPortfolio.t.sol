// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {GaugeSpec} from "breakwater/interfaces/IGauges.sol";
import {Measurement, Rung} from "breakwater/interfaces/IIncidents.sol";
import {IPolicies, Policy, Purchase} from "breakwater/interfaces/IPolicies.sol";
import {IPolicyDesk} from "breakwater/interfaces/IPolicyDesk.sol";
import {IPool} from "breakwater/interfaces/IPool.sol";
import {Leg} from "breakwater/interfaces/IWording.sol";
import {Price} from "breakwater/libraries/Price.sol";
import {Fixture} from "../Fixture.sol";
import {Token} from "../Tokens.sol";

/// @notice Several products under one sum, against the real pool; the test measures in the rung's place.
contract PoliciesPortfolioTest is Fixture {
    uint128 private constant BASE = 1_000_000e6;
    uint128 private constant SUM = 10_000e6;
    Pool private pool;
    bytes32[] private gauges;
    /// @dev Ascending, as a portfolio names them.
    bytes32[] private products;
    bytes32 private portfolio;
    IPolicyDesk private desk;

    function setUp() public override {
        super.setUp();
        desk = IPolicyDesk(address(policies));
        pool = makePool(usd, 1_000_000e6);
        for (uint256 i; i < 3; ++i) {
            gauges.push(list(_spec(i)));
            _insert(listProduct(_terms(i)));
        }
        for (uint256 i; i < 3; ++i) {
            _cap(products[i], 500_000e6, uint64(0.02e18 + 0.01e18 * i));
        }
        vm.warp(block.timestamp + 4 days);
        pool.accrue();
        portfolio = desk.listPortfolio(products);
    }

    function wire(address) internal override {
        address[] memory contracts = new address[](1);
        contracts[0] = address(this);
        incidents.wire(address(policies), contracts, new Rung[](1));
    }

    function _spec(uint256 i) private view returns (GaugeSpec memory spec) {
        spec = vaultSpec();
        spec.accounts[0].account = address(uint160(VAULT) + uint160(i));
    }

    function _terms(uint256 i) private view returns (Product memory terms) {
        terms = termsFor(gauges[i]);
        terms.waitingPeriod = uint32(1 days + i * 1 hours);
        terms.minSum = uint128(100e6 + i * 1e6);
    }

    function _insert(bytes32 product) private {
        products.push(product);
        for (uint256 i = products.length - 1; i != 0 && products[i] < products[i - 1]; --i) {
            (products[i], products[i - 1]) = (products[i - 1], products[i]);
        }
    }

    function _cap(bytes32 product, uint128 cap, uint64 rate) private {
        vm.prank(curator);
        pool.setProduct(product, cap, rate);
    }

    function _buy(uint128 sum) private returns (uint256 id) {
        return buy(pool, portfolio, alice, sum);
    }

    /// @dev A portfolio of alice whose waiting period is over.
    function _cover() private returns (uint256 id) {
        id = _buy(SUM);
        vm.warp(uint256(policies.policy(id).inception) + 2 hours);
        vm.roll(block.number + 1000);
    }

    /// @dev A final incident of one gauge that alice's position, worth `value`, lived through.
    function _incident(bytes32 gauge, uint256 loss, uint256 value) private returns (uint256 id) {
        vm.roll(block.number + 100);
        (uint64 now_, uint64 head) = (uint64(block.timestamp), uint64(block.number));
        Measurement memory m = Measurement(head - 2, head - 1, now_ - 24, now_ - 12, BASE, uint128(loss), 0);
        id = incidents.open(gauge, Rung.Proof, keeper, m);
        passDwell(id);
        incidents.finalise(id);
        incidents.recordPosition(id, alice, uint128(value * loss / BASE), uint128(value));
    }

    function _exposure(uint256 leg) private view returns (uint256) {
        return pool.underwriting(products[leg]).exposure;
    }

    /// @dev The pool counts the sum once, each leg counts it whole.
    function _counts(uint256 sum) private view {
        assertEq(pool.state().exposure, sum, "pool");
        for (uint256 i; i < products.length; ++i) {
            assertEq(_exposure(i), sum, "leg");
        }
    }

    function _unlisted(bytes32[] memory legs, bytes memory reason) private {
        expectRevert(reason);
        desk.listPortfolio(legs);
    }

    function _pair(bytes32 a, bytes32 b) private pure returns (bytes32[] memory legs) {
        legs = new bytes32[](2);
        (legs[0], legs[1]) = a < b ? (a, b) : (b, a);
    }

    // ----- listing -----

    function test_portfolioIsNamedByItsProducts() public {
        assertEq(portfolio, keccak256(abi.encode(products)));
        assertEq(desk.legsOf(portfolio), products);
        assertEq(desk.legsOf(products[0]), new bytes32[](0));
        assertEq(desk.listPortfolio(products), portfolio);
        bytes32[] memory pair = _pair(products[0], products[2]);
        vm.expectEmit(true, true, true, true, address(policies));
        emit IPolicyDesk.PortfolioListed(keccak256(abi.encode(pair)), pair);
        desk.listPortfolio(pair);
    }

    function test_portfolioHasTwoToEightLegs() public {
        bytes4 error_ = IPolicyDesk.WrongLegCount.selector;
        _unlisted(new bytes32[](1), abi.encodeWithSelector(error_, 8, 1));
        _unlisted(new bytes32[](9), abi.encodeWithSelector(error_, 8, 9));
        _unlisted(new bytes32[](2), abi.encodeWithSelector(IPolicies.UnknownProduct.selector, bytes32(0)));
        bytes32[] memory legs = _pair(products[0], products[1]);
        (legs[0], legs[1]) = (legs[1], legs[0]);
        _unlisted(legs, abi.encodeWithSelector(IPolicyDesk.LegsNotAscending.selector, legs[1]));
        legs[0] = legs[1];
        _unlisted(legs, abi.encodeWithSelector(IPolicyDesk.LegsNotAscending.selector, legs[1]));
    }

    /// @dev Two legs on one gauge would be due for one loss out of one sum twice.
    function test_portfolioHasEachGaugeOnce() public {
        Product memory terms = _terms(0);
        (terms.deductibleBps, terms.bountyBps) = (100, 10);
        bytes32 first = listProduct(terms);
        terms.deductibleBps = 200;
        _unlisted(
            _pair(first, listProduct(terms)),
            abi.encodeWithSelector(IPolicyDesk.SameGauge.selector, gauges[0])
        );
    }

    function test_legsShareAssetAndWindowAndTakeNoSalvage() public {
        bytes32 first = catalog.product(products[0]).gauge == gauges[0] ? products[1] : products[0];
        Product memory terms = _terms(0);
        terms.reportWindow = 8 days;
        bytes32 other = listProduct(terms);
        (uint256 expected, uint256 got) = first < other ? (7 days, 8 days) : (8 days, 7 days);
        _unlisted(
            _pair(first, other), abi.encodeWithSelector(IPolicyDesk.WrongReportWindow.selector, expected, got)
        );
        terms = _terms(0);
        terms.asset = address(new Token("OTHER", 6));
        other = listProduct(terms);
        (address a, address b) = first < other ? (address(usd), terms.asset) : (terms.asset, address(usd));
        _unlisted(_pair(first, other), abi.encodeWithSelector(IPolicies.WrongAsset.selector, a, b));
        terms = _terms(0);
        terms.salvage = address(usd);
        other = listProduct(terms);
        _unlisted(_pair(first, other), abi.encodeWithSelector(IPolicyDesk.LegTakesSalvage.selector, other));
    }

    // ----- buying -----

    function test_portfolioCountsOnceInThePoolAndWholeInEachLeg() public {
        uint256 id = _buy(SUM);
        _counts(SUM);
        Policy memory p = policies.policy(id);
        assertEq(p.product, portfolio);
        // The longest waiting period of the three.
        assertEq(p.inception, block.timestamp + 1 days + 2 hours);
        // It stops counting everywhere on one day.
        vm.warp(uint256(p.expiry) + 7 days - 1);
        pool.accrue();
        _counts(SUM);
        vm.warp(block.timestamp + 1);
        pool.accrue();
        _counts(0);
    }

    function test_portfolioCostsItsDearestLegAndTheFloorsOfTheOthers() public {
        Purchase memory purchase = purchaseOf(pool, portfolio, alice, SUM);
        uint64 inception = uint64(block.timestamp + 1 days + 2 hours);
        uint256 term = purchase.expiry - inception;
        uint256 dearest = pool.quote(products[2], SUM, inception, purchase.expiry);
        uint256 floors = Price.actuarial(SUM, 0.02e18, term) + Price.actuarial(SUM, 0.03e18, term);
        uint256 held = usd.balanceOf(address(pool));
        buy(purchase);
        assertEq(usd.balanceOf(address(pool)) - held, dearest + floors);
        uint256 apart = dearest + pool.quote(products[0], SUM, inception, purchase.expiry)
            + pool.quote(products[1], SUM, inception, purchase.expiry);
        assertLt(dearest + floors, apart);
        // What it costs streams while it runs.
        assertEq(
            policies.policy(1).streamRate, (dearest + floors) * 1e18 / (purchase.expiry - block.timestamp)
        );
    }

    /// @dev A leg without a rate of its own has no floor to go by.
    function test_legWithoutAFloorCostsItsWholePrice() public {
        _cap(products[0], 500_000e6, 0);
        vm.warp(block.timestamp + 4 days);
        pool.accrue();
        uint64 inception = uint64(block.timestamp + 1 days + 2 hours);
        uint64 expiry = uint64((inception / 1 days + 31) * 1 days);
        (uint256 premium, uint256 dearest) = pool.quoteLegs(products, SUM, inception, expiry);
        assertEq(dearest, 2);
        assertEq(
            premium,
            pool.quote(products[2], SUM, inception, expiry) + pool.quote(products[0], SUM, inception, expiry)
                + Price.actuarial(SUM, 0.03e18, expiry - inception)
        );
    }

    /// @dev No less than any leg alone, no more than all alone, and no less in two parts.
    function testFuzz_noWayOfBuyingAPortfolioIsCheaper(uint256 sum, uint256 part, uint256 days_) public {
        sum = bound(sum, 204e6, 400_000e6);
        part = bound(part, 102e6, sum - 102e6);
        uint64 inception = uint64(block.timestamp + 1 days + 2 hours);
        uint64 expiry = uint64((inception / 1 days + bound(days_, 2, 300)) * 1 days);
        (uint256 whole,) = pool.quoteLegs(products, uint128(sum), inception, expiry);
        uint256 all;
        for (uint256 i; i < 3; ++i) {
            uint256 one = pool.quote(products[i], uint128(sum), inception, expiry);
            assertGe(whole, one, "below one");
            all += one;
        }
        assertLe(whole, all, "above all");
        Purchase memory purchase = purchaseOf(pool, portfolio, alice, uint128(part));
        purchase.expiry = expiry;
        (uint256 first,) = pool.quoteLegs(products, uint128(part), inception, expiry);
        buy(purchase);
        (uint256 second,) = pool.quoteLegs(products, uint128(sum - part), inception, expiry);
        // What does not stream of the first part makes the capital a unit larger.
        assertGe(first + second + 1, whole, "cheaper in parts");
    }

    function test_limitsOfEveryLegBind() public {
        _cap(products[1], SUM - 1, 0.03e18);
        Purchase memory purchase = purchaseOf(pool, portfolio, alice, SUM);
        usd.mint(alice, 1_000_000e6);
        vm.startPrank(alice);
        usd.approve(address(policies), type(uint256).max);
        expectRevert(abi.encodeWithSelector(IPool.CapExceeded.selector, products[1], SUM, SUM - 1));
        policies.buy(purchase);
        purchase.sum = 102e6 - 1;
        expectRevert(abi.encodeWithSelector(IPolicies.SumBelowMinimum.selector, 102e6 - 1, 102e6));
        policies.buy(purchase);
        vm.stopPrank();
    }

    function test_onlyPoliciesCountLegs() public {
        bytes memory reason = abi.encodeWithSelector(IPool.NotPolicies.selector, address(this));
        expectRevert(reason);
        pool.addLegs(products, 0, SUM, uint64(block.timestamp), uint64(block.timestamp));
        expectRevert(reason);
        pool.reduceLegs(products, 0, SUM, uint64(block.timestamp));
    }

    // ----- paying -----

    /// @dev Whatever leg pays lowers what is left for all.
    function test_portfolioPaysAtMostItsSum() public {
        uint256 id = _cover();
        uint256 first = _incident(gauges[0], 800_000e6, 100_000e6);
        assertEq(policies.settle(id, first), 8000e6);
        _counts(2000e6);
        uint256 second = _incident(gauges[1], 800_000e6, 100_000e6);
        assertEq(policies.settle(id, second), 1600e6);
        _counts(400e6);
        uint256 third = _incident(gauges[2], BASE, 100_000e6);
        assertEq(policies.settle(id, third), 400e6);
        _counts(0);
        assertEq(policies.policy(id).paid, SUM);
        expectRevert(abi.encodeWithSelector(IPolicies.NothingToPay.selector, id, second));
        policies.settle(id, second);
    }

    /// @dev In any order, for any losses, settled again and again.
    function testFuzz_portfolioPaysAtMostItsSum(uint256 seed) public {
        uint256 id = _cover();
        uint256[3] memory open;
        for (uint256 i; i < 3; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            open[i] =
                _incident(gauges[i], bound(seed >> 8, 100_000e6, BASE), bound(seed >> 64, 1e6, 50_000e6));
        }
        uint256 paid;
        for (uint256 i; i < 6; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            try policies.settle(id, open[seed % 3]) returns (uint256 got) {
                paid += got;
            } catch {}
            assertLe(paid, SUM);
            assertEq(policies.policy(id).paid, paid);
            _counts(SUM - paid);
        }
    }

    function test_portfolioIsNotOnOtherGauges() public {
        bytes32 pair = desk.listPortfolio(_pair(products[0], products[1]));
        uint256 id = buy(pool, pair, alice, SUM);
        vm.warp(uint256(policies.policy(id).inception) + 2 hours);
        bytes32 gauge = catalog.product(products[2]).gauge;
        uint256 incident = _incident(gauge, 500_000e6, 10_000e6);
        bytes32 first = catalog.product(products[0]).gauge;
        expectRevert(abi.encodeWithSelector(IPolicies.WrongGauge.selector, first, gauge));
        policies.settle(id, incident);
    }

    // ----- editing -----

    function test_portfolioIsFrozenByAnyLeg() public {
        uint256 id = _cover();
        uint256 incident = _incident(gauges[2], 500_000e6, 1000e6);
        bytes memory reason = abi.encodeWithSelector(IPolicies.Frozen.selector, id);
        vm.startPrank(alice);
        expectRevert(reason);
        policies.cancel(id);
        expectRevert(reason);
        policies.lower(id, 5000e6);
        expectRevert(reason);
        desk.split(id, 5000e6, alice);
        vm.warp(uint256(incidents.incident(incident).claimsEnd) + 1);
        policies.cancel(id);
    }

    /// @dev A portfolio waits for the leg that waits longest; the others are sold alone all the same.
    function test_portfolioDoesNotStopTheSaleOfItsLegs() public {
        _buy(SUM);
        for (uint256 i; i < products.length; ++i) {
            buy(pool, products[i], bob, SUM);
            assertEq(_exposure(i), 2 * SUM, "leg");
        }
        _buy(SUM);
        assertEq(pool.state().exposure, 5 * SUM, "pool");
        vm.warp(block.timestamp + 2 days);
        for (uint256 i; i < products.length; ++i) {
            assertEq(pool.inForce(products[i], block.timestamp), 3 * SUM, "in force");
        }
    }

    function test_portfolioIsLoweredAndCancelled() public {
        uint256 id = _cover();
        vm.warp(block.timestamp + 10 days);
        Policy memory p = policies.policy(id);
        vm.startPrank(alice);
        expectRevert(abi.encodeWithSelector(IPolicies.SumBelowMinimum.selector, 102e6 - 1, 102e6));
        policies.lower(id, 102e6 - 1);
        policies.lower(id, 4000e6);
        _counts(4000e6);
        uint256 left = p.expiry - block.timestamp;
        uint256 rate = policies.policy(id).streamRate;
        assertEq(policies.cancel(id), rate * left / 1e18);
        vm.stopPrank();
        _counts(0);
    }

    function test_portfolioIsSplit() public {
        uint256 id = _cover();
        vm.prank(alice);
        uint256 newId = desk.split(id, 4000e6, bob);
        assertEq(policies.policy(newId).product, portfolio);
        _counts(SUM);
        uint256 incident = _incident(gauges[0], BASE, 100_000e6);
        assertEq(policies.settle(id, incident), 6000e6);
        _counts(4000e6);
        vm.warp(uint256(incidents.incident(incident).claimsEnd) + 1);
        vm.prank(bob);
        policies.cancel(newId);
        _counts(0);
    }

    // ----- picture -----

    function test_portfolioShowsItsLegs() public {
        uint256 id = _buy(SUM);
        Leg[] memory legs = new Leg[](3);
        for (uint256 i; i < 3; ++i) {
            Product memory terms = catalog.product(products[i]);
            legs[i] = Leg(terms, catalog.gaugeInfo(terms.gauge), catalog.wordingHash(products[i]));
        }
        string memory shown = policies.tokenURI(id);
        assertEq(shown, wording.portfolioURI(id, policies.policy(id), legs));
        (legs[0], legs[1]) = (legs[1], legs[0]);
        bytes32 swapped = keccak256(bytes(wording.portfolioURI(id, policies.policy(id), legs)));
        assertNotEq(keccak256(bytes(shown)), swapped);
    }
}
