// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Incident, Rung, Status} from "breakwater/interfaces/IIncidents.sol";
import {Times} from "breakwater/interfaces/ILadder.sol";
import {LadderFixture} from "../LadderFixture.sol";
import {Climbers} from "./handlers/Climbers.sol";

/// @notice The state machine above the proof, with everybody on it at once. Its steps are cheap, so that it takes many.
/// forge-config: default.invariant.runs = 12
/// forge-config: default.invariant.depth = 400
contract LadderInvariants is LadderFixture {
    Climbers private climbers;
    bytes4[] private actions;

    function times() internal pure override returns (Times memory) {
        return Times(DWELL, WINDOW, QUORUM_WINDOW, ASSEMBLY_WINDOW, GUARDIAN_DELAY, 7000);
    }

    function setUp() public override {
        super.setUp();
        address guardian = makeAddr("guardian");
        incidents.setGuardian(guardian);
        climbers = new Climbers(incidents, pool, keeper, guardian, [gauge, trigger]);
        actions = [
            climbers.open.selector,
            climbers.open.selector,
            climbers.open.selector,
            climbers.hold.selector,
            climbers.hold.selector,
            climbers.revise.selector,
            climbers.revise.selector,
            climbers.revise.selector,
            climbers.overrule.selector,
            climbers.decide.selector,
            climbers.decide.selector,
            climbers.escalate.selector,
            climbers.escalate.selector,
            climbers.finalise.selector,
            climbers.finalise.selector,
            climbers.finalise.selector,
            climbers.giveUp.selector,
            climbers.consume.selector,
            climbers.consume.selector,
            climbers.release.selector,
            climbers.release.selector,
            climbers.pass.selector,
            climbers.pass.selector,
            climbers.passDays.selector
        ];
        targetContract(address(climbers));
        targetSelectors(address(climbers), actions);
    }

    /// @dev A campaign that reaches nothing would prove nothing.
    function test_climbersGetEverywhere() public {
        for (uint256 i; i < 4000; ++i) {
            (bool ok,) = address(climbers)
                .call(abi.encodePacked(actions[uint256(keccak256(abi.encode(i))) % actions.length]));
            assertTrue(ok);
        }
        bytes32[14] memory all = [
            bytes32("open"),
            "hold",
            "revise",
            "overrule",
            "decide",
            "escalate",
            "given up",
            "consume",
            "consume disputed",
            "release",
            "delay",
            "dispute",
            "undecided",
            "void"
        ];
        for (uint256 i; i < all.length; ++i) {
            assertGt(climbers.done(all[i]), 0, string(abi.encodePacked(all[i])));
        }
    }

    function _kept(bytes32 rule) private view {
        assertEq(climbers.breaches(rule), 0, string(abi.encodePacked(rule)));
    }

    /// @notice While it is disputed an incident pays no more than what nobody disputes.
    function invariant_a_dispute_pays_only_its_undisputed_part() public view {
        _kept("paid above undisputed");
        _kept("above a challenge");
        _kept("undisputed below the threshold");
    }

    /// @notice Whoever decides a dispute decides between what was undisputed and what was asserted, and that is what the
    ///         incident and the pools then hold.
    function invariant_decisions_lie_within_the_dispute() public view {
        _kept("outside the dispute");
        _kept("not what was decided");
        _kept("reserve");
    }

    /// @notice Waiting and finalising alone ends every incident; nothing is refused once its time has come.
    function invariant_no_incident_stays_undecided() public view {
        _kept("undecided");
        _kept("stuck");
    }

    /// @notice A guardian only sends up what waits, once, and what nobody then decides is paid as it was asserted.
    function invariant_the_guardian_cannot_deny() public view {
        _kept("guardian");
        _kept("delayed twice");
        _kept("silence denies");
    }

    /// @notice On the word of a rung no more is open than its ceiling, and what is counted is what pools reserve.
    function invariant_open_payouts_stay_below_the_ceiling() public view {
        for (uint8 rung = uint8(Rung.Feed); rung <= uint8(Rung.Quorum); ++rung) {
            uint256 open = incidents.openOn(rung, address(usd));
            assertLe(open, incidents.ceiling(rung, address(usd)), "above");
            uint256 reserved;
            for (uint256 id = 1; id <= incidents.count(); ++id) {
                Incident memory i = incidents.incident(id);
                if (uint8(i.rung) != rung || i.status == Status.Voided) continue;
                reserved += pool.booking(id).reserved;
            }
            assertLe(open, reserved, "nobody reserves it");
        }
        assertEq(incidents.openOn(uint8(Rung.Proof), address(usd)), 0);
    }

    /// @notice What dwells and is not held counts for its rung as it is reserved.
    function invariant_what_is_not_held_counts() public view {
        for (uint8 rung = uint8(Rung.Feed); rung <= uint8(Rung.Quorum); ++rung) {
            uint256 least;
            for (uint256 id = 1; id <= incidents.count(); ++id) {
                Incident memory i = incidents.incident(id);
                bool free = i.status == Status.Dwelling && !incidents.held(id);
                if (uint8(i.rung) == rung && free && !climbers.freed(id)) least += pool.booking(id).reserved;
            }
            assertGe(incidents.openOn(rung, address(usd)), least);
        }
    }
}
