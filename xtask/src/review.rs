//! The tools that look for what tests do not: Slither over the contracts, halmos on the arithmetic.
//!
//! `contracts/review.toml` answers every finding of Slither once, by detector and place. A finding without an
//! answer fails, and so does an answer without a finding: it would hide the next one there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::{steps, tools};

/// Versions are pinned so that two machines see the same findings.
const PACKAGES: [&str; 2] = ["slither-analyzer==0.11.6", "halmos==0.3.3"];
/// What one symbolic check may take, in seconds, before it is reported as timed out.
const SOLVER_TIMEOUT_S: u32 = 300;

#[derive(Deserialize)]
struct Answers {
    answer: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    /// Slither's name of the detector.
    check: String,
    /// `Contract.function`, or a contract, as Slither names what it found first.
    at: Vec<String>,
    why: String,
}

/// Runs both; fails on an unanswered finding or a counterexample.
pub(crate) fn run() -> Result<()> {
    tools::setup()?;
    let environment = environment()?;
    slither(&environment)?;
    halmos(&environment)
}

/// A Python environment with the pinned tools, made once in `target/tools`.
fn environment() -> Result<PathBuf> {
    let folder = tools::root().join("target/tools/review");
    let stamp = folder.join("versions");
    let wanted = PACKAGES.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(&folder);
    steps::run("python environment", &mut venv)
        .context("install Python 3 with venv (Debian: apt-get install python3-venv)")?;
    let mut pip = Command::new(folder.join("bin/pip"));
    steps::run("install Slither and halmos", pip.args(["install", "--quiet"]).args(PACKAGES))?;
    fs::write(&stamp, wanted)?;
    Ok(folder)
}

/// A command of the environment that finds our forge and compiler.
fn command(environment: &std::path::Path, tool: &str) -> Result<Command> {
    let forge = tools::native("forge")?;
    let mut path = vec![environment.join("bin"), forge.parent().map(PathBuf::from).unwrap_or_default()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut command = Command::new(environment.join("bin").join(tool));
    command.current_dir(tools::contracts()).env("PATH", std::env::join_paths(path)?);
    Ok(command)
}

fn slither(environment: &std::path::Path) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let out = scratch.path().join("out");
    let mut build = tools::foundry("forge")?;
    build.env("FOUNDRY_DENY", "never").args(["build", "--quiet", "--build-info", "--skip", "test"]);
    build.args(["--skip", "script"]).arg("--out").arg(&out);
    steps::run("build for Slither", build.arg("--cache-path").arg(scratch.path().join("cache")))?;
    let report = scratch.path().join("slither.json");
    let mut slither = command(environment, "slither")?;
    slither.env("FOUNDRY_OUT", &out).args([".", "--foundry-ignore-compile", "--fail-none"]);
    slither.args(["--exclude-informational", "--filter-paths", "node_modules|test|demo|script"]);
    slither.arg("--foundry-out-directory").arg(&out).arg("--json").arg(&report);
    let (_, output) = steps::capture("Slither", &mut slither)?;
    let text = fs::read_to_string(&report).with_context(|| format!("Slither did not report:\n{output}"))?;
    compare(&found(&serde_json::from_str(&text)?)?)
}

/// How often each detector fired at each place.
fn found(report: &Value) -> Result<BTreeMap<(String, String), usize>> {
    let findings = report["results"]["detectors"].as_array().context("Slither's report has no detectors")?;
    let mut places = BTreeMap::new();
    for finding in findings {
        let element = &finding["elements"][0];
        let name = element["name"].as_str().unwrap_or_default();
        let parent = &element["type_specific_fields"]["parent"];
        // What a local variable belongs to is a function, which has a contract.
        let owner = match parent["type"].as_str() {
            Some("contract") => parent["name"].as_str().unwrap_or_default().to_owned(),
            _ => parent["type_specific_fields"]["parent"]["name"].as_str().unwrap_or_default().to_owned(),
        };
        let place = if owner.is_empty() { name.to_owned() } else { format!("{owner}.{name}") };
        *places.entry((finding["check"].as_str().unwrap_or_default().to_owned(), place)).or_insert(0) += 1;
    }
    Ok(places)
}

fn compare(found: &BTreeMap<(String, String), usize>) -> Result<()> {
    let path = tools::contracts().join("review.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let answers: Answers = toml::from_str(&text).context("contracts/review.toml")?;
    let mut answered = BTreeSet::new();
    for answer in &answers.answer {
        if answer.why.trim().is_empty() {
            bail!("contracts/review.toml: an answer to {} says nothing", answer.check);
        }
        answered.extend(answer.at.iter().map(|at| (answer.check.clone(), at.clone())));
    }
    let open: Vec<_> = found.keys().filter(|place| !answered.contains(*place)).collect();
    let stale: Vec<_> = answered.iter().filter(|place| !found.contains_key(*place)).collect();
    for (check, at) in &open {
        println!("not answered: {check} at {at}");
    }
    for (check, at) in &stale {
        println!("answered but not found: {check} at {at}");
    }
    let total: usize = found.values().sum();
    println!("Slither: {total} findings at {} places, {} not answered", found.len(), open.len());
    if !open.is_empty() || !stale.is_empty() {
        bail!("contracts/review.toml does not match what Slither found");
    }
    Ok(())
}

fn halmos(environment: &std::path::Path) -> Result<()> {
    let mut halmos = command(environment, "halmos")?;
    halmos.env("FOUNDRY_DENY", "never").args(["--match-contract", "Symbolic", "--function", "check_"]);
    let timeout = SOLVER_TIMEOUT_S * 1000;
    halmos.args(["--solver-timeout-assertion", &timeout.to_string(), "--loop", "8", "--statistics"]);
    // A time-out is no counterexample: it is printed as what it is, and REVIEW.md names it.
    let (passed, output) = steps::capture("halmos", &mut halmos)?;
    println!("{output}");
    let refuted = output.lines().filter(|line| line.contains("Counterexample")).count();
    let timed_out = output.lines().filter(|line| line.contains("[TIMEOUT]")).count();
    let held = output.lines().filter(|line| line.contains("[PASS]")).count();
    println!("halmos: {held} proven, {timed_out} timed out, {refuted} refuted");
    if refuted != 0 || (held == 0 && !passed) {
        bail!("a symbolic check does not hold");
    }
    Ok(())
}
