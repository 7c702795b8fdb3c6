//! One gauge under watch: its proofs of recent blocks, its holders, and what it reads.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256, KECCAK256_EMPTY};
use breakwater_chain::{Endpoints, Head};
use breakwater_evm::BlockReplay;
use breakwater_prove::block::BlockProof;
use breakwater_prove::compiler::HolderIndex;
use breakwater_prove::gauge::{Form, GaugeSpec, ReadError, Reading, Words};

use crate::error::NodeError;
use crate::heads::Heads;
use crate::watch::Watch;

/// Proofs kept of blocks that nothing waits for: this one, and the one before as a baseline.
const RECENT_BLOCKS: u64 = 3;

/// A gauge, its watch, and the rolling proofs that make an archive node unnecessary.
pub(crate) struct Subject {
    pub(crate) spec: GaugeSpec,
    pub(crate) watch: Watch,
    index: Option<HolderIndex>,
    holders: Vec<Address>,
    proofs: BTreeMap<u64, BlockProof>,
}

/// What a block shows of a gauge.
pub(crate) enum Shown {
    Reading(Reading),
    /// A pinned code or word is another: neither a loss nor its denial.
    Undecided(String),
    /// The words cannot be read as the gauge says.
    Unreadable(String),
}

impl Subject {
    pub(crate) fn new(spec: GaugeSpec, span: u64) -> Self {
        let index = matches!(spec.form, Form::Enumerated).then(|| HolderIndex::new(&spec));
        let watch = Watch::new(&spec, span);
        Self { spec, watch, index, holders: Vec::new(), proofs: BTreeMap::new() }
    }

    /// Whether it learns its holders from traffic.
    pub(crate) fn wants_traffic(&self) -> bool {
        self.index.is_some()
    }

    /// Learns who may hold claims.
    pub(crate) fn feed(&mut self, replay: &BlockReplay) {
        if let Some(index) = &mut self.index {
            index.feed(replay);
            let known: BTreeSet<Address> = self.holders.iter().copied().chain(index.candidates()).collect();
            self.holders = known.into_iter().collect();
        }
    }

    /// Adds holders that somebody else's evidence named.
    pub(crate) fn learn(&mut self, holders: &[Address]) {
        if self.index.is_some() {
            let known: BTreeSet<Address> = self.holders.iter().chain(holders).copied().collect();
            self.holders = known.into_iter().collect();
        }
    }

    /// What block `number` shows by these holders.
    pub(crate) async fn show(
        &mut self,
        endpoints: &Endpoints,
        heads: &Heads<'_>,
        number: u64,
        holders: &[Address],
    ) -> Result<Shown, NodeError> {
        let proof = self.proof(endpoints, heads, number, holders).await?;
        let words = proof.words(&self.spec.reads(holders))?;
        // Later readings saturate where the onset's may not; the contract is strict about the onset itself.
        Ok(match self.spec.read_later(&words, holders) {
            Ok(reading) => Shown::Reading(reading),
            Err(ReadError::Undecided(why)) => Shown::Undecided(why.to_string()),
            Err(other) => Shown::Unreadable(other.to_string()),
        })
    }

    /// What block `number` shows by these holders, whatever code and pinned words it has.
    pub(crate) async fn found(
        &mut self,
        endpoints: &Endpoints,
        heads: &Heads<'_>,
        number: u64,
        holders: &[Address],
    ) -> Result<Result<Reading, ReadError>, NodeError> {
        let proof = self.proof(endpoints, heads, number, holders).await?;
        let words = proof.words(&self.spec.reads(holders))?;
        Ok(as_found(&self.spec, &words).read_later(&words, holders))
    }

    /// Code hashes and words of a block, pinned ones first, whatever they are.
    pub(crate) async fn words(
        &mut self,
        endpoints: &Endpoints,
        heads: &Heads<'_>,
        number: u64,
        holders: &[Address],
    ) -> Result<Words, NodeError> {
        let proof = self.proof(endpoints, heads, number, holders).await?;
        Ok(proof.words(&self.spec.reads(holders))?)
    }

    /// Holders with a claim in a block, ascending: the others add nothing but proof bytes. Empty unless the gauge
    /// is enumerated.
    ///
    /// A loss is measured by those of its onset: a claim that appears only with the loss may be the thief's own
    /// booking.
    pub(crate) async fn claimants(
        &mut self,
        endpoints: &Endpoints,
        heads: &Heads<'_>,
        number: u64,
    ) -> Result<Vec<Address>, NodeError> {
        let holders = self.holders.clone();
        if holders.is_empty() {
            return Ok(holders);
        }
        let proof = self.proof(endpoints, heads, number, &holders).await?;
        Ok(holders.into_iter().filter(|holder| claim(&self.spec, &proof, *holder) > 0).collect())
    }

    /// Holders at the onset, and those who have a claim since then that the assets could pay: a fresh deposit
    /// lifts both. A claim beyond all assets is no deposit but an overflow.
    pub(crate) async fn claimants_since(
        &mut self,
        endpoints: &Endpoints,
        heads: &Heads<'_>,
        onset: u64,
        number: u64,
    ) -> Result<Vec<Address>, NodeError> {
        let mut holders = self.claimants(endpoints, heads, onset).await?;
        let later = self.claimants(endpoints, heads, number).await?;
        if let Shown::Reading(now) = self.show(endpoints, heads, number, &[]).await? {
            let proof = self.proof(endpoints, heads, number, &later).await?;
            holders
                .extend(later.into_iter().filter(|holder| claim(&self.spec, &proof, *holder) <= now.assets));
        }
        holders.sort_unstable();
        holders.dedup();
        Ok(holders)
    }

    /// The proof of what the gauge reads in a block by these holders; fetched unless it is kept.
    pub(crate) async fn proof(
        &mut self,
        endpoints: &Endpoints,
        heads: &Heads<'_>,
        number: u64,
        holders: &[Address],
    ) -> Result<BlockProof, NodeError> {
        let reads = self.spec.reads(holders);
        let head = heads.at(endpoints, number).await?;
        if let Some(kept) = self.proofs.get(&number)
            && kept.header().hash == head.hash()
            && kept.words(&reads).is_ok()
        {
            return Ok(kept.clone());
        }
        // All holders at once, so that the next question about the block is answered from what is kept.
        let all: BTreeSet<Address> = self.holders.iter().chain(holders).copied().collect();
        let all: Vec<Address> = all.into_iter().collect();
        let fresh = BlockProof::fetch(endpoints, &head, &self.spec.reads(&all)).await?;
        self.proofs.insert(number, fresh.clone());
        Ok(fresh)
    }

    /// Forgets proofs that nothing waits for; `wanted` are the blocks that something does wait for.
    pub(crate) fn prune(&mut self, head: &Head, wanted: &BTreeSet<u64>) {
        let recent = head.number().saturating_sub(RECENT_BLOCKS);
        self.proofs.retain(|number, _| *number >= recent || wanted.contains(number));
    }

    /// Forgets what a reorganisation took back: blocks above `ancestor`.
    pub(crate) fn roll_back(&mut self, ancestor: u64) {
        self.proofs.retain(|number, _| *number <= ancestor);
        if self.watch.onset().is_some_and(|onset| onset.after.number > ancestor) {
            self.watch.forget();
        }
    }
}

/// The gauge as if it pinned the code and the words that a block has.
fn as_found(spec: &GaugeSpec, words: &Words) -> GaugeSpec {
    let mut spec = spec.clone();
    for (index, (account, found)) in (0..).zip(spec.accounts.iter_mut().zip(&words.accounts)) {
        let plain = found.code_hash == KECCAK256_EMPTY;
        account.code_hash = if plain { B256::ZERO } else { found.code_hash };
        // The pins of an account come first among its words.
        let pins = spec.pins.iter_mut().filter(|pin| pin.account == index);
        pins.zip(&found.slots).for_each(|(pin, word)| pin.value = B256::from(*word));
    }
    spec
}

/// The holder's proven claim in this block, gauge units; zero if it is not proven.
fn claim(spec: &GaugeSpec, proof: &BlockProof, holder: Address) -> u128 {
    let slot = spec.holder_slot(holder);
    let account = spec.holding_account().and_then(|address| proof.account(address));
    let word = account.and_then(|account| account.slot(slot).ok());
    word.map_or(0, |word| spec.holder_claim(word.value()))
}
