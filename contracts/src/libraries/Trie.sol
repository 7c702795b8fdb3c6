// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Rlp} from "./Rlp.sol";

/// @title Proofs of presence and of absence in Ethereum's Merkle-Patricia tries
/// @notice Evidence sends each trie node once: `nodes` is the concatenation of their RLP encodings.
/// `paths` holds one walk after another: a count byte, then that many two-byte big-endian indices into `nodes`.
/// A count of zero proves absence in the empty trie and nothing else.
///
/// @dev What is needed for soundness: a node is used only where its hash (or, if shorter than 32 bytes, its own
/// bytes) stands in its parent, and the first parent is the root. A trie that the chain hashed holds only
/// well-formed nodes, so given that, three readings must not be confused: two items are a leaf or an extension
/// and more are a branch; the path flag tells leaf from extension; path nibbles are compared within the key.
/// All else (flag padding, empty branch values, item counts, path lengths, child forms) cannot fail under a real
/// root. Those checks refuse malformed sources with a name and keep tries of another shape out.
library Trie {
    /// @dev For each node two words: its hash, then `from << 128 | to`, the payload of its list in calldata.
    struct Nodes {
        uint256[] table;
    }

    struct Account {
        bool exists;
        uint64 nonce;
        /// In wei.
        uint256 balance;
        bytes32 storageRoot;
        bytes32 codeHash;
    }

    struct Walk {
        uint256[] table;
        /// Calldata positions of the next index and of the end of the indices.
        uint256 pos;
        uint256 end;
        /// The key from its first nibble on, left-aligned, and its length.
        bytes32 key;
        uint256 nibbles;
    }

    error TooManyNodes(uint256 max);
    /// @notice The walk at `cursor` needs `need` bytes of `paths`, which has only `have`.
    error PathsTooShort(uint256 cursor, uint256 need, uint256 have);
    /// @notice The walks used `used` bytes of `paths`, which has `have`.
    error PathsUnused(uint256 used, uint256 have);
    error NoSuchNode(uint256 index, uint256 count);
    error WrongNode(uint256 index, bytes32 expected, bytes32 got);
    /// @notice The walk has no node left where this one is needed.
    error WalkTooShort(bytes32 expected);
    error WalkTooLong(uint256 unusedNodes);
    error EmptyPath();
    error BadPathFlags(uint256 flags);
    /// @notice `remaining` nibbles of the key are left; a leaf must take all of them, an extension 1 to remaining - 1.
    error BadPathLength(bool leaf, uint256 remaining, uint256 got);
    /// @notice A branch below the last nibble of the key.
    error KeyExhausted(uint256 nibbles);
    /// @notice A reference that is neither a hash nor an inline node, nor, in a branch, empty.
    error BadChild(uint256 prefix);
    error BadBranch();
    error EmptyValue();

    /// @dev keccak256 of the RLP of the empty string.
    bytes32 internal constant EMPTY_ROOT = 0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421;
    /// @dev Indices have two bytes.
    uint256 internal constant MAX_NODES = 1 << 16;
    /// @dev A branch with sixteen hashes and no value, the only branch whose payload is this long.
    uint256 private constant FULL_BRANCH = 16 * 33 + 1;
    /// @dev The first byte of the longest inline node: one of 32 bytes or more is hashed, so its payload has 30.
    uint256 private constant MAX_INLINE = 0xc0 + 30;

    /// @notice Indexes and hashes every node once. The result refers to calldata, so it lives for this call only.
    function load(bytes calldata data) internal pure returns (Nodes memory nodes) {
        (uint256 pos, uint256 end) = Rlp.span(data);
        uint256[] memory table;
        uint256 row;
        assembly ("memory-safe") {
            table := mload(0x40)
            row := add(table, 32)
        }
        uint256 limit = row + 64 * MAX_NODES;
        while (pos < end) {
            if (row == limit) revert TooManyNodes(MAX_NODES);
            (uint256 from, uint256 to) = Rlp.list(pos, end);
            // Nothing allocates in this loop, so the node is hashed in the free memory above the table and its row
            // is then written over it. Memory grows by two words a node, not by the nodes themselves.
            assembly ("memory-safe") {
                let size := sub(to, pos)
                calldatacopy(row, pos, size)
                mstore(row, keccak256(row, size))
                mstore(add(row, 32), or(shl(128, from), to))
                row := add(row, 64)
                pos := to
            }
        }
        assembly ("memory-safe") {
            mstore(table, shr(5, sub(sub(row, table), 32)))
            mstore(0x40, row)
        }
        nodes.table = table;
    }

    /// @notice Proves the account at `addr`. An absent one has balance 0, the empty storage root and code hash 0.
    function account(
        Nodes memory nodes,
        bytes calldata paths,
        uint256 cursor,
        bytes32 stateRoot,
        address addr
    ) internal pure returns (Account memory found, uint256 next) {
        bytes calldata value;
        (found.exists, value, next) =
            walk(nodes, paths, cursor, stateRoot, keccak256(abi.encodePacked(addr)), 64);
        if (found.exists) _decodeAccount(found, value);
        else found.storageRoot = EMPTY_ROOT;
    }

    /// @notice Proves the word at `slot`; an absent one is 0.
    function storageValue(
        Nodes memory nodes,
        bytes calldata paths,
        uint256 cursor,
        bytes32 storageRoot,
        bytes32 slot
    ) internal pure returns (uint256 word, uint256 next) {
        bool present;
        bytes calldata value;
        (present, value, next) = walk(nodes, paths, cursor, storageRoot, keccak256(abi.encode(slot)), 64);
        if (!present) return (0, next);
        (uint256 pos, uint256 end) = Rlp.span(value);
        (word, pos) = Rlp.integer(pos, end, 32);
        Rlp.done(pos, end);
        // Ethereum deletes a slot that becomes zero; some nodes keep the zero in their trie, which says the same.
    }

    /// @notice Proves what `root` holds under `key`: the raw value, or that there is none.
    /// @param key the first `nibbles` nibbles count; 64 for keccak256 of an address or slot. Shorter keys suit the
    /// transaction and receipt tries, whose keys have different lengths: there this proves presence, and absence
    /// only up to a node whose path is as long as the key allows.
    /// @param next the cursor of the walk that follows.
    function walk(
        Nodes memory nodes,
        bytes calldata paths,
        uint256 cursor,
        bytes32 root,
        bytes32 key,
        uint256 nibbles
    ) internal pure returns (bool present, bytes calldata value, uint256 next) {
        Walk memory w = Walk(nodes.table, 0, 0, key, nibbles);
        (w.pos, w.end, next) = _indices(paths, cursor);
        value = paths[:0];
        if (w.pos == w.end && root == EMPTY_ROOT) return (false, value, next);
        (uint256 from, uint256 to) = _descend(w, root);
        if (w.pos != w.end) revert WalkTooLong((w.end - w.pos) / 2);
        // No string lies at calldata position 0, where the function selector is.
        present = from != 0;
        assembly ("memory-safe") {
            value.offset := from
            value.length := sub(to, from)
        }
    }

    /// @notice Call after the last walk: nothing of `paths` may be left over.
    function done(bytes calldata paths, uint256 cursor) internal pure {
        if (cursor != paths.length) revert PathsUnused(cursor, paths.length);
    }

    function _decodeAccount(Account memory found, bytes calldata value) private pure {
        (uint256 pos, uint256 end) = Rlp.span(value);
        uint256 to;
        uint256 nonce;
        (pos, to) = Rlp.list(pos, end);
        Rlp.done(to, end);
        (nonce, pos) = Rlp.integer(pos, to, 8);
        found.nonce = uint64(nonce);
        (found.balance, pos) = Rlp.integer(pos, to, 32);
        (found.storageRoot, pos) = Rlp.word(pos, to);
        (found.codeHash, pos) = Rlp.word(pos, to);
        Rlp.done(pos, to);
    }

    /// @dev The calldata positions of the indices of the walk at `cursor`, and the cursor of the next walk.
    function _indices(bytes calldata paths, uint256 cursor)
        private
        pure
        returns (uint256 pos, uint256 end, uint256 next)
    {
        if (cursor >= paths.length) revert PathsTooShort(cursor, 1, paths.length);
        uint256 count = uint8(paths[cursor]);
        unchecked {
            next = cursor + 1 + 2 * count;
            if (next > paths.length) revert PathsTooShort(cursor, 1 + 2 * count, paths.length - cursor);
            (pos,) = Rlp.span(paths);
            end = pos + next;
            pos += cursor + 1;
        }
    }

    /// @dev Follows the key from `root` to a value [from, to) or to the point where it leaves the trie (0, 0).
    function _descend(Walk memory w, bytes32 root) private pure returns (uint256, uint256) {
        (uint256 pos, uint256 end) = _open(w, root);
        uint256 depth;
        while (true) {
            uint256 ref;
            uint256 second = _second(pos, end);
            if (second != 0) {
                (bool leaf, bool same, uint256 length) = _path(w, pos, second, depth);
                if (!same) return (0, 0);
                if (leaf) return _value(second, end);
                unchecked {
                    depth += length;
                }
                ref = second;
            } else {
                if (depth == w.nibbles) revert KeyExhausted(depth);
                unchecked {
                    ref = _child(pos, end, uint256(w.key) >> (252 - 4 * depth) & 15);
                    ++depth;
                }
                // The empty reference: nothing in the trie begins with this part of the key.
                if (Rlp.peek(ref) == 0x80) return (0, 0);
            }
            (pos, end) = _follow(w, ref, end);
        }
        // The loop has no other way out; the compiler asks for a value.
        return (0, 0);
    }

    /// @dev The payload of the next node of the walk, which must have this hash.
    function _open(Walk memory w, bytes32 expected) private pure returns (uint256 from, uint256 to) {
        if (w.pos == w.end) revert WalkTooShort(expected);
        uint256[] memory table = w.table;
        unchecked {
            uint256 index = Rlp.load(w.pos) >> 240;
            w.pos += 2;
            if (2 * index >= table.length) revert NoSuchNode(index, table.length / 2);
            bytes32 hash;
            uint256 payload;
            assembly ("memory-safe") {
                let row := add(add(table, 32), shl(6, index))
                hash := mload(row)
                payload := mload(add(row, 32))
            }
            if (hash != expected) revert WrongNode(index, expected, hash);
            return (payload >> 128, uint128(payload));
        }
    }

    /// @dev The payload of the node that the reference at `ref` names: by hash, or inline.
    function _follow(Walk memory w, uint256 ref, uint256 end)
        private
        pure
        returns (uint256 from, uint256 to)
    {
        uint256 prefix = Rlp.peek(ref);
        unchecked {
            if (prefix == 0xa0) return _open(w, bytes32(Rlp.load(ref + 1)));
        }
        if (prefix <= 0xc0 || prefix > MAX_INLINE) revert BadChild(prefix);
        return Rlp.list(ref, end);
    }

    /// @dev The position of the second of two items, or 0 if there are more than two and the node is a branch.
    function _second(uint256 pos, uint256 end) private pure returns (uint256 second) {
        unchecked {
            // Two hashes do not fill this length, so there are more items.
            if (end - pos == FULL_BRANCH && Rlp.peek(pos) == 0xa0 && Rlp.peek(pos + 33) == 0xa0) return 0;
        }
        (,, second) = Rlp.item(pos, end);
        (,, uint256 third) = Rlp.item(second, end);
        if (third != end) return 0;
    }

    /// @dev The hex-prefix path in [pos, second) of a leaf or extension, and whether the key goes along all of it.
    function _path(Walk memory w, uint256 pos, uint256 second, uint256 depth)
        private
        pure
        returns (bool leaf, bool same, uint256 length)
    {
        (uint256 from, uint256 to) = Rlp.str(pos, second);
        if (from == to) revert EmptyPath();
        uint256 flags = Rlp.peek(from);
        uint256 odd = flags >> 4 & 1;
        if (flags > 0x3f || (odd == 0 && flags & 0x0f != 0)) revert BadPathFlags(flags);
        leaf = flags & 0x20 != 0;
        unchecked {
            length = 2 * (to - from) - 2 + odd;
            uint256 remaining = w.nibbles - depth;
            if (leaf ? length != remaining : length == 0 || length >= remaining) {
                revert BadPathLength(leaf, remaining, length);
            }
            // Both sides left-aligned; an odd path has its first nibble beside the flag nibble.
            uint256 path = odd == 1 ? Rlp.load(from) << 4 : Rlp.load(from + 1);
            same = (path ^ uint256(w.key) << (4 * depth)) >> (256 - 4 * length) == 0;
        }
    }

    /// @dev The value of a leaf.
    function _value(uint256 pos, uint256 end) private pure returns (uint256 from, uint256 to) {
        (from, to) = Rlp.str(pos, end);
        if (from == to) revert EmptyValue();
    }

    /// @dev The position of child `nibble` of the branch with payload [pos, end).
    function _child(uint256 pos, uint256 end, uint256 nibble) private pure returns (uint256 ref) {
        unchecked {
            // Most branches on a path are full, and then the place of every child is known.
            if (end - pos == FULL_BRANCH) {
                ref = pos + 33 * nibble;
                if (Rlp.peek(ref) != 0xa0 || Rlp.peek(end - 1) != 0x80) revert BadBranch();
                return ref;
            }
            ref = _skip(pos, nibble);
            pos = _skip(ref, 16 - nibble);
            // Keys of one trie never begin with one another, so no branch carries a value.
            if (pos + 1 != end || Rlp.peek(pos) != 0x80) revert BadBranch();
        }
    }

    /// @dev Steps over `count` references.
    function _skip(uint256 pos, uint256 count) private pure returns (uint256) {
        assembly ("memory-safe") {
            for {} count { count := sub(count, 1) } {
                let prefix := byte(0, calldataload(pos))
                switch and(prefix, 0xdf)
                case 0x80 {
                    // 0x80 is empty and one byte long, 0xa0 is a hash and 33 bytes long.
                    pos := add(pos, sub(prefix, 0x7f))
                }
                default {
                    if or(lt(prefix, 0xc1), gt(prefix, MAX_INLINE)) { break }
                    pos := add(pos, sub(prefix, 0xbf))
                }
            }
        }
        // The loop stops early at what is no reference.
        if (count != 0) revert BadChild(Rlp.peek(pos));
        return pos;
    }
}
