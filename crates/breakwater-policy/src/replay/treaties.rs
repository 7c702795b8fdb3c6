//! Treaties, what pools cede to them and what comes back, from their logs.

use alloy_primitives::Address;

use crate::ceding::Ceding;
use crate::events::{Event, Log};
use crate::exposure::{add, take};
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::treaty::{Cession, Treaty};
use crate::world::World;

impl World {
    /// `TreatyMade` of the factory.
    pub(super) fn apply_made(&mut self, event: &Event) {
        let Event::TreatyMade { treaty, cedant, terms } = *event else { return };
        if let Some(pool) = self.pools.get_mut(&cedant) {
            pool.ceding.treaties.insert(treaty, Treaty::new(terms));
        }
    }

    /// The treaty of this account, whichever pool it was made for.
    pub(super) fn treaty_mut(&mut self, treaty: Address) -> Option<&mut Treaty> {
        self.pools.values_mut().find_map(|pool| pool.ceding.treaties.get_mut(&treaty))
    }
}

impl Ceding {
    pub(super) fn apply(&mut self, event: &Event) {
        match *event {
            Event::TreatyAttached { treaty, .. } => self.line.push(treaty),
            Event::TreatyDetached { treaty } => self.line.retain(|other| *other != treaty),
            Event::PremiumCeded { treaty, .. } => {
                self.premium.remove(&treaty);
            }
            _ => {}
        }
    }
}

impl Pool {
    /// What a booking counts on of its treaties, and what came back for it.
    pub(super) fn apply_recovery(&mut self, log: &Log) -> Result<(), Refusal> {
        match log.event {
            Event::Ceded { incident, ceded, drawn } => {
                let booking = self.open_booking(incident, log.block);
                booking.cede(ceded)?;
                booking.drawn = drawn;
            }
            Event::Recovered { incident, amount, filled, .. } => {
                let booking = self.open_booking(incident, log.block);
                booking.recovered = add(booking.recovered, take(amount, filled)?)?;
            }
            Event::RecoveredTo { incident, layer, amount, recovery_shares } => {
                let opened = self.open_booking(incident, log.block).opened_at;
                self.apply_release(layer, incident, opened, amount, recovery_shares)?;
            }
            ref event => self.ceding.apply(event),
        }
        Ok(())
    }
}

impl Treaty {
    pub(super) fn apply(&mut self, log: &Log) -> Result<(), Refusal> {
        match log.event {
            Event::CessionOpened { incident, year, before } => {
                let opened = Cession { year, before, snapshot: log.block.before(), ..Cession::default() };
                self.cessions.insert(incident, opened);
            }
            Event::Encumbered { incident, loss, covered, short_by, .. } => {
                let known = self.cession(incident).copied().unwrap_or_default();
                self.store(incident, known, Cession { loss, covered, short_by, ..known })?;
            }
            Event::Drawn { incident, amount, .. } => {
                if let Some(cession) = self.cessions.get_mut(&incident) {
                    cession.drawn = add(cession.drawn, amount)?;
                }
                self.assets = take(self.assets, amount)?;
            }
            Event::CessionSettled { incident, .. } => {
                if let Some(cession) = self.cessions.get_mut(&incident) {
                    cession.settled = true;
                }
            }
            Event::PremiumReceived { amount } => self.assets = add(self.assets, amount)?,
            Event::ReturnReceived { incident, amount, .. } => {
                self.give_back(incident, amount);
            }
            Event::ReturnClaimed { incident, account, amount } => self.claimed(incident, account, amount),
            Event::ShareTransfer { from, to, shares } => self.shares.apply(log.block, from, to, shares)?,
            Event::VaultDeposit { assets, .. } => self.assets = add(self.assets, assets)?,
            Event::VaultWithdraw { assets, .. } => self.assets = take(self.assets, assets)?,
            _ => {}
        }
        Ok(())
    }
}
