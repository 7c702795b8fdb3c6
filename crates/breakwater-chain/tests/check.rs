//! The chain report on a chain that has everything and on chains that lack something.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use breakwater_chain::{Anvil, ChainReport, check_chain};
use serde_json::json;
use support::{Proxy, Twist, anvil, edit, endpoints};

#[tokio::test]
async fn a_prague_chain_has_a_proof_rung() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    anvil.mine(300).await.unwrap();
    let report = check_chain(anvil.endpoints()).await.unwrap();
    assert!(report.has_proof_rung(), "{report:#?}");
    assert_eq!((report.chain_id, report.number, report.checks.len()), (31337, 300, 4));
    for check in &report.checks {
        assert!(check.ok, "{check:?}");
    }
    assert!(report.checks[2].detail.contains("[299, 298, 43]"), "{:?}", report.checks[2]);
}

#[tokio::test]
async fn headers_with_fields_of_their_own_mean_no_proof_rung() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    anvil.mine(2).await.unwrap();
    let foreign = Proxy::with(anvil.url(), |method, _| match method {
        "eth_getBlockByNumber" => edit(|mut block| {
            block["sendRoot"] = json!("0x01");
            block["hash"] = json!(format!("0x{}", "77".repeat(32)));
            block
        }),
        _ => Twist::Pass,
    })
    .await;
    let report = check_chain(&endpoints(&[&foreign.url])).await.unwrap();
    assert!(!report.has_proof_rung());
    let header = &report.checks[0];
    assert!(!header.ok && header.detail.starts_with("no proof rung here"), "{header:?}");
    assert!(header.detail.contains("sendRoot"), "{header:?}");
    assert!(!header.detail.contains("gasLimit"), "{header:?}");
    assert!(report.checks[1..].iter().all(|check| !check.ok));
}

#[tokio::test]
async fn a_node_without_proofs_or_history_is_reported() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    anvil.mine(3).await.unwrap();
    let poor = Proxy::with(anvil.url(), |method, _| match method {
        "eth_getProof" => Twist::Error(-32601, "the method eth_getProof does not exist"),
        _ => Twist::Pass,
    })
    .await;
    let report = check_chain(&endpoints(&[&poor.url])).await.unwrap();
    assert!(report.holds(ChainReport::HEADER) && report.holds(ChainReport::BLOCKHASH), "{report:#?}");
    assert!(!report.holds(ChainReport::PROOF) && !report.has_proof_rung());

    let _: serde_json::Value =
        anvil.endpoints().request("anvil_setCode", (breakwater_chain::HISTORY_CONTRACT, "0x")).await.unwrap();
    anvil.mine(1).await.unwrap();
    let report = check_chain(anvil.endpoints()).await.unwrap();
    assert!(!report.holds(ChainReport::HISTORY), "{report:#?}");
    assert!(report.has_proof_rung(), "BLOCKHASH suffices: {report:#?}");
}

#[tokio::test]
async fn wrong_block_hashes_on_chain_are_reported() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    anvil.mine(3).await.unwrap();
    let wrong = format!("{:064x}{}", 3, "11".repeat(32));
    let answers = [
        (json!(format!("0x{wrong}")), "expected 0x"),
        (json!("0x01"), "expected 64 bytes, got 1"),
        (json!(format!("0x{:064x}{}", 90, "11".repeat(32))), "ran in block 90"),
    ];
    for (answer, words) in answers {
        let given = answer.clone();
        let off = Proxy::with(anvil.url(), move |method, _| match method {
            "eth_call" => Twist::Answer(given.clone()),
            _ => Twist::Pass,
        })
        .await;
        let report = check_chain(&endpoints(&[&off.url])).await.unwrap();
        assert!(report.holds(ChainReport::HEADER) && report.holds(ChainReport::PROOF));
        assert!(!report.holds(ChainReport::HISTORY) && !report.holds(ChainReport::BLOCKHASH));
        assert!(!report.has_proof_rung());
        assert!(report.checks[3].detail.contains(words), "{:?}", report.checks[3]);
        assert!(report.checks[2].detail.contains("expected 0x"), "{:?}", report.checks[2]);
    }
}
