// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC7540Deposit} from "breakwater/interfaces/IAsyncVault.sol";
import {IPool, PoolConfig, Reduction} from "breakwater/interfaces/IPool.sol";
import {IPoolDesk, Underwriting} from "breakwater/interfaces/IPoolDesk.sol";
import {ITranche} from "breakwater/interfaces/ITranche.sol";
import {Coin, PoolSetup} from "./PoolSetup.t.sol";

/// @notice Assets and receivers that misbehave, and a curator who does.
contract PoolMoneyTest is PoolSetup {
    function setUp() public override {
        super.setUp();
        _fund();
    }

    function _settled(uint256 sum) private returns (Sale memory sale) {
        sale = _buy(PLAIN, sum, 30);
        vm.warp(sale.inception + 1);
        _open(1, GAUGE, 0.5e18);
        _settleBooking(1);
    }

    // ----- assets -----

    function test_deposit_of_an_asset_with_a_fee_is_refused() public {
        coin.setFee(10);
        coin.mint(alice, 1_000 * UNIT);
        vm.startPrank(alice);
        coin.approve(address(junior), 1_000 * UNIT);
        expectRevert(abi.encodeWithSelector(IPool.WrongTransfer.selector, 1_000 * UNIT, 999 * UNIT));
        junior.requestDeposit(1_000 * UNIT, alice, alice);
        vm.stopPrank();
        _checkMoney();
    }

    function test_deposit_of_an_asset_that_answers_false_is_refused() public {
        coin.setSilent(true);
        coin.mint(alice, 1_000 * UNIT);
        vm.startPrank(alice);
        coin.approve(address(junior), 1_000 * UNIT);
        vm.expectRevert();
        junior.requestDeposit(1_000 * UNIT, alice, alice);
        vm.stopPrank();
        assertEq(pool.state().pendingDeposits, 0);
    }

    /// @dev Hole "re-entrant deposit": while one deposit is measured, a second one inside would count for both.
    function test_a_deposit_within_a_deposit_fails() public {
        Thief thief = new Thief(coin);
        coin.mint(address(thief), 300 * UNIT);
        thief.prepare(
            address(junior),
            abi.encodeCall(IERC7540Deposit.requestDeposit, (100 * UNIT, address(thief), address(thief)))
        );
        thief.prepare(address(mezzanine), "");
        coin.setHook(address(thief), abi.encodeCall(Thief.strike, (address(mezzanine))));
        uint256 before = pool.state().pendingDeposits;
        thief.begin();
        assertTrue(thief.struck());
        assertFalse(thief.succeeded());
        assertEq(pool.state().pendingDeposits - before, 100 * UNIT);
        _checkMoney();
    }

    /// @dev Hole "re-entrant payout": nothing of the pool can be called while it sends money.
    function test_nothing_can_be_called_during_a_payment() public {
        Sale memory sale = _settled(100_000 * UNIT);
        bytes[5] memory calls = [
            abi.encodeCall(IPool.accrue, ()),
            abi.encodeCall(IPoolDesk.closeBooking, (1)),
            abi.encodeCall(IPoolDesk.withdraw, (holder)),
            abi.encodeCall(IPoolDesk.lock, (1)),
            abi.encodeCall(IPool.settleBooking, (1))
        ];
        uint128 paid;
        for (uint256 i; i < 5; ++i) {
            coin.setHook(address(pool), calls[i]);
            _pay(1, sale, paid, paid + 100, paid);
            paid += 100;
            assertTrue(coin.hookFailed());
        }
        coin.setHook(address(junior), abi.encodeCall(ITranche.processRedemptions, ()));
        _pay(1, sale, paid, paid + 100, paid);
        assertTrue(coin.hookFailed());
        _checkMoney();
    }

    /// @dev Hole "a reverting holder blocking a batch": what cannot be sent is owed, and anyone may push it later.
    function test_a_holder_that_rejects_payment_is_owed() public {
        Sale memory sale = _settled(100_000 * UNIT);
        coin.setBlocked(holder, true);
        assertEq(_pay(1, sale, 0, uint128(10_000 * UNIT), 0), 10_000 * UNIT);
        assertEq(pool.owed(holder), 9_900 * UNIT);
        assertEq(coin.balanceOf(settler), 50 * UNIT);
        _checkMoney();
        vm.expectRevert();
        pool.withdraw(holder);
        coin.setBlocked(holder, false);
        vm.prank(bob);
        assertEq(pool.withdraw(holder), 9_900 * UNIT);
        assertEq(coin.balanceOf(holder), 9_900 * UNIT);
        expectRevert(abi.encodeWithSelector(IPool.NothingOwed.selector, holder));
        pool.withdraw(holder);
        _checkMoney();
    }

    function test_what_an_asset_refuses_silently_is_owed() public {
        Sale memory sale = _settled(100_000 * UNIT);
        coin.setSilent(true);
        _pay(1, sale, 0, uint128(10_000 * UNIT), 0);
        assertEq(pool.owed(holder) + pool.owed(settler) + pool.owed(opener), 10_000 * UNIT);
        vm.expectRevert();
        pool.withdraw(holder);
        coin.setSilent(false);
        pool.withdraw(holder);
        _checkMoney();
    }

    function test_refunds_and_redemptions_that_fail_are_owed() public {
        Sale memory sale = _buy(PLAIN, 100_000 * UNIT, 30);
        coin.setBlocked(holder, true);
        uint256 refund = _cancel(sale, sale.purchased);
        assertEq(pool.owed(holder), refund);
        uint256 id = _redeem(senior, carol, senior.balanceOf(carol) / 10);
        vm.warp(id * 7 days);
        senior.processRedemptions();
        coin.setBlocked(carol, true);
        uint256 assets = senior.claimRedeem(id, carol);
        assertEq(pool.owed(carol), assets);
        _checkMoney();
    }

    function test_donations_are_nobodys() public {
        uint256 price = junior.convertToAssets(1e18);
        coin.mint(address(pool), 1_000_000 * UNIT);
        pool.accrue();
        assertEq(junior.convertToAssets(1e18), price);
        assertEq(coin.balanceOf(address(pool)), _claims() + 1_000_000 * UNIT);
    }

    // ----- the curator -----

    /// @dev Hole "self-drain by the curator": nothing looser is in force before every underwriter could leave.
    function test_self_drain_by_curator_waits_until_all_could_leave() public {
        vm.startPrank(curator);
        pool.setProduct(OTHER, 0, 0.02e18);
        pool.unlock(10_000 * UNIT * 1e6);
        vm.stopPrank();
        world.list("own", _terms("own gauge", 0, 0));
        vm.prank(curator);
        pool.setProduct("own", uint128(100_000 * UNIT), 0);
        uint256 effectiveAt = block.timestamp + 14 days + 2 * 7 days;
        assertEq(world.attached("own gauge"), 1);
        uint256 exit = _redeem(mezzanine, bob, mezzanine.balanceOf(bob));
        vm.warp(effectiveAt - 1);
        _expectNotEffective("own", effectiveAt);
        // Whoever asked at once is payable before the first sale.
        assertLe(exit * 7 days, effectiveAt);
        vm.warp(effectiveAt);
        _buy("own", 1_000 * UNIT, 30);
    }

    function _expectNotEffective(bytes32 product, uint256 effectiveAt) private {
        uint64 inception = uint64(block.timestamp) + WAITING;
        uint64 expiry = uint64((inception / DAY + 31) * DAY);
        expectRevert(abi.encodeWithSelector(IPool.NotEffective.selector, product, effectiveAt));
        pool.quote(product, 1, inception, expiry);
    }

    function test_tightening_acts_at_once_and_loosening_waits() public {
        vm.startPrank(curator);
        pool.setProduct(PLAIN, uint128(100_000 * UNIT), 0.01e18);
        Underwriting memory u = pool.underwriting(PLAIN);
        assertEq(u.cap, 100_000 * UNIT);
        assertEq(u.floorRate, 0.02e18);
        assertEq(u.pendingRate, 0.01e18);
        pool.setProduct(PLAIN, uint128(200_000 * UNIT), 0.03e18);
        u = pool.underwriting(PLAIN);
        assertEq(u.cap, 100_000 * UNIT);
        assertEq(u.floorRate, 0.03e18);
        assertEq(u.pendingCap, 200_000 * UNIT);
        vm.stopPrank();
        vm.warp(u.effectiveAt);
        assertEq(pool.underwriting(PLAIN).cap, 200_000 * UNIT);
        vm.prank(curator);
        pool.setProduct(PLAIN, 5, 0.03e18);
        u = pool.underwriting(PLAIN);
        assertEq(u.cap, 5);
        assertEq(u.effectiveAt, 0);
        assertEq(pool.state().capSum, 600_000 * UNIT + 5);
    }

    function test_caps_need_the_curators_own_junior() public {
        uint256 value = junior.convertToAssets(pool.locked());
        uint128 cap = uint128(value * 20 - 700_000 * UNIT);
        vm.startPrank(curator);
        expectRevert(IPool.LockTooSmall.selector);
        pool.setProduct(OTHER, cap + 40, 0.02e18);
        pool.setProduct(OTHER, cap, 0.02e18);
        expectRevert(IPool.LockTooSmall.selector);
        pool.unlock(1e6);
        vm.stopPrank();
    }

    /// @dev Hole "locked junior": it cannot be moved, queued or locked twice.
    function test_locked_junior_stays() public {
        uint256 locked = pool.locked();
        assertEq(junior.balanceOf(curator), locked);
        vm.startPrank(curator);
        expectRevert(abi.encodeWithSelector(ITranche.SharesLocked.selector, locked, locked - 1));
        junior.transfer(alice, 1);
        expectRevert(abi.encodeWithSelector(ITranche.SharesLocked.selector, locked, 0));
        junior.requestRedeem(locked, curator, curator);
        expectRevert(abi.encodeWithSelector(ITranche.SharesLocked.selector, locked, locked));
        pool.lock(1);
        expectRevert(abi.encodeWithSelector(IPool.LockTooSmall.selector, locked + 1, locked));
        pool.unlock(locked + 1);
        expectRevert(IPool.ZeroAmount.selector);
        pool.lock(0);
        vm.stopPrank();
    }

    /// @dev A transient loss does not turn the lock into free shares.
    function test_locked_junior_recovers_locked() public {
        Sale memory sale = _buy(PLAIN, 150_000 * UNIT, 30);
        vm.warp(sale.inception + 1);
        pool.accrue();
        uint256 value = junior.convertToAssets(pool.locked());
        _open(1, GAUGE, 0.6e18);
        _void(1, GAUGE);
        junior.claimRecovery(1, curator);
        assertEq(pool.locked(), junior.balanceOf(curator));
        assertApproxEqAbs(junior.convertToAssets(pool.locked()), value, 2_000);
        vm.prank(curator);
        expectRevert(ITranche.SharesLocked.selector);
        junior.transfer(alice, 1);
    }

    function test_only_the_curator_curates() public {
        bytes memory refused = abi.encodeWithSelector(IPool.NotCurator.selector, address(this));
        expectRevert(refused);
        pool.setProduct(PLAIN, 1, 1);
        expectRevert(refused);
        pool.lock(1);
        expectRevert(refused);
        pool.unlock(1);
    }

    function test_products_are_checked_when_they_are_set() public {
        vm.startPrank(curator);
        expectRevert(abi.encodeWithSelector(IPool.UnknownProduct.selector, bytes32("none")));
        pool.setProduct("none", 1, 1);
        for (uint256 i; i < 2; ++i) {
            world.list(bytes32(i + 1), _terms(GAUGE, 0, 0));
            pool.setProduct(bytes32(i + 1), 0, 0);
        }
        world.list("fifth", _terms(GAUGE, 0, 0));
        expectRevert(abi.encodeWithSelector(IPool.TooManyProducts.selector, GAUGE, 4));
        pool.setProduct("fifth", 0, 0);
        vm.stopPrank();
        assertEq(pool.productsOf(GAUGE).length, 4);
        assertEq(world.attached(GAUGE), 1);
    }

    function test_config_is_checked_field_by_field() public {
        PoolConfig memory c = config;
        c.curator = address(0);
        _expectOutOfRange(c, "curator", 0);
        c = config;
        c.weightBps[0] = 5_001;
        _expectOutOfRange(c, "weightBps", 10_001);
        c = config;
        c.scarcityKink = 1e18 - 1;
        _expectOutOfRange(c, "scarcityKink", 1e18 - 1);
        c = config;
        c.scarcityFull = c.scarcityKink - 1;
        _expectOutOfRange(c, "scarcityFull", c.scarcityKink - 1);
        c = config;
        c.curatorFeeBps = 2_001;
        _expectOutOfRange(c, "curatorFeeBps", 2_001);
        c = config;
        c.asset = alice;
        _expectOutOfRange(c, "asset", uint160(alice));
    }

    /// @dev Hole "epochs of seconds": underwriters would leave before a loss is booked; nor are they held for good.
    function test_a_curator_cannot_choose_terms_that_let_capital_escape_or_keep_it_in() public {
        PoolConfig memory c = config;
        (c.epoch, c.cooldown) = (1 days - 1, 1 days);
        _expectOutOfRange(c, "epoch", 1 days - 1);
        (c.epoch, c.cooldown) = (90 days + 1, 90 days);
        _expectOutOfRange(c, "epoch", 90 days + 1);
        (c.epoch, c.cooldown) = (2 days, 2 days - 1);
        _expectOutOfRange(c, "cooldown", 2 days - 1);
        c.cooldown = 90 days + 1;
        _expectOutOfRange(c, "cooldown", 90 days + 1);
        (c.epoch, c.cooldown) = (1 days, 1 days);
        _deploy(c);
        (c.epoch, c.cooldown) = (90 days, 90 days);
        _deploy(c);
        c = config;
        c.leverageBps = 100_001;
        _expectOutOfRange(c, "leverageBps", 100_001);
        // Below one, more would have to stay than can ever be lost.
        c.leverageBps = 9_999;
        _expectOutOfRange(c, "leverageBps", 9_999);
        c = config;
        c.subordinationBps = 7_001;
        _expectOutOfRange(c, "subordinationBps", 7_001);
    }

    /// @dev Nor terms by which nobody but he gains: cover for nothing, premium to one layer or to nobody, no stake.
    function test_a_curator_cannot_choose_terms_that_give_cover_or_premium_away() public {
        PoolConfig memory c = config;
        c.costOfCapital = 0.001e18 - 1;
        _expectOutOfRange(c, "costOfCapital", 0.001e18 - 1);
        c.costOfCapital = 1e18 + 1;
        _expectOutOfRange(c, "costOfCapital", 1e18 + 1);
        c = config;
        c.curatorShareBps = 99;
        _expectOutOfRange(c, "curatorShareBps", 99);
        c.curatorShareBps = 10_001;
        _expectOutOfRange(c, "curatorShareBps", 10_001);
        c = config;
        c.surplusBps = 5_001;
        _expectOutOfRange(c, "surplusBps", 5_001);
        c = config;
        c.weightBps = [uint16(9_001), 499, 500];
        _expectOutOfRange(c, "weightBps", 499);
        c = config;
        c.kink = 0.01e18 - 1;
        _expectOutOfRange(c, "kink", 0.01e18 - 1);
        c.kink = 0.99e18 + 1;
        _expectOutOfRange(c, "kink", 0.99e18 + 1);
        c = config;
        c.surgeHalfLife = 1 hours - 1;
        _expectOutOfRange(c, "surgeHalfLife", 1 hours - 1);
        c.surgeHalfLife = 90 days + 1;
        _expectOutOfRange(c, "surgeHalfLife", 90 days + 1);
    }

    function _expectOutOfRange(PoolConfig memory c, bytes32 field, uint256 got) private {
        expectRevert(abi.encodeWithSelector(IPool.OutOfRange.selector, field, got));
        _deploy(c);
    }
}

/// @notice Deposits, and from within its own transfer deposits again elsewhere.
contract Thief {
    Coin private immutable _coin;
    address private _target;
    bytes private _first;
    bool public struck;
    bool public succeeded;

    constructor(Coin coin) {
        _coin = coin;
    }

    function prepare(address target, bytes calldata first) external {
        _coin.approve(target, type(uint256).max);
        if (first.length != 0) (_target, _first) = (target, first);
    }

    function begin() external {
        (bool ok,) = _target.call(_first);
        require(ok, "first deposit failed");
    }

    function strike(address target) external {
        if (struck) return;
        struck = true;
        (succeeded,) = target.call(
            abi.encodeCall(IERC7540Deposit.requestDeposit, (uint256(100e6), address(this), address(this)))
        );
    }
}
