//! Opening, following, rolling back, and what survives a crash at each step.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use alloy::primitives::{Address, B256, Bytes, U256};
use breakwater_chain::{ActionState, Head, Journal, WINDOW_BLOCKS};
use breakwater_store::{Change, Identity, IncidentEvent, IncidentStatus, Reading, Store, StoreError};
use serde_json::json;
use support::{attempt, chain, crash_image, identity, key, open};

#[tokio::test]
async fn a_journal_has_one_keeper_and_one_deployment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let store = open(&path).await;
    let error = Store::open(&path, identity()).await.unwrap_err();
    let StoreError::Locked { holder, .. } = &error else { panic!("{error}") };
    assert_eq!(*holder, format!("process {}", std::process::id()));
    assert!(!error.is_transient());

    let reader = Store::open_read_only(&path).await.unwrap();
    assert_eq!(reader.identity().await.unwrap(), identity());
    let mut vain = reader.change().await;
    if let Ok(change) = &mut vain {
        assert!(change.watch(B256::ZERO, &json!(1), 1).await.is_err(), "a reader cannot write");
    }
    store.close().await;

    let reader = Store::open_read_only(&path).await.unwrap();
    assert_eq!(reader.identity().await.unwrap(), identity(), "also while no keeper runs");
    reader.close().await;

    for wrong in [
        Identity { chain_id: 2, ..identity() },
        Identity { genesis: B256::ZERO, ..identity() },
        Identity { deployment: Address::ZERO, ..identity() },
    ] {
        let error = Store::open(&path, wrong).await.unwrap_err();
        assert!(matches!(error, StoreError::WrongIdentity { .. }), "{error}");
    }
    drop(open(&path).await);
    assert!(Store::open_read_only(&folder.path().join("none")).await.is_err());
}

async fn followed(store: &Store) -> Vec<Head> {
    store.heads().await.unwrap()
}

#[tokio::test]
async fn blocks_are_followed_in_a_bounded_chain() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("journal.sqlite")).await;
    let heads = chain(None, WINDOW_BLOCKS as u64 + 5, 0);
    let mut change = store.change().await.unwrap();
    assert!(matches!(change.follow(&heads[1]).await, Err(StoreError::NotLinked { number: 1, .. })));
    change.start_at(&heads[0]).await.unwrap();
    assert!(matches!(change.start_at(&heads[1]).await, Err(StoreError::AlreadyStarted { first: 0 })));
    assert!(matches!(change.follow(&heads[2]).await, Err(StoreError::NotLinked { number: 2, .. })));
    let stranger = &chain(None, 2, 5)[1];
    assert!(matches!(change.follow(stranger).await, Err(StoreError::NotLinked { number: 1, .. })));
    for head in &heads[1..] {
        change.follow(head).await.unwrap();
    }
    change.commit().await.unwrap();
    assert_eq!(store.tip().await.unwrap().as_ref(), heads.last());
    assert_eq!(followed(&store).await, heads[5..]);
}

fn reading(gauge: B256, head: &Head) -> Reading {
    Reading {
        gauge,
        block: head.number(),
        block_hash: head.hash(),
        data: json!({"assets": head.number().to_string()}),
        evidence: Bytes::from(vec![1, 2, 3]),
    }
}

fn event(head: &Head, log_index: u64, status: IncidentStatus) -> IncidentEvent {
    IncidentEvent {
        incident: U256::MAX,
        block: head.number(),
        log_index,
        gauge: B256::repeat_byte(1),
        status,
        data: json!({"loss": "5"}),
    }
}

#[tokio::test]
async fn a_reorganisation_takes_back_exactly_what_its_blocks_said() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("journal.sqlite")).await;
    let heads = chain(None, 8, 0);
    let gauge = B256::repeat_byte(1);
    let (incident, policy) = (U256::MAX, U256::from(7));
    let mut change = store.change().await.unwrap();
    change.start_at(&heads[0]).await.unwrap();
    change.watch(gauge, &json!({"form": "ratio"}), 0).await.unwrap();
    for head in &heads[1..=4] {
        change.follow(head).await.unwrap();
        change.reading(&reading(gauge, head)).await.unwrap();
    }
    change.incident_event(&event(&heads[4], 0, IncidentStatus::Dwelling)).await.unwrap();
    assert!(change.owe(incident, policy, &json!({}), 4).await.unwrap());
    assert!(!change.owe(incident, policy, &json!({}), 4).await.unwrap());
    for name in ["kept", "abandoned-later", "sent-later"] {
        assert!(change.plan(&key(name), &json!({"do": name}), 4).await.unwrap());
    }
    change.commit().await.unwrap();
    let before = snapshot(&store).await;

    let mut change = store.change().await.unwrap();
    for head in &heads[5..] {
        change.follow(head).await.unwrap();
        change.reading(&reading(gauge, head)).await.unwrap();
    }
    change.incident_event(&event(&heads[6], 3, IncidentStatus::Final)).await.unwrap();
    change.incident_event(&event(&heads[6], 3, IncidentStatus::Final)).await.unwrap();
    change.settled(incident, policy, U256::from(99), 6).await.unwrap();
    change.owe(incident, U256::from(8), &json!({}), 6).await.unwrap();
    assert!(!change.plan(&key("kept"), &json!({"do": "else"}), 6).await.unwrap());
    change.plan(&key("fresh"), &json!({}), 6).await.unwrap();
    change.plan(&key("fresh-and-over"), &json!({}), 6).await.unwrap();
    change.abandon(&key("fresh-and-over"), "others were first", 6).await.unwrap();
    change.abandon(&key("abandoned-later"), "others were first", 6).await.unwrap();
    change.commit().await.unwrap();
    assert_eq!(store.incidents().await.unwrap(), [event(&heads[6], 3, IncidentStatus::Final)]);
    assert_eq!(store.incident_history(incident).await.unwrap().len(), 2);
    let paid = &store.settlements(incident).await.unwrap()[0];
    assert_eq!(paid.settled, Some((6, U256::from(99))));
    assert_eq!(store.unsettled().await.unwrap().len(), 1);
    let planned = |records: &[breakwater_store::ActionRecord]| -> Vec<String> {
        records.iter().map(|record| record.action.key.to_string()).collect()
    };
    assert_eq!(planned(&store.planned().await.unwrap()), ["kept", "sent-later", "fresh"]);

    let mut change = store.change().await.unwrap();
    let foreign = chain(Some(&heads[3]), 1, 5);
    assert!(matches!(change.roll_back_to(&foreign[0]).await, Err(StoreError::NotFollowed { number: 4, .. })));
    change.roll_back_to(&heads[4]).await.unwrap();
    change.commit().await.unwrap();
    assert_eq!(snapshot(&store).await, before);

    // What has been signed stays, whatever happens to the block of its plan.
    store.record(&key("sent-later"), &attempt(1, 0, 1)).await.unwrap();
    let mut change = store.change().await.unwrap();
    change.roll_back_to(&heads[2]).await.unwrap();
    change.commit().await.unwrap();
    assert_eq!(planned(&store.planned().await.unwrap()), Vec::<String>::new());
    let sent = store.action_record(&key("sent-later")).await.unwrap().unwrap();
    assert_eq!((sent.action.state, sent.intent), (ActionState::Signed, Some(json!({"do": "sent-later"}))));
    let mut change = store.change().await.unwrap();
    let error = change.abandon(&key("sent-later"), "too late", 3).await.unwrap_err();
    assert!(matches!(error, StoreError::NotPlanned { ref state, .. } if state == "signed"), "{error}");
}

/// Everything that can be read, as text.
async fn snapshot(store: &Store) -> String {
    let mut all = format!("{:?}\n{:?}\n", store.heads().await.unwrap(), store.watched().await.unwrap());
    for gauge in store.watched().await.unwrap() {
        all += &format!("{:?}\n", store.reading_at_or_before(gauge.id, u64::MAX).await.unwrap());
    }
    all += &format!("{:?}\n", store.incidents().await.unwrap());
    for event in store.incidents().await.unwrap() {
        all += &format!("{:?}\n", store.settlements(event.incident).await.unwrap());
    }
    let mut actions = store.recent_actions(1000).await.unwrap();
    actions.sort_by_key(|record| record.action.key.clone());
    for mut record in actions {
        // The block of the last change is for people and does not go back.
        record.updated_block = 0;
        all += &format!("{record:?}\n");
    }
    all
}

#[tokio::test]
async fn readings_of_the_window_and_the_newest_one_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("journal.sqlite")).await;
    let heads = chain(None, WINDOW_BLOCKS as u64 + 20, 0);
    let (busy, quiet) = (B256::repeat_byte(1), B256::repeat_byte(2));
    let mut change = store.change().await.unwrap();
    change.start_at(&heads[0]).await.unwrap();
    let error = change.reading(&reading(busy, &heads[0])).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownGauge(gauge) if gauge == busy));
    change.watch(busy, &json!({}), 0).await.unwrap();
    change.watch(quiet, &json!({}), 0).await.unwrap();
    change.reading(&reading(quiet, &heads[1])).await.unwrap();
    change.reading(&reading(quiet, &heads[2])).await.unwrap();
    for head in &heads[1..] {
        change.follow(head).await.unwrap();
        change.reading(&reading(busy, head)).await.unwrap();
    }
    change.commit().await.unwrap();
    assert_eq!(
        store.reading_at_or_before(quiet, u64::MAX).await.unwrap().unwrap(),
        reading(quiet, &heads[2])
    );
    assert_eq!(store.reading_at_or_before(quiet, 1).await.unwrap(), None);
    assert_eq!(store.reading_at_or_before(busy, 19).await.unwrap(), None);
    assert_eq!(store.reading_at_or_before(busy, 25).await.unwrap().unwrap(), reading(busy, &heads[25]));

    let mut change = store.change().await.unwrap();
    change.unwatch(quiet).await.unwrap();
    assert!(matches!(change.unwatch(B256::ZERO).await, Err(StoreError::UnknownGauge(_))));
    change.commit().await.unwrap();
    assert_eq!(store.watched().await.unwrap().len(), 1);
    assert!(!store.gauge(quiet).await.unwrap().unwrap().watched);
}

#[tokio::test]
async fn numbers_beyond_the_database_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("journal.sqlite")).await;
    let mut change = store.change().await.unwrap();
    let error = change.plan(&key("far"), &json!({}), u64::MAX).await.unwrap_err();
    assert!(matches!(error, StoreError::OutOfRange { got: u64::MAX, .. }), "{error}");
}

/// The steps by which a keeper handles a block in which a gauge drops.
async fn step(change: &mut Change, head: &Head, number: usize) {
    let gauge = B256::repeat_byte(1);
    match number {
        0 => change.watch(gauge, &json!({}), head.number()).await.unwrap(),
        1 => change.follow(head).await.unwrap(),
        2 => change.reading(&reading(gauge, head)).await.unwrap(),
        3 => change.incident_event(&event(head, 1, IncidentStatus::Dwelling)).await.unwrap(),
        4 => {
            change.plan(&key("assert:gauge:onset"), &json!({"block": 1}), head.number()).await.unwrap();
        }
        _ => {
            change.owe(U256::MAX, U256::from(3), &json!({}), head.number()).await.unwrap();
        }
    }
}
const STEPS: usize = 6;

/// Handles the block unless it is handled, as a keeper does after a restart.
async fn handle(store: &Store, head: &Head) {
    if store.tip().await.unwrap().unwrap().number() >= head.number() {
        return;
    }
    let mut change = store.change().await.unwrap();
    for number in 0..STEPS {
        step(&mut change, head, number).await;
    }
    change.commit().await.unwrap();
}

#[tokio::test]
async fn a_crash_between_any_two_statements_is_made_good() {
    let heads = chain(None, 2, 0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    let store = open(&path).await;
    let mut change = store.change().await.unwrap();
    change.start_at(&heads[0]).await.unwrap();
    change.commit().await.unwrap();
    let empty = snapshot(&store).await;

    let uncut = {
        let image = tempfile::tempdir().unwrap();
        let store = open(&crash_image(&path, image.path())).await;
        handle(&store, &heads[1]).await;
        snapshot(&store).await
    };
    assert_ne!(uncut, empty);
    for crash_after in 0..=STEPS {
        let mut change = store.change().await.unwrap();
        for number in 0..crash_after {
            step(&mut change, &heads[1], number).await;
        }
        let image = tempfile::tempdir().unwrap();
        let copy = crash_image(&path, image.path());
        // Either the process dies with the change open, or only the task does.
        drop(change);
        for restarted in [&open(&copy).await, &store] {
            assert_eq!(snapshot(restarted).await, empty, "after {crash_after} statements");
        }
        let restarted = open_again(&copy, image).await;
        handle(&restarted.0, &heads[1]).await;
        assert_eq!(snapshot(&restarted.0).await, uncut, "after {crash_after} statements");
        handle(&restarted.0, &heads[1]).await;
        assert_eq!(snapshot(&restarted.0).await, uncut, "handled once");
    }
    let mut change = store.change().await.unwrap();
    for number in 0..STEPS {
        step(&mut change, &heads[1], number).await;
    }
    change.commit().await.unwrap();
    let image = tempfile::tempdir().unwrap();
    let copy = crash_image(&path, image.path());
    assert_eq!(snapshot(&open(&copy).await).await, uncut, "a commit survives");
}

async fn open_again(copy: &Path, keep: tempfile::TempDir) -> (Store, tempfile::TempDir) {
    for _ in 0..100 {
        match Store::open(copy, identity()).await {
            Ok(store) => return (store, keep),
            Err(StoreError::Locked { .. }) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the lock of a dropped store was not released");
}

const CHILD: &str = "BREAKWATER_STORE_TEST_CHILD";

/// Not a test by itself: with the variable set it is the process that the next test kills.
#[tokio::test]
async fn child_that_writes_until_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let store = open(Path::new(&path)).await;
    let heads = chain(None, 100_000, 0);
    let mut change = store.change().await.unwrap();
    change.start_at(&heads[0]).await.unwrap();
    change.commit().await.unwrap();
    for head in &heads[1..] {
        let mut change = store.change().await.unwrap();
        change.follow(head).await.unwrap();
        change.plan(&key(&format!("plan:{}", head.number())), &json!({}), head.number()).await.unwrap();
        change.commit().await.unwrap();
        println!("committed {}", head.number());
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.sqlite");
    for round in 1..=3u64 {
        let _ = std::fs::remove_file(&path);
        let _ = std::fs::remove_file(folder.path().join("journal.sqlite-wal"));
        let _ = std::fs::remove_file(folder.path().join("journal.sqlite-shm"));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_writes_until_killed", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            if let Some((_, number)) = line.unwrap().split_once("committed ") {
                acknowledged = number.parse().unwrap();
            }
            if acknowledged >= round * 7 {
                break;
            }
        }
        let locked = Store::open(&path, identity()).await.unwrap_err();
        assert!(
            matches!(&locked, StoreError::Locked { holder, .. } if *holder == format!("process {}", child.id()))
        );
        child.kill().unwrap();
        child.wait().unwrap();

        let store = open(&path).await;
        let tip = store.tip().await.unwrap().unwrap().number();
        assert!(tip >= acknowledged && acknowledged >= round * 7, "{tip} {acknowledged}");
        let planned = store.planned().await.unwrap();
        assert_eq!(planned.len() as u64, tip, "each followed block has its plan, and no other block has");
        store.close().await;
    }
}
