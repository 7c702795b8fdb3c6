//! How long the lattice must be: Chernoff's bound on what is beyond it.

use crate::fault::Fault;

/// The most probability that may lie beyond the lattice.
pub const BEYOND: f64 = 1e-12;

/// The least `x` for which Chernoff's bound puts at most [`BEYOND`] above `x`, to a few percent.
///
/// `cumulant` is `ln E[exp(theta S)]`, infinite where that is.
///
/// # Errors
/// If no positive `theta` has a finite cumulant, so that the bound says nothing.
pub(super) fn length(start: f64, cumulant: impl Fn(f64) -> f64) -> Result<f64, Fault> {
    let needed = -libm::log(BEYOND);
    let bound = |ln_theta: f64| {
        let theta = libm::exp(ln_theta);
        let value = cumulant(theta);
        if value.is_finite() { (value + needed) / theta } else { f64::INFINITY }
    };
    let mut middle = libm::log(start);
    let mut best = bound(middle);
    // Down until the bound is finite, then to the lowest of the powers of two.
    for _ in 0..200 {
        if best.is_finite() {
            break;
        }
        middle -= core::f64::consts::LN_2;
        best = bound(middle);
    }
    if !best.is_finite() {
        return Err(Fault::new(
            "portfolio",
            "the year's loss has no exponential moment, so no lattice is long enough",
        ));
    }
    for direction in [1.0, -1.0] {
        for _ in 0..200 {
            let next = middle + direction * core::f64::consts::LN_2;
            let value = bound(next);
            if value >= best {
                break;
            }
            (middle, best) = (next, value);
        }
    }
    let golden = 0.618_033_988_749_894_9;
    let (mut low, mut high) = (middle - core::f64::consts::LN_2, middle + core::f64::consts::LN_2);
    for _ in 0..7 {
        let (a, b) = (high - golden * (high - low), low + golden * (high - low));
        let (at_a, at_b) = (bound(a), bound(b));
        best = best.min(at_a).min(at_b);
        if at_a < at_b {
            high = b;
        } else {
            low = a;
        }
    }
    Ok(best)
}
