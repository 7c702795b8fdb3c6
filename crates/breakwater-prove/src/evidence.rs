//! Evidence for the proof rung: headers, nodes sent once, and walks, as `IProofRung.sol` describes them.
//!
//! [`Evidence`] is built from verified [`BlockProof`]s, and read back by the same rules as the contract's, so
//! that a keeper checks what it sends. Evidence that is too large for one transaction is staged block by
//! block, the holders of an enumerated gauge in pieces.

mod check;
mod holders;

pub use check::{AssertionCheck, BlockReading, CheckError, PositionReadings};

use crate::block::{BlockError, BlockProof};
use crate::gauge::{AccountReads, Form, GaugeSpec};
use crate::packed::Packer;
use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::SolCall;
use breakwater_bindings::contracts::ProofRung;
use breakwater_bindings::gauges;

/// Calldata that one call of the proof rung may have, in bytes.
///
/// Nodes refuse to relay transactions above 128 KiB, and each byte costs up to 40 gas.
pub const CALLDATA_BYTES_MAX: usize = 100_000;

/// What a call of the proof rung proves with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// RLP, ascending by block number.
    pub headers: Vec<Bytes>,
    /// The nodes' RLP, one after another, each once.
    pub nodes: Bytes,
    /// The walks: see [`crate::packed`].
    pub paths: Bytes,
    /// Enumerated gauges: strictly ascending; else empty.
    pub holders: Vec<Address>,
    /// A bit for each holder, 1 where it is new; empty where nobody is.
    pub newcomers: Vec<U256>,
}

/// How evidence reaches the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// In the call itself: `assertLoss`, `proveLater`, `widen`.
    Direct(Evidence),
    /// By `stage` in this order, then `assertStaged`, `proveLaterStaged` or `widenStaged`.
    Staged(Vec<Evidence>),
}

/// Why there is no evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// A block lacks something that the gauge reads.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A newcomer that is no holder.
    #[error("newcomer {0} is not among the holders")]
    NotAHolder(Address),
    /// Even one block, or one holder, is too large for a call.
    #[error("a call needs {got} bytes of calldata, at most {max} are sent")]
    TooLarge {
        /// Most bytes.
        max: usize,
        /// Bytes needed.
        got: usize,
    },
    /// The gauge names a holding account that it does not list.
    #[error("invalid gauge: {0}")]
    Spec(#[from] crate::gauge::SpecError),
}

impl Evidence {
    /// Evidence for `assertLoss` (blocks a, a + 1 and perhaps b), `proveLater`, `stage` (one block) and `widen`
    /// (onset and reading; `newcomers` are those of `holders` that the incident did not have).
    ///
    /// # Errors
    /// [`EvidenceError::Block`] if a block lacks a word, [`EvidenceError::NotAHolder`].
    pub fn of_blocks(
        spec: &GaugeSpec,
        holders: &[Address],
        newcomers: &[Address],
        blocks: &[&BlockProof],
    ) -> Result<Self, EvidenceError> {
        let reads = spec.reads(holders);
        let mut packer = Packer::default();
        blocks.iter().try_for_each(|block| block.pack(&reads, &mut packer))?;
        let (nodes, paths) = packer.finish();
        Ok(Self {
            headers: blocks.iter().map(|block| block.rlp().clone()).collect(),
            nodes,
            paths,
            holders: holders.to_vec(),
            newcomers: holders::bitmap(holders, newcomers)?,
        })
    }

    /// Evidence for `provePositions` of `accounts` (strictly ascending) at the onset and at `later`.
    ///
    /// `at_reading`: `later` is the incident's own reading, whose assets and claims the contract knows.
    ///
    /// # Errors
    /// [`EvidenceError::Block`] if a block lacks a word.
    pub fn of_positions(
        spec: &GaugeSpec,
        accounts: &[Address],
        onset: &BlockProof,
        later: &BlockProof,
        at_reading: bool,
    ) -> Result<Self, EvidenceError> {
        let mut packer = Packer::default();
        onset.pack(&position_reads(spec, accounts, true)?, &mut packer)?;
        later.pack(&position_reads(spec, accounts, at_reading)?, &mut packer)?;
        let (nodes, paths) = packer.finish();
        let headers = vec![onset.rlp().clone(), later.rlp().clone()];
        Ok(Self { headers, nodes, paths, ..Self::default() })
    }

    /// Calldata of a call with a gauge and this evidence, in bytes; an id more or less makes no difference
    /// that matters beside [`CALLDATA_BYTES_MAX`].
    pub fn calldata_bytes(&self, spec: &GaugeSpec) -> usize {
        let spec = gauges::GaugeSpec::from(spec).into();
        ProofRung::assertLossCall { spec, evidence: self.clone().into() }.abi_encoded_size() + 4
    }
}

impl Delivery {
    /// Evidence of some blocks as one call if it fits into `bytes_max` of calldata, else staged.
    ///
    /// # Errors
    /// [`EvidenceError::TooLarge`] if a piece that cannot be divided does not fit, and those of
    /// [`Evidence::of_blocks`].
    pub fn plan(
        spec: &GaugeSpec,
        holders: &[Address],
        newcomers: &[Address],
        blocks: &[&BlockProof],
        bytes_max: usize,
    ) -> Result<Self, EvidenceError> {
        let whole = Evidence::of_blocks(spec, holders, newcomers, blocks)?;
        if whole.calldata_bytes(spec) <= bytes_max {
            return Ok(Self::Direct(whole));
        }
        let mut calls = Vec::new();
        for block in blocks {
            calls.extend(holders::stages(spec, holders, newcomers, block, bytes_max)?);
        }
        Ok(Self::Staged(calls))
    }
}

/// What `provePositions` walks in one block: the holding account with each account's slot, and before it the
/// gauge where the contract has to read it (not at the onset and not at the incident's reading).
///
/// # Errors
/// [`EvidenceError::Spec`] if the holding's account is beyond the accounts.
pub fn position_reads(
    spec: &GaugeSpec,
    accounts: &[Address],
    known: bool,
) -> Result<Vec<AccountReads>, EvidenceError> {
    spec.validate_reads()?;
    let mut reads = if known || spec.form == Form::Enumerated { Vec::new() } else { spec.reads(&[]) };
    // Checked by `validate_reads`.
    let account = spec.holding_account().unwrap_or_default();
    reads.push(AccountReads { account, slots: accounts.iter().map(|at| spec.holder_slot(*at)).collect() });
    Ok(reads)
}

impl From<Evidence> for ProofRung::Evidence {
    fn from(evidence: Evidence) -> Self {
        Self {
            headers: evidence.headers,
            nodes: evidence.nodes,
            paths: evidence.paths,
            holders: evidence.holders,
            newcomers: evidence.newcomers,
        }
    }
}

impl From<ProofRung::Evidence> for Evidence {
    fn from(sol: ProofRung::Evidence) -> Self {
        Self {
            headers: sol.headers,
            nodes: sol.nodes,
            paths: sol.paths,
            holders: sol.holders,
            newcomers: sol.newcomers,
        }
    }
}
