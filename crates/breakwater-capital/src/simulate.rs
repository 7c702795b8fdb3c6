//! The run: blocks of years over threads or processes, merged in their order.
//!
//! A block is simulated from its own stream and reduced to a [`Partial`]; partials of consecutive blocks make a
//! [`Batch`], which is what a worker process sends back; a [`Merger`] takes batches in order. Nothing in it depends on
//! who simulated which block, so the digits do not either.

mod check;

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use serde::{Deserialize, Serialize};

use crate::{
    histogram::{self, Bin, Histogram},
    rng::{Purpose, Stream},
    tail::{Bars, Claim, Folded, Rows, Tail, keep},
};

/// The most years of a block.
pub const BLOCK: usize = 4096;
/// The fewest, whatever a year's claims.
const SHORT: usize = 64;
/// Claims of a block that are held at once.
const CLAIMS: f64 = 65_536.0;
/// Blocks between two prunings of the tail, and of a batch.
pub const BATCH: u64 = 32;
/// The most a year may weigh; a batch from elsewhere with more is refused.
pub(crate) const HEAVIEST: u64 = 10;
/// Bytes of sums by product that a window of weighted blocks may bring.
const WEIGHTED: u64 = 32 << 20;
/// Share of years in the tail whose claims are kept.
pub const TAIL: f64 = 0.01;

/// Places of the variables every engine reports; treaties follow, then surplus and tranches of each pool.
pub mod variable {
    /// Sum of all claims of the year.
    pub const GROSS: usize = 0;
    /// What treaties leave of it.
    pub const NET: usize = 1;
    /// The year's largest event, gross.
    pub const LARGEST: usize = 2;
    /// The first treaty's recovery.
    pub const TREATIES: usize = 3;
}

/// Years that were simulated together.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// How many.
    pub years: usize,
    /// Their weights; empty where all are one.
    pub weights: Vec<f64>,
    /// For each variable, its amount in each year.
    pub values: Vec<Vec<f64>>,
}

/// Something that simulates years.
pub trait Engine: Sync {
    /// What it remembers of a block: at least the claims.
    type Scratch: Default + Send;

    /// The purpose of its random streams.
    fn purpose(&self) -> Purpose;

    /// Simulates a block: fills `block.values`, which come in as zeros, and `block.weights` if it weighs years.
    fn simulate(&self, stream: &mut Stream, scratch: &mut Self::Scratch, block: &mut Block);

    /// The claims of a year of the block just simulated.
    fn claims(&self, scratch: &Self::Scratch, year: usize, out: &mut Vec<Claim>);

    /// The same claims, event by event, and where in `out` each event ends.
    ///
    /// Unless an engine knows better, attacks on a product alone are events each, and a shock's claims stand together in
    /// ascending order of products.
    fn events(&self, scratch: &Self::Scratch, year: usize, out: &mut Vec<Claim>, ends: &mut Vec<usize>) {
        let from = out.len();
        self.claims(scratch, year, out);
        let mut end = from;
        let same = |a: &Claim, b: &Claim| b.cause != 0 && a.cause == b.cause && a.product < b.product;
        for event in out[from..].chunk_by(same) {
            end += event.len();
            ends.push(end);
        }
    }

    /// Where years are weighted: between which amounts the quantile of so many years lies.
    fn bars(&self, _years: u64) -> Option<Bars> {
        None
    }

    /// What the years whose claims are kept are ranked by.
    fn key(&self) -> usize {
        variable::GROSS
    }
}

/// What is to be simulated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Years, at least one.
    pub years: u64,
    /// Seed of all streams.
    pub seed: u64,
    /// The most each variable can be; infinite where nothing bounds it.
    pub bounds: Vec<f64>,
    /// Number of products.
    pub products: usize,
    /// Number of clusters.
    pub clusters: usize,
    /// Years of each block but the last; see [`block`].
    pub block: usize,
}

/// How many years to simulate at once where a year has so many claims: a power of two, so that a block's claims stay in
/// the cache whatever the portfolio's size.
pub fn block(claims: f64) -> usize {
    let mut years = BLOCK;
    while years > SHORT && years as f64 * claims > CLAIMS {
        years /= 2;
    }
    years
}

impl Plan {
    /// How many blocks there are; the last may be shorter.
    pub fn blocks(&self) -> u64 {
        self.years.div_ceil(self.block as u64)
    }

    /// How many batches there are.
    pub fn batches(&self) -> u64 {
        self.blocks().div_ceil(BATCH)
    }

    fn tail(&self) -> Tail {
        let [products, causes, variables] = self.sizes();
        Tail::new(TAIL, products, causes, variables)
    }

    /// How many products, causes and variables there are.
    fn sizes(&self) -> [usize; 3] {
        [self.products, self.clusters + 1, self.bounds.len()]
    }

    /// Years of a block.
    pub fn block_years(&self, block: u64) -> usize {
        (self.years - block * self.block as u64).min(self.block as u64) as usize
    }
}

/// Sums of one variable over a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Of weight times amount.
    pub first: f64,
    /// Of weight times squared amount.
    pub second: f64,
    /// Of weight times the amount's third power.
    pub third: f64,
    /// Of weight times the amount's fourth power.
    pub fourth: f64,
    /// Of squared weight times squared amount.
    pub weighted: f64,
    /// Of squared weight times amount.
    pub cross: f64,
    /// Of the weight of years at the bound.
    pub full: f64,
    /// Of their squared weight.
    pub full_square: f64,
}

/// A block, reduced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Partial {
    /// Its years.
    pub years: usize,
    /// Sum of weights.
    pub weight: f64,
    /// Sum of squared weights.
    pub weight_square: f64,
    /// By variable.
    pub sums: Vec<Sums>,
    /// Its worst years.
    pub rows: Rows,
    /// Of weighted years: sums over those above the upper bar, and the lower bar.
    pub sure: Option<(Folded, f64)>,
}

/// Consecutive blocks, reduced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Batch {
    /// Which batch of the plan.
    pub index: u64,
    /// Its blocks, in order.
    pub partials: Vec<Partial>,
    /// Of weighted years: sums over all blocks' years above the upper bar, and the lower bar.
    pub sure: Option<(Folded, f64)>,
    /// For each variable, the bins its years fell into.
    pub bins: Vec<Vec<Bin>>,
}

/// Simulates one batch: what a worker process does.
pub fn batch<E: Engine>(engine: &E, plan: &Plan, index: u64) -> Batch {
    let mut worker = Worker::new(engine, plan);
    let blocks = index * BATCH..((index + 1) * BATCH).min(plan.blocks());
    let mut partials: Vec<Partial> = blocks.map(|block| worker.block(block)).collect();
    // Summed in the order in which a run on one machine sums them.
    let mut tail = plan.tail();
    let mut bar = None;
    for (folded, low) in partials.iter_mut().filter_map(|p| p.sure.take()) {
        tail.sure(&folded, low);
        bar = Some(low);
    }
    let sure = bar.map(|bar| (tail.take_fresh(), bar));
    Batch { index, partials, sure, bins: worker.histograms.iter().map(Histogram::bins).collect() }
}

/// Sees the blocks of a run in their order, for tables of years, and ends the run by answering false.
pub type Sink<'a> = &'a mut dyn FnMut(&Block) -> bool;

/// All years of a plan on this machine. `watch` is told how many years are done and may end the run by answering false.
///
/// Returns none if `watch` ended it.
pub fn run<E: Engine>(
    engine: &E,
    plan: &Plan,
    threads: usize,
    watch: &(dyn Fn(u64) -> bool + Sync),
) -> Option<Merged> {
    run_into(engine, plan, threads, watch, None)
}

/// The same, and `sink` sees every block.
///
/// Returns none if `watch` or `sink` ended it.
pub fn run_into<E: Engine>(
    engine: &E,
    plan: &Plan,
    threads: usize,
    watch: &(dyn Fn(u64) -> bool + Sync),
    mut sink: Option<Sink<'_>>,
) -> Option<Merged> {
    let mut merger = Merger::new(plan);
    let threads = threads.max(1);
    // Windows of blocks are simulated by all threads and then merged, so that memory does not grow with the years.
    // Where blocks are held for a sink, windows are as short as keeps the threads busy.
    let held = sink.is_some();
    let window = if held { BATCH.max(4 * threads as u64) } else { BATCH * (threads as u64).max(4) };
    // Weighted blocks each bring sums by product.
    let sums = if engine.bars(plan.years).is_some() { 48 * plan.products as u64 + 1024 } else { 1 };
    let window = window.min(WEIGHTED / sums).max(2 * threads as u64);
    let stop = AtomicBool::new(false);
    let mut workers: Vec<Worker<'_, E>> = (0..threads).map(|_| Worker::new(engine, plan)).collect();
    let mut from = 0;
    while from < plan.blocks() {
        let to = (from + window).min(plan.blocks());
        let next = AtomicU64::new(from);
        let done: Mutex<Vec<(u64, Partial, Option<Block>)>> =
            Mutex::new(Vec::with_capacity((to - from) as usize));
        let work = |worker: &mut Worker<'_, E>| {
            loop {
                let block = next.fetch_add(1, Ordering::Relaxed);
                if block >= to || stop.load(Ordering::Relaxed) {
                    return;
                }
                let partial = worker.block(block);
                if !watch(partial.years as u64) {
                    stop.store(true, Ordering::Relaxed);
                }
                let block_held = held.then(|| worker.block.clone());
                // A thread that panicked took the run with it: there is nobody left to see the poison.
                done.lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .push((block, partial, block_held));
            }
        };
        if let [only] = workers.as_mut_slice() {
            work(only);
        } else {
            std::thread::scope(|scope| {
                workers.iter_mut().for_each(|worker| drop(scope.spawn(|| work(worker))))
            });
        }
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let mut partials = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        partials.sort_unstable_by_key(|p| p.0);
        for (_, partial, block) in partials {
            merger.partial(partial);
            if let (Some(sink), Some(block)) = (&mut sink, &block)
                && !sink(block)
            {
                return None;
            }
        }
        from = to;
    }
    for worker in &workers {
        merger.histograms.iter_mut().zip(&worker.histograms).for_each(|(all, own)| all.merge(own));
    }
    Some(merger.finish())
}

/// A thread's means.
struct Worker<'a, E: Engine> {
    engine: &'a E,
    plan: &'a Plan,
    scratch: E::Scratch,
    block: Block,
    histograms: Vec<Histogram>,
    order: Vec<u32>,
    units: Vec<[u64; 2]>,
    bars: Option<Bars>,
    claims: Vec<Claim>,
}

impl<'a, E: Engine> Worker<'a, E> {
    fn new(engine: &'a E, plan: &'a Plan) -> Self {
        let block = Block { years: 0, weights: vec![], values: vec![vec![]; plan.bounds.len()] };
        let histograms = vec![Histogram::default(); plan.bounds.len()];
        Self {
            engine,
            plan,
            scratch: E::Scratch::default(),
            block,
            histograms,
            order: vec![],
            units: vec![],
            bars: engine.bars(plan.years),
            claims: vec![],
        }
    }

    fn block(&mut self, index: u64) -> Partial {
        let years = self.plan.block_years(index);
        self.block.years = years;
        self.block.weights.clear();
        for values in &mut self.block.values {
            values.clear();
            values.resize(years, 0.0);
        }
        let mut stream = Stream::new(self.plan.seed, self.engine.purpose(), index);
        self.engine.simulate(&mut stream, &mut self.scratch, &mut self.block);
        let Block { weights, values, .. } = &self.block;
        histogram::units(weights, &mut self.units);
        let units = &self.units;
        let sums = values
            .iter()
            .zip(&mut self.histograms)
            .zip(&self.plan.bounds)
            .map(|((values, histogram), &bound)| reduce(values, weights, units, bound, histogram))
            .collect();
        let (rows, sure) = match self.bars {
            None => (self.rows(), None),
            Some(bars) => {
                let (rows, folded) = self.weighted_rows(bars);
                (rows, Some((folded, bars.low)))
            }
        };
        let weights = &self.block.weights;
        let (weight, weight_square) = if weights.is_empty() {
            (years as f64, years as f64)
        } else {
            (weights.iter().fold(0.0, |s, w| s + w), weights.iter().fold(0.0, |s, w| s + w * w))
        };
        Partial { years, weight, weight_square, sums, rows, sure }
    }

    /// The block's worst years with their claims.
    fn rows(&mut self) -> Rows {
        let Block { years, weights, values } = &self.block;
        let key = &values[self.engine.key()];
        let kept = keep(*years, TAIL);
        self.order.clear();
        self.order.extend(0..*years as u32);
        // Ties go by the year's place, so that which year is kept does not depend on the selection.
        let worse = |a: &u32, b: &u32| key[*b as usize].total_cmp(&key[*a as usize]).then(a.cmp(b));
        if kept < *years {
            self.order.select_nth_unstable_by(kept, worse);
            self.order.truncate(kept);
        }
        self.order.sort_unstable();
        let mut rows = Rows::default();
        for &year in &self.order {
            let year = year as usize;
            rows.keys.push(key[year]);
            rows.weights.push(weights.get(year).copied().unwrap_or(1.0));
            rows.values.extend(values.iter().map(|v| v[year]));
            self.engine.claims(&self.scratch, year, &mut rows.claims);
            rows.ends.push(rows.claims.len() as u32);
        }
        rows
    }

    /// The block's years between the bars with their claims, and sums over those above.
    fn weighted_rows(&mut self, bars: Bars) -> (Rows, Folded) {
        let Block { years, weights, values } = &self.block;
        let key = &values[self.engine.key()];
        let mut rows = Rows::default();
        let mut folded = Folded::new(self.plan.sizes());
        for year in (0..*years).filter(|&y| key[y] >= bars.low && key[y] > 0.0) {
            let weight = weights.get(year).copied().unwrap_or(1.0);
            let amounts = values.iter().map(|v| v[year]);
            if key[year] > bars.high {
                self.claims.clear();
                self.engine.claims(&self.scratch, year, &mut self.claims);
                folded.year(key[year], weight, amounts, &self.claims);
            } else {
                rows.keys.push(key[year]);
                rows.weights.push(weight);
                rows.values.extend(amounts);
                self.engine.claims(&self.scratch, year, &mut rows.claims);
                rows.ends.push(rows.claims.len() as u32);
            }
        }
        (rows, folded)
    }
}

/// Sums of one variable, and its counts.
fn reduce(
    values: &[f64],
    weights: &[f64],
    units: &[[u64; 2]],
    bound: f64,
    histogram: &mut Histogram,
) -> Sums {
    let mut sums = Sums::default();
    if bound.is_finite() {
        // A sum of terms that fill a layer may be off the bound in its last digit.
        let full = bound * (1.0 - 1e-12);
        for (year, _) in values.iter().enumerate().filter(|v| *v.1 >= full) {
            let weight = weights.get(year).copied().unwrap_or(1.0);
            sums.full += weight;
            sums.full_square += weight * weight;
        }
    }
    if weights.is_empty() {
        // Four chains, added at the end: a fixed order that does not wait for one addition after the other.
        let mut powers = [[0.0; 4]; 4];
        for four in values.chunks(4) {
            for (i, &value) in four.iter().enumerate() {
                let square = value * value;
                powers[0][i] += value;
                powers[1][i] += square;
                powers[2][i] += square * value;
                powers[3][i] += square * square;
            }
        }
        [sums.first, sums.second, sums.third, sums.fourth] = powers.map(|p| (p[0] + p[1]) + (p[2] + p[3]));
        sums.weighted = sums.second;
        sums.cross = sums.first;
        histogram.count_all(values);
    } else {
        let mut powers = [[0.0; 4]; 6];
        for (four, weights) in values.chunks(4).zip(weights.chunks(4)) {
            for (i, (&value, &weight)) in four.iter().zip(weights).enumerate() {
                let (once, square) = (weight * value, value * value);
                powers[0][i] += once;
                powers[1][i] += weight * square;
                powers[2][i] += once * square;
                powers[3][i] += weight * (square * square);
                powers[4][i] += once * once;
                powers[5][i] += weight * once;
            }
        }
        [sums.first, sums.second, sums.third, sums.fourth, sums.weighted, sums.cross] =
            powers.map(|p| (p[0] + p[1]) + (p[2] + p[3]));
        histogram.count_weighted(values, units);
    }
    sums
}

/// Takes partials in the order of their blocks.
#[derive(Debug)]
pub struct Merger {
    merged: Merged,
    histograms: Vec<Histogram>,
    blocks: u64,
}

/// All blocks of a run.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Years simulated.
    pub years: u64,
    /// Sum of weights.
    pub weight: f64,
    /// Sum of squared weights.
    pub weight_square: f64,
    /// By variable.
    pub sums: Vec<Sums>,
    /// By variable, smallest amounts first.
    pub bins: Vec<Vec<Bin>>,
    /// The worst years.
    pub tail: Tail,
}

impl Merger {
    /// Nothing yet.
    pub fn new(plan: &Plan) -> Self {
        let merged = Merged {
            years: 0,
            weight: 0.0,
            weight_square: 0.0,
            sums: vec![Sums::default(); plan.bounds.len()],
            bins: vec![],
            tail: plan.tail(),
        };
        Self { merged, histograms: vec![Histogram::default(); plan.bounds.len()], blocks: 0 }
    }

    /// The next batch.
    pub fn batch(&mut self, batch: Batch) {
        if let Some((folded, bar)) = &batch.sure {
            self.merged.tail.sure(folded, *bar);
        }
        batch.partials.into_iter().for_each(|partial| self.partial(partial));
        for (all, bins) in self.histograms.iter_mut().zip(&batch.bins) {
            all.merge(&Histogram::from_bins(bins));
        }
    }

    fn partial(&mut self, partial: Partial) {
        let all = &mut self.merged;
        all.years += partial.years as u64;
        all.weight += partial.weight;
        all.weight_square += partial.weight_square;
        for (all, one) in all.sums.iter_mut().zip(&partial.sums) {
            all.first += one.first;
            all.second += one.second;
            all.third += one.third;
            all.fourth += one.fourth;
            all.weighted += one.weighted;
            all.cross += one.cross;
            all.full += one.full;
            all.full_square += one.full_square;
        }
        all.tail.add(&partial.rows, partial.years);
        if let Some((folded, bar)) = &partial.sure {
            all.tail.sure(folded, *bar);
        }
        self.blocks += 1;
        if self.blocks.is_multiple_of(BATCH) {
            all.tail.prune();
        }
    }

    /// Everything.
    pub fn finish(mut self) -> Merged {
        self.merged.bins = self.histograms.iter().map(Histogram::bins).collect();
        self.merged
    }
}
