// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ICatalog, Kind, Product} from "../interfaces/ICatalog.sol";
import {Form, GaugeSpec, Holding, PinnedAccount, Side, Term} from "../interfaces/IGauges.sol";
import {Trigger} from "../interfaces/ITriggers.sol";

/// @title What a gauge, a trigger and a product must look like to be listed
/// @notice The order of the checks is that of docs/design.md and docs/ladder.md, "Listing".
library Listing {
    uint256 private constant WAD = 1e18;
    uint256 private constant YEAR = 365 days;
    uint256 private constant MAX_ACCOUNTS = 8;
    uint256 private constant MAX_PINS = 8;
    uint256 private constant MAX_TERMS = 16;
    uint256 private constant WORD_BITS = 256;
    /// @dev Hash of no code. It is written as zero, so that there is one way to say "no code".
    bytes32 private constant NO_CODE = keccak256("");
    bytes32 private constant TRIGGER = keccak256("breakwater.trigger/1");
    /// @dev Bits of the rungs: 1 << uint8(Rung).
    uint8 private constant PROOF = 1;
    uint8 private constant FEED = 2;
    uint8 private constant CANARY = 4;
    uint8 private constant QUORUM = 8;
    /// @dev What a proof cannot decide, reporters may.
    uint8 internal constant GAUGE_RUNGS = PROOF | QUORUM;

    /// @notice Where the holders' claims are kept. Which bits of the word they take makes no difference: two
    ///         gauges over the same word would both pay one position.
    function subjectOf(GaugeSpec calldata spec) internal pure returns (bytes32) {
        Holding calldata h = spec.holding;
        address account = spec.accounts[h.account].account;
        return keccak256(abi.encode(spec.chainId, account, h.vyper, h.nested, h.base, h.innerKey, h.word));
    }

    /// @notice Where the holders' claims are kept, so that a position is paid once by gauge and trigger; else what is
    ///         watched.
    function subjectOf(Trigger calldata t) internal pure returns (bytes32) {
        return t.claims != 0 ? t.claims : keccak256(abi.encode(t.chainId, t.subject, t.selector));
    }

    function idOf(Trigger calldata t) internal pure returns (bytes32) {
        return keccak256(abi.encode(TRIGGER, t));
    }

    /// @notice Whether no block can be read by both: some account's code or some word must differ.
    function exclusive(GaugeSpec calldata a, GaugeSpec calldata b) internal pure returns (bool) {
        for (uint256 i; i < a.accounts.length; ++i) {
            for (uint256 j; j < b.accounts.length; ++j) {
                if (a.accounts[i].account != b.accounts[j].account) continue;
                if (a.accounts[i].codeHash != b.accounts[j].codeHash) return true;
                if (_pinsDiffer(a, i, b, j)) return true;
            }
        }
        return false;
    }

    /// @notice Reverts with `WrongChain` or `OutOfRange`.
    function checkGauge(GaugeSpec calldata spec) internal view {
        if (spec.chainId != block.chainid) revert ICatalog.WrongChain(block.chainid, spec.chainId);
        _within("threshold", spec.threshold, 1, WAD);
        _within("floor", spec.floor, 1, type(uint128).max);
        _checkAccounts(spec.accounts);
        uint256 last = spec.accounts.length - 1;
        _within("pins", spec.pins.length, 0, MAX_PINS);
        for (uint256 i; i < spec.pins.length; ++i) {
            _within("pin.account", spec.pins[i].account, 0, last);
        }
        _within("terms", spec.terms.length, 1, MAX_TERMS);
        for (uint256 i; i < spec.terms.length; ++i) {
            _checkTerm(spec.terms[i], last);
        }
        if (!_agrees(spec.form, spec.terms)) revert ICatalog.OutOfRange("form", uint256(spec.form));
        _checkHolding(spec.holding, last);
        _checkHealth(spec);
    }

    /// @notice Reverts with `WrongChain` or `OutOfRange`.
    function checkTrigger(Trigger calldata t) internal view {
        if (t.chainId != block.chainid) revert ICatalog.WrongChain(block.chainid, t.chainId);
        uint8 machine = t.rungs & (FEED | CANARY);
        // Both machine rungs at once would each read the terms as their own.
        if (t.rungs == 0 || t.rungs & ~(FEED | CANARY | QUORUM) != 0 || machine == FEED | CANARY) {
            revert ICatalog.OutOfRange("rungs", t.rungs);
        }
        _within("subject", uint160(t.subject), 1, type(uint160).max);
        _within("threshold", t.threshold, 1, WAD);
        _within("terms", t.terms.length, machine == 0 ? 0 : 1, type(uint256).max);
    }

    /// @notice Reverts with `OutOfRange`.
    function checkProduct(Product calldata terms, ICatalog.GaugeInfo memory info) internal pure {
        if (!_serves(info, terms.kind)) revert ICatalog.OutOfRange("kind", uint256(terms.kind));
        // One loss of one position is told by several only where all name the place of its claims.
        bool counted = info.placed || terms.kind == Kind.Governance || terms.kind == Kind.Custom;
        if (!counted) revert ICatalog.OutOfRange("claims", 0);
        _within("asset", uint160(terms.asset), 1, type(uint160).max);
        // Cover of a position is for whoever holds one; cover of a protocol for one account alone.
        bool named = terms.kind == Kind.Protocol || terms.kind == Kind.Governance;
        bool free = named || terms.kind == Kind.Custom;
        _within("registrant", uint160(terms.registrant), named ? 1 : 0, free ? type(uint160).max : 0);
        _within("unitNum", terms.unitNum, 1, type(uint128).max);
        _within("unitDen", terms.unitDen, 1, type(uint128).max);
        _within("minSum", terms.minSum, 1, type(uint128).max);
        _within("deductibleBps", terms.deductibleBps, 0, 9999);
        _within("lossCapBps", terms.lossCapBps, 1, _mostOf(terms.kind));
        _within("bountyBps", terms.bountyBps, 0, 200);
        _within("waitingPeriod", terms.waitingPeriod, 1, YEAR);
        uint256 window = terms.reportWindow;
        if (window > YEAR || window % 1 days != 0) revert ICatalog.OutOfRange("reportWindow", window);
        _within("minTerm", terms.minTerm, 1, YEAR);
        _within("maxTerm", terms.maxTerm, terms.minTerm, YEAR);
        // Assigned by one position for its own loss, and taken only for what stays paid.
        bool salvages = terms.registrant == address(0) && !terms.instant;
        _within("salvage", uint160(terms.salvage), 0, salvages ? type(uint160).max : 0);
    }

    /// @dev Whether what opens the incidents can measure a loss of that kind.
    function _serves(ICatalog.GaugeInfo memory info, Kind kind) private pure returns (bool) {
        bool held = kind == Kind.Position || kind == Kind.Protocol;
        if (!info.trigger) return held || (kind == Kind.Liquidity && info.form == Form.Geometric);
        // A position or a protocol only where nothing but reporters can say what was lost.
        if (held) return info.rungs == QUORUM;
        if (kind == Kind.Upgrade) return info.rungs & CANARY != 0;
        if (kind == Kind.Governance) return info.rungs & QUORUM != 0;
        if (kind == Kind.Custom) return true;
        return info.rungs & FEED != 0;
    }

    /// @dev Most of a proven loss that is payable, bps: some of it stays with those who could have prevented it.
    function _mostOf(Kind kind) private pure returns (uint256) {
        if (kind == Kind.Protocol) return 9000;
        if (kind == Kind.Liquidity) return 2000;
        if (kind == Kind.Governance) return 3000;
        if (kind == Kind.Upgrade) return 9500;
        return 10_000;
    }

    function _checkAccounts(PinnedAccount[] calldata accounts) private pure {
        _within("accounts", accounts.length, 1, MAX_ACCOUNTS);
        uint256 previous;
        for (uint256 i; i < accounts.length; ++i) {
            uint256 account = uint160(accounts[i].account);
            // The first may not be the zero address, which keeps nobody's claims.
            if (account <= previous) revert ICatalog.OutOfRange("account", account);
            bytes32 code = accounts[i].codeHash;
            if (code == NO_CODE) revert ICatalog.OutOfRange("codeHash", uint256(code));
            previous = account;
        }
    }

    function _checkTerm(Term calldata term, uint256 last) private pure {
        _within("term.account", term.account, 0, last);
        _within("term.scale", term.scale, 1, type(uint64).max);
        if (!term.native) {
            _within("term.width", term.width, 1, WORD_BITS - term.offset);
        } else if (term.slot != 0 || term.offset != 0 || term.width != 0) {
            revert ICatalog.OutOfRange("term.native", 1);
        }
    }

    function _checkHolding(Holding calldata h, uint256 last) private pure {
        _within("holding.account", h.account, 0, last);
        _within("holding.scale", h.scale, 1, type(uint64).max);
        _within("holding.width", h.width, 1, WORD_BITS - h.offset);
        if (!h.nested && h.innerKey != 0) {
            revert ICatalog.OutOfRange("holding.innerKey", uint256(h.innerKey));
        }
    }

    /// @dev Where claims are fixed in the asset, health has no history and its four numbers are zero.
    function _checkHealth(GaugeSpec calldata spec) private view {
        bool shares = spec.form == Form.Ratio || spec.form == Form.Geometric;
        uint256 least = shares ? 1 : 0;
        if (!shares) _within("growth", spec.growth, 0, 0);
        _within("assets0", spec.assets0, least, shares ? type(uint128).max : 0);
        _within("shares0", spec.shares0, least, shares ? type(uint128).max : 0);
        _within("pinnedAt", spec.pinnedAt, least, shares ? block.timestamp : 0);
    }

    /// @dev Whether the terms are those that the form can use.
    function _agrees(Form form, Term[] calldata terms) private pure returns (bool) {
        uint256[4] memory count;
        for (uint256 i; i < terms.length; ++i) {
            ++count[uint256(terms[i].side)];
        }
        uint256 adds = count[uint256(Side.AssetAdd)];
        uint256 claimAdds = count[uint256(Side.ClaimAdd)];
        if (form == Form.Enumerated) {
            return adds != 0 && claimAdds == 0 && count[uint256(Side.ClaimSub)] == 0;
        }
        if (form == Form.Geometric) return adds == 2 && count[uint256(Side.AssetSub)] == 0 && claimAdds != 0;
        return adds != 0 && claimAdds != 0;
    }

    /// @dev Whether account i of `a`, which is account j of `b`, has a word pinned to two values.
    function _pinsDiffer(GaugeSpec calldata a, uint256 i, GaugeSpec calldata b, uint256 j)
        private
        pure
        returns (bool)
    {
        for (uint256 k; k < a.pins.length; ++k) {
            if (a.pins[k].account != i) continue;
            for (uint256 l; l < b.pins.length; ++l) {
                if (b.pins[l].account != j || a.pins[k].slot != b.pins[l].slot) continue;
                if (a.pins[k].value != b.pins[l].value) return true;
            }
        }
        return false;
    }

    function _within(bytes32 field, uint256 got, uint256 least, uint256 most) private pure {
        if (got < least || got > most) revert ICatalog.OutOfRange(field, got);
    }
}
