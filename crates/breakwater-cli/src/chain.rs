//! `breakwater chain`: what a chain can do for proofs.

use breakwater_chain::{ChainReport, check_chain};
use serde_json::json;

use crate::args::Rpc;
use crate::connect;
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, grouped};

/// Prints each check and whether the chain has a proof rung; a chain without one is a failure.
pub(crate) async fn check(rpc: &Rpc, screen: &Screen) -> Result<Outcome, Failure> {
    let endpoints = connect::endpoints(rpc)?;
    let report = check_chain(&endpoints).await.map_err(connect::unreadable)?;
    if screen.json {
        screen.object(&as_json(&report));
    } else {
        as_text(&report, screen);
    }
    Ok(if report.has_proof_rung() { Outcome::Ok } else { Outcome::Failed })
}

fn as_json(report: &ChainReport) -> serde_json::Value {
    let checks: Vec<_> = report
        .checks
        .iter()
        .map(|check| json!({ "name": check.name, "ok": check.ok, "detail": check.detail }))
        .collect();
    json!({
        "chain_id": report.chain_id,
        "block": report.number,
        "proof_rung": report.has_proof_rung(),
        "checks": checks,
    })
}

fn as_text(report: &ChainReport, screen: &Screen) {
    screen.say(format!("chain {}, block {}", report.chain_id, grouped(report.number)));
    for check in &report.checks {
        screen.say(format!("{}{:<16}  {}", screen.verdict(check.ok), check.name, check.detail));
    }
    screen.say(match report.has_proof_rung() {
        true => "Losses can be proven here.",
        false => "No proof rung here: losses have to be judged by quorum.",
    });
}
