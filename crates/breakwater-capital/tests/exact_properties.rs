//! What holds for every portfolio that has an exact law.

#![allow(clippy::unwrap_used)]

use breakwater_capital::{
    Model, Portfolio,
    exact::{Exact, Options, solve},
    portfolio::{Cluster, Cover, Law, Membership, Mixing, Product, Regime, Severity, Treaty},
};
use proptest::prelude::*;

fn law() -> impl Strategy<Value = Law> {
    prop_oneof![
        (-4.0..0.5_f64, 0.1..2.0_f64).prop_map(|(mu, sigma)| Law::Lognormal { mu, sigma }),
        (0.3..5.0_f64, 0.3..5.0_f64).prop_map(|(alpha, beta)| Law::Beta { alpha, beta }),
        (-0.5..1.5_f64, 0.05..0.5_f64).prop_map(|(xi, scale)| Law::Gpd { location: 0.0, xi, scale }),
        prop::collection::vec(0.0..1.0_f64, 1..4).prop_map(|values| Law::Empirical { values, weights: None }),
        (0.0..1.0_f64).prop_map(|value| Law::Degenerate { value }),
    ]
}

/// Rate, exposure, deductible as a share of it, limit as a share of it, law, and how its rate is known: not at all
/// uncertain, by one of two factors, or by itself.
type Cover4 = (f64, f64, f64, f64, usize, usize, Option<f64>);

fn product(index: usize, (rate, exposure, deductible, limit, law, known, hit): Cover4) -> Product {
    Product {
        id: format!("p{index}"),
        rate,
        rate_sd: if known == 3 { rate } else { 0.0 },
        mixing: (1..3).contains(&known).then(|| format!("m{known}")),
        severity: format!("s{}", law % 2),
        exposure,
        tvl: None,
        deductible: deductible * exposure,
        deductible_share: 0.0,
        limit: Some(limit * exposure),
        annual_limit: None,
        clusters: hit.map(|hit| Membership::Own { id: format!("c{}", index % 2), hit }).into_iter().collect(),
        premium: 0.0,
        waiting_days: 0.0,
        report_days: 0.0,
    }
}

fn excess(id: &str, attachment: f64, limit: f64, annual: Option<f64>) -> Treaty {
    let cover = Cover::EventExcess {
        attachment,
        limit,
        annual_limit: annual,
        reinstatements: None,
        annual_deductible: 0.0,
    };
    Treaty {
        id: id.into(),
        cover,
        share: 1.0,
        after: vec![],
        products: vec![],
        premium: 0.0,
        counterparty: None,
    }
}

fn portfolio() -> impl Strategy<Value = Portfolio> {
    let cover = (
        0.001..2.0_f64,
        0.01..20.0_f64,
        0.0..0.5_f64,
        0.05..1.0_f64,
        0..2_usize,
        0..4_usize,
        prop::option::of(0.0..=1.0_f64),
    );
    (prop::collection::vec(cover, 1..12), [law(), law()], 0.01..1.0_f64, prop::bool::ANY).prop_map(
        |(covers, laws, rate, regimes)| {
            let mut portfolio = Portfolio::named("any", "unit");
            for (index, law) in laws.into_iter().enumerate() {
                portfolio.severities.push(Severity { id: format!("s{index}"), cap: Some(1.0), law });
            }
            for (id, shape) in [("m1", 0.7), ("m2", 3.0)] {
                portfolio.mixings.push(Mixing { id: id.into(), shape });
            }
            for (id, rate_sd) in [("c0", 0.0), ("c1", 0.3 * rate)] {
                portfolio.clusters.push(Cluster {
                    id: id.into(),
                    rate,
                    rate_sd,
                    hit: 0.5,
                    copula: None,
                    follow_up: None,
                });
            }
            portfolio.products = covers.into_iter().enumerate().map(|(i, cover)| product(i, cover)).collect();
            portfolio.treaties = vec![
                excess("inner", 0.0, 1.0, None),
                excess("middle", 1.0, 3.0, None),
                excess("outer", 4.0, 1e4, None),
            ];
            if regimes {
                let regime = |id: &str, probability, hazard, tvl| Regime {
                    id: id.into(),
                    probability,
                    hazard,
                    tvl,
                    capital: 1.0,
                    premium: 1.0,
                };
                portfolio.regimes = vec![regime("calm", 0.9, 1.0, 1.0), regime("stress", 0.1, 2.0, 0.7)];
            }
            portfolio
        },
    )
}

fn exact(portfolio: Portfolio) -> Exact {
    solve(&Model::new(portfolio).unwrap(), &Options { tolerance: 0.01, ..Options::default() }).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn parts_sum_to_wholes(portfolio in portfolio()) {
        let exact = exact(portfolio);
        // A portfolio that never pays has only noise.
        let unit = exact.sd.max(exact.mean) + 1e-6;
        for level in &exact.levels {
            prop_assert!(level.tvar >= level.var - 1e-7 * unit && level.var >= 0.0, "{level:?}");
        }
        for pair in exact.levels.windows(2) {
            prop_assert!(pair[0].var <= pair[1].var && pair[0].tvar <= pair[1].tvar + 1e-7 * unit);
        }
        let allocation = exact.allocation.as_ref().unwrap();
        let sum: f64 = allocation.contributions.iter().sum();
        prop_assert!((sum - allocation.tvar).abs() <= 1e-6 * unit, "{sum} {}", allocation.tvar);
        prop_assert!(allocation.contributions.iter().all(|part| *part >= -1e-9 * unit));
        // Layers that touch cover every event whole.
        let layers: f64 = exact.layers.iter().map(|layer| layer.expected).sum();
        prop_assert!((layers - exact.mean).abs() <= 1e-7 * unit, "{layers} {}", exact.mean);
        let total: f64 = exact.gross.masses().iter().sum();
        prop_assert!((total - 1.0).abs() < 1e-9);
        prop_assert!((0.0..=1.0).contains(&exact.none));
        for point in &exact.curve {
            prop_assert!(point.occurrence <= point.aggregate + 1e-7, "{point:?}");
        }
        for layer in &exact.layers {
            prop_assert!(layer.expected.is_finite() && (0.0..=1.0).contains(&layer.attaches), "{layer:?}");
        }
    }

    #[test]
    fn more_cover_never_lowers_the_expected_loss(portfolio in portfolio(), which in 0..12_usize, more in 1.0..3.0_f64) {
        let mut larger = portfolio.clone();
        let count = larger.products.len();
        let product = &mut larger.products[which % count];
        product.limit = product.limit.map(|limit| limit * more);
        prop_assert!(exact(larger).mean >= exact(portfolio).mean * (1.0 - 1e-9));
    }

    #[test]
    fn an_annual_limit_never_raises_a_layer(portfolio in portfolio(), limit in 0.5..20.0_f64) {
        let mut limited = portfolio;
        limited.treaties = vec![excess("middle", 1.0, 3.0, Some(limit))];
        let exact = exact(limited);
        let layer = &exact.layers[0];
        prop_assert!(layer.expected <= layer.expected_unlimited + 1e-9 * exact.sd);
        prop_assert!(layer.expected <= limit + 1e-9);
        prop_assert!(layer.exhausts <= layer.attaches + 1e-6, "{layer:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Amounts and rates of any size: an answer of finite numbers, or a fault.
    #[test]
    fn extremes_are_answered_or_refused(portfolio in portfolio(), scales in prop::collection::vec((-9..9_i32, -12..4_i32), 12)) {
        let mut extreme = portfolio;
        for (product, (amount, rate)) in extreme.products.iter_mut().zip(scales) {
            let amount = 10.0_f64.powi(amount);
            product.exposure *= amount;
            product.deductible *= amount;
            product.limit = product.limit.map(|limit| limit * amount);
            product.rate *= 10.0_f64.powi(rate);
            product.rate_sd *= 10.0_f64.powi(rate);
        }
        if let Ok(exact) = solve(&Model::new(extreme).unwrap(), &Options { tolerance: 0.05, ..Options::default() }) {
            prop_assert!(exact.mean.is_finite() && exact.sd.is_finite() && exact.none.is_finite());
            prop_assert!(exact.levels.iter().all(|level| level.var.is_finite() && level.tvar.is_finite()));
            prop_assert!(exact.layers.iter().all(|l| l.expected.is_finite() && l.attaches.is_finite() && l.sd.is_finite()));
            prop_assert!(exact.allocation.unwrap().contributions.iter().all(|part| part.is_finite()));
        }
    }
}
