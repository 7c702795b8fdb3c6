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
        unchecked {
            if (to - from != width) revert WrongWidth(width, to - from);
        }
        return to;
    }

    /// @notice A string of exactly 32 bytes.
    function word(uint256 pos, uint256 end) internal pure returns (bytes32 value, uint256 to) {
        unchecked {
            to = pos + 33;
            // What is not the one good header and 32 bytes ends in an error of the slow way.
            if (peek(pos) != 0xa0 || to > end) to = skipWidth(pos, end, 32);
            value = bytes32(load(to - 32));
        }
    }

    /// @notice An unsigned integer of at most `max` bytes (`max` <= 32), without leading zero bytes.
    function integer(uint256 pos, uint256 end, uint256 max)
        internal
        pure
        returns (uint256 value, uint256 to)
    {
        uint256 from;
        (from, to) = str(pos, end);
        unchecked {
            uint256 size = to - from;
            if (size > max) revert IntegerTooWide(max, size);
            value = load(from) >> (256 - 8 * size);
            if (size != 0 && value >> (8 * size - 8) == 0) revert LeadingZero();
        }
    }

    /// @notice Nothing may follow: `pos` must have arrived at `end`.
    function done(uint256 pos, uint256 end) internal pure {
        if (pos != end) revert TrailingBytes(pos, end);
    }

    /// @notice The first byte of the item at `pos` and its payload [from, to); `to` is where the next item begins.
    /// @dev In assembly because a proof reads hundreds of items. Nothing can wrap: a position is bounded by calldata
    /// and a length has at most eight bytes. Bytes beyond `end` may be looked at, but then `to` lies beyond it too.
    function item(uint256 pos, uint256 end) internal pure returns (uint256 prefix, uint256 from, uint256 to) {
        bool canonical = true;
        assembly ("memory-safe") {
            let head := calldataload(pos)
            prefix := byte(0, head)
            switch lt(prefix, 0x80)
            case 1 {
                from := pos
                to := add(pos, 1)
            }
            default {
                // Strings begin at 0x80 and lists at 0xc0: 0 to 55 is the length, 56 to 63 the width of the length.
                let size := and(prefix, 0x3f)
                from := add(pos, 1)
                switch lt(size, 56)
                case 1 {
                    // A single byte below 0x80 stands for itself and takes no prefix.
                    canonical := iszero(and(eq(prefix, 0x81), lt(byte(1, head), 0x80)))
                }
                default {
                    let width := sub(size, 55)
                    from := add(from, width)
                    size := shr(sub(256, shl(3, width)), shl(8, head))
                    // The length has no leading zero and does not fit the short form.
                    canonical := iszero(or(lt(size, 56), iszero(byte(1, head))))
                }
                to := add(from, size)
            }
        }
        if (to > end) revert Overrun(to, end);
        if (!canonical) revert NonCanonical(prefix);
    }
}
