//! What a sender must remember across a crash, and the contract of whoever remembers it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Mutex;

use alloy::primitives::{Address, B256, Bytes, TxHash};

/// The name of one thing to be done once, such as `assert:<gauge>:<onset block hash>`.
///
/// Two requests with the same key are the same request, before and after any restart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionKey(String);

/// Why a text cannot be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("action key {got:?}: expected 1 to {} printable ASCII characters", ActionKey::CHARS_MAX)]
pub struct ActionKeyError {
    /// The text.
    pub got: String,
}

impl ActionKey {
    /// Longest key; two hashes and some words fit.
    pub const CHARS_MAX: usize = 240;

    /// Takes a text as key.
    ///
    /// # Errors
    /// [`ActionKeyError`] if it is empty, too long, or has spaces or other unprintable characters.
    pub fn new(text: impl Into<String>) -> Result<Self, ActionKeyError> {
        let text = text.into();
        let fits = (1..=Self::CHARS_MAX).contains(&text.len());
        match fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(Self(text)),
            false => Err(ActionKeyError { got: text }),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One signed transaction of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Counted from 1 within the action.
    pub number: u32,
    /// The account that signed.
    pub from: Address,
    /// Its nonce.
    pub nonce: u64,
    /// Transaction hash.
    pub tx_hash: TxHash,
    /// The signed transaction as it is broadcast.
    pub raw: Bytes,
    /// Newest block when it was signed.
    pub at_block: u64,
}

/// Where a transaction was included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// The attempt that was included.
    pub tx_hash: TxHash,
    /// Block number.
    pub block_number: u64,
    /// Block hash.
    pub block_hash: B256,
    /// Whether it ran without reverting.
    pub success: bool,
}

/// How far an action has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionState {
    /// Decided on, nothing signed yet.
    Planned,
    /// Signed, recorded, and possibly broadcast.
    Signed,
    /// In a block that may still be reorganised away.
    Mined(Inclusion),
    /// Succeeded in a block deep enough to stay.
    Final(Inclusion),
    /// Will not succeed; the reason in words.
    Failed(String),
}

impl ActionState {
    /// Whether nothing more will happen to it.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Final(_) | Self::Failed(_))
    }
}

/// An action as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Its name.
    pub key: ActionKey,
    /// How far it has come.
    pub state: ActionState,
    /// Everything signed for it, oldest first.
    pub attempts: Vec<Attempt>,
    /// The last refusal or delay in words.
    pub last_error: Option<String>,
}

/// A journal could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("journal: {0}")]
pub struct JournalError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl JournalError {
    /// Wraps the store's own error.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// The memory that makes sending idempotent.
///
/// Every method that writes must have reached durable storage when it returns: the sender
/// broadcasts only afterwards, and a crash must not forget what was broadcast.
pub trait Journal: Send + Sync {
    /// The action with this key.
    fn action(&self, key: &ActionKey) -> impl Future<Output = Result<Option<Action>, JournalError>> + Send;

    /// All actions of this account that are signed or mined and not over, lowest nonce first.
    fn in_flight(&self, from: Address) -> impl Future<Output = Result<Vec<Action>, JournalError>> + Send;

    /// One above the highest nonce ever recorded for the account.
    fn next_nonce(&self, from: Address) -> impl Future<Output = Result<Option<u64>, JournalError>> + Send;

    /// Adds an attempt and makes the action signed; creates the action if it was not planned.
    ///
    /// Must refuse a nonce that another key has used, and an attempt number that is not the next.
    fn record(
        &self,
        key: &ActionKey,
        attempt: &Attempt,
    ) -> impl Future<Output = Result<(), JournalError>> + Send;

    /// Moves an action to a state, learnt at this block.
    ///
    /// Must refuse to move an action that is over.
    fn set_state(
        &self,
        key: &ActionKey,
        state: &ActionState,
        at_block: u64,
    ) -> impl Future<Output = Result<(), JournalError>> + Send;

    /// Keeps the last refusal or delay for people to read.
    fn note_error(
        &self,
        key: &ActionKey,
        error: &str,
        at_block: u64,
    ) -> impl Future<Output = Result<(), JournalError>> + Send;
}

impl<J: Journal> Journal for std::sync::Arc<J> {
    fn action(&self, key: &ActionKey) -> impl Future<Output = Result<Option<Action>, JournalError>> + Send {
        (**self).action(key)
    }

    fn in_flight(&self, from: Address) -> impl Future<Output = Result<Vec<Action>, JournalError>> + Send {
        (**self).in_flight(from)
    }

    fn next_nonce(&self, from: Address) -> impl Future<Output = Result<Option<u64>, JournalError>> + Send {
        (**self).next_nonce(from)
    }

    fn record(
        &self,
        key: &ActionKey,
        attempt: &Attempt,
    ) -> impl Future<Output = Result<(), JournalError>> + Send {
        (**self).record(key, attempt)
    }

    fn set_state(
        &self,
        key: &ActionKey,
        state: &ActionState,
        at_block: u64,
    ) -> impl Future<Output = Result<(), JournalError>> + Send {
        (**self).set_state(key, state, at_block)
    }

    fn note_error(
        &self,
        key: &ActionKey,
        error: &str,
        at_block: u64,
    ) -> impl Future<Output = Result<(), JournalError>> + Send {
        (**self).note_error(key, error, at_block)
    }
}

/// A journal that forgets when the process ends, for one-shot commands whose user sees the outcome.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    actions: Mutex<BTreeMap<ActionKey, Action>>,
}

/// A write that a journal must refuse, since it would break the promise of sending once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalRefusal {
    /// No action has this key.
    #[error("no action {0}")]
    Unknown(ActionKey),
    /// The account's nonce belongs to another action.
    #[error("nonce {nonce} belongs to {owner}, not to {key}")]
    NonceOwned {
        /// The nonce.
        nonce: u64,
        /// Who has used it.
        owner: ActionKey,
        /// Who wants it.
        key: ActionKey,
    },
    /// Attempts are recorded without a gap.
    #[error("{key}: expected attempt {expected}, got {got}")]
    AttemptNumber {
        /// The action.
        key: ActionKey,
        /// The next number.
        expected: u32,
        /// The number given.
        got: u32,
    },
    /// An action that is over stays so.
    #[error("{key} is over")]
    Over {
        /// The action.
        key: ActionKey,
    },
}

impl MemoryJournal {
    fn with<T>(
        &self,
        work: impl FnOnce(&mut BTreeMap<ActionKey, Action>) -> Result<T, JournalRefusal>,
    ) -> Result<T, JournalError> {
        // Each piece of work is checked before it writes, so a panic leaves nothing half done.
        let mut actions = self.actions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        work(&mut actions).map_err(JournalError::new)
    }
}

impl Journal for MemoryJournal {
    async fn action(&self, key: &ActionKey) -> Result<Option<Action>, JournalError> {
        self.with(|actions| Ok(actions.get(key).cloned()))
    }

    async fn in_flight(&self, from: Address) -> Result<Vec<Action>, JournalError> {
        self.with(|actions| {
            let running = |action: &&Action| {
                !action.state.is_over() && action.attempts.last().is_some_and(|last| last.from == from)
            };
            let mut found: Vec<Action> = actions.values().filter(running).cloned().collect();
            found.sort_by_key(|action| action.attempts.last().map(|last| last.nonce));
            Ok(found)
        })
    }

    async fn next_nonce(&self, from: Address) -> Result<Option<u64>, JournalError> {
        self.with(|actions| {
            let attempts = actions.values().flat_map(|action| &action.attempts);
            Ok(attempts
                .filter(|attempt| attempt.from == from)
                .map(|attempt| attempt.nonce.saturating_add(1))
                .max())
        })
    }

    async fn record(&self, key: &ActionKey, attempt: &Attempt) -> Result<(), JournalError> {
        self.with(|actions| {
            let uses = |other: &&Action| {
                let same = |old: &Attempt| (old.from, old.nonce) == (attempt.from, attempt.nonce);
                other.key != *key && other.attempts.iter().any(same)
            };
            if let Some(owner) = actions.values().find(uses) {
                let owner = owner.key.clone();
                return Err(JournalRefusal::NonceOwned { nonce: attempt.nonce, owner, key: key.clone() });
            }
            let recorded = actions.get(key).map_or(0, |action| action.attempts.len());
            let expected = u32::try_from(recorded).unwrap_or(u32::MAX).saturating_add(1);
            if attempt.number != expected {
                let got = attempt.number;
                return Err(JournalRefusal::AttemptNumber { key: key.clone(), expected, got });
            }
            let fresh = || Action {
                key: key.clone(),
                state: ActionState::Planned,
                attempts: Vec::new(),
                last_error: None,
            };
            let action = actions.entry(key.clone()).or_insert_with(fresh);
            if action.state.is_over() {
                return Err(JournalRefusal::Over { key: key.clone() });
            }
            action.attempts.push(attempt.clone());
            action.state = ActionState::Signed;
            Ok(())
        })
    }

    async fn set_state(
        &self,
        key: &ActionKey,
        state: &ActionState,
        _at_block: u64,
    ) -> Result<(), JournalError> {
        self.with(|actions| {
            let action = actions.get_mut(key).ok_or_else(|| JournalRefusal::Unknown(key.clone()))?;
            if action.state.is_over() && action.state != *state {
                return Err(JournalRefusal::Over { key: key.clone() });
            }
            action.state = state.clone();
            Ok(())
        })
    }

    async fn note_error(&self, key: &ActionKey, error: &str, _at_block: u64) -> Result<(), JournalError> {
        self.with(|actions| {
            let action = actions.get_mut(key).ok_or_else(|| JournalRefusal::Unknown(key.clone()))?;
            action.last_error = Some(error.to_owned());
            Ok(())
        })
    }
}
