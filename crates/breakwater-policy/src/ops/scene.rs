//! A small market to play in: two gauges, a trigger, seven products, four pools.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256, address, keccak256};
use breakwater_primitives::{Block, Bps, DAY, Time, WAD, Wad, YEAR};

use super::{Ceded, Clock, Op, Signed};
use crate::certificates::{Certificate, Posting, VALIDITY_MAX};
use crate::context::Context;
use crate::incident::Rung;
use crate::refusal::Refusal;
use crate::terms::{Form, GAUGE_RUNGS, GaugeInfo, Kind, PoolConfig, Product};
use crate::treaty::Terms;
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
/// How many treaties may be made in a run.
const TREATIES: usize = 48;
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
    /// Accounts of treaties, in the order in which the factory makes them.
    pub treaties: Vec<Address>,
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
                treaties: address!("0x00000000000000000000000000000000000000d4"),
                underwriting: address!("0x00000000000000000000000000000000000000d5"),
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
            treaties: (0..TREATIES as u8).map(|i| Address::left_padding_from(&[0x7e, i])).collect(),
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
        self.treaties_of_opening(epoch, seconds, &mut ops);
        self.certificates_of_opening(&mut ops);
        ops.push(Op::Pass { seconds, blocks: seconds / 12 });
        ops
    }

    /// Two treaties for the second pool: a quota share for a long time, which is short of collateral, and a
    /// layer over the year's losses that soon ends. They begin when the opening is over.
    fn treaties_of_opening(&self, passed: u64, wait: u64, ops: &mut Vec<Op>) {
        let start = self.clock.time.plus(passed + wait);
        let quota = Terms {
            aggregate: false,
            share: Bps::new(3_000),
            premium: Bps::new(2_500),
            attachment: 0,
            limit: u128::MAX,
            yearly_limit: u128::MAX,
            start,
            end: start.plus(2 * YEAR),
            notice: 30 * DAY,
        };
        let layer = Terms {
            aggregate: true,
            share: Bps::new(5_000),
            premium: Bps::new(1_000),
            attachment: 2_000 * UNIT,
            limit: 100_000 * UNIT,
            yearly_limit: 50_000 * UNIT,
            end: start.plus(40 * DAY),
            notice: 10 * DAY,
            ..quota
        };
        let mut next = self.treaties.iter().copied();
        for (cedant, _, config) in self.pools.iter().skip(1).take(1) {
            for terms in [quota, layer] {
                let Some(treaty) = next.next() else { return };
                let assets = if terms.aggregate { 20_000 * UNIT } else { 4_000 * UNIT };
                let ceded = |caller, ceded| Op::Ceded { caller, ceded };
                ops.push(ceded(config.curator, Ceded::MakeTreaty { treaty, cedant: *cedant, terms }));
                for user in self.users.iter().take(3) {
                    ops.push(ceded(*user, Ceded::DepositCollateral { treaty, assets }));
                }
                ops.push(ceded(config.curator, Ceded::AttachTreaty { pool: *cedant, treaty }));
            }
        }
    }

    /// Clusters of all products, and what the certified pools need to sell for a while. Limits wait two days, less
    /// than caps.
    fn certificates_of_opening(&self, ops: &mut Vec<Op>) {
        let cluster = |i: usize| B256::with_last_byte(1 + (i % 3) as u8);
        let signed = |signed| Op::Signed { caller: CURATOR, signed };
        let mut products: Vec<(B256, u128)> = Vec::new();
        for (i, (id, _)) in self.products.iter().enumerate() {
            ops.push(signed(Signed::SetCluster { id: *id, cluster: cluster(i) }));
            products.push((*id, 400_000 * UNIT));
        }
        products.sort_unstable();
        // The opening has let an epoch pass.
        let epoch = self.pools.iter().map(|(_, _, config)| config.epoch).max().unwrap_or(DAY);
        let now = self.clock.time.plus(epoch);
        let (valid_from, valid_until) = (now, now.plus(VALIDITY_MAX));
        let certified = self.pools.iter().filter(|(_, _, config)| config.certified);
        for (nonce, (pool, _, _)) in (1..).zip(certified) {
            let clusters = (0..3).map(|i| (cluster(i), 500_000 * UNIT)).collect();
            let (pool, products, leverage) = (*pool, products.clone(), 25_000);
            let certificate =
                Certificate { pool, leverage, products, clusters, nonce, valid_from, valid_until };
            ops.push(signed(Signed::Certify { certificate }));
        }
        for (i, (product, _)) in products.iter().enumerate() {
            let (product, nonce, floor_rate) = (*product, 1 + i as u64, WAD / 40);
            let posting = Posting { product, floor_rate, nonce, valid_from, valid_until };
            ops.push(signed(Signed::Post { posting }));
        }
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

/// Four pools: a plain one, a highly levered one, one under certificates, and one that a single incident can empty.
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
        curator_fee: Bps::new(0),
        certified: false,
    };
    let levered = PoolConfig {
        epoch: DAY,
        cooldown: 3 * DAY + 100,
        leverage: Bps::new(80_000),
        subordination: Bps::new(0),
        surplus: Bps::new(0),
        curator_fee: Bps::new(1_500),
        ..plain.clone()
    };
    let fragile = PoolConfig {
        epoch: 2 * DAY,
        cooldown: 2 * DAY,
        leverage: Bps::new(100_000),
        curator_share: Bps::new(1_000),
        curator_fee: Bps::new(333),
        ..plain.clone()
    };
    let certified = PoolConfig { certified: true, leverage: Bps::new(30_000), ..levered.clone() };
    vec![plain, levered, certified, fragile]
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
