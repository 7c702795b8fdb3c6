//! The tools that look for what tests do not: Slither over the contracts, halmos on arithmetic, waterfall and registry.
//!
//! `contracts/review.toml` answers every finding of Slither once, by detector and place. A finding without an
//! answer fails, and so does an answer without a finding: it would hide the next one there. What was found, and what
//! halmos proved, is written to `contracts/REVIEW.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::{steps, tools};

/// Versions are pinned so that two machines see the same findings.
const PACKAGES: [&str; 2] = ["slither-analyzer==0.11.6", "halmos==0.3.3"];
/// What the solver may take for one path of a symbolic check, in seconds, before the check counts as timed out.
const SOLVER_TIMEOUT_S: u32 = 60;
/// What the whole check may take where nothing else is said, in seconds.
pub(crate) const CHECK_TIMEOUT_S: u64 = 600;

#[derive(Deserialize)]
struct Answers {
    answer: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    /// Slither's name of the detector.
    check: String,
    /// `Contract.function`, or a contract, as Slither names what it found first; with ` x2` behind it where a finding
    /// of medium or high impact is made there at most twice.
    at: Vec<String>,
    why: String,
}

/// What one detector found.
#[derive(Default)]
struct Check {
    impact: String,
    places: BTreeMap<String, usize>,
}

/// What became of one symbolic check.
struct Proof {
    name: String,
    outcome: &'static str,
    seconds: f64,
}

/// Runs both, rewrites `contracts/REVIEW.md` and says in a line what came of it; fails on an unanswered finding or a
/// counterexample. A symbolic check may take `limit`.
pub(crate) fn run(limit: Duration) -> Result<String> {
    tools::setup()?;
    let environment = environment()?;
    let found = slither(&environment)?;
    let answers = answers()?;
    compare(&found, &answers)?;
    let proofs = halmos(&environment, limit)?;
    let path = tools::contracts().join("REVIEW.md");
    fs::write(&path, page(&found, &answers, &proofs, limit)?)?;
    println!("wrote {}", path.display());
    if let Some(proof) = proofs.iter().find(|proof| !matches!(proof.outcome, PROVEN | TIMED_OUT)) {
        bail!("{} is not proven: {}", proof.name, proof.outcome);
    }
    let proven = proofs.iter().filter(|proof| proof.outcome == PROVEN).count();
    let findings: usize = found.values().flat_map(|check| check.places.values()).sum();
    Ok(format!(
        "{findings} findings answered, {proven} of {} symbolic checks proven, none refuted",
        proofs.len()
    ))
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
    steps::run("python environment", &mut venv).context(
        "Slither and halmos need Python 3 with venv: install it (Debian: apt-get install python3-venv) or leave \
         `cargo xtask review` and `--long` out",
    )?;
    let mut pip = Command::new(folder.join("bin/pip"));
    steps::run("install Slither and halmos", pip.args(["install", "--quiet"]).args(PACKAGES))?;
    fs::write(&stamp, wanted)?;
    Ok(folder)
}

/// A command of the environment that finds our forge and compiler.
fn command(environment: &Path, tool: &str) -> Result<Command> {
    let forge = tools::native("forge")?;
    let mut path = vec![environment.join("bin"), forge.parent().map(PathBuf::from).unwrap_or_default()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut command = Command::new(environment.join("bin").join(tool));
    command.current_dir(tools::contracts()).env("PATH", std::env::join_paths(path)?);
    // Slither walks sets, and what it finds depends on their order.
    command.env("PYTHONHASHSEED", "0");
    Ok(command)
}

fn slither(environment: &Path) -> Result<BTreeMap<String, Check>> {
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
    found(&serde_json::from_str(&text)?)
}

/// How often each detector fired at each place.
fn found(report: &Value) -> Result<BTreeMap<String, Check>> {
    let findings = report["results"]["detectors"].as_array().context("Slither's report has no detectors")?;
    let mut checks: BTreeMap<String, Check> = BTreeMap::new();
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
        let check = checks.entry(finding["check"].as_str().unwrap_or_default().to_owned()).or_default();
        check.impact = finding["impact"].as_str().unwrap_or_default().to_owned();
        *check.places.entry(place).or_insert(0) += 1;
    }
    Ok(checks)
}

/// The places as answers name them. Of low impact one answer is for all that was found at a place.
fn named(check: &Check) -> impl Iterator<Item = String> {
    let counts = matches!(check.impact.as_str(), "High" | "Medium");
    check.places.iter().map(move |(place, count)| match count {
        2.. if counts => format!("{place} x{count}"),
        _ => place.clone(),
    })
}

fn answers() -> Result<Vec<Answer>> {
    let path = tools::contracts().join("review.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let answers: Answers = toml::from_str(&text).context("contracts/review.toml")?;
    match answers.answer.iter().find(|answer| answer.why.trim().is_empty()) {
        Some(answer) => bail!("contracts/review.toml: an answer to {} says nothing", answer.check),
        None => Ok(answers.answer),
    }
}

fn compare(found: &BTreeMap<String, Check>, answers: &[Answer]) -> Result<()> {
    let mut open: BTreeMap<(&str, String), (usize, bool)> = BTreeMap::new();
    for (name, check) in found {
        for at in named(check) {
            let (place, count) = counted(&at);
            open.insert((name, place.to_owned()), (count, false));
        }
    }
    let (mut wrong, places) = (Vec::new(), open.len());
    for (check, at) in answers.iter().flat_map(|answer| answer.at.iter().map(|at| (&answer.check, at))) {
        let (place, most) = counted(at);
        match open.get_mut(&(check.as_str(), place.to_owned())) {
            None => wrong.push(format!("answered but not found: {check} at {place}")),
            Some((_, true)) => wrong.push(format!("answered twice: {check} at {place}")),
            // Fewer are no news: whether Slither tells two ways to one place apart varies from run to run.
            Some((count, answered)) => {
                *answered = true;
                if *count > most {
                    wrong.push(format!("answered {most} times and found {count} times: {check} at {place}"));
                }
            }
        }
    }
    let silent = open.iter().filter(|(_, (_, answered))| !answered);
    wrong.extend(silent.map(|((check, at), _)| format!("not answered: {check} at {at}")));
    let total: usize = found.values().flat_map(|check| check.places.values()).sum();
    println!(
        "Slither: {total} findings at {places} places, {} differ from contracts/review.toml",
        wrong.len()
    );
    if !wrong.is_empty() {
        bail!("contracts/review.toml does not match what Slither found:\n  {}", wrong.join("\n  "));
    }
    Ok(())
}

/// A place and how often it was found, which ` x2` behind it says.
fn counted(at: &str) -> (&str, usize) {
    let parts = at.rsplit_once(" x").and_then(|(place, count)| Some((place, count.parse().ok()?)));
    parts.unwrap_or((at, 1))
}

const PROVEN: &str = "proven";
const TIMED_OUT: &str = "timed out";
const REFUTED: &str = "refuted";

/// Every symbolic check on its own, so that none takes the time of another.
fn halmos(environment: &Path, limit: Duration) -> Result<Vec<Proof>> {
    let project = tempfile::tempdir()?;
    // A project of the symbolic tests alone, because halmos compiles all tests of the one it is given.
    for part in ["src", "node_modules", "tools", "foundry.toml"] {
        std::os::unix::fs::symlink(tools::contracts().join(part), project.path().join(part))?;
    }
    let symbolic = project.path().join("test/symbolic");
    fs::create_dir_all(&symbolic)?;
    for entry in fs::read_dir(tools::contracts().join("test/symbolic"))? {
        let entry = entry?;
        fs::copy(entry.path(), symbolic.join(entry.file_name()))?;
    }
    let mut proofs = Vec::new();
    for (contract, check) in checks()? {
        let report = project.path().join("halmos.json");
        let mut halmos = command(environment, "halmos")?;
        halmos.env("FOUNDRY_DENY", "never").current_dir(project.path());
        halmos.args(["--match-contract", &format!("^{contract}$"), "--match-test", &format!("^{check}\\(")]);
        let timeout = SOLVER_TIMEOUT_S * 1000;
        halmos.args(["--solver-timeout-assertion", &timeout.to_string(), "--loop", "8", "--no-status"]);
        halmos.arg("--json-output").arg(&report);
        let start = Instant::now();
        let outcome = match steps::capture_within("halmos", &mut halmos, limit)? {
            None => TIMED_OUT,
            Some(output) => {
                let read = fs::read_to_string(&report).ok().and_then(|text| serde_json::from_str(&text).ok());
                let outcome = read.as_ref().and_then(outcome);
                let outcome =
                    outcome.with_context(|| format!("halmos did not run {contract}.{check}:\n{output}"))?;
                if outcome == REFUTED {
                    println!("{output}");
                }
                fs::remove_file(&report)?;
                outcome
            }
        };
        let proof =
            Proof { name: format!("{contract}.{check}"), outcome, seconds: start.elapsed().as_secs_f64() };
        println!("{:>5.0} s  {:<10} {}", proof.seconds, proof.outcome, proof.name);
        proofs.push(proof);
    }
    Ok(proofs)
}

/// The contracts and functions of `test/symbolic`.
fn checks() -> Result<Vec<(String, String)>> {
    let folder = tools::contracts().join("test/symbolic");
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    let mut checks = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file)?;
        let name =
            |part: &str| part.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
        let contract = text.split("\ncontract Symbolic").nth(1).and_then(name);
        let contract = contract.with_context(|| format!("{} has no contract Symbolic…", file.display()))?;
        for check in text.split("function check_").skip(1).filter_map(name) {
            checks.push((format!("Symbolic{contract}"), format!("check_{check}")));
        }
    }
    Ok(checks)
}

/// halmos's own exit codes of a test: what is not proven for every path is not proven.
fn outcome(report: &Value) -> Option<&'static str> {
    let test = report["test_results"].as_object()?.values().next()?.get(0)?;
    Some(match test["exitcode"].as_i64()? {
        0 if test["num_bounded_loops"].as_i64().unwrap_or(0) == 0 => PROVEN,
        0 => "proven for short loops only",
        1 => REFUTED,
        2 => TIMED_OUT,
        3 => "stuck",
        4 => "every path reverts",
        _ => "failed",
    })
}

/// `contracts/REVIEW.md`.
fn page(
    found: &BTreeMap<String, Check>,
    answers: &[Answer],
    proofs: &[Proof],
    limit: Duration,
) -> Result<String> {
    let total: usize = found.values().flat_map(|check| check.places.values()).sum();
    let mut text = format!(
        "# What the tools find\n\n\
         Written by `cargo xtask review` on {}, with {} and {}; the answers are those of `review.toml`.\n\
         A finding without an answer fails the command, and so does an answer without a finding.\n\n\
         ## Slither\n\n\
         {total} findings above informational, by {} detectors.\n",
        today(),
        PACKAGES[0].replace("==", " "),
        PACKAGES[1].replace("==", " "),
        found.len(),
    );
    for impact in ["High", "Medium", "Low", "Optimization"] {
        for (name, check) in found.iter().filter(|(_, check)| check.impact == impact) {
            let count: usize = check.places.values().sum();
            write!(text, "\n### {name}: {} impact, {count}\n", impact.to_lowercase())?;
            for answer in answers.iter().filter(|answer| answer.check == *name) {
                write!(text, "\n{}\n", answer.why.trim())?;
                let places: Vec<String> = answer.at.iter().map(|at| format!("`{at}`")).collect();
                writeln!(text, "({})", places.join(", "))?;
            }
        }
    }
    let proven = proofs.iter().filter(|proof| proof.outcome == PROVEN).count();
    write!(
        text,
        "\n## halmos\n\n\
         Symbolic checks in `test/symbolic`, each for every input of the width that its arguments have, on the \
         compiled code.\n\
         {proven} of {} are proven.\n\
         One that timed out (more than {SOLVER_TIMEOUT_S} s for a path, or {} s in all) was neither \
         proven nor refuted; what it says is tested by samples alone.\n\n\
         | check | result | s |\n|---|---|---:|\n",
        proofs.len(),
        limit.as_secs(),
    )?;
    for proof in proofs {
        writeln!(text, "| `{}` | {} | {:.0} |", proof.name, proof.outcome, proof.seconds)?;
    }
    Ok(text)
}

/// The date of the machine's clock, UTC.
fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}
