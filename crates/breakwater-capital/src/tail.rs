//! The years beyond a level, with the claims in them: what allocation looks at.
//!
//! Of each block the worst years are kept, many more than the level needs. As blocks arrive in order, years that are
//! beyond doubt inside the tail are folded into sums and years that are beyond doubt outside are dropped, so that memory
//! stays bounded however many years there are; only what may still be the quantile is held.

use serde::{Deserialize, Serialize};

/// A claim of a kept year.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Index of the product.
    pub product: u32,
    /// 0 for an attack on the product alone, else one more than the cluster's index.
    pub cause: u32,
    /// What it pays.
    pub amount: f32,
}

/// A kept year.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The year's weight.
    pub weight: f64,
    /// The amount the years are ranked by.
    pub key: f64,
    /// All variables of the year, in the engine's order.
    pub values: Vec<f64>,
    /// The year's claims.
    pub claims: Vec<Claim>,
}

/// How many standard deviations of a count a year must be away from the quantile to be decided early.
const SURE: f64 = 8.0;

/// How many years of a block to keep so that the worst `share` of all years are among them beyond doubt.
pub fn keep(block: usize, share: f64) -> usize {
    let expected = block as f64 * share;
    ((expected + 12.0 * expected.sqrt() + 8.0) as usize).min(block)
}

/// Sums over the tail of one amount per product, cause or variable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// Weighted sums.
    pub sum: Vec<f64>,
    /// Sums of squares of weight times amount, for standard errors.
    pub square: Vec<f64>,
    /// Sums of the squared weight times the amount.
    pub cross: Vec<f64>,
}

impl Parts {
    fn new(len: usize) -> Self {
        Self { sum: vec![0.0; len], square: vec![0.0; len], cross: vec![0.0; len] }
    }

    fn add(&mut self, index: usize, weight: f64, amount: f64) {
        let term = weight * amount;
        self.sum[index] += term;
        self.square[index] += term * term;
        self.cross[index] += weight * term;
    }
}

/// The tail beyond one level.
#[derive(Clone, Debug)]
pub struct Tail {
    share: f64,
    years: f64,
    /// Years that may be the quantile or beyond it.
    rows: Vec<Row>,
    /// No later year below this can matter.
    floor: f64,
    folded: Folded,
    sizes: [usize; 3],
}

/// What was folded.
#[derive(Clone, Debug, Default)]
struct Folded {
    weight: f64,
    key: f64,
    key_square: f64,
    key_cross: f64,
    weight_square: f64,
    products: Parts,
    causes: Parts,
    variables: Parts,
}

/// The mean of each part over the worst `share` of the years, with standard errors.
#[derive(Clone, Debug, PartialEq)]
pub struct Contributions {
    /// The quantile.
    pub var: f64,
    /// The mean of the worst `share` of the years: the sum of `products`.
    pub tvar: f64,
    /// Standard error of `tvar`.
    pub tvar_error: f64,
    /// By product.
    pub products: Vec<(f64, f64)>,
    /// By cause: own attacks, then each cluster's shocks.
    pub causes: Vec<(f64, f64)>,
    /// By variable.
    pub variables: Vec<(f64, f64)>,
}

impl Tail {
    /// The worst `share` of the years, for so many products, causes and variables.
    pub fn new(share: f64, products: usize, causes: usize, variables: usize) -> Self {
        let folded = Folded {
            products: Parts::new(products),
            causes: Parts::new(causes),
            variables: Parts::new(variables),
            ..Folded::default()
        };
        let sizes = [products, causes, variables];
        Self { share, years: 0.0, rows: vec![], floor: f64::NEG_INFINITY, folded, sizes }
    }

    /// Takes a block's worst years; `years` is the block's length. Blocks come in order.
    pub fn add(&mut self, rows: impl IntoIterator<Item = Row>, years: usize) {
        self.years += years as f64;
        let floor = self.floor;
        self.rows.extend(rows.into_iter().filter(|r| r.key >= floor));
    }

    /// Decides what can be decided of the years held. Called at fixed numbers of blocks, for the order of the sums.
    pub fn prune(&mut self, weighted: bool) {
        // Weights make counts of years mean little; weighted runs are short and hold their years.
        if weighted {
            return;
        }
        let expected = self.years * self.share;
        let doubt = SURE * expected.sqrt() + 8.0;
        self.rows.sort_by(|a, b| b.key.total_cmp(&a.key));
        let keep = ((expected + doubt - self.folded.weight).max(0.0)) as usize;
        if keep < self.rows.len() {
            self.floor = self.rows[keep].key;
            self.rows.truncate(keep + 1);
        }
        let sure = ((expected - doubt - self.folded.weight).max(0.0) as usize).min(self.rows.len());
        let rest = self.rows.split_off(sure);
        for row in std::mem::replace(&mut self.rows, rest) {
            self.folded.fold(&row, row.weight);
        }
    }

    /// The contributions. None if no year was seen, or the quantile fell among years already decided, which has a
    /// probability below 1e-14.
    pub fn finish(mut self) -> Option<Contributions> {
        let target = self.years * self.share;
        if target <= 0.0 || self.folded.weight > target {
            return None;
        }
        self.rows.sort_by(|a, b| b.key.total_cmp(&a.key));
        let mut var = None;
        let rows = std::mem::take(&mut self.rows);
        let mut near = Folded {
            products: Parts::new(self.sizes[0]),
            causes: Parts::new(self.sizes[1]),
            variables: Parts::new(self.sizes[2]),
            ..Folded::default()
        };
        for row in &rows {
            let left = target - self.folded.weight;
            if left <= 0.0 {
                break;
            }
            // The year at the quantile counts for the part that is still missing.
            let weight = row.weight.min(left);
            self.folded.fold(row, weight);
            var = Some(row.key);
        }
        // Years next to the quantile say what a product's share there is: the error of the quantile carries it over.
        let var = var?;
        let around = ((target * 0.05) as usize).clamp(10, 2000);
        let at = rows.partition_point(|r| r.key > var);
        for row in &rows[at.saturating_sub(around)..(at + around).min(rows.len())] {
            near.fold(row, row.weight);
        }
        Some(self.folded.contributions(target, self.years, var, &near))
    }
}

impl Folded {
    fn fold(&mut self, row: &Row, weight: f64) {
        self.weight += weight;
        self.weight_square += weight * weight;
        self.key += weight * row.key;
        self.key_square += (weight * row.key) * (weight * row.key);
        self.key_cross += weight * weight * row.key;
        // A product hit twice in a year is one amount of that year: squares are of years.
        let mut claims: Vec<(u32, u32, f64)> =
            row.claims.iter().map(|c| (c.product, c.cause, f64::from(c.amount))).collect();
        claims.sort_by_key(|c| c.0);
        for group in claims.chunk_by(|a, b| a.0 == b.0) {
            self.products.add(group[0].0 as usize, weight, group.iter().fold(0.0, |sum, c| sum + c.2));
        }
        claims.sort_by_key(|c| c.1);
        for group in claims.chunk_by(|a, b| a.1 == b.1) {
            self.causes.add(group[0].1 as usize, weight, group.iter().fold(0.0, |sum, c| sum + c.2));
        }
        for (index, &value) in row.values.iter().enumerate() {
            self.variables.add(index, weight, value);
        }
    }

    /// Means over the tail, and standard errors by their influence functions: a year in the tail moves a contribution
    /// by its amount less the contribution's level at the quantile.
    fn contributions(&self, target: f64, years: f64, var: f64, near: &Self) -> Contributions {
        let error = |sum: f64, square: f64, cross: f64, level: f64| {
            // Sum over tail years of w (a - level), and of its square.
            let centred = sum - level * self.weight;
            let squares = square - 2.0 * level * cross + level * level * self.weight_square;
            let variance = (squares - centred * centred / years).max(0.0);
            variance.sqrt() / target
        };
        let of = |parts: &Parts, levels: &Parts| {
            let one = |i: usize| {
                let level = if near.weight > 0.0 { levels.sum[i] / near.weight } else { 0.0 };
                (parts.sum[i] / target, error(parts.sum[i], parts.square[i], parts.cross[i], level))
            };
            (0..parts.sum.len()).map(one).collect::<Vec<_>>()
        };
        Contributions {
            var,
            tvar: self.key / target,
            tvar_error: error(self.key, self.key_square, self.key_cross, var),
            products: of(&self.products, &near.products),
            causes: of(&self.causes, &near.causes),
            variables: of(&self.variables, &near.variables),
        }
    }
}
