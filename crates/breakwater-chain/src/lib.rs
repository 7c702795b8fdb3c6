//! RPC with cross-checked endpoints, block following through reorganisations, sending transactions.
//!
//! The key decision: a node's word is never taken where the chain itself can confirm it.
//! Headers are hashed again, proofs, receipts and transactions are checked against the roots in
//! those headers, and only what no root covers is put to a vote of the endpoints.
//! The road not taken is alloy's provider stack with a subscription: it trusts one node per call,
//! loses events silently when a connection is renewed, and prints addresses, with the keys in
//! them, in its errors.

mod account;
#[cfg(feature = "anvil")]
mod anvil;
mod blocks;
mod check;
mod choose;
mod endpoint;
mod endpoints;
mod error;
mod fees;
mod follow;
mod head;
mod journal;
mod limits;
mod logs;
mod request;
mod send;

pub use account::{Account, verify_account};
#[cfg(feature = "anvil")]
pub use anvil::{ANVIL_ENV, Anvil, AnvilBuilder, AnvilError};
pub use blocks::Receipt;
pub use check::{ChainReport, Check, HISTORY_BLOCKS, HISTORY_CONTRACT, check_chain};
pub use endpoint::EndpointHealth;
pub use endpoints::Endpoints;
pub use error::{ChainError, EndpointFault, Fault, Lie, Rejection, RpcError};
pub use fees::FeeLimits;
pub use follow::{BATCH_BLOCKS, ChainEvent, Follower, WINDOW_BLOCKS};
pub use head::Head;
pub use journal::{
    Action, ActionKey, ActionKeyError, ActionState, Attempt, Inclusion, Journal, JournalError,
    JournalRefusal, MemoryJournal,
};
pub use limits::Limits;
pub use logs::LOGS_SETTLED_MAX;
pub use request::{SendError, SendEvent, SendOptions, SendRequest};
pub use send::{LOST_NONCE_BLOCKS_MIN, Sender};
