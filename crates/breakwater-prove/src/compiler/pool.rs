//! Constant-product pools: two reserves in the pool's own words, and shares in them.

use alloy::primitives::{I256, U256};

use super::{
    claims::{Claims, Evidence},
    effect::Effect,
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

/// Finds a pool: one ledger of shares that two reserves follow. `None` when there is no such ledger.
///
/// Reserves are looked for before shares, because tokens often arrive in a transaction of their own
/// and the shares are made in the next, where only the reserves move.
pub(crate) fn find(evidence: &Evidence<'_>, all: &[Claims], shown: &[Leaf]) -> Result<Option<Pool>, Reason> {
    let counters = evidence.counters(shown);
    let mut reserves: Vec<(usize, Leaf)> = Vec::new();
    for asset in 0..evidence.assets.len() {
        let free = counters.iter().copied().filter(|leaf| reserves.iter().all(|(_, taken)| taken != leaf));
        reserves.extend(reserve(evidence, asset, free)?.map(|leaf| (asset, leaf)));
    }
    for (index, first) in reserves.iter().enumerate() {
        for second in &reserves[index + 1..] {
            let follows = |moves: &[I256]| {
                let moved = |leaf: &Leaf| evidence.effects.iter().map(|e| e.moved(leaf)).collect::<Vec<_>>();
                together(moves, &moved(&first.1), &moved(&second.1))
            };
            let Some(claims) = evidence.claims_that(first.0, follows).into_iter().next() else { continue };
            let Some(shares) = evidence.total(&claims, shown)? else {
                return Err(Reason::Layout("a pool whose shares have no total"));
            };
            let pool = Pool { claims, assets: [first.0, second.0], reserves: [first.1, second.1], shares };
            pool.check_swaps(evidence)?;
            return Ok(Some(pool));
        }
    }
    let bare = all.iter().enumerate().any(|(index, first)| {
        all[index + 1..].iter().any(|second| {
            let (one, other) = (evidence.asset_moves(first.asset), evidence.asset_moves(second.asset));
            let same = first.ledger == second.ledger && first.asset != second.asset;
            same && together(&first.moves, one, other)
        })
    });
    if bare { Err(Reason::NoReserveWords) } else { Ok(None) }
}

/// Whether two amounts rose together when shares were made and never went against them.
fn together(shares: &[I256], one: &[I256], other: &[I256]) -> bool {
    let mut made = 0;
    for (share, (a, b)) in shares.iter().zip(one.iter().zip(other)) {
        let against = |moved: &I256| {
            (share.is_positive() && moved.is_negative()) || (share.is_negative() && moved.is_positive())
        };
        if against(a) || against(b) {
            return false;
        }
        made += usize::from(share.is_positive() && a.is_positive() && b.is_positive());
    }
    made > 0
}

/// The number that moved with a token's balance whenever it moved, or was set to it.
fn reserve(
    evidence: &Evidence<'_>,
    asset: usize,
    candidates: impl Iterator<Item = Leaf>,
) -> Result<Option<Leaf>, Reason> {
    let balance = evidence.assets[asset].leaf.read(&evidence.scene.view)?;
    let moves = evidence.asset_moves(asset);
    let follows = |leaf: &Leaf| {
        let mut equal = 0;
        for (index, (effect, moved)) in evidence.effects.iter().zip(moves).enumerate() {
            let own = effect.moved(leaf);
            if own.is_zero() {
                continue;
            }
            if own != *moved && after(effect, leaf) != evidence.asset_after(asset, index) {
                return false;
            }
            equal += 1;
        }
        equal >= MOVES_NEEDED
    };
    let mut found = None;
    for leaf in candidates.filter(follows) {
        let value = leaf.read(&evidence.scene.view)?;
        // Never more than what is there, and not much less: the rest is gifts.
        if value <= balance && value >= balance / U256::from(2) && widest(&leaf, found.as_ref()) {
            found = Some(leaf);
        }
    }
    Ok(found)
}

/// The number that an effect left, if it changed its word.
fn after(effect: &Effect, leaf: &Leaf) -> Option<U256> {
    match *leaf {
        Leaf::Word { account, slot, offset, width } => {
            effect.word(account, slot).map(|(_, after)| field(after, offset, width))
        }
        Leaf::Native(_) => None,
    }
}

/// Readings of the same word differ in width only; the widest that fits is the field.
fn widest(leaf: &Leaf, before: Option<&Leaf>) -> bool {
    let width = |leaf: &Leaf| if let Leaf::Word { width, .. } = leaf { *width } else { 0 };
    before.is_none_or(|known| width(leaf) > width(known))
}

impl Pool {
    /// No swap may lower the product of the reserves: on another curve the product is not what the
    /// pool keeps, and its fall is no loss.
    fn check_swaps(&self, evidence: &Evidence<'_>) -> Result<(), Reason> {
        let both = |effect: &Effect| {
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
