//! The source over JSON-RPC, against a local anvil chain.
//!
//! Without the anvil binary the test says that it was skipped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use alloy::primitives::{Address, B256, Bytes, U256, address};
use breakwater_chain::{Anvil, AnvilError};
use breakwater_evm::{
    BlockRef, CallRequest, Reader, RpcSource, Rules, SourceError, StateSource, View, off_thread,
    replay_block, replay_tx,
};
use serde_json::{Value, json};

const HISTORY: Address = address!("0x0000F90827F1C53a10cb7A02335B175320002935");

async fn send(anvil: &Anvil, tx: Value) -> Value {
    let hash: B256 = anvil.endpoints().request("eth_sendTransaction", [tx]).await.unwrap();
    anvil.endpoints().request("eth_getTransactionReceipt", [hash]).await.unwrap()
}

fn started() -> Option<Anvil> {
    match Anvil::builder().hardfork("prague").start() {
        Ok(anvil) => Some(anvil),
        Err(AnvilError::NotFound { .. }) => {
            eprintln!("skipped 1: the anvil binary is not installed");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Deployment code that returns the given runtime code.
fn deployment(runtime: &Bytes) -> Bytes {
    let len = u8::try_from(runtime.len()).unwrap();
    [&[0x60, len, 0x80, 0x60, 0x09, 0x3d, 0x39, 0x3d, 0xf3][..], runtime].concat().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_replay_over_rpc_and_views_are_pinned() {
    let Some(anvil) = started() else { return };
    let from = anvil.keys()[0].address();
    // Increments slot 0 when called without data; returns it when called with data.
    let runtime: Bytes = "0x36600c5760015f54015f55005b5f545f5260205ff3".parse().unwrap();
    let made = send(&anvil, json!({ "from": from, "data": deployment(&runtime) })).await;
    let counter: Address = made["contractAddress"].as_str().unwrap().parse().unwrap();
    for _ in 0..3 {
        send(&anvil, json!({ "from": from, "to": counter })).await;
    }
    // Value to a fresh account, and a call that reverts.
    send(&anvil, json!({ "from": from, "to": Address::repeat_byte(0x77), "value": "0x5" })).await;
    let source: Arc<dyn StateSource> = Arc::new(RpcSource::http(anvil.url().as_str()).unwrap());
    let newest = source.latest().await.unwrap();
    let reader = Reader::new(source.clone());
    off_thread(move || {
        for number in 1..=newest {
            let replay = replay_block(&reader, number, Rules::Auto).unwrap();
            replay.check(&reader.receipts(replay.head.block).unwrap()).unwrap();
        }
        let third = replay_tx(&reader, 4, 0, Rules::Auto).unwrap();
        let store = third.outcome.trace.stores().next().unwrap();
        assert_eq!(store, (counter, U256::ZERO, U256::from(2), U256::from(3)));
        for (number, count) in [(1, 0u64), (2, 1), (3, 2), (4, 3)] {
            let view = View::at(&reader, number, Rules::Auto).unwrap();
            let request = CallRequest::new(counter, vec![1]);
            assert_eq!(view.call(&request).unwrap().word(), Some(U256::from(count)), "block {number}");
            assert_eq!(view.storage(counter, U256::ZERO).unwrap(), U256::from(count));
            let what_if = request.with_word(counter, U256::ZERO, U256::from(99));
            assert_eq!(view.quick(&what_if).unwrap().word(), Some(U256::from(99)));
        }
        let view = View::at(&reader, 5, Rules::Auto).unwrap();
        assert_eq!(view.balance(Address::repeat_byte(0x77)).unwrap(), U256::from(5));
        assert_eq!(view.code(counter).unwrap(), runtime);
        // The history contract answers with the parent's hash, so a replay ran the system call.
        let parent = CallRequest::new(HISTORY, U256::from(3).to_be_bytes_vec());
        assert_eq!(view.call(&parent).unwrap().word(), Some(reader.head(3).unwrap().block.hash.into()));
        assert!(matches!(reader.head(newest + 9), Err(SourceError::UnknownBlock { .. })));
        let elsewhere = BlockRef { number: 2, hash: B256::repeat_byte(1) };
        assert!(reader.storage(counter, U256::ZERO, elsewhere).unwrap_err().can_heal());
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn waiting_on_a_single_threaded_runtime_is_refused_by_name() {
    let reader = Reader::new(Arc::new(RpcSource::http("http://127.0.0.1:9").unwrap()));
    assert_eq!(reader.latest().unwrap_err(), SourceError::NeedsRuntime);
}
