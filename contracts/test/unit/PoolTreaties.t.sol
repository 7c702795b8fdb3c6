// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Booking, IPool} from "breakwater/interfaces/IPool.sol";
import {ITranche} from "breakwater/interfaces/ITranche.sol";
import {Cession, ITreaty, TreatyTerms} from "breakwater/interfaces/ITreaty.sol";
import {Tranche} from "breakwater/core/Tranche.sol";
import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Treaty} from "breakwater/reinsurance/Treaty.sol";
import {TreatyFactory} from "breakwater/reinsurance/TreatyFactory.sol";
import {PoolSetup} from "./PoolSetup.t.sol";

/// @notice What a pool cedes, counts on, draws, and gets back.
contract PoolTreatiesTest is PoolSetup {
    TreatyFactory internal treaties;
    address internal treasury = makeAddr("treasury");

    function setUp() public override {
        super.setUp();
        _fund();
        treaties = TreatyFactory(pool.treatyFactory());
    }

    // ----- bearing -----

    function test_a_quota_share_bears_its_part_and_pays_with_the_pool() public {
        Treaty half = _cede(_quota(5_000), 100_000 * UNIT);
        Sale memory sale = _incepted(60_000 * UNIT);
        _open(1, GAUGE, 0.5e18);
        Booking memory b = pool.booking(1);
        assertEq(b.reserved, 30_000 * UNIT);
        assertEq(b.funded, 30_000 * UNIT);
        assertEq(half.encumbered(), 15_000 * UNIT);
        // A unit less is counted on, so the layers bear it until claims are over.
        assertEq(b.ceded, 15_000 * UNIT - 1);
        assertEq(_charged(b), 15_000 * UNIT + 1);
        _checkMoney();
        _settleBooking(1);
        assertEq(_pay(1, sale, 0, uint128(20_001 * UNIT + 1), 0), 20_001 * UNIT + 1);
        assertEq(pool.booking(1).drawn, 10_000 * UNIT + UNIT / 2);
        _checkMoney();
        _close(1);
        b = pool.booking(1);
        assertEq(b.ceded, b.drawn);
        assertEq(b.funded, b.due);
        assertEq(half.encumbered(), 0);
        assertEq(half.totalAssets(), 100_000 * UNIT - b.drawn);
        assertEq(_charged(b), b.due - b.drawn);
        _checkMoney();
    }

    function test_an_attachment_above_mezzanine_comes_before_senior() public {
        uint128 attachment = uint128(200_000 * UNIT);
        Treaty above = _cede(_excess(attachment, 50_000 * UNIT), 50_000 * UNIT);
        _incepted(400_000 * UNIT);
        // Surplus, junior and mezzanine hold a little more than the attachment.
        _open(1, GAUGE, 0.5e18);
        assertEq(above.encumbered(), 0);
        assertEq(pool.booking(1).charged[3], 0);
        _book(1, GAUGE, pool.booking(1).onsetTime, 0.6e18);
        assertEq(above.encumbered(), 40_000 * UNIT);
        assertEq(pool.booking(1).charged[3], 0, "the treaty before senior");
        _book(1, GAUGE, pool.booking(1).onsetTime, 0.8e18);
        assertEq(above.encumbered(), 50_000 * UNIT);
        assertGt(pool.booking(1).charged[3], 0);
        _checkMoney();
    }

    function test_raising_and_lowering_with_treaties_runs_back_in_reverse(uint256 first, uint256 second)
        public
    {
        first = bound(first, 0.01e18, 1e18);
        second = bound(second, 0.01e18, 1e18);
        _cede(_quota(3_000), 60_000 * UNIT);
        _cedeTo(_excess(uint128(90_000 * UNIT), 100_000 * UNIT), 100_000 * UNIT);
        _incepted(400_000 * UNIT);
        uint256 snapshot = vm.snapshotState();
        _open(1, GAUGE, second);
        Booking memory once = pool.booking(1);
        vm.revertToState(snapshot);
        _open(2, GAUGE, first);
        _book(2, GAUGE, pool.booking(2).onsetTime, second);
        Booking memory twice = pool.booking(2);
        assertEq(twice.ceded, once.ceded);
        for (uint256 i; i < 4; ++i) {
            assertEq(twice.charged[i], once.charged[i]);
        }
        assertEq(twice.funded, once.funded);
        _checkMoney();
    }

    function test_a_void_frees_the_treaty_and_the_layers() public {
        Treaty half = _cede(_quota(5_000), 100_000 * UNIT);
        _incepted(60_000 * UNIT);
        _open(1, GAUGE, 0.5e18);
        uint256 capital = pool.capital();
        _void(1, GAUGE);
        assertEq(half.encumbered(), 0);
        assertEq(pool.capital() - capital, 15_000 * UNIT + 1);
        assertEq(pool.booking(1).funded, 0);
        _checkMoney();
    }

    function test_a_treaty_short_of_collateral_leaves_the_rest_to_the_layers() public {
        Treaty half = _cede(_quota(5_000), 1_000 * UNIT);
        Sale memory sale = _incepted(60_000 * UNIT);
        _open(1, GAUGE, 0.5e18);
        assertEq(half.cession(1).shortBy, 14_000 * UNIT);
        assertEq(pool.booking(1).funded, 30_000 * UNIT);
        _settleBooking(1);
        assertEq(_pay(1, sale, 0, uint128(30_000 * UNIT), 0), 30_000 * UNIT);
        assertEq(pool.booking(1).drawn, 1_000 * UNIT);
        _checkMoney();
    }

    /// @dev However odd the parts of four treaties, everyone is paid to the unit, and nothing is left over.
    function test_fuzz_layers_and_draws_pay_every_unit(uint256 seed) public {
        for (uint256 i; i < 4; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            TreatyTerms memory t = _quota(uint16(1 + r % 2_500));
            t.attachment = uint128((r >> 16) % (20_000 * UNIT));
            t.limit = uint128(1 + (r >> 64) % (60_000 * UNIT));
            t.aggregate = (r >> 128) % 2 == 1;
            if (t.aggregate) t.yearlyLimit = uint128(uint256(t.limit) * t.shareBps / 10_000);
            if (t.yearlyLimit == 0) t.yearlyLimit = 1;
            if (t.aggregate && uint256(t.limit) * t.shareBps < 10_000) t.limit = uint128(10_000 * UNIT);
            _cedeTo(t, 1 + (r >> 160) % (30_000 * UNIT));
        }
        _pass(28 days);
        Sale memory sale = _incepted(100_000 * UNIT);
        _open(1, GAUGE, bound(seed, 0.01e18, 1e18));
        _book(1, GAUGE, pool.booking(1).onsetTime, bound(seed >> 128, 0.01e18, 1e18));
        _checkMoney();
        _settleBooking(1);
        Booking memory b = pool.booking(1);
        assertEq(b.funded, b.reserved);
        uint128 paid;
        for (uint256 i; i < 5; ++i) {
            uint128 due = i == 4
                ? b.reserved
                : uint128(paid + (uint256(keccak256(abi.encode(seed, i))) % (b.reserved - paid)));
            if (i == 4 && seed % 3 == 0) break;
            assertEq(_pay(1, sale, paid, due, paid), due - paid, "nobody waits for a treaty");
            paid = due;
            _checkMoney();
        }
        _close(1);
        b = pool.booking(1);
        assertEq(b.funded, b.paid);
        assertEq(b.drawn, b.ceded);
        uint256 sum;
        for (uint256 i; i < 4; ++i) {
            Treaty treaty = Treaty(pool.treaties()[i]);
            Cession memory c = treaty.cession(1);
            assertEq(treaty.encumbered(), 0);
            assertLe(uint256(c.drawn) * 10_000, uint256(paid) * treaty.terms().shareBps);
            sum += c.drawn;
        }
        assertEq(sum, b.drawn);
        _checkMoney();
    }

    /// @dev A booking runs in sixteen pools in one transaction: what a treaty adds to each must stay small.
    function test_gas_of_a_booking_with_four_treaties() public {
        uint256 snapshot = vm.snapshotState();
        uint256 plain = _gasOfBooking("no treaty", _incepted(60_000 * UNIT));
        vm.revertToState(snapshot);
        for (uint256 i; i < 3; ++i) {
            _cedeTo(_quota(1_000), 10_000 * UNIT);
        }
        _cede(_quota(1_000), 10_000 * UNIT);
        assertLe(_gasOfBooking("four treaties", _incepted(60_000 * UNIT)) - plain, 600_000);
    }

    // ----- what could go wrong -----

    function test_instant_payments_do_not_spend_what_a_treaty_covers() public {
        Treaty most = _cede(_quota(9_000), 100_000 * UNIT);
        Sale memory sale = _incepted(60_000 * UNIT);
        _open(1, GAUGE, 0.5e18);
        // 30,000 reserved, of it 27,000 the treaty's: the dwell may spend what the layers gave.
        assertEq(pool.instantBudget(1), 3_000 * UNIT + 1);
        assertEq(_pay(1, sale, 0, uint128(3_000 * UNIT), 0), 3_000 * UNIT);
        assertEq(most.cession(1).drawn, 0);
        _checkMoney();
        // Halved: 1,500 would be the layers', but 3,000 are paid.
        _book(1, GAUGE, pool.booking(1).onsetTime, 0.25e18);
        _checkMoney();
        _settleBooking(1);
        uint128 paid = pool.booking(1).paid;
        assertEq(_pay(1, sale, paid, uint128(15_000 * UNIT), paid), 15_000 * UNIT - paid);
        assertEq(most.cession(1).drawn, 13_500 * UNIT);
        _checkMoney();
        _close(1);
        assertEq(pool.booking(1).funded, 15_000 * UNIT);
        _checkMoney();
    }

    function test_an_asset_that_does_not_reach_the_pool_delays_only_the_treatys_part() public {
        Treaty half = _cede(_quota(5_000), 100_000 * UNIT);
        Sale memory sale = _incepted(60_000 * UNIT);
        _open(1, GAUGE, 0.5e18);
        _settleBooking(1);
        coin.setBlocked(address(pool), true);
        uint128 due = uint128(30_000 * UNIT);
        uint256 paid = _pay(1, sale, 0, due, 0);
        assertEq(paid, 15_000 * UNIT + 1, "what the layers hold");
        _checkMoney();
        _close(1);
        assertEq(half.encumbered(), 15_000 * UNIT);
        _checkMoney();
        coin.setBlocked(address(pool), false);
        assertEq(_pay(1, sale, due, due, uint128(paid)), due - paid);
        assertEq(half.encumbered(), 0);
        _checkMoney();
    }

    function test_a_second_incident_finds_its_own_cover() public {
        Treaty half = _cede(_quota(5_000), 500_000 * UNIT);
        Sale memory sale = _incepted(400_000 * UNIT);
        Sale memory other = _otherSale;
        _open(1, GAUGE, 1e18);
        _settleBooking(1);
        assertEq(_pay(1, sale, 0, uint128(399_999 * UNIT), 0), 399_999 * UNIT);
        _open(2, OTHER_GAUGE, 1e18);
        _settleBooking(2);
        Booking memory b = pool.booking(2);
        assertEq(b.funded, b.reserved);
        assertEq(_pay(2, other, 0, b.reserved, 0), b.reserved);
        assertEq(half.cession(2).drawn, b.reserved / 2);
        _checkMoney();
    }

    function test_a_short_booking_is_paid_by_a_treatys_share_of_what_is_due() public {
        // The treaty bears a tenth; a loss of all that is insured leaves the layers short.
        Treaty tenth = _cede(_quota(1_000), 500_000 * UNIT);
        Sale memory sale = _incepted(400_000 * UNIT);
        Sale memory other = _otherSale;
        _open(1, GAUGE, 1e18);
        _open(2, OTHER_GAUGE, 1e18);
        _settleBooking(1);
        _settleBooking(2);
        assertEq(_pay(1, sale, 0, uint128(400_000 * UNIT), 0), 400_000 * UNIT);
        Booking memory b = pool.booking(2);
        assertLt(b.funded, b.reserved);
        uint128 due = b.reserved;
        uint256 paid = _pay(2, other, 0, due, 0);
        assertEq(paid, b.funded, "all that is counted on");
        assertEq(tenth.cession(2).drawn, due / 10);
        assertGt(pool.closedAt(), 0);
        _checkMoney();
        _close(1);
        _close(2);
        _checkMoney();
        // What comes back for the first goes to the short one before anybody else.
        uint256 missing = due - pool.booking(2).funded;
        assertEq(missing, due - paid - 2, "closing counts the treaty's last unit in each");
        uint256 senior_ = _layer(3);
        _recover(1, missing + 5);
        assertEq(_pay(2, other, due, due, uint128(paid)), due - paid);
        assertEq(_layer(3) - senior_, 5, "and only then to who bore it");
        _checkMoney();
    }

    /// @dev A dispute that ends lower after the undisputed part was paid.
    function test_a_settled_booking_that_is_lowered_keeps_what_was_drawn() public {
        Treaty half = _cede(_quota(5_000), 100_000 * UNIT);
        Sale memory sale = _incepted(60_000 * UNIT);
        _open(1, GAUGE, 0.5e18);
        _settleBooking(1);
        _pay(1, sale, 0, uint128(10_000 * UNIT), 0);
        _book(1, GAUGE, pool.booking(1).onsetTime, 0.25e18);
        assertEq(half.cession(1).covered, 7_500 * UNIT);
        assertEq(half.cession(1).drawn, 5_000 * UNIT);
        _checkMoney();
        assertEq(
            _pay(1, sale, uint128(10_000 * UNIT), uint128(15_000 * UNIT), uint128(10_000 * UNIT)),
            5_000 * UNIT
        );
        _checkMoney();
        _close(1);
        _checkMoney();
    }

    function test_nobody_deposits_or_leaves_while_the_pool_dwells() public {
        Treaty half = _cede(_excess(uint128(490_000 * UNIT), 1_000), 1_000);
        _incepted(60_000 * UNIT);
        _open(1, GAUGE, 0.5e18);
        assertEq(half.encumbered(), 0);
        assertEq(half.maxDeposit(bob), 0);
        vm.warp(half.terms().end + 30 days);
        assertEq(half.maxRedeem(treasury), 0);
        _settleBooking(1);
        assertEq(half.maxRedeem(treasury), half.balanceOf(treasury));
    }

    // ----- premium -----

    function test_premium_is_set_aside_and_sent_on_a_pull() public {
        Treaty half = _cede(_quota(5_000), 100_000 * UNIT);
        Sale memory sale = _buy(PLAIN, 100_000 * UNIT, 30);
        uint256 before = pool.premiumOf(address(half));
        _pass(10 days);
        pool.accrue();
        uint256 earned = sale.rate * 10 days / 1e18;
        uint256 set = pool.premiumOf(address(half)) - before;
        // A fifth by the terms.
        assertApproxEqAbs(set, earned / 5, 2);
        _checkMoney();
        uint128 sent = pool.payPremium(address(half));
        assertEq(half.totalAssets(), 100_000 * UNIT + sent);
        assertEq(pool.premiumOf(address(half)), 0);
        _checkMoney();
        // Nothing is set aside after the end.
        vm.warp(half.terms().end);
        pool.accrue();
        uint256 last = pool.premiumOf(address(half));
        _buy(PLAIN, 100_000 * UNIT, 30);
        _pass(10 days);
        pool.accrue();
        assertEq(pool.premiumOf(address(half)), last);
        assertEq(pool.payPremium(address(this)), 0);
        _checkMoney();
    }

    function test_premium_starts_with_the_treaty() public {
        Treaty half = _cedeTo(_quota(5_000), 100_000 * UNIT);
        _buy(PLAIN, 100_000 * UNIT, 60);
        vm.warp(half.terms().start - 1);
        pool.accrue();
        assertEq(pool.premiumOf(address(half)), 0);
        vm.warp(half.terms().start);
        pool.accrue();
        assertGt(pool.premiumOf(address(half)), 0);
        _checkMoney();
    }

    function test_a_premium_that_does_not_move_stays_set_aside() public {
        Treaty half = _cede(_quota(5_000), 100_000 * UNIT);
        _buy(PLAIN, 100_000 * UNIT, 30);
        _pass(10 days);
        coin.setBlocked(address(half), true);
        assertEq(pool.payPremium(address(half)), 0);
        assertGt(pool.premiumOf(address(half)), 0);
        _checkMoney();
    }

    // ----- attaching -----

    function test_only_the_curator_attaches_and_only_what_fits() public {
        TreatyTerms memory t = _quota(6_000);
        address treaty = treaties.make(t);
        expectRevert(abi.encodeWithSelector(IPool.NotCurator.selector, address(this)));
        pool.attachTreaty(treaty);
        _refuse(address(this), abi.encodeWithSelector(IPool.NotATreaty.selector, address(this)));
        t.start -= 1;
        _refuse(
            treaties.make(t), abi.encodeWithSelector(IPool.OutOfRange.selector, bytes32("start"), t.start)
        );
        _attach(treaty);
        _refuse(treaty, abi.encodeWithSelector(IPool.AlreadyCeding.selector, treaty));
        t = _quota(4_001);
        _refuse(
            treaties.make(t), abi.encodeWithSelector(IPool.OutOfRange.selector, bytes32("shareBps"), 10_001)
        );
        t = _quota(1_000);
        t.premiumBps = 8_001;
        _refuse(
            treaties.make(t), abi.encodeWithSelector(IPool.OutOfRange.selector, bytes32("premiumBps"), 10_001)
        );
        for (uint256 i; i < 3; ++i) {
            _attach(treaties.make(_quota(1)));
        }
        _refuse(treaties.make(_quota(1)), abi.encodeWithSelector(IPool.TooManyTreaties.selector, 4));
        t = _quota(1);
        config.epoch = 1 days;
        t.cedant = address(_deploy(config));
        address foreign = treaties.make(t);
        _refuse(foreign, abi.encodeWithSelector(IPool.NotATreaty.selector, foreign));
    }

    function test_a_treaty_is_detached_only_when_it_can_owe_nothing() public {
        Treaty first = _cede(_quota(5_000), 100_000 * UNIT);
        address second = treaties.make(_quota(1_000));
        _attach(second);
        (address third, address fourth) = (treaties.make(_quota(1)), treaties.make(_quota(1)));
        _attach(third);
        _attach(fourth);
        expectRevert(abi.encodeWithSelector(IPool.NotCeding.selector, address(this)));
        pool.detachTreaty(address(this));
        _incepted(60_000 * UNIT);
        _open(1, GAUGE, 0.5e18);
        uint256 until = uint256(first.terms().end) + 30 days;
        vm.warp(until - 1);
        _refuseDetach(address(first), until, 15_000 * UNIT);
        vm.warp(until);
        _refuseDetach(address(first), until, 15_000 * UNIT);
        _settleBooking(1);
        _refuseDetach(address(first), until, 15_000 * UNIT);
        _close(1);
        pool.detachTreaty(address(first));
        assertEq(pool.treaties().length, 3);
        assertEq(pool.treaties()[0], second);
        // The last, then the one in the middle of what is left.
        vm.warp(until + 28 days);
        pool.detachTreaty(third);
        assertEq(pool.treaties().length, 2);
        assertEq(pool.treaties()[1], fourth);
        pool.detachTreaty(fourth);
        assertEq(pool.treaties().length, 1);
        assertEq(pool.treaties()[0], second);
        assertEq(pool.premiumOf(address(first)), 0);
        _checkMoney();
        // What is recovered later still finds it.
        assertEq(pool.booking(1).due, 0);
    }

    // ----- recoveries -----

    function test_a_recovery_runs_back_up_the_line_of_those_who_bore_it() public {
        // Senior is reached: surplus, 100,000 junior, 100,000 mezzanine, 20,000 of the treaty, then senior.
        Treaty above = _cede(_excess(uint128(200_000 * UNIT), 20_000 * UNIT), 20_000 * UNIT);
        Sale memory sale = _incepted(400_000 * UNIT);
        _open(1, GAUGE, 0.75e18);
        _settleBooking(1);
        _pay(1, sale, 0, uint128(300_000 * UNIT), 0);
        expectRevert(abi.encodeWithSelector(IPool.BookingIsOpen.selector, 1));
        pool.recover(1, 1);
        _close(1);
        Booking memory b = pool.booking(1);
        uint256[4] memory layers = [_layer(0), _layer(1), _layer(2), _layer(3)];
        _recover(1, b.charged[3] - 7);
        assertEq(_layer(3) - layers[3], b.charged[3] - 7);
        _recover(1, 7 + 5_000 * UNIT);
        assertEq(_layer(3) - layers[3], b.charged[3]);
        assertEq(above.returns_(), 5_000 * UNIT);
        vm.prank(treasury);
        assertEq(above.claimReturn(1), 5_000 * UNIT);
        _recover(1, 15_000 * UNIT + b.charged[2]);
        assertEq(above.returns_(), 15_000 * UNIT);
        assertEq(_layer(2) - layers[2], b.charged[2]);
        assertEq(_layer(1), layers[1]);
        // Junior, surplus, and what is more than was lost.
        _recover(1, b.charged[1] + b.charged[0] + 11);
        assertEq(_layer(1) - layers[1], b.charged[1]);
        assertEq(_layer(0) - layers[0], b.charged[0] + 11);
        assertEq(pool.booking(1).recovered, 300_000 * UNIT + 11);
        _checkMoney();
    }

    /// @dev 3 : 1, and what one of them cannot be sent is surplus.
    function test_treaties_share_a_recovery_by_what_each_paid() public {
        Treaty three = _cedeTo(_quota(6_000), 100_000 * UNIT);
        Treaty one = _cede(_quota(2_000), 100_000 * UNIT);
        Sale memory sale = _incepted(60_000 * UNIT);
        _open(1, GAUGE, 1e18);
        _settleBooking(1);
        _pay(1, sale, 0, uint128(60_000 * UNIT), 0);
        _close(1);
        _recover(1, 10_000 * UNIT + 1);
        assertEq(three.returns_(), 7_500 * UNIT);
        assertEq(one.returns_(), 2_500 * UNIT + 1);
        coin.setBlocked(address(three), true);
        uint256 surplus = _layer(0);
        _recover(1, 4_000 * UNIT);
        assertEq(_layer(0) - surplus, 3_000 * UNIT);
        assertEq(one.returns_(), 3_500 * UNIT + 1);
        _checkMoney();
    }

    /// @dev Its idle capital is the collateral: a loss shows in its mark, and what comes back is its surplus.
    function test_a_pool_reinsures_another() public {
        Treaty half = _cede(_quota(5_000), 1);
        Pool other = _deploy(config);
        address dora = makeAddr("dora");
        Tranche tranche = Tranche(other.tranche(1));
        _deposit(tranche, dora, 100_000 * UNIT);
        _nextEpoch();
        other.accrue();
        vm.prank(curator);
        other.setVault(address(half), 5_000, "reinsurance");
        _pass(28 days);
        vm.prank(curator);
        other.invest(40_000 * UNIT);
        Sale memory sale = _incepted(60_000 * UNIT);
        _open(1, GAUGE, 1e18);
        other.accrue();
        assertApproxEqAbs(other.layer(1), 70_000 * UNIT, 20 * UNIT);
        _settleBooking(1);
        assertEq(_pay(1, sale, 0, uint128(60_000 * UNIT), 0), 60_000 * UNIT);
        _close(1);
        _recover(1, 60_000 * UNIT);
        other.accrue();
        uint256 surplus = other.layer(0);
        uint256 counted = coin.balanceOf(address(other)) - surplus;
        assertApproxEqAbs(other.collectReturn(1), 30_000 * UNIT, 1);
        assertEq(coin.balanceOf(address(other)) - other.layer(0), counted);
        assertApproxEqAbs(other.layer(0) - surplus, 30_000 * UNIT, 1);
        expectRevert(abi.encodeWithSelector(ITreaty.NothingReturned.selector, 1, address(other)));
        other.collectReturn(1);
    }

    function test_recoveries_never_reach_those_who_came_after_the_loss() public {
        Sale memory sale = _incepted(60_000 * UNIT);
        uint256 aliceShares = junior.balanceOf(alice);
        _open(1, GAUGE, 1e18);
        _settleBooking(1);
        _pay(1, sale, 0, uint128(60_000 * UNIT), 0);
        _close(1);
        // Somebody joins junior, and borrows all of alice's shares.
        address late = makeAddr("late");
        _deposit(junior, late, 100_000 * UNIT);
        _nextEpoch();
        _claim(junior, late);
        uint256 lateBefore = junior.convertToAssets(junior.balanceOf(late));
        vm.prank(alice);
        junior.transfer(late, aliceShares);
        uint256 borrowedBefore = junior.convertToAssets(junior.balanceOf(late));
        _recover(1, 40_000 * UNIT);
        assertApproxEqAbs(junior.convertToAssets(junior.balanceOf(late)), borrowedBefore, 10);
        assertGt(borrowedBefore, lateBefore);
        expectRevert(abi.encodeWithSelector(ITranche.NothingToRecover.selector, 1, late));
        junior.claimRecovery(1, late);
        uint256 got = junior.claimRecovery(1, alice);
        // Half of junior was hers.
        assertApproxEqAbs(junior.convertToAssets(got), 20_000 * UNIT, 10);
        _checkMoney();
    }

    function test_recoveries_are_taken_in_and_refused() public {
        expectRevert(abi.encodeWithSelector(IPool.UnknownBooking.selector, 1));
        pool.recover(1, 1);
        Sale memory sale = _incepted(60_000 * UNIT);
        _open(1, GAUGE, 1e18);
        _settleBooking(1);
        _pay(1, sale, 0, uint128(60_000 * UNIT), 0);
        _close(1);
        expectRevert(abi.encodeWithSelector(IPool.ZeroAmount.selector));
        pool.recover(1, 0);
        coin.mint(address(this), 10_000);
        coin.approve(address(pool), 10_000);
        coin.setFee(100);
        expectRevert(abi.encodeWithSelector(IPool.WrongTransfer.selector, 10_000, 9_900));
        pool.recover(1, 10_000);
    }

    // ----- building -----

    Sale private _otherSale;

    function _quota(uint16 shareBps) private view returns (TreatyTerms memory t) {
        (t.cedant, t.asset, t.shareBps, t.premiumBps) = (address(pool), address(coin), shareBps, 2_000);
        (t.limit, t.yearlyLimit) = (type(uint128).max, type(uint128).max);
        uint256 start = block.timestamp + 28 days;
        (t.start, t.end, t.notice) = (uint40(start), uint40(start + 365 days), 30 days);
    }

    function _excess(uint128 attachment, uint256 limit) private view returns (TreatyTerms memory t) {
        t = _quota(10_000);
        (t.attachment, t.limit, t.premiumBps) = (attachment, uint128(limit), 1_000);
        // Beside a quota share the two may be a whole together.
        if (pool.treaties().length != 0) t.shareBps = 7_000;
    }

    /// @dev A treaty with `collateral` that is in force when this returns.
    function _cede(TreatyTerms memory t, uint256 collateral) private returns (Treaty treaty) {
        treaty = _cedeTo(t, collateral);
        _pass(28 days);
        pool.accrue();
    }

    function _cedeTo(TreatyTerms memory t, uint256 collateral) private returns (Treaty treaty) {
        treaty = Treaty(treaties.make(t));
        _attach(address(treaty));
        coin.mint(treasury, collateral);
        vm.startPrank(treasury);
        coin.approve(address(treaty), collateral);
        treaty.deposit(collateral, treasury);
        vm.stopPrank();
    }

    function _attach(address treaty) private {
        vm.prank(curator);
        pool.attachTreaty(treaty);
    }

    function _refuse(address treaty, bytes memory error_) private {
        vm.prank(curator);
        expectRevert(error_);
        pool.attachTreaty(treaty);
    }

    function _refuseDetach(address treaty, uint256 until, uint256 encumbered) private {
        expectRevert(abi.encodeWithSelector(IPool.TreatyRuns.selector, treaty, until, encumbered));
        pool.detachTreaty(treaty);
    }

    /// @dev A policy on each gauge, with cover in force.
    function _incepted(uint256 sum) private returns (Sale memory sale) {
        sale = _buy(PLAIN, sum, 30);
        _otherSale = _buy(OTHER, 180_000 * UNIT, 30);
        vm.warp(sale.inception + 1 hours);
        pool.accrue();
    }

    /// @dev Of a booking and of a payment, all accounts cold.
    function _gasOfBooking(string memory name, Sale memory sale) private returns (uint256 gas) {
        address[] memory line = pool.treaties();
        _pass(12);
        _cool(line);
        vm.prank(address(world));
        pool.book(1, GAUGE, uint64(block.timestamp - 12), uint128(0.5e18), 1e18);
        gas = vm.snapshotGasLastCall("Treaties", string.concat("book, ", name));
        _settleBooking(1);
        _pass(12);
        _cool(line);
        _pay(1, sale, 0, uint128(20_000 * UNIT), 0);
        vm.snapshotGasLastCall("Treaties", string.concat("pay, ", name));
    }

    function _cool(address[] memory line) private {
        vm.cool(address(pool));
        vm.cool(address(coin));
        for (uint256 i; i < line.length; ++i) {
            vm.cool(line[i]);
        }
    }

    function _charged(Booking memory b) private pure returns (uint256) {
        return uint256(b.charged[0]) + b.charged[1] + b.charged[2] + b.charged[3];
    }

    function _close(uint256 id) private {
        _pass(15 days);
        pool.closeBooking(id);
    }

    function _recover(uint256 id, uint256 amount) private {
        coin.mint(address(this), amount);
        coin.approve(address(pool), amount);
        pool.recover(id, amount);
    }
}
