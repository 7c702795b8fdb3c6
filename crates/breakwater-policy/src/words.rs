//! Every state word that matters, by name and in order, so that two worlds (or a world and the contracts) can be
//! compared and a difference be read.
//!
//! The words come in [`Part`]s, each a thing that the contracts can be asked for, so that a comparison may look at
//! what an operation touched alone.
//! Words whose storage depends on when somebody last looked (streams, buckets) are given as they stand at the asked
//! time; what nobody can tell apart from zero is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::Time;

use crate::booking::Booking;
use crate::deposit::DepositState;
use crate::exposure::ProductBook;
use crate::incident::Rung;
use crate::pool::Pool;
use crate::tranche::Tranche;
use crate::world::World;

mod certificates;
mod treaties;

/// Words by name; zero is never stored.
pub type Words = BTreeMap<String, U256>;

/// A tranche: its pool and its layer, 1 to 3.
pub type Layer = (Address, usize);

/// One thing with words of its own. Its text is the beginning of the names of its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Of a gauge: its newest incident and its pools.
    Gauge(B256),
    /// An incident by id.
    Incident(u64),
    /// Of a rung and an asset: its ceiling and what is open.
    Ceiling(Rung, Address),
    /// Who may send great payouts to the assembly.
    Guardian,
    /// What the registry keeps of an account in an incident.
    Position(u64, Address),
    /// A policy by id.
    Policy(u64),
    /// What a policy was settled for in an incident.
    Settlement(u64, u64),
    /// Money, stream and surge of a pool.
    Pool(Address),
    /// A product in a pool.
    Product(Address, B256),
    /// What a pool owes an account.
    Owed(Address, Address),
    /// What a pool holds for an incident.
    Booking(Address, u64),
    /// The posted rate of a product, and its cluster.
    Rate(B256),
    /// What is certified of a pool.
    Certified(Address),
    /// A treaty: its collateral and its shares.
    Treaty(Address),
    /// What a treaty keeps for an incident.
    Cession(Address, u64),
    /// What a treaty keeps of one of its years.
    TreatyYear(Address, u64),
    /// Shares of a treaty that an account holds.
    TreatyShares(Address, Address),
    /// Of a tranche: its supply and the assets that wait.
    Tranche(Layer),
    /// Shares of an account.
    Balance(Layer, Address),
    /// All deposits of an epoch.
    Deposits(Layer, u64),
    /// One controller's part of them.
    Deposit(Layer, u64, Address),
    /// All redemptions that mature in an epoch.
    Cohort(Layer, u64),
    /// One controller's part of them.
    Redemption(Layer, u64, Address),
    /// Recovery shares of an incident.
    Recovery(Layer, u64),
    /// What an account claimed of them for its balance.
    Recovered(Layer, u64, Address),
    /// What was claimed of them for (incident, request, controller).
    QueueRecovered(Layer, u64, u64, Address),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gauge(gauge) => write!(f, "gauge/{gauge}"),
            Self::Incident(id) => write!(f, "incident/{id}"),
            Self::Ceiling(rung, asset) => write!(f, "rung/{}/asset/{asset}", *rung as u8),
            Self::Guardian => write!(f, "guardian"),
            Self::Position(id, account) => write!(f, "incident/{id}/position/{account}"),
            Self::Policy(id) => write!(f, "policy/{id}"),
            Self::Settlement(id, incident) => write!(f, "policy/{id}/incident/{incident}"),
            Self::Pool(pool) => write!(f, "pool/{pool}"),
            Self::Product(pool, product) => write!(f, "pool/{pool}/product/{product}"),
            Self::Owed(pool, account) => write!(f, "pool/{pool}/owed/{account}"),
            Self::Booking(pool, incident) => write!(f, "pool/{pool}/booking/{incident}"),
            Self::Rate(product) => write!(f, "rate/{product}"),
            Self::Certified(pool) => write!(f, "certified/{pool}"),
            Self::Treaty(treaty) => write!(f, "treaty/{treaty}"),
            Self::Cession(treaty, incident) => write!(f, "treaty/{treaty}/cession/{incident}"),
            Self::TreatyYear(treaty, year) => write!(f, "treaty/{treaty}/year/{year}"),
            Self::TreatyShares(treaty, account) => write!(f, "treaty/{treaty}/balance/{account}"),
            Self::Tranche((pool, layer)) => write!(f, "pool/{pool}/tranche/{layer}"),
            Self::Balance(at, account) => write!(f, "{}/balance/{account}", Self::Tranche(*at)),
            Self::Deposits(at, id) => write!(f, "{}/deposit/{id}", Self::Tranche(*at)),
            Self::Deposit(at, id, account) => write!(f, "{}/{account}", Self::Deposits(*at, *id)),
            Self::Cohort(at, id) => write!(f, "{}/cohort/{id}", Self::Tranche(*at)),
            Self::Redemption(at, id, account) => write!(f, "{}/{account}", Self::Cohort(*at, *id)),
            Self::Recovery(at, incident) => write!(f, "{}/recovery/{incident}", Self::Tranche(*at)),
            Self::Recovered(at, incident, account) => {
                write!(f, "{}/{account}", Self::Recovery(*at, *incident))
            }
            Self::QueueRecovered(at, incident, id, account) => {
                write!(f, "{}/queue/{id}/{account}", Self::Recovery(*at, *incident))
            }
        }
    }
}

impl World {
    /// All words at `time`, which is not before the last operation.
    pub fn words(&self, time: Time) -> Words {
        let mut words = Words::new();
        self.parts().into_iter().for_each(|part| self.add_words(part, time, &mut words));
        words
    }

    /// The words of one part at `time`; none if there is no such thing.
    pub fn words_of(&self, part: Part, time: Time) -> Words {
        let mut words = Words::new();
        self.add_words(part, time, &mut words);
        words
    }

    /// Everything that has words.
    pub fn parts(&self) -> BTreeSet<Part> {
        let mut parts: BTreeSet<Part> = self.attached.keys().map(|gauge| Part::Gauge(*gauge)).collect();
        parts.insert(Part::Guardian);
        self.market.add_parts(&mut parts);
        let limits = self.incidents.ceilings.keys().chain(self.incidents.open_on.keys());
        parts.extend(limits.map(|(rung, asset)| Part::Ceiling(*rung, *asset)));
        parts.extend((1..=self.incidents.list.len() as u64).map(Part::Incident));
        parts.extend(self.incidents.positions.keys().map(|(id, account)| Part::Position(*id, *account)));
        for (id, holding) in (1..).zip(&self.policies.list) {
            parts.insert(Part::Policy(id));
            parts.extend(holding.settlements.keys().map(|incident| Part::Settlement(id, *incident)));
        }
        self.pools.values().for_each(|pool| pool.add_parts(&mut parts));
        parts
    }

    fn add_words(&self, part: Part, time: Time, words: &mut Words) {
        let name = part.to_string();
        let mut word = |field: &str, value: U256| put(words, format!("{name}/{field}"), value);
        match part {
            Part::Gauge(gauge) => {
                word("latest", n(self.incidents.latest_of(&gauge)));
                for (i, pool) in self.pools_of(&gauge).iter().enumerate() {
                    word(&format!("pool/{i}"), pool.into_word().into());
                }
            }
            Part::Incident(id) => self.incident_words(id, &mut word),
            Part::Ceiling(rung, asset) => {
                let of = |map: &BTreeMap<(Rung, Address), u128>| map.get(&(rung, asset)).copied();
                word("most", n(of(&self.incidents.ceilings).unwrap_or_default()));
                word("open", n(of(&self.incidents.open_on).unwrap_or_default()));
            }
            Part::Guardian => word("account", self.incidents.guardian.into_word().into()),
            Part::Position(id, account) => {
                let paid = self.incidents.positions.get(&(id, account)).map_or(0, |position| position.paid);
                word("lost", n(self.incidents.position_lost(id, account)));
                word("paid", n(paid));
            }
            Part::Policy(id) => self.policy_words(id, &mut word),
            Part::Settlement(id, incident) => {
                let holding = self.policies.get(id);
                if let Some(settlement) = holding.and_then(|holding| holding.settlements.get(&incident)) {
                    word("due", n(settlement.due));
                    word("paid", n(settlement.paid));
                }
            }
            Part::Pool(pool) | Part::Product(pool, _) | Part::Owed(pool, _) | Part::Booking(pool, _) => {
                if let Some(pool) = self.pools.get(&pool) {
                    pool.add_words(part, time, &mut word);
                }
            }
            Part::Rate(product) => self.market.add_words(product, time, &mut word),
            Part::Certified(pool) => {
                if let Some(pool) = self.pools.get(&pool) {
                    pool.add_certified(&self.market, time, &mut word);
                }
            }
            Part::Treaty(treaty)
            | Part::Cession(treaty, _)
            | Part::TreatyYear(treaty, _)
            | Part::TreatyShares(treaty, _) => {
                self.pools.values().for_each(|pool| pool.ceding.add_words(treaty, part, &mut word));
            }
            Part::Tranche((pool, layer))
            | Part::Balance((pool, layer), _)
            | Part::Deposits((pool, layer), _)
            | Part::Deposit((pool, layer), _, _)
            | Part::Cohort((pool, layer), _)
            | Part::Redemption((pool, layer), _, _)
            | Part::Recovery((pool, layer), _)
            | Part::Recovered((pool, layer), _, _)
            | Part::QueueRecovered((pool, layer), _, _, _) => {
                if let Some(pool) = self.pools.get(&pool) {
                    pool.tranche(layer).add_words(part, &mut word);
                }
            }
        }
    }

    fn incident_words(&self, id: u64, word: &mut impl FnMut(&str, U256)) {
        let Some(incident) = self.incidents.get(id) else { return };
        let measured = incident.measured;
        word("gauge", incident.gauge.into());
        word("onset", n(measured.onset.0));
        word("reading", n(measured.reading.0));
        word("onsetTime", n(measured.onset_time.0));
        word("afterTime", n(measured.after_time.0));
        word("base", n(measured.base));
        word("loss", n(measured.loss));
        word("evidence", measured.evidence.into());
        word("opener", incident.opener.into_word().into());
        word("openedAt", n(incident.opened_at.0));
        word("openedTime", n(incident.opened_time.0));
        word("rung", n(incident.rung as u64));
        word("status", n(incident.status as u64));
        word("rungContract", incident.rung_contract.into_word().into());
        word("dwellEnd", n(incident.dwell_end.0));
        word("claimsEnd", n(incident.claims_end.0));
        word("spanEnd", n(incident.span_end.0));
        word("paid", n(incident.paid));
        word("peak", incident.peak);
        word("asserted", n(incident.asserted()));
        word("held", n(u64::from(incident.doubt.held)));
    }

    fn policy_words(&self, id: u64, word: &mut impl FnMut(&str, U256)) {
        let Some(holding) = self.policies.get(id) else { return };
        let policy = holding.policy;
        word("owner", holding.owner.unwrap_or_default().into_word().into());
        word("product", policy.product.into());
        word("pool", policy.pool.into_word().into());
        word("position", policy.position.into_word().into());
        word("sum", n(policy.sum));
        word("paid", n(policy.paid));
        word("purchased", n(policy.purchased.0));
        word("inception", n(policy.inception.0));
        word("expiry", n(policy.expiry.0));
        word("streamRate", policy.stream_rate);
    }
}

impl Pool {
    fn add_parts(&self, parts: &mut BTreeSet<Part>) {
        let pool = self.address;
        parts.extend([Part::Pool(pool), Part::Certified(pool)]);
        parts.extend(self.products.keys().map(|product| Part::Product(pool, *product)));
        parts.extend(self.owed.keys().map(|account| Part::Owed(pool, *account)));
        parts.extend(self.bookings.keys().map(|incident| Part::Booking(pool, *incident)));
        for (layer, tranche) in (1..).zip(&self.tranches) {
            tranche.add_parts((pool, layer), parts);
        }
        self.ceding.add_parts(parts);
    }

    fn add_words(&self, part: Part, time: Time, word: &mut impl FnMut(&str, U256)) {
        match part {
            Part::Product(_, product) => {
                if let Some(book) = self.products.get(&product) {
                    book.add_words(time, word);
                }
            }
            Part::Owed(_, account) => {
                word("amount", n(self.owed.get(&account).copied().unwrap_or_default()));
            }
            Part::Booking(_, incident) => {
                if let Some(booking) = self.bookings.get(&incident) {
                    booking.add_words(word);
                }
            }
            _ => self.own_words(time, word),
        }
    }

    fn own_words(&self, time: Time, word: &mut impl FnMut(&str, U256)) {
        for (i, layer) in self.layers.iter().enumerate() {
            word(&format!("layer/{i}"), n(*layer));
        }
        word("unearnedScaled", self.stream.scaled_at(time));
        word("surge", n(self.surge.value.get()));
        word("surgeAt", n(self.surge.at.0));
        word("closedAt", n(self.closed_at.unwrap_or_default().0));
        word("locked", self.locked);
        self.ceding.add_pool_words(word);
        word("exposure", n(self.products.values().map(|book| book.exposure_at(time)).sum::<u128>()));
    }
}

impl ProductBook {
    fn add_words(&self, time: Time, word: &mut impl FnMut(&str, U256)) {
        let setting = self.setting(time);
        word("cap", n(setting.cap));
        word("floorRate", n(setting.floor_rate.get()));
        word("live", n(u64::from(setting.live)));
        if let Some(pending) = self.pending.filter(|pending| pending.at > time) {
            word("pendingCap", n(pending.cap));
            word("pendingRate", n(pending.floor_rate.get()));
            word("effectiveAt", n(pending.at.0));
        }
        word("exposure", n(self.exposure_at(time)));
        word("inForce", n(self.in_force(time).unwrap_or_default()));
    }
}

impl Booking {
    fn add_words(&self, word: &mut impl FnMut(&str, U256)) {
        word("reserved", n(self.reserved));
        word("funded", n(self.funded));
        word("due", n(self.due));
        word("paid", n(self.paid));
        word("instantPaid", n(self.instant_paid));
        word("ceded", n(self.ceded));
        word("drawn", n(self.drawn));
        word("recovered", n(self.recovered));
        for i in 0..4 {
            word(&format!("limit/{i}"), n(self.limit[i]));
            word(&format!("charged/{i}"), n(self.charged[i]));
        }
        word("openedAt", n(self.opened_at.0));
        word("onsetTime", n(self.onset_time.0));
        word("settled", n(u64::from(self.settled)));
        word("closed", n(u64::from(self.closed)));
        for (product, booked) in &self.products {
            word(&format!("product/{product}/fraction"), booked.fraction);
            word(&format!("product/{product}/instantPaid"), n(booked.instant_paid));
        }
    }
}

impl Tranche {
    fn add_parts(&self, at: Layer, parts: &mut BTreeSet<Part>) {
        parts.insert(Part::Tranche(at));
        parts.extend(self.accounts().map(|account| Part::Balance(at, account)));
        for (id, deposits) in &self.deposits {
            parts.insert(Part::Deposits(at, *id));
            parts.extend(deposits.requests.keys().map(|account| Part::Deposit(at, *id, *account)));
        }
        for (id, cohort) in &self.cohorts {
            parts.insert(Part::Cohort(at, *id));
            let controllers = cohort.requests.keys().chain(cohort.claimed.keys());
            parts.extend(controllers.map(|account| Part::Redemption(at, *id, *account)));
        }
        parts.extend(self.recoveries.shares.keys().map(|incident| Part::Recovery(at, *incident)));
        let claimed = self.recoveries.claimed.keys();
        parts.extend(claimed.map(|(incident, account)| Part::Recovered(at, *incident, *account)));
        let queued = self.recoveries.claimed_queued.keys();
        parts.extend(queued.map(|(incident, id, who)| Part::QueueRecovered(at, *incident, *id, *who)));
    }

    fn add_words(&self, part: Part, word: &mut impl FnMut(&str, U256)) {
        let recoveries = &self.recoveries;
        match part {
            Part::Balance(_, account) => word("shares", self.balance(account)),
            Part::Deposits(_, id) => self.deposits_words(id, word),
            Part::Deposit(_, id, account) => {
                let deposits = self.deposits.get(&id);
                if let Some(request) = deposits.and_then(|deposits| deposits.requests.get(&account)) {
                    word("assets", n(request.assets));
                    word("claimedAt", n(request.claimed.unwrap_or_default().0));
                }
            }
            Part::Cohort(_, id) => {
                if let Some(cohort) = self.cohorts.get(&id) {
                    word("shares", cohort.requested);
                    word("remaining", cohort.remaining.latest());
                    word("cap", n(cohort.cap));
                    word("paid", n(cohort.paid));
                }
            }
            Part::Redemption(_, id, account) => {
                if let Some(cohort) = self.cohorts.get(&id) {
                    let requested = cohort.requests.get(&account).map(|request| request.latest());
                    word("shares", requested.unwrap_or_default());
                    word("claimed", n(cohort.claimed.get(&account).copied().unwrap_or_default()));
                }
            }
            Part::Recovery(_, incident) => {
                word("shares", recoveries.shares.get(&incident).copied().unwrap_or_default());
            }
            Part::Recovered(_, incident, account) => {
                word("shares", recoveries.claimed.get(&(incident, account)).copied().unwrap_or_default());
            }
            Part::QueueRecovered(_, incident, id, account) => {
                let key = (incident, id, account);
                word("shares", recoveries.claimed_queued.get(&key).copied().unwrap_or_default());
            }
            _ => {
                word("supply", self.supply());
                word("held", n(self.held));
                word("redeemable", n(self.redeemable));
            }
        }
    }

    fn deposits_words(&self, id: u64, word: &mut impl FnMut(&str, U256)) {
        let Some(deposits) = self.deposits.get(&id) else { return };
        word("assets", n(deposits.assets));
        if let DepositState::Processed { shares, block } = deposits.state {
            word("shares", shares);
            word("processedAt", n(block.0));
        }
        word("returned", n(u64::from(deposits.state == DepositState::Returned)));
    }
}

fn put(words: &mut Words, name: String, value: U256) {
    if !value.is_zero() {
        words.insert(name, value);
    }
}

fn n(value: impl Into<u128>) -> U256 {
    U256::from(value.into())
}
