//! One state of the market on a lattice: its claims, its shocks and its sources of events.

use rayon::prelude::*;
use realfft::num_complex::Complex64;

use super::{
    claims,
    lattice::{Lattice, Tail},
    layers::View,
    shocks::{Hit, Tree, first_moment},
    sources::{Source, seen_from, spectrum},
    transform::Fourier,
};
use crate::{
    model::{Model, Terms},
    portfolio::Regime,
};

/// Payouts of all products in one state of the market.
#[derive(Debug)]
pub(super) struct Payouts {
    pub(super) step: f64,
    /// By product.
    pub(super) masses: Vec<Vec<f64>>,
    /// By product, the terms in this state.
    pub(super) terms: Vec<Terms>,
}

impl Payouts {
    /// Puts every product's payout on the lattice; none has more than `most` points.
    pub(super) fn new(model: &Model, regime: &Regime, step: f64, most: usize) -> Self {
        let terms = terms(model, regime);
        let masses = model
            .products
            .par_iter()
            .zip(&terms)
            .map(|(product, terms)| claims::masses(&model.severities[product.severity], terms, step, most))
            .collect();
        Self { step, masses, terms }
    }

    /// Probability of a year without payment, in closed form.
    pub(super) fn none(&self, model: &Model, regime: &Regime) -> f64 {
        self.none_above(model, regime, 0.0, |_| true, None)
    }

    /// Probability that no event of the products `covered` is above `amount`; shocks above it come from `shocks`, or,
    /// for an amount of 0, from the members' own probabilities.
    pub(super) fn none_above(
        &self,
        model: &Model,
        regime: &Regime,
        amount: f64,
        covered: impl Fn(usize) -> bool,
        shocks: Option<&[Source]>,
    ) -> f64 {
        let above: Vec<f64> = (0..model.products.len())
            .map(|p| claims::survival(&model.severities[model.products[p].severity], &self.terms[p], amount))
            .collect();
        let mut none = 1.0;
        for (shape, products) in streams(model) {
            let part = |p: &usize| if covered(*p) { model.products[*p].rate * regime.hazard } else { 0.0 };
            let rate = products.iter().map(|p| part(p) * above[*p]).sum();
            none *= Source { shape, ..Source::default() }.none(rate);
        }
        for (index, cluster) in model.clusters.iter().enumerate() {
            let rate = match shocks {
                Some(shocks) => shocks[index].rate_above((amount / self.step + 1e-9) as usize),
                None => {
                    let members = cluster.members.iter().filter(|member| covered(member.product));
                    let ln: f64 = members.map(|m| libm::log1p(-m.hit * above[m.product])).sum();
                    -libm::expm1(ln) * cluster.rate * regime.hazard
                }
            };
            none *= Source { shape: cluster.posterior, ..Source::default() }.none(rate);
        }
        none
    }
}

/// The terms of all products in a state of the market.
pub(super) fn terms(model: &Model, regime: &Regime) -> Vec<Terms> {
    let scaled = |t: Terms| Terms {
        slope: t.slope * regime.tvl,
        intercept: t.intercept * regime.tvl,
        limit: t.limit * regime.tvl,
    };
    model.products.iter().map(|product| scaled(product.terms)).collect()
}

/// Products that share a stream of events: those without a factor, those of each factor, and one by one those whose
/// own rate is uncertain. Each with the shape of the gamma law.
pub(super) fn streams(model: &Model) -> Vec<(Option<f64>, Vec<usize>)> {
    let mut plain = vec![];
    let mut mixed = vec![vec![]; model.mixings.len()];
    let mut uncertain = vec![];
    for (index, product) in model.products.iter().enumerate().filter(|(_, product)| product.rate > 0.0) {
        match (product.mixing, product.posterior) {
            (Some(mixing), _) => mixed[mixing].push(index),
            (None, Some(shape)) => uncertain.push((Some(shape), vec![index])),
            (None, None) => plain.push(index),
        }
    }
    let mixed = model.mixings.iter().map(|shape| Some(*shape)).zip(mixed);
    let shared = std::iter::once((None, plain)).chain(mixed);
    shared.chain(uncertain).filter(|(_, products)| !products.is_empty()).collect()
}

/// Everything that a state of the market needs, on a lattice of `points`.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    model: &'a Model,
    regime: &'a Regime,
    fourier: &'a Fourier,
    payouts: &'a Payouts,
    points: usize,
    streams: Vec<(Option<f64>, Vec<usize>)>,
    trees: Vec<Tree<'a>>,
    /// Claims on single products, one for each stream.
    own: Vec<Source>,
    /// Shocks, one for each cluster.
    shocks: Vec<Source>,
    /// Transform of the year's gross loss.
    year: Vec<Complex64>,
}

impl<'a> Scene<'a> {
    /// Multiplies the shocks out and adds the streams up.
    pub(super) fn new(
        model: &'a Model,
        regime: &'a Regime,
        fourier: &'a Fourier,
        payouts: &'a Payouts,
        points: usize,
    ) -> Self {
        let streams = streams(model);
        let own = own(model, regime, payouts, &streams, |_| true);
        let trees = trees(model, fourier, payouts, points, |_| true);
        let shocks = shocks(model, regime, &trees);
        let sources: Vec<&Source> = own.iter().chain(&shocks).collect();
        let year = spectrum(fourier, &sources, points, None);
        Self { model, regime, fourier, payouts, points, streams, trees, own, shocks, year }
    }

    fn sources(&self) -> Vec<&Source> {
        self.own.iter().chain(&self.shocks).collect()
    }

    /// Masses of the year's gross loss.
    pub(super) fn gross(&self) -> Vec<f64> {
        self.fourier.inverse(self.year.clone(), self.points)
    }

    /// Probability that no event of a year is above the points `indices`.
    pub(super) fn no_event_above(&self, index: usize) -> f64 {
        self.sources().iter().map(|source| source.none(source.rate_above(index))).product()
    }

    /// Masses of the sum over the year's events of what a treaty takes of each, and the probability that it takes
    /// nothing if that has a closed form.
    pub(super) fn layer(&self, treaty: usize, view: &View) -> (Vec<f64>, Option<f64>) {
        let clip = |y: f64| view.of_event(y);
        let sum = |own: &[Source], shocks: &[Source]| {
            let sources: Vec<&Source> = own.iter().chain(shocks).collect();
            let spectrum = spectrum(self.fourier, &sources, self.points, Some((self.payouts.step, &clip)));
            self.fourier.inverse(spectrum, self.points)
        };
        let none = |covered: &dyn Fn(usize) -> bool, shocks: &[Source]| {
            let attachment = view.attachment()?;
            let shocks = (attachment > 0.0).then_some(shocks);
            Some(self.payouts.none_above(self.model, self.regime, attachment, covered, shocks))
        };
        match &self.model.treaties[treaty].covers {
            None => (sum(&self.own, &self.shocks), none(&|_| true, &self.shocks)),
            Some(covers) => {
                let covered = |product: usize| covers[product];
                let own = own(self.model, self.regime, self.payouts, &self.streams, covered);
                let trees = trees(self.model, self.fourier, self.payouts, self.points, covered);
                let shocks = shocks(self.model, self.regime, &trees);
                (sum(&own, &shocks), none(&covered, &shocks))
            }
        }
    }

    /// For each product, the mean of its year's loss where the gross loss is in the tail.
    pub(super) fn contributions(&self, gross: &Lattice, tail: &Tail) -> Vec<f64> {
        let mut parts = vec![0.0; self.model.products.len()];
        let longest = |masses: usize| masses.min(self.points);
        let known = tail.kernel(gross.masses(), self.points);
        let kernel = |source: &Source, length: usize| match source.shape {
            None => known[..longest(length)].to_vec(),
            Some(_) => {
                tail.kernel(&seen_from(self.fourier, source, &self.year, self.points), longest(length))
            }
        };
        let step = self.payouts.step;
        let own: Vec<Vec<(usize, f64)>> = self
            .streams
            .par_iter()
            .zip(&self.own)
            .map(|((_, products), source)| {
                let kernel = kernel(source, source.measure.len());
                let rate = |product: usize| self.model.products[product].rate * self.regime.hazard;
                let moment = |product: usize| first_moment(&self.payouts.masses[product], &kernel);
                products
                    .par_iter()
                    .map(|&product| (product, rate(product) * moment(product) * step))
                    .collect()
            })
            .collect();
        let shocks: Vec<Vec<(usize, f64)>> = self
            .trees
            .par_iter()
            .zip(&self.shocks)
            .map(|(tree, source)| {
                let kernel = kernel(source, source.measure.len());
                let parts = tree.contributions(self.fourier, kernel);
                parts.into_iter().map(|(product, part)| (product, part * source.rate * step)).collect()
            })
            .collect();
        // Threads may finish in any order; the sums are in this one.
        for (product, part) in own.into_iter().chain(shocks).flatten() {
            parts[product] += part;
        }
        parts
    }
}

fn own(
    model: &Model,
    regime: &Regime,
    payouts: &Payouts,
    streams: &[(Option<f64>, Vec<usize>)],
    covered: impl Fn(usize) -> bool + Sync,
) -> Vec<Source> {
    streams
        .par_iter()
        .map(|(shape, products)| {
            let mut source = Source { shape: *shape, ..Source::default() };
            for &product in products.iter().filter(|&&product| covered(product)) {
                source.add(model.products[product].rate * regime.hazard, &payouts.masses[product]);
            }
            source
        })
        .collect()
}

fn trees<'a>(
    model: &Model,
    fourier: &Fourier,
    payouts: &'a Payouts,
    most: usize,
    covered: impl Fn(usize) -> bool + Sync,
) -> Vec<Tree<'a>> {
    model
        .clusters
        .par_iter()
        .map(|cluster| {
            let members = cluster.members.iter().filter(|m| m.hit > 0.0 && covered(m.product));
            let hits = members.map(|m| Hit {
                product: m.product,
                probability: m.hit,
                masses: &payouts.masses[m.product],
            });
            Tree::new(fourier, hits.collect(), most)
        })
        .collect()
}

fn shocks(model: &Model, regime: &Regime, trees: &[Tree<'_>]) -> Vec<Source> {
    let clusters = model.clusters.iter().zip(trees);
    clusters
        .map(|(cluster, tree)| {
            let mut source = Source { shape: cluster.posterior, ..Source::default() };
            source.add(cluster.rate * regime.hazard, tree.masses());
            source
        })
        .collect()
}
