//! What was lost since a gauge's pins changed, by executing the evidence again; and what others say of it.

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolCall;
use breakwater_bindings::contracts::QuorumRung;
use breakwater_bindings::decimal;
use breakwater_bindings::eip712::LossReport;
use breakwater_chain::{ActionKey, Head};
use breakwater_policy::measure::{self, Loss};
use breakwater_prove::document::{BlockRef, Document, Finding, GaugeReading};
use breakwater_prove::gauge::Reading;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::mailbox::Message;
use super::{Desk, READ_EVERY_BLOCKS, ReporterParts, Set, ask};
use crate::error::NodeError;
use crate::heads::Heads;
use crate::keeper::{Keeper, plan_of};
use crate::known::{KnownIncident, SPAN_DWELLS, Standing};
use crate::plan::{Errand, Plan};
use crate::report::{Seen, TickReport};

/// Written into evidence: whoever runs the same rule writes the same bytes.
const TOOL: &str = "breakwater reporter 1";
/// Seconds after its reading in which a report may be posted.
const VALID_S: u64 = 7 * 86_400;
/// Blocks above a reading before it is measured.
const DEPTH_BLOCKS: u64 = 1;
/// The part of a proven base by which the rung lets a report be off.
const TOLERANCE: u128 = 100;
/// The part of a report's figure by which a challenge must be below the last one.
const STEP: u128 = 16;
/// Gas of a challenge and of the allowance before it.
const CHALLENGE_GAS: u64 = 1_000_000;

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
}

/// What is to be done about a finding now.
enum Step {
    Wait,
    Over(String),
    Sign(Box<Figures>),
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
            Ok(measured) => Some(self.document(gauge, &measured, head).await?),
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

    async fn document(&self, gauge: B256, measured: &Measured, head: &Head) -> Result<Figures, NodeError> {
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
        let message = LossReport {
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
        };
        desk.sign(reporter, Message::Loss(message))
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

    /// Compares posted reports with the node's own reading, alerts, and challenges if it is told to.
    pub(super) async fn check_posted(
        &mut self,
        desk: &mut Desk,
        reporter: &ReporterParts,
        head: &Head,
        report: &mut TickReport,
    ) -> Result<(), NodeError> {
        let dwells =
            |incident: &KnownIncident| incident.by_quorum() && incident.standing == Standing::Dwelling;
        let open: Vec<(U256, KnownIncident)> = self
            .known
            .incidents
            .iter()
            .filter(|(_, incident)| dwells(incident))
            .map(|(id, incident)| (*id, incident.clone()))
            .collect();
        for (id, incident) in open {
            let live = &incident.live;
            if !desk.first(format!("checked {id} {live:?}")) {
                continue;
            }
            let measured = match self.measure(incident.gauge, live.onset, live.reading, head).await {
                Ok(Ok(measured)) => measured,
                Ok(Err(why)) => {
                    let why = format!("incident {id} cannot be measured: {why}");
                    report.seen.push(Seen::Withheld { gauge: incident.gauge, why });
                    continue;
                }
                Err(error) => {
                    desk.told.remove(&format!("checked {id} {live:?}"));
                    tracing::warn!(incident = %id, %error, "report not checked");
                    continue;
                }
            };
            let (reported, found) = (live.loss, measured.loss.loss);
            // More than a hundredth of the base too much, as the rung has it.
            if reported.saturating_sub(found) <= measured.loss.base / TOLERANCE {
                continue;
            }
            report.seen.push(Seen::Overstated { id, reported, found });
            if reporter.challenge && !desk.refused(incident.gauge) {
                self.challenge(desk, id, &measured, head).await?;
            }
        }
        Ok(())
    }

    async fn challenge(
        &self,
        desk: &Desk,
        id: U256,
        measured: &Measured,
        head: &Head,
    ) -> Result<(), NodeError> {
        let rung = desk.at.rung;
        let posted = ask(&self.endpoints, head, rung, &QuorumRung::postedCall { id }).await?;
        let bond = ask(&self.endpoints, head, rung, &QuorumRung::nextBondCall { id }).await?;
        let asset = super::Reporters::assetCall {};
        let asset = ask(&self.endpoints, head, desk.at.reporters, &asset).await?;
        let loss = measured.loss.loss;
        let most = posted.lowest.saturating_sub(posted.loss.div_ceil(STEP));
        if loss > most && loss != 0 || posted.lowest <= loss {
            tracing::warn!(incident = %id, most, loss, "too near to the report, or challenged lower already");
            return Ok(());
        }
        let allow = Erc20::approveCall { spender: rung, amount: U256::from(bond) }.abi_encode();
        let say = QuorumRung::challengeCall { id, loss }.abi_encode();
        let errand = |to: Address, data: Vec<u8>| Errand { to, data: data.into(), gas: CHALLENGE_GAS };
        let calls = vec![errand(asset, allow), errand(rung, say)];
        let plan = Plan::Carry { topic: format!("challenge:{id}:{}", posted.digest), calls };
        self.carry(&[plan], head).await
    }
}

alloy::sol! {
    interface Erc20 {
        function approve(address spender, uint256 amount) external returns (bool);
    }
}

/// Accounts in ascending order, each once.
pub(super) fn ascending(accounts: impl Iterator<Item = Address>) -> Vec<Address> {
    accounts.collect::<BTreeSet<Address>>().into_iter().collect()
}
