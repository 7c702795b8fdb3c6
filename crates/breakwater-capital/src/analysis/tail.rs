//! The mean of the worst years of a sample, and how it moves when some of the years change.
//!
//! `TVaR = mean of the worst (1 - level) of the years`, the year at the quantile counting for the part that is missing
//! (Acerbi and Tasche, "On the coherence of expected shortfall", Journal of Banking and Finance 26 (2002)). It is coherent
//! on the sample itself, so that a part's marginal is never above its stand-alone figure, whatever was drawn.
//! Years that tie at the quantile (the plateau of a stop loss) share the missing part equally.

/// Years closer to the quantile than this, relatively, are at it.
const TIE: f64 = 1e-9;

/// A sample, ranked.
#[derive(Clone, Debug)]
pub(super) struct Ranked<'a> {
    pub(super) values: &'a [f64],
    /// Years by their amount, greatest first; equal amounts by their place.
    pub(super) order: Vec<u32>,
    rank: Vec<u32>,
    /// How many years the tail has, a part of a year among them.
    pub(super) target: f64,
}

/// The tail of a sample.
#[derive(Clone, Debug)]
pub(super) struct Tail {
    pub(super) var: f64,
    pub(super) tvar: f64,
    pub(super) tvar_error: f64,
    /// Years of the tail with the part that each counts for, in the order of years.
    pub(super) years: Vec<(u32, f64)>,
    /// Years next to the quantile, on both sides.
    pub(super) near: Vec<u32>,
}

/// A year with another amount.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Changed {
    pub(super) year: u32,
    pub(super) to: f64,
}

/// A difference of two figures of the same years.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Difference {
    pub(super) tvar: f64,
    pub(super) error: f64,
    /// The quantile of the changed years.
    pub(super) var: f64,
}

impl<'a> Ranked<'a> {
    pub(super) fn new(values: &'a [f64], level: f64) -> Self {
        let mut order: Vec<u32> = (0..values.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| values[b as usize].total_cmp(&values[a as usize]).then(a.cmp(&b)));
        let mut rank = vec![0; values.len()];
        for (place, &year) in order.iter().enumerate() {
            rank[year as usize] = place as u32;
        }
        // A tail shorter than one year is the worst year.
        let target = ((1.0 - level) * values.len() as f64).max(1.0);
        Self { values, order, rank, target }
    }

    /// The amount of the year at a rank, or of the last.
    pub(super) fn at(&self, rank: f64) -> f64 {
        let rank = (rank as usize).min(self.order.len() - 1);
        self.values[self.order[rank] as usize]
    }

    /// Whether a year is among the worst `rank`.
    pub(super) fn within(&self, year: usize, rank: f64) -> bool {
        f64::from(self.rank[year]) < rank
    }

    pub(super) fn tail(&self) -> Tail {
        let sorted = |rank: usize| self.values[self.order[rank] as usize];
        let var = self.at((whole(self.target) - 1) as f64);
        let tie = TIE * var.abs();
        let above = self.order.partition_point(|&y| self.values[y as usize] > var + tie);
        let reached = self.order.partition_point(|&y| self.values[y as usize] >= var - tie);
        let part = (self.target - above as f64) / (reached - above) as f64;
        let mut years: Vec<(u32, f64)> = self.order[..above].iter().map(|&y| (y, 1.0)).collect();
        years.extend(self.order[above..reached].iter().map(|&y| (y, part)));
        years.sort_unstable_by_key(|y| y.0);
        let around = ((self.target * 0.05) as usize).clamp(10, 2000);
        let (low, high) = (above.saturating_sub(around), (reached + around).min(self.order.len()));
        let near = self.order[low..high].to_vec();
        let sum = years.iter().fold(0.0, |sum, &(y, part)| sum + part * self.values[y as usize]);
        let mut excess = Squares::default();
        (0..above).for_each(|rank| excess.add(sorted(rank) - var));
        Tail {
            var,
            tvar: sum / self.target,
            tvar_error: excess.error(self.values.len(), self.target),
            years,
            near,
        }
    }

    /// TVaR of these years less TVaR of the same years with some changed; `changed` in the order of years, each once.
    ///
    /// Its error is that of a mean of paired differences: a year moves a TVaR by its excess over the quantile
    /// (Manistre and Hancock, "Variance of the CTE estimator", North American Actuarial Journal 9 (2005)).
    pub(super) fn less(&self, base: &Tail, changed: &[Changed]) -> Difference {
        let n = self.order.len();
        // Of the unchanged years none beyond this rank can be in the new tail: enough are left before it.
        let reach = (whole(self.target) + changed.len() + 1).min(n);
        let is_changed = |year: u32| changed.binary_search_by_key(&year, |c| c.year).is_ok();
        let kept: Vec<u32> = self.order[..reach].iter().copied().filter(|&y| !is_changed(y)).collect();
        let mut values: Vec<f64> = kept.iter().map(|&y| self.values[y as usize]).collect();
        values.extend(changed.iter().map(|c| c.to));
        let (var, sum) = top(&mut values, self.target);
        let mut pairs = Squares::default();
        let mut pair = |from: f64, to: f64| pairs.add((from - base.var).max(0.0) - (to - var).max(0.0));
        kept.iter().for_each(|&y| pair(self.values[y as usize], self.values[y as usize]));
        changed.iter().for_each(|c| pair(self.values[c.year as usize], c.to));
        Difference { tvar: base.tvar - sum / self.target, error: pairs.error(n, self.target), var }
    }
}

/// Quantile and TVaR of a few amounts of at least zero among many years, the other years being zero.
pub(super) fn alone(mut amounts: Vec<f64>, target: f64) -> (f64, f64) {
    let (var, sum) = top(&mut amounts, target);
    (var, sum / target)
}

/// The mean over the tail of each of `count` parts of a year, with standard errors; they sum to TVaR if the parts of each
/// year sum to the year. `of` appends a year's parts by index; an index may come twice.
///
/// Euler's principle: the part `i` of TVaR is `E[X_i | S >= VaR]` (Tasche, "Risk contributions and performance
/// measurement", 1999). A year in the tail moves a part by its amount less the part's level at the quantile.
pub(super) fn shares(
    ranked: &Ranked<'_>,
    tail: &Tail,
    count: usize,
    mut of: impl FnMut(u32, &mut Vec<(u32, f64)>),
) -> Vec<(f64, f64)> {
    let mut list = vec![];
    let mut of = |year: u32, then: &mut dyn FnMut(usize, f64)| {
        list.clear();
        of(year, &mut list);
        // A part hit twice in a year is one amount of that year: squares are of years.
        list.sort_by_key(|l| l.0);
        for group in list.chunk_by(|a, b| a.0 == b.0) {
            then(group[0].0 as usize, group.iter().fold(0.0, |sum, l| sum + l.1));
        }
    };
    let mut levels = vec![0.0; count];
    for &year in &tail.near {
        of(year, &mut |i, amount| levels[i] += amount / tail.near.len() as f64);
    }
    let mut sums = vec![[0.0; 3]; count];
    let (mut weight, mut weights) = (0.0, 0.0);
    for &(year, part) in &tail.years {
        weight += part;
        weights += part * part;
        of(year, &mut |i, amount| {
            let [sum, square, cross] = &mut sums[i];
            *sum += part * amount;
            *square += part * amount * part * amount;
            *cross += part * part * amount;
        });
    }
    let one = |([sum, square, cross], level): ([f64; 3], f64)| {
        let centred = sum - level * weight;
        let squares = square - 2.0 * level * cross + level * level * weights;
        let variance = squares - centred * centred / ranked.values.len() as f64;
        (sum / ranked.target, variance.max(0.0).sqrt() / ranked.target)
    };
    sums.into_iter().zip(levels).map(one).collect()
}

/// How many years a tail touches. What rounding left of `1 - level` above a whole number is no year.
fn whole(target: f64) -> usize {
    (target - 1e-9 * target).ceil() as usize
}

/// The least of the greatest `target` values, and their sum; missing values are zero.
fn top(values: &mut [f64], target: f64) -> (f64, f64) {
    let whole = whole(target);
    let worse = |a: &f64, b: &f64| b.total_cmp(a);
    if values.len() >= whole {
        if values.len() > whole {
            values.select_nth_unstable_by(whole - 1, worse);
        }
        // Sorted, so that the sum does not depend on what the selection left where.
        values[..whole].sort_unstable_by(worse);
        let last = values[whole - 1];
        let sum = values[..whole - 1].iter().fold(0.0, |sum, v| sum + v);
        return (last, sum + last * (target - (whole - 1) as f64));
    }
    values.sort_unstable_by(worse);
    (0.0, values.iter().fold(0.0, |sum, v| sum + v))
}

/// Sums for the error of a mean.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Squares {
    pub(super) sum: f64,
    square: f64,
}

impl Squares {
    pub(super) fn add(&mut self, value: f64) {
        self.sum += value;
        self.square += value * value;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.square += other.square;
    }

    /// Standard error of `sum / target` where the terms are of so many years, those not added being zero.
    pub(super) fn error(&self, years: usize, target: f64) -> f64 {
        (self.square - self.sum * self.sum / years as f64).max(0.0).sqrt() / target
    }

    /// Standard deviation of the terms.
    pub(super) fn sd(&self, years: usize) -> f64 {
        self.error(years, 1.0) / (years as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_of_whole_years_and_of_a_part() {
        let values = [1.0, 5.0, 3.0, 4.0, 2.0];
        let tail = Ranked::new(&values, 0.6).tail();
        assert_eq!((tail.var, tail.tvar), (4.0, 4.5));
        let tail = Ranked::new(&values, 0.5).tail();
        assert!((tail.tvar - (5.0 + 4.0 + 1.5) / 2.5).abs() < 1e-12);
        assert_eq!(tail.years.iter().map(|y| y.0).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn ties_at_the_quantile_share_it() {
        let values = [9.0, 7.0, 7.0, 7.0, 1.0, 0.0, 0.0, 0.0];
        let tail = Ranked::new(&values, 0.75).tail();
        assert_eq!(tail.var, 7.0);
        assert!((tail.tvar - 8.0).abs() < 1e-12);
        let third = 1.0 / 3.0;
        assert_eq!(tail.years, [(0, 1.0), (1, third), (2, third), (3, third)]);
    }

    #[test]
    fn changed_years_are_ranked_anew() {
        let values: Vec<f64> = (0..1000).map(f64::from).collect();
        let ranked = Ranked::new(&values, 0.99);
        let tail = ranked.tail();
        let changed: Vec<Changed> =
            (900..1000).step_by(2).map(|y| Changed { year: y, to: f64::from(y) - 500.0 }).collect();
        let mut other = values.clone();
        changed.iter().for_each(|c| other[c.year as usize] = c.to);
        let whole = Ranked::new(&other, 0.99).tail();
        let difference = ranked.less(&tail, &changed);
        assert!((tail.tvar - difference.tvar - whole.tvar).abs() < 1e-9);
        assert_eq!(difference.var, whole.var);
        assert!(difference.error > 0.0);
        assert_eq!(ranked.less(&tail, &[]), Difference { tvar: 0.0, error: 0.0, var: tail.var });
    }

    #[test]
    fn the_error_of_a_tail_is_that_of_many_samples() {
        // Exponential law: VaR 99 = ln 100, TVaR 99 = that + 1, and the error of TVaR over n years is
        // sqrt((2 - 0.01) / 0.01 / n) by the variance of the excess, E[(X - v)+^2] = 2 * 0.01.
        let (n, runs) = (20_000, 60);
        let mut mean = 0.0;
        let mut errors = 0.0;
        let mut spread = 0.0;
        for run in 0..runs {
            let mut stream = crate::rng::Stream::new(run, crate::rng::Purpose::Flat, 0);
            let values: Vec<f64> = (0..n).map(|_| stream.exponential()).collect();
            let tail = Ranked::new(&values, 0.99).tail();
            mean += tail.tvar / runs as f64;
            errors += tail.tvar_error / runs as f64;
            spread += (tail.tvar - 5.605_170).powi(2) / runs as f64;
        }
        let theory = ((2.0 - 0.01) / 0.01 / n as f64).sqrt();
        assert!((mean - 5.605_170).abs() < 4.0 * theory / (runs as f64).sqrt(), "{mean}");
        assert!((errors / theory - 1.0).abs() < 0.05, "{errors} {theory}");
        assert!((spread.sqrt() / theory - 1.0).abs() < 0.35, "{} {theory}", spread.sqrt());
    }
}
