//! Choosing the ledger that says what is owed, and the rules that keep a wrong one out.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, I256, U256};

use breakwater_evm::{Rules, View};

use super::{
    asset::Asset,
    effect::{Effect, Origin, size},
    ledger::{self, Fit, Ledger, Scales, Writes, claim_moves, fit, scaled, scales},
    linear::Leaf,
    paths::Preimages,
    probe::{Probes, Role},
    refusal::Reason,
    scene::Scene,
    surface::Getter,
};

/// Transactions after which the subject's holdings are looked up.
const HELD_AFTER_MAX: usize = 512;

/// Everything that was seen and tried, in one row.
pub(crate) struct Evidence<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) assets: &'a [Asset],
    pub(crate) getters: &'a [Getter],
    pub(crate) probes: &'a Probes,
    /// Effects on the chain and those of ordinary callers in simulation.
    pub(crate) effects: Vec<Effect>,
    pub(crate) writes: Writes,
    pub(crate) preimages: Preimages,
    /// How each asset moved in each effect.
    moves: Vec<Vec<I256>>,
    /// What was held of each asset after each effect, where that is known.
    after: Vec<Vec<Option<U256>>>,
}

/// A ledger whose sum moves with an asset.
#[derive(Clone, Debug)]
pub(crate) struct Claims {
    pub(crate) ledger: Ledger,
    pub(crate) asset: usize,
    /// Moves of the ledger's sum in each effect, unscaled.
    pub(crate) moves: Vec<I256>,
    /// Deposits and withdrawals: the ledger and the asset moved the same way.
    pub(crate) ins: usize,
    pub(crate) outs: usize,
    /// Set where claims follow the asset one to one up to decimals.
    pub(crate) par: Option<(Scales, Fit)>,
}

impl<'a> Evidence<'a> {
    pub(crate) fn gather(
        scene: &'a Scene,
        assets: &'a [Asset],
        getters: &'a [Getter],
        probes: &'a Probes,
        rules: Rules,
    ) -> Result<Self, Reason> {
        let mut preimages = scene.preimages.clone();
        for trial in &probes.trials {
            preimages.learn(&trial.trace);
        }
        let ordinary = probes.trials.iter().filter(|trial| trial.role != Role::Privileged);
        let mut effects = scene.effects.clone();
        effects.extend(ordinary.clone().map(|trial| trial.effect.clone()));
        let writes = ledger::writes(&effects, &preimages, scene.subject);
        let moves: Vec<Vec<I256>> = assets
            .iter()
            .map(|asset| effects.iter().map(|effect| effect.moved(&asset.leaf)).collect())
            .collect();
        let mut after = Vec::new();
        for asset in assets {
            let mut held = held_after(scene, asset, rules)?;
            for trial in ordinary.clone() {
                held.push(probes.held_after(trial, asset)?);
            }
            after.push(held);
        }
        Ok(Self { scene, assets, getters, probes, effects, writes, preimages, moves, after })
    }

    /// What was held of an asset after an effect, if it is known.
    pub(crate) fn asset_after(&self, asset: usize, effect: usize) -> Option<U256> {
        self.after.get(asset)?.get(effect).copied().flatten()
    }

    /// Moves of an asset in each effect.
    pub(crate) fn asset_moves(&self, asset: usize) -> &[I256] {
        self.moves.get(asset).map_or(&[], Vec::as_slice)
    }

    /// Deposits and withdrawals of claims that the chain has seen.
    pub(crate) fn chain_moves(&self, claims: &Claims) -> (usize, usize) {
        let held = self.asset_moves(claims.asset);
        let chain = claims.moves.iter().zip(held).take(self.scene.effects.len());
        let ins = chain.clone().filter(|(claim, asset)| claim.is_positive() && asset.is_positive()).count();
        (ins, chain.filter(|(claim, asset)| claim.is_negative() && asset.is_negative()).count())
    }

    /// Ledgers to consider: where getters read, exactly there; elsewhere in the usual places.
    fn ledgers(&self) -> Vec<Ledger> {
        let tokens: BTreeSet<Address> = self.assets.iter().map(|asset| asset.token).collect();
        let mut all = Vec::new();
        for (shape, entries) in &self.writes {
            if shape.account != self.scene.subject
                || entries
                    .iter()
                    .all(|(_, holder, ..)| tokens.contains(holder) || *holder == self.scene.subject)
            {
                continue;
            }
            let shown: Vec<Ledger> = self
                .getters
                .iter()
                .map(|getter| getter.ledger)
                .filter(|known| known.shape == *shape)
                .collect();
            let words = entries.iter().map(|(_, _, before, after)| (*before, *after));
            let free = ledger::fields(words)
                .into_iter()
                .filter(|place| shown.iter().all(|known| apart(*place, (known.offset, known.width))));
            all.extend(free.map(|(offset, width)| Ledger { shape: *shape, offset, width }));
            all.extend(shown);
        }
        all
    }

    /// Every ledger that rose when an asset came in and fell when it went out, and never the other
    /// way round; and one that did go the other way, as a reason.
    pub(crate) fn claims(&self) -> (Vec<Claims>, Option<Reason>) {
        let (mut found, mut contrary) = (Vec::new(), None);
        for ledger in self.ledgers() {
            let moves = claim_moves(&ledger, &self.writes, self.effects.len());
            for asset in 0..self.assets.len() {
                match self.claims_of(ledger, &moves, asset) {
                    Ok(claims) => found.extend(claims),
                    Err(reason) => contrary = Some(reason),
                }
            }
        }
        (without_shadows(found), contrary)
    }

    /// Ledgers whose moves pass a test, the widest reading of each first, as claims on an asset.
    pub(crate) fn claims_that(&self, asset: usize, test: impl Fn(&[I256]) -> bool) -> Vec<Claims> {
        let mut found = Vec::new();
        for ledger in self.ledgers() {
            let moves = claim_moves(&ledger, &self.writes, self.effects.len());
            if test(&moves) {
                found.push(Claims { ledger, asset, moves, ins: 0, outs: 0, par: None });
            }
        }
        without_shadows(found)
    }

    fn claims_of(&self, ledger: Ledger, moves: &[I256], asset: usize) -> Result<Option<Claims>, Reason> {
        let held = self.asset_moves(asset);
        let count =
            |rule: fn(&I256, &I256) -> bool| moves.iter().zip(held).filter(|(c, a)| rule(c, a)).count();
        let ins = count(|claim, asset| claim.is_positive() && asset.is_positive());
        let outs = count(|claim, asset| claim.is_negative() && asset.is_negative());
        let contrary = moves.iter().zip(held).position(|(claim, asset)| {
            (claim.is_positive() && asset.is_negative()) || (claim.is_negative() && asset.is_positive())
        });
        if ins == 0 {
            return Ok(None);
        }
        if let Some(index) = contrary {
            return Err(Reason::ClaimsGrow(self.seen(index)));
        }
        let par = scales(moves, held)
            .map(|shared| (shared, fit(&scaled(moves, shared.claim), &scaled(held, shared.asset))));
        let par = par.filter(|(_, fit)| fit.ins > 0);
        Ok(Some(Claims { ledger, asset, moves: moves.to_vec(), ins, outs, par }))
    }

    /// Debts: a ledger that rises when an asset goes out and falls when it comes back, while the
    /// claims do not move. Where there is one the subject lends.
    pub(crate) fn lending(&self, claims: &Claims) -> Option<String> {
        for (shape, entries) in &self.writes {
            if *shape == claims.ledger.shape {
                continue;
            }
            let words = entries.iter().map(|(_, _, before, after)| (*before, *after));
            for (offset, width) in ledger::fields(words) {
                let debt = Ledger { shape: *shape, offset, width };
                let moves = claim_moves(&debt, &self.writes, self.effects.len());
                for held in &self.moves {
                    let still = |index: usize| claims.moves[index].is_zero();
                    let lent = (0..moves.len())
                        .find(|i| still(*i) && mirrors(moves[*i], held[*i]) && held[*i].is_negative());
                    let back = (0..moves.len())
                        .any(|i| still(i) && mirrors(moves[i], held[i]) && held[i].is_positive());
                    if let (Some(lent), true) = (lent, back) {
                        return Some(self.effects[lent].origin.to_string());
                    }
                }
            }
        }
        None
    }

    fn seen(&self, index: usize) -> String {
        format!("{} {}", self.effects[index].origin, self.effects[index].selector())
    }

    /// The rules that make fixed claims safe: they rise only with assets, they are paid at most in
    /// full, and assets do not leave by another door to places that belong to the subject.
    pub(crate) fn check_fixed(&self, claims: &Claims, fit: &Fit) -> Result<Vec<String>, Reason> {
        if let Some(index) = fit.grows.first() {
            return Err(Reason::ClaimsGrow(self.seen(*index)));
        }
        if let Some(index) = fit.overpays.first() {
            return Err(Reason::Payout(format!("more went out than was owed: {}", self.seen(*index))));
        }
        let mut notes = Vec::new();
        for index in &fit.leaks {
            self.judge_leak(claims, *index, &mut notes)?;
        }
        Ok(notes)
    }

    /// Assets went out and claims stayed: a debt, a move to another place, or a plain taking.
    fn judge_leak(&self, claims: &Claims, index: usize, notes: &mut Vec<String>) -> Result<(), Reason> {
        let effect = &self.effects[index];
        let what = format!("{} {}", effect.origin, effect.selector());
        if let Some(place) = self.own_place(effect, claims.asset) {
            return Err(Reason::AssetsMove(format!("to {place}, {what}")));
        }
        if matches!(effect.origin, Origin::Chain { .. }) {
            if self.covered_after(claims, index)? {
                notes.push(format!("Assets beyond what is owed were taken ({what})."));
                return Ok(());
            }
            return Err(Reason::AssetsMove(what));
        }
        let booked = self.writes.iter().any(|(shape, entries)| {
            *shape != claims.ledger.shape
                && entries.iter().any(|(at, _, before, after)| *at == index && after > before)
        });
        if booked {
            return Err(Reason::Lending(what));
        }
        notes.push(format!(
            "Any caller could take assets that are owed to others ({what}); this gauge would measure it as a loss."
        ));
        Ok(())
    }

    /// Whether what was held after a transaction still covered what was owed then: then only a
    /// surplus was taken, and nobody's claim is the worse for it.
    fn covered_after(&self, claims: &Claims, index: usize) -> Result<bool, Reason> {
        let Some((scales, _)) = &claims.par else { return Ok(false) };
        let Some(held) = self.asset_after(claims.asset, index) else { return Ok(false) };
        let now = I256::try_from(self.known_sum(claims)?).unwrap_or(I256::MAX);
        let chain = self.effects.iter().zip(&claims.moves).skip(index + 1);
        let since = chain.filter(|(effect, _)| matches!(effect.origin, Origin::Chain { .. }));
        let owed = since.fold(now, |owed, (_, moved)| owed.saturating_sub(*moved));
        let owed = if owed.is_negative() { return Ok(false) } else { size(owed) };
        Ok(held.saturating_mul(U256::from(scales.asset)) >= owed.saturating_mul(U256::from(scales.claim)))
    }

    /// Whether a privileged caller can send assets to a place that belongs to the subject, or books
    /// what it sends, so that it might count or come back.
    ///
    /// Whether claims that a privileged caller makes without assets matter is for the form to say:
    /// shares that are diluted so lose nothing that a ratio measures.
    pub(crate) fn check_privileged(
        &self,
        claims: &Claims,
        fixed: bool,
        taken: impl Fn(&Effect) -> bool,
    ) -> Result<Vec<String>, Reason> {
        let asset = &self.assets[claims.asset];
        let mut notes = BTreeSet::new();
        for trial in self.probes.trials.iter().filter(|trial| trial.role == Role::Privileged) {
            let taken = taken(&trial.effect);
            let claim = self.probe_claims(claims, &trial.effect);
            if claim.is_positive() && !trial.effect.moved(&asset.leaf).is_positive() {
                if fixed {
                    return Err(Reason::ClaimsGrow(trial.effect.origin.to_string()));
                }
                notes.insert(format!(
                    "A privileged caller can make shares without assets ({}); this gauge does not measure dilution.",
                    trial.effect.selector()
                ));
            }
            if !taken || claim.is_negative() {
                continue;
            }
            if let Some(place) = self.own_place(&trial.effect, claims.asset) {
                return Err(Reason::AssetsMove(format!("to {place}, {}", trial.effect.origin)));
            }
            if books(&trial.effect, self.scene.subject, size(trial.effect.moved(&asset.leaf))) {
                return Err(Reason::AssetsMove(format!("and are booked, {}", trial.effect.origin)));
            }
            notes.insert(format!(
                "A privileged caller can take assets ({}); this gauge would measure it as a loss.",
                trial.effect.selector()
            ));
        }
        Ok(notes.into_iter().collect())
    }

    /// How the ledger's sum moved in an effect that is not in the row.
    fn probe_claims(&self, claims: &Claims, effect: &Effect) -> I256 {
        let writes = ledger::writes(std::slice::from_ref(effect), &self.preimages, self.scene.subject);
        claim_moves(&claims.ledger, &writes, 1).into_iter().next().unwrap_or_default()
    }

    /// Who received most of the asset, unless it is the caller or somebody whom the call names: a
    /// place that the subject itself knows.
    fn own_place(&self, effect: &Effect, asset: usize) -> Option<Address> {
        let token = self.assets[asset].token;
        let sent = effect.transfers.iter().filter(|t| t.asset == token && t.from == self.scene.subject);
        // A token may send part of every payment to a place of its own; the most of it counts.
        let to = sent.max_by_key(|t| t.amount)?.to;
        let word = to.into_word();
        let named = effect.data.get(4..).unwrap_or_default().chunks_exact(32).any(|chunk| chunk == word);
        (to != effect.caller && to != effect.to && !named).then_some(to)
    }

    /// The ledger's total, if a plain word follows it.
    pub(crate) fn total(&self, claims: &Claims, shown: &[Leaf]) -> Result<Option<Leaf>, Reason> {
        let candidates = self.counters(shown);
        let mut values = BTreeMap::new();
        for leaf in &candidates {
            values.insert(*leaf, leaf.read(&self.scene.view)?);
        }
        let least = self.known_sum(claims)?;
        Ok(ledger::total(&claims.moves, &self.effects, &candidates, least, |leaf| {
            values.get(leaf).copied().unwrap_or_default()
        }))
    }

    /// Numbers of the subject's own that no mapping explains: where views show them, and in the usual
    /// places of the plain words that effects changed.
    pub(crate) fn counters(&self, shown: &[Leaf]) -> Vec<Leaf> {
        let account = self.scene.subject;
        let mut all: Vec<Leaf> = shown.iter().copied().filter(|leaf| leaf.account() == account).collect();
        for slot in ledger::plain_words(&self.effects, &self.preimages, account) {
            let words = self.effects.iter().filter_map(|effect| effect.word(account, slot));
            let taken: Vec<(usize, usize)> = all
                .iter()
                .filter_map(|leaf| match leaf {
                    Leaf::Word { slot: known, offset, width, .. } if *known == slot => {
                        Some((*offset, *width))
                    }
                    _ => None,
                })
                .collect();
            let free =
                ledger::fields(words).into_iter().filter(|place| taken.iter().all(|t| apart(*place, *t)));
            all.extend(free.map(|(offset, width)| Leaf::Word { account, slot, offset, width }));
        }
        all
    }

    /// Sum of the entries of all known holders.
    pub(crate) fn known_sum(&self, claims: &Claims) -> Result<U256, Reason> {
        let entries = self.known_entries(claims)?;
        Ok(entries.iter().fold(U256::ZERO, |sum, (_, claim)| sum.saturating_add(*claim)))
    }

    /// Known holders with their entries.
    pub(crate) fn known_entries(&self, claims: &Claims) -> Result<Vec<(Address, U256)>, Reason> {
        let candidates: Vec<Address> = self.scene.holders.candidates().collect();
        let place = (claims.ledger.offset, claims.ledger.width);
        Ok(super::holders::entries(&candidates, &claims.ledger.shape, place, &self.scene.view)?)
    }
}

/// Whether some word of an account rose by just this amount.
fn books(effect: &Effect, account: Address, amount: U256) -> bool {
    let rose = |before: U256, after: U256| after.checked_sub(before) == Some(amount);
    let half = |word: U256, offset| super::linear::field(word, offset, 128);
    effect.words_of(account).any(|(_, (before, after))| {
        rose(before, after) || [0, 128].into_iter().any(|at| rose(half(before, at), half(after, at)))
    })
}

/// Whether two places within a word do not overlap.
fn apart(one: (usize, usize), other: (usize, usize)) -> bool {
    one.0 + one.1 <= other.0 || other.0 + other.1 <= one.0
}

/// What was held of an asset after each transaction on the chain; only the newest are asked for.
fn held_after(scene: &Scene, asset: &Asset, rules: Rules) -> Result<Vec<Option<U256>>, Reason> {
    let spare = scene.effects.len().saturating_sub(HELD_AFTER_MAX);
    let mut held = vec![None; spare];
    for effect in &scene.effects[spare..] {
        held.push(match effect.origin {
            Origin::Chain { block } => {
                Some(asset.leaf.read(&View::at(scene.view.reader(), block, rules)?)?)
            }
            Origin::Probe(_) => None,
        });
    }
    Ok(held)
}

/// Whether a debt moved by about as much as the asset, the other way.
fn mirrors(debt: I256, asset: I256) -> bool {
    let (one, other) = (size(debt), size(asset));
    let opposite = (debt.is_positive() && asset.is_negative()) || (debt.is_negative() && asset.is_positive());
    // Interest or a fee may be booked with the debt: up to a tenth.
    opposite && one >= other - other / U256::from(10) && one <= other + other / U256::from(10)
}

/// Drops ledgers that only repeat part of what another one shows for the same asset: the inner
/// view of a nested mapping, or the narrower of two readings of one word.
fn without_shadows(found: Vec<Claims>) -> Vec<Claims> {
    // Of two readings of one word that moved alike the wider is kept: the narrower would overflow.
    let rank = |claims: &Claims| (claims.ledger.shape, claims.ledger.offset, 256 - claims.ledger.width);
    let repeats = |one: &Claims, other: &Claims| {
        one.asset == other.asset
            && one.ledger != other.ledger
            && one.moves.iter().zip(&other.moves).all(|(a, b)| a.is_zero() || a == b)
            && (one.moves != other.moves || rank(one) > rank(other))
    };
    (0..found.len())
        .filter(|index| !found.iter().any(|other| repeats(&found[*index], other)))
        .map(|index| found[index].clone())
        .collect()
}
