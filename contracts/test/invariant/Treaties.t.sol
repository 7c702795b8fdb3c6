// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Booking} from "breakwater/interfaces/IPool.sol";
import {Cession, TreatyTerms} from "breakwater/interfaces/ITreaty.sol";
import {Treaty} from "breakwater/reinsurance/Treaty.sol";
import {Base} from "../Base.sol";
import {Reinsurers} from "./handlers/Reinsurers.sol";

/// @notice What holds between a pool and its treaties, whatever the order of losses, payments and recoveries.
contract TreatiesInvariants is Base {
    Reinsurers private handler;

    function setUp() public {
        handler = new Reinsurers();
        bytes4[] memory acts = new bytes4[](13);
        acts[0] = handler.open.selector;
        acts[1] = handler.rebook.selector;
        acts[2] = handler.settleDwell.selector;
        acts[3] = handler.pay.selector;
        acts[4] = handler.close.selector;
        acts[5] = handler.stall.selector;
        acts[6] = handler.recover.selector;
        acts[7] = handler.claim.selector;
        acts[8] = handler.enter.selector;
        acts[9] = handler.quit.selector;
        acts[10] = handler.give.selector;
        acts[11] = handler.premium.selector;
        acts[12] = handler.wait.selector;
        targetContract(address(handler));
        targetSelectors(address(handler), acts);
    }

    /// @notice A treaty never pays more than its share of what is due, nor more than its year allows.
    function invariant_a_treaty_never_pays_more_than_its_share() public view {
        Treaty[] memory all = handler.treaties();
        for (uint256 i; i < all.length; ++i) {
            TreatyTerms memory t = all[i].terms();
            uint256 covered;
            for (uint256 id = 1; id <= handler.incidents(); ++id) {
                Cession memory c = all[i].cession(id);
                assertLe(uint256(c.drawn) * 10_000, uint256(handler.dueOf(id)) * t.shareBps, "share");
                covered += c.covered;
            }
            assertLe(covered, t.yearlyLimit, "year");
        }
    }

    /// @notice Collateral encumbered never exceeds collateral, and all that a treaty counts is there.
    function invariant_encumbered_collateral_is_there() public view {
        Treaty[] memory all = handler.treaties();
        for (uint256 i; i < all.length; ++i) {
            uint256 open;
            for (uint256 id = 1; id <= handler.incidents(); ++id) {
                Cession memory c = all[i].cession(id);
                open += c.covered - c.drawn;
            }
            assertEq(all[i].encumbered(), open, "sum");
            uint256 counted = all[i].totalAssets() + open + all[i].returns_();
            assertEq(handler.holds(address(all[i])), counted, "held");
        }
    }

    /// @notice A treaty short of collateral, or one whose asset does not move, never stops a claim.
    function invariant_no_treaty_stops_a_claim() public view {
        assertEq(handler.breaches("claim"), 0);
    }

    /// @notice Money moves from treaty to pool only for due loss, after the dwell.
    function invariant_money_moves_only_for_due_loss() public view {
        assertEq(handler.breaches("dwell"), 0);
        Treaty[] memory all = handler.treaties();
        for (uint256 id = 1; id <= handler.incidents(); ++id) {
            uint256 drawn;
            for (uint256 i; i < all.length; ++i) {
                drawn += all[i].cession(id).drawn;
            }
            assertEq(handler.booking(id).drawn, drawn);
        }
    }

    /// @notice What a booking counts on is charged or covered, and what it paid has come in.
    function invariant_a_booking_pays_what_layers_and_treaties_gave() public view {
        Treaty[] memory all = handler.treaties();
        for (uint256 id = 1; id <= handler.incidents(); ++id) {
            Booking memory b = handler.booking(id);
            uint256 charged = uint256(b.charged[0]) + b.charged[1] + b.charged[2] + b.charged[3];
            assertEq(b.funded, charged + b.ceded, "funded");
            assertLe(b.paid, charged + b.drawn, "paid");
            uint256 covered;
            for (uint256 i; i < all.length; ++i) {
                covered += all[i].cession(id).covered;
            }
            assertLe(b.ceded, covered, "ceded");
            assertLe(covered, b.ceded + all.length, "at most a unit each is not counted on");
        }
    }

    /// @notice The pool holds every unit that it counts, premiums of treaties among them.
    function invariant_the_pool_with_treaties_holds_what_it_counts() public view {
        (uint256 held, uint256 counted) = handler.books();
        assertEq(held, counted);
    }

    /// @notice Recoveries never reach those who came after the loss.
    function invariant_recoveries_never_reach_late_reinsurers() public view {
        assertEq(handler.breaches("late"), 0);
    }

    /// @notice Nobody enters at an open price, and nobody leaves before a loss is booked.
    function invariant_reinsurers_enter_and_leave_only_in_quiet() public view {
        assertEq(handler.breaches("entry"), 0);
        assertEq(handler.breaches("exit"), 0);
    }

    function afterInvariant() external view {
        assertGt(handler.incidents(), 0);
    }
}
