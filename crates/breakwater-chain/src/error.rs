//! What can go wrong when reading a chain, and whether trying again may heal it.

use std::fmt;
use std::time::Duration;

use alloy::primitives::{B256, Bytes};

/// An answer that contradicts what the chain itself fixes, such as a header that does not
/// hash to the hash that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: expected {expected}, got {got}")]
pub struct Lie {
    /// The thing that was checked, in words.
    pub what: String,
    /// The value that the check required.
    pub expected: String,
    /// The value that the endpoint gave.
    pub got: String,
}

impl Lie {
    /// Names a failed check with both of its sides.
    pub fn new(what: impl Into<String>, expected: impl fmt::Display, got: impl fmt::Display) -> Self {
        Self { what: what.into(), expected: expected.to_string(), got: got.to_string() }
    }
}

/// Why a verifier handed to [`crate::Endpoints::call_checked`] refused an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The endpoint does not have the thing, which is honest: it may lag or prune.
    Absent(String),
    /// The endpoint gave something false and is set aside for a long time.
    Lie(Lie),
    /// The answer is well formed but of a kind that this build cannot check,
    /// such as a transaction type it does not know.
    Unverifiable(String),
}

impl From<Lie> for Rejection {
    fn from(lie: Lie) -> Self {
        Self::Lie(lie)
    }
}

/// An error object that a node answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcError {
    /// JSON-RPC code; 3 is a revert on most nodes.
    pub code: i64,
    /// The node's words, shortened to [`RpcError::MESSAGE_CHARS_MAX`].
    pub message: String,
    /// Revert data, where the node gave any.
    pub data: Option<Bytes>,
}

impl RpcError {
    /// Nodes put whole calldata into messages; a log line needs only their beginning.
    pub const MESSAGE_CHARS_MAX: usize = 300;

    /// Whether the error is the EVM's verdict on a call and not the node's trouble.
    pub fn is_revert(&self) -> bool {
        let words = self.message.to_lowercase();
        self.code == 3 || words.contains("revert")
    }

    /// Whether the node asks for fewer requests.
    pub fn is_rate_limit(&self) -> bool {
        let words = self.message.to_lowercase();
        self.code == -32005 && !self.is_too_many_results()
            || words.contains("rate limit")
            || words.contains("too many requests")
    }

    /// Whether a log query was refused because its answer or its range is too large.
    pub fn is_too_many_results(&self) -> bool {
        let words = self.message.to_lowercase();
        const SIGNS: [&str; 9] = [
            "more than",
            "too many results",
            "too many logs",
            "block range",
            "range is too",
            "range too",
            "response size",
            "is limited to",
            "exceeds max",
        ];
        SIGNS.iter().any(|sign| words.contains(sign)) && !words.contains("rate limit")
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "code {}: {}", self.code, self.message)?;
        match &self.data {
            Some(data) => write!(f, " (data {data})"),
            None => Ok(()),
        }
    }
}

/// What one endpoint did instead of answering well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No complete answer within the time allowed for one call.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection failed; the text has been freed of the address.
    #[error("connection failed: {0}")]
    Connect(String),
    /// An HTTP status other than success.
    #[error("HTTP status {0}")]
    Status(u16),
    /// The body grew past the limit in bytes.
    #[error("answer larger than {0} bytes")]
    TooLarge(usize),
    /// The body is not what the method should return.
    #[error("malformed answer: {0}")]
    Malformed(String),
    /// The node answered with an error object.
    #[error("node error, {0}")]
    Rpc(RpcError),
    /// The node does not have the thing.
    #[error("absent: {0}")]
    Absent(String),
    /// The node's answer cannot be checked by this build.
    #[error("cannot be verified: {0}")]
    Unverifiable(String),
    /// The node's answer is false.
    #[error("false answer: {0}")]
    Lie(Lie),
}

impl Fault {
    /// Whether the same endpoint may answer well a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Connect(_) | Self::Malformed(_) | Self::Absent(_) => true,
            Self::Status(status) => *status == 429 || *status == 408 || *status >= 500,
            // Invalid parameters and unknown methods stay so; the rest is a node's passing state.
            Self::Rpc(error) => {
                !error.is_revert() && !matches!(error.code, -32601 | -32602) && !error.is_too_many_results()
            }
            Self::TooLarge(_) | Self::Lie(_) | Self::Unverifiable(_) => false,
        }
    }
}

impl From<Rejection> for Fault {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Absent(what) => Self::Absent(what),
            Rejection::Lie(lie) => Self::Lie(lie),
            Rejection::Unverifiable(why) => Self::Unverifiable(why),
        }
    }
}

/// A fault with the endpoint it came from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{endpoint}: {fault}")]
pub struct EndpointFault {
    /// The endpoint's label, which holds no credentials.
    pub endpoint: String,
    /// What it did.
    pub fault: Fault,
}

/// Why a read of the chain has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No RPC address was given.
    #[error("no RPC endpoint configured: expected at least one, got none")]
    NoEndpoints,
    /// An RPC address cannot be used; the address itself is withheld, as it may hold a key.
    #[error("RPC endpoint #{index}: {reason}")]
    Url {
        /// Position in the list, from 0.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The parameters of a call do not serialise.
    #[error("{method}: parameters cannot be encoded: {reason}")]
    Params {
        /// JSON-RPC method.
        method: &'static str,
        /// The encoder's words.
        reason: String,
    },
    /// Every endpoint failed in every round.
    #[error("{method}: no endpoint gave a usable answer in {rounds} round(s): {}", list(faults))]
    Exhausted {
        /// JSON-RPC method.
        method: &'static str,
        /// How often the whole list was asked.
        rounds: u32,
        /// The last round's faults, one per endpoint.
        faults: Vec<EndpointFault>,
    },
    /// The call runs and reverts, on every endpoint that answered.
    #[error("{method}: reverted, {error}")]
    Reverted {
        /// JSON-RPC method.
        method: &'static str,
        /// The node's error with the revert data to decode.
        error: RpcError,
    },
    /// No endpoint has the thing; it may appear later.
    #[error("{method}: not found: {what}")]
    NotFound {
        /// JSON-RPC method.
        method: &'static str,
        /// What was asked for.
        what: String,
    },
    /// Endpoints name different blocks at one height and neither majority nor parent decides.
    #[error("endpoints disagree on block {number}: {}", pairs(answers))]
    Disagreement {
        /// Block number.
        number: u64,
        /// Each endpoint's label and the hash that it gave.
        answers: Vec<(String, B256)>,
    },
    /// Endpoints differ on a value and none of the answers has more than half of them.
    #[error("{method}: no majority among {}", pairs(answers))]
    NoMajority {
        /// JSON-RPC method.
        method: &'static str,
        /// Each endpoint's label and its answer in words.
        answers: Vec<(String, String)>,
    },
    /// The endpoints' log lists differ in more blocks than are settled one by one.
    #[error("log answers differ in {blocks} blocks, more than the {limit} that are settled by receipts")]
    LogsUnresolved {
        /// How many blocks differ.
        blocks: usize,
        /// The limit.
        limit: usize,
    },
    /// One block alone holds more logs than any endpoint returns.
    #[error("logs of block {number}: {error}")]
    LogsTooMany {
        /// Block number.
        number: u64,
        /// The node's refusal.
        error: RpcError,
    },
    /// The chain was reorganised further back than the followed window reaches.
    #[error(
        "reorganisation reaches below block {oldest}, the oldest of {window} followed blocks: \
         resume from an older trusted block"
    )]
    ReorgTooDeep {
        /// Number of the oldest block still known.
        oldest: u64,
        /// How many blocks were known.
        window: usize,
    },
    /// A block names a parent that does not stand one height below it: an invented branch.
    #[error("block {number} names parent {parent}, which stands at height {parent_number}")]
    FalseBranch {
        /// Number of the child.
        number: u64,
        /// Hash of the parent that it names.
        parent: B256,
        /// The parent's own number.
        parent_number: u64,
    },
    /// The blocks to resume from do not form a chain.
    #[error("cannot resume: block {number} has parent {got}, expected {expected}")]
    BrokenWindow {
        /// Number of the block that does not link.
        number: u64,
        /// Hash of the block given before it.
        expected: B256,
        /// Its own parent hash.
        got: B256,
    },
    /// A range with its end before its start, or no block to resume from.
    #[error("empty request: {0}")]
    Empty(String),
}

impl ChainError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Exhausted { faults, .. } => faults.iter().any(|fault| fault.fault.is_transient()),
            Self::NotFound { .. } | Self::Disagreement { .. } | Self::NoMajority { .. } => true,
            Self::LogsUnresolved { .. } | Self::FalseBranch { .. } => true,
            Self::NoEndpoints
            | Self::Url { .. }
            | Self::Params { .. }
            | Self::Reverted { .. }
            | Self::LogsTooMany { .. }
            | Self::ReorgTooDeep { .. }
            | Self::BrokenWindow { .. }
            | Self::Empty(_) => false,
        }
    }

    /// Revert data of a call that ran and reverted, for decoding by the contract's error types.
    pub fn revert_data(&self) -> Option<&Bytes> {
        match self {
            Self::Reverted { error, .. } => error.data.as_ref(),
            _ => None,
        }
    }
}

fn list(faults: &[EndpointFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn pairs<T: fmt::Display>(answers: &[(String, T)]) -> String {
    answers.iter().map(|(who, what)| format!("{who} says {what}")).collect::<Vec<_>>().join(", ")
}
