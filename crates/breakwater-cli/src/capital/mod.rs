//! The capital engine at the command line: what a pool must hold, what each cover costs it.
//!
//! The key decision: nothing here needs a chain, so none of it starts the asynchronous runtime, and a run's clock says
//! what the process takes.

mod agents;
mod example;
mod input;
mod output;
mod progress;
mod report;
mod run;
mod spread;
mod summary;
mod task;
mod worker;
mod yearly;

use clap::Subcommand;

use crate::failure::{Failure, Outcome};
use crate::style::Screen;

/// Where to read more about all of these.
const MORE: &str = "docs/cli.md, section Capital";

/// Questions to the capital engine.
#[derive(Debug, Subcommand)]
pub(crate) enum CapitalCommand {
    /// Simulate a portfolio: losses gross and net, layers, tranches, allocation, each with its standard error
    Run(run::Run),
    /// Live through a pool's years by the contracts' own arithmetic, with buyers, underwriters and keepers
    Agents(agents::Agents),
    /// Simulate batches of runs that were begun elsewhere with --bus, until it is interrupted
    Worker(worker::Worker),
    /// Print a portfolio to begin with, or list what there is
    Example(example::Example),
    /// Print the JSON Schema of the portfolio file
    Schema,
}

/// Does what was asked.
pub(crate) fn command(asked: &CapitalCommand, screen: &Screen) -> Result<Outcome, Failure> {
    match asked {
        CapitalCommand::Run(asked) => run::run(asked, screen),
        CapitalCommand::Agents(asked) => agents::run(asked, screen),
        CapitalCommand::Worker(asked) => worker::worker(asked, screen),
        CapitalCommand::Example(asked) => example::example(asked, screen),
        CapitalCommand::Schema => example::schema(screen),
    }
}
