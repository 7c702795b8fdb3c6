// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IReporters} from "breakwater/interfaces/IReporters.sol";
import {Eip712Types} from "breakwater/libraries/Eip712Types.sol";
import {Reporters} from "breakwater/triggers/Reporters.sol";
import {Quorums} from "../Quorums.sol";
import {FeeToken} from "../Tokens.sol";

/// @notice The registry alone; the test is a second wired user's stand-in where one is needed.
contract ReportersTest is Quorums {
    bytes32 private constant KEY = keccak256("a report");
    bytes32 private constant OTHER = keccak256("another report");

    function _user(address who) private returns (Reporters own) {
        own = new Reporters(address(manager), address(bondToken), SINK, MIN_BOND, UNBOND, PROVER_BPS, 3);
        address[] memory users = new address[](1);
        users[0] = who;
        own.wire(users);
    }

    function _bonded(Reporters own, address who, uint128 amount) private {
        bondToken.mint(who, amount);
        vm.startPrank(who);
        bondToken.approve(address(own), amount);
        own.bond(amount);
        vm.stopPrank();
    }

    // ----- making -----

    function test_parametersAreBounded() public {
        address m = address(manager);
        address t = address(bondToken);
        bytes4 range = IReporters.OutOfRange.selector;
        expectRevert(abi.encodeWithSelector(range, bytes32("asset"), 0));
        new Reporters(m, address(0), SINK, 1, 1 days, 0, 1);
        expectRevert(abi.encodeWithSelector(range, bytes32("sink"), 0));
        new Reporters(m, t, address(0), 1, 1 days, 0, 1);
        expectRevert(abi.encodeWithSelector(range, bytes32("minBond"), 0));
        new Reporters(m, t, SINK, 0, 1 days, 0, 1);
        expectRevert(abi.encodeWithSelector(range, bytes32("unbondDelay"), 1 days - 1));
        new Reporters(m, t, SINK, 1, 1 days - 1, 0, 1);
        expectRevert(abi.encodeWithSelector(range, bytes32("proverBps"), 5001));
        new Reporters(m, t, SINK, 1, 1 days, 5001, 1);
        expectRevert(abi.encodeWithSelector(range, bytes32("quorum"), 0));
        new Reporters(m, t, SINK, 1, 1 days, 0, 0);
    }

    function test_wiredOnceByGovernance() public {
        expectRevert(IReporters.AlreadyWired.selector);
        reporters.wire(new address[](0));
        vm.prank(bob);
        expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, bob));
        reporters.wire(new address[](0));
    }

    // ----- the signer set -----

    function test_setIsAscendingAndHashed() public view {
        (uint256 quorum_, address[] memory members) = reporters.members();
        assertEq(quorum_, 3);
        assertEq(members.length, 4);
        for (uint256 i = 1; i < 4; ++i) {
            assertTrue(members[i] > members[i - 1]);
        }
        assertEq(reporters.signerSet(), keccak256(abi.encode(uint256(3), members)));
        assertEq(reporters.signerSet(), Eip712Types.signerSet(quorum_, members));
    }

    function test_onlyGovernanceAdmits() public {
        bytes memory refused = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, bob);
        vm.startPrank(bob);
        expectRevert(refused);
        reporters.admit(bob);
        expectRevert(refused);
        reporters.remove(accounts[0]);
        expectRevert(refused);
        reporters.setQuorum(4);
        vm.stopPrank();
    }

    function test_admissionNeedsABond() public {
        expectRevert(abi.encodeWithSelector(IReporters.BondTooSmall.selector, bob, MIN_BOND, 0));
        reporters.admit(bob);
        expectRevert(abi.encodeWithSelector(IReporters.AlreadyAdmitted.selector, accounts[0]));
        reporters.admit(accounts[0]);
        expectRevert(abi.encodeWithSelector(IReporters.NotAdmitted.selector, bob));
        reporters.remove(bob);
    }

    /// @dev Else two quorums could contradict one another without a common signer.
    function test_quorumIsAMajority() public {
        expectRevert(abi.encodeWithSelector(IReporters.NotMajority.selector, 2, 4));
        reporters.setQuorum(2);
        enlist(alice);
        fund(bob, MIN_BOND);
        vm.prank(bob);
        reporters.bond(MIN_BOND);
        expectRevert(abi.encodeWithSelector(IReporters.NotMajority.selector, 3, 6));
        reporters.admit(bob);
        expectRevert(abi.encodeWithSelector(IReporters.OutOfRange.selector, bytes32("quorum"), 0));
        reporters.setQuorum(0);
        expectRevert(abi.encodeWithSelector(IReporters.OutOfRange.selector, bytes32("quorum"), 33));
        reporters.setQuorum(33);
    }

    function test_atMost32() public {
        reporters.setQuorum(32);
        for (uint256 i = 4; i < 32; ++i) {
            enlist(address(uint160(0x1000 + i)));
        }
        fund(bob, MIN_BOND);
        vm.prank(bob);
        reporters.bond(MIN_BOND);
        expectRevert(abi.encodeWithSelector(IReporters.TooManyReporters.selector, 32));
        reporters.admit(bob);
    }

    function test_removalKeepsTheOrder() public {
        reporters.remove(accounts[1]);
        (, address[] memory members) = reporters.members();
        assertEq(members.length, 3);
        assertEq(members[0], accounts[0]);
        assertEq(members[1], accounts[2]);
        assertEq(members[2], accounts[3]);
        assertFalse(reporters.isReporter(accounts[1]));
        assertEq(bondedBy(accounts[1]), MIN_BOND, "the bond stays its own");
    }

    // ----- bonds -----

    function test_bondIsWhatArrives() public {
        FeeToken fee = new FeeToken();
        Reporters own = new Reporters(address(manager), address(fee), SINK, 1, 1 days, 0, 1);
        fee.mint(bob, 100);
        vm.startPrank(bob);
        fee.approve(address(own), 100);
        expectRevert(abi.encodeWithSelector(IReporters.WrongTransfer.selector, 100, 99));
        own.bond(100);
        vm.stopPrank();
        expectRevert(IReporters.ZeroAmount.selector);
        reporters.bond(0);
    }

    function test_unbondingWaitsAndLeavesTheSet() public {
        address rita = accounts[0];
        vm.startPrank(rita);
        expectRevert(abi.encodeWithSelector(IReporters.NotFree.selector, rita, MIN_BOND, MIN_BOND + 1));
        reporters.unbond(MIN_BOND + 1);
        reporters.unbond(1);
        assertFalse(reporters.isReporter(rita));
        uint256 end = block.timestamp + UNBOND;
        vm.warp(end - 1);
        expectRevert(abi.encodeWithSelector(IReporters.StillLeaving.selector, rita, end));
        reporters.withdraw();
        vm.warp(end);
        reporters.withdraw();
        assertEq(bondToken.balanceOf(rita), 1);
        expectRevert(abi.encodeWithSelector(IReporters.NothingToWithdraw.selector, rita));
        reporters.withdraw();
        vm.stopPrank();
    }

    function test_moreUnbondingWaitsAgain() public {
        _bonded(reporters, bob, 100);
        vm.startPrank(bob);
        reporters.unbond(60);
        vm.warp(block.timestamp + UNBOND - 1);
        reporters.unbond(40);
        vm.warp(block.timestamp + 1);
        expectRevert(IReporters.StillLeaving.selector);
        reporters.withdraw();
        vm.stopPrank();
    }

    // ----- users -----

    function test_onlyUsersTouchBonds() public {
        bytes memory refused = abi.encodeWithSelector(IReporters.NotUser.selector, bob);
        vm.startPrank(bob);
        expectRevert(refused);
        reporters.hold(KEY, accounts[0], 1);
        expectRevert(refused);
        reporters.release(KEY, accounts[0]);
        expectRevert(refused);
        reporters.slash(KEY, accounts[0], 1, bob);
        vm.stopPrank();
    }

    /// @dev One bond for many reports: what one report holds, no other gets and no owner takes out.
    function test_oneBondBacksOneReport() public {
        Reporters own = _user(address(this));
        _bonded(own, bob, 100);
        own.hold(KEY, bob, 70);
        expectRevert(abi.encodeWithSelector(IReporters.NotFree.selector, bob, 30, 31));
        own.hold(OTHER, bob, 31);
        vm.prank(bob);
        expectRevert(abi.encodeWithSelector(IReporters.NotFree.selector, bob, 30, 31));
        own.unbond(31);
        own.release(KEY, bob);
        own.hold(OTHER, bob, 100);
        (uint128 bonded, uint128 held,,) = own.bondOf(bob);
        assertEq(bonded, 100);
        assertEq(held, 100);
    }

    function test_releaseTwiceFreesOnce() public {
        Reporters own = _user(address(this));
        _bonded(own, bob, 100);
        own.hold(KEY, bob, 30);
        own.hold(OTHER, bob, 30);
        own.release(KEY, bob);
        own.release(KEY, bob);
        (, uint128 held,,) = own.bondOf(bob);
        assertEq(held, 30);
    }

    /// @dev Held under the key, then free, then leaving; never what is held for another report.
    function test_slashTakesInOrder() public {
        Reporters own = _user(address(this));
        _bonded(own, bob, 100);
        own.hold(KEY, bob, 20);
        own.hold(OTHER, bob, 30);
        vm.prank(bob);
        own.unbond(10);
        assertEq(own.slash(KEY, bob, 5, keeper), 5);
        (uint128 bonded, uint128 held, uint128 leaving,) = own.bondOf(bob);
        assertEq(bonded, 85);
        assertEq(held, 45);
        assertEq(leaving, 10);
        assertEq(own.slash(KEY, bob, type(uint128).max, keeper), 65);
        (bonded, held, leaving,) = own.bondOf(bob);
        assertEq(bonded, 30, "what backs the other report stays");
        assertEq(held, 30);
        assertEq(leaving, 0);
        // 5 * 0.3 = 1.5, 65 * 0.3 = 19.5, each rounded down.
        assertEq(own.rewards(keeper), 20);
        assertEq(own.unburned(), 50);
        assertEq(own.slash(KEY, bob, type(uint128).max, keeper), 0);
    }

    function test_slashedStakeIsBurned() public {
        Reporters own = _user(address(this));
        _bonded(own, bob, 100);
        own.slash(KEY, bob, 100, address(0));
        assertEq(own.unburned(), 100, "nobody proved it, so all of it");
        own.burn();
        assertEq(bondToken.balanceOf(SINK), 100);
        assertEq(bondToken.balanceOf(address(own)), 0);
        expectRevert(IReporters.ZeroAmount.selector);
        own.burn();
    }

    function test_proverIsPaidItsPart() public {
        Reporters own = _user(address(this));
        _bonded(own, bob, 1000);
        own.slash(KEY, bob, 1000, keeper);
        vm.startPrank(keeper);
        own.claim();
        assertEq(bondToken.balanceOf(keeper), 300);
        expectRevert(abi.encodeWithSelector(IReporters.NothingToWithdraw.selector, keeper));
        own.claim();
        vm.stopPrank();
    }

    function test_slashedReporterIsOut() public {
        Reporters own = _user(address(this));
        _bonded(own, bob, 2 * MIN_BOND);
        own.admit(bob);
        own.slash(KEY, bob, 1, address(0));
        assertFalse(own.isReporter(bob));
        own.admit(bob);
        assertTrue(own.isReporter(bob));
    }
}
