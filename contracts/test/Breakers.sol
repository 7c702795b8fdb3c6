// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {AssemblyConfig} from "breakwater/interfaces/IAssembly.sol";
import {Agreement, Trip} from "breakwater/interfaces/IBreaker.sol";
import {BreakerTrip, Eip712Types} from "breakwater/libraries/Eip712Types.sol";
import {Breaker} from "breakwater/prevention/Breaker.sol";
import {Assembly} from "breakwater/triggers/Assembly.sol";
import {GuardedVault} from "../demo/GuardedVault.sol";
import {Quorums} from "./Quorums.sol";
import {Token} from "./Tokens.sol";

/// @notice The fixture with a breaker, a vault that asks it, and an assembly in which alice has all stake.
abstract contract Breakers is Quorums {
    uint96 internal constant PRICE = 300e6;
    uint32 internal constant LONGEST = 6 hours;
    uint32 internal constant PERIOD = 1 days;

    Breaker internal breaker;
    Assembly internal judges;
    Token internal stakes;
    GuardedVault internal vault;
    address internal owner = makeAddr("owner");
    address internal guard = makeAddr("guard");

    function setUp() public virtual override {
        super.setUp();
        vault = new GuardedVault(usd, breaker, owner);
        stakes.mint(alice, 100e18);
        vm.startPrank(alice);
        stakes.approve(address(judges), 100e18);
        judges.stake(100e18);
        vm.stopPrank();
        mine(1);
        agree(address(vault), terms());
        mine(1);
    }

    function users() internal override returns (address[] memory list_) {
        stakes = new Token("GOV", 18);
        breaker = new Breaker(
            reporters,
            CHALLENGE_BOND,
            AssemblyConfig(address(stakes), SINK, 1 hours, 1 hours, 10 days, 5000, 1000)
        );
        judges = breaker.judges();
        list_ = new address[](2);
        (list_[0], list_[1]) = (address(quorum), address(breaker));
    }

    // ----- time -----

    /// @dev Blocks of 12 seconds, the last 256 of which have hashes.
    function mine(uint256 blocks) internal {
        uint256 number = vm.getBlockNumber() + blocks;
        vm.roll(number);
        vm.warp(vm.getBlockTimestamp() + 12 * blocks);
        vm.setBlockhash(number - 1, hashOf(number - 1));
    }

    function wait(uint256 time) internal {
        vm.warp(vm.getBlockTimestamp() + time);
        mine(1);
    }

    function hashOf(uint256 number) internal pure returns (bytes32) {
        return keccak256(abi.encode("block", number));
    }

    // ----- agreements and trips -----

    function terms() internal view returns (Agreement memory) {
        return Agreement(guard, PRICE, LONGEST, PERIOD, 3, false, 0);
    }

    function calling() internal view returns (Agreement memory a) {
        a = terms();
        a.calls = true;
    }

    function agree(address target, Agreement memory a) internal {
        vm.prank(owner);
        breaker.agree(target, a);
    }

    /// @dev Two hours of `target`, as of the last block.
    function tripOf(address target) internal returns (BreakerTrip memory) {
        uint64 number = uint64(vm.getBlockNumber() - 1);
        return BreakerTrip({
            target: target,
            selector: 0,
            number: number,
            blockHash: hashOf(number),
            transaction: 0,
            evidence: keccak256("document"),
            duration: 2 hours,
            signerSet: reporters.signerSet(),
            nonce: ++nonce,
            validFrom: uint64(vm.getBlockTimestamp() - 12),
            validUntil: uint64(vm.getBlockTimestamp() + 1 hours)
        });
    }

    function digestOf(BreakerTrip memory trip) internal view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(
            Eip712Types.domainSeparator(block.chainid, address(breaker)), Eip712Types.hash(trip)
        );
    }

    function post(BreakerTrip memory trip) internal returns (uint256) {
        (address[] memory signers, bytes[] memory signatures) = sign(digestOf(trip), 3);
        return breaker.post(trip, signers, signatures);
    }

    function refuse(BreakerTrip memory trip, bytes memory reason) internal {
        (address[] memory signers, bytes[] memory signatures) = sign(digestOf(trip), 3);
        expectRevert(reason);
        breaker.post(trip, signers, signatures);
    }

    function stop(address target) internal returns (uint256) {
        return post(tripOf(target));
    }

    // ----- judgement -----

    function contest(uint256 id) internal {
        bondToken.mint(guard, CHALLENGE_BOND);
        vm.startPrank(guard);
        bondToken.approve(address(breaker), CHALLENGE_BOND);
        breaker.challenge(id);
        vm.stopPrank();
    }

    /// @dev Alice alone says how far the trip had cause, percent.
    function judge(uint256 id, uint8 percent) internal {
        judges.begin(id);
        bytes32 commitment = judges.commitmentOf(id, 0, alice, percent, "salt");
        vm.prank(alice);
        judges.commit(id, commitment);
        vm.warp(judges.caseOf(id).commitEnd + 1);
        vm.prank(alice);
        judges.reveal(id, percent, "salt");
        vm.warp(judges.caseOf(id).revealEnd + 1);
        judges.close(id);
    }

    function heldOf(uint256 id, address account) internal view returns (uint128) {
        return reporters.heldUnder(address(breaker), breaker.tripOf(id).digest, account);
    }
}
