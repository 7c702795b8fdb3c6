//! The keeper's loop: blocks in, decisions into the journal, transactions out.
//!
//! Each block is handled in one journal transaction together with everything decided in it; only then is
//! anything built or sent. So a crash loses no decision, and the same block handled twice decides the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy::primitives::{Address, B256, Log, U256};
use alloy::rpc::types::Filter;
use breakwater_chain::{BATCH_BLOCKS, ChainEvent, Endpoints, Follower, Head, SendEvent, Sender};
use breakwater_evm::{Reader, Rules, off_thread, replay_block};
use breakwater_store::{Change, IncidentEvent, IncidentStatus, Store};
use serde_json::{Value, json};

use crate::chores::Chores;
use crate::contracts::Contracts;
use crate::duties::duties;
use crate::error::NodeError;
use crate::known::{At, Known, KnownIncident, SPAN_DWELLS, Standing};
use crate::lookout::Lookout;
use crate::plan::Plan;
use crate::quorum::{Desk, DeskParts};
use crate::report::{Seen, TickReport};
use crate::subject::Subject;

/// Policies settled in one transaction: with a position each, about half the gas that one may use.
pub const SETTLE_BATCH: usize = 25;
/// Positions proven in one transaction.
pub const PROVE_BATCH: usize = 20;
/// How often a decision is tried when its transaction reverts.
pub const ATTEMPTS_MAX: u32 = 4;
/// Blocks of logs asked for at once when the known world is rebuilt.
const LOGS_STEP_BLOCKS: u64 = 5_000;

/// The keeper of one deployment, driven by [`Keeper::tick`].
pub struct Keeper {
    pub(crate) endpoints: Endpoints,
    pub(crate) deployment: Contracts,
    pub(crate) store: Arc<Store>,
    pub(crate) sender: Sender<Arc<Store>>,
    pub(crate) known: Known,
    pub(crate) subjects: BTreeMap<B256, Subject>,
    pub(crate) follower: Follower,
    pub(crate) desk: Option<Desk>,
    pub(crate) lookout: Lookout,
    pub(crate) chores: Chores,
    pub(crate) reader: Reader,
    pub(crate) rules: Rules,
}

/// What a keeper is made of.
pub struct KeeperParts {
    /// The chain.
    pub endpoints: Endpoints,
    /// The same chain for replays.
    pub reader: Reader,
    /// Which EVM rules hold on it.
    pub rules: Rules,
    /// Contracts, and the block from which their logs begin.
    pub deployment: Contracts,
    /// Blocks of a dwell, as the incidents contract has it.
    pub dwell: u64,
    /// The journal.
    pub store: Arc<Store>,
    /// Who pays for transactions.
    pub sender: Sender<Arc<Store>>,
    /// Its part in the quorum; none without a quorum rung. A node that reports does nothing else.
    pub desk: Option<DeskParts>,
}

impl Keeper {
    /// Resumes where the journal ended, or begins at the deployment's block.
    ///
    /// # Errors
    /// When the chain or the journal cannot be read.
    pub async fn new(parts: KeeperParts) -> Result<Self, NodeError> {
        let KeeperParts { endpoints, reader, rules, deployment, dwell, store, sender, desk } = parts;
        let desk = match (deployment.quorum, desk) {
            (Some(at), Some(parts)) => Some(Desk::open(&endpoints, at, parts).await?),
            _ => None,
        };
        let heads = store.heads().await?;
        let follower = if heads.is_empty() {
            let first = endpoints.head_at(deployment.from_block, None).await?;
            let mut change = store.change().await?;
            change.start_at(&first).await?;
            change.commit().await?;
            Follower::from_head(endpoints.clone(), first)
        } else {
            Follower::resume(endpoints.clone(), heads)?
        };
        let mut keeper = Self {
            endpoints,
            deployment,
            store,
            sender,
            known: Known::new(dwell),
            subjects: BTreeMap::new(),
            follower,
            desk,
            lookout: Lookout::new(),
            chores: Chores::new(),
            reader,
            rules,
        };
        let tip = keeper.follower.tip().clone();
        keeper.rebuild(&tip).await?;
        Ok(keeper)
    }

    /// The newest block handled.
    pub fn tip(&self) -> &Head {
        self.follower.tip()
    }

    /// Incidents as their events tell them.
    pub fn incidents(&self) -> impl Iterator<Item = (U256, &KnownIncident)> {
        self.known.incidents.iter().map(|(id, incident)| (*id, incident))
    }

    /// Handles every new block, follows up what was sent, and sends what was decided. Waits for nothing to be
    /// mined; call it again when the chain has moved.
    ///
    /// # Errors
    /// When a block could not be handled or the journal not be written; nothing of that block has happened then
    /// and the next call takes it up again.
    pub async fn tick(&mut self) -> Result<TickReport, NodeError> {
        let mut report = TickReport::default();
        let events = self.follower.poll().await?;
        let behind = events.len() as u64 >= BATCH_BLOCKS;
        for event in events {
            if let Err(error) = self.event(event, &mut report).await {
                // The window must not run ahead of the journal: a block that failed is polled again.
                self.follower = Follower::resume(self.endpoints.clone(), self.store.heads().await?)?;
                return Err(error);
            }
        }
        let head = self.follower.tip().clone();
        for event in self.sender.tick(&head).await? {
            self.sent(event, &head, &mut report).await?;
        }
        self.consult(&head, &mut report).await?;
        // What is not urgent waits until the node has caught up.
        if !behind && !self.is_reporter() {
            let mut plans = self.look_out(&head).await?;
            plans.extend(self.chores(&head).await?);
            self.carry(&plans, &head).await?;
        }
        self.execute(&head, &mut report).await?;
        report.head = head.number();
        Ok(report)
    }

    async fn event(&mut self, event: ChainEvent, report: &mut TickReport) -> Result<(), NodeError> {
        match event {
            ChainEvent::Block(head) => self.block(&head, report).await,
            ChainEvent::Reorg { common_ancestor, .. } => {
                let mut change = self.store.change().await?;
                change.roll_back_to(&common_ancestor).await?;
                change.commit().await?;
                for subject in self.subjects.values_mut() {
                    subject.roll_back(common_ancestor.number());
                }
                report.seen.push(Seen::Reorganised { to: common_ancestor.number() });
                self.rebuild(&common_ancestor).await
            }
        }
    }

    /// One block: what its logs say, what its gauges show, and what follows from both.
    async fn block(&mut self, head: &Head, report: &mut TickReport) -> Result<(), NodeError> {
        let mut change = self.store.change().await?;
        change.follow(head).await?;
        let mut known = self.known.clone();
        for (index, log) in (0..).zip(self.logs_in(head).await?) {
            let at = At { number: head.number(), index, time: head.timestamp() };
            known.apply(&self.deployment, &log, at)?;
        }
        self.note(&mut change, &known, head, report).await?;
        self.adopt(&known, &mut change, head).await?;
        self.learn(head).await?;
        let mut plans = Vec::new();
        let gauges: Vec<B256> = self.subjects.keys().copied().collect();
        for gauge in gauges {
            self.observe(gauge, &known, head, &mut plans, report).await?;
        }
        if self.is_reporter() {
            // A reporter's word and a keeper's purse are apart: others assert, answer and settle.
            plans.retain(|plan| matches!(plan, Plan::Report { .. }));
        } else {
            plans.extend(duties(&known, head.number(), head.timestamp()));
        }
        for plan in &plans {
            self.plan(&mut change, plan, head).await?;
        }
        change.commit().await?;
        self.known = known;
        Ok(())
    }

    /// Whether it measures and signs, and does nothing else.
    pub(crate) fn is_reporter(&self) -> bool {
        self.desk.as_ref().is_some_and(|desk| desk.reporter.is_some())
    }

    /// Logs of a block, in order, from receipts that hash to the header's root.
    async fn logs_in(&self, head: &Head) -> Result<Vec<Log>, NodeError> {
        let receipts = self.endpoints.receipts(head).await?;
        Ok(receipts.iter().flat_map(|receipt| receipt.logs()).map(|log| log.inner.clone()).collect())
    }

    /// New gauges become subjects.
    async fn adopt(&mut self, known: &Known, change: &mut Change, head: &Head) -> Result<(), NodeError> {
        for (id, spec) in &known.gauges {
            if !self.subjects.contains_key(id) {
                let json = serde_json::to_value(spec)
                    .map_err(|error| NodeError::Plan { key: id.to_string(), error })?;
                change.watch(*id, &json, head.number()).await?;
                let mut subject = Subject::new(spec.clone(), SPAN_DWELLS * known.dwell());
                if subject.wants_traffic() {
                    self.catch_up(&mut subject, head.number().saturating_sub(1)).await?;
                }
                self.subjects.insert(*id, subject);
            }
        }
        Ok(())
    }

    /// Learns a new subject's holders from the traffic since the deployment.
    async fn catch_up(&self, subject: &mut Subject, to: u64) -> Result<(), NodeError> {
        let from = self.deployment.traffic_from;
        for number in from.max(1)..=to {
            let (reader, rules) = (self.reader.clone(), self.rules);
            subject.feed(&off_thread(move || replay_block(&reader, number, rules)).await??);
        }
        Ok(())
    }

    /// Learns holders from the block's own traffic.
    async fn learn(&mut self, head: &Head) -> Result<(), NodeError> {
        if self.subjects.values().any(Subject::wants_traffic) {
            let (reader, rules, number) = (self.reader.clone(), self.rules, head.number());
            let replay = off_thread(move || replay_block(&reader, number, rules)).await??;
            self.subjects.values_mut().for_each(|subject| subject.feed(&replay));
        }
        Ok(())
    }

    /// Writes a plan down unless one of its attempts is known.
    pub(crate) async fn plan(&self, change: &mut Change, plan: &Plan, head: &Head) -> Result<(), NodeError> {
        let key = plan.key(0)?;
        let json = plan_json(plan, 0);
        change.plan(&key, &json, head.number()).await?;
        Ok(())
    }

    /// Writes plans down, to be sent in this tick.
    pub(crate) async fn carry(&self, plans: &[Plan], head: &Head) -> Result<(), NodeError> {
        if plans.is_empty() {
            return Ok(());
        }
        let mut change = self.store.change().await?;
        for plan in plans {
            self.plan(&mut change, plan, head).await?;
        }
        Ok(change.commit().await?)
    }

    /// Follows up one transaction: a reverted one is planned again, a bounded number of times.
    async fn sent(
        &mut self,
        event: SendEvent,
        head: &Head,
        report: &mut TickReport,
    ) -> Result<(), NodeError> {
        if let SendEvent::Reverted { key, .. } | SendEvent::Failed { key, .. } = &event
            && let Some(record) = self.store.action_record(key).await?
            && let Some((plan, attempt)) = record.intent.as_ref().and_then(plan_of)
            && plan.bears_retry()
            && attempt + 1 < ATTEMPTS_MAX
        {
            let mut change = self.store.change().await?;
            let next = attempt + 1;
            change.plan(&plan.key(next)?, &plan_json(&plan, next), head.number()).await?;
            change.commit().await?;
        }
        report.take(event);
        Ok(())
    }

    /// Writes what became of incidents in this block into the journal, and tells it.
    async fn note(
        &self,
        change: &mut Change,
        known: &Known,
        head: &Head,
        report: &mut TickReport,
    ) -> Result<(), NodeError> {
        let mut index = 0;
        for (id, incident) in &known.incidents {
            if self.known.incidents.get(id) == Some(incident) {
                continue;
            }
            change.incident_event(&incident_event(*id, incident, head.number(), index)).await?;
            report.seen.push(Seen::Incident { id: *id, block: head.number(), incident: incident.clone() });
            index += 1;
        }
        Ok(())
    }

    /// Builds the known world anew from the logs up to `tip`.
    async fn rebuild(&mut self, tip: &Head) -> Result<(), NodeError> {
        let mut known = Known::new(self.known.dwell());
        self.read_logs(&mut known, &self.deployment.emitters(), tip).await?;
        // Pools are learnt from the catalog, so their own logs come in a second pass.
        let pools: Vec<Address> = known.pools.iter().copied().collect();
        if !pools.is_empty() {
            self.read_logs(&mut known, &pools, tip).await?;
        }
        let mut change = self.store.change().await?;
        self.subjects.retain(|id, _| known.gauges.contains_key(id));
        self.adopt(&known, &mut change, tip).await?;
        change.commit().await?;
        self.known = known;
        Ok(())
    }

    async fn read_logs(&self, known: &mut Known, of: &[Address], tip: &Head) -> Result<(), NodeError> {
        let mut from = self.deployment.from_block;
        let mut times: BTreeMap<u64, u64> = BTreeMap::new();
        while from <= tip.number() {
            let to = tip.number().min(from.saturating_add(LOGS_STEP_BLOCKS - 1));
            for log in self.endpoints.logs(from..=to, &Filter::new().address(of.to_vec())).await? {
                let number = log.block_number.unwrap_or(to);
                let time = match (log.block_timestamp, times.get(&number)) {
                    (Some(time), _) => time,
                    (None, Some(time)) => *time,
                    (None, None) => self.endpoints.head_at(number, None).await?.timestamp(),
                };
                times.insert(number, time);
                let at = At { number, index: log.log_index.unwrap_or_default(), time };
                known.apply(&self.deployment, &log.inner, at)?;
            }
            from = to + 1;
        }
        Ok(())
    }
}

fn incident_event(id: U256, incident: &KnownIncident, block: u64, log_index: u64) -> IncidentEvent {
    let status = match incident.standing {
        Standing::Dwelling | Standing::Disputed { .. } => IncidentStatus::Dwelling,
        Standing::Voided => IncidentStatus::Voided,
        Standing::Final { .. } => IncidentStatus::Final,
    };
    let live = &incident.live;
    let data = json!({
        "onset": live.onset,
        "reading": live.reading,
        "loss": live.loss.to_string(),
        "base": live.base.to_string(),
        "dwellEnd": live.dwell_end,
    });
    IncidentEvent { incident: id, block, log_index, gauge: incident.gauge, status, data }
}

/// A plan with the number of its attempt, as the journal keeps it.
fn plan_json(plan: &Plan, attempt: u32) -> Value {
    json!({ "plan": plan, "attempt": attempt })
}

/// What [`plan_json`] wrote; none for actions that were not planned by this keeper.
pub(crate) fn plan_of(json: &Value) -> Option<(Plan, u32)> {
    let plan = serde_json::from_value(json.get("plan")?.clone()).ok()?;
    Some((plan, u32::try_from(json.get("attempt")?.as_u64()?).ok()?))
}
