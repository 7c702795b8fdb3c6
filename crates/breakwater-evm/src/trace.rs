//! What a piece of code did: call frames and every access to state, in order.

use alloy::primitives::{Address, B256, Bytes, Log, U256, b256};

/// Accesses and frames recorded for one transaction or call; past it the trace is marked truncated.
pub const TRACE_ENTRIES_MAX: usize = 400_000;
/// Bytes of a frame's input or output that are kept.
pub const FRAME_BYTES_MAX: usize = 4_096;
/// Longest preimage of a hash that is kept; mapping slots need 64 bytes.
pub const PREIMAGE_BYTES_MAX: usize = 256;

/// Topic of the ERC-20 `Transfer(address,address,uint256)` event.
pub const TRANSFER_TOPIC: B256 = b256!("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

/// How a frame was entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// `CALL`, or the transaction itself.
    Call,
    /// `CALLCODE`.
    CallCode,
    /// `DELEGATECALL`.
    DelegateCall,
    /// `STATICCALL`.
    StaticCall,
    /// `CREATE` or `CREATE2`, or a creating transaction.
    Create,
}

/// One call frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Index of the frame that entered this one.
    pub parent: Option<usize>,
    /// Depth, 0 for the outermost.
    pub depth: usize,
    /// How it was entered.
    pub kind: FrameKind,
    /// Account that entered it.
    pub caller: Address,
    /// Account whose storage and balance it works on; the created account for a creation.
    pub account: Address,
    /// Account whose code runs; differs from `account` under `DELEGATECALL`.
    pub code: Address,
    /// Wei transferred; zero for delegate and static calls.
    pub value: U256,
    /// Input, cut at [`FRAME_BYTES_MAX`].
    pub input: Bytes,
    /// Output, cut at [`FRAME_BYTES_MAX`].
    pub output: Bytes,
    /// Whether it ended well.
    pub success: bool,
    /// Whether it and every frame above it ended well, so that its effects stand.
    pub stands: bool,
}

impl Frame {
    /// The first four bytes of the input.
    pub fn selector(&self) -> Option<[u8; 4]> {
        self.input.get(..4).and_then(|bytes| bytes.try_into().ok())
    }
}

/// One access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// `SLOAD`.
    Load {
        /// Account whose storage was read.
        account: Address,
        /// Slot.
        slot: U256,
        /// Word found.
        value: U256,
    },
    /// `SSTORE`.
    Store {
        /// Account whose storage was written.
        account: Address,
        /// Slot.
        slot: U256,
        /// Word before.
        before: U256,
        /// Word after.
        after: U256,
    },
    /// `BALANCE` or `SELFBALANCE`.
    Balance {
        /// Account whose balance was read.
        account: Address,
        /// Balance found, in wei.
        value: U256,
    },
    /// `KECCAK256` over at most [`PREIMAGE_BYTES_MAX`] bytes.
    Hash {
        /// What was hashed.
        preimage: Bytes,
        /// The hash.
        hash: B256,
    },
    /// `EXTCODESIZE`, `EXTCODECOPY` or `EXTCODEHASH`.
    Code {
        /// Account whose code was looked at.
        account: Address,
    },
    /// A log.
    Log(Log),
    /// A frame was entered; the index is into [`Trace::frames`].
    Enter(usize),
    /// `SELFDESTRUCT`.
    Destruct {
        /// Account that ends.
        account: Address,
        /// Account that receives its balance.
        heir: Address,
        /// Wei moved.
        value: U256,
    },
}

/// An access and the frame it happened in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Index into [`Trace::frames`].
    pub frame: usize,
    /// What happened.
    pub access: Access,
}

/// Frames and accesses in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Frames in the order they were entered.
    pub frames: Vec<Frame>,
    /// Accesses in order.
    pub entries: Vec<Entry>,
    /// Whether [`TRACE_ENTRIES_MAX`] was reached and something is missing.
    pub truncated: bool,
}

/// A movement of an asset seen in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Token, or zero for the native coin.
    pub asset: Address,
    /// Sender.
    pub from: Address,
    /// Receiver.
    pub to: Address,
    /// Amount in the asset's own units, as the event or the call stated it.
    pub amount: U256,
}

impl Trace {
    /// Accesses whose effects stand, that is, not within a reverted frame.
    pub fn standing(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| self.frames.get(entry.frame).is_some_and(|f| f.stands))
    }

    /// Every storage word read, with the value found, reverted frames included.
    pub fn loads(&self) -> impl Iterator<Item = (Address, U256, U256)> {
        self.entries.iter().filter_map(|entry| match entry.access {
            Access::Load { account, slot, value } => Some((account, slot, value)),
            _ => None,
        })
    }

    /// Every standing write: account, slot, before, after.
    pub fn stores(&self) -> impl Iterator<Item = (Address, U256, U256, U256)> {
        self.standing().filter_map(|entry| match entry.access {
            Access::Store { account, slot, before, after } => Some((account, slot, before, after)),
            _ => None,
        })
    }

    /// Every native balance read: account and value in wei.
    pub fn balances(&self) -> impl Iterator<Item = (Address, U256)> {
        self.entries.iter().filter_map(|entry| match entry.access {
            Access::Balance { account, value } => Some((account, value)),
            _ => None,
        })
    }

    /// Every hash with a kept preimage.
    pub fn hashes(&self) -> impl Iterator<Item = (&Bytes, B256)> {
        self.entries.iter().filter_map(|entry| match &entry.access {
            Access::Hash { preimage, hash } => Some((preimage, *hash)),
            _ => None,
        })
    }

    /// Standing logs in order.
    pub fn logs(&self) -> impl Iterator<Item = &Log> {
        self.standing().filter_map(|entry| match &entry.access {
            Access::Log(log) => Some(log),
            _ => None,
        })
    }

    /// Standing transfers of ERC-20 tokens (by their logs) and of the native coin (by call value).
    pub fn transfers(&self) -> impl Iterator<Item = Transfer> {
        self.standing().filter_map(|entry| match &entry.access {
            Access::Log(log) => token_transfer(log),
            Access::Enter(index) => self.frames.get(*index).and_then(native_transfer),
            Access::Destruct { account, heir, value } if !value.is_zero() => {
                Some(Transfer { asset: Address::ZERO, from: *account, to: *heir, amount: *value })
            }
            _ => None,
        })
    }

    /// Marks, once all frames have ended, which ones stand.
    pub(crate) fn settle(&mut self) {
        for index in 0..self.frames.len() {
            // A parent is always entered before its children, so its mark is final here.
            let above = self.frames[index].parent.is_none_or(|parent| self.frames[parent].stands);
            self.frames[index].stands = above && self.frames[index].success;
        }
    }
}

/// Reads an ERC-20 transfer from a log; `None` for anything else, ERC-721 included.
pub fn token_transfer(log: &Log) -> Option<Transfer> {
    let [topic, from, to] = log.topics() else { return None };
    if *topic != TRANSFER_TOPIC || log.data.data.len() != 32 {
        return None;
    }
    Some(Transfer {
        asset: log.address,
        from: Address::from_word(*from),
        to: Address::from_word(*to),
        amount: U256::from_be_slice(&log.data.data),
    })
}

fn native_transfer(frame: &Frame) -> Option<Transfer> {
    let moves = frame.stands && !frame.value.is_zero();
    moves.then_some(Transfer {
        asset: Address::ZERO,
        from: frame.caller,
        to: frame.account,
        amount: frame.value,
    })
}
