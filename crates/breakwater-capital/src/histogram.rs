//! The distribution of a yearly amount, in bounded memory, whatever the order in which years arrive.
//!
//! Bins are as wide as a 256th to a 512th of the amounts in them. Each keeps how much weight fell into it and the least and the
//! greatest amount seen, so that an atom (the plateau of a stop loss) is met exactly and a bin with one year in it is
//! that year. Weights are counted in integers: sums do not depend on the order, so neither on threads nor on processes.

use serde::{Deserialize, Serialize};

/// Mantissa bits that choose a bin within an octave.
const BIN_BITS: u32 = 8;
const PAGE: usize = 1 << BIN_BITS;
/// Weight one.
pub const ONE: u64 = 1 << 28;

/// A bin that was hit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Sum of weights, in units of `1 / ONE`.
    pub weight: u64,
    /// Sum of squared weights, in the same unit.
    pub square: u64,
    /// Least amount.
    pub low: f64,
    /// Greatest amount.
    pub high: f64,
    /// Weight of the years that had exactly the least amount.
    pub at_low: u64,
    /// Weight of the years that had exactly the greatest, where that is another.
    pub at_high: u64,
}

/// Weights, each at most about 6, and their squares, in integer units: once for all variables of a block.
pub fn units(weights: &[f64], units: &mut Vec<[u64; 2]>) {
    units.clear();
    // Rounded down to 2^-28, which is far below a weight's own sampling error.
    units.extend(weights.iter().map(|&w| [(w * ONE as f64) as u64, (w * w * ONE as f64) as u64]));
}

/// What is touched for every year: kept small, so that the bins in use stay in the nearest cache.
#[derive(Clone, Copy, Debug)]
struct Hot {
    weight: u64,
    /// Ends in single precision, which is how finely amounts are told apart.
    low: f32,
    high: f32,
}

/// What is touched when a year falls on an end of its bin, or has a weight.
#[derive(Clone, Copy, Debug, Default)]
struct Cold {
    square: u64,
    at_low: u64,
    at_high: u64,
}

const EMPTY: Hot = Hot { weight: 0, low: f32::INFINITY, high: f32::NEG_INFINITY };

/// Widens a bin, or counts at an end of it.
// At most 2^31 years of squared weight at most 6 on average: no sum reaches 2^64.
fn end(hot: &mut Hot, cold: &mut Cold, amount: f32, weight: u64) {
    if hot.low > hot.high {
        (hot.low, hot.high) = (amount, amount);
        cold.at_low = weight;
    } else if amount < hot.low {
        if hot.low == hot.high {
            cold.at_high = cold.at_low;
        }
        hot.low = amount;
        cold.at_low = weight;
    } else if amount == hot.low {
        cold.at_low += weight;
    } else if amount > hot.high {
        hot.high = amount;
        cold.at_high = weight;
    } else {
        cold.at_high += weight;
    }
}

/// A histogram of amounts of at least zero.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// Weight, and square of the weight, of years with nothing.
    zero: (u64, u64),
    /// Bins from octave `first` on, as many octaves as were hit.
    hot: Vec<Hot>,
    cold: Vec<Cold>,
    first: u32,
    /// Whether squares are kept; while all years have weight one, a bin's squares are its weights.
    squares: bool,
}

impl Histogram {
    /// Counts years of weight one.
    pub fn count_all(&mut self, amounts: &[f64]) {
        if self.squares {
            return amounts.iter().for_each(|&amount| self.add(amount as f32, ONE, ONE));
        }
        let mut some = [0.0f32; 256];
        for chunk in amounts.chunks(256) {
            let positive =
                chunk.iter().fold(0, |n, &amount| n + u32::from(amount as f32 >= f32::MIN_POSITIVE));
            self.zero.0 += (chunk.len() as u64 - u64::from(positive)) * ONE;
            self.zero.1 += (chunk.len() as u64 - u64::from(positive)) * ONE;
            // Zeros, and amounts below every normal number, are left out: where they are many, without a branch.
            let mut count = 0;
            if positive as usize == chunk.len() {
                some.iter_mut().zip(chunk).for_each(|(some, &amount)| *some = amount as f32);
                count = chunk.len();
            } else {
                for &amount in chunk {
                    let amount = amount as f32;
                    some[count & 255] = amount;
                    count += usize::from(amount >= f32::MIN_POSITIVE);
                }
            }
            for &amount in &some[..count] {
                let index = self.index(amount);
                let bin = &mut self.hot[index];
                // The sum's bound is named at `end`.
                bin.weight = bin.weight.wrapping_add(ONE);
                // After the first years of a bin almost all fall strictly between its ends.
                if amount <= bin.low || amount >= bin.high {
                    end(bin, &mut self.cold[index], amount, ONE);
                }
            }
        }
    }

    /// Counts years of other weights, which [`units`] gave.
    pub fn count_weighted(&mut self, amounts: &[f64], units: &[[u64; 2]]) {
        self.keep_squares();
        for (&amount, &[weight, square]) in amounts.iter().zip(units) {
            self.add(amount as f32, weight, square);
        }
    }

    fn add(&mut self, amount: f32, weight: u64, square: u64) {
        if amount < f32::MIN_POSITIVE {
            self.zero.0 += weight;
            self.zero.1 += square;
            return;
        }
        let index = self.index(amount);
        let (bin, cold) = (&mut self.hot[index], &mut self.cold[index]);
        bin.weight += weight;
        cold.square += square;
        if amount <= bin.low || amount >= bin.high {
            end(bin, cold, amount, weight);
        }
    }

    /// The bin of a positive amount.
    #[inline(always)]
    fn index(&mut self, amount: f32) -> usize {
        let bits = amount.to_bits();
        // Where the octave is not there yet the subtraction wraps to an index that is not there either.
        let index = (bits >> (23 - BIN_BITS)).wrapping_sub(self.first << BIN_BITS) as usize;
        if index < self.hot.len() {
            return index;
        }
        self.make(bits >> 23);
        ((bits >> (23 - BIN_BITS)) - (self.first << BIN_BITS)) as usize
    }

    /// Makes room for an octave.
    #[cold]
    #[inline(never)]
    fn make(&mut self, octave: u32) {
        if self.hot.is_empty() {
            self.first = octave;
        }
        let last = self.first + (self.hot.len() / PAGE) as u32;
        if octave < self.first {
            let more = (self.first - octave) as usize * PAGE;
            self.hot.splice(0..0, std::iter::repeat_n(EMPTY, more));
            self.cold.splice(0..0, std::iter::repeat_n(Cold::default(), more));
            self.first = octave;
        } else if octave >= last {
            let len = (octave + 1 - self.first) as usize * PAGE;
            self.hot.resize(len, EMPTY);
            self.cold.resize(len, Cold::default());
        }
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Self) {
        other.bins().iter().for_each(|bin| self.merge_bin(bin));
    }

    /// From here on squares are sums of their own.
    fn keep_squares(&mut self) {
        if !self.squares {
            self.hot.iter().zip(&mut self.cold).for_each(|(hot, cold)| cold.square = hot.weight);
            self.squares = true;
        }
    }

    fn merge_bin(&mut self, other: &Bin) {
        self.keep_squares();
        let (low, high) = (other.low as f32, other.high as f32);
        if low < f32::MIN_POSITIVE {
            self.zero.0 += other.weight;
            self.zero.1 += other.square;
            return;
        }
        let index = self.index(low);
        let (bin, cold) = (&mut self.hot[index], &mut self.cold[index]);
        bin.weight += other.weight;
        cold.square += other.square;
        // An end that lies inside the other's ends is an end no more, and counts at none.
        if low <= bin.low || low >= bin.high {
            end(bin, cold, low, other.at_low);
        }
        if high > low && (high <= bin.low || high >= bin.high) {
            end(bin, cold, high, other.at_high);
        }
    }

    /// The bins that were hit, smallest amounts first.
    pub fn bins(&self) -> Vec<Bin> {
        let zero = Bin {
            weight: self.zero.0,
            square: self.zero.1,
            low: 0.0,
            high: 0.0,
            at_low: self.zero.0,
            at_high: 0,
        };
        let of = |(hot, cold): (&Hot, &Cold)| Bin {
            weight: hot.weight,
            square: if self.squares { cold.square } else { hot.weight },
            low: f64::from(hot.low),
            high: f64::from(hot.high),
            at_low: cold.at_low,
            at_high: cold.at_high,
        };
        let hit = self.hot.iter().zip(&self.cold).filter(|b| b.0.low <= b.0.high).map(of);
        std::iter::once(zero).filter(|z| z.weight > 0).chain(hit).collect()
    }

    /// A histogram from bins that [`Self::bins`] gave.
    pub fn from_bins(bins: &[Bin]) -> Self {
        let mut all = Self::default();
        bins.iter().for_each(|bin| all.merge_bin(bin));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Few amounts to a bin, so that ends are met, and many bins.
    fn amounts() -> Vec<f64> {
        let step = |i: u64| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) % 97;
        (0..4000).map(|i| step(i) as f64 * (1.0 + step(i + 7) as f64 * 1e-5)).collect()
    }

    #[test]
    fn merging_parts_is_counting_the_whole() {
        let amounts = amounts();
        let mut whole = Histogram::default();
        whole.count_all(&amounts);
        for size in [1, 3, 64, 999, 4000] {
            let mut forwards = Histogram::default();
            let mut backwards = Histogram::default();
            let parts: Vec<Histogram> = amounts
                .chunks(size)
                .map(|part| {
                    let mut own = Histogram::default();
                    own.count_all(part);
                    Histogram::from_bins(&own.bins())
                })
                .collect();
            parts.iter().for_each(|part| forwards.merge(part));
            parts.iter().rev().for_each(|part| backwards.merge(part));
            assert_eq!(forwards.bins(), whole.bins(), "parts of {size}");
            assert_eq!(backwards.bins(), whole.bins(), "parts of {size}, the last one first");
        }
    }
}
