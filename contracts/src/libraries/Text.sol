// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

/// @title Numbers, times and foreign text as a reader meets them
library Text {
    uint256 private constant DAY = 1 days;
    /// @dev A symbol longer than this is cut, so that it cannot push other text off the page.
    uint256 private constant MAX_SYMBOL = 12;

    /// @notice A share of `whole` in percent, exact up to sixteen places: 12.5 %.
    function percent(uint256 part, uint256 whole) internal pure returns (string memory) {
        return string.concat(fixedPoint(part * (1e18 / whole), 16), unicode" %");
    }

    /// @notice `value` with `decimals` places, without zeros at the end: 1500000 with 6 is 1.5.
    /// @param decimals at most 77; more would not fit a word and shows the bare number.
    function fixedPoint(uint256 value, uint256 decimals) internal pure returns (string memory) {
        if (decimals == 0 || decimals > 77) return Strings.toString(value);
        uint256 unit = 10 ** decimals;
        (uint256 whole, uint256 rest) = (value / unit, value % unit);
        if (rest == 0) return Strings.toString(whole);
        while (rest % 10 == 0) {
            rest /= 10;
            --decimals;
        }
        bytes memory digits = bytes(Strings.toString(rest));
        bytes memory places = new bytes(decimals);
        for (uint256 i; i < decimals; ++i) {
            uint256 missing = decimals - digits.length;
            places[i] = i < missing ? bytes1("0") : digits[i - missing];
        }
        return string.concat(Strings.toString(whole), ".", string(places));
    }

    /// @notice A time span in the largest unit that divides it: 3 days, 1 hour, 90 seconds.
    function span(uint256 secs) internal pure returns (string memory) {
        if (secs % DAY == 0 && secs != 0) return plural(secs / DAY, "day");
        if (secs % 1 hours == 0 && secs != 0) return plural(secs / 1 hours, "hour");
        if (secs % 1 minutes == 0 && secs != 0) return plural(secs / 1 minutes, "minute");
        return plural(secs, "second");
    }

    function plural(uint256 count, string memory noun) internal pure returns (string memory) {
        return string.concat(Strings.toString(count), " ", noun, count == 1 ? "" : "s");
    }

    /// @notice A moment as 2026-11-20 09:05 UTC; seconds are dropped.
    function moment(uint256 time) internal pure returns (string memory) {
        (uint256 year, uint256 month, uint256 day) = date(time / DAY);
        string memory clock =
            string.concat(_two(time % DAY / 1 hours), ":", _two(time % 1 hours / 1 minutes), " UTC");
        return string.concat(Strings.toString(year), "-", _two(month), "-", _two(day), " ", clock);
    }

    /// @notice Year, month and day of the month, counted from 1, of a day after 1970-01-01.
    /// @dev Counts in years that begin in March, so that the leap day is the last of its year.
    function date(uint256 epochDay) internal pure returns (uint256 year, uint256 month, uint256 day) {
        // 719,468 days lie between 0000-03-01 and 1970-01-01; 400 years have 146,097.
        uint256 shifted = epochDay + 719_468;
        uint256 cycle = shifted / 146_097;
        uint256 inCycle = shifted % 146_097;
        // Four years have 1,461 days, a hundred one less than 25 times that; the last day of each cycle belongs
        // to the year it ends.
        uint256 yearInCycle = (inCycle - inCycle / 1460 + inCycle / 36_524 - inCycle / 146_096) / 365;
        uint256 inYear = inCycle - (365 * yearInCycle + yearInCycle / 4 - yearInCycle / 100);
        // From March on five months have 153 days.
        uint256 fromMarch = (5 * inYear + 2) / 153;
        day = inYear - (153 * fromMarch + 2) / 5 + 1;
        month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
        year = 400 * cycle + yearInCycle + (month <= 2 ? 1 : 0);
    }

    /// @notice The decimals of a token; 0 for one that does not say, so that its bare units are shown.
    function decimalsOf(address token) internal view returns (uint256) {
        (bool ok, bytes memory answer) = token.staticcall(abi.encodeCall(IERC20Metadata.decimals, ()));
        if (!ok || answer.length != 32) return 0;
        uint256 decimals = uint256(bytes32(answer));
        return decimals <= 77 ? decimals : 0;
    }

    /// @notice The symbol of a token for markup and JSON, as a string or as 32 bytes; "units" if it has none.
    function symbolOf(address token) internal view returns (string memory symbol) {
        (bool ok, bytes memory answer) = token.staticcall(abi.encodeCall(IERC20Metadata.symbol, ()));
        // Whatever a token answers, it is read as bytes and never decoded: a bad one must not hide a policy.
        if (ok && answer.length == 32) symbol = plain(string(answer));
        if (ok && answer.length > 64) {
            assembly ("memory-safe") {
                // The words for offset and length are dropped; `plain` drops the padding.
                let size := sub(mload(answer), 64)
                answer := add(answer, 64)
                mstore(answer, size)
            }
            symbol = plain(string(answer));
        }
        if (bytes(symbol).length == 0) symbol = "units";
    }

    /// @notice A token's symbol for markup and JSON: letters, digits, dot, dash and underscore, the rest left out.
    function plain(string memory symbol) internal pure returns (string memory) {
        bytes memory raw = bytes(symbol);
        bytes memory kept = new bytes(MAX_SYMBOL);
        uint256 size;
        for (uint256 i; i < raw.length && size < MAX_SYMBOL; ++i) {
            if (_isPlain(raw[i])) kept[size++] = raw[i];
        }
        assembly ("memory-safe") {
            mstore(kept, size)
        }
        return string(kept);
    }

    function _isPlain(bytes1 c) private pure returns (bool) {
        return (c >= "a" && c <= "z") || (c >= "A" && c <= "Z") || (c >= "0" && c <= "9") || c == "."
            || c == "-" || c == "_";
    }

    function _two(uint256 number) private pure returns (string memory) {
        return number < 10 ? string.concat("0", Strings.toString(number)) : Strings.toString(number);
    }
}
