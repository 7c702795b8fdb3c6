//! What a pool and its tranches look like from outside: capital, what it stands behind, and when it can leave.

use alloy::primitives::{Address, U256};
use breakwater_bindings::{Pool, Tranche};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::act::bench::{Bench, Step};
use crate::act::cover::{capacity, share};
use crate::act::frame::{Look, Scene};
use crate::act::units::{Token, bps, percent, utc};
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, table};

/// A tranche by name, first to last in line for losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layer {
    /// First to pay
    Junior,
    /// Second
    Mezzanine,
    /// Last
    Senior,
}

impl Layer {
    const ALL: [Self; 3] = [Self::Junior, Self::Mezzanine, Self::Senior];

    /// Its place in the pool, 1 to 3.
    pub(crate) fn index(self) -> usize {
        self as usize + 1
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Junior => "junior",
            Self::Mezzanine => "mezzanine",
            Self::Senior => "senior",
        }
    }
}

/// Which pools.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater pools --deployment deployment.json\n\
    Amounts are in whole units of each pool's asset, as of the coming block.")]
pub(crate) struct Pools {
    #[command(flatten)]
    look: Look,
}

/// Whose tranches.
#[derive(Debug, Args)]
#[command(after_help = "Example: breakwater tranches --pool dollars --holder 0x…\n\
    Amounts are in whole units of the pool's asset, times in UTC.")]
pub(crate) struct Tranches {
    /// Pool by its name in the deployment file or its address
    #[arg(long, value_name = "POOL")]
    pool: String,
    /// Show what this account holds, too
    #[arg(long, value_name = "ADDRESS")]
    holder: Option<Address>,
    #[command(flatten)]
    look: Look,
}

/// A tranche that somebody deals with.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Its pool.
    pub(crate) pool: Address,
    /// Its contract.
    pub(crate) tranche: Address,
    /// The pool's asset.
    pub(crate) asset: Token,
    /// The tranche's shares.
    pub(crate) shares: Token,
    /// Length of an epoch, seconds, at least 1.
    pub(crate) epoch: u64,
    /// From a request to its maturity, seconds.
    pub(crate) cooldown: u64,
}

impl Place {
    /// Finds a tranche of a pool.
    pub(crate) async fn find(scene: &Scene, pool: Address, layer: Layer) -> Result<Self, Failure> {
        let tranche = scene.view(pool, &Pool::trancheCall { index: U256::from(layer.index()) }).await?;
        let config = scene.view(pool, &Pool::configCall {}).await?;
        Ok(Self {
            pool,
            tranche,
            asset: scene.asset_of(pool).await?,
            shares: scene.token(tranche).await?,
            epoch: u64::from(config.epoch).max(1),
            cooldown: config.cooldown.into(),
        })
    }

    /// When a redemption that is requested at `time` can first be paid: the cooldown, then one whole epoch at least.
    pub(crate) fn exit(&self, time: u64) -> u64 {
        let epoch = time.saturating_add(self.cooldown) / self.epoch;
        epoch.saturating_add(2).saturating_mul(self.epoch)
    }
}

/// Brings a pool up to the coming block on the bench.
pub(crate) async fn accrue(bench: &mut Bench, pool: Address) -> Result<(), Failure> {
    let step = Step::new("bringing the pool up to now", pool, &Pool::accrueCall {});
    bench.apply(Address::ZERO, &step).await.map(|_| ())
}

/// Lists every pool.
pub(crate) async fn pools(asked: &Pools, screen: &Screen) -> Result<Outcome, Failure> {
    let scene = Scene::open(&asked.look).await?;
    let mut bench = scene.bench().await?;
    let mut rows = Vec::new();
    for pool in scene.pools().await? {
        accrue(&mut bench, pool).await?;
        let asset = scene.asset_of(pool).await?;
        let state = bench.view(pool, &Pool::stateCall {}).await?;
        let config = bench.view(pool, &Pool::configCall {}).await?;
        let closed = bench.view(pool, &Pool::closedAtCall {}).await?;
        let capital: U256 = state.layers.iter().copied().map(U256::from).sum();
        let room = capacity(&state.layers, config.leverageBps);
        let used = share(state.exposure, room);
        let word = match (closed, state.dwelling.is_zero()) {
            (0, true) => "open".to_owned(),
            (0, false) => format!("open, {} incident(s) dwell", state.dwelling),
            (time, _) => format!("closed {}", utc(time)),
        };
        rows.push(vec![
            scene.pool_name(pool),
            asset.show(capital),
            asset.show(state.exposure),
            asset.show(room),
            percent(used),
            word,
        ]);
        if screen.json {
            screen.object(&json!({
                "pool": pool, "name": scene.pool_name(pool), "asset": asset.json(), "curator": config.curator,
                "capital": capital.to_string(), "layers": state.layers.map(|units| units.to_string()),
                "exposure": state.exposure.to_string(), "capacity": room.to_string(),
                "utilisation_wad": used.to_string(), "pending_deposits": state.pendingDeposits.to_string(),
                "dwelling": state.dwelling.to_string(), "closed_at": closed,
                "as_of": { "block": bench.number, "time": bench.time },
            }));
        }
    }
    screen.say(table(&["pool", "capital", "at risk", "capacity", "used", "state"], &rows, &[1, 2, 3, 4]));
    Ok(Outcome::Ok)
}

/// Lists the tranches of a pool.
pub(crate) async fn tranches(asked: &Tranches, screen: &Screen) -> Result<Outcome, Failure> {
    let scene = Scene::open(&asked.look).await?;
    let pool = scene.pool(&asked.pool).await?;
    let mut bench = scene.bench().await?;
    accrue(&mut bench, pool).await?;
    let config = bench.view(pool, &Pool::configCall {}).await?;
    let mut rows = Vec::new();
    for layer in Layer::ALL {
        let place = Place::find(&scene, pool, layer).await?;
        let index = U256::from(layer.index());
        let assets = bench.view(pool, &Pool::layerCall { index }).await?;
        let supply = bench.view(place.tranche, &Tranche::totalSupplyCall {}).await?;
        let exitable = bench.view(pool, &Pool::exitableCall { index }).await?.min(assets);
        let held = match asked.holder {
            Some(holder) => Some(held(&mut bench, &place, holder).await?),
            None => None,
        };
        let weight = config.weightBps[layer.index() - 1];
        let mut row = vec![
            layer.name().to_owned(),
            place.asset.show(assets),
            bps(weight.into()),
            place.asset.show(exitable),
            utc(place.exit(bench.time)),
        ];
        row.extend(held.map(|(_, worth)| place.asset.show(worth)));
        rows.push(row);
        if screen.json {
            screen.object(&tranche_json(layer, &place, assets, supply, exitable, weight, held, &bench));
        }
    }
    let mut header = vec!["tranche", "assets", "weight", "can leave now", "a request now is payable from"];
    header.extend(asked.holder.map(|_| "held"));
    screen.say(table(&header, &rows, &[1, 2, 3, 5]));
    Ok(Outcome::Ok)
}

#[allow(clippy::too_many_arguments, reason = "a tranche is made of this much")]
fn tranche_json(
    layer: Layer,
    place: &Place,
    assets: U256,
    supply: U256,
    exitable: U256,
    weight: u16,
    held: Option<(U256, U256)>,
    bench: &Bench,
) -> Value {
    let mut told = json!({
        "layer": layer.name(), "pool": place.pool, "tranche": place.tranche, "asset": place.asset.json(),
        "shares": place.shares.json(), "assets": assets.to_string(), "supply": supply.to_string(),
        "weight_bps": weight, "exitable": exitable.to_string(), "exit_from": place.exit(bench.time),
        "as_of": { "block": bench.number, "time": bench.time },
    });
    if let Some((shares, worth)) = held {
        told["held"] = json!({ "shares": shares.to_string(), "worth": worth.to_string() });
    }
    told
}

/// Shares of an account, and what they are worth, rounded down.
async fn held(bench: &mut Bench, place: &Place, account: Address) -> Result<(U256, U256), Failure> {
    let shares = bench.view(place.tranche, &Tranche::balanceOfCall { account }).await?;
    let worth = bench.view(place.tranche, &Tranche::convertToAssetsCall { shares }).await?;
    Ok((shares, worth))
}
