//! Payouts of single claims, on the lattice.

use crate::{model::Terms, severity::Distribution};

/// The most that one claim pays.
pub(super) fn largest(law: &Distribution, terms: &Terms) -> f64 {
    (terms.slope * law.max() - terms.intercept).clamp(0.0, terms.limit)
}

/// `E[min(payout, y)]`.
fn limited_payout(law: &Distribution, terms: &Terms, y: f64) -> f64 {
    let from = terms.intercept / terms.slope;
    terms.slope * law.layer_mean(from, (y + terms.intercept) / terms.slope)
}

/// Probability that a claim pays more than `y`, in closed form.
pub(super) fn survival(law: &Distribution, terms: &Terms, y: f64) -> f64 {
    if y >= terms.limit { 0.0 } else { law.survival((y + terms.intercept) / terms.slope) }
}

/// Masses of the payout on `0, step, 2 step, …`, at most `most` of them.
///
/// Each amount between two points goes to both in the proportion that keeps its mean, so that the mean, and every layer
/// between two points, is what it is without the lattice.
pub(super) fn masses(law: &Distribution, terms: &Terms, step: f64, most: usize) -> Vec<f64> {
    let largest = largest(law, terms);
    // A billionth of a step too much is rounding and not a further point.
    let cells = (largest / step - 1e-9).ceil().max(0.0);
    let points = if cells < most as f64 { cells as usize + 1 } else { most };
    if largest <= 0.0 {
        return vec![1.0];
    }
    let at = |k: usize| {
        let y = k as f64 * step;
        if y >= largest { limited_payout(law, terms, largest) } else { limited_payout(law, terms, y) }
    };
    let mut masses = Vec::with_capacity(points);
    // Slope of the limited mean in the cell before the point.
    let (mut slope, mut value) = (1.0, 0.0);
    for k in 0..points {
        let next_value = at(k + 1);
        let next = (next_value - value) / step;
        masses.push((slope - next).max(0.0));
        (slope, value) = (next, next_value);
    }
    masses
}
