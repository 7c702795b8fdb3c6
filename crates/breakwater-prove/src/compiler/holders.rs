//! Who may hold a claim: addresses gathered from traffic, block by block.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, U256};
use breakwater_evm::{BlockReplay, EvmError, TxReplay, View, Want};

use super::paths::{Preimages, Shape, as_address};
use crate::gauge::GaugeSpec;

/// Addresses kept; past it new ones are counted as dropped, never silently.
pub const HOLDERS_MAX: usize = 200_000;
/// Storage words asked for in one go.
const READS_AT_ONCE: usize = 2_000;

/// Candidate holders of an enumerated gauge, fed block by block.
///
/// An address becomes a candidate when it sends or receives a transaction that touches the gauge's
/// account, is created in one, appears in a log topic or log word of one, calls or is called in
/// one, or is hashed as a mapping key in one. A candidate is a holder when its own slot is not
/// zero; asking costs one word, so that candidates may be plentiful.
#[derive(Clone, Debug, Default)]
pub struct HolderIndex {
    subject: Address,
    shape: Option<Shape>,
    seen: BTreeMap<Address, u64>,
    keyed: BTreeSet<Address>,
    dropped: u64,
    fed: Option<u64>,
}

impl HolderIndex {
    /// An empty index for a gauge's holding.
    pub fn new(spec: &GaugeSpec) -> Self {
        let subject = spec.holding_account().unwrap_or_default();
        Self { subject, shape: Some(shape_of(spec, subject)), ..Self::default() }
    }

    /// An empty index for everything that touches an account.
    pub(crate) fn of_account(subject: Address) -> Self {
        Self { subject, ..Self::default() }
    }

    /// Takes in a replayed block and returns the addresses that are new.
    pub fn feed(&mut self, replay: &BlockReplay) -> Vec<Address> {
        let number = replay.head.block.number;
        self.fed = Some(self.fed.map_or(number, |fed| fed.max(number)));
        let mut fresh = Vec::new();
        let subject = self.subject;
        for tx in replay.transactions.iter().filter(|tx| touches(tx, subject)) {
            self.learn_keys(tx, number, &mut fresh);
            for address in people(tx) {
                self.add(address, number, &mut fresh);
            }
        }
        fresh
    }

    /// Takes over the candidates of another index.
    pub(crate) fn adopt(&mut self, other: &Self) {
        let mut fresh = Vec::new();
        for (address, number) in &other.seen {
            self.add(*address, *number, &mut fresh);
        }
        self.fed = self.fed.max(other.fed);
        self.dropped += other.dropped;
    }

    /// Candidates, ascending.
    pub fn candidates(&self) -> impl Iterator<Item = Address> {
        self.seen.keys().copied()
    }

    /// Candidates whose own mapping entry was written in traffic: exact, as far as traffic goes.
    pub fn keyed(&self) -> impl Iterator<Item = Address> {
        self.keyed.iter().copied()
    }

    /// How many addresses did not fit.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The newest block taken in.
    pub fn fed_to(&self) -> Option<u64> {
        self.fed
    }

    /// Candidates with a claim at this view's block, ascending, each with the bits of its entry.
    ///
    /// # Errors
    /// When a word cannot be read.
    pub fn holders(&self, spec: &GaugeSpec, view: &View) -> Result<Vec<(Address, U256)>, EvmError> {
        let candidates: Vec<Address> = self.candidates().collect();
        let shape = shape_of(spec, spec.holding_account().unwrap_or_default());
        let (offset, width) = (usize::from(spec.holding.offset), usize::from(spec.holding.width));
        entries(&candidates, &shape, (offset, width), view)
    }

    fn learn_keys(&mut self, tx: &TxReplay, number: u64, fresh: &mut Vec<Address>) {
        let Some(shape) = self.shape else { return };
        let mut preimages = Preimages::default();
        preimages.learn(&tx.outcome.trace);
        for (account, slot, ..) in tx.outcome.trace.stores() {
            if account != shape.account {
                continue;
            }
            let paths = preimages.path(account, slot).shapes();
            if let Some((_, holder)) = paths.into_iter().find(|(found, _)| *found == shape) {
                self.keyed.insert(holder);
                self.add(holder, number, fresh);
            }
        }
    }

    fn add(&mut self, address: Address, number: u64, fresh: &mut Vec<Address>) {
        if self.seen.contains_key(&address) || address.is_zero() {
            return;
        }
        if self.seen.len() >= HOLDERS_MAX {
            self.dropped += 1;
            return;
        }
        self.seen.insert(address, number);
        fresh.push(address);
    }
}

/// Entries that are not zero.
pub(crate) fn entries(
    candidates: &[Address],
    shape: &Shape,
    (offset, width): (usize, usize),
    view: &View,
) -> Result<Vec<(Address, U256)>, EvmError> {
    let mut found = Vec::new();
    for part in candidates.chunks(READS_AT_ONCE) {
        let wants: Vec<Want> =
            part.iter().map(|one| Want::Storage(shape.account, shape.slot(*one))).collect();
        view.reader().prefetch(&wants, view.block())?;
        for holder in part {
            let word = view.storage(shape.account, shape.slot(*holder))?;
            let claim = super::linear::field(word, offset, width);
            if !claim.is_zero() {
                found.push((*holder, claim));
            }
        }
    }
    Ok(found)
}

fn shape_of(spec: &GaugeSpec, account: Address) -> Shape {
    let holding = &spec.holding;
    Shape {
        account,
        base: holding.base.into(),
        vyper: holding.vyper,
        inner: holding.nested.then(|| holding.inner_key.into()),
        word: u64::from(holding.word),
    }
}

/// Whether a transaction ran, called, paid or logged a movement of an account.
pub(crate) fn touches(tx: &TxReplay, account: Address) -> bool {
    tx.to == Some(account)
        || tx.outcome.changes.contains_key(&account)
        || tx.outcome.trace.frames.iter().any(|frame| frame.account == account || frame.caller == account)
        || tx.outcome.trace.transfers().any(|moved| moved.from == account || moved.to == account)
}

/// Every address that a transaction brings up.
pub(crate) fn people(tx: &TxReplay) -> BTreeSet<Address> {
    let mut all = BTreeSet::from([tx.from]);
    all.extend(tx.to);
    all.extend(tx.outcome.created);
    let trace = &tx.outcome.trace;
    all.extend(trace.frames.iter().flat_map(|frame| [frame.caller, frame.account]));
    for log in trace.logs() {
        all.extend(log.topics().iter().skip(1).filter_map(|topic| as_address((*topic).into())));
        all.extend(log.data.data.chunks_exact(32).filter_map(|word| as_address(U256::from_be_slice(word))));
    }
    for (preimage, _) in trace.hashes().filter(|(preimage, _)| preimage.len() == 64) {
        all.extend(preimage.chunks_exact(32).filter_map(|word| as_address(U256::from_be_slice(word))));
    }
    all
}
