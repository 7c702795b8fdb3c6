//! Why a subject gets no gauge, and who can decide instead.

use alloy::primitives::Address;
use breakwater_evm::EvmError;
use serde::{Deserialize, Serialize};

use crate::gauge::SpecError;

/// A rung of the ladder that can serve where proof cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// Proof, later: nothing speaks against a gauge, the chain just does not show enough yet.
    Proof,
    /// Price feeds.
    Feed,
    /// A canary position that tries to withdraw.
    Canary,
    /// Bonded reporters.
    Quorum,
}

/// What kept the compiler from building a gauge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// No code at the address.
    #[error("{0} holds no code")]
    NotAContract(Address),
    /// The code is spread over a table of implementations, or chosen by more words than can be pinned.
    #[error("its code is chosen by {got} words, more than the {limit} that a gauge can pin")]
    CodeSplit {
        /// Words found.
        got: usize,
        /// Words that fit.
        limit: usize,
    },
    /// The implementation pointer shares its word with numbers that change.
    #[error("the word that names {target} also holds numbers that change, so it cannot be pinned")]
    UnstablePointer {
        /// The account that the word names.
        target: Address,
    },
    /// It holds nothing and nothing was seen to come or go.
    #[error("no asset was seen to enter or leave it")]
    NoAsset,
    /// The asset's balances are not plain words (rebasing, or kept where no slot can be named).
    #[error("balances of the token {0} are not plain storage words")]
    UnreadableAsset(Address),
    /// Nothing in storage says what is owed to whom.
    #[error("nothing in its storage says what it owes to whom")]
    NoClaims,
    /// The claims are kept in a layout that a gauge cannot derive per holder.
    #[error("claims are kept in a layout that a gauge cannot derive per holder: {0}")]
    Layout(&'static str),
    /// Several ledgers fit what was seen.
    #[error("{0} ledgers fit what was seen, and only one can be what is owed")]
    Ambiguous(usize),
    /// Claims were seen, or made in a simulation, to rise without assets coming in.
    #[error("claims can rise without assets coming in ({0})")]
    ClaimsGrow(String),
    /// Assets leave against a debt that is booked elsewhere.
    #[error("assets are lent out: they leave against a booked debt ({0})")]
    Lending(String),
    /// Assets leave without claims falling.
    #[error("assets may move to places that a gauge cannot list ({0})")]
    AssetsMove(String),
    /// What a withdrawal pays cannot be told from the words.
    #[error("what a withdrawal pays does not follow from its words ({0})")]
    Payout(String),
    /// A candidate differs from the contract's own answers.
    #[error("the candidate differs from the contract's own answers ({0})")]
    Disagrees(String),
    /// There is nothing to insure yet.
    #[error("claims of {claims} are below the floor of {floor}")]
    BelowFloor {
        /// Claims now.
        claims: u128,
        /// The floor.
        floor: u128,
    },
    /// Too little was seen to tell.
    #[error("too little was seen to tell: {0}")]
    TooLittleSeen(&'static str),
    /// A pool that prices from token balances instead of its own words.
    #[error("the pool keeps no reserve words of its own")]
    NoReserveWords,
    /// The gauge would break one of the specification's rules.
    #[error("the gauge would break a rule: {0}")]
    Spec(Box<SpecError>),
    /// State could not be had or a transaction could not be replayed.
    #[error(transparent)]
    Evm(Box<EvmError>),
}

/// A subject that gets no gauge: why, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no gauge: {reason}; {advice}")]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// The rung that can serve.
    pub rung: Rung,
    /// What to do, in words.
    pub advice: &'static str,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        let (rung, advice) = match &reason {
            Reason::NotAContract(_) => (Rung::Quorum, "name a contract, or insure custody by quorum"),
            Reason::TooLittleSeen(_) | Reason::BelowFloor { .. } => {
                (Rung::Proof, "try again when the contract has seen deposits and withdrawals")
            }
            Reason::Evm(error) => match error.as_ref() {
                EvmError::Source(source) if source.can_heal() => (Rung::Proof, "try again, the node failed"),
                _ => (Rung::Quorum, "use a node that has the blocks and their state"),
            },
            Reason::Lending(_) => (Rung::Quorum, "reporters judge bad debt; feeds judge its collateral"),
            Reason::UnreadableAsset(_) => (Rung::Canary, "a canary withdraws, or reporters judge"),
            _ => (Rung::Quorum, "reporters judge what is owed"),
        };
        Self { reason, rung, advice }
    }
}

impl From<EvmError> for Refusal {
    fn from(error: EvmError) -> Self {
        Reason::from(error).into()
    }
}

impl From<EvmError> for Reason {
    fn from(error: EvmError) -> Self {
        Self::Evm(Box::new(error))
    }
}

impl From<SpecError> for Reason {
    fn from(error: SpecError) -> Self {
        Self::Spec(Box::new(error))
    }
}
