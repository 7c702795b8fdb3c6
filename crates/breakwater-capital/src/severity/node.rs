//! Laws with their parameters checked and their constants computed.

use super::{
    LARGEST,
    gpd::{gpd_age, gpd_at_age, gpd_integral},
    points::Points,
    positive,
    splice::Splice,
    within,
};
use crate::{
    fault::Fault,
    portfolio::Law,
    special::{
        beta_both, beta_quantile, beta_upper_quantile, check_shape, gamma_both, gamma_quantile,
        gamma_upper_quantile, normal_cdf, normal_quantile, normal_upper, normal_upper_quantile,
    },
};

/// Laws within laws beyond this depth are refused.
const DEEPEST: usize = 16;

/// A law with its parameters checked and its constants computed.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Lognormal { mu: f64, sigma: f64, mean: f64 },
    Beta { alpha: f64, beta: f64 },
    Gamma { shape: f64, scale: f64 },
    Gpd { location: f64, xi: f64, scale: f64 },
    Uniform { low: f64, high: f64 },
    Points(Points),
    Splice(Box<Splice>),
    Mixture(Vec<(f64, Node)>),
}

impl Node {
    pub(super) fn new(law: &Law, depth: usize) -> Result<Self, Fault> {
        if depth > DEEPEST {
            return Err(Fault::new("", format!("laws are nested more than {DEEPEST} deep")));
        }
        match law {
            Law::Lognormal { mu, sigma } => {
                within("mu", *mu, -200.0, 200.0)?;
                positive("sigma", *sigma, 30.0)?;
                Ok(Self::Lognormal { mu: *mu, sigma: *sigma, mean: libm::exp(mu + 0.5 * sigma * sigma) })
            }
            Law::Beta { alpha, beta } => {
                Ok(Self::Beta { alpha: check_shape("alpha", *alpha)?, beta: check_shape("beta", *beta)? })
            }
            Law::Gamma { shape, scale } => Ok(Self::Gamma {
                shape: check_shape("shape", *shape)?,
                scale: positive("scale", *scale, LARGEST)?,
            }),
            Law::Gpd { location, xi, scale } => Ok(Self::Gpd {
                location: within("location", *location, 0.0, LARGEST)?,
                xi: within("xi", *xi, -50.0, 50.0)?,
                scale: positive("scale", *scale, LARGEST)?,
            }),
            Law::Uniform { low, high } => {
                within("low", *low, 0.0, LARGEST)?;
                within("high", *high, 0.0, LARGEST)?;
                if high <= low {
                    return Err(Fault::new(
                        "high",
                        format!("must be above low, which is {low}, and is {high}"),
                    ));
                }
                positive("high", high - low, LARGEST)?;
                Ok(Self::Uniform { low: *low, high: *high })
            }
            Law::Empirical { values, weights } => Points::new(values, weights.as_deref()).map(Self::Points),
            Law::Degenerate { value } => {
                within("value", *value, 0.0, LARGEST)?;
                Points::new(&[*value], None).map(Self::Points)
            }
            Law::Splice { at, body_weight, body, tail } => Splice::node(*at, *body_weight, body, tail, depth),
            Law::Mixture { parts } => Self::mixture(parts, depth),
        }
    }

    pub(super) fn mixture(parts: &[crate::portfolio::Part], depth: usize) -> Result<Self, Fault> {
        if parts.is_empty() {
            return Err(Fault::new("parts", "a mixture has at least one part"));
        }
        let mut nodes = Vec::with_capacity(parts.len());
        let mut sum = 0.0;
        for (index, part) in parts.iter().enumerate() {
            let place = format!("parts[{index}]");
            positive("weight", part.weight, LARGEST).map_err(|fault| fault.within(&place))?;
            let node =
                Self::new(&part.law, depth + 1).map_err(|fault| fault.within(&format!("{place}.law")))?;
            sum += part.weight;
            nodes.push((part.weight, node));
        }
        for (weight, _) in &mut nodes {
            *weight /= sum;
        }
        Ok(Self::Mixture(nodes))
    }

    /// `P(X > x)`.
    pub(super) fn survival(&self, x: f64) -> f64 {
        if x < 0.0 {
            return 1.0;
        }
        match self {
            Self::Lognormal { mu, sigma, .. } => {
                if x <= 0.0 {
                    1.0
                } else {
                    normal_upper((libm::log(x) - mu) / sigma)
                }
            }
            Self::Beta { alpha, beta } => beta_both(*alpha, *beta, x, 1.0 - x).1,
            Self::Gamma { shape, scale } => gamma_both(*shape, x / scale).1,
            Self::Gpd { location, xi, scale } => {
                if x <= *location {
                    1.0
                } else {
                    libm::exp(-gpd_age(*xi, (x - location) / scale))
                }
            }
            Self::Uniform { low, high } => ((high - x) / (high - low)).clamp(0.0, 1.0),
            Self::Points(points) => points.survival(x),
            Self::Splice(splice) => splice.survival(x),
            Self::Mixture(parts) => parts.iter().map(|(weight, part)| weight * part.survival(x)).sum(),
        }
    }

    /// `P(X <= x)`, to full relative accuracy near 0 too.
    pub(super) fn below(&self, x: f64) -> f64 {
        if x < 0.0 {
            return 0.0;
        }
        match self {
            Self::Lognormal { mu, sigma, .. } => {
                if x <= 0.0 {
                    0.0
                } else {
                    normal_cdf((libm::log(x) - mu) / sigma)
                }
            }
            Self::Beta { alpha, beta } => beta_both(*alpha, *beta, x, 1.0 - x).0,
            Self::Gamma { shape, scale } => gamma_both(*shape, x / scale).0,
            Self::Gpd { location, xi, scale } => {
                if x <= *location {
                    0.0
                } else {
                    -libm::expm1(-gpd_age(*xi, (x - location) / scale))
                }
            }
            Self::Uniform { low, high } => ((x - low) / (high - low)).clamp(0.0, 1.0),
            Self::Points(points) => match points.count(x) {
                0 => 0.0,
                count => points.below[count - 1],
            },
            Self::Splice(splice) => {
                if x <= splice.at {
                    splice.body_weight * splice.body.below(x) / splice.body_below
                } else {
                    1.0 - splice.survival(x)
                }
            }
            Self::Mixture(parts) => parts.iter().map(|(weight, part)| weight * part.below(x)).sum(),
        }
    }

    /// `E[X; X <= x]`.
    pub(super) fn partial(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return 0.0;
        }
        match self {
            Self::Lognormal { mu, sigma, mean } => mean * normal_cdf((libm::log(x) - mu) / sigma - sigma),
            Self::Beta { alpha, beta } => {
                alpha / (alpha + beta) * beta_both(alpha + 1.0, *beta, x, 1.0 - x).0
            }
            Self::Gamma { shape, scale } => shape * scale * gamma_both(shape + 1.0, x / scale).0,
            Self::Uniform { low, high } => {
                let top = x.clamp(*low, *high);
                0.5 * (top - low) * (top + low) / (high - low)
            }
            Self::Points(points) => match points.count(x) {
                0 => 0.0,
                count => points.partial[count - 1],
            },
            Self::Mixture(parts) => parts.iter().map(|(weight, part)| weight * part.partial(x)).sum(),
            Self::Gpd { .. } | Self::Splice(_) => self.limited_mean(x) - finite_product(x, self.survival(x)),
        }
    }

    /// `E[X; X > x]`, for laws where [`Self::between`] has nothing better.
    pub(super) fn partial_above(&self, x: f64) -> f64 {
        match self {
            Self::Lognormal { mu, sigma, mean } if x > 0.0 => {
                mean * normal_upper((libm::log(x) - mu) / sigma - sigma)
            }
            Self::Lognormal { mean, .. } => *mean,
            Self::Beta { alpha, beta } => {
                alpha / (alpha + beta) * beta_both(alpha + 1.0, *beta, x, 1.0 - x).1
            }
            Self::Gamma { shape, scale } => shape * scale * gamma_both(shape + 1.0, x / scale).1,
            _ => self.limited_mean(f64::INFINITY) - self.partial(x),
        }
    }

    /// `E[min(X, x)]`; infinite at infinity where the mean is.
    pub(super) fn limited_mean(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return 0.0;
        }
        match self {
            Self::Gpd { location, .. } => {
                if x <= *location {
                    x
                } else {
                    location + self.between(*location, x)
                }
            }
            Self::Splice(splice) => splice.limited_mean(x),
            Self::Mixture(parts) => parts.iter().map(|(weight, part)| weight * part.limited_mean(x)).sum(),
            _ => self.partial(x) + finite_product(x, self.survival(x)),
        }
    }

    /// The integral of the survival function from `low` to `high`, `0 <= low <= high`.
    pub(super) fn between(&self, low: f64, high: f64) -> f64 {
        if low >= high {
            return 0.0;
        }
        match self {
            Self::Gpd { location, xi, scale } => {
                let plain = (location.min(high) - low).max(0.0);
                let (from, to) = ((low - location).max(0.0) / scale, (high - location).max(0.0) / scale);
                let (young, old) = (gpd_age(*xi, from), gpd_age(*xi, to));
                plain + scale * gpd_integral(*xi, young, old)
            }
            Self::Lognormal { .. } | Self::Beta { .. } | Self::Gamma { .. } => {
                let beyond = |x: f64| self.partial_above(x) - finite_product(x, self.survival(x));
                let difference = if self.survival(low) < 0.5 {
                    beyond(low) - if high == f64::INFINITY { 0.0 } else { beyond(high) }
                } else {
                    self.limited_mean(high) - self.limited_mean(low)
                };
                difference.max(0.0)
            }
            Self::Uniform { low: a, high: b } => {
                let plain = (a.min(high) - low).max(0.0);
                let (from, to) = (low.clamp(*a, *b), high.clamp(*a, *b));
                plain + (to - from) * (b - 0.5 * (from + to)) / (b - a)
            }
            Self::Splice(splice) => splice.between(low, high),
            Self::Mixture(parts) => parts.iter().map(|(weight, part)| weight * part.between(low, high)).sum(),
            Self::Points(points) => points.between(low, high),
        }
    }

    /// The smallest `x` with `P(X > x) <= v`, `v` in [0, 1].
    pub(super) fn upper_quantile(&self, v: f64) -> f64 {
        let support_edge = |last: bool| {
            let support = self.support();
            if last { support.last() } else { support.first() }
                .map_or(0.0, |edge| if last { edge.1 } else { edge.0 })
        };
        if v <= 0.0 {
            return support_edge(true);
        }
        if v >= 1.0 {
            return support_edge(false);
        }
        match self {
            Self::Lognormal { mu, sigma, .. } => libm::exp(mu + sigma * normal_upper_quantile(v)),
            Self::Beta { alpha, beta } => beta_upper_quantile(*alpha, *beta, v),
            Self::Gamma { shape, scale } => scale * gamma_upper_quantile(*shape, v),
            Self::Gpd { location, xi, scale } => location + scale * gpd_at_age(*xi, -libm::log(v)),
            Self::Uniform { low, high } => high - v * (high - low),
            Self::Points(points) => points.values[points.above.partition_point(|above| *above > v)],
            Self::Splice(splice) => splice.upper_quantile(v),
            Self::Mixture(parts) => {
                let ends = parts.iter().map(|(_, part)| part.upper_quantile(v));
                bisect(ends, |x| self.survival(x) <= v)
            }
        }
    }

    /// The smallest `x` with `P(X <= x) >= u`, `u` in [0, 1]: as [`Self::upper_quantile`], accurate for small `u`.
    pub(super) fn lower_quantile(&self, u: f64) -> f64 {
        if u <= 0.0 || u >= 1.0 {
            return self.upper_quantile(1.0 - u);
        }
        match self {
            Self::Lognormal { mu, sigma, .. } => libm::exp(mu + sigma * normal_quantile(u)),
            Self::Beta { alpha, beta } => beta_quantile(*alpha, *beta, u),
            Self::Gamma { shape, scale } => scale * gamma_quantile(*shape, u),
            Self::Gpd { location, xi, scale } => location + scale * gpd_at_age(*xi, -libm::log1p(-u)),
            Self::Uniform { low, high } => low + u * (high - low),
            Self::Mixture(parts) => {
                let ends = parts.iter().map(|(_, part)| part.lower_quantile(u));
                bisect(ends, |x| self.below(x) >= u)
            }
            Self::Points(_) => self.upper_quantile(1.0 - u),
            Self::Splice(splice) if u < splice.body_weight => splice.body_quantile(u / splice.body_weight),
            Self::Splice(_) => self.upper_quantile(1.0 - u),
        }
    }

    /// Where the law lives: disjoint intervals, ascending.
    pub(super) fn support(&self) -> Vec<(f64, f64)> {
        match self {
            Self::Lognormal { .. } | Self::Gamma { .. } => vec![(0.0, f64::INFINITY)],
            Self::Beta { .. } => vec![(0.0, 1.0)],
            Self::Gpd { location, xi, scale } => {
                vec![(*location, if *xi < 0.0 { location - scale / xi } else { f64::INFINITY })]
            }
            Self::Uniform { low, high } => vec![(*low, *high)],
            Self::Points(points) => points.values.iter().map(|value| (*value, *value)).collect(),
            Self::Splice(splice) => splice.support(),
            Self::Mixture(parts) => {
                let mut all: Vec<_> = parts.iter().flat_map(|(_, part)| part.support()).collect();
                all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
                let mut joined: Vec<(f64, f64)> = Vec::with_capacity(all.len());
                for next in all {
                    match joined.last_mut() {
                        Some(last) if next.0 <= last.1 => last.1 = last.1.max(next.1),
                        _ => joined.push(next),
                    }
                }
                joined
            }
        }
    }

    /// Adds the law's atoms, their probabilities times `weight`, in any order.
    pub(super) fn atoms(&self, weight: f64, into: &mut Vec<(f64, f64)>) {
        match self {
            Self::Points(points) => {
                into.extend(
                    points.values.iter().zip(&points.masses).map(|(value, mass)| (*value, mass * weight)),
                );
            }
            Self::Splice(splice) => {
                let mut atoms = Vec::new();
                splice.body.atoms(weight * splice.body_weight / splice.body_below, &mut atoms);
                into.extend(atoms.drain(..).filter(|atom| atom.0 <= splice.at));
                splice.tail.atoms(weight * splice.tail_weight / splice.tail_above, &mut atoms);
                into.extend(atoms.into_iter().filter(|atom| atom.0 > splice.at));
            }
            Self::Mixture(parts) => {
                parts.iter().for_each(|(part_weight, part)| part.atoms(weight * part_weight, into))
            }
            _ => {}
        }
    }
}

/// `x * mass`, 0 where the mass is 0 even at infinity.
fn finite_product(x: f64, mass: f64) -> f64 {
    if mass == 0.0 { 0.0 } else { x * mass }
}

/// The smallest number that holds, between the least and the greatest of `ends`.
fn bisect(ends: impl Iterator<Item = f64>, holds: impl Fn(f64) -> bool) -> f64 {
    let (low, high) = ends.fold((f64::INFINITY, 0.0_f64), |(low, high), end| (low.min(end), high.max(end)));
    let (mut low, mut high) = (low, high.max(low));
    if low.is_infinite() || holds(low) {
        return low;
    }
    // Positive floats order as their bits do, so that halving the bits ends after at most 64 steps wherever it is.
    while high.to_bits() - low.to_bits() > 1 {
        let middle = f64::from_bits(low.to_bits() + (high.to_bits() - low.to_bits()) / 2);
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}
