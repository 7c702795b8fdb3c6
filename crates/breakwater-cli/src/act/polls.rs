//! Polls of holders of votes on the floor rates of products.

use alloy::primitives::{Address, B256, U256};
use breakwater_bindings::Signal;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::act::bench::Step;
use crate::act::frame::{Act, Look, Scene};
use crate::act::probe::Probe;
use crate::act::run::{self, Plan};
use crate::act::units::Quantity;
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

/// What is done with polls.
#[derive(Debug, Subcommand)]
pub(crate) enum PollCommand {
    /// Open a poll on a product; anybody may
    Open(OfProduct),
    /// Vote once in a product's poll
    Cast(Cast),
    /// A product's newest poll, and what it moves the rate by
    Show(ShowPoll),
}

/// Which product.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater gov poll open --product 0x… --account me")]
pub(crate) struct OfProduct {
    /// Id of the product, 32 bytes in hex
    #[arg(long, value_name = "ID")]
    product: B256,
    #[command(flatten)]
    act: Act,
}

/// Which vote.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater gov poll cast --product 0x… --direction -5000 --account me\n\
    10000 is for as much more as the poll allows, -10000 for as much less, 0 for no change.")]
pub(crate) struct Cast {
    /// How far the rate should move, -10000 to 10000
    #[arg(long, value_name = "BPS", allow_hyphen_values = true, value_parser = clap::value_parser!(i16).range(-10_000..=10_000))]
    direction: i16,
    #[command(flatten)]
    of: OfProduct,
}

/// Which poll.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater gov poll show --product 0x…")]
pub(crate) struct ShowPoll {
    /// Id of the product, 32 bytes in hex
    #[arg(long, value_name = "ID")]
    product: B256,
    #[command(flatten)]
    look: Look,
}

/// Runs a command about polls.
pub(crate) async fn poll(command: &PollCommand, screen: &Screen) -> Result<Outcome, Failure> {
    match command {
        PollCommand::Open(asked) => {
            let product = asked.product;
            let step = |signal| Step::new("opening a poll", signal, &Signal::openCall { product });
            act("gov poll open", asked, step, screen).await
        }
        PollCommand::Cast(asked) => {
            let (product, direction) = (asked.of.product, asked.direction);
            let step = |signal| Step::new("voting", signal, &Signal::castCall { product, direction });
            act("gov poll cast", &asked.of, step, screen).await
        }
        PollCommand::Show(asked) => show(asked, screen).await,
    }
}

async fn act(
    command: &'static str,
    asked: &OfProduct,
    step: impl Fn(Address) -> Step,
    screen: &Screen,
) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let signal = signal(&scene)?;
    let product = asked.product;
    let probes = vec![
        Probe::new("poll ends", signal, &Signal::pollCall { product }, |poll| {
            Quantity::Time(poll.end.to::<u64>())
        }),
        Probe::new("weight that was cast", signal, &Signal::pollCall { product }, |poll| {
            Quantity::Number(poll.weight)
        }),
    ];
    let step = step(signal);
    let title = format!("{} on product {product}", step.what);
    run::run(&asked.act, &scene, &signer, Plan::new(command, title, vec![step], probes), screen).await
}

async fn show(asked: &ShowPoll, screen: &Screen) -> Result<Outcome, Failure> {
    let scene = Scene::open(&asked.look).await?;
    let (signal, product) = (signal(&scene)?, asked.product);
    let poll = scene.view(signal, &Signal::pollCall { product }).await?;
    let moved = scene.view(signal, &Signal::signalBpsCall { product }).await?;
    let mode = if poll.mode == 0 { "linear" } else { "quadratic" };
    let facts = vec![
        ("snapshot", Quantity::Time(poll.snapshot.to::<u64>())),
        ("end", Quantity::Time(poll.end.to::<u64>())),
        ("mode", Quantity::Text(mode.to_owned())),
        ("at_most_bps", Quantity::Number(U256::from(poll.maxBps))),
        ("quorum", Quantity::Number(poll.quorum)),
        ("weight", Quantity::Number(poll.weight)),
        ("sum", Quantity::Text(poll.sum.to_string())),
        ("moves_the_rate_bps", Quantity::Text(moved.to_string())),
    ];
    match screen.json {
        true => screen.object(&json!({
            "command": "gov poll show", "product": product, "facts": run::facts_json(&facts),
        })),
        false => run::show_facts(&facts, screen),
    }
    Ok(Outcome::Ok)
}

fn signal(scene: &Scene) -> Result<Address, Failure> {
    scene.deployment.governance.as_ref().map(|parts| parts.signal).ok_or_else(|| {
        Failure::usage("this deployment has no council").right("a deployment whose configuration has one")
    })
}
