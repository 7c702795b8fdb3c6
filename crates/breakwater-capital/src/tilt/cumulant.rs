//! How far to tilt: the cumulant generating function of a yearly score and the saddlepoint of its tail.

use crate::{
    flat::tables::Layer,
    model::Model,
    special::{normal_density, normal_upper},
};

/// Octaves of the severities' upper probability that are told apart, each in so many parts.
pub(super) const OCTAVES: u32 = 10;

/// What a claim adds to a year's score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Score {
    /// What it pays: years with large sums become likelier.
    Gross,
    /// What the treaties by event leave of it; of a shock, what they leave of the whole event. Years with large nets
    /// become likelier, which are years of many events rather than of large ones.
    Net,
}

/// What the treaties by event leave of one event, their annual terms apart.
pub(super) fn kept(layers: &[Layer], loss: f64) -> f64 {
    layers.iter().fold(loss, |left, layer| left - layer.share * layer.of(loss)).max(0.0)
}

/// A year's score as sums over severities in a few cells.
#[derive(Debug)]
pub(super) struct Cumulant<'a> {
    model: &'a Model,
    score: Score,
    /// Probabilities of the cells.
    masses: Vec<f64>,
    /// For each product, its claim's score in each cell.
    scores: Vec<f64>,
    /// For each cluster, what the treaties leave of an ordinary shock.
    events: Vec<f64>,
}

/// The function at one tilt.
#[derive(Clone, Copy, Debug)]
struct At {
    value: f64,
    slope: f64,
    curvature: f64,
    /// Expected claims under the tilted law.
    claims: f64,
}

/// A product's part at one tilt: mean of `exp(eta s)`, of `s exp(eta s)`, of `s^2 exp(eta s)`.
type Moments = [f64; 3];

impl<'a> Cumulant<'a> {
    /// `amounts` are the payouts of each product in cells of these masses.
    pub(super) fn new(
        model: &'a Model,
        layers: &[Layer],
        score: Score,
        masses: &[f64],
        amounts: &[f64],
    ) -> Self {
        let of = |&amount: &f64| match score {
            Score::Gross => amount,
            Score::Net => kept(layers, amount),
        };
        let cells = masses.len();
        let mean = |product: usize| {
            let amounts = &amounts[product * cells..(product + 1) * cells];
            amounts.iter().zip(masses).fold(0.0, |sum, (a, m)| sum + a * m)
        };
        let event = |c: &crate::model::Cluster| {
            kept(layers, c.members.iter().fold(0.0, |sum, m| sum + m.hit * mean(m.product)))
        };
        Self {
            model,
            score,
            masses: masses.to_vec(),
            scores: amounts.iter().map(of).collect(),
            events: model.clusters.iter().map(event).collect(),
        }
    }

    /// What a shock of a cluster adds as a whole.
    pub(super) fn event(&self, cluster: usize) -> f64 {
        if self.score == Score::Net { self.events[cluster] } else { 0.0 }
    }

    fn moments(&self, eta: f64) -> Vec<Moments> {
        let cells = self.masses.len();
        let one = |scores: &[f64]| {
            scores.iter().zip(&self.masses).fold([0.0; 3], |[a, b, c], (&s, &m)| {
                let e = m * libm::exp((eta * s).min(700.0));
                [a + e, b + s * e, c + s * s * e]
            })
        };
        self.scores.chunks(cells).map(one).collect()
    }

    /// None where the tilted law does not exist.
    fn at(&self, eta: f64) -> Option<At> {
        let parts = self.moments(eta);
        let mut at = At { value: 0.0, slope: 0.0, curvature: 0.0, claims: 0.0 };
        // Products without a factor first, then those of each.
        let mut groups = vec![[0.0; 4]; self.model.mixings.len() + 1];
        for (product, [m, first, second]) in self.model.products.iter().zip(&parts) {
            let group = &mut groups[product.mixing.map_or(0, |m| m + 1)];
            let rate = product.rate;
            let terms = [rate, rate * m, rate * first, rate * second];
            group.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        }
        for (index, [rate, m, first, second]) in groups.into_iter().enumerate() {
            if rate == 0.0 {
                continue;
            }
            let more = match index.checked_sub(1).map(|i| self.model.mixings[i]) {
                None => [m - rate, first, second, m],
                Some(shape) => {
                    let left = shape - (m - rate);
                    if left <= 0.0 {
                        return None;
                    }
                    let factor = shape / left;
                    let value = shape * libm::log(factor);
                    [value, factor * first, factor * second + factor * first * first / left, factor * m]
                }
            };
            at.add(more);
        }
        for (index, cluster) in self.model.clusters.iter().enumerate().filter(|(_, c)| !c.members.is_empty())
        {
            let more = match self.score {
                Score::Net => {
                    let s = self.events[index];
                    let e = cluster.rate * libm::exp((eta * s).min(700.0));
                    let hits = cluster.members.iter().fold(0.0, |sum, m| sum + m.hit);
                    [e - cluster.rate, s * e, s * s * e, e * hits]
                }
                Score::Gross => {
                    let mut log = [0.0; 4];
                    for member in &cluster.members {
                        let [m, first, second] = parts[member.product];
                        let whole = 1.0 - member.hit + member.hit * m;
                        let ratio = member.hit * first / whole;
                        let curve = member.hit * second / whole - ratio * ratio;
                        let terms = [libm::log(whole), ratio, curve, member.hit * m / whole];
                        log.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
                    }
                    let e = cluster.rate * libm::exp(log[0].min(700.0));
                    [e - cluster.rate, e * log[1], e * (log[1] * log[1] + log[2]), e * log[3]]
                }
            };
            at.add(more);
        }
        at.curvature.is_finite().then_some(at)
    }

    /// The tilt under which a year beyond which `share` of the years lie is an ordinary one; none where there is
    /// nothing to tilt. The tilted law has at most `most` times the claims, and a few.
    pub(super) fn solve(&self, share: f64, most: f64) -> Option<f64> {
        let largest = self.scores.iter().chain(&self.events).fold(0.0, |a: f64, &b| a.max(b));
        let plain = self.at(0.0)?;
        // Where hardly any year has a claim the quantile is zero, and every year with one is in the tail as it is.
        if largest <= 0.0 || plain.claims <= 2.0 * share {
            return None;
        }
        let budget = most * (plain.claims + 1.0);
        let beyond = |eta: f64| self.at(eta).is_none_or(|at| at.claims > budget || at.tail(eta) < share);
        let (mut low, mut high) = (0.0, 1.0 / largest);
        // Each doubling squares the factor of the largest claim: the budget ends this soon.
        while !beyond(high) {
            (low, high) = (high, 2.0 * high);
            if high * largest > 1e4 {
                return None;
            }
        }
        for _ in 0..12 {
            let middle = 0.5 * (low + high);
            if beyond(middle) { high = middle } else { low = middle }
        }
        (low > 0.0).then_some(low)
    }
}

impl At {
    fn add(&mut self, [value, slope, curvature, claims]: [f64; 4]) {
        self.value += value;
        self.slope += slope;
        self.curvature += curvature;
        self.claims += claims;
    }

    /// Probability of more than the tilted law's mean (Lugannani and Rice 1980).
    fn tail(&self, eta: f64) -> f64 {
        let r = libm::sqrt((2.0 * (eta * self.slope - self.value)).max(0.0));
        let u = eta * libm::sqrt(self.curvature);
        if r < 1e-3 || u < 1e-3 {
            return 0.5;
        }
        (normal_upper(r) + normal_density(r) * (1.0 / u - 1.0 / r)).clamp(0.0, 1.0)
    }
}
