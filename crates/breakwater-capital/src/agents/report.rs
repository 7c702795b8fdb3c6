//! Many histories, added up.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use serde::Serialize;

use super::{Conduct, Group, Options, Outcome, Point, Scenario};
use crate::model::Model;

/// A mean over paths.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// What it is.
    pub name: &'static str,
    /// The mean.
    pub mean: f64,
    /// Its standard error; 0 for a single path, which has none.
    pub standard_error: f64,
}

/// What the document became for the contracts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Terms {
    /// The pool.
    pub pool: String,
    /// How many products it has.
    pub products: usize,
    /// How many buyers share each product's exposure.
    pub buyers_of_each: usize,
    /// Integer units in one of the document's.
    pub units_of_one: f64,
    /// Exposure that a unit of capital may carry.
    pub leverage: f64,
    /// Days of an epoch.
    pub epoch_days: f64,
    /// Least days from a request to leave to its epoch.
    pub cooldown_days: f64,
    /// Days that a cover is bought for.
    pub term_days: u64,
    /// Names of the tranches in the document.
    pub tranches: Vec<String>,
    /// Which of the contracts' layers each of them is: 1 junior, 2 mezzanine, 3 senior.
    pub layers: Vec<usize>,
    /// How people behave.
    pub conduct: Conduct,
    /// What of the document is not played.
    pub notes: Vec<String>,
}

/// Who lost what, over all paths.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fate {
    /// Who.
    pub name: &'static str,
    /// Share of all underwriters.
    pub share: f64,
    /// What they have at the end for each unit that they put in; none where there are none of them.
    pub kept: Option<f64>,
}

/// Many histories, added up. Amounts are in the document's unit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The portfolio's name.
    pub portfolio: String,
    /// What an amount of one is.
    pub unit: String,
    /// Keccak-256 of the portfolio.
    pub hash: B256,
    /// The stress.
    pub scenario: Scenario,
    /// Histories.
    pub paths: u64,
    /// Days of each.
    pub days: u32,
    /// The seed.
    pub seed: u64,
    /// What the document became.
    pub terms: Terms,
    /// Means over paths.
    pub measures: Vec<Measure>,
    /// Those who stayed, who asked to leave before the first incident of their path, and who asked after it.
    pub underwriters: Vec<Fate>,
    /// Mean day of the closing where the pool closed.
    pub closing_day: Option<f64>,
    /// Operations that the contracts refused, by operation and name, over all paths.
    pub refusals: BTreeMap<String, u64>,
    /// Those of them that nothing explains.
    pub unexpected_refusals: u64,
    /// Books that do not balance, the first few of all paths; always empty, unless arithmetic is wrong.
    pub broken: Vec<String>,
    /// Means over paths, epoch by epoch.
    pub series: Vec<Point>,
}

/// Most broken books that a report names.
const NAMED: usize = 8;

type Read = fn(&Outcome) -> f64;

/// What is told of all paths, in the order of the telling.
const MEASURES: [(&str, Read); 26] = [
    ("modelled loss", |o| o.modelled),
    ("insured loss", |o| o.lost),
    ("due", |o| o.due),
    ("paid", |o| o.paid),
    ("shortfall", |o| o.due - o.paid),
    ("probability of a shortfall", |o| flag(o.due > o.paid)),
    ("probability that the pool closes", |o| flag(o.closed.is_some())),
    ("probability of ruin", |o| flag(o.ruined)),
    ("premium", |o| o.premium),
    ("borne by surplus", |o| o.borne[0]),
    ("borne by junior", |o| o.borne[1]),
    ("borne by mezzanine", |o| o.borne[2]),
    ("borne by senior", |o| o.borne[3]),
    ("capital at the start", |o| o.capital[0]),
    ("capital at the end", |o| o.capital[1]),
    ("in force at the start", |o| o.in_force[0]),
    ("in force at the end", |o| o.in_force[1]),
    ("incidents", |o| f64::from(o.incidents)),
    ("lapses for the price", |o| f64::from(o.lapses)),
    ("buyers gone", |o| f64::from(o.gone)),
    ("looks that found no room", |o| f64::from(o.unserved)),
    ("asked to leave", |o| o.asked),
    ("paid to leavers", |o| o.left),
    ("still waiting to leave", |o| o.waiting),
    ("longest queue, share of capital", |o| o.longest_queue),
    ("exits that stripped the book", |o| f64::from(o.stripped)),
];

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

impl Report {
    pub(super) fn new(model: &Model, options: &Options, terms: &Terms, outcomes: &[Outcome]) -> Self {
        let mut refusals = BTreeMap::new();
        for (name, count) in outcomes.iter().flat_map(|o| &o.refusals) {
            *refusals.entry(name.clone()).or_default() += count;
        }
        let closings: Vec<f64> = outcomes.iter().filter_map(|o| o.closed).collect();
        let waits: Vec<f64> = outcomes.iter().filter_map(|o| o.waited).collect();
        let mut measures: Vec<Measure> = MEASURES
            .iter()
            .map(|(name, read)| measure(name, &outcomes.iter().map(read).collect::<Vec<f64>>()))
            .collect();
        if !waits.is_empty() {
            measures.push(measure("days to leave, where somebody did", &waits));
        }
        Self {
            portfolio: model.portfolio.name.clone(),
            unit: model.portfolio.unit.clone(),
            hash: model.hash,
            scenario: options.scenario,
            paths: options.paths,
            days: options.days,
            seed: options.seed,
            terms: terms.clone(),
            measures,
            underwriters: fates(outcomes),
            closing_day: (!closings.is_empty()).then(|| mean(&closings)),
            refusals,
            unexpected_refusals: outcomes.iter().map(|o| o.unexpected).sum(),
            broken: outcomes.iter().flat_map(|o| &o.broken).take(NAMED).cloned().collect(),
            series: series(outcomes),
        }
    }

    /// A measure by its name.
    pub fn measure(&self, name: &str) -> Option<&Measure> {
        self.measures.iter().find(|measure| measure.name == name)
    }
}

fn mean(values: &[f64]) -> f64 {
    // In the order of the paths, so that threads change no digit.
    values.iter().fold(0.0, |sum, value| sum + value) / values.len() as f64
}

fn measure(name: &'static str, values: &[f64]) -> Measure {
    let mean = mean(values);
    let count = values.len() as f64;
    let square = values.iter().fold(0.0, |sum, value| sum + (value - mean) * (value - mean));
    let standard_error = if count > 1.0 { (square / (count - 1.0) / count).sqrt() } else { 0.0 };
    Measure { name, mean, standard_error }
}

fn fates(outcomes: &[Outcome]) -> Vec<Fate> {
    let mut sums = [Group::default(); 3];
    for group in outcomes.iter().map(|o| &o.groups) {
        for (sum, own) in sums.iter_mut().zip(group) {
            sum.count += own.count;
            sum.put_in += own.put_in;
            sum.has += own.has;
        }
    }
    let all = sums.iter().fold(0.0, |all, sum| all + sum.count).max(1.0);
    let names = ["stayed", "asked to leave before the first incident", "asked to leave after it"];
    let fate = |(name, sum): (&'static str, Group)| Fate {
        name,
        share: sum.count / all,
        kept: (sum.put_in > 0.0).then(|| sum.has / sum.put_in),
    };
    names.into_iter().zip(sums).map(fate).collect()
}

fn series(outcomes: &[Outcome]) -> Vec<Point> {
    // All paths are looked at on the same days; the last look may come later where an incident was still open.
    let len = outcomes.iter().map(|o| o.series.len()).min().unwrap_or(0);
    let all = outcomes.len().max(1) as f64;
    (0..len)
        .map(|place| {
            let sum = |read: fn(&Point) -> f64| {
                outcomes.iter().fold(0.0, |sum, outcome| sum + read(&outcome.series[place])) / all
            };
            Point {
                day: sum(|p| p.day),
                capital: sum(|p| p.capital),
                in_force: sum(|p| p.in_force),
                queued: sum(|p| p.queued),
                closed: sum(|p| p.closed),
            }
        })
        .collect()
}
