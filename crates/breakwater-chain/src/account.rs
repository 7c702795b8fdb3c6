//! Accounts and storage words, proven against a header's state root.

use alloy::primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy::rpc::types::EIP1186AccountProofResponse;
use alloy_trie::proof::verify_proof;
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, TrieAccount};

use crate::endpoints::Endpoints;
use crate::error::{ChainError, Lie, Rejection};
use crate::head::Head;

/// The state of one account after a block, proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Number of transactions sent (or contracts created).
    pub nonce: u64,
    /// Native balance in wei.
    pub balance: U256,
    /// Keccak of the code; that of nothing for an account without code.
    pub code_hash: B256,
    /// Root of the account's storage trie.
    pub storage_root: B256,
    /// The storage words asked for, in the order asked; zero where the slot is absent.
    pub storage: Vec<U256>,
    /// The nodes that prove all of it.
    pub proof: EIP1186AccountProofResponse,
}

/// Checks an `eth_getProof` answer for `address` and `slots` against a state root.
///
/// Presence and absence are both proven; an account that does not exist reads as empty.
///
/// # Errors
/// [`Lie`] naming the first part that does not hold.
pub fn verify_account(
    state_root: B256,
    address: Address,
    slots: &[B256],
    proof: EIP1186AccountProofResponse,
) -> Result<Account, Lie> {
    if proof.address != address {
        return Err(Lie::new("address of the proof", address, proof.address));
    }
    check_account(state_root, address, &proof)?;
    if proof.storage_proof.len() != slots.len() {
        return Err(Lie::new("number of storage proofs", slots.len(), proof.storage_proof.len()));
    }
    let mut storage = Vec::with_capacity(slots.len());
    for (slot, word) in slots.iter().zip(&proof.storage_proof) {
        if word.key.as_b256() != *slot {
            return Err(Lie::new("slot of a storage proof", slot, word.key.as_b256()));
        }
        let value = (!word.value.is_zero()).then(|| alloy::rlp::encode(word.value));
        check(proof.storage_hash, keccak256(slot), value, &word.proof, "storage proof")?;
        storage.push(word.value);
    }
    let EIP1186AccountProofResponse { nonce, balance, code_hash, storage_hash: storage_root, .. } = proof;
    let code_hash = if code_hash.is_zero() { KECCAK256_EMPTY } else { code_hash };
    Ok(Account { nonce, balance, code_hash, storage_root, storage, proof })
}

fn check_account(state_root: B256, address: Address, proof: &EIP1186AccountProofResponse) -> Result<(), Lie> {
    let leaf = TrieAccount {
        nonce: proof.nonce,
        balance: proof.balance,
        storage_root: proof.storage_hash,
        code_hash: proof.code_hash,
    };
    let absent = proof.nonce == 0
        && proof.balance.is_zero()
        && (proof.code_hash.is_zero() || proof.code_hash == KECCAK256_EMPTY)
        && (proof.storage_hash.is_zero() || proof.storage_hash == EMPTY_ROOT_HASH);
    // An empty account may stand in an old trie or be absent from it; either is a proof.
    let present = check(
        state_root,
        keccak256(address),
        Some(alloy::rlp::encode(leaf)),
        &proof.account_proof,
        "account",
    );
    match present {
        Err(_) if absent => check(state_root, keccak256(address), None, &proof.account_proof, "account"),
        verdict => verdict,
    }
}

fn check(
    root: B256,
    key: B256,
    value: Option<Vec<u8>>,
    nodes: &[Bytes],
    what: &'static str,
) -> Result<(), Lie> {
    verify_proof(root, Nibbles::unpack(key), value, nodes).map_err(|error| {
        // The library prints whole trie nodes, of which the beginning tells enough.
        let error: String = error.to_string().chars().take(160).collect();
        Lie::new(format!("{what} of key {key}"), root, error)
    })
}

impl Endpoints {
    /// An account and some of its storage after a block, verified against the block's state root.
    ///
    /// All slots travel in one request.
    ///
    /// # Errors
    /// As [`Endpoints::call_checked`]; an endpoint with a false proof is recorded as a liar.
    pub async fn account(
        &self,
        head: &Head,
        address: Address,
        slots: &[B256],
    ) -> Result<Account, ChainError> {
        self.proof_checked(head, address, slots, |proof| {
            verify_account(head.state_root(), address, slots, proof).map_err(Rejection::from)
        })
        .await
    }

    /// The code of an account after a block, verified against its proven code hash.
    ///
    /// # Errors
    /// As [`Endpoints::account`].
    pub async fn code(&self, head: &Head, address: Address) -> Result<Bytes, ChainError> {
        let account = self.account(head, address, &[]).await?;
        self.code_with_hash(head, address, account.code_hash).await
    }

    /// The code of an account whose code hash is already proven.
    ///
    /// # Errors
    /// As [`Endpoints::call_checked`].
    pub async fn code_with_hash(
        &self,
        head: &Head,
        address: Address,
        code_hash: B256,
    ) -> Result<Bytes, ChainError> {
        if code_hash == KECCAK256_EMPTY {
            return Ok(Bytes::new());
        }
        self.call_checked("eth_getCode", (address, head.block_id()), |code: Bytes| {
            match keccak256(&code) == code_hash {
                true => Ok(code),
                false => Err(Lie::new("hash of the code", code_hash, keccak256(&code)).into()),
            }
        })
        .await
    }

    /// An `eth_getProof` answer that the caller verifies.
    ///
    /// # Errors
    /// As [`Endpoints::call_checked`].
    pub async fn proof_checked<T>(
        &self,
        head: &Head,
        address: Address,
        slots: &[B256],
        verify: impl Fn(EIP1186AccountProofResponse) -> Result<T, Rejection>,
    ) -> Result<T, ChainError> {
        let what = format!("state of {address} at {head:?}");
        self.call_checked(
            "eth_getProof",
            (address, slots, head.block_id()),
            |proof: Option<EIP1186AccountProofResponse>| {
                verify(proof.ok_or_else(|| Rejection::Absent(what.clone()))?)
            },
        )
        .await
    }
}
