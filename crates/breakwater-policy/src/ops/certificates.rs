//! Certificates, rates and clusters: operations and proposals.

use alloy_primitives::{Address, B256};
use breakwater_primitives::{DAY, Time, WAD};

use super::random::Dice;
use super::{Clock, Op, logs};
use crate::certificates::{Certificate, Posting, VALIDITY_MAX};
use crate::context::Context;
use crate::events::Log;
use crate::refusal::Refusal;
use crate::world::World;

/// What committees and governance say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant is the entry point of its name, with its arguments")]
pub enum Signed {
    SetCluster { id: B256, cluster: B256 },
    SetCredit { product: B256, bps: i64 },
    Certify { certificate: Certificate },
    Post { posting: Posting },
}

impl Signed {
    pub(super) fn apply(self, world: &mut World, at: Context) -> Result<Vec<Log>, Refusal> {
        match self {
            Self::SetCluster { id, cluster } => world.set_cluster(at, id, cluster).map(logs),
            Self::SetCredit { product, bps } => world.set_credit(at, product, bps).map(logs),
            Self::Certify { certificate } => world.certify(at, certificate).map(logs),
            Self::Post { posting } => world.post(at, posting).map(logs),
        }
    }
}

/// Proposes a certificate or a rate for the pools that need them, mostly before the last one is out of date.
pub(super) fn sign(dice: &mut Dice<'_>, world: &World, clock: Clock, caller: Address) -> Option<Op> {
    let products: Vec<B256> = world.products.keys().copied().collect();
    let signed = match dice.below(100) {
        0..=2 => {
            let (id, cluster) = (dice.pick(&products)?, B256::with_last_byte(1 + dice.below(3) as u8));
            Signed::SetCluster { id, cluster }
        }
        3..=9 => {
            let bps = i64::try_from(dice.below(4_300)).ok()? - 2_150;
            Signed::SetCredit { product: dice.pick(&products)?, bps }
        }
        10..=59 => Signed::Certify { certificate: certificate(dice, world, clock)? },
        _ => {
            let unposted: Vec<B256> = products
                .iter()
                .copied()
                .filter(|product| world.market.clusters.contains_key(product))
                .filter(|product| {
                    let start = world.market.rates.get(product).and_then(|rate| rate.start);
                    start.is_none_or(|start| start.plus(DAY) <= clock.time)
                })
                .collect();
            let product = if dice.chance(90) { dice.pick(&unposted)? } else { dice.pick(&products)? };
            let (valid_from, valid_until) = validity(dice, clock);
            let nonce = world.market.nonces[1] + 1;
            let floor_rate = dice.below(WAD / 8);
            Signed::Post { posting: Posting { product, floor_rate, nonce, valid_from, valid_until } }
        }
    };
    Some(Op::Signed { caller, signed })
}

fn validity(dice: &mut Dice<'_>, clock: Clock) -> (Time, Time) {
    let until = match dice.below(12) {
        0 => dice.below(2 * DAY),
        1 => VALIDITY_MAX + dice.below(2),
        _ => VALIDITY_MAX - dice.below(5 * DAY),
    };
    let from = if dice.chance(3) { clock.time.plus(1) } else { Time(clock.time.0 - dice.below(9)) };
    (from, clock.time.plus(until))
}

fn certificate(dice: &mut Dice<'_>, world: &World, clock: Clock) -> Option<Certificate> {
    let bound: Vec<Address> =
        world.pools.values().filter(|pool| pool.config.certified).map(|pool| pool.address).collect();
    let pools: Vec<Address> = world.pools.keys().copied().collect();
    let pool = if dice.chance(95) { dice.pick(&bound)? } else { dice.pick(&pools)? };
    let mut products: Vec<(B256, u128)> = Vec::new();
    for product in world.pools.get(&pool)?.products.keys() {
        if dice.chance(92) {
            products.push((*product, 60_000_000_000 + dice.wide_below(500_000_000_000)));
        }
    }
    let mut clusters: Vec<(B256, u128)> = Vec::new();
    for i in 1..=3 {
        if dice.chance(95) {
            clusters.push((B256::with_last_byte(i), 90_000_000_000 + dice.wide_below(600_000_000_000)));
        }
    }
    if dice.chance(2) {
        clusters.reverse();
    }
    let (valid_from, valid_until) = validity(dice, clock);
    let leverage = 4_000 + u32::try_from(dice.below(40_000)).ok()?;
    let leverage = if dice.chance(3) { 0 } else { leverage };
    let nonce = world.market.nonces[0] + if dice.chance(3) { 0 } else { 1 + dice.below(2) };
    Some(Certificate { pool, leverage, products, clusters, nonce, valid_from, valid_until })
}
