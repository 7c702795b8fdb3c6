// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IIncidents, Incident, Measurement, Rung} from "breakwater/interfaces/IIncidents.sol";
import {IQuorumRung, PostedReport} from "breakwater/interfaces/IQuorumRung.sol";
import {IReporters} from "breakwater/interfaces/IReporters.sol";
import {Trigger} from "breakwater/interfaces/ITriggers.sol";
import {Eip712Types, LossReport} from "breakwater/libraries/Eip712Types.sol";
import {Quorum} from "breakwater/libraries/Quorum.sol";
import {QuorumRung} from "breakwater/triggers/QuorumRung.sol";
import {Reporters} from "breakwater/triggers/Reporters.sol";
import {Wallet} from "../harness/Wallet.sol";
import {Quorums} from "../Quorums.sol";

/// @notice Reports: who signed, what they open, what stands behind them.
contract QuorumRungTest is Quorums {
    uint128 private constant LOSS = 400_000e6;

    // ----- making -----

    function test_parametersAreBounded() public {
        bytes4 range = IQuorumRung.OutOfRange.selector;
        expectRevert(abi.encodeWithSelector(range, bytes32("reportBond"), 0));
        new QuorumRung(incidents, reporters, rung, 0, 1);
        expectRevert(abi.encodeWithSelector(range, bytes32("reportBond"), MIN_BOND + 1));
        new QuorumRung(incidents, reporters, rung, MIN_BOND + 1, 1);
        expectRevert(abi.encodeWithSelector(range, bytes32("challengeBond"), 0));
        new QuorumRung(incidents, reporters, rung, 1, 0);
    }

    /// @dev A bond must not leave before what it signed is judged.
    function test_bondsOutlastTheLadder() public {
        uint32 least = WINDOW + uint32(QUORUM_WINDOW + ASSEMBLY_WINDOW) * 15;
        Reporters hasty = new Reporters(address(manager), address(bondToken), SINK, 1, least - 1, 0, 1);
        expectRevert(abi.encodeWithSelector(IQuorumRung.UnbondDelayTooShort.selector, least, least - 1));
        new QuorumRung(incidents, hasty, rung, 1, 1);
    }

    // ----- opening and revising -----

    function test_quorumOpensAnIncident() public {
        LossReport memory report = reportOf(0, ONSET + 10, LOSS);
        uint256 id = post(report);
        Incident memory incident = incidents.incident(id);
        assertEq(uint256(incident.rung), uint256(Rung.Quorum));
        assertEq(incident.rungContract, address(quorum));
        assertEq(incident.loss, LOSS);
        assertEq(incident.base, BASE);
        assertEq(incident.onset, ONSET);
        assertEq(incident.onsetTime, report.onsetTime);
        assertEq(incident.afterTime, report.afterTime);
        assertEq(incident.evidence, report.evidence);
        assertEq(incident.dwellEnd, block.number + QUORUM_WINDOW);
        assertTrue(reporters.isReporter(incident.opener), "a signer's bounty, whoever sent it");
        PostedReport memory kept = quorum.posted(id);
        assertEq(kept.digest, digestOf(report));
        assertEq(kept.signers.length, 3);
        assertEq(kept.lowest, LOSS);
    }

    function test_postHoldsABondOfEachSigner() public {
        uint256 id = open(LOSS);
        for (uint256 i; i < 4; ++i) {
            assertEq(heldFor(id, accounts[i]), i < 3 ? REPORT_BOND : 0);
        }
    }

    /// @dev With cold storage of the rung and the reporters, without the 21,000 of a transaction.
    function test_gasOfAReport() public {
        vm.cool(address(quorum));
        vm.cool(address(reporters));
        uint256 id = open(LOSS);
        vm.snapshotGasLastCall("QuorumRung", "post by three, opens an incident, no pool");
        vm.cool(address(quorum));
        challenge(lp, id, LOSS / 4);
        vm.snapshotGasLastCall("QuorumRung", "challenge");
        vm.cool(address(quorum));
        vm.cool(address(reporters));
        post(reportOf(id, ONSET + 10, LOSS / 2));
        vm.snapshotGasLastCall("QuorumRung", "post by three, a revision");
    }

    /// @dev One bond for many reports: each signer can back two with its bond, not three.
    function test_oneBondBacksNoThirdReport() public {
        open(LOSS);
        LossReport memory report = reportOf(0, ONSET + 10, LOSS);
        report.gauge = _listed(address(2));
        assertEq(post(report), 2);
        report = reportOf(0, ONSET + 10, LOSS);
        report.gauge = _listed(address(3));
        (address[] memory signers, bytes[] memory signatures) = sign(digestOf(report), 3);
        uint256 free = MIN_BOND - 2 * REPORT_BOND;
        expectRevert(abi.encodeWithSelector(IReporters.NotFree.selector, accounts[0], free, REPORT_BOND));
        quorum.post(report, signers, signatures);
    }

    function test_revisionMovesTheBonds() public {
        uint256 id = open(LOSS);
        bytes32 first = quorum.posted(id).digest;
        assertEq(post(reportOf(id, ONSET + 20, LOSS / 2)), id);
        assertEq(incidents.incident(id).loss, LOSS / 2);
        assertEq(reporters.heldUnder(address(quorum), first, accounts[0]), 0);
        assertEq(heldFor(id, accounts[0]), REPORT_BOND);
        (, uint128 held,,) = reporters.bondOf(accounts[0]);
        assertEq(held, REPORT_BOND);
    }

    function test_revisionIsOfItsOwnGauge() public {
        uint256 id = open(LOSS);
        LossReport memory report = reportOf(id, ONSET + 20, LOSS);
        report.gauge = keccak256("another");
        _refused(abi.encodeWithSelector(IQuorumRung.WrongGauge.selector, gauge, report.gauge), report);
        report = reportOf(7, ONSET + 20, LOSS);
        _refused(abi.encodeWithSelector(IQuorumRung.UnknownReport.selector, 7), report);
    }

    function test_onlyTheQuorumOpens() public {
        vm.prank(bob);
        expectRevert(abi.encodeWithSelector(IIncidents.NotRung.selector, bob, Rung.Quorum));
        incidents.open(
            gauge, Rung.Quorum, bob, Measurement(ONSET, ONSET + 1, 1, 13, 10, 5, keccak256("mine"))
        );
    }

    // ----- signatures -----

    function test_refusesForgedSignatures() public {
        LossReport memory report = reportOf(0, ONSET + 10, LOSS);
        (address[] memory signers, bytes[] memory signatures) = sign(digestOf(report), 3);
        signatures[1] = signedBy(accounts[3], digestOf(report));
        expectRevert(abi.encodeWithSelector(Quorum.BadSignature.selector, accounts[1]));
        quorum.post(report, signers, signatures);
        // Another figure under honest signatures.
        (signers, signatures) = sign(digestOf(report), 3);
        report.loss += 1;
        expectRevert(abi.encodeWithSelector(Quorum.BadSignature.selector, accounts[0]));
        quorum.post(report, signers, signatures);
        signatures[0] = "";
        expectRevert(abi.encodeWithSelector(Quorum.BadSignature.selector, accounts[0]));
        quorum.post(report, signers, signatures);
    }

    /// @dev Each signed message has a second signature that recovers to the same account.
    function test_refusesMirroredSignatures() public {
        LossReport memory report = reportOf(0, ONSET + 10, LOSS);
        bytes32 digest = digestOf(report);
        (address[] memory signers, bytes[] memory signatures) = sign(digest, 3);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[accounts[0]], digest);
        signatures[0] = abi.encodePacked(r, bytes32(KEY_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        expectRevert(abi.encodeWithSelector(Quorum.BadSignature.selector, accounts[0]));
        quorum.post(report, signers, signatures);
    }

    function test_refusesOtherChains() public {
        LossReport memory report = reportOf(0, ONSET + 10, LOSS);
        (address[] memory signers, bytes[] memory signatures) =
            sign(digestAt(report, block.chainid + 1, address(quorum)), 3);
        expectRevert(abi.encodeWithSelector(Quorum.BadSignature.selector, accounts[0]));
        quorum.post(report, signers, signatures);
        // A fork keeps code and storage, and no signature.
        (signers, signatures) = sign(digestOf(report), 3);
        vm.chainId(block.chainid + 1);
        expectRevert(abi.encodeWithSelector(Quorum.BadSignature.selector, accounts[0]));
        quorum.post(report, signers, signatures);
    }

    function test_refusesOtherContracts() public {
        LossReport memory report = reportOf(0, ONSET + 10, LOSS);
        (address[] memory signers, bytes[] memory signatures) =
            sign(digestAt(report, block.chainid, address(reporters)), 3);
        expectRevert(abi.encodeWithSelector(Quorum.BadSignature.selector, accounts[0]));
        quorum.post(report, signers, signatures);
    }

    function test_refusesUsedNonces() public {
        LossReport memory report = reportOf(0, ONSET + 10, LOSS);
        uint256 id = post(report);
        _refused(abi.encodeWithSelector(Quorum.NonceUsed.selector, 2, 1), report);
        assertEq(quorum.lastNonce(Eip712Types.LOSS_REPORT_TYPEHASH, report.signerSet), 1);
        report = reportOf(id, ONSET + 20, LOSS);
        report.nonce = 9;
        post(report);
        report = reportOf(id, ONSET + 30, LOSS);
        report.nonce = 8;
        _refused(abi.encodeWithSelector(Quorum.NonceUsed.selector, 10, 8), report);
    }

    function test_refusesOutsideValidity() public {
        LossReport memory report = reportOf(0, ONSET + 10, LOSS);
        report.validFrom = uint64(block.timestamp + 1);
        _refused(
            abi.encodeWithSelector(Quorum.NotYetValid.selector, report.validFrom, block.timestamp), report
        );
        report.validFrom = 0;
        report.validUntil = uint64(block.timestamp - 1);
        _refused(
            abi.encodeWithSelector(Quorum.NoLongerValid.selector, report.validUntil, block.timestamp), report
        );
        report.validUntil = uint64(block.timestamp);
        post(report);
    }

    function test_refusesTooFewDuplicatedAndReordered() public {
        LossReport memory report = reportOf(0, ONSET + 10, LOSS);
        bytes32 digest = digestOf(report);
        (address[] memory signers, bytes[] memory signatures) = sign(digest, 2);
        expectRevert(abi.encodeWithSelector(Quorum.TooFewSignatures.selector, 3, 2));
        quorum.post(report, signers, signatures);
        (signers, signatures) = sign(digest, 3);
        expectRevert(abi.encodeWithSelector(Quorum.WrongSignatureCount.selector, 3, 2));
        quorum.post(report, signers, _first(signatures, 2));
        (signers[2], signatures[2]) = (signers[1], signatures[1]);
        expectRevert(abi.encodeWithSelector(Quorum.NotAscending.selector, accounts[1], accounts[1]));
        quorum.post(report, signers, signatures);
        (signers, signatures) = sign(digest, 3);
        (signers[0], signers[1]) = (signers[1], signers[0]);
        (signatures[0], signatures[1]) = (signatures[1], signatures[0]);
        expectRevert(abi.encodeWithSelector(Quorum.NotAscending.selector, accounts[1], accounts[0]));
        quorum.post(report, signers, signatures);
    }

    function test_refusesStrangers() public {
        reporters.remove(accounts[1]);
        LossReport memory report = reportOf(0, ONSET + 10, LOSS);
        _refused(abi.encodeWithSelector(Quorum.NotSigner.selector, accounts[1]), report);
    }

    /// @dev What was signed for the old set is refused once the set changed.
    function test_refusesOldSets() public {
        LossReport memory report = reportOf(0, ONSET + 10, LOSS);
        bytes32 old = report.signerSet;
        reporters.remove(accounts[3]);
        _refused(abi.encodeWithSelector(Quorum.WrongSignerSet.selector, reporters.signerSet(), old), report);
        report = reportOf(0, ONSET + 10, LOSS);
        old = report.signerSet;
        reporters.setQuorum(2);
        _refused(abi.encodeWithSelector(Quorum.WrongSignerSet.selector, reporters.signerSet(), old), report);
    }

    function test_takesSignersWithCode() public {
        (address owner, uint256 key) = makeKey("owner of a wallet");
        Wallet wallet = new Wallet(owner);
        bondToken.mint(address(wallet), MIN_BOND);
        wallet.call(
            address(bondToken),
            abi.encodeWithSelector(bondToken.approve.selector, address(reporters), MIN_BOND)
        );
        wallet.call(address(reporters), abi.encodeWithSelector(reporters.bond.selector, MIN_BOND));
        reporters.remove(accounts[3]);
        reporters.admit(address(wallet));
        (, accounts) = reporters.members();
        keys[address(wallet)] = key;
        LossReport memory report = reportOf(0, ONSET + 10, LOSS);
        (address[] memory signers, bytes[] memory signatures) = sign(digestOf(report), 4);
        uint256 place;
        while (signers[place] != address(wallet)) ++place;
        bytes memory good = signatures[place];
        signatures[place] = signedBy(accounts[place == 0 ? 1 : 0], digestOf(report));
        expectRevert(abi.encodeWithSelector(Quorum.BadSignature.selector, address(wallet)));
        quorum.post(report, signers, signatures);
        signatures[place] = good;
        uint256 id = quorum.post(report, signers, signatures);
        assertEq(heldFor(id, address(wallet)), REPORT_BOND);
    }

    function test_moreThanAQuorumMaySign() public {
        LossReport memory report = reportOf(0, ONSET + 10, LOSS);
        (address[] memory signers, bytes[] memory signatures) = sign(digestOf(report), 4);
        uint256 id = quorum.post(report, signers, signatures);
        assertEq(heldFor(id, accounts[3]), REPORT_BOND);
    }

    // ----- helpers -----

    function _refused(bytes memory reason, LossReport memory report) private {
        (address[] memory signers, bytes[] memory signatures) = sign(digestOf(report), 3);
        expectRevert(reason);
        quorum.post(report, signers, signatures);
    }

    /// @dev A trigger that reporters alone may open incidents on.
    function _listed(address subject) private returns (bytes32) {
        Trigger memory trigger;
        trigger.chainId = block.chainid;
        trigger.rungs = uint8(1 << uint8(Rung.Quorum));
        trigger.asset = address(usd);
        trigger.subject = subject;
        trigger.threshold = 0.1e18;
        return catalog.listTrigger(trigger);
    }

    function _first(bytes[] memory list_, uint256 count) private pure returns (bytes[] memory part) {
        part = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            part[i] = list_[i];
        }
    }
}
