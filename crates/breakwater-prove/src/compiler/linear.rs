//! What a view's answer is made of: flip bits of the words it reads and watch the answer.
//!
//! A view whose answer is a sum of storage fields and balances, each times a constant, reacts to
//! every bit of a field by exactly that bit's weight. So fields are found with their place and
//! width, packed or scaled, without knowing the source; and a view that reacts otherwise (a
//! quotient, a price) is found out.

use std::collections::BTreeMap;

use alloy::primitives::{Address, U256, keccak256};
use breakwater_evm::{CallRequest, EvmError, FrameKind, Trace, View};

/// Words examined of one view; one that reads more is not a sum of a few numbers.
pub(crate) const LEAVES_MAX: usize = 24;
/// Joint random changes that a decomposition must predict.
const TRIALS: u64 = 8;
/// Gas that a call with changed words may use beyond twice what it used.
const SPARE_GAS: u64 = 50_000;
/// Trials that must have run without reverting.
const TRIALS_NEEDED: u64 = 3;

/// Where a number is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Leaf {
    /// Bits [offset, offset + width) of a storage word.
    Word { account: Address, slot: U256, offset: usize, width: usize },
    /// A native balance.
    Native(Address),
}

impl Leaf {
    pub(crate) fn account(&self) -> Address {
        match self {
            Self::Word { account, .. } | Self::Native(account) => *account,
        }
    }

    /// The number now.
    pub(crate) fn read(&self, view: &View) -> Result<U256, EvmError> {
        match *self {
            Self::Word { account, slot, offset, width } => {
                Ok(field(view.storage(account, slot)?, offset, width))
            }
            Self::Native(account) => view.balance(account),
        }
    }

    /// The request with this number replaced.
    pub(crate) fn replaced(
        &self,
        request: CallRequest,
        view: &View,
        value: U256,
    ) -> Result<CallRequest, EvmError> {
        match *self {
            Self::Native(account) => Ok(request.with_balance(account, value)),
            Self::Word { account, slot, offset, width } => {
                let known = request.overrides.storage.get(&(account, slot)).copied();
                let word = known.map_or_else(|| view.storage(account, slot), Ok)?;
                Ok(request.with_word(account, slot, with_field(word, offset, width, value)))
            }
        }
    }
}

/// A leaf with its weight in a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) leaf: Leaf,
    pub(crate) negative: bool,
    pub(crate) scale: u64,
}

/// A sum of weighted leaves and a constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Linear {
    pub(crate) parts: Vec<Part>,
    pub(crate) constant: U256,
}

impl Linear {
    /// The sum, wrapping as the EVM would, with the leaves' values given.
    pub(crate) fn sum(&self, mut value: impl FnMut(&Leaf) -> U256) -> U256 {
        self.parts.iter().fold(self.constant, |sum, part| {
            let weighted = value(&part.leaf).wrapping_mul(U256::from(part.scale));
            if part.negative { sum.wrapping_sub(weighted) } else { sum.wrapping_add(weighted) }
        })
    }

    /// The sum at a view's block.
    pub(crate) fn read(&self, view: &View) -> Result<U256, EvmError> {
        let values: BTreeMap<Leaf, U256> = self
            .parts
            .iter()
            .map(|part| Ok((part.leaf, part.leaf.read(view)?)))
            .collect::<Result<_, EvmError>>()?;
        Ok(self.sum(|leaf| values.get(leaf).copied().unwrap_or_default()))
    }

    /// The only part, if it is one plain storage field.
    pub(crate) fn single(&self) -> Option<Leaf> {
        match self.parts[..] {
            [Part { leaf: leaf @ Leaf::Word { .. }, negative: false, scale: 1 }]
                if self.constant.is_zero() =>
            {
                Some(leaf)
            }
            _ => None,
        }
    }
}

/// Bits [offset, offset + width) of a word.
pub(crate) fn field(word: U256, offset: usize, width: usize) -> U256 {
    (word >> offset) & mask(width)
}

/// The word with bits [offset, offset + width) replaced.
pub(crate) fn with_field(word: U256, offset: usize, width: usize, value: U256) -> U256 {
    (word & !(mask(width) << offset)) | ((value & mask(width)) << offset)
}

pub(crate) fn mask(width: usize) -> U256 {
    if width >= 256 { U256::MAX } else { (U256::ONE << width) - U256::ONE }
}

/// Finds what one word of a view's answer is made of. `None` when it reverts, is constant, or is
/// not a sum.
pub(crate) fn decompose(
    view: &View,
    request: &CallRequest,
    index: usize,
) -> Result<Option<Linear>, EvmError> {
    let outcome = view.call(request)?;
    let Some(answer) = outcome.words().and_then(|words| words.get(index).copied()) else { return Ok(None) };
    // A changed word may be a length: little more gas than before keeps it from being walked along.
    let gas = outcome.gas_used.saturating_mul(2).saturating_add(SPARE_GAS);
    let bounded = CallRequest { gas, ..request.clone() };
    let bench = Bench { view, request: &bounded, index, answer };
    let words = distinct_words(&outcome.trace);
    if words.len() > LEAVES_MAX {
        return Ok(None);
    }
    let mut parts = Vec::new();
    for ((account, slot), word) in words {
        match bench.scan(account, slot, word, pointer_bits(&outcome.trace, word))? {
            Some(found) => parts.extend(found),
            None => return Ok(None),
        }
    }
    let mut holders: Vec<Address> = outcome.trace.balances().map(|(account, _)| account).collect();
    holders.sort_unstable();
    holders.dedup();
    for account in holders.into_iter().take(LEAVES_MAX) {
        match bench.balance(account)? {
            Reaction::None => {}
            Reaction::Weight(part) => parts.push(part),
            Reaction::Other => return Ok(None),
        }
    }
    if parts.is_empty() {
        return Ok(None);
    }
    bench.verified(Linear { parts, constant: U256::ZERO })
}

struct Bench<'a> {
    view: &'a View,
    request: &'a CallRequest,
    index: usize,
    answer: U256,
}

enum Reaction {
    None,
    Weight(Part),
    Other,
}

impl Bench<'_> {
    fn ask(&self, request: &CallRequest) -> Result<Option<U256>, EvmError> {
        let outcome = self.view.quick(request)?;
        Ok(outcome.words().and_then(|words| words.get(self.index).copied()))
    }

    /// How the answer moves when this bit is set instead of clear; `None` when the view reverts.
    fn weight(&self, account: Address, slot: U256, word: U256, bit: usize) -> Result<Option<U256>, EvmError> {
        let flip = U256::ONE << bit;
        let answer = self.ask(&self.request.clone().with_word(account, slot, word ^ flip))?;
        let set = (word & flip).is_zero();
        Ok(answer.map(|new| if set { new.wrapping_sub(self.answer) } else { self.answer.wrapping_sub(new) }))
    }

    /// Fields of one word that the answer adds up; `None` if it reacts in another way.
    fn scan(
        &self,
        account: Address,
        slot: U256,
        word: U256,
        skip: Option<(usize, usize)>,
    ) -> Result<Option<Vec<Part>>, EvmError> {
        let skipped = |bit: usize| skip.is_some_and(|(from, to)| (from..to).contains(&bit));
        let mut bytes = Vec::with_capacity(32);
        for byte in 0..32 {
            let bit = byte * 8;
            bytes.push(if skipped(bit) { Some(U256::ZERO) } else { self.weight(account, slot, word, bit)? });
        }
        let mut parts = Vec::new();
        let (mut byte, mut free) = (0, 0);
        while byte < 32 {
            let Some(weight) = bytes[byte].filter(|weight| !weight.is_zero()) else {
                byte += 1;
                continue;
            };
            let (start, unit) = self.extend_down((account, slot, word), byte * 8, free, weight)?;
            let mut end_byte = byte + 1;
            // A flip that reverts (an overflow, say) inside a run of fitting ones belongs to the run.
            while end_byte < 32 && fits(bytes[end_byte], unit, end_byte * 8 - start) {
                end_byte += 1;
            }
            let end = self.extend_up((account, slot, word), start, (end_byte - 1) * 8 + 1, unit)?;
            let Some(part) = weighted(Leaf::Word { account, slot, offset: start, width: end - start }, unit)
            else {
                return Ok(None);
            };
            parts.push(part);
            (byte, free) = (end_byte, end);
        }
        Ok(Some(parts))
    }

    fn extend_down(
        &self,
        (account, slot, word): (Address, U256, U256),
        bit: usize,
        free: usize,
        weight: U256,
    ) -> Result<(usize, U256), EvmError> {
        let (mut start, mut unit) = (bit, weight);
        while start > free && bit - start < 7 {
            match self.weight(account, slot, word, start - 1)? {
                Some(lower) if !lower.is_zero() && lower.wrapping_add(lower) == unit => {
                    (start, unit) = (start - 1, lower);
                }
                _ => break,
            }
        }
        Ok((start, unit))
    }

    fn extend_up(
        &self,
        (account, slot, word): (Address, U256, U256),
        start: usize,
        from: usize,
        unit: U256,
    ) -> Result<usize, EvmError> {
        let mut end = from;
        while end < 256 && end - from < 7 {
            if !fits(self.weight(account, slot, word, end)?, unit, end - start) {
                break;
            }
            end += 1;
        }
        Ok(end)
    }

    fn balance(&self, account: Address) -> Result<Reaction, EvmError> {
        let now = self.view.balance(account)?;
        let ask =
            |more: U256| self.ask(&self.request.clone().with_balance(account, now.saturating_add(more)));
        let far = U256::from(1u64 << 40);
        let (Some(one), Some(many)) = (ask(U256::ONE)?, ask(far)?) else { return Ok(Reaction::Other) };
        let unit = one.wrapping_sub(self.answer);
        if many.wrapping_sub(self.answer) != unit.wrapping_mul(far) {
            return Ok(Reaction::Other);
        }
        if unit.is_zero() {
            return Ok(Reaction::None);
        }
        Ok(weighted(Leaf::Native(account), unit).map_or(Reaction::Other, Reaction::Weight))
    }

    /// Keeps a decomposition only if it predicts the answer to random joint changes.
    fn verified(&self, mut linear: Linear) -> Result<Option<Linear>, EvmError> {
        let mut now = BTreeMap::new();
        for part in &linear.parts {
            now.insert(part.leaf, part.leaf.read(self.view)?);
        }
        let value =
            |values: &BTreeMap<Leaf, U256>, leaf: &Leaf| values.get(leaf).copied().unwrap_or_default();
        linear.constant = self.answer.wrapping_sub(linear.sum(|leaf| value(&now, leaf)));
        let mut ran = 0;
        for trial in 0..TRIALS {
            let mut request = self.request.clone();
            let mut changed = BTreeMap::new();
            for (index, part) in linear.parts.iter().enumerate() {
                let new = perturbed(&part.leaf, value(&now, &part.leaf), trial, index);
                request = part.leaf.replaced(request, self.view, new)?;
                changed.insert(part.leaf, new);
            }
            if let Some(answer) = self.ask(&request)? {
                if answer != linear.sum(|leaf| value(&changed, leaf)) {
                    return Ok(None);
                }
                ran += 1;
            }
        }
        Ok((ran >= TRIALS_NEEDED).then_some(linear))
    }
}

/// A different number of about the same size, the same on every run.
pub(crate) fn perturbed(leaf: &Leaf, now: U256, trial: u64, index: usize) -> U256 {
    let width = match leaf {
        Leaf::Word { width, .. } => *width,
        Leaf::Native(_) => 96,
    };
    let seed = [trial.to_be_bytes(), (index as u64).to_be_bytes()].concat();
    let random = U256::from_be_bytes(keccak256(seed).0);
    let bits = (now.bit_len() + 2).clamp(8, 120).min(width);
    // Half of the trials stay above the present value, where subtractions do not underflow.
    let new = random & mask(bits);
    if trial.is_multiple_of(2) { new.saturating_add(now).min(mask(width)) } else { new }
}

/// Whether a bit's weight continues a field; a revert does, since it tells nothing against it.
fn fits(weight: Option<U256>, unit: U256, shift: usize) -> bool {
    weight.is_none_or(|weight| !weight.is_zero() && weight == unit << shift)
}

fn weighted(leaf: Leaf, unit: U256) -> Option<Part> {
    let negative = unit.bit(255);
    let size = if negative { unit.wrapping_neg() } else { unit };
    let scale = u64::try_from(size).ok().filter(|scale| *scale > 0)?;
    Some(Part { leaf, negative, scale })
}

/// Every word read, with the value first found.
pub(crate) fn distinct_words(trace: &Trace) -> BTreeMap<(Address, U256), U256> {
    let mut words = BTreeMap::new();
    for (account, slot, value) in trace.loads() {
        words.entry((account, slot)).or_insert(value);
    }
    words
}

/// Bits of a word that name an account which the trace went on to call, asked about, or used as a
/// mapping's key: changing them would ask about another account, which tells nothing about numbers.
pub(crate) fn pointer_bits(trace: &Trace, word: U256) -> Option<(usize, usize)> {
    let named = |offset: usize| {
        let address = address_in(word, offset);
        field(word, offset, 160).bit_len() > 64 && uses(trace, address)
    };
    (0..=12).map(|byte| byte * 8).find(|offset| named(*offset)).map(|offset| (offset, offset + 160))
}

fn uses(trace: &Trace, address: Address) -> bool {
    let as_word = address.into_word();
    let within = |bytes: &[u8]| bytes.chunks_exact(32).any(|chunk| chunk == as_word);
    let called = trace.frames.iter().skip(1).any(|frame| {
        let known = frame.kind != FrameKind::Create && (frame.account == address || frame.code == address);
        known || within(frame.input.get(4..).unwrap_or_default())
    });
    called || trace.hashes().any(|(preimage, _)| within(preimage))
}

/// The address that 160 bits of a word would be.
pub(crate) fn address_in(word: U256, offset: usize) -> Address {
    let bytes = field(word, offset, 160).to_be_bytes::<32>();
    Address::from_slice(&bytes[12..])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alloy::primitives::{B256, Bytes};
    use breakwater_evm::{
        BlockHead, BlockRef, MemorySource, MemoryState, Reader, Rules, SourceAccount, SpecId,
    };
    use proptest::prelude::*;

    use super::*;

    const ME: Address = Address::repeat_byte(7);

    /// A view on a contract with this code, these words and this balance.
    fn view(code: Vec<u8>, words: &[(u64, U256)], balance: u64) -> View {
        let mut state = MemoryState::whole();
        let account =
            SourceAccount { code: code.into(), balance: U256::from(balance), nonce: 1, ..Default::default() };
        state.set_account(ME, account);
        for (slot, word) in words {
            state.set_storage(ME, U256::from(*slot), *word);
        }
        let head = BlockHead {
            block: BlockRef { number: 0, hash: B256::repeat_byte(1) },
            parent: B256::ZERO,
            state_root: B256::ZERO,
            timestamp: 1,
            beneficiary: Address::ZERO,
            gas_limit: 30_000_000,
            gas_used: 0,
            base_fee: Some(0),
            difficulty: U256::ZERO,
            mix_hash: B256::ZERO,
            excess_blob_gas: Some(0),
            parent_beacon_root: None,
            has_withdrawals: true,
            has_requests: true,
        };
        let mut chain = MemorySource::new(1337);
        chain.push_state(head, state);
        View::at(&Reader::new(Arc::new(chain)), 0, Rules::Fixed(SpecId::PRAGUE)).unwrap()
    }

    fn push(code: &mut Vec<u8>, word: U256) {
        code.push(0x7f);
        code.extend(word.to_be_bytes::<32>());
    }

    /// Leaves `(sload(slot) >> offset & mask(width)) * scale` on the stack.
    fn load(code: &mut Vec<u8>, slot: u64, offset: usize, width: usize, scale: u64) {
        push(code, U256::from(slot));
        code.push(0x54);
        push(code, U256::from(offset));
        code.push(0x1c);
        push(code, mask(width));
        code.push(0x16);
        push(code, U256::from(scale));
        code.push(0x02);
    }

    /// Returns the top of the stack.
    fn finish(mut code: Vec<u8>) -> Vec<u8> {
        code.extend([0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]);
        code
    }

    fn part(slot: u64, offset: usize, width: usize, negative: bool, scale: u64) -> Part {
        Part { leaf: Leaf::Word { account: ME, slot: U256::from(slot), offset, width }, negative, scale }
    }

    fn asked(view: &View) -> Option<Linear> {
        decompose(view, &CallRequest::new(ME, Bytes::new()), 0).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_sum_of_fields_is_taken_apart(
            offset in 0usize..200, width in 9usize..100, scale in 1u64..1_000_000,
            other_offset in 0usize..100, other_width in 9usize..90, other_scale in 1u64..1000,
            first: [u64; 4], second: [u64; 4],
        ) {
            let width = width.min(256 - offset);
            let mut code = Vec::new();
            load(&mut code, 1, other_offset, other_width, other_scale);
            load(&mut code, 0, offset, width, scale);
            // The top is the minuend.
            code.push(0x03);
            let words = [(0, U256::from_limbs(first)), (1, U256::from_limbs(second))];
            let found = asked(&view(finish(code), &words, 0)).unwrap();
            prop_assert_eq!(found.constant, U256::ZERO);
            prop_assert_eq!(
                found.parts,
                vec![part(0, offset, width, false, scale), part(1, other_offset, other_width, true, other_scale)]
            );
        }
    }

    #[test]
    fn a_balance_and_a_word_add_up() {
        let mut code = Vec::new();
        load(&mut code, 5, 0, 256, 1);
        code.extend([0x47, 0x01]);
        let found = asked(&view(finish(code), &[(5, U256::from(70))], 30)).unwrap();
        let native = Part { leaf: Leaf::Native(ME), negative: false, scale: 1 };
        assert_eq!(found.parts, vec![part(5, 0, 256, false, 1), native]);
    }

    #[test]
    fn products_and_quotients_are_not_sums() {
        for operation in [0x02, 0x04] {
            let mut code = Vec::new();
            load(&mut code, 0, 0, 128, 1);
            load(&mut code, 1, 0, 128, 1);
            code.push(operation);
            let words = [(0, U256::from(7_000)), (1, U256::from(90_000))];
            assert_eq!(asked(&view(finish(code), &words, 0)), None, "{operation:#x}");
        }
    }

    #[test]
    fn a_constant_is_no_sum() {
        let mut code = Vec::new();
        push(&mut code, U256::from(9));
        assert_eq!(asked(&view(finish(code), &[], 0)), None);
    }
}
