//! Keeping the rung of price feeds awake: it only knows what it was shown.

use alloy::primitives::{Address, B256};
use clap::Args;

use crate::act::bench::Step;
use crate::act::frame::{Act, Scene};
use crate::act::run::{self, Plan};
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

alloy::sol! {
    function poke(bytes32 trigger) external;
}

/// What is looked at.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater poke --trigger 0x… --account me\nAnybody may; the rung reads the trigger's feeds now."
)]
pub(crate) struct Poke {
    /// The rung of price feeds [default: the deployment's]
    #[arg(long, value_name = "ADDRESS")]
    rung: Option<Address>,
    /// Id of the trigger, 32 bytes in hex
    #[arg(long, value_name = "ID")]
    trigger: B256,
    #[command(flatten)]
    act: Act,
}

/// Has a rung read the feeds of a trigger.
pub(crate) async fn poke(asked: &Poke, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let rung = asked.rung.unwrap_or(scene.deployment.feed_rung);
    let step = Step::new("reading the feeds", rung, &pokeCall { trigger: asked.trigger });
    let title = format!("having {rung} read the feeds of {}", asked.trigger);
    run::run(&asked.act, &scene, &signer, Plan::new("poke", title, vec![step], Vec::new()), screen).await
}
