//! `capital run`.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Instant;

use breakwater_capital::Model;
use breakwater_capital::outcome::{self, Options, Outcome as Found};
use breakwater_capital::simulate::Block;
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::output::Output;
use super::progress::Progress;
use super::spread::{self, Spread};
use super::yearly::Yearly;
use super::{input, report, summary};
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

/// What to simulate and how.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Portfolio in TOML or JSON; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    sampling: Sampling,
    /// Write a report with charts here, as one HTML file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write every simulated year here, as Parquet
    #[arg(long, value_name = "FILE", conflicts_with = "workers")]
    table: Option<PathBuf>,
    #[command(flatten)]
    spread: Spread,
}

/// How years are drawn.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Sampling {
    /// Years to simulate
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000_000,
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(u64).range(1..=1 << 31)
    )]
    pub(crate) years: u64,
    /// Seed of all random numbers: the same seed, the same digits
    #[arg(long, value_name = "S", default_value_t = 1, allow_negative_numbers = true)]
    pub(crate) seed: u64,
    /// Threads; they change no digit [default: one for each core]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// How years are drawn
    #[arg(long, value_enum, default_value_t = Method::Auto)]
    pub(crate) method: Method,
}

/// How years are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// Tilted where the portfolio allows it, else crude
    Auto,
    /// Each year as likely as it is
    Crude,
    /// Years with large losses more often than they come, and weighed: far fewer years for the same error of the tail
    Tilted,
}

impl From<Method> for breakwater_capital::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Auto => Self::Auto,
            Method::Crude => Self::Crude,
            Method::Tilted => Self::Tilted,
        }
    }
}

impl Sampling {
    /// As the engine wants it.
    pub(crate) fn options(&self) -> Options {
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        Options { years: self.years, seed: self.seed, threads: self.threads.map_or_else(cores, usize::from) }
    }
}

/// Runs a portfolio and says what came out.
pub(crate) fn run(asked: &Run, screen: &Screen) -> Result<Outcome, Failure> {
    let portfolio = input::portfolio(&asked.file)?;
    let begun = Instant::now();
    let model = Model::new(portfolio).map_err(|fault| input::refused(&asked.file, &fault))?;
    let options = asked.sampling.options();
    let method = asked.sampling.method.into();
    let table = asked.table.as_ref().map(|path| Yearly::open(path, &model)).transpose()?;
    let report = asked.report.as_ref().map(|path| Output::open(path)).transpose()?;
    let progress = Progress::begin(options.years);
    let mut found = match asked.spread.workers {
        Some(_) => {
            spread::evaluate(&model, &options, method, &asked.spread, asked.sampling.threads, &progress)?
        }
        None => simulate(&model, &options, method, table, &progress)?,
    };
    if let Some(output) = report {
        report::write(output, &model, &options, &found, &progress)?;
    }
    if screen.json {
        let mut value = serde_json::to_value(&found)
            .map_err(|error| Failure::new(format!("the result has no JSON form: {error}")))?;
        value["seconds"] = Value::from(begun.elapsed().as_secs_f64());
        screen.object(&value);
    } else {
        let tables = summary::tables(&found, screen.palette);
        found.seconds = begun.elapsed().as_secs_f64();
        screen.say(summary::head(&found, options.threads, screen.palette));
        screen.say(tables);
    }
    Ok(Outcome::Ok)
}

/// The run itself, with a table if there is one.
fn simulate(
    model: &Model,
    options: &Options,
    method: breakwater_capital::Method,
    mut table: Option<Yearly>,
    progress: &Progress,
) -> Result<Found, Failure> {
    let watch = |years| progress.more(years);
    let mut broken = None;
    let found = match &mut table {
        None => outcome::evaluate_by(model, options, method, &watch, None),
        Some(table) => {
            let mut sink = |block: &Block| {
                broken = table.block(block).err();
                broken.is_none()
            };
            outcome::evaluate_by(model, options, method, &watch, Some(&mut sink))
        }
    };
    progress.end();
    if let Some(failure) = broken {
        return Err(failure);
    }
    let found = found.map_err(|stopped| progress.stopped(&stopped))?;
    table.map_or(Ok(()), |table| table.finish(&found))?;
    Ok(found)
}
