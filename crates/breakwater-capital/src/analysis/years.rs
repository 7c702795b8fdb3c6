//! Simulated years, kept with their claims.
//!
//! CP500 takes about 300 bytes a year, and as much again while years are gathered.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    engine::Chosen,
    model::Model,
    outcome::{Failure, Options},
    rng::Stream,
    simulate::{Block, Engine, Plan, variable},
    tail::Claim,
};

use super::parallel::each;

/// A claim: index of the product, and what it pays.
pub type Paid = (u32, f32);

/// An event of a year.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event<'a> {
    /// 0 for an attack on a product alone, else one more than the index of the cluster.
    pub cause: u32,
    /// What it made the portfolio pay; only claims above zero.
    pub claims: &'a [Paid],
}

/// Years with their events.
#[derive(Clone, Debug, Default)]
pub struct Years {
    /// For each variable of [`variable`], its amount in each year.
    values: Vec<Vec<f64>>,
    /// Where each year's events end.
    ends: Vec<u32>,
    /// Cause of each event, and where its claims end.
    heads: Vec<(u32, u32)>,
    claims: Vec<Paid>,
    /// Whether the order of events within a year means something.
    ordered: bool,
}

impl Years {
    /// Simulates years by the fastest engine that knows the model, and keeps their claims.
    ///
    /// `watch` is told how many further years are done, from any thread, and ends the run by answering false.
    ///
    /// # Errors
    /// [`Failure::Years`] without years or beyond 2^31, [`Failure::Ended`] by `watch`, [`Failure::Refused`] if no engine
    /// knows the model or the years hold 2^32 claims and more.
    pub fn simulate(
        model: &Model,
        options: &Options,
        watch: &(dyn Fn(u64) -> bool + Sync),
    ) -> Result<Self, Failure> {
        let engine = Chosen::new(model)?;
        let plan = engine.plan(model, options)?;
        match &engine {
            Chosen::Flat(engine) => Self::gather(engine, &plan, options.threads, false, watch),
            Chosen::Timeline(engine) => Self::gather(engine, &plan, options.threads, true, watch),
            Chosen::Tilted(_) => Err(Failure::Refused("years that are kept have weight one".into())),
        }
    }

    /// The years of a plan by an engine that gives each year weight one. `ordered`: its events come in order of time.
    ///
    /// # Errors
    /// [`Failure::Ended`] by `watch`, [`Failure::Refused`] from 2^32 claims on.
    pub fn gather<E: Engine>(
        engine: &E,
        plan: &Plan,
        threads: usize,
        ordered: bool,
        watch: &(dyn Fn(u64) -> bool + Sync),
    ) -> Result<Self, Failure> {
        let stop = AtomicBool::new(false);
        let blocks = each(plan.blocks() as usize, threads, |index| {
            if stop.load(Ordering::Relaxed) {
                return Self::default();
            }
            let block = one(engine, plan, index as u64);
            if !watch(block.len() as u64) {
                stop.store(true, Ordering::Relaxed);
            }
            block
        });
        if stop.load(Ordering::Relaxed) {
            return Err(Failure::Ended);
        }
        let claims: usize = blocks.iter().map(|b| b.claims.len()).sum();
        if u32::try_from(claims).is_err() {
            return Err(Failure::Refused(format!("{claims} claims do not fit; ask for fewer years")));
        }
        let mut all = Self { values: vec![vec![]; plan.bounds.len()], ordered, ..Self::default() };
        all.claims.reserve_exact(claims);
        for block in blocks {
            all.append(&block);
        }
        Ok(all)
    }

    /// Puts another's years after these. The sum of claims was checked to fit.
    fn append(&mut self, other: &Self) {
        let (events, claims) = (self.heads.len() as u32, self.claims.len() as u32);
        self.ends.extend(other.ends.iter().map(|e| e + events));
        self.heads.extend(other.heads.iter().map(|h| (h.0, h.1 + claims)));
        self.claims.extend_from_slice(&other.claims);
        for (all, one) in self.values.iter_mut().zip(&other.values) {
            all.extend_from_slice(one);
        }
    }

    /// How many years.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no year.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether the order of events within a year means something.
    pub fn is_ordered(&self) -> bool {
        self.ordered
    }

    /// A variable's amounts, by year; see [`variable`] for what stands where.
    pub fn values(&self, variable: usize) -> &[f64] {
        self.values.get(variable).map_or(&[], Vec::as_slice)
    }

    /// The gross year.
    pub fn gross(&self) -> &[f64] {
        self.values(variable::GROSS)
    }

    /// The net year.
    pub fn net(&self) -> &[f64] {
        self.values(variable::NET)
    }

    /// A year's events that paid something, in the engine's order.
    pub fn events(&self, year: usize) -> impl Iterator<Item = Event<'_>> + Clone {
        let begin = |ends: usize| if ends == 0 { 0 } else { self.ends[ends - 1] as usize };
        (begin(year)..self.ends[year] as usize).map(|event| {
            let from = if event == 0 { 0 } else { self.heads[event - 1].1 as usize };
            let (cause, to) = self.heads[event];
            Event { cause, claims: &self.claims[from..to as usize] }
        })
    }

    /// Adds a year of these claims, whose events end at `ends`. Events that paid nothing are left out.
    fn push(&mut self, claims: &[Claim], ends: &[usize]) {
        let mut from = 0;
        for &end in ends {
            if let Some(first) = claims[from..end].first() {
                self.claims.extend(claims[from..end].iter().map(|c| (c.product, c.amount)));
                self.heads.push((first.cause, self.claims.len() as u32));
            }
            from = end;
        }
        self.ends.push(self.heads.len() as u32);
    }
}

/// The years of one block.
fn one<E: Engine>(engine: &E, plan: &Plan, index: u64) -> Years {
    let years = plan.block_years(index);
    let mut scratch = E::Scratch::default();
    let mut block = Block { years, weights: vec![], values: vec![vec![0.0; years]; plan.bounds.len()] };
    let mut stream = Stream::new(plan.seed, engine.purpose(), index);
    engine.simulate(&mut stream, &mut scratch, &mut block);
    let mut kept = Years::default();
    let (mut claims, mut ends) = (vec![], vec![]);
    for year in 0..years {
        claims.clear();
        ends.clear();
        engine.events(&scratch, year, &mut claims, &mut ends);
        kept.push(&claims, &ends);
    }
    kept.values = block.values;
    kept
}
