// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Trip} from "breakwater/interfaces/IBreaker.sol";
import {Breakers} from "../Breakers.sol";
import {Trippers} from "./handlers/Trippers.sol";

/// @notice What a breaker may do to a protocol, and what it may cost the reporters.
contract TripsInvariants is Breakers {
    Trippers private crowd;
    bytes4[] private actions;

    function setUp() public override {
        super.setUp();
        for (uint256 i; i < 4; ++i) {
            reporters.remove(accounts[i]);
        }
        crowd = new Trippers(breaker, reporters, bondToken, address(this));
        for (uint256 i; i < crowd.REPORTERS(); ++i) {
            enlist(crowd.reporter(i));
        }
        address judge = crowd.JUDGE();
        stakes.mint(judge, 1000e18);
        vm.startPrank(judge);
        stakes.approve(address(judges), 1000e18);
        judges.stake(1000e18);
        vm.stopPrank();
        mine(1);
        crowd.agree();
        crowd.agree();
        crowd.agree();
        actions = [
            crowd.trip.selector,
            crowd.trip.selector,
            crowd.trip.selector,
            crowd.bond.selector,
            crowd.bond.selector,
            crowd.agree.selector,
            crowd.quit.selector,
            crowd.undo.selector,
            crowd.turn.selector,
            crowd.push.selector,
            crowd.challenge.selector,
            crowd.challenge.selector,
            crowd.judge.selector,
            crowd.judge.selector,
            crowd.settle.selector,
            crowd.settle.selector,
            crowd.settle.selector,
            crowd.collect.selector,
            crowd.passTime.selector,
            crowd.passTime.selector
        ];
        targetContract(address(crowd));
        targetSelectors(address(crowd), actions);
    }

    /// @notice No trip holds a protocol longer than it agreed to.
    function invariant_a_trip_is_no_longer_than_agreed() public view {
        for (uint256 id = 1; id <= breaker.trips(); ++id) {
            Trip memory t = breaker.tripOf(id);
            assertLe(t.end - t.start, crowd.longest(id));
            if (breaker.tripped(t.target) && _newest(t.target) == id) assertLt(block.timestamp, t.end);
        }
    }

    /// @notice Between two trips of one protocol lies the period that it agreed to.
    function invariant_at_most_one_trip_a_period() public view {
        for (uint256 id = 2; id <= breaker.trips(); ++id) {
            Trip memory t = breaker.tripOf(id);
            for (uint256 before = 1; before < id; ++before) {
                Trip memory b = breaker.tripOf(before);
                if (b.target == t.target) assertGe(t.start, b.start + crowd.period(before));
            }
        }
    }

    /// @notice Behind every trip that is not settled stands the whole bond of each signer, and nothing else is held.
    function invariant_open_trips_are_backed() public view {
        for (uint256 i; i < crowd.REPORTERS(); ++i) {
            address who = crowd.reporter(i);
            uint256 sum;
            for (uint256 id = 1; id <= breaker.trips(); ++id) {
                Trip memory t = breaker.tripOf(id);
                for (uint256 k; k < t.signers.length; ++k) {
                    if (t.signers[k] != who) continue;
                    assertEq(heldOf(id, who), t.bondEach);
                    sum += t.bondEach;
                }
            }
            (uint128 bonded, uint128 held,,) = reporters.bondOf(who);
            assertEq(held, sum);
            assertLe(held, bonded);
        }
    }

    /// @notice A reporter loses the bonds of trips that were judged wrong, and not a unit more.
    function invariant_only_a_judgement_costs_a_bond() public view {
        for (uint256 i; i < crowd.REPORTERS(); ++i) {
            address who = crowd.reporter(i);
            (uint128 bonded,, uint128 leaving,) = reporters.bondOf(who);
            assertEq(uint256(bonded) + leaving + crowd.lost(who), crowd.minted(who) + MIN_BOND);
        }
    }

    /// @notice The breaker holds the bonds of challenges that are not settled and what it owes, and not a unit more.
    function invariant_the_breaker_holds_every_challenge() public view {
        uint256 sum = breaker.owed(SINK);
        for (uint256 id = 1; id <= breaker.trips(); ++id) {
            Trip memory t = breaker.tripOf(id);
            if (t.challenger != address(0) && t.signers.length != 0) sum += CHALLENGE_BOND;
        }
        for (uint256 i; i < crowd.TARGETS(); ++i) {
            sum += breaker.owed(crowd.guardian(i));
        }
        assertEq(bondToken.balanceOf(address(breaker)), sum);
    }

    /// @dev A campaign that reaches nothing proves nothing.
    function test_a_campaign_of_trippers_reaches_everything() public {
        uint256 seed = 1;
        for (uint256 i; i < 1200; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            (bool ok,) = address(crowd).call(abi.encodePacked(actions[seed % actions.length]));
            assertTrue(ok, "no action of the crowd fails");
        }
        bytes32[13] memory what = [
            bytes32("tripped"),
            "paused",
            "refused",
            "agreed",
            "quit",
            "undone",
            "pushed",
            "challenged",
            "wrong",
            "right",
            "settled",
            "collected",
            "admitted"
        ];
        for (uint256 i; i < what.length; ++i) {
            log(string(abi.encodePacked(what[i])), crowd.done(what[i]));
            assertGt(crowd.done(what[i]), 1, string(abi.encodePacked(what[i])));
        }
        invariant_a_trip_is_no_longer_than_agreed();
        invariant_at_most_one_trip_a_period();
        invariant_open_trips_are_backed();
        invariant_only_a_judgement_costs_a_bond();
        invariant_the_breaker_holds_every_challenge();
    }

    function _newest(address target) private view returns (uint256 id) {
        (id,,) = breaker.standingOf(target);
    }
}
