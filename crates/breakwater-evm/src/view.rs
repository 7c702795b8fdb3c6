//! Running calls on pinned state: views, what-ifs with overridden words, and short simulations.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, Bytes, Keccak256, Log, TxKind, U256};
use revm::{
    Context, ExecuteEvm, InspectEvm, MainBuilder, MainContext,
    bytecode::Bytecode,
    context::{BlockEnv, CfgEnv, TxEnv, result::EVMError, result::ExecResultAndState},
    context_interface::result::{ExecutionResult, Output},
    database::CacheDB,
    database_interface::DatabaseCommit,
    primitives::hardfork::SpecId,
    state::EvmState,
};

use crate::{
    cache::Reader,
    db::PinnedDb,
    error::{EvmError, SourceError},
    recorder::Recorder,
    rules::{Rules, environment},
    source::{BlockHead, BlockRef, Want},
    trace::Trace,
};

/// Gas a simulated call may use unless it says otherwise; what most nodes allow for `eth_call`.
pub const CALL_GAS: u64 = 30_000_000;

/// Words and balances that a call sees instead of the chain's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Balances in wei.
    pub balances: BTreeMap<Address, U256>,
    /// Storage words by account and slot.
    pub storage: BTreeMap<(Address, U256), U256>,
    /// Runtime code.
    pub code: BTreeMap<Address, Bytes>,
}

/// A call to simulate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRequest {
    /// Account called.
    pub to: Address,
    /// Calldata.
    pub data: Bytes,
    /// Sender; it may be a contract.
    pub caller: Address,
    /// Wei sent.
    pub value: U256,
    /// Gas limit.
    pub gas: u64,
    /// What the call sees instead of the chain's own state.
    pub overrides: Overrides,
}

impl CallRequest {
    /// A call from the zero address without value or overrides.
    pub fn new(to: Address, data: impl Into<Bytes>) -> Self {
        Self {
            to,
            data: data.into(),
            caller: Address::ZERO,
            value: U256::ZERO,
            gas: CALL_GAS,
            overrides: Overrides::default(),
        }
    }

    /// The same call from this sender.
    pub fn from(mut self, caller: Address) -> Self {
        self.caller = caller;
        self
    }

    /// The same call with this many wei.
    pub fn with_value(mut self, value: U256) -> Self {
        self.value = value;
        self
    }

    /// The same call seeing another word in a slot.
    pub fn with_word(mut self, account: Address, slot: U256, word: U256) -> Self {
        self.overrides.storage.insert((account, slot), word);
        self
    }

    /// The same call seeing another balance.
    pub fn with_balance(mut self, account: Address, balance: U256) -> Self {
        self.overrides.balances.insert(account, balance);
        self
    }

    fn key(&self) -> B256 {
        let mut hasher = Keccak256::new();
        hasher.update(self.to);
        hasher.update(self.caller);
        hasher.update(&self.data);
        hasher.finalize()
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Returned.
    Success,
    /// Reverted; the output holds the reason.
    Revert,
    /// Ran out of gas, hit an invalid operation, and the like.
    Halt,
}

/// Net change of one account over a call or transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// Balance in wei before and after.
    pub balance: (U256, U256),
    /// Nonce before and after.
    pub nonce: (u64, u64),
    /// Code hash before and after.
    pub code_hash: (B256, B256),
    /// Code after, where it changed.
    pub code: Option<Bytes>,
    /// Words that ended up different: before and after.
    pub storage: BTreeMap<U256, (U256, U256)>,
    /// Whether the account was created in it.
    pub created: bool,
}

/// Net changes by account. Accounts only touched are left out.
pub type Changes = BTreeMap<Address, AccountChange>;

/// What a call or transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallOutcome {
    /// How it ended.
    pub ending: Ending,
    /// Return data, revert data, or nothing after a halt.
    pub output: Bytes,
    /// Gas used after refunds.
    pub gas_used: u64,
    /// Logs that stand.
    pub logs: Vec<Log>,
    /// The contract a creation made.
    pub created: Option<Address>,
    /// Frames and accesses; empty when it was run without recording.
    pub trace: Trace,
    /// Net changes of state; gas payments included where gas has a price.
    pub changes: Changes,
}

impl CallOutcome {
    /// Whether it returned.
    pub fn succeeded(&self) -> bool {
        self.ending == Ending::Success
    }

    /// The output as one 32-byte word, if it succeeded and is exactly that.
    pub fn word(&self) -> Option<U256> {
        (self.succeeded() && self.output.len() == 32).then(|| U256::from_be_slice(&self.output))
    }

    /// The 32-byte words of a successful output, if it is whole words.
    pub fn words(&self) -> Option<Vec<U256>> {
        let whole = self.succeeded() && !self.output.is_empty() && self.output.len().is_multiple_of(32);
        whole.then(|| self.output.chunks(32).map(U256::from_be_slice).collect())
    }
}

/// The state after one block, on which calls can be run.
#[derive(Clone)]
pub struct View {
    reader: Reader,
    head: BlockHead,
    chain_id: u64,
    fork: SpecId,
}

impl View {
    /// Opens the state after a canonical block.
    ///
    /// # Errors
    /// The source's own error when it does not have the block.
    pub fn at(reader: &Reader, number: u64, rules: Rules) -> Result<Self, EvmError> {
        let head = reader.head(number)?;
        let chain_id = reader.chain_id()?;
        Ok(Self { reader: reader.clone(), head, chain_id, fork: rules.fork(chain_id, &head) })
    }

    /// The block the view is pinned to.
    pub fn block(&self) -> BlockRef {
        self.head.block
    }

    /// Header of the block the view is pinned to.
    pub fn head(&self) -> &BlockHead {
        &self.head
    }

    /// The cache behind the view.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// A storage word.
    pub fn storage(&self, account: Address, slot: U256) -> Result<U256, EvmError> {
        Ok(self.reader.storage(account, slot, self.block())?)
    }

    /// A balance in wei.
    pub fn balance(&self, account: Address) -> Result<U256, EvmError> {
        Ok(self.reader.balance(account, self.block())?)
    }

    /// Runtime code; empty for an externally owned account.
    pub fn code(&self, account: Address) -> Result<Bytes, EvmError> {
        Ok(self.reader.code(account, self.block())?.original_bytes())
    }

    /// Hash of the runtime code, as an account proof would show it; zero for an absent account.
    pub fn code_hash(&self, account: Address) -> Result<B256, EvmError> {
        Ok(self.reader.account(account, self.block())?.map_or(B256::ZERO, |info| info.code_hash))
    }

    /// Runs a call and records what it did.
    ///
    /// The call runs like `eth_call` at the pinned block: in that block's environment, on the state
    /// after it, with gas free of charge.
    ///
    /// # Errors
    /// When state is missing; a revert or halt is an outcome, not an error.
    pub fn call(&self, request: &CallRequest) -> Result<CallOutcome, EvmError> {
        self.reader.fetch_ahead(request.key(), self.block())?;
        let outcome = self.fork().run(request)?;
        self.reader.remember(request.key(), wants(&outcome.trace));
        Ok(outcome)
    }

    /// Runs a call without recording, which is several times faster.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn quick(&self, request: &CallRequest) -> Result<CallOutcome, EvmError> {
        self.fork().quick(request)
    }

    /// Opens a private copy of the state in which calls can be committed one after another.
    pub fn fork(&self) -> Fork {
        let db = PinnedDb { reader: self.reader.clone(), block: self.block() };
        Fork {
            db: CacheDB::new(db),
            env: environment(&self.head, self.fork),
            fork: self.fork,
            chain_id: self.chain_id,
        }
    }
}

/// A private copy of the state, for simulations of several steps. Nothing leaves it.
#[derive(Clone)]
pub struct Fork {
    db: CacheDB<PinnedDb>,
    env: BlockEnv,
    fork: SpecId,
    chain_id: u64,
}

impl Fork {
    /// Runs a call, records it and forgets its effects.
    ///
    /// # Errors
    /// When state is missing.
    pub fn run(&mut self, request: &CallRequest) -> Result<CallOutcome, EvmError> {
        Ok(self.execute(request, true, false)?.0)
    }

    /// Runs a call without recording and forgets its effects.
    ///
    /// # Errors
    /// When state is missing.
    pub fn quick(&mut self, request: &CallRequest) -> Result<CallOutcome, EvmError> {
        Ok(self.execute(request, false, false)?.0)
    }

    /// Runs a call, records it and keeps its effects for the calls that follow.
    ///
    /// # Errors
    /// When state is missing.
    pub fn apply(&mut self, request: &CallRequest) -> Result<CallOutcome, EvmError> {
        let (outcome, state) = self.execute(request, true, true)?;
        self.db.commit(state);
        Ok(outcome)
    }

    /// Lets time pass: the next calls run this many seconds and blocks later.
    pub fn advance(&mut self, seconds: u64, blocks: u64) {
        self.env.timestamp = self.env.timestamp.saturating_add(U256::from(seconds));
        self.env.number = self.env.number.saturating_add(U256::from(blocks));
    }

    /// Sets a balance in wei.
    ///
    /// # Errors
    /// When the account cannot be read.
    pub fn set_balance(&mut self, account: Address, balance: U256) -> Result<(), EvmError> {
        let mut info = self.db.load_account(account)?.info().unwrap_or_default();
        info.balance = balance;
        self.db.insert_account_info(account, info);
        Ok(())
    }

    /// Sets a storage word.
    ///
    /// # Errors
    /// When the account cannot be read.
    pub fn set_storage(&mut self, account: Address, slot: U256, word: U256) -> Result<(), EvmError> {
        Ok(self.db.insert_account_storage(account, slot, word)?)
    }

    /// A storage word as the simulation has it.
    ///
    /// # Errors
    /// When the word cannot be read.
    pub fn storage(&self, account: Address, slot: U256) -> Result<U256, EvmError> {
        use revm::database_interface::DatabaseRef;
        Ok(self.db.storage_ref(account, slot)?)
    }

    /// A balance in wei as the simulation has it.
    ///
    /// # Errors
    /// When the account cannot be read.
    pub fn balance(&self, account: Address) -> Result<U256, EvmError> {
        use revm::database_interface::DatabaseRef;
        Ok(self.db.basic_ref(account)?.map_or(U256::ZERO, |info| info.balance))
    }

    fn execute(
        &mut self,
        request: &CallRequest,
        record: bool,
        keep: bool,
    ) -> Result<(CallOutcome, EvmState), EvmError> {
        let tx = TxEnv::builder()
            .caller(request.caller)
            .kind(TxKind::Call(request.to))
            .data(request.data.clone())
            .value(request.value)
            .gas_limit(request.gas)
            .gas_price(0)
            .build_fill();
        let mut cfg = CfgEnv::new_with_spec(self.fork);
        cfg.chain_id = self.chain_id;
        cfg.tx_chain_id_check = false;
        cfg.disable_nonce_check = true;
        cfg.disable_base_fee = true;
        cfg.disable_eip3607 = true;
        cfg.disable_block_gas_limit = true;
        cfg.tx_gas_limit_cap = Some(u64::MAX);
        if request.overrides == Overrides::default() {
            return execute(&mut self.db, self.env.clone(), cfg, tx, record);
        }
        if keep {
            self.impose(&request.overrides)?;
            return execute(&mut self.db, self.env.clone(), cfg, tx, record);
        }
        let mut private = self.clone();
        private.impose(&request.overrides)?;
        execute(&mut private.db, self.env.clone(), cfg, tx, record)
    }

    fn impose(&mut self, overrides: &Overrides) -> Result<(), EvmError> {
        for (account, balance) in &overrides.balances {
            self.set_balance(*account, *balance)?;
        }
        for (account, code) in &overrides.code {
            let mut info = self.db.load_account(*account)?.info().unwrap_or_default();
            let code = Bytecode::new_legacy(code.clone());
            info.code_hash = code.hash_slow();
            info.code = Some(code);
            self.db.insert_account_info(*account, info);
        }
        for ((account, slot), word) in &overrides.storage {
            self.set_storage(*account, *slot, *word)?;
        }
        Ok(())
    }
}

/// Runs one transaction on a database without committing it.
pub(crate) fn execute(
    db: &mut CacheDB<PinnedDb>,
    env: BlockEnv,
    cfg: CfgEnv,
    tx: TxEnv,
    record: bool,
) -> Result<(CallOutcome, EvmState), EvmError> {
    let context = Context::mainnet().with_db(db).with_block(env).with_cfg(cfg);
    let (done, trace) = if record {
        let mut evm = context.build_mainnet_with_inspector(Recorder::default());
        let done = evm.inspect_tx(tx).map_err(evm_error)?;
        (done, std::mem::take(&mut evm.inspector).finish())
    } else {
        let mut evm = context.build_mainnet();
        (evm.transact(tx).map_err(evm_error)?, Trace::default())
    };
    let ExecResultAndState { result, state } = done;
    let changes = changes(&state);
    Ok((outcome(result, trace, changes), state))
}

fn evm_error(error: EVMError<SourceError>) -> EvmError {
    match error {
        EVMError::Database(source) => EvmError::Source(source),
        other => EvmError::Invalid { detail: other.to_string() },
    }
}

fn outcome(result: ExecutionResult, trace: Trace, changes: Changes) -> CallOutcome {
    let gas_used = result.tx_gas_used();
    let created = result.created_address();
    let (ending, output, logs) = match result {
        ExecutionResult::Success { output: Output::Call(data), logs, .. } => (Ending::Success, data, logs),
        ExecutionResult::Success { output: Output::Create(data, _), logs, .. } => {
            (Ending::Success, data, logs)
        }
        ExecutionResult::Revert { output, .. } => (Ending::Revert, output, Vec::new()),
        ExecutionResult::Halt { .. } => (Ending::Halt, Bytes::new(), Vec::new()),
    };
    CallOutcome { ending, output, gas_used, logs, created, trace, changes }
}

fn changes(state: &EvmState) -> Changes {
    let mut changes = Changes::new();
    for (address, account) in state.iter().filter(|(_, account)| account.is_touched()) {
        let before = account.original_info();
        let storage: BTreeMap<U256, (U256, U256)> = account
            .changed_storage_slots()
            .map(|(slot, word)| (U256::from(*slot), (word.original_value, word.present_value)))
            .collect();
        let code_hash = (before.code_hash, account.info.code_hash);
        let code = (code_hash.0 != code_hash.1)
            .then(|| account.info.code.as_ref().map(Bytecode::original_bytes).unwrap_or_default());
        let change = AccountChange {
            balance: (before.balance, account.info.balance),
            nonce: (before.nonce, account.info.nonce),
            code_hash,
            code,
            storage,
            created: account.is_created(),
        };
        let moved = change.balance.0 != change.balance.1 || change.nonce.0 != change.nonce.1;
        if moved || change.code.is_some() || change.created || !change.storage.is_empty() {
            changes.insert(*address, change);
        }
    }
    changes
}

fn wants(trace: &Trace) -> Vec<Want> {
    let mut wants: Vec<Want> = trace.loads().map(|(account, slot, _)| Want::Storage(account, slot)).collect();
    wants.extend(trace.frames.iter().flat_map(|f| [Want::Account(f.account), Want::Account(f.code)]));
    wants.extend(trace.balances().map(|(account, _)| Want::Account(account)));
    wants.sort_unstable();
    wants.dedup();
    wants
}
