//! Years drawn where the losses are: importance sampling for the tail.
//!
//! A block's years come from several laws in fixed shares: the nominal one, one under which sums are large, and one under
//! which what treaties leave is large. A tilted law multiplies a year's probability by the exponential of its score; the
//! year's weight is the nominal density over the density of the whole mixture (the balance heuristic of Veach and
//! Guibas 1995), so that no weight is above one over the nominal share whatever the model is, and every estimate is
//! unbiased.

mod cells;
mod component;
mod cumulant;
mod pilot;

use crate::{
    flat::tables::Tables,
    model::Model,
    quantiles::Quantiles,
    rng::{LANES, Purpose, SPARE, Stream},
    simulate::{Block, Engine, TAIL},
    tail::{Bars, Claim},
    tilt::{
        cells::{Cell, Cells},
        component::{Component, Members, Tilt, pick},
        cumulant::{Cumulant, Score},
        pilot::Pilot,
    },
};

/// Years whose claims are drawn and summed before the next are drawn.
const CHUNK: usize = 64;

/// How to tilt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aim {
    /// The level whose quantile is an ordinary year of the law for sums, inside (0, 1).
    pub gross_level: f64,
    /// The same of the law for what treaties leave.
    pub net_level: f64,
    /// Share of the years of the law for sums.
    pub gross_share: f64,
    /// Share of the years of the law for what treaties leave.
    pub net_share: f64,
    /// A tilted law has at most so many times the claims of the nominal one, and a few.
    pub most_claims: f64,
}

impl Default for Aim {
    /// Serves VaR 99.5 %, TVaR 99 % gross and net, stop losses and the allocation together.
    fn default() -> Self {
        Self { gross_level: 0.99, net_level: 0.99, gross_share: 0.8, net_share: 0.08, most_claims: 6.0 }
    }
}

/// The engine of weighted years.
#[derive(Clone, Debug)]
pub struct Tilted {
    tables: Tables,
    cells: Cells,
    groups: Vec<Group>,
    components: Vec<Component>,
    /// Share of the years of each component.
    shares: Vec<f64>,
    /// What a shock of each cluster adds to the packed scores as a whole.
    events: Vec<u64>,
    tilts: [f64; 2],
    pilot: Pilot,
}

/// A group's cells, in the order in which its alias tables number them.
#[derive(Clone, Debug)]
struct Group {
    cells: Vec<Cell>,
    /// The product of each.
    owners: Vec<u32>,
}

/// Claims of a block.
#[derive(Debug, Default)]
pub struct Claims {
    /// For each group and year, where its claims begin; one more entry than years.
    starts: Vec<Vec<u32>>,
    /// Cells, by group.
    picks: Vec<Vec<u32>>,
    /// Amounts, by group.
    amounts: Vec<Vec<f32>>,
    /// Year, cause, and where its hits begin.
    shocks: Vec<(u32, u32, u32)>,
    /// Product of each hit.
    hits: Vec<u32>,
    /// Amount of each.
    hit_amounts: Vec<f32>,
    words: Vec<u64>,
    /// Packed scores of the claims of the years at hand.
    claim_scores: Vec<u64>,
    /// Packed scores of each year.
    scores: Vec<u64>,
}

impl Tilted {
    /// The engine of a model, tilted by default.
    ///
    /// # Errors
    /// What in the model needs its events in order, in words.
    pub fn new(model: &Model) -> Result<Self, String> {
        Self::aimed(model, Aim::default())
    }

    /// The engine of a model.
    ///
    /// # Errors
    /// What in the model needs its events in order, in words.
    pub fn aimed(model: &Model, aim: Aim) -> Result<Self, String> {
        let tables = Tables::new(model)?;
        let (masses, amounts) = cells::coarse(model, &tables);
        // Without a layer that bites, what is left is proportional to the sum.
        let bites = tables.layers.iter().any(|l| !l.is_proportional());
        let gross = Cumulant::new(model, &tables.layers, Score::Gross, &masses, &amounts);
        let net = Cumulant::new(model, &tables.layers, Score::Net, &masses, &amounts);
        let mut tilts = [
            gross.solve(1.0 - aim.gross_level, aim.most_claims).unwrap_or(0.0),
            if bites { net.solve(1.0 - aim.net_level, aim.most_claims).unwrap_or(0.0) } else { 0.0 },
        ];
        // The law of the finer cells may end a little before that of the coarse ones.
        loop {
            match Self::with(model, &tables, &net, tilts, aim) {
                Some(mut engine) => {
                    engine.pilot = Pilot::new(&engine);
                    return Ok(engine);
                }
                None => tilts = tilts.map(|eta| if eta > 1e-9 { 0.9 * eta } else { 0.0 }),
            }
        }
    }

    /// None if a tilted law does not exist.
    fn with(model: &Model, tables: &Tables, net: &Cumulant<'_>, tilts: [f64; 2], aim: Aim) -> Option<Self> {
        let cells = Cells::new(model, tables, [(Score::Gross, tilts[0]), (Score::Net, tilts[1])]);
        let members = groups(model);
        let events: Vec<u64> = (0..model.clusters.len())
            .map(|k| u64::from(cells::units(tilts[1] * net.event(k))) << 32)
            .collect();
        let mut components = vec![Component::new(model, &members, &cells, None)?];
        let mut shares = vec![];
        let wanted = [(Score::Gross, aim.gross_share), (Score::Net, aim.net_share)];
        for (index, (score, share)) in wanted.into_iter().enumerate() {
            if tilts[index] > 0.0 {
                let tilt = Tilt { shift: 32 * index as u32, score, events: &events };
                components.push(Component::new(model, &members, &cells, Some(tilt))?);
                shares.push(share);
            }
        }
        let groups = members
            .iter()
            .map(|group| {
                let of = |&p: &u32| cells.of(p as usize).iter().map(move |&cell| (cell, p));
                let (cells, owners) = group.products.iter().flat_map(of).unzip();
                Group { cells, owners }
            })
            .collect();
        Some(Self {
            tables: tables.clone(),
            cells,
            groups,
            components,
            shares,
            events,
            tilts,
            pilot: Pilot::default(),
        })
    }

    /// Variables of a block.
    fn variables(&self) -> usize {
        self.tables.variables()
    }

    /// The tilts of the sum and of what treaties leave, per unit of amount; 0 where a law is not tilted.
    pub fn tilts(&self) -> [f64; 2] {
        self.tilts
    }

    /// How many years of a block of so many come from each law; the nominal one is first and never empty.
    fn quotas(&self, years: usize) -> Vec<usize> {
        let tilted: Vec<usize> = self.shares.iter().map(|share| (share * years as f64) as usize).collect();
        let nominal = years - tilted.iter().sum::<usize>();
        std::iter::once(nominal).chain(tilted).collect()
    }

    /// Draws the claims of one group for some years of the block and adds them up.
    #[inline(always)]
    fn group(
        &self,
        component: &Component,
        index: usize,
        (from, to): (usize, usize),
        stream: &mut Stream,
        claims: &mut Claims,
        block: &mut Block,
    ) {
        let group = &self.groups[index];
        let Claims { starts, picks, amounts, words, claim_scores, scores, .. } = claims;
        let starts = &mut starts[index][from..=to];
        let years = (to - from).next_multiple_of(LANES);
        grow(words, years);
        stream.fill(&mut words[..years]);
        let begin = starts[0];
        let mut end = begin;
        for (start, word) in starts[1..].iter_mut().zip(words.iter()) {
            // A block's claims fit in memory, so their number fits in 32 bits.
            end = end.wrapping_add(component.counts[index].draw((word >> 32) as u32));
            *start = end;
        }
        let (begin, end) = (begin as usize, end as usize);
        let drawn = end - begin;
        grow(words, drawn.next_multiple_of(LANES));
        grow(claim_scores, drawn);
        grow(&mut picks[index], end);
        grow(&mut amounts[index], end);
        stream.fill(&mut words[..drawn.next_multiple_of(LANES)]);
        let (words, claim_scores) = (&words[..drawn], &mut claim_scores[..drawn]);
        let (picks, amounts) = (&mut picks[index][begin..end], &mut amounts[index][begin..end]);
        draw(&component.columns[index], &group.cells, &self.tables.laws, words, picks, amounts, claim_scores);
        let [gross, _net, largest, recovered @ ..] = block.values.as_mut_slice() else { return };
        for (year, pair) in starts.windows(2).enumerate() {
            let range = pair[0] as usize - begin..pair[1] as usize - begin;
            let claims = &amounts[range.clone()];
            let mut sum = 0.0;
            let mut most = 0.0f32;
            let mut score = 0u64;
            for (&amount, &more) in claims.iter().zip(&claim_scores[range]) {
                sum += f64::from(amount);
                most = if amount > most { amount } else { most };
                // Scores of a year fit their halves: see `LARGEST` of the cells.
                score = score.wrapping_add(more);
            }
            gross[from + year] += sum;
            largest[from + year] = largest[from + year].max(f64::from(most));
            scores[from + year] = scores[from + year].wrapping_add(score);
            if most > self.tables.lowest_attachment {
                for layer in &self.tables.layers {
                    let inside = claims.iter().fold(0.0, |sum, &amount| sum + layer.of(f64::from(amount)));
                    recovered[layer.treaty][from + year] += inside;
                }
            }
        }
    }

    /// Draws the shocks of some years of the block and adds them up.
    fn shocks(
        &self,
        component: &Component,
        (from, to): (usize, usize),
        stream: &mut Stream,
        claims: &mut Claims,
        block: &mut Block,
    ) {
        let Some(shocks) = &component.shocks else { return };
        let Claims { shocks: struck, hits, hit_amounts, words, claim_scores, scores, .. } = claims;
        let (first_shock, first_hit) = (struck.len(), hits.len());
        // One clock for all clusters; a Poisson process starts anew anywhere.
        let mut time = from as f64 + stream.exponential() * shocks.mean_gap;
        while time < to as f64 {
            let cluster = shocks.which.draw((stream.word() >> 32) as u32);
            let members = &shocks.members[cluster as usize];
            struck.push((time as u32, cluster + 1, hits.len() as u32));
            // Half a word for each member; who is hit is written down without a branch.
            let mut count = hits.len();
            hits.resize(count + members.len() + 1, 0);
            for some in members.chunks(2 * SPARE) {
                for (pair, &word) in some.chunks(2).zip(stream.take(some.len().div_ceil(2))) {
                    for (&(product, threshold), bits) in pair.iter().zip([word as u32, (word >> 32) as u32]) {
                        hits[count] = product;
                        count += usize::from(bits <= threshold);
                    }
                }
            }
            hits.truncate(count);
            time += stream.exponential() * shocks.mean_gap;
        }
        let drawn = hits.len() - first_hit;
        grow(words, drawn.next_multiple_of(LANES));
        stream.fill(&mut words[..drawn.next_multiple_of(LANES)]);
        grow(claim_scores, drawn);
        hit_amounts.resize(hits.len(), 0.0);
        let amounts = &mut hit_amounts[first_hit..];
        self.hits(component, &hits[first_hit..], &words[..drawn], amounts, claim_scores);
        let [gross, _net, largest, recovered @ ..] = block.values.as_mut_slice() else { return };
        for place in first_shock..struck.len() {
            let (year, cause, start) = struck[place];
            let (year, start) = (year as usize, start as usize - first_hit);
            let end = struck.get(place + 1).map_or(drawn, |next| next.2 as usize - first_hit);
            let event = amounts[start..end].iter().fold(0.0, |sum, &amount| sum + f64::from(amount));
            // The sum's score counts hits, the other counts the shock as a whole.
            let own = claim_scores[start..end].iter().fold(0, |sum: u64, &s| sum.wrapping_add(s));
            let score = self.events[cause as usize - 1].wrapping_add(own);
            scores[year] = scores[year].wrapping_add(score);
            gross[year] += event;
            largest[year] = largest[year].max(event);
            for layer in &self.tables.layers {
                recovered[layer.treaty][year] += layer.of(event);
            }
        }
    }

    /// Draws cells and amounts of hits.
    #[inline(never)]
    fn hits(
        &self,
        component: &Component,
        products: &[u32],
        words: &[u64],
        amounts: &mut [f32],
        scores: &mut [u64],
    ) {
        let (cells, laws) = (&self.cells, &self.tables.laws);
        for (((&product, &word), amount), score) in products.iter().zip(words).zip(amounts).zip(scores) {
            let place = component.hits.cell(product, (word >> 32) as u32);
            let cell = &cells.all[cells.starts[product as usize] as usize + place];
            let paid = cell.draw(laws, word as u32);
            *amount = if paid.is_nan() { cell.exact(laws, word as u32) } else { paid };
            *score = cell.scores & u64::from(u32::MAX);
        }
    }

    /// Weights of the years by their scores: the nominal density over the mixture's.
    fn weigh(&self, quotas: &[usize], scores: &[u64], weights: &mut Vec<f64>) {
        let total = scores.len() as f64;
        let nominal = quotas[0] as f64 / total;
        let weight = |&scores: &u64| {
            let mut mixture = nominal;
            for (component, &quota) in self.components.iter().zip(quotas) {
                if let Some(density) = &component.density {
                    mixture += quota as f64 / total * density.of(scores);
                }
            }
            1.0 / mixture
        };
        weights.extend(scores.iter().map(weight));
    }
}

/// Draws cells, amounts and scores of as many claims as there are words.
#[inline(never)]
fn draw(
    columns: &[u64],
    cells: &[Cell],
    laws: &[Quantiles],
    words: &[u64],
    picks: &mut [u32],
    amounts: &mut [f32],
    scores: &mut [u64],
) {
    let mut unsure = false;
    let claims = words.iter().zip(picks.iter_mut()).zip(amounts.iter_mut()).zip(scores);
    if let [law] = laws {
        for (((&word, place), amount), score) in claims {
            *place = pick(columns, (word >> 32) as u32);
            let cell = &cells[*place as usize];
            *score = cell.scores;
            *amount = cell.draw_of(law, word as u32);
            unsure |= amount.is_nan();
        }
    } else {
        for (((&word, place), amount), score) in claims {
            *place = pick(columns, (word >> 32) as u32);
            let cell = &cells[*place as usize];
            *score = cell.scores;
            *amount = cell.draw(laws, word as u32);
            unsure |= amount.is_nan();
        }
    }
    if unsure {
        for ((&word, &place), amount) in words.iter().zip(&*picks).zip(amounts) {
            if amount.is_nan() {
                *amount = cells[place as usize].exact(laws, word as u32);
            }
        }
    }
}

/// Products by the factor of their rates.
fn groups(model: &Model) -> Vec<Members> {
    let mut groups: Vec<Members> = vec![];
    for (index, p) in model.products.iter().enumerate().filter(|(_, p)| p.rate > 0.0) {
        match groups.iter_mut().find(|g| g.mixing == p.mixing) {
            Some(group) => group.products.push(index as u32),
            None => groups.push(Members { mixing: p.mixing, products: vec![index as u32] }),
        }
    }
    groups
}

/// Makes a buffer at least so long.
#[inline(always)]
fn grow<T: Clone + Default>(buffer: &mut Vec<T>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
}

impl Engine for Tilted {
    type Scratch = Claims;

    fn purpose(&self) -> Purpose {
        Purpose::Tilted
    }

    fn simulate(&self, stream: &mut Stream, claims: &mut Claims, block: &mut Block) {
        let years = block.years;
        let groups = self.groups.len();
        claims.starts.resize(groups, vec![]);
        claims.picks.resize(groups, vec![]);
        claims.amounts.resize(groups, vec![]);
        claims.shocks.clear();
        claims.hits.clear();
        claims.hit_amounts.clear();
        claims.scores.clear();
        claims.scores.resize(years, 0);
        for starts in &mut claims.starts {
            starts.clear();
            starts.resize(years + 1, 0);
        }
        let quotas = self.quotas(years);
        let mut begin = 0;
        for (component, &quota) in self.components.iter().zip(&quotas) {
            let end = begin + quota;
            self.shocks(component, (begin, end), stream, claims, block);
            for from in (begin..end).step_by(CHUNK) {
                for index in 0..groups {
                    self.group(component, index, (from, (from + CHUNK).min(end)), stream, claims, block);
                }
            }
            begin = end;
        }
        self.weigh(&quotas, &claims.scores, &mut block.weights);
        self.tables.settle(block);
    }

    fn bars(&self, years: u64) -> Option<Bars> {
        Some(self.pilot.bars(years, TAIL))
    }

    fn claims(&self, claims: &Claims, year: usize, out: &mut Vec<Claim>) {
        for (index, starts) in claims.starts.iter().enumerate() {
            let range = starts[year] as usize..starts[year + 1] as usize;
            let owners = &self.groups[index].owners;
            let pairs = claims.picks[index][range.clone()].iter().zip(&claims.amounts[index][range]);
            let claim = |(&pick, &amount)| Claim { product: owners[pick as usize], cause: 0, amount };
            out.extend(pairs.filter(|p| *p.1 > 0.0).map(claim));
        }
        let first = claims.shocks.partition_point(|s| (s.0 as usize) < year);
        for (offset, &(of, cause, start)) in claims.shocks[first..].iter().enumerate() {
            if of as usize != year {
                break;
            }
            let end = claims.shocks.get(first + offset + 1).map_or(claims.hits.len(), |s| s.2 as usize);
            let range = start as usize..end;
            let hits = claims.hits[range.clone()].iter().zip(&claims.hit_amounts[range]);
            let claim = |(&product, &amount)| Claim { product, cause, amount };
            out.extend(hits.filter(|h| *h.1 > 0.0).map(claim));
        }
    }
}
