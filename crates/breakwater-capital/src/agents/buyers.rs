//! Those who buy cover, and the curator who prices it.

use alloy_primitives::{Address, U256};
use breakwater_policy::{Refusal, policies::Purchase};
use breakwater_primitives::{Bps, DAY, Time, U256Ext, Wad, YEAR};

use super::{
    path::{Act, Path},
    stage::{ASSET, CURATOR, POOL, TERM_DAYS, account},
};

/// Days until one who left, or found no room, looks again.
const LOOK_AGAIN_DAYS: u64 = 28;
/// Days until one who found no room looks again.
const NO_ROOM_DAYS: u64 = 7;
/// What a buyer has to spend, units: more than all cover for ever.
const RICHES: u128 = 1_000_000_000_000_000_000_000_000;
/// Epochs whose losses the curator remembers.
const MEMORY: usize = 52;
/// Rates are left alone while they would move by less than this part.
const NUDGE: f64 = 0.05;

/// One who covers a part of a product's exposure.
#[derive(Clone, Debug)]
pub(super) struct Buyer {
    product: usize,
    account: Address,
    /// What he covers where values are as documented, units.
    sum: u128,
    /// What the cover cost before anything happened, a year and unit.
    reference: f64,
    /// By what part the price may rise before he leaves.
    tolerance: f64,
    /// When the cover he holds ends.
    expiry: u64,
    gone: bool,
}

impl Path<'_> {
    /// Covers the whole book from the first day on, with terms that end one after the other.
    pub(super) fn sell_first_covers(&mut self) -> Result<(), Refusal> {
        let setting = self.setting;
        let count = setting.buyers;
        for (product, listed) in setting.listed.iter().enumerate() {
            // Each buyer covers an equal part, rounded up.
            let sum = libm::ceil(listed.exposure * setting.scale / count as f64) as u128;
            for turn in 0..count {
                let account = account(0x01, product * count + turn);
                let (reference, tolerance) = (0.0, f64::INFINITY);
                let expiry = self.start + TERM_DAYS * DAY * (turn as u64 + 1) / count as u64;
                let expiry = expiry / DAY * DAY;
                self.endow(account, RICHES)?;
                self.buyers.push(Buyer { product, account, sum, reference, tolerance, expiry, gone: false });
            }
        }
        let waiting = |buyer: &Buyer| setting.listed[buyer.product].terms.waiting_period;
        let mut order: Vec<usize> = (0..self.buyers.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(waiting(&self.buyers[i])));
        for index in order {
            let wait = waiting(&self.buyers[index]);
            self.now = self.start - wait;
            let (expiry, sum) = (self.buyers[index].expiry, self.wanted(index));
            match self.buy(index, sum, expiry) {
                Ok(premium) => {
                    let years = (expiry - self.start) as f64 / YEAR as f64;
                    self.buyers[index].reference = premium / sum as f64 / years;
                    self.later(expiry - wait, Act::Renew { buyer: index });
                }
                Err(_) => {
                    self.tally.unserved += 1;
                    self.later(self.start + NO_ROOM_DAYS * DAY, Act::Renew { buyer: index });
                }
            }
        }
        Ok(())
    }

    /// What covering oneself again costs while nothing has happened: the first covers were sold out of an empty book, at
    /// a price that nobody meets again, and are no measure of a rise.
    pub(super) fn learn_prices(&mut self) {
        for index in 0..self.buyers.len() {
            let inception = self.now + self.setting.listed[self.buyers[index].product].terms.waiting_period;
            let expiry = (inception + TERM_DAYS * DAY).div_ceil(DAY) * DAY;
            if let Some(rate) = self.price(index, self.wanted(index), inception, expiry) {
                let reference = &mut self.buyers[index].reference;
                *reference = reference.max(rate);
            }
        }
    }

    /// What of the price's rise each buyer bears: evenly spread, so that the documented share leaves at each 10 %.
    pub(super) fn draw_tolerances(&mut self) {
        let lapse = self.setting.conduct.lapse_per_rise;
        for index in 0..self.buyers.len() {
            let drawn = self.chance();
            self.buyers[index].tolerance = if lapse > 0.0 { 0.1 * drawn / lapse } else { f64::INFINITY };
        }
    }

    /// A number inside (0, 1).
    pub(super) fn chance(&mut self) -> f64 {
        // Nothing is left to chance before a history has a stream.
        self.stream.as_mut().map_or(0.5, crate::rng::Stream::unit)
    }

    /// What a buyer wants now, units.
    fn wanted(&self, buyer: usize) -> u128 {
        let year = (self.now.saturating_sub(self.start) / YEAR) as usize;
        let value = self.values.get(year).or(self.values.last()).copied().unwrap_or(1.0);
        libm::ceil(self.buyers[buyer].sum as f64 * value) as u128
    }

    /// A buyer whose cover is about to end looks at the price.
    pub(super) fn renew(&mut self, index: usize) {
        let conduct = &self.setting.conduct;
        let stays = libm::pow(conduct.renewal, TERM_DAYS as f64 / 365.0);
        if self.buyers[index].gone || self.pool().closed_at.is_some() {
            return;
        }
        if self.buyers[index].reference > 0.0 && stays < 1.0 && self.chance() >= stays {
            self.buyers[index].gone = true;
            self.tally.gone += 1;
            return;
        }
        let sum = self.wanted(index);
        let wait = self.setting.listed[self.buyers[index].product].terms.waiting_period;
        let inception = self.now + wait;
        let expiry = (inception + TERM_DAYS * DAY).div_ceil(DAY) * DAY;
        match self.price(index, sum, inception, expiry) {
            None => {
                self.tally.unserved += 1;
                self.later(self.now + NO_ROOM_DAYS * DAY, Act::Renew { buyer: index });
            }
            Some(rate) if self.too_dear(index, rate) => {
                self.tally.lapses += 1;
                self.later(self.now + LOOK_AGAIN_DAYS * DAY, Act::Renew { buyer: index });
            }
            Some(rate) => match self.buy(index, sum, expiry) {
                Ok(_) => {
                    if self.buyers[index].reference == 0.0 {
                        self.buyers[index].reference = rate;
                    }
                    self.buyers[index].expiry = expiry;
                    self.later(expiry - wait, Act::Renew { buyer: index });
                }
                // The purchase lets an epoch's exits go first, which may leave no room.
                Err(_) => {
                    self.tally.unserved += 1;
                    self.later(self.now + NO_ROOM_DAYS * DAY, Act::Renew { buyer: index });
                }
            },
        }
    }

    /// A holder buys back what he was paid, for the rest of his term.
    pub(super) fn restore(&mut self, product: usize, index: usize, paid: u128) {
        let wait = self.setting.listed[product].terms.waiting_period;
        let (inception, expiry) = (self.now + wait, self.buyers[index].expiry);
        if paid == 0 || expiry < inception + DAY || self.pool().closed_at.is_some() {
            return;
        }
        match self.price(index, paid, inception, expiry) {
            Some(rate) if !self.too_dear(index, rate) => {
                if self.buy(index, paid, expiry).is_err() {
                    self.tally.unserved += 1;
                }
            }
            Some(_) => self.tally.lapses += 1,
            None => self.tally.unserved += 1,
        }
    }

    fn too_dear(&self, index: usize, rate: f64) -> bool {
        let Buyer { reference, tolerance, .. } = self.buyers[index];
        reference > 0.0 && rate > reference * (1.0 + tolerance)
    }

    /// The quoted price a year and unit; none where nothing is sold.
    fn price(&self, index: usize, sum: u128, inception: u64, expiry: u64) -> Option<f64> {
        let product = self.setting.listed[self.buyers[index].product].id;
        let (now, from, to) = (Time(self.now), Time(inception), Time(expiry));
        let premium = self.world.quote(POOL, product, now, sum, from, to).ok()?;
        let premium = premium.to_u128().ok()? as f64;
        Some(premium / sum as f64 / ((expiry - inception) as f64 / YEAR as f64))
    }

    /// Buys at any price; answers the premium.
    fn buy(&mut self, index: usize, sum: u128, expiry: u64) -> Result<f64, Refusal> {
        let Buyer { product, account, .. } = self.buyers[index];
        let listed = &self.setting.listed[product];
        let before = self.world.ledger.balance(ASSET, account);
        let purchase = Purchase {
            product: listed.id,
            pool: POOL,
            position: account,
            sum,
            expiry: Time(expiry),
            max_premium: U256::MAX,
            deadline: Time(self.now),
            to: account,
            consented: false,
            distributor: Address::ZERO,
            fee: Bps::new(0),
        };
        let id = self.act("buy", account, |world, at| world.buy(at, purchase))?;
        let paid = before - self.world.ledger.balance(ASSET, account);
        self.live[product].push((id, index));
        Ok(paid.to_u128().unwrap_or(u128::MAX) as f64)
    }

    /// The curator asks for a premium that pays for a part of the last year's losses.
    pub(super) fn reprice(&mut self) {
        let conduct = &self.setting.conduct;
        if conduct.price_response <= 0.0 || self.pool().closed_at.is_some() {
            return;
        }
        let lost = self.past.iter().rev().take(MEMORY).fold(0.0, |sum, past| sum + past.lost as f64);
        let mut income = 0.0;
        for listed in &self.setting.listed {
            let sums = self.in_force_of(&listed.id);
            income += sums as f64 * (listed.floor_rate as f64 / 1e18);
        }
        if income <= 0.0 {
            return;
        }
        let rise = ((income + conduct.price_response * lost) / income).clamp(1.0, conduct.most_rise);
        if (rise / self.rise - 1.0).abs() < NUDGE {
            return;
        }
        self.rise = rise;
        for listed in &self.setting.listed {
            // In favour of the pool: rounded up, and never above what a rate can be.
            let rate = libm::ceil(listed.floor_rate as f64 * rise).min(18e18) as u64;
            let _ = self.act("set product", CURATOR, |world, at| {
                world.set_product(at, POOL, listed.id, listed.cap, Wad::new(rate))
            });
        }
    }

    /// Sums of a product that are in force, units.
    fn in_force_of(&self, product: &alloy_primitives::B256) -> u128 {
        let book = self.pool().products.get(product);
        book.and_then(|book| book.in_force(Time(self.now)).ok()).unwrap_or_default()
    }

    /// Sums of all products that are in force, units.
    pub(super) fn in_force(&self) -> u128 {
        self.setting.listed.iter().map(|listed| self.in_force_of(&listed.id)).sum()
    }
}
