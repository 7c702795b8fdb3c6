//! Signatures counted, and what enough of them signed carried to the chain.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, Bytes};
use alloy::sol_types::SolCall;
use breakwater_bindings::contracts::QuorumRung;
use breakwater_bindings::eip712::{self, LossReport, PositionsReport};
use breakwater_chain::{ActionState, ChainError, Head, Journal as _, SendError};
use breakwater_prove::gauge::{Form, GaugeSpec};

use super::mailbox::{Letter, Message};
use super::measure::TOLERANCE;
use super::tree::{Leaf, Tree};
use super::{Desk, Set, ask};
use crate::error::NodeError;
use crate::heads::Heads;
use crate::keeper::Keeper;
use crate::known::Standing;
use crate::plan::{Errand, Plan};
use crate::report::{Seen, TickReport};

/// Gas of posting a report, which books the reserve of every pool on the gauge, beyond the calldata's.
const POST_GAS: u64 = 4_000_000;
/// Gas of posting a root.
const ROOT_GAS: u64 = 600_000;
/// Gas of recording one position.
const RECORD_GAS: u64 = 150_000;
/// Positions recorded in one transaction.
const RECORD_BATCH: usize = 50;
/// Blocks after which an errand that came to nothing is looked at again.
const AGAIN_BLOCKS: u64 = 16;
/// Blocks by which each reporter lets the one before it, and the keeper, post first.
const TURN_BLOCKS: u64 = 4;

alloy::sol! {
    interface Account {
        function isValidSignature(bytes32 hash, bytes signature) external view returns (bytes4);
    }
}

/// One message with everybody who signed it, ascending.
struct Bundle {
    message: Message,
    signatures: BTreeMap<Address, Bytes>,
}

impl Keeper {
    /// Carries what a quorum has signed and the chain does not have yet.
    pub(super) async fn collect(
        &mut self,
        desk: &mut Desk,
        set: &Set,
        letters: Vec<Letter>,
        head: &Head,
        report: &mut TickReport,
    ) -> Result<(), NodeError> {
        let mut plans = Vec::new();
        for (digest, bundle) in self.bundles(desk, set, letters, head).await? {
            if let Message::Positions(report, leaves) = &bundle.message {
                plans.extend(self.records(desk, report, leaves, head));
            }
            if bundle.signatures.len() < set.quorum || !self.is_my_turn(desk, set, &bundle, head) {
                continue;
            }
            let errand = match &bundle.message {
                Message::Loss(message) => match self.post(desk, set, message, &bundle, head) {
                    Some(errand) if self.holds(desk, digest, message, head, report).await? => Some(errand),
                    _ => None,
                },
                Message::Positions(report, _) => self.post_root(desk, set, report, &bundle, head),
            };
            plans.extend(errand.map(|errand| again(&format!("post:{digest}"), errand, head)));
        }
        let mut due = Vec::with_capacity(plans.len());
        for plan in plans {
            if !self.is_on_its_way(&plan).await? {
                due.push(plan);
            }
        }
        self.carry(&due, head).await
    }

    /// Letters by what they sign, those by strangers left out; the node's own stale ones are taken back.
    async fn bundles(
        &self,
        desk: &mut Desk,
        set: &Set,
        letters: Vec<Letter>,
        head: &Head,
    ) -> Result<BTreeMap<B256, Bundle>, NodeError> {
        let mut bundles: BTreeMap<B256, Bundle> = BTreeMap::new();
        for letter in letters {
            let digest = letter.message.digest(desk.chain_id, desk.at.rung);
            let Some(signer) = self.signer_of(desk, set, digest, &letter, head).await? else { continue };
            let Letter { message, signature, .. } = letter;
            let mine = desk.reporter.as_ref().is_some_and(|reporter| reporter.key.address() == signer);
            if mine && message.valid_until() < head.timestamp() {
                desk.mailbox.remove(digest, signer);
                continue;
            }
            if !set.members.contains(&signer) {
                continue;
            }
            let bundle =
                bundles.entry(digest).or_insert_with(|| Bundle { message, signatures: BTreeMap::new() });
            bundle.signatures.insert(signer, signature);
        }
        Ok(bundles)
    }

    /// Whose signature it is: that of a key, or of a member with code that takes it as its own (ERC-1271).
    async fn signer_of(
        &self,
        desk: &mut Desk,
        set: &Set,
        digest: B256,
        letter: &Letter,
        head: &Head,
    ) -> Result<Option<Address>, NodeError> {
        let key = eip712::recover(digest, &letter.signature).ok();
        let Some(named) = letter.signer.filter(|named| key != Some(*named)) else { return Ok(key) };
        if !set.members.contains(&named) {
            return Ok(None);
        }
        if desk.vouched.get(&(digest, named)) == Some(&letter.signature) {
            return Ok(Some(named));
        }
        let call = Account::isValidSignatureCall { hash: digest, signature: letter.signature.clone() };
        match ask(&self.endpoints, head, named, &call).await {
            Ok(answer) if answer == Account::isValidSignatureCall::SELECTOR => {
                desk.vouched.insert((digest, named), letter.signature.clone());
                Ok(Some(named))
            }
            Ok(_) | Err(NodeError::Answer { .. } | NodeError::Chain(ChainError::Reverted { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn post(
        &self,
        desk: &Desk,
        set: &Set,
        report: &LossReport,
        bundle: &Bundle,
        head: &Head,
    ) -> Option<Errand> {
        let current = report.signerSet == set.hash
            && report.nonce > set.last_loss
            && (report.validFrom..=report.validUntil).contains(&head.timestamp());
        let mut same = self.known.incidents.values().filter(|incident| incident.gauge == report.gauge);
        let covered = report.incident.is_zero() && same.any(|incident| incident.live.reading > report.onset);
        if !current || covered {
            return None;
        }
        let (signers, signatures) = bundle.first(set.quorum);
        let call = QuorumRung::postCall { report: loss_report(report), signers, signatures };
        Some(Errand { to: desk.at.rung, data: call.abi_encode().into(), gas: POST_GAS })
    }

    /// Whether the report's blocks, executed again, say what it says. What this node cannot measure is the quorum's
    /// word; what it measures otherwise it does not carry, and anybody may still post it by hand.
    async fn holds(
        &mut self,
        desk: &mut Desk,
        digest: B256,
        message: &LossReport,
        head: &Head,
        report: &mut TickReport,
    ) -> Result<bool, NodeError> {
        let measurable = |spec: &GaugeSpec| !matches!(spec.form, Form::Enumerated);
        if !self.known.gauges.get(&message.gauge).is_some_and(measurable) {
            return Ok(true);
        }
        if message.reading >= head.number() {
            return Ok(false);
        }
        let heads = Heads::new(&self.follower, head.clone());
        let onset_hash = heads.at(&self.endpoints, message.onset).await?.hash();
        let reading_hash = heads.at(&self.endpoints, message.reading).await?.hash();
        let key = (digest, onset_hash, reading_hash);
        if let Some(known) = desk.checked.get(&key) {
            return Ok(*known);
        }
        let measured = match self.measure(message.gauge, message.onset, message.reading, head).await {
            Ok(Ok(measured)) => measured,
            Ok(Err(why)) => {
                tracing::info!(%digest, %why, "not measured again");
                return Ok(true);
            }
            // State of old blocks may be gone; the contract takes the quorum's word as well.
            Err(error) => {
                tracing::warn!(%digest, %error, "not measured again");
                return Ok(true);
            }
        };
        let (base, loss) = (measured.loss.base, measured.loss.loss);
        let off = |said: u128, found: u128| said.abs_diff(found) > base / TOLERANCE;
        let times = message.onsetTime == measured.onset.time && message.afterTime == measured.next.time;
        let holds = times && !off(message.base, base) && !off(message.loss, loss);
        desk.checked.insert(key, holds);
        if !holds {
            let why = format!(
                "a report of {} of {} does not hold when it is executed again: {loss} of {base}",
                message.loss, message.base
            );
            report.seen.push(Seen::Withheld { gauge: message.gauge, why });
        }
        Ok(holds)
    }

    fn post_root(
        &self,
        desk: &Desk,
        set: &Set,
        report: &PositionsReport,
        bundle: &Bundle,
        head: &Head,
    ) -> Option<Errand> {
        let current = report.signerSet == set.hash
            && report.nonce > set.last_positions
            && (report.validFrom..=report.validUntil).contains(&head.timestamp());
        let open = self.known.incidents.get(&report.incident).is_some_and(|incident| {
            incident.by_quorum()
                && match incident.standing {
                    Standing::Dwelling | Standing::Disputed { .. } => true,
                    Standing::Final { claims_end } => head.timestamp() <= claims_end,
                    Standing::Voided => false,
                }
        });
        if !current || !open || self.known.roots.contains_key(&report.incident) {
            return None;
        }
        let (signers, signatures) = bundle.first(set.quorum);
        let report = QuorumRung::PositionsReport {
            incident: report.incident,
            root: report.root,
            evidence: report.evidence,
            signerSet: report.signerSet,
            nonce: report.nonce,
            validFrom: report.validFrom,
            validUntil: report.validUntil,
        };
        let call = QuorumRung::postPositionsCall { report, signers, signatures };
        Some(Errand { to: desk.at.rung, data: call.abi_encode().into(), gas: ROOT_GAS })
    }

    /// Positions under the standing root that are not recorded yet; only a keeper records.
    fn records(&self, desk: &Desk, report: &PositionsReport, leaves: &[Leaf], head: &Head) -> Vec<Plan> {
        let id = report.incident;
        let Some((root, pending_end)) = self.known.roots.get(&id).copied() else { return Vec::new() };
        let tree = Tree::new(leaves);
        if desk.reporter.is_some() || head.number() < pending_end || tree.root() != root {
            return Vec::new();
        }
        let missing: Vec<(usize, &Leaf)> = leaves
            .iter()
            .enumerate()
            .filter(|(_, leaf)| !self.known.recorded.contains_key(&(id, leaf.account)))
            .collect();
        let plan = |part: &[(usize, &Leaf)]| {
            let call = QuorumRung::recordPositionsCall {
                id,
                accounts: part.iter().map(|(_, leaf)| leaf.account).collect(),
                lost: part.iter().map(|(_, leaf)| leaf.lost).collect(),
                value: part.iter().map(|(_, leaf)| leaf.value).collect(),
                proofs: part.iter().map(|(index, _)| tree.proof(*index)).collect(),
            };
            let gas = ROOT_GAS + RECORD_GAS * part.len() as u64;
            let errand = Errand { to: desk.at.rung, data: call.abi_encode().into(), gas };
            let first = part.first().map(|(_, leaf)| leaf.account).unwrap_or_default();
            again(&format!("record:{id}:{root}:{first}"), errand, head)
        };
        missing.chunks(RECORD_BATCH).map(plan).collect()
    }

    /// A keeper posts at once; each reporter leaves the others time, so that one dead node stops nothing.
    fn is_my_turn(&self, desk: &Desk, set: &Set, bundle: &Bundle, head: &Head) -> bool {
        let Some(reporter) = &desk.reporter else { return true };
        let me = reporter.key.address();
        let Some(place) = (1_u64..).zip(&set.members).find(|(_, member)| **member == me) else {
            return false;
        };
        let ready = match &bundle.message {
            Message::Loss(report) => report.reading.saturating_add(reporter.sign_after),
            Message::Positions(report, _) => {
                let incident = self.known.incidents.get(&report.incident);
                incident.map_or(u64::MAX, |incident| incident.opened_at)
            }
        };
        head.number() >= ready.saturating_add(TURN_BLOCKS * (place.0 + 1))
    }

    /// Whether an errand of the same topic is signed and not mined yet.
    async fn is_on_its_way(&self, plan: &Plan) -> Result<bool, NodeError> {
        let Plan::Carry { topic, .. } = plan else { return Ok(false) };
        let about = topic.rsplit_once('@').map_or(topic.as_str(), |(about, _)| about);
        let actions = self.store.in_flight(self.sender.address()).await.map_err(SendError::from)?;
        let mut signed = actions.iter().filter(|action| action.state == ActionState::Signed);
        Ok(signed.any(|action| action.key.as_str().starts_with(about)))
    }
}

impl Bundle {
    /// As many signatures as the rung needs, by ascending signers.
    fn first(&self, count: usize) -> (Vec<Address>, Vec<Bytes>) {
        self.signatures.iter().take(count).map(|(signer, signature)| (*signer, signature.clone())).unzip()
    }
}

/// An errand that is tried again after a while if it came to nothing and is still due.
fn again(about: &str, errand: Errand, head: &Head) -> Plan {
    Plan::Carry { topic: format!("{about}@{}", head.number() / AGAIN_BLOCKS), calls: vec![errand] }
}

fn loss_report(report: &LossReport) -> QuorumRung::LossReport {
    QuorumRung::LossReport {
        gauge: report.gauge,
        incident: report.incident,
        onset: report.onset,
        reading: report.reading,
        onsetTime: report.onsetTime,
        afterTime: report.afterTime,
        base: report.base,
        loss: report.loss,
        evidence: report.evidence,
        signerSet: report.signerSet,
        nonce: report.nonce,
        validFrom: report.validFrom,
        validUntil: report.validUntil,
    }
}
