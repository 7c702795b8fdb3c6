//! What takes too long for every run: `cargo xtask test --long`. Its result is written to `docs/long-run.md`.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::{mutants, review, steps, tools};

/// The EVM is generic, so it is compiled with the tests that use it; unoptimised it takes four times as long.
const OPTIMISED: [&str; 4] = [
    "--config",
    "profile.dev.package.breakwater-bindings.opt-level=2",
    "--config",
    "profile.dev.package.breakwater-bindings.debug-assertions=false",
];

/// One part of the run.
struct Part {
    name: &'static str,
    command: &'static str,
    seconds: u64,
    result: String,
}

/// Runs every part and writes the result; answers how many there were.
pub(crate) fn run() -> Result<usize> {
    let parts = [
        part("tests", "BREAKWATER_LONG=1 cargo test --workspace -- long_ --show-output", tests)?,
        part("mutants", "cargo xtask mutants", || {
            mutants::run(&mutants::Options { only: None, matrix: false, jobs: 1 })
        })?,
        part("review", "cargo xtask review", || review::run(Duration::from_secs(review::CHECK_TIMEOUT_S)))?,
    ];
    fs::write(tools::root().join("docs/long-run.md"), page(&parts)?)?;
    Ok(parts.len())
}

fn part(name: &'static str, command: &'static str, run: impl FnOnce() -> Result<String>) -> Result<Part> {
    let start = Instant::now();
    let result = run()?;
    Ok(Part { name, command, seconds: start.elapsed().as_secs(), result })
}

/// The tests whose names begin with `long_`; answers what they printed.
fn tests() -> Result<String> {
    let mut command = Command::new("cargo");
    command.current_dir(tools::root()).env("BREAKWATER_LONG", "1");
    command.env("BREAKWATER_ANVIL", tools::native("anvil")?);
    command.arg("test").args(OPTIMISED).args(["--workspace", "--", "long_", "--show-output"]);
    Ok(printed(&steps::run_and_keep("long tests", &mut command)?))
}

/// What each test printed, under its name; a test without output is not of these.
fn printed(output: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in output.lines() {
        if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            inside = true;
            text.push_str(&format!("{name}\n"));
        } else if line == "successes:" {
            inside = false;
        } else if inside && !line.is_empty() {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}

fn page(parts: &[Part]) -> Result<String> {
    let mut text = format!(
        "# The long run\n\n\
         Written by `cargo xtask test --long` on {} at commit {}, on {} {} with {} cores.\n\
         It stops at the first failure and then writes nothing, so everything here passed.\n\n\
         | part | command | s |\n|---|---|---:|\n",
        jiff::Timestamp::now().strftime("%Y-%m-%d"),
        commit(),
        std::env::consts::OS,
        std::env::consts::ARCH,
        std::thread::available_parallelism()?,
    );
    for part in parts {
        writeln!(text, "| {} | `{}` | {} |", part.name, part.command, part.seconds)?;
    }
    for part in parts {
        write!(text, "\n## {}\n\n```text\n{}\n```\n", part.name, part.result.trim_end())?;
    }
    Ok(text)
}

fn commit() -> String {
    let mut git = Command::new("git");
    git.current_dir(tools::root()).args(["rev-parse", "--short", "HEAD"]);
    // An export without its history is tested as well.
    match steps::capture("git", &mut git) {
        Ok((true, hash)) => hash.trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}
