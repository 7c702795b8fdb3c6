//! The world from its logs alone: what a stranger with an archive of events can know.
//!
//! Sums follow from the events by the same formulas, never by a second accounting, so that an event that lacks a
//! number is noticed as a difference of [`World::words`].
//! Three cursors are in no log because nobody's money depends on them: the order of short bookings (each `Filled`
//! names its booking), the epoch that was processed last, and the epoch in which a cohort was looked at last.

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{MathError, U256Ext};
use thiserror::Error;

use crate::booking::{BookedProduct, fill};
use crate::deposit::DepositState;
use crate::events::{Event, Log};
use crate::exposure::{Pending, add, take};
use crate::incident::Incident;
use crate::policies::kept_rate;
use crate::pool::Pool;
use crate::price::Surge;
use crate::refusal::Refusal;
use crate::registry::Position;
use crate::tranche::Tranche;
use crate::world::{Deployment, World};

mod certificates;
mod treaties;

/// A log that does not fit what came before it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// An event of a contract that the deployment does not name.
    #[error("log {index} is of {emitter}, which is none of ours")]
    UnknownEmitter {
        /// Place of the log.
        index: usize,
        /// Who logged it.
        emitter: Address,
    },
    /// An event that the formulas refuse.
    #[error("log {index}: {reason}")]
    Contradiction {
        /// Place of the log.
        index: usize,
        /// Why.
        reason: Refusal,
    },
}

impl World {
    /// Rebuilds a world from its logs. `pools` are the pools as they were made: their configs are in no log.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn replay(terms: Deployment, pools: &[Pool], logs: &[Log]) -> Result<Self, ReplayError> {
        let mut world = Self::new(terms);
        for (index, log) in logs.iter().enumerate() {
            match world.apply(pools, log) {
                Ok(true) => {}
                Ok(false) => return Err(ReplayError::UnknownEmitter { index, emitter: log.emitter }),
                Err(reason) => return Err(ReplayError::Contradiction { index, reason }),
            }
        }
        Ok(world)
    }

    fn apply(&mut self, made: &[Pool], log: &Log) -> Result<bool, Refusal> {
        let emitter = log.emitter;
        if emitter == self.terms.catalog {
            self.apply_catalog(made, &log.event);
        } else if emitter == self.terms.incidents {
            self.apply_incident(log)?;
        } else if emitter == self.terms.policies {
            self.apply_policy(log)?;
        } else if let Some(pool) = self.pools.get_mut(&emitter) {
            let window = log.product().and_then(|product| self.products.get(&product));
            let cluster = log.product().and_then(|product| self.market.clusters.get(&product));
            pool.apply(log, window.map_or(0, |terms| terms.report_window), cluster.copied())?;
        } else if emitter == self.terms.underwriting {
            self.apply_underwriting(log)?;
        } else if emitter == self.terms.treaties {
            self.apply_made(&log.event);
        } else if let Some(treaty) = self.treaty_mut(emitter) {
            treaty.apply(log)?;
        } else {
            let found = self.pools.values_mut().find_map(|pool| {
                let layer = pool.tranches.iter().position(|tranche| tranche.address == emitter)? + 1;
                Some((pool, layer))
            });
            let Some((pool, layer)) = found else { return Ok(false) };
            pool.apply_tranche(layer, log)?;
        }
        Ok(true)
    }

    fn apply_catalog(&mut self, made: &[Pool], event: &Event) {
        match event {
            Event::GaugeListed { gauge, info } => {
                self.gauges.insert(*gauge, info.clone());
            }
            Event::ProductListed { product, terms } => {
                self.products.insert(*product, terms.clone());
            }
            Event::PoolRegistered { pool } => {
                let found = made.iter().find(|candidate| candidate.address == *pool);
                self.pools.extend(found.map(|found| (*pool, found.clone())));
            }
            Event::PoolAttached { gauge, pool } => self.attached.entry(*gauge).or_default().push(*pool),
            _ => {}
        }
    }

    /// What a pool can pay counts towards the ceiling of the incident's rung.
    fn apply_count(&mut self, id: u64, pool: Address, amount: u128) -> Result<(), Refusal> {
        let Incident { rung, .. } = *self.incidents.known(id)?;
        let asset = self.pools.get(&pool).ok_or(Refusal::NotAPool { pool })?.config.asset;
        self.incidents.count(id, rung, pool, asset, amount)?;
        Ok(())
    }

    fn apply_incident(&mut self, log: &Log) -> Result<(), Refusal> {
        match log.event {
            Event::Opened { rung, .. } => {
                // The one contract of the rung; where there are several, the log's transaction tells which.
                let rungs = &self.terms.rungs;
                let contract = rungs.iter().find(|(_, held)| **held == rung).map(|(contract, _)| *contract);
                self.add_incident(log.time, log.block, &log.event, contract.unwrap_or_default());
            }
            Event::Revised { id, measured, dwell_end } => self.apply_revision(id, measured, dwell_end),
            Event::Finalised { id, claims_end } => {
                let loss = self.incidents.get(id).map_or(0, |incident| incident.measured.loss);
                self.incidents.apply_final(id, loss, claims_end);
            }
            Event::PositionProven { id, account, onset, lost, value } => {
                let paid = self.incidents.positions.get(&(id, account)).map_or(0, |old| old.paid);
                let position = Position { lost, value, onset, paid };
                self.incidents.positions.insert((id, account), position);
            }
            Event::PositionPaid { id, account, whole, amount, paid_for_account, paid_in_all } => {
                self.incidents.apply_payment(id, account, whole, amount);
                self.incidents.positions.entry((id, account)).or_default().paid = paid_for_account;
                if let Some(incident) = self.incidents.get_mut(id) {
                    incident.paid = paid_in_all;
                }
            }
            Event::Returned { id, paid_in_all, .. } => {
                if let Some(incident) = self.incidents.get_mut(id) {
                    incident.paid = paid_in_all;
                }
            }
            _ => self.apply_ladder(log)?,
        }
        Ok(())
    }

    fn apply_ladder(&mut self, log: &Log) -> Result<(), Refusal> {
        match log.event {
            Event::Voided { id, .. } | Event::Outranked { id } => {
                let rung = self.incidents.known(id)?.rung;
                let outranked = matches!(log.event, Event::Outranked { .. });
                let answers = outranked.then(|| log.block.plus(self.terms.window(rung)));
                self.incidents.apply_void(id, answers);
                self.leave(id)?;
            }
            Event::Held { id, undisputed, by } => {
                // What the contract holds by itself is above the ceiling of its rung.
                if by == self.terms.incidents {
                    self.leave(id)?;
                }
                self.incidents.apply_held(id, undisputed);
            }
            Event::Disputed { id, loss, asserted, decide_by } => {
                self.incidents.apply_disputed(id, loss, asserted, decide_by);
            }
            Event::Decided { id, loss, claims_end } => {
                self.incidents.apply_final(id, loss, claims_end);
                self.leave(id)?;
            }
            Event::Overruled { id, loss, dwell_end } => self.incidents.apply_overruled(id, loss, dwell_end),
            Event::Counted { id, pool, amount } => self.apply_count(id, pool, amount)?,
            Event::Uncounted { id } => self.leave(id)?,
            Event::Extended { id, opened_time, claims_end } => {
                self.incidents.apply_extended(id, opened_time, claims_end);
            }
            Event::Delayed { id, dwell_end } => self.incidents.apply_delayed(id, dwell_end),
            Event::CeilingSet { rung, asset, ceiling } => {
                self.incidents.ceilings.insert((rung, asset), ceiling);
            }
            Event::GuardianSet { guardian } => self.incidents.guardian = guardian,
            _ => {}
        }
        Ok(())
    }

    fn apply_policy(&mut self, log: &Log) -> Result<(), Refusal> {
        match log.event {
            Event::SplitOff { id, policy, .. } => {
                self.apply_split(id, policy, log.block)?;
            }
            Event::Bought { policy, .. } => {
                self.add_policy(policy);
            }
            Event::PolicyTransfer { to, id, .. } => {
                self.policies.get_mut(id)?.owner = (!to.is_zero()).then_some(to);
            }
            Event::Lowered { id, sum, .. } => {
                let holding = self.policies.get_mut(id)?;
                let kept = kept_rate(&holding.policy, holding.due, sum)?;
                self.apply_sum(id, sum, kept)?;
            }
            Event::Cancelled { id, .. } => {
                let paid = self.policies.get_mut(id)?.policy.paid;
                self.apply_sum(id, paid, U256::ZERO)?;
            }
            Event::Settled { id, incident, due, paid, .. } => {
                self.apply_settlement(id, incident, due, paid)?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Log {
    fn product(&self) -> Option<B256> {
        match self.event {
            Event::Sold { product, .. } | Event::ExposureReduced { product, .. } => Some(product),
            _ => None,
        }
    }
}

impl Pool {
    fn apply(&mut self, log: &Log, window: u64, cluster: Option<B256>) -> Result<(), Refusal> {
        match log.event {
            Event::Accrued { time, .. } => {
                self.run_to(time)?;
            }
            Event::Sold { product, sum, premium, inception, expiry, .. } => {
                self.run_to(log.time)?;
                self.sold(product, cluster, window, log.time, sum, inception, expiry, premium)?;
            }
            Event::ExposureReduced { product, sum, stream_rate, expiry, refund, .. } => {
                self.run_to(log.time)?;
                self.reduced(product, window, log.time, sum, stream_rate, expiry, refund)?;
            }
            Event::ProductCapped { product, gauge, cap, floor_rate, effective_at } => {
                let known = self.products.contains_key(&product);
                if !known {
                    self.gauges.entry(gauge).or_default().push(product);
                }
                let book = self.products.entry(product);
                let book = book.or_insert_with(|| crate::exposure::ProductBook::new(gauge));
                book.set(log.time, Pending { cap, floor_rate, at: effective_at });
            }
            Event::Credited { account, amount } => {
                let owed = self.owed.entry(account).or_default();
                *owed = add(*owed, amount)?;
            }
            Event::Withdrawn { account, .. } => {
                self.owed.remove(&account);
            }
            Event::CuratorLocked { shares } => self.locked = shares,
            Event::PoolClosed { time } => self.closed_at = Some(time),
            _ => self.apply_booking(log)?,
        }
        Ok(())
    }

    fn apply_booking(&mut self, log: &Log) -> Result<(), Refusal> {
        match log.event {
            Event::ProductBooked { incident, product, exposure, fraction, instant_paid } => {
                let booking = self.open_booking(incident, log.block);
                let row = BookedProduct { exposure, fraction, instant_paid };
                let old = booking.products.insert(product, row).unwrap_or_default();
                // Nobody bears it until the curator is said to.
                booking.uncovered = add(booking.uncovered, take(old.instant_paid, instant_paid)?)?;
                booking.instant_paid = add(take(booking.instant_paid, old.instant_paid)?, instant_paid)?;
            }
            Event::Booked { incident, onset_time, reserved, surge, .. } => {
                let booking = self.open_booking(incident, log.block);
                let raised = reserved > booking.reserved;
                (booking.reserved, booking.onset_time) = (reserved, onset_time);
                if raised {
                    self.surge = Surge { value: surge, at: log.time };
                }
            }
            Event::Charged { incident, layer, amount } => {
                self.layers[layer] = take(self.layers[layer], amount)?;
                let booking = self.charged(log, incident, layer)?;
                booking.charged[layer] = add(booking.charged[layer], amount)?;
                booking.funded = add(booking.funded, amount)?;
            }
            Event::Released { incident, layer, amount, recovery_shares } => {
                self.uncharge(log, incident, layer, amount)?;
                let opened = self.open_booking(incident, log.block).opened_at;
                self.apply_release(layer, incident, opened, amount, recovery_shares)?;
            }
            Event::Filled { from, to, layer, amount } => {
                if from != 0 {
                    self.uncharge(log, from, layer, amount)?;
                }
                fill(self.open_booking(to, log.block), layer, amount)?;
            }
            Event::InstantLoss { incident, amount, .. } => {
                self.take_from_junior(amount)?;
                let booking = self.open_booking(incident, log.block);
                booking.paid = take(booking.paid, amount)?;
                booking.due = take(booking.due, amount)?;
                booking.uncovered = take(booking.uncovered, amount)?;
            }
            Event::BookingPaid { incident, product, due, paid, instant_paid } => {
                let booking = self.open_booking(incident, log.block);
                (booking.due, booking.paid) = (due, paid);
                let row = booking.products.entry(product).or_default();
                let more = take(instant_paid, row.instant_paid)?;
                row.instant_paid = instant_paid;
                booking.instant_paid = add(booking.instant_paid, more)?;
            }
            Event::BookingSettled { incident } => {
                self.open_booking(incident, log.block).settled = true;
            }
            Event::LockFreed { incident } => {
                self.open_booking(incident, log.block).freed = true;
            }
            Event::BookingClosed { incident, due, .. } => {
                let booking = self.open_booking(incident, log.block);
                (booking.closed, booking.reserved) = (true, due);
            }
            _ => self.apply_recovery(log)?,
        }
        Ok(())
    }

    fn charged(
        &mut self,
        log: &Log,
        incident: u64,
        layer: usize,
    ) -> Result<&mut crate::booking::Booking, Refusal> {
        if layer > 3 {
            return Err(MathError::Overflow { limit: 2, got: 3 }.into());
        }
        Ok(self.open_booking(incident, log.block))
    }

    fn uncharge(&mut self, log: &Log, incident: u64, layer: usize, amount: u128) -> Result<(), Refusal> {
        let booking = self.charged(log, incident, layer)?;
        booking.charged[layer] = take(booking.charged[layer], amount)?;
        booking.funded = take(booking.funded, amount)?;
        Ok(())
    }

    /// The shares were minted by a transfer of their own; only the layer and the recovery's total are left.
    fn apply_release(
        &mut self,
        layer: usize,
        incident: u64,
        opened: breakwater_primitives::Block,
        amount: u128,
        shares: U256,
    ) -> Result<(), Refusal> {
        let to_surplus = layer == 0 || self.tranche(layer).standing_supply_at(opened.before()).is_zero();
        let to = if to_surplus { 0 } else { layer };
        self.layers[to] = add(self.layers[to], amount)?;
        if !shares.is_zero() {
            self.tranche_mut(layer).recoveries.minted(incident, shares)?;
        }
        Ok(())
    }

    fn apply_tranche(&mut self, layer: usize, log: &Log) -> Result<(), Refusal> {
        let epoch_length = self.config.epoch;
        let assets = self.layers[layer];
        match log.event {
            Event::ShareTransfer { from, to, shares } => {
                self.tranche_mut(layer).apply_transfer(log.block, from, to, shares)?;
            }
            Event::DepositRequest { controller, request_id, assets, .. } => {
                self.tranche_mut(layer).record_deposit(request_id, controller, assets)?;
            }
            Event::DepositsProcessed { request_id, assets, shares } => {
                self.deposits_processed(layer, request_id, assets, shares, log.block)?;
            }
            Event::DepositsReturned { request_id, .. } => {
                self.tranche_mut(layer).set_deposits(request_id, DepositState::Returned);
            }
            Event::DepositClaimed { controller, request_id, .. } => {
                self.tranche_mut(layer).apply_deposit_claim(log, controller, request_id)?;
            }
            Event::RedeemRequest { controller, request_id, shares, .. } => {
                let value = self.tranche(layer).to_assets(shares, assets)?;
                self.redeem_requested(log.block, layer, request_id, controller, shares, value)?;
            }
            Event::RedemptionsProcessed { request_id, shares, assets, .. } => {
                let epoch = log.time.epoch(epoch_length);
                self.redemptions_processed(log.block, layer, request_id, epoch, shares, assets)?;
            }
            Event::RedeemClaimed { controller, request_id, assets } => {
                let tranche = self.tranche_mut(layer);
                tranche.redeemable = take(tranche.redeemable, assets)?;
                let cohort = tranche.cohorts.entry(request_id).or_default();
                let claimed = cohort.claimed.entry(controller).or_default();
                *claimed = add(*claimed, assets)?;
            }
            Event::RecoveryClaimed { incident, account, shares } => {
                let claimed = &mut self.tranche_mut(layer).recoveries.claimed;
                let total = claimed.entry((incident, account)).or_default();
                *total = total.plus(shares)?;
            }
            Event::QueuedRecoveryClaimed { incident, request_id, controller, shares } => {
                let claimed = &mut self.tranche_mut(layer).recoveries.claimed_queued;
                let total = claimed.entry((incident, request_id, controller)).or_default();
                *total = total.plus(shares)?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Tranche {
    fn apply_deposit_claim(
        &mut self,
        log: &Log,
        controller: Address,
        request_id: u64,
    ) -> Result<(), Refusal> {
        let Some(deposits) = self.deposits.get_mut(&request_id) else { return Ok(()) };
        let returned = deposits.state == DepositState::Returned;
        let Some(request) = deposits.requests.get_mut(&controller) else { return Ok(()) };
        request.claimed = Some(log.block);
        if returned {
            self.held = take(self.held, request.assets)?;
        }
        Ok(())
    }
}
