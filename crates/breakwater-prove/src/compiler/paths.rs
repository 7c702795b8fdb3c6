//! Which mapping a storage slot belongs to, from the preimages of the hashes that led to it.

use std::collections::HashMap;

use alloy::primitives::{Address, B256, U256};
use breakwater_evm::Trace;

/// Words after a hash that still belong to the value stored there: structs are rarely longer.
const STRUCT_WORDS_MAX: u64 = 64;
/// Mappings within mappings that are followed.
const DEPTH_MAX: usize = 4;

/// One step into a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Step {
    /// Slot that the mapping has at this step.
    pub(crate) base: U256,
    /// Key.
    pub(crate) key: U256,
    /// Whether the slot was hashed before the key, as Vyper does.
    pub(crate) vyper: bool,
    /// Words after the hash.
    pub(crate) word: u64,
}

/// How a slot was reached: from the outermost mapping inwards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    pub(crate) account: Address,
    pub(crate) slot: U256,
    pub(crate) steps: Vec<Step>,
}

/// A mapping with one key left open: where a holder's entry is kept, as a gauge's holding says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Shape {
    pub(crate) account: Address,
    pub(crate) base: U256,
    pub(crate) vyper: bool,
    pub(crate) inner: Option<U256>,
    pub(crate) word: u64,
}

impl Shape {
    /// Slot of a holder's entry.
    pub(crate) fn slot(&self, holder: Address) -> U256 {
        let outer = hash(self.base, U256::from_be_bytes(holder.into_word().0), self.vyper);
        let start = self.inner.map_or(outer, |inner| hash(outer, inner, self.vyper));
        start.wrapping_add(U256::from(self.word))
    }
}

/// Slot of a mapping's entry.
fn hash(base: U256, key: U256, vyper: bool) -> U256 {
    let mut bytes = [0u8; 64];
    let (first, second) = if vyper { (base, key) } else { (key, base) };
    bytes[..32].copy_from_slice(&first.to_be_bytes::<32>());
    bytes[32..].copy_from_slice(&second.to_be_bytes::<32>());
    U256::from_be_bytes(alloy::primitives::keccak256(bytes).0)
}

/// Hashes seen, with their 64-byte preimages as two words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Preimages {
    known: HashMap<U256, (U256, U256)>,
}

impl Preimages {
    /// Learns the hashes of a trace.
    pub(crate) fn learn(&mut self, trace: &Trace) {
        for (preimage, hash) in trace.hashes() {
            if preimage.len() == 64 {
                let words = (U256::from_be_slice(&preimage[..32]), U256::from_be_slice(&preimage[32..]));
                self.known.insert(hash.into(), words);
            }
        }
    }

    /// The path to a slot; empty steps for one that no known hash leads to.
    pub(crate) fn path(&self, account: Address, slot: U256) -> Path {
        let mut steps = Vec::new();
        let mut at = slot;
        while steps.len() < DEPTH_MAX
            && let Some((hash, word)) = self.below(at)
            && let Some(step) = self.step(hash, word)
        {
            at = step.base;
            steps.push(step);
        }
        steps.reverse();
        Path { account, slot, steps }
    }

    /// The hash that this slot is, or that it follows by a few words.
    fn below(&self, slot: U256) -> Option<(U256, u64)> {
        (0..STRUCT_WORDS_MAX)
            .map(|word| (slot.wrapping_sub(U256::from(word)), word))
            .find(|(start, _)| self.known.contains_key(start))
    }

    /// Which half of a preimage is the mapping's slot. A half that is a hash itself is one; so is a
    /// small number beside something larger. In doubt Solidity's order is taken.
    fn step(&self, hash: U256, word: u64) -> Option<Step> {
        let (first, second) = *self.known.get(&hash)?;
        let derived = |half: U256| self.below(half).is_some();
        let small = |half: U256| half.bit_len() <= 32;
        let vyper = match (derived(first), derived(second)) {
            (true, false) => true,
            (false, true) => false,
            _ => small(first) && !small(second),
        };
        let (base, key) = if vyper { (first, second) } else { (second, first) };
        Some(Step { base, key, vyper, word })
    }
}

impl Path {
    /// The mappings that this slot could be a holder's entry in, with that holder: one for each key
    /// that looks like an address and that a gauge's holding can express.
    pub(crate) fn shapes(&self) -> Vec<(Shape, Address)> {
        let mut shapes = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            let Some(holder) = as_address(step.key) else { continue };
            let rest = &self.steps[index + 1..];
            let shape = |inner, word| Shape {
                account: self.account,
                base: step.base,
                vyper: step.vyper,
                inner,
                word,
            };
            match rest {
                [] => shapes.push((shape(None, step.word), holder)),
                [last] if step.word == 0 && last.vyper == step.vyper => {
                    shapes.push((shape(Some(last.key), last.word), holder));
                }
                _ => {}
            }
        }
        shapes
    }
}

/// The address that a key is, if it looks like one: short enough, and not a small number.
pub(crate) fn as_address(key: U256) -> Option<Address> {
    (key.bit_len() <= 160 && key.bit_len() > 64).then(|| Address::from_word(B256::from(key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::keccak256;

    fn preimages(pairs: &[(U256, U256)]) -> Preimages {
        let mut all = Preimages::default();
        for (first, second) in pairs {
            let bytes = [first.to_be_bytes::<32>(), second.to_be_bytes::<32>()].concat();
            all.known.insert(U256::from_be_bytes(keccak256(bytes).0), (*first, *second));
        }
        all
    }

    fn word(address: Address) -> U256 {
        U256::from_be_bytes(address.into_word().0)
    }

    #[test]
    fn a_solidity_entry_is_found_with_its_struct_word() {
        let (me, holder) = (Address::repeat_byte(1), Address::repeat_byte(0xaa));
        let shape = Shape { account: me, base: U256::from(3), vyper: false, inner: None, word: 2 };
        let path = preimages(&[(word(holder), U256::from(3))]).path(me, shape.slot(holder));
        assert_eq!(path.shapes(), vec![(shape, holder)]);
    }

    #[test]
    fn vyper_and_nested_orders_are_told_apart() {
        let (me, holder, token) =
            (Address::repeat_byte(1), Address::repeat_byte(0xaa), Address::repeat_byte(0xbb));
        let vyper = Shape { account: me, base: U256::from(5), vyper: true, inner: None, word: 0 };
        let path = preimages(&[(U256::from(5), word(holder))]).path(me, vyper.slot(holder));
        assert_eq!(path.shapes(), vec![(vyper, holder)]);

        let outer = hash(U256::from(4), word(holder), false);
        let nested =
            Shape { account: me, base: U256::from(4), vyper: false, inner: Some(word(token)), word: 1 };
        let known = preimages(&[(word(holder), U256::from(4)), (word(token), outer)]);
        let shapes = known.path(me, nested.slot(holder)).shapes();
        assert!(shapes.contains(&(nested, holder)), "{shapes:?}");
        let keyed_by_token = Shape { account: me, base: outer, vyper: false, inner: None, word: 1 };
        assert!(shapes.contains(&(keyed_by_token, token)), "the other reading is offered too");
    }

    #[test]
    fn a_namespaced_base_is_taken_as_it_is() {
        let (me, holder) = (Address::repeat_byte(1), Address::repeat_byte(0xaa));
        let base = U256::from_be_bytes(keccak256("some namespace").0);
        let shape = Shape { account: me, base, vyper: false, inner: None, word: 0 };
        let path = preimages(&[(word(holder), base)]).path(me, shape.slot(holder));
        assert_eq!(path.shapes(), vec![(shape, holder)]);
    }

    #[test]
    fn an_unknown_slot_has_no_steps() {
        let path = Preimages::default().path(Address::ZERO, U256::from(7));
        assert!(path.steps.is_empty() && path.shapes().is_empty());
    }
}
