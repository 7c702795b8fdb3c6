// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {AssemblyConfig, Case} from "breakwater/interfaces/IAssembly.sol";
import {PostedReport} from "breakwater/interfaces/IQuorumRung.sol";
import {Assembly} from "breakwater/triggers/Assembly.sol";
import {Quorums} from "../Quorums.sol";
import {Token} from "../Tokens.sol";
import {Disputants} from "./handlers/Disputants.sol";

/// @notice Bonds, stakes and decisions of the ladder above the proof.
contract DisputesInvariants is Quorums {
    Disputants private crowd;
    Assembly private house;
    Token private gov;
    bytes4[] private actions;

    function assemblyFor() internal override returns (address) {
        gov = new Token("GOV", 18);
        house = new Assembly(
            incidents, AssemblyConfig(address(gov), SINK, 1 hours, 1 hours, 10 days, 5000, 1000)
        );
        return address(house);
    }

    function setUp() public override {
        super.setUp();
        for (uint256 i; i < 4; ++i) {
            reporters.remove(accounts[i]);
            vm.prank(accounts[i]);
            reporters.unbond(MIN_BOND);
        }
        vm.warp(block.timestamp + UNBOND);
        for (uint256 i; i < 4; ++i) {
            vm.prank(accounts[i]);
            reporters.withdraw();
        }
        crowd = new Disputants(incidents, reporters, quorum, house, bondToken, gov, gauge, address(this));
        for (uint256 i; i + 1 < crowd.REPORTERS(); ++i) {
            enlist(crowd.reporter(i));
        }
        for (uint256 i; i < crowd.VOTERS(); ++i) {
            _stake(crowd.voter(i), i == 0 ? 60e18 : 20e18);
        }
        vm.roll(block.number + 1);
        crowd.report();
        crowd.report();
        actions = [
            crowd.report.selector,
            crowd.report.selector,
            crowd.report.selector,
            crowd.equivocate.selector,
            crowd.bond.selector,
            crowd.bond.selector,
            crowd.bond.selector,
            crowd.unbond.selector,
            crowd.challenge.selector,
            crowd.challenge.selector,
            crowd.challenge.selector,
            crowd.begin.selector,
            crowd.commit.selector,
            crowd.reveal.selector,
            crowd.hear.selector,
            crowd.hear.selector,
            crowd.hear.selector,
            crowd.close.selector,
            crowd.ignore.selector,
            crowd.punish.selector,
            crowd.punish.selector,
            crowd.punish.selector,
            crowd.unstake.selector,
            crowd.unstake.selector,
            crowd.unstake.selector,
            crowd.finalise.selector,
            crowd.finalise.selector,
            crowd.passTime.selector,
            crowd.judge.selector,
            crowd.judge.selector,
            crowd.collect.selector
        ];
        targetContract(address(crowd));
        targetSelectors(address(crowd), actions);
    }

    /// @notice A bond backs one report at a time: what is held of it is what its open reports hold, and no more than
    ///         there is.
    function invariant_a_bond_backs_one_report_at_a_time() public view {
        for (uint256 i; i < crowd.REPORTERS(); ++i) {
            address who = crowd.reporter(i);
            (uint128 bonded, uint128 held,,) = reporters.bondOf(who);
            assertLe(held, bonded);
            uint256 sum;
            for (uint256 id = 1; id <= incidents.count(); ++id) {
                PostedReport memory r = quorum.posted(id);
                for (uint256 k; k < r.signers.length; ++k) {
                    if (r.signers[k] == who) sum += reporters.heldUnder(address(quorum), r.digest, who);
                }
            }
            assertEq(held, sum);
        }
    }

    /// @notice The registry holds every unit that is bonded, leaving, earned or unburned, and not one more.
    function invariant_the_registry_holds_every_bond() public view {
        uint256 sum = reporters.unburned();
        for (uint256 i; i < crowd.REPORTERS(); ++i) {
            (uint128 bonded,, uint128 leaving,) = reporters.bondOf(crowd.reporter(i));
            sum += uint256(bonded) + leaving;
        }
        for (uint256 i; i < 3; ++i) {
            sum += reporters.rewards(crowd.challenger(i));
        }
        assertEq(bondToken.balanceOf(address(reporters)), sum);
    }

    /// @notice The rung holds the bonds of open challenges, what it owes and what is unburned.
    function invariant_the_rung_holds_every_challenge() public view {
        uint256 sum = quorum.unburned();
        for (uint256 id = 1; id <= incidents.count(); ++id) {
            for (uint256 k; k < quorum.challenges(id); ++k) {
                sum += quorum.challengeAt(id, k).bond;
            }
        }
        for (uint256 i; i < 3; ++i) {
            sum += quorum.owed(crowd.challenger(i));
        }
        assertEq(bondToken.balanceOf(address(quorum)), sum);
    }

    /// @notice What is slashed is burned, but for a part of at most three tenths here.
    function invariant_slashed_bonds_are_burned() public view {
        uint256 paid = crowd.claimed();
        for (uint256 i; i < 3; ++i) {
            paid += reporters.rewards(crowd.challenger(i));
        }
        uint256 slashed = paid + crowd.burned() + reporters.unburned();
        assertLe(paid * 10_000, slashed * PROVER_BPS);
    }

    /// @notice A reporter who tells the truth is never slashed: its bond is what it brought less what it took out.
    function invariant_the_truth_is_never_slashed() public view {
        for (uint256 i; i < crowd.HONEST(); ++i) {
            address who = crowd.reporter(i);
            (uint128 bonded,, uint128 leaving,) = reporters.bondOf(who);
            // All that was minted for it is bonded, leaving, or in its hands again.
            assertEq(uint256(bonded) + leaving + bondToken.balanceOf(who), crowd.minted(who) + MIN_BOND);
        }
    }

    /// @notice A dispute that nobody decided ends at what was asserted.
    function invariant_silence_never_rejects() public view {
        assertEq(crowd.denied(), 0);
    }

    function invariant_a_quorum_is_a_majority() public view {
        (uint256 needed, address[] memory members) = reporters.members();
        assertGt(2 * needed, members.length);
        for (uint256 i = 1; i < members.length; ++i) {
            assertTrue(members[i] > members[i - 1]);
        }
    }

    /// @notice The assembly holds all that is staked, leaving or unburned.
    function invariant_the_assembly_holds_every_stake() public view {
        uint256 sum = house.unburned();
        for (uint256 i; i < crowd.VOTERS(); ++i) {
            (uint128 staked, uint128 leaving,,) = house.stakeOf(crowd.voter(i));
            sum += uint256(staked) + leaving;
        }
        assertEq(gov.balanceOf(address(house)), sum);
    }

    /// @notice The tally of a round is what was revealed in it, at most what was eligible.
    function invariant_the_tally_is_what_was_revealed() public view {
        for (uint256 id = 1; id <= incidents.count(); ++id) {
            Case memory c = house.caseOf(id);
            uint128[101] memory buckets = house.tally(id, c.round);
            uint256 sum;
            for (uint256 i; i < 101; ++i) {
                sum += buckets[i];
            }
            assertEq(sum, c.revealed);
            assertLe(sum, c.eligible);
        }
    }

    /// @notice Whoever commits keeps at least the part of its stake that a missing reveal costs.
    function invariant_no_stake_leaves_under_a_commitment() public view {
        for (uint256 id = 1; id <= incidents.count(); ++id) {
            for (uint8 round; round < 2; ++round) {
                for (uint256 i; i < crowd.VOTERS(); ++i) {
                    (, uint128 weight) = house.commitOf(id, round, crowd.voter(i));
                    (uint128 staked,,, uint32 commits) = house.stakeOf(crowd.voter(i));
                    if (weight == 0) continue;
                    assertGt(commits, 0);
                    assertGe(staked, weight / 10);
                }
            }
        }
    }

    /// @dev A campaign that reaches nothing proves nothing.
    function test_a_campaign_of_disputants_reaches_everything() public {
        uint256 seed = 1;
        for (uint256 i; i < 3500; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            (bool ok,) = address(crowd).call(abi.encodePacked(actions[seed % actions.length]));
            assertTrue(ok, "no action of the crowd fails");
        }
        bytes32[20] memory what = [
            bytes32("reported"),
            "lied",
            "equivocated",
            "admitted",
            "unbonded",
            "left",
            "challenged",
            "began",
            "committed",
            "revealed",
            "repeated",
            "silent",
            "decided",
            "punished",
            "unstaked",
            "withdrew stake",
            "timed out",
            "finalised",
            "settled",
            "resolved"
        ];
        for (uint256 i; i < what.length; ++i) {
            log(string(abi.encodePacked(what[i])), crowd.done(what[i]));
        }
        for (uint256 i; i < what.length; ++i) {
            assertGt(crowd.done(what[i]), 1, string(abi.encodePacked(what[i])));
        }
        assertGt(crowd.burned(), 0);
        assertGt(crowd.claimed(), 0);
        invariant_the_truth_is_never_slashed();
        invariant_a_bond_backs_one_report_at_a_time();
        invariant_silence_never_rejects();
    }

    function _stake(address voter, uint128 amount) private {
        gov.mint(voter, amount);
        vm.startPrank(voter);
        gov.approve(address(house), amount);
        house.stake(amount);
        vm.stopPrank();
    }
}
