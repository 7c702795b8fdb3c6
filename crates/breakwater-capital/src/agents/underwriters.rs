//! Those whose capital stands behind the cover: how they come, what makes them leave, and what they got.

use alloy_primitives::{Address, U256};
use breakwater_policy::{Refusal, redeem::Cohort};
use breakwater_primitives::{BPS, Block, DAY, MathError, YEAR};

use super::{
    outcome::Point,
    path::{Act, Path},
    stage::{BLOCK, CURATOR, EPOCH, POOL, UNDERWRITERS, account},
};

/// Epochs over which those who follow the yield look at it.
const QUARTER: usize = 13;
/// Probability in each epoch with which an underwriter who has a reason of his kind acts on it.
const RESOLVE: f64 = 0.5;
/// Epochs between two deposits of newcomers.
const DEPOSIT_EPOCHS: usize = 4;

/// What moves an underwriter beside losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing.
    Patient,
    /// A yield below the one he wants.
    Chaser,
    /// Others in the queue, and capital that gets scarce.
    Runner,
}

/// One who underwrites.
#[derive(Clone, Debug)]
pub(super) struct Underwriter {
    pub(super) account: Address,
    /// 1 to 3.
    pub(super) layer: usize,
    kind: Kind,
    pub(super) put_in: u128,
    pub(super) got_out: u128,
    /// When he first asked to leave.
    pub(super) asked: Option<u64>,
    /// Cohorts of his that are not paid in full, and when he asked.
    requests: Vec<(u64, u64)>,
    /// All cohorts of his.
    pub(super) cohorts: Vec<u64>,
    /// Epochs of deposits that he has not claimed.
    deposits: Vec<u64>,
    /// He came when the run had begun.
    pub(super) newcomer: bool,
}

impl Underwriter {
    fn new(account: Address, layer: usize, kind: Kind, newcomer: bool) -> Self {
        Self {
            account,
            layer,
            kind,
            put_in: 0,
            got_out: 0,
            asked: None,
            requests: vec![],
            cohorts: vec![],
            deposits: vec![],
            newcomer,
        }
    }
}

impl Path<'_> {
    /// Everybody's capital goes in, and the curator locks his.
    pub(super) fn seat(&mut self, times: f64) -> Result<(), Refusal> {
        let setting = self.setting;
        let caps: u128 = setting.listed.iter().map(|listed| listed.cap).sum();
        // A twentieth more than must be locked, for the price of shares rounds.
        let lock = setting.config.curator_share.ceil_of(caps)?.saturating_mul(21).div_ceil(20);
        let curator = Underwriter::new(CURATOR, 1, Kind::Patient, false);
        self.underwriters.push(curator);
        self.deposit(0, lock)?;
        let conduct = &setting.conduct;
        let runners = libm::round(conduct.runners * UNDERWRITERS as f64) as usize;
        let chasers = libm::round(conduct.chasers * UNDERWRITERS as f64) as usize;
        for layer in 1..=3 {
            let mut left = setting.units(setting.layers[layer] * times);
            if layer == 1 {
                let needed = U256::from(lock);
                let balance = U256::from(left);
                left = left.checked_sub(lock).ok_or(Refusal::LockTooSmall { needed, value: balance })?;
            }
            for turn in 0..UNDERWRITERS {
                let part = left / (UNDERWRITERS - turn) as u128;
                left -= part;
                if part == 0 {
                    continue;
                }
                let kind = match turn {
                    turn if turn < runners => Kind::Runner,
                    turn if turn < runners + chasers => Kind::Chaser,
                    _ => Kind::Patient,
                };
                let account = account(0x02, layer * 1_000 + turn);
                self.underwriters.push(Underwriter::new(account, layer, kind, false));
                self.deposit(self.underwriters.len() - 1, part)?;
            }
        }
        self.now += EPOCH;
        self.claim_deposits();
        let shares = self.pool().tranche(1).balance(CURATOR);
        self.act("lock", CURATOR, |world, at| world.lock(at, POOL, shares))?;
        // Surplus is nobody's deposit: what a pool has of it when a run begins was earned before.
        let surplus = setting.units(setting.layers[0] * times);
        self.endow(POOL, surplus)?;
        if let Some(pool) = self.world.pools.get_mut(&POOL) {
            pool.layers[0] += surplus;
        }
        Ok(())
    }

    /// Asks to put capital in.
    fn deposit(&mut self, index: usize, assets: u128) -> Result<(), Refusal> {
        let Underwriter { account, layer, .. } = self.underwriters[index];
        self.endow(account, assets)?;
        let epoch = self.act("deposit", account, |world, at| {
            world.request_deposit(at, POOL, layer, assets, account, account)
        })?;
        let own = &mut self.underwriters[index];
        own.put_in += assets;
        if !own.deposits.contains(&epoch) {
            own.deposits.push(epoch);
        }
        Ok(())
    }

    /// Fetches what became of deposits and what was paid for shares.
    pub(super) fn claim_all(&mut self) {
        self.claim_deposits();
        for index in 0..self.underwriters.len() {
            let Underwriter { account, layer, .. } = self.underwriters[index];
            for (cohort, asked) in std::mem::take(&mut self.underwriters[index].requests) {
                let found = self.pool().tranche(layer).cohorts.get(&cohort);
                let claimable = found.map_or(0, |c| c.claimable(account).unwrap_or_default());
                let paid = found.is_some_and(|c: &Cohort| c.remaining.latest().is_zero());
                if claimable > 0 {
                    let got = self.act("claim redeem", account, |world, at| {
                        world.claim_redeem(at, POOL, layer, cohort, account)
                    });
                    self.underwriters[index].got_out += got.unwrap_or_default();
                }
                if paid {
                    self.tally.waits.push(self.now - asked);
                } else {
                    self.underwriters[index].requests.push((cohort, asked));
                }
            }
        }
    }

    fn claim_deposits(&mut self) {
        for index in 0..self.underwriters.len() {
            let Underwriter { account, layer, .. } = self.underwriters[index];
            for epoch in std::mem::take(&mut self.underwriters[index].deposits) {
                // A dwelling incident keeps deposits out of the books: they are claimed in a later epoch.
                let claimed = if self.pool().dwells() {
                    None
                } else {
                    let before = self.balance(account);
                    let claim = self.act("claim deposit", account, |world, at| {
                        world.claim_deposit(at, POOL, layer, epoch, account)
                    });
                    claim.ok().map(|_| self.balance(account) - before)
                };
                match claimed {
                    // What came back is not in the pool.
                    Some(returned) => self.underwriters[index].got_out += returned,
                    None => self.underwriters[index].deposits.push(epoch),
                }
            }
        }
    }

    fn balance(&self, account: Address) -> u128 {
        let balance = self.world.ledger.balance(super::stage::ASSET, account);
        u128::try_from(balance).unwrap_or(u128::MAX)
    }

    /// Everybody looks at the epoch that ended; some ask to leave, some come.
    pub(super) fn decide(&mut self) {
        let conduct = self.setting.conduct.clone();
        let epoch_years = EPOCH as f64 / YEAR as f64;
        let ordinary = 1.0 - libm::pow(1.0 - conduct.redemption.min(1.0), epoch_years);
        let Some(last) = self.past.last().copied() else { return };
        let lost = if last.capital > 0 { last.lost as f64 / last.capital as f64 } else { 0.0 };
        let grief = conduct.redemption_per_loss * lost / 0.1;
        let quarter = self.past.iter().rev().take(QUARTER);
        let (earned, shed, held) = quarter.fold((0.0, 0.0, 0.0), |(e, l, c), past| {
            (e + past.earned as f64, l + past.lost as f64, c + past.capital as f64)
        });
        let rate = if held > 0.0 { earned / (held * epoch_years) } else { 0.0 };
        let poor = self.past.len() >= QUARTER && rate < conduct.target_yield;
        let squeezed = conduct.squeeze < 1.0 && self.utilisation() > conduct.squeeze;
        let heard = self.chance();
        for index in 0..self.underwriters.len() {
            let Underwriter { account, layer, kind, .. } = self.underwriters[index];
            let (own, sheep) = (self.chance(), self.chance());
            if account == CURATOR {
                continue;
            }
            let queued = self.queued(layer);
            let reason = match kind {
                Kind::Patient => false,
                Kind::Chaser => poor,
                Kind::Runner => squeezed || (conduct.herd < 1.0 && queued > conduct.herd),
            };
            let leaves = ordinary + grief + if reason { RESOLVE } else { 0.0 };
            let drawn = if sheep < conduct.panic { heard } else { own };
            if drawn < leaves {
                self.ask(index);
            }
        }
        if conduct.deposits > 0.0 && earned > shed && self.past.len().is_multiple_of(DEPOSIT_EPOCHS) {
            self.welcome(conduct.deposits * epoch_years * DEPOSIT_EPOCHS as f64);
        }
    }

    /// Asks to leave with all shares.
    pub(super) fn ask(&mut self, index: usize) {
        let Underwriter { account, layer, .. } = self.underwriters[index];
        let pool = self.pool();
        let shares = pool.tranche(layer).balance(account);
        let worth = pool.tranche(layer).to_assets(shares, pool.layers[layer]).unwrap_or_default();
        if worth == 0 {
            return;
        }
        let cohort = self.act("redeem", account, |world, at| {
            world.request_redeem(at, POOL, layer, shares, account, account)
        });
        let Ok(cohort) = cohort else { return };
        self.tally.asked += worth;
        let now = self.now;
        let own = &mut self.underwriters[index];
        own.asked.get_or_insert(now);
        own.requests.push((cohort, now));
        if !own.cohorts.contains(&cohort) {
            own.cohorts.push(cohort);
        }
    }

    /// New capital, by the size of the tranches at the start.
    fn welcome(&mut self, share: f64) {
        if self.pool().closed_at.is_some() {
            return;
        }
        for layer in 1..=3 {
            let assets = self.setting.units(self.setting.layers[layer] * share);
            let pool = self.pool();
            if assets == 0 || pool.tranche(layer).is_worthless(pool.layers[layer]) {
                continue;
            }
            let account = account(0x03, layer);
            let place = self.underwriters.iter().position(|u| u.account == account).unwrap_or_else(|| {
                self.underwriters.push(Underwriter::new(account, layer, Kind::Patient, true));
                self.underwriters.len() - 1
            });
            let _ = self.deposit(place, assets);
        }
    }

    /// Share of a tranche's shares that wait to leave.
    fn queued(&self, layer: usize) -> f64 {
        let tranche = self.pool().tranche(layer);
        let (queue, all) = (tranche.balance(tranche.address), tranche.supply());
        if all.is_zero() { 0.0 } else { part_of(queue, all) }
    }

    /// Share of the capacity that cover uses.
    fn utilisation(&self) -> f64 {
        let pool = self.pool();
        let capacity = pool.capital().unwrap_or_default() as f64 * f64::from(pool.config.leverage.get());
        if capacity > 0.0 { pool.exposure as f64 * BPS as f64 / capacity } else { 1.0 }
    }

    /// What all that waits to leave is worth, units.
    fn queue_worth(&self) -> u128 {
        let pool = self.pool();
        let worth = |layer: usize| {
            let tranche = pool.tranche(layer);
            tranche.to_assets(tranche.balance(tranche.address), pool.layers[layer]).unwrap_or_default()
        };
        (1..=3).map(worth).sum()
    }

    /// Writes down how things stand.
    pub(super) fn observe(&mut self) {
        let capital = self.pool().capital().unwrap_or_default();
        let queued = self.queue_worth();
        let point = Point {
            day: (self.now.saturating_sub(self.start) / DAY) as f64,
            capital: self.setting.amount(capital),
            in_force: self.setting.amount(self.in_force()),
            queued: self.setting.amount(queued),
            closed: if self.pool().closed_at.is_some() { 1.0 } else { 0.0 },
        };
        self.tally.series.push(point);
    }

    /// What an underwriter still has: shares, shares in the queue, what was given back, what waits for a claim.
    pub(super) fn still_has(&self, who: &Underwriter) -> Result<u128, MathError> {
        let (pool, now) = (self.pool(), Block(self.now / BLOCK));
        let tranche = pool.tranche(who.layer);
        let mut shares = tranche.balance(who.account);
        let mut ready = 0;
        for cohort in &who.cohorts {
            let Some(found) = tranche.cohorts.get(cohort) else { continue };
            shares += found.standing_at(who.account, now)?;
            ready += found.claimable(who.account)?;
        }
        for (incident, booking) in &pool.bookings {
            shares += tranche.recovered(*incident, booking.opened_at, who.account)?;
            for cohort in &who.cohorts {
                shares += tranche.recovered_queued(*incident, booking.opened_at, *cohort, who.account)?;
            }
        }
        for epoch in &who.deposits {
            let request = tranche.deposits.get(epoch).and_then(|d| Some((d, d.requests.get(&who.account)?)));
            let Some((deposits, request)) = request.filter(|(_, r)| r.claimed.is_none()) else { continue };
            let minted = deposits.shares_of(request)?;
            shares += minted;
            if minted.is_zero() {
                ready += request.assets;
            }
        }
        Ok(ready + tranche.to_assets(shares, pool.layers[who.layer])?)
    }

    /// The next epoch's call, if the run lasts so long.
    pub(super) fn call_again(&mut self) {
        let next = self.now + EPOCH;
        self.later(next, Act::Epoch);
    }
}

/// A quotient of shares; both are below 2^208, and only their leading digits matter.
fn part_of(part: U256, whole: U256) -> f64 {
    let shift = whole.bit_len().saturating_sub(60);
    let cut = |x: U256| u64::try_from(x >> shift).unwrap_or(u64::MAX) as f64;
    cut(part) / cut(whole)
}
