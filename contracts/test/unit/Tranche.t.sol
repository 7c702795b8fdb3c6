// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IPool} from "breakwater/interfaces/IPool.sol";
import {ITranche} from "breakwater/interfaces/ITranche.sol";
import {PoolSetup} from "./PoolSetup.t.sol";

/// @notice Deposits, redemptions and recoveries, with the holes of earlier drafts by name.
contract TrancheTest is PoolSetup {
    // ----- in -----

    function test_deposit_becomes_shares_in_a_later_epoch_only() public {
        uint256 id = _deposit(junior, alice, 100 * UNIT);
        expectRevert(abi.encodeWithSelector(ITranche.NotProcessed.selector, id));
        junior.claimDeposit(id, alice);
        assertEq(pool.capital(), 0);
        assertEq(pool.state().pendingDeposits, 100 * UNIT);
        _nextEpoch();
        assertEq(junior.claimDeposit(id, alice), 100 * UNIT * 1e6);
        assertEq(pool.capital(), 100 * UNIT);
        assertEq(junior.decimals(), 12);
        expectRevert(abi.encodeWithSelector(ITranche.NothingToClaim.selector, id, alice));
        junior.claimDeposit(id, alice);
        expectRevert(abi.encodeWithSelector(ITranche.NothingToClaim.selector, id, bob));
        junior.claimDeposit(id, bob);
        _checkMoney();
    }

    function test_deposits_of_one_epoch_share_one_price() public {
        _deposit(junior, alice, 100 * UNIT);
        _deposit(junior, alice, 50 * UNIT);
        _deposit(junior, bob, 150 * UNIT);
        _nextEpoch();
        assertEq(_claim(junior, alice), _claim(junior, bob));
        assertEq(junior.totalSupply(), 300 * UNIT * 1e6);
    }

    function test_deposit_refuses_nothing_nobody_and_strangers() public {
        vm.startPrank(alice);
        expectRevert(abi.encodeWithSelector(ITranche.ZeroAmount.selector));
        junior.requestDeposit(0, alice, alice);
        expectRevert(abi.encodeWithSelector(ITranche.ZeroAddress.selector));
        junior.requestDeposit(1, address(0), alice);
        expectRevert(abi.encodeWithSelector(ITranche.NotOwner.selector, bob, alice));
        junior.requestDeposit(1, alice, bob);
        expectRevert(abi.encodeWithSelector(ITranche.NotOwner.selector, bob, alice));
        junior.requestRedeem(1, alice, bob);
        vm.stopPrank();
    }

    function test_only_the_pool_calls_what_is_the_pools() public {
        bytes memory refused = abi.encodeWithSelector(ITranche.NotPool.selector, address(this));
        expectRevert(refused);
        junior.processDeposits();
        expectRevert(refused);
        junior.payCohort(1);
        expectRevert(refused);
        junior.mintRecovery(1, 1, 1);
        expectRevert(refused);
        junior.pull(alice, 1);
        expectRevert(refused);
        junior.burnLocked(alice, 1);
        refused = abi.encodeWithSelector(IPool.NotTranche.selector, address(this));
        expectRevert(refused);
        pool.takeDeposit(alice, 1);
        expectRevert(refused);
        pool.returnDeposit(alice, 1);
        expectRevert(refused);
        pool.payExits();
        expectRevert(refused);
        pool.sendRedemption(alice, 1);
        expectRevert(refused);
        pool.lockRecovered(1);
    }

    /// @dev Hole "first-depositor inflation": a donation moves no price, and dust cannot round others to zero.
    function test_first_depositor_inflation() public {
        _deposit(junior, alice, 1);
        _nextEpoch();
        _claim(junior, alice);
        coin.mint(address(pool), 1_000_000 * UNIT);
        _deposit(junior, bob, 10 * UNIT);
        _nextEpoch();
        uint256 shares = _claim(junior, bob);
        assertApproxEqAbs(junior.convertToAssets(shares), 10 * UNIT, 1);
        assertLe(junior.convertToAssets(junior.balanceOf(alice)), 1);
    }

    /// @dev The same by earnings: dust in an otherwise empty tranche earns dust.
    function test_first_depositor_inflation_by_earnings() public {
        _deposit(mezzanine, alice, 1);
        _deposit(junior, curator, 10_000 * UNIT);
        _deposit(senior, carol, 100_000 * UNIT);
        _nextEpoch();
        _claim(mezzanine, alice);
        _claim(junior, curator);
        vm.startPrank(curator);
        pool.lock(junior.balanceOf(curator));
        pool.setProduct(PLAIN, uint128(200_000 * UNIT), 1e18);
        vm.stopPrank();
        _pass(28 days);
        _buy(PLAIN, 100_000 * UNIT, 365);
        _pass(400 days);
        pool.accrue();
        assertGt(_layer(3), 150_000 * UNIT);
        assertLe(_layer(2), 3);
        uint256 id = _deposit(mezzanine, bob, 10 * UNIT);
        _nextEpoch();
        uint256 shares = mezzanine.claimDeposit(id, bob);
        assertApproxEqRel(mezzanine.convertToAssets(shares), 10 * UNIT, 0.000001e18);
    }

    /// @dev Hole "backlog of deposits": however long a booking dwelt, an accrual takes eight epochs in, oldest first.
    function test_a_backlog_of_deposits_makes_no_accrual_dear() public {
        _fund();
        _buy(PLAIN, 10_000 * UNIT, 300);
        _pass(2 days);
        _open(1, GAUGE, 0.5e18);
        uint256 first = block.timestamp / 7 days;
        for (uint256 i; i < 20; ++i) {
            _deposit(junior, alice, UNIT);
            _deposit(mezzanine, alice, UNIT);
            _deposit(senior, alice, UNIT);
            _nextEpoch();
        }
        _settleBooking(1);
        for (uint256 i = 1; i <= 3; ++i) {
            uint256 gas = gasleft();
            pool.accrue();
            assertLt(gas - gasleft(), 3_500_000);
            uint256 done = i < 3 ? 8 * i : 20;
            assertEq(pool.state().pendingDeposits, 3 * (20 - done) * UNIT);
            assertEq(_isProcessed(first + done - 1), true);
            assertEq(_isProcessed(first + done), false);
            // Once an epoch.
            pool.accrue();
            assertEq(pool.state().pendingDeposits, 3 * (20 - done) * UNIT);
            _nextEpoch();
        }
        _checkMoney();
    }

    function _isProcessed(uint256 requestId) private view returns (bool) {
        (, uint48 processedAt,,) = senior.batches(requestId);
        return processedAt != 0;
    }

    // ----- out -----

    function test_redemption_is_paid_after_cooldown_and_one_epoch() public {
        _fund();
        uint256 shares = senior.balanceOf(carol);
        uint256 value = senior.convertToAssets(shares);
        uint256 id = _redeem(senior, carol, shares);
        assertEq(id, (block.timestamp + 14 days) / 7 days + 2);
        vm.warp(id * 7 days - 1);
        expectRevert(abi.encodeWithSelector(ITranche.NothingMatured.selector, id - 1));
        senior.processRedemptions();
        vm.warp(id * 7 days);
        assertEq(senior.processRedemptions(), value);
        assertEq(senior.claimRedeem(id, carol), value);
        assertEq(coin.balanceOf(carol), value);
        assertEq(senior.totalSupply(), 0);
        expectRevert(abi.encodeWithSelector(ITranche.NothingToClaim.selector, id, carol));
        senior.claimRedeem(id, carol);
        _checkMoney();
    }

    /// @dev Nobody keeps a payable exit in his pocket: the first accrual of its epoch pays it, whoever calls.
    function test_matured_exit_is_paid_by_the_first_accrual() public {
        _fund();
        uint256 id = _redeem(senior, carol, senior.balanceOf(carol));
        vm.warp(id * 7 days);
        pool.accrue();
        assertGt(pool.state().redeemable, 0);
        expectRevert(abi.encodeWithSelector(ITranche.NothingMatured.selector, id));
        senior.processRedemptions();
    }

    /// @dev Hole "same shares queued twice": the queue takes the shares themselves.
    function test_same_shares_queued_twice() public {
        _fund();
        uint256 shares = senior.balanceOf(carol);
        _redeem(senior, carol, shares);
        assertEq(senior.balanceOf(carol), 0);
        assertEq(senior.balanceOf(address(senior)), shares);
        vm.prank(carol);
        expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, carol, 0, shares));
        senior.requestRedeem(shares, carol, carol);
    }

    /// @dev Hole "escape before the loss is booked", the slow way: what is queued is slashed like all else.
    function test_escape_before_the_loss_is_booked_by_queueing() public {
        config.subordinationBps = 0;
        _redeploy();
        _fund();
        Sale memory sale = _buy(PLAIN, 400_000 * UNIT, 30);
        vm.warp(sale.inception + 1);
        uint256 queued = _redeem(mezzanine, bob, mezzanine.balanceOf(bob));
        (,, uint256 cap,,) = mezzanine.cohorts(queued);
        _open(1, GAUGE, 0.4e18);
        _settleBooking(1);
        _pay(1, sale, 0, uint128(160_000 * UNIT), 0);
        vm.warp(queued * 7 days);
        pool.accrue();
        uint256 got = mezzanine.claimRedeem(queued, bob);
        assertLt(got, cap / 2);
        assertApproxEqAbs(got, 40_000 * UNIT, 2_000 * UNIT);
        // That is what all of the shares were worth, not a part of what they were worth when they were queued.
        (, uint256 remaining,,,) = mezzanine.cohorts(queued);
        assertEq(remaining, 0);
        _checkMoney();
    }

    /// @dev The fast way: an exit that is payable in the very call that books the loss, the first of its epoch.
    function test_escape_before_the_loss_is_booked_in_the_same_call() public {
        _fund();
        Sale memory sale = _buy(PLAIN, 300_000 * UNIT, 60);
        uint256 id = _redeem(senior, carol, senior.balanceOf(carol));
        vm.warp(id * 7 days - 12);
        pool.accrue();
        assertGe(block.timestamp, sale.inception);
        uint256 seniorBefore = _layer(3);
        // In the new epoch, before anyone else.
        _open(1, GAUGE, 1e18);
        assertEq(block.timestamp / 7 days, id);
        assertEq(pool.state().redeemable, 0);
        assertLt(_layer(3), seniorBefore);
        // Nor while it dwells.
        expectRevert(abi.encodeWithSelector(ITranche.NothingMatured.selector, id));
        senior.processRedemptions();
        _settleBooking(1);
        pool.accrue();
        // Then as far as the cover allows, at the price after the loss.
        assertLe(pool.state().redeemable, 60_000 * UNIT);
        assertEq(pool.exitable(3), 0);
        _checkMoney();
    }

    /// @dev Hole "exit that strips the book": what stands behind live cover does not leave.
    function test_exit_that_strips_the_book() public {
        _fund();
        _buy(PLAIN, 400_000 * UNIT, 300);
        _buy(LIMITED, 300_000 * UNIT, 300);
        uint256 id = _redeem(senior, carol, senior.balanceOf(carol));
        vm.warp(id * 7 days);
        assertGt(senior.processRedemptions(), 150_000 * UNIT);
        assertGe(pool.capital() * 2, pool.state().exposure);
        assertEq(pool.exitable(3), 0);
        (uint256 shares, uint256 remaining, uint256 cap,,) = senior.cohorts(id);
        assertGt(remaining, 0);
        assertLt(remaining, shares);
        // What stays in the queue earns again.
        assertApproxEqAbs(cap, senior.convertToAssets(remaining), 1);
        _checkMoney();
    }

    function test_exit_leaves_the_subordination() public {
        _fund();
        uint256 id = _redeem(junior, alice, junior.balanceOf(alice));
        uint256 other = _redeem(mezzanine, bob, mezzanine.balanceOf(bob));
        assertEq(id, other);
        vm.warp(id * 7 days);
        pool.accrue();
        uint256 below = _layer(1) + _layer(2);
        uint256 all = below + _layer(3);
        assertGe(below * 10_000, all * 2_000);
        // To the unit: one more would break it.
        assertLt((below - 1) * 10_000, (all - 1) * 2_000);
        _checkMoney();
    }

    /// @dev Hole "capital locked for free": the last junior leaves though a surplus remains that is nobody's.
    function test_capital_locked_for_free_behind_a_surplus() public {
        _fund();
        _buy(PLAIN, 300_000 * UNIT, 10);
        _pass(40 days);
        pool.accrue();
        assertGt(_layer(0), 0);
        vm.startPrank(curator);
        pool.setProduct(PLAIN, 0, 0.02e18);
        pool.setProduct(LIMITED, 0, 0.02e18);
        pool.setProduct(OTHER, 0, 0.02e18);
        pool.unlock(pool.locked());
        vm.stopPrank();
        _redeem(senior, carol, senior.balanceOf(carol));
        _redeem(mezzanine, bob, mezzanine.balanceOf(bob));
        _redeem(junior, alice, junior.balanceOf(alice));
        uint256 id = _redeem(junior, curator, junior.balanceOf(curator));
        vm.warp(id * 7 days);
        pool.accrue();
        // Junior came first and had to leave the subordination of a senior who left after it.
        _nextEpoch();
        pool.accrue();
        assertEq(junior.totalSupply() + mezzanine.totalSupply() + senior.totalSupply(), 0);
        assertLe(_layer(1) + _layer(2) + _layer(3), 10);
        _checkMoney();
    }

    /// @dev Shares in the queue do not earn, and what they miss is their neighbours'.
    function test_a_queued_request_does_not_earn_until_it_rolls() public {
        _fund();
        uint256 half = senior.balanceOf(carol) / 2;
        uint256 value = senior.convertToAssets(half);
        uint256 id = _redeem(senior, carol, half);
        _buy(PLAIN, 300_000 * UNIT, 10);
        _pass(11 days);
        pool.accrue();
        assertGt(senior.convertToAssets(half), value);
        vm.warp(id * 7 days);
        assertEq(senior.processRedemptions(), value);
        _checkMoney();
    }

    function test_dust_in_the_queue_stops_nobody() public {
        config.subordinationBps = 0;
        _redeploy();
        _fund();
        vm.prank(carol);
        expectRevert(abi.encodeWithSelector(ITranche.ZeroAmount.selector));
        senior.requestRedeem(1e5, carol, carol);
        // Two units: worth nothing after a loss of more than half.
        uint256 dust = _redeem(mezzanine, bob, 1.2e6);
        _nextEpoch();
        uint256 id = _redeem(mezzanine, bob, 10_000 * UNIT * 1e6);
        assertEq(id, dust + 1);
        Sale memory sale = _buy(PLAIN, 400_000 * UNIT, 30);
        vm.warp(sale.inception + 1);
        _open(1, GAUGE, 0.4e18);
        _settleBooking(1);
        _pay(1, sale, 0, uint128(160_000 * UNIT), 0);
        vm.warp(id * 7 days);
        pool.accrue();
        mezzanine.processRedemptions();
        (, uint256 left,,,) = mezzanine.cohorts(dust);
        assertEq(left, 0);
        assertGt(mezzanine.claimRedeem(id, bob), 3_000 * UNIT);
        _checkMoney();
    }

    function test_cohort_is_divided_by_the_shares_requested(uint256 a, uint256 b) public {
        _fund();
        uint256 all = senior.balanceOf(carol);
        a = bound(a, all / 1e6, all / 2);
        b = bound(b, all / 1e6, all / 2);
        vm.prank(carol);
        senior.transfer(bob, b);
        _redeem(senior, carol, a);
        uint256 id = _redeem(senior, bob, b);
        vm.warp(id * 7 days);
        uint256 paid = senior.processRedemptions();
        assertEq(senior.claimRedeem(id, carol), paid * a / (a + b));
        assertEq(senior.claimRedeem(id, bob), paid * b / (a + b));
        _checkLeft(paid);
    }

    function _checkLeft(uint256 paid) private view {
        assertLe(pool.state().redeemable, 1);
        assertGt(paid, 0);
        _checkMoney();
    }

    // ----- dead and closed -----

    /// @dev Hole "dead pool after total loss": the tranche refuses deposits, gives back those that wait, and its
    ///      worthless shares take nothing of what others bring later.
    function test_dead_pool_after_total_loss() public {
        _fund();
        Sale memory sale = _buy(PLAIN, 120_000 * UNIT, 60);
        vm.warp(sale.inception + 1);
        uint256 id = _deposit(junior, bob, 500 * UNIT);
        _open(1, GAUGE, 1e18);
        assertEq(_layer(1), 0);
        _settleBooking(1);
        _pay(1, sale, 0, uint128(120_000 * UNIT), 0);
        _nextEpoch();
        pool.accrue();
        assertEq(junior.claimDeposit(id, bob), 0);
        assertEq(coin.balanceOf(bob), 500 * UNIT);
        coin.mint(carol, 100);
        vm.startPrank(carol);
        coin.approve(address(junior), 100);
        expectRevert(abi.encodeWithSelector(ITranche.TrancheIsClosed.selector));
        junior.requestDeposit(100, carol, carol);
        vm.stopPrank();
        _checkMoney();
    }

    /// @dev A junior reserved to the last unit comes back alive where the incident turns out to be nothing.
    function test_a_layer_reserved_whole_comes_back() public {
        _fund();
        Sale memory sale = _buy(PLAIN, 150_000 * UNIT, 60);
        vm.warp(sale.inception + 1);
        pool.accrue();
        uint256 before = junior.convertToAssets(junior.balanceOf(alice));
        _open(1, GAUGE, 1e18);
        assertEq(_layer(1), 0);
        _void(1, GAUGE);
        assertApproxEqAbs(junior.convertToAssets(junior.balanceOf(alice)), before, 2_000);
        _deposit(junior, bob, 100 * UNIT);
        _nextEpoch();
        assertApproxEqAbs(junior.convertToAssets(_claim(junior, bob)), 100 * UNIT, 1_000);
        _checkMoney();
    }

    /// @dev And one reserved but for dust: nothing overflows and the tranche stays open.
    function test_a_layer_reserved_but_for_dust_comes_back(uint256 dust) public {
        _fund();
        Sale memory sale = _buy(PLAIN, 150_000 * UNIT, 60);
        vm.warp(sale.inception + 1);
        pool.accrue();
        uint256 below = _layer(0) + _layer(1);
        dust = bound(dust, 0, 10 * UNIT);
        uint256 supply = junior.totalSupply();
        uint256 before = junior.convertToAssets(junior.balanceOf(alice));
        for (uint256 i = 1; i < 4; ++i) {
            uint256 lambda = (_layer(0) + _layer(1) - dust) * 1e18 / (150_000 * UNIT);
            _open(i, GAUGE, lambda);
            _void(i, GAUGE);
            (uint256 minted,) = junior.recoveries(i);
            // Each time a thousandfold at most, where a millionfold would close the tranche at the next loss.
            assertLe(junior.totalSupply(), supply * 1_001);
            supply = junior.totalSupply();
            if (minted != 0) {
                junior.claimRecovery(i, alice);
                junior.claimRecovery(i, curator);
            }
        }
        assertGe(_layer(0) + _layer(1), below);
        assertApproxEqRel(junior.convertToAssets(junior.balanceOf(alice)), before, 0.005e18);
        _checkMoney();
    }

    // ----- recoveries -----

    function _reserveSome() private returns (Sale memory sale) {
        sale = _buy(PLAIN, 60_000 * UNIT, 60);
        vm.warp(sale.inception + 1);
        vm.roll(vm.getBlockNumber() + 100);
        pool.accrue();
    }

    /// @dev Hole "recoveries captured by flash-borrowed shares": only the end of the block before counts.
    function test_recoveries_captured_by_flash_borrowed_shares() public {
        _fund();
        _reserveSome();
        uint256 shares = junior.balanceOf(alice);
        _pass(12);
        // In the block of the opening, before it.
        vm.prank(alice);
        junior.transfer(bob, shares);
        uint256 time = block.timestamp - 12;
        booked.push(1);
        _book(1, GAUGE, uint64(time), 0.5e18);
        _void(1, GAUGE);
        expectRevert(abi.encodeWithSelector(ITranche.NothingToRecover.selector, 1, bob));
        junior.claimRecovery(1, bob);
        uint256 got = junior.claimRecovery(1, alice);
        assertApproxEqRel(got, junior.claimRecovery(1, curator), 0.0001e18);
        expectRevert(abi.encodeWithSelector(ITranche.NothingToRecover.selector, 1, alice));
        junior.claimRecovery(1, alice);
    }

    /// @dev Hole "recoveries captured by late joiners": a deposit that waits out the dwell buys at the price then.
    function test_recoveries_captured_by_late_joiners() public {
        _fund();
        _reserveSome();
        uint256 before = junior.convertToAssets(junior.balanceOf(alice));
        _open(1, GAUGE, 0.5e18);
        uint256 id = _deposit(junior, bob, 50_000 * UNIT);
        _nextEpoch();
        pool.accrue();
        // No deposit is priced while the loss may still turn out to be nothing.
        expectRevert(abi.encodeWithSelector(ITranche.NotProcessed.selector, id));
        junior.claimDeposit(id, bob);
        _void(1, GAUGE);
        uint256 shares = junior.claimDeposit(id, bob);
        assertLe(junior.convertToAssets(shares), 50_000 * UNIT);
        expectRevert(abi.encodeWithSelector(ITranche.NothingToRecover.selector, 1, bob));
        junior.claimRecovery(1, bob);
        junior.claimRecovery(1, alice);
        assertGe(junior.convertToAssets(junior.balanceOf(alice)) + 10, before);
        _checkMoney();
    }

    /// @dev A request made after the loss joins the same cohort, and takes nothing of what came before it.
    function test_recoveries_captured_by_a_late_request() public {
        _fund();
        _reserveSome();
        uint256 id = _redeem(junior, alice, junior.balanceOf(alice) / 2);
        _open(1, GAUGE, 0.5e18);
        uint256 rest = junior.balanceOf(alice);
        assertEq(_redeem(junior, alice, rest), id);
        _void(1, GAUGE);
        uint256 queued = junior.claimQueuedRecovery(1, id, alice);
        uint256 held = junior.claimRecovery(1, alice);
        assertApproxEqAbs(queued, held, 1e7);
        uint256 curators = junior.claimRecovery(1, curator);
        assertApproxEqRel(queued + held, curators, 0.0001e18);
        assertLe(junior.balanceOf(junior.RECOVERIES()), 3);
        expectRevert(abi.encodeWithSelector(ITranche.NothingToRecover.selector, 1, alice));
        junior.claimQueuedRecovery(1, id, alice);
    }

    function test_recovery_of_a_partly_paid_cohort_goes_by_what_was_left() public {
        _fund();
        _buy(LIMITED, 300_000 * UNIT, 300);
        _buy(OTHER, 290_000 * UNIT, 300);
        _reserveSome();
        uint256 half = senior.balanceOf(carol) / 2;
        vm.prank(carol);
        senior.transfer(bob, half);
        _redeem(senior, carol, senior.balanceOf(carol));
        uint256 id = _redeem(senior, bob, half);
        vm.warp(id * 7 days);
        vm.roll(vm.getBlockNumber() + 10);
        senior.processRedemptions();
        (uint256 shares, uint256 remaining,,,) = senior.cohorts(id);
        assertLt(remaining, shares);
        assertGt(remaining, 0);
        _pass(2 days);
        _open(1, OTHER_GAUGE, 1e18);
        assertGt(pool.booking(1).charged[3], 0);
        _void(1, OTHER_GAUGE);
        uint256 a = senior.claimQueuedRecovery(1, id, carol);
        uint256 b = senior.claimQueuedRecovery(1, id, bob);
        assertApproxEqAbs(a, b, 1e7);
        assertLe(senior.balanceOf(senior.RECOVERIES()), 3);
        _checkMoney();
    }

    /// @dev Shares that wait to be claimed bear losses; what comes back of them is theirs.
    function test_unclaimed_deposits_recover_like_all_others() public {
        _fund();
        _deposit(junior, bob, 50_000 * UNIT);
        _nextEpoch();
        pool.accrue();
        uint256 id = block.timestamp / 7 days - 1;
        _reserveSome();
        _open(1, GAUGE, 0.5e18);
        uint256 shares = junior.claimDeposit(id, bob);
        _void(1, GAUGE);
        uint256 got = junior.claimQueuedRecovery(1, id, bob);
        assertApproxEqRel(junior.convertToAssets(shares + got), 50_000 * UNIT, 0.0001e18);
        assertApproxEqRel(
            got * 1e18 / shares, junior.claimRecovery(1, alice) * 1e18 / (50_000 * UNIT * 1e6), 0.001e18
        );
        expectRevert(abi.encodeWithSelector(ITranche.NothingToRecover.selector, 1, bob));
        junior.claimRecovery(1, bob);
    }

    function test_the_queues_claim_nothing_as_accounts() public {
        _fund();
        _reserveSome();
        _redeem(junior, alice, junior.balanceOf(alice) / 2);
        _open(1, GAUGE, 0.5e18);
        _void(1, GAUGE);
        address[3] memory nobody = [address(junior), junior.DEPOSITS(), junior.RECOVERIES()];
        for (uint256 i; i < 3; ++i) {
            expectRevert(abi.encodeWithSelector(ITranche.NothingToRecover.selector, 1, nobody[i]));
            junior.claimRecovery(1, nobody[i]);
        }
    }

    function test_checkpoints_hold_the_end_of_each_block() public {
        _fund();
        uint256 shares = senior.balanceOf(carol);
        uint256 number = vm.getBlockNumber();
        vm.roll(number + 1);
        vm.startPrank(carol);
        senior.transfer(bob, shares);
        vm.stopPrank();
        vm.prank(bob);
        senior.transfer(alice, shares / 2);
        assertEq(senior.balanceAt(carol, number), shares);
        assertEq(senior.balanceAt(bob, number), 0);
        assertEq(senior.balanceAt(bob, number + 1), shares - shares / 2);
        assertEq(senior.supplyAt(number + 1), senior.totalSupply());
    }

    /// @dev Prices only fall by losses and only rise by earnings: deposits and exits of others do not move them.
    function test_deposits_and_exits_leave_the_price(uint256 amount, uint256 part) public {
        _fund();
        amount = bound(amount, 1, 1_000_000 * UNIT);
        part = bound(part, 1e6, senior.balanceOf(carol) / 2);
        uint256 price = senior.convertToAssets(1e24);
        _deposit(senior, bob, amount);
        uint256 id = _redeem(senior, carol, part);
        _nextEpoch();
        _claim(senior, bob);
        assertGe(senior.convertToAssets(1e24), price);
        assertLe(senior.convertToAssets(1e24), price + price / 1e9);
        vm.warp(id * 7 days);
        senior.processRedemptions();
        assertGe(senior.convertToAssets(1e24), price);
        assertLe(senior.convertToAssets(1e24), price + price / 1e9);
        _checkMoney();
    }
}
