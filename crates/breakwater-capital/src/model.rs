//! A portfolio that was checked and resolved: names are indices, laws are compiled, treaties stand in order.

mod check;
mod correlation;
mod treaties;

use alloy_primitives::{B256, keccak256};

use crate::{
    fault::Fault,
    portfolio::{self, Contagion, Copula, Cover, FollowUp, Portfolio, Regime, SCHEMA},
    severity::Distribution,
};

/// Days in a year of the model.
pub const DAYS: f64 = 365.0;

/// A checked portfolio.
#[derive(Clone, Debug)]
pub struct Model {
    /// The document it was made from.
    pub portfolio: Portfolio,
    /// Laws of the share lost, in the document's order.
    pub severities: Vec<Distribution>,
    /// Shapes of the gamma factors, in the document's order.
    pub mixings: Vec<f64>,
    /// Clusters, in the document's order.
    pub clusters: Vec<Cluster>,
    /// Products, in the document's order.
    pub products: Vec<Product>,
    /// Treaties, in the document's order.
    pub treaties: Vec<Treaty>,
    /// An order of the treaties in which each comes after those whose recoveries it takes off.
    pub treaty_order: Vec<usize>,
    /// Names of counterparties, each once, with the probability that it defaults and the share still paid then.
    pub counterparties: Vec<(String, f64)>,
    /// States of the market; at least one.
    pub regimes: Vec<Regime>,
    /// Self-excitement of events.
    pub contagion: Option<Contagion>,
    /// Pools, in the document's order.
    pub pools: Vec<Pool>,
    /// Keccak-256 of the document in canonical JSON.
    pub hash: B256,
}

/// A resolved product.
#[derive(Clone, Debug)]
pub struct Product {
    /// Attacks a year on it alone.
    pub rate: f64,
    /// Shape of the rate's gamma posterior; none for a known rate.
    pub posterior: Option<f64>,
    /// Index of the factor its rate is multiplied by.
    pub mixing: Option<usize>,
    /// Index of its severity.
    pub severity: usize,
    /// What an event pays.
    pub terms: Terms,
    /// The most a year pays; infinite without one.
    pub annual_limit: f64,
    /// Premium a year.
    pub premium: f64,
}

/// `payout(x) = clamp(slope * x - intercept, 0, limit)` for a lost share `x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Amount a whole loss is worth before the deductible.
    pub slope: f64,
    /// Taken off.
    pub intercept: f64,
    /// The most one event pays.
    pub limit: f64,
}

impl Terms {
    /// What a lost share of `x` pays.
    pub fn payout(&self, x: f64) -> f64 {
        (self.slope * x - self.intercept).max(0.0).min(self.limit)
    }
}

/// A resolved cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Shocks a year.
    pub rate: f64,
    /// Shape of the rate's gamma posterior; none for a known rate.
    pub posterior: Option<f64>,
    /// Members in the document's order of products.
    pub members: Vec<Member>,
    /// Dependence of the members' severities within a shock.
    pub copula: Option<Dependence>,
    /// Attacks that follow events on members.
    pub follow_up: Option<FollowUp>,
}

/// A member of a cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member {
    /// Index of the product.
    pub product: usize,
    /// Probability that a shock hits it.
    pub hit: f64,
}

/// A copula ready to draw from.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependence {
    /// Its family and parameters.
    pub copula: Copula,
    /// Lower Cholesky factor of the correlation matrix, by rows, if the document gave a matrix.
    pub factor: Option<Vec<Vec<f64>>>,
}

/// A resolved treaty.
#[derive(Clone, Debug, PartialEq)]
pub struct Treaty {
    /// What it covers.
    pub cover: Cover,
    /// Share of the layer that is placed.
    pub share: f64,
    /// Indices of the treaties whose recoveries come off before it looks.
    pub after: Vec<usize>,
    /// For each product whether it is covered; none means all are.
    pub covers: Option<Vec<bool>>,
    /// Premium a year.
    pub premium: f64,
    /// Index of its counterparty, and the share it still pays in default.
    pub counterparty: Option<(usize, f64)>,
}

impl Treaty {
    /// The most it pays in a year before the placed share; infinite if nothing bounds it.
    pub fn annual_limit(&self) -> f64 {
        match &self.cover {
            Cover::QuotaShare { annual_limit, .. } => annual_limit.unwrap_or(f64::INFINITY),
            Cover::EventExcess { limit, annual_limit, reinstatements, .. } => {
                let reinstated =
                    reinstatements.as_ref().map_or(f64::INFINITY, |r| limit * (1.0 + r.len() as f64));
                annual_limit.unwrap_or(f64::INFINITY).min(reinstated)
            }
            Cover::StopLoss { limit, .. } => *limit,
            Cover::Catastrophe { pays, events, .. } => pays * f64::from(*events),
        }
    }

    /// Prices of its reinstatements, in order, as shares of the premium; empty without any.
    pub fn reinstatement_prices(&self) -> &[f64] {
        match &self.cover {
            Cover::EventExcess { reinstatements: Some(prices), .. } => prices,
            _ => &[],
        }
    }

    /// Whether it looks at single events rather than at the whole year.
    pub fn is_by_event(&self) -> bool {
        !matches!(self.cover, Cover::StopLoss { .. })
    }
}

/// A resolved pool.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// The document's words.
    pub terms: portfolio::Pool,
    /// Indices of its products, ascending.
    pub products: Vec<usize>,
    /// Index of the severity of its reserve's failures, if it has a reserve.
    pub reserve_severity: Option<usize>,
    /// Index of the cluster whose shocks hit its reserve.
    pub reserve_cluster: Option<usize>,
}

impl Pool {
    /// Surplus and all tranches.
    pub fn capital(&self) -> f64 {
        self.terms.tranches.iter().fold(self.terms.surplus, |sum, t| sum + t.capital)
    }
}

impl Model {
    /// Checks and resolves a portfolio.
    ///
    /// # Errors
    /// The first [`Fault`] found, with its place in the document.
    pub fn new(portfolio: Portfolio) -> Result<Self, Fault> {
        check::model(portfolio)
    }

    /// Reads TOML.
    ///
    /// # Errors
    /// What does not parse (with its line), or the first fault of what does.
    pub fn from_toml(text: &str) -> Result<Self, Fault> {
        Self::new(Portfolio::from_toml(text)?)
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// What does not parse (with its line), or the first fault of what does.
    pub fn from_json(text: &str) -> Result<Self, Fault> {
        Self::new(Portfolio::from_json(text)?)
    }

    /// Expected attacks a year on products alone.
    pub fn own_rate(&self) -> f64 {
        self.products.iter().fold(0.0, |sum, p| sum + p.rate)
    }
}

impl Portfolio {
    /// Reads TOML, and checks only its form.
    ///
    /// # Errors
    /// What does not parse, with its line.
    pub fn from_toml(text: &str) -> Result<Self, Fault> {
        toml::from_str(text).map_err(|e| {
            let at = e.span().map_or_else(
                || "the TOML document".to_owned(),
                |span| format!("line {}", 1 + text.bytes().take(span.start).filter(|&b| b == b'\n').count()),
            );
            Fault::new(at, e.message())
        })
    }

    /// Reads JSON, and checks only its form.
    ///
    /// # Errors
    /// What does not parse, with its line.
    pub fn from_json(text: &str) -> Result<Self, Fault> {
        serde_json::from_str(text).map_err(|e| {
            let words = e.to_string();
            // serde_json says the place at the end; a fault says it first.
            let what = words.split(" at line ").next().unwrap_or(&words);
            Fault::new(format!("line {}", e.line()), what)
        })
    }

    /// The document as TOML.
    ///
    /// # Errors
    /// Where a number has no TOML form.
    pub fn to_toml(&self) -> Result<String, Fault> {
        toml::to_string(self).map_err(|e| Fault::new("the portfolio", e.to_string()))
    }

    /// Keccak-256 of the document in canonical JSON: fields in the schema's order, defaults left out, shortest numbers.
    ///
    /// # Errors
    /// Where a number has no JSON form.
    pub fn hash(&self) -> Result<B256, Fault> {
        let bytes = serde_json::to_vec(self).map_err(|e| Fault::new("the portfolio", e.to_string()))?;
        Ok(keccak256(bytes))
    }

    /// An empty portfolio of this schema.
    pub fn named(name: &str, unit: &str) -> Self {
        Self {
            schema: SCHEMA.into(),
            name: name.into(),
            unit: unit.into(),
            mixings: vec![],
            severities: vec![],
            clusters: vec![],
            contagion: None,
            regimes: vec![],
            products: vec![],
            treaties: vec![],
            pools: vec![],
        }
    }
}
