// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Catalog} from "breakwater/core/Catalog.sol";
import {Incidents} from "breakwater/core/Incidents.sol";
import {Policies} from "breakwater/core/Policies.sol";
import {IWholePool as Pool} from "breakwater/interfaces/IPoolDesk.sol";
import {Tranche} from "breakwater/core/Tranche.sol";
import {Incident, Status} from "breakwater/interfaces/IIncidents.sol";
import {Policy} from "breakwater/interfaces/IPolicies.sol";
import {Base} from "../Base.sol";
import {Bounds} from "./Bounds.sol";
import {AssertingRung, Fickle} from "./Parts.sol";

/// @notice Everything that is deployed, and everyone who acts.
struct Cast {
    Catalog catalog;
    Incidents incidents;
    Policies policies;
    AssertingRung rung;
    Fickle usd;
    Pool[] pools; // the main one first
    bytes32[] gauges;
    bytes32[] products;
    address[] people; // with the curator and the registrant
    uint256[] keys; // of the people
    address curator;
    address registrant;
    address stranger; // has no role, no money and no policy
}

/// @notice Randomness, time, who is who, and the list of rules that were seen broken.
/// @dev A rule that only shows in a step is checked where the step is made, and an invariant asks for its breaches.
abstract contract Scene is Base {
    /// @dev An attempt that must fail did not.
    error Succeeded();
    error Refused();

    /// @dev The first of the people have positions; the others only hold tokens and shares.
    uint256 internal constant INSURED = 5;

    Cast internal cast;
    uint256 public steps;
    uint256 private _entropy;
    /// @notice How often each rule was seen broken.
    mapping(bytes32 rule => uint256 times) public breaches;
    /// @notice How often each kind of thing happened, so that a campaign that reaches nothing is noticed.
    mapping(bytes32 what => uint256 times) public done;
    /// @notice What was given to each pool without any reason.
    mapping(address pool => uint256 amount) public donated;
    /// @notice Premiums and deposits that came in, and all that was sent or owed to anyone.
    mapping(address pool => uint256 amount) public flowIn;
    mapping(address pool => uint256 amount) public flowOut;

    // ----- randomness -----

    /// @dev Which actions are called, and in which order, decides everything else.
    function _stir() internal {
        _entropy = uint256(keccak256(abi.encode(_entropy, msg.sig, ++steps)));
    }

    /// @dev Below `n`; zero for zero.
    function _draw(uint256 n) internal returns (uint256) {
        _entropy = uint256(keccak256(abi.encode(_entropy)));
        return n == 0 ? 0 : _entropy % n;
    }

    function _between(uint256 least, uint256 most) internal returns (uint256) {
        return most <= least ? least : least + _draw(most - least + 1);
    }

    function _chance(uint256 percent) internal returns (bool) {
        return _draw(100) < percent;
    }

    function _person() internal returns (address) {
        return cast.people[_draw(cast.people.length)];
    }

    /// @dev Someone whose position may be insured.
    function _insured() internal returns (address) {
        return cast.people[_draw(INSURED)];
    }

    function _pool() internal returns (Pool) {
        return cast.pools[_chance(75) ? 0 : 1];
    }

    function _tranche(Pool pool) internal returns (Tranche) {
        return Tranche(pool.tranche(1 + _draw(3)));
    }

    // ----- time -----

    function _now() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    function _block() internal view returns (uint256) {
        return vm.getBlockNumber();
    }

    function _timeOf(uint256 number) internal pure returns (uint64) {
        return uint64(Bounds.FIRST_TIME + (number - Bounds.FIRST_BLOCK) * Bounds.BLOCK_TIME);
    }

    function _advance(uint256 blocks) internal {
        if (blocks == 0) return;
        vm.roll(_block() + blocks);
        vm.warp(_timeOf(_block()));
    }

    // ----- rules -----

    function _rule(bool holds, bytes32 rule) internal {
        if (!holds) ++breaches[rule];
    }

    function _did(bytes32 what) internal {
        ++done[what];
    }

    /// @dev `who` tries what the rule forbids. Whatever happens, nothing of it remains.
    function _refused(address who, address target, bytes memory data, bytes32 rule) internal {
        try this.attempt(who, target, data) {}
        catch (bytes memory reason) {
            _rule(bytes4(reason) != Succeeded.selector, rule);
        }
    }

    /// @notice Always reverts, with the outcome.
    function attempt(address who, address target, bytes calldata data) external {
        vm.prank(who);
        (bool ok,) = target.call(data);
        if (ok) revert Succeeded();
        revert Refused();
    }

    /// @dev What the rules allow must never fail.
    function _must(address who, address target, bytes memory data) internal returns (bool ok) {
        vm.prank(who);
        (ok,) = target.call(data);
        _rule(ok, "stuck");
    }

    // ----- what anyone can see -----

    function _policy(uint256 id) internal view returns (Policy memory) {
        return cast.policies.policy(id);
    }

    /// @dev The token's owner; zero for one that is burned.
    function _ownerOf(uint256 id) internal view returns (address) {
        try cast.policies.ownerOf(id) returns (address owner) {
            return owner;
        } catch {
            return address(0);
        }
    }

    function _isLive(Incident memory i) internal view returns (bool) {
        return i.status == Status.Dwelling && _block() <= i.dwellEnd;
    }

    /// @dev What someone has or is owed.
    function _wealth(Pool pool, address who) internal view returns (uint256) {
        return cast.usd.balanceOf(who) + pool.owed(who);
    }

    function _lambda(Incident memory i) internal pure returns (uint256) {
        return i.base == 0 ? 0 : uint256(i.loss) * Bounds.WAD / i.base;
    }

    function _lockValue(Pool pool) internal view returns (uint256) {
        uint256 locked = pool.locked();
        return locked == 0 ? 0 : Tranche(pool.tranche(1)).convertToAssets(locked);
    }
}
