//! Tables, queries and migrations: the keeper's journal.
//!
//! The key decision: handling a block is one transaction ([`Store::change`]) that records the
//! block as handled together with everything decided there, and a signed transaction is recorded
//! before it is broadcast ([`breakwater_chain::Journal`]).
//! So a crash between any two steps loses no plan and repeats no transaction.
//! The road not taken is an outbox that is filled after the block is marked: a crash between the
//! two would miss an assertion for ever.
//!
//! What the chain said is kept with its block, so that a reorganisation takes it back exactly.

mod actions;
mod change;
mod codec;
mod error;
mod records;
mod store;

pub use actions::ActionRecord;
pub use change::Change;
pub use error::StoreError;
pub use records::{Gauge, IncidentEvent, IncidentStatus, Reading, Settlement};
pub use store::{Identity, Store};
