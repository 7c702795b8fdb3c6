//! Every test, in the order in which a failure is cheapest to find.

use std::process::Command;

use anyhow::Result;

use crate::{artifacts, benchmarks, failures, long, python, steps, tidy, tools};

/// A named step of the test run.
type Step = (&'static str, fn() -> Result<()>);

const STEPS: [Step; 11] = [
    ("tidy", tidy::check),
    ("failures", failures::check),
    ("rustfmt", || cargo(&["fmt", "--all", "--check"])),
    ("artifacts", artifacts::check),
    ("forge fmt", || steps::run("forge fmt", tools::foundry("forge")?.args(["fmt", "--check"]))),
    ("forge test", forge_test),
    ("cargo test", || cargo(&["test", "--workspace"])),
    ("python", python::test),
    ("clippy", || cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])),
    ("typos", || steps::run("typos", Command::new(tools::cargo_tool("typos")?).current_dir(tools::root()))),
    ("cargo deny", cargo_deny),
];

/// Runs set-up and the steps; stops at the first failure.
pub(crate) fn run(long: bool, only: Option<&str>) -> Result<()> {
    tools::setup()?;
    let mut passed = 0;
    for (_, step) in STEPS.iter().filter(|(name, _)| only.is_none_or(|only| name.contains(only))) {
        step()?;
        passed += 1;
    }
    if long {
        passed += long::run()?;
    }
    println!("steps: {passed} passed, 0 failed");
    Ok(())
}

/// Set-up, then the demo.
pub(crate) fn demo(rest: &[String]) -> Result<()> {
    tools::setup()?;
    let mut command = Command::new("cargo");
    command.current_dir(tools::root()).env("BREAKWATER_ANVIL", tools::native("anvil")?);
    command.args(["run", "--quiet", "--package", "breakwater-cli", "--bin", "breakwater", "--", "demo"]);
    steps::run("demo", command.args(rest))
}

/// Rewrites the gas snapshots by running the tests that take them.
pub(crate) fn snapshots() -> Result<()> {
    artifacts::write()?;
    steps::run("forge test", tools::foundry("forge")?.args(["test", "--quiet", "--match-path", "test/*"]))?;
    benchmarks::write()
}

fn cargo(arguments: &[&str]) -> Result<()> {
    let name = format!("cargo {}", arguments.join(" "));
    let mut command = Command::new("cargo");
    command.current_dir(tools::root()).env("BREAKWATER_ANVIL", tools::native("anvil")?);
    steps::run(&name, command.args(arguments))
}

fn forge_test() -> Result<()> {
    // A gas snapshot that differs from the committed one is a failure, not a rewrite.
    steps::run("forge test", tools::foundry("forge")?.args(["test", "--gas-snapshot-check", "true"]))
}

fn cargo_deny() -> Result<()> {
    // Advisories need a database from the network at large; licences, bans and sources do not.
    steps::run(
        "cargo deny",
        Command::new(tools::cargo_tool("cargo-deny")?)
            .current_dir(tools::root())
            .args(["check", "licenses", "bans", "sources"]),
    )
}
