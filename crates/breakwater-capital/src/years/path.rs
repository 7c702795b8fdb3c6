//! One path: years after years, every pool day by day.

use super::{
    pool::{STILL, State},
    tally::Tally,
};
use crate::{
    model::Model,
    portfolio::Behaviour,
    rng::{Purpose, Stream},
    timeline::{Room, Settled, Settler, Timeline, Year},
};

/// Days of a simulated year.
pub(super) const DAYS: usize = 365;

/// What paths are drawn from.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    model: &'a Model,
    engine: Timeline,
    pools: Vec<Terms>,
    /// For each product, its pool.
    owner: Vec<Option<usize>>,
    years: usize,
    seed: u64,
}

/// What of a pool stays the same.
#[derive(Debug)]
struct Terms {
    start: State,
    behaviour: Behaviour,
    /// Premium a year, before level and lapses, and how much of it has begun by each day of the first year.
    premium: f64,
    begun: Vec<f64>,
    /// Premium of treaties a year, and its share of each treaty's.
    treaties: f64,
    shares: Vec<f64>,
    /// What the reserve earns a day.
    daily: f64,
    /// Share of underwriters who ask to leave on an ordinary day.
    leaves: f64,
    deposits: Vec<f64>,
}

/// What of a pool changes.
#[derive(Debug)]
struct Run {
    state: State,
    /// Premium, as a multiple of the document's.
    level: f64,
    /// Share of covers that is in force.
    force: f64,
    insolvent: bool,
    /// Whether the year before made a profit.
    profit: bool,
}

/// What a year of a pool came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row {
    pub(super) capital: f64,
    pub(super) premium: f64,
    pub(super) claims: f64,
    pub(super) force: f64,
    pub(super) redeemed: f64,
    pub(super) largest: f64,
    pub(super) short_days: f64,
    /// What was owed beyond everything there was, in the year of insolvency.
    pub(super) unpaid: f64,
}

/// Room for a path.
#[derive(Debug, Default)]
pub(super) struct Desk {
    room: Room,
    year: Year,
    settled: Settled,
    scales: Vec<f64>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(model: &'a Model, years: usize, seed: u64) -> Result<Self, String> {
        let mut owner = vec![None; model.products.len()];
        for (k, pool) in model.pools.iter().enumerate() {
            pool.products.iter().for_each(|&p| owner[p] = Some(k));
        }
        let shares = shares(model, &owner);
        let terms = |(k, pool): (usize, &crate::model::Pool)| {
            let documents = || pool.products.iter().map(|&p| &model.portfolio.products[p]);
            let report = documents().fold(0.0f64, |most, p| most.max(p.report_days));
            let mut begun = vec![0.0; DAYS];
            for product in documents() {
                let from = libm::ceil(product.waiting_days).min(DAYS as f64) as usize;
                begun[from..].iter_mut().for_each(|b| *b += product.premium);
            }
            let own: Vec<f64> = shares.iter().map(|s| s[k]).collect();
            let behaviour = pool.terms.behaviour.clone().unwrap_or(STILL);
            let yearly = pool.terms.reserve.as_ref().map_or(0.0, |r| r.yield_rate);
            Terms {
                start: State::new(pool, report),
                premium: documents().fold(0.0, |sum, p| sum + p.premium),
                begun,
                treaties: own.iter().zip(&model.treaties).fold(0.0, |sum, (s, t)| sum + s * t.premium),
                shares: own,
                daily: libm::expm1(libm::log1p(yearly) / DAYS as f64),
                leaves: -libm::expm1(libm::log1p(-behaviour.redemption) / DAYS as f64),
                deposits: pool.terms.tranches.iter().map(|t| t.capital * behaviour.deposits).collect(),
                behaviour,
            }
        };
        let pools = model.pools.iter().enumerate().map(terms).collect();
        Ok(Self { model, engine: Timeline::new(model)?, pools, owner, years, seed })
    }

    /// Runs a path and counts it.
    pub(super) fn path(&self, index: u64, desk: &mut Desk, tally: &mut Tally) {
        let mut keys = Stream::new(self.seed, Purpose::Path, index);
        let begin = |t: &Terms| Run {
            state: t.start.clone(),
            level: 1.0,
            force: 1.0,
            insolvent: false,
            profit: false,
        };
        let mut runs: Vec<Run> = self.pools.iter().map(begin).collect();
        for year in 0..self.years {
            self.draw(keys.word(), year, &runs, desk);
            for (k, run) in runs.iter_mut().enumerate() {
                if run.insolvent {
                    tally.year(k, year, &Row::default());
                } else {
                    self.year(k, year, run, desk, tally);
                }
            }
        }
    }

    /// The year's events, of what is in force, and who pays for them.
    fn draw(&self, key: u64, year: usize, runs: &[Run], desk: &mut Desk) {
        let Desk { room, year: events, settled, scales } = desk;
        self.engine.sampler().year(key, room, events);
        scales.clear();
        scales.extend(self.owner.iter().map(|o| match o {
            Some(k) if runs[*k].insolvent => 0.0,
            Some(k) => runs[*k].force,
            None => 1.0,
        }));
        for event in &events.events {
            for hit in &mut events.hits[event.hits()] {
                let product = hit.product as usize;
                let waits = year == 0
                    && event.time * (DAYS as f64) < self.model.portfolio.products[product].waiting_days;
                hit.amount *= if waits { 0.0 } else { scales[product] };
            }
        }
        let settler: &Settler = self.engine.settler();
        settler.settle_scaled(events, scales, settled);
    }

    /// A year of one pool.
    fn year(&self, k: usize, year: usize, run: &mut Run, desk: &Desk, tally: &mut Tally) {
        let terms = &self.pools[k];
        let regime = &self.model.regimes[desk.year.regime];
        if year > 0 && run.profit {
            run.state.deposit(terms.deposits.iter().copied());
        }
        let mut row = Row { force: run.force, claims: desk.settled.pools[k].claims, ..Row::default() };
        let mut strikes = Strikes::new(desk, k, self.pools.len());
        // What stop losses will pay at the year's end; what is unpaid beyond that will never be paid.
        let by_event = strikes.claims.iter().fold(0.0, |sum, e| sum + e.1);
        let recovery = (by_event - row.claims).max(0.0);
        let start = run.state.capital();
        let nothing = 1e-9 * (start + by_event);
        run.state.reprice(regime.capital);
        run.state.rebalance();
        let mut fallen = (start - run.state.capital()).max(0.0);
        let factor = run.level * run.force * regime.premium / DAYS as f64;
        let cost = terms.treaties / DAYS as f64;
        for day in 0..DAYS {
            let date = (year * DAYS + day) as u32;
            let before = if day == 0 { start } else { run.state.capital() };
            let premium = factor * if year == 0 { terms.begun[day] } else { terms.premium };
            run.state.earn((premium - cost).max(0.0));
            run.state.owe((cost - premium).max(0.0));
            run.state.accrue(terms.daily);
            let lost = fallen + strikes.day(day, &mut run.state);
            fallen = 0.0;
            if lost > 0.0 && before > 0.0 {
                let tenths = (lost / before).min(1.0) * 10.0;
                run.state.request(terms.behaviour.redemption_per_loss * tenths, date);
            }
            run.state.request(terms.leaves, date);
            row.premium += premium;
            if run.state.debt > recovery + nothing {
                row.unpaid = run.state.debt - recovery;
                run.insolvent = true;
                return tally.fail(k, date as usize, &row);
            }
            let paid = run.state.pay(date);
            row.redeemed += paid.redeemed;
            row.largest = row.largest.max(paid.shortfall);
            row.short_days += f64::from(u8::from(paid.shortfall > 0.0));
            tally.day(k, date as usize, &paid);
        }
        let reinstatements = desk.settled.reinstatement.iter().zip(&terms.shares);
        run.state.recover(recovery);
        run.state.owe(reinstatements.fold(0.0, |sum, (due, share)| sum + due * share));
        if run.state.debt > nothing {
            row.unpaid = run.state.debt;
            run.insolvent = true;
            return tally.fail(k, year * DAYS + DAYS - 1, &row);
        }
        row.capital = run.state.capital();
        tally.year(k, year, &row);
        let loss = start - row.capital - row.redeemed;
        run.profit = loss < -nothing;
        renew(terms, loss, run);
    }
}

/// Prices of the next year, and who renews at them.
fn renew(terms: &Terms, loss: f64, run: &mut Run) {
    let b = &terms.behaviour;
    let income = terms.premium * run.force;
    let rise = if income > 0.0 { (b.price_response * loss.max(0.0) / income).min(1.0) } else { 0.0 };
    let tenths = ((1.0 + rise) / run.level - 1.0).max(0.0) * 10.0;
    run.level = 1.0 + rise;
    run.force *= b.renewal * (1.0 - b.lapse_per_rise * tenths).max(0.0);
}

/// What strikes a pool in a year, in the order of time.
struct Strikes {
    claims: Vec<(f64, f64)>,
    failures: Vec<(f64, f64)>,
    next: (usize, usize),
}

impl Strikes {
    fn new(desk: &Desk, k: usize, pools: usize) -> Self {
        let own = desk.settled.by_pool.iter().skip(k).step_by(pools);
        let claims = desk.year.events.iter().zip(own).filter(|e| *e.1 > 0.0);
        let failures = desk.year.failures.iter().filter(|f| f.pool as usize == k);
        Self {
            claims: claims.map(|(e, &amount)| (e.time, amount)).collect(),
            failures: failures.map(|f| (f.time, f.share)).collect(),
            next: (0, 0),
        }
    }

    /// Lets a day's strike; returns what they cost.
    fn day(&mut self, day: usize, state: &mut State) -> f64 {
        let end = (day + 1) as f64 / DAYS as f64;
        let (claim, failure) = &mut self.next;
        let mut lost = 0.0;
        loop {
            let next_claim = self.claims.get(*claim).filter(|c| c.0 < end);
            let next_failure = self.failures.get(*failure).filter(|f| f.0 < end);
            match (next_claim, next_failure) {
                (Some(c), f) if f.is_none_or(|f| c.0 <= f.0) => {
                    state.owe(c.1);
                    lost += c.1;
                    *claim += 1;
                }
                (_, Some(f)) => {
                    lost += state.fail(f.1);
                    *failure += 1;
                }
                _ => return lost,
            }
        }
    }
}

/// By treaty and pool, the pool's share of the treaty's premium: by the premium of the products that it covers, or by
/// their number where none of them earns any.
fn shares(model: &Model, owner: &[Option<usize>]) -> Vec<Vec<f64>> {
    let one = |treaty: &crate::model::Treaty| {
        let by = |weigh: &dyn Fn(usize) -> f64| {
            let (mut own, mut all) = (vec![0.0; model.pools.len()], 0.0);
            for product in (0..model.products.len()).filter(|&p| treaty.covers.as_ref().is_none_or(|c| c[p]))
            {
                all += weigh(product);
                if let Some(k) = owner[product] {
                    own[k] += weigh(product);
                }
            }
            (own, all)
        };
        let (own, all) = by(&|p| model.products[p].premium);
        let (own, all) = if all > 0.0 { (own, all) } else { by(&|_| 1.0) };
        own.into_iter().map(|o| o / all).collect()
    };
    model.treaties.iter().map(one).collect()
}
