//! The keeper's loop: blocks in, decisions into the journal, transactions out.
//!
//! Each block is handled in one journal transaction together with everything decided in it; only then is
//! anything built or sent. So a crash loses no decision, and the same block handled twice decides the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alloy::primitives::{Address, B256, Log, U256};
use alloy::rpc::types::Filter;
use breakwater_chain::{ChainEvent, Endpoints, Follower, Head, SendEvent, Sender};
use breakwater_evm::{Reader, Rules, off_thread, replay_block};
use breakwater_prove::gauge::Reading;
use breakwater_store::{Change, IncidentEvent, IncidentStatus, Store};
use serde_json::{Value, json};

use crate::contracts::Contracts;
use crate::error::NodeError;
use crate::heads::Heads;
use crate::known::{Cover, Known, KnownIncident, SPAN_DWELLS, Standing, Terms};
use crate::plan::{Phase, Plan};
use crate::quorum::{Desk, DeskParts};
use crate::report::{Seen, TickReport};
use crate::subject::{Shown, Subject};
use crate::watch::{Intent, Live};

/// Policies settled in one transaction: with a position each, about half the gas that one may use.
pub const SETTLE_BATCH: usize = 25;
/// Positions proven in one transaction.
pub const PROVE_BATCH: usize = 20;
/// How often a decision is tried when its transaction reverts.
pub const ATTEMPTS_MAX: u32 = 4;
/// Blocks before the end of a dwell at which positions are proven for the reading that will stand.
const PROVE_AHEAD_BLOCKS: u64 = 2;
/// How often a pool is brought up to now, seconds.
const WEEK_S: u64 = 7 * 86_400;
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
    reader: Reader,
    rules: Rules,
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
        for event in self.follower.poll().await? {
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
        for log in self.logs_in(head).await? {
            known.apply(&self.deployment, &log, head.number(), head.timestamp())?;
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
            plans.extend(self.duties(&known, head));
        }
        for plan in &plans {
            self.plan(&mut change, plan, head).await?;
        }
        change.commit().await?;
        self.known = known;
        Ok(())
    }

    /// Whether it measures and signs, and does nothing else.
    fn is_reporter(&self) -> bool {
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

    /// What one gauge shows in this block, and what to do about it.
    async fn observe(
        &mut self,
        gauge: B256,
        known: &Known,
        head: &Head,
        plans: &mut Vec<Plan>,
        report: &mut TickReport,
    ) -> Result<(), NodeError> {
        let heads = Heads::new(&self.follower, head.clone());
        let reports = self.is_reporter();
        let Some(subject) = self.subjects.get_mut(&gauge) else { return Ok(()) };
        let since = match (known.dwelling(gauge), subject.watch.onset()) {
            (Some((_, incident)), _) => incident.live.onset,
            (None, Some(onset)) => onset.before.number,
            (None, None) => head.number().saturating_sub(1),
        };
        let holders = match known.dwelling(gauge) {
            Some(_) => subject.claimants_since(&self.endpoints, &heads, since, head.number()).await?,
            None => subject.claimants(&self.endpoints, &heads, since).await?,
        };
        let now = match subject.show(&self.endpoints, &heads, head.number(), &holders).await? {
            Shown::Reading(reading) => reading,
            Shown::Undecided(why) => {
                subject.watch.forget();
                if reports {
                    plans.extend(finding(subject, &self.endpoints, &heads, gauge, &holders).await?);
                }
                report.seen.push(Seen::Undecided { gauge, block: head.number(), why });
                return Ok(());
            }
            Shown::Unreadable(why) => {
                subject.watch.forget();
                report.seen.push(Seen::Unreadable { gauge, block: head.number(), why });
                return Ok(());
            }
        };
        let mut wanted = BTreeSet::new();
        let intent = if let Some((id, incident)) = known.dwelling(gauge) {
            // What reporters said is theirs to revise.
            let live = incident.live.clone();
            wanted.extend([live.onset, live.onset + 1, live.reading]);
            match onset_readings(subject, &self.endpoints, &heads, live.onset, &holders).await? {
                Some((a, next)) if !incident.by_quorum => {
                    subject.watch.dwelling(&live, a, next, now).map(|intent| (intent, Some(id)))
                }
                _ => None,
            }
        } else {
            let floor = known.onset_floor(gauge);
            quiet(subject, &self.endpoints, &heads, floor, now, &holders).await?.map(|intent| (intent, None))
        };
        if let Some(onset) = subject.watch.onset() {
            wanted.extend([onset.before.number, onset.after.number]);
            report.seen.push(Seen::Onset { gauge, block: onset.after.number });
        }
        subject.prune(head, &wanted);
        match intent {
            Some((Intent::Assert { onset, reading }, _)) => {
                let onset_hash = heads.at(&self.endpoints, onset).await?.hash();
                let reading_hash = heads.at(&self.endpoints, reading).await?.hash();
                plans.push(Plan::Assert { gauge, onset, onset_hash, reading, reading_hash });
                let live = Live::expected(onset, reading);
                plans.extend(instant_plans(known, gauge, live, &heads, &self.endpoints).await?);
            }
            Some((Intent::Revise { reading }, Some(incident))) => {
                let reading_hash = heads.at(&self.endpoints, reading).await?.hash();
                plans.push(Plan::Revise { gauge, incident, reading, reading_hash });
            }
            _ => {}
        }
        Ok(())
    }

    /// What the clock alone asks for: proofs before the end of a dwell, settlement after it, closing.
    fn duties(&self, known: &Known, head: &Head) -> Vec<Plan> {
        let mut plans = Vec::new();
        // A transaction sent now is mined in the next block at the earliest.
        let next = head.number() + 1;
        for (id, incident) in &known.incidents {
            let live = &incident.live;
            match incident.standing {
                Standing::Dwelling if next > live.dwell_end && incident.by_quorum => {
                    plans.push(Plan::Finalise { incident: *id, after: live.dwell_end });
                }
                Standing::Disputed { decide_by } if next > decide_by => {
                    plans.push(Plan::Finalise { incident: *id, after: decide_by });
                }
                Standing::Dwelling if next > live.dwell_end => {
                    plans.extend(prove_plans(known, *id, incident, |_| true));
                    plans.extend(settle_plans(known, *id, incident, Phase::Final));
                }
                Standing::Dwelling if next + PROVE_AHEAD_BLOCKS > live.dwell_end && !incident.by_quorum => {
                    plans.extend(prove_plans(known, *id, incident, |_| true));
                }
                Standing::Final { claims_end } if head.timestamp() <= claims_end => {
                    plans.extend(settle_plans(known, *id, incident, Phase::Final));
                }
                _ => {}
            }
        }
        let week = head.timestamp() / WEEK_S;
        let before = head.number().checked_sub(1).and_then(|number| self.follower.followed(number));
        if before.is_some_and(|before| before.timestamp() / WEEK_S < week) {
            let pools = known.pools.iter().map(|pool| (*pool, None));
            let products = known.offered.iter().map(|(pool, product)| (*pool, Some(*product)));
            plans.extend(pools.chain(products).map(|(pool, product)| Plan::Upkeep { pool, product, week }));
        }
        for (id, pool) in &known.bookings {
            let over = known.incidents.get(id).is_some_and(|incident| {
                matches!(incident.standing, Standing::Final { claims_end } if head.timestamp() > claims_end)
            });
            if over {
                plans.push(Plan::CloseBooking { incident: *id, pool: *pool });
            }
        }
        plans
    }

    /// Writes a plan down unless one of its attempts is known.
    pub(crate) async fn plan(&self, change: &mut Change, plan: &Plan, head: &Head) -> Result<(), NodeError> {
        let key = plan.key(0)?;
        let json = plan_json(plan, 0);
        change.plan(&key, &json, head.number()).await?;
        Ok(())
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
                known.apply(&self.deployment, &log.inner, number, time)?;
            }
            from = to + 1;
        }
        Ok(())
    }
}

/// The readings at the onset and the block after it by these holders.
async fn onset_readings(
    subject: &mut Subject,
    endpoints: &Endpoints,
    heads: &Heads<'_>,
    onset: u64,
    holders: &[Address],
) -> Result<Option<(Reading, Reading)>, NodeError> {
    let a = subject.show(endpoints, heads, onset, holders).await?;
    let next = subject.show(endpoints, heads, onset + 1, holders).await?;
    Ok(match (a, next) {
        (Shown::Reading(a), Shown::Reading(next)) => Some((a, next)),
        _ => None,
    })
}

/// The finding of a block that is the first without the pins, if the one before had them.
async fn finding(
    subject: &mut Subject,
    endpoints: &Endpoints,
    heads: &Heads<'_>,
    gauge: B256,
    holders: &[Address],
) -> Result<Option<Plan>, NodeError> {
    let Some(onset) = heads.current().number().checked_sub(1) else { return Ok(None) };
    let before = subject.show(endpoints, heads, onset, holders).await?;
    let onset_hash = heads.at(endpoints, onset).await?.hash();
    Ok(matches!(before, Shown::Reading(_)).then_some(Plan::Report { gauge, onset, onset_hash }))
}

/// A block in which no incident dwells.
async fn quiet(
    subject: &mut Subject,
    endpoints: &Endpoints,
    heads: &Heads<'_>,
    since: u64,
    now: Reading,
    holders: &[Address],
) -> Result<Option<Intent>, NodeError> {
    if let Some(onset) = subject.watch.onset()
        && let Some((a, next)) =
            onset_readings(subject, endpoints, heads, onset.before.number, holders).await?
    {
        subject.watch.reread(a, next);
    }
    let Some(previous) = now.number.checked_sub(1) else { return Ok(None) };
    match subject.show(endpoints, heads, previous, holders).await? {
        Shown::Reading(before) => Ok(subject.watch.quiet(before, now, since)),
        _ => Ok(None),
    }
}

/// Proofs and payments of the instant lane, planned together with the assertion that they build on.
async fn instant_plans(
    known: &Known,
    gauge: B256,
    live: Live,
    heads: &Heads<'_>,
    endpoints: &Endpoints,
) -> Result<Vec<Plan>, NodeError> {
    let reading = live.reading;
    let incident = KnownIncident {
        gauge,
        by_quorum: false,
        standing: Standing::Dwelling,
        onset_time: heads.at(endpoints, live.onset).await?.timestamp(),
        after_time: heads.at(endpoints, live.onset + 1).await?.timestamp(),
        opened_time: heads.current().timestamp(),
        opened_at: heads.current().number() + 1,
        live,
    };
    let id = known.next_incident();
    let mut plans = prove_plans(known, id, &incident, |terms| terms.instant);
    plans.extend(settle_plans(known, id, &incident, Phase::Instant { reading }));
    Ok(plans)
}

/// Proofs of the positions that the incident touches, in batches.
fn prove_plans(
    known: &Known,
    id: U256,
    incident: &KnownIncident,
    wanted: impl Fn(&Terms) -> bool,
) -> Vec<Plan> {
    let touched = known.touched(incident);
    let accounts: BTreeSet<Address> = touched
        .iter()
        .filter(|(_, _, terms)| terms.by_position && wanted(terms))
        .map(|(_, cover, _)| cover.position)
        .collect();
    let accounts: Vec<Address> = accounts.into_iter().collect();
    let plan = |accounts: &[Address]| Plan::Prove {
        gauge: incident.gauge,
        incident: id,
        reading: incident.live.reading,
        accounts: accounts.to_vec(),
    };
    accounts.chunks(PROVE_BATCH).map(plan).collect()
}

/// Settlement of the policies that the incident touches, in batches; an incident without any is finalised.
fn settle_plans(known: &Known, id: U256, incident: &KnownIncident, phase: Phase) -> Vec<Plan> {
    let touched = known.touched(incident);
    // Positions of a quorum's incident are recorded one batch after another; the others are not kept waiting.
    let ready = |policy: &U256, cover: &Cover, terms: &Terms| {
        let recorded = !terms.by_position || known.recorded.contains(&(id, cover.position));
        !incident.by_quorum || recorded && !known.settled.contains(&(id, *policy))
    };
    let policies: Vec<U256> = touched
        .iter()
        .filter(|(policy, cover, terms)| ready(policy, cover, terms))
        .filter(|(_, _, terms)| phase == Phase::Final || terms.instant)
        .map(|(policy, ..)| *policy)
        .collect();
    if phase == Phase::Final && (policies.is_empty() || known.refuted(incident)) {
        return match incident.standing {
            Standing::Dwelling => vec![Plan::Finalise { incident: id, after: incident.live.dwell_end }],
            _ => Vec::new(),
        };
    }
    let plan = |policies: &[U256]| Plan::Settle { incident: id, policies: policies.to_vec(), phase };
    policies.chunks(SETTLE_BATCH).map(plan).collect()
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
