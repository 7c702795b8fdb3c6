//! The Merkle tree of what positions lost, as `MerkleProof` of OpenZeppelin reads it.

use alloy::primitives::{Address, B256, keccak256};
use breakwater_bindings::eip712::position_leaf;

/// What one account lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) account: Address,
    /// Gauge units.
    pub(crate) lost: u128,
    /// Worth at the onset, gauge units.
    pub(crate) value: u128,
}

/// All levels, the leaves first; a last one without a partner moves up as it is.
pub(crate) struct Tree {
    levels: Vec<Vec<B256>>,
}

impl Tree {
    pub(crate) fn new(leaves: &[Leaf]) -> Self {
        let mut level: Vec<B256> =
            leaves.iter().map(|leaf| position_leaf(leaf.account, leaf.lost, leaf.value)).collect();
        let mut levels = vec![level.clone()];
        while level.len() > 1 {
            level = level.chunks(2).map(node).collect();
            levels.push(level.clone());
        }
        Self { levels }
    }

    /// Zero without leaves.
    pub(crate) fn root(&self) -> B256 {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_default()
    }

    /// Siblings from the leaf at `index` to the root.
    pub(crate) fn proof(&self, mut index: usize) -> Vec<B256> {
        let mut proof = Vec::new();
        for level in &self.levels {
            proof.extend(level.get(index ^ 1).copied());
            index /= 2;
        }
        proof
    }
}

fn node(pair: &[B256]) -> B256 {
    match pair {
        [left, right] => {
            let (low, high) = if left < right { (left, right) } else { (right, left) };
            keccak256([low.as_slice(), high.as_slice()].concat())
        }
        [single] => *single,
        _ => B256::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_leads_to_the_root() {
        for count in 1..=9_u8 {
            let leaf = |i: u8| Leaf { account: Address::repeat_byte(i), lost: i.into(), value: 100 };
            let leaves: Vec<Leaf> = (1..=count).map(leaf).collect();
            let tree = Tree::new(&leaves);
            for (index, leaf) in leaves.iter().enumerate() {
                let start = position_leaf(leaf.account, leaf.lost, leaf.value);
                let reached = tree.proof(index).into_iter().fold(start, |at, sibling| node(&[at, sibling]));
                assert_eq!(reached, tree.root(), "leaf {index} of {count}");
            }
        }
        assert_eq!(Tree::new(&[]).root(), B256::ZERO);
    }
}
