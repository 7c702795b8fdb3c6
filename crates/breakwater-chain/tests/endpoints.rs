//! Endpoints against a real chain behind proxies that fail, lag and lie.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::time::{Duration, Instant};

use alloy::primitives::{Address, B256, Bytes, U64, U256};
use alloy::rpc::types::{Filter, TransactionRequest};
use breakwater_chain::{Anvil, ChainError, Endpoints, Head, Limits};
use serde_json::{Value, json};
use support::{Proxy, Twist, anvil, edit, endpoints};

/// Runtime code that emits one log with the topic 0x2a and its calldata size as data.
const LOGGER: &str = "0x36600052602a60206000a100";

/// Creation code that returns the code after its first twelve bytes.
fn creation(runtime: &str) -> Bytes {
    let runtime: Bytes = runtime.parse().unwrap();
    let mut code =
        vec![0x60, runtime.len() as u8, 0x60, 12, 0x60, 0, 0x39, 0x60, runtime.len() as u8, 0x60, 0, 0xf3];
    code.extend_from_slice(&runtime);
    code.into()
}

async fn deploy(anvil: &Anvil, runtime: &str) -> Address {
    let from = anvil.keys()[0].address();
    let sent: B256 = anvil
        .endpoints()
        .request("eth_sendTransaction", [json!({"from": from, "data": creation(runtime), "gas": "0x100000"})])
        .await
        .unwrap();
    support::mined(anvil, sent).await.created.unwrap()
}

async fn poke(anvil: &Anvil, to: Address) -> B256 {
    let from = anvil.keys()[0].address();
    let call = json!({"from": from, "to": to, "data": "0x01", "gas": "0x100000"});
    let sent = anvil.endpoints().request("eth_sendTransaction", [call]).await.unwrap();
    support::mined(anvil, sent).await.tx_hash
}

#[tokio::test]
async fn failing_endpoints_are_passed_over_and_retried() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    let mut failures = 2;
    let flaky = Proxy::with(anvil.url(), move |_, _| {
        failures -= 1;
        if failures >= 0 { Twist::Status(503) } else { Twist::Pass }
    })
    .await;
    let alone = endpoints(&[&flaky.url]);
    assert_eq!(alone.chain_id().await.unwrap(), 31337, "the third round gets through");
    assert_eq!(flaky.count("eth_chainId"), 3);

    let dead = Proxy::with(anvil.url(), |_, _| Twist::Status(500)).await;
    let pair = endpoints(&[&dead.url, anvil.url()]);
    let number: U64 = pair.request("eth_blockNumber", ()).await.unwrap();
    assert_eq!(number, U64::ZERO);
    assert!(pair.health()[0].demoted, "{:?}", pair.health());
    let _: U64 = pair.request("eth_blockNumber", ()).await.unwrap();
    assert_eq!(dead.count("eth_blockNumber"), 1, "a failing endpoint is left alone for a while");

    let gone = endpoints(&[&dead.url]);
    let error = gone.chain_id().await.unwrap_err();
    let ChainError::Exhausted { rounds: 3, faults, .. } = &error else { panic!("{error}") };
    assert_eq!(faults.len(), 1);
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_hanging_endpoint_costs_one_timeout() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    let slow = Proxy::with(anvil.url(), |_, _| Twist::Delay(Duration::from_secs(60))).await;
    let limits = Limits { call_timeout: Duration::from_millis(300), ..Limits::default() };
    let pair = Endpoints::new(&[slow.url.clone(), anvil.url().clone()], limits).unwrap();
    let start = Instant::now();
    for _ in 0..5 {
        assert_eq!(pair.head().await.unwrap().number(), 0);
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(slow.count("eth_blockNumber"), 1);
}

#[tokio::test]
async fn a_header_that_does_not_hash_is_refused_and_its_teller_recorded() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    anvil.mine(3).await.unwrap();
    let truth = anvil.endpoints().head_at(2, None).await.unwrap();
    // First the fields are changed, then a consistent but different header is given.
    let other = serde_json::to_value(header_json(&anvil, 1).await).unwrap();
    let twists: [fn(Value, Value) -> Value; 2] = [
        |mut header, _| {
            header["stateRoot"] = json!(B256::repeat_byte(7));
            header
        },
        |_, other| other,
    ];
    for twist in twists {
        let given = other.clone();
        let liar = Proxy::with(anvil.url(), move |_, _| {
            let given = given.clone();
            edit(move |header| twist(header, given))
        })
        .await;
        let pair = endpoints(&[&liar.url, anvil.url()]);
        assert_eq!(pair.head_by_hash(truth.hash()).await.unwrap(), truth);
        assert_eq!(pair.health()[0].lies, 1);
        assert_eq!(pair.health()[1].lies, 0);
        let error = endpoints(&[&liar.url]).head_by_hash(truth.hash()).await.unwrap_err();
        assert!(!error.is_transient(), "{error}");
    }
    assert_eq!(Head::from_rlp(truth.rlp().clone()).unwrap(), truth);
    assert!(matches!(
        anvil.endpoints().head_by_hash(B256::repeat_byte(9)).await,
        Err(ChainError::NotFound { .. })
    ));
}

async fn header_json(anvil: &Anvil, number: u64) -> Value {
    anvil.endpoints().request("eth_getBlockByNumber", (U64::from(number), false)).await.unwrap()
}

#[tokio::test]
async fn one_liar_about_a_height_is_outvoted_by_two() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    anvil.mine(3).await.unwrap();
    // Another chain gives headers that are consistent in themselves.
    let Some(fork) = self::anvil(Anvil::builder().timestamp(1_900_000_000)) else { return };
    fork.mine(3).await.unwrap();
    let truth = anvil.endpoints().head_at(2, None).await.unwrap();
    let second = Proxy::new(anvil.url()).await;

    let three = endpoints(&[fork.url(), anvil.url(), &second.url]);
    assert_eq!(three.head_at(2, None).await.unwrap(), truth);
    let lie = fork.endpoints().head_at(2, None).await.unwrap();
    assert_eq!(three.head_at(2, Some(lie.parent_hash())).await.unwrap(), truth);

    let two = endpoints(&[fork.url(), anvil.url()]);
    assert_eq!(two.head_at(2, Some(truth.parent_hash())).await.unwrap(), truth);
    let error = two.head_at(2, None).await.unwrap_err();
    let ChainError::Disagreement { number: 2, answers } = &error else { panic!("{error}") };
    assert_eq!(answers.len(), 2);
    assert!(matches!(two.receipt(B256::ZERO).await, Ok(None)));
}

#[tokio::test]
async fn a_false_proof_or_code_comes_from_the_next_endpoint() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    let logger = deploy(&anvil, LOGGER).await;
    let head = anvil.endpoints().head().await.unwrap();
    let rich = anvil.keys()[1].address();
    let liar = Proxy::with(anvil.url(), |method, _| match method {
        "eth_getProof" => edit(|mut proof| {
            proof["balance"] = json!("0x1");
            proof
        }),
        "eth_getCode" => Twist::Answer(json!("0x00")),
        _ => Twist::Pass,
    })
    .await;
    let pair = endpoints(&[&liar.url, anvil.url()]);
    let slots = [B256::ZERO, B256::repeat_byte(1)];
    let account = pair.account(&head, rich, &slots).await.unwrap();
    assert_eq!(account.balance, U256::from(10_000) * U256::from(10).pow(U256::from(18)));
    assert_eq!(account.storage, [U256::ZERO, U256::ZERO]);
    assert_eq!(pair.health()[0].lies, 1);
    let nobody = pair.account(&head, Address::repeat_byte(0x5e), &[]).await.unwrap();
    assert_eq!((nobody.nonce, nobody.balance), (0, U256::ZERO));
    assert_eq!(pair.code(&head, logger).await.unwrap(), LOGGER.parse::<Bytes>().unwrap());

    let false_code = endpoints(&[&liar.url]);
    let truth = anvil.endpoints().account(&head, logger, &[]).await.unwrap();
    let error = false_code.code_with_hash(&head, logger, truth.code_hash).await.unwrap_err();
    assert!(error.to_string().contains("hash of the code"), "{error}");
}

#[tokio::test]
async fn a_storage_word_is_proven_and_a_forged_one_refused() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    // Stores 0x1234 in slot 5 while it is created and leaves one byte of code.
    let from = anvil.keys()[0].address();
    let code = "0x6112346005556001600053600160 00f3".replace(' ', "");
    let sent: B256 = anvil
        .endpoints()
        .request("eth_sendTransaction", [json!({"from": from, "data": code, "gas": "0x100000"})])
        .await
        .unwrap();
    let at = support::mined(&anvil, sent).await.created.unwrap();
    let head = anvil.endpoints().head().await.unwrap();
    let five = B256::with_last_byte(5);
    let account = anvil.endpoints().account(&head, at, &[five, B256::ZERO]).await.unwrap();
    assert_eq!(account.storage, [U256::from(0x1234), U256::ZERO]);

    for forged in ["0x1235", "0x0"] {
        let liar = Proxy::with(anvil.url(), move |_, _| {
            edit(move |mut proof| {
                proof["storageProof"][0]["value"] = json!(forged);
                proof
            })
        })
        .await;
        let error = endpoints(&[&liar.url]).account(&head, at, &[five]).await.unwrap_err();
        assert!(error.to_string().contains("false answer: storage proof"), "{error}");
    }
}

#[tokio::test]
async fn the_height_is_the_one_that_half_have_reached() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    anvil.mine(10).await.unwrap();
    let ahead = Proxy::with(anvil.url(), |method, _| match method {
        "eth_blockNumber" => Twist::Answer(json!("0xffffffffffffffff")),
        _ => Twist::Pass,
    })
    .await;
    let honest = Proxy::new(anvil.url()).await;
    let three = endpoints(&[&ahead.url, anvil.url(), &honest.url]);
    assert_eq!(three.head_number().await.unwrap(), 10, "one endpoint cannot pull the height up");

    let behind = Proxy::with(anvil.url(), |method, _| match method {
        "eth_blockNumber" => Twist::Answer(json!("0x2")),
        _ => Twist::Pass,
    })
    .await;
    let pair = endpoints(&[&behind.url, anvil.url()]);
    assert_eq!(pair.head_number().await.unwrap(), 10);
    assert!(pair.health()[0].demoted);

    // A block or two apart is how honest nodes stand; of two, the lower height is common to both.
    let near = Proxy::with(anvil.url(), |method, _| match method {
        "eth_blockNumber" => Twist::Answer(json!("0x9")),
        _ => Twist::Pass,
    })
    .await;
    for order in [[&near.url, anvil.url()], [anvil.url(), &near.url]] {
        let pair = endpoints(&order);
        assert_eq!(pair.head_number().await.unwrap(), 9);
        assert!(pair.health().iter().all(|health| !health.demoted));
    }
}

#[tokio::test]
async fn a_proof_of_something_else_is_refused() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    anvil.mine(1).await.unwrap();
    let head = anvil.endpoints().head().await.unwrap();
    let (asked, other) = (anvil.keys()[0].address(), anvil.keys()[1].address());
    // Both proofs are true of what they name.
    let swap = Proxy::with(anvil.url(), move |method, params| match method {
        "eth_getProof" if params[0] == json!(asked) => Twist::Rewrite(json!([other, params[1], params[2]])),
        "eth_getProof" => Twist::Rewrite(json!([params[0], [B256::with_last_byte(9)], params[2]])),
        _ => Twist::Pass,
    })
    .await;
    let error = endpoints(&[&swap.url]).account(&head, asked, &[]).await.unwrap_err();
    assert!(error.to_string().contains("address of the proof"), "{error}");
    let error = endpoints(&[&swap.url]).account(&head, other, &[B256::ZERO]).await.unwrap_err();
    assert!(error.to_string().contains("slot of a storage proof"), "{error}");
    let error = endpoints(&[&swap.url]).account(&head, other, &[]).await.unwrap_err();
    assert!(error.to_string().contains("number of storage proofs: expected 0, got 1"), "{error}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    let flood = Proxy::with(anvil.url(), |_, _| Twist::Answer(json!("0".repeat(100_000)))).await;
    let limits = Limits { answer_bytes_max: 50_000, ..support::quick() };
    let chain = Endpoints::new(std::slice::from_ref(&flood.url), limits).unwrap();
    let error = chain.chain_id().await.unwrap_err();
    assert!(error.to_string().contains("answer larger than 50000 bytes"), "{error}");
}

#[tokio::test]
async fn a_revert_carries_its_data_and_is_not_retried() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    // Reverts with the four bytes 0xdeadbeef.
    let reverter = deploy(&anvil, "0x63deadbeef60e01b60005260046000fd").await;
    let proxy = Proxy::new(anvil.url()).await;
    let chain = endpoints(&[&proxy.url]);
    let head = chain.head().await.unwrap();
    let call = TransactionRequest { to: Some(reverter.into()), ..Default::default() };
    let error = chain.call(&head, &call).await.unwrap_err();
    assert_eq!(error.revert_data(), Some(&Bytes::from_static(&[0xde, 0xad, 0xbe, 0xef])));
    assert!(!error.is_transient());
    assert_eq!(proxy.count("eth_call"), 1);
}

#[tokio::test]
async fn blocks_and_receipts_verify_against_their_roots() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    let logger = deploy(&anvil, LOGGER).await;
    let hash = poke(&anvil, logger).await;
    let receipt = anvil.endpoints().receipt(hash).await.unwrap().unwrap();
    let head = anvil.endpoints().head_by_hash(receipt.block_hash).await.unwrap();
    let liar = Proxy::with(anvil.url(), |method, _| match method {
        "eth_getBlockReceipts" => edit(|mut receipts| {
            receipts[0]["logs"] = json!([]);
            receipts
        }),
        "eth_getBlockByHash" => edit(|mut block| {
            block["transactions"] = json!([]);
            block
        }),
        _ => Twist::Pass,
    })
    .await;
    let pair = endpoints(&[&liar.url, anvil.url()]);
    assert_eq!(pair.receipts(&head).await.unwrap()[0].transaction_hash, hash);
    assert_eq!(pair.health()[0].lies, 1);
    let fresh = endpoints(&[&liar.url, anvil.url()]);
    assert_eq!(*fresh.transactions(&head).await.unwrap()[0].inner.tx_hash(), hash);
    assert_eq!(fresh.health()[0].lies, 1);
}

#[tokio::test]
async fn an_omitted_log_is_found_through_the_receipts() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    let logger = deploy(&anvil, LOGGER).await;
    for _ in 0..4 {
        poke(&anvil, logger).await;
    }
    let filter = Filter::new().address(logger);
    let truth = anvil.endpoints().logs(0..=10, &filter).await.unwrap();
    assert_eq!(truth.len(), 4);
    assert_eq!(truth[0].inner.data.topics(), [B256::with_last_byte(0x2a)]);
    let liar = Proxy::with(anvil.url(), |method, _| match method {
        "eth_getLogs" => edit(|mut logs| {
            logs.as_array_mut().unwrap().remove(1);
            logs
        }),
        _ => Twist::Pass,
    })
    .await;
    for order in [[&liar.url, anvil.url()], [anvil.url(), &liar.url]] {
        let pair = endpoints(&order);
        let found = pair.logs(0..=10, &filter).await.unwrap();
        let places = |logs: &[alloy::rpc::types::Log]| -> Vec<_> {
            logs.iter()
                .map(|log| {
                    (
                        log.block_hash,
                        log.transaction_hash,
                        log.transaction_index,
                        log.log_index,
                        log.inner.clone(),
                    )
                })
                .collect()
        };
        assert_eq!(places(&found), places(&truth));
    }
    let stranger = Filter::new().address(Address::repeat_byte(1));
    assert_eq!(anvil.endpoints().logs(0..=10, &stranger).await.unwrap(), []);

    let everything = json!({"fromBlock": "0x0", "toBlock": "0xa"});
    let padder = Proxy::with(anvil.url(), move |method, _| match method {
        "eth_getLogs" => Twist::Rewrite(json!([everything])),
        _ => Twist::Pass,
    })
    .await;
    let error = endpoints(&[&padder.url]).logs(0..=10, &stranger).await.unwrap_err();
    assert!(error.to_string().contains("log that matches the filter"), "{error}");
    let error = endpoints(&[&padder.url]).logs(0..=1, &filter).await.unwrap_err();
    assert!(error.to_string().contains("block of a log"), "{error}");
}

#[tokio::test]
async fn long_log_ranges_are_cut_where_a_node_refuses() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    let logger = deploy(&anvil, LOGGER).await;
    for _ in 0..9 {
        poke(&anvil, logger).await;
    }
    let width = |params: &Value| {
        let bound = |name: &str| {
            let text = params[0][name].as_str().unwrap().trim_start_matches("0x");
            u64::from_str_radix(text, 16).unwrap()
        };
        bound("toBlock") - bound("fromBlock") + 1
    };
    let narrow = Proxy::with(anvil.url(), move |method, params| match method {
        "eth_getLogs" if width(params) > 3 => Twist::Error(-32005, "query returned more than 10000 results"),
        _ => Twist::Pass,
    })
    .await;
    let chain = endpoints(&[&narrow.url]);
    let filter = Filter::new().address(logger);
    assert_eq!(chain.logs(0..=10, &filter).await.unwrap().len(), 9);
    narrow.set(|_, _| Twist::Error(-32005, "query returned more than 10000 results"));
    let error = chain.logs(0..=10, &filter).await.unwrap_err();
    assert!(matches!(error, ChainError::LogsTooMany { number: 0, .. }), "{error}");
}
