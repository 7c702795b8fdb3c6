//! What the chain's logs say about Breakwater: gauges, triggers, products, policies, incidents.
//!
//! Everything here can be thrown away and rebuilt from the logs, which is what happens after a
//! reorganisation or a restart.

mod ledger;

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256, U256};
use breakwater_policy::measure::lambda;
use breakwater_prove::gauge::GaugeSpec;

pub(crate) use self::ledger::At;
use crate::machines::Machine;
use crate::watch::Live;

/// Dwells after an opening in which the loss may grow beyond its peak; `Incidents` has the same number.
pub(crate) const SPAN_DWELLS: u64 = 8;

/// `Rung.Proof`.
const PROOF_RUNG: u8 = 0;
/// `Rung.Quorum`.
const QUORUM_RUNG: u8 = 3;

/// Where a log stands: later ones are greater, in the whole chain.
pub(crate) type Seq = u64;

/// The place of a log. A block has far fewer logs than its part of the number holds.
pub(crate) fn seq(block: u64, index: u64) -> Seq {
    block << 24 | index.min((1 << 24) - 1)
}

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
    pub(crate) pool: Address,
    pub(crate) position: Address,
    pub(crate) inception: u64,
    pub(crate) expiry: u64,
    /// The block in which it was split off another one; what was opened before is that one's. Zero: bought.
    pub(crate) since: u64,
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
    /// Its gauge or trigger.
    pub gauge: B256,
    /// The rung that opened it, as the contracts number them.
    pub rung: u8,
    /// Where it stands.
    pub standing: Standing,
    /// Its measurement and the blocks that bound its answers.
    pub live: Live,
    /// Gauge units that may be paid once its window is over: less than the loss while the rest is disputed.
    pub payable: u128,
    /// While it dwells: what of the loss nobody disputes, gauge units; none unless it is held.
    pub held: Option<u128>,
    /// Whether it waited for the guardian, or waits now.
    pub delayed: bool,
    /// Whether it counts towards the ceiling of its rung until it is released.
    pub counted: bool,
    /// Time of the onset block, seconds.
    pub onset_time: u64,
    /// Time of the block after the onset, seconds.
    pub after_time: u64,
    /// When it counts as opened, seconds: time that its rung could not see is taken off.
    pub opened_time: u64,
    /// The block that opened it.
    pub opened_at: u64,
    /// The log that last changed what may be paid for it.
    pub(crate) changed: Seq,
}

impl KnownIncident {
    /// Whether reporters opened it.
    pub fn by_quorum(&self) -> bool {
        self.rung == QUORUM_RUNG
    }

    /// Whether a proof opened it.
    pub fn by_proof(&self) -> bool {
        self.rung == PROOF_RUNG
    }
}

/// What was settled of a policy for an incident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handled {
    /// The last settlement, or the last attempt that found nothing to pay.
    pub(crate) at: Seq,
    /// Whether more was due than its pool could pay.
    pub(crate) owed: bool,
}

/// Everything known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) gauges: BTreeMap<B256, GaugeSpec>,
    /// Smallest loss fractions of gauges and triggers, wad.
    pub(crate) thresholds: BTreeMap<B256, U256>,
    /// Terms of listed triggers that no rung has enrolled, or not yet.
    pub(crate) listed: BTreeMap<B256, Machine>,
    /// Triggers that a rung watches.
    pub(crate) machines: BTreeMap<B256, Machine>,
    pub(crate) products: BTreeMap<B256, Terms>,
    /// Products of each portfolio, which stands where a cover names a product.
    pub(crate) portfolios: BTreeMap<B256, Vec<B256>>,
    pub(crate) covers: BTreeMap<U256, Cover>,
    pub(crate) incidents: BTreeMap<U256, KnownIncident>,
    pub(crate) pools: BTreeSet<Address>,
    /// Products that a pool was ever given a cap for.
    pub(crate) offered: BTreeSet<(Address, B256)>,
    /// When each pool was last brought up to now, seconds.
    pub(crate) accrued: BTreeMap<Address, u64>,
    /// When a product's days were last rolled by a sale, seconds.
    pub(crate) rolled: BTreeMap<(Address, B256), u64>,
    /// Bookings that a pool still holds, by (incident, pool).
    pub(crate) bookings: BTreeSet<(U256, Address)>,
    /// Hash of the holders by which an incident was measured last, and the block that did.
    pub(crate) measured: BTreeMap<U256, (B256, u64)>,
    /// Reports that nobody has judged yet, by incident.
    pub(crate) unjudged: BTreeSet<U256>,
    /// The last second of the phases of each case before the assembly, that can be closed then.
    pub(crate) cases: BTreeMap<U256, u64>,
    /// Roots of positions that were posted, and the last block in which each may be struck.
    pub(crate) roots: BTreeMap<U256, (B256, u64)>,
    /// Positions whose losses are recorded, by (incident, account).
    pub(crate) recorded: BTreeMap<(U256, Address), Seq>,
    /// Policies that were settled, by (incident, policy).
    pub(crate) handled: BTreeMap<(U256, U256), Handled>,
    /// When a short booking was last filled, by (incident, pool).
    pub(crate) filled: BTreeMap<(U256, Address), Seq>,
    /// What was due and paid of each settlement, by (incident, policy).
    dues: BTreeMap<(U256, U256), (U256, U256)>,
    dwell: u64,
}

impl Known {
    pub(crate) fn new(dwell: u64) -> Self {
        Self { dwell, ..Self::default() }
    }

    pub(crate) fn dwell(&self) -> u64 {
        self.dwell
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

    /// Whether a loss of the incident is below its threshold, so that nothing is paid for it.
    pub(crate) fn is_nothing(&self, incident: &KnownIncident, loss: u128) -> bool {
        let threshold = self.thresholds.get(&incident.gauge);
        threshold.is_some_and(|threshold| lambda(loss, incident.live.base) < *threshold)
    }

    /// The products that a cover is on: one, or the legs of a portfolio.
    pub(crate) fn legs<'a>(&'a self, product: &'a B256) -> &'a [B256] {
        self.portfolios.get(product).map_or(std::slice::from_ref(product), Vec::as_slice)
    }

    /// The terms of a cover that a gauge or trigger can touch.
    pub(crate) fn terms_on(&self, cover: &Cover, gauge: B256) -> Option<&Terms> {
        let legs = self.legs(&cover.product).iter();
        legs.filter_map(|leg| self.products.get(leg)).find(|terms| terms.gauge == gauge)
    }

    /// Policies that the incident touches, with their terms.
    pub(crate) fn touched(&self, incident: &KnownIncident) -> Vec<(U256, &Cover, &Terms)> {
        let covers = self.covers.iter().filter_map(|(id, cover)| {
            let terms = self.terms_on(cover, incident.gauge)?;
            let touched = cover.inception <= incident.onset_time
                && incident.after_time <= cover.expiry
                && incident.opened_at >= cover.since
                && incident.opened_time <= cover.expiry.saturating_add(terms.report_window);
            touched.then_some((*id, cover, terms))
        });
        covers.collect()
    }

    /// Covers on a trigger that an incident opened at `time`, seconds, could still touch.
    pub(crate) fn covers_on(&self, trigger: B256, time: u64) -> impl Iterator<Item = &Cover> {
        self.covers.values().filter(move |cover| {
            let terms = self.terms_on(cover, trigger);
            terms.is_some_and(|terms| time <= cover.expiry.saturating_add(terms.report_window))
        })
    }

    /// What last gave a reason to settle the policy for the incident; none if it was settled since.
    pub(crate) fn reason_to_settle(&self, id: U256, policy: U256, cover: &Cover) -> Option<Seq> {
        let incident = self.incidents.get(&id)?;
        let handled = self.handled.get(&(id, policy)).copied().unwrap_or_default();
        let recorded = self.recorded.get(&(id, cover.position)).copied().unwrap_or_default();
        let filled = self.filled.get(&(id, cover.pool)).copied().filter(|_| handled.owed).unwrap_or_default();
        let reason = incident.changed.max(recorded).max(filled);
        (reason > handled.at).then_some(reason)
    }
}
