//! `breakwater node`: a keeper or a reporter as a daemon, until it is told to stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use alloy::rpc::types::TransactionRequest;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolCall;
use breakwater_bindings::{Deployment, Incidents};
use breakwater_chain::{ChainError, Endpoints, SendEvent, SendOptions, Sender};
use breakwater_evm::{Reader, RpcSource, Rules};
use breakwater_node::{
    Contracts, DeskParts, Keeper, KeeperParts, NodeError, QuorumContracts, ReporterParts, Seen, TickReport,
    Trouble,
};
use breakwater_store::{Identity, Store};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::act::signed;
use crate::args::{Node, Role, Rpc};
use crate::connect;
use crate::deploy;
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, grouped};

const MORE: &str = "breakwater node --help";

/// Pause after an error that may heal, times the number of errors in a row.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(2);

/// Longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What a node's configuration file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// JSON-RPC addresses, unless the command line has them.
    #[serde(default)]
    rpc_urls: Vec<String>,
    /// What `breakwater deploy --out` wrote.
    deployment: PathBuf,
    /// The node's SQLite file.
    journal: PathBuf,
    /// First block whose traffic tells who holds claims [default: the deployment's].
    traffic_from: Option<u64>,
    /// Seconds between two looks at the chain.
    #[serde(default = "poll_default")]
    poll_seconds: u64,
    /// Blocks after which a transaction counts as final.
    #[serde(default = "confirmations_default")]
    confirmations: u64,
    /// The directory in which nodes leave signatures for one another.
    signatures: Option<PathBuf>,
    /// Reporter: blocks between a reading and the signature over it.
    #[serde(default = "sign_after_default")]
    sign_after_blocks: u64,
    /// Reporter: a directory; while a gauge's id is the name of a file in it, nothing is signed about the gauge.
    refusals: Option<PathBuf>,
    /// Reporter: whether reports that say too much are challenged.
    #[serde(default)]
    challenge: bool,
}

/// An hour on Ethereum, in which a person may look.
fn sign_after_default() -> u64 {
    300
}

fn poll_default() -> u64 {
    2
}

fn confirmations_default() -> u64 {
    SendOptions::default().confirmations
}

/// Runs a role until the process is interrupted or terminated.
pub(crate) async fn node(asked: &Node, screen: &Screen) -> Result<Outcome, Failure> {
    let name = match asked.role {
        Role::Keeper => "keeper",
        Role::Reporter => "reporter",
    };
    let file = config(asked)?;
    let urls = if asked.rpc_urls.is_empty() { file.rpc_urls.clone() } else { asked.rpc_urls.clone() };
    let rpc = Rpc { urls };
    let endpoints = connect::endpoints(&rpc)?;
    let deployment = deploy::read(&file.deployment)?;
    let letters = asked.signatures.clone().or_else(|| file.signatures.clone()).unwrap_or_default();
    let stop = stopped();
    tokio::pin!(stop);
    let mut errors = 0;
    let mut keeper = loop {
        match start(asked, &file, &rpc, &endpoints, &deployment).await {
            Ok(keeper) => break keeper,
            Err(Unstarted::Configuration(failure)) => return Err(failure),
            Err(Unstarted::Passing(error)) => {
                errors += 1;
                tracing::error!(%error, errors, "cannot start yet: trying again");
                tokio::select! {
                    () = &mut stop => return Ok(Outcome::Ok),
                    () = tokio::time::sleep(pause(errors)) => {}
                }
            }
        }
    };
    screen.say(format!("{name} resumes after block {}", grouped(keeper.tip().number())));
    errors = 0;
    loop {
        // A block that is being handled is handled to its end: the signal is looked at in between.
        let rest = match keeper.tick().await {
            Ok(report) => {
                errors = 0;
                tell(&report, &letters, screen);
                Duration::from_secs(file.poll_seconds)
            }
            Err(error) if error.trouble() == Trouble::Configuration => return Err(broken(&error)),
            // One endpoint that contradicts itself must not end a node that pays and answers.
            Err(error) => {
                errors += 1;
                tracing::error!(%error, errors, "trying again");
                pause(errors)
            }
        };
        tokio::select! {
            () = &mut stop => break,
            () = tokio::time::sleep(rest) => {}
        }
    }
    screen.say(format!("{name} stops after block {}", grouped(keeper.tip().number())));
    Ok(Outcome::Ok)
}

/// Why a node has not started.
enum Unstarted {
    /// It cannot, as it is asked to.
    Configuration(Failure),
    /// The chain cannot be read, or a predecessor has not let go of the journal yet.
    Passing(String),
}

impl From<Failure> for Unstarted {
    fn from(failure: Failure) -> Self {
        Self::Configuration(failure)
    }
}

impl From<NodeError> for Unstarted {
    fn from(error: NodeError) -> Self {
        match error.trouble() {
            Trouble::Configuration => Self::Configuration(broken(&error)),
            _ => Self::Passing(error.to_string()),
        }
    }
}

fn unreadable(error: ChainError) -> Unstarted {
    NodeError::from(error).into()
}

fn pause(errors: u32) -> Duration {
    (PAUSE_AFTER_ERROR * errors).min(PAUSE_MAX)
}

async fn start(
    asked: &Node,
    file: &File,
    rpc: &Rpc,
    endpoints: &Endpoints,
    deployment: &Deployment,
) -> Result<Keeper, Unstarted> {
    let endpoints = endpoints.clone();
    let signer = connect::signer(&asked.wallet)?;
    let genesis = endpoints.head_at(0, None).await.map_err(unreadable)?;
    let chain_id = endpoints.chain_id().await.map_err(unreadable)?;
    if chain_id != deployment.chain_id {
        let wrong = Failure::usage(format!("expected chain {}, got {chain_id}", deployment.chain_id));
        return Err(wrong.right("an endpoint of the deployment's chain").more(MORE).into());
    }
    let desk = desk(asked, file, deployment, &signer)?;
    let identity = Identity { chain_id, genesis: genesis.hash(), deployment: deployment.incidents };
    let store = Store::open(&file.journal, identity).await.map_err(|error| {
        Failure::new(format!("journal {}: {error}", file.journal.display()))
            .right("a journal of this deployment that no other keeper uses")
            .more(MORE)
    })?;
    let store = Arc::new(store);
    let options = SendOptions { confirmations: file.confirmations, ..SendOptions::default() };
    let sender = Sender::new(endpoints.clone(), store.clone(), signer, options).await.map_err(unreadable)?;
    let dwell = dwell(&endpoints, deployment).await?;
    let url = rpc.urls.first().map(|url| url.trim()).unwrap_or_default();
    let source = RpcSource::http(url).map_err(|error| Failure::usage(error.to_string()).more(MORE))?;
    let parts = KeeperParts {
        endpoints,
        reader: Reader::new(Arc::new(source)),
        rules: Rules::Auto,
        deployment: Contracts {
            catalog: deployment.catalog,
            incidents: deployment.incidents,
            policies: deployment.policies,
            proof_rung: deployment.proof_rung,
            history: deployment.history,
            machines: crate::keeper::machines(deployment),
            quorum: deployment.disputes.as_ref().map(|disputes| QuorumContracts {
                rung: disputes.quorum_rung,
                reporters: disputes.reporters,
                assembly: disputes.assembly,
            }),
            from_block: deployment.from_block,
            traffic_from: file.traffic_from.unwrap_or(deployment.from_block),
        },
        dwell,
        store,
        sender,
        desk,
    };
    Ok(Keeper::new(parts).await?)
}

/// The node's part in the quorum; a keeper without a directory of signatures has none.
fn desk(
    asked: &Node,
    file: &File,
    deployment: &Deployment,
    signer: &PrivateKeySigner,
) -> Result<Option<DeskParts>, Failure> {
    let signatures = asked.signatures.as_ref().or(file.signatures.as_ref()).cloned();
    let reports = asked.role == Role::Reporter;
    let refuse = |wrong: &str, right: &str| Failure::usage(wrong).right(right).more(MORE);
    if (reports || signatures.is_some()) && deployment.disputes.is_none() {
        return Err(refuse("the deployment has no reporters", "a deployment with `disputes`"));
    }
    let Some(signatures) = signatures else {
        let right = "--signatures DIR, or `signatures` in the configuration";
        return if reports { Err(refuse("no directory for signatures", right)) } else { Ok(None) };
    };
    let reporter = reports.then(|| ReporterParts {
        key: signer.clone(),
        sign_after: file.sign_after_blocks,
        refusals: file.refusals.clone(),
        challenge: asked.challenge || file.challenge,
    });
    Ok(Some(DeskParts { signatures, reporter }))
}

async fn dwell(endpoints: &Endpoints, deployment: &Deployment) -> Result<u64, Unstarted> {
    let head = endpoints.head().await.map_err(unreadable)?;
    let call = Incidents::dwellCall {}.abi_encode();
    let request = TransactionRequest::default().to(deployment.incidents).input(call.into());
    let answer = endpoints.call(&head, &request).await.map_err(unreadable)?;
    Incidents::dwellCall::abi_decode_returns(&answer).map_err(|error| {
        let wrong = Failure::new(format!("{} answers no dwell: {error}", deployment.incidents));
        wrong.right("a deployment that stands on this chain: breakwater deploy --check").more(MORE).into()
    })
}

/// What a tick saw and did, one line each.
fn tell(report: &TickReport, letters: &Path, screen: &Screen) {
    for seen in &report.seen {
        let (event, facts) = match seen {
            Seen::Onset { gauge, block } => ("onset", json!({ "gauge": gauge, "block": block })),
            Seen::Undecided { gauge, block, why } => {
                ("undecided", json!({ "gauge": gauge, "block": block, "why": why }))
            }
            Seen::Unreadable { gauge, block, why } => {
                ("unreadable", json!({ "gauge": gauge, "block": block, "why": why }))
            }
            Seen::Incident { id, block, incident } => (
                "incident",
                json!({
                    "incident": id.to_string(), "block": block, "gauge": incident.gauge,
                    "loss": incident.live.loss.to_string(), "base": incident.live.base.to_string(),
                    "standing": format!("{:?}", incident.standing),
                }),
            ),
            Seen::Measured { gauge, onset, reading, base, loss, sign_at } => (
                "measured",
                json!({
                    "gauge": gauge, "onset": onset, "reading": reading, "base": base.to_string(),
                    "loss": loss.to_string(), "sign_at": sign_at,
                }),
            ),
            Seen::Listed { report, chain_id, rung, why } => {
                let file = match signed::list(report.as_ref(), *chain_id, *rung, letters) {
                    Ok(file) => file,
                    Err(error) => {
                        tracing::error!(folder = %letters.display(), %error, "cannot list what may be signed");
                        continue;
                    }
                };
                (
                    "listed",
                    json!({
                        "gauge": report.gauge, "onset": report.onset, "reading": report.reading,
                        "base": report.base.to_string(), "loss": report.loss.to_string(), "why": why,
                        "message": file.display().to_string(),
                    }),
                )
            }
            Seen::Withheld { gauge, why } => ("withheld", json!({ "gauge": gauge, "why": why })),
            Seen::Overstated { id, reported, found } => (
                "overstated",
                json!({
                    "incident": id.to_string(), "reported": reported.to_string(), "found": found.to_string(),
                }),
            ),
            Seen::Reorganised { to } => ("reorganised", json!({ "to": to })),
        };
        line(screen, event, facts);
    }
    for sent in &report.sent {
        let facts = json!({
            "key": sent.key.as_str(), "calldata_bytes": sent.calldata_bytes, "proof_bytes": sent.proof_bytes,
        });
        line(screen, "sent", facts);
    }
    for event in &report.followed {
        follow(event, screen);
    }
}

fn follow(event: &SendEvent, screen: &Screen) {
    match event {
        SendEvent::Mined { key, receipt } => line(
            screen,
            "mined",
            json!({ "key": key.as_str(), "block": receipt.block_number, "gas": receipt.gas_used }),
        ),
        SendEvent::Reverted { key, receipt, data } => line(
            screen,
            "reverted",
            json!({ "key": key.as_str(), "block": receipt.block_number, "data": data }),
        ),
        SendEvent::Failed { key, reason } => {
            line(screen, "failed", json!({ "key": key.as_str(), "reason": reason }));
        }
        SendEvent::Stuck { key, attempts, .. } => {
            line(screen, "stuck", json!({ "key": key.as_str(), "attempts": attempts }));
        }
        // The rest is the sender's daily work, which its own log tells.
        _ => {}
    }
}

fn line(screen: &Screen, event: &str, mut facts: Value) {
    let Some(map) = facts.as_object_mut() else { return };
    if screen.json {
        map.shift_insert(0, "event".to_owned(), event.into());
        return screen.object(&facts);
    }
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let parts: Vec<String> = map.iter().map(|(name, value)| format!("{name} {}", word(value))).collect();
    screen.say(format!("{event:<11} {}", parts.join(", ")));
}

fn config(asked: &Node) -> Result<File, Failure> {
    let file = &asked.config;
    let refuse = |wrong: String| {
        Failure::usage(wrong)
            .right("TOML with deployment, journal, and rpc_urls unless --rpc-url is given")
            .more(MORE)
    };
    let text = std::fs::read_to_string(file)
        .map_err(|error| refuse(format!("cannot read {}: {error}", file.display())))?;
    toml::from_str(&text).map_err(|error| refuse(format!("{}: {error}", file.display())))
}

fn broken(error: &NodeError) -> Failure {
    Failure::new(error.to_string())
        .right("the journal keeps everything; the same command goes on from it once the cause is gone")
        .more(MORE)
}

/// Resolves when the process is interrupted or, where there is such a thing, terminated.
async fn stopped() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a handler the signal ends the process by itself, and the journal is safe all the same.
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = interrupted => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    interrupted.await;
}
