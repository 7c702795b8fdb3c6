// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Who bears a loss, and who gets back what was reserved for nothing
/// @notice Layers: 0 surplus, 1 junior, 2 mezzanine, 3 senior. Losses run up, releases run back down.
library Waterfall {
    using SafeCast for uint256;

    uint256 internal constant LAYERS = 4;

    /// @notice What a pool keeps for one incident.
    struct Entry {
        uint128 reserved;
        uint128 funded; // invariant: the sum of `charged`, and `ceded`
        uint128 due;
        uint128 paid; // at most what is held
        uint128 instantPaid; // the sum of it over the products of the incident
        uint48 openedAt; // block; zero: nothing was ever booked
        uint48 onsetTime; // seconds
        bool settled;
        bool closed;
        bool queued; // stands in the line of short bookings
        bool freed; // what was paid in the dwell binds the curator's lock no more
        uint128[4] limit;
        uint128[4] charged; // each at most its limit
        uint128 ceded; // what the pool counts on of its treaties
        uint128 drawn; // of it, and of the unit each that it does not count, what they have sent
        uint128 recovered; // once closed: what came back beyond short bookings
        uint64 line; // the treaties that the pool ceded to when it was opened, see `Cessions`
        uint128 uncovered; // of paid: in the dwell, to those who are owed less now, and borne by nobody
    }

    /// @notice What is to be held: the reserve, and what was paid beside it. Once closed the reserve is all that is due.
    function need(Entry storage self) internal view returns (uint256) {
        return self.closed ? self.reserved : uint256(self.reserved) + self.uncovered;
    }

    /// @notice What the layers bear.
    function own(Entry storage self) internal view returns (uint256) {
        return self.funded - self.ceded;
    }

    /// @notice What has come in for the incident, from layers and treaties: as much may be paid.
    function held(Entry storage self) internal view returns (uint256) {
        return own(self) + self.drawn;
    }

    /// @notice Counts on `ceded` of the treaties instead of what was counted before.
    function cede(Entry storage self, uint256 ceded) internal {
        // Both are parts of the reserve.
        (self.funded, self.ceded) = (uint128(own(self) + ceded), uint128(ceded));
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

    /// @notice Gives `amount`, at most what the layers bear, back from the highest layer down; returns each part.
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

    /// @notice Who gets `amount` that came back for a closed booking: back up the line in which the loss was borne,
    ///         senior, treaties, mezzanine, junior, surplus, each at most what it bore less what came back before. What
    ///         is more than was borne is surplus.
    function recover(Entry storage self, uint256 amount)
        internal
        returns (uint256[4] memory given, uint256 toTreaties)
    {
        (uint256 had, uint256 left) = (self.recovered, amount);
        // It came in as one sum, so 128 bits hold all of it but for a hostile asset, which may only stop recoveries.
        self.recovered = (had + amount).toUint128();
        (given[3], had, left) = _part(self.charged[3], had, left);
        (toTreaties, had, left) = _part(self.drawn, had, left);
        (given[2], had, left) = _part(self.charged[2], had, left);
        (given[1], had, left) = _part(self.charged[1], had, left);
        given[0] = left;
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

    /// @dev Of `left` what one that bore `bore` gets, after `had` came back to those from here on.
    function _part(uint256 bore, uint256 had, uint256 left) private pure returns (uint256, uint256, uint256) {
        uint256 before = Math.min(had, bore);
        uint256 part = Math.min(left, bore - before);
        return (part, had - before, left - part);
    }
}
