// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

// Messages that are signed off chain. docs/interfaces.md describes each field; their names, order and types are
// fixed, because signatures over them outlive releases.

/// @notice What a reporter says was lost, for the quorum rung. Amounts are in the gauge's unit.
struct LossReport {
    bytes32 gauge;
    uint256 incident; // zero: opens a new one
    uint64 onset; // block
    uint64 reading; // block
    uint64 onsetTime; // seconds
    uint64 afterTime; // seconds
    uint128 base;
    uint128 loss;
    bytes32 evidence; // hash of an evidence/1 document
    bytes32 signerSet;
    uint256 nonce;
    uint64 validFrom; // seconds
    uint64 validUntil; // seconds, inclusive
}

/// @notice The most exposure of one product or cluster, in pool units.
struct Cap {
    bytes32 id;
    uint128 cap;
}

/// @notice What the capital model allows a pool to sell.
struct CapacityCertificate {
    address pool;
    uint32 leverageBps;
    Cap[] products; // strictly ascending by id
    Cap[] clusters; // strictly ascending by id
    bytes32 model;
    bytes32 data;
    bytes32 seed;
    bytes32 signerSet;
    uint256 nonce;
    uint64 validFrom;
    uint64 validUntil;
}

/// @notice The actuarial floor of a product's price.
struct RatePosting {
    bytes32 product;
    uint64 floorRate; // wad a year
    bytes32 model;
    bytes32 inputs;
    bytes32 signerSet;
    uint256 nonce;
    uint64 validFrom;
    uint64 validUntil;
}

/// @notice A reporter's demand to pause a protocol that gave its pause role to the breaker.
struct BreakerTrip {
    address target;
    bytes4 selector; // zero: the whole target
    uint64 number; // block that the reporter had seen last
    bytes32 blockHash;
    bytes32 transaction; // zero: none in particular
    bytes32 evidence; // hash of an evidence/1 document
    uint32 duration; // seconds
    bytes32 signerSet;
    uint256 nonce;
    uint64 validFrom;
    uint64 validUntil;
}

/// @notice A position account lets `buyer` insure it.
struct PositionConsent {
    address position;
    bytes32 product;
    address buyer;
    uint256 nonce;
    uint256 deadline; // seconds, inclusive
}

/// @notice What each position lost in an incident of the quorum rung, as the root of a Merkle tree.
struct PositionsReport {
    uint256 incident;
    bytes32 root; // of leaves keccak256(keccak256(abi.encode(address account, uint128 lost, uint128 value)))
    bytes32 evidence; // hash of an evidence/1 document
    bytes32 signerSet;
    uint256 nonce;
    uint64 validFrom; // seconds
    uint64 validUntil; // seconds, inclusive
}

/// @notice The holder of a policy wants a further one that begins where it ends, whoever sends the order.
struct RenewalOrder {
    uint256 policy;
    uint128 sum; // pool units, at most; no more than is left of the policy's sum is bought
    uint32 term; // seconds from the end of the policy to that of its renewal, whole days
    uint32 lead; // seconds, at most 7 days: how long before the end the renewal may begin
    uint256 maxPremium; // premium, fee and tip together
    uint256 tip; // to whoever executes it
    address distributor; // as in a purchase
    uint16 feeBps;
    uint256 nonce; // keyed by the policy
    uint64 deadline; // seconds, inclusive
}

/// @title EIP-712 hashes of every message that Breakwater takes signed
library Eip712Types {
    string internal constant NAME = "Breakwater";
    string internal constant VERSION = "1";

    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant LOSS_REPORT_TYPEHASH = keccak256(
        "LossReport(bytes32 gauge,uint256 incident,uint64 onset,uint64 reading,uint64 onsetTime,uint64 afterTime,uint128 base,uint128 loss,bytes32 evidence,bytes32 signerSet,uint256 nonce,uint64 validFrom,uint64 validUntil)"
    );
    bytes32 internal constant CAP_TYPEHASH = keccak256("Cap(bytes32 id,uint128 cap)");
    bytes32 internal constant CAPACITY_CERTIFICATE_TYPEHASH = keccak256(
        "CapacityCertificate(address pool,uint32 leverageBps,Cap[] products,Cap[] clusters,bytes32 model,bytes32 data,bytes32 seed,bytes32 signerSet,uint256 nonce,uint64 validFrom,uint64 validUntil)Cap(bytes32 id,uint128 cap)"
    );
    bytes32 internal constant RATE_POSTING_TYPEHASH = keccak256(
        "RatePosting(bytes32 product,uint64 floorRate,bytes32 model,bytes32 inputs,bytes32 signerSet,uint256 nonce,uint64 validFrom,uint64 validUntil)"
    );
    bytes32 internal constant BREAKER_TRIP_TYPEHASH = keccak256(
        "BreakerTrip(address target,bytes4 selector,uint64 number,bytes32 blockHash,bytes32 transaction,bytes32 evidence,uint32 duration,bytes32 signerSet,uint256 nonce,uint64 validFrom,uint64 validUntil)"
    );
    bytes32 internal constant POSITION_CONSENT_TYPEHASH = keccak256(
        "PositionConsent(address position,bytes32 product,address buyer,uint256 nonce,uint256 deadline)"
    );
    bytes32 internal constant POSITIONS_REPORT_TYPEHASH = keccak256(
        "PositionsReport(uint256 incident,bytes32 root,bytes32 evidence,bytes32 signerSet,uint256 nonce,uint64 validFrom,uint64 validUntil)"
    );
    bytes32 internal constant RENEWAL_ORDER_TYPEHASH = keccak256(
        "RenewalOrder(uint256 policy,uint128 sum,uint32 term,uint32 lead,uint256 maxPremium,uint256 tip,address distributor,uint16 feeBps,uint256 nonce,uint64 deadline)"
    );

    // The ABI encoding of a struct of plain values is exactly its EIP-712 data, one word a field.

    function hash(LossReport memory report) internal pure returns (bytes32) {
        return keccak256(bytes.concat(LOSS_REPORT_TYPEHASH, abi.encode(report)));
    }

    function hash(Cap memory cap) internal pure returns (bytes32) {
        return keccak256(bytes.concat(CAP_TYPEHASH, abi.encode(cap)));
    }

    function hash(RatePosting memory posting) internal pure returns (bytes32) {
        return keccak256(bytes.concat(RATE_POSTING_TYPEHASH, abi.encode(posting)));
    }

    function hash(BreakerTrip memory trip) internal pure returns (bytes32) {
        return keccak256(bytes.concat(BREAKER_TRIP_TYPEHASH, abi.encode(trip)));
    }

    function hash(PositionConsent memory consent) internal pure returns (bytes32) {
        return keccak256(bytes.concat(POSITION_CONSENT_TYPEHASH, abi.encode(consent)));
    }

    function hash(PositionsReport memory report) internal pure returns (bytes32) {
        return keccak256(bytes.concat(POSITIONS_REPORT_TYPEHASH, abi.encode(report)));
    }

    function hash(RenewalOrder memory order) internal pure returns (bytes32) {
        return keccak256(bytes.concat(RENEWAL_ORDER_TYPEHASH, abi.encode(order)));
    }

    function hash(CapacityCertificate memory certificate) internal pure returns (bytes32) {
        return keccak256(
            bytes.concat(
                abi.encode(
                    CAPACITY_CERTIFICATE_TYPEHASH,
                    certificate.pool,
                    certificate.leverageBps,
                    hash(certificate.products),
                    hash(certificate.clusters),
                    certificate.model,
                    certificate.data
                ),
                abi.encode(
                    certificate.seed,
                    certificate.signerSet,
                    certificate.nonce,
                    certificate.validFrom,
                    certificate.validUntil
                )
            )
        );
    }

    function hash(Cap[] memory caps) internal pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](caps.length);
        for (uint256 i; i < caps.length; ++i) {
            hashes[i] = hash(caps[i]);
        }
        return keccak256(abi.encodePacked(hashes));
    }

    /// @notice One leaf of the tree under a `PositionsReport`'s root. Hashed twice, so that no inner node passes for one.
    function positionLeaf(address account, uint128 lost, uint128 value) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(account, lost, value))));
    }

    /// @notice What `signerSet` names: `quorum` of `signers`, who are strictly ascending.
    function signerSet(uint256 quorum, address[] memory signers) internal pure returns (bytes32) {
        return keccak256(abi.encode(quorum, signers));
    }

    function domainSeparator(uint256 chainId, address verifyingContract) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                DOMAIN_TYPEHASH, keccak256(bytes(NAME)), keccak256(bytes(VERSION)), chainId, verifyingContract
            )
        );
    }
}
