//! Time per claim with the portfolio's size: the reference job's covers a hundred times over.
use std::time::Instant;

use breakwater_capital::{Model, Options, evaluate, example::cp500};

fn main() {
    let mut per_claim = vec![];
    for times in [1, 10, 100] {
        let mut portfolio = cp500();
        let one = portfolio.products.clone();
        portfolio.products = (0..times)
            .flat_map(|t| {
                one.iter().cloned().map(move |mut p| {
                    p.id = format!("{}-{t}", p.id);
                    p
                })
            })
            .collect();
        let Ok(model) = Model::new(portfolio) else { return };
        let claims = model.own_rate()
            + model
                .clusters
                .iter()
                .map(|c| c.rate * c.members.iter().map(|m| m.hit).sum::<f64>())
                .sum::<f64>();
        let years = 1_000_000 / times as u64;
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let start = Instant::now();
            let found = evaluate(&model, &Options { years, seed: 1, threads: 1 }, &|_| true);
            best = best.min(start.elapsed().as_secs_f64());
            assert!(found.is_ok());
        }
        let each = best * 1e9 / (claims * years as f64);
        per_claim.push(each);
        println!(
            "{} covers, {claims:.1} claims a year, {years} years: {best:.3} s, {each:.2} ns a claim ({:.2} of the first)",
            model.products.len(),
            each / per_claim[0]
        );
    }
}
