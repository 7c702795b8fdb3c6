//! What the subject says about itself: views without arguments, and getters by address.

use std::collections::BTreeSet;

use alloy::primitives::{Address, Bytes, U256};
use breakwater_evm::{CallRequest, EvmError, View};

use super::{
    abi::{Kind, address_word, words},
    asset::{Asset, is_token},
    effect::Effect,
    ledger::Ledger,
    linear::{Leaf, Linear, address_in, decompose},
    paths::Preimages,
    scene::Scene,
};

/// Words of one answer that are looked at.
const ANSWER_WORDS_MAX: usize = 6;
/// Assets that are told apart.
pub const ASSETS_MAX: usize = 8;
/// Transactions searched for tokens that log nothing.
const EFFECTS_SEARCHED: usize = 64;
/// Holders by which a getter is read.
const READERS: usize = 2;
/// Pool numbers tried for getters that take one.
const POOLS: [u64; 2] = [0, 1];

/// One word of a view's answer that is a sum of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    pub(crate) request: CallRequest,
    pub(crate) index: usize,
    pub(crate) linear: Linear,
}

impl Sum {
    /// The selector in hexadecimal.
    pub(crate) fn name(&self) -> String {
        alloy::primitives::hex::encode_prefixed(self.request.data.get(..4).unwrap_or_default())
    }

    /// The contract's own answer at a view's block.
    pub(crate) fn answer(&self, view: &View) -> Result<Option<U256>, EvmError> {
        let outcome = view.call(&self.request)?;
        Ok(outcome.words().and_then(|words| words.get(self.index).copied()))
    }
}

/// A getter of a holder's number.
#[derive(Clone, Debug)]
pub(crate) struct Getter {
    pub(crate) ledger: Ledger,
    selector: [u8; 4],
    /// Arguments, with `None` where the holder goes.
    arguments: Vec<Option<U256>>,
}

impl Getter {
    /// The call that asks for a holder's number.
    pub(crate) fn request(&self, subject: Address, holder: Address) -> CallRequest {
        let filled: Vec<U256> =
            self.arguments.iter().map(|argument| argument.unwrap_or_else(|| address_word(holder))).collect();
        CallRequest::new(subject, words(self.selector, &filled))
    }

    /// The selector in hexadecimal.
    pub(crate) fn name(&self) -> String {
        alloy::primitives::hex::encode_prefixed(self.selector)
    }
}

/// Views without arguments whose answers are sums, and accounts that they name.
pub(crate) struct Surface {
    pub(crate) sums: Vec<Sum>,
    pub(crate) named: BTreeSet<Address>,
}

impl Surface {
    pub(crate) fn read(scene: &Scene) -> Result<Self, EvmError> {
        let mut surface = Self { sums: Vec::new(), named: BTreeSet::new() };
        for function in scene.functions.iter().filter(|function| plain(&function.arguments)) {
            let request = CallRequest::new(scene.subject, Bytes::copy_from_slice(&function.selector));
            let outcome = scene.view.call(&request)?;
            let Some(answer) = outcome.words() else { continue };
            // Text and lists begin with the place of their data; there are no amounts in them.
            let listed = answer.len() > 1 && answer[0] == U256::from(32);
            if listed || outcome.trace.stores().next().is_some() {
                continue;
            }
            for (index, word) in answer.into_iter().take(ANSWER_WORDS_MAX).enumerate() {
                if word.bit_len() > 100 && word.bit_len() <= 160 {
                    surface.named.insert(address_in(word, 0));
                }
                if let Some(linear) = decompose(&scene.view, &request, index)? {
                    surface.sums.push(Sum { request: request.clone(), index, linear });
                }
            }
        }
        Ok(surface)
    }

    /// The place of a plain word that some view shows as a number of its own.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = Leaf> {
        self.sums.iter().filter_map(|sum| sum.linear.single())
    }
}

/// No arguments, or none known, which is tried as none.
fn plain(arguments: &Option<Vec<Kind>>) -> bool {
    arguments.as_ref().is_none_or(Vec::is_empty)
}

/// Everything that may be an asset: tokens seen to move to or from the subject, tokens that its
/// views name, and the native coin. Tokens whose balances are not plain words are told apart.
pub(crate) fn assets(scene: &Scene, surface: &Surface) -> Result<(Vec<Asset>, Vec<Address>), EvmError> {
    let mut tokens: Vec<Address> = Vec::new();
    for effect in scene.effects.iter().rev() {
        for token in effect.tokens_of(scene.subject) {
            if !tokens.contains(&token) {
                tokens.push(token);
            }
        }
    }
    for touched in scene.effects.iter().rev().take(EFFECTS_SEARCHED).flat_map(written_besides(scene.subject))
    {
        if tokens.len() < ASSETS_MAX && !tokens.contains(&touched) && is_token(&scene.view, touched)? {
            tokens.push(touched);
        }
    }
    for named in &surface.named {
        if *named != scene.subject && !tokens.contains(named) && is_token(&scene.view, *named)? {
            tokens.push(*named);
        }
    }
    let (mut assets, mut unreadable) = (Vec::new(), Vec::new());
    for token in tokens.into_iter().filter(|token| *token != scene.subject).take(ASSETS_MAX) {
        match Asset::token(&scene.view, token, scene.subject) {
            Ok(asset) => assets.push(asset),
            Err(super::refusal::Reason::Evm(error)) => return Err(*error),
            Err(_) => unreadable.push(token),
        }
    }
    let native = Asset::native(scene.subject);
    let moved = scene.effects.iter().any(|effect| !effect.moved(&native.leaf).is_zero());
    if moved || !scene.view.balance(scene.subject)?.is_zero() || scene.functions.iter().any(|f| f.payable) {
        assets.push(native);
    }
    Ok((assets, unreadable))
}

/// Accounts other than the subject whose storage a transaction changed: a token may move without
/// the usual log.
fn written_besides(subject: Address) -> impl Fn(&Effect) -> Vec<Address> {
    move |effect| {
        let others = effect.changes.iter().filter(|(account, _)| **account != subject);
        others.filter(|(_, change)| !change.storage.is_empty()).map(|(account, _)| *account).collect()
    }
}

/// Getters that show one number of a holder: by address, by address and token in either order, by
/// pool number and address in either order.
pub(crate) fn getters(scene: &Scene, assets: &[Asset], holders: &[Address]) -> Result<Vec<Getter>, EvmError> {
    let mut found: Vec<Getter> = Vec::new();
    for function in &scene.functions {
        for arguments in signatures(function.arguments.as_deref(), assets) {
            for holder in holders.iter().take(READERS) {
                let getter = Getter {
                    ledger: Ledger { shape: NO_SHAPE, offset: 0, width: 0 },
                    selector: function.selector,
                    arguments: arguments.clone(),
                };
                for ledger in ledgers_behind(scene, &getter.request(scene.subject, *holder), *holder)? {
                    if found.iter().all(|known| known.ledger != ledger) {
                        found.push(Getter { ledger, ..getter.clone() });
                    }
                }
            }
        }
    }
    Ok(found)
}

const NO_SHAPE: super::paths::Shape =
    super::paths::Shape { account: Address::ZERO, base: U256::ZERO, vyper: false, inner: None, word: 0 };

fn signatures(kinds: Option<&[Kind]>, assets: &[Asset]) -> Vec<Vec<Option<U256>>> {
    let tokens = || assets.iter().map(|asset| address_word(asset.token));
    match kinds {
        Some([Kind::Address]) => vec![vec![None]],
        Some([Kind::Address, Kind::Address]) => {
            tokens().flat_map(|token| [vec![None, Some(token)], vec![Some(token), None]]).collect()
        }
        Some([Kind::Number, Kind::Address]) => {
            POOLS.iter().map(|pool| vec![Some(U256::from(*pool)), None]).collect()
        }
        Some([Kind::Address, Kind::Number]) => {
            POOLS.iter().map(|pool| vec![None, Some(U256::from(*pool))]).collect()
        }
        _ => Vec::new(),
    }
}

/// The ledgers whose entries of this holder are what a call answers, word by word.
fn ledgers_behind(scene: &Scene, request: &CallRequest, holder: Address) -> Result<Vec<Ledger>, EvmError> {
    let outcome = scene.view.call(request)?;
    let Some(answer) = outcome.words() else { return Ok(Vec::new()) };
    let mut preimages = Preimages::default();
    preimages.learn(&outcome.trace);
    let mut found = Vec::new();
    for index in 0..answer.len().min(ANSWER_WORDS_MAX) {
        let Some(Leaf::Word { account, slot, offset, width }) =
            decompose(&scene.view, request, index)?.and_then(|linear| linear.single())
        else {
            continue;
        };
        let shapes = preimages.path(account, slot).shapes();
        let own = shapes.into_iter().find(|(_, key)| *key == holder);
        found.extend(own.map(|(shape, _)| Ledger { shape, offset, width }));
    }
    Ok(found)
}
