// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {BandFeed} from "breakwater/feeds/BandFeed.sol";
import {ChainlinkFeed} from "breakwater/feeds/ChainlinkFeed.sol";
import {IBand} from "breakwater/feeds/IPriceSources.sol";
import {PythFeed} from "breakwater/feeds/PythFeed.sol";
import {IFeed, Sources} from "breakwater/interfaces/IFeed.sol";
import {DepegTerms} from "breakwater/interfaces/IFeedRung.sol";
import {Rung} from "breakwater/interfaces/IIncidents.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {Aggregator, Band, Pyth} from "../PriceSources.sol";
import {TriggerFixture} from "../TriggerFixture.sol";

/// @notice What a look costs through real adapters: one each of Chainlink, Pyth and Band, and nine.
contract FeedGasTest is TriggerFixture {
    bytes32 private constant ID = keccak256("pair");
    Aggregator private chainlink;
    Pyth private pyth;
    Band private band;

    function _feed(uint256 i) private returns (address) {
        if (i % 3 == 0) return address(new ChainlinkFeed(chainlink));
        if (i % 3 == 1) return address(new PythFeed(pyth, ID, 100));
        return address(new BandFeed(band, "USDX", "USD"));
    }

    function _enrol(uint256 count) private returns (bytes32 trigger) {
        (chainlink, pyth, band) = (new Aggregator(8), new Pyth(), new Band());
        DepegTerms memory t;
        IFeed[] memory list_ = new IFeed[](count);
        for (uint256 i; i < count; ++i) {
            address feed = _feed(i);
            uint256 k = i;
            for (; k != 0 && address(list_[k - 1]) > feed; --k) {
                list_[k] = list_[k - 1];
            }
            list_[k] = IFeed(feed);
        }
        t.sources = Sources(list_, 1 hours, 0, address(0));
        (t.strike, t.par, t.base) = (0.95e18, 1e18, 1_000_000e6);
        (t.period, t.maxGap, t.claims) = (2 hours, 1 hours, vaultClaims());
        Trigger memory listed = triggerOf(Rung.Feed, t.claims, abi.encode(bytes32("breakwater.depeg/1"), t));
        trigger = catalog.listTrigger(listed);
        feedRung.enrol(listed);
    }

    function _set(uint64 cents) private {
        chainlink.set(int256(uint256(cents) * 1e6), block.timestamp);
        pyth.set(ID, int64(cents), 0, -2, block.timestamp);
        band.set("USDX", "USD", IBand.ReferenceData(uint256(cents) * 1e16, block.timestamp, block.timestamp));
    }

    function _poke(bytes32 trigger, uint64 cents, string memory name) private {
        _set(cents);
        vm.cool(address(feedRung));
        feedRung.poke(trigger);
        vm.snapshotGasLastCall("FeedRung", name);
        pass(1 hours);
    }

    function test_gasOfThreeAdapters() public {
        bytes32 trigger = _enrol(3);
        _poke(trigger, 100, "poke: three feeds, first and healthy");
        _poke(trigger, 90, "poke: three feeds, a run begins");
        _poke(trigger, 90, "poke: three feeds, a run goes on");
        _poke(trigger, 90, "poke: three feeds, a run still goes on");
        assertEq(feedRung.run(trigger).elapsed, 2 hours);
        _set(90);
        feedRung.open(trigger);
        vm.snapshotGasLastCall("FeedRung", "open: three feeds, no pool");
        assertEq(incidents.incident(1).loss, 100_000e6);
    }

    function test_gasOfNineAdapters() public {
        bytes32 trigger = _enrol(9);
        _poke(trigger, 100, "poke: nine feeds, first and healthy");
        _poke(trigger, 100, "poke: nine feeds, healthy again");
        assertTrue(feedRung.run(trigger).live);
    }
}
