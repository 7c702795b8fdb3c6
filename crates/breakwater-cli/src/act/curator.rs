//! Commands of a curator: what a pool sells, and the junior that stands behind it.

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolEvent;
use breakwater_bindings::{Pool, Tranche};
use clap::{Args, Subcommand};

use crate::act::bench::Step;
use crate::act::capital::{Layer, Place};
use crate::act::cover::Cover;
use crate::act::factory;
use crate::act::frame::{Act, Scene};
use crate::act::probe::Probe;
use crate::act::run::{self, Plan};
use crate::act::units::{Quantity, parse_percent, percent};
use crate::failure::{Failure, Outcome};
use crate::style::Screen;

/// What a curator does with his pool.
#[derive(Debug, Subcommand)]
pub(crate) enum PoolCommand {
    /// Make a pool
    Create(factory::Create),
    /// Set the cap and the floor rate of a product
    SetProduct(SetProduct),
    /// Lock junior shares behind your caps
    Lock(Lock),
    /// Take junior shares out of the lock, as far as your caps allow
    Unlock(Lock),
}

/// What is sold, and how much of it at which rate.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: breakwater pool set-product --pool dollars --product 0x… --cap 500000 --floor-rate 2.5 --account me\n\
    The cap is in whole units of the pool's asset, the rate in per cent a year.\n\
    A lower cap and a higher rate act at once, anything else after the cooldown and two epochs."
)]
pub(crate) struct SetProduct {
    /// Pool by its name in the deployment file or its address
    #[arg(long, value_name = "POOL")]
    pool: String,
    /// Id of the product, 32 bytes in hex
    #[arg(long, value_name = "ID")]
    product: B256,
    /// Most that the pool insures on it, in whole units of the asset
    #[arg(long, value_name = "AMOUNT")]
    cap: String,
    /// Lowest rate on the sum insured, per cent a year
    #[arg(long, value_name = "PERCENT")]
    floor_rate: String,
    #[command(flatten)]
    act: Act,
}

/// How many shares.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater pool lock --pool dollars --shares 1000 --account me\n\
    Shares are in whole units, with six decimals more than the asset.")]
pub(crate) struct Lock {
    /// Pool by its name in the deployment file or its address
    #[arg(long, value_name = "POOL")]
    pool: String,
    /// Junior shares, in whole units
    #[arg(long, value_name = "SHARES", required_unless_present = "all")]
    shares: Option<String>,
    /// As many as there are
    #[arg(long, conflicts_with = "shares")]
    all: bool,
    #[command(flatten)]
    act: Act,
}

/// Runs one of a curator's commands.
pub(crate) async fn pool(command: &PoolCommand, screen: &Screen) -> Result<Outcome, Failure> {
    match command {
        PoolCommand::Create(asked) => factory::create(asked, screen).await,
        PoolCommand::SetProduct(asked) => set_product(asked, screen).await,
        PoolCommand::Lock(asked) => lock(asked, true, screen).await,
        PoolCommand::Unlock(asked) => lock(asked, false, screen).await,
    }
}

async fn set_product(asked: &SetProduct, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let pool = scene.pool(&asked.pool).await?;
    let cover = Cover::read(&scene, asked.product).await?;
    let cap = cover.token.parse_u128("--cap", &asked.cap)?;
    let rate = parse_percent("--floor-rate", &asked.floor_rate)?;
    let call = Pool::setProductCall { product: cover.id, cap, floorRate: rate };
    let title = format!(
        "pool {}: at most {} of {}, from {} a year",
        scene.pool_name(pool),
        cover.token.show(U256::from(cap)),
        cover.id,
        percent(U256::from(rate))
    );
    let of = Pool::underwritingCall { product: cover.id };
    let (unit, pending) = (cover.token.clone(), cover.token.clone());
    let probes = vec![
        Probe::new("cap in force", pool, &of, move |known| {
            Quantity::Amount(U256::from(known.cap), unit.clone())
        }),
        Probe::new("floor rate in force, a year", pool, &of, |known| {
            Quantity::Wad(U256::from(known.floorRate))
        }),
        Probe::new("cap that waits", pool, &of, move |known| {
            Quantity::Amount(U256::from(known.pendingCap), pending.clone())
        }),
        Probe::new("floor rate that waits, a year", pool, &of, |known| {
            Quantity::Wad(U256::from(known.pendingRate))
        }),
        Probe::new("it is in force from", pool, &of, |known| Quantity::Time(known.effectiveAt)),
    ];
    let steps = vec![Step::new("setting a product", pool, &call)];
    let plan = Plan::new("pool set-product", title, steps, probes).telling(|logs| {
        let set = logs.iter().find_map(|log| Pool::ProductCapped::decode_log(log).ok());
        set.map_or_else(Vec::new, |set| {
            vec![("effective_at", Quantity::Time(set.effectiveAt.saturating_to()))]
        })
    });
    run::run(&asked.act, &scene, &signer, plan, screen).await
}

async fn lock(asked: &Lock, locks: bool, screen: &Screen) -> Result<Outcome, Failure> {
    let signer = asked.act.signer()?;
    let scene = Scene::open(&asked.act.look).await?;
    let pool = scene.pool(&asked.pool).await?;
    let place = Place::find(&scene, pool, Layer::Junior).await?;
    let shares = match &asked.shares {
        Some(text) => place.shares.parse("--shares", text)?,
        None => all(&scene, pool, place.tranche, signer.address(), locks).await?,
    };
    let (command, verb, step) = match locks {
        true => ("pool lock", "locking", Step::new("locking junior", pool, &Pool::lockCall { shares })),
        false => {
            ("pool unlock", "unlocking", Step::new("unlocking junior", pool, &Pool::unlockCall { shares }))
        }
    };
    let title = format!("{verb} {} of pool {}", place.shares.show(shares), scene.pool_name(pool));
    let unit = place.shares.clone();
    let probes = vec![Probe::new("locked junior shares", pool, &Pool::lockedCall {}, move |units| {
        Quantity::Amount(units, unit.clone())
    })];
    run::run(&asked.act, &scene, &signer, Plan::new(command, title, vec![step], probes), screen).await
}

/// To lock: what is not locked yet. To unlock: the whole lock.
async fn all(
    scene: &Scene,
    pool: Address,
    tranche: Address,
    curator: Address,
    locks: bool,
) -> Result<U256, Failure> {
    let locked = scene.view(pool, &Pool::lockedCall {}).await?;
    if !locks {
        return Ok(locked);
    }
    let balance = scene.view(tranche, &Tranche::balanceOfCall { account: curator }).await?;
    Ok(balance.saturating_sub(locked))
}
