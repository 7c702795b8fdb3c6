// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Form, GaugeSpec, Holding, Reading, Side, Term} from "breakwater/interfaces/IGauges.sol";
import {Evidence, IProofRung} from "breakwater/interfaces/IProofRung.sol";
import {Gauge} from "breakwater/libraries/Gauge.sol";
import {Fixture} from "../Fixture.sol";

/// @notice Gives the library's arithmetic an outside.
contract GaugeCaller {
    function cap(GaugeSpec calldata spec, Reading calldata a) external pure returns (uint256) {
        return Gauge.cap(spec, a);
    }

    function base(GaugeSpec calldata spec, Reading calldata a) external pure returns (uint128) {
        return Gauge.baseOf(spec, 0, a);
    }

    function loss(GaugeSpec calldata spec, Gauge.Onset calldata onset, Reading calldata b)
        external
        pure
        returns (uint128)
    {
        return Gauge.lossOf(spec, 0, onset, b);
    }

    function position(
        GaugeSpec calldata spec,
        Gauge.Onset calldata onset,
        Reading calldata b,
        uint128 loss_,
        uint256 before,
        uint256 later
    ) external pure returns (uint256 lost, uint256 value) {
        return Gauge.positionLoss(spec, onset, b, loss_, before, later);
    }
}

/// @notice Par and geometric gauges, places of holdings, and the arithmetic at its limits.
contract ProofRungFormsTest is Fixture {
    GaugeCaller private gauge = new GaugeCaller();

    function setUp() public override {
        super.setUp();
        setAccount(VAULT, 0, CODE);
    }

    function _reading(uint128 assets, uint128 claims) private pure returns (Reading memory) {
        return Reading(1, uint64(START), assets, claims, 0);
    }

    // ----- par -----

    /// @dev Assets in slot 0, total claims in slot 1.
    function _par() private view returns (GaugeSpec memory spec) {
        spec = vaultSpec();
        spec.form = Form.Par;
        (spec.growth, spec.pinnedAt, spec.assets0, spec.shares0, spec.floor) = (0, 0, 0, 0, 1);
        spec.terms[0] = Term(0, Side.AssetAdd, false, 0, 0, 256, 1);
        spec.terms[1] = Term(0, Side.ClaimAdd, false, bytes32(uint256(1)), 0, 256, 1);
    }

    function _set(uint256 assets, uint256 claims) private {
        setWord(VAULT, 0, assets);
        setWord(VAULT, bytes32(uint256(1)), claims);
    }

    function test_parLosesWhatFallsShort() public {
        GaugeSpec memory spec = _par();
        list(spec);
        _set(1000, 900);
        uint256 a = seal();
        _set(600, 900);
        seal();
        uint256 id = rung.assertLoss(spec, evidenceOf(spec, a, a + 1));
        // A hundred were over.
        assertEq(incidents.incident(id).loss, 300);
        assertEq(incidents.incident(id).base, 900);
    }

    /// @dev An honest exit from an already thin bank makes it thinner for each, and takes no more than its due.
    function test_exitFromAThinBankIsNoLoss() public {
        GaugeSpec memory spec = _par();
        list(spec);
        _set(600, 900);
        uint256 a = seal();
        _set(300, 600);
        seal();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        expectRevert(abi.encodeWithSelector(IProofRung.NoOnset.selector, 0, 0.05e18));
        rung.assertLoss(spec, evidence);
    }

    function test_parIsUndefinedBelowItsFloor() public {
        GaugeSpec memory spec = _par();
        spec.floor = 901;
        bytes32 id = list(spec);
        _set(900, 900);
        uint256 a = seal();
        _set(0, 900);
        seal();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        expectRevert(abi.encodeWithSelector(IProofRung.UndefinedLoss.selector, id, a));
        rung.assertLoss(spec, evidence);
    }

    // ----- geometric -----

    /// @dev Reserves in slot 0, 112 bits each; supply in slot 1.
    function _pair() private view returns (GaugeSpec memory spec) {
        spec = vaultSpec();
        spec.form = Form.Geometric;
        spec.terms = new Term[](3);
        spec.terms[0] = Term(0, Side.AssetAdd, false, 0, 0, 112, 1);
        spec.terms[1] = Term(0, Side.AssetAdd, false, 0, 112, 112, 1);
        spec.terms[2] = Term(0, Side.ClaimAdd, false, bytes32(uint256(1)), 0, 256, 1);
        spec.floor = 1;
    }

    function _reserves(uint256 one, uint256 two) private {
        setWord(VAULT, 0, one | two << 112);
        setWord(VAULT, bytes32(uint256(1)), 1000);
    }

    function test_geometricLosesTheRoot() public {
        GaugeSpec memory spec = _pair();
        list(spec);
        _reserves(2000, 500);
        uint256 a = seal();
        _reserves(500, 500);
        seal();
        uint256 id = rung.assertLoss(spec, evidenceOf(spec, a, a + 1));
        assertEq(incidents.incident(id).base, 1000);
        assertEq(incidents.incident(id).loss, 500);
    }

    /// @dev A swap moves along the curve and loses nothing, however large.
    function test_swapIsNoLoss() public {
        GaugeSpec memory spec = _pair();
        list(spec);
        _reserves(1000, 1000);
        uint256 a = seal();
        _reserves(10_000, 100);
        seal();
        Evidence memory evidence = evidenceOf(spec, a, a + 1);
        expectRevert(abi.encodeWithSelector(IProofRung.NoOnset.selector, 0, 0.05e18));
        rung.assertLoss(spec, evidence);
    }

    // ----- where holdings are -----

    /// @dev Every way to derive a slot, against the fixture's own derivation; packed, scaled and with a word offset.
    function testFuzz_holdingsAreFound(bool vyper, bool nested, uint32 word, bytes32 base, bytes32 inner)
        public
    {
        GaugeSpec memory spec = vaultSpec();
        spec.holding = Holding(0, vyper, nested, 64, 128, 3, word, base, nested ? inner : bytes32(0));
        list(spec);
        openVault();
        setWord(VAULT, slotFor(spec, alice), type(uint256).max << 192 | 50_000e6 << 64 | 7);
        uint256 a = seal();
        setVault(600_000e6, 1_000_000e6);
        seal();
        uint256 id = rung.assertLoss(spec, evidenceOf(spec, a, a + 1));
        rung.provePositions(spec, id, holdersOf(alice), positionsOf(spec, a, a + 1, holdersOf(alice), false));
        assertEq(incidents.positionLost(id, alice), 60_000e6);
    }

    // ----- arithmetic -----

    function test_roundingsNameTheirDirection() public view {
        GaugeSpec memory spec = vaultSpec();
        (spec.assets0, spec.shares0, spec.growth) = (10, 3, 0);
        // floor(10 * 7 / 3) = 23: the cap rounds down.
        assertEq(gauge.cap(spec, _reading(1000, 7)), 23);
        Reading memory a = _reading(1000, 1000);
        // What is left is ceil(333 * 1000 / 999) = 334 of 1000.
        assertEq(gauge.loss(spec, Gauge.Onset(a, 1000, 0), _reading(333, 999)), 666);
        // 3 of 1000 shares: floor(3 * 666 / 1000) = 1.
        (uint256 lost, uint256 value) =
            gauge.position(spec, Gauge.Onset(a, 1000, 0), _reading(333, 999), 666, 3, 3);
        assertEq(lost, 1);
        assertEq(value, 3);
    }

    function test_capDoesNotOverflow() public view {
        GaugeSpec memory spec = vaultSpec();
        (spec.assets0, spec.shares0, spec.growth) = (type(uint128).max, 1, type(uint64).max);
        Reading memory a = Reading(1, type(uint64).max, type(uint128).max, type(uint128).max, 0);
        assertGe(gauge.cap(spec, a), type(uint128).max);
        assertEq(gauge.base(spec, a), type(uint128).max);
    }

    /// @dev Nothing panics on any readings, no loss exceeds its base, and no position its part.
    function testFuzz_lossesStayWithinTheirBounds(
        uint128[3] memory assets,
        uint128[2] memory claims,
        uint256 before,
        uint256 later,
        bool par
    ) public view {
        GaugeSpec memory spec = par ? _par() : vaultSpec();
        claims[0] = uint128(bound(claims[0], spec.floor, type(uint128).max));
        claims[1] = uint128(bound(claims[1], 1, type(uint128).max));
        assets[0] = uint128(bound(assets[0], 1, type(uint128).max));
        Reading memory a = _reading(assets[0], claims[0]);
        try gauge.base(spec, a) returns (uint128 base) {
            Gauge.Onset memory onset = Gauge.Onset(a, base, assets[2]);
            _checkLoss(spec, onset, _reading(assets[1], claims[1]), uint128(before), uint128(later));
        } catch (bytes memory reason) {
            assertEq(bytes32(bytes4(reason)), bytes32(IProofRung.UndefinedLoss.selector));
        }
    }

    function _checkLoss(
        GaugeSpec memory spec,
        Gauge.Onset memory onset,
        Reading memory b,
        uint128 before,
        uint128 later
    ) private view {
        uint128 loss = gauge.loss(spec, onset, b);
        assertLe(loss, onset.base);
        (uint256 lost, uint256 value) = gauge.position(spec, onset, b, loss, before, later);
        assertLe(lost, value);
        if (before <= onset.a.claims) assertLe(lost, loss);
    }

    /// @dev A part of the shares, split over two accounts, loses no more than in one.
    function testFuzz_splittingGainsNothing(uint128 held, uint128 part, uint128 assets) public view {
        held = uint128(bound(held, 0, 1e15));
        part = uint128(bound(part, 0, held));
        assets = uint128(bound(assets, 0, 1e15));
        uint256 whole = _lost(assets, held);
        uint256 both = _lost(assets, part) + _lost(assets, held - part);
        assertLe(both, whole + 1);
        assertGe(both + 1, whole);
    }

    /// @dev What a holder lost that kept `held` of 1e15 shares while 1e15 assets fell to `assets`.
    function _lost(uint128 assets, uint256 held) private view returns (uint256 lost) {
        GaugeSpec memory spec = vaultSpec();
        Gauge.Onset memory onset = Gauge.Onset(_reading(1e15, 1e15), 1e15, assets);
        Reading memory b = _reading(assets, 1e15);
        (lost,) = gauge.position(spec, onset, b, gauge.loss(spec, onset, b), held, held);
    }
}
