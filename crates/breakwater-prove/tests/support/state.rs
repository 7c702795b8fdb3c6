//! A state held in memory, that answers like a node: headers and `eth_getProof`.

use std::collections::BTreeMap;

use alloy::consensus::Header;
use alloy::primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy::rpc::types::{EIP1186AccountProofResponse, EIP1186StorageProof};
use alloy_trie::proof::ProofRetainer;
use alloy_trie::{HashBuilder, Nibbles, TrieAccount};
use breakwater_chain::Head;
use breakwater_prove::block::BlockProof;
use breakwater_prove::gauge::AccountReads;
use breakwater_prove::proof::AccountProof;

#[derive(Clone, Debug)]
pub struct Account {
    pub nonce: u64,
    pub balance: U256,
    pub code_hash: B256,
    pub storage: BTreeMap<B256, U256>,
}

impl Default for Account {
    fn default() -> Self {
        Self { nonce: 0, balance: U256::ZERO, code_hash: KECCAK256_EMPTY, storage: BTreeMap::new() }
    }
}

impl Account {
    fn leaves(&self) -> BTreeMap<B256, Vec<u8>> {
        let present = self.storage.iter().filter(|(_, word)| !word.is_zero());
        present.map(|(slot, word)| (keccak256(slot), alloy_rlp::encode(word))).collect()
    }
}

#[derive(Clone, Debug, Default)]
pub struct State {
    pub accounts: BTreeMap<Address, Account>,
}

impl State {
    /// The account, made if it is not there.
    pub fn account(&mut self, address: Address) -> &mut Account {
        self.accounts.entry(address).or_default()
    }

    pub fn set(&mut self, address: Address, slot: B256, word: U256) {
        self.account(address).storage.insert(slot, word);
    }

    pub fn head(&self, number: u64, time: u64) -> Head {
        let (state_root, _) = trie(&self.leaves(), None);
        let header =
            Header { number, timestamp: time, state_root, base_fee_per_gas: Some(7), ..Default::default() };
        Head::from_rlp(alloy_rlp::encode(header).into()).unwrap()
    }

    /// What a node answers to `eth_getProof`.
    pub fn answer(&self, address: Address, slots: &[B256]) -> EIP1186AccountProofResponse {
        let (_, account_proof) = trie(&self.leaves(), Some(keccak256(address)));
        let known = self.accounts.get(&address).cloned().unwrap_or_default();
        let leaves = known.leaves();
        let prove = |slot: &B256| EIP1186StorageProof {
            key: (*slot).into(),
            value: known.storage.get(slot).copied().unwrap_or_default(),
            proof: trie(&leaves, Some(keccak256(slot))).1,
        };
        EIP1186AccountProofResponse {
            address,
            balance: known.balance,
            code_hash: known.code_hash,
            nonce: known.nonce,
            storage_hash: trie(&leaves, None).0,
            account_proof,
            storage_proof: slots.iter().map(prove).collect(),
        }
    }

    /// The verified proof of a block.
    pub fn block(&self, number: u64, time: u64, reads: &[AccountReads]) -> BlockProof {
        let head = self.head(number, time);
        let prove = |read: &AccountReads| {
            let answer = self.answer(read.account, &read.slots);
            AccountProof::verify(head.state_root(), read.account, &read.slots, answer).unwrap()
        };
        BlockProof::new(&head, reads.iter().map(prove).collect()).unwrap()
    }

    fn leaves(&self) -> BTreeMap<B256, Vec<u8>> {
        let leaf = |account: &Account| TrieAccount {
            nonce: account.nonce,
            balance: account.balance,
            storage_root: trie(&account.leaves(), None).0,
            code_hash: account.code_hash,
        };
        self.accounts.iter().map(|(at, account)| (keccak256(at), alloy_rlp::encode(leaf(account)))).collect()
    }
}

/// The root over leaves, and the walk to a key.
fn trie(leaves: &BTreeMap<B256, Vec<u8>>, target: Option<B256>) -> (B256, Vec<Bytes>) {
    let target = target.map(Nibbles::unpack);
    let retainer = ProofRetainer::new(target.into_iter().collect());
    let mut builder = HashBuilder::default().with_proof_retainer(retainer);
    for (key, value) in leaves {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    let root = builder.root();
    let nodes = builder.take_proof_nodes();
    let Some(target) = target else { return (root, Vec::new()) };
    let walk = nodes.matching_nodes_sorted(&target).into_iter();
    // Nodes do not send those that stand inside their parents.
    (root, walk.filter(|(path, node)| path.is_empty() || node.len() >= 32).map(|(_, node)| node).collect())
}
