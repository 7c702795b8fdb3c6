//! The gauge compiler: from a contract's address to a gauge, or to the reason why there is none.
//!
//! The key decision: nothing is believed that was not watched.
//! No source, interface description or name is used.
//! Views and simulated calls run in the EVM over the chain's state; the words they read are changed
//! one by one to see what an answer is made of; traffic is replayed to see who holds claims and what
//! moves with the assets; withdrawals are repeated under changed words to see what they pay.
//! A candidate is accepted only if every one of these agrees, and is then read over all the traffic
//! seen: it must show no loss there.
//! The road not taken is matching known contracts by bytecode: it would know yesterday's protocols
//! and be silent, or wrong, about the next one.
//!
//! Refusing is an answer. Whoever cannot be measured by proof is served by another rung.

mod abi;
mod asset;
mod candidate;
mod check;
mod claims;
mod code;
mod effect;
mod form;
mod holders;
mod ledger;
mod linear;
mod paths;
mod payout;
mod pool;
mod probe;
mod refusal;
mod scene;
mod surface;

pub use check::Check;
pub use holders::{HOLDERS_MAX, HolderIndex};
pub use probe::PROBES_MAX;
pub use refusal::{Reason, Refusal, Rung};
pub use scene::{TRAFFIC_BLOCKS_MAX, TRAFFIC_EFFECTS_MAX};
pub use surface::ASSETS_MAX;

use std::sync::Arc;

use alloy::primitives::{Address, U256};
use breakwater_evm::{EvmError, Reader, Rules, StateSource, View, off_thread};

use crate::gauge::{Form, GaugeSpec, Reading};
use claims::{Claims, Evidence};
use probe::Probes;
use scene::Scene;
use surface::Surface;

/// Threshold when none is asked for: five per cent.
const THRESHOLD_DEFAULT: u64 = 50_000_000_000_000_000;
/// Growth when none is asked for: twenty per cent a year, above what honest yields keep up.
const GROWTH_DEFAULT: u64 = 200_000_000_000_000_000;

/// What the compiler is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileOptions {
    /// Blocks whose state is compared with the contract's own answers; the newest one is the block
    /// the gauge is compiled at. Empty: the newest block of the chain only.
    pub blocks: Vec<u64>,
    /// First block of the traffic that is replayed; the contract's creation is best.
    pub traffic_from: u64,
    /// Smallest loss that is an incident, wad. Raised for tokens that take a fee on transfer.
    pub threshold: u64,
    /// How fast assets per share may honestly rise, wad per year; ratio and geometric only.
    pub growth: u64,
    /// Smallest claims or shares at which a loss is defined; `None`: a hundredth of those now.
    pub floor: Option<u128>,
    /// How the fork of a block is chosen.
    pub rules: Rules,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            traffic_from: 0,
            threshold: THRESHOLD_DEFAULT,
            growth: GROWTH_DEFAULT,
            floor: None,
            rules: Rules::Auto,
        }
    }
}

/// A compiled gauge.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The gauge.
    pub spec: GaugeSpec,
    /// What it measures and why, one sentence each.
    pub explanation: Vec<String>,
    /// What a buyer or underwriter should know.
    pub warnings: Vec<String>,
    /// What was checked, and how often.
    pub checks: Vec<Check>,
    /// Its reading at the block it was compiled at.
    pub reading: Reading,
    /// Everyone seen who may hold a claim; to be fed further blocks by whoever watches the gauge.
    pub holders: HolderIndex,
}

/// Compiles a gauge for a contract.
///
/// # Errors
/// A [`Refusal`] with the reason and the rung that can serve.
pub async fn compile(
    source: Arc<dyn StateSource>,
    subject: Address,
    options: CompileOptions,
) -> Result<Compiled, Refusal> {
    let reader = Reader::new(source);
    off_thread(move || compile_blocking(&reader, subject, &options)).await?
}

/// [`compile`] for callers that may block and keep a cache of their own.
///
/// # Errors
/// As [`compile`].
pub fn compile_blocking(
    reader: &Reader,
    subject: Address,
    options: &CompileOptions,
) -> Result<Compiled, Refusal> {
    Ok(build(reader, subject, options)?)
}

/// Reads a gauge at a view's block, with these holders if it is enumerated.
///
/// # Errors
/// When state is missing, or [`Reason::Disagrees`] with the words of the reading's own error.
pub fn read_gauge(spec: &GaugeSpec, view: &View, holders: &[Address]) -> Result<Reading, Refusal> {
    Ok(check::read(spec, view, holders)?)
}

fn build(reader: &Reader, subject: Address, options: &CompileOptions) -> Result<Compiled, Reason> {
    let scene = Scene::open(reader, subject, options)?;
    let surface = Surface::read(&scene)?;
    let (assets, unreadable) = surface::assets(&scene, &surface)?;
    if assets.is_empty() {
        return Err(unreadable.first().map_or(Reason::NoAsset, |token| Reason::UnreadableAsset(*token)));
    }
    let writes = ledger::writes(&scene.effects, &scene.preimages, subject);
    let keyed: Vec<Address> = keyed(&writes);
    let getters = surface::getters(&scene, &assets, &keyed)?;
    let probes = Probes::run(&scene, &assets, &writes, options.rules)?;
    let evidence = Evidence::gather(&scene, &assets, &getters, &probes, options.rules)?;
    let (candidate, claims) = match form::candidate(&evidence, &surface) {
        // Without claims on what can be read, a token that cannot be read is the better reason.
        Err(Reason::NoClaims) if !unreadable.is_empty() => {
            return Err(Reason::UnreadableAsset(unreadable[0]));
        }
        found => found?,
    };
    accept(reader, &evidence, &candidate, &claims, options)
}

fn accept(
    reader: &Reader,
    evidence: &Evidence<'_>,
    candidate: &candidate::Candidate,
    claims: &Claims,
    options: &CompileOptions,
) -> Result<Compiled, Reason> {
    let scene = evidence.scene;
    let chain_id = reader.chain_id().map_err(EvmError::from)?;
    let enumerated = candidate.form == Form::Enumerated;
    let holders: Vec<Address> = if enumerated {
        evidence.known_entries(claims)?.into_iter().map(|(holder, _)| holder).collect()
    } else {
        Vec::new()
    };
    let now = match candidate.claims.first() {
        Some(part) => part.leaf.read(&scene.view)?.saturating_mul(U256::from(part.scale)),
        None => evidence.known_sum(claims)?.saturating_mul(U256::from(candidate.claim_scale)),
    };
    let spec = candidate.spec(evidence, chain_id, options, now)?;
    let mut checks = check::against_answers(candidate, evidence, claims)?;
    checks.push(check::against_history(&spec, evidence, &holders, options.rules)?);
    checks.push(Check { what: "simulated calls".to_owned(), count: evidence.probes.count });
    checks.push(Check {
        what: "transactions replayed and equal to their receipts".to_owned(),
        count: scene.effects.len(),
    });
    let reading = check::read(&spec, &scene.view, &holders)?;
    let mut index = HolderIndex::new(&spec);
    index.adopt(&scene.holders);
    let mut warnings = candidate.warnings.clone();
    if evidence.probes.cut {
        warnings.push("The contract has more functions than were tried in simulation.".to_owned());
    }
    if scene.traffic_from > options.traffic_from.max(1) {
        warnings.push(format!("Traffic before block {} was not replayed.", scene.traffic_from));
    }
    Ok(Compiled {
        explanation: explain(&spec, candidate, scene),
        spec,
        warnings,
        checks,
        reading,
        holders: index,
    })
}

fn keyed(writes: &ledger::Writes) -> Vec<Address> {
    let mut all: Vec<Address> = writes.values().flatten().map(|(_, holder, ..)| *holder).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn explain(spec: &GaugeSpec, candidate: &candidate::Candidate, scene: &Scene) -> Vec<String> {
    let asset =
        if spec.asset.is_zero() { "the native coin".to_owned() } else { format!("the token {}", spec.asset) };
    let form = match spec.form {
        Form::Ratio => format!("Health is assets over shares, counted in {asset}."),
        Form::Par => format!("Health is what is held of {asset} against the total of what is owed."),
        Form::Enumerated => {
            format!("Health is what is held of {asset} against the sum of the holders' claims.")
        }
        _ => "Health is the root of the product of both reserves over the shares.".to_owned(),
    };
    let mut all = vec![form];
    all.extend(candidate.reasons.iter().cloned());
    if scene.logic.implementation != scene.subject {
        all.push(format!(
            "The code runs at {}; {} words that choose it are pinned, so an upgrade makes the gauge undecided.",
            scene.logic.implementation,
            scene.logic.pins.len()
        ));
    }
    if candidate.least_threshold_ppm > 0 {
        all.push(format!(
            "Deposits arrive short, so the threshold is at least {} parts per million.",
            candidate.least_threshold_ppm
        ));
    }
    all
}
