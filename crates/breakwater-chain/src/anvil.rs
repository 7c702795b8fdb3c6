//! A local anvil chain for demonstrations, replays and tests; it dies with its handle.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use alloy::primitives::{U64, U256};
use alloy::signers::local::PrivateKeySigner;
use serde_json::{Value, json};
use url::Url;

use crate::endpoints::Endpoints;
use crate::error::ChainError;
use crate::limits::Limits;

/// Environment variable that names the native anvil binary.
pub const ANVIL_ENV: &str = "BREAKWATER_ANVIL";

/// Where the contracts' tools keep the native binary, below the repository's root.
/// The launcher in `.bin` is passed over, since it hides the exit status.
const PACKAGES: &str = "contracts/node_modules/@foundry-rs";

/// Longest wait for the line that names the port; a loaded machine needs a second or two.
const START_MAX: Duration = Duration::from_secs(60);

/// Why a local chain did not start.
#[derive(Debug, thiserror::Error)]
pub enum AnvilError {
    /// No binary was found.
    #[error("anvil not found: expected {ANVIL_ENV}, {PACKAGES}/anvil-*/bin/anvil above {from} or PATH")]
    NotFound {
        /// Directory where the search began.
        from: PathBuf,
    },
    /// The process could not be started.
    #[error("cannot start {program}: {source}")]
    Spawn {
        /// The binary.
        program: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// It ended or stayed silent before it listened.
    #[error("anvil did not listen: {reason}; its last words: {output}")]
    Silent {
        /// What happened instead.
        reason: String,
        /// The end of its output.
        output: String,
    },
    /// The started chain does not answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// A running anvil process, killed on drop.
#[derive(Debug)]
pub struct Anvil {
    child: Child,
    url: Url,
    endpoints: Endpoints,
    keys: Vec<PrivateKeySigner>,
}

/// How to start anvil; made by [`Anvil::builder`].
#[derive(Debug, Clone, Default)]
pub struct AnvilBuilder {
    program: Option<PathBuf>,
    args: Vec<String>,
    port: u16,
}

impl Anvil {
    /// Default options: a free port, one block per transaction, anvil's own genesis.
    pub fn builder() -> AnvilBuilder {
        AnvilBuilder::default()
    }

    /// Finds the native binary: the environment, the contracts' tools in this or a parent
    /// directory, then `PATH`.
    ///
    /// # Errors
    /// [`AnvilError::NotFound`].
    pub fn find() -> Result<PathBuf, AnvilError> {
        if let Some(path) = std::env::var_os(ANVIL_ENV) {
            return Ok(path.into());
        }
        let from = std::env::current_dir().unwrap_or_default();
        let installed = from.ancestors().find_map(|folder| installed_below(&folder.join(PACKAGES)));
        let on_path = || {
            std::env::split_paths(&std::env::var_os("PATH")?)
                .map(|folder| folder.join("anvil"))
                .find(|file| file.is_file())
        };
        installed.or_else(on_path).ok_or(AnvilError::NotFound { from })
    }

    /// HTTP address of the chain.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The chain as a set of one endpoint.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Keys of the funded development accounts, in anvil's order.
    pub fn keys(&self) -> &[PrivateKeySigner] {
        &self.keys
    }

    /// Mines `blocks` blocks, one second apart.
    ///
    /// # Errors
    /// As [`Endpoints::request`].
    pub async fn mine(&self, blocks: u64) -> Result<(), ChainError> {
        let _: Value = self.endpoints.request("anvil_mine", (U64::from(blocks), U64::ONE)).await?;
        Ok(())
    }

    /// Fixes the time of the next block, in seconds since the Unix epoch.
    ///
    /// # Errors
    /// As [`Endpoints::request`]; anvil refuses a time before the newest block's.
    pub async fn set_next_timestamp(&self, time_s: u64) -> Result<(), ChainError> {
        let _: Value = self.endpoints.request("evm_setNextBlockTimestamp", [time_s]).await?;
        Ok(())
    }

    /// Remembers the present state and returns its number.
    ///
    /// # Errors
    /// As [`Endpoints::request`].
    pub async fn snapshot(&self) -> Result<U256, ChainError> {
        self.endpoints.request("evm_snapshot", ()).await
    }

    /// Goes back to a remembered state; later blocks vanish.
    ///
    /// # Errors
    /// As [`Endpoints::request`].
    pub async fn revert(&self, snapshot: U256) -> Result<bool, ChainError> {
        self.endpoints.request("evm_revert", [snapshot]).await
    }

    /// Replaces the newest `depth` blocks by as many empty ones.
    ///
    /// # Errors
    /// As [`Endpoints::request`].
    pub async fn reorg(&self, depth: u64) -> Result<(), ChainError> {
        let _: Value = self.endpoints.request("anvil_reorg", json!([depth, []])).await?;
        Ok(())
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        // It may have ended by itself, and a destructor has nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl AnvilBuilder {
    /// Uses this binary instead of searching for one.
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        self.program = Some(path.into());
        self
    }

    /// Starts from a genesis file.
    pub fn genesis(self, path: &Path) -> Self {
        self.arg("--init").arg(path.display())
    }

    /// EVM rules, such as `prague`.
    pub fn hardfork(self, name: &str) -> Self {
        self.arg("--hardfork").arg(name)
    }

    /// Time of the first block, in seconds since the Unix epoch.
    pub fn timestamp(self, time_s: u64) -> Self {
        self.arg("--timestamp").arg(time_s)
    }

    /// Number of the first block.
    pub fn number(self, number: u64) -> Self {
        self.arg("--number").arg(number)
    }

    /// Chain id.
    pub fn chain_id(self, id: u64) -> Self {
        self.arg("--chain-id").arg(id)
    }

    /// Gas limit of a block.
    pub fn gas_limit(self, gas: u64) -> Self {
        self.arg("--gas-limit").arg(gas)
    }

    /// Mines a block every so many seconds instead of one per transaction.
    pub fn block_time(self, seconds: u64) -> Self {
        self.arg("--block-time").arg(seconds)
    }

    /// Whether a transaction is mined at once; if not, blocks come by [`Anvil::mine`] only.
    pub fn automine(mut self, on: bool) -> Self {
        self.args.retain(|arg| arg != "--no-mining");
        if on { self } else { self.arg("--no-mining") }
    }

    /// Listens on this port; 0, the default, takes a free one.
    pub fn start_at_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Any further command-line argument.
    pub fn arg(mut self, arg: impl ToString) -> Self {
        self.args.push(arg.to_string());
        self
    }

    /// Starts the chain and waits until it listens.
    ///
    /// This blocks for a second or so.
    ///
    /// # Errors
    /// [`AnvilError`].
    pub fn start(self) -> Result<Anvil, AnvilError> {
        let program = match self.program {
            Some(program) => program,
            None => Anvil::find()?,
        };
        let child = Command::new(&program)
            .args(["--host", "127.0.0.1", "--port", &self.port.to_string()])
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|source| AnvilError::Spawn { program, source })?;
        let lines = read_lines(&mut child);
        match wait_for_port(&lines) {
            Ok(started) => Anvil::running(child, started),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }
}

struct Started {
    address: String,
    keys: Vec<PrivateKeySigner>,
}

impl Anvil {
    fn running(child: Child, started: Started) -> Result<Self, AnvilError> {
        // The handle exists before anything else can fail, so that the process is always reaped.
        let text = format!("http://{}", started.address);
        let parsed = Url::parse(&text)
            .map_err(|error| ChainError::Url { index: 0, reason: error.to_string() })
            .and_then(|url| Ok((Endpoints::new(std::slice::from_ref(&url), Limits::default())?, url)));
        match parsed {
            Ok((endpoints, url)) => Ok(Self { child, url, endpoints, keys: started.keys }),
            Err(error) => {
                let mut child = child;
                let _ = child.kill();
                let _ = child.wait();
                Err(error.into())
            }
        }
    }
}

/// Both outputs are read until the process ends; a full pipe would stop it.
fn read_lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    let outputs: [Option<Box<dyn std::io::Read + Send>>; 2] = [
        child.stdout.take().map(|output| Box::new(output) as Box<_>),
        child.stderr.take().map(|output| Box::new(output) as Box<_>),
    ];
    for output in outputs.into_iter().flatten() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Once started nobody listens; the lines are read all the same.
                let _ = sender.send(line);
            }
        });
    }
    receiver
}

fn wait_for_port(lines: &Receiver<String>) -> Result<Started, AnvilError> {
    let deadline = Instant::now() + START_MAX;
    let mut output = Vec::new();
    let mut keys = Vec::new();
    loop {
        let silent = |reason: &str, output: &[String]| AnvilError::Silent {
            reason: reason.to_owned(),
            output: output[output.len().saturating_sub(8)..].join(" | "),
        };
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                if let Some(address) = line.trim().strip_prefix("Listening on ") {
                    return Ok(Started { address: address.trim().to_owned(), keys });
                }
                keys.extend(key_in(&line));
                output.push(line);
            }
            Err(RecvTimeoutError::Timeout) => return Err(silent("no address in time", &output)),
            Err(RecvTimeoutError::Disconnected) => return Err(silent("it ended", &output)),
        }
    }
}

/// A line such as `(0) 0xac09…` with 32 bytes; addresses are shorter and followed by a balance.
fn key_in(line: &str) -> Option<PrivateKeySigner> {
    let (_, key) = line.trim().strip_prefix('(')?.split_once(") ")?;
    (key.len() == 66).then(|| key.parse().ok())?
}

fn installed_below(packages: &Path) -> Option<PathBuf> {
    let is_anvil = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("anvil-");
    std::fs::read_dir(packages)
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| is_anvil(&entry.file_name()))
        .map(|entry| entry.path().join("bin/anvil"))
        .find(|file| file.is_file())
}
