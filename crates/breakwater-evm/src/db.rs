//! The EVM's database: reads at one pinned block through the cache.

use alloy::primitives::{Address, B256, U256};
use revm::{
    bytecode::Bytecode,
    database_interface::DatabaseRef,
    primitives::{StorageKey, StorageValue},
    state::AccountInfo,
};

use crate::{cache::Reader, error::SourceError, source::BlockRef};

/// State after one block, read-only.
#[derive(Clone)]
pub(crate) struct PinnedDb {
    pub(crate) reader: Reader,
    pub(crate) block: BlockRef,
}

impl DatabaseRef for PinnedDb {
    type Error = SourceError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, SourceError> {
        self.reader.account(address, self.block)
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, SourceError> {
        self.reader.code_by_hash(code_hash)
    }

    fn storage_ref(&self, address: Address, slot: StorageKey) -> Result<StorageValue, SourceError> {
        self.reader.storage(address, U256::from(slot), self.block)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, SourceError> {
        if number == self.block.number { Ok(self.block.hash) } else { self.reader.block_hash(number) }
    }
}
