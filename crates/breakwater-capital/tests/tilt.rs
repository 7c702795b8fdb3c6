//! Weighted years against exact values and against plain ones.

#![allow(clippy::unwrap_used)]

use breakwater_capital::{
    example,
    flat::Flat,
    measure::{Distribution, moments},
    model::Model,
    outcome::{self, Options},
    portfolio::{Cover, Law, Mixing, Portfolio, Severity, Treaty},
    simulate::{self, Engine, Merged, Merger, variable},
    tail::Contributions,
    tilt::Tilted,
};

fn run<E: Engine>(engine: &E, model: &Model, years: u64, seed: u64, threads: usize) -> Merged {
    let plan = outcome::plan(model, &Options { years, seed, threads });
    simulate::run(engine, &plan, threads, &|_| true).unwrap()
}

fn near(got: (f64, f64), want: f64, what: &str) {
    assert!((got.0 - want).abs() <= 4.0 * got.1, "{what}: {} +- {}, want {want}", got.0, got.1);
    assert!(got.1 < 0.02 * want, "{what}: an error of {} says nothing of {want}", got.1);
}

#[test]
fn the_reference_job_has_its_exact_values() {
    let model = Model::new(example::cp500()).unwrap();
    let merged = run(&Tilted::new(&model).unwrap(), &model, 300_000, 11, 2);
    let n = merged.years as f64;
    assert!((merged.weight / n - 1.0).abs() < 0.01);
    let mean = |v: usize| {
        let m = moments(&merged.sums[v], n);
        (m.mean, m.mean_error)
    };
    near(mean(variable::GROSS), 4.536_70, "mean");
    near(mean(variable::TREATIES), 1.080_98, "layer 1");
    near(mean(variable::TREATIES + 1), 0.555_453, "layer 2");
    near(mean(variable::TREATIES + 2), 0.009_553, "stop loss");
    near(mean(variable::NET), 2.890_76, "net");
    for (v, level, var, tvar) in [
        (variable::GROSS, 0.99, 23.335, 28.5428),
        (variable::GROSS, 0.995, 26.925, 0.0),
        (variable::NET, 0.99, 10.1270, 11.3813),
        (variable::NET, 0.995, 11.4203, 0.0),
    ] {
        let got = Distribution::new(&merged.bins[v], n).level(level).unwrap();
        near((got.var, got.var_error), var, "VaR");
        if tvar > 0.0 {
            near((got.tvar, got.tvar_error), tvar, "TVaR");
        }
    }
    let Contributions { var, tvar, tvar_error, products, causes, .. } = merged.tail.finish().unwrap();
    assert!((var - 23.335).abs() < 0.1);
    near((tvar, tvar_error), 28.5428, "TVaR of the tail");
    for (i, want) in [(499, 3.9354), (498, 2.3382), (494, 1.7932), (497, 1.5849), (496, 1.0947)] {
        near(products[i], want, "part");
    }
    let sums = [&products, &causes].map(|parts| parts.iter().map(|p| p.0).sum::<f64>());
    assert!(sums.iter().all(|sum| (sum - tvar).abs() < 1e-5 * tvar), "{sums:?} {tvar}");
}

/// Two factors, products without one, two laws, one of them with gaps, a quota share beside a layer.
fn mixed() -> Portfolio {
    let mut p = example::cp500();
    p.products.truncate(60);
    p.mixings.push(Mixing { id: "second".into(), shape: 0.7 });
    let values = vec![0.0, 0.01, 0.3, 0.9];
    p.severities.push(Severity {
        id: "points".into(),
        cap: None,
        law: Law::Empirical { values, weights: None },
    });
    for (i, product) in p.products.iter_mut().enumerate() {
        product.rate *= 4.0;
        product.exposure *= 20.0;
        product.tvl = None;
        product.limit = None;
        match i % 3 {
            0 => product.mixing = None,
            1 => product.mixing = Some("second".into()),
            _ => product.severity = "points".into(),
        }
    }
    p.treaties.truncate(1);
    p.treaties[0].share = 0.6;
    let cover = Cover::QuotaShare { event_limit: None, annual_limit: Some(9.0) };
    p.treaties.push(Treaty { id: "share".into(), cover, share: 0.2, ..p.treaties[0].clone() });
    p
}

#[test]
fn weighted_years_say_what_plain_ones_say() {
    let model = Model::new(mixed()).unwrap();
    let tilted = Tilted::new(&model).unwrap();
    assert!(tilted.tilts().iter().all(|&eta| eta > 0.0));
    let (a, b) =
        (run(&Flat::new(&model).unwrap(), &model, 1_000_000, 3, 2), run(&tilted, &model, 200_000, 4, 2));
    let both = |x: (f64, f64), y: (f64, f64), what: &str| {
        let sd = (x.1 * x.1 + y.1 * y.1).sqrt();
        assert!((x.0 - y.0).abs() <= 4.5 * sd, "{what}: {x:?} {y:?}");
    };
    let (n, m) = (a.years as f64, b.years as f64);
    for v in 0..a.sums.len() {
        let [x, y] = [moments(&a.sums[v], n), moments(&b.sums[v], m)];
        both((x.mean, x.mean_error), (y.mean, y.mean_error), "mean");
        for level in [0.9, 0.99, 0.998] {
            let [x, y] =
                [(&a, n), (&b, m)].map(|(r, n)| Distribution::new(&r.bins[v], n).level(level).unwrap());
            both((x.tvar, x.tvar_error), (y.tvar, y.tvar_error), &format!("TVaR {level} of {v}"));
        }
    }
    let [x, y] = [a, b].map(|r| r.tail.finish().unwrap());
    for (x, y) in x.products.iter().chain(&x.causes).zip(y.products.iter().chain(&y.causes)) {
        both(*x, *y, "part");
    }
}

#[test]
fn digits_do_not_depend_on_who_computes() {
    let model = Model::new(example::cp500()).unwrap();
    let tilted = Tilted::new(&model).unwrap();
    let options = Options { years: 290_000, seed: 5, threads: 1 };
    let plan = outcome::plan(&model, &options);
    let [one, three] = [1, 3].map(|t| simulate::run(&tilted, &plan, t, &|_| true).unwrap());
    let mut merger = Merger::new(&plan);
    (0..plan.batches()).for_each(|i| merger.batch(simulate::batch(&tilted, &plan, i)));
    let batched = merger.finish();
    let words = [one, three, batched]
        .map(|m| serde_json::to_string(&outcome::outcome(&model, &options, "tilted", m).unwrap()).unwrap());
    for (who, other) in [("threads", &words[1]), ("batches", &words[2])] {
        let at = words[0].bytes().zip(other.bytes()).position(|(a, b)| a != b);
        assert_eq!(at.map(|at| &words[0][at.saturating_sub(60)..at + 20]), None, "{who}");
    }
}

#[test]
fn means_are_exact_however_rare_claims_are() {
    for scale in [1e-3, 0.02, 0.3, 10.0] {
        let mut p = example::cp500();
        p.products.truncate(30);
        p.products.iter_mut().for_each(|product| product.rate *= scale);
        p.clusters.iter_mut().for_each(|cluster| cluster.rate *= scale);
        let model = Model::new(p).unwrap();
        let paid = |i: usize| {
            let p = &model.products[i];
            let [low, high] = [0.0, p.terms.limit].map(|y| (y + p.terms.intercept) / p.terms.slope);
            p.terms.slope * model.severities[p.severity].layer_mean(low, high)
        };
        let own: f64 = (0..30).map(|i| model.products[i].rate * paid(i)).sum();
        let shock = |c: &breakwater_capital::model::Cluster| -> f64 {
            c.rate * c.members.iter().map(|m| m.hit * paid(m.product)).sum::<f64>()
        };
        let want = own + model.clusters.iter().map(shock).sum::<f64>();
        let tilted = Tilted::new(&model).unwrap();
        let merged = run(&tilted, &model, 100_000, 1, 1);
        let mean = moments(&merged.sums[variable::GROSS], merged.years as f64);
        assert!((mean.mean - want).abs() <= 4.0 * mean.mean_error, "{scale}: {mean:?}, want {want}");
        let tail = merged.tail.finish().unwrap();
        if scale < 0.01 {
            assert_eq!((tilted.tilts(), tail.var), ([0.0; 2], 0.0));
            assert!((tail.tvar * 0.01 - mean.mean).abs() < 1e-9, "{} {}", tail.tvar, mean.mean);
        } else {
            assert!(
                tail.tvar > tail.var && tail.tvar_error < 0.1 * tail.tvar,
                "{} {}",
                tail.tvar,
                tail.tvar_error
            );
        }
    }
}

#[test]
fn a_single_year_is_a_plain_one() {
    let model = Model::new(example::cp500()).unwrap();
    let merged = run(&Tilted::new(&model).unwrap(), &model, 1, 1, 1);
    assert_eq!((merged.years, merged.weight), (1, 1.0));
}
