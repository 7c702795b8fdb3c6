//! One purchase over several pools at equal marginal prices, through the router.

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::signers::SignerSync;
use alloy::sol_types::SolEvent;
use breakwater_bindings::eip712::{self, PositionConsent};
use breakwater_bindings::{Policies, Pool, Router};
use breakwater_primitives::BPS;
use clap::Args;

use crate::act::bench::{Bench, Step};
use crate::act::cover::Cover;
use crate::act::frame::{Act, Scene, Signer};
use crate::act::permit;
use crate::act::probe::Probe;
use crate::act::run::{self, Plan};
use crate::act::units::{Quantity, parse_time};
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

/// Most pools that the router asks.
const POOLS_MAX: usize = 8;

/// What is bought, and where.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater route --product 0x… --sum 100000 --days 90 --account me --dry-run\n\
    Amounts are in whole units of the product's asset. Position and holder are the account that acts; it signs one\n\
    consent for each part. What is not spent comes back in the same transaction."
)]
pub(crate) struct Route {
    /// Id of the product, 32 bytes in hex
    #[arg(long, value_name = "ID")]
    product: B256,
    /// Sum insured in all pools together
    #[arg(long, value_name = "AMOUNT")]
    sum: String,
    /// Pool by its name in the deployment file or its address; may be given up to 8 times [default: those that sell]
    #[arg(long = "pool", value_name = "POOL")]
    pools: Vec<String>,
    /// Whole days of cover after the waiting period, up to the next 00:00 UTC [default: 30]
    #[arg(long, value_name = "DAYS", conflicts_with = "until")]
    days: Option<u64>,
    /// End of cover at 00:00 UTC of a date
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
    /// How far all premiums together may rise before the purchase is refused, basis points
    #[arg(long, value_name = "BPS", default_value_t = 100, value_parser = clap::value_parser!(u16).range(..=10_000))]
    slippage_bps: u16,
    /// Last moment at which the purchase may be mined: +20m, or a time with zone
    #[arg(long, value_name = "TIME", default_value = "+20m")]
    deadline: String,
    #[command(flatten)]
    act: Act,
}

/// What each pool sells.
struct Split {
    pools: Vec<Address>,
    sums: Vec<u128>,
    premium: U256,
}

/// Buys from several pools at once.
pub(crate) async fn route(asked: &Route, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let cover = Cover::read(&scene, asked.product).await?;
    let sum = cover.token.parse_u128("--sum", &asked.sum)?;
    let mut bench = scene.bench().await?;
    let expiry = cover.expiry(bench.time, asked.days, asked.until.as_deref())?;
    let split = split(asked, &scene, &cover, sum, expiry, &mut bench).await?;
    let part = split.premium.saturating_mul(U256::from(asked.slippage_bps)) / U256::from(BPS);
    let limit = split.premium.saturating_add(part);
    let deadline = parse_time("--deadline", &asked.deadline, bench.time)?;
    let order = Router::Order {
        product: cover.id,
        pools: split.pools.clone(),
        sums: split.sums.clone(),
        expiry,
        maxPremium: limit,
        deadline,
        consents: consents(&scene, &signer, &cover, &split, deadline).await?,
        distributor: Address::ZERO,
        feeBps: 0,
    };
    let router = scene.deployment.router;
    let mut steps = permit::allow(&mut bench, &cover.token, signer.address(), router, limit).await?;
    steps.push(Step::new("buying cover through the router", router, &Router::buyCall { order }));
    let title = format!(
        "buying {} of {} cover for at most {}: {}",
        cover.token.show(U256::from(sum)),
        cover.kind(),
        cover.token.show(limit),
        in_words(&scene, &cover, &split)
    );
    let probes = probes(&scene, &cover, &split, signer.address());
    let unit = cover.token.clone();
    let plan = Plan::new("route", title, steps, probes).telling(move |logs| {
        let routed = logs.iter().find_map(|log| Router::Routed::decode_log(log).ok());
        let bought = logs.iter().filter_map(|log| Policies::Bought::decode_log(log).ok());
        let insured: U256 = bought.map(|bought| U256::from(bought.policy.sum)).sum();
        routed.map_or_else(Vec::new, |routed| {
            vec![
                ("parts", Quantity::Number(U256::from(routed.ids.len()))),
                ("spent", Quantity::Amount(routed.spent, unit.clone())),
                ("sum", Quantity::Amount(insured, unit.clone())),
                ("expiry", Quantity::Time(expiry)),
            ]
        })
    });
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

/// The router's own answer after every pool has accrued, as the purchase will have it.
async fn split(
    asked: &Route,
    scene: &Scene,
    cover: &Cover,
    sum: u128,
    expiry: u64,
    bench: &mut Bench,
) -> Result<Split, Failure> {
    let mut pools = Vec::new();
    for text in &asked.pools {
        pools.push(scene.pool(text).await?);
    }
    if pools.is_empty() {
        pools = cover.pools(scene).await?;
        pools.truncate(POOLS_MAX);
    }
    if pools.is_empty() || pools.len() > POOLS_MAX {
        return Err(Failure::usage(format!("--pool: expected 1 to {POOLS_MAX} pools, got {}", pools.len()))
            .right("pools that underwrite the product: breakwater products"));
    }
    for pool in &pools {
        let step = Step::new("bringing the pool up to now", *pool, &Pool::accrueCall {});
        bench.apply(Address::ZERO, &step).await?;
    }
    let call = Router::splitCall { product: cover.id, sum: U256::from(sum), expiry, pools: pools.clone() };
    let answer = bench.view(scene.deployment.router, &call).await?;
    let sums = answer.sums.iter().map(|part| u128::try_from(*part).unwrap_or(u128::MAX)).collect();
    Ok(Split { pools, sums, premium: answer.premiums.iter().sum() })
}

/// The router buys, so the position, which is the account that acts, consents to it once for each part.
async fn consents(
    scene: &Scene,
    signer: &Signer,
    cover: &Cover,
    split: &Split,
    deadline: u64,
) -> Result<Vec<Bytes>, Failure> {
    let Signer::Key(key) = signer else {
        return Err(Failure::usage("no key to sign the consents of the parts with")
            .right("--account or --keystore; without one, `breakwater buy` from one pool"));
    };
    let (position, policies) = (key.address(), scene.deployment.policies);
    let first = scene.view(policies, &Policies::nonces_0Call { owner: position }).await?;
    let mut consents = Vec::new();
    for part in 0..split.sums.iter().filter(|sum| **sum != 0).count() {
        let message = PositionConsent {
            position,
            product: cover.id,
            buyer: scene.deployment.router,
            nonce: first.saturating_add(U256::from(part)),
            deadline: U256::from(deadline),
        };
        let digest = eip712::digest(&message, scene.deployment.chain_id, policies);
        let signature = key.sign_hash_sync(&digest).map_err(|error| Failure::new(error.to_string()))?;
        consents.push(signature.as_bytes().into());
    }
    Ok(consents)
}

fn in_words(scene: &Scene, cover: &Cover, split: &Split) -> String {
    let parts = split.pools.iter().zip(&split.sums).filter(|(_, sum)| **sum != 0);
    let words = parts.map(|(pool, sum)| {
        format!("{} from pool {}", cover.token.show(U256::from(*sum)), scene.pool_name(*pool))
    });
    words.collect::<Vec<_>>().join(", ")
}

fn probes(scene: &Scene, cover: &Cover, split: &Split, buyer: Address) -> Vec<Probe> {
    let (token, policies) = (&cover.token, scene.deployment.policies);
    let mut probes = vec![
        Probe::balance("balance of the buyer", token, buyer),
        Probe::balance("balance of the router", token, scene.deployment.router),
        Probe::new("policies sold in all", policies, &Policies::countCall {}, Quantity::Number),
    ];
    for (pool, _) in split.pools.iter().zip(&split.sums).filter(|(_, sum)| **sum != 0) {
        let unit = token.clone();
        let what = format!("exposure of pool {}", scene.pool_name(*pool));
        probes.push(Probe::new(what, *pool, &Pool::stateCall {}, move |state| {
            Quantity::Amount(state.exposure, unit.clone())
        }));
    }
    probes
}
