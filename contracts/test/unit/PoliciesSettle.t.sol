// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {GaugeSpec} from "breakwater/interfaces/IGauges.sol";
import {Incident, Measurement, Rung, Status} from "breakwater/interfaces/IIncidents.sol";
import {IPolicies, Policy, Purchase} from "breakwater/interfaces/IPolicies.sol";
import {Fixture} from "../Fixture.sol";
import {BlockingToken, CallingToken, Token} from "../Tokens.sol";

/// @notice A holder that tries to be paid again while it is paid.
contract Greedy {
    bytes public refusal;
    address private immutable _policies;

    constructor(address policies) {
        _policies = policies;
    }

    function received(address, uint256) external {
        bool ok;
        (ok,) = _policies.call(abi.encodeCall(IPolicies.settle, (1, 1)));
        require(!ok, "paid twice");
        // Nothing is settled by this one, so that only the guard of the policies themselves can refuse it.
        (ok, refusal) = _policies.call(abi.encodeCall(IPolicies.settleBatch, (new uint256[](0), 1)));
    }
}

/// @notice What policies are paid for an incident, against the real pool; the test measures in the rung's place.
contract PoliciesSettleTest is Fixture {
    uint128 private constant BASE = 1_000_000e6;
    Pool private pool;
    bytes32 private gauge;
    bytes32 private product;

    function setUp() public override {
        super.setUp();
        gauge = list(vaultSpec());
        (pool, product) = _sell(termsFor(gauge));
    }

    function wire(address) internal override {
        address[] memory contracts = new address[](1);
        contracts[0] = address(this);
        incidents.wire(address(policies), contracts, new Rung[](1));
    }

    /// @dev A pool of its own for these terms.
    function _sell(Product memory terms) private returns (Pool made, bytes32 id) {
        id = listProduct(terms);
        made = makePool(Token(terms.asset), 1_000_000e6);
        underwrite(made, id, 1_000_000e6);
    }

    function _terms() private view returns (Product memory) {
        return termsFor(gauge);
    }

    /// @dev A policy whose waiting period is over.
    function _cover(Pool pool_, bytes32 product_, address position, uint128 sum)
        private
        returns (uint256 id)
    {
        id = buy(pool_, product_, position, sum);
        vm.warp(uint256(policies.policy(id).inception) + 1 hours);
        vm.roll(block.number + 400);
    }

    /// @dev Opens an incident of this loss whose onset is the block before last.
    function _open(uint128 loss) private returns (uint256) {
        return incidents.open(gauge, Rung.Proof, keeper, _m(loss, uint64(block.timestamp) - 24));
    }

    function _m(uint128 loss, uint64 onsetTime) private view returns (Measurement memory) {
        uint64 head = uint64(block.number);
        return Measurement(head - 2, head - 1, onsetTime, onsetTime + 12, BASE, loss, 0);
    }

    function _finalise(uint256 id) private {
        passDwell(id);
        incidents.finalise(id);
    }

    /// @dev A position worth `value` at the onset, which it held through.
    function _prove(uint256 id, address account, uint256 value) private {
        uint256 lost = value * incidents.incident(id).loss / BASE;
        incidents.recordPosition(id, account, uint128(lost), uint128(value));
    }

    /// @dev What `account` gets when policy `id` is settled by `settler`.
    function _settle(uint256 id, uint256 incident, address settler, address account)
        private
        returns (uint256)
    {
        Token asset = Token(pool.asset());
        uint256 held = asset.balanceOf(account);
        vm.prank(settler);
        policies.settle(id, incident);
        return asset.balanceOf(account) - held;
    }

    function _settle(uint256 id, uint256 incident) private returns (uint256) {
        return _settle(id, incident, keeper, policies.ownerOf(id));
    }

    function _refused(uint256 id, uint256 incident, bytes memory reason) private {
        expectRevert(reason);
        policies.settle(id, incident);
    }

    function _nothing(uint256 id, uint256 incident) private {
        _refused(id, incident, abi.encodeWithSelector(IPolicies.NothingToPay.selector, id, incident));
    }

    // ----- how much -----

    function test_paysTheLoss() public {
        uint256 id = _cover(pool, product, alice, 100_000e6);
        uint256 incident = _open(400_000e6);
        _finalise(incident);
        _prove(incident, alice, 50_000e6);
        assertEq(_settle(id, incident), 20_000e6);
        assertEq(policies.policy(id).paid, 20_000e6);
        (uint128 due, uint128 paid) = policies.settlement(id, incident);
        assertEq(due, 20_000e6);
        assertEq(paid, 20_000e6);
        assertEq(incidents.positionPaid(incident, alice), 20_000e6);
    }

    function test_paysAtMostTheShareOfTheSum() public {
        uint256 id = _cover(pool, product, alice, 10_000e6);
        uint256 incident = _open(400_000e6);
        _finalise(incident);
        _prove(incident, alice, 50_000e6);
        assertEq(_settle(id, incident), 4000e6);
    }

    /// @dev L = 40 %, D = 10 %: f = 30 / 90 = a third, and a position above its value does not buy it away.
    function test_deductibleAppliesToLossAndSum() public {
        Product memory terms = _terms();
        terms.deductibleBps = 1000;
        (pool, product) = _sell(terms);
        uint256 id = _cover(pool, product, alice, 900_000e6);
        uint256 other = buy(pool, product, bob, 3000e6);
        vm.warp(block.timestamp + 2 days);
        uint256 incident = _open(400_000e6);
        _finalise(incident);
        _prove(incident, alice, 30_000e6);
        _prove(incident, bob, 30_000e6);
        // Lost 12,000; times f / L = 5/6 of a wad's floor.
        assertEq(_settle(id, incident), 9_999_999_999);
        // A third of the sum, rounded down.
        assertEq(_settle(other, incident), 999_999_999);
    }

    function test_lossCapAndAgreedRate() public {
        Product memory terms = _terms();
        (terms.lossCapBps, terms.unitNum, terms.unitDen) = (5000, 1, 3);
        (pool, product) = _sell(terms);
        uint256 id = _cover(pool, product, alice, 100_000e6);
        uint256 incident = _open(400_000e6);
        _finalise(incident);
        _prove(incident, alice, 25_000e6);
        // floor(10,000 / 3) / 2 in pool units; the registry gives up three units for each, rounded up.
        assertEq(_settle(id, incident), 1_666_666_666);
        assertEq(incidents.positionPaid(incident, alice), 4_999_999_998);
    }

    function testFuzz_neverPaysMoreThanWasLost(uint128 value, uint128 loss, uint16 deductible, uint16 cap)
        public
    {
        value = uint128(bound(value, 0, BASE));
        loss = uint128(bound(loss, 100_000e6, BASE));
        Product memory terms = _terms();
        terms.deductibleBps = uint16(bound(deductible, 0, 9999));
        terms.lossCapBps = uint16(bound(cap, 1, 10_000));
        terms.eventLimit = type(uint128).max;
        (pool, product) = _sell(terms);
        uint256 id = _cover(pool, product, alice, 900_000e6);
        uint256 incident = _open(loss);
        _finalise(incident);
        _prove(incident, alice, value);
        try policies.settle(id, incident) returns (uint256 paid) {
            assertLe(paid, uint256(value) * loss / BASE * terms.lossCapBps / 10_000);
            assertLe(paid, 900_000e6);
            assertEq(incidents.positionPaid(incident, alice), paid);
        } catch (bytes memory reason) {
            assertEq(reason, abi.encodeWithSelector(IPolicies.NothingToPay.selector, id, incident));
        }
    }

    // ----- whether -----

    /// @dev Purchase after the exploit: the onset lies before the inception.
    function test_purchaseAfterTheExploitPaysNothing() public {
        uint256 id = _cover(pool, product, alice, 100_000e6);
        uint64 inception = policies.policy(id).inception;
        uint256 incident = incidents.open(gauge, Rung.Proof, keeper, _m(400_000e6, inception - 1));
        _finalise(incident);
        _prove(incident, alice, 50_000e6);
        _refused(id, incident, abi.encodeWithSelector(IPolicies.NotTouched.selector, id, incident));
    }

    function test_onsetInTheFirstSecondIsCovered() public {
        uint256 id = _cover(pool, product, alice, 100_000e6);
        uint64 inception = policies.policy(id).inception;
        uint256 incident = incidents.open(gauge, Rung.Proof, keeper, _m(400_000e6, inception));
        _finalise(incident);
        _prove(incident, alice, 50_000e6);
        assertEq(_settle(id, incident), 20_000e6);
    }

    /// @dev Expired cover: the block after the onset must not be later than the expiry.
    function test_expiredCoverPaysNothing() public {
        uint256 id = _cover(pool, product, alice, 100_000e6);
        uint64 expiry = policies.policy(id).expiry;
        vm.warp(uint256(expiry) + 1 days);
        uint256 incident = incidents.open(gauge, Rung.Proof, keeper, _m(400_000e6, expiry - 11));
        _finalise(incident);
        _prove(incident, alice, 50_000e6);
        _refused(id, incident, abi.encodeWithSelector(IPolicies.NotTouched.selector, id, incident));
    }

    /// @dev Live cover reported late: the last second of cover, opened in the last second of the report window,
    ///      settled in the last of the claim window.
    function test_liveCoverReportedLateIsPaid() public {
        uint256 id = _cover(pool, product, alice, 100_000e6);
        uint64 expiry = policies.policy(id).expiry;
        vm.warp(uint256(expiry) + 7 days);
        uint256 incident = incidents.open(gauge, Rung.Proof, keeper, _m(400_000e6, expiry - 12));
        _finalise(incident);
        _prove(incident, alice, 50_000e6);
        vm.warp(incidents.incident(incident).claimsEnd);
        assertEq(_settle(id, incident), 20_000e6);
    }

    function test_reportWindowEnds() public {
        uint256 id = _cover(pool, product, alice, 100_000e6);
        uint64 expiry = policies.policy(id).expiry;
        vm.warp(uint256(expiry) + 7 days + 1);
        uint256 incident = incidents.open(gauge, Rung.Proof, keeper, _m(400_000e6, expiry - 12));
        _finalise(incident);
        _prove(incident, alice, 50_000e6);
        _refused(id, incident, abi.encodeWithSelector(IPolicies.NotTouched.selector, id, incident));
    }

    function test_incidentsOfOtherGaugesPayNothing() public {
        uint256 id = _cover(pool, product, alice, 100_000e6);
        bytes32 own = gauge;
        gauge = _otherGauge();
        uint256 incident = _open(400_000e6);
        _finalise(incident);
        _refused(id, incident, abi.encodeWithSelector(IPolicies.WrongGauge.selector, own, gauge));
        _refused(id, 9, abi.encodeWithSelector(IPolicies.UnknownIncident.selector, 9));
        _refused(7, incident, abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, 7));
    }

    function _otherGauge() private returns (bytes32) {
        GaugeSpec memory spec = vaultSpec();
        spec.holding.base = bytes32(uint256(77));
        return list(spec);
    }

    function test_voidedIncidentsPayNothing() public {
        uint256 id = _cover(pool, product, alice, 100_000e6);
        uint256 incident = _open(400_000e6);
        vm.roll(block.number + 2);
        Measurement memory m = _m(0, uint64(block.timestamp) - 24);
        m.onset = incidents.incident(incident).onset;
        m.onsetTime = incidents.incident(incident).onsetTime;
        incidents.revise(incident, m);
        passDwell(incident);
        // Settlement itself ends the dwell, and in the same call finds that nothing happened.
        _refused(
            id, incident, abi.encodeWithSelector(IPolicies.IncidentNotOpen.selector, incident, Status.Voided)
        );
    }

    function test_nothingIsPaidWhileItDwells() public {
        uint256 id = _cover(pool, product, alice, 100_000e6);
        uint256 incident = _open(400_000e6);
        _prove(incident, alice, 50_000e6);
        uint64 end = incidents.incident(incident).dwellEnd;
        vm.roll(end);
        _refused(id, incident, abi.encodeWithSelector(IPolicies.StillDwelling.selector, incident, end));
        vm.roll(uint256(end) + 1);
        assertEq(_settle(id, incident), 20_000e6);
        assertEq(uint256(incidents.incident(incident).status), uint256(Status.Final));
    }

    // ----- how often -----

    function test_settlesOnce() public {
        uint256 id = _cover(pool, product, alice, 100_000e6);
        uint256 incident = _open(400_000e6);
        _finalise(incident);
        _nothing(id, incident);
        _prove(incident, alice, 50_000e6);
        assertEq(_settle(id, incident), 20_000e6);
        _nothing(id, incident);
    }

    /// @dev A poor proof closes nothing: the better one pays the difference.
    function test_betterProofPaysTheDifference() public {
        uint256 id = _cover(pool, product, alice, 100_000e6);
        uint256 incident = _open(400_000e6);
        _finalise(incident);
        _prove(incident, alice, 10_000e6);
        assertEq(_settle(id, incident), 4000e6);
        _prove(incident, alice, 50_000e6);
        assertEq(_settle(id, incident), 16_000e6);
    }

    function test_twoPoliciesOnOnePositionPayOnce() public {
        uint256 one = buy(pool, product, alice, 100_000e6);
        uint256 two = _cover(pool, product, alice, 100_000e6);
        uint256 incident = _open(400_000e6);
        _finalise(incident);
        _prove(incident, alice, 50_000e6);
        assertEq(_settle(one, incident), 20_000e6);
        _nothing(two, incident);
    }

    /// @dev Each of two halves the position: together they pay what one over all would.
    function test_deductibleIsNotHalvedByTwoPolicies() public {
        Product memory terms = _terms();
        terms.deductibleBps = 1000;
        (pool, product) = _sell(terms);
        uint256 one = buy(pool, product, alice, 100_000e6);
        uint256 two = _cover(pool, product, alice, 100_000e6);
        uint256 incident = _open(400_000e6);
        _finalise(incident);
        _prove(incident, alice, 30_000e6);
        assertEq(_settle(one, incident), 9_999_999_999);
        _nothing(two, incident);
    }

    function test_twoPoolsPayOnePositionOnce() public {
        uint256 one = buy(pool, product, alice, 30_000e6);
        Pool first = pool;
        Pool second = makePool(usd, 1_000_000e6);
        underwrite(second, product, 1_000_000e6);
        uint256 two = _cover(second, product, alice, 100_000e6);
        assertGt(policies.policy(one).expiry, block.timestamp);
        uint256 incident = _open(400_000e6);
        _finalise(incident);
        _prove(incident, alice, 50_000e6);
        assertEq(_settle(one, incident), 12_000e6);
        assertEq(_settle(two, incident), 8000e6);
        assertEq(incidents.positionPaid(incident, alice), 20_000e6);
        assertEq(first.booking(incident).paid + second.booking(incident).paid, 20_000e6);
    }

    /// @dev The registrant's cover of all users and a user's own share one proven loss.
    function test_twoKindsPayTheLossOnce() public {
        Product memory terms = _terms();
        (terms.kind, terms.registrant, terms.lossCapBps) = (Kind.Protocol, bob, 9000);
        bytes32 whole = listProduct(terms);
        underwrite(pool, whole, 1_000_000e6);
        uint256 one = buy(pool, whole, bob, 900_000e6);
        uint256 two = _cover(pool, product, alice, 200_000e6);
        uint256 incident = _open(400_000e6);
        _finalise(incident);
        _prove(incident, alice, 200_000e6);
        assertEq(_settle(one, incident), 360_000e6);
        assertEq(_settle(two, incident), 40_000e6);
        assertEq(incidents.incident(incident).paid, 400_000e6);
    }

    /// @dev What is due for one incident is no longer there for the next.
    function test_secondIncidentIsAgainstTheSumLeft() public {
        uint256 id = _cover(pool, product, alice, 10_000e6);
        uint256 first = _open(500_000e6);
        _finalise(first);
        _prove(first, alice, 500_000e6);
        assertEq(_settle(id, first), 5000e6);
        vm.roll(block.number + 10);
        uint256 second = _open(500_000e6);
        _finalise(second);
        _prove(second, alice, 500_000e6);
        assertEq(_settle(id, second), 2500e6);
        Policy memory p = policies.policy(id);
        assertEq(p.paid, 7500e6);
    }

    function testFuzz_paidStaysWithinTheSum(uint128[4] memory losses, uint128[4] memory values) public {
        uint256 id = _cover(pool, product, alice, 10_000e6);
        for (uint256 i; i < 4; ++i) {
            uint256 incident = _open(uint128(bound(losses[i], 100_000e6, BASE)));
            _finalise(incident);
            _prove(incident, alice, bound(values[i], 0, BASE));
            try policies.settle(id, incident) {} catch {}
            vm.roll(block.number + 10);
        }
        assertLe(policies.policy(id).paid, 10_000e6);
    }

    function test_claimsEndAndDuesStay() public {
        uint256 id = _cover(pool, product, alice, 100_000e6);
        uint256 incident = _open(400_000e6);
        _finalise(incident);
        _prove(incident, alice, 50_000e6);
        uint256 end = incidents.incident(incident).claimsEnd;
        vm.warp(end + 1);
        _refused(id, incident, abi.encodeWithSelector(IPolicies.ClaimsOver.selector, incident, end));
        vm.warp(end);
        assertEq(_settle(id, incident), 20_000e6);
        vm.warp(end + 1);
        _nothing(id, incident);
    }

    // ----- to whom -----

    /// @dev The claim right goes with the token, also after the loss, and is paid to the holder of the moment.
    function test_transferTakesTheClaimAlong() public {
        uint256 id = _cover(pool, product, alice, 100_000e6);
        uint256 incident = _open(400_000e6);
        vm.prank(alice);
        policies.transferFrom(alice, bob, id);
        _finalise(incident);
        _prove(incident, alice, 50_000e6);
        assertEq(_settle(id, incident, alice, bob), 20_000e6);
        // What was paid is with the token too.
        vm.prank(bob);
        policies.transferFrom(bob, alice, id);
        _nothing(id, incident);
    }

    function _bountied(Token asset) private returns (uint256 id, uint256 incident) {
        Product memory terms = _terms();
        (terms.bountyBps, terms.asset) = (200, address(asset));
        (pool, product) = _sell(terms);
        id = _cover(pool, product, alice, 100_000e6);
        incident = _open(400_000e6);
        _finalise(incident);
        _prove(incident, alice, 50_000e6);
    }

    function test_bountyIsOutOfWhatIsPaid() public {
        (uint256 id, uint256 incident) = _bountied(usd);
        uint256 opener = usd.balanceOf(keeper);
        uint256 settler = usd.balanceOf(bob);
        assertEq(_settle(id, incident, bob, alice), 19_600e6);
        assertEq(usd.balanceOf(keeper) - opener, 200e6);
        assertEq(usd.balanceOf(bob) - settler, 200e6);
    }

    /// @dev Bounty farming: who settles his own policy keeps that part, and never more than the payout.
    function test_holderThatSettlesKeepsItsPart() public {
        (uint256 id, uint256 incident) = _bountied(usd);
        assertEq(_settle(id, incident, alice, alice), 19_800e6);
        _nothing(id, incident);
    }

    /// @dev A reverting holder leaves a pull payment behind and stops nobody.
    function test_blockedHolderStopsNobody() public {
        BlockingToken asset = new BlockingToken();
        Product memory terms = _terms();
        terms.asset = address(asset);
        (pool, product) = _sell(terms);
        uint256 one = buy(pool, product, alice, 100_000e6);
        uint256 two = _cover(pool, product, bob, 100_000e6);
        uint256 incident = _open(400_000e6);
        _finalise(incident);
        _prove(incident, alice, 50_000e6);
        _prove(incident, bob, 50_000e6);
        asset.block_(alice);
        uint256[] memory ids = new uint256[](2);
        (ids[0], ids[1]) = (one, two);
        uint256 held = asset.balanceOf(bob);
        assertEq(policies.settleBatch(ids, incident), 40_000e6);
        assertEq(asset.balanceOf(bob) - held, 20_000e6);
        assertEq(pool.owed(alice), 20_000e6);
        assertEq(policies.policy(one).paid, 20_000e6);
    }

    function test_batchPassesOverWhatCannotBeSettled() public {
        uint256 one = buy(pool, product, alice, 100_000e6);
        uint256 two = _cover(pool, product, bob, 100_000e6);
        uint256 incident = _open(400_000e6);
        passDwell(incident);
        _prove(incident, bob, 50_000e6);
        uint256[] memory ids = new uint256[](4);
        (ids[0], ids[1], ids[2], ids[3]) = (one, two, 99, two);
        vm.expectEmit(address(policies));
        emit IPolicies.Skipped(
            one, incident, abi.encodeWithSelector(IPolicies.NothingToPay.selector, one, incident)
        );
        vm.expectEmit(address(policies));
        emit IPolicies.Skipped(
            99, incident, abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, 99)
        );
        assertEq(policies.settleBatch(ids, incident), 20_000e6);
        assertEq(usd.balanceOf(address(policies)), 0);
        Incident memory ripe = incidents.incident(incident);
        expectRevert(abi.encodeWithSelector(IPolicies.NotSelf.selector, address(this)));
        policies.settleOne(two, incident, ripe, keeper);
    }

    function test_payoutsDoNotComeBackIn() public {
        CallingToken asset = new CallingToken();
        Product memory terms = _terms();
        terms.asset = address(asset);
        (pool, product) = _sell(terms);
        Greedy greedy = new Greedy(address(policies));
        Purchase memory purchase = purchaseOf(pool, product, alice, 100_000e6);
        purchase.to = address(greedy);
        uint256 id = buy(purchase);
        vm.warp(block.timestamp + 2 days);
        vm.roll(block.number + 100);
        uint256 incident = _open(400_000e6);
        assertEq(id, 1);
        assertEq(incident, 1);
        _finalise(incident);
        _prove(incident, alice, 50_000e6);
        assertEq(_settle(id, incident), 20_000e6);
        assertEq(
            greedy.refusal(),
            abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
        assertEq(policies.policy(id).paid, 20_000e6);
    }

    // ----- a pool that is short -----

    /// @dev 5,900,000 insured by 3,000,000 of capital, and 60 % is lost.
    function _short() private returns (uint256 id, uint256 incident) {
        underwrite(pool, product, 6_000_000e6);
        id = _cover(pool, product, alice, 5_900_000e6);
        incident = incidents.open(
            gauge,
            Rung.Proof,
            keeper,
            Measurement(
                uint64(block.number) - 2,
                uint64(block.number) - 1,
                uint64(block.timestamp) - 24,
                uint64(block.timestamp) - 12,
                10_000_000e6,
                6_000_000e6,
                0
            )
        );
        incidents.recordPosition(incident, alice, 6_000_000e6, 10_000_000e6);
        _finalise(incident);
    }

    function test_shortPoolOwesTheRest() public {
        (uint256 id, uint256 incident) = _short();
        uint256 paid = _settle(id, incident);
        (uint128 due,) = policies.settlement(id, incident);
        assertEq(due, 3_540_000e6);
        assertLt(paid, due);
        assertGt(paid, 2_900_000e6);
        // The registry counts what is due, so that the rest is not taken from another pool.
        assertEq(incidents.positionPaid(incident, alice), due);
        vm.warp(uint256(incidents.incident(incident).claimsEnd) + 1);
        vm.startPrank(alice);
        expectRevert(abi.encodeWithSelector(IPolicies.StillOwed.selector, id, due, paid));
        policies.cancel(id);
        expectRevert(abi.encodeWithSelector(IPolicies.SumBelowMinimum.selector, 0, 100e6));
        policies.lower(id, due - 1);
        policies.lower(id, due);
        vm.stopPrank();
        assertEq(policies.policy(id).sum, due);
        assertEq(policies.policy(id).streamRate, 0);
        assertEq(policies.ownerOf(id), alice);
    }

    /// @dev The second incident is against what the first left of the sum, also where the first is not paid yet.
    function test_duesOfAllIncidentsStayWithinTheSum() public {
        (uint256 id, uint256 first) = _short();
        _settle(id, first);
        vm.roll(block.number + 10);
        uint256 second = _open(BASE);
        incidents.recordPosition(second, alice, BASE, BASE);
        _finalise(second);
        try policies.settle(id, second) {} catch {}
        (uint128 due1,) = policies.settlement(id, first);
        (uint128 due2,) = policies.settlement(id, second);
        assertEq(due2, BASE);
        assertLe(uint256(due1) + due2, policies.policy(id).sum);
    }

    // ----- the instant lane -----

    function _instant() private returns (uint256 id, uint256 incident) {
        Product memory terms = _terms();
        terms.instant = true;
        (pool, product) = _sell(terms);
        id = _cover(pool, product, alice, 500_000e6);
        incident = _open(400_000e6);
        _prove(incident, alice, 50_000e6);
    }

    function test_instantProductsPayInTheDwell() public {
        (uint256 id, uint256 incident) = _instant();
        assertEq(_settle(id, incident), 20_000e6);
        (uint128 due, uint128 paid) = policies.settlement(id, incident);
        assertEq(due, paid);
        assertEq(pool.booking(incident).instantPaid, 20_000e6);
        _finalise(incident);
        _nothing(id, incident);
    }

    /// @dev Only what is paid at once becomes due: a later, lower loss leaves no claim above the reserve.
    function test_onlyTheBudgetBecomesDueInTheDwell() public {
        (uint256 id, uint256 incident) = _instant();
        _prove(incident, alice, 1_000_000e6);
        // Down to what the curator must keep locked behind his cap.
        uint256 share = pool.locked() / 10;
        vm.prank(curator);
        pool.unlock(9 * share);
        uint256 budget = pool.instantBudget(incident);
        assertLt(budget, 200_000e6);
        assertEq(_settle(id, incident), budget);
        (uint128 due,) = policies.settlement(id, incident);
        assertEq(due, budget);
        assertEq(incidents.positionPaid(incident, alice), budget);
        _finalise(incident);
        assertEq(_settle(id, incident), 200_000e6 - budget);
    }

    /// @dev What was paid at once for a loss that then shrank is the curator's, and the registry gets it back.
    function test_lowerLossAfterInstantPaymentTakesNothingFromOthers() public {
        (uint256 id, uint256 incident) = _instant();
        assertEq(_settle(id, incident), 20_000e6);
        vm.roll(block.number + 2);
        Measurement memory m = _m(200_000e6, uint64(block.timestamp) - 24);
        m.onset = incidents.incident(incident).onset;
        m.onsetTime = incidents.incident(incident).onsetTime;
        m.afterTime = m.onsetTime + 12;
        incidents.revise(incident, m);
        assertLe(incidents.incident(incident).paid, 20_000e6);
        _finalise(incident);
        _nothing(id, incident);
        (uint128 due, uint128 paid) = policies.settlement(id, incident);
        assertEq(due, 20_000e6);
        assertEq(paid, 20_000e6);
    }
}
