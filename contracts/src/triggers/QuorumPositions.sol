// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IIncidents, Incident, Rung, Status} from "../interfaces/IIncidents.sol";
import {ILadder} from "../interfaces/ILadder.sol";
import {IQuorumRung, Positions} from "../interfaces/IQuorumRung.sol";
import {IReporters} from "../interfaces/IReporters.sol";
import {Eip712Types, PositionsReport} from "../libraries/Eip712Types.sol";
import {Quorum} from "../libraries/Quorum.sol";

/// @title What reporters say of positions, and the bonds of those who object
/// @notice A root can be struck twice, so that it is late by at most two windows and one posting each.
abstract contract QuorumPositions is IQuorumRung, ReentrancyGuardTransient {
    using Quorum for Quorum.Nonces;
    using SafeERC20 for IERC20;

    uint8 public constant MAX_STRIKES = 2;
    /// @dev Seconds; no chain that this is deployed on makes its blocks more slowly.
    uint256 internal constant MAX_BLOCK_TIME = 15;

    IIncidents public immutable incidents;
    IReporters public immutable reporters;
    /// @inheritdoc IQuorumRung
    uint128 public immutable challengeBond;
    IERC20 private immutable _asset;

    Quorum.Nonces private _nonces;
    mapping(uint256 id => Positions positions) private _positions;
    /// @inheritdoc IQuorumRung
    mapping(address account => uint128 amount) public owed;
    /// @inheritdoc IQuorumRung
    uint128 public unburned;

    constructor(IIncidents incidents_, IReporters reporters_, uint128 challengeBond_) {
        if (challengeBond_ == 0) revert OutOfRange("challengeBond", 0);
        uint256 blocks =
            _ladder(incidents_).window(uint8(Rung.Quorum)) + _ladder(incidents_).window(uint8(Rung.Assembly));
        uint256 least = incidents_.claimWindow() + blocks * MAX_BLOCK_TIME;
        if (reporters_.unbondDelay() < least) revert UnbondDelayTooShort(least, reporters_.unbondDelay());
        (incidents, reporters, challengeBond) = (incidents_, reporters_, challengeBond_);
        _asset = IERC20(reporters_.asset());
    }

    /// @inheritdoc IQuorumRung
    function postPositions(
        PositionsReport calldata report,
        address[] calldata signers,
        bytes[] calldata signatures
    ) external nonReentrant {
        uint256 id = report.incident;
        _checkPosted(id);
        _checkOpen(id, incidents.incident(id));
        if (report.root == 0) revert ZeroRoot();
        Quorum.Terms memory terms = Quorum.Terms(
            Eip712Types.POSITIONS_REPORT_TYPEHASH,
            report.signerSet,
            report.nonce,
            report.validFrom,
            report.validUntil
        );
        _take(terms, _digest(Eip712Types.hash(report)), signers, signatures);

        Positions storage p = _positions[id];
        _ripen(p);
        // Whoever struck what the quorum then repeats was wrong, as far as this rung can know.
        if (p.struck != 0) _endStrike(id, p, p.struck != report.root);
        uint64 pendingEnd = uint64(block.number);
        if (p.strikes < MAX_STRIKES) {
            pendingEnd += _ladder(incidents).window(uint8(Rung.Quorum));
            (p.pending, p.pendingEnd) = (report.root, pendingEnd);
        } else {
            (p.standing, p.pending, p.pendingEnd) = (report.root, 0, 0);
        }
        emit PositionsPosted(id, report.root, report, pendingEnd);
    }

    /// @inheritdoc IQuorumRung
    function strike(uint256 id) external nonReentrant {
        Positions storage p = _positions[id];
        bytes32 root = p.pending;
        if (root == 0 || block.number > p.pendingEnd) revert NothingPending(id);
        if (p.strikes == MAX_STRIKES) revert NoStrikesLeft(id);
        Incident memory incident = incidents.incident(id);
        _checkOpen(id, incident);
        if (incident.status == Status.Final) {
            // Time for the next root to be posted and to stand.
            uint256 blocks = 2 * uint256(_ladder(incidents).window(uint8(Rung.Quorum)));
            uint256 needed = block.timestamp + blocks * MAX_BLOCK_TIME;
            if (needed > incident.claimsEnd) revert StrikeTooLate(incident.claimsEnd, needed);
        }
        (p.pending, p.pendingEnd) = (0, 0);
        ++p.strikes;
        (p.struck, p.striker) = (root, msg.sender);
        emit PositionsStruck(id, root, msg.sender);
        _pull(challengeBond);
    }

    /// @inheritdoc IQuorumRung
    function resolveStrike(uint256 id) external nonReentrant {
        Positions storage p = _positions[id];
        if (p.struck == 0) revert NoStrike(id);
        Incident memory incident = incidents.incident(id);
        if (incident.status == Status.Final) {
            if (block.timestamp <= incident.claimsEnd) revert ClaimsOpen(id, incident.claimsEnd);
        } else if (incident.status != Status.Voided) {
            revert StillOpen(id, uint8(incident.status));
        }
        _endStrike(id, p, true);
    }

    /// @inheritdoc IQuorumRung
    function recordPositions(
        uint256 id,
        address[] calldata accounts,
        uint128[] calldata lost,
        uint128[] calldata value,
        bytes32[][] calldata proofs
    ) external nonReentrant {
        uint256 count = accounts.length;
        if (lost.length != count) revert WrongLength(count, lost.length);
        if (value.length != count) revert WrongLength(count, value.length);
        if (proofs.length != count) revert WrongLength(count, proofs.length);
        Positions storage p = _positions[id];
        _ripen(p);
        bytes32 root = p.standing;
        if (root == 0) revert NoPositions(id);
        for (uint256 i; i < count; ++i) {
            bytes32 leaf = Eip712Types.positionLeaf(accounts[i], lost[i], value[i]);
            if (!MerkleProof.verifyCalldata(proofs[i], root, leaf)) revert WrongProof(accounts[i]);
            incidents.recordPosition(id, accounts[i], lost[i], value[i]);
        }
    }

    /// @inheritdoc IQuorumRung
    function withdraw() external nonReentrant {
        uint128 amount = owed[msg.sender];
        if (amount == 0) revert NothingOwed(msg.sender);
        owed[msg.sender] = 0;
        emit Withdrawn(msg.sender, amount);
        _asset.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IQuorumRung
    function burn() external nonReentrant {
        uint128 amount = unburned;
        if (amount == 0) revert ZeroAmount();
        unburned = 0;
        emit Burned(amount);
        _asset.safeTransfer(reporters.sink(), amount);
    }

    /// @inheritdoc IQuorumRung
    function positions(uint256 id) external view returns (Positions memory p) {
        p = _positions[id];
        if (_ripe(p.pending, p.pendingEnd)) (p.standing, p.pending, p.pendingEnd) = (p.pending, 0, 0);
    }

    /// @inheritdoc IQuorumRung
    function lastNonce(bytes32 typeHash, bytes32 signerSet) external view returns (uint256) {
        return _nonces.last[typeHash][signerSet];
    }

    /// @dev Takes a message that a quorum of the reporters signed.
    function _take(
        Quorum.Terms memory terms,
        bytes32 digest,
        address[] calldata signers,
        bytes[] calldata signatures
    ) internal {
        (uint256 quorum, address[] memory members) = reporters.members();
        _nonces.take(terms, digest, quorum, members, signers, signatures);
    }

    /// @dev What was said of positions was said of another onset.
    function _dropPositions(uint256 id) internal {
        Positions storage p = _positions[id];
        if (p.standing == 0 && p.pending == 0) return;
        (p.standing, p.pending, p.pendingEnd) = (0, 0, 0);
        emit PositionsDropped(id);
    }

    function _pull(uint128 amount) internal {
        uint256 before = _asset.balanceOf(address(this));
        _asset.safeTransferFrom(msg.sender, address(this), amount);
        uint256 got = _asset.balanceOf(address(this)) - before;
        if (got != amount) revert WrongTransfer(amount, got);
    }

    /// @dev Nothing is sent here: an account that cannot be paid must not stop anybody else.
    function _refund(address account, uint128 amount, bool returned) internal {
        if (returned) owed[account] += amount;
        else unburned += amount;
    }

    function _ladder(IIncidents incidents_) internal pure returns (ILadder) {
        return ILadder(address(incidents_));
    }

    /// @dev What is signed, for this chain, which a fork may have left, and for this contract.
    function _digest(bytes32 structHash) internal view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(
            Eip712Types.domainSeparator(block.chainid, address(this)), structHash
        );
    }

    /// @dev Reverts unless a report of this rung measures the incident.
    function _checkPosted(uint256 id) internal view virtual;

    /// @dev A root whose time is over stands.
    function _ripen(Positions storage p) private {
        if (_ripe(p.pending, p.pendingEnd)) (p.standing, p.pending, p.pendingEnd) = (p.pending, 0, 0);
    }

    function _endStrike(uint256 id, Positions storage p, bool returned) private {
        (bytes32 root, address striker) = (p.struck, p.striker);
        (p.struck, p.striker) = (0, address(0));
        emit StrikeResolved(id, root, striker, returned);
        _refund(striker, challengeBond, returned);
    }

    function _ripe(bytes32 pending, uint64 pendingEnd) private view returns (bool) {
        return pending != 0 && block.number > pendingEnd;
    }

    /// @dev Nobody is paid out of what was voided, or once the claims are over.
    function _checkOpen(uint256 id, Incident memory incident) private view {
        if (incident.status == Status.Voided) revert NotOpen(id, uint8(incident.status));
        if (incident.status == Status.Final && block.timestamp > incident.claimsEnd) {
            revert IIncidents.ClaimsOver(id, incident.claimsEnd);
        }
    }
}
