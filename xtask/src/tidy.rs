//! Tidiness as a test: what a reader should never meet in the sources.

use std::fs;
use std::process::Command;

use anyhow::{Result, bail};

use crate::tools;

/// Words by which code says of itself that it is not finished. Split so that this file does not contain them.
const UNFINISHED: [(&str, &str); 5] =
    [("TO", "DO"), ("FIX", "ME"), ("XX", "X:"), ("unimplemented", "!("), ("todo", "!(")];

/// A focused or ignored test hides the others.
const IGNORED: [(&str, &str); 4] =
    [("#[ign", "ore"), ("vm.sk", "ip("), ("describe.on", "ly("), ("it.on", "ly(")];

/// Checks every tracked text file.
pub(crate) fn check() -> Result<()> {
    let listed = Command::new("git").current_dir(tools::root()).args(["ls-files"]).output()?;
    let mut found = Vec::new();
    for name in String::from_utf8_lossy(&listed.stdout).lines() {
        let path = tools::root().join(name);
        let is_source = [".rs", ".sol", ".ts", ".tsx"].iter().any(|ending| name.ends_with(ending));
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if is_source {
            for (first, second) in UNFINISHED.iter().chain(&IGNORED) {
                let word = format!("{first}{second}");
                if text.contains(&word) {
                    found.push(format!("{name}: contains {word}"));
                }
            }
        }
        if name.ends_with("src/lib.rs") && !text.starts_with("//!") {
            found.push(format!("{name}: has no crate documentation"));
        }
        if name.ends_with(".sol") && !text.starts_with("// SPDX-License-Identifier: MIT OR Apache-2.0") {
            found.push(format!("{name}: has no licence line"));
        }
    }
    if !found.is_empty() {
        bail!("tidiness:\n  {}", found.join("\n  "));
    }
    println!("tidy");
    Ok(())
}
