// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SignedMath} from "@openzeppelin/contracts/utils/math/SignedMath.sol";
import {ISignal} from "../interfaces/ISignal.sol";
import {Duty, IUnderwriting} from "../interfaces/IUnderwriting.sol";
import {Cap, CapacityCertificate, Eip712Types, RatePosting} from "../libraries/Eip712Types.sol";
import {Quorum} from "../libraries/Quorum.sol";
import {Ratchet} from "../libraries/Ratchet.sol";

/// @title Underwriting
/// @notice Holds no money and can raise nobody's risk at once: certificates only narrow what a pool's curator allows.
contract Underwriting is IUnderwriting, AccessManaged, EIP712 {
    using Quorum for Quorum.Nonces;
    using Ratchet for Ratchet.Limit;

    /// @dev Leverage of one pool, and which certificate was its last.
    struct Head {
        uint32 from; // bps; this and the next three as in `Ratchet.Limit`
        uint32 target;
        uint32 peak;
        uint48 start;
        uint48 serial; // certificates of the pool so far
        uint64 validUntil;
    }

    struct Committee {
        uint256 quorum; // 1 to all
        address[] members; // strictly ascending
    }

    struct Capped {
        uint128 from;
        uint128 target;
        uint128 peak;
        uint48 start;
        uint48 serial; // of the last certificate that named it
    }

    struct Rate {
        uint64 from; // wad a year, at `start`
        uint64 target;
        uint48 start; // zero: never posted
        uint48 validUntil;
        int16 credit; // bps
    }

    /// @dev Seconds that a message may be good for, so that an old model does not sell for ever.
    uint256 public constant MAX_VALIDITY = 30 days;
    /// @dev Of one certificate, products and clusters together: they must fit one transaction.
    uint256 public constant MAX_CAPS = 128;
    int256 public constant MAX_CREDIT_BPS = 2000;
    int256 public constant MAX_SIGNAL_BPS = 1000;
    /// @dev Gas for asking the signal: one that fails or takes too long counts as none. Nobody can make it fail by
    ///      sending little gas: what is left then, a 63rd, does not finish a sale.
    uint256 private constant SIGNAL_GAS = 100_000;
    uint256 private constant BPS = 10_000;

    /// @inheritdoc IUnderwriting
    mapping(bytes32 id => bytes32 cluster) public clusterOf;
    address public signal;
    mapping(Duty duty => Committee committee) private _committees;
    mapping(address pool => Head head) private _heads;
    mapping(address pool => mapping(bytes32 product => Capped capped)) private _products;
    mapping(address pool => mapping(bytes32 cluster => Capped capped)) private _clusters;
    mapping(bytes32 product => Rate rate) private _rates;
    Quorum.Nonces private _nonces;

    /// @param authority an AccessManager; it decides who names committees, clusters, credits and the signal.
    constructor(address authority) AccessManaged(authority) EIP712(Eip712Types.NAME, Eip712Types.VERSION) {}

    /// @inheritdoc IUnderwriting
    function setCommittee(Duty duty, uint256 quorum, address[] calldata members) external restricted {
        if (quorum == 0 || quorum > members.length) revert BadCommittee(quorum, members.length);
        address previous;
        for (uint256 i; i < members.length; ++i) {
            if (members[i] <= previous) revert MembersNotAscending(previous, members[i]);
            previous = members[i];
        }
        _committees[duty] = Committee(quorum, members);
        emit CommitteeSet(duty, quorum, members);
    }

    /// @inheritdoc IUnderwriting
    function setCluster(bytes32 id, bytes32 cluster) external restricted {
        if (cluster == 0) revert ZeroCluster(id);
        if (clusterOf[id] != 0) revert ClusterIsSet(id, clusterOf[id]);
        clusterOf[id] = cluster;
        emit ClusterSet(id, cluster);
    }

    /// @inheritdoc IUnderwriting
    function setCredit(bytes32 product, int256 bps) external restricted {
        if (bps > MAX_CREDIT_BPS || bps < -MAX_CREDIT_BPS) revert CreditOutOfRange(MAX_CREDIT_BPS, bps);
        _rates[product].credit = int16(bps);
        emit CreditSet(product, bps);
    }

    /// @inheritdoc IUnderwriting
    function setSignal(address signal_) external restricted {
        signal = signal_;
        emit SignalSet(signal_);
    }

    /// @inheritdoc IUnderwriting
    function certify(
        CapacityCertificate calldata certificate,
        address[] calldata signers,
        bytes[] calldata signatures
    ) external {
        Quorum.Terms memory terms = Quorum.Terms({
            typeHash: Eip712Types.CAPACITY_CERTIFICATE_TYPEHASH,
            signerSet: certificate.signerSet,
            nonce: certificate.nonce,
            validFrom: certificate.validFrom,
            validUntil: certificate.validUntil
        });
        _take(Duty.Capacity, terms, Eip712Types.hash(certificate), signers, signatures);
        address pool = certificate.pool;
        if (pool == address(0)) revert ZeroAddress();
        uint256 count = certificate.products.length + certificate.clusters.length;
        if (count > MAX_CAPS) revert TooManyCaps(MAX_CAPS, count);
        Head storage head = _heads[pool];
        uint48 serial = head.serial;
        Ratchet.Limit memory next = _leverage(head).set(certificate.leverageBps, true, block.timestamp);
        // The parts of a limit are never above a target that was signed, and those of leverage have 32 bits.
        (head.from, head.target, head.peak) = (uint32(next.from), uint32(next.target), uint32(next.peak));
        (head.start, head.serial, head.validUntil) = (next.start, serial + 1, certificate.validUntil);
        _setCaps(_products[pool], certificate.products, serial);
        _setCaps(_clusters[pool], certificate.clusters, serial);
        emit Certified(pool, certificate);
    }

    /// @inheritdoc IUnderwriting
    function post(RatePosting calldata posting, address[] calldata signers, bytes[] calldata signatures)
        external
    {
        Quorum.Terms memory terms = Quorum.Terms({
            typeHash: Eip712Types.RATE_POSTING_TYPEHASH,
            signerSet: posting.signerSet,
            nonce: posting.nonce,
            validFrom: posting.validFrom,
            validUntil: posting.validUntil
        });
        _take(Duty.Rate, terms, Eip712Types.hash(posting), signers, signatures);
        bytes32 product = posting.product;
        Rate storage rate = _rates[product];
        uint256 start = rate.start;
        if (start != 0 && block.timestamp < start + Ratchet.DAY) {
            revert PostedTooSoon(product, start + Ratchet.DAY, block.timestamp);
        }
        rate.from = start == 0 ? posting.floorRate : uint64(_posted(rate));
        (rate.target, rate.start) = (posting.floorRate, uint48(block.timestamp));
        rate.validUntil = uint48(posting.validUntil);
        emit Posted(product, posting);
    }

    /// @inheritdoc IUnderwriting
    function limits(address pool, bytes32 product)
        external
        view
        returns (
            uint32 leverageBps,
            uint128 productCap,
            bytes32 cluster,
            uint128 clusterMost,
            uint64 floor,
            bool open
        )
    {
        Head storage head = _heads[pool];
        leverageBps = uint32(_leverage(head).inForce(block.timestamp));
        cluster = clusterOf[product];
        productCap = _capOf(_products[pool][product], head.serial);
        clusterMost = _capOf(_clusters[pool][cluster], head.serial);
        bool fresh;
        (floor, fresh) = floorRate(product);
        open = fresh && cluster != 0 && block.timestamp <= head.validUntil && leverageBps != 0;
    }

    /// @inheritdoc IUnderwriting
    function leverage(address pool) external view returns (uint32) {
        Head storage head = _heads[pool];
        return head.serial == 0 ? type(uint32).max : uint32(_leverage(head).inForce(block.timestamp));
    }

    /// @inheritdoc IUnderwriting
    function clusterCap(address pool, bytes32 cluster) external view returns (uint128) {
        return _capOf(_clusters[pool][cluster], _heads[pool].serial);
    }

    /// @inheritdoc IUnderwriting
    function floorRate(bytes32 product) public view returns (uint64 rate, bool fresh) {
        Rate storage posted = _rates[product];
        if (posted.start == 0) return (0, false);
        // At least 7,000 and at most 13,000 with both at their bounds.
        uint256 factor = uint256(int256(BPS) + posted.credit + _signalBps(product));
        rate = uint64(Math.min(Math.ceilDiv(_posted(posted) * factor, BPS), type(uint64).max));
        fresh = block.timestamp <= posted.validUntil;
    }

    /// @inheritdoc IUnderwriting
    function committee(Duty duty) external view returns (uint256, address[] memory) {
        return (_committees[duty].quorum, _committees[duty].members);
    }

    /// @inheritdoc IUnderwriting
    function creditOf(bytes32 product) external view returns (int256) {
        return _rates[product].credit;
    }

    /// @inheritdoc IUnderwriting
    function validUntil(address pool) external view returns (uint64) {
        return _heads[pool].validUntil;
    }

    /// @dev A committee that was never named has no members, and no signature is a quorum of it.
    function _take(
        Duty duty,
        Quorum.Terms memory terms,
        bytes32 structHash,
        address[] calldata signers,
        bytes[] calldata signatures
    ) private {
        uint256 most = block.timestamp + MAX_VALIDITY;
        if (terms.validUntil > most) revert ValidTooLong(most, terms.validUntil);
        Committee storage named = _committees[duty];
        bytes32 digest = _hashTypedDataV4(structHash);
        _nonces.take(terms, digest, named.quorum, named.members, signers, signatures);
    }

    /// @dev `before` is the serial of the certificate before this one.
    function _setCaps(mapping(bytes32 id => Capped capped) storage all, Cap[] calldata caps, uint48 before)
        private
    {
        bytes32 previous;
        for (uint256 i; i < caps.length; ++i) {
            bytes32 id = caps[i].id;
            if (id <= previous) revert CapsNotAscending(previous, id);
            previous = id;
            Capped storage capped = all[id];
            bool named = before != 0 && capped.serial == before;
            Ratchet.Limit memory next = _limit(capped).set(caps[i].cap, named, block.timestamp);
            (capped.from, capped.target) = (next.from, next.target);
            (capped.peak, capped.start, capped.serial) = (next.peak, next.start, before + 1);
        }
    }

    /// @dev Within its bounds; nothing if there is none, it fails, or answers no number.
    function _signalBps(bytes32 product) private view returns (int256 bps) {
        address from = signal;
        if (from == address(0)) return 0;
        bytes memory data = abi.encodeCall(ISignal.signalBps, (product));
        bool ok;
        assembly ("memory-safe") {
            // One word is read, however much is answered.
            ok := staticcall(SIGNAL_GAS, from, add(data, 32), mload(data), 0, 32)
            ok := and(ok, gt(returndatasize(), 31))
            bps := mload(0)
        }
        if (!ok) return 0;
        return SignedMath.max(-MAX_SIGNAL_BPS, SignedMath.min(MAX_SIGNAL_BPS, bps));
    }

    /// @dev A limit that the pool's last certificate left out is none.
    function _capOf(Capped storage capped, uint48 serial) private view returns (uint128) {
        return capped.serial == serial ? _limit(capped).inForce(block.timestamp) : 0;
    }

    function _posted(Rate storage rate) private view returns (uint256) {
        return Ratchet.rateAt(rate.from, rate.target, rate.start, block.timestamp);
    }

    function _leverage(Head storage head) private view returns (Ratchet.Limit memory) {
        return Ratchet.Limit(head.from, head.target, head.peak, head.start);
    }

    function _limit(Capped storage capped) private view returns (Ratchet.Limit memory) {
        return Ratchet.Limit(capped.from, capped.target, capped.peak, capped.start);
    }
}
