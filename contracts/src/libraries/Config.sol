// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IPool, PoolConfig} from "../interfaces/IPool.sol";

/// @title What the config of a pool may be
/// @notice Anyone makes pools, so whatever would lock capital in for good, give cover away, or leave the curator nothing
///         to lose is refused here. Why each bound is where it is stands in docs/design.md, "Config".
library Config {
    uint256 private constant BPS = 10_000;
    uint256 private constant WAD = 1e18;

    function check(PoolConfig memory c) internal view {
        _require(c.asset.code.length != 0, "asset", uint160(c.asset));
        _require(c.curator != address(0), "curator", 0);
        _within("epoch", c.epoch, 1 days, 90 days);
        _within("cooldown", c.cooldown, c.epoch, 90 days);
        _within("leverageBps", c.leverageBps, BPS, 10 * BPS);
        _within("curatorShareBps", c.curatorShareBps, 100, BPS);
        _within("subordinationBps", c.subordinationBps, 0, 7000);
        _within("surplusBps", c.surplusBps, 0, 5000);
        uint256 weights;
        for (uint256 i; i < 3; ++i) {
            _within("weightBps", c.weightBps[i], 500, BPS);
            weights += c.weightBps[i];
        }
        _within("weightBps", weights, BPS, BPS);
        _within("costOfCapital", c.costOfCapital, WAD / 1000, WAD);
        _within("kink", c.kink, WAD / 100, WAD / 100 * 99);
        _within("scarcityKink", c.scarcityKink, WAD, type(uint64).max);
        _within("scarcityFull", c.scarcityFull, c.scarcityKink, type(uint64).max);
        _within("surgeHalfLife", c.surgeHalfLife, 1 hours, 90 days);
        _require(_isContractOrNone(c.underwriting), "underwriting", uint160(c.underwriting));
        _require(_isContractOrNone(c.gate), "gate", uint160(c.gate));
        _within("curatorFeeBps", c.curatorFeeBps, 0, 2000);
    }

    function _isContractOrNone(address account) private view returns (bool) {
        return account == address(0) || account.code.length != 0;
    }

    function _within(bytes32 field, uint256 got, uint256 least, uint256 most) private pure {
        _require(got >= least && got <= most, field, got);
    }

    function _require(bool holds, bytes32 field, uint256 got) private pure {
        if (!holds) revert IPool.OutOfRange(field, got);
    }
}
