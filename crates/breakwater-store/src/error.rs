//! What can go wrong with the journal.

use std::path::PathBuf;

use alloy_primitives::B256;
use breakwater_chain::{ActionKey, JournalError, JournalRefusal};

/// Why the journal could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or is not there.
    #[error("journal database: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date, for example by an older program.
    #[error("journal schema: {0}")]
    Schema(#[from] sqlx::migrate::MigrateError),
    /// A file beside the database could not be used.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Another keeper uses this journal; two would send the same things twice.
    #[error("{path} is in use by {holder}: expected a journal of its own for each keeper")]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// What the holder wrote into it.
        holder: String,
    },
    /// The journal belongs to another chain or deployment.
    #[error("journal of another {what}: expected {expected}, got {got}")]
    WrongIdentity {
        /// What differs.
        what: &'static str,
        /// What the caller uses.
        expected: String,
        /// What the journal belongs to.
        got: String,
    },
    /// A block does not follow the newest one in the journal.
    #[error("block {number} does not follow: expected parent {expected}, got {got}")]
    NotLinked {
        /// Number of the block.
        number: u64,
        /// Hash of the newest recorded block.
        expected: B256,
        /// The block's own parent hash.
        got: B256,
    },
    /// The journal follows a chain already.
    #[error("the journal starts at block {first} already")]
    AlreadyStarted {
        /// The oldest recorded block.
        first: u64,
    },
    /// A block to go back to is not in the journal.
    #[error("block {number} {hash} is not followed")]
    NotFollowed {
        /// Its number.
        number: u64,
        /// Its hash.
        hash: B256,
    },
    /// A write that would break the promise of sending once.
    #[error(transparent)]
    Refused(#[from] JournalRefusal),
    /// An action that has been signed cannot be abandoned.
    #[error("{key} cannot be abandoned: expected planned, got {state}")]
    NotPlanned {
        /// The action.
        key: ActionKey,
        /// Its state.
        state: String,
    },
    /// No gauge has this id.
    #[error("gauge {0} is not in the journal")]
    UnknownGauge(B256),
    /// No policy is recorded as touched by the incident.
    #[error("policy {policy} is not recorded for incident {incident}")]
    UnknownSettlement {
        /// Incident id.
        incident: String,
        /// Policy id.
        policy: String,
    },
    /// A number beyond what the database holds, 2^63 − 1.
    #[error("{what} {got} exceeds the journal's range")]
    OutOfRange {
        /// What it counts.
        what: &'static str,
        /// The number.
        got: u64,
    },
    /// A stored value is not what was written; the file is damaged or edited.
    #[error("journal damaged: {what}: {reason}")]
    Damaged {
        /// Which value.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later, as when another process holds the database.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::PoolTimedOut | sqlx::Error::Io(_)) => true,
            // SQLite's primary codes for busy and locked; extended ones keep them in the low byte.
            Self::Database(sqlx::Error::Database(error)) => error
                .code()
                .and_then(|code| code.parse::<i64>().ok())
                .is_some_and(|code| matches!(code & 0xff, 5 | 6)),
            _ => false,
        }
    }

    pub(crate) fn damaged(what: &'static str, reason: impl ToString) -> Self {
        Self::Damaged { what, reason: reason.to_string() }
    }
}

impl From<StoreError> for JournalError {
    fn from(error: StoreError) -> Self {
        Self::new(error)
    }
}
