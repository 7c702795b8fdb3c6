//! What can go wrong while Breakwater runs on a local chain.

use breakwater_bindings::deploy::{PlanError, RunError};
use breakwater_chain::{ChainError, SendError};
use breakwater_evm::EvmError;
use breakwater_node::NodeError;
use breakwater_prove::block::BlockError;
use breakwater_prove::compiler::Refusal;
use breakwater_prove::document::DocumentError;
use breakwater_prove::packed::PackedError;
use breakwater_prove::receipts::ReceiptError;
use breakwater_store::StoreError;

use crate::local::LocalError;

/// Why a play on a local chain ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// The chain, or one of our own transactions.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The deployment cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The deployment stopped.
    #[error("deployment: {0}")]
    Deployment(#[from] RunError<LocalError>),
    /// The chain does not answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The keeper.
    #[error("keeper: {0}")]
    Node(#[from] NodeError),
    /// The keeper's journal.
    #[error("journal: {0}")]
    Store(#[from] StoreError),
    /// The keeper's account.
    #[error("sender: {0}")]
    Send(#[from] SendError),
    /// State for the compiler could not be had.
    #[error(transparent)]
    Evm(#[from] EvmError),
    /// A contract that should have a gauge has none.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What is to be proven cannot be.
    #[error("evidence: {0}")]
    Block(#[from] BlockError),
    /// A receipt cannot be proven.
    #[error("evidence: {0}")]
    Receipt(#[from] ReceiptError),
    /// Walks do not fit into evidence.
    #[error("evidence: {0}")]
    Packed(#[from] PackedError),
    /// A document breaks its format.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Something went through that should have been refused, or did not say why.
    #[error("expected {what} to be refused, got {got}")]
    NotRefused {
        /// What was tried.
        what: String,
        /// What came of it.
        got: String,
    },
    /// A folder for the journal could not be made.
    #[error("journal folder: {0}")]
    Folder(#[from] std::io::Error),
    /// Something still dwells or waits.
    #[error("not settled {blocks} blocks after the last step")]
    Unsettled {
        /// How many blocks were made.
        blocks: u64,
    },
}
