//! The demo: two attacks, paid for, and books that balance to the unit.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;
use support::{breakwater, has_anvil, objects, stderr, stdout};

#[test]
fn the_demo_pays_two_attacks_and_balances_its_books() {
    if !has_anvil() {
        return;
    }
    let started = Instant::now();
    let output = breakwater(&["demo"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    assert_eq!(text.matches("balanced to the unit").count(), 2, "{text}");
    assert!(!text.contains("not balanced"), "{text}");
    for words in
        ["incident 1: the bank lost 58.00 of 58.00 ETH", "incident 2: the vault lost", "bytes of proof"]
    {
        assert!(text.contains(words), "{words} in {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colour where there is no terminal");
    println!("the demo took {:.1} s", started.elapsed().as_secs_f32());
}

#[test]
fn its_figures_add_up() {
    if !has_anvil() {
        return;
    }
    let output = breakwater(&["demo", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let events = objects(&output);
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    let books = of("books")[0];
    assert_eq!(books["balanced"], true);
    assert_eq!(sum_of(&books["parts"]), units(&books["balance"]));
    assert_eq!(sum_of(&books["holders"]), units(&books["supply"]));
    // Every unit that a layer lost is a unit that somebody was paid, and nobody was paid twice.
    let borne: i128 = of("borne").iter().map(|layer| units(&layer["borne"])).sum();
    let paid: i128 = of("paid in all").iter().map(|account| units(&account["amount"])).sum();
    assert!(borne > 0 && borne == paid, "borne {borne}, paid {paid}");
    let mut settled: BTreeMap<String, i128> = BTreeMap::new();
    for payment in of("paid") {
        *settled.entry(payment["policy"].to_string()).or_default() += units(&payment["paid"]);
    }
    assert_eq!(settled.len(), 4, "four policies were paid: {settled:?}");
    assert_eq!(settled.values().sum::<i128>(), paid);
    // An assertion stands in the block after the onset's.
    for opened in of("opened") {
        let (block, onset) = (opened["block"].as_i64().unwrap(), opened["onset"].as_i64().unwrap());
        assert_eq!(block, onset + 2, "{opened}");
    }
}

fn sum_of(amounts: &Value) -> i128 {
    amounts.as_object().unwrap().values().map(units).sum()
}

fn units(amount: &Value) -> i128 {
    amount.as_str().unwrap().parse().unwrap()
}
