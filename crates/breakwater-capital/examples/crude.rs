use breakwater_capital::{example, flat::Flat, measure, model::Model, simulate};
use std::time::Instant;
fn main() {
    let years: u64 = std::env::args().nth(1).map_or(1_000_000, |s| s.parse().unwrap());
    let threads: usize = std::env::args().nth(2).map_or(1, |s| s.parse().unwrap());
    let model = Model::new(example::cp500()).unwrap();
    for _ in 0..7 {
        let t = Instant::now();
        let flat = Flat::new(&model).unwrap();
        let t1 = t.elapsed();
        let plan = simulate::Plan { years, seed: 1, variables: 6, products: 500, clusters: 10 };
        let m = simulate::run(&flat, &plan, threads, &|_| true).unwrap();
        let t2 = t.elapsed();
        let n = m.years as f64;
        for v in 0..6 {
            let mo = measure::moments(&m.sums[v], n);
            let d = measure::Distribution::new(&m.bins[v], n);
            let l = d.level(0.99).unwrap();
            let l5 = d.level(0.995).unwrap();
            if std::env::args().nth(3).is_some() {
                println!("{v} {mo:?} {l:?} {l5:?}");
            }
            let _ = d.levels();
            let _ = d.curve(100);
        }
        let c = m.tail.finish().unwrap();
        let t3 = t.elapsed();
        println!(
            "tables {t1:?} run {t2:?} all {t3:?}  var {} tvar {} +- {} p499 {:?}",
            c.var, c.tvar, c.tvar_error, c.products[499]
        );
    }
}
