// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {ICatalog, Kind} from "../interfaces/ICatalog.sol";
import {Form} from "../interfaces/IGauges.sol";
import {Times} from "../interfaces/ILadder.sol";
import {Text} from "./Text.sol";

/// @title What a wording says of the kinds of cover and of who decides
library Kinds {
    uint256 private constant BPS = 10_000;
    /// @dev Bits of `GaugeInfo.rungs`.
    uint8 private constant FEED = 2;
    uint8 private constant CANARY = 4;
    uint8 private constant QUORUM = 8;

    function title(Kind kind) internal pure returns (string memory) {
        if (kind == Kind.Position) return "Position cover";
        if (kind == Kind.Protocol) return "Protocol cover";
        if (kind == Kind.Liquidity) return "Liquidity cover";
        if (kind == Kind.Oracle) return "Oracle cover";
        if (kind == Kind.Governance) return "Governance cover";
        if (kind == Kind.Upgrade) return "Upgrade cover";
        if (kind == Kind.Depeg) return "Depeg cover";
        return "Custom cover";
    }

    /// @notice What the loss is, in one sentence.
    function measured(Kind kind, ICatalog.GaugeInfo calldata gauge) internal pure returns (string memory) {
        if (!gauge.trigger) return _form(gauge.form);
        if (kind == Kind.Liquidity) {
            return "It is what the deposited assets would be worth more than the position, by the medians of the feeds that the trigger names.\n";
        }
        if (kind == Kind.Oracle) {
            return "It is what was seized above the debt that was repaid, at the reference price, while the feed stood off the median of its references for the time that the trigger names.\n";
        }
        if (kind == Kind.Governance) {
            return "It is what was lost after the implementation, the owner or the administrator of the contract was changed outside of its announced timelock.\n";
        }
        if (kind == Kind.Upgrade) {
            return "It is what can no longer be taken out: a canary with a position of its own, by the call that the trigger names, failed at two probes as far apart as the trigger says, with no success in between.\n";
        }
        if (kind == Kind.Depeg) {
            return "It is the fall of the median of the feeds that the trigger names below its strike, for the time that it names.\n";
        }
        return "It is what reporters find to be lost, within what the trigger names.\n";
    }

    /// @notice Who decides that there is an incident, how that can be answered, and what becomes of a dispute.
    function deciding(uint8 rungs, bool trigger, Times memory t) internal pure returns (string memory) {
        return string.concat(
            "\n## Who decides, and how long it takes\n\n",
            trigger ? _machine(rungs, t.dwell) : _proof(t.dwell),
            rungs & QUORUM == 0
                ? ""
                : string.concat(
                    trigger && rungs == QUORUM
                        ? "Bonded reporters report the loss"
                        : "What cannot be shown so, bonded reporters may report",
                    "; their report may be challenged for ",
                    Text.plural(t.quorumWindow, "block"),
                    ", and a proof stands above it.\n"
                ),
            _disputes(t)
        );
    }

    function _form(Form form) private pure returns (string memory) {
        if (form == Form.Ratio) {
            return
                "It is the fall of the assets behind each share, and never more than the assets that went out.\n";
        }
        if (form == Form.Geometric) {
            return "It is the fall of the root of the product of both reserves behind each share, and never more than what of it went out.\n";
        }
        return "It is what the assets fall short of the holders' claims after the loss and did not before.\n";
    }

    function _proof(uint64 dwell) private pure returns (string memory) {
        return string.concat(
            "Nobody votes on what can be proven. Anyone proves the loss from block headers and storage, and the contracts measure it.\nFor ",
            Text.plural(dwell, "block"),
            " anyone may prove a later block, and every such proof leaves at least ",
            Text.plural(dwell / 4, "block"),
            " for an answer; what the last proven block shows is what counts.\n"
        );
    }

    function _machine(uint8 rungs, uint64 dwell) private pure returns (string memory) {
        if (rungs & (FEED | CANARY) == 0) return "";
        return string.concat(
            rungs & FEED != 0
                ? "Anyone shows readings of the feeds, and the contracts measure the loss"
                : "Anyone shows the failed probes of the canary, and the contracts measure the loss",
            ". For ",
            Text.plural(dwell, "block"),
            " anyone may show what speaks against it.\n"
        );
    }

    function _disputes(Times memory t) private pure returns (string memory) {
        return string.concat(
            "When that time is over, what nobody disputes is paid. What is disputed, or too much for those who said it, stays reserved until an assembly of assessors decides, for at most ",
            Text.plural(t.assemblyWindow, "block"),
            "; if it does not, what was asserted is paid.\n",
            t.heavyBps == type(uint16).max
                ? ""
                : string.concat(
                    "A payout above ",
                    Text.percent(t.heavyBps, BPS),
                    " of what a pool held may wait ",
                    Text.plural(t.guardianDelay, "block"),
                    ", once, in which a guardian may send it to the assembly; a guardian cannot refuse it.\n"
                )
        );
    }
}
