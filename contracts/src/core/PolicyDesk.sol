// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ICatalog} from "../interfaces/ICatalog.sol";
import {IIncidents} from "../interfaces/IIncidents.sol";
import {IPolicies, Policy} from "../interfaces/IPolicies.sol";
import {IPolicyDesk} from "../interfaces/IPolicyDesk.sol";
import {PoliciesBase} from "./PoliciesBase.sol";

/// @title PolicyDesk
/// @notice What holders do beside buying, giving back and being paid. `Policies` lends it its storage by
///         `delegatecall`. Called directly it changes nothing: on its own storage there are no policies.
contract PolicyDesk is PoliciesBase, IPolicyDesk {
    constructor(ICatalog catalog_, IIncidents incidents_) PoliciesBase(catalog_, incidents_) {}

    /// @inheritdoc IPolicyDesk
    function split(uint256 id, uint128 sumOff, address to) external nonReentrant returns (uint256 newId) {
        Policy storage p = _editable(id);
        uint128 sum = p.sum;
        uint256 least = catalog.product(p.product).minSum;
        uint256 left = Math.saturatingSub(sum - _claims[id].due, sumOff);
        if (sumOff < least) revert IPolicies.SumBelowMinimum(sumOff, least);
        if (left < least) revert IPolicies.SumBelowMinimum(left, least);
        Policy memory part = p;
        // Rounded down: what is due is used up in the old policy alone, and its refunds are cut for it.
        (part.sum, part.paid, part.streamRate) = (sumOff, 0, Math.mulDiv(p.streamRate, sumOff, sum));
        p.sum = sum - sumOff;
        p.streamRate -= part.streamRate;
        newId = ++count;
        _policies[newId] = part;
        _claims[newId].since = uint64(block.number);
        emit SplitOff(id, newId, part);
        _mint(to, newId);
    }
}
