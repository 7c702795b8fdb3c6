//! The breakwater command.
//!
//! The key decision: data goes to stdout and everything else to stderr, and the exit status says in one
//! digit what happened, so that scripts and people can use the same commands.

mod act;
mod args;
mod books;
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
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new(format!("the asynchronous runtime does not start: {error}")))?;
    let screen = style::Screen::new(&cli.global);
    runtime.block_on(async {
        match cli.command {
            Command::Chain { command: ChainCommand::Check { rpc } } => chain::check(&rpc, &screen).await,
            Command::Gauge { command: GaugeCommand::Compile(asked) } => gauge::compile(&asked, &screen).await,
            Command::Gauge { command: GaugeCommand::Read(asked) } => gauge::read(&asked, &screen).await,
            Command::Deploy(asked) => deploy::deploy(&asked, &screen).await,
            Command::Node(asked) => node::node(&asked, &screen).await,
            Command::Act(command) => act::run(command, &screen).await,
            Command::Demo(asked) => demo::demo(&asked, &screen).await,
            Command::Replay { paths } => replay::replay(&paths, &screen).await,
        }
    })
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
