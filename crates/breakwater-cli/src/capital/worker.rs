//! `breakwater capital worker`: simulates batches of whatever runs are on a bus.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use breakwater_bus::{Bus, BusError, Job, Queue};
use breakwater_capital::Model;
use clap::Args;
use tokio::task::JoinSet;

use super::spread::{BusUrl, failed, runtime};
use super::task::{self, QUEUES, Simulate, TASK, Task};
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

/// Pause between two looks for runs, and for work where there are several runs.
const LOOK: Duration = Duration::from_millis(500);

/// A queue whose coordinator does not say for this long what is to be done is passed over.
const UNTOLD: Duration = Duration::from_secs(10);

/// Pause before a batch that this worker could not do is tried again, perhaps by another.
const AGAIN: Duration = Duration::from_millis(500);

/// Flags of a worker.
#[derive(Debug, Args)]
pub(crate) struct Worker {
    /// Where the runs are: nats://host:port or tls://host:port, with user:password@ or token@ before the host if needed
    #[arg(long, env = "BREAKWATER_BUS", hide_env_values = true, value_name = "URL")]
    pub(crate) bus: BusUrl,
    /// Batches at a time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..), value_name = "N")]
    pub(crate) threads: u16,
    /// Serve only this run, and end with it
    #[arg(long, hide = true)]
    pub(crate) run: Option<String>,
    /// End with standard input: a coordinator that dies takes its workers with it
    #[arg(long, hide = true)]
    pub(crate) attached: bool,
}

/// Serves runs until it is interrupted, or the one run until that ends.
pub(crate) fn worker(asked: &Worker, screen: &Screen) -> Result<Outcome, Failure> {
    let runtime = runtime()?;
    let ended = runtime.block_on(work(asked, screen));
    // A batch that is being simulated belongs to nobody any more, and is not waited for.
    runtime.shutdown_background();
    ended.map(|()| Outcome::Ok)
}

async fn work(asked: &Worker, screen: &Screen) -> Result<(), Failure> {
    let bus = Bus::open(&asked.bus.address()?).await.map_err(|error| failed(&error))?;
    let threads = usize::from(asked.threads);
    let served = async {
        match &asked.run {
            Some(name) => one(&bus, name, threads).await,
            None => all(&bus, threads, screen).await,
        }
    };
    tokio::select! {
        ended = served => ended,
        _ = tokio::signal::ctrl_c() => Ok(()),
        () = orphaned(), if asked.attached => Ok(()),
    }
}

/// One run, until its coordinator removes it.
pub(super) async fn one(bus: &Bus, name: &str, threads: usize) -> Result<(), Failure> {
    let served = async {
        let queue = bus.join(name).await?;
        let Some(simulate) = load(&queue).await? else {
            return Ok(());
        };
        serve(&queue, &simulate, threads, None).await
    };
    match served.await {
        Ok(()) | Err(BusError::Gone { .. }) => Ok(()),
        Err(error) => Err(failed(&error)),
    }
}

/// All runs on the bus, in turn.
async fn all(bus: &Bus, threads: usize, screen: &Screen) -> Result<(), Failure> {
    screen.say(format!("serving runs with {threads} threads"));
    let mut strange = BTreeSet::new();
    loop {
        let mut names = bus.queues(QUEUES).await.map_err(|error| failed(&error))?;
        names.retain(|name| !strange.contains(name));
        if names.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
        for name in names {
            let turn = async {
                let queue = bus.join(&name).await?;
                match load(&queue).await? {
                    Some(simulate) => serve(&queue, &simulate, threads, Some(LOOK)).await.map(|()| true),
                    None => Ok(false),
                }
            };
            match turn.await {
                Ok(true) | Err(BusError::Gone { .. }) => {}
                Ok(false) => drop(strange.insert(name)),
                Err(error) => return Err(failed(&error)),
            }
        }
    }
}

/// The engine of a run, or none where this program cannot serve it.
async fn load(queue: &Queue) -> Result<Option<Arc<Simulate>>, BusError> {
    let begun = tokio::time::Instant::now();
    let told = loop {
        if let Some(told) = queue.file(TASK).await? {
            break told;
        }
        if begun.elapsed() > UNTOLD {
            tracing::warn!(run = queue.name(), "nobody says what is to be done");
            return Ok(None);
        }
        tokio::time::sleep(AGAIN / 10).await;
    };
    let understood = task::decode::<Task>(&told);
    let portfolio = match &understood {
        Ok(task) => queue.file(&task.file()).await?,
        Err(_) => None,
    };
    let made = tokio::task::spawn_blocking(move || engine(understood?, portfolio));
    match made.await.map_err(|error| error.to_string()).flatten() {
        Ok(simulate) => Ok(Some(Arc::new(simulate))),
        Err(error) => {
            tracing::warn!(run = queue.name(), %error, "this worker cannot serve the run");
            Ok(None)
        }
    }
}

fn engine(task: Task, portfolio: Option<Vec<u8>>) -> Result<Simulate, String> {
    let portfolio = portfolio.ok_or("its portfolio is not on the bus")?;
    let text = String::from_utf8(portfolio).map_err(|error| format!("its portfolio is no text: {error}"))?;
    let model = Model::from_toml(&text).map_err(|fault| format!("its portfolio: {fault}"))?;
    task.simulate(&model)
}

/// Simulates batches, `threads` at a time, until there are none for `idle`, or for ever.
async fn serve(
    queue: &Queue,
    simulate: &Arc<Simulate>,
    threads: usize,
    idle: Option<Duration>,
) -> Result<(), BusError> {
    let mut hands = JoinSet::new();
    for _ in 0..threads {
        let (queue, simulate) = (queue.clone(), simulate.clone());
        hands.spawn(async move {
            loop {
                match queue.pull(idle.unwrap_or(LOOK * 20)).await? {
                    Some(job) => answer(job, &simulate).await?,
                    None if idle.is_some() => return Ok(()),
                    None => {}
                }
            }
        });
    }
    let mut ended = Ok(());
    while let Some(hand) = hands.join_next().await {
        // A hand only panics where the runtime is going down, and then nobody waits for its answer.
        ended = ended.and(hand.unwrap_or(Ok(())));
    }
    ended
}

async fn answer(job: Job, simulate: &Arc<Simulate>) -> Result<(), BusError> {
    let Ok(index) = job.payload().try_into().map(u64::from_be_bytes) else {
        let got = job.payload().len();
        return job.fail(&format!("expected the index of a batch in 8 bytes, got {got} bytes")).await;
    };
    tracing::info!(index, delivery = job.delivery(), "batch taken");
    let simulate = simulate.clone();
    let done = tokio::task::spawn_blocking(move || task::encode(&simulate(index))).await;
    match done.map_err(|error| error.to_string()).flatten() {
        Ok(bytes) => {
            tracing::info!(index, bytes = bytes.len(), "batch done");
            job.finish(&bytes).await
        }
        Err(error) => job.refuse(&format!("batch {index}: {error}"), AGAIN).await,
    }
}

/// Waits for the end of standard input, on a thread that nobody waits for.
async fn orphaned() {
    let (told, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Input that cannot be read has ended too, and a worker that left first need not be told.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = told.send(());
    });
    let _ = ended.await;
}
