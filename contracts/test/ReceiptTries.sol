// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";

/// @notice Receipts and tries of one or two of them, written anew from the yellow paper.
library ReceiptTries {
    /// @notice One log: emitter, topics, data.
    function log(address emitter, bytes32[] memory topics, bytes memory data)
        internal
        pure
        returns (bytes memory)
    {
        bytes[] memory encoded = new bytes[](topics.length);
        for (uint256 i; i < topics.length; ++i) {
            encoded[i] = RLP.encode(topics[i]);
        }
        bytes[] memory fields = new bytes[](3);
        fields[0] = RLP.encode(abi.encodePacked(emitter));
        fields[1] = RLP.encode(encoded);
        fields[2] = RLP.encode(data);
        return RLP.encode(fields);
    }

    /// @notice A receipt of logs; type zero has no type byte.
    function receipt(uint8 kind, bytes[] memory logs) internal pure returns (bytes memory encoded) {
        bytes[] memory fields = new bytes[](4);
        fields[0] = RLP.encode(uint256(1));
        fields[1] = RLP.encode(uint256(123_456));
        fields[2] = RLP.encode(new bytes(256));
        fields[3] = RLP.encode(logs);
        encoded = RLP.encode(fields);
        if (kind != 0) encoded = abi.encodePacked(kind, encoded);
    }

    /// @notice The trie of a single receipt under a key of whole bytes: its root and the only node.
    function single(bytes memory key, bytes memory value)
        internal
        pure
        returns (bytes32 root, bytes[] memory nodes)
    {
        nodes = new bytes[](1);
        nodes[0] = _leaf(abi.encodePacked(uint8(0x20), key), value);
        root = keccak256(nodes[0]);
    }

    /// @notice The trie of receipts 0 (key 0x80) and 1 (key 0x01): its root and the nodes on the way to one of them.
    function pair(bytes memory first, bytes memory second, bool toSecond)
        internal
        pure
        returns (bytes32 root, bytes[] memory nodes)
    {
        bytes memory zero = _leaf(hex"30", first);
        bytes memory one = _leaf(hex"31", second);
        bytes[] memory items = new bytes[](17);
        for (uint256 i; i < 17; ++i) {
            items[i] = hex"80";
        }
        items[8] = RLP.encode(keccak256(zero));
        items[0] = RLP.encode(keccak256(one));
        nodes = new bytes[](2);
        nodes[0] = RLP.encode(items);
        nodes[1] = toSecond ? one : zero;
        root = keccak256(nodes[0]);
    }

    function _leaf(bytes memory path, bytes memory value) private pure returns (bytes memory) {
        bytes[] memory items = new bytes[](2);
        (items[0], items[1]) = (RLP.encode(path), RLP.encode(value));
        return RLP.encode(items);
    }
}
