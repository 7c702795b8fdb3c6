//! Where a holder's word lies, and the hash that stands for a list of holders.

use super::{GaugeSpec, Holding};
use alloy::primitives::{Address, B256, U256, keccak256};

impl GaugeSpec {
    /// The slot of the holding account in which the shares or claims of `holder` are kept.
    pub fn holder_slot(&self, holder: Address) -> B256 {
        self.holding.slot(holder)
    }
}

impl Holding {
    /// The slot in which the shares or claims of `holder` are kept.
    pub fn slot(&self, holder: Address) -> B256 {
        let mut slot = self.hash(holder.into_word(), self.base);
        if self.nested {
            slot = self.hash(self.inner_key, slot);
        }
        // Slots are counted modulo 2^256, as the EVM does.
        B256::from(U256::from_be_bytes(slot.0).wrapping_add(U256::from(self.word)))
    }

    fn hash(&self, key: B256, slot: B256) -> B256 {
        let (first, second) = if self.vyper { (slot, key) } else { (key, slot) };
        let mut joined = [0; 64];
        joined[..32].copy_from_slice(first.as_slice());
        joined[32..].copy_from_slice(second.as_slice());
        keccak256(joined)
    }
}

/// One step of the chain that stands for a list of holders: h(i) = keccak256(abi.encode(h(i-1), holder)).
///
/// Start from zero; the hash of no holders is zero.
pub fn holders_hash(before: B256, holders: &[Address]) -> B256 {
    holders.iter().fold(before, |hash, holder| {
        let mut joined = [0; 64];
        joined[..32].copy_from_slice(hash.as_slice());
        joined[32..].copy_from_slice(holder.into_word().as_slice());
        keccak256(joined)
    })
}
