//! Assets: the native coin, and tokens whose balances are plain words.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, U256};
use breakwater_evm::{CallRequest, EvmError, Fork, View};

use super::{
    abi::{address_word, words},
    code::{self, Logic, PinnedWord},
    linear::{Leaf, decompose},
    refusal::Reason,
};

const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];
const APPROVE: [u8; 4] = [0x09, 0x5e, 0xa7, 0xb3];
const TOTAL_SUPPLY: [u8; 4] = [0x18, 0x16, 0x0d, 0xdd];

/// An asset as the subject holds it.
#[derive(Clone, Debug)]
pub(crate) struct Asset {
    /// The token, or zero for the native coin.
    pub(crate) token: Address,
    /// Where the subject's balance is kept.
    pub(crate) leaf: Leaf,
    /// Words that choose the token's code.
    pub(crate) pins: BTreeSet<PinnedWord>,
}

impl Asset {
    /// The native coin as held by the subject.
    pub(crate) fn native(subject: Address) -> Self {
        Self { token: Address::ZERO, leaf: Leaf::Native(subject), pins: BTreeSet::new() }
    }

    /// A token as held by the subject.
    pub(crate) fn token(view: &View, token: Address, subject: Address) -> Result<Self, Reason> {
        let Logic { pins, .. } = code::resolve(view, token)?;
        let leaf = balance_leaf(view, token, subject)?.ok_or(Reason::UnreadableAsset(token))?;
        Ok(Self { token, leaf, pins })
    }
}

/// Whether a contract answers as an ERC-20 token does.
pub(crate) fn is_token(view: &View, account: Address) -> Result<bool, EvmError> {
    if !code::has_code(view, account)? {
        return Ok(false);
    }
    let supply = view.call(&CallRequest::new(account, words(TOTAL_SUPPLY, &[])))?;
    let balance = view.call(&CallRequest::new(account, words(BALANCE_OF, &[address_word(account)])))?;
    Ok(supply.word().is_some() && balance.word().is_some())
}

/// The word that keeps an account's balance of a token.
pub(crate) fn balance_leaf(view: &View, token: Address, holder: Address) -> Result<Option<Leaf>, EvmError> {
    let request = CallRequest::new(token, words(BALANCE_OF, &[address_word(holder)]));
    Ok(decompose(view, &request, 0)?.and_then(|linear| linear.single()))
}

/// Gives simulated callers money to act with, and the subject an allowance to take it.
#[derive(Default)]
pub(crate) struct Purse {
    leaves: BTreeMap<(Address, Address), Option<Leaf>>,
}

/// Native coin given to every simulated caller, in wei.
pub(crate) const NATIVE_GIFT: U256 = U256::from_limbs([0, 1 << 20, 0, 0]);

impl Purse {
    /// Funds a caller with every asset: ten times what the subject holds, and at least a million
    /// units of eighteen decimals.
    pub(crate) fn fund(
        &mut self,
        view: &View,
        fork: &mut Fork,
        caller: Address,
        subject: Address,
        assets: &[Asset],
    ) -> Result<(), EvmError> {
        let native = view.balance(caller)?;
        fork.set_balance(caller, native.saturating_add(NATIVE_GIFT))?;
        for asset in assets.iter().filter(|asset| !asset.token.is_zero()) {
            let key = (asset.token, caller);
            let known = match self.leaves.get(&key) {
                Some(known) => *known,
                None => {
                    let found = balance_leaf(view, asset.token, caller)?;
                    self.leaves.insert(key, found);
                    found
                }
            };
            let Some(leaf @ Leaf::Word { account, slot, offset, width }) = known else { continue };
            let gift =
                asset.leaf.read(view)?.saturating_mul(U256::from(10)).max(U256::from(10).pow(U256::from(24)));
            let room = super::linear::mask(width.min(120));
            let balance = leaf.read(view)?.saturating_add(gift).min(room);
            let word = fork.storage(account, slot)?;
            fork.set_storage(account, slot, super::linear::with_field(word, offset, width, balance))?;
            let approve = words(APPROVE, &[address_word(subject), U256::MAX]);
            fork.apply(&CallRequest::new(asset.token, approve).from(caller))?;
        }
        Ok(())
    }
}
