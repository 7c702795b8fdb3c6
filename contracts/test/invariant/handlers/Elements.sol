// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IPoolDesk, IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {IPool} from "breakwater/interfaces/IPool.sol";
import {Bounds} from "../Bounds.sol";
import {Watch} from "../Watch.sol";

/// @notice What nobody does on purpose: time passes, gifts arrive, transfers fail.
abstract contract Elements is Watch {
    /// @notice A moment in the past at which cover is counted.
    uint256 public probe = Bounds.FIRST_TIME;

    function passBlocks() external step(false) {
        _advance(_between(1, Bounds.MOST_BLOCKS));
    }

    function passHours() external step(false) {
        _end();
        _pass(_between(1, Bounds.MOST_HOURS) * 1 hours);
    }

    function passDays() external step(false) {
        _end();
        _pass(_between(1, Bounds.MOST_DAYS) * 1 days - _draw(2) * _now() % Bounds.DAY);
    }

    /// @notice Someone accrues, gives, or is refused by the asset from now on.
    function disturb() external step(false) {
        uint256 what = _draw(5);
        if (what == 0) _must(cast.stranger, address(_pool()), abi.encodeCall(IPool.accrue, ()));
        else if (what == 1) _donate();
        else _turnAgainst(cast.people[_draw(4)]);
    }

    /// @dev A gift to the pool is nobody's.
    function _donate() private {
        address pool = address(_pool());
        uint256 amount = _between(1, Bounds.MOST_DONATION);
        cast.usd.mint(pool, amount);
        donated[pool] += amount;
    }

    /// @dev The asset starts or stops refusing someone.
    function _turnAgainst(address who) private {
        cast.usd.setBlocked(who, _chance(70));
    }

    function withdraw() external step(false) {
        Pool pool = _pool();
        for (uint256 i; i < cast.people.length; ++i) {
            address who = cast.people[i];
            if (pool.owed(who) == 0) continue;
            if (_chance(60)) cast.usd.setBlocked(who, false);
            if (cast.usd.blocked(who)) continue;
            _did("withdrawn");
            uint256 before = cast.usd.balanceOf(who);
            uint256 owed = pool.owed(who);
            _must(cast.stranger, address(pool), abi.encodeCall(IPoolDesk.withdraw, (who)));
            _rule(cast.usd.balanceOf(who) - before == owed, "payment arrives");
        }
    }

    /// @dev Mostly somebody ends what dwells as soon as he may.
    function _end() internal virtual;

    function _pass(uint256 time) private {
        probe = _now() - _draw(_now() - probe + 1);
        _advance(time / Bounds.BLOCK_TIME + 1);
    }
}
