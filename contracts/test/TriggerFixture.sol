// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {IFeed, Sources} from "breakwater/interfaces/IFeed.sol";
import {PinnedAccount} from "breakwater/interfaces/IGauges.sol";
import {Claims} from "breakwater/interfaces/IHoldings.sol";
import {Rung} from "breakwater/interfaces/IIncidents.sol";
import {Evidence} from "breakwater/interfaces/IProofRung.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {CanaryRung} from "breakwater/triggers/CanaryRung.sol";
import {FeedRung} from "breakwater/triggers/FeedRung.sol";
import {OracleRung} from "breakwater/triggers/OracleRung.sol";
import {SeriesRung} from "breakwater/triggers/SeriesRung.sol";
import {Fixture} from "./Fixture.sol";
import {TellingFeed} from "./PriceSources.sol";

/// @notice The settlement layer with the rungs on triggers wired to it, and feeds that say what they are told to.
abstract contract TriggerFixture is Fixture {
    FeedRung internal feedRung;
    SeriesRung internal seriesRung;
    CanaryRung internal canaryRung;
    OracleRung internal oracleRung;
    TellingFeed[] internal feeds;

    function wire(address rungContract) internal virtual override {
        feedRung = new FeedRung(history, catalog, incidents);
        seriesRung = new SeriesRung(history, catalog, incidents);
        canaryRung = new CanaryRung(history, catalog, incidents);
        oracleRung = new OracleRung(history, catalog, incidents);
        address[] memory contracts = new address[](5);
        Rung[] memory rungs = new Rung[](5);
        (contracts[0], contracts[1]) = (rungContract, address(seriesRung));
        (contracts[2], contracts[3]) = (address(feedRung), address(canaryRung));
        (contracts[4], rungs[4]) = (address(oracleRung), Rung.Feed);
        (rungs[1], rungs[2], rungs[3]) = (Rung.Feed, Rung.Feed, Rung.Canary);
        incidents.wire(address(policies), contracts, rungs);
    }

    // ----- feeds -----

    /// @dev New feeds, ascending by address, behind those that are there.
    function makeFeeds(uint256 count) internal returns (Sources memory sources) {
        sources.feeds = new IFeed[](count);
        for (uint256 i; i < count; ++i) {
            address feed = address(new TellingFeed());
            uint256 k = i;
            for (; k != 0 && address(sources.feeds[k - 1]) > feed; --k) {
                sources.feeds[k] = sources.feeds[k - 1];
            }
            sources.feeds[k] = IFeed(feed);
        }
        for (uint256 i; i < count; ++i) {
            feeds.push(TellingFeed(address(sources.feeds[i])));
        }
        (sources.maxAge, sources.grace) = (1 hours, 30 minutes);
    }

    function setPrice(Sources memory sources, uint256 price) internal {
        for (uint256 i; i < sources.feeds.length; ++i) {
            TellingFeed(address(sources.feeds[i])).set(price, block.timestamp);
        }
    }

    function pass(uint256 time) internal {
        vm.warp(block.timestamp + time);
        vm.roll(block.number + 1);
    }

    // ----- triggers -----

    /// @dev The shares of the vault are the holdings.
    function vaultClaims() internal view returns (Claims memory claims) {
        claims.keeper = PinnedAccount(VAULT, CODE);
        claims.holding = vaultSpec().holding;
    }

    function subjectOf(Claims memory c) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                block.chainid,
                c.keeper.account,
                c.holding.vyper,
                c.holding.nested,
                c.holding.base,
                c.holding.innerKey,
                c.holding.word
            )
        );
    }

    function triggerOf(Rung rung_, Claims memory claims, bytes memory terms)
        internal
        view
        returns (Trigger memory)
    {
        return Trigger({
            chainId: block.chainid,
            rungs: uint8(1 << uint8(rung_)),
            asset: address(usd),
            subject: VAULT,
            selector: 0,
            claims: claims.holding.width == 0 ? bytes32(0) : subjectOf(claims),
            threshold: 0.02e18,
            terms: terms
        });
    }

    function productOn(bytes32 trigger, Kind kind) internal view returns (Product memory terms) {
        terms = termsFor(trigger);
        terms.kind = kind;
        if (kind == Kind.Liquidity) terms.lossCapBps = 2000;
        if (kind == Kind.Upgrade) terms.lossCapBps = 9500;
    }

    /// @dev Evidence in the order of `IHoldings.provePositions`, without a pin.
    function holdingsOf(uint256 onset, uint256 reading, address[] memory accounts)
        internal
        view
        returns (Evidence memory)
    {
        return positionsOf(vaultSpec(), onset, reading, accounts, false);
    }
}
