// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Governor} from "@openzeppelin/contracts/governance/Governor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {
    GovernorCountingFractional
} from "@openzeppelin/contracts/governance/extensions/GovernorCountingFractional.sol";
import {
    GovernorPreventLateQuorum
} from "@openzeppelin/contracts/governance/extensions/GovernorPreventLateQuorum.sol";
import {GovernorSettings} from "@openzeppelin/contracts/governance/extensions/GovernorSettings.sol";
import {
    GovernorTimelockControl
} from "@openzeppelin/contracts/governance/extensions/GovernorTimelockControl.sol";
import {GovernorVotes} from "@openzeppelin/contracts/governance/extensions/GovernorVotes.sol";
import {
    GovernorVotesQuorumFraction
} from "@openzeppelin/contracts/governance/extensions/GovernorVotesQuorumFraction.sol";
import {BreakwaterToken} from "./BreakwaterToken.sol";
import {Timelock} from "./Timelock.sol";

/// @title Council: holders of votes propose, vote, queue and execute
/// @notice It acts through its timelock alone. Its own parameters have bounds that no vote can leave, so that one
///         vote can neither shut out the next nor hurry past those who sleep.
contract Council is
    GovernorSettings,
    GovernorCountingFractional,
    GovernorVotesQuorumFraction,
    GovernorPreventLateQuorum,
    GovernorTimelockControl
{
    struct Terms {
        uint48 votingDelay; // seconds from proposal to vote
        uint32 votingPeriod; // seconds
        uint48 extension; // seconds of vote that stay at least once the quorum is reached, at most the period
        uint256 threshold; // votes that a proposer needs
        uint256 quorumPercent; // of the supply at the snapshot, for and abstaining
        uint256 delay; // seconds from queue to execution
        address guardian; // zero: none
    }

    /// @notice May cancel what waits, the same calls once; nothing else.
    address public guardian;
    /// @notice Calls (their targets, values and data) that a guardian has cancelled; they cannot be cancelled again.
    mapping(bytes32 calls => bool) public vetoed;

    event GuardianSet(address indexed guardian);
    event Vetoed(uint256 indexed proposalId, bytes32 indexed calls, address indexed guardian);

    /// @notice A parameter outside its bounds; `field` is its name in ASCII, left-aligned.
    error OutOfRange(bytes32 field, uint256 least, uint256 most, uint256 got);
    /// @notice A guardian cancels proposals that are pending or queued.
    error NotWaiting(uint256 proposalId, ProposalState state);
    /// @notice A veto delays: the same calls, proposed again, go through.
    error VetoedBefore(bytes32 calls);
    /// @notice Another timelock would not hold the roles that this one holds.
    error TimelockIsFixed();

    /// @dev The timelock is born here, so that nobody ever had a right over it.
    constructor(BreakwaterToken votes, Terms memory terms)
        Governor("Breakwater Council")
        GovernorSettings(terms.votingDelay, terms.votingPeriod, terms.threshold)
        GovernorVotes(votes)
        GovernorVotesQuorumFraction(terms.quorumPercent)
        GovernorPreventLateQuorum(terms.extension)
        GovernorTimelockControl(new Timelock(terms.delay, address(this)))
    {
        _setGuardian(terms.guardian);
    }

    /// @notice Replaces the guardian; zero for none.
    function setGuardian(address newGuardian) external onlyGovernance {
        _setGuardian(newGuardian);
    }

    /// @inheritdoc GovernorTimelockControl
    function updateTimelock(TimelockController) public pure override {
        revert TimelockIsFixed();
    }

    /// @notice The proposer may cancel while the proposal is pending; the guardian while it is pending or queued,
    ///         the same calls once.
    /// @dev A guardian who could cancel again and again could also keep himself from being replaced.
    function cancel(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) public override returns (uint256 proposalId) {
        if (_msgSender() != guardian) {
            return super.cancel(targets, values, calldatas, descriptionHash);
        }
        proposalId = getProposalId(targets, values, calldatas, descriptionHash);
        ProposalState current = state(proposalId);
        if (current != ProposalState.Pending && current != ProposalState.Queued) {
            revert NotWaiting(proposalId, current);
        }
        bytes32 calls = keccak256(abi.encode(targets, values, calldatas));
        if (vetoed[calls]) revert VetoedBefore(calls);
        vetoed[calls] = true;
        emit Vetoed(proposalId, calls, _msgSender());
        return _cancel(targets, values, calldatas, descriptionHash);
    }

    // ----- bounds -----

    function _setVotingDelay(uint48 value) internal override {
        _within("votingDelay", 1 days, 14 days, value);
        super._setVotingDelay(value);
    }

    function _setVotingPeriod(uint32 value) internal override {
        _within("votingPeriod", 2 days, 30 days, value);
        super._setVotingPeriod(value);
    }

    /// @dev In votes, not in parts of a supply that burning lessens: one percent of what was minted at most.
    function _setProposalThreshold(uint256 value) internal override {
        _within("threshold", 1, 1_000_000e18, value);
        super._setProposalThreshold(value);
    }

    function _updateQuorumNumerator(uint256 value) internal override {
        _within("quorumPercent", 2, 30, value);
        super._updateQuorumNumerator(value);
    }

    function _setGuardian(address newGuardian) private {
        guardian = newGuardian;
        emit GuardianSet(newGuardian);
    }

    function _within(bytes32 field, uint256 least, uint256 most, uint256 value) private pure {
        if (value < least || value > most) revert OutOfRange(field, least, most, value);
    }

    // ----- which parent answers -----

    /// @inheritdoc GovernorSettings
    function proposalThreshold() public view override(Governor, GovernorSettings) returns (uint256) {
        return super.proposalThreshold();
    }

    /// @inheritdoc GovernorPreventLateQuorum
    function proposalDeadline(uint256 proposalId)
        public
        view
        override(Governor, GovernorPreventLateQuorum)
        returns (uint256)
    {
        return super.proposalDeadline(proposalId);
    }

    /// @inheritdoc GovernorTimelockControl
    function state(uint256 proposalId)
        public
        view
        override(Governor, GovernorTimelockControl)
        returns (ProposalState)
    {
        return super.state(proposalId);
    }

    /// @inheritdoc GovernorTimelockControl
    function proposalNeedsQueuing(uint256 proposalId)
        public
        view
        override(Governor, GovernorTimelockControl)
        returns (bool)
    {
        return super.proposalNeedsQueuing(proposalId);
    }

    function _tallyUpdated(uint256 proposalId) internal override(Governor, GovernorPreventLateQuorum) {
        super._tallyUpdated(proposalId);
    }

    function _queueOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint48) {
        return super._queueOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _executeOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) {
        super._executeOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _cancel(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint256) {
        return super._cancel(targets, values, calldatas, descriptionHash);
    }

    function _executor() internal view override(Governor, GovernorTimelockControl) returns (address) {
        return super._executor();
    }
}
