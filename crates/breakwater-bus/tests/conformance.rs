//! What a bus does, the same in this process and over a server.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::collections::BTreeMap;
use std::time::Instant;

use breakwater_bus::server::Server;
use breakwater_bus::{Bus, BusAddress, BusError, LARGEST, Outcome, Published, Queue, Since, Terms};
use support::{LONG, ms, open, terms};

/// A place for buses; those of one place see the same queues.
enum Place {
    Memory(Bus),
    Nats(Server),
}

impl Place {
    async fn memory() -> Self {
        Self::Memory(Bus::open(&BusAddress::memory()).await.unwrap())
    }

    /// A bus as another process would open it.
    async fn bus(&self) -> Bus {
        match self {
            Self::Memory(bus) => bus.clone(),
            Self::Nats(server) => open(server).await,
        }
    }

    /// A queue with a lease of half a second and three deliveries.
    async fn queue(&self) -> Queue {
        self.bus().await.queue("q", &terms()).await.unwrap()
    }
}

macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::Place::memory().await).await;
            })*
        }
        mod nats {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                if let Some(server) = super::support::server(stringify!($test), "") {
                    super::$test(super::Place::Nats(server)).await;
                }
            })*
        }
    };
}

on_both!(
    jobs_come_in_order_and_bring_answers,
    a_job_published_again_is_nothing_new,
    a_producer_that_starts_again_gets_the_answers_that_are_there,
    a_job_whose_worker_is_dropped_goes_to_another,
    a_job_whose_worker_lives_stays_with_it,
    a_refused_job_is_tried_again_and_given_up,
    a_job_that_kills_its_workers_is_given_up,
    a_failed_job_is_not_tried_again,
    a_job_done_twice_has_one_answer,
    large_payloads_arrive_whole,
    too_large_payloads_are_refused,
    a_removed_queue_sends_its_workers_home,
    a_queue_is_made_again_after_it_was_removed,
    other_terms_are_refused,
    words_that_cannot_be_carried_are_refused,
    workers_that_drop_every_third_job_lose_none,
    an_event_published_again_is_nothing_new,
    events_are_replayed_from_any_place,
    every_subscriber_gets_every_event,
    a_removed_topic_ends_its_subscriptions,
    what_is_too_old_is_forgotten,
);

async fn answered(queue: &Queue, count: usize) -> BTreeMap<String, Outcome> {
    let mut outcomes = queue.outcomes();
    let mut found = BTreeMap::new();
    while found.len() < count {
        let outcome = outcomes.next(LONG).await.unwrap().expect("an answer for every job");
        assert!(found.insert(outcome.id.clone(), outcome).is_none(), "one answer for every job");
    }
    assert_eq!(outcomes.next(ms(50)).await.unwrap(), None);
    found
}

async fn jobs_come_in_order_and_bring_answers(place: Place) {
    let queue = place.queue().await;
    assert!(queue.pull(ms(20)).await.unwrap().is_none());
    assert_eq!(queue.outcome("1:0xab:0").await.unwrap(), None);
    for index in 0..3 {
        let id = format!("1:0xab:{index}");
        assert_eq!(queue.publish(&id, format!("job {index}").as_bytes()).await.unwrap(), Published::New);
    }
    queue.put_file("plan", b"the plan").await.unwrap();

    let worker = place.bus().await.join("q").await.unwrap();
    assert_eq!(worker.terms(), &terms());
    assert_eq!(worker.file("plan").await.unwrap().as_deref(), Some(&b"the plan"[..]));
    assert_eq!(worker.file("other").await.unwrap(), None);
    for index in 0..3 {
        let job = worker.pull(LONG).await.unwrap().unwrap();
        assert_eq!((job.id(), job.delivery()), (format!("1:0xab:{index}").as_str(), 1));
        assert_eq!(job.payload(), format!("job {index}").as_bytes());
        job.finish(format!("answer {index}").as_bytes()).await.unwrap();
    }
    let outcomes = answered(&queue, 3).await;
    assert_eq!(outcomes["1:0xab:2"].answer, Ok(b"answer 2".to_vec()));
    assert_eq!(queue.outcome("1:0xab:1").await.unwrap().unwrap().answer, Ok(b"answer 1".to_vec()));
    assert!(worker.pull(ms(700)).await.unwrap().is_none(), "what is done is not handed out again");
}

async fn a_job_published_again_is_nothing_new(place: Place) {
    let queue = place.queue().await;
    assert_eq!(queue.publish("a", b"first").await.unwrap(), Published::New);
    assert_eq!(queue.publish("a", b"second").await.unwrap(), Published::Waiting);
    let job = queue.pull(LONG).await.unwrap().unwrap();
    assert_eq!(queue.publish("a", b"third").await.unwrap(), Published::Waiting);
    assert_eq!(job.payload(), b"first");
    job.finish(b"").await.unwrap();
    assert_eq!(queue.publish("a", b"fourth").await.unwrap(), Published::Answered);
    assert!(queue.pull(ms(50)).await.unwrap().is_none());
    assert_eq!(answered(&queue, 1).await["a"].answer, Ok(Vec::new()));
}

async fn a_producer_that_starts_again_gets_the_answers_that_are_there(place: Place) {
    {
        let first = place.queue().await;
        for id in ["a", "b", "c"] {
            first.publish(id, id.as_bytes()).await.unwrap();
        }
    }
    let worker = place.bus().await.join("q").await.unwrap();
    worker.pull(LONG).await.unwrap().unwrap().finish(b"A").await.unwrap();

    let second = place.queue().await;
    let mut published = Vec::new();
    for id in ["a", "b", "c"] {
        published.push(second.publish(id, id.as_bytes()).await.unwrap());
    }
    assert_eq!(published, [Published::Answered, Published::Waiting, Published::Waiting]);
    while let Some(job) = worker.pull(ms(50)).await.unwrap() {
        job.finish(b"later").await.unwrap();
    }
    let outcomes = answered(&second, 3).await;
    assert_eq!((&outcomes["a"].answer, &outcomes["c"].answer), (&Ok(b"A".to_vec()), &Ok(b"later".to_vec())));
}

async fn a_job_whose_worker_is_dropped_goes_to_another(place: Place) {
    let queue = place.queue().await;
    queue.publish("a", b"work").await.unwrap();
    let (begun, other) = (Instant::now(), place.bus().await.join("q").await.unwrap());
    let pulled = tokio::sync::oneshot::channel();
    let worker = tokio::spawn(async move {
        let job = other.pull(LONG).await.unwrap().unwrap();
        pulled.0.send(job.delivery()).unwrap();
        tokio::time::sleep(LONG).await;
        job.finish(b"never").await.unwrap();
    });
    assert_eq!(pulled.1.await.unwrap(), 1);
    worker.abort();
    assert!(queue.pull(ms(50)).await.unwrap().is_none(), "the lease runs");
    let job = queue.pull(LONG).await.unwrap().unwrap();
    assert!(begun.elapsed() >= ms(450), "handed out again after {:?}", begun.elapsed());
    assert_eq!((job.id(), job.delivery(), job.payload()), ("a", 2, &b"work"[..]));
    job.finish(b"done").await.unwrap();
    assert_eq!(answered(&queue, 1).await["a"].answer, Ok(b"done".to_vec()));
}

async fn a_job_whose_worker_lives_stays_with_it(place: Place) {
    let queue = place.queue().await;
    queue.publish("a", b"").await.unwrap();
    let job = queue.pull(LONG).await.unwrap().unwrap();
    let other = place.bus().await.join("q").await.unwrap();
    assert!(other.pull(ms(2500)).await.unwrap().is_none(), "five leases long");
    job.finish(b"done").await.unwrap();
    assert_eq!(answered(&queue, 1).await["a"].answer, Ok(b"done".to_vec()));
}

async fn a_refused_job_is_tried_again_and_given_up(place: Place) {
    let queue = place.queue().await;
    queue.publish("a", b"").await.unwrap();
    for delivery in 1..=3 {
        let begun = Instant::now();
        let job = queue.pull(LONG).await.unwrap().unwrap();
        assert_eq!(job.delivery(), delivery);
        assert!(delivery == 1 || begun.elapsed() >= ms(150), "the delay is kept");
        job.refuse("no such plan", ms(200)).await.unwrap();
    }
    assert!(queue.pull(ms(700)).await.unwrap().is_none());
    let letter = answered(&queue, 1).await["a"].answer.clone().unwrap_err();
    assert_eq!(letter.to_string(), "job a was given up after 3 deliveries: no such plan");
    assert_eq!(queue.publish("a", b"").await.unwrap(), Published::Answered);
}

async fn a_job_that_kills_its_workers_is_given_up(place: Place) {
    let queue = place.queue().await;
    queue.publish("a", b"").await.unwrap();
    queue.publish("b", b"").await.unwrap();
    for delivery in 1..=3 {
        let job = queue.pull(LONG).await.unwrap().unwrap();
        if job.id() == "b" {
            job.finish(b"fine").await.unwrap();
            continue;
        }
        assert_eq!(job.delivery(), delivery);
        drop(job);
        if delivery == 1 {
            queue.pull(LONG).await.unwrap().unwrap().finish(b"fine").await.unwrap();
        }
    }
    assert!(queue.pull(ms(1500)).await.unwrap().is_none());
    let outcomes = answered(&queue, 2).await;
    let letter = outcomes["a"].answer.clone().unwrap_err();
    assert_eq!((letter.deliveries, letter.reason.as_str()), (3, "its workers died or went silent"));
    assert_eq!(outcomes["b"].answer, Ok(b"fine".to_vec()));
}

async fn a_failed_job_is_not_tried_again(place: Place) {
    let queue = place.queue().await;
    queue.publish("a", b"").await.unwrap();
    queue.pull(LONG).await.unwrap().unwrap().fail("it cannot be done").await.unwrap();
    assert!(queue.pull(ms(700)).await.unwrap().is_none());
    let letter = queue.outcome("a").await.unwrap().unwrap().answer.unwrap_err();
    assert_eq!((letter.deliveries, letter.reason.as_str()), (1, "it cannot be done"));
}

async fn a_job_done_twice_has_one_answer(place: Place) {
    let queue = place.queue().await;
    queue.publish("a", b"").await.unwrap();
    // A worker that freezes: its whole runtime stands still, so nobody renews the lease.
    let place = std::sync::Arc::new(place);
    let (frozen, (pulled, told)) = (place.clone(), std::sync::mpsc::channel());
    let (wake, sleep) = std::sync::mpsc::channel::<()>();
    let worker = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let job = frozen.bus().await.join("q").await.unwrap().pull(LONG).await.unwrap().unwrap();
            pulled.send(()).unwrap();
            sleep.recv().unwrap();
            job.finish(&vec![1; 3 << 20]).await.unwrap();
        });
    });
    told.recv().unwrap();
    let second = queue.pull(LONG).await.unwrap().unwrap();
    assert_eq!(second.delivery(), 2);
    second.finish(&vec![2; 3 << 20]).await.unwrap();
    wake.send(()).unwrap();
    tokio::task::spawn_blocking(move || worker.join().unwrap()).await.unwrap();
    assert!(queue.pull(ms(700)).await.unwrap().is_none());
    assert_eq!(answered(&queue, 1).await["a"].answer, Ok(vec![2; 3 << 20]), "the first answer stays, whole");
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

async fn large_payloads_arrive_whole(place: Place) {
    let queue = place.queue().await;
    let sizes = [(1 << 20) - 2049, (1 << 20) - 2048, (1 << 20) - 2047, 1 << 20, 7_654_321];
    for size in sizes {
        queue.publish(&format!("j{size}"), &pattern(size)).await.unwrap();
        queue.put_file(&format!("f{size}"), &pattern(size)).await.unwrap();
    }
    let worker = place.bus().await.join("q").await.unwrap();
    for size in sizes {
        let job = worker.pull(LONG).await.unwrap().unwrap();
        assert!(job.payload() == pattern(size), "a job of {size} bytes");
        assert!(
            worker.file(&format!("f{size}")).await.unwrap().unwrap() == pattern(size),
            "a file of {size} bytes"
        );
        job.finish(&pattern(size + 1)).await.unwrap();
    }
    for (id, outcome) in answered(&queue, sizes.len()).await {
        let size: usize = id[1..].parse().unwrap();
        assert!(outcome.answer.unwrap() == pattern(size + 1), "an answer to {id}");
    }
}

async fn too_large_payloads_are_refused(place: Place) {
    let queue = place.queue().await;
    let huge = vec![0; LARGEST + 1];
    let error = queue.publish("a", &huge).await.unwrap_err();
    assert!(matches!(error, BusError::TooLarge { most: LARGEST, got, .. } if got == LARGEST + 1), "{error}");
    assert!(matches!(queue.put_file("a", &huge).await, Err(BusError::TooLarge { .. })));
    queue.publish("a", b"").await.unwrap();
    let job = queue.pull(LONG).await.unwrap().unwrap();
    assert!(matches!(job.finish(&huge).await, Err(BusError::TooLarge { .. })));
    let letter = queue.outcome("a").await.unwrap().unwrap().answer.unwrap_err();
    assert!(letter.reason.contains("at most 67108864 bytes"), "{letter}");
}

async fn a_removed_queue_sends_its_workers_home(place: Place) {
    let bus = place.bus().await;
    assert!(matches!(bus.join("q").await, Err(BusError::Gone { name }) if name == "q"));
    let queue = place.queue().await;
    bus.queue("other", &Terms::default()).await.unwrap();
    assert_eq!(bus.queues("").await.unwrap(), ["other", "q"]);
    assert_eq!(bus.queues("oth").await.unwrap(), ["other"]);
    queue.publish("a", b"").await.unwrap();
    let worker = bus.join("q").await.unwrap();
    let held = worker.pull(LONG).await.unwrap().unwrap();
    let waiting = tokio::spawn(async move { worker.pull(LONG).await.map(|job| job.is_some()) });
    let mut outcomes = queue.outcomes();
    tokio::time::sleep(ms(100)).await;

    let begun = Instant::now();
    queue.remove().await.unwrap();
    queue.remove().await.unwrap();
    assert!(matches!(waiting.await.unwrap(), Err(BusError::Gone { .. })));
    assert!(matches!(outcomes.next(LONG).await, Err(BusError::Gone { .. })));
    assert!(matches!(held.finish(b"").await, Err(BusError::Gone { .. })));
    assert!(matches!(queue.publish("b", b"").await, Err(BusError::Gone { .. })));
    assert!(matches!(bus.join("q").await, Err(BusError::Gone { .. })));
    assert!(begun.elapsed() < ms(10_000), "took {:?}", begun.elapsed());
    assert_eq!(bus.queues("").await.unwrap(), ["other"]);
}

async fn a_queue_is_made_again_after_it_was_removed(place: Place) {
    let queue = place.queue().await;
    queue.publish("a", b"").await.unwrap();
    queue.pull(LONG).await.unwrap().unwrap().finish(b"old").await.unwrap();
    queue.remove().await.unwrap();
    let again = place.queue().await;
    assert_eq!(again.outcome("a").await.unwrap(), None);
    assert_eq!(again.publish("a", b"").await.unwrap(), Published::New);
    again.pull(LONG).await.unwrap().unwrap().finish(b"new").await.unwrap();
    assert_eq!(answered(&again, 1).await["a"].answer, Ok(b"new".to_vec()));
}

async fn other_terms_are_refused(place: Place) {
    let bus = place.bus().await;
    place.queue().await;
    place.queue().await;
    for other in [
        Terms { deliveries: 4, ..terms() },
        Terms { lease: ms(600), ..terms() },
        Terms { keep: LONG * 4, ..terms() },
    ] {
        let error = bus.queue("q", &other).await.err().expect("a refusal");
        assert!(matches!(&error, BusError::OtherTerms { name, .. } if name == "q"), "{error}");
    }
    assert_eq!(bus.join("q").await.unwrap().terms(), &terms());
    for bad in [
        Terms { deliveries: 0, ..terms() },
        Terms { lease: ms(1), ..terms() },
        Terms { keep: ms(1), ..terms() },
    ] {
        assert!(matches!(bus.queue("r", &bad).await.err(), Some(BusError::Terms { .. })));
    }
    assert!(matches!(bus.topic("t", ms(999)).await.err(), Some(BusError::Terms { .. })));
    bus.topic("t", LONG * 10).await.unwrap();
    bus.topic("t", LONG * 10).await.unwrap();
    assert!(matches!(bus.topic("t", LONG * 11).await.err(), Some(BusError::OtherTerms { .. })));
}

async fn words_that_cannot_be_carried_are_refused(place: Place) {
    let (bus, queue) = (place.bus().await, place.queue().await);
    for bad in ["", "a.b", "*", ">", "a b"] {
        assert!(matches!(bus.queue(bad, &terms()).await.err(), Some(BusError::Name { .. })), "{bad}");
        assert!(matches!(bus.join(bad).await.err(), Some(BusError::Name { .. })), "{bad}");
        assert!(matches!(bus.topic(bad, LONG).await.err(), Some(BusError::Name { .. })), "{bad}");
        assert!(matches!(queue.publish(bad, b"").await, Err(BusError::Name { .. })), "{bad}");
        assert!(matches!(queue.outcome(bad).await, Err(BusError::Name { .. })), "{bad}");
        assert!(matches!(queue.put_file(bad, b"").await, Err(BusError::Name { .. })), "{bad}");
    }
}

async fn workers_that_drop_every_third_job_lose_none(place: Place) {
    const JOBS: usize = 60;
    let bus = place.bus().await;
    let terms = Terms { deliveries: 20, ..terms() };
    let queue = bus.queue("many", &terms).await.unwrap();
    let mut workers = Vec::new();
    for _ in 0..4 {
        let worker = place.bus().await.join("many").await.unwrap();
        workers.push(tokio::spawn(async move {
            let mut pulled = 0;
            loop {
                match worker.pull(LONG).await {
                    Ok(Some(job)) => {
                        pulled += 1;
                        if pulled % 3 != 0 {
                            let answer = [job.payload(), b"!"].concat();
                            job.finish(&answer).await.unwrap();
                        }
                    }
                    Ok(None) => {}
                    Err(BusError::Gone { .. }) => return pulled,
                    Err(error) => panic!("{error}"),
                }
            }
        }));
    }
    for index in 0..JOBS {
        queue.publish(&format!("{index}"), format!("job {index}").as_bytes()).await.unwrap();
    }
    for (id, outcome) in answered(&queue, JOBS).await {
        assert_eq!(outcome.answer, Ok(format!("job {id}!").into_bytes()));
    }
    queue.remove().await.unwrap();
    let mut pulled = 0;
    for worker in workers {
        pulled += worker.await.unwrap();
    }
    assert!(pulled > JOBS, "some jobs were dropped and handed out again");
}

async fn an_event_published_again_is_nothing_new(place: Place) {
    let topic = place.bus().await.topic("blocks", LONG * 10).await.unwrap();
    let first = topic.publish("1:0xab:0", b"one").await.unwrap();
    let second = topic.publish("1:0xab:1", b"two").await.unwrap();
    assert!(first.new && second.new && first.sequence < second.sequence);
    let again = place
        .bus()
        .await
        .topic("blocks", LONG * 10)
        .await
        .unwrap()
        .publish("1:0xab:0", b"other")
        .await
        .unwrap();
    assert_eq!((again.sequence, again.new), (first.sequence, false));
    let mut events = topic.subscribe(Since::Start).await.unwrap();
    let seen = [events.next(LONG).await.unwrap().unwrap(), events.next(LONG).await.unwrap().unwrap()];
    assert_eq!((seen[0].id.as_str(), seen[0].payload.as_slice()), ("1:0xab:0", &b"one"[..]));
    assert_eq!((seen[1].id.as_str(), seen[1].sequence), ("1:0xab:1", second.sequence));
    assert_eq!(events.next(ms(50)).await.unwrap(), None);
}

async fn events_are_replayed_from_any_place(place: Place) {
    let topic = place.bus().await.topic("blocks", LONG * 10).await.unwrap();
    let mut placed = Vec::new();
    for index in 0..150 {
        // Some are too large for one message, so that places leave gaps.
        let payload = pattern(if index % 50 == 7 { 2 << 20 } else { index });
        placed.push(topic.publish(&format!("e{index}"), &payload).await.unwrap().sequence);
    }
    let mut live = topic.subscribe(Since::Now).await.unwrap();
    for from in [0, 6, 7, 8, 100, 149] {
        let mut events = topic.subscribe(Since::Sequence(placed[from])).await.unwrap();
        for (index, place) in placed.iter().enumerate().skip(from) {
            let event = events.next(LONG).await.unwrap().unwrap();
            assert_eq!((event.id, event.sequence), (format!("e{index}"), *place));
            assert!(event.payload == pattern(if index % 50 == 7 { 2 << 20 } else { index }));
        }
        assert_eq!(events.next(ms(20)).await.unwrap(), None);
    }
    assert_eq!(live.next(ms(50)).await.unwrap(), None);
    let last = topic.publish("last", b"").await.unwrap();
    assert_eq!(live.next(LONG).await.unwrap().unwrap().sequence, last.sequence);
}

async fn every_subscriber_gets_every_event(place: Place) {
    let topic = place.bus().await.topic("blocks", LONG * 10).await.unwrap();
    let mut readers = Vec::new();
    for _ in 0..3 {
        let topic = place.bus().await.topic("blocks", LONG * 10).await.unwrap();
        let mut events = topic.subscribe(Since::Start).await.unwrap();
        readers.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < 40 {
                seen.push(events.next(LONG).await.unwrap().expect("an event").id);
            }
            seen
        }));
    }
    let mut ids = Vec::new();
    for index in 0..40 {
        ids.push(format!("e{index}"));
        topic.publish(&ids[index], b"").await.unwrap();
        tokio::time::sleep(ms(index as u64 % 4)).await;
    }
    for reader in readers {
        assert_eq!(reader.await.unwrap(), ids);
    }
}

async fn a_removed_topic_ends_its_subscriptions(place: Place) {
    let topic = place.bus().await.topic("blocks", LONG * 10).await.unwrap();
    let mut events = topic.subscribe(Since::Start).await.unwrap();
    topic.publish("a", b"").await.unwrap();
    events.next(LONG).await.unwrap().unwrap();
    topic.remove().await.unwrap();
    topic.remove().await.unwrap();
    assert!(matches!(events.next(LONG).await, Err(BusError::Gone { name }) if name == "blocks"));
    assert!(matches!(topic.publish("b", b"").await, Err(BusError::Gone { .. })));
    let again = place.bus().await.topic("blocks", LONG * 11).await.unwrap();
    assert!(again.publish("a", b"").await.unwrap().new);
}

async fn what_is_too_old_is_forgotten(place: Place) {
    let topic = place.bus().await.topic("short", ms(1000)).await.unwrap();
    let old = topic.publish("a", b"old").await.unwrap();
    assert!(!topic.publish("a", b"old").await.unwrap().new);
    tokio::time::sleep(ms(2500)).await;
    let new = topic.publish("a", b"new").await.unwrap();
    assert!(new.new && new.sequence > old.sequence);
    let mut events = topic.subscribe(Since::Start).await.unwrap();
    assert_eq!(events.next(LONG).await.unwrap().unwrap().payload, b"new");
}
