//! Years event by event.

#![allow(clippy::unwrap_used)]

mod hand;
mod laws;
mod properties;
mod traps;

use breakwater_capital::{
    Model,
    measure::{Distribution, moments},
    outcome::{Options, plan},
    rng::Purpose,
    simulate::{self, Engine, Merged},
    timeline::{Hit, Settled, Timeline, Year},
};

/// A model from TOML without its schema, name and unit.
fn model(text: &str) -> Model {
    let head = "schema = \"breakwater-portfolio/1\"\nname = \"test\"\nunit = \"USD\"\n";
    Model::from_toml(&format!("{head}{text}")).unwrap()
}

/// Products `a`, `b`, ... of this exposure each, one attack a year each, half of it lost.
fn products(n: usize, exposure: f64) -> String {
    let mut text = "[[severity]]\nid = \"half\"\nlaw = { kind = \"degenerate\", value = 0.5 }\n".to_owned();
    for letter in ('a'..='z').take(n) {
        text += &format!(
            "[[product]]\nid = \"{letter}\"\nrate = 1.0\nseverity = \"half\"\nexposure = {exposure}\n"
        );
    }
    text
}

/// A year of these events, each of hits on products.
fn year(events: &[&[(u32, f64)]]) -> Year {
    let mut year = Year::default();
    for (place, hits) in events.iter().enumerate() {
        let hits: Vec<Hit> = hits.iter().map(|&(product, amount)| Hit { product, amount }).collect();
        let cause = u32::from(hits.len() > 1);
        year.event((place as f64 + 0.5) / events.len() as f64, cause, &hits);
    }
    year
}

fn settle(model: &Model, mut year: Year) -> Settled {
    let mut settled = Settled::default();
    Timeline::new(model).unwrap().settler().settle(&mut year, &mut settled);
    settled
}

fn run(engine: &impl Engine, model: &Model, years: u64, seed: u64, threads: usize) -> Merged {
    let options = Options { years, seed, threads };
    let mut plan = plan(model, &options);
    // Only one of the two has variables beyond the pools'.
    if engine.purpose() == Purpose::Timeline {
        plan = Timeline::plan(model, plan);
    }
    simulate::run(engine, &plan, threads, &|_| true).unwrap()
}

/// Mean and its standard error of a variable, over a run of the timeline engine.
fn mean(model: &Model, variable: usize, years: u64) -> (f64, f64) {
    let merged = run(&Timeline::new(model).unwrap(), model, years, 11, 2);
    let moments = moments(&merged.sums[variable], merged.years as f64);
    (moments.mean, moments.mean_error)
}

#[track_caller]
fn near((got, error): (f64, f64), want: f64) {
    assert!((got - want).abs() < 4.0 * error + 1e-12, "{got} +- {error}, want {want}");
    assert!(error <= 0.05 * want.abs() + 1e-12, "{got} +- {error} says nothing about {want}");
}

#[track_caller]
fn close(got: f64, want: f64) {
    assert!((got - want).abs() <= 1e-9 * want.abs().max(1.0), "{got}, want {want}");
}

/// The measures of two runs must agree within four standard errors.
fn agree(a: &Merged, b: &Merged, variables: usize) {
    for v in 0..variables {
        let side = |m: &Merged| {
            let years = m.years as f64;
            let law = Distribution::new(&m.bins[v], years);
            let one = moments(&m.sums[v], years);
            let mut all = vec![(one.mean, one.mean_error), (one.sd, one.sd_error), law.positive()];
            let full = m.sums[v].full / years;
            all.push((full, (full * (1.0 - full) / years).sqrt()));
            // Beyond a level that a hundred years reach errors of quantiles are guesses. Quantiles next to an atom are
            // as good as the bins of the histogram, a thousandth wide.
            let levels = law.levels().into_iter().filter(|l| (1.0 - l.level) * years >= 100.0);
            all.extend(levels.flat_map(|l| [(l.var, l.var_error + 2.5e-4 * l.var), (l.tvar, l.tvar_error)]));
            all
        };
        for (place, (one, two)) in side(a).into_iter().zip(side(b)).enumerate() {
            let error = (one.1 * one.1 + two.1 * two.1).sqrt();
            assert!(
                (one.0 - two.0).abs() <= 4.0 * error + 1e-9,
                "variable {v}, measure {place}: {one:?} and {two:?}"
            );
        }
    }
}
