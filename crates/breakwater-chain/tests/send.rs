//! Sending through crashes, full mempools, reorganisations and lost nonces, on a real chain.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U64, U256};
use breakwater_chain::{
    Action, ActionKey, ActionState, Anvil, Attempt, Endpoints, FeeLimits, Head, Journal, JournalError,
    MemoryJournal, SendError, SendEvent, SendOptions, SendRequest, Sender,
};
use serde_json::{Value, json};
use support::{Proxy, Twist, anvil, endpoints};

type Memory = Arc<MemoryJournal>;

fn options() -> SendOptions {
    SendOptions { confirmations: 2, bump_after_blocks: 2, attempts_max: 3, ..SendOptions::default() }
}

async fn sender(endpoints: &Endpoints, anvil: &Anvil, journal: &Memory) -> Sender<Memory> {
    let key = anvil.keys()[0].clone();
    Sender::new(endpoints.clone(), journal.clone(), key, options()).await.unwrap()
}

/// A chain that mines on demand. Anvil's first block names an empty state, so there is a second.
async fn manual() -> Option<Anvil> {
    let anvil = anvil(Anvil::builder().automine(false))?;
    anvil.mine(1).await.unwrap();
    Some(anvil)
}

fn key(text: &str) -> ActionKey {
    ActionKey::new(text).unwrap()
}

/// A transfer of one wei to a fresh account, whose balance then counts how often it was sent.
fn gift(name: &str, to: u8) -> SendRequest {
    let mut request = SendRequest::call(key(name), Address::repeat_byte(to), Bytes::new());
    request.value = U256::ONE;
    request
}

async fn gifts(anvil: &Anvil, to: u8) -> U256 {
    let head = head(anvil).await;
    anvil.endpoints().account(&head, Address::repeat_byte(to), &[]).await.unwrap().balance
}

async fn head(anvil: &Anvil) -> Head {
    anvil.endpoints().head().await.unwrap()
}

async fn mine_and_tick(anvil: &Anvil, sender: &Sender<Memory>) -> Vec<SendEvent> {
    anvil.mine(1).await.unwrap();
    sender.tick(&head(anvil).await).await.unwrap()
}

async fn action(journal: &Memory, name: &str) -> Action {
    journal.action(&key(name)).await.unwrap().unwrap()
}

async fn drop_from_pool(anvil: &Anvil, hash: B256) {
    let _: Value = anvil.endpoints().request("anvil_dropTransaction", [hash]).await.unwrap();
}

#[tokio::test]
async fn a_key_is_sent_once_and_becomes_final() {
    let Some(anvil) = manual().await else { return };
    let journal = Memory::default();
    let sender = sender(anvil.endpoints(), &anvil, &journal).await;
    let request = gift("once", 0x11);
    let start = head(&anvil).await;
    for _ in 0..3 {
        assert_eq!(sender.submit(&request, &start).await.unwrap(), ActionState::Signed);
    }
    let second = gift("other", 0x12);
    sender.submit(&second, &start).await.unwrap();
    let events = mine_and_tick(&anvil, &sender).await;
    assert!(
        matches!(&events[..], [SendEvent::Mined { receipt, .. }, SendEvent::Mined { .. }] if receipt.success),
        "{events:?}"
    );
    assert!(mine_and_tick(&anvil, &sender).await.is_empty(), "one block on top is not enough");
    let events = mine_and_tick(&anvil, &sender).await;
    assert!(matches!(&events[..], [SendEvent::Final { .. }, SendEvent::Final { .. }]), "{events:?}");
    assert!(matches!(sender.submit(&request, &start).await.unwrap(), ActionState::Final(_)));
    assert_eq!((gifts(&anvil, 0x11).await, gifts(&anvil, 0x12).await), (U256::ONE, U256::ONE));
    assert_eq!(action(&journal, "once").await.attempts.len(), 1);
    assert!(mine_and_tick(&anvil, &sender).await.is_empty());
}

#[tokio::test]
async fn after_a_crash_before_the_broadcast_the_same_transaction_goes_out() {
    let Some(anvil) = manual().await else { return };
    let journal = Memory::default();
    let mute = Proxy::with(anvil.url(), |method, _| match method {
        "eth_sendRawTransaction" => Twist::Status(500),
        _ => Twist::Pass,
    })
    .await;
    let crashed = sender(&endpoints(&[&mute.url]), &anvil, &journal).await;
    let request = gift("crash", 0x21);
    assert_eq!(crashed.submit(&request, &head(&anvil).await).await.unwrap(), ActionState::Signed);
    drop(crashed);
    let recorded = action(&journal, "crash").await;
    assert!(recorded.last_error.unwrap().contains("HTTP status 500"));

    let again = sender(anvil.endpoints(), &anvil, &journal).await;
    again.submit(&request, &head(&anvil).await).await.unwrap();
    let events = again.tick(&head(&anvil).await).await.unwrap();
    assert!(
        matches!(&events[..], [SendEvent::Dropped { tx_hash, .. }] if *tx_hash == recorded.attempts[0].tx_hash)
    );
    let events = mine_and_tick(&anvil, &again).await;
    assert!(
        matches!(&events[..], [SendEvent::Mined { receipt, .. }] if receipt.tx_hash == recorded.attempts[0].tx_hash),
        "{events:?}"
    );
    assert_eq!(gifts(&anvil, 0x21).await, U256::ONE);
}

/// A journal that fails at the n-th write, as a full disk or a kill would.
#[derive(Debug)]
struct Failing {
    inner: MemoryJournal,
    writes_left: std::sync::atomic::AtomicI64,
}

impl Failing {
    fn write(&self) -> Result<(), JournalError> {
        match self.writes_left.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) > 0 {
            true => Ok(()),
            false => Err(JournalError::new("disk full")),
        }
    }
}

impl Journal for Failing {
    async fn action(&self, key: &ActionKey) -> Result<Option<Action>, JournalError> {
        self.inner.action(key).await
    }
    async fn in_flight(&self, from: Address) -> Result<Vec<Action>, JournalError> {
        self.inner.in_flight(from).await
    }
    async fn next_nonce(&self, from: Address) -> Result<Option<u64>, JournalError> {
        self.inner.next_nonce(from).await
    }
    async fn record(&self, key: &ActionKey, attempt: &Attempt) -> Result<(), JournalError> {
        self.write()?;
        self.inner.record(key, attempt).await
    }
    async fn set_state(&self, key: &ActionKey, state: &ActionState, at: u64) -> Result<(), JournalError> {
        self.write()?;
        self.inner.set_state(key, state, at).await
    }
    async fn note_error(&self, key: &ActionKey, error: &str, at: u64) -> Result<(), JournalError> {
        self.inner.note_error(key, error, at).await
    }
}

#[tokio::test]
async fn nothing_is_broadcast_that_is_not_recorded_and_every_failed_write_is_made_good() {
    let Some(anvil) = manual().await else { return };
    let proxy = Proxy::new(anvil.url()).await;
    let chain = endpoints(&[&proxy.url]);
    for writes in 0..3 {
        let sent_before = proxy.count("eth_sendRawTransaction");
        let journal =
            Arc::new(Failing { inner: MemoryJournal::default(), writes_left: i64::from(writes).into() });
        let signer = anvil.keys()[usize::try_from(writes).unwrap()].clone();
        let sender = Sender::new(chain.clone(), journal.clone(), signer, options()).await.unwrap();
        let to = 0x31 + u8::try_from(writes).unwrap();
        let request = gift("full", to);
        let first = sender.submit(&request, &head(&anvil).await).await;
        if writes == 0 {
            assert!(matches!(first, Err(SendError::Journal(_))), "{first:?}");
            assert_eq!(proxy.count("eth_sendRawTransaction"), sent_before);
        }
        for _ in 0..3 {
            anvil.mine(1).await.unwrap();
            // Failing ticks are what a crash leaves behind.
            let _ = sender.tick(&head(&anvil).await).await;
        }
        journal.writes_left.store(i64::MAX, std::sync::atomic::Ordering::SeqCst);
        sender.submit(&request, &head(&anvil).await).await.unwrap();
        for _ in 0..4 {
            anvil.mine(1).await.unwrap();
            sender.tick(&head(&anvil).await).await.unwrap();
        }
        let state = journal.action(&request.key).await.unwrap().unwrap().state;
        assert!(matches!(state, ActionState::Final(_)), "{writes} writes: {state:?}");
        assert_eq!(gifts(&anvil, to).await, U256::ONE, "{writes} writes");
    }
}

#[tokio::test]
async fn an_overdue_transaction_is_replaced_by_a_dearer_one_until_the_limit() {
    let Some(anvil) = manual().await else { return };
    let journal = Memory::default();
    let sender = sender(anvil.endpoints(), &anvil, &journal).await;
    sender.submit(&gift("slow", 0x41), &head(&anvil).await).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..8 {
        // Whatever is in the pool is thrown out, so that nothing is mined.
        for attempt in action(&journal, "slow").await.attempts {
            drop_from_pool(&anvil, attempt.tx_hash).await;
        }
        seen.extend(mine_and_tick(&anvil, &sender).await);
    }
    let attempts = action(&journal, "slow").await.attempts;
    assert_eq!(attempts.len(), 3, "{seen:?}");
    assert!(attempts.iter().all(|attempt| attempt.nonce == 0));
    assert!(seen.iter().filter(|event| matches!(event, SendEvent::Replaced { .. })).count() == 2);
    assert!(seen.iter().any(|event| matches!(event, SendEvent::Stuck { attempts: 3, .. })), "{seen:?}");
    for pair in attempts.windows(2) {
        let fees: Vec<(u128, u128)> = pair.iter().map(fees_of).collect();
        assert!(fees[1].0 * 8 >= fees[0].0 * 9 && fees[1].1 * 8 >= fees[0].1 * 9, "{fees:?}");
    }
    let events = mine_and_tick(&anvil, &sender).await;
    assert!(
        matches!(&events[..], [SendEvent::Mined { receipt, .. }] if receipt.tx_hash == attempts[2].tx_hash),
        "the last one is kept alive: {events:?}"
    );
    assert_eq!(gifts(&anvil, 0x41).await, U256::ONE);
}

fn fees_of(attempt: &Attempt) -> (u128, u128) {
    use alloy::consensus::Transaction;
    use alloy::eips::eip2718::Decodable2718;
    let tx = alloy::consensus::TxEnvelope::decode_2718(&mut attempt.raw.as_ref()).unwrap();
    (tx.max_fee_per_gas(), tx.max_priority_fee_per_gas().unwrap())
}

#[tokio::test]
async fn an_earlier_attempt_that_is_mined_after_all_counts() {
    let Some(anvil) = manual().await else { return };
    let journal = Memory::default();
    let sender = sender(anvil.endpoints(), &anvil, &journal).await;
    sender.submit(&gift("early", 0x42), &head(&anvil).await).await.unwrap();
    let first = action(&journal, "early").await.attempts[0].clone();
    drop_from_pool(&anvil, first.tx_hash).await;
    mine_and_tick(&anvil, &sender).await;
    drop_from_pool(&anvil, first.tx_hash).await;
    let events = mine_and_tick(&anvil, &sender).await;
    let [SendEvent::Replaced { tx_hash, .. }] = &events[..] else { panic!("{events:?}") };
    drop_from_pool(&anvil, *tx_hash).await;
    let _: B256 = anvil.endpoints().request("eth_sendRawTransaction", [first.raw.clone()]).await.unwrap();
    let events = mine_and_tick(&anvil, &sender).await;
    assert!(
        matches!(&events[..], [SendEvent::Mined { receipt, .. }] if receipt.tx_hash == first.tx_hash),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_transaction_that_is_reorganised_away_goes_out_again() {
    let Some(anvil) = manual().await else { return };
    anvil.mine(3).await.unwrap();
    let journal = Memory::default();
    let sender = sender(anvil.endpoints(), &anvil, &journal).await;
    let snapshot = anvil.snapshot().await.unwrap();
    sender.submit(&gift("reorg", 0x51), &head(&anvil).await).await.unwrap();
    let sent = action(&journal, "reorg").await.attempts[0].tx_hash;
    assert!(matches!(&mine_and_tick(&anvil, &sender).await[..], [SendEvent::Mined { .. }]));

    assert!(anvil.revert(snapshot).await.unwrap());
    drop_from_pool(&anvil, sent).await;
    anvil.set_next_timestamp(head(&anvil).await.timestamp() + 50).await.unwrap();
    let events = mine_and_tick(&anvil, &sender).await;
    assert!(matches!(&events[..], [SendEvent::Reorged { tx_hash, .. }] if *tx_hash == sent), "{events:?}");
    assert_eq!(gifts(&anvil, 0x51).await, U256::ZERO);
    assert_eq!(action(&journal, "reorg").await.state, ActionState::Signed);

    let events = mine_and_tick(&anvil, &sender).await;
    assert!(
        matches!(&events[..], [SendEvent::Mined { receipt, .. }] if receipt.tx_hash == sent),
        "{events:?}"
    );
    mine_and_tick(&anvil, &sender).await;
    assert!(matches!(&mine_and_tick(&anvil, &sender).await[..], [SendEvent::Final { .. }]));
    assert_eq!(gifts(&anvil, 0x51).await, U256::ONE);
}

#[tokio::test]
async fn a_nonce_taken_by_another_program_is_given_up_only_at_depth() {
    let Some(anvil) = manual().await else { return };
    anvil.mine(5).await.unwrap();
    let journal = Memory::default();
    let sender = sender(anvil.endpoints(), &anvil, &journal).await;
    sender.submit(&gift("mine", 0x61), &head(&anvil).await).await.unwrap();
    drop_from_pool(&anvil, action(&journal, "mine").await.attempts[0].tx_hash).await;
    let foreign = json!({"from": sender.address(), "to": Address::repeat_byte(0x62), "value": "0x5"});
    let _: B256 = anvil.endpoints().request("eth_sendTransaction", [foreign]).await.unwrap();

    for blocks_on_top in 0..2 {
        let events = mine_and_tick(&anvil, &sender).await;
        assert!(events.is_empty(), "{blocks_on_top} blocks on top: {events:?}");
    }
    let events = mine_and_tick(&anvil, &sender).await;
    assert!(matches!(&events[..], [SendEvent::NonceTaken { lost: 0, nonce: 1, .. }]), "{events:?}");
    assert!(matches!(&mine_and_tick(&anvil, &sender).await[..], [SendEvent::Mined { .. }]));
    assert_eq!(gifts(&anvil, 0x61).await, U256::ONE);
    assert_eq!(action(&journal, "mine").await.attempts.len(), 2);
}

#[tokio::test]
async fn reverts_are_found_before_sending_and_explained_after() {
    let Some(anvil) = manual().await else { return };
    let at = Address::repeat_byte(0x71);
    // Reverts with the four bytes 0xdeadbeef.
    let _: Value =
        anvil.endpoints().request("anvil_setCode", (at, "0x63deadbeef60e01b60005260046000fd")).await.unwrap();
    anvil.mine(1).await.unwrap();
    let journal = Memory::default();
    let sender = sender(anvil.endpoints(), &anvil, &journal).await;
    let mut request = SendRequest::call(key("revert"), at, Bytes::new());
    let expected = Bytes::from_static(&[0xde, 0xad, 0xbe, 0xef]);
    let error = sender.submit(&request, &head(&anvil).await).await.unwrap_err();
    assert_eq!(error.revert_data(), Some(&expected), "{error}");
    assert_eq!(journal.action(&request.key).await.unwrap(), None, "nothing is recorded");

    request.gas_limit = Some(100_000);
    sender.submit(&request, &head(&anvil).await).await.unwrap();
    let events = mine_and_tick(&anvil, &sender).await;
    let [SendEvent::Reverted { data, receipt, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((data.as_ref(), receipt.success), (Some(&expected), false));
    mine_and_tick(&anvil, &sender).await;
    let events = mine_and_tick(&anvil, &sender).await;
    assert!(matches!(&events[..], [SendEvent::Failed { .. }]), "{events:?}");
    assert!(matches!(action(&journal, "revert").await.state, ActionState::Failed(_)));

    request.key = key("greedy");
    request.gas_limit = Some(u64::MAX);
    let error = sender.submit(&request, &head(&anvil).await).await.unwrap_err();
    assert!(matches!(error, SendError::GasTooHigh { needed: u64::MAX, .. }), "{error}");
}

#[tokio::test]
async fn an_endpoint_that_invents_a_receipt_convinces_nobody() {
    let Some(anvil) = manual().await else { return };
    let journal = Memory::default();
    let inventor = Proxy::with(anvil.url(), |method, params| match method {
        "eth_getTransactionReceipt" => Twist::Answer(json!({
            "transactionHash": params[0], "transactionIndex": "0x0", "type": "0x2", "status": "0x1",
            "blockHash": B256::repeat_byte(3), "blockNumber": "0x1", "gasUsed": "0x5208",
            "cumulativeGasUsed": "0x5208", "effectiveGasPrice": "0x1", "logs": [],
            "logsBloom": format!("0x{}", "00".repeat(256)), "from": Address::ZERO,
        })),
        "eth_sendRawTransaction" => Twist::Answer(json!(B256::ZERO)),
        _ => Twist::Pass,
    })
    .await;
    let sender = sender(&endpoints(&[&inventor.url]), &anvil, &journal).await;
    sender.submit(&gift("invented", 0x81), &head(&anvil).await).await.unwrap();
    for _ in 0..4 {
        let events = mine_and_tick(&anvil, &sender).await;
        assert!(!events.iter().any(|event| matches!(event, SendEvent::Mined { .. })), "{events:?}");
    }
    assert_eq!(action(&journal, "invented").await.state, ActionState::Signed);
}

#[tokio::test]
async fn a_one_shot_command_waits_for_its_receipt() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    anvil.mine(1).await.unwrap();
    let fees = FeeLimits { fee_max: 1, tip_min: 0, tip_max: 0 };
    let options = SendOptions { confirmations: 0, ..SendOptions::default() };
    let signer = anvil.keys()[0].clone();
    let sender =
        Sender::new(anvil.endpoints().clone(), MemoryJournal::default(), signer.clone(), options.clone())
            .await
            .unwrap();
    let receipt = sender.send_and_wait(&gift("now", 0x91), Duration::from_millis(20), 5).await.unwrap();
    assert!(receipt.success);
    assert_eq!(gifts(&anvil, 0x91).await, U256::ONE);

    // With a fee below the base fee nothing is mined, and the wait ends by itself.
    let poor = SendOptions { fees, ..options };
    let sender =
        Sender::new(anvil.endpoints().clone(), MemoryJournal::default(), signer, poor).await.unwrap();
    let waiting =
        async { sender.send_and_wait(&gift("poor", 0x92), Duration::from_millis(20), 2).await.unwrap_err() };
    let mining = async {
        for _ in 0..6 {
            anvil.mine(1).await.unwrap();
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    };
    let (error, ()) = tokio::join!(waiting, mining);
    assert!(matches!(error, SendError::NotFinal { blocks: 2, .. }), "{error}");
    let nonce: U64 =
        anvil.endpoints().request("eth_getTransactionCount", (sender.address(), "latest")).await.unwrap();
    assert_eq!(nonce, U64::ONE);
}

#[tokio::test]
async fn a_later_nonce_is_not_made_dearer_for_an_earlier_ones_sake() {
    let Some(anvil) = manual().await else { return };
    let journal = Memory::default();
    let sender = sender(anvil.endpoints(), &anvil, &journal).await;
    let start = head(&anvil).await;
    sender.submit(&gift("first", 0xa1), &start).await.unwrap();
    sender.submit(&gift("second", 0xa2), &start).await.unwrap();
    for _ in 0..6 {
        for attempt in action(&journal, "first").await.attempts {
            drop_from_pool(&anvil, attempt.tx_hash).await;
        }
        mine_and_tick(&anvil, &sender).await;
    }
    assert_eq!(action(&journal, "first").await.attempts.len(), 3);
    assert_eq!(action(&journal, "second").await.attempts.len(), 1);
}

#[tokio::test]
async fn a_receipt_of_another_branch_never_becomes_final() {
    let Some(anvil) = manual().await else { return };
    let journal = Memory::default();
    let elsewhere = Proxy::with(anvil.url(), |method, _| match method {
        "eth_getTransactionReceipt" => support::edit(|mut receipt| {
            if !receipt.is_null() {
                receipt["blockHash"] = json!(B256::repeat_byte(5));
            }
            receipt
        }),
        _ => Twist::Pass,
    })
    .await;
    let sender = sender(&endpoints(&[&elsewhere.url]), &anvil, &journal).await;
    sender.submit(&gift("elsewhere", 0xa3), &head(&anvil).await).await.unwrap();
    for _ in 0..5 {
        let events = mine_and_tick(&anvil, &sender).await;
        assert!(!events.iter().any(|event| matches!(event, SendEvent::Final { .. })), "{events:?}");
    }
    elsewhere.set(|_, _| Twist::Pass);
    let events = mine_and_tick(&anvil, &sender).await;
    assert!(matches!(events.last(), Some(SendEvent::Final { .. })), "{events:?}");
}

#[tokio::test]
async fn one_endpoint_that_knows_the_receipt_prevents_a_second_transaction() {
    let Some(anvil) = manual().await else { return };
    let journal = Memory::default();
    let forgets = |method: &str, _: &Value| match method {
        "eth_getTransactionReceipt" => Twist::Answer(Value::Null),
        _ => Twist::Pass,
    };
    let (one, two) = (Proxy::with(anvil.url(), forgets).await, Proxy::with(anvil.url(), forgets).await);
    let sender = sender(&endpoints(&[&one.url, &two.url, anvil.url()]), &anvil, &journal).await;
    sender.submit(&gift("forgotten", 0xa4), &head(&anvil).await).await.unwrap();
    for _ in 0..6 {
        let events = mine_and_tick(&anvil, &sender).await;
        assert!(!events.iter().any(|event| matches!(event, SendEvent::NonceTaken { .. })), "{events:?}");
    }
    assert_eq!(action(&journal, "forgotten").await.attempts.len(), 1);
    assert_eq!(gifts(&anvil, 0xa4).await, U256::ONE);
}

#[tokio::test]
async fn an_action_that_keeps_losing_its_nonce_fails() {
    let Some(anvil) = manual().await else { return };
    let journal = Memory::default();
    let key = anvil.keys()[0].clone();
    let once = SendOptions { nonces_max: 1, ..options() };
    let sender = Sender::new(anvil.endpoints().clone(), journal.clone(), key, once).await.unwrap();
    sender.submit(&gift("loser", 0xa5), &head(&anvil).await).await.unwrap();
    drop_from_pool(&anvil, action(&journal, "loser").await.attempts[0].tx_hash).await;
    let foreign = json!({"from": sender.address(), "to": Address::repeat_byte(0xa6), "value": "0x5"});
    let _: B256 = anvil.endpoints().request("eth_sendTransaction", [foreign]).await.unwrap();
    let mut last = Vec::new();
    for _ in 0..3 {
        last = mine_and_tick(&anvil, &sender).await;
    }
    assert!(matches!(&last[..], [SendEvent::Failed { .. }]), "{last:?}");
    assert!(matches!(action(&journal, "loser").await.state, ActionState::Failed(_)));
}
