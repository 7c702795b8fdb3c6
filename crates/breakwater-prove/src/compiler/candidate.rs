//! From what was found to a gauge: the candidate, its pins and its specification.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256, U256};
use breakwater_evm::{Trace, View};

use super::{
    CompileOptions,
    claims::Evidence,
    code::{self, PinnedWord, pointers},
    ledger::Ledger,
    linear::{Part, address_in, distinct_words, pointer_bits},
    refusal::Reason,
    surface::Sum,
};
use crate::gauge::{Form, GaugeSpec, Holding, Pin, PinnedAccount, Side, SpecError, Term, limits};

/// Shares below which a share price is no price: rounding alone moves it by a per cent.
const SHARES_MIN: u128 = 100;
/// The default floor is this part of the claims when the gauge is compiled.
const FLOOR_DEN: u128 = 100;
/// Wad per millionth.
const WAD_PER_PPM: u64 = 1_000_000_000_000;

/// A gauge in the making.
pub(crate) struct Candidate {
    pub(crate) form: Form,
    pub(crate) asset: Address,
    pub(crate) assets: Vec<Part>,
    /// Empty for an enumerated gauge.
    pub(crate) claims: Vec<Part>,
    pub(crate) ledger: Ledger,
    pub(crate) claim_scale: u64,
    pub(crate) pins: BTreeSet<PinnedWord>,
    /// Views whose answers the candidate must repeat.
    pub(crate) sums: Vec<Sum>,
    /// Why it is what it is, one sentence each.
    pub(crate) reasons: Vec<String>,
    pub(crate) warnings: Vec<String>,
    /// Least threshold that keeps ordinary deposits from looking like losses, in 1e-6.
    pub(crate) least_threshold_ppm: u64,
}

impl Candidate {
    /// Adds the pins of every account that is read: what chooses its code, and which words name it.
    /// `views` are traces of views that show what is measured: whatever account a word names there
    /// decides what is counted, so all such words are pinned.
    pub(crate) fn pin(
        &mut self,
        evidence: &Evidence<'_>,
        views: &[Trace],
        other: &[&Trace],
    ) -> Result<(), Reason> {
        let scene = evidence.scene;
        self.pins.extend(scene.logic.pins.iter().copied());
        let accounts: BTreeSet<Address> =
            self.assets.iter().chain(&self.claims).map(|p| p.leaf.account()).collect();
        for account in accounts.into_iter().filter(|account| *account != scene.subject) {
            self.pins.extend(code::resolve(&scene.view, account)?.pins);
            let named = views.iter().chain(other.iter().copied()).find_map(|trace| {
                let frame = trace.frames.iter().position(|frame| frame.account == account)?;
                Some(pointers(trace, frame, account, scene.subject))
            });
            for pin in named.into_iter().flatten() {
                self.add_pointer(pin, &scene.views)?;
            }
        }
        for pin in views.iter().flat_map(|trace| named_accounts(trace, scene.subject)) {
            self.add_pointer(pin, &scene.views)?;
        }
        if self.pins.len() > limits::PINS {
            return Err(Reason::CodeSplit { got: self.pins.len(), limit: limits::PINS });
        }
        Ok(())
    }

    /// A word that names an asset or another place is pinned, unless it shares the word with a
    /// number that changes: pinned, it would make every reading undecided.
    fn add_pointer(&mut self, pin: PinnedWord, views: &[View]) -> Result<(), Reason> {
        match code::stable(&BTreeSet::from([pin]), views) {
            Ok(()) => {
                self.pins.insert(pin);
            }
            Err(Reason::UnstablePointer { target }) => self.warnings.push(format!(
                "The word that names {target} also holds numbers that change, so it is not pinned."
            )),
            Err(other) => return Err(other),
        }
        Ok(())
    }

    /// The specification, with health and floor as of the newest block.
    pub(crate) fn spec(
        &self,
        evidence: &Evidence<'_>,
        chain_id: u64,
        options: &CompileOptions,
        claims_now: U256,
    ) -> Result<GaugeSpec, Reason> {
        let view = &evidence.scene.view;
        let accounts = self.accounts();
        if accounts.len() > limits::ACCOUNTS {
            return Err(SpecError::Count {
                what: "accounts",
                min: 1,
                max: limits::ACCOUNTS,
                got: accounts.len(),
            }
            .into());
        }
        let mut pinned = Vec::new();
        for account in &accounts {
            let code = code::has_code(view, *account)?;
            // An account without code is pinned as such, whatever the trie holds for it.
            let code_hash = if code { view.code_hash(*account)? } else { B256::ZERO };
            pinned.push(PinnedAccount { account: *account, code_hash });
        }
        let index: BTreeMap<Address, u8> = accounts.iter().copied().zip(0u8..).collect();
        let at = |account: Address| index.get(&account).copied().unwrap_or(u8::MAX);
        let shares = matches!(self.form, Form::Ratio | Form::Geometric);
        let claims = u128::try_from(claims_now).unwrap_or(u128::MAX);
        let floor = options.floor.unwrap_or((claims / FLOOR_DEN).max(1));
        let least = if shares { floor.max(SHARES_MIN) } else { floor };
        if claims < least || claims == 0 {
            return Err(Reason::BelowFloor { claims, floor: least.max(1) });
        }
        let least_threshold = self.least_threshold_ppm.saturating_mul(WAD_PER_PPM);
        let mut spec = GaugeSpec {
            chain_id,
            form: self.form,
            asset: self.asset,
            threshold: options.threshold.max(least_threshold).min(limits::THRESHOLD_MAX),
            growth: if shares { options.growth } else { 0 },
            pinned_at: if shares { view.head().timestamp } else { 0 },
            floor,
            assets0: 0,
            shares0: 0,
            accounts: pinned,
            pins: self.pins.iter().map(|pin| pin_of(pin, at(pin.account))).collect(),
            terms: self.terms(at),
            holding: self.holding(at(self.ledger.shape.account)),
        };
        if shares {
            (spec.assets0, spec.shares0) = (1, 1);
            let reading = super::check::read(&spec, view, &[])?;
            (spec.assets0, spec.shares0) = (reading.assets, reading.claims);
        }
        spec.validate()?;
        Ok(spec)
    }

    /// Every account that is read, ascending.
    fn accounts(&self) -> BTreeSet<Address> {
        let leaves = self.assets.iter().chain(&self.claims).map(|part| part.leaf.account());
        leaves.chain(self.pins.iter().map(|pin| pin.account)).chain([self.ledger.shape.account]).collect()
    }

    fn terms(&self, at: impl Fn(Address) -> u8) -> Vec<Term> {
        let assets = self.assets.iter().map(|part| (part, Side::AssetAdd, Side::AssetSub));
        let claims = self.claims.iter().map(|part| (part, Side::ClaimAdd, Side::ClaimSub));
        assets
            .chain(claims)
            .map(|(part, add, sub)| {
                term_of(part, at(part.leaf.account()), if part.negative { sub } else { add })
            })
            .collect()
    }

    fn holding(&self, account: u8) -> Holding {
        let Ledger { shape, offset, width } = self.ledger;
        Holding {
            account,
            vyper: shape.vyper,
            nested: shape.inner.is_some(),
            // Both are bounded by a word's 256 bits and the shape's 64 words.
            offset: u8::try_from(offset).unwrap_or(u8::MAX),
            width: u16::try_from(width).unwrap_or(256),
            scale: self.claim_scale,
            word: u32::try_from(shape.word).unwrap_or(u32::MAX),
            base: B256::from(shape.base),
            inner_key: shape.inner.map(B256::from).unwrap_or_default(),
        }
    }
}

/// Words of an account that name accounts which a view went on to call or ask about.
fn named_accounts(trace: &Trace, account: Address) -> Vec<PinnedWord> {
    let own = distinct_words(trace).into_iter().filter(|((owner, _), _)| *owner == account);
    own.filter_map(|((account, slot), value)| {
        let (offset, _) = pointer_bits(trace, value)?;
        Some(PinnedWord { account, slot, value, target: address_in(value, offset) })
    })
    .collect()
}

fn pin_of(pin: &PinnedWord, account: u8) -> Pin {
    Pin { account, slot: B256::from(pin.slot), value: B256::from(pin.value) }
}

fn term_of(part: &Part, account: u8, side: Side) -> Term {
    let bare = Term { account, side, native: true, slot: B256::ZERO, offset: 0, width: 0, scale: part.scale };
    match part.leaf {
        super::linear::Leaf::Native(_) => bare,
        super::linear::Leaf::Word { slot, offset, width, .. } => Term {
            native: false,
            slot: B256::from(slot),
            offset: u8::try_from(offset).unwrap_or(u8::MAX),
            width: u16::try_from(width).unwrap_or(256),
            ..bare
        },
    }
}
