//! One history: what is to be done when, and the keepers who do it.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use breakwater_policy::{
    Context, Effects, Event, Log, Refusal, World,
    incident::{Measurement, Rung},
    pool::Pool,
};
use breakwater_primitives::{BPS, Block, DAY, MathError, Time, WAD, mul_div_ceil};

use super::{
    buyers::Buyer,
    outcome::{Outcome, Tally},
    stage::{ASSET, BLOCK, CURATOR, EPOCH, KEEPER, POOL, RUNG, SET, Setting, gauge_info, tranche_accounts},
    underwriters::Underwriter,
};
use crate::{fault::Fault, rng::Stream, timeline::Year};

/// Seconds after an attack at which a keeper opens its incident.
const NOTICE: u64 = 600;
/// Seconds after midnight at which keepers begin an epoch.
const EPOCH_CALL: u64 = 3_600;

/// What somebody is to do.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// A buyer looks whether to cover himself again.
    Renew { buyer: usize },
    /// A keeper opens an incident: the place of the product, the share lost after deductible, the onset.
    Strike { product: usize, share: f64, onset: u64 },
    /// A keeper ends its dwell and settles these policies.
    Settle { product: usize, incident: u64, policies: Vec<(u64, usize)> },
    /// A keeper closes its booking.
    Close { incident: u64, policies: Vec<u64> },
    /// Keepers process the epoch, and underwriters look around.
    Epoch,
}

/// What of a pool an epoch changed, units.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Past {
    pub(super) earned: u128,
    pub(super) lost: u128,
    pub(super) capital: u128,
}

/// A history under way.
#[derive(Clone, Debug)]
pub(super) struct Path<'a> {
    pub(super) setting: &'a Setting,
    pub(super) world: World,
    pub(super) now: u64,
    /// When the first day begins.
    pub(super) start: u64,
    pub(super) end: u64,
    queue: BTreeMap<(u64, u64), Act>,
    serial: u64,
    pub(super) stream: Option<Stream>,
    /// By year, what values are multiplied by.
    pub(super) values: Vec<f64>,
    pub(super) buyers: Vec<Buyer>,
    pub(super) underwriters: Vec<Underwriter>,
    /// By product: policies that may still be touched, and whose they are.
    pub(super) live: Vec<Vec<(u64, usize)>>,
    /// By product: when its incident has dwelt, and the last block that it read.
    busy: Vec<(u64, u64)>,
    /// Incidents for which somebody got less than he was due, and who.
    short: Vec<(u64, Vec<u64>)>,
    pub(super) epoch: Past,
    pub(super) past: Vec<Past>,
    pub(super) rise: f64,
    /// Of the asset, ever minted.
    pub(super) minted: U256,
    pub(super) holders: Vec<Address>,
    pub(super) tally: Tally,
}

impl<'a> Path<'a> {
    /// The first midnight of a history in this state of the market: capital is in, cover is in force.
    pub(super) fn open(setting: &'a Setting, regime: usize) -> Result<Self, Fault> {
        let products = setting.listed.len();
        let mut path = Self {
            setting,
            world: World::new(setting.deployment.clone()),
            now: SET,
            start: 0,
            end: u64::MAX,
            queue: BTreeMap::new(),
            serial: 0,
            stream: None,
            values: vec![setting.regimes[regime].0],
            buyers: vec![],
            underwriters: vec![],
            live: vec![vec![]; products],
            busy: vec![(0, 0); products],
            short: vec![],
            epoch: Past::default(),
            past: vec![],
            rise: 1.0,
            minted: U256::ZERO,
            holders: vec![POOL, CURATOR, KEEPER, RUNG],
            tally: Tally::default(),
        };
        path.set_up(setting.regimes[regime].1).map_err(|refusal| Fault::new("pool", refusal.to_string()))?;
        Ok(path)
    }

    fn set_up(&mut self, capital: f64) -> Result<(), Refusal> {
        let setting = self.setting;
        for (place, listed) in setting.listed.iter().enumerate() {
            self.act("list", KEEPER, |world, at| world.list_gauge(at, listed.gauge, gauge_info(place)))?;
            self.act("list", KEEPER, |world, at| world.list_product(at, listed.id, listed.terms.clone()))?;
        }
        self.act("register", KEEPER, |world, at| {
            world.register_pool(at, POOL, tranche_accounts(), setting.config.clone())
        })?;
        self.seat(capital)?;
        let wait = setting.config.cooldown + 2 * setting.config.epoch;
        for listed in &setting.listed {
            let rate = breakwater_primitives::Wad::new(listed.floor_rate);
            self.act("set product", CURATOR, |world, at| {
                world.set_product(at, POOL, listed.id, listed.cap, rate)
            })?;
        }
        // The first cover begins at an epoch, after the longest waiting period.
        let waiting = setting.listed.iter().map(|listed| listed.terms.waiting_period).max().unwrap_or(0);
        self.start = (self.now + wait + waiting).div_ceil(EPOCH) * EPOCH;
        self.sell_first_covers()?;
        self.now = self.start;
        self.act("accrue", KEEPER, |world, at| world.accrue(at, POOL))?;
        self.learn_prices();
        let capital = self.pool().capital()?;
        self.tally.start(capital);
        self.epoch = Past { capital, ..Past::default() };
        self.observe();
        self.later(self.start + EPOCH_CALL + EPOCH, Act::Epoch);
        Ok(())
    }

    /// Lives through the years; answers what became of everybody.
    pub(super) fn live(mut self, years: &[Year], stream: Stream, days: u32) -> Outcome {
        self.stream = Some(stream);
        self.end = self.start + u64::from(days) * DAY;
        self.values = years.iter().map(|year| self.setting.regimes[year.regime].0).collect();
        self.draw_tolerances();
        for (index, year) in years.iter().enumerate() {
            self.foresee(index, year);
        }
        while let Some(((time, _), act)) = self.queue.pop_first() {
            let tail = matches!(act, Act::Strike { .. } | Act::Settle { .. } | Act::Close { .. });
            if time > self.end && !tail {
                continue;
            }
            self.now = time;
            match act {
                Act::Renew { buyer } => self.renew(buyer),
                Act::Strike { product, share, onset } => self.strike(product, share, onset),
                Act::Settle { product, incident, policies } => self.settle(product, incident, policies),
                Act::Close { incident, policies } => self.close(incident, policies),
                Act::Epoch => self.next_epoch(),
            }
        }
        self.now = self.now.max(self.end);
        self.finish()
    }

    /// Puts a year's attacks on the pool's products into the queue.
    fn foresee(&mut self, index: usize, year: &Year) {
        let from = self.start + index as u64 * 365 * DAY;
        for event in &year.events {
            let onset = from + libm::floor(event.time * (365 * DAY) as f64) as u64;
            if onset >= self.end {
                continue;
            }
            for hit in &year.hits[event.hits()] {
                let Some(product) = self.setting.places[hit.product as usize] else { continue };
                if hit.amount <= 0.0 {
                    continue;
                }
                self.tally.modelled += hit.amount;
                let whole = self.setting.listed[product].exposure * self.values[index];
                let share = if whole > 0.0 { (hit.amount / whole).min(1.0) } else { 0.0 };
                self.later(onset + NOTICE, Act::Strike { product, share, onset });
            }
        }
    }

    pub(super) fn later(&mut self, time: u64, act: Act) {
        self.serial += 1;
        self.queue.insert((time, self.serial), act);
    }

    /// One operation of the twin; what it is refused for is counted.
    pub(super) fn act<T>(
        &mut self,
        operation: &'static str,
        caller: Address,
        act: impl FnOnce(&mut World, Context) -> Result<Effects<T>, Refusal>,
    ) -> Result<T, Refusal> {
        let at = Context { time: Time(self.now), block: Block(self.now / BLOCK), caller };
        match act(&mut self.world, at) {
            Ok(effects) => {
                self.watch(&effects.logs);
                Ok(effects.value)
            }
            Err(refusal) => {
                self.tally.refused(operation, &refusal);
                Err(refusal)
            }
        }
    }

    /// What an operation told of itself.
    fn watch(&mut self, logs: &[Log]) {
        let mut left = 0;
        for log in logs {
            match &log.event {
                Event::Sold { premium, .. } => self.tally.premium += *premium,
                Event::Accrued { earned, .. } => self.epoch.earned += earned,
                Event::Charged { amount, .. } => self.epoch.lost += amount,
                Event::RedemptionsProcessed { assets, .. } => left += assets,
                Event::PoolClosed { time } => self.tally.closed_at = Some(time.0),
                Event::Skipped { reason, .. } => self.tally.refused("settle", reason),
                _ => {}
            }
        }
        if left > 0 {
            self.tally.left += left;
            let pool = self.pool();
            let carried = pool.capital().map(|c| U256::from(c) * pool.config.leverage.wide());
            let stripped = carried.map_or(true, |c| c < U256::from(pool.exposure) * U256::from(BPS));
            self.tally.stripped += u32::from(stripped);
        }
    }

    pub(super) fn pool(&self) -> &Pool {
        // The pool was registered when the stage was set, and nothing removes one.
        &self.world.pools[&POOL]
    }

    /// Gives an account money to spend and remembers that it exists.
    pub(super) fn endow(&mut self, account: Address, amount: u128) -> Result<(), Refusal> {
        if !self.holders.contains(&account) {
            self.holders.push(account);
        }
        self.minted += U256::from(amount);
        self.world.ledger.mint(ASSET, account, U256::from(amount))
    }

    fn strike(&mut self, product: usize, share: f64, onset: u64) {
        let (free, read) = self.busy[product];
        if self.now <= free {
            // One incident of a gauge dwells at a time; the next is opened when it has.
            return self.later(free + BLOCK, Act::Strike { product, share, onset });
        }
        // Two attacks within two blocks are told one after the other: no block counts in two incidents.
        let first = (onset / BLOCK).max(read);
        let (onset_time, after_time) = (Time(first * BLOCK), Time((first + 1) * BLOCK));
        let listed = &self.setting.listed[product];
        let window = listed.terms.report_window;
        let (world, now) = (&self.world, Time(self.now));
        let policy = |id: u64| world.policies.get(id).map(|holding| holding.policy);
        let mut live = std::mem::take(&mut self.live[product]);
        live.retain(|&(id, _)| policy(id).is_some_and(|p| now <= p.expiry.plus(window)));
        let touched: Vec<(u64, usize)> = live
            .iter()
            .copied()
            .filter(|&(id, _)| {
                policy(id).is_some_and(|p| p.inception <= onset_time && after_time <= p.expiry)
            })
            .collect();
        let mut worth: BTreeMap<Address, u128> = BTreeMap::new();
        for &(id, _) in &touched {
            if let Some(p) = policy(id) {
                *worth.entry(p.position).or_default() += p.sum;
            }
        }
        self.live[product] = live;
        if touched.is_empty() {
            return;
        }
        let fraction = loss_fraction(share, listed.terms.deductible.get());
        let base = listed.base.max(worth.values().sum());
        let loss = part(base, fraction);
        let (gauge, reading) = (listed.gauge, Block(first + 2));
        let measured = Measurement {
            onset: Block(first),
            reading,
            onset_time,
            after_time,
            base,
            loss,
            evidence: B256::ZERO,
        };
        let opened = self.act("open", RUNG, |world, at| world.open(at, gauge, Rung::Proof, KEEPER, measured));
        let Ok(incident) = opened else { return };
        self.tally.incidents += 1;
        self.tally.first_onset.get_or_insert(onset);
        for (account, value) in worth {
            self.tally.lost += part(value, fraction);
            let _ = self.act("record position", RUNG, |world, at| {
                world.record_position(at, incident, account, value, value)
            });
        }
        let dwell_end = self.world.incidents.get(incident).map_or(0, |found| found.dwell_end.0);
        let over = (dwell_end + 1) * BLOCK;
        self.busy[product] = (over, first + 2);
        self.later(over, Act::Settle { product, incident, policies: touched });
    }

    fn settle(&mut self, product: usize, incident: u64, policies: Vec<(u64, usize)>) {
        let ids: Vec<u64> = policies.iter().map(|policy| policy.0).collect();
        if self.act("settle", KEEPER, |world, at| world.settle_batch(at, &ids, incident)).is_err() {
            return;
        }
        if self.setting.conduct.restore && self.now < self.end {
            for (id, buyer) in policies {
                let settlement =
                    self.world.policies.get(id).and_then(|h| h.settlements.get(&incident)).copied();
                self.restore(product, buyer, settlement.unwrap_or_default().paid);
            }
        }
        let claims_end = self.world.incidents.get(incident).map_or(0, |found| found.claims_end.0);
        self.later(claims_end + BLOCK, Act::Close { incident, policies: ids });
    }

    fn close(&mut self, incident: u64, policies: Vec<u64>) {
        let _ = self.act("close", KEEPER, |world, at| world.close_booking(at, POOL, incident));
        self.short.push((incident, policies));
        // Whoever got less than he was due gets more once all is counted, and when another booking fills his.
        for (incident, mut policies) in std::mem::take(&mut self.short) {
            let more = self.pool().bookings.get(&incident).is_some_and(|b| b.cash() > b.paid);
            policies.retain(|id| self.is_short(*id, incident));
            if more && !policies.is_empty() {
                let _ = self.act("settle", KEEPER, |world, at| world.settle_batch(at, &policies, incident));
                policies.retain(|id| self.is_short(*id, incident));
            }
            if !policies.is_empty() {
                self.short.push((incident, policies));
            }
        }
    }

    /// Whether a policy was paid less than it was due for an incident.
    fn is_short(&self, id: u64, incident: u64) -> bool {
        let settlement = self.world.policies.get(id).and_then(|h| h.settlements.get(&incident));
        settlement.is_some_and(|s| s.paid < s.due)
    }

    fn next_epoch(&mut self) {
        let _ = self.act("accrue", KEEPER, |world, at| world.accrue(at, POOL));
        self.claim_all();
        let capital = self.pool().capital().unwrap_or_default();
        self.past.push(Past { capital: self.epoch.capital, ..self.epoch });
        self.decide();
        if self.past.len().is_multiple_of(4) {
            self.reprice();
        }
        self.epoch = Past { capital, ..Past::default() };
        self.observe();
        self.call_again();
    }
}

/// λ, wad, for which the contracts owe `share` of a sum beyond a deductible in bps; rounded up.
fn loss_fraction(share: f64, deductible: u32) -> u64 {
    let kept = u64::from(deductible) * (WAD / BPS);
    // A share of one times 1e18 fits in 64 bits.
    let share = (libm::ceil(share * WAD as f64) as u64).min(WAD);
    let rest = u128::from(WAD - kept) * u128::from(share);
    // At most 1e18, because the rest is at most what is not kept.
    kept + u64::try_from(rest.div_ceil(u128::from(WAD))).unwrap_or(WAD)
}

/// A wad's part of an amount, rounded up.
fn part(amount: u128, fraction: u64) -> u128 {
    let part: Result<U256, MathError> =
        mul_div_ceil(U256::from(amount), U256::from(fraction), U256::from(WAD));
    // A part of an amount is at most the amount.
    part.ok().and_then(|part| u128::try_from(part).ok()).unwrap_or(amount).min(amount)
}
