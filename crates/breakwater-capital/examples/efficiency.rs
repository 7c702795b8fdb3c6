//! How much a method buys: variance of each estimate and time, beside crude simulation in the same run.
//!
//! `cargo run --release -p breakwater-capital --example efficiency [years] [seeds]`
#![allow(missing_docs, clippy::unwrap_used)]
use breakwater_capital::{
    example,
    flat::Flat,
    measure,
    model::Model,
    outcome::{self, Options},
    simulate::{self, Engine, variable},
    tilt::{Aim, Tilted},
};

const NAMES: [&str; 7] = [
    "mean gross",
    "VaR 99.5 gross",
    "TVaR 99 gross",
    "TVaR 99 net",
    "AAL layer 2",
    "AAL stop loss",
    "part of #499",
];

/// Exact values of the reference job (of TVaR net and the stop loss: of 2.4 thousand million simulated years).
const EXACT: [f64; 7] = [4.5367, 26.925, 28.5428, 11.3813, 0.555453, 0.009553, 3.9354];

fn estimates<E: Engine>(engine: &E, model: &Model, years: u64, seed: u64) -> ([f64; 7], [f64; 7]) {
    let plan = outcome::plan(model, &Options { years, seed, threads: 1 });
    let merged = simulate::run(engine, &plan, 1, &|_| true).unwrap();
    let n = merged.years as f64;
    let law = |v: usize| measure::Distribution::new(&merged.bins[v], n);
    let moments = |v: usize| measure::moments(&merged.sums[v], n);
    let (gross, net) = (law(variable::GROSS), law(variable::NET));
    let (g5, g9, n9) = (gross.level(0.995).unwrap(), gross.level(0.99).unwrap(), net.level(0.99).unwrap());
    let (m, l2, sl) = (moments(0), moments(4), moments(5));
    let part = merged.tail.finish().map_or((f64::NAN, f64::NAN), |c| c.products[499]);
    (
        [m.mean, g5.var, g9.tvar, n9.tvar, l2.mean, sl.mean, part.0],
        [m.mean_error, g5.var_error, g9.tvar_error, n9.tvar_error, l2.mean_error, sl.mean_error, part.1],
    )
}

/// Seconds that this thread spent on a processor: neighbours do not count.
fn seconds_of_cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1e-9
}

fn main() {
    let number = |i: usize, or: u64| std::env::args().nth(i).map_or(or, |s| s.parse().unwrap());
    let (years, seeds) = (number(1, 20_480), number(2, 100));
    let fraction = |i: usize, or: f64| std::env::args().nth(i).map_or(or, |s| s.parse().unwrap());
    let d = Aim::default();
    let aim = Aim {
        gross_level: fraction(3, d.gross_level),
        net_level: fraction(4, d.net_level),
        gross_share: fraction(5, d.gross_share),
        net_share: fraction(6, d.net_share),
        ..d
    };
    let model = Model::new(example::cp500()).unwrap();
    let flat = Flat::new(&model).unwrap();
    let before = seconds_of_cpu();
    let tilted = Tilted::aimed(&model, aim).unwrap();
    println!("tables {:.1} ms, tilts {:?}", 1e3 * (seconds_of_cpu() - before), tilted.tilts());
    let mut all = [vec![], vec![]];
    let mut seconds = [0.0; 2];
    for seed in 10_000..10_000 + seeds {
        let t = seconds_of_cpu();
        all[0].push(estimates(&flat, &model, years, seed));
        seconds[0] += seconds_of_cpu() - t;
        let t = seconds_of_cpu();
        all[1].push(estimates(&tilted, &model, years, seed));
        seconds[1] += seconds_of_cpu() - t;
    }
    let ratio = seconds[1] / seconds[0];
    let per = seconds.map(|s| 1e9 * s / (seeds * years) as f64);
    println!("ns a year: crude {:.1}, tilted {:.1}, ratio {ratio:.2}", per[0], per[1]);
    for (i, name) in NAMES.iter().enumerate() {
        let stat = |k: usize| {
            let n = seeds as f64;
            let mean = all[k].iter().map(|e| e.0[i]).sum::<f64>() / n;
            let variance = all[k].iter().map(|e| (e.0[i] - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let claimed = all[k].iter().map(|e| e.1[i].powi(2)).sum::<f64>() / n;
            // Share of the 95 % intervals that hold the exact value.
            let holds = |e: &&([f64; 7], [f64; 7])| (e.0[i] - EXACT[i]).abs() <= 1.96 * e.1[i];
            (mean, variance, claimed, all[k].iter().filter(holds).count() as f64 / n)
        };
        let ((a, va, ca, ha), (b, vb, cb, hb)) = (stat(0), stat(1));
        println!(
            "{name:16} crude {a:9.5} tilted {b:9.5}  variance {:6.2} efficiency {:6.2}  claimed/actual sd {:.2} {:.2}, intervals {:.1} {:.1} %",
            va / vb,
            va / vb / ratio,
            (ca / va).sqrt(),
            (cb / vb).sqrt(),
            100.0 * ha,
            100.0 * hb
        );
    }
}
