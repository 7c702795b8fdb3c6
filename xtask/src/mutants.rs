//! One-line mutants of the contracts, and the invariants and tests that are seen to kill them.
//!
//! `contracts/mutants.toml` names each mutant: the file, the exact text that stands there once, what replaces
//! it, and the guard that it removes. Each is applied to a copy of the sources, never to the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::{steps, tools};

#[derive(Deserialize)]
struct Table {
    mutant: Vec<Mutant>,
}

#[derive(Deserialize)]
struct Mutant {
    name: String,
    file: String,
    find: String,
    replace: String,
    /// Invariants and tests that must fail on this mutant.
    kills: Vec<String>,
}

/// Runs the invariants against each mutant and prints the matrix; fails if an expected kill is missing.
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    tools::setup()?;
    let path = tools::contracts().join("mutants.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let table: Table = toml::from_str(&text).context("contracts/mutants.toml")?;
    let mut rows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut missing = Vec::new();
    for mutant in table.mutant.iter().filter(|mutant| only.is_none_or(|only| mutant.name.contains(only))) {
        let killers = what_fails(mutant).with_context(|| format!("mutant {}", mutant.name))?;
        println!(
            "{:<44} {}",
            mutant.name,
            if killers.is_empty() { "SURVIVED".into() } else { join(&killers) }
        );
        for expected in mutant.kills.iter().filter(|expected| !killers.contains(*expected)) {
            missing.push(format!("{} survives {expected}", mutant.name));
        }
        rows.insert(mutant.name.clone(), killers);
    }
    let distinct: BTreeSet<&BTreeSet<String>> = rows.values().filter(|row| !row.is_empty()).collect();
    let killers: BTreeSet<&String> = rows.values().flatten().collect();
    println!(
        "{} mutants, {} killed, {} different rows, {} invariants that kill at least one",
        rows.len(),
        rows.values().filter(|row| !row.is_empty()).count(),
        distinct.len(),
        killers.len()
    );
    if !missing.is_empty() {
        bail!("expected kills did not happen:\n  {}", missing.join("\n  "));
    }
    Ok(())
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().map(|name| name.trim_start_matches("invariant_")).collect::<Vec<_>>().join(" ")
}

/// All invariants, unless only tests are named; and the tests that are.
fn tried(mutant: &Mutant) -> String {
    let tests = mutant.kills.iter().filter(|name| name.starts_with("test"));
    let mut names: Vec<String> = tests.map(|name| format!("{name}\\(")).collect();
    if names.len() < mutant.kills.len() || names.is_empty() {
        names.push("invariant_".to_owned());
    }
    format!("^({})", names.join("|"))
}

fn what_fails(mutant: &Mutant) -> Result<BTreeSet<String>> {
    let copy = tempfile::tempdir()?;
    for part in ["src", "test", "demo", "tools", "foundry.toml"] {
        copy_into(&tools::contracts().join(part), &copy.path().join("contracts").join(part))?;
    }
    copy_into(&tools::root().join("vectors"), &copy.path().join("vectors"))?;
    let contracts = copy.path().join("contracts");
    std::os::unix::fs::symlink(tools::contracts().join("node_modules"), contracts.join("node_modules"))?;
    let target = contracts.join(&mutant.file);
    let source = fs::read_to_string(&target)?;
    match source.matches(&mutant.find).count() {
        1 => fs::write(&target, source.replace(&mutant.find, &mutant.replace))?,
        count => bail!("its text stands {count} times in {}, not once", mutant.file),
    }
    let mut forge = Command::new(tools::native("forge")?);
    forge.current_dir(&contracts).args(["test", "--json", "--match-test", &tried(mutant)]);
    let (_, output) = steps::capture("forge test", &mut forge)?;
    let line = output.lines().find(|line| line.starts_with('{')).context("the mutant does not compile")?;
    let suites: BTreeMap<String, Value> = serde_json::from_str(line)?;
    Ok(suites
        .values()
        .filter_map(|suite| suite["test_results"].as_object())
        .flatten()
        .filter(|(_, result)| result["status"] == "Failure")
        .filter_map(|(name, _)| Some(name.split('(').next()?.to_owned()))
        .collect())
}

fn copy_into(from: &Path, to: &Path) -> Result<()> {
    if from.is_file() {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(from, to)?;
    } else if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy_into(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
