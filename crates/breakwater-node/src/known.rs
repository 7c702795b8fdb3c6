//! What the chain's logs say about Breakwater: gauges, products, policies, incidents.
//!
//! Everything here can be thrown away and rebuilt from the logs, which is what happens after a
//! reorganisation or a restart.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256, Log, U256};
use alloy::sol_types::{SolEventInterface, SolValue};
use breakwater_bindings::contracts::{Catalog, Incidents, Policies, Pool, ProofRung, QuorumRung};
use breakwater_policy::measure::lambda;
use breakwater_prove::gauge::GaugeSpec;

use crate::contracts::Contracts;
use crate::error::NodeError;
use crate::watch::Live;

/// Dwells after an opening in which the loss may grow beyond its peak; `Incidents` has the same number.
pub(crate) const SPAN_DWELLS: u64 = 8;

/// `Rung.Quorum`.
const QUORUM_RUNG: u8 = 3;

/// Terms of a product, as far as the keeper acts on them.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) gauge: B256,
    pub(crate) by_position: bool,
    pub(crate) instant: bool,
    pub(crate) report_window: u64,
}

/// A policy in force or in its report window.
#[derive(Clone, Debug)]
pub(crate) struct Cover {
    pub(crate) product: B256,
    pub(crate) position: Address,
    pub(crate) inception: u64,
    pub(crate) expiry: u64,
}

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Open to answers.
    Dwelling,
    /// With the assembly.
    Disputed {
        /// If the assembly has not decided by the end of this block, what was asserted stands.
        decide_by: u64,
    },
    /// Refuted for good.
    Voided,
    /// Final; claims are open up to this time, in seconds.
    Final {
        /// Seconds since the epoch.
        claims_end: u64,
    },
}

/// An incident as its events tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownIncident {
    /// Its gauge.
    pub gauge: B256,
    /// Whether reporters opened it.
    pub by_quorum: bool,
    /// Where it stands.
    pub standing: Standing,
    /// Its measurement and the blocks that bound its answers.
    pub live: Live,
    /// Time of the onset block, seconds.
    pub onset_time: u64,
    /// Time of the block after the onset, seconds.
    pub after_time: u64,
    /// When it was opened, seconds.
    pub opened_time: u64,
    /// The block that opened it.
    pub opened_at: u64,
}

/// Everything known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) gauges: BTreeMap<B256, GaugeSpec>,
    pub(crate) products: BTreeMap<B256, Terms>,
    pub(crate) covers: BTreeMap<U256, Cover>,
    pub(crate) incidents: BTreeMap<U256, KnownIncident>,
    pub(crate) pools: BTreeSet<Address>,
    /// Products that a pool was ever given a cap for.
    pub(crate) offered: BTreeSet<(Address, B256)>,
    /// Bookings that a pool still holds, by (incident, pool).
    pub(crate) bookings: BTreeSet<(U256, Address)>,
    /// Hash of the holders by which an incident was measured last, and the block that did.
    pub(crate) measured: BTreeMap<U256, (B256, u64)>,
    /// Roots of positions that were posted, and the last block in which each may be struck.
    pub(crate) roots: BTreeMap<U256, (B256, u64)>,
    /// Positions whose losses are recorded, by (incident, account).
    pub(crate) recorded: BTreeSet<(U256, Address)>,
    /// Policies that were settled, by (incident, policy).
    pub(crate) settled: BTreeSet<(U256, U256)>,
    dwell: u64,
}

impl Known {
    pub(crate) fn new(dwell: u64) -> Self {
        Self { dwell, ..Self::default() }
    }

    pub(crate) fn dwell(&self) -> u64 {
        self.dwell
    }

    /// Takes in one log; logs of strangers are passed over.
    pub(crate) fn apply(
        &mut self,
        deployment: &Contracts,
        log: &Log,
        number: u64,
        time: u64,
    ) -> Result<(), NodeError> {
        let malformed = |error| NodeError::Event { contract: log.address, error };
        if log.address == deployment.catalog {
            self.catalog(Catalog::CatalogEvents::decode_log(log).map_err(malformed)?.data)
        } else if log.address == deployment.incidents {
            self.incident(Incidents::IncidentsEvents::decode_log(log).map_err(malformed)?.data, number, time);
            Ok(())
        } else if log.address == deployment.policies {
            self.policy(Policies::PoliciesEvents::decode_log(log).map_err(malformed)?.data);
            Ok(())
        } else if log.address == deployment.proof_rung {
            self.rung(ProofRung::ProofRungEvents::decode_log(log).map_err(malformed)?.data, number);
            Ok(())
        } else if deployment.quorum.is_some_and(|quorum| quorum.rung == log.address) {
            self.quorum(QuorumRung::QuorumRungEvents::decode_log(log).map_err(malformed)?.data);
            Ok(())
        } else if self.pools.contains(&log.address) {
            self.pool(log.address, Pool::PoolEvents::decode_log(log).map_err(malformed)?.data);
            Ok(())
        } else {
            Ok(())
        }
    }

    /// The gauge's incident that dwells, refuted or not.
    pub(crate) fn dwelling(&self, gauge: B256) -> Option<(U256, &KnownIncident)> {
        let newest = self.incidents.iter().rev().find(|(_, incident)| incident.gauge == gauge);
        newest
            .filter(|(_, incident)| incident.standing == Standing::Dwelling)
            .map(|(id, incident)| (*id, incident))
    }

    /// First block that a new onset of the gauge may have.
    pub(crate) fn onset_floor(&self, gauge: B256) -> u64 {
        let settled = self.incidents.values().filter(|incident| incident.gauge == gauge);
        settled
            .filter(|incident| incident.standing != Standing::Voided)
            .map(|incident| incident.live.reading)
            .max()
            .unwrap_or(0)
    }

    /// The id that the next opened incident gets.
    pub(crate) fn next_incident(&self) -> U256 {
        self.incidents.keys().next_back().map_or(U256::ONE, |id| *id + U256::ONE)
    }

    /// Whether the incident's loss is below its gauge's threshold.
    pub(crate) fn refuted(&self, incident: &KnownIncident) -> bool {
        let threshold = self.gauges.get(&incident.gauge).map(|spec| U256::from(spec.threshold));
        threshold.is_some_and(|threshold| lambda(incident.live.loss, incident.live.base) < threshold)
    }

    /// Policies that the incident touches, with their terms.
    pub(crate) fn touched(&self, incident: &KnownIncident) -> Vec<(U256, &Cover, &Terms)> {
        let covers = self.covers.iter().filter_map(|(id, cover)| {
            let terms = self.products.get(&cover.product)?;
            let touched = terms.gauge == incident.gauge
                && cover.inception <= incident.onset_time
                && incident.after_time <= cover.expiry
                && incident.opened_time <= cover.expiry.saturating_add(terms.report_window);
            touched.then_some((*id, cover, terms))
        });
        covers.collect()
    }

    fn catalog(&mut self, event: Catalog::CatalogEvents) -> Result<(), NodeError> {
        match event {
            Catalog::CatalogEvents::GaugeListed(listed) => {
                let spec = GaugeSpec::decode(&listed.spec.abi_encode()).map_err(NodeError::Spec)?;
                self.gauges.insert(listed.gauge, spec);
            }
            Catalog::CatalogEvents::ProductListed(listed) => {
                let terms = Terms {
                    gauge: listed.gauge,
                    // Kind.Position
                    by_position: listed.terms.kind == 0,
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

    fn policy(&mut self, event: Policies::PoliciesEvents) {
        match event {
            Policies::PoliciesEvents::Bought(bought) => {
                let cover = Cover {
                    product: bought.product,
                    position: bought.policy.position,
                    inception: bought.policy.inception,
                    expiry: bought.policy.expiry,
                };
                self.covers.insert(bought.id, cover);
            }
            Policies::PoliciesEvents::Cancelled(cancelled) => {
                self.covers.remove(&cancelled.id);
            }
            Policies::PoliciesEvents::Settled(settled) => {
                self.settled.insert((settled.incident, settled.id));
            }
            _ => {}
        }
    }

    fn rung(&mut self, event: ProofRung::ProofRungEvents, number: u64) {
        if let ProofRung::ProofRungEvents::Measured(measured) = event {
            self.measured.insert(measured.id, (measured.reading.holders, number));
        }
    }

    fn quorum(&mut self, event: QuorumRung::QuorumRungEvents) {
        match event {
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

    fn pool(&mut self, pool: Address, event: Pool::PoolEvents) {
        match event {
            Pool::PoolEvents::ProductCapped(capped) => {
                self.offered.insert((pool, capped.product));
            }
            Pool::PoolEvents::Booked(booked) => {
                self.bookings.insert((booked.incident, pool));
            }
            Pool::PoolEvents::BookingClosed(closed) => {
                self.bookings.remove(&(closed.incident, pool));
            }
            _ => {}
        }
    }

    fn incident(&mut self, event: Incidents::IncidentsEvents, number: u64, time: u64) {
        match event {
            Incidents::IncidentsEvents::Opened(opened) => {
                let m = &opened.m;
                let live = Live {
                    onset: m.onset,
                    reading: m.reading,
                    loss: m.loss,
                    base: m.base,
                    peak: lambda(m.loss, m.base),
                    span_end: number + SPAN_DWELLS * self.dwell,
                    dwell_end: opened.dwellEnd,
                };
                let incident = KnownIncident {
                    gauge: opened.gauge,
                    by_quorum: opened.rung == QUORUM_RUNG,
                    standing: Standing::Dwelling,
                    live,
                    onset_time: m.onsetTime,
                    after_time: m.afterTime,
                    opened_time: time,
                    opened_at: number,
                };
                self.incidents.insert(opened.id, incident);
            }
            Incidents::IncidentsEvents::Revised(revised) => {
                if let Some(incident) = self.incidents.get_mut(&revised.id) {
                    let m = &revised.m;
                    let live = &mut incident.live;
                    (live.onset, live.reading, live.loss, live.base) = (m.onset, m.reading, m.loss, m.base);
                    live.peak = live.peak.max(lambda(m.loss, m.base));
                    live.dwell_end = revised.dwellEnd;
                    (incident.onset_time, incident.after_time) = (m.onsetTime, m.afterTime);
                }
            }
            Incidents::IncidentsEvents::Delayed(delayed) => {
                if let Some(incident) = self.incidents.get_mut(&delayed.id) {
                    incident.live.dwell_end = delayed.dwellEnd;
                }
            }
            Incidents::IncidentsEvents::Overruled(overruled) => {
                if let Some(incident) = self.incidents.get_mut(&overruled.id) {
                    incident.live.loss = overruled.loss;
                    incident.live.dwell_end = overruled.dwellEnd;
                }
            }
            Incidents::IncidentsEvents::Disputed(disputed) => {
                self.stand(disputed.id, Standing::Disputed { decide_by: disputed.decideBy });
            }
            Incidents::IncidentsEvents::Decided(decided) => {
                if let Some(incident) = self.incidents.get_mut(&decided.id) {
                    incident.live.loss = decided.loss;
                }
                self.stand(decided.id, Standing::Final { claims_end: decided.claimsEnd.into() });
            }
            Incidents::IncidentsEvents::PositionProven(proven) => {
                self.recorded.insert((proven.id, proven.account));
            }
            Incidents::IncidentsEvents::Voided(voided) => self.stand(voided.id, Standing::Voided),
            Incidents::IncidentsEvents::Finalised(finalised) => {
                let claims_end = u64::from(finalised.claimsEnd);
                self.stand(finalised.id, Standing::Final { claims_end });
            }
            other => self.ladder(other),
        }
    }

    /// What the rungs above the proof make of an incident.
    fn ladder(&mut self, event: Incidents::IncidentsEvents) {
        match event {
            Incidents::IncidentsEvents::Outranked(outranked) => self.stand(outranked.id, Standing::Voided),
            Incidents::IncidentsEvents::Decided(decided) => {
                self.told(decided.id, |live| live.loss = decided.loss);
                self.stand(decided.id, Standing::Final { claims_end: u64::from(decided.claimsEnd) });
            }
            Incidents::IncidentsEvents::Overruled(overruled) => self.told(overruled.id, |live| {
                (live.loss, live.dwell_end) = (overruled.loss, overruled.dwellEnd);
            }),
            Incidents::IncidentsEvents::Delayed(delayed) => {
                self.told(delayed.id, |live| live.dwell_end = delayed.dwellEnd);
            }
            _ => {}
        }
    }

    fn told(&mut self, id: U256, tell: impl FnOnce(&mut Live)) {
        if let Some(incident) = self.incidents.get_mut(&id) {
            tell(&mut incident.live);
        }
    }

    fn stand(&mut self, id: U256, standing: Standing) {
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.standing = standing;
        }
    }
}
