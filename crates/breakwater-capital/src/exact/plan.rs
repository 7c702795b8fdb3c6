//! Which lattice a model is put on: its step, its length, and what is too large for one.

use rayon::prelude::*;

use super::{
    BEYOND, Options, claims,
    lattice::Lattice,
    length, scene,
    scene::Payouts,
    sources::Source,
    transform::{Fourier, MOST_POINTS},
};
use crate::{
    fault::Fault,
    model::{Model, Product, Terms},
    portfolio::Regime,
};

/// The most points of a lattice, and of all products' payouts together, whose step was not asked for.
const COMFORTABLE: (f64, f64) = (1_048_576.0, 16_777_216.0);
/// The most there are whose step was: about a gigabyte each.
const MOST: (f64, f64) = (MOST_POINTS as f64, 134_217_728.0);

/// Payouts of each state of the market, and the length of the lattice in points.
///
/// # Errors
/// A step or a length asked for that is too small, or amounts and rates that leave nothing to choose.
pub(super) fn lattice(
    model: &Model,
    options: &Options,
    regimes: &[&Regime],
) -> Result<(Vec<Payouts>, usize), Fault> {
    let most = if options.step.is_some() { MOST } else { COMFORTABLE };
    // Points of all payouts and of the longest one are known before any is computed.
    let (sum, largest, count) = extent(model, regimes);
    let mut step = match options.step {
        Some(step) => step,
        None => round_up(options.tolerance * deviation(model, regimes)).max(round_up(1.5 * sum / most.1)),
    };
    // Beyond these, rates and amounts are such that their products are no numbers any more.
    if !(step > 1e-200 && step < 1e200) {
        let what =
            format!("{step:e}; the portfolio leaves no step to choose; it must be from 1e-200 to 1e200");
        return Err(Fault::new("step", what));
    }
    let payout_points = sum / step + count;
    if payout_points > MOST.1 {
        let what =
            format!("{step:e}; all payouts would have {payout_points:e} points; the most is {:e}", MOST.1);
        return Err(Fault::new("step", what));
    }
    // A step that was not asked for grows once if the lattice is too long; its own part in the length is small.
    for _ in 0..4 {
        let needed = if largest > 0.0 { needed(model, regimes, step, largest)? } else { 0.0 };
        if let Some(length) = options.length.filter(|length| *length < needed) {
            let what = format!(
                "{length}; more than {BEYOND:e} of the years may lose more; it must be at least {needed}"
            );
            return Err(Fault::new("length", what));
        }
        let wanted = options.length.unwrap_or(needed);
        let points = wanted / step + 2.0;
        if points <= most.0 {
            let payouts =
                regimes.iter().map(|regime| Payouts::new(model, regime, step, usize::MAX)).collect();
            return Ok((payouts, Fourier::good_length(points as usize)));
        }
        if options.step.is_some() {
            let what = format!(
                "{step:e}; a lattice up to {wanted} would have {points:e} points; the most is {:e}",
                most.0
            );
            return Err(Fault::new("step", what));
        }
        step = round_up(1.5 * wanted / most.0).max(2.5 * step);
    }
    Err(Fault::new("length", "no lattice of a million points is long enough; name a step"))
}

/// The length by Chernoff's bound, over all states of the market.
fn needed(model: &Model, regimes: &[&Regime], step: f64, largest: f64) -> Result<f64, Fault> {
    let streams = scene::streams(model);
    let mut needed = 0.0_f64;
    for &regime in regimes {
        let sketches = sketches(model, regime, step);
        let cumulant = |theta: f64| {
            let mgfs: Vec<f64> = sketches.iter().map(|sketch| mgf(sketch, theta)).collect();
            cumulant(model, regime, &streams, &mgfs)
        };
        needed = needed.max(length::length(1.0 / largest, cumulant)?);
    }
    Ok(needed)
}

/// What `exp(theta S)` averages to for the year's sum, as a logarithm, if it averages to `mgfs` for single claims.
fn cumulant(model: &Model, regime: &Regime, streams: &[(Option<f64>, Vec<usize>)], mgfs: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (shape, products) in streams {
        let rate_of = |product: &usize| model.products[*product].rate * regime.hazard;
        let source = Source { shape: *shape, rate: products.iter().map(rate_of).sum(), measure: vec![] };
        sum += source.cumulant(products.iter().map(|product| rate_of(product) * mgfs[*product]).sum());
    }
    for cluster in &model.clusters {
        let rate = cluster.rate * regime.hazard;
        let one: f64 = cluster.members.iter().map(|m| libm::log1p(m.hit * (mgfs[m.product] - 1.0))).sum();
        sum += Source { shape: cluster.posterior, rate, measure: vec![] }.cumulant(rate * libm::exp(one));
    }
    if sum.is_nan() { f64::INFINITY } else { sum }
}

/// Every product's payout on a coarse lattice of its own, of at least this step.
///
/// Spreading an amount to two points can only raise what a convex function of it averages to, so that a bound on the
/// sketch holds for the payout, and for its finer lattice.
fn sketches(model: &Model, regime: &Regime, least_step: f64) -> Vec<Lattice> {
    const CELLS: usize = 64;
    let terms = scene::terms(model, regime);
    let sketch = |(product, terms): (&Product, &Terms)| {
        let law = &model.severities[product.severity];
        let step = (claims::largest(law, terms) / CELLS as f64).max(least_step);
        Lattice::new(step, claims::masses(law, terms, step, CELLS + 2))
    };
    model.products.par_iter().zip(&terms).map(sketch).collect()
}

/// `E[exp(theta X)]`.
fn mgf(sketch: &Lattice, theta: f64) -> f64 {
    let growth = libm::exp(theta * sketch.step());
    // From the top down, so that no power overflows before its mass has met it.
    sketch.masses().iter().rev().fold(0.0, |sum, mass| sum * growth + mass)
}

/// The sum of the most that each product pays, over all states of the market; the most of any; and how many there are.
fn extent(model: &Model, regimes: &[&Regime]) -> (f64, f64, f64) {
    let (mut sum, mut largest, mut count) = (0.0, 0.0_f64, 0.0);
    for regime in regimes {
        for (product, terms) in model.products.iter().zip(&scene::terms(model, regime)) {
            let most = claims::largest(&model.severities[product.severity], terms);
            sum += most;
            largest = largest.max(most);
            count += 1.0;
        }
    }
    (sum, largest, count)
}

/// About the standard deviation of the year's gross loss, from payouts on coarse lattices.
fn deviation(model: &Model, regimes: &[&Regime]) -> f64 {
    let streams = scene::streams(model);
    let mut worst = 0.0_f64;
    for &regime in regimes {
        let moments: Vec<(f64, f64)> = sketches(model, regime, f64::MIN_POSITIVE)
            .iter()
            .map(|claim| (claim.mean(), claim.expect(|x| x * x)))
            .collect();
        let mut variance = 0.0;
        for (shape, products) in &streams {
            let rate = |p: &usize| model.products[*p].rate * regime.hazard;
            let mean: f64 = products.iter().map(|p| rate(p) * moments[*p].0).sum();
            variance += products.iter().map(|p| rate(p) * moments[*p].1).sum::<f64>();
            variance += shape.map_or(0.0, |shape| mean * mean / shape);
        }
        for cluster in &model.clusters {
            let rate = cluster.rate * regime.hazard;
            let mean: f64 = cluster.members.iter().map(|m| m.hit * moments[m.product].0).sum();
            let spread = |hit: f64, (first, second): (f64, f64)| hit * second - hit * hit * first * first;
            let own: f64 = cluster.members.iter().map(|m| spread(m.hit, moments[m.product])).sum();
            variance +=
                rate * (own + mean * mean) + cluster.posterior.map_or(0.0, |s| rate * mean * rate * mean / s);
        }
        worst = worst.max(variance);
    }
    if worst > 0.0 { worst.sqrt() } else { 1.0 }
}

/// The first of the numbers 1, 2 and 5 times a power of ten at or above `x`, or within a fiftieth below it.
fn round_up(x: f64) -> f64 {
    if !(x > 0.0 && x.is_finite()) {
        return x;
    }
    let power = libm::pow(10.0, libm::floor(libm::log10(x)));
    let digit = x / power;
    let round = [1.0, 2.0, 5.0].into_iter().find(|round| digit <= round * 1.02).unwrap_or(10.0);
    round * power
}
