// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Form, GaugeSpec, Reading} from "../interfaces/IGauges.sol";
import {IProofRung} from "../interfaces/IProofRung.sol";

/// @title The loss between two readings of a gauge
/// @notice Gauge units throughout. Readings hold at most 128 bits a number, so products fit 256.
library Gauge {
    /// @dev What a loss is measured from; kept with the incident.
    struct Onset {
        Reading a;
        uint128 base; // at least 1
        uint128 afterAssets; // assets in the block after `a`
    }

    uint256 private constant WAD = 1e18;
    uint256 private constant YEAR = 365 days;

    /// @notice Whether claims are shares in the assets, rather than amounts of the asset.
    function hasShares(GaugeSpec calldata spec) internal pure returns (bool) {
        return spec.form == Form.Ratio || spec.form == Form.Geometric;
    }

    /// @notice What a loss from `a` is a fraction of; at least 1. Reverts with `UndefinedLoss`.
    function baseOf(GaugeSpec calldata spec, bytes32 gauge, Reading memory a)
        internal
        pure
        returns (uint128 base)
    {
        // The floor is at least 1, so nothing is divided by zero from here on.
        if (a.claims < spec.floor) revert IProofRung.UndefinedLoss(gauge, a.number);
        if (a.time < spec.pinnedAt) revert IProofRung.UndefinedLoss(gauge, a.number);
        base = hasShares(spec) ? uint128(Math.min(a.assets, cap(spec, a))) : a.claims;
        if (base == 0) revert IProofRung.UndefinedLoss(gauge, a.number);
    }

    /// @notice The loss from `a` to `b`, at most the base. Reverts with `UndefinedLoss`.
    function lossOf(GaugeSpec calldata spec, bytes32 gauge, Onset memory onset, Reading memory b)
        internal
        pure
        returns (uint128)
    {
        Reading memory a = onset.a;
        uint128 base = onset.base;
        if (!hasShares(spec)) {
            return uint128(Math.min(Math.saturatingSub(_shortfall(b), _shortfall(a)), base));
        }
        if (b.claims == 0) revert IProofRung.UndefinedLoss(gauge, b.number);
        // What the shares of `a` are still worth, rounded up: in favour of the pools.
        uint256 left = Math.ceilDiv(uint256(b.assets) * a.claims, b.claims);
        uint256 perShare = Math.saturatingSub(base, left);
        // A redenomination or a fee mint lowers the worth of a share and takes nothing out; a deposit after
        // the drain puts assets in and hides nothing of what went out.
        uint256 inAll = Math.saturatingSub(base, Math.min(onset.afterAssets, b.assets));
        return uint128(Math.min(perShare, inAll));
    }

    /// @notice What a holder lost who had `before` at `a` and `later` at `b`, at most its part of `loss`, the
    ///         loss from `a` to `b`; and what it had at `a` was worth (claims: the claims). Rounded down.
    function positionLoss(
        GaugeSpec calldata spec,
        Onset memory onset,
        Reading memory b,
        uint128 loss,
        uint256 before,
        uint256 later
    ) internal pure returns (uint256 lost, uint256 value) {
        // What was bought after the onset lost nothing, and what left before `b` took its worth along.
        uint256 held = Math.min(before, later);
        lost = held * loss / onset.a.claims;
        if (!hasShares(spec)) return (lost, held);
        value = held * onset.base / onset.a.claims;
        uint256 left = Math.ceilDiv(later * b.assets, b.claims);
        lost = Math.min(lost, Math.saturatingSub(value, left));
    }

    /// @notice The most that the shares of `a` may honestly be worth, rounded down, so that donations lift
    ///         nothing. `a` is not before `pinnedAt`.
    function cap(GaugeSpec calldata spec, Reading memory a) internal pure returns (uint256) {
        uint256 pinned = uint256(spec.assets0) * a.claims / spec.shares0;
        // Growth only adds, so this much is no bound on assets of 128 bits, and the product below fits.
        if (pinned > type(uint128).max) return pinned;
        uint256 factor = WAD + uint256(spec.growth) * (a.time - spec.pinnedAt) / YEAR;
        return pinned * factor / WAD;
    }

    /// @notice The loss as a fraction of its base, wad, rounded down.
    function lambda(uint128 loss, uint128 base) internal pure returns (uint256) {
        return uint256(loss) * WAD / base;
    }

    function _shortfall(Reading memory r) private pure returns (uint256) {
        return Math.saturatingSub(r.claims, r.assets);
    }
}
