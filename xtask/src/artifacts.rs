//! The compiled contracts, trimmed and committed so that `cargo build` needs no Node.js.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{steps, tools};

/// Sources whose contracts the Rust side deploys or calls.
const SOURCES: [&str; 14] = [
    "src/core/",
    "src/feeds/",
    "src/governance/",
    "src/libraries/Bookings.sol",
    "src/libraries/Idle.sol",
    "src/reinsurance/",
    "src/triggers/",
    "src/underwriting/",
    "src/periphery/",
    "src/prevention/Breaker.sol",
    "demo/",
    "test/harness/",
    "node_modules/@openzeppelin/contracts/access/manager/AccessManager.sol",
    "node_modules/@openzeppelin/contracts/governance/TimelockController.sol",
];

/// Compiles and rewrites `contracts/artifacts`.
pub(crate) fn write() -> Result<()> {
    let directory = tools::contracts().join("artifacts");
    let fresh = compile()?;
    fs::create_dir_all(&directory)?;
    for name in committed(&directory)?.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(directory.join(name))?;
    }
    for (name, text) in &fresh {
        fs::write(directory.join(name), text)?;
    }
    println!("{} artifacts written", fresh.len());
    crate::sizes::write(&fresh)
}

/// Compiles and fails, naming the files, if what is committed differs.
pub(crate) fn check() -> Result<()> {
    let fresh = compile()?;
    let committed = committed(&tools::contracts().join("artifacts"))?;
    let stale: Vec<&String> = fresh
        .keys()
        .chain(committed.keys())
        .filter(|name| fresh.get(*name) != committed.get(*name))
        .collect();
    if !stale.is_empty() {
        bail!("stale artifacts {stale:?}: run `cargo xtask artifacts` and commit the result");
    }
    crate::sizes::check(&fresh)?;
    println!("{} artifacts are fresh", fresh.len());
    Ok(())
}

fn committed(directory: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    if directory.is_dir() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let name = path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
            files.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(files)
}

fn compile() -> Result<BTreeMap<String, String>> {
    tools::setup()?;
    // All sources in one unit and nothing from a cache: what the compiler writes for one contract may depend
    // on what it compiles beside it.
    let output = tempfile::tempdir()?;
    steps::run(
        "forge build",
        tools::foundry("forge")?
            .args(["build", "--quiet", "--force", "--out"])
            .arg(output.path().join("out"))
            .arg("--cache-path")
            .arg(output.path().join("cache"))
            .args(["src", "script", "demo", "test/harness"]),
    )?;
    let mut artifacts = BTreeMap::new();
    for folder in fs::read_dir(output.path().join("out"))? {
        let folder = folder?.path();
        if !folder.is_dir() || folder.ends_with("build-info") {
            continue;
        }
        for file in fs::read_dir(&folder)? {
            let file = file?.path();
            if file.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            if let Some((name, text)) = trim(&file)? {
                artifacts.insert(name, text);
            }
        }
    }
    Ok(artifacts)
}

/// Keeps what the Rust side needs of one compiler output, or nothing if the contract is not ours to deploy.
fn trim(file: &Path) -> Result<Option<(String, String)>> {
    let full: Value = serde_json::from_str(&fs::read_to_string(file)?)
        .with_context(|| format!("{} is not JSON", file.display()))?;
    let Some(target) = full["metadata"]["settings"]["compilationTarget"].as_object() else { return Ok(None) };
    let Some((source, name)) = target.iter().next() else { return Ok(None) };
    if !SOURCES.iter().any(|prefix| source.starts_with(prefix)) {
        return Ok(None);
    }
    if !tools::contracts().join(source).is_file() {
        return Ok(None); // Left in `out` by a source that is gone.
    }
    let name = name.as_str().context("a contract name is text")?;
    if full["bytecode"]["object"].as_str().is_none_or(|code| code.len() <= 2) {
        return Ok(None); // Interfaces and abstract contracts.
    }
    let trimmed = json!({
        "contractName": name,
        "source": source,
        "abi": full["abi"],
        "bytecode": full["bytecode"]["object"],
        "deployedBytecode": full["deployedBytecode"]["object"],
        "immutableReferences": places(&full["deployedBytecode"]["immutableReferences"]),
        // Where the addresses of linked libraries go, in creation and in runtime code.
        "linkReferences": full["bytecode"]["linkReferences"],
        "deployedLinkReferences": full["deployedBytecode"]["linkReferences"],
    });
    Ok(Some((format!("{name}.json"), serde_json::to_string_pretty(&trimmed)? + "\n")))
}

/// Where immutables stand, in order. The compiler keys them by numbers that change with every other source.
fn places(references: &Value) -> Vec<Value> {
    let spans = references.as_object().into_iter().flat_map(|map| map.values()).filter_map(Value::as_array);
    let mut places: Vec<Value> = spans.flatten().cloned().collect();
    places.sort_by_key(|place| place["start"].as_u64());
    places
}
