// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {BreakerTrip} from "breakwater/libraries/Eip712Types.sol";
import {Breakers} from "../Breakers.sol";
import {RolePausable} from "../Pausables.sol";

/// @notice What the breaker costs, with three signers of four.
contract BreakerGasTest is Breakers {
    function _snap(string memory name) private {
        vm.snapshotGasLastCall("Breaker", name);
    }

    function _post(address target, string memory name) private {
        BreakerTrip memory signed = tripOf(target);
        (address[] memory signers, bytes[] memory signatures) = sign(digestOf(signed), 3);
        vm.cool(address(breaker));
        breaker.post(signed, signers, signatures);
        _snap(name);
    }

    function test_gasOfTrips() public {
        RolePausable target = new RolePausable(owner);
        bytes32 pauser = target.PAUSER();
        vm.startPrank(owner);
        target.grantRole(pauser, address(breaker));
        breaker.agree(address(target), calling());
        _snap("agree");
        vm.stopPrank();
        mine(1);
        _post(address(vault), "post, the target asks");
        _post(address(target), "post, the target is called");
        breaker.tripped(address(vault));
        _snap("tripped, as a target asks it");
        vm.prank(guard);
        breaker.undo(address(vault), false);
        _snap("undo");
        contest(2);
        judge(2, 0);
        breaker.settle(2);
        _snap("settle, wrong");
        wait(7 days);
        breaker.settle(1);
        _snap("settle, right");
        assertTrue(breaker.trips() == 2);
    }
}
