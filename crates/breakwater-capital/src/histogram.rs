//! The distribution of a yearly amount, in bounded memory, whatever the order in which years arrive.
//!
//! Bins are as wide as a five-hundredth of the amounts in them. Each keeps how much weight fell into it and the least and the
//! greatest amount seen, so that an atom (the plateau of a stop loss) is met exactly and a bin with one year in it is
//! that year. Weights are counted in integers: sums do not depend on the order, so neither on threads nor on processes.

use serde::{Deserialize, Serialize};

/// Mantissa bits that choose a bin within an octave.
const BIN_BITS: u32 = 9;
const PAGE: usize = 1 << BIN_BITS;
/// Weight one.
pub const ONE: u64 = 1 << 32;

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

const EMPTY: Bin =
    Bin { weight: 0, square: 0, low: f64::INFINITY, high: f64::NEG_INFINITY, at_low: 0, at_high: 0 };

impl Bin {
    // At most 2^31 years of weight at most two: no sum reaches 2^64, so sums wrap nowhere.
    #[inline(always)]
    fn add(&mut self, amount: f64, weight: u64, square: u64) {
        self.weight = self.weight.wrapping_add(weight);
        self.square = self.square.wrapping_add(square);
        // After the first years of a bin almost all fall strictly between its ends.
        if amount <= self.low || amount >= self.high {
            self.end(amount, weight);
        }
    }

    /// Widens the bin, or counts at an end.
    fn end(&mut self, amount: f64, weight: u64) {
        if self.low > self.high {
            (self.low, self.high) = (amount, amount);
            self.at_low = weight;
        } else if amount < self.low {
            if self.low == self.high {
                self.at_high = self.at_low;
            }
            self.low = amount;
            self.at_low = weight;
        } else if amount == self.low {
            self.at_low = self.at_low.wrapping_add(weight);
        } else if amount > self.high {
            self.high = amount;
            self.at_high = weight;
        } else {
            self.at_high = self.at_high.wrapping_add(weight);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.weight += other.weight;
        self.square += other.square;
        self.end(other.low, other.at_low);
        if other.high > other.low {
            self.end(other.high, other.at_high);
        }
    }
}

/// A histogram of amounts of at least zero.
#[derive(Clone, Debug)]
pub struct Histogram {
    zero: Bin,
    /// Bins from octave `first` on, as many octaves as were hit.
    bins: Vec<Bin>,
    first: u32,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { zero: EMPTY, bins: vec![], first: 0 }
    }
}

impl Histogram {
    /// Counts years of weight one.
    pub fn count_all(&mut self, amounts: &[f64]) {
        let mut some = [0.0; 256];
        for chunk in amounts.chunks(256) {
            let positive = chunk.iter().fold(0, |n, &amount| n + u32::from(amount > 0.0));
            let zeros = (chunk.len() as u64 - u64::from(positive)) * ONE;
            if zeros > 0 {
                self.zero.add(0.0, zeros, zeros);
            }
            // Where a good part is zero, the others are collected without a branch.
            let mut count = 0;
            let few = (positive as usize) < chunk.len() - chunk.len() / 8;
            if few {
                for &amount in chunk {
                    some[count & 255] = amount;
                    count += usize::from(amount > 0.0);
                }
            }
            let chosen = if few { &some[..count] } else { chunk };
            chosen.iter().filter(|a| **a > 0.0).for_each(|&amount| self.bin(amount).add(amount, ONE, ONE));
        }
    }

    /// Counts a year of another weight, at most 2.
    #[inline]
    pub fn count_weighted(&mut self, amount: f64, weight: f64) {
        // Rounded down to 2^-32, which is far below a weight's own sampling error.
        let units = (weight * ONE as f64) as u64;
        let square = (weight * weight * ONE as f64) as u64;
        self.bin(amount).add(amount, units, square);
    }

    #[inline(always)]
    fn bin(&mut self, amount: f64) -> &mut Bin {
        let bits = (amount as f32).to_bits();
        // Zeros, and amounts below every normal float, are one bin.
        if amount <= 0.0 || bits >> 23 == 0 {
            return &mut self.zero;
        }
        // Where the octave is not there yet the subtraction wraps to an index that is not there either.
        let mut index = (bits >> (23 - BIN_BITS)).wrapping_sub(self.first << BIN_BITS) as usize;
        if index >= self.bins.len() {
            self.make(bits >> 23);
            index = ((bits >> (23 - BIN_BITS)) - (self.first << BIN_BITS)) as usize;
        }
        &mut self.bins[index]
    }

    /// Makes room for an octave.
    #[cold]
    #[inline(never)]
    fn make(&mut self, octave: u32) {
        if self.bins.is_empty() {
            self.first = octave;
        }
        let last = self.first + (self.bins.len() / PAGE) as u32;
        if octave < self.first {
            let more = (self.first - octave) as usize * PAGE;
            self.bins.splice(0..0, std::iter::repeat_n(EMPTY, more));
            self.first = octave;
        } else if octave >= last {
            let more = (octave + 1 - last) as usize * PAGE;
            self.bins.extend(std::iter::repeat_n(EMPTY, more));
        }
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: &Self) {
        self.zero.merge(&other.zero);
        for bin in other.bins.iter().filter(|b| b.low.is_finite()) {
            self.bin(bin.low).merge(bin);
        }
    }

    /// The bins that were hit, smallest amounts first.
    pub fn bins(&self) -> Vec<Bin> {
        std::iter::once(&self.zero).chain(&self.bins).filter(|b| b.low.is_finite()).copied().collect()
    }

    /// A histogram from bins that [`Self::bins`] gave.
    pub fn from_bins(bins: &[Bin]) -> Self {
        let mut all = Self::default();
        for bin in bins {
            all.bin(bin.low).merge(bin);
        }
        all
    }
}
