// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IRunRung, Run} from "breakwater/interfaces/IRunRung.sol";
import {Sources} from "breakwater/interfaces/IFeed.sol";
import {DepegTerms, IFeedRung} from "breakwater/interfaces/IFeedRung.sol";
import {IHoldings} from "breakwater/interfaces/IHoldings.sol";
import {IIncidents, Incident, Rung, Status} from "breakwater/interfaces/IIncidents.sol";
import {Evidence, IProofRung} from "breakwater/interfaces/IProofRung.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {TriggerFixture} from "../TriggerFixture.sol";
import {Aggregator, Malice} from "../PriceSources.sol";

/// @notice Runs below a strike: what begins, continues, pauses and ends them, and what incident comes of it.
contract FeedRungTest is TriggerFixture {
    uint32 internal constant PERIOD = 4 hours;
    uint32 internal constant GAP = 1 hours;
    uint128 internal constant STRIKE = 0.95e18;
    uint128 internal constant BASE = 1_000_000e6;

    Sources internal sources;
    bytes32 internal trigger;
    Aggregator internal sequencer;

    function setUp() public override {
        super.setUp();
        openVault();
        sources = makeFeeds(3);
        sequencer = new Aggregator(0);
        sequencer.set(0, block.timestamp - 1 days);
        sources.sequencer = address(sequencer);
        trigger = enrol(depeg());
    }

    function depeg() internal view returns (DepegTerms memory t) {
        t.sources = sources;
        (t.strike, t.par, t.base) = (STRIKE, 1e18, BASE);
        (t.margin, t.period, t.maxGap) = (0.02e18, PERIOD, GAP);
        t.claims = vaultClaims();
    }

    function encode(DepegTerms memory t) internal pure returns (bytes memory) {
        return abi.encode(bytes32("breakwater.depeg/1"), t);
    }

    function enrol(DepegTerms memory t) internal returns (bytes32 id) {
        Trigger memory listed = triggerOf(Rung.Feed, t.claims, encode(t));
        id = catalog.listTrigger(listed);
        assertEq(feedRung.enrol(listed), id);
    }

    function see(uint256 price) internal {
        setPrice(sources, price);
        feedRung.poke(trigger);
    }

    /// @dev Steps of half a gap at one price, at least one.
    function stay(uint256 price, uint256 time) internal {
        for (uint256 i; i < time; i += GAP / 2) {
            pass(GAP / 2);
            see(price);
        }
    }

    function run() internal view returns (Run memory) {
        return feedRung.run(trigger);
    }

    function openRun() internal returns (uint256 id) {
        see(1e18);
        pass(GAP / 2);
        see(0.9e18);
        stay(0.9e18, PERIOD);
        return feedRung.open(trigger);
    }

    function _tooShort(uint256 elapsed) private {
        expectRevert(abi.encodeWithSelector(IRunRung.RunTooShort.selector, trigger, elapsed, PERIOD));
        feedRung.open(trigger);
    }

    // ----- runs -----

    function test_opensWhenThePeriodIsOver() public {
        see(1e18);
        (uint256 onset, uint256 onsetTime) = (block.number - 1, block.timestamp);
        pass(60);
        see(0.9e18);
        uint256 afterTime = block.timestamp;
        stay(0.9e18, PERIOD - GAP / 2);
        _tooShort(PERIOD - GAP / 2);
        pass(GAP / 2);
        setPrice(sources, 0.9e18);
        vm.prank(keeper);
        uint256 id = feedRung.open(trigger);
        Incident memory incident = incidents.incident(id);
        assertEq(incident.gauge, trigger);
        assertEq(incident.onset, onset);
        assertEq(incident.onsetTime, onsetTime);
        assertEq(incident.afterTime, afterTime);
        assertEq(incident.reading, block.number - 1);
        assertEq(incident.base, BASE);
        assertEq(incident.loss, BASE / 10);
        assertEq(incident.opener, keeper);
        assertEq(uint256(incident.rung), uint256(Rung.Feed));
        assertEq(run().incident, id);
    }

    /// @dev Between 0.9 and 0.8 the better one counts: 2.5 hours at 0.9 and 1.5 at 0.8.
    function test_averageTakesTheBetterOfBothEnds() public {
        see(1e18);
        pass(60);
        see(0.9e18);
        stay(0.9e18, 2 hours);
        stay(0.8e18, 2 hours);
        uint256 id = feedRung.open(trigger);
        uint256 price = (0.9e18 * 2.5 + 0.8e18 * 1.5) / 4;
        assertEq(incidents.incident(id).loss, uint256(BASE) * (1e18 - price) / 1e18);
    }

    function test_averageRoundsTheLossDown() public {
        see(1e18);
        pass(60);
        see(0.9e18 + 1);
        stay(0.9e18 + 1, PERIOD);
        assertEq(incidents.incident(feedRung.open(trigger)).loss, BASE / 10 - 1);
    }

    function test_observationAtTheStrikeEndsTheRun() public {
        see(1e18);
        pass(60);
        see(0.9e18);
        stay(0.9e18, PERIOD - GAP / 2);
        pass(60);
        see(STRIKE);
        assertEq(run().onset, block.number - 1);
        assertEq(run().since, 0);
        assertEq(run().elapsed, 0);
        pass(60);
        see(STRIKE - 1);
        stay(0.9e18, GAP);
        _tooShort(GAP);
    }

    function test_withoutAHealthyObservationNoRunBegins() public {
        see(0.9e18);
        stay(0.9e18, 2 * PERIOD);
        assertEq(run().since, 0);
        _tooShort(0);
    }

    /// @dev Nobody looked, so nobody knows that it stayed below.
    function test_longGapBeginsTheRunAnew() public {
        see(1e18);
        uint256 onset = block.number - 1;
        pass(60);
        see(0.9e18);
        stay(0.9e18, PERIOD - GAP / 2);
        pass(GAP + 1);
        see(0.9e18);
        assertEq(run().elapsed, 0);
        assertEq(run().sum, 0);
        assertEq(run().since, block.timestamp);
        assertEq(run().onset, onset);
        stay(0.9e18, PERIOD);
        assertEq(incidents.incident(feedRung.open(trigger)).onset, onset);
    }

    function test_gapOfTheStatedLengthContinuesTheRun() public {
        see(1e18);
        pass(60);
        see(0.9e18);
        pass(GAP);
        see(0.9e18);
        assertEq(run().elapsed, GAP);
    }

    function test_oneRunOpensOneIncident() public {
        uint256 id = openRun();
        expectRevert(abi.encodeWithSelector(IRunRung.AlreadyOpened.selector, trigger, id));
        feedRung.open(trigger);
    }

    function test_nextRunOpensTheNextIncident() public {
        uint256 first = openRun();
        passDwell(first);
        incidents.finalise(first);
        uint256 second = openRun();
        assertGe(incidents.incident(second).onset, incidents.incident(first).reading);
    }

    /// @dev The price may cross the strike within one second; an incident must still end up after its onset.
    function test_crossingWithinASecond() public {
        see(1e18);
        see(0.9e18);
        assertEq(run().since, block.timestamp + 1);
        stay(0.9e18, PERIOD);
        assertEq(incidents.incident(feedRung.open(trigger)).afterTime, run().onsetTime + 1);
    }

    function test_smallDepegIsBelowTheThreshold() public {
        DepegTerms memory t = depeg();
        (t.strike, t.par) = (0.99e18, 1e18);
        trigger = enrol(t);
        see(1e18);
        pass(60);
        see(0.985e18);
        stay(0.985e18, PERIOD);
        expectRevert(abi.encodeWithSelector(IIncidents.BelowThreshold.selector, 0.015e18, 0.02e18));
        feedRung.open(trigger);
    }

    // ----- dead feeds -----

    function _kill(Malice malice) private {
        for (uint256 i; i < 3; ++i) {
            feeds[i].misbehave(malice);
        }
    }

    function test_deadFeedPausesAndNeverResets() public {
        see(1e18);
        uint256 onset = block.number - 1;
        pass(60);
        see(0.9e18);
        stay(0.9e18, PERIOD - GAP / 2);
        pass(10);
        _kill(Malice.Revert);
        feedRung.poke(trigger);
        pass(5 days);
        feedRung.poke(trigger);
        pass(5 days);
        see(0.9e18);
        assertEq(run().elapsed, PERIOD - GAP / 2);
        assertEq(run().downtime, 10 days + 10);
        stay(0.9e18, GAP / 2);
        uint256 id = feedRung.open(trigger);
        assertEq(incidents.incident(id).onset, onset);
        assertEq(incidents.incident(id).openedTime, block.timestamp - 10 days - 10);
    }

    /// @dev What lasted long enough is opened also while the feeds are dead.
    function test_deadFeedDoesNotKeepAFullRunFromOpening() public {
        see(1e18);
        pass(60);
        see(0.9e18);
        stay(0.9e18, PERIOD);
        pass(30 days);
        _kill(Malice.BurnGas);
        assertEq(incidents.incident(feedRung.open(trigger)).loss, BASE / 10);
    }

    /// @dev The depeg began unseen: cover counts until the first look that found no health.
    function test_feedThatDiesBeforeTheDepegKeepsTheOnset() public {
        see(1e18);
        (uint256 onsetTime, uint256 onset) = (block.timestamp, block.number - 1);
        pass(100);
        _kill(Malice.NoData);
        feedRung.poke(trigger);
        uint256 afterTime = block.timestamp;
        pass(3 days);
        see(0.9e18);
        stay(0.9e18, PERIOD);
        Incident memory incident = incidents.incident(feedRung.open(trigger));
        assertEq(incident.onset, onset);
        assertEq(incident.onsetTime, onsetTime);
        assertEq(incident.afterTime, afterTime);
    }

    function test_everyKindOfBadFeedOnlyPauses() public {
        see(1e18);
        for (uint256 i = 1; i <= uint256(type(Malice).max); ++i) {
            if (Malice(i) == Malice.HugeData) continue;
            pass(60);
            setPrice(sources, 0.9e18);
            feeds[i % 3].misbehave(Malice(i));
            feedRung.poke(trigger);
            assertFalse(run().live);
        }
        uint256[4] memory prices = [uint256(0), 0.9e18, 0.9e18, 1 << 200];
        uint256[4] memory ages = [uint256(0), 2 hours, 0, 0];
        for (uint256 i; i < 4; ++i) {
            pass(60);
            setPrice(sources, 0.9e18);
            feeds[1].set(prices[i], i == 2 ? block.timestamp + 1 : block.timestamp - ages[i]);
            feedRung.poke(trigger);
            assertFalse(run().live);
        }
        assertEq(run().elapsed, 0);
        assertGt(run().downtime, 0);
    }

    function test_timeBetweenLifeAndDeathCountsForNobody() public {
        see(1e18);
        pass(60);
        see(0.9e18);
        pass(GAP / 2);
        _kill(Malice.Revert);
        feedRung.poke(trigger);
        pass(GAP / 2);
        see(0.9e18);
        assertEq(run().elapsed, 0);
    }

    /// @dev Of a long time without a look only one gap can be blamed on feeds that were dead in the end.
    function test_downtimeBeforeTheFirstDeadLookIsBounded() public {
        see(1e18);
        pass(9 days);
        _kill(Malice.Revert);
        feedRung.poke(trigger);
        assertEq(run().downtime, GAP);
    }

    function test_sequencerDowntimePausesTheRun() public {
        see(1e18);
        pass(60);
        see(0.9e18);
        stay(0.9e18, GAP);
        pass(2 days);
        sequencer.set(0, block.timestamp - 30 minutes);
        see(0.9e18);
        assertEq(run().elapsed, GAP);
        assertEq(run().downtime, 2 days);
        stay(0.9e18, GAP);
        assertEq(run().elapsed, 2 * GAP);
    }

    function test_sequencerThatIsDownOrInGraceIsNoObservation() public {
        see(1e18);
        pass(60);
        sequencer.set(1, block.timestamp);
        see(1e18);
        assertFalse(run().live);
        pass(60);
        sequencer.set(0, block.timestamp);
        see(1e18);
        assertFalse(run().live);
        pass(30 minutes);
        see(1e18);
        assertTrue(run().live);
    }

    function test_tooLittleGasCannotFeignDeath() public {
        see(1e18);
        pass(60);
        setPrice(sources, 0.9e18);
        for (uint256 gas_ = 100_000; gas_ < 700_000; gas_ += 30_000) {
            uint256 snapshot = vm.snapshotState();
            try feedRung.poke{gas: gas_}(trigger) {
                assertTrue(run().live);
            } catch {}
            vm.revertToState(snapshot);
        }
    }

    // ----- answers in the dwell -----

    function test_betterMedianLowersTheLoss() public {
        uint256 id = openRun();
        pass(12);
        setPrice(sources, 0.94e18);
        feedRung.review(id);
        assertEq(incidents.incident(id).loss, BASE * 6 / 100);
        pass(12);
        see(0.8e18);
        expectRevert(abi.encodeWithSelector(IFeedRung.NotLower.selector, id, BASE * 6 / 100, BASE * 6 / 100));
        feedRung.review(id);
    }

    function test_recoveryInTheDwellRefutes() public {
        uint256 id = openRun();
        pass(12);
        see(STRIKE);
        pass(12);
        see(0.5e18);
        feedRung.review(id);
        assertEq(incidents.incident(id).loss, 0);
        passDwell(id);
        incidents.finalise(id);
        assertEq(uint256(incidents.incident(id).status), uint256(Status.Voided));
    }

    function test_afterTheDwellNothingIsReviewed() public {
        uint256 id = openRun();
        passDwell(id);
        setPrice(sources, 1e18);
        expectRevert(IIncidents.DwellOver.selector);
        feedRung.review(id);
    }

    function test_reviewOfAnotherIncidentIsRefused() public {
        expectRevert(abi.encodeWithSelector(IIncidents.UnknownIncident.selector, 7));
        feedRung.review(7);
    }

    // ----- extensions -----

    function test_deadTimeAfterTheEndKeepsClaimsOpen() public {
        uint256 id = openRun();
        passDwell(id);
        incidents.finalise(id);
        uint256 end = incidents.incident(id).claimsEnd;
        see(0.9e18);
        pass(60);
        _kill(Malice.Revert);
        feedRung.poke(trigger);
        pass(3 days);
        feedRung.extend(id);
        assertEq(incidents.incident(id).claimsEnd, end + 3 days + 60);
        expectRevert(abi.encodeWithSelector(IFeedRung.NoDowntime.selector, id));
        feedRung.extend(id);
    }

    /// @dev Feeds that never come back must not hold a pool's reserve for ever.
    function test_extensionOfClaimsIsBounded() public {
        uint256 id = openRun();
        passDwell(id);
        incidents.finalise(id);
        uint256 end = incidents.incident(id).claimsEnd;
        _kill(Malice.Revert);
        for (uint256 i; i < 6; ++i) {
            pass(4 days);
            try feedRung.extend(id) {} catch {}
        }
        assertEq(incidents.incident(id).claimsEnd, end + feedRung.MAX_LATER());
    }

    function test_extensionIsForTheRungThatOpened() public {
        uint256 id = openRun();
        expectRevert(
            abi.encodeWithSelector(IIncidents.NotThisRung.selector, address(feedRung), address(this))
        );
        incidents.extend(id, 1);
    }

    function test_extensionEndsWithTheClaims() public {
        uint256 id = openRun();
        passDwell(id);
        incidents.finalise(id);
        _kill(Malice.Revert);
        pass(uint256(WINDOW) + 1);
        expectRevert(IIncidents.ClaimsOver.selector);
        feedRung.extend(id);
    }

    // ----- enrolment -----

    function _refused(DepegTerms memory t, bytes32 field, uint256 got) private {
        _refuses(t, abi.encodeWithSelector(IHoldings.TermOutOfRange.selector, field, got));
    }

    function _refuses(DepegTerms memory t, bytes memory reason) private {
        Trigger memory listed = triggerOf(Rung.Feed, t.claims, encode(t));
        catalog.listTrigger(listed);
        expectRevert(reason);
        feedRung.enrol(listed);
    }

    function test_termsAreChecked() public {
        DepegTerms memory t = depeg();
        t.strike = 0;
        _refused(t, "strike", 0);
        t = depeg();
        t.par = STRIKE - 1;
        _refused(t, "par", STRIKE - 1);
        t = depeg();
        t.base = 0;
        _refused(t, "base", 0);
        t = depeg();
        t.margin = 1e18 + 1;
        _refused(t, "margin", 1e18 + 1);
        t = depeg();
        t.maxGap = 0;
        _refused(t, "maxGap", 0);
        t = depeg();
        t.period = GAP - 1;
        _refused(t, "period", GAP - 1);
        t = depeg();
        t.period = 90 days + 1;
        _refused(t, "period", 90 days + 1);
    }

    function test_claimsAreChecked() public {
        DepegTerms memory t = depeg();
        t.claims.keeper.codeHash = 0;
        _refused(t, "codeHash", 0);
        t = depeg();
        t.claims.holding.account = 1;
        _refused(t, "holding.account", 1);
        t = depeg();
        t.claims.holding.scale = 0;
        _refused(t, "holding.scale", 0);
        t = depeg();
        (t.claims.holding.offset, t.claims.holding.width) = (1, 256);
        _refused(t, "holding.width", 256);
        t = depeg();
        t.claims.holding.innerKey = bytes32(uint256(1));
        _refused(t, "holding.innerKey", 1);
        t = depeg();
        t.claims.holding.width = 0;
        _refused(t, "keeper", uint160(VAULT));
    }

    function test_claimsMustBeTheTriggersOwn() public {
        DepegTerms memory t = depeg();
        Trigger memory listed = triggerOf(Rung.Feed, t.claims, encode(t));
        listed.claims = keccak256("elsewhere");
        catalog.listTrigger(listed);
        expectRevert(
            abi.encodeWithSelector(IHoldings.ClaimsMismatch.selector, subjectOf(t.claims), listed.claims)
        );
        feedRung.enrol(listed);
    }

    function test_otherTermsAreRefused() public {
        Trigger memory listed =
            triggerOf(Rung.Feed, vaultClaims(), abi.encode(bytes32("breakwater.series/1"), depeg()));
        catalog.listTrigger(listed);
        expectRevert(
            abi.encodeWithSelector(
                IHoldings.WrongTerms.selector, bytes32("breakwater.depeg/1"), bytes32("breakwater.series/1")
            )
        );
        feedRung.enrol(listed);
        listed.terms = hex"01";
        catalog.listTrigger(listed);
        expectRevert(
            abi.encodeWithSelector(IHoldings.WrongTerms.selector, bytes32("breakwater.depeg/1"), bytes32(0))
        );
        feedRung.enrol(listed);
    }

    function test_unknownTriggersAreRefused() public {
        Trigger memory listed = triggerOf(Rung.Feed, vaultClaims(), hex"01");
        bytes32 id = keccak256(abi.encode(keccak256("breakwater.trigger/1"), listed));
        bytes memory reason = abi.encodeWithSelector(IHoldings.UnknownTrigger.selector, id);
        expectRevert(reason);
        feedRung.enrol(listed);
        expectRevert(reason);
        feedRung.poke(id);
        expectRevert(reason);
        feedRung.open(id);
        assertFalse(feedRung.sellable(id));
    }

    function test_triggersEnrolOnce() public {
        Trigger memory listed = triggerOf(Rung.Feed, depeg().claims, encode(depeg()));
        expectRevert(abi.encodeWithSelector(IHoldings.AlreadyEnrolled.selector, trigger));
        feedRung.enrol(listed);
    }

    function test_triggerOfAForkIsRefused() public {
        DepegTerms memory t = depeg();
        t.base = 7;
        Trigger memory listed = triggerOf(Rung.Feed, t.claims, encode(t));
        catalog.listTrigger(listed);
        uint256 here = block.chainid;
        vm.chainId(here + 1);
        expectRevert(abi.encodeWithSelector(IHoldings.WrongChain.selector, here + 1, here));
        feedRung.enrol(listed);
    }

    // ----- positions -----

    function _proven() private returns (uint256 id, uint256 onset, uint256 reading) {
        onset = seal();
        see(1e18);
        pass(60);
        see(0.9e18);
        stay(0.9e18, PERIOD);
        setShares(alice, 40_000e6);
        setShares(bob, 500_000e6);
        setAccount(VAULT, 0, keccak256("upgraded"));
        reading = seal();
        setPrice(sources, 0.9e18);
        id = feedRung.open(trigger);
    }

    /// @dev What was bought after the onset lost nothing, and what was sold before the reading neither; other code at
    ///      the reading denies nobody.
    function test_lesserHoldingOfBothBlocksCounts() public {
        (uint256 id, uint256 onset, uint256 reading) = _proven();
        assertEq(incidents.incident(id).onset, onset);
        assertEq(incidents.incident(id).reading, reading);
        address[] memory accounts = holdersOf(alice, bob);
        Evidence memory evidence = holdingsOf(onset, reading, accounts);
        feedRung.provePositions(id, accounts, evidence);
        assertEq(incidents.positionLost(id, alice), 4_000e6);
        assertEq(incidents.positionLost(id, bob), 30_000e6);
    }

    /// @dev A keeper that is another contract at the onset keeps other words there.
    function test_otherCodeAtTheOnsetIsUndecided() public {
        setAccount(VAULT, 0, keccak256("another code"));
        (uint256 id, uint256 onset, uint256 reading) = _proven();
        address[] memory accounts = holdersOf(alice);
        Evidence memory evidence = holdingsOf(onset, reading, accounts);
        expectRevert(abi.encodeWithSelector(IProofRung.Undecided.selector, VAULT));
        feedRung.provePositions(id, accounts, evidence);
    }

    function _pinned(uint256 word) private returns (uint256 id, address[] memory accounts, Evidence memory) {
        DepegTerms memory t = depeg();
        (t.claims.pin, t.claims.pinned) = (keccak256("implementation"), bytes32(uint256(7)));
        trigger = enrol(t);
        setWord(VAULT, t.claims.pin, word);
        uint256 onset;
        uint256 reading;
        (id, onset, reading) = _proven();
        accounts = holdersOf(alice);
        return (id, accounts, pinnedOf(vaultSpec(), t.claims.pin, onset, reading, accounts));
    }

    function test_pinnedWordIsProvenAtTheOnset() public {
        (uint256 id, address[] memory accounts, Evidence memory evidence) = _pinned(7);
        feedRung.provePositions(id, accounts, evidence);
        assertEq(incidents.positionLost(id, alice), 4_000e6);
    }

    function test_otherImplementationAtTheOnsetIsUndecided() public {
        (uint256 id, address[] memory accounts, Evidence memory evidence) = _pinned(8);
        expectRevert(abi.encodeWithSelector(IProofRung.Undecided.selector, VAULT));
        feedRung.provePositions(id, accounts, evidence);
    }

    function test_otherBlocksAreRefused() public {
        (uint256 id, uint256 onset, uint256 reading) = _proven();
        address[] memory accounts = holdersOf(alice);
        Evidence memory evidence = holdingsOf(reading, reading, accounts);
        expectRevert(abi.encodeWithSelector(IProofRung.WrongBlock.selector, onset, reading));
        feedRung.provePositions(id, accounts, evidence);
        evidence = holdingsOf(onset, onset, accounts);
        expectRevert(abi.encodeWithSelector(IProofRung.WrongBlock.selector, reading, onset));
        feedRung.provePositions(id, accounts, evidence);
        evidence.headers = new bytes[](1);
        expectRevert(abi.encodeWithSelector(IProofRung.WrongHeaderCount.selector, 2, 2, 1));
        feedRung.provePositions(id, accounts, evidence);
    }

    function test_withoutHoldingsNothingIsProven() public {
        DepegTerms memory t = depeg();
        delete t.claims;
        trigger = enrol(t);
        (uint256 id, uint256 onset, uint256 reading) = _proven();
        address[] memory accounts = holdersOf(alice);
        Evidence memory evidence = holdingsOf(onset, reading, accounts);
        expectRevert(abi.encodeWithSelector(IHoldings.NoHoldings.selector, trigger));
        feedRung.provePositions(id, accounts, evidence);
    }

    function test_reviewLowersProvenPositions() public {
        (uint256 id, uint256 onset, uint256 reading) = _proven();
        address[] memory accounts = holdersOf(alice);
        feedRung.provePositions(id, accounts, holdingsOf(onset, reading, accounts));
        pass(12);
        setPrice(sources, 0.94e18);
        feedRung.review(id);
        assertEq(incidents.positionLost(id, alice), 2_400e6);
    }

    function test_blocksOfTheIncidentAreAnchored() public {
        (, uint256 onset, uint256 reading) = _proven();
        assertEq(history.anchored(onset), keccak256(headerOf(onset)));
        assertEq(history.anchored(reading), keccak256(headerOf(reading)));
    }
}
