//! Laws of the share lost, compiled: survival, quantiles and limited means in closed form where there is one.
//!
//! Everything is said from above, as `P(X > x)` and its inverse, for it is large losses that need the digits.

use crate::{
    fault::Fault,
    portfolio::{Law, Severity},
    special::{
        beta_both, beta_quantile, beta_upper_quantile, check_shape, gamma_both, gamma_quantile,
        gamma_upper_quantile, normal_cdf, normal_quantile, normal_upper, normal_upper_quantile,
    },
};

/// Amounts above this are refused, so that nothing computed from them overflows.
const LARGEST: f64 = 1e100;
/// Laws within laws beyond this depth are refused.
const DEEPEST: usize = 16;

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

/// A law with its parameters checked and its constants computed.
#[derive(Clone, Debug)]
enum Node {
    Lognormal { mu: f64, sigma: f64, mean: f64 },
    Beta { alpha: f64, beta: f64 },
    Gamma { shape: f64, scale: f64 },
    Gpd { location: f64, xi: f64, scale: f64 },
    Uniform { low: f64, high: f64 },
    Points(Points),
    Splice(Box<Splice>),
    Mixture(Vec<(f64, Node)>),
}

/// Finitely many values with their probabilities.
#[derive(Clone, Debug)]
struct Points {
    /// Values, ascending, all different.
    values: Vec<f64>,
    /// Probability of each.
    masses: Vec<f64>,
    /// `P(X > values[i])`, descending to exactly 0.
    above: Vec<f64>,
    /// `P(X <= values[i])`.
    below: Vec<f64>,
    /// `E[X; X <= values[i]]`.
    partial: Vec<f64>,
}

/// One law up to a point and another beyond it.
#[derive(Clone, Debug)]
struct Splice {
    at: f64,
    body_weight: f64,
    tail_weight: f64,
    body: Node,
    tail: Node,
    /// `P(body <= at)`.
    body_below: f64,
    /// `P(tail > at)`.
    tail_above: f64,
    body_mean: f64,
}

impl Node {
    fn new(law: &Law, depth: usize) -> Result<Self, Fault> {
        if depth > DEEPEST {
            return Err(Fault::new("", format!("laws are nested more than {DEEPEST} deep")));
        }
        match law {
            Law::Lognormal { mu, sigma } => {
                between("mu", *mu, -200.0, 200.0)?;
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
                location: between("location", *location, 0.0, LARGEST)?,
                xi: between("xi", *xi, -50.0, 50.0)?,
                scale: positive("scale", *scale, LARGEST)?,
            }),
            Law::Uniform { low, high } => {
                between("low", *low, 0.0, LARGEST)?;
                between("high", *high, 0.0, LARGEST)?;
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
                between("value", *value, 0.0, LARGEST)?;
                Points::new(&[*value], None).map(Self::Points)
            }
            Law::Splice { at, body_weight, body, tail } => Splice::node(*at, *body_weight, body, tail, depth),
            Law::Mixture { parts } => Self::mixture(parts, depth),
        }
    }

    fn mixture(parts: &[crate::portfolio::Part], depth: usize) -> Result<Self, Fault> {
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
    fn survival(&self, x: f64) -> f64 {
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
    fn below(&self, x: f64) -> f64 {
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
    fn partial(&self, x: f64) -> f64 {
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
    fn partial_above(&self, x: f64) -> f64 {
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
    fn limited_mean(&self, x: f64) -> f64 {
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
    fn between(&self, low: f64, high: f64) -> f64 {
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
    fn upper_quantile(&self, v: f64) -> f64 {
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
    fn lower_quantile(&self, u: f64) -> f64 {
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
    fn support(&self) -> Vec<(f64, f64)> {
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
    fn atoms(&self, weight: f64, into: &mut Vec<(f64, f64)>) {
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

impl Points {
    fn new(values: &[f64], weights: Option<&[f64]>) -> Result<Self, Fault> {
        if values.is_empty() {
            return Err(Fault::new("values", "an empirical law has at least one value"));
        }
        if let Some(weights) = weights.filter(|weights| weights.len() != values.len()) {
            let what = format!("there are {} weights for {} values", weights.len(), values.len());
            return Err(Fault::new("weights", what));
        }
        let mut atoms = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            between(&format!("values[{index}]"), *value, 0.0, LARGEST)?;
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
    fn count(&self, x: f64) -> usize {
        self.values.partition_point(|value| *value <= x)
    }

    fn survival(&self, x: f64) -> f64 {
        match self.count(x) {
            0 => 1.0,
            count => self.above[count - 1],
        }
    }

    fn between(&self, low: f64, high: f64) -> f64 {
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

impl Splice {
    fn node(at: f64, body_weight: f64, body: &Law, tail: &Law, depth: usize) -> Result<Node, Fault> {
        positive("at", at, LARGEST)?;
        if !(body_weight > 0.0 && body_weight < 1.0) {
            return Err(Fault::new("body_weight", format!("is inside (0, 1), not {body_weight}")));
        }
        let body = Node::new(body, depth + 1).map_err(|fault| fault.within("body"))?;
        let tail = Node::new(tail, depth + 1).map_err(|fault| fault.within("tail"))?;
        let (body_below, tail_above) = (body.below(at), tail.survival(at));
        // Below this the conditional law is made of rounding errors.
        const POSSIBLE: f64 = 1e-12;
        if body_below < POSSIBLE {
            return Err(Fault::new("body", format!("is at most {at} with probability {body_below:e} only")));
        }
        if tail_above < POSSIBLE {
            return Err(Fault::new("tail", format!("is above {at} with probability {tail_above:e} only")));
        }
        let body_mean = body.partial(at) / body_below;
        let tail_weight = 1.0 - body_weight;
        Ok(Node::Splice(Box::new(Self {
            at,
            body_weight,
            tail_weight,
            body,
            tail,
            body_below,
            tail_above,
            body_mean,
        })))
    }

    fn survival(&self, x: f64) -> f64 {
        if x < self.at {
            let inside = (self.body_below - self.body.below(x)).max(0.0) / self.body_below;
            self.tail_weight + self.body_weight * inside
        } else {
            self.tail_weight * (self.tail.survival(x) / self.tail_above)
        }
    }

    fn limited_mean(&self, x: f64) -> f64 {
        if x < self.at {
            let body = (self.body.partial(x) + x * (self.body_below - self.body.below(x)).max(0.0))
                / self.body_below;
            self.tail_weight * x + self.body_weight * body
        } else {
            self.body_weight * self.body_mean
                + self.tail_weight * (self.at + self.tail.between(self.at, x) / self.tail_above)
        }
    }

    fn between(&self, low: f64, high: f64) -> f64 {
        if low >= self.at {
            return self.tail_weight * self.tail.between(low, high) / self.tail_above;
        }
        (self.limited_mean(high) - self.limited_mean(low)).max(0.0)
    }

    fn upper_quantile(&self, v: f64) -> f64 {
        if v < self.tail_weight {
            let above = v / self.tail_weight * self.tail_above;
            return self.tail.upper_quantile(above).max(self.at);
        }
        self.body_quantile((1.0 - v) / self.body_weight)
    }

    /// The smallest `x` with `P(body <= x | body <= at) >= u`.
    fn body_quantile(&self, u: f64) -> f64 {
        let u = u.min(1.0) * self.body_below;
        let x = if u < 0.5 {
            self.body.lower_quantile(u)
        } else {
            self.body.upper_quantile((1.0 - self.body_below) + (self.body_below - u))
        };
        x.min(self.at)
    }

    fn support(&self) -> Vec<(f64, f64)> {
        let below = self.body.support().into_iter().filter(|part| part.0 <= self.at);
        let above = self.tail.support().into_iter().filter(|part| part.1 > self.at);
        let mut joined: Vec<(f64, f64)> = below.map(|part| (part.0, part.1.min(self.at))).collect();
        for part in above {
            let part = (part.0.max(self.at), part.1);
            match joined.last_mut() {
                Some(last) if part.0 <= last.1 => last.1 = part.1,
                _ => joined.push(part),
            }
        }
        joined
    }
}

/// `-ln P(X > t)` of a generalised Pareto law of scale 1: `ln(1 + xi t) / xi`.
fn gpd_age(xi: f64, t: f64) -> f64 {
    let y = xi * t;
    if y <= -1.0 || t == f64::INFINITY {
        f64::INFINITY
    } else if y.abs() < 1e-10 {
        t * (1.0 - 0.5 * y)
    } else {
        libm::log1p(y) / xi
    }
}

/// The inverse of [`gpd_age`].
fn gpd_at_age(xi: f64, age: f64) -> f64 {
    let y = xi * age;
    if y.abs() < 1e-10 { age * (1.0 + 0.5 * y) } else { libm::expm1(y) / xi }
}

/// The integral of the survival function between two ages: of `exp(-(1 - xi) z)` over `z`.
fn gpd_integral(xi: f64, young: f64, old: f64) -> f64 {
    let rate = 1.0 - xi;
    if young == f64::INFINITY {
        return 0.0;
    }
    if old == f64::INFINITY {
        return if rate > 0.0 { libm::exp(-rate * young) / rate } else { f64::INFINITY };
    }
    let width = old - young;
    let y = rate * width;
    let relative = if y.abs() < 1e-10 { 1.0 - 0.5 * y } else { -libm::expm1(-y) / y };
    libm::exp(-rate * young) * width * relative
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

fn running(terms: impl Iterator<Item = f64>) -> Vec<f64> {
    terms
        .scan(0.0, |sum, term| {
            *sum += term;
            Some(*sum)
        })
        .collect()
}

/// Atoms in ascending order, those at one value as one.
fn merged(mut atoms: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
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

fn between(at: &str, x: f64, low: f64, high: f64) -> Result<f64, Fault> {
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
