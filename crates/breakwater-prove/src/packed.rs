//! Trie nodes and walks as evidence carries them: each node once, walks as indices.
//!
//! `nodes` is the concatenation of the nodes' RLP; `paths` holds one walk after another, a count byte and
//! that many two-byte big-endian indices. Both are read by `contracts/src/libraries/Trie.sol`.

use crate::rlp::{self, Item};
use crate::trie::{self, Key, TrieError};
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use std::collections::HashMap;

/// Indices have two bytes.
pub const NODES_MAX: usize = 1 << 16;
/// The count of a walk has one byte.
pub const WALK_NODES_MAX: usize = 255;

/// Why packed walks prove nothing. The names are those of the contracts' `Trie` library.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackedError {
    /// More nodes than indices reach.
    #[error("more than {NODES_MAX} nodes")]
    TooManyNodes,
    /// A walk of more nodes than its count can say.
    #[error("a walk of {0} nodes, more than {WALK_NODES_MAX}")]
    WalkTooLong(usize),
    /// The paths end within a walk.
    #[error("the walk at byte {cursor} of the paths needs {need} bytes, {have} are left")]
    PathsTooShort {
        /// Where the walk begins.
        cursor: usize,
        /// Bytes that it needs.
        need: usize,
        /// Bytes that are left.
        have: usize,
    },
    /// Walks that nothing asked for.
    #[error("{used} of {have} bytes of the paths were used")]
    PathsUnused {
        /// Bytes that the walks took.
        used: usize,
        /// Bytes that there are.
        have: usize,
    },
    /// An index beyond the nodes.
    #[error("node {index} of {count}")]
    NoSuchNode {
        /// The index.
        index: usize,
        /// How many nodes there are.
        count: usize,
    },
    /// A walk, or a node of it, is wrong.
    #[error(transparent)]
    Trie(#[from] TrieError),
}

impl From<rlp::RlpError> for PackedError {
    fn from(error: rlp::RlpError) -> Self {
        Self::Trie(error.into())
    }
}

/// A proven account. An absent one has balance 0, the empty storage root and code hash 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountState {
    /// Whether the account is in the state trie.
    pub exists: bool,
    /// Transactions sent, or contracts created.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
    /// Root of the account's storage trie.
    pub storage_root: B256,
    /// keccak256 of the code.
    pub code_hash: B256,
}

impl AccountState {
    /// The account from the value of its leaf; none: it is absent.
    pub(crate) fn from_leaf(leaf: Option<&[u8]>) -> Result<Self, TrieError> {
        let Some(leaf) = leaf else {
            let (storage_root, code_hash) = (trie::EMPTY_ROOT, B256::ZERO);
            return Ok(Self { exists: false, nonce: 0, balance: U256::ZERO, storage_root, code_hash });
        };
        let mut data = rlp::whole_list(leaf)?;
        let nonce = rlp::take_u64(&mut data)?;
        let balance = rlp::take_integer(&mut data, 32)?;
        let storage_root = rlp::take_word(&mut data)?;
        let code_hash = rlp::take_word(&mut data)?;
        rlp::done(data)?;
        Ok(Self { exists: true, nonce, balance, storage_root, code_hash })
    }
}

/// Reads packed walks one after another, as the contract does.
#[derive(Debug)]
pub struct Walks<'a> {
    nodes: Vec<&'a [u8]>,
    paths: &'a [u8],
    cursor: usize,
}

impl<'a> Walks<'a> {
    /// Splits the nodes.
    ///
    /// # Errors
    /// [`PackedError::TooManyNodes`], or [`PackedError::Trie`] where the bytes are not lists.
    pub fn new(nodes: &'a [u8], paths: &'a [u8]) -> Result<Self, PackedError> {
        let mut split = Vec::new();
        let mut rest = nodes;
        while !rest.is_empty() {
            if split.len() == NODES_MAX {
                return Err(PackedError::TooManyNodes);
            }
            let item = Item::list(rest)?;
            split.push(&rest[..rest.len() - item.rest.len()]);
            rest = item.rest;
        }
        Ok(Self { nodes: split, paths, cursor: 0 })
    }

    /// Takes the next walk and proves what `root` holds under `key`.
    ///
    /// # Errors
    /// Any [`PackedError`].
    pub fn walk(&mut self, root: B256, key: Key) -> Result<Option<&'a [u8]>, PackedError> {
        let nodes = self.next_nodes()?;
        Ok(trie::walk(root, key, &nodes)?)
    }

    /// Takes the next walk as that of an account.
    ///
    /// # Errors
    /// Any [`PackedError`].
    pub fn account(&mut self, state_root: B256, address: Address) -> Result<AccountState, PackedError> {
        let leaf = self.walk(state_root, Key::hashed(address.as_slice()))?;
        Ok(AccountState::from_leaf(leaf)?)
    }

    /// Takes the next walk as that of a storage slot; an absent one is 0.
    ///
    /// # Errors
    /// Any [`PackedError`].
    pub fn storage(&mut self, storage_root: B256, slot: B256) -> Result<U256, PackedError> {
        let nodes = self.next_nodes()?;
        Ok(trie::storage_word(storage_root, slot, &nodes)?)
    }

    /// Call after the last walk: nothing of the paths may be left over.
    ///
    /// # Errors
    /// [`PackedError::PathsUnused`].
    pub fn done(self) -> Result<(), PackedError> {
        let (used, have) = (self.cursor, self.paths.len());
        if used == have { Ok(()) } else { Err(PackedError::PathsUnused { used, have }) }
    }

    fn next_nodes(&mut self) -> Result<Vec<&'a [u8]>, PackedError> {
        let cursor = self.cursor;
        let rest = &self.paths[cursor..];
        let count = *rest.first().ok_or(PackedError::PathsTooShort { cursor, need: 1, have: 0 })?;
        let need = 1 + 2 * usize::from(count);
        let indices =
            rest.get(1..need).ok_or(PackedError::PathsTooShort { cursor, need, have: rest.len() })?;
        self.cursor += need;
        indices
            .chunks_exact(2)
            .map(|pair| {
                let index = usize::from(u16::from_be_bytes([pair[0], pair[1]]));
                let count = self.nodes.len();
                self.nodes.get(index).copied().ok_or(PackedError::NoSuchNode { index, count })
            })
            .collect()
    }
}

/// Packs walks: a node that several share is kept once.
#[derive(Clone, Debug, Default)]
pub struct Packer {
    known: HashMap<B256, u16>,
    nodes: Vec<u8>,
    paths: Vec<u8>,
}

impl Packer {
    /// Appends one walk, from the root down.
    ///
    /// # Errors
    /// [`PackedError::TooManyNodes`], [`PackedError::WalkTooLong`], or [`PackedError::Trie`] for a node that
    /// is not one list, at which the reader would lose count.
    pub fn push(&mut self, walk: &[Bytes]) -> Result<(), PackedError> {
        let count = u8::try_from(walk.len()).map_err(|_| PackedError::WalkTooLong(walk.len()))?;
        let mut path = vec![count];
        for node in walk {
            path.extend(self.index(node)?.to_be_bytes());
        }
        self.paths.extend(path);
        Ok(())
    }

    /// Bytes of nodes and paths so far.
    pub fn size(&self) -> usize {
        self.nodes.len() + self.paths.len()
    }

    /// The nodes and the paths.
    pub fn finish(self) -> (Bytes, Bytes) {
        (self.nodes.into(), self.paths.into())
    }

    fn index(&mut self, node: &Bytes) -> Result<u16, PackedError> {
        let hash = keccak256(node);
        if let Some(index) = self.known.get(&hash) {
            return Ok(*index);
        }
        rlp::whole_list(node)?;
        let index = u16::try_from(self.known.len()).map_err(|_| PackedError::TooManyNodes)?;
        self.known.insert(hash, index);
        self.nodes.extend_from_slice(node);
        Ok(index)
    }
}
