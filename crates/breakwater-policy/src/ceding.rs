//! What a pool cedes to treaties: which bear part of which booking, and what it owes them of its premium.
//!
//! docs/capital.md, "Ceding", is the text.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};
use breakwater_primitives::{BPS, MathError, Time, U256Ext, mul_div_floor};

use crate::context::Cx;
use crate::events::Event;
use crate::exposure::{add, take};
use crate::ledger::Ledger;
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::treaty::{Cession, Treaty, counted};

/// Most treaties that a pool cedes to at a time: a booking walks all of them.
pub const TREATIES_MAX: usize = 4;

/// The treaties of one pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ceding {
    /// All that were made for the pool, by account.
    pub treaties: BTreeMap<Address, Treaty>,
    /// Those it cedes to, in the order of their attachment.
    pub line: Vec<Address>,
    /// Premium that was set aside and not sent, pool units.
    pub premium: BTreeMap<Address, u128>,
}

impl Ceding {
    /// All premium that was set aside and not sent, pool units.
    pub fn premiums(&self) -> u128 {
        self.premium.values().fold(0, |sum, premium| sum.saturating_add(*premium))
    }

    /// What is set aside for a treaty, pool units.
    pub fn premium_of(&self, treaty: Address) -> u128 {
        self.premium.get(&treaty).copied().unwrap_or_default()
    }

    /// Sets the treaties' part of `earned` aside, each rounded down; answers the sum.
    pub(crate) fn set_aside(&mut self, time: Time, earned: u128) -> Result<u128, MathError> {
        let mut sum = 0;
        for address in self.line.clone() {
            let Some(treaty) = self.treaties.get(&address).filter(|treaty| treaty.terms.covers(time)) else {
                continue;
            };
            // An accrual must not fail: what does not fit stays with the pool.
            let part = treaty.terms.premium.floor_of(earned)?.min(u128::MAX - self.premiums());
            let waiting = self.premium.entry(address).or_default();
            *waiting = add(*waiting, part)?;
            sum = add(sum, part)?;
        }
        Ok(sum)
    }

    /// The treaty, if it was made for this pool.
    pub(crate) fn made(&mut self, treaty: Address) -> Result<&mut Treaty, Refusal> {
        self.treaties.get_mut(&treaty).ok_or(Refusal::NotATreaty { treaty })
    }
}

impl Pool {
    /// `attachTreaty`: cedes to a treaty that begins late enough for underwriters to leave before.
    pub(crate) fn attach_treaty(&mut self, cx: &mut Cx, treaty: Address) -> Result<(), Refusal> {
        self.accrue(cx)?;
        if cx.caller != self.config.curator {
            return Err(Refusal::NotCurator { caller: cx.caller });
        }
        if let Some(closed_at) = self.closed_at {
            return Err(Refusal::PoolIsClosed { closed_at });
        }
        let terms = self.ceding.made(treaty)?.terms;
        if self.ceding.line.contains(&treaty) {
            return Err(Refusal::AlreadyCeding { treaty });
        }
        if self.ceding.line.len() == TREATIES_MAX {
            return Err(Refusal::TooManyTreaties { limit: TREATIES_MAX });
        }
        let least = cx.time.plus(self.config.cooldown + 2 * self.config.epoch);
        if terms.start < least {
            return Err(Refusal::OutOfRange { field: "start", got: terms.start.0.into() });
        }
        let (mut share, mut premium) = (terms.share.get(), terms.premium.get());
        for other in self.ceding.line.iter().filter_map(|other| self.ceding.treaties.get(other)) {
            share += other.terms.share.get();
            premium += other.terms.premium.get();
        }
        for (field, sum) in [("shareBps", share), ("premiumBps", premium)] {
            if u64::from(sum) > BPS {
                return Err(Refusal::OutOfRange { field, got: sum.into() });
            }
        }
        self.ceding.line.push(treaty);
        let (share, premium) = (terms.share, terms.premium);
        let event = Event::TreatyAttached { treaty, share, premium, start: terms.start, end: terms.end };
        cx.emit(self.address, event);
        Ok(())
    }

    /// `detachTreaty`: by anyone once it covers nothing any more.
    pub(crate) fn detach_treaty(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        treaty: Address,
    ) -> Result<(), Refusal> {
        self.accrue(cx)?;
        if !self.ceding.line.contains(&treaty) {
            return Err(Refusal::NotCeding { treaty });
        }
        let found = self.ceding.made(treaty)?;
        let (until, encumbered) = (found.terms.free_from(), found.encumbered());
        self.pay_premium(cx, ledger, treaty)?;
        // Nor with premium that it could not be sent.
        let runs = cx.time < until || encumbered != 0 || self.ceding.premium_of(treaty) != 0;
        if runs || self.dwells() {
            return Err(Refusal::TreatyRuns { treaty, until, encumbered });
        }
        self.ceding.line.retain(|other| *other != treaty);
        cx.emit(self.address, Event::TreatyDetached { treaty });
        Ok(())
    }

    /// Sends a treaty what was set aside for it, zero if the asset does not move; the pool has accrued.
    pub(crate) fn pay_premium(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        treaty: Address,
    ) -> Result<u128, Refusal> {
        let amount = self.ceding.premium_of(treaty);
        let cedes = self.ceding.line.contains(&treaty);
        if !cedes || amount == 0 || self.move_asset(ledger, self.address, treaty, amount).is_err() {
            return Ok(0);
        }
        cx.emit(self.address, Event::PremiumCeded { treaty, amount });
        self.ceding.premium.remove(&treaty);
        let found = self.ceding.made(treaty)?;
        found.assets = add(found.assets, amount)?;
        cx.emit(treaty, Event::PremiumReceived { amount });
        Ok(amount)
    }

    /// Lets each treaty of an incident lock its part of the reserve; the booking counts on a unit less of each.
    pub(crate) fn cede(
        &mut self,
        cx: &mut Cx,
        incident: u64,
        onset: Time,
        reserve: u128,
    ) -> Result<(), Refusal> {
        let mut ceded = 0;
        for address in self.open_booking(incident, cx.block).line.clone() {
            let treaty = self.ceding.made(address)?;
            let known = treaty.cession(incident).copied();
            let covered = treaty.encumber(incident, (cx.time, cx.block), onset, reserve)?;
            if let Some(cession) = treaty.cession(incident).copied() {
                tell_cession(cx, address, incident, onset, known.as_ref(), &cession);
            }
            ceded = add(ceded, counted(covered))?;
        }
        self.open_booking(incident, cx.block).cede(ceded)?;
        self.tell_ceded(cx, incident);
        Ok(())
    }

    /// Draws what the treaties owe on what is due by now.
    pub(crate) fn draw_treaties(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        incident: u64,
    ) -> Result<(), Refusal> {
        let booking = self.open_booking(incident, cx.block);
        let due = booking.due;
        for address in booking.line.clone() {
            self.draw_treaty(cx, ledger, address, incident, due)?;
        }
        self.tell_ceded(cx, incident);
        Ok(())
    }

    /// Claims are over: frees what nobody is owed, draws, and answers what is covered for good.
    pub(crate) fn settle_treaties(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        incident: u64,
    ) -> Result<u128, Refusal> {
        let booking = self.open_booking(incident, cx.block);
        let (due, mut ceded) = (booking.due, 0);
        for address in booking.line.clone() {
            let treaty = self.ceding.made(address)?;
            let known = treaty.cession(incident).copied();
            ceded = add(ceded, treaty.settle(incident, due)?)?;
            let Some(cession) = treaty.cession(incident).copied() else { continue };
            // It is covered anew, without an onset, before it is settled.
            let covering = Cession { settled: false, ..cession };
            tell_cession(cx, address, incident, Time(0), known.as_ref(), &covering);
            cx.emit(address, Event::CessionSettled { incident, due });
            self.draw_treaty(cx, ledger, address, incident, due)?;
        }
        Ok(ceded)
    }

    fn draw_treaty(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        address: Address,
        incident: u64,
        due: u128,
    ) -> Result<(), Refusal> {
        let amount = self.ceding.made(address)?.draw(incident, due)?;
        if amount == 0 {
            return Ok(());
        }
        if self.move_asset(ledger, address, self.address, amount).is_err() {
            self.ceding.made(address)?.undraw(incident, amount);
            cx.emit(address, Event::DrawFailed { incident, due, amount });
            return Ok(());
        }
        cx.emit(address, Event::Drawn { incident, due, amount });
        let booking = self.open_booking(incident, cx.block);
        booking.drawn = add(booking.drawn, amount)?;
        Ok(())
    }

    /// Sends `amount` of a recovery back to the treaties of an incident, by what each paid, rounded down, the last one
    /// getting the rest; answers what could not be sent.
    pub(crate) fn give_treaties(
        &mut self,
        cx: &mut Cx,
        ledger: &mut Ledger,
        incident: u64,
        amount: u128,
    ) -> Result<u128, Refusal> {
        let booking = self.open_booking(incident, cx.block);
        let (mut drawn, line) = (booking.drawn, booking.line.clone());
        let (mut left, mut open) = (amount, amount);
        for treaty in line {
            let its = self.ceding.made(treaty)?.cession(incident).map_or(0, |cession| cession.drawn);
            if its == 0 || left == 0 {
                continue;
            }
            // Of what is left by what is left: the last of them gets all of it.
            let part = mul_div_floor(U256::from(open), U256::from(its), U256::from(drawn))?.to_u128()?;
            (drawn, open) = (take(drawn, its)?, take(open, part)?);
            if part == 0 || self.move_asset(ledger, self.address, treaty, part).is_err() {
                continue;
            }
            left = take(left, part)?;
            let to_holders = self.ceding.made(treaty)?.give_back(incident, part);
            cx.emit(treaty, Event::ReturnReceived { incident, amount: part, to_holders });
            cx.emit(self.address, Event::ReturnedToTreaty { incident, treaty, amount: part });
        }
        Ok(left)
    }

    /// Tells what a booking counts on, if it was opened with treaties.
    pub(crate) fn tell_ceded(&self, cx: &mut Cx, incident: u64) {
        if let Some(booking) = self.bookings.get(&incident).filter(|booking| !booking.line.is_empty()) {
            let (ceded, drawn) = (booking.ceded, booking.drawn);
            cx.emit(self.address, Event::Ceded { incident, ceded, drawn });
        }
    }

    fn move_asset(
        &self,
        ledger: &mut Ledger,
        from: Address,
        to: Address,
        amount: u128,
    ) -> Result<(), Refusal> {
        ledger.transfer(self.config.asset, from, to, U256::from(amount))
    }
}

/// What a treaty tells of an incident that it was encumbered for; nothing once that is settled.
fn tell_cession(
    cx: &mut Cx,
    treaty: Address,
    incident: u64,
    onset: Time,
    known: Option<&Cession>,
    cession: &Cession,
) {
    if cession.settled {
        return;
    }
    let Cession { year, before, loss, covered, short_by, .. } = *cession;
    if known.is_none() {
        cx.emit(treaty, Event::CessionOpened { incident, year, before });
    }
    cx.emit(treaty, Event::Encumbered { incident, onset, loss, covered, short_by });
}
