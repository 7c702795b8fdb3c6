//! `breakwater gauge`: from a contract's address to a gauge, and from a gauge to its readings.

use std::path::Path;
use std::sync::Arc;

use alloy::primitives::Address;
use breakwater_chain::Endpoints;
use breakwater_evm::{Reader, RpcSource, Rules, View, off_thread};
use breakwater_prove::block::{BlockError, BlockProof};
use breakwater_prove::compiler::{CompileOptions, Compiled, Refusal, compile_blocking};
use breakwater_prove::gauge::{Form, GaugeSpec, Reading};
use serde_json::{Value, json};

use crate::args::{GaugeCompile, GaugeRead};
use crate::connect;
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, grouped, table};

const MORE: &str = "docs/design.md, \"Measuring\"";

/// Prints the gauge of a contract in words and as JSON, or why there is none and which rung serves.
pub(crate) async fn compile(asked: &GaugeCompile, screen: &Screen) -> Result<Outcome, Failure> {
    let endpoints = connect::endpoints(&asked.rpc)?;
    let newest = endpoints.head_number().await.map_err(connect::unreadable)?;
    let blocks = if asked.blocks.is_empty() { vec![newest] } else { asked.blocks.clone() };
    let options = CompileOptions {
        blocks,
        traffic_from: asked.from_block,
        threshold: wad_of_bps(asked.threshold_bps),
        growth: wad_of_bps(asked.growth_bps),
        floor: asked.floor,
        rules: Rules::Auto,
    };
    let reader = reader(&asked.rpc.urls)?;
    let subject = asked.subject;
    let found = off_thread(move || {
        let compiled = compile_blocking(&reader, subject, &options)?;
        let holders = holders(&reader, &compiled)?;
        Ok::<_, Refusal>((compiled, holders))
    })
    .await
    .map_err(|error| Failure::new(error.to_string()))?;
    match found {
        Ok((compiled, holders)) => {
            show_gauge(subject, &compiled, &holders, screen);
            Ok(Outcome::Ok)
        }
        Err(refusal) => {
            show_refusal(subject, &refusal, screen);
            Ok(Outcome::Failed)
        }
    }
}

/// Prints what a gauge reads at blocks, each word proven against the block's state root.
pub(crate) async fn read(asked: &GaugeRead, screen: &Screen) -> Result<Outcome, Failure> {
    let endpoints = connect::endpoints(&asked.rpc)?;
    let (spec, mut holders) = from_file(&asked.gauge)?;
    holders.extend(&asked.holders);
    holders.sort_unstable();
    holders.dedup();
    if spec.form != Form::Enumerated {
        holders.clear();
    }
    let blocks = match asked.blocks.is_empty() {
        true => vec![endpoints.head_number().await.map_err(connect::unreadable)?],
        false => asked.blocks.clone(),
    };
    let mut readings = Vec::new();
    for block in blocks {
        readings.push((block, read_at(&endpoints, &spec, &holders, block).await));
    }
    show_readings(&spec, &readings, screen);
    let good = readings.iter().filter(|(_, reading)| reading.is_ok()).count();
    Ok(match good {
        0 => Outcome::Failed,
        _ if good < readings.len() => Outcome::Partial,
        _ => Outcome::Ok,
    })
}

/// Reads a gauge at a block from proofs.
async fn read_at(
    endpoints: &Endpoints,
    spec: &GaugeSpec,
    holders: &[Address],
    block: u64,
) -> Result<Reading, BlockError> {
    let head = endpoints.head_at(block, None).await?;
    BlockProof::fetch(endpoints, &head, &spec.reads(holders)).await?.read(spec, holders)
}

/// State and traffic of the first endpoint: what the compiler finds is proven again by whoever uses it.
fn reader(urls: &[String]) -> Result<Reader, Failure> {
    let url = urls.first().map(String::as_str).unwrap_or_default();
    let source = RpcSource::http(url.trim()).map_err(|error| {
        Failure::usage(format!("--rpc-url: {error}"))
            .right("--rpc-url https://host/path")
            .more("breakwater gauge compile --help")
    })?;
    Ok(Reader::new(Arc::new(source)))
}

fn holders(reader: &Reader, compiled: &Compiled) -> Result<Vec<Address>, Refusal> {
    if compiled.spec.form != Form::Enumerated {
        return Ok(Vec::new());
    }
    let view = View::at(reader, compiled.reading.number, Rules::Auto)?;
    let found = compiled.holders.holders(&compiled.spec, &view)?;
    Ok(found.into_iter().map(|(holder, _)| holder).collect())
}

/// A gauge as `gauge compile --json` prints it, or a bare spec.
fn from_file(file: &Path) -> Result<(GaugeSpec, Vec<Address>), Failure> {
    let refuse = |wrong: String| {
        Failure::usage(wrong)
            .right("a file with the output of `breakwater gauge compile --json`")
            .more("breakwater gauge read --help")
    };
    let text = std::fs::read_to_string(file)
        .map_err(|error| refuse(format!("cannot read {}: {error}", file.display())))?;
    let not_a_gauge = |error: serde_json::Error| refuse(format!("{} is no gauge: {error}", file.display()));
    let mut json: Value = serde_json::from_str(&text).map_err(not_a_gauge)?;
    let holders = serde_json::from_value(json["holders"].take()).unwrap_or_default();
    let spec = match json.get("spec") {
        Some(_) => json["spec"].take(),
        None => {
            // A bare spec has no holders; the lookup above left an empty entry behind.
            json.as_object_mut().map(|map| map.remove("holders"));
            json
        }
    };
    let spec: GaugeSpec = serde_json::from_value(spec).map_err(not_a_gauge)?;
    spec.validate().map_err(|error| refuse(format!("{} breaks a rule: {error}", file.display())))?;
    Ok((spec, holders))
}

fn show_gauge(subject: Address, compiled: &Compiled, holders: &[Address], screen: &Screen) {
    let checks: Vec<Value> =
        compiled.checks.iter().map(|check| json!({ "what": check.what, "count": check.count })).collect();
    let reading = &compiled.reading;
    let spec = serde_json::to_value(&compiled.spec).unwrap_or_default();
    if screen.json {
        screen.object(&json!({
            "subject": subject,
            "gauge": compiled.spec.id(),
            "spec": spec,
            "explanation": compiled.explanation,
            "warnings": compiled.warnings,
            "checks": checks,
            "reading": reading_json(reading),
            "holders": holders,
            "reason": null,
            "rung": "proof",
            "advice": null,
        }));
        return;
    }
    screen.say(format!("gauge {} of {subject}", compiled.spec.id()));
    compiled.explanation.iter().for_each(|sentence| screen.say(format!("  {sentence}")));
    compiled.warnings.iter().for_each(|warning| {
        screen.say(format!("  {} {warning}", screen.palette.bold("Note:")));
    });
    let block = grouped(reading.number);
    screen.say(format!(
        "At block {block}: assets {}, {} {}.",
        grouped(reading.assets),
        if compiled.spec.has_shares() { "shares" } else { "claims" },
        grouped(reading.claims)
    ));
    for check in &compiled.checks {
        screen.say(format!("  {} {}", grouped(check.count), check.what));
    }
    screen.say(serde_json::to_string_pretty(&spec).unwrap_or_default());
}

fn show_refusal(subject: Address, refusal: &Refusal, screen: &Screen) {
    if screen.json {
        screen.object(&json!({
            "subject": subject,
            "gauge": null,
            "spec": null,
            "explanation": [],
            "warnings": [],
            "checks": [],
            "reading": null,
            "holders": [],
            "reason": refusal.reason.to_string(),
            "rung": refusal.rung,
            "advice": refusal.advice,
        }));
        return;
    }
    let rung = serde_json::to_value(refusal.rung).unwrap_or_default();
    screen.say(format!("{} {subject} gets no gauge: {}", screen.palette.red("no"), refusal.reason));
    screen.say(format!("The rung that serves: {}; {}.", rung.as_str().unwrap_or_default(), refusal.advice));
    screen.say(format!("More: {MORE}"));
}

fn show_readings(spec: &GaugeSpec, readings: &[(u64, Result<Reading, BlockError>)], screen: &Screen) {
    if screen.json {
        for (block, reading) in readings {
            screen.object(&match reading {
                Ok(reading) => reading_json(reading),
                Err(error) => json!({ "block": block, "error": error.to_string() }),
            });
        }
        return;
    }
    let rows: Vec<Vec<String>> = readings
        .iter()
        .map(|(block, reading)| match reading {
            Ok(reading) => vec![
                grouped(block),
                grouped(reading.time),
                grouped(reading.assets),
                grouped(reading.claims),
                String::new(),
            ],
            Err(error) => {
                vec![grouped(block), String::new(), String::new(), String::new(), error.to_string()]
            }
        })
        .collect();
    let claims = if spec.has_shares() { "shares" } else { "claims" };
    screen.say(table(&["block", "time (s)", "assets", claims, ""], &rows, &[0, 1, 2, 3]));
}

fn reading_json(reading: &Reading) -> Value {
    json!({
        "block": reading.number,
        "time": reading.time,
        "assets": reading.assets.to_string(),
        "claims": reading.claims.to_string(),
        "holders_hash": reading.holders,
    })
}

fn wad_of_bps(bps: u16) -> u64 {
    // At most 65,535 · 1e14, which is below 2^63.
    u64::from(bps) * 100_000_000_000_000
}
