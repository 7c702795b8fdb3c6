// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Header} from "breakwater/libraries/Header.sol";
import {Trie} from "breakwater/libraries/Trie.sol";
import {TrieBase} from "./Trie.t.sol";

/// @notice Proofs of two mainnet blocks, and what changing them may and may not do.
contract TrieMainnetTest is TrieBase {
    struct Proof {
        uint256 number;
        bytes32 hash;
        bytes32 stateRoot;
        bytes header;
        bytes nodes;
        bytes paths;
        address[] accounts;
        bytes32[] slots;
        uint256[] words;
        uint256[] balances;
        bytes32[] storageRoots;
        bytes32[] codeHashes;
    }

    Proof[2] private proofs;

    function setUp() public override {
        super.setUp();
        string memory json = readVectors("mainnet-proofs.json");
        for (uint256 i; i < 2; ++i) {
            string memory base = _at("blocks", i);
            Proof storage p = proofs[i];
            p.number = vm.parseJsonUint(json, string.concat(base, ".number"));
            p.hash = vm.parseJsonBytes32(json, string.concat(base, ".hash"));
            p.stateRoot = vm.parseJsonBytes32(json, string.concat(base, ".stateRoot"));
            p.header = vm.parseJsonBytes(json, string.concat(base, ".header"));
            p.nodes = vm.parseJsonBytes(json, string.concat(base, ".nodes"));
            p.paths = vm.parseJsonBytes(json, string.concat(base, ".paths"));
            for (uint256 j; j < 2; ++j) {
                string memory entry = string.concat(base, _at("accounts", j));
                p.accounts.push(vm.parseJsonAddress(json, string.concat(entry, ".address")));
                p.slots.push(vm.parseJsonBytes32(json, string.concat(entry, ".slot")));
                p.words.push(vm.parseJsonUint(json, string.concat(entry, ".value")));
                p.balances.push(vm.parseJsonUint(json, string.concat(entry, ".balance")));
                p.storageRoots.push(vm.parseJsonBytes32(json, string.concat(entry, ".storageRoot")));
                p.codeHashes.push(vm.parseJsonBytes32(json, string.concat(entry, ".codeHash")));
            }
        }
    }

    function test_mainnet() public view {
        for (uint256 i; i < 2; ++i) {
            Proof memory p = proofs[i];
            (Header.Parsed memory parsed, Trie.Account[] memory found, uint256[] memory words) =
                reader.block_(p.header, p.nodes, p.paths, p.accounts, p.slots);
            assertEq(parsed.hash, p.hash);
            assertEq(parsed.number, p.number);
            assertEq(parsed.stateRoot, p.stateRoot);
            assertEq(found.length, 2);
            for (uint256 j; j < 2; ++j) {
                assertTrue(found[j].exists);
                assertEq(found[j].nonce, 1);
                assertEq(found[j].balance, p.balances[j]);
                assertEq(found[j].storageRoot, p.storageRoots[j]);
                assertEq(found[j].codeHash, p.codeHashes[j]);
                assertEq(words[j], p.words[j]);
            }
        }
        assertNotEq(proofs[0].words[0], proofs[1].words[0]);
    }

    function test_proofOfAnotherBlockIsRefused() public {
        Proof memory p = proofs[0];
        expectRevert(Trie.WrongNode.selector);
        reader.block_(proofs[1].header, p.nodes, p.paths, p.accounts, p.slots);
    }

    function test_malformedSourceIsRefused() public {
        string memory json = readVectors("mainnet-proofs.json");
        for (uint256 i; i < 4; ++i) {
            string memory base = _at("malformed", i);
            bytes memory nodes = vm.parseJsonBytes(json, string.concat(base, ".nodes"));
            bytes memory paths = vm.parseJsonBytes(json, string.concat(base, ".paths"));
            bytes32 root = vm.parseJsonBytes32(json, string.concat(base, ".root"));
            bytes32 slot = vm.parseJsonBytes32(json, string.concat(base, ".slot"));
            string memory outcome = vm.parseJsonString(json, string.concat(base, ".outcome"));
            expectRevert(bytes4(keccak256(bytes(outcome))));
            reader.storageValue(nodes, paths, root, slot);
        }
    }

    function testFuzz_changedByte(uint256 where, uint8 change) public view {
        Proof memory p = proofs[where & 1];
        where >>= 1;
        // The root comes from the header, which a caller compares with the chain's own hash; it stays.
        uint256 size = p.nodes.length + p.paths.length;
        where = bound(where, 0, size - 1);
        change = uint8(bound(change, 1, 255));
        if (where < p.nodes.length) p.nodes[where] ^= bytes1(change);
        else p.paths[where - p.nodes.length] ^= bytes1(change);
        _same(p);
    }

    /// @dev The indices are short, so a fuzzer over the whole proof would rarely reach them.
    function test_everyChangedPathByte() public view {
        Proof memory p = proofs[0];
        for (uint256 i; i < p.paths.length; ++i) {
            for (uint256 bit; bit < 8; ++bit) {
                p.paths[i] ^= bytes1(uint8(1 << bit));
                _same(p);
                p.paths[i] ^= bytes1(uint8(1 << bit));
            }
        }
    }

    function testFuzz_truncatedNodes(uint256 cut) public {
        Proof memory p = proofs[0];
        bytes memory nodes = p.nodes;
        cut = bound(cut, 0, nodes.length - 1);
        assembly ("memory-safe") {
            mstore(nodes, cut)
        }
        // Every node of this proof is needed, so a cut between two nodes is seen as well.
        vm.expectRevert();
        reader.block_(p.header, nodes, p.paths, p.accounts, p.slots);
    }

    function testFuzz_truncatedPaths(uint256 cut) public {
        Proof memory p = proofs[0];
        bytes memory paths = p.paths;
        cut = bound(cut, 0, paths.length - 1);
        assembly ("memory-safe") {
            mstore(paths, cut)
        }
        expectRevert(Trie.PathsTooShort.selector);
        reader.block_(p.header, p.nodes, paths, p.accounts, p.slots);
    }

    function testFuzz_addedBytes(bytes memory more) public {
        vm.assume(more.length != 0);
        Proof memory p = proofs[0];
        expectRevert(Trie.PathsUnused.selector);
        reader.block_(p.header, p.nodes, abi.encodePacked(p.paths, more), p.accounts, p.slots);
        // A further whole list is a node that nobody asked for; anything else is refused.
        p.nodes = abi.encodePacked(p.nodes, more);
        _same(p);
    }

    /// @dev The proof is refused, or says exactly what the original says.
    function _same(Proof memory p) private view {
        try reader.block_(p.header, p.nodes, p.paths, p.accounts, p.slots) returns (
            Header.Parsed memory parsed, Trie.Account[] memory found, uint256[] memory words
        ) {
            assertEq(parsed.stateRoot, p.stateRoot);
            for (uint256 j; j < 2; ++j) {
                assertEq(found[j].balance, p.balances[j]);
                assertEq(found[j].storageRoot, p.storageRoots[j]);
                assertEq(found[j].codeHash, p.codeHashes[j]);
                assertEq(words[j], p.words[j]);
            }
        } catch (bytes memory reason) {
            assertGe(reason.length, 4, "refused by a name");
            assertNotEq(bytes4(reason), bytes4(keccak256("Panic(uint256)")), "refused by a name");
        }
    }
}
