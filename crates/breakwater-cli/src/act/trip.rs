//! Trips of the breaker: what reporters sign, what anybody sends, and how a trip ends.

use alloy::primitives::{Address, B256, FixedBytes, U256};
use alloy::sol_types::SolCall;
use breakwater_bindings::Breaker;
use breakwater_bindings::contracts::Reporters;
use breakwater_bindings::eip712::BreakerTrip;
use clap::{Args, Subcommand};

use crate::act::bench::Step;
use crate::act::frame::{Act, Look, Scene};
use crate::act::permit;
use crate::act::probe::Probe;
use crate::act::run::{self, Plan};
use crate::act::signed::{self, Countersign, Making, Post};
use crate::act::standing;
use crate::act::units::{Quantity, Token, parse_span, span};
use crate::connect;
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

/// What reporters, protocols and anybody else do with trips.
#[derive(Debug, Subcommand)]
pub(crate) enum TripCommand {
    /// Make a trip and sign it first
    Sign(SignTrip),
    /// Add a signature
    Countersign(Countersign),
    /// Hand it to the chain, which stops the protocol
    Post(Post),
    /// End the trip that runs, as the protocol
    Undo(Undo),
    /// Try the pause of a trip again, or lift it once the trip is over; anybody may
    Push(OfTarget),
    /// Free or slash the bonds of a trip that nothing can change any more; anybody may
    Settle(OfTrip),
    /// Protocols that agreed, and whether they are stopped
    Status(Status),
}

/// Which protocol, and for how long.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater trip sign --target 0x… --duration 2h --evidence 0x… --out trip.json --account me\n\
    The block that was seen last is read from the chain; it must be among the last 256 when the trip is posted."
)]
pub(crate) struct SignTrip {
    /// The breaker [default: the deployment's]
    #[arg(long, value_name = "ADDRESS")]
    breaker: Option<Address>,
    /// The protocol to stop
    #[arg(long, value_name = "ADDRESS")]
    target: Address,
    /// How long, such as 90m or 6h
    #[arg(long, value_name = "SPAN")]
    duration: String,
    /// Hash of an evidence/1 document
    #[arg(long, value_name = "HASH")]
    evidence: B256,
    /// The transaction that gave cause, if it is one [default: none in particular]
    #[arg(long, value_name = "HASH", default_value_t = B256::ZERO)]
    transaction: B256,
    /// The block that the evidence was read at [default: the newest]
    #[arg(long, value_name = "BLOCK")]
    block: Option<u64>,
    #[command(flatten)]
    making: Making,
}

/// Which protocol.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater trip push --target 0x… --account me")]
pub(crate) struct OfTarget {
    /// The breaker [default: the deployment's]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) breaker: Option<Address>,
    /// The protocol
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Address,
    #[command(flatten)]
    pub(crate) act: Act,
}

/// Which protocol goes on.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater trip undo --target 0x… --account me\nThe guardian or the owner of the protocol may."
)]
pub(crate) struct Undo {
    /// Leave the protocol paused by its own switch, for itself to lift
    #[arg(long)]
    stay_paused: bool,
    #[command(flatten)]
    of: OfTarget,
}

/// Which trip.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater trip settle --trip 3 --account me")]
pub(crate) struct OfTrip {
    /// The breaker [default: the deployment's]
    #[arg(long, value_name = "ADDRESS")]
    breaker: Option<Address>,
    /// Number of the trip
    #[arg(long, value_name = "NUMBER")]
    trip: U256,
    #[command(flatten)]
    act: Act,
}

/// Which trip had no cause.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater challenge-trip --trip 3 --account me --dry-run\n\
    The guardian or the owner of the protocol may, within seven days. Exactly the bond is approved; it is lost unless\n\
    the breaker's assembly finds no cause: breakwater assess begin --trip 3.")]
pub(crate) struct ChallengeTrip {
    #[command(flatten)]
    of: OfTrip,
}

/// Which protocols.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater trip status --target 0x…")]
pub(crate) struct Status {
    /// The breaker [default: the deployment's]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) breaker: Option<Address>,
    /// One protocol [default: all that ever agreed]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) target: Option<Address>,
    #[command(flatten)]
    pub(crate) look: Look,
}

/// Runs a command about trips.
pub(crate) async fn trip(command: &TripCommand, screen: &Screen) -> Result<Outcome, Failure> {
    match command {
        TripCommand::Sign(asked) => sign(asked, screen).await,
        TripCommand::Countersign(asked) => signed::countersign::<BreakerTrip>(asked, screen),
        TripCommand::Post(asked) => signed::post::<BreakerTrip>("trip post", asked, screen).await,
        TripCommand::Undo(asked) => {
            let call = Breaker::undoCall { target: asked.of.target, stayPaused: asked.stay_paused };
            of_target("trip undo", "ending the trip", &asked.of, &call, screen).await
        }
        TripCommand::Push(asked) => {
            let call = Breaker::pushCall { target: asked.target };
            of_target("trip push", "calling the protocol's switch", asked, &call, screen).await
        }
        TripCommand::Settle(asked) => settle(asked, screen).await,
        TripCommand::Status(asked) => standing::status(asked, screen).await,
    }
}

async fn sign(asked: &SignTrip, screen: &Screen) -> Result<Outcome, Failure> {
    let duration = seconds("--duration", &asked.duration)?;
    let key = connect::signer(&asked.making.wallet)?;
    let scene = Scene::open(&asked.making.look).await?;
    let breaker = breaker(&scene, asked.breaker)?;
    let terms = agreement(&scene, breaker, asked.target).await?;
    let number = asked.block.unwrap_or(scene.head.number());
    let head = scene.endpoints.head_at(number, None).await.map_err(connect::unreadable)?;
    if duration == 0 || duration > terms.maxDuration || number < terms.since {
        return Err(Failure::usage(format!(
            "expected at most {} as of block {} or later, got {} as of block {number}",
            span(terms.maxDuration.into()),
            terms.since,
            span(duration.into()),
        ))
        .right("a --duration and a --block that the agreement covers: breakwater trip status --target"));
    }
    let (valid_from, valid_until, nonce) = asked.making.terms(scene.head.timestamp())?;
    let reporters = scene.view(breaker, &Breaker::reportersCall {}).await?;
    let message = BreakerTrip {
        target: asked.target,
        selector: FixedBytes::ZERO,
        number,
        blockHash: head.hash(),
        transaction: asked.transaction,
        evidence: asked.evidence,
        duration,
        signerSet: scene.view(reporters, &Reporters::signerSetCall {}).await?,
        nonce,
        validFrom: valid_from,
        validUntil: valid_until,
    };
    // Rounded up, as the contract does.
    let bond = (U256::from(terms.pricePerHour) * U256::from(duration)).div_ceil(U256::from(3_600));
    let token = bond_token(&scene, reporters).await?;
    screen.say(format!("every signer's bond of {} is held for it", token.show(bond)));
    asked.making.sign(&message, &scene, breaker, &key, screen)
}

async fn of_target(
    command: &'static str,
    what: &'static str,
    asked: &OfTarget,
    call: &impl SolCall,
    screen: &Screen,
) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let breaker = breaker(&scene, asked.breaker)?;
    let target = asked.target;
    let probes = vec![
        standing::tripped(breaker, target),
        Probe::new("stopped until", breaker, &Breaker::trippedUntilCall { target }, Quantity::Time),
        Probe::new("paused by the breaker", breaker, &Breaker::standingOfCall { target }, |known| {
            Quantity::Text(standing::yes(known.paused).to_owned())
        }),
    ];
    let steps = vec![Step::new(what, breaker, call)];
    let plan = Plan::new(command, format!("{what} of {target}"), steps, probes);
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

async fn settle(asked: &OfTrip, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let breaker = breaker(&scene, asked.breaker)?;
    let steps = vec![Step::new("settling", breaker, &Breaker::settleCall { id: asked.trip })];
    let plan = Plan::new("trip settle", format!("settling trip {}", asked.trip), steps, Vec::new());
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

/// Stands against a trip with a bond.
pub(crate) async fn challenge(asked: &ChallengeTrip, screen: &Screen) -> Result<Outcome, Failure> {
    let asked = &asked.of;
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let breaker = breaker(&scene, asked.breaker)?;
    let reporters = scene.view(breaker, &Breaker::reportersCall {}).await?;
    let token = bond_token(&scene, reporters).await?;
    let bond = U256::from(scene.view(breaker, &Breaker::challengeBondCall {}).await?);
    let mut bench = scene.bench().await?;
    let mut steps = permit::allow(&mut bench, &token, signer.address(), breaker, bond).await?;
    steps.push(Step::new("challenging", breaker, &Breaker::challengeCall { id: asked.trip }));
    let title = format!("challenging trip {} with a bond of {}", asked.trip, token.show(bond));
    let probes = vec![
        Probe::balance("balance of the challenger", &token, signer.address()),
        Probe::allowance("allowance left to the breaker", &token, signer.address(), breaker),
        Probe::balance("bonds at the breaker", &token, breaker),
    ];
    run::run(&asked.act, &scene, &signer, Plan::new("challenge-trip", title, steps, probes), screen).await
}

/// The breaker that a flag or the deployment names.
pub(crate) fn breaker(scene: &Scene, given: Option<Address>) -> Result<Address, Failure> {
    scene.of_disputes("--breaker", given, |disputes| disputes.breaker)
}

/// The terms of a target that has some.
async fn agreement(scene: &Scene, breaker: Address, target: Address) -> Result<Breaker::Agreement, Failure> {
    let terms = scene.view(breaker, &Breaker::agreementOfCall { target }).await?;
    match terms.since {
        0 => Err(Failure::usage(format!("--target: {target} has no agreement with the breaker"))
            .right("a protocol that agreed: breakwater trip status")),
        _ => Ok(terms),
    }
}

/// What prices and bonds are counted in.
pub(crate) async fn bond_token(scene: &Scene, reporters: Address) -> Result<Token, Failure> {
    scene.token(scene.view(reporters, &Reporters::assetCall {}).await?).await
}

/// A length of time that fits the contract's fields.
pub(crate) fn seconds(flag: &str, text: &str) -> Result<u32, Failure> {
    parse_span(text).and_then(|seconds| u32::try_from(seconds).ok()).ok_or_else(|| {
        Failure::usage(format!("{flag}: expected a length of time, got {text:?}"))
            .right(format!("{flag} 90m, 6h, 7d and the like"))
    })
}
