//! The exact path: the law of a year's loss without simulation.
//!
//! Where events are independent given gamma factors, the year's gross loss and what each treaty takes of it are sums of
//! a random number of independent amounts. Their laws are computed on a lattice by Fourier transform: exact but for the
//! lattice's step, and the mean of every claim and layer is exact even so. What has no such law is refused by name.
//!
//! The transforms use the machine's vector unit, so that the last bits may differ between processors; whatever is
//! signed comes from the simulation, which this checks.

mod claims;
pub mod lattice;
pub mod layers;
mod length;
pub mod panjer;
mod scene;
mod shocks;
mod sources;
pub mod transform;

use serde::{Deserialize, Serialize};

use self::{
    lattice::{Lattice, Tail},
    layers::{Layer, View},
    scene::{Payouts, Scene},
    transform::Fourier,
};
use crate::{fault::Fault, measure::LEVELS, model::Model, portfolio::Regime};

pub use claims::masses;
pub use length::BEYOND;

/// Points of a lattice whose step was not asked for.
const COMFORTABLE: usize = 1 << 20;
/// The most points of all products' payouts together: a gigabyte.
const MOST_PAYOUTS: f64 = 134_217_728.0;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Levels of value at risk and tail value at risk, each inside (0, 1).
    pub levels: Vec<f64>,
    /// Level of the allocation to products; none leaves it out.
    pub allocation: Option<f64>,
    /// Points of the exceedance curve.
    pub curve: usize,
    /// Step of the lattice, in the portfolio's unit; none chooses it by `tolerance`.
    pub step: Option<f64>,
    /// Step that is chosen, as a part of the standard deviation of the year's loss: quantiles are exact to a step.
    pub tolerance: f64,
    /// Length of the lattice; none takes what leaves at most [`BEYOND`] beyond it.
    pub length: Option<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            levels: LEVELS.to_vec(),
            allocation: Some(0.99),
            curve: 200,
            step: None,
            tolerance: 1e-3,
            length: None,
        }
    }
}

/// Quantile and tail mean at a level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Level, inside (0, 1).
    pub level: f64,
    /// The lower quantile.
    pub var: f64,
    /// Mean of the worst `1 - level` of years.
    pub tvar: f64,
}

/// A point of the exceedance curves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exceedance {
    /// Amount.
    pub amount: f64,
    /// Probability that the year's loss is above it.
    pub aggregate: f64,
    /// Probability that some event of the year is above it.
    pub occurrence: f64,
}

/// Euler's allocation of the tail value at risk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Allocation {
    /// Level.
    pub level: f64,
    /// Tail value at risk at that level.
    pub tvar: f64,
    /// Part of each product, in the portfolio's order; they sum to `tvar`.
    pub contributions: Vec<f64>,
}

/// What is known without simulation.
#[derive(Clone, Debug)]
pub struct Exact {
    /// Law of the year's gross loss.
    pub gross: Lattice,
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation.
    pub sd: f64,
    /// Probability of a year without payment, free of the lattice.
    pub none: f64,
    /// Quantiles and tail means of the gross loss.
    pub levels: Vec<Level>,
    /// Exceedance curves of the gross loss and of single events.
    pub curve: Vec<Exceedance>,
    /// Treaties whose law is exact.
    pub layers: Vec<Layer>,
    /// Treaties whose law is not, and why.
    pub refused: Vec<Fault>,
    /// Allocation, if it was asked for.
    pub allocation: Option<Allocation>,
}

/// Computes what is exact in a model.
///
/// # Errors
/// An option out of range, a lattice too short or too large, or the first thing in the model that makes claims depend
/// on each other beyond gamma factors and shocks.
///
/// ```
/// use breakwater_capital::{Model, example::cp500, exact::{Options, solve}};
///
/// let model = Model::new(cp500())?;
/// let exact = solve(&model, &Options { step: Some(0.02), ..Options::default() })?;
/// assert!((exact.mean - 4.5367).abs() < 1e-4);
/// # Ok::<(), breakwater_capital::Fault>(())
/// ```
pub fn solve(model: &Model, options: &Options) -> Result<Exact, Fault> {
    check(options)?;
    expressible(model)?;
    let fourier = Fourier::new();
    let (payouts, points) = lattice(model, options)?;
    let regimes = likely(model);
    let scenes: Vec<Scene<'_>> = regimes
        .iter()
        .zip(&payouts)
        .map(|(regime, payouts)| Scene::new(model, regime, &fourier, payouts, points))
        .collect();
    let step = payouts[0].step;
    let mixed = |laws: Vec<Vec<f64>>| {
        let mut sum = vec![0.0; points];
        for (regime, law) in regimes.iter().zip(laws) {
            sum.iter_mut().zip(law).for_each(|(sum, mass)| *sum += regime.probability * mass);
        }
        Lattice::new(step, sum)
    };
    let gross = mixed(scenes.iter().map(Scene::gross).collect());
    let (mut layers, mut refused) = (vec![], vec![]);
    for treaty in 0..model.treaties.len() {
        let view = match View::new(model, treaty) {
            Ok(view) => view,
            Err(fault) => {
                refused.push(fault);
                continue;
            }
        };
        let (laws, nones): (Vec<_>, Vec<_>) = scenes.iter().map(|scene| scene.layer(treaty, &view)).unzip();
        let none = nones
            .iter()
            .zip(&regimes)
            .try_fold(0.0, |sum, (none, regime)| none.map(|none| sum + regime.probability * none));
        layers.push(layers::layer(model, treaty, &view, &mixed(laws), none));
    }
    let none = regimes.iter().zip(&payouts).map(|(r, payouts)| r.probability * payouts.none(model, r)).sum();
    let levels =
        options.levels.iter().map(|&level| Level { level, var: gross.var(level), tvar: gross.tvar(level) });
    let allocation = options.allocation.map(|level| {
        let tail = Tail::new(&gross, level);
        let mut contributions = vec![0.0; model.products.len()];
        for ((scene, regime), payouts) in scenes.iter().zip(&regimes).zip(&payouts) {
            debug_assert_eq!(payouts.step, step);
            // The kernel of a state is that of its own years, so that its parts are weighted as its years are.
            let own = Lattice::new(step, scene.gross());
            let parts = scene.contributions(&own, &tail);
            contributions.iter_mut().zip(parts).for_each(|(sum, part)| {
                *sum += regime.probability * part / tail.probability;
            });
        }
        Allocation { level, tvar: gross.tvar(level), contributions }
    });
    Ok(Exact {
        mean: gross.mean(),
        sd: gross.sd(),
        none,
        levels: levels.collect(),
        curve: curve(&gross, &scenes, &regimes, options.curve),
        layers,
        refused,
        allocation,
        gross,
    })
}

/// The states of the market that happen at all.
fn likely(model: &Model) -> Vec<&Regime> {
    model.regimes.iter().filter(|regime| regime.probability > 0.0).collect()
}

/// Points of both exceedance curves, evenly in the logarithm of the aggregate's probability down to one in 100,000.
fn curve(gross: &Lattice, scenes: &[Scene<'_>], regimes: &[&Regime], points: usize) -> Vec<Exceedance> {
    let mut above: Vec<f64> = gross.masses().to_vec();
    let mut sum = 0.0;
    for mass in above.iter_mut().rev() {
        (sum, *mass) = (sum + *mass, sum);
    }
    let most = above.first().copied().unwrap_or(0.0);
    const RAREST: f64 = 1e-5;
    if most <= RAREST || points == 0 {
        return vec![];
    }
    let fall = libm::log(RAREST / most) / points.saturating_sub(1).max(1) as f64;
    let mut indices: Vec<usize> = (0..points)
        .map(|k| most * libm::exp(fall * k as f64) * (1.0 + 1e-12))
        .map(|p| above.partition_point(|above| *above > p))
        .collect();
    indices.dedup();
    indices
        .into_iter()
        .filter(|&index| index < above.len())
        .map(|index| {
            let none: f64 = regimes
                .iter()
                .zip(scenes)
                .map(|(r, scene)| r.probability * scene.no_event_above(index))
                .sum();
            Exceedance {
                amount: gross.value(index),
                aggregate: above[index],
                occurrence: (1.0 - none).max(0.0),
            }
        })
        .collect()
}

fn check(options: &Options) -> Result<(), Fault> {
    let inside = |at: &str, level: f64| {
        if level > 0.0 && level < 1.0 {
            Ok(())
        } else {
            Err(Fault::new(at, format!("{level}; it must be inside (0, 1)")))
        }
    };
    let positive = |at: &str, x: f64| {
        if x > 0.0 && x.is_finite() {
            Ok(())
        } else {
            Err(Fault::new(at, format!("{x}; it must be a finite number above 0")))
        }
    };
    for (index, level) in options.levels.iter().enumerate() {
        inside(&format!("levels[{index}]"), *level)?;
    }
    options.allocation.map_or(Ok(()), |level| inside("allocation", level))?;
    options.step.map_or(Ok(()), |step| positive("step", step))?;
    options.length.map_or(Ok(()), |length| positive("length", length))?;
    positive("tolerance", options.tolerance)
}

/// Refuses what makes claims depend on each other beyond gamma factors and shocks.
fn expressible(model: &Model) -> Result<(), Fault> {
    let refuse = |at: String, what: &str| Err(Fault::new(at, format!("no exact law: {what}; simulate it")));
    if model.contagion.is_some() {
        return refuse("contagion".into(), "events cause further events");
    }
    for (product, resolved) in model.portfolio.products.iter().zip(&model.products) {
        let at = |field: &str| format!("{}.{field}", place("product", &product.id));
        if resolved.annual_limit.is_finite() {
            return refuse(at("annual_limit"), "an annual limit ties a product's claims together");
        }
        if resolved.posterior.is_some() && resolved.mixing.is_some() {
            return refuse(at("rate_sd"), "an uncertain rate times a common factor is not a gamma variable");
        }
    }
    for (cluster, resolved) in model.portfolio.clusters.iter().zip(&model.clusters) {
        let at = |field: &str| format!("{}.{field}", place("cluster", &cluster.id));
        if resolved.copula.is_some() {
            return refuse(at("copula"), "severities within a shock depend on each other");
        }
        if resolved.follow_up.as_ref().is_some_and(|follow| follow.probability > 0.0) {
            return refuse(at("follow_up"), "events cause further events");
        }
    }
    Ok(())
}

/// Payouts of each state of the market, and the length of the lattice in points.
fn lattice(model: &Model, options: &Options) -> Result<(Vec<Payouts>, usize), Fault> {
    let regimes = likely(model);
    let mut step = match options.step {
        Some(step) => step,
        None => round_down(options.tolerance * deviation(model, &regimes)),
    };
    loop {
        let (payouts, needed) = on_lattice(model, &regimes, step)?;
        let wanted = match options.length {
            Some(length) if length < needed => {
                let what = format!(
                    "{length}; more than {BEYOND:e} of the years may lose more; it must be at least {needed}"
                );
                return Err(Fault::new("length", what));
            }
            Some(length) => length,
            None => needed,
        };
        let points = wanted / step + 2.0;
        if points <= COMFORTABLE as f64 || (options.step.is_some() && points <= transform::MOST_POINTS as f64)
        {
            return Ok((payouts, Fourier::good_length(points as usize)));
        }
        if options.step.is_some() {
            let what = format!(
                "{step}; a lattice of {wanted} would have {points} points; the most is {}",
                transform::MOST_POINTS
            );
            return Err(Fault::new("step", what));
        }
        step = round_down(step * 2.5);
    }
}

fn on_lattice(model: &Model, regimes: &[&Regime], step: f64) -> Result<(Vec<Payouts>, f64), Fault> {
    let (mut all, mut needed) = (vec![], 0.0_f64);
    for &regime in regimes {
        let terms = scene::terms(model, regime);
        let pairs = || model.products.iter().zip(&terms);
        let top = |(p, t): (&crate::model::Product, _)| claims::largest(&model.severities[p.severity], t);
        let sum: f64 = pairs().map(|pair| top(pair) / step + 1.0).sum();
        if sum > MOST_PAYOUTS {
            let what = format!(
                "{step}; all payouts together would have {sum:.0} points; the most is {MOST_PAYOUTS:.0}"
            );
            return Err(Fault::new("step", what));
        }
        let largest = pairs().map(top).fold(0.0, f64::max);
        let payouts = Payouts::new(model, regime, step, usize::MAX);
        if largest > 0.0 {
            let length = length::length(1.0 / largest, |theta| payouts.cumulant(model, regime, theta))?;
            needed = needed.max(length);
        }
        all.push(payouts);
    }
    Ok((all, needed))
}

/// About the standard deviation of the year's gross loss, from payouts on coarse lattices.
fn deviation(model: &Model, regimes: &[&Regime]) -> f64 {
    const CELLS: f64 = 32.0;
    let mut worst = 0.0_f64;
    for &regime in regimes {
        let terms = scene::terms(model, regime);
        let moments: Vec<(f64, f64)> = model
            .products
            .iter()
            .zip(&terms)
            .map(|(product, terms)| {
                let law = &model.severities[product.severity];
                let step = claims::largest(law, terms) / CELLS;
                if step <= 0.0 {
                    return (0.0, 0.0);
                }
                let claim = Lattice::new(step, claims::masses(law, terms, step, CELLS as usize + 2));
                (claim.mean(), claim.expect(|x| x * x))
            })
            .collect();
        let mut variance = 0.0;
        for (shape, products) in scene::streams(model) {
            let rate = |p: &usize| model.products[*p].rate * regime.hazard;
            let mean: f64 = products.iter().map(|p| rate(p) * moments[*p].0).sum();
            variance += products.iter().map(|p| rate(p) * moments[*p].1).sum::<f64>();
            variance += shape.map_or(0.0, |shape| mean * mean / shape);
        }
        for cluster in &model.clusters {
            let rate = cluster.rate * regime.hazard;
            let mean: f64 = cluster.members.iter().map(|m| m.hit * moments[m.product].0).sum();
            let spread = |hit: f64, (first, second): (f64, f64)| hit * second - hit * hit * first * first;
            let own: f64 = cluster.members.iter().map(|m| spread(m.hit, moments[m.product])).sum();
            variance +=
                rate * (own + mean * mean) + cluster.posterior.map_or(0.0, |s| rate * mean * rate * mean / s);
        }
        worst = worst.max(variance);
    }
    if worst > 0.0 { worst.sqrt() } else { 1.0 }
}

/// The next number of the form 1, 2 or 5 times a power of ten at or below `x`.
fn round_down(x: f64) -> f64 {
    let power = libm::pow(10.0, libm::floor(libm::log10(x)));
    let digit = x / power;
    let round = if digit >= 5.0 {
        5.0
    } else if digit >= 2.0 {
        2.0
    } else {
        1.0
    };
    round * power
}

fn place(kind: &str, id: &str) -> String {
    format!("{kind} {id:?}")
}
