//! From decisions to transactions: what is planned is checked once more, built, and sent.

use std::collections::BTreeSet;

use alloy::consensus::Transaction as _;
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::rpc::types::TransactionRequest;
use alloy::sol_types::SolCall;
use breakwater_bindings::contracts::{Incidents, Policies, Pool, ProofRung};
use breakwater_chain::{ActionKey, ActionState, ChainError, Head, Journal as _, SendError, SendRequest};
use breakwater_prove::block::BlockProof;
use breakwater_prove::evidence::{CALLDATA_BYTES_MAX, Delivery, Evidence, EvidenceError, position_reads};
use breakwater_prove::gauge::{Form, GaugeSpec, holders_hash};

use crate::duties::reason;
use crate::error::{NodeError, Trouble};
use crate::heads::Heads;
use crate::keeper::{Keeper, plan_of};
use crate::known::Standing;
use crate::plan::{Errand, Phase, Plan};
use crate::report::{Sent, TickReport};

/// Gas beyond the calldata's for an assertion: header, walks, and the bookings of its pools.
/// An estimate cannot tell, since the blocks in question are too new for the node's own `BLOCKHASH`.
const ASSERT_GAS: u64 = 3_000_000;
/// Gas of proving one position, beyond the calldata's.
const POSITION_GAS: u64 = 150_000;
/// Gas of settling one policy.
const SETTLE_GAS: u64 = 450_000;
/// Gas of whatever does not grow.
const BASE_GAS: u64 = 1_500_000;
/// Gas of rolling a pool's days, were there a year of them.
const UPKEEP_GAS: u64 = 6_000_000;
/// Gas of a byte of calldata under the floor of EIP-7623, were none of them zero.
pub(crate) const BYTE_GAS: u64 = 40;
/// The protocol's bound on one transaction since EIP-7825.
const GAS_MAX: u64 = 1 << 24;

/// A call ready to be sent.
struct Call {
    to: Address,
    data: Bytes,
    gas: u64,
    proof_bytes: usize,
}

/// What becomes of a plan.
enum Outcome {
    /// Calls in order; all but the last stage evidence for it.
    Send(Vec<Call>),
    /// Somebody else did it, or its blocks are gone.
    Abandon(String),
    /// Its time has not come.
    Wait,
}

impl Keeper {
    /// Sends everything that is planned and still makes sense.
    pub(crate) async fn execute(&mut self, head: &Head, report: &mut TickReport) -> Result<(), NodeError> {
        for record in self.store.planned().await? {
            let key = record.action.key.clone();
            let Some((plan, _)) = record.intent.as_ref().and_then(plan_of) else { continue };
            let outcome = match self.build(&plan, head).await {
                Ok(outcome) => outcome,
                Err(error) => match error.trouble() {
                    Trouble::Passing => {
                        tracing::warn!(%key, %error, "not built yet");
                        continue;
                    }
                    Trouble::Verdict => Outcome::Abandon(error.to_string()),
                    Trouble::Configuration => return Err(error),
                },
            };
            match outcome {
                Outcome::Wait => {}
                Outcome::Abandon(reason) => {
                    tracing::info!(%key, %reason, "given up");
                    let mut change = self.store.change().await?;
                    change.abandon(&key, &reason, head.number()).await?;
                    change.commit().await?;
                }
                Outcome::Send(calls) => match self.submit(&key, &calls, head).await {
                    Ok(()) => report.sent.push(Sent {
                        key,
                        plan,
                        calldata_bytes: calls.iter().map(|call| call.data.len()).sum(),
                        proof_bytes: calls.iter().map(|call| call.proof_bytes).sum(),
                    }),
                    // It stays planned; the next tick tries again.
                    Err(error) => tracing::warn!(%key, %error, "not sent"),
                },
            }
        }
        Ok(())
    }

    /// Sends the calls of one plan with successive nonces; the last one carries the plan's own key.
    async fn submit(&self, key: &ActionKey, calls: &[Call], head: &Head) -> Result<(), NodeError> {
        for (index, call) in calls.iter().enumerate() {
            let last = index + 1 == calls.len();
            let key = if last { key.clone() } else { ActionKey::new(format!("{key}/stage/{index}"))? };
            let request = SendRequest {
                key: key.clone(),
                to: call.to.into(),
                data: call.data.clone(),
                value: U256::ZERO,
                gas_limit: Some(call.gas.min(GAS_MAX)),
            };
            if let ActionState::Failed(reason) = self.sender.submit(&request, head).await? {
                tracing::warn!(%key, %reason, "failed before");
            }
        }
        Ok(())
    }

    async fn build(&mut self, plan: &Plan, head: &Head) -> Result<Outcome, NodeError> {
        match plan {
            Plan::Assert { gauge, onset, onset_hash, reading, reading_hash } => {
                if self.known.dwelling(*gauge).is_some() {
                    return Ok(Outcome::Abandon("an incident of the gauge dwells already".into()));
                }
                if self.is_asserting(*gauge).await? {
                    return Ok(Outcome::Abandon("another assertion of the gauge is on its way".into()));
                }
                if self.known.onset_floor(*gauge) > *onset {
                    return Ok(Outcome::Abandon("a later incident covers the onset".into()));
                }
                if !self.stands(head, &[(*onset, *onset_hash), (*reading, *reading_hash)]).await? {
                    return Ok(Outcome::Abandon("its blocks fell out of the chain".into()));
                }
                self.assertion(*gauge, *onset, *reading, head).await
            }
            Plan::Revise { gauge, incident, reading, reading_hash } => {
                let known = self.known.incidents.get(incident);
                if !known.is_some_and(|it| it.standing == Standing::Dwelling && it.live.reading < *reading) {
                    return Ok(Outcome::Abandon("a later block is proven already".into()));
                }
                if !self.stands(head, &[(*reading, *reading_hash)]).await? {
                    return Ok(Outcome::Abandon("its block fell out of the chain".into()));
                }
                self.revision(*gauge, *incident, *reading, head).await
            }
            Plan::Prove { gauge, incident, reading, accounts } => {
                let onset = match self.known.incidents.get(incident) {
                    Some(known) if known.live.reading != *reading => {
                        return Ok(Outcome::Abandon("the incident has a later reading".into()));
                    }
                    Some(known) => known.live.onset,
                    // Planned together with the assertion that opens it.
                    None => match self.subjects.get(gauge).and_then(|subject| subject.watch.onset()) {
                        Some(onset) => onset.before.number,
                        None => return Ok(Outcome::Abandon("no incident was opened".into())),
                    },
                };
                self.positions(*gauge, *incident, (onset, *reading), accounts, head).await
            }
            Plan::Settle { incident, policies, phase } => self.settlement(*incident, policies, *phase).await,
            Plan::Finalise { incident, after } => {
                let end = self.known.incidents.get(incident).and_then(|known| match known.standing {
                    Standing::Dwelling => Some(known.live.dwell_end),
                    Standing::Disputed { decide_by } => Some(decide_by),
                    _ => None,
                });
                if end != Some(*after) {
                    return Ok(Outcome::Abandon("it is over, or waits longer".into()));
                }
                Ok(plain(self.deployment.incidents, &Incidents::finaliseCall { id: *incident }, BASE_GAS))
            }
            Plan::Upkeep { pool, product: Some(product), .. } => {
                Ok(plain(*pool, &Pool::rollCall { product: *product }, UPKEEP_GAS))
            }
            Plan::Upkeep { pool, product: None, .. } => Ok(plain(*pool, &Pool::accrueCall {}, UPKEEP_GAS)),
            // The desk takes it up, tick by tick.
            Plan::Report { .. } => Ok(Outcome::Wait),
            Plan::Carry { calls, .. } => self.errands(calls, head).await,
            Plan::CloseBooking { incident, pool } => {
                Ok(plain(*pool, &Pool::closeBookingCall { incident: *incident }, BASE_GAS))
            }
        }
    }

    /// Those of the policies that still have a reason, once no other transaction settles any of them.
    async fn settlement(
        &self,
        incident: U256,
        policies: &[U256],
        phase: Phase,
    ) -> Result<Outcome, NodeError> {
        let mut ids = policies.to_vec();
        if let (Phase::Final { .. }, Some(known)) = (phase, self.known.incidents.get(&incident)) {
            let due = |policy: &U256| {
                let cover = self.known.covers.get(policy)?;
                let terms = self.known.terms_on(cover, known.gauge)?;
                reason(&self.known, incident, known, *policy, cover, terms)
            };
            ids.retain(|policy| due(policy).is_some());
            if ids.is_empty() || known.standing == Standing::Voided {
                return Ok(Outcome::Abandon("settled already".into()));
            }
            if self.is_settling(incident, &ids).await? {
                return Ok(Outcome::Wait);
            }
        }
        let gas = BASE_GAS + SETTLE_GAS * ids.len() as u64;
        Ok(plain(self.deployment.policies, &Policies::settleBatchCall { ids, incident }, gas))
    }

    /// Whether a settlement of one of these policies is signed and not mined yet.
    async fn is_settling(&self, incident: U256, policies: &[U256]) -> Result<bool, NodeError> {
        let prefix = Plan::settlements_of(incident);
        for action in self.store.in_flight(self.sender.address()).await.map_err(SendError::from)? {
            if action.state != ActionState::Signed || !action.key.as_str().starts_with(&prefix) {
                continue;
            }
            let record = self.store.action_record(&action.key).await?;
            let plan = record.and_then(|record| plan_of(record.intent.as_ref()?));
            if let Some((Plan::Settle { policies: other, .. }, _)) = plan
                && other.iter().any(|policy| policies.contains(policy))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Errands as calls; a single one is tried first, since others may have carried the same.
    async fn errands(&self, errands: &[Errand], head: &Head) -> Result<Outcome, NodeError> {
        if let [errand] = errands {
            let request = TransactionRequest::default()
                .from(self.sender.address())
                .to(errand.to)
                .input(errand.data.clone().into());
            match self.endpoints.call(head, &request).await {
                Ok(_) => {}
                Err(error @ ChainError::Reverted { .. }) => {
                    return Ok(Outcome::Abandon(format!("it would revert: {error}")));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let calls = errands.iter().map(|errand| call(errand.to, errand.data.to_vec(), 0, errand.gas));
        Ok(Outcome::Send(calls.collect()))
    }

    /// Whether an assertion of the gauge is signed and not mined yet.
    async fn is_asserting(&self, gauge: B256) -> Result<bool, NodeError> {
        let prefix = Plan::assertions_of(gauge);
        let actions = self.store.in_flight(self.sender.address()).await.map_err(SendError::from)?;
        Ok(actions
            .iter()
            .any(|action| action.state == ActionState::Signed && action.key.as_str().starts_with(&prefix)))
    }

    /// Whether these blocks are still part of the chain.
    async fn stands(&self, head: &Head, blocks: &[(u64, B256)]) -> Result<bool, NodeError> {
        let heads = Heads::new(&self.follower, head.clone());
        for (number, hash) in blocks {
            if heads.at(&self.endpoints, *number).await?.hash() != *hash {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn assertion(
        &mut self,
        gauge: B256,
        onset: u64,
        reading: u64,
        head: &Head,
    ) -> Result<Outcome, NodeError> {
        let mut numbers = vec![onset, onset + 1];
        if reading > onset + 1 {
            numbers.push(reading);
        }
        // A claim that appears only after the onset may be the thief's own booking.
        let holders = self.claimants(gauge, onset, head).await?;
        let (spec, proofs) = self.proofs(gauge, &numbers, &holders, head).await?;
        let direct = |evidence| ProofRung::assertLossCall { spec: sol_spec(&spec), evidence }.abi_encode();
        let staged = ProofRung::assertStagedCall { spec: sol_spec(&spec), onset, reading }.abi_encode();
        self.deliver(&spec, &holders, &[], &proofs, direct, staged)
    }

    /// Evidence in the call itself, or staged in calls before it where it is too large for one.
    fn deliver(
        &self,
        spec: &GaugeSpec,
        holders: &[Address],
        newcomers: &[Address],
        blocks: &[BlockProof],
        direct: impl FnOnce(ProofRung::Evidence) -> Vec<u8>,
        staged: Vec<u8>,
    ) -> Result<Outcome, NodeError> {
        let to = self.deployment.proof_rung;
        let blocks: Vec<&BlockProof> = blocks.iter().collect();
        let delivery = Delivery::plan(spec, holders, newcomers, &blocks, CALLDATA_BYTES_MAX);
        Ok(Outcome::Send(match delivery.map_err(|error| evidence_error(spec, &error))? {
            Delivery::Direct(evidence) => {
                let size = proof_bytes(&evidence);
                vec![call(to, direct(evidence.into()), size, ASSERT_GAS)]
            }
            Delivery::Staged(pieces) => {
                let stage = |evidence: Evidence| {
                    let size = proof_bytes(&evidence);
                    let stage = ProofRung::stageCall { spec: sol_spec(spec), evidence: evidence.into() };
                    call(to, stage.abi_encode(), size, ASSERT_GAS)
                };
                pieces.into_iter().map(stage).chain([call(to, staged, 0, ASSERT_GAS)]).collect()
            }
        }))
    }

    async fn revision(
        &mut self,
        gauge: B256,
        incident: U256,
        reading: u64,
        head: &Head,
    ) -> Result<Outcome, NodeError> {
        let onset = self.known.incidents.get(&incident).map_or(0, |known| known.live.onset);
        let enumerated = self.subjects.get(&gauge).is_some_and(|it| matches!(it.spec.form, Form::Enumerated));
        let (old, all) = match enumerated {
            true => {
                let Some(old) = self.measured_holders(gauge, incident, head).await? else {
                    let reason = "the holders by which the incident was measured are not known";
                    return Ok(Outcome::Abandon(reason.into()));
                };
                (old, self.claimants_since(gauge, onset, reading, head).await?)
            }
            false => (Vec::new(), Vec::new()),
        };
        let known: BTreeSet<Address> = old.iter().copied().collect();
        let newcomers: Vec<Address> = all.into_iter().filter(|holder| !known.contains(holder)).collect();
        if newcomers.is_empty() {
            let (spec, proofs) = self.proofs(gauge, &[reading], &old, head).await?;
            let direct = |evidence| {
                ProofRung::proveLaterCall { spec: sol_spec(&spec), id: incident, evidence }.abi_encode()
            };
            let staged = ProofRung::proveLaterStagedCall { spec: sol_spec(&spec), id: incident, reading };
            return self.deliver(&spec, &old, &[], &proofs, direct, staged.abi_encode());
        }
        let union: BTreeSet<Address> = known.iter().chain(&newcomers).copied().collect();
        let union: Vec<Address> = union.into_iter().collect();
        let (spec, proofs) = self.proofs(gauge, &[onset, reading], &union, head).await?;
        let direct =
            |evidence| ProofRung::widenCall { spec: sol_spec(&spec), id: incident, evidence }.abi_encode();
        let staged = ProofRung::widenStagedCall { spec: sol_spec(&spec), id: incident, reading };
        self.deliver(&spec, &union, &newcomers, &proofs, direct, staged.abi_encode())
    }

    async fn positions(
        &mut self,
        gauge: B256,
        incident: U256,
        (onset, reading): (u64, u64),
        accounts: &[Address],
        head: &Head,
    ) -> Result<Outcome, NodeError> {
        let Some(subject) = self.subjects.get(&gauge) else {
            return Ok(Outcome::Abandon("the gauge is not known".into()));
        };
        let spec = subject.spec.clone();
        let heads = Heads::new(&self.follower, head.clone());
        let refuse = |error: EvidenceError| evidence_error(&spec, &error);
        let reads = position_reads(&spec, accounts, true).map_err(refuse)?;
        let mut proofs = Vec::with_capacity(2);
        for number in [onset, reading] {
            let at = heads.at(&self.endpoints, number).await?;
            proofs.push(BlockProof::fetch(&self.endpoints, &at, &reads).await?);
        }
        let [before, after] = &proofs[..] else {
            return Ok(Outcome::Abandon("two blocks are needed".into()));
        };
        let evidence = Evidence::of_positions(&spec, accounts, before, after, true).map_err(refuse)?;
        let size = proof_bytes(&evidence);
        let prove = ProofRung::provePositionsCall {
            spec: sol_spec(&spec),
            id: incident,
            accounts: accounts.to_vec(),
            evidence: evidence.into(),
        };
        let gas = BASE_GAS + POSITION_GAS * accounts.len() as u64;
        Ok(Outcome::Send(vec![call(self.deployment.proof_rung, prove.abi_encode(), size, gas)]))
    }

    /// Holders with a claim at the onset.
    async fn claimants(&mut self, gauge: B256, onset: u64, head: &Head) -> Result<Vec<Address>, NodeError> {
        let heads = Heads::new(&self.follower, head.clone());
        let Some(subject) = self.subjects.get_mut(&gauge) else { return Ok(Vec::new()) };
        subject.claimants(&self.endpoints, &heads, onset).await
    }

    /// Holders at the onset and those that came since.
    async fn claimants_since(
        &mut self,
        gauge: B256,
        onset: u64,
        reading: u64,
        head: &Head,
    ) -> Result<Vec<Address>, NodeError> {
        let heads = Heads::new(&self.follower, head.clone());
        let Some(subject) = self.subjects.get_mut(&gauge) else { return Ok(Vec::new()) };
        subject.claimants_since(&self.endpoints, &heads, onset, reading).await
    }

    /// The holders by which an incident was measured last: ours if their hash is the incident's, else those of
    /// the call that measured it.
    async fn measured_holders(
        &mut self,
        gauge: B256,
        incident: U256,
        head: &Head,
    ) -> Result<Option<Vec<Address>>, NodeError> {
        let Some((hash, block)) = self.known.measured.get(&incident).copied() else { return Ok(None) };
        let Some(onset) = self.known.incidents.get(&incident).map(|known| known.live.onset) else {
            return Ok(None);
        };
        let ours = self.claimants(gauge, onset, head).await?;
        if holders_hash(B256::ZERO, &ours) == hash {
            return Ok(Some(ours));
        }
        let heads = Heads::new(&self.follower, head.clone());
        let at = heads.at(&self.endpoints, block).await?;
        let transactions = self.endpoints.transactions(&at).await?;
        let named = transactions.iter().filter_map(|transaction| named_holders(transaction.input()));
        let theirs = named.into_iter().find(|holders| holders_hash(B256::ZERO, holders) == hash);
        if let (Some(theirs), Some(subject)) = (&theirs, self.subjects.get_mut(&gauge)) {
            subject.learn(theirs);
        }
        Ok(theirs)
    }

    pub(crate) async fn proofs(
        &mut self,
        gauge: B256,
        numbers: &[u64],
        holders: &[Address],
        head: &Head,
    ) -> Result<(GaugeSpec, Vec<BlockProof>), NodeError> {
        let heads = Heads::new(&self.follower, head.clone());
        let Some(subject) = self.subjects.get_mut(&gauge) else {
            return Err(NodeError::Evidence {
                what: gauge.to_string(),
                reason: "the gauge is not known".into(),
            });
        };
        let mut proofs = Vec::with_capacity(numbers.len());
        for number in numbers {
            proofs.push(subject.proof(&self.endpoints, &heads, *number, holders).await?);
        }
        Ok((subject.spec.clone(), proofs))
    }
}

/// The holders that a call of the proof rung names; a call through another contract is not understood.
fn named_holders(input: &[u8]) -> Option<Vec<Address>> {
    if let Ok(call) = ProofRung::assertLossCall::abi_decode(input) {
        return Some(call.evidence.holders);
    }
    ProofRung::widenCall::abi_decode(input).ok().map(|call| call.evidence.holders)
}

fn sol_spec(spec: &GaugeSpec) -> ProofRung::GaugeSpec {
    breakwater_bindings::gauges::GaugeSpec::from(spec).into()
}

fn proof_bytes(evidence: &Evidence) -> usize {
    evidence.headers.iter().map(|header| header.len()).sum::<usize>()
        + evidence.nodes.len()
        + evidence.paths.len()
}

fn call(to: Address, data: Vec<u8>, proof_bytes: usize, gas: u64) -> Call {
    let gas = gas + BYTE_GAS * data.len() as u64;
    Call { to, data: data.into(), gas, proof_bytes }
}

fn plain(to: Address, request: &impl SolCall, gas: u64) -> Outcome {
    Outcome::Send(vec![call(to, request.abi_encode(), 0, gas)])
}

fn evidence_error(spec: &GaugeSpec, reason: &EvidenceError) -> NodeError {
    NodeError::Evidence { what: spec.id().to_string(), reason: reason.to_string() }
}
