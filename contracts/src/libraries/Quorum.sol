// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Eip712Types} from "./Eip712Types.sol";

/// @title Whether a quorum of a signer set signed a message, and each message once
/// @notice docs/interfaces.md states the rules: "Fields that most messages share". Chain and contract are in the
///         digest, so they are checked by whoever computes it.
library Quorum {
    /// @notice The fields that every message of a signer set carries.
    struct Terms {
        bytes32 typeHash;
        bytes32 signerSet;
        uint256 nonce;
        uint64 validFrom; // seconds, inclusive
        uint64 validUntil; // seconds, inclusive
    }

    /// @notice The last nonce that was taken of each type from each signer set.
    struct Nonces {
        mapping(bytes32 typeHash => mapping(bytes32 signerSet => uint256 nonce)) last;
    }

    error WrongSignerSet(bytes32 expected, bytes32 got);
    error NotSigner(address account);
    error NotAscending(address previous, address next);
    error TooFewSignatures(uint256 quorum, uint256 got);
    /// @notice Not one signature for each signer that is named.
    error WrongSignatureCount(uint256 expected, uint256 got);
    error BadSignature(address signer);
    error NonceUsed(uint256 least, uint256 got);
    error NotYetValid(uint64 validFrom, uint256 time);
    error NoLongerValid(uint64 validUntil, uint256 time);

    /// @notice Takes a message: its set, its time, its nonce and its signatures, in this order. The nonce is then used.
    /// @param digest EIP-712 digest of the message, for this chain and this contract.
    /// @param quorum how many of `members` must have signed.
    /// @param members the signer set in force, strictly ascending.
    /// @param signers who signed, strictly ascending; each must be a member.
    /// @param signatures of `signers`, in their order: 65 bytes, or what an ERC-1271 account takes.
    function take(
        Nonces storage self,
        Terms memory terms,
        bytes32 digest,
        uint256 quorum,
        address[] memory members,
        address[] calldata signers,
        bytes[] calldata signatures
    ) internal {
        bytes32 expected = Eip712Types.signerSet(quorum, members);
        if (terms.signerSet != expected) revert WrongSignerSet(expected, terms.signerSet);
        if (block.timestamp < terms.validFrom) revert NotYetValid(terms.validFrom, block.timestamp);
        if (block.timestamp > terms.validUntil) revert NoLongerValid(terms.validUntil, block.timestamp);
        uint256 last = self.last[terms.typeHash][expected];
        if (terms.nonce <= last) revert NonceUsed(last + 1, terms.nonce);
        // Used before accounts with code are asked, so that none of them can bring the same message in again.
        self.last[terms.typeHash][expected] = terms.nonce;
        verify(digest, quorum, members, signers, signatures);
    }

    /// @notice Refuses unless at least `quorum` different members signed the digest. An empty set signs nothing.
    function verify(
        bytes32 digest,
        uint256 quorum,
        address[] memory members,
        address[] calldata signers,
        bytes[] calldata signatures
    ) internal view {
        uint256 count = signers.length;
        // No signature at all is never a quorum, whatever the set says.
        if (count < quorum || count == 0) revert TooFewSignatures(quorum, count);
        if (signatures.length != count) revert WrongSignatureCount(count, signatures.length);
        uint256 next;
        for (uint256 i; i < count; ++i) {
            address signer = signers[i];
            if (i != 0 && signer <= signers[i - 1]) revert NotAscending(signers[i - 1], signer);
            // Both lists ascend, so each member is looked at once.
            while (next < members.length && members[next] < signer) ++next;
            if (next == members.length || members[next] != signer) revert NotSigner(signer);
            check(digest, signer, signatures[i]);
        }
    }

    /// @notice Refuses unless `signer` signed the digest, by ECDSA or ERC-1271.
    function check(bytes32 digest, address signer, bytes calldata signature) internal view {
        if (!SignatureChecker.isValidSignatureNowCalldata(signer, digest, signature)) {
            revert BadSignature(signer);
        }
    }
}
