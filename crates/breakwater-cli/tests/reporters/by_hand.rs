//! A loss that comes with new code may be a migration: no machine signs it, a person may.

use std::fs;

use serde_json::{Value, json};

use crate::support::stage::DOLLAR;
use crate::support::{breakwater, has_anvil, stderr};
use crate::town::{DEPOSIT, FIRST_KEY, KEEPER, Kind, Town};

#[test]
fn what_new_code_took_is_signed_by_people_alone() {
    if !has_anvil() {
        return;
    }
    let mut town = Town::build(Kind::Proxied);
    town.start(0);
    town.start(KEEPER);
    (0..3).for_each(|_| town.step());
    town.drain();
    town.step_until("listed", |town| !town.told(0, "listed").is_empty());
    // Well behind the block from which a rule would have been signed.
    (0..6).for_each(|_| town.step());
    let listed = town.told(0, "listed");
    assert_eq!(listed.len(), 1, "once: {listed:?}");
    assert!(listed[0]["why"].as_str().unwrap().contains("names other code"), "{listed:?}");
    let file = listed[0]["message"].as_str().unwrap().to_owned();
    assert_eq!(town.letters().len(), 1, "the list is all that there is: {}", town.logs());
    let sheet = || serde_json::from_str::<Value>(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(sheet()["signatures"], json!([]));
    assert_eq!(sheet()["fields"]["loss"], (DEPOSIT * DOLLAR * 3 / 2).to_string());

    // One person signs with a key, another with an account that has code.
    let key = alloy::hex::encode_prefixed(town.stage.anvil.keys()[FIRST_KEY].to_bytes());
    let output = breakwater(&["report", "countersign", "--message", &file, "--private-key", &key]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    (0..3).for_each(|_| town.step());
    assert_eq!(town.posted().len(), 0, "one is no quorum");
    let mut signed = sheet();
    let message: alloy::primitives::Bytes = serde_json::from_value(signed["message"].clone()).unwrap();
    let report = alloy::sol_types::SolValue::abi_decode(&message).unwrap();
    let wallet = json!({ "signer": town.reporters[2], "signature": town.signature(&report, 2) });
    signed["signatures"].as_array_mut().unwrap().push(wallet);
    fs::write(&file, signed.to_string()).unwrap();
    town.step_until("posted", |town| !town.posted().is_empty());
    let posted = town.posted();
    assert!(posted[0].signers.contains(&town.reporters[2]), "{posted:?}");
}
