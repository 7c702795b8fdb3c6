//! The bounded cache and the bridge from the EVM's synchronous reads to an asynchronous source.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use alloy::primitives::{Address, B256, Bytes, U256};
use revm::{bytecode::Bytecode, state::AccountInfo};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::{
    error::SourceError,
    source::{BlockHead, BlockRef, Got, SourceAccount, SourceBlock, StateSource, Want},
};

/// Blocks whose state is kept; the one used longest ago goes first.
pub const CACHED_BLOCKS_MAX: usize = 64;
/// Storage words and accounts kept for one block before that block's cache starts afresh.
pub const CACHED_READS_PER_BLOCK_MAX: usize = 200_000;
/// Pieces of code kept, by hash.
pub const CACHED_CODES_MAX: usize = 2_048;
/// Remembered call targets whose reads are fetched ahead.
pub const REMEMBERED_CALLS_MAX: usize = 8_192;
/// Reads fetched ahead for one call.
pub const AHEAD_READS_MAX: usize = 256;

#[derive(Default)]
struct BlockCache {
    accounts: HashMap<Address, Option<AccountInfo>>,
    storage: HashMap<(Address, U256), U256>,
}

#[derive(Default)]
struct Cache {
    blocks: HashMap<B256, BlockCache>,
    recent: VecDeque<B256>,
    codes: HashMap<B256, Bytecode>,
    heads: HashMap<u64, BlockHead>,
    ahead: HashMap<B256, Vec<Want>>,
}

/// A source with a cache in front of it, readable from synchronous code.
///
/// Waiting needs a **multi-threaded** tokio runtime: the reading thread is parked while another
/// thread drives the I/O. On a single-threaded runtime the two would wait for each other, so a
/// source that has to wait answers [`SourceError::NeedsRuntime`] there. Sources that answer at
/// once (memory) work anywhere.
#[derive(Clone)]
pub struct Reader {
    source: Arc<dyn StateSource>,
    cache: Arc<Mutex<Cache>>,
    runtime: Option<Handle>,
}

impl Reader {
    /// Puts a fresh cache before a source, using the current runtime if it can be waited on.
    pub fn new(source: Arc<dyn StateSource>) -> Self {
        let runtime =
            Handle::try_current().ok().filter(|h| h.runtime_flavor() != RuntimeFlavor::CurrentThread);
        Self { source, cache: Arc::default(), runtime }
    }

    /// The source behind the cache.
    pub fn source(&self) -> &Arc<dyn StateSource> {
        &self.source
    }

    /// Header of a canonical block, asked anew each time since the canonical chain may change.
    pub fn head(&self, number: u64) -> Result<BlockHead, SourceError> {
        let head = self.wait(self.source.head(number))?;
        let mut cache = self.lock();
        if cache.heads.len() >= CACHED_BLOCKS_MAX * 8 {
            cache.heads.clear();
        }
        cache.heads.insert(number, head);
        Ok(head)
    }

    /// A canonical block with transactions.
    pub fn block(&self, number: u64) -> Result<SourceBlock, SourceError> {
        self.wait(self.source.block(number))
    }

    /// The chain id.
    pub fn chain_id(&self) -> Result<u64, SourceError> {
        self.wait(self.source.chain_id())
    }

    /// Number of the newest block.
    pub fn latest(&self) -> Result<u64, SourceError> {
        self.wait(self.source.latest())
    }

    /// Receipts of a block.
    pub fn receipts(&self, block: BlockRef) -> Result<Vec<crate::source::Receipt>, SourceError> {
        self.wait(self.source.receipts(block))
    }

    /// An account after a block; `None` when it does not exist.
    pub fn account(&self, address: Address, block: BlockRef) -> Result<Option<AccountInfo>, SourceError> {
        if let Some(known) = self.lock().block(block.hash).accounts.get(&address) {
            return Ok(known.clone());
        }
        let account = self.wait(self.source.account(address, block))?;
        Ok(self.lock().keep_account(block.hash, address, account))
    }

    /// Balance of an account after a block in wei, zero when it does not exist.
    pub fn balance(&self, address: Address, block: BlockRef) -> Result<U256, SourceError> {
        Ok(self.account(address, block)?.map_or(U256::ZERO, |info| info.balance))
    }

    /// Code of an account after a block, empty when it has none.
    pub fn code(&self, address: Address, block: BlockRef) -> Result<Bytecode, SourceError> {
        match self.account(address, block)? {
            None => Ok(Bytecode::default()),
            Some(AccountInfo { code: Some(code), .. }) => Ok(code),
            Some(info) => self.code_by_hash(info.code_hash),
        }
    }

    /// Code by its hash; only accounts read before can have brought it.
    pub fn code_by_hash(&self, hash: B256) -> Result<Bytecode, SourceError> {
        if hash == revm::primitives::KECCAK_EMPTY || hash == B256::ZERO {
            return Ok(Bytecode::default());
        }
        self.lock().codes.get(&hash).cloned().ok_or(SourceError::MissingCode { hash })
    }

    /// A storage word after a block.
    pub fn storage(&self, address: Address, slot: U256, block: BlockRef) -> Result<U256, SourceError> {
        if let Some(known) = self.lock().block(block.hash).storage.get(&(address, slot)) {
            return Ok(*known);
        }
        let word = self.wait(self.source.storage(address, slot, block))?;
        self.lock().block(block.hash).storage.insert((address, slot), word);
        Ok(word)
    }

    /// Hash of a canonical block below the one in use.
    pub fn block_hash(&self, number: u64) -> Result<B256, SourceError> {
        if let Some(head) = self.lock().heads.get(&number) {
            return Ok(head.block.hash);
        }
        Ok(self.head(number)?.block.hash)
    }

    /// Fetches, in one batch, what is not in the cache yet.
    pub fn prefetch(&self, wants: &[Want], block: BlockRef) -> Result<(), SourceError> {
        let missing: Vec<Want> = {
            let mut cache = self.lock();
            let known = cache.block(block.hash);
            let absent = |want: &Want| match want {
                Want::Account(address) => !known.accounts.contains_key(address),
                Want::Storage(address, slot) => !known.storage.contains_key(&(*address, *slot)),
            };
            wants.iter().copied().filter(absent).collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        let got = self.wait(self.source.read(&missing, block))?;
        let mut cache = self.lock();
        for answer in got {
            match answer {
                Got::Account(address, account) => {
                    cache.keep_account(block.hash, address, account);
                }
                Got::Storage(address, slot, word) => {
                    cache.block(block.hash).storage.insert((address, slot), word);
                }
            }
        }
        Ok(())
    }

    /// Fetches what the same call read the last time, at whatever block that was.
    pub(crate) fn fetch_ahead(&self, key: B256, block: BlockRef) -> Result<(), SourceError> {
        let wants = self.lock().ahead.get(&key).cloned().unwrap_or_default();
        self.prefetch(&wants, block)
    }

    /// Remembers what a call read, for [`Self::fetch_ahead`].
    pub(crate) fn remember(&self, key: B256, mut wants: Vec<Want>) {
        wants.truncate(AHEAD_READS_MAX);
        let mut cache = self.lock();
        if cache.ahead.len() >= REMEMBERED_CALLS_MAX {
            cache.ahead.clear();
        }
        cache.ahead.insert(key, wants);
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        // A poisoned cache still holds only complete entries, each written in one insert.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<T>(&self, answer: impl Future<Output = Result<T, SourceError>>) -> Result<T, SourceError> {
        let mut answer = pin!(answer);
        // Memory answers at once; only then can this run outside a runtime.
        if let Poll::Ready(done) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return done;
        }
        let runtime = self.runtime.as_ref().ok_or(SourceError::NeedsRuntime)?;
        tokio::task::block_in_place(|| runtime.block_on(answer))
    }
}

impl Cache {
    fn block(&mut self, hash: B256) -> &mut BlockCache {
        if self.recent.back() != Some(&hash) {
            self.recent.retain(|known| *known != hash);
            self.recent.push_back(hash);
            while self.recent.len() > CACHED_BLOCKS_MAX {
                if let Some(oldest) = self.recent.pop_front() {
                    self.blocks.remove(&oldest);
                }
            }
        }
        let block = self.blocks.entry(hash).or_default();
        if block.storage.len() + block.accounts.len() >= CACHED_READS_PER_BLOCK_MAX {
            *block = BlockCache::default();
        }
        block
    }

    fn keep_account(&mut self, block: B256, address: Address, account: SourceAccount) -> Option<AccountInfo> {
        let empty = account.nonce == 0 && account.balance.is_zero() && account.code.is_empty();
        let exists = account.empty_but_present || !empty;
        let info = exists.then(|| self.info(account));
        self.block(block).accounts.insert(address, info.clone());
        info
    }

    fn info(&mut self, account: SourceAccount) -> AccountInfo {
        let hash = account.code_hash();
        let mut info = AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: hash,
            ..Default::default()
        };
        if !account.code.is_empty() {
            if self.codes.len() >= CACHED_CODES_MAX {
                self.codes.clear();
            }
            let code = self.codes.entry(hash).or_insert_with(|| analysed(account.code)).clone();
            info.code = Some(code);
        }
        info
    }
}

fn analysed(code: Bytes) -> Bytecode {
    // Code that begins like a delegation designator but is none was deployed before the prefix was
    // reserved; it runs as ordinary code.
    Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code))
}
