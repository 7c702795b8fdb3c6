// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.27;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ICatalog, Product} from "../interfaces/ICatalog.sol";
import {IPool} from "../interfaces/IPool.sol";
import {Cessions} from "./Cessions.sol";
import {Due} from "./Due.sol";
import {Exposure} from "./Exposure.sol";
import {Ledger} from "./Ledger.sol";
import {Price} from "./Price.sol";
import {Terms} from "./Terms.sol";
import {Waterfall} from "./Waterfall.sol";

/// @title Reserving for incidents and giving back
/// @notice A linked library, because the pool with it exceeds what one contract may hold. It runs in the pool, on the
///         pool's storage, and holds nothing of its own. Formulas are in docs/design.md, "Booking" and "Instant losses".
library Bookings {
    using Cessions for Cessions.Store;
    using Exposure for Exposure.Cover;
    using SafeCast for uint256;
    using Waterfall for Waterfall.Entry;

    uint256 private constant WAD = 1e18;
    uint256 private constant SHARE_OFFSET = 1e6;
    uint256 private constant JUNIOR = 1;

    /// @notice What a new measurement says of each product of the gauge.
    struct Assessment {
        bytes32[] products;
        uint256[] inForce; // at the onset
        uint256[] fractions; // wad of it that is owed
        uint256[] excesses; // of what was paid in the dwell: what the new reserve does not hold
        uint256 reserve; // sum of inForce * fraction, each rounded down
        uint256 excess; // sum
    }

    /// @notice `IPool.book` after the accrual. Returns gauge units of what the curator bore.
    function book(
        Ledger.Store storage self,
        ICatalog catalog,
        uint256 incident,
        bytes32 gauge,
        uint64 onsetTime,
        uint256 lambda
    ) external returns (uint256 returned) {
        Waterfall.Entry storage entry = self.entries[incident];
        Assessment memory a = _assess(self, gauge, onsetTime, lambda);
        if (entry.openedAt == 0) {
            if (a.reserve == 0) return 0;
            (entry.openedAt, entry.limit) = (uint48(block.number), self.layers);
            if (self.cessions.line != 0) entry.line = self.cessions.line;
            ++self.dwelling;
        }
        _writeShares(self, entry, a, incident, onsetTime);
        entry.onsetTime = uint48(onsetTime);
        uint256 borne = _rebook(self, entry, incident, a.reserve.toUint128(), a.excess);
        emit IPool.Booked(incident, onsetTime, a.reserve, entry.funded, self.surge);
        for (uint256 i; borne != 0; ++i) {
            uint256 part = Math.min(borne, a.excesses[i]);
            if (part == 0) continue;
            borne -= part;
            Product memory terms = catalog.product(a.products[i]);
            returned += Math.mulDiv(part, terms.unitDen, terms.unitNum);
        }
    }

    /// @notice `IPoolDesk.closeBooking` after its checks: what is reserved beyond what is due goes back.
    function close(Ledger.Store storage self, uint256 incident) external {
        Waterfall.Entry storage entry = self.entries[incident];
        uint128 due = entry.due;
        (entry.closed, entry.reserved) = (true, due);
        emit IPool.BookingClosed(incident, due, entry.paid);
        uint256 ceded = self.cessions.settle(entry, incident);
        entry.cede(ceded);
        // Where a treaty's asset did not move, what was paid for it stays with the layers.
        uint256 kept = Math.max(Math.saturatingSub(due, ceded), Math.saturatingSub(entry.paid, entry.drawn));
        _release(self, entry, incident, entry.give(Math.saturatingSub(entry.own(), kept)), 0);
        if (entry.line != 0) emit IPool.Ceded(incident, ceded, entry.drawn);
    }

    /// @notice `IPool.recover` after its checks: `amount` came back for a closed booking.
    function recover(Ledger.Store storage self, uint256 incident, uint256 amount) external {
        Waterfall.Entry storage entry = self.entries[incident];
        uint256[4] memory given;
        // As if surplus had it: what it fills is surplus's again if that booking is lowered.
        given[0] = amount;
        _fillShort(self, 0, given);
        uint256 left = given[0];
        emit IPool.Recovered(incident, msg.sender, amount, amount - left);
        uint256 toTreaties;
        (given, toTreaties) = entry.recover(left);
        // What a treaty cannot be sent stays here.
        if (toTreaties != 0) given[0] += self.cessions.giveBack(entry, incident, toTreaties);
        for (uint256 above = Waterfall.LAYERS; above != 0; --above) {
            uint256 i = above - 1;
            if (given[i] == 0) continue;
            emit IPool.RecoveredTo(incident, i, given[i], _giveTo(self, entry, incident, i, given[i]));
        }
    }

    function _assess(Ledger.Store storage self, bytes32 gauge, uint256 onsetTime, uint256 lambda)
        private
        view
        returns (Assessment memory a)
    {
        a.products = self.products[gauge];
        uint256 count = a.products.length;
        (a.inForce, a.fractions, a.excesses) =
        (new uint256[](count), new uint256[](count), new uint256[](count));
        for (uint256 i; i < count; ++i) {
            Exposure.Cover storage cover = self.covers[a.products[i]];
            uint256 sums = cover.inForce(onsetTime);
            uint256 f = Due.fraction(lambda, cover.deductibleBps);
            uint256 limit = cover.eventLimit;
            if (limit != 0 && sums * f / WAD > limit) f = limit * WAD / sums;
            (a.inForce[i], a.fractions[i]) = (sums, f);
            a.reserve += sums * f / WAD;
        }
    }

    /// @dev Stores the fractions and finds the excesses.
    function _writeShares(
        Ledger.Store storage self,
        Waterfall.Entry storage entry,
        Assessment memory a,
        uint256 incident,
        uint256 onsetTime
    ) private {
        for (uint256 i; i < a.products.length; ++i) {
            bytes32 product = a.products[i];
            Ledger.Share storage share = self.shares[incident][product];
            uint256 paid = share.instantPaid;
            if (paid != 0) {
                uint256 gone = onsetTime == entry.onsetTime
                    ? 0
                    : _leftOut(self.covers[product], entry.onsetTime, onsetTime, share.fraction);
                gone = Math.min(paid, gone);
                a.excesses[i] = gone + _lowered(paid - gone, share.fraction, a.fractions[i]);
                a.excess += a.excesses[i];
                paid -= a.excesses[i];
            }
            (share.instantPaid, share.fraction) = (uint128(paid), uint64(a.fractions[i]));
            emit IPool.ProductBooked(incident, product, a.inForce[i], a.fractions[i], paid);
        }
    }

    /// @dev Most that can have been paid to policies which an earlier onset leaves out.
    function _leftOut(Exposure.Cover storage cover, uint256 before, uint256 onset, uint256 fraction)
        private
        view
        returns (uint256)
    {
        uint256 sums = Math.saturatingSub(cover.inceptedBy(before), cover.inceptedBy(onset));
        return Math.mulDiv(sums, fraction, WAD, Math.Rounding.Ceil);
    }

    /// @dev What a lower fraction takes back of a payment.
    function _lowered(uint256 paid, uint256 before, uint256 fraction) private pure returns (uint256) {
        return fraction < before ? Math.mulDiv(paid, before - fraction, before, Math.Rounding.Ceil) : 0;
    }

    /// @dev Raises or lowers the reserve and lets the curator bear `excess`; answers what junior held of it.
    function _rebook(
        Ledger.Store storage self,
        Waterfall.Entry storage entry,
        uint256 incident,
        uint128 reserve,
        uint256 excess
    ) private returns (uint256 borne) {
        // What the layers are to bear, before and now: the reserve without what treaties are counted on for.
        uint256 before = Math.saturatingSub(entry.need(), entry.ceded);
        entry.reserved = reserve;
        if (entry.line != 0) {
            entry.cede(self.cessions.cede(entry, incident, entry.onsetTime, reserve));
            emit IPool.Ceded(incident, entry.ceded, entry.drawn);
        }
        uint256 wanted = Math.saturatingSub(entry.need(), entry.ceded);
        uint256[4] memory given;
        if (wanted > before) _raise(self, entry, incident, wanted - before);
        else given = entry.give(Math.saturatingSub(entry.own(), wanted));
        if (excess != 0) {
            borne = Math.min(excess, self.layers[JUNIOR] + given[JUNIOR]);
            // Both are parts of what was paid in the dwell, which has 128 bits and is due as well.
            entry.instantPaid -= uint128(excess);
            // Once the lock is free nothing is outstanding any more.
            if (!entry.freed) self.instantOutstanding -= uint128(excess);
            entry.paid -= uint128(borne);
            entry.due -= uint128(borne);
            if (borne < excess) entry.uncovered += uint128(excess - borne);
            _keepPaid(entry, given, Math.saturatingSub(borne, self.layers[JUNIOR]));
        }
        _release(self, entry, incident, given, borne);
        if (borne != 0) _bear(self, incident, borne);
        // Junior has nothing left then, so the layers above bear what the curator did not.
        if (borne < excess) _charge(self, entry, incident, Math.saturatingSub(entry.need(), entry.funded));
        if (entry.funded < entry.need() && !entry.queued) {
            entry.queued = true;
            self.short_.push(incident);
        }
    }

    function _charge(
        Ledger.Store storage self,
        Waterfall.Entry storage entry,
        uint256 incident,
        uint256 amount
    ) private {
        uint256[4] memory taken = entry.charge(self.layers, amount);
        for (uint256 i; i < Waterfall.LAYERS; ++i) {
            if (taken[i] != 0) emit IPool.Charged(incident, i, taken[i]);
        }
    }

    function _raise(
        Ledger.Store storage self,
        Waterfall.Entry storage entry,
        uint256 incident,
        uint256 amount
    ) private {
        uint128[4] storage layers = self.layers;
        uint256 capital = uint256(layers[0]) + layers[1] + layers[2] + layers[3];
        uint256 more = Math.mulDiv(Terms.surgeSlope(), amount, Math.max(1, capital));
        uint256 left = Price.decayed(self.surge, block.timestamp - self.surgeAt, Terms.surgeHalfLife());
        self.surge = uint64(Math.min(Terms.surgeMax(), left + more));
        self.surgeAt = uint32(block.timestamp);
        _charge(self, entry, incident, amount);
    }

    /// @dev What was paid and nobody bears stays charged beside the reserve, so that nobody else finds less; but of
    ///      junior's no more than leaves `kept`.
    function _keepPaid(Waterfall.Entry storage entry, uint256[4] memory given, uint256 kept) private {
        uint256 missing = Math.saturatingSub(entry.need(), entry.funded);
        if (missing == 0) return;
        given[JUNIOR] -= kept;
        entry.fill(given, missing);
        given[JUNIOR] += kept;
    }

    /// @dev Gives `given` to bookings that are short, then to the layers; `borne` is to leave junior afterwards.
    function _release(
        Ledger.Store storage self,
        Waterfall.Entry storage entry,
        uint256 incident,
        uint256[4] memory given,
        uint256 borne
    ) private {
        uint256 kept = Math.saturatingSub(borne, self.layers[JUNIOR]);
        given[JUNIOR] -= kept;
        _fillShort(self, incident, given);
        given[JUNIOR] += kept;
        for (uint256 above = Waterfall.LAYERS; above != 0; --above) {
            uint256 i = above - 1;
            if (given[i] == 0) continue;
            emit IPool.Released(incident, i, given[i], _giveTo(self, entry, incident, i, given[i]));
        }
    }

    /// @dev Gives a layer what it bore, for recovery shares of those who held it before the incident was opened.
    function _giveTo(
        Ledger.Store storage self,
        Waterfall.Entry storage entry,
        uint256 incident,
        uint256 i,
        uint256 amount
    ) private returns (uint256 minted) {
        bool held;
        if (i != 0) (held, minted) = self.tranches[i - 1].mintRecovery(incident, entry.openedAt, amount);
        // Nobody held shares then: it belongs to nobody now.
        uint256 to = held ? i : 0;
        // It stays at 2^128 - 1, as in `Pool`: a booking must not fail.
        self.layers[to] = uint128(Math.min(self.layers[to] + amount, type(uint128).max));
    }

    /// @dev One step for each booking that it fills, and one for the last that it does not.
    function _fillShort(Ledger.Store storage self, uint256 from, uint256[4] memory given) private {
        uint256 left = given[0] + given[1] + given[2] + given[3];
        uint256 head = self.shortHead;
        while (left != 0 && head < self.short_.length) {
            uint256 to = self.short_[head];
            Waterfall.Entry storage entry = self.entries[to];
            uint256 amount = Math.min(left, Math.saturatingSub(entry.need(), entry.funded));
            if (amount != 0) {
                left -= amount;
                uint256[4] memory parts = entry.fill(given, amount);
                for (uint256 i; i < Waterfall.LAYERS; ++i) {
                    if (parts[i] != 0) emit IPool.Filled(from, to, i, parts[i]);
                }
            }
            if (entry.funded < entry.need()) break;
            entry.queued = false;
            ++head;
        }
        self.shortHead = head;
    }

    /// @dev Takes `borne` out of junior and as much value out of the curator's lock.
    function _bear(Ledger.Store storage self, uint256 incident, uint256 borne) private {
        uint256 assets = self.layers[JUNIOR];
        uint256 supply = self.tranches[0].totalSupply();
        uint256 shares = Math.mulDiv(borne, supply + SHARE_OFFSET, assets + 1, Math.Rounding.Ceil);
        shares = Math.min(shares, self.locked);
        uint256 fromJunior = Math.min(borne, assets);
        self.layers[JUNIOR] = uint128(assets - fromJunior);
        // Surplus got junior's part just now if nobody held junior at the snapshot.
        self.layers[0] -= uint128(borne - fromJunior);
        self.locked -= shares;
        self.tranches[0].burnLocked(Terms.curator(), shares);
        emit IPool.CuratorLocked(self.locked);
        emit IPool.InstantLoss(incident, borne, shares);
    }
}
