//! Proofs of presence and absence in Ethereum's Merkle-Patricia tries.
//!
//! [`walk`] decides exactly as `contracts/src/libraries/Trie.sol` does, rule by rule and with the same
//! names, so that what passes here passes there; tests run both on the same proofs.
//! The road not taken is `alloy_trie::proof::verify_proof` alone: it wants the value beforehand and takes
//! nodes that the contract refuses. It still has to agree on everything that comes from an RPC.

use crate::rlp::{self, Item, RlpError};
use alloy::primitives::{B256, U256, keccak256};

/// Root of the trie that holds nothing.
pub use alloy_trie::EMPTY_ROOT_HASH as EMPTY_ROOT;

/// The first `nibbles` nibbles of a left-aligned key; 64 for the hash of an address or a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The nibbles, left-aligned.
    pub bytes: B256,
    /// How many count, at most 64.
    pub nibbles: usize,
}

impl Key {
    /// A key of all 64 nibbles.
    pub fn whole(bytes: B256) -> Self {
        Self { bytes, nibbles: 64 }
    }

    /// The key of an account or slot: the hash of its bytes.
    pub fn hashed(preimage: &[u8]) -> Self {
        Self::whole(keccak256(preimage))
    }

    fn nibble(&self, at: usize) -> u8 {
        let byte = self.bytes[at / 2];
        if at.is_multiple_of(2) { byte >> 4 } else { byte & 15 }
    }
}

/// Why a walk proves nothing. The names are those of the contracts' `Trie` library.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrieError {
    /// A node is not well-formed RLP.
    #[error(transparent)]
    Rlp(#[from] RlpError),
    /// A node is not the one that its parent, or the root, names.
    #[error("node {index} must hash to {expected}, hashes to {got}")]
    WrongNode {
        /// Position in the walk, from 0.
        index: usize,
        /// The hash that the parent names.
        expected: B256,
        /// The node's hash.
        got: B256,
    },
    /// The walk has no node left where this one is needed.
    #[error("the walk ends before node {0}")]
    WalkTooShort(B256),
    /// Nodes are left when the walk is over.
    #[error("{0} nodes are left when the walk is over")]
    WalkTooLong(usize),
    /// A path of no bytes.
    #[error("a path without flags")]
    EmptyPath,
    /// Flags that hex-prefix encoding does not have, or padding that is not zero.
    #[error("bad path flags {0:#04x}")]
    BadPathFlags(u8),
    /// A path of a length that keys of this length cannot have.
    #[error("{remaining} nibbles are left for a path of {got} (leaf: {leaf})")]
    BadPathLength {
        /// Whether the node is a leaf.
        leaf: bool,
        /// Nibbles of the key that are left.
        remaining: usize,
        /// Nibbles of the path.
        got: usize,
    },
    /// A branch below the last nibble of the key.
    #[error("a branch below all {0} nibbles of the key")]
    KeyExhausted(usize),
    /// A reference that is neither a hash nor an inline node.
    #[error("a reference with first byte {0:#04x}")]
    BadChild(u8),
    /// Not sixteen children and an empty value.
    #[error("a branch must have sixteen children and no value")]
    BadBranch,
    /// A leaf without a value, or a stored zero.
    #[error("an empty value")]
    EmptyValue,
}

/// Proves what `root` holds under `key` from the nodes on the way: the raw value, or none.
///
/// No nodes prove absence in the empty trie and nothing else.
///
/// # Errors
/// [`TrieError`] naming the first rule that is broken.
pub fn walk<'a>(root: B256, key: Key, nodes: &[&'a [u8]]) -> Result<Option<&'a [u8]>, TrieError> {
    if nodes.is_empty() && root == EMPTY_ROOT {
        return Ok(None);
    }
    let mut walk = Walk { nodes, next: 0, key };
    let value = walk.descend(root)?;
    match nodes.len() - walk.next {
        0 => Ok(value),
        unused => Err(TrieError::WalkTooLong(unused)),
    }
}

/// The word in a storage slot; an absent one is 0.
///
/// Ethereum deletes a slot that becomes zero; some nodes keep the zero in their trie, which says the same.
///
/// # Errors
/// [`TrieError`].
pub fn storage_word(root: B256, slot: B256, nodes: &[&[u8]]) -> Result<U256, TrieError> {
    let Some(mut value) = walk(root, Key::hashed(slot.as_slice()), nodes)? else {
        return Ok(U256::ZERO);
    };
    let word = rlp::take_integer(&mut value, 32)?;
    rlp::done(value)?;
    Ok(word)
}

struct Walk<'n, 'a> {
    nodes: &'n [&'a [u8]],
    next: usize,
    key: Key,
}

/// What stands at one step of a walk.
enum Step<'a> {
    Value(&'a [u8]),
    Absent,
    /// A reference and the bytes from it to the end of its node.
    Child(&'a [u8]),
}

impl<'a> Walk<'_, 'a> {
    fn descend(&mut self, root: B256) -> Result<Option<&'a [u8]>, TrieError> {
        let mut node = self.open(root)?;
        let mut depth = 0;
        // Every turn takes at least one nibble of the key, so there are at most 65.
        loop {
            let reference = match self.step(node, &mut depth)? {
                Step::Value(value) => return Ok(Some(value)),
                Step::Absent => return Ok(None),
                Step::Child(reference) => reference,
            };
            node = self.follow(reference)?;
        }
    }

    fn step(&self, node: &'a [u8], depth: &mut usize) -> Result<Step<'a>, TrieError> {
        let first = Item::read(node)?;
        let second = Item::read(first.rest)?;
        if second.rest.is_empty() {
            return self.short(node, first.rest, depth);
        }
        if *depth == self.key.nibbles {
            return Err(TrieError::KeyExhausted(*depth));
        }
        let child = branch_child(node, self.key.nibble(*depth))?;
        *depth += 1;
        Ok(if child[0] == 0x80 { Step::Absent } else { Step::Child(child) })
    }

    /// A leaf or an extension: a path and what stands at its end.
    fn short(&self, path: &'a [u8], second: &'a [u8], depth: &mut usize) -> Result<Step<'a>, TrieError> {
        let path = Item::string(path)?.payload;
        let flags = *path.first().ok_or(TrieError::EmptyPath)?;
        let odd = flags & 0x10 != 0;
        if flags > 0x3f || (!odd && flags & 0x0f != 0) {
            return Err(TrieError::BadPathFlags(flags));
        }
        let leaf = flags & 0x20 != 0;
        let length = 2 * path.len() - if odd { 1 } else { 2 };
        let remaining = self.key.nibbles - *depth;
        let fits = if leaf { length == remaining } else { length != 0 && length < remaining };
        if !fits {
            return Err(TrieError::BadPathLength { leaf, remaining, got: length });
        }
        let from = *depth;
        // Nibble i of the path is nibble i + 1 of its bytes when it is odd, and i + 2 when it is even.
        let skipped = if odd { 1 } else { 2 };
        let nibble = |at: usize| if at.is_multiple_of(2) { path[at / 2] >> 4 } else { path[at / 2] & 15 };
        if (0..length).any(|at| nibble(at + skipped) != self.key.nibble(from + at)) {
            return Ok(Step::Absent);
        }
        if !leaf {
            *depth += length;
            return Ok(Step::Child(second));
        }
        let value = Item::string(second)?.payload;
        if value.is_empty() { Err(TrieError::EmptyValue) } else { Ok(Step::Value(value)) }
    }

    fn follow(&mut self, reference: &'a [u8]) -> Result<&'a [u8], TrieError> {
        match reference[0] {
            0xa0 => self.open(B256::from_slice(Item::read(reference)?.payload)),
            // A node is inline when it has fewer than 32 bytes, so its payload has at most 30.
            0xc1..=INLINE_MAX => Ok(Item::list(reference)?.payload),
            prefix => Err(TrieError::BadChild(prefix)),
        }
    }

    /// The payload of the next node, which must have this hash.
    fn open(&mut self, expected: B256) -> Result<&'a [u8], TrieError> {
        let index = self.next;
        let node = *self.nodes.get(index).ok_or(TrieError::WalkTooShort(expected))?;
        let payload = rlp::whole_list(node)?;
        let got = keccak256(node);
        if got != expected {
            return Err(TrieError::WrongNode { index, expected, got });
        }
        self.next += 1;
        Ok(payload)
    }
}

/// First byte of the longest inline node.
const INLINE_MAX: u8 = 0xc0 + 30;
/// Payload of a branch with sixteen hashes and no value, the only branch that is this long.
const FULL_BRANCH: usize = 16 * 33 + 1;

/// The bytes of a branch from child `nibble` on; at least one byte.
fn branch_child(node: &[u8], nibble: u8) -> Result<&[u8], TrieError> {
    if node.len() == FULL_BRANCH {
        let child = &node[33 * usize::from(nibble)..];
        let sound = child[0] == 0xa0 && node[FULL_BRANCH - 1] == 0x80;
        return if sound { Ok(child) } else { Err(TrieError::BadBranch) };
    }
    let mut found = node;
    let mut rest = node;
    for at in 0..16 {
        if at == nibble {
            found = rest;
        }
        let width = match *rest.first().ok_or(TrieError::BadBranch)? {
            0x80 => 1,
            0xa0 => 33,
            prefix @ 0xc1..=INLINE_MAX => usize::from(prefix - 0xbf),
            prefix => return Err(TrieError::BadChild(prefix)),
        };
        rest = rest.get(width..).ok_or(TrieError::BadBranch)?;
    }
    // Keys of one trie never begin with one another, so no branch carries a value.
    if rest == [0x80] { Ok(found) } else { Err(TrieError::BadBranch) }
}

#[cfg(test)]
mod tests;
