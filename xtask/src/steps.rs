//! Running one command as a named, timed step.

use std::io::{BufRead, BufReader, Read, Seek};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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

/// As `run`, and returns what the command wrote to its standard output.
pub(crate) fn run_and_keep(name: &str, command: &mut Command) -> Result<String> {
    println!("== {name}");
    let start = Instant::now();
    command.stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{name}: could not start {command:?}"))?;
    let mut kept = String::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line?;
            println!("{line}");
            kept.push_str(&line);
            kept.push('\n');
        }
    }
    let status = child.wait()?;
    println!("-- {name}: {:.0} s", start.elapsed().as_secs_f64());
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(kept)
}

/// Runs the command and returns its standard output, whatever its exit code, with that code.
pub(crate) fn capture(name: &str, command: &mut Command) -> Result<(bool, String)> {
    let output = command.output().with_context(|| format!("{name}: could not start {command:?}"))?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// Runs the command and returns its output; `None` if it took longer than `most` and was ended.
pub(crate) fn capture_within(name: &str, command: &mut Command, most: Duration) -> Result<Option<String>> {
    // Into a file, because nobody reads a pipe while the command is waited for.
    let mut output = tempfile::tempfile()?;
    command.stdout(output.try_clone()?).stderr(output.try_clone()?);
    let mut child = command.spawn().with_context(|| format!("{name}: could not start {command:?}"))?;
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > most {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    output.rewind()?;
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}
