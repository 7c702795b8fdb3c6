//! Running a block's own transactions again, to see what they did.

use alloy::{
    consensus::{Transaction, Typed2718},
    primitives::{Address, B256, Bytes, U256, address},
};
use revm::{
    Context, ExecuteEvm, MainBuilder, MainContext, SystemCallEvm,
    context::{BlockEnv, CfgEnv, TxEnv},
    database::CacheDB,
    database_interface::{DatabaseCommit, DatabaseRef},
    primitives::hardfork::SpecId,
};

use crate::{
    cache::Reader,
    db::PinnedDb,
    error::EvmError,
    rules::{Rules, environment},
    source::{BlockHead, BlockRef, Receipt, SourceBlock, SourceTransaction, Want},
    view::{CallOutcome, execute},
};

/// Transactions replayed for one block; more is an error, so that memory stays bounded.
pub const BLOCK_TRANSACTIONS_MAX: usize = 5_000;

/// Where EIP-2935 keeps the hashes of past blocks.
const HISTORY_CONTRACT: Address = address!("0x0000F90827F1C53a10cb7A02335B175320002935");
/// Where EIP-4788 keeps the roots of beacon blocks.
const BEACON_CONTRACT: Address = address!("0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02");

/// A replayed transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxReplay {
    /// Transaction hash.
    pub hash: B256,
    /// Sender.
    pub from: Address,
    /// Receiver; `None` for a creation.
    pub to: Option<Address>,
    /// Wei sent.
    pub value: U256,
    /// Calldata.
    pub input: Bytes,
    /// What it did.
    pub outcome: CallOutcome,
}

/// A replayed block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockReplay {
    /// The block's header.
    pub head: BlockHead,
    /// Its transactions in order.
    pub transactions: Vec<TxReplay>,
}

impl BlockReplay {
    /// Compares status, gas and number of logs with the block's receipts.
    ///
    /// # Errors
    /// [`EvmError::ReceiptDiffers`] names the first difference.
    pub fn check(&self, receipts: &[Receipt]) -> Result<(), EvmError> {
        if receipts.len() != self.transactions.len() {
            return Err(EvmError::ReceiptDiffers {
                hash: self.head.block.hash,
                field: "number of receipts",
                expected: receipts.len() as u64,
                got: self.transactions.len() as u64,
            });
        }
        self.transactions.iter().zip(receipts).try_for_each(|(tx, receipt)| check_one(tx, receipt))
    }
}

fn check_one(tx: &TxReplay, receipt: &Receipt) -> Result<(), EvmError> {
    let status = u64::from(tx.outcome.succeeded());
    let fields = [
        ("status", receipt.status.map_or(status, u64::from), status),
        ("gas", receipt.gas_used, tx.outcome.gas_used),
        ("number of logs", receipt.logs, tx.outcome.logs.len() as u64),
    ];
    for (field, expected, got) in fields {
        if expected != got {
            return Err(EvmError::ReceiptDiffers { hash: tx.hash, field, expected, got });
        }
    }
    Ok(())
}

/// Replays a canonical block on the state after its parent.
///
/// Run it where blocking is allowed (`spawn_blocking`, `block_in_place`, a plain thread).
///
/// # Errors
/// When state is missing, a transaction is invalid on it, or the block is larger than
/// [`BLOCK_TRANSACTIONS_MAX`].
pub fn replay_block(reader: &Reader, number: u64, rules: Rules) -> Result<BlockReplay, EvmError> {
    replay_part(reader, number, rules, usize::MAX)
}

/// Replays one transaction, and what comes before it in its block.
///
/// # Errors
/// As [`replay_block`]; [`EvmError::Invalid`] when the block has no such transaction.
pub fn replay_tx(reader: &Reader, number: u64, index: usize, rules: Rules) -> Result<TxReplay, EvmError> {
    let mut replay = replay_part(reader, number, rules, index.saturating_add(1))?;
    let count = replay.transactions.len();
    match replay.transactions.pop() {
        Some(tx) if count == index.saturating_add(1) => Ok(tx),
        _ => Err(EvmError::Invalid { detail: format!("block {number} has no transaction {index}") }),
    }
}

fn replay_part(reader: &Reader, number: u64, rules: Rules, count: usize) -> Result<BlockReplay, EvmError> {
    let block = reader.block(number)?;
    if block.transactions.len() > BLOCK_TRANSACTIONS_MAX {
        return Err(EvmError::Limit {
            what: "transactions of a block",
            limit: BLOCK_TRANSACTIONS_MAX,
            got: block.transactions.len(),
        });
    }
    let parent = BlockRef { number: number.saturating_sub(1), hash: block.head.parent };
    let chain_id = reader.chain_id()?;
    let fork = rules.fork(chain_id, &block.head);
    fetch_ahead(reader, &block, parent)?;
    let mut run = Run {
        db: CacheDB::new(PinnedDb { reader: reader.clone(), block: parent }),
        env: environment(&block.head, fork),
        fork,
        chain_id,
    };
    run.system_calls(&block.head)?;
    let mut transactions = Vec::with_capacity(block.transactions.len().min(count));
    for tx in block.transactions.iter().take(count) {
        transactions.push(run.transaction(tx)?);
    }
    Ok(BlockReplay { head: block.head, transactions })
}

/// Senders, receivers and access lists are known before anything runs: one batch brings them.
fn fetch_ahead(reader: &Reader, block: &SourceBlock, parent: BlockRef) -> Result<(), EvmError> {
    let mut wants = vec![Want::Account(block.head.beneficiary)];
    for tx in &block.transactions {
        wants.push(Want::Account(tx.from));
        wants.extend(tx.envelope.to().map(Want::Account));
        for item in tx.envelope.access_list().into_iter().flat_map(|list| list.iter()) {
            wants.push(Want::Account(item.address));
            wants.extend(item.storage_keys.iter().map(|key| Want::Storage(item.address, (*key).into())));
        }
    }
    wants.sort_unstable();
    wants.dedup();
    Ok(reader.prefetch(&wants, parent)?)
}

struct Run {
    db: CacheDB<PinnedDb>,
    env: BlockEnv,
    fork: SpecId,
    chain_id: u64,
}

impl Run {
    /// What the protocol itself writes before the first transaction of a block.
    fn system_calls(&mut self, head: &BlockHead) -> Result<(), EvmError> {
        if let Some(root) = head.parent_beacon_root
            && self.fork.is_enabled_in(SpecId::CANCUN)
        {
            self.system_call(BEACON_CONTRACT, root)?;
        }
        if self.fork.is_enabled_in(SpecId::PRAGUE) {
            self.system_call(HISTORY_CONTRACT, head.parent)?;
        }
        Ok(())
    }

    fn system_call(&mut self, contract: Address, word: B256) -> Result<(), EvmError> {
        let deployed = self.db.basic_ref(contract)?.is_some_and(|info| !info.is_empty_code_hash());
        if !deployed {
            // Development chains leave the system contracts out; there the call does nothing.
            return Ok(());
        }
        let cfg = self.cfg();
        let context = Context::mainnet().with_db(&mut self.db).with_block(self.env.clone()).with_cfg(cfg);
        let mut evm = context.build_mainnet();
        evm.system_call_one(contract, word.into())
            .map_err(|error| EvmError::Invalid { detail: format!("system call: {error}") })?;
        let state = evm.finalize();
        self.db.commit(state);
        Ok(())
    }

    fn transaction(&mut self, tx: &SourceTransaction) -> Result<TxReplay, EvmError> {
        let env = environment_of(tx)?;
        let cfg = self.cfg();
        let (outcome, state) = execute(&mut self.db, self.env.clone(), cfg, env, true)?;
        self.db.commit(state);
        Ok(TxReplay {
            hash: tx.hash,
            from: tx.from,
            to: tx.envelope.to(),
            value: tx.envelope.value(),
            input: tx.envelope.input().clone(),
            outcome,
        })
    }

    fn cfg(&self) -> CfgEnv {
        let mut cfg = CfgEnv::new_with_spec(self.fork);
        cfg.chain_id = self.chain_id;
        cfg
    }
}

fn environment_of(tx: &SourceTransaction) -> Result<TxEnv, EvmError> {
    let signed = &tx.envelope;
    let mut env = TxEnv::builder()
        .tx_type(Some(signed.ty()))
        .caller(tx.from)
        .gas_limit(signed.gas_limit())
        .gas_price(signed.max_fee_per_gas())
        .gas_priority_fee(signed.max_priority_fee_per_gas())
        .kind(signed.kind())
        .value(signed.value())
        .data(signed.input().clone())
        .nonce(signed.nonce())
        .chain_id(signed.chain_id());
    if let Some(list) = signed.access_list() {
        env = env.access_list(list.clone());
    }
    if let Some(hashes) = signed.blob_versioned_hashes() {
        env =
            env.blob_hashes(hashes.to_vec()).max_fee_per_blob_gas(signed.max_fee_per_blob_gas().unwrap_or(0));
    }
    if let Some(list) = signed.authorization_list() {
        env = env.authorization_list_signed(list.to_vec());
    }
    env.build().map_err(|error| EvmError::Invalid { detail: format!("{}: {error:?}", tx.hash) })
}
