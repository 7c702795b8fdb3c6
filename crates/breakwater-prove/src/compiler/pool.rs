//! Constant-product pools: two reserves in the pool's own words, and shares in them.

use alloy::primitives::U256;

use super::{
    claims::{Claims, Evidence},
    linear::{Leaf, field},
    refusal::Reason,
};

/// Moves of a reserve that must have been seen to equal the token's.
const MOVES_NEEDED: usize = 2;
/// Relative loss of the product in a swap that rounding may explain: a hundredth of a per cent.
const PRODUCT_LOSS_DEN: u64 = 10_000;

/// A pool as found.
pub(crate) struct Pool {
    pub(crate) claims: Claims,
    /// Indices of the two assets.
    pub(crate) assets: [usize; 2],
    pub(crate) reserves: [Leaf; 2],
    pub(crate) shares: Leaf,
}

/// Finds a pool: one ledger of shares that two assets follow. `None` when there is no such ledger.
pub(crate) fn find(evidence: &Evidence<'_>, all: &[Claims], shown: &[Leaf]) -> Result<Option<Pool>, Reason> {
    let Some((first, second)) = pair(evidence, all) else { return Ok(None) };
    let Some(shares) = evidence.total(first, shown)? else {
        return Err(Reason::Layout("a pool whose shares have no total"));
    };
    let counters: Vec<Leaf> = evidence.counters(shown).into_iter().filter(|leaf| *leaf != shares).collect();
    let mut reserves = Vec::new();
    for claims in [first, second] {
        let taken: Vec<Leaf> = reserves.clone();
        let found = counters.iter().copied().filter(|leaf| !taken.contains(leaf));
        match reserve(evidence, claims.asset, found)? {
            Some(leaf) => reserves.push(leaf),
            None => return Err(Reason::NoReserveWords),
        }
    }
    let [one, other] = reserves[..] else { return Err(Reason::NoReserveWords) };
    let pool =
        Pool { claims: first.clone(), assets: [first.asset, second.asset], reserves: [one, other], shares };
    pool.check_swaps(evidence)?;
    Ok(Some(pool))
}

/// Two assets that came in together whenever shares of one ledger were made. A ledger that some
/// deposit of a single asset feeds is no pool's.
fn pair<'a>(evidence: &Evidence<'_>, all: &'a [Claims]) -> Option<(&'a Claims, &'a Claims)> {
    all.iter().enumerate().find_map(|(index, first)| {
        all[index + 1..].iter().find_map(|second| {
            let same = first.ledger == second.ledger && first.asset != second.asset;
            let (one, other) = (evidence.asset_moves(first.asset), evidence.asset_moves(second.asset));
            let together = first.moves.iter().zip(one.iter().zip(other)).all(|(claim, (a, b))| {
                claim.is_zero() || (a.is_positive() == b.is_positive() && a.is_negative() == b.is_negative())
            });
            (same && together).then_some((first, second))
        })
    })
}

/// The number that moved with a token's balance whenever it moved, or was set to it.
fn reserve(
    evidence: &Evidence<'_>,
    asset: usize,
    mut candidates: impl Iterator<Item = Leaf>,
) -> Result<Option<Leaf>, Reason> {
    let held = evidence.assets[asset].leaf;
    let balance = held.read(&evidence.scene.view)?;
    let moves = evidence.asset_moves(asset);
    let follows = |leaf: &Leaf| {
        let mut equal = 0;
        for (effect, moved) in evidence.effects.iter().zip(moves) {
            let own = effect.moved(leaf);
            if own.is_zero() {
                continue;
            }
            if own == *moved {
                equal += 1;
            } else if !set_to(effect, leaf, &held) {
                return false;
            }
        }
        equal >= MOVES_NEEDED
    };
    let mut found = None;
    for leaf in candidates.by_ref().filter(follows) {
        let value = leaf.read(&evidence.scene.view)?;
        // Never more than what is there, and not much less: the rest is gifts.
        if value <= balance && value >= balance / U256::from(2) && widest(&leaf, found.as_ref()) {
            found = Some(leaf);
        }
    }
    Ok(found)
}

/// Readings of the same word differ in width only; the widest that fits is the field.
fn widest(leaf: &Leaf, before: Option<&Leaf>) -> bool {
    let width = |leaf: &Leaf| if let Leaf::Word { width, .. } = leaf { *width } else { 0 };
    before.is_none_or(|known| width(leaf) > width(known))
}

/// Whether an effect left the number equal to the balance.
fn set_to(effect: &super::effect::Effect, leaf: &Leaf, held: &Leaf) -> bool {
    let after = |leaf: &Leaf| match *leaf {
        Leaf::Word { account, slot, offset, width } => {
            effect.word(account, slot).map(|(_, after)| field(after, offset, width))
        }
        Leaf::Native(_) => None,
    };
    after(leaf).is_some() && after(leaf) == after(held)
}

impl Pool {
    /// No swap may lower the product of the reserves: on another curve the product is not what the
    /// pool keeps, and its fall is no loss.
    fn check_swaps(&self, evidence: &Evidence<'_>) -> Result<(), Reason> {
        let both = |effect: &super::effect::Effect| {
            let words = self.reserves.map(|leaf| match leaf {
                Leaf::Word { account, slot, offset, width } => effect
                    .word(account, slot)
                    .map(|(before, after)| (field(before, offset, width), field(after, offset, width))),
                Leaf::Native(_) => None,
            });
            match words {
                [Some(one), Some(other)] => Some((one, other)),
                _ => None,
            }
        };
        let mut swaps = 0;
        for (effect, claim) in evidence.effects.iter().zip(&self.claims.moves) {
            let Some((one, other)) = both(effect).filter(|_| claim.is_zero()) else { continue };
            let before = one.0.saturating_mul(other.0);
            let after = one.1.saturating_mul(other.1);
            if after.saturating_add(before / U256::from(PRODUCT_LOSS_DEN)) < before {
                return Err(Reason::Payout(format!(
                    "a swap lowers the product of the reserves: {}",
                    effect.origin
                )));
            }
            swaps += usize::from(one.0 != one.1 && other.0 != other.1);
        }
        if swaps == 0 {
            return Err(Reason::TooLittleSeen("no swap was seen or could be simulated"));
        }
        Ok(())
    }
}
