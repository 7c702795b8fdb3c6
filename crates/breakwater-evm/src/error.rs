//! What can go wrong when state is fetched or code is run.

use alloy::primitives::{Address, B256, U256};

/// A state source could not answer.
///
/// Missing state is always an error here and never a zero: a gauge compiled from invented zeros
/// would measure losses that never happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The transport or the node behind it failed; trying again may help.
    #[error("the state source failed while reading {what}: {detail}")]
    Transport {
        /// The request that failed.
        what: &'static str,
        /// The node's or the transport's own words.
        detail: String,
    },
    /// The source does not have this block.
    #[error("block {number} is not known to the state source")]
    UnknownBlock {
        /// Number asked for.
        number: u64,
    },
    /// The source has a block of this number, but another one than was pinned.
    #[error("block {number} was reorganised: pinned {expected}, the source now has {got}")]
    Reorganised {
        /// Block number.
        number: u64,
        /// Hash that was pinned.
        expected: B256,
        /// Hash the source reports.
        got: B256,
    },
    /// A partial source was asked for an account it does not hold.
    #[error("account {address} at block {number} is not in the state source")]
    MissingAccount {
        /// Account asked for.
        address: Address,
        /// Block number.
        number: u64,
    },
    /// A partial source was asked for a storage word it does not hold.
    #[error("slot {slot:#x} of {address} at block {number} is not in the state source")]
    MissingStorage {
        /// Account asked for.
        address: Address,
        /// Slot asked for.
        slot: U256,
        /// Block number.
        number: u64,
    },
    /// Code was asked for by a hash that no account loaded before had.
    #[error("no code with hash {hash} is in the state source")]
    MissingCode {
        /// Code hash asked for.
        hash: B256,
    },
    /// The answer could not be understood.
    #[error("the state source sent a malformed {what}: {detail}")]
    Malformed {
        /// Which answer.
        what: &'static str,
        /// Why it could not be read.
        detail: String,
    },
    /// The source has to wait for something, but no multi-threaded runtime is there to wait on.
    #[error("the state source must wait for I/O: open the view inside a multi-threaded tokio runtime")]
    NeedsRuntime,
}

impl SourceError {
    /// Whether asking again may succeed.
    pub fn can_heal(&self) -> bool {
        matches!(self, Self::Transport { .. } | Self::Reorganised { .. })
    }
}

impl revm::database_interface::DBErrorMarker for SourceError {}

/// Code could not be run.
///
/// A revert or a halt is not an error but an outcome; this is for what keeps the EVM from running.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvmError {
    /// State could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The transaction is not valid on this state.
    #[error("the transaction cannot be run: {detail}")]
    Invalid {
        /// The EVM's own words.
        detail: String,
    },
    /// A named limit was exceeded.
    #[error("{what} exceeds its limit of {limit}: {got}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// What came.
        got: usize,
    },
    /// Block replay disagrees with a receipt, so its trace must not be trusted.
    #[error("replay of {hash} differs from its receipt in {field}: receipt {expected}, replay {got}")]
    ReceiptDiffers {
        /// Transaction.
        hash: B256,
        /// Which field differs.
        field: &'static str,
        /// The receipt's value.
        expected: u64,
        /// The replay's value.
        got: u64,
    },
    /// The worker thread was stopped before it finished.
    #[error("the worker thread ended early: {detail}")]
    Worker {
        /// Why.
        detail: String,
    },
}
