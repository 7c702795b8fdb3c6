//! Laws of the share lost, compiled: survival, quantiles and limited means in closed form where there is one.
//!
//! Everything is said from above, as `P(X > x)` and its inverse, for it is large losses that need the digits.

mod gpd;
mod node;
mod points;
mod splice;

use self::{node::Node, points::merged};
use crate::{fault::Fault, portfolio::Severity};

/// Amounts above this are refused, so that nothing computed from them overflows.
const LARGEST: f64 = 1e100;

/// A severity ready for use.
///
/// ```
/// use breakwater_capital::{portfolio::{Law, Severity}, severity::Distribution};
///
/// let law = Law::Gpd { location: 0.0, xi: 0.5, scale: 0.2 };
/// let share = Distribution::new(&Severity { id: "share".into(), cap: Some(1.0), law })?;
/// assert_eq!(share.upper_quantile(0.0), 1.0);
/// assert_eq!(share.survival(1.0), 0.0);
/// # Ok::<(), breakwater_capital::Fault>(())
/// ```
#[derive(Clone, Debug)]
pub struct Distribution {
    node: Node,
    cap: f64,
    mean: f64,
    max: f64,
}

impl Distribution {
    /// Compiles a severity.
    ///
    /// # Errors
    /// A parameter out of its range, a splice with an impossible side, an infinite mean without a cap; `at` of the
    /// fault is the path inside the severity, such as `law.body.sigma`.
    pub fn new(severity: &Severity) -> Result<Self, Fault> {
        let node = Node::new(&severity.law, 0).map_err(|fault| fault.within("law"))?;
        let cap = match severity.cap {
            Some(cap) if cap > 0.0 && cap <= LARGEST => cap,
            Some(cap) => {
                return Err(Fault::new(
                    "cap",
                    format!("a cap is positive and at most {LARGEST:e}, not {cap}"),
                ));
            }
            None => f64::INFINITY,
        };
        let mean = node.limited_mean(cap);
        if !mean.is_finite() {
            return Err(Fault::new(
                "cap",
                "the mean of this law is infinite, so the severity must name a cap",
            ));
        }
        let max = node.support().last().map_or(0.0, |last| last.1).min(cap);
        Ok(Self { node, cap, mean, max })
    }

    /// `P(X > x)`, continuous from the right; 0 from the cap on.
    pub fn survival(&self, x: f64) -> f64 {
        if x >= self.max { 0.0 } else { self.node.survival(x) }
    }

    /// The smallest `x` with `P(X > x) <= v`, for `v` in [0, 1]: the largest value at 0, the smallest at 1.
    pub fn upper_quantile(&self, v: f64) -> f64 {
        if v <= 0.0 { self.max } else { self.node.upper_quantile(v.min(1.0)).min(self.max) }
    }

    /// `E[min(X, x)]`.
    pub fn limited_mean(&self, x: f64) -> f64 {
        if x <= 0.0 {
            0.0
        } else if x >= self.max {
            self.mean
        } else {
            self.node.limited_mean(x)
        }
    }

    /// `E[min(X, high)] - E[min(X, low)]`, for `low <= high`, without the cancellation far in the tail.
    pub fn layer_mean(&self, low: f64, high: f64) -> f64 {
        let (low, high) = (low.max(0.0), high.min(self.max));
        if low >= high { 0.0 } else { self.node.between(low, high) }
    }

    /// `E[X]`.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The largest value; infinite where there is none.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// Values of positive probability and their probabilities, ascending.
    pub fn atoms(&self) -> Vec<(f64, f64)> {
        let mut atoms = Vec::new();
        self.node.atoms(1.0, &mut atoms);
        let mut atoms = merged(atoms);
        if self.cap < f64::INFINITY {
            let on_cap: f64 = atoms.iter().filter(|atom| atom.0 == self.cap).map(|atom| atom.1).sum();
            let mass = on_cap + self.node.survival(self.cap);
            atoms.retain(|atom| atom.0 < self.cap);
            if mass > 0.0 {
                atoms.push((self.cap, mass));
            }
        }
        atoms
    }

    /// The `v` in (0, 1) at which [`Self::upper_quantile`] jumps, ascending: no table may interpolate across one.
    pub fn jumps(&self) -> Vec<f64> {
        let support = self.node.support();
        let mut jumps: Vec<f64> = support
            .windows(2)
            .filter(|pair| pair[0].1 < self.cap)
            .map(|pair| self.node.survival(pair[0].1))
            .filter(|v| *v > 0.0 && *v < 1.0)
            .collect();
        jumps.sort_by(f64::total_cmp);
        jumps.dedup();
        jumps
    }
}

fn within(at: &str, x: f64, low: f64, high: f64) -> Result<f64, Fault> {
    if x >= low && x <= high {
        Ok(x)
    } else {
        Err(Fault::new(at, format!("is from {low} to {high:e}, not {x}")))
    }
}

fn positive(at: &str, x: f64, high: f64) -> Result<f64, Fault> {
    if x >= 1.0 / LARGEST && x <= high {
        Ok(x)
    } else {
        Err(Fault::new(at, format!("is positive and at most {high:e}, not {x}")))
    }
}
