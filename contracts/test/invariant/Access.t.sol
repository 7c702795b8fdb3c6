// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Handler} from "./Handler.sol";
import {Stage} from "./Stage.sol";

/// @notice Nobody but the roles may.
/// forge-config: default.invariant.runs = 2
/// forge-config: default.invariant.depth = 50
contract AccessInvariants is Stage {
    function _target() internal override {
        Handler h = handler;
        _add(h.usurp.selector, h.buyForbidden.selector, h.meddle.selector, h.grab.selector);
        _add(h.openIncident.selector, h.finalise.selector, h.passBlocks.selector);
    }

    /// @notice Only the policies contract sells, refunds and pays.
    function invariant_only_policies_move_the_money_of_policies() public view {
        _kept("only policies");
    }

    /// @notice Only the incidents contract books losses.
    function invariant_only_incidents_book() public view {
        _kept("only incidents");
    }

    /// @notice Only the curator sets caps and moves his lock.
    function invariant_only_the_curator_curates() public view {
        _kept("only curator");
    }

    /// @notice Only a pool's own tranches move what was deposited or redeemed.
    function invariant_only_tranches_move_the_money_of_queues() public view {
        _kept("only tranches");
    }

    /// @notice Only its pool makes or burns shares of a tranche.
    function invariant_only_the_pool_makes_shares() public view {
        _kept("only the pool");
    }

    /// @notice Only the rung says what was lost, and only the policies contract takes from it.
    function invariant_only_the_rung_measures() public view {
        _kept("only the rung");
    }

    /// @notice Nobody lists, registers, attaches or wires without the role, and nobody wires twice.
    function invariant_only_roles_list_and_wire() public view {
        _kept("only roles");
    }

    /// @notice Nobody insures a position that has not consented, and nobody insures another's protocol.
    function invariant_nobody_is_insured_without_consent() public view {
        _kept("consent");
    }

    /// @notice Nobody but its holder edits a policy.
    function invariant_only_the_holder_edits() public view {
        _kept("holder");
    }

    /// @notice Nobody queues the shares of another.
    function invariant_only_owners_queue_their_shares() public view {
        _kept("queue of others");
    }
}
