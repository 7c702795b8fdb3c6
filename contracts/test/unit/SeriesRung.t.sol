// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Sources} from "breakwater/interfaces/IFeed.sol";
import {IHoldings} from "breakwater/interfaces/IHoldings.sol";
import {IIncidents, Incident, Rung} from "breakwater/interfaces/IIncidents.sol";
import {ISeriesRung, Series, SeriesTerms} from "breakwater/interfaces/ISeriesRung.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {Divergence} from "breakwater/libraries/Divergence.sol";
import {TriggerFixture} from "../TriggerFixture.sol";
import {Malice, TellingFeed} from "../PriceSources.sol";

/// @notice Impermanent loss between two observed times.
contract SeriesRungTest is TriggerFixture {
    uint32 private constant GAP = 1 hours;
    uint128 private constant BASE = 1_000_000e6;
    uint64 private constant FROM = uint64(START + 1 days);
    uint64 private constant TO = uint64(START + 31 days);

    Sources private x;
    Sources private y;
    bytes32 private trigger;

    function setUp() public override {
        super.setUp();
        openVault();
        x = makeFeeds(3);
        y = makeFeeds(5);
        trigger = _enrol(_terms());
    }

    function _terms() private view returns (SeriesTerms memory t) {
        (t.x, t.y) = (x, y);
        (t.start, t.end, t.maxGap, t.base) = (FROM, TO, GAP, BASE);
        t.claims = vaultClaims();
    }

    function _enrol(SeriesTerms memory t) private returns (bytes32 id) {
        Trigger memory listed = triggerOf(Rung.Feed, t.claims, abi.encode(bytes32("breakwater.series/1"), t));
        id = catalog.listTrigger(listed);
        seriesRung.enrol(listed);
    }

    function _go(uint256 time) private {
        vm.warp(time);
        vm.roll(block.number + 1);
    }

    function _see(uint256 time, uint256 px, uint256 py) private {
        _go(time);
        setPrice(x, px);
        setPrice(y, py);
        seriesRung.poke(trigger);
    }

    function _outside() private {
        expectRevert(abi.encodeWithSelector(ISeriesRung.OutsideSeries.selector, trigger, block.timestamp));
        seriesRung.poke(trigger);
    }

    // ----- the formula -----

    function test_lossOfKnownRatios() public pure {
        // 1 - 2 * sqrt(4) / 5 = 0.2; 1 - 2 * sqrt(9) / 10 = 0.4.
        assertEq(Divergence.loss(1e18, 1e18, 4e18, 1e18), 0.2e18);
        assertEq(Divergence.loss(1e18, 1e18, 1e18, 9e18), 0.4e18);
        assertEq(Divergence.loss(2000e18, 1e18, 4000e18, 2e18), 0);
        assertEq(Divergence.loss(1, 1, 1, 1), 0);
        assertApproxEqAbs(Divergence.loss(1e18, 1e18, 2e18, 1e18), 0.057190958417936e18, 1e3);
    }

    function test_lossOfExtremesIsDefined() public pure {
        assertGt(Divergence.loss(1, type(uint128).max, type(uint128).max, 1), 0.999e18);
        assertEq(Divergence.loss(type(uint128).max, 1, type(uint128).max, 1), 0);
        assertGt(Divergence.loss(type(uint128).max, 1, 1, type(uint128).max), 0.999e18);
    }

    /// forge-config: default.fuzz.runs = 64
    function test_lossIsAFractionAndTheSameBothWays(uint128 a, uint128 b, uint128 c, uint128 d) public pure {
        (a, b) = (a == 0 ? 1 : a, b == 0 ? 1 : b);
        (c, d) = (c == 0 ? 1 : c, d == 0 ? 1 : d);
        uint256 loss = Divergence.loss(a, b, c, d);
        assertLe(loss, 1e18);
        assertEq(loss, Divergence.loss(c, d, a, b));
        assertEq(loss, Divergence.loss(b, a, d, c));
    }

    // ----- observations -----

    function test_opensFromBothObservations() public {
        _see(FROM + 60, 2000e18, 1e18);
        uint256 onset = block.number - 1;
        _see(TO + 60, 8000e18, 1e18);
        uint256 reading = block.number - 1;
        Incident memory incident = incidents.incident(seriesRung.open(trigger));
        assertEq(incident.onset, onset);
        assertEq(incident.reading, reading);
        assertEq(incident.onsetTime, FROM + 60);
        assertEq(incident.afterTime, TO);
        assertEq(incident.base, BASE);
        assertEq(incident.loss, BASE / 5);
        assertNotEq(history.anchored(onset), 0);
        assertNotEq(history.anchored(reading), 0);
        expectRevert(abi.encodeWithSelector(ISeriesRung.AlreadyOpened.selector, trigger, incidents.count()));
        seriesRung.open(trigger);
    }

    function test_unchangedRatioIsBelowTheThreshold() public {
        _see(FROM, 2000e18, 1e18);
        _see(TO, 4000e18, 2e18);
        expectRevert(abi.encodeWithSelector(IIncidents.BelowThreshold.selector, 0, 0.02e18));
        seriesRung.open(trigger);
    }

    function test_observationsHaveTheirTimes() public {
        _go(FROM - 1);
        _outside();
        _see(FROM + GAP, 2000e18, 1e18);
        _go(TO - 1);
        _outside();
        expectRevert(abi.encodeWithSelector(ISeriesRung.SeriesOpen.selector, trigger));
        seriesRung.open(trigger);
        _see(TO + GAP, 2000e18, 1e18);
        _outside();
    }

    /// @dev Whoever may wait chooses the price.
    function test_lateObservationsAreNone() public {
        _go(FROM + GAP + 1);
        setPrice(x, 1e18);
        setPrice(y, 1e18);
        _outside();
    }

    function test_observationIsMadeOnce() public {
        _see(FROM, 2000e18, 1e18);
        setPrice(x, 3000e18);
        _outside();
        assertEq(seriesRung.series(trigger).first.x, 2000e18);
    }

    function _kill(Malice malice) private {
        TellingFeed(address(x.feeds[0])).misbehave(malice);
    }

    function test_deadFeedMovesTheLimitAndTheReport() public {
        _see(FROM, 2000e18, 1e18);
        _go(TO + 100);
        setPrice(x, 8000e18);
        setPrice(y, 1e18);
        _kill(Malice.BurnGas);
        seriesRung.poke(trigger);
        _go(TO + 5 days);
        seriesRung.poke(trigger);
        _see(TO + 9 days, 8000e18, 1e18);
        Series memory s = seriesRung.series(trigger);
        assertEq(s.second.time, TO + 9 days);
        assertEq(s.endDown, 9 days - 100);
        Incident memory incident = incidents.incident(seriesRung.open(trigger));
        assertEq(incident.afterTime, TO);
        assertEq(incident.openedTime, block.timestamp - (9 days - 100));
    }

    function test_deadFeedAtTheStartMovesTheStart() public {
        _go(FROM + GAP);
        setPrice(x, 1e18);
        _kill(Malice.Revert);
        seriesRung.poke(trigger);
        _see(FROM + 2 days, 2000e18, 1e18);
        assertEq(seriesRung.series(trigger).first.time, FROM + 2 days);
        assertEq(seriesRung.series(trigger).startDown, 2 days - GAP);
    }

    /// @dev A dead look after the limit makes up for nothing.
    function test_deadFeedAfterTheLimitIsTooLate() public {
        _go(FROM + GAP + 1);
        _kill(Malice.Revert);
        _outside();
    }

    function test_deadUntilTheEndIsNoSeries() public {
        _go(FROM);
        _kill(Malice.Revert);
        seriesRung.poke(trigger);
        _go(TO);
        setPrice(x, 1e18);
        setPrice(y, 1e18);
        _outside();
    }

    // ----- sale and terms -----

    function test_soldBeforeTheStartWhileFeedsLive() public {
        setPrice(x, 1e18);
        setPrice(y, 1e18);
        assertTrue(seriesRung.sellable(trigger));
        _kill(Malice.Revert);
        assertFalse(seriesRung.sellable(trigger));
        _go(FROM - 1);
        setPrice(x, 1e18);
        setPrice(y, 1e18);
        assertTrue(seriesRung.sellable(trigger));
        vm.warp(FROM);
        assertFalse(seriesRung.sellable(trigger));
        assertFalse(seriesRung.sellable(keccak256("unknown")));
    }

    function _refused(SeriesTerms memory t, bytes32 field, uint256 got) private {
        Trigger memory listed = triggerOf(Rung.Feed, t.claims, abi.encode(bytes32("breakwater.series/1"), t));
        catalog.listTrigger(listed);
        expectRevert(abi.encodeWithSelector(IHoldings.TermOutOfRange.selector, field, got));
        seriesRung.enrol(listed);
    }

    function test_termsAreChecked() public {
        SeriesTerms memory t = _terms();
        t.start = 0;
        _refused(t, "start", 0);
        t = _terms();
        t.end = FROM;
        _refused(t, "end", FROM);
        t = _terms();
        t.maxGap = 0;
        _refused(t, "maxGap", 0);
        t = _terms();
        t.base = 0;
        _refused(t, "base", 0);
    }

    function test_lpSharesOfBothTimesCount() public {
        vm.warp(FROM);
        uint256 onset = seal();
        setPrice(x, 2000e18);
        setPrice(y, 1e18);
        seriesRung.poke(trigger);
        vm.warp(TO);
        setShares(alice, 250_000e6);
        setShares(bob, 10_000e6);
        uint256 reading = seal();
        setPrice(x, 8000e18);
        setPrice(y, 1e18);
        seriesRung.poke(trigger);
        uint256 id = seriesRung.open(trigger);
        address[] memory accounts = holdersOf(alice, bob);
        seriesRung.provePositions(id, accounts, holdingsOf(onset, reading, accounts));
        assertEq(incidents.positionLost(id, alice), 20_000e6);
        assertEq(incidents.positionLost(id, bob), 2_000e6);
        expectRevert(
            abi.encodeWithSelector(IIncidents.NotThisRung.selector, address(seriesRung), address(feedRung))
        );
        feedRung.provePositions(id, accounts, holdingsOf(onset, reading, accounts));
    }
}
