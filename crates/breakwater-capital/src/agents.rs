//! Agent-based stress: a pool of the portfolio, run by the contracts' own arithmetic, with people in it.
//!
//! The other engines of this crate take capital as a number and losses off it. Here the pool is a
//! [`World`](breakwater_policy::World), the contracts' twin: cover is bought at quoted prices and streams its premium,
//! an attack is an incident that is opened, dwells, is settled policy by policy and closed, capital comes and leaves
//! through epochs and queues, and every number is an integer that is rounded as the contracts round it.
//! Attacks come from [`Sampler`](crate::timeline::Sampler), so a year here is a year there.
//!
//! # Who acts
//! - **Buyers**: several for each product; each covers its part of the exposure for [`stage::TERM_DAYS`] days and looks
//!   at the quote before it buys again. It leaves once the price has risen by more than it bears, comes back when that
//!   is over, and restores what was paid out to it.
//! - **Underwriters**: several for each tranche; patient ones, such as follow the yield, and such as run.
//! - **The curator**: locks junior capital, sets caps, and raises floor rates after losses.
//! - **Keepers**: open, settle and close every incident in time, process epochs and claim what was paid.
//!
//! # What differs from the plain engines
//! - The documented loss of an event is turned into the loss fraction for which the contracts owe the same share of the
//!   sums in force; deductibles are those of `deductible_share`, and amounts taken off are in the fraction.
//! - What a policy was paid comes off its sum until its holder restores it; annual limits do not exist.
//! - A pool's treaties and the failures of its reserve are left out: losses are gross.
//! - Premium comes in over the year and stands in line for losses; sums are rounded up to units and capital down.

mod buyers;
mod conduct;
mod outcome;
mod path;
mod report;
mod stage;
mod underwriters;

#[cfg(test)]
mod tests;

pub use conduct::{Conduct, Scenario};
pub use outcome::{Group, Outcome, Point};
pub use report::{Fate, Measure, Report, Terms};

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    analysis::parallel,
    fault::Fault,
    model::Model,
    rng::{Purpose, Stream},
    timeline::{Room, Sampler, Timeline, Year},
};
use path::Path;
use stage::Setting;

/// Days that one run may last at most.
pub const MOST_DAYS: u32 = 3650;
/// Paths that one run may have at most.
pub const MOST_PATHS: u64 = 10_000_000;

/// What is to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Independent histories, at least one.
    pub paths: u64,
    /// Days of each, at least one.
    pub days: u32,
    /// Seed of everything.
    pub seed: u64,
    /// Threads; they change no digit.
    pub threads: usize,
    /// How people behave, and what the year is like.
    pub scenario: Scenario,
    /// The pool's name; the first without one.
    pub pool: Option<String>,
    /// Exposure a unit of capital may carry, 1 to 10; without it, so much that the book fills four fifths of it.
    pub leverage: Option<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            paths: 200,
            days: 365,
            seed: 1,
            threads: 1,
            scenario: Scenario::Baseline,
            pool: None,
            leverage: None,
        }
    }
}

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The portfolio or the options cannot be run.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Whoever watched the run ended it.
    #[error("the run was ended before its last path")]
    Ended,
}

/// Whoever watches hears how many further paths are done, and answers whether to go on.
pub type Watch<'a> = &'a (dyn Fn(u64) -> bool + Sync);

/// Runs all paths.
///
/// # Errors
/// A portfolio without a pool or with one that the contracts could not hold, options out of their range, a run that
/// `watch` ended.
pub fn run(model: &Model, options: &Options, watch: Watch<'_>) -> Result<Report, Failure> {
    let outcomes = paths(model, options, watch)?;
    Ok(Report::new(model, options, &outcomes.0, &outcomes.1))
}

/// The histories themselves, in the order of their numbers, and what the document became.
///
/// # Errors
/// As [`run`].
pub fn paths(model: &Model, options: &Options, watch: Watch<'_>) -> Result<(Terms, Vec<Outcome>), Failure> {
    within("paths", options.paths, MOST_PATHS)?;
    within("days", u64::from(options.days), u64::from(MOST_DAYS))?;
    let conduct = Conduct::of(model, options)?;
    let model = conduct.stressed(model)?;
    // The engine of years says which models have no end.
    Timeline::new(&model).map_err(|what| Fault::new("portfolio", what))?;
    let sampler = Sampler::new(&model);
    let setting = Setting::new(&model, conduct, options)?;
    let openings = (0..model.regimes.len())
        .map(|regime| Path::open(&setting, regime))
        .collect::<Result<Vec<_>, Fault>>()?;
    let count = usize::try_from(options.paths)
        .map_err(|_| Fault::new("paths", format!("{} do not fit in memory", options.paths)))?;
    let ended = AtomicBool::new(false);
    let outcomes = parallel::each(count, options.threads, |index| {
        if ended.load(Ordering::Relaxed) {
            return Outcome::default();
        }
        let years = years(&sampler, options, index as u64);
        let regime = years.first().map_or(0, |year| year.regime);
        let stream = Stream::new(options.seed, Purpose::Agents, index as u64);
        let outcome = openings[regime].clone().live(&years, stream, options.days);
        if !watch(1) {
            ended.store(true, Ordering::Relaxed);
        }
        outcome
    });
    if ended.into_inner() {
        return Err(Failure::Ended);
    }
    Ok((setting.terms(), outcomes))
}

/// The years of a path, by keys of their own.
fn years(sampler: &Sampler, options: &Options, index: u64) -> Vec<Year> {
    let mut keys = Stream::new(options.seed, Purpose::Path, index);
    let mut room = Room::default();
    (0..options.days.div_ceil(365))
        .map(|_| {
            let mut year = Year::default();
            sampler.year(keys.word(), &mut room, &mut year);
            year
        })
        .collect()
}

fn within(field: &str, got: u64, most: u64) -> Result<(), Fault> {
    if got == 0 || got > most {
        return Err(Fault::new(field, format!("must be 1 to {most}, got {got}")));
    }
    Ok(())
}
