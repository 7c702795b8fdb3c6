// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IWholePool as Pool, PoolState} from "breakwater/interfaces/IPoolDesk.sol";
import {Tranche} from "breakwater/core/Tranche.sol";
import {Booking} from "breakwater/interfaces/IPool.sol";
import {Policy} from "breakwater/interfaces/IPolicies.sol";
import {Bounds} from "./Bounds.sol";
import {Stage} from "./Stage.sol";

/// @notice Money: all of it is there, all of it belongs to someone, and it leaves only to those it is owed to.
contract SolvencyInvariants is Stage {
    /// @notice What a pool holds is, to the unit, what it counts as somebody's and what was given to it.
    function invariant_the_pool_holds_every_unit_that_it_counts() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            Pool pool = cast.pools[p];
            PoolState memory s = pool.state();
            uint256 counted = _capital(s) + _unearned(s) + _promised(pool) + s.owed + s.pendingDeposits
                + s.redeemable + handler.donated(address(pool));
            assertEq(usd.balanceOf(address(pool)), counted);
        }
    }

    /// @notice Premiums and deposits are still there or went out as refunds, payments, exits and returned deposits.
    function invariant_what_came_in_is_there_or_was_paid_out() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            Pool pool = cast.pools[p];
            PoolState memory s = pool.state();
            uint256 there = _capital(s) + _unearned(s) + _promised(pool) + s.pendingDeposits + s.redeemable;
            assertEq(handler.flowIn(address(pool)), there + handler.flowOut(address(pool)));
        }
    }

    /// @notice A booking holds what its layers gave, and no layer gave more than it had at the opening.
    function invariant_bookings_hold_what_layers_within_their_limits_gave() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            for (uint256 k = incidents.count(); k != 0; --k) {
                Booking memory b = cast.pools[p].booking(k);
                uint256 sum;
                for (uint256 i; i < 4; ++i) {
                    sum += b.charged[i];
                    assertLe(b.charged[i], b.limit[i], "limit");
                }
                assertEq(sum, b.funded, "charged");
            }
        }
    }

    /// @notice No booking pays more than it holds, and none pays what is not due.
    function invariant_nothing_is_paid_that_is_not_funded_and_due() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            for (uint256 k = incidents.count(); k != 0; --k) {
                Booking memory b = cast.pools[p].booking(k);
                assertLe(b.paid, b.funded, "funded");
                assertLe(b.paid, b.due, "due");
            }
        }
    }

    /// @notice A pool never owes claimants more than it reserved for them, unless the curator should have borne it.
    function invariant_no_more_is_due_than_was_reserved() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            for (uint256 k = incidents.count(); k != 0; --k) {
                Booking memory b = cast.pools[p].booking(k);
                if (b.instantPaid == 0 && handler.borne(k, p) == 0) assertLe(b.due, b.reserved);
            }
        }
    }

    /// @notice Losses take surplus, then junior, then mezzanine, then senior, and releases run back in reverse.
    function invariant_losses_run_from_junior_to_senior() public view {
        _kept("order of losses");
    }

    /// @notice Surplus leaves for losses only, never to a tranche.
    function invariant_surplus_leaves_for_losses_only() public view {
        _kept("surplus");
    }

    /// @notice What a pool owes in all is the sum of what it owes to each.
    function invariant_owed_is_the_sum_over_everyone() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            uint256 sum = cast.pools[p].owed(cast.stranger);
            for (uint256 i; i < PEOPLE; ++i) {
                sum += cast.pools[p].owed(cast.people[i]);
            }
            assertEq(cast.pools[p].state().owed, sum);
        }
    }

    /// @notice Every exit that was paid can be claimed, and nothing but roundings stays behind.
    function invariant_redeemable_is_what_exits_may_claim() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            (uint256 sum, uint256 requests) = (0, 0);
            for (uint256 i = 1; i < 4; ++i) {
                Tranche tranche = Tranche(cast.pools[p].tranche(i));
                uint256[] memory ids = handler.cohortIds(address(tranche));
                requests += ids.length * PEOPLE;
                for (uint256 j; j < ids.length * PEOPLE; ++j) {
                    sum += handler.claimable(tranche, ids[j / PEOPLE], cast.people[j % PEOPLE]);
                }
            }
            uint256 redeemable = cast.pools[p].state().redeemable;
            assertGe(redeemable, sum);
            assertLe(redeemable, sum + requests);
        }
    }

    /// @notice Pending deposits are those that wait for shares and those that are to go back.
    function invariant_pending_deposits_are_those_without_shares() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            uint256 sum;
            for (uint256 i = 1; i < 4; ++i) {
                Tranche tranche = Tranche(cast.pools[p].tranche(i));
                uint256[] memory ids = handler.batchIds(address(tranche));
                for (uint256 j; j < ids.length; ++j) {
                    (uint128 assets, uint48 processedAt, bool returned,) = tranche.batches(ids[j]);
                    if (processedAt == 0) sum += assets;
                    else if (returned) sum += _unclaimed(tranche, ids[j]);
                }
            }
            assertEq(cast.pools[p].state().pendingDeposits, sum);
        }
    }

    /// @notice Premium held apart is exactly what the policies that still run have not used up.
    function invariant_unearned_premium_is_that_of_running_policies() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            PoolState memory s = cast.pools[p].state();
            uint256 sum;
            for (uint256 id = policies.count(); id != 0; --id) {
                Policy memory policy = policies.policy(id);
                if (policy.pool != address(cast.pools[p]) || policy.expiry <= s.accruedTo) continue;
                sum += policy.streamRate * (policy.expiry - s.accruedTo);
            }
            assertEq(s.unearnedScaled, sum);
        }
    }

    /// @notice The stream of premiums is the sum of all running policies, and each ends on the day of its expiry.
    function invariant_streams_are_those_of_running_policies() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            PoolState memory s = cast.pools[p].state();
            (uint256 sum, uint256 ends) = (0, 0);
            for (uint256 id = policies.count(); id != 0; --id) {
                Policy memory policy = policies.policy(id);
                bool runs = policy.pool == address(cast.pools[p]) && policy.expiry > s.accruedTo;
                if (runs) sum += policy.streamRate;
            }
            uint256 today = s.accruedTo / Bounds.DAY;
            for (uint256 day = today + 1; day <= today + 2 + Bounds.MOST_TERM_DAYS; ++day) {
                ends += cast.pools[p].streamEnds(day);
            }
            assertEq(s.streamRate, sum, "sum");
            assertEq(s.streamRate, ends, "ends");
        }
    }

    /// @notice What a booking counts as due and paid is what its policies count, less what the curator bore.
    function invariant_bookings_count_what_their_policies_count() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            for (uint256 k = incidents.count(); k != 0; --k) {
                (uint256 due, uint256 paid) = (0, 0);
                for (uint256 id = policies.count(); id != 0; --id) {
                    if (policies.policy(id).pool != address(cast.pools[p])) continue;
                    (uint128 dueOne, uint128 paidOne) = policies.settlement(id, k);
                    (due, paid) = (due + dueOne, paid + paidOne);
                }
                Booking memory b = cast.pools[p].booking(k);
                uint256 borne = handler.borne(k, p);
                assertEq(b.due + borne, due, "due");
                assertEq(b.paid + borne, paid, "paid");
            }
        }
    }

    /// @notice Instant payments count against the curator's lock until their dwell ends, and no longer.
    function invariant_instant_payments_count_until_their_dwell_ends() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            (uint256 sum, uint256 dwelling) = (0, 0);
            for (uint256 k = incidents.count(); k != 0; --k) {
                Booking memory b = cast.pools[p].booking(k);
                if (b.openedAt == 0) continue;
                if (!b.settled) (sum, dwelling) = (sum + b.instantPaid, dwelling + 1);
                uint256 parts;
                for (uint256 i; i < cast.products.length; ++i) {
                    parts += cast.pools[p].instantPaid(k, cast.products[i]);
                }
                assertEq(b.instantPaid, parts, "parts");
            }
            PoolState memory s = cast.pools[p].state();
            assertEq(s.instantOutstanding, sum, "sum");
            assertEq(s.dwelling, dwelling, "dwelling");
        }
    }

    /// @notice Instant payments of all dwelling incidents together stay within the curator's locked junior.
    function invariant_instant_payments_stay_within_the_lock() public view {
        _kept("instant above the lock");
        _kept("unlocked the instant lane");
    }

    /// @notice What was paid in error is borne by the curator's lock, never by the other juniors.
    function invariant_other_juniors_do_not_bear_instant_errors() public view {
        _kept("juniors bear the curator's");
    }

    /// @notice Every booking that holds too little stands in the line that releases fill first.
    function invariant_short_bookings_stand_in_line() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            uint256[] memory line = cast.pools[p].shortBookings();
            for (uint256 k = incidents.count(); k != 0; --k) {
                Booking memory b = cast.pools[p].booking(k);
                if (b.funded >= b.reserved) continue;
                uint256 i;
                while (i < line.length && line[i] != k) ++i;
                assertLt(i, line.length, "not in line");
            }
        }
    }

    /// @notice A closed booking keeps what is due and gives back the rest.
    function invariant_closed_bookings_keep_what_is_due() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            for (uint256 k = incidents.count(); k != 0; --k) {
                Booking memory b = cast.pools[p].booking(k);
                if (!b.closed) continue;
                assertEq(b.reserved, b.due, "reserved");
                assertLe(b.funded, b.due > b.paid ? b.due : b.paid, "funded");
            }
        }
    }

    /// @notice Whoever claims first gets the same fraction as whoever claims last.
    function invariant_nobody_is_paid_ahead_of_others() public view {
        for (uint256 id = policies.count(); id != 0; --id) {
            Pool pool = Pool(policies.policy(id).pool);
            for (uint256 k = incidents.count(); k != 0; --k) {
                Booking memory b = pool.booking(k);
                if (!b.settled || b.instantPaid != 0 || b.reserved == 0) continue;
                (uint256 due, uint256 paid) = policies.settlement(id, k);
                assertLe(paid * b.reserved, due * (b.funded < b.reserved ? b.funded : b.reserved));
            }
        }
    }

    /// @notice Holder, opener and settler together get exactly what was paid, or are owed it.
    function invariant_payments_arrive_in_full() public view {
        _kept("payment arrives");
    }

    /// @notice A pool that cannot pay what is due closes.
    function invariant_a_shortfall_closes_the_pool() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            for (uint256 k = incidents.count(); k != 0; --k) {
                Booking memory b = cast.pools[p].booking(k);
                if (b.settled && b.due > b.funded) assertGt(cast.pools[p].closedAt(), 0);
            }
        }
    }

    /// @notice Nothing that the rules allow ever fails.
    function invariant_what_the_rules_allow_never_fails() public view {
        _kept("stuck");
    }

    function _capital(PoolState memory s) private pure returns (uint256) {
        return uint256(s.layers[0]) + s.layers[1] + s.layers[2] + s.layers[3];
    }

    /// @dev Held for incidents and not paid.
    function _promised(Pool pool) private view returns (uint256 sum) {
        for (uint256 k = incidents.count(); k != 0; --k) {
            Booking memory b = pool.booking(k);
            sum += b.funded - b.paid;
        }
    }

    function _unclaimed(Tranche tranche, uint256 id) private view returns (uint256 sum) {
        for (uint256 i; i < PEOPLE; ++i) {
            (uint128 assets, uint48 claimedAt) = tranche.deposits(id, cast.people[i]);
            if (claimedAt == 0) sum += assets;
        }
    }
}
