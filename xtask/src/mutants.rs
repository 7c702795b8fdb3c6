//! One-line mutants of the contracts, and the invariants and tests that are seen to kill them.
//!
//! `contracts/mutants.toml` names each mutant: the file, the exact text that stands there once, what replaces
//! it, and the guard that it removes. Each is applied to a copy of the sources, never to the tree. The copy has the
//! tree's compiled output as well, so only what depends on the changed file is compiled, and of the tests only the
//! files that are run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::{steps, tools};

/// How the names of invariants begin.
const INVARIANT: &str = "invariant_";

/// Which mutants are tried, on what, and how many at a time.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only mutants whose name contains this.
    #[arg(long)]
    pub(crate) only: Option<String>,
    /// Try each mutant on every invariant, not only on the invariants and tests that it names.
    #[arg(long)]
    pub(crate) matrix: bool,
    /// Mutants that are compiled and tried at the same time.
    #[arg(long, default_value_t = 1)]
    pub(crate) jobs: usize,
}

#[derive(Deserialize)]
struct Table {
    mutant: Vec<Mutant>,
}

#[derive(Deserialize)]
pub(crate) struct Mutant {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) find: String,
    replace: String,
    /// Invariants and tests that must fail on this mutant.
    pub(crate) kills: Vec<String>,
}

/// What became of a mutant.
struct Row {
    killers: BTreeSet<String>,
    missing: Vec<String>,
}

/// Tries each mutant on what is to kill it and says in a line what came of it; fails if an expected kill is missing.
pub(crate) fn run(options: &Options) -> Result<String> {
    tools::setup()?;
    let only = options.only.as_deref().unwrap_or_default();
    let mutants: Vec<Mutant> = table()?.into_iter().filter(|mutant| mutant.name.contains(only)).collect();
    let tests = Tests::read()?;
    // What the copies begin with; in a tree that was tested it is there already.
    let mut files = BTreeSet::new();
    for mutant in &mutants {
        files.extend(tests.files(mutant, options.matrix)?);
    }
    steps::run("forge build", tools::foundry("forge")?.args(["build", "--quiet"]).args(files))?;
    let start = Instant::now();
    let rows = all(&mutants, &tests, options)?;
    report(&rows, start.elapsed().as_secs())
}

/// Every committed mutant.
pub(crate) fn table() -> Result<Vec<Mutant>> {
    let path = tools::contracts().join("mutants.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let table: Table = toml::from_str(&text).context("contracts/mutants.toml")?;
    Ok(table.mutant)
}

/// Every mutant in its turn, `jobs` at a time.
fn all(mutants: &[Mutant], tests: &Tests, options: &Options) -> Result<Vec<Row>> {
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || -> Result<()> {
        while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
            let row =
                one(mutant, tests, options.matrix).with_context(|| format!("mutant {}", mutant.name))?;
            // A lock is poisoned by a panic alone, and then the run is lost anyway.
            rows.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(row);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(done) => done,
            Err(_) => bail!("a worker panicked"),
        })
    })?;
    Ok(rows.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()))
}

fn one(mutant: &Mutant, tests: &Tests, matrix: bool) -> Result<Row> {
    let start = Instant::now();
    let killers = what_fails(mutant, tests, matrix)?;
    println!(
        "{:>5} s  {:<52} {}",
        start.elapsed().as_secs(),
        mutant.name,
        if killers.is_empty() { "SURVIVED".into() } else { join(&killers) }
    );
    let missing = mutant.kills.iter().filter(|expected| !killers.contains(*expected));
    let missing = missing.map(|expected| format!("{} survives {expected}", mutant.name)).collect();
    Ok(Row { killers, missing })
}

fn report(rows: &[Row], seconds: u64) -> Result<String> {
    let distinct: BTreeSet<&BTreeSet<String>> =
        rows.iter().map(|row| &row.killers).filter(|killers| !killers.is_empty()).collect();
    let killers: BTreeSet<&String> = rows.iter().flat_map(|row| &row.killers).collect();
    let line = format!(
        "{} mutants, {} killed, {} different rows, {} invariants and tests that kill at least one, {seconds} s",
        rows.len(),
        rows.iter().filter(|row| !row.killers.is_empty()).count(),
        distinct.len(),
        killers.len()
    );
    println!("{line}");
    let missing: Vec<&str> = rows.iter().flat_map(|row| &row.missing).map(String::as_str).collect();
    if !missing.is_empty() {
        bail!("expected kills did not happen:\n  {}", missing.join("\n  "));
    }
    Ok(line)
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().map(|name| name.trim_start_matches(INVARIANT)).collect::<Vec<_>>().join(" ")
}

/// In which file each test and invariant stands.
struct Tests(BTreeMap<String, BTreeSet<PathBuf>>);

impl Tests {
    fn read() -> Result<Self> {
        let mut tests = Self(BTreeMap::new());
        tests.read_folder(&tools::contracts(), Path::new("test"))?;
        Ok(tests)
    }

    fn read_folder(&mut self, root: &Path, folder: &Path) -> Result<()> {
        for entry in fs::read_dir(root.join(folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                self.read_folder(root, &path)?;
            } else if path.to_string_lossy().ends_with(".t.sol") {
                for part in fs::read_to_string(root.join(&path))?.split("function ").skip(1) {
                    let name = part.split('(').next().unwrap_or_default().to_owned();
                    self.0.entry(name).or_default().insert(path.clone());
                }
            }
        }
        Ok(())
    }

    /// The files that hold what a mutant is tried on.
    fn files(&self, mutant: &Mutant, matrix: bool) -> Result<BTreeSet<&Path>> {
        if mutant.kills.is_empty() {
            bail!("nothing is to kill the mutant {}", mutant.name);
        }
        let mut files = BTreeSet::new();
        for name in &mutant.kills {
            files.extend(self.0.get(name).with_context(|| format!("no test is called {name}"))?);
        }
        if matrix {
            let invariants = self.0.iter().filter(|(name, _)| name.starts_with(INVARIANT));
            files.extend(invariants.flat_map(|(_, files)| files));
        }
        Ok(files.into_iter().map(PathBuf::as_path).collect())
    }

    /// What forge is asked to run for a mutant: names, and the files that they stand in.
    fn tried(&self, mutant: &Mutant, matrix: bool) -> Result<[String; 2]> {
        let files: Vec<_> =
            self.files(mutant, matrix)?.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        let mut names: Vec<String> = mutant.kills.iter().map(|name| format!("{name}\\(")).collect();
        if matrix {
            names.push(INVARIANT.to_owned());
        }
        Ok([format!("^({})", names.join("|")), format!("{{{}}}", files.join(","))])
    }
}

fn what_fails(mutant: &Mutant, tests: &Tests, matrix: bool) -> Result<BTreeSet<String>> {
    let copy = tempfile::tempdir()?;
    for part in ["src", "test", "demo", "tools", "foundry.toml", "out", "cache"] {
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
    let [names, files] = tests.tried(mutant, matrix)?;
    let mut forge = Command::new(tools::native("forge")?);
    // A mutant may leave a variable unused.
    forge.current_dir(&contracts).env("FOUNDRY_DENY", "never");
    forge.args(["test", "--json", "--match-test", &names, "--match-path", &files]);
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
