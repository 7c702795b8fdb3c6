//! Years event by event: the engine for everything the schema can say.
//!
//! # How a year is drawn
//! - One state of the market by its probability. It multiplies all rates (`hazard`), all amounts of products (`tvl`) and
//!   the pools' capital (`capital`).
//! - A gamma factor for each mixing, a gamma rate for each product and cluster whose rate is uncertain.
//! - Attacks on single products: a Poisson count, each at a time of its own, evenly over the year.
//! - Shocks of clusters in the same way; each member is hit with its probability, and the shares lost of those hit
//!   depend on each other by the cluster's copula ([`copula`](self)).
//! - Contagion (Hawkes, "Spectra of some self-exciting and mutually exciting point processes", Biometrika 58 (1971), as a
//!   branching process: Hawkes and Oakes 1974): each attack on a single product causes a Poisson number of further ones,
//!   each after an exponential delay, on a product picked by its rate; those breed too. Shocks do not.
//! - Follow-ups: after any event each member that it did not hit, of each cluster with follow-ups that it touched, is
//!   attacked with the cluster's probability after a delay that is even up to the longest. Follow-ups are attacks like
//!   others: they breed both ways. The year's end cuts everything off.
//! - Failures of reserve assets, on their own and, with the cluster's hit probability, in each shock of their cluster.
//! - Defaults of counterparties, for the whole year.
//!
//! # How it is settled
//! Events are taken in the order of time, those of one moment in the order of drawing ([`Settler`]).
//! - A product's annual limit cuts its claims. An event's loss is the sum of its claims; the year's gross is theirs.
//! - Treaties by event, in an order in which each comes after those it names: each looks at the claims on its products
//!   less what the treaties it comes after owe for this event on the same products (a recovery is shared out by what
//!   each claim brought in). Annual deductibles, limits and reinstatements are used in the order of time, and before
//!   the placed share. Where treaties with different subjects owe the same loss twice, it is paid once, by the first of
//!   them in the order of payment; the others' layers are used all the same.
//! - Stop losses look at the year's claims in the same way.
//! - What comes off before a treaty looks is what the others *owe*: a reinsurer does not pay more because another does
//!   not pay. What the portfolio gets is what is owed times, in a year of default, the share still paid.
//! - Reinstatement premium is `price_j * premium * (use between j - 1 and j limits) / limit`, summed over reinstatements;
//!   in a year of default the share that is still paid of it is due.
//! - Pools bear the claims on their products that are left and the loss of their reserves: surplus, then tranches.
//!   A pool's reserve is its share of the capital at the year's beginning; a second failure takes from what the first
//!   left. What surplus and tranches bear is what the document names less what is left, so that a state of the market
//!   that takes a fifth of the capital shows as a loss of a fifth, and all is lost exactly when nothing is left.
//!
//! Waiting periods have passed and report periods do not matter here, for covers are in force all year.

pub(crate) mod copula;
mod draw;
mod settle;

pub use draw::{Event, Failure, Hit, Room, Sampler, Year};
pub use settle::{PoolYear, Settled, Settler};

use crate::{
    model::Model,
    rng::{Purpose, Stream},
    simulate::{Block, Engine, Plan, variable},
    tail::Claim,
};

/// Events a year beyond which a model is refused: its years would not fit in memory with any comfort.
const MOST_EVENTS: f64 = 1e6;
/// Shapes of gamma factors below this are refused: some years would have a thousand times the expected attacks.
const LEAST_SHAPE: f64 = 0.01;

/// The engine of years event by event.
#[derive(Clone, Debug)]
pub struct Timeline {
    sampler: Sampler,
    settler: Settler,
    treaties: usize,
}

/// A block's claims, and room for a year.
#[derive(Debug, Default)]
pub struct Scratch {
    year: Year,
    settled: Settled,
    room: Room,
    claims: Vec<Claim>,
    /// Where each year's claims end.
    ends: Vec<usize>,
    /// Where each event's claims end, and where each year's events do.
    events: (Vec<usize>, Vec<usize>),
}

impl Timeline {
    /// The engine of a model.
    ///
    /// # Errors
    /// In words, what it cannot do: a treaty by event after one of the year, more than a million events a year, or rates
    /// so uncertain that a thousand times as many are in sight.
    pub fn new(model: &Model) -> Result<Self, String> {
        check(model)?;
        Ok(Self {
            sampler: Sampler::new(model),
            settler: Settler::new(model)?,
            treaties: model.treaties.len(),
        })
    }

    /// What years are drawn by.
    pub fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// What years are settled by.
    pub fn settler(&self) -> &Settler {
        &self.settler
    }

    /// Names of the variables that follow those of [`variable`] and all pools: reinstatement premium of all treaties,
    /// then for each pool the loss of its reserves and what is owed beyond its capital.
    pub fn extras(model: &Model) -> Vec<String> {
        let pools = model.portfolio.pools.iter();
        std::iter::once("reinstatement premium".to_owned())
            .chain(pools.flat_map(|p| [format!("{}/reserve", p.id), format!("{}/unpaid", p.id)]))
            .collect()
    }

    /// A plan with room for [`Self::extras`].
    pub fn plan(model: &Model, mut plan: Plan) -> Plan {
        plan.bounds.extend(Self::extras(model).iter().map(|_| f64::INFINITY));
        plan
    }
}

/// What would not end, or not fit.
fn check(model: &Model) -> Result<(), String> {
    let name = |i: usize| &model.portfolio.products[i].id;
    let direct = model.contagion.as_ref().map_or(0.0, |c| c.branching);
    let mut breeds = vec![direct; model.products.len()];
    for cluster in &model.clusters {
        let Some(follow_up) = &cluster.follow_up else { continue };
        let others = cluster.members.len().saturating_sub(1) as f64;
        cluster.members.iter().for_each(|m| breeds[m.product] += follow_up.probability * others);
    }
    let most = breeds.iter().fold(0.0f64, |most, &b| most.max(b));
    if let Some(product) = breeds.iter().position(|&b| b >= 1.0) {
        return Err(format!(
            "an attack on product {:?} causes {most} others by contagion and follow-ups together: attacks would breed \
             without end; keep it below 1",
            name(product)
        ));
    }
    let hazard = model.regimes.iter().fold(0.0f64, |most, r| most.max(r.hazard));
    let shocks = model.clusters.iter().fold(0.0, |sum, c| sum + c.rate * (1.0 + c.members.len() as f64));
    let events = (model.own_rate() + shocks) * hazard / (1.0 - most);
    if events > MOST_EVENTS {
        return Err(format!("{events} events a year are in sight; at most {MOST_EVENTS} can be simulated"));
    }
    let shapes = model.mixings.iter().copied();
    let posteriors = model.products.iter().filter_map(|p| p.posterior);
    let least = shapes
        .chain(posteriors)
        .chain(model.clusters.iter().filter_map(|c| c.posterior))
        .fold(f64::INFINITY, f64::min);
    if least < LEAST_SHAPE {
        return Err(format!(
            "a rate's gamma factor has shape {least}, a standard deviation of {} times its mean; from shape {LEAST_SHAPE} \
             on it can be simulated",
            1.0 / least.sqrt()
        ));
    }
    Ok(())
}

impl Engine for Timeline {
    type Scratch = Scratch;

    fn purpose(&self) -> Purpose {
        Purpose::Timeline
    }

    fn simulate(&self, stream: &mut Stream, scratch: &mut Scratch, block: &mut Block) {
        let Scratch { year, settled, room, claims, ends, events } = scratch;
        claims.clear();
        ends.clear();
        events.0.clear();
        events.1.clear();
        for index in 0..block.years {
            // A year has one word of the block's stream, whatever happens in it.
            self.sampler.year(stream.word(), room, year);
            self.settler.settle(year, settled);
            self.report(settled, index, block);
            for event in &year.events {
                let hits = year.hits[event.hits()].iter().filter(|h| h.amount > 0.0);
                claims.extend(hits.map(|h| Claim {
                    product: h.product,
                    cause: event.cause,
                    amount: h.amount as f32,
                }));
                events.0.push(claims.len());
            }
            ends.push(claims.len());
            events.1.push(events.0.len());
        }
    }

    fn claims(&self, scratch: &Scratch, year: usize, out: &mut Vec<Claim>) {
        let from = year.checked_sub(1).map_or(0, |before| scratch.ends[before]);
        out.extend(&scratch.claims[from..scratch.ends[year]]);
    }

    fn events(&self, scratch: &Scratch, year: usize, out: &mut Vec<Claim>, ends: &mut Vec<usize>) {
        let (all, years) = &scratch.events;
        let before = |ends: &[usize]| year.checked_sub(1).map_or(0, |before| ends[before]);
        let (from, begin) = (before(&scratch.ends), out.len());
        self.claims(scratch, year, out);
        ends.extend(all[before(years)..years[year]].iter().map(|end| end - from + begin));
    }
}

impl Timeline {
    /// Writes a year's variables, as many of them as the block has room for.
    fn report(&self, settled: &Settled, year: usize, block: &mut Block) {
        let pools = &settled.pools;
        let first = [settled.gross, settled.net, settled.largest];
        debug_assert_eq!(first.len(), variable::TREATIES);
        let all = first
            .into_iter()
            .chain(settled.paid[..self.treaties].iter().copied())
            .chain(pools.iter().flat_map(|p| p.borne.iter().copied()))
            .chain(std::iter::once(settled.reinstatement.iter().fold(0.0, |sum, r| sum + r)))
            .chain(pools.iter().flat_map(|p| [p.reserve, p.unpaid]));
        for (values, value) in block.values.iter_mut().zip(all) {
            values[year] = value;
        }
    }
}
