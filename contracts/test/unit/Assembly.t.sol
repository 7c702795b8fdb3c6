// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {AssemblyConfig, Case, IAssembly} from "breakwater/interfaces/IAssembly.sol";
import {Incident, Status} from "breakwater/interfaces/IIncidents.sol";
import {LossReport} from "breakwater/libraries/Eip712Types.sol";
import {Assembly} from "breakwater/triggers/Assembly.sol";
import {Quorums} from "../Quorums.sol";
import {FeeToken, Token} from "../Tokens.sol";

/// @notice Disputes of the quorum rung before a real assembly, from stake to decision.
contract AssemblyTest is Quorums {
    uint128 private constant LOSS = 400_000e6;
    uint32 private constant COMMIT = 1 hours;
    uint32 private constant REVEAL = 2 hours;
    bytes32 private constant SALT = keccak256("salt");

    Assembly private house;
    Token private gov;
    uint256 private id;

    function assemblyFor() internal override returns (address) {
        gov = new Token("GOV", 18);
        house = new Assembly(incidents, _config());
        return address(house);
    }

    /// @dev Alice 50, Bob 30, Carol 20; then a report that Lp disputes down to a quarter.
    function setUp() public override {
        super.setUp();
        _stake(alice, 50e18);
        _stake(bob, 30e18);
        _stake(carol, 20e18);
        vm.roll(block.number + 1);
        id = open(LOSS);
        challenge(lp, id, LOSS / 4);
        finalise(id);
    }

    function _config() private view returns (AssemblyConfig memory) {
        return AssemblyConfig({
            token: address(gov),
            sink: SINK,
            commitTime: COMMIT,
            revealTime: REVEAL,
            unstakeDelay: 30 days,
            quorumBps: 4000,
            slashBps: 1000
        });
    }

    function _stake(address voter, uint128 amount) private {
        gov.mint(voter, amount);
        vm.startPrank(voter);
        gov.approve(address(house), amount);
        house.stake(amount);
        vm.stopPrank();
    }

    function _commit(address voter, uint8 value) private {
        uint8 round = house.caseOf(id).round;
        bytes32 commitment = house.commitmentOf(id, round, voter, value, SALT);
        vm.prank(voter);
        house.commit(id, commitment);
    }

    function _reveal(address voter, uint8 value) private {
        vm.prank(voter);
        house.reveal(id, value, SALT);
    }

    function _toReveal() private {
        vm.warp(house.caseOf(id).commitEnd + 1);
    }

    function _toEnd() private {
        vm.warp(house.caseOf(id).revealEnd + 1);
    }

    function _staked(address voter) private view returns (uint128 staked) {
        (staked,,,) = house.stakeOf(voter);
    }

    /// @dev What a percent of the way from undisputed to asserted is.
    function _loss(uint256 percent) private pure returns (uint256) {
        return LOSS / 4 + (LOSS - LOSS / 4) * percent / 100;
    }

    // ----- making -----

    function test_parametersAreBounded() public {
        AssemblyConfig memory c = _config();
        c.token = address(0);
        _refused("token", 0, c);
        c = _config();
        c.sink = address(0);
        _refused("sink", 0, c);
        c = _config();
        c.commitTime = 1 hours - 1;
        _refused("commitTime", c.commitTime, c);
        c.commitTime = 14 days + 1;
        _refused("commitTime", c.commitTime, c);
        c = _config();
        c.revealTime = 1 hours - 1;
        _refused("revealTime", c.revealTime, c);
        c = _config();
        c.unstakeDelay = 2 * (COMMIT + REVEAL) - 1;
        _refused("unstakeDelay", c.unstakeDelay, c);
        c.unstakeDelay = 180 days + 1;
        _refused("unstakeDelay", c.unstakeDelay, c);
        c = _config();
        c.quorumBps = 0;
        _refused("quorumBps", 0, c);
        c = _config();
        c.slashBps = 10_001;
        _refused("slashBps", 10_001, c);
    }

    function _refused(bytes32 field, uint256 got, AssemblyConfig memory c) private {
        expectRevert(abi.encodeWithSelector(IAssembly.OutOfRange.selector, field, got));
        new Assembly(incidents, c);
    }

    // ----- stake -----

    function test_stakeIsWhatArrives() public {
        FeeToken fee = new FeeToken();
        AssemblyConfig memory c = _config();
        c.token = address(fee);
        Assembly own = new Assembly(incidents, c);
        fee.mint(alice, 100);
        vm.startPrank(alice);
        fee.approve(address(own), 100);
        expectRevert(abi.encodeWithSelector(IAssembly.WrongTransfer.selector, 100, 99));
        own.stake(100);
        expectRevert(IAssembly.ZeroAmount.selector);
        own.stake(0);
        vm.stopPrank();
    }

    function test_unstakingIsDelayed() public {
        vm.startPrank(carol);
        expectRevert(abi.encodeWithSelector(IAssembly.NotEnoughStake.selector, carol, 20e18, 20e18 + 1));
        house.unstake(20e18 + 1);
        house.unstake(5e18);
        assertEq(_staked(carol), 15e18);
        uint256 end = block.timestamp + 30 days;
        vm.warp(end - 1);
        expectRevert(abi.encodeWithSelector(IAssembly.StillLeaving.selector, carol, end));
        house.withdraw();
        vm.warp(end);
        house.withdraw();
        assertEq(gov.balanceOf(carol), 5e18);
        expectRevert(abi.encodeWithSelector(IAssembly.NothingToWithdraw.selector, carol));
        house.withdraw();
        vm.stopPrank();
    }

    function test_stakeIsCheckpointed() public {
        uint256 number = block.number;
        vm.prank(carol);
        house.unstake(5e18);
        vm.roll(number + 1);
        assertEq(house.stakedAt(carol, number - 1), 20e18);
        assertEq(house.stakedAt(carol, number), 15e18);
        assertEq(house.totalStakedAt(number), 95e18);
        expectRevert(abi.encodeWithSelector(IAssembly.NotMined.selector, number + 1, number + 1));
        house.stakedAt(carol, number + 1);
    }

    // ----- beginning -----

    function test_beginsADisputeOnce() public {
        house.begin(id);
        Case memory c = house.caseOf(id);
        assertEq(c.undisputed, LOSS / 4);
        assertEq(c.asserted, LOSS);
        assertEq(c.eligible, 100e18);
        assertEq(c.commitEnd, block.timestamp + COMMIT);
        assertEq(c.revealEnd, block.timestamp + COMMIT + REVEAL);
        expectRevert(abi.encodeWithSelector(IAssembly.AlreadyBegun.selector, id));
        house.begin(id);
        expectRevert(abi.encodeWithSelector(IAssembly.NotDisputed.selector, 7, 0));
        house.begin(7);
    }

    function test_nothingWithoutACase() public {
        bytes memory unknown = abi.encodeWithSelector(IAssembly.UnknownCase.selector, id);
        expectRevert(unknown);
        house.commit(id, SALT);
        expectRevert(unknown);
        house.reveal(id, 1, SALT);
        expectRevert(unknown);
        house.close(id);
        expectRevert(unknown);
        house.punish(id, 0, alice);
    }

    // ----- deciding -----

    /// @dev With cold storage of the house, without the 21,000 of a transaction.
    function test_gasOfADispute() public {
        vm.cool(address(house));
        _stake(alice, 1e18);
        vm.snapshotGasLastCall("Assembly", "stake, again");
        vm.cool(address(house));
        house.begin(id);
        vm.snapshotGasLastCall("Assembly", "begin");
        vm.cool(address(house));
        _commit(alice, 100);
        vm.snapshotGasLastCall("Assembly", "commit");
        _commit(bob, 40);
        _toReveal();
        vm.cool(address(house));
        _reveal(alice, 100);
        vm.snapshotGasLastCall("Assembly", "reveal");
        _reveal(bob, 40);
        _toEnd();
        vm.cool(address(house));
        house.close(id);
        vm.snapshotGasLastCall("Assembly", "close, no pool");
        assertEq(uint256(incidents.incident(id).status), uint256(Status.Final));
    }

    function test_medianDecides() public {
        house.begin(id);
        _commit(alice, 100);
        _commit(bob, 40);
        _commit(carol, 0);
        _toReveal();
        _reveal(alice, 100);
        _reveal(bob, 40);
        _reveal(carol, 0);
        assertEq(house.tally(id, 0)[40], 30e18);
        _toEnd();
        house.close(id);
        Incident memory incident = incidents.incident(id);
        assertEq(uint256(incident.status), uint256(Status.Final));
        assertEq(incident.loss, _loss(40), "half the stake is at 40 or below: the lower median");
        expectRevert(abi.encodeWithSelector(IAssembly.CaseClosed.selector, id));
        house.close(id);
    }

    function test_oneMoreUnitMovesTheMedian() public {
        _newDispute(1);
        house.begin(id);
        _commit(alice, 100);
        _commit(bob, 40);
        _commit(carol, 0);
        _toReveal();
        _reveal(alice, 100);
        _reveal(bob, 40);
        _reveal(carol, 0);
        _toEnd();
        house.close(id);
        assertEq(incidents.incident(id).loss, LOSS);
    }

    /// @dev Alice gets one unit more before another report is opened and disputed.
    function _newDispute(uint128 more) private {
        incidents.finalise(_over(id));
        _stake(alice, more);
        vm.roll(block.number + 1);
        id = post(_later());
        challenge(lp, id, LOSS / 4);
        finalise(id);
    }

    function _over(uint256 old) private returns (uint256) {
        vm.roll(incidents.incident(old).dwellEnd + 1);
        return old;
    }

    function _later() private returns (LossReport memory report) {
        report = reportOf(0, ONSET + 30, LOSS);
        report.onset = ONSET + 20;
    }

    /// @dev An honest minority loses nothing, and may leave once it has revealed.
    function test_minoritiesAreNotSlashed() public {
        house.begin(id);
        _commit(alice, 100);
        _commit(carol, 3);
        _toReveal();
        _reveal(alice, 100);
        _reveal(carol, 3);
        _toEnd();
        house.close(id);
        expectRevert(abi.encodeWithSelector(IAssembly.NotCommitted.selector, id, carol));
        house.punish(id, 0, carol);
        vm.prank(carol);
        house.unstake(20e18);
        assertEq(house.unburned(), 0);
    }

    // ----- silence never rejects a claim -----

    function test_twoRoundsOfSilenceLetTheAssertedLossStand() public {
        house.begin(id);
        _toEnd();
        house.close(id);
        Case memory c = house.caseOf(id);
        assertEq(c.round, 1);
        assertEq(c.commitEnd, block.timestamp + COMMIT);
        expectRevert(abi.encodeWithSelector(IAssembly.RevealNotOver.selector, id, c.revealEnd));
        house.close(id);
        _toEnd();
        house.close(id);
        assertEq(uint256(incidents.incident(id).status), uint256(Status.Final));
        assertEq(incidents.incident(id).loss, LOSS);
    }

    /// @dev Carol's 20 of 100 are no quorum of 40, whatever she says; her votes of the first round do not carry over.
    function test_missingQuorumDecidesNothing() public {
        house.begin(id);
        for (uint256 i; i < 2; ++i) {
            _commit(carol, 0);
            _toReveal();
            _reveal(carol, 0);
            _toEnd();
            house.close(id);
        }
        assertEq(incidents.incident(id).loss, LOSS);
    }

    function test_secondRoundMayDecide() public {
        house.begin(id);
        _toEnd();
        house.close(id);
        _commit(alice, 10);
        _toReveal();
        _reveal(alice, 10);
        _toEnd();
        house.close(id);
        assertEq(incidents.incident(id).loss, _loss(10));
    }

    /// @dev The dispute has its own end; a case that outlives it decides nothing.
    function test_endedDisputesAreNotDecided() public {
        house.begin(id);
        _commit(alice, 0);
        _toReveal();
        _reveal(alice, 0);
        finalise(id);
        assertEq(incidents.incident(id).loss, LOSS);
        _toEnd();
        house.close(id);
        assertEq(incidents.incident(id).loss, LOSS);
        assertTrue(house.caseOf(id).closed);
    }

    // ----- who votes -----

    function test_stakedLaterDoesNotVote() public {
        _stake(keeper, 1000e18);
        vm.roll(block.number + 1);
        house.begin(id);
        assertEq(house.caseOf(id).eligible, 100e18);
        uint256 openedAt = incidents.incident(id).openedAt;
        vm.prank(keeper);
        expectRevert(abi.encodeWithSelector(IAssembly.NoStake.selector, keeper, openedAt));
        house.commit(id, SALT);
        _stake(carol, 1000e18);
        _commit(carol, 0);
        (, uint128 weight) = house.commitOf(id, 0, carol);
        assertEq(weight, 20e18);
    }

    /// @dev Borrowed for the block in which the incident opens.
    function test_stakedInTheSameBlockDoesNotVote() public {
        incidents.finalise(_over(id));
        _stake(keeper, 1000e18);
        id = post(_later());
        challenge(lp, id, LOSS / 4);
        finalise(id);
        house.begin(id);
        assertEq(house.caseOf(id).eligible, 100e18);
        vm.prank(keeper);
        expectRevert(IAssembly.NoStake.selector);
        house.commit(id, SALT);
    }

    function test_tokensDoNotVoteTwice() public {
        house.begin(id);
        vm.prank(alice);
        house.unstake(50e18);
        vm.prank(alice);
        expectRevert(IAssembly.NoStake.selector);
        house.commit(id, SALT);
        // Even if the delay were over in time, the account that they went to held nothing before.
        vm.warp(block.timestamp + 30 days);
        vm.startPrank(alice);
        house.withdraw();
        gov.transfer(keeper, 50e18);
        vm.stopPrank();
        vm.startPrank(keeper);
        gov.approve(address(house), 50e18);
        house.stake(50e18);
        vm.stopPrank();
        assertEq(house.stakedAt(keeper, incidents.incident(id).openedAt - 1), 0);
    }

    function test_noStakeLeavesUnderACommit() public {
        house.begin(id);
        _commit(alice, 0);
        vm.startPrank(alice);
        expectRevert(abi.encodeWithSelector(IAssembly.CommitOpen.selector, alice, 1));
        house.unstake(1);
        vm.stopPrank();
        _toReveal();
        _reveal(alice, 0);
        vm.prank(alice);
        house.unstake(1);
    }

    // ----- commits and reveals -----

    function test_oneCommitARound() public {
        house.begin(id);
        _commit(alice, 10);
        vm.prank(alice);
        expectRevert(abi.encodeWithSelector(IAssembly.AlreadyCommitted.selector, id, alice));
        house.commit(id, SALT);
    }

    function test_copiedCommitsRevealNothing() public {
        house.begin(id);
        _commit(alice, 10);
        (bytes32 copied,) = house.commitOf(id, 0, alice);
        vm.prank(bob);
        house.commit(id, copied);
        _toReveal();
        _reveal(alice, 10);
        bytes32 own = house.commitmentOf(id, 0, bob, 10, SALT);
        vm.prank(bob);
        expectRevert(abi.encodeWithSelector(IAssembly.WrongReveal.selector, copied, own));
        house.reveal(id, 10, SALT);
    }

    function test_revealsAreWhatWasCommitted() public {
        house.begin(id);
        _commit(alice, 10);
        _toReveal();
        vm.startPrank(alice);
        expectRevert(IAssembly.WrongReveal.selector);
        house.reveal(id, 11, SALT);
        expectRevert(IAssembly.WrongReveal.selector);
        house.reveal(id, 10, bytes32(0));
        expectRevert(abi.encodeWithSelector(IAssembly.ValueOutOfRange.selector, 100, 101));
        house.reveal(id, 101, SALT);
        house.reveal(id, 10, SALT);
        expectRevert(abi.encodeWithSelector(IAssembly.NotCommitted.selector, id, alice));
        house.reveal(id, 10, SALT);
        vm.stopPrank();
    }

    function test_eachPhaseHasItsTime() public {
        house.begin(id);
        Case memory c = house.caseOf(id);
        vm.warp(c.commitEnd);
        _commit(alice, 10);
        bytes memory early =
            abi.encodeWithSelector(IAssembly.NotRevealing.selector, id, c.commitEnd, c.revealEnd);
        vm.startPrank(alice);
        expectRevert(early);
        house.reveal(id, 10, SALT);
        vm.stopPrank();
        vm.warp(c.commitEnd + 1);
        vm.startPrank(bob);
        expectRevert(abi.encodeWithSelector(IAssembly.CommitOver.selector, id, c.commitEnd));
        house.commit(id, SALT);
        vm.stopPrank();
        vm.warp(c.revealEnd);
        expectRevert(abi.encodeWithSelector(IAssembly.RevealNotOver.selector, id, c.revealEnd));
        house.close(id);
        vm.warp(c.revealEnd + 1);
        vm.startPrank(alice);
        expectRevert(early);
        house.reveal(id, 10, SALT);
        vm.stopPrank();
    }

    /// @dev A commitment of the first round says nothing in the second.
    function test_commitsAreOfTheirRound() public {
        house.begin(id);
        bytes32 first = house.commitmentOf(id, 0, alice, 10, SALT);
        _toEnd();
        house.close(id);
        vm.prank(alice);
        house.commit(id, first);
        _toReveal();
        vm.prank(alice);
        expectRevert(IAssembly.WrongReveal.selector);
        house.reveal(id, 10, SALT);
    }

    // ----- missing reveals -----

    function test_missingRevealsAreBurned() public {
        house.begin(id);
        _commit(alice, 10);
        _commit(bob, 10);
        _toReveal();
        _reveal(bob, 10);
        expectRevert(abi.encodeWithSelector(IAssembly.RevealNotOver.selector, id, house.caseOf(id).revealEnd));
        house.punish(id, 0, alice);
        _toEnd();
        house.punish(id, 0, alice);
        assertEq(_staked(alice), 45e18);
        assertEq(_staked(bob), 30e18);
        assertEq(house.unburned(), 5e18);
        expectRevert(abi.encodeWithSelector(IAssembly.NotCommitted.selector, id, alice));
        house.punish(id, 0, alice);
        house.burn();
        assertEq(gov.balanceOf(SINK), 5e18);
        expectRevert(IAssembly.ZeroAmount.selector);
        house.burn();
        // What is left is free again.
        vm.prank(alice);
        house.unstake(45e18);
        assertEq(gov.balanceOf(address(house)), 95e18);
    }

    function test_missingRevealsOfAnEarlierRound() public {
        house.begin(id);
        _commit(carol, 10);
        _toEnd();
        house.close(id);
        house.punish(id, 0, carol);
        assertEq(_staked(carol), 18e18);
        // Its weight is what is left.
        _commit(carol, 10);
        (, uint128 weight) = house.commitOf(id, 1, carol);
        assertEq(weight, 18e18);
    }
}
