//! The analyst's questions at the command line: one line of JSON, tables that say the same, and questions put wrongly.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use serde_json::Value;
use support::{breakwater, stderr, stdout};

/// CP500 with a pool, in a file of its own.
fn portfolio() -> tempfile::NamedTempFile {
    let example = breakwater(&["capital", "example", "cp500"]);
    let pool = "[[pool]]\nid = \"pool\"\nsurplus = 1.0\n[[pool.tranche]]\nid = \"junior\"\ncapital = 4.0\n\
                [[pool.tranche]]\nid = \"senior\"\ncapital = 5.0\n";
    file(&format!("{}\n{pool}", stdout(&example)), ".toml")
}

fn file(text: &str, suffix: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn ask(question: &str, file: &tempfile::NamedTempFile, arguments: &[&str]) -> std::process::Output {
    let path = file.path().to_str().unwrap();
    let years = if arguments.contains(&"--years") { vec![] } else { vec!["--years", "40000"] };
    breakwater(&[&["capital", question, path], years.as_slice(), arguments].concat())
}

fn json(output: &std::process::Output) -> Value {
    let text = stdout(output);
    assert_eq!((output.status.code(), text.lines().count()), (Some(0), 1), "{}", stderr(output));
    serde_json::from_str(&text).unwrap()
}

fn number(value: &Value, path: &str) -> f64 {
    value.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path} in {value}"))
}

#[test]
fn allocation_sums_to_the_whole() {
    let file = portfolio();
    let found = json(&ask("allocate", &file, &["--json"]));
    for side in ["gross", "net"] {
        let whole = number(&found, &format!("/{side}/tvar"));
        let parts = found.pointer(&format!("/{side}/products")).unwrap().as_array().unwrap();
        let sum: f64 = parts.iter().map(|p| p["euler"].as_f64().unwrap()).sum();
        assert_eq!(parts.len(), 500);
        assert!((sum - whole).abs() < 1e-9 * whole, "{side}: {sum} of {whole}");
    }
    // TVaR 99 is 28.5428 by FFT.
    assert!((number(&found, "/gross/tvar") - 28.5428).abs() < 4.0 * number(&found, "/gross/tvar_error"));
    assert!(found["hashes"]["data"].is_string() && number(&found, "/seconds") > 0.0);
    let again = json(&ask("allocate", &file, &["--json", "--threads", "1"]));
    assert_eq!(found["net"], again["net"]);
    let text = stdout(&ask("allocate", &file, &["--top", "3"]));
    assert!(text.contains("497 more") && text.contains("layer 1") && text.contains("pool/junior"), "{text}");
}

#[test]
fn prices_are_expected_loss_and_cost_of_capital() {
    let portfolio = portfolio();
    let flags = ["--json", "--cost-of-capital", "0.2", "--basis", "gross", "--return", "0.1"];
    let found = json(&ask("price", &portfolio, &flags));
    let p = &found["covers"][499];
    let price = number(p, "/expected_loss") + 0.2 * number(p, "/marginal");
    assert!((number(p, "/price") - price).abs() < 1e-12 && number(p, "/expected_loss_error") == 0.0);
    let t = &found["treaties"][0];
    let price = (number(t, "/expected_recovery") + 0.1 * 12.0) / 1.1;
    assert!((number(t, "/price") - price).abs() < 1e-9 && number(t, "/locked") == 12.0);
    let new = file(
        "[[product]]\nid = \"new\"\nrate = 0.02\nseverity = \"share\"\nexposure = 10.0\nclusters = [\"c1\"]\n",
        ".toml",
    );
    let found = json(&ask("price", &portfolio, &["--json", "--cover", new.path().to_str().unwrap()]));
    assert_eq!(found["covers"].as_array().unwrap().len(), 1);
    assert_eq!(found["covers"][0]["id"], "new");
    assert!(number(&found, "/covers/0/price") > number(&found, "/covers/0/expected_loss"));
    let text = stdout(&ask("price", &portfolio, &[]));
    assert!(text.contains("marginal net TVaR 99.00 %") && text.contains("stop loss"), "{text}");
}

#[test]
fn scenarios_are_data() {
    let printed = breakwater(&["capital", "stress", "--print"]);
    assert_eq!(printed.status.code(), Some(0), "{}", stderr(&printed));
    let scenarios = file(&stdout(&printed), ".toml");
    let portfolio = portfolio();
    let shipped = json(&ask("stress", &portfolio, &["--json", "--years", "4096"]));
    let flags = ["--json", "--years", "4096", "--scenarios", scenarios.path().to_str().unwrap()];
    let read = json(&ask("stress", &portfolio, &flags));
    assert_eq!(shipped["scenarios"], read["scenarios"]);
    assert_eq!(shipped["scenarios"].as_array().unwrap().len(), 5);
    for s in shipped["scenarios"].as_array().unwrap() {
        assert!(number(s, "/net/mean") < number(s, "/gross/mean"), "{s}");
    }
    let one = ask("stress", &portfolio, &["--scenario", "bridge collapse"]);
    let text = stdout(&one);
    assert!(text.contains("Nomad") && !text.contains("Vyper") && text.contains("pool/senior"), "{text}");
    let wrong = file("[[scenario]]\nid = \"x\"\nhazard = -2.0\n", ".toml");
    let flags = ["--scenarios", wrong.path().to_str().unwrap()];
    let output = ask("stress", &portfolio, &flags);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("scenario \"x\".hazard: -2"), "{}", stderr(&output));
}

#[test]
fn the_pool_breaks_as_often_as_its_capital_says() {
    let file = portfolio();
    // Net VaR 99 is 10.127 and the pool holds 10.
    let found = json(&ask("reverse", &file, &["--json", "--years", "100000"]));
    assert_eq!(number(&found, "/breaking_point"), 10.0);
    assert!((number(&found, "/probability") - 0.0105).abs() < 0.002, "{found}");
    let given: f64 = found["patterns"].as_array().unwrap().iter().map(|w| number(w, "/given_break")).sum();
    assert!(given > 0.5 && given < 1.0 + 1e-9);
    let text = stdout(&ask("reverse", &file, &["--breaking-point", "1000"]));
    assert!(text.contains("no year of 40,000") && text.contains("never"), "{text}");
    let output = ask("reverse", &file, &["--breaking-point", "nan"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn requirement_convergence_and_capacity() {
    let file = portfolio();
    let found = json(&ask("require", &file, &["--json"]));
    assert_eq!(number(&found, "/held"), 10.0);
    assert_eq!(found["tranches"].as_array().unwrap().len(), 3);
    let found = json(&ask("converge", &file, &["--json", "--steps", "3"]));
    assert_eq!(found["rows"].as_array().unwrap().len(), 3);
    assert_eq!(found["enough"].as_array().unwrap().len(), 10);
    let found = json(&ask("capacity", &file, &["--json", "--loading", "0.5", "--gap", "0.05"]));
    assert!(number(&found, "/tvar") <= 10.0 + 1e-9 && number(&found, "/gap") <= 0.05, "{found}");
    for (question, flags) in
        [("require", vec![]), ("converge", vec!["--steps", "3"]), ("capacity", vec!["--loading", "0.5"])]
    {
        let text = stdout(&ask(question, &file, &flags));
        assert!(text.contains("CP500") && text.lines().count() > 10, "{question}: {text}");
    }
    // CP500 names no premiums.
    let output = ask("capacity", &file, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--loading"), "{}", stderr(&output));
}
