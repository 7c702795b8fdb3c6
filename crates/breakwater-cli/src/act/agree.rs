//! What a protocol agrees to with the breaker.

use alloy::primitives::{Address, aliases::U96};
use breakwater_bindings::Breaker;
use clap::{Args, Subcommand};

use crate::act::bench::Step;
use crate::act::frame::{Act, Scene};
use crate::act::probe::Probe;
use crate::act::run::{self, Plan};
use crate::act::trip::{self, OfTarget};
use crate::act::units::Quantity;
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

alloy::sol! {
    function pause() external;
}

/// What a protocol does.
#[derive(Debug, Subcommand)]
pub(crate) enum BreakerCommand {
    /// Agree to be stopped by reporters, or change the terms
    Agree(Agree),
    /// End the agreement, and a trip that runs
    Quit(OfTarget),
}

/// The terms.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater breaker agree --target 0x… --guardian 0x… --price-per-hour 5000 --max-duration 6h --period 7d --signers 3 --account owner\n\
    The target's owner, authority or default admin may, or the target itself."
)]
pub(crate) struct Agree {
    /// The breaker [default: the deployment's]
    #[arg(long, value_name = "ADDRESS")]
    breaker: Option<Address>,
    /// The contract that may be stopped
    #[arg(long, value_name = "ADDRESS")]
    target: Address,
    /// May undo trips and challenge them
    #[arg(long, value_name = "ADDRESS")]
    guardian: Address,
    /// What an hour of a wrong pause costs, in the reporters' token
    #[arg(long, value_name = "AMOUNT")]
    price_per_hour: String,
    /// Longest trip, 10m to 3d
    #[arg(long, value_name = "SPAN")]
    max_duration: String,
    /// Least time from one trip to the next, at least twice the longest trip
    #[arg(long, value_name = "SPAN")]
    period: String,
    /// How many reporters must sign, beside their own quorum
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=32))]
    signers: u8,
    /// The breaker calls pause and unpause [default: the target asks the breaker]
    #[arg(long)]
    calls: bool,
    #[command(flatten)]
    act: Act,
}

/// Runs a protocol's command.
pub(crate) async fn breaker(command: &BreakerCommand, screen: &Screen) -> Result<Outcome, Failure> {
    match command {
        BreakerCommand::Agree(asked) => agree(asked, screen).await,
        BreakerCommand::Quit(asked) => {
            let signer = asked.act.signer()?;
            let scene = Scene::open(&asked.act.look).await?;
            let breaker = trip::breaker(&scene, asked.breaker)?;
            let call = Breaker::quitCall { target: asked.target };
            let steps = vec![Step::new("ending the agreement", breaker, &call)];
            let title = format!("{} no longer takes trips", asked.target);
            let plan = Plan::new("breaker quit", title, steps, vec![since(breaker, asked.target)]);
            run::run(&asked.act, &scene, &signer, plan, screen).await
        }
    }
}

async fn agree(asked: &Agree, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let breaker = trip::breaker(&scene, asked.breaker)?;
    let reporters = scene.view(breaker, &Breaker::reportersCall {}).await?;
    let token = trip::bond_token(&scene, reporters).await?;
    let price = token.parse_u128("--price-per-hour", &asked.price_per_hour)?;
    let terms = Breaker::Agreement {
        guardian: asked.guardian,
        pricePerHour: U96::try_from(price).map_err(|_| {
            Failure::usage(format!("--price-per-hour: expected at most {} units, got {price}", U96::MAX))
                .right("a smaller price")
        })?,
        maxDuration: trip::seconds("--max-duration", &asked.max_duration)?,
        period: trip::seconds("--period", &asked.period)?,
        signers: asked.signers,
        calls: asked.calls,
        since: 0,
    };
    if asked.calls {
        warn_unless_it_pauses(&scene, breaker, asked.target, screen).await?;
    }
    let call = Breaker::agreeCall { target: asked.target, terms };
    let title = format!("{} may be stopped for at most {}", asked.target, asked.max_duration);
    let steps = vec![Step::new("agreeing", breaker, &call)];
    let plan = Plan::new("breaker agree", title, steps, vec![since(breaker, asked.target)]);
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

/// A trip of a target that refuses the breaker's call protects nobody, and nothing else would say so before it is needed.
async fn warn_unless_it_pauses(
    scene: &Scene,
    breaker: Address,
    target: Address,
    screen: &Screen,
) -> Result<(), Failure> {
    let step = Step::new("pausing", target, &pauseCall {});
    if !scene.bench().await?.would_run(breaker, &step).await? {
        tracing::warn!(
            "{target} refuses pause() from the breaker {breaker}: grant it the role that may pause"
        );
        screen.say("the breaker cannot pause the target yet");
    }
    Ok(())
}

fn since(breaker: Address, target: Address) -> Probe {
    Probe::new("block of the agreement", breaker, &Breaker::agreementOfCall { target }, |terms| {
        match terms.since {
            0 => Quantity::Nothing,
            since => Quantity::Number(since.try_into().unwrap_or_default()),
        }
    })
}
