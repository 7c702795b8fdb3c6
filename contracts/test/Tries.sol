// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";

/// @notice Builds Merkle-Patricia tries of hashed keys and the nodes on the way to a key.
library Tries {
    struct Entry {
        bytes32 key;
        bytes value; // RLP
    }

    bytes32 internal constant EMPTY_ROOT = keccak256(hex"80");

    /// @notice The root of the trie; sorts `entries` by key.
    function rootOf(Entry[] memory entries) internal pure returns (bytes32) {
        if (entries.length == 0) return EMPTY_ROOT;
        sort(entries);
        return keccak256(_node(entries, 0, entries.length, 0));
    }

    /// @notice The nodes from the root to `key`, or to where the key leaves the trie. `entries` are sorted.
    function proofOf(Entry[] memory entries, bytes32 key) internal pure returns (bytes[] memory nodes) {
        nodes = new bytes[](64);
        uint256 count;
        (uint256 low, uint256 high, uint256 depth) = (0, entries.length, 0);
        while (low != high) {
            nodes[count++] = _node(entries, low, high, depth);
            if (high - low == 1) break;
            uint256 common = _common(entries, low, high, depth);
            if (common != 0) {
                if (_shared(entries[low].key, key, depth) < common) break;
                depth += common;
                continue;
            }
            (low, high) = _children(entries, low, high, depth, _nibble(key, depth));
            ++depth;
        }
        assembly ("memory-safe") {
            mstore(nodes, count)
        }
    }

    function sort(Entry[] memory entries) internal pure {
        for (uint256 i = 1; i < entries.length; ++i) {
            for (uint256 j = i; j != 0 && entries[j].key < entries[j - 1].key; --j) {
                (entries[j], entries[j - 1]) = (entries[j - 1], entries[j]);
            }
        }
    }

    function _node(Entry[] memory entries, uint256 low, uint256 high, uint256 depth)
        private
        pure
        returns (bytes memory)
    {
        bytes[] memory items = new bytes[](2);
        if (high - low == 1) {
            items[0] = RLP.encode(_path(entries[low].key, depth, 64 - depth, true));
            items[1] = RLP.encode(entries[low].value);
            return RLP.encode(items);
        }
        uint256 common = _common(entries, low, high, depth);
        if (common != 0) {
            items[0] = RLP.encode(_path(entries[low].key, depth, common, false));
            items[1] = _reference(_node(entries, low, high, depth + common));
            return RLP.encode(items);
        }
        items = new bytes[](17);
        for (uint256 nibble; nibble < 16; ++nibble) {
            (uint256 from, uint256 to) = _children(entries, low, high, depth, nibble);
            items[nibble] = from == to ? bytes(hex"80") : _reference(_node(entries, from, to, depth + 1));
        }
        items[16] = hex"80";
        return RLP.encode(items);
    }

    /// @dev Keys are hashes, so a node below a branch has far more than 31 bytes and is never inline.
    function _reference(bytes memory node) private pure returns (bytes memory) {
        require(node.length >= 32, "inline node");
        return RLP.encode(keccak256(node));
    }

    /// @dev Hex-prefix encoding of `count` nibbles from `from` on.
    function _path(bytes32 key, uint256 from, uint256 count, bool leaf)
        private
        pure
        returns (bytes memory path)
    {
        uint256 odd = count % 2;
        path = new bytes(1 + count / 2);
        path[0] = bytes1(uint8((leaf ? 0x20 : 0) + (odd == 1 ? 0x10 + _nibble(key, from) : 0)));
        for (uint256 i; i < count / 2; ++i) {
            uint256 at_ = from + odd + 2 * i;
            path[1 + i] = bytes1(uint8(16 * _nibble(key, at_) + _nibble(key, at_ + 1)));
        }
    }

    function _children(Entry[] memory entries, uint256 low, uint256 high, uint256 depth, uint256 nibble)
        private
        pure
        returns (uint256 from, uint256 to)
    {
        from = low;
        while (from < high && _nibble(entries[from].key, depth) < nibble) ++from;
        to = from;
        while (to < high && _nibble(entries[to].key, depth) == nibble) ++to;
    }

    function _common(Entry[] memory entries, uint256 low, uint256 high, uint256 depth)
        private
        pure
        returns (uint256)
    {
        // The entries are sorted, so the first and the last differ first.
        return _shared(entries[low].key, entries[high - 1].key, depth);
    }

    function _shared(bytes32 a, bytes32 b, uint256 depth) private pure returns (uint256 count) {
        while (depth + count < 64 && _nibble(a, depth + count) == _nibble(b, depth + count)) ++count;
    }

    function _nibble(bytes32 key, uint256 i) private pure returns (uint256) {
        return uint256(key) >> (252 - 4 * i) & 15;
    }
}
