//! Which clusters have their bad years together.

use crate::{
    engine::Chosen,
    model::Model,
    outcome::{Failure, Options},
    rng::Stream,
    simulate::{BLOCK, Block, Engine, Plan},
};

/// Share of years that count as a cluster's worst.
pub const WORST: f64 = 0.01;

/// How often clusters have their worst years together.
#[derive(Clone, Debug, PartialEq)]
pub struct Joint {
    /// Names of the clusters.
    pub names: Vec<String>,
    /// `together[a][b]`: share of the worst years of `a` that are among the worst of `b`. A cluster without losses has
    /// no worst years, and zeros.
    pub together: Vec<Vec<f64>>,
    /// Years simulated.
    pub years: u64,
}

/// Simulates so many blocks, the first ones of a run with these options, and looks at the sum of all losses, from
/// whatever cause, on the members of each of these clusters.
///
/// # Errors
/// [`Failure::Refused`] where no engine simulates the model, [`Failure::Years`].
pub fn joint(model: &Model, options: &Options, clusters: &[usize], blocks: u64) -> Result<Joint, Failure> {
    let engine = Chosen::new(model)?;
    let plan = engine.plan(model, options)?;
    let mut slots = vec![vec![]; model.products.len()];
    for (slot, &k) in clusters.iter().enumerate() {
        model.clusters[k].members.iter().for_each(|m| slots[m.product].push(slot));
    }
    let losses = match &engine {
        Chosen::Flat(engine) => losses(engine, &plan, blocks, &slots, clusters.len()),
        Chosen::Timeline(engine) => losses(engine, &plan, blocks, &slots, clusters.len()),
        // What is counted below is years, so they must all weigh the same; [`Chosen::new`] gives no others.
        Chosen::Tilted(_) => return Err(Failure::Refused("tilted years cannot be counted".into())),
    };
    let years = losses.first().map_or(0, Vec::len);
    let worst: Vec<Vec<bool>> = losses.iter().map(|l| worst(l)).collect();
    let share = |a: &Vec<bool>, b: &Vec<bool>| {
        let of = a.iter().filter(|&&bad| bad).count();
        let both = a.iter().zip(b).filter(|&(&a, &b)| a && b).count();
        if of > 0 { both as f64 / of as f64 } else { 0.0 }
    };
    let together = worst.iter().map(|a| worst.iter().map(|b| share(a, b)).collect()).collect();
    let names = clusters.iter().map(|&k| model.portfolio.clusters[k].id.clone()).collect();
    Ok(Joint { names, together, years: years as u64 })
}

/// By slot, the sum of each year.
fn losses<E: Engine>(
    engine: &E,
    plan: &Plan,
    blocks: u64,
    slots: &[Vec<usize>],
    count: usize,
) -> Vec<Vec<f32>> {
    let (mut scratch, mut block, mut claims) = (E::Scratch::default(), Block::default(), vec![]);
    let mut losses = vec![vec![]; count];
    for index in 0..blocks.min(plan.blocks()) {
        let years = (plan.years - index * BLOCK as u64).min(BLOCK as u64) as usize;
        block.years = years;
        block.weights.clear();
        block.values = vec![vec![0.0; years]; plan.bounds.len()];
        let mut stream = Stream::new(plan.seed, engine.purpose(), index);
        engine.simulate(&mut stream, &mut scratch, &mut block);
        for year in 0..years {
            let mut sums = vec![0.0; count];
            claims.clear();
            engine.claims(&scratch, year, &mut claims);
            for claim in &claims {
                for &slot in &slots[claim.product as usize] {
                    sums[slot] += claim.amount;
                }
            }
            losses.iter_mut().zip(sums).for_each(|(all, sum)| all.push(sum));
        }
    }
    losses
}

/// Which years are among the worst: those above the quantile, and never one without a loss.
fn worst(losses: &[f32]) -> Vec<bool> {
    let mut sorted = losses.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let bound = sorted.get((losses.len() as f64 * WORST) as usize).copied().unwrap_or(0.0);
    losses.iter().map(|&l| l > bound).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn clusters_that_share_a_product_share_its_worst_years() {
        let model = Model::new(example::portfolio("small").unwrap()).unwrap();
        let options = Options { years: 60_000, seed: 1, threads: 1 };
        let joint = joint(&model, &options, &[0, 1], 100).unwrap();
        assert_eq!(
            (joint.years, joint.names.as_slice()),
            (60_000, &["oracle".to_owned(), "bridge".into()][..])
        );
        assert_eq!((joint.together[0][0], joint.together[1][1]), (1.0, 1.0));
        // The vault is in both, and 6 of its exposure of 6 can be lost; independence would give 1 %.
        let both = joint.together[0][1];
        assert!(both > 0.05 && both < 0.9, "{both}");
    }
}
