//! RPC with cross-checked endpoints, block following through reorganisations, sending transactions.
//!
//! The key decision: a node's word is never taken where the chain itself can confirm it.
//! Headers are hashed again, proofs, receipts and transactions are checked against the roots in
//! those headers, and only what no root covers is put to a vote of the endpoints.
//! The road not taken is alloy's provider stack with a subscription: it trusts one node per call,
//! loses events silently when a connection is renewed, and prints addresses, with the keys in
//! them, in its errors.

mod account;
mod blocks;
mod choose;
mod endpoint;
mod endpoints;
mod error;
mod head;
mod limits;

pub use account::{Account, verify_account};
pub use blocks::Receipt;
pub use endpoint::EndpointHealth;
pub use endpoints::Endpoints;
pub use error::{ChainError, EndpointFault, Fault, Lie, Rejection, RpcError};
pub use head::Head;
pub use limits::Limits;
