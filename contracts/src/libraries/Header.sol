// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Rlp} from "./Rlp.sol";

/// @title Block headers of Ethereum and of chains that keep its header format
/// @dev The caller compares the hash with one that the chain itself confirms; that alone makes the fields true.
/// Width and count checks refuse a format that this library was not written for, so that a fork which moves or
/// appends fields stops proofs instead of misreading them.
library Header {
    struct Parsed {
        bytes32 hash;
        bytes32 parentHash;
        bytes32 stateRoot;
        bytes32 receiptsRoot;
        uint64 number;
        /// Seconds since the Unix epoch.
        uint64 timestamp;
    }

    /// @notice Known counts are 15 (Frontier), 16 (London), 17 (Shanghai), 20 (Cancun) and 21 (Prague).
    error UnknownFieldCount(uint256 got);

    /// @dev Fields after the fifteen of Frontier: I is an integer, H a hash.
    /// base fee I, withdrawals root H, blob gas used I, excess blob gas I, beacon root H, requests hash H.
    bytes6 private constant LATER = "IHIIHH";
    /// @dev Bit n is set where a header may have n fields.
    uint256 private constant COUNTS = 1 << 15 | 1 << 16 | 1 << 17 | 1 << 20 | 1 << 21;

    /// @notice Reads a header; reverts with an error of `Rlp` or with `UnknownFieldCount` if it is malformed.
    function parse(bytes calldata header) internal pure returns (Parsed memory parsed) {
        (uint256 pos, uint256 end) = Rlp.span(header);
        uint256 to;
        (pos, to) = Rlp.list(pos, end);
        Rlp.done(to, end);
        parsed.hash = keccak256(header);
        uint256 value;

        (parsed.parentHash, pos) = Rlp.word(pos, to);
        (, pos) = Rlp.word(pos, to); // ommers hash
        pos = Rlp.skipWidth(pos, to, 20); // fee recipient
        (parsed.stateRoot, pos) = Rlp.word(pos, to);
        (, pos) = Rlp.word(pos, to); // transactions root
        (parsed.receiptsRoot, pos) = Rlp.word(pos, to);
        pos = Rlp.skipWidth(pos, to, 256); // logs bloom
        (, pos) = Rlp.integer(pos, to, 32); // difficulty
        (value, pos) = Rlp.integer(pos, to, 8);
        parsed.number = uint64(value);
        (, pos) = Rlp.integer(pos, to, 8); // gas limit
        (, pos) = Rlp.integer(pos, to, 8); // gas used
        (value, pos) = Rlp.integer(pos, to, 8);
        parsed.timestamp = uint64(value);
        (, pos) = Rlp.str(pos, to); // extra data: its length is a rule of the chain, not of the format
        (, pos) = Rlp.word(pos, to); // mix hash
        pos = Rlp.skipWidth(pos, to, 8); // proof-of-work nonce
        _later(pos, to);
    }

    /// @dev Reads the fields that forks appended.
    function _later(uint256 pos, uint256 to) private pure {
        uint256 count = 15;
        for (; pos < to && count < 21; ++count) {
            if (LATER[count - 15] == "I") (, pos) = Rlp.integer(pos, to, 32);
            else (, pos) = Rlp.word(pos, to);
        }
        for (; pos < to; ++count) {
            (,, pos) = Rlp.item(pos, to);
        }
        if (COUNTS >> count & 1 == 0) revert UnknownFieldCount(count);
    }
}
