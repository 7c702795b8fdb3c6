//! What a run says: measures, layers, tranches, allocation, curves, each with its standard error.

use alloy_primitives::{B256, keccak256};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{self, Chosen},
    measure::{Distribution, Level, Moments, moments},
    method::Method,
    model::{Cluster, Model},
    portfolio::Portfolio,
    simulate::{self, Merged, Plan, variable},
    tail::Contributions,
    timeline::Timeline,
};

/// Points of each exceedance curve.
const CURVE: usize = 120;

/// How to run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Years to simulate, from 1 to 2^31.
    pub years: u64,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Threads; the digits do not depend on them.
    pub threads: usize,
}

/// The five figures of a yearly amount.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Expected annual amount.
    pub mean: f64,
    /// Standard deviation.
    pub sd: f64,
    /// Value at risk at 99 %.
    pub var99: f64,
    /// Value at risk at 99.5 %.
    pub var995: f64,
    /// Mean of the worst 1 % of years.
    pub tvar99: f64,
}

/// A treaty or a tranche: what it bears.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Its name; a tranche's is `pool/tranche`.
    pub id: String,
    /// Expected annual loss, standard deviation and the rest.
    #[serde(flatten)]
    pub figures: Figures,
    /// Probability that it bears anything in a year.
    pub attach: f64,
    /// Probability that it is used up in a year.
    pub exhaust: f64,
}

/// Standard errors of a [`Layer`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerErrors {
    /// Of the figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// Of the probability of attachment.
    pub attach: f64,
    /// Of the probability of exhaustion.
    pub exhaust: f64,
}

/// A part of the gross TVaR 99 %.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// What it belongs to.
    pub id: String,
    /// Its part; all parts sum to the whole.
    pub tvar99: f64,
}

/// Standard errors, in the places of what they are errors of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// Of the gross figures.
    pub gross: Figures,
    /// Of the net figures.
    pub net: Figures,
    /// Of each layer.
    pub layers: Vec<LayerErrors>,
    /// Of each tranche.
    pub tranches: Vec<LayerErrors>,
    /// Of each of the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<LayerErrors>,
    /// Of each product's part.
    pub allocation: Vec<f64>,
    /// Of each cause's part.
    pub causes: Vec<f64>,
}

/// Quantiles and tail means at all reported levels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// Of the gross year.
    pub gross: Vec<Level>,
    /// Of the net year.
    pub net: Vec<Level>,
    /// Of the year's largest event, gross.
    pub largest: Vec<Level>,
}

/// Exceedance curves: points of amount, yearly probability of more, standard error of that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// Aggregate gross.
    pub gross: Vec<[f64; 3]>,
    /// Aggregate net.
    pub net: Vec<[f64; 3]>,
    /// Occurrence: the year's largest event, gross.
    pub largest: Vec<[f64; 3]>,
}

/// Hashes that say what was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes {
    /// Of the engine, its version and method.
    pub model: B256,
    /// Of the portfolio.
    pub data: B256,
    /// Of seed and number of years.
    pub seed: B256,
}

/// Everything a run found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The portfolio's name.
    pub portfolio: String,
    /// What an amount of 1.0 is.
    pub unit: String,
    /// Years simulated.
    pub years: u64,
    /// Seed.
    pub seed: u64,
    /// How the years were drawn.
    pub method: String,
    /// Gross figures.
    pub gross: Figures,
    /// Net figures.
    pub net: Figures,
    /// Treaties, in the document's order: what each pays.
    pub layers: Vec<Layer>,
    /// Surplus and tranches of each pool: what each bears.
    pub tranches: Vec<Layer>,
    /// What only years event by event know: [`Timeline::extras`]. Their `exhaust` is 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Layer>,
    /// Euler parts of the gross TVaR 99 % by product, in the document's order.
    pub allocation: Vec<Share>,
    /// The same by cause: attacks on products alone, then shocks of each cluster.
    pub causes: Vec<Share>,
    /// Standard errors.
    pub standard_errors: Errors,
    /// Quantiles at all levels.
    pub levels: Levels,
    /// Exceedance curves.
    pub curves: Curves,
    /// From the parsed portfolio to the last figure. Filled in by whoever has a clock.
    pub seconds: f64,
    /// What was computed.
    pub hashes: Hashes,
}

/// Why there is no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No years were asked for, or more than can be counted.
    #[error("{0} years; ask for at least 1 and at most 2147483648")]
    Years(u64),
    /// Whoever watched the run ended it.
    #[error("the run was ended before its last year")]
    Ended,
    /// The quantile lies among years that were dropped: not in practice, see [`crate::tail`].
    #[error("the quantile lies among years that were already decided; run with another seed")]
    Tail,
    /// The model needs something the chosen engine does not have.
    #[error("{0}")]
    Refused(String),
}

/// Runs a model. `watch` is told how many further years are done, from any thread, and ends the run by answering false.
///
/// # Errors
/// See [`Failure`].
pub fn evaluate(
    model: &Model,
    options: &Options,
    watch: &(dyn Fn(u64) -> bool + Sync),
) -> Result<Outcome, Failure> {
    evaluate_into(model, options, watch, None)
}

/// The same, and `sink` sees every block of years; [`columns`] names what is in one.
///
/// # Errors
/// See [`Failure`]; a sink that answers false ends the run.
pub fn evaluate_into(
    model: &Model,
    options: &Options,
    watch: &(dyn Fn(u64) -> bool + Sync),
    sink: Option<simulate::Sink<'_>>,
) -> Result<Outcome, Failure> {
    evaluate_by(model, options, Method::Crude, watch, sink)
}

/// The same by a method.
///
/// # Errors
/// See [`Failure`].
pub fn evaluate_by(
    model: &Model,
    options: &Options,
    method: Method,
    watch: &(dyn Fn(u64) -> bool + Sync),
    sink: Option<simulate::Sink<'_>>,
) -> Result<Outcome, Failure> {
    let engine = Chosen::by(model, method)?;
    let plan = engine.plan(model, options)?;
    let merged = engine.run_into(&plan, options.threads, watch, sink).ok_or(Failure::Ended)?;
    outcome(model, options, engine.method(), merged)
}

/// The plan of a run.
pub fn plan(model: &Model, options: &Options) -> Plan {
    let treaties = model.treaties.iter().map(|t| t.annual_limit() * t.share);
    let tranches = model
        .pools
        .iter()
        .flat_map(|p| std::iter::once(p.terms.surplus).chain(p.terms.tranches.iter().map(|t| t.capital)));
    let shocks = |c: &Cluster| c.rate * c.members.iter().fold(0.0, |sum, m| sum + m.hit);
    let claims = model.own_rate() + model.clusters.iter().map(shocks).fold(0.0, |sum, n| sum + n);
    Plan {
        years: options.years,
        seed: options.seed,
        bounds: [f64::INFINITY; variable::TREATIES].into_iter().chain(treaties).chain(tranches).collect(),
        products: model.products.len(),
        clusters: model.clusters.len(),
        block: simulate::block(claims),
    }
}

/// Names of the variables of a block of years, in their order.
pub fn columns(model: &Model) -> Vec<String> {
    let document = &model.portfolio;
    let treaties = document.treaties.iter().map(|t| format!("treaty/{}", t.id));
    let tranches = tranche_ids(document).map(|id| format!("tranche/{id}"));
    let first = ["gross", "net", "largest"].map(str::to_owned);
    let others = if engine::flat(model).is_some() { vec![] } else { Timeline::extras(model) };
    first.into_iter().chain(treaties).chain(tranches).chain(others).collect()
}

fn tranche_ids(document: &Portfolio) -> impl Iterator<Item = String> {
    document.pools.iter().flat_map(|p| {
        std::iter::once(format!("{}/surplus", p.id))
            .chain(p.tranches.iter().map(|t| format!("{}/{}", p.id, t.id)))
    })
}

/// Measures of merged years.
///
/// # Errors
/// [`Failure::Tail`].
pub fn outcome(model: &Model, options: &Options, method: &str, merged: Merged) -> Result<Outcome, Failure> {
    let years = merged.years as f64;
    let Contributions { products, causes, tvar, tvar_error, .. } =
        merged.tail.finish().ok_or(Failure::Tail)?;
    let views: Vec<View<'_>> = merged
        .sums
        .iter()
        .zip(&merged.bins)
        .map(|(sums, bins)| View {
            moments: moments(sums, years),
            law: Distribution::new(bins, years),
            sums,
            years,
        })
        .collect();
    let (mut gross, mut gross_errors) = views[variable::GROSS].figures();
    // The same years, in full precision, and the whole that the parts sum to.
    (gross.tvar99, gross_errors.tvar99) = (tvar, tvar_error);
    let (net, net_errors) = views[variable::NET].figures();
    let document = &model.portfolio;
    let treaties = document.treaties.iter().map(|t| t.id.clone());
    let tranches = tranche_ids(document);
    let split = variable::TREATIES + document.treaties.len();
    let (layers, layer_errors) = borne(treaties, &views[variable::TREATIES..split]);
    let (tranches, tranche_errors) = borne(tranches, &views[split..]);
    let rest = split + tranches.len();
    let (others, other_errors) = borne(Timeline::extras(model).into_iter(), &views[rest..]);
    let share = |(id, part): (String, &(f64, f64))| Share { id, tvar99: part.0 };
    let own = std::iter::once("own attacks".to_owned()).chain(document.clusters.iter().map(|c| c.id.clone()));
    Ok(Outcome {
        portfolio: document.name.clone(),
        unit: document.unit.clone(),
        years: merged.years,
        seed: options.seed,
        method: method.into(),
        gross,
        net,
        layers,
        tranches,
        others,
        allocation: document.products.iter().map(|p| p.id.clone()).zip(&products).map(share).collect(),
        causes: own.zip(&causes).map(share).collect(),
        standard_errors: Errors {
            gross: gross_errors,
            net: net_errors,
            layers: layer_errors,
            tranches: tranche_errors,
            others: other_errors,
            allocation: products.iter().map(|p| p.1).collect(),
            causes: causes.iter().map(|p| p.1).collect(),
        },
        levels: Levels {
            gross: views[variable::GROSS].law.levels(),
            net: views[variable::NET].law.levels(),
            largest: views[variable::LARGEST].law.levels(),
        },
        curves: Curves {
            gross: views[variable::GROSS].law.curve(CURVE),
            net: views[variable::NET].law.curve(CURVE),
            largest: views[variable::LARGEST].law.curve(CURVE),
        },
        seconds: 0.0,
        hashes: hashes(model, options, method),
    })
}

/// Hashes of a run: the engine's name, version and method; the portfolio; the seed and the number of years.
pub fn hashes(model: &Model, options: &Options, method: &str) -> Hashes {
    let engine = format!("breakwater-capital {} {method}", env!("CARGO_PKG_VERSION"));
    let seed = format!("seed {} years {}", options.seed, options.years);
    Hashes { model: keccak256(engine), data: model.hash, seed: keccak256(seed) }
}

/// One variable.
struct View<'a> {
    moments: Moments,
    law: Distribution<'a>,
    sums: &'a simulate::Sums,
    years: f64,
}

impl View<'_> {
    fn figures(&self) -> (Figures, Figures) {
        let zero = Level { level: 0.0, var: 0.0, var_error: 0.0, tvar: 0.0, tvar_error: 0.0 };
        let (l99, l995) = (self.law.level(0.99).unwrap_or(zero), self.law.level(0.995).unwrap_or(zero));
        let Moments { mean, mean_error, sd, sd_error } = self.moments;
        (
            Figures { mean, sd, var99: l99.var, var995: l995.var, tvar99: l99.tvar },
            Figures {
                mean: mean_error,
                sd: sd_error,
                var99: l99.var_error,
                var995: l995.var_error,
                tvar99: l99.tvar_error,
            },
        )
    }

    fn full(&self) -> (f64, f64) {
        let p = self.sums.full / self.years;
        (p, ((self.sums.full_square / self.years - p * p).max(0.0) / self.years).sqrt())
    }
}

fn borne(ids: impl Iterator<Item = String>, views: &[View<'_>]) -> (Vec<Layer>, Vec<LayerErrors>) {
    ids.zip(views)
        .map(|(id, view)| {
            let (figures, errors) = view.figures();
            let ((attach, attach_error), (exhaust, exhaust_error)) = (view.law.positive(), view.full());
            let errors = LayerErrors { figures: errors, attach: attach_error, exhaust: exhaust_error };
            (Layer { id, figures, attach, exhaust }, errors)
        })
        .unzip()
}
