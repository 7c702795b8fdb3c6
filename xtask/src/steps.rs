//! Running one command as a named, timed step.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// Runs the command with its output shown; an exit code other than zero is an error that names the step.
pub(crate) fn run(name: &str, command: &mut Command) -> Result<()> {
    println!("== {name}");
    let start = Instant::now();
    let status = command.status().with_context(|| format!("{name}: could not start {command:?}"))?;
    println!("-- {name}: {:.0} s", start.elapsed().as_secs_f64());
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}

/// Runs the command and returns its standard output, whatever its exit code, with that code.
pub(crate) fn capture(name: &str, command: &mut Command) -> Result<(bool, String)> {
    let output = command.output().with_context(|| format!("{name}: could not start {command:?}"))?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}
