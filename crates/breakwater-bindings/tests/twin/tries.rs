//! A vault with many holders on another chain of our own making: headers and proofs of what it held.

use std::collections::BTreeMap;

use alloy::consensus::Header;
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::rpc::types::{EIP1186AccountProofResponse, EIP1186StorageProof};
use alloy_trie::proof::{ProofNodes, ProofRetainer};
use alloy_trie::{HashBuilder, Nibbles, TrieAccount};
use breakwater_chain::Head;
use breakwater_prove::block::BlockProof;
use breakwater_prove::gauge::AccountReads;
use breakwater_prove::proof::AccountProof;

/// Accounts beside the vault, so that its walk has some length.
const OTHERS: u64 = 5_000;

/// The state of one block: one contract with storage among accounts without.
pub(crate) struct Block {
    pub(crate) number: u64,
    pub(crate) time: u64,
    pub(crate) vault: Address,
    pub(crate) code_hash: B256,
    pub(crate) storage: BTreeMap<B256, U256>,
}

impl Block {
    /// The verified proof of what `reads` names, and the hash of the block's header.
    pub(crate) fn prove(&self, reads: &[AccountReads]) -> (BlockProof, B256) {
        let slots: Vec<B256> = reads.iter().flat_map(|read| read.slots.clone()).collect();
        let leaves = self
            .storage
            .iter()
            .filter(|(_, word)| !word.is_zero())
            .map(|(slot, word)| (keccak256(slot), alloy_rlp::encode(word)))
            .collect();
        let (storage_root, storage) = trie(&leaves, slots.iter().map(keccak256));
        let (state_root, state) = trie(&self.accounts(storage_root), [keccak256(self.vault)].into_iter());
        let header = Header {
            number: self.number,
            timestamp: self.time,
            state_root,
            base_fee_per_gas: Some(7),
            ..Header::default()
        };
        let head = Head::from_rlp(alloy_rlp::encode(header).into()).expect("a header");
        let answer = EIP1186AccountProofResponse {
            address: self.vault,
            balance: U256::ZERO,
            code_hash: self.code_hash,
            nonce: 1,
            storage_hash: storage_root,
            account_proof: walk(&state, keccak256(self.vault)),
            storage_proof: slots
                .iter()
                .map(|slot| EIP1186StorageProof {
                    key: (*slot).into(),
                    value: self.storage.get(slot).copied().unwrap_or_default(),
                    proof: walk(&storage, keccak256(slot)),
                })
                .collect(),
        };
        let account = AccountProof::verify(state_root, self.vault, &slots, answer).expect("a good proof");
        let hash = keccak256(head.rlp());
        (BlockProof::new(&head, vec![account]).expect("an account of the block"), hash)
    }

    fn accounts(&self, storage_root: B256) -> BTreeMap<B256, Vec<u8>> {
        let vault = TrieAccount { nonce: 1, balance: U256::ZERO, storage_root, code_hash: self.code_hash };
        let other = TrieAccount { nonce: 3, balance: U256::from(1_u64 << 60), ..TrieAccount::default() };
        let others = (0..OTHERS).map(|i| (keccak256(i.to_be_bytes()), alloy_rlp::encode(other)));
        others.chain([(keccak256(self.vault), alloy_rlp::encode(vault))]).collect()
    }
}

/// The root over leaves, and the nodes on the ways to the keys.
fn trie(leaves: &BTreeMap<B256, Vec<u8>>, keys: impl Iterator<Item = B256>) -> (B256, ProofNodes) {
    let retainer = ProofRetainer::new(keys.map(Nibbles::unpack).collect());
    let mut builder = HashBuilder::default().with_proof_retainer(retainer);
    leaves.iter().for_each(|(key, value)| builder.add_leaf(Nibbles::unpack(key), value));
    let root = builder.root();
    (root, builder.take_proof_nodes())
}

/// The nodes on the way to one key. Those that stand inside their parents are not sent.
fn walk(nodes: &ProofNodes, key: B256) -> Vec<Bytes> {
    let nodes = nodes.matching_nodes_sorted(&Nibbles::unpack(key)).into_iter();
    nodes.filter(|(path, node)| path.is_empty() || node.len() >= 32).map(|(_, node)| node).collect()
}
