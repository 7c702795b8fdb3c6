//! The reference job by crude years, every output, timed again and again.
//!
//! `cargo run --release -p breakwater-capital --example speed [years] [threads] [runs]`
#![allow(missing_docs, clippy::unwrap_used)]
use std::time::Instant;

use breakwater_capital::{Model, Options, evaluate, example::cp500};

fn main() {
    let number = |i: usize, or: u64| std::env::args().nth(i).map_or(or, |s| s.parse().unwrap());
    let (years, threads, runs) = (number(1, 1_000_000), number(2, 1) as usize, number(3, 20));
    let model = Model::new(cp500()).unwrap();
    let mut seconds: Vec<f64> = (0..runs)
        .map(|seed| {
            let start = Instant::now();
            evaluate(&model, &Options { years, seed, threads }, &|_| true).unwrap();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let median = seconds[seconds.len() / 2];
    println!("{years} years, {threads} threads: least {:.4} s, median {median:.4} s", seconds[0]);
}
