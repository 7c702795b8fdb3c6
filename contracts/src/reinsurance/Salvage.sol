// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICatalog, Product} from "../interfaces/ICatalog.sol";
import {IIncidents, Incident, Status} from "../interfaces/IIncidents.sol";
import {IPolicies, Policy} from "../interfaces/IPolicies.sol";
import {IPool} from "../interfaces/IPool.sol";
import {IPoolDesk} from "../interfaces/IPoolDesk.sol";
import {ISalvage, Lot} from "../interfaces/ISalvage.sol";
import {Due} from "../libraries/Due.sol";

/// @title Salvage
/// @notice No roles. It holds tokens for whoever assigned them or for a pool, and money never: a buyer's pays the pool
///         in the same call. A lot has its own auction, so nobody's late lot is sold at another one's low price.
contract Salvage is ISalvage, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @inheritdoc ISalvage
    uint256 public constant duration = 7 days;
    /// @inheritdoc ISalvage
    uint256 public constant patience = 365 days;
    uint256 private constant BPS = 10_000;

    ICatalog public immutable catalog;
    IIncidents public immutable incidents;
    /// @notice Who made this, and reads what is assigned.
    IPolicies public immutable policies;

    mapping(uint256 policy => mapping(uint256 incident => Lot)) private _lots;
    /// @inheritdoc ISalvage
    mapping(address token => mapping(address account => uint256 amount)) public owed;

    constructor(ICatalog catalog_, IIncidents incidents_) {
        (catalog, incidents, policies) = (catalog_, incidents_, IPolicies(msg.sender));
    }

    /// @inheritdoc ISalvage
    function assign(uint256 policy, uint256 incident, uint128 amount) external nonReentrant {
        if (amount == 0) revert ZeroAmount();
        Policy memory p = policies.policy(policy);
        Product memory terms = catalog.product(p.product);
        if (terms.salvage == address(0)) revert NoSalvage(policy);
        if (msg.sender != p.position) revert NotPosition(p.position, msg.sender);
        _checkClaimable(incident, terms.gauge);
        Lot storage l = _lots[policy][incident];
        if (l.since != 0) revert AlreadyTaken(policy, incident);
        (l.pool, l.token, l.position, l.product) = (p.pool, terms.salvage, p.position, p.product);
        l.assigned += amount;
        emit Assigned(policy, incident, terms.salvage, amount, l.assigned);
        IERC20 token = IERC20(terms.salvage);
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 got = token.balanceOf(address(this)) - before;
        if (got != amount) revert WrongTransfer(amount, got);
    }

    /// @inheritdoc ISalvage
    function take(uint256 policy, uint256 incident) external nonReentrant {
        Lot storage l = _lots[policy][incident];
        uint128 assigned_ = l.assigned;
        if (assigned_ == 0) revert NothingAssigned(policy, incident);
        Incident memory known = incidents.incident(incident);
        (uint128 behind, uint128 taken) = (0, 0);
        if (known.status != Status.Voided) {
            bool over = known.status == Status.Final && block.timestamp > known.claimsEnd;
            if (!over) revert ClaimsOpen(incident, known.claimsEnd);
            (behind, taken) = _paidFor(policy, incident, l, known);
        }
        uint128 back = assigned_ - behind - l.returned;
        uint128 more = taken - l.taken;
        if (back == 0 && more == 0) revert AlreadyTaken(policy, incident);
        l.since = _started(l, more);
        (l.taken, l.returned) = (taken, l.returned + back);
        emit Taken(policy, incident, taken, l.returned, l.since);
        _send(l.token, l.position, back);
    }

    /// @inheritdoc ISalvage
    function buy(uint256 policy, uint256 incident, uint128 amount, uint256 most)
        external
        nonReentrant
        returns (uint256 cost)
    {
        if (amount == 0) revert ZeroAmount();
        Lot storage l = _lots[policy][incident];
        uint256 left = l.taken - l.sold;
        if (amount > left) revert NotEnough(amount, left);
        cost = price(policy, incident, amount);
        if (cost > most) revert CostAbove(cost, most);
        l.sold += amount;
        emit Sold(policy, incident, msg.sender, amount, cost);
        if (cost != 0) {
            IERC20 asset = IERC20(IPool(l.pool).asset());
            asset.safeTransferFrom(msg.sender, address(this), cost);
            asset.forceApprove(l.pool, cost);
            IPoolDesk(l.pool).recover(incident, cost);
        }
        IERC20(l.token).safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc ISalvage
    function withdraw(address token, address account) external nonReentrant returns (uint256 amount) {
        amount = owed[token][account];
        if (amount == 0) revert NothingOwed(token, account);
        owed[token][account] = 0;
        emit Withdrawn(token, account, amount);
        IERC20(token).safeTransfer(account, amount);
    }

    // ----- views -----

    /// @inheritdoc ISalvage
    function assigned(uint256 policy, uint256 incident) external view returns (uint256) {
        return _lots[policy][incident].assigned;
    }

    /// @inheritdoc ISalvage
    function price(uint256 policy, uint256 incident, uint128 amount) public view returns (uint256) {
        Lot storage l = _lots[policy][incident];
        uint256 passed = block.timestamp - l.since;
        if (passed >= duration) return 0;
        Product memory terms = catalog.product(l.product);
        // 128 bits by 128 bits, then by the twenty of the duration.
        uint256 par = Math.mulDiv(amount, terms.unitNum, terms.unitDen, Math.Rounding.Ceil);
        return Math.mulDiv(par, duration - passed, duration, Math.Rounding.Ceil);
    }

    /// @inheritdoc ISalvage
    function lot(uint256 policy, uint256 incident) external view returns (Lot memory) {
        return _lots[policy][incident];
    }

    // ----- inside -----

    /// @dev The tokens that stand behind what is due, the inverse of `Due.amount` rounded up and at most what was
    ///      assigned; of them the part that was paid of what is due, rounded down, for who gave them up.
    function _paidFor(uint256 policy, uint256 incident, Lot storage l, Incident memory known)
        private
        returns (uint128 behind, uint128 taken)
    {
        (uint128 due, uint128 paid) = policies.settlement(policy, incident);
        if (due == 0) return (0, 0);
        // Money is recovered for closed bookings alone, and what they release pays short claims.
        if (!IPool(l.pool).booking(incident).closed) IPoolDesk(l.pool).closeBooking(incident);
        if (paid != due) {
            _settle(policy, incident, IERC20(IPool(l.pool).asset()));
            (, paid) = policies.settlement(policy, incident);
        }
        Product memory terms = catalog.product(l.product);
        uint256 lambda = Due.lambda(known.loss, known.base);
        uint256 units = Math.mulDiv(due, terms.unitDen, terms.unitNum, Math.Rounding.Ceil);
        // Something is due, so the fraction is not zero.
        uint256 payable_ =
            Math.mulDiv(units, lambda, Due.fraction(lambda, terms.deductibleBps), Math.Rounding.Ceil);
        behind =
            uint128(Math.min(l.assigned, Math.mulDiv(payable_, BPS, terms.lossCapBps, Math.Rounding.Ceil)));
        // What nobody paid for in all that time is sold for the claims that are short.
        if (block.timestamp > known.claimsEnd + patience) return (behind, behind);
        taken = uint128(Math.mulDiv(behind, paid, due));
    }

    /// @dev Whatever it fails for, what it would have paid keeps its tokens here. The settler's bounty is the caller's.
    function _settle(uint256 policy, uint256 incident, IERC20 asset) private {
        uint256 before = asset.balanceOf(address(this));
        try policies.settle(policy, incident) {} catch {}
        uint256 bounty = asset.balanceOf(address(this)) - before;
        if (bounty != 0) asset.safeTransfer(msg.sender, bounty);
    }

    /// @dev When the auction of a lot that grows by `more` would have begun, so that the price of what was there is
    ///      that of before and of what is new par; rounded up, for the pool.
    function _started(Lot storage l, uint256 more) private view returns (uint40) {
        uint256 left = l.taken - l.sold;
        if (left == 0 || l.since == 0) return uint40(block.timestamp);
        uint256 passed = Math.min(block.timestamp - l.since, duration);
        return uint40(block.timestamp - passed * left / (left + more));
    }

    function _checkClaimable(uint256 incident, bytes32 gauge) private view {
        Incident memory known = incidents.incident(incident);
        bool open = known.status == Status.Dwelling || known.status == Status.Disputed
            || (known.status == Status.Final && block.timestamp <= known.claimsEnd);
        if (!open) revert NotClaimable(incident, uint8(known.status));
        if (known.gauge != gauge) revert WrongGauge(gauge, known.gauge);
    }

    /// @dev Sends, or owes what cannot be sent: a position that refuses its tokens must not keep a pool from its own.
    function _send(address token, address account, uint256 amount) private {
        if (amount == 0 || IERC20(token).trySafeTransfer(account, amount)) return;
        owed[token][account] += amount;
        emit Credited(token, account, amount);
    }
}
