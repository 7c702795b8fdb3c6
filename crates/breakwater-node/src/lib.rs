//! The keeper: watches gauges, asserts, answers, finalises and settles.
//!
//! The key decision: deciding and sending are apart. A block is handled in one journal transaction that
//! records the decisions taken in it, each under a key that says what it is about; transactions are built
//! from the journal, and nothing is broadcast that is not recorded. A restart, a reorganisation or a lying
//! endpoint therefore costs time, never an assertion missed or sent twice.
//! The road not taken is a keeper that reacts to subscriptions: it forgets with its process.
//!
//! This crate reads no configuration file and prints nothing.

mod chores;
mod contracts;
mod duties;
mod error;
mod execute;
mod heads;
mod keeper;
mod known;
mod lookout;
mod machines;
mod observe;
mod plan;
mod quorum;
mod report;
mod subject;
mod watch;

pub use contracts::{Contracts, QuorumContracts};
pub use error::{NodeError, Trouble};
pub use keeper::{ATTEMPTS_MAX, Keeper, KeeperParts, PROVE_BATCH, SETTLE_BATCH};
pub use known::{KnownIncident, Standing};
pub use plan::{Errand, Phase, Plan};
pub use quorum::{DeskParts, READ_EVERY_BLOCKS, ReporterParts};
pub use report::{Seen, Sent, TickReport};
pub use watch::{Intent, Live, Onset, Watch};
