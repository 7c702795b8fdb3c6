//! Where chain state comes from: one small trait with sources over RPC and in memory behind it.

use std::{future::Future, pin::Pin};

use alloy::{
    consensus::TxEnvelope,
    primitives::{Address, B256, Bytes, U256, keccak256},
};

use crate::error::SourceError;

/// A boxed answer, so that sources can stand behind `dyn`.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, SourceError>> + Send + 'a>>;

/// A block pinned by number and hash: every read names both, so that a reorganisation surfaces
/// as an error and never as a mixture of two states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockRef {
    /// Block number.
    pub number: u64,
    /// Block hash.
    pub hash: B256,
}

/// The header fields that execution depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHead {
    /// Number and hash.
    pub block: BlockRef,
    /// Hash of the parent.
    pub parent: B256,
    /// State root after the block.
    pub state_root: B256,
    /// Seconds since the epoch.
    pub timestamp: u64,
    /// Fee recipient.
    pub beneficiary: Address,
    /// Gas limit of the block.
    pub gas_limit: u64,
    /// Gas that the block used.
    pub gas_used: u64,
    /// Base fee in wei; absent before London.
    pub base_fee: Option<u64>,
    /// Difficulty; zero after the merge.
    pub difficulty: U256,
    /// Mix hash, which is the randomness beacon after the merge.
    pub mix_hash: B256,
    /// Excess blob gas; absent before Cancun.
    pub excess_blob_gas: Option<u64>,
    /// Root of the parent beacon block; absent before Cancun.
    pub parent_beacon_root: Option<B256>,
    /// Whether the header carries a withdrawals root, which it does from Shanghai on.
    pub has_withdrawals: bool,
    /// Whether the header carries a requests hash, which it does from Prague on.
    pub has_requests: bool,
}

/// A transaction with its recovered sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTransaction {
    /// Transaction hash.
    pub hash: B256,
    /// Recovered sender.
    pub from: Address,
    /// The signed transaction.
    pub envelope: TxEnvelope,
}

/// A block with its transactions in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceBlock {
    /// The header.
    pub head: BlockHead,
    /// Transactions in order.
    pub transactions: Vec<SourceTransaction>,
    /// Withdrawals of the block: account and amount in wei.
    pub withdrawals: Vec<(Address, U256)>,
}

/// An account with its code.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SourceAccount {
    /// Balance in wei.
    pub balance: U256,
    /// Nonce.
    pub nonce: u64,
    /// Runtime code, empty for an externally owned account.
    pub code: Bytes,
    /// Set for an account that is empty and yet in the trie. Such accounts were possible before
    /// Spurious Dragon, when a transfer to one was cheaper than to none; RPC cannot tell them.
    pub empty_but_present: bool,
}

impl SourceAccount {
    /// Keccak hash of the code; the empty hash when there is none.
    pub fn code_hash(&self) -> B256 {
        keccak256(&self.code)
    }
}

/// Something that a caller expects to read soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Want {
    /// Balance, nonce and code of an account.
    Account(Address),
    /// One storage word.
    Storage(Address, U256),
}

/// An answer to a [`Want`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    /// The account.
    Account(Address, SourceAccount),
    /// The word.
    Storage(Address, U256, U256),
}

/// What a receipt says about the execution of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Transaction hash.
    pub hash: B256,
    /// Whether it succeeded; absent before Byzantium.
    pub status: Option<bool>,
    /// Gas used.
    pub gas_used: u64,
    /// Number of logs.
    pub logs: u64,
}

/// Chain state at named blocks.
///
/// A source must answer [`SourceError`] for what it does not know; it must never invent a zero.
/// Accounts that do not exist on a source that knows the whole state are the default account.
pub trait StateSource: Send + Sync {
    /// The chain id.
    fn chain_id(&self) -> Answer<'_, u64>;
    /// Number of the newest block.
    fn latest(&self) -> Answer<'_, u64>;
    /// Header of a canonical block.
    fn head(&self, number: u64) -> Answer<'_, BlockHead>;
    /// A canonical block with its transactions.
    fn block(&self, number: u64) -> Answer<'_, SourceBlock>;
    /// Receipts of a block in order.
    fn receipts(&self, block: BlockRef) -> Answer<'_, Vec<Receipt>>;
    /// An account after the block.
    fn account(&self, address: Address, block: BlockRef) -> Answer<'_, SourceAccount>;
    /// A storage word after the block.
    fn storage(&self, address: Address, slot: U256, block: BlockRef) -> Answer<'_, U256>;

    /// Many reads at once, in any order. Sources with round trips should send one batch.
    fn read<'a>(&'a self, wants: &'a [Want], block: BlockRef) -> Answer<'a, Vec<Got>> {
        Box::pin(async move {
            let mut got = Vec::with_capacity(wants.len());
            for want in wants {
                got.push(match *want {
                    Want::Account(address) => Got::Account(address, self.account(address, block).await?),
                    Want::Storage(address, slot) => {
                        Got::Storage(address, slot, self.storage(address, slot, block).await?)
                    }
                });
            }
            Ok(got)
        })
    }
}
