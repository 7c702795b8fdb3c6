//! What a batch that comes from elsewhere must be before it is merged: sizes that fit, and numbers.

use super::{BATCH, Batch, HEAVIEST, Partial, Plan};
use crate::{
    histogram::{Bin, ONE},
    tail::{Claim, Folded},
};

impl Batch {
    /// Checks that this is the batch with this index of the plan, and that it can be merged.
    ///
    /// # Errors
    /// What was expected and what is there, in words.
    pub fn check(&self, plan: &Plan, index: u64) -> Result<(), String> {
        let begin = |index: u64| index.saturating_mul(BATCH).min(plan.blocks());
        let blocks = begin(index)..begin(index.saturating_add(1));
        let (expected, got) = (blocks.end - blocks.start, self.partials.len() as u64);
        if self.index != index || expected == 0 || got != expected {
            return Err(format!("expected batch {index} of {expected} blocks, got {} of {got}", self.index));
        }
        let mut years = 0;
        for (block, partial) in blocks.zip(&self.partials) {
            partial.check(plan, block).map_err(|wrong| format!("block {block}: {wrong}"))?;
            years += partial.years as u64;
        }
        if !plan.fits(&self.sure) {
            return Err(
                "expected finite sums by product, cause and variable over years in the tail".to_owned()
            );
        }
        let possible = |bin: &Bin| {
            let ends = bin.low >= 0.0 && bin.low <= bin.high && bin.high.is_finite();
            let weights = bin.weight.max(bin.at_low).max(bin.at_high) <= HEAVIEST * ONE * years;
            ends && weights && bin.square <= HEAVIEST * HEAVIEST * ONE * years
        };
        if self.bins.len() != plan.bounds.len() || !self.bins.iter().flatten().all(possible) {
            return Err(format!("expected {} histograms of {years} years", plan.bounds.len()));
        }
        if self.sure.as_ref().is_some_and(|(folded, bar)| !folded.fits(plan.sizes()) || bar.is_nan()) {
            return Err("expected finite sums of the tail, of this plan's size".to_owned());
        }
        Ok(())
    }
}

impl Plan {
    fn fits(&self, sure: &Option<(Folded, f64)>) -> bool {
        let sizes = [self.products, self.clusters + 1, self.bounds.len()];
        sure.as_ref().is_none_or(|(folded, bar)| bar.is_finite() && folded.fits(sizes))
    }
}

impl Partial {
    fn check(&self, plan: &Plan, block: u64) -> Result<(), String> {
        let (years, variables) = (plan.block_years(block), plan.bounds.len());
        let (rows, kept) = (&self.rows, self.rows.keys.len());
        if self.years != years || kept > years {
            return Err(format!("expected {years} years, got {} and {kept} rows", self.years));
        }
        let sums = self
            .sums
            .iter()
            .flat_map(|s| [s.first, s.second, s.third, s.fourth, s.weighted, s.cross, s.full, s.full_square]);
        let finite = sums.chain([self.weight, self.weight_square]).all(f64::is_finite);
        if self.sums.len() != variables || !finite {
            return Err(format!("expected finite sums of {variables} variables, got {:?}", self.sums));
        }
        if !plan.fits(&self.sure) {
            return Err(
                "expected finite sums by product, cause and variable over years in the tail".to_owned()
            );
        }
        let last = rows.ends.last().map_or(0, |&end| end as usize);
        let lengths = [rows.weights.len(), rows.ends.len(), rows.values.len(), rows.claims.len()];
        if lengths != [kept, kept, kept * variables, last] || !rows.ends.is_sorted() {
            return Err(format!(
                "expected {kept} rows of {variables} variables and {last} claims, got {lengths:?}"
            ));
        }
        let known = |claim: &Claim| {
            let cause = claim.cause as usize <= plan.clusters;
            (claim.product as usize) < plan.products && cause && claim.amount.is_finite()
        };
        let mut numbers = rows.keys.iter().chain(&rows.weights).chain(&rows.values);
        if !numbers.all(|n| n.is_finite()) || !rows.claims.iter().all(known) {
            return Err("expected finite amounts of known products and clusters".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Model, engine::Chosen, example, outcome::Options};

    #[test]
    fn what_cannot_be_merged_is_refused() {
        let model = Model::new(example::cp500()).unwrap();
        let engine = Chosen::new(&model).unwrap();
        let plan = engine.plan(&model, &Options { years: 150_000, seed: 7, threads: 1 }).unwrap();
        let (last, block) = (plan.batches() - 1, plan.blocks() - 1);
        let whole = engine.batch(&plan, last);
        assert_eq!(whole.check(&plan, last), Ok(()));
        let years: usize = whole.partials.iter().map(|p| p.years).sum();
        assert!(last > 0 && whole.partials.len() > 1 && plan.block_years(block) < plan.block_years(0));
        let refused = |change: fn(&mut Batch), words: &str| {
            let mut batch = whole.clone();
            change(&mut batch);
            let wrong = batch.check(&plan, last).unwrap_err();
            assert!(wrong.contains(words), "{wrong}");
        };
        let far = u64::MAX;
        assert!(whole.check(&plan, far).unwrap_err().contains("of 0 blocks"));
        let blocks = whole.partials.len();
        refused(|b| b.index = 0, &format!("expected batch {last} of {blocks} blocks, got 0 of {blocks}"));
        refused(|b| b.partials.truncate(1), &format!("got {last} of 1"));
        let short = plan.block_years(block);
        let one_more = format!("block {block}: expected {short} years, got {}", short + 1);
        refused(|b| b.partials.last_mut().unwrap().years += 1, &one_more);
        refused(|b| b.partials[0].sums.truncate(1), "finite sums");
        refused(|b| b.partials[0].sums[0].full = f64::NAN, "finite sums");
        refused(|b| b.partials[0].weight = f64::INFINITY, "finite sums");
        refused(|b| b.partials[0].rows.keys[0] = f64::INFINITY, "finite amounts");
        refused(|b| b.partials[0].rows.claims[0].amount = f32::NAN, "finite amounts");
        refused(|b| b.partials[0].rows.claims[0].product = 500, "known products");
        refused(|b| b.partials[0].rows.claims[0].cause = 99, "known products");
        refused(|b| b.partials[0].rows.claims.truncate(1), "claims, got");
        refused(|b| b.partials[0].rows.values.truncate(1), "claims, got");
        refused(|b| b.partials[0].rows.ends[0] = u32::MAX, "claims, got");
        refused(|b| b.sure = Some((Folded::new([500, 2, 3]), 1.0)), "over years in the tail");
        refused(|b| b.partials[0].sure = Some((Folded::default(), 1.0)), "over years in the tail");
        refused(|b| b.bins.truncate(1), &format!("histograms of {years} years"));
        refused(|b| b.bins[0][1].low = f64::NAN, "histograms");
        refused(|b| b.bins[0][1].high = f64::INFINITY, "histograms");
        refused(|b| b.bins[0][1].weight = u64::MAX, "histograms");
    }
}
