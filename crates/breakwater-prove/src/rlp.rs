//! Strict reading of canonical RLP: one encoding of a value is accepted and no other.
//!
//! What Ethereum hashes is always canonical, so a second encoding can only come from a broken source.

use alloy::primitives::{B256, U256};
use alloy_rlp::Header;

/// Why bytes are not the RLP that belongs there. The names are those of the contracts' `Rlp` library.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RlpError {
    /// An item ends beyond its surroundings.
    #[error("an item ends beyond the bytes it lies in")]
    Overrun,
    /// There is a shorter encoding of the same item.
    #[error("the item with first byte {0:#04x} has a shorter encoding")]
    NonCanonical(u8),
    /// A list is needed.
    #[error("expected a list, got a string with first byte {0:#04x}")]
    NotList(u8),
    /// A string is needed.
    #[error("expected a string, got a list with first byte {0:#04x}")]
    NotString(u8),
    /// A string of another width is needed.
    #[error("expected a string of {expected} bytes, got {got}")]
    WrongWidth {
        /// Bytes that belong there.
        expected: usize,
        /// Bytes that are there.
        got: usize,
    },
    /// An integer of more bytes than it may have.
    #[error("expected an integer of at most {max} bytes, got {got}")]
    IntegerTooWide {
        /// Most bytes.
        max: usize,
        /// Bytes that are there.
        got: usize,
    },
    /// An integer begins with a zero byte.
    #[error("an integer begins with a zero byte")]
    LeadingZero,
    /// Bytes are left over.
    #[error("{0} bytes are left over")]
    TrailingBytes(usize),
}

/// One item: its first byte, its payload, and where the next item begins.
pub(crate) struct Item<'a> {
    pub(crate) prefix: u8,
    pub(crate) payload: &'a [u8],
    pub(crate) rest: &'a [u8],
}

impl<'a> Item<'a> {
    /// Reads the item at the start of `data`.
    pub(crate) fn read(data: &'a [u8]) -> Result<Self, RlpError> {
        let prefix = *data.first().ok_or(RlpError::Overrun)?;
        let mut rest = data;
        let header = Header::decode(&mut rest).map_err(|error| match error {
            alloy_rlp::Error::InputTooShort => RlpError::Overrun,
            _ => RlpError::NonCanonical(prefix),
        })?;
        let (payload, rest) = rest.split_at_checked(header.payload_length).ok_or(RlpError::Overrun)?;
        Ok(Self { prefix, payload, rest })
    }

    /// Reads a list.
    pub(crate) fn list(data: &'a [u8]) -> Result<Self, RlpError> {
        let item = Self::read(data)?;
        if item.prefix < 0xc0 { Err(RlpError::NotList(item.prefix)) } else { Ok(item) }
    }

    /// Reads a string.
    pub(crate) fn string(data: &'a [u8]) -> Result<Self, RlpError> {
        let item = Self::read(data)?;
        if item.prefix < 0xc0 { Ok(item) } else { Err(RlpError::NotString(item.prefix)) }
    }
}

/// A list that is all of `data`; its payload.
pub(crate) fn whole_list(data: &[u8]) -> Result<&[u8], RlpError> {
    let item = Item::list(data)?;
    done(item.rest)?;
    Ok(item.payload)
}

/// Nothing may follow.
pub(crate) fn done(rest: &[u8]) -> Result<(), RlpError> {
    if rest.is_empty() { Ok(()) } else { Err(RlpError::TrailingBytes(rest.len())) }
}

/// Takes a string of exactly `width` bytes off the front.
pub(crate) fn take_width<'a>(data: &mut &'a [u8], width: usize) -> Result<&'a [u8], RlpError> {
    let item = Item::string(data)?;
    if item.payload.len() != width {
        return Err(RlpError::WrongWidth { expected: width, got: item.payload.len() });
    }
    *data = item.rest;
    Ok(item.payload)
}

/// Takes a string of 32 bytes off the front.
pub(crate) fn take_word(data: &mut &[u8]) -> Result<B256, RlpError> {
    take_width(data, 32).map(B256::from_slice)
}

/// Takes an unsigned integer of at most `max` bytes (at most 32) off the front.
pub(crate) fn take_integer(data: &mut &[u8], max: usize) -> Result<U256, RlpError> {
    let item = Item::string(data)?;
    if item.payload.len() > max {
        return Err(RlpError::IntegerTooWide { max, got: item.payload.len() });
    }
    if item.payload.first() == Some(&0) {
        return Err(RlpError::LeadingZero);
    }
    *data = item.rest;
    Ok(U256::from_be_slice(item.payload))
}

/// Takes an unsigned integer of at most eight bytes off the front.
pub(crate) fn take_u64(data: &mut &[u8]) -> Result<u64, RlpError> {
    // Eight bytes always fit.
    take_integer(data, 8).map(|value| value.saturating_to())
}
