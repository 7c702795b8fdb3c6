//! Made-up chains and journals in temporary folders.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use std::path::{Path, PathBuf};

use alloy::consensus::Header;
use alloy::primitives::{Address, B256};
use breakwater_chain::{ActionKey, Attempt, Head};
use breakwater_store::{Identity, Store};

pub(crate) fn identity() -> Identity {
    Identity { chain_id: 1, genesis: B256::repeat_byte(9), deployment: Address::repeat_byte(8) }
}

pub(crate) async fn open(path: &Path) -> Store {
    Store::open(path, identity()).await.unwrap()
}

pub(crate) fn key(text: &str) -> ActionKey {
    ActionKey::new(text).unwrap()
}

/// `count` linked blocks on top of `parent`; another `salt` is another branch.
pub(crate) fn chain(parent: Option<&Head>, count: u64, salt: u64) -> Vec<Head> {
    let mut heads: Vec<Head> = Vec::new();
    for _ in 0..count {
        let below = heads.last().or(parent);
        let header = Header {
            number: below.map_or(0, |head| head.number() + 1),
            parent_hash: below.map_or(B256::ZERO, Head::hash),
            gas_used: salt,
            ..Default::default()
        };
        heads.push(Head::from_rlp(alloy::rlp::encode(header).into()).unwrap());
    }
    heads
}

pub(crate) fn attempt(number: u32, nonce: u64, salt: u8) -> Attempt {
    Attempt {
        number,
        from: Address::repeat_byte(7),
        nonce,
        tx_hash: B256::repeat_byte(salt),
        raw: vec![salt; 100].into(),
        at_block: 10,
    }
}

/// What a killed process leaves: the files as they are, without anybody closing them.
pub(crate) fn crash_image(journal: &Path, into: &Path) -> PathBuf {
    let copy = into.join("journal.sqlite");
    for suffix in ["", "-wal"] {
        let from = PathBuf::from(format!("{}{suffix}", journal.display()));
        let to = PathBuf::from(format!("{}{suffix}", copy.display()));
        match from.exists() {
            true => drop(std::fs::copy(from, to).unwrap()),
            false => drop(std::fs::remove_file(to)),
        }
    }
    copy
}
