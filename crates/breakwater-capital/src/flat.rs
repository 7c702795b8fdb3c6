//! Years in which order does not matter: the fast engine.
//!
//! Where every treaty looks at single events or at the year's sum, a year is a bag of events, and blocks of years are
//! simulated step by step over arrays: counts, then claims, then sums. Loops are plain arithmetic over slices, without
//! branches on random data, so that the compiler can use whatever vector unit it is given.

pub(crate) mod tables;

use crate::{
    flat::tables::Tables,
    model::Model,
    rng::{LANES, Purpose, SPARE, Stream},
    simulate::{Block, Engine},
    tail::Claim,
};

/// Years whose claims are drawn and summed before the next are drawn: small enough for the first-level cache.
const CHUNK: usize = 128;

/// The engine of years without order.
#[derive(Clone, Debug)]
pub struct Flat {
    tables: Tables,
}

/// Claims of a block, in arrays.
#[derive(Debug, Default)]
pub struct Claims {
    /// For each group of products and year, where its claims begin; one more entry than years.
    starts: Vec<Vec<u32>>,
    /// Places among the group's members, by group.
    picks: Vec<Vec<u32>>,
    /// Amounts, by group.
    amounts: Vec<Vec<f32>>,
    /// Year, cause, and where its hits begin.
    shocks: Vec<(u32, u32, u32)>,
    /// Product and amount of each hit.
    hits: Vec<(u32, f32)>,
    words: Vec<u64>,
    /// Members hit by the shock at hand.
    hit: Vec<u32>,
}

impl Flat {
    /// The engine of a model.
    ///
    /// # Errors
    /// What in the model needs its events in order, in words.
    pub fn new(model: &Model) -> Result<Self, String> {
        Ok(Self { tables: Tables::new(model)? })
    }

    /// Draws the claims of one group for years `from..to` of the block and adds them up.
    #[inline(always)]
    fn group(
        &self,
        index: usize,
        (from, to): (usize, usize),
        stream: &mut Stream,
        claims: &mut Claims,
        block: &mut Block,
    ) {
        let group = &self.tables.groups[index];
        let Claims { starts, picks, amounts, words, .. } = claims;
        let starts = &mut starts[index][from..=to];
        // Counts, as places where each year's claims begin.
        let years = (to - from).next_multiple_of(LANES);
        grow(words, years);
        stream.fill(&mut words[..years]);
        let begin = starts[0];
        let mut end = begin;
        for (start, word) in starts[1..].iter_mut().zip(words.iter()) {
            // A block's claims fit in memory, so their number fits in 32 bits.
            end = end.wrapping_add(group.counts.draw((word >> 32) as u32));
            *start = end;
        }
        let begin = begin as usize;
        let drawn = (end as usize - begin).next_multiple_of(LANES);
        grow(words, drawn);
        grow(&mut picks[index], begin + drawn);
        grow(&mut amounts[index], begin + drawn);
        stream.fill(&mut words[..drawn]);
        let (picks, amounts) =
            (&mut picks[index][begin..begin + drawn], &mut amounts[index][begin..begin + drawn]);
        self.tables.claims(group, &words[..drawn], picks, amounts);
        // The year's sum and its largest claim; only where that reaches a layer are its claims looked at once more.
        let [gross, _net, largest, recovered @ ..] = block.values.as_mut_slice() else { return };
        let (gross, largest) = (&mut gross[from..to], &mut largest[from..to]);
        let mut reach = [0u32; CHUNK + 1];
        let mut reaching = 0;
        for (year, ((pair, gross), largest)) in starts.windows(2).zip(gross).zip(largest).enumerate() {
            let claims = &amounts[pair[0] as usize - begin..pair[1] as usize - begin];
            let mut sum = 0.0;
            let mut most = 0.0f32;
            for &amount in claims {
                sum += f64::from(amount);
                most = if amount > most { amount } else { most };
            }
            *gross += sum;
            *largest = largest.max(f64::from(most));
            reach[reaching] = year as u32;
            reaching += usize::from(most > self.tables.lowest_attachment);
        }
        for &year in &reach[..reaching] {
            let year = year as usize;
            let claims = &amounts[starts[year] as usize - begin..starts[year + 1] as usize - begin];
            for layer in &self.tables.layers {
                let inside = claims.iter().fold(0.0, |sum, &amount| sum + layer.of(f64::from(amount)));
                recovered[layer.treaty][from + year] += inside;
            }
        }
    }

    /// The claims above zero of a year, event by event; `end` is told where each event ends.
    fn listed(&self, claims: &Claims, year: usize, out: &mut Vec<Claim>, mut end: impl FnMut(usize)) {
        for (index, starts) in claims.starts.iter().enumerate() {
            let range = starts[year] as usize..starts[year + 1] as usize;
            let members = &self.tables.groups[index].members;
            let pairs = claims.picks[index][range.clone()].iter().zip(&claims.amounts[index][range]);
            for (&pick, &amount) in pairs.filter(|p| *p.1 > 0.0) {
                out.push(Claim { product: members[pick as usize], cause: 0, amount });
                end(out.len());
            }
        }
        let first = claims.shocks.partition_point(|s| (s.0 as usize) < year);
        for (offset, &(of, cause, start)) in claims.shocks[first..].iter().enumerate() {
            if of as usize != year {
                break;
            }
            let to = claims.shocks.get(first + offset + 1).map_or(claims.hits.len(), |s| s.2 as usize);
            let hits = claims.hits[start as usize..to].iter();
            out.extend(hits.filter(|h| h.1 > 0.0).map(|&(product, amount)| Claim { product, cause, amount }));
            end(out.len());
        }
    }

    /// Draws the shocks of a block and adds them up.
    fn shocks(&self, stream: &mut Stream, claims: &mut Claims, block: &mut Block) {
        let Some(shocks) = &self.tables.shocks else { return };
        let Claims { shocks: struck, hits, hit, .. } = claims;
        // One clock for all clusters; a Poisson process starts anew at a block's beginning as well as anywhere.
        let mut time = stream.exponential() * shocks.mean_gap;
        while time < block.years as f64 {
            let year = time as usize;
            let cluster = shocks.which.draw((stream.word() >> 32) as u32) as usize;
            let members = &shocks.members[cluster];
            // Half a word for each member; who is hit is written down without a branch.
            grow(hit, members.len() + 1);
            let mut count = 0;
            for some in members.chunks(2 * SPARE) {
                for (pair, &word) in some.chunks(2).zip(stream.take(some.len().div_ceil(2))) {
                    for (&(product, threshold), bits) in pair.iter().zip([word as u32, (word >> 32) as u32]) {
                        hit[count] = product;
                        count += usize::from(bits <= threshold);
                    }
                }
            }
            struck.push((year as u32, cluster as u32 + 1, hits.len() as u32));
            let mut event = 0.0;
            for some in hit[..count].chunks(SPARE) {
                for (&product, &word) in some.iter().zip(stream.take(some.len())) {
                    let amount = self.tables.claim(product as usize, word as u32);
                    event += f64::from(amount);
                    hits.push((product, amount));
                }
            }
            let [gross, _net, largest, recovered @ ..] = block.values.as_mut_slice() else { return };
            gross[year] += event;
            largest[year] = largest[year].max(event);
            for layer in &self.tables.layers {
                recovered[layer.treaty][year] += layer.of(event);
            }
            time += stream.exponential() * shocks.mean_gap;
        }
    }
}

/// Makes a buffer at least so long.
#[inline(always)]
fn grow<T: Clone + Default>(buffer: &mut Vec<T>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
}

impl Engine for Flat {
    type Scratch = Claims;

    fn purpose(&self) -> Purpose {
        Purpose::Flat
    }

    fn simulate(&self, stream: &mut Stream, claims: &mut Claims, block: &mut Block) {
        let years = block.years;
        let groups = &self.tables.groups;
        claims.starts.resize(groups.len(), vec![]);
        claims.picks.resize(groups.len(), vec![]);
        claims.amounts.resize(groups.len(), vec![]);
        claims.shocks.clear();
        claims.hits.clear();
        for starts in &mut claims.starts {
            starts.clear();
            starts.resize(years + 1, 0);
        }
        self.shocks(stream, claims, block);
        for from in (0..years).step_by(CHUNK) {
            let to = (from + CHUNK).min(years);
            for index in 0..groups.len() {
                self.group(index, (from, to), stream, claims, block);
            }
        }
        self.tables.settle(block);
    }

    fn claims(&self, claims: &Claims, year: usize, out: &mut Vec<Claim>) {
        self.listed(claims, year, out, |_| ());
    }

    fn events(&self, claims: &Claims, year: usize, out: &mut Vec<Claim>, ends: &mut Vec<usize>) {
        self.listed(claims, year, out, |end| ends.push(end));
    }
}
