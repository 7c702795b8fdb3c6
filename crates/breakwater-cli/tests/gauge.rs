//! `breakwater gauge`: a gauge from an address, its readings from proofs, and refusals that name a rung.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use alloy::primitives::{Address, U256};
use support::author::{Author, Token, Vault, account, tokens};
use support::{breakwater, has_anvil, objects, stderr, stdout};

/// A chain with a vault that two people use; the vault, and the block after the first deposit.
fn used_vault() -> (Author, Address, u64) {
    let mut author = Author::new("gauge");
    let token = author.deploy("DemoToken", ("Dollar".to_owned(), "USD".to_owned(), U256::from(18)));
    let vault = author.deploy("HonestVault", (token, account("manager")));
    for person in ["alice", "bob"] {
        author.call(person, token, &Token::mintCall { to: account(person), amount: tokens(100) });
        author.call(person, token, &Token::approveCall { spender: vault, amount: U256::MAX });
        let deposit = Vault::depositCall { assets: tokens(100), receiver: account(person) };
        author.call(person, vault, &deposit);
    }
    let before = author.newest();
    let (receiver, owner) = (account("alice"), account("alice"));
    author.call("alice", vault, &Vault::redeemCall { shares: tokens(40), receiver, owner });
    (author, vault, before)
}

#[test]
fn a_vault_gets_a_gauge_whose_readings_are_its_assets_and_shares() {
    if !has_anvil() {
        return;
    }
    let (author, vault, before) = used_vault();
    let (url, subject) = (author.url(), vault.to_string());
    let compile = ["gauge", "compile", "--rpc-url", &url, "--subject", &subject];
    let text = breakwater(&compile);
    assert_eq!(text.status.code(), Some(0), "{}{}", stdout(&text), stderr(&text));
    assert!(stdout(&text).contains("Health is assets over shares"), "{}", stdout(&text));

    let json = breakwater(&[&compile[..], &["--json"]].concat());
    let gauge = &objects(&json)[0];
    assert_eq!((gauge["rung"].as_str(), gauge["spec"]["form"].as_str()), (Some("proof"), Some("ratio")));
    assert!(gauge["reason"].is_null() && gauge["gauge"].as_str().unwrap().len() == 66, "{gauge}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gauge.json");
    std::fs::write(&file, stdout(&json)).unwrap();
    let file = file.to_str().unwrap();
    let (first, last) = (before.to_string(), author.newest().to_string());
    let read = ["gauge", "read", "--json", "--rpc-url", &url, "--gauge", file, "--block"];
    let output = breakwater(&[&read[..], &[&first, "--block", &last]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let readings = objects(&output);
    for (reading, count) in readings.iter().zip([200, 160]) {
        let units = tokens(count).to_string();
        assert_eq!((reading["assets"].as_str(), reading["claims"].as_str()), (Some(&*units), Some(&*units)));
    }

    // A block that is not there yet leaves the answer partial, and none at all a failure.
    let output = breakwater(&[&read[..], &[&first, "--block", "9999"]].concat());
    assert_eq!(output.status.code(), Some(4), "{}", stdout(&output));
    assert!(objects(&output)[1]["error"].is_string());
    let output = breakwater(&[&read[..], &["9999"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
}

#[test]
fn what_cannot_be_measured_is_refused_with_the_rung_that_serves() {
    if !has_anvil() {
        return;
    }
    let (author, ..) = used_vault();
    let (url, nobody) = (author.url(), Address::repeat_byte(0x11).to_string());
    let compile = ["gauge", "compile", "--rpc-url", &url, "--subject", &nobody];
    let output = breakwater(&compile);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("The rung that serves: quorum"), "{}", stdout(&output));
    let output = breakwater(&[&compile[..], &["--json"]].concat());
    let refusal = &objects(&output)[0];
    assert!(
        refusal["gauge"].is_null() && refusal["reason"].as_str().unwrap().contains("no code"),
        "{refusal}"
    );
    assert_eq!(refusal["rung"].as_str(), Some("quorum"));
}

#[test]
fn files_that_are_no_gauges_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gauge.json");
    std::fs::write(&file, r#"{"chainId": "1"}"#).unwrap();
    let path = file.to_str().unwrap();
    let output = breakwater(&["gauge", "read", "--rpc-url", "http://127.0.0.1:1", "--gauge", path]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("is no gauge"), "{}", stderr(&output));
}
