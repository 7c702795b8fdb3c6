//! Laws on finitely many values.

use super::{LARGEST, positive, within};
use crate::fault::Fault;

/// Finitely many values with their probabilities.
#[derive(Clone, Debug)]
pub(super) struct Points {
    /// Values, ascending, all different.
    pub(super) values: Vec<f64>,
    /// Probability of each.
    pub(super) masses: Vec<f64>,
    /// `P(X > values[i])`, descending to exactly 0.
    pub(super) above: Vec<f64>,
    /// `P(X <= values[i])`.
    pub(super) below: Vec<f64>,
    /// `E[X; X <= values[i]]`.
    pub(super) partial: Vec<f64>,
}

impl Points {
    pub(super) fn new(values: &[f64], weights: Option<&[f64]>) -> Result<Self, Fault> {
        if values.is_empty() {
            return Err(Fault::new("values", "an empirical law has at least one value"));
        }
        if let Some(weights) = weights.filter(|weights| weights.len() != values.len()) {
            let what = format!("there are {} weights for {} values", weights.len(), values.len());
            return Err(Fault::new("weights", what));
        }
        let mut atoms = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            within(&format!("values[{index}]"), *value, 0.0, LARGEST)?;
            let weight = weights.map_or(1.0, |weights| weights[index]);
            positive(&format!("weights[{index}]"), weight, LARGEST)?;
            // Adding zero turns a negative zero into zero.
            atoms.push((*value + 0.0, weight));
        }
        let atoms = merged(atoms);
        let sum: f64 = atoms.iter().map(|atom| atom.1).sum();
        let values: Vec<f64> = atoms.iter().map(|atom| atom.0).collect();
        let masses: Vec<f64> = atoms.iter().map(|atom| atom.1 / sum).collect();
        let mut above = vec![0.0; values.len()];
        for index in (1..values.len()).rev() {
            above[index - 1] = above[index] + masses[index];
        }
        let below = running(masses.iter().copied());
        let partial = running(values.iter().zip(&masses).map(|(value, mass)| value * mass));
        Ok(Self { values, masses, above, below, partial })
    }

    /// How many values are at or below `x`.
    pub(super) fn count(&self, x: f64) -> usize {
        self.values.partition_point(|value| *value <= x)
    }

    pub(super) fn survival(&self, x: f64) -> f64 {
        match self.count(x) {
            0 => 1.0,
            count => self.above[count - 1],
        }
    }

    pub(super) fn between(&self, low: f64, high: f64) -> f64 {
        let (first, last) = (self.count(low), self.count(high));
        let mut from = low;
        let mut sum = 0.0;
        for index in first..=last {
            let to = if index == last { high } else { self.values[index] };
            let above = if index == 0 { 1.0 } else { self.above[index - 1] };
            if above > 0.0 {
                sum += (to - from) * above;
            }
            from = to;
        }
        sum
    }
}

fn running(terms: impl Iterator<Item = f64>) -> Vec<f64> {
    terms
        .scan(0.0, |sum, term| {
            *sum += term;
            Some(*sum)
        })
        .collect()
}

/// Atoms in ascending order, those at one value as one.
pub(super) fn merged(mut atoms: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    atoms.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut out: Vec<(f64, f64)> = Vec::with_capacity(atoms.len());
    for atom in atoms {
        match out.last_mut() {
            Some(last) if last.0 == atom.0 => last.1 += atom.1,
            _ => out.push(atom),
        }
    }
    out
}
