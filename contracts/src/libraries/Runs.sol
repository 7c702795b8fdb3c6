// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Run} from "../interfaces/IRunRung.sol";

/// @title What observations make of a run
/// @notice A run is time in which every look found something wrong. Dead time pauses it, health ends it.
library Runs {
    struct Look {
        bool live; // whether there was an answer
        bool healthy; // only if live
        uint128 price; // wad; only if live
        uint64 upSince; // seconds: when the sequencer last came back; zero: no matter
        uint64 number; // block that a healthy look proves
    }

    /// @notice Writes down what is seen at `time`. Answers whether the run began anew, after too long without a look.
    function observe(Run memory r, Look memory look, uint64 time, uint32 maxGap)
        internal
        pure
        returns (bool restarted)
    {
        if (r.last != 0) restarted = _pass(r, look, time, maxGap);
        if (look.healthy) {
            (r.onset, r.onsetTime) = (look.number, time);
            (r.since, r.elapsed, r.sum, r.incident) = (0, 0, 0, 0);
            r.downBefore = r.downtime;
        } else if (r.onset != 0 && r.since == 0) {
            // After the onset even within its second, as an incident must be.
            r.since = uint64(Math.max(time, r.onsetTime + 1));
        }
        (r.last, r.live) = (time, look.live);
        if (look.live) r.price = look.price;
    }

    /// @dev Counts the time since the last look as part of the run, as dead time, or not at all.
    function _pass(Run memory r, Look memory look, uint64 time, uint32 maxGap)
        private
        pure
        returns (bool restarted)
    {
        uint64 gap = time - r.last;
        // While the sequencer was down nobody could look.
        bool cutOff = look.upSince > r.last;
        if (!look.live || !r.live || cutOff) {
            // How long the feeds still lived after the last look is unknown: no longer than one gap counts.
            r.downtime += r.live && !cutOff ? uint64(Math.min(gap, maxGap)) : gap;
            return false;
        }
        if (look.healthy || r.since == 0) return false;
        if (gap > maxGap) {
            // The onset stays: policies that incepted since were bought with the run unseen.
            (r.elapsed, r.sum, r.since) = (0, 0, time);
            return true;
        }
        r.elapsed += gap;
        // The better of both ends, in favour of the pools.
        r.sum += uint256(gap) * Math.max(r.price, look.price);
    }
}
