//! What a sender is asked, what it answers and what it reports.

use alloy::primitives::{Address, Bytes, TxHash, TxKind, U256};

use crate::blocks::Receipt;
use crate::error::{ChainError, RpcError};
use crate::fees::FeeLimits;
use crate::journal::{ActionKey, JournalError};

/// How a sender behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendOptions {
    /// How many blocks must follow a transaction's block before it counts as final.
    pub confirmations: u64,
    /// Blocks to wait before a transaction that is next in line is replaced by a dearer one.
    pub bump_after_blocks: u64,
    /// Most attempts with one nonce; the last one is kept alive without end.
    pub attempts_max: u32,
    /// How often an action may lose its nonce to another transaction before it fails.
    pub nonces_max: usize,
    /// Largest gas limit of a transaction.
    pub gas_limit_max: u64,
    /// Added to the node's gas estimate, in basis points, rounded up, as far as the largest limit leaves room.
    pub gas_margin_bps: u64,
    /// Bounds on prices.
    pub fees: FeeLimits,
}

impl Default for SendOptions {
    /// Two mainnet epochs until final, which is where its reorganisations end.
    fn default() -> Self {
        Self {
            confirmations: 64,
            bump_after_blocks: 3,
            attempts_max: 8,
            nonces_max: 3,
            // The protocol's own bound on one transaction since EIP-7825.
            gas_limit_max: 1 << 24,
            gas_margin_bps: 2_000,
            fees: FeeLimits::default(),
        }
    }
}

/// A transaction to be sent once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendRequest {
    /// The name under which it is sent once.
    pub key: ActionKey,
    /// Contract to call, or creation.
    pub to: TxKind,
    /// Calldata or creation code.
    pub data: Bytes,
    /// Wei sent along.
    pub value: U256,
    /// Gas limit; estimated with a margin if absent.
    /// Give it where the call depends on a transaction that is not mined yet.
    pub gas_limit: Option<u64>,
}

impl SendRequest {
    /// A call without value and with an estimated gas limit.
    pub fn call(key: ActionKey, to: Address, data: impl Into<Bytes>) -> Self {
        Self { key, to: to.into(), data: data.into(), value: U256::ZERO, gas_limit: None }
    }
}

/// Why a transaction was not sent or not followed up.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The chain could not be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The journal could not be read or written; nothing was broadcast without a record.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The call reverts already in the estimate; nothing was signed.
    #[error("{key} would revert: {error}")]
    WouldRevert {
        /// The action.
        key: ActionKey,
        /// The node's error with the revert data to decode.
        error: RpcError,
    },
    /// The transaction needs more gas than allowed; nothing was signed.
    #[error("{key} needs {needed} gas, more than the limit {limit}")]
    GasTooHigh {
        /// The action.
        key: ActionKey,
        /// The estimate, or the request's own limit.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// The chain has no base fee, so EIP-1559 transactions cannot be priced.
    #[error("block {number} has no base fee")]
    NoBaseFee {
        /// Block number.
        number: u64,
    },
    /// The key could not sign.
    #[error("signing {key}: {reason}")]
    Signing {
        /// The action.
        key: ActionKey,
        /// The signer's words.
        reason: String,
    },
    /// A recorded transaction cannot be decoded; the journal is damaged.
    #[error("recorded transaction {tx_hash}: {reason}")]
    BadRecord {
        /// Its recorded hash.
        tx_hash: TxHash,
        /// What is wrong with it.
        reason: String,
    },
    /// The action failed for good.
    #[error("{key} failed: {reason}")]
    Failed {
        /// The action.
        key: ActionKey,
        /// Why, in words.
        reason: String,
    },
    /// Not final after the blocks that the caller was ready to wait; it is still being followed up.
    #[error("{key} is not final after {blocks} blocks")]
    NotFinal {
        /// The action.
        key: ActionKey,
        /// How many blocks were waited.
        blocks: u64,
    },
}

impl SendError {
    /// Whether the same request may go through later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Chain(error) => error.is_transient(),
            Self::NotFinal { .. } => true,
            _ => false,
        }
    }

    /// Revert data to decode, where the error is a revert.
    pub fn revert_data(&self) -> Option<&Bytes> {
        match self {
            Self::WouldRevert { error, .. } => error.data.as_ref(),
            Self::Chain(error) => error.revert_data(),
            _ => None,
        }
    }
}

/// What happened to an action since the last tick.
#[derive(Debug)]
pub enum SendEvent {
    /// Included and successful.
    Mined {
        /// The action.
        key: ActionKey,
        /// Where and with which logs.
        receipt: Receipt,
    },
    /// Included and reverted.
    Reverted {
        /// The action.
        key: ActionKey,
        /// Where.
        receipt: Receipt,
        /// What the call reverts with on the state before its block: a strong hint, since
        /// transactions before it in the same block are not replayed.
        data: Option<Bytes>,
    },
    /// Successful and deep enough to stay.
    Final {
        /// The action.
        key: ActionKey,
        /// Where and with which logs.
        receipt: Receipt,
    },
    /// Over without success.
    Failed {
        /// The action.
        key: ActionKey,
        /// Why, in words.
        reason: String,
    },
    /// Its block fell out of the chain; the same transaction was broadcast again.
    Reorged {
        /// The action.
        key: ActionKey,
        /// The transaction.
        tx_hash: TxHash,
    },
    /// No node knew it any more; the same transaction was broadcast again.
    Dropped {
        /// The action.
        key: ActionKey,
        /// The transaction.
        tx_hash: TxHash,
    },
    /// Replaced at the same nonce by a dearer one.
    Replaced {
        /// The action.
        key: ActionKey,
        /// The new transaction.
        tx_hash: TxHash,
    },
    /// Another transaction consumed the nonce for good; signed anew with the next one.
    NonceTaken {
        /// The action.
        key: ActionKey,
        /// The lost nonce.
        lost: u64,
        /// The new nonce.
        nonce: u64,
    },
    /// Overdue, and the limit of attempts or of the fee forbids a dearer replacement.
    Stuck {
        /// The action.
        key: ActionKey,
        /// Attempts with this nonce.
        attempts: u32,
        /// Fee offered by the last one, in wei per gas.
        max_fee: u128,
    },
    /// It could not be followed up this time; the next tick tries again.
    Delayed {
        /// The action.
        key: ActionKey,
        /// Why.
        error: SendError,
    },
}
