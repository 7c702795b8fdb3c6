//! What happens on the chain, told as it happens: one line an event, or one JSON object.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::{SolEvent, SolEventInterface};
use breakwater_bindings::contracts::{CanaryRung, OracleRung, QuorumRung};
use breakwater_bindings::eip712::LossReport;
use breakwater_bindings::{Incidents, Policies, Pool};
use breakwater_chain::{Head, Receipt};
use breakwater_node::{Plan, Seen, TickReport};
use serde_json::{Value, json};

use crate::books::LAYERS;
use crate::market::Market;
use crate::style::{Screen, cents, grouped};

/// What a gauge is called and what it counts in.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// Name of what it covers.
    pub(crate) name: String,
    /// Symbol of what it counts.
    pub(crate) symbol: &'static str,
    /// Its decimals.
    pub(crate) decimals: u8,
    /// Who says that there is a loss.
    pub(crate) decider: Decider,
}

/// Who says that there is a loss, and so how it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decider {
    /// A proof of two blocks.
    Proof,
    /// A canary that does not get out.
    Canary,
    /// A feed that is off its references.
    Feed,
    /// Reporters.
    Reporters,
}

impl Unit {
    /// Of a gauge that the proof rung reads.
    pub(crate) fn proven(name: &str, symbol: &'static str, decimals: u8) -> Self {
        Self { name: name.to_owned(), symbol, decimals, decider: Decider::Proof }
    }

    /// The same, when somebody else decides.
    pub(crate) fn by(self, decider: Decider) -> Self {
        Self { decider, ..self }
    }
}

/// Names for addresses and gauges, and what has been seen so far.
#[derive(Debug)]
pub(crate) struct Timeline {
    screen: Screen,
    pool: Address,
    incidents_at: Address,
    policies_at: Address,
    canary_at: Address,
    oracle_at: Address,
    quorum_at: Address,
    symbol: &'static str,
    decimals: u8,
    people: BTreeMap<Address, String>,
    gauges: BTreeMap<B256, Unit>,
    incidents: BTreeMap<U256, B256>,
    /// Units taken of each layer, less what came back.
    pub(crate) borne: [i128; 4],
    /// Units paid to each account.
    pub(crate) paid: BTreeMap<Address, U256>,
    /// Units that came back for those who had borne losses.
    pub(crate) recovered: U256,
    /// Premiums, units.
    pub(crate) premiums: U256,
    /// Of them, units that treaties were sent.
    pub(crate) passed_on: U256,
    /// Units that treaties gave, by incident.
    drawn: BTreeMap<U256, U256>,
    /// Sums insured by position account, units.
    insured: BTreeMap<Address, U256>,
    /// Reports that nodes leave to people, by the number of the node.
    pub(crate) listed: Vec<(usize, LossReport)>,
    /// Number and gas of our transactions, by what they did.
    pub(crate) gas: BTreeMap<&'static str, (u64, u64)>,
    /// Proof bytes of assertions and gas of the transactions that opened incidents.
    pub(crate) proofs: Vec<(usize, u64)>,
    /// Proof bytes of the assertion that was sent last.
    sent: usize,
    /// Charges that the next booking sums up.
    charged: Vec<String>,
    /// Payments that the next settlement sums up.
    payments: Vec<(Address, U256)>,
}

impl Timeline {
    /// An empty one for a market whose asset is called `symbol`.
    pub(crate) fn new(screen: Screen, market: &Market, symbol: &'static str, decimals: u8) -> Self {
        Self {
            screen,
            pool: market.pool,
            incidents_at: market.deployment.incidents,
            policies_at: market.deployment.policies,
            canary_at: market.deployment.canary_rung,
            oracle_at: market.deployment.oracle_rung,
            // Nothing is logged at the zero address.
            quorum_at: market.deployment.disputes.as_ref().map(|to| to.quorum_rung).unwrap_or_default(),
            symbol,
            decimals,
            people: BTreeMap::new(),
            gauges: BTreeMap::new(),
            incidents: BTreeMap::new(),
            borne: [0; 4],
            paid: BTreeMap::new(),
            recovered: U256::ZERO,
            premiums: U256::ZERO,
            passed_on: U256::ZERO,
            drawn: BTreeMap::new(),
            insured: BTreeMap::new(),
            listed: Vec::new(),
            gas: BTreeMap::new(),
            proofs: Vec::new(),
            sent: 0,
            charged: Vec::new(),
            payments: Vec::new(),
        }
    }

    /// The heading of the lines to come.
    pub(crate) fn head(&self) {
        self.screen.say(format!("{:>6}  {:<9} {}", "block", "event", "what"));
    }

    /// Gives an address a name.
    pub(crate) fn call(&mut self, address: Address, name: impl Into<String>) {
        self.people.insert(address, name.into());
    }

    /// Gives a gauge a name and a unit.
    pub(crate) fn gauge(&mut self, gauge: B256, unit: Unit) {
        self.gauges.insert(gauge, unit);
    }

    /// Incidents seen so far.
    pub(crate) fn incidents(&self) -> Vec<U256> {
        self.incidents.keys().copied().collect()
    }

    /// Everyone with a name.
    pub(crate) fn everybody(&self) -> Vec<(String, Address)> {
        self.people.iter().map(|(address, name)| (name.clone(), *address)).collect()
    }

    /// A name, or the address.
    pub(crate) fn name(&self, address: Address) -> String {
        self.people.get(&address).cloned().unwrap_or_else(|| address.to_string())
    }

    /// Units that an account was paid.
    pub(crate) fn paid_to(&self, account: Address) -> U256 {
        self.paid.get(&account).copied().unwrap_or_default()
    }

    /// Units for which an account's position is insured.
    pub(crate) fn insured_of(&self, account: Address) -> U256 {
        self.insured.get(&account).copied().unwrap_or_default()
    }

    /// Units that treaties gave.
    pub(crate) fn drawn(&self) -> U256 {
        self.drawn.values().copied().sum()
    }

    /// Something that somebody did.
    pub(crate) fn tell(&self, block: u64, event: &str, text: &str) {
        self.line(block, event, text, json!({}));
    }

    /// Everything that our contracts logged in a block.
    pub(crate) fn logs(&mut self, head: &Head, receipts: &[Receipt]) {
        for receipt in receipts {
            if let Some(what) = self.deed(receipt) {
                let (times, gas) = self.gas.entry(what).or_default();
                (*times, *gas) = (*times + 1, *gas + receipt.gas_used);
            }
            for log in &receipt.logs {
                if log.address == self.incidents_at {
                    if let Ok(event) = Incidents::IncidentsEvents::decode_log(log) {
                        self.incident(head, receipt, &event.data);
                    }
                } else if log.address == self.policies_at {
                    if let Ok(event) = Policies::PoliciesEvents::decode_log(log) {
                        self.policy(head, receipt, &event.data);
                    }
                } else if log.address == self.canary_at {
                    if let Ok(probed) = CanaryRung::Probed::decode_log(log) {
                        self.probed(head, receipt, &probed);
                    }
                } else if log.address == self.oracle_at {
                    if let Ok(observed) = OracleRung::Observed::decode_log(log) {
                        self.observed(head, &observed);
                    }
                } else if log.address == self.quorum_at {
                    if let Ok(settled) = QuorumRung::Settled::decode_log(log) {
                        self.judged(head, &settled);
                    }
                } else if log.address == self.pool
                    && let Ok(event) = Pool::PoolEvents::decode_log(log)
                {
                    self.capital(head, &event.data);
                }
            }
        }
    }

    /// What the node of a reporter found and leaves to people.
    pub(crate) fn reporter(&mut self, number: usize, report: &TickReport) {
        for seen in &report.seen {
            if let Seen::Listed { report: listed, why, .. } = seen {
                let loss = self.loss(listed.gauge, listed.loss, listed.base);
                let text = format!("node {number} reads block {}: {loss}; unsigned: {why}", listed.reading);
                let facts = json!({
                    "gauge": listed.gauge, "onset": listed.onset, "reading": listed.reading,
                    "base": listed.base.to_string(), "loss": listed.loss.to_string(),
                });
                self.line(report.head, "listed", &text, facts);
                self.listed.push((number, listed.as_ref().clone()));
            }
        }
    }

    /// What a transaction of ours did, by the most telling of its logs.
    fn deed(&self, receipt: &Receipt) -> Option<&'static str> {
        let deeds = [
            (self.policies_at, Policies::Bought::SIGNATURE_HASH, "buying cover"),
            (self.policies_at, Policies::Settled::SIGNATURE_HASH, "settling"),
            (self.incidents_at, Incidents::Opened::SIGNATURE_HASH, "opening an incident"),
            (self.incidents_at, Incidents::PositionProven::SIGNATURE_HASH, "recording positions"),
            (self.incidents_at, Incidents::Finalised::SIGNATURE_HASH, "making an incident final"),
            (self.pool, Pool::Recovered::SIGNATURE_HASH, "buying salvage"),
            (self.pool, Pool::BookingClosed::SIGNATURE_HASH, "closing a booking"),
        ];
        let logged = |address: Address, event: B256| {
            receipt.logs.iter().any(|log| log.address == address && log.topics().first() == Some(&event))
        };
        deeds.into_iter().find(|(address, event, _)| logged(*address, *event)).map(|(.., what)| what)
    }

    /// What the keeper saw and sent.
    pub(crate) fn keeper(&mut self, report: &TickReport) {
        for seen in &report.seen {
            if let Seen::Onset { gauge, block } = seen
                && *block == report.head
            {
                let text = format!("the gauge of {} fell in this block", self.unit(*gauge).name);
                self.line(report.head, "seen", &text, json!({ "gauge": gauge, "onset": block - 1 }));
            }
        }
        for sent in &report.sent {
            if matches!(sent.plan, Plan::Assert { .. }) {
                self.sent = sent.proof_bytes;
            }
            let what = match &sent.plan {
                Plan::Assert { .. } => "assertion sent",
                Plan::Revise { .. } => "later block sent",
                Plan::Prove { .. } => "positions sent",
                _ => continue,
            };
            let text = format!(
                "{what}: {} bytes of proof in {} bytes of calldata",
                grouped(sent.proof_bytes),
                grouped(sent.calldata_bytes)
            );
            let sizes = json!({ "proof_bytes": sent.proof_bytes, "calldata_bytes": sent.calldata_bytes });
            self.line(report.head, "proof", &text, sizes);
        }
    }

    fn probed(&self, head: &Head, receipt: &Receipt, probed: &CanaryRung::Probed) {
        let name = self.unit(probed.trigger).name;
        let how = if probed.success { "gets out of" } else { "does not get out of" };
        let text = format!("the canary {how} {name}; {} gas", grouped(receipt.gas_used));
        let facts = json!({ "success": probed.success, "time": head.timestamp(), "gas": receipt.gas_used });
        self.line(head.number(), "probe", &text, facts);
    }

    fn observed(&self, head: &Head, observed: &OracleRung::Observed) {
        let name = self.unit(observed.trigger).name;
        // Prices are in wad.
        let (watched, references) = (cents(observed.watched, 18), cents(observed.reference_, 18));
        let text = match observed.live {
            true => format!("the feed of {name} says {watched}, its references say {references}"),
            false => format!("the feed of {name} or its references say nothing"),
        };
        let facts = json!({
            "live": observed.live, "watched": observed.watched.to_string(),
            "references": observed.reference_.to_string(), "time": head.timestamp(),
        });
        self.line(head.number(), "look", &text, facts);
    }

    /// The reporters' bonds are slashed or free.
    fn judged(&self, head: &Head, settled: &QuorumRung::Settled) {
        let how = if settled.slashed { "slashed" } else { "free again" };
        let text = format!("the bonds behind the report of incident {} are {how}", settled.id);
        self.line(head.number(), "bonds", &text, json!({ "slashed": settled.slashed }));
    }

    fn incident(&mut self, head: &Head, receipt: &Receipt, event: &Incidents::IncidentsEvents) {
        match event {
            Incidents::IncidentsEvents::Opened(opened) => {
                self.incidents.insert(opened.id, opened.gauge);
                self.proofs.push((std::mem::take(&mut self.sent), receipt.gas_used));
                let m = &opened.m;
                let text = format!(
                    "incident {}: {}, dwells to block {}; {} gas",
                    opened.id,
                    self.loss(opened.gauge, m.loss, m.base),
                    grouped(opened.dwellEnd),
                    grouped(receipt.gas_used)
                );
                let facts = json!({
                    "incident": opened.id.to_string(), "onset": m.onset, "loss": m.loss.to_string(),
                    "base": m.base.to_string(), "dwell_end": opened.dwellEnd, "gas": receipt.gas_used,
                });
                self.line(head.number(), "opened", &text, facts);
            }
            Incidents::IncidentsEvents::Revised(revised) => {
                let gauge = self.incidents.get(&revised.id).copied().unwrap_or_default();
                let loss = self.loss(gauge, revised.m.loss, revised.m.base);
                let text = format!("incident {}: {loss}; {} gas", revised.id, grouped(receipt.gas_used));
                self.line(head.number(), "revised", &text, json!({ "incident": revised.id.to_string() }));
            }
            Incidents::IncidentsEvents::PositionProven(proven) => {
                let gauge = self.incidents.get(&proven.id).copied().unwrap_or_default();
                let unit = self.unit(gauge);
                let how = match unit.decider {
                    Decider::Proof | Decider::Canary => "proven from storage",
                    Decider::Feed => "proven from the receipts",
                    Decider::Reporters => "under the reporters' root",
                };
                let text = format!(
                    "{} lost {} of {} {}, {how}",
                    self.name(proven.account),
                    cents(proven.lost, unit.decimals),
                    cents(proven.value, unit.decimals),
                    unit.symbol
                );
                let facts = json!({ "account": proven.account, "lost": proven.lost.to_string() });
                self.line(head.number(), "position", &text, facts);
            }
            Incidents::IncidentsEvents::Finalised(done) => {
                let gauge = self.incidents.get(&done.id).copied().unwrap_or_default();
                let why = match self.unit(gauge).decider {
                    Decider::Proof => "nobody proved a better block",
                    Decider::Canary => "nobody got out meanwhile",
                    Decider::Feed => "nobody spoke against it",
                    Decider::Reporters => "nobody challenged it",
                };
                let text = format!("incident {}: {why}", done.id);
                self.line(head.number(), "final", &text, json!({ "incident": done.id.to_string() }));
            }
            Incidents::IncidentsEvents::Voided(void) => {
                let text = format!("incident {}: refuted", void.id);
                self.line(head.number(), "void", &text, json!({ "incident": void.id.to_string() }));
            }
            _ => {}
        }
    }

    fn policy(&mut self, head: &Head, receipt: &Receipt, event: &Policies::PoliciesEvents) {
        match event {
            Policies::PoliciesEvents::Bought(bought) => {
                self.premiums += bought.premium;
                *self.insured.entry(bought.policy.position).or_default() += U256::from(bought.policy.sum);
                let text = format!(
                    "policy {} for {}: sum insured {}, premium {} {}",
                    bought.id,
                    self.name(bought.policy.position),
                    cents(U256::from(bought.policy.sum), self.decimals),
                    cents(bought.premium, self.decimals),
                    self.symbol
                );
                let facts = json!({
                    "policy": bought.id.to_string(), "sum": bought.policy.sum.to_string(),
                    "inception": bought.policy.inception, "expiry": bought.policy.expiry,
                    "premium": bought.premium.to_string(),
                });
                self.line(head.number(), "bought", &text, facts);
            }
            Policies::PoliciesEvents::Settled(settled) => self.settled(head, receipt, settled),
            _ => {}
        }
    }

    /// One line for all parts of a payment: the holder's, and the bounties of opener and settler.
    fn settled(&mut self, head: &Head, receipt: &Receipt, settled: &Policies::Settled) {
        let payments = merged(std::mem::take(&mut self.payments));
        let parts: Vec<String> = payments
            .iter()
            .map(|(to, units)| {
                format!("{} {} to {}", cents(*units, self.decimals), self.symbol, self.name(*to))
            })
            .collect();
        let parts = if parts.is_empty() { "nothing more".to_owned() } else { parts.join(", ") };
        let text = format!("policy {}: {parts}{}", settled.id, self.gas_of_batch(receipt, settled));
        let to: Vec<Value> =
            payments.iter().map(|(to, units)| json!({ "to": to, "amount": units.to_string() })).collect();
        let facts = json!({
            "policy": settled.id.to_string(), "incident": settled.incident.to_string(),
            "due": settled.due.to_string(), "paid": settled.paid.to_string(), "parts": to,
            "gas": receipt.gas_used,
        });
        self.line(head.number(), "paid", &text, facts);
    }

    /// Gas of the transaction, told with the first policy that it settles.
    fn gas_of_batch(&self, receipt: &Receipt, settled: &Policies::Settled) -> String {
        let batch: Vec<U256> = receipt
            .logs
            .iter()
            .filter(|log| log.address == self.policies_at)
            .filter_map(|log| Policies::Settled::decode_log(log).ok())
            .map(|log| log.id)
            .collect();
        match batch.first() {
            Some(first) if *first != settled.id => String::new(),
            _ if batch.len() > 1 => format!("; {} gas for all {}", grouped(receipt.gas_used), batch.len()),
            _ => format!("; {} gas", grouped(receipt.gas_used)),
        }
    }

    fn capital(&mut self, head: &Head, event: &Pool::PoolEvents) {
        match event {
            Pool::PoolEvents::Booked(booked) => {
                let parts = std::mem::take(&mut self.charged);
                let text = format!(
                    "{} {} held back for incident {}: {}",
                    cents(booked.reserved, self.decimals),
                    self.symbol,
                    booked.incident,
                    if parts.is_empty() { "as before".to_owned() } else { parts.join(", ") }
                );
                let facts = json!({
                    "incident": booked.incident.to_string(), "reserved": booked.reserved.to_string(),
                    "funded": booked.funded.to_string(),
                });
                self.line(head.number(), "reserve", &text, facts);
            }
            Pool::PoolEvents::Charged(charged) => {
                if let Some(name) = self.moved(charged.layer, charged.amount, false) {
                    self.charged.push(format!("{name} {}", cents(charged.amount, self.decimals)));
                }
            }
            Pool::PoolEvents::Released(released) => {
                if let Some(name) = self.moved(released.layer, released.amount, true) {
                    let text = format!(
                        "{name} gets back {} {} that nobody is owed",
                        cents(released.amount, self.decimals),
                        self.symbol
                    );
                    let facts = json!({ "layer": name, "amount": released.amount.to_string() });
                    self.line(head.number(), "released", &text, facts);
                }
            }
            Pool::PoolEvents::RecoveredTo(to) => {
                if let Some(name) = self.moved(to.layer, to.amount, true) {
                    let text =
                        format!("{name} gets back {} {}", cents(to.amount, self.decimals), self.symbol);
                    let facts = json!({ "layer": name, "amount": to.amount.to_string() });
                    self.line(head.number(), "recovery", &text, facts);
                }
            }
            Pool::PoolEvents::Recovered(recovered) => self.recovered += recovered.amount,
            Pool::PoolEvents::PremiumCeded(ceded) => self.passed_on += ceded.amount,
            Pool::PoolEvents::Ceded(ceded) => {
                self.drawn.insert(ceded.incident, ceded.drawn);
                let text = format!(
                    "the treaty stands for {} {} of incident {} and has sent {}",
                    cents(ceded.ceded, self.decimals),
                    self.symbol,
                    ceded.incident,
                    cents(ceded.drawn, self.decimals)
                );
                let facts = json!({ "ceded": ceded.ceded.to_string(), "drawn": ceded.drawn.to_string() });
                self.line(head.number(), "ceded", &text, facts);
            }
            Pool::PoolEvents::Paid(paid) => {
                *self.paid.entry(paid.to).or_default() += paid.amount;
                self.payments.push((paid.to, paid.amount));
            }
            _ => {}
        }
    }

    /// Counts what a layer gave or got back; its name.
    fn moved(&mut self, layer: U256, units: U256, back: bool) -> Option<&'static str> {
        let index = usize::try_from(layer).ok()?;
        let name = LAYERS.get(index)?;
        // Layers are 128 bits wide on chain, and a demo's sums are far below 127 bits.
        let signed = i128::try_from(units).unwrap_or(i128::MAX);
        self.borne[index] += if back { -signed } else { signed };
        Some(name)
    }

    fn loss(&self, gauge: B256, loss: u128, base: u128) -> String {
        let unit = self.unit(gauge);
        // The base of these is only a bound on what all positions together may be paid.
        match unit.decider {
            Decider::Canary => return format!("nobody gets anything out of {} any more", unit.name),
            Decider::Feed => return format!("the feed of {} is wrong", unit.name),
            Decider::Proof | Decider::Reporters => {}
        }
        // Hundredths of a per cent, rounded down.
        let bps = U256::from(loss) * U256::from(10_000) / U256::from(base.max(1));
        let (whole, rest) = bps.div_rem(U256::from(100));
        format!(
            "{} lost {} of {} {} ({whole}.{rest:0>2} %)",
            unit.name,
            cents(U256::from(loss), unit.decimals),
            cents(U256::from(base), unit.decimals),
            unit.symbol
        )
    }

    fn unit(&self, gauge: B256) -> Unit {
        let unknown = || Unit::proven(&gauge.to_string(), "units", 0);
        self.gauges.get(&gauge).cloned().unwrap_or_else(unknown)
    }

    fn line(&self, block: u64, event: &str, text: &str, mut facts: Value) {
        if self.screen.json {
            if let Some(map) = facts.as_object_mut() {
                map.shift_insert(0, "event".to_owned(), event.into());
                map.shift_insert(1, "block".to_owned(), block.into());
                map.insert("text".to_owned(), text.into());
            }
            self.screen.object(&facts);
            return;
        }
        let palette = self.screen.palette;
        let word = format!("{event:<9}");
        let word = match event {
            "attack" | "opened" => palette.red(&word),
            "paid" | "final" => palette.green(&word),
            _ => palette.dim(&word),
        };
        self.screen.say(format!("{:>6}  {word} {text}", grouped(block)));
    }
}

/// One sum for each account, the largest first: a keeper may earn both bounties.
fn merged(payments: Vec<(Address, U256)>) -> Vec<(Address, U256)> {
    let mut sums: BTreeMap<Address, U256> = BTreeMap::new();
    for (to, units) in payments {
        *sums.entry(to).or_default() += units;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|(_, one), (_, other)| other.cmp(one));
    sums
}
