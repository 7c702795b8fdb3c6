// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Agreement, IBreaker, Trip, Verdict} from "breakwater/interfaces/IBreaker.sol";
import {IReporters} from "breakwater/interfaces/IReporters.sol";
import {BreakerTrip} from "breakwater/libraries/Eip712Types.sol";
import {Quorum} from "breakwater/libraries/Quorum.sol";
import {BreakerGuard} from "breakwater/prevention/BreakerGuard.sol";
import {GuardedVault, GuardedVaultAttack} from "../../demo/GuardedVault.sol";
import {Breakers} from "../Breakers.sol";
import {HostileTarget, LongOwner, ManagedTarget, RolePausable} from "../Pausables.sol";

/// @notice Who agrees to what, what a trip needs, and how it ends.
contract BreakerTest is Breakers {
    // ----- agreements -----

    function test_onlyWhoSpeaksForTheTargetAgrees() public {
        RolePausable byRole = new RolePausable(bob);
        ManagedTarget managed = new ManagedTarget(address(manager));
        vm.prank(bob);
        breaker.agree(address(byRole), terms());
        assertEq(breaker.agreementOf(address(byRole)).since, block.number);
        bytes memory data = abi.encodeCall(breaker.agree, (address(managed), terms()));
        manager.execute(address(breaker), data);
        assertEq(breaker.agreementOf(address(managed)).guardian, guard);
        vm.prank(address(vault));
        breaker.agree(address(vault), terms());

        LongOwner long = new LongOwner(carol);
        address[5] memory targets =
            [address(vault), address(byRole), address(managed), address(long), address(0x1234)];
        vm.startPrank(carol);
        for (uint256 i; i < targets.length; ++i) {
            expectRevert(abi.encodeWithSelector(IBreaker.NotForTarget.selector, targets[i], carol));
            breaker.agree(targets[i], terms());
        }
        vm.stopPrank();
    }

    /// @dev The guardian's key undoes trips; it cannot change what they cost.
    function test_theGuardianDoesNotAgree() public {
        vm.prank(guard);
        expectRevert(abi.encodeWithSelector(IBreaker.NotForTarget.selector, address(vault), guard));
        breaker.agree(address(vault), terms());
    }

    function test_termsAreBounded() public {
        _badTerms("pricePerHour", 0, Agreement(guard, 0, LONGEST, PERIOD, 3, false, 0));
        _badTerms("maxDuration", 599, Agreement(guard, PRICE, 599, PERIOD, 3, false, 0));
        _badTerms("maxDuration", 3 days + 1, Agreement(guard, PRICE, 3 days + 1, 7 days, 3, false, 0));
        _badTerms("period", 2 * LONGEST - 1, Agreement(guard, PRICE, LONGEST, 2 * LONGEST - 1, 3, false, 0));
        _badTerms("period", 365 days + 1, Agreement(guard, PRICE, LONGEST, 365 days + 1, 3, false, 0));
        _badTerms("signers", 0, Agreement(guard, PRICE, LONGEST, PERIOD, 0, false, 0));
        _badTerms("signers", 33, Agreement(guard, PRICE, LONGEST, PERIOD, 33, false, 0));
        vm.prank(owner);
        expectRevert(IBreaker.ZeroAddress.selector);
        breaker.agree(address(vault), Agreement(address(0), PRICE, LONGEST, PERIOD, 3, false, 0));
    }

    function _badTerms(bytes32 field, uint256 got, Agreement memory a) private {
        vm.prank(owner);
        expectRevert(abi.encodeWithSelector(IBreaker.OutOfRange.selector, field, got));
        breaker.agree(address(vault), a);
    }

    // ----- a trip -----

    function _attacked() private returns (GuardedVaultAttack attack) {
        usd.mint(bob, 1_000_000e6);
        vm.startPrank(bob);
        usd.approve(address(vault), 1_000_000e6);
        vault.deposit(1_000_000e6);
        vm.stopPrank();
        attack = new GuardedVaultAttack(vault);
        usd.mint(address(attack), 100_000e6);
        attack.prepare(11);
        mine(1);
    }

    function test_withoutATripTheDrainTakesAll() public {
        GuardedVaultAttack attack = _attacked();
        wait(1 hours);
        attack.finish();
        assertEq(vault.totalAssets(), 0);
    }

    /// @dev The first step of the drain is seen on chain; the second one is refused, and the owner mends it.
    function test_aTripBetweenTheStepsStopsADrain() public {
        GuardedVaultAttack attack = _attacked();
        uint256 id = stop(address(vault));
        wait(1 hours);
        expectRevert(abi.encodeWithSelector(BreakerGuard.Stopped.selector, breaker.tripOf(id).end));
        attack.finish();
        vm.prank(owner);
        vault.strike(address(attack));
        vm.prank(guard);
        breaker.undo(address(vault), false);
        attack.finish();
        assertEq(vault.totalAssets(), 1_100_000e6, "nothing was taken");
    }

    function test_aTripHoldsEachBondAndSaysSo() public {
        BreakerTrip memory signed = tripOf(address(vault));
        // One second more than two hours costs one unit more: rounded up.
        signed.duration = 2 hours + 1;
        uint256 id = post(signed);
        uint256 each = 2 * PRICE + 83_334;
        for (uint256 i; i < 3; ++i) {
            assertEq(heldOf(id, accounts[i]), each);
        }
        assertEq(heldOf(id, accounts[3]), 0);
        Trip memory t = breaker.tripOf(id);
        assertEq(t.bondEach, each);
        assertEq(t.end, t.start + 2 hours + 1);
        assertEq(t.pausedAt, t.start);
        assertEq(t.signers.length, 3);
        (uint256 newest, uint64 next, bool paused) = breaker.standingOf(address(vault));
        assertEq(newest, id);
        assertEq(next, t.start + PERIOD);
        assertFalse(paused);
    }

    function test_aBondThatBacksAnotherTripIsNotFree() public {
        GuardedVault other = new GuardedVault(usd, breaker, owner);
        agree(address(other), Agreement(guard, 9_500e6, LONGEST, PERIOD, 3, false, 0));
        mine(1);
        stop(address(vault));
        BreakerTrip memory signed = tripOf(address(other));
        signed.duration = 1 hours;
        bytes memory few =
            abi.encodeWithSelector(IReporters.NotFree.selector, accounts[0], 10_000e6 - 600e6, 9_500e6);
        refuse(signed, few);
    }

    function test_atMostOneTripAPeriod() public {
        uint256 id = stop(address(vault));
        uint64 next = breaker.tripOf(id).start + PERIOD;
        vm.prank(guard);
        breaker.undo(address(vault), false);
        wait(PERIOD - 13);
        refuse(
            tripOf(address(vault)), abi.encodeWithSelector(IBreaker.TooSoon.selector, next, block.timestamp)
        );
        mine(1);
        assertGe(block.timestamp, next);
        stop(address(vault));
    }

    /// @dev New terms do not shorten the period of the trip that was.
    function test_newTermsDoNotBringTheNextTripNearer() public {
        uint256 id = stop(address(vault));
        agree(address(vault), Agreement(guard, PRICE, 10 minutes, 20 minutes, 3, false, 0));
        wait(3 hours);
        uint256 next = breaker.tripOf(id).start + PERIOD;
        BreakerTrip memory signed = tripOf(address(vault));
        signed.duration = 10 minutes;
        refuse(signed, abi.encodeWithSelector(IBreaker.TooSoon.selector, next, block.timestamp));
    }

    function test_aTripNamesAKnownBlock() public {
        BreakerTrip memory signed = tripOf(address(vault));
        bytes32 known = signed.blockHash;
        signed.blockHash = keccak256("another chain");
        refuse(
            signed,
            abi.encodeWithSelector(IBreaker.UnknownBlock.selector, signed.number, known, signed.blockHash)
        );
        signed = tripOf(address(vault));
        (signed.number, signed.blockHash) = (uint64(block.number), 0);
        refuse(
            signed,
            abi.encodeWithSelector(IBreaker.UnknownBlock.selector, block.number, bytes32(0), bytes32(0))
        );
        signed = tripOf(address(vault));
        mine(256);
        refuse(
            signed,
            abi.encodeWithSelector(
                IBreaker.UnknownBlock.selector, signed.number, bytes32(0), signed.blockHash
            )
        );
    }

    /// @dev A price that rises behind the signers' back binds nobody.
    function test_termsBindOnlyWhoSawThem() public {
        BreakerTrip memory signed = tripOf(address(vault));
        mine(1);
        agree(address(vault), Agreement(guard, 10 * PRICE, LONGEST, PERIOD, 3, false, 0));
        mine(1);
        uint64 since = uint64(block.number - 1);
        refuse(signed, abi.encodeWithSelector(IBreaker.SignedBefore.selector, since, signed.number));
        uint256 id = stop(address(vault));
        assertEq(breaker.tripOf(id).bondEach, 20 * PRICE);
    }

    function test_aTripStaysWithinTheTerms() public {
        BreakerTrip memory signed = tripOf(address(vault));
        signed.duration = LONGEST + 1;
        refuse(signed, abi.encodeWithSelector(IBreaker.OutOfRange.selector, bytes32("duration"), LONGEST + 1));
        signed.duration = 0;
        refuse(signed, abi.encodeWithSelector(IBreaker.OutOfRange.selector, bytes32("duration"), 0));
        signed = tripOf(address(this));
        refuse(signed, abi.encodeWithSelector(IBreaker.NoAgreement.selector, address(this)));
    }

    function test_aTripOfOneFunctionIsRefused() public {
        BreakerTrip memory signed = tripOf(address(vault));
        signed.selector = vault.deposit.selector;
        refuse(signed, abi.encodeWithSelector(IBreaker.WholeTargetOnly.selector, signed.selector));
    }

    function test_aTripNeedsTheAgreedSigners() public {
        agree(address(vault), Agreement(guard, PRICE, LONGEST, PERIOD, 4, false, 0));
        mine(1);
        refuse(tripOf(address(vault)), abi.encodeWithSelector(IBreaker.TooFewSigners.selector, 4, 3));
    }

    function test_aTripNeedsTheReportersQuorum() public {
        agree(address(vault), Agreement(guard, PRICE, LONGEST, PERIOD, 1, false, 0));
        mine(1);
        BreakerTrip memory signed = tripOf(address(vault));
        (address[] memory signers, bytes[] memory signatures) = sign(digestOf(signed), 2);
        expectRevert(abi.encodeWithSelector(Quorum.TooFewSignatures.selector, 3, 2));
        breaker.post(signed, signers, signatures);
        (signers, signatures) = sign(digestOf(signed), 3);
        signed.evidence = 0;
        expectRevert(abi.encodeWithSelector(Quorum.BadSignature.selector, accounts[0]));
        breaker.post(signed, signers, signatures);
    }

    function test_aTripIsTakenOnceAndInItsTime() public {
        BreakerTrip memory signed = tripOf(address(vault));
        signed.validFrom = uint64(block.timestamp + 1);
        refuse(signed, abi.encodeWithSelector(Quorum.NotYetValid.selector, signed.validFrom, block.timestamp));
        signed.validFrom = 0;
        signed.validUntil = uint64(block.timestamp - 1);
        refuse(
            signed, abi.encodeWithSelector(Quorum.NoLongerValid.selector, signed.validUntil, block.timestamp)
        );
        signed.validUntil = type(uint64).max;
        post(signed);
        assertEq(breaker.lastNonce(address(vault), signed.signerSet), signed.nonce);
        agree(address(vault), terms());
        wait(PERIOD);
        BreakerTrip memory again = tripOf(address(vault));
        again.nonce = signed.nonce;
        refuse(again, abi.encodeWithSelector(Quorum.NonceUsed.selector, signed.nonce + 1, signed.nonce));
    }

    /// @dev What was signed for one target never stands in the way of another.
    function test_targetsHaveTheirOwnNonces() public {
        GuardedVault other = new GuardedVault(usd, breaker, owner);
        agree(address(other), terms());
        mine(1);
        BreakerTrip memory first = tripOf(address(vault));
        BreakerTrip memory second = tripOf(address(other));
        second.nonce = first.nonce;
        post(first);
        post(second);
        assertTrue(breaker.tripped(address(vault)));
        assertTrue(breaker.tripped(address(other)));
    }

    // ----- the end -----

    function test_aTripEndsByItself() public {
        uint256 id = stop(address(vault));
        uint64 end = breaker.tripOf(id).end;
        vm.warp(end - 1);
        assertTrue(breaker.tripped(address(vault)));
        vm.expectRevert(abi.encodeWithSelector(BreakerGuard.Stopped.selector, end));
        vault.request(0);
        vm.warp(end);
        assertFalse(breaker.tripped(address(vault)));
        assertEq(breaker.trippedUntil(address(vault)), end);
        vault.request(0);
        expectRevert(abi.encodeWithSelector(IBreaker.NothingToCall.selector, address(vault)));
        breaker.push(address(vault));
    }

    function test_theProtocolUndoesAtOnce() public {
        uint256 id = stop(address(vault));
        vm.prank(carol);
        expectRevert(abi.encodeWithSelector(IBreaker.NotGuardian.selector, address(vault), carol));
        breaker.undo(address(vault), false);
        vm.warp(block.timestamp + 60);
        vm.prank(guard);
        breaker.undo(address(vault), false);
        assertFalse(breaker.tripped(address(vault)));
        assertEq(breaker.tripOf(id).end, block.timestamp);
        assertEq(breaker.trippedUntil(address(vault)), block.timestamp);
        vm.prank(guard);
        expectRevert(abi.encodeWithSelector(IBreaker.NotTripped.selector, address(vault)));
        breaker.undo(address(vault), false);
        assertEq(heldOf(id, accounts[0]), 2 * PRICE, "the bonds wait for the window");
    }

    function test_theOwnerUndoesAsWell() public {
        stop(address(vault));
        vm.prank(owner);
        breaker.undo(address(vault), false);
        assertFalse(breaker.tripped(address(vault)));
    }

    function test_whoQuitsIsFree() public {
        stop(address(vault));
        vm.prank(carol);
        expectRevert(abi.encodeWithSelector(IBreaker.NotGuardian.selector, address(vault), carol));
        breaker.quit(address(vault));
        vm.startPrank(guard);
        breaker.quit(address(vault));
        assertFalse(breaker.tripped(address(vault)));
        expectRevert(abi.encodeWithSelector(IBreaker.NoAgreement.selector, address(vault)));
        breaker.quit(address(vault));
        vm.stopPrank();
        wait(PERIOD);
        refuse(tripOf(address(vault)), abi.encodeWithSelector(IBreaker.NoAgreement.selector, address(vault)));
    }
}

/// @notice Targets that are paused by a call, and those that do not take it well.
contract BreakerCallsTest is Breakers {
    RolePausable private target;
    HostileTarget private hostile;

    function setUp() public override {
        super.setUp();
        target = new RolePausable(owner);
        hostile = new HostileTarget(owner);
        bytes32 pauser = target.PAUSER();
        vm.prank(owner);
        target.grantRole(pauser, address(breaker));
        agree(address(target), calling());
        agree(address(hostile), calling());
        mine(1);
    }

    function test_aCalledTargetIsPausedAndAnyoneUnpausesIt() public {
        uint256 id = stop(address(target));
        assertTrue(target.paused());
        assertEq(breaker.tripOf(id).pausedAt, block.timestamp);
        expectRevert(abi.encodeWithSelector(IBreaker.NothingToCall.selector, address(target)));
        breaker.push(address(target));
        wait(2 hours);
        assertFalse(breaker.tripped(address(target)));
        assertTrue(target.paused(), "nobody has called yet");
        vm.prank(carol);
        breaker.push(address(target));
        assertFalse(target.paused());
        assertEq(breaker.trippedUntil(address(target)), block.timestamp, "it was held until now");
        expectRevert(abi.encodeWithSelector(IBreaker.NothingToCall.selector, address(target)));
        breaker.push(address(target));
    }

    function test_undoingUnpauses() public {
        stop(address(target));
        vm.prank(guard);
        breaker.undo(address(target), false);
        assertFalse(target.paused());
    }

    function test_aProtocolMayStayPaused() public {
        stop(address(target));
        vm.prank(guard);
        breaker.undo(address(target), true);
        assertTrue(target.paused());
        expectRevert(abi.encodeWithSelector(IBreaker.NothingToCall.selector, address(target)));
        breaker.push(address(target));
    }

    function test_aProtocolMayStayPausedAfterTheEnd() public {
        uint256 id = stop(address(target));
        uint64 end = breaker.tripOf(id).end;
        wait(3 hours);
        vm.prank(guard);
        breaker.undo(address(target), true);
        assertTrue(target.paused());
        assertEq(breaker.tripOf(id).end, end, "an end that was is not moved");
        expectRevert(abi.encodeWithSelector(IBreaker.NothingToCall.selector, address(target)));
        breaker.push(address(target));
    }

    /// @dev Who lifts the pause himself is not paused again behind his back.
    function test_aPauseThatTheProtocolLiftedStaysLifted() public {
        stop(address(target));
        vm.prank(owner);
        target.unpause();
        expectRevert(abi.encodeWithSelector(IBreaker.NothingToCall.selector, address(target)));
        breaker.push(address(target));
    }

    function test_aPauseOfTheProtocolsOwnIsNotLifted() public {
        vm.prank(owner);
        target.pause();
        uint256 id = stop(address(target));
        assertEq(breaker.tripOf(id).pausedAt, 0);
        wait(3 hours);
        expectRevert(abi.encodeWithSelector(IBreaker.NothingToCall.selector, address(target)));
        breaker.push(address(target));
        assertTrue(target.paused());
    }

    function test_aPauseThatNobodyLiftedDoesNotStopTheNextTrip() public {
        stop(address(target));
        wait(PERIOD);
        uint256 id = stop(address(target));
        assertTrue(target.paused());
        assertEq(breaker.tripOf(id).pausedAt, block.timestamp);
    }

    /// @dev The trip stands, says what was answered, and anyone may try again.
    function test_aTargetThatRefusesDoesNotBlockTheTrip() public {
        bytes32 pauser = target.PAUSER();
        vm.prank(owner);
        target.revokeRole(pauser, address(breaker));
        BreakerTrip memory signed = tripOf(address(target));
        uint256 id = breaker.trips() + 1;
        bytes4 reason = bytes4(keccak256("AccessControlUnauthorizedAccount(address,bytes32)"));
        (address[] memory signers, bytes[] memory signatures) = sign(digestOf(signed), 3);
        vm.expectEmit(true, true, true, true, address(breaker));
        emit IBreaker.Called(id, address(target), true, false, reason);
        breaker.post(signed, signers, signatures);
        assertTrue(breaker.tripped(address(target)));
        assertEq(breaker.tripOf(id).pausedAt, 0);
        vm.prank(owner);
        target.grantRole(pauser, address(breaker));
        breaker.push(address(target));
        assertTrue(target.paused());
        assertEq(breaker.tripOf(id).pausedAt, block.timestamp);
    }

    function test_hostileAnswersAreBounded() public {
        for (uint8 manner = 1; manner < 4; ++manner) {
            hostile.set(HostileTarget.Manner(manner));
            uint256 id = stop(address(hostile));
            assertTrue(breaker.tripped(address(hostile)));
            assertFalse(hostile.paused());
            assertEq(breaker.tripOf(id).pausedAt, 0);
            vm.prank(guard);
            breaker.undo(address(hostile), false);
            wait(PERIOD);
        }
    }

    /// @dev Whoever sends the transaction cannot make the pause fail by sending little gas.
    function test_aPauseGetsItsGas() public {
        BreakerTrip memory signed = tripOf(address(target));
        (address[] memory signers, bytes[] memory signatures) = sign(digestOf(signed), 3);
        expectRevert(IBreaker.NotEnoughGas.selector);
        breaker.post{gas: 1_000_000}(signed, signers, signatures);
        breaker.post{gas: 2_000_000}(signed, signers, signatures);
        assertTrue(target.paused());
    }

    /// @dev An account without code takes every call, and is not paused by it.
    function test_anAccountWithoutCodeIsNotPaused() public {
        vm.prank(bob);
        breaker.agree(bob, calling());
        mine(1);
        uint256 id = stop(bob);
        assertEq(breaker.tripOf(id).pausedAt, 0);
    }
}
