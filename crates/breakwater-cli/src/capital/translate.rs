//! From contracts to a portfolio: what the engine knows under other names, and notes on what no contract says.

use std::collections::BTreeSet;
use std::fmt::Display;

use alloy::primitives::{B256, U256};
use breakwater_capital::portfolio::{
    self, Cluster, Cover, Membership, Portfolio, Product, Reserve, Tranche, Treaty,
};
use breakwater_capital::severity::Distribution;
use breakwater_primitives::{DAY, WAD, YEAR};
use clap::ValueEnum;

use super::MORE;
use super::hazards::{Hazards, Own};
use super::live::{Ceded, Covered, Live};
use crate::act::units::{percent, utc};
use crate::failure::Failure;

/// What a product's exposure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Exposure {
    /// What is insured now
    InForce,
    /// What the curator's caps allow, also those that wait
    Caps,
}

/// What a contract does not say, or says otherwise than a portfolio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    /// A name for scripts.
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// A portfolio of a pool, not yet checked, and what there is to say about it.
pub(super) fn portfolio(
    live: &Live,
    hazards: &Hazards,
    exposure: Exposure,
) -> Result<(Portfolio, Vec<Note>), Failure> {
    strangers(live, hazards)?;
    let mut made = Making { live, hazards, exposure, notes: Vec::new() };
    let mut document = Portfolio::named(&live.name, &live.token.symbol);
    document.severities.clone_from(&hazards.severities);
    let mut counted = Vec::new();
    for covered in &live.products {
        let units = made.exposure_of(covered);
        if units == 0 {
            let why = format!("{} has no exposure and is left out", covered.id);
            made.note("nothing-insured", why);
            continue;
        }
        document.products.push(made.product(covered, units)?);
        counted.push((covered, units));
    }
    if counted.is_empty() {
        return Err(Failure::new(format!("pool {} insures nothing yet", live.name))
            .right("--exposure caps, for what its curator's caps allow")
            .more(MORE));
    }
    made.premiums(&counted, &mut document.products);
    document.clusters = made.clusters(&counted);
    let premium = document.products.iter().fold(0.0, |sum, product| sum + product.premium);
    document.treaties = live.treaties.iter().filter_map(|ceded| made.treaty(ceded, premium)).collect();
    let pool = made.pool()?;
    if let Some(id) = pool.reserve.as_ref().and_then(|reserve| reserve.cluster.clone())
        && document.clusters.iter().all(|cluster| cluster.id != id)
    {
        document.clusters.push(made.cluster(live.vault.cluster));
    }
    document.pools.push(pool);
    made.last(&document);
    Ok((document, made.notes))
}

/// Everything that the file names must be the pool's: a slip of the pen would else change nothing, in silence.
fn strangers(live: &Live, hazards: &Hazards) -> Result<(), Failure> {
    let products: BTreeSet<B256> = live.products.iter().map(|covered| covered.id).collect();
    let clusters: BTreeSet<B256> =
        live.products.iter().map(|covered| covered.cluster).chain([live.vault.cluster]).collect();
    let product = hazards.products.iter().map(|own| own.id).find(|id| !products.contains(id));
    let cluster = hazards.clusters.iter().map(|shock| shock.id).find(|id| !clusters.contains(id));
    let refuse = |kind: &str, id: B256| {
        Err(Failure::usage(format!("--severity: the pool has no {kind} {id}"))
            .right(format!("ids of {kind}s of this pool: breakwater capital read without the file"))
            .more(MORE))
    };
    match (product, cluster) {
        (Some(id), _) => refuse("product", id),
        (None, Some(id)) => refuse("cluster", id),
        (None, None) => Ok(()),
    }
}

struct Making<'a> {
    live: &'a Live,
    hazards: &'a Hazards,
    exposure: Exposure,
    notes: Vec<Note>,
}

impl Making<'_> {
    fn note(&mut self, name: &'static str, text: String) {
        self.notes.push(Note { name, text });
    }

    /// Whole units of the asset, the nearest number there is.
    fn whole(&self, units: impl Display) -> f64 {
        whole(units, self.live.token.decimals)
    }

    fn exposure_of(&self, covered: &Covered) -> u128 {
        match self.exposure {
            Exposure::InForce => covered.exposure,
            Exposure::Caps => covered.cap.max(covered.pending),
        }
    }

    fn product(&mut self, covered: &Covered, units: u128) -> Result<Product, Failure> {
        let terms = &covered.terms;
        let id = covered.id.to_string();
        let hazards = self.hazards;
        let own = hazards.products.iter().find(|own| own.id == covered.id);
        let severity = hazards.severity_of(own.and_then(|own| own.severity.as_deref()))?;
        let law = Distribution::new(severity)
            .map_err(|fault| Failure::usage(format!("--severity: {}: {fault}", severity.id)).more(MORE))?;
        let exposure = self.whole(units);
        let deductible = f64::from(terms.deductibleBps) / 10_000.0;
        let event = (terms.eventLimit != 0).then(|| self.whole(terms.eventLimit)).filter(|&l| l < exposure);
        let limit_share = event.map_or(1.0, |limit| limit / exposure);
        // What one event pays of a sum of one, on average: clamp((x - d) / (1 - d), 0, limit).
        let top = deductible + (1.0 - deductible) * limit_share;
        let paid = law.layer_mean(deductible, top) / (1.0 - deductible);
        let rate = match own.and_then(|own| own.rate) {
            Some(rate) => rate,
            None => self.floor_rate(covered)? / positive(paid, &id)?,
        };
        if terms.lossCapBps < 10_000 {
            let at_most = f64::from(terms.lossCapBps) / 100.0;
            self.note("loss-cap", format!("{id} pays at most {at_most} % of a proven loss; the portfolio reckons with all of it, as the pool's reserve does"));
        }
        Ok(Product {
            rate,
            rate_sd: own.map_or(0.0, |own| own.rate_sd),
            mixing: None,
            severity: severity.id.clone(),
            exposure,
            tvl: own.and_then(|own: &Own| own.tvl),
            deductible: 0.0,
            deductible_share: deductible,
            limit: event,
            annual_limit: None,
            clusters: (covered.cluster != B256::ZERO)
                .then(|| Membership::Plain(covered.cluster.to_string()))
                .into_iter()
                .collect(),
            premium: 0.0,
            waiting_days: days(terms.waitingPeriod),
            report_days: days(terms.reportWindow),
            id,
        })
    }

    /// Expected loss a year of a sum of one, as the committee posted it or else as the curator set it.
    fn floor_rate(&mut self, covered: &Covered) -> Result<f64, Failure> {
        let id = covered.id;
        let rate = match covered.posted {
            Some((rate, fresh)) => {
                if !fresh {
                    self.note("stale-rate", format!("{id}: the posted rate is out of date"));
                }
                rate
            }
            None => {
                let said = percent(U256::from(covered.floor));
                self.note(
                    "curators-rate",
                    format!("{id}: no rate is posted; the curator's floor of {said} stands for it"),
                );
                covered.floor
            }
        };
        match rate {
            0 => Err(Failure::new(format!("{id}: nobody posted or set a rate, so its hazard is not known"))
                .right("a rate for it in the file of --severity")
                .more(MORE)),
            rate => Ok(whole(rate, 18)),
        }
    }

    /// Premium a year of each product, after the curator's fee.
    ///
    /// A pool knows what streams in together, not for which product: the whole is shared out by exposure times the rate
    /// that sales begin at.
    fn premiums(&mut self, counted: &[(&Covered, u128)], products: &mut [Product]) {
        let config = &self.live.config;
        // A leverage below 1 sells nothing, so it prices nothing.
        let leverage = f64::from(self.live.leverage.max(10_000)) / 10_000.0;
        let capital_cost = whole(config.costOfCapital, 18) / leverage;
        let base = |covered: &Covered| {
            let posted = covered.posted.map_or(0, |(rate, _)| rate);
            whole(covered.floor.max(posted), 18) + capital_cost
        };
        let kept = 1.0 - f64::from(config.curatorFeeBps) / 10_000.0;
        let weights: Vec<f64> =
            counted.iter().zip(&*products).map(|((covered, _), p)| p.exposure * base(covered)).collect();
        let sum = weights.iter().fold(0.0, |sum, weight| sum + weight);
        let scale = match self.exposure {
            Exposure::InForce => {
                // Units · 1e18 a second; the two divisions by 1e18 and by the token's unit are one decimal shift.
                let yearly = self.live.stream.saturating_mul(U256::from(YEAR)) / U256::from(WAD);
                let yearly = self.whole(yearly);
                if products.len() > 1 {
                    let text = format!(
                        "the pool earns {yearly} {} a year from all products together; it is shared out by exposure and rate",
                        self.live.token.symbol
                    );
                    self.note("premium-shared", text);
                }
                if sum > 0.0 { yearly / sum } else { 0.0 }
            }
            Exposure::Caps => {
                self.note("premium-least", "premiums are those of the lowest rates, before scarcity".into());
                1.0
            }
        };
        for (product, weight) in products.iter_mut().zip(weights) {
            product.premium = weight * scale * kept;
        }
    }

    fn clusters(&mut self, counted: &[(&Covered, u128)]) -> Vec<Cluster> {
        let ids: BTreeSet<B256> = counted.iter().map(|(covered, _)| covered.cluster).collect();
        if ids.contains(&B256::ZERO) {
            let text = "some products are in no cluster: what they fail with is not known, and no certificate lets them be sold";
            self.note("no-cluster", text.into());
        }
        ids.into_iter().filter(|id| *id != B256::ZERO).map(|id| self.cluster(id)).collect()
    }

    fn cluster(&mut self, id: B256) -> Cluster {
        let known = self.hazards.clusters.iter().find(|shock| shock.id == id);
        if known.is_none() {
            let text = format!("{id}: how often the cluster is struck is not known; its rate is 0");
            self.note("cluster-rate", text);
        }
        Cluster {
            id: id.to_string(),
            rate: known.map_or(0.0, |shock| shock.rate),
            rate_sd: known.map_or(0.0, |shock| shock.rate_sd),
            hit: known.map_or(1.0, |shock| shock.hit),
            copula: None,
            follow_up: None,
        }
    }

    /// A treaty as far as its collateral goes: what is not there is paid by nobody.
    fn treaty(&mut self, ceded: &Ceded, premium: f64) -> Option<Treaty> {
        let (terms, id) = (&ceded.terms, ceded.address.to_string());
        let (start, end) = (terms.start.to::<u64>(), terms.end.to::<u64>());
        if self.live.time < start || self.live.time >= end {
            let text = format!("{id} covers from {} to {} and is left out", utc(start), utc(end));
            self.note("treaty-not-running", text);
            return None;
        }
        if end < self.live.time.saturating_add(YEAR) {
            let text = format!("{id} ends {}, and counts for a whole year", utc(end));
            self.note("treaty-ends", text);
        }
        if !ceded.used.is_zero() {
            let text = format!("{id} covers losses of its running year already; what is left of it counts");
            self.note("treaty-used", text);
        }
        let share = f64::from(terms.shareBps) / 10_000.0;
        let yearly = U256::from(terms.yearlyLimit).saturating_sub(ceded.used).min(ceded.free);
        if yearly.is_zero() {
            self.note("treaty-empty", format!("{id} has nothing left to pay with and is left out"));
            return None;
        }
        let (attachment, limit) = (self.whole(terms.attachment), self.whole(terms.limit));
        let annual = self.whole(yearly) / share;
        let cover = match (terms.aggregate, terms.attachment) {
            (true, _) => Cover::StopLoss { attachment, limit: limit.min(annual) },
            (false, 0) => Cover::QuotaShare { event_limit: Some(limit), annual_limit: Some(annual) },
            (false, _) => Cover::EventExcess {
                attachment,
                limit,
                annual_limit: Some(annual),
                reinstatements: None,
                annual_deductible: 0.0,
            },
        };
        Some(Treaty {
            id,
            cover,
            share,
            after: vec![],
            products: vec![],
            premium: premium * f64::from(terms.premiumBps) / 10_000.0,
            // What it owes lies locked in it.
            counterparty: None,
        })
    }

    fn pool(&mut self) -> Result<portfolio::Pool, Failure> {
        let (live, layers) = (self.live, self.live.layers);
        let tranche = |(name, i): (&str, usize)| Tranche {
            id: name.into(),
            capital: self.whole(layers[i + 1]),
            premium_weight: f64::from(live.config.weightBps[i]) / 10_000.0,
        };
        let tranches = ["junior", "mezzanine", "senior"].into_iter().zip(0..).map(tranche).collect();
        Ok(portfolio::Pool {
            id: live.name.clone(),
            products: vec![],
            surplus: self.whole(layers[0]),
            tranches,
            premium_to_surplus: f64::from(live.config.surplusBps) / 10_000.0,
            reserve: self.reserve()?,
            behaviour: None,
        })
    }

    fn reserve(&mut self) -> Result<Option<Reserve>, Failure> {
        let vault = &self.live.vault;
        if vault.mark == 0 {
            return Ok(None);
        }
        let Some(known) = &self.hazards.reserve else {
            let text = format!("{} holds idle capital; how it fails is not known and left out", vault.vault);
            self.note("vault-hazard", text);
            return Ok(None);
        };
        let capital = self.live.layers.iter().map(|&units| U256::from(units)).sum::<U256>();
        let severity = self.hazards.severity_of(known.severity.as_deref())?.id.clone();
        Ok(Some(Reserve {
            share: (self.whole(vault.mark) / self.whole(capital)).min(1.0),
            yield_rate: known.yield_rate,
            rate: known.rate,
            severity,
            cluster: (vault.cluster != B256::ZERO).then(|| vault.cluster.to_string()),
        }))
    }

    /// What the whole document makes worth saying.
    fn last(&mut self, document: &Portfolio) {
        if !self.live.dwelling.is_zero() {
            let text = format!("{} booking(s) dwell: what they hold is no capital", self.live.dwelling);
            self.note("bookings-dwell", text);
        }
        let sum: U256 = self.live.products.iter().map(|covered| U256::from(covered.exposure)).sum();
        if self.exposure == Exposure::InForce && sum > self.live.exposure {
            let text = "policies over several products count with their whole sum in each of them";
            self.note("several-products", text.into());
        }
        let by_incident = document
            .treaties
            .iter()
            .any(|treaty| matches!(treaty.cover, Cover::EventExcess { .. } | Cover::QuotaShare { .. }));
        if by_incident && document.clusters.iter().any(|cluster| cluster.rate > 0.0) {
            let text = "treaties pay by incident, and each gauge has its own; the portfolio's events are whole shocks";
            self.note("event-is-shock", text.into());
        }
    }
}

/// An integer with so many decimals as the nearest number.
fn whole(units: impl Display, decimals: u8) -> f64 {
    // Digits with a decimal exponent always parse, and the parser rounds once.
    format!("{units}e-{decimals}").parse().unwrap_or(f64::INFINITY)
}

fn days(seconds: u32) -> f64 {
    f64::from(seconds) / DAY as f64
}

fn positive(paid: f64, id: &str) -> Result<f64, Failure> {
    match paid > 0.0 {
        true => Ok(paid),
        false => Err(Failure::usage(format!("{id}: under its severity no attack pays anything"))
            .right("a severity that exceeds the product's deductible, or a rate in the file of --severity")
            .more(MORE)),
    }
}
