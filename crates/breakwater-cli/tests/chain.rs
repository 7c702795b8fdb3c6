//! `breakwater chain check` against a chain that can prove losses.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use breakwater_chain::Anvil;
use support::{breakwater, has_anvil, objects, stdout};

#[test]
fn a_prague_chain_passes_and_says_why() {
    if !has_anvil() {
        return;
    }
    let anvil = Anvil::builder().hardfork("prague").start().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(anvil.mine(300)).unwrap();
    let url = anvil.url().as_str();
    let output = breakwater(&["chain", "check", "--rpc-url", url]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = stdout(&output);
    assert!(text.contains("chain 31337, block 300") && text.contains("Losses can be proven here."), "{text}");
    assert!(!text.contains('\u{1b}'), "no colour where there is no terminal: {text:?}");

    let output = breakwater(&["chain", "check", "--json", "--rpc-url", url, "--rpc-url", url]);
    let report = &objects(&output)[0];
    assert_eq!((report["chain_id"].as_u64(), report["proof_rung"].as_bool()), (Some(31337), Some(true)));
    assert_eq!(report["checks"].as_array().unwrap().len(), 4);
}

#[test]
fn a_chain_without_history_fails_with_data() {
    if !has_anvil() {
        return;
    }
    // Nothing has been mined, so there is no earlier block whose hash could be asked for.
    let anvil = Anvil::builder().hardfork("prague").start().unwrap();
    let output = breakwater(&["chain", "check", "--json", "--rpc-url", anvil.url().as_str()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(objects(&output)[0]["proof_rung"].as_bool(), Some(false));
}
