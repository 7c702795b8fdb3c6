//! `capital agents`.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Instant;

use breakwater_capital::Model;
use breakwater_capital::agents::{self, Fate, Options, Point, Report, Scenario};
use breakwater_report::figure::{figure, fixed, percent};
use clap::Args;
use serde_json::Value;

use super::progress::Progress;
use super::{MORE, input};
use crate::failure::{Failure, Outcome};
use crate::style::{Palette, Screen, grouped, table};

/// Points of the course that are shown to people.
const SHOWN: usize = 13;

/// Which pool, and what it lives through.
#[derive(Debug, Args)]
pub(crate) struct Agents {
    /// Portfolio in TOML or JSON; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Histories to live through
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=agents::MOST_PATHS))]
    paths: u64,
    /// Days of each
    #[arg(long, value_name = "D", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=i64::from(agents::MOST_DAYS)))]
    days: u32,
    /// Seed of all random numbers: the same seed, the same digits
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Threads; they change no digit [default: one for each core]
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// baseline, bank-run, lapse-spiral or 2022
    #[arg(long, value_name = "NAME", default_value = "baseline", value_parser = Scenario::named)]
    scenario: Scenario,
    /// The pool to live in [default: the first]
    #[arg(long, value_name = "ID")]
    pool: Option<String>,
    /// Exposure that a unit of capital may carry, 1 to 10 [default: the book fills four fifths of it]
    #[arg(long, value_name = "TIMES")]
    leverage: Option<f64>,
}

/// Lives through all histories and says what became of everybody.
pub(crate) fn run(asked: &Agents, screen: &Screen) -> Result<Outcome, Failure> {
    let portfolio = input::portfolio(&asked.file)?;
    let begun = Instant::now();
    let model = Model::new(portfolio).map_err(|fault| input::refused(&asked.file, &fault))?;
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let options = Options {
        paths: asked.paths,
        days: asked.days,
        seed: asked.seed,
        threads: asked.threads.map_or_else(cores, usize::from),
        scenario: asked.scenario,
        pool: asked.pool.clone(),
        leverage: asked.leverage,
    };
    let years = u64::from(asked.days.div_ceil(365));
    let progress = Progress::begin(asked.paths * years);
    let report = agents::run(&model, &options, &|paths| progress.more(paths * years));
    progress.end();
    let report = report.map_err(|failure| match failure {
        agents::Failure::Fault(fault) => input::refused(&asked.file, &fault),
        agents::Failure::Ended => Failure::new("interrupted; nothing was written")
            .right("the same command again, with fewer --paths if it takes too long")
            .more(MORE),
    })?;
    if screen.json {
        let mut value = serde_json::to_value(&report)
            .map_err(|error| Failure::new(format!("the result has no JSON form: {error}")))?;
        value["seconds"] = Value::from(begun.elapsed().as_secs_f64());
        screen.object(&value);
    } else {
        screen.say(head(&report, begun.elapsed().as_secs_f64(), screen.palette));
        screen.say(tables(&report, screen.palette));
    }
    Ok(Outcome::Ok)
}

fn head(report: &Report, seconds: f64, palette: Palette) -> String {
    let terms = &report.terms;
    format!(
        "{}, pool {:?}, {}  {} paths of {} days, seed {}, {seconds:.3} s\n{}",
        palette.bold(&report.portfolio),
        terms.pool,
        report.scenario.name(),
        grouped(report.paths),
        grouped(report.days),
        report.seed,
        palette.dim(&format!(
            "amounts in {}; ± is one standard error; leverage {}, epochs of {} days, cooldown {}, covers of {}",
            report.unit,
            fixed(terms.leverage, 2),
            terms.epoch_days,
            terms.cooldown_days,
            terms.term_days
        )),
    )
}

fn tables(report: &Report, palette: Palette) -> String {
    let mut parts = vec![measures(report), fates(&report.underwriters), course(&report.series)];
    if !report.refusals.is_empty() {
        let rows: Vec<Vec<String>> =
            report.refusals.iter().map(|(name, count)| vec![name.clone(), grouped(count)]).collect();
        parts.push(table(&["refused by the contracts, all paths", "times"], &rows, &[1]));
    }
    let wrong = report.unexpected_refusals;
    if wrong > 0 {
        parts.push(palette.red(&format!("{wrong} refusals that nothing explains")));
    }
    parts.extend(report.broken.iter().map(|book| palette.red(&format!("books do not balance: {book}"))));
    parts.extend(report.terms.notes.iter().map(|note| palette.dim(note)));
    parts.iter().map(|part| format!("\n{part}")).collect::<Vec<_>>().join("\n")
}

fn measures(report: &Report) -> String {
    let row = |measure: &agents::Measure| {
        let chance = measure.name.starts_with("probability");
        let say = if chance { percent } else { figure };
        let [value, error] = say(measure.mean, measure.standard_error);
        let name = if chance { format!("{}, %", measure.name) } else { measure.name.to_owned() };
        vec![name, value, error]
    };
    let rows: Vec<Vec<String>> = report.measures.iter().map(row).collect();
    table(&["mean over paths", "", ""], &rows, &[1])
}

fn fates(fates: &[Fate]) -> String {
    let row = |fate: &Fate| {
        let kept = fate.kept.map_or_else(|| "-".to_owned(), |kept| fixed(100.0 * kept, 2));
        vec![fate.name.to_owned(), fixed(100.0 * fate.share, 1), kept]
    };
    let rows: Vec<Vec<String>> = fates.iter().map(row).collect();
    table(&["underwriters who", "share %", "have of their capital %"], &rows, &[1, 2])
}

fn course(series: &[Point]) -> String {
    let step = series.len().div_ceil(SHOWN).max(1);
    let row = |point: &Point| {
        let amounts =
            [point.capital, point.in_force, point.queued].map(|amount| figure(amount, 0.0)[0].clone());
        let mut cells = vec![fixed(point.day, 0)];
        cells.extend(amounts);
        cells.push(fixed(100.0 * point.closed, 1));
        cells
    };
    let rows: Vec<Vec<String>> = series.iter().step_by(step).map(row).collect();
    table(&["day", "capital", "in force", "waits to leave", "closed %"], &rows, &[0, 1, 2, 3, 4])
}
