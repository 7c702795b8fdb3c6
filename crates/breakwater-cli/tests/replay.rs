//! Attack cases of the corpus: what is proven is exact, and nothing harmless opens an incident.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use serde_json::Value;
use support::{breakwater, corpus, has_anvil, objects, stderr, stdout};

const KEYS: [&str; 12] = [
    "id",
    "class",
    "victim",
    "true_loss",
    "measured_loss",
    "proven",
    "reason",
    "blocks_to_assert",
    "blocks_to_payout",
    "gas_report",
    "gas_settle",
    "false_incidents",
];

#[test]
fn proven_losses_of_the_corpus_are_exact_and_nothing_harmless_is_one() {
    let Some(cases) = corpus("attacks-dev") else { return };
    if !has_anvil() {
        return;
    }
    let output = breakwater(&["replay", "--json", cases.to_str().unwrap()]);
    println!("{}", stdout(&output));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines = objects(&output);
    assert_eq!(lines.len(), std::fs::read_dir(&cases).unwrap().filter(is_case).count());
    for line in &lines {
        let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, KEYS, "{line}");
        assert_eq!(line["false_incidents"], 0, "{line}");
        match line["proven"].as_bool().unwrap() {
            true => check_proven(line),
            false => assert!(line["reason"].is_string() && line["measured_loss"].is_null(), "{line}"),
        }
    }
    let proven = lines.iter().filter(|line| line["proven"] == true).count();
    assert!(proven >= 4, "{proven} of {} proven", lines.len());
}

fn check_proven(line: &Value) {
    assert_eq!(line["measured_loss"], line["true_loss"], "{line}");
    assert_eq!(line["blocks_to_assert"], 1, "{line}");
    assert_eq!(line["blocks_to_payout"], 1, "the instant lane pays in the block of the assertion: {line}");
    assert!(line["reason"].is_null(), "{line}");
    for gas in ["gas_report", "gas_settle"] {
        assert!(line[gas].as_u64().is_some_and(|gas| gas > 21_000), "{gas}: {line}");
    }
}

fn is_case(entry: &std::io::Result<std::fs::DirEntry>) -> bool {
    entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "json")
}
