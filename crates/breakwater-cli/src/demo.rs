//! `breakwater demo`: cover bought, attacks, losses proven and paid, books balanced; all on a local chain.

mod amm;
mod evidence;
mod lending;
mod oracle;
mod reckoning;
mod reentrancy;
mod reporters;
mod scenery;
mod stage;
mod timeline;
mod upgrade;

use alloy::primitives::U256;

use crate::args::{Demo, Scenario};
use crate::books::Books;
use crate::connect;
use crate::demo::reckoning::{who_bore_it, who_was_paid};
use crate::demo::scenery::Scenery;
use crate::demo::stage::{DECIMALS, SYMBOL};
use crate::failure::{Failure, Outcome};
use crate::style::Screen;
use crate::trouble::Trouble;

/// Plays the demo or a case study; books that do not balance are a failure.
pub(crate) async fn demo(asked: &Demo, screen: &Screen) -> Result<Outcome, Failure> {
    connect::find_anvil()?;
    let started = std::time::Instant::now();
    let played = match asked.scenario {
        None => play(screen).await,
        Some(scenario) => study(scenario, screen).await,
    };
    let balanced = played.map_err(|trouble| Failure::new(trouble.to_string()))?;
    screen.say(format!("\n{:.1} s", started.elapsed().as_secs_f32()));
    Ok(if balanced { Outcome::Ok } else { Outcome::Failed })
}

async fn study(scenario: Scenario, screen: &Screen) -> Result<bool, Trouble> {
    let ending = match scenario {
        Scenario::Amm => amm::play(screen).await?,
        Scenario::Upgrade => upgrade::play(screen).await?,
        Scenario::Oracle => oracle::play(screen).await?,
        Scenario::Lending => lending::play(screen).await?,
        Scenario::Reentrancy => reentrancy::play(screen).await?,
    };
    let after = ending.stage.books().await?;
    Ok(ending.reckon(&after, screen))
}

async fn play(screen: &Screen) -> Result<bool, Trouble> {
    let mut scenery = Scenery::build(*screen).await?;
    scenery.cover().await?;
    scenery.traffic().await?;
    let before = scenery.stage.books().await?;
    scenery.drain_bank().await?;
    scenery.later_traffic().await?;
    scenery.drain_vault().await?;
    scenery.stage.wait_until_settled().await?;
    scenery.stage.close().await?;
    let after = scenery.stage.books().await?;
    let timeline = &scenery.stage.timeline;
    who_was_paid(timeline, screen);
    who_bore_it(timeline, &before, &after, screen);
    screen.say("");
    after.show(screen, SYMBOL, DECIMALS);
    if screen.json {
        screen.object(&after.json());
    }
    Ok(after.balanced() && even(&scenery, &after))
}

/// What was paid out is what the layers bore: nothing is made and nothing is lost on the way.
fn even(scenery: &Scenery, books: &Books) -> bool {
    let timeline = &scenery.stage.timeline;
    let paid: U256 = timeline.paid.values().copied().sum();
    let borne: i128 = timeline.borne.iter().sum();
    U256::try_from(borne).is_ok_and(|borne| borne == paid + books.held_for_claims)
}
