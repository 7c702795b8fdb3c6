// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICatalog} from "../interfaces/ICatalog.sol";
import {IExtensions} from "../interfaces/IExtensions.sol";
import {IIncidents, Incident, Measurement, Rung, Status} from "../interfaces/IIncidents.sol";
import {ILadder} from "../interfaces/ILadder.sol";
import {IPool} from "../interfaces/IPool.sol";
import {Registry} from "./Registry.sol";
import {Rungs} from "./Rungs.sol";

/// @title Incidents
/// @notice Holds no money. Pools are called without a catch: a caller could else hand over too little gas for
///         one of them and so leave it unbooked. The states are in docs/design.md and docs/ladder.md.
contract Incidents is Registry, ReentrancyGuardTransient {
    /// @notice What goes beyond the word of the rung that opened an incident.
    struct Doubt {
        uint128 undisputed; // the lowest of all challenges; gauge units
        uint128 asserted; // while Disputed: what the pools are booked for
        bool held; // nobody's word alone ends it
        bool delayed; // it waited for the guardian
        bool uncounted; // the assembly's, or over: no longer in the account of its rung
    }

    uint256 private constant WAD = 1e18;
    /// @dev Windows in a span: nothing raises a loss later than this after its opening.
    uint64 public constant SPAN = 8;
    /// @dev The part of a window that every revision leaves for an answer.
    uint64 public constant ANSWER = 4;
    /// @dev The part of the threshold by which a revision behind the span must move the loss fraction.
    uint256 public constant STEP = 8;

    /// @inheritdoc IIncidents
    uint256 public count;
    /// @dev The gauge's incident of the blocks before this one's that was not voided; its reading <= this one's onset.
    mapping(uint256 id => uint256 earlier) private _previous;
    /// @inheritdoc IIncidents
    mapping(bytes32 gauge => uint256 id) public latest;
    /// @dev Last reading of the gauge's incidents that were voided, of those of the proof rung and of the others: it
    ///      was healthy there. What others said of it binds no proof.
    mapping(bytes32 gauge => mapping(bool proof => uint64 reading)) private _voidedAt;
    mapping(uint256 id => Doubt doubt) private _doubts;

    constructor(ICatalog catalog_, address authority) Rungs(catalog_, authority) {}

    /// @inheritdoc IIncidents
    function open(bytes32 gauge, Rung rung, address opener, Measurement calldata m)
        external
        nonReentrant
        returns (uint256 id)
    {
        if (_rung[msg.sender] != 1 + uint256(rung)) revert NotRung(msg.sender, rung);
        ICatalog.GaugeInfo memory info = _info(gauge);
        if (info.rungs >> uint8(rung) & 1 == 0) revert RungNotAllowed(gauge, uint8(rung));
        _checkShape(m);
        _checkSpan(m, gauge, rung);
        (uint256 above, uint256 below) = _place(gauge, rung, m, info.threshold);
        // The gauge was healthy at the voiding block, so a dip before it is over.
        uint64 healthy = _healthyAt(gauge, rung);
        if (m.reading <= healthy) revert ReadingTooEarly(m.reading, healthy);
        uint256 lambda = _lambda(m.loss, m.base);
        if (lambda < info.threshold) revert BelowThreshold(lambda, info.threshold);

        id = ++count;
        _previous[id] = below;
        if (above == 0) latest[gauge] = id;
        else _previous[above] = id;
        _subjectOf[id] = info.subject;
        Incident storage incident_ = _incidents[id];
        incident_.gauge = gauge;
        incident_.opener = opener;
        incident_.openedAt = uint64(block.number);
        incident_.openedTime = uint64(block.timestamp);
        incident_.rung = rung;
        incident_.status = Status.Dwelling;
        incident_.rungContract = msg.sender;
        uint64 dwellEnd = uint64(block.number) + window(uint8(rung));
        incident_.dwellEnd = dwellEnd;
        incident_.spanEnd = uint64(block.number) + SPAN * window(uint8(rung));
        incident_.peak = uint64(lambda);
        _measure(incident_, m);
        emit Opened(id, gauge, rung, opener, m, dwellEnd);
        _book(id, incident_, m.loss);
    }

    /// @inheritdoc IIncidents
    function revise(uint256 id, Measurement calldata m) external nonReentrant {
        Incident storage incident_ = _ofCaller(id);
        _checkShape(m);
        _checkDwelling(id, incident_);
        uint256 lambda = _lambda(m.loss, m.base);
        bool raises = lambda > incident_.peak;
        if (raises && block.number > incident_.spanEnd) {
            revert SpanOver(id, incident_.spanEnd, block.number);
        }
        bytes32 gauge = incident_.gauge;
        if (
            m.onset > incident_.onset || (m.onset < incident_.onset && !raises)
                || m.reading < incident_.reading || _meets(id, gauge, incident_.rung, m.reading)
        ) revert RevisionBackwards(id, m.onset, m.reading);
        if (raises) {
            _checkSpan(m, gauge, incident_.rung);
            _checkOnset(m, incident_.rung, id);
            incident_.peak = uint64(lambda);
        }
        if (
            m.onset == incident_.onset && m.reading == incident_.reading && m.loss == incident_.loss
                && m.base == incident_.base
        ) revert NothingNew(id);
        // Behind the span only what moves the loss counts; else anyone could prove block after block for ever.
        uint256 threshold = _info(gauge).threshold;
        if (block.number > incident_.spanEnd && !_moves(_lambdaOf(incident_), lambda, threshold)) {
            revert NothingNew(id);
        }
        // News of a higher loss gives a whole window to answer it, anything proven before a quarter.
        uint64 dwellEnd = _extend(incident_, raises ? 1 : ANSWER);
        _measure(incident_, m);
        emit Revised(id, m, dwellEnd);
        _book(id, incident_, lambda < threshold ? 0 : m.loss);
    }

    /// @inheritdoc IIncidents
    function finalise(uint256 id) external nonReentrant {
        Incident storage incident_ = _known(id);
        Status status = incident_.status;
        if (status != Status.Dwelling && status != Status.Disputed) revert NotDwelling(id, status);
        if (block.number <= incident_.dwellEnd) revert DwellNotOver(id, incident_.dwellEnd, block.number);
        Doubt storage doubt = _doubts[id];
        // The assembly had its time: the last rung that decided anything stands, and nothing is denied by silence.
        if (status == Status.Disputed) return _decide(id, incident_, doubt.asserted);
        if (_lambdaOf(incident_) < _info(incident_.gauge).threshold) return _void(id, incident_, false);
        address[] memory pools = catalog.poolsOf(incident_.gauge);
        if (!doubt.delayed && _great(id, pools)) return _delay(id, incident_, doubt);
        uint128 loss = incident_.loss;
        uint128 undisputed = _undisputed(incident_, doubt);
        if (undisputed < loss && _hasAssembly) {
            uint64 decideBy = uint64(block.number) + window(uint8(Rung.Assembly));
            (doubt.asserted, incident_.loss) = (loss, undisputed);
            (incident_.status, incident_.dwellEnd) = (Status.Disputed, decideBy);
            emit Disputed(id, undisputed, loss, decideBy);
        } else {
            emit Finalised(id, _end(incident_));
        }
        _settle(id, pools);
    }

    // ----- the ladder -----

    /// @inheritdoc ILadder
    function hold(uint256 id, uint128 undisputed) external {
        Incident storage incident_ = _ofCaller(id);
        _checkDwelling(id, incident_);
        if (undisputed >= incident_.loss) revert OutsideDispute(undisputed, 0, incident_.loss);
        _hold(id, undisputed, msg.sender);
    }

    /// @inheritdoc ILadder
    function escalate(uint256 id) external {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        Incident storage incident_ = _known(id);
        _checkDwelling(id, incident_);
        Doubt storage doubt = _doubts[id];
        bool done = doubt.held && doubt.undisputed == 0;
        if (!doubt.delayed || done) revert NotDelayed(id);
        _hold(id, 0, msg.sender);
    }

    /// @inheritdoc ILadder
    function decide(uint256 id, uint128 loss) external nonReentrant {
        if (_rung[msg.sender] != 1 + uint256(Rung.Assembly)) revert NotRung(msg.sender, Rung.Assembly);
        Incident storage incident_ = _known(id);
        _checkDispute(id, incident_, loss);
        _decide(id, incident_, loss);
    }

    /// @inheritdoc ILadder
    function overrule(uint256 id, uint128 loss) external nonReentrant {
        Incident storage incident_ = _ofCaller(id);
        if (incident_.status == Status.Disputed) {
            _checkDispute(id, incident_, loss);
            return _decide(id, incident_, loss);
        }
        _checkDwelling(id, incident_);
        if (loss >= incident_.loss) revert OutsideDispute(loss, 0, incident_.loss);
        Doubt storage doubt = _doubts[id];
        (doubt.held, doubt.undisputed) = (false, 0);
        incident_.loss = loss;
        emit Overruled(id, loss, _extend(incident_, ANSWER));
        _book(id, incident_, _lambdaOf(incident_) < _info(incident_.gauge).threshold ? 0 : loss);
    }

    /// @inheritdoc ILadder
    function release(uint256 id) external nonReentrant {
        Incident storage incident_ = _known(id);
        bool over = incident_.status == Status.Final && block.timestamp > incident_.claimsEnd;
        if (!over) revert IncidentNotOver(id, incident_.claimsEnd);
        if (_doubts[id].uncounted || incident_.rung == Rung.Proof) revert NothingNew(id);
        _leave(id, incident_, catalog.poolsOf(incident_.gauge));
        emit Uncounted(id);
    }

    /// @inheritdoc IExtensions
    function extend(uint256 id, uint64 time) external {
        Incident storage incident_ = _ofCaller(id);
        _checkClaims(id, incident_);
        uint32 claimsEnd = incident_.claimsEnd;
        if (claimsEnd == 0) incident_.openedTime = uint64(Math.saturatingSub(incident_.openedTime, time));
        else claimsEnd = uint32(Math.min(uint256(claimsEnd) + time, type(uint32).max));
        incident_.claimsEnd = claimsEnd;
        emit Extended(id, incident_.openedTime, claimsEnd);
    }

    /// @inheritdoc ILadder
    function asserted(uint256 id) external view returns (uint128) {
        Incident storage incident_ = _incidents[id];
        return incident_.status == Status.Disputed ? _doubts[id].asserted : incident_.loss;
    }

    /// @inheritdoc ILadder
    function held(uint256 id) external view returns (bool) {
        return _doubts[id].held;
    }

    // ----- views -----

    /// @inheritdoc IIncidents
    function dwelling(bytes32 gauge, uint64 onset) external view returns (uint256 id) {
        uint256 next = latest[gauge];
        for (uint256 i; i < LOOK_BACK && _incidents[next].reading > onset; ++i) {
            Incident storage incident_ = _incidents[next];
            if (incident_.status == Status.Dwelling && incident_.rung == Rung.Proof) id = next;
            next = _previous[next];
        }
    }

    /// @inheritdoc IIncidents
    function touched(bytes32 gauge, uint256 from, uint256 to) external view returns (bool) {
        uint256 id = latest[gauge];
        for (uint256 i; i < LOOK_BACK && id != 0; ++i) {
            Incident storage incident_ = _incidents[id];
            uint256 time = incident_.onsetTime;
            bool open_ = incident_.status != Status.Final || incident_.claimsEnd >= block.timestamp;
            if (open_ && from <= time && time <= to) return true;
            id = _previous[id];
        }
        return false;
    }

    // ----- states -----

    /// @dev Where among the gauge's incidents, which lie in the order of their blocks, a new one belongs: voids what it
    ///      takes the place of; reverts if one stands in its way.
    function _place(bytes32 gauge, Rung rung, Measurement calldata m, uint256 threshold)
        private
        returns (uint256 above, uint256 below)
    {
        bool proof = rung == Rung.Proof;
        below = latest[gauge];
        for (uint256 passed; below != 0;) {
            Incident storage next = _incidents[below];
            bool dwells = next.status == Status.Dwelling;
            bool report = next.rung == Rung.Quorum;
            if (m.onset >= next.reading) {
                // A refuted incident that nobody answered must not keep a later one out.
                if (dwells && _lambdaOf(next) < threshold) {
                    _void(below, next, false);
                } else {
                    // Nor may a report, which is open for long, keep the proof of another loss out: both stand.
                    if (dwells && !(proof && report)) revert AlreadyDwelling(below);
                    return (above, below);
                }
            } else if (m.reading > next.onset && proof && _unpaidReport(next)) {
                // A proof needs nobody's word, so it stands above what reporters said of the same blocks.
                _void(below, next, true);
            } else {
                if (dwells && !(proof && report && m.reading <= next.onset)) revert AlreadyDwelling(below);
                if (m.reading > next.onset || ++passed == LOOK_BACK) {
                    revert OnsetTooEarly(m.onset, next.reading);
                }
                // What was decided of later blocks keeps no loss of earlier ones out.
                above = below;
            }
            below = above == 0 ? latest[gauge] : _previous[above];
        }
    }

    /// @dev Whether the reading would lie behind the onset of the incident after this one, whose blocks these are; an
    ///      unpaid report makes room for a proof.
    function _meets(uint256 id, bytes32 gauge, Rung rung, uint64 reading) private returns (bool) {
        for (uint256 later = _above(id, gauge); later != 0; later = _above(id, gauge)) {
            Incident storage next = _incidents[later];
            if (reading <= next.onset) return false;
            if (rung != Rung.Proof || !_unpaidReport(next)) return true;
            _void(later, next, true);
        }
        return false;
    }

    /// @dev The incident that lies behind this one; zero for none. Few steps: there are only those that were opened
    ///      later, and those that it was put below.
    function _above(uint256 id, bytes32 gauge) private view returns (uint256 later) {
        for (uint256 next = latest[gauge]; next != id; next = _previous[next]) {
            later = next;
        }
    }

    function _unpaidReport(Incident storage incident_) private view returns (bool) {
        bool open_ = incident_.status == Status.Dwelling || incident_.status == Status.Disputed;
        return open_ && incident_.rung == Rung.Quorum && incident_.paid == 0;
    }

    function _delay(uint256 id, Incident storage incident_, Doubt storage doubt) private {
        uint64 dwellEnd = uint64(block.number) + guardianDelay;
        (doubt.delayed, incident_.dwellEnd) = (true, dwellEnd);
        emit Delayed(id, dwellEnd);
    }

    function _hold(uint256 id, uint128 undisputed, address by) private {
        Doubt storage doubt = _doubts[id];
        if (doubt.held && doubt.undisputed < undisputed) undisputed = doubt.undisputed;
        (doubt.held, doubt.undisputed) = (true, undisputed);
        emit Held(id, undisputed, by);
    }

    /// @dev Ends a dispute: void below the threshold, else final.
    function _decide(uint256 id, Incident storage incident_, uint128 loss) private {
        if (_lambda(loss, incident_.base) < _info(incident_.gauge).threshold) {
            return _void(id, incident_, false);
        }
        incident_.loss = loss;
        _leave(id, incident_, catalog.poolsOf(incident_.gauge));
        emit Decided(id, loss, _end(incident_));
        _book(id, incident_, loss);
        // The pools keep the curators' locks while it is disputed.
        _settle(id, catalog.poolsOf(incident_.gauge));
    }

    function _end(Incident storage incident_) private returns (uint32 claimsEnd) {
        claimsEnd = uint32(block.timestamp) + claimWindow;
        (incident_.status, incident_.claimsEnd) = (Status.Final, claimsEnd);
    }

    /// @dev The incident never was: what came before it is the latest again.
    function _void(uint256 id, Incident storage incident_, bool outranked) private {
        (bytes32 gauge, uint64 reading) = (incident_.gauge, incident_.reading);
        bool proof = incident_.rung == Rung.Proof;
        // One that was refuted is booked at nothing already.
        Status status = incident_.status;
        bool booked = outranked || status == Status.Disputed;
        incident_.status = Status.Voided;
        _unlink(id, gauge);
        if (outranked) {
            // A proof says that it was not healthy there, so nobody found the report to be wrong: it keeps its figure.
            if (status == Status.Disputed) incident_.loss = _doubts[id].asserted;
            // A window in which those who said it can still be proven wrong.
            incident_.dwellEnd = uint64(block.number) + window(uint8(incident_.rung));
            emit Outranked(id);
        } else {
            if (reading > _voidedAt[gauge][proof]) _voidedAt[gauge][proof] = reading;
            emit Voided(id, reading);
        }
        address[] memory pools = catalog.poolsOf(gauge);
        _leave(id, incident_, pools);
        if (booked) _bookAll(id, incident_, 0, pools);
        _settle(id, pools);
    }

    function _unlink(uint256 id, bytes32 gauge) private {
        uint256 later = _above(id, gauge);
        if (later == 0) latest[gauge] = _previous[id];
        else _previous[later] = _previous[id];
    }

    /// @dev Leaves at least the `part`-th part of its window for an answer.
    function _extend(Incident storage incident_, uint64 part) private returns (uint64 dwellEnd) {
        uint64 answer = uint64(block.number) + window(uint8(incident_.rung)) / part;
        dwellEnd = uint64(Math.max(incident_.dwellEnd, answer));
        incident_.dwellEnd = dwellEnd;
    }

    function _measure(Incident storage incident_, Measurement calldata m) private {
        incident_.onset = m.onset;
        incident_.reading = m.reading;
        incident_.onsetTime = m.onsetTime;
        incident_.afterTime = m.afterTime;
        incident_.base = m.base;
        incident_.loss = m.loss;
        incident_.evidence = m.evidence;
    }

    // ----- pools -----

    /// @dev Every pool of the gauge books the incident as it is measured now, or with loss zero; what then is too much
    ///      for the word of its rung goes to the assembly.
    function _book(uint256 id, Incident storage incident_, uint128 loss) private {
        address[] memory pools = catalog.poolsOf(incident_.gauge);
        _bookAll(id, incident_, loss, pools);
        if (incident_.rung == Rung.Proof || _doubts[id].uncounted) return;
        if (!_count(id, incident_.rung, pools)) return;
        _leave(id, incident_, pools);
        _hold(id, 0, address(this));
    }

    function _bookAll(uint256 id, Incident storage incident_, uint128 loss, address[] memory pools) private {
        (uint64 onsetTime, uint128 base, bytes32 gauge) =
            (incident_.onsetTime, incident_.base, incident_.gauge);
        uint256 returned;
        for (uint256 i; i < pools.length; ++i) {
            returned += IPool(pools[i]).book(id, gauge, onsetTime, loss, base);
        }
        if (returned == 0) return;
        uint128 paid = uint128(Math.saturatingSub(incident_.paid, returned));
        incident_.paid = paid;
        emit Returned(id, returned, paid);
    }

    function _settle(uint256 id, address[] memory pools) private {
        for (uint256 i; i < pools.length; ++i) {
            IPool(pools[i]).settleBooking(id);
        }
    }

    /// @dev It no longer counts towards the ceiling of its rung, nor will.
    function _leave(uint256 id, Incident storage incident_, address[] memory pools) private {
        if (incident_.rung == Rung.Proof) return;
        _doubts[id].uncounted = true;
        _uncount(id, incident_.rung, pools);
    }

    // ----- checks -----

    function _info(bytes32 gauge) private view returns (ICatalog.GaugeInfo memory info) {
        info = catalog.gaugeInfo(gauge);
        if (info.listedAt == 0) revert UnknownGauge(gauge);
    }

    function _checkShape(Measurement calldata m) private view {
        if (m.reading <= m.onset || m.afterTime <= m.onsetTime || m.base == 0 || m.loss > m.base) {
            revert BadMeasurement(m.onset, m.reading, m.base, m.loss);
        }
        if (m.reading >= block.number) revert NotMined(m.reading, block.number);
    }

    function _checkDwelling(uint256 id, Incident storage incident_) private view {
        if (incident_.status != Status.Dwelling) revert NotDwelling(id, incident_.status);
        if (block.number > incident_.dwellEnd) revert DwellOver(id, incident_.dwellEnd, block.number);
    }

    function _checkDispute(uint256 id, Incident storage incident_, uint128 loss) private view {
        if (incident_.status != Status.Disputed) revert NotDisputed(id, uint8(incident_.status));
        (uint128 least, uint128 most) = (incident_.loss, _doubts[id].asserted);
        if (loss < least || loss > most) revert OutsideDispute(loss, least, most);
    }

    /// @dev Keeps anyone from stretching an old small loss over a new great one: its early onset would shut
    ///      out the policies that incepted in between.
    function _checkSpan(Measurement calldata m, bytes32 gauge, Rung rung) private view {
        // Feeds and canaries watch without a break from the onset on, for as long as their terms say.
        if (rung == Rung.Feed || rung == Rung.Canary) return;
        uint256 last = Math.max(m.onset, _healthyAt(gauge, rung)) + SPAN * window(uint8(rung));
        if (m.reading > last) revert ReadingTooLate(m.reading, last);
    }

    /// @dev No block may count in two incidents; unpaid reports make room for a proof. Zero has reading zero.
    function _checkOnset(Measurement calldata m, Rung rung, uint256 id) private {
        for (uint256 earlier = _previous[id]; m.onset < _incidents[earlier].reading; earlier = _previous[id]) {
            Incident storage next = _incidents[earlier];
            bool yields = rung == Rung.Proof && _unpaidReport(next);
            if (!yields) revert OnsetTooEarly(m.onset, next.reading);
            _void(earlier, next, true);
        }
    }

    /// @dev The last block in which the gauge was found healthy by those who may say so to `rung`.
    function _healthyAt(bytes32 gauge, Rung rung) private view returns (uint64) {
        uint64 proven = _voidedAt[gauge][true];
        return rung == Rung.Proof ? proven : uint64(Math.max(proven, _voidedAt[gauge][false]));
    }

    /// @dev What of the loss nobody disputes; below the threshold it is nothing.
    function _undisputed(Incident storage incident_, Doubt storage doubt) private view returns (uint128) {
        uint128 undisputed = doubt.undisputed;
        if (!doubt.held || undisputed >= incident_.loss) return incident_.loss;
        bool enough = _lambda(undisputed, incident_.base) >= _info(incident_.gauge).threshold;
        return enough ? undisputed : 0;
    }

    /// @dev Whether two loss fractions are at least an eighth of the threshold, rounded up, apart.
    function _moves(uint256 before, uint256 lambda, uint256 threshold) private pure returns (bool) {
        uint256 distance = lambda > before ? lambda - before : before - lambda;
        return distance >= Math.ceilDiv(threshold, STEP);
    }

    function _lambdaOf(Incident storage incident_) private view returns (uint256) {
        return _lambda(incident_.loss, incident_.base);
    }

    /// @dev Loss as a fraction, wad, rounded down: in favour of the pools.
    function _lambda(uint256 loss, uint256 base) private pure returns (uint256) {
        return loss * WAD / base;
    }
}
