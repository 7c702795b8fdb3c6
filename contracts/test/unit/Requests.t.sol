// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {
    IERC7540Deposit,
    IERC7540Operator,
    IERC7540Redeem,
    IERC7575
} from "breakwater/interfaces/IAsyncVault.sol";
import {ITranche} from "breakwater/interfaces/ITranche.sol";
import {PoolSetup} from "./PoolSetup.t.sol";

/// @notice A tranche as other contracts see it who know ERC-7540 and nothing of Breakwater.
contract RequestsTest is PoolSetup {
    /// @dev The ids that ERC-7540 and ERC-7575 print.
    function test_interfaces_are_those_of_the_standards() public view {
        assertEq(bytes32(type(IERC7540Operator).interfaceId), bytes32(bytes4(0xe3bc4e65)));
        assertEq(bytes32(type(IERC7540Deposit).interfaceId), bytes32(bytes4(0xce3bbe50)));
        assertEq(bytes32(type(IERC7540Redeem).interfaceId), bytes32(bytes4(0x620ee8e4)));
        assertEq(bytes32(type(IERC7575).interfaceId), bytes32(bytes4(0x2f0a18c5)));
        IERC165 tranche = IERC165(address(junior));
        assertTrue(tranche.supportsInterface(0x01ffc9a7));
        assertTrue(tranche.supportsInterface(0xe3bc4e65));
        assertTrue(tranche.supportsInterface(0xce3bbe50));
        assertTrue(tranche.supportsInterface(0x620ee8e4));
        assertTrue(tranche.supportsInterface(0x2f0a18c5));
        assertFalse(tranche.supportsInterface(0xffffffff));
        assertEq(junior.share(), address(junior));
        assertEq(junior.asset(), address(coin));
    }

    function test_previews_always_revert() public {
        expectRevert(ITranche.NoPreview.selector);
        junior.previewDeposit(1);
        expectRevert(ITranche.NoPreview.selector);
        junior.previewMint(1);
        expectRevert(ITranche.NoPreview.selector);
        junior.previewWithdraw(1);
        expectRevert(ITranche.NoPreview.selector);
        junior.previewRedeem(1);
    }

    function test_a_request_is_pending_then_claimable_then_claimed() public {
        uint256 id = _deposit(junior, alice, 100 * UNIT);
        assertEq(junior.pendingDepositRequest(id, alice), 100 * UNIT);
        assertEq(junior.claimableDepositRequest(id, alice), 0);
        assertEq(junior.maxDeposit(alice), 0);
        _nextEpoch();
        pool.accrue();
        assertEq(junior.pendingDepositRequest(id, alice), 0);
        assertEq(junior.claimableDepositRequest(id, alice), 100 * UNIT);
        assertEq(junior.maxDeposit(alice), 100 * UNIT);
        assertEq(junior.maxMint(alice), 100 * UNIT * 1e6);
        vm.prank(alice);
        assertEq(junior.deposit(100 * UNIT, bob, alice), 100 * UNIT * 1e6);
        assertEq(junior.balanceOf(bob), 100 * UNIT * 1e6);
        assertEq(junior.maxDeposit(alice), 0);
        assertEq(junior.claimableDepositRequest(id, alice), 0);
        expectRevert(abi.encodeWithSelector(ITranche.NothingToClaim.selector, id, alice));
        junior.claimDeposit(id, alice);
        _checkMoney();
    }

    /// @dev Requests of three epochs, one of them claimed by its id, in one call.
    function test_claims_run_over_requests_oldest_first() public {
        _deposit(junior, alice, 100 * UNIT);
        _nextEpoch();
        uint256 second = _deposit(junior, alice, 50 * UNIT);
        _nextEpoch();
        _deposit(junior, alice, 25 * UNIT);
        _nextEpoch();
        junior.claimDeposit(second, alice);
        vm.startPrank(alice);
        expectRevert(abi.encodeWithSelector(ITranche.AboveClaimable.selector, 125 * UNIT, 126 * UNIT));
        junior.deposit(126 * UNIT, alice);
        assertEq(junior.maxDeposit(alice), 125 * UNIT);
        assertEq(junior.mint(125 * UNIT * 1e6, alice), 125 * UNIT);
        assertEq(junior.balanceOf(alice), 175 * UNIT * 1e6);
        vm.stopPrank();
    }

    /// @dev Recoveries go by who held a deposit, so no part of one is claimed.
    function test_a_deposit_is_claimed_whole() public {
        uint256 id = _deposit(junior, alice, 100 * UNIT);
        _nextEpoch();
        vm.startPrank(alice);
        bytes memory whole =
            abi.encodeWithSelector(ITranche.ClaimedWhole.selector, id, 100 * UNIT, 100 * UNIT * 1e6);
        expectRevert(whole);
        junior.deposit(99 * UNIT, alice);
        expectRevert(whole);
        junior.mint(100 * UNIT * 1e6 - 1, alice);
        expectRevert(ITranche.ZeroAmount.selector);
        junior.mint(0, alice);
        expectRevert(ITranche.ZeroAddress.selector);
        junior.deposit(100 * UNIT, address(0));
        vm.stopPrank();
    }

    function test_redemptions_are_claimed_in_parts() public {
        uint256 id = _queued(100 * UNIT * 1e6);
        assertEq(junior.pendingRedeemRequest(id, alice), 100 * UNIT * 1e6);
        assertEq(junior.claimableRedeemRequest(id, alice), 0);
        vm.warp(id * 7 days);
        pool.accrue();
        assertEq(junior.pendingRedeemRequest(id, alice), 0);
        assertEq(junior.claimableRedeemRequest(id, alice), 100 * UNIT * 1e6);
        assertEq(junior.maxWithdraw(alice), 100 * UNIT);
        vm.startPrank(alice);
        assertEq(junior.withdraw(40 * UNIT, bob, alice), 40 * UNIT * 1e6);
        assertEq(coin.balanceOf(bob), 40 * UNIT);
        assertEq(junior.maxRedeem(alice), 60 * UNIT * 1e6);
        assertEq(junior.redeem(30 * UNIT * 1e6, bob, alice), 30 * UNIT);
        expectRevert(abi.encodeWithSelector(ITranche.AboveClaimable.selector, 30 * UNIT, 30 * UNIT + 1));
        junior.withdraw(30 * UNIT + 1, bob, alice);
        vm.stopPrank();
        assertEq(junior.claimRedeem(id, alice), 30 * UNIT);
        assertEq(junior.maxWithdraw(alice), 0);
        _checkMoney();
    }

    /// @dev However it is claimed, by amount of either sort or by id, the sum is what was paid.
    function test_fuzz_parts_of_a_redemption_add_up(uint256 seed) public {
        uint256 id = _queued(bound(seed, 1e6, 100 * UNIT * 1e6));
        vm.warp(id * 7 days);
        pool.accrue();
        uint256 all = junior.maxWithdraw(alice);
        uint256 before = coin.balanceOf(alice);
        vm.startPrank(alice);
        for (uint256 i; i < 4; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 assets = junior.maxWithdraw(alice);
            uint256 shares = junior.maxRedeem(alice);
            if (assets == 0) break;
            if (seed % 2 == 0) junior.withdraw(bound(seed, 1, assets), alice, alice);
            else junior.redeem(bound(seed, 1, shares), alice, alice);
            assertEq(coin.balanceOf(alice) - before + junior.maxWithdraw(alice), all);
        }
        if (junior.maxWithdraw(alice) != 0) junior.claimRedeem(id, alice);
        vm.stopPrank();
        assertEq(coin.balanceOf(alice) - before, all);
        _checkMoney();
    }

    function test_operators_act_for_those_who_let_them() public {
        coin.mint(alice, 100 * UNIT);
        vm.startPrank(alice);
        coin.approve(address(junior), 100 * UNIT);
        assertTrue(junior.setOperator(bob, true));
        vm.stopPrank();
        assertTrue(junior.isOperator(alice, bob));
        vm.prank(bob);
        junior.requestDeposit(100 * UNIT, alice, alice);
        _nextEpoch();
        vm.prank(bob);
        junior.deposit(100 * UNIT, alice, alice);
        vm.prank(bob);
        uint256 id = junior.requestRedeem(50 * UNIT * 1e6, alice, alice);
        vm.prank(alice);
        junior.setOperator(bob, false);
        vm.warp(id * 7 days);
        pool.accrue();
        bytes memory refused = abi.encodeWithSelector(ITranche.NotOwner.selector, alice, bob);
        vm.startPrank(bob);
        expectRevert(refused);
        junior.withdraw(50 * UNIT, bob, alice);
        expectRevert(refused);
        junior.redeem(1, bob, alice);
        expectRevert(refused);
        junior.requestRedeem(1, bob, alice);
        expectRevert(refused);
        junior.requestDeposit(1, bob, alice);
        expectRevert(refused);
        junior.deposit(1, bob, alice);
        expectRevert(refused);
        junior.mint(1, bob, alice);
        vm.stopPrank();
    }

    /// @dev A stranger's dust in many epochs does not keep a controller from his own money.
    function test_requests_made_for_someone_do_not_stop_him() public {
        uint256 own = _deposit(junior, alice, 10 * UNIT);
        for (uint256 i; i < 70; ++i) {
            _nextEpoch();
            coin.mint(bob, UNIT);
            vm.startPrank(bob);
            coin.approve(address(junior), UNIT);
            junior.requestDeposit(UNIT, alice, bob);
            vm.stopPrank();
        }
        _nextEpoch();
        pool.accrue();
        assertEq(junior.maxDeposit(alice), 73 * UNIT);
        vm.startPrank(alice);
        junior.deposit(73 * UNIT, alice);
        assertEq(junior.maxDeposit(alice), 7 * UNIT);
        junior.deposit(7 * UNIT, alice);
        vm.stopPrank();
        expectRevert(abi.encodeWithSelector(ITranche.NothingToClaim.selector, own, alice));
        junior.claimDeposit(own, alice);
    }

    /// @dev Nor do more requests than one claim walks through, made and claimed by their ids for him.
    function test_requests_claimed_for_someone_do_not_shut_him_out() public {
        for (uint256 i; i < 65; ++i) {
            _depositFor(alice, UNIT);
            _nextEpoch();
            junior.claimDeposit(block.timestamp / 7 days - 1, alice);
        }
        _deposit(junior, alice, 100 * UNIT);
        _nextEpoch();
        pool.accrue();
        assertEq(junior.maxDeposit(alice), 100 * UNIT);
        vm.prank(alice);
        junior.deposit(100 * UNIT, alice);
        assertEq(junior.maxDeposit(alice), 0);
        _checkMoney();
    }

    /// @dev The same for redemptions, which anyone may ask for with shares of his own.
    function test_redemptions_claimed_for_someone_do_not_shut_him_out() public {
        _deposit(junior, alice, 100 * UNIT);
        _deposit(junior, bob, 100 * UNIT);
        _nextEpoch();
        _claim(junior, alice);
        _claim(junior, bob);
        uint256[65] memory ids;
        for (uint256 i; i < ids.length; ++i) {
            vm.prank(bob);
            ids[i] = junior.requestRedeem(UNIT * 1e6, alice, bob);
            _nextEpoch();
            pool.accrue();
        }
        uint256 own = _redeem(junior, alice, 100 * UNIT * 1e6);
        while (block.timestamp / 7 days < own) {
            _nextEpoch();
            pool.accrue();
        }
        for (uint256 i; i < ids.length; ++i) {
            if (ids[i] != own) junior.claimRedeem(ids[i], alice);
        }
        uint256 shares = junior.maxRedeem(alice);
        assertGe(shares, 100 * UNIT * 1e6);
        vm.prank(alice);
        junior.redeem(shares, alice, alice);
        assertEq(junior.maxRedeem(alice), 0);
        _checkMoney();
    }

    /// @dev A deposit of bob's money that another one controls.
    function _depositFor(address controller, uint256 assets) private {
        coin.mint(bob, assets);
        vm.startPrank(bob);
        coin.approve(address(junior), assets);
        junior.requestDeposit(assets, controller, bob);
        vm.stopPrank();
    }

    function _queued(uint256 shares) private returns (uint256 id) {
        _deposit(junior, alice, 100 * UNIT);
        _nextEpoch();
        pool.accrue();
        vm.prank(alice);
        junior.deposit(100 * UNIT, alice);
        id = _redeem(junior, alice, shares);
    }
}
