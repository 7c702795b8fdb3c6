//! Years after years, day by day: ruin, liquidity, and how covers and underwriters behave.
//!
//! A path begins with the portfolio of the document, its covers sold on the first day, and runs for some years. Events of
//! each year are drawn and settled as [`crate::timeline`] does; what treaties leave of an event is a claim of its day.
//!
//! # A day of a pool
//! 1. Premium comes in: `premium * level * share in force * regime's premium / 365`, less the pool's share of the
//!    treaties' premium (by premium of covered products; a deficit is borne like a loss). `premium_to_surplus` of it is
//!    surplus', the rest the tranches' by weight. In the first year a product earns and covers from its waiting period's
//!    end on; renewals follow without a gap.
//! 2. The reserve earns `(1 + yield)^(1/365) - 1`; every layer has its part by value.
//! 3. Claims and failures of the reserve strike in the order of time: surplus, then tranches, bear them; those who wait
//!    to leave bear as much as those who stay.
//! 4. After a loss, `redemption_per_loss` times the tenths of capital lost (claims, failures, prices) asks to leave, and
//!    on every day so much that an ordinary year sees `redemption` of it ask.
//! 5. Cash pays claims, then requests that are due: after `exit_days`, and not before the longest `report_days` of the
//!    pool's products, for until then claims of covers that ended may still come. If cash is short, all requests due get
//!    the same part. The day's *shortfall* is what was payable less the cash there was; so much of the reserve is sold,
//!    and is cash on the next day.
//!
//! # A year's ends
//! - It begins with deposits (`deposits` of each tranche's first capital, if the year before made a profit), with the
//!   market's prices (`capital` of the regime), and with the reserve at its share of all assets again.
//! - It ends with what stop losses pay: debts first, then those who lost in the year, the last in line first, then
//!   surplus; and with reinstatement premium.
//! - The year's loss is the capital it began with less what is there and what was paid out to those who left. Premiums of
//!   the next year are `1 + min(1, price_response * loss / premium in force)` times the document's.
//! - Covers renew with `renewal * (1 - lapse_per_rise * tenths of the rise)`.
//!
//! # Ruin
//! A pool is insolvent on the first day on which claims exceed all its capital by more than stop losses will pay it at
//! the year's end. It has no covers from then on, and its capital counts as 0. With exponential claims and premium as
//! the only income the ruin probability tends to the classical `exp(-theta u / ((1 + theta) mu)) / (1 + theta)`
//! (Asmussen and Albrecher, "Ruin Probabilities" (2010), chapter IV); a test holds it to that.

mod path;
mod pool;
mod tally;

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use serde::{Deserialize, Serialize};

use crate::{
    model::Model,
    outcome::{Failure, Hashes, Options, hashes},
};
use path::{DAYS, Desk, Scene};
use tally::{Annual, Day, KEPT, Tally};

/// Paths that one thread runs at a time.
const BLOCK: u64 = 32;
/// Paths times years times pools that fit: every path's capital is kept for quantiles.
const MOST: u64 = 1 << 24;
/// Levels of all quantiles.
pub const LEVELS: [f64; 9] = [0.005, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.995];

/// How to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct YearsOptions {
    /// Paths, at least one.
    pub paths: u64,
    /// Years of each path, at least one.
    pub years: u32,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Threads; the digits do not depend on them.
    pub threads: usize,
}

/// A number and its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// A quantile over paths.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// Share of paths at or below it.
    pub level: f64,
    /// The quantile.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// A number over paths: its mean and quantiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: Estimate,
    /// Standard deviation.
    pub sd: f64,
    /// Quantiles at [`LEVELS`].
    pub quantiles: Vec<Quantile>,
}

/// A year of a pool, over all paths; paths that ended count with nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct YearRow {
    /// 1 for the first.
    pub year: u32,
    /// Probability of insolvency by its end.
    pub ruin: Estimate,
    /// What was owed beyond everything there was, in the year of insolvency.
    pub unpaid: Estimate,
    /// Capital at its end, of those included who wait to leave.
    pub capital: Spread,
    /// Premium earned.
    pub premium: Spread,
    /// Claims that treaties left.
    pub claims: Estimate,
    /// Share of the first year's covers that is in force.
    pub in_force: Estimate,
    /// Paid to those who left.
    pub redeemed: Estimate,
    /// Probability of a day on which more was payable than there was cash.
    pub short: Estimate,
    /// Number of such days.
    pub short_days: Estimate,
    /// Largest shortfall of a day.
    pub shortfall: Spread,
}

/// Days of a pool from the first on, over all paths: means and probabilities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DaySeries {
    /// Claims and redemptions that were due.
    pub payable: Vec<f64>,
    /// Cash there was.
    pub liquid: Vec<f64>,
    /// What cash did not cover.
    pub shortfall: Vec<f64>,
    /// Standard error of that.
    pub shortfall_error: Vec<f64>,
    /// Probability that cash did not cover it.
    pub short: Vec<f64>,
    /// Standard error of that.
    pub short_error: Vec<f64>,
    /// Probability of insolvency up to and on this day.
    pub insolvent: Vec<f64>,
}

/// Days until insolvency, over the paths that come to it within the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeToInsolvency {
    /// How many paths do.
    pub paths: u64,
    /// Days.
    pub days: Spread,
}

/// A pool over the years.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolYears {
    /// Its name.
    pub id: String,
    /// By year.
    pub years: Vec<YearRow>,
    /// By day.
    pub days: DaySeries,
    /// None if no path came to insolvency.
    pub time_to_insolvency: Option<TimeToInsolvency>,
}

/// What a run of several years found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct YearsReport {
    /// The portfolio's name.
    pub portfolio: String,
    /// What an amount of 1.0 is.
    pub unit: String,
    /// Paths.
    pub paths: u64,
    /// Years of each.
    pub years: u32,
    /// Seed.
    pub seed: u64,
    /// Pools in the document's order.
    pub pools: Vec<PoolYears>,
    /// What was computed.
    pub hashes: Hashes,
}

/// Runs a model over several years.
///
/// # Errors
/// [`Failure::Refused`] with the reason: no pools, no paths, no years, more than can be held, or a model that years event
/// by event refuse.
pub fn run(model: &Model, options: &YearsOptions) -> Result<YearsReport, Failure> {
    run_watched(model, options, &|_| true)
}

/// The same; `watch` is told how many further paths are done, from any thread, and ends the run by answering false.
///
/// # Errors
/// As [`run`], and [`Failure::Ended`].
pub fn run_watched(
    model: &Model,
    options: &YearsOptions,
    watch: &(dyn Fn(u64) -> bool + Sync),
) -> Result<YearsReport, Failure> {
    check(model, options).map_err(Failure::Refused)?;
    let years = options.years as usize;
    let scene = Scene::new(model, years, options.seed).map_err(Failure::Refused)?;
    let all = tally(&scene, options, model.pools.len(), watch).ok_or(Failure::Ended)?;
    let pools = model.portfolio.pools.iter().zip(&all.days).zip(all.years);
    let pool = |((pool, days), annual): ((&crate::portfolio::Pool, &Vec<Day>), Vec<Annual>)| PoolYears {
        id: pool.id.clone(),
        years: rows(annual, days, options.paths),
        days: series(days, options.paths as f64),
        time_to_insolvency: time(days),
    };
    let same = Options { years: options.paths, seed: options.seed, threads: options.threads };
    Ok(YearsReport {
        portfolio: model.portfolio.name.clone(),
        unit: model.portfolio.unit.clone(),
        paths: options.paths,
        years: options.years,
        seed: options.seed,
        pools: pools.map(pool).collect(),
        hashes: hashes(model, &same, &format!("paths of {} years", options.years)),
    })
}

fn check(model: &Model, options: &YearsOptions) -> Result<(), String> {
    if model.pools.is_empty() {
        return Err("the portfolio names no pool; years after years are a pool's".into());
    }
    if options.paths == 0 || options.years == 0 {
        return Err(format!("{} paths of {} years; ask for at least 1 of 1", options.paths, options.years));
    }
    let held = u128::from(options.paths) * u128::from(options.years) * model.pools.len() as u128;
    if held > u128::from(MOST) {
        return Err(format!("{held} years of pools on all paths; at most {MOST} can be held"));
    }
    Ok(())
}

/// Blocks of paths over threads, added in their order.
fn tally(
    scene: &Scene<'_>,
    options: &YearsOptions,
    pools: usize,
    watch: &(dyn Fn(u64) -> bool + Sync),
) -> Option<Tally> {
    let years = options.years as usize;
    let blocks = options.paths.div_ceil(BLOCK);
    let threads = options.threads.clamp(1, 1024);
    let mut all = Tally::new(pools, years);
    let stop = AtomicBool::new(false);
    let window = 4 * threads as u64;
    for from in (0..blocks).step_by(window as usize) {
        let to = (from + window).min(blocks);
        let next = AtomicU64::new(from);
        let done: Mutex<Vec<(u64, Tally)>> = Mutex::new(vec![]);
        let work = || {
            let mut desk = Desk::default();
            loop {
                let block = next.fetch_add(1, Ordering::Relaxed);
                if block >= to || stop.load(Ordering::Relaxed) {
                    return;
                }
                let mut tally = Tally::new(pools, years);
                let paths = block * BLOCK..((block + 1) * BLOCK).min(options.paths);
                let count = paths.end - paths.start;
                paths.for_each(|path| scene.path(path, &mut desk, &mut tally));
                if !watch(count) {
                    stop.store(true, Ordering::Relaxed);
                }
                // A thread that panicked took the run with it: there is nobody left to see the poison.
                done.lock().unwrap_or_else(PoisonError::into_inner).push((block, tally));
            }
        };
        if threads == 1 {
            work();
        } else {
            std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        }
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_unstable_by_key(|d| d.0);
        done.into_iter().for_each(|(_, tally)| all.add(tally));
    }
    Some(all)
}

fn rows(annual: Vec<Annual>, days: &[Day], paths: u64) -> Vec<YearRow> {
    let n = paths as f64;
    let mut ruined = 0;
    let row = |(index, (mut annual, days)): (usize, (Annual, &[Day]))| {
        ruined += days.iter().map(|d| d.failed).sum::<u64>();
        let mean = |i: usize| mean(annual.first[i], annual.second[i], n);
        let mut kept = std::mem::take(&mut annual.kept).into_iter();
        let mut spread = |place: usize| {
            let values = kept.next().unwrap_or_default();
            spread(values, mean(KEPT[place]), n)
        };
        let (capital, premium, shortfall) = (spread(0), spread(1), spread(2));
        YearRow {
            year: index as u32 + 1,
            ruin: share(ruined, n),
            unpaid: mean(7),
            capital,
            premium,
            claims: mean(2),
            in_force: mean(3),
            redeemed: mean(4),
            short: share(annual.short, n),
            short_days: mean(6),
            shortfall,
        }
    };
    annual.into_iter().zip(days.chunks(DAYS)).enumerate().map(row).collect()
}

fn series(days: &[Day], n: f64) -> DaySeries {
    let mut series = DaySeries::default();
    let mut failed = 0;
    for day in days {
        failed += day.failed;
        let shortfall = mean(day.shortfall, day.shortfall_square, n);
        let short = share(day.short, n);
        series.payable.push(day.payable / n);
        series.liquid.push(day.liquid / n);
        series.shortfall.push(shortfall.value);
        series.shortfall_error.push(shortfall.error);
        series.short.push(short.value);
        series.short_error.push(short.error);
        series.insolvent.push(failed as f64 / n);
    }
    series
}

fn time(days: &[Day]) -> Option<TimeToInsolvency> {
    let all = days.iter().enumerate();
    let values: Vec<f32> =
        all.flat_map(|(day, d)| std::iter::repeat_n((day + 1) as f32, d.failed as usize)).collect();
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let sum = |f: fn(f64) -> f64| values.iter().fold(0.0, |sum, &v| sum + f(f64::from(v)));
    let mean = mean(sum(|v| v), sum(|v| v * v), n);
    Some(TimeToInsolvency { paths: values.len() as u64, days: spread(values, mean, n) })
}

/// A mean of so many values from their sum and the sum of their squares.
fn mean(first: f64, second: f64, n: f64) -> Estimate {
    let value = first / n;
    Estimate { value, error: ((second / n - value * value).max(0.0) / n).sqrt() }
}

/// A share of paths.
fn share(count: u64, n: f64) -> Estimate {
    let value = count as f64 / n;
    Estimate { value, error: (value * (1.0 - value) / n).sqrt() }
}

/// Quantiles of the values of all paths. The error of one is half the distance of those one standard deviation of the
/// count to either side.
fn spread(mut values: Vec<f32>, mean: Estimate, n: f64) -> Spread {
    values.sort_unstable_by(f32::total_cmp);
    let at = |share: f64| {
        let place = libm::ceil(share * n).clamp(1.0, n) as usize - 1;
        values.get(place).map_or(0.0, |&v| f64::from(v))
    };
    let quantile = |&level: &f64| {
        let spread = (level * (1.0 - level) / n).sqrt();
        let error = 0.5 * (at(level + spread) - at(level - spread));
        Quantile { level, value: at(level), error }
    };
    Spread { mean, sd: mean.error * n.sqrt(), quantiles: LEVELS.iter().map(quantile).collect() }
}
