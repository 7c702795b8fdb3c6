// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {GaugeSpec, Pin, PinnedAccount, Reading, Side, Term} from "breakwater/interfaces/IGauges.sol";
import {IHistory} from "breakwater/interfaces/IHistory.sol";
import {Incident, Status} from "breakwater/interfaces/IIncidents.sol";
import {Evidence, IProofRung} from "breakwater/interfaces/IProofRung.sol";
import {Header} from "breakwater/libraries/Header.sol";
import {Rlp} from "breakwater/libraries/Rlp.sol";
import {Trie} from "breakwater/libraries/Trie.sol";
import {Fixture} from "../Fixture.sol";

/// @notice Assertion of a loss of a ratio gauge: what counts, and what is refused by which name.
contract ProofRungTest is Fixture {
    address private constant OTHER = address(0xA0180000);
    bytes32 private gauge;

    function setUp() public override {
        super.setUp();
        openVault();
        setAccount(OTHER, 5 ether, 0);
        gauge = list(vaultSpec());
    }

    /// @dev Seals a healthy block and one after a drain of `lost`; answers the healthy one.
    function _drain(uint256 lost) private returns (uint256 a) {
        a = seal();
        setVault(1_000_000e6 - lost, 1_000_000e6);
        seal();
    }

    function _assert(uint256 a) private returns (uint256) {
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        return rung.assertLoss(spec, evidence);
    }

    function _refused(GaugeSpec memory spec, Evidence memory evidence, bytes memory reason) private {
        expectRevert(reason);
        rung.assertLoss(spec, evidence);
    }

    function test_assertsADrain() public {
        uint256 a = _drain(400_000e6);
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        vm.prank(keeper);
        uint256 id = rung.assertLoss(spec, evidence);
        Incident memory incident = incidents.incident(id);
        assertEq(incident.gauge, gauge);
        assertEq(incident.onset, a);
        assertEq(incident.reading, a + 1);
        assertEq(incident.base, 1_000_000e6);
        assertEq(incident.loss, 400_000e6);
        assertEq(incident.opener, keeper);
        assertEq(uint256(incident.status), uint256(Status.Dwelling));
        assertEq(incident.dwellEnd, block.number + DWELL);
        (Reading memory onset, uint128 afterAssets, Reading memory reading) = rung.readings(id);
        assertEq(onset.assets, 1_000_000e6);
        assertEq(onset.claims, 1_000_000e6);
        assertEq(afterAssets, 600_000e6);
        assertEq(reading.assets, 600_000e6);
        assertEq(incident.evidence, keccak256(abi.encode(onset, reading)));
    }

    /// @dev Positions are proven long after BLOCKHASH forgot these blocks.
    function test_acceptedAssertionAnchorsItsBlocks() public {
        uint256 a = _drain(400_000e6);
        _assert(a);
        assertEq(history.anchored(a), keccak256(headerOf(a)));
        assertEq(history.anchored(a + 1), keccak256(headerOf(a + 1)));
    }

    function test_thirdHeaderSizesTheLoss() public {
        uint256 a = _drain(100_000e6);
        setVault(550_000e6, 1_000_000e6);
        uint256 b = seal();
        GaugeSpec memory spec = vaultSpec();
        uint256 id = rung.assertLoss(spec, evidenceOf(spec, _three(a, a + 1, b), new address[](0)));
        assertEq(incidents.incident(id).loss, 450_000e6);
        assertEq(incidents.incident(id).reading, b);
    }

    function test_slowLossHasNoOnset() public {
        uint256 a = _drain(49_999e6);
        setVault(800_000e6, 1_000_000e6);
        uint256 b = seal();
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, _three(a, a + 1, b), new address[](0));
        _refused(spec, evidence, abi.encodeWithSelector(IProofRung.NoOnset.selector, 0.049999e18, 0.05e18));
    }

    function test_lossBelowTheThresholdIsNone() public {
        uint256 a = _drain(99_999e6);
        GaugeSpec memory spec = vaultSpec();
        _refused(
            spec,
            evidenceOf(spec, a, a + 1),
            abi.encodeWithSelector(IProofRung.BelowThreshold.selector, 0.099999e18, 0.1e18)
        );
    }

    /// @dev Twice the shares, the same assets: each share is worth half and nothing went out.
    function test_redenominationTakesNothingOut() public {
        uint256 a = seal();
        setVault(1_000_000e6, 2_000_000e6);
        seal();
        GaugeSpec memory spec = vaultSpec();
        _refused(
            spec, evidenceOf(spec, a, a + 1), abi.encodeWithSelector(IProofRung.NoOnset.selector, 0, 0.05e18)
        );
    }

    /// @dev Half the holders leave at the going price: assets halve and each share keeps its worth.
    function test_honestExitLosesNothing() public {
        uint256 a = seal();
        setVault(500_000e6, 500_000e6);
        seal();
        GaugeSpec memory spec = vaultSpec();
        _refused(
            spec, evidenceOf(spec, a, a + 1), abi.encodeWithSelector(IProofRung.NoOnset.selector, 0, 0.05e18)
        );
    }

    /// @dev Donate-and-skim: the gift lifts the price for a block and leaves again.
    function test_donationIsNotAHeightToFallFrom() public {
        setVault(2_000_000e6, 1_000_000e6);
        uint256 a = seal();
        setVault(1_000_000e6, 1_000_000e6);
        seal();
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        expectRevert(IProofRung.NoOnset.selector);
        rung.assertLoss(spec, evidence);
    }

    /// @dev After half a year at 10 % a year, 5 % more a share is honest, and 50 % more is not.
    function test_growthIsCountedUpToItsRate() public {
        vm.warp(START + 365 days / 2);
        setVault(1_500_000e6, 1_000_000e6);
        uint256 a = seal();
        setVault(525_000e6, 1_000_000e6);
        seal();
        Incident memory incident = incidents.incident(_assert(a));
        assertEq(incident.base, 1_050_000e6);
        assertEq(incident.loss, 525_000e6);
    }

    /// @dev A migration is not a drain, and never a denial.
    function test_otherCodeIsUndecided() public {
        uint256 a = seal();
        setAccount(VAULT, 0, keccak256("another code"));
        setVault(1, 1_000_000e6);
        seal();
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        _refused(spec, evidence, abi.encodeWithSelector(IProofRung.Undecided.selector, VAULT));
        setAccount(VAULT, 0, keccak256(""));
        uint256 b = seal();
        evidence = evidenceOf(spec, _three(a, a + 1, b), new address[](0));
        _refused(spec, evidence, abi.encodeWithSelector(IProofRung.Undecided.selector, VAULT));
    }

    function test_otherImplementationIsUndecided() public {
        GaugeSpec memory spec = vaultSpec();
        bytes32 slot = keccak256("implementation");
        spec.pins = new Pin[](1);
        spec.pins[0] = Pin(0, slot, bytes32(uint256(7)));
        spec.holding.base = bytes32(uint256(9));
        list(spec);
        setWord(VAULT, slot, 7);
        uint256 a = seal();
        setWord(VAULT, slot, 8);
        setVault(1, 1_000_000e6);
        seal();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        _refused(spec, evidence, abi.encodeWithSelector(IProofRung.Undecided.selector, VAULT));
    }

    /// @dev Accounts without code: the balance of a plain account, and an account that is not there.
    function test_accountsWithoutCodeArePinnedAsSuch() public {
        GaugeSpec memory spec = _native();
        uint256 a = seal();
        setAccount(OTHER, 1 ether, keccak256(""));
        seal();
        uint256 id = rung.assertLoss(spec, evidenceOf(spec, a, a + 1));
        assertEq(incidents.incident(id).base, 5 ether);
        assertEq(incidents.incident(id).loss, 4 ether);
        setAccount(OTHER, 1 ether, CODE);
        uint256 c = seal();
        Evidence memory evidence = evidenceOf(spec, c);
        expectRevert(abi.encodeWithSelector(IProofRung.Undecided.selector, OTHER));
        rung.proveLater(spec, id, evidence);
    }

    /// @dev What is drained to zero is absent from the trie, and assets then lie below the reserve of 300.
    function test_absentSlotIsZero() public {
        GaugeSpec memory spec = _separate();
        uint256 a = seal();
        setWord(VAULT, bytes32(uint256(10)), 0);
        seal();
        uint256 id = rung.assertLoss(spec, evidenceOf(spec, a, a + 1));
        assertEq(incidents.incident(id).loss, 700);
        assertEq(incidents.incident(id).base, 700);
    }

    /// @dev A loss cannot begin where the gauge reads nothing sensible.
    function test_onsetMustReadWithinRange() public {
        GaugeSpec memory spec = _separate();
        setWord(VAULT, bytes32(uint256(10)), 299);
        uint256 a = seal();
        setWord(VAULT, bytes32(uint256(10)), 0);
        seal();
        bytes32 id = keccak256(abi.encode(spec));
        _refused(
            spec, evidenceOf(spec, a, a + 1), abi.encodeWithSelector(IProofRung.SumOutOfRange.selector, id, a)
        );
        setWord(VAULT, bytes32(uint256(10)), uint256(type(uint128).max) + 301);
        a = seal();
        seal();
        _refused(
            spec, evidenceOf(spec, a, a + 1), abi.encodeWithSelector(IProofRung.SumOutOfRange.selector, id, a)
        );
    }

    /// @dev Shares minted without end saturate, and every share is then worth nothing.
    function test_endlessMintIsMeasured() public {
        GaugeSpec memory spec = _separate();
        uint256 a = seal();
        setWord(VAULT, bytes32(uint256(10)), 500);
        seal();
        setWord(VAULT, bytes32(uint256(12)), type(uint256).max);
        uint256 b = seal();
        uint256 id = rung.assertLoss(spec, evidenceOf(spec, _three(a, a + 1, b), new address[](0)));
        (,, Reading memory reading) = rung.readings(id);
        assertEq(reading.claims, type(uint128).max);
        // Per share all but one unit is lost; of the assets 500 of 700 went out.
        assertEq(incidents.incident(id).loss, 500);
    }

    function test_sharesUnderTheFloorDefineNoLoss() public {
        setVault(1e6, 1e6 - 1);
        uint256 a = seal();
        setVault(0, 1e6 - 1);
        seal();
        GaugeSpec memory spec = vaultSpec();
        _refused(
            spec,
            evidenceOf(spec, a, a + 1),
            abi.encodeWithSelector(IProofRung.UndefinedLoss.selector, gauge, a)
        );
    }

    function test_noSharesLeftDefineNoLoss() public {
        uint256 a = seal();
        setVault(400_000e6, 0);
        seal();
        GaugeSpec memory spec = vaultSpec();
        _refused(
            spec,
            evidenceOf(spec, a, a + 1),
            abi.encodeWithSelector(IProofRung.UndefinedLoss.selector, gauge, a + 1)
        );
    }

    function test_blocksBeforeThePinnedHealthDefineNoLoss() public {
        vm.warp(START - 100);
        uint256 a = _drain(400_000e6);
        vm.warp(START + 1);
        GaugeSpec memory spec = vaultSpec();
        _refused(
            spec,
            evidenceOf(spec, a, a + 1),
            abi.encodeWithSelector(IProofRung.UndefinedLoss.selector, gauge, a)
        );
    }

    // ----- bad evidence -----

    function test_gaugeMustBeListedHere() public {
        uint256 a = _drain(400_000e6);
        GaugeSpec memory spec = vaultSpec();
        spec.threshold -= 1;
        bytes32 id = keccak256(abi.encode(spec));
        _refused(
            spec, evidenceOf(spec, a, a + 1), abi.encodeWithSelector(IProofRung.UnknownGauge.selector, id)
        );
        // Nothing of a spec that nobody checked is followed: this one names an account that is not there.
        spec.holding.account = 9;
        expectRevert(abi.encodeWithSelector(IProofRung.UnknownGauge.selector, keccak256(abi.encode(spec))));
        rung.stage(spec, evidenceOf(vaultSpec(), a));
        spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        vm.chainId(77);
        _refused(spec, evidence, abi.encodeWithSelector(IProofRung.WrongChain.selector, 77, spec.chainId));
    }

    function test_headersMustBeAdjacentAndAscending() public {
        uint256 a = _drain(400_000e6);
        seal();
        GaugeSpec memory spec = vaultSpec();
        _refused(
            spec,
            evidenceOf(spec, a, a + 2),
            abi.encodeWithSelector(IProofRung.NotAdjacent.selector, a, a + 2)
        );
        _refused(
            spec,
            evidenceOf(spec, a + 1, a),
            abi.encodeWithSelector(IProofRung.NotAscending.selector, a + 1, a)
        );
        _refused(
            spec,
            evidenceOf(spec, _three(a, a + 1, a + 1), new address[](0)),
            abi.encodeWithSelector(IProofRung.NotAscending.selector, a + 1, a + 1)
        );
        _refused(
            spec, evidenceOf(spec, a), abi.encodeWithSelector(IProofRung.WrongHeaderCount.selector, 2, 3, 1)
        );
    }

    function test_headerMustBeOfThisChain() public {
        uint256 a = _drain(400_000e6);
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        bytes32 other = keccak256("another chain");
        vm.setBlockhash(a, other);
        _refused(
            spec,
            evidence,
            abi.encodeWithSelector(IHistory.WrongHeader.selector, a, other, keccak256(headerOf(a)))
        );
        vm.roll(a + 9000);
        _refused(
            spec, evidence, abi.encodeWithSelector(IHistory.UnknownBlock.selector, a, block.number, 8191)
        );
    }

    function test_headerMustHaveKnownFields() public {
        uint256 a = _drain(400_000e6);
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        bytes memory header = headerOf(a);
        uint256 length = uint256(uint8(header[1])) << 8 | uint8(header[2]);
        (header[1], header[2]) = (bytes1(uint8((length + 1) >> 8)), bytes1(uint8(length + 1)));
        evidence.headers[0] = abi.encodePacked(header, hex"01");
        vm.setBlockhash(a, keccak256(evidence.headers[0]));
        _refused(spec, evidence, abi.encodeWithSelector(Header.UnknownFieldCount.selector, 22));
    }

    function test_proofOfAnotherAccountOrBlockProvesNothing() public {
        uint256 a = _drain(400_000e6);
        GaugeSpec memory spec = vaultSpec();
        GaugeSpec memory other = vaultSpec();
        other.accounts[0].account = OTHER;
        Evidence memory evidence = evidenceOf(other, a, a + 1);
        expectRevert(Trie.WrongNode.selector);
        rung.assertLoss(spec, _withHeaders(evidence, a, a + 1));
        evidence = evidenceOf(spec, a + 1, a + 1);
        expectRevert(Trie.WrongNode.selector);
        rung.assertLoss(spec, _withHeaders(evidence, a, a + 1));
    }

    function test_proofOfAnotherSlotProvesNothing() public {
        uint256 a = _drain(400_000e6);
        GaugeSpec memory spec = vaultSpec();
        GaugeSpec memory other = vaultSpec();
        // A walk to a slot that is there goes on where the walk to slot 0 would stop, or the other way round.
        other.terms[0].slot = slotFor(spec, alice);
        Evidence memory evidence = evidenceOf(other, a, a + 1);
        vm.expectRevert();
        rung.assertLoss(spec, evidence);
    }

    function test_walksMustBeAllAndNoMore() public {
        uint256 a = _drain(400_000e6);
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        bytes memory paths = evidence.paths;
        evidence.paths = abi.encodePacked(paths, uint8(0));
        _refused(
            spec, evidence, abi.encodeWithSelector(Trie.PathsUnused.selector, paths.length, paths.length + 1)
        );
        assembly ("memory-safe") {
            mstore(paths, sub(mload(paths), 2))
        }
        evidence.paths = paths;
        expectRevert(Trie.PathsTooShort.selector);
        rung.assertLoss(spec, evidence);
        evidence.paths = "";
        _refused(spec, evidence, abi.encodeWithSelector(Trie.PathsTooShort.selector, 0, 1, 0));
    }

    function test_truncatedNodesProveNothing() public {
        uint256 a = _drain(400_000e6);
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        bytes memory nodes = evidence.nodes;
        assembly ("memory-safe") {
            mstore(nodes, sub(mload(nodes), 1))
        }
        expectRevert(Rlp.Overrun.selector);
        rung.assertLoss(spec, evidence);
    }

    /// @dev Whatever byte of the evidence is another, the call fails or says the same.
    function testFuzz_noByteCanBeAnother(uint256 part, uint256 position, uint8 flip) public {
        vm.assume(flip != 0);
        uint256 a = _drain(400_000e6);
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        bytes memory target =
            part % 3 == 0 ? evidence.nodes : part % 3 == 1 ? evidence.paths : evidence.headers[position % 2];
        position = position % target.length;
        target[position] = bytes1(uint8(target[position]) ^ flip);
        try rung.assertLoss(spec, evidence) returns (uint256 id) {
            assertEq(incidents.incident(id).loss, 400_000e6);
        } catch {}
    }

    // ----- specs -----

    /// @dev Assets 1,000 less a reserve of 300, and 100 shares, each in a slot of its own.
    function _separate() private returns (GaugeSpec memory spec) {
        spec = vaultSpec();
        spec.floor = 1;
        (spec.assets0, spec.shares0) = (7, 1);
        spec.terms = new Term[](3);
        spec.terms[0] = Term(0, Side.AssetAdd, false, bytes32(uint256(10)), 0, 256, 1);
        spec.terms[1] = Term(0, Side.AssetSub, false, bytes32(uint256(11)), 0, 256, 1);
        spec.terms[2] = Term(0, Side.ClaimAdd, false, bytes32(uint256(12)), 0, 256, 1);
        spec.holding.base = bytes32(uint256(9));
        list(spec);
        setWord(VAULT, bytes32(uint256(10)), 1000);
        setWord(VAULT, bytes32(uint256(11)), 300);
        setWord(VAULT, bytes32(uint256(12)), 100);
    }

    /// @dev The assets are the balance of a plain account, in its native coin.
    function _native() private returns (GaugeSpec memory spec) {
        spec = vaultSpec();
        spec.asset = address(0);
        spec.assets0 = 5 ether;
        spec.shares0 = 1_000_000e6;
        spec.accounts = new PinnedAccount[](2);
        spec.accounts[0] = PinnedAccount(VAULT, CODE);
        spec.accounts[1] = PinnedAccount(OTHER, 0);
        spec.terms[0] = Term(1, Side.AssetAdd, true, 0, 0, 0, 1);
        spec.holding.base = bytes32(uint256(8));
        list(spec);
    }

    function _withHeaders(Evidence memory evidence, uint256 a, uint256 b)
        private
        view
        returns (Evidence memory)
    {
        (evidence.headers[0], evidence.headers[1]) = (headerOf(a), headerOf(b));
        return evidence;
    }
}
