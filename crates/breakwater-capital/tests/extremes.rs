//! Documents at the edge of what numbers can be: refused with a place, or answered without a hole.

use breakwater_capital::{Model, Options, evaluate, portfolio::Portfolio};
use proptest::prelude::*;

/// Numbers that break programs.
fn number() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "0.0",
        "-0.0",
        "1.0",
        "-1.0",
        "0.5",
        "1e-320",
        "1e-30",
        "1e-9",
        "1e9",
        "1e30",
        "1e200",
        "1e300",
        "nan",
        "inf",
        "-inf",
        "0.999999999999",
        "1.000000000001",
        "3.5",
    ])
}

/// A document with every kind of part; `#` marks the numbers that may be changed.
const DOCUMENT: &str = r#"
schema = "breakwater-portfolio/1"
name = "edges"
unit = "unit"
[[mixing]]
id = "m"
shape = #4.0
[[severity]]
id = "a"
cap = #1.0
law = { kind = "splice", at = #0.15, body_weight = #0.75, body = { kind = "lognormal", mu = #-3.2, sigma = #1.0 }, tail = { kind = "gpd", location = #0.15, xi = #0.5, scale = #0.2 } }
[[severity]]
id = "b"
law = { kind = "beta", alpha = #0.7, beta = #2.0 }
[[severity]]
id = "c"
cap = 1.0
law = { kind = "gamma", shape = #2.0, scale = #0.1 }
[[severity]]
id = "d"
law = { kind = "empirical", values = [#0.1, #0.5, #0.9], weights = [#1.0, #2.0, #3.0] }
[[severity]]
id = "e"
law = { kind = "uniform", low = #0.1, high = #0.4 }
[[cluster]]
id = "k"
rate = #0.3
hit = #0.4
[[product]]
id = "p0"
rate = #0.5
mixing = "m"
severity = "a"
exposure = #10.0
deductible = #0.2
limit = #8.0
clusters = ["k"]
[[product]]
id = "p1"
rate = #0.4
severity = "b"
exposure = #3.0
deductible_share = #0.05
clusters = ["k", ]
[[product]]
id = "p2"
rate = #0.2
severity = "c"
exposure = #5.0
[[product]]
id = "p3"
rate = #0.2
severity = "d"
exposure = #2.0
[[product]]
id = "p4"
rate = #0.2
severity = "e"
exposure = #2.0
[[treaty]]
id = "x"
share = #0.5
cover = { kind = "event-excess", attachment = #1.0, limit = #4.0, annual_limit = #6.0 }
[[treaty]]
id = "s"
after = ["x"]
cover = { kind = "stop-loss", attachment = #6.0, limit = #5.0 }
[[pool]]
id = "pool"
surplus = #1.0
[[pool.tranche]]
id = "junior"
capital = #4.0
"#;

fn document(changes: &[(usize, &str)]) -> String {
    let parts: Vec<&str> = DOCUMENT.split('#').collect();
    let mut text = parts[0].to_owned();
    for (index, part) in parts[1..].iter().enumerate() {
        let end = part.find(|c: char| !matches!(c, '0'..='9' | '.' | '-')).unwrap_or(part.len());
        let changed = changes.iter().rev().find(|c| c.0 == index).map(|c| c.1);
        text.push_str(changed.unwrap_or(&part[..end]));
        text.push_str(&part[end..]);
    }
    text
}

fn places() -> usize {
    DOCUMENT.matches('#').count()
}

/// Refused with a place and words, or answered without a hole.
fn hold(text: &str, seed: u64) -> Result<(), TestCaseError> {
    let model = match Model::from_toml(text) {
        Ok(model) => model,
        Err(fault) => {
            prop_assert!(!fault.at.is_empty() && fault.what.len() > 5, "{fault}");
            return Ok(());
        }
    };
    let options = Options { years: 3_000, seed, threads: 1 };
    match evaluate(&model, &options, &|_| true) {
        Ok(found) => {
            // JSON has no word for what is not a number or not finite but null.
            let json = serde_json::to_string(&found).expect("an outcome has a JSON form");
            prop_assert!(!json.contains("null"));
            prop_assert!(found.gross.tvar99 >= found.gross.var99 && found.net.tvar99 >= found.net.var99);
            prop_assert!(found.net.mean <= found.gross.mean * (1.0 + 1e-9));
        }
        Err(failure) => prop_assert!(!failure.to_string().is_empty()),
    }
    Ok(())
}

#[test]
fn the_document_itself_is_answered() {
    let model = Model::from_toml(&document(&[])).unwrap();
    let found = evaluate(&model, &Options { years: 3_000, seed: 1, threads: 1 }, &|_| true).unwrap();
    assert!(found.gross.mean > 0.0 && found.net.mean < found.gross.mean);
}

#[test]
fn every_single_number_at_every_edge() {
    let edges = ["0.0", "-1.0", "1e-320", "1e-30", "1e9", "1e30", "1e300", "nan", "inf", "-inf"];
    let mut holes = vec![];
    for place in 0..places() {
        let bad = |edge: &&&str| hold(&document(&[(place, edge)]), 1).is_err();
        holes.extend(edges.iter().filter(bad).map(|edge| (place, *edge)));
    }
    assert!(holes.is_empty(), "number and value: {holes:?}");
}

#[test]
fn documents_come_back_as_they_were() {
    let portfolio: Portfolio = toml::from_str(&document(&[])).unwrap();
    let again: Portfolio = toml::from_str(&portfolio.to_toml().unwrap()).unwrap();
    assert_eq!(again, portfolio);
    let json: Portfolio = serde_json::from_str(&serde_json::to_string(&portfolio).unwrap()).unwrap();
    assert_eq!(json.hash().unwrap(), portfolio.hash().unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn several_numbers_at_edges(changes in prop::collection::vec((0..places(), number()), 1..4), seed in any::<u64>()) {
        hold(&document(&changes), seed)?;
    }
}
