//! Portfolios to begin with.

use crate::{
    fault::Fault,
    portfolio::{Cluster, Cover, Law, Membership, Mixing, Portfolio, Product, Severity, Treaty},
    special::normal_quantile,
};

/// Names of the portfolios there are, and what each is.
pub const NAMES: [(&str, &str); 3] = [
    ("small", "four covers, two clusters, three treaties and a pool with two tranches; commented"),
    ("everything", "every kind of law, dependence, treaty and pool that a portfolio can say; commented"),
    ("cp500", "the reference job: 500 covers in ten clusters under three treaties"),
];

/// A portfolio by its name.
pub fn portfolio(name: &str) -> Option<Portfolio> {
    match name {
        "cp500" => Some(cp500()),
        // A test reads all of them.
        _ => Portfolio::from_toml(text(name)?).ok(),
    }
}

/// A portfolio by its name, as the TOML to begin with: with comments where it has some.
///
/// # Errors
/// Where a number has no TOML form.
pub fn toml(name: &str) -> Option<Result<String, Fault>> {
    text(name).map(|text| Ok(text.to_owned())).or_else(|| portfolio(name).map(|p| p.to_toml()))
}

fn text(name: &str) -> Option<&'static str> {
    match name {
        "small" => Some(include_str!("example/small.toml")),
        "everything" => Some(include_str!("example/everything.toml")),
        _ => None,
    }
}

/// CP500, the reference job: 500 covers, 12.5 attacks a year times a gamma factor of shape 4, ten clusters of fifty that
/// add four claims a year, two layers by event with annual limits and a stop loss on what they leave.
///
/// Amounts are millions of dollars.
pub fn cp500() -> Portfolio {
    let mut portfolio = Portfolio::named("CP500", "USD million");
    portfolio.mixings.push(Mixing { id: "attackers".into(), shape: 4.0 });
    portfolio.severities.push(Severity {
        id: "share".into(),
        cap: Some(1.0),
        law: Law::Splice {
            at: 0.15,
            body_weight: 0.75,
            body: Box::new(Law::Lognormal { mu: libm::log(0.04), sigma: 1.0 }),
            tail: Box::new(Law::Gpd { location: 0.15, xi: 0.5, scale: 0.2 }),
        },
    });
    portfolio.clusters = (0..10)
        .map(|k| Cluster {
            id: format!("c{k}"),
            rate: 0.02,
            rate_sd: 0.0,
            hit: 0.4,
            copula: None,
            follow_up: None,
        })
        .collect();
    portfolio.products = (0..500).map(cover).collect();
    portfolio.treaties = vec![
        excess("layer 1", 2.0, 4.0, 12.0),
        excess("layer 2", 6.0, 12.0, 24.0),
        treaty("stop loss", Cover::StopLoss { attachment: 12.0, limit: 10.0 }, &["layer 1", "layer 2"]),
    ];
    portfolio
}

fn cover(i: usize) -> Product {
    let tvl = libm::exp(1.3 * normal_quantile((i as f64 + 0.5) / 500.0)).min(40.0);
    Product {
        id: format!("p{i:03}"),
        rate: [0.005, 0.01, 0.02, 0.03, 0.06][i % 5],
        rate_sd: 0.0,
        mixing: Some("attackers".into()),
        severity: "share".into(),
        exposure: tvl,
        tvl: Some(tvl),
        deductible: 0.02 * tvl,
        deductible_share: 0.0,
        limit: Some(tvl.min(15.0)),
        annual_limit: None,
        clusters: vec![Membership::Plain(format!("c{}", (i / 5) % 10))],
        premium: 0.0,
        waiting_days: 0.0,
        report_days: 0.0,
    }
}

fn excess(id: &str, attachment: f64, limit: f64, annual: f64) -> Treaty {
    let cover = Cover::EventExcess {
        attachment,
        limit,
        annual_limit: Some(annual),
        reinstatements: None,
        annual_deductible: 0.0,
    };
    treaty(id, cover, &[])
}

fn treaty(id: &str, cover: Cover, after: &[&str]) -> Treaty {
    Treaty {
        id: id.into(),
        cover,
        share: 1.0,
        after: after.iter().map(|&a| a.into()).collect(),
        products: vec![],
        premium: 0.0,
        counterparty: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;

    #[test]
    fn every_example_is_a_model_and_its_document_says_the_same() {
        for (name, _) in NAMES {
            let of_text = Model::from_toml(&toml(name).unwrap().unwrap()).unwrap();
            let model = Model::new(portfolio(name).unwrap()).unwrap();
            assert_eq!(of_text.hash, model.hash, "{name}");
            let again = Model::from_toml(&model.portfolio.to_toml().unwrap()).unwrap();
            assert_eq!(again.hash, model.hash, "{name} written and read");
            let json = serde_json::to_string(&model.portfolio).unwrap();
            assert_eq!(Model::from_json(&json).unwrap().hash, model.hash, "{name} as JSON");
        }
    }
}
