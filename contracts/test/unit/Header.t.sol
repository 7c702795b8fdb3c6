// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {Base} from "../Base.sol";
import {Header} from "breakwater/libraries/Header.sol";
import {Rlp} from "breakwater/libraries/Rlp.sol";

contract HeaderReader {
    function parse(bytes calldata header) external pure returns (Header.Parsed memory) {
        return Header.parse(header);
    }
}

/// @dev Builds headers field by field, so that a test can break one of them.
abstract contract HeaderBase is Base {
    /// @dev Encoded fields of a header of the latest known fork; the hashes are told apart by their field number.
    function _fields(uint256 number, uint256 timestamp) internal pure returns (bytes[] memory fields) {
        fields = new bytes[](21);
        for (uint256 i; i < 21; ++i) {
            fields[i] = RLP.encode(keccak256(abi.encode("field", i)));
        }
        fields[2] = RLP.encode(abi.encodePacked(address(0xFEE)));
        fields[6] = RLP.encode(new bytes(256));
        fields[7] = RLP.encode(uint256(0));
        fields[8] = RLP.encode(number);
        fields[9] = RLP.encode(uint256(36_000_000));
        fields[10] = RLP.encode(uint256(12_345_678));
        fields[11] = RLP.encode(timestamp);
        fields[12] = RLP.encode(bytes("extra"));
        fields[14] = RLP.encode(new bytes(8));
        fields[15] = RLP.encode(uint256(7 gwei));
        fields[17] = RLP.encode(uint256(131_072));
        fields[18] = RLP.encode(uint256(0));
    }

    function _header(bytes[] memory fields, uint256 count) internal pure returns (bytes memory) {
        bytes[] memory taken = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            taken[i] = i < fields.length ? fields[i] : RLP.encode(bytes32(i));
        }
        return RLP.encode(taken);
    }

    function _hashOfField(uint256 i) internal pure returns (bytes32) {
        return keccak256(abi.encode("field", i));
    }
}

contract HeaderTest is HeaderBase {
    HeaderReader private reader;

    function setUp() public {
        reader = new HeaderReader();
    }

    function test_mainnet() public view {
        string memory json = readVectors("mainnet-proofs.json");
        bytes32 parent;
        for (uint256 i; i < 2; ++i) {
            string memory base = string.concat(".blocks[", vm.toString(i), "]");
            Header.Parsed memory parsed =
                reader.parse(vm.parseJsonBytes(json, string.concat(base, ".header")));
            assertEq(parsed.hash, vm.parseJsonBytes32(json, string.concat(base, ".hash")));
            assertEq(parsed.number, vm.parseJsonUint(json, string.concat(base, ".number")));
            assertEq(parsed.stateRoot, vm.parseJsonBytes32(json, string.concat(base, ".stateRoot")));
            if (i == 1) assertEq(parsed.parentHash, parent);
            parent = parsed.hash;
        }
        bytes memory header = vm.parseJsonBytes(json, ".blocks[1].header");
        // As JSON-RPC answers them.
        assertEq(reader.parse(header).timestamp, 1_703_775_659);
        assertEq(
            reader.parse(header).receiptsRoot,
            0x1b00a9d69ae9b06c975a271bdabe7af8d20ef8045809500f2b03d3fd0c953c50
        );
    }

    function test_everyForkIsRead() public view {
        uint8[5] memory counts = [15, 16, 17, 20, 21];
        for (uint256 i; i < counts.length; ++i) {
            bytes memory header = _header(_fields(22_431_084, 1_746_612_311), counts[i]);
            Header.Parsed memory parsed = reader.parse(header);
            assertEq(parsed.hash, keccak256(header));
            assertEq(parsed.parentHash, _hashOfField(0));
            assertEq(parsed.stateRoot, _hashOfField(3));
            assertEq(parsed.receiptsRoot, _hashOfField(5));
            assertEq(parsed.number, 22_431_084);
            assertEq(parsed.timestamp, 1_746_612_311);
        }
    }

    function test_otherFieldCountsAreRefused() public {
        bytes[] memory fields = _fields(1, 1);
        uint8[5] memory counts = [18, 19, 22, 23, 40];
        for (uint256 i; i < counts.length; ++i) {
            expectRevert(abi.encodeWithSelector(Header.UnknownFieldCount.selector, counts[i]));
            reader.parse(_header(fields, counts[i]));
        }
        for (uint256 count; count < 15; ++count) {
            expectRevert(Rlp.Overrun.selector);
            reader.parse(_header(fields, count));
        }
    }

    function test_wrongWidthsAreRefused() public {
        // A field one byte short and one byte long, for every field of fixed width.
        uint8[12] memory fixedWidth = [0, 1, 2, 3, 4, 5, 6, 13, 14, 16, 19, 20];
        for (uint256 i; i < fixedWidth.length; ++i) {
            uint256 field = fixedWidth[i];
            uint256 width = field == 2 ? 20 : (field == 6 ? 256 : (field == 14 ? 8 : 32));
            for (uint256 got = width - 1; got <= width + 1; got += 2) {
                _refuse(
                    field,
                    RLP.encode(new bytes(got)),
                    abi.encodeWithSelector(Rlp.WrongWidth.selector, width, got)
                );
            }
            _refuse(field, hex"c0", abi.encodeWithSelector(Rlp.NotString.selector, 0xc0));
        }
    }

    function test_badIntegersAreRefused() public {
        uint8[8] memory integers = [7, 8, 9, 10, 11, 15, 17, 18];
        for (uint256 i; i < integers.length; ++i) {
            uint256 field = integers[i];
            uint256 max = field >= 8 && field <= 11 ? 8 : 32;
            bytes memory wide = new bytes(max + 1);
            wide[0] = 0x01;
            _refuse(field, hex"00", abi.encodeWithSelector(Rlp.LeadingZero.selector));
            _refuse(field, hex"820001", abi.encodeWithSelector(Rlp.LeadingZero.selector));
            _refuse(field, hex"8101", abi.encodeWithSelector(Rlp.NonCanonical.selector, 0x81));
            _refuse(
                field, RLP.encode(wide), abi.encodeWithSelector(Rlp.IntegerTooWide.selector, max, max + 1)
            );
        }
    }

    function test_malformedListsAreRefused() public {
        bytes memory header = _header(_fields(1, 1), 21);
        expectRevert(Rlp.TrailingBytes.selector);
        reader.parse(abi.encodePacked(header, hex"80"));
        expectRevert(Rlp.NotList.selector);
        reader.parse(RLP.encode(header));
        expectRevert(Rlp.Overrun.selector);
        reader.parse("");
        bytes[] memory fields = _fields(1, 1);
        fields[12] = hex"c0";
        expectRevert(abi.encodeWithSelector(Rlp.NotString.selector, 0xc0));
        reader.parse(_header(fields, 21));
    }

    /// @dev A changed header never keeps its hash; where it is still read, it is read as what it now says.
    function testFuzz_changedByte(uint256 where, uint8 change) public view {
        bytes memory header = _header(_fields(22_431_084, 1_746_612_311), 21);
        bytes32 hash = keccak256(header);
        header[bound(where, 0, header.length - 1)] ^= bytes1(uint8(bound(change, 1, 255)));
        try reader.parse(header) returns (Header.Parsed memory parsed) {
            assertEq(parsed.hash, keccak256(header));
            assertNotEq(parsed.hash, hash);
        } catch (bytes memory reason) {
            assertNotEq(bytes4(reason), bytes4(keccak256("Panic(uint256)")));
        }
    }

    function testFuzz_cut(uint256 length) public {
        bytes memory header = _header(_fields(1, 1), 21);
        length = bound(length, 0, header.length - 1);
        assembly ("memory-safe") {
            mstore(header, length)
        }
        expectRevert(Rlp.Overrun.selector);
        reader.parse(header);
    }

    function testFuzz_numbers(uint64 number, uint64 timestamp) public view {
        Header.Parsed memory parsed = reader.parse(_header(_fields(number, timestamp), 20));
        assertEq(parsed.number, number);
        assertEq(parsed.timestamp, timestamp);
    }

    function _refuse(uint256 field, bytes memory value, bytes memory reason) private {
        bytes[] memory fields = _fields(1, 1);
        fields[field] = value;
        bytes memory header = _header(fields, 21);
        expectRevert(reason);
        reader.parse(header);
    }
}
