//! A few years ahead of the run: where its tail begins, beyond doubt.

use crate::{
    rng::{Purpose, Stream},
    simulate::{Block, Engine, variable},
    tail::{Bars, SURE},
    tilt::{Claims, Tilted},
};

/// Blocks, and years of each.
const BLOCKS: u64 = 4;
const YEARS: usize = 2048;
/// What is told apart of the pilot's years: so much of their weight, from the worst down.
const DEPTH: f64 = 0.1;

/// The pilot's worst years.
#[derive(Clone, Debug, Default)]
pub(super) struct Pilot {
    /// Amount, and probability and variance of the weight beyond it; worst first.
    years: Vec<[f64; 3]>,
}

impl Pilot {
    /// Simulates it. Its stream is its own, so that it says nothing about the run's years.
    pub(super) fn new(engine: &Tilted) -> Self {
        let mut scratch = Claims::default();
        let mut pairs = vec![];
        for index in 0..BLOCKS {
            let mut stream = Stream::new(0, Purpose::Pilot, index);
            let mut block =
                Block { years: YEARS, weights: vec![], values: vec![vec![0.0; YEARS]; engine.variables()] };
            engine.simulate(&mut stream, &mut scratch, &mut block);
            pairs.extend(block.values[variable::GROSS].iter().copied().zip(block.weights.iter().copied()));
        }
        pairs.retain(|p| p.0 > 0.0);
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let all = BLOCKS as f64 * YEARS as f64;
        let (mut weight, mut square) = (0.0, 0.0);
        let mut years = vec![];
        for (amount, own) in pairs {
            weight += own / all;
            square += own * own / all;
            years.push([amount, weight, square]);
            if weight > DEPTH {
                break;
            }
        }
        Self { years }
    }

    /// Bars between which the quantile of a run of so many years lies.
    pub(super) fn bars(&self, years: u64, share: f64) -> Bars {
        // The pilot errs, and so does the run.
        let both = 1.0 / (BLOCKS as f64 * YEARS as f64) + 1.0 / years as f64;
        let doubt = |square: f64| SURE * (square * both).sqrt();
        let low = self.years.iter().find(|y| y[1] - doubt(y[2]) > share);
        let high = self.years.iter().take_while(|y| y[1] + doubt(y[2]) < share).last();
        Bars { low: low.map_or(0.0, |y| y[0]), high: high.map_or(f64::INFINITY, |y| y[0]) }
    }
}
