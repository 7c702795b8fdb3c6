// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

/// @title Strict reading of canonical RLP straight from calldata
/// @notice Every position is a byte position in calldata; `end` is the first byte that the reader must not touch.
/// Each reader returns the position after what it read, so that reading is a chain of calls.
/// @dev Exactly one encoding of a value is accepted. What Ethereum hashes is always canonical, so a second
/// encoding can only come from a broken source; it is refused rather than interpreted.
library Rlp {
    /// @notice An item ends at `to`, beyond the limit `end`.
    error Overrun(uint256 to, uint256 end);
    /// @notice The item with this first byte has a shorter encoding.
    error NonCanonical(uint256 prefix);
    error NotList(uint256 prefix);
    error NotString(uint256 prefix);
    error WrongWidth(uint256 expected, uint256 got);
    error IntegerTooWide(uint256 max, uint256 got);
    error LeadingZero();
    /// @notice Bytes are left between `pos` and `end`.
    error TrailingBytes(uint256 pos, uint256 end);

    /// @notice The calldata positions of `data`.
    function span(bytes calldata data) internal pure returns (uint256 pos, uint256 end) {
        assembly ("memory-safe") {
            pos := data.offset
            end := add(data.offset, data.length)
        }
    }

    /// @notice The byte at a position, 0..255.
    function peek(uint256 pos) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := byte(0, calldataload(pos))
        }
    }

    /// @notice The 32 bytes from a position on.
    function load(uint256 pos) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := calldataload(pos)
        }
    }

    /// @notice The payload [from, to) of the list at `pos`.
    function list(uint256 pos, uint256 end) internal pure returns (uint256 from, uint256 to) {
        uint256 prefix;
        (prefix, from, to) = item(pos, end);
        if (prefix < 0xc0) revert NotList(prefix);
    }

    /// @notice The payload [from, to) of the string at `pos`.
    function str(uint256 pos, uint256 end) internal pure returns (uint256 from, uint256 to) {
        uint256 prefix;
        (prefix, from, to) = item(pos, end);
        if (prefix >= 0xc0) revert NotString(prefix);
    }

    /// @notice Steps over a string of exactly `width` bytes.
    function skipWidth(uint256 pos, uint256 end, uint256 width) internal pure returns (uint256) {
        (uint256 from, uint256 to) = str(pos, end);
        if (to - from != width) revert WrongWidth(width, to - from);
        return to;
    }

    /// @notice A string of exactly 32 bytes.
    function word(uint256 pos, uint256 end) internal pure returns (bytes32 value, uint256 to) {
        to = skipWidth(pos, end, 32);
        value = bytes32(load(to - 32));
    }

    /// @notice An unsigned integer of at most `max` bytes (`max` <= 32), without leading zero bytes.
    function integer(uint256 pos, uint256 end, uint256 max)
        internal
        pure
        returns (uint256 value, uint256 to)
    {
        uint256 from;
        (from, to) = str(pos, end);
        uint256 size = to - from;
        if (size > max) revert IntegerTooWide(max, size);
        value = load(from) >> (256 - 8 * size);
        if (size != 0 && value >> (8 * size - 8) == 0) revert LeadingZero();
    }

    /// @notice Nothing may follow: `pos` must have arrived at `end`.
    function done(uint256 pos, uint256 end) internal pure {
        if (pos != end) revert TrailingBytes(pos, end);
    }

    /// @notice The first byte of the item at `pos` and its payload [from, to); `to` is where the next item begins.
    function item(uint256 pos, uint256 end) internal pure returns (uint256 prefix, uint256 from, uint256 to) {
        if (pos >= end) revert Overrun(pos + 1, end);
        prefix = peek(pos);
        // Nothing here can wrap: positions are bounded by calldata and a length has at most eight bytes.
        unchecked {
            if (prefix < 0x80) return (prefix, pos, pos + 1);
            uint256 size = prefix - (prefix < 0xc0 ? 0x80 : 0xc0);
            from = pos + 1;
            if (size > 55) {
                uint256 width = size - 55;
                size = load(from) >> (256 - 8 * width);
                from += width;
                // A first length byte of zero, or a length that the short form could hold.
                if (size < 56 || size >> (8 * width - 8) == 0) revert NonCanonical(prefix);
            }
            to = from + size;
            if (to > end) revert Overrun(to, end);
            // A single byte below 0x80 stands for itself and takes no prefix.
            if (prefix == 0x81 && peek(from) < 0x80) revert NonCanonical(prefix);
        }
    }
}
