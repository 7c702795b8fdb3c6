//! Following a real chain through gaps, reorganisations, lag, lies and restarts.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use breakwater_chain::{
    Anvil, BATCH_BLOCKS, ChainError, ChainEvent, Endpoints, Follower, Head, WINDOW_BLOCKS,
};
use serde_json::{Value, json};
use support::{Proxy, Twist, anvil, edit, endpoints};

async fn follower(endpoints: &Endpoints) -> Follower {
    let genesis = endpoints.head_at(0, None).await.unwrap();
    Follower::from_head(endpoints.clone(), genesis)
}

async fn drain(follower: &mut Follower) -> Vec<ChainEvent> {
    let mut all = Vec::new();
    loop {
        let events = follower.poll().await.unwrap();
        if events.is_empty() {
            return all;
        }
        all.extend(events);
    }
}

fn blocks(events: &[ChainEvent]) -> Vec<&Head> {
    events
        .iter()
        .filter_map(|event| match event {
            ChainEvent::Block(head) => Some(head),
            ChainEvent::Reorg { .. } => None,
        })
        .collect()
}

/// Applies events as a consumer would and fails on any gap or false link.
fn apply(chain: &mut Vec<Head>, events: &[ChainEvent]) {
    for event in events {
        match event {
            ChainEvent::Block(head) => {
                let tip = chain.last().unwrap();
                assert_eq!((head.parent_hash(), head.number()), (tip.hash(), tip.number() + 1));
                chain.push(head.clone());
            }
            ChainEvent::Reorg { common_ancestor, dropped } => {
                let keep = chain.len() - dropped.len();
                assert_eq!(&chain[keep..], &dropped[..], "dropped blocks are those followed, oldest first");
                chain.truncate(keep);
                assert_eq!(chain.last(), Some(common_ancestor));
            }
        }
    }
}

#[tokio::test]
async fn every_missed_block_comes_once_and_in_order() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    let mut follower = follower(anvil.endpoints()).await;
    assert_eq!(follower.poll().await.unwrap(), []);
    let total = BATCH_BLOCKS * 2 + 5;
    anvil.mine(total).await.unwrap();
    let first = follower.poll().await.unwrap();
    assert_eq!(first.len() as u64, BATCH_BLOCKS, "a poll brings a bounded batch");
    let mut events = first;
    events.extend(drain(&mut follower).await);
    let numbers: Vec<u64> = blocks(&events).iter().map(|head| head.number()).collect();
    assert_eq!(numbers, (1..=total).collect::<Vec<_>>());
    for pair in blocks(&events).windows(2) {
        assert_eq!(pair[1].parent_hash(), pair[0].hash());
    }
    anvil.mine(1).await.unwrap();
    assert_eq!(follower.next(Duration::from_millis(20)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_reorganisation_names_its_ancestor_and_what_fell_away() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    let mut follower = follower(anvil.endpoints()).await;
    let mut chain = vec![follower.tip().clone()];
    anvil.mine(10).await.unwrap();
    apply(&mut chain, &drain(&mut follower).await);
    let before = chain.clone();

    anvil.reorg(3).await.unwrap();
    let events = drain(&mut follower).await;
    let ChainEvent::Reorg { common_ancestor, dropped } = &events[0] else { panic!("{events:?}") };
    assert_eq!((common_ancestor, &dropped[..]), (&before[7], &before[8..]));
    apply(&mut chain, &events);
    assert_eq!(chain.last().unwrap(), &anvil.endpoints().head().await.unwrap());

    // Reorganised and grown before the next look.
    anvil.reorg(4).await.unwrap();
    anvil.mine(6).await.unwrap();
    apply(&mut chain, &drain(&mut follower).await);
    assert_eq!(chain.len(), 17);
    assert_eq!(chain.last().unwrap(), &anvil.endpoints().head().await.unwrap());
}

#[tokio::test]
async fn a_shorter_chain_counts_once_it_differs() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    let mut follower = follower(anvil.endpoints()).await;
    let mut chain = vec![follower.tip().clone()];
    anvil.mine(4).await.unwrap();
    let snapshot = anvil.snapshot().await.unwrap();
    anvil.mine(5).await.unwrap();
    apply(&mut chain, &drain(&mut follower).await);
    assert!(anvil.revert(snapshot).await.unwrap());
    assert_eq!(anvil.endpoints().head_number().await.unwrap(), 4);
    assert_eq!(drain(&mut follower).await, [], "a lower height alone is what a lagging node shows");
    anvil.set_next_timestamp(chain[9].timestamp() + 100).await.unwrap();
    anvil.mine(1).await.unwrap();
    let events = drain(&mut follower).await;
    assert!(matches!(&events[0], ChainEvent::Reorg { dropped, .. } if dropped.len() == 5), "{events:?}");
    apply(&mut chain, &events);
    assert_eq!(chain.len(), 6);
}

#[tokio::test]
async fn an_endpoint_that_lags_causes_no_false_reorganisation() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    anvil.mine(9).await.unwrap();
    let shown = Arc::new(AtomicU64::new(9));
    let limit = shown.clone();
    let lagging = Proxy::with(anvil.url(), move |method, params: &Value| {
        let limit = limit.load(SeqCst);
        let asked =
            params[0].as_str().and_then(|text| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok());
        match method {
            "eth_blockNumber" => Twist::Answer(json!(format!("{limit:#x}"))),
            "eth_getBlockByNumber" if asked.is_some_and(|asked| asked > limit) => Twist::Answer(Value::Null),
            _ => Twist::Pass,
        }
    })
    .await;
    let alone = endpoints(&[&lagging.url]);
    let mut follower = follower(&alone).await;
    assert_eq!(drain(&mut follower).await.len(), 9);
    for height in [6, 3, 0, 9] {
        shown.store(height, SeqCst);
        assert_eq!(drain(&mut follower).await, [], "at height {height}");
    }
    anvil.mine(1).await.unwrap();
    shown.store(10, SeqCst);
    let events = drain(&mut follower).await;
    assert!(matches!(&events[..], [ChainEvent::Block(head)] if head.number() == 10));
}

#[tokio::test]
async fn following_goes_on_after_a_restart_across_a_reorganisation() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    let mut follower = follower(anvil.endpoints()).await;
    let mut chain = vec![follower.tip().clone()];
    anvil.mine(12).await.unwrap();
    apply(&mut chain, &drain(&mut follower).await);
    let kept: Vec<Head> = follower.window().cloned().collect();
    drop(follower);

    anvil.reorg(5).await.unwrap();
    anvil.mine(2).await.unwrap();
    let tail = kept[kept.len() - 3..].to_vec();
    let mut resumed = Follower::resume(anvil.endpoints().clone(), kept).unwrap();
    apply(&mut chain, &drain(&mut resumed).await);
    assert_eq!(chain.len(), 15);

    // With too few blocks remembered, the break is named and nothing is guessed.
    let mut short = Follower::resume(anvil.endpoints().clone(), tail).unwrap();
    let error = short.poll().await.unwrap_err();
    assert_eq!(error, ChainError::ReorgTooDeep { oldest: 10, window: 3 });
    assert!(!error.is_transient());
    assert!(matches!(Follower::resume(anvil.endpoints().clone(), vec![]), Err(ChainError::Empty(_))));
    let gap = vec![chain[3].clone(), chain[5].clone()];
    assert!(matches!(
        Follower::resume(anvil.endpoints().clone(), gap),
        Err(ChainError::BrokenWindow { number: 5, .. })
    ));
}

#[tokio::test]
async fn memory_is_bounded() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    let mut follower = follower(anvil.endpoints()).await;
    anvil.mine(WINDOW_BLOCKS as u64 + 40).await.unwrap();
    drain(&mut follower).await;
    assert_eq!(follower.window().count(), WINDOW_BLOCKS);
    assert_eq!(follower.followed(40), None);
    assert_eq!(follower.followed(41).unwrap().number(), 41);
    assert_eq!(follower.followed(follower.tip().number() + 1), None);
}

#[tokio::test]
async fn lies_in_between_are_replaced_by_what_links() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    anvil.mine(20).await.unwrap();
    // Gives the parent of what is asked for, except for the newest block.
    let liar = Proxy::with(anvil.url(), |method, params: &Value| match method {
        "eth_getBlockByNumber" if params[0] != json!("0x14") && params[0] != json!("0x0") => {
            edit(|mut block| {
                block["gasUsed"] = json!("0x1");
                block
            })
        }
        _ => Twist::Pass,
    })
    .await;
    let alone = endpoints(&[&liar.url]);
    let mut follower = follower(&alone).await;
    let mut chain = vec![follower.tip().clone()];
    apply(&mut chain, &drain(&mut follower).await);
    assert_eq!(chain.len(), 21, "blocks by hash need no trust");
}

#[tokio::test]
async fn another_branch_in_between_is_replaced_by_what_links() {
    let Some(anvil) = anvil(Anvil::builder()) else { return };
    let Some(fork) = self::anvil(Anvil::builder().timestamp(1_900_000_000)) else { return };
    anvil.mine(20).await.unwrap();
    fork.mine(20).await.unwrap();
    let mut foreign: Vec<Value> = Vec::new();
    for number in 0..=12u64 {
        let asked = (alloy::primitives::U64::from(number), false);
        foreign.push(fork.endpoints().request("eth_getBlockByNumber", asked).await.unwrap());
    }
    // Headers that are true of another chain, for the heights 5 to 12.
    let liar = Proxy::with(anvil.url(), move |method, params: &Value| {
        let asked = params[0].as_str().unwrap_or_default();
        let number = usize::from_str_radix(asked.trim_start_matches("0x"), 16).unwrap_or_default();
        match method {
            "eth_getBlockByNumber" if (5..=12).contains(&number) => Twist::Answer(foreign[number].clone()),
            _ => Twist::Pass,
        }
    })
    .await;
    let alone = endpoints(&[&liar.url]);
    let mut follower = follower(&alone).await;
    let mut chain = vec![follower.tip().clone()];
    apply(&mut chain, &drain(&mut follower).await);
    assert_eq!(chain.len(), 21);
    assert_eq!(chain[8], anvil.endpoints().head_at(8, None).await.unwrap());
}
