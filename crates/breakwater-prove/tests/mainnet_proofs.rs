//! Every recorded mainnet proof, in Rust and in the contract: the good ones verify with the same values,
//! the malformed ones are refused by both.

// A test that cannot read its own data must stop.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::Read;
use std::path::Path;

use alloy::primitives::{B256, Bytes, KECCAK256_EMPTY, keccak256};
use alloy::rpc::types::EIP1186AccountProofResponse;
use breakwater_chain::Head;
use breakwater_prove::header::Header;
use breakwater_prove::packed::Packer;
use breakwater_prove::proof::AccountProof;
use serde::Deserialize;
use support::Harness;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recorded {
    number: u64,
    hash: B256,
    header_rlp: Bytes,
    state_root: B256,
    proofs: Vec<EIP1186AccountProofResponse>,
}

const BLOCKS: [u64; 4] = [18_884_863, 18_884_864, 21_230_866, 21_230_867];

/// How many proofs came out how.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    accounts: usize,
    slots: usize,
    absent_slots: usize,
    refused: usize,
}

#[test]
fn all_recorded_proofs_come_out_the_same_in_rust_and_in_the_contract() {
    let Some(corpus) = support::corpus("mainnet proofs") else { return };
    let mut harness = Harness::new();
    let mut tally = Tally::default();
    for number in BLOCKS {
        let recorded = read(&corpus, number);
        check_header(&mut harness, &recorded);
        for answer in &recorded.proofs {
            check_account(&mut harness, recorded.state_root, answer, &mut tally);
        }
    }
    println!("{tally:?}");
    assert_eq!((tally.accounts, tally.slots + tally.refused, tally.refused), (600, 1300, 2));
    assert!(tally.absent_slots > 100, "absence must be among them: {tally:?}");
}

fn read(corpus: &Path, number: u64) -> Recorded {
    let path = corpus.join("mainnet-blocks/proofs").join(format!("{number}.json.gz"));
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn check_header(harness: &mut Harness, recorded: &Recorded) {
    let header = Header::parse(&recorded.header_rlp).unwrap();
    assert_eq!(
        (header.number, header.hash, header.state_root),
        (recorded.number, recorded.hash, recorded.state_root)
    );
    assert_eq!(Head::from_rlp(recorded.header_rlp.clone()).unwrap().hash(), recorded.hash);
    let parsed = harness.header(recorded.header_rlp.clone()).unwrap();
    assert_eq!(
        (
            parsed.hash,
            parsed.parentHash,
            parsed.stateRoot,
            parsed.receiptsRoot,
            parsed.number,
            parsed.timestamp
        ),
        (
            header.hash,
            header.parent_hash,
            header.state_root,
            header.receipts_root,
            header.number,
            header.time
        )
    );
}

fn check_account(harness: &mut Harness, root: B256, answer: &EIP1186AccountProofResponse, tally: &mut Tally) {
    let alone = EIP1186AccountProofResponse { storage_proof: vec![], ..answer.clone() };
    let account = AccountProof::verify(root, answer.address, &[], alone).unwrap();
    let found = harness.account(pack(account.nodes()), root, answer.address).unwrap();
    let state = account.state();
    assert_eq!(
        (found.exists, found.nonce, found.balance, found.storageRoot, found.codeHash),
        (state.exists, state.nonce, state.balance, state.storage_root, state.code_hash)
    );
    if state.exists {
        assert_eq!((state.balance, state.code_hash), (answer.balance, answer.code_hash));
    } else {
        assert!(answer.code_hash.is_zero() || answer.code_hash == KECCAK256_EMPTY);
    }
    tally.accounts += 1;
    for proof in &answer.storage_proof {
        let slot = proof.key.as_b256();
        let one = EIP1186AccountProofResponse { storage_proof: vec![proof.clone()], ..answer.clone() };
        match AccountProof::verify(root, answer.address, &[slot], one) {
            Ok(verified) => {
                let verified = verified.slot(slot).unwrap();
                assert_eq!(verified.value(), proof.value);
                let word = harness.storage(pack(verified.nodes()), state.storage_root, slot).unwrap();
                assert_eq!(word, proof.value);
                tally.slots += 1;
                tally.absent_slots += usize::from(word.is_zero());
            }
            Err(error) => {
                println!("{} slot {slot}: {error}", answer.address);
                refused_by_the_contract(harness, state.storage_root, slot, &proof.proof);
                tally.refused += 1;
            }
        }
    }
}

/// The nodes as they came: the empty one between them cannot be packed, and in the only form in which it
/// can be sent, as the empty string, the contract refuses it.
fn refused_by_the_contract(harness: &mut Harness, root: B256, slot: B256, nodes: &[Bytes]) {
    assert!(Packer::default().push(nodes).is_err());
    let index = |position: usize| u16::try_from(position).unwrap().to_be_bytes();
    let paths: Vec<u8> = std::iter::once(nodes.len() as u8).chain((0..nodes.len()).flat_map(index)).collect();
    for empty in [&[][..], &[0x80]] {
        let sent: Vec<u8> =
            nodes.iter().flat_map(|node| if node.is_empty() { empty } else { node }).copied().collect();
        harness.storage((sent.into(), paths.clone().into()), root, slot).unwrap_err();
    }
}

fn pack(nodes: &[Bytes]) -> (Bytes, Bytes) {
    let mut packer = Packer::default();
    packer.push(nodes).unwrap();
    packer.finish()
}

#[test]
fn whole_blocks_share_their_nodes() {
    let Some(corpus) = support::corpus("sharing of nodes") else { return };
    let recorded = read(&corpus, BLOCKS[0]);
    let mut packer = Packer::default();
    let mut whole = 0;
    let mut proofs = Vec::new();
    for answer in recorded.proofs {
        let slots: Vec<B256> = answer.storage_proof.iter().map(|proof| proof.key.as_b256()).collect();
        let proof = AccountProof::verify(recorded.state_root, answer.address, &slots, answer).unwrap();
        for nodes in std::iter::once(proof.nodes()).chain(proof.slots().map(|slot| slot.nodes())) {
            packer.push(nodes).unwrap();
            whole += nodes.iter().map(|node| node.len()).sum::<usize>();
        }
        proofs.push(proof);
    }
    let (nodes, paths) = packer.finish();
    println!("{whole} bytes of nodes, {} sent with {} of paths", nodes.len(), paths.len());
    assert!(nodes.len() * 4 < whole * 3, "the upper nodes are shared");
    let mut walks = breakwater_prove::packed::Walks::new(&nodes, &paths).unwrap();
    for proof in &proofs {
        let state = walks.account(recorded.state_root, proof.address()).unwrap();
        assert_eq!(&state, proof.state());
        for slot in proof.slots() {
            assert_eq!(walks.storage(state.storage_root, slot.slot()).unwrap(), slot.value());
        }
    }
    walks.done().unwrap();
    assert_eq!(keccak256(&recorded.header_rlp), recorded.hash);
}
