//! The capital engine at the command line: what a pool must hold, what each cover costs it.
//!
//! The key decision: nothing but `read` and a signature needs a chain, so nothing else starts the asynchronous runtime,
//! and a run's clock says what the process takes.

mod agents;
mod allocate;
mod capacity;
mod certify;
mod converge;
mod example;
mod fit;
mod hazards;
mod input;
mod live;
mod output;
mod price;
mod progress;
mod read;
mod report;
mod require;
mod reverse;
mod run;
mod spread;
mod stress;
mod study;
mod summary;
mod task;
mod translate;
#[cfg(test)]
mod vector;
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
    #[command(after_help = "Example: breakwater capital run pool.toml --report pool.html")]
    Run(run::Run),
    /// Live through a pool's years by the contracts' own arithmetic, with buyers, underwriters and keepers
    #[command(after_help = "Example: breakwater capital agents pool.toml --scenario bank-run")]
    Agents(agents::Agents),
    /// Simulate batches of runs that were begun elsewhere with --bus, until it is interrupted
    #[command(after_help = "Example: breakwater capital worker --bus nats://10.0.0.5:4222")]
    Worker(worker::Worker),
    /// What each cover must cost at the margin, and each treaty at a return
    ///
    /// A cover's price is its expected loss and the cost of the capital that it adds: the TVaR of the same years with
    /// and without it. A treaty's is what a reinsurer needs who locks the most it can pay.
    #[command(after_help = "Example: breakwater capital price pool.toml")]
    Price(price::Price),
    /// Who causes the capital: products, causes, treaties, tranches; each with Euler's part, its margin, and alone
    #[command(after_help = "Example: breakwater capital allocate pool.toml")]
    Allocate(allocate::Allocate),
    /// What is left after named scenarios, or scenarios of a file
    #[command(after_help = "Example: breakwater capital stress pool.toml")]
    Stress(stress::Stress),
    /// In which ways the pool breaks, how likely, and which single shock does it
    #[command(after_help = "Example: breakwater capital reverse pool.toml")]
    Reverse(reverse::Reverse),
    /// How many years are enough
    #[command(after_help = "Example: breakwater capital converge pool.toml")]
    Converge(converge::Converge),
    /// How much must be held at each level, and what each tranche bears
    #[command(after_help = "Example: breakwater capital require pool.toml")]
    Require(require::Require),
    /// Caps of products and clusters, and leverage, of most gain under a budget of TVaR
    #[command(after_help = "Example: breakwater capital capacity pool.toml --budget 20")]
    Capacity(capacity::Capacity),
    /// Print a portfolio to begin with, or list what there is
    #[command(after_help = "Example: breakwater capital example small > pool.toml")]
    Example(example::Example),
    /// Print the JSON Schema of the portfolio file
    #[command(after_help = "Example: breakwater capital schema > portfolio.schema.json")]
    Schema,
    /// Read a live pool's portfolio from its contracts
    Read(read::Read),
    /// Find the limits that a pool's capital carries, and perhaps sign them
    Certify(Box<certify::Certify>),
}

/// Does what was asked.
pub(crate) fn command(asked: &CapitalCommand, screen: &Screen) -> Result<Outcome, Failure> {
    match asked {
        CapitalCommand::Run(asked) => run::run(asked, screen),
        CapitalCommand::Agents(asked) => agents::run(asked, screen),
        CapitalCommand::Worker(asked) => worker::worker(asked, screen),
        CapitalCommand::Price(asked) => price::price(asked, screen),
        CapitalCommand::Allocate(asked) => allocate::allocate(asked, screen),
        CapitalCommand::Stress(asked) => stress::stress(asked, screen),
        CapitalCommand::Reverse(asked) => reverse::reverse(asked, screen),
        CapitalCommand::Converge(asked) => converge::converge(asked, screen),
        CapitalCommand::Require(asked) => require::require(asked, screen),
        CapitalCommand::Capacity(asked) => capacity::capacity(asked, screen),
        CapitalCommand::Example(asked) => example::example(asked, screen),
        CapitalCommand::Schema => example::schema(screen),
        CapitalCommand::Read(asked) => crate::wait(read::read(asked, screen)),
        CapitalCommand::Certify(asked) => certify::certify(asked, screen),
    }
}
