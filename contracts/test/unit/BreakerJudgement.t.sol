// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {AssemblyConfig} from "breakwater/interfaces/IAssembly.sol";
import {Agreement, IBreaker, Verdict} from "breakwater/interfaces/IBreaker.sol";
import {CanaryTerms, ICanaryRung, Watch} from "breakwater/interfaces/ICanaryRung.sol";
import {Rung} from "breakwater/interfaces/IIncidents.sol";
import {Claims} from "breakwater/interfaces/IHoldings.sol";
import {PinnedAccount} from "breakwater/interfaces/IGauges.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {BreakerTrip} from "breakwater/libraries/Eip712Types.sol";
import {Canary} from "breakwater/periphery/Canary.sol";
import {Breaker} from "breakwater/prevention/Breaker.sol";
import {CanaryRung} from "breakwater/triggers/CanaryRung.sol";
import {Breakers} from "../Breakers.sol";
import {GateVault} from "../GateVault.sol";
import {RolePausable} from "../Pausables.sol";

/// @notice Who answers for a trip, and with how much.
contract BreakerJudgementTest is Breakers {
    function _settled(uint256 id) private {
        breaker.settle(id);
        expectRevert(abi.encodeWithSelector(IBreaker.AlreadySettled.selector, id));
        breaker.settle(id);
        for (uint256 i; i < 3; ++i) {
            assertEq(heldOf(id, accounts[i]), 0);
        }
    }

    function test_bondsAreFreeAfterTheWindow() public {
        uint256 id = stop(address(vault));
        uint256 end = breaker.tripOf(id).start + breaker.CHALLENGE_WINDOW();
        vm.warp(end);
        expectRevert(abi.encodeWithSelector(IBreaker.StillOpen.selector, id, end));
        breaker.settle(id);
        vm.warp(end + 1);
        vm.prank(guard);
        expectRevert(abi.encodeWithSelector(IBreaker.TooLate.selector, end, end + 1));
        breaker.challenge(id);
        _settled(id);
        for (uint256 i; i < 3; ++i) {
            assertEq(bondedBy(accounts[i]), MIN_BOND);
        }
        vm.prank(guard);
        expectRevert(abi.encodeWithSelector(IBreaker.NotStanding.selector, id, uint8(Verdict.Standing)));
        breaker.challenge(id);
    }

    function test_onlyTheProtocolChallengesAndOnce() public {
        uint256 id = stop(address(vault));
        vm.prank(carol);
        expectRevert(abi.encodeWithSelector(IBreaker.NotGuardian.selector, address(vault), carol));
        breaker.challenge(id);
        expectRevert(abi.encodeWithSelector(IBreaker.UnknownTrip.selector, 7));
        breaker.challenge(7);
        contest(id);
        assertEq(bondToken.balanceOf(address(breaker)), CHALLENGE_BOND);
        vm.prank(owner);
        expectRevert(abi.encodeWithSelector(IBreaker.NotStanding.selector, id, uint8(Verdict.Disputed)));
        breaker.challenge(id);
        vm.warp(block.timestamp + 365 days);
        expectRevert(IBreaker.StillOpen.selector);
        breaker.settle(id);
    }

    /// @dev A protocol that calls every trip wrong gains nothing by saying so: only the judges decide.
    function test_onlyTheJudgesDecide() public {
        uint256 id = stop(address(vault));
        vm.prank(guard);
        expectRevert(abi.encodeWithSelector(IBreaker.NotAssembly.selector, guard));
        breaker.decide(id, 0);
        vm.prank(address(judges));
        expectRevert(abi.encodeWithSelector(IBreaker.NotDisputed.selector, id, uint8(Verdict.Standing)));
        breaker.decide(id, 0);
        vm.prank(address(judges));
        expectRevert(abi.encodeWithSelector(IBreaker.UnknownTrip.selector, 9));
        breaker.decide(9, 0);
    }

    function test_aTripWithCauseCostsTheChallenger() public {
        uint256 id = stop(address(vault));
        contest(id);
        judge(id, 50);
        assertEq(uint8(breaker.tripOf(id).verdict), uint8(Verdict.Right));
        _settled(id);
        assertEq(bondedBy(accounts[0]), MIN_BOND);
        assertEq(breaker.owed(guard), 0);
        breaker.withdraw(SINK);
        assertEq(bondToken.balanceOf(SINK), CHALLENGE_BOND);
        expectRevert(abi.encodeWithSelector(IBreaker.NothingOwed.selector, SINK));
        breaker.withdraw(SINK);
    }

    /// @dev The whole bond goes: the protocol's price for the time that it was paused, the rest to the sink.
    function test_aTripWithoutCauseIsSlashed() public {
        uint256 id = stop(address(vault));
        vm.warp(block.timestamp + 90 minutes);
        vm.prank(guard);
        breaker.undo(address(vault), false);
        contest(id);
        judge(id, 49);
        assertEq(uint8(breaker.tripOf(id).verdict), uint8(Verdict.Wrong));
        _settled(id);
        // 90 minutes at 300 an hour; three bonds of 600 are gone, three tenths of which a prover may get.
        assertEq(reporters.rewards(guard), 450e6);
        assertEq(reporters.unburned(), 3 * 600e6 - 450e6);
        for (uint256 i; i < 3; ++i) {
            assertEq(bondedBy(accounts[i]), MIN_BOND - 600e6, "nothing but what was held");
            assertFalse(reporters.isReporter(accounts[i]));
        }
        breaker.withdraw(guard);
        vm.prank(guard);
        reporters.claim();
        assertEq(bondToken.balanceOf(guard), CHALLENGE_BOND + 450e6);
        assertEq(bondToken.balanceOf(address(breaker)), 0);
    }

    /// @dev Two hours cost 600; of three bonds of 600 a prover gets 540 at most.
    function test_compensationIsAtMostTheProversPart() public {
        uint256 id = stop(address(vault));
        wait(3 hours);
        contest(id);
        judge(id, 0);
        _settled(id);
        assertEq(reporters.rewards(guard), 540e6);
        assertEq(reporters.unburned(), 3 * 600e6 - 540e6);
    }

    function test_judgesEndAWrongTripThatRuns() public {
        BreakerTrip memory signed = tripOf(address(vault));
        signed.duration = LONGEST;
        uint256 id = post(signed);
        contest(id);
        judge(id, 0);
        assertFalse(breaker.tripped(address(vault)));
        assertEq(breaker.trippedUntil(address(vault)), block.timestamp);
        assertEq(breaker.tripOf(id).end, block.timestamp);
    }

    function test_silenceAcquits() public {
        uint256 id = stop(address(vault));
        contest(id);
        judges.begin(id);
        for (uint8 round; round < 2; ++round) {
            vm.warp(judges.caseOf(id).revealEnd + 1);
            judges.close(id);
        }
        assertEq(uint8(breaker.tripOf(id).verdict), uint8(Verdict.Right));
        _settled(id);
        assertEq(bondedBy(accounts[0]), MIN_BOND);
    }

    function test_judgesHearNoTripThatIsNotDisputed() public {
        uint256 id = stop(address(vault));
        expectRevert(bytes4(keccak256("NotDisputed(uint256,uint8)")));
        judges.begin(id);
    }

    /// @dev What was staked when the trip was already known does not vote on it.
    function test_lateStakeDoesNotJudge() public {
        uint256 id = stop(address(vault));
        assertEq(breaker.incident(id).openedAt, block.number);
        stakes.mint(bob, 1000e18);
        vm.startPrank(bob);
        stakes.approve(address(judges), 1000e18);
        judges.stake(1000e18);
        vm.stopPrank();
        mine(1);
        contest(id);
        judges.begin(id);
        uint64 postedAt = breaker.tripOf(id).postedAt;
        vm.prank(bob);
        expectRevert(abi.encodeWithSignature("NoStake(address,uint256)", bob, postedAt));
        judges.commit(id, 0);
    }

    /// @dev A target that was never paused was not harmed.
    function test_noPauseNoCompensation() public {
        RolePausable target = new RolePausable(owner);
        agree(address(target), calling());
        mine(1);
        uint256 id = stop(address(target));
        wait(3 hours);
        contest(id);
        judge(id, 0);
        _settled(id);
        assertEq(reporters.rewards(guard), 0);
        assertEq(reporters.unburned(), 3 * 600e6);
    }

    /// @dev New terms name another guardian and another price; the trip keeps those that it was made by.
    function test_aTripIsJudgedByItsOwnTerms() public {
        uint256 id = stop(address(vault));
        agree(address(vault), Agreement(carol, 10 * PRICE, LONGEST, PERIOD, 3, false, 0));
        vm.prank(carol);
        expectRevert(abi.encodeWithSelector(IBreaker.NotGuardian.selector, address(vault), carol));
        breaker.challenge(id);
        wait(1 hours);
        vm.prank(guard);
        breaker.undo(address(vault), false);
        contest(id);
        judge(id, 0);
        _settled(id);
        // One unit less than an hour and twelve seconds cost: two parts are rounded down.
        assertEq(reporters.rewards(guard), uint256(PRICE) * (1 hours + 12) / 1 hours - 1);
    }

    function test_aChallengeCostsSomething() public {
        expectRevert(abi.encodeWithSelector(IBreaker.OutOfRange.selector, bytes32("challengeBond"), 0));
        new Breaker(reporters, 0, _config());
    }

    function _config() private view returns (AssemblyConfig memory) {
        return AssemblyConfig(address(stakes), SINK, 1 hours, 1 hours, 10 days, 5000, 1000);
    }
}

/// @notice Time under the breaker does not count for a canary.
contract BreakerCanaryTest is Breakers {
    GateVault private gate;
    CanaryRung private watcher;
    bytes32 private trigger;

    function setUp() public override {
        super.setUp();
        openVault();
        gate = new GateVault(usd);
        vm.prank(address(gate));
        breaker.agree(address(gate), terms());
        watcher = new CanaryRung(history, catalog, incidents);
        bytes memory input = abi.encodeCall(IERC4626.redeem, (1e6, address(0), address(0)));
        Canary canary = new Canary(address(gate), input, 6, address(usd), 1e6, address(0));
        usd.mint(address(this), 10e6);
        usd.approve(address(gate), 10e6);
        gate.deposit(10e6, address(canary));
        CanaryTerms memory t;
        (t.canary, t.breaker, t.gasLimit) = (address(canary), address(breaker), 400_000);
        (t.spacing, t.base) = (1 hours, 1_000_000e6);
        t.claims.keeper = PinnedAccount(VAULT, CODE);
        t.claims.holding = vaultSpec().holding;
        Trigger memory listed = Trigger({
            chainId: block.chainid,
            rungs: uint8(1 << uint8(Rung.Canary)),
            asset: address(usd),
            subject: address(gate),
            selector: 0,
            claims: _subject(t.claims),
            threshold: 0.02e18,
            terms: abi.encode(bytes32("breakwater.canary/1"), t)
        });
        trigger = catalog.listTrigger(listed);
        watcher.enrol(listed);
        assertTrue(watcher.probe(trigger));
        mine(1);
    }

    function _subject(Claims memory c) private view returns (bytes32) {
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

    function test_timeUnderTheBreakerDoesNotCount() public {
        gate.setOut(GateVault.Out.Shut);
        assertFalse(watcher.probe(trigger));
        uint256 id = stop(address(gate));
        uint64 end = breaker.tripOf(id).end;
        expectRevert(abi.encodeWithSelector(ICanaryRung.BreakerTripped.selector, address(gate), end));
        watcher.probe(trigger);
        assertFalse(watcher.sellable(trigger));
        vm.warp(end);
        mine(1);
        assertFalse(watcher.probe(trigger), "long after the first failure, which the breaker wiped out");
        Watch memory w = watcher.watch(trigger);
        assertEq(w.failedAt, block.timestamp);
        assertFalse(w.ripe);
        wait(1 hours);
        assertFalse(watcher.probe(trigger));
        assertTrue(watcher.watch(trigger).ripe);
    }
}
