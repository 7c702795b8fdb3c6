// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Who bears a loss, and who gets back what was reserved for nothing
/// @notice Layers: 0 surplus, 1 junior, 2 mezzanine, 3 senior. Losses run up, releases run back down.
library Waterfall {
    uint256 internal constant LAYERS = 4;

    /// @notice What a pool keeps for one incident.
    struct Entry {
        uint128 reserved;
        uint128 funded; // invariant: the sum of `charged`
        uint128 due;
        uint128 paid; // at most funded
        uint128 instantPaid; // the sum of it over the products of the incident
        uint48 openedAt; // block; zero: nothing was ever booked
        uint48 onsetTime; // seconds
        bool settled;
        bool closed;
        bool queued; // stands in the line of short bookings
        uint128[4] limit;
        uint128[4] charged; // each at most its limit
    }

    /// @notice Takes up to `amount` from the layers, lowest first; returns what each gave.
    function charge(Entry storage self, uint128[4] storage layers, uint256 amount)
        internal
        returns (uint256[4] memory taken)
    {
        uint256 left = amount;
        for (uint256 i; i < LAYERS && left != 0; ++i) {
            (uint256 charged, uint256 layer) = (self.charged[i], layers[i]);
            uint256 part = Math.min(left, Math.min(self.limit[i] - charged, layer));
            if (part == 0) continue;
            taken[i] = part;
            left -= part;
            // part is at most the layer, which has 128 bits, as has what the incident may take of it.
            (self.charged[i], layers[i]) = (uint128(charged + part), uint128(layer - part));
        }
        self.funded += uint128(amount - left);
    }

    /// @notice Gives `amount`, at most what is funded, back from the highest layer down; returns each part.
    function give(Entry storage self, uint256 amount) internal returns (uint256[4] memory given) {
        uint256 left = amount;
        for (uint256 above = LAYERS; above != 0 && left != 0; --above) {
            uint256 i = above - 1;
            uint256 charged = self.charged[i];
            uint256 part = Math.min(left, charged);
            if (part == 0) continue;
            given[i] = part;
            left -= part;
            self.charged[i] = uint128(charged - part);
        }
        self.funded -= uint128(amount);
    }

    /// @notice Puts up to `amount` of what others gave back from each layer, lowest first, into this booking; what
    ///         it takes leaves `given`. Returns the parts.
    function fill(Entry storage self, uint256[4] memory given, uint256 amount)
        internal
        returns (uint256[4] memory parts)
    {
        uint256 left = amount;
        for (uint256 i; i < LAYERS && left != 0; ++i) {
            uint256 part = Math.min(left, given[i]);
            if (part == 0) continue;
            parts[i] = part;
            left -= part;
            given[i] -= part;
            // Both are parts of the asset's supply that the layers once held.
            uint128 charged = uint128(self.charged[i] + part);
            self.charged[i] = charged;
            if (self.limit[i] < charged) self.limit[i] = charged;
        }
        self.funded += uint128(amount - left);
    }
}
