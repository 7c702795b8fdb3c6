//! Harmless transactions that look like attacks: no incident may come of them.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::path::Path;

use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::SolCall;
use support::author::{Author, Bank, SplitShares, Token, Vault, account, tokens};
use support::{breakwater, has_anvil, objects, stderr};

/// Money for everybody, and a vault with three depositors and some traffic.
fn vault(author: &mut Author, name: &str) -> (Address, Address) {
    let token = author.deploy("DemoToken", ("Dollar".to_owned(), "USD".to_owned(), U256::from(18)));
    let vault = author.deploy(name, (token, account("manager")));
    author.cover(vault);
    for person in ["alice", "bob", "carol", "manager"] {
        author.call(person, token, &Token::mintCall { to: account(person), amount: tokens(10_000) });
        author.call(person, token, &Token::approveCall { spender: vault, amount: U256::MAX });
    }
    for (person, count) in [("alice", 1_000), ("bob", 700), ("carol", 300)] {
        let call = Vault::depositCall { assets: tokens(count), receiver: account(person) };
        author.call(person, vault, &call);
    }
    (token, vault)
}

fn redeem(author: &mut Author, vault: Address, person: &str, shares: U256) {
    let owner = account(person);
    author.call(person, vault, &Vault::redeemCall { shares, receiver: owner, owner });
}

fn fee_mint(author: &mut Author) {
    let (_, vault) = vault(author, "FeeVault");
    redeem(author, vault, "bob", tokens(50));
    author.suspicious("manager", vault, &Vault::chargeFeeCall { shares: tokens(400) });
    redeem(author, vault, "alice", tokens(100));
}

fn donate_and_skim(author: &mut Author) {
    let (token, vault) = vault(author, "SkimVault");
    redeem(author, vault, "bob", tokens(50));
    author.suspicious("manager", token, &Token::transferCall { to: vault, amount: tokens(3_000) });
    author.suspicious("manager", vault, &Vault::skimCall { to: account("manager") });
    redeem(author, vault, "alice", tokens(100));
}

fn strategy_rebalance(author: &mut Author) {
    let (token, vault) = vault(author, "StrategyVault");
    redeem(author, vault, "bob", tokens(50));
    let approve = Token::approveCall { spender: vault, amount: U256::MAX };
    author.call("whale", token, &approve);
    let rebalance = Vault::rebalanceCall { strategy: account("whale"), amount: tokens(1_500) };
    author.suspicious("manager", vault, &rebalance);
    author.suspicious(
        "manager",
        vault,
        &Vault::recallCall { strategy: account("whale"), amount: tokens(900) },
    );
    redeem(author, vault, "alice", tokens(100));
}

fn share_redenomination(author: &mut Author) {
    let (_, vault) = vault(author, "SplitVault");
    author.call("bob", vault, &SplitShares::redeemCall { shares: tokens(50) });
    author.suspicious("manager", vault, &Vault::splitCall { factor: U256::from(1_000) });
    author.call("alice", vault, &SplitShares::redeemCall { shares: tokens(50_000) });
}

/// The loan is below the threshold but above half of it: an onset that must never grow into an incident.
fn whale_exit_from_a_thin_bank(author: &mut Author) {
    let token = author.deploy("DemoToken", ("Dollar".to_owned(), "USD".to_owned(), U256::from(18)));
    let bank = author.deploy("ThinBank", (token, account("manager")));
    author.cover(bank);
    for (person, count) in [("alice", 100), ("whale", 700), ("bob", 200)] {
        author.call(person, token, &Token::mintCall { to: account(person), amount: tokens(count) });
        author.call(person, token, &Token::approveCall { spender: bank, amount: U256::MAX });
        author.call(person, bank, &Bank::depositCall { amount: tokens(count) });
    }
    author.call("alice", bank, &Bank::withdrawCall { amount: tokens(10) });
    author.suspicious("manager", bank, &Bank::lendCall { elsewhere: account("carol"), amount: tokens(30) });
    author.suspicious("whale", bank, &Bank::withdrawCall { amount: tokens(700) });
    author.suspicious("bob", bank, &Bank::withdrawCall { amount: tokens(200) });
    author.call("alice", bank, &Bank::withdrawCall { amount: tokens(10) });
}

fn migration(author: &mut Author) {
    let token = author.deploy("DemoToken", ("Dollar".to_owned(), "USD".to_owned(), U256::from(18)));
    let (old, new) = (author.deploy("MigratingBank", ()), author.deploy("MigratedBank", ()));
    let bank = author.deploy("UpgradableProxy", (old,));
    let successor = author.deploy("UpgradableProxy", (new,));
    author.cover(bank);
    author.call("deployer", bank, &Bank::setUpCall { asset: token });
    author.call("deployer", successor, &Bank::setUpCall { asset: token });
    for (person, count) in [("alice", 500), ("bob", 200), ("carol", 300)] {
        author.call(person, token, &Token::mintCall { to: account(person), amount: tokens(count) });
        author.call(person, token, &Token::approveCall { spender: bank, amount: U256::MAX });
        author.call(person, bank, &Bank::depositCall { amount: tokens(count) });
    }
    author.call("alice", bank, &Bank::withdrawCall { amount: tokens(10) });
    let data: Bytes = Bank::handOverCall { successor }.abi_encode().into();
    author.suspicious("deployer", bank, &Bank::upgradeToAndCallCall { implementation: new, data });
    author.call("bob", token, &Token::approveCall { spender: successor, amount: U256::MAX });
}

/// Each case, and whether a gauge watched it to its end: a refusal would make the test say nothing.
type Scenario = (&'static str, fn(&mut Author), bool);

const SCENARIOS: [Scenario; 6] = [
    ("fee-mint", fee_mint, true),
    ("donate-and-skim", donate_and_skim, true),
    ("strategy-rebalance", strategy_rebalance, true),
    ("share-redenomination", share_redenomination, true),
    ("whale-exit-from-a-thin-bank", whale_exit_from_a_thin_bank, true),
    ("migration", migration, false),
];

fn write_all(folder: &Path) {
    for (name, scenario, _) in SCENARIOS {
        let mut author = Author::new(name);
        scenario(&mut author);
        author.finish(folder);
    }
}

#[test]
fn nothing_that_only_looks_like_an_attack_opens_an_incident() {
    if !has_anvil() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let output = breakwater(&["replay", "--json", folder.path().to_str().unwrap()]);
    let lines = objects(&output);
    println!("{}", lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(lines.len(), SCENARIOS.len());
    for (name, _, watched) in SCENARIOS {
        let line = lines.iter().find(|line| line["id"] == name).unwrap();
        assert_eq!(line["false_incidents"], 0, "{line}");
        assert_eq!(line["proven"], false, "{line}");
        let reason = line["reason"].as_str().unwrap();
        // After a migration the gauge is undecided, which it can only be if there was one.
        let expected = if watched { "watched" } else { "undecided" };
        assert!(reason.starts_with(expected), "{line}");
    }
}
