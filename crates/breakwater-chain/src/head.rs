//! A block header whose hash has been recomputed from its own fields.

use std::fmt;

use alloy::consensus::Header;
use alloy::eips::BlockId;
use alloy::primitives::{B256, Bytes, keccak256};
use serde_json::Value;

use crate::error::{Lie, Rejection};

/// A header that is known to hash to its hash.
///
/// It can only be made from RLP or from a node's JSON through a recomputed hash, so whoever
/// holds one may prove against its roots.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    hash: B256,
    header: Header,
    rlp: Bytes,
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({} {})", self.number(), self.hash)
    }
}

impl Head {
    /// Decodes a header and takes its hash from the bytes themselves.
    ///
    /// # Errors
    /// [`Lie`] when the bytes are not one whole header in canonical form.
    pub fn from_rlp(rlp: Bytes) -> Result<Self, Lie> {
        let mut rest = rlp.as_ref();
        let header = <Header as alloy::rlp::Decodable>::decode(&mut rest)
            .map_err(|error| Lie::new("header RLP", "a header", error))?;
        if !rest.is_empty() {
            return Err(Lie::new("bytes after the header", 0, rest.len()));
        }
        let hash = keccak256(&rlp);
        let again = Self::seal(header);
        match again.hash == hash {
            true => Ok(again),
            false => Err(Lie::new("hash of the re-encoded header", hash, again.hash)),
        }
    }

    /// Builds the header from a node's JSON and checks it against the hash that the node gives.
    ///
    /// # Errors
    /// [`Rejection::Lie`] when the fields hash to something else,
    /// which is also what a chain with a header format of its own looks like;
    /// [`Rejection::Unverifiable`] when a field of an Ethereum header is missing.
    pub fn from_json(json: &Value) -> Result<Self, Rejection> {
        let parsed: alloy::rpc::types::Header = serde_json::from_value(json.clone())
            .map_err(|error| Rejection::Unverifiable(format!("not an Ethereum header: {error}")))?;
        let head = Self::seal(parsed.inner);
        match head.hash == parsed.hash {
            true => Ok(head),
            false => Err(Lie::new("hash of the header's own fields", parsed.hash, head.hash).into()),
        }
    }

    fn seal(header: Header) -> Self {
        let rlp = Bytes::from(alloy::rlp::encode(&header));
        Self { hash: keccak256(&rlp), header, rlp }
    }

    /// Block number.
    pub fn number(&self) -> u64 {
        self.header.number
    }

    /// Block hash: keccak of [`Head::rlp`].
    pub fn hash(&self) -> B256 {
        self.hash
    }

    /// Hash of the parent block.
    pub fn parent_hash(&self) -> B256 {
        self.header.parent_hash
    }

    /// Block time in seconds since the Unix epoch.
    pub fn timestamp(&self) -> u64 {
        self.header.timestamp
    }

    /// Root that account proofs are checked against.
    pub fn state_root(&self) -> B256 {
        self.header.state_root
    }

    /// Base fee in wei per gas, absent before EIP-1559.
    pub fn base_fee(&self) -> Option<u64> {
        self.header.base_fee_per_gas
    }

    /// The block as a call parameter; by hash, so that a reorganisation cannot change what is read.
    pub fn block_id(&self) -> BlockId {
        BlockId::hash(self.hash)
    }

    /// All fields.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header as the contracts take it.
    pub fn rlp(&self) -> &Bytes {
        &self.rlp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(number: u64) -> Head {
        Head::seal(Header { number, base_fee_per_gas: Some(7), timestamp: 99, ..Header::default() })
    }

    #[test]
    fn rlp_round_trips_and_keeps_the_hash() {
        let head = sample(5);
        let again = Head::from_rlp(head.rlp().clone()).unwrap();
        assert_eq!(again, head);
        assert_eq!(again.hash(), keccak256(head.rlp()));
        assert_eq!((again.number(), again.timestamp(), again.base_fee()), (5, 99, Some(7)));
    }

    #[test]
    fn damaged_rlp_is_refused() {
        let rlp = sample(5).rlp().to_vec();
        for length in 0..rlp.len() {
            assert!(Head::from_rlp(rlp[..length].to_vec().into()).is_err(), "cut at {length}");
        }
        let mut longer = rlp.clone();
        longer.push(0);
        assert!(Head::from_rlp(longer.into()).is_err());
    }

    #[test]
    fn a_json_header_with_a_foreign_hash_is_a_lie() {
        let head = sample(5);
        let mut json = serde_json::to_value(alloy::rpc::types::Header::new(head.header().clone())).unwrap();
        assert_eq!(Head::from_json(&json).unwrap(), head);
        json["hash"] = Value::String(B256::repeat_byte(1).to_string());
        let Err(Rejection::Lie(lie)) = Head::from_json(&json) else { panic!("accepted") };
        assert_eq!(lie.got, head.hash().to_string());
        assert!(matches!(Head::from_json(&Value::Null), Err(Rejection::Unverifiable(_))));
        json.as_object_mut().unwrap().remove("stateRoot");
        assert!(matches!(Head::from_json(&json), Err(Rejection::Unverifiable(_))));
    }
}
