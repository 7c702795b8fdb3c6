//! A private copy of the chain's state on which transactions are tried before anything is signed.
//!
//! It runs in the EVM of this program over plain `eth_getStorageAt` and the like, so it needs no special method of
//! a node, and several transactions can be tried one after another.

use alloy::primitives::{Address, Bytes, Log, U256};
use alloy::sol_types::SolCall;
use breakwater_evm::{CallOutcome, CallRequest, Ending, EvmError, Fork, off_thread};

use crate::act::words;
use crate::failure::Failure;
use crate::revert;

/// One transaction of a command.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// What it does, in words.
    pub(crate) what: String,
    /// The contract.
    pub(crate) to: Address,
    /// Calldata.
    pub(crate) data: Bytes,
}

impl Step {
    /// A call of a contract, without value.
    pub(crate) fn new(what: impl Into<String>, to: Address, call: &impl SolCall) -> Self {
        Self { what: what.into(), to, data: call.abi_encode().into() }
    }
}

/// What a step did on the bench.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    /// Gas it used.
    pub(crate) gas: u64,
    /// What it logged.
    pub(crate) logs: Vec<Log>,
}

/// The state after the newest block, in the block that is to come.
pub(crate) struct Bench {
    /// Absent only while it is on another thread, or after that thread died.
    fork: Option<Fork>,
    /// Number of the block that is to come.
    pub(crate) number: u64,
    /// Its time in seconds, as far as it can be known.
    pub(crate) time: u64,
}

impl Bench {
    /// Takes a fork that already stands in the coming block.
    pub(crate) fn new(fork: Fork, number: u64, time: u64) -> Self {
        Self { fork: Some(fork), number, time }
    }

    /// Asks a view; a revert is a failure in words.
    pub(crate) async fn view<C: SolCall>(&mut self, to: Address, call: &C) -> Result<C::Return, Failure> {
        let output = self.ask(Address::ZERO, to, call.abi_encode().into()).await?;
        let output = output.map_err(|data| words::reverted(C::SIGNATURE, &data))?;
        C::abi_decode_returns(&output).map_err(|error| words::strange(to, C::SIGNATURE, &error.to_string()))
    }

    /// Asks a view; the revert data where it reverts.
    pub(crate) async fn ask(
        &mut self,
        from: Address,
        to: Address,
        data: Bytes,
    ) -> Result<Result<Bytes, Bytes>, Failure> {
        let request = CallRequest::new(to, data).from(from);
        let outcome = self.with(move |fork| fork.quick(&request)).await?;
        Ok(match outcome.ending {
            Ending::Success => Ok(outcome.output),
            _ => Err(outcome.output),
        })
    }

    /// Runs a step and keeps what it did; a revert is a failure in words.
    pub(crate) async fn apply(&mut self, from: Address, step: &Step) -> Result<Tried, Failure> {
        let outcome = self.attempt(from, step).await?;
        match outcome.ending {
            Ending::Success => Ok(Tried { gas: outcome.gas_used, logs: outcome.logs }),
            Ending::Revert => Err(words::reverted(&step.what, &outcome.output)),
            Ending::Halt => {
                let why = revert::describe(
                    &outcome.output,
                    Some("the EVM halts: no gas left or a broken contract"),
                );
                Err(Failure::new(format!("{} would fail: {why}", step.what)))
            }
        }
    }

    /// Whether a step would run; nothing is kept.
    pub(crate) async fn would_run(&mut self, from: Address, step: &Step) -> Result<bool, Failure> {
        let request = CallRequest::new(step.to, step.data.clone()).from(from);
        Ok(self.with(move |fork| fork.quick(&request)).await?.succeeded())
    }

    async fn attempt(&mut self, from: Address, step: &Step) -> Result<CallOutcome, Failure> {
        let request = CallRequest::new(step.to, step.data.clone()).from(from).with_value(U256::ZERO);
        self.with(move |fork| fork.apply(&request)).await
    }

    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Fork) -> Result<T, EvmError> + Send + 'static,
    ) -> Result<T, Failure> {
        let Some(mut fork) = self.fork.take() else {
            return Err(Failure::new("the simulation ended early, so there is nothing to go on from"));
        };
        let (fork, done) = off_thread(move || {
            let done = work(&mut fork);
            (fork, done)
        })
        .await
        .map_err(|error| unreadable(&error))?;
        self.fork = Some(fork);
        done.map_err(|error| unreadable(&error))
    }
}

/// What to do when state for a simulation cannot be had.
pub(crate) fn unreadable(error: &EvmError) -> Failure {
    Failure::new(format!("cannot simulate: {error}"))
        .right("an endpoint that has the newest block's state")
        .more("breakwater chain check --help")
}
