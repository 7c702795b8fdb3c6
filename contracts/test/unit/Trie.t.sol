// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {Base} from "../Base.sol";
import {Header} from "breakwater/libraries/Header.sol";
import {Rlp} from "breakwater/libraries/Rlp.sol";
import {Trie} from "breakwater/libraries/Trie.sol";

/// @dev Gives the library calldata, and wants all of `paths` used.
contract TrieReader {
    function walk(bytes calldata nodes, bytes calldata paths, bytes32 root, bytes32 key, uint256 nibbles)
        external
        pure
        returns (bool present, bytes memory value)
    {
        uint256 cursor;
        (present, value, cursor) = Trie.walk(Trie.load(nodes), paths, 0, root, key, nibbles);
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

    /// @dev Accounts, each followed by one slot, below the state root of a header.
    function block_(
        bytes calldata header,
        bytes calldata nodes,
        bytes calldata paths,
        address[] calldata accounts,
        bytes32[] calldata slots
    )
        external
        pure
        returns (Header.Parsed memory parsed, Trie.Account[] memory found, uint256[] memory words)
    {
        parsed = Header.parse(header);
        Trie.Nodes memory table = Trie.load(nodes);
        uint256 cursor;
        found = new Trie.Account[](accounts.length);
        words = new uint256[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            (found[i], cursor) = Trie.account(table, paths, cursor, parsed.stateRoot, accounts[i]);
            (words[i], cursor) = Trie.storageValue(table, paths, cursor, found[i].storageRoot, slots[i]);
        }
        Trie.done(paths, cursor);
    }

    function load(bytes calldata nodes) external pure returns (uint256[] memory) {
        return Trie.load(nodes).table;
    }
}

/// @dev What the tests of the trie share: vectors and small hand-made tries.
abstract contract TrieBase is Base {
    struct Case {
        string name;
        bytes32 root;
        bytes32 key;
        uint256 nibbles;
        bytes nodes;
        bytes paths;
        string outcome;
        bytes value;
    }

    TrieReader internal reader;

    function setUp() public virtual {
        reader = new TrieReader();
    }

    function _cases() internal view returns (Case[] memory cases) {
        string memory json = readVectors("trie.json");
        uint256 count;
        while (vm.keyExistsJson(json, _at("cases", count))) {
            ++count;
        }
        cases = new Case[](count);
        for (uint256 i; i < count; ++i) {
            string memory base = _at("cases", i);
            cases[i].name = vm.parseJsonString(json, string.concat(base, ".name"));
            cases[i].root = vm.parseJsonBytes32(json, string.concat(base, ".root"));
            cases[i].key = vm.parseJsonBytes32(json, string.concat(base, ".key"));
            cases[i].nibbles = vm.parseJsonUint(json, string.concat(base, ".nibbles"));
            cases[i].nodes = vm.parseJsonBytes(json, string.concat(base, ".nodes"));
            cases[i].paths = vm.parseJsonBytes(json, string.concat(base, ".paths"));
            cases[i].outcome = vm.parseJsonString(json, string.concat(base, ".outcome"));
            cases[i].value = vm.parseJsonBytes(json, string.concat(base, ".value"));
        }
    }

    /// @dev The JSON path of element `i` of a list at the top.
    function _at(string memory list, uint256 i) internal pure returns (string memory) {
        return string.concat(".", list, "[", vm.toString(i), "]");
    }

    /// @dev A trie of one leaf.
    function _leaf(bytes32 key, bytes memory value) internal pure returns (bytes32 root, bytes memory node) {
        bytes[] memory items = new bytes[](2);
        items[0] = RLP.encode(abi.encodePacked(hex"20", key));
        items[1] = RLP.encode(value);
        node = RLP.encode(items);
        root = keccak256(node);
    }

    function _list(bytes memory a, bytes memory b, bytes memory c, bytes memory d)
        internal
        pure
        returns (bytes memory)
    {
        bytes[] memory items = new bytes[](4);
        (items[0], items[1], items[2], items[3]) = (a, b, c, d);
        return RLP.encode(items);
    }
}

contract TrieTest is TrieBase {
    bytes private constant ONE = hex"010000";
    address private constant WHO = address(0xB0B);

    function test_vectors() public view {
        Case[] memory cases = _cases();
        assertGt(cases.length, 100);
        uint256[3] memory seen;
        for (uint256 i; i < cases.length; ++i) {
            Case memory c = cases[i];
            try reader.walk(c.nodes, c.paths, c.root, c.key, c.nibbles) returns (
                bool present, bytes memory value
            ) {
                assertEq(present ? "present" : "absent", c.outcome, c.name);
                assertEq(value, c.value, c.name);
                ++seen[present ? 0 : 1];
            } catch (bytes memory reason) {
                bytes4 expected = bytes4(keccak256(bytes(c.outcome)));
                assertEq(bytes32(bytes4(reason)), bytes32(expected), c.name);
                ++seen[2];
            }
        }
        assertGt(seen[0], 20);
        assertGt(seen[1], 15);
        assertGt(seen[2], 50);
    }

    function test_errorsCarryWhatWasExpected() public {
        (bytes32 root, bytes memory node) = _leaf(bytes32(0), hex"05");
        expectRevert(abi.encodeWithSelector(Trie.WrongNode.selector, 0, bytes32(uint256(7)), root));
        reader.walk(node, ONE, bytes32(uint256(7)), 0, 64);
        expectRevert(abi.encodeWithSelector(Trie.NoSuchNode.selector, 3, 1));
        reader.walk(node, hex"010003", root, 0, 64);
        expectRevert(abi.encodeWithSelector(Trie.PathsTooShort.selector, 0, 5, 3));
        reader.walk(node, hex"020000", root, 0, 64);
        expectRevert(abi.encodeWithSelector(Trie.PathsTooShort.selector, 0, 1, 0));
        reader.walk(node, "", root, 0, 64);
        expectRevert(abi.encodeWithSelector(Trie.WalkTooLong.selector, 2));
        reader.walk(node, hex"03000000000000", root, 0, 64);
        expectRevert(abi.encodeWithSelector(Trie.WalkTooShort.selector, root));
        reader.walk(node, hex"00", root, 0, 64);
        expectRevert(abi.encodeWithSelector(Trie.PathsUnused.selector, 3, 4));
        reader.walk(node, hex"01000000", root, 0, 64);
        expectRevert(abi.encodeWithSelector(Trie.BadPathLength.selector, true, 62, 64));
        reader.walk(node, ONE, root, 0, 62);
    }

    function test_loadsEveryNodeOnce() public view {
        (bytes32 root, bytes memory node) = _leaf(bytes32(0), hex"05");
        (bytes32 other, bytes memory second) = _leaf(bytes32(uint256(1)), new bytes(200));
        uint256[] memory table = reader.load(abi.encodePacked(node, second, node));
        assertEq(table.length, 6);
        assertEq(bytes32(table[0]), root);
        assertEq(bytes32(table[2]), other);
        assertEq(bytes32(table[4]), root);
        assertEq(reader.load("").length, 0);
    }

    function test_countOfNodesIsBounded() public {
        bytes memory nodes = new bytes(Trie.MAX_NODES + 1);
        for (uint256 i; i < nodes.length; ++i) {
            nodes[i] = 0xc0;
        }
        expectRevert(abi.encodeWithSelector(Trie.TooManyNodes.selector, 65536));
        reader.load(nodes);
        assembly ("memory-safe") {
            mstore(nodes, 65536)
        }
        assertEq(reader.load(nodes).length, 2 * 65536);
    }

    function test_readsAnAccount() public view {
        bytes memory value = _list(
            RLP.encode(uint256(9)),
            RLP.encode(uint256(1 ether)),
            RLP.encode(keccak256("r")),
            RLP.encode(keccak256("c"))
        );
        (bytes32 root, bytes memory node) = _leaf(keccak256(abi.encodePacked(WHO)), value);
        Trie.Account memory found = reader.account(node, ONE, root, WHO);
        assertTrue(found.exists);
        assertEq(found.nonce, 9);
        assertEq(found.balance, 1 ether);
        assertEq(found.storageRoot, keccak256("r"));
        assertEq(found.codeHash, keccak256("c"));
    }

    function test_absentAccountIsEmpty() public view {
        (bytes32 root, bytes memory node) = _leaf(keccak256("another"), hex"05");
        Trie.Account memory found = reader.account(node, ONE, root, WHO);
        assertFalse(found.exists);
        assertEq(found.nonce, 0);
        assertEq(found.balance, 0);
        assertEq(found.storageRoot, Trie.EMPTY_ROOT);
        assertEq(found.codeHash, bytes32(0));
        // Any slot below it is proven absent by an empty walk.
        assertEq(reader.storageValue("", hex"00", found.storageRoot, 0), 0);
    }

    function test_refusesBadAccounts() public {
        bytes memory zero = hex"80";
        bytes memory r = RLP.encode(keccak256("r"));
        bytes memory short = abi.encodePacked(hex"9f", new bytes(31));
        bytes memory wide = abi.encodePacked(hex"8901", new bytes(8));
        bytes memory good = _list(zero, zero, r, r);
        _refuseAccount(_list(hex"00", zero, r, r), Rlp.LeadingZero.selector);
        _refuseAccount(_list(wide, zero, r, r), Rlp.IntegerTooWide.selector);
        _refuseAccount(_list(zero, hex"00", r, r), Rlp.LeadingZero.selector);
        _refuseAccount(
            _list(zero, abi.encodePacked(hex"a101", new bytes(32)), r, r), Rlp.IntegerTooWide.selector
        );
        _refuseAccount(_list(zero, zero, short, r), Rlp.WrongWidth.selector);
        _refuseAccount(_list(zero, zero, r, short), Rlp.WrongWidth.selector);
        _refuseAccount(_list(zero, zero, r, abi.encodePacked(r, hex"80")), Rlp.TrailingBytes.selector);
        _refuseAccount(_list(zero, zero, r, ""), Rlp.Overrun.selector);
        _refuseAccount(_list(hex"c0", zero, r, r), Rlp.NotString.selector);
        _refuseAccount(abi.encodePacked(good, hex"80"), Rlp.TrailingBytes.selector);
        _refuseAccount(hex"05", Rlp.NotList.selector);
    }

    function test_readsStorage() public view {
        _storage(0, hex"80"); // a zero that Ethereum would have deleted
        _storage(1, hex"01");
        _storage(0x7f, hex"7f");
        _storage(0x80, hex"8180");
        _storage(type(uint256).max, RLP.encode(type(uint256).max));
    }

    function test_refusesBadStorage() public {
        _refuseStorage(hex"00", Rlp.LeadingZero.selector);
        _refuseStorage(hex"820001", Rlp.LeadingZero.selector);
        _refuseStorage(hex"8101", Rlp.NonCanonical.selector);
        _refuseStorage(hex"0101", Rlp.TrailingBytes.selector);
        _refuseStorage(hex"8201", Rlp.Overrun.selector);
        _refuseStorage(hex"c101", Rlp.NotString.selector);
        _refuseStorage(abi.encodePacked(hex"a101", new bytes(32)), Rlp.IntegerTooWide.selector);
    }

    function testFuzz_storage(bytes32 slot, uint256 word, bytes32 other) public view {
        word = bound(word, 1, type(uint256).max);
        (bytes32 root, bytes memory node) = _leaf(keccak256(abi.encode(slot)), RLP.encode(word));
        assertEq(reader.storageValue(node, ONE, root, slot), word);
        if (other != slot) assertEq(reader.storageValue(node, ONE, root, other), 0);
    }

    function _storage(uint256 word, bytes memory value) private view {
        (bytes32 root, bytes memory node) = _leaf(keccak256(abi.encode(uint256(5))), value);
        assertEq(reader.storageValue(node, ONE, root, bytes32(uint256(5))), word);
    }

    function _refuseStorage(bytes memory value, bytes4 name) private {
        (bytes32 root, bytes memory node) = _leaf(keccak256(abi.encode(uint256(5))), value);
        expectRevert(name);
        reader.storageValue(node, ONE, root, bytes32(uint256(5)));
    }

    function _refuseAccount(bytes memory value, bytes4 name) private {
        (bytes32 root, bytes memory node) = _leaf(keccak256(abi.encodePacked(WHO)), value);
        expectRevert(name);
        reader.account(node, ONE, root, WHO);
    }
}
