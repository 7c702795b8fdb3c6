//! Panjer's recursion: the same compounds by another way, so that one checks the other.

use crate::fault::Fault;

/// A count whose probabilities obey `p(n) = (a + b / n) p(n - 1)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Count {
    /// Poisson with this mean.
    Poisson(f64),
    /// Negative binomial: Poisson whose rate is gamma with this mean and shape.
    NegativeBinomial {
        /// Mean.
        mean: f64,
        /// Shape of the gamma law.
        shape: f64,
    },
    /// Binomial.
    Binomial {
        /// How many trials.
        trials: u32,
        /// Probability of each.
        probability: f64,
    },
}

impl Count {
    fn constants(self) -> Result<(f64, f64), Fault> {
        let good = |x: f64| x > 0.0 && x.is_finite();
        match self {
            Self::Poisson(mean) if good(mean) => Ok((0.0, mean)),
            Self::NegativeBinomial { mean, shape } if good(mean) && good(shape) => {
                let a = mean / (mean + shape);
                Ok((a, (shape - 1.0) * a))
            }
            Self::Binomial { trials, probability } if probability > 0.0 && probability < 1.0 => {
                let odds = probability / (1.0 - probability);
                Ok((-odds, (f64::from(trials) + 1.0) * odds))
            }
            bad => Err(Fault::new("count", format!("has positive, finite parameters, not {bad:?}"))),
        }
    }

    /// Probability generating function on the real line.
    fn pgf(self, z: f64) -> f64 {
        match self {
            Self::Poisson(mean) => libm::exp(mean * (z - 1.0)),
            Self::NegativeBinomial { mean, shape } => {
                libm::exp(-shape * libm::log1p(mean / shape * (1.0 - z)))
            }
            Self::Binomial { trials, probability } => {
                libm::exp(f64::from(trials) * libm::log1p(probability * (z - 1.0)))
            }
        }
    }
}

/// Masses `0..points` of the sum of `count` claims. The work grows with `points` times the claim's length.
///
/// # Errors
/// Parameters out of range, a claim without masses, or a count so large that the recursion's start underflows.
pub fn panjer(count: Count, claim: &[f64], points: usize) -> Result<Vec<f64>, Fault> {
    let (a, b) = count.constants()?;
    let Some(&none) = claim.first() else {
        return Err(Fault::new("claim", "has at least one mass"));
    };
    if claim.iter().any(|mass| !(*mass >= 0.0 && *mass <= 1.0)) {
        return Err(Fault::new("claim", "has masses from 0 to 1"));
    }
    let start = count.pgf(none);
    if start < 1e-290 {
        return Err(Fault::new("count", format!("is too large: no claim at all has probability {start:e}")));
    }
    let mut sums = Vec::with_capacity(points);
    for s in 0..points {
        if s == 0 {
            sums.push(start);
            continue;
        }
        let reach = s.min(claim.len() - 1);
        let mut sum = 0.0;
        for k in 1..=reach {
            sum += (a + b * k as f64 / s as f64) * claim[k] * sums[s - k];
        }
        sums.push(sum / (1.0 - a * none));
    }
    Ok(sums)
}
