//! What no contract knows: how much of a protocol an attack takes, and how often clusters are struck.

use std::path::Path;

use alloy::primitives::B256;
use breakwater_capital::portfolio::{Law, Severity};
use serde::Deserialize;

use super::MORE;
use crate::failure::Failure;

/// Name of the law that stands where none is given.
pub(super) const DEFAULT: &str = "share of the value locked";

/// Mean of the logarithm of the law that stands where none is given: ln 0.09, written out, for the portfolio's hash must
/// not depend on a machine's logarithm.
///
/// Loss over value locked of 21 attacks on protocols with at least a million dollars, 2024-03 to 2025-03 (DefiLlama): median
/// 0.09, mean 0.18. A lognormal law capped at the whole has this median, and with [`SIGMA`] this mean.
const MU: f64 = -2.407_945_608_651_872_2;

/// Standard deviation of its logarithm: `E[min(X, 1)]` is 0.181.
const SIGMA: f64 = 1.3;

/// Hazards and severities that a person names.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hazards {
    /// Severity of the products that name none; the first of the file without it, else the law of this module.
    pub(super) default: Option<String>,
    /// Laws as a portfolio has them.
    #[serde(default, rename = "severity")]
    pub(super) severities: Vec<Severity>,
    /// What is known of single products.
    #[serde(default, rename = "product")]
    pub(super) products: Vec<Own>,
    /// How clusters fail.
    #[serde(default, rename = "cluster")]
    pub(super) clusters: Vec<Shock>,
    /// How the vault of idle capital fails.
    pub(super) reserve: Option<Vault>,
}

/// A product.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Own {
    pub(super) id: B256,
    /// Attacks a year, in place of what its floor rate says.
    pub(super) rate: Option<f64>,
    #[serde(default)]
    pub(super) rate_sd: f64,
    pub(super) severity: Option<String>,
    /// Value locked, whole units of the asset.
    pub(super) tvl: Option<f64>,
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shock {
    pub(super) id: B256,
    /// Shocks a year.
    pub(super) rate: f64,
    #[serde(default)]
    pub(super) rate_sd: f64,
    /// Probability that a shock hits a member.
    pub(super) hit: f64,
}

/// The pool's vault.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vault {
    /// Failures a year.
    pub(super) rate: f64,
    /// What it earns a year, as a fraction.
    #[serde(default)]
    pub(super) yield_rate: f64,
    pub(super) severity: Option<String>,
}

impl Hazards {
    /// Reads a file; without one, nothing is known but the law of this module.
    pub(super) fn read(file: Option<&Path>) -> Result<Self, Failure> {
        let mut hazards = Self::default();
        if let Some(file) = file {
            let refuse = |wrong: String| {
                Failure::usage(format!("--severity: {}: {wrong}", file.display()))
                    .right("a file as docs/capital-engine.md, \"From the chain and back\", describes it")
                    .more(MORE)
            };
            let text = std::fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
            hazards = toml::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        }
        if hazards.severities.is_empty() {
            hazards.severities.push(Severity {
                id: DEFAULT.into(),
                cap: Some(1.0),
                law: Law::Lognormal { mu: MU, sigma: SIGMA },
            });
        }
        Ok(hazards)
    }

    /// The severity of a product, by what it names or else the file's default.
    pub(super) fn severity_of<'a>(&'a self, named: Option<&'a str>) -> Result<&'a Severity, Failure> {
        let first = self.severities.first().map_or(DEFAULT, |severity| &severity.id);
        let id = named.or(self.default.as_deref()).unwrap_or(first);
        self.severities.iter().find(|severity| severity.id == id).ok_or_else(|| {
            let known: Vec<&str> = self.severities.iter().map(|severity| severity.id.as_str()).collect();
            Failure::usage(format!("--severity: there is no severity {id:?}"))
                .right(format!("one of {}", known.join(", ")))
                .more(MORE)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use breakwater_capital::severity::Distribution;

    #[test]
    fn the_law_that_stands_for_all_has_the_median_and_mean_that_were_seen() {
        let hazards = Hazards::read(None).unwrap();
        let law = Distribution::new(hazards.severity_of(None).unwrap()).unwrap();
        assert!((law.upper_quantile(0.5) - 0.09).abs() < 1e-9, "{}", law.upper_quantile(0.5));
        assert!((law.mean() - 0.18).abs() < 0.002, "{}", law.mean());
        assert_eq!(law.max(), 1.0);
    }

    #[test]
    fn a_name_that_is_not_there_is_refused() {
        let text =
            "default = \"b\"\n[[severity]]\nid = \"a\"\nlaw = { kind = \"degenerate\", value = 0.5 }\n";
        let hazards: Hazards = toml::from_str(text).unwrap();
        assert!(hazards.severity_of(None).unwrap_err().wrong().contains("\"b\""));
        assert_eq!(hazards.severity_of(Some("a")).unwrap().id, "a");
        assert!(toml::from_str::<Hazards>("rat = 1").is_err());
    }
}
