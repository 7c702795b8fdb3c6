//! The years beyond a level, with the claims in them: what allocation looks at.
//!
//! Of each block the worst years are kept, many more than the level needs. As blocks arrive in order, years that are
//! beyond doubt inside the tail are folded into sums and years that are beyond doubt outside are dropped, so that memory
//! stays bounded however many years there are; only what may still be the quantile is held.
//!
//! Where years are weighted, many of a block's years are in the tail, and what is beyond doubt is decided by [`Bars`]
//! before the run: years above the upper bar are folded block by block, and only years between the bars are kept.

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

/// Kept years, in flat arrays: there are many, and each is small.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// The amount the years are ranked by.
    pub keys: Vec<f64>,
    /// Their weights.
    pub weights: Vec<f64>,
    /// All variables of each year, in the engine's order.
    pub values: Vec<f64>,
    /// Claims of all years.
    pub claims: Vec<Claim>,
    /// Where each year's claims end.
    pub ends: Vec<u32>,
}

impl Rows {
    fn len(&self) -> usize {
        self.keys.len()
    }

    fn row(&self, index: usize) -> Row<'_> {
        let width = self.values.len() / self.keys.len();
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        Row {
            key: self.keys[index],
            weight: self.weights[index],
            values: &self.values[index * width..(index + 1) * width],
            claims: &self.claims[start..self.ends[index] as usize],
        }
    }

    fn push(&mut self, row: Row<'_>) {
        self.keys.push(row.key);
        self.weights.push(row.weight);
        self.values.extend_from_slice(row.values);
        self.claims.extend_from_slice(row.claims);
        self.ends.push(self.claims.len() as u32);
    }

    /// Places of the years, worst first; ties in their order.
    fn ranked(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| {
            self.keys[b as usize].total_cmp(&self.keys[a as usize]).then(a.cmp(&b))
        });
        order
    }
}

/// One of them.
#[derive(Clone, Copy, Debug)]
struct Row<'a> {
    key: f64,
    weight: f64,
    values: &'a [f64],
    claims: &'a [Claim],
}

/// Between which amounts the quantile of a weighted run lies beyond doubt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bars {
    /// Years below are outside of the tail.
    pub low: f64,
    /// Years above are inside.
    pub high: f64,
}

/// How many standard deviations of a count a year must be away from the quantile to be decided early.
pub(crate) const SURE: f64 = 8.0;

/// How many years of a block to keep so that the worst `share` of all years are among them beyond doubt.
pub fn keep(block: usize, share: f64) -> usize {
    let expected = block as f64 * share;
    ((expected + 8.0 * expected.sqrt() + 8.0) as usize).min(block)
}

/// Sums over the tail of one amount per product, cause or variable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parts(
    /// Of each: the weighted sum, the sum of squares of weight times amount, and of squared weight times amount.
    Vec<[f64; 3]>,
);

impl Parts {
    fn new(len: usize) -> Self {
        Self(vec![[0.0; 3]; len])
    }

    fn merge(&mut self, other: &Self) {
        for (all, one) in self.0.iter_mut().zip(&other.0) {
            all.iter_mut().zip(one).for_each(|(all, one)| *all += one);
        }
    }

    #[inline(always)]
    fn add(&mut self, index: usize, weight: f64, amount: f64) {
        let term = weight * amount;
        let sums = &mut self.0[index];
        sums[0] += term;
        sums[1] += term * term;
        sums[2] += weight * term;
    }
}

/// The tail beyond one level.
#[derive(Clone, Debug)]
pub struct Tail {
    share: f64,
    years: f64,
    /// Years that may be the quantile or beyond it.
    rows: Rows,
    /// No later year below this can matter.
    floor: f64,
    folded: Folded,
    /// Folded since the last pruning.
    fresh: Folded,
    /// The highest lower bar of the blocks seen.
    bar: f64,
    sizes: [usize; 3],
}

/// Sums over years that are in the tail beyond doubt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Folded {
    weight: f64,
    key: f64,
    key_square: f64,
    key_cross: f64,
    weight_square: f64,
    products: Parts,
    causes: Parts,
    variables: Parts,
    /// Amounts of the year at hand; zeros between years.
    #[serde(skip)]
    year: Vec<f64>,
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
        let sizes = [products, causes, variables];
        Self {
            share,
            years: 0.0,
            rows: Rows::default(),
            floor: f64::NEG_INFINITY,
            folded: Folded::new(sizes),
            fresh: Folded::new(sizes),
            bar: f64::NEG_INFINITY,
            sizes,
        }
    }

    /// Takes a block's worst years; `years` is the block's length. Blocks come in order.
    pub fn add(&mut self, rows: &Rows, years: usize) {
        self.years += years as f64;
        for index in (0..rows.len()).filter(|&i| rows.keys[i] >= self.floor) {
            self.rows.push(rows.row(index));
        }
    }

    /// Takes sums over years of weighted blocks that are in the tail beyond doubt, of which no year below `bar` was kept.
    pub fn sure(&mut self, folded: &Folded, bar: f64) {
        self.fresh.merge(folded);
        self.bar = self.bar.max(bar);
    }

    /// What was folded since the last pruning: what a batch hands over instead of its blocks' sums.
    pub fn take_fresh(&mut self) -> Folded {
        std::mem::replace(&mut self.fresh, Folded::new(self.sizes))
    }

    /// Decides what can be decided of the years held. Called at fixed numbers of blocks, for the order of the sums.
    pub fn prune(&mut self) {
        self.settle_fresh();
        let expected = self.years * self.share;
        let order = self.rows.ranked();
        // The weight beyond the quantile has this variance: a year of weight one adds one.
        let doubt = SURE * self.square_at(&order, expected).max(1.0).sqrt() + 8.0;
        let (mut sure, mut possible) = (0, 0);
        let mut weight = self.folded.weight;
        for &index in &order {
            weight += self.rows.weights[index as usize];
            sure += usize::from(weight <= expected - doubt);
            possible += usize::from(weight <= expected + doubt);
        }
        for &index in &order[..sure] {
            let row = self.rows.row(index as usize);
            self.folded.fold(row, row.weight);
        }
        if let Some(&first_out) = order.get(possible) {
            self.floor = self.rows.keys[first_out as usize];
        }
        let mut rest = Rows::default();
        order[sure..possible].iter().for_each(|&index| rest.push(self.rows.row(index as usize)));
        self.rows = rest;
    }

    fn settle_fresh(&mut self) {
        if self.fresh.weight > 0.0 {
            let fresh = self.take_fresh();
            self.folded.merge(&fresh);
        }
    }

    /// Sum of squared weights of the years down to the quantile.
    fn square_at(&self, order: &[u32], target: f64) -> f64 {
        let (mut weight, mut square) = (self.folded.weight, self.folded.weight_square);
        for &index in order {
            if weight >= target {
                break;
            }
            let own = self.rows.weights[index as usize];
            weight += own;
            square += own * own;
        }
        square
    }

    /// The contributions. None if no year was seen, or the quantile fell among years already decided, which has a
    /// probability below 1e-14.
    pub fn finish(mut self) -> Option<Contributions> {
        self.settle_fresh();
        let target = self.years * self.share;
        if target <= 0.0 || self.folded.weight > target {
            return None;
        }
        let order = self.rows.ranked();
        let mut var = None;
        for &index in &order {
            let left = target - self.folded.weight;
            if left <= 0.0 {
                break;
            }
            // The year at the quantile counts for the part that is still missing.
            let row = self.rows.row(index as usize);
            self.folded.fold(row, row.weight.min(left));
            var = Some(row.key);
        }
        if self.folded.weight < target && self.bar > f64::NEG_INFINITY {
            // All years above the bar are in the tail. Without a bar above zero the rest of the tail has no loss.
            if self.bar > 0.0 {
                return None;
            }
            var = Some(0.0);
        }
        let var = var?;
        // Years next to the quantile say what a product's share there is: the error of the quantile carries it over.
        let mut near = Folded::new(self.sizes);
        let around = ((target * 0.05) as usize).clamp(10, 2000);
        let at = order.partition_point(|&i| self.rows.keys[i as usize] > var);
        for &index in &order[at.saturating_sub(around)..(at + around).min(order.len())] {
            let row = self.rows.row(index as usize);
            near.fold(row, row.weight);
        }
        Some(self.folded.contributions(target, self.years, var, &near))
    }
}

impl Folded {
    /// Nothing yet, for so many products, causes and variables.
    pub(crate) fn new([products, causes, variables]: [usize; 3]) -> Self {
        Self {
            products: Parts::new(products),
            causes: Parts::new(causes),
            variables: Parts::new(variables),
            year: vec![0.0; products.max(causes)],
            ..Self::default()
        }
    }

    /// Whether it has these sizes and only finite sums.
    pub(crate) fn fits(&self, sizes: [usize; 3]) -> bool {
        let parts = [&self.products, &self.causes, &self.variables];
        let own = [self.weight, self.weight_square, self.key, self.key_square, self.key_cross];
        parts.map(|p| p.0.len()) == sizes
            && own.iter().chain(parts.into_iter().flat_map(|p| p.0.iter().flatten())).all(|n| n.is_finite())
    }

    fn merge(&mut self, other: &Self) {
        self.weight += other.weight;
        self.weight_square += other.weight_square;
        self.key += other.key;
        self.key_square += other.key_square;
        self.key_cross += other.key_cross;
        self.products.merge(&other.products);
        self.causes.merge(&other.causes);
        self.variables.merge(&other.variables);
    }

    /// A year of a block.
    pub(crate) fn year(
        &mut self,
        key: f64,
        weight: f64,
        values: impl Iterator<Item = f64>,
        claims: &[Claim],
    ) {
        self.add_key(key, weight);
        self.add_claims(weight, claims);
        for (index, value) in values.enumerate() {
            self.variables.add(index, weight, value);
        }
    }

    fn fold(&mut self, row: Row<'_>, weight: f64) {
        self.year(row.key, weight, row.values.iter().copied(), row.claims);
    }

    fn add_key(&mut self, key: f64, weight: f64) {
        self.weight += weight;
        self.weight_square += weight * weight;
        self.key += weight * key;
        self.key_square += (weight * key) * (weight * key);
        self.key_cross += weight * weight * key;
    }

    fn add_claims(&mut self, weight: f64, claims: &[Claim]) {
        // A product hit twice in a year is one amount of that year: squares are of years.
        for claim in claims {
            self.year[claim.product as usize] += f64::from(claim.amount);
        }
        for claim in claims {
            let index = claim.product as usize;
            let amount = std::mem::take(&mut self.year[index]);
            if amount > 0.0 {
                self.products.add(index, weight, amount);
            }
        }
        // The same by cause. Claims of one cause mostly follow each other.
        for run in claims.chunk_by(|a, b| a.cause == b.cause) {
            self.year[run[0].cause as usize] += run.iter().fold(0.0, |sum, c| sum + f64::from(c.amount));
        }
        for run in claims.chunk_by(|a, b| a.cause == b.cause) {
            let index = run[0].cause as usize;
            let amount = std::mem::take(&mut self.year[index]);
            if amount > 0.0 {
                self.causes.add(index, weight, amount);
            }
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
                let level = if near.weight > 0.0 { levels.0[i][0] / near.weight } else { 0.0 };
                let [sum, square, cross] = parts.0[i];
                (sum / target, error(sum, square, cross, level))
            };
            (0..parts.0.len()).map(one).collect::<Vec<_>>()
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
