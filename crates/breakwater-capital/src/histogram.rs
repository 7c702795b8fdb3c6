//! The distribution of a yearly amount, in bounded memory, whatever the order in which years arrive.
//!
//! Bins are as wide as a thousandth of the amounts in them. Each keeps how much weight fell into it and the least and the
//! greatest amount seen, so that an atom (the plateau of a stop loss) is met exactly and a bin with one year in it is
//! that year. Weights are counted in integers: sums do not depend on the order, so neither on threads nor on processes.

use serde::{Deserialize, Serialize};

/// Mantissa bits that choose a bin within an octave.
const BIN_BITS: u32 = 10;
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
}

const EMPTY: Bin = Bin { weight: 0, square: 0, low: f64::INFINITY, high: f64::NEG_INFINITY };

impl Bin {
    #[inline(always)]
    fn add(&mut self, amount: f64, weight: u64, square: u64) {
        // At most 2^31 years of weight at most two: no sum reaches 2^64.
        self.weight = self.weight.wrapping_add(weight);
        self.square = self.square.wrapping_add(square);
        self.low = if amount < self.low { amount } else { self.low };
        self.high = if amount > self.high { amount } else { self.high };
    }

    fn merge(&mut self, other: &Self) {
        self.weight += other.weight;
        self.square += other.square;
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
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
    /// Counts a year of weight one.
    #[inline(always)]
    pub fn count(&mut self, amount: f64) {
        self.bin(amount).add(amount, ONE, ONE);
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
