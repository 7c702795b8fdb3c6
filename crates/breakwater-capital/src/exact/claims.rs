//! Payouts of single claims, on the lattice.

use crate::{model::Terms, severity::Distribution};

/// The most that one claim pays.
pub(super) fn largest(law: &Distribution, terms: &Terms) -> f64 {
    (terms.slope * law.max() - terms.intercept).clamp(0.0, terms.limit)
}

/// `E[(payout - y)+]`, where `payout` is at most `largest`: relative digits stay far in the tail.
fn excess(law: &Distribution, terms: &Terms, y: f64, largest: f64) -> f64 {
    let share = |y: f64| (y + terms.intercept) / terms.slope;
    if y >= largest { 0.0 } else { terms.slope * law.layer_mean(share(y), share(largest)) }
}

/// Probability that a claim pays more than `y`, in closed form.
pub(super) fn survival(law: &Distribution, terms: &Terms, y: f64) -> f64 {
    if y >= terms.limit { 0.0 } else { law.survival((y + terms.intercept) / terms.slope) }
}

/// Masses of the payout on `0, step, 2 step, …`, at most `most` of them; what is beyond the last is left out.
///
/// Each amount between two points goes to both in the proportion that keeps its mean, so that the mean, and every layer
/// between two points, is what it is without the lattice.
pub fn masses(law: &Distribution, terms: &Terms, step: f64, most: usize) -> Vec<f64> {
    let largest = largest(law, terms);
    // A billionth of a step too much is rounding and not a further point.
    let cells = (largest / step - 1e-9).ceil().max(0.0);
    let points = if cells < most as f64 { cells as usize + 1 } else { most };
    if largest <= 0.0 {
        return vec![1.0];
    }
    let mut masses = Vec::with_capacity(points);
    // What the payout's survival integrates to over the cell before the point, per step.
    let (mut before, mut beyond) = (1.0, excess(law, terms, 0.0, largest));
    for k in 1..=points {
        let next = excess(law, terms, k as f64 * step, largest);
        let cell = (beyond - next) / step;
        masses.push((before - cell).max(0.0));
        (before, beyond) = (cell, next);
    }
    masses
}
