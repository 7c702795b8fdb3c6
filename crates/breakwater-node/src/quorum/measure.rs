//! What was lost since a gauge's pins changed, by executing the evidence again.

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256, U256};
use breakwater_bindings::decimal;
use breakwater_bindings::eip712::LossReport;
use breakwater_chain::{ActionKey, Head};
use breakwater_policy::measure::{self, Loss};
use breakwater_prove::document::{BlockRef, Document, Finding, GaugeReading};
use breakwater_prove::gauge::Reading;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::mailbox::Message;
use super::{Desk, READ_EVERY_BLOCKS, ReporterParts, Set};
use crate::error::NodeError;
use crate::heads::Heads;
use crate::keeper::{Keeper, plan_of};
use crate::known::{KnownIncident, SPAN_DWELLS};
use crate::plan::Plan;
use crate::report::{Seen, TickReport};

/// Written into evidence: whoever runs the same rule writes the same bytes.
const TOOL: &str = "breakwater reporter 1";
/// Seconds after its reading in which a report may be posted.
const VALID_S: u64 = 7 * 86_400;
/// Blocks above a reading before it is measured.
const DEPTH_BLOCKS: u64 = 1;
/// The part of a proven base by which the rung lets a report be off.
pub(super) const TOLERANCE: u128 = 100;

/// What a reading of a finding showed, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    onset: u64,
    reading: u64,
    onset_time: u64,
    after_time: u64,
    reading_time: u64,
    #[serde(with = "decimal")]
    base: u128,
    #[serde(with = "decimal")]
    loss: u128,
    evidence: B256,
    document: String,
    /// Why a person must decide about it; none if the rule does.
    #[serde(default = "unseen")]
    by_hand: Option<String>,
}

/// Figures of a journal from before changes of code were looked for.
fn unseen() -> Option<String> {
    Some("measured by an earlier version".to_owned())
}

/// What is to be done about a finding now.
enum Step {
    Wait,
    Over(String),
    Sign(Box<Figures>),
    /// A person may sign it, for the reason that is given.
    List(Box<Figures>, String),
}

/// Two readings and the loss between them.
pub(super) struct Measured {
    pub(super) onset: Reading,
    pub(super) next: Reading,
    pub(super) reading: Reading,
    pub(super) loss: Loss,
}

impl Keeper {
    /// Measures every finding that is due, and signs those whose time has come.
    pub(super) async fn report_losses(
        &mut self,
        desk: &mut Desk,
        reporter: &ReporterParts,
        set: &Set,
        head: &Head,
        report: &mut TickReport,
    ) -> Result<(), NodeError> {
        for record in self.store.planned().await? {
            let Some((plan, _)) = record.intent.as_ref().and_then(plan_of) else { continue };
            let Plan::Report { gauge, onset, onset_hash } = plan else { continue };
            match self.step(desk, reporter, gauge, (onset, onset_hash), head, report).await {
                Ok(Step::Wait) => {}
                Ok(Step::Over(reason)) => {
                    let mut change = self.store.change().await?;
                    change.abandon(&record.action.key, &reason, head.number()).await?;
                    change.commit().await?;
                }
                Ok(Step::Sign(figures)) => {
                    self.sign_loss(desk, reporter, set, gauge, *figures, report).await?
                }
                Ok(Step::List(figures, why)) => list_loss(desk, set, gauge, &figures, why, report)?,
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => tracing::warn!(%gauge, onset, %error, "not measured"),
            }
        }
        Ok(())
    }

    /// The first reading of the finding that shows the threshold, if its time to be signed has come.
    async fn step(
        &mut self,
        desk: &mut Desk,
        reporter: &ReporterParts,
        gauge: B256,
        (onset, onset_hash): (u64, B256),
        head: &Head,
        report: &mut TickReport,
    ) -> Result<Step, NodeError> {
        let Some(threshold) = self.known.gauges.get(&gauge).map(|spec| U256::from(spec.threshold)) else {
            return Ok(Step::Over("the gauge is not known".into()));
        };
        let covers = |incident: &KnownIncident| incident.gauge == gauge && incident.live.reading > onset;
        if self.known.incidents.values().any(covers) {
            return Ok(Step::Over("an incident covers it".into()));
        }
        let last = onset.saturating_add(SPAN_DWELLS * self.known.dwell());
        let heads = Heads::new(&self.follower, head.clone());
        if heads.at(&self.endpoints, onset).await?.hash() != onset_hash {
            return Ok(Step::Over("its blocks fell out of the chain".into()));
        }
        let mut reading = onset + READ_EVERY_BLOCKS;
        loop {
            if reading > last {
                return Ok(Step::Over("nothing was lost within the span".into()));
            }
            if reading + DEPTH_BLOCKS > head.number() {
                return Ok(Step::Wait);
            }
            let sign_at = reading.saturating_add(reporter.sign_after.max(DEPTH_BLOCKS));
            let (figures, fresh) = self.figures(gauge, onset, reading, head).await?;
            let Some(figures) = figures else {
                reading += READ_EVERY_BLOCKS;
                continue;
            };
            let (base, loss) = (figures.base, figures.loss);
            if measure::lambda(loss, base) < threshold {
                reading += READ_EVERY_BLOCKS;
                continue;
            }
            if fresh {
                report.seen.push(Seen::Measured { gauge, onset, reading, base, loss, sign_at });
            }
            if desk.refused(gauge) {
                if desk.first(format!("refused {gauge} {onset}")) {
                    report.seen.push(Seen::Withheld { gauge, why: "the operator refuses".into() });
                }
                return Ok(Step::Wait);
            }
            if let Some(why) = figures.by_hand.clone() {
                let late = head.timestamp() > figures.reading_time.saturating_add(VALID_S);
                return Ok(match late {
                    true => Step::Over("nobody signed it in time".into()),
                    false => Step::List(Box::new(figures), why),
                });
            }
            return Ok(if head.number() < sign_at { Step::Wait } else { Step::Sign(Box::new(figures)) });
        }
    }

    /// What this block shows, from the journal or from the chain and then into the journal; none where a loss is
    /// not defined. The second says whether it was measured just now.
    async fn figures(
        &mut self,
        gauge: B256,
        onset: u64,
        reading: u64,
        head: &Head,
    ) -> Result<(Option<Figures>, bool), NodeError> {
        let heads = Heads::new(&self.follower, head.clone());
        let hash = heads.at(&self.endpoints, reading).await?.hash();
        let key = ActionKey::new(format!("measured:{gauge}:{onset}:{reading}:{hash}"))?;
        if let Some(record) = self.store.action_record(&key).await? {
            let kept = record.intent.unwrap_or_default();
            let kept = serde_json::from_value(kept["measured"].clone());
            return kept
                .map(|kept| (kept, false))
                .map_err(|error| NodeError::Plan { key: key.to_string(), error });
        }
        let figures = match self.measure(gauge, onset, reading, head).await? {
            Ok(measured) => {
                let by_hand = self.code_change(gauge, (onset, reading), head).await?;
                Some(self.document(gauge, &measured, by_hand, head).await?)
            }
            Err(why) => {
                tracing::info!(%gauge, onset, reading, %why, "no figures");
                None
            }
        };
        let value = serde_json::to_value(&figures)
            .map_err(|error| NodeError::Plan { key: key.to_string(), error })?;
        let mut change = self.store.change().await?;
        change.plan(&key, &json!({ "measured": value }), head.number()).await?;
        change.commit().await?;
        Ok((figures, true))
    }

    /// Reads the gauge at the onset and later, by whatever code and pinned words it has there, and compares.
    pub(super) async fn measure(
        &mut self,
        gauge: B256,
        onset: u64,
        reading: u64,
        head: &Head,
    ) -> Result<Result<Measured, String>, NodeError> {
        let heads = Heads::new(&self.follower, head.clone());
        let Some(subject) = self.subjects.get_mut(&gauge) else {
            return Ok(Err("the gauge is not known".into()));
        };
        let holders = subject.claimants(&self.endpoints, &heads, onset).await?;
        let mut readings = Vec::with_capacity(3);
        for number in [onset, onset + 1, reading] {
            match subject.found(&self.endpoints, &heads, number, &holders).await? {
                Ok(found) => readings.push(found),
                Err(why) => return Ok(Err(format!("block {number}: {why}"))),
            }
        }
        let (&[onset, next, reading], Ok(health)) = (&readings[..], subject.spec.health()) else {
            return Ok(Err("the gauge has no form".into()));
        };
        let loss = measure::loss(&health, &(&onset).into(), next.assets, &(&reading).into());
        Ok(loss.map(|loss| Measured { onset, next, reading, loss }).map_err(|why| why.to_string()))
    }

    async fn document(
        &self,
        gauge: B256,
        measured: &Measured,
        by_hand: Option<String>,
        head: &Head,
    ) -> Result<Figures, NodeError> {
        let heads = Heads::new(&self.follower, head.clone());
        let mut seen: Vec<&Reading> = vec![&measured.onset, &measured.next];
        if measured.reading.number != measured.next.number {
            seen.push(&measured.reading);
        }
        let mut blocks = Vec::with_capacity(seen.len());
        for reading in &seen {
            let hash = heads.at(&self.endpoints, reading.number).await?.hash();
            blocks.push(BlockRef { number: reading.number, hash });
        }
        let readings = seen.iter().map(|reading| GaugeReading {
            block: reading.number,
            assets: reading.assets,
            claims: reading.claims,
            holders: reading.holders,
        });
        let document = Document {
            chain_id: self.endpoints.chain_id().await?,
            blocks,
            finding: Finding::Gauge { gauge, readings: readings.collect() },
            transactions: Vec::new(),
            tool: TOOL.into(),
        };
        let refuse = |error: &dyn std::fmt::Display| NodeError::Evidence {
            what: gauge.to_string(),
            reason: error.to_string(),
        };
        Ok(Figures {
            onset: measured.onset.number,
            reading: measured.reading.number,
            onset_time: measured.onset.time,
            after_time: measured.next.time,
            reading_time: measured.reading.time,
            base: measured.loss.base,
            loss: measured.loss.loss,
            evidence: document.hash().map_err(|error| refuse(&error))?,
            document: document.canonical().map_err(|error| refuse(&error))?,
            by_hand,
        })
    }

    /// Signs, once the figures are in the journal for good.
    async fn sign_loss(
        &self,
        desk: &mut Desk,
        reporter: &ReporterParts,
        set: &Set,
        gauge: B256,
        figures: Figures,
        report: &mut TickReport,
    ) -> Result<(), NodeError> {
        if !self.may_sign(gauge, &figures).await? {
            if desk.first(format!("twice {gauge} {} {}", figures.onset, figures.reading)) {
                let why = "other figures of these blocks are signed already".into();
                report.seen.push(Seen::Withheld { gauge, why });
            }
            return Ok(());
        }
        desk.mailbox.keep(figures.evidence, &figures.document)?;
        desk.sign(reporter, Message::Loss(message_of(set, gauge, &figures)))
    }

    /// Whether these are the only figures of their blocks that this node has ever been about to sign.
    async fn may_sign(&self, gauge: B256, figures: &Figures) -> Result<bool, NodeError> {
        let key = ActionKey::new(format!("signed:{gauge}:{}:{}", figures.onset, figures.reading))?;
        let mine =
            json!({ "signed": { "base": figures.base.to_string(), "loss": figures.loss.to_string() } });
        let mut change = self.store.change().await?;
        // At block zero, so that no reorganisation takes it back: the signature is out all the same.
        change.plan(&key, &mine, 0).await?;
        change.commit().await?;
        let kept: Option<Value> = self.store.action_record(&key).await?.and_then(|record| record.intent);
        Ok(kept == Some(mine))
    }
}

/// Tells a person once what may be signed by hand, and keeps the evidence for whoever looks.
fn list_loss(
    desk: &mut Desk,
    set: &Set,
    gauge: B256,
    figures: &Figures,
    why: String,
    report: &mut TickReport,
) -> Result<(), NodeError> {
    let message = message_of(set, gauge, figures);
    let (chain_id, rung) = (desk.chain_id, desk.at.rung);
    let digest = Message::Loss(message.clone()).digest(chain_id, rung);
    if desk.first(format!("listed {digest}")) {
        desk.mailbox.keep(figures.evidence, &figures.document)?;
        report.seen.push(Seen::Listed { report: Box::new(message), chain_id, rung, why });
    }
    Ok(())
}

/// What every reporter signs about these figures while this set and nonce stand.
fn message_of(set: &Set, gauge: B256, figures: &Figures) -> LossReport {
    LossReport {
        gauge,
        incident: U256::ZERO,
        onset: figures.onset,
        reading: figures.reading,
        onsetTime: figures.onset_time,
        afterTime: figures.after_time,
        base: figures.base,
        loss: figures.loss,
        evidence: figures.evidence,
        signerSet: set.hash,
        nonce: set.last_loss + U256::ONE,
        validFrom: figures.reading_time,
        validUntil: figures.reading_time.saturating_add(VALID_S),
    }
}

/// Accounts in ascending order, each once.
pub(super) fn ascending(accounts: impl Iterator<Item = Address>) -> Vec<Address> {
    accounts.collect::<BTreeSet<Address>>().into_iter().collect()
}
