// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {GaugeSpec} from "breakwater/interfaces/IGauges.sol";
import {Measurement, Rung, Status} from "breakwater/interfaces/IIncidents.sol";
import {IPolicies} from "breakwater/interfaces/IPolicies.sol";
import {Fixture} from "../Fixture.sol";

/// @notice Two false reports on one pool: what the first one holds back counts for the second.
contract CeilingFillTest is Fixture {
    uint128 private constant BASE = 1_000_000e6;
    uint128 private constant SUM = 100_000e6;
    Pool private pool;
    bytes32[2] private gauges;
    bytes32[2] private products;

    function setUp() public override {
        super.setUp();
        pool = makePool(usd, 34_000e6);
        for (uint256 i; i < 2; ++i) {
            GaugeSpec memory spec = vaultSpec();
            spec.accounts[0].account = address(uint160(VAULT) + uint160(i));
            gauges[i] = list(spec);
            products[i] = listProduct(termsFor(gauges[i]));
            underwrite(pool, products[i], SUM);
        }
        incidents.setCeiling(uint8(Rung.Quorum), address(usd), 10_000e6);
    }

    function wire(address) internal override {
        address[] memory contracts = new address[](2);
        Rung[] memory rungs = new Rung[](2);
        (contracts[0], rungs[0]) = (address(this), Rung.Quorum);
        (contracts[1], rungs[1]) = (address(0x7777), Rung.Assembly);
        incidents.wire(address(policies), contracts, rungs);
    }

    function _open(uint256 i) private returns (uint256 id) {
        (uint64 now_, uint64 head) = (uint64(block.timestamp), uint64(block.number));
        Measurement memory m = Measurement(head - 2, head - 1, now_ - 24, now_ - 12, BASE, BASE, 0);
        id = incidents.open(gauges[i], Rung.Quorum, keeper, m);
    }

    /// @dev A lie about one gauge takes all layers, so that the next lie is booked at almost nothing; once the first is
    ///      taken back, its money would fill the second, past every ceiling.
    function test_ceilingCountsWhatAnotherBookingMayRelease() public {
        buy(pool, products[0], bob, SUM);
        uint256 policy = buy(pool, products[1], alice, SUM);
        vm.warp(uint256(policies.policy(policy).inception) + 2 hours);
        vm.roll(block.number + 1000);
        uint256 x = _open(0);
        assertTrue(incidents.held(x), "ten times the ceiling");
        uint256 y = _open(1);
        assertLt(pool.booking(y).funded, 10_000e6);
        assertTrue(incidents.held(y), "as far above the ceiling");
        vm.roll(incidents.incident(x).dwellEnd + 1);
        incidents.finalise(x);
        incidents.finalise(y);
        vm.prank(address(0x7777));
        incidents.decide(x, 0);
        assertEq(uint256(incidents.incident(y).status), uint256(Status.Disputed));
        incidents.recordPosition(y, alice, SUM, SUM);
        vm.prank(alice);
        expectRevert(abi.encodeWithSelector(IPolicies.NothingToPay.selector, policy, y));
        policies.settle(policy, y);
    }

    /// @dev What a token answers, or that it does not, stops nobody.
    function test_moneyNeverReverts() public {
        assertGt(pool.money(), 34_000e6 - 1);
        vm.etch(address(usd), hex"fe");
        assertEq(pool.money(), 0);
        // Returns 2^20 words.
        vm.etch(address(usd), hex"630200000060006000f3");
        assertEq(pool.money(), 0);
    }
}
