//! Whether what the contracts promise to be safe from is still tested, without running anything.
//!
//! `docs/failures.md` names, for each failure, tests and the mutants that they kill. Here every such name must exist,
//! every mutant must still find the text that it replaces, and every test that a mutant names must be there.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{mutants, tools};

/// Compares the table, the mutants and the tests with one another.
pub(crate) fn check() -> Result<()> {
    let contracts = tools::contracts();
    let mutants = mutants::table()?;
    let mut tests = String::new();
    read_into(&mut tests, &contracts.join("test"))?;
    let exists = |test: &str| tests.contains(&format!("function {test}("));
    let mut wrong = Vec::new();
    for mutant in &mutants {
        let source = fs::read_to_string(contracts.join(&mutant.file))
            .with_context(|| format!("{}, of mutant {}", mutant.file, mutant.name))?;
        let count = source.matches(&mutant.find).count();
        if count != 1 {
            wrong.push(format!(
                "mutant \"{}\": its text stands {count} times in {}",
                mutant.name, mutant.file
            ));
        }
        for test in mutant.kills.iter().filter(|test| !exists(test)) {
            wrong.push(format!("mutant \"{}\": there is no test {test}", mutant.name));
        }
    }
    let text = fs::read_to_string(tools::root().join("docs/failures.md")).context("docs/failures.md")?;
    let mut listed = 0;
    for row in rows(&text) {
        listed += 1;
        let [failure, test, name] = row;
        match mutants.iter().find(|mutant| mutant.name == name) {
            None => wrong.push(format!("{failure}: there is no mutant \"{name}\"")),
            Some(mutant) if !mutant.kills.iter().any(|kill| kill == test) => {
                wrong.push(format!("{failure}: mutant \"{name}\" does not name {test}"));
            }
            Some(_) => {}
        }
    }
    if listed == 0 {
        wrong.push("docs/failures.md has no table".to_owned());
    }
    if !wrong.is_empty() {
        bail!("failures:\n  {}", wrong.join("\n  "));
    }
    println!("{listed} rows of failures, {} mutants: all name what exists", mutants.len());
    Ok(())
}

/// Failure, test and mutant of each row of the table; its head and its ruler are no rows.
fn rows(text: &str) -> impl Iterator<Item = [&str; 3]> {
    text.lines().filter_map(|line| {
        let cells: Vec<_> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
        let [failure, test, mutant] = cells[..] else { return None };
        Some([failure, test.strip_prefix('`')?.strip_suffix('`')?, mutant])
    })
}

fn read_into(all: &mut String, folder: &std::path::Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_into(all, &path)?;
        } else if path.extension().is_some_and(|ending| ending == "sol") {
            all.push_str(&fs::read_to_string(&path)?);
        }
    }
    Ok(())
}
