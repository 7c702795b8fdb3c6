// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {IWholePool as Pool, PoolState} from "breakwater/interfaces/IPoolDesk.sol";
import {Kind, Product} from "breakwater/interfaces/ICatalog.sol";
import {Policy} from "breakwater/interfaces/IPolicies.sol";
import {Bounds} from "./Bounds.sol";
import {Handler} from "./Handler.sol";
import {Stage} from "./Stage.sol";

/// @notice Policies: what is sold, what it may cost, what it pays.
contract CoverInvariants is Stage {
    function _target() internal override {
        Handler h = handler;
        _targetCover();
        _targetLosses();
        _targetTime();
        _targetCollapse();
        _add(h.disturb.selector, h.buyForbidden.selector, h.meddle.selector);
    }

    /// @notice A product's exposure is what its policies may still cost, one by one.
    function invariant_exposure_is_what_policies_may_still_cost() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            for (uint256 i; i < cast.products.length; ++i) {
                uint256 counted = _exposure(cast.pools[p], cast.products[i], block.timestamp);
                assertEq(cast.pools[p].underwriting(cast.products[i]).exposure, counted);
            }
        }
    }

    /// @notice A pool's exposure is the sum over its products, and each part ends on its day.
    function invariant_exposure_is_the_sum_over_products_and_days() public view {
        for (uint256 p; p < cast.pools.length; ++p) {
            PoolState memory s = cast.pools[p].state();
            (uint256 sum, uint256 ends) = (0, 0);
            for (uint256 i; i < cast.products.length; ++i) {
                sum += _exposure(cast.pools[p], cast.products[i], s.accruedTo);
            }
            uint256 today = s.accruedTo / Bounds.DAY;
            for (uint256 day = today + 1; day <= today + 4 + Bounds.MOST_TERM_DAYS; ++day) {
                ends += cast.pools[p].exposureEnds(day);
            }
            assertEq(s.exposure, sum, "products");
            assertEq(s.exposure, ends, "days");
        }
    }

    /// @notice The cover in force now, at some past moment and at every onset is what a count of policies finds.
    function invariant_cover_in_force_is_what_a_count_finds() public view {
        for (uint256 i; i < cast.products.length; ++i) {
            _compareInForce(cast.products[i], block.timestamp);
            _compareInForce(cast.products[i], handler.probe());
            uint256 count = incidents.count();
            if (count != 0) _compareInForce(cast.products[i], incidents.incident(count).onsetTime);
        }
    }

    /// @notice A policy's payments and dues over all incidents stay within its sum.
    function invariant_no_policy_is_paid_above_its_sum() public view {
        for (uint256 id = policies.count(); id != 0; --id) {
            (uint256 due, uint256 paid) = (0, 0);
            for (uint256 k = incidents.count(); k != 0; --k) {
                (uint128 dueOne, uint128 paidOne) = policies.settlement(id, k);
                assertLe(paidOne, dueOne, "paid above due");
                (due, paid) = (due + dueOne, paid + paidOne);
            }
            Policy memory policy = policies.policy(id);
            assertEq(policy.paid, paid, "paid");
            assertLe(due, policy.sum, "sum");
        }
    }

    /// @notice All payments for an incident, over all pools and kinds, stay within the loss that was proven.
    function invariant_payments_of_an_incident_stay_within_its_loss() public view {
        for (uint256 k = incidents.count(); k != 0; --k) {
            uint256 units;
            for (uint256 id = policies.count(); id != 0; --id) {
                units += _dueUnits(id, k);
            }
            (,,, uint256 mostLost, uint256 returned,) = handler.files(k);
            assertLe(units, mostLost + returned);
        }
        _kept("granted above the loss");
    }

    /// @notice One position's policies together, over pools and kinds, are paid no more than the position lost.
    function invariant_no_position_is_paid_above_its_loss() public view {
        for (uint256 k = incidents.count(); k != 0; --k) {
            (,,, uint256 mostLost,,) = handler.files(k);
            for (uint256 i; i < PEOPLE; ++i) {
                address position = cast.people[i];
                uint256 units;
                for (uint256 id = policies.count(); id != 0; --id) {
                    if (policies.policy(id).position == position) units += _dueUnits(id, k);
                }
                uint256 lost = position == cast.registrant ? mostLost : handler.mostPositionLost(k, position);
                assertLe(units, lost);
            }
        }
    }

    /// @notice Everything about a policy but its sum stays as it was bought, and its sum never rises.
    function invariant_policies_keep_their_terms() public view {
        for (uint256 id = policies.count(); id != 0; --id) {
            (bytes32 terms,,,, uint128 lowest) = handler.cards(id);
            assertEq(handler.termsOf(id), terms, "terms");
            assertEq(policies.policy(id).sum, lowest, "sum");
        }
    }

    /// @notice A transfer changes the owner of a policy and nothing else.
    function invariant_a_transfer_changes_the_owner_alone() public view {
        _kept("transfer");
    }

    /// @notice Two policies made of one stream what the one did and differ in nothing but sums.
    function invariant_a_split_divides_sum_and_stream_alone() public view {
        _kept("split");
    }

    /// @notice No sale exceeds the cap of its product.
    function invariant_sales_fit_the_caps() public view {
        _kept("over cap");
    }

    /// @notice No sale exceeds what the capital may carry.
    function invariant_sales_fit_the_capital() public view {
        _kept("over capacity");
    }

    /// @notice Policies run for a term that the product allows, to the beginning of a day, after the waiting period.
    function invariant_sales_keep_the_terms_of_the_product() public view {
        for (uint256 id = policies.count(); id != 0; --id) {
            Policy memory policy = policies.policy(id);
            uint256 term = policy.expiry - policy.inception;
            assertEq(policy.expiry % Bounds.DAY, 0, "day");
            assertEq(policy.inception, policy.purchased + Bounds.WAITING, "waiting period");
            assertTrue(term >= Bounds.MIN_TERM && term <= Bounds.MAX_TERM, "term");
        }
        _kept("terms of sale");
    }

    /// @notice Nobody pays more, or later, than he agreed to.
    function invariant_buyers_limits_hold() public view {
        _kept("buyer's limits");
    }

    /// @notice A closed pool sells nothing.
    function invariant_closed_pools_sell_nothing() public view {
        for (uint256 id = policies.count(); id != 0; --id) {
            Policy memory policy = policies.policy(id);
            uint256 closedAt = Pool(policy.pool).closedAt();
            assertTrue(closedAt == 0 || policy.purchased <= closedAt, "sold after closing");
        }
        _kept("closed pool");
    }

    /// @notice Nobody gets back more than he paid, nor what his first week and waiting period used up.
    function invariant_refunds_are_of_unearned_premium() public view {
        _kept("refund above premium");
        _kept("refund of what is earned");
    }

    /// @notice Cover bought in two parts costs at least what it costs in one.
    function invariant_splitting_a_purchase_never_pays() public view {
        _kept("cheaper in parts");
    }

    /// @notice No cover is sold below the curator's floor rate.
    function invariant_no_cover_is_sold_below_its_floor_rate() public view {
        _kept("below floor rate");
    }

    /// @notice No policy is edited while a loss touches it.
    function invariant_touched_policies_are_frozen() public view {
        _kept("frozen");
    }

    /// @notice Only losses within a policy's time of cover, reported in time, are paid.
    function invariant_only_covered_losses_are_paid() public view {
        _kept("paid without cover");
    }

    /// @notice Before the dwell ends only products that say so are paid.
    function invariant_only_instant_products_are_paid_in_the_dwell() public view {
        for (uint256 k = incidents.count(); k != 0; --k) {
            assertEq(cast.pools[0].instantPaid(k, cast.products[1]), 0);
        }
        _kept("paid too early");
    }

    // ----- counting -----

    /// @dev Unpaid sums of the policies that can still become claims at `time`.
    function _exposure(Pool pool, bytes32 product, uint256 time) private view returns (uint256 sum) {
        for (uint256 id = policies.count(); id != 0; --id) {
            Policy memory policy = policies.policy(id);
            if (policy.pool != address(pool) || policy.product != product) continue;
            if (policy.expiry + Bounds.REPORT_WINDOW > time) sum += policy.sum - policy.paid;
        }
    }

    function _compareInForce(bytes32 product, uint256 time) private view {
        for (uint256 p; p < cast.pools.length; ++p) {
            uint256 counted = handler.countInForce(cast.pools[p], product, time);
            assertEq(cast.pools[p].inForce(product, time), counted);
        }
    }

    /// @dev What is due to a policy in gauge units, rounded down.
    function _dueUnits(uint256 id, uint256 k) private view returns (uint256) {
        (uint256 due,) = policies.settlement(id, k);
        if (due == 0) return 0;
        Product memory terms = catalog.product(policies.policy(id).product);
        return due * terms.unitDen / terms.unitNum;
    }
}
