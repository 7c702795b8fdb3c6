// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {BandFeed} from "breakwater/feeds/BandFeed.sol";
import {ChainlinkFeed} from "breakwater/feeds/ChainlinkFeed.sol";
import {IBand} from "breakwater/feeds/IPriceSources.sol";
import {PythFeed} from "breakwater/feeds/PythFeed.sol";
import {IFeed} from "breakwater/interfaces/IFeed.sol";
import {Base} from "../Base.sol";
import {Aggregator, Band, Pyth} from "../PriceSources.sol";

/// @notice What each adapter reads, and what of its source it refuses.
contract FeedsTest is Base {
    uint256 private constant NOW = 1_800_000_000;
    bytes32 private constant ID = keccak256("pair");

    function _refuses(IFeed feed, bytes memory reason) private {
        expectRevert(reason);
        feed.read();
    }

    function _reads(IFeed feed, uint256 expected, uint256 time) private view {
        (uint256 price, uint64 updatedAt) = feed.read();
        assertEq(price, expected);
        assertEq(updatedAt, time);
    }

    // ----- Chainlink -----

    function test_chainlinkScalesAnyDecimals() public {
        uint8[5] memory decimals = [0, 8, 18, 20, 36];
        int256[5] memory answers = [int256(3), 99_950_000, 1.5e18, 2.000000000000000000_99e20, 7e36];
        uint256[5] memory expected = [uint256(3e18), 0.9995e18, 1.5e18, 2e18, 7e18];
        for (uint256 i; i < 5; ++i) {
            Aggregator source = new Aggregator(decimals[i]);
            source.set(answers[i], NOW);
            _reads(new ChainlinkFeed(source), expected[i], NOW);
        }
    }

    function test_chainlinkOfTooManyDecimalsIsNotDeployed() public {
        Aggregator source = new Aggregator(37);
        expectRevert(abi.encodeWithSelector(IFeed.BadConfig.selector, 37, 36));
        new ChainlinkFeed(source);
    }

    function test_chainlinkZeroAndNegativeAreRefused() public {
        Aggregator source = new Aggregator(8);
        ChainlinkFeed feed = new ChainlinkFeed(source);
        source.set(0, NOW);
        _refuses(feed, abi.encodeWithSelector(IFeed.NotPositive.selector, int256(0)));
        source.set(-1, NOW);
        _refuses(feed, abi.encodeWithSelector(IFeed.NotPositive.selector, int256(-1)));
    }

    /// @dev Less than one unit of wad would be zero.
    function test_chainlinkAnswerThatRoundsToNothingIsRefused() public {
        Aggregator source = new Aggregator(36);
        source.set(1e18 - 1, NOW);
        ChainlinkFeed feed = new ChainlinkFeed(source);
        _refuses(feed, abi.encodeWithSelector(IFeed.NotPositive.selector, int256(1e18 - 1)));
    }

    function test_chainlinkUnfinishedRoundIsRefused() public {
        Aggregator source = new Aggregator(8);
        ChainlinkFeed feed = new ChainlinkFeed(source);
        source.set(1e8, 0);
        _refuses(feed, abi.encodeWithSelector(IFeed.IncompleteRound.selector, 2, 2, 0));
    }

    function test_chainlinkAnswerOfAnEarlierRoundIsRefused() public {
        Aggregator source = new Aggregator(8);
        ChainlinkFeed feed = new ChainlinkFeed(source);
        source.set(1e8, NOW);
        source.setRound(10, 9);
        _refuses(feed, abi.encodeWithSelector(IFeed.IncompleteRound.selector, 10, 9, NOW));
    }

    function test_chainlinkHugeAnswersAreRefused() public {
        Aggregator source = new Aggregator(8);
        ChainlinkFeed feed = new ChainlinkFeed(source);
        source.set(type(int256).max, NOW);
        uint256 huge = uint256(type(int256).max);
        _refuses(feed, abi.encodeWithSelector(IFeed.PriceTooHigh.selector, huge));
        source.set(int256(uint256(type(uint128).max)), NOW);
        huge = uint256(type(uint128).max) * 1e10;
        _refuses(feed, abi.encodeWithSelector(IFeed.PriceTooHigh.selector, huge));
        source.set(1e8, uint256(type(uint64).max) + 1);
        expectRevert(IFeed.IncompleteRound.selector);
        feed.read();
    }

    // ----- Pyth -----

    function test_pythScalesItsExponent() public {
        Pyth source = new Pyth();
        PythFeed feed = new PythFeed(source, ID, 100);
        source.set(ID, 99_950_000, 999_500, -8, NOW);
        _reads(feed, 0.9995e18, NOW);
        source.set(ID, 42, 0, 0, NOW);
        _reads(feed, 42e18, NOW);
    }

    function test_pythWideConfidenceIsRefused() public {
        Pyth source = new Pyth();
        PythFeed feed = new PythFeed(source, ID, 100);
        source.set(ID, 1e8, 1e6 + 1, -8, NOW);
        _refuses(feed, abi.encodeWithSelector(IFeed.TooUncertain.selector, 101, 100));
    }

    function test_pythZeroAndNegativeAreRefused() public {
        Pyth source = new Pyth();
        PythFeed feed = new PythFeed(source, ID, 100);
        _refuses(feed, abi.encodeWithSelector(IFeed.NotPositive.selector, int256(0)));
        source.set(ID, -5, 0, -8, NOW);
        _refuses(feed, abi.encodeWithSelector(IFeed.NotPositive.selector, int256(-5)));
    }

    function test_pythExponentsThatNoPriceNeedsAreRefused() public {
        Pyth source = new Pyth();
        PythFeed feed = new PythFeed(source, ID, 100);
        int32[3] memory exponents = [int32(1), -37, type(int32).min];
        for (uint256 i; i < 3; ++i) {
            source.set(ID, 1e8, 0, exponents[i], NOW);
            _refuses(feed, abi.encodeWithSelector(PythFeed.BadExponent.selector, int256(exponents[i])));
        }
    }

    function test_pythTimesThatAreNoneAreRefused() public {
        Pyth source = new Pyth();
        PythFeed feed = new PythFeed(source, ID, 100);
        source.set(ID, 1e8, 0, -8, 0);
        _refuses(feed, abi.encodeWithSelector(IFeed.IncompleteRound.selector, 0, 0, 0));
        source.set(ID, 1e8, 0, -8, 1 << 64);
        _refuses(feed, abi.encodeWithSelector(IFeed.IncompleteRound.selector, 0, 0, 1 << 64));
    }

    function test_pythLimitOfConfidenceIsBounded() public {
        Pyth source = new Pyth();
        expectRevert(abi.encodeWithSelector(IFeed.BadConfig.selector, 0, 10_000));
        new PythFeed(source, ID, 0);
        expectRevert(abi.encodeWithSelector(IFeed.BadConfig.selector, 10_001, 10_000));
        new PythFeed(source, ID, 10_001);
    }

    // ----- Band -----

    function _band(uint256 rate, uint256 base, uint256 quote) private returns (BandFeed feed) {
        Band source = new Band();
        source.set("USDX", "USD", IBand.ReferenceData(rate, base, quote));
        return new BandFeed(source, "USDX", "USD");
    }

    function test_bandIsAsOldAsItsOlderSide() public {
        _reads(_band(0.97e18, NOW - 7, NOW), 0.97e18, NOW - 7);
        _reads(_band(0.97e18, NOW, NOW - 9), 0.97e18, NOW - 9);
    }

    function test_bandRefusesNoRateNoTimeAndTooMuch() public {
        _refuses(_band(0, NOW, NOW), abi.encodeWithSelector(IFeed.NotPositive.selector, int256(0)));
        _refuses(_band(1e18, 0, NOW), abi.encodeWithSelector(IFeed.IncompleteRound.selector, 0, 0, 0));
        _refuses(_band(1 << 128, NOW, NOW), abi.encodeWithSelector(IFeed.PriceTooHigh.selector, 1 << 128));
        _refuses(
            _band(1e18, 1 << 64, type(uint256).max),
            abi.encodeWithSelector(IFeed.IncompleteRound.selector, 0, 0, 1 << 64)
        );
    }
}
