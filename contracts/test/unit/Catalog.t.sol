// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Catalog} from "breakwater/core/Catalog.sol";
import {ICatalog, Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {Form, GaugeSpec, Pin, PinnedAccount, Side, Term} from "breakwater/interfaces/IGauges.sol";
import {Fixture} from "../Fixture.sol";

/// @notice Listing of gauges, products and pools: every bound from both sides, and who may.
contract CatalogTest is Fixture {
    function _refusedSpec(GaugeSpec memory spec, bytes32 field, uint256 got) private {
        expectRevert(abi.encodeWithSelector(ICatalog.OutOfRange.selector, field, got));
        catalog.listGauge(spec, new GaugeSpec[](0));
    }

    function _refusedTerms(Product memory terms, bytes32 field, uint256 got) private {
        expectRevert(abi.encodeWithSelector(ICatalog.OutOfRange.selector, field, got));
        catalog.listProduct(terms, 0);
    }

    function _specs(GaugeSpec memory one) private pure returns (GaugeSpec[] memory list_) {
        list_ = new GaugeSpec[](1);
        list_[0] = one;
    }

    function setUp() public override {
        super.setUp();
        // Beside the factory, so that anything can be registered here.
    }

    // ----- gauges -----

    function test_listsAGauge() public {
        GaugeSpec memory spec = vaultSpec();
        bytes32 gauge = list(spec);
        assertEq(gauge, keccak256(abi.encode(spec)));
        ICatalog.GaugeInfo memory info = catalog.gaugeInfo(gauge);
        assertEq(info.account, VAULT);
        assertEq(info.asset, address(usd));
        assertEq(info.threshold, spec.threshold);
        assertEq(info.listedAt, block.timestamp);
        assertEq(catalog.gaugesOf(info.subject)[0], gauge);
        expectRevert(abi.encodeWithSelector(ICatalog.AlreadyListed.selector, gauge));
        catalog.listGauge(spec, new GaugeSpec[](0));
    }

    function test_onlyTheListerLists() public {
        GaugeSpec memory spec = vaultSpec();
        bytes memory reason =
            abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, keeper);
        vm.startPrank(keeper);
        expectRevert(reason);
        catalog.listGauge(spec, new GaugeSpec[](0));
        expectRevert(reason);
        catalog.wire(address(usd));
        vm.stopPrank();
        manager.grantRole(7, keeper, 0);
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = catalog.listGauge.selector;
        manager.setTargetFunctionRole(address(catalog), selectors, 7);
        vm.prank(keeper);
        catalog.listGauge(spec, new GaugeSpec[](0));
    }

    function test_gaugeIsOfThisChain() public {
        GaugeSpec memory spec = vaultSpec();
        spec.chainId = 5;
        expectRevert(abi.encodeWithSelector(ICatalog.WrongChain.selector, block.chainid, 5));
        catalog.listGauge(spec, new GaugeSpec[](0));
    }

    function test_gaugeNumbersAreInRange() public {
        GaugeSpec memory spec = vaultSpec();
        spec.threshold = 0;
        _refusedSpec(spec, "threshold", 0);
        spec.threshold = 1e18 + 1;
        _refusedSpec(spec, "threshold", 1e18 + 1);
        spec = vaultSpec();
        spec.floor = 0;
        _refusedSpec(spec, "floor", 0);
        spec = vaultSpec();
        spec.assets0 = 0;
        _refusedSpec(spec, "assets0", 0);
        spec = vaultSpec();
        spec.shares0 = 0;
        _refusedSpec(spec, "shares0", 0);
        spec = vaultSpec();
        spec.pinnedAt = 0;
        _refusedSpec(spec, "pinnedAt", 0);
        spec.pinnedAt = uint64(block.timestamp + 1);
        _refusedSpec(spec, "pinnedAt", block.timestamp + 1);
        spec.pinnedAt = uint64(block.timestamp);
        spec.threshold = 1e18;
        list(spec);
    }

    function test_accountsAscendAndHaveCode() public {
        GaugeSpec memory spec = vaultSpec();
        spec.accounts = new PinnedAccount[](0);
        _refusedSpec(spec, "accounts", 0);
        spec.accounts = new PinnedAccount[](9);
        _refusedSpec(spec, "accounts", 9);
        spec.accounts = new PinnedAccount[](2);
        spec.accounts[0] = PinnedAccount(VAULT, CODE);
        spec.accounts[1] = PinnedAccount(VAULT, CODE);
        _refusedSpec(spec, "account", uint160(VAULT));
        spec.accounts[0].account = address(0);
        _refusedSpec(spec, "account", 0);
        spec.accounts[0].account = address(1);
        spec.accounts[0].codeHash = keccak256("");
        _refusedSpec(spec, "codeHash", uint256(keccak256("")));
        spec.accounts[0].codeHash = 0;
        list(spec);
    }

    function test_pinsNameAccounts() public {
        GaugeSpec memory spec = vaultSpec();
        spec.pins = new Pin[](9);
        _refusedSpec(spec, "pins", 9);
        spec.pins = new Pin[](8);
        spec.pins[7].account = 1;
        _refusedSpec(spec, "pin.account", 1);
        spec.pins[7].account = 0;
        list(spec);
    }

    function test_termsAreReadable() public {
        GaugeSpec memory spec = vaultSpec();
        spec.terms = new Term[](0);
        _refusedSpec(spec, "terms", 0);
        spec.terms = new Term[](17);
        _refusedSpec(spec, "terms", 17);
        spec = vaultSpec();
        spec.terms[1].account = 1;
        _refusedSpec(spec, "term.account", 1);
        spec = vaultSpec();
        spec.terms[1].scale = 0;
        _refusedSpec(spec, "term.scale", 0);
        spec = vaultSpec();
        spec.terms[0].width = 0;
        _refusedSpec(spec, "term.width", 0);
        (spec.terms[0].offset, spec.terms[0].width) = (128, 129);
        _refusedSpec(spec, "term.width", 129);
        spec.terms[0].width = 128;
        spec.terms[0].native = true;
        _refusedSpec(spec, "term.native", 1);
        (spec.terms[0].offset, spec.terms[0].width) = (0, 0);
        list(spec);
    }

    function test_holdingIsReadable() public {
        GaugeSpec memory spec = vaultSpec();
        spec.holding.account = 1;
        _refusedSpec(spec, "holding.account", 1);
        spec = vaultSpec();
        spec.holding.scale = 0;
        _refusedSpec(spec, "holding.scale", 0);
        spec = vaultSpec();
        spec.holding.offset = 1;
        _refusedSpec(spec, "holding.width", 256);
        spec.holding.width = 255;
        spec.holding.innerKey = bytes32(uint256(1));
        _refusedSpec(spec, "holding.innerKey", 1);
        spec.holding.nested = true;
        list(spec);
    }

    /// @dev Which sides each form takes, in all ways to choose the sides of two terms.
    function test_formAndTermsAgree() public {
        for (uint256 i; i < 64; ++i) {
            GaugeSpec memory spec = vaultSpec();
            spec.form = Form(i % 4);
            if (spec.form == Form.Par || spec.form == Form.Enumerated) {
                (spec.growth, spec.pinnedAt, spec.assets0, spec.shares0) = (0, 0, 0, 0);
            }
            spec.terms[0].side = Side(i / 4 % 4);
            spec.terms[1].side = Side(i / 16);
            spec.holding.base = bytes32(100 + i);
            if (_agrees(spec.form, i / 4 % 4, i / 16)) list(spec);
            else _refusedSpec(spec, "form", uint256(spec.form));
        }
    }

    function _agrees(Form form, uint256 one, uint256 two) private pure returns (bool) {
        bool both = (one == 0 && two == 2) || (one == 2 && two == 0);
        if (form == Form.Ratio || form == Form.Par) return both;
        if (form == Form.Enumerated) return one + two <= 1;
        // Geometric needs three terms: two reserves and a supply.
        return false;
    }

    function test_geometricHasTwoReserves() public {
        GaugeSpec memory spec = vaultSpec();
        spec.form = Form.Geometric;
        Term memory reserve = spec.terms[0];
        spec.terms = new Term[](3);
        (spec.terms[0], spec.terms[1], spec.terms[2]) = (reserve, reserve, vaultSpec().terms[1]);
        list(spec);
        spec.terms[1].side = Side.AssetSub;
        _refusedSpec(spec, "form", uint256(Form.Geometric));
    }

    /// @dev A gauge has one spelling: what its form does not use is zero.
    function test_parHasNoHistory() public {
        GaugeSpec memory spec = vaultSpec();
        spec.form = Form.Par;
        _refusedSpec(spec, "growth", spec.growth);
        spec.growth = 0;
        _refusedSpec(spec, "assets0", spec.assets0);
        spec.assets0 = 0;
        _refusedSpec(spec, "shares0", spec.shares0);
        spec.shares0 = 0;
        _refusedSpec(spec, "pinnedAt", spec.pinnedAt);
        spec.pinnedAt = 0;
        list(spec);
    }

    // ----- one subject -----

    /// @dev Two gauges over the same words would both pay one position.
    function test_gaugesOfASubjectExcludeEachOther() public {
        GaugeSpec memory first = vaultSpec();
        bytes32 id = list(first);
        GaugeSpec memory second = vaultSpec();
        second.threshold = 0.2e18;
        second.holding.width = 128;
        expectRevert(abi.encodeWithSelector(ICatalog.NotExclusive.selector, id));
        catalog.listGauge(second, _specs(first));
        second.accounts[0].codeHash = keccak256("next");
        catalog.listGauge(second, _specs(first));
    }

    function test_pinsExcludeToo() public {
        GaugeSpec memory first = vaultSpec();
        first.pins = new Pin[](1);
        first.pins[0] = Pin(0, bytes32(uint256(1)), bytes32(uint256(7)));
        bytes32 id = list(first);
        GaugeSpec memory second = vaultSpec();
        second.pins = new Pin[](1);
        second.pins[0] = Pin(0, bytes32(uint256(2)), bytes32(uint256(8)));
        expectRevert(abi.encodeWithSelector(ICatalog.NotExclusive.selector, id));
        catalog.listGauge(second, _specs(first));
        second.pins[0].slot = bytes32(uint256(1));
        catalog.listGauge(second, _specs(first));
    }

    /// @dev A slot of one account says nothing about the same slot of another.
    function test_pinsOfOtherAccountsDoNotExclude() public {
        GaugeSpec memory first = vaultSpec();
        first.accounts = new PinnedAccount[](2);
        first.accounts[0] = PinnedAccount(VAULT, CODE);
        first.accounts[1] = PinnedAccount(address(type(uint160).max), CODE);
        first.pins = new Pin[](1);
        first.pins[0] = Pin(1, bytes32(uint256(1)), bytes32(uint256(7)));
        bytes32 id = list(first);
        GaugeSpec memory second = vaultSpec();
        second.pins = new Pin[](1);
        second.pins[0] = Pin(0, bytes32(uint256(1)), bytes32(uint256(8)));
        expectRevert(abi.encodeWithSelector(ICatalog.NotExclusive.selector, id));
        catalog.listGauge(second, _specs(first));
    }

    function test_allPriorsAreNamedInOrder() public {
        GaugeSpec memory first = vaultSpec();
        bytes32 id = list(first);
        GaugeSpec memory second = vaultSpec();
        second.accounts[0].codeHash = keccak256("next");
        expectRevert(abi.encodeWithSelector(ICatalog.PriorsMismatch.selector, 1, 0));
        catalog.listGauge(second, new GaugeSpec[](0));
        expectRevert(abi.encodeWithSelector(ICatalog.WrongPrior.selector, id, keccak256(abi.encode(second))));
        catalog.listGauge(second, _specs(second));
    }

    /// @dev Other words of the same contract are another subject.
    function test_otherMappingsAreOtherSubjects() public {
        list(vaultSpec());
        for (uint256 i; i < 5; ++i) {
            GaugeSpec memory spec = vaultSpec();
            if (i == 0) spec.holding.base = bytes32(uint256(3));
            if (i == 1) spec.holding.vyper = true;
            if (i == 2) spec.holding.nested = true;
            if (i == 3) (spec.holding.nested, spec.holding.innerKey) = (true, bytes32(uint256(1)));
            if (i == 4) spec.holding.word = 1;
            list(spec);
        }
    }

    function test_subjectHasSixteenGauges() public {
        GaugeSpec[] memory priors = new GaugeSpec[](16);
        for (uint256 i; i < 17; ++i) {
            GaugeSpec memory spec = vaultSpec();
            spec.accounts[0].codeHash = bytes32(1 + i);
            GaugeSpec[] memory earlier = new GaugeSpec[](i);
            for (uint256 k; k < i; ++k) {
                earlier[k] = priors[k];
            }
            if (i == 16) expectRevert(ICatalog.TooManyGauges.selector);
            catalog.listGauge(spec, earlier);
            if (i < 16) priors[i] = spec;
        }
    }

    // ----- products -----

    function test_anyoneListsAProduct() public {
        Product memory terms = termsFor(list(vaultSpec()));
        bytes32 hash = keccak256(bytes(wording.wording(terms, catalog.gaugeInfo(terms.gauge))));
        vm.prank(keeper);
        bytes32 id = catalog.listProduct(terms, hash);
        assertEq(id, keccak256(abi.encode(terms)));
        assertEq(catalog.wordingHash(id), hash);
        assertEq(abi.encode(catalog.product(id)), abi.encode(terms));
        expectRevert(abi.encodeWithSelector(ICatalog.AlreadyListed.selector, id));
        catalog.listProduct(terms, hash);
    }

    /// @dev Text and code cannot part: who lists must have read what will be rendered.
    function test_wordingMustBeTheRenderedOne() public {
        Product memory terms = termsFor(list(vaultSpec()));
        bytes32 hash = keccak256(bytes(wording.wording(terms, catalog.gaugeInfo(terms.gauge))));
        terms.deductibleBps = 1;
        bytes32 rendered = keccak256(bytes(wording.wording(terms, catalog.gaugeInfo(terms.gauge))));
        expectRevert(abi.encodeWithSelector(ICatalog.WrongWording.selector, rendered, hash));
        catalog.listProduct(terms, hash);
    }

    function test_productNeedsItsGauge() public {
        Product memory terms = termsFor(keccak256("none"));
        expectRevert(abi.encodeWithSelector(ICatalog.UnknownGauge.selector, terms.gauge));
        catalog.listProduct(terms, 0);
    }

    function test_productKindsOfThisVersion() public {
        Product memory terms = termsFor(list(vaultSpec()));
        for (uint256 i = 2; i < 8; ++i) {
            terms.kind = Kind(i);
            _refusedTerms(terms, "kind", i);
        }
        terms.kind = Kind.Protocol;
        _refusedTerms(terms, "registrant", 0);
        terms.registrant = alice;
        _refusedTerms(terms, "lossCapBps", 10_000);
        terms.lossCapBps = 9000;
        listProduct(terms);
        terms.kind = Kind.Position;
        _refusedTerms(terms, "registrant", uint160(alice));
    }

    /// @dev Each number at the bounds and one beyond: index of the field, good or bad value.
    function test_productNumbersAreInRange() public {
        bytes32 gauge = list(vaultSpec());
        _bound(gauge, 0, "asset", 1, 0);
        _bound(gauge, 1, "unitNum", 1, 0);
        _bound(gauge, 2, "unitDen", 1, 0);
        _bound(gauge, 3, "minSum", 1, 0);
        _bound(gauge, 4, "deductibleBps", 9999, 10_000);
        _bound(gauge, 5, "lossCapBps", 1, 0);
        _bound(gauge, 5, "lossCapBps", 10_000, 10_001);
        _bound(gauge, 6, "bountyBps", 200, 201);
        _bound(gauge, 7, "waitingPeriod", 1, 0);
        _bound(gauge, 7, "waitingPeriod", 365 days, 365 days + 1);
        _bound(gauge, 8, "reportWindow", 0, 1);
        _bound(gauge, 8, "reportWindow", 365 days, 366 days);
        _bound(gauge, 9, "minTerm", 1, 0);
        _bound(gauge, 10, "maxTerm", 1 days, 1 days - 1);
        _bound(gauge, 10, "maxTerm", 365 days, 365 days + 1);
        // What is paid in the dwell may be wrong, and what one account gives up is not a protocol's loss.
        Product memory t = termsFor(gauge);
        t.salvage = alice;
        listProduct(t);
        t.instant = true;
        _refusedTerms(t, "salvage", uint160(alice));
    }

    function _bound(bytes32 gauge, uint256 field, bytes32 name, uint256 good, uint256 bad) private {
        _refusedTerms(_with(gauge, field, bad), name, bad);
        listProduct(_with(gauge, field, good));
    }

    /// @dev The event limit makes each product another, so that one good value can stand at two bounds.
    function _with(bytes32 gauge, uint256 field, uint256 value) private view returns (Product memory t) {
        t = termsFor(gauge);
        t.eventLimit = uint128(field * 1e9 + value + 1);
        if (field == 0) t.asset = address(uint160(value));
        if (field == 1) t.unitNum = uint128(value);
        if (field == 2) t.unitDen = uint128(value);
        if (field == 3) t.minSum = uint128(value);
        if (field == 4) t.deductibleBps = uint16(value);
        if (field == 5) t.lossCapBps = uint16(value);
        if (field == 6) t.bountyBps = uint16(value);
        if (field == 7) t.waitingPeriod = uint32(value);
        if (field == 8) t.reportWindow = uint32(value);
        if (field == 9) t.minTerm = uint32(value);
        if (field == 10) t.maxTerm = uint32(value);
    }

    // ----- pools -----

    function test_poolsAreRegisteredOnce() public {
        expectRevert(abi.encodeWithSelector(ICatalog.NotAPool.selector, keeper));
        vm.prank(address(factory));
        catalog.registerPool(keeper);
        register(address(usd));
        assertTrue(catalog.isPool(address(usd)));
        expectRevert(abi.encodeWithSelector(ICatalog.AlreadyRegistered.selector, address(usd)));
        vm.prank(address(factory));
        catalog.registerPool(address(usd));
    }

    /// @dev Hole "fake pool": who holds every role still cannot bring in a contract that refuses bookings.
    function test_noRoleRegistersPools() public {
        assertEq(catalog.factory(), address(factory));
        expectRevert(abi.encodeWithSelector(ICatalog.AlreadyWired.selector));
        catalog.wire(address(this));
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = catalog.registerPool.selector;
        manager.setTargetFunctionRole(address(catalog), selectors, 2);
        manager.grantRole(2, address(this), 0);
        expectRevert(abi.encodeWithSelector(ICatalog.NotFactory.selector, address(this)));
        catalog.registerPool(address(usd));
        Catalog fresh = new Catalog(address(manager), wording);
        expectRevert(abi.encodeWithSelector(ICatalog.NotFactory.selector, address(this)));
        fresh.registerPool(address(usd));
        expectRevert(abi.encodeWithSelector(ICatalog.BadWiring.selector, keeper));
        fresh.wire(keeper);
        vm.expectEmit(address(fresh));
        emit ICatalog.Wired(address(factory));
        fresh.wire(address(factory));
    }

    function test_onlyPoolsAttach() public {
        bytes32 gauge = list(vaultSpec());
        expectRevert(abi.encodeWithSelector(ICatalog.NotAPool.selector, address(this)));
        catalog.attach(gauge);
        register(address(usd));
        vm.startPrank(address(usd));
        expectRevert(abi.encodeWithSelector(ICatalog.UnknownGauge.selector, bytes32(0)));
        catalog.attach(0);
        catalog.attach(gauge);
        catalog.attach(gauge);
        vm.stopPrank();
        assertEq(catalog.poolsOf(gauge).length, 1);
        assertEq(catalog.poolsOf(gauge)[0], address(usd));
    }

    /// @dev An incident books into all of them in one transaction.
    function test_gaugeHasSixteenPools() public {
        bytes32 gauge = list(vaultSpec());
        for (uint256 i; i < 17; ++i) {
            address pool = _pool(i);
            catalog.admit(gauge, pool);
            vm.prank(pool);
            if (i == 16) {
                expectRevert(abi.encodeWithSelector(ICatalog.TooManyPools.selector, gauge, 16));
            }
            catalog.attach(gauge);
        }
        assertEq(catalog.poolsOf(gauge).length, 16);
    }

    function test_whoComesFirstCannotKeepAllOthersOut() public {
        bytes32 gauge = list(vaultSpec());
        for (uint256 i; i < 9; ++i) {
            vm.prank(_pool(i));
            if (i == 8) expectRevert(abi.encodeWithSelector(ICatalog.TooManyPools.selector, gauge, 8));
            catalog.attach(gauge);
        }
        address ninth = address(uint160(0xB000 + 8));
        catalog.admit(gauge, ninth);
        vm.prank(ninth);
        catalog.attach(gauge);
        // One that came early is admitted later: its open place is free again, once.
        catalog.admit(gauge, address(0xB000));
        catalog.admit(gauge, address(0xB000));
        vm.prank(_pool(9));
        catalog.attach(gauge);
        vm.prank(_pool(10));
        expectRevert(abi.encodeWithSelector(ICatalog.TooManyPools.selector, gauge, 8));
        catalog.attach(gauge);
        assertEq(catalog.poolsOf(gauge).length, 10);
    }

    function test_onlyPoolsOfListedGaugesAreAdmittedByListers() public {
        bytes32 gauge = list(vaultSpec());
        address pool = _pool(0);
        expectRevert(abi.encodeWithSelector(ICatalog.NotAPool.selector, keeper));
        catalog.admit(gauge, keeper);
        expectRevert(abi.encodeWithSelector(ICatalog.UnknownGauge.selector, bytes32(0)));
        catalog.admit(0, pool);
        vm.prank(keeper);
        expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, keeper));
        catalog.admit(gauge, pool);
    }

    function _pool(uint256 i) private returns (address pool) {
        pool = address(uint160(0xB000 + i));
        vm.etch(pool, hex"00");
        register(pool);
    }
}
