//! The sender on the real journal and a real chain, killed at every write.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::sync::Arc;

use alloy::primitives::{Address, Bytes, U256};
use breakwater_chain::{
    ActionState, Anvil, AnvilError, ChainEvent, Endpoints, Follower, Head, Journal, Limits, SendEvent,
    SendOptions, SendRequest, Sender,
};
use breakwater_store::{Identity, Store};
use serde_json::json;
use support::{crash_image, key};

fn anvil() -> Option<Anvil> {
    match Anvil::builder().hardfork("prague").automine(false).start() {
        Ok(anvil) => Some(anvil),
        Err(AnvilError::NotFound { from }) => {
            println!("SKIPPED 1 test: no anvil binary found from {}", from.display());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

async fn sender(anvil: &Anvil, store: &Arc<Store>) -> Sender<Arc<Store>> {
    let options = SendOptions { confirmations: 2, ..SendOptions::default() };
    Sender::new(anvil.endpoints().clone(), store.clone(), anvil.keys()[0].clone(), options).await.unwrap()
}

async fn head(anvil: &Anvil) -> Head {
    anvil.endpoints().head().await.unwrap()
}

async fn open(path: &std::path::Path, genesis: &Head) -> Arc<Store> {
    let identity = Identity { chain_id: 31337, genesis: genesis.hash(), deployment: Address::repeat_byte(8) };
    Arc::new(Store::open(path, identity).await.unwrap())
}

#[tokio::test]
async fn whatever_step_the_keeper_dies_at_the_action_happens_once() {
    let Some(anvil) = anvil() else { return };
    anvil.mine(1).await.unwrap();
    let genesis = anvil.endpoints().head_at(0, None).await.unwrap();
    let to = Address::repeat_byte(0x11);
    let mut request = SendRequest::call(key("assert:gauge:onset"), to, Bytes::new());
    request.value = U256::ONE;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let store = open(&path, &genesis).await;
    let mut change = store.change().await.unwrap();
    change.plan(&request.key, &json!({"to": to}), 1).await.unwrap();
    change.commit().await.unwrap();

    // One image of the files after each write of a whole life: planned, signed, mined, final.
    let mut images = Vec::new();
    let mut take = || {
        let image = tempfile::tempdir().unwrap();
        images.push((crash_image(&path, image.path()), image));
    };
    take();
    let alive = sender(&anvil, &store).await;
    alive.submit(&request, &head(&anvil).await).await.unwrap();
    take();
    for _ in 0..3 {
        anvil.mine(1).await.unwrap();
        alive.tick(&head(&anvil).await).await.unwrap();
        take();
    }
    assert!(matches!(store.action(&request.key).await.unwrap().unwrap().state, ActionState::Final(_)));

    // A keeper restarted from any later image finds the very transaction and sends no other.
    for (copy, _folder) in &images[1..] {
        let store = open(copy, &genesis).await;
        let restarted = sender(&anvil, &store).await;
        restarted.submit(&request, &head(&anvil).await).await.unwrap();
        anvil.mine(1).await.unwrap();
        restarted.tick(&head(&anvil).await).await.unwrap();
        let action = store.action(&request.key).await.unwrap().unwrap();
        assert_eq!(action.attempts.len(), 1);
        assert!(matches!(action.state, ActionState::Final(_)), "{action:?}");
    }
    let account = anvil.endpoints().account(&head(&anvil).await, to, &[]).await.unwrap();
    assert_eq!(account.balance, U256::ONE);
    let first = open(&images[0].0, &genesis).await;
    assert_eq!(first.planned().await.unwrap()[0].action.key, request.key, "the plan itself survives");
}

#[tokio::test]
async fn a_record_without_a_broadcast_is_broadcast_after_the_restart() {
    let Some(anvil) = anvil() else { return };
    anvil.mine(1).await.unwrap();
    let genesis = anvil.endpoints().head_at(0, None).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let store = open(&path, &genesis).await;
    let start = head(&anvil).await;
    let mut request = SendRequest::call(key("once"), Address::repeat_byte(0x22), Bytes::new());
    request.value = U256::ONE;
    let signing = sender(&anvil, &store).await;
    signing.submit(&request, &start).await.unwrap();
    let sent = store.action(&request.key).await.unwrap().unwrap().attempts[0].tx_hash;
    drop(signing);
    Arc::into_inner(store).unwrap().close().await;
    let _: serde_json::Value = anvil.endpoints().request("anvil_dropTransaction", [sent]).await.unwrap();

    let store = open(&path, &genesis).await;
    let restarted = sender(&anvil, &store).await;
    let events = restarted.tick(&start).await.unwrap();
    assert!(matches!(&events[..], [SendEvent::Dropped { tx_hash, .. }] if *tx_hash == sent), "{events:?}");
    anvil.mine(1).await.unwrap();
    let events = restarted.tick(&head(&anvil).await).await.unwrap();
    assert!(
        matches!(&events[..], [SendEvent::Mined { receipt, .. }] if receipt.tx_hash == sent),
        "{events:?}"
    );
}

/// Brings the journal up to the chain, as the keeper's loop does.
async fn catch_up(store: &Store, endpoints: &Endpoints) {
    let mut follower = Follower::resume(endpoints.clone(), store.heads().await.unwrap()).unwrap();
    loop {
        let events = follower.poll().await.unwrap();
        if events.is_empty() {
            return;
        }
        for event in events {
            let mut change = store.change().await.unwrap();
            match event {
                ChainEvent::Block(head) => change.follow(&head).await.unwrap(),
                ChainEvent::Reorg { common_ancestor, .. } => {
                    change.roll_back_to(&common_ancestor).await.unwrap();
                }
            }
            change.commit().await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_journal_follows_through_restarts_and_reorganisations() {
    let Some(anvil) = anvil() else { return };
    let genesis = anvil.endpoints().head_at(0, None).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let store = open(&path, &genesis).await;
    let mut change = store.change().await.unwrap();
    change.start_at(&genesis).await.unwrap();
    change.commit().await.unwrap();
    anvil.mine(20).await.unwrap();
    catch_up(&store, anvil.endpoints()).await;
    Arc::into_inner(store).unwrap().close().await;

    anvil.reorg(6).await.unwrap();
    anvil.mine(70).await.unwrap();
    let store = open(&path, &genesis).await;
    let second = Endpoints::new(std::slice::from_ref(anvil.url()), Limits::default()).unwrap();
    catch_up(&store, &second).await;
    assert_eq!(store.tip().await.unwrap().unwrap(), head(&anvil).await);
    let heads = store.heads().await.unwrap();
    assert_eq!(heads.len(), 91);
    for head in heads {
        assert_eq!(anvil.endpoints().head_at(head.number(), None).await.unwrap(), head);
    }
}
