//! The fast engine against exact laws, against itself in pieces, and year by year.

use breakwater_capital::{
    Model, Options, evaluate, exact,
    example::cp500,
    flat::Flat,
    outcome::{outcome, plan},
    portfolio::{Cluster, Cover, Law, Membership, Mixing, Part, Portfolio, Product, Severity, Treaty},
    rng::{Purpose, Stream},
    simulate::{self, Merger, variable},
};
use proptest::prelude::*;

fn always(_: u64) -> bool {
    true
}

fn options(years: u64, seed: u64, threads: usize) -> Options {
    Options { years, seed, threads }
}

/// Holds a simulated figure against an exact one.
fn near(what: &str, simulated: f64, error: f64, exact: f64, errors: f64) {
    assert!(error > 0.0, "{what}: no standard error");
    let off = (simulated - exact) / error;
    assert!(off.abs() <= errors, "{what}: {simulated} is {off:.2} standard errors ({error}) from {exact}");
}

/// Exact values of the reference job: two Fourier inversions and a closed form agree on them; the net ones come from
/// 2.4e9 simulated years of an independent program.
#[test]
fn the_reference_job_agrees_with_its_exact_law() {
    let model = Model::new(cp500()).unwrap();
    let found = evaluate(&model, &options(600_000, 11, 2), &always).unwrap();
    let (gross, error) = (found.gross, found.standard_errors.gross);
    near("gross mean", gross.mean, error.mean, 4.53670, 4.0);
    near("gross sd", gross.sd, error.sd, 5.08420, 4.0);
    near("gross VaR 99", gross.var99, error.var99, 23.335, 4.0);
    near("gross VaR 99.5", gross.var995, error.var995, 26.925, 4.0);
    near("gross TVaR 99", gross.tvar99, error.tvar99, 28.5428, 4.0);
    let (net, error) = (found.net, found.standard_errors.net);
    near("net mean", net.mean, error.mean, 2.89076, 4.0);
    near("net sd", net.sd, error.sd, 2.27341, 4.0);
    near("net VaR 99", net.var99, error.var99, 10.1270, 4.0);
    near("net VaR 99.5", net.var995, error.var995, 11.4203, 4.0);
    near("net TVaR 99", net.tvar99, error.tvar99, 11.3813, 4.0);
    for (index, mean) in [1.08098, 0.555453, 0.009553].into_iter().enumerate() {
        let layer = &found.layers[index];
        near(&layer.id, layer.figures.mean, found.standard_errors.layers[index].figures.mean, mean, 4.0);
    }
    let errors = &found.standard_errors.layers;
    near("layer 1 attaches", found.layers[0].attach, errors[0].attach, 0.3988, 4.0);
    near("layer 1 exhausts", found.layers[0].exhaust, errors[0].exhaust, 0.000723, 4.0);
    near("layer 2 attaches", found.layers[1].attach, errors[1].attach, 0.1276, 4.0);
    for (product, part) in [(499, 3.9354), (498, 2.3382), (494, 1.7932), (497, 1.5849), (496, 1.0947)] {
        let share = &found.allocation[product];
        near(&share.id, share.tvar99, found.standard_errors.allocation[product], part, 4.0);
    }
    let whole: f64 = found.allocation.iter().map(|s| s.tvar99).sum();
    assert!((whole / gross.tvar99 - 1.0).abs() < 1e-9, "{whole} of {}", gross.tvar99);
    let causes: f64 = found.causes.iter().map(|s| s.tvar99).sum();
    assert!((causes / gross.tvar99 - 1.0).abs() < 1e-9, "{causes} of {}", gross.tvar99);
}

#[test]
fn digits_do_not_depend_on_threads_nor_on_who_simulates_a_batch() {
    let model = Model::new(cp500()).unwrap();
    // Not a multiple of a block or of a batch.
    let years = 300_001;
    let text = |threads| {
        let found = evaluate(&model, &options(years, 5, threads), &always).unwrap();
        serde_json::to_string(&found).unwrap()
    };
    let one = text(1);
    for threads in [2, 4, 8] {
        assert!(text(threads) == one, "{threads} threads");
    }
    // Batches as workers send them, simulated out of order and read back from their messages.
    let engine = Flat::new(&model).unwrap();
    let options = options(years, 5, 1);
    let plan = plan(&model, &options);
    let mut batches: Vec<String> = (0..plan.batches())
        .rev()
        .map(|index| serde_json::to_string(&simulate::batch(&engine, &plan, index)).unwrap())
        .collect();
    batches.reverse();
    let mut merger = Merger::new(&plan);
    batches.iter().for_each(|batch| merger.batch(serde_json::from_str(batch).unwrap()));
    let found = outcome(&model, &options, "crude", merger.finish()).unwrap();
    assert!(serde_json::to_string(&found).unwrap() == one);
}

#[test]
fn every_year_adds_up() {
    let mut portfolio = cp500();
    portfolio.treaties.push(share_of("quota", 0.2));
    portfolio.treaties[2].after.push("quota".into());
    // A fifth of everything goes to the quota share, so the layers can have four fifths.
    portfolio.treaties[0].share = 0.8;
    portfolio.treaties[1].share = 0.8;
    let model = Model::new(portfolio).unwrap();
    let engine = Flat::new(&model).unwrap();
    let plan = plan(&model, &options(20_000, 3, 1));
    let mut years = 0;
    let mut sink = |block: &simulate::Block| {
        for year in 0..block.years {
            let of = |variable: usize| block.values[variable][year];
            let recovered: f64 = (0..4).map(|t| of(variable::TREATIES + t)).sum();
            let whole = of(variable::NET) + recovered;
            assert!((whole - of(variable::GROSS)).abs() <= 1e-9 * of(variable::GROSS).max(1.0), "{year}");
            assert!((of(variable::TREATIES + 3) - 0.2 * of(variable::GROSS)).abs() < 1e-9, "{year}: quota");
            assert!(of(variable::LARGEST) <= of(variable::GROSS) * (1.0 + 1e-12), "{year}: largest");
            assert!(block.values.iter().all(|v| v[year] >= 0.0 && v[year].is_finite()));
            years += 1;
        }
        true
    };
    simulate::run_into(&engine, &plan, 1, &always, Some(&mut sink)).unwrap();
    assert_eq!(years, 20_000);
}

#[test]
fn streams_of_blocks_and_purposes_differ() {
    let first = |seed, purpose, index| Stream::new(seed, purpose, index).word();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..20 {
        for purpose in [Purpose::Flat, Purpose::Timeline, Purpose::Tilted] {
            (0..20).for_each(|index| assert!(seen.insert(first(seed, purpose, index))));
        }
    }
}

#[test]
fn no_years_and_ended_runs_have_no_figures() {
    let model = Model::new(cp500()).unwrap();
    let none = evaluate(&model, &options(0, 1, 1), &always).unwrap_err();
    assert_eq!(none.to_string(), "0 years; ask for at least 1 and at most 2147483648");
    let ended = evaluate(&model, &options(100_000, 1, 2), &|_| false).unwrap_err();
    assert_eq!(ended.to_string(), "the run was ended before its last year");
    // One year is enough for figures, if not for trust.
    let one = evaluate(&model, &options(1, 1, 1), &always).unwrap();
    assert!(serde_json::to_string(&one).unwrap().find("null").is_none());
}

fn share_of(id: &str, share: f64) -> Treaty {
    Treaty {
        id: id.into(),
        cover: Cover::QuotaShare { event_limit: None, annual_limit: None },
        share,
        after: vec![],
        products: vec![],
        premium: 0.0,
        counterparty: None,
    }
}

fn severity(id: &str, cap: Option<f64>, law: Law) -> Severity {
    Severity { id: id.into(), cap, law }
}

/// Laws of every kind: continuous, with atoms, with gaps.
fn severities() -> Vec<Severity> {
    let lognormal = Law::Lognormal { mu: -2.0, sigma: 0.8 };
    vec![
        severity("lognormal", Some(1.0), lognormal.clone()),
        severity("beta", None, Law::Beta { alpha: 0.7, beta: 2.5 }),
        severity("pareto", Some(1.0), Law::Gpd { location: 0.02, xi: 1.2, scale: 0.1 }),
        severity("observed", None, Law::Empirical { values: vec![0.0, 0.1, 0.35, 0.9], weights: None }),
        severity("whole", None, Law::Degenerate { value: 1.0 }),
        severity(
            "either",
            None,
            Law::Mixture {
                parts: vec![
                    Part { weight: 1.0, law: Law::Degenerate { value: 0.05 } },
                    Part { weight: 2.0, law: Law::Uniform { low: 0.3, high: 0.8 } },
                ],
            },
        ),
    ]
}

prop_compose! {
    fn product(index: usize)(
        rate in 0.0..0.4f64,
        severity in 0..6usize,
        exposure in 0.5..20.0f64,
        deductible in prop_oneof![Just(0.0), 0.0..0.3f64],
        by_share in any::<bool>(),
        limit in prop_oneof![Just(None), (0.3..1.0f64).prop_map(Some)],
        mixing in 0..3usize,
        cluster in 0..3usize,
        hit in 0.1..1.0f64,
    ) -> Product {
        Product {
            id: format!("p{index}"),
            rate,
            rate_sd: 0.0,
            mixing: ["a", "b"].get(mixing).map(|&m| m.into()),
            severity: severities()[severity].id.clone(),
            exposure,
            tvl: None,
            deductible: if by_share { 0.0 } else { deductible * exposure },
            deductible_share: if by_share { deductible } else { 0.0 },
            limit: limit.map(|l| l * exposure),
            annual_limit: None,
            clusters: match cluster {
                0 => vec![],
                1 => vec![Membership::Plain("c".into())],
                _ => vec![Membership::Own { id: "c".into(), hit }, Membership::Plain("d".into())],
            },
            premium: 0.0,
            waiting_days: 0.0,
            report_days: 0.0,
        }
    }
}

fn portfolios() -> impl Strategy<Value = Portfolio> {
    let products = (2..9usize).prop_flat_map(|n| (0..n).map(product).collect::<Vec<_>>());
    (products, 0.5..6.0f64, 0.05..0.5f64, 1.0..8.0f64, 1.0..10.0f64).prop_map(
        |(products, shape, rate, from, size)| {
            let mut portfolio = Portfolio::named("random", "unit");
            portfolio.mixings =
                vec![Mixing { id: "a".into(), shape }, Mixing { id: "b".into(), shape: 2.0 * shape }];
            portfolio.severities = severities();
            portfolio.clusters = [("c", rate), ("d", 0.5 * rate)]
                .map(|(id, rate)| Cluster {
                    id: id.into(),
                    rate,
                    rate_sd: 0.0,
                    hit: 0.5,
                    copula: None,
                    follow_up: None,
                })
                .into();
            portfolio.products = products;
            portfolio.treaties = vec![Treaty {
                id: "layer".into(),
                cover: Cover::EventExcess {
                    attachment: from,
                    limit: size,
                    annual_limit: Some(1.5 * size),
                    reinstatements: None,
                    annual_deductible: 0.0,
                },
                ..share_of("", 0.7)
            }];
            portfolio
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the laws, groups, clusters and terms: simulation and Fourier inversion see the same year.
    #[test]
    fn random_portfolios_agree_with_their_exact_law(portfolio in portfolios(), seed in any::<u64>()) {
        let model = Model::new(portfolio).unwrap();
        let exact = exact::solve(&model, &exact::Options::default()).unwrap();
        let found = evaluate(&model, &options(60_000, seed, 1), &always).unwrap();
        // A portfolio can be without any loss.
        if exact.mean > 1e-9 {
            let error = found.standard_errors.gross;
            near("mean", found.gross.mean, error.mean.max(1e-12), exact.mean, 5.5);
            near("sd", found.gross.sd, error.sd.max(1e-3 * exact.sd), exact.sd, 5.5);
            let tvar = exact.levels.iter().find(|l| l.level == 0.99).unwrap().tvar;
            near("TVaR 99", found.gross.tvar99, error.tvar99.max(2e-3 * tvar), tvar, 5.5);
            let layer = &exact.layers[0];
            if layer.expected > 1e-3 {
                let error = found.standard_errors.layers[0].figures.mean;
                near("layer", found.layers[0].figures.mean, error.max(1e-3 * layer.expected), layer.expected, 5.5);
            }
        }
    }
}
