//! What can go wrong between processes.

use std::time::Duration;

/// Why the bus could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The address of a bus cannot be used.
    #[error("bus address: expected {expected}, got {got}")]
    Address {
        /// What an address looks like.
        expected: &'static str,
        /// What it is, without credentials.
        got: String,
    },
    /// A name or an id has characters or a length that the bus does not carry.
    #[error("{what}: expected {expected}, got {got:?}")]
    Name {
        /// Whose name it is.
        what: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What was given.
        got: String,
    },
    /// The terms of a queue or topic cannot be kept.
    #[error("terms: expected {what} of {expected}, got {got}")]
    Terms {
        /// Which term.
        what: &'static str,
        /// Its range.
        expected: &'static str,
        /// What was given.
        got: String,
    },
    /// The server does not answer.
    #[error("bus {address} does not answer, waited {waited:?} to {doing}: {said}")]
    Unreachable {
        /// The server, without credentials.
        address: String,
        /// What was tried.
        doing: String,
        /// For how long.
        waited: Duration,
        /// The last thing that went wrong.
        said: String,
    },
    /// The server answers, and says no.
    #[error("bus {address} refuses to {doing}: {said}")]
    Refused {
        /// The server, without credentials.
        address: String,
        /// What was asked.
        doing: String,
        /// Its reason.
        said: String,
    },
    /// The queue or topic was removed, or never opened by its producer.
    #[error("{name} is not on the bus: expected one that its producer has opened and not removed")]
    Gone {
        /// The queue or topic.
        name: String,
    },
    /// The queue or topic is there already, with other terms.
    #[error("{name} is on the bus with other terms: expected {expected}, got {got}")]
    OtherTerms {
        /// The queue or topic.
        name: String,
        /// What the caller wants.
        expected: String,
        /// What is there.
        got: String,
    },
    /// A payload is larger than the bus carries.
    #[error("payload of {what}: expected at most {most} bytes, got {got}")]
    TooLarge {
        /// Whose payload it is.
        what: String,
        /// The limit in bytes.
        most: usize,
        /// Its size in bytes.
        got: usize,
    },
    /// A record on the bus is not one that this program wrote.
    #[error("{what} on the bus: expected {expected}, got {got}")]
    Malformed {
        /// Which record.
        what: String,
        /// What this program would have written.
        expected: &'static str,
        /// What is there.
        got: String,
    },
}

/// The answer to a job that was given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("job {id} was given up after {deliveries} deliveries: {reason}")]
pub struct DeadLetter {
    /// The job.
    pub id: String,
    /// How often a worker had it.
    pub deliveries: u32,
    /// What the last worker said, or that none said anything.
    pub reason: String,
}
