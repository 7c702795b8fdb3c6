// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {Cession, ITreaty, ITreatyFactory, TreatyTerms} from "breakwater/interfaces/ITreaty.sol";
import {Treaty} from "breakwater/reinsurance/Treaty.sol";
import {BlockingToken, FeeToken} from "../Tokens.sol";
import {TreatySetup} from "./TreatySetup.t.sol";

/// @notice What a treaty locks, sends, gives back, and who may leave.
contract TreatyTest is TreatySetup {
    // ----- what is owed -----

    function test_a_layer_pays_its_share_between_attachment_and_limit() public {
        _deposit(alice, 1_000 * UNIT);
        assertEq(_encumber(1, 100 * UNIT), 0);
        assertEq(_encumber(1, 200 * UNIT), 80 * UNIT);
        assertEq(_encumber(1, 600 * UNIT), 400 * UNIT);
        assertEq(_encumber(1, 60_000 * UNIT), 400 * UNIT);
        // Down again: the rest is free.
        assertEq(_encumber(1, 150 * UNIT), 40 * UNIT);
        assertEq(treaty.encumbered(), 40 * UNIT);
        assertEq(treaty.totalAssets(), 960 * UNIT);
        assertEq(_encumber(1, 0), 0);
        assertEq(treaty.totalAssets(), 1_000 * UNIT);
    }

    /// @dev With cold storage of the treaty, without the 21,000 of a transaction.
    function test_gas_of_collateral() public {
        vm.cool(address(treaty));
        _deposit(bob, 100 * UNIT);
        vm.snapshotGasLastCall("Treaty", "deposit");
    }

    function test_parts_are_rounded_down() public {
        _deposit(alice, 1_000 * UNIT);
        assertEq(_encumber(1, 100 * UNIT + 1), 0);
        assertEq(_encumber(1, 100 * UNIT + 2), 1);
    }

    function test_incidents_of_a_year_share_its_limit_and_the_next_year_has_its_own() public {
        _deposit(alice, 5_000 * UNIT);
        assertEq(_encumber(1, 600 * UNIT), 400 * UNIT);
        // 700 a year: the second finds 300, and has nobody's collateral missing.
        assertEq(_encumber(2, 600 * UNIT), 300 * UNIT);
        assertEq(treaty.cession(2).shortBy, 0);
        // What the first frees, the second takes when it is booked anew.
        assertEq(_encumber(1, 200 * UNIT), 80 * UNIT);
        assertEq(_encumber(2, 600 * UNIT), 400 * UNIT);
        vm.warp(START + 365 days);
        assertEq(_encumber(3, 600 * UNIT), 400 * UNIT);
        assertEq(treaty.cession(3).year, 1);
        (uint256 losses, uint256 covered) = treaty.yearOf(0);
        assertEq(losses, 0, "counted for aggregates only");
        assertEq(covered, 480 * UNIT);
    }

    function test_an_aggregate_starts_where_the_year_stands() public {
        TreatyTerms memory t = _terms();
        (t.aggregate, t.yearlyLimit) = (true, 400 * UNIT);
        treaty = _make(t);
        _deposit(alice, 1_000 * UNIT);
        assertEq(_encumber(1, 60 * UNIT), 0);
        // 60 before: of these 60, 20 lie above the attachment.
        assertEq(_encumber(2, 60 * UNIT), 16 * UNIT);
        assertEq(treaty.cession(2).before, 60 * UNIT);
        assertEq(_encumber(3, 1_000 * UNIT), 384 * UNIT);
        // A year's parts may overlap once an earlier loss grows; together they are never above the layer.
        assertEq(_encumber(1, 1_000 * UNIT), 0);
        (uint256 losses,) = treaty.yearOf(0);
        assertEq(losses, 2_060 * UNIT);
        // The second keeps its place although the first was for nothing.
        _encumber(1, 0);
        assertEq(_encumber(2, 60 * UNIT), 16 * UNIT);
        vm.warp(START + 365 days);
        assertEq(_encumber(4, 60 * UNIT), 0);
        assertEq(treaty.cession(4).before, 0);
    }

    function test_the_onset_decides_and_the_notice_ends_it() public {
        _deposit(alice, 1_000 * UNIT);
        uint64 end = treaty.terms().end;
        assertEq(treaty.encumber(1, uint64(START - 1), 300 * UNIT), 0);
        assertEq(treaty.cession(1).snapshot, 0);
        vm.warp(end + 30 days - 1);
        assertEq(treaty.encumber(2, end, 300 * UNIT), 0);
        assertEq(treaty.encumber(3, end - 1, 300 * UNIT), 160 * UNIT);
        vm.warp(end + 30 days);
        assertEq(treaty.encumber(4, end - 1, 300 * UNIT), 0);
        // What was booked in time may still grow.
        assertEq(treaty.encumber(3, end - 1, 400 * UNIT), 240 * UNIT);
    }

    function test_an_onset_moved_out_of_the_term_takes_the_loss_with_it() public {
        _deposit(alice, 1_000 * UNIT);
        assertEq(treaty.encumber(1, uint64(START), 300 * UNIT), 160 * UNIT);
        assertEq(treaty.encumber(1, uint64(START - 1), 600 * UNIT), 0);
        assertEq(treaty.encumbered(), 0);
        assertEq(treaty.draw(1, 300 * UNIT), 0);
        (uint128 covered, uint128 sent) = treaty.settle(1, 300 * UNIT);
        assertEq(covered + sent, 0);
    }

    // ----- drawing -----

    function test_drawing_follows_what_is_due_and_settling_frees_the_rest() public {
        _deposit(alice, 1_000 * UNIT);
        _encumber(1, 600 * UNIT);
        assertEq(treaty.draw(1, 100 * UNIT), 0);
        assertEq(treaty.draw(1, 200 * UNIT), 80 * UNIT);
        assertEq(treaty.draw(1, 200 * UNIT), 0);
        assertEq(coin.balanceOf(address(this)), 80 * UNIT);
        assertEq(treaty.encumbered(), 320 * UNIT);
        (uint128 covered, uint128 sent) = treaty.settle(1, 300 * UNIT);
        assertEq(covered, 160 * UNIT);
        assertEq(sent, 80 * UNIT);
        assertEq(treaty.encumbered(), 0);
        assertEq(treaty.totalAssets(), 840 * UNIT);
        assertEq(coin.balanceOf(address(treaty)), 840 * UNIT);
        // Settled once for all.
        (covered, sent) = treaty.settle(1, 600 * UNIT);
        assertEq(covered, 160 * UNIT);
        assertEq(sent, 0);
        assertEq(_encumber(1, 600 * UNIT), 160 * UNIT);
        assertEq(treaty.draw(1, 600 * UNIT), 0);
    }

    function test_what_is_drawn_stays_covered() public {
        _deposit(alice, 1_000 * UNIT);
        _encumber(1, 600 * UNIT);
        treaty.draw(1, 300 * UNIT);
        assertEq(_encumber(1, 100 * UNIT), 160 * UNIT);
        (uint128 covered,) = treaty.settle(1, 0);
        assertEq(covered, 160 * UNIT);
        (, uint256 ofYear) = treaty.yearOf(0);
        assertEq(ofYear, 160 * UNIT);
    }

    function test_a_treaty_short_of_collateral_pays_what_it_has_and_records_the_rest() public {
        _deposit(alice, 100 * UNIT);
        assertEq(_encumber(1, 300 * UNIT), 100 * UNIT);
        assertEq(treaty.cession(1).shortBy, 60 * UNIT);
        assertEq(_encumber(2, 300 * UNIT), 0);
        assertEq(treaty.cession(2).shortBy, 160 * UNIT);
        assertEq(treaty.draw(1, 300 * UNIT), 100 * UNIT);
        assertEq(treaty.draw(2, 300 * UNIT), 0);
        assertEq(treaty.totalAssets(), 0);
        // Premium that comes in later is collateral for what is booked anew.
        _premium(50 * UNIT);
        assertEq(_encumber(2, 300 * UNIT), 50 * UNIT);
        assertEq(treaty.cession(2).shortBy, 110 * UNIT);
    }

    function test_an_asset_that_refuses_to_move_stops_nothing_and_is_tried_again() public {
        _deposit(alice, 1_000 * UNIT);
        _encumber(1, 600 * UNIT);
        coin.block_(address(this));
        assertEq(treaty.draw(1, 600 * UNIT), 0);
        (uint128 covered, uint128 sent) = treaty.settle(1, 600 * UNIT);
        assertEq(covered, 400 * UNIT);
        assertEq(sent, 0);
        // It stays locked until it can be sent.
        assertEq(treaty.encumbered(), 400 * UNIT);
        assertEq(treaty.cession(1).drawn, 0);
        coin.free(address(this));
        assertEq(treaty.draw(1, 600 * UNIT), 400 * UNIT);
        assertEq(treaty.encumbered(), 0);
    }

    function test_only_the_cedant_moves_collateral() public {
        vm.startPrank(alice);
        bytes memory refused = abi.encodeWithSelector(ITreaty.NotCedant.selector, alice);
        expectRevert(refused);
        treaty.encumber(1, uint64(START), 1);
        expectRevert(refused);
        treaty.draw(1, 1);
        expectRevert(refused);
        treaty.settle(1, 1);
        expectRevert(refused);
        treaty.giveBack(1, 1);
        expectRevert(refused);
        treaty.receivePremium(1);
    }

    function test_unknown_incidents_move_nothing() public {
        _deposit(alice, 1_000 * UNIT);
        assertEq(treaty.draw(9, 600 * UNIT), 0);
        (uint128 covered, uint128 sent) = treaty.settle(9, 600 * UNIT);
        assertEq(covered + sent, 0);
        assertEq(_encumber(9, 0), 0);
        assertEq(treaty.cession(9).snapshot, 0);
    }

    // ----- coming and leaving -----

    function test_several_reinsurers_share_loss_and_premium() public {
        uint256 sharesA = _deposit(alice, 600 * UNIT);
        uint256 sharesB = _deposit(bob, 200 * UNIT);
        assertEq(sharesA, 600 * uint256(UNIT) * 1e6);
        assertEq(treaty.decimals(), 12);
        _premium(80 * UNIT);
        _encumber(1, 600 * UNIT);
        treaty.settle(1, 600 * UNIT);
        _leave();
        vm.prank(alice);
        uint256 toAlice = treaty.redeem(sharesA, alice, alice);
        vm.prank(bob);
        uint256 toBob = treaty.redeem(sharesB, bob, bob);
        assertApproxEqAbs(toAlice, 360 * UNIT, 1);
        assertApproxEqAbs(toBob, 120 * UNIT, 1);
    }

    function test_nobody_leaves_before_end_and_notice_are_over() public {
        _deposit(alice, 600 * UNIT);
        assertEq(treaty.maxWithdraw(alice), 0);
        vm.warp(uint256(treaty.terms().end) + 30 days - 1);
        assertEq(treaty.maxRedeem(alice), 0);
        vm.startPrank(alice);
        expectRevert(ERC4626.ERC4626ExceededMaxWithdraw.selector);
        treaty.withdraw(1, alice, alice);
        expectRevert(ERC4626.ERC4626ExceededMaxRedeem.selector);
        treaty.redeem(1, alice, alice);
        vm.stopPrank();
        vm.warp(block.timestamp + 1);
        assertEq(treaty.maxWithdraw(alice), 600 * UNIT);
        dwelling = true;
        assertEq(treaty.maxWithdraw(alice), 0);
    }

    function test_who_is_not_ceded_to_may_leave() public {
        _deposit(alice, 600 * UNIT);
        attached = false;
        vm.prank(alice);
        treaty.withdraw(600 * UNIT, alice, alice);
        assertEq(coin.balanceOf(alice), 600 * UNIT);
        assertEq(treaty.totalAssets(), 0);
    }

    function test_only_what_is_free_leaves() public {
        _deposit(alice, 600 * UNIT);
        _encumber(1, 300 * UNIT);
        _leave();
        assertEq(treaty.maxWithdraw(alice), 440 * UNIT);
        vm.startPrank(alice);
        expectRevert(ERC4626.ERC4626ExceededMaxWithdraw.selector);
        treaty.withdraw(440 * UNIT + 1, alice, alice);
        treaty.withdraw(440 * UNIT, alice, alice);
        vm.stopPrank();
        assertEq(treaty.encumbered(), 160 * UNIT);
        assertEq(treaty.draw(1, 300 * UNIT), 160 * UNIT, "the lock held");
    }

    function test_nobody_comes_in_while_the_price_is_open() public {
        _deposit(alice, 600 * UNIT);
        assertGt(treaty.maxDeposit(bob), 0);
        assertEq(treaty.maxDeposit(address(this)), 0, "the cedant itself");
        dwelling = true;
        assertEq(treaty.maxDeposit(bob), 0);
        dwelling = false;
        _encumber(1, 300 * UNIT);
        assertEq(treaty.maxDeposit(bob), 0);
        assertEq(treaty.maxMint(bob), 0);
        coin.mint(bob, 1);
        vm.startPrank(bob);
        coin.approve(address(treaty), 1);
        expectRevert(ERC4626.ERC4626ExceededMaxDeposit.selector);
        treaty.deposit(1, bob);
        vm.stopPrank();
        treaty.settle(1, 0);
        assertGt(treaty.maxDeposit(bob), 0);
        vm.warp(treaty.terms().end);
        assertEq(treaty.maxDeposit(bob), 0);
    }

    function test_a_vault_that_lost_everything_takes_no_deposits() public {
        TreatyTerms memory t = _terms();
        (t.attachment, t.shareBps) = (0, 10_000);
        treaty = _make(t);
        _deposit(alice, 100 * UNIT);
        _encumber(1, 100 * UNIT);
        treaty.settle(1, 100 * UNIT);
        assertEq(treaty.totalAssets(), 0);
        assertEq(treaty.maxDeposit(bob), 0);
    }

    function test_newcomers_do_not_share_in_premium_earned_before_them() public {
        _deposit(alice, 100 * UNIT);
        premium = 50 * UNIT;
        _deposit(bob, 100 * UNIT);
        _leave();
        assertApproxEqAbs(treaty.maxWithdraw(alice), 150 * UNIT, 1);
        assertApproxEqAbs(treaty.maxWithdraw(bob), 100 * UNIT, 1);
    }

    function test_coins_sent_in_move_no_price() public {
        coin.mint(address(treaty), 5_000 * UNIT);
        uint256 shares = _deposit(alice, 1);
        assertEq(shares, 1e6);
        coin.mint(address(treaty), 5_000 * UNIT);
        _deposit(bob, 5_000 * UNIT);
        _leave();
        assertEq(treaty.maxWithdraw(bob), 5_000 * UNIT);
        assertEq(treaty.maxWithdraw(alice), 1);
        // Nor do they count as premium or as a recovery that the cedant says it sent and did not.
        treaty = _make(_terms());
        treaty.receivePremium(5 * UNIT);
        assertEq(treaty.totalAssets(), 0);
    }

    function test_an_asset_with_a_fee_is_refused() public {
        FeeToken fee = new FeeToken();
        coin = BlockingToken(address(fee));
        TreatyTerms memory t = _terms();
        treaty = _make(t);
        fee.mint(alice, 10);
        vm.startPrank(alice);
        fee.approve(address(treaty), 10);
        expectRevert(abi.encodeWithSelector(ITreaty.WrongTransfer.selector, 10, 9));
        treaty.deposit(10, alice);
    }

    // ----- what comes back -----

    function test_recoveries_go_to_holders_of_before_the_loss() public {
        uint256 sharesA = _deposit(alice, 300 * UNIT);
        _deposit(bob, 100 * UNIT);
        _encumber(1, 600 * UNIT);
        treaty.settle(1, 350 * UNIT);
        _pass();
        // Shares that move later take no recovery with them, and who comes later has none.
        address late = makeAddr("late");
        vm.prank(alice);
        treaty.transfer(late, sharesA);
        _deposit(late, 1_000 * UNIT);
        _return(1, 100 * UNIT);
        assertEq(_claim(alice), 75 * UNIT);
        assertEq(_claim(bob), 25 * UNIT);
        _refuseClaim(late);
        _refuseClaim(alice);
        assertEq(coin.balanceOf(alice), 75 * UNIT);
        // A second recovery of the same incident pays the difference.
        _return(1, 8 * UNIT);
        assertEq(_claim(alice), 6 * UNIT);
        assertEq(treaty.returns_(), 2 * UNIT);
    }

    function test_shares_of_the_opening_block_recover_nothing() public {
        _deposit(alice, 300 * UNIT);
        // In the very block in which the incident is booked.
        coin.mint(bob, 900 * UNIT);
        vm.startPrank(bob);
        coin.approve(address(treaty), 900 * UNIT);
        treaty.deposit(900 * UNIT, bob);
        vm.stopPrank();
        _encumber(1, 600 * UNIT);
        treaty.settle(1, 600 * UNIT);
        _pass();
        _return(1, 40 * UNIT);
        assertEq(_claim(alice), 40 * UNIT);
        _refuseClaim(bob);
    }

    function test_recoveries_are_no_collateral_and_no_price() public {
        _deposit(alice, 300 * UNIT);
        _encumber(1, 350 * UNIT);
        treaty.settle(1, 350 * UNIT);
        uint256 before = treaty.totalAssets();
        _return(1, 50 * UNIT);
        assertEq(treaty.totalAssets(), before);
        assertEq(coin.balanceOf(address(treaty)), before + 50 * UNIT);
        // Without a holder at the snapshot it is the vault's.
        _return(77, 50 * UNIT);
        assertEq(treaty.totalAssets(), before + 50 * UNIT);
    }

    // ----- making -----

    function test_terms_out_of_range_are_refused() public {
        TreatyTerms memory t = _terms();
        t.shareBps = 0;
        _refuse(t, "shareBps", 0);
        t.shareBps = 10_001;
        _refuse(t, "shareBps", 10_001);
        t = _terms();
        t.premiumBps = 10_001;
        _refuse(t, "premiumBps", 10_001);
        t = _terms();
        t.limit = 0;
        _refuse(t, "limit", 0);
        t = _terms();
        t.yearlyLimit = 0;
        _refuse(t, "yearlyLimit", 0);
        (t.aggregate, t.yearlyLimit) = (true, 400 * UNIT + 1);
        _refuse(t, "yearlyLimit", 400 * UNIT + 1);
        t = _terms();
        t.end = t.start;
        _refuse(t, "end", t.end);
        t.end = uint40(t.start + 5 * 365 days + 1);
        _refuse(t, "end", t.end);
        t = _terms();
        t.notice = 365 days + 1;
        _refuse(t, "notice", 365 days + 1);
        t = _terms();
        t.asset = alice;
        expectRevert(abi.encodeWithSelector(ITreatyFactory.WrongAsset.selector, address(coin), alice));
        factory.make(t);
        t.cedant = alice;
        expectRevert(abi.encodeWithSelector(ITreatyFactory.NotAPool.selector, alice));
        factory.make(t);
    }

    function test_treaties_of_the_factory_are_known_and_its_code_serves_nobody() public {
        assertTrue(factory.isTreaty(address(treaty)));
        assertFalse(factory.isTreaty(factory.implementation()));
        assertEq(treaty.terms().cedant, address(this));
        assertEq(treaty.asset(), address(coin));
        Treaty code = Treaty(factory.implementation());
        coin.mint(address(this), 1);
        coin.approve(address(code), 1);
        (bool ok,) = address(code).call(abi.encodeCall(code.deposit, (1, alice)));
        assertFalse(ok);
    }

    // ----- whole lives -----

    /// @dev Whatever the order of calls: what is locked is there, nothing is paid beyond the share of what is due,
    ///      a year stays within its limit, and every unit is accounted for.
    function test_fuzz_any_order_of_calls_keeps_the_books(uint256 seed) public {
        TreatyTerms memory t = _terms();
        t.aggregate = seed % 2 == 1;
        t.shareBps = uint16(1 + (seed >> 8) % 10_000);
        if (t.aggregate) t.yearlyLimit = uint128(uint256(t.limit) * t.shareBps / 10_000 + 1) / 2 + 1;
        treaty = _make(t);
        _deposit(alice, 1 + (seed >> 24) % (800 * UNIT));
        uint256[4] memory reserve;
        uint256[4] memory due;
        for (uint256 i; i < 24; ++i) {
            uint256 draw_ = uint256(keccak256(abi.encode(seed, i)));
            uint256 k = draw_ % 4;
            uint128 x = uint128((draw_ >> 8) % (700 * UNIT));
            uint256 kind = (draw_ >> 160) % 6;
            if (kind < 2) {
                _encumber(k, x);
                reserve[k] = x;
            } else if (kind < 4) {
                due[k] = due[k] < x ? x : due[k];
                treaty.draw(k, uint128(due[k]));
            } else if (kind == 4) {
                treaty.settle(k, uint128(due[k]));
            } else {
                _premium(uint128(x / 20));
            }
            _checkBooks(t, due);
        }
    }

    function _checkBooks(TreatyTerms memory t, uint256[4] memory due) private view {
        uint256 open;
        uint256 drawn;
        uint256 covered;
        for (uint256 k; k < 4; ++k) {
            Cession memory c = treaty.cession(k);
            open += c.covered - c.drawn;
            drawn += c.drawn;
            covered += c.covered;
            assertLe(uint256(c.drawn) * 10_000, due[k] * t.shareBps, "no more than its share of what is due");
            assertLe(c.drawn, c.covered);
        }
        (, uint256 ofYear) = treaty.yearOf(0);
        assertEq(ofYear, covered, "a year's cover is that of its incidents");
        assertLe(covered, t.yearlyLimit, "a year stays within its limit");
        assertEq(treaty.encumbered(), open, "what is locked is what is covered and not drawn");
        assertEq(coin.balanceOf(address(treaty)), treaty.totalAssets() + open, "collateral is there");
        assertEq(coin.balanceOf(address(this)), drawn, "the cedant got what was drawn");
    }

    // ----- helpers -----

    function _leave() private {
        vm.warp(uint256(treaty.terms().end) + treaty.terms().notice);
    }

    function _premium(uint128 amount) private {
        coin.mint(address(treaty), amount);
        treaty.receivePremium(amount);
    }

    function _return(uint256 incident, uint128 amount) private {
        coin.mint(address(treaty), amount);
        treaty.giveBack(incident, amount);
    }

    function _claim(address who) private returns (uint256) {
        vm.prank(who);
        return treaty.claimReturn(1);
    }

    function _refuseClaim(address who) private {
        vm.prank(who);
        expectRevert(abi.encodeWithSelector(ITreaty.NothingReturned.selector, 1, who));
        treaty.claimReturn(1);
    }

    function _refuse(TreatyTerms memory t, bytes32 field, uint256 got) private {
        expectRevert(abi.encodeWithSelector(ITreatyFactory.OutOfRange.selector, field, got));
        factory.make(t);
    }
}
