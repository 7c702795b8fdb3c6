//! Counting paths: sums by year and by day, in an order that does not depend on threads.

use super::{
    path::{DAYS, Row},
    pool::Payments,
};

/// Numbers of a [`Row`], in the order of [`numbers`].
pub(super) const NUMBERS: usize = 8;
/// Places of the numbers that keep every path, for quantiles.
pub(super) const KEPT: [usize; 3] = [0, 1, 5];

fn numbers(row: &Row) -> [f64; NUMBERS] {
    [row.capital, row.premium, row.claims, row.force, row.redeemed, row.largest, row.short_days, row.unpaid]
}

/// Sums over a day of all paths.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Day {
    pub(super) payable: f64,
    pub(super) liquid: f64,
    pub(super) shortfall: f64,
    pub(super) shortfall_square: f64,
    /// Paths that were short.
    pub(super) short: u64,
    /// Paths on which it was the last day.
    pub(super) failed: u64,
}

/// Sums over a year of all paths.
#[derive(Clone, Debug, Default)]
pub(super) struct Annual {
    pub(super) first: [f64; NUMBERS],
    pub(super) second: [f64; NUMBERS],
    /// Paths with at least one short day.
    pub(super) short: u64,
    /// Of each path, for those of [`KEPT`].
    pub(super) kept: [Vec<f32>; KEPT.len()],
}

/// A block of paths, counted; by pool.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) days: Vec<Vec<Day>>,
    pub(super) years: Vec<Vec<Annual>>,
}

impl Tally {
    pub(super) fn new(pools: usize, years: usize) -> Self {
        Self {
            days: vec![vec![Day::default(); years * DAYS]; pools],
            years: vec![vec![Annual::default(); years]; pools],
        }
    }

    /// A pool's day.
    pub(super) fn day(&mut self, pool: usize, date: usize, paid: &Payments) {
        let day = &mut self.days[pool][date];
        day.payable += paid.payable;
        day.liquid += paid.liquid;
        day.shortfall += paid.shortfall;
        day.shortfall_square += paid.shortfall * paid.shortfall;
        day.short += u64::from(paid.shortfall > 0.0);
    }

    /// A pool's year.
    pub(super) fn year(&mut self, pool: usize, year: usize, row: &Row) {
        let annual = &mut self.years[pool][year];
        let numbers = numbers(row);
        for (i, number) in numbers.into_iter().enumerate() {
            annual.first[i] += number;
            annual.second[i] += number * number;
        }
        annual.short += u64::from(row.short_days > 0.0);
        for (kept, i) in annual.kept.iter_mut().zip(KEPT) {
            kept.push(numbers[i] as f32);
        }
    }

    /// A pool's last day, in a year of which this much is known.
    pub(super) fn fail(&mut self, pool: usize, date: usize, row: &Row) {
        self.days[pool][date].failed += 1;
        self.year(pool, date / DAYS, row);
    }

    /// Adds the next block.
    pub(super) fn add(&mut self, next: Self) {
        for (all, one) in self.days.iter_mut().flatten().zip(next.days.iter().flatten()) {
            all.payable += one.payable;
            all.liquid += one.liquid;
            all.shortfall += one.shortfall;
            all.shortfall_square += one.shortfall_square;
            all.short += one.short;
            all.failed += one.failed;
        }
        for (all, one) in self.years.iter_mut().flatten().zip(next.years.into_iter().flatten()) {
            for i in 0..NUMBERS {
                all.first[i] += one.first[i];
                all.second[i] += one.second[i];
            }
            all.short += one.short;
            for (all, one) in all.kept.iter_mut().zip(one.kept) {
                all.extend(one);
            }
        }
    }
}
