// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Form, GaugeSpec, Term} from "breakwater/interfaces/IGauges.sol";
import {IIncidents, Incident, Status} from "breakwater/interfaces/IIncidents.sol";
import {Evidence} from "breakwater/interfaces/IProofRung.sol";
import {Challenge, IQuorumRung} from "breakwater/interfaces/IQuorumRung.sol";
import {LossReport} from "breakwater/libraries/Eip712Types.sol";
import {Quorum} from "breakwater/libraries/Quorum.sol";
import {Quorums} from "../Quorums.sol";

/// @notice Challenges, decisions, and what they cost whom.
contract QuorumJudgementTest is Quorums {
    uint128 private constant LOSS = 400_000e6;

    function _status(uint256 id) private view returns (uint256) {
        return uint256(incidents.incident(id).status);
    }

    /// @dev What a slash of three report bonds leaves: a part for the prover, the rest to be burned.
    function _assertSlashed(address prover) private view {
        for (uint256 i; i < 3; ++i) {
            assertEq(bondedBy(accounts[i]), MIN_BOND - REPORT_BOND);
            assertFalse(reporters.isReporter(accounts[i]));
        }
        uint256 reward = prover == address(0) ? 0 : 3 * (uint256(REPORT_BOND) * PROVER_BPS / 10_000);
        assertEq(reporters.rewards(prover), reward);
        assertEq(reporters.unburned(), 3 * REPORT_BOND - reward);
    }

    function _assertFree() private view {
        for (uint256 i; i < 3; ++i) {
            (uint128 bonded, uint128 held,,) = reporters.bondOf(accounts[i]);
            assertEq(bonded, MIN_BOND);
            assertEq(held, 0);
        }
        assertEq(reporters.unburned(), 0);
    }

    // ----- challenges -----

    function test_challengeHoldsAndDisputes() public {
        uint256 id = open(LOSS);
        assertEq(challenge(bob, id, LOSS / 2), 0);
        assertTrue(incidents.held(id));
        finalise(id);
        assertEq(_status(id), uint256(Status.Disputed));
        assertEq(incidents.incident(id).loss, LOSS / 2, "the lowest of all challenges is undisputed");
        assertEq(incidents.asserted(id), LOSS);
    }

    /// @dev A collusively low challenge sends the report to the assembly and denies nothing.
    function test_lowestCountsAndDeniesNothing() public {
        uint256 id = open(LOSS);
        challenge(bob, id, LOSS / 2);
        challenge(carol, id, 0);
        finalise(id);
        assertEq(incidents.incident(id).loss, 0);
        // Nobody decides: what was asserted stands.
        finalise(id);
        assertEq(_status(id), uint256(Status.Final));
        assertEq(incidents.incident(id).loss, LOSS);
        quorum.resolve(id, 0);
        quorum.resolve(id, 1);
        assertEq(quorum.unburned(), 3 * CHALLENGE_BOND, "both were farther off than the report");
    }

    function test_challengesCostMoreEachTime() public {
        uint256 id = open(LOSS);
        assertEq(quorum.nextBond(id), CHALLENGE_BOND);
        challenge(bob, id, LOSS / 2);
        assertEq(quorum.nextBond(id), 2 * CHALLENGE_BOND);
        challenge(carol, id, LOSS / 4);
        assertEq(quorum.nextBond(id), 3 * CHALLENGE_BOND);
        Challenge memory second = quorum.challengeAt(id, 1);
        assertEq(second.challenger, carol);
        assertEq(second.bond, 2 * CHALLENGE_BOND);
        assertEq(second.against, LOSS);
        assertEq(quorum.challenges(id), 2);
        assertEq(bondToken.balanceOf(address(quorum)), 3 * CHALLENGE_BOND);
    }

    function test_challengesGoDownByASixteenth() public {
        uint256 id = open(LOSS);
        uint128 step = LOSS / 16;
        fund(bob, 100 * CHALLENGE_BOND);
        vm.startPrank(bob);
        expectRevert(
            abi.encodeWithSelector(IQuorumRung.ChallengeTooHigh.selector, LOSS - step, LOSS - step + 1)
        );
        quorum.challenge(id, LOSS - step + 1);
        quorum.challenge(id, LOSS - step);
        expectRevert(abi.encodeWithSelector(IQuorumRung.ChallengeTooHigh.selector, LOSS - 2 * step, LOSS));
        quorum.challenge(id, LOSS);
        quorum.challenge(id, 1);
        quorum.challenge(id, 0);
        expectRevert(abi.encodeWithSelector(IQuorumRung.ChallengeTooHigh.selector, 0, 0));
        quorum.challenge(id, 0);
        vm.stopPrank();
    }

    function test_challengesNeedABondAndATime() public {
        uint256 id = open(LOSS);
        vm.prank(bob);
        expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(quorum), 0, CHALLENGE_BOND
            )
        );
        quorum.challenge(id, 0);
        fund(bob, CHALLENGE_BOND);
        vm.startPrank(bob);
        expectRevert(abi.encodeWithSelector(IQuorumRung.UnknownReport.selector, 5));
        quorum.challenge(5, 0);
        uint256 end = incidents.incident(id).dwellEnd;
        vm.roll(end + 1);
        expectRevert(abi.encodeWithSelector(IIncidents.DwellOver.selector, id, end, end + 1));
        quorum.challenge(id, 0);
        vm.stopPrank();
    }

    // ----- decisions -----

    function test_reportNearerToTheDecisionKeepsItsBonds() public {
        uint256 id = open(LOSS);
        challenge(bob, id, LOSS / 2);
        decide(id, LOSS * 3 / 4 + 1);
        expectRevert(IQuorumRung.ClaimsOpen.selector);
        quorum.settle(id);
        quorum.resolve(id, 0);
        assertEq(quorum.owed(bob), 0);
        assertEq(quorum.unburned(), CHALLENGE_BOND);
        vm.warp(incidents.incident(id).claimsEnd + 1);
        quorum.settle(id);
        _assertFree();
        expectRevert(abi.encodeWithSelector(IQuorumRung.AlreadySettled.selector, id));
        quorum.settle(id);
    }

    function test_challengerNearerToTheDecisionTakesAPart() public {
        uint256 id = open(LOSS);
        challenge(bob, id, LOSS / 2);
        decide(id, LOSS * 3 / 4 - 1);
        quorum.settle(id);
        _assertSlashed(bob);
        quorum.resolve(id, 0);
        vm.prank(bob);
        quorum.withdraw();
        assertEq(bondToken.balanceOf(bob), CHALLENGE_BOND);
        expectRevert(abi.encodeWithSelector(IQuorumRung.AlreadyResolved.selector, id, 0));
        quorum.resolve(id, 0);
    }

    function test_tieIsNobodys() public {
        uint256 id = open(LOSS);
        challenge(bob, id, LOSS / 2);
        decide(id, LOSS * 3 / 4);
        quorum.resolve(id, 0);
        assertEq(quorum.owed(bob), CHALLENGE_BOND);
        vm.warp(incidents.incident(id).claimsEnd + 1);
        quorum.settle(id);
        _assertFree();
    }

    /// @dev Else a friend of the signers would protect them by a challenge far below the truth.
    function test_lowerChallengeDoesNotShieldTheSigners() public {
        uint256 id = open(LOSS);
        challenge(bob, id, LOSS * 6 / 10);
        challenge(carol, id, 0);
        decide(id, LOSS * 6 / 10);
        quorum.settle(id);
        _assertSlashed(bob);
        quorum.resolve(id, 0);
        quorum.resolve(id, 1);
        assertEq(quorum.owed(bob), CHALLENGE_BOND);
        assertEq(quorum.owed(carol), 0, "nearer to the report than to zero");
    }

    /// @dev The same figure, posted again, shakes no challenge off; neither does a friend's challenge of it.
    function test_repeatedReportDoesNotShieldTheSigners() public {
        uint256 id = open(LOSS);
        challenge(bob, id, LOSS / 2);
        post(reportOf(id, ONSET + 20, LOSS));
        challenge(carol, id, 0);
        decide(id, LOSS / 2);
        quorum.settle(id);
        _assertSlashed(bob);
    }

    /// @dev A challenge of the report before counts as long as nobody came nearer to the one that is judged.
    function test_nearerChallengeOfALaterReport() public {
        uint256 id = open(LOSS);
        challenge(carol, id, 0);
        post(reportOf(id, ONSET + 20, LOSS));
        challenge(bob, id, LOSS / 2);
        decide(id, LOSS / 2);
        quorum.settle(id);
        _assertSlashed(bob);
    }

    function test_acceptedChallengeIsGone() public {
        uint256 id = open(LOSS);
        challenge(bob, id, LOSS / 2);
        post(reportOf(id, ONSET + 20, LOSS / 2));
        assertEq(quorum.posted(id).challenger, address(0));
        finalise(id);
        assertEq(_status(id), uint256(Status.Final), "nothing is disputed any more");
        assertEq(incidents.incident(id).loss, LOSS / 2);
        quorum.resolve(id, 0);
        assertEq(quorum.owed(bob), CHALLENGE_BOND);
        vm.warp(incidents.incident(id).claimsEnd + 1);
        quorum.settle(id);
        _assertFree();
    }

    function test_belowTheThresholdIsVoidAndSlashed() public {
        uint256 id = open(LOSS);
        challenge(bob, id, 0);
        decide(id, BASE / 100);
        assertEq(_status(id), uint256(Status.Voided));
        quorum.settle(id);
        _assertSlashed(bob);
    }

    /// @dev The guardian or the ceiling sent it up and the assembly refused it: nobody proved it, so all is burned.
    function test_refusedWithoutAChallenge() public {
        uint256 id = open(LOSS);
        vm.prank(address(quorum));
        incidents.hold(id, 0);
        decide(id, LOSS / 2 - 1);
        quorum.settle(id);
        _assertSlashed(address(0));
    }

    function test_unchallengedReportIsFree() public {
        uint256 id = open(LOSS);
        expectRevert(abi.encodeWithSelector(IQuorumRung.StillOpen.selector, id, uint8(Status.Dwelling)));
        quorum.settle(id);
        finalise(id);
        vm.warp(incidents.incident(id).claimsEnd + 1);
        quorum.settle(id);
        _assertFree();
    }

    // ----- a reporter who tells the truth is never slashed -----

    /// @dev The money came back: a later report says so, and the first was true when it was made.
    function test_truthThenRecovery() public {
        uint256 id = open(LOSS);
        challenge(bob, id, 0);
        post(reportOf(id, ONSET + 20, BASE / 100));
        finalise(id);
        assertEq(_status(id), uint256(Status.Voided));
        quorum.settle(id);
        _assertFree();
        quorum.resolve(id, 0);
        assertEq(quorum.owed(bob), CHALLENGE_BOND);
    }

    function test_outgrownChallengeComesBack() public {
        uint256 id = open(LOSS);
        challenge(bob, id, LOSS / 2);
        post(reportOf(id, ONSET + 20, LOSS * 2));
        decide(id, LOSS * 2);
        quorum.resolve(id, 0);
        assertEq(quorum.owed(bob), CHALLENGE_BOND);
        vm.warp(incidents.incident(id).claimsEnd + 1);
        quorum.settle(id);
        _assertFree();
    }

    /// @dev A proof of the same blocks takes the report's place while the assembly looks at it.
    function test_outrankedReportIsNotRefuted() public {
        openVault();
        uint256 a = seal();
        setVault(600_000e6, 1_000_000e6);
        seal();
        LossReport memory report = reportOf(0, uint64(a) + 1, LOSS);
        report.onset = uint64(a);
        uint256 id = post(report);
        challenge(bob, id, 0);
        finalise(id);
        rung.assertLoss(vaultSpec(), evidenceOf(vaultSpec(), a, a + 1));
        assertEq(_status(id), uint256(Status.Voided));
        vm.roll(uint256(incidents.incident(id).dwellEnd) + 1);
        quorum.settle(id);
        _assertFree();
        quorum.resolve(id, 0);
        assertEq(quorum.owed(bob), CHALLENGE_BOND);
    }

    // ----- equivocation -----

    function test_equivocationCostsTheWholeBond() public {
        LossReport memory first = reportOf(0, ONSET + 10, LOSS);
        uint256 id = post(first);
        LossReport memory second = reportOf(id, ONSET + 10, LOSS / 2);
        address rita = accounts[0];
        _equivocate(rita, first, second);
        assertEq(bondedBy(rita), 0);
        assertFalse(reporters.isReporter(rita));
        uint256 reward = reporters.rewards(keeper);
        assertEq(reward, uint256(MIN_BOND) * PROVER_BPS / 10_000);
        expectRevert(IQuorumRung.AlreadyProven.selector);
        _equivocate(rita, first, second);
        // The others' bonds stand, and the judgement of the report skips what is gone.
        finalise(id);
        vm.warp(incidents.incident(id).claimsEnd + 1);
        quorum.settle(id);
        assertEq(bondedBy(accounts[1]), MIN_BOND);
    }

    function test_equivocationReachesWhatIsLeaving() public {
        LossReport memory first = reportOf(0, ONSET + 10, LOSS);
        LossReport memory second = reportOf(0, ONSET + 10, LOSS);
        second.base += 1;
        address rita = accounts[0];
        vm.prank(rita);
        reporters.unbond(MIN_BOND);
        _equivocate(rita, first, second);
        (,, uint128 leaving,) = reporters.bondOf(rita);
        assertEq(leaving, 0);
    }

    function test_whatIsNoEquivocation() public {
        LossReport memory first = reportOf(0, ONSET + 10, LOSS);
        LossReport memory second = reportOf(0, ONSET + 10, LOSS);
        address rita = accounts[0];
        _noEquivocation(rita, first, second);
        second.loss = LOSS / 2;
        second.reading += 1;
        _noEquivocation(rita, first, second);
        second.reading -= 1;
        second.onset -= 1;
        _noEquivocation(rita, first, second);
        second.onset += 1;
        second.gauge = keccak256("another");
        _noEquivocation(rita, first, second);
        second.gauge = gauge;
        bytes memory one = signedBy(rita, digestOf(first));
        bytes memory two = signedBy(accounts[1], digestOf(second));
        expectRevert(abi.encodeWithSelector(Quorum.BadSignature.selector, rita));
        quorum.equivocate(rita, first, one, second, two);
        one = signedBy(accounts[1], digestOf(first));
        two = signedBy(rita, digestOf(second));
        expectRevert(abi.encodeWithSelector(Quorum.BadSignature.selector, rita));
        quorum.equivocate(rita, first, one, second, two);
    }

    function test_strangersHaveNothingToLose() public {
        (address who, uint256 key) = makeKey("stranger");
        keys[who] = key;
        LossReport memory first = reportOf(0, ONSET + 10, LOSS);
        LossReport memory second = reportOf(0, ONSET + 10, LOSS / 2);
        expectRevert(abi.encodeWithSelector(IQuorumRung.NothingToSlash.selector, who));
        _equivocate(who, first, second);
    }

    // ----- contradiction -----

    /// @dev A vault that lost four tenths in one block; reporters say `loss` of `base`.
    function _reported(uint128 base, uint128 loss) private returns (uint256 id, Evidence memory evidence) {
        openVault();
        uint256 a = seal();
        setVault(600_000e6, 1_000_000e6);
        uint256 time = block.timestamp;
        seal();
        seal();
        LossReport memory report = reportOf(0, uint64(a) + 2, loss);
        (report.onset, report.base) = (uint64(a), base);
        (report.onsetTime, report.afterTime) = (uint64(time - 12), uint64(time));
        id = post(report);
        evidence = evidenceOf(vaultSpec(), _three(a, a + 1, a + 2), new address[](0));
    }

    function _contradict(uint256 id, Evidence memory evidence) private {
        vm.prank(keeper);
        quorum.contradict(id, vaultSpec(), evidence);
    }

    function test_contradictedWhileItDwells() public {
        (uint256 id, Evidence memory evidence) = _reported(BASE, LOSS + BASE / 100 + 1);
        challenge(bob, id, LOSS / 2);
        _contradict(id, evidence);
        _assertSlashed(keeper);
        assertEq(incidents.incident(id).loss, LOSS);
        assertFalse(incidents.held(id));
        expectRevert(abi.encodeWithSelector(IQuorumRung.AlreadySettled.selector, id));
        _contradict(id, evidence);
        finalise(id);
        assertEq(_status(id), uint256(Status.Final));
    }

    function test_contradictedWhileDisputed() public {
        (uint256 id, Evidence memory evidence) = _reported(BASE, BASE);
        challenge(bob, id, 0);
        finalise(id);
        _contradict(id, evidence);
        assertEq(_status(id), uint256(Status.Final));
        assertEq(incidents.incident(id).loss, LOSS);
        _assertSlashed(keeper);
    }

    function test_contradictedWhenFinalOnlySlashes() public {
        (uint256 id, Evidence memory evidence) = _reported(BASE, BASE);
        finalise(id);
        _contradict(id, evidence);
        assertEq(incidents.incident(id).loss, BASE);
        _assertSlashed(keeper);
    }

    function test_understatementIsSlashedAndRaisesNothing() public {
        (uint256 id, Evidence memory evidence) = _reported(BASE, LOSS / 2);
        _contradict(id, evidence);
        assertEq(incidents.incident(id).loss, LOSS / 2);
        _assertSlashed(keeper);
    }

    /// @dev Pools pay the fraction: half the base at half the loss is the same one, and still a false report.
    function test_falseBaseIsScaled() public {
        (uint256 id, Evidence memory evidence) = _reported(BASE / 2, BASE / 2);
        _contradict(id, evidence);
        assertEq(incidents.incident(id).loss, LOSS / 2);
        _assertSlashed(keeper);
    }

    function test_falseTimesVoid() public {
        openVault();
        uint256 a = seal();
        setVault(600_000e6, 1_000_000e6);
        uint256 time = block.timestamp;
        seal();
        LossReport memory report = reportOf(0, uint64(a) + 1, LOSS);
        report.onset = uint64(a);
        (report.onsetTime, report.afterTime) = (uint64(time - 13), uint64(time));
        uint256 id = post(report);
        _contradict(id, evidenceOf(vaultSpec(), a, a + 1));
        _assertSlashed(keeper);
        finalise(id);
        assertEq(_status(id), uint256(Status.Voided));
    }

    /// @dev Off by no more than a hundredth of the base: a reporter who tells the truth is never slashed.
    function test_truthIsNotContradicted() public {
        (uint256 id, Evidence memory evidence) = _reported(BASE, LOSS - BASE / 100);
        expectRevert(abi.encodeWithSelector(IQuorumRung.NoContradiction.selector, BASE, LOSS));
        _contradict(id, evidence);
        _assertNoSlash();
    }

    function test_otherBlocksContradictNothing() public {
        (uint256 id,) = _reported(BASE, BASE);
        Incident memory incident = incidents.incident(id);
        Evidence memory evidence = evidenceOf(vaultSpec(), incident.onset, incident.onset + 1);
        expectRevert(
            abi.encodeWithSelector(IQuorumRung.WrongBlocks.selector, incident.onset, incident.onset + 1)
        );
        _contradict(id, evidence);
    }

    function test_otherGaugesContradictNothing() public {
        (uint256 id, Evidence memory evidence) = _reported(BASE, BASE);
        GaugeSpec memory spec = vaultSpec();
        spec.growth += 1;
        bytes32 other = keccak256(abi.encode(spec));
        expectRevert(abi.encodeWithSelector(IQuorumRung.WrongGauge.selector, gauge, other));
        quorum.contradict(id, spec, evidence);
    }

    /// @dev Whoever proves picks the holders, so another list would contradict the truth.
    function test_enumeratedGaugesAreNotContradicted() public {
        GaugeSpec memory spec = vaultSpec();
        spec.form = Form.Enumerated;
        (spec.growth, spec.assets0, spec.shares0, spec.pinnedAt) = (0, 0, 0, 0);
        Term[] memory terms = new Term[](1);
        terms[0] = spec.terms[0];
        spec.terms = terms;
        spec.holding.base = bytes32(uint256(3));
        gauge = list(spec);
        uint256 id = open(LOSS);
        Evidence memory none;
        expectRevert(abi.encodeWithSelector(IQuorumRung.WrongForm.selector, uint8(Form.Enumerated)));
        quorum.contradict(id, spec, none);
    }

    function test_voidedReportsAreStillContradicted() public {
        (uint256 id, Evidence memory evidence) = _reported(BASE, BASE);
        challenge(bob, id, 0);
        decide(id, 0);
        _contradict(id, evidence);
        _assertSlashed(keeper);
        assertEq(_status(id), uint256(Status.Voided));
    }

    /// @dev Who signed a lie cannot save the bonds by proving a small part of the loss himself.
    function test_outrankedReportsAreStillContradicted() public {
        (uint256 id, Evidence memory evidence) = _reported(BASE, BASE);
        Incident memory incident = incidents.incident(id);
        rung.assertLoss(vaultSpec(), evidenceOf(vaultSpec(), incident.onset, incident.onset + 1));
        assertEq(_status(id), uint256(Status.Voided));
        expectRevert(abi.encodeWithSelector(IQuorumRung.StillOpen.selector, id, uint8(Status.Voided)));
        quorum.settle(id);
        vm.roll(incidents.incident(id).dwellEnd);
        expectRevert(abi.encodeWithSelector(IQuorumRung.StillOpen.selector, id, uint8(Status.Voided)));
        quorum.settle(id);
        _contradict(id, evidence);
        _assertSlashed(keeper);
        assertEq(incidents.incident(id).loss, BASE, "nothing but the bonds");
    }

    /// @dev Nobody found it to be wrong, so the bonds are free once nobody can any more.
    function test_outrankedReportsAreFreeAfterAWindow() public {
        (uint256 id,) = _reported(BASE, LOSS);
        Incident memory incident = incidents.incident(id);
        rung.assertLoss(vaultSpec(), evidenceOf(vaultSpec(), incident.onset, incident.onset + 1));
        vm.roll(uint256(incidents.incident(id).dwellEnd) + 1);
        quorum.settle(id);
        _assertNoSlash();
    }

    // ----- helpers -----

    function _assertNoSlash() private view {
        for (uint256 i; i < 4; ++i) {
            assertEq(bondedBy(accounts[i]), MIN_BOND);
        }
    }

    function _equivocate(address signer, LossReport memory first, LossReport memory second) private {
        bytes memory one = signedBy(signer, digestOf(first));
        bytes memory two = signedBy(signer, digestOf(second));
        vm.prank(keeper);
        quorum.equivocate(signer, first, one, second, two);
    }

    function _noEquivocation(address signer, LossReport memory first, LossReport memory second) private {
        bytes memory one = signedBy(signer, digestOf(first));
        bytes memory two = signedBy(signer, digestOf(second));
        expectRevert(
            abi.encodeWithSelector(IQuorumRung.NoEquivocation.selector, digestOf(first), digestOf(second))
        );
        quorum.equivocate(signer, first, one, second, two);
    }
}
