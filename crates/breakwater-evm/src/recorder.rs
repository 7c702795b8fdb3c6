//! The inspector that writes a [`Trace`].

use alloy::primitives::{Address, B256, Bytes, Log, U256};
use revm::{
    context_interface::{ContextTr, JournalTr},
    inspector::{Inspector, JournalExt},
    interpreter::{
        CallInputs, CallOutcome, CallScheme, CreateInputs, CreateOutcome, Interpreter,
        interpreter::EthInterpreter,
        interpreter_types::{InputsTr, Jumps, LoopControl, MemoryTr},
    },
};

use crate::trace::{
    Access, Entry, FRAME_BYTES_MAX, Frame, FrameKind, PREIMAGE_BYTES_MAX, TRACE_ENTRIES_MAX, Trace,
};

const KECCAK256: u8 = 0x20;
const BALANCE: u8 = 0x31;
const EXTCODESIZE: u8 = 0x3b;
const EXTCODECOPY: u8 = 0x3c;
const EXTCODEHASH: u8 = 0x3f;
const SELFBALANCE: u8 = 0x47;
const SLOAD: u8 = 0x54;
const SSTORE: u8 = 0x55;

/// An operation begun in `step` whose result is known in `step_end`.
enum Pending {
    Load { account: Address, slot: U256 },
    Store { account: Address, slot: U256, before: Option<U256>, after: U256 },
    Balance { account: Address },
    Hash { preimage: Bytes },
}

/// Records frames and accesses, up to [`TRACE_ENTRIES_MAX`].
#[derive(Default)]
pub(crate) struct Recorder {
    trace: Trace,
    /// Open frames; `None` for one that was entered after the limit.
    open: Vec<Option<usize>>,
    pending: Option<Pending>,
}

impl Recorder {
    /// The finished trace.
    pub(crate) fn finish(mut self) -> Trace {
        self.trace.settle();
        self.trace
    }

    fn full(&mut self) -> bool {
        let full = self.trace.entries.len() >= TRACE_ENTRIES_MAX;
        self.trace.truncated |= full;
        full
    }

    fn push(&mut self, access: Access) {
        if self.full() {
            return;
        }
        if let Some(Some(frame)) = self.open.last().copied() {
            self.trace.entries.push(Entry { frame, access });
        }
    }

    fn enter(&mut self, frame: Frame) {
        if self.full() {
            self.open.push(None);
            return;
        }
        let index = self.trace.frames.len();
        self.trace.frames.push(frame);
        // The entry stands in the frame that made the call, so that a transfer made by a call that
        // failed inside is judged by the callee's own mark.
        let within = self.open.last().copied().flatten().unwrap_or(index);
        self.trace.entries.push(Entry { frame: within, access: Access::Enter(index) });
        self.open.push(Some(index));
    }

    fn leave(&mut self, success: bool, output: &Bytes, created: Option<Address>) {
        if let Some(Some(index)) = self.open.pop()
            && let Some(frame) = self.trace.frames.get_mut(index)
        {
            frame.success = success;
            frame.output = cut(output);
            if let Some(created) = created {
                frame.account = created;
                frame.code = created;
            }
        }
    }

    fn parent(&self) -> Option<usize> {
        self.open.last().copied().flatten()
    }

    fn begin(
        &self,
        op: u8,
        interp: &Interpreter<EthInterpreter>,
        before: impl Fn(U256) -> Option<U256>,
    ) -> Option<Pending> {
        let top = |n: usize| interp.stack.peek(n).ok();
        let account = interp.input.target_address();
        match op {
            SLOAD => Some(Pending::Load { account, slot: top(0)? }),
            SSTORE => {
                let slot = top(0)?;
                Some(Pending::Store { account, slot, before: before(slot), after: top(1)? })
            }
            BALANCE => Some(Pending::Balance { account: address(top(0)?) }),
            SELFBALANCE => Some(Pending::Balance { account }),
            KECCAK256 => Some(Pending::Hash { preimage: preimage(interp, top(0)?, top(1)?)? }),
            _ => None,
        }
    }
}

impl<CTX: ContextTr<Journal: JournalExt>> Inspector<CTX, EthInterpreter> for Recorder {
    fn step(&mut self, interp: &mut Interpreter<EthInterpreter>, context: &mut CTX) {
        let op = interp.bytecode.opcode();
        match op {
            SLOAD | SSTORE | BALANCE | SELFBALANCE | KECCAK256 => {
                let account = interp.input.target_address();
                let state = context.journal_ref().evm_state();
                let before = |slot: U256| {
                    let known = state.get(&account)?.storage.get(&slot)?;
                    Some(U256::from(known.present_value))
                };
                self.pending = self.begin(op, interp, before);
            }
            EXTCODESIZE | EXTCODECOPY | EXTCODEHASH => {
                if let Ok(word) = interp.stack.peek(0) {
                    self.push(Access::Code { account: address(word) });
                }
            }
            _ => {}
        }
    }

    fn step_end(&mut self, interp: &mut Interpreter<EthInterpreter>, context: &mut CTX) {
        let Some(pending) = self.pending.take() else { return };
        if interp.bytecode.is_end() {
            // The operation itself failed (out of gas, static violation): nothing was read.
            return;
        }
        let top = interp.stack.peek(0).unwrap_or(U256::ZERO);
        let access = match pending {
            Pending::Load { account, slot } => Access::Load { account, slot, value: top },
            Pending::Balance { account } => Access::Balance { account, value: top },
            Pending::Hash { preimage } => Access::Hash { preimage, hash: B256::from(top) },
            Pending::Store { account, slot, before, after } => {
                // A word that was not loaded before this write still had the value it had when the
                // transaction began, which the journal keeps beside the new one.
                let began = || {
                    let state = context.journal_ref().evm_state();
                    let known = state.get(&account)?.storage.get(&slot)?;
                    Some(U256::from(known.original_value))
                };
                let Some(before) = before.or_else(began) else { return };
                Access::Store { account, slot, before, after }
            }
        };
        self.push(access);
    }

    fn log(&mut self, _: &mut CTX, log: Log) {
        self.push(Access::Log(log));
    }

    fn call(&mut self, context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        let kind = match inputs.scheme {
            CallScheme::Call => FrameKind::Call,
            CallScheme::CallCode => FrameKind::CallCode,
            CallScheme::DelegateCall => FrameKind::DelegateCall,
            CallScheme::StaticCall => FrameKind::StaticCall,
        };
        let frame = Frame {
            parent: self.parent(),
            depth: self.open.len(),
            kind,
            caller: inputs.caller,
            account: inputs.target_address,
            code: inputs.bytecode_address,
            value: if inputs.transfers_value() { inputs.call_value() } else { U256::ZERO },
            input: cut(&inputs.input.bytes(context)),
            output: Bytes::new(),
            success: false,
            stands: false,
        };
        self.enter(frame);
        None
    }

    fn call_end(&mut self, _: &mut CTX, _: &CallInputs, outcome: &mut CallOutcome) {
        self.pending = None;
        self.leave(outcome.result.is_ok(), &outcome.result.output, None);
    }

    fn create(&mut self, _: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        let frame = Frame {
            parent: self.parent(),
            depth: self.open.len(),
            kind: FrameKind::Create,
            caller: inputs.caller(),
            account: Address::ZERO,
            code: Address::ZERO,
            value: inputs.value(),
            input: Bytes::new(),
            output: Bytes::new(),
            success: false,
            stands: false,
        };
        self.enter(frame);
        None
    }

    fn create_end(&mut self, _: &mut CTX, _: &CreateInputs, outcome: &mut CreateOutcome) {
        self.pending = None;
        self.leave(outcome.result.is_ok(), &Bytes::new(), outcome.address);
    }

    fn selfdestruct(&mut self, account: Address, heir: Address, value: U256) {
        self.push(Access::Destruct { account, heir, value });
    }
}

fn address(word: U256) -> Address {
    Address::from_word(B256::from(word))
}

fn cut(bytes: &Bytes) -> Bytes {
    if bytes.len() <= FRAME_BYTES_MAX {
        bytes.clone()
    } else {
        Bytes::copy_from_slice(&bytes[..FRAME_BYTES_MAX])
    }
}

/// The memory about to be hashed, if it is short enough and already paid for; memory beyond what
/// has been touched reads as zero, as it will once the operation has grown it.
fn preimage(interp: &Interpreter<EthInterpreter>, offset: U256, len: U256) -> Option<Bytes> {
    let len = usize::try_from(len).ok().filter(|len| *len <= PREIMAGE_BYTES_MAX)?;
    let offset = usize::try_from(offset).ok()?;
    let have = interp.memory.size().saturating_sub(offset).min(len);
    let mut bytes = vec![0u8; len];
    if have > 0 {
        bytes[..have].copy_from_slice(&interp.memory.slice(offset..offset + have));
    }
    Some(bytes.into())
}
