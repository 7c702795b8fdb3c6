//! Measures of a distribution with their standard errors.

use serde::{Deserialize, Serialize};

use crate::histogram::{Bin, ONE};
use crate::simulate::Sums;

/// Levels that every report has.
pub const LEVELS: [f64; 10] = [0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999];

/// Mean and standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Mean.
    pub mean: f64,
    /// Standard error of the mean.
    pub mean_error: f64,
    /// Standard deviation.
    pub sd: f64,
    /// Standard error of the standard deviation, from the fourth moment.
    pub sd_error: f64,
}

/// Moments of a variable over weighted years.
pub fn moments(sums: &Sums, years: f64) -> Moments {
    let mean = sums.first / years;
    let variance = (sums.second / years - mean * mean).max(0.0);
    // The estimate is a mean of weight times amount; its own variance is that of the product.
    let of_product = (sums.weighted / years - mean * mean).max(0.0);
    let sd = variance.sqrt();
    // The squared deviation's own spread, halved by the root's derivative.
    let [third, fourth] = [sums.third / years, sums.fourth / years];
    let square = sums.second / years;
    let centred = fourth - 4.0 * mean * third + 6.0 * mean * mean * square - 3.0 * mean * mean * mean * mean;
    let sd_error =
        if sd > 0.0 { ((centred - variance * variance).max(0.0) / years).sqrt() / (2.0 * sd) } else { 0.0 };
    Moments { mean, mean_error: (of_product / years).sqrt(), sd, sd_error }
}

/// Quantile and tail mean at a level, each with its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Level, inside (0, 1).
    pub level: f64,
    /// Value at risk: the lower quantile.
    pub var: f64,
    /// Its standard error.
    pub var_error: f64,
    /// Mean of the worst `1 - level` of the years.
    pub tvar: f64,
    /// Its standard error.
    pub tvar_error: f64,
}

/// A distribution as bins, from the top down.
#[derive(Clone, Debug)]
pub struct Distribution<'a> {
    bins: &'a [Bin],
    /// Weight above each bin.
    above: Vec<f64>,
    /// Weighted amount above each bin.
    amount: Vec<f64>,
    /// Squared weight above each bin.
    square: Vec<f64>,
    /// Squared weight times amount, and times squared amount, above each bin.
    cross: Vec<[f64; 2]>,
    years: f64,
}

impl<'a> Distribution<'a> {
    /// From bins, smallest amounts first, of so many years.
    pub fn new(bins: &'a [Bin], years: f64) -> Self {
        let n = bins.len();
        let (mut above, mut amount, mut square, mut cross) =
            (vec![0.0; n], vec![0.0; n], vec![0.0; n], vec![[0.0; 2]; n]);
        for i in (0..n.saturating_sub(1)).rev() {
            let bin = &bins[i + 1];
            let (w, w2) = (bin.weight as f64 / ONE as f64, bin.square as f64 / ONE as f64);
            let middle = mean(bin);
            above[i] = above[i + 1] + w;
            amount[i] = amount[i + 1] + w * middle;
            square[i] = square[i + 1] + w2;
            cross[i] = [cross[i + 1][0] + w2 * middle, cross[i + 1][1] + w2 * middle * middle];
        }
        Self { bins, above, amount, square, cross, years }
    }

    /// Probability of an amount above zero, and its standard error.
    pub fn positive(&self) -> (f64, f64) {
        self.exceeds(0.0)
    }

    /// Probability of an amount above `x`, with its standard error. Bins that `x` divides count by proportion.
    pub fn exceeds(&self, x: f64) -> (f64, f64) {
        let Some(i) = self.bins.iter().rposition(|b| b.low <= x) else {
            let all = |f: fn(&Bin) -> u64| self.bins.iter().fold(0.0, |s, b| s + f(b) as f64 / ONE as f64);
            return self.proportion(all(|b| b.weight), all(|b| b.square));
        };
        let bin = &self.bins[i];
        let part = above_within(bin, x) / bin.weight.max(1) as f64;
        let weight = self.above[i] + part * bin.weight as f64 / ONE as f64;
        let square = self.square[i] + part * bin.square as f64 / ONE as f64;
        self.proportion(weight, square)
    }

    fn proportion(&self, weight: f64, square: f64) -> (f64, f64) {
        let p = weight / self.years;
        (p.min(1.0), ((square / self.years - p * p).max(0.0) / self.years).sqrt())
    }

    /// The bin in which the weight from the top reaches `target`, and how much of the bin that takes.
    fn at(&self, target: f64) -> (usize, f64) {
        // `above` falls with the index: the first bin above which less than the target lies.
        let i = self.above.partition_point(|&a| a >= target).min(self.bins.len() - 1);
        (i, (target - self.above[i]).max(0.0))
    }

    /// The amount that years of this weight exceed.
    fn quantile(&self, target: f64) -> f64 {
        let (i, inside) = self.at(target.max(0.0));
        let bin = &self.bins[i];
        quantile_within(bin, inside * ONE as f64)
    }

    /// Quantile and tail mean at a level. None without years.
    pub fn level(&self, level: f64) -> Option<Level> {
        if self.bins.is_empty() {
            return None;
        }
        let share = 1.0 - level;
        let target = share * self.years;
        let (i, inside) = self.at(target);
        let var = self.quantile(target);
        let bin = &self.bins[i];
        let tail_amount = self.amount[i] + amount_within(bin, inside * ONE as f64) / ONE as f64;
        let tvar = (tail_amount / target).max(var);
        // The weight beyond the quantile has this standard deviation; half the distance between the quantiles that far
        // above and below is the quantile's own.
        let part = if bin.weight > 0 { (inside * ONE as f64 / bin.weight as f64).min(1.0) } else { 0.0 };
        let bin_square = part * bin.square as f64 / ONE as f64;
        let middle = 0.5 * (bin.high + var);
        let square = self.square[i] + bin_square;
        let spread = (square - target * target / self.years).max(0.0).sqrt();
        let var_error = 0.5 * (self.quantile(target - spread) - self.quantile(target + spread));
        // Influence of a year on the tail mean: its excess over the quantile.
        let cross = [self.cross[i][0] + bin_square * middle, self.cross[i][1] + bin_square * middle * middle];
        let squares = (cross[1] - 2.0 * var * cross[0] + var * var * square).max(0.0);
        let excess = tail_amount - var * target;
        let tvar_error = (squares - excess * excess / self.years).max(0.0).sqrt() / target;
        Some(Level { level, var, var_error: var_error.max(0.0), tvar, tvar_error })
    }

    /// All of [`LEVELS`].
    pub fn levels(&self) -> Vec<Level> {
        LEVELS.iter().filter_map(|&l| self.level(l)).collect()
    }

    /// Points of the exceedance curve: amount, probability of more, standard error; about `points` of them, evenly in
    /// the logarithm of the probability down to the rarest year.
    pub fn curve(&self, points: usize) -> Vec<[f64; 3]> {
        if self.bins.is_empty() {
            return vec![];
        }
        let positive = self.positive().0;
        let rarest = 1.0 / self.years;
        if positive <= rarest {
            return vec![];
        }
        let step = libm::log(rarest / positive) / (points.max(2) - 1) as f64;
        let mut curve: Vec<[f64; 3]> = vec![];
        for k in 0..points {
            let p = positive * libm::exp(step * k as f64);
            let x = self.quantile(p * self.years);
            if curve.last().is_none_or(|last| x > last[0]) {
                let (p, error) = self.exceeds(x);
                curve.push([x, p, error]);
            }
        }
        curve
    }
}

/// Weight strictly between a bin's ends; it is taken as spread evenly.
fn between(bin: &Bin) -> f64 {
    (bin.weight - bin.at_low - bin.at_high) as f64
}

/// Mean amount of a bin.
fn mean(bin: &Bin) -> f64 {
    if bin.weight == 0 {
        return bin.low;
    }
    let sum = between(bin) * 0.5 * (bin.low + bin.high)
        + bin.at_low as f64 * bin.low
        + bin.at_high as f64 * bin.high;
    sum / bin.weight as f64
}

/// Weight of a bin that is above `x`, which is not below its low end.
fn above_within(bin: &Bin, x: f64) -> f64 {
    if x >= bin.high {
        return 0.0;
    }
    bin.at_high as f64 + between(bin) * (bin.high - x) / (bin.high - bin.low)
}

/// The amount that `weight` of a bin exceeds or equals, from its top.
fn quantile_within(bin: &Bin, weight: f64) -> f64 {
    let inside = weight - bin.at_high as f64;
    let between = between(bin);
    if inside <= 0.0 && bin.at_high > 0 {
        bin.high
    } else if inside >= between {
        bin.low
    } else {
        bin.high - inside.max(0.0) / between * (bin.high - bin.low)
    }
}

/// Sum of weight times amount over the top `weight` of a bin.
fn amount_within(bin: &Bin, weight: f64) -> f64 {
    let high = weight.min(bin.at_high as f64);
    let between = between(bin);
    let middle = (weight - high).min(between);
    let low = weight - high - middle;
    let ends =
        bin.high + (bin.high - if between > 0.0 { middle / between * (bin.high - bin.low) } else { 0.0 });
    high * bin.high + middle * 0.5 * ends + low * bin.low
}
