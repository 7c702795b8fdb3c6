// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {ICatalog, Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {Form, GaugeSpec, Side, Term} from "breakwater/interfaces/IGauges.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {Fixture} from "../Fixture.sol";

/// @notice Listing of triggers, and of what may be covered by gauges and by triggers.
contract TriggersTest is Fixture {
    uint8 private constant FEED = 2;
    uint8 private constant CANARY = 4;
    uint8 private constant QUORUM = 8;

    function _trigger(uint8 rungs) private view returns (Trigger memory t) {
        t.chainId = block.chainid;
        t.rungs = rungs;
        t.asset = address(usd);
        t.subject = VAULT;
        t.selector = 0x11223344;
        t.threshold = 0.1e18;
        t.terms = "terms";
    }

    function _refused(Trigger memory t, bytes32 field, uint256 got) private {
        expectRevert(abi.encodeWithSelector(ICatalog.OutOfRange.selector, field, got));
        catalog.listTrigger(t);
    }

    function test_listsATrigger() public {
        Trigger memory t = _trigger(CANARY | QUORUM);
        bytes32 expected = keccak256(abi.encode(keccak256("breakwater.trigger/1"), t));
        vm.expectEmit(true, true, true, true, address(catalog));
        emit ICatalog.TriggerListed(expected, t);
        assertEq(catalog.listTrigger(t), expected);
        ICatalog.GaugeInfo memory info = catalog.gaugeInfo(expected);
        assertEq(info.subject, keccak256(abi.encode(block.chainid, VAULT, t.selector)));
        assertEq(info.asset, address(usd));
        assertEq(info.threshold, t.threshold);
        assertEq(info.listedAt, block.timestamp);
        assertEq(info.account, VAULT);
        assertEq(info.rungs, CANARY | QUORUM);
        assertTrue(info.trigger);
        expectRevert(abi.encodeWithSelector(ICatalog.AlreadyListed.selector, expected));
        catalog.listTrigger(t);
    }

    function test_gaugesAreForProofAndQuorum() public {
        ICatalog.GaugeInfo memory info = catalog.gaugeInfo(list(vaultSpec()));
        assertEq(info.rungs, 1 | QUORUM);
        assertFalse(info.trigger);
    }

    function test_onlyTheListerListsTriggers() public {
        vm.prank(keeper);
        expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, keeper));
        catalog.listTrigger(_trigger(QUORUM));
    }

    function test_triggerNumbersAreInRange() public {
        Trigger memory t = _trigger(QUORUM);
        t.chainId = 5;
        expectRevert(abi.encodeWithSelector(ICatalog.WrongChain.selector, block.chainid, 5));
        catalog.listTrigger(t);
        // None, the proof's, the assembly's, none's, and two machines at once.
        uint8[5] memory rungs = [0, 1 | QUORUM, 16 | QUORUM, 128, FEED | CANARY];
        for (uint256 i; i < 5; ++i) {
            _refused(_trigger(rungs[i]), "rungs", rungs[i]);
        }
        t = _trigger(QUORUM);
        t.subject = address(0);
        _refused(t, "subject", 0);
        t = _trigger(QUORUM);
        t.threshold = 0;
        _refused(t, "threshold", 0);
        t.threshold = uint64(WAD) + 1;
        _refused(t, "threshold", WAD + 1);
        t = _trigger(FEED | QUORUM);
        t.terms = "";
        _refused(t, "terms", 0);
        t.rungs = QUORUM;
        catalog.listTrigger(t);
    }

    /// @dev What two of them paid one position is compared unit by unit.
    function test_allOfASubjectCountInOneAsset() public {
        Trigger memory t = _trigger(QUORUM);
        t.claims = catalog.gaugeInfo(list(vaultSpec())).subject;
        t.asset = address(0);
        _refused(t, "asset", 0);
        t.asset = address(usd);
        bytes32 id = catalog.listTrigger(t);
        assertEq(catalog.gaugeInfo(id).subject, t.claims);
        // The other way round as well: a gauge behind a trigger.
        GaugeSpec memory spec = vaultSpec();
        spec.holding.word = 1;
        t.claims = keccak256(abi.encode(block.chainid, VAULT, false, false, spec.holding.base, 0, uint32(1)));
        t.asset = address(0);
        catalog.listTrigger(t);
        expectRevert(abi.encodeWithSelector(ICatalog.OutOfRange.selector, bytes32("asset"), address(usd)));
        list(spec);
    }

    // ----- products -----

    /// @dev One that names where claims are kept.
    function _placed(uint8 rungs) private view returns (Trigger memory t) {
        t = _trigger(rungs);
        t.claims = keccak256("claims");
    }

    /// @dev What is paid of a position elsewhere is known only by where its claims are kept.
    function test_positionsNeedAPlaceOfClaims() public {
        uint8[3] memory rungs = [QUORUM, FEED, CANARY];
        for (uint256 i; i < 8; ++i) {
            bool free = Kind(i) == Kind.Governance || Kind(i) == Kind.Custom;
            uint8 by = Kind(i) == Kind.Upgrade ? rungs[2] : i == 2 || i == 3 || i == 6 ? rungs[1] : rungs[0];
            bytes32 on = keccak256(abi.encode(keccak256("breakwater.trigger/1"), _trigger(by)));
            if (catalog.gaugeInfo(on).listedAt == 0) catalog.listTrigger(_trigger(by));
            assertFalse(catalog.gaugeInfo(on).placed);
            Product memory terms = _terms(on, Kind(i));
            if (free) {
                listProduct(terms);
                continue;
            }
            expectRevert(abi.encodeWithSelector(ICatalog.OutOfRange.selector, bytes32("claims"), 0));
            catalog.listProduct(terms, 0);
        }
    }

    function _terms(bytes32 on, Kind kind) private view returns (Product memory terms) {
        terms = termsFor(on);
        terms.kind = kind;
        terms.lossCapBps = 1;
        if (kind == Kind.Protocol || kind == Kind.Governance) terms.registrant = bob;
    }

    function _kinds(bytes32 on, bool[8] memory allowed) private {
        for (uint256 i; i < 8; ++i) {
            Product memory terms = _terms(on, Kind(i));
            if (!allowed[i]) {
                expectRevert(abi.encodeWithSelector(ICatalog.OutOfRange.selector, bytes32("kind"), i));
                catalog.listProduct(terms, 0);
            } else {
                listProduct(terms);
            }
        }
    }

    /// @dev In the order of `Kind`: position, protocol, liquidity, oracle, governance, upgrade, depeg, custom.
    function test_kindsGoWithWhatCanMeasureThem() public {
        bytes32 on = list(vaultSpec());
        _kinds(on, [true, true, false, false, false, false, false, false]);
        GaugeSpec memory spec = vaultSpec();
        spec.form = Form.Geometric;
        spec.holding.word = 1;
        spec.terms = new Term[](3);
        spec.terms[0] = Term(0, Side.AssetAdd, false, 0, 0, 112, 1);
        spec.terms[1] = Term(0, Side.AssetAdd, false, 0, 112, 112, 1);
        spec.terms[2] = Term(0, Side.ClaimAdd, false, bytes32(uint256(1)), 0, 128, 1);
        _kinds(list(spec), [true, true, true, false, false, false, false, false]);
        on = catalog.listTrigger(_placed(FEED));
        _kinds(on, [false, false, true, true, false, false, true, true]);
        on = catalog.listTrigger(_placed(CANARY));
        _kinds(on, [false, false, false, false, false, true, false, true]);
        on = catalog.listTrigger(_placed(QUORUM));
        _kinds(on, [true, true, false, false, true, false, false, true]);
        on = catalog.listTrigger(_placed(FEED | QUORUM));
        _kinds(on, [false, false, true, true, true, false, true, true]);
    }

    function test_somethingStaysWithThoseWhoCouldPreventIt() public {
        bytes32 reporters = catalog.listTrigger(_placed(QUORUM));
        bytes32 feed = catalog.listTrigger(_placed(FEED));
        bytes32 canary = catalog.listTrigger(_placed(CANARY));
        bytes32[8] memory on = [reporters, reporters, feed, feed, reporters, canary, feed, reporters];
        uint16[8] memory most = [10_000, 9000, 2000, 10_000, 3000, 9500, 10_000, 10_000];
        for (uint256 i; i < 8; ++i) {
            Product memory terms = _terms(on[i], Kind(i));
            terms.lossCapBps = most[i] + 1;
            expectRevert(
                abi.encodeWithSelector(ICatalog.OutOfRange.selector, bytes32("lossCapBps"), most[i] + 1)
            );
            catalog.listProduct(terms, 0);
            terms.lossCapBps = most[i];
            listProduct(terms);
        }
    }

    function test_registrantsAreNamedWhereOneIsInsured() public {
        bytes32 on = catalog.listTrigger(_placed(QUORUM));
        Product memory terms = _terms(on, Kind.Governance);
        terms.registrant = address(0);
        bytes4 range = ICatalog.OutOfRange.selector;
        expectRevert(abi.encodeWithSelector(range, bytes32("registrant"), 0));
        catalog.listProduct(terms, 0);
        terms = _terms(on, Kind.Position);
        terms.registrant = bob;
        expectRevert(abi.encodeWithSelector(range, bytes32("registrant"), bob));
        catalog.listProduct(terms, 0);
        terms = _terms(on, Kind.Custom);
        listProduct(terms);
        terms.registrant = bob;
        listProduct(terms);
    }

    /// @dev A registrant of his own choosing would take the loss of all holders for a few units of his own.
    function test_onlyListersNameRegistrants() public {
        bytes32 on = catalog.listTrigger(_placed(QUORUM));
        for (uint256 i; i < 8; ++i) {
            if (Kind(i) != Kind.Protocol && Kind(i) != Kind.Governance && Kind(i) != Kind.Custom) continue;
            Product memory terms = _terms(on, Kind(i));
            terms.registrant = keeper;
            vm.prank(keeper);
            expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, keeper));
            catalog.listProduct(terms, 0);
        }
    }
}
