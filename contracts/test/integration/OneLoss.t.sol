// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {CanaryTerms} from "breakwater/interfaces/ICanaryRung.sol";
import {Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {GaugeSpec, PinnedAccount} from "breakwater/interfaces/IGauges.sol";
import {Status} from "breakwater/interfaces/IIncidents.sol";
import {IPolicies} from "breakwater/interfaces/IPolicies.sol";
import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {LossReport} from "breakwater/libraries/Eip712Types.sol";
import {Canary} from "breakwater/periphery/Canary.sol";
import {CanaryRung} from "breakwater/triggers/CanaryRung.sol";
import {GateVault} from "../GateVault.sol";
import {Quorums} from "../Quorums.sol";

/// @notice One loss of one vault, told by a proof, by reporters and by a canary, through the rungs themselves; insured
///         by its holders in two pools and by its team for all of them.
contract OneLossTest is Quorums {
    uint128 private constant LOSS = 500_000e6;
    uint32 private constant SPACING = 6 hours;
    uint8 private constant CANARY = 4;
    uint8 private constant QUORUM = 8;

    CanaryRung private canaryRung;
    GateVault private gate;
    Pool private first;
    Pool private second;
    bytes32 private reported;
    bytes32 private watched;
    /// @dev Policies: alice's by proof, by reporters, by the canary; bob's by reporters; the team's by proof.
    uint256[5] private policy;
    uint256[3] private incident;
    uint256 private onset;
    address private team = makeAddr("team");

    function canaryFor() internal override returns (address) {
        canaryRung = new CanaryRung(history, catalog, incidents);
        return address(canaryRung);
    }

    function setUp() public override {
        super.setUp();
        openVault();
        incidents.setCeiling(2, address(usd), type(uint128).max);
        incidents.setCeiling(3, address(usd), type(uint128).max);
        reported = catalog.listTrigger(_trigger(QUORUM, VAULT, ""));
        _watch();
        (first, second) = (makePool(usd, 1_000_000e6), makePool(usd, 1_000_000e6));
        bytes32[4] memory products = [
            _offer(first, gauge, Kind.Position, 10_000),
            _offer(first, gauge, Kind.Protocol, 9000),
            _offer(second, reported, Kind.Custom, 10_000),
            _offer(second, watched, Kind.Upgrade, 9500)
        ];
        assertTrue(canaryRung.probe(watched));
        policy[0] = buy(first, products[0], alice, 100_000e6);
        policy[1] = buy(second, products[2], alice, 100_000e6);
        policy[2] = buy(second, products[3], alice, 100_000e6);
        policy[3] = buy(second, products[2], bob, 300_000e6);
        policy[4] = buy(first, products[1], team, 900_000e6);
        vm.warp(block.timestamp + 2 days);
        vm.roll(block.number + 10_000);
    }

    function _trigger(uint8 rungs, address subject, bytes memory terms)
        private
        view
        returns (Trigger memory t)
    {
        (t.chainId, t.rungs, t.asset, t.subject) = (block.chainid, rungs, address(usd), subject);
        (t.claims, t.threshold, t.terms) = (catalog.gaugeInfo(gauge).subject, 0.1e18, terms);
    }

    /// @dev A canary whose way out is `redeem`.
    function _watch() private {
        gate = new GateVault(usd);
        bytes memory input = abi.encodeCall(IERC4626.redeem, (1e6, address(0), address(0)));
        Canary canary = new Canary(address(gate), input, 6, address(usd), 1e6, address(0));
        usd.mint(address(this), 10e6);
        usd.approve(address(gate), 10e6);
        gate.deposit(10e6, address(canary));
        CanaryTerms memory t;
        (t.canary, t.gasLimit, t.spacing, t.base) = (address(canary), 400_000, SPACING, BASE);
        t.claims.keeper = PinnedAccount(VAULT, CODE);
        t.claims.holding = vaultSpec().holding;
        Trigger memory listed = _trigger(CANARY, address(gate), abi.encode(bytes32("breakwater.canary/1"), t));
        watched = catalog.listTrigger(listed);
        canaryRung.enrol(listed);
    }

    function _offer(Pool pool, bytes32 on, Kind kind, uint16 most) private returns (bytes32 product) {
        Product memory terms = termsFor(on);
        (terms.kind, terms.lossCapBps) = (kind, most);
        if (kind == Kind.Protocol) terms.registrant = team;
        product = listProduct(terms);
        underwrite(pool, product, 1_000_000e6);
    }

    // ----- the loss -----

    function _post(bytes32 on, uint128 loss) private returns (uint256) {
        LossReport memory report = reportOf(0, uint64(onset) + 1, loss);
        (report.gauge, report.onset) = (on, uint64(onset));
        report.afterTime = uint64(block.timestamp) - 12;
        report.onsetTime = report.afterTime - 12;
        return post(report);
    }

    function _lose() private {
        onset = seal();
        assertTrue(canaryRung.probe(watched));
        setVault(BASE - LOSS, BASE);
        gate.setOut(GateVault.Out.Shut);
        seal();
        // What reporters say of the gauge, the proof takes the place of; what they say of the trigger stands.
        uint256 outranked = _post(gauge, LOSS);
        incident[1] = _post(reported, LOSS);
        GaugeSpec memory spec = vaultSpec();
        incident[0] = rung.assertLoss(spec, evidenceOf(spec, onset, onset + 1));
        assertEq(uint256(incidents.incident(outranked).status), uint256(Status.Voided));
        address[] memory accounts = holdersOf(alice, bob);
        rung.provePositions(spec, incident[0], accounts, positionsOf(spec, onset, onset + 1, accounts, false));
        assertEq(incidents.positionLost(incident[0], alice), 50_000e6);
        _reportPositions();
    }

    function _leaf(address account, uint128 lost, uint128 value) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(account, lost, value))));
    }

    function _reportPositions() private {
        bytes32 a = _leaf(alice, 50_000e6, 100_000e6);
        bytes32 b = _leaf(bob, 150_000e6, 300_000e6);
        bytes32 root = a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
        postPositions(positionsReport(incident[1], root));
        vm.roll(quorum.positions(incident[1]).pendingEnd + 1);
        (address[] memory who, uint128[] memory lost) = (new address[](2), new uint128[](2));
        (uint128[] memory value, bytes32[][] memory proofs) = (new uint128[](2), new bytes32[][](2));
        (who[0], lost[0], value[0]) = (alice, 50_000e6, 100_000e6);
        (who[1], lost[1], value[1]) = (bob, 150_000e6, 300_000e6);
        (proofs[0], proofs[1]) = (new bytes32[](1), new bytes32[](1));
        (proofs[0][0], proofs[1][0]) = (b, a);
        quorum.recordPositions(incident[1], who, lost, value, proofs);
        vm.roll(block.number + QUORUM_WINDOW);
    }

    /// @dev The way out stays shut, so the canary says that everything is lost.
    function _shut() private {
        assertFalse(canaryRung.probe(watched));
        vm.warp(block.timestamp + SPACING);
        assertFalse(canaryRung.probe(watched));
        uint256 reading = seal();
        incident[2] = canaryRung.open(watched);
        address[] memory accounts = holdersOf(alice, bob);
        canaryRung.provePositions(
            incident[2], accounts, positionsOf(vaultSpec(), onset, reading, accounts, false)
        );
        passDwell(incident[2]);
    }

    /// @dev What the policy is paid, in whatever place its turn comes.
    function _settle(uint256 which) private returns (uint256) {
        uint256 by = which == 0 || which == 4 ? 0 : which == 2 ? 2 : 1;
        try policies.settle(policy[which], incident[by]) returns (uint256 paid) {
            return paid;
        } catch (bytes memory reason) {
            assertEq(bytes32(bytes4(reason)), bytes32(IPolicies.NothingToPay.selector));
            return 0;
        }
    }

    // ----- what is paid for it -----

    function test_holdersAndTheirTeamArePaidOneLoss() public {
        _lose();
        assertEq(_settle(4), 450_000e6, "nine tenths of all");
        uint256 paid = _settle(1);
        assertEq(paid, 50_000e6);
        assertEq(_settle(0), 0, "the same position");
        assertEq(_settle(3), 0, "bob was paid for by the team's cover");
        assertEq(450_000e6 + paid, LOSS);
    }

    function test_holdersFirstLeaveTheTeamTheRest() public {
        _lose();
        assertEq(_settle(1), 50_000e6);
        assertEq(_settle(3), 150_000e6);
        assertEq(_settle(0), 0);
        assertEq(_settle(4), 300_000e6, "up to the loss");
        assertEq(_settle(4), 0);
    }

    /// @dev In any order nobody gets more than the greatest loss that was proven for him, nor all of them together.
    function testFuzz_noOrderPaysMoreThanTheGreatestLoss(uint256 seed) public {
        _lose();
        _shut();
        uint256[5] memory paid;
        uint256 all;
        for (uint256 i; i < 12; ++i) {
            uint256 which = uint256(keccak256(abi.encode(seed, i))) % 5;
            uint256 got = _settle(which);
            paid[which] += got;
            all += got;
        }
        assertLe(paid[0] + paid[1] + paid[2], incidents.positionLost(incident[2], alice));
        assertLe(paid[0] + paid[1], 50_000e6);
        assertLe(paid[0] + paid[4], LOSS);
        assertLe(paid[0] + paid[1] + paid[3] + paid[4], LOSS);
        assertLe(all, incidents.incident(incident[2]).loss);
    }
}
