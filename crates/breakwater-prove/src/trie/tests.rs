//! The committed vectors: every verifier of this project must reach their outcomes.

use super::*;
use crate::packed::{PackedError, Walks};
use alloy::primitives::Bytes;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    root: B256,
    key: B256,
    nibbles: usize,
    nodes: Bytes,
    paths: Bytes,
    outcome: String,
    value: Bytes,
}

#[test]
fn vectors_come_out_as_written() {
    let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/trie.json")).unwrap();
    let cases = serde_json::from_slice::<Vectors>(&file).unwrap().cases;
    assert!(cases.len() > 100, "{} cases", cases.len());
    for case in cases {
        let key = Key { bytes: case.key, nibbles: case.nibbles };
        let mut value = Bytes::new();
        let outcome = match read(&case, key) {
            Ok(Some(found)) => {
                value = found;
                "present".to_owned()
            }
            Ok(None) => "absent".to_owned(),
            Err(error) => name(&error).to_owned(),
        };
        let expected = case.outcome.split('(').next().unwrap();
        assert_eq!((outcome.as_str(), &value), (expected, &case.value), "{}", case.name);
    }
}

fn read(case: &Case, key: Key) -> Result<Option<Bytes>, PackedError> {
    let mut walks = Walks::new(&case.nodes, &case.paths)?;
    let value = walks.walk(case.root, key)?.map(Bytes::copy_from_slice);
    walks.done()?;
    Ok(value)
}

/// The contracts' name of an error.
fn name(error: &PackedError) -> &'static str {
    match error {
        PackedError::TooManyNodes => "TooManyNodes",
        PackedError::WalkTooLong(_) => "WalkTooLong",
        PackedError::PathsTooShort { .. } => "PathsTooShort",
        PackedError::PathsUnused { .. } => "PathsUnused",
        PackedError::NoSuchNode { .. } => "NoSuchNode",
        PackedError::Trie(error) => trie_name(error),
    }
}

fn trie_name(error: &TrieError) -> &'static str {
    match error {
        TrieError::Rlp(RlpError::Overrun) => "Overrun",
        TrieError::Rlp(RlpError::NonCanonical(_)) => "NonCanonical",
        TrieError::Rlp(RlpError::NotList(_)) => "NotList",
        TrieError::Rlp(RlpError::NotString(_)) => "NotString",
        TrieError::Rlp(RlpError::WrongWidth { .. }) => "WrongWidth",
        TrieError::Rlp(RlpError::IntegerTooWide { .. }) => "IntegerTooWide",
        TrieError::Rlp(RlpError::LeadingZero) => "LeadingZero",
        TrieError::Rlp(RlpError::TrailingBytes(_)) => "TrailingBytes",
        TrieError::WrongNode { .. } => "WrongNode",
        TrieError::WalkTooShort(_) => "WalkTooShort",
        TrieError::WalkTooLong(_) => "WalkTooLong",
        TrieError::EmptyPath => "EmptyPath",
        TrieError::BadPathFlags(_) => "BadPathFlags",
        TrieError::BadPathLength { .. } => "BadPathLength",
        TrieError::KeyExhausted(_) => "KeyExhausted",
        TrieError::BadChild(_) => "BadChild",
        TrieError::BadBranch => "BadBranch",
        TrieError::EmptyValue => "EmptyValue",
    }
}
