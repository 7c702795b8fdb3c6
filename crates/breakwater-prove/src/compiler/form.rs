//! Which of the four forms a subject has.

use alloy::primitives::{I256, U256};
use breakwater_evm::{CallRequest, Trace};

use super::{
    abi::words,
    candidate::Candidate,
    claims::{Claims, Evidence},
    effect::{Effect, Origin, size},
    ledger::Scales,
    linear::{Leaf, Linear, Part},
    payout::{Withdrawal, sum_of},
    pool::{self, Pool},
    refusal::Reason,
    surface::{Sum, Surface},
};
use crate::gauge::Form;

const CONVERT_TO_ASSETS: [u8; 4] = [0x07, 0xa2, 0xd1, 0x3a];
/// Relative error of a conversion view, in 1e-2.
const CONVERT_PERCENT: u64 = 1;
/// Fees that a threshold of fixed claims leaves room for: a deposit of that many times half of all
/// others is not taken for a loss.
const FEES_PER_THRESHOLD: u64 = 8;
/// Deposits on the chain that must have been seen of a token that takes a fee.
const FEE_DEPOSITS_NEEDED: usize = 2;
/// Part of the assets whose loss in one call counts as assets leaving, as a divisor.
const LEAK_DEN: u64 = 100;

/// Finds the subject's form and its candidate.
pub(crate) fn candidate(evidence: &Evidence<'_>, surface: &Surface) -> Result<(Candidate, Claims), Reason> {
    let shown: Vec<Leaf> = surface.leaves().collect();
    let (mut all, contrary) = evidence.claims();
    if let Some(pool) = pool::find(evidence, &all, &shown)? {
        return geometric(evidence, pool);
    }
    // The busiest asset and ledger first; a stray token that came once does not decide.
    all.sort_by_key(|claims| std::cmp::Reverse((claims.outs > 0, claims.ins + claims.outs)));
    let mut refused = None;
    for claims in all {
        match single(evidence, surface, &shown, &claims) {
            Ok(candidate) => return Ok((candidate, claims)),
            Err(Reason::Evm(error)) => return Err(Reason::Evm(error)),
            // The busiest ledger's reason is the one that helps.
            Err(reason) => {
                refused.get_or_insert(reason);
            }
        }
    }
    Err(refused.or(contrary).unwrap_or(Reason::NoClaims))
}

fn single(
    evidence: &Evidence<'_>,
    surface: &Surface,
    shown: &[Leaf],
    claims: &Claims,
) -> Result<Candidate, Reason> {
    let asset = &evidence.assets[claims.asset];
    let total = evidence.total(claims, shown)?;
    let withdrawal = Withdrawal::find(evidence.probes, claims.ledger, asset);
    if withdrawal.as_ref().is_some_and(Withdrawal::is_later) && evidence.chain_moves(claims).1 == 0 {
        return Err(Reason::TooLittleSeen("withdrawals go through only after a time, and none was seen yet"));
    }
    let follows = claims.par.as_ref().filter(|(_, fit)| fit.follows());
    let reactions = match &withdrawal {
        Some(withdrawal) => withdrawal.reactions(evidence.scene, shown)?,
        None => Vec::new(),
    };
    match (follows, &withdrawal) {
        (Some((scales, fit)), Some(withdrawal)) if reactions.is_empty() => {
            if !withdrawal.lasts()? {
                return Err(Reason::Payout("it pays more with time than it owes in its words".to_owned()));
            }
            fixed(evidence, claims, *scales, fit, total, &withdrawal.trial.trace)
        }
        _ => match total {
            Some(total) => shares(evidence, surface, claims, total, withdrawal.as_ref(), &reactions),
            None => Err(unfit(evidence, claims)),
        },
    }
}

/// Why a ledger without a total is not one of fixed claims.
fn unfit(evidence: &Evidence<'_>, claims: &Claims) -> Reason {
    if let Some(what) = evidence.lending(claims) {
        return Reason::Lending(what);
    }
    match &claims.par {
        Some((_, fit)) if fit.follows() && fit.outs == 0 => {
            Reason::TooLittleSeen("nobody withdrew, and no simulated withdrawal went through")
        }
        Some((_, fit)) => match evidence.check_fixed(claims, fit) {
            Err(reason) => reason,
            Ok(_) => Reason::Payout("what is paid moves with other words".to_owned()),
        },
        None => Reason::Layout("shares without a total"),
    }
}

/// Claims fixed in the asset: par with a total, enumerated without.
fn fixed(
    evidence: &Evidence<'_>,
    claims: &Claims,
    scales: Scales,
    fit: &super::ledger::Fit,
    total: Option<Leaf>,
    trace: &Trace,
) -> Result<Candidate, Reason> {
    if let Some(what) = evidence.lending(claims) {
        return Err(Reason::Lending(what));
    }
    if fit.fee_ppm > 0 && evidence.chain_moves(claims).0 < FEE_DEPOSITS_NEEDED {
        return Err(Reason::TooLittleSeen(
            "the token takes a fee, and too few deposits show how large they are",
        ));
    }
    let mut warnings = evidence.check_fixed(claims, fit)?;
    let asset = &evidence.assets[claims.asset];
    warnings
        .extend(evidence.check_privileged(claims, true, |effect| effect.moved(&asset.leaf).is_negative())?);
    let part = |leaf, scale| Part { leaf, negative: false, scale };
    let mut candidate = Candidate {
        form: if total.is_some() { Form::Par } else { Form::Enumerated },
        asset: asset.token,
        assets: vec![part(asset.leaf, scales.asset)],
        claims: total.map(|leaf| part(leaf, scales.claim)).into_iter().collect(),
        ledger: claims.ledger,
        claim_scale: scales.claim,
        pins: asset.pins.clone(),
        sums: Vec::new(),
        reasons: vec![
            format!(
                "Claims rose with {} deposits and fell with {} withdrawals, seen and simulated, one to one.",
                fit.ins, fit.outs
            ),
            "A simulated withdrawal pays the same per claim whatever else changes, and a month later."
                .to_owned(),
        ],
        warnings,
        // A deposit many times all others lifts what is owed by more than what comes in.
        least_threshold_ppm: fit.fee_ppm.saturating_mul(FEES_PER_THRESHOLD),
    };
    candidate.reasons.push(match total {
        Some(_) => "One word always moved as the sum of the claims did: the total.".to_owned(),
        None => "No word keeps the total, so holders' claims are added up.".to_owned(),
    });
    candidate.pin(evidence, &[], &[trace])?;
    Ok(candidate)
}

/// Claims that are shares in the assets.
fn shares(
    evidence: &Evidence<'_>,
    surface: &Surface,
    claims: &Claims,
    total: Leaf,
    withdrawal: Option<&Withdrawal<'_>>,
    reactions: &[(Leaf, super::payout::Reaction)],
) -> Result<Candidate, Reason> {
    let asset = &evidence.assets[claims.asset];
    if let Some(other) = second_asset(evidence, claims) {
        return Err(Reason::Payout(format!("shares are made and paid in {} and {other}", asset.token)));
    }
    let (linear, sum, how) = price(evidence, surface, total, withdrawal, reactions)?;
    let warnings = check_shares(evidence, claims, &linear, &asset.token)?;
    let part = |leaf| Part { leaf, negative: false, scale: 1 };
    let mut candidate = Candidate {
        form: Form::Ratio,
        asset: asset.token,
        assets: linear.parts.clone(),
        claims: vec![part(total)],
        ledger: claims.ledger,
        claim_scale: 1,
        pins: asset.pins.clone(),
        sums: sum.into_iter().cloned().collect(),
        reasons: vec![
            "One word always moved as the sum of the holders' shares did: the supply.".to_owned(),
            how,
        ],
        warnings,
        // Whatever a deposit's size, shares lose at most its fee by it.
        least_threshold_ppm: entry_fee_ppm(evidence, &linear, &total)?.saturating_mul(3),
    };
    let mut views = Vec::new();
    for sum in &candidate.sums {
        views.push(evidence.scene.view.call(&sum.request)?.trace);
    }
    let paid: Vec<&Trace> = withdrawal.iter().map(|withdrawal| &withdrawal.trial.trace).collect();
    candidate.pin(evidence, &views, &paid)?;
    Ok(candidate)
}

/// Largest part of a simulated deposit that made shares without arriving, in 1e-6, rounded up; only
/// deposits on the state as it is count, since there the price of a share is known.
fn entry_fee_ppm(evidence: &Evidence<'_>, assets: &Linear, total: &Leaf) -> Result<u64, Reason> {
    let view = &evidence.scene.view;
    let (held, supply) = (assets.read(view)?, total.read(view)?);
    let mut most = 0;
    for trial in evidence.probes.first_deposits() {
        let made = trial.effect.moved(total);
        let came = sum_moved(assets, &trial.effect);
        if made.is_positive() && came.is_positive() && !supply.is_zero() {
            let worth = size(made).saturating_mul(held) / supply;
            // One share more or less is rounding.
            let missing = worth.saturating_sub(size(came)).saturating_sub(held / supply + U256::from(2));
            let ppm = missing.saturating_mul(U256::from(1_000_000)).div_ceil(worth.max(U256::ONE));
            most = most.max(u64::try_from(ppm).unwrap_or(u64::MAX));
        }
    }
    Ok(most)
}

/// How a sum moved in an effect.
fn sum_moved(assets: &Linear, effect: &Effect) -> I256 {
    assets.parts.iter().fold(I256::ZERO, |sum, part| {
        let one = effect.moved(&part.leaf).saturating_mul(I256::try_from(part.scale).unwrap_or(I256::MAX));
        if part.negative { sum.saturating_sub(one) } else { sum.saturating_add(one) }
    })
}

/// Another asset that came in when shares were made and went out when they were burned.
fn second_asset(evidence: &Evidence<'_>, claims: &Claims) -> Option<alloy::primitives::Address> {
    let also = |asset: usize, rule: fn(&I256) -> bool| {
        let moves = evidence.asset_moves(asset);
        claims.moves.iter().zip(moves).any(|(claim, moved)| rule(claim) && rule(moved))
    };
    let others = (0..evidence.assets.len()).filter(|asset| *asset != claims.asset);
    others
        .into_iter()
        .find(|asset| also(*asset, |m| m.is_positive()) && also(*asset, |m| m.is_negative()))
        .map(|asset| evidence.assets[asset].token)
}

type Price<'a> = (Linear, Option<&'a Sum>, String);

/// What the shares are shares in: a sum that some view shows, or the words that a withdrawal's
/// payment moves with; either must predict what withdrawals pay.
fn price<'a>(
    evidence: &Evidence<'_>,
    surface: &'a Surface,
    total: Leaf,
    withdrawal: Option<&Withdrawal<'_>>,
    reactions: &[(Leaf, super::payout::Reaction)],
) -> Result<Price<'a>, Reason> {
    let sums = surface.sums.iter().filter(|sum| plain(&sum.linear) && sum.linear.single() != Some(total));
    let Some(withdrawal) = withdrawal else {
        for sum in sums {
            if converts(evidence, &sum.linear, &total)? {
                let how = format!("The conversion view prices shares by the sum that {} shows.", sum.name());
                return Ok((sum.linear.clone(), Some(sum), how));
            }
        }
        return Err(Reason::TooLittleSeen("no simulated withdrawal went through, and no view prices shares"));
    };
    for sum in sums {
        if withdrawal.pays_part_of(&sum.linear, &total)? {
            let how =
                format!("Withdrawals pay the shares' part of the sum that the view {} shows.", sum.name());
            return Ok((sum.linear.clone(), Some(sum), how));
        }
    }
    let moving = sum_of(reactions, &total);
    if !moving.parts.is_empty() && withdrawal.pays_part_of(&moving, &total)? {
        let how = "Withdrawals pay the shares' part of the words that move what they pay.".to_owned();
        return Ok((moving, None, how));
    }
    Err(Reason::Payout("no sum of its words predicts what shares are paid".to_owned()))
}

/// A sum a gauge can express: no constant worth mentioning (virtual shares add one unit).
fn plain(linear: &Linear) -> bool {
    linear.constant <= U256::ONE && linear.parts.iter().any(|part| !part.negative)
}

/// Whether the ERC-4626 conversion agrees with a sum over the supply.
fn converts(evidence: &Evidence<'_>, linear: &Linear, total: &Leaf) -> Result<bool, Reason> {
    let view = &evidence.scene.view;
    let (held, supply) = (linear.read(view)?, total.read(view)?);
    let half = supply / U256::from(2);
    let request = CallRequest::new(evidence.scene.subject, words(CONVERT_TO_ASSETS, &[half]));
    let Some(answer) = view.call(&request)?.word() else { return Ok(false) };
    if half.is_zero() || held.is_zero() {
        return Ok(false);
    }
    let expected = held / U256::from(2);
    Ok(expected.abs_diff(answer) <= expected / U256::from(100 / CONVERT_PERCENT))
}

/// Assets must not leave while shares stay: not on the chain, and in simulation not into a booking
/// or a place of the subject's own.
fn check_shares(
    evidence: &Evidence<'_>,
    claims: &Claims,
    assets: &Linear,
    token: &alloy::primitives::Address,
) -> Result<Vec<String>, Reason> {
    let held = assets.read(&evidence.scene.view)?;
    let mut warnings = Vec::new();
    let leaves = |effect: &Effect| {
        let moved = sum_moved(assets, effect);
        moved.is_negative() && size(moved) > held / U256::from(LEAK_DEN)
    };
    for (index, effect) in evidence.effects.iter().enumerate() {
        if !leaves(effect) || !claims.moves[index].is_zero() {
            continue;
        }
        let what = format!("{} {}", effect.origin, effect.selector());
        let to_caller = effect.transfers.iter().any(|t| t.asset == *token && t.to == effect.caller);
        if matches!(effect.origin, Origin::Chain { .. }) || !to_caller {
            return Err(Reason::AssetsMove(what));
        }
        warnings
            .push(format!("Any caller could take assets ({what}); this gauge would measure it as a loss."));
    }
    warnings.extend(evidence.check_privileged(claims, false, leaves)?);
    Ok(warnings)
}

fn geometric(evidence: &Evidence<'_>, pool: Pool) -> Result<(Candidate, Claims), Reason> {
    let part = |leaf| Part { leaf, negative: false, scale: 1 };
    let [first, second] = pool.assets;
    let mut candidate = Candidate {
        form: Form::Geometric,
        asset: evidence.assets[first].token,
        assets: pool.reserves.map(part).to_vec(),
        claims: vec![part(pool.shares)],
        ledger: pool.claims.ledger,
        claim_scale: 1,
        pins: Default::default(),
        sums: Vec::new(),
        reasons: vec![
            format!(
                "Shares are made and burned with two tokens at once, {} and {}.",
                evidence.assets[first].token, evidence.assets[second].token
            ),
            "Two words moved as the token balances did, and no swap lowered their product.".to_owned(),
        ],
        warnings: Vec::new(),
        least_threshold_ppm: 0,
    };
    candidate.pin(evidence, &[], &[])?;
    Ok((candidate, pool.claims))
}
