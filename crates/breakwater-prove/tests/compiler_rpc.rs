//! The compiler over JSON-RPC: labelled cases played on a local anvil chain.
//!
//! Needs the corpus and the anvil binary; without either the test says that it was skipped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy::primitives::{Address, B256};
use breakwater_chain::{Anvil, AnvilError};
use breakwater_evm::{RpcSource, StateSource};
use breakwater_prove::{
    compiler::{CompileOptions, Compiled, Refusal, compile},
    gauge::Form,
};
use serde_json::{Value, json};

fn case(id: &str) -> Option<Value> {
    let Some(root) = std::env::var_os("BREAKWATER_CORPUS") else {
        eprintln!("skipped 1: BREAKWATER_CORPUS is not set, case {id} not compiled over RPC");
        return None;
    };
    let path = PathBuf::from(root).join("attacks-dev").join(format!("{id}.json"));
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

fn genesis(case: &Value) -> Value {
    let chain = &case["chain"];
    json!({
        "alloc": case["alloc"], "config": { "chainId": 31337 },
        "timestamp": format!("{:#x}", chain["genesis"]["timestamp"].as_u64().unwrap()),
        "gasLimit": chain["genesis"]["gasLimit"], "baseFeePerGas": chain["genesis"]["baseFeePerGas"],
        "difficulty": "0x0",
    })
}

/// Whether a transaction succeeded; a busy machine may take a moment to mine it.
async fn succeeded(anvil: &Anvil, hash: B256) -> bool {
    for _ in 0..200 {
        let receipt: Value = anvil.endpoints().request("eth_getTransactionReceipt", [hash]).await.unwrap();
        if !receipt.is_null() {
            return receipt["status"] == "0x1";
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{hash} was not mined")
}

/// Plays everything before the attack and compiles the covered contract.
async fn play(id: &str) -> Option<Result<Compiled, Refusal>> {
    let case = case(id)?;
    let file = std::env::temp_dir().join(format!("breakwater-compiler-{id}-{}.json", std::process::id()));
    std::fs::write(&file, genesis(&case).to_string()).unwrap();
    let started = Anvil::builder().genesis(&file).hardfork("prague").chain_id(31337).start();
    std::fs::remove_file(&file).unwrap();
    let anvil = match started {
        Ok(anvil) => anvil,
        Err(AnvilError::NotFound { .. }) => {
            eprintln!("skipped 1: the anvil binary is not installed");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let attack = case["attackSteps"][0].as_u64().unwrap() as usize;
    for step in &case["steps"].as_array().unwrap()[..attack] {
        let time = step["block"]["timestamp"].as_u64().unwrap();
        anvil.set_next_timestamp(time).await.unwrap();
        let raw = step["raw"].as_str().unwrap();
        let hash: B256 = anvil.endpoints().request("eth_sendRawTransaction", [raw]).await.unwrap();
        assert_eq!(succeeded(&anvil, hash).await, step["status"] == 1, "{id} step {}", step["i"]);
    }
    let subject: Address = case["covered"][0]["address"].as_str().unwrap().parse().unwrap();
    let source: Arc<dyn StateSource> = Arc::new(RpcSource::http(anvil.url().as_str()).unwrap());
    let start = Instant::now();
    let found = compile(source, subject, CompileOptions::default()).await;
    eprintln!("{id}: compiled over RPC in {:?}", start.elapsed());
    Some(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_compile_over_rpc_as_they_do_in_memory() {
    for (id, form) in [
        ("d01", Some(Form::Enumerated)),
        ("d06", Some(Form::Enumerated)),
        ("d11", Some(Form::Ratio)),
        ("d13", Some(Form::Enumerated)),
        ("d15", Some(Form::Geometric)),
        ("d05", None),
    ] {
        let Some(found) = play(id).await else { return };
        match (found, form) {
            (Ok(compiled), Some(form)) => assert_eq!(compiled.spec.form, form, "{id}"),
            (Err(_), None) => {}
            (found, _) => panic!("{id}: {:?}", found.map(|compiled| compiled.explanation)),
        }
    }
}
