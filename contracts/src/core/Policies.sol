// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ICatalog, Product} from "../interfaces/ICatalog.sol";
import {IIncidents, Incident, Rung, Status} from "../interfaces/IIncidents.sol";
import {ILadder} from "../interfaces/ILadder.sol";
import {IPolicies, Policy, Purchase} from "../interfaces/IPolicies.sol";
import {IPool, PayOrder, Reduction} from "../interfaces/IPool.sol";
import {IPolicyDesk} from "../interfaces/IPolicyDesk.sol";
import {ISalvage} from "../interfaces/ISalvage.sol";
import {Due} from "../libraries/Due.sol";
import {Salvage} from "../reinsurance/Salvage.sol";
import {PoliciesBase} from "./PoliciesBase.sol";

/// @title Policies
/// @notice Holds no money: premiums go from the buyer to the pool, payments from the pool to the holder.
/// @dev State hangs on token ids and position accounts, never on owners, so a transfer takes every right along.
contract Policies is PoliciesBase, IPolicies {
    /// @dev Premium for at least this long is earned, whatever happens to the policy.
    uint256 public constant MIN_EARNED = 7 days;

    /// @dev The leg of a policy that an incident is on.
    struct Hit {
        bytes32[] legs;
        uint256 leg;
        Product terms; // of it
    }

    /// @notice Where positions assign what products with salvage take.
    ISalvage public immutable salvage;
    /// @notice The code of all that `IPolicyDesk` names; it works on this contract's storage.
    address public immutable desk;

    /// @param desk_ the `PolicyDesk` of the same catalog and incidents.
    constructor(ICatalog catalog_, IIncidents incidents_, address desk_) PoliciesBase(catalog_, incidents_) {
        salvage = new Salvage(catalog_, incidents_);
        desk = desk_;
    }

    /// @dev Everything of `IPolicyDesk`.
    fallback() external {
        _forward();
    }

    /// @inheritdoc IPolicies
    function buy(Purchase calldata purchase) external returns (uint256) {
        // The desk reads it in the calldata.
        purchase;
        return _forward();
    }

    /// @inheritdoc IPolicies
    function buyWithPermit(
        Purchase calldata purchase,
        uint256 value,
        uint256 permitDeadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint256) {
        (purchase, value, permitDeadline, v, r, s);
        return _forward();
    }

    /// @inheritdoc IPolicies
    function lower(uint256 id, uint128 newSum) external nonReentrant returns (uint256 refund) {
        Policy storage p = _editable(id);
        (uint256 least, uint256 wait) = _bounds(_termsOf(p.product));
        (uint128 sum, uint128 due) = (p.sum, _claims[id].due);
        if (newSum >= sum) revert NotLower(newSum, sum);
        uint256 left = Math.saturatingSub(newSum, due);
        // A claim that is not paid yet may stand alone; cover that may still pay must be worth a settlement.
        bool alone = newSum == due && due > p.paid;
        if (left < least && !alone) revert SumBelowMinimum(left, least);
        uint256 rate = p.streamRate;
        uint256 kept = Math.mulDiv(rate, left, sum - due, Math.Rounding.Ceil);
        p.sum = newSum;
        p.streamRate = kept;
        refund = _reduce(p, wait, sum - newSum, rate - kept, sum - due, sum);
        emit Lowered(id, newSum, refund);
    }

    /// @inheritdoc IPolicies
    function cancel(uint256 id) external nonReentrant returns (uint256 refund) {
        Policy storage p = _editable(id);
        (uint128 sum, uint128 paid) = (p.sum, p.paid);
        if (_claims[id].due > paid) revert StillOwed(id, _claims[id].due, paid);
        uint256 rate = p.streamRate;
        p.sum = paid;
        p.streamRate = 0;
        _burn(id);
        (, uint256 wait) = _bounds(_termsOf(p.product));
        refund = _reduce(p, wait, sum - paid, rate, sum - paid, sum);
        emit Cancelled(id, refund);
    }

    /// @inheritdoc IPolicies
    function settle(uint256 id, uint256 incident) external nonReentrant returns (uint256 paid) {
        return _settle(id, incident, _ripe(incident), msg.sender);
    }

    /// @inheritdoc IPolicies
    function settleBatch(uint256[] calldata ids, uint256 incident)
        external
        nonReentrant
        returns (uint256 paid)
    {
        Incident memory ripe = _ripe(incident);
        for (uint256 i; i < ids.length; ++i) {
            // A call of its own takes back all that a policy changed before it failed, and stops nobody else.
            try this.settleOne(ids[i], incident, ripe, msg.sender) returns (uint256 got) {
                paid += got;
            } catch (bytes memory reason) {
                emit Skipped(ids[i], incident, reason);
            }
        }
    }

    /// @notice One policy of a batch; only this contract calls it.
    function settleOne(uint256 id, uint256 incident, Incident memory ripe, address settler)
        external
        returns (uint256)
    {
        if (msg.sender != address(this)) revert NotSelf(msg.sender);
        return _settle(id, incident, ripe, settler);
    }

    /// @inheritdoc IPolicies
    function policy(uint256 id) external view returns (Policy memory) {
        return _policies[id];
    }

    /// @inheritdoc IPolicies
    function settlement(uint256 id, uint256 incident) external view returns (uint128 due, uint128 paid) {
        Settlement storage s = _settled[id][incident];
        return (s.due, s.paid);
    }

    /// @notice The domain that consents are signed for.
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @notice Metadata with the certificate as a data URI.
    function tokenURI(uint256 id) public view override returns (string memory) {
        _requireOwned(id);
        Policy memory p = _policies[id];
        if (_legs[p.product].length != 0) return IPolicyDesk(address(this)).portfolioURI(id);
        Product memory terms = catalog.product(p.product);
        return catalog.renderer()
            .tokenURI(id, p, terms, catalog.gaugeInfo(terms.gauge), catalog.wordingHash(p.product));
    }

    /// @dev Has the desk answer to the caller, on this contract's storage. The desk's code is fixed with this one's.
    function _forward() private returns (uint256 answer) {
        address to = desk;
        // All memory is free here, and nothing comes after.
        assembly ("memory-safe") {
            let data := mload(64)
            calldatacopy(data, 0, calldatasize())
            answer := delegatecall(gas(), to, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if iszero(answer) { revert(data, returndatasize()) }
            return(data, returndatasize())
        }
    }

    /// @dev Takes `cut` off the exposure and `rate` off the stream; the refund goes to the caller, the holder.
    function _reduce(Policy storage p, uint256 wait, uint128 cut, uint256 rate, uint128 unpaid, uint128 whole)
        private
        returns (uint256 refund)
    {
        IPool pool = IPool(p.pool);
        bytes32[] memory legs = _legsOf(p.product);
        uint256 from = block.timestamp;
        // A closed pool keeps no minimum.
        if (pool.closedAt() == 0) {
            from = Math.max(from, p.purchased + Math.max(wait, MIN_EARNED));
        }
        refund = pool.reduce(
            Reduction({
                product: legs[0],
                sum: cut,
                streamRate: rate,
                expiry: p.expiry,
                refundFrom: uint64(from),
                unpaid: unpaid,
                whole: whole,
                to: msg.sender
            })
        );
        if (legs.length != 1) IPool(p.pool).reduceLegs(legs, 0, cut, p.expiry);
    }

    /// @dev The leg of a policy that an incident of `gauge` is on; of one that is on no such leg the first.
    function _hit(bytes32 product, bytes32 gauge) private view returns (Hit memory hit) {
        hit.legs = _legsOf(product);
        hit.terms = catalog.product(hit.legs[0]);
        for (uint256 i = 1; i < hit.legs.length && hit.terms.gauge != gauge; ++i) {
            Product memory next = catalog.product(hit.legs[i]);
            if (next.gauge == gauge) (hit.leg, hit.terms) = (i, next);
        }
    }

    /// @dev The incident, brought to what is next if its dwell or dispute is over.
    function _ripe(uint256 id) private returns (Incident memory ripe) {
        ripe = incidents.incident(id);
        if (ripe.status == Status.None) revert UnknownIncident(id);
        bool waits = ripe.status == Status.Dwelling || ripe.status == Status.Disputed;
        if (waits && block.number > ripe.dwellEnd) {
            incidents.finalise(id);
            ripe = incidents.incident(id);
        }
    }

    function _settle(uint256 id, uint256 incident, Incident memory ripe, address settler)
        private
        returns (uint256 paid)
    {
        address holder = _requireOwned(id);
        Policy storage p = _policies[id];
        Hit memory hit = _hit(p.product, ripe.gauge);
        _checkTouched(id, p, hit.terms, incident, ripe);
        Settlement memory s = _settled[id][incident];
        (uint256 lost, uint128 due) = _newDue(id, incident, ripe, hit, s.due);
        // Checked above: while it dwells only instant products come here, after the claims only old dues.
        paid = IPool(p.pool)
            .pay(
                PayOrder({
                incident: incident,
                product: hit.legs[hit.leg],
                dueBefore: s.due,
                due: due,
                paidBefore: s.paid,
                expiry: p.expiry,
                holder: holder,
                settler: settler
            })
            );
        if (paid == 0 && due == s.due) revert NothingToPay(id, incident);
        // Whatever leg pays lowers what is left for all.
        if (hit.legs.length != 1 && paid != 0) {
            IPool(p.pool).reduceLegs(hit.legs, hit.leg, uint128(paid), p.expiry);
        }
        // paid <= due - s.paid <= sum, so nothing here is cut off.
        p.paid += uint128(paid);
        _claims[id].due += due - s.due;
        _settled[id][incident] = Settlement(due, s.paid + uint128(paid));
        emit Settled(id, incident, lost, due, paid, settler);
    }

    function _checkTouched(
        uint256 id,
        Policy storage p,
        Product memory terms,
        uint256 incident,
        Incident memory ripe
    ) private view {
        if (ripe.gauge != terms.gauge) revert WrongGauge(terms.gauge, ripe.gauge);
        if (ripe.status == Status.Voided) revert IncidentNotOpen(incident, ripe.status);
        bool covered = p.inception <= ripe.onsetTime && ripe.afterTime <= p.expiry
            && ripe.openedTime <= uint256(p.expiry) + terms.reportWindow;
        // What was open before a split is claimed by the policy that stood then, for the whole sum.
        covered = covered && ripe.openedAt >= _claims[id].since;
        if (!covered) revert NotTouched(id, incident);
        if (ripe.status != Status.Dwelling) return;
        // At once only on the word of a machine, and only while nobody holds the incident.
        bool instant = terms.instant && ripe.rung < Rung.Quorum && !ILadder(address(incidents)).held(incident);
        if (!instant) revert StillDwelling(incident, ripe.dwellEnd);
    }

    /// @dev What is due now for an incident, after the registry granted what is new of it.
    function _newDue(uint256 id, uint256 incident, Incident memory ripe, Hit memory hit, uint128 dueBefore)
        private
        returns (uint256 lost, uint128 due)
    {
        Policy storage p = _policies[id];
        Product memory terms = hit.terms;
        lost = terms.registrant != address(0) ? ripe.loss : incidents.positionLost(incident, p.position);
        if (ripe.status == Status.Final && block.timestamp > ripe.claimsEnd) {
            if (dueBefore == 0) revert ClaimsOver(incident, ripe.claimsEnd);
            return (lost, dueBefore);
        }
        uint256 sumLeft = p.sum - (_claims[id].due - dueBefore);
        uint256 lambda = Due.lambda(ripe.loss, ripe.base);
        // While it is disputed the pool keeps the fraction of what was asserted, but pays what nobody disputes.
        uint256 fraction = Math.min(
            IPool(p.pool).fraction(incident, hit.legs[hit.leg]), Due.fraction(lambda, terms.deductibleBps)
        );
        uint256 more = _claimed(id, incident, terms, lost);
        more = Math.saturatingSub(Due.amount(terms, more, lambda, sumLeft, fraction), dueBefore);
        if (ripe.status == Status.Dwelling) {
            IPool(p.pool).accrue();
            more = Math.min(more, IPool(p.pool).instantBudget(incident));
        }
        if (more == 0) return (lost, dueBefore);
        due = dueBefore
            + uint128(_granted(incident, p.position, terms, Due.claimable(terms, lost, lambda), more));
    }

    /// @dev What the registry leaves of `more` pool units for the position, of `room` gauge units in all.
    function _granted(uint256 incident, address position, Product memory terms, uint256 room, uint256 more)
        private
        returns (uint256)
    {
        uint256 wanted = Math.mulDiv(more, terms.unitDen, terms.unitNum, Math.Rounding.Ceil);
        bool whole = terms.registrant != address(0);
        // Both are at most what was lost: due is at most floor(lost * unitNum / unitDen).
        uint256 granted = incidents.consume(incident, position, whole, uint128(room), uint128(wanted));
        return granted < wanted ? Math.mulDiv(granted, terms.unitNum, terms.unitDen) : more;
    }

    /// @dev Where the product takes salvage, only what is given up counts as lost.
    function _claimed(uint256 id, uint256 incident, Product memory terms, uint256 lost)
        private
        view
        returns (uint256)
    {
        return terms.salvage == address(0) ? lost : Math.min(lost, salvage.assigned(id, incident));
    }
}
