//! A stage with round numbers: one gauge, two products, one pool of 1,000 junior, 1,000 mezzanine, 2,000 senior.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use breakwater_primitives::{Block, Bps, DAY, Time, WAD, Wad};

use crate::booking::Booking;
use crate::context::{Context, Effects};
use crate::events::Event;
use crate::incident::{Measurement, Rung};
use crate::ops::{sample_configs, sample_gauges, sample_products};
use crate::policies::Purchase;
use crate::pool::Pool;
use crate::refusal::Refusal;
use crate::terms::{PoolConfig, Product};
use crate::world::{Deployment, World};

pub(super) const ASSET: Address = Address::with_last_byte(0xa5);
pub(super) const CURATOR: Address = Address::with_last_byte(0xc1);
pub(super) const RUNG: Address = Address::with_last_byte(0xf1);
pub(super) const POOL: Address = Address::with_last_byte(0xb0);
pub(super) const ALICE: Address = Address::with_last_byte(1);
pub(super) const BOB: Address = Address::with_last_byte(2);
pub(super) const CAROL: Address = Address::with_last_byte(3);
pub(super) const KEEPER: Address = Address::with_last_byte(9);
pub(super) const GAUGE: B256 = B256::with_last_byte(0x61);
/// No deductible, no bounty, no limit, paid after the dwell.
pub(super) const PLAIN: B256 = B256::with_last_byte(0x71);
/// The same, paid in the dwell.
pub(super) const INSTANT: B256 = B256::with_last_byte(0x72);
/// Deposits of the stage: the curator's junior, and mezzanine and senior of Carol.
const DEPOSITS: [(Address, usize, u128); 3] = [(CURATOR, 1, 1_000), (CAROL, 2, 1_000), (CAROL, 3, 2_000)];
/// Floor rate of both products: with the least cost of capital, at no leverage, four per cent a year.
pub(super) const RATE: u64 = WAD / 25 - WAD / 1_000;
/// One unit in which the stage counts.
pub(super) const K: u128 = 1_000_000;

pub(super) struct Stage {
    pub(super) world: World,
    pub(super) time: Time,
    pub(super) block: Block,
}

impl Stage {
    /// The stage with everyone seated; one epoch is a day.
    pub(super) fn set() -> Self {
        Self::with(|_| {}, |_| {})
    }

    /// The same with another config or other products.
    pub(super) fn with(config: impl Fn(&mut PoolConfig), product: impl Fn(&mut Product)) -> Self {
        let mut stage = Self::empty(config, product);
        for (owner, layer, assets) in DEPOSITS {
            stage.deposit(owner, layer, assets * K);
        }
        let epoch = stage.pool().config.epoch;
        let request = stage.time.epoch(epoch);
        stage.pass(epoch);
        for (owner, layer, _) in DEPOSITS {
            stage.act(owner).claim_deposit(layer, request).expect("processed");
        }
        let shares = stage.pool().tranche(1).balance(CURATOR);
        stage.act(CURATOR).lock(shares / U256::from(2)).expect("it is his");
        for product in [PLAIN, INSTANT] {
            stage.act(CURATOR).cap(product, 10_000 * K).expect("the lock is enough");
        }
        stage.pass(10 * DAY);
        stage
    }

    /// A pool without capital.
    pub(super) fn empty(config: impl Fn(&mut PoolConfig), product: impl Fn(&mut Product)) -> Self {
        let terms = Deployment {
            catalog: Address::with_last_byte(0xd1),
            incidents: Address::with_last_byte(0xd2),
            policies: Address::with_last_byte(0xd3),
            treaties: Address::with_last_byte(0xd4),
            underwriting: Address::with_last_byte(0xd5),
            dwell: 32,
            quorum_window: 60,
            assembly_window: 150,
            guardian_delay: 20,
            heavy_bps: u16::MAX,
            claim_window: 14 * DAY,
            rungs: BTreeMap::from([(RUNG, Rung::Proof)]),
        };
        let mut stage =
            Self { world: World::new(terms), time: Time(20_000 * DAY + 100), block: Block(1_000_000) };
        let at = stage.context(ALICE);
        stage.world.list_gauge(at, GAUGE, sample_gauges().remove(0)).expect("listed once");
        for (id, instant) in [(PLAIN, false), (INSTANT, true)] {
            let mut terms = sample_products(&[GAUGE, GAUGE], ASSET, ALICE).remove(0);
            (terms.deductible, terms.bounty, terms.instant) = (Bps::new(0), Bps::new(0), instant);
            terms.min_sum = 1;
            product(&mut terms);
            stage.world.list_product(at, id, terms).expect("in range");
        }
        let mut terms = sample_configs(ASSET, CURATOR).remove(0);
        (terms.epoch, terms.cooldown, terms.surplus) = (DAY, DAY, Bps::new(0));
        (terms.leverage, terms.subordination) = (Bps::new(10_000), Bps::new(0));
        (terms.curator_share, terms.cost_of_capital) = (Bps::new(100), Wad::new(WAD / 1_000));
        config(&mut terms);
        let tranches = [0xb1, 0xb2, 0xb3].map(Address::with_last_byte);
        stage.world.register_pool(at, POOL, tranches, terms).expect("in range");
        for account in [ALICE, BOB, CAROL, KEEPER, CURATOR] {
            stage.world.ledger.mint(ASSET, account, U256::from(1_000_000 * K)).expect("fits");
        }
        stage
    }

    pub(super) fn context(&self, caller: Address) -> Context {
        Context { time: self.time, block: self.block, caller }
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.time = self.time.plus(seconds);
        self.block = self.block.plus(seconds.div_ceil(12));
    }

    pub(super) fn pool(&self) -> &Pool {
        self.world.pools.get(&POOL).expect("registered")
    }

    pub(super) fn booking(&self, incident: u64) -> &Booking {
        self.pool().bookings.get(&incident).expect("booked")
    }

    pub(super) fn balance(&self, account: Address) -> u128 {
        u128::try_from(self.world.ledger.balance(ASSET, account)).expect("small")
    }

    pub(super) fn act(&mut self, caller: Address) -> Act<'_> {
        let at = self.context(caller);
        Act { world: &mut self.world, at }
    }

    pub(super) fn deposit(&mut self, owner: Address, layer: usize, assets: u128) {
        let at = self.context(owner);
        self.world.request_deposit(at, POOL, layer, assets, owner, owner).expect("open");
    }

    /// Buys a policy for `days` from its inception on, rounded up to midnight.
    pub(super) fn buy(&mut self, owner: Address, product: B256, sum: u128, days: u64) -> u64 {
        self.try_buy(owner, product, sum, days).expect("room").value
    }

    pub(super) fn try_buy(
        &mut self,
        owner: Address,
        product: B256,
        sum: u128,
        days: u64,
    ) -> Result<Effects<u64>, Refusal> {
        let waiting = self.world.products.get(&product).map_or(0, |terms| terms.waiting_period);
        let expiry = Time((self.time.0 + waiting + days * DAY).div_ceil(DAY) * DAY);
        let purchase = Purchase {
            product,
            pool: POOL,
            position: owner,
            sum,
            expiry,
            max_premium: U256::MAX,
            deadline: self.time,
            to: owner,
            consented: false,
            distributor: Address::ZERO,
            fee: Bps::new(0),
        };
        let at = self.context(owner);
        self.world.buy(at, purchase)
    }

    /// A measurement of `permille` of a base of 1,000,000 K, with its onset `back` blocks ago.
    pub(super) fn measured(&self, back: u64, permille: u128) -> Measurement {
        let onset = Block(self.block.0 - back);
        let onset_time = Time(self.time.0 - 12 * back);
        Measurement {
            onset,
            reading: Block(self.block.0 - 1),
            onset_time,
            after_time: onset_time.plus(12),
            base: 1_000_000 * K,
            loss: 1_000 * K * permille,
            evidence: B256::ZERO,
        }
    }

    pub(super) fn open(&mut self, permille: u128) -> u64 {
        let measured = self.measured(3, permille);
        let at = self.context(RUNG);
        self.world.open(at, GAUGE, Rung::Proof, KEEPER, measured).expect("a loss").value
    }

    /// Another loss by the same onset, read one block ago.
    pub(super) fn revise(&mut self, id: u64, permille: u128) -> Result<Effects, Refusal> {
        let incident = self.world.incidents.get(id).expect("opened");
        let measured =
            Measurement { reading: Block(self.block.0 - 1), loss: 1_000 * K * permille, ..incident.measured };
        let at = self.context(RUNG);
        self.world.revise(at, id, measured)
    }

    /// Records that `account` lost `lost`, out of a position big enough.
    pub(super) fn lost(&mut self, id: u64, account: Address, lost: u128) {
        let at = self.context(RUNG);
        self.world.record_position(at, id, account, lost, 1_000_000 * K).expect("open");
    }

    /// Lets the dwell end and finalises.
    pub(super) fn finalise(&mut self, id: u64) {
        let end = self.world.incidents.get(id).expect("opened").dwell_end;
        self.pass((end.0 + 1 - self.block.0) * 12);
        let at = self.context(KEEPER);
        self.world.finalise(at, id).expect("over");
    }

    pub(super) fn settle(&mut self, id: u64, incident: u64) -> Result<u128, Refusal> {
        let at = self.context(KEEPER);
        self.world.settle(at, id, incident).map(|effects| effects.value)
    }

    /// Lets the claims end and closes the booking.
    pub(super) fn close(&mut self, incident: u64) {
        let end = self.world.incidents.get(incident).expect("opened").claims_end;
        self.pass(end.since(self.time) + 1);
        let at = self.context(KEEPER);
        self.world.close_booking(at, POOL, incident).expect("over");
    }
}

/// Calls of one account into the stage's pool.
pub(super) struct Act<'s> {
    world: &'s mut World,
    at: Context,
}

impl Act<'_> {
    pub(super) fn claim_deposit(self, layer: usize, request: u64) -> Result<U256, Refusal> {
        self.world.claim_deposit(self.at, POOL, layer, request, self.at.caller).map(|effects| effects.value)
    }

    pub(super) fn redeem(self, layer: usize, shares: U256) -> Result<u64, Refusal> {
        let caller = self.at.caller;
        self.world.request_redeem(self.at, POOL, layer, shares, caller, caller).map(|effects| effects.value)
    }

    pub(super) fn claim_redeem(self, layer: usize, request: u64) -> Result<u128, Refusal> {
        self.world.claim_redeem(self.at, POOL, layer, request, self.at.caller).map(|effects| effects.value)
    }

    pub(super) fn recover(self, layer: usize, incident: u64) -> Result<U256, Refusal> {
        self.world.claim_recovery(self.at, POOL, layer, incident, self.at.caller).map(|effects| effects.value)
    }

    pub(super) fn recover_queued(self, layer: usize, incident: u64, request: u64) -> Result<U256, Refusal> {
        let caller = self.at.caller;
        self.world
            .claim_queued_recovery(self.at, POOL, layer, incident, request, caller)
            .map(|effects| effects.value)
    }

    pub(super) fn lock(self, shares: U256) -> Result<Effects, Refusal> {
        self.world.lock(self.at, POOL, shares)
    }

    pub(super) fn unlock(self, shares: U256) -> Result<Effects, Refusal> {
        self.world.unlock(self.at, POOL, shares)
    }

    pub(super) fn cap(self, product: B256, cap: u128) -> Result<Effects, Refusal> {
        self.world.set_product(self.at, POOL, product, cap, Wad::new(RATE))
    }

    pub(super) fn accrue(self) {
        self.world.accrue(self.at, POOL).expect("anyone may");
    }

    pub(super) fn cancel(self, id: u64) -> Result<u128, Refusal> {
        self.world.cancel(self.at, id).map(|effects| effects.value)
    }

    pub(super) fn lower(self, id: u64, sum: u128) -> Result<u128, Refusal> {
        self.world.lower(self.at, id, sum).map(|effects| effects.value)
    }
}

/// What an operation paid out in events, by account.
pub(super) fn paid_to(effects: &Effects<u128>, account: Address) -> u128 {
    let paid = effects.logs.iter().filter_map(|log| match log.event {
        Event::Paid { to, amount, .. } if to == account => Some(amount),
        _ => None,
    });
    paid.sum()
}
