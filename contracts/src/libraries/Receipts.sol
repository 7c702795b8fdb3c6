// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Rlp} from "./Rlp.sol";
import {Trie} from "./Trie.sol";

/// @title Logs, proven from the receipts root of a header
/// @notice Receipts of every type of transaction have the same fields behind their type byte.
library Receipts {
    struct Log {
        address emitter;
        uint256 count; // of topics, at most 4
        bytes32[4] topics;
        /// Calldata positions of the data, so it lives for one call only.
        uint256 from;
        uint256 to;
    }

    /// @notice There is no transaction of this index in the block.
    error NoReceipt(uint256 transaction);
    error TooManyTopics(uint256 got);
    /// @notice The data has fewer words.
    error NoSuchWord(uint256 index, uint256 bytesOfData);

    /// @notice Walks to the receipt of a transaction and reads one of its logs.
    ///         Reverts with `NoReceipt`, or an error of `Trie` or `Rlp`; a log that is not there is `Rlp.Overrun`.
    function prove(
        Trie.Nodes memory nodes,
        bytes calldata paths,
        uint256 cursor,
        bytes32 root,
        uint256 transaction,
        uint256 index
    ) internal pure returns (Log memory log, uint256 next) {
        (bytes32 key, uint256 nibbles) = keyOf(transaction);
        bool present;
        bytes calldata receipt;
        (present, receipt, next) = Trie.walk(nodes, paths, cursor, root, key, nibbles);
        if (!present) revert NoReceipt(transaction);
        log = _log(receipt, index);
    }

    /// @notice The RLP of an index, left-aligned, and its nibbles; below 2^24.
    function keyOf(uint256 index) internal pure returns (bytes32 key, uint256 nibbles) {
        if (index >= 1 << 24) revert NoReceipt(index);
        if (index == 0) return (bytes32(uint256(0x80) << 248), 2);
        if (index < 0x80) return (bytes32(index << 248), 2);
        if (index < 1 << 8) return (bytes32((0x8100 | index) << 240), 4);
        if (index < 1 << 16) return (bytes32((0x820000 | index) << 232), 6);
        return (bytes32((0x83000000 | index) << 224), 8);
    }

    /// @notice Word `index` of a log's data.
    function wordOf(Log memory log, uint256 index) internal pure returns (uint256) {
        uint256 size = log.to - log.from;
        if (index >= size / 32) revert NoSuchWord(index, size);
        return Rlp.load(log.from + 32 * index);
    }

    function _log(bytes calldata receipt, uint256 index) private pure returns (Log memory log) {
        (uint256 pos, uint256 end) = Rlp.span(receipt);
        // A type byte is below every list's first byte.
        if (Rlp.peek(pos) < 0x80) ++pos;
        uint256 to;
        (pos, to) = Rlp.list(pos, end);
        Rlp.done(to, end);
        // Status or state root, gas, bloom.
        for (uint256 i; i < 3; ++i) {
            (,, pos) = Rlp.item(pos, to);
        }
        (pos, to) = Rlp.list(pos, to);
        for (; index != 0; --index) {
            (,, pos) = Rlp.item(pos, to);
        }
        (pos, to) = Rlp.list(pos, to);
        return _fields(pos, to);
    }

    function _fields(uint256 pos, uint256 end) private pure returns (Log memory log) {
        uint256 next = Rlp.skipWidth(pos, end, 20);
        log.emitter = address(uint160(Rlp.load(next - 20) >> 96));
        (uint256 topic, uint256 to) = Rlp.list(next, end);
        for (; topic < to; ++log.count) {
            if (log.count == 4) revert TooManyTopics(5);
            (log.topics[log.count], topic) = Rlp.word(topic, to);
        }
        (log.from, log.to) = Rlp.str(to, end);
        Rlp.done(log.to, end);
    }
}
