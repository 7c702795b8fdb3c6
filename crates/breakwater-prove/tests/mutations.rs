//! Changed proofs: the verifier here and the contract must decide alike, on acceptance and on the value.

// A test that cannot read its own data must stop.
#![allow(clippy::unwrap_used)]

mod support;

use std::cell::RefCell;

use alloy::primitives::{B256, Bytes, U256, keccak256};
use alloy::rpc::types::EIP1186AccountProofResponse;
use breakwater_prove::packed::{Packer, Walks};
use breakwater_prove::proof::AccountProof;
use breakwater_prove::trie::Key;
use proptest::prelude::*;
use proptest::sample::Index;
use serde::Deserialize;
use support::Harness;

/// A walk that proves something.
#[derive(Clone, Debug)]
struct Walk {
    root: B256,
    key: B256,
    nodes: Vec<Bytes>,
}

#[derive(Deserialize)]
struct TrieVectors {
    cases: Vec<TrieCase>,
}

#[derive(Deserialize)]
struct TrieCase {
    root: B256,
    key: B256,
    nibbles: usize,
    nodes: Bytes,
    paths: Bytes,
    outcome: String,
}

#[derive(Deserialize)]
struct Mainnet {
    blocks: Vec<MainnetBlock>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MainnetBlock {
    state_root: B256,
    nodes: Bytes,
    paths: Bytes,
    accounts: Vec<MainnetAccount>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MainnetAccount {
    address: alloy::primitives::Address,
    slot: B256,
    storage_root: B256,
}

/// The committed walks that prove presence or absence: made tries, and mainnet's.
fn walks() -> Vec<Walk> {
    let made: TrieVectors = serde_json::from_slice(&support::vectors("trie.json")).unwrap();
    let mut walks: Vec<Walk> = made
        .cases
        .into_iter()
        .filter(|case| case.nibbles == 64 && matches!(case.outcome.as_str(), "present" | "absent"))
        .map(|case| Walk { root: case.root, key: case.key, nodes: split(&case.nodes, &case.paths).remove(0) })
        .collect();
    let mainnet: Mainnet = serde_json::from_slice(&support::vectors("mainnet-proofs.json")).unwrap();
    for block in mainnet.blocks {
        let mut paths = split(&block.nodes, &block.paths).into_iter();
        for account in block.accounts {
            let mut next = |root, preimage: &[u8]| Walk {
                root,
                key: keccak256(preimage),
                nodes: paths.next().expect("two walks for each account"),
            };
            walks.push(next(block.state_root, account.address.as_slice()));
            walks.push(next(account.storage_root, account.slot.as_slice()));
        }
    }
    assert!(walks.len() > 40, "{} walks", walks.len());
    walks
}

/// The nodes of each walk, by a reader of its own.
fn split(nodes: &[u8], paths: &[u8]) -> Vec<Vec<Bytes>> {
    let mut all = Vec::new();
    let mut rest = nodes;
    while !rest.is_empty() {
        let before = rest;
        let header = alloy_rlp::Header::decode(&mut rest).unwrap();
        rest = &rest[header.payload_length..];
        all.push(Bytes::copy_from_slice(&before[..before.len() - rest.len()]));
    }
    let mut walks = Vec::new();
    let mut paths = paths.iter();
    while let Some(count) = paths.next() {
        let mut index = || usize::from(*paths.next().unwrap()) << 8 | usize::from(*paths.next().unwrap());
        walks.push((0..*count).map(|_| all[index()].clone()).collect());
    }
    walks
}

fn pack(nodes: &[Bytes]) -> (Vec<u8>, Vec<u8>) {
    let count = u8::try_from(nodes.len()).unwrap();
    let paths = std::iter::once(count).chain((0..u16::from(count)).flat_map(u16::to_be_bytes)).collect();
    (nodes.concat(), paths)
}

/// One change of bytes.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
    Copy(Index, Index, Index),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Self::Flip(at, mask) => bytes[at.index(length)] ^= mask,
            Self::Insert(at, byte) => bytes.insert(at.index(length + 1), *byte),
            Self::Remove(at) => drop(bytes.remove(at.index(length))),
            Self::Truncate(at) => bytes.truncate(at.index(length)),
            Self::Copy(from, to, count) => {
                let (from, to) = (from.index(length), to.index(length));
                let count = count.index(40).min(length - from.max(to));
                bytes.copy_within(from..from + count, to);
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (any::<Index>(), 1..=255_u8).prop_map(|(at, mask)| Change::Flip(at, mask)),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        2 => any::<Index>().prop_map(Change::Remove),
        1 => any::<Index>().prop_map(Change::Truncate),
        2 => (any::<Index>(), any::<Index>(), any::<Index>()).prop_map(|(a, b, c)| Change::Copy(a, b, c)),
    ]
}

/// Both verifiers on the same bytes; how it came out.
fn compare(harness: &mut Harness, (nodes, paths): (Vec<u8>, Vec<u8>), root: B256, key: B256) -> Outcome {
    let here = read(&nodes, &paths, root, key);
    let there = harness.walk((nodes.into(), paths.into()), root, key);
    match (here, there) {
        (Ok(here), Ok(there)) => {
            assert_eq!(here, there, "both accept, with different values");
            if here.is_some() { Outcome::Present } else { Outcome::Absent }
        }
        (Err(_), Err(_)) => Outcome::Refused,
        (here, there) => panic!("here {here:?}, in the contract {there:?}"),
    }
}

fn read(nodes: &[u8], paths: &[u8], root: B256, key: B256) -> Result<Option<Bytes>, String> {
    let mut walks = Walks::new(nodes, paths).map_err(|error| error.to_string())?;
    let value = walks.walk(root, Key::whole(key)).map_err(|error| error.to_string())?;
    walks.done().map_err(|error| error.to_string())?;
    Ok(value.map(Bytes::copy_from_slice))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Present,
    Absent,
    Refused,
}

/// How often each outcome was seen: agreement on nothing but refusals would show little.
#[derive(Debug, Default)]
struct Seen {
    present: u32,
    absent: u32,
    refused: u32,
}

impl Seen {
    fn note(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Present => self.present += 1,
            Outcome::Absent => self.absent += 1,
            Outcome::Refused => self.refused += 1,
        }
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

#[test]
fn changed_bytes_are_judged_alike() {
    let (walks, harness, seen) = (walks(), RefCell::new(Harness::new()), RefCell::new(Seen::default()));
    let input = (any::<Index>(), any::<bool>(), proptest::collection::vec(change(), 0..3));
    proptest!(config(3000), |((which, in_paths, changes) in input)| {
        let walk = which.get(&walks);
        let mut packed = pack(&walk.nodes);
        let bytes = if in_paths { &mut packed.1 } else { &mut packed.0 };
        changes.iter().for_each(|change| change.apply(bytes));
        let outcome = compare(&mut harness.borrow_mut(), packed, walk.root, walk.key);
        seen.borrow_mut().note(outcome);
    });
    println!("{:?}", seen.borrow());
}

#[test]
fn changed_nodes_under_a_root_that_commits_to_them_are_judged_alike() {
    let (walks, harness, seen) = (walks(), RefCell::new(Harness::new()), RefCell::new(Seen::default()));
    let key = proptest::option::of((any::<Index>(), 1..=255_u8));
    let input = (any::<Index>(), any::<Index>(), proptest::collection::vec(change(), 0..3), key);
    proptest!(config(6000), |((which, at, changes, key_change) in input)| {
        let walk = which.get(&walks);
        prop_assume!(!walk.nodes.is_empty());
        let mut nodes = walk.nodes.clone();
        let at = at.index(nodes.len());
        let mut changed = nodes[at].to_vec();
        changes.iter().for_each(|change| change.apply(&mut changed));
        let root = relink(&mut nodes, at, changed);
        let mut key = walk.key;
        if let Some((at, mask)) = key_change {
            key[at.index(32)] ^= mask;
        }
        let outcome = compare(&mut harness.borrow_mut(), pack(&nodes), root, key);
        seen.borrow_mut().note(outcome);
    });
    let seen = seen.borrow();
    println!("{seen:?}");
    assert!(seen.present > 100 && seen.absent > 100 && seen.refused > 1000, "{seen:?}");
}

/// Puts a changed node in place and changes every parent to name it; the new root.
fn relink(nodes: &mut [Bytes], at: usize, changed: Vec<u8>) -> B256 {
    let (mut before, mut after) = (keccak256(&nodes[at]), keccak256(&changed));
    nodes[at] = changed.into();
    for parent in nodes[..at].iter_mut().rev() {
        let mut bytes = parent.to_vec();
        if let Some(place) = bytes.windows(32).position(|window| window == before.as_slice()) {
            bytes[place..place + 32].copy_from_slice(after.as_slice());
        }
        (before, after) = (keccak256(&*parent), keccak256(&bytes));
        *parent = bytes.into();
    }
    after
}

#[test]
fn a_changed_answer_never_proves_anything_else() {
    let mainnet: Mainnet = serde_json::from_slice(&support::vectors("mainnet-proofs.json")).unwrap();
    let answers: Vec<(B256, EIP1186AccountProofResponse)> =
        mainnet.blocks.iter().flat_map(answers_of).collect();
    let seen = RefCell::new(Seen::default());
    let input = (any::<Index>(), any::<bool>(), any::<Index>(), change());
    proptest!(config(2000), |((which, storage, node, change) in input)| {
        let (root, answer) = which.get(&answers);
        let slot = answer.storage_proof[0].key.as_b256();
        let good = AccountProof::verify(*root, answer.address, &[slot], answer.clone()).unwrap();
        let mut changed = answer.clone();
        let nodes = if storage { &mut changed.storage_proof[0].proof } else { &mut changed.account_proof };
        let at = node.index(nodes.len());
        let mut bytes = nodes[at].to_vec();
        change.apply(&mut bytes);
        nodes[at] = bytes.into();
        match AccountProof::verify(*root, answer.address, &[slot], changed) {
            Ok(proof) => {
                prop_assert_eq!(proof, good);
                seen.borrow_mut().note(Outcome::Present);
            }
            Err(_) => seen.borrow_mut().note(Outcome::Refused),
        }
    });
    let seen = seen.borrow();
    println!("{seen:?}");
    assert!(seen.refused > 1000, "{seen:?}");
}

#[test]
fn claims_beside_the_proof_must_be_what_it_proves() {
    let mainnet: Mainnet = serde_json::from_slice(&support::vectors("mainnet-proofs.json")).unwrap();
    for (root, answer) in mainnet.blocks.iter().flat_map(answers_of) {
        let slot = answer.storage_proof[0].key.as_b256();
        let verify = |answer| AccountProof::verify(root, answer_address(&answer), &[slot], answer);
        verify(answer.clone()).unwrap();
        type Lie = fn(&mut EIP1186AccountProofResponse);
        let lies: [Lie; 5] = [
            |answer| answer.balance += U256::ONE,
            |answer| answer.nonce += 1,
            |answer| answer.code_hash.0[0] ^= 1,
            |answer| answer.storage_hash.0[0] ^= 1,
            |answer| answer.storage_proof[0].value += U256::ONE,
        ];
        for lie in lies {
            let mut changed = answer.clone();
            lie(&mut changed);
            let error = verify(changed).unwrap_err();
            assert!(error.to_string().contains("claims"), "{error}");
        }
    }
}

fn answer_address(answer: &EIP1186AccountProofResponse) -> alloy::primitives::Address {
    answer.address
}

/// What a node would have answered, put together from the proofs.
fn answers_of(block: &MainnetBlock) -> Vec<(B256, EIP1186AccountProofResponse)> {
    let nodes = split(&block.nodes, &block.paths);
    let mut walks = Walks::new(&block.nodes, &block.paths).unwrap();
    let answer = |(at, account): (usize, &MainnetAccount)| {
        let state = walks.account(block.state_root, account.address).unwrap();
        let value = walks.storage(state.storage_root, account.slot).unwrap();
        let slot = alloy::rpc::types::EIP1186StorageProof {
            key: account.slot.into(),
            value,
            proof: nodes[2 * at + 1].clone(),
        };
        let answer = EIP1186AccountProofResponse {
            address: account.address,
            balance: state.balance,
            code_hash: state.code_hash,
            nonce: state.nonce,
            storage_hash: state.storage_root,
            account_proof: nodes[2 * at].clone(),
            storage_proof: vec![slot],
        };
        (block.state_root, answer)
    };
    block.accounts.iter().enumerate().map(answer).collect()
}

#[test]
fn packing_and_reading_are_inverse() {
    let walks = walks();
    let mut packer = Packer::default();
    walks.iter().for_each(|walk| packer.push(&walk.nodes).unwrap());
    let (nodes, paths) = packer.finish();
    assert_eq!(split(&nodes, &paths), walks.iter().map(|walk| walk.nodes.clone()).collect::<Vec<_>>());
}
