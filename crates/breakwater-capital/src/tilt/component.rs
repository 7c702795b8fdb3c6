//! One law of the mixture: counts, products with cells, shocks and hits, all under one tilt.

use crate::{
    alias::Alias,
    flat::tables::count_law,
    model::Model,
    tilt::{
        cells::{Cell, Cells, UNIT_BITS, factor},
        cumulant::Score,
    },
};

/// A law under which some of a block's years are drawn.
#[derive(Clone, Debug)]
pub(super) struct Component {
    /// By group: how many claims a year has.
    pub(super) counts: Vec<Alias>,
    /// By group: columns of the alias table of the group's cells.
    pub(super) columns: Vec<Vec<u64>>,
    pub(super) shocks: Option<Shocks>,
    /// Cells of hits by shocks.
    pub(super) hits: Hits,
    /// Its density, if it is not the nominal law.
    pub(super) density: Option<Density>,
}

/// Shocks of all clusters.
#[derive(Clone, Debug)]
pub(super) struct Shocks {
    /// Mean years between shocks of any cluster.
    pub(super) mean_gap: f64,
    pub(super) which: Alias,
    /// Members of each cluster with the greatest 32-bit word that hits them.
    pub(super) members: Vec<Vec<(u32, u32)>>,
}

/// For each product the alias table of its cells, all of one size.
#[derive(Clone, Debug)]
pub(super) struct Hits {
    columns: Vec<u64>,
    digits: u32,
}

impl Hits {
    fn new(model: &Model, cells: &Cells, weight: impl Fn(&Cell) -> f64) -> Self {
        let mut members = vec![false; model.products.len()];
        model.clusters.iter().flat_map(|c| &c.members).for_each(|m| members[m.product] = true);
        let most = (0..members.len()).filter(|&p| members[p]).map(|p| cells.of(p).len()).max();
        let Some(most) = most else { return Self { columns: vec![], digits: 1 } };
        let size = most.next_power_of_two().max(2);
        let mut columns = vec![0; size * members.len()];
        for product in (0..members.len()).filter(|&p| members[p]) {
            let weights: Vec<f64> = cells.of(product).iter().map(&weight).collect();
            columns[product * size..][..size].copy_from_slice(Alias::of_size(&weights, size).columns());
        }
        Self { columns, digits: size.trailing_zeros() }
    }

    /// The cell, among those of its product, that 32 evenly distributed bits choose for a hit.
    #[inline(always)]
    pub(super) fn cell(&self, product: u32, bits: u32) -> usize {
        let column = (u64::from(bits) << self.digits >> 32) as usize;
        let entry = self.columns[(product as usize) << self.digits | column];
        if u64::from(bits << self.digits) < entry >> 32 { column } else { entry as u32 as usize }
    }
}

/// `exp(score - log of its mean)` by look-up, for whole scores.
#[derive(Clone, Debug)]
pub(super) struct Density {
    /// Which half of the packed scores.
    shift: u32,
    whole: Vec<f64>,
    part: Vec<f64>,
}

impl Density {
    fn new(shift: u32, log_mean: f64) -> Self {
        // Beyond 700 the density is so large that the year's weight is zero to all purposes.
        let whole = (0..=700).map(|i| libm::exp((f64::from(i) - log_mean).min(700.0))).collect();
        Self { shift, whole, part: (0..1u32 << UNIT_BITS).map(factor).collect() }
    }

    /// Density of a year with these scores relative to the nominal law.
    #[inline(always)]
    pub(super) fn of(&self, scores: u64) -> f64 {
        let score = (scores >> self.shift) as u32;
        let whole = ((score >> UNIT_BITS) as usize).min(self.whole.len() - 1);
        self.whole[whole] * self.part[(score & ((1 << UNIT_BITS) - 1)) as usize]
    }
}

/// Products whose rates share a factor.
#[derive(Clone, Debug)]
pub(super) struct Members {
    pub(super) mixing: Option<usize>,
    pub(super) products: Vec<u32>,
}

/// The tilt of a component: its half of the packed scores, what is scored, and what shocks add as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tilt<'a> {
    pub(super) shift: u32,
    pub(super) score: Score,
    /// By cluster, packed.
    pub(super) events: &'a [u64],
}

impl Component {
    /// The law under a tilt, or the nominal law. None if the tilted law does not exist.
    pub(super) fn new(
        model: &Model,
        groups: &[Members],
        cells: &Cells,
        tilt: Option<Tilt<'_>>,
    ) -> Option<Self> {
        let weight = |cell: &Cell, tilted: bool| match tilt {
            Some(t) if tilted => cell.mass() * cell.factor(t.shift),
            _ => cell.mass(),
        };
        let mean = |product: usize, tilted: bool| {
            cells.of(product).iter().fold(0.0, |sum, cell| sum + weight(cell, tilted))
        };
        let mut log_mean = 0.0;
        let (mut counts, mut columns) = (vec![], vec![]);
        for group in groups {
            let mut weights = vec![];
            let (mut plain, mut total) = (0.0, 0.0);
            for &product in &group.products {
                let rate = model.products[product as usize].rate;
                for cell in cells.of(product as usize) {
                    plain += rate * weight(cell, false);
                    weights.push(rate * weight(cell, true));
                    total += rate * weight(cell, true);
                }
            }
            let shape = group.mixing.map(|m| model.mixings[m]);
            let mean = match shape {
                None => {
                    log_mean += total - plain;
                    total
                }
                Some(shape) => {
                    // The factor's law has this rate instead of its shape.
                    let left = shape - (total - plain);
                    if left < 0.02 * shape {
                        return None;
                    }
                    log_mean -= shape * libm::log(left / shape);
                    total * shape / left
                }
            };
            if mean > 100_000.0 {
                return None;
            }
            counts.push(Alias::new(&count_law(mean, shape).ok()?));
            columns.push(Alias::new(&weights).columns().to_vec());
        }
        // Only sums of payouts reach into shocks; the rest counts a shock as a whole.
        let inside = tilt.is_some_and(|t| t.score == Score::Gross);
        let hits = Hits::new(model, cells, |cell| weight(cell, inside));
        let shocks =
            shocks(model, tilt, &mut log_mean, |product| [mean(product, false), mean(product, inside)]);
        let density = tilt.map(|t| Density::new(t.shift, log_mean));
        log_mean.is_finite().then_some(Self { counts, columns, shocks, hits, density })
    }
}

/// The index that 32 random bits draw from the columns of an alias table; see [`Alias::draw`].
#[inline(always)]
pub(super) fn pick(columns: &[u64], bits: u32) -> u32 {
    let digits = columns.len().trailing_zeros();
    let column = ((u64::from(bits) << digits) >> 32) as usize & (columns.len() - 1);
    let entry = columns[column];
    if u64::from(bits << digits) < entry >> 32 { column as u32 } else { entry as u32 }
}

/// Shocks under a tilt. `mean` is the probability that a hit on a product pays, and that times its mean factor.
fn shocks(
    model: &Model,
    tilt: Option<Tilt<'_>>,
    log_mean: &mut f64,
    mean: impl Fn(usize) -> [f64; 2],
) -> Option<Shocks> {
    let mut rates = vec![];
    let mut members = vec![];
    for (index, cluster) in model.clusters.iter().enumerate() {
        let mut log = tilt
            .map_or(0.0, |t| f64::from((t.events[index] >> t.shift) as u32) / f64::from(1u32 << UNIT_BITS));
        let mut hit_by = vec![];
        for member in cluster.members.iter().filter(|m| m.hit > 0.0) {
            let [paid, tilted] = mean(member.product);
            let whole = 1.0 + member.hit * (tilted - paid);
            log += libm::log(whole);
            let hit = member.hit * tilted / whole;
            // A word hits if it is at most the threshold: `threshold + 1` of 2^32 words.
            let threshold = ((hit * 4_294_967_296.0) as u64).clamp(1, 1 << 32) - 1;
            hit_by.push((member.product as u32, threshold as u32));
        }
        let rate = if cluster.members.is_empty() { 0.0 } else { cluster.rate };
        let tilted = rate * libm::exp(log);
        *log_mean += tilted - rate;
        rates.push(tilted);
        members.push(hit_by);
    }
    let total = rates.iter().fold(0.0, |sum, r| sum + r);
    (total > 0.0).then(|| Shocks { mean_gap: 1.0 / total, which: Alias::new(&rates), members })
}
