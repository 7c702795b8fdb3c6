// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Measurement, Rung} from "breakwater/interfaces/IIncidents.sol";
import {IPolicies, Policy} from "breakwater/interfaces/IPolicies.sol";
import {IPolicyDesk} from "breakwater/interfaces/IPolicyDesk.sol";
import {Fixture} from "../Fixture.sol";

/// @notice One policy made two, against the real pool; the test measures in the rung's place.
contract PoliciesSplitTest is Fixture {
    uint128 private constant BASE = 1_000_000e6;
    uint128 private constant SUM = 10_000e6;
    Pool private pool;
    bytes32 private gauge;
    bytes32 private product;
    IPolicyDesk private desk;

    function setUp() public override {
        super.setUp();
        gauge = list(vaultSpec());
        product = listProduct(termsFor(gauge));
        pool = makePool(usd, 1_000_000e6);
        underwrite(pool, product, 1_000_000e6);
        desk = IPolicyDesk(address(policies));
    }

    function wire(address) internal override {
        address[] memory contracts = new address[](1);
        contracts[0] = address(this);
        incidents.wire(address(policies), contracts, new Rung[](1));
    }

    /// @dev A policy of alice on herself, two hours after its inception.
    function _cover() private returns (uint256 id) {
        id = buy(pool, product, alice, SUM);
        vm.warp(uint256(policies.policy(id).inception) + 2 hours);
        vm.roll(block.number + 1000);
    }

    function _split(uint256 id, uint128 sumOff) private returns (uint256) {
        vm.prank(policies.ownerOf(id));
        return desk.split(id, sumOff, bob);
    }

    function _refused(uint256 id, uint128 sumOff, bytes memory reason) private {
        vm.prank(alice);
        expectRevert(reason);
        desk.split(id, sumOff, bob);
    }

    function _open(uint128 loss) private returns (uint256) {
        (uint64 now_, uint64 head) = (uint64(block.timestamp), uint64(block.number));
        return incidents.open(
            gauge, Rung.Proof, keeper, Measurement(head - 2, head - 1, now_ - 24, now_ - 12, BASE, loss, 0)
        );
    }

    /// @dev An incident that alice's position, worth `value`, lived through; its claims are open.
    function _incident(uint128 loss, uint128 value) private returns (uint256 id) {
        id = _open(loss);
        passDwell(id);
        incidents.finalise(id);
        incidents.recordPosition(id, alice, uint128(uint256(value) * loss / BASE), value);
    }

    function _endClaims(uint256 incident) private {
        vm.warp(uint256(incidents.incident(incident).claimsEnd) + 1);
        vm.roll(block.number + 1000);
    }

    // ----- what is divided -----

    function test_splitDividesSumAndStream() public {
        uint256 id = _cover();
        Policy memory whole = policies.policy(id);
        (uint256 exposure, uint256 stream) = (pool.state().exposure, pool.state().streamRate);
        uint256 newId = _split(id, 3333e6);
        assertEq(newId, 2);
        assertEq(policies.count(), 2);
        assertEq(policies.ownerOf(newId), bob);
        assertEq(policies.ownerOf(id), alice);
        (Policy memory old, Policy memory part) = (policies.policy(id), policies.policy(newId));
        assertEq(part.sum, 3333e6);
        assertEq(old.sum, SUM - 3333e6);
        assertEq(part.streamRate, whole.streamRate * 3333e6 / SUM);
        assertEq(old.streamRate, whole.streamRate - part.streamRate);
        // Nothing else differs, and the pool does not see it.
        (part.sum, part.streamRate) = (whole.sum, whole.streamRate);
        (old.sum, old.streamRate) = (whole.sum, whole.streamRate);
        assertEq(keccak256(abi.encode(part)), keccak256(abi.encode(whole)));
        assertEq(keccak256(abi.encode(old)), keccak256(abi.encode(whole)));
        assertEq(pool.state().exposure, exposure);
        assertEq(pool.state().streamRate, stream);
    }

    function test_splitIsLogged() public {
        uint256 id = _cover();
        Policy memory part = policies.policy(id);
        (part.sum, part.streamRate) = (4000e6, part.streamRate * 4000e6 / SUM);
        vm.expectEmit(true, true, false, true, address(policies));
        emit IPolicyDesk.SplitOff(id, 2, part);
        _split(id, 4000e6);
    }

    /// @dev The old policy keeps what is due and paid and each settlement; the new one begins with nothing.
    function test_splitLeavesClaimsWithTheOldPolicy() public {
        uint256 id = _cover();
        uint256 incident = _incident(400_000e6, 5000e6);
        policies.settle(id, incident);
        _endClaims(incident);
        uint256 newId = _split(id, 5000e6);
        assertEq(policies.policy(id).paid, 2000e6);
        assertEq(policies.policy(newId).paid, 0);
        (uint128 due, uint128 paid) = policies.settlement(id, incident);
        assertEq(due, 2000e6);
        assertEq(paid, 2000e6);
        (due, paid) = policies.settlement(newId, incident);
        assertEq(uint256(due) + paid, 0);
        // What is due cannot leave with the sum: 2000 are due, 3000 are left, and all of it is spoken for.
        uint128 least = 100e6;
        vm.prank(alice);
        expectRevert(abi.encodeWithSelector(IPolicies.SumBelowMinimum.selector, 0, least));
        desk.split(id, 3001e6, bob);
        _split(id, 2900e6);
    }

    function test_splitPartsAreWorthASettlement() public {
        uint256 id = _cover();
        _refused(id, 100e6 - 1, abi.encodeWithSelector(IPolicies.SumBelowMinimum.selector, 100e6 - 1, 100e6));
        _refused(
            id, SUM - 100e6 + 1, abi.encodeWithSelector(IPolicies.SumBelowMinimum.selector, 100e6 - 1, 100e6)
        );
        _refused(id, type(uint128).max, abi.encodeWithSelector(IPolicies.SumBelowMinimum.selector, 0, 100e6));
        _split(id, SUM - 100e6);
    }

    // ----- who and when -----

    function test_splitIsTheHoldersAlone() public {
        uint256 id = _cover();
        vm.prank(bob);
        expectRevert(abi.encodeWithSelector(IPolicies.NotHolder.selector, id, bob));
        desk.split(id, 4000e6, bob);
        vm.prank(alice);
        expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidReceiver.selector, address(0)));
        desk.split(id, 4000e6, address(0));
        Policy memory p = policies.policy(id);
        vm.warp(p.inception - 1);
        _refused(id, 4000e6, abi.encodeWithSelector(IPolicies.NotIncepted.selector, id, p.inception));
        vm.warp(p.expiry);
        _refused(id, 4000e6, abi.encodeWithSelector(IPolicies.Expired.selector, id, p.expiry));
    }

    /// @dev Edit and claim: what touches the policy is settled before it is divided.
    function test_splitIsFrozenWhileAnIncidentTouches() public {
        uint256 id = _cover();
        uint256 incident = _open(400_000e6);
        _refused(id, 4000e6, abi.encodeWithSelector(IPolicies.Frozen.selector, id));
        passDwell(incident);
        incidents.finalise(incident);
        _refused(id, 4000e6, abi.encodeWithSelector(IPolicies.Frozen.selector, id));
        _endClaims(incident);
        _split(id, 4000e6);
    }

    /// @dev The freeze looks back on eight incidents; a claim that is open behind them is not made twice.
    function test_splitDoesNotClaimWhatWasOpenBefore() public {
        uint256 id = _cover();
        uint256 first = _incident(200_000e6, 100_000e6);
        policies.settle(id, first);
        assertEq(policies.policy(id).paid, 2000e6);
        // From before the policy, so that none of them freezes it.
        uint64 early = policies.policy(id).inception - 1 hours;
        for (uint256 i; i < 8; ++i) {
            vm.roll(block.number + 10);
            uint64 head = uint64(block.number);
            uint256 next = incidents.open(
                gauge,
                Rung.Proof,
                keeper,
                Measurement(head - 2, head - 1, early, early + 12, BASE, 200_000e6, 0)
            );
            passDwell(next);
            incidents.finalise(next);
        }
        uint256 newId = _split(id, 5000e6);
        expectRevert(abi.encodeWithSelector(IPolicies.NotTouched.selector, newId, first));
        policies.settle(newId, first);
    }

    // ----- what it pays -----

    /// @dev One position, two policies: together they are paid what one would have been.
    function test_splitPaysOnePositionOnce() public {
        uint256 id = _cover();
        uint256 newId = _split(id, 4000e6);
        uint256 incident = _incident(400_000e6, 12_000e6);
        uint256 paid = policies.settle(id, incident) + policies.settle(newId, incident);
        // 40 % of the sums together, below the 4800 that were lost.
        assertEq(paid, 4000e6);
        vm.roll(block.number + 1000);
        uint256 second = _incident(400_000e6, 3000e6);
        assertEq(policies.settle(newId, second), 960e6);
        // The position lost 1200; the sum left of the old policy would pay 1440.
        assertEq(policies.settle(id, second), 240e6);
        assertEq(incidents.positionPaid(second, alice), 1200e6);
    }

    /// @dev Splitting and giving back brings no more than giving back.
    function testFuzz_splitNeverRaisesRefunds(uint256 off, uint256 value, uint256 later) public {
        uint256 id = _cover();
        uint256 incident = _incident(400_000e6, uint128(bound(value, 1e6, 20_000e6)));
        policies.settle(id, incident);
        _endClaims(incident);
        vm.warp(bound(later, block.timestamp, uint256(policies.policy(id).expiry) - 1));
        uint256 free = SUM - policies.policy(id).paid;
        uint128 sumOff = uint128(bound(off, 100e6, free - 100e6));
        uint256 snapshot = vm.snapshotState();
        vm.prank(alice);
        uint256 whole = policies.cancel(id);
        vm.revertToState(snapshot);
        vm.startPrank(alice);
        uint256 newId = desk.split(id, sumOff, alice);
        uint256 parts = policies.cancel(newId) + policies.cancel(id);
        vm.stopPrank();
        // The one refund is rounded down twice, that of the part split off once.
        assertLe(parts, whole + 1, "cancelled");
        vm.revertToState(snapshot);
        vm.prank(alice);
        uint256 lowered = policies.lower(id, SUM - sumOff);
        vm.revertToState(snapshot);
        vm.startPrank(alice);
        newId = desk.split(id, sumOff, alice);
        assertLe(policies.cancel(newId), lowered + 1, "lowered");
    }

    /// @dev Both rates together are the old rate, to the unit.
    function testFuzz_splitKeepsTheStream(uint256 off) public {
        uint256 id = _cover();
        uint256 rate = policies.policy(id).streamRate;
        uint256 newId = _split(id, uint128(bound(off, 100e6, SUM - 100e6)));
        assertEq(policies.policy(id).streamRate + policies.policy(newId).streamRate, rate);
        assertEq(uint256(policies.policy(id).sum) + policies.policy(newId).sum, SUM);
    }
}
