// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Price} from "breakwater/libraries/Price.sol";
import {IPool} from "breakwater/interfaces/IPool.sol";
import {PoolState} from "breakwater/interfaces/IPoolDesk.sol";
import {PoolSetup} from "./PoolSetup.t.sol";

/// @notice Price, sale, refund, streams and exposure by day.
contract PoolSaleTest is PoolSetup {
    struct Live {
        Sale sale;
        uint256 endedAt; // zero: not lowered or paid
    }

    Sale[] private _sales;
    uint256[] private _ended;

    function setUp() public override {
        super.setUp();
        _fund();
    }

    // ----- silence -----

    /// @dev Whether somebody accrues and rolls every day or nobody for most of a year: every figure is the same.
    function test_silence_changes_no_figure(uint256 seed) public {
        for (uint256 i; i < 12; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            bytes32 product = seed & 1 == 0 ? PLAIN : LIMITED;
            _buy(product, (1 + seed % 1_000) * UNIT, 1 + (seed >> 32) % 300);
            _pass((seed >> 64) % (9 days));
        }
        uint256 wait = (seed >> 96) % (330 days);
        uint256 end = block.timestamp + wait;
        uint256 snapshot = vm.snapshotState();
        while (block.timestamp + 1 days < end) {
            _pass(1 days);
            pool.accrue();
            pool.roll(PLAIN);
            pool.roll(LIMITED);
        }
        bytes32 daily = _figures(end);
        vm.revertToState(snapshot);
        assertTrue(_figures(end) == daily, "what days add up to");
    }

    function _figures(uint256 end) private returns (bytes32) {
        vm.warp(end);
        pool.accrue();
        PoolState memory s = pool.state();
        // Earnings are shared out by layers that earned before, so only their sum is the same.
        uint256 sums;
        for (uint256 time = end - 40 days; time <= end; time += 5 days) {
            sums =
                uint256(keccak256(abi.encode(sums, pool.inForce(PLAIN, time), pool.inForce(LIMITED, time))));
        }
        uint256 counted = pool.underwriting(PLAIN).exposure + pool.underwriting(LIMITED).exposure;
        assertEq(counted, s.exposure);
        return
            keccak256(abi.encode(s.unearnedScaled, s.streamRate, s.exposure, pool.capital(), sums, counted));
    }

    // ----- price -----

    function test_price_is_the_integral_of_the_curve() public pure {
        Price.Curve memory curve = Price.Curve(1_000, 0.8e18, 1.5e18, 3e18);
        // Below the kink: x + 0.5 * x^2 / 1600; above: 800 + 200, then 1.5 * y + 1.5 * y^2 / 400.
        assertEq(Price.integral(curve, 400), 400e18 + 50e18);
        assertEq(Price.integral(curve, 800), 800e18 + 200e18);
        assertEq(Price.integral(curve, 900), 1_000e18 + 150e18 + 37.5e18);
        assertEq(Price.integral(curve, 1_000), 1_000e18 + 300e18 + 150e18);
    }

    function test_premium_rounds_up_once_at_each_step() public pure {
        Price.Curve memory curve = Price.Curve(1_000, 0.8e18, 1e18, 1e18);
        // 100 units at 10 % for a 365th of a year: 10 / 365 of a unit, and so one whole unit.
        assertEq(Price.premium(curve, 0, 100, 0.1e18, 0, 1 days), 1);
        assertEq(Price.premium(curve, 0, 100, 0.1e18, 0, 365 days), 10);
        assertEq(Price.premium(curve, 0, 100, 0.1e18, 1e18, 365 days), 20);
    }

    /// @dev Hole "divide before multiply": with a division by the year first the premium of small sums is zero, and
    ///      with one by the kink first the curve is a staircase.
    function test_divide_before_multiply_never_makes_cover_free(uint256 sum, uint256 term) public pure {
        sum = bound(sum, 1, 100);
        term = bound(term, 1, 30 days);
        Price.Curve memory curve = Price.Curve(3, 0.5e18, 1.5e18, 3e18);
        // Kink at 1: 1 + 0.5 / 2 below it; above it 1.5 and 1.5 / 4.
        assertEq(Price.integral(curve, 2), 1.25e18 + 1.5e18 + 0.375e18);
        curve.capacity = 1_000 * UNIT;
        uint256 exact = Price.integral(curve, sum);
        assertGe(exact, sum * 1e18);
        assertGt(Price.premium(curve, 0, sum, 1, 0, term), 0);
    }

    function test_splitting_a_purchase_never_pays(uint256 first, uint256 second, uint256 from) public pure {
        Price.Curve memory curve = Price.Curve(1_000_000 * UNIT, 0.8e18, 1.5e18, 3e18);
        from = bound(from, 0, 400_000 * UNIT);
        first = bound(first, 1, 300_000 * UNIT);
        second = bound(second, 1, 300_000 * UNIT);
        uint256 whole = Price.premium(curve, from, from + first + second, 0.07e18, 0.3e18, 30 days);
        uint256 parts = Price.premium(curve, from, from + first, 0.07e18, 0.3e18, 30 days)
            + Price.premium(curve, from + first, from + first + second, 0.07e18, 0.3e18, 30 days);
        assertGe(parts, whole);
        assertLe(parts, whole + 2);
    }

    function test_buying_and_cancelling_never_profits(uint256 sum, uint256 wait) public {
        sum = bound(sum, 1, 300_000 * UNIT);
        wait = bound(wait, 0, 40 days);
        Sale memory sale = _buy(PLAIN, sum, 30);
        _pass(wait);
        uint256 least = sale.purchased + 7 days;
        assertLe(_cancel(sale, uint64(least)), sale.premium);
        assertEq(pool.state().streamRate, 0);
        _checkMoney();
        assertLe(pool.state().unearnedScaled, 0);
    }

    function test_surge_halves_with_time() public pure {
        assertEq(Price.decayed(1e18, 0, 1 days), 1e18);
        assertEq(Price.decayed(1e18, 12 hours, 1 days), 0.75e18);
        assertEq(Price.decayed(1e18, 1 days, 1 days), 0.5e18);
        assertEq(Price.decayed(1e18, 36 hours, 1 days), 0.375e18);
        assertEq(Price.decayed(1e18, 64 days, 1 days), 0);
    }

    function test_a_booking_raises_the_price_and_the_surge_decays() public {
        uint256 calm = _buy(OTHER, 1_000 * UNIT, 30).premium;
        _buy(PLAIN, 100_000 * UNIT, 30);
        _pass(2 days);
        _open(1, GAUGE, 0.5e18);
        _void(1, GAUGE);
        // 50,000 of a little more than 500,000 at a slope of 2: not quite 0.2.
        assertApproxEqAbs(pool.state().surge, 0.2e18, 0.001e18);
        assertGt(_buy(OTHER, 1_000 * UNIT, 30).premium, calm * 11 / 10);
    }

    // ----- sale -----

    function test_sale_refuses_what_is_not_on_offer() public {
        uint64 inception = uint64(block.timestamp) + WAITING;
        uint64 expiry = uint64((inception / DAY + 31) * DAY);
        uint128 sum = uint128(1_000 * UNIT);
        expectRevert(abi.encodeWithSelector(IPool.UnknownProduct.selector, bytes32("none")));
        pool.quote("none", sum, inception, expiry);
        expectRevert(abi.encodeWithSelector(IPool.BadExpiry.selector, expiry + 1));
        pool.quote(PLAIN, sum, inception, expiry + 1);
        expectRevert(abi.encodeWithSelector(IPool.TermOutOfRange.selector, 0, 1 days, 365 days));
        pool.quote(PLAIN, sum, inception, uint64(block.timestamp / DAY * DAY));
        expectRevert(abi.encodeWithSelector(IPool.WrongInception.selector, inception, inception - 1));
        pool.quote(PLAIN, sum, inception - 1, expiry);
        uint256 cap = 400_000 * UNIT;
        expectRevert(abi.encodeWithSelector(IPool.CapExceeded.selector, PLAIN, cap + 1, cap));
        pool.quote(PLAIN, uint128(cap + 1), inception, expiry);
        uint256 price = pool.quote(PLAIN, sum, inception, expiry);
        expectRevert(abi.encodeWithSelector(IPool.WrongPremium.selector, price, price - 1));
        pool.sell(PLAIN, sum, inception, expiry, price - 1);
        vm.prank(alice);
        expectRevert(abi.encodeWithSelector(IPool.NotPolicies.selector, alice));
        pool.sell(PLAIN, sum, inception, expiry, price);
    }

    function test_sales_in_all_products_stay_within_the_capital() public {
        _buy(PLAIN, 400_000 * UNIT, 60);
        _buy(LIMITED, 300_000 * UNIT, 60);
        _deposit(junior, curator, 20_000 * UNIT);
        _nextEpoch();
        _claim(junior, curator);
        vm.startPrank(curator);
        pool.lock(10_000 * UNIT * 1e6);
        pool.setProduct(OTHER, uint128(400_000 * UNIT), 0.02e18);
        vm.stopPrank();
        _pass(28 days);
        pool.accrue();
        assertEq(pool.state().exposure, 700_000 * UNIT);
        uint64 inception = uint64(block.timestamp) + WAITING;
        uint64 expiry = uint64((inception / DAY + 31) * DAY);
        uint256 wanted = 700_000 * UNIT + 399_999 * UNIT;
        expectRevert(abi.encodeWithSelector(IPool.CapacityExceeded.selector, wanted, pool.capital() * 2));
        pool.quote(OTHER, uint128(399_999 * UNIT), inception, expiry);
    }

    function test_premium_streams_over_the_term_and_to_the_unit() public {
        uint256 capital = pool.capital();
        Sale memory sale = _buy(PLAIN, 123_456 * UNIT + 789, 30);
        uint256 span = sale.expiry - block.timestamp;
        _checkMoney();
        _pass(span / 2);
        pool.accrue();
        assertApproxEqAbs(pool.capital() - capital, sale.premium / 2, sale.premium / 1_000);
        _pass(span);
        pool.accrue();
        assertEq(pool.capital() - capital, sale.premium);
        assertEq(pool.state().unearnedScaled, 0);
        _checkMoney();
    }

    function test_what_is_earned_is_split_by_weight_and_size() public {
        Sale memory sale = _buy(PLAIN, 100_000 * UNIT, 30);
        uint256[4] memory before = [_layer(0), _layer(1), _layer(2), _layer(3)];
        _pass(60 days);
        pool.accrue();
        // Weights times layers: 5 * 100 : 3 * 100 : 2 * 300.
        uint256 rest = sale.premium - sale.premium / 10;
        assertApproxEqAbs(_layer(0) - before[0], sale.premium / 10, 2);
        assertApproxEqAbs(_layer(1) - before[1], rest * 500 / 1_400, 1_000);
        assertApproxEqAbs(_layer(2) - before[2], rest * 300 / 1_400, 1_000);
        assertApproxEqAbs(_layer(3) - before[3], rest * 600 / 1_400, 1_000);
    }

    function test_refund_is_pro_rata_after_the_minimum_and_for_the_unpaid_part() public {
        Sale memory sale = _buy(PLAIN, 100_000 * UNIT, 30);
        uint256 span = sale.expiry - sale.purchased;
        uint256 whole = sale.rate * (sale.expiry - sale.purchased - 7 days) / 1e18;
        uint256 snapshot = vm.snapshotState();
        assertEq(_cancel(sale, sale.purchased + 7 days), whole);
        assertEq(coin.balanceOf(holder), whole);
        assertApproxEqAbs(whole, sale.premium * (span - 7 days) / span, 2);
        _checkMoney();
        vm.revertToState(snapshot);
        sale.sum = sale.sum / 2;
        sale.rate = sale.rate / 2;
        assertEq(_cancel(sale, 0), sale.rate * (sale.expiry - sale.purchased) / 1e18);
        _checkMoney();
    }

    // ----- exposure by day -----

    /// @dev Hole "bucket edge that oversells": one second too early and the sum of an old policy is sold again while
    ///      an incident of its cover may still be opened.
    function test_bucket_edge_that_oversells() public {
        Sale memory sale = _buy(PLAIN, 400_000 * UNIT, 30);
        vm.warp(sale.expiry + WINDOW - 1);
        pool.accrue();
        assertEq(pool.underwriting(PLAIN).exposure, 400_000 * UNIT);
        assertEq(pool.state().exposure, 400_000 * UNIT);
        uint64 inception = uint64(block.timestamp) + WAITING;
        expectRevert(
            abi.encodeWithSelector(IPool.CapExceeded.selector, PLAIN, 400_000 * UNIT + 1, 400_000 * UNIT)
        );
        pool.quote(PLAIN, 1, inception, uint64((inception / DAY + 31) * DAY));
        vm.warp(sale.expiry + WINDOW);
        pool.accrue();
        assertEq(pool.underwriting(PLAIN).exposure, 0);
        assertEq(pool.state().exposure, 0);
        _buy(PLAIN, 400_000 * UNIT, 30);
    }

    function test_cover_is_in_force_from_inception_to_the_second_before_expiry() public {
        Sale memory sale = _buy(PLAIN, 100, 30);
        assertEq(pool.inForce(PLAIN, sale.inception - 1), 0);
        vm.warp(sale.expiry + 3 * DAY);
        for (uint256 i; i < 2; ++i) {
            assertEq(pool.inForce(PLAIN, sale.inception - 1), 0);
            assertEq(pool.inForce(PLAIN, sale.inception), 100);
            assertEq(pool.inForce(PLAIN, sale.expiry - 1), 100);
            assertEq(pool.inForce(PLAIN, sale.expiry), 0);
            // The same after the days were rolled by another sale.
            _buy(PLAIN, 7, 30);
        }
    }

    /// @dev Against a plain list of policies: sums in force at any past second, exposure by product and pool.
    function test_exposure_agrees_with_a_list_of_policies(uint256 seed) public {
        for (uint256 i; i < 24; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            if (seed % 3 == 0 && _sales.length != 0) {
                _end(seed >> 8);
            } else {
                _sales.push(_buy(PLAIN, 1 + (seed >> 8) % 1_000, 1 + (seed >> 64) % 60));
                _ended.push(0);
            }
            _pass((seed >> 128) % 12 days);
            pool.accrue();
            assertEq(pool.underwriting(PLAIN).exposure, _exposureNow());
            assertEq(pool.state().exposure, _exposureNow());
            uint256 then = block.timestamp - (seed >> 160) % 40 days;
            assertEq(pool.inForce(PLAIN, then), _inForceAt(then));
            _checkMoney();
        }
    }

    function test_a_pool_left_alone_for_years_catches_up() public {
        Sale memory sale = _buy(PLAIN, 100_000 * UNIT, 365);
        _pass(4_000 days);
        uint256 capital = pool.capital();
        pool.accrue();
        assertEq(pool.capital(), capital + sale.premium);
        assertEq(pool.state().exposure, 0);
        assertEq(pool.state().streamRate, 0);
        _buy(PLAIN, 400_000 * UNIT, 30);
        _checkMoney();
    }

    function _end(uint256 pick) private {
        uint256 i = pick % _sales.length;
        Sale memory sale = _sales[i];
        if (_ended[i] != 0 || block.timestamp < sale.inception || block.timestamp >= sale.expiry) return;
        _cancel(sale, sale.purchased + 7 days);
        _ended[i] = block.timestamp;
    }

    function _exposureNow() private view returns (uint256 sum) {
        for (uint256 i; i < _sales.length; ++i) {
            if (_ended[i] == 0 && block.timestamp < _sales[i].expiry + WINDOW) sum += _sales[i].sum;
        }
    }

    function _inForceAt(uint256 time) private view returns (uint256 sum) {
        for (uint256 i; i < _sales.length; ++i) {
            bool alive = _ended[i] == 0 || time < _ended[i];
            if (alive && _sales[i].inception <= time && time < _sales[i].expiry) sum += _sales[i].sum;
        }
    }
}
