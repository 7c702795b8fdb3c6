// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IIncidents} from "breakwater/interfaces/IIncidents.sol";
import {IQuorumRung, Positions} from "breakwater/interfaces/IQuorumRung.sol";
import {LossReport, PositionsReport} from "breakwater/libraries/Eip712Types.sol";
import {Quorum} from "breakwater/libraries/Quorum.sol";
import {Quorums} from "../Quorums.sol";

/// @notice Roots of positions: posted, struck, standing, recorded.
contract QuorumPositionsTest is Quorums {
    uint128 private constant LOSS = 400_000e6;
    uint256 private id;

    function setUp() public override {
        super.setUp();
        id = open(LOSS);
    }

    function _leaf(address account, uint128 lost, uint128 value) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(account, lost, value))));
    }

    function _pair(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }

    /// @dev Alice lost four of ten, Bob eight of twenty.
    function _root() private view returns (bytes32) {
        return _pair(_leaf(alice, 4e6, 10e6), _leaf(bob, 8e6, 20e6));
    }

    function _record() private {
        (address[] memory who, uint128[] memory lost) = (new address[](2), new uint128[](2));
        (uint128[] memory value, bytes32[][] memory proofs) = (new uint128[](2), new bytes32[][](2));
        (who[0], lost[0], value[0]) = (alice, 4e6, 10e6);
        (who[1], lost[1], value[1]) = (bob, 8e6, 20e6);
        (proofs[0], proofs[1]) = (new bytes32[](1), new bytes32[](1));
        proofs[0][0] = _leaf(bob, 8e6, 20e6);
        proofs[1][0] = _leaf(alice, 4e6, 10e6);
        quorum.recordPositions(id, who, lost, value, proofs);
    }

    function _strike(address striker) private {
        fund(striker, CHALLENGE_BOND);
        vm.prank(striker);
        quorum.strike(id);
    }

    function test_standsAfterOneWindow() public {
        bytes32 root = _root();
        postPositions(positionsReport(id, root));
        Positions memory p = quorum.positions(id);
        assertEq(p.pending, root);
        assertEq(p.pendingEnd, block.number + QUORUM_WINDOW);
        vm.roll(p.pendingEnd);
        expectRevert(abi.encodeWithSelector(IQuorumRung.NoPositions.selector, id));
        _record();
        vm.roll(p.pendingEnd + 1);
        assertEq(quorum.positions(id).standing, root);
        _record();
        assertEq(incidents.positionLost(id, alice), 4e6);
        assertEq(incidents.positionLost(id, bob), 8e6);
    }

    function test_nothingButTheLeaves() public {
        postPositions(positionsReport(id, _root()));
        vm.roll(quorum.positions(id).pendingEnd + 1);
        (address[] memory who, uint128[] memory lost) = (new address[](1), new uint128[](1));
        (uint128[] memory value, bytes32[][] memory proofs) = (new uint128[](1), new bytes32[][](1));
        (who[0], lost[0], value[0]) = (alice, 5e6, 10e6);
        proofs[0] = new bytes32[](1);
        proofs[0][0] = _leaf(bob, 8e6, 20e6);
        expectRevert(abi.encodeWithSelector(IQuorumRung.WrongProof.selector, alice));
        quorum.recordPositions(id, who, lost, value, proofs);
        expectRevert(abi.encodeWithSelector(IQuorumRung.WrongLength.selector, 1, 0));
        quorum.recordPositions(id, who, new uint128[](0), value, proofs);
        expectRevert(abi.encodeWithSelector(IQuorumRung.WrongLength.selector, 1, 0));
        quorum.recordPositions(id, who, lost, new uint128[](0), proofs);
        expectRevert(abi.encodeWithSelector(IQuorumRung.WrongLength.selector, 1, 2));
        quorum.recordPositions(id, who, lost, value, new bytes32[][](2));
    }

    function test_signedAndOnce() public {
        PositionsReport memory report = positionsReport(id, _root());
        postPositions(report);
        expectRevert(abi.encodeWithSelector(Quorum.NonceUsed.selector, report.nonce + 1, report.nonce));
        quorum.postPositions(report, new address[](0), new bytes[](0));
        report.nonce += 1;
        expectRevert(abi.encodeWithSelector(Quorum.TooFewSignatures.selector, 3, 0));
        quorum.postPositions(report, new address[](0), new bytes[](0));
        report = positionsReport(id, 0);
        expectRevert(IQuorumRung.ZeroRoot.selector);
        quorum.postPositions(report, new address[](0), new bytes[](0));
        report = positionsReport(9, _root());
        expectRevert(abi.encodeWithSelector(IQuorumRung.UnknownReport.selector, 9));
        quorum.postPositions(report, new address[](0), new bytes[](0));
    }

    function test_strikeOfWhatIsRepeatedIsBurned() public {
        postPositions(positionsReport(id, _root()));
        _strike(carol);
        assertEq(quorum.positions(id).pending, bytes32(0));
        postPositions(positionsReport(id, _root()));
        assertEq(quorum.owed(carol), 0);
        assertEq(quorum.unburned(), CHALLENGE_BOND);
        quorum.burn();
        assertEq(bondToken.balanceOf(SINK), CHALLENGE_BOND);
    }

    function test_strikeOfWhatIsMendedComesBack() public {
        postPositions(positionsReport(id, keccak256("wrong")));
        _strike(carol);
        postPositions(positionsReport(id, _root()));
        assertEq(quorum.owed(carol), CHALLENGE_BOND);
        expectRevert(abi.encodeWithSelector(IQuorumRung.NoStrike.selector, id));
        quorum.resolveStrike(id);
    }

    /// @dev Late by two windows at most, and never denied.
    function test_thirdRootStandsAtOnce() public {
        for (uint256 i; i < 2; ++i) {
            postPositions(positionsReport(id, _root()));
            _strike(carol);
        }
        postPositions(positionsReport(id, _root()));
        _record();
        assertEq(incidents.positionLost(id, alice), 4e6);
        fund(carol, CHALLENGE_BOND);
        vm.prank(carol);
        expectRevert(abi.encodeWithSelector(IQuorumRung.NothingPending.selector, id));
        quorum.strike(id);
    }

    function test_standingRootIsNotStruck() public {
        postPositions(positionsReport(id, _root()));
        vm.roll(quorum.positions(id).pendingEnd + 1);
        fund(carol, CHALLENGE_BOND);
        vm.prank(carol);
        expectRevert(abi.encodeWithSelector(IQuorumRung.NothingPending.selector, id));
        quorum.strike(id);
    }

    /// @dev A root that stood stays while a better one waits.
    function test_nextRootTakesItsPlaceLater() public {
        postPositions(positionsReport(id, _root()));
        vm.roll(quorum.positions(id).pendingEnd + 1);
        postPositions(positionsReport(id, keccak256("more")));
        _record();
        assertEq(quorum.positions(id).standing, _root());
        vm.roll(quorum.positions(id).pendingEnd + 1);
        assertEq(quorum.positions(id).standing, keccak256("more"));
        expectRevert(abi.encodeWithSelector(IQuorumRung.WrongProof.selector, alice));
        _record();
    }

    function test_strikeTooLateWouldDeny() public {
        finalise(id);
        uint256 claimsEnd = incidents.incident(id).claimsEnd;
        uint256 room = 2 * uint256(QUORUM_WINDOW) * 15;
        vm.warp(claimsEnd - room);
        postPositions(positionsReport(id, keccak256("wrong")));
        _strike(carol);
        postPositions(positionsReport(id, _root()));
        vm.warp(claimsEnd - room + 1);
        fund(carol, CHALLENGE_BOND);
        vm.prank(carol);
        expectRevert(abi.encodeWithSelector(IQuorumRung.StrikeTooLate.selector, claimsEnd, claimsEnd + 1));
        quorum.strike(id);
    }

    function test_unansweredStrikeComesBackWithTheEnd() public {
        postPositions(positionsReport(id, _root()));
        _strike(carol);
        expectRevert(IQuorumRung.StillOpen.selector);
        quorum.resolveStrike(id);
        finalise(id);
        expectRevert(IQuorumRung.ClaimsOpen.selector);
        quorum.resolveStrike(id);
        uint256 claimsEnd = incidents.incident(id).claimsEnd;
        vm.warp(claimsEnd + 1);
        PositionsReport memory late = positionsReport(id, _root());
        expectRevert(abi.encodeWithSelector(IIncidents.ClaimsOver.selector, id, claimsEnd));
        quorum.postPositions(late, new address[](0), new bytes[](0));
        quorum.resolveStrike(id);
        vm.startPrank(carol);
        quorum.withdraw();
        assertEq(bondToken.balanceOf(carol), CHALLENGE_BOND);
        expectRevert(abi.encodeWithSelector(IQuorumRung.NothingOwed.selector, carol));
        quorum.withdraw();
        vm.stopPrank();
    }

    function test_earlierOnsetDropsTheRoot() public {
        postPositions(positionsReport(id, _root()));
        vm.roll(quorum.positions(id).pendingEnd);
        // Another reading of the same onset leaves it alone.
        post(reportOf(id, ONSET + 20, LOSS));
        assertEq(quorum.positions(id).pending, _root());
        LossReport memory moved = reportOf(id, ONSET + 30, LOSS + 1);
        moved.onset -= 1;
        post(moved);
        assertEq(quorum.positions(id).pending, bytes32(0));
        assertEq(quorum.positions(id).standing, bytes32(0));
    }
}
