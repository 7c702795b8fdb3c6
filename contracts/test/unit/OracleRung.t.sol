// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Kind} from "breakwater/interfaces/ICatalog.sol";
import {Sources} from "breakwater/interfaces/IFeed.sol";
import {IHoldings} from "breakwater/interfaces/IHoldings.sol";
import {Incident, Rung} from "breakwater/interfaces/IIncidents.sol";
import {IOracleRung, OracleTerms} from "breakwater/interfaces/IOracleRung.sol";
import {Evidence, IProofRung} from "breakwater/interfaces/IProofRung.sol";
import {IRunRung, Run} from "breakwater/interfaces/IRunRung.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {Receipts} from "breakwater/libraries/Receipts.sol";
import {Rlp} from "breakwater/libraries/Rlp.sol";
import {Malice, TellingFeed} from "../PriceSources.sol";
import {ReceiptTries} from "../ReceiptTries.sol";
import {TriggerFixture} from "../TriggerFixture.sol";

/// @notice A feed that is off its references, and the liquidations that are proven of it. The log has the shape of
///         Aave's LiquidationCall: topics event, collateral, debt, borrower; data repaid, seized, liquidator, flag.
contract OracleRungTest is TriggerFixture {
    uint32 private constant PERIOD = 1 hours;
    uint32 private constant GAP = 30 minutes;
    uint128 private constant BASE = 1_000_000e6;
    address private constant LENDER = address(0x1e4de2);
    bytes32 private constant EVENT = keccak256("LiquidationCall");
    bytes32 private constant COLLATERAL = bytes32(uint256(0xc0));

    Sources private sources;
    TellingFeed private watched;
    bytes32 private trigger;

    uint256 private onset;
    uint256 private reading;
    bytes[] private receipt;

    function setUp() public override {
        super.setUp();
        openVault();
        sources = makeFeeds(3);
        watched = new TellingFeed();
        trigger = _enrol(_terms());
    }

    function _terms() private view returns (OracleTerms memory t) {
        (t.watched, t.references) = (watched, sources);
        (t.tolerance, t.period, t.maxGap) = (0.05e18, PERIOD, GAP);
        (t.base, t.debtUnit, t.claims) = (BASE, 1e18, vaultClaims());
        t.log.emitter = LENDER;
        (t.log.topics[0], t.log.topics[1]) = (EVENT, COLLATERAL);
        (t.log.topicCount, t.log.borrower, t.log.seized, t.log.repaid) = (4, 3, 1, 0);
        (t.log.unitNum, t.log.unitDen) = (1, 1e12);
    }

    function _listed(OracleTerms memory t) private view returns (Trigger memory) {
        return triggerOf(Rung.Feed, t.claims, abi.encode(bytes32("breakwater.oracle/1"), t));
    }

    function _enrol(OracleTerms memory t) private returns (bytes32 id) {
        id = catalog.listTrigger(_listed(t));
        oracleRung.enrol(_listed(t));
    }

    function _see(uint256 price, uint256 median) private {
        setPrice(sources, median);
        watched.set(price, block.timestamp - 5 days);
        oracleRung.poke(trigger);
    }

    function _stay(uint256 price, uint256 median, uint256 time) private {
        for (uint256 i; i < time; i += GAP / 2) {
            pass(GAP / 2);
            _see(price, median);
        }
    }

    function _run() private view returns (Run memory) {
        return oracleRung.run(trigger);
    }

    // ----- logs -----

    function _topics(address borrower) private pure returns (bytes32[] memory topics) {
        topics = new bytes32[](4);
        (topics[0], topics[1], topics[2]) = (EVENT, COLLATERAL, bytes32(uint256(0xde)));
        topics[3] = bytes32(uint256(uint160(borrower)));
    }

    function _liquidation(address borrower, uint256 repaid, uint256 seized)
        private
        pure
        returns (bytes memory)
    {
        return ReceiptTries.log(LENDER, _topics(borrower), abi.encode(repaid, seized, address(7), false));
    }

    function _receipt(uint8 kind, bytes memory log_) private pure returns (bytes memory) {
        bytes[] memory logs = new bytes[](3);
        logs[0] = ReceiptTries.log(address(1), new bytes32[](0), "");
        logs[1] = log_;
        logs[2] = ReceiptTries.log(address(2), new bytes32[](1), hex"1234");
        return ReceiptTries.receipt(kind, logs);
    }

    /// @dev Right, then wrong, then a liquidation as log 1 of transaction 1, then long enough.
    function _wrong(bytes memory log_) private returns (uint256 id) {
        onset = seal();
        _see(2000e18, 2000e18);
        pass(60);
        _see(1500e18, 2000e18);
        (bytes32 root, bytes[] memory nodes) = ReceiptTries.pair(_receipt(0, log_), _receipt(2, log_), true);
        (receiptsRoot, receipt) = (root, nodes);
        reading = seal();
        _stay(1500e18, 2000e18, PERIOD);
        return oracleRung.open(trigger);
    }

    function _wrong() private returns (uint256) {
        return _wrong(_liquidation(alice, 60_000e6, 42e18));
    }

    function _evidence(address borrower) private view returns (Evidence memory) {
        return logOf(vaultSpec(), onset, reading, receipt, borrower);
    }

    function _refused(uint256 id, bytes memory reason) private {
        Evidence memory evidence = _evidence(alice);
        expectRevert(reason);
        oracleRung.proveLog(id, 1, 1, evidence);
    }

    // ----- runs -----

    function test_opensWhenTheFeedWasWrongForLongEnough() public {
        _see(2000e18, 2000e18);
        (uint256 block_, uint256 time) = (block.number - 1, block.timestamp);
        pass(60);
        _see(1500e18, 2000e18);
        _stay(1500e18, 2000e18, PERIOD - GAP / 2);
        expectRevert(abi.encodeWithSelector(IRunRung.RunTooShort.selector, trigger, PERIOD - GAP / 2, PERIOD));
        oracleRung.open(trigger);
        _stay(1500e18, 2000e18, GAP / 2);
        uint256 id = oracleRung.open(trigger);
        Incident memory incident = incidents.incident(id);
        assertEq(incident.onset, block_);
        assertEq(incident.onsetTime, time);
        assertEq(incident.afterTime, time + 60);
        assertEq(incident.loss, BASE);
        assertEq(incident.base, BASE);
        expectRevert(abi.encodeWithSelector(IRunRung.AlreadyOpened.selector, trigger, id));
        oracleRung.open(trigger);
    }

    function test_withinTheToleranceIsRight() public {
        uint256[4] memory prices = [uint256(1900e18), 2100e18, 1900e18 - 1, 2100e18 + 1];
        for (uint256 i; i < 4; ++i) {
            _see(2000e18, 2000e18);
            pass(60);
            _see(prices[i], 2000e18);
            assertEq(_run().since != 0, i > 1);
        }
    }

    function test_rightForAMomentEndsTheRun() public {
        _see(2000e18, 2000e18);
        pass(60);
        _see(1500e18, 2000e18);
        _stay(1500e18, 2000e18, GAP);
        _stay(2000e18, 2000e18, GAP / 2);
        assertEq(_run().elapsed, 0);
        assertEq(_run().onset, block.number - 1);
    }

    function test_deadFeedsPause() public {
        _see(2000e18, 2000e18);
        pass(60);
        _see(1500e18, 2000e18);
        _stay(1500e18, 2000e18, GAP);
        watched.misbehave(Malice.BurnGas);
        pass(60);
        oracleRung.poke(trigger);
        assertFalse(_run().live);
        pass(3 days);
        _see(1500e18, 2000e18);
        feeds[0].misbehave(Malice.Revert);
        pass(60);
        oracleRung.poke(trigger);
        assertFalse(_run().live);
        pass(3 days);
        _see(1500e18, 2000e18);
        assertEq(_run().elapsed, GAP);
        _stay(1500e18, 2000e18, PERIOD - GAP);
        uint256 id = oracleRung.open(trigger);
        assertEq(incidents.incident(id).openedTime, block.timestamp - 6 days - 120);
    }

    // ----- one function -----

    /// @dev The loss is in what one function of the covered contract logs.
    function test_logsOfOneFunctionAreCovered() public {
        Trigger memory listed = _listed(_terms());
        bytes4 selector = bytes4(keccak256("liquidationCall(address,address,address,uint256,bool)"));
        (listed.subject, listed.selector) = (LENDER, selector);
        trigger = catalog.listTrigger(listed);
        oracleRung.enrol(listed);
        listProduct(productOn(trigger, Kind.Oracle));
        assertEq(catalog.gaugeInfo(trigger).account, LENDER);
        assertEq(catalog.gaugeInfo(trigger).selector, selector);
        uint256 id = _wrong();
        oracleRung.proveLog(id, 1, 1, _evidence(alice));
        assertEq(incidents.positionLost(id, alice), 24_000e6);

        listed.subject = VAULT;
        catalog.listTrigger(listed);
        expectRevert(
            abi.encodeWithSelector(IHoldings.TermOutOfRange.selector, bytes32("emitter"), uint160(LENDER))
        );
        oracleRung.enrol(listed);
    }

    // ----- proofs -----

    /// @dev 42 at 2,000 are worth 84,000, of which 60,000 were owed.
    function test_liquidationIsPaidAtTheReference() public {
        uint256 id = _wrong();
        oracleRung.proveLog(id, 1, 1, _evidence(alice));
        assertEq(incidents.positionLost(id, alice), 24_000e6);
    }

    function test_lowestReferenceOfTheRunCounts() public {
        _see(2000e18, 2000e18);
        onset = seal();
        _see(2000e18, 2000e18);
        pass(60);
        _see(1500e18, 2000e18);
        pass(60);
        _see(1500e18, 1900e18);
        (receiptsRoot, receipt) =
            ReceiptTries.single(hex"80", _receipt(0, _liquidation(alice, 60_000e6, 42e18)));
        reading = seal();
        _stay(1500e18, 2000e18, PERIOD);
        uint256 id = oracleRung.open(trigger);
        oracleRung.proveLog(id, 0, 1, _evidence(alice));
        assertEq(incidents.positionLost(id, alice), 42 * 1900e6 - 60_000e6);
    }

    function test_oneLogPaysOnce() public {
        uint256 id = _wrong();
        Evidence memory evidence = _evidence(alice);
        oracleRung.proveLog(id, 1, 1, evidence);
        _refused(id, abi.encodeWithSelector(IOracleRung.AlreadyProven.selector, reading, 1, 1));
    }

    function test_logsOfOneBorrowerAdd() public {
        bytes memory log_ = _liquidation(alice, 30_000e6, 21e18);
        bytes[] memory logs = new bytes[](2);
        (logs[0], logs[1]) = (log_, log_);
        onset = seal();
        _see(2000e18, 2000e18);
        pass(60);
        _see(1500e18, 2000e18);
        (receiptsRoot, receipt) = ReceiptTries.single(hex"81c8", ReceiptTries.receipt(1, logs));
        reading = seal();
        _stay(1500e18, 2000e18, PERIOD);
        uint256 id = oracleRung.open(trigger);
        oracleRung.proveLog(id, 200, 0, _evidence(alice));
        assertEq(incidents.positionLost(id, alice), 12_000e6);
        oracleRung.proveLog(id, 200, 1, _evidence(alice));
        assertEq(incidents.positionLost(id, alice), 24_000e6);
        Evidence memory evidence = _evidence(alice);
        expectRevert(Rlp.Overrun.selector);
        oracleRung.proveLog(id, 200, 2, evidence);
    }

    /// @dev Debt that was made to be liquidated: half of what was repaid was owed when the feed was right.
    function test_debtMadeAfterTheOnsetCountsForNothing() public {
        setShares(alice, 30_000e6);
        uint256 id = _wrong();
        oracleRung.proveLog(id, 1, 1, _evidence(alice));
        assertEq(incidents.positionLost(id, alice), 12_000e6);
    }

    function test_withoutDebtAtTheOnsetNothingIsProven() public {
        setShares(alice, 0);
        uint256 id = _wrong();
        _refused(id, abi.encodeWithSelector(IOracleRung.NoDebt.selector, alice));
    }

    function test_liquidationThatTookLessThanWasOwedLosesNothing() public {
        uint256 id = _wrong(_liquidation(alice, 90_000e6, 42e18));
        oracleRung.proveLog(id, 1, 1, _evidence(alice));
        assertEq(incidents.positionLost(id, alice), 0);
    }

    function test_hugeWordsAreBounded() public {
        uint256 id = _wrong(_liquidation(alice, 1, type(uint256).max));
        oracleRung.proveLog(id, 1, 1, _evidence(alice));
        assertEq(incidents.positionLost(id, alice), BASE);
    }

    function test_logsMustBeThoseOfTheTerms() public {
        bytes memory data = abi.encode(60_000e6, 42e18, address(7), false);
        uint256 id = _wrong(ReceiptTries.log(address(0xbad), _topics(alice), data));
        _refused(id, abi.encodeWithSelector(IOracleRung.WrongEmitter.selector, LENDER, address(0xbad)));
    }

    function test_topicsMustBeThoseOfTheTerms() public {
        bytes memory data = abi.encode(60_000e6, 42e18, address(7), false);
        bytes32[] memory topics = _topics(alice);
        topics[1] = bytes32(uint256(0xbad));
        uint256 id = _wrong(ReceiptTries.log(LENDER, topics, data));
        _refused(
            id,
            abi.encodeWithSelector(IOracleRung.WrongTopic.selector, 1, COLLATERAL, bytes32(uint256(0xbad)))
        );
    }

    function test_numberOfTopicsMustBeThatOfTheTerms() public {
        bytes32[] memory topics = new bytes32[](3);
        (topics[0], topics[1]) = (EVENT, COLLATERAL);
        uint256 id = _wrong(ReceiptTries.log(LENDER, topics, abi.encode(60_000e6, 42e18)));
        _refused(id, abi.encodeWithSelector(IOracleRung.WrongTopicCount.selector, 4, 3));
    }

    function test_missingWordsAreRefused() public {
        uint256 id = _wrong(ReceiptTries.log(LENDER, _topics(alice), abi.encode(60_000e6)));
        _refused(id, abi.encodeWithSelector(Receipts.NoSuchWord.selector, 1, 32));
    }

    function test_logsOutsideTheRunAreRefused() public {
        uint256 id = _wrong();
        uint256 until = block.number - 1;
        pass(60);
        _see(2000e18, 2000e18);
        receiptsRoot = keccak256("later");
        reading = seal();
        _refused(id, abi.encodeWithSelector(IOracleRung.OutsideRun.selector, reading, onset + 1, until));
        reading = onset;
        _refused(id, abi.encodeWithSelector(IOracleRung.OutsideRun.selector, onset, onset + 1, until));
    }

    /// @dev While the same run goes on, its liquidations count also after the opening.
    function test_lookThatIsStillWrongExtendsTheRun() public {
        uint256 id = _wrong();
        pass(60);
        (receiptsRoot, receipt) =
            ReceiptTries.single(hex"01", _receipt(3, _liquidation(alice, 60_000e6, 42e18)));
        reading = seal();
        bytes memory outside = abi.encodeWithSelector(
            IOracleRung.OutsideRun.selector, reading, onset + 1, incidents.incident(id).reading
        );
        _refused(id, outside);
        _see(1500e18, 2000e18);
        oracleRung.proveLog(id, 1, 1, _evidence(alice));
        assertEq(incidents.positionLost(id, alice), 24_000e6);
    }

    function test_runThatBeganAnewExtendsNothing() public {
        uint256 id = _wrong();
        pass(GAP + 1);
        _see(1500e18, 2000e18);
        reading = seal();
        _see(1500e18, 2000e18);
        expectRevert(IOracleRung.OutsideRun.selector);
        this.proves(id, _evidence(alice));
    }

    function proves(uint256 id, Evidence calldata evidence) external {
        oracleRung.proveLog(id, 1, 1, evidence);
    }

    /// @dev Nobody looked for long before the first wrong look: what was liquidated then may have been right.
    function test_logLongBeforeTheFirstWrongLookIsRefused() public {
        onset = seal();
        _see(2000e18, 2000e18);
        (receiptsRoot, receipt) =
            ReceiptTries.single(hex"01", _receipt(0, _liquidation(alice, 60_000e6, 42e18)));
        uint256 time = block.timestamp;
        reading = seal();
        pass(GAP);
        _see(1500e18, 2000e18);
        _stay(1500e18, 2000e18, PERIOD);
        uint256 id = oracleRung.open(trigger);
        _refused(id, abi.encodeWithSelector(IOracleRung.LogTooEarly.selector, time, time + 12));
    }

    function test_anotherReceiptIsNotFound() public {
        uint256 id = _wrong();
        Evidence memory evidence = _evidence(alice);
        expectRevert(abi.encodeWithSelector(Receipts.NoReceipt.selector, 2));
        oracleRung.proveLog(id, 2, 1, evidence);
        expectRevert(abi.encodeWithSelector(Receipts.NoReceipt.selector, 1 << 24));
        oracleRung.proveLog(id, 1 << 24, 1, evidence);
        expectRevert(abi.encodeWithSelector(IProofRung.WrongHeaderCount.selector, 2, 2, 0));
        evidence.headers = new bytes[](0);
        oracleRung.proveLog(id, 1, 1, evidence);
    }

    function test_debtsAreNoHoldings() public {
        uint256 id = _wrong();
        address[] memory accounts = holdersOf(alice);
        Evidence memory evidence = holdingsOf(onset, reading, accounts);
        expectRevert(abi.encodeWithSelector(IHoldings.NoHoldings.selector, trigger));
        oracleRung.provePositions(id, accounts, evidence);
    }

    /// @dev Every length of the key of a receipt.
    function test_keysOfReceipts() public pure {
        uint256[7] memory indices = [uint256(0), 1, 127, 128, 255, 256, 65_536];
        bytes32[7] memory keys =
            [bytes32(hex"80"), hex"01", hex"7f", hex"8180", hex"81ff", hex"820100", hex"83010000"];
        uint256[7] memory nibbles = [uint256(2), 2, 2, 4, 4, 6, 8];
        for (uint256 i; i < 7; ++i) {
            (bytes32 key, uint256 count) = Receipts.keyOf(indices[i]);
            assertEq(key, keys[i]);
            assertEq(count, nibbles[i]);
        }
    }

    // ----- sale and terms -----

    function test_soldWhileTheFeedIsNearItsReferences() public {
        setPrice(sources, 2000e18);
        watched.set(1950e18, block.timestamp);
        assertTrue(oracleRung.sellable(trigger));
        watched.set(1950e18 - 1, block.timestamp);
        assertFalse(oracleRung.sellable(trigger));
        watched.misbehave(Malice.Revert);
        assertFalse(oracleRung.sellable(trigger));
        watched.set(2000e18, block.timestamp);
        feeds[0].misbehave(Malice.Revert);
        assertFalse(oracleRung.sellable(trigger));
        assertFalse(oracleRung.sellable(keccak256("unknown")));
    }

    function _refusedTerms(OracleTerms memory t, bytes32 field, uint256 got) private {
        catalog.listTrigger(_listed(t));
        expectRevert(abi.encodeWithSelector(IHoldings.TermOutOfRange.selector, field, got));
        oracleRung.enrol(_listed(t));
    }

    function test_termsAreChecked() public {
        OracleTerms memory t = _terms();
        t.tolerance = 0;
        _refusedTerms(t, "tolerance", 0);
        t = _terms();
        t.period = GAP - 1;
        _refusedTerms(t, "period", GAP - 1);
        t = _terms();
        t.debtUnit = 0;
        _refusedTerms(t, "debtUnit", 0);
        t = _terms();
        t.log.topicCount = 5;
        _refusedTerms(t, "topicCount", 5);
        t = _terms();
        t.log.borrower = 4;
        _refusedTerms(t, "borrower", 4);
        t = _terms();
        t.log.topics[0] = 0;
        _refusedTerms(t, "topic", 0);
        t = _terms();
        t.log.unitDen = 0;
        _refusedTerms(t, "unitDen", 0);
        t = _terms();
        t.claims.holding.width = 0;
        _refusedTerms(t, "holding.width", 0);
    }
}
