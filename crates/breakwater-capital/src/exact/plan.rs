//! Which lattice a model is put on: its step, its length, and what is too large for one.

use super::{
    BEYOND, Options, claims,
    lattice::Lattice,
    length, scene,
    scene::Payouts,
    transform::{Fourier, MOST_POINTS},
};
use crate::{fault::Fault, model::Model, portfolio::Regime};

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
    // The length hardly depends on the step, so that one more step is enough; ten are never needed.
    for _ in 0..10 {
        let payouts: Vec<Payouts> =
            regimes.iter().map(|regime| Payouts::new(model, regime, step, usize::MAX)).collect();
        let mut needed = 0.0_f64;
        if largest > 0.0 {
            for (regime, payouts) in regimes.iter().zip(&payouts) {
                needed = needed
                    .max(length::length(1.0 / largest, |theta| payouts.cumulant(model, regime, theta))?);
            }
        }
        if let Some(length) = options.length.filter(|length| *length < needed) {
            let what = format!(
                "{length}; more than {BEYOND:e} of the years may lose more; it must be at least {needed}"
            );
            return Err(Fault::new("length", what));
        }
        let wanted = options.length.unwrap_or(needed);
        let points = wanted / step + 2.0;
        if points <= most.0 {
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
    const CELLS: f64 = 32.0;
    let mut worst = 0.0_f64;
    for &regime in regimes {
        let terms = scene::terms(model, regime);
        let moments: Vec<(f64, f64)> = model
            .products
            .iter()
            .zip(&terms)
            .map(|(product, terms)| {
                let law = &model.severities[product.severity];
                let step = claims::largest(law, terms) / CELLS;
                if step <= 0.0 {
                    return (0.0, 0.0);
                }
                let claim = Lattice::new(step, claims::masses(law, terms, step, CELLS as usize + 2));
                (claim.mean(), claim.expect(|x| x * x))
            })
            .collect();
        let mut variance = 0.0;
        for (shape, products) in scene::streams(model) {
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
