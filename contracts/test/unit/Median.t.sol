// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Median} from "breakwater/feeds/Median.sol";
import {IFeed, Sources} from "breakwater/interfaces/IFeed.sol";
import {Base} from "../Base.sol";
import {Aggregator, Malice, TellingFeed} from "../PriceSources.sol";

/// @notice The median, whatever some of its sources do.
contract MedianTest is Base {
    uint256 private constant NOW = 1_800_000_000;
    uint32 private constant MAX_AGE = 1 hours;
    uint32 private constant GRACE = 30 minutes;
    TellingFeed[] private _feeds;
    Aggregator private _sequencer;

    function setUp() public {
        vm.warp(NOW);
        for (uint256 i; i < 9; ++i) {
            TellingFeed feed = new TellingFeed();
            feed.set((i + 1) * 1e18, NOW - i);
            uint256 k = _feeds.length;
            _feeds.push(feed);
            for (; k != 0 && address(_feeds[k - 1]) > address(feed); --k) {
                _feeds[k] = _feeds[k - 1];
            }
            _feeds[k] = feed;
        }
        // Ascending by address; prices then are given anew in that order.
        for (uint256 i; i < 9; ++i) {
            _feeds[i].set((i + 1) * 1e18, NOW - i);
        }
        _sequencer = new Aggregator(0);
        _sequencer.set(0, NOW - 1 days);
    }

    function _sources(uint256 count) private view returns (Sources memory sources) {
        sources.feeds = new IFeed[](count);
        for (uint256 i; i < count; ++i) {
            sources.feeds[i] = _feeds[i];
        }
        (sources.maxAge, sources.grace) = (MAX_AGE, GRACE);
    }

    function read(Sources memory sources) external view returns (Median.Answer memory) {
        return Median.read(sources, block.timestamp);
    }

    function check(Sources memory sources) external pure {
        Median.check(sources);
    }

    function _answers(Sources memory sources, uint256 low, uint256 high) private view {
        Median.Answer memory answer = this.read(sources);
        assertTrue(answer.ok);
        assertEq(answer.low, low);
        assertEq(answer.high, high);
    }

    function _isDead(Sources memory sources) private view {
        Median.Answer memory answer = this.read(sources);
        assertFalse(answer.ok);
        assertEq(answer.low, 0);
        assertEq(answer.high, 0);
        assertEq(answer.oldest, 0);
    }

    /// @dev The middle feed of three: without it two are left, and of five the middle two of four.
    function _dropsTheSecond() private view {
        _isDead(_sources(3));
        _answers(_sources(5), 3e18, 4e18);
    }

    function test_middleOfAnOddNumber() public view {
        _answers(_sources(3), 2e18, 2e18);
        _answers(_sources(9), 5e18, 5e18);
        assertEq(this.read(_sources(9)).oldest, NOW - 8);
    }

    function test_bothMiddlesOfAnEvenNumber() public view {
        _answers(_sources(4), 2e18, 3e18);
    }

    function test_orderOfTheFeedsMakesNoDifference() public {
        _feeds[0].set(5e18, NOW);
        _feeds[1].set(1e18, NOW);
        _feeds[2].set(4e18, NOW);
        _feeds[3].set(2e18, NOW);
        _feeds[4].set(3e18, NOW);
        _answers(_sources(5), 3e18, 3e18);
    }

    function test_revertingFeedIsDropped() public {
        _feeds[1].misbehave(Malice.Revert);
        _dropsTheSecond();
    }

    function test_feedThatRevertsWithHugeDataIsDropped() public {
        _feeds[1].misbehave(Malice.RevertHuge);
        _dropsTheSecond();
    }

    function test_feedThatBurnsAllGasIsDropped() public {
        _feeds[1].misbehave(Malice.BurnGas);
        _dropsTheSecond();
        uint256 before = gasleft();
        this.read(_sources(5));
        assertLt(before - gasleft(), Median.FEED_GAS + 100_000);
    }

    /// @dev It answers two good words and much more; the words count and the rest costs nothing.
    function test_feedWithHugeDataIsReadAndNotCopied() public {
        _feeds[1].misbehave(Malice.HugeData);
        _answers(_sources(3), 2e18, 2e18);
    }

    function test_feedWithTooLittleDataIsDropped() public {
        _feeds[1].misbehave(Malice.NoData);
        _dropsTheSecond();
        _feeds[1].misbehave(Malice.OneWord);
        _dropsTheSecond();
    }

    function test_zeroIsDropped() public {
        _feeds[1].set(0, NOW);
        _dropsTheSecond();
    }

    function test_hugePriceIsDropped() public {
        _feeds[1].misbehave(Malice.HugePrice);
        _dropsTheSecond();
    }

    function test_staleIsDropped() public {
        _feeds[1].set(2e18, NOW - MAX_AGE);
        _answers(_sources(3), 2e18, 2e18);
        _feeds[1].set(2e18, NOW - MAX_AGE - 1);
        _dropsTheSecond();
    }

    function test_futureIsDropped() public {
        _feeds[1].set(2e18, NOW + 1);
        _dropsTheSecond();
        _feeds[1].set(2e18, NOW);
        _feeds[1].misbehave(Malice.HugeTime);
        _dropsTheSecond();
    }

    function test_addressWithoutCodeIsDropped() public view {
        Sources memory sources = _sources(5);
        sources.feeds[1] = IFeed(address(0xdead));
        _answers(sources, 3e18, 4e18);
    }

    function test_allDeadIsNoAnswer() public {
        for (uint256 i; i < 9; ++i) {
            _feeds[i].misbehave(Malice(1 + i % 3));
        }
        _isDead(_sources(9));
    }

    /// @dev Whoever asks with too little gas could else choose which feeds seem dead.
    function test_tooLittleGasIsRefused() public {
        Sources memory sources = _sources(5);
        for (uint256 gas_ = 120_000; gas_ < 500_000; gas_ += 20_000) {
            try this.read{gas: gas_}(sources) returns (Median.Answer memory answer) {
                assertTrue(answer.ok);
                assertEq(answer.low, 3e18);
            } catch (bytes memory reason) {
                assertTrue(reason.length == 0 || bytes4(reason) == Median.NotEnoughGas.selector);
            }
        }
        expectRevert(Median.NotEnoughGas.selector);
        this.read{gas: 250_000}(sources);
    }

    function test_sequencerThatIsDownIsDead() public {
        Sources memory sources = _sources(3);
        sources.sequencer = address(_sequencer);
        _answers(sources, 2e18, 2e18);
        _sequencer.set(1, NOW - 1 days);
        _isDead(sources);
    }

    function test_sequencerHasItsGrace() public {
        Sources memory sources = _sources(3);
        sources.sequencer = address(_sequencer);
        _sequencer.set(0, NOW - GRACE + 1);
        _isDead(sources);
        assertEq(this.read(sources).upSince, NOW - GRACE + 1);
        _sequencer.set(0, NOW - GRACE);
        _answers(sources, 2e18, 2e18);
        assertEq(this.read(sources).upSince, NOW - GRACE);
    }

    function test_sequencerThatSaysNothingSensibleIsDead() public {
        Sources memory sources = _sources(3);
        sources.sequencer = address(_sequencer);
        _sequencer.set(0, 0);
        _isDead(sources);
        _sequencer.set(0, NOW + 1);
        _isDead(sources);
        _sequencer.set(2, NOW - 1 days);
        _isDead(sources);
        sources.sequencer = address(_feeds[8]);
        _isDead(sources);
        sources.sequencer = address(0xdead);
        _isDead(sources);
    }

    function test_sourcesAreChecked() public {
        _refused(_sources(2), "feeds", 2);
        Sources memory sources = _sources(3);
        sources.feeds = new IFeed[](10);
        _refused(sources, "feeds", 10);
        sources = _sources(3);
        sources.feeds[2] = sources.feeds[1];
        _refused(sources, "feed", uint160(address(sources.feeds[1])));
        sources = _sources(3);
        sources.feeds[0] = IFeed(address(0));
        _refused(sources, "feed", 0);
        sources = _sources(9);
        sources.maxAge = 0;
        _refused(sources, "maxAge", 0);
        this.check(_sources(9));
    }

    function _refused(Sources memory sources, bytes32 field, uint256 got) private {
        expectRevert(abi.encodeWithSelector(Median.BadSources.selector, field, got));
        this.check(sources);
    }

    /// forge-config: default.fuzz.runs = 64
    function test_medianLiesAmongTheGoodOnes(uint256[9] memory prices, uint8 bad) public {
        uint256 lowest = type(uint256).max;
        uint256 highest;
        uint256 wild = bad % 5;
        for (uint256 i; i < 9; ++i) {
            // Fewer liars than half of nine cannot move the median out of what the others say.
            uint256 price =
                i < wild ? bound(prices[i], 1, type(uint128).max) : bound(prices[i], 0.9e18, 1.1e18);
            _feeds[i].set(price, NOW);
            if (i < wild) continue;
            if (price < lowest) lowest = price;
            if (price > highest) highest = price;
        }
        Median.Answer memory answer = this.read(_sources(9));
        assertTrue(answer.ok);
        assertGe(answer.low, lowest);
        assertLe(answer.high, highest);
    }
}
