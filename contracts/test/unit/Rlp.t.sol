// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {Base} from "../Base.sol";
import {Rlp} from "breakwater/libraries/Rlp.sol";

/// @dev Gives the library calldata. Every function reads one item and wants nothing after it.
contract RlpReader {
    function str(bytes calldata data) external pure returns (bytes memory) {
        (uint256 pos, uint256 end) = Rlp.span(data);
        (uint256 from, uint256 to) = Rlp.str(pos, end);
        Rlp.done(to, end);
        return data[from - pos:to - pos];
    }

    function list(bytes calldata data) external pure returns (bytes memory) {
        (uint256 pos, uint256 end) = Rlp.span(data);
        (uint256 from, uint256 to) = Rlp.list(pos, end);
        Rlp.done(to, end);
        return data[from - pos:to - pos];
    }

    function item(bytes calldata data) external pure returns (bool isList, bytes memory payload) {
        (uint256 pos, uint256 end) = Rlp.span(data);
        (uint256 prefix, uint256 from, uint256 to) = Rlp.item(pos, end);
        Rlp.done(to, end);
        return (prefix >= 0xc0, data[from - pos:to - pos]);
    }

    function word(bytes calldata data) external pure returns (bytes32 value) {
        (uint256 pos, uint256 end) = Rlp.span(data);
        (value, pos) = Rlp.word(pos, end);
        Rlp.done(pos, end);
    }

    function integer(bytes calldata data, uint256 max) external pure returns (uint256 value) {
        (uint256 pos, uint256 end) = Rlp.span(data);
        (value, pos) = Rlp.integer(pos, end, max);
        Rlp.done(pos, end);
    }

    function skipWidth(bytes calldata data, uint256 width) external pure {
        (uint256 pos, uint256 end) = Rlp.span(data);
        Rlp.done(Rlp.skipWidth(pos, end, width), end);
    }
}

contract RlpTest is Base {
    RlpReader private reader;

    function setUp() public {
        reader = new RlpReader();
    }

    function test_strings() public view {
        assertEq(reader.str(hex"80"), "");
        assertEq(reader.str(hex"00"), hex"00");
        assertEq(reader.str(hex"7f"), hex"7f");
        assertEq(reader.str(hex"8180"), hex"80");
        assertEq(reader.str(hex"83616263"), "abc");
        assertEq(reader.str(RLP.encode(new bytes(55))), new bytes(55));
        assertEq(reader.str(RLP.encode(new bytes(56))), new bytes(56));
        assertEq(reader.str(RLP.encode(new bytes(70000))), new bytes(70000));
    }

    function test_lists() public view {
        assertEq(reader.list(hex"c0"), "");
        assertEq(reader.list(hex"c20102"), hex"0102");
        assertEq(reader.list(abi.encodePacked(hex"f838", new bytes(56))), new bytes(56));
        assertEq(reader.list(abi.encodePacked(hex"f90100", new bytes(256))), new bytes(256));
    }

    function test_integers() public view {
        assertEq(reader.integer(hex"80", 0), 0);
        assertEq(reader.integer(hex"01", 1), 1);
        assertEq(reader.integer(hex"81ff", 1), 255);
        assertEq(reader.integer(hex"820100", 2), 256);
        assertEq(reader.integer(RLP.encode(type(uint256).max), 32), type(uint256).max);
    }

    function test_refusesTheOtherKind() public {
        expectRevert(abi.encodeWithSelector(Rlp.NotString.selector, 0xc0));
        reader.str(hex"c0");
        expectRevert(abi.encodeWithSelector(Rlp.NotList.selector, 0x81));
        reader.list(hex"8180");
        expectRevert(abi.encodeWithSelector(Rlp.NotList.selector, 0x05));
        reader.list(hex"05");
        expectRevert(abi.encodeWithSelector(Rlp.NotString.selector, 0xf8));
        reader.str(abi.encodePacked(hex"f838", new bytes(56)));
    }

    function test_refusesLongerEncodings() public {
        bytes[6] memory long = [
            bytes(hex"8100"), // a byte below 0x80 with a prefix
            hex"817f",
            abi.encodePacked(hex"b837", new bytes(55)), // the long form of 55 bytes
            abi.encodePacked(hex"b90038", new bytes(56)), // a length with a leading zero
            abi.encodePacked(hex"f837", new bytes(55)),
            abi.encodePacked(hex"f90038", new bytes(56))
        ];
        for (uint256 i; i < long.length; ++i) {
            expectRevert(abi.encodeWithSelector(Rlp.NonCanonical.selector, uint8(long[i][0])));
            reader.item(long[i]);
        }
        expectRevert(abi.encodeWithSelector(Rlp.NonCanonical.selector, 0xb8));
        reader.item(hex"b800");
    }

    function test_refusesOverruns() public {
        bytes[6] memory cut = [bytes(""), hex"81", hex"8201", hex"c1", hex"b838", hex"f838"];
        for (uint256 i; i < cut.length; ++i) {
            expectRevert(Rlp.Overrun.selector);
            reader.item(cut[i]);
        }
        // The largest length must not wrap around.
        expectRevert(Rlp.Overrun.selector);
        reader.item(abi.encodePacked(hex"bfffffffffffffffff", new bytes(64)));
        expectRevert(Rlp.Overrun.selector);
        reader.item(abi.encodePacked(hex"ffffffffffffffffff", new bytes(64)));
    }

    function test_refusesTrailingBytes() public {
        expectRevert(Rlp.TrailingBytes.selector);
        reader.item(hex"0000");
        expectRevert(Rlp.TrailingBytes.selector);
        reader.list(hex"c000");
    }

    function test_refusesBadIntegers() public {
        expectRevert(Rlp.LeadingZero.selector);
        reader.integer(hex"00", 32);
        expectRevert(Rlp.LeadingZero.selector);
        reader.integer(hex"820001", 32);
        expectRevert(abi.encodeWithSelector(Rlp.IntegerTooWide.selector, 32, 33));
        reader.integer(abi.encodePacked(hex"a101", new bytes(32)), 32);
        expectRevert(abi.encodeWithSelector(Rlp.IntegerTooWide.selector, 8, 9));
        reader.integer(abi.encodePacked(hex"8901", new bytes(8)), 8);
        expectRevert(abi.encodeWithSelector(Rlp.NotString.selector, 0xc0));
        reader.integer(hex"c0", 32);
    }

    function test_refusesACutWord() public {
        expectRevert(Rlp.Overrun.selector);
        reader.word(abi.encodePacked(hex"a0", new bytes(31)));
        expectRevert(Rlp.Overrun.selector);
        reader.word(hex"a0");
        expectRevert(Rlp.Overrun.selector);
        reader.word("");
    }

    function test_refusesOtherWidths() public {
        assertEq(reader.word(abi.encodePacked(hex"a0", keccak256("x"))), keccak256("x"));
        expectRevert(abi.encodeWithSelector(Rlp.WrongWidth.selector, 32, 31));
        reader.word(abi.encodePacked(hex"9f", new bytes(31)));
        expectRevert(abi.encodeWithSelector(Rlp.WrongWidth.selector, 32, 33));
        reader.word(abi.encodePacked(hex"a1", new bytes(33)));
        expectRevert(abi.encodeWithSelector(Rlp.WrongWidth.selector, 20, 0));
        reader.skipWidth(hex"80", 20);
    }

    function testFuzz_readsWhatIsEncoded(bytes calldata data, uint256 number, bytes32 hash) public view {
        assertEq(reader.str(RLP.encode(data)), data);
        assertEq(reader.integer(RLP.encode(number), 32), number);
        assertEq(reader.word(RLP.encode(hash)), hash);
        bytes[] memory items = new bytes[](2);
        items[0] = RLP.encode(data);
        items[1] = RLP.encode(number);
        assertEq(reader.list(RLP.encode(items)), abi.encodePacked(items[0], items[1]));
    }

    /// @dev Whatever is accepted is the one encoding of its payload; the first byte is drawn evenly, and the
    /// length is made to fit so that the fuzzer reaches acceptance.
    function testFuzz_acceptsOneEncodingOnly(uint8 prefix, uint8 first, bytes memory tail) public view {
        uint256 size = prefix < 0x80 ? 0 : (prefix < 0xc0 ? prefix - 0x80 : prefix - 0xc0);
        uint256 length = size < 56 ? size : (size == 56 ? 1 + uint256(first) : tail.length + 1);
        bytes memory data = new bytes(1 + length);
        data[0] = bytes1(prefix);
        for (uint256 i = 1; i < data.length; ++i) {
            data[i] = i == 1 ? bytes1(first) : (tail.length == 0 ? bytes1(0) : tail[i % tail.length]);
        }
        try reader.item(data) returns (bool isList, bytes memory payload) {
            bytes[] memory items = new bytes[](1);
            items[0] = payload;
            assertEq(isList ? RLP.encode(items) : RLP.encode(payload), data);
        } catch (bytes memory reason) {
            bytes4 name = bytes4(reason);
            assertTrue(name == Rlp.NonCanonical.selector || name == Rlp.Overrun.selector);
            assertTrue(
                size == 1 || size >= 56, "a short item is refused only for a byte that stands for itself"
            );
        }
    }

    /// @dev Cutting bytes off or adding them is always seen.
    function testFuzz_seesEveryLength(bytes memory data, uint256 cut, bytes memory more) public {
        bytes memory whole = RLP.encode(data);
        bytes memory part = new bytes(bound(cut, 0, whole.length - 1));
        for (uint256 i; i < part.length; ++i) {
            part[i] = whole[i];
        }
        expectRevert(Rlp.Overrun.selector);
        reader.str(part);
        expectRevert(Rlp.TrailingBytes.selector);
        reader.str(abi.encodePacked(whole, hex"80", more));
    }
}
