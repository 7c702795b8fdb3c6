//! `eth_getProof` answers, verified against a state root before anything else may use them.
//!
//! Each proof is checked twice: by [`trie::walk`], which decides as the contract does, and by
//! `alloy_trie`. What a node merely claims beside its proof (balance, value) must be what it proves.

use std::collections::BTreeMap;

use crate::packed::AccountState;
use crate::trie::{self, Key, TrieError};
use alloy::primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use alloy::rpc::types::EIP1186AccountProofResponse;
use alloy_trie::Nibbles;

/// Why an `eth_getProof` answer is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The answer is about something else than was asked.
    #[error("{what}: expected {expected}, got {got}")]
    Answer {
        /// What differs.
        what: &'static str,
        /// What was asked for.
        expected: String,
        /// What came.
        got: String,
    },
    /// The nodes prove nothing.
    #[error("{what}: {error}")]
    Walk {
        /// The account or slot.
        what: String,
        /// The rule that is broken.
        error: TrieError,
    },
    /// The nodes end with an empty one although they prove presence.
    #[error("{0}: an empty node stands behind a value")]
    EmptyNode(String),
    /// A second implementation does not agree that the nodes prove this.
    #[error("{what}: the second verifier refuses: {error}")]
    SecondVerifier {
        /// The account or slot.
        what: String,
        /// What it says.
        error: String,
    },
    /// The answer claims something else than it proves.
    #[error("{what}: claims {claimed}, proves {proven}")]
    Claim {
        /// Which number.
        what: String,
        /// What stands beside the proof.
        claimed: String,
        /// What the nodes prove.
        proven: String,
    },
}

/// A proven storage word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotProof {
    slot: B256,
    value: U256,
    nodes: Vec<Bytes>,
}

impl SlotProof {
    /// The slot.
    pub fn slot(&self) -> B256 {
        self.slot
    }

    /// Its word; 0 if the slot is absent.
    pub fn value(&self) -> U256 {
        self.value
    }

    /// The walk from the storage root down.
    pub fn nodes(&self) -> &[Bytes] {
        &self.nodes
    }
}

/// A proven account with some of its storage words; it can only be made by verifying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountProof {
    state_root: B256,
    address: Address,
    state: AccountState,
    nodes: Vec<Bytes>,
    slots: BTreeMap<B256, SlotProof>,
}

impl AccountProof {
    /// Verifies an answer for `address` and `slots` (in this order) against a state root.
    ///
    /// Presence and absence are both proven. Some nodes append an empty node to a proof of absence;
    /// that one is dropped, and any other empty node is refused.
    ///
    /// # Errors
    /// [`ProofError`] naming the part that is wrong.
    pub fn verify(
        state_root: B256,
        address: Address,
        slots: &[B256],
        answer: EIP1186AccountProofResponse,
    ) -> Result<Self, ProofError> {
        same("address", address, answer.address)?;
        same("number of storage proofs", slots.len(), answer.storage_proof.len())?;
        let what = format!("account {address}");
        let (leaf, nodes) = prove(&what, state_root, address.as_slice(), answer.account_proof)?;
        let state = AccountState::from_leaf(leaf.as_deref())
            .map_err(|error| ProofError::Walk { what: what.clone(), error })?;
        claims(&what, &state, answer.nonce, answer.balance, answer.code_hash, answer.storage_hash)?;
        let slots = slots
            .iter()
            .zip(answer.storage_proof)
            .map(|(slot, proof)| {
                same("slot of a storage proof", *slot, proof.key.as_b256())?;
                let proof = verify_slot(state.storage_root, address, *slot, proof.value, proof.proof)?;
                Ok((*slot, proof))
            })
            .collect::<Result<_, ProofError>>()?;
        Ok(Self { state_root, address, state, nodes, slots })
    }

    /// Its address.
    pub fn address(&self) -> Address {
        self.address
    }

    /// What stands in the state trie.
    pub fn state(&self) -> &AccountState {
        &self.state
    }

    /// The walk from the state root down.
    pub fn nodes(&self) -> &[Bytes] {
        &self.nodes
    }

    /// The proven slots, ascending.
    pub fn slots(&self) -> impl Iterator<Item = &SlotProof> {
        self.slots.values()
    }

    /// The proof of one slot.
    ///
    /// # Errors
    /// [`ProofError::Answer`] for a slot that is not proven here.
    pub fn slot(&self, slot: B256) -> Result<&SlotProof, ProofError> {
        let missing = || ProofError::Answer {
            what: "proven slot",
            expected: format!("{slot} of {}", self.address),
            got: "none".to_owned(),
        };
        self.slots.get(&slot).ok_or_else(missing)
    }

    /// The state root under which all of it is proven.
    pub fn state_root(&self) -> B256 {
        self.state_root
    }

    /// Joins proofs of further slots of the same account in the same block.
    ///
    /// # Errors
    /// [`ProofError::Answer`] if the account or the state root is another.
    pub fn extend(&mut self, other: Self) -> Result<(), ProofError> {
        same("address", self.address, other.address)?;
        same("state root", self.state_root, other.state_root)?;
        self.slots.extend(other.slots);
        Ok(())
    }
}

fn verify_slot(
    storage_root: B256,
    address: Address,
    slot: B256,
    claimed: U256,
    nodes: Vec<Bytes>,
) -> Result<SlotProof, ProofError> {
    let what = format!("slot {slot} of {address}");
    let (_, nodes) = prove(&what, storage_root, slot.as_slice(), nodes)?;
    let value = trie::storage_word(storage_root, slot, &slices(&nodes))
        .map_err(|error| ProofError::Walk { what: what.clone(), error })?;
    if value != claimed {
        return Err(ProofError::Claim { what, claimed: claimed.to_string(), proven: value.to_string() });
    }
    Ok(SlotProof { slot, value, nodes })
}

type Proven = (Option<Vec<u8>>, Vec<Bytes>);

/// The value under a hashed key and the nodes without what a source appends to them.
fn prove(what: &str, root: B256, preimage: &[u8], mut nodes: Vec<Bytes>) -> Result<Proven, ProofError> {
    // Both are ways to write the empty child at which a proof of absence ends.
    let appended = nodes.pop_if(|last| last.is_empty() || last.as_ref() == [0x80]).is_some();
    let key = Key::hashed(preimage);
    let value = trie::walk(root, key, &slices(&nodes))
        .map_err(|error| ProofError::Walk { what: what.to_owned(), error })?
        .map(<[u8]>::to_vec);
    if appended && value.is_some() {
        return Err(ProofError::EmptyNode(what.to_owned()));
    }
    alloy_trie::proof::verify_proof(root, Nibbles::unpack(key.bytes), value.clone(), &nodes)
        .map_err(|error| ProofError::SecondVerifier { what: what.to_owned(), error: error.to_string() })?;
    Ok((value, nodes))
}

fn claims(
    what: &str,
    state: &AccountState,
    nonce: u64,
    balance: U256,
    code_hash: B256,
    storage_hash: B256,
) -> Result<(), ProofError> {
    claim(what, "nonce", nonce, state.nonce)?;
    claim(what, "balance", balance, state.balance)?;
    // For an absent account some nodes give zero and some the hash of nothing.
    let claimed_code = if !state.exists && code_hash == KECCAK256_EMPTY { B256::ZERO } else { code_hash };
    claim(what, "code hash", claimed_code, state.code_hash)?;
    let claimed_root = if !state.exists && storage_hash.is_zero() { trie::EMPTY_ROOT } else { storage_hash };
    claim(what, "storage root", claimed_root, state.storage_root)
}

fn claim<T: PartialEq + ToString>(what: &str, number: &str, claimed: T, proven: T) -> Result<(), ProofError> {
    if claimed == proven {
        return Ok(());
    }
    let (claimed, proven) = (claimed.to_string(), proven.to_string());
    Err(ProofError::Claim { what: format!("{what}, {number}"), claimed, proven })
}

fn same<T: PartialEq + ToString>(what: &'static str, expected: T, got: T) -> Result<(), ProofError> {
    if expected == got {
        return Ok(());
    }
    Err(ProofError::Answer { what, expected: expected.to_string(), got: got.to_string() })
}

fn slices(nodes: &[Bytes]) -> Vec<&[u8]> {
    nodes.iter().map(AsRef::as_ref).collect()
}
