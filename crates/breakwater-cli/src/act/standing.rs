//! What the breaker says of protocols: their terms, whether they are stopped, and the newest trip of each.

use std::collections::BTreeSet;

use alloy::primitives::{Address, U256};
use alloy::rpc::types::Filter;
use breakwater_bindings::Breaker;
use serde_json::json;

use crate::act::frame::Scene;
use crate::act::probe::Probe;
use crate::act::trip::{self, Status};
use crate::act::units::{Quantity, Token, span};
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, table};

/// One protocol as the breaker has it.
struct Standing {
    target: Address,
    terms: Breaker::Agreement,
    tripped: bool,
    until: u64,
    known: Breaker::standingOfReturn,
    trip: Breaker::Trip,
}

/// Prints each protocol on a line, or as one object.
pub(crate) async fn status(asked: &Status, screen: &Screen) -> Result<Outcome, Failure> {
    let scene = Scene::open(&asked.look).await?;
    let breaker = trip::breaker(&scene, asked.breaker)?;
    let reporters = scene.view(breaker, &Breaker::reportersCall {}).await?;
    let token = trip::bond_token(&scene, reporters).await?;
    let targets = match asked.target {
        Some(target) => BTreeSet::from([target]),
        None => {
            let agreed: Vec<(u64, Breaker::Agreed)> = scene.events(breaker, Filter::new()).await?;
            agreed.into_iter().map(|(_, event)| event.target).collect()
        }
    };
    let mut rows = Vec::new();
    for target in targets {
        let standing = read(&scene, breaker, target).await?;
        match screen.json {
            true => screen.object(&standing.json(&token)),
            false => rows.push(standing.row(&token)),
        }
    }
    if !screen.json {
        let heads =
            ["protocol", "an hour costs", "at most", "stopped", "until", "trip", "verdict", "next from"];
        screen.say(table(&heads, &rows, &[1, 5]));
    }
    Ok(Outcome::Ok)
}

/// Whether a protocol is stopped, to be looked at before and after.
pub(crate) fn tripped(breaker: Address, target: Address) -> Probe {
    Probe::new("stopped", breaker, &Breaker::trippedCall { target }, |stopped| {
        Quantity::Text(yes(stopped).to_owned())
    })
}

/// A flag in words.
pub(crate) fn yes(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

async fn read(scene: &Scene, breaker: Address, target: Address) -> Result<Standing, Failure> {
    let known = scene.view(breaker, &Breaker::standingOfCall { target }).await?;
    Ok(Standing {
        target,
        terms: scene.view(breaker, &Breaker::agreementOfCall { target }).await?,
        tripped: scene.view(breaker, &Breaker::trippedCall { target }).await?,
        until: scene.view(breaker, &Breaker::trippedUntilCall { target }).await?,
        trip: scene.view(breaker, &Breaker::tripOfCall { id: known.id }).await?,
        known,
    })
}

impl Standing {
    fn row(&self, token: &Token) -> Vec<String> {
        let terms = &self.terms;
        let (price, most) = match terms.since {
            0 => ("-".to_owned(), "-".to_owned()),
            _ => (token.show(U256::from(terms.pricePerHour)), span(terms.maxDuration.into())),
        };
        vec![
            self.target.to_string(),
            price,
            most,
            yes(self.tripped).to_owned(),
            Quantity::Time(self.until).text(),
            self.known.id.to_string(),
            verdict(self.trip.verdict).to_owned(),
            Quantity::Time(self.known.next).text(),
        ]
    }

    fn json(&self, token: &Token) -> serde_json::Value {
        let (terms, trip) = (&self.terms, &self.trip);
        let agreement = (terms.since != 0).then(|| {
            json!({
                "guardian": terms.guardian, "price_per_hour": terms.pricePerHour.to_string(),
                "max_duration": terms.maxDuration, "period": terms.period, "signers": terms.signers,
                "calls": terms.calls, "since_block": terms.since,
            })
        });
        let newest = (!self.known.id.is_zero()).then(|| {
            json!({
                "id": self.known.id.to_string(), "verdict": verdict(trip.verdict), "start": trip.start,
                "end": trip.end, "paused_at": Quantity::Time(trip.pausedAt).json(), "bond_each": trip.bondEach.to_string(),
                "signers": trip.signers, "challenger": trip.challenger,
            })
        });
        json!({
            "command": "trip status", "target": self.target, "asset": token.json(), "agreement": agreement,
            "stopped": self.tripped, "until": self.until, "next": self.known.next,
            "paused_by_breaker": self.known.paused, "trip": newest,
        })
    }
}

/// `Verdict` in `IBreaker.sol`.
fn verdict(verdict: u8) -> &'static str {
    ["none", "standing", "disputed", "right", "wrong"].get(usize::from(verdict)).copied().unwrap_or("unknown")
}
