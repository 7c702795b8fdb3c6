//! Both journals keep the same promises to the sender.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use alloy::primitives::{Address, B256};
use breakwater_chain::{ActionState, Inclusion, Journal, JournalRefusal, MemoryJournal};
use breakwater_store::StoreError;
use support::{attempt, key, open};

fn refusal(error: breakwater_chain::JournalError) -> JournalRefusal {
    let inner = error.0;
    if let Some(refusal) = inner.downcast_ref::<JournalRefusal>() {
        return refusal.clone();
    }
    match *inner.downcast::<StoreError>().unwrap() {
        StoreError::Refused(refusal) => refusal,
        other => panic!("{other}"),
    }
}

async fn keeps_its_promises(journal: &impl Journal) {
    let from = Address::repeat_byte(7);
    let (one, two) = (key("one"), key("two"));
    assert_eq!(journal.action(&one).await.unwrap(), None);
    assert_eq!(journal.next_nonce(from).await.unwrap(), None);
    assert_eq!(journal.in_flight(from).await.unwrap(), []);
    assert_eq!(
        refusal(journal.note_error(&one, "x", 1).await.unwrap_err()),
        JournalRefusal::Unknown(one.clone())
    );
    let signed = ActionState::Signed;
    assert!(matches!(
        refusal(journal.set_state(&one, &signed, 1).await.unwrap_err()),
        JournalRefusal::Unknown(_)
    ));

    journal.record(&two, &attempt(1, 6, 2)).await.unwrap();
    journal.record(&one, &attempt(1, 5, 1)).await.unwrap();
    assert_eq!(journal.next_nonce(from).await.unwrap(), Some(7));
    assert_eq!(journal.next_nonce(Address::ZERO).await.unwrap(), None);
    let flying = journal.in_flight(from).await.unwrap();
    assert_eq!(flying.iter().map(|action| action.key.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!((&flying[0].state, &flying[0].attempts[..]), (&signed, &[attempt(1, 5, 1)][..]));

    let gap = journal.record(&one, &attempt(3, 5, 3)).await.unwrap_err();
    let expected = JournalRefusal::AttemptNumber { key: one.clone(), expected: 2, got: 3 };
    assert_eq!(refusal(gap), expected);
    let stolen = journal.record(&one, &attempt(2, 6, 3)).await.unwrap_err();
    let expected = JournalRefusal::NonceOwned { nonce: 6, owner: two.clone(), key: one.clone() };
    assert_eq!(refusal(stolen), expected);
    let stranger = journal.record(&key("three"), &attempt(1, 5, 4)).await.unwrap_err();
    assert!(matches!(refusal(stranger), JournalRefusal::NonceOwned { nonce: 5, .. }));
    assert_eq!(journal.action(&key("three")).await.unwrap(), None, "a refused action is not created");

    journal.record(&one, &attempt(2, 5, 5)).await.unwrap();
    journal.record(&one, &attempt(3, 9, 6)).await.unwrap();
    let flying = journal.in_flight(from).await.unwrap();
    assert_eq!(flying.iter().map(|action| action.key.as_str()).collect::<Vec<_>>(), ["two", "one"]);
    assert_eq!(journal.next_nonce(from).await.unwrap(), Some(10));

    let at = Inclusion {
        tx_hash: B256::repeat_byte(6),
        block_number: 11,
        block_hash: B256::repeat_byte(1),
        success: true,
    };
    for state in [ActionState::Mined(at.clone()), signed.clone(), ActionState::Final(at.clone())] {
        journal.set_state(&one, &state, 12).await.unwrap();
        assert_eq!(journal.action(&one).await.unwrap().unwrap().state, state);
    }
    journal.note_error(&two, "no funds", 12).await.unwrap();
    assert_eq!(journal.action(&two).await.unwrap().unwrap().last_error.unwrap(), "no funds");
    journal.set_state(&two, &ActionState::Failed("reverted".to_owned()), 13).await.unwrap();
    assert_eq!(journal.in_flight(from).await.unwrap(), []);
    for over in [&one, &two] {
        let again = journal.set_state(over, &signed, 14).await.unwrap_err();
        assert_eq!(refusal(again), JournalRefusal::Over { key: over.clone() });
    }
    let late = journal.record(&one, &attempt(4, 9, 9)).await.unwrap_err();
    assert_eq!(refusal(late), JournalRefusal::Over { key: one.clone() });
    assert_eq!(journal.action(&one).await.unwrap().unwrap().attempts.len(), 3);
}

#[tokio::test]
async fn in_memory() {
    keeps_its_promises(&MemoryJournal::default()).await;
}

#[tokio::test]
async fn in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    keeps_its_promises(&open(&folder.path().join("journal.sqlite")).await).await;
}
