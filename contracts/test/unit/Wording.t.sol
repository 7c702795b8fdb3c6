// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {ICatalog, Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {Form} from "breakwater/interfaces/IGauges.sol";
import {Policy} from "breakwater/interfaces/IPolicies.sol";
import {Text} from "breakwater/libraries/Text.sol";
import {Times} from "breakwater/interfaces/ILadder.sol";
import {Wording} from "breakwater/periphery/Wording.sol";
import {Base} from "../Base.sol";
import {Token} from "../Tokens.sol";

/// @notice A token whose symbol is markup, JSON and longer than the page.
contract HostileToken {
    bytes private _answer;

    constructor(bytes memory answer) {
        _answer = answer;
    }

    fallback(bytes calldata) external returns (bytes memory) {
        return _answer;
    }
}

contract WordingTest is Base {
    Wording private text = new Wording(Times(32, 14 days, 96, 400, 20, type(uint16).max));
    Token private usd = new Token("USDX", 6);

    function _terms() private view returns (Product memory terms) {
        terms = Product({
            gauge: keccak256("gauge"),
            kind: Kind.Position,
            asset: address(usd),
            registrant: address(0),
            unitNum: 1,
            unitDen: 1e12,
            minSum: 100e6,
            eventLimit: 250_000.5e6,
            deductibleBps: 500,
            lossCapBps: 10_000,
            bountyBps: 50,
            instant: true,
            waitingPeriod: 3 days,
            reportWindow: 30 days,
            minTerm: 30 days,
            maxTerm: 365 days,
            salvage: address(0)
        });
    }

    function _gauge() private pure returns (ICatalog.GaugeInfo memory) {
        return ICatalog.GaugeInfo({
            subject: keccak256("subject"),
            asset: address(0xA55E7),
            threshold: 0.1e18,
            listedAt: 1,
            account: address(0xC0FFEE),
            form: Form.Ratio,
            rungs: 9,
            trigger: false,
            selector: 0,
            placed: true
        });
    }

    function _policy() private pure returns (Policy memory) {
        return Policy({
            product: keccak256("product"),
            pool: address(0x9001),
            position: address(0x705171013),
            sum: 12_500e6,
            paid: 3_125e6,
            purchased: 1_763_000_000,
            inception: 1_763_600_000,
            expiry: 1_795_132_800,
            streamRate: 0
        });
    }

    /// @dev Every number of the terms stands in the text as a reader would write it.
    function test_textStatesEveryTerm() public view {
        string memory words = text.wording(_terms(), _gauge());
        log(words);
        _has(words, "# Position cover");
        _has(words, "0x0000000000000000000000000000000000C0FFEE");
        _has(words, "at least 10 % of what was there");
        _has(words, "no later than 30 days after the expiry");
        _has(words, "3 days after the purchase");
        _has(words, "The deductible D is 5 %");
        _has(words, "1 / 1000000000000 units");
        _has(words, "times 100 %");
        _has(words, "Smallest sum insured: 100\n");
        _has(words, "at most 250000.5, shared");
        _has(words, "30 days to 365 days");
        _has(words, "For 32 blocks anyone may prove");
        _has(words, "settled for 14 days");
        _has(words, "Instant lane: before");
        _has(words, "Of each payment 0.5 %");
        _has(words, "first 7 days");
    }

    /// @dev (50 % - 5 %) / 95 % = 47.36 %, rounded down; by the same function that settles.
    function test_exampleIsComputedBySettlement() public view {
        _has(text.wording(_terms(), _gauge()), "f is about 47.36 %");
        Product memory terms = _terms();
        terms.lossCapBps = 5000;
        _has(text.wording(terms, _gauge()), "pays about 23.68 % of what the position was worth");
    }

    /// @dev Two products that differ in any field have different texts, or the same text would hide a term.
    function test_everyTermChangesTheText() public {
        bytes32 hash = keccak256(bytes(text.wording(_terms(), _gauge())));
        for (uint256 i; i < 17; ++i) {
            Product memory terms = _terms();
            if (i == 0) terms.gauge = bytes32(uint256(1));
            if (i == 1) {
                terms.kind = Kind.Protocol;
                terms.registrant = address(7);
            }
            if (i == 2) terms.asset = address(new Token("USDX", 6));
            if (i == 3) terms.unitNum = 2;
            if (i == 4) terms.unitDen = 2;
            if (i == 5) terms.minSum = 1;
            if (i == 6) terms.eventLimit = 0;
            if (i == 7) terms.deductibleBps = 0;
            if (i == 8) terms.lossCapBps = 9999;
            if (i == 9) terms.bountyBps = 0;
            if (i == 10) terms.instant = false;
            if (i == 11) terms.waitingPeriod = 3 days + 1;
            if (i == 12) terms.reportWindow = 0;
            if (i == 13) terms.minTerm = 1;
            if (i == 14) terms.maxTerm = 364 days;
            if (i == 15) terms.waitingPeriod = 8 days;
            if (i == 16) {
                (terms.instant, terms.salvage) = (false, address(9));
            }
            assertNotEq(keccak256(bytes(text.wording(terms, _gauge()))), hash, vm.toString(i));
        }
        Product memory protocol = _terms();
        protocol.kind = Kind.Protocol;
        protocol.registrant = address(7);
        bytes32 one = keccak256(bytes(text.wording(protocol, _gauge())));
        protocol.registrant = address(8);
        assertNotEq(keccak256(bytes(text.wording(protocol, _gauge()))), one, "registrant");
    }

    // ----- triggers, and who decides -----

    function _trigger(uint8 rungs) private pure returns (ICatalog.GaugeInfo memory info) {
        info = _gauge();
        (info.rungs, info.trigger) = (rungs, true);
    }

    function test_textNamesTheKind() public view {
        string[8] memory names =
            ["Position", "Protocol", "Liquidity", "Oracle", "Governance", "Upgrade", "Depeg", "Custom"];
        string[8] memory losses = [
            "what reporters find",
            "what reporters find",
            "worth more than the position",
            "seized above the debt",
            "outside of its announced timelock",
            "can no longer be taken out",
            "below its strike",
            "what reporters find"
        ];
        for (uint256 i; i < 8; ++i) {
            Product memory terms = _terms();
            terms.kind = Kind(i);
            string memory words = text.wording(terms, _trigger(8));
            _has(words, string.concat("# ", names[i], " cover"));
            _has(words, losses[i]);
            _has(words, "found by the trigger");
            string memory json =
                _payload(text.tokenURI(1, _policy(), terms, _gauge(), 0), "data:application/json;base64,");
            assertEq(vm.parseJsonString(json, ".attributes[0].value"), string.concat(names[i], " cover"));
        }
    }

    function test_textNamesTheCoveredFunction() public view {
        ICatalog.GaugeInfo memory info = _trigger(4);
        _has(text.wording(_terms(), info), "in the contract 0x");
        info.selector = 0x00ba0876;
        _has(text.wording(_terms(), info), "in the function 0x00ba0876 of the contract 0x");
    }

    function test_textNamesWhoDecides() public view {
        string memory words = text.wording(_terms(), _trigger(2));
        _has(words, "Anyone shows readings of the feeds");
        _has(words, "For 32 blocks anyone may show");
        _lacks(words, "reporters may report");
        words = text.wording(_terms(), _trigger(12));
        _has(words, "the failed probes of the canary");
        _has(words, "bonded reporters may report; their report may be challenged for 96 blocks");
        words = text.wording(_terms(), _trigger(8));
        _has(words, "Bonded reporters report the loss");
        _lacks(words, "anyone may show");
        _has(words, "Instant lane: none");
        words = text.wording(_terms(), _gauge());
        _has(words, "Nobody votes on what can be proven");
        _has(words, "bonded reporters may report; their report may be challenged for 96 blocks");
        _has(words, "for at most 400 blocks; if it does not, what was asserted is paid");
    }

    function test_textNamesTheGuardianOnlyWhereThereIsOne() public {
        _lacks(text.wording(_terms(), _gauge()), "guardian");
        Wording other = new Wording(Times(32, 14 days, 96, 400, 20, 2500));
        string memory words = other.wording(_terms(), _gauge());
        _has(words, "A payout above 25 % of what a pool held may wait 20 blocks, once");
        _has(words, "a guardian cannot refuse it");
    }

    /// @dev Cover against a price is not told to exclude prices.
    function test_exclusionsFitTheKind() public view {
        Product memory terms = _terms();
        _has(text.wording(terms, _gauge()), "market price of any token");
        _has(text.wording(terms, _gauge()), "honest growth");
        terms.kind = Kind.Upgrade;
        _has(text.wording(terms, _trigger(4)), "market price of any token");
        _lacks(text.wording(terms, _trigger(4)), "honest growth");
        terms.kind = Kind.Depeg;
        _lacks(text.wording(terms, _trigger(2)), "market price of any token");
    }

    /// @dev The text may not move under the hash that was pinned: it does not ask for the symbol.
    function test_textIgnoresTheSymbol() public {
        string memory before = text.wording(_terms(), _gauge());
        vm.mockCall(address(usd), abi.encodeWithSignature("symbol()"), abi.encode("OTHER"));
        assertEq(text.wording(_terms(), _gauge()), before);
    }

    function test_metadataIsJsonWithAPicture() public view {
        string memory uri = text.tokenURI(7, _policy(), _terms(), _gauge(), keccak256("wording"));
        log(uri);
        string memory json = _payload(uri, "data:application/json;base64,");
        assertEq(vm.parseJsonString(json, ".name"), "Breakwater policy 7");
        assertEq(vm.parseJsonString(json, ".attributes[1].value"), "12500 USDX");
        assertEq(vm.parseJsonString(json, ".attributes[2].value"), "3125 USDX");
        assertEq(vm.parseJsonUint(json, ".attributes[6].value"), 1_795_132_800);
        string memory svg = _payload(vm.parseJsonString(json, ".image"), "data:image/svg+xml;base64,");
        _has(svg, "2026-11-20 00:00 UTC");
        _has(svg, ">75 %<");
        _has(svg, "Pays from a loss of");
    }

    function test_hostileSymbolsLeaveNoMarkup() public {
        bytes[5] memory answers = [
            abi.encode('"},<script>alert(1)</script>&amp;'),
            abi.encodePacked(bytes32('<x>"MKR')),
            hex"",
            hex"01",
            abi.encodePacked(type(uint256).max, type(uint256).max, bytes32("abc"))
        ];
        string[5] memory symbols = ["scriptalert1", "xMKR", "units", "units", "abc"];
        for (uint256 i; i < 5; ++i) {
            Product memory terms = _terms();
            terms.asset = address(new HostileToken(answers[i]));
            string memory uri = text.tokenURI(7, _policy(), terms, _gauge(), 0);
            string memory json = _payload(uri, "data:application/json;base64,");
            string memory sum = vm.parseJsonString(json, ".attributes[1].value");
            assertTrue(vm.contains(sum, string.concat(" ", symbols[i])), sum);
        }
    }

    function test_cancelledPolicyHasNothingLeft() public view {
        Policy memory p = _policy();
        (p.sum, p.paid) = (0, 0);
        string memory json =
            _payload(text.tokenURI(1, p, _terms(), _gauge(), 0), "data:application/json;base64,");
        _has(_payload(vm.parseJsonString(json, ".image"), "data:image/svg+xml;base64,"), ">0 %<");
    }

    function test_dates() public pure {
        _date(0, 1970, 1, 1);
        _date(59, 1970, 3, 1);
        _date(11_016, 2000, 2, 29);
        _date(11_017, 2000, 3, 1);
        _date(20_777, 2026, 11, 20);
        _date(47_540, 2100, 2, 28);
        _date(47_541, 2100, 3, 1);
    }

    /// @dev One day after another, the calendar moves by one day.
    function testFuzz_datesFollowEachOther(uint256 day) public pure {
        day = bound(day, 0, 200_000);
        (uint256 y, uint256 m, uint256 d) = Text.date(day);
        (uint256 y2, uint256 m2, uint256 d2) = Text.date(day + 1);
        bool next = (y2 == y && m2 == m && d2 == d + 1) || (y2 == y && m2 == m + 1 && d2 == 1 && d >= 28)
            || (y2 == y + 1 && m2 == 1 && d2 == 1 && m == 12 && d == 31);
        assertTrue(next);
        assertTrue(m >= 1 && m <= 12 && d >= 1 && d <= 31);
    }

    function test_numbers() public pure {
        assertEq(Text.fixedPoint(1_500_000, 6), "1.5");
        assertEq(Text.fixedPoint(5, 6), "0.000005");
        assertEq(Text.fixedPoint(100e6, 6), "100");
        assertEq(Text.fixedPoint(type(uint256).max, 78), vm.toString(type(uint256).max));
        assertEq(Text.percent(1, 10_000), "0.01 %");
        assertEq(Text.percent(1e18, 1e18), "100 %");
        assertEq(Text.percent(123_456_789, 1e18), "0.0000000123456789 %");
        assertEq(Text.span(1), "1 second");
        assertEq(Text.span(86_401), "86401 seconds");
        assertEq(Text.span(5400), "90 minutes");
    }

    function _date(uint256 epochDay, uint256 year, uint256 month, uint256 day) private pure {
        (uint256 y, uint256 m, uint256 d) = Text.date(epochDay);
        assertEq(y, year);
        assertEq(m, month);
        assertEq(d, day);
    }

    function _has(string memory words, string memory part) private pure {
        assertTrue(vm.contains(words, part), part);
    }

    function _lacks(string memory words, string memory part) private pure {
        assertFalse(vm.contains(words, part), part);
    }

    function _payload(string memory uri, string memory prefix) private pure returns (string memory) {
        (bytes memory raw, uint256 skip) = (bytes(uri), bytes(prefix).length);
        bytes memory head = new bytes(skip);
        bytes memory rest = new bytes(raw.length - skip);
        for (uint256 i; i < raw.length; ++i) {
            if (i < skip) head[i] = raw[i];
            else rest[i - skip] = raw[i];
        }
        assertEq(string(head), prefix);
        return string(Base64.decode(string(rest)));
    }
}
