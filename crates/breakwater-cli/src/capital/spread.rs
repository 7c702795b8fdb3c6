//! A run spread over workers: batches out by a queue, what they came to merged in their order.
//!
//! The digits are those of a run in this process: a batch is the same whoever simulates it, and they are merged in
//! the order of their years, whenever they arrive.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::num::NonZero;
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use breakwater_bus::{Bus, BusAddress, BusError, Outcome, Queue, Terms};
use breakwater_capital::outcome::{self, Failure as Stopped, Options, Outcome as Found};
use breakwater_capital::simulate::{Batch, Merged, Merger};
use breakwater_capital::{Method, Model};
use clap::Args;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::progress::Progress;
use super::task::{TASK, Task, encode};
use super::worker;
use crate::failure::Failure;

/// A worker that was not heard of for this long has lost its batch; it is heard of three times as often.
const LEASE: Duration = Duration::from_secs(5);

/// Workers that a batch may cost before it is to blame.
const DELIVERIES: u32 = 8;

/// What a coordinator that never came back left on a server is gone after this long.
const KEEP: Duration = Duration::from_secs(86_400);

/// Batches on the way at a time: those that wait for an earlier one are held in memory, a few MiB each.
const WINDOW: u64 = 32;

/// After this long without an answer people are told what is missing.
const QUIET: Duration = Duration::from_secs(20);

/// How often the spawned workers are looked at, and how long they get to leave by themselves.
const LOOK: Duration = Duration::from_millis(100);
const LEAVE: Duration = Duration::from_secs(5);

/// How many spawned workers may die for each one that was asked for.
const DEATHS: usize = 3;

/// Where a run is computed.
#[derive(Debug, Args)]
pub(crate) struct Spread {
    /// Spread the run over this many workers: processes over --bus, threads of this one without it; 0 waits for
    /// `breakwater capital worker` elsewhere
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<u16>,
    /// What carries batches between processes: nats://host:port or tls://host:port of a NATS server with JetStream,
    /// with user:password@ or token@ before the host if needed
    #[arg(long, env = "BREAKWATER_BUS", hide_env_values = true, value_name = "URL")]
    pub(crate) bus: Option<BusUrl>,
}

impl Spread {
    fn count(&self) -> usize {
        usize::from(self.workers.unwrap_or(0))
    }

    /// Threads of each worker: what was asked for, or the cores divided among them.
    fn threads(&self, asked: Option<u16>) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        asked.map_or_else(|| (cores() / self.count().max(1)).max(1), usize::from)
    }
}

/// The address of a bus as it was given; it may hold a password, so it is never shown.
#[derive(Clone)]
pub(crate) struct BusUrl(String);

impl BusUrl {
    pub(super) fn address(&self) -> Result<BusAddress, Failure> {
        let address: BusAddress = self.0.parse().map_err(|error: BusError| {
            Failure::usage(error.to_string())
                .right("--bus nats://127.0.0.1:4222")
                .more("docs/capital-engine.md")
        })?;
        if !address.is_shared() {
            return Err(Failure::usage("bus memory: is in one process, so no other can reach it")
                .right("--bus nats://127.0.0.1:4222, or --workers without --bus")
                .more("docs/capital-engine.md"));
        }
        Ok(address)
    }
}

impl FromStr for BusUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for BusUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BusUrl")
    }
}

pub(super) fn failed(error: &BusError) -> Failure {
    Failure::new(error.to_string())
        .right("nats-server --jetstream, reachable from every worker")
        .more("docs/capital-engine.md")
}

/// Runs a model on workers of so many threads each; `progress` has an ear for Ctrl-C.
///
/// # Errors
/// What the bus says, a batch that was given up, workers that keep dying, or an interruption; the queue is removed
/// then, too.
pub(crate) fn evaluate(
    model: &Model,
    options: &Options,
    method: Method,
    spread: &Spread,
    threads: Option<u16>,
    progress: &Progress,
) -> Result<Found, Failure> {
    let (task, engine) = Task::new(model, options, method).map_err(|stopped| progress.stopped(&stopped))?;
    let watch = |years| progress.more(years);
    let options = Options { threads: spread.threads(threads), ..*options };
    let merged = runtime()?.block_on(spread_out(model, &options, &task, spread, &watch));
    progress.end();
    let merged = merged?.ok_or_else(|| progress.stopped(&Stopped::Ended))?;
    outcome::outcome(model, &options, engine.method(), merged).map_err(|stopped| progress.stopped(&stopped))
}

/// Batches travel by an asynchronous runtime, which only these commands need.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new(format!("the asynchronous runtime does not start: {error}")))
}

/// All years, merged; none where `watch` ended the run.
async fn spread_out(
    model: &Model,
    options: &Options,
    task: &Task,
    spread: &Spread,
    watch: &(dyn Fn(u64) -> bool + Sync),
) -> Result<Option<Merged>, Failure> {
    let name = task.queue().map_err(Failure::new)?;
    let workers = spread.count();
    let address = spread.bus.as_ref().map_or_else(|| Ok(BusAddress::memory()), BusUrl::address)?;
    if workers == 0 && !address.is_shared() {
        return Err(Failure::usage("no worker can reach this process").right("--workers 1, or --bus URL"));
    }
    let bus = Bus::open(&address).await.map_err(|error| failed(&error))?;
    let terms = Terms { lease: LEASE, deliveries: DELIVERIES, keep: KEEP };
    let queue = bus.queue(&name, &terms).await.map_err(|error| failed(&error))?;
    let mut crew = Crew::new(workers, spread.bus.clone(), &name, options.threads);
    let merged = tokio::select! {
        merged = coordinate(&queue, task, model, watch) => merged,
        ended = crew.tend(&bus) => Err(ended),
        _ = tokio::signal::ctrl_c() => Ok(None),
    };
    // Where the server is away its own memory of the queue ends by itself, and the first error says more.
    let removed = queue.remove().await;
    crew.leave().await;
    let merged = merged?;
    removed.map_err(|error| failed(&error))?;
    Ok(merged)
}

async fn coordinate(
    queue: &Queue,
    task: &Task,
    model: &Model,
    watch: &(dyn Fn(u64) -> bool + Sync),
) -> Result<Option<Merged>, Failure> {
    let text = model.portfolio.to_toml().map_err(|fault| Failure::new(fault.to_string()))?;
    let told = encode(task).map_err(Failure::new)?;
    let put = async {
        queue.put_file(&task.file(), text.as_bytes()).await?;
        queue.put_file(TASK, &told).await
    };
    put.await.map_err(|error| failed(&error))?;
    let batches = task.plan.batches();
    let (mut published, mut merged) = (0, 0);
    let (mut merger, mut waiting) = (Merger::new(&task.plan), BTreeMap::new());
    let mut outcomes = queue.outcomes();
    while merged < batches {
        while published < batches.min(merged + WINDOW) {
            let id = format!("batch-{published}");
            queue.publish(&id, &u64::to_be_bytes(published)).await.map_err(|error| failed(&error))?;
            published += 1;
        }
        let Some(outcome) = outcomes.next(QUIET).await.map_err(|error| failed(&error))? else {
            tracing::warn!(queue = queue.name(), merged, published, "no worker answers: are any running?");
            continue;
        };
        let (index, batch) = understand(task, outcome)?;
        waiting.insert(index, batch);
        while let Some(batch) = waiting.remove(&merged) {
            let years = batch.partials.iter().map(|partial| partial.years as u64).sum();
            merger.batch(batch);
            merged += 1;
            if !watch(years) {
                return Ok(None);
            }
        }
    }
    Ok(Some(merger.finish()))
}

fn understand(task: &Task, outcome: Outcome) -> Result<(u64, Batch), Failure> {
    let bytes = outcome.answer.map_err(|letter| Failure::new(letter.to_string()))?;
    let index = outcome.id.strip_prefix("batch-").and_then(|index| index.parse().ok());
    let read = index.ok_or_else(|| "no batch has this id".to_owned());
    let read = read.and_then(|index| task.batch(index, &bytes).map(|batch| (index, batch)));
    read.map_err(|wrong| {
        Failure::new(format!("answer to {}: {wrong}", outcome.id))
            .right("workers of this version of breakwater only")
    })
}

/// The workers of one run.
struct Crew {
    wanted: usize,
    url: Option<BusUrl>,
    queue: String,
    threads: usize,
    children: Vec<Child>,
    deaths: usize,
}

impl Crew {
    fn new(wanted: usize, url: Option<BusUrl>, queue: &str, threads: usize) -> Self {
        let threads = threads.max(1);
        Self { wanted, url, queue: queue.to_owned(), threads, children: Vec::new(), deaths: 0 }
    }

    /// Keeps the workers at work; comes back only where they cannot be.
    async fn tend(&mut self, bus: &Bus) -> Failure {
        let ended = if self.url.is_some() { self.processes().await } else { self.tasks(bus).await };
        ended.err().unwrap_or_else(|| Failure::new("the workers ended before the last year"))
    }

    async fn tasks(&self, bus: &Bus) -> Result<(), Failure> {
        let mut tasks = JoinSet::new();
        for _ in 0..self.wanted {
            let (bus, queue, threads) = (bus.clone(), self.queue.clone(), self.threads);
            tasks.spawn(async move { worker::one(&bus, &queue, threads).await });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(|error| Failure::new(format!("a worker: {error}")))??;
        }
        Ok(())
    }

    async fn processes(&mut self) -> Result<(), Failure> {
        loop {
            while self.children.len() < self.wanted {
                self.children.push(self.spawn()?);
            }
            tokio::time::sleep(LOOK).await;
            let mut at_work = Vec::new();
            for mut child in self.children.drain(..) {
                match child.try_wait() {
                    Ok(None) => at_work.push(child),
                    Ok(Some(status)) => {
                        self.deaths += 1;
                        tracing::warn!(%status, "a worker ended before the run: another takes its place");
                    }
                    Err(error) => return Err(Failure::new(format!("a worker cannot be looked at: {error}"))),
                }
            }
            self.children = at_work;
            if self.deaths > DEATHS * self.wanted {
                return Err(Failure::new(format!("{} workers ended before the run", self.deaths))
                    .right("the same command with -v, which shows what they say"));
            }
        }
    }

    fn spawn(&self) -> Result<Child, Failure> {
        let cannot = |error: std::io::Error| Failure::new(format!("a worker cannot be started: {error}"));
        let mut command = Command::new(std::env::current_exe().map_err(cannot)?);
        command.args(["capital", "worker", "--attached", "--run", &self.queue]);
        command.args(["--threads", &self.threads.to_string()]);
        if tracing::enabled!(tracing::Level::INFO) {
            command.arg("-v");
        }
        // Arguments can be read by everybody on the machine, and the address may hold a password.
        command.envs(self.url.iter().map(|url| ("BREAKWATER_BUS", &url.0)));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true).spawn().map_err(cannot)
    }

    /// Lets the processes see that the queue is gone, and ends those that do not.
    async fn leave(mut self) {
        let left = async {
            for child in &mut self.children {
                // One that cannot be waited for is killed with its handle.
                let _ = child.wait().await;
            }
        };
        if tokio::time::timeout(LEAVE, left).await.is_err() {
            tracing::warn!("workers that did not leave are ended");
        }
    }
}
