//! What the keeper has decided to send: written to the journal before anything is built from it.

use alloy::hex;
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use breakwater_chain::{ActionKey, ActionKeyError};
use serde::{Deserialize, Serialize};

/// A decision. Its key says what it is about, so that the same decision taken twice is one action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
pub enum Plan {
    /// Assert a loss of a gauge.
    Assert {
        /// The gauge.
        gauge: B256,
        /// Block a.
        onset: u64,
        /// Its hash: after a reorganisation it is another assertion.
        onset_hash: B256,
        /// Block b.
        reading: u64,
        /// Hash of block b.
        reading_hash: B256,
    },
    /// Prove a later block of a dwelling incident.
    Revise {
        /// The gauge.
        gauge: B256,
        /// The incident.
        incident: U256,
        /// Block b.
        reading: u64,
        /// Hash of block b.
        reading_hash: B256,
    },
    /// Prove what position accounts lost.
    Prove {
        /// The gauge.
        gauge: B256,
        /// The incident.
        incident: U256,
        /// The block of the incident's reading.
        reading: u64,
        /// Ascending.
        accounts: Vec<Address>,
    },
    /// Settle policies.
    Settle {
        /// The incident.
        incident: U256,
        /// Policy ids.
        policies: Vec<U256>,
        /// Instant payment in the dwell, or settlement after it.
        phase: Phase,
    },
    /// End the dwell of an incident that touches no policy, or that was refuted.
    Finalise {
        /// The incident.
        incident: U256,
        /// The last block before it: a great payout waits twice, a dispute once more.
        #[serde(default)]
        after: u64,
    },
    /// Bring a pool's days up to now: the next booking pays for those that nobody rolled.
    Upkeep {
        /// The pool.
        pool: Address,
        /// A product whose days are rolled; none: the pool's own.
        product: Option<B256>,
        /// Days since the epoch; the same day is brought up once.
        day: u64,
    },
    /// Measure what was lost since the pins of a gauge changed, and sign for it; only a reporter plans it.
    Report {
        /// The gauge.
        gauge: B256,
        /// The last block with the pins.
        onset: u64,
        /// Its hash: after a reorganisation it is another finding.
        onset_hash: B256,
    },
    /// Carry to the chain what reporters signed, or object to it.
    Carry {
        /// What it is about; the key.
        topic: String,
        /// One call after another.
        calls: Vec<Errand>,
    },
    /// Give back what nobody is owed any more.
    CloseBooking {
        /// The incident.
        incident: U256,
        /// The pool.
        pool: Address,
    },
}

/// One call of [`Plan::Carry`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// The contract.
    pub to: Address,
    /// Calldata.
    pub data: Bytes,
    /// Gas beyond the calldata's.
    pub gas: u64,
}

/// When a policy is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "when")]
pub enum Phase {
    /// In the dwell, out of the curator's junior, for the reading at this block.
    Instant {
        /// Block b.
        reading: u64,
    },
    /// After the dwell, of what may be paid by then: a dispute and its end are settled one after the other.
    Final {
        /// The log that gave the reason, by its place in the chain; a later reason is another settlement.
        #[serde(default)]
        since: u64,
    },
}

impl Plan {
    /// The journal's key of the `attempt`-th try, from 0: what it is about in words, and a digest of all of it.
    ///
    /// # Errors
    /// [`NodeError::Journal`](crate::NodeError) cases never arise from keys made here; see [`ActionKey::new`].
    pub fn key(&self, attempt: u32) -> Result<ActionKey, ActionKeyError> {
        let what = match self {
            Self::Assert { gauge, onset, reading, .. } => {
                format!("{}{onset}:{reading}", Self::assertions_of(*gauge))
            }
            Self::Revise { incident, reading, .. } => format!("revise:{incident}:{reading}"),
            Self::Prove { incident, reading, .. } => format!("prove:{incident}:{reading}"),
            Self::Settle { incident, phase: Phase::Instant { reading }, .. } => {
                format!("settle:{incident}:instant:{reading}")
            }
            Self::Settle { incident, phase: Phase::Final { .. }, .. } => Self::settlements_of(*incident),
            Self::Finalise { incident, after } => format!("finalise:{incident}:{after}"),
            Self::Upkeep { pool, day, .. } => format!("upkeep:{pool}:{day}"),
            Self::Report { gauge, onset, .. } => format!("report:{gauge}:{onset}"),
            // Which signatures go along makes no other action of it.
            Self::Carry { topic, .. } => return ActionKey::new(format!("{topic}#{attempt}")),
            Self::CloseBooking { incident, pool } => format!("close:{incident}:{pool}"),
        };
        // The derived form names every field, so two plans share a digest only if they are the same.
        let digest = keccak256(format!("{self:?}"));
        ActionKey::new(format!("{what}:{}#{attempt}", hex::encode(&digest[..8])))
    }

    /// How the keys of all assertions of a gauge begin.
    pub(crate) fn assertions_of(gauge: B256) -> String {
        format!("assert:{gauge}:")
    }

    /// How the keys of all settlements of an incident after its dwell begin.
    pub(crate) fn settlements_of(incident: U256) -> String {
        format!("settle:{incident}:final")
    }

    /// Whether trying again can help when the transaction reverted.
    pub fn bears_retry(&self) -> bool {
        !matches!(
            self,
            Self::Settle { phase: Phase::Instant { .. }, .. } | Self::Upkeep { .. } | Self::Carry { .. }
        )
    }
}
