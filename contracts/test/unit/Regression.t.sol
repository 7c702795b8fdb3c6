// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {GaugeSpec} from "breakwater/interfaces/IGauges.sol";
import {IIncidents, Status} from "breakwater/interfaces/IIncidents.sol";
import {Evidence} from "breakwater/interfaces/IProofRung.sol";
import {ITranche} from "breakwater/interfaces/ITranche.sol";
import {Fixture} from "../Fixture.sol";
import {Token} from "../Tokens.sol";

/// @notice Holes that were found by attack and closed; each test fails when its guard is removed.
contract RegressionTest is Fixture {
    Pool private pool;
    bytes32 private gauge;
    bytes32 private product;
    address private mallory = makeAddr("mallory");

    function setUp() public override {
        super.setUp();
        openVault();
        gauge = list(vaultSpec());
        product = listProduct(termsFor(gauge));
        pool = makePool(usd, 1_000_000e6);
        underwrite(pool, product, 1_000_000e6);
    }

    /// @dev Bob is insured for all he has; 40 % of the vault is drained and asserted at once.
    function _drained() private returns (uint256 policy, uint256 id, uint256 a) {
        policy = buy(pool, product, bob, 300_000e6);
        vm.warp(block.timestamp + 7 days);
        a = seal();
        setVault(600_000e6, 1_000_000e6);
        seal();
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        vm.prank(keeper);
        id = rung.assertLoss(spec, evidence);
    }

    function _proveBob(uint256 id, uint256 a) private {
        GaugeSpec memory spec = vaultSpec();
        // The gauge is walked where the incident does not know the block's reading.
        bool read = incidents.incident(id).reading != a + 1;
        rung.provePositions(spec, id, holdersOf(bob), positionsOf(spec, a, a + 1, holdersOf(bob), read));
    }

    /// @dev Proves the same loss at the last block of each answer until the dwell reaches behind the span.
    function _stretch(uint256 id) private {
        GaugeSpec memory spec = vaultSpec();
        while (incidents.incident(id).dwellEnd <= incidents.incident(id).spanEnd) {
            vm.roll(incidents.incident(id).dwellEnd - 1);
            uint256 b = seal();
            rung.proveLater(spec, id, evidenceOf(spec, b));
        }
    }

    /// @dev A registered pool of a worthless asset, which underwrites the gauge with nothing in force.
    function _junkPool() private returns (Pool junk, Token asset) {
        asset = new Token("JUNK", 18);
        junk = Pool(factory.createPool(configFor(address(asset)), bytes32(++made)));
        Product memory terms = termsFor(gauge);
        terms.asset = address(asset);
        bytes32 bad = listProduct(terms);
        vm.prank(curator);
        junk.setProduct(bad, 0, 0);
    }

    function _fill(Pool junk, Token asset, uint256 amount) private {
        ITranche junior = ITranche(junk.tranche(1));
        asset.mint(mallory, amount);
        vm.startPrank(mallory);
        asset.approve(address(junior), amount);
        junior.requestDeposit(amount, mallory, mallory);
        vm.stopPrank();
        vm.warp(block.timestamp + 1 days);
    }

    /// @dev A registrant of one's own, insured in a pool of one's own with one worthless unit for a tenth of the
    ///      loss, used up 90 % of what the registry grants to all.
    function test_nobodyMakesHimselfTheRegistrantOfAProtocol() public {
        Product memory terms = termsFor(gauge);
        (terms.kind, terms.registrant, terms.lossCapBps) = (Kind.Protocol, mallory, 9000);
        (terms.unitNum, terms.unitDen, terms.minSum) = (1, 40_000e6, 1);
        bytes32 hash = keccak256(bytes(wording.wording(terms, catalog.gaugeInfo(gauge))));
        vm.prank(mallory);
        expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, mallory));
        catalog.listProduct(terms, hash);
        catalog.listProduct(terms, hash);
        // Cover of positions stays open to everyone.
        (terms.kind, terms.registrant) = (Kind.Position, address(0));
        hash = keccak256(bytes(wording.wording(terms, catalog.gaugeInfo(gauge))));
        vm.prank(mallory);
        catalog.listProduct(terms, hash);
    }

    /// @dev Every later block of the same loss bought another quarter of a dwell, for ever.
    function test_sameLossCannotDwellForEver() public {
        (uint256 policy, uint256 id, uint256 a) = _drained();
        GaugeSpec memory spec = vaultSpec();
        uint256 spanEnd = incidents.incident(id).spanEnd;
        _stretch(id);
        vm.roll(spanEnd + 1);
        // 1.2 % of the vault comes back: less than an eighth of the threshold of 10 %.
        setVault(612_000e6, 1_000_000e6);
        uint256 last = seal();
        Evidence memory evidence = evidenceOf(spec, last);
        expectRevert(abi.encodeWithSelector(IIncidents.NothingNew.selector, id));
        rung.proveLater(spec, id, evidence);
        assertLe(incidents.incident(id).dwellEnd, spanEnd + DWELL / 4);
        passDwell(id);
        _proveBob(id, a);
        assertEq(policies.settle(policy, id), 120_000e6);
    }

    /// @dev What truly comes back is heard behind the span, too.
    function test_recoveryIsHeardBehindTheSpan() public {
        (, uint256 id,) = _drained();
        GaugeSpec memory spec = vaultSpec();
        uint256 spanEnd = incidents.incident(id).spanEnd;
        _stretch(id);
        vm.roll(spanEnd + 1);
        setVault(612_500e6, 1_000_000e6);
        rung.proveLater(spec, id, evidenceOf(spec, seal()));
        assertEq(incidents.incident(id).loss, 387_500e6);
    }

    /// @dev Deposits that overflow a layer made every accrual of one pool fail, and finalising asked for one.
    function test_poolThatCannotAccrueKeepsNoIncidentOpen() public {
        (Pool junk, Token asset) = _junkPool();
        (uint256 policy, uint256 id, uint256 a) = _drained();
        _fill(junk, asset, 1 << 127);
        _fill(junk, asset, 1 << 127);
        passDwell(id);
        _proveBob(id, a);
        assertEq(policies.settle(policy, id), 120_000e6);
        assertEq(uint256(incidents.incident(id).status), uint256(Status.Final));
    }

    /// @dev A layer at its bound made the earning of premiums fail, and opening an incident asks for it.
    function test_poolWithAFullLayerStopsNoIncident() public {
        (Pool junk, Token asset) = _junkPool();
        _fill(junk, asset, type(uint128).max);
        junk.accrue();
        assertEq(junk.layer(1), type(uint128).max);
        Product memory terms = termsFor(gauge);
        (terms.asset, terms.minSum) = (address(asset), 1);
        bytes32 live = listProduct(terms);
        ITranche junior = ITranche(junk.tranche(1));
        junior.claimDeposit(block.timestamp / 1 days - 1, mallory);
        vm.prank(mallory);
        junior.transfer(curator, 1 << 120);
        vm.startPrank(curator);
        junk.lock(1 << 120);
        junk.setProduct(live, 1e24, 0.02e18);
        vm.stopPrank();
        vm.warp(block.timestamp + 4 days);
        buy(junk, live, alice, 1e24);
        vm.warp(block.timestamp + 1 days);
        junk.accrue();
        assertEq(junk.layer(1), type(uint128).max);
        (, uint256 id,) = _drained();
        assertEq(pool.booking(id).reserved, 120_000e6);
    }

    /// @dev A pool that sold once and fell asleep made a booking dearer every day, also when its cover was over.
    function test_sleepingPoolDoesNotMakeABookingDear() public {
        buy(pool, product, bob, 300_000e6);
        vm.warp(block.timestamp + 10 * 365 days);
        pool.accrue();
        vm.cool(address(pool));
        vm.prank(address(incidents));
        uint256 before = gasleft();
        pool.book(1, gauge, uint64(block.timestamp - 12), 400, 1000);
        assertLt(before - gasleft(), 200_000);
    }

    /// @dev Anyone adds up the days that are over, so that live cover that nobody touches costs a booking no more.
    function test_anyoneRollsAProduct() public {
        buy(pool, product, bob, 300_000e6);
        vm.warp(block.timestamp + 29 days);
        pool.accrue();
        uint256 inForce = pool.inForce(product, block.timestamp);
        assertEq(inForce, 300_000e6);
        vm.cool(address(pool));
        uint256 before = gasleft();
        pool.inForce(product, block.timestamp);
        uint256 walked = before - gasleft();
        vm.prank(mallory);
        pool.roll(product);
        vm.cool(address(pool));
        before = gasleft();
        assertEq(pool.inForce(product, block.timestamp), inForce);
        assertLt(before - gasleft() + 50_000, walked);
        // The past stays what it was.
        assertEq(pool.inForce(product, block.timestamp - 27 days), inForce);
        assertEq(pool.inForce(product, block.timestamp - 29 days), 0);
    }
}
