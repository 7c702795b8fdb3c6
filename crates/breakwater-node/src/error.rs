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

/// What kind of trouble an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The chain, an endpoint or a disk answered badly: the same work is tried again, for as long as it takes.
    Passing,
    /// The chain answered well, and what was asked for cannot be had: this work is given up, the node goes on.
    Verdict,
    /// Nothing heals without a person: the journal, the program or the deployment is another one.
    Configuration,
}

impl NodeError {
    /// What kind of trouble it is. What an endpoint says is never a verdict unless it is proven.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Chain(error) | Self::Block(BlockError::Chain(error)) => of_chain(error),
            Self::Send(SendError::Chain(error)) => of_chain(error),
            Self::Send(SendError::BadRecord { .. }) => Trouble::Configuration,
            Self::Send(SendError::Journal(_)) => Trouble::Passing,
            Self::Send(error) if error.is_transient() => Trouble::Passing,
            Self::Store(error) if error.is_transient() => Trouble::Passing,
            // A disk that is full or away comes back without this node's doing; answers of views are not proven.
            Self::Mailbox { .. } | Self::Answer { .. } | Self::Evm(_) => Trouble::Passing,
            Self::Block(_) | Self::Send(_) | Self::Evidence { .. } => Trouble::Verdict,
            Self::Store(_) | Self::Event { .. } | Self::Spec(_) | Self::Key(_) | Self::Plan { .. } => {
                Trouble::Configuration
            }
        }
    }

    /// Whether the same call may go through later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        self.trouble() == Trouble::Passing
    }
}

/// An endpoint that lies, sends too much or contradicts itself may be another one tomorrow.
fn of_chain(error: &ChainError) -> Trouble {
    match error {
        ChainError::NoEndpoints
        | ChainError::Url { .. }
        | ChainError::Params { .. }
        | ChainError::ReorgTooDeep { .. }
        | ChainError::BrokenWindow { .. }
        | ChainError::Empty(_) => Trouble::Configuration,
        ChainError::Reverted { .. } => Trouble::Verdict,
        _ => Trouble::Passing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use breakwater_chain::{EndpointFault, Fault, Lie};

    #[test]
    fn a_lying_endpoint_ends_nothing() {
        let lie = Fault::Lie(Lie::new("account proof", 1, 2));
        let faults = vec![EndpointFault { endpoint: "one".into(), fault: lie }];
        let lied = || ChainError::Exhausted { method: "eth_getProof", rounds: 1, faults: faults.clone() };
        assert!(!lied().is_transient(), "no use in asking again at once");
        assert_eq!(NodeError::from(lied()).trouble(), Trouble::Passing);
        assert_eq!(NodeError::from(BlockError::Chain(lied())).trouble(), Trouble::Passing);
        assert_eq!(NodeError::from(SendError::Chain(lied())).trouble(), Trouble::Passing);
    }

    #[test]
    fn what_a_person_must_mend_ends_the_node() {
        let deep = ChainError::ReorgTooDeep { oldest: 1, window: 2 };
        assert_eq!(NodeError::from(deep).trouble(), Trouble::Configuration);
        assert_eq!(NodeError::from(ChainError::NoEndpoints).trouble(), Trouble::Configuration);
        let damaged = StoreError::UnknownGauge(Default::default());
        assert_eq!(NodeError::from(damaged).trouble(), Trouble::Configuration);
    }
}
