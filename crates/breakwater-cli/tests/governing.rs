//! The council's commands, from the first delegation to an executed proposal, on a real deployment.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use alloy::hex;
use alloy::primitives::{Address, B256};
use breakwater_bindings::{Deployment, Signal};
use breakwater_chain::Anvil;
use serde_json::{Value, json};
use support::{breakwater, has_anvil, objects, stderr, stdout};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const DAY: u64 = 86_400;
/// Places among anvil's accounts.
const DEPLOYER: usize = 0;
const HOLDER: usize = 1;
const GUARDIAN: usize = 2;
const STRANGER: usize = 3;

/// A deployment with a council and no pools.
struct Hall {
    anvil: Anvil,
    runtime: Runtime,
    folder: TempDir,
    deployment: Deployment,
}

impl Hall {
    fn build() -> Self {
        let anvil = Anvil::builder().hardfork("prague").start().unwrap();
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        // A chain of one block is refused.
        runtime.block_on(anvil.mine(1)).unwrap();
        let address = |place: usize| anvil.keys()[place].address();
        let config = json!({
            "chainId": "31337", "deployer": address(DEPLOYER), "salt": B256::ZERO, "lister": address(DEPLOYER),
            "guardian": Address::ZERO, "dwellBlocks": "8", "quorumWindowBlocks": "10", "assemblyWindowBlocks": "7200",
            "guardianDelayBlocks": "10", "heavyBps": "65535", "claimWindowS": (30 * DAY).to_string(),
            "timelock": { "minDelayS": (2 * DAY).to_string(), "proposers": [], "executors": [] },
            "council": {
                "holder": address(HOLDER), "guardian": address(GUARDIAN), "identityRegistrar": address(DEPLOYER),
                "votingDelayS": DAY.to_string(), "votingPeriodS": (3 * DAY).to_string(), "extensionS": DAY.to_string(),
                "threshold": "1000000000000000000000", "quorumPercent": "4",
            },
        });
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (file, out) = (path("config.json"), path("deployment.json"));
        std::fs::write(&file, config.to_string()).unwrap();
        let key = hex::encode_prefixed(anvil.keys()[DEPLOYER].to_bytes());
        let url = anvil.url().as_str();
        let at = ["--rpc-url", url, "--private-key", &key];
        let output = breakwater(&[&["deploy", "--config", &file, "--out", &out], &at[..]].concat());
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        let deployment = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
        Self { anvil, runtime, folder, deployment }
    }

    fn address(&self, place: usize) -> Address {
        self.anvil.keys()[place].address()
    }

    fn run(&self, place: usize, arguments: &[&str]) -> std::process::Output {
        let key = hex::encode_prefixed(self.anvil.keys()[place].to_bytes());
        let file = self.folder.path().join("deployment.json");
        let at = ["--rpc-url", self.anvil.url().as_str(), "--deployment", file.to_str().unwrap()];
        let key = if arguments[1] == "show" { vec![] } else { vec!["--private-key", &key] };
        breakwater(&[arguments, &key, &at[..]].concat())
    }

    fn done(&self, place: usize, arguments: &[&str]) -> Value {
        let output = self.run(place, &[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
        objects(&output).remove(0)
    }

    fn refused(&self, place: usize, arguments: &[&str], status: i32, words: &str) {
        let output = self.run(place, arguments);
        let said = stderr(&output);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(status), ""), "{said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }

    fn pass(&self, seconds: u64) {
        let request = self.anvil.endpoints().request("evm_increaseTime", [seconds]);
        let _: Value = self.runtime.block_on(request).unwrap();
        self.runtime.block_on(self.anvil.mine(1)).unwrap();
    }

    fn max_bps(&self) -> u16 {
        use alloy::rpc::types::TransactionRequest;
        use alloy::sol_types::SolCall;
        let signal = self.deployment.governance.as_ref().unwrap().signal;
        let request =
            TransactionRequest::default().to(signal).input(Signal::maxBpsCall {}.abi_encode().into());
        let asked = self.anvil.endpoints().request("eth_call", (request, "latest"));
        let answer: alloy::primitives::Bytes = self.runtime.block_on(asked).unwrap();
        Signal::maxBpsCall::abi_decode_returns(&answer).unwrap()
    }
}

fn after<'a>(told: &'a Value, what: &str) -> &'a Value {
    let changes = told["changes"].as_array().unwrap();
    &changes.iter().find(|change| change["what"] == what).unwrap_or_else(|| panic!("{what}: {told}"))["after"]
}

const SIGNAL: [&str; 10] = [
    "--to",
    "signal",
    "--function",
    "setTerms(uint8,uint16)",
    "--argument",
    "0",
    "--argument",
    "500",
    "--description",
    "smaller signals",
];

#[test]
fn a_proposal_goes_from_words_to_deed() {
    if !has_anvil() {
        return;
    }
    let hall = Hall::build();
    let propose = [&["gov", "propose"], &SIGNAL[..]].concat();
    // Votes that nobody was given do not count, not even for their holder.
    hall.refused(HOLDER, &propose, 1, "GovernorInsufficientProposerVotes");
    let told = hall.done(HOLDER, &["gov", "delegate", &hall.address(HOLDER).to_string()]);
    assert_eq!(after(&told, "votes of that account"), "100000000000000000000000000");
    hall.pass(1);

    let dry = hall.done(HOLDER, &[&propose[..], &["--dry-run"]].concat());
    assert!(dry["steps"][0]["tx_hash"].is_null());
    let told = hall.done(HOLDER, &propose);
    let id = told["result"]["proposal"].as_str().unwrap();
    assert_eq!(dry["result"]["proposal"], id, "the id is known before it is sent");
    hall.refused(HOLDER, &["gov", "vote", id, "for"], 1, "GovernorUnexpectedProposalState");
    hall.pass(DAY + 1);

    let parts = ["gov", "vote", id, "--for", "60000000", "--against", "1000.5"];
    let told = hall.done(HOLDER, &parts);
    assert_eq!(after(&told, "votes for"), "60000000000000000000000000");
    assert_eq!(after(&told, "votes against"), "1000500000000000000000");
    assert_eq!(after(&told, "state"), "active");
    hall.refused(HOLDER, &parts, 1, "GovernorExceedRemainingWeight");
    let told = hall.done(HOLDER, &["gov", "vote", id, "abstain", "--reason", "the rest"]);
    assert_eq!(after(&told, "votes that abstain"), "39998999500000000000000000");
    hall.refused(HOLDER, &["gov", "queue", id], 1, "GovernorUnexpectedProposalState");
    hall.pass(3 * DAY + 1);

    let told = hall.done(STRANGER, &["gov", "queue", id]);
    assert_eq!(after(&told, "state"), "queued");
    hall.refused(STRANGER, &["gov", "execute", id], 1, "TimelockUnexpectedOperationState");
    hall.pass(2 * DAY);
    assert_eq!(hall.max_bps(), 1000);
    let told = hall.done(STRANGER, &["gov", "execute", id]);
    assert_eq!(after(&told, "state"), "executed");
    assert_eq!(hall.max_bps(), 500);

    let shown = hall.done(HOLDER, &["gov", "show", id]);
    assert_eq!(shown["facts"]["state"], "executed");
    assert_eq!(shown["calls"][0]["to"], json!(hall.deployment.governance.as_ref().unwrap().signal));
    let shown = hall.done(HOLDER, &["gov", "show", "--holder", &hall.address(HOLDER).to_string()]);
    assert_eq!(shown["proposals"][0]["proposal"], id);
    assert_eq!(shown["terms"]["votes_of_holder"], "100000000000000000000000000");
    assert_eq!(shown["terms"]["guardian"], json!(hall.address(GUARDIAN)));
}

#[test]
fn the_guardian_cancels_once_and_wrong_words_are_refused() {
    if !has_anvil() {
        return;
    }
    let hall = Hall::build();
    hall.done(HOLDER, &["gov", "delegate", &hall.address(HOLDER).to_string()]);
    hall.pass(1);
    // Two calls in a file: one by its function, one by its data.
    let file = hall.folder.path().join("calls.json");
    let calls = json!([
        { "to": "signal", "function": "setTerms(uint8,uint16)", "arguments": ["1", "10"] },
        { "to": hall.address(STRANGER), "data": "0x" },
    ]);
    std::fs::write(&file, calls.to_string()).unwrap();
    let propose = |words: &str| {
        let file = file.to_str().unwrap();
        let told = hall.done(HOLDER, &["gov", "propose", "--description", words, "--file", file]);
        told["result"]["proposal"].as_str().unwrap().to_owned()
    };
    let first = propose("first");
    hall.refused(STRANGER, &["gov", "cancel", &first], 1, "GovernorUnableToCancel");
    let told = hall.done(GUARDIAN, &["gov", "cancel", &first]);
    assert_eq!(after(&told, "state"), "canceled");
    let second = propose("second");
    hall.refused(GUARDIAN, &["gov", "cancel", &second], 1, "VetoedBefore");

    let wrong = |what: &[&str], words: &str| {
        hall.refused(HOLDER, &[&["gov", "propose", "--description", "x"], what].concat(), 2, words);
    };
    wrong(&["--to", "nowhere", "--data", "0x"], "nowhere");
    wrong(&["--to", "signal"], "function or data");
    wrong(&["--to", "signal", "--function", "setTerms(uint8,uint16)"], "expected 2 arguments, got 0");
    wrong(&["--file", "/nowhere/calls.json"], "cannot read");
    hall.refused(HOLDER, &["gov", "queue", "7"], 2, "no proposal 7");
}
