// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Product} from "../interfaces/ICatalog.sol";
import {Days} from "./Buckets.sol";

/// @title What one pool insures under one product, by day
/// @notice One policy of sum s is `expiring` on the day of its expiry and `releasing` on that of expiry + window. Both
///         writing and reading find the day by division of a time that is a multiple of a day.
library Exposure {
    using Checkpoints for Checkpoints.Trace208;
    using Days for Days.Sums;
    using SafeCast for uint256;

    uint256 internal constant DAY = 1 days;

    struct Cover {
        // The terms that are needed here, copied once: a product never changes.
        uint128 eventLimit;
        uint32 waitingPeriod;
        uint32 minTerm;
        uint32 maxTerm;
        uint16 deductibleBps;
        uint16 windowDays;
        bytes32 gauge;
        // What the curator allows. `live`: some setting has been in force.
        uint128 cap;
        uint64 floorRate;
        uint16 bountyBps;
        uint32 rolled; // day: all days up to it are in `expired` and out of `exposure`
        bool live;
        bytes32 cluster; // set by the first sale under certificates; zero: none yet
        // A looser setting that waits; none if `effectiveAt` is zero.
        uint128 pendingCap;
        uint64 pendingRate;
        uint64 effectiveAt;
        // Invariant: exposure is the sum of `releasing` over the days after `rolled`.
        uint128 exposure;
        uint128 expired; // the sum of `expiring` over the days up to `rolled`
        Days.Sums expiring; // in force until the day begins; what is paid later stays in it
        Days.Sums releasing; // stops counting for caps and price when the day begins
        Checkpoints.Trace208 incepted; // by inception, cumulative
        Checkpoints.Trace208 ended; // by time, cumulative: lowered, cancelled or paid before expiry
    }

    function init(Cover storage self, Product memory terms, uint256 time) internal {
        self.eventLimit = terms.eventLimit;
        self.waitingPeriod = terms.waitingPeriod;
        self.minTerm = terms.minTerm;
        self.maxTerm = terms.maxTerm;
        self.deductibleBps = terms.deductibleBps;
        // The catalog lists whole days only, at most a year of them.
        self.windowDays = uint16(terms.reportWindow / DAY);
        self.gauge = terms.gauge;
        self.bountyBps = terms.bountyBps;
        self.rolled = uint32(time / DAY);
    }

    /// @notice Cap and floor rate in force at `time`.
    function setting(Cover storage self, uint256 time)
        internal
        view
        returns (uint128 cap, uint64 floorRate, bool live)
    {
        uint64 effectiveAt = self.effectiveAt;
        if (effectiveAt != 0 && effectiveAt <= time) return (self.pendingCap, self.pendingRate, true);
        return (self.cap, self.floorRate, self.live);
    }

    /// @notice Exposure at `time`, after the days since the last roll.
    function exposureAt(Cover storage self, uint256 time) internal view returns (uint256 left) {
        left = self.exposure;
        left -= self.releasing.between(self.rolled, time / DAY, left);
    }

    function roll(Cover storage self, uint256 time) internal {
        (uint256 today, uint256 rolled) = (time / DAY, self.rolled);
        if (today == rolled) return;
        uint256 released = self.releasing.between(rolled, today, self.exposure);
        uint256 expired = self.expiring.between(rolled, today, _unexpired(self));
        self.rolled = uint32(today);
        // Both are parts of sums of 128 bits.
        (self.exposure, self.expired) = (uint128(self.exposure - released), uint128(self.expired + expired));
    }

    /// @notice Adds a policy; returns the day at which it stops counting. Rolled to now before.
    function add(Cover storage self, uint128 sum, uint256 inception, uint256 expiry)
        internal
        returns (uint256 out)
    {
        uint256 day = expiry / DAY;
        out = day + self.windowDays;
        self.expiring.add(day, sum);
        self.releasing.add(out, sum);
        self.exposure += sum;
        _grow(self.incepted, inception, sum);
    }

    /// @notice Takes `sum` of a policy out; returns the day whose release shrinks, zero if that day is past.
    ///         Rolled to now before.
    function remove(Cover storage self, uint128 sum, uint256 expiry, uint256 time)
        internal
        returns (uint256 out)
    {
        uint256 day = expiry / DAY;
        if (expiry > time) {
            self.expiring.remove(day, sum);
            _grow(self.ended, time, sum);
        }
        out = day + self.windowDays;
        if (out * DAY <= time) return 0;
        self.releasing.remove(out, sum);
        self.exposure -= sum;
    }

    /// @notice Sums of the policies whose cover includes second `time`, which is not after now.
    function inForce(Cover storage self, uint256 time) internal view returns (uint256) {
        uint256 incepted = inceptedBy(self, time);
        if (incepted == 0) return 0;
        (uint256 last, uint256 rolled, uint256 expired) = (time / DAY, self.rolled, self.expired);
        if (last > rolled) expired += self.expiring.between(rolled, last, _unexpired(self));
        else expired -= self.expiring.between(last, rolled, type(uint256).max);
        return incepted - self.ended.upperLookupRecent(time.toUint48()) - expired;
    }

    /// @notice Sums of all policies ever sold that incepted by `time`.
    function inceptedBy(Cover storage self, uint256 time) internal view returns (uint256) {
        return self.incepted.upperLookupRecent(time.toUint48());
    }

    /// @dev All that has not expired by `rolled`, later inceptions too; once it is gone, no later day holds anything.
    function _unexpired(Cover storage self) private view returns (uint256) {
        return uint256(self.incepted.latest()) - self.ended.latest() - self.expired;
    }

    function _grow(Checkpoints.Trace208 storage trace, uint256 time, uint256 sum) private {
        // Times that a policy can have fit into 48 bits, and sums of 128 bits can be added 2^80 times.
        trace.push(uint48(time), uint208(trace.latest() + sum));
    }
}
