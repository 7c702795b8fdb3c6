// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Rung} from "breakwater/interfaces/IIncidents.sol";
import {Eip712Types, LossReport, PositionsReport} from "breakwater/libraries/Eip712Types.sol";
import {QuorumRung} from "breakwater/triggers/QuorumRung.sol";
import {Reporters} from "breakwater/triggers/Reporters.sol";
import {Fixture} from "./Fixture.sol";
import {Token} from "./Tokens.sol";

/// @notice The fixture with four reporters, three of whom must sign; `jury` stands in the assembly's place.
abstract contract Quorums is Fixture {
    uint128 internal constant MIN_BOND = 10_000e6;
    uint128 internal constant REPORT_BOND = 4000e6;
    uint128 internal constant CHALLENGE_BOND = 500e6;
    uint32 internal constant UNBOND = 60 days;
    uint16 internal constant PROVER_BPS = 3000;
    uint64 internal constant ONSET = 9000;
    uint128 internal constant BASE = 1_000_000e6;
    address internal constant SINK = address(0xdead);

    Reporters internal reporters;
    QuorumRung internal quorum;
    Token internal bondToken;
    bytes32 internal gauge;
    address internal jury = makeAddr("jury");
    address internal carol = makeAddr("carol");
    /// @dev Ascending by account.
    address[] internal accounts;
    mapping(address account => uint256 key) internal keys;
    uint256 internal nonce;

    function setUp() public virtual override {
        super.setUp();
        gauge = list(vaultSpec());
    }

    function wire(address rungContract) internal virtual override {
        bondToken = new Token("BOND", 6);
        reporters = new Reporters(address(manager), address(bondToken), SINK, MIN_BOND, UNBOND, PROVER_BPS, 3);
        quorum = new QuorumRung(incidents, reporters, rung, REPORT_BOND, CHALLENGE_BOND);
        reporters.wire(users());
        address canary = canaryFor();
        address[] memory contracts = new address[](canary == address(0) ? 3 : 4);
        Rung[] memory rungs = new Rung[](contracts.length);
        if (canary != address(0)) (contracts[3], rungs[3]) = (canary, Rung.Canary);
        (contracts[0], contracts[1], contracts[2]) = (rungContract, address(quorum), assemblyFor());
        (rungs[0], rungs[1], rungs[2]) = (Rung.Proof, Rung.Quorum, Rung.Assembly);
        incidents.wire(address(policies), contracts, rungs);
        string[4] memory names = ["rita", "remy", "rosa", "rolf"];
        for (uint256 i; i < 4; ++i) {
            (address account, uint256 key) = makeKey(names[i]);
            keys[account] = key;
            enlist(account);
        }
        (, accounts) = reporters.members();
    }

    /// @dev Zero: no canaries are watched.
    function canaryFor() internal virtual returns (address) {
        return address(0);
    }

    function assemblyFor() internal virtual returns (address) {
        return jury;
    }

    /// @dev Who may hold bonds.
    function users() internal virtual returns (address[] memory list_) {
        list_ = new address[](1);
        list_[0] = address(quorum);
    }

    function enlist(address account) internal {
        fund(account, MIN_BOND);
        vm.prank(account);
        reporters.bond(MIN_BOND);
        reporters.admit(account);
    }

    /// @dev Bond tokens that the registry and the rung may take.
    function fund(address account, uint256 amount) internal {
        bondToken.mint(account, amount);
        vm.startPrank(account);
        bondToken.approve(address(reporters), type(uint256).max);
        bondToken.approve(address(quorum), type(uint256).max);
        vm.stopPrank();
    }

    // ----- messages -----

    function reportOf(uint256 incident, uint64 reading, uint128 loss)
        internal
        returns (LossReport memory report)
    {
        uint64 time = uint64(START) + ONSET * 12;
        report = LossReport({
            gauge: gauge,
            incident: incident,
            onset: ONSET,
            reading: reading,
            onsetTime: time,
            afterTime: time + 12,
            base: BASE,
            loss: loss,
            evidence: keccak256("document"),
            signerSet: reporters.signerSet(),
            nonce: ++nonce,
            validFrom: uint64(block.timestamp),
            validUntil: uint64(block.timestamp + 1 hours)
        });
    }

    function digestOf(LossReport memory report) internal view returns (bytes32) {
        return digestAt(report, block.chainid, address(quorum));
    }

    function digestAt(LossReport memory report, uint256 chain, address target)
        internal
        pure
        returns (bytes32)
    {
        return MessageHashUtils.toTypedDataHash(
            Eip712Types.domainSeparator(chain, target), Eip712Types.hash(report)
        );
    }

    function signedBy(address account, bytes32 digest) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[account], digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Signatures of the first `count` reporters.
    function sign(bytes32 digest, uint256 count)
        internal
        view
        returns (address[] memory signers, bytes[] memory signatures)
    {
        (signers, signatures) = (new address[](count), new bytes[](count));
        for (uint256 i; i < count; ++i) {
            signers[i] = accounts[i];
            signatures[i] = signedBy(accounts[i], digest);
        }
    }

    // ----- steps -----

    function post(LossReport memory report) internal returns (uint256) {
        (address[] memory signers, bytes[] memory signatures) = sign(digestOf(report), 3);
        return quorum.post(report, signers, signatures);
    }

    function open(uint128 loss) internal returns (uint256) {
        return post(reportOf(0, ONSET + 10, loss));
    }

    function challenge(address challenger, uint256 id, uint128 loss) internal returns (uint256 index) {
        fund(challenger, quorum.nextBond(id));
        vm.prank(challenger);
        index = quorum.challenge(id, loss);
    }

    /// @dev Past the end of what the incident waits for, and on to its next state.
    function finalise(uint256 id) internal {
        vm.roll(incidents.incident(id).dwellEnd + 1);
        incidents.finalise(id);
    }

    function decide(uint256 id, uint128 loss) internal {
        finalise(id);
        vm.prank(jury);
        incidents.decide(id, loss);
    }

    function heldFor(uint256 id, address account) internal view returns (uint128) {
        return reporters.heldUnder(address(quorum), quorum.posted(id).digest, account);
    }

    function bondedBy(address account) internal view returns (uint128 bonded) {
        (bonded,,,) = reporters.bondOf(account);
    }

    function positionsReport(uint256 id, bytes32 root) internal returns (PositionsReport memory) {
        return PositionsReport({
            incident: id,
            root: root,
            evidence: keccak256("list"),
            signerSet: reporters.signerSet(),
            nonce: ++nonce,
            validFrom: uint64(block.timestamp),
            validUntil: uint64(block.timestamp + 1 hours)
        });
    }

    function postPositions(PositionsReport memory report) internal {
        bytes32 digest = MessageHashUtils.toTypedDataHash(
            Eip712Types.domainSeparator(block.chainid, address(quorum)), Eip712Types.hash(report)
        );
        (address[] memory signers, bytes[] memory signatures) = sign(digest, 3);
        quorum.postPositions(report, signers, signatures);
    }
}
