// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Product} from "breakwater/interfaces/ICatalog.sol";
import {Incident, Status} from "breakwater/interfaces/IIncidents.sol";
import {IPolicies, Policy} from "breakwater/interfaces/IPolicies.sol";
import {Bounds} from "../Bounds.sol";
import {Losses} from "./Losses.sol";

/// @notice Policies are paid, one by one or in batches, in the dwell or after it.
abstract contract Settlements is Losses {
    // ----- actions -----

    function settle() external step(false) {
        uint256 k = _payable();
        if (k != 0) _settleSome(k, 1 + _draw(2));
    }

    /// @notice Everyone at once, those who have nothing to claim included.
    function settleBatch() external step(false) {
        uint256 k = _payable();
        if (k == 0) return;
        uint256 count = cast.policies.count();
        uint256[] memory ids = new uint256[](count);
        uint128[] memory paid = new uint128[](count);
        for (uint256 i; i < count; ++i) {
            ids[i] = i + 1;
            paid[i] = _policy(i + 1).paid;
        }
        Incident memory before = cast.incidents.incident(k);
        bytes memory data = abi.encodeCall(IPolicies.settleBatch, (ids, k));
        if (!_must(_person(), address(cast.policies), data)) return;
        _noteEnd(k, before);
        _checkGranted(k, before);
        for (uint256 i; i < count; ++i) {
            Policy memory p = _policy(i + 1);
            if (p.paid != paid[i]) _notePayment(i + 1, k, p, p.paid - paid[i]);
        }
    }

    /// @inheritdoc Losses
    function _payInstantly(uint256 k) internal override {
        if (!_isLive(cast.incidents.incident(k))) return;
        _tryEarly(k);
        _settleSome(k, 1 + _draw(3));
    }

    /// @dev Everyone whose product does not pay in the dwell.
    function _tryEarly(uint256 k) internal {
        for (uint256 id = cast.policies.count(); id != 0; --id) {
            bool instant = cast.catalog.product(_policy(id).product).instant;
            if (!instant && covered(id, k) && _ownerOf(id) != address(0)) _trySettle(id, k);
        }
    }

    function _trySettle(uint256 id, uint256 k) internal {
        bool waits = covered(id, k) && _isLive(cast.incidents.incident(k))
            && !cast.catalog.product(_policy(id).product).instant;
        if (!waits && covered(id, k)) return;
        if (waits) _did("tried a dwelling loss");
        bytes32 rule = waits ? bytes32("paid too early") : bytes32("paid without cover");
        bytes memory data = abi.encodeCall(IPolicies.settle, (id, k));
        _refused(cast.stranger, address(cast.policies), data, rule);
    }

    /// @dev The first few, from a random one on, who have something to claim.
    function _settleSome(uint256 k, uint256 most) private {
        uint256 count = cast.policies.count();
        uint256 first = _draw(count);
        for (uint256 i; i < count && most != 0; ++i) {
            uint256 id = 1 + (first + i) % count;
            if (_mayBePaid(id, k) && _settle(id, k)) --most;
        }
    }

    // ----- which -----

    /// @dev Some incident of the last few whose policies may be paid, or zero.
    function _payable() internal returns (uint256) {
        uint256 count = cast.incidents.count();
        uint256 first = _draw(count < 3 ? count : 3);
        for (uint256 i; i < count && i < 6; ++i) {
            uint256 k = count - (first + i) % count;
            if (cast.incidents.incident(k).status != Status.Voided) return k;
        }
        return 0;
    }

    /// @notice Whether an incident falls into a policy's cover and its product pays now.
    function covered(uint256 id, uint256 k) public view returns (bool) {
        Policy memory p = _policy(id);
        Product memory terms = cast.catalog.product(p.product);
        Incident memory i = cast.incidents.incident(k);
        return i.gauge == terms.gauge && i.status != Status.Voided && p.inception <= i.onsetTime
            && i.afterTime <= p.expiry && i.openedTime <= uint256(p.expiry) + terms.reportWindow;
    }

    function _mayBePaid(uint256 id, uint256 k) internal view returns (bool) {
        if (!covered(id, k) || _ownerOf(id) == address(0)) return false;
        return !_isLive(cast.incidents.incident(k)) || cast.catalog.product(_policy(id).product).instant;
    }

    // ----- paying -----

    /// @dev False if there was nothing to pay.
    function _settle(uint256 id, uint256 k) private returns (bool) {
        Policy memory p = _policy(id);
        Pool pool = Pool(p.pool);
        Incident memory before = cast.incidents.incident(k);
        uint256[3] memory wealth = _wealths(pool, id, before.opener);
        address settler = _settlerOf(id, before.opener);
        vm.prank(settler);
        try cast.policies.settle(id, k) returns (uint256 paid) {
            _noteEnd(k, before);
            _checkGranted(k, before);
            _notePayment(id, k, p, paid);
            _checkShares(pool, id, before.opener, paid, wealth);
            return true;
        } catch {
            return false;
        }
    }

    /// @dev Neither the holder nor the opener, so that the three parts of a payment can be told apart.
    function _settlerOf(uint256 id, address opener) private view returns (address settler) {
        for (uint256 i; i < cast.people.length; ++i) {
            settler = cast.people[i];
            if (settler != opener && settler != _ownerOf(id)) return settler;
        }
    }

    function _wealths(Pool pool, uint256 id, address opener) private view returns (uint256[3] memory) {
        return [_wealth(pool, _ownerOf(id)), _wealth(pool, opener), _wealth(pool, _settlerOf(id, opener))];
    }

    /// @dev Holder, opener and settler together got what was paid, and the bounty is no more than the product says.
    function _checkShares(Pool pool, uint256 id, address opener, uint256 paid, uint256[3] memory before)
        private
    {
        uint256[3] memory after_ = _wealths(pool, id, opener);
        uint256 bounty = paid * cast.catalog.product(_policy(id).product).bountyBps / Bounds.BPS;
        uint256 toHolder = after_[0] - before[0];
        uint256 toOpener = opener == _ownerOf(id) ? 0 : after_[1] - before[1];
        _rule(toHolder + toOpener + after_[2] - before[2] == paid, "payment arrives");
        _rule(toHolder >= paid - bounty, "payment arrives");
    }

    /// @dev Nothing is granted beyond the loss as it is measured now, whatever was paid when it seemed greater.
    function _checkGranted(uint256 k, Incident memory before) private {
        Incident memory i = cast.incidents.incident(k);
        _rule(i.paid <= before.paid || i.paid <= i.loss, "granted above the loss");
    }

    function _notePayment(uint256 id, uint256 k, Policy memory p, uint256 paid) private {
        Pool pool = Pool(p.pool);
        flowOut[address(pool)] += paid;
        _did("paid");
        _cut(id, paid, p.expiry);
        _rule(covered(id, k), "paid without cover");
        if (pool.closedAt() != 0) _did("paid by a closed pool");
        if (paid == 0 || cast.incidents.incident(k).status != Status.Dwelling) return;
        _did("paid in the dwell");
        _tryUnlock(pool);
        _rule(pool.state().instantOutstanding <= _lockValue(pool), "instant above the lock");
    }
}
