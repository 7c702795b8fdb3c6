//! Block headers, read as strictly as `contracts/src/libraries/Header.sol` reads them.
//!
//! `breakwater_chain::Head` knows every header that alloy knows; this refuses what the contracts refuse,
//! so that evidence with a header of a new fork stops here and not after paying for a transaction.

use crate::rlp::{self, Item, RlpError};
use alloy::primitives::{B256, keccak256};

/// The fields that evidence needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// keccak256 of the header's bytes.
    pub hash: B256,
    /// Hash of the block before.
    pub parent_hash: B256,
    /// Root of the state trie after the block.
    pub state_root: B256,
    /// Root of the receipts trie.
    pub receipts_root: B256,
    /// Block number.
    pub number: u64,
    /// The block's time, in seconds.
    pub time: u64,
}

/// Why bytes are not a header that the contracts take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not the RLP of a header.
    #[error("header: {0}")]
    Rlp(#[from] RlpError),
    /// Known counts are 15 (Frontier), 16 (London), 17 (Shanghai), 20 (Cancun) and 21 (Prague).
    #[error("a header of {0} fields; known are 15, 16, 17, 20 and 21")]
    UnknownFieldCount(usize),
}

/// What a field that a fork appended is made of.
enum Later {
    Integer,
    Hash,
}

/// Base fee, withdrawals root, blob gas used, excess blob gas, beacon root, requests hash.
const LATER: [Later; 6] =
    [Later::Integer, Later::Hash, Later::Integer, Later::Integer, Later::Hash, Later::Hash];
const COUNTS: [usize; 5] = [15, 16, 17, 20, 21];

impl Header {
    /// Reads a header; its hash is that of `bytes`, which the caller compares with one it trusts.
    ///
    /// # Errors
    /// [`HeaderError`] if the bytes are not one canonical header of a known fork.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let mut rest = rlp::whole_list(bytes)?;
        let data = &mut rest;
        let parent_hash = rlp::take_word(data)?;
        rlp::take_width(data, 32)?; // ommers hash
        rlp::take_width(data, 20)?; // fee recipient
        let state_root = rlp::take_word(data)?;
        rlp::take_width(data, 32)?; // transactions root
        let receipts_root = rlp::take_word(data)?;
        rlp::take_width(data, 256)?; // logs bloom
        rlp::take_integer(data, 32)?; // difficulty
        let number = rlp::take_u64(data)?;
        rlp::take_u64(data)?; // gas limit
        rlp::take_u64(data)?; // gas used
        let time = rlp::take_u64(data)?;
        *data = Item::string(data)?.rest; // extra data: its length is a rule of the chain
        rlp::take_width(data, 32)?; // mix hash
        rlp::take_width(data, 8)?; // proof-of-work nonce
        later(data)?;
        Ok(Self { hash: keccak256(bytes), parent_hash, state_root, receipts_root, number, time })
    }
}

fn later(data: &mut &[u8]) -> Result<(), HeaderError> {
    let mut count = 15;
    for field in LATER {
        if data.is_empty() {
            break;
        }
        match field {
            Later::Integer => rlp::take_integer(data, 32).map(drop)?,
            Later::Hash => rlp::take_word(data).map(drop)?,
        }
        count += 1;
    }
    while !data.is_empty() {
        *data = Item::read(data)?.rest;
        count += 1;
    }
    if COUNTS.contains(&count) { Ok(()) } else { Err(HeaderError::UnknownFieldCount(count)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::consensus;

    fn sample() -> consensus::Header {
        consensus::Header { number: 5, timestamp: 99, extra_data: vec![7; 40].into(), ..Default::default() }
    }

    #[test]
    fn every_known_fork_is_read() {
        let mut header = sample();
        let mut counts = vec![header.clone()];
        header.base_fee_per_gas = Some(1);
        counts.push(header.clone());
        header.withdrawals_root = Some(B256::ZERO);
        counts.push(header.clone());
        header.blob_gas_used = Some(0);
        header.excess_blob_gas = Some(300);
        header.parent_beacon_block_root = Some(B256::ZERO);
        counts.push(header.clone());
        header.requests_hash = Some(B256::ZERO);
        counts.push(header);
        for header in counts {
            let parsed = Header::parse(&alloy_rlp::encode(&header)).unwrap();
            assert_eq!(parsed.hash, header.hash_slow());
            assert_eq!((parsed.number, parsed.time), (5, 99));
            assert_eq!((parsed.state_root, parsed.receipts_root), (header.state_root, header.receipts_root));
        }
    }

    #[test]
    fn unknown_counts_and_damage_are_refused() {
        let bytes = alloy_rlp::encode(sample());
        for cut in 0..bytes.len() {
            assert!(Header::parse(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        let with_fields = |extra: &[u8]| {
            let payload = [&bytes[3..], extra].concat();
            let mut framed = Vec::new();
            alloy_rlp::Header { list: true, payload_length: payload.len() }.encode(&mut framed);
            [framed, payload].concat()
        };
        assert!(Header::parse(&with_fields(&[])).is_ok());
        let base_fee_and_root: Vec<u8> = [&[0x05, 0xa0][..], &[1; 32], &[0x05]].concat();
        assert_eq!(Header::parse(&with_fields(&base_fee_and_root)), Err(HeaderError::UnknownFieldCount(18)));
        let zero_led = Header::parse(&with_fields(&[0x00]));
        assert_eq!(zero_led, Err(HeaderError::Rlp(RlpError::LeadingZero)));
        let mut longer = bytes.clone();
        longer.push(0x80);
        assert_eq!(Header::parse(&longer), Err(HeaderError::Rlp(RlpError::TrailingBytes(1))));
    }
}
