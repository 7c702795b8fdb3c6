//! Which code a contract really runs, and which words choose it.
//!
//! No list of known proxy slots is used: the contract is called, the forwarding `DELEGATECALL` is
//! seen, and the words read before it that hold the target's address are what must be pinned. That
//! covers EIP-1967, beacons, minimal proxies and any home-made slot alike.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, Bytes, U256, b256};
use breakwater_evm::{Access, CallRequest, EvmError, FrameKind, Trace, View};

use super::{linear::address_in, refusal::Reason};
use crate::gauge::limits;

/// Selectors tried to make a proxy forward; the first is nobody's.
const SELECTORS: [[u8; 4]; 6] = [
    [0xb3, 0x7e, 0x61, 0x0a],
    [0x18, 0x16, 0x0d, 0xdd], // totalSupply()
    [0x70, 0xa0, 0x82, 0x31], // balanceOf(address)
    [0x01, 0xe1, 0xd1, 0x14], // totalAssets()
    [0x8d, 0xa5, 0xcb, 0x5b], // owner()
    [0x09, 0x02, 0xf1, 0xac], // getReserves()
];
/// Implementations behind implementations that are followed.
const LAYERS_MAX: usize = 4;

/// A word that must keep its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PinnedWord {
    pub(crate) account: Address,
    pub(crate) slot: U256,
    pub(crate) value: U256,
    /// The account that the word names.
    pub(crate) target: Address,
}

/// The code a contract runs.
#[derive(Clone, Debug)]
pub(crate) struct Logic {
    /// Where the code is; the contract itself unless it forwards.
    pub(crate) implementation: Address,
    /// The code itself.
    pub(crate) code: Bytes,
    /// Words that choose it.
    pub(crate) pins: BTreeSet<PinnedWord>,
}

/// Follows a contract to the code it runs.
pub(crate) fn resolve(view: &View, contract: Address) -> Result<Logic, Reason> {
    if view.code(contract)?.is_empty() {
        return Err(Reason::NotAContract(contract));
    }
    let mut pins = BTreeSet::new();
    let mut targets: BTreeMap<Address, usize> = BTreeMap::new();
    for selector in SELECTORS {
        let mut data = selector.to_vec();
        data.resize(4 + 96, 0);
        let outcome = view.call(&CallRequest::new(contract, data))?;
        if let Some((target, found)) = forwarded(&outcome.trace, contract) {
            *targets.entry(target).or_default() += 1;
            pins.extend(found);
        }
    }
    // Different code for different functions: every function's word would have to be pinned, and
    // those of functions nobody knows cannot be.
    if targets.len() > 1 {
        return Err(Reason::CodeSplit { got: targets.len(), limit: 1 });
    }
    if pins.len() > limits::PINS {
        return Err(Reason::CodeSplit { got: pins.len(), limit: limits::PINS });
    }
    let implementation = targets.into_keys().next().unwrap_or(contract);
    Ok(Logic { implementation, code: view.code(implementation)?, pins })
}

/// The innermost code that the outermost frame forwards its whole input to, and the words that
/// name it and every layer before it.
fn forwarded(trace: &Trace, contract: Address) -> Option<(Address, BTreeSet<PinnedWord>)> {
    let (mut at, mut target, mut pins) = (0, None, BTreeSet::new());
    for _ in 0..LAYERS_MAX {
        let input = &trace.frames.get(at)?.input;
        let next = trace.frames.iter().enumerate().position(|(index, frame)| {
            index > at
                && frame.parent == Some(at)
                && frame.kind == FrameKind::DelegateCall
                && frame.account == contract
                && frame.input.starts_with(input)
        });
        let Some(next) = next else { break };
        let code = trace.frames[next].code;
        pins.extend(pointers(trace, next, code, contract));
        (at, target) = (next, Some(code));
    }
    target.map(|target| (target, pins))
}

/// The words that named an account before a frame was entered. If the word is not the contract's
/// own (a beacon's), the words that named that other account are pinned too.
pub(crate) fn pointers(
    trace: &Trace,
    frame: usize,
    target: Address,
    contract: Address,
) -> BTreeSet<PinnedWord> {
    let mut pins = BTreeSet::new();
    let mut wanted = vec![target];
    let mut seen = BTreeSet::new();
    while let Some(target) = wanted.pop() {
        if !seen.insert(target) || seen.len() > limits::PINS {
            continue;
        }
        if let Some(pin) = named_by(trace, frame, target) {
            pins.insert(pin);
            if pin.account != contract {
                wanted.push(pin.account);
            }
        }
    }
    pins
}

/// The last word read before a frame that holds an account's address.
fn named_by(trace: &Trace, frame: usize, target: Address) -> Option<PinnedWord> {
    let entered = trace.entries.iter().position(|entry| entry.access == Access::Enter(frame))?;
    trace.entries[..entered].iter().rev().find_map(|entry| match entry.access {
        Access::Load { account, slot, value } if names(value, target) => {
            Some(PinnedWord { account, slot, value, target })
        }
        _ => None,
    })
}

/// Whether some 160 bits of a word are this address.
pub(crate) fn names(word: U256, target: Address) -> bool {
    !target.is_zero() && (0..=12).any(|byte| address_in(word, byte * 8) == target)
}

/// Fails if a pinned word held something else at another block: a pointer that shares its word
/// with a counter would make every reading undecided.
pub(crate) fn stable(pins: &BTreeSet<PinnedWord>, views: &[View]) -> Result<(), Reason> {
    for pin in pins {
        for view in views {
            let word = view.storage(pin.account, pin.slot)?;
            if word != pin.value && names(word, pin.target) {
                return Err(Reason::UnstablePointer { target: pin.target });
            }
        }
    }
    Ok(())
}

/// Reads that an account's code hash is not the hash of nothing.
pub(crate) fn has_code(view: &View, account: Address) -> Result<bool, EvmError> {
    let empty = b256!("0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    let hash = view.code_hash(account)?;
    Ok(!hash.is_zero() && hash != empty)
}
