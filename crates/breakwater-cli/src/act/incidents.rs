//! Incidents: what was lost where, who may still answer, and what pools hold for it.

use alloy::primitives::{B256, U256};
use alloy::rpc::types::Filter;
use breakwater_bindings::{Catalog, EthereumHistory, Incidents, Pool};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::act::bench::Step;
use crate::act::frame::{Act, Look, Scene};
use crate::act::probe::Probe;
use crate::act::run::{self, Fact, Plan};
use crate::act::units::{Quantity, percent, utc};
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, grouped, table};

/// What to know of incidents.
#[derive(Debug, Subcommand)]
pub(crate) enum IncidentsCommand {
    /// All of them, or those of one gauge
    List(List),
    /// One of them, with what each pool holds for it
    Show(Show),
}

/// Which incidents.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater incidents list\nLosses are in units of the gauge, times in UTC.")]
pub(crate) struct List {
    /// Only those of this gauge, 32 bytes in hex
    #[arg(long, value_name = "ID")]
    gauge: Option<B256>,
    #[command(flatten)]
    look: Look,
}

/// Which incident.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater incidents show 1\n\
    Losses are in units of the gauge, reserves in whole units of each pool's asset, times in UTC.")]
pub(crate) struct Show {
    /// Its number
    #[arg(value_name = "NUMBER")]
    incident: U256,
    #[command(flatten)]
    look: Look,
}

/// Which block.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater anchor 21000000 --account me\n\
    Without it a block's hash is known for some 8,000 blocks, and proofs of it must be sent within them.")]
pub(crate) struct Anchor {
    /// Number of the block
    #[arg(value_name = "BLOCK")]
    block: U256,
    #[command(flatten)]
    act: Act,
}

/// An incident with its number.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Its number.
    pub(crate) id: U256,
    /// Its words.
    pub(crate) incident: Incidents::Incident,
}

impl Seen {
    /// Where it stands.
    pub(crate) fn status(&self) -> &'static str {
        match self.incident.status {
            1 => "dwelling",
            2 => "voided",
            3 => "final",
            4 => "disputed",
            _ => "none",
        }
    }

    fn rung(&self) -> &'static str {
        match self.incident.rung {
            0 => "proof",
            1 => "feed",
            2 => "canary",
            3 => "quorum",
            4 => "assembly",
            _ => "unknown",
        }
    }

    /// Loss by base as a fraction of 1e18, rounded down like the contracts do.
    fn lambda(&self) -> U256 {
        let base = U256::from(self.incident.base);
        let wad = U256::from(breakwater_primitives::WAD);
        if base.is_zero() { U256::ZERO } else { U256::from(self.incident.loss) * wad / base }
    }
}

/// Incidents of a gauge, oldest first.
pub(crate) async fn of_gauge(scene: &Scene, gauge: B256) -> Result<Vec<Seen>, Failure> {
    read(scene, Filter::new().topic2(gauge)).await
}

async fn read(scene: &Scene, filter: Filter) -> Result<Vec<Seen>, Failure> {
    let of = scene.deployment.incidents;
    let opened: Vec<(u64, Incidents::Opened)> = scene.events(of, filter).await?;
    let mut all = Vec::with_capacity(opened.len());
    for (_, event) in opened {
        let incident = scene.view(of, &Incidents::incidentCall { id: event.id }).await?;
        all.push(Seen { id: event.id, incident });
    }
    Ok(all)
}

/// Runs one of these commands.
pub(crate) async fn incidents(command: &IncidentsCommand, screen: &Screen) -> Result<Outcome, Failure> {
    match command {
        IncidentsCommand::List(asked) => list(asked, screen).await,
        IncidentsCommand::Show(asked) => show(asked, screen).await,
    }
}

async fn list(asked: &List, screen: &Screen) -> Result<Outcome, Failure> {
    let scene = Scene::open(&asked.look).await?;
    let all = match asked.gauge {
        Some(gauge) => of_gauge(&scene, gauge).await?,
        None => read(&scene, Filter::new()).await?,
    };
    if screen.json {
        all.iter().for_each(|seen| screen.object(&as_json(seen)));
        return Ok(Outcome::Ok);
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|seen| {
            vec![
                seen.id.to_string(),
                seen.status().to_owned(),
                seen.rung().to_owned(),
                percent(seen.lambda()),
                utc(seen.incident.onsetTime),
                seen.incident.gauge.to_string(),
            ]
        })
        .collect();
    screen.say(match rows.is_empty() {
        true => "no incidents".to_owned(),
        false => table(&["incident", "status", "rung", "lost", "onset", "gauge"], &rows, &[0, 3]),
    });
    Ok(Outcome::Ok)
}

async fn show(asked: &Show, screen: &Screen) -> Result<Outcome, Failure> {
    let scene = Scene::open(&asked.look).await?;
    let of = scene.deployment.incidents;
    let count = scene.view(of, &Incidents::countCall {}).await?;
    if asked.incident.is_zero() || asked.incident > count {
        return Err(Failure::usage(format!(
            "expected an incident from 1 to {count}, got {}",
            asked.incident
        ))
        .right("the number of an incident: breakwater incidents list"));
    }
    let incident = scene.view(of, &Incidents::incidentCall { id: asked.incident }).await?;
    let seen = Seen { id: asked.incident, incident };
    let (rows, pools) = bookings(&scene, &seen).await?;
    if screen.json {
        let mut told = as_json(&seen);
        told["pools"] = pools.into();
        screen.object(&told);
        return Ok(Outcome::Ok);
    }
    run::show_facts(&facts(&seen, scene.head.number()), screen);
    screen.say("");
    screen.say(table(&["pool", "reserved", "funded", "due", "paid", "state"], &rows, &[1, 2, 3, 4]));
    Ok(Outcome::Ok)
}

fn facts(seen: &Seen, head: u64) -> Vec<Fact> {
    let incident = &seen.incident;
    let block = |number: u64| Quantity::Number(U256::from(number));
    let left = match seen.status() {
        "dwelling" | "disputed" => {
            format!(
                "{} block(s) left, to block {}",
                incident.dwellEnd.saturating_sub(head),
                grouped(incident.dwellEnd)
            )
        }
        _ => "over".to_owned(),
    };
    vec![
        ("incident", Quantity::Number(seen.id)),
        ("status", Quantity::Text(seen.status().to_owned())),
        ("rung", Quantity::Text(seen.rung().to_owned())),
        ("gauge", Quantity::Id(incident.gauge)),
        ("lost", Quantity::Text(format!("{} of {} units", grouped(incident.loss), grouped(incident.base)))),
        ("fraction", Quantity::Wad(seen.lambda())),
        ("last healthy block", block(incident.onset)),
        ("at", Quantity::Time(incident.onsetTime)),
        ("measured at block", block(incident.reading)),
        ("time for answers", Quantity::Text(left)),
        ("claims end", Quantity::Time(incident.claimsEnd.into())),
        ("opener", Quantity::Account(incident.opener)),
        ("evidence", Quantity::Id(incident.evidence)),
    ]
}

/// What the gauge's pools hold for an incident.
async fn bookings(scene: &Scene, seen: &Seen) -> Result<(Vec<Vec<String>>, Vec<Value>), Failure> {
    let gauge = seen.incident.gauge;
    let pools = scene.view(scene.deployment.catalog, &Catalog::poolsOfCall { gauge }).await?;
    let (mut rows, mut told) = (Vec::new(), Vec::new());
    for pool in pools {
        let booking = scene.view(pool, &Pool::bookingCall { incident: seen.id }).await?;
        if booking.openedAt == 0 {
            continue;
        }
        let asset = scene.asset_of(pool).await?;
        let show = |units: u128| asset.show(U256::from(units));
        let state = match (booking.settled, booking.closed) {
            (_, true) => "closed",
            (true, false) => "claims open",
            (false, false) => "dwelling",
        };
        rows.push(vec![
            scene.pool_name(pool),
            show(booking.reserved),
            show(booking.funded),
            show(booking.due),
            show(booking.paid),
            state.to_owned(),
        ]);
        told.push(json!({
            "pool": pool, "name": scene.pool_name(pool), "asset": asset.json(), "reserved": booking.reserved.to_string(),
            "funded": booking.funded.to_string(), "due": booking.due.to_string(), "paid": booking.paid.to_string(),
            "state": state,
        }));
    }
    Ok((rows, told))
}

fn as_json(seen: &Seen) -> Value {
    let incident = &seen.incident;
    json!({
        "incident": seen.id.to_string(), "status": seen.status(), "rung": seen.rung(), "gauge": incident.gauge,
        "loss": incident.loss.to_string(), "base": incident.base.to_string(), "lambda_wad": seen.lambda().to_string(),
        "onset": incident.onset, "onset_time": incident.onsetTime, "reading": incident.reading,
        "dwell_end": incident.dwellEnd, "span_end": incident.spanEnd, "claims_end": incident.claimsEnd,
        "opener": incident.opener, "evidence": incident.evidence, "paid": incident.paid.to_string(),
    })
}

/// Keeps the hash of a block for ever.
pub(crate) async fn anchor(asked: &Anchor, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let (history, number) = (scene.deployment.history, asked.block);
    let steps = vec![Step::new("anchoring a block", history, &EthereumHistory::anchorCall { number })];
    let of = EthereumHistory::anchoredCall { number };
    let probes = vec![Probe::new("anchored hash", history, &of, |hash| match hash.is_zero() {
        true => Quantity::Nothing,
        false => Quantity::Id(hash),
    })];
    let plan = Plan::new("anchor", format!("anchoring block {}", grouped(number)), steps, probes);
    run::run(&asked.act, &scene, &signer, plan, screen).await
}
