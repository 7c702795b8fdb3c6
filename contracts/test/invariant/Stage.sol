// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {Catalog} from "breakwater/core/Catalog.sol";
import {Incidents} from "breakwater/core/Incidents.sol";
import {Policies} from "breakwater/core/Policies.sol";
import {PolicyDesk} from "breakwater/core/PolicyDesk.sol";
import {IWholePool as Pool, PoolState} from "breakwater/interfaces/IPoolDesk.sol";
import {Tranche} from "breakwater/core/Tranche.sol";
import {Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {GaugeSpec} from "breakwater/interfaces/IGauges.sol";
import {Rung} from "breakwater/interfaces/IIncidents.sol";
import {PoolConfig} from "breakwater/interfaces/IPool.sol";
import {Wording} from "breakwater/periphery/Wording.sol";
import {Times} from "breakwater/interfaces/ILadder.sol";
import {Fixture} from "../Fixture.sol";
import {Pools} from "../Pools.sol";
import {Bounds} from "./Bounds.sol";
import {Handler} from "./Handler.sol";
import {AssertingRung, Fickle} from "./Parts.sol";
import {Cast} from "./Scene.sol";

/// @notice Deploys everything as it is deployed, with capital, policies and caps in force before the campaign begins.
/// @dev Two gauges, four products, two pools: a loss is booked twice, a position insured twice, a pool falls short.
abstract contract Stage is Fixture {
    uint256 internal constant UNIT = Bounds.UNIT;
    uint256 internal constant PEOPLE = 8;

    Handler internal handler;
    bytes4[] internal actions;
    Cast internal cast;

    function setUp() public virtual override {
        vm.warp(Bounds.FIRST_TIME);
        vm.roll(Bounds.FIRST_BLOCK);
        _deploy();
        _list();
        _people();
        cast.pools.push(_openPool());
        cast.pools.push(_openPool());
        handler = new Handler(cast);
        manager.grantRole(manager.ADMIN_ROLE(), curator, 0);
        _fund(cast.pools[0], 1);
        _fund(cast.pools[1], 5);
        handler.advance(7_200);
        _join(cast.pools[0]);
        _join(cast.pools[1]);
        _setCaps();
        handler.advance(3 * 7_200);
        _insure();
        handler.advance(301);
        _queue();
        handler.look();
        _target();
        targetContract(address(handler));
        targetSender(address(this));
        targetSelectors(address(handler), actions);
    }

    // ----- what a campaign may do -----

    /// @dev All actions, unless a suite is about few of them.
    function _target() internal virtual {
        _targetCover();
        _targetCapital();
        _targetLosses();
        _targetTime();
        _targetStrangers();
        _targetCollapse();
    }

    function _targetCover() internal {
        Handler h = handler;
        _add(h.buy.selector, h.buyInParts.selector, h.edit.selector, h.transferPolicy.selector);
        _add(h.splitPolicy.selector);
    }

    function _targetCapital() internal {
        Handler h = handler;
        _add(h.deposit.selector, h.redeem.selector, h.claim.selector, h.processRedemptions.selector);
        _add(h.transferShares.selector, h.recover.selector, h.curate.selector, h.disturb.selector);
        _add(h.withdraw.selector);
    }

    function _targetLosses() internal {
        Handler h = handler;
        _add(h.openIncident.selector, h.raise.selector, h.lowerLoss.selector, h.refute.selector);
        _add(h.prove.selector, h.finalise.selector, h.closeBooking.selector, h.settle.selector);
        _add(h.settleBatch.selector);
    }

    /// @dev Apart, because little is left to do in a pool that fell short.
    function _targetCollapse() internal {
        _add(handler.collapse.selector);
    }

    function _targetTime() internal {
        Handler h = handler;
        _add(h.passBlocks.selector, h.passHours.selector, h.passDays.selector);
    }

    function _targetStrangers() internal {
        Handler h = handler;
        _add(h.usurp.selector, h.buyForbidden.selector, h.meddle.selector, h.misreport.selector);
        _add(h.grab.selector);
    }

    function _add(bytes4 a, bytes4 b, bytes4 c, bytes4 d) internal {
        _add(a, b, c);
        _add(d);
    }

    function _add(bytes4 a, bytes4 b, bytes4 c) internal {
        _add(a);
        _add(b);
        _add(c);
    }

    function _add(bytes4 a) internal {
        actions.push(a);
    }

    // ----- contracts -----

    function times() internal pure override returns (Times memory) {
        return Times(
            Bounds.DWELL,
            Bounds.CLAIM_WINDOW,
            QUORUM_WINDOW,
            ASSEMBLY_WINDOW,
            GUARDIAN_DELAY,
            type(uint16).max
        );
    }

    function _deploy() private {
        manager = new AccessManager(address(this));
        wording = new Wording(times());
        catalog = new Catalog(address(manager), wording);
        incidents = new Incidents(catalog, address(manager));
        policies = new Policies(catalog, incidents, address(new PolicyDesk(catalog, incidents)));
        factory = Pools.factory(catalog, incidents, address(policies));
        allowFactory();
        AssertingRung asserting = new AssertingRung();
        asserting.wire(incidents);
        wire(address(asserting));
        Fickle fickle = new Fickle();
        usd = fickle;
        (cast.catalog, cast.incidents, cast.policies) = (catalog, incidents, policies);
        (cast.rung, cast.usd) = (asserting, fickle);
    }

    function _list() private {
        GaugeSpec memory spec = vaultSpec();
        spec.pinnedAt = uint64(Bounds.FIRST_TIME);
        cast.gauges.push(list(spec));
        spec.accounts[0].account = address(0xA0170001);
        cast.gauges.push(list(spec));
        Product memory terms = _terms(0);
        (terms.instant, terms.bountyBps) = (true, 100);
        cast.products.push(listProduct(terms));
        terms = _terms(0);
        (terms.deductibleBps, terms.eventLimit, terms.bountyBps) = (1_000, uint128(60_000 * UNIT), 200);
        cast.products.push(listProduct(terms));
        terms = _terms(0);
        (terms.kind, terms.registrant, terms.lossCapBps) = (Kind.Protocol, makeAddr("registrant"), 9_000);
        terms.instant = true;
        cast.products.push(listProduct(terms));
        terms = _terms(1);
        (terms.unitDen, terms.lossCapBps, terms.instant) = (1e12, 5_000, true);
        cast.products.push(listProduct(terms));
    }

    function _terms(uint256 gauge) private view returns (Product memory terms) {
        terms = termsFor(cast.gauges[gauge]);
        (terms.waitingPeriod, terms.reportWindow) = (Bounds.WAITING, Bounds.REPORT_WINDOW);
        (terms.minSum, terms.minTerm, terms.maxTerm) = (Bounds.MIN_SUM, Bounds.MIN_TERM, Bounds.MAX_TERM);
    }

    function _people() private {
        string[PEOPLE] memory names =
            ["alice", "bob", "carol", "dave", "erin", "frank", "registrant", "curator"];
        for (uint256 i; i < PEOPLE; ++i) {
            (address who, uint256 key) = makeKey(names[i]);
            cast.people.push(who);
            cast.keys.push(key);
        }
        (cast.registrant, cast.curator, cast.stranger) =
        (cast.people[6], cast.people[7], makeAddr("stranger"));
    }

    function _openPool() private returns (Pool pool) {
        PoolConfig memory c = configFor(address(usd));
        (c.epoch, c.cooldown) = (Bounds.EPOCH, Bounds.COOLDOWN);
        // So little for the capital that the floor rate shows, and so much subordination that it binds.
        (c.costOfCapital, c.subordinationBps) = (0.01e18, 6_500);
        (c.curatorShareBps, c.surgeMax, c.surgeHalfLife) = (400, 0.4e18, 1 days);
        pool = Pool(factory.createPool(c, bytes32(++made)));
    }

    // ----- capital and cover -----

    function _fund(Pool pool, uint256 part) private {
        handler.fund(pool, 1, curator, 120_000 * UNIT / part);
        handler.fund(pool, 1, cast.people[3], 80_000 * UNIT / part);
        handler.fund(pool, 2, cast.people[4], 80_000 * UNIT / part);
        handler.fund(pool, 3, cast.people[5], 120_000 * UNIT / part);
    }

    function _join(Pool pool) private {
        handler.join(pool, 1, curator);
        handler.join(pool, 1, cast.people[3]);
        handler.join(pool, 2, cast.people[4]);
        handler.join(pool, 3, cast.people[5]);
        uint256 shares = Tranche(pool.tranche(1)).balanceOf(curator);
        vm.prank(curator);
        pool.lock(shares);
    }

    function _setCaps() private {
        for (uint256 i; i < 4; ++i) {
            handler.cap(cast.pools[0], cast.products[i], uint128(300_000 * UNIT));
        }
        handler.cap(cast.pools[1], cast.products[0], uint128(60_000 * UNIT));
        handler.cap(cast.pools[1], cast.products[2], uint128(60_000 * UNIT));
    }

    function _insure() private {
        Pool pool = cast.pools[0];
        handler.insure(pool, cast.products[0], cast.people[0], uint128(200_000 * UNIT), 8);
        handler.insure(pool, cast.products[0], cast.people[1], uint128(50_000 * UNIT), 5);
        handler.insure(pool, cast.products[1], cast.people[1], uint128(100_000 * UNIT), 7);
        handler.insure(pool, cast.products[2], cast.registrant, uint128(180_000 * UNIT), 10);
        handler.insure(pool, cast.products[3], cast.people[2], uint128(120_000 * UNIT), 12);
        handler.insure(cast.pools[1], cast.products[0], cast.people[0], uint128(30_000 * UNIT), 9);
    }

    /// @dev More than the exposure lets out at once, and someone who wants in.
    function _queue() private {
        Pool pool = cast.pools[0];
        handler.askOut(pool, 3, cast.people[5], 80_000);
        handler.askOut(pool, 2, cast.people[4], 30_000);
        handler.askOut(pool, 1, cast.people[3], 10_000);
        handler.fund(pool, 1, cast.people[3], 5_000 * UNIT);
        handler.fund(pool, 3, cast.people[0], 20_000 * UNIT);
        // From the first payment on, someone cannot be paid.
        cast.usd.setBlocked(cast.people[0], true);
    }

    // ----- what invariants ask -----

    /// @dev The rule was never seen broken.
    function _kept(bytes32 rule) internal view {
        assertEq(handler.breaches(rule), 0, string(abi.encodePacked(rule)));
    }

    function _unearned(PoolState memory s) internal pure returns (uint256) {
        return (s.unearnedScaled + Bounds.WAD - 1) / Bounds.WAD;
    }
}
