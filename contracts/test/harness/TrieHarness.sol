// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Header} from "breakwater/libraries/Header.sol";
import {Trie} from "breakwater/libraries/Trie.sol";

/// @title The proof libraries behind functions, so that the Rust tests can run them on their own proofs
/// @dev Every call wants all of `paths` used, as the proof rung does.
contract TrieHarness {
    function header(bytes calldata data) external pure returns (Header.Parsed memory) {
        return Header.parse(data);
    }

    function walk(bytes calldata nodes, bytes calldata paths, bytes32 root, bytes32 key)
        external
        pure
        returns (bool present, bytes memory value)
    {
        uint256 cursor;
        (present, value, cursor) = Trie.walk(Trie.load(nodes), paths, 0, root, key, 64);
        Trie.done(paths, cursor);
    }

    function account(bytes calldata nodes, bytes calldata paths, bytes32 root, address addr)
        external
        pure
        returns (Trie.Account memory found)
    {
        uint256 cursor;
        (found, cursor) = Trie.account(Trie.load(nodes), paths, 0, root, addr);
        Trie.done(paths, cursor);
    }

    function storageValue(bytes calldata nodes, bytes calldata paths, bytes32 root, bytes32 slot)
        external
        pure
        returns (uint256 word)
    {
        uint256 cursor;
        (word, cursor) = Trie.storageValue(Trie.load(nodes), paths, 0, root, slot);
        Trie.done(paths, cursor);
    }
}
