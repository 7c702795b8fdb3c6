//! A source held in memory: recorded blocks, and chains grown by running transactions.

use std::{
    collections::{BTreeMap, HashMap},
    future::ready,
    sync::Arc,
};

use alloy::primitives::{Address, U256};

use crate::{
    cache::Reader,
    error::{EvmError, SourceError},
    replay::{BlockReplay, TxReplay, replay_block},
    rules::Rules,
    source::{
        Answer, BlockHead, BlockRef, Receipt, SourceAccount, SourceBlock, SourceTransaction, StateSource,
    },
    view::Changes,
};

/// Accounts and storage at one point.
#[derive(Clone, Debug, Default)]
pub struct MemoryState {
    accounts: HashMap<Address, SourceAccount>,
    storage: HashMap<(Address, U256), U256>,
    partial: bool,
}

impl MemoryState {
    /// A whole state: what is not in it does not exist.
    pub fn whole() -> Self {
        Self::default()
    }

    /// A part of a state: what is not in it is unknown, and asking for it is an error.
    pub fn partial() -> Self {
        Self { partial: true, ..Self::default() }
    }

    /// Declares that what is not in a partial state does not exist after all: recorded prestates
    /// leave out accounts that are absent and words that are zero.
    pub fn assume_absent(&mut self) {
        self.partial = false;
    }

    /// Puts an account.
    pub fn set_account(&mut self, address: Address, account: SourceAccount) {
        self.accounts.insert(address, account);
    }

    /// Puts a storage word.
    pub fn set_storage(&mut self, address: Address, slot: U256, word: U256) {
        self.storage.insert((address, slot), word);
    }

    /// Applies the net changes of an executed transaction.
    pub fn apply(&mut self, changes: &Changes) {
        for (address, change) in changes {
            let account = self.accounts.entry(*address).or_default();
            account.balance = change.balance.1;
            account.nonce = change.nonce.1;
            if let Some(code) = &change.code {
                account.code = code.clone();
            }
            for (slot, (_, after)) in &change.storage {
                self.storage.insert((*address, *slot), *after);
            }
        }
    }

    fn account(&self, address: Address, number: u64) -> Result<SourceAccount, SourceError> {
        match self.accounts.get(&address) {
            Some(account) => Ok(account.clone()),
            None if self.partial => Err(SourceError::MissingAccount { address, number }),
            None => Ok(SourceAccount::default()),
        }
    }

    fn word(&self, address: Address, slot: U256, number: u64) -> Result<U256, SourceError> {
        match self.storage.get(&(address, slot)) {
            Some(word) => Ok(*word),
            None if self.partial => Err(SourceError::MissingStorage { address, slot, number }),
            None => Ok(U256::ZERO),
        }
    }
}

/// Blocks with the state after each.
#[derive(Clone, Debug, Default)]
pub struct MemorySource {
    chain_id: u64,
    heads: BTreeMap<u64, BlockHead>,
    blocks: BTreeMap<u64, SourceBlock>,
    states: BTreeMap<u64, Arc<MemoryState>>,
    receipts: BTreeMap<u64, Vec<Receipt>>,
}

impl MemorySource {
    /// An empty chain.
    pub fn new(chain_id: u64) -> Self {
        Self { chain_id, ..Self::default() }
    }

    /// Adds a header and the state after it.
    pub fn push_state(&mut self, head: BlockHead, state: MemoryState) {
        self.heads.insert(head.block.number, head);
        self.states.insert(head.block.number, Arc::new(state));
    }

    /// Adds a block's transactions and receipts; its state may follow or stay unknown.
    pub fn push_block(&mut self, block: SourceBlock, receipts: Vec<Receipt>) {
        let number = block.head.block.number;
        self.heads.insert(number, block.head);
        self.blocks.insert(number, block);
        self.receipts.insert(number, receipts);
    }

    /// Number of the newest block, if there is one.
    pub fn tip(&self) -> Option<u64> {
        self.heads.keys().next_back().copied()
    }

    /// Runs transactions on the newest state and adds the block they make.
    ///
    /// `head` names everything that the block itself decides; its gas used, parent and state root
    /// are taken as given, since a chain in memory has no trie.
    ///
    /// # Errors
    /// When a transaction is not valid on the newest state.
    pub fn mine(
        &mut self,
        head: BlockHead,
        transactions: Vec<SourceTransaction>,
        rules: Rules,
    ) -> Result<BlockReplay, EvmError> {
        let number = head.block.number;
        let parent = number.saturating_sub(1);
        let mut state = self
            .states
            .get(&parent)
            .map(|state| MemoryState::clone(state))
            .ok_or(SourceError::UnknownBlock { number: parent })?;
        self.push_block(SourceBlock { head, transactions, withdrawals: Vec::new() }, Vec::new());
        let replay = replay_block(&Reader::new(Arc::new(self.clone())), number, rules)?;
        for tx in &replay.transactions {
            state.apply(&tx.outcome.changes);
        }
        self.receipts.insert(number, replay.transactions.iter().map(receipt).collect());
        self.push_state(head, state);
        Ok(replay)
    }

    fn state(&self, block: BlockRef) -> Result<&MemoryState, SourceError> {
        let number = block.number;
        let head = self.heads.get(&number).ok_or(SourceError::UnknownBlock { number })?;
        if head.block.hash != block.hash {
            return Err(SourceError::Reorganised { number, expected: block.hash, got: head.block.hash });
        }
        self.states.get(&number).map(Arc::as_ref).ok_or(SourceError::UnknownBlock { number })
    }
}

fn receipt(tx: &TxReplay) -> Receipt {
    Receipt {
        hash: tx.hash,
        status: Some(tx.outcome.succeeded()),
        gas_used: tx.outcome.gas_used,
        logs: tx.outcome.logs.len() as u64,
    }
}

impl StateSource for MemorySource {
    fn chain_id(&self) -> Answer<'_, u64> {
        Box::pin(ready(Ok(self.chain_id)))
    }

    fn latest(&self) -> Answer<'_, u64> {
        let newest = self.heads.keys().next_back().copied();
        Box::pin(ready(newest.ok_or(SourceError::UnknownBlock { number: 0 })))
    }

    fn head(&self, number: u64) -> Answer<'_, BlockHead> {
        let head = self.heads.get(&number).copied();
        Box::pin(ready(head.ok_or(SourceError::UnknownBlock { number })))
    }

    fn block(&self, number: u64) -> Answer<'_, SourceBlock> {
        let block = self.blocks.get(&number).cloned();
        Box::pin(ready(block.ok_or(SourceError::UnknownBlock { number })))
    }

    fn receipts(&self, block: BlockRef) -> Answer<'_, Vec<Receipt>> {
        let receipts = self.receipts.get(&block.number).cloned();
        Box::pin(ready(receipts.ok_or(SourceError::UnknownBlock { number: block.number })))
    }

    fn account(&self, address: Address, block: BlockRef) -> Answer<'_, SourceAccount> {
        Box::pin(ready(self.state(block).and_then(|state| state.account(address, block.number))))
    }

    fn storage(&self, address: Address, slot: U256, block: BlockRef) -> Answer<'_, U256> {
        Box::pin(ready(self.state(block).and_then(|state| state.word(address, slot, block.number))))
    }
}
