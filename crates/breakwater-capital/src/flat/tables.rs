//! What the fast engine looks up: counts, products, quantiles, shocks and layers.

use crate::{
    alias::Alias,
    model::{Cluster, Member, Model, Product, Terms},
    portfolio::Cover,
    quantiles::Quantiles,
    simulate::{Block, variable},
};

/// All tables of a model.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub(super) groups: Vec<Group>,
    products: Vec<(Record, u32)>,
    pub(crate) laws: Vec<Quantiles>,
    pub(super) shocks: Option<Shocks>,
    /// Treaties that look at single events.
    pub(crate) layers: Vec<Layer>,
    /// The least amount at which one of them pays.
    pub(crate) lowest_attachment: f32,
    /// Treaties that look at the year after all of `layers`.
    stop_losses: Vec<Layer>,
    /// Bounds of surplus and tranches of the one pool.
    tranches: Vec<(f64, f64)>,
}

/// Products whose rates share a factor: their number of claims in a year has one law.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) counts: Alias,
    picks: Picks,
    /// The group's products.
    pub(super) members: Vec<u32>,
}

/// Which product a claim is on, and its terms, in tables whose length the compiler knows: an index masked to it needs
/// no check.
#[derive(Clone, Debug)]
enum Picks {
    Hundreds(Box<Table<{ 1 << 10 }>>),
    Thousands(Box<Table<{ 1 << 16 }>>),
    Million(Box<Table<{ 1 << 20 }>>),
}

/// Columns of an alias table, and the terms of each product of the group.
#[derive(Clone, Debug)]
struct Table<const N: usize> {
    columns: Box<[u64; N]>,
    records: Box<[Record; N]>,
    laws: Box<[u32; N]>,
}

impl<const N: usize> Table<N> {
    fn new(rates: &[f64], records: &[Record], laws: &[u32]) -> Box<Self> {
        let columns = Alias::of_size(rates, N).columns().to_vec();
        // What lies beyond the products is never drawn.
        let padded = (0..N).map(|i| records[i.min(records.len() - 1)]).collect::<Vec<_>>();
        let columns = columns.into_boxed_slice().try_into().unwrap_or_else(|_| unreachable!("N columns"));
        let records = padded.into_boxed_slice().try_into().unwrap_or_else(|_| unreachable!("N records"));
        let padded = (0..N).map(|i| laws[i.min(laws.len() - 1)]).collect::<Vec<_>>();
        let laws = padded.into_boxed_slice().try_into().unwrap_or_else(|_| unreachable!("N laws"));
        Box::new(Self { columns, records, laws })
    }

    /// Picks and amounts of as many claims as there are words; whether some amount is still to be computed.
    #[inline(never)]
    fn claims(&self, laws: &[Quantiles], words: &[u64], picks: &mut [u32], amounts: &mut [f32]) -> bool {
        let bits = const { N.trailing_zeros() };
        let mut unsure = false;
        let pick = |word: u64| {
            let drawn = (word >> 32) as u32;
            let column = (drawn >> (32 - bits)) as usize & (N - 1);
            let entry = self.columns[column];
            if u64::from(drawn << bits) < entry >> 32 { column as u32 } else { entry as u32 }
        };
        let claims = words.iter().zip(picks).zip(amounts);
        if let [law] = laws {
            for ((&word, place), amount) in claims {
                *place = pick(word);
                *amount = self.records[*place as usize & (N - 1)].draw(law, word as u32);
                unsure |= amount.is_nan();
            }
        } else {
            for ((&word, place), amount) in claims {
                *place = pick(word);
                let record = self.records[*place as usize & (N - 1)];
                *amount = record.draw(&laws[self.laws[*place as usize & (N - 1)] as usize], word as u32);
                unsure |= amount.is_nan();
            }
        }
        unsure
    }
}

/// Terms of a product in single precision.
#[derive(Clone, Copy, Debug)]
struct Record {
    slope: f32,
    intercept: f32,
    limit: f32,
    /// Probability that an event pays anything. Events that do not are never drawn: rates are thinned by it, which
    /// changes no law of what is paid.
    pays: f32,
}

/// Shocks of all clusters.
#[derive(Clone, Debug)]
pub(super) struct Shocks {
    /// Mean years between shocks of any cluster.
    pub(super) mean_gap: f64,
    pub(super) which: Alias,
    /// Members of each cluster with the greatest 32-bit word that hits them.
    pub(super) members: Vec<Vec<(u32, u32)>>,
}

/// A treaty's layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer {
    pub(crate) treaty: usize,
    attachment: f64,
    limit: f64,
    annual_deductible: f64,
    annual_limit: f64,
    pub(crate) share: f64,
}

impl Layer {
    /// What of one loss is in the layer, before annual terms and the placed share.
    #[inline(always)]
    pub(crate) fn of(&self, loss: f64) -> f64 {
        (loss - self.attachment).max(0.0).min(self.limit)
    }

    /// Whether it takes the same share of every loss.
    pub(crate) fn is_proportional(&self) -> bool {
        self.attachment == 0.0 && self.limit == f64::INFINITY
    }

    /// What it pays for a year's sum of what was in it.
    #[inline(always)]
    fn year(&self, sum: f64) -> f64 {
        (sum - self.annual_deductible).max(0.0).min(self.annual_limit) * self.share
    }
}

impl Record {
    /// What a claim pays that pays; not a number if it is still to be computed.
    #[inline(always)]
    fn draw(&self, law: &Quantiles, bits: u32) -> f32 {
        self.payout(law.draw(bits, self.pays))
    }

    #[inline(always)]
    fn payout(&self, x: f32) -> f32 {
        let paid = x * self.slope - self.intercept;
        // Both comparisons keep "not a number", which marks a draw that is still to be computed.
        let paid = if paid < 0.0 { 0.0 } else { paid };
        if paid > self.limit { self.limit } else { paid }
    }
}

impl Tables {
    pub(crate) fn new(model: &Model) -> Result<Self, String> {
        refuse(model)?;
        let products: Vec<(Record, u32)> = model.products.iter().map(|p| record(model, p)).collect();
        let laws: Vec<Quantiles> = model.severities.iter().map(Quantiles::new).collect();
        let (layers, stop_losses) = treaties(model)?;
        let lowest = layers.iter().fold(f64::INFINITY, |least: f64, l| least.min(l.attachment));
        Ok(Self {
            groups: groups(model, &products)?,
            shocks: shocks(model, &products),
            products,
            laws,
            // A claim at the attachment pays nothing; rounding to single precision must not lose one above it.
            lowest_attachment: (lowest * (1.0 - 1e-6)) as f32,
            layers,
            stop_losses,
            tranches: tranches(model),
        })
    }

    /// Picks (places among the group's members) and amounts of as many claims as there are words.
    #[inline(always)]
    pub(super) fn claims(&self, group: &Group, words: &[u64], picks: &mut [u32], amounts: &mut [f32]) {
        let unsure = match &group.picks {
            Picks::Hundreds(table) => table.claims(&self.laws, words, picks, amounts),
            Picks::Thousands(table) => table.claims(&self.laws, words, picks, amounts),
            Picks::Million(table) => table.claims(&self.laws, words, picks, amounts),
        };
        if unsure {
            self.repair(group, words, picks, amounts);
        }
    }

    /// Computes the draws that the tables could not.
    #[cold]
    #[inline(never)]
    fn repair(&self, group: &Group, words: &[u64], picks: &[u32], amounts: &mut [f32]) {
        for ((word, &pick), amount) in words.iter().zip(picks).zip(amounts) {
            if amount.is_nan() {
                let (record, law) = self.products[group.members[pick as usize] as usize];
                *amount = record.payout(self.laws[law as usize].exact(*word as u32, record.pays));
            }
        }
    }

    /// One claim on a product.
    #[inline(always)]
    pub(super) fn claim(&self, product: usize, bits: u32) -> f32 {
        let (record, law) = self.products[product];
        let law = &self.laws[law as usize];
        let paid = record.draw(law, bits);
        if paid.is_nan() { record.payout(law.exact(bits, record.pays)) } else { paid }
    }

    /// Variables of a block: those every engine reports, treaties, tranches.
    pub(crate) fn variables(&self) -> usize {
        variable::TREATIES + self.layers.len() + self.stop_losses.len() + self.tranches.len()
    }

    /// Annual terms of the layers, stop losses, and what tranches bear.
    #[inline(always)]
    pub(crate) fn settle(&self, block: &mut Block) {
        let years = block.years;
        let (gross, rest) = block.values.split_at_mut(1);
        let (net, rest) = rest.split_at_mut(1);
        let rest = &mut rest[1..];
        let net = &mut net[0][..years];
        net.copy_from_slice(&gross[0][..years]);
        for layer in &self.layers {
            for (net, recovered) in net.iter_mut().zip(&mut rest[layer.treaty]) {
                *recovered = layer.year(*recovered);
                *net -= *recovered;
            }
        }
        // All of them look at the same year, so that their layers must not see each other's recoveries.
        let before = if self.stop_losses.len() > 1 { net.to_vec() } else { vec![] };
        for layer in &self.stop_losses {
            for (year, recovered) in rest[layer.treaty][..years].iter_mut().enumerate() {
                let subject = if before.is_empty() { net[year] } else { before[year] };
                *recovered = layer.of(subject) * layer.share;
                net[year] -= *recovered;
            }
        }
        // What rounding leaves below zero is nothing.
        net.iter_mut().for_each(|n| *n = n.max(0.0));
        let first = rest.len() - self.tranches.len();
        for (bears, &(from, size)) in rest[first..].iter_mut().zip(&self.tranches) {
            for (bears, net) in bears.iter_mut().zip(&*net) {
                *bears = (net - from).max(0.0).min(size);
            }
        }
    }
}

/// What of the model needs the order of events.
fn refuse(model: &Model) -> Result<(), String> {
    let why = |what: &str| Err(what.to_owned());
    if model.contagion.is_some() {
        return why("attacks breed further attacks");
    }
    if model.regimes.len() > 1 || model.regimes[0].hazard != 1.0 || model.regimes[0].tvl != 1.0 {
        return why("the market has states");
    }
    if model.clusters.iter().any(|c| c.copula.is_some() || c.follow_up.is_some() || c.posterior.is_some()) {
        return why("a cluster has a copula, follow-up attacks or an uncertain rate");
    }
    if model.products.iter().any(|p| p.posterior.is_some() || p.annual_limit.is_finite()) {
        return why("a product has an uncertain rate or an annual limit");
    }
    if !model.counterparties.is_empty() || model.treaties.iter().any(|t| t.covers.is_some()) {
        return why("a treaty has a counterparty that may fail, or covers some products only");
    }
    if model.pools.len() > 1 || model.pools.iter().any(|p| p.products.len() < model.products.len()) {
        return why("there are several pools, or products outside the pool");
    }
    if model.pools.iter().any(|p| p.terms.reserve.is_some()) {
        return why("a pool's reserves can fail");
    }
    Ok(())
}

fn record(model: &Model, product: &Product) -> (Record, u32) {
    let Terms { slope, intercept, limit } = product.terms;
    let pays = model.severities[product.severity].survival(intercept / slope);
    let record =
        Record { slope: slope as f32, intercept: intercept as f32, limit: limit as f32, pays: pays as f32 };
    (record, product.severity as u32)
}

/// Products by the factor of their rates.
fn groups(model: &Model, records: &[(Record, u32)]) -> Result<Vec<Group>, String> {
    let mut by_mixing: Vec<(Option<usize>, Vec<u32>)> = vec![];
    let rate = |i: usize| model.products[i].rate * f64::from(records[i].0.pays);
    for (index, p) in model.products.iter().enumerate().filter(|(i, _)| rate(*i) > 0.0) {
        match by_mixing.iter_mut().find(|(m, _)| *m == p.mixing) {
            Some((_, members)) => members.push(index as u32),
            None => by_mixing.push((p.mixing, vec![index as u32])),
        }
    }
    by_mixing
        .into_iter()
        .map(|(mixing, members)| {
            let rates: Vec<f64> = members.iter().map(|&i| rate(i as usize)).collect();
            let mean = rates.iter().fold(0.0, |sum, r| sum + r);
            if mean > 100_000.0 {
                return Err(format!("{mean} attacks a year are expected"));
            }
            let (own, laws): (Vec<Record>, Vec<u32>) = members.iter().map(|&i| records[i as usize]).unzip();
            let picks = match own.len() {
                0..=1024 => Picks::Hundreds(Table::new(&rates, &own, &laws)),
                1025..=65_536 => Picks::Thousands(Table::new(&rates, &own, &laws)),
                65_537..=1_048_576 => Picks::Million(Table::new(&rates, &own, &laws)),
                more => return Err(format!("there are {more} products")),
            };
            Ok(Group {
                counts: Alias::new(&count_law(mean, mixing.map(|m| model.mixings[m]))?),
                picks,
                members,
            })
        })
        .collect()
}

/// Most claims of a year that a table of counts reaches to.
const MOST: u32 = 1 << 19;

/// Probabilities of 0, 1, 2, ... claims: Poisson, or negative binomial where a gamma factor multiplies the rate.
/// Cut off where less than 1e-18 is left.
pub(crate) fn count_law(mean: f64, shape: Option<f64>) -> Result<Vec<f64>, String> {
    // In logarithms, so that a large mean does not underflow.
    let log_first = match shape {
        None => -mean,
        Some(r) => -r * libm::log1p(mean / r),
    };
    let ratio = |k: f64| match shape {
        None => mean / k,
        Some(r) => (k - 1.0 + r) / k * (mean / (r + mean)),
    };
    let mut log_p = log_first;
    let mut law = vec![libm::exp(log_p)];
    for k in 1..MOST {
        let k = f64::from(k);
        let factor = ratio(k);
        log_p += libm::log(factor);
        let p = libm::exp(log_p);
        law.push(p);
        // Past the mode the tail is below a geometric series.
        if factor < 1.0 && p < 1e-18 * (1.0 - factor) {
            return Ok(law);
        }
    }
    Err(format!("with {mean} attacks a year on average there may be more than {MOST}"))
}

fn shocks(model: &Model, records: &[(Record, u32)]) -> Option<Shocks> {
    let rates: Vec<f64> =
        model.clusters.iter().map(|c| if c.members.is_empty() { 0.0 } else { c.rate }).collect();
    let total = rates.iter().fold(0.0, |sum, r| sum + r);
    if total == 0.0 {
        return None;
    }
    let members = |c: &Cluster| {
        let hit = |m: &Member| m.hit * f64::from(records[m.product].0.pays);
        // A word hits if it is at most the threshold: `threshold + 1` of 2^32 words.
        let threshold = |p: f64| ((p * 4_294_967_296.0) as u64).saturating_sub(1) as u32;
        c.members.iter().filter(|m| hit(m) > 0.0).map(|m| (m.product as u32, threshold(hit(m)))).collect()
    };
    Some(Shocks {
        mean_gap: 1.0 / total,
        which: Alias::new(&rates),
        members: model.clusters.iter().map(members).collect(),
    })
}

/// Layers by event and stop losses, if the programme is one that does not depend on the order of events.
fn treaties(model: &Model) -> Result<(Vec<Layer>, Vec<Layer>), String> {
    let (mut layers, mut stop_losses) = (vec![], vec![]);
    let by_event = model.treaties.iter().filter(|t| t.is_by_event()).count();
    for (index, t) in model.treaties.iter().enumerate() {
        let annual_limit = t.annual_limit();
        match t.cover {
            Cover::QuotaShare { event_limit, .. } if t.after.is_empty() => layers.push(Layer {
                treaty: index,
                attachment: 0.0,
                limit: event_limit.unwrap_or(f64::INFINITY),
                annual_deductible: 0.0,
                annual_limit,
                share: t.share,
            }),
            Cover::EventExcess { attachment, limit, annual_deductible, .. } if t.after.is_empty() => {
                layers.push(Layer {
                    treaty: index,
                    attachment,
                    limit,
                    annual_deductible,
                    annual_limit,
                    share: t.share,
                });
            }
            Cover::StopLoss { attachment, limit } => {
                let after_all =
                    t.after.len() == by_event && t.after.iter().all(|&a| model.treaties[a].is_by_event());
                if !after_all {
                    return Err(
                        "a stop loss comes after some of the treaties by event, or after another".into()
                    );
                }
                stop_losses.push(Layer {
                    treaty: index,
                    attachment,
                    limit,
                    annual_deductible: 0.0,
                    annual_limit: f64::INFINITY,
                    share: t.share,
                });
            }
            Cover::Catastrophe { .. } => return Err("a treaty pays a fixed amount for an event".into()),
            _ => return Err("a treaty by event looks at what another left".into()),
        }
    }
    Ok((layers, stop_losses))
}

/// Where surplus and each tranche begin, and their sizes.
fn tranches(model: &Model) -> Vec<(f64, f64)> {
    let Some(pool) = model.pools.first() else { return vec![] };
    let mut from = 0.0;
    let sizes = std::iter::once(pool.terms.surplus).chain(pool.terms.tranches.iter().map(|t| t.capital));
    sizes
        .map(|size| {
            let bounds = (from, size);
            from += size;
            bounds
        })
        .collect()
}
