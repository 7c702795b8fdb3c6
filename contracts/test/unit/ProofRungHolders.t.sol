// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Form, GaugeSpec, Holding, Reading, Side, Term} from "breakwater/interfaces/IGauges.sol";
import {Status} from "breakwater/interfaces/IIncidents.sol";
import {Evidence, IProofRung} from "breakwater/interfaces/IProofRung.sol";
import {Trie} from "breakwater/libraries/Trie.sol";
import {Fixture} from "../Fixture.sol";

/// @notice Enumerated gauges: claims without a total, holders in parts, and who may be left out.
contract ProofRungHoldersTest is Fixture {
    /// @dev Assets in slot 0; claims in a mapping at slot 5.
    address private constant BANK = address(0xA0170001);
    address private constant H1 = address(0x1111);
    address private constant H2 = address(0x2222);
    address private constant H3 = address(0x3333);
    address private constant H4 = address(0x4444);

    bytes32 private gauge;

    function setUp() public override {
        super.setUp();
        setAccount(BANK, 0, CODE);
        gauge = list(_spec());
        _set(1000, 100, 200, 300, 400);
    }

    function _spec() private view returns (GaugeSpec memory spec) {
        spec = vaultSpec();
        spec.form = Form.Enumerated;
        (spec.growth, spec.pinnedAt, spec.assets0, spec.shares0, spec.floor) = (0, 0, 0, 0, 1);
        spec.accounts[0].account = BANK;
        spec.terms = new Term[](1);
        spec.terms[0] = Term(0, Side.AssetAdd, false, 0, 0, 256, 1);
        spec.holding = Holding(0, false, false, 0, 256, 1, 0, bytes32(uint256(5)), 0);
    }

    function _set(uint256 assets, uint256 c1, uint256 c2, uint256 c3, uint256 c4) private {
        setWord(BANK, 0, assets);
        setWord(BANK, slotFor(_spec(), H1), c1);
        setWord(BANK, slotFor(_spec(), H2), c2);
        setWord(BANK, slotFor(_spec(), H3), c3);
        setWord(BANK, slotFor(_spec(), H4), c4);
    }

    function _holders(uint256 mask) private pure returns (address[] memory list_) {
        address[4] memory all = [H1, H2, H3, H4];
        list_ = new address[](4);
        uint256 count;
        for (uint256 i; i < 4; ++i) {
            if (mask >> i & 1 == 1) list_[count++] = all[i];
        }
        assembly ("memory-safe") {
            mstore(list_, count)
        }
    }

    function _evidence(uint256[] memory blocks, uint256 mask) private view returns (Evidence memory) {
        return evidenceOf(_spec(), blocks, _holders(mask));
    }

    function _bitmap(uint256 bits) private pure returns (uint256[] memory map) {
        map = new uint256[](1);
        map[0] = bits;
    }

    function _loss(uint256 id) private view returns (uint256) {
        return incidents.incident(id).loss;
    }

    /// @dev Half the assets go.
    function _drain() private returns (uint256 a) {
        a = seal();
        setWord(BANK, 0, 500);
        seal();
    }

    function test_assertsOverAllHolders() public {
        uint256 a = _drain();
        uint256 id = rung.assertLoss(_spec(), _evidence(_two(a, a + 1), 15));
        assertEq(_loss(id), 500);
        assertEq(incidents.incident(id).base, 1000);
        (Reading memory onset,,) = rung.readings(id);
        bytes32 chain;
        for (uint256 i; i < 4; ++i) {
            chain = keccak256(abi.encode(chain, _holders(15)[i]));
        }
        assertEq(onset.holders, chain);
    }

    function test_holdersAscendStrictly() public {
        uint256 a = _drain();
        Evidence memory evidence = _evidence(_two(a, a + 1), 15);
        evidence.holders[1] = H1;
        expectRevert(abi.encodeWithSelector(IProofRung.HoldersNotAscending.selector, H1, H1));
        rung.assertLoss(_spec(), evidence);
        evidence.holders[0] = address(0);
        expectRevert(abi.encodeWithSelector(IProofRung.HoldersNotAscending.selector, address(0), address(0)));
        rung.assertLoss(_spec(), evidence);
    }

    function test_holdersAreForEnumeratedGaugesOnly() public {
        uint256 a = _drain();
        Evidence memory evidence = _evidence(_two(a, a + 1), 0);
        expectRevert(abi.encodeWithSelector(IProofRung.WrongForm.selector, Form.Enumerated));
        rung.assertLoss(_spec(), evidence);
        openVault();
        list(vaultSpec());
        a = seal();
        evidence = evidenceOf(vaultSpec(), a, a);
        evidence.headers[1] = headerOf(a);
        evidence.holders = _holders(1);
        evidence.headers = new bytes[](1);
        evidence.headers[0] = headerOf(a);
        expectRevert(abi.encodeWithSelector(IProofRung.WrongForm.selector, Form.Ratio));
        rung.stage(vaultSpec(), evidence);
    }

    /// @dev A bank that was thin before: 1,000 claims on 600. The subset of 600 looks whole and lost it all; with
    ///      everyone counted, 400 were missing before.
    function test_subsetThatOverstatesIsWidened() public {
        setWord(BANK, 0, 600);
        uint256 a = seal();
        setWord(BANK, 0, 300);
        seal();
        uint256 id = rung.assertLoss(_spec(), _evidence(_two(a, a + 1), 7));
        assertEq(_loss(id) * 1000 / incidents.incident(id).base, 500);
        Evidence memory evidence = _evidence(_two(a, a + 1), 15);
        evidence.newcomers = _bitmap(8);
        rung.widen(_spec(), id, evidence);
        assertEq(_loss(id), 300);
        assertEq(incidents.incident(id).base, 1000);
        // Nobody can go back to the subset.
        uint256 b = seal();
        Evidence memory again = _evidence(_three(a, a + 1, b), 7);
        expectRevert(IProofRung.HoldersMismatch.selector);
        rung.assertLoss(_spec(), again);
    }

    /// @dev All claims count, and with all of them less than the threshold was lost: refuted, then void.
    function test_widenedBelowTheThresholdIsVoid() public {
        _set(40, 40, 200, 300, 400);
        uint256 a = seal();
        setWord(BANK, 0, 0);
        seal();
        uint256 id = rung.assertLoss(_spec(), _evidence(_two(a, a + 1), 1));
        assertEq(_loss(id), 40);
        Evidence memory evidence = _evidence(_two(a, a + 1), 15);
        evidence.newcomers = _bitmap(14);
        rung.widen(_spec(), id, evidence);
        passDwell(id);
        incidents.finalise(id);
        assertEq(uint256(incidents.incident(id).status), uint256(Status.Voided));
    }

    function test_widenKeepsTheHoldersOfTheIncident() public {
        uint256 a = _drain();
        uint256 id = rung.assertLoss(_spec(), _evidence(_two(a, a + 1), 7));
        Evidence memory evidence = _evidence(_two(a, a + 1), 13);
        evidence.newcomers = _bitmap(4);
        expectRevert(IProofRung.HoldersMismatch.selector);
        rung.widen(_spec(), id, evidence);
        evidence = _evidence(_two(a, a + 1), 15);
        evidence.newcomers = new uint256[](2);
        expectRevert(abi.encodeWithSelector(IProofRung.WrongBitmap.selector, 1, 2));
        rung.widen(_spec(), id, evidence);
    }

    /// @dev A claim that appears only with the newcomer would raise the loss above what was ever asserted.
    function test_widenDoesNotRaiseAboveThePeak() public {
        uint256 a = _drain();
        setWord(BANK, slotFor(_spec(), H4), 4000);
        uint256 b = seal();
        uint256 id = rung.assertLoss(_spec(), _evidence(_two(a, a + 1), 7));
        assertEq(_loss(id), 100);
        Evidence memory evidence = _evidence(_two(a, b), 15);
        evidence.newcomers = _bitmap(8);
        expectRevert(IProofRung.AbovePeak.selector);
        rung.widen(_spec(), id, evidence);
    }

    /// @dev A fresh depositor outside the list lifts the assets and no listed claim; listing him answers it.
    function test_freshDepositorIsListed() public {
        _set(600, 100, 200, 300, 0);
        uint256 a = seal();
        setWord(BANK, 0, 300);
        seal();
        uint256 id = rung.assertLoss(_spec(), _evidence(_two(a, a + 1), 7));
        assertEq(_loss(id), 300);
        _set(700, 100, 200, 300, 400);
        uint256 b = seal();
        rung.proveLater(_spec(), id, _evidence(_one(b), 7));
        assertEq(_loss(id), 0);
        Evidence memory evidence = _evidence(_two(a, b), 15);
        evidence.newcomers = _bitmap(8);
        rung.widen(_spec(), id, evidence);
        assertEq(_loss(id), 300);
    }

    function test_laterBlockNeedsTheSameHolders() public {
        uint256 a = _drain();
        uint256 id = rung.assertLoss(_spec(), _evidence(_two(a, a + 1), 7));
        uint256 b = seal();
        Evidence memory evidence = _evidence(_one(b), 15);
        expectRevert(IProofRung.HoldersMismatch.selector);
        rung.proveLater(_spec(), id, evidence);
    }

    // ----- staging -----

    function _stage(uint256 number, uint256 mask) private {
        rung.stage(_spec(), _evidence(_one(number), mask));
    }

    function test_stagesInPartsAndAsserts() public {
        uint256 a = _drain();
        for (uint256 i; i < 2; ++i) {
            _stage(a + i, 3);
            _stage(a + i, 12);
        }
        Reading memory r = rung.staged(address(this), gauge, uint64(a));
        assertEq(r.claims, 1000);
        assertEq(r.assets, 1000);
        uint256 id = rung.assertStaged(_spec(), uint64(a), uint64(a + 1));
        assertEq(_loss(id), 500);
        (Reading memory onset,,) = rung.readings(id);
        assertEq(onset.holders, r.holders);
    }

    /// @dev In whatever parts, the staged reading is that of one call.
    function testFuzz_partsMakeNoDifference(uint256 cut) public {
        cut = bound(cut, 1, 3);
        uint256 a = seal();
        _stage(a, 15);
        Reading memory whole = rung.staged(address(this), gauge, uint64(a));
        vm.startPrank(keeper);
        _stage(a, (1 << cut) - 1);
        _stage(a, 15 ^ ((1 << cut) - 1));
        vm.stopPrank();
        assertEq(abi.encode(rung.staged(keeper, gauge, uint64(a))), abi.encode(whole));
    }

    function test_stagedWalksAreAllUsed() public {
        uint256 a = _drain();
        Evidence memory evidence = _evidence(_one(a), 15);
        uint256 used = evidence.paths.length;
        evidence.paths = abi.encodePacked(evidence.paths, uint8(0));
        expectRevert(abi.encodeWithSelector(Trie.PathsUnused.selector, used, used + 1));
        rung.stage(_spec(), evidence);
    }

    function test_partsFollowEachOther() public {
        uint256 a = _drain();
        _stage(a, 6);
        Evidence memory evidence = _evidence(_one(a), 12);
        expectRevert(abi.encodeWithSelector(IProofRung.HoldersNotAscending.selector, H3, H3));
        rung.stage(_spec(), evidence);
    }

    function test_stagesAreOnesOwn() public {
        uint256 a = _drain();
        _stage(a, 15);
        _stage(a + 1, 15);
        vm.prank(keeper);
        expectRevert(abi.encodeWithSelector(IProofRung.NotStaged.selector, keeper, gauge, a));
        rung.assertStaged(_spec(), uint64(a), uint64(a + 1));
        expectRevert(abi.encodeWithSelector(IProofRung.NotAscending.selector, a, a));
        rung.assertStaged(_spec(), uint64(a), uint64(a));
    }

    function test_stagedBlocksNeedTheSameHolders() public {
        uint256 a = _drain();
        _stage(a, 15);
        _stage(a + 1, 7);
        expectRevert(IProofRung.HoldersMismatch.selector);
        rung.assertStaged(_spec(), uint64(a), uint64(a + 1));
    }

    /// @dev What can be asserted by staging can be answered by staging.
    function test_answersByStaging() public {
        setWord(BANK, 0, 600);
        uint256 a = seal();
        setWord(BANK, 0, 300);
        seal();
        uint256 id = rung.assertLoss(_spec(), _evidence(_two(a, a + 1), 7));
        assertEq(_loss(id), 300);
        setWord(BANK, 0, 540);
        uint256 b = seal();
        vm.startPrank(keeper);
        _stage(b, 3);
        _stage(b, 4);
        rung.proveLaterStaged(_spec(), id, uint64(b));
        vm.stopPrank();
        assertEq(_loss(id), 60);
        setWord(BANK, 0, 400);
        uint256 c = seal();
        _stageNew(a);
        _stageNew(c);
        rung.widenStaged(_spec(), id, uint64(c));
        assertEq(_loss(id), 200);
        assertEq(incidents.incident(id).base, 1000);
    }

    /// @dev Whoever bears the loss may assert it first over holders that hide it; anyone replaces them.
    function test_subsetThatUnderstatesIsReplaced() public {
        uint256 a = _drain();
        uint256 id = rung.assertLoss(_spec(), _evidence(_two(a, a + 1), 7));
        assertEq(_loss(id), 100);
        assertEq(rung.assertLoss(_spec(), _evidence(_two(a, a + 1), 15)), id);
        assertEq(_loss(id), 500);
    }

    /// @dev The newcomer is the last of four, in a second part.
    function _stageNew(uint256 number) private {
        _stage(number, 3);
        Evidence memory evidence = _evidence(_one(number), 12);
        evidence.newcomers = _bitmap(2);
        rung.stage(_spec(), evidence);
    }

    /// @dev At either block the holders that are no newcomers must be those of the incident.
    function test_widenStagedKeepsTheHoldersOfTheIncident() public {
        uint256 a = _drain();
        uint256 id = rung.assertLoss(_spec(), _evidence(_two(a, a + 1), 7));
        _stage(a, 15);
        _stageNew(a + 1);
        expectRevert(IProofRung.HoldersMismatch.selector);
        rung.widenStaged(_spec(), id, uint64(a + 1));
        vm.startPrank(keeper);
        _stageNew(a);
        _stage(a + 1, 15);
        expectRevert(IProofRung.HoldersMismatch.selector);
        rung.widenStaged(_spec(), id, uint64(a + 1));
    }

    /// @dev Claims whose sum is out of range cannot be what a loss begins from, in however many parts.
    function test_stagedOnsetReadsWithinRange() public {
        setWord(BANK, slotFor(_spec(), H1), type(uint128).max);
        uint256 a = _drain();
        _stage(a, 1);
        _stage(a, 2);
        _stage(a + 1, 3);
        expectRevert(abi.encodeWithSelector(IProofRung.SumOutOfRange.selector, gauge, a));
        rung.assertStaged(_spec(), uint64(a), uint64(a + 1));
    }

    // ----- positions -----

    function test_positionsOfClaims() public {
        uint256 a = _drain();
        GaugeSpec memory spec = _spec();
        uint256 id = rung.assertLoss(spec, _evidence(_two(a, a + 1), 15));
        rung.provePositions(spec, id, _holders(15), positionsOf(spec, a, a + 1, _holders(15), false));
        assertEq(incidents.positionLost(id, H1), 50);
        assertEq(incidents.positionLost(id, H4), 200);
    }

    /// @dev Claims at par have no block that serves one holder better.
    function test_positionsOfClaimsAreProvenAtTheReading() public {
        uint256 a = _drain();
        setWord(BANK, 0, 400);
        uint256 b = seal();
        GaugeSpec memory spec = _spec();
        uint256 id = rung.assertLoss(spec, _evidence(_three(a, a + 1, b), 15));
        Evidence memory evidence = positionsOf(spec, a, a + 1, _holders(1), false);
        expectRevert(abi.encodeWithSelector(IProofRung.OutsideIncident.selector, a + 1, b, b));
        rung.provePositions(spec, id, _holders(1), evidence);
    }
}
