//! `breakwater deploy` and `breakwater node` on a local chain, as an operator uses them.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use alloy::hex;
use breakwater_bindings::Config;
use breakwater_chain::Anvil;
use serde_json::Value;
use support::{breakwater, has_anvil, objects, stderr, stdout};

/// A fresh chain whose first block has a state to prove things in.
fn chain() -> Anvil {
    let anvil = Anvil::builder().hardfork("prague").start().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(anvil.mine(1)).unwrap();
    anvil
}

fn key(anvil: &Anvil) -> String {
    format!("0x{}", hex::encode(anvil.keys()[0].to_bytes()))
}

#[test]
fn a_deployment_is_done_once_and_checked_by_anyone() {
    if !has_anvil() {
        return;
    }
    let anvil = chain();
    let (url, key) = (anvil.url().as_str(), key(&anvil));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deployment.json");
    let file = file.to_str().unwrap();
    let deploy = ["deploy", "--rpc-url", url, "--private-key", &key, "--out", file];
    let first = breakwater(&deploy);
    assert_eq!(first.status.code(), Some(0), "{}{}", stdout(&first), stderr(&first));
    assert!(stdout(&first).contains("No key can move funds"), "{}", stdout(&first));
    assert!(stdout(&first).contains("done    create Policies"), "{}", stdout(&first));
    let written = std::fs::read_to_string(file).unwrap();

    let again = breakwater(&deploy);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert!(!stdout(&again).contains("done  "), "nothing is sent twice: {}", stdout(&again));
    assert_eq!(std::fs::read_to_string(file).unwrap(), written, "the start of its logs stays known");

    let check = breakwater(&["deploy", "--check", "--json", "--rpc-url", url, "--private-key", &key]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    let report = &objects(&check)[0];
    assert_eq!(report["no_key_can_move_funds"], true);
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.len() > 20 && findings.iter().all(|finding| finding["verdict"] == "ok"), "{report}");
}

#[test]
fn a_chain_without_breakwater_fails_the_check() {
    if !has_anvil() {
        return;
    }
    let anvil = chain();
    let key = key(&anvil);
    let url = anvil.url().as_str();
    let check = breakwater(&["deploy", "--check", "--json", "--rpc-url", url, "--private-key", &key]);
    assert_eq!(check.status.code(), Some(1));
    assert_eq!(objects(&check)[0]["no_key_can_move_funds"], false);
}

#[test]
fn a_keeper_stops_when_told_and_resumes() {
    if !has_anvil() {
        return;
    }
    let anvil = chain();
    let (url, key) = (anvil.url().as_str(), key(&anvil));
    let folder = tempfile::tempdir().unwrap();
    let deployment = folder.path().join("deployment.json");
    let out = deployment.to_str().unwrap();
    let deployed = breakwater(&["deploy", "--rpc-url", url, "--private-key", &key, "--out", out]);
    assert_eq!(deployed.status.code(), Some(0), "{}", stderr(&deployed));
    let config = folder.path().join("keeper.toml");
    let journal = folder.path().join("keeper.sqlite");
    let text = format!("deployment = {deployment:?}\njournal = {journal:?}\npoll_seconds = 1\n");
    std::fs::write(&config, text).unwrap();
    let (from, to) = run_keeper(&config, url, &key);
    assert!(from < to, "it follows the chain: {from} to {to}");
    let (resumed, _) = run_keeper(&config, url, &key);
    assert_eq!(resumed, to, "it goes on where it stopped");
}

/// Runs a keeper until it has handled the newest block, asks it to stop, and gives its first and last block.
fn run_keeper(config: &Path, url: &str, key: &str) -> (u64, u64) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_breakwater"))
        .args(["node", "--role", "keeper", "--rpc-url", url, "--private-key", key, "--config"])
        .arg(config)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    let deadline = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the keeper does not stop");
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let block = |words: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(words)).unwrap();
        line.replace(',', "").parse().unwrap()
    };
    (block("keeper resumes after block "), block("keeper stops after block "))
}

#[test]
fn keystores_sign_and_wrong_keys_are_refused_without_being_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.json");
    let output =
        breakwater(&["deploy", "--rpc-url", "http://127.0.0.1:1", "--keystore", missing.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("missing.json"), "{}", stderr(&output));
    let output = breakwater(&["deploy", "--rpc-url", "http://127.0.0.1:1", "--private-key", "0xsecret"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(!stderr(&output).contains("secret"), "{}", stderr(&output));
    let output = breakwater(&["deploy", "--rpc-url", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn the_documented_configuration_is_one() {
    let page = include_str!("../../../docs/deploying.md");
    let blocks: Vec<&str> =
        page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 4);
    let config: Config = toml::from_str(blocks[0]).unwrap();
    config.check().unwrap();
    // The second block stands in the place of the first one's tables of the same names.
    let mut council: toml::Table = toml::from_str(blocks[0]).unwrap();
    council.extend(toml::from_str::<toml::Table>(blocks[1]).unwrap());
    let config: Config = council.try_into().unwrap();
    config.check().unwrap();
    let keeper: Value = toml::from_str(blocks[2]).unwrap();
    assert_eq!(keeper["poll_seconds"], 2);
    let reporter: Value = toml::from_str(blocks[3]).unwrap();
    assert_eq!(reporter["sign_after_blocks"], 300);
}
