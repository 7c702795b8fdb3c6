//! What became of a case: the play's facts joined with the labels, for people and for scripts.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, I256, U256};
use serde_json::{Value, json};

use crate::replay::case::{Case, Labels, Loss};
use crate::replay::stage::Difference;
use crate::style::{grouped, table};

/// What a play leaves behind, without any label.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// Block of each step, by step number.
    pub(crate) blocks: BTreeMap<u64, u64>,
    /// Recorded outcomes that did not come out.
    pub(crate) differences: Vec<Difference>,
    /// What each gauge that was listed covers, by its id.
    pub(crate) gauges: BTreeMap<B256, Covers>,
    /// Why there is no gauge, in the compiler's last words, where none was found.
    pub(crate) refusal: Option<String>,
    /// Why the play did not end: something of ours failed.
    pub(crate) trouble: Option<String>,
    /// Incidents in order of their ids.
    pub(crate) incidents: Vec<Happened>,
}

/// What a gauge covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Covers {
    /// Accounts whose words it reads.
    pub(crate) accounts: Vec<Address>,
    /// The asset; none: the native coin.
    pub(crate) asset: Option<Address>,
}

/// An incident as it stands when the play is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Happened {
    /// Its gauge.
    pub(crate) gauge: B256,
    /// The last healthy block.
    pub(crate) onset: u64,
    /// The block that opened it.
    pub(crate) opened: u64,
    /// Gas of the transaction that opened it.
    pub(crate) gas_report: u64,
    /// The block of its first payment and the gas of that transaction.
    pub(crate) settled: Option<(u64, u64)>,
    /// Gauge units.
    pub(crate) loss: u128,
    /// Whether it became final; else it was voided or still dwells.
    pub(crate) is_final: bool,
}

/// A line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    id: String,
    class: String,
    victim: String,
    true_loss: Option<U256>,
    measured_loss: Option<U256>,
    proven: bool,
    reason: Option<String>,
    blocks_to_assert: Option<u64>,
    blocks_to_payout: Option<u64>,
    gas_report: Option<u64>,
    gas_settle: Option<u64>,
    false_incidents: usize,
}

impl Line {
    /// Joins what happened with what the case's author knows.
    pub(crate) fn new(case: &Case, facts: &Facts) -> Self {
        let labels = &case.labels;
        let attacked = attacked(labels, facts);
        let is_false = |incident: &Happened| {
            !attacked.contains(&(incident.onset + 1))
                || (incident.is_final && lost(labels, covers_of(facts, incident)).is_zero())
        };
        let false_incidents = facts.incidents.iter().filter(|incident| is_false(incident)).count();
        let proven: Vec<&Happened> =
            facts.incidents.iter().filter(|incident| incident.is_final && !is_false(incident)).collect();
        let first = proven.first();
        let measured: U256 = proven.iter().map(|incident| U256::from(incident.loss)).sum();
        Self {
            id: labels.id.clone(),
            class: labels.classes.join(", "),
            victim: victim(case),
            true_loss: true_loss(case, facts),
            measured_loss: first.map(|_| measured),
            proven: first.is_some(),
            reason: reason(facts, first.is_some()),
            blocks_to_assert: first.map(|it| it.opened.saturating_sub(it.onset + 1)),
            blocks_to_payout: first
                .and_then(|it| it.settled.map(|(block, _)| block.saturating_sub(it.onset + 1))),
            gas_report: first.map(|it| it.gas_report),
            gas_settle: first.and_then(|it| it.settled.map(|(_, gas)| gas)),
            false_incidents,
        }
    }

    /// Incidents that nobody should have opened.
    pub(crate) fn false_incidents(&self) -> usize {
        self.false_incidents
    }

    /// Every key, null where there is nothing to say; amounts as decimal strings.
    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "class": self.class,
            "victim": self.victim,
            "true_loss": self.true_loss.map(|loss| loss.to_string()),
            "measured_loss": self.measured_loss.map(|loss| loss.to_string()),
            "proven": self.proven,
            "reason": self.reason,
            "blocks_to_assert": self.blocks_to_assert,
            "blocks_to_payout": self.blocks_to_payout,
            "gas_report": self.gas_report,
            "gas_settle": self.gas_settle,
            "false_incidents": self.false_incidents,
        })
    }
}

/// All lines for people.
pub(crate) fn as_table(lines: &[Line]) -> String {
    let number = |value: Option<u64>| value.map(grouped).unwrap_or_default();
    let loss = |value: Option<U256>| value.map(grouped).unwrap_or_default();
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            vec![
                line.id.clone(),
                line.victim.clone(),
                if line.proven { "proven" } else { "-" }.to_owned(),
                loss(line.true_loss),
                loss(line.measured_loss),
                number(line.blocks_to_assert),
                number(line.blocks_to_payout),
                number(line.gas_report),
                number(line.gas_settle),
                line.false_incidents.to_string(),
                line.reason.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let header = [
        "case",
        "victim",
        "",
        "true loss (units)",
        "measured (units)",
        "assert (blocks)",
        "payout (blocks)",
        "gas report",
        "gas settle",
        "false",
        "reason",
    ];
    table(&header, &rows, &[3, 4, 5, 6, 7, 8, 9])
}

/// Blocks of the attack's steps.
fn attacked(labels: &Labels, facts: &Facts) -> Vec<u64> {
    labels.attack_steps.iter().filter_map(|step| facts.blocks.get(step)).copied().collect()
}

fn covers_of<'a>(facts: &'a Facts, incident: &Happened) -> Option<&'a Covers> {
    facts.gauges.get(&incident.gauge)
}

/// What the labels say was lost of what a gauge covers.
fn lost(labels: &Labels, covers: Option<&Covers>) -> U256 {
    let Some(covers) = covers else { return U256::ZERO };
    let counts = |loss: &&Loss| covers.accounts.contains(&loss.holder) && covers.asset == loss.asset;
    labels.losses.iter().filter(counts).map(|loss| fallen(loss.delta)).sum()
}

/// The true loss where it can be said: of what the gauges cover, else of the one asset that the victim lost.
fn true_loss(case: &Case, facts: &Facts) -> Option<U256> {
    let labels = &case.labels;
    if labels.damage != "outflow" {
        return None;
    }
    let of_gauges: U256 = facts.gauges.values().take(1).map(|covers| lost(labels, Some(covers))).sum();
    if !of_gauges.is_zero() {
        return Some(of_gauges);
    }
    let victims = &case.scene.covered;
    let fell: Vec<U256> = labels
        .losses
        .iter()
        .filter(|loss| victims.contains(&loss.holder) && loss.delta.is_negative())
        .map(|loss| fallen(loss.delta))
        .collect();
    (fell.len() == 1).then(|| fell[0])
}

fn fallen(delta: I256) -> U256 {
    if delta.is_negative() { delta.unsigned_abs() } else { U256::ZERO }
}

fn victim(case: &Case) -> String {
    let name =
        |address: &Address| case.labels.names.get(address).cloned().unwrap_or_else(|| address.to_string());
    case.scene.covered.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn reason(facts: &Facts, proven: bool) -> Option<String> {
    if let Some(trouble) = &facts.trouble {
        return Some(trouble.clone());
    }
    match (&facts.refusal, proven) {
        (_, true) => None,
        (Some(refusal), false) => Some(refusal.clone()),
        (None, false) if facts.gauges.is_empty() => Some("nothing to cover".to_owned()),
        (None, false) => {
            Some("watched: the gauge saw no loss; what it does not read is for reporters to judge".to_owned())
        }
    }
}
