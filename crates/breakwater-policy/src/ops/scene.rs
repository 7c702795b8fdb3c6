//! A small market to play in: two gauges, a trigger, seven products, three pools.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256, address, keccak256};
use breakwater_primitives::{Block, Bps, DAY, Time, WAD, Wad};

use super::{Clock, Op};
use crate::context::Context;
use crate::incident::Rung;
use crate::refusal::Refusal;
use crate::terms::{Form, GAUGE_RUNGS, GaugeInfo, Kind, PoolConfig, Product};
use crate::world::{Deployment, World};

/// The curator of all sample pools.
pub const CURATOR: Address = address!("0x00000000000000000000000000000000000000c1");
/// The asset of all sample pools.
const ASSET: Address = address!("0x00000000000000000000000000000000000000a5");
/// Who speaks for each rung of sample incidents: proof, canary, quorum, assembly.
pub const RUNGS: [(Address, Rung); 4] = [
    (address!("0x00000000000000000000000000000000000000f1"), Rung::Proof),
    (address!("0x00000000000000000000000000000000000000f2"), Rung::Canary),
    (address!("0x00000000000000000000000000000000000000f3"), Rung::Quorum),
    (address!("0x00000000000000000000000000000000000000f4"), Rung::Assembly),
];
/// Who may send a great payout of the sample market to the assembly.
pub const GUARDIAN: Address = address!("0x00000000000000000000000000000000000000c2");
/// Bits of the rungs of the sample trigger.
const QUORUM: u8 = 8;
/// One unit of the asset, six decimals.
const UNIT: u128 = 1_000_000;

/// Addresses of a market; a test against contracts puts in what it deployed.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Contracts, dwell and claim window.
    pub deployment: Deployment,
    /// Each pool with its tranches and config.
    pub pools: Vec<(Address, [Address; 3], PoolConfig)>,
    /// Gauges by id.
    pub gauges: Vec<(B256, GaugeInfo)>,
    /// Products by id.
    pub products: Vec<(B256, Product)>,
    /// Accounts that buy, hold, invest and settle; the curator is none of them.
    pub users: Vec<Address>,
    /// Where everything begins.
    pub clock: Clock,
}

impl Scene {
    /// The sample market, with made-up addresses and ids.
    pub fn sample() -> Self {
        let users: Vec<Address> = (1..=8u8).map(Address::with_last_byte).collect();
        let gauges: Vec<_> =
            sample_gauges().into_iter().enumerate().map(|(i, info)| (id("gauge", i), info)).collect();
        let ids: Vec<B256> = gauges.iter().map(|(id, _)| *id).collect();
        let products = sample_products(&ids, ASSET, users[0]);
        let pools = sample_configs(ASSET, CURATOR).into_iter().enumerate().map(|(i, config)| {
            let at = |part: u8| Address::from_slice(&[[0; 18].as_slice(), &[0xb0 + i as u8, part]].concat());
            (at(0), [at(1), at(2), at(3)], config)
        });
        Self {
            deployment: Deployment {
                catalog: address!("0x00000000000000000000000000000000000000d1"),
                incidents: address!("0x00000000000000000000000000000000000000d2"),
                policies: address!("0x00000000000000000000000000000000000000d3"),
                dwell: 32,
                quorum_window: 60,
                assembly_window: 150,
                guardian_delay: 20,
                heavy_bps: 1_500,
                claim_window: 14 * DAY,
                rungs: BTreeMap::from(RUNGS),
            },
            pools: pools.collect(),
            products: products.into_iter().enumerate().map(|(i, terms)| (id("product", i), terms)).collect(),
            gauges,
            users,
            clock: Clock { time: Time(20_000 * DAY + 7), block: Block(20_000_000) },
        }
    }

    /// The market before anybody has done anything, with money in the users' hands.
    ///
    /// # Errors
    /// What a listing is refused for.
    pub fn world(&self) -> Result<World, Refusal> {
        let mut world = World::new(self.deployment.clone());
        for op in self.listings() {
            op(
                &mut world,
                Context { time: self.clock.time, block: self.clock.block, caller: Address::ZERO },
            )?;
        }
        Ok(world)
    }

    /// Deposits, locks and caps that bring the pools to life; each must succeed in its turn.
    pub fn opening(&self) -> Vec<Op> {
        let mut ops = vec![Op::SetGuardian { guardian: GUARDIAN }];
        if let Some((_, _, config)) = self.pools.first() {
            let (asset, ceiling) = (config.asset, 300_000 * UNIT);
            ops.extend([Rung::Canary, Rung::Quorum].map(|rung| Op::SetCeiling { rung, asset, ceiling }));
        }
        for (i, (pool, _, config)) in self.pools.iter().enumerate() {
            // The last pool is thin: its caps exceed its capital several times.
            let parts = if i + 1 == self.pools.len() { 200 } else { 4 };
            for (layer, amount) in [(1, 400_000), (2, 600_000), (3, 2_000_000)] {
                for user in &self.users {
                    ops.push(deposit(*user, *pool, layer, amount * UNIT / parts));
                }
            }
            ops.push(deposit(config.curator, *pool, 1, 500_000 * UNIT));
        }
        let epoch = self.pools.iter().map(|(_, _, config)| config.epoch).max().unwrap_or(DAY);
        ops.push(Op::Pass { seconds: epoch, blocks: epoch / 12 });
        for (pool, _, config) in &self.pools {
            let request_id = self.clock.time.epoch(config.epoch);
            for layer in 1..=3 {
                for user in &self.users {
                    ops.push(claim(*user, *pool, layer, request_id));
                }
            }
            ops.push(claim(config.curator, *pool, 1, request_id));
            let shares = U256::from(440_000 * UNIT) * U256::from(1_000_000);
            ops.push(Op::Lock { caller: config.curator, pool: *pool, shares });
            for (product, _) in &self.products {
                let (cap, floor_rate) = (600_000 * UNIT, Wad::new(WAD / 50));
                ops.push(Op::SetProduct {
                    caller: config.curator,
                    pool: *pool,
                    product: *product,
                    cap,
                    floor_rate,
                });
            }
        }
        let wait = self.pools.iter().map(|(_, _, config)| config.cooldown + 2 * config.epoch).max();
        let seconds = wait.unwrap_or(DAY);
        ops.push(Op::Pass { seconds, blocks: seconds / 12 });
        ops
    }

    #[allow(clippy::type_complexity, reason = "a list of steps, each run once")]
    fn listings(&self) -> Vec<Box<dyn FnOnce(&mut World, Context) -> Result<(), Refusal>>> {
        let mut steps: Vec<Box<dyn FnOnce(&mut World, Context) -> Result<(), Refusal>>> = Vec::new();
        for (gauge, info) in self.gauges.clone() {
            steps.push(Box::new(move |world, at| world.list_gauge(at, gauge, info).map(|_| ())));
        }
        for (product, terms) in self.products.clone() {
            steps.push(Box::new(move |world, at| world.list_product(at, product, terms).map(|_| ())));
        }
        let mut accounts = self.users.clone();
        for (pool, tranches, config) in self.pools.clone() {
            accounts.push(config.curator);
            let asset = config.asset;
            for account in accounts.clone() {
                let amount = U256::from(1_000_000_000 * UNIT);
                steps.push(Box::new(move |world, _| world.ledger.mint(asset, account, amount)));
            }
            steps
                .push(Box::new(move |world, at| world.register_pool(at, pool, tranches, config).map(|_| ())));
        }
        steps
    }
}

/// Two gauges, a vault and a bank, and what reporters alone may tell of the vault's positions.
pub fn sample_gauges() -> Vec<GaugeInfo> {
    let mut gauges = two_gauges();
    let reported = GaugeInfo { rungs: QUORUM, trigger: true, ..gauges[0].clone() };
    gauges.push(reported);
    gauges
}

fn two_gauges() -> Vec<GaugeInfo> {
    [(Form::Ratio, WAD / 20), (Form::Par, WAD / 10)]
        .into_iter()
        .enumerate()
        .map(|(i, (form, threshold))| GaugeInfo {
            subject: id("subject", i),
            asset: Address::ZERO,
            threshold: Wad::new(threshold),
            listed_at: Time(1),
            account: Address::with_last_byte(0xe0 + i as u8),
            form,
            rungs: GAUGE_RUNGS,
            trigger: false,
            placed: true,
        })
        .collect()
}

/// Three products of the first gauge and two of the second: plain, instant, with an event limit, for a registrant; and
/// two of a trigger, if there is one.
pub fn sample_products(gauges: &[B256], asset: Address, registrant: Address) -> Vec<Product> {
    let plain = Product {
        gauge: gauges[0],
        kind: Kind::Position,
        asset,
        registrant: Address::ZERO,
        unit_num: 1,
        unit_den: 1,
        min_sum: 10 * UNIT,
        event_limit: 0,
        deductible: Bps::new(500),
        loss_cap: Bps::ONE,
        bounty: Bps::new(100),
        instant: false,
        waiting_period: 3 * DAY,
        report_window: 7 * DAY,
        min_term: 7 * DAY,
        max_term: 300 * DAY,
    };
    let instant = Product { instant: true, deductible: Bps::new(0), bounty: Bps::new(200), ..plain.clone() };
    let limited = Product {
        event_limit: 50_000 * UNIT,
        waiting_period: 1,
        report_window: 0,
        unit_num: 3,
        unit_den: 2_000,
        ..plain.clone()
    };
    let bank = Product {
        gauge: gauges[1],
        deductible: Bps::new(2_000),
        loss_cap: Bps::new(9_500),
        instant: true,
        report_window: 30 * DAY,
        ..plain.clone()
    };
    let protocol = Product {
        kind: Kind::Protocol,
        registrant,
        gauge: gauges[1],
        loss_cap: Bps::new(9_000),
        bounty: Bps::new(0),
        ..plain.clone()
    };
    let Some(trigger) = gauges.get(2).copied() else {
        return vec![plain, instant, limited, bank, protocol];
    };
    let reported = Product { gauge: trigger, waiting_period: DAY, instant: true, ..plain.clone() };
    let custom = Product { kind: Kind::Custom, gauge: trigger, waiting_period: 60, ..plain.clone() };
    vec![plain, instant, limited, bank, protocol, reported, custom]
}

/// Three pools: a plain one, a highly levered one, and one that a single incident can empty.
pub fn sample_configs(asset: Address, curator: Address) -> Vec<PoolConfig> {
    let plain = PoolConfig {
        asset,
        curator,
        epoch: 7 * DAY,
        cooldown: 14 * DAY,
        leverage: Bps::new(20_000),
        curator_share: Bps::new(500),
        subordination: Bps::new(2_000),
        surplus: Bps::new(1_000),
        weights: [Bps::new(5_000), Bps::new(3_000), Bps::new(2_000)],
        cost_of_capital: Wad::new(WAD / 20),
        kink: Wad::new(WAD / 10 * 7),
        scarcity_kink: Wad::new(WAD / 10 * 15),
        scarcity_full: Wad::new(WAD * 4),
        surge_slope: Wad::new(WAD * 2),
        surge_max: Wad::new(WAD * 3),
        surge_half_life: 3 * DAY,
    };
    let levered = PoolConfig {
        epoch: DAY,
        cooldown: 3 * DAY + 100,
        leverage: Bps::new(80_000),
        subordination: Bps::new(0),
        surplus: Bps::new(0),
        ..plain.clone()
    };
    let fragile = PoolConfig {
        epoch: 2 * DAY,
        cooldown: 2 * DAY,
        leverage: Bps::new(100_000),
        curator_share: Bps::new(1_000),
        ..plain.clone()
    };
    vec![plain, levered, fragile]
}

fn deposit(caller: Address, pool: Address, layer: usize, assets: u128) -> Op {
    Op::RequestDeposit { caller, pool, layer, assets, controller: caller }
}

fn claim(controller: Address, pool: Address, layer: usize, request_id: u64) -> Op {
    Op::ClaimDeposit { caller: controller, pool, layer, request_id, controller }
}

fn id(kind: &str, number: usize) -> B256 {
    keccak256(format!("{kind} {number}"))
}
