//! What a pool holds for one incident: booked, booked anew, settled and closed.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{Block, MathError, Time, U256Ext, WAD, mul_div_ceil, mul_div_floor};

use crate::context::Cx;
use crate::due;
use crate::events::Event;
use crate::exposure::{add, take};
use crate::incident::{Incident, Status};
use crate::ledger::Ledger;
use crate::measure::lambda;
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::terms::Product;
use crate::waterfall::{self, Layers};

/// One pool's side of one incident. Amounts are pool units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Booking {
    /// What the terms say may be owed.
    pub reserved: u128,
    /// What the layers gave and what treaties are counted on for.
    pub funded: u128,
    /// Sum of what settlement found owed.
    pub due: u128,
    /// Sent or credited.
    pub paid: u128,
    /// Of `paid`, what was paid in the dwell and is not written off.
    pub instant_paid: u128,
    /// Layers at the first booking, or more where releases of others filled it.
    pub limit: Layers,
    /// Taken from each layer.
    pub charged: Layers,
    /// Block of the first booking.
    pub opened_at: Block,
    /// Onset of the measurement that was booked last.
    pub onset_time: Time,
    /// What is counted on of the treaties.
    pub ceded: u128,
    /// What they have sent.
    pub drawn: u128,
    /// What came back once it was closed, beyond short bookings.
    pub recovered: u128,
    /// Treaties that the pool ceded to when it was opened.
    pub line: Vec<Address>,
    /// The dwell is over.
    pub settled: bool,
    /// Claims are over.
    pub closed: bool,
    /// Nothing can lower the incident any more: what was paid in its dwell does not bind the curator's lock.
    pub freed: bool,
    /// Of `paid`, what was paid in the dwell to those who are owed less now, and borne by nobody.
    pub uncovered: u128,
    /// By product.
    pub products: BTreeMap<B256, BookedProduct>,
}

impl Booking {
    /// What the layers held when the incident was booked.
    pub fn held(&self) -> U256 {
        self.limit.iter().copied().map(U256::from).sum()
    }

    /// What the pool, with `money` in it, and its treaties can pay: cover that was sold beyond what they have is
    /// nobody's payout, and what another booking took from the layers may come to this one.
    pub fn payable(&self, money: U256) -> u128 {
        let most = self.held().max(money).saturating_add(U256::from(self.ceded));
        most.to_u128().map_or(self.reserved, |most| most.min(self.reserved))
    }
}

/// One product in a booking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BookedProduct {
    /// In force at the onset, pool units.
    pub exposure: u128,
    /// fEff, wad.
    pub fraction: U256,
    /// Paid in the dwell and not written off, pool units.
    pub instant_paid: u128,
}

/// What an incident tells a pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) incident: u64,
    pub(crate) gauge: B256,
    pub(crate) onset_time: Time,
    pub(crate) loss: u128,
    pub(crate) base: u128,
}

impl Pool {
    /// fEff of an incident and product as of the last booking, wad.
    pub fn fraction(&self, incident: u64, product: &B256) -> U256 {
        let booked = self.bookings.get(&incident).and_then(|booking| booking.products.get(product));
        booked.map_or(U256::ZERO, |booked| booked.fraction)
    }

    /// `book`: raises or lowers the reserve to what the measurement says; answers the gauge units that the curator
    /// bore. Nobody enters or leaves in the call that brings the loss.
    pub(crate) fn book(
        &mut self,
        cx: &mut Cx,
        products: &BTreeMap<B256, Product>,
        claim: Claim,
    ) -> Result<u128, Refusal> {
        self.roll(cx)?;
        let (rows, reserved) = self.reserve(products, &claim)?;
        if reserved == 0 && !self.bookings.contains_key(&claim.incident) {
            return Ok(0);
        }
        let excesses = self.book_products(cx, &claim, rows)?;
        let borne = self.rebook(cx, &claim, reserved, &excesses)?;
        let booking = self.open_booking(claim.incident, cx.block);
        booking.onset_time = claim.onset_time;
        let Booking { reserved, funded, onset_time, .. } = *booking;
        let surge = self.surge.value;
        cx.emit(
            self.address,
            Event::Booked { incident: claim.incident, onset_time, reserved, funded, surge },
        );
        returned_units(products, borne, &excesses)
    }

    /// `settleBooking`: the dwell is over, and, unless the incident is disputed, the curator's lock is free. Nobody
    /// enters or leaves, so that what goes wrong there keeps no other pool's incident from being final.
    pub(crate) fn settle_booking(
        &mut self,
        cx: &mut Cx,
        incident: u64,
        disputed: bool,
    ) -> Result<(), Refusal> {
        self.roll(cx)?;
        let Some(booking) = self.bookings.get_mut(&incident).filter(|booking| !booking.freed) else {
            return Ok(());
        };
        if !std::mem::replace(&mut booking.settled, true) {
            cx.emit(self.address, Event::BookingSettled { incident });
        }
        if !disputed {
            booking.freed = true;
            cx.emit(self.address, Event::LockFreed { incident });
        }
        Ok(())
    }

    /// `closeBooking`: gives back what nobody is owed.
    pub(crate) fn close_booking(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        incident: u64,
        found: Option<&Incident>,
    ) -> Result<(), Refusal> {
        let booking = self.bookings.get(&incident).ok_or(Refusal::UnknownBooking { incident })?;
        if booking.closed {
            return Err(Refusal::BookingIsClosed { incident });
        }
        let claims_end = found.map_or(Time(0), |incident| incident.claims_end);
        if found.is_none_or(|incident| incident.status != Status::Final) || cx.time <= claims_end {
            return Err(Refusal::ClaimsOpen { incident, claims_end });
        }
        self.accrue(cx)?;
        let booking = self.open_booking(incident, cx.block);
        booking.closed = true;
        booking.reserved = booking.due;
        let (due, paid) = (booking.due, booking.paid);
        cx.emit(self.address, Event::BookingClosed { incident, due, paid });
        let ceded = self.settle_treaties(cx, ledger, incident)?;
        let booking = self.open_booking(incident, cx.block);
        booking.cede(ceded)?;
        // Where a treaty's asset did not move, what was paid for it stays with the layers.
        let kept = due.saturating_sub(ceded).max(booking.paid.saturating_sub(booking.drawn));
        let give = booking.give(booking.own().saturating_sub(kept));
        self.release(cx, incident, give, 0)?;
        self.tell_ceded(cx, incident);
        Ok(())
    }

    /// For each product of the gauge what is in force at the onset and its fraction, and the sum of the reserves.
    fn reserve(
        &self,
        products: &BTreeMap<B256, Product>,
        claim: &Claim,
    ) -> Result<(Vec<(B256, BookedProduct)>, u128), Refusal> {
        let mut rows = Vec::new();
        let mut sum = 0;
        let lambda = lambda(claim.loss, claim.base);
        for id in self.gauges.get(&claim.gauge).into_iter().flatten() {
            let terms = products.get(id).ok_or(Refusal::UnknownProduct { product: *id })?;
            let book = self.products.get(id).ok_or(Refusal::UnknownProduct { product: *id })?;
            let exposure = book.in_force(claim.onset_time)?;
            let fraction = due::effective_fraction(lambda, terms, exposure)?;
            sum = add(sum, mul_div_floor(U256::from(exposure), fraction, U256::from(WAD))?.to_u128()?)?;
            rows.push((*id, BookedProduct { exposure, fraction, instant_paid: 0 }));
        }
        Ok((rows, sum))
    }

    /// Stores the rows; answers what of each product's instant payments the new reserve does not hold.
    fn book_products(
        &mut self,
        cx: &mut Cx,
        claim: &Claim,
        rows: Vec<(B256, BookedProduct)>,
    ) -> Result<Vec<(B256, u128)>, Refusal> {
        let incident = claim.incident;
        let mut excesses = Vec::with_capacity(rows.len());
        for (product, mut row) in rows {
            let book = self.products.get(&product).ok_or(Refusal::UnknownProduct { product })?;
            let new_onset = book.incepted_by(claim.onset_time);
            let old_onset = self.bookings.get(&incident).map(|booking| book.incepted_by(booking.onset_time));
            let shut_out = old_onset.unwrap_or_default().saturating_sub(new_onset);
            let booking = self.open_booking(incident, cx.block);
            let old = booking.products.get(&product).copied().unwrap_or_default();
            let excess = instant_excess(&old, shut_out, row.fraction)?;
            row.instant_paid = take(old.instant_paid, excess)?;
            booking.instant_paid = take(booking.instant_paid, excess)?;
            booking.products.insert(product, row);
            excesses.push((product, excess));
            let BookedProduct { exposure, fraction, instant_paid } = row;
            let event = Event::ProductBooked { incident, product, exposure, fraction, instant_paid };
            cx.emit(self.address, event);
        }
        Ok(excesses)
    }

    /// Raises or lowers the reserve and lets the curator bear the excesses; answers what he could bear of them.
    fn rebook(
        &mut self,
        cx: &mut Cx,
        claim: &Claim,
        reserved: u128,
        excesses: &[(B256, u128)],
    ) -> Result<u128, Refusal> {
        let incident = claim.incident;
        let booking = self.open_booking(incident, cx.block);
        // What the layers are to bear, before and now: the reserve without what treaties are counted on for.
        let before = booking.need()?.saturating_sub(booking.ceded);
        booking.reserved = reserved;
        self.cede(cx, incident, claim.onset_time, reserved)?;
        let booking = self.open_booking(incident, cx.block);
        let wanted = booking.need()?.saturating_sub(booking.ceded);
        let mut give = Layers::default();
        if wanted > before {
            self.raise_booking(cx, incident, wanted - before)?;
        } else {
            give = booking.give(booking.own().saturating_sub(wanted));
        }
        let junior = self.layers[1];
        let booking = self.open_booking(incident, cx.block);
        let excess = excesses.iter().try_fold(0, |sum, (_, excess)| add(sum, *excess))?;
        let borne = excess.min(add(junior, give[1])?);
        booking.paid = take(booking.paid, borne)?;
        booking.due = take(booking.due, borne)?;
        booking.uncovered = add(booking.uncovered, excess - borne)?;
        if excess > 0 {
            keep_what_was_paid(booking, &mut give, borne.saturating_sub(junior))?;
        }
        self.release(cx, incident, give, borne)?;
        if borne > 0 {
            self.bear(cx, incident, borne)?;
        }
        if borne < excess {
            let booking = self.open_booking(incident, cx.block);
            let missing = booking.need()?.saturating_sub(booking.funded);
            self.charge(cx, incident, missing)?;
        }
        let booking = self.open_booking(incident, cx.block);
        if booking.funded < booking.need()? && !self.shorts.contains(&incident) {
            self.shorts.push_back(incident);
        }
        Ok(borne)
    }

    /// Takes up to `amount` from the layers, lowest first.
    fn charge(&mut self, cx: &mut Cx, incident: u64, amount: u128) -> Result<(), Refusal> {
        let mut layers = self.layers;
        let booking = self.open_booking(incident, cx.block);
        let limit = booking.limit;
        let taken = waterfall::raise(amount, &mut layers, &limit, &mut booking.charged);
        booking.funded = add(booking.funded, taken.iter().sum())?;
        self.layers = layers;
        for (layer, amount) in taken.into_iter().enumerate().filter(|(_, amount)| *amount > 0) {
            cx.emit(self.address, Event::Charged { incident, layer, amount });
        }
        Ok(())
    }

    /// The booking of an incident, made with the layers of now as limits if there is none.
    pub(crate) fn open_booking(&mut self, incident: u64, block: Block) -> &mut Booking {
        let (limit, ceding) = (self.layers, &self.ceding);
        self.bookings.entry(incident).or_insert_with(|| Booking {
            limit,
            opened_at: block,
            line: ceding.line.clone(),
            ..Booking::default()
        })
    }

    fn raise_booking(&mut self, cx: &mut Cx, incident: u64, more: u128) -> Result<(), Refusal> {
        let capital = self.capital()?;
        self.surge = self.surge.raised(&self.config, cx.time, more, capital)?;
        self.charge(cx, incident, more)
    }

    /// Fills short bookings and gives the rest back to the layers, senior first; junior keeps enough for `borne`.
    fn release(&mut self, cx: &mut Cx, incident: u64, give: Layers, borne: u128) -> Result<(), Refusal> {
        let kept = borne.saturating_sub(self.layers[1]).min(give[1]);
        let mut give = give;
        give[1] -= kept;
        self.fill_shorts(cx, incident, &mut give)?;
        give[1] += kept;
        let opened = self.open_booking(incident, cx.block).opened_at;
        for layer in (0..4).rev().filter(|layer| give[*layer] > 0) {
            let amount = give[layer];
            let recovery_shares = self.give_back(cx, layer, incident, opened, amount)?;
            cx.emit(self.address, Event::Released { incident, layer, amount, recovery_shares });
        }
        Ok(())
    }

    /// Lets the oldest short bookings have what is given, lowest layer first.
    pub(crate) fn fill_shorts(&mut self, cx: &mut Cx, from: u64, give: &mut Layers) -> Result<(), Refusal> {
        while give.iter().any(|amount| *amount > 0) {
            let Some(to) = self.shorts.front().copied() else { break };
            let address = self.address;
            let booking = self.open_booking(to, cx.block);
            for (layer, amount) in give.iter_mut().enumerate() {
                let part = (*amount).min(booking.need()?.saturating_sub(booking.funded));
                if part > 0 {
                    *amount -= part;
                    fill(booking, layer, part)?;
                    let event = Event::Filled { from, to, layer, amount: part };
                    cx.emit(address, event);
                }
            }
            if booking.funded < booking.need()? {
                break;
            }
            self.shorts.pop_front();
        }
        Ok(())
    }

    /// Takes `amount` out of junior; what it has not came just now to surplus, because nobody held junior then.
    pub(crate) fn take_from_junior(&mut self, amount: u128) -> Result<(), MathError> {
        let there = amount.min(self.layers[1]);
        self.layers[1] -= there;
        self.layers[0] = take(self.layers[0], amount - there)?;
        Ok(())
    }

    /// Takes `amount` out of junior and burns shares of that value from the curator's lock.
    fn bear(&mut self, cx: &mut Cx, incident: u64, amount: u128) -> Result<(), Refusal> {
        let shares = self.tranche(1).to_shares_ceil(amount, self.layers[1])?.min(self.locked);
        let curator = self.config.curator;
        self.locked = self.locked.minus(shares)?;
        self.tranche_mut(1).burn(cx, curator, shares)?;
        self.take_from_junior(amount)?;
        cx.emit(self.address, Event::CuratorLocked { shares: self.locked });
        cx.emit(self.address, Event::InstantLoss { incident, amount, shares_burned: shares });
        Ok(())
    }
}

impl Booking {
    /// What is to be held: the reserve, and what was paid beside it. Once closed the reserve is all that is due.
    ///
    /// # Errors
    /// Overflow beyond 128 bits.
    pub fn need(&self) -> Result<u128, MathError> {
        if self.closed { Ok(self.reserved) } else { add(self.reserved, self.uncovered) }
    }

    /// What the layers bear.
    pub fn own(&self) -> u128 {
        self.funded.saturating_sub(self.ceded)
    }

    /// What has come in for the incident, from layers and treaties: as much may be paid.
    pub fn cash(&self) -> u128 {
        self.own().saturating_add(self.drawn)
    }

    /// Counts on `ceded` of the treaties instead of what was counted before.
    pub(crate) fn cede(&mut self, ceded: u128) -> Result<(), MathError> {
        (self.funded, self.ceded) = (add(self.own(), ceded)?, ceded);
        Ok(())
    }

    /// Lets go of `amount`, at most what the layers bear; answers what of each layer that is.
    fn give(&mut self, amount: u128) -> Layers {
        let give = waterfall::lower(amount, &mut self.charged);
        self.funded = self.funded.saturating_sub(give.iter().sum());
        give
    }
}

/// Gauge units in what the curator bore, product by product, each rounded down.
fn returned_units(
    products: &BTreeMap<B256, Product>,
    borne: u128,
    excesses: &[(B256, u128)],
) -> Result<u128, Refusal> {
    let (mut left, mut units) = (borne, 0);
    for (product, excess) in excesses {
        let part = left.min(*excess);
        left -= part;
        let terms = products.get(product).ok_or(Refusal::UnknownProduct { product: *product })?;
        units = add(units, due::to_gauge_units_floor(terms, part)?)?;
    }
    Ok(units)
}

/// What the curator bears of a product when its incident is booked anew, pool units: what was paid to policies that
/// the new onset shuts out (at most `shut_out` of sums), and of the rest the part by which the fraction fell.
///
/// # Errors
/// Overflow beyond 128 bits.
pub fn instant_excess(old: &BookedProduct, shut_out: U256, fraction: U256) -> Result<u128, MathError> {
    if old.instant_paid == 0 {
        return Ok(0);
    }
    let paid = U256::from(old.instant_paid);
    let gone = mul_div_ceil(shut_out, old.fraction, U256::from(WAD))?.min(paid);
    let rest = paid.minus(gone)?;
    let fallen = old.fraction.saturating_sub(fraction);
    let part = if fallen.is_zero() { U256::ZERO } else { mul_div_ceil(rest, fallen, old.fraction)? };
    gone.plus(part)?.to_u128()
}

/// Keeps charged, beside the reserve, what was paid and not borne. Of junior's part, `needed` goes to bear the excess
/// and is not kept.
fn keep_what_was_paid(booking: &mut Booking, give: &mut Layers, needed: u128) -> Result<(), MathError> {
    let mut missing = booking.need()?.saturating_sub(booking.funded);
    for layer in 0..4 {
        let free = if layer == 1 { give[1].saturating_sub(needed) } else { give[layer] };
        let kept = missing.min(free);
        give[layer] -= kept;
        booking.charged[layer] += kept;
        booking.funded += kept;
        missing -= kept;
    }
    Ok(())
}

/// A release of another incident pays into this booking; the layer bears it, whatever its limit was.
pub(crate) fn fill(booking: &mut Booking, layer: usize, amount: u128) -> Result<(), MathError> {
    booking.charged[layer] = add(booking.charged[layer], amount)?;
    booking.limit[layer] = booking.limit[layer].max(booking.charged[layer]);
    booking.funded = add(booking.funded, amount)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booking(uncovered: u128, charged: Layers) -> Booking {
        Booking { uncovered, charged, funded: charged.iter().sum(), limit: [100; 4], ..Booking::default() }
    }

    #[test]
    fn what_was_paid_and_borne_by_nobody_stays_charged() {
        // 60 were paid, 10 are funded, and junior's 20 are needed to bear the excess.
        let (mut found, mut give) = (booking(60, [0, 10, 0, 0]), [15, 20, 30, 40]);
        keep_what_was_paid(&mut found, &mut give, 20).expect("small");
        assert_eq!(give, [0, 20, 0, 35]);
        assert_eq!((found.charged, found.funded), ([15, 10, 30, 5], 60));
        // Junior is needed for 5 only.
        let (mut found, mut give) = (booking(60, [0, 10, 0, 0]), [15, 20, 30, 40]);
        keep_what_was_paid(&mut found, &mut give, 5).expect("small");
        assert_eq!(give, [0, 5, 10, 40]);
        assert_eq!((found.charged, found.funded), ([15, 25, 20, 0], 60));
        // Nothing is kept where enough is funded.
        let (mut found, mut give) = (booking(10, [0, 10, 0, 0]), [15, 20, 30, 40]);
        keep_what_was_paid(&mut found, &mut give, 0).expect("small");
        assert_eq!(give, [15, 20, 30, 40]);
    }

    #[test]
    fn a_pool_can_pay_what_it_held_and_what_its_treaties_cover() {
        let found = Booking { reserved: 1_000, ..booking(0, [0; 4]) };
        assert_eq!(found.payable(U256::ZERO), 400);
        assert_eq!(found.payable(U256::from(600)), 600);
        assert_eq!(Booking { ceded: 500, ..found.clone() }.payable(U256::ZERO), 900);
        assert_eq!(Booking { ceded: 700, ..found }.payable(U256::ZERO), 1_000);
    }

    #[test]
    fn a_filling_lifts_the_limit() {
        let mut found = booking(0, [100, 0, 0, 0]);
        fill(&mut found, 0, 7).expect("small");
        fill(&mut found, 3, 8).expect("small");
        assert_eq!((found.charged, found.limit), ([107, 0, 0, 8], [107, 100, 100, 100]));
        assert_eq!(found.funded, 115);
    }

    #[test]
    fn what_the_curator_bore_is_counted_product_by_product() {
        let gauges = [B256::ZERO, B256::ZERO];
        let mut terms = crate::ops::sample_products(&gauges, Default::default(), Default::default());
        (terms[0].unit_num, terms[0].unit_den) = (3, 1);
        let (a, b) = (B256::with_last_byte(1), B256::with_last_byte(2));
        let products = BTreeMap::from([(a, terms.remove(0)), (b, terms.remove(0))]);
        // 10 of the first are 3 units of its gauge; of 25 borne 15 are left for the second.
        assert_eq!(returned_units(&products, 25, &[(a, 10), (b, 20)]), Ok(3 + 15));
        assert_eq!(returned_units(&products, 5, &[(a, 10), (b, 20)]), Ok(1));
    }
}
