// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Product} from "breakwater/interfaces/ICatalog.sol";
import {GaugeSpec} from "breakwater/interfaces/IGauges.sol";
import {Status} from "breakwater/interfaces/IIncidents.sol";
import {IPolicies} from "breakwater/interfaces/IPolicies.sol";
import {ISalvage, Lot} from "breakwater/interfaces/ISalvage.sol";
import {Fixture} from "../Fixture.sol";
import {BlockingToken, FeeToken} from "../Tokens.sol";

/// @notice Impaired tokens: assigned for a claim, taken for what was paid, sold for those who bore the loss.
contract SalvageTest is Fixture {
    ISalvage private salvage;
    BlockingToken private share;
    Pool private pool;
    bytes32 private product;
    uint256 private policy;
    uint256 private incident;
    uint256 private onset;

    function setUp() public override {
        super.setUp();
        openVault();
        salvage = policies.salvage();
        share = new BlockingToken();
        pool = makePool(usd, 1_000_000e6);
        product = _offer(address(share));
        share.mint(alice, 100_000e6);
        vm.prank(alice);
        share.approve(address(salvage), type(uint256).max);
    }

    // ----- claiming -----

    function test_only_what_is_assigned_counts_as_lost() public {
        _final(60_000e6, 400_000e6);
        expectRevert(abi.encodeWithSelector(IPolicies.NothingToPay.selector, policy, incident));
        policies.settle(policy, incident);
        // Alice lost 60,000 of her 100,000.
        _assign(10_000e6);
        assertEq(policies.settle(policy, incident), 10_000e6);
        _assign(15_000e6);
        assertEq(policies.settle(policy, incident), 15_000e6);
        assertEq(salvage.assigned(policy, incident), 25_000e6);
        assertEq(share.balanceOf(address(salvage)), 25_000e6);
        // Assigning beyond the loss is paid no more than the loss.
        _assign(75_000e6);
        assertEq(policies.settle(policy, incident), 11_000e6, "60 % of what is insured");
    }

    function test_only_the_position_assigns_and_only_for_a_claim() public {
        uint256 other = buy(pool, _plain(), bob, 80_000e6);
        expectRevert(abi.encodeWithSelector(ISalvage.NoSalvage.selector, other));
        salvage.assign(other, 1, 1);
        _final(60_000e6, 400_000e6);
        expectRevert(abi.encodeWithSelector(ISalvage.NotPosition.selector, alice, address(this)));
        salvage.assign(policy, incident, 1);
        vm.startPrank(alice);
        expectRevert(abi.encodeWithSelector(ISalvage.ZeroAmount.selector));
        salvage.assign(policy, incident, 0);
        expectRevert(abi.encodeWithSelector(ISalvage.NotClaimable.selector, 9, uint8(Status.None)));
        salvage.assign(policy, 9, 1);
        vm.warp(uint256(incidents.incident(incident).claimsEnd) + 1);
        expectRevert(abi.encodeWithSelector(ISalvage.NotClaimable.selector, incident, uint8(Status.Final)));
        salvage.assign(policy, incident, 1);
    }

    function test_an_incident_of_another_gauge_takes_nothing() public {
        _final(60_000e6, 400_000e6);
        GaugeSpec memory spec = vaultSpec();
        spec.accounts[0].codeHash = keccak256("another code");
        GaugeSpec[] memory priors = new GaugeSpec[](1);
        priors[0] = vaultSpec();
        bytes32 gauge = catalog.listGauge(spec, priors);
        Product memory terms = termsFor(gauge);
        terms.salvage = address(share);
        bytes32 another = listProduct(terms);
        underwrite(pool, another, 100_000e6);
        uint256 id = buy(pool, another, alice, 1_000e6);
        vm.prank(alice);
        expectRevert(abi.encodeWithSelector(ISalvage.WrongGauge.selector, gauge, list_()));
        salvage.assign(id, incident, 1);
    }

    // ----- taking and selling -----

    function test_what_was_paid_for_is_sold_for_those_who_bore_the_loss() public {
        _final(60_000e6, 400_000e6);
        _assign(40_000e6);
        // Insured for 60,000, of which 60 % are lost.
        assertEq(policies.settle(policy, incident), 36_000e6);
        expectRevert(
            abi.encodeWithSelector(
                ISalvage.ClaimsOpen.selector, incident, incidents.incident(incident).claimsEnd
            )
        );
        salvage.take(policy, incident);
        _take();
        Lot memory lot = salvage.lot(policy, incident);
        assertEq(lot.taken, 36_000e6, "what stands behind the payment");
        assertEq(share.balanceOf(alice), 64_000e6);
        assertTrue(pool.booking(incident).closed);
        expectRevert(abi.encodeWithSelector(ISalvage.AlreadyTaken.selector, policy, incident));
        salvage.take(policy, incident);

        assertEq(salvage.price(policy, incident, 10_000e6), 10_000e6);
        vm.warp(block.timestamp + 3.5 days);
        pool.accrue();
        uint256 capital = pool.capital();
        assertEq(_buyLot(10_000e6, 5_000e6), 5_000e6);
        assertEq(share.balanceOf(keeper), 10_000e6);
        assertEq(pool.capital() - capital, 5_000e6);
        assertEq(pool.booking(incident).recovered, 5_000e6);
        expectRevert(abi.encodeWithSelector(ISalvage.NotEnough.selector, 26_000e6 + 1, 26_000e6));
        salvage.buy(policy, incident, 26_000e6 + 1, type(uint256).max);
        expectRevert(abi.encodeWithSelector(ISalvage.CostAbove.selector, 13_000e6, 13_000e6 - 1));
        salvage.buy(policy, incident, 26_000e6, 13_000e6 - 1);
        // In the end for nothing, and nobody but the lot's buyer is asked for anything.
        vm.warp(block.timestamp + 3.5 days);
        assertEq(_buyLot(26_000e6, 0), 0);
        assertEq(share.balanceOf(address(salvage)), 0);
        assertEq(usd.balanceOf(address(salvage)), 0);
    }

    /// @dev Somebody who waits with a part until another one's price has fallen finds his own at par.
    function test_each_lot_has_its_own_auction() public {
        _final(60_000e6, 400_000e6);
        _assign(10_000e6);
        policies.settle(policy, incident);
        vm.warp(uint256(incidents.incident(incident).claimsEnd) + 20 days);
        salvage.take(policy, incident);
        assertEq(salvage.price(policy, incident, 10_000e6), 10_000e6);
        // Rounded up, for the pool.
        vm.warp(block.timestamp + 7 days - 1);
        assertEq(salvage.price(policy, incident, 1), 1);
    }

    function test_a_voided_incident_gives_everything_back() public {
        _opened(60_000e6, 400_000e6);
        _assign(40_000e6);
        setVault(1_000_000e6, 1_000_000e6);
        uint256 b = seal();
        GaugeSpec memory spec = vaultSpec();
        rung.proveLater(spec, incident, evidenceOf(spec, b));
        expectRevert(abi.encodeWithSelector(ISalvage.ClaimsOpen.selector, incident, 0));
        salvage.take(policy, incident);
        passDwell(incident);
        incidents.finalise(incident);
        salvage.take(policy, incident);
        assertEq(share.balanceOf(alice), 100_000e6);
        assertEq(salvage.lot(policy, incident).taken, 0);
    }

    function test_what_was_never_settled_comes_back() public {
        _final(60_000e6, 400_000e6);
        _assign(40_000e6);
        vm.warp(uint256(incidents.incident(incident).claimsEnd) + 1);
        salvage.take(policy, incident);
        assertEq(share.balanceOf(alice), 100_000e6);
        expectRevert(abi.encodeWithSelector(ISalvage.NothingAssigned.selector, policy + 1, incident));
        salvage.take(policy + 1, incident);
    }

    function test_a_deductible_and_a_cap_take_the_tokens_behind_the_payment() public {
        Product memory terms = termsFor(list_());
        (terms.salvage, terms.deductibleBps, terms.lossCapBps) = (address(share), 2_000, 9_500);
        product = listProduct(terms);
        underwrite(pool, product, 1_000_000e6);
        _final(100_000e6, 400_000e6);
        _assign(20_000e6);
        // 20,000 by 0.95 by f / L = 0.5 / 0.6.
        uint256 paid = policies.settle(policy, incident);
        assertApproxEqAbs(paid, 15_833_333_333, 1);
        _take();
        assertApproxEqAbs(salvage.lot(policy, incident).taken, 20_000e6, 3);
    }

    /// @dev Alice is due more than the pool has.
    function _short() private returns (uint256 paid, uint256 due) {
        pool = makePool(usd, 20_000e6);
        underwrite(pool, product, 100_000e6);
        _final(100_000e6, 0);
        _assign(100_000e6);
        paid = policies.settle(policy, incident);
        (due,) = policies.settlement(policy, incident);
        assertLt(paid, due);
    }

    /// @dev Else who is paid in full later on would have kept a part of the tokens.
    function test_a_pool_in_shortfall_keeps_the_tokens_for_what_is_still_due() public {
        (uint256 paid, uint256 due) = _short();
        _take();
        uint256 taken = salvage.lot(policy, incident).taken;
        assertEq(taken, 100_000e6 * paid / due);
        assertEq(share.balanceOf(alice), 0);
        expectRevert(abi.encodeWithSelector(ISalvage.AlreadyTaken.selector, policy, incident));
        salvage.take(policy, incident);
        // What is sold fills the claims first, and `take` settles by itself.
        _buyLot(1_000e6, 1_000e6);
        salvage.take(policy, incident);
        (, uint256 now_) = policies.settlement(policy, incident);
        assertEq(now_, paid + 1_000e6, "claims before capital");
        assertEq(salvage.lot(policy, incident).taken, 100_000e6 * now_ / due);
        usd.mint(keeper, due);
        vm.startPrank(keeper);
        usd.approve(address(pool), due);
        pool.recover(incident, due - now_);
        vm.stopPrank();
        salvage.take(policy, incident);
        assertEq(salvage.lot(policy, incident).taken, 100_000e6);
        assertEq(share.balanceOf(alice), 0, "paid in full");
    }

    /// @dev What is freed when the booking is closed is paid before the tokens are parted.
    function test_take_closes_and_settles_first() public {
        pool = makePool(usd, 25_000e6);
        underwrite(pool, product, 120_000e6);
        buy(pool, product, bob, 20_000e6);
        _final(100_000e6, 0);
        _assign(100_000e6);
        uint256 paid = policies.settle(policy, incident);
        _take();
        (uint256 due, uint256 now_) = policies.settlement(policy, incident);
        assertGt(now_, paid, "bob never claimed");
        assertEq(salvage.lot(policy, incident).taken, 100_000e6 * now_ / due);
    }

    function test_the_bounty_of_that_settlement_is_the_callers() public {
        Product memory terms = termsFor(list_());
        (terms.salvage, terms.bountyBps) = (address(share), 200);
        product = listProduct(terms);
        _short();
        usd.mint(keeper, 1_000e6);
        vm.warp(uint256(incidents.incident(incident).claimsEnd) + 1);
        pool.closeBooking(incident);
        vm.startPrank(keeper);
        usd.approve(address(pool), 1_000e6);
        pool.recover(incident, 1_000e6);
        salvage.take(policy, incident);
        vm.stopPrank();
        assertEq(usd.balanceOf(keeper), 10e6, "half of two hundredths");
        assertEq(usd.balanceOf(address(salvage)), 0);
    }

    function test_what_is_never_paid_for_is_sold_for_the_short_claims() public {
        _short();
        _take();
        vm.warp(uint256(incidents.incident(incident).claimsEnd) + 365 days + 1);
        salvage.take(policy, incident);
        assertEq(salvage.lot(policy, incident).taken, 100_000e6);
        expectRevert(abi.encodeWithSelector(ISalvage.AlreadyTaken.selector, policy, incident));
        salvage.take(policy, incident);
    }

    /// @dev A unit that is paid late lifts the price of the rest by no more than its own part.
    function test_what_joins_a_lot_late_does_not_begin_its_auction_anew() public {
        (uint256 paid,) = _short();
        _take();
        uint256 left = salvage.lot(policy, incident).taken;
        vm.warp(block.timestamp + 7 days);
        assertEq(salvage.price(policy, incident, uint128(left)), 0);
        usd.mint(keeper, left);
        vm.startPrank(keeper);
        usd.approve(address(pool), left);
        pool.recover(incident, paid / 100);
        vm.stopPrank();
        salvage.take(policy, incident);
        uint256 taken = salvage.lot(policy, incident).taken;
        assertGt(taken, left);
        // Rounded up to a second of the auction.
        uint256 price = salvage.price(policy, incident, uint128(taken));
        assertGe(price, taken - left);
        assertLe(price, taken - left + taken / 7 days + 1);
    }

    // ----- tokens that misbehave -----

    function test_a_position_that_cannot_be_sent_its_tokens_pulls_them() public {
        _final(60_000e6, 400_000e6);
        _assign(40_000e6);
        policies.settle(policy, incident);
        share.block_(alice);
        _take();
        assertEq(salvage.owed(address(share), alice), 4_000e6);
        share.free(alice);
        assertEq(salvage.withdraw(address(share), alice), 4_000e6);
        assertEq(share.balanceOf(alice), 64_000e6);
        expectRevert(abi.encodeWithSelector(ISalvage.NothingOwed.selector, address(share), alice));
        salvage.withdraw(address(share), alice);
    }

    function test_a_token_with_a_fee_is_refused() public {
        FeeToken fee = new FeeToken();
        product = _offer(address(fee));
        _final(60_000e6, 400_000e6);
        fee.mint(alice, 100);
        vm.startPrank(alice);
        fee.approve(address(salvage), 100);
        expectRevert(abi.encodeWithSelector(ISalvage.WrongTransfer.selector, 100, 99));
        salvage.assign(policy, incident, 100);
    }

    // ----- building -----

    bytes32 private _gauge;

    function list_() private returns (bytes32) {
        if (_gauge == 0) _gauge = list(vaultSpec());
        return _gauge;
    }

    function _offer(address token) private returns (bytes32 id) {
        Product memory terms = termsFor(list_());
        terms.salvage = token;
        id = listProduct(terms);
        underwrite(pool, id, 1_000_000e6);
    }

    function _plain() private returns (bytes32 id) {
        id = listProduct(termsFor(list_()));
        underwrite(pool, id, 1_000_000e6);
    }

    /// @dev Alice's policy, and a drain that leaves `left` of 1,000,000.
    function _opened(uint128 sum, uint256 left) private {
        policy = buy(pool, product, alice, sum);
        vm.warp(block.timestamp + 7 days);
        vm.roll(block.number + 50_000);
        onset = seal();
        setVault(left, 1_000_000e6);
        seal();
        GaugeSpec memory spec = vaultSpec();
        incident = rung.assertLoss(spec, evidenceOf(spec, onset, onset + 1));
    }

    function _final(uint128 sum, uint256 left) private {
        _opened(sum, left);
        passDwell(incident);
        incidents.finalise(incident);
        GaugeSpec memory spec = vaultSpec();
        address[] memory accounts = holdersOf(alice);
        rung.provePositions(spec, incident, accounts, positionsOf(spec, onset, onset + 1, accounts, false));
    }

    function _assign(uint128 amount) private {
        vm.prank(alice);
        salvage.assign(policy, incident, amount);
    }

    function _take() private {
        vm.warp(uint256(incidents.incident(incident).claimsEnd) + 1);
        salvage.take(policy, incident);
    }

    function _buyLot(uint128 amount, uint256 most) private returns (uint256 cost) {
        usd.mint(keeper, most);
        vm.startPrank(keeper);
        usd.approve(address(salvage), most);
        cost = salvage.buy(policy, incident, amount, most);
        vm.stopPrank();
    }
}
