//! Reverse stress: in which ways the pool breaks.
//!
//! A year's loss is what treaties leave of its claims, and what its state of the market and failing reserves take of the
//! pools' capital. From simulated years: given that the loss is above the breaking point, who was hit, how much more often than
//! otherwise, how many events it took, and which. A year's minimal set is found by taking its events from the largest on
//! until what treaties leave of these alone is above the breaking point; years are counted by their set. By formula: the
//! least single loss of each product, and the least common share lost by all members of each cluster, that breaks the pool
//! alone; for a product with the probability of such a claim in a year, `1 - E[exp(-rate Theta P(X > x))]`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{
    parallel::pieces,
    programme::{Atom, Programme, Recoveries, atoms},
    years::Years,
};
use crate::{model::Model, outcome::Failure, simulate::variable};

/// Sets and products that a report lists.
const LISTED: usize = 20;
/// Halvings of an interval: what is left of it is below a double's resolution.
const HALVINGS: usize = 60;

/// Something that is more frequent in years that break the pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// A product, or a cause.
    pub id: String,
    /// Probability that it has a claim in a year that breaks the pool.
    pub given_break: f64,
    /// Standard error of that.
    pub given_break_error: f64,
    /// Probability that it has one in any year.
    pub any_year: f64,
    /// Its mean share of the net loss of breaking years.
    pub share: f64,
}

/// A way to break: the smallest set of a year's largest events that does it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// What has to happen, each with how often: `attack on p499`, `shock of c9`.
    pub events: Vec<(String, u32)>,
    /// Share of breaking years that are of this way.
    pub given_break: f64,
    /// Standard error of that.
    pub given_break_error: f64,
}

/// A single shock, by formula.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shock {
    /// The product, or the cluster.
    pub id: String,
    /// The most it can cost in one event, net.
    pub most: f64,
    /// The least share lost (by all members at once) that breaks the pool; none if even everything does not.
    pub breaking_share: Option<f64>,
    /// Probability a year of an attack on the product alone that does so; none for clusters, whose members lose different
    /// shares.
    pub probability: Option<f64>,
}

/// How the pool breaks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reverse {
    /// The loss beyond which it is broken.
    pub breaking_point: f64,
    /// Years simulated.
    pub years: u64,
    /// Years that broke it.
    pub broken: u64,
    /// Probability a year.
    pub probability: f64,
    /// Standard error of that.
    pub probability_error: f64,
    /// If no year did: 95 % confidence that the probability is below this (three in so many years).
    pub at_most: Option<f64>,
    /// Mean loss of breaking years above the breaking point.
    pub mean_excess: f64,
    /// Mean number of events with claims, in breaking years and in all.
    pub events: [f64; 2],
    /// Share of breaking years that one, two, ... events suffice to break; the last is "that many or more".
    pub suffice: Vec<f64>,
    /// Share of breaking years that break without any event: the market and the reserves do it alone.
    pub without_events: f64,
    /// Mean share of a breaking year's loss that is of the market and the reserves.
    pub market_and_reserves: f64,
    /// Mean share of a breaking year's gross loss that its largest event has.
    pub largest_event: f64,
    /// Causes: attacks on products alone, then clusters.
    pub causes: Vec<Suspect>,
    /// The products with the largest shares of breaking years' net loss, at most 20.
    pub products: Vec<Suspect>,
    /// By number of attacks and of shocks, most frequent first.
    pub patterns: Vec<Way>,
    /// By name, most frequent first, at most 20.
    pub ways: Vec<Way>,
    /// Products whose worst single claim costs most, at most 20; those that break the pool first.
    pub single_products: Vec<Shock>,
    /// Clusters, likewise.
    pub single_clusters: Vec<Shock>,
}

/// Numbers of events that [`Reverse::suffice`] tells apart.
const SUFFICE: usize = 8;
/// The label of what is no event.
const MARKET: u32 = u32::MAX;

/// How a model breaks. `breaking_point`: the loss beyond which it is broken; without it all pools' capital.
///
/// # Errors
/// [`Failure::Refused`] if there is neither a pool nor a breaking point, or the point is negative or not a number.
pub fn reverse(
    model: &Model,
    years: &Years,
    breaking_point: Option<f64>,
    threads: usize,
) -> Result<Reverse, Failure> {
    let held = model.pools.iter().fold(0.0, |sum, p| sum + p.capital());
    let point = match breaking_point {
        Some(point) if point.is_finite() && point >= 0.0 => point,
        Some(point) => {
            let what = format!("breaking point {point}; it must be a finite amount, at least 0");
            return Err(Failure::Refused(what));
        }
        None if model.pools.is_empty() => {
            let what = "the portfolio has no pool; say beyond which loss it is broken";
            return Err(Failure::Refused(what.into()));
        }
        None => held,
    };
    if years.is_empty() {
        return Err(Failure::Years(0));
    }
    let study = Study { model, years, programme: Programme::new(model, years.is_ordered()), point };
    Ok(study.report(threads))
}

struct Study<'a> {
    model: &'a Model,
    years: &'a Years,
    programme: Programme<'a>,
    point: f64,
}

/// Sums over years; products first, then causes.
#[derive(Clone, Default)]
struct Sums {
    broken: u64,
    excess: f64,
    events: [f64; 2],
    suffice: [u64; SUFFICE],
    alone: u64,
    market: f64,
    largest: f64,
    any: Vec<u64>,
    given: Vec<u64>,
    net: Vec<f64>,
    /// Sets of labels: products, then causes, each with how often; the label of an own attack is its product.
    sets: BTreeMap<Vec<(u32, u32)>, u64>,
}

impl Study<'_> {
    fn parts(&self) -> usize {
        self.model.products.len() + self.model.clusters.len() + 1
    }

    fn report(&self, threads: usize) -> Reverse {
        let all = pieces(self.years.len(), threads, |range| {
            let mut sums = self.empty();
            let mut memory = (vec![], vec![], Recoveries::default());
            range.for_each(|year| self.year(year, &mut sums, &mut memory));
            sums
        })
        .into_iter()
        .fold(self.empty(), Sums::merge);
        let n = self.years.len() as f64;
        let broken = all.broken as f64;
        let given = |count: f64| if broken > 0.0 { count / broken } else { 0.0 };
        let p = broken / n;
        let products = self.model.products.len();
        let causes: Vec<Suspect> = (products..self.parts()).map(|i| self.suspect(i, &all)).collect();
        let mut suspects: Vec<Suspect> = (0..products).map(|i| self.suspect(i, &all)).collect();
        suspects.retain(|s| s.given_break > 0.0);
        suspects.sort_by(|a, b| b.share.total_cmp(&a.share));
        suspects.truncate(LISTED);
        Reverse {
            breaking_point: self.point,
            years: n as u64,
            broken: all.broken,
            probability: p,
            probability_error: (p * (1.0 - p) / n).sqrt(),
            at_most: (all.broken == 0).then_some(3.0 / n),
            mean_excess: given(all.excess),
            events: [given(all.events[0]), all.events[1] / n],
            suffice: all.suffice.iter().map(|&c| given(c as f64)).collect(),
            without_events: given(all.alone as f64),
            market_and_reserves: given(all.market),
            largest_event: given(all.largest),
            causes,
            products: suspects,
            patterns: self.ways(&patterns(&all.sets, products as u32), broken, |label| match label {
                MARKET => self.label(label),
                l if l == products as u32 => "attack on one product".into(),
                _ => "shock of a cluster".into(),
            }),
            ways: self.ways(&all.sets, broken, |label| self.label(label)),
            single_products: self.products(),
            single_clusters: self.clusters(),
        }
    }

    fn empty(&self) -> Sums {
        let parts = self.parts();
        Sums { any: vec![0; parts], given: vec![0; parts], net: vec![0.0; parts], ..Sums::default() }
    }

    fn year(&self, year: usize, sums: &mut Sums, memory: &mut (Vec<Atom>, Vec<u32>, Recoveries)) {
        let (list, touched, work) = memory;
        let products = self.model.products.len() as u32;
        sums.events[1] += self.years.events(year).count() as f64;
        touched.clear();
        for event in self.years.events(year) {
            touched.push(products + event.cause);
            touched.extend(event.claims.iter().map(|c| c.0));
        }
        touched.sort_unstable();
        touched.dedup();
        touched.iter().for_each(|&i| sums.any[i as usize] += 1);
        let net = self.years.net()[year];
        let other = self.other(year, list, work);
        let loss = net + other;
        if loss <= self.point {
            return;
        }
        sums.market += other / loss;
        touched.iter().for_each(|&i| sums.given[i as usize] += 1);
        sums.broken += 1;
        sums.excess += loss - self.point;
        let causes: Vec<u32> = self.years.events(year).map(|e| e.cause).collect();
        sums.events[0] += causes.len() as f64;
        atoms(self.years.events(year), |_, _| true, list);
        let parts = self.programme.settle(list, &[], work);
        let whole = parts.iter().fold(0.0, |sum, p| sum + p);
        for (atom, part) in list.iter().zip(parts) {
            // A counterparty's failure of that year makes the whole larger; shares are of the whole.
            let share = if whole > 0.0 { part / whole } else { 0.0 };
            sums.net[atom.product as usize] += share;
            sums.net[(products + causes[atom.event as usize]) as usize] += share;
        }
        let (set, largest) = self.minimal(list, &causes, other, work);
        sums.largest += largest;
        if other > self.point {
            sums.alone += 1;
        } else {
            let count: u32 = set.iter().map(|s| s.1).sum();
            sums.suffice[(count as usize).clamp(1, SUFFICE) - 1] += 1;
        }
        *sums.sets.entry(set).or_insert(0) += 1;
    }

    /// What a year takes of the pools' capital that is no claim: what pools lose less what treaties leave of the claims on
    /// their products. Nothing, where no engine event by event was needed.
    fn other(&self, year: usize, list: &mut Vec<Atom>, work: &mut Recoveries) -> f64 {
        let pools = &self.model.pools;
        if pools.is_empty() || !self.years.is_ordered() {
            return 0.0;
        }
        let first = variable::TREATIES + self.model.treaties.len();
        let slices = pools.iter().fold(0, |sum, p| sum + 1 + p.terms.tranches.len());
        let value = |variable: usize| self.years.values(variable)[year];
        let borne = (first..first + slices).fold(0.0, |sum, v| sum + value(v));
        // Reinstatement premium, then reserve and unpaid loss of each pool.
        let unpaid = (0..pools.len()).fold(0.0, |sum, k| sum + value(first + slices + 2 + 2 * k));
        let inside: usize = pools.iter().map(|p| p.products.len()).sum();
        let claims = if inside == self.model.products.len() {
            self.years.net()[year]
        } else {
            atoms(self.years.events(year), |_, _| true, list);
            let net = self.programme.settle(list, &[], work);
            let pooled =
                |a: &Atom| pools.iter().any(|p| p.products.binary_search(&(a.product as usize)).is_ok());
            list.iter().zip(net).filter(|(a, _)| pooled(a)).fold(0.0, |sum, (_, n)| sum + n)
        };
        // Claims are kept in single precision: what rounding leaves is nothing.
        let other = borne + unpaid - claims;
        if other > 1e-6 * (borne + unpaid) { other } else { 0.0 }
    }

    /// The fewest of a year's largest events that break the pool, and the largest's share of the gross year; `other` is
    /// lost without them.
    fn minimal(
        &self,
        list: &[Atom],
        causes: &[u32],
        other: f64,
        work: &mut Recoveries,
    ) -> (Vec<(u32, u32)>, f64) {
        let mut sizes: Vec<(f64, u32)> = (0..causes.len() as u32).map(|e| (0.0, e)).collect();
        list.iter().for_each(|a| sizes[a.event as usize].0 += a.amount);
        let gross = sizes.iter().fold(0.0, |sum, s| sum + s.0);
        sizes.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let products = self.model.products.len() as u32;
        let mut labels = BTreeMap::new();
        let mut taken: Vec<Atom> = vec![];
        let share = sizes.first().map_or(0.0, |s| if gross > 0.0 { s.0 / gross } else { 0.0 });
        if other > self.point {
            return (vec![(MARKET, 1)], share);
        }
        for &(_, event) in &sizes {
            taken.extend(list.iter().filter(|a| a.event == event));
            // In the year's order, which treaties may ask for.
            taken.sort_by_key(|a| a.event);
            let cause = causes[event as usize];
            let own = list.iter().find(|a| a.event == event).map_or(0, |a| a.product);
            *labels.entry(if cause == 0 { own } else { products + cause }).or_insert(0) += 1;
            // A reinsurer that failed that year is not known here; all events together break the pool by definition.
            let left = self.programme.net(&taken, &[], work);
            if left + other > self.point {
                break;
            }
        }
        (labels.into_iter().collect(), share)
    }

    fn suspect(&self, part: usize, sums: &Sums) -> Suspect {
        let (broken, n) = (sums.broken as f64, self.years.len() as f64);
        let given = if broken > 0.0 { sums.given[part] as f64 / broken } else { 0.0 };
        let products = self.model.products.len();
        let id = match part {
            p if p < products => self.model.portfolio.products[p].id.clone(),
            p if p == products => "own attacks".into(),
            p => self.model.portfolio.clusters[p - products - 1].id.clone(),
        };
        Suspect {
            id,
            given_break: given,
            given_break_error: if broken > 0.0 { (given * (1.0 - given) / broken).sqrt() } else { 0.0 },
            any_year: sums.any[part] as f64 / n,
            share: if broken > 0.0 { sums.net[part] / broken } else { 0.0 },
        }
    }

    fn label(&self, label: u32) -> String {
        let products = self.model.products.len() as u32;
        if label == MARKET {
            "market and reserves".into()
        } else if label < products {
            format!("attack on {}", self.model.portfolio.products[label as usize].id)
        } else {
            format!("shock of {}", self.model.portfolio.clusters[(label - products - 1) as usize].id)
        }
    }

    fn ways(
        &self,
        sets: &BTreeMap<Vec<(u32, u32)>, u64>,
        broken: f64,
        name: impl Fn(u32) -> String,
    ) -> Vec<Way> {
        let mut sorted: Vec<_> = sets.iter().collect();
        // Sets of equal counts stay in the order of their names' places.
        sorted.sort_by(|a, b| b.1.cmp(a.1));
        let way = |(set, &count): (&Vec<(u32, u32)>, &u64)| {
            let p = count as f64 / broken;
            Way {
                events: set.iter().map(|&(label, times)| (name(label), times)).collect(),
                given_break: p,
                given_break_error: (p * (1.0 - p) / broken).sqrt(),
            }
        };
        sorted.into_iter().take(LISTED).map(way).collect()
    }

    /// What treaties leave of one event in which products lose these amounts.
    fn left(&self, amounts: impl Iterator<Item = (usize, f64)>) -> f64 {
        let list: Vec<Atom> = amounts
            .filter(|a| a.1 > 0.0)
            .map(|(product, amount)| Atom { event: 0, product: product as u32, amount })
            .collect();
        self.programme.net(&list, &[], &mut Recoveries::default())
    }

    fn payout(&self, product: usize, share: f64) -> f64 {
        let p = &self.model.products[product];
        p.terms.payout(share).min(p.annual_limit)
    }

    fn most(&self, product: usize) -> f64 {
        self.model.severities[self.model.products[product].severity].max().min(1e300)
    }

    fn products(&self) -> Vec<Shock> {
        let one = |product: usize| {
            let most_share = self.most(product);
            let left = |share: f64| self.left(std::iter::once((product, self.payout(product, share))));
            let breaking_share = boundary(&left, most_share, self.point);
            let probability = breaking_share.map(|x| {
                let p = &self.model.products[product];
                let mean = p.rate * self.model.severities[p.severity].survival(x);
                let shape = p.mixing.map(|m| self.model.mixings[m]);
                -libm::expm1(match shape {
                    None => -mean,
                    Some(shape) => -shape * libm::log1p(mean / shape),
                })
            });
            Shock {
                id: self.model.portfolio.products[product].id.clone(),
                most: left(most_share),
                breaking_share,
                probability,
            }
        };
        worst((0..self.model.products.len()).map(one).collect())
    }

    fn clusters(&self) -> Vec<Shock> {
        let one = |k: usize| {
            let members = &self.model.clusters[k].members;
            let most_share = members.iter().map(|m| self.most(m.product)).fold(0.0, f64::max);
            let left = |share: f64| {
                let lost = |m: &crate::model::Member| share.min(self.most(m.product));
                self.left(members.iter().map(|m| (m.product, self.payout(m.product, lost(m)))))
            };
            Shock {
                id: self.model.portfolio.clusters[k].id.clone(),
                most: left(most_share),
                breaking_share: boundary(&left, most_share, self.point),
                probability: None,
            }
        };
        worst((0..self.model.clusters.len()).map(one).collect())
    }
}

impl Sums {
    fn merge(mut self, other: Self) -> Self {
        fn add<T: Copy + std::ops::AddAssign>(to: &mut [T], from: &[T]) {
            to.iter_mut().zip(from).for_each(|(to, &from)| *to += from);
        }
        self.broken += other.broken;
        self.excess += other.excess;
        self.largest += other.largest;
        self.alone += other.alone;
        self.market += other.market;
        add(&mut self.events, &other.events);
        add(&mut self.suffice, &other.suffice);
        add(&mut self.any, &other.any);
        add(&mut self.given, &other.given);
        add(&mut self.net, &other.net);
        for (set, count) in other.sets {
            *self.sets.entry(set).or_insert(0) += count;
        }
        self
    }
}

/// Sets with names forgotten: how many attacks (the label `products`), how many shocks (the next).
fn patterns(sets: &BTreeMap<Vec<(u32, u32)>, u64>, products: u32) -> BTreeMap<Vec<(u32, u32)>, u64> {
    let mut patterns = BTreeMap::new();
    for (set, count) in sets {
        let of =
            |kind: fn(u32, u32) -> bool| set.iter().filter(|s| kind(s.0, products)).map(|s| s.1).sum::<u32>();
        let attacks = of(|label, products| label < products);
        let shocks = of(|label, products| label >= products && label != MARKET);
        let pattern = [(products, attacks), (products + 1, shocks), (MARKET, of(|label, _| label == MARKET))];
        *patterns.entry(pattern.into_iter().filter(|p| p.1 > 0).collect()).or_insert(0) += count;
    }
    patterns
}

/// Where what is left rises above a point, by halving; none if it is not above it at `most`. With a treaty that pays a
/// fixed amount from some loss on there may be several such places, of which this is one.
fn boundary(left: &impl Fn(f64) -> f64, most: f64, point: f64) -> Option<f64> {
    if left(most) <= point {
        return None;
    }
    let (mut low, mut high) = (0.0, most);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if left(middle) > point { high = middle } else { low = middle }
    }
    Some(high)
}

/// Those that break the pool first, by the least share; then those that cost most.
fn worst(mut shocks: Vec<Shock>) -> Vec<Shock> {
    let share = |s: &Shock| s.breaking_share.unwrap_or(f64::INFINITY);
    shocks.sort_by(|a, b| share(a).total_cmp(&share(b)).then(b.most.total_cmp(&a.most)));
    shocks.truncate(LISTED);
    shocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{example::cp500, outcome::Options};

    const TWO: &str = r#"
        schema = "breakwater-portfolio/1"
        name = "two"
        unit = "USD"
        [[severity]]
        id = "even"
        law = { kind = "uniform", low = 0.0, high = 1.0 }
        [[severity]]
        id = "all"
        law = { kind = "degenerate", value = 1.0 }
        [[cluster]]
        id = "shared"
        rate = 0.1
        hit = 1.0
        [[product]]
        id = "large"
        rate = 0.2
        severity = "even"
        exposure = 100.0
        [[product]]
        id = "small"
        rate = 0.3
        severity = "all"
        exposure = 30.0
        clusters = ["shared"]
        [[product]]
        id = "other"
        rate = 0.0
        severity = "all"
        exposure = 40.0
        clusters = ["shared"]
        [[pool]]
        id = "pool"
        surplus = 10.0
        [[pool.tranche]]
        id = "only"
        capital = 50.0
    "#;

    fn two() -> (Model, Years) {
        let model = Model::from_toml(TWO).unwrap();
        let years =
            Years::simulate(&model, &Options { years: 200_000, seed: 6, threads: 2 }, &|_| true).unwrap();
        (model, years)
    }

    #[test]
    fn single_shocks_break_it_by_formula_and_by_simulation() {
        let (model, years) = two();
        let r = reverse(&model, &years, None, 2).unwrap();
        assert_eq!(r.breaking_point, 60.0);
        let large = &r.single_products[0];
        assert_eq!(large.id, "large");
        assert!((large.breaking_share.unwrap() - 0.6).abs() < 1e-12);
        // P(X > 0.6) = 0.4: 1 - exp(-0.2 * 0.4).
        assert!((large.probability.unwrap() - (1.0 - (-0.08f64).exp())).abs() < 1e-12);
        assert_eq!(r.single_products[1].breaking_share, None);
        // All members lose everything that they can: 70, from a common share of 1 on.
        assert_eq!(r.single_clusters[0].most, 70.0);
        assert!((r.single_clusters[0].breaking_share.unwrap() - 6.0 / 7.0).abs() < 1e-12);
        // A year breaks if it has a large claim above 0.6, a shock, or more than one of the smaller: by one event alone
        // with probability 1 - exp(-0.08 - 0.1), unless a larger event is there that does it first.
        let at_least = 1.0 - (-0.18f64).exp();
        assert!(r.probability > at_least, "{}", r.probability);
        assert!((r.suffice[0] * r.probability - at_least).abs() < 4.0 * r.probability_error);
        assert!((r.suffice.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let total: f64 = r.causes.iter().map(|c| c.share).sum();
        assert!((total - 1.0).abs() < 1e-9);
        assert_eq!(r.ways[0].events, [("shock of shared".to_owned(), 1)]);
        assert_eq!(r.ways[1].events, [("attack on large".to_owned(), 1)]);
        assert_eq!(r.patterns[0].events.len(), 1);
    }

    #[test]
    fn conditional_probabilities_are_bayes() {
        let (model, years) = two();
        let r = reverse(&model, &years, None, 1).unwrap();
        let shock = &r.causes[1];
        // Every year with a shock breaks: P(shock | break) P(break) = P(shock) = 1 - exp(-0.1).
        assert!((shock.given_break * r.probability - shock.any_year).abs() < 1e-12);
        let exact = 1.0 - (-0.1f64).exp();
        assert!((shock.any_year - exact).abs() < 4.0 * (exact / 200_000.0f64).sqrt());
    }

    #[test]
    fn a_pool_that_does_not_break_says_how_sure_that_is() {
        let (model, years) = two();
        let r = reverse(&model, &years, Some(1e6), 1).unwrap();
        assert_eq!((r.broken, r.probability), (0, 0.0));
        assert_eq!(r.at_most, Some(3.0 / 200_000.0));
        assert!(r.ways.is_empty() && r.single_products[0].breaking_share.is_none());
        assert!(reverse(&model, &years, Some(f64::NAN), 1).is_err());
    }

    #[test]
    fn without_a_pool_there_must_be_a_point() {
        let model = Model::new(cp500()).unwrap();
        let years =
            Years::simulate(&model, &Options { years: 40_000, seed: 6, threads: 2 }, &|_| true).unwrap();
        assert!(matches!(reverse(&model, &years, None, 1), Err(Failure::Refused(_))));
        // Net VaR 99 is 10.127: one year of a hundred breaks.
        let r = reverse(&model, &years, Some(10.127), 2).unwrap();
        assert!((r.probability - 0.01).abs() < 4.0 * r.probability_error, "{r:?}");
        assert!(r.events[0] > r.events[1] && r.ways.len() == LISTED);
        assert_eq!(r, reverse(&model, &years, Some(10.127), 1).unwrap());
    }

    #[test]
    fn a_market_may_break_it_alone() {
        // One year in four takes 70 % of the capital of 60 away, and breaks the pool at a loss above 40.
        let text = format!(
            "{TWO}\n[[regime]]\nid = \"calm\"\nprobability = 0.75\n[[regime]]\nid = \"crash\"\nprobability = 0.25\ncapital = 0.3\n"
        );
        let model = Model::from_toml(&text).unwrap();
        let options = Options { years: 100_000, seed: 6, threads: 2 };
        let years = Years::simulate(&model, &options, &|_| true).unwrap();
        let r = reverse(&model, &years, Some(40.0), 2).unwrap();
        let alone = r.without_events * r.probability;
        assert!((alone - 0.25).abs() < 5.0 * (0.25f64 * 0.75 / 1e5).sqrt(), "{alone}");
        assert_eq!(r.ways[0].events, [("market and reserves".to_owned(), 1)]);
        assert!((r.suffice.iter().sum::<f64>() + r.without_events - 1.0).abs() < 1e-9);
        // In other years as without a market: above 40 by a shock, or a large claim above 0.4, or several.
        let calm = r.suffice[0] * r.probability / 0.75;
        assert!((calm - (1.0 - (-0.22f64).exp())).abs() < 0.005, "{calm}");
    }
}
