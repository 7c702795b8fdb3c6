//! The capital engine beside its peers: the same job, turn by turn on one machine, as ratios.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{steps, tools};

/// Which peers, and how often.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder with the peers' scripts (mc_numpy.py, mc_numba.py), each printing one JSON line with `min_s`.
    #[arg(long, value_name = "DIR")]
    peers: PathBuf,
    /// Python with numpy, scipy and numba.
    #[arg(long, default_value = "python3")]
    python: String,
    /// Turns; the median of each engine's times counts.
    #[arg(long, default_value_t = 5)]
    turns: usize,
    /// Simulated years.
    #[arg(long, default_value_t = 1_000_000)]
    years: u64,
}

struct Engine {
    name: &'static str,
    script: Option<&'static str>,
}

const ENGINES: [Engine; 3] = [
    Engine { name: "breakwater", script: None },
    Engine { name: "numpy, chunked", script: Some("mc_numpy.py") },
    Engine { name: "numba", script: Some("mc_numba.py") },
];

/// Runs every engine in turn at one and at two threads, and prints medians, ratios and memory.
pub(crate) fn run(options: &Options) -> Result<()> {
    let build = ["build", "--release", "--package", "breakwater-cli"];
    steps::run("cargo build --release", Command::new("cargo").current_dir(tools::root()).args(build))?;
    let binary = tools::root().join("target/release/breakwater");
    let portfolio = tools::root().join("target/tmp/cp500.toml");
    std::fs::create_dir_all(tools::root().join("target/tmp"))?;
    let example = Command::new(&binary).args(["capital", "example", "cp500"]).output()?;
    std::fs::write(&portfolio, example.stdout)?;
    println!("| engine | threads | seconds (median of {}) | ours is faster by | peak MiB |", options.turns);
    println!("|---|---:|---:|---:|---:|");
    for threads in [1, 2] {
        let mut seconds = vec![vec![]; ENGINES.len()];
        let mut memory = vec![0.0f64; ENGINES.len()];
        for _ in 0..options.turns {
            for (index, engine) in ENGINES.iter().enumerate() {
                let (time, peak) = match engine.script {
                    None => ours(&binary, &portfolio, options.years, threads)?,
                    Some(script) => theirs(options, script, threads)?,
                };
                seconds[index].push(time);
                memory[index] = memory[index].max(peak);
            }
        }
        let medians: Vec<f64> = seconds.iter_mut().map(|times| median(times)).collect();
        for (index, engine) in ENGINES.iter().enumerate() {
            let ratio = medians[index] / medians[0];
            println!(
                "| {} | {threads} | {:.4} | {ratio:.1} | {:.0} |",
                engine.name, medians[index], memory[index]
            );
        }
    }
    Ok(())
}

/// Our own clock, which runs from the parsed portfolio to the last figure, held against the process's.
fn ours(binary: &Path, portfolio: &Path, years: u64, threads: u32) -> Result<(f64, f64)> {
    let start = Instant::now();
    let mut command = Command::new(binary);
    command.args(["capital", "run"]).arg(portfolio).args(["--method", "crude", "--seed", "1", "--json"]);
    let (text, peak) =
        watched(command.arg("--years").arg(years.to_string()).arg("--threads").arg(threads.to_string()))?;
    let wall = start.elapsed().as_secs_f64();
    let seconds = number(&text, "seconds")?;
    if seconds > wall || wall - seconds > 0.1 {
        println!("<!-- our clock says {seconds:.4} s, the process took {wall:.4} s -->");
    }
    Ok((seconds, peak))
}

fn theirs(options: &Options, script: &str, threads: u32) -> Result<(f64, f64)> {
    let mut command = Command::new(&options.python);
    command.arg(options.peers.join(script)).arg("--years").arg(options.years.to_string());
    command.args(["--runs", "1", "--threads"]).arg(threads.to_string());
    // One thread is to mean one thread.
    command.envs([("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1"), ("PYTHONDONTWRITEBYTECODE", "1")]);
    let (text, _) = watched(&mut command)?;
    Ok((number(&text, "min_s")?, number(&text, "peak_mib")?))
}

/// What a program prints, and the most memory it had, in MiB.
fn watched(command: &mut Command) -> Result<(String, f64)> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut out = child.stdout.take().context("no output")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut out, &mut text).map(|_| text)
    });
    let mut peak = 0.0f64;
    while child.try_wait()?.is_none() {
        let read = std::fs::read_to_string(&status).unwrap_or_default();
        let line = read.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
        peak = peak.max(kib.unwrap_or(0.0) / 1024.0);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let text = reader.join().map_err(|_| anyhow::anyhow!("the reader of {command:?} failed"))??;
    if text.trim().is_empty() {
        bail!("{command:?} printed nothing: run it by hand to see why");
    }
    Ok((text, peak))
}

/// A number of the first JSON object in a text.
fn number(text: &str, key: &str) -> Result<f64> {
    let line = text.lines().find(|line| line.starts_with('{')).context("no JSON line")?;
    let object: serde_json::Value = serde_json::from_str(line)?;
    object[key].as_f64().with_context(|| format!("no number {key:?} in {}", &line[..line.len().min(200)]))
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
