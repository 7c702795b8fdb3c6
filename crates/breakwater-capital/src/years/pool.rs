//! One pool, day by day: layers, cash, reserve, and underwriters who wait to leave.
//!
//! At every moment `cash + reserve - payable = capital - debt`: assets less claims that wait for cash are what belongs to
//! surplus and tranches, and `debt` is what claims exceed them by.

use std::collections::VecDeque;

use crate::{model::Pool, portfolio::Behaviour};

/// A request to leave: a part of a tranche that is paid out from a day on, at what it is worth then.
#[derive(Clone, Copy, Debug)]
struct Request {
    due: u32,
    units: f64,
}

/// A tranche: its value belongs to its units, those that wait to leave included.
#[derive(Clone, Debug)]
struct Layer {
    value: f64,
    units: f64,
    waiting: f64,
    queue: VecDeque<Request>,
    weight: f64,
}

/// What a day's payments came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Payments {
    /// Claims and redemptions that were due.
    pub(super) payable: f64,
    /// Cash there was.
    pub(super) liquid: f64,
    /// What cash did not cover.
    pub(super) shortfall: f64,
    /// Redemptions that were paid.
    pub(super) redeemed: f64,
}

/// A pool in the course of a path.
#[derive(Clone, Debug)]
pub(super) struct State {
    surplus: f64,
    tranches: Vec<Layer>,
    cash: f64,
    pub(super) reserve: f64,
    payable: f64,
    pub(super) debt: f64,
    /// Lost this year by surplus and each tranche, for recoveries that come at its end.
    lost: Vec<f64>,
    /// Share of premium that surplus keeps.
    to_surplus: f64,
    /// Share of assets that is in the reserve at a year's beginning.
    reserve_share: f64,
    /// Days from a request to its payment.
    delay: u32,
}

impl State {
    /// The pool at the beginning; `report_days` is the longest of its products'.
    pub(super) fn new(pool: &Pool, report_days: f64) -> Self {
        let terms = &pool.terms;
        let exit = terms.behaviour.as_ref().map_or(0.0, |b| b.exit_days);
        let tranche = |t: &crate::portfolio::Tranche| Layer {
            value: t.capital,
            units: t.capital,
            waiting: 0.0,
            queue: VecDeque::new(),
            weight: t.premium_weight,
        };
        let mut state = Self {
            surplus: terms.surplus,
            tranches: terms.tranches.iter().map(tranche).collect(),
            cash: pool.capital(),
            reserve: 0.0,
            payable: 0.0,
            debt: 0.0,
            lost: vec![0.0; terms.tranches.len() + 1],
            to_surplus: terms.premium_to_surplus,
            reserve_share: terms.reserve.as_ref().map_or(0.0, |r| r.share),
            // Capital stays until the claims of covers that ended can no longer be reported.
            delay: libm::ceil(exit.max(report_days)) as u32,
        };
        state.rebalance();
        state
    }

    /// Surplus and all tranches.
    pub(super) fn capital(&self) -> f64 {
        self.tranches.iter().fold(self.surplus, |sum, t| sum + t.value)
    }

    /// Puts the reserve's share of all assets into it.
    pub(super) fn rebalance(&mut self) {
        let assets = self.cash + self.reserve;
        self.reserve = self.reserve_share * assets;
        self.cash = assets - self.reserve;
        self.lost.fill(0.0);
    }

    /// Assets change in price.
    pub(super) fn reprice(&mut self, factor: f64) {
        let change = (self.cash + self.reserve) * (factor - 1.0);
        self.cash *= factor;
        self.reserve *= factor;
        self.gain(change);
    }

    /// Assets changed by themselves: every layer has its part by value.
    fn gain(&mut self, change: f64) {
        let capital = self.capital();
        let by = 1.0 + change / capital;
        if capital > 0.0 && by >= 0.0 {
            self.surplus *= by;
            self.tranches.iter_mut().for_each(|t| t.value *= by);
        } else if change < 0.0 {
            self.bear(-change);
        } else {
            self.surplus += self.heal(change);
        }
    }

    /// New capital, by tranche, at what units are worth; a tranche that is worth nothing begins anew.
    pub(super) fn deposit(&mut self, amounts: impl Iterator<Item = f64>) {
        for (tranche, amount) in self.tranches.iter_mut().zip(amounts) {
            if tranche.value <= 0.0 {
                *tranche = Layer { value: 0.0, units: 0.0, waiting: 0.0, queue: VecDeque::new(), ..*tranche };
            }
            let price = if tranche.units > 0.0 { tranche.value / tranche.units } else { 1.0 };
            tranche.units += amount / price;
            tranche.value += amount;
            self.cash += amount;
        }
    }

    /// A loss: surplus, then tranches in order, then nobody.
    fn bear(&mut self, loss: f64) {
        let mut left = loss;
        let values = std::iter::once(&mut self.surplus).chain(self.tranches.iter_mut().map(|t| &mut t.value));
        for (value, lost) in values.zip(&mut self.lost) {
            let takes = left.min(*value);
            *value -= takes;
            *lost += takes;
            left -= takes;
        }
        self.debt += left;
    }

    /// A claim, or anything else that is to be paid.
    pub(super) fn owe(&mut self, amount: f64) {
        self.bear(amount);
        self.payable += amount;
    }

    /// The reserve loses a share of itself; returns how much that is.
    pub(super) fn fail(&mut self, share: f64) -> f64 {
        let loss = self.reserve * share;
        self.reserve -= loss;
        self.bear(loss);
        loss
    }

    /// Premium: first what is owed beyond capital, then surplus' share and the tranches'.
    pub(super) fn earn(&mut self, amount: f64) {
        self.cash += amount;
        let rest = self.heal(amount);
        let keeps = rest * self.to_surplus;
        let weighs = |t: &Layer, by_value: bool| match (t.units > 0.0, by_value) {
            (false, _) => 0.0,
            (true, true) => t.value,
            (true, false) => t.weight,
        };
        let by_value = self.tranches.iter().all(|t| t.weight == 0.0);
        let total = self.tranches.iter().fold(0.0, |sum, t| sum + weighs(t, by_value));
        if total <= 0.0 {
            // Nobody is there to have it.
            self.surplus += rest;
            return;
        }
        self.surplus += keeps;
        let each = (rest - keeps) / total;
        self.tranches.iter_mut().for_each(|t| t.value += each * weighs(t, by_value));
    }

    /// The reserve yields; every layer has its share by value. Returns how much it is.
    pub(super) fn accrue(&mut self, rate: f64) -> f64 {
        let amount = self.reserve * rate;
        self.reserve += amount;
        self.gain(amount);
        amount
    }

    /// Pays debt; returns what is left.
    fn heal(&mut self, amount: f64) -> f64 {
        let heals = amount.min(self.debt);
        self.debt -= heals;
        amount - heals
    }

    /// A recovery at the year's end: debt first, then those who lost, the last in line first, then surplus.
    pub(super) fn recover(&mut self, amount: f64) {
        self.cash += amount;
        let mut left = self.heal(amount);
        for (tranche, lost) in self.tranches.iter_mut().zip(&mut self.lost[1..]).rev() {
            if tranche.units > 0.0 {
                let restored = left.min(*lost);
                tranche.value += restored;
                *lost -= restored;
                left -= restored;
            }
        }
        self.surplus += left;
    }

    /// This share of what does not wait yet asks to leave.
    pub(super) fn request(&mut self, share: f64, day: u32) {
        let share = share.clamp(0.0, 1.0);
        if share == 0.0 {
            return;
        }
        for tranche in &mut self.tranches {
            let units = (tranche.units - tranche.waiting).max(0.0) * share;
            if units > 0.0 {
                tranche.waiting += units;
                tranche.queue.push_back(Request { due: day.saturating_add(self.delay), units });
            }
        }
    }

    /// Pays what is due, claims before redemptions, out of cash; sells so much of the reserve as was missing, which is
    /// cash from the next day on.
    pub(super) fn pay(&mut self, day: u32) -> Payments {
        let mut due = 0.0;
        for tranche in self.tranches.iter().filter(|t| t.is_there()) {
            let units = tranche.queue.iter().take_while(|r| r.due <= day).fold(0.0, |sum, r| sum + r.units);
            due += units * (tranche.value / tranche.units);
        }
        let liquid = self.cash.max(0.0);
        let payable = self.payable + due;
        let claims = self.payable.min(liquid);
        self.payable -= claims;
        self.cash -= claims;
        let part = if due > 0.0 { (self.cash.max(0.0) / due).min(1.0) } else { 0.0 };
        if part > 0.0 {
            let there = self.tranches.iter_mut().filter(|t| t.is_there());
            self.surplus += there.fold(0.0, |sum, t| sum + t.redeem(day, part));
            self.cash -= due * part;
        }
        let shortfall = (payable - liquid).max(0.0);
        let sold = shortfall.min(self.reserve);
        self.reserve -= sold;
        self.cash += sold;
        Payments { payable, liquid, shortfall, redeemed: due * part }
    }
}

impl Layer {
    /// Whether it has value and somebody whose it is.
    fn is_there(&self) -> bool {
        self.value > 0.0 && self.units > 0.0
    }

    /// Pays out this part of what is due. Returns what rounding leaves of a tranche that nobody is in any more.
    fn redeem(&mut self, day: u32, part: f64) -> f64 {
        let nobody = 1e-12 * self.units;
        let price = self.value / self.units;
        let mut paid = 0.0;
        for request in self.queue.iter_mut().take_while(|r| r.due <= day) {
            paid += request.units * part;
            request.units -= request.units * part;
        }
        while self.queue.front().is_some_and(|r| r.units <= 0.0) {
            self.queue.pop_front();
        }
        self.units = (self.units - paid).max(0.0);
        self.waiting = (self.waiting - paid).max(0.0);
        self.value = (self.value - paid * price).max(0.0);
        if self.units > nobody {
            return 0.0;
        }
        (self.units, self.waiting) = (0.0, 0.0);
        self.queue.clear();
        std::mem::take(&mut self.value)
    }
}

/// What a pool without a behaviour does: nothing.
pub(super) const STILL: Behaviour = Behaviour {
    renewal: 1.0,
    lapse_per_rise: 0.0,
    redemption: 0.0,
    redemption_per_loss: 0.0,
    deposits: 0.0,
    exit_days: 0.0,
    price_response: 0.0,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        portfolio,
        rng::{Purpose, Stream},
    };

    fn pool(reserve: f64, exit_days: f64) -> State {
        let tranche =
            |id: &str, capital, premium_weight| portfolio::Tranche { id: id.into(), capital, premium_weight };
        let terms = portfolio::Pool {
            id: "p".into(),
            products: vec![],
            surplus: 10.0,
            tranches: vec![tranche("junior", 30.0, 3.0), tranche("senior", 60.0, 1.0)],
            premium_to_surplus: 0.2,
            reserve: Some(portfolio::Reserve {
                share: reserve,
                yield_rate: 0.0,
                rate: 0.0,
                severity: String::new(),
                cluster: None,
            }),
            behaviour: Some(Behaviour { exit_days, ..STILL }),
        };
        State::new(&Pool { terms, products: vec![], reserve_severity: None, reserve_cluster: None }, 0.0)
    }

    fn close(got: f64, want: f64) {
        assert!((got - want).abs() < 1e-9, "{got}, want {want}");
    }

    #[test]
    fn layers_lose_in_order_and_are_restored_from_the_far_end() {
        let mut p = pool(0.0, 0.0);
        p.owe(55.0);
        close(p.surplus, 0.0);
        close(p.tranches[0].value, 0.0);
        close(p.tranches[1].value, 45.0);
        p.recover(20.0);
        close(p.tranches[1].value, 60.0);
        close(p.tranches[0].value, 5.0);
        p.owe(100.0);
        close(p.capital(), 0.0);
        close(p.debt, 35.0);
        // Premium pays debts first.
        p.earn(30.0);
        close(p.debt, 5.0);
        p.earn(105.0);
        close(p.surplus, 20.0);
        close(p.tranches[0].value, 60.0);
        close(p.tranches[1].value, 20.0);
    }

    #[test]
    fn who_waits_to_leave_is_slashed_and_paid_when_it_is_due() {
        let mut p = pool(0.0, 7.0);
        p.request(0.5, 10);
        assert_eq!(p.pay(16).payable, 0.0);
        // Surplus takes 10, junior 15 of its 30: each unit of it is worth a half.
        p.owe(25.0);
        let paid = p.pay(17);
        close(paid.payable, 25.0 + 7.5 + 30.0);
        close(paid.redeemed, 37.5);
        assert_eq!(paid.shortfall, 0.0);
        close(p.tranches[0].value, 7.5);
        close(p.tranches[1].value, 30.0);
        close(p.cash, 37.5);
    }

    #[test]
    fn cash_pays_claims_first_and_the_reserve_comes_a_day_later() {
        let mut p = pool(0.8, 0.0);
        close(p.cash, 20.0);
        p.owe(12.0);
        p.request(1.0, 0);
        // Junior is worth 28, senior 60; after the claim 8 are left for both, in proportion.
        let paid = p.pay(0);
        close(paid.payable, 100.0);
        close(paid.liquid, 20.0);
        close(paid.shortfall, 80.0);
        close(paid.redeemed, 8.0);
        close(p.tranches[0].value, 28.0 * (1.0 - 8.0 / 88.0));
        close(p.reserve, 0.0);
        let paid = p.pay(1);
        close(paid.redeemed, 80.0);
        assert_eq!(paid.shortfall, 0.0);
        close(p.capital(), 0.0);
    }

    #[test]
    fn a_failed_reserve_and_its_yield_are_the_layers() {
        let mut p = pool(0.5, 0.0);
        close(p.fail(0.4), 20.0);
        close(p.tranches[0].value, 20.0);
        close(p.accrue(0.1), 3.0);
        close(p.tranches[0].value, 20.0 * (1.0 + 3.0 / 80.0));
        p.reprice(0.5);
        close(p.capital(), 41.5);
        p.deposit([10.0, 5.0].into_iter());
        close(p.capital(), 56.5);
        p.rebalance();
        close(p.reserve, 28.25);
    }

    #[test]
    fn nothing_appears_or_disappears() {
        for seed in 0..200 {
            let mut s = Stream::new(seed, Purpose::Points, 9);
            let mut p = pool(s.unit(), 5.0 * s.unit());
            for day in 0..300 {
                match s.word() % 8 {
                    0 => p.owe(30.0 * s.unit()),
                    1 => drop(p.fail(s.unit())),
                    2 => p.earn(20.0 * s.unit()),
                    3 => drop(p.accrue(0.1 * s.unit() - 0.03)),
                    4 => p.request(2.0 * s.unit(), day),
                    5 => p.recover(20.0 * s.unit()),
                    6 => p.deposit([s.unit(), s.unit()].into_iter()),
                    _ => p.rebalance(),
                }
                let paid = p.pay(day);
                assert!(paid.redeemed >= 0.0 && paid.redeemed <= paid.payable + 1e-9);
                let left = p.cash + p.reserve - p.payable - (p.capital() - p.debt);
                assert!(left.abs() < 1e-6, "seed {seed}, day {day}: {left} in {p:?}");
                let values = [p.surplus, p.debt, p.payable, p.reserve, p.cash];
                assert!(values.iter().all(|v| v.is_finite() && *v >= -1e-9), "{p:?}");
                for t in &p.tranches {
                    assert!(t.value >= 0.0 && t.waiting <= t.units + 1e-6);
                    close(t.waiting, t.queue.iter().map(|r| r.units).sum());
                }
            }
        }
    }
}
