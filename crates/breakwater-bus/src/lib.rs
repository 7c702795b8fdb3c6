//! Jobs and events between processes: in this process, or over NATS JetStream.
//!
//! [`Bus::open`] takes an address; what stands on the bus does not know which.
//!
//! - A [`Queue`] hands each job to one worker at a time and brings one answer back.
//!   A [`Job`] is leased: while its worker lives the lease is renewed, a worker that dies loses it to another, and a
//!   job that no worker finishes ends as a [`DeadLetter`].
//! - A [`Topic`] hands each event to everybody, once, in one order, from any place in its history.
//!
//! The key decision: an answer or event is a record that is written once under its id, and whoever comes second is
//! told that it is there.
//! So a job may be published twice, handed out twice and finished twice, and still has one answer; a producer that
//! starts again publishes everything again and gets the answers that are there.
//! The road not taken is a window of time in which a server remembers ids: what comes later than that is a duplicate.

mod address;
mod bus;
mod error;
mod kept;
mod memory;
mod name;
mod nats;
mod queue;
#[cfg(feature = "server")]
pub mod server;
mod topic;
mod work;

pub use address::BusAddress;
pub use bus::Bus;
pub use error::{BusError, DeadLetter};
pub use queue::{Job, Outcome, Outcomes, Published, Queue, Terms};
pub use topic::{Event, Events, Placed, Since, Topic};

/// The largest payload of a job, answer, file or event, in bytes.
///
/// What is larger than a server's own limit (1 MiB unless it is told otherwise) travels in parts.
pub const LARGEST: usize = 64 << 20;
