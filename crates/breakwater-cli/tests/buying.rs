//! Commands of buyers on a real deployment.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use serde_json::Value;
use support::stage::{DAY, Stage, Who, change, number};
use support::{has_anvil, stderr, stdout};

#[test]
fn a_buyer_looks_quotes_and_buys() {
    if !has_anvil() {
        return;
    }
    let stage = Stage::build();
    stage.open_for_business();
    let product = stage.product.to_string();
    let listed = stage.seen(&["products"]);
    assert_eq!(listed[0]["product"], product.as_str());
    assert_eq!(listed[0]["pools"][0]["left"], "500000000000");

    let wanted = ["--product", &product, "--sum", "10000.5", "--days", "30"];
    let quote = stage.seen(&[&["quote"][..], &wanted].concat()).remove(0);
    assert_eq!(quote["sum"], "10000500000");
    assert_eq!(quote["asset"]["symbol"], "dUSD");
    let (inception, expiry) = (quote["inception"].as_u64().unwrap(), quote["expiry"].as_u64().unwrap());
    assert!(expiry.is_multiple_of(DAY) && expiry - inception >= 30 * DAY && expiry - inception < 31 * DAY);
    let offer = &quote["offers"][0];
    let (premium, most) = (number(&offer["premium"]), number(&offer["max_premium"]));
    assert_eq!(most, premium + premium / 100);

    let text = stage.look(&[&["quote"][..], &wanted].concat());
    let said = stdout(&text);
    for words in [
        "sum insured      10,000.500000 dUSD",
        "UTC, after a waiting period of 1 day",
        "deductible       5.00 %",
        "Who decides, and how long it takes",
        "What is not paid",
        "When it pays",
        "wording hash",
        "ask again after",
        "at most",
        "capacity",
        "trigger in code  gauge 0x",
    ] {
        assert!(said.contains(words), "{words:?} is missing in:\n{said}");
    }

    let dry = stage.run(Who::Buyer, &[&["buy"][..], &wanted, &["--dry-run"]].concat());
    let said = stdout(&dry);
    assert!(said.contains("dry run, nothing sent; simulated in block"), "{said}");
    assert!(said.contains("balance of the buyer") && said.contains("UTC: in another block"), "{said}");

    let told = stage.foretold(Who::Buyer, &[&["buy"][..], &wanted].concat());
    assert_eq!(told["command"], "buy");
    assert_eq!(told["result"]["policy"], "1");
    assert_eq!(told["result"]["sum"], "10000500000");
    assert_eq!(told["result"]["expiry"].as_u64().unwrap(), expiry);
    let paid = number(&told["result"]["premium"]);
    assert!(paid > premium / 2 && paid <= most, "{paid}, quoted {premium}, at most {most}");
    let balance = change(&told, "balance of the buyer");
    assert_eq!(number(&balance["before"]) - number(&balance["after"]), paid);
    // Exactly the highest premium was approved; what it exceeds the premium is all that is left.
    let approved = told["steps"][0]["what"].as_str().unwrap();
    assert!(approved.starts_with("approving "), "{approved}");
    assert!(number(&change(&told, "allowance left to policies")["after"]) <= paid / 100 + 1);

    // A second purchase with what is left: the old allowance is not enough, so one more approval.
    let told = stage.foretold(Who::Buyer, &[&["buy"][..], &wanted, &["--slippage-bps", "0"]].concat());
    assert_eq!(change(&told, "allowance left to policies")["after"], "0");
    let told = stage.done(Who::Buyer, &[&["buy"][..], &wanted, &["--permit"]].concat());
    assert_eq!(told["steps"].as_array().unwrap().len(), 1, "a permit needs no transaction of its own");
    assert_eq!(told["result"]["policy"], "3");
    let shape: Vec<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(shape, ["command", "dry_run", "from", "block", "steps", "changes", "result", "events"]);
}

#[test]
fn wrong_purchases_are_refused_in_words() {
    if !has_anvil() {
        return;
    }
    let stage = Stage::build();
    stage.open_for_business();
    let product = stage.product.to_string();
    let root = stage.request::<Value>("eth_blockNumber", serde_json::json!([]));
    let other = format!("0x{}", "11".repeat(32));
    for (arguments, status, words) in [
        (vec!["--product", &product, "--sum", "10,000"], 2, "expected an amount of dUSD"),
        (vec!["--product", &product, "--sum", "1.0000001"], 2, "at most 6 decimals"),
        (vec!["--product", &other, "--sum", "10"], 2, "is not listed"),
        (vec!["--product", "0x12", "--sum", "10"], 2, "--product"),
        (vec!["--product", &product, "--sum", "0.5"], 1, "SumBelowMinimum"),
        (vec!["--product", &product, "--sum", "500001"], 1, "CapExceeded"),
        (vec!["--product", &product, "--sum", "10", "--days", "366"], 1, "TermOutOfRange"),
        (vec!["--product", &product, "--sum", "10", "--until", "2026-12-31T12:00:00Z"], 2, "00:00 UTC"),
        (vec!["--product", &product, "--sum", "10", "--until", "soon"], 2, "expected a time"),
        (vec!["--product", &product, "--sum", "10", "--deadline", "2020-01-01"], 1, "DeadlinePassed"),
        (vec!["--product", &product, "--sum", "10000", "--max-premium", "0.01"], 1, "PremiumAbove"),
        (vec!["--product", &product, "--sum", "10", "--pool", "euros"], 2, "expected a name or an address"),
        (
            vec![
                "--product",
                &product,
                "--sum",
                "10",
                "--pool",
                "0x1111111111111111111111111111111111111111",
            ],
            2,
            "not registered",
        ),
        (vec!["--product", &product, "--sum", "10", "--consent", "missing.json"], 2, "missing.json"),
    ] {
        let (got, said) = stage.refused(Who::Buyer, &[&["buy"][..], &arguments].concat());
        assert!(got == status && said.contains(words), "{arguments:?}: {got} {said}");
        assert!(said.contains("right:"), "{said}");
    }
    assert_eq!(stage.request::<Value>("eth_blockNumber", serde_json::json!([])), root, "nothing was sent");
    // Somebody without money is told so before he approves anything.
    let (got, said) = stage.refused(Who::Deployer, &["buy", "--product", &product, "--sum", "10000"]);
    assert!(got == 1 && said.contains("ERC20InsufficientBalance"), "{said}");
}

/// The stage's second product, on a gauge of its own, on sale in the same pool.
fn second_product(stage: &Stage) -> String {
    let product = stage.list_product_on(stage.list_gauge_over(1)).to_string();
    let cap = ["pool", "set-product", "--pool", "dollars", "--product", &product, "--cap", "100000"];
    stage.done(Who::Curator, &[&cap[..], &["--floor-rate", "3"]].concat());
    stage.pass(10 * DAY);
    product
}

#[test]
fn a_portfolio_is_bought_under_one_sum() {
    if !has_anvil() {
        return;
    }
    let stage = Stage::build();
    stage.open_for_business();
    let (first, second) = (stage.product.to_string(), second_product(&stage));
    let both = format!("{second},{first}");
    let term = ["--sum", "10000", "--days", "30"];
    let one = stage.seen(&[&["quote", "--product", &second][..], &term].concat()).remove(0);
    let all = stage.seen(&[&["quote", "--portfolio", &both][..], &term].concat()).remove(0);
    let premium = |quote: &Value| number(&quote["offers"][0]["premium"]);
    assert!(premium(&all) > premium(&one) && premium(&all) < 2 * premium(&one));
    let (status, said) = stage.refused(Who::Buyer, &[&["buy", "--portfolio", &first][..], &term].concat());
    assert!(status == 2 && said.contains("expected 2 to 8 products"), "{said}");
    let (status, said) =
        stage.refused(Who::Buyer, &[&["buy", "--portfolio", &both, "--product", &first][..], &term].concat());
    assert!(status == 2 && said.contains("cannot be used with"), "{said}");

    let buy = [&["buy", "--portfolio", &both, "--max-premium", "100"][..], &term].concat();
    let told = stage.foretold(Who::Buyer, &buy);
    assert_eq!(told["steps"][0]["what"], "naming the portfolio");
    assert_eq!(told["result"]["policy"], "1");
    // Each leg counts the sum, and the pool counts it once.
    for what in ["exposure of the pool", "exposure of leg 1", "exposure of leg 2"] {
        assert_eq!(change(&told, what)["after"], "10000000000", "{what}");
    }
    let told = stage.foretold(Who::Buyer, &buy);
    assert_ne!(told["steps"][0]["what"], "naming the portfolio", "it has its name");
    let listed = stage.seen(&["policies", "--policy", "1"]).remove(0);
    assert_eq!((&listed["kind"], listed["legs"].as_array().unwrap().len()), (&"portfolio".into(), 2));

    stage.pass(10 * DAY);
    let told = stage.foretold(Who::Buyer, &["lower", "--policy", "1", "--sum", "4000"]);
    assert_eq!(change(&told, "exposure of the pool")["after"], "14000000000");
    let told = stage.foretold(Who::Buyer, &["cancel", "--policy", "1"]);
    assert_eq!(change(&told, "exposure of the pool")["after"], "10000000000");
}

#[test]
fn a_purchase_is_routed_over_pools() {
    if !has_anvil() {
        return;
    }
    let stage = Stage::build();
    stage.open_for_business();
    let config = stage.path("second.json");
    std::fs::write(&config, stage.pool_config("second").to_string()).unwrap();
    let made = stage.done(Who::Curator, &["pool", "create", "--config", &config]);
    let pool = made["result"]["pool"].as_str().unwrap().to_owned();
    for (who, tranche, amount) in [(Who::Curator, "junior", "400000"), (Who::Underwriter, "senior", "600000")]
    {
        stage.done(who, &["deposit", "--pool", &pool, "--tranche", tranche, "--amount", amount]);
    }
    stage.pass(DAY);
    for (who, tranche) in [(Who::Curator, "junior"), (Who::Underwriter, "senior")] {
        stage.done(who, &["claim", "--pool", &pool, "--tranche", tranche]);
    }
    stage.done(Who::Curator, &["pool", "lock", "--pool", &pool, "--all"]);
    let product = stage.product.to_string();
    let cap = ["pool", "set-product", "--pool", &pool, "--product", &product, "--cap", "500000"];
    stage.done(Who::Curator, &[&cap[..], &["--floor-rate", "2"]].concat());
    stage.pass(10 * DAY);

    let route = ["route", "--product", &product, "--sum", "100000", "--days", "30"];
    let told = stage.foretold(Who::Buyer, &route);
    assert_eq!(told["result"]["parts"], "2");
    assert_eq!(told["result"]["sum"], "100000000000");
    let balance = change(&told, "balance of the buyer");
    let spent = number(&told["result"]["spent"]);
    assert_eq!(number(&balance["before"]) - number(&balance["after"]), spent);
    assert_eq!(change(&told, "balance of the router")["after"], "0");
    let parts = ["exposure of pool dollars".to_owned(), format!("exposure of pool {pool}")].map(|what| {
        let found = told["changes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|change| change["what"].as_str().unwrap().eq_ignore_ascii_case(&what));
        number(&found.unwrap()["after"])
    });
    assert!(parts[0] > parts[1] && parts[1] > 0, "the larger pool sells more: {parts:?}");
    assert_eq!(parts[0] + parts[1], 100_000_000_000);
    // Nobody signs for who has no key, and the router knows at most eight pools.
    let buyer = stage.address(Who::Buyer).to_string();
    let output = stage.look(&[&route[..], &["--from", &buyer, "--dry-run"]].concat());
    assert!(output.status.code() == Some(2) && stderr(&output).contains("no key"), "{}", stderr(&output));
    let nine = ["--pool", "dollars"].repeat(9);
    let (status, said) = stage.refused(Who::Buyer, &[&route[..], &nine].concat());
    assert!(status == 2 && said.contains("1 to 8 pools"), "{said}");
}

#[test]
fn a_position_consents_to_a_buyer() {
    if !has_anvil() {
        return;
    }
    let stage = Stage::build();
    stage.open_for_business();
    let product = stage.product.to_string();
    let (buyer, position) = (stage.address(Who::Buyer).to_string(), stage.address(Who::Other).to_string());
    let file = stage.path("consent.json");
    let consent = ["consent", "--product", &product, "--buyer", &buyer, "--deadline", "+1h", "--out", &file];
    let output = stage.run(Who::Other, &consent);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains(&position), "{}", stdout(&output));
    let buy = ["buy", "--product", &product, "--sum", "1000", "--position", &position, "--consent", &file];
    let (status, said) = stage.refused(Who::Underwriter, &buy);
    assert!(status == 2 && said.contains("buyer: expected"), "{said}");
    let told = stage.foretold(Who::Buyer, &buy);
    assert_eq!(told["result"]["position"], position.to_lowercase());
    let (status, said) = stage.refused(Who::Buyer, &buy);
    assert!(status == 2 && said.contains("nonce: expected 1, got 0"), "{said}");
    let output = stage.look(&["buy", "--product", &product, "--sum", "1", "--position", &position]);
    assert_eq!(output.status.code(), Some(2), "a position of somebody else needs a consent");
    let wording = stage.look(&["wording", "--product", &product]);
    assert!(stdout(&wording).starts_with("# Position cover"), "{}", stdout(&wording));
}
