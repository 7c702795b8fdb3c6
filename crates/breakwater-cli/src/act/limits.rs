//! What committees certify: the capacity of pools and the floor rates of products.

use std::path::{Path, PathBuf};

use alloy::primitives::{Address, B256, U256};
use breakwater_bindings::decimal;
use breakwater_bindings::eip712::{self, Cap, CapacityCertificate, RatePosting};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use crate::act::frame::Scene;
use crate::act::signed::{self, Countersign, Making, Post};
use crate::act::units::parse_percent;
use crate::connect;
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

alloy::sol! {
    function committee(uint8 duty) external view returns (uint256 quorum, address[] memory members);
}

/// `Duty` in `IUnderwriting.sol`.
const CAPACITY: u8 = 0;
const RATE: u8 = 1;

/// How much a pool may sell.
#[derive(Debug, Subcommand)]
pub(crate) enum Certify {
    /// Make a certificate and sign it first
    Sign(SignCapacity),
    /// Add a signature
    Countersign(Countersign),
    /// Hand it to the chain
    Post(Post),
}

/// The least that a product may cost.
#[derive(Debug, Subcommand)]
pub(crate) enum Rate {
    /// Make a posting and sign it first
    Sign(SignRate),
    /// Add a signature
    Countersign(Countersign),
    /// Hand it to the chain
    Post(Post),
}

/// Which capacity.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater certify sign --pool dollars --limits limits.json --out certificate.json --account me\n\
    The file has leverageBps, products and clusters as lists of {id, cap} with caps in units of the asset as decimal\n\
    strings, and the hashes model, data and seed."
)]
pub(crate) struct SignCapacity {
    /// The contract that takes certificates [default: the deployment's]
    #[arg(long, value_name = "ADDRESS")]
    underwriting: Option<Address>,
    /// Pool by its name in the deployment file or its address
    #[arg(long, value_name = "POOL")]
    pool: String,
    /// JSON with the limits
    #[arg(long, value_name = "FILE")]
    limits: PathBuf,
    #[command(flatten)]
    making: Making,
}

/// Which rate.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater rate sign --product 0x… --floor-rate 2.5 --model 0x… --inputs 0x… --out rate.json --account me\n\
    The rate is in per cent a year on the sum insured."
)]
pub(crate) struct SignRate {
    /// The contract that takes postings [default: the deployment's]
    #[arg(long, value_name = "ADDRESS")]
    underwriting: Option<Address>,
    /// Id of the product, 32 bytes in hex
    #[arg(long, value_name = "ID")]
    product: B256,
    /// Lowest rate, per cent a year
    #[arg(long, value_name = "PERCENT")]
    floor_rate: String,
    /// Hash of the model's code
    #[arg(long, value_name = "HASH")]
    model: B256,
    /// Hash of the model's inputs
    #[arg(long, value_name = "HASH")]
    inputs: B256,
    #[command(flatten)]
    making: Making,
}

/// Limits as a capital model writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Limits {
    /// Exposure over capital, of 10,000.
    #[serde(with = "decimal")]
    pub(crate) leverage_bps: u32,
    /// By product, ids strictly ascending.
    pub(crate) products: Vec<Line>,
    /// By cluster, ids strictly ascending.
    pub(crate) clusters: Vec<Line>,
    /// Hash of the model's code.
    pub(crate) model: B256,
    /// Hash of the portfolio.
    pub(crate) data: B256,
    /// Hash of seed and number of years.
    pub(crate) seed: B256,
}

/// A cap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// The product or the cluster.
    pub(crate) id: B256,
    /// Units of the pool's asset.
    #[serde(with = "decimal")]
    pub(crate) cap: u128,
}

/// Runs a command about capacity.
pub(crate) async fn certify(command: &Certify, screen: &Screen) -> Result<Outcome, Failure> {
    match command {
        Certify::Sign(asked) => sign_capacity(asked, screen).await,
        Certify::Countersign(asked) => signed::countersign::<CapacityCertificate>(asked, screen),
        Certify::Post(asked) => signed::post::<CapacityCertificate>("certify post", asked, screen).await,
    }
}

/// Runs a command about rates.
pub(crate) async fn rate(command: &Rate, screen: &Screen) -> Result<Outcome, Failure> {
    match command {
        Rate::Sign(asked) => sign_rate(asked, screen).await,
        Rate::Countersign(asked) => signed::countersign::<RatePosting>(asked, screen),
        Rate::Post(asked) => signed::post::<RatePosting>("rate post", asked, screen).await,
    }
}

async fn sign_capacity(asked: &SignCapacity, screen: &Screen) -> Result<Outcome, Failure> {
    sign_limits(&limits(&asked.limits)?, asked.underwriting, &asked.pool, &asked.making, screen).await
}

/// Makes a certificate of limits for a pool and signs it first; `underwriting` takes it, or the deployment's.
pub(crate) async fn sign_limits(
    limits: &Limits,
    underwriting: Option<Address>,
    pool: &str,
    making: &Making,
    screen: &Screen,
) -> Result<Outcome, Failure> {
    let key = connect::signer(&making.wallet)?;
    let scene = Scene::open(&making.look).await?;
    let (valid_from, valid_until, nonce) = making.terms(scene.head.timestamp())?;
    let underwriting = underwriting.unwrap_or(scene.deployment.underwriting);
    let pool = scene.pool(pool).await?;
    let signer_set = signer_set(&scene, underwriting, CAPACITY).await?;
    let message = certificate(limits, pool, signer_set, nonce, [valid_from, valid_until]);
    making.sign(&message, &scene, underwriting, &key, screen)
}

/// The certificate that says these limits; `valid` is its first and last second.
pub(crate) fn certificate(
    limits: &Limits,
    pool: Address,
    signer_set: B256,
    nonce: U256,
    valid: [u64; 2],
) -> CapacityCertificate {
    let caps = |lines: &[Line]| lines.iter().map(|line| Cap { id: line.id, cap: line.cap }).collect();
    CapacityCertificate {
        pool,
        leverageBps: limits.leverage_bps,
        products: caps(&limits.products),
        clusters: caps(&limits.clusters),
        model: limits.model,
        data: limits.data,
        seed: limits.seed,
        signerSet: signer_set,
        nonce,
        validFrom: valid[0],
        validUntil: valid[1],
    }
}

async fn sign_rate(asked: &SignRate, screen: &Screen) -> Result<Outcome, Failure> {
    let floor_rate = parse_percent("--floor-rate", &asked.floor_rate)?;
    let key = connect::signer(&asked.making.wallet)?;
    let scene = Scene::open(&asked.making.look).await?;
    let (valid_from, valid_until, nonce) = asked.making.terms(scene.head.timestamp())?;
    let underwriting = asked.underwriting.unwrap_or(scene.deployment.underwriting);
    let message = RatePosting {
        product: asked.product,
        floorRate: floor_rate,
        model: asked.model,
        inputs: asked.inputs,
        signerSet: signer_set(&scene, underwriting, RATE).await?,
        nonce,
        validFrom: valid_from,
        validUntil: valid_until,
    };
    asked.making.sign(&message, &scene, underwriting, &key, screen)
}

async fn signer_set(scene: &Scene, underwriting: Address, duty: u8) -> Result<B256, Failure> {
    let committee = scene.view(underwriting, &committeeCall { duty }).await?;
    Ok(eip712::signer_set(committee.quorum, &committee.members))
}

fn limits(file: &Path) -> Result<Limits, Failure> {
    let refuse = |wrong: String| {
        Failure::usage(format!("--limits: {}: {wrong}", file.display()))
            .right("limits as breakwater certify sign --help describes them")
    };
    let text = std::fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
    let limits: Limits = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
    let ascending = |lines: &[Line]| lines.windows(2).all(|pair| pair[0].id < pair[1].id);
    match ascending(&limits.products) && ascending(&limits.clusters) {
        true => Ok(limits),
        false => Err(refuse("ids must be strictly ascending".to_owned())),
    }
}
