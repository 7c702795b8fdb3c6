//! What a tick saw and did, for logs and for people who watch.

use alloy::primitives::{Address, B256, U256};
use breakwater_bindings::eip712::LossReport;
use breakwater_chain::{ActionKey, SendEvent};

use crate::known::KnownIncident;
use crate::plan::Plan;

/// What one call of [`Keeper::tick`](crate::Keeper::tick) saw and did.
#[derive(Debug, Default)]
pub struct TickReport {
    /// The newest block handled.
    pub head: u64,
    /// What was seen on the chain.
    pub seen: Vec<Seen>,
    /// What was sent.
    pub sent: Vec<Sent>,
    /// What became of what was sent earlier.
    pub followed: Vec<SendEvent>,
}

/// Something seen on the chain.
#[derive(Debug)]
pub enum Seen {
    /// A gauge fell by at least half its threshold in this one block.
    Onset {
        /// The gauge.
        gauge: B256,
        /// The block in which it fell.
        block: u64,
    },
    /// A pinned code or word changed: this rung answers neither yes nor no.
    Undecided {
        /// The gauge.
        gauge: B256,
        /// The block.
        block: u64,
        /// Which account, in words.
        why: String,
    },
    /// The gauge's words do not make a reading.
    Unreadable {
        /// The gauge.
        gauge: B256,
        /// The block.
        block: u64,
        /// Why, in words.
        why: String,
    },
    /// An incident was opened, revised, voided or made final.
    Incident {
        /// Its id.
        id: U256,
        /// The block.
        block: u64,
        /// How it stands now.
        incident: KnownIncident,
    },
    /// What this reporter found to be lost since a gauge's pins changed; it signs unless its operator refuses.
    Measured {
        /// The gauge.
        gauge: B256,
        /// The last block with the pins.
        onset: u64,
        /// The block that was read.
        reading: u64,
        /// Gauge units.
        base: u128,
        /// Gauge units.
        loss: u128,
        /// The block from which it is signed.
        sign_at: u64,
    },
    /// Figures that no rule decides about: a person may sign them, or refuse.
    Listed {
        /// What would be signed.
        report: Box<LossReport>,
        /// For this chain.
        chain_id: u64,
        /// For this contract.
        rung: Address,
        /// Why no machine signs it, in words.
        why: String,
    },
    /// Something that this node does not sign, or does not carry.
    Withheld {
        /// The gauge.
        gauge: B256,
        /// Why, in words.
        why: String,
    },
    /// A report says that more was lost than this reporter finds.
    Overstated {
        /// The incident.
        id: U256,
        /// What the report says, gauge units.
        reported: u128,
        /// What this reporter finds, gauge units.
        found: u128,
    },
    /// Blocks fell out of the chain.
    Reorganised {
        /// The newest block that stayed.
        to: u64,
    },
}

/// A transaction signed, recorded and broadcast.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its key in the journal.
    pub key: ActionKey,
    /// What it is for.
    pub plan: Plan,
    /// Bytes of calldata.
    pub calldata_bytes: usize,
    /// Bytes of headers, trie nodes and paths in it; 0 without evidence.
    pub proof_bytes: usize,
}

impl TickReport {
    pub(crate) fn take(&mut self, event: SendEvent) {
        self.followed.push(event);
    }

    /// Whether anything was sent or is new on the chain.
    pub fn is_quiet(&self) -> bool {
        self.seen.is_empty() && self.sent.is_empty() && self.followed.is_empty()
    }
}
