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
mod plan;
mod scene;
mod shocks;
mod sources;
pub mod transform;

use serde::{Deserialize, Serialize};

use self::{
    lattice::{Lattice, Tail},
    layers::{Layer, View},
    scene::Scene,
    transform::Fourier,
};
use crate::{fault::Fault, measure::LEVELS, model::Model, portfolio::Regime};

pub use claims::masses;
pub use length::BEYOND;

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
    /// Step that is chosen, as a part of the standard deviation of the year's loss, at most 1: quantiles are exact to a
    /// step.
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
    let (payouts, points) = plan::lattice(model, options, &likely(model))?;
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
    if options.tolerance > 0.0 && options.tolerance <= 1.0 {
        Ok(())
    } else {
        Err(Fault::new("tolerance", format!("{}; it must be above 0 and at most 1", options.tolerance)))
    }
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

fn place(kind: &str, id: &str) -> String {
    format!("{kind} {id:?}")
}
