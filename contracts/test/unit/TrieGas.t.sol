// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";
import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {Base} from "../Base.sol";
import {Header} from "breakwater/libraries/Header.sol";
import {Rlp} from "breakwater/libraries/Rlp.sol";
import {Trie} from "breakwater/libraries/Trie.sol";

/// @dev Both sides answer the same question from calldata: what an account and one of its slots hold.
contract Meter {
    using RLP for Memory.Slice;

    struct Question {
        bytes32 stateRoot;
        address[] accounts;
        bytes32[] slots;
        /// What we are given: a header, nodes sent once, walks.
        bytes header;
        bytes nodes;
        bytes paths;
        /// What OpenZeppelin is given: for each walk its nodes, from the account to its slot.
        bytes[][] proofs;
    }

    function ours(Question calldata q) external view returns (uint256 gas, uint256[] memory words) {
        words = new uint256[](q.accounts.length);
        gas = gasleft();
        bytes32 root = Header.parse(q.header).stateRoot;
        Trie.Nodes memory table = Trie.load(q.nodes);
        uint256 cursor;
        for (uint256 i; i < words.length; ++i) {
            Trie.Account memory found;
            (found, cursor) = Trie.account(table, q.paths, cursor, root, q.accounts[i]);
            (words[i], cursor) = Trie.storageValue(table, q.paths, cursor, found.storageRoot, q.slots[i]);
        }
        Trie.done(q.paths, cursor);
        gas -= gasleft();
    }

    /// @dev Without the header, which OpenZeppelin does not read.
    function theirs(Question calldata q) external view returns (uint256 gas, uint256[] memory words) {
        words = new uint256[](q.accounts.length);
        gas = gasleft();
        for (uint256 i; i < words.length; ++i) {
            bytes memory key = abi.encodePacked(keccak256(abi.encodePacked(q.accounts[i])));
            bytes memory value = TrieProof.traverse(q.stateRoot, key, q.proofs[2 * i]);
            bytes32 storageRoot = RLP.decodeList(value)[2].readBytes32();
            key = abi.encodePacked(keccak256(abi.encode(q.slots[i])));
            words[i] = RLP.decodeUint256(TrieProof.traverse(storageRoot, key, q.proofs[2 * i + 1]));
        }
        gas -= gasleft();
    }

    function headerOnly(bytes calldata data) external view returns (uint256 gas) {
        gas = gasleft();
        Header.parse(data);
        gas -= gasleft();
    }

    function loadOnly(bytes calldata data) external view returns (uint256 gas) {
        gas = gasleft();
        Trie.load(data);
        gas -= gasleft();
    }

    /// @dev The walks of `paths` as lists of nodes, as OpenZeppelin wants them.
    function split(bytes calldata nodes, bytes calldata paths)
        external
        pure
        returns (bytes[][] memory proofs)
    {
        bytes[] memory all = new bytes[](Trie.load(nodes).table.length / 2);
        (uint256 base, uint256 end) = Rlp.span(nodes);
        uint256 pos = base;
        for (uint256 i; pos < end; ++i) {
            (,, uint256 to) = Rlp.item(pos, end);
            all[i] = nodes[pos - base:to - base];
            pos = to;
        }
        proofs = new bytes[][](4);
        uint256 cursor;
        for (uint256 i; i < 4; ++i) {
            proofs[i] = new bytes[](uint8(paths[cursor++]));
            for (uint256 j; j < proofs[i].length; ++j) {
                proofs[i][j] = all[uint16(bytes2(paths[cursor:cursor + 2]))];
                cursor += 2;
            }
        }
    }
}

/// @notice Execution gas, without calldata and without the call itself, of proving two accounts and a slot of each.
contract TrieGasTest is Base {
    /// @dev What the whole assertion may spend on verification: two blocks, each with a header and four walks.
    uint256 private constant BUDGET = 250_000;

    function test_cheaperThanOpenZeppelin() public {
        Meter meter = new Meter();
        string memory json = readVectors("mainnet-proofs.json");
        uint256 total;
        for (uint256 i; i < 2; ++i) {
            Meter.Question memory q = _question(json, string.concat(".blocks[", vm.toString(i), "]"));
            q.proofs = meter.split(q.nodes, q.paths);
            (uint256 ours, uint256[] memory left) = meter.ours(q);
            (uint256 theirs, uint256[] memory right) = meter.theirs(q);
            assertEq(left, right);
            log("block", i);
            log("  ours, header included", ours);
            log("  of which header", meter.headerOnly(q.header));
            log("  of which loading", meter.loadOnly(q.nodes));
            log("  OpenZeppelin, without header", theirs);
            assertLt(ours, theirs);
            total += ours;
        }
        log("both blocks", total);
        vm.snapshotValue("TrieGas", "two blocks of two accounts and two slots", total);
        assertLe(total, BUDGET);
    }

    function _question(string memory json, string memory base)
        private
        pure
        returns (Meter.Question memory q)
    {
        q.header = vm.parseJsonBytes(json, string.concat(base, ".header"));
        q.nodes = vm.parseJsonBytes(json, string.concat(base, ".nodes"));
        q.paths = vm.parseJsonBytes(json, string.concat(base, ".paths"));
        q.stateRoot = vm.parseJsonBytes32(json, string.concat(base, ".stateRoot"));
        q.accounts = new address[](2);
        q.slots = new bytes32[](2);
        for (uint256 j; j < 2; ++j) {
            string memory entry = string.concat(base, ".accounts[", vm.toString(j), "]");
            q.accounts[j] = vm.parseJsonAddress(json, string.concat(entry, ".address"));
            q.slots[j] = vm.parseJsonBytes32(json, string.concat(entry, ".slot"));
        }
    }
}
