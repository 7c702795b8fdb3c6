//! The table of gas in BENCHMARKS.md, from the snapshots that the Foundry tests take.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};

use crate::tools;

const BEGIN: &str = "<!-- written by cargo xtask snapshots -->\n";
const END: &str = "<!-- end of what is written -->\n";

/// Rewrites the table between its marks.
pub(crate) fn write() -> Result<()> {
    let path = tools::root().join("BENCHMARKS.md");
    let text = fs::read_to_string(&path)?;
    let (before, rest) =
        text.split_once(BEGIN).context("BENCHMARKS.md has no mark where the table begins")?;
    let (_, after) = rest.split_once(END).context("BENCHMARKS.md has no mark where the table ends")?;
    fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table()?))?;
    Ok(())
}

fn table() -> Result<String> {
    let mut groups: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for entry in fs::read_dir(tools::contracts().join("snapshots"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path)?;
            let group = serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
            groups.insert(name, group);
        }
    }
    let mut text = String::from("\n| snapshot | operation | gas |\n|---|---|---:|\n");
    for (group, operations) in &groups {
        for (operation, gas) in operations {
            writeln!(text, "| {group} | {operation} | {} |", grouped(gas))?;
        }
    }
    text.push('\n');
    Ok(text)
}

/// 1234567 as 1,234,567.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
