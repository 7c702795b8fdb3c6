//! Calldata without an interface description: selectors and argument kinds read off the bytecode.

use std::{sync::mpsc, time::Duration};

use alloy::primitives::{Address, Bytes, U256};
use evmole::{ContractInfoArgs, DynSolType, StateMutability};

/// Longest analysis of one piece of code; hostile code can make inference slow.
const ANALYSIS_MAX: Duration = Duration::from_secs(10);
/// Functions looked at; a contract cannot hold many more.
pub(crate) const FUNCTIONS_MAX: usize = 256;

/// What an argument looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number.
    Number,
    /// An address.
    Address,
    /// A flag.
    Flag,
    /// Fixed bytes, passed as zero.
    Bytes,
    /// Something of dynamic length, passed as empty.
    Empty,
}

/// A function as the bytecode shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) selector: [u8; 4],
    /// Argument kinds; `None` where they could not be read or are too complex to fill in.
    pub(crate) arguments: Option<Vec<Kind>>,
    /// Whether the code looks free of writes: a hint.
    pub(crate) view: bool,
    /// Whether it takes value: a hint.
    pub(crate) payable: bool,
}

/// Functions of a piece of code; empty when it cannot be analysed in time.
pub(crate) fn functions(code: &Bytes) -> Vec<Function> {
    let code = code.clone();
    let (send, receive) = mpsc::channel();
    // A thread of its own bounds the time and keeps a panic of the analysis away from us.
    std::thread::spawn(move || {
        let args = ContractInfoArgs::new(&code).with_selectors().with_arguments().with_state_mutability();
        // Nobody listens after the time is over; then the result is of no use either.
        let _ = send.send(evmole::contract_info(args).functions.unwrap_or_default());
    });
    let found = receive.recv_timeout(ANALYSIS_MAX).unwrap_or_default();
    found.into_iter().take(FUNCTIONS_MAX).map(function).collect()
}

fn function(found: evmole::Function) -> Function {
    let arguments = found.arguments.as_deref().and_then(kinds);
    let (view, payable) = match found.state_mutability {
        Some(StateMutability::Pure | StateMutability::View) => (true, false),
        Some(StateMutability::Payable) => (false, true),
        _ => (false, false),
    };
    Function { selector: found.selector, arguments, view, payable }
}

fn kinds(types: &[DynSolType]) -> Option<Vec<Kind>> {
    let mut kinds = Vec::new();
    for one in types {
        push_kind(one, &mut kinds)?;
    }
    Some(kinds)
}

fn push_kind(one: &DynSolType, kinds: &mut Vec<Kind>) -> Option<()> {
    match one {
        DynSolType::Uint(_) | DynSolType::Int(_) => kinds.push(Kind::Number),
        DynSolType::Address => kinds.push(Kind::Address),
        DynSolType::Bool => kinds.push(Kind::Flag),
        DynSolType::FixedBytes(_) => kinds.push(Kind::Bytes),
        DynSolType::Bytes | DynSolType::String | DynSolType::Array(_) => kinds.push(Kind::Empty),
        // Static tuples and arrays lie flat among the arguments; dynamic ones would need offsets.
        DynSolType::Tuple(members) => {
            for member in members {
                push_static(member, kinds)?;
            }
        }
        DynSolType::FixedArray(member, count) if *count <= 8 => {
            for _ in 0..*count {
                push_static(member, kinds)?;
            }
        }
        _ => return None,
    }
    Some(())
}

fn push_static(one: &DynSolType, kinds: &mut Vec<Kind>) -> Option<()> {
    match one {
        DynSolType::Bytes | DynSolType::String | DynSolType::Array(_) => None,
        other => push_kind(other, kinds),
    }
}

/// Values to fill arguments with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fill {
    /// The first number.
    pub(crate) number: U256,
    /// Every further number.
    pub(crate) further: U256,
    pub(crate) address: Address,
    pub(crate) flag: bool,
}

/// Calldata for a function with every argument of one kind filled alike.
pub(crate) fn encode(selector: [u8; 4], kinds: &[Kind], fill: Fill) -> Bytes {
    let mut head = Vec::with_capacity(4 + kinds.len() * 32);
    head.extend_from_slice(&selector);
    let tail_at = U256::from(kinds.len() * 32);
    let (mut empties, mut numbers) = (0u64, 0u64);
    for kind in kinds {
        let word = match kind {
            Kind::Number => {
                numbers += 1;
                if numbers == 1 { fill.number } else { fill.further }
            }
            Kind::Address => U256::from_be_bytes(fill.address.into_word().0),
            Kind::Flag => U256::from(u8::from(fill.flag)),
            Kind::Bytes => U256::ZERO,
            Kind::Empty => {
                empties += 1;
                tail_at + U256::from((empties - 1) * 32)
            }
        };
        head.extend_from_slice(&word.to_be_bytes::<32>());
    }
    // Each empty argument is its length word: zero.
    head.resize(head.len() + usize::try_from(empties).unwrap_or_default() * 32, 0);
    head.into()
}

/// Calldata of whole words.
pub(crate) fn words(selector: [u8; 4], arguments: &[U256]) -> Bytes {
    let mut data = selector.to_vec();
    for argument in arguments {
        data.extend_from_slice(&argument.to_be_bytes::<32>());
    }
    data.into()
}

/// An address as an argument.
pub(crate) fn address_word(address: Address) -> U256 {
    U256::from_be_bytes(address.into_word().0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_arguments_point_past_the_head() {
        let fill = Fill {
            number: U256::from(5),
            further: U256::from(6),
            address: Address::repeat_byte(9),
            flag: true,
        };
        let data = encode([1, 2, 3, 4], &[Kind::Number, Kind::Empty, Kind::Address, Kind::Empty], fill);
        assert_eq!(data.len(), 4 + 4 * 32 + 2 * 32);
        let word = |index: usize| U256::from_be_slice(&data[4 + index * 32..4 + index * 32 + 32]);
        assert_eq!((word(0), word(1), word(3)), (U256::from(5), U256::from(128), U256::from(160)));
        assert_eq!((word(4), word(5)), (U256::ZERO, U256::ZERO));
    }
}
