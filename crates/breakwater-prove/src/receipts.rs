//! Receipts of a block, and the walk from its receipts root to one of them.
//!
//! Logs are the only part of what a transaction did that is under a root; the rung of watched oracles reads
//! liquidations from them.

use alloy::consensus::ReceiptEnvelope;
use alloy::eips::eip2718::Encodable2718;
use alloy::primitives::{B256, Bytes};
use alloy_trie::proof::ProofRetainer;
use alloy_trie::{HashBuilder, Nibbles};
use breakwater_chain::Head;

/// Why a receipt cannot be proven.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The block has fewer transactions.
    #[error("receipt {index} of {count}")]
    NoReceipt {
        /// Index of the transaction.
        index: usize,
        /// Transactions of the block.
        count: usize,
    },
    /// These are not the block's receipts.
    #[error("receipts root: expected {expected}, got {got}")]
    Root {
        /// The header's.
        expected: B256,
        /// Theirs.
        got: B256,
    },
}

/// The nodes from the block's receipts root down to the receipt of transaction `index`; `receipts` are all of the
/// block's, in order.
///
/// # Errors
/// [`ReceiptError`].
pub fn walk(head: &Head, receipts: &[ReceiptEnvelope], index: usize) -> Result<Vec<Bytes>, ReceiptError> {
    let expected = head.header().receipts_root;
    let (got, nodes) = nodes(receipts, index)?;
    if got == expected { Ok(nodes) } else { Err(ReceiptError::Root { expected, got }) }
}

/// The root over all receipts, and the nodes down to one of them.
fn nodes(receipts: &[ReceiptEnvelope], index: usize) -> Result<(B256, Vec<Bytes>), ReceiptError> {
    if index >= receipts.len() {
        return Err(ReceiptError::NoReceipt { index, count: receipts.len() });
    }
    let mut leaves: Vec<(Nibbles, Vec<u8>)> =
        receipts.iter().enumerate().map(|(index, receipt)| (key(index), receipt.encoded_2718())).collect();
    // The builder takes leaves in the order of their keys, which is not that of the indices.
    leaves.sort_unstable();
    let target = key(index);
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::from_iter([target]));
    leaves.iter().for_each(|(key, receipt)| builder.add_leaf(*key, receipt));
    let root = builder.root();
    let nodes = builder.take_proof_nodes().matching_nodes_sorted(&target);
    Ok((root, nodes.into_iter().map(|(_, node)| node).collect()))
}

/// A receipt's place in the trie: the RLP of its index, not hashed.
fn key(index: usize) -> Nibbles {
    Nibbles::unpack(alloy_rlp::encode(index))
}

#[cfg(test)]
mod tests {
    use alloy::consensus::proofs::calculate_receipt_root;
    use alloy::consensus::{Eip658Value, Receipt, ReceiptWithBloom};
    use alloy::primitives::{Address, Log};

    use super::*;
    use crate::trie::{self, Key};

    fn receipts(count: usize) -> Vec<ReceiptEnvelope> {
        let receipt = |index: usize| {
            let data = Bytes::from(vec![7; 40 + index % 50]);
            let logs = vec![Log::new_unchecked(Address::repeat_byte(1), vec![B256::repeat_byte(2)], data)];
            let status = Eip658Value::Eip658(true);
            let receipt = Receipt { status, cumulative_gas_used: 21_000 * (index as u64 + 1), logs };
            let with_bloom = ReceiptWithBloom::from(receipt);
            if index.is_multiple_of(2) {
                ReceiptEnvelope::Eip1559(with_bloom)
            } else {
                ReceiptEnvelope::Legacy(with_bloom)
            }
        };
        (0..count).map(receipt).collect()
    }

    #[test]
    fn every_receipt_is_found_under_the_root_of_all() {
        // One receipt is a single leaf; at 0x80 the keys become two bytes long.
        for count in [1, 2, 17, 130] {
            let receipts = receipts(count);
            for index in [0, 1, 16, 127, 128, 129].into_iter().filter(|index| *index < count) {
                let (root, walk) = nodes(&receipts, index).expect("the receipt is there");
                assert_eq!(root, calculate_receipt_root(&receipts));
                let encoded = alloy_rlp::encode(index);
                let mut bytes = B256::ZERO;
                bytes[..encoded.len()].copy_from_slice(&encoded);
                let key = Key { bytes, nibbles: 2 * encoded.len() };
                let walk: Vec<&[u8]> = walk.iter().map(AsRef::as_ref).collect();
                let found = trie::walk(root, key, &walk).expect("the walk holds");
                assert_eq!(found, Some(receipts[index].encoded_2718().as_slice()), "{index} of {count}");
            }
        }
    }

    #[test]
    fn receipts_of_another_block_are_refused() {
        let head = |count| {
            let header = alloy::consensus::Header {
                receipts_root: calculate_receipt_root(&receipts(count)),
                ..Default::default()
            };
            Head::from_rlp(alloy_rlp::encode(header).into()).expect("a header")
        };
        assert!(walk(&head(3), &receipts(3), 2).is_ok());
        let refused = walk(&head(3), &receipts(2), 1);
        assert!(matches!(refused, Err(ReceiptError::Root { .. })), "{refused:?}");
        let refused = walk(&head(3), &receipts(3), 3);
        assert_eq!(refused, Err(ReceiptError::NoReceipt { index: 3, count: 3 }));
    }
}
