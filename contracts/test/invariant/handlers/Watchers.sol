// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Run} from "breakwater/interfaces/IRunRung.sol";
import {FeedRung} from "breakwater/triggers/FeedRung.sol";
import {Malice, TellingFeed} from "../../PriceSources.sol";
import {Vm} from "../../unit/Vm.sol";

/// @notice Watchers of one price: they look at it, dead or alive, wait, and open incidents. Keeps books of its own.
contract Watchers {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 public constant STRIKE = 0.95e18;
    uint256 public constant GAP = 1 hours;
    uint256 public constant PERIOD = 2 hours;

    FeedRung private immutable _rung;
    bytes32 private immutable _trigger;
    TellingFeed[] private _feeds;

    uint256 private _seed;
    // What the last look found.
    bool private _live;
    uint256 private _price;
    uint256 private _time;

    /// @notice Live time below the strike since the last health, in looks that follow each other closely enough.
    uint256 public below;
    /// @notice The higher of both ends over that time.
    uint256 public area;
    bool public healthy;
    /// @notice A dead look changed what a run had counted, or where it began.
    bool public deadLookCounted;
    /// @notice An incident was opened before its period was over.
    bool public openedEarly;
    uint256 public opened;
    uint256 public deadLooks;

    constructor(FeedRung rung, bytes32 trigger, TellingFeed[] memory feeds) {
        (_rung, _trigger, _feeds) = (rung, trigger, feeds);
    }

    /// @notice Mostly below the strike, so that runs get long.
    function look(uint256 seed) external {
        _seed = seed;
        _wait();
        uint256 kind = _draw(12);
        if (kind == 0) return _lookAt(0.95e18 + _draw(0.1e18));
        if (kind < 3) return _lookDead();
        _lookAt(0.5e18 + _draw(0.45e18));
    }

    function open(uint256 seed) external {
        _seed = seed;
        _wait();
        uint256 price = 0.5e18 + _draw(0.45e18);
        _setPrice(price);
        try _rung.open(_trigger) {
            _book(price);
            ++opened;
            if (below < PERIOD) openedEarly = true;
        } catch {
            _lookAt(price);
        }
    }

    function _lookAt(uint256 price) private {
        _setPrice(price);
        _rung.poke(_trigger);
        _book(price);
    }

    function _lookDead() private {
        _feeds[_draw(3)].misbehave(Malice(1 + _draw(3)));
        Run memory before = _rung.run(_trigger);
        _rung.poke(_trigger);
        Run memory then = _rung.run(_trigger);
        if (then.elapsed != before.elapsed || then.onset != before.onset || then.sum != before.sum) {
            deadLookCounted = true;
        }
        (_live, _time, healthy) = (false, block.timestamp, false);
        ++deadLooks;
    }

    function _book(uint256 price) private {
        uint256 gap = block.timestamp - _time;
        healthy = price >= STRIKE;
        bool follows = _live && _price < STRIKE;
        if (healthy || (follows && gap > GAP)) {
            (below, area) = (0, 0);
        } else if (follows) {
            below += gap;
            area += gap * (price > _price ? price : _price);
        }
        (_live, _price, _time) = (true, price, block.timestamp);
    }

    function _setPrice(uint256 price) private {
        for (uint256 i; i < _feeds.length; ++i) {
            _feeds[i].set(price, block.timestamp);
        }
    }

    /// @dev Rarely longer than a gap.
    function _wait() private {
        uint256 time = _draw(20) == 0 ? GAP + 1 + _draw(GAP) : 1 + _draw(GAP);
        vm.warp(block.timestamp + time);
        vm.roll(block.number + 1);
    }

    function _draw(uint256 size) private returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed)));
        return _seed % size;
    }
}
