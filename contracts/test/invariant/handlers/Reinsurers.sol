// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Booking} from "breakwater/interfaces/IPool.sol";
import {Cession, TreatyTerms} from "breakwater/interfaces/ITreaty.sol";
import {Treaty} from "breakwater/reinsurance/Treaty.sol";
import {TreatyFactory} from "breakwater/reinsurance/TreatyFactory.sol";
import {PoolSetup} from "../../unit/PoolSetup.t.sol";

/// @notice One pool with three treaties; losses, payments, recoveries and reinsurers come in any order.
/// @dev What only shows in a step is checked in the step and counted in `breaches`.
contract Reinsurers is PoolSetup {
    Treaty[] private _treaties;
    Sale[2] private _sales;
    address[3] private _people = [makeAddr("treasury"), makeAddr("other pool"), makeAddr("late")];
    mapping(uint256 incident => uint128) public dueOf;
    mapping(uint256 incident => uint128) private _paidOf;
    mapping(uint256 incident => bool) private _settled;
    mapping(bytes32 rule => uint256 times) public breaches;
    uint256 public drawnInAll;
    uint256 public returnedInAll;
    uint256 private _seed;

    constructor() {
        setUp();
        _fund();
        TreatyFactory factory_ = TreatyFactory(pool.treatyFactory());
        _cede(factory_, 3_000, 0, 400_000 * UNIT, false);
        _cede(factory_, 4_000, 60_000 * UNIT, 90_000 * UNIT, true);
        _cede(factory_, 2_777, 20_001, 150_000 * UNIT, false);
        _pass(28 days);
        // Nothing here can be called before this contract has its code.
        for (uint256 i; i < 2; ++i) {
            _buyOne(i);
        }
        _pass(1 days + 1 hours);
        pool.accrue();
    }

    // ----- losses -----

    function open() external {
        uint256 id = booked.length + 1;
        if (id > 6) return;
        bool first = id % 2 == 1;
        // One gauge dwells once at a time.
        if (id > 2 && !_settled[id - 2]) return;
        if (block.timestamp > _sales[0].expiry - 2 days) _buyAgain();
        _open(id, first ? GAUGE : OTHER_GAUGE, _lambda());
        dueOf[id] = 0;
    }

    function rebook() external {
        uint256 id = _incident();
        if (id == 0 || _settled[id]) return;
        _quiet(id);
        _book(id, id % 2 == 1 ? GAUGE : OTHER_GAUGE, pool.booking(id).onsetTime, _lambda());
        _unquiet(id);
        // The curator bore what a lower loss leaves of instant payments, and it is due no more.
        (dueOf[id], _paidOf[id]) = (pool.booking(id).due, pool.booking(id).paid);
    }

    function settleDwell() external {
        uint256 id = _incident();
        if (id == 0 || _settled[id]) return;
        _settleBooking(id);
        _settled[id] = true;
    }

    function pay() external {
        uint256 id = _incident();
        if (id == 0) return;
        Booking memory b = pool.booking(id);
        if (b.openedAt == 0 || b.closed || b.reserved <= dueOf[id]) return;
        uint128 more = uint128(1 + _draw(b.reserved - dueOf[id]));
        uint256 budget = pool.instantBudget(id);
        if (!_settled[id]) more = uint128(more < budget ? more : budget);
        if (more == 0) return;
        _quiet(id);
        _payTo(id, dueOf[id] + more);
        _unquiet(id);
        b = pool.booking(id);
        // Whoever the treaties are, and whatever they have: a funded claim is paid when it becomes due.
        bool waits = _settled[id] && (b.funded < b.reserved || stalled());
        _rule(waits || b.paid == b.due, "claim");
    }

    function close() external {
        uint256 id = _incident();
        if (id == 0 || !_settled[id] || pool.booking(id).openedAt == 0 || pool.booking(id).closed) return;
        _pass(15 days);
        pool.closeBooking(id);
        _payTo(id, dueOf[id]);
    }

    function stall() external {
        coin.setBlocked(address(pool), _draw(2) == 0);
    }

    // ----- money coming back -----

    function recover() external {
        uint256 id = _incident();
        if (id == 0 || !pool.booking(id).closed || stalled()) return;
        uint256 amount = 1 + _draw(60_000 * UNIT);
        coin.mint(address(this), amount);
        coin.approve(address(pool), amount);
        pool.recover(id, amount);
        _payTo(id, dueOf[id]);
    }

    function claim() external {
        (uint256 id, Treaty treaty, address who) = (_incident(), _treaty(), _people[_draw(3)]);
        if (id == 0) return;
        uint48 snapshot = treaty.cession(id).snapshot;
        uint256 before = coin.balanceOf(who);
        vm.prank(who);
        try treaty.claimReturn(id) {} catch {}
        if (coin.balanceOf(who) > before) _rule(treaty.balanceAt(who, snapshot) != 0, "late");
    }

    // ----- reinsurers -----

    function enter() external {
        (Treaty treaty, address who, uint256 assets) =
            (_treaty(), _people[_draw(3)], 1 + _draw(50_000 * UNIT));
        coin.mint(who, assets);
        vm.startPrank(who);
        coin.approve(address(treaty), assets);
        (bool locked, uint256 free) = (treaty.encumbered() != 0, pool.state().dwelling);
        try treaty.deposit(assets, who) {
            _rule(!locked && free == 0, "entry");
        } catch {}
        vm.stopPrank();
    }

    function quit() external {
        (Treaty treaty, address who) = (_treaty(), _people[_draw(3)]);
        uint256 shares = treaty.balanceOf(who);
        if (shares == 0) return;
        vm.prank(who);
        try treaty.redeem(1 + _draw(shares), who, who) {
            TreatyTerms memory t = treaty.terms();
            bool over = block.timestamp >= uint256(t.end) + t.notice;
            _rule(over && pool.state().dwelling == 0, "exit");
        } catch {}
    }

    function give() external {
        Treaty treaty = _treaty();
        address who = _people[_draw(3)];
        uint256 shares = treaty.balanceOf(who) / 3;
        vm.prank(who);
        treaty.transfer(_people[_draw(3)], shares);
    }

    function premium() external {
        pool.payPremium(address(_treaty()));
    }

    function wait() external {
        _pass(1 + _draw(9 days));
        pool.accrue();
        if (_draw(4) == 0) _buyAgain();
    }

    // ----- what invariants ask -----

    function treaties() external view returns (Treaty[] memory) {
        return _treaties;
    }

    function incidents() external view returns (uint256) {
        return booked.length;
    }

    /// @dev Coins of the pool beyond what it counts, and below.
    function books() external view returns (uint256 held, uint256 counted) {
        return (coin.balanceOf(address(pool)), _claims());
    }

    function holds(address account) external view returns (uint256) {
        return coin.balanceOf(account);
    }

    function booking(uint256 id) external view returns (Booking memory) {
        return pool.booking(id);
    }

    function stalled() public view returns (bool) {
        return coin.blocked(address(pool));
    }

    // ----- inside -----

    function _cede(TreatyFactory factory_, uint16 shareBps, uint256 attachment, uint256 limit, bool aggregate)
        private
    {
        TreatyTerms memory t;
        (t.cedant, t.asset, t.shareBps, t.premiumBps) = (address(pool), address(coin), shareBps, 500);
        (t.attachment, t.limit, t.aggregate) = (uint128(attachment), uint128(limit), aggregate);
        t.yearlyLimit = uint128(limit * shareBps / 10_000);
        uint256 start = block.timestamp + 28 days;
        (t.start, t.end, t.notice) = (uint40(start), uint40(start + 120 days), 20 days);
        Treaty treaty = Treaty(factory_.make(t));
        vm.prank(curator);
        pool.attachTreaty(address(treaty));
        _treaties.push(treaty);
        coin.mint(_people[0], 40_000 * UNIT);
        vm.startPrank(_people[0]);
        coin.approve(address(treaty), 40_000 * UNIT);
        treaty.deposit(40_000 * UNIT, _people[0]);
        vm.stopPrank();
    }

    /// @dev A policy on each gauge, if the pool still sells, and cover in force.
    function _buyAgain() private {
        if (pool.closedAt() != 0) return;
        for (uint256 i; i < 2; ++i) {
            try this.buyOne(i) {} catch {}
        }
        _pass(1 days + 1 hours);
        pool.accrue();
    }

    function buyOne(uint256 i) external {
        require(msg.sender == address(this), "its own");
        _buyOne(i);
    }

    function _buyOne(uint256 i) private {
        _sales[i] = _buy(i == 0 ? PLAIN : OTHER, 60_000 * UNIT, 40);
    }

    function _payTo(uint256 id, uint128 due) private {
        uint256 paid = _pay(id, _sales[(id + 1) % 2], dueOf[id], due, _paidOf[id]);
        (dueOf[id], _paidOf[id]) = (due, _paidOf[id] + uint128(paid));
    }

    /// @dev In the dwell no money moves between pool and treaties.
    function _quiet(uint256 id) private {
        _drawnBefore = pool.booking(id).drawn;
    }

    function _unquiet(uint256 id) private {
        if (!_settled[id]) _rule(pool.booking(id).drawn == _drawnBefore, "dwell");
    }

    uint256 private _drawnBefore;

    function _incident() private returns (uint256) {
        return booked.length == 0 ? 0 : 1 + _draw(booked.length);
    }

    function _treaty() private returns (Treaty) {
        return _treaties[_draw(_treaties.length)];
    }

    function _lambda() private returns (uint256) {
        return _draw(8) == 0 ? 0 : 0.01e18 + _draw(0.99e18);
    }

    function _rule(bool holds_, bytes32 rule) private {
        if (!holds_) ++breaches[rule];
    }

    function _draw(uint256 n) private returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed, msg.sig)));
        return _seed % n;
    }
}
