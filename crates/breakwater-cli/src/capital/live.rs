//! What a pool's contracts say at one block.

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256, U256};
use alloy::rpc::types::Filter;
use breakwater_bindings::{Catalog, Pool, Treaty, Underwriting};

use crate::act::bench::{Bench, Step};
use crate::act::frame::Scene;
use crate::act::units::Token;
use crate::failure::Failure;

/// A pool as of one block.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub(super) chain_id: u64,
    pub(super) block: u64,
    pub(super) hash: B256,
    /// Seconds.
    pub(super) time: u64,
    pub(super) pool: Address,
    pub(super) name: String,
    pub(super) token: Token,
    pub(super) config: Pool::PoolConfig,
    /// Surplus, junior, mezzanine, senior; units.
    pub(super) layers: [u128; 4],
    /// What counts for leverage, units.
    pub(super) exposure: U256,
    /// What the pool earns of premiums, units · 1e18 a second.
    pub(super) stream: U256,
    /// Bookings whose incident dwells.
    pub(super) dwelling: U256,
    /// In force now, bps.
    pub(super) leverage: u32,
    /// What the curator ever set, ascending by id.
    pub(super) products: Vec<Covered>,
    /// In the order of their attachment.
    pub(super) treaties: Vec<Ceded>,
    pub(super) vault: Pool::Vault,
}

/// A product of the pool.
#[derive(Debug, Clone)]
pub(super) struct Covered {
    pub(super) id: B256,
    pub(super) terms: Catalog::Product,
    /// Counts now, units.
    pub(super) exposure: u128,
    /// The curator's cap in force, units.
    pub(super) cap: u128,
    /// The curator's cap that waits, units; zero if none does.
    pub(super) pending: u128,
    /// What may be insured now, units: the least of the curator's cap and the certified one.
    pub(super) most: u128,
    /// The curator's floor rate in force, or the one that waits before the first is; wad a year.
    pub(super) floor: u64,
    /// The posted rate with credit and signal, wad a year, and whether it is up to date; none was ever posted.
    pub(super) posted: Option<(u64, bool)>,
    /// Zero: in none.
    pub(super) cluster: B256,
}

/// A treaty that the pool cedes to.
#[derive(Debug, Clone)]
pub(super) struct Ceded {
    pub(super) address: Address,
    pub(super) terms: Treaty::TreatyTerms,
    /// Collateral that is not locked for an incident, units.
    pub(super) free: U256,
    /// Covered already in its running year, units.
    pub(super) used: U256,
}

/// Reads a pool at the scene's block. What streams is earned up to that block's own time, so that everybody who reads
/// the block reads the same.
pub(super) async fn live(scene: &Scene, pool: Address) -> Result<Live, Failure> {
    let mut bench = scene.still().await?;
    let accrue = Step::new("bringing the pool up to the block", pool, &Pool::accrueCall {});
    bench.apply(Address::ZERO, &accrue).await?;
    let config = bench.view(pool, &Pool::configCall {}).await?;
    let state = bench.view(pool, &Pool::stateCall {}).await?;
    let certified = (config.underwriting != Address::ZERO).then_some(config.underwriting);
    let mut leverage = config.leverageBps;
    if let Some(by) = certified {
        leverage = leverage.min(bench.view(by, &Underwriting::leverageCall { pool }).await?);
    }
    let mut products = Vec::new();
    for id in set_products(scene, pool).await? {
        products.push(covered(scene, &mut bench, pool, certified, id).await?);
    }
    let mut treaties = Vec::new();
    for address in bench.view(pool, &Pool::treatiesCall {}).await? {
        treaties.push(ceded(&mut bench, address, scene.head.timestamp()).await?);
    }
    Ok(Live {
        chain_id: scene.deployment.chain_id,
        block: scene.head.number(),
        hash: scene.head.hash(),
        time: scene.head.timestamp(),
        pool,
        name: scene.pool_name(pool),
        token: scene.asset_of(pool).await?,
        layers: state.layers,
        exposure: state.exposure,
        stream: state.streamRate,
        dwelling: state.dwelling,
        leverage,
        products,
        treaties,
        vault: bench.view(pool, &Pool::vaultCall {}).await?,
        config,
    })
}

/// Every product that the curator ever set, ascending. A pool keeps no list of them, but its logs do.
async fn set_products(scene: &Scene, pool: Address) -> Result<BTreeSet<B256>, Failure> {
    let events: Vec<(u64, Pool::ProductCapped)> = scene.events(pool, Filter::new()).await?;
    Ok(events.into_iter().map(|(_, event)| event.product).collect())
}

async fn covered(
    scene: &Scene,
    bench: &mut Bench,
    pool: Address,
    certified: Option<Address>,
    id: B256,
) -> Result<Covered, Failure> {
    let terms = bench.view(scene.deployment.catalog, &Catalog::productCall { id }).await?;
    let known = bench.view(pool, &Pool::underwritingCall { product: id }).await?;
    let pending = if known.effectiveAt == 0 { 0 } else { known.pendingCap };
    let (mut most, mut posted, mut cluster) = (known.cap, None, B256::ZERO);
    if let Some(by) = certified {
        let limits = bench.view(by, &Underwriting::limitsCall { pool, product: id }).await?;
        let rate = bench.view(by, &Underwriting::floorRateCall { product: id }).await?;
        (most, cluster) = (most.min(limits.productCap), limits.cluster);
        posted = (rate.rate != 0).then_some((rate.rate, rate.fresh));
    }
    let floor = if known.live { known.floorRate } else { known.pendingRate };
    Ok(Covered { id, terms, exposure: known.exposure, cap: known.cap, pending, most, floor, posted, cluster })
}

async fn ceded(bench: &mut Bench, address: Address, now: u64) -> Result<Ceded, Failure> {
    let terms = bench.view(address, &Treaty::termsCall {}).await?;
    let assets = bench.view(address, &Treaty::totalAssetsCall {}).await?;
    let locked = bench.view(address, &Treaty::encumberedCall {}).await?;
    let since = now.saturating_sub(terms.start.to::<u64>());
    let year = U256::from(since / breakwater_primitives::YEAR);
    let used = bench.view(address, &Treaty::yearOfCall { year }).await?.covered;
    Ok(Ceded { address, terms, free: assets.saturating_sub(locked), used })
}
