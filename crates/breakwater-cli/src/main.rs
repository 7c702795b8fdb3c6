//! The breakwater command.
//!
//! The key decision: data goes to stdout and everything else to stderr, and the exit status says in one
//! digit what happened, so that scripts and people can use the same commands.

mod act;
mod args;
mod books;
mod capital;
mod chain;
mod connect;
mod demo;
mod deploy;
mod deployer;
mod failure;
mod gauge;
mod keeper;
mod local;
mod market;
mod node;
mod replay;
mod revert;
mod style;
mod terms;
#[cfg(test)]
mod trials;
mod trouble;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{ChainCommand, Cli, Command, GaugeCommand};
use crate::failure::{Failure, Outcome};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error),
    };
    start_log(cli.global.verbose);
    // The error's own style needs the flag too, so the palette is made before anything can fail.
    let palette = style::Palette::new(cli.global.color, std::io::IsTerminal::is_terminal(&std::io::stderr()));
    match run(cli) {
        Ok(outcome) => outcome.into(),
        Err(failure) => failure.report(palette),
    }
}

fn run(cli: Cli) -> Result<Outcome, Failure> {
    let screen = style::Screen::new(&cli.global);
    match cli.command {
        Command::Chain { command: ChainCommand::Check { rpc } } => wait(chain::check(&rpc, &screen)),
        Command::Gauge { command: GaugeCommand::Compile(asked) } => wait(gauge::compile(&asked, &screen)),
        Command::Gauge { command: GaugeCommand::Read(asked) } => wait(gauge::read(&asked, &screen)),
        Command::Deploy(asked) => wait(deploy::deploy(&asked, &screen)),
        Command::Node(asked) => wait(node::node(&asked, &screen)),
        Command::Act(command) => wait(act::run(command, &screen)),
        Command::Capital { command } => capital::command(&command, &screen),
        Command::Demo(asked) => wait(demo::demo(&asked, &screen)),
        Command::Replay { paths } => wait(replay::replay(&paths, &screen)),
    }
}

/// Starts the asynchronous runtime, for the commands that need one.
fn wait<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new(format!("the asynchronous runtime does not start: {error}")))?;
    runtime.block_on(work)
}

/// Warnings always, more by `-v`, or whatever `RUST_LOG` says; on stderr.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false)
        .init();
}
