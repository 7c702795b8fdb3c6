//! What all questions to simulated years have in common: a portfolio, years kept with their claims, and the answer's form.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Instant;

use breakwater_capital::outcome::{self, Failure as Stopped, Options};
use breakwater_capital::{Model, Portfolio, analysis::Years};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::input;
use super::progress::Progress;
use crate::failure::Failure;
use crate::style::{Palette, Screen, grouped};

/// A portfolio and the years to ask.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// Portfolio in TOML or JSON; - is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) sample: Sample,
}

/// The years to ask.
#[derive(Debug, Args)]
pub(crate) struct Sample {
    /// Years to simulate; those that are asked stay in memory, about 1 kB each for sixteen claims a year
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=1 << 31))]
    pub(crate) years: u64,
    /// Seed of all random numbers: the same seed, the same digits
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Threads; they change no digit [default: one for each core]
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

/// A level of a TVaR, as a fraction of one.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Level {
    /// Level of the TVaR, a fraction: 0.99 is the mean of the worst hundredth of the years
    #[arg(long, value_name = "FRACTION", default_value_t = 0.99)]
    pub(crate) level: f64,
}

/// A model under study, and its clock.
#[derive(Debug)]
pub(crate) struct Study {
    pub(crate) model: Model,
    pub(crate) options: Options,
    begun: Instant,
}

impl Asked {
    /// Reads the portfolio and checks it.
    pub(crate) fn study(&self) -> Result<Study, Failure> {
        self.sample.study(&self.file, Ok)
    }
}

impl Sample {
    /// Reads a portfolio, changes it, and checks it.
    pub(crate) fn study(
        &self,
        file: &Path,
        change: impl FnOnce(Portfolio) -> Result<Portfolio, Failure>,
    ) -> Result<Study, Failure> {
        let portfolio = input::portfolio(file)?;
        let begun = Instant::now();
        let model = Model::new(change(portfolio)?).map_err(|fault| input::refused(file, &fault))?;
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = self.threads.map_or_else(cores, usize::from);
        let options = Options { years: self.years, seed: self.seed, threads };
        Ok(Study { model, options, begun })
    }
}

impl Study {
    /// The years, with a bar and an ear for Ctrl-C.
    pub(crate) fn years(&self) -> Result<Years, Failure> {
        watched(self.options.years, |watch| Years::simulate(&self.model, &self.options, watch))
    }

    /// Prints an answer: as JSON with what it was computed from, or as tables.
    pub(crate) fn answer<T: Serialize>(
        &self,
        what: &str,
        found: &T,
        screen: &Screen,
        tables: impl FnOnce(Palette) -> Vec<String>,
    ) -> Result<(), Failure> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let document = &self.model.portfolio;
        if screen.json {
            let found = serde_json::to_value(found)
                .map_err(|error| Failure::new(format!("the result has no JSON form: {error}")))?;
            let hashes = outcome::hashes(&self.model, &self.options, what);
            let mut answer = json!({
                "portfolio": document.name,
                "unit": document.unit,
                "seed": self.options.seed,
                "seconds": seconds,
                "hashes": hashes,
            });
            if let (Value::Object(answer), Value::Object(found)) = (&mut answer, found) {
                answer.extend(found);
            }
            screen.object(&answer);
            return Ok(());
        }
        screen.say(format!(
            "{}  {what}, {} years, seed {}, {seconds:.3} s\n{}",
            screen.palette.bold(&document.name),
            grouped(self.options.years),
            self.options.seed,
            screen.palette.dim(&format!("amounts in {}; ± is one standard error", document.unit)),
        ));
        for part in tables(screen.palette) {
            screen.say(format!("\n{part}"));
        }
        Ok(())
    }
}

/// Something that simulates so many years, watched.
pub(crate) fn watched<T>(
    years: u64,
    work: impl FnOnce(&(dyn Fn(u64) -> bool + Sync)) -> Result<T, Stopped>,
) -> Result<T, Failure> {
    let progress = Progress::begin(years);
    let done = work(&|years| progress.more(years));
    progress.end();
    done.map_err(|stopped| progress.stopped(&stopped))
}

/// A question that cannot be answered as it was put.
pub(crate) fn refused(stopped: &Stopped, right: &str) -> Failure {
    Failure::usage(stopped.to_string()).right(right).more(super::MORE)
}
