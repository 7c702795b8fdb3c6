// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Duty, IUnderwriting} from "breakwater/interfaces/IUnderwriting.sol";
import {Cap, CapacityCertificate, Eip712Types, RatePosting} from "breakwater/libraries/Eip712Types.sol";
import {Quorum} from "breakwater/libraries/Quorum.sol";
import {Underwriting} from "breakwater/underwriting/Underwriting.sol";
import {Committee} from "../Committee.sol";

/// @notice A signal that answers what it is told, wrongly if it is told so.
contract Speaker {
    bytes private _answer;
    bool private _burns;

    function say(bytes calldata answer) external {
        _answer = answer;
    }

    function burn() external {
        _burns = true;
    }

    fallback(bytes calldata) external returns (bytes memory) {
        while (_burns) {}
        return _answer;
    }
}

/// @notice Certificates and rates: who signs them, how fast they move, and when they are out of date.
contract UnderwritingTest is Committee {
    address private constant POOL = address(0x900);
    bytes32 private constant PRODUCT = keccak256("product");
    bytes32 private constant OTHER = keccak256("other");
    bytes32 private constant CLUSTER = keccak256("cluster");
    uint128 private constant CAP = 1_000_000;
    uint64 private constant RATE = 0.02e18;

    function setUp() public {
        vm.warp(1_700_000_000);
        seat(new Underwriting(address(new AccessManager(address(this)))));
        under.setCluster(PRODUCT, CLUSTER);
    }

    function _certify(uint32 leverageBps, uint128 cap) private {
        CapacityCertificate memory message = certificate(POOL, leverageBps);
        (message.products, message.clusters) = (one(PRODUCT, cap), one(CLUSTER, 3 * cap));
        certify(message);
    }

    function _cap() private view returns (uint256 cap) {
        (, cap,,,,) = under.limits(POOL, PRODUCT);
    }

    function _leverage() private view returns (uint256 leverageBps) {
        (leverageBps,,,,,) = under.limits(POOL, PRODUCT);
    }

    function _open() private view returns (bool open) {
        (,,,,, open) = under.limits(POOL, PRODUCT);
    }

    function _floor() private view returns (uint256 rate) {
        (,,,, rate,) = under.limits(POOL, PRODUCT);
    }

    // ----- certificates -----

    function test_firstLimitsComeWholeAfterTheDelay() public {
        post(posting(PRODUCT, RATE));
        _certify(30_000, CAP);
        assertEq(_cap(), 0);
        assertFalse(_open());
        vm.warp(block.timestamp + 2 days - 1);
        assertEq(_cap(), 0);
        vm.warp(block.timestamp + 1);
        (uint256 leverageBps, uint256 cap, bytes32 cluster, uint256 clusterCap, uint256 rate, bool open) =
            under.limits(POOL, PRODUCT);
        assertEq(leverageBps, 30_000);
        assertEq(cap, CAP);
        assertEq(cluster, CLUSTER);
        assertEq(clusterCap, 3 * CAP);
        assertEq(rate, RATE);
        assertTrue(open);
        assertEq(under.clusterCap(POOL, CLUSTER), 3 * CAP);
        assertEq(under.leverage(POOL), 30_000);
    }

    function test_tighteningActsAtOnce() public {
        _certify(30_000, CAP);
        vm.warp(block.timestamp + 2 days);
        _certify(20_000, CAP / 4);
        assertEq(_cap(), CAP / 4);
        assertEq(_leverage(), 20_000);
        assertEq(under.clusterCap(POOL, CLUSTER), 3 * (CAP / 4));
        _certify(0, 0);
        assertEq(_cap(), 0);
        assertEq(_leverage(), 0);
    }

    /// @dev "A certificate never loosens faster than its bound".
    function test_looseningWaitsAndIsATenthADay() public {
        _certify(30_000, CAP);
        vm.warp(block.timestamp + 2 days);
        _certify(40_000, 2 * CAP);
        uint256 start = block.timestamp + 2 days;
        vm.warp(start);
        assertEq(_cap(), CAP);
        assertEq(_leverage(), 30_000);
        vm.warp(start + 12 hours);
        assertEq(_cap(), CAP + CAP / 20);
        vm.warp(start + 1 days);
        assertEq(_cap(), CAP + CAP / 10);
        assertEq(_leverage(), 33_000);
        vm.warp(start + 30 days);
        assertEq(_cap(), 2 * CAP);
        assertEq(_leverage(), 40_000);
    }

    /// @dev Certificates at any times with any targets.
    function testFuzz_aCertificateNeverLoosensFasterThanItsBound(uint256 seed) public {
        uint256 peak;
        for (uint256 i; i < 6; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 before = _cap();
            peak = before > peak ? before : peak;
            uint128 target = uint128(seed % 10_000);
            _certify(30_000, target);
            assertEq(_cap(), target < before ? target : before);
            for (uint256 day; day < (seed >> 64) % 8; ++day) {
                before = _cap();
                vm.warp(block.timestamp + 1 days);
                if (peak != 0) assertLe(_cap(), before + peak / 10 + 2);
                peak = _cap() > peak ? _cap() : peak;
            }
        }
    }

    function test_anAnnouncedRiseGoesOnUnderTheSameOrALowerTarget() public {
        _certify(30_000, CAP);
        vm.warp(block.timestamp + 2 days);
        _certify(30_000, 2 * CAP);
        vm.warp(block.timestamp + 3 days);
        assertEq(_cap(), CAP + CAP / 10);
        _certify(30_000, 2 * CAP);
        vm.warp(block.timestamp + 1 days);
        assertEq(_cap(), CAP + 2 * (CAP / 10));
        _certify(30_000, CAP + CAP / 4);
        vm.warp(block.timestamp + 1 days);
        assertEq(_cap(), CAP + CAP / 4);
        // A higher end is a new rise: it waits, and what has risen stays.
        _certify(30_000, 3 * CAP);
        vm.warp(block.timestamp + 2 days);
        assertEq(_cap(), CAP + CAP / 4);
        vm.warp(block.timestamp + 1 days);
        assertEq(_cap(), CAP + CAP / 4 + (CAP + CAP / 4) / 10);
    }

    function test_whatACertificateLeavesOutHasNoCapAndDoesNotComeBackWhole() public {
        _certify(30_000, CAP);
        vm.warp(block.timestamp + 2 days);
        assertEq(_cap(), CAP);
        CapacityCertificate memory message = certificate(POOL, 30_000);
        message.products = one(OTHER, CAP);
        certify(message);
        assertEq(_cap(), 0);
        assertEq(under.clusterCap(POOL, CLUSTER), 0);
        _certify(30_000, CAP);
        vm.warp(block.timestamp + 2 days);
        assertEq(_cap(), 0);
        vm.warp(block.timestamp + 1 days);
        assertEq(_cap(), CAP / 10);
    }

    /// @dev "Nothing is sold on a stale certificate"; leverage for exits stays.
    function test_anOldCertificateIsNotOpen() public {
        CapacityCertificate memory message = certificate(POOL, 30_000);
        (message.products, message.clusters) = (one(PRODUCT, CAP), one(CLUSTER, CAP));
        message.validUntil = uint64(block.timestamp + 5 days);
        certify(message);
        post(posting(PRODUCT, RATE));
        vm.warp(message.validUntil);
        assertTrue(_open());
        assertEq(under.validUntil(POOL), message.validUntil);
        vm.warp(message.validUntil + 1);
        assertFalse(_open());
        assertEq(under.leverage(POOL), 30_000);
    }

    function test_aPoolWithoutCertificateIsNotOpenAndHasNoLeverageLimit() public {
        post(posting(PRODUCT, RATE));
        assertFalse(_open());
        assertEq(under.leverage(POOL), type(uint32).max);
    }

    function test_aProductAndAClusterOfOneNameHaveTwoCaps() public {
        CapacityCertificate memory message = certificate(POOL, 30_000);
        (message.products, message.clusters) = (one(PRODUCT, CAP), one(PRODUCT, 2 * CAP));
        certify(message);
        vm.warp(block.timestamp + 2 days);
        assertEq(_cap(), CAP);
        assertEq(under.clusterCap(POOL, PRODUCT), 2 * CAP);
    }

    function test_capsAscendAndAreFew() public {
        CapacityCertificate memory message = certificate(POOL, 1);
        message.products = new Cap[](2);
        (message.products[0].id, message.products[1].id) = (bytes32(uint256(7)), bytes32(uint256(7)));
        (address[] memory signers, bytes[] memory signatures) = sign(Eip712Types.hash(message), 2);
        expectRevert(
            abi.encodeWithSelector(
                IUnderwriting.CapsNotAscending.selector, bytes32(uint256(7)), bytes32(uint256(7))
            )
        );
        under.certify(message, signers, signatures);
        message.products = new Cap[](129);
        (signers, signatures) = sign(Eip712Types.hash(message), 2);
        expectRevert(abi.encodeWithSelector(IUnderwriting.TooManyCaps.selector, 128, 129));
        under.certify(message, signers, signatures);
    }

    function test_certificateIsForAPoolAndForThirtyDays() public {
        CapacityCertificate memory message = certificate(address(0), 1);
        (address[] memory signers, bytes[] memory signatures) = sign(Eip712Types.hash(message), 2);
        expectRevert(abi.encodeWithSelector(IUnderwriting.ZeroAddress.selector));
        under.certify(message, signers, signatures);
        message = certificate(POOL, 1);
        message.validUntil += 1;
        (signers, signatures) = sign(Eip712Types.hash(message), 2);
        expectRevert(
            abi.encodeWithSelector(
                IUnderwriting.ValidTooLong.selector, block.timestamp + 30 days, message.validUntil
            )
        );
        under.certify(message, signers, signatures);
    }

    function test_onlyTheCommitteeOfTheDutySigns() public {
        CapacityCertificate memory message = certificate(POOL, 1);
        (address[] memory signers, bytes[] memory signatures) = sign(Eip712Types.hash(message), 1);
        expectRevert(abi.encodeWithSelector(Quorum.TooFewSignatures.selector, 2, 1));
        under.certify(message, signers, signatures);
        (signers, signatures) = sign(Eip712Types.hash(message), 2);
        under.certify(message, signers, signatures);
        expectRevert(abi.encodeWithSelector(Quorum.NonceUsed.selector, message.nonce + 1, message.nonce));
        under.certify(message, signers, signatures);
        address[] memory single = new address[](1);
        single[0] = members[0];
        under.setCommittee(Duty.Capacity, 1, single);
        message = certificate(POOL, 1);
        (signers, signatures) = sign(Eip712Types.hash(message), 2);
        expectRevert(
            abi.encodeWithSelector(
                Quorum.WrongSignerSet.selector, Eip712Types.signerSet(1, single), signerSet()
            )
        );
        under.certify(message, signers, signatures);
        // The other duty has its own committee still.
        post(posting(PRODUCT, RATE));
    }

    function test_aCommitteeThatWasNeverNamedSignsNothing() public {
        under = new Underwriting(address(new AccessManager(address(this))));
        CapacityCertificate memory message = certificate(POOL, 1);
        message.signerSet = Eip712Types.signerSet(0, new address[](0));
        expectRevert(abi.encodeWithSelector(Quorum.TooFewSignatures.selector, 0, 0));
        under.certify(message, new address[](0), new bytes[](0));
    }

    // ----- rates -----

    /// @dev Signed by two of the committee, with cold storage, without the 21,000 of a transaction.
    function test_gasOfWhatCommitteesSay() public {
        vm.cool(address(under));
        _certify(30_000, CAP);
        vm.snapshotGasLastCall("Underwriting", "certify, first, one product and one cluster");
        vm.warp(block.timestamp + 1 days);
        vm.cool(address(under));
        _certify(20_000, CAP / 2);
        vm.snapshotGasLastCall("Underwriting", "certify, one product and one cluster");
        vm.cool(address(under));
        post(posting(PRODUCT, 0.02e18));
        vm.snapshotGasLastCall("Underwriting", "post, first of a product");
        vm.warp(block.timestamp + 1 days);
        vm.cool(address(under));
        post(posting(PRODUCT, 0.021e18));
        vm.snapshotGasLastCall("Underwriting", "post");
        vm.warp(block.timestamp + 1 days);
        (uint64 rate,) = under.floorRate(PRODUCT);
        assertEq(rate, 0.021e18);
    }

    function test_firstRateActsAtOnceAndIsStaleAfterItsValidity() public {
        (, bool fresh) = under.floorRate(PRODUCT);
        assertFalse(fresh);
        RatePosting memory message = posting(PRODUCT, RATE);
        message.validUntil = uint64(block.timestamp + 1 days);
        post(message);
        _certify(30_000, CAP);
        uint256 rate;
        (rate, fresh) = under.floorRate(PRODUCT);
        assertEq(rate, RATE);
        assertTrue(fresh);
        vm.warp(message.validUntil + 1);
        (rate, fresh) = under.floorRate(PRODUCT);
        assertEq(rate, RATE);
        assertFalse(fresh);
        vm.warp(block.timestamp + 3 days);
        assertFalse(_open());
        post(posting(PRODUCT, RATE));
        assertTrue(_open());
    }

    function test_aRateMovesByAtMostATenthADay() public {
        post(posting(PRODUCT, RATE));
        vm.warp(block.timestamp + 1 days);
        post(posting(PRODUCT, 2 * RATE));
        assertEq(_floor(), RATE);
        vm.warp(block.timestamp + 1 days);
        assertEq(_floor(), RATE + RATE / 10);
        post(posting(PRODUCT, RATE / 10));
        vm.warp(block.timestamp + 12 hours);
        assertEq(_floor(), RATE + RATE / 10 - (RATE + RATE / 10) / 20);
        vm.warp(block.timestamp + 20 days);
        assertEq(_floor(), RATE / 10);
    }

    function test_aRateNearZeroMovesByAStep() public {
        post(posting(PRODUCT, 0));
        vm.warp(block.timestamp + 1 days);
        post(posting(PRODUCT, RATE));
        vm.warp(block.timestamp + 1 days);
        assertEq(_floor(), 0.001e18);
    }

    function test_ratesAreADayApart() public {
        post(posting(PRODUCT, RATE));
        uint256 least = block.timestamp + 1 days;
        vm.warp(least - 1);
        RatePosting memory message = posting(PRODUCT, RATE);
        (address[] memory signers, bytes[] memory signatures) = sign(Eip712Types.hash(message), 2);
        expectRevert(
            abi.encodeWithSelector(IUnderwriting.PostedTooSoon.selector, PRODUCT, least, block.timestamp)
        );
        under.post(message, signers, signatures);
        vm.warp(least);
        under.post(message, signers, signatures);
    }

    function test_creditAndSignalAreBounded() public {
        post(posting(PRODUCT, RATE));
        under.setCredit(PRODUCT, -2000);
        assertEq(_floor(), RATE * 8 / 10);
        assertEq(under.creditOf(PRODUCT), -2000);
        expectRevert(abi.encodeWithSelector(IUnderwriting.CreditOutOfRange.selector, 2000, -2001));
        under.setCredit(PRODUCT, -2001);
        expectRevert(abi.encodeWithSelector(IUnderwriting.CreditOutOfRange.selector, 2000, 2001));
        under.setCredit(PRODUCT, 2001);
        Speaker speaker = new Speaker();
        under.setSignal(address(speaker));
        speaker.say(abi.encode(int256(500)));
        assertEq(_floor(), RATE * 85 / 100);
        speaker.say(abi.encode(int256(-5000)));
        assertEq(_floor(), RATE * 7 / 10);
        speaker.say(abi.encode(type(int256).max));
        assertEq(_floor(), RATE * 9 / 10);
        speaker.say("short");
        assertEq(_floor(), RATE * 8 / 10);
        speaker.burn();
        assertEq(_floor(), RATE * 8 / 10);
        under.setSignal(address(0));
        assertEq(_floor(), RATE * 8 / 10);
    }

    // ----- governance -----

    function test_onlyGovernanceNamesAnything() public {
        bytes memory reason = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, POOL);
        vm.startPrank(POOL);
        expectRevert(reason);
        under.setCommittee(Duty.Rate, 2, members);
        expectRevert(reason);
        under.setCluster(OTHER, CLUSTER);
        expectRevert(reason);
        under.setCredit(PRODUCT, 1);
        expectRevert(reason);
        under.setSignal(POOL);
    }

    function test_aClusterIsForEver() public {
        expectRevert(abi.encodeWithSelector(IUnderwriting.ClusterIsSet.selector, PRODUCT, CLUSTER));
        under.setCluster(PRODUCT, OTHER);
        expectRevert(abi.encodeWithSelector(IUnderwriting.ZeroCluster.selector, OTHER));
        under.setCluster(OTHER, 0);
        assertEq(under.clusterOf(PRODUCT), CLUSTER);
    }

    function test_aProductWithoutClusterIsNotOpen() public {
        CapacityCertificate memory message = certificate(POOL, 30_000);
        message.products = one(OTHER, CAP);
        certify(message);
        post(posting(OTHER, RATE));
        vm.warp(block.timestamp + 2 days);
        (, uint256 cap,,,, bool open) = under.limits(POOL, OTHER);
        assertEq(cap, CAP);
        assertFalse(open);
        under.setCluster(OTHER, CLUSTER);
        (,,,,, open) = under.limits(POOL, OTHER);
        assertTrue(open);
    }

    function test_committeesAreSound() public {
        expectRevert(abi.encodeWithSelector(IUnderwriting.BadCommittee.selector, 0, 3));
        under.setCommittee(Duty.Rate, 0, members);
        expectRevert(abi.encodeWithSelector(IUnderwriting.BadCommittee.selector, 4, 3));
        under.setCommittee(Duty.Rate, 4, members);
        address[] memory twice = new address[](2);
        (twice[0], twice[1]) = (POOL, POOL);
        expectRevert(abi.encodeWithSelector(IUnderwriting.MembersNotAscending.selector, POOL, POOL));
        under.setCommittee(Duty.Rate, 1, twice);
        (uint256 quorum, address[] memory named) = under.committee(Duty.Rate);
        assertEq(quorum, 2);
        assertEq(named, members);
    }
}
