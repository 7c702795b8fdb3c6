// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Median} from "../feeds/Median.sol";
import {ICatalog} from "../interfaces/ICatalog.sol";
import {IHistory} from "../interfaces/IHistory.sol";
import {Claims, IHoldings} from "../interfaces/IHoldings.sol";
import {IIncidents, Measurement} from "../interfaces/IIncidents.sol";
import {ISeriesRung, Observation, Series, SeriesTerms} from "../interfaces/ISeriesRung.sol";
import {Trigger} from "../interfaces/ITriggers.sol";
import {Divergence} from "../libraries/Divergence.sol";
import {Holdings} from "./Holdings.sol";

/// @title SeriesRung
/// @notice Has no owner and no parameter. A series is sold only before its start, so that everybody bought before the
///         prices that it is measured from were known.
contract SeriesRung is ISeriesRung, Holdings {
    bytes32 private constant TAG = "breakwater.series/1";

    mapping(bytes32 trigger => Series) private _series;

    constructor(IHistory history_, ICatalog catalog_, IIncidents incidents_)
        Holdings(history_, catalog_, incidents_)
    {}

    /// @inheritdoc ISeriesRung
    function poke(bytes32 trigger) external nonReentrant {
        SeriesTerms memory t = _decode(_termsOf(trigger));
        Series memory s = _series[trigger];
        uint64 time = uint64(block.timestamp);
        bool started = s.first.number != 0;
        uint64 due = started ? t.end : t.start;
        // Both observations are made, the next is not due yet, or the first would be none before the second.
        if (s.second.number != 0 || time < due || (!started && time >= t.end)) {
            revert OutsideSeries(trigger, time);
        }
        Median.Answer memory x = Median.read(t.x, time);
        Median.Answer memory y = Median.read(t.y, time);
        uint64 down = _downtime(s, due, Math.max(x.upSince, y.upSince), started ? s.endDown : s.startDown);
        // Nobody may choose the price by waiting; dead time alone moves the limit.
        if (time - due > uint256(t.maxGap) + down) revert OutsideSeries(trigger, time);
        if (started) s.endDown = down;
        else s.startDown = down;
        bool live = x.ok && y.ok;
        (s.last, s.dead) = (time, !live);
        if (live) {
            // The higher middle of both prices at both times, so that nobody's choice enters the ratio.
            Observation memory o = Observation(_anchored(), time, x.high, y.high);
            if (started) s.second = o;
            else s.first = o;
        }
        _series[trigger] = s;
        emit Observed(trigger, live, s);
    }

    /// @inheritdoc ISeriesRung
    function open(bytes32 trigger) external nonReentrant returns (uint256 id) {
        SeriesTerms memory t = _decode(_termsOf(trigger));
        Series memory s = _series[trigger];
        if (s.incident != 0) revert AlreadyOpened(trigger, s.incident);
        if (s.second.number == 0) revert SeriesOpen(trigger);
        uint256 lost = Divergence.loss(s.first.x, s.first.y, s.second.x, s.second.y);
        Measurement memory m = Measurement({
            onset: s.first.number,
            reading: s.second.number,
            onsetTime: s.first.time,
            // As agreed, not as observed: feeds that were dead at the end must not move it behind an expiry.
            afterTime: t.end,
            base: t.base,
            // Rounded down, in favour of the pools.
            loss: uint128(Math.mulDiv(t.base, lost, Divergence.WAD)),
            evidence: keccak256(abi.encode(s.first, s.second))
        });
        id = _open(trigger, m);
        _series[trigger].incident = id;
        emit SeriesOpened(trigger, id);
        _extend(id, s.startDown + s.endDown);
    }

    /// @inheritdoc IHoldings
    function sellable(bytes32 trigger) external view returns (bool) {
        bytes memory encoded = terms[trigger];
        if (encoded.length == 0) return false;
        SeriesTerms memory t = _decode(encoded);
        if (block.timestamp >= t.start) return false;
        return Median.read(t.x, block.timestamp).ok && Median.read(t.y, block.timestamp).ok;
    }

    /// @inheritdoc ISeriesRung
    function series(bytes32 trigger) external view returns (Series memory) {
        return _series[trigger];
    }

    function _tag() internal pure override returns (bytes32) {
        return TAG;
    }

    function _check(Trigger calldata trigger) internal pure override returns (Claims memory) {
        SeriesTerms memory t = _decode(trigger.terms);
        Median.check(t.x);
        Median.check(t.y);
        _within("start", t.start, 1, type(uint64).max - 1);
        _within("end", t.end, uint256(t.start) + 1, type(uint64).max);
        _within("maxGap", t.maxGap, 1, type(uint32).max);
        _within("base", t.base, 1, type(uint128).max);
        return t.claims;
    }

    function _claimsIn(bytes memory encoded) internal pure override returns (Claims memory) {
        return _decode(encoded).claims;
    }

    /// @dev Dead time since an observation was due, with that since the last look. The time up to a first dead look
    ///      counts as live: `maxGap` leaves room for it.
    function _downtime(Series memory s, uint64 due, uint256 upSince, uint64 before)
        private
        view
        returns (uint64)
    {
        uint64 from = uint64(Math.max(s.last, due));
        bool wasDead = s.dead && s.last >= due;
        return wasDead || upSince > from ? before + uint64(block.timestamp) - from : before;
    }

    function _decode(bytes memory encoded) private pure returns (SeriesTerms memory t) {
        (, t) = abi.decode(encoded, (bytes32, SeriesTerms));
    }
}
