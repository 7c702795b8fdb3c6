//! Who acts when, and what an operation leaves behind.

use alloy_primitives::Address;
use breakwater_primitives::{Block, Time};

use crate::events::{Event, Log};

/// Where an operation stands: the twin has no clock of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Time of the block.
    pub time: Time,
    /// Number of the block.
    pub block: Block,
    /// The account that calls.
    pub caller: Address,
}

/// What an operation answered and logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effects<T = ()> {
    /// The contracts' return value.
    pub value: T,
    /// Logs in the order of their making.
    pub logs: Vec<Log>,
}

/// One operation under way: its context and the logs so far.
#[derive(Debug)]
pub(crate) struct Cx {
    pub(crate) time: Time,
    pub(crate) block: Block,
    pub(crate) caller: Address,
    pub(crate) logs: Vec<Log>,
}

impl Cx {
    pub(crate) fn new(context: Context) -> Self {
        Self { time: context.time, block: context.block, caller: context.caller, logs: Vec::new() }
    }

    pub(crate) fn emit(&mut self, emitter: Address, event: Event) {
        self.logs.push(Log { emitter, time: self.time, block: self.block, event });
    }
}
