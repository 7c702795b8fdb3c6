//! What a withdrawal pays, and what that depends on.
//!
//! A simulated withdrawal is repeated with single words changed. If what it pays per claim never
//! moves, claims are fixed amounts; if it moves with some words, claims are shares in them.

use std::collections::BTreeMap;

use alloy::primitives::{I256, U256};
use breakwater_evm::{CallRequest, EvmError, Fork};

use super::{
    asset::Asset,
    effect::{Effect, size},
    ledger::Ledger,
    linear::{Leaf, Linear, Part, distinct_words, field, perturbed, with_field},
    probe::{Probes, Trial},
    scene::Scene,
};

/// Words varied of one withdrawal.
const WORDS_MAX: usize = 48;
/// Seconds let pass to see whether a claim grows by itself.
const LATER_SECONDS: u64 = 30 * 86_400;
/// Blocks let pass with them, at the usual twelve seconds.
const LATER_BLOCKS: u64 = LATER_SECONDS / 12;
/// Relative difference below which a payout counts as unchanged, in 1e-6.
const SAME_PPM: u64 = 1_000;
/// Relative error of a share price allowed when it is checked against payouts, in 1e-6.
const PRICE_PPM: u64 = 10_000;
/// Units of claim and of payment below which a withdrawal tells nothing.
const UNITS_MIN: u64 = 10;
/// Checks of a share price under joint changes.
const PRICE_TRIALS: u64 = 5;

/// A simulated withdrawal: one holder's claim fell and the asset went out.
pub(crate) struct Withdrawal<'a> {
    pub(crate) trial: &'a Trial,
    fork: &'a Fork,
    ledger: Ledger,
    asset: &'a Asset,
    claim: U256,
    paid: U256,
    later: bool,
}

/// How a number affects what a withdrawal pays per claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    Up,
    Down,
}

impl<'a> Withdrawal<'a> {
    /// The largest simulated withdrawal of this ledger and asset by an ordinary caller.
    pub(crate) fn find(probes: &'a Probes, ledger: Ledger, asset: &'a Asset) -> Option<Self> {
        probes
            .trials
            .iter()
            .filter_map(|trial| {
                let stage = &probes.stages[trial.stage];
                let claim = trial.effect.moved(&ledger.leaf(stage.caller));
                let paid = trial.effect.moved(&asset.leaf);
                let (owed, got) = (size(claim), payment(&trial.effect, asset));
                // Rounding alone moves smaller amounts by more than a change of words would.
                let telling = owed.min(got) >= U256::from(UNITS_MIN);
                (telling && claim.is_negative() && paid.is_negative()).then_some(Self {
                    trial,
                    fork: &stage.fork,
                    ledger,
                    asset,
                    claim: owed,
                    paid: got,
                    later: stage.later,
                })
            })
            // What is paid now says more than what is paid a year later, interest included.
            .max_by_key(|withdrawal| (!withdrawal.later, withdrawal.paid))
    }

    /// Whether it goes through only after time was let pass.
    pub(crate) fn is_later(&self) -> bool {
        self.later
    }

    /// Numbers that move what is paid per claim.
    pub(crate) fn reactions(&self, scene: &Scene, known: &[Leaf]) -> Result<Vec<(Leaf, Reaction)>, EvmError> {
        let mut found = Vec::new();
        for leaf in self.leaves(scene, known) {
            let now = self.read(&leaf)?;
            // Small numbers are raised by a part of the payment, so that a raise is felt at all.
            let raised = now + (now / U256::from(2)).max(self.paid / U256::from(2));
            let Some((claim, paid)) = self.again(&[(leaf, raised)], 0)? else { continue };
            let (one, other) = (paid.saturating_mul(self.claim), self.paid.saturating_mul(claim));
            if !near(one, other, SAME_PPM, self.rounding(claim, paid)) {
                found.push((leaf, if one > other { Reaction::Up } else { Reaction::Down }));
            }
        }
        Ok(found)
    }

    /// Whether the same withdrawal pays the same per claim a month later; a withdrawal that no
    /// longer goes through says nothing against it.
    pub(crate) fn lasts(&self) -> Result<bool, EvmError> {
        let Some((claim, paid)) = self.again(&[], LATER_SECONDS)? else { return Ok(true) };
        let (one, other) = (paid.saturating_mul(self.claim), self.paid.saturating_mul(claim));
        Ok(near(one, other, SAME_PPM, self.rounding(claim, paid)))
    }

    /// How far two cross products may differ because each amount is rounded to a unit.
    fn rounding(&self, claim: U256, paid: U256) -> U256 {
        self.claim.max(claim).saturating_add(self.paid.max(paid))
    }

    /// Whether a withdrawal pays its part of `assets` over `shares`, now and under joint changes of
    /// both, up to a fixed fee of at most ten per cent.
    pub(crate) fn pays_part_of(&self, assets: &Linear, shares: &Leaf) -> Result<bool, EvmError> {
        let mut parts: Vec<Leaf> = assets.parts.iter().map(|part| part.leaf).collect();
        parts.push(*shares);
        let mut fee_ppm: Option<U256> = None;
        let mut ran = 0;
        for trial in 0..=PRICE_TRIALS {
            let mut values = BTreeMap::new();
            for (index, leaf) in parts.iter().enumerate() {
                let now = self.read(leaf)?;
                // Between one and one and a half times the present value, so that nothing underflows.
                let more = if trial == 0 {
                    U256::ZERO
                } else {
                    perturbed(leaf, now, 2 * trial, index) % (now / U256::from(2) + U256::ONE)
                };
                values.insert(*leaf, now + more);
            }
            let changed: Vec<(Leaf, U256)> = values.iter().map(|(leaf, value)| (*leaf, *value)).collect();
            let Some((claim, paid)) = self.again(if trial == 0 { &[] } else { &changed }, 0)? else {
                if trial == 0 {
                    return Ok(false);
                }
                continue;
            };
            let value = |leaf: &Leaf| values.get(leaf).copied().unwrap_or_default();
            let (held, supply) = (assets.sum(value), value(shares));
            if supply.is_zero() || held.is_zero() {
                return Ok(false);
            }
            let Some(due) = claim.checked_mul(held).map(|product| product / supply) else { return Ok(false) };
            // One share more or less, and two units: what rounding may do.
            let dust = held / supply + U256::from(2);
            let part = ppm(paid, due.max(U256::ONE));
            let fits = match fee_ppm {
                None => part >= U256::from(900_000) && paid <= due + due / U256::from(50) + dust,
                Some(before) => {
                    let expected = due.saturating_mul(before) / U256::from(1_000_000);
                    near(paid, expected, PRICE_PPM, dust)
                }
            };
            if !fits {
                return Ok(false);
            }
            fee_ppm.get_or_insert(part);
            ran += 1;
        }
        Ok(ran >= 3)
    }

    /// Claim and payment of the same withdrawal with some numbers changed or after some time;
    /// `None` when it fails or does something else.
    fn again(&self, changed: &[(Leaf, U256)], seconds: u64) -> Result<Option<(U256, U256)>, EvmError> {
        let mut fork = self.fork.clone();
        for (leaf, value) in changed {
            match *leaf {
                Leaf::Native(account) => fork.set_balance(account, *value)?,
                Leaf::Word { account, slot, offset, width } => {
                    let word = fork.storage(account, slot)?;
                    fork.set_storage(account, slot, with_field(word, offset, width, *value))?;
                }
            }
        }
        if seconds > 0 {
            fork.advance(seconds, LATER_BLOCKS);
        }
        let request: &CallRequest = &self.trial.request;
        let outcome = fork.run(request)?;
        if !outcome.succeeded() {
            return Ok(None);
        }
        let effect = Effect::of_probe(String::new(), request, &outcome);
        let claim = effect.moved(&self.ledger.leaf(request.caller));
        let paid = effect.moved(&self.asset.leaf);
        Ok((claim < I256::ZERO && paid < I256::ZERO).then(|| (size(claim), payment(&effect, self.asset))))
    }

    fn read(&self, leaf: &Leaf) -> Result<U256, EvmError> {
        match *leaf {
            Leaf::Native(account) => self.fork.balance(account),
            Leaf::Word { account, slot, offset, width } => {
                Ok(field(self.fork.storage(account, slot)?, offset, width))
            }
        }
    }

    /// Numbers that the withdrawal read and that are nobody's own entry: plain words of the
    /// subject, in the places that views show them or in halves, and what it holds of the asset.
    fn leaves(&self, scene: &Scene, known: &[Leaf]) -> Vec<Leaf> {
        let mut leaves = vec![self.asset.leaf];
        let mut preimages = scene.preimages.clone();
        preimages.learn(&self.trial.trace);
        for ((account, slot), word) in distinct_words(&self.trial.trace).into_iter().take(WORDS_MAX) {
            if account != scene.subject || !preimages.path(account, slot).steps.is_empty() {
                continue;
            }
            let before = leaves.len();
            leaves.extend(known.iter().copied().filter(
                |leaf| matches!(leaf, Leaf::Word { account: a, slot: s, .. } if *a == account && *s == slot),
            ));
            if leaves.len() > before || names_code(&self.trial.trace, word) {
                continue;
            }
            let half = |offset| Leaf::Word { account, slot, offset, width: 128 };
            leaves.push(half(0));
            if word.bit_len() > 128 {
                leaves.push(half(128));
            }
        }
        leaves
    }
}

/// What a withdrawal pays: what its caller received of the asset, since parts may come from other
/// places than the subject; what left the subject if somebody else received it.
fn payment(effect: &Effect, asset: &Asset) -> U256 {
    let sum = |to: bool| {
        let moved = effect.transfers.iter().filter(|t| t.asset == asset.token);
        let moved = moved.filter(|t| if to { t.to == effect.caller } else { t.from == effect.caller });
        moved.fold(U256::ZERO, |sum, t| sum.saturating_add(t.amount))
    };
    let received = sum(true).saturating_sub(sum(false));
    if received.is_zero() { size(effect.moved(&asset.leaf)) } else { received }
}

/// Whether a word names an account that the call went on to.
fn names_code(trace: &breakwater_evm::Trace, word: U256) -> bool {
    trace
        .frames
        .iter()
        .skip(1)
        .any(|frame| super::code::names(word, frame.account) || super::code::names(word, frame.code))
}

/// The sum of the numbers that raise what is paid, less those that lower it.
pub(crate) fn sum_of(reactions: &[(Leaf, Reaction)], shares: &Leaf) -> Linear {
    let parts = reactions
        .iter()
        .filter(|(leaf, _)| leaf != shares)
        .map(|(leaf, reaction)| Part { leaf: *leaf, negative: *reaction == Reaction::Down, scale: 1 })
        .collect();
    Linear { parts, constant: U256::ZERO }
}

fn near(one: U256, other: U256, ppm: u64, dust: U256) -> bool {
    let (small, large) = if one < other { (one, other) } else { (other, one) };
    large - small <= (large / U256::from(1_000_000)).saturating_mul(U256::from(ppm)).saturating_add(dust)
}

fn ppm(part: U256, whole: U256) -> U256 {
    part.saturating_mul(U256::from(1_000_000)) / whole
}
