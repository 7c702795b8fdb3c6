//! Who pays for a year: annual limits, treaties in the order of time, counterparties, pools.

use std::ops::Range;

use super::draw::{Hit, Year};
use crate::{
    model::{Model, Treaty},
    portfolio::Cover,
};

/// Settles years.
#[derive(Clone, Debug)]
pub struct Settler {
    annual_limits: Vec<f64>,
    /// Whether any product has one.
    limited: bool,
    /// Treaties in the order in which they are paid.
    treaties: Vec<Layer>,
    count: usize,
    /// Whether recoveries must be known by hit: a treaty covers some products only, or pools share them out.
    by_hit: bool,
    pools: Vec<Capital>,
    /// For each product its pool; none if that is the same for all.
    owner: Option<Vec<Option<u32>>>,
    /// For each state of the market what exposures, and what pools' capital, are multiplied by.
    regimes: Vec<(f64, f64)>,
}

/// A treaty.
#[derive(Clone, Debug)]
struct Layer {
    index: usize,
    by_event: bool,
    /// From where on, and how much of, one loss it pays. A catastrophe's `from` is its trigger.
    from: f64,
    limit: f64,
    /// It pays the whole limit once the loss reaches `from`, for so many events.
    fixed: Option<u32>,
    deductible: f64,
    annual_limit: f64,
    share: f64,
    after: Vec<usize>,
    covers: Option<Vec<bool>>,
    /// Neither it nor any treaty whose recoveries come off is restricted to some products.
    whole: bool,
    counterparty: Option<(usize, f64)>,
    /// Premium and prices of reinstatements.
    premium: f64,
    prices: Vec<f64>,
}

/// A pool's capital as its document says it.
#[derive(Clone, Debug)]
struct Capital {
    /// Surplus, then tranches.
    sizes: Vec<f64>,
    reserve_share: f64,
}

/// What a pool loses in a year.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolYear {
    /// Claims of its products that treaties leave.
    pub claims: f64,
    /// Loss of its reserve assets.
    pub reserve: f64,
    /// What the year takes of surplus and each tranche: what the document names less what is left.
    pub borne: Vec<f64>,
    /// What is owed beyond all capital.
    pub unpaid: f64,
}

/// A year, settled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled {
    /// All claims after annual limits of products.
    pub gross: f64,
    /// What treaties leave of them.
    pub net: f64,
    /// The largest event.
    pub largest: f64,
    /// Paid by each treaty, in the document's order.
    pub paid: Vec<f64>,
    /// Owed by each treaty: what it would have paid without a default.
    pub owed: Vec<f64>,
    /// Reinstatement premium of each treaty.
    pub reinstatement: Vec<f64>,
    /// For each event what treaties by event leave of it, on what they pay.
    pub events: Vec<f64>,
    /// For each event and pool, one event after the other, what treaties by event leave of the claims on its products.
    pub by_pool: Vec<f64>,
    /// By pool.
    pub pools: Vec<PoolYear>,
    /// What each treaty has in the year so far.
    uses: Vec<Use>,
    /// Owed by treaty and hit.
    by_hit: Vec<f64>,
    /// Of each hit what treaties have not paid.
    left: Vec<f64>,
    /// Owed for the event, or the year, at hand, by treaty.
    event: Vec<f64>,
    /// By product.
    claimed: Vec<f64>,
    touched: Vec<u32>,
}

/// What of a treaty's annual terms is used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Use {
    /// Sum of what was in the layer.
    inside: f64,
    /// How many losses were.
    events: u32,
    /// What it need not pay because others paid the same loss.
    short: f64,
}

impl Layer {
    fn new(index: usize, treaties: &[Treaty]) -> Self {
        let treaty = &treaties[index];
        let (from, limit, fixed, deductible) = match &treaty.cover {
            Cover::QuotaShare { event_limit, .. } => (0.0, event_limit.unwrap_or(f64::INFINITY), None, 0.0),
            Cover::EventExcess { attachment, limit, annual_deductible, .. } => {
                (*attachment, *limit, None, *annual_deductible)
            }
            Cover::StopLoss { attachment, limit } => (*attachment, *limit, None, 0.0),
            Cover::Catastrophe { trigger, pays, events } => (*trigger, *pays, Some(*events), 0.0),
        };
        Self {
            index,
            by_event: treaty.is_by_event(),
            from,
            limit,
            fixed,
            deductible,
            annual_limit: treaty.annual_limit(),
            share: treaty.share,
            after: treaty.after.clone(),
            covers: treaty.covers.clone(),
            whole: treaty.covers.is_none() && treaty.after.iter().all(|&a| treaties[a].covers.is_none()),
            counterparty: treaty.counterparty,
            premium: treaty.premium,
            prices: treaty.reinstatement_prices().to_vec(),
        }
    }

    /// What of one loss is in the layer; `events` of the year have been in it before.
    fn of(&self, loss: f64, events: u32) -> f64 {
        match self.fixed {
            None => (loss - self.from).max(0.0).min(self.limit),
            // Counted in events and not in amounts, for an event may pay less than the whole.
            Some(most) if loss >= self.from && events < most => self.limit.min(loss),
            Some(_) => 0.0,
        }
    }

    /// What it owes for a year in which so much was in the layer.
    fn year(&self, inside: f64) -> f64 {
        (inside - self.deductible).max(0.0).min(self.annual_limit) * self.share
    }

    /// Premium for reinstating what the year used up.
    ///
    /// The limit of the beginning is no reinstatement: the first price is that of restoring the first limit that was
    /// used, so the j-th price belongs to what the year used between `j - 1` and `j` limits. What was used after the
    /// last reinstatement is restored by nobody and costs nothing.
    fn reinstatement(&self, owed: f64) -> f64 {
        let used = owed / self.share;
        let mut from = 0.0;
        let mut due = 0.0;
        for price in &self.prices {
            due += price * self.premium * ((used - from).max(0.0).min(self.limit) / self.limit);
            from += self.limit;
        }
        due
    }

    fn covers(&self, hit: &Hit) -> bool {
        self.covers.as_ref().is_none_or(|c| c[hit.product as usize])
    }
}

impl Settler {
    /// The settler of a model.
    ///
    /// # Errors
    /// In words, a treaty by event that is to come after one that is known at the year's end only.
    pub fn new(model: &Model) -> Result<Self, String> {
        let layers = || model.treaty_order.iter().map(|&index| Layer::new(index, &model.treaties));
        for layer in layers().filter(|l| l.by_event) {
            if let Some(&late) = layer.after.iter().find(|&&a| !model.treaties[a].is_by_event()) {
                let name = |i: usize| &model.portfolio.treaties[i].id;
                return Err(format!(
                    "treaty {:?} pays by event and is to come after {:?}, whose recovery is known at the year's end only",
                    name(layer.index),
                    name(late)
                ));
            }
        }
        let annual_limits: Vec<f64> = model.products.iter().map(|p| p.annual_limit).collect();
        let pools = model.pools.iter().map(|p| Capital {
            sizes: std::iter::once(p.terms.surplus)
                .chain(p.terms.tranches.iter().map(|t| t.capital))
                .collect(),
            reserve_share: p.terms.reserve.as_ref().map_or(0.0, |r| r.share),
        });
        let one = model.pools.iter().all(|p| p.products.len() == model.products.len());
        let owner = (!one).then(|| {
            let mut owner = vec![None; model.products.len()];
            for (k, pool) in model.pools.iter().enumerate() {
                pool.products.iter().for_each(|&p| owner[p] = Some(k as u32));
            }
            owner
        });
        Ok(Self {
            limited: annual_limits.iter().any(|l| l.is_finite()),
            annual_limits,
            // Those of the year come after all those of events, whatever the order between them.
            treaties: layers().filter(|l| l.by_event).chain(layers().filter(|l| !l.by_event)).collect(),
            count: model.treaties.len(),
            by_hit: owner.is_some() || model.treaties.iter().any(|t| t.covers.is_some()),
            pools: pools.collect(),
            owner,
            regimes: model.regimes.iter().map(|r| (r.tvl, r.capital)).collect(),
        })
    }

    /// Settles a year. Hits over a product's annual limit are cut in place, so that the year holds what was claimed.
    pub fn settle(&self, year: &mut Year, out: &mut Settled) {
        self.settle_scaled(year, &[], out);
    }

    /// Settles a year in which annual limits of products are so many times those of the model; all once without any.
    pub fn settle_scaled(&self, year: &mut Year, scales: &[f64], out: &mut Settled) {
        self.limit(year, scales, out);
        reset(&mut out.uses, self.count);
        reset(&mut out.by_hit, if self.by_hit { self.count * year.hits.len() } else { 0 });
        out.left.clear();
        if self.by_hit {
            out.left.extend(year.hits.iter().map(|h| h.amount));
        }
        out.events.clear();
        out.by_pool.clear();
        (out.gross, out.largest) = (0.0, 0.0);
        let by_event = self.treaties.partition_point(|l| l.by_event);
        for event in &year.events {
            let amount = year.hits[event.hits()].iter().fold(0.0, |sum, h| sum + h.amount);
            out.gross += amount;
            out.largest = out.largest.max(amount);
            reset(&mut out.event, self.count);
            let mut left = amount;
            for layer in &self.treaties[..by_event] {
                let owed = self.owe(layer, amount, event.hits(), &year.hits, out);
                out.event[layer.index] = owed;
                left -= self.pay(layer, owed, left, event.hits(), year, out);
            }
            out.events.push(left.max(0.0));
            self.share_out(event.hits(), &year.hits, out);
        }
        // The year's sums of layers are taken from its sums of losses: full layers are full to the last digit.
        reset(&mut out.event, self.count);
        reset(&mut out.paid, self.count);
        reset(&mut out.reinstatement, self.count);
        out.net = out.gross;
        for (place, layer) in self.treaties.iter().enumerate() {
            let all = 0..year.hits.len();
            let owed = if place < by_event {
                layer.year(out.uses[layer.index].inside)
            } else {
                let owed = self.owe(layer, out.gross, all.clone(), &year.hits, out);
                self.pay(layer, owed, out.net, all, year, out);
                owed
            };
            out.event[layer.index] = owed;
            let kept = self.kept(layer, year);
            out.paid[layer.index] = (owed * kept - out.uses[layer.index].short).max(0.0);
            out.reinstatement[layer.index] = layer.reinstatement(owed) * kept;
            out.net -= out.paid[layer.index];
        }
        // What rounding leaves below zero is nothing.
        out.net = out.net.max(0.0);
        std::mem::swap(&mut out.owed, &mut out.event);
        self.pools(year, out);
    }

    /// Cuts what is over the annual limits of products, earliest claims first.
    fn limit(&self, year: &mut Year, scales: &[f64], out: &mut Settled) {
        if !self.limited {
            return;
        }
        out.claimed.resize(self.annual_limits.len(), 0.0);
        let tvl = self.regimes[year.regime].0;
        for event in &year.events {
            for hit in &mut year.hits[event.hits()] {
                let claimed = &mut out.claimed[hit.product as usize];
                let scale = scales.get(hit.product as usize).copied().unwrap_or(1.0);
                let limit = scale * tvl * self.annual_limits[hit.product as usize];
                hit.amount = hit.amount.min((limit - *claimed).max(0.0));
                *claimed += hit.amount;
                out.touched.push(hit.product);
            }
        }
        out.touched.drain(..).for_each(|p| out.claimed[p as usize] = 0.0);
    }

    /// What a treaty owes for an event, or for the year; `amount` is the sum of the hits.
    fn owe(&self, layer: &Layer, amount: f64, range: Range<usize>, hits: &[Hit], out: &mut Settled) -> f64 {
        let stride = hits.len();
        let subject_of = |at: usize, by_hit: &[f64]| {
            let taken = layer.after.iter().fold(0.0, |sum, a| sum + by_hit[a * stride + at]);
            (hits[at].amount - taken).max(0.0)
        };
        let subject = if layer.whole {
            layer.after.iter().fold(amount, |left, &a| left - out.event[a]).max(0.0)
        } else {
            let covered = range.clone().filter(|&at| layer.covers(&hits[at]));
            covered.fold(0.0, |sum, at| sum + subject_of(at, &out.by_hit))
        };
        let used = &mut out.uses[layer.index];
        let inside = layer.of(subject, used.events);
        if inside <= 0.0 {
            return 0.0;
        }
        let before = used.inside;
        used.inside += inside;
        used.events = used.events.saturating_add(1);
        // Without annual terms the loss itself, for a difference of sums would lose its last digits.
        let owed = if layer.deductible == 0.0 && used.inside <= layer.annual_limit {
            inside * layer.share
        } else {
            layer.year(used.inside) - layer.year(before)
        };
        if owed <= 0.0 {
            return 0.0;
        }
        if self.by_hit {
            for at in range.filter(|&at| layer.covers(&hits[at])) {
                let part = subject_of(at, &out.by_hit) / subject;
                out.by_hit[layer.index * stride + at] = owed * part;
            }
        }
        owed
    }

    /// What a treaty pays of what it owes, `left` being what those before it have not paid of the same loss. Where
    /// treaties look at different subjects they may owe the same loss twice; nobody is paid for it twice.
    fn pay(
        &self,
        layer: &Layer,
        owed: f64,
        left: f64,
        range: Range<usize>,
        year: &Year,
        out: &mut Settled,
    ) -> f64 {
        let kept = self.kept(layer, year);
        let due = owed * kept;
        if due <= 0.0 {
            return 0.0;
        }
        let paid = if self.by_hit {
            let row = layer.index * year.hits.len();
            let (mut paid, mut cut) = (0.0, false);
            for at in range {
                let part = out.by_hit[row + at] * kept;
                cut |= part > out.left[at];
                let part = part.min(out.left[at]);
                out.left[at] -= part;
                paid += part;
            }
            if cut { paid.min(due) } else { due }
        } else {
            due.min(left.max(0.0))
        };
        out.uses[layer.index].short += due - paid;
        paid
    }

    /// The share of what it owes that a treaty pays this year.
    fn kept(&self, layer: &Layer, year: &Year) -> f64 {
        match layer.counterparty {
            Some((who, recovery)) if year.defaulted.get(who).copied().unwrap_or(false) => recovery,
            _ => 1.0,
        }
    }

    /// What is left of the last event, by pool.
    fn share_out(&self, range: Range<usize>, hits: &[Hit], out: &mut Settled) {
        let first = out.by_pool.len();
        let all = if self.owner.is_some() { 0.0 } else { out.events.last().copied().unwrap_or(0.0) };
        out.by_pool.resize(first + self.pools.len(), all);
        let Some(owner) = &self.owner else { return };
        for at in range {
            if let Some(pool) = owner[hits[at].product as usize] {
                out.by_pool[first + pool as usize] += out.left[at];
            }
        }
    }

    /// What pools lose, and which of their capital.
    fn pools(&self, year: &Year, out: &mut Settled) {
        out.pools.resize(self.pools.len(), PoolYear::default());
        for pool in &mut out.pools {
            (pool.claims, pool.reserve) = (0.0, 0.0);
        }
        if let Some(owner) = &self.owner {
            for (at, hit) in year.hits.iter().enumerate() {
                let Some(pool) = owner[hit.product as usize] else { continue };
                out.pools[pool as usize].claims += out.left[at];
            }
        } else {
            out.pools.iter_mut().for_each(|p| p.claims = out.net);
        }
        let prices = self.regimes[year.regime].1;
        for (index, (pool, capital)) in out.pools.iter_mut().zip(&self.pools).enumerate() {
            let total = capital.sizes.iter().fold(0.0, |sum, s| sum + s) * prices;
            let failures = year.failures.iter().filter(|f| f.pool as usize == index);
            let kept = failures.fold(1.0, |kept, f| kept * (1.0 - f.share));
            pool.reserve = capital.reserve_share * total * (1.0 - kept);
            let mut loss = pool.claims + pool.reserve;
            pool.borne.clear();
            for &size in &capital.sizes {
                let bears = loss.min(size * prices);
                loss -= bears;
                pool.borne.push((size - (size * prices - bears)).max(0.0));
            }
            pool.unpaid = loss;
        }
    }
}

/// So many of nothing.
fn reset<T: Clone + Default>(values: &mut Vec<T>, len: usize) {
    values.clear();
    values.resize(len, T::default());
}
