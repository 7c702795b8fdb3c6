// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Waterfall} from "breakwater/libraries/Waterfall.sol";

/// @notice Checked by halmos for every input, not for samples: `cargo xtask review`.
contract SymbolicWaterfall {
    using Waterfall for Waterfall.Entry;

    Waterfall.Entry private _entry;
    uint128[4] private _layers;

    /// Layers of any size that no honest asset exceeds together.
    function _start(uint96[4] calldata layers, uint96[4] calldata limits) private {
        for (uint256 i; i < 4; ++i) {
            _layers[i] = layers[i];
            _entry.limit[i] = limits[i];
        }
    }

    function _sum(uint128[4] storage amounts) private view returns (uint256) {
        return uint256(amounts[0]) + amounts[1] + amounts[2] + amounts[3];
    }

    /// What the layers lose is what is funded, and no layer gives more than its limit.
    function check_charging_moves_and_makes_nothing(
        uint96[4] calldata layers,
        uint96[4] calldata limits,
        uint96 amount
    ) external {
        _start(layers, limits);
        uint256 before = _sum(_layers);
        _entry.charge(_layers, amount);
        assert(before - _sum(_layers) == _entry.funded);
        assert(_sum(_entry.charged) == _entry.funded);
        assert(_entry.funded <= amount);
        for (uint256 i; i < 4; ++i) {
            assert(_entry.charged[i] <= limits[i]);
        }
    }

    /// A layer above is touched only when those below have nothing left to give.
    function check_a_higher_layer_pays_last(
        uint96[4] calldata layers,
        uint96[4] calldata limits,
        uint96 amount
    ) external {
        _start(layers, limits);
        _entry.charge(_layers, amount);
        for (uint256 i; i < 3; ++i) {
            if (_entry.charged[i + 1] == 0) continue;
            assert(_layers[i] == 0 || _entry.charged[i] == limits[i]);
        }
    }

    /// What is given back first leaves the highest layer, and none gets more than it bore.
    function check_giving_back_runs_in_reverse(uint96[4] calldata layers, uint96 amount, uint96 back)
        external
    {
        _start(layers, layers);
        _entry.charge(_layers, amount);
        uint128[4] memory bore = _entry.charged;
        if (back > _entry.funded) return;
        uint256[4] memory given = _entry.give(back);
        assert(given[0] + given[1] + given[2] + given[3] == back);
        assert(_sum(_entry.charged) == _entry.funded);
        for (uint256 i; i < 4; ++i) {
            assert(given[i] <= bore[i]);
            if (i != 3 && given[i] != 0) assert(given[i + 1] == bore[i + 1]);
        }
    }
}
