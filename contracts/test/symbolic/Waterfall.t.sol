// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Waterfall} from "breakwater/libraries/Waterfall.sol";

/// @notice Checked by halmos for every input, not for samples: `cargo xtask review`.
/// @dev Amounts of 8 bits: the waterfall compares, adds and subtracts them alone, so wider ones take no other path. The
///      branchless minimum multiplies, which solvers of wide words do not end with.
contract SymbolicWaterfall {
    using Waterfall for Waterfall.Entry;

    Waterfall.Entry private _entry;
    uint128[4] private _layers;

    function _start(uint8[4] calldata layers, uint8[4] calldata limits) private {
        for (uint256 i; i < 4; ++i) {
            _layers[i] = layers[i];
            _entry.limit[i] = limits[i];
        }
    }

    function _sum(uint128[4] storage amounts) private view returns (uint256) {
        return uint256(amounts[0]) + amounts[1] + amounts[2] + amounts[3];
    }

    /// What the layers lose is what is charged to them and what is funded.
    function check_charging_moves_and_makes_nothing(
        uint8[4] calldata layers,
        uint8[4] calldata limits,
        uint8 amount
    ) external {
        _start(layers, limits);
        uint256 before = _sum(_layers);
        _entry.charge(_layers, amount);
        assert(before - _sum(_layers) == _entry.funded);
        assert(_sum(_entry.charged) == _entry.funded);
    }

    /// What is funded is all of the amount, or everything that the layers have within their limits.
    function check_as_much_is_funded_as_there_is(
        uint8[4] calldata layers,
        uint8[4] calldata limits,
        uint8 amount
    ) external {
        _start(layers, limits);
        _entry.charge(_layers, amount);
        bool dry = true;
        for (uint256 i; i < 4; ++i) {
            dry = dry && _gaveAll(i, limits[i]);
        }
        assert(_entry.funded <= amount);
        assert(dry || _entry.funded == amount);
    }

    /// No layer gives more than its limit or than it has, also when it is charged a second time.
    function check_no_layer_gives_more_than_its_limit(
        uint8[4] calldata layers,
        uint8[4] calldata limits,
        uint8 first,
        uint8 second
    ) external {
        _start(layers, limits);
        _entry.charge(_layers, first);
        _entry.charge(_layers, second);
        for (uint256 i; i < 4; ++i) {
            assert(_entry.charged[i] <= limits[i]);
            assert(_entry.charged[i] + _layers[i] == layers[i]);
        }
    }

    /// A layer above is touched only when those below have nothing left to give.
    function check_a_higher_layer_pays_last(uint8[4] calldata layers, uint8[4] calldata limits, uint8 amount)
        external
    {
        _start(layers, limits);
        _entry.charge(_layers, amount);
        for (uint256 i; i < 3; ++i) {
            assert(_entry.charged[i + 1] == 0 || _gaveAll(i, limits[i]));
        }
    }

    /// What is given back is what was asked for, and is no longer charged.
    function check_giving_back_makes_nothing(uint8[4] calldata charged, uint8 back) external {
        _bear(charged);
        if (back > _entry.funded) return;
        uint256[4] memory given = _entry.give(back);
        assert(given[0] + given[1] + given[2] + given[3] == back);
        assert(_sum(_entry.charged) == _entry.funded);
        for (uint256 i; i < 4; ++i) {
            assert(given[i] + _entry.charged[i] == charged[i]);
        }
    }

    /// What is given back first leaves the highest layer.
    function check_giving_back_runs_in_reverse(uint8[4] calldata charged, uint8 back) external {
        _bear(charged);
        if (back > _entry.funded) return;
        uint256[4] memory given = _entry.give(back);
        for (uint256 i; i < 3; ++i) {
            assert(given[i] == 0 || given[i + 1] == charged[i + 1]);
        }
    }

    /// Of what comes back for a closed booking no layer gets more than it bore, and all of it goes somewhere.
    function check_recoveries_make_nothing(uint8[4] calldata charged, uint8 drawn, uint8 before, uint8 amount)
        external
    {
        _bear(charged);
        (_entry.drawn, _entry.recovered) = (drawn, before);
        (uint256[4] memory given, uint256 toTreaties) = _entry.recover(amount);
        assert(given[0] + given[1] + given[2] + given[3] + toTreaties == amount);
        assert(toTreaties <= drawn);
        for (uint256 i = 1; i < 4; ++i) {
            assert(given[i] <= charged[i]);
        }
    }

    function _gaveAll(uint256 i, uint8 limit) private view returns (bool) {
        return _layers[i] == 0 || _entry.charged[i] == limit;
    }

    function _bear(uint8[4] calldata charged) private {
        uint128 sum;
        for (uint256 i; i < 4; ++i) {
            _entry.charged[i] = charged[i];
            sum += charged[i];
        }
        _entry.funded = sum;
    }
}
