//! Cells: ranges of a product's severity within which a tilted law keeps the nominal one.
//!
//! A claim of a tilted year draws its product and cell together from one alias table and its place in the cell evenly,
//! so that it costs little more than a nominal claim. What a cell adds to a year's score is a whole number of
//! `2^-UNIT_BITS`: the likelihood ratio is then exact, for the law is made from the very numbers that are summed.

use crate::{
    flat::tables::{Layer, Tables},
    model::{Model, Terms},
    quantiles::Quantiles,
    tilt::cumulant::{OCTAVES, Score, kept},
};

/// Binary digits of a score after its point.
pub(super) const UNIT_BITS: u32 = 10;
/// The most that a cell adds to a score: any law whose ratio is known will do, and sums must fit 32 bits.
const LARGEST: f64 = 32.0;
/// Parts of an octave that are told apart before cells are joined.
const PARTS: u32 = 4;
/// Scores may differ by so much within a cell.
const JOINED: f64 = 0.25;
/// More cells than this are joined further.
const MOST: usize = 1 << 20;

/// A range of upper probabilities of one product's severity, and what its losses pay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// Where it begins.
    low: f32,
    /// Its length over `2^31`.
    step: f32,
    slope: f32,
    intercept: f32,
    limit: f32,
    law: u32,
    /// What a claim adds to the year's scores: one score in each half.
    pub(super) scores: u64,
}

/// `2^31`.
const HALF_WORD: f32 = 2_147_483_648.0;

impl Cell {
    /// The upper probability that 32 evenly distributed bits choose within the cell.
    #[inline(always)]
    fn place(&self, bits: u32) -> f32 {
        self.low + (bits >> 1) as i32 as f32 * self.step
    }

    #[inline(always)]
    fn payout(&self, x: f32) -> f32 {
        let paid = x * self.slope - self.intercept;
        // Both comparisons keep "not a number", which marks a draw that is still to be computed.
        let paid = if paid < 0.0 { 0.0 } else { paid };
        if paid > self.limit { self.limit } else { paid }
    }

    /// What a claim in the cell pays; not a number if the tables do not know.
    #[inline(always)]
    pub(super) fn draw(&self, laws: &[Quantiles], bits: u32) -> f32 {
        self.payout(laws[self.law as usize].at(self.place(bits)))
    }

    /// The same where there is one law.
    #[inline(always)]
    pub(super) fn draw_of(&self, law: &Quantiles, bits: u32) -> f32 {
        self.payout(law.at(self.place(bits)))
    }

    /// The same, computed.
    #[cold]
    pub(super) fn exact(&self, laws: &[Quantiles], bits: u32) -> f32 {
        // The middle of what these bits stand for: never 0, where the law may be infinite.
        let v = f64::from(self.low) + (f64::from(bits >> 1) + 0.5) * f64::from(self.step);
        self.payout(laws[self.law as usize].exact_at(v))
    }

    /// Probability of the cell under the nominal law.
    pub(super) fn mass(&self) -> f64 {
        f64::from(self.step) * f64::from(HALF_WORD)
    }

    /// `exp` of the score in the half at `shift`.
    pub(super) fn factor(&self, shift: u32) -> f64 {
        factor((self.scores >> shift) as u32)
    }
}

/// `exp` of a score.
pub(super) fn factor(score: u32) -> f64 {
    libm::exp(f64::from(score) / f64::from(1u32 << UNIT_BITS))
}

/// A score in units.
pub(super) fn units(score: f64) -> u32 {
    (score.clamp(0.0, LARGEST) * f64::from(1u32 << UNIT_BITS) + 0.5) as u32
}

/// Where the finest cells begin, most severe first.
fn edges(parts: u32) -> Vec<u32> {
    let mut edges = vec![0];
    for octave in (0..OCTAVES).rev() {
        let low = 1u32 << (31 - octave);
        edges.extend((0..parts).map(|part| low + (low / parts) * part));
    }
    edges
}

/// Share lost in the cells between edges: the mean of two draws.
fn shares(law: &Quantiles, edges: &[u32]) -> Vec<f64> {
    let draw = |bits: u32| {
        let x = law.draw(bits, 1.0);
        f64::from(if x.is_nan() { law.exact(bits, 1.0) } else { x })
    };
    ends(edges).map(|(low, more)| 0.5 * (draw(low + more / 4) + draw(low + more / 4 * 3))).collect()
}

/// Beginning and number of words less one of each range.
fn ends(edges: &[u32]) -> impl Iterator<Item = (u32, u32)> {
    let next = edges.iter().skip(1).copied().chain([0]);
    // The last range ends with the last word: one before zero, modulo 2^32.
    edges.iter().copied().zip(next).map(|(low, next)| (low, next.wrapping_sub(low).wrapping_sub(1)))
}

/// Payouts of all products in coarse cells, and the cells' probabilities.
pub(super) fn coarse(model: &Model, tables: &Tables) -> (Vec<f64>, Vec<f64>) {
    let edges = edges(1);
    let masses = ends(&edges).map(|(_, more)| (f64::from(more) + 1.0) / 4_294_967_296.0).collect();
    let laws: Vec<Vec<f64>> = tables.laws.iter().map(|law| shares(law, &edges)).collect();
    let amounts =
        model.products.iter().flat_map(|p| laws[p.severity].iter().map(|&x| p.terms.payout(x))).collect();
    (masses, amounts)
}

/// Cells of every product.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    pub(super) all: Vec<Cell>,
    /// Where each product's cells begin; one more entry than products.
    pub(super) starts: Vec<u32>,
}

impl Cells {
    /// Cells fine enough for two scores, each with its tilt; a tilt of 0 is none.
    pub(super) fn new(model: &Model, tables: &Tables, tilts: [(Score, f64); 2]) -> Self {
        let edges = edges(PARTS);
        let laws: Vec<Vec<f64>> = tables.laws.iter().map(|law| shares(law, &edges)).collect();
        let ranges: Vec<(u32, u32)> = ends(&edges).collect();
        let mut joined = JOINED;
        loop {
            let mut cells = Self { all: vec![], starts: vec![0] };
            for p in &model.products {
                // Claims that pay nothing are not drawn: words from here on.
                let free = p.terms.intercept / p.terms.slope;
                let paid = model.severities[p.severity].survival(free.max(0.0));
                let cut = (paid * 4_294_967_296.0 + 2.0).min(4_294_967_296.0) as u64;
                let ranges = ranges.iter().filter(|r| u64::from(r.0) < cut).map(|&(low, more)| {
                    // A range that the cut divides ends there.
                    (low, u64::from(more).min(cut - 1 - u64::from(low)) as u32)
                });
                let ranges: Vec<(u32, u32)> = ranges.collect();
                cells.product(
                    &p.terms,
                    p.severity,
                    &laws[p.severity],
                    &ranges,
                    &tables.layers,
                    tilts,
                    joined,
                );
                cells.starts.push(cells.all.len() as u32);
            }
            // A whole product in one cell is the least there can be.
            if cells.all.len() <= MOST.max(model.products.len()) {
                return cells;
            }
            joined *= 2.0;
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn product(
        &mut self,
        terms: &Terms,
        law: usize,
        shares: &[f64],
        ranges: &[(u32, u32)],
        layers: &[Layer],
        tilts: [(Score, f64); 2],
        joined: f64,
    ) {
        let scores = |x: f64| {
            let amount = terms.payout(x);
            tilts.map(|(score, eta)| match score {
                Score::Gross => eta * amount,
                Score::Net if eta > 0.0 => eta * kept(layers, amount),
                Score::Net => 0.0,
            })
        };
        let mut first = 0;
        let mut at_first = scores(shares[0]);
        let mut sum = [0.0; 2];
        for index in 0..=ranges.len() {
            let here = ranges.get(index).map(|_| scores(shares[index]));
            let apart = here.is_none_or(|h| (0..2).any(|i| (h[i] - at_first[i]).abs() > joined));
            if apart {
                let (low, last) = (ranges[first].0, ranges[index - 1]);
                let more = last.0 - low + last.1;
                let words = f64::from(more) + 1.0;
                let [a, b] = sum.map(|s| units(s / words));
                self.all.push(Cell {
                    low: low as f32 * (0.5 / HALF_WORD),
                    step: (words / 4_294_967_296.0) as f32 / HALF_WORD,
                    slope: terms.slope as f32,
                    intercept: terms.intercept as f32,
                    limit: terms.limit as f32,
                    law: law as u32,
                    scores: u64::from(a) | u64::from(b) << 32,
                });
                (first, sum) = (index, [0.0; 2]);
            }
            if let Some(here) = here {
                if first == index {
                    at_first = here;
                }
                let words = f64::from(ranges[index].1) + 1.0;
                (0..2).for_each(|i| sum[i] += words * here[i]);
            }
        }
    }

    /// The cells of one product. Together they are the words that pay something.
    pub(super) fn of(&self, product: usize) -> &[Cell] {
        &self.all[self.starts[product] as usize..self.starts[product + 1] as usize]
    }
}
