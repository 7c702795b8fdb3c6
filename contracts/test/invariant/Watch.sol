// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IWholePool as Pool, PoolState} from "breakwater/interfaces/IPoolDesk.sol";
import {Tranche} from "breakwater/core/Tranche.sol";
import {Booking, PoolConfig} from "breakwater/interfaces/IPool.sol";
import {Bounds} from "./Bounds.sol";
import {Scene} from "./Scene.sol";

/// @notice Looks at every pool before and after each step, for what a step must not do.
abstract contract Watch is Scene {
    /// @dev A pool before the step.
    struct Before {
        uint128[4] layers;
        uint256[3] supply;
        uint256 dwelling;
        uint256 surge;
    }

    /// @dev What a step did to the queues of a tranche.
    struct Moved {
        bool inward;
        bool outward;
    }

    /// @dev A line of requests of one tranche; those before `done` are over.
    struct Line {
        uint256[] ids;
        uint256 done;
        mapping(uint256 id => bool) known;
        mapping(uint256 id => uint256 amount) paid;
        mapping(uint256 id => uint256 amount) cap;
        mapping(uint256 id => uint256 epoch) lookedAt;
        mapping(uint256 id => uint256 time) latest; // of a request
    }

    struct Check {
        uint256 number;
        uint256 balance;
    }

    mapping(uint256 pool => Before) private _before;
    mapping(uint256 pool => uint128[4]) internal chargedBefore;
    mapping(uint256 pool => uint128) internal paidBefore;
    mapping(address tranche => Line) internal cohortLine;
    mapping(address tranche => Line) internal batchLine;
    mapping(address tranche => mapping(address who => Check[])) private _balances;

    /// @dev `books`: the step measures a loss, so that prices and layers may fall.
    modifier step(bool books) {
        _stir();
        _advance(_draw(Bounds.MOST_BLOCKS_A_STEP + 1));
        _;
        for (uint256 p; p < cast.pools.length; ++p) {
            _compare(p, books);
        }
    }

    /// @notice Epochs that any deposit into a tranche was asked for in.
    function batchIds(address tranche) external view returns (uint256[] memory) {
        return batchLine[tranche].ids;
    }

    /// @notice Numbers of all redemption cohorts of a tranche.
    function cohortIds(address tranche) external view returns (uint256[] memory) {
        return cohortLine[tranche].ids;
    }

    /// @notice What someone held at the end of a block, as this contract wrote it down.
    function heldAt(address tranche, address who, uint256 number) public view returns (uint256) {
        Check[] storage checks = _balances[tranche][who];
        for (uint256 i = checks.length; i != 0; --i) {
            if (checks[i - 1].number <= number) return checks[i - 1].balance;
        }
        return 0;
    }

    /// @dev After every change of someone's shares.
    function _note(address tranche, address who) internal {
        _balances[tranche][who].push(Check(_block(), Tranche(tranche).balanceOf(who)));
    }

    function _addRequest(Line storage line, uint256 id) internal {
        if (!line.known[id]) line.ids.push(id);
        line.known[id] = true;
        line.latest[id] = _now();
    }

    // ----- before -----

    /// @dev Between two steps nothing changes, so the end of one is the beginning of the next.
    function _look(uint256 p, PoolState memory s) internal {
        Before storage b = _before[p];
        (b.layers, b.dwelling, b.surge) = (s.layers, s.dwelling, s.surge);
        for (uint256 i; i < 3; ++i) {
            b.supply[i] = Tranche(cast.pools[p].tranche(i + 1)).totalSupply();
        }
    }

    /// @dev Deposits that became shares before the campaign.
    function _skipProcessed(address tranche) internal {
        Line storage line = batchLine[tranche];
        for (uint256 i = line.done; i < line.ids.length; ++i) {
            (, uint48 processedAt,,) = Tranche(tranche).batches(line.ids[i]);
            if (processedAt != 0) ++line.done;
        }
    }

    /// @dev What a booking has taken, before it is changed.
    function _lookAtBooking(uint256 id) internal {
        for (uint256 p; p < cast.pools.length; ++p) {
            Booking memory b = cast.pools[p].booking(id);
            chargedBefore[p] = b.charged;
            paidBefore[p] = b.paid;
        }
    }

    // ----- after -----

    function _compare(uint256 p, bool books) private {
        Pool pool = cast.pools[p];
        PoolState memory s = pool.state();
        Before storage b = _before[p];
        if (!books) {
            _rule(s.layers[0] >= b.layers[0], "surplus");
            for (uint256 i = 1; i < 4; ++i) {
                _rule(_priceKept(p, i), "price");
            }
            // A surge grows with a reserve only.
            _rule(s.surge <= b.surge, "surge");
        }
        Moved memory all;
        bool lower;
        for (uint256 i = 1; i < 4; ++i) {
            Moved memory moved = _compareQueues(p, i, books);
            if (moved.outward && i < 3) lower = true;
            all.inward = all.inward || moved.inward;
            all.outward = all.outward || moved.outward;
        }
        bool any = all.inward || all.outward;
        if (!books) _rule(b.dwelling == 0 || s.dwelling == 0 || !any, "moves while dwelling");
        if (!books && all.outward) _compareExits(pool, s, lower);
        _look(p, s);
    }

    /// @dev Whether a share of a tranche is worth what it was worth before the step, or more.
    function _priceKept(uint256 p, uint256 index) internal view returns (bool) {
        Before storage b = _before[p];
        Tranche tranche = Tranche(cast.pools[p].tranche(index));
        // Assets per share, virtual ones included, over a common denominator.
        return (tranche.totalAssets() + 1) * (b.supply[index - 1] + Bounds.SHARE_OFFSET)
            >= (uint256(b.layers[index]) + 1) * (tranche.totalSupply() + Bounds.SHARE_OFFSET);
    }

    /// @dev What left must have been free, and what stays must stand in the right order.
    function _compareExits(Pool pool, PoolState memory s, bool lower) private {
        PoolConfig memory c = pool.config();
        uint256 capital = uint256(s.layers[0]) + s.layers[1] + s.layers[2] + s.layers[3];
        _rule(capital * c.leverageBps / Bounds.BPS >= s.exposure, "exit under exposure");
        uint256 below = uint256(s.layers[1]) + s.layers[2];
        bool ordered = below * Bounds.BPS >= c.subordinationBps * (below + s.layers[3]);
        _rule(!lower || ordered, "exit under subordination");
    }

    function _compareQueues(uint256 p, uint256 index, bool books) private returns (Moved memory moved) {
        address tranche = cast.pools[p].tranche(index);
        moved.inward = _compareBatches(p, index, Tranche(tranche), batchLine[tranche]);
        moved.outward = _compareCohorts(Tranche(tranche), cohortLine[tranche], books);
    }

    function _compareBatches(uint256 p, uint256 index, Tranche tranche, Line storage line)
        private
        returns (bool moved)
    {
        Before storage b = _before[p];
        for (uint256 i = line.done; i < line.ids.length; ++i) {
            uint256 id = line.ids[i];
            (uint128 assets, uint48 processedAt, bool returned, uint256 shares) = tranche.batches(id);
            if (processedAt == 0) return moved;
            ++line.done;
            _did(returned ? bytes32("deposit returned") : bytes32("deposit processed"));
            if (returned) continue;
            moved = true;
            _rule(id < _now() / Bounds.EPOCH, "early deposit");
            // The price at which they were made is that before the step, or higher.
            uint256 worth = shares * (uint256(b.layers[index]) + 1);
            _rule(worth <= assets * (b.supply[index - 1] + Bounds.SHARE_OFFSET), "deposit above its worth");
        }
    }

    function _compareCohorts(Tranche tranche, Line storage line, bool books) private returns (bool moved) {
        uint256 epoch = _now() / Bounds.EPOCH;
        for (uint256 i = line.done; i < line.ids.length; ++i) {
            uint256 id = line.ids[i];
            (uint256 shares, uint256 left, uint256 cap, uint256 paid, uint256 lookedAt) = tranche.cohorts(id);
            if (paid != line.paid[id]) {
                moved = true;
                _did(left == 0 ? bytes32("exit paid") : bytes32("exit rolled"));
                _rule(paid - line.paid[id] <= line.cap[id], "exit above its worth");
                _rule(id <= epoch, "early exit");
                line.paid[id] = paid;
            }
            if (lookedAt != line.lookedAt[id]) {
                line.lookedAt[id] = lookedAt;
                // What was not paid earns again until the next look. A loss booked after it hides the price it had,
                // and what is worth nothing waits for what may come back.
                uint256 worth = tranche.convertToAssets(left);
                if (books) line.cap[id] = cap;
                else if (worth != 0) line.cap[id] = worth + 1;
            }
            if (left == 0 && shares != 0 && i == line.done) ++line.done;
        }
    }
}
