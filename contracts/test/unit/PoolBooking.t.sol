// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Booking, IPool} from "breakwater/interfaces/IPool.sol";
import {Status} from "breakwater/interfaces/IIncidents.sol";
import {PoolSetup} from "./PoolSetup.t.sol";

/// @notice Reserves, payments, shortfall, releases and the instant lane.
contract PoolBookingTest is PoolSetup {
    function setUp() public override {
        super.setUp();
        _fund();
    }

    function _within(Sale memory sale) private {
        vm.warp(sale.inception + 1 hours);
        pool.accrue();
    }

    // ----- reserving -----

    function test_booking_reserves_what_was_in_force_at_the_onset() public {
        Sale memory sale = _buy(PLAIN, 150_000 * UNIT, 30);
        _within(sale);
        uint256[4] memory before = [_layer(0), _layer(1), _layer(2), _layer(3)];
        // Bought before the onset, but not incepted: not covered, not reserved.
        _buy(PLAIN, 70_000 * UNIT, 30);
        _open(1, GAUGE, 0.8e18);
        Booking memory b = pool.booking(1);
        assertEq(b.reserved, 120_000 * UNIT);
        assertEq(b.funded, 120_000 * UNIT);
        assertEq(pool.fraction(1, PLAIN), 0.8e18);
        // Surplus first, then all of junior, then mezzanine; senior is not touched.
        assertGe(b.charged[0], before[0]);
        assertGe(b.charged[1], before[1]);
        assertEq(b.charged[0] + b.charged[1] + b.charged[2], 120_000 * UNIT);
        assertEq(b.charged[3], 0);
        assertEq(_layer(0) + _layer(1), 0);
        assertGe(_layer(3), before[3]);
        _checkMoney();
    }

    function test_event_limit_and_deductible_make_one_fraction() public {
        Sale memory sale = _buy(LIMITED, 100_000 * UNIT, 30);
        _within(sale);
        // Deductible 10 %: (0.4 - 0.1) / 0.9 = a third, below the limit of a half.
        _open(1, GAUGE, 0.4e18);
        assertEq(pool.fraction(1, LIMITED), uint256(0.3e18) / 9 * 10 + 3);
        // (0.82 - 0.1) / 0.9 = 0.8, above the limit of 50,000.
        _book(1, GAUGE, pool.booking(1).onsetTime, 0.82e18);
        assertEq(pool.fraction(1, LIMITED), 0.5e18);
        assertEq(pool.booking(1).reserved, 50_000 * UNIT);
        _book(1, GAUGE, pool.booking(1).onsetTime, 0.1e18);
        assertEq(pool.booking(1).reserved, 0);
        assertEq(pool.booking(1).funded, 0);
        _checkMoney();
    }

    function test_nothing_in_force_books_nothing() public {
        _open(1, GAUGE, 0.5e18);
        assertEq(pool.booking(1).openedAt, 0);
        assertEq(pool.state().dwelling, 0);
        expectRevert(abi.encodeWithSelector(IPool.UnknownBooking.selector, 1));
        pool.closeBooking(1);
    }

    function test_only_incidents_books() public {
        expectRevert(abi.encodeWithSelector(IPool.NotIncidents.selector, address(this)));
        pool.book(1, GAUGE, 1, 1, 1);
        expectRevert(abi.encodeWithSelector(IPool.NotIncidents.selector, address(this)));
        pool.settleBooking(1);
    }

    function test_raising_and_lowering_runs_back_in_reverse(uint256 first, uint256 second) public {
        first = bound(first, 0.01e18, 1e18);
        second = bound(second, 0.01e18, 1e18);
        _within(_buy(PLAIN, 400_000 * UNIT, 30));
        uint256 snapshot = vm.snapshotState();
        _open(1, GAUGE, second);
        Booking memory once = pool.booking(1);
        vm.revertToState(snapshot);
        _open(2, GAUGE, first);
        _book(2, GAUGE, pool.booking(2).onsetTime, second);
        Booking memory twice = pool.booking(2);
        for (uint256 i; i < 4; ++i) {
            assertEq(twice.charged[i], once.charged[i]);
        }
        _checkMoney();
    }

    function test_void_gives_everything_back_to_those_who_bore_it() public {
        _within(_buy(PLAIN, 60_000 * UNIT, 30));
        uint256 aliceBefore = junior.convertToAssets(junior.balanceOf(alice));
        _open(1, GAUGE, 0.5e18);
        assertLt(junior.convertToAssets(junior.balanceOf(alice)), aliceBefore);
        _void(1, GAUGE);
        junior.claimRecovery(1, alice);
        assertApproxEqAbs(junior.convertToAssets(junior.balanceOf(alice)), aliceBefore, 2_000);
        assertEq(pool.booking(1).funded, 0);
        assertEq(pool.state().dwelling, 0);
        _checkMoney();
    }

    /// @dev A second incident finds what the first left, and payments of the first leave its exposure.
    function test_second_incident_reserves_exposure_less_payments() public {
        Sale memory sale = _buy(PLAIN, 60_000 * UNIT, 30);
        _within(sale);
        _open(1, GAUGE, 0.5e18);
        _settleBooking(1);
        assertEq(_pay(1, sale, 0, uint128(30_000 * UNIT), 0), 30_000 * UNIT);
        assertEq(pool.state().exposure, 30_000 * UNIT);
        _pass(1 days);
        _open(2, GAUGE, 0.5e18);
        assertEq(pool.booking(2).reserved, 15_000 * UNIT);
        _checkMoney();
    }

    // ----- paying -----

    function test_payment_splits_the_bounty_and_closing_gives_back_the_rest() public {
        Sale memory sale = _buy(PLAIN, 80_000 * UNIT, 30);
        _within(sale);
        _open(1, GAUGE, 0.5e18);
        _settleBooking(1);
        assertEq(_pay(1, sale, 0, uint128(10_000 * UNIT), 0), 10_000 * UNIT);
        assertEq(coin.balanceOf(opener), 50 * UNIT);
        assertEq(coin.balanceOf(settler), 50 * UNIT);
        assertEq(coin.balanceOf(holder), 9_900 * UNIT);
        _checkMoney();
        uint256 claimsEnd = pool.state().accruedTo + 14 days;
        _status(1, Status.Final, uint32(claimsEnd));
        expectRevert(abi.encodeWithSelector(IPool.ClaimsOpen.selector, 1, claimsEnd));
        pool.closeBooking(1);
        vm.warp(claimsEnd + 1);
        pool.closeBooking(1);
        Booking memory b = pool.booking(1);
        assertEq(b.reserved, 10_000 * UNIT);
        assertEq(b.funded, b.paid);
        assertGt(junior.claimRecovery(1, alice), 0);
        expectRevert(abi.encodeWithSelector(IPool.BookingIsClosed.selector, 1));
        pool.closeBooking(1);
        _checkMoney();
    }

    function test_bounties_stay_with_a_holder_who_settles() public {
        Sale memory sale = _buy(PLAIN, 80_000 * UNIT, 30);
        _within(sale);
        _open(1, GAUGE, 0.5e18);
        _settleBooking(1);
        settler = holder;
        _pay(1, sale, 0, uint128(10_000 * UNIT), 0);
        assertEq(coin.balanceOf(holder), 9_950 * UNIT);
    }

    /// @dev Everyone gets the same fraction, whoever comes first, and the pool closes once that is known.
    function test_shortfall_pays_one_fraction_and_closes_the_pool() public {
        (Sale memory a, Sale memory b) = _shortPool();
        uint256 funded = pool.booking(1).funded;
        assertLt(funded, 600_000 * UNIT);
        uint128 dueA = uint128(400_000 * UNIT);
        uint128 dueB = uint128(200_000 * UNIT);
        uint256 paidA = _pay(1, a, 0, dueA, 0);
        assertEq(paidA, uint256(dueA) * funded / (600_000 * UNIT));
        assertEq(pool.closedAt(), 0);
        uint256 paidB = _pay(1, b, 0, dueB, 0);
        assertEq(paidB, uint256(dueB) * funded / (600_000 * UNIT));
        assertEq(pool.closedAt(), block.timestamp);
        assertLe(paidA + paidB, funded);
        expectRevert(abi.encodeWithSelector(IPool.PoolIsClosed.selector, block.timestamp));
        pool.quote(PLAIN, 1, uint64(block.timestamp) + WAITING, uint64(block.timestamp / DAY * DAY + 9 days));
        _checkMoney();
    }

    /// @dev Releases first fill bookings that are short; the fraction rises and everyone is paid the difference.
    function test_a_release_fills_the_short_booking_first() public {
        Sale memory other = _buy(OTHER, 200_000 * UNIT, 30);
        (Sale memory a,) = _shortPool(other);
        // The first incident took 200,000 of the capital; now it turns out to be nothing.
        uint256 funded = pool.booking(1).funded;
        uint128 due = uint128(400_000 * UNIT);
        uint256 paid = _pay(1, a, 0, due, 0);
        assertEq(pool.shortBookings().length, 1);
        _void(2, OTHER_GAUGE);
        Booking memory b = pool.booking(1);
        assertEq(b.funded, Math_min(funded + 200_000 * UNIT, 600_000 * UNIT));
        assertEq(b.charged[0] + b.charged[1] + b.charged[2] + b.charged[3], b.funded);
        uint256 more = _pay(1, a, due, due, uint128(paid));
        assertEq(paid + more, uint256(due) * b.funded / (600_000 * UNIT));
        _checkMoney();
    }

    function test_closed_pool_refunds_without_the_minimum() public {
        Sale memory spare = _buy(OTHER, 1_000 * UNIT, 30);
        (Sale memory a, Sale memory b) = _shortPool();
        _pay(1, a, 0, uint128(400_000 * UNIT), 0);
        _pay(1, b, 0, uint128(200_000 * UNIT), 0);
        uint256 refund = _cancel(spare, type(uint64).max);
        assertEq(refund, spare.rate * (spare.expiry - block.timestamp) / 1e18);
        _checkMoney();
    }

    function _shortPool() private returns (Sale memory a, Sale memory b) {
        return _shortPool(_buy(OTHER, 1 * UNIT, 30));
    }

    /// @dev 600,000 reserved on one gauge with 500,000 and a little in the pool; `other` is lost before, if it counts.
    function _shortPool(Sale memory other) private returns (Sale memory a, Sale memory b) {
        a = _buy(PLAIN, 400_000 * UNIT, 30);
        world.list("third", _terms(GAUGE, 0, 0));
        vm.prank(curator);
        pool.setProduct(LIMITED, 0, 0.02e18);
        vm.prank(curator);
        pool.setProduct("third", uint128(200_000 * UNIT), 0.02e18);
        _pass(28 days);
        b = _buy("third", 200_000 * UNIT, 60);
        // The first two ran for 28 of their 30 days.
        vm.warp(Math_max(b.inception, a.inception) + 1);
        assertLt(block.timestamp, a.expiry);
        if (other.sum > UNIT) _open(2, OTHER_GAUGE, 1e18);
        _open(1, GAUGE, 1e18);
        _settleBooking(1);
    }

    function Math_min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    function Math_max(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a : b;
    }

    // ----- the instant lane -----

    function test_instant_payment_is_at_most_the_curators_lock() public {
        Sale memory sale = _buy(PLAIN, 40_000 * UNIT, 30);
        _within(sale);
        _open(1, GAUGE, 0.5e18);
        uint256 budget = pool.instantBudget(1);
        // The reserve of 20,000 left four fifths of junior; half of that is the curator's.
        assertApproxEqAbs(budget, 20_000 * UNIT, 1_000 * UNIT);
        uint256 paid = _pay(1, sale, 0, uint128(15_000 * UNIT), 0);
        assertEq(paid, 15_000 * UNIT);
        assertEq(pool.state().instantOutstanding, 15_000 * UNIT);
        assertEq(pool.instantBudget(1), 5_000 * UNIT);
        vm.prank(curator);
        expectRevert(IPool.LockTooSmall.selector);
        pool.unlock(1);
        _settleBooking(1);
        assertEq(pool.state().instantOutstanding, 0);
        assertEq(
            _pay(1, sale, uint128(15_000 * UNIT), uint128(20_000 * UNIT), uint128(15_000 * UNIT)),
            5_000 * UNIT
        );
        _checkMoney();
    }

    /// @dev What was paid in error is borne by the curator; the price of the other juniors stays.
    function test_a_void_after_an_instant_payment_costs_the_curator_alone() public {
        Sale memory sale = _buy(PLAIN, 40_000 * UNIT, 30);
        _within(sale);
        uint256 aliceBefore = junior.convertToAssets(junior.balanceOf(alice));
        uint256 curatorBefore = junior.convertToAssets(junior.balanceOf(curator));
        _open(1, GAUGE, 0.5e18);
        _pay(1, sale, 0, uint128(8_000 * UNIT), 0);
        uint256 returned = _book(1, GAUGE, pool.booking(1).onsetTime, 0);
        assertEq(returned, 8_000 * UNIT);
        junior.claimRecovery(1, alice);
        junior.claimRecovery(1, curator);
        assertApproxEqAbs(junior.convertToAssets(junior.balanceOf(alice)), aliceBefore, 2_000);
        assertApproxEqAbs(
            junior.convertToAssets(junior.balanceOf(curator)), curatorBefore - 8_000 * UNIT, 2_000
        );
        Booking memory b = pool.booking(1);
        assertEq(b.paid + b.due + b.funded + b.instantPaid, 0);
        assertEq(pool.state().instantOutstanding, 0);
        _checkMoney();
    }

    function test_a_lower_loss_leaves_the_reserve_whole_for_the_others() public {
        Sale memory paid = _buy(PLAIN, 20_000 * UNIT, 30);
        Sale memory unpaid = _buy(PLAIN, 20_000 * UNIT, 30);
        _within(paid);
        _open(1, GAUGE, 1e18);
        _pay(1, paid, 0, uint128(10_000 * UNIT), 0);
        _book(1, GAUGE, pool.booking(1).onsetTime, 0.25e18);
        // 10,000 are reserved; of the 10,000 that were paid at 1 a quarter is still owed.
        assertEq(pool.booking(1).paid, 2_500 * UNIT);
        _settleBooking(1);
        assertEq(_pay(1, unpaid, 0, uint128(5_000 * UNIT), 0), 5_000 * UNIT);
        _checkMoney();
        _status(1, Status.Final, uint32(block.timestamp - 1));
        pool.closeBooking(1);
        assertEq(pool.booking(1).funded, 7_500 * UNIT);
        _checkMoney();
    }

    /// @dev Hole "unlocked while disputed": what is disputed may be found to be less, and the curator bears it then.
    function test_the_lock_binds_until_a_dispute_is_decided() public {
        Sale memory sale = _buy(PLAIN, 40_000 * UNIT, 30);
        _within(sale);
        _open(1, GAUGE, 0.5e18);
        _pay(1, sale, 0, uint128(15_000 * UNIT), 0);
        _pass(12);
        _status(1, Status.Disputed, 0);
        vm.prank(address(world));
        pool.settleBooking(1);
        assertTrue(pool.booking(1).settled);
        assertEq(pool.state().dwelling, 0);
        assertEq(pool.state().instantOutstanding, 15_000 * UNIT);
        vm.startPrank(curator);
        pool.setProduct(PLAIN, 0, 1e18);
        pool.setProduct(LIMITED, 0, 1e18);
        pool.setProduct(OTHER, 0, 1e18);
        uint256 locked = pool.locked();
        expectRevert(abi.encodeWithSelector(IPool.LockTooSmall.selector, 15_000 * UNIT, 0));
        pool.unlock(locked);
        vm.stopPrank();
        _status(1, Status.Final, uint32(block.timestamp + 14 days));
        uint256 price = junior.convertToAssets(1e18);
        _book(1, GAUGE, pool.booking(1).onsetTime, 0.25e18);
        assertLt(pool.locked(), locked);
        assertApproxEqAbs(junior.convertToAssets(1e18), price, 1);
        assertEq(pool.state().instantOutstanding, 7_500 * UNIT);
        vm.expectEmit(address(pool));
        emit IPool.LockFreed(1);
        vm.prank(address(world));
        pool.settleBooking(1);
        assertEq(pool.state().instantOutstanding, 0);
        _checkMoney();
    }

    /// @dev Hole "caps lowered, cover kept": the curator's stake stays as long as what he sold is in force.
    function test_a_lowered_cap_frees_no_stake_of_cover_in_force() public {
        Sale memory sale = _buy(PLAIN, 300_000 * UNIT, 30);
        vm.startPrank(curator);
        pool.setProduct(PLAIN, 0, 1e18);
        pool.setProduct(LIMITED, 0, 1e18);
        pool.setProduct(OTHER, 0, 1e18);
        uint256 locked = pool.locked();
        expectRevert(abi.encodeWithSelector(IPool.LockTooSmall.selector, 15_000 * UNIT, 0));
        pool.unlock(locked);
        vm.warp(sale.expiry + WINDOW);
        pool.unlock(locked);
        vm.stopPrank();
    }

    /// @dev Where junior cannot bear what was paid in error, the layers above do: whoever is owed finds all of it.
    function test_nobody_else_finds_less_where_nobody_bears_an_excess() public {
        Sale memory early = _buy(PLAIN, 200_000 * UNIT, 60);
        _within(early);
        uint64 before = uint64(block.timestamp);
        Sale memory late = _buy(PLAIN, 40_000 * UNIT, 60);
        _within(late);
        _open(1, GAUGE, 0.1e18);
        assertEq(_pay(1, late, 0, uint128(4_000 * UNIT), 0), 4_000 * UNIT);
        // An earlier onset leaves him out, and the loss takes junior whole.
        _book(1, GAUGE, before, 0.9e18);
        assertEq(_layer(1), 0);
        Booking memory b = pool.booking(1);
        assertEq(b.reserved, 180_000 * UNIT);
        assertEq(b.funded, 184_000 * UNIT);
        assertEq(b.paid, 4_000 * UNIT);
        _checkMoney();
        _settleBooking(1);
        assertEq(_pay(1, early, 0, uint128(180_000 * UNIT), 0), 180_000 * UNIT);
        assertEq(pool.closedAt(), 0);
        _status(1, Status.Final, uint32(block.timestamp - 1));
        pool.closeBooking(1);
        assertEq(pool.booking(1).funded, 184_000 * UNIT);
        _checkMoney();
    }

    /// @dev Junior may be gone by the time the curator should bear: what nobody bears stays charged.
    function test_money_holds_when_junior_cannot_bear_the_instant_payment() public {
        Sale memory sale = _buy(PLAIN, 40_000 * UNIT, 30);
        Sale memory other = _buy(OTHER, 300_000 * UNIT, 30);
        _within(other);
        _open(1, GAUGE, 0.5e18);
        _pay(1, sale, 0, uint128(12_000 * UNIT), 0);
        _open(2, OTHER_GAUGE, 1e18);
        assertEq(_layer(1), 0);
        _checkMoney();
        _void(1, GAUGE);
        _checkMoney();
        _void(2, OTHER_GAUGE);
        _checkMoney();
    }

    /// @dev Whatever is booked, paid at once, booked again and voided, on two gauges: no unit is lost or made.
    function test_money_identity_over_random_bookings(uint256 seed) public {
        Sale[2] memory sales = [_buy(PLAIN, 300_000 * UNIT, 60), _buy(OTHER, 280_000 * UNIT, 60)];
        bytes32[2] memory gauges = [GAUGE, OTHER_GAUGE];
        _within(sales[1]);
        uint128[2] memory paid;
        bool[2] memory open;
        for (uint256 i; i < 20; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 k = seed & 1;
            if (!open[k]) {
                _open(k + 1, gauges[k], 0.01e18 + (seed >> 8) % 0.99e18);
                if (booked.length > 2) booked.pop();
                open[k] = true;
            } else if (seed >> 1 & 1 == 0) {
                uint128 wanted = uint128((seed >> 8) % (30_000 * UNIT));
                uint256 budget = pool.instantBudget(k + 1);
                if (wanted > budget) wanted = uint128(budget);
                if (wanted == 0 || sales[k].sum < paid[k] + wanted) continue;
                paid[k] += uint128(_pay(k + 1, sales[k], paid[k], paid[k] + wanted, paid[k]));
            } else {
                uint256 lambda = seed >> 2 & 3 == 0 ? 0 : (seed >> 8) % 1e18;
                _book(k + 1, gauges[k], pool.booking(k + 1).onsetTime, lambda);
            }
            _checkMoney();
            Booking memory b = pool.booking(k + 1);
            assertLe(b.paid, b.funded);
            assertEq(b.charged[0] + b.charged[1] + b.charged[2] + b.charged[3], b.funded);
            _pass(60);
        }
    }
}
