// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {GaugeSpec, Reading} from "breakwater/interfaces/IGauges.sol";
import {IIncidents, Incident, Status} from "breakwater/interfaces/IIncidents.sol";
import {Evidence, IProofRung} from "breakwater/interfaces/IProofRung.sol";
import {Trie} from "breakwater/libraries/Trie.sol";
import {ProofRung} from "breakwater/triggers/ProofRung.sol";
import {Fixture} from "../Fixture.sol";

/// @notice Answers to an assertion, and what single positions lost.
contract ProofRungLaterTest is Fixture {
    uint256 private a;
    uint256 private id;

    function setUp() public override {
        super.setUp();
        openVault();
        list(vaultSpec());
        a = seal();
        setVault(600_000e6, 1_000_000e6);
        seal();
        id = _assert(a);
    }

    function _assert(uint256 onset) private returns (uint256) {
        GaugeSpec memory spec = vaultSpec();
        return rung.assertLoss(spec, evidenceOf(spec, onset, onset + 1));
    }

    /// @dev Seals a block with these assets and shares and proves it.
    function _answer(uint256 assets, uint256 shares) private returns (uint256 b) {
        setVault(assets, shares);
        b = seal();
        GaugeSpec memory spec = vaultSpec();
        rung.proveLater(spec, id, evidenceOf(spec, b));
    }

    function _loss() private view returns (uint256) {
        return incidents.incident(id).loss;
    }

    function _prove(address[] memory accounts, uint256 later, bool read) private {
        GaugeSpec memory spec = vaultSpec();
        rung.provePositions(spec, id, accounts, positionsOf(spec, a, later, accounts, read));
    }

    // ----- later blocks -----

    function test_laterBlockReplacesTheReading() public {
        uint256 b = _answer(700_000e6, 1_000_000e6);
        assertEq(_loss(), 300_000e6);
        assertEq(incidents.incident(id).reading, b);
        assertEq(history.anchored(b), keccak256(headerOf(b)));
        _answer(500_000e6, 1_000_000e6);
        assertEq(_loss(), 500_000e6);
    }

    /// @dev A transient dip: a flash loan's two block ends, or funds that came back.
    function test_transientDipPaysNothing() public {
        _answer(1_000_000e6, 1_000_000e6);
        assertEq(_loss(), 0);
        passDwell(id);
        incidents.finalise(id);
        assertEq(uint256(incidents.incident(id).status), uint256(Status.Voided));
    }

    /// @dev Who puts the money back for one block and takes it again is answered by the next block.
    function test_goodBlockInBetweenDeniesNothing() public {
        _answer(1_000_000e6, 1_000_000e6);
        _answer(600_000e6, 1_000_000e6);
        assertEq(_loss(), 400_000e6);
        passDwell(id);
        incidents.finalise(id);
        assertEq(uint256(incidents.incident(id).status), uint256(Status.Final));
    }

    /// @dev After the drain someone deposits half a million: new assets, new shares, and nobody is healed.
    function test_depositAfterTheDrainHidesNothing() public {
        _answer(600_000e6 + 300_000e6, 1_000_000e6 + 500_000e6);
        assertEq(_loss(), 400_000e6);
    }

    /// @dev A gift after the drain does heal: each share is worth more again.
    function test_restitutionLowersTheLoss() public {
        _answer(750_000e6, 1_000_000e6);
        assertEq(_loss(), 250_000e6);
    }

    /// @dev A refuted incident that still dwells does not keep a later drain waiting.
    function test_drainBehindARefutedIncidentOpensItsOwn() public {
        uint256 b = _answer(1_000_000e6, 1_000_000e6);
        setVault(500_000e6, 1_000_000e6);
        seal();
        uint256 next = _assert(b);
        assertEq(next, id + 1);
        assertEq(uint256(incidents.incident(id).status), uint256(Status.Voided));
        assertEq(incidents.incident(next).loss, 500_000e6);
    }

    function test_onlyLaterBlocksAnswer() public {
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, a + 1);
        expectRevert(abi.encodeWithSelector(IProofRung.NotLater.selector, a + 1, a + 1));
        rung.proveLater(spec, id, evidence);
    }

    function test_answersNameTheIncidentsGauge() public {
        GaugeSpec memory spec = vaultSpec();
        uint256 b = seal();
        Evidence memory evidence = evidenceOf(spec, b);
        bytes32 gauge = keccak256(abi.encode(spec));
        spec.floor += 1;
        bytes memory reason =
            abi.encodeWithSelector(IProofRung.WrongGauge.selector, gauge, keccak256(abi.encode(spec)));
        expectRevert(reason);
        rung.proveLater(spec, id, evidence);
        expectRevert(reason);
        rung.provePositions(spec, id, holdersOf(alice), evidence);
        expectRevert(reason);
        rung.widen(spec, id, evidence);
    }

    function test_answersAreForIncidentsOfThisRung() public {
        ProofRung other = new ProofRung(history, catalog, incidents);
        GaugeSpec memory spec = vaultSpec();
        uint256 b = seal();
        Evidence memory evidence = evidenceOf(spec, b);
        expectRevert(abi.encodeWithSelector(IIncidents.NotThisRung.selector, address(rung), address(other)));
        other.proveLater(spec, id, evidence);
    }

    /// @dev Six percent, then a quarter of the rest: from the earlier onset the loss is thirty, and takes over.
    function test_earlierOnsetRevises() public {
        passDwell(id);
        incidents.finalise(id);
        setVault(1_000_000e6, 1_000_000e6);
        uint256 first = seal();
        setVault(940_000e6, 1_000_000e6);
        uint256 second = seal();
        setVault(700_000e6, 1_000_000e6);
        seal();
        id = _assert(second);
        assertEq(_loss(), 240_000e6);
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = evidenceOf(spec, _three(first, second, second + 1), new address[](0));
        assertEq(rung.assertLoss(spec, evidence), id);
        assertEq(_loss(), 300_000e6);
        assertEq(incidents.incident(id).onset, first);
        assertEq(incidents.incident(id).onsetTime + 12, incidents.incident(id).afterTime);
    }

    // ----- positions -----

    function test_holderThatStayedLosesItsPart() public {
        _prove(holdersOf(alice, bob), a + 1, false);
        assertEq(incidents.positionLost(id, alice), 40_000e6);
        assertEq(incidents.positionLost(id, bob), 120_000e6);
    }

    function test_holderOfNothingLosesNothing() public {
        _prove(holdersOf(keeper), a + 1, false);
        assertEq(incidents.positionLost(id, keeper), 0);
    }

    /// @dev Bought after the exploit, at the price after it.
    function test_whatWasBoughtAfterTheOnsetLostNothing() public {
        setShares(keeper, 50_000e6);
        setShares(alice, 150_000e6);
        setVault(660_000e6, 1_100_000e6);
        uint256 b = seal();
        GaugeSpec memory spec = vaultSpec();
        rung.proveLater(spec, id, evidenceOf(spec, b));
        _prove(holdersOf(keeper, alice), b, false);
        assertEq(incidents.positionLost(id, keeper), 0);
        // At that block what she holds now, 150,000 shares at 60 cents, is left of what she held then.
        assertEq(incidents.positionLost(id, alice), 10_000e6);
    }

    /// @dev Half withdrawn at 60 cents: that half is gone from the later proof, as an exit at a fair price is.
    function test_holderThatLeftIsProvenBeforeItLeft() public {
        setShares(alice, 50_000e6);
        setVault(570_000e6, 950_000e6);
        uint256 b = seal();
        GaugeSpec memory spec = vaultSpec();
        rung.proveLater(spec, id, evidenceOf(spec, b));
        assertEq(_loss(), 400_000e6);
        _prove(holdersOf(alice), b, false);
        assertEq(incidents.positionLost(id, alice), 20_000e6);
        _prove(holdersOf(alice), a + 1, true);
        assertEq(incidents.positionLost(id, alice), 40_000e6);
    }

    /// @dev A proof with more loss and less worth comes last and takes nothing away.
    function test_poorProofClosesNothing() public {
        _prove(holdersOf(alice), a + 1, false);
        setShares(alice, 10_000e6);
        setVault(546_000e6, 910_000e6);
        uint256 b = seal();
        GaugeSpec memory spec = vaultSpec();
        rung.proveLater(spec, id, evidenceOf(spec, b));
        _prove(holdersOf(alice), b, false);
        assertEq(incidents.positionLost(id, alice), 40_000e6);
    }

    /// @dev A position that was proven at the worst block falls with the incident when funds return.
    function test_positionFallsWithTheIncident() public {
        _prove(holdersOf(alice), a + 1, false);
        _answer(800_000e6, 1_000_000e6);
        assertEq(incidents.positionLost(id, alice), 20_000e6);
    }

    function test_positionBlocksLieWithinTheIncident() public {
        GaugeSpec memory spec = vaultSpec();
        uint256 b = seal();
        Evidence memory evidence = positionsOf(spec, a, b, holdersOf(alice), true);
        expectRevert(abi.encodeWithSelector(IProofRung.OutsideIncident.selector, b, a + 1, a + 1));
        rung.provePositions(spec, id, holdersOf(alice), evidence);
        evidence = positionsOf(spec, a + 1, b, holdersOf(alice), true);
        expectRevert(abi.encodeWithSelector(IProofRung.WrongBlock.selector, a, a + 1));
        rung.provePositions(spec, id, holdersOf(alice), evidence);
    }

    function test_positionsUseAllWalks() public {
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = positionsOf(spec, a, a + 1, holdersOf(alice), false);
        uint256 used = evidence.paths.length;
        evidence.paths = abi.encodePacked(evidence.paths, uint8(0));
        expectRevert(abi.encodeWithSelector(Trie.PathsUnused.selector, used, used + 1));
        rung.provePositions(spec, id, holdersOf(alice), evidence);
    }

    function test_positionsComeAscending() public {
        GaugeSpec memory spec = vaultSpec();
        address[] memory accounts = holdersOf(alice, bob);
        (accounts[0], accounts[1]) = (accounts[1], accounts[0]);
        Evidence memory evidence = positionsOf(spec, a, a + 1, accounts, false);
        expectRevert(
            abi.encodeWithSelector(IProofRung.HoldersNotAscending.selector, accounts[0], accounts[1])
        );
        rung.provePositions(spec, id, accounts, evidence);
    }

    /// @dev The walks prove the slots of the accounts that are named, not of others.
    function test_proofOfAnotherHolderProvesNothing() public {
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = positionsOf(spec, a, a + 1, holdersOf(bob), false);
        vm.expectRevert();
        rung.provePositions(spec, id, holdersOf(alice), evidence);
    }

    /// @dev No holder can have lost more than all together, whatever its word says.
    function test_positionNeverExceedsTheIncident() public {
        passDwell(id);
        incidents.finalise(id);
        setShares(bob, type(uint256).max);
        setVault(600_000e6, 1_000_000e6);
        a = seal();
        setVault(500_000e6, 1_000_000e6);
        seal();
        id = _assert(a);
        _prove(holdersOf(bob), a + 1, false);
        assertLe(incidents.positionLost(id, bob), _loss());
    }

    function test_positionsOfAFinalIncidentAreProvenWhileClaimsAreOpen() public {
        passDwell(id);
        incidents.finalise(id);
        vm.roll(block.number + 9000);
        _prove(holdersOf(alice), a + 1, false);
        assertEq(incidents.positionLost(id, alice), 40_000e6);
        Incident memory incident = incidents.incident(id);
        vm.warp(uint256(incident.claimsEnd) + 1);
        GaugeSpec memory spec = vaultSpec();
        Evidence memory evidence = positionsOf(spec, a, a + 1, holdersOf(bob), false);
        expectRevert(abi.encodeWithSelector(IIncidents.ClaimsOver.selector, id, incident.claimsEnd));
        rung.provePositions(spec, id, holdersOf(bob), evidence);
    }

    /// @dev All positions together lose no more than the incident, wherever they are proven.
    function testFuzz_positionsAddUpToAtMostTheLoss(uint256 assets, uint256 ofAlice, uint256 sold) public {
        ofAlice = bound(ofAlice, 0, 700_000e6);
        assets = bound(assets, 0, 700_000e6);
        passDwell(id);
        incidents.finalise(id);
        setShares(alice, ofAlice);
        setVault(1_000_000e6, 1_000_000e6);
        a = seal();
        setVault(assets, 1_000_000e6);
        setShares(alice, ofAlice - bound(sold, 0, ofAlice));
        seal();
        id = _assert(a);
        _prove(holdersOf(alice, bob), a + 1, false);
        uint256 both = uint256(incidents.positionLost(id, alice)) + incidents.positionLost(id, bob);
        assertLe(both, _loss());
        assertLe(incidents.positionLost(id, alice), ofAlice);
    }

    function test_readingsAreKept() public view {
        (Reading memory onset,, Reading memory reading) = rung.readings(id);
        assertEq(onset.number, a);
        assertEq(reading.number, a + 1);
    }
}
