//! A chain in memory: one block at a time, no fees, no nonces, and callers who need no keys.

use alloy::primitives::{Address, B256, Bytes, Log, TxKind, U256};
use alloy::sol_types::SolCall;
use breakwater_policy::ops::Clock;
use revm::context::result::{ExecutionResult, Output};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::database::InMemoryDB;
use revm::handler::MainnetContext;
use revm::primitives::hardfork::SpecId;
use revm::{Context, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext, MainnetEvm};

/// What a transaction may use: the block gas limit that the figures are given for.
pub(crate) const GAS_LIMIT: u64 = 30_000_000;
/// Chain id of the sample.
pub(crate) const CHAIN_ID: u64 = 31_337;

/// A transaction that went through.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) answer: Bytes,
    pub(crate) logs: Vec<Log>,
    /// After refunds, with the cost of the transaction itself.
    pub(crate) gas: u64,
}

/// Why a transaction or view did not go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Its revert data.
    Reverted(Bytes),
    /// Out of gas, an invalid instruction.
    Halted(String),
}

/// The chain with everything that was committed to it.
pub(crate) struct Chain {
    evm: MainnetEvm<MainnetContext<InMemoryDB>>,
    clock: Clock,
    /// Every log since the beginning, or since it was taken out.
    pub(crate) logs: Vec<(Clock, Log)>,
}

impl Clone for Chain {
    fn clone(&self) -> Self {
        let mut chain = Self::with(self.evm.ctx.journaled_state.database.clone(), self.clock);
        chain.logs.clone_from(&self.logs);
        chain
    }
}

impl Chain {
    pub(crate) fn new(clock: Clock) -> Self {
        Self::with(InMemoryDB::default(), clock)
    }

    fn with(db: InMemoryDB, clock: Clock) -> Self {
        let mut cfg = CfgEnv::new_with_spec(SpecId::PRAGUE);
        cfg.chain_id = CHAIN_ID;
        cfg.disable_nonce_check = true;
        cfg.disable_base_fee = true;
        cfg.tx_gas_limit_cap = Some(u64::MAX);
        cfg.disable_block_gas_limit = true;
        let context = Context::mainnet().with_db(db).with_cfg(cfg);
        let mut chain = Self { evm: context.build_mainnet(), clock, logs: Vec::new() };
        chain.set_clock(clock);
        chain
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Goes on to another block.
    pub(crate) fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
        self.evm.set_block(BlockEnv {
            number: U256::from(clock.block.0),
            timestamp: U256::from(clock.time.0),
            gas_limit: GAS_LIMIT,
            basefee: 0,
            ..BlockEnv::default()
        });
    }

    /// Makes the chain confirm the hash of a past block.
    pub(crate) fn set_block_hash(&mut self, number: u64, hash: B256) {
        let db = &mut self.evm.ctx.journaled_state.database;
        db.cache.block_hashes.insert(U256::from(number), hash);
    }

    /// Creates a contract; it must succeed.
    pub(crate) fn create(&mut self, from: Address, code: Bytes) -> Address {
        let result = self.evm.transact_commit(transaction(from, TxKind::Create, code, GAS_LIMIT));
        match result.expect("nothing of a transaction is invalid here") {
            ExecutionResult::Success { output: Output::Create(_, Some(address)), .. } => address,
            other => panic!("not created: {other:?}"),
        }
    }

    /// Sends a transaction and keeps its effects.
    pub(crate) fn send(&mut self, from: Address, to: Address, data: Vec<u8>) -> Result<Done, Failure> {
        let tx = transaction(from, TxKind::Call(to), data.into(), GAS_LIMIT);
        let done = outcome(self.evm.transact_commit(tx).expect("nothing of a transaction is invalid here"))?;
        self.logs.extend(done.logs.iter().map(|log| (self.clock, log.clone())));
        Ok(done)
    }

    /// What a transaction would do, whose effects are forgotten.
    pub(crate) fn dry(&mut self, from: Address, to: Address, data: Vec<u8>) -> Result<Done, Failure> {
        self.dry_with(from, to, data, GAS_LIMIT)
    }

    /// The same with another gas limit.
    pub(crate) fn dry_with(
        &mut self,
        from: Address,
        to: Address,
        data: Vec<u8>,
        gas: u64,
    ) -> Result<Done, Failure> {
        let tx = transaction(from, TxKind::Call(to), data.into(), gas);
        outcome(self.evm.transact(tx).expect("nothing of a transaction is invalid here").result)
    }

    /// Sends a transaction and decodes its answer.
    pub(crate) fn call<C: SolCall>(
        &mut self,
        from: Address,
        to: Address,
        call: &C,
    ) -> Result<C::Return, Failure> {
        let done = self.send(from, to, call.abi_encode())?;
        Ok(C::abi_decode_returns(&done.answer).expect("the answer has the type of its ABI"))
    }

    /// Asks a view; it must answer.
    pub(crate) fn view<C: SolCall>(&mut self, to: Address, call: &C) -> C::Return {
        self.try_view(to, call).unwrap_or_else(|failure| panic!("{} of {to}: {failure:?}", C::SIGNATURE))
    }

    /// Asks a view that may refuse.
    pub(crate) fn try_view<C: SolCall>(&mut self, to: Address, call: &C) -> Result<C::Return, Failure> {
        let done = self.dry(Address::ZERO, to, call.abi_encode())?;
        Ok(C::abi_decode_returns(&done.answer).expect("the answer has the type of its ABI"))
    }
}

fn transaction(from: Address, kind: TxKind, data: Bytes, gas: u64) -> TxEnv {
    TxEnv::builder()
        .caller(from)
        .kind(kind)
        .data(data)
        .gas_limit(gas)
        .gas_price(0)
        .chain_id(Some(CHAIN_ID))
        .build_fill()
}

fn outcome(result: ExecutionResult) -> Result<Done, Failure> {
    let gas = result.tx_gas_used();
    match result {
        ExecutionResult::Success { logs, output, .. } => Ok(Done { answer: output.into_data(), logs, gas }),
        ExecutionResult::Revert { output, .. } => Err(Failure::Reverted(output)),
        ExecutionResult::Halt { reason, .. } => Err(Failure::Halted(format!("{reason:?}"))),
    }
}
