//! `breakwater demo`: cover bought, two attacks, losses proven and paid, books balanced; all on a local chain.

mod scenery;
mod timeline;

use alloy::primitives::U256;
use serde_json::json;

use crate::books::{Books, LAYERS};
use crate::connect;
use crate::demo::scenery::{DECIMALS, SYMBOL, Scenery};
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, amount, grouped, table};
use crate::trouble::Trouble;

/// Plays the demo; books that do not balance are a failure.
pub(crate) async fn demo(screen: &Screen) -> Result<Outcome, Failure> {
    connect::find_anvil()?;
    let started = std::time::Instant::now();
    let balanced = play(screen).await.map_err(|trouble| Failure::new(trouble.to_string()))?;
    screen.say(format!("\n{:.1} s", started.elapsed().as_secs_f32()));
    Ok(if balanced { Outcome::Ok } else { Outcome::Failed })
}

async fn play(screen: &Screen) -> Result<bool, Trouble> {
    let mut scenery = Scenery::build(*screen).await?;
    scenery.cover().await?;
    scenery.traffic().await?;
    let before = scenery.books().await?;
    scenery.drain_bank().await?;
    scenery.later_traffic().await?;
    scenery.drain_vault().await?;
    scenery.wait_until_settled().await?;
    scenery.close().await?;
    let after = scenery.books().await?;
    who_was_paid(&scenery, screen);
    who_bore_it(&scenery, &before, &after, screen);
    screen.say("");
    after.show(screen, SYMBOL, DECIMALS);
    if screen.json {
        screen.object(&after.json());
    }
    Ok(after.balanced() && even(&scenery, &after))
}

/// What was paid out is what the layers bore: nothing is made and nothing is lost on the way.
fn even(scenery: &Scenery, books: &Books) -> bool {
    let paid: U256 = scenery.timeline.paid.values().copied().sum();
    let borne: i128 = scenery.timeline.borne.iter().sum();
    U256::try_from(borne).is_ok_and(|borne| borne == paid + books.held_for_claims)
}

fn who_was_paid(scenery: &Scenery, screen: &Screen) {
    let mut paid: Vec<_> = scenery.timeline.paid.iter().collect();
    paid.sort_by(|(_, one), (_, other)| other.cmp(one));
    let rows: Vec<Vec<String>> = paid
        .into_iter()
        .map(|(account, units)| {
            let name = scenery.timeline.name(*account);
            if screen.json {
                screen.object(&json!({ "event": "paid in all", "to": name, "amount": units.to_string() }));
            }
            vec![name, amount(*units, DECIMALS)]
        })
        .collect();
    screen.say(format!("\nWho was paid ({SYMBOL})"));
    screen.say(indented(&table(&["account", "paid"], &rows, &[1])));
}

fn who_bore_it(scenery: &Scenery, before: &Books, after: &Books, screen: &Screen) {
    let mut rows = Vec::new();
    for (index, name) in LAYERS.into_iter().enumerate() {
        let borne = scenery.timeline.borne[index];
        let (was, is) = (before.layers[index], after.layers[index]);
        if screen.json {
            screen.object(&json!({
                "event": "borne", "layer": name, "before": was.to_string(), "borne": borne.to_string(),
                "after": is.to_string(),
            }));
        }
        // Premiums were earned in between, so before less borne is a little less than after.
        let earned =
            i128::try_from(is).unwrap_or(i128::MAX) + borne - i128::try_from(was).unwrap_or(i128::MAX);
        rows.push(vec![
            name.to_owned(),
            amount(U256::from(was), DECIMALS),
            signed(-borne),
            signed(earned),
            amount(U256::from(is), DECIMALS),
        ]);
    }
    screen.say(format!("\nWho bore it ({SYMBOL})"));
    screen.say(indented(&table(&["layer", "before", "losses", "earned", "after"], &rows, &[1, 2, 3, 4])));
    for (bytes, gas) in &scenery.timeline.proofs {
        screen.say(format!("A proof of {} bytes, taken for {} gas.", grouped(bytes), grouped(gas)));
    }
}

fn signed(units: i128) -> String {
    let size = amount(U256::from(units.unsigned_abs()), DECIMALS);
    if units < 0 { format!("-{size}") } else { size }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
