//! What can go wrong in the keeper.

use alloy::primitives::Address;
use breakwater_chain::{ActionKeyError, ChainError, SendError};
use breakwater_evm::EvmError;
use breakwater_prove::block::BlockError;
use breakwater_prove::gauge::SpecError;
use breakwater_store::StoreError;

/// Why the keeper could not go on with a block; the journal is as it was before that block.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The chain could not be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A block could not be proven.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The journal could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A transaction could not be sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A block could not be replayed.
    #[error(transparent)]
    Evm(#[from] EvmError),
    /// A log of one of our own contracts does not decode: the deployment is of another version.
    #[error("log of {contract}: {error}; is this keeper of the deployment's version?")]
    Event {
        /// The contract.
        contract: Address,
        /// What is wrong with it.
        error: alloy::sol_types::Error,
    },
    /// A listed gauge is none.
    #[error("listed gauge: {0}")]
    Spec(SpecError),
    /// A plan could not be named.
    #[error(transparent)]
    Key(#[from] ActionKeyError),
    /// A recorded plan does not parse: the journal is of another version.
    #[error("planned action {key}: {error}")]
    Plan {
        /// Its key.
        key: String,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// Signatures cannot be left or found.
    #[error("signatures at {}: {reason}", path.display())]
    Mailbox {
        /// The file or directory.
        path: std::path::PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A contract answers with something else than it should.
    #[error("answer of {contract}: {error}; is this node of the deployment's version?")]
    Answer {
        /// The contract.
        contract: Address,
        /// What is wrong with it.
        error: alloy::sol_types::Error,
    },
    /// Evidence cannot be put together.
    #[error("evidence for {what}: {reason}")]
    Evidence {
        /// What it was for.
        what: String,
        /// Why not.
        reason: String,
    },
}

impl NodeError {
    /// Whether the same call may go through later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Chain(error) | Self::Block(BlockError::Chain(error)) => error.is_transient(),
            Self::Send(error) => error.is_transient(),
            Self::Store(error) => error.is_transient(),
            Self::Evm(EvmError::Source(error)) => error.can_heal(),
            // A disk that is full or away comes back without this node's doing.
            Self::Mailbox { .. } => true,
            _ => false,
        }
    }
}
