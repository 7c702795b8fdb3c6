//! What happens in a year: its state of the market, its attacks, shocks and failures, in the order of time.

use super::copula;
use crate::{
    alias::Alias,
    model::{Cluster, DAYS, Model, Terms},
    portfolio::Contagion,
    quantiles::Quantiles,
    rng::{Purpose, Stream},
    sample::{factor, few, poisson},
};

/// One cause at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// When, as a fraction of the year.
    pub time: f64,
    /// 0 for an attack on a product alone, else one more than the cluster's index.
    pub cause: u32,
    /// Where its hits begin in [`Year::hits`].
    pub from: u32,
    /// Where they end.
    pub to: u32,
}

impl Event {
    /// The places of its hits.
    pub fn hits(&self) -> std::ops::Range<usize> {
        self.from as usize..self.to as usize
    }
}

/// What one event takes from one product.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Index of the product.
    pub product: u32,
    /// What the cover pays for it, before the product's annual limit.
    pub amount: f64,
}

/// A failure of a pool's reserve asset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failure {
    /// When, as a fraction of the year.
    pub time: f64,
    /// Index of the pool.
    pub pool: u32,
    /// Share of the reserve that is lost, from 0 to 1.
    pub share: f64,
}

/// Everything that happens in a year before anybody pays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Year {
    /// Index of the state of the market.
    pub regime: usize,
    /// Events, earliest first.
    pub events: Vec<Event>,
    /// Their hits.
    pub hits: Vec<Hit>,
    /// Failures of reserve assets, earliest first.
    pub failures: Vec<Failure>,
    /// For each counterparty whether it defaults this year.
    pub defaulted: Vec<bool>,
}

impl Year {
    /// An event by its time, cause and hits, for years made by hand. Events must come in the order of time.
    pub fn event(&mut self, time: f64, cause: u32, hits: &[Hit]) {
        let from = self.hits.len() as u32;
        self.hits.extend_from_slice(hits);
        self.events.push(Event { time, cause, from, to: self.hits.len() as u32 });
    }

    fn clear(&mut self) {
        self.regime = 0;
        self.events.clear();
        self.hits.clear();
        self.failures.clear();
        self.defaulted.clear();
    }
}

/// Things whose rates share a factor.
#[derive(Clone, Debug)]
struct Source {
    mixing: Option<usize>,
    /// Sum of the known rates, and which of them.
    known: f64,
    which: Option<Alias>,
    members: Vec<u32>,
    /// Uncertain rates: what, its mean, the shape of its posterior.
    uncertain: Vec<(u32, f64, f64)>,
}

impl Source {
    /// Sources of products or clusters: index, mean rate, posterior shape, mixing factor.
    fn all(rates: impl Iterator<Item = (usize, f64, Option<f64>, Option<usize>)>) -> Vec<Self> {
        let mut sources: Vec<(Self, Vec<f64>)> = vec![];
        for (index, rate, posterior, mixing) in rates.filter(|r| r.1 > 0.0) {
            let place = sources.iter().position(|(s, _)| s.mixing == mixing).unwrap_or_else(|| {
                let empty = Self { mixing, known: 0.0, which: None, members: vec![], uncertain: vec![] };
                sources.push((empty, vec![]));
                sources.len() - 1
            });
            let (source, known) = &mut sources[place];
            if let Some(shape) = posterior {
                source.uncertain.push((index as u32, rate, shape));
            } else {
                source.known += rate;
                source.members.push(index as u32);
                known.push(rate);
            }
        }
        let finish = |(mut source, rates): (Self, Vec<f64>)| {
            source.which = (!rates.is_empty()).then(|| Alias::new(&rates));
            source
        };
        sources.into_iter().map(finish).collect()
    }

    /// Calls `each` with what is struck, for every strike of a year in which all rates are multiplied by `times`.
    fn draw(
        &self,
        times: f64,
        sums: &mut Vec<f64>,
        stream: &mut Stream,
        mut each: impl FnMut(&mut Stream, u32),
    ) {
        if let Some(which) = &self.which {
            for _ in 0..poisson(stream, self.known * times) {
                let pick = which.draw((stream.word() >> 32) as u32);
                each(stream, self.members[pick as usize]);
            }
        }
        if self.uncertain.is_empty() {
            return;
        }
        // The year's own rates, added up: one count for all, and who it is by their place in the sum.
        sums.clear();
        let mut sum = 0.0;
        for &(_, rate, shape) in &self.uncertain {
            sum += rate * factor(stream, shape);
            sums.push(sum);
        }
        for _ in 0..poisson(stream, sum * times) {
            let at = stream.unit() * sum;
            let place = sums.partition_point(|&s| s <= at).min(sums.len() - 1);
            each(stream, self.uncertain[place].0);
        }
    }
}

/// A pool's reserve as far as years are concerned.
#[derive(Clone, Debug)]
struct Reserve {
    pool: u32,
    rate: f64,
    severity: usize,
    /// The cluster whose shocks hit it, and with what probability.
    cluster: Option<(u32, f64)>,
}

/// Draws years.
#[derive(Clone, Debug)]
pub struct Sampler {
    regimes: Vec<(f64, f64, f64)>,
    mixings: Vec<f64>,
    attacks: Vec<Source>,
    shocks: Vec<Source>,
    clusters: Vec<Cluster>,
    terms: Vec<(Terms, u32)>,
    laws: Vec<Quantiles>,
    contagion: Option<(Contagion, f64, Alias)>,
    /// For each product the clusters in which attacks follow; empty if there are none at all.
    followed: Vec<Vec<u32>>,
    reserves: Vec<Reserve>,
    counterparties: Vec<f64>,
}

/// What a sampler remembers from year to year: nothing but room.
#[derive(Debug, Default)]
pub struct Room {
    factors: Vec<f64>,
    sums: Vec<f64>,
    struck: Vec<u32>,
    hit: Vec<u32>,
    upper: Vec<f64>,
    causes: Vec<u32>,
}

impl Sampler {
    /// The sampler of a model.
    pub fn new(model: &Model) -> Self {
        let products = &model.products;
        let attacks =
            Source::all(products.iter().enumerate().map(|(i, p)| (i, p.rate, p.posterior, p.mixing)));
        let shocks =
            Source::all(model.clusters.iter().enumerate().map(|(i, c)| (i, c.rate, c.posterior, None)));
        let rates: Vec<f64> = products.iter().map(|p| p.rate).collect();
        let contagion = model
            .contagion
            .as_ref()
            .filter(|c| c.branching > 0.0 && rates.iter().any(|&r| r > 0.0))
            .map(|c| (c.clone(), libm::exp(-c.branching), Alias::new(&rates)));
        let mut followed = vec![vec![]; products.len()];
        for (k, cluster) in model.clusters.iter().enumerate() {
            if cluster.follow_up.as_ref().is_some_and(|f| f.probability > 0.0) {
                cluster.members.iter().for_each(|m| followed[m.product].push(k as u32));
            }
        }
        if followed.iter().all(Vec::is_empty) {
            followed.clear();
        }
        let reserve = |(index, pool): (usize, &crate::model::Pool)| {
            let terms = pool.terms.reserve.as_ref()?;
            let hit = |k: usize| (k as u32 + 1, model.portfolio.clusters[k].hit);
            Some(Reserve {
                pool: index as u32,
                rate: terms.rate,
                severity: pool.reserve_severity?,
                cluster: pool.reserve_cluster.map(hit),
            })
        };
        Self {
            regimes: model.regimes.iter().map(|r| (r.probability, r.hazard, r.tvl)).collect(),
            mixings: model.mixings.clone(),
            attacks,
            shocks,
            clusters: model.clusters.clone(),
            terms: products.iter().map(|p| (p.terms, p.severity as u32)).collect(),
            laws: model.severities.iter().map(Quantiles::new).collect(),
            contagion,
            followed,
            reserves: model.pools.iter().enumerate().filter_map(reserve).collect(),
            counterparties: model.counterparties.iter().map(|c| c.1).collect(),
        }
    }

    /// The year of a key. Its causes, its sizes, its reserves and its counterparties have streams of their own, so that
    /// a portfolio that differs in terms, treaties or pools only meets the same attacks.
    pub fn year(&self, key: u64, room: &mut Room, year: &mut Year) {
        year.clear();
        let mut causes = Stream::new(key, Purpose::Timeline, 0);
        let mut sizes = Stream::new(key, Purpose::Timeline, 1);
        let hazard = self.regime(&mut causes, year);
        self.causes(hazard, &mut causes, room, year);
        self.breed(&mut causes, room, year);
        // Hits before events: which hit is of which event is known by the order of drawing.
        self.sizes(&mut sizes, room, year);
        if !self.reserves.is_empty() {
            self.failures(hazard, &mut Stream::new(key, Purpose::Timeline, 2), year);
        }
        if !self.counterparties.is_empty() {
            let mut stream = Stream::new(key, Purpose::Timeline, 3);
            year.defaulted.extend(self.counterparties.iter().map(|&p| stream.unit() < p));
        }
        // Stable: events of one moment stay in the order of drawing.
        year.events.sort_by(|a, b| a.time.total_cmp(&b.time));
        year.failures.sort_by(|a, b| a.time.total_cmp(&b.time));
    }

    /// Draws the state of the market; returns what rates are multiplied by.
    fn regime(&self, stream: &mut Stream, year: &mut Year) -> f64 {
        if let [only] = self.regimes.as_slice() {
            return only.1;
        }
        let mut left = stream.unit();
        // Rounding may leave a little beyond the last; it is the last's.
        let last = self.regimes.iter().rposition(|r| r.0 > 0.0).unwrap_or(0);
        year.regime = self
            .regimes
            .iter()
            .position(|r| {
                left -= r.0;
                left < 0.0
            })
            .unwrap_or(last);
        self.regimes[year.regime].1
    }

    /// Attacks on products alone, and shocks with whom they hit.
    fn causes(&self, hazard: f64, stream: &mut Stream, room: &mut Room, year: &mut Year) {
        room.factors.clear();
        room.factors.extend(self.mixings.iter().map(|&shape| factor(stream, shape)));
        let Year { events, hits, .. } = year;
        for source in &self.attacks {
            let times = hazard * source.mixing.map_or(1.0, |m| room.factors[m]);
            source.draw(times, &mut room.sums, stream, |stream, product| {
                attack(stream.unit(), product, events, hits);
            });
        }
        for source in &self.shocks {
            let struck = &mut room.struck;
            struck.clear();
            source.draw(hazard, &mut room.sums, stream, |_, cluster| struck.push(cluster));
            for &cluster in &*struck {
                let time = stream.unit();
                let from = hits.len() as u32;
                for member in &self.clusters[cluster as usize].members {
                    if stream.unit() < member.hit {
                        hits.push(Hit { product: member.product as u32, amount: 0.0 });
                    }
                }
                events.push(Event { time, cause: cluster + 1, from, to: hits.len() as u32 });
            }
        }
    }

    /// Attacks that other attacks cause, until the year's end cuts them off.
    fn breed(&self, stream: &mut Stream, room: &mut Room, year: &mut Year) {
        if self.contagion.is_none() && self.followed.is_empty() {
            return;
        }
        let Year { events, hits, .. } = year;
        let mut next = 0;
        while let Some(&parent) = events.get(next) {
            next += 1;
            if let Some((contagion, none, which)) = self.contagion.as_ref().filter(|_| parent.cause == 0) {
                for _ in 0..few(stream.unit(), contagion.branching, *none) {
                    let time = parent.time + stream.exponential() * contagion.decay_days / DAYS;
                    let product = which.draw((stream.word() >> 32) as u32);
                    if time < 1.0 {
                        attack(time, product, events, hits);
                    }
                }
            }
            if !self.followed.is_empty() {
                self.follow(parent, stream, room, events, hits);
            }
        }
    }

    /// Attacks on the other members of the clusters that an event touched.
    fn follow(
        &self,
        parent: Event,
        stream: &mut Stream,
        room: &mut Room,
        events: &mut Vec<Event>,
        hits: &mut Vec<Hit>,
    ) {
        let Room { causes: touched, hit, .. } = room;
        touched.clear();
        hit.clear();
        hit.extend(hits[parent.hits()].iter().map(|h| h.product));
        for &product in &*hit {
            touched.extend(&self.followed[product as usize]);
        }
        touched.sort_unstable();
        touched.dedup();
        for &k in &*touched {
            let cluster = &self.clusters[k as usize];
            let Some(follow_up) = &cluster.follow_up else { continue };
            let log_spared = libm::log1p(-follow_up.probability);
            // From one follower to the next by the geometric number of members spared between them.
            let mut place = 0usize;
            loop {
                let spared = libm::floor(libm::log(stream.unit()) / log_spared) as usize;
                place = place.saturating_add(spared);
                let Some(member) = cluster.members.get(place) else { break };
                place += 1;
                let time = parent.time + stream.unit() * follow_up.within_days / DAYS;
                let product = member.product as u32;
                // Hits of a shock stand in the order of products, and so do members.
                if time < 1.0 && hit.binary_search(&product).is_err() {
                    attack(time, product, events, hits);
                }
            }
        }
    }

    /// What each hit costs, in the order of drawing.
    fn sizes(&self, stream: &mut Stream, room: &mut Room, year: &mut Year) {
        let tvl = self.regimes[year.regime].2;
        for event in &year.events {
            let hits = &mut year.hits[event.hits()];
            let cluster = event.cause.checked_sub(1).map(|k| &self.clusters[k as usize]);
            if let Some((cluster, dependence)) = cluster.and_then(|c| Some((c, c.copula.as_ref()?))) {
                places(cluster, hits, &mut room.hit);
                copula::draw(dependence, &room.hit, stream, &mut room.upper);
                for (hit, &upper) in hits.iter_mut().zip(&room.upper) {
                    hit.amount = tvl * self.payout(hit.product, (upper * 4_294_967_296.0) as u32);
                }
            } else {
                for hit in hits {
                    hit.amount = tvl * self.payout(hit.product, (stream.word() >> 32) as u32);
                }
            }
        }
    }

    /// What a product pays for the share lost that 32 bits draw.
    fn payout(&self, product: u32, bits: u32) -> f64 {
        let (terms, law) = &self.terms[product as usize];
        terms.payout(self.lost(*law as usize, bits))
    }

    fn lost(&self, law: usize, bits: u32) -> f64 {
        let law = &self.laws[law];
        let share = law.draw(bits, 1.0);
        f64::from(if share.is_nan() { law.exact(bits, 1.0) } else { share })
    }

    /// Failures of reserves on their own and in shocks.
    fn failures(&self, hazard: f64, stream: &mut Stream, year: &mut Year) {
        for reserve in &self.reserves {
            let own = poisson(stream, reserve.rate * hazard);
            let mut fails = |time: f64, stream: &mut Stream| {
                let share = self.lost(reserve.severity, (stream.word() >> 32) as u32).min(1.0);
                year.failures.push(Failure { time, pool: reserve.pool, share });
            };
            for _ in 0..own {
                fails(stream.unit(), stream);
            }
            let Some((cause, probability)) = reserve.cluster else { continue };
            for event in year.events.iter().filter(|e| e.cause == cause) {
                if stream.unit() < probability {
                    fails(event.time, stream);
                }
            }
        }
    }
}

/// An attack on one product.
fn attack(time: f64, product: u32, events: &mut Vec<Event>, hits: &mut Vec<Hit>) {
    let from = hits.len() as u32;
    hits.push(Hit { product, amount: 0.0 });
    events.push(Event { time, cause: 0, from, to: from + 1 });
}

/// Places of the products hit among the cluster's members; both stand in the order of products.
fn places(cluster: &Cluster, hits: &[Hit], out: &mut Vec<u32>) {
    out.clear();
    let mut place = 0;
    for hit in hits {
        while cluster.members[place].product != hit.product as usize {
            place += 1;
        }
        out.push(place as u32);
    }
}
