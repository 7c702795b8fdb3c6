//! Commands of stakers who decide disputes: commit to a vote, later reveal it.
//!
//! A vote is hidden behind a salt until everybody has voted. The salt is written to a file before anything is sent:
//! whoever loses it cannot reveal, and pays for that.

use std::path::{Path, PathBuf};

use alloy::primitives::{Address, B256, U256};
use alloy::signers::local::PrivateKeySigner;
use breakwater_bindings::decimal;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use crate::act::bench::Step;
use crate::act::frame::{Act, Scene};
use crate::act::probe::Probe;
use crate::act::run::{self, Plan};
use crate::act::units::Quantity;
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

alloy::sol! {
    struct Case {
        uint128 undisputed;
        uint128 asserted;
        uint128 eligible;
        uint128 revealed;
        uint64 commitEnd;
        uint64 revealEnd;
        uint64 openedAt;
        uint8 round;
        bool closed;
    }

    function caseOf(uint256 id) external view returns (Case memory);
    function commitmentOf(uint256 id, uint8 round, address voter, uint8 value, bytes32 salt) external view returns (bytes32);
    function commitOf(uint256 id, uint8 round, address voter) external view returns (bytes32 commitment, uint128 weight);
    function begin(uint256 id) external;
    function commit(uint256 id, bytes32 commitment) external;
    function reveal(uint256 id, uint8 value, bytes32 salt) external;
    function close(uint256 id) external;
}

/// What stakers do.
#[derive(Debug, Subcommand)]
pub(crate) enum Assess {
    /// Open the case of a disputed incident or a challenged trip; anybody may
    Begin(OfCase),
    /// Commit to a vote without showing it
    Commit(Commit),
    /// Show the vote that was committed to
    Reveal(Reveal),
    /// End a round whose time is over; anybody may
    Close(OfCase),
}

/// Which case.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater assess begin --incident 3 --account me")]
pub(crate) struct OfCase {
    /// The assembly [default: the deployment's, or its judges of trips with --trip]
    #[arg(long, value_name = "ADDRESS")]
    assembly: Option<Address>,
    /// Number of the incident
    #[arg(long, value_name = "NUMBER", required_unless_present = "trip", conflicts_with = "trip")]
    incident: Option<U256>,
    /// Number of the breaker's trip, in place of an incident
    #[arg(long, value_name = "NUMBER")]
    trip: Option<U256>,
    #[command(flatten)]
    act: Act,
}

/// Which vote.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater assess commit --incident 3 --percent 80 --secret vote.json --account me\n\
    The percentage is of the way from what is undisputed (0) to what was asserted (100)."
)]
pub(crate) struct Commit {
    /// How much of what is disputed was lost, 0 to 100 per cent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(..=100))]
    percent: u8,
    /// New file for the vote and its salt; keep it to yourself, and keep it
    #[arg(long, value_name = "FILE")]
    secret: PathBuf,
    #[command(flatten)]
    case: OfCase,
}

/// Which vote is shown.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater assess reveal --secret vote.json --account me")]
pub(crate) struct Reveal {
    /// The file that `assess commit` wrote
    #[arg(long, value_name = "FILE")]
    secret: PathBuf,
    #[command(flatten)]
    act: Act,
}

/// A vote before it is shown.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    #[serde(with = "decimal")]
    chain_id: u64,
    assembly: Address,
    incident: U256,
    round: u8,
    voter: Address,
    percent: u8,
    salt: B256,
}

/// Runs one of a staker's commands.
pub(crate) async fn assess(command: &Assess, screen: &Screen) -> Result<Outcome, Failure> {
    match command {
        Assess::Begin(asked) => {
            simple(
                asked,
                "assess begin",
                |at, id| Step::new("opening the case", at, &beginCall { id }),
                screen,
            )
            .await
        }
        Assess::Close(asked) => {
            simple(
                asked,
                "assess close",
                |at, id| Step::new("ending the round", at, &closeCall { id }),
                screen,
            )
            .await
        }
        Assess::Commit(asked) => commit(asked, screen).await,
        Assess::Reveal(asked) => reveal(asked, screen).await,
    }
}

impl OfCase {
    /// Where the case is heard, and its number there.
    fn case(&self, scene: &Scene) -> Result<(Address, U256), Failure> {
        let assembly = scene.of_disputes("--assembly", self.assembly, |disputes| match self.trip {
            Some(_) => disputes.judges,
            None => disputes.assembly,
        })?;
        // One of them is given: the flags require it.
        Ok((assembly, self.trip.or(self.incident).unwrap_or_default()))
    }
}

async fn simple(
    asked: &OfCase,
    command: &'static str,
    step: impl Fn(Address, U256) -> Step,
    screen: &Screen,
) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let (assembly, id) = asked.case(&scene)?;
    let step = step(assembly, id);
    let title = format!("{} {id}", step.what);
    run::run(&asked.act, &scene, &signer, Plan::new(command, title, vec![step], Vec::new()), screen).await
}

async fn commit(asked: &Commit, screen: &Screen) -> Result<Outcome, Failure> {
    let act = &asked.case.act;
    let signer = act.signer()?;
    let scene = Scene::open(&act.look).await?;
    let (assembly, id) = asked.case.case(&scene)?;
    let round = scene.view(assembly, &caseOfCall { id }).await?.round;
    let voter = signer.address();
    let secret = Secret {
        chain_id: scene.deployment.chain_id,
        assembly,
        incident: id,
        round,
        voter,
        percent: asked.percent,
        // A fresh key is 32 bytes that nobody can guess.
        salt: PrivateKeySigner::random().to_bytes(),
    };
    let of = commitmentOfCall { id, round, voter, value: asked.percent, salt: secret.salt };
    let commitment = scene.view(assembly, &of).await?;
    if !act.dry_run {
        write_new(&asked.secret, &secret)?;
    }
    let step = Step::new("committing to a vote", assembly, &commitCall { id, commitment });
    let title = format!("voting on case {id}; the vote is hidden until it is revealed");
    let plan = Plan::new("assess commit", title, vec![step], probes(assembly, id, round, voter));
    run::run(act, &scene, &signer, plan, screen).await
}

async fn reveal(asked: &Reveal, screen: &Screen) -> Result<Outcome, Failure> {
    let secret = read(&asked.secret)?;
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let pairs = [
        ("chain", scene.deployment.chain_id.to_string(), secret.chain_id.to_string()),
        ("voter", signer.address().to_string(), secret.voter.to_string()),
    ];
    if let Some((what, expected, got)) = pairs.iter().find(|(_, expected, got)| expected != got) {
        return Err(Failure::usage(format!("--secret: {what}: expected {expected}, got {got}"))
            .right("the file of the account that committed"));
    }
    let (id, assembly) = (secret.incident, secret.assembly);
    let call = revealCall { id, value: secret.percent, salt: secret.salt };
    let title = format!("revealing a vote of {} per cent on case {id}", secret.percent);
    let steps = vec![Step::new("revealing a vote", assembly, &call)];
    let probes = probes(assembly, id, secret.round, secret.voter);
    run::run(&asked.act, &scene, &signer, Plan::new("assess reveal", title, steps, probes), screen).await
}

fn probes(assembly: Address, id: U256, round: u8, voter: Address) -> Vec<Probe> {
    vec![
        Probe::new("weight of the hidden vote", assembly, &commitOfCall { id, round, voter }, |known| {
            Quantity::Number(U256::from(known.weight))
        }),
        Probe::new("stake revealed in the round", assembly, &caseOfCall { id }, |case| {
            Quantity::Number(U256::from(case.revealed))
        }),
    ]
}

/// A file that is there may hold the only salt of an earlier vote, so it is never written over.
fn write_new(file: &Path, secret: &Secret) -> Result<(), Failure> {
    use std::io::Write as _;
    let refuse = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("--secret: cannot write {}: {error}", file.display()))
            .right("a path where no file is yet")
    };
    let json = serde_json::to_string(secret).map_err(|error| refuse(&error))?;
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).open(file);
    let mut opened = opened.map_err(|error| refuse(&error))?;
    writeln!(opened, "{json}").and_then(|()| opened.sync_all()).map_err(|error| refuse(&error))
}

fn read(file: &Path) -> Result<Secret, Failure> {
    let refuse = |wrong: String| {
        Failure::usage(format!("--secret: {}: {wrong}", file.display()))
            .right("a file that `assess commit` wrote")
    };
    let text = std::fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))
}
