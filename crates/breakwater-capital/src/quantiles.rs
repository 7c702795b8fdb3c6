//! Draws from a severity by its quantile function, tabulated.
//!
//! The table is indexed by the bits of the upper probability `v` as a 32-bit float: equal cells within each octave, so
//! that the tail is as finely resolved as the body. A cell where a straight line is not good enough (a gap in the
//! support, strong curvature, the far tail) is marked, and its draws are computed exactly.

use crate::severity::Distribution;

/// Mantissa bits that choose a cell within an octave.
const CELL_BITS: u32 = 9;
/// Octaves that are tabulated; `v` below `2^-OCTAVES` is computed exactly.
const OCTAVES: u32 = 12;
/// Bits of position within a cell.
const POSITION_BITS: u32 = 23 - CELL_BITS;
/// Index, in units of cells, of the first tabulated float, less one for the cell of everything below.
const BASE: u32 = ((127 - OCTAVES) << CELL_BITS) - 1;
/// One cell below, the tabulated ones, and one for `v = 1`.
const USED: usize = (OCTAVES << CELL_BITS) as usize + 2;
/// Length of the table: a power of two, so that an index is masked rather than checked.
pub const CELLS: usize = USED.next_power_of_two();

/// `2^-31`.
const HALF_WORD: f32 = 1.0 / 2_147_483_648.0;

/// A tabulated quantile function: value at a cell's lower end and difference to its upper end.
#[derive(Clone, Debug)]
pub struct Quantiles {
    cells: Box<[[f32; 2]; CELLS]>,
    exact: Distribution,
    /// Probability of a draw that is computed exactly.
    pub exact_share: f64,
}

impl Quantiles {
    /// Tabulates a law.
    pub fn new(law: &Distribution) -> Self {
        let mut cells = Box::new([[f32::NAN; 2]; CELLS]);
        let jumps = law.jumps();
        let mean = law.limited_mean(law.max().min(1e300));
        let mut exact_share = libm::scalbn(1.0, -(OCTAVES as i32));
        let mut upper = law.upper_quantile(edge(1));
        for index in 1..USED - 1 {
            let (low, high) = (edge(index), edge(index + 1));
            // Quantiles fall as v rises; `upper` is the value at the lower v.
            let lower = law.upper_quantile(high);
            let middle = law.upper_quantile(0.5 * (low + high));
            let bend = (middle - 0.5 * (upper + lower)).abs();
            let gap = jumps.iter().any(|&v| v > low && v < high);
            if !gap && bend * (high - low) <= 1e-7 * mean && bend <= 0.01 * middle.max(mean) {
                cells[index] = [upper as f32, (lower - upper) as f32];
            } else {
                exact_share += high - low;
            }
            upper = lower;
        }
        cells[USED - 1] = [law.upper_quantile(1.0) as f32, 0.0];
        Self { cells, exact: law.clone(), exact_share }
    }

    /// The value that 32 random bits draw among the greatest `share` of values; not a number if it must be computed by
    /// [`Self::exact`].
    #[inline(always)]
    pub fn draw(&self, bits: u32, share: f32) -> f32 {
        // 31 bits, which is what a conversion to floats has in every vector unit.
        self.at((bits >> 1) as i32 as f32 * (share * HALF_WORD))
    }

    /// The value that is exceeded with probability `v`, from 0 to 1; not a number if the table does not know.
    #[inline(always)]
    pub fn at(&self, v: f32) -> f32 {
        let float = v.to_bits();
        let index = (float >> POSITION_BITS).max(BASE) - BASE;
        let position =
            (float & ((1 << POSITION_BITS) - 1)) as i32 as f32 * (1.0 / (1 << POSITION_BITS) as f32);
        let [value, difference] = self.cells[index as usize & (CELLS - 1)];
        value + position * difference
    }

    /// The same value, from the law itself.
    #[cold]
    pub fn exact(&self, bits: u32, share: f32) -> f32 {
        let middle = (f64::from(bits >> 1) + 0.5) * f64::from(HALF_WORD);
        self.exact_at(middle * f64::from(share))
    }

    /// The value that is exceeded with probability `v`, from the law itself.
    #[cold]
    pub fn exact_at(&self, v: f64) -> f32 {
        self.exact.upper_quantile(v) as f32
    }
}

/// The upper probability at which a tabulated cell begins.
fn edge(index: usize) -> f64 {
    f64::from(f32::from_bits((BASE + index as u32) << POSITION_BITS))
}
