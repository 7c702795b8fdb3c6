// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IWholePool as Pool, PoolState} from "breakwater/interfaces/IPoolDesk.sol";
import {Tranche} from "breakwater/core/Tranche.sol";
import {Booking} from "breakwater/interfaces/IPool.sol";
import {Handler} from "./Handler.sol";
import {Stage} from "./Stage.sol";

/// @notice Tranches and the curator: who comes in, who gets out, and for how much.
contract CapitalInvariants is Stage {
    function _target() internal override {
        Handler h = handler;
        _targetCapital();
        _targetTime();
        _add(h.openIncident.selector, h.refute.selector, h.finalise.selector, h.settleBatch.selector);
        _add(h.lowerLoss.selector, h.closeBooking.selector, h.grab.selector, h.edit.selector);
    }

    /// @notice The supply of shares is the sum of what people, queue, unclaimed deposits and recoveries hold.
    function invariant_shares_are_all_accounted_for() public view {
        for (uint256 t; t < 6; ++t) {
            Tranche tranche = _trancheOf(t);
            uint256 sum = tranche.balanceOf(address(tranche)) + tranche.balanceOf(tranche.DEPOSITS())
                + tranche.balanceOf(tranche.RECOVERIES());
            for (uint256 i; i < PEOPLE; ++i) {
                sum += tranche.balanceOf(cast.people[i]);
            }
            assertEq(tranche.totalSupply(), sum);
        }
    }

    /// @notice Checkpoints tell the balances and the supply of now.
    function invariant_checkpoints_tell_the_present() public view {
        for (uint256 t; t < 6; ++t) {
            Tranche tranche = _trancheOf(t);
            assertEq(tranche.supplyAt(block.number), tranche.totalSupply(), "supply");
            address queue = address(tranche);
            assertEq(tranche.balanceAt(queue, block.number), tranche.balanceOf(queue), "queue");
            for (uint256 i; i < PEOPLE; ++i) {
                address who = cast.people[i];
                assertEq(tranche.balanceAt(who, block.number), tranche.balanceOf(who), "balance");
            }
        }
    }

    /// @notice Checkpoints tell what everyone held at the end of the block before each opening.
    function invariant_checkpoints_tell_the_past() public view {
        for (uint256 k = incidents.count(); k != 0; --k) {
            uint256 number = incidents.incident(k).openedAt - 1;
            for (uint256 t; t < 3; ++t) {
                Tranche tranche = _trancheOf(t);
                for (uint256 i; i < PEOPLE; ++i) {
                    uint256 held = handler.heldAt(address(tranche), cast.people[i], number);
                    assertEq(tranche.balanceAt(cast.people[i], number), held);
                }
            }
        }
    }

    /// @notice The shares in the redemption queue are those of its cohorts.
    function invariant_queued_shares_are_those_of_the_cohorts() public view {
        for (uint256 t; t < 6; ++t) {
            Tranche tranche = _trancheOf(t);
            uint256[] memory ids = handler.cohortIds(address(tranche));
            uint256 sum;
            for (uint256 i; i < ids.length; ++i) {
                (, uint256 remaining,,,) = tranche.cohorts(ids[i]);
                sum += remaining;
            }
            assertEq(tranche.balanceOf(address(tranche)), sum);
        }
    }

    /// @notice Unclaimed deposits hold the shares of those who may claim them, and nothing but roundings more.
    function invariant_unclaimed_deposits_hold_their_shares() public view {
        for (uint256 t; t < 6; ++t) {
            Tranche tranche = _trancheOf(t);
            uint256[] memory ids = handler.batchIds(address(tranche));
            uint256 sum;
            for (uint256 i; i < ids.length; ++i) {
                sum += _unclaimedShares(tranche, ids[i]);
            }
            uint256 held = tranche.balanceOf(tranche.DEPOSITS());
            assertGe(held, sum);
            assertLe(held, sum + ids.length * PEOPLE);
        }
    }

    /// @notice Recovery shares are those minted for incidents less those claimed.
    function invariant_recovery_shares_wait_for_their_claimants() public view {
        for (uint256 t; t < 6; ++t) {
            Tranche tranche = _trancheOf(t);
            uint256 minted;
            for (uint256 k = incidents.count(); k != 0; --k) {
                (uint208 shares,) = tranche.recoveries(k);
                minted += shares;
            }
            uint256 waiting = tranche.balanceOf(tranche.RECOVERIES());
            assertEq(waiting + handler.recoveredShares(address(tranche)), minted);
        }
    }

    /// @notice Recoveries go to those who held before the opening, in proportion, however shares moved since.
    function invariant_recoveries_go_to_those_who_bore_the_loss() public view {
        for (uint256 k = incidents.count(); k != 0; --k) {
            for (uint256 t; t < 6; ++t) {
                Tranche tranche = _trancheOf(t);
                (uint208 minted,) = tranche.recoveries(k);
                if (minted == 0) continue;
                uint256 before = incidents.incident(k).openedAt - 1;
                uint256 claimants = tranche.supplyAt(before) - tranche.balanceAt(tranche.RECOVERIES(), before);
                for (uint256 i; i < PEOPLE; ++i) {
                    uint256 got = handler.recoveredBy(address(tranche), k, cast.people[i]);
                    uint256 held = handler.heldAt(address(tranche), cast.people[i], before);
                    assertLe(got * claimants, uint256(minted) * held);
                }
            }
        }
    }

    /// @notice A share loses value by a booked loss only, never by what others do.
    function invariant_a_share_loses_value_by_losses_only() public view {
        _kept("price");
    }

    /// @notice No deposit gets shares worth more than it brought.
    function invariant_deposits_get_no_more_than_they_bring() public view {
        _kept("deposit above its worth");
    }

    /// @notice Deposits become shares in a later epoch than they were asked in, and once.
    function invariant_deposits_wait_for_the_next_epoch_and_count_once() public view {
        _kept("early deposit");
        _kept("claimed twice");
    }

    /// @notice No cohort is paid more than its shares were worth when they were asked back, or last looked at.
    function invariant_exits_get_no_more_than_when_asked() public view {
        _kept("exit above its worth");
    }

    /// @notice Nobody is out before the cooldown and a whole epoch have passed.
    function invariant_exits_wait_for_cooldown_and_epoch() public view {
        _kept("early exit");
    }

    /// @notice Capital leaves only as far as what remains carries the exposure.
    function invariant_exits_leave_capital_for_the_exposure() public view {
        _kept("exit under exposure");
    }

    /// @notice Junior and mezzanine leave only as far as they still stand before senior.
    function invariant_exits_leave_the_subordination() public view {
        _kept("exit under subordination");
    }

    /// @notice While a booking of the pool dwells, nobody gets in or out.
    function invariant_nobody_moves_while_a_booking_dwells() public view {
        _kept("moves while dwelling");
    }

    /// @notice The curator's locked shares are in his balance and stay there.
    function invariant_locked_shares_stay_with_the_curator() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            Tranche junior = Tranche(cast.pools[p].tranche(1));
            assertGe(junior.balanceOf(curator), cast.pools[p].locked());
        }
        _kept("locked shares");
    }

    /// @notice Caps are raised, and shares unlocked, only while the lock is worth the curator's part of all caps.
    function invariant_caps_are_backed_by_the_lock() public view {
        _kept("raised without a lock");
        _kept("unlocked what caps need");
        _kept("unlock");
    }

    /// @notice The caps that the lock must back are those that the curator asked for last.
    function invariant_the_sum_of_caps_is_what_was_asked() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            assertEq(cast.pools[p].state().capSum, handler.capsAsked(cast.pools[p]));
        }
    }

    /// @notice A higher cap is in force only after everyone who asked at once could leave.
    function invariant_raised_caps_wait_for_those_who_want_out() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            for (uint256 i; i < cast.products.length; ++i) {
                uint256 cap = cast.pools[p].underwriting(cast.products[i]).cap;
                assertLe(cap, handler.highestRipeCap(cast.pools[p], cast.products[i]));
            }
        }
    }

    /// @notice The surge stays below its maximum and grows with reserves only.
    function invariant_surge_stays_within_its_bounds() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            assertLe(cast.pools[p].state().surge, cast.pools[p].config().surgeMax);
        }
        _kept("surge");
    }

    function _trancheOf(uint256 t) private view returns (Tranche) {
        return Tranche(cast.pools[t / 3].tranche(1 + t % 3));
    }

    function _unclaimedShares(Tranche tranche, uint256 id) private view returns (uint256 sum) {
        (uint128 all, uint48 processedAt, bool returned, uint256 shares) = tranche.batches(id);
        if (processedAt == 0 || returned) return 0;
        for (uint256 i; i < PEOPLE; ++i) {
            (uint128 assets, uint48 claimedAt) = tranche.deposits(id, cast.people[i]);
            if (claimedAt == 0) sum += shares * assets / all;
        }
    }
}
