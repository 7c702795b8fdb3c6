// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ICanary} from "breakwater/interfaces/ICanary.sol";
import {CanaryTerms, ICanaryRung, Watch} from "breakwater/interfaces/ICanaryRung.sol";
import {IHoldings} from "breakwater/interfaces/IHoldings.sol";
import {Incident, Rung, Status} from "breakwater/interfaces/IIncidents.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {Canary} from "breakwater/periphery/Canary.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {ICatalog} from "breakwater/interfaces/ICatalog.sol";
import {TriggerFixture} from "../TriggerFixture.sol";
import {GateVault, ToldBreaker} from "../GateVault.sol";

/// @notice Probes of a canary in an ERC-4626 vault: what counts as a failure, and what incident comes of it.
contract CanaryRungTest is TriggerFixture {
    uint32 private constant SPACING = 6 hours;
    uint64 private constant GAS = 400_000;
    uint128 private constant BASE = 1_000_000e6;

    GateVault private vault;
    Canary private canary;
    ToldBreaker private breaker;
    bytes32 private trigger;

    function setUp() public override {
        super.setUp();
        openVault();
        vault = new GateVault(usd);
        canary = _canary(IERC4626.redeem.selector);
        breaker = new ToldBreaker();
        _give(canary, 100e6);
        trigger = _enrol(_terms());
    }

    /// @dev By `redeem` or `withdraw`, to itself and from itself, whose address nobody knows before.
    function _canary(bytes4 selector) private returns (Canary) {
        bytes memory input = abi.encodeWithSelector(selector, 1e6, address(0), address(0));
        return new Canary(address(vault), input, 6, address(usd), 0.9e6, address(0));
    }

    function _give(Canary to, uint256 assets) private {
        usd.mint(address(this), assets);
        usd.approve(address(vault), assets);
        vault.deposit(assets, address(to));
    }

    function _terms() private view returns (CanaryTerms memory t) {
        (t.canary, t.breaker, t.gasLimit) = (address(canary), address(breaker), GAS);
        (t.spacing, t.base, t.claims) = (SPACING, BASE, vaultClaims());
    }

    function _listed(CanaryTerms memory t) private view returns (Trigger memory listed) {
        listed = triggerOf(Rung.Canary, t.claims, abi.encode(bytes32("breakwater.canary/1"), t));
        listed.subject = address(vault);
    }

    function _enrol(CanaryTerms memory t) private returns (bytes32 id) {
        id = catalog.listTrigger(_listed(t));
        canaryRung.enrol(_listed(t));
    }

    function _watch() private view returns (Watch memory) {
        return canaryRung.watch(trigger);
    }

    /// @dev With cold storage of the rung and the canary, without the 21,000 of a transaction.
    function test_gasOfAProbe() public {
        _succeeds();
        pass(1 hours);
        vm.cool(address(canaryRung));
        vm.cool(address(canary));
        _succeeds();
        vm.snapshotGasLastCall("CanaryRung", "probe that gets out");
    }

    function _fails() private {
        assertFalse(canaryRung.probe(trigger));
    }

    function _succeeds() private {
        assertTrue(canaryRung.probe(trigger));
    }

    function _open() private returns (uint256) {
        _succeeds();
        pass(60);
        vault.setOut(GateVault.Out.Shut);
        _fails();
        pass(SPACING);
        _fails();
        pass(12);
        return canaryRung.open(trigger);
    }

    function _notRipe() private {
        expectRevert(abi.encodeWithSelector(ICanaryRung.NotRipe.selector, trigger));
        canaryRung.open(trigger);
    }

    // ----- failures -----

    function test_twoFailuresOpen() public {
        _succeeds();
        (uint256 onset, uint256 onsetTime) = (block.number - 1, block.timestamp);
        pass(60);
        vault.setOut(GateVault.Out.Shut);
        _fails();
        uint256 failedAt = block.timestamp;
        _notRipe();
        pass(SPACING - 1);
        _fails();
        _notRipe();
        pass(1);
        _fails();
        uint256 id = canaryRung.open(trigger);
        Incident memory incident = incidents.incident(id);
        assertEq(incident.onset, onset);
        assertEq(incident.onsetTime, onsetTime);
        assertEq(incident.afterTime, failedAt);
        assertEq(incident.reading, block.number - 1);
        assertEq(incident.base, BASE);
        assertEq(incident.loss, BASE);
        assertEq(uint256(incident.rung), uint256(Rung.Canary));
        expectRevert(abi.encodeWithSelector(ICanaryRung.AlreadyOpened.selector, trigger, id));
        canaryRung.open(trigger);
    }

    function test_successInBetweenResets() public {
        _succeeds();
        pass(60);
        vault.setOut(GateVault.Out.Shut);
        _fails();
        pass(SPACING / 2);
        vault.setOut(GateVault.Out.Open);
        _succeeds();
        assertEq(_watch().failedAt, 0);
        pass(SPACING / 2);
        vault.setOut(GateVault.Out.Shut);
        _fails();
        _notRipe();
    }

    function test_withoutASuccessNoFailureCounts() public {
        vault.setOut(GateVault.Out.Shut);
        _fails();
        pass(SPACING);
        _fails();
        _notRipe();
        assertEq(_watch().failedAt, 0);
    }

    /// @dev A vault that hands out nothing, or burns all that it gets, fails like one that reverts.
    function test_everyWayOfNotLettingOutIsAFailure() public {
        _succeeds();
        pass(60);
        vault.setOut(GateVault.Out.BurnGas);
        _fails();
        pass(SPACING);
        vault.setOut(GateVault.Out.Nothing);
        _fails();
        assertTrue(_watch().ripe);
        // Nor can the covered contract say in the canary's place that something came out.
        vault.setOut(GateVault.Out.Forged);
        _fails();
    }

    function test_failureWithinASecondOfTheSuccess() public {
        _succeeds();
        vault.setOut(GateVault.Out.Shut);
        _fails();
        assertEq(_watch().failedAt, block.timestamp + 1);
    }

    /// @dev Who sends too little is told so; nothing is written of it.
    function test_starvedCanaryDoesNotFail() public {
        _succeeds();
        pass(60);
        uint256 refused;
        for (uint256 gas_ = 30_000; gas_ < 600_000; gas_ += 10_000) {
            uint256 snapshot = vm.snapshotState();
            try canaryRung.probe{gas: gas_}(trigger) returns (bool success) {
                assertTrue(success);
            } catch (bytes memory reason) {
                if (bytes4(reason) == ICanaryRung.NotEnoughGas.selector) ++refused;
            }
            vm.revertToState(snapshot);
        }
        assertGt(refused, 10);
        assertEq(_watch().failedAt, 0);
    }

    /// @dev What the canary gets does not depend on what the caller sends.
    function test_gasOfAProbeIsFixed() public {
        CanaryTerms memory t = _terms();
        t.gasLimit = 50_000;
        trigger = _enrol(t);
        assertFalse(canaryRung.probe{gas: 5_000_000}(trigger));
    }

    // ----- the breaker -----

    function test_trippedBreakerRefusesProbes() public {
        _succeeds();
        pass(60);
        uint64 until = uint64(block.timestamp + 1);
        breaker.set(address(vault), until);
        expectRevert(abi.encodeWithSelector(ICanaryRung.BreakerTripped.selector, address(vault), until));
        canaryRung.probe(trigger);
        pass(1);
        _succeeds();
    }

    function test_timeUnderTheBreakerDoesNotCount() public {
        _succeeds();
        pass(60);
        vault.setOut(GateVault.Out.Shut);
        _fails();
        pass(SPACING);
        breaker.set(address(vault), uint64(block.timestamp));
        _fails();
        assertEq(_watch().failedAt, block.timestamp);
        _notRipe();
        pass(SPACING);
        _fails();
        canaryRung.open(trigger);
    }

    function test_breakerThatLetGoBeforeIsForgotten() public {
        _succeeds();
        breaker.set(address(vault), uint64(block.timestamp));
        pass(60);
        vault.setOut(GateVault.Out.Shut);
        _fails();
        pass(SPACING);
        _fails();
        assertTrue(_watch().ripe);
    }

    // ----- the position -----

    /// @dev It never got out, so its failures say nothing; from the first success on they do.
    function test_emptyCanarySaysNothing() public {
        Canary empty = _canary(IERC4626.redeem.selector);
        CanaryTerms memory t = _terms();
        t.canary = address(empty);
        trigger = _enrol(t);
        _fails();
        pass(SPACING);
        _fails();
        assertEq(_watch().failedAt, 0);
        assertFalse(canaryRung.sellable(trigger));
        _give(empty, 1e6);
        _succeeds();
    }

    /// @dev However often it is probed, and by whom, the position is what it was.
    function test_probesSpendNothing() public {
        uint256 shares = vault.balanceOf(address(canary));
        uint256 supply = vault.totalSupply();
        for (uint256 i; i < 5; ++i) {
            pass(12);
            _succeeds();
            assertEq(canary.probe(), 1e6);
        }
        assertEq(vault.balanceOf(address(canary)), shares);
        assertEq(vault.totalSupply(), supply);
        assertEq(usd.balanceOf(address(canary)), 0);
    }

    function test_attemptsAreAlwaysUndone() public {
        expectRevert(abi.encodeWithSelector(ICanary.Out.selector, 1e6));
        canary.attempt();
        vault.setOut(GateVault.Out.Forged);
        expectRevert(abi.encodeWithSelector(ICanary.Out.selector, 0));
        canary.attempt();
        expectRevert(abi.encodeWithSelector(ICanary.NotOut.selector, 0.9e6, 0));
        canary.probe();
    }

    /// @dev Less than the least is a failure as well: a vault that pays a tenth has lost the rest.
    function test_tooLittleIsAFailure() public {
        _succeeds();
        pass(60);
        vm.prank(address(vault));
        usd.transfer(keeper, 50e6);
        expectRevert(abi.encodeWithSelector(ICanary.NotOut.selector, 0.9e6, 0.5e6));
        canary.probe();
        _fails();
        assertEq(_watch().failedAt, block.timestamp);
    }

    function test_canaryNeedsACallAndALeast() public {
        bytes memory input = abi.encodeWithSelector(IERC4626.redeem.selector, 1, 2, 3);
        expectRevert(abi.encodeWithSelector(ICanary.BadCanary.selector, 3, 1));
        new Canary(address(vault), "abc", 0, address(usd), 1, address(0));
        expectRevert(abi.encodeWithSelector(ICanary.BadCanary.selector, 100, 0));
        new Canary(address(vault), input, 0, address(usd), 0, address(0));
        expectRevert(abi.encodeWithSelector(ICanary.BadCanary.selector, 100, 1));
        new Canary(address(vault), input, 8, address(usd), 1, address(0));
        Canary made_ = new Canary(address(vault), input, 4, address(usd), 1, address(0));
        assertEq(made_.input(), abi.encodeWithSelector(IERC4626.redeem.selector, 1, 2, address(made_)));
        assertEq(made_.selector(), IERC4626.redeem.selector);
    }

    /// @dev The coin of the chain comes out, for a token that the covered contract pulls.
    function test_canaryOfAFunctionThatPullsAndPaysInCoin() public {
        Till till = new Till(usd);
        vm.deal(address(till), 10);
        bytes memory input = abi.encodeCall(Till.swap, (3));
        Canary made_ = new Canary(address(till), input, 0, address(0), 3, address(usd));
        expectRevert(abi.encodeWithSelector(ICanary.NotOut.selector, 3, 0));
        made_.probe();
        usd.mint(address(made_), 3);
        assertEq(made_.probe(), 3);
        assertEq(usd.balanceOf(address(made_)), 3);
        assertEq(usd.allowance(address(made_), address(till)), 0);
        vm.deal(address(till), 2);
        expectRevert(abi.encodeWithSelector(ICanary.NotOut.selector, 3, 0));
        made_.probe();
    }

    // ----- single functions -----

    function _onFunction(bytes4 selector) private returns (Trigger memory listed) {
        Canary by = _canary(selector);
        _give(by, 10e6);
        CanaryTerms memory t = _terms();
        t.canary = address(by);
        listed = _listed(t);
        listed.selector = selector;
    }

    /// @dev `redeem` breaks, `withdraw` works on: only who insured the one is paid.
    function test_oneFunctionIsCoveredByItself() public {
        Trigger memory listed = _onFunction(IERC4626.redeem.selector);
        bytes32 redeems = catalog.listTrigger(listed);
        canaryRung.enrol(listed);
        listed = _onFunction(IERC4626.withdraw.selector);
        bytes32 withdraws = catalog.listTrigger(listed);
        canaryRung.enrol(listed);
        assertTrue(redeems != withdraws);
        assertTrue(canaryRung.probe(redeems));
        assertTrue(canaryRung.probe(withdraws));
        Product memory terms = productOn(redeems, Kind.Upgrade);
        listProduct(terms);
        assertEq(catalog.gaugeInfo(redeems).selector, IERC4626.redeem.selector);

        pass(60);
        vault.setOut(GateVault.Out.Shut);
        assertFalse(canaryRung.probe(redeems));
        assertTrue(canaryRung.probe(withdraws));
        pass(SPACING);
        assertFalse(canaryRung.probe(redeems));
        assertTrue(canaryRung.probe(withdraws));
        pass(12);
        assertEq(incidents.incident(canaryRung.open(redeems)).loss, BASE);
        expectRevert(abi.encodeWithSelector(ICanaryRung.NotRipe.selector, withdraws));
        canaryRung.open(withdraws);
    }

    function test_canaryMustCallTheCoveredFunction() public {
        Trigger memory listed = _onFunction(IERC4626.redeem.selector);
        listed.selector = IERC4626.withdraw.selector;
        catalog.listTrigger(listed);
        expectRevert(
            abi.encodeWithSelector(
                ICanaryRung.WrongSelector.selector, IERC4626.withdraw.selector, IERC4626.redeem.selector
            )
        );
        canaryRung.enrol(listed);
    }

    // ----- answers in the dwell -----

    function test_successInTheDwellRefutes() public {
        uint256 id = _open();
        expectRevert(abi.encodeWithSelector(ICanaryRung.NotRefuted.selector, id));
        canaryRung.review(id);
        vault.setOut(GateVault.Out.Open);
        canaryRung.review(id);
        assertEq(incidents.incident(id).loss, 0);
        passDwell(id);
        incidents.finalise(id);
        assertEq(uint256(incidents.incident(id).status), uint256(Status.Voided));
    }

    /// @dev The way out may shut again at once; whoever showed that it was open has shown it.
    function test_successIsRememberedUntilTheReview() public {
        uint256 id = _open();
        vault.setOut(GateVault.Out.Open);
        _succeeds();
        vault.setOut(GateVault.Out.Shut);
        canaryRung.review(id);
        assertEq(incidents.incident(id).loss, 0);
    }

    function test_silenceMakesItFinal() public {
        uint256 id = _open();
        passDwell(id);
        incidents.finalise(id);
        assertEq(uint256(incidents.incident(id).status), uint256(Status.Final));
    }

    function test_holdingsOfBothBlocksAreLost() public {
        uint256 onset = seal();
        _succeeds();
        pass(60);
        vault.setOut(GateVault.Out.Shut);
        _fails();
        pass(SPACING);
        _fails();
        setShares(alice, 40_000e6);
        setShares(bob, 400_000e6);
        uint256 reading = seal();
        uint256 id = canaryRung.open(trigger);
        address[] memory accounts = holdersOf(alice, bob);
        canaryRung.provePositions(id, accounts, holdingsOf(onset, reading, accounts));
        assertEq(incidents.positionLost(id, alice), 40_000e6);
        assertEq(incidents.positionLost(id, bob), 300_000e6);
    }

    // ----- sale and terms -----

    function test_soldWhileTheCanaryLives() public {
        assertFalse(canaryRung.sellable(trigger));
        _succeeds();
        assertTrue(canaryRung.sellable(trigger));
        breaker.set(address(vault), uint64(block.timestamp + 1));
        assertFalse(canaryRung.sellable(trigger));
        pass(60);
        assertTrue(canaryRung.sellable(trigger));
        vault.setOut(GateVault.Out.Shut);
        _fails();
        assertFalse(canaryRung.sellable(trigger));
        assertFalse(canaryRung.sellable(keccak256("unknown")));
    }

    function _refused(CanaryTerms memory t, bytes32 field, uint256 got) private {
        catalog.listTrigger(_listed(t));
        expectRevert(abi.encodeWithSelector(IHoldings.TermOutOfRange.selector, field, got));
        canaryRung.enrol(_listed(t));
    }

    function test_termsAreChecked() public {
        CanaryTerms memory t = _terms();
        t.gasLimit = 49_999;
        _refused(t, "gasLimit", 49_999);
        t.gasLimit = 10_000_001;
        _refused(t, "gasLimit", 10_000_001);
        t = _terms();
        t.spacing = 1 hours - 1;
        _refused(t, "spacing", 1 hours - 1);
        t.spacing = 30 days + 1;
        _refused(t, "spacing", 30 days + 1);
        t = _terms();
        t.base = 0;
        _refused(t, "base", 0);
    }

    function test_canaryMustSitInTheCoveredContract() public {
        CanaryTerms memory t = _terms();
        Trigger memory listed =
            triggerOf(Rung.Canary, t.claims, abi.encode(bytes32("breakwater.canary/1"), t));
        catalog.listTrigger(listed);
        expectRevert(abi.encodeWithSelector(ICanaryRung.WrongTarget.selector, VAULT, address(vault)));
        canaryRung.enrol(listed);
    }
}

/// @notice Hands out coin for a token that it pulls.
contract Till {
    IERC20 private immutable _token;

    constructor(IERC20 token) {
        _token = token;
    }

    function swap(uint256 amount) external {
        _token.transferFrom(msg.sender, address(this), amount);
        (bool sent,) = msg.sender.call{value: amount}("");
        require(sent, "no coin");
    }
}
