// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Form, GaugeSpec, Holding, Reading, Side, Term} from "../interfaces/IGauges.sol";
import {Evidence, IProofRung} from "../interfaces/IProofRung.sol";
import {Header} from "./Header.sol";
import {Trie} from "./Trie.sol";

/// @title What a gauge reads in a proven block
/// @notice Walks come in the order that `IProofRung` states; each proves one account or one word.
library Reader {
    /// @dev Where a proof stands. The nodes refer to calldata, so it lives for one call only.
    struct Proof {
        Trie.Nodes nodes;
        uint256 cursor;
    }

    /// @dev Each side saturates at 2^256 - 1.
    struct Sums {
        /// A side or a sum is out of range.
        bool saturated;
        uint256 assets;
        uint256 assetsLess;
        uint256 claims;
        uint256 claimsLess;
        /// Geometric: product of the reserves.
        uint256 product;
    }

    bytes32 private constant NO_CODE = keccak256("");

    function start(Evidence calldata evidence) internal pure returns (Proof memory proof) {
        proof.nodes = Trie.load(evidence.nodes);
    }

    /// @notice Reads the whole gauge; `chain` is the hash of the holders, which it only copies. A sum below zero
    ///         reads 0, one above 2^128 - 1 reads that, and either is `saturated`.
    ///         Reverts with `Undecided`, or an error of `Trie` or `Rlp`.
    function read(
        GaugeSpec calldata spec,
        Evidence calldata evidence,
        Proof memory proof,
        Header.Parsed memory header,
        bytes32 chain
    ) internal pure returns (Reading memory reading, bool saturated) {
        Sums memory sums = Sums(false, 0, 0, 0, 0, 1);
        for (uint256 i; i < spec.accounts.length; ++i) {
            Trie.Account memory account = _account(spec, evidence, proof, header.stateRoot, i);
            _pins(spec, evidence, proof, account.storageRoot, i);
            _terms(spec, evidence, proof, account, sums, i);
            if (spec.form == Form.Enumerated && i == spec.holding.account) {
                _holders(spec, evidence, proof, account.storageRoot, sums);
            }
        }
        reading.number = header.number;
        reading.time = header.timestamp;
        reading.holders = chain;
        reading.assets = spec.form == Form.Geometric
            // The root of 256 bits has at most 128.
            ? uint128(Math.sqrt(sums.product))
            : _total(sums, sums.assets, sums.assetsLess);
        reading.claims = _total(sums, sums.claims, sums.claimsLess);
        saturated = sums.saturated;
    }

    /// @notice Walks to the account that keeps the claims and answers the root of its storage.
    function holdingRoot(
        GaugeSpec calldata spec,
        Evidence calldata evidence,
        Proof memory proof,
        bytes32 stateRoot
    ) internal pure returns (bytes32) {
        return _account(spec, evidence, proof, stateRoot, spec.holding.account).storageRoot;
    }

    /// @notice Walks to what one holder has, gauge units, at most 2^128 - 1.
    function holdingOf(
        GaugeSpec calldata spec,
        Evidence calldata evidence,
        Proof memory proof,
        bytes32 storageRoot,
        address holder
    ) internal pure returns (uint256) {
        Holding calldata h = spec.holding;
        uint256 word = _word(evidence, proof, storageRoot, slotOf(h, holder));
        return Math.min(Math.saturatingMul(_bits(word, h.offset, h.width), h.scale), type(uint128).max);
    }

    /// @notice Continues the hash over holders, who must follow `last` and each other strictly.
    function chainOf(bytes32 chain, address last, address[] calldata holders)
        internal
        pure
        returns (bytes32)
    {
        for (uint256 i; i < holders.length; ++i) {
            if (holders[i] <= last) revert IProofRung.HoldersNotAscending(last, holders[i]);
            last = holders[i];
            chain = _pair(chain, bytes32(uint256(uint160(last))));
        }
        return chain;
    }

    /// @notice Continues the hash over those holders whose bit in `skip` is 0; their order was checked by
    ///         `chainOf`. Without a bitmap nobody is skipped.
    function chainWithout(bytes32 chain, address[] calldata holders, uint256[] calldata skip)
        internal
        pure
        returns (bytes32)
    {
        uint256 words = skip.length == 0 ? 0 : (holders.length + 255) / 256;
        if (skip.length != words) revert IProofRung.WrongBitmap(words, skip.length);
        for (uint256 i; i < holders.length; ++i) {
            if (words == 0 || skip[i / 256] >> (i % 256) & 1 == 0) {
                chain = _pair(chain, bytes32(uint256(uint160(holders[i]))));
            }
        }
        return chain;
    }

    /// @notice Where the claims of a holder are.
    function slotOf(Holding calldata h, address holder) internal pure returns (bytes32 slot) {
        slot = _key(h.vyper, bytes32(uint256(uint160(holder))), h.base);
        if (h.nested) slot = _key(h.vyper, h.innerKey, slot);
        // Storage addresses wrap around, as in the machine.
        unchecked {
            slot = bytes32(uint256(slot) + h.word);
        }
    }

    /// @dev Proves account `i` of the spec and that it has the code it must have.
    function _account(
        GaugeSpec calldata spec,
        Evidence calldata evidence,
        Proof memory proof,
        bytes32 stateRoot,
        uint256 i
    ) private pure returns (Trie.Account memory account) {
        address pinned = spec.accounts[i].account;
        (account, proof.cursor) = Trie.account(proof.nodes, evidence.paths, proof.cursor, stateRoot, pinned);
        // An absent account and one without code are the same to every caller.
        bytes32 code = account.codeHash == NO_CODE ? bytes32(0) : account.codeHash;
        if (code != spec.accounts[i].codeHash) revert IProofRung.Undecided(pinned);
    }

    function _pins(
        GaugeSpec calldata spec,
        Evidence calldata evidence,
        Proof memory proof,
        bytes32 storageRoot,
        uint256 i
    ) private pure {
        for (uint256 k; k < spec.pins.length; ++k) {
            if (spec.pins[k].account != i) continue;
            uint256 word = _word(evidence, proof, storageRoot, spec.pins[k].slot);
            if (bytes32(word) != spec.pins[k].value) revert IProofRung.Undecided(spec.accounts[i].account);
        }
    }

    function _terms(
        GaugeSpec calldata spec,
        Evidence calldata evidence,
        Proof memory proof,
        Trie.Account memory account,
        Sums memory sums,
        uint256 i
    ) private pure {
        for (uint256 k; k < spec.terms.length; ++k) {
            Term calldata term = spec.terms[k];
            if (term.account != i) continue;
            uint256 value = account.balance;
            if (!term.native) {
                uint256 word = _word(evidence, proof, account.storageRoot, term.slot);
                value = _bits(word, term.offset, term.width);
            }
            if (term.side == Side.ClaimAdd) {
                sums.claims = _add(sums, sums.claims, value, term.scale);
            } else if (term.side == Side.ClaimSub) {
                sums.claimsLess = _add(sums, sums.claimsLess, value, term.scale);
            } else if (term.side == Side.AssetSub) {
                sums.assetsLess = _add(sums, sums.assetsLess, value, term.scale);
            } else if (spec.form != Form.Geometric) {
                sums.assets = _add(sums, sums.assets, value, term.scale);
            } else {
                // Two reserves of at most 128 bits each.
                sums.product *= _total(sums, _add(sums, 0, value, term.scale), 0);
            }
        }
    }

    function _holders(
        GaugeSpec calldata spec,
        Evidence calldata evidence,
        Proof memory proof,
        bytes32 storageRoot,
        Sums memory sums
    ) private pure {
        Holding calldata h = spec.holding;
        for (uint256 k; k < evidence.holders.length; ++k) {
            uint256 word = _word(evidence, proof, storageRoot, slotOf(h, evidence.holders[k]));
            sums.claims = _add(sums, sums.claims, _bits(word, h.offset, h.width), h.scale);
        }
    }

    function _word(Evidence calldata evidence, Proof memory proof, bytes32 storageRoot, bytes32 slot)
        private
        pure
        returns (uint256 word)
    {
        (word, proof.cursor) = Trie.storageValue(proof.nodes, evidence.paths, proof.cursor, storageRoot, slot);
    }

    function _add(Sums memory sums, uint256 sum, uint256 value, uint256 scale)
        private
        pure
        returns (uint256 total)
    {
        (bool fits, uint256 scaled) = Math.tryMul(value, scale);
        if (fits) (fits, total) = Math.tryAdd(sum, scaled);
        if (fits) return total;
        sums.saturated = true;
        return type(uint256).max;
    }

    function _total(Sums memory sums, uint256 plus, uint256 minus) private pure returns (uint128) {
        if (plus >= minus && plus - minus <= type(uint128).max) return uint128(plus - minus);
        sums.saturated = true;
        return plus < minus ? 0 : type(uint128).max;
    }

    /// @dev Bits [offset, offset + width) of a word; width 1 to 256.
    function _bits(uint256 word, uint256 offset, uint256 width) private pure returns (uint256) {
        return word >> offset & type(uint256).max >> (256 - width);
    }

    /// @dev Solidity hashes key . slot for a mapping, Vyper slot . key.
    function _key(bool vyper, bytes32 key, bytes32 slot) private pure returns (bytes32) {
        return vyper ? _pair(slot, key) : _pair(key, slot);
    }

    /// @dev keccak256(abi.encode(first, second)) in scratch space.
    function _pair(bytes32 first, bytes32 second) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0, first)
            mstore(32, second)
            hash := keccak256(0, 64)
        }
    }
}
