//! `cargo xtask`: set-up, the demo, every test, and the files that are generated and committed.
//!
//! Nothing here is needed to build or use Breakwater; it only runs the tools that do.

mod artifacts;
mod benchmarks;
mod failures;
mod long;
mod mutants;
mod peers;
mod python;
mod review;
mod sizes;
mod steps;
mod test;
mod tidy;
mod tools;

use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set-up, demo, tests and generated files of Breakwater")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the registries offer and say what else is missing.
    Setup,
    /// Set-up, then the demo: cover bought, two attacks, losses proven and paid, books balanced.
    Demo {
        /// Passed on to `breakwater demo`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Set-up, then every test.
    Test {
        /// Also mutants, review, long twin runs, hundreds of kills and a book of a million policies.
        #[arg(long)]
        long: bool,
        /// Only steps whose name contains this.
        #[arg(long)]
        only: Option<String>,
    },
    /// Compile the contracts and rewrite the committed artifacts.
    Artifacts {
        /// Fail if the committed artifacts are stale instead of rewriting them.
        #[arg(long)]
        check: bool,
    },
    /// Rewrite the committed gas and size snapshots, and the table of them in BENCHMARKS.md.
    Snapshots,
    /// Run Slither over the contracts and halmos over the arithmetic, compare with the committed answers and rewrite
    /// contracts/REVIEW.md.
    Review {
        /// What one symbolic check may take, in seconds, before it counts as timed out.
        #[arg(long, default_value_t = review::CHECK_TIMEOUT_S)]
        seconds: u64,
    },
    /// Time the capital engine beside its peers on the reference job; BENCHMARKS.md has the figures.
    Peers(peers::Options),
    /// Try each committed mutant on the invariants and tests that are to kill it.
    Mutants(mutants::Options),
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Setup => tools::setup(),
        Task::Demo { rest } => test::demo(&rest),
        Task::Test { long, only } => test::run(long, only.as_deref()),
        Task::Artifacts { check: true } => artifacts::check(),
        Task::Artifacts { check: false } => artifacts::write(),
        Task::Snapshots => test::snapshots(),
        Task::Review { seconds } => review::run(Duration::from_secs(seconds)).map(drop),
        Task::Peers(options) => peers::run(&options),
        Task::Mutants(options) => mutants::run(&options).map(drop),
    }
}
