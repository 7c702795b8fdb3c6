// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Product} from "breakwater/interfaces/ICatalog.sol";
import {PayOrder, Reduction} from "breakwater/interfaces/IPool.sol";
import {PoolSetup} from "./PoolSetup.t.sol";

/// @notice Gas of the pool's calls with cold storage, without the 21,000 of a transaction and its calldata.
contract PoolGasTest is PoolSetup {
    function setUp() public override {
        super.setUp();
        _fund();
    }

    function test_gas_of_policies_and_incidents() public {
        // Not the first policy of the pool, but the first that expires on its day.
        _buy(PLAIN, 100_000 * UNIT, 30);
        _pass(1 hours);
        Sale memory sale = _quoted(45);
        _cool();
        pool.sell(PLAIN, sale.sum, sale.inception, sale.expiry, sale.premium);
        vm.snapshotGasLastCall("Pool", "sell, first on its day");
        sale = _quoted(45);
        _cool();
        sale.rate = pool.sell(PLAIN, sale.sum, sale.inception, sale.expiry, sale.premium);
        vm.snapshotGasLastCall("Pool", "sell");

        _pass(2 days);
        Reduction memory r =
            Reduction(PLAIN, sale.sum, sale.rate, sale.expiry, sale.purchased, sale.sum, sale.sum, holder);
        _cool();
        pool.reduce(r);
        vm.snapshotGasLastCall("Pool", "reduce");

        sale = _buy(PLAIN, 10_000 * UNIT, 45);
        vm.warp(sale.inception + 1);
        pool.accrue();
        _pass(12);
        _cool();
        _open(1, GAUGE, 0.5e18);
        vm.snapshotGasLastCall("Pool", "book, two products");
        _pass(12);
        _cool();
        _book(1, GAUGE, pool.booking(1).onsetTime, 0.4e18);
        vm.snapshotGasLastCall("Pool", "book again, lower");
        _settleBooking(1);
        _pass(12);
        PayOrder memory order = PayOrder(1, PLAIN, 0, uint128(4_000 * UNIT), 0, sale.expiry, holder, settler);
        _cool();
        pool.pay(order);
        vm.snapshotGasLastCall("Pool", "pay, first to three accounts");
        order.holder = alice;
        _cool();
        pool.pay(order);
        vm.snapshotGasLastCall("Pool", "pay");
    }

    function test_gas_of_entering_and_leaving() public {
        _pass(1 hours);
        coin.mint(alice, 100 * UNIT);
        vm.startPrank(alice);
        coin.approve(address(junior), 100 * UNIT);
        _cool();
        uint256 id = junior.requestDeposit(100 * UNIT, alice, alice);
        vm.snapshotGasLastCall("Tranche", "requestDeposit, first of its epoch");
        vm.stopPrank();
        _nextEpoch();
        _cool();
        pool.accrue();
        vm.snapshotGasLastCall("Pool", "accrue, first of an epoch, one batch");
        _cool();
        junior.claimDeposit(id, alice);
        vm.snapshotGasLastCall("Tranche", "claimDeposit");
        uint256 shares = junior.balanceOf(alice) / 2;
        _cool();
        vm.prank(alice);
        id = junior.requestRedeem(shares, alice, alice);
        vm.snapshotGasLastCall("Tranche", "requestRedeem, first of its cohort");
        vm.warp(id * 7 days);
        _cool();
        junior.processRedemptions();
        vm.snapshotGasLastCall("Tranche", "processRedemptions");
        _cool();
        junior.claimRedeem(id, alice);
        vm.snapshotGasLastCall("Tranche", "claimRedeem");
    }

    /// @dev The worst that time alone can do to the call that opens an incident: a year of policies, one a day, and
    ///      nobody who called the pool in between.
    function test_gas_of_booking_after_a_year_of_silence() public {
        for (uint256 i = 1; i <= 360; ++i) {
            _buy(PLAIN, 1_000, i);
        }
        _pass(364 days);
        _cool();
        _open(1, GAUGE, 0.5e18);
        vm.snapshotGasLastCall("Pool", "book after a year of silence");
    }

    /// @dev The dearest pool that its terms allow: four products of one gauge, each with a year of waiting, of term and
    ///      of reporting, and nobody who called it since.
    function test_booking_stays_affordable_after_years_of_silence() public {
        bytes32[4] memory products = [PLAIN, LIMITED, bytes32("third"), bytes32("fourth")];
        bytes32 gauge = "silent gauge";
        vm.startPrank(curator);
        // His lock is behind these caps from now on.
        pool.setProduct(OTHER, 0, 0.02e18);
        for (uint256 i; i < 4; ++i) {
            Product memory terms = _terms(gauge, uint16(i), 0);
            (terms.waitingPeriod, terms.reportWindow) = (365 days, 365 days);
            products[i] = keccak256(abi.encode(terms));
            world.list(products[i], terms);
            pool.setProduct(products[i], uint128(20_000 * UNIT), 0.02e18);
        }
        vm.stopPrank();
        _pass(28 days);
        pool.accrue();
        uint64 inception = uint64(block.timestamp + 365 days);
        uint64 expiry = uint64((inception + 364 days) / DAY * DAY);
        for (uint256 i; i < 4; ++i) {
            uint256 premium = pool.quote(products[i], uint128(10_000 * UNIT), inception, expiry);
            coin.mint(address(pool), premium);
            pool.sell(products[i], uint128(10_000 * UNIT), inception, expiry, premium);
        }
        _silent(gauge, 365 days, "book after a year of silence, dearest terms");
        _silent(gauge, 2 * 365 days - 3 days, "book after two years of silence, dearest terms");
        _silent(gauge, 5 * 365 days, "book after five years of silence, dearest terms");
    }

    function _silent(bytes32 gauge, uint256 time, string memory name) private {
        uint256 snapshot = vm.snapshotState();
        _pass(time);
        _cool();
        _open(1, gauge, 0.5e18);
        uint256 gas = vm.snapshotGasLastCall("Pool", name);
        assertLt(gas, 2_000_000);
        vm.revertToState(snapshot);
    }

    function _quoted(uint256 days_) private returns (Sale memory sale) {
        sale.sum = uint128(1_000 * UNIT);
        sale.purchased = uint64(block.timestamp);
        sale.inception = uint64(block.timestamp) + WAITING;
        sale.expiry = uint64((sale.inception + days_ * DAY + DAY - 1) / DAY * DAY);
        uint256 snapshot = vm.snapshotState();
        pool.accrue();
        sale.premium = pool.quote(PLAIN, sale.sum, sale.inception, sale.expiry);
        vm.revertToState(snapshot);
        coin.mint(address(pool), sale.premium);
    }

    function _cool() private {
        vm.cool(address(pool));
        vm.cool(factory.pool());
        vm.cool(factory.tranche());
        vm.cool(address(coin));
        vm.cool(address(world));
        vm.cool(address(junior));
        vm.cool(address(mezzanine));
        vm.cool(address(senior));
    }
}
