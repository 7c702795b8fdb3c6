// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {IHoldings} from "breakwater/interfaces/IHoldings.sol";
import {Measurement, Rung, Status} from "breakwater/interfaces/IIncidents.sol";
import {Times} from "breakwater/interfaces/ILadder.sol";
import {IPolicies} from "breakwater/interfaces/IPolicies.sol";
import {Booking} from "breakwater/interfaces/IPool.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {Fixture} from "../Fixture.sol";

/// @notice Disputes against real pools and policies: what is paid when, and by whom.
contract LadderTest is Fixture {
    uint128 private constant BASE = 1_000_000e6;
    uint8 private constant CANARY_AND_QUORUM = 12;
    Pool private pool;
    bytes32 private gauge;
    bytes32 private product;
    address private guardian = makeAddr("guardian");

    function setUp() public override {
        super.setUp();
        gauge = list(vaultSpec());
        for (uint8 i = uint8(Rung.Feed); i <= uint8(Rung.Quorum); ++i) {
            incidents.setCeiling(i, address(usd), type(uint128).max);
        }
        incidents.setGuardian(guardian);
        pool = makePool(usd, 1_000_000e6);
        Product memory terms = termsFor(gauge);
        terms.instant = true;
        product = listProduct(terms);
        underwrite(pool, product, 1_000_000e6);
    }

    function times() internal pure override returns (Times memory) {
        return Times(DWELL, WINDOW, QUORUM_WINDOW, ASSEMBLY_WINDOW, GUARDIAN_DELAY, 800);
    }

    function wire(address) internal override {
        address[] memory contracts = new address[](5);
        Rung[] memory rungs = new Rung[](5);
        for (uint256 i; i < 5; ++i) {
            (rungs[i], contracts[i]) = (Rung(i), _who(Rung(i)));
        }
        incidents.wire(address(policies), contracts, rungs);
    }

    function _who(Rung rung) private pure returns (address) {
        return address(uint160(0x5000 + uint8(rung)));
    }

    function _cover(Pool in_, bytes32 product_, address position, uint128 sum) private returns (uint256 id) {
        id = buy(in_, product_, position, sum);
        vm.warp(uint256(policies.policy(id).inception) + 1 hours);
        vm.roll(block.number + 400);
    }

    function _open(Rung rung, bytes32 on, uint128 loss) private returns (uint256 id) {
        uint64 head = uint64(block.number);
        uint64 time = uint64(block.timestamp) - 24;
        vm.prank(_who(rung));
        id = incidents.open(on, rung, keeper, Measurement(head - 2, head - 1, time, time + 12, BASE, loss, 0));
    }

    function _record(uint256 id, address account, uint128 lost, uint128 value) private {
        vm.prank(incidents.incident(id).rungContract);
        incidents.recordPosition(id, account, lost, value);
    }

    function _hold(uint256 id, uint128 undisputed) private {
        vm.prank(incidents.incident(id).rungContract);
        incidents.hold(id, undisputed);
    }

    function _decide(uint256 id, uint128 loss) private {
        vm.prank(_who(Rung.Assembly));
        incidents.decide(id, loss);
    }

    function _next(uint256 id) private {
        passDwell(id);
        incidents.finalise(id);
    }

    function _settle(uint256 id, uint256 incident) private returns (uint256) {
        vm.prank(keeper);
        return policies.settle(id, incident);
    }

    function _nothing(uint256 id, uint256 incident) private {
        expectRevert(abi.encodeWithSelector(IPolicies.NothingToPay.selector, id, incident));
        policies.settle(id, incident);
    }

    // ----- disputes -----

    function test_disputedIncidentPaysItsUndisputedPartAndThenTheRest() public {
        uint256 id = _cover(pool, product, alice, 100_000e6);
        uint256 capital = pool.capital();
        uint256 incident = _open(Rung.Quorum, gauge, BASE / 2);
        _record(incident, alice, 50_000e6, 100_000e6);
        assertEq(pool.booking(incident).reserved, 50_000e6);
        // Nothing at once on the word of reporters, whatever the terms.
        expectRevert(
            abi.encodeWithSelector(
                IPolicies.StillDwelling.selector, incident, incidents.incident(incident).dwellEnd
            )
        );
        _settle(id, incident);
        _hold(incident, BASE / 5);
        _next(incident);
        assertEq(_settle(id, incident), 20_000e6);
        _nothing(id, incident);
        assertEq(pool.booking(incident).reserved, 50_000e6);
        assertEq(pool.booking(incident).funded, 50_000e6);
        _decide(incident, BASE * 3 / 10);
        Booking memory booking = pool.booking(incident);
        assertEq(booking.reserved, 30_000e6);
        assertEq(booking.funded, 30_000e6);
        assertEq(booking.paid, 20_000e6);
        assertEq(_settle(id, incident), 10_000e6);
        _nothing(id, incident);
        vm.warp(uint256(incidents.incident(incident).claimsEnd) + 1);
        pool.closeBooking(incident);
        // Give or take what premiums earned meanwhile.
        assertGe(pool.capital(), capital - 30_000e6);
    }

    /// @dev The settlement itself ends a dispute that nobody decided.
    function test_undecidedDisputeIsPaidInFull() public {
        uint256 id = _cover(pool, product, alice, 100_000e6);
        uint256 incident = _open(Rung.Quorum, gauge, BASE / 20 * 3);
        _record(incident, alice, 15_000e6, 100_000e6);
        _hold(incident, 0);
        _next(incident);
        _nothing(id, incident);
        vm.roll(incidents.incident(incident).dwellEnd + 1);
        assertEq(_settle(id, incident), 15_000e6);
        assertEq(uint256(incidents.incident(incident).status), uint256(Status.Final));
    }

    function test_bookingOfADisputeStaysUntilItIsDecided() public {
        _cover(pool, product, alice, 100_000e6);
        uint256 incident = _open(Rung.Quorum, gauge, BASE / 2);
        _hold(incident, 0);
        _next(incident);
        vm.warp(block.timestamp + 365 days);
        vm.expectRevert();
        pool.closeBooking(incident);
        _decide(incident, 0);
        assertEq(pool.booking(incident).reserved, 0);
        assertEq(pool.booking(incident).funded, 0);
    }

    /// @dev What the curator paid at once is his own loss if the assembly finds that less was lost.
    function test_paidAtOnceAndDecidedLowerIsTheCuratorsLoss() public {
        uint256 id = _cover(pool, product, alice, 1_000_000e6);
        uint256 incident = _open(Rung.Proof, gauge, BASE / 2);
        _record(incident, alice, 40_000e6, 80_000e6);
        assertEq(_settle(id, incident), 40_000e6);
        uint256 locked = pool.locked();
        _next(incident);
        vm.prank(guardian);
        incidents.escalate(incident);
        // Held: the lane is closed.
        _record(incident, alice, 50_000e6, 100_000e6);
        expectRevert(IPolicies.StillDwelling.selector);
        _settle(id, incident);
        _next(incident);
        _nothing(id, incident);
        _decide(incident, BASE / 4);
        Booking memory booking = pool.booking(incident);
        assertEq(booking.instantPaid, 20_000e6);
        assertEq(booking.paid, 20_000e6);
        assertLt(pool.locked(), locked);
        assertEq(incidents.incident(incident).paid, 20_000e6);
    }

    function test_paidAtOnceAndDecidedVoidIsTheCuratorsLoss() public {
        uint256 id = _cover(pool, product, alice, 1_000_000e6);
        uint256 incident = _open(Rung.Proof, gauge, BASE / 2);
        _record(incident, alice, 40_000e6, 80_000e6);
        _settle(id, incident);
        _next(incident);
        vm.prank(guardian);
        incidents.escalate(incident);
        _next(incident);
        _decide(incident, 0);
        assertEq(uint256(incidents.incident(incident).status), uint256(Status.Voided));
        assertEq(pool.booking(incident).reserved, 0);
        assertEq(pool.booking(incident).paid, 0);
        assertEq(incidents.incident(incident).paid, 0);
    }

    // ----- one position -----

    function _canary() private returns (bytes32) {
        Trigger memory t;
        t.chainId = block.chainid;
        t.rungs = CANARY_AND_QUORUM;
        t.asset = address(usd);
        t.subject = VAULT;
        t.claims = catalog.gaugeInfo(gauge).subject;
        t.threshold = 0.1e18;
        t.terms = "probe";
        return catalog.listTrigger(t);
    }

    function _terms(bytes32 on, Kind kind) private view returns (Product memory terms) {
        terms = termsFor(on);
        terms.kind = kind;
        if (kind == Kind.Upgrade) terms.lossCapBps = 9500;
    }

    /// @dev Gauge cover in one pool, canary and custom cover in another, each in two policies.
    function test_onePositionNeverGetsMoreThanItsLoss() public {
        bytes32 on = _canary();
        // Sold on the word of whoever stands in the canary's place.
        vm.mockCall(_who(Rung.Canary), abi.encodeCall(IHoldings.sellable, (on)), abi.encode(true));
        Pool other = makePool(usd, 1_000_000e6);
        bytes32 upgrade = listProduct(_terms(on, Kind.Upgrade));
        bytes32 custom = listProduct(_terms(on, Kind.Custom));
        underwrite(other, upgrade, 500_000e6);
        underwrite(other, custom, 500_000e6);
        uint256[6] memory ids;
        for (uint256 i; i < 6; ++i) {
            bytes32 of_ = i < 2 ? product : i < 4 ? upgrade : custom;
            ids[i] = _cover(i < 2 ? pool : other, of_, alice, 100_000e6);
        }
        uint256 proof = _open(Rung.Proof, gauge, BASE / 2);
        uint256 probe = _open(Rung.Canary, on, BASE / 2);
        _record(proof, alice, 70_000e6, 140_000e6);
        _record(probe, alice, 70_000e6, 140_000e6);
        passDwell(probe);
        uint256 paid;
        for (uint256 i; i < 6; ++i) {
            uint256 incident = i < 2 ? proof : probe;
            try policies.settle(ids[i], incident) returns (uint256 got) {
                paid += got;
            } catch (bytes memory reason) {
                assertEq(bytes32(reason), bytes32(IPolicies.NothingToPay.selector));
            }
        }
        assertEq(paid, 70_000e6);
    }
}
