//! What only a server can do: be away, be killed, know people, have limits.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use breakwater_bus::{Bus, BusAddress, BusError, Published, Since, Terms};
use futures_util::TryStreamExt;
use support::{LONG, ms, open, server, terms};

const PASSWORD: &str = "correct-horse";

fn address(url: &str) -> BusAddress {
    url.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_in_mid_run_loses_nothing() {
    const JOBS: usize = 40;
    let Some(mut server) = server("a_server_that_is_killed_in_mid_run_loses_nothing", "") else { return };
    let bus = open(&server).await;
    let queue = bus.queue("q", &terms()).await.unwrap();
    let topic = bus.topic("t", LONG * 10).await.unwrap();
    let mut events = topic.subscribe(Since::Start).await.unwrap();
    for index in 0..JOBS {
        assert_eq!(queue.publish(&format!("{index}"), b"").await.unwrap(), Published::New);
    }
    let mut workers = Vec::new();
    for _ in 0..2 {
        let worker = open(&server).await.join("q").await.unwrap();
        workers.push(tokio::spawn(async move {
            loop {
                match worker.pull(LONG).await {
                    Ok(Some(job)) => {
                        tokio::time::sleep(ms(30)).await;
                        let answer = job.id().to_owned();
                        job.finish(answer.as_bytes()).await.unwrap();
                    }
                    Ok(None) => {}
                    Err(BusError::Gone { .. }) => return,
                    Err(error) => panic!("{error}"),
                }
            }
        }));
    }
    let (mut outcomes, mut seen) = (queue.outcomes(), BTreeSet::new());
    while seen.len() < JOBS {
        let outcome = outcomes.next(LONG).await.unwrap().expect("an answer for every job");
        assert_eq!(outcome.answer.unwrap(), outcome.id.as_bytes());
        assert!(seen.insert(outcome.id), "one answer for every job");
        if seen.len() % 13 == 10 {
            server.kill().unwrap();
            let publisher = topic.clone();
            let id = format!("after-{}", seen.len());
            let published = tokio::spawn(async move { publisher.publish(&id, b"").await.unwrap().new });
            tokio::time::sleep(ms(700)).await;
            server.start_again().unwrap();
            published.await.unwrap();
        }
    }
    assert_eq!(outcomes.next(ms(100)).await.unwrap(), None);
    for expected in ["after-10", "after-23", "after-36"] {
        assert_eq!(events.next(LONG).await.unwrap().expect("an event").id, expected);
    }
    queue.remove().await.unwrap();
    for worker in workers {
        worker.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_does_not_come_back_is_an_error() {
    let Some(mut server) = server("a_server_that_does_not_come_back_is_an_error", "") else { return };
    let patient = address(&server.url()).with_patience(ms(300));
    let bus = Bus::open(&patient).await.unwrap();
    let queue = bus.queue("q", &terms()).await.unwrap();
    let topic = bus.topic("t", LONG * 10).await.unwrap();
    let mut events = topic.subscribe(Since::Start).await.unwrap();
    server.kill().unwrap();
    let begun = Instant::now();
    for error in [
        queue.publish("a", b"").await.unwrap_err(),
        queue.pull(ms(50)).await.err().expect("nothing to pull from"),
        topic.publish("a", b"").await.unwrap_err(),
        events.next(ms(50)).await.unwrap_err(),
        bus.queues("").await.unwrap_err(),
    ] {
        assert!(
            matches!(&error, BusError::Unreachable { address, .. } if *address == server.url()),
            "{error}"
        );
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "took {:?}", begun.elapsed());
    let error = Bus::open(&patient).await.err().expect("no server");
    assert!(matches!(&error, BusError::Unreachable { doing, .. } if doing == "connect"), "{error}");
}

#[tokio::test]
async fn credentials_are_needed_and_not_shown() {
    let users = format!("authorization {{ users: [{{ user: keeper, password: {PASSWORD:?} }}] }}");
    let Some(server) = server("credentials_are_needed_and_not_shown", &users) else { return };
    let with = |login: &str| server.url().replace("nats://", &format!("nats://{login}@"));
    for login in [format!("keeper:wrong-{PASSWORD}"), format!("other:{PASSWORD}"), PASSWORD.to_owned()] {
        let error = Bus::open(&address(&with(&login))).await.err().expect("a refusal");
        assert!(matches!(error, BusError::Refused { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains(PASSWORD), "{error}");
    }
    assert!(matches!(Bus::open(&address(&server.url())).await.err(), Some(BusError::Refused { .. })));
    let bus = Bus::open(&address(&with(&format!("keeper:{PASSWORD}")))).await.unwrap();
    bus.queue("q", &terms()).await.unwrap();
}

#[tokio::test]
async fn an_unreachable_server_is_named_without_credentials() {
    // The port was free a moment ago, and nobody is told of it.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error =
        Bus::open(&address(&format!("nats://u:{PASSWORD}@127.0.0.1:{port}"))).await.err().expect("no server");
    let said = error.to_string();
    assert!(said.starts_with(&format!("bus nats://127.0.0.1:{port} does not answer")), "{said}");
    assert!(!format!("{error:?}{said}").contains(PASSWORD));
}

#[tokio::test]
async fn a_server_without_jetstream_is_refused() {
    let Some(server) = server("a_server_without_jetstream_is_refused", "jetstream: disabled") else { return };
    let error = Bus::open(&address(&server.url())).await.err().expect("a refusal");
    assert!(error.to_string().contains("expected a server started with --jetstream"), "{error}");
}

#[tokio::test]
async fn what_a_server_has_no_room_for_is_refused_by_name() {
    let Some(server) = server("what_a_server_has_no_room_for_is_refused_by_name", "max_payload: 64KB") else {
        return;
    };
    let bus = open(&server).await;
    let queue = bus.queue("q", &Terms::default()).await.unwrap();
    let bytes: Vec<u8> = (0..1 << 20).map(|index| (index >> 3) as u8).collect();
    queue.put_file("f", &bytes).await.unwrap();
    assert!(queue.file("f").await.unwrap().unwrap() == bytes, "many small parts");

    let limits = "accounts { A: { users: [{ user: a, password: b }], jetstream: { max_disk: 1MB } } }";
    let Some(full) = support::server("a full server", limits) else { return };
    let bus = Bus::open(&address(&full.url().replace("nats://", "nats://a:b@"))).await.unwrap();
    let queue = bus.queue("q", &Terms::default()).await.unwrap();
    let error = queue.put_file("f", &vec![1; 4 << 20]).await.unwrap_err();
    assert!(matches!(&error, BusError::Refused { said, .. } if said.contains("limits exceeded")), "{error}");
}

#[tokio::test]
async fn records_of_others_are_named() {
    let Some(server) = server("records_of_others_are_named", "") else { return };
    let bus = open(&server).await;
    let queue = bus.queue("q", &terms()).await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let mut headers = async_nats::HeaderMap::new();
    jetstream.publish("breakwater.queue.q.kept.outcome.a", "?".into()).await.unwrap().await.unwrap();
    headers.insert("Breakwater-Parts", "nobody 3 70000");
    jetstream
        .publish_with_headers("breakwater.queue.q.kept.file.b", headers, "".into())
        .await
        .unwrap()
        .await
        .unwrap();
    let error = queue.outcome("a").await.unwrap_err().to_string();
    assert_eq!(
        error,
        "outcome a on the bus: expected an answer of a worker, got 1 bytes that begin with Some(63)"
    );
    let error = queue.file("b").await.unwrap_err().to_string();
    assert!(
        error.ends_with("expected a head and all the parts that it names, got no part 0 of 3"),
        "{error}"
    );
}

#[tokio::test]
async fn a_removed_queue_leaves_nothing_on_the_server() {
    let Some(server) = server("a_removed_queue_leaves_nothing_on_the_server", "") else { return };
    let queue = open(&server).await.queue("q", &terms()).await.unwrap();
    queue.publish("a", &vec![0; 3 << 20]).await.unwrap();
    queue.pull(LONG).await.unwrap().unwrap().finish(&vec![0; 3 << 20]).await.unwrap();
    let jetstream = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let streams = async || jetstream.stream_names().try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(streams().await.len(), 2);
    queue.remove().await.unwrap();
    assert!(streams().await.is_empty());
}

/// What the test below tells its own program, run again with another set of authorities.
const CHILD: &str = "BREAKWATER_BUS_TEST_TLS";

#[tokio::test]
async fn tls_is_spoken_with_servers_that_are_trusted() {
    const NAME: &str = "tls_is_spoken_with_servers_that_are_trusted";
    if let Ok(url) = std::env::var(CHILD) {
        Bus::open(&address(&url)).await.unwrap().queue("q", &terms()).await.unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (authority, certificate, key) = (file("ca.pem"), file("cert.pem"), file("key.pem"));
    let common =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let authority_key = file("ca.key");
    let leaf = ["-CA", &authority, "-CAkey", &authority_key, "-addext", "basicConstraints=critical,CA:FALSE"];
    let made = [
        [&["-subj", "/CN=authority", "-keyout", &authority_key, "-out", &authority][..], &[]],
        [
            &[
                "-subj",
                "/CN=server",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
                "-keyout",
                &key,
                "-out",
                &certificate,
            ],
            &leaf,
        ],
    ]
    .map(|more| std::process::Command::new("openssl").args(common).args(more.concat()).output());
    if made.iter().any(|made| made.is_err()) {
        println!("SKIPPED 1 test ({NAME}): openssl is not on PATH");
        return;
    }
    let told = format!("tls {{ cert_file: {certificate:?}, key_file: {key:?} }}");
    let Some(server) = server(NAME, &told) else { return };
    let url = server.url().replace("nats://", "tls://");
    let error = Bus::open(&address(&url)).await.err().expect("an authority nobody trusts");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    let trusting =
        again.args(["--exact", NAME]).env(CHILD, url).env("SSL_CERT_FILE", authority).output().unwrap();
    let said = String::from_utf8_lossy(&trusting.stdout);
    assert!(trusting.status.success() && said.contains("1 passed"), "{said}");
}
