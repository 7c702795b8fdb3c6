//! What one call did to the subject: changed words, changed balances, movements of assets.
//!
//! Transactions replayed from the chain and calls made up by the compiler become the same thing
//! here, so that one set of rules judges both.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, Bytes, I256, U256};
use breakwater_evm::{CallOutcome, Changes, Transfer, TxReplay};

use super::linear::{Leaf, field};

/// Where an effect was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// On the chain.
    Chain { block: u64 },
    /// In a simulation: what was tried, in words.
    Probe(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Chain { block } => write!(f, "seen in block {block}"),
            Self::Probe(what) => write!(f, "simulated: {what}"),
        }
    }
}

/// What one call did.
#[derive(Clone, Debug)]
pub(crate) struct Effect {
    pub(crate) origin: Origin,
    pub(crate) caller: Address,
    pub(crate) to: Address,
    pub(crate) data: Bytes,
    pub(crate) value: U256,
    pub(crate) changes: Changes,
    pub(crate) transfers: Vec<Transfer>,
}

impl Effect {
    /// The effect of a replayed transaction; `None` if it failed.
    pub(crate) fn of_chain(block: u64, tx: &TxReplay) -> Option<Self> {
        let to = tx.to.or(tx.outcome.created)?;
        tx.outcome.succeeded().then(|| Self {
            origin: Origin::Chain { block },
            caller: tx.from,
            to,
            data: tx.input.clone(),
            value: tx.value,
            changes: tx.outcome.changes.clone(),
            transfers: tx.outcome.trace.transfers().collect(),
        })
    }

    /// The effect of a simulated call that returned.
    pub(crate) fn of_probe(
        what: String,
        request: &breakwater_evm::CallRequest,
        outcome: &CallOutcome,
    ) -> Self {
        Self {
            origin: Origin::Probe(what),
            caller: request.caller,
            to: request.to,
            data: request.data.clone(),
            value: request.value,
            changes: outcome.changes.clone(),
            transfers: outcome.trace.transfers().collect(),
        }
    }

    /// A storage word before and after, if it changed.
    pub(crate) fn word(&self, account: Address, slot: U256) -> Option<(U256, U256)> {
        self.changes.get(&account)?.storage.get(&slot).copied()
    }

    /// How a number moved.
    pub(crate) fn moved(&self, leaf: &Leaf) -> I256 {
        match *leaf {
            Leaf::Word { account, slot, offset, width } => {
                self.word(account, slot).map_or(I256::ZERO, |(before, after)| {
                    diff(field(before, offset, width), field(after, offset, width))
                })
            }
            Leaf::Native(account) => self
                .changes
                .get(&account)
                .map_or(I256::ZERO, |change| diff(change.balance.0, change.balance.1)),
        }
    }

    /// Tokens that moved to or from an account, by their logs.
    pub(crate) fn tokens_of(&self, account: Address) -> BTreeSet<Address> {
        let moved = self.transfers.iter().filter(|t| t.from == account || t.to == account);
        moved.map(|t| t.asset).filter(|asset| !asset.is_zero()).collect()
    }

    /// Words of an account that changed.
    pub(crate) fn words_of(&self, account: Address) -> impl Iterator<Item = (U256, (U256, U256))> {
        static NONE: BTreeMap<U256, (U256, U256)> = BTreeMap::new();
        let storage = self.changes.get(&account).map_or(&NONE, |change| &change.storage);
        storage.iter().map(|(slot, words)| (*slot, *words))
    }

    /// Whether it touched an account: its storage, its balance, or a token movement from or to it.
    pub(crate) fn touches(&self, account: Address) -> bool {
        self.changes.contains_key(&account)
            || self.to == account
            || self.transfers.iter().any(|t| t.from == account || t.to == account)
    }

    /// First four bytes of the calldata, in hexadecimal.
    pub(crate) fn selector(&self) -> String {
        self.data.get(..4).map_or_else(|| "0x".to_owned(), alloy::primitives::hex::encode_prefixed)
    }
}

/// after − before; differences past 255 bits saturate, which no amount of an asset reaches.
pub(crate) fn diff(before: U256, after: U256) -> I256 {
    if after >= before {
        I256::try_from(after - before).unwrap_or(I256::MAX)
    } else {
        I256::try_from(before - after).map_or(I256::MIN, |size| -size)
    }
}

/// The size of a difference.
pub(crate) fn size(moved: I256) -> U256 {
    moved.unsigned_abs()
}
