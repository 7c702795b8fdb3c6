//! A product as a buyer sees it: terms, wording, pools that sell it, and what they ask.

use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::sol_types::{SolCall, SolValue};
use breakwater_bindings::{Catalog, Policies, Pool, Wording};
use breakwater_primitives::BPS;
use breakwater_primitives::{DAY, YEAR};

use crate::act::bench::{Bench, Step};
use crate::act::frame::Scene;
use crate::act::units::{Token, parse_time};
use crate::act::words;
use crate::failure::Failure;
use crate::terms::wording_call;

/// Days of cover where the buyer names none.
pub(crate) const DAYS: u64 = 30;

/// A listed product.
#[derive(Debug, Clone)]
pub(crate) struct Cover {
    /// Its id.
    pub(crate) id: B256,
    /// Its terms.
    pub(crate) terms: Catalog::Product,
    /// The gauge behind it.
    pub(crate) gauge: Catalog::GaugeInfo,
    /// What sums and premiums are counted in.
    pub(crate) token: Token,
    /// Of a portfolio its products, ascending, with their gauges; of a product none. A portfolio's `terms` and `gauge`
    /// are those of its first leg, but for the greatest minimum and the longest waiting period.
    pub(crate) legs: Vec<(B256, B256)>,
}

/// What a pool asks for a sum and a term, and what stands behind it.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    /// The pool.
    pub(crate) pool: Address,
    /// Pool units.
    pub(crate) premium: U256,
    /// Premium by sum and year, a fraction of 1e18, rounded up.
    pub(crate) rate: U256,
    /// Seconds.
    pub(crate) inception: u64,
    /// Seconds, at 00:00 UTC.
    pub(crate) expiry: u64,
    /// Pool units at risk before this purchase.
    pub(crate) exposure: U256,
    /// Most pool units that may be at risk.
    pub(crate) capacity: U256,
}

impl Cover {
    /// Reads a product or a portfolio; what is not listed is wrong usage.
    pub(crate) async fn read(scene: &Scene, id: B256) -> Result<Self, Failure> {
        let catalog = scene.deployment.catalog;
        let terms = scene.view(catalog, &Catalog::productCall { id }).await?;
        if terms.unitDen == 0 {
            let named = Policies::legsOfCall { portfolio: id };
            let legs = scene.view(scene.deployment.policies, &named).await?;
            return match legs.is_empty() {
                true => Err(Failure::usage(format!("--product: {id} is not listed"))
                    .right("the id of a listed product: breakwater products")),
                false => Box::pin(Self::of_legs(scene, &legs)).await,
            };
        }
        let gauge = scene.view(catalog, &Catalog::gaugeInfoCall { gauge: terms.gauge }).await?;
        let token = scene.token(terms.asset).await?;
        Ok(Self { id, terms, gauge, token, legs: Vec::new() })
    }

    /// Several products under one sum, named or not; their order does not matter.
    pub(crate) async fn of_legs(scene: &Scene, products: &[B256]) -> Result<Self, Failure> {
        let mut products = products.to_vec();
        products.sort_unstable();
        let mut whole: Option<Self> = None;
        for product in &products {
            let leg = Self::read(scene, *product).await?;
            let whole = whole.get_or_insert_with(|| leg.clone());
            whole.terms.minSum = whole.terms.minSum.max(leg.terms.minSum);
            whole.terms.waitingPeriod = whole.terms.waitingPeriod.max(leg.terms.waitingPeriod);
            whole.legs.push((leg.id, leg.terms.gauge));
        }
        let mut whole = whole.filter(|whole| whole.legs.len() > 1).ok_or_else(|| {
            Failure::usage("--portfolio: expected 2 to 8 products").right("--portfolio 0x…,0x…")
        })?;
        whole.id = keccak256(products.abi_encode());
        Ok(whole)
    }

    /// The products that are bought with it: itself, or its legs.
    pub(crate) fn products(&self) -> Vec<B256> {
        match self.legs.is_empty() {
            true => vec![self.id],
            false => self.legs.iter().map(|(product, _)| *product).collect(),
        }
    }

    /// The gauges that can touch it.
    pub(crate) fn gauges(&self) -> Vec<B256> {
        match self.legs.is_empty() {
            true => vec![self.terms.gauge],
            false => self.legs.iter().map(|(_, gauge)| *gauge).collect(),
        }
    }

    /// What kind of cover it is, as `Kind` in `ICatalog.sol` numbers them.
    pub(crate) fn kind(&self) -> &'static str {
        const KINDS: [&str; 8] =
            ["position", "protocol", "liquidity", "oracle", "governance", "upgrade", "depeg", "custom"];
        if !self.legs.is_empty() {
            return "portfolio";
        }
        KINDS.get(usize::from(self.terms.kind)).copied().unwrap_or("unknown")
    }

    /// The wording and its hash; a text that does not hash to what was listed is not shown. Of a portfolio those of
    /// its legs one after another, and its id, which names them all.
    pub(crate) async fn wording(&self, scene: &Scene) -> Result<(String, B256), Failure> {
        let mut texts = Vec::new();
        for (product, _) in &self.legs {
            let leg = Self::read(scene, *product).await?;
            texts.push(Box::pin(leg.wording(scene)).await?.0);
        }
        if !texts.is_empty() {
            return Ok((texts.join("\n"), self.id));
        }
        let call = wording_call(&self.terms, &self.gauge).map_err(|error| {
            words::strange(scene.deployment.wording, Wording::wordingCall::SIGNATURE, &error.to_string())
        })?;
        let text = scene.view(scene.deployment.wording, &call).await?;
        let listed =
            scene.view(scene.deployment.catalog, &Catalog::wordingHashCall { product: self.id }).await?;
        match keccak256(&text) {
            hash if hash == listed => Ok((text, hash)),
            hash => Err(Failure::new(format!("wording of {}: expected hash {listed}, got {hash}", self.id))
                .right("a deployment that stands on this chain: breakwater deploy --check")),
        }
    }

    /// Pools that underwrite it, all legs of a portfolio, in the order in which they took its gauge on.
    pub(crate) async fn pools(&self, scene: &Scene) -> Result<Vec<Address>, Failure> {
        let all =
            scene.view(scene.deployment.catalog, &Catalog::poolsOfCall { gauge: self.terms.gauge }).await?;
        let mut pools = Vec::new();
        for pool in all {
            let mut all = true;
            for product in self.products() {
                let known = scene.view(pool, &Pool::underwritingCall { product }).await?;
                all &= !known.gauge.is_zero();
            }
            if all {
                pools.push(pool);
            }
        }
        Ok(pools)
    }

    /// End of a term that begins after the waiting period: the time named by `until`, or `days` whole days or a
    /// little more, up to the next 00:00 UTC.
    pub(crate) fn expiry(&self, now: u64, days: Option<u64>, until: Option<&str>) -> Result<u64, Failure> {
        let inception = now.saturating_add(self.terms.waitingPeriod.into());
        let expiry = match until {
            Some(text) => parse_time("--until", text, now)?,
            None => {
                let least =
                    days.unwrap_or(DAYS).checked_mul(DAY).and_then(|term| inception.checked_add(term));
                least.and_then(|least| least.checked_next_multiple_of(DAY)).ok_or_else(|| {
                    Failure::usage("--days: more than any clock reaches")
                        .right("a number of days such as --days 90")
                })?
            }
        };
        match expiry % DAY {
            0 => Ok(expiry),
            _ => Err(Failure::usage(format!(
                "--until: expected 00:00 UTC of a day, got {}",
                crate::act::units::utc(expiry)
            ))
            .right("a date alone, such as --until 2026-12-31")),
        }
    }

    /// What a pool would charge in the coming block.
    pub(crate) async fn offer(
        &self,
        bench: &mut Bench,
        pool: Address,
        sum: u128,
        expiry: u64,
    ) -> Result<Offer, Failure> {
        // The pool's own quote is as of its last accrual; a purchase accrues first.
        bench
            .apply(Address::ZERO, &Step::new("bringing the pool up to now", pool, &Pool::accrueCall {}))
            .await?;
        let inception = bench.time.saturating_add(self.terms.waitingPeriod.into());
        let premium = match self.legs.is_empty() {
            true => bench.view(pool, &Pool::quoteCall { product: self.id, sum, inception, expiry }).await?,
            false => {
                let call = Pool::quoteLegsCall { legs: self.products(), sum, inception, expiry };
                bench.view(pool, &call).await?.premium
            }
        };
        let state = bench.view(pool, &Pool::stateCall {}).await?;
        let config = bench.view(pool, &Pool::configCall {}).await?;
        Ok(Offer {
            pool,
            premium,
            rate: yearly(premium, sum, expiry.saturating_sub(inception)),
            inception,
            expiry,
            exposure: state.exposure,
            capacity: capacity(&state.layers, config.leverageBps),
        })
    }
}

/// Most exposure of a pool: floor(capital · leverage).
pub(crate) fn capacity(layers: &[u128; 4], leverage_bps: u32) -> U256 {
    let capital: U256 = layers.iter().copied().map(U256::from).sum();
    capital * U256::from(leverage_bps) / U256::from(BPS)
}

/// A part of a whole as a fraction of 1e18, rounded up; zero of nothing.
pub(crate) fn share(part: U256, whole: U256) -> U256 {
    if whole.is_zero() { U256::ZERO } else { (part * wad()).div_ceil(whole) }
}

/// premium / sum a year, rounded up: no quote looks cheaper than it is. Premiums have far less than 128 bits.
fn yearly(premium: U256, sum: u128, term: u64) -> U256 {
    let whole = U256::from(sum) * U256::from(term);
    if whole.is_zero() || premium > U256::from(u128::MAX) {
        return U256::ZERO;
    }
    (premium * wad() * U256::from(YEAR)).div_ceil(whole)
}

fn wad() -> U256 {
    U256::from(breakwater_primitives::WAD)
}
