// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Product} from "breakwater/interfaces/ICatalog.sol";
import {GaugeSpec} from "breakwater/interfaces/IGauges.sol";
import {Incident, Status} from "breakwater/interfaces/IIncidents.sol";
import {Evidence, IProofRung} from "breakwater/interfaces/IProofRung.sol";
import {IPolicies} from "breakwater/interfaces/IPolicies.sol";
import {Booking} from "breakwater/interfaces/IPool.sol";
import {Fixture} from "../Fixture.sol";

/// @notice From the block of a drain to the payout, with nothing in between but proofs.
contract LifeTest is Fixture {
    Pool private pool;
    bytes32 private gauge;
    bytes32 private product;

    function setUp() public override {
        super.setUp();
        openVault();
        gauge = list(vaultSpec());
        Product memory terms = termsFor(gauge);
        (terms.bountyBps, terms.instant) = (100, true);
        product = listProduct(terms);
        pool = makePool(usd, 1_000_000e6);
        underwrite(pool, product, 1_000_000e6);
    }

    /// @dev Policies of both holders, a week old, and a healthy block sealed.
    function _covered() private returns (uint256[] memory ids, uint256 a) {
        ids = new uint256[](2);
        ids[0] = buy(pool, product, alice, 80_000e6);
        ids[1] = buy(pool, product, bob, 400_000e6);
        vm.warp(block.timestamp + 7 days);
        vm.roll(block.number + 50_000);
        a = seal();
    }

    function _drain(uint256 left) private {
        setVault(left, 1_000_000e6);
        seal();
    }

    function _assert(uint256 a) private returns (uint256) {
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        vm.prank(keeper);
        return rung.assertLoss(spec, evidence);
    }

    function _provePositions(uint256 id, uint256 a, uint256 later, bool read) private {
        GaugeSpec memory spec = vaultSpec();
        address[] memory accounts = holdersOf(alice, bob);
        rung.provePositions(spec, id, accounts, positionsOf(spec, a, later, accounts, read));
    }

    function _layers() private view returns (uint256 sum) {
        for (uint256 i; i < 4; ++i) {
            sum += pool.layer(i);
        }
    }

    function test_incidentFromBlockToPayout() public {
        (uint256[] memory ids, uint256 a) = _covered();
        _drain(600_000e6);
        uint256 id = _assert(a);
        Booking memory booking = pool.booking(id);
        assertEq(booking.reserved, 192_000e6);
        assertEq(booking.funded, 192_000e6);

        // Part of it comes back while it dwells.
        setVault(700_000e6, 1_000_000e6);
        uint256 b = seal();
        GaugeSpec memory spec = vaultSpec();
        rung.proveLater(spec, id, evidenceOf(spec, b));
        assertEq(pool.booking(id).reserved, 144_000e6);

        passDwell(id);
        _provePositions(id, a, b, false);
        uint256 capital = _layers() + pool.booking(id).funded;
        uint256[2] memory held = [usd.balanceOf(alice), usd.balanceOf(bob)];
        uint256 keepers = usd.balanceOf(keeper);
        vm.prank(keeper);
        uint256 paid = policies.settleBatch(ids, id);
        // Alice lost 30,000 and is insured for 30 % of 80,000; Bob lost 90,000 of his 300,000.
        assertEq(paid, 24_000e6 + 90_000e6);
        assertEq(usd.balanceOf(alice) - held[0], 23_760e6);
        assertEq(usd.balanceOf(bob) - held[1], 89_100e6);
        assertEq(usd.balanceOf(keeper) - keepers, 1_140e6);
        assertEq(uint256(incidents.incident(id).status), uint256(Status.Final));

        // When claims are over, the rest of the reserve goes back.
        vm.warp(uint256(incidents.incident(id).claimsEnd) + 1);
        uint256 before = _layers();
        pool.closeBooking(id);
        assertGe(_layers() - before, 30_000e6);
        assertGe(_layers() + paid, capital);
        assertEq(pool.booking(id).funded, paid);
    }

    /// @dev A transient dip: reserved in its block, answered by the next one, nothing paid and nothing kept.
    function test_transientDipReservesAndReleases() public {
        (uint256[] memory ids, uint256 a) = _covered();
        _drain(600_000e6);
        uint256 id = _assert(a);
        uint256 reserved = pool.booking(id).reserved;
        uint256 before = _layers();
        setVault(1_000_000e6, 1_000_000e6);
        uint256 b = seal();
        GaugeSpec memory spec = vaultSpec();
        rung.proveLater(spec, id, evidenceOf(spec, b));
        assertEq(pool.booking(id).reserved, 0);
        assertGe(_layers(), before + reserved);
        passDwell(id);
        _provePositions(id, a, a + 1, true);
        assertEq(policies.settleBatch(ids, id), 0);
        assertEq(uint256(incidents.incident(id).status), uint256(Status.Voided));
    }

    /// @dev Holder and vault are drained in one block, the holder is paid in the next.
    function test_instantLanePaysInTheNextBlock() public {
        (uint256[] memory ids, uint256 a) = _covered();
        _drain(600_000e6);
        uint256 id = _assert(a);
        _provePositions(id, a, a + 1, false);
        uint256 held = usd.balanceOf(alice);
        vm.prank(alice);
        policies.settle(ids[0], id);
        // 40 % of her 80,000, less the half percent of whoever opened the incident.
        assertEq(usd.balanceOf(alice) - held, 31_840e6);
    }

    /// @dev Who buys when the drain is known is not covered for it, in the dwell or after.
    function test_purchaseAfterTheDrainIsNotCovered() public {
        (, uint256 a) = _covered();
        _drain(600_000e6);
        uint256 late = buy(pool, product, alice, 80_000e6);
        uint256 id = _assert(a);
        uint256 later = buy(pool, product, alice, 80_000e6);
        passDwell(id);
        _provePositions(id, a, a + 1, false);
        expectRevert(abi.encodeWithSelector(IPolicies.NotTouched.selector, late, id));
        policies.settle(late, id);
        expectRevert(abi.encodeWithSelector(IPolicies.NotTouched.selector, later, id));
        policies.settle(later, id);
    }

    /// @dev The reserve covers those in force at the onset, whoever bought since.
    function test_reserveIsOfTheOnset() public {
        (, uint256 a) = _covered();
        _drain(600_000e6);
        buy(pool, product, alice, 500_000e6);
        vm.warp(block.timestamp + 2 days);
        uint256 id = _assert(a);
        assertEq(pool.booking(id).reserved, 192_000e6);
    }

    /// @dev A planned migration: the old gauge can say nothing about the new code, its successor can.
    function test_successorGaugeTakesOver() public {
        (, uint256 a) = _covered();
        GaugeSpec memory next = vaultSpec();
        next.accounts[0].codeHash = keccak256("next");
        GaugeSpec[] memory priors = new GaugeSpec[](1);
        priors[0] = vaultSpec();
        catalog.listGauge(next, priors);
        setAccount(VAULT, 0, keccak256("next"));
        uint256 migrated = seal();
        Evidence memory evidence = evidenceOf(vaultSpec(), a, a + 1);
        expectRevert(abi.encodeWithSelector(IProofRung.Undecided.selector, VAULT));
        rung.assertLoss(vaultSpec(), evidence);
        _drain(600_000e6);
        uint256 id = rung.assertLoss(next, evidenceOf(next, migrated, migrated + 1));
        Incident memory incident = incidents.incident(id);
        assertEq(incident.loss, 400_000e6);
        assertEq(incident.gauge, keccak256(abi.encode(next)));
        // The old product's pool is not on the new gauge.
        assertEq(pool.booking(id).reserved, 0);
    }

    /// @dev All of one block: sixteen pools on the gauge are booked in the transaction of the assertion.
    function test_sixteenPoolsAreBookedAtOnce() public {
        for (uint256 i; i < 15; ++i) {
            Pool other = makePool(usd, 1_000_000e6);
            catalog.admit(gauge, address(other));
            underwrite(other, product, 500_000e6);
        }
        address[] memory pools = catalog.poolsOf(gauge);
        assertEq(pools.length, 16);
        for (uint256 i = 1; i < 16; ++i) {
            buy(Pool(pools[i]), product, alice, 10_000e6);
        }
        (, uint256 a) = _covered();
        _drain(600_000e6);
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        uint256 before = gasleft();
        uint256 id = rung.assertLoss(spec, evidence);
        uint256 used = before - gasleft();
        vm.snapshotValue("Life", "assertLoss: execution with sixteen pools", used);
        for (uint256 i = 1; i < 16; ++i) {
            assertEq(Pool(pools[i]).booking(id).reserved, 4000e6);
        }
        assertLt(used, 15_000_000);
    }
}
