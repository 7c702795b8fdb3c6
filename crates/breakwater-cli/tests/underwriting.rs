//! Commands of underwriters and curators on a real deployment.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use support::stage::{DAY, Stage, Who, change};
use support::{has_anvil, stderr, stdout};

#[test]
fn money_goes_in_is_locked_and_comes_out_again() {
    if !has_anvil() {
        return;
    }
    let stage = Stage::build();
    let deposit = ["deposit", "--pool", "dollars", "--tranche", "senior", "--amount", "250000.5"];
    let told = stage.foretold(Who::Underwriter, &deposit);
    let balance = change(&told, "balance of the depositor");
    assert_eq!((&balance["before"], &balance["after"]), (&"2000000000000".into(), &"1749999500000".into()));
    assert_eq!(balance["unit"], "dUSD");
    // What was approved was taken whole: nothing is left for later.
    assert_eq!(change(&told, "allowance left to the tranche")["after"], "0");
    assert_eq!(told["steps"].as_array().unwrap().len(), 2);
    let request: u64 = told["result"]["request"].as_str().unwrap().parse().unwrap();
    assert_eq!(told["result"]["claimable_from"].as_u64().unwrap(), (request + 1) * DAY);

    let claim = ["claim", "--pool", "dollars", "--tranche", "senior"];
    let (status, said) = stage.refused(Who::Underwriter, &claim);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("NotProcessed") && said.contains("becomes shares from"), "{said}");
    stage.pass(DAY);
    let told = stage.foretold(Who::Underwriter, &claim);
    assert_eq!(change(&told, "shares of the controller")["after"], "250000500000000000");
    assert_eq!(change(&told, "shares of the controller")["unit"], "BW-S");

    let (status, said) =
        stage.refused(Who::Underwriter, &["redeem", "--pool", "dollars", "--tranche", "senior"]);
    assert_eq!(status, 2, "{said}");
    let redeem = ["redeem", "--pool", "dollars", "--tranche", "senior", "--amount", "100000"];
    let told = stage.foretold(Who::Underwriter, &redeem);
    assert_eq!(change(&told, "shares in the queue")["after"], "100000000000000000");
    let payable = told["result"]["payable_from"].as_u64().unwrap();
    let seen = stage.seen(&[
        "tranches",
        "--pool",
        "dollars",
        "--holder",
        &stage.address(Who::Underwriter).to_string(),
    ]);
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[2]["exit_from"], payable, "the exit that is shown is the exit that was given");
    assert_eq!(seen[2]["held"]["shares"], "150000500000000000");
    stage.pass(10 * DAY);
    let told = stage.foretold(Who::Underwriter, &claim);
    assert_eq!(told["steps"].as_array().unwrap().len(), 2, "the cohort is paid, then claimed: {told}");
    assert_eq!(change(&told, "assets of the controller")["after"], "1849999500000");
    let (status, said) = stage.refused(Who::Other, &claim);
    assert!(status == 1 && said.contains("never asked"), "{said}");
}

#[test]
fn a_curator_locks_and_sets_what_is_sold() {
    if !has_anvil() {
        return;
    }
    let stage = Stage::build();
    let pool = ["--pool", "dollars"];
    stage.done(Who::Curator, &["deposit", "--pool", "dollars", "--tranche", "junior", "--amount", "400000"]);
    stage.pass(DAY);
    stage.done(Who::Curator, &["claim", "--pool", "dollars", "--tranche", "junior"]);
    let told = stage.foretold(Who::Curator, &[&["pool", "lock", "--all"][..], &pool].concat());
    assert_eq!(change(&told, "locked junior shares")["after"], "400000000000000000");
    let product = stage.product.to_string();
    let set = |cap: &'static str, rate: &'static str| {
        [&["pool", "set-product", "--product", &product, "--cap", cap, "--floor-rate", rate][..], &pool]
            .concat()
    };
    let told = stage.foretold(Who::Curator, &set("500000", "2.5"));
    assert_eq!(change(&told, "cap in force")["after"], "0", "a rise waits");
    assert_eq!(change(&told, "cap that waits")["after"], "500000000000");
    assert_eq!(change(&told, "floor rate in force, a year")["after"], "25000000000000000");
    let time = told["block"]["time"].as_u64().unwrap();
    assert_eq!(told["result"]["effective_at"].as_u64().unwrap(), time + 9 * DAY);

    for (who, arguments, status, words) in [
        (Who::Other, set("1", "1"), 1, "NotCurator"),
        (Who::Curator, set("500000.0000001", "2"), 2, "at most 6 decimals"),
        (Who::Curator, set("9000000", "2"), 1, "LockTooSmall"),
        (Who::Curator, set("500000", "two"), 2, "per cent a year"),
    ] {
        let (got, said) = stage.refused(who, &arguments);
        assert!(got == status && said.contains(words), "{arguments:?}: {said}");
    }
    // A fifth of the cap that waits must stay locked.
    let (status, said) = stage.refused(Who::Curator, &[&["pool", "unlock", "--all"][..], &pool].concat());
    assert!(status == 1 && said.contains("LockTooSmall"), "{said}");
    let told = stage.foretold(Who::Curator, &[&["pool", "unlock", "--shares", "300000"][..], &pool].concat());
    assert_eq!(change(&told, "locked junior shares")["after"], "100000000000000000");
    let pools = stage.seen(&["pools"]);
    assert_eq!(pools[0]["name"], "dollars");
    assert_eq!(pools[0]["capital"], "400000000000");
    assert_eq!(pools[0]["capacity"], "800000000000");
}

#[test]
fn signers_are_chosen_and_checked() {
    if !has_anvil() {
        return;
    }
    let stage = Stage::build();
    let deposit = ["deposit", "--pool", "dollars", "--tranche", "senior", "--amount", "1"];
    let from = stage.address(Who::Underwriter).to_string();
    let ok = |arguments: &[&str]| {
        let output = stage.look(&[&deposit[..], arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        support::objects(&output).remove(0)
    };
    // A dry run needs no key; the node signs where it is told to; without either there is nobody.
    assert_eq!(ok(&["--dry-run", "--from", &from])["from"], from.to_lowercase());
    assert_eq!(ok(&["--unlocked", "--from", &from])["steps"].as_array().unwrap().len(), 2);
    let output = stage.look(&[&deposit[..], &["--from", &from]].concat());
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let (status, said) = stage.refused(Who::Other, &[&deposit[..], &["--from", &from]].concat());
    assert!(status == 2 && said.contains("--from: expected"), "{said}");
    let output = stage.run(Who::Underwriter, &deposit);
    assert!(stderr(&output).contains("better --account"), "{}", stderr(&output));
    assert!(!stderr(&output).contains(&stage.key(Who::Underwriter)[2..]), "a key is never printed");

    // A keystore by its path, with its password in a file.
    std::fs::write(stage.path("password"), "secret words\n").unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/keystore.json");
    let password = stage.path("password");
    assert_eq!(ok(&["--keystore", file, "--password-file", &password])["from"], from.to_lowercase());
    let output = stage.look(&[&deposit[..], &["--account", "../me", "--password-file", &password]].concat());
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let output = stage.look(&[&deposit[..], &["--account", "nobody-of-this-name"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains(".foundry/keystores/nobody-of-this-name"), "{}", stderr(&output));
    std::fs::write(stage.path("password"), "other words\n").unwrap();
    let output = stage.look(&[&deposit[..], &["--keystore", file, "--password-file", &password]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}

#[test]
fn anybody_makes_a_pool_for_a_curator() {
    if !has_anvil() {
        return;
    }
    let stage = Stage::build();
    let config = stage.path("pool.json");
    std::fs::write(&config, stage.pool_config("euros").to_string()).unwrap();
    let create = ["pool", "create", "--config", &config];
    let told = stage.foretold(Who::Other, &create);
    let change = change(&told, "registered");
    assert_eq!((&change["before"], &change["after"]), (&"no".into(), &"yes".into()));
    let pools = stage.seen(&["pools"]);
    assert_eq!(pools.len(), 2);
    assert_eq!(pools[1]["pool"], told["result"]["pool"]);
    assert_eq!(pools[1]["curator"], stage.address(Who::Curator).to_string().to_lowercase());
    let (status, said) = stage.refused(Who::Other, &create);
    assert!(status == 2 && said.contains("stands already"), "{said}");
    // Another account's pool of the same terms has another address.
    stage.done(Who::Buyer, &create);

    let mut wrong = stage.pool_config("francs");
    wrong["weightBps"] = serde_json::json!([5_000, 5_000, 5_000]);
    std::fs::write(&config, wrong.to_string()).unwrap();
    let (status, said) = stage.refused(Who::Other, &create);
    assert!(status == 1 && said.contains("OutOfRange(field: weightBps"), "{said}");
    std::fs::write(&config, "{}").unwrap();
    let (status, said) = stage.refused(Who::Other, &create);
    assert!(status == 2 && said.contains("missing field"), "{said}");
}
