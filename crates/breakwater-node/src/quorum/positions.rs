//! What each covered position lost in an incident of the quorum: measured alone, signed under one root.

use alloy::primitives::{Address, U256};
use breakwater_bindings::eip712::PositionsReport;
use breakwater_chain::Head;
use breakwater_policy::measure::{self, Holding};
use breakwater_prove::block::BlockProof;
use breakwater_prove::document::{BlockRef, Document, Finding, RuleReading};
use breakwater_prove::evidence::position_reads;

use super::mailbox::Message;
use super::measure::ascending;
use super::tree::{Leaf, Tree};
use super::{Desk, ReporterParts, Set};
use crate::error::NodeError;
use crate::heads::Heads;
use crate::keeper::Keeper;
use crate::known::{KnownIncident, Standing};

/// The rule by which roots are made; another rule is another name.
const RULE: &str = "positions/1";
const TOOL: &str = "breakwater reporter 1";
/// Seconds after the opening in which a report of positions may be posted.
const VALID_S: u64 = 90 * 86_400;

impl Keeper {
    /// Signs the root of what positions lost, for every incident of the quorum that has none yet.
    pub(super) async fn report_positions(
        &mut self,
        desk: &mut Desk,
        reporter: &ReporterParts,
        set: &Set,
        head: &Head,
    ) -> Result<(), NodeError> {
        let open: Vec<(U256, KnownIncident)> = self
            .known
            .incidents
            .iter()
            .filter(|(id, incident)| incident.by_quorum() && !self.known.roots.contains_key(id))
            .filter(|(_, incident)| match incident.standing {
                Standing::Dwelling | Standing::Disputed { .. } => true,
                Standing::Final { claims_end } => head.timestamp() <= claims_end,
                Standing::Voided => false,
            })
            .map(|(id, incident)| (*id, incident.clone()))
            .collect();
        for (id, incident) in open {
            if desk.refused(incident.gauge) {
                continue;
            }
            match self.sign_positions(desk, reporter, set, id, &incident, head).await {
                Err(error) if !error.is_transient() => {
                    tracing::warn!(incident = %id, %error, "positions not measured");
                }
                outcome => outcome?,
            }
        }
        Ok(())
    }

    async fn sign_positions(
        &mut self,
        desk: &mut Desk,
        reporter: &ReporterParts,
        set: &Set,
        id: U256,
        incident: &KnownIncident,
        head: &Head,
    ) -> Result<(), NodeError> {
        let touched = self.known.touched(incident);
        let covered = touched.iter().filter(|(_, _, terms)| terms.by_position);
        let accounts = ascending(covered.map(|(_, cover, _)| cover.position));
        if accounts.is_empty() {
            return Ok(());
        }
        let leaves = match desk.trees.get(&id) {
            Some((live, of, leaves)) if *live == incident.live && *of == accounts => leaves.clone(),
            _ => {
                let Some(leaves) = self.leaves(incident, &accounts, head).await? else { return Ok(()) };
                desk.trees.insert(id, (incident.live.clone(), accounts, leaves.clone()));
                leaves
            }
        };
        if leaves.is_empty() {
            return Ok(());
        }
        let root = Tree::new(&leaves).root();
        let heads = Heads::new(&self.follower, head.clone());
        let (onset, reading) = (incident.live.onset, incident.live.reading);
        let mut blocks = Vec::with_capacity(2);
        for number in [onset, reading] {
            blocks.push(BlockRef { number, hash: heads.at(&self.endpoints, number).await?.hash() });
        }
        let value = RuleReading { block: reading, name: "root".into(), value: U256::from_be_bytes(root.0) };
        let document = Document {
            chain_id: desk.chain_id,
            blocks,
            finding: Finding::Rule { rule: RULE.into(), readings: vec![value] },
            transactions: Vec::new(),
            tool: TOOL.into(),
        };
        let text = document.canonical().map_err(|error| NodeError::Evidence {
            what: format!("positions of incident {id}"),
            reason: error.to_string(),
        })?;
        let evidence = alloy::primitives::keccak256(&text);
        desk.mailbox.keep(evidence, &text)?;
        let message = PositionsReport {
            incident: id,
            root,
            evidence,
            signerSet: set.hash,
            nonce: set.last_positions + U256::ONE,
            validFrom: incident.opened_time,
            validUntil: incident.opened_time.saturating_add(VALID_S),
        };
        desk.sign(reporter, Message::Positions(message, leaves))
    }

    /// What each account lost, without those that lost nothing; none where the blocks cannot be read.
    async fn leaves(
        &mut self,
        incident: &KnownIncident,
        accounts: &[Address],
        head: &Head,
    ) -> Result<Option<Vec<Leaf>>, NodeError> {
        let (onset, reading) = (incident.live.onset, incident.live.reading);
        let Ok(measured) = self.measure(incident.gauge, onset, reading, head).await? else {
            return Ok(None);
        };
        let Some(subject) = self.subjects.get(&incident.gauge) else { return Ok(None) };
        let spec = subject.spec.clone();
        let refuse = |reason: &dyn std::fmt::Display| NodeError::Evidence {
            what: incident.gauge.to_string(),
            reason: reason.to_string(),
        };
        let health = spec.health().map_err(|error| refuse(&error))?;
        let reads = position_reads(&spec, accounts, true).map_err(|error| refuse(&error))?;
        let heads = Heads::new(&self.follower, head.clone());
        let mut held = Vec::with_capacity(2);
        for number in [onset, reading] {
            let at = heads.at(&self.endpoints, number).await?;
            let words = BlockProof::fetch(&self.endpoints, &at, &reads).await?.words(&reads)?;
            let slots = words.accounts.into_iter().next().map(|account| account.slots).unwrap_or_default();
            held.push(slots.into_iter().map(|word| spec.holder_claim(word)).collect::<Vec<u128>>());
        }
        let [before, after] = &held[..] else { return Ok(None) };
        let mut leaves = Vec::new();
        for (account, (before, after)) in accounts.iter().zip(before.iter().zip(after)) {
            let holding = Holding { before: *before, after: *after };
            let (a, b) = ((&measured.onset).into(), (&measured.reading).into());
            let next = measured.next.assets;
            let position = measure::position_loss(&health, &a, next, &b, holding, incident.live.loss)
                .map_err(|error| refuse(&error))?;
            if position.lost > 0 {
                leaves.push(Leaf { account: *account, lost: position.lost, value: position.value });
            }
        }
        Ok(Some(leaves))
    }
}
