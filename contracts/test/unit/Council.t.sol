// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {
    GovernorCountingFractional
} from "@openzeppelin/contracts/governance/extensions/GovernorCountingFractional.sol";
import {BreakwaterToken} from "breakwater/governance/BreakwaterToken.sol";
import {Council} from "breakwater/governance/Council.sol";
import {Timelock} from "breakwater/governance/Timelock.sol";
import {Chamber} from "../Chamber.sol";

/// @notice Who may bring what through, and what nobody can.
contract CouncilTest is Chamber {
    function setUp() public override {
        super.setUp();
        handOver();
    }

    // ----- the token -----

    function test_theSupplyIsFixedAndWithTheHolder() public {
        BreakwaterToken token = new BreakwaterToken(alice);
        assertEq(token.totalSupply(), 100_000_000e18);
        assertEq(token.balanceOf(alice), 100_000_000e18);
        assertEq(token.symbol(), "BWR");
        assertEq(token.CLOCK_MODE(), "mode=timestamp");
        assertEq(token.clock(), block.timestamp);
        assertEq(token.nonces(alice), 0);
        vm.prank(alice);
        token.burn(1);
        assertEq(token.totalSupply(), 100_000_000e18 - 1);
    }

    // ----- the timelock -----

    /// @dev Born with the council: it alone proposes and cancels, anyone executes, nobody administers it.
    function test_theTimelockServesTheCouncilAlone() public view {
        bytes32 admin = timelock.DEFAULT_ADMIN_ROLE();
        assertTrue(timelock.hasRole(timelock.PROPOSER_ROLE(), address(council)));
        assertTrue(timelock.hasRole(timelock.CANCELLER_ROLE(), address(council)));
        assertTrue(timelock.hasRole(timelock.EXECUTOR_ROLE(), address(0)));
        assertTrue(timelock.hasRole(admin, address(timelock)));
        assertFalse(timelock.hasRole(admin, address(this)));
        assertFalse(timelock.hasRole(admin, address(council)));
        assertFalse(timelock.hasRole(timelock.CANCELLER_ROLE(), guardian));
    }

    function test_theDelayStaysWithinItsBounds() public {
        Proposal memory p =
            proposal("longer", address(timelock), abi.encodeCall(timelock.updateDelay, (30 days)));
        pass(p);
        assertEq(timelock.getMinDelay(), 30 days);
        pass(proposal("as it was", address(timelock), abi.encodeCall(timelock.updateDelay, (2 days))));
        assertEq(timelock.getMinDelay(), 2 days);
        _outOfBounds(
            address(timelock),
            abi.encodeCall(timelock.updateDelay, (2 days - 1)),
            abi.encodeWithSelector(Timelock.DelayOutOfRange.selector, 2 days, 30 days, 2 days - 1)
        );
        _outOfBounds(
            address(timelock),
            abi.encodeCall(timelock.updateDelay, (30 days + 1)),
            abi.encodeWithSelector(Timelock.DelayOutOfRange.selector, 2 days, 30 days, 30 days + 1)
        );
        expectRevert(
            abi.encodeWithSelector(TimelockController.TimelockUnauthorizedCaller.selector, address(this))
        );
        timelock.updateDelay(3 days);
        expectRevert(abi.encodeWithSelector(Timelock.DelayOutOfRange.selector, 0, 30 days, 31 days));
        new Timelock(31 days, address(council));
    }

    function test_theTimelockIsFixed() public {
        _outOfBounds(
            address(council),
            abi.encodeCall(council.updateTimelock, (timelock)),
            abi.encodeWithSelector(Council.TimelockIsFixed.selector)
        );
    }

    // ----- bounds -----

    /// @dev Each parameter at its bounds and one beyond; what fails stays queued and changes nothing.
    function test_parametersStayWithinTheirBounds() public {
        _bounds("votingDelay", 1 days, 14 days);
        assertEq(council.votingDelay(), 14 days);
        _bounds("votingPeriod", 2 days, 30 days);
        assertEq(council.votingPeriod(), 30 days);
        _bounds("quorumPercent", 2, 30);
        assertEq(council.quorumNumerator(), 30);
    }

    function test_theThresholdStaysWithinItsBounds() public {
        _bounds("threshold", 1, 1_000_000e18);
        assertEq(council.proposalThreshold(), 1_000_000e18);
    }

    function test_constructionHasTheSameBounds() public {
        Council.Terms memory terms = councilTerms();
        terms.votingPeriod = 1 days;
        expectRevert(
            abi.encodeWithSelector(
                Council.OutOfRange.selector, bytes32("votingPeriod"), 2 days, 30 days, 1 days
            )
        );
        new Council(bwr, terms);
    }

    function _bounds(bytes32 field, uint256 least, uint256 most) private {
        _refused(field, least, most, least - 1);
        _refused(field, least, most, most + 1);
        // The quorum is reached by no vote of this test when it is at its most, so that goes last.
        pass(proposal(_text(field, least), address(council), _setter(field, least)));
        pass(proposal(_text(field, most), address(council), _setter(field, most)));
    }

    function _refused(bytes32 field, uint256 least, uint256 most, uint256 value) private {
        _outOfBounds(
            address(council),
            _setter(field, value),
            abi.encodeWithSelector(Council.OutOfRange.selector, field, least, most, value)
        );
    }

    function _outOfBounds(address target, bytes memory call, bytes memory reason) private {
        Proposal memory p = proposal("too far", target, call);
        uint256 id = carry(p);
        enqueue(p);
        ripen();
        bytes32 before = _parameters();
        expectRevert(reason);
        execute(p);
        assertState(id, IGovernor.ProposalState.Queued);
        assertEq(_parameters(), before);
    }

    function _parameters() private view returns (bytes32) {
        return keccak256(
            abi.encode(
                council.votingDelay(),
                council.votingPeriod(),
                council.proposalThreshold(),
                council.quorumNumerator(),
                council.timelock(),
                timelock.getMinDelay()
            )
        );
    }

    function _setter(bytes32 field, uint256 value) private view returns (bytes memory) {
        if (field == "votingDelay") return abi.encodeCall(council.setVotingDelay, (uint48(value)));
        if (field == "votingPeriod") return abi.encodeCall(council.setVotingPeriod, (uint32(value)));
        if (field == "threshold") return abi.encodeCall(council.setProposalThreshold, (value));
        return abi.encodeCall(council.updateQuorumNumerator, (value));
    }

    function _text(bytes32 field, uint256 value) private pure returns (string memory) {
        return string(abi.encodePacked(field, vm.toString(value)));
    }

    /// @dev No key but a proposal of the council itself.
    function test_nobodySetsParametersFromOutside() public {
        vm.startPrank(guardian);
        expectRevert(abi.encodeWithSelector(IGovernor.GovernorOnlyExecutor.selector, guardian));
        council.setGuardian(alice);
        expectRevert(abi.encodeWithSelector(IGovernor.GovernorOnlyExecutor.selector, guardian));
        council.setVotingDelay(1 days);
        vm.stopPrank();
    }

    // ----- votes -----

    function test_votesAreFractionalAndDelegated() public {
        Proposal memory p = _harmless("fractions");
        uint256 id = propose(p);
        vm.warp(council.proposalSnapshot(id) + 1);
        vm.startPrank(whale);
        council.castVoteWithReasonAndParams(id, FRACTIONAL, "", _split(1_000_000e18, 2_000_000e18, 0));
        council.castVoteWithReasonAndParams(id, FRACTIONAL, "", _split(0, 0, 3_000_000e18));
        expectRevert(abi.encodeWithSelector(IGovernor.GovernorAlreadyCastVote.selector, whale));
        council.castVoteWithReasonAndParams(id, FRACTIONAL, "", _split(1, 0, 0));
        vm.stopPrank();
        // What was delegated counts with the delegate, and with nobody else.
        vm.prank(delegate);
        council.castVote(id, FOR);
        vm.prank(saver);
        expectRevert(abi.encodeWithSelector(IGovernor.GovernorAlreadyCastVote.selector, saver));
        council.castVote(id, AGAINST);
        (uint256 against, uint256 supporting, uint256 abstaining) = council.proposalVotes(id);
        assertEq(against, 1_000_000e18);
        assertEq(supporting, 5_000_000e18);
        assertEq(abstaining, 3_000_000e18);
    }

    function test_nobodyVotesWithMoreThanAtTheSnapshot() public {
        uint256 id = propose(_harmless("borrowed"));
        vm.warp(council.proposalSnapshot(id) + 1);
        vm.prank(whale);
        bwr.transfer(alice, 6_000_000e18);
        vm.startPrank(alice);
        bwr.delegate(alice);
        expectRevert(abi.encodeWithSelector(IGovernor.GovernorAlreadyCastVote.selector, alice));
        council.castVote(id, FOR);
        vm.stopPrank();
        vm.prank(minnow);
        expectRevert(
            abi.encodeWithSelector(
                GovernorCountingFractional.GovernorExceedRemainingWeight.selector,
                minnow,
                10_000e18 + 1,
                10_000e18
            )
        );
        council.castVoteWithReasonAndParams(id, FRACTIONAL, "", _split(1, 10_000e18, 0));
    }

    function test_proposalsNeedTheThreshold() public {
        Proposal memory p = _harmless("from nobody");
        vm.prank(alice);
        expectRevert(
            abi.encodeWithSelector(IGovernor.GovernorInsufficientProposerVotes.selector, alice, 0, 5000e18)
        );
        council.propose(p.targets, p.values, p.calldatas, p.description);
    }

    /// @dev Four percent of the supply is more than the delegate has.
    function test_withoutAQuorumNothingPasses() public {
        Proposal memory p = _harmless("few");
        uint256 id = propose(p);
        vm.warp(council.proposalSnapshot(id) + 1);
        vm.prank(delegate);
        council.castVote(id, FOR);
        vm.warp(council.proposalDeadline(id) + 1);
        assertState(id, IGovernor.ProposalState.Defeated);
        assertEq(council.quorum(council.proposalSnapshot(id)), 4_000_000e18);
        expectRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        enqueue(p);
    }

    /// @dev A quorum in the last second leaves the others two days to answer it.
    function test_aLateQuorumExtendsTheVote() public {
        uint256 id = propose(_harmless("late"));
        uint256 deadline = council.proposalDeadline(id);
        vm.warp(deadline);
        vm.prank(whale);
        council.castVote(id, FOR);
        assertEq(council.proposalDeadline(id), deadline + 2 days);
        vm.warp(deadline + 2 days);
        assertState(id, IGovernor.ProposalState.Active);
    }

    // ----- from vote to deed -----

    /// @dev With cold storage of council and token, without the 21,000 of a transaction.
    function test_gasOfAProposal() public {
        Proposal memory p = _harmless("gas");
        vm.cool(address(council));
        vm.cool(address(bwr));
        uint256 id = propose(p);
        vm.snapshotGasLastCall("Governance", "propose");
        vm.warp(council.proposalSnapshot(id) + 1);
        vm.cool(address(council));
        vm.cool(address(bwr));
        vm.prank(whale);
        council.castVote(id, FOR);
        vm.snapshotGasLastCall("Governance", "castVote");
        vm.warp(council.proposalDeadline(id) + 1);
        vm.cool(address(council));
        enqueue(p);
        vm.snapshotGasLastCall("Governance", "queue");
        vm.warp(council.proposalEta(id));
        vm.cool(address(council));
        execute(p);
        vm.snapshotGasLastCall("Governance", "execute, one call");
        assertState(id, IGovernor.ProposalState.Executed);
    }

    function test_aProposalWaitsInTheTimelock() public {
        Proposal memory p = _harmless("waits");
        uint256 id = carry(p);
        assertState(id, IGovernor.ProposalState.Succeeded);
        expectRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        execute(p);
        enqueue(p);
        assertTrue(council.proposalNeedsQueuing(id));
        assertEq(council.proposalEta(id), block.timestamp + 2 days);
        vm.warp(block.timestamp + 2 days - 1);
        expectRevert(TimelockController.TimelockUnexpectedOperationState.selector);
        execute(p);
        vm.warp(block.timestamp + 1);
        execute(p);
        assertState(id, IGovernor.ProposalState.Executed);
        expectRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        execute(p);
    }

    // ----- the guardian -----

    /// @dev A veto delays the same calls once; proposed again they pass, whatever the guardian wants.
    function test_theGuardianDelaysOnce() public {
        Proposal memory p =
            proposal("replace the guardian", address(council), abi.encodeCall(council.setGuardian, (alice)));
        uint256 id = carry(p);
        enqueue(p);
        vm.prank(guardian);
        cancel(p);
        assertState(id, IGovernor.ProposalState.Canceled);
        ripen();
        expectRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        execute(p);

        p.description = "replace the guardian, again";
        id = carry(p);
        enqueue(p);
        bytes32 calls = keccak256(abi.encode(p.targets, p.values, p.calldatas));
        assertTrue(council.vetoed(calls));
        vm.prank(guardian);
        expectRevert(abi.encodeWithSelector(Council.VetoedBefore.selector, calls));
        cancel(p);
        ripen();
        execute(p);
        assertEq(council.guardian(), alice);
    }

    function test_theGuardianCancelsWhatIsPending() public {
        Proposal memory p = _harmless("pending");
        uint256 id = propose(p);
        vm.prank(guardian);
        cancel(p);
        assertState(id, IGovernor.ProposalState.Canceled);
    }

    /// @dev Not while votes are cast, nor between vote and queue, nor after the deed.
    function test_theGuardianCancelsNothingElse() public {
        Proposal memory p = _harmless("active");
        uint256 id = propose(p);
        vm.warp(council.proposalSnapshot(id) + 1);
        _guardianRefused(p, id, IGovernor.ProposalState.Active);
        p = _harmless("succeeded");
        id = carry(p);
        _guardianRefused(p, id, IGovernor.ProposalState.Succeeded);
        enqueue(p);
        ripen();
        execute(p);
        _guardianRefused(p, id, IGovernor.ProposalState.Executed);
    }

    function _guardianRefused(Proposal memory p, uint256 id, IGovernor.ProposalState state) private {
        vm.prank(guardian);
        expectRevert(abi.encodeWithSelector(Council.NotWaiting.selector, id, state));
        cancel(p);
    }

    function test_nobodyElseCancels() public {
        Proposal memory p = _harmless("mine");
        uint256 id = propose(p);
        vm.prank(alice);
        expectRevert(abi.encodeWithSelector(IGovernor.GovernorUnableToCancel.selector, id, alice));
        cancel(p);
        // A proposer may think again until the vote begins.
        vm.warp(council.proposalSnapshot(id) + 1);
        vm.prank(whale);
        expectRevert(abi.encodeWithSelector(IGovernor.GovernorUnableToCancel.selector, id, whale));
        cancel(p);
        p = _harmless("withdrawn");
        id = propose(p);
        vm.prank(whale);
        cancel(p);
        assertState(id, IGovernor.ProposalState.Canceled);
    }

    /// @dev The guardian has no other right: it neither proposes nor schedules.
    function test_theGuardianNeitherProposesNorSchedules() public {
        Proposal memory p = _harmless("of the guardian");
        vm.startPrank(guardian);
        expectRevert(IGovernor.GovernorInsufficientProposerVotes.selector);
        council.propose(p.targets, p.values, p.calldatas, p.description);
        expectRevert(IAccessControl.AccessControlUnauthorizedAccount.selector);
        timelock.schedule(p.targets[0], 0, p.calldatas[0], 0, 0, 2 days);
        expectRevert(IAccessControl.AccessControlUnauthorizedAccount.selector);
        timelock.cancel(0);
        vm.stopPrank();
    }

    function _harmless(string memory description) private view returns (Proposal memory) {
        return proposal(description, address(council), abi.encodeCall(council.setVotingDelay, (1 days)));
    }

    function _split(uint256 against, uint256 supporting, uint256 abstaining)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(uint128(against), uint128(supporting), uint128(abstaining));
    }
}
