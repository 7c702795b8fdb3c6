//! Named scenarios, as data: what is struck, and what the market does in the same year.
//!
//! A document holds any number of `[[scenario]]` tables; [`NAMED`] is the one that ships with the crate.

use serde::{Deserialize, Serialize};

use crate::{fault::Fault, model::Model, portfolio::Portfolio};

/// The scenarios that ship with the crate, as their document.
///
/// Facts in it, each with its source:
/// - Losses of DeFi protocols and contracts without rug-pulls, over the sector's mean value locked, were 190, 290, 111 and
///   48 basis points in 2021 to 2024; 290 over their mean is 1.82. Incidents of a million dollars and more were 82, 85, 56
///   and 68: 2022 stood out by size, not by number. The sector's mean value locked in 2022 was 102.7 billion dollars after
///   191.1 at the end of 2021: 0.54. Sources: `incidents.csv` and `tvl_monthly.csv` of the data set in `BREAKWATER_DATA`
///   (DefiLlama, de.fi, SlowMist, BlockSec, rekt.news and others, de-duplicated).
/// - The reentrancy lock of Vyper 0.2.15 to 0.3.0 did not hold: on 30 July 2023 Curve's pools lost 61.7 million and others
///   through the same compiler more (`incidents.csv`, I01699 and I01700).
/// - Nomad lost 190 million on 1 August 2022, nearly all that it held (`incidents.csv`).
/// - USDC changed hands at about 0.88 dollars on 11 March 2023.
pub const NAMED: &str = r#"
[[scenario]]
id = "compiler bug"
about = "A bug in a compiler or in shared code: every user of it is attacked at once, as through Vyper's locks in July 2023."
[[scenario.strike]]
like = ["compiler", "vyper", "solc", "solidity", "code", "fork", "library"]
hit = 1.0

[[scenario]]
id = "oracle outage"
about = "A price feed fails or lies; who reads it is hit as often as its cluster says."
[[scenario.strike]]
like = ["oracle", "feed", "chainlink", "pyth", "price"]

[[scenario]]
id = "bridge collapse"
about = "A bridge loses what it holds, as Nomad did in August 2022: members that are hit lose everything."
[[scenario.strike]]
like = ["bridge", "wormhole", "layerzero", "nomad", "multichain"]
share = 1.0

[[scenario]]
id = "stablecoin depeg"
about = "A stablecoin falls: protocols that stand on it are attacked, and reserves in it are worth 0.88, as USDC was on 11 March 2023."
capital = 0.88
[[scenario.strike]]
like = ["stable", "usd", "dai", "peg"]

[[scenario]]
id = "2022-like year"
about = "Losses over value locked as in 2022 against the mean of 2021 to 2024, and capital that moved as the sector's value locked did."
hazard = 1.82
capital = 0.54
"#;

/// A document of scenarios.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, rename = "scenario")]
    scenarios: Vec<Scenario>,
}

/// A scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub id: String,
    /// What happens, and what it is modelled on.
    #[serde(default)]
    pub about: String,
    /// What rates of attacks and shocks are multiplied by.
    #[serde(default = "one")]
    pub hazard: f64,
    /// What exposures, deductibles and limits of covers are multiplied by.
    #[serde(default = "one")]
    pub tvl: f64,
    /// What surplus and tranches are multiplied by.
    #[serde(default = "one")]
    pub capital: f64,
    /// Reinsurers that fail in that year.
    #[serde(default)]
    pub defaults: Vec<String>,
    /// What is struck, each in one event.
    #[serde(default, rename = "strike")]
    pub strikes: Vec<Strike>,
}

/// One event that happens for certain. It names a cluster, or words to find one by, or products, or nothing: all products.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strike {
    /// The cluster whose members are struck.
    #[serde(default)]
    pub cluster: Option<String>,
    /// Words: of the clusters whose name holds one of them, the one that can lose most; if none does, of all clusters.
    #[serde(default)]
    pub like: Vec<String>,
    /// The products that are struck.
    #[serde(default)]
    pub products: Vec<String>,
    /// Probability that each is hit; a cluster's members have their own without it, products are hit.
    #[serde(default)]
    pub hit: Option<f64>,
    /// Share that each that is hit loses; drawn from its law without it.
    #[serde(default)]
    pub share: Option<f64>,
}

/// A strike whose names are known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Struck {
    /// What it is called in a report.
    pub(super) name: String,
    /// Index of the cluster, if it is one's.
    pub(super) cluster: Option<usize>,
    /// Products, and their probabilities of a hit; a cluster's in the order of its members.
    pub(super) members: Vec<(usize, f64)>,
    pub(super) share: Option<f64>,
}

fn one() -> f64 {
    1.0
}

/// The scenarios that ship with the crate.
///
/// # Errors
/// None: the document is the crate's own, and a test reads it.
pub fn named() -> Result<Vec<Scenario>, Fault> {
    parse(NAMED)
}

/// Scenarios of a TOML document.
///
/// # Errors
/// What does not parse (with its line), or the first number that is impossible.
pub fn parse(text: &str) -> Result<Vec<Scenario>, Fault> {
    let document: Document = toml::from_str(text).map_err(|e| Fault::new("the scenarios", e.to_string()))?;
    if document.scenarios.is_empty() {
        return Err(Fault::new("scenario", "none; a document has at least one [[scenario]]"));
    }
    document.scenarios.iter().try_for_each(check)?;
    Ok(document.scenarios)
}

fn check(scenario: &Scenario) -> Result<(), Fault> {
    let at = |field: &str| format!("scenario {:?}.{field}", scenario.id);
    for (field, value) in [("hazard", scenario.hazard), ("tvl", scenario.tvl), ("capital", scenario.capital)]
    {
        let possible = value.is_finite() && if field == "tvl" { value > 0.0 } else { value >= 0.0 };
        if !possible {
            return Err(Fault::new(at(field), format!("{value}; it must be a finite factor, not negative")));
        }
    }
    for (i, strike) in scenario.strikes.iter().enumerate() {
        let named = usize::from(strike.cluster.is_some())
            + usize::from(!strike.like.is_empty())
            + usize::from(!strike.products.is_empty());
        if named > 1 {
            let at = at(&format!("strike[{i}]"));
            return Err(Fault::new(at, "more than one of cluster, like and products; name one"));
        }
        for (field, value) in [("hit", strike.hit), ("share", strike.share)] {
            if value.is_some_and(|v| !(0.0..=1.0).contains(&v)) {
                let at = at(&format!("strike[{i}].{field}"));
                return Err(Fault::new(at, format!("{}; it must be from 0 to 1", value.unwrap_or(0.0))));
            }
        }
    }
    Ok(())
}

impl Scenario {
    /// The portfolio in the scenario's market: rates and covers scaled.
    pub(super) fn market(&self, portfolio: &Portfolio) -> Portfolio {
        let mut scaled = portfolio.clone();
        for p in &mut scaled.products {
            p.rate *= self.hazard;
            p.rate_sd *= self.hazard;
            p.exposure *= self.tvl;
            p.deductible *= self.tvl;
            for amount in [&mut p.tvl, &mut p.limit, &mut p.annual_limit].into_iter().flatten() {
                *amount *= self.tvl;
            }
        }
        for c in &mut scaled.clusters {
            c.rate *= self.hazard;
            c.rate_sd *= self.hazard;
        }
        scaled
    }

    /// Strikes with their names resolved.
    pub(super) fn resolve(&self, model: &Model) -> Result<Vec<Struck>, Fault> {
        let at = |i: usize, field: &str| format!("scenario {:?}.strike[{i}].{field}", self.id);
        let one = |(i, strike): (usize, &Strike)| {
            let unknown =
                |field: &str, id: &str| Fault::new(at(i, field), format!("{id:?} is not in the portfolio"));
            if let Some(id) = &strike.cluster {
                let clusters = &model.portfolio.clusters;
                let k = clusters.iter().position(|c| c.id == *id).ok_or_else(|| unknown("cluster", id))?;
                return Ok(cluster(model, k, strike));
            }
            if !strike.like.is_empty() {
                if let Some(k) = alike(model, &strike.like) {
                    return Ok(cluster(model, k, strike));
                }
                return Err(Fault::new(at(i, "like"), "the portfolio has no cluster with members"));
            }
            let all = model.portfolio.products.iter().map(|p| &p.id);
            let ids: Vec<&String> =
                if strike.products.is_empty() { all.collect() } else { strike.products.iter().collect() };
            let find = |id: &&String| {
                let product = model.portfolio.products.iter().position(|p| p.id == **id);
                let product = product.ok_or_else(|| unknown("products", id))?;
                Ok((product, strike.hit.unwrap_or(1.0)))
            };
            let name = match ids.as_slice() {
                [only] => (*only).clone(),
                many => format!("{} products", many.len()),
            };
            let members = ids.iter().map(find).collect::<Result<Vec<_>, Fault>>()?;
            Ok(Struck { name, cluster: None, members, share: strike.share })
        };
        self.strikes.iter().enumerate().map(one).collect()
    }

    /// For each counterparty whether it fails.
    pub(super) fn defaulted(&self, model: &Model) -> Result<Vec<bool>, Fault> {
        let mut failed = vec![false; model.counterparties.len()];
        for id in &self.defaults {
            let place = model.counterparties.iter().position(|c| c.0 == *id).ok_or_else(|| {
                let what = format!("{id:?} is no treaty's counterparty");
                Fault::new(format!("scenario {:?}.defaults", self.id), what)
            })?;
            failed[place] = true;
        }
        Ok(failed)
    }
}

fn cluster(model: &Model, k: usize, strike: &Strike) -> Struck {
    let members = model.clusters[k].members.iter();
    let members = members.map(|m| (m.product, strike.hit.unwrap_or(m.hit))).collect();
    Struck { name: model.portfolio.clusters[k].id.clone(), cluster: Some(k), members, share: strike.share }
}

/// Of the clusters named by one of the words, or else of all, the one whose members can lose most.
fn alike(model: &Model, words: &[String]) -> Option<usize> {
    let most = |k: usize| {
        model.clusters[k].members.iter().fold(0.0, |sum, m| sum + model.products[m.product].terms.limit)
    };
    let named = |k: &usize| {
        let id = model.portfolio.clusters[*k].id.to_lowercase();
        words.iter().any(|w| id.contains(&w.to_lowercase()))
    };
    let occupied = || (0..model.clusters.len()).filter(|&k| !model.clusters[k].members.is_empty());
    // The first of equals, so that the answer does not depend on how a maximum is searched.
    let worst = |clusters: Vec<usize>| {
        clusters.into_iter().reduce(|best, k| if most(k) > most(best) { k } else { best })
    };
    worst(occupied().filter(named).collect()).or_else(|| worst(occupied().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::cp500;

    #[test]
    fn the_shipped_scenarios_are_read_and_find_a_cluster_anywhere() {
        let scenarios = named().unwrap();
        assert_eq!(scenarios.len(), 5);
        let model = Model::new(cp500()).unwrap();
        for scenario in &scenarios {
            let struck = scenario.resolve(&model).unwrap();
            // The cluster of product 499 can lose most; the fifth scenario strikes nothing.
            assert!(struck.iter().all(|s| s.name == "c9" && s.members.len() == 50), "{struck:?}");
        }
        let mut portfolio = cp500();
        portfolio.clusters[3].id = "Chainlink".into();
        for p in &mut portfolio.products {
            for m in &mut p.clusters {
                if m.id() == "c3" {
                    *m = crate::portfolio::Membership::Plain("Chainlink".into());
                }
            }
        }
        let model = Model::new(portfolio).unwrap();
        assert_eq!(scenarios[1].resolve(&model).unwrap()[0].name, "Chainlink");
    }

    #[test]
    fn wrong_documents_are_named() {
        let of = |text: &str| parse(text).unwrap_err().to_string();
        assert!(of("").contains("at least one"));
        assert!(of("[[scenario]]\nid = \"x\"\nhazard = -1.0").contains("scenario \"x\".hazard"));
        assert!(of("[[scenario]]\nid = \"x\"\n[[scenario.strike]]\nshare = 1.5").contains("strike[0].share"));
        assert!(of("[[scenario]]\nid = \"x\"\nwhat = 1").contains("what"));
        let two = "[[scenario]]\nid = \"x\"\n[[scenario.strike]]\ncluster = \"a\"\nproducts = [\"b\"]";
        assert!(of(two).contains("name one"));
        let model = Model::new(cp500()).unwrap();
        let text = "[[scenario]]\nid = \"x\"\n[[scenario.strike]]\ncluster = \"nowhere\"";
        let fault = parse(text).unwrap()[0].resolve(&model).unwrap_err();
        assert!(fault.to_string().contains("\"nowhere\" is not in the portfolio"));
        let text = "[[scenario]]\nid = \"x\"\ndefaults = [\"nobody\"]";
        assert!(parse(text).unwrap()[0].defaulted(&model).is_err());
    }
}
