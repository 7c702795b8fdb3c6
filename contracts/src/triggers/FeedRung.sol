// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Median} from "../feeds/Median.sol";
import {ICatalog} from "../interfaces/ICatalog.sol";
import {DepegTerms, IFeedRung} from "../interfaces/IFeedRung.sol";
import {IHistory} from "../interfaces/IHistory.sol";
import {Claims, IHoldings} from "../interfaces/IHoldings.sol";
import {IIncidents, Incident, Measurement} from "../interfaces/IIncidents.sol";
import {Run} from "../interfaces/IRunRung.sol";
import {Trigger} from "../interfaces/ITriggers.sol";
import {Runs} from "../libraries/Runs.sol";
import {Holdings} from "./Holdings.sol";
import {RunRung} from "./RunRung.sol";

/// @title FeedRung
/// @notice Has no owner and no parameter. Why buying at the brink does not pay: only policies that incepted by the last
///         observation at or above the strike are covered, inception is a waiting period after the purchase, and
///         nothing is sold within the margin above the strike. So the price must fall from above the margin and still
///         be seen above the strike a whole waiting period later.
contract FeedRung is IFeedRung, RunRung {
    /// @dev What counts of a run once it opened an incident.
    struct Count {
        bytes32 trigger;
        uint128 price; // wad: the best median since, at first the time-weighted one
        uint64 passed; // seconds of the trigger's downtime that were passed on
        uint64 later; // of them, after the opening
    }

    bytes32 private constant TAG = "breakwater.depeg/1";
    uint256 private constant WAD = 1e18;
    /// @notice Seconds that feeds which die after the opening add to the claims at most: positions are proven without
    ///         any feed, and feeds that are gone for ever must not hold a pool's reserve for ever.
    uint64 public constant MAX_LATER = 14 days;

    mapping(uint256 id => Count) private _counts;

    constructor(IHistory history_, ICatalog catalog_, IIncidents incidents_)
        Holdings(history_, catalog_, incidents_)
    {}

    /// @inheritdoc IFeedRung
    function review(uint256 id) external nonReentrant {
        bytes32 trigger = _counted(id);
        bytes memory encoded = _termsOf(trigger);
        _observe(trigger, encoded);
        DepegTerms memory t = _decode(encoded);
        uint128 price = _counts[id].price;
        Incident memory incident = incidents.incident(id);
        // Whoever could sell at the strike again in the dwell need not be paid.
        uint128 loss = price >= t.strike ? 0 : _lossAt(t, price);
        if (loss >= incident.loss) revert NotLower(id, loss, incident.loss);
        Measurement memory m = Measurement({
            onset: incident.onset,
            // The same, so that the positions that were proven stay so.
            reading: incident.reading,
            onsetTime: incident.onsetTime,
            afterTime: incident.afterTime,
            base: incident.base,
            loss: loss,
            evidence: keccak256(abi.encode(incident.evidence, price))
        });
        incidents.revise(id, m);
        emit Counted(id, price, loss, 0);
    }

    /// @inheritdoc IFeedRung
    function extend(uint256 id) external nonReentrant {
        bytes32 trigger = _counted(id);
        Run memory r = _observe(trigger, _termsOf(trigger));
        Count storage c = _counts[id];
        uint64 dead = uint64(Math.min(r.downtime - c.passed, MAX_LATER - c.later));
        if (dead == 0) revert NoDowntime(id);
        c.passed = r.downtime;
        c.later += dead;
        _extend(id, dead);
    }

    /// @inheritdoc IHoldings
    function sellable(bytes32 trigger) external view returns (bool) {
        if (terms[trigger].length == 0) return false;
        DepegTerms memory t = _decode(terms[trigger]);
        Median.Answer memory now_ = Median.read(t.sources, block.timestamp);
        // The lower middle, and the bound rounded up: doubt closes the sale.
        uint256 bound = uint256(t.strike) + Math.mulDiv(t.strike, t.margin, WAD, Math.Rounding.Ceil);
        return now_.ok && now_.low >= bound;
    }

    function _tag() internal pure override returns (bytes32) {
        return TAG;
    }

    function _check(Trigger calldata trigger) internal pure override returns (Claims memory) {
        DepegTerms memory t = _decode(trigger.terms);
        Median.check(t.sources);
        _within("strike", t.strike, 1, type(uint128).max);
        _within("par", t.par, t.strike, type(uint128).max);
        _within("base", t.base, 1, type(uint128).max);
        _within("margin", t.margin, 0, WAD);
        _within("maxGap", t.maxGap, 1, type(uint32).max);
        _within("period", t.period, t.maxGap, 90 days);
        return t.claims;
    }

    function _claimsIn(bytes memory encoded) internal pure override returns (Claims memory) {
        return _decode(encoded).claims;
    }

    function _decode(bytes memory encoded) private pure returns (DepegTerms memory t) {
        (, t) = abi.decode(encoded, (bytes32, DepegTerms));
    }

    function _sizeOf(bytes memory encoded) internal pure override returns (uint128 base, uint32 period) {
        DepegTerms memory t = _decode(encoded);
        return (t.base, t.period);
    }

    function _lossOf(bytes memory encoded, Run memory r) internal pure override returns (uint128) {
        return _lossAt(_decode(encoded), _mean(r));
    }

    function _opened(bytes32 trigger, uint256 id, Run memory r, uint128 loss, uint64 dead) internal override {
        _counts[id] = Count(trigger, _mean(r), r.downtime, 0);
        emit Counted(id, _mean(r), loss, dead);
    }

    /// @dev Rounded up, in favour of the pools.
    function _mean(Run memory r) private pure returns (uint128) {
        return uint128(Math.ceilDiv(r.sum, r.elapsed));
    }

    function _observe(bytes32 trigger, bytes memory encoded) internal override returns (Run memory r) {
        DepegTerms memory t = _decode(encoded);
        r = _runs[trigger];
        Median.Answer memory answer = Median.read(t.sources, block.timestamp);
        // Of two middle answers the higher, in favour of the pools: it ends a run and lowers a loss.
        uint128 price = answer.high;
        Count storage c = _counts[r.incident];
        if (answer.ok && r.incident != 0 && price > c.price) c.price = price;
        bool healthy = answer.ok && price >= t.strike;
        Runs.Look memory look = Runs.Look(answer.ok, healthy, price, answer.upSince, 0);
        if (healthy) look.number = _anchored();
        bool restarted = Runs.observe(r, look, uint64(block.timestamp), t.maxGap);
        _runs[trigger] = r;
        emit Observed(trigger, answer.ok, price, restarted, r);
    }

    function _counted(uint256 id) private view returns (bytes32 trigger) {
        trigger = _counts[id].trigger;
        if (trigger == 0) revert IIncidents.UnknownIncident(id);
    }

    /// @dev Rounded down, in favour of the pools; the price is below the strike and so below par.
    function _lossAt(DepegTerms memory t, uint128 price) private pure returns (uint128) {
        return uint128(Math.mulDiv(t.base, t.par - price, t.par));
    }
}
