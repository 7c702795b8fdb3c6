//! Ledgers: mappings keyed by holders, and how their sum moves with an asset.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, I256, U256};

use super::{
    effect::{Effect, diff, size},
    linear::{Leaf, field},
    paths::{Preimages, Shape},
};

/// Places within a word where a number is looked for when no getter tells: the whole word, and
/// the usual packings.
const FIELDS: [(usize, usize); 12] = [
    (0, 256),
    (0, 128),
    (128, 128),
    (0, 112),
    (112, 112),
    (0, 96),
    (96, 160),
    (160, 96),
    (0, 64),
    (64, 64),
    (64, 128),
    (128, 64),
];
/// Numbers of decimals by which claims and assets may differ.
const DECIMALS_MAX: u32 = 18;
/// Credited over received, for tokens that take a fee on transfer: at most ten per cent more.
const FEE_NUM: u64 = 10;
const FEE_DEN: u64 = 9;
/// Addresses too small to be taken for one, to which shares are burned or locked away.
const NOBODIES: [u8; 2] = [0, 1];
/// Units by which amounts may differ through rounding.
const DUST: u64 = 2;

/// Where a number of every holder is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ledger {
    pub(crate) shape: Shape,
    pub(crate) offset: usize,
    pub(crate) width: usize,
}

impl Ledger {
    /// One holder's number.
    pub(crate) fn leaf(&self, holder: Address) -> Leaf {
        Leaf::Word {
            account: self.shape.account,
            slot: self.shape.slot(holder),
            offset: self.offset,
            width: self.width,
        }
    }
}

/// Every write to a mapping entry: effect, holder, word before and after.
pub(crate) type Writes = BTreeMap<Shape, Vec<(usize, Address, U256, U256)>>;

/// Groups the mapping entries that effects wrote by the mapping they belong to.
pub(crate) fn writes(effects: &[Effect], preimages: &Preimages, account: Address) -> Writes {
    let mut all = Writes::new();
    for (index, effect) in effects.iter().enumerate() {
        for (slot, (before, after)) in effect.words_of(account) {
            for (shape, holder) in preimages.path(account, slot).shapes() {
                all.entry(shape).or_default().push((index, holder, before, after));
            }
        }
    }
    for (shape, entries) in &mut all {
        for nobody in NOBODIES.map(Address::with_last_byte) {
            let slot = shape.slot(nobody);
            let written =
                effects.iter().enumerate().filter_map(|(index, e)| Some((index, e.word(account, slot)?)));
            entries.extend(written.map(|(index, (before, after))| (index, nobody, before, after)));
        }
    }
    all
}

/// Words of an account that no mapping explains: counters and totals.
pub(crate) fn plain_words(effects: &[Effect], preimages: &Preimages, account: Address) -> BTreeSet<U256> {
    effects
        .iter()
        .flat_map(|effect| effect.words_of(account).map(|(slot, _)| slot))
        .filter(|slot| preimages.path(account, *slot).steps.is_empty())
        .collect()
}

/// The places within a word that differ over some writes and could hold a number of their own.
pub(crate) fn fields(words: impl Iterator<Item = (U256, U256)>) -> Vec<(usize, usize)> {
    let (mut used, mut moved) = (U256::ZERO, U256::ZERO);
    for (before, after) in words {
        used |= before | after;
        moved |= before ^ after;
    }
    FIELDS
        .into_iter()
        .filter(|(offset, width)| !field(moved, *offset, *width).is_zero())
        // A whole word whose upper half was never used is read as its lower half: whatever may be
        // packed above later does not count, and no honest amount needs more than 128 bits.
        .filter(|(offset, width)| !(*width == 256 && *offset == 0 && used.bit_len() <= 128))
        .collect()
}

/// How claims and an asset's units relate: claims · claim = assets · asset, each a power of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scales {
    pub(crate) claim: u64,
    pub(crate) asset: u64,
}

/// What effects say about a ledger and an asset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fit {
    /// Claims rose by about what came in.
    pub(crate) ins: usize,
    /// Claims fell by at least what went out, and something went out.
    pub(crate) outs: usize,
    /// Claims rose by more than what came in.
    pub(crate) grows: Vec<usize>,
    /// More went out than claims fell, claims having fallen.
    pub(crate) overpays: Vec<usize>,
    /// Something went out and claims did not fall.
    pub(crate) leaks: Vec<usize>,
    /// Largest share of a credited amount that did not arrive, in 1e-6.
    pub(crate) fee_ppm: u64,
}

impl Fit {
    /// Whether the ledger follows the asset one to one.
    pub(crate) fn follows(&self) -> bool {
        self.ins > 0 && self.grows.is_empty() && self.overpays.is_empty()
    }
}

/// How the sum of a ledger moved in each effect.
pub(crate) fn claim_moves(ledger: &Ledger, writes: &Writes, effects: usize) -> Vec<I256> {
    let mut moves = vec![I256::ZERO; effects];
    for (index, _, before, after) in writes.get(&ledger.shape).into_iter().flatten() {
        let moved =
            diff(field(*before, ledger.offset, ledger.width), field(*after, ledger.offset, ledger.width));
        moves[*index] = moves[*index].saturating_add(moved);
    }
    moves
}

/// Judges the moves of claims against the moves of an asset, in the scale they share.
pub(crate) fn fit(claims: &[I256], assets: &[I256]) -> Fit {
    let mut fit = Fit::default();
    for (index, (claim, asset)) in claims.iter().zip(assets).enumerate() {
        let (owed, held) = (size(*claim), size(*asset));
        match (sign(*claim), sign(*asset)) {
            // Much more coming in than is credited is another kind of business (a price paid).
            (1, 1) if exceeds(held, owed, FEE_NUM, FEE_DEN) => {}
            (1, 1) if !exceeds(owed, held, FEE_NUM, FEE_DEN) => {
                fit.ins += 1;
                fit.fee_ppm = fit.fee_ppm.max(missing_ppm(owed, held));
            }
            (1, _) => fit.grows.push(index),
            (-1, -1)
                if held > owed.saturating_add(owed / U256::from(1_000)).saturating_add(U256::from(DUST)) =>
            {
                fit.overpays.push(index);
            }
            (-1, -1) if held.saturating_mul(U256::from(2)) >= owed => fit.outs += 1,
            (0, -1) => fit.leaks.push(index),
            _ => {}
        }
    }
    fit
}

fn sign(moved: I256) -> i8 {
    i8::from(moved.is_positive()) - i8::from(moved.is_negative())
}

/// Whether one amount exceeds another by more than num / den and the dust.
fn exceeds(one: U256, other: U256, num: u64, den: u64) -> bool {
    one > (other.saturating_mul(U256::from(num)) / U256::from(den)).saturating_add(U256::from(DUST))
}

/// Rounded up, so that a fee is never understated.
fn missing_ppm(owed: U256, held: U256) -> u64 {
    let missing = owed.saturating_sub(held);
    let ppm = missing.saturating_mul(U256::from(1_000_000)).div_ceil(owed.max(U256::ONE));
    u64::try_from(ppm).unwrap_or(u64::MAX)
}

/// The powers of ten that make the first deposit's claim and asset agree.
pub(crate) fn scales(claims: &[I256], assets: &[I256]) -> Option<Scales> {
    let (claim, asset) = claims.iter().zip(assets).find(|(c, a)| c.is_positive() && a.is_positive())?;
    let (owed, held) = (size(*claim), size(*asset));
    let near = |one: U256, other: U256| {
        !exceeds(one, other, FEE_NUM, FEE_DEN) && !exceeds(other, one, FEE_NUM, FEE_DEN)
    };
    if near(owed, held) {
        return Some(Scales { claim: 1, asset: 1 });
    }
    (1..=DECIMALS_MAX).find_map(|decimals| {
        let factor = 10u64.checked_pow(decimals)?;
        let wide = U256::from(factor);
        if near(owed, held.saturating_mul(wide)) {
            Some(Scales { claim: 1, asset: factor })
        } else if near(owed.saturating_mul(wide), held) {
            Some(Scales { claim: factor, asset: 1 })
        } else {
            None
        }
    })
}

/// Moves in a common scale.
pub(crate) fn scaled(moves: &[I256], factor: u64) -> Vec<I256> {
    let factor = I256::try_from(factor).unwrap_or(I256::ONE);
    moves.iter().map(|moved| moved.saturating_mul(factor)).collect()
}

/// A word that moves exactly as the sum of a ledger does, in every effect that moves either, and
/// has been seen to rise and to fall: the ledger's total.
pub(crate) fn total(
    claims: &[I256],
    effects: &[Effect],
    candidates: &[Leaf],
    least: U256,
    value: impl Fn(&Leaf) -> U256,
) -> Option<Leaf> {
    let moving = claims.iter().filter(|moved| !moved.is_zero()).count();
    candidates.iter().copied().find(|leaf| {
        let equal = effects.iter().zip(claims).all(|(effect, claim)| effect.moved(leaf) == *claim);
        moving > 0 && equal && value(leaf) >= least
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moves(numbers: &[i64]) -> Vec<I256> {
        numbers.iter().map(|number| I256::try_from(*number).unwrap()).collect()
    }

    #[test]
    fn a_bank_follows_its_deposits() {
        let found = fit(&moves(&[1_000, -400, 0, -100]), &moves(&[1_000, -400, 50, -100]));
        assert_eq!((found.ins, found.outs), (1, 2));
        assert!(found.follows() && found.leaks.is_empty() && found.fee_ppm == 0);
    }

    #[test]
    fn a_fee_of_ten_per_cent_passes_and_more_does_not() {
        let found = fit(&moves(&[1_000]), &moves(&[900]));
        assert!(found.follows() && found.fee_ppm == 100_000, "{found:?}");
        assert!(!fit(&moves(&[1_000]), &moves(&[880])).follows());
    }

    #[test]
    fn claims_without_assets_and_overpayment_are_seen() {
        assert_eq!(fit(&moves(&[500, 0]), &moves(&[0, -7])).grows, [0]);
        assert_eq!(fit(&moves(&[500, 0]), &moves(&[500, -7])).leaks, [1]);
        assert_eq!(fit(&moves(&[500, -100]), &moves(&[500, -120])).overpays, [1]);
    }

    #[test]
    fn a_price_is_not_a_deposit() {
        assert_eq!(fit(&moves(&[1]), &moves(&[1_000])).ins, 0);
    }

    #[test]
    fn decimals_may_differ() {
        let shared = scales(&moves(&[5_000_000]), &moves(&[5])).unwrap();
        assert_eq!((shared.claim, shared.asset), (1, 1_000_000));
        assert_eq!(scales(&moves(&[37]), &moves(&[1_000])), None);
    }
}
