//! `capital read`: the portfolio of a live pool.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use breakwater_capital::{Model, Portfolio};
use clap::Args;
use serde_json::json;

use super::MORE;
use super::hazards::Hazards;
use super::live::{self, Live};
use super::output::{Output, unwritten};
use super::translate::{self, Exposure, Note};
use crate::act::frame::{Look, Scene};
use crate::act::units::{bps, utc};
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

/// Which pool.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater capital read --pool dollars --severity hazards.toml --out dollars.toml\n\
    Amounts are in whole units of the pool's asset. What contracts do not say is noted on stderr."
)]
pub(crate) struct Read {
    /// Pool by its name in the deployment file or its address
    #[arg(long, value_name = "POOL")]
    pool: String,
    /// TOML with severities and with rates of products and clusters [default: one law for all, rates from floor rates]
    #[arg(long, value_name = "FILE")]
    severity: Option<PathBuf>,
    /// What counts as a product's exposure
    #[arg(long, value_enum, default_value_t = Exposure::InForce)]
    exposure: Exposure,
    /// Block to read [default: the newest]
    #[arg(long, value_name = "BLOCK")]
    block: Option<u64>,
    /// Write the portfolio here [default: print it]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    look: Look,
}

/// Reads a pool and says it as a portfolio.
pub(crate) async fn read(asked: &Read, screen: &Screen) -> Result<Outcome, Failure> {
    let hazards = Hazards::read(asked.severity.as_deref())?;
    let scene = Scene::open_at(&asked.look, asked.block).await?;
    let pool = scene.pool(&asked.pool).await?;
    let live = live::live(&scene, pool).await?;
    let (document, notes) = translate::portfolio(&live, &hazards, asked.exposure)?;
    let text = text(&live, &document, &notes)?;
    // What is handed out must be read again, so it is.
    let model = Model::from_toml(&text).map_err(|fault| {
        Failure::new(format!("the pool gives no portfolio: {fault}"))
            .right("numbers in the file of --severity that the engine takes")
            .more(MORE)
    })?;
    for note in &notes {
        eprintln!("note: {}: {}", note.name, note.text);
    }
    if let Some(path) = &asked.out {
        let mut out = Output::open(path)?;
        out.write_all(text.as_bytes()).map_err(|error| unwritten(path, &error))?;
        out.keep()?;
    }
    if screen.json {
        let caps: Vec<_> =
            live.products.iter().map(|p| json!({ "id": p.id, "cap": p.most.to_string() })).collect();
        let notes: Vec<_> = notes.iter().map(|n| json!({ "name": n.name, "text": n.text })).collect();
        screen.object(&json!({
            "command": "capital read", "pool": live.pool, "name": live.name, "asset": live.token.json(),
            "block": live.block, "block_hash": live.hash, "time": live.time, "leverage_bps": live.leverage,
            "caps": caps, "notes": notes, "data": model.hash, "toml": text,
        }));
    } else if let Some(path) = &asked.out {
        screen.say(format!(
            "{}: {} product(s) of {} at block {}",
            path.display(),
            document.products.len(),
            live.name,
            live.block
        ));
        screen.say(format!("data {}", model.hash));
    } else {
        screen.say(text.trim_end());
    }
    Ok(Outcome::Ok)
}

/// The document, under what it is of and what it does not say.
fn text(live: &Live, document: &Portfolio, notes: &[Note]) -> Result<String, Failure> {
    let body = document.to_toml().map_err(|fault| Failure::new(fault.to_string()))?;
    let mut head = format!(
        "# Pool {} on chain {} at block {}, {}\n# {}\n# leverage in force {}\n",
        live.pool,
        live.chain_id,
        live.block,
        live.hash,
        utc(live.time),
        bps(live.leverage.into())
    );
    for product in &live.products {
        // A string takes whatever is written to it.
        let _ = writeln!(
            head,
            "# cap in force of {}: {}",
            product.id,
            live.token.show(alloy::primitives::U256::from(product.most))
        );
    }
    for note in notes {
        let _ = writeln!(head, "# note: {}: {}", note.name, note.text);
    }
    Ok(format!("{head}\n{body}"))
}
