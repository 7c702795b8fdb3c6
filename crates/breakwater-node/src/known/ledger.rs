//! How each log changes what is known.

use alloy::primitives::{Address, Log, U256};
use alloy::sol_types::{SolError, SolEventInterface, SolValue};
use breakwater_bindings::contracts::{
    Assembly, CanaryRung, Catalog, Incidents, Policies, Pool, ProofRung, QuorumRung,
};
use breakwater_policy::measure::lambda;
use breakwater_prove::gauge::GaugeSpec;

use super::{Cover, Handled, Known, KnownIncident, PROOF_RUNG, SPAN_DWELLS, Seq, Standing, Terms, seq};
use crate::contracts::Contracts;
use crate::error::NodeError;
use crate::machines::Machine;
use crate::watch::Live;

/// Where and when a log was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    /// Block number.
    pub(crate) number: u64,
    /// Place of the log in its block.
    pub(crate) index: u64,
    /// Time of the block, seconds.
    pub(crate) time: u64,
}

impl At {
    fn seq(&self) -> Seq {
        seq(self.number, self.index)
    }
}

impl Known {
    /// Takes in one log; logs of strangers are passed over.
    ///
    /// # Errors
    /// [`NodeError::Event`] for a log of the protocol's core that does not decode.
    pub(crate) fn apply(&mut self, contracts: &Contracts, log: &Log, at: At) -> Result<(), NodeError> {
        let malformed = |error| NodeError::Event { contract: log.address, error };
        if log.address == contracts.catalog {
            self.catalog(Catalog::CatalogEvents::decode_log(log).map_err(malformed)?.data)
        } else if log.address == contracts.incidents {
            let event = Incidents::IncidentsEvents::decode_log(log).map_err(malformed)?.data;
            self.incident(contracts, event, at);
            Ok(())
        } else if log.address == contracts.policies {
            self.policy(Policies::PoliciesEvents::decode_log(log).map_err(malformed)?.data, at);
            Ok(())
        } else if log.address == contracts.proof_rung {
            let event = ProofRung::ProofRungEvents::decode_log(log).map_err(malformed)?.data;
            self.rung(event, at.number);
            Ok(())
        } else if contracts.quorum.is_some_and(|quorum| quorum.rung == log.address) {
            self.quorum(QuorumRung::QuorumRungEvents::decode_log(log).map_err(malformed)?.data);
            Ok(())
        } else if contracts.quorum.is_some_and(|quorum| quorum.assembly == log.address) {
            self.assembly(Assembly::AssemblyEvents::decode_log(log).map_err(malformed)?.data);
            Ok(())
        } else if contracts.machines.contains(&log.address) {
            self.machine(log);
            Ok(())
        } else if self.pools.contains(&log.address) {
            self.pool(log.address, Pool::PoolEvents::decode_log(log).map_err(malformed)?.data, at);
            Ok(())
        } else {
            Ok(())
        }
    }

    fn catalog(&mut self, event: Catalog::CatalogEvents) -> Result<(), NodeError> {
        match event {
            Catalog::CatalogEvents::GaugeListed(listed) => {
                let spec = GaugeSpec::decode(&listed.spec.abi_encode()).map_err(NodeError::Spec)?;
                self.thresholds.insert(listed.gauge, U256::from(spec.threshold));
                self.gauges.insert(listed.gauge, spec);
            }
            Catalog::CatalogEvents::TriggerListed(listed) => {
                self.thresholds.insert(listed.id, U256::from(listed.trigger.threshold));
                if let Some(machine) = Machine::read(&listed.trigger.terms) {
                    self.listed.insert(listed.id, machine);
                }
            }
            Catalog::CatalogEvents::ProductListed(listed) => {
                let terms = Terms {
                    gauge: listed.gauge,
                    // Terms with a registrant pay for the incident's loss, all others for a position's.
                    by_position: listed.terms.registrant == Address::ZERO,
                    instant: listed.terms.instant,
                    report_window: u64::from(listed.terms.reportWindow),
                };
                self.products.insert(listed.product, terms);
            }
            Catalog::CatalogEvents::PoolRegistered(registered) => {
                self.pools.insert(registered.pool);
            }
            _ => {}
        }
        Ok(())
    }

    /// A rung on triggers takes one up; what it sees is read when it matters.
    fn machine(&mut self, log: &Log) {
        // Every rung on triggers has this event from the interface that they share.
        let Ok(event) = CanaryRung::CanaryRungEvents::decode_log(log) else { return };
        if let CanaryRung::CanaryRungEvents::Enrolled(enrolled) = event.data
            && let Some(machine) = self.listed.remove(&enrolled.trigger)
        {
            self.machines.insert(enrolled.trigger, Machine { rung: log.address, ..machine });
        }
    }

    fn policy(&mut self, event: Policies::PoliciesEvents, at: At) {
        match event {
            Policies::PoliciesEvents::Bought(bought) => {
                for leg in self.legs(&bought.product).to_vec() {
                    self.rolled.insert((bought.pool, leg), at.time);
                }
                self.covers.insert(bought.id, cover(&bought.policy, 0));
            }
            Policies::PoliciesEvents::SplitOff(split) => {
                self.covers.insert(split.newId, cover(&split.policy, at.number));
            }
            Policies::PoliciesEvents::PortfolioListed(listed) => {
                self.portfolios.insert(listed.id, listed.products);
            }
            Policies::PoliciesEvents::Cancelled(cancelled) => {
                self.covers.remove(&cancelled.id);
            }
            Policies::PoliciesEvents::Settled(settled) => {
                let key = (settled.incident, settled.id);
                let paid = self.dues.get(&key).map_or(U256::ZERO, |(_, paid)| *paid);
                let paid = paid.saturating_add(settled.paid);
                self.dues.insert(key, (settled.due, paid));
                self.handle(key, at, settled.due > paid);
            }
            Policies::PoliciesEvents::Skipped(skipped) => {
                let reason = skipped.reason.get(..4);
                // Out of gas or out of time says nothing about what is due.
                let nothing = [Policies::NothingToPay::SELECTOR, Policies::NotTouched::SELECTOR];
                if nothing.iter().any(|selector| reason == Some(selector.as_slice())) {
                    let owed = self.handled.get(&(skipped.incident, skipped.id)).is_some_and(|it| it.owed);
                    self.handle((skipped.incident, skipped.id), at, owed);
                }
            }
            _ => {}
        }
    }

    /// In the dwell only the instant lane pays, so what it left is looked at again after it.
    fn handle(&mut self, key: (U256, U256), at: At, owed: bool) {
        let dwells = |incident: &KnownIncident| incident.standing == Standing::Dwelling;
        if !self.incidents.get(&key.0).is_some_and(dwells) {
            self.handled.insert(key, Handled { at: at.seq(), owed });
        }
    }

    fn rung(&mut self, event: ProofRung::ProofRungEvents, number: u64) {
        if let ProofRung::ProofRungEvents::Measured(measured) = event {
            self.measured.insert(measured.id, (measured.reading.holders, number));
        }
    }

    fn quorum(&mut self, event: QuorumRung::QuorumRungEvents) {
        match event {
            QuorumRung::QuorumRungEvents::Posted(posted) => {
                self.unjudged.insert(posted.id);
            }
            QuorumRung::QuorumRungEvents::Settled(settled) => {
                self.unjudged.remove(&settled.id);
            }
            QuorumRung::QuorumRungEvents::Contradicted(contradicted) => {
                self.unjudged.remove(&contradicted.id);
            }
            QuorumRung::QuorumRungEvents::PositionsPosted(posted) => {
                self.roots.insert(posted.id, (posted.root, posted.pendingEnd));
            }
            QuorumRung::QuorumRungEvents::PositionsStruck(struck) => {
                self.roots.remove(&struck.id);
            }
            QuorumRung::QuorumRungEvents::PositionsDropped(dropped) => {
                self.roots.remove(&dropped.id);
            }
            _ => {}
        }
    }

    fn assembly(&mut self, event: Assembly::AssemblyEvents) {
        match event {
            Assembly::AssemblyEvents::Began(began) => {
                self.cases.insert(began.id, began.revealEnd);
            }
            Assembly::AssemblyEvents::Closed(closed) => {
                self.cases.remove(&closed.id);
            }
            _ => {}
        }
    }

    fn pool(&mut self, pool: Address, event: Pool::PoolEvents, at: At) {
        // Whatever a pool does, it comes up to now first; it logs that only where something was earned.
        self.accrued.insert(pool, at.time);
        match event {
            Pool::PoolEvents::ProductCapped(capped) => {
                self.offered.insert((pool, capped.product));
            }
            Pool::PoolEvents::Booked(booked) => {
                self.bookings.insert((booked.incident, pool));
            }
            Pool::PoolEvents::Filled(filled) => {
                self.filled.insert((filled.to, pool), at.seq());
            }
            Pool::PoolEvents::BookingClosed(closed) => {
                self.bookings.remove(&(closed.incident, pool));
            }
            _ => {}
        }
    }

    fn incident(&mut self, contracts: &Contracts, event: Incidents::IncidentsEvents, at: At) {
        use Incidents::IncidentsEvents as Event;
        match event {
            Event::Opened(opened) => self.open(&opened, at),
            Event::Revised(revised) => self.change(revised.id, at, |incident| {
                let (m, live) = (&revised.m, &mut incident.live);
                (live.onset, live.reading, live.loss, live.base) = (m.onset, m.reading, m.loss, m.base);
                live.peak = live.peak.max(lambda(m.loss, m.base));
                live.dwell_end = revised.dwellEnd;
                incident.payable = m.loss;
                (incident.onset_time, incident.after_time) = (m.onsetTime, m.afterTime);
            }),
            Event::Held(held) => self.change(held.id, at, |incident| {
                incident.held = Some(held.undisputed);
                // What the ceiling holds leaves the account of its rung at once.
                incident.counted &= held.by != contracts.incidents;
            }),
            Event::Overruled(overruled) => self.change(overruled.id, at, |incident| {
                (incident.live.loss, incident.payable) = (overruled.loss, overruled.loss);
                (incident.live.dwell_end, incident.held) = (overruled.dwellEnd, None);
            }),
            Event::Delayed(delayed) => self.change(delayed.id, at, |incident| {
                (incident.live.dwell_end, incident.delayed) = (delayed.dwellEnd, true);
            }),
            Event::Disputed(disputed) => self.change(disputed.id, at, |incident| {
                incident.payable = disputed.loss;
                incident.standing = Standing::Disputed { decide_by: disputed.decideBy };
            }),
            Event::Decided(decided) => {
                // What was undisputed is paid already.
                let same = self.incidents.get(&decided.id).is_some_and(|it| it.payable == decided.loss);
                self.amend(decided.id, |incident| {
                    (incident.live.loss, incident.payable) = (decided.loss, decided.loss);
                    incident.counted = false;
                    incident.standing = Standing::Final { claims_end: u64::from(decided.claimsEnd) };
                });
                if !same {
                    self.change(decided.id, at, |_| {});
                }
            }
            Event::Finalised(finalised) => self.change(finalised.id, at, |incident| {
                incident.standing = Standing::Final { claims_end: u64::from(finalised.claimsEnd) };
            }),
            Event::Voided(voided) => self.void(voided.id, at),
            Event::Outranked(outranked) => self.void(outranked.id, at),
            Event::Uncounted(uncounted) => self.amend(uncounted.id, |it| it.counted = false),
            Event::Extended(extended) => self.amend(extended.id, |incident| {
                incident.opened_time = extended.openedTime;
                if let Standing::Final { claims_end } = &mut incident.standing {
                    *claims_end = u64::from(extended.claimsEnd);
                }
            }),
            Event::PositionProven(proven) => {
                self.recorded.insert((proven.id, proven.account), at.seq());
            }
            _ => {}
        }
    }

    fn open(&mut self, opened: &Incidents::Opened, at: At) {
        let m = &opened.m;
        let live = Live {
            onset: m.onset,
            reading: m.reading,
            loss: m.loss,
            base: m.base,
            peak: lambda(m.loss, m.base),
            span_end: at.number + SPAN_DWELLS * self.dwell,
            dwell_end: opened.dwellEnd,
        };
        let incident = KnownIncident {
            gauge: opened.gauge,
            rung: opened.rung,
            standing: Standing::Dwelling,
            live,
            payable: m.loss,
            held: None,
            delayed: false,
            counted: opened.rung != PROOF_RUNG,
            onset_time: m.onsetTime,
            after_time: m.afterTime,
            opened_time: at.time,
            opened_at: at.number,
            changed: at.seq(),
        };
        self.incidents.insert(opened.id, incident);
    }

    fn void(&mut self, id: U256, at: At) {
        self.change(id, at, |incident| (incident.standing, incident.counted) = (Standing::Voided, false));
    }

    fn amend(&mut self, id: U256, amend: impl FnOnce(&mut KnownIncident)) {
        if let Some(incident) = self.incidents.get_mut(&id) {
            amend(incident);
        }
    }

    /// What changes how much may be paid is a reason to settle again.
    fn change(&mut self, id: U256, at: At, change: impl FnOnce(&mut KnownIncident)) {
        if let Some(incident) = self.incidents.get_mut(&id) {
            change(incident);
            incident.changed = at.seq();
        }
    }
}

fn cover(policy: &Policies::Policy, since: u64) -> Cover {
    Cover {
        product: policy.product,
        pool: policy.pool,
        position: policy.position,
        inception: policy.inception,
        expiry: policy.expiry,
        since,
    }
}
