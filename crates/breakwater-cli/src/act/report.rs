//! Losses that bonded reporters sign for, and challenges of them.

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolCall;
use breakwater_bindings::eip712::LossReport;
use clap::{Args, Subcommand};

use crate::act::bench::Step;
use crate::act::frame::{Act, Scene};
use crate::act::permit;
use crate::act::probe::Probe;
use crate::act::run::{self, Plan};
use crate::act::signed::{self, Countersign, Making, Post};
use crate::connect;
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

alloy::sol! {
    function reporters() external view returns (address);
    function signerSet() external view returns (bytes32);
    function asset() external view returns (address);
    function nextBond(uint256 id) external view returns (uint128);
    function challenge(uint256 id, uint128 loss) external returns (uint256 index);
}

/// What reporters do.
#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// Make a loss report and sign it first
    Sign(SignLoss),
    /// Add a signature
    Countersign(Countersign),
    /// Hand it to the chain
    Post(Post),
}

/// What was lost.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater report sign --gauge 0x… --onset 21000000 --reading 21000010 --base 1000000 --loss 250000 --evidence 0x… --out report.json --account me\n\
    Base and loss are in units of the gauge; the times of the blocks are read from the chain."
)]
pub(crate) struct SignLoss {
    /// The quorum rung that takes the report [default: the deployment's]
    #[arg(long, value_name = "ADDRESS")]
    rung: Option<Address>,
    /// Id of the gauge or trigger, 32 bytes in hex
    #[arg(long, value_name = "ID")]
    gauge: B256,
    /// The incident that is revised [default: a new one]
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    incident: U256,
    /// The last healthy block
    #[arg(long, value_name = "BLOCK")]
    onset: u64,
    /// The block that sizes the loss
    #[arg(long, value_name = "BLOCK")]
    reading: u64,
    /// What the loss is a part of, units of the gauge
    #[arg(long, value_name = "UNITS")]
    base: u128,
    /// What was lost, units of the gauge
    #[arg(long, value_name = "UNITS")]
    loss: u128,
    /// Hash of an evidence/1 document
    #[arg(long, value_name = "HASH")]
    evidence: B256,
    #[command(flatten)]
    making: Making,
}

/// What is said against a report.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater challenge --incident 3 --loss 0 --account me --dry-run\n\
    The loss is in units of the gauge. Exactly the bond is approved; it is lost if the decision is nearer to the report.")]
pub(crate) struct Challenge {
    /// The quorum rung that took the report [default: the deployment's]
    #[arg(long, value_name = "ADDRESS")]
    rung: Option<Address>,
    /// Number of the incident
    #[arg(long, value_name = "NUMBER")]
    incident: U256,
    /// Most that was lost, units of the gauge
    #[arg(long, value_name = "UNITS")]
    loss: u128,
    #[command(flatten)]
    act: Act,
}

/// Runs a command about loss reports.
pub(crate) async fn report(command: &Report, screen: &Screen) -> Result<Outcome, Failure> {
    match command {
        Report::Sign(asked) => sign(asked, screen).await,
        Report::Countersign(asked) => signed::countersign::<LossReport>(asked, screen),
        Report::Post(asked) => signed::post::<LossReport>("report post", asked, screen).await,
    }
}

async fn sign(asked: &SignLoss, screen: &Screen) -> Result<Outcome, Failure> {
    if asked.onset >= asked.reading || asked.base == 0 || asked.loss > asked.base {
        return Err(Failure::usage("expected a reading after the onset and a loss of at most the base")
            .right("--onset below --reading, --base at least 1, --loss at most --base"));
    }
    let key = connect::signer(&asked.making.wallet)?;
    let scene = Scene::open(&asked.making.look).await?;
    let (valid_from, valid_until, nonce) = asked.making.terms(scene.head.timestamp())?;
    let rung = quorum_rung(&scene, asked.rung)?;
    let reporters = scene.view(rung, &reportersCall {}).await?;
    let message = LossReport {
        gauge: asked.gauge,
        incident: asked.incident,
        onset: asked.onset,
        reading: asked.reading,
        onsetTime: time(&scene, asked.onset).await?,
        afterTime: time(&scene, asked.onset + 1).await?,
        base: asked.base,
        loss: asked.loss,
        evidence: asked.evidence,
        signerSet: scene.view(reporters, &signerSetCall {}).await?,
        nonce,
        validFrom: valid_from,
        validUntil: valid_until,
    };
    asked.making.sign(&message, &scene, rung, &key, screen)
}

fn quorum_rung(scene: &Scene, given: Option<Address>) -> Result<Address, Failure> {
    scene.of_disputes("--rung", given, |disputes| disputes.quorum_rung)
}

async fn time(scene: &Scene, number: u64) -> Result<u64, Failure> {
    let head = scene.endpoints.head_at(number, None).await.map_err(connect::unreadable)?;
    Ok(head.timestamp())
}

/// Stands against a report with a bond.
pub(crate) async fn challenge(asked: &Challenge, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let rung = quorum_rung(&scene, asked.rung)?;
    let reporters = scene.view(rung, &reportersCall {}).await?;
    let token = scene.token(scene.view(reporters, &assetCall {}).await?).await?;
    let bond = U256::from(scene.view(rung, &nextBondCall { id: asked.incident }).await?);
    let mut bench = scene.bench().await?;
    let mut steps = permit::allow(&mut bench, &token, signer.address(), rung, bond).await?;
    let call = challengeCall { id: asked.incident, loss: asked.loss };
    steps.push(Step { what: "challenging".to_owned(), to: rung, data: call.abi_encode().into() });
    let title = format!("challenging incident {} with a bond of {}", asked.incident, token.show(bond));
    let probes = vec![
        Probe::balance("balance of the challenger", &token, signer.address()),
        Probe::allowance("allowance left to the rung", &token, signer.address(), rung),
        Probe::balance("bonds at the rung", &token, rung),
    ];
    run::run(&asked.act, &scene, &signer, Plan::new("challenge", title, steps, probes), screen).await
}
