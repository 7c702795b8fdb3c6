//! Runs spread over workers: the digits of one process, whoever is killed in mid-run.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

use breakwater_bus::Bus;
use breakwater_bus::server::{Server, ServerError};
use serde_json::Value;
use support::{breakwater, objects, stderr};

/// A dozen batches or more, the last of them short.
const YEARS: &str = "1500000";

/// A portfolio on disk, and what one process makes of it.
struct Case {
    folder: tempfile::TempDir,
    seed: String,
    alone: Value,
}

impl Case {
    fn new(seed: u64) -> Self {
        let (folder, seed) = (tempfile::tempdir().unwrap(), seed.to_string());
        let text = breakwater_capital::example::cp500().to_toml().unwrap();
        std::fs::write(folder.path().join("cp500.toml"), text).unwrap();
        let mut case = Self { folder, seed, alone: Value::Null };
        case.alone = case.run(&[]);
        case
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("cp500.toml")
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let file = self.file();
        let fixed =
            ["--json", "capital", "run", file.to_str().unwrap(), "--years", YEARS, "--seed", &self.seed];
        fixed.iter().chain(&["--threads", "1"]).chain(more).map(|&word| word.to_owned()).collect()
    }

    /// Runs to the end; the clock's word is taken out.
    fn run(&self, more: &[&str]) -> Value {
        let arguments = self.arguments(more);
        let output = breakwater(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(output.status.success(), "{}", stderr(&output));
        without_seconds(objects(&output).remove(0))
    }

    fn begin(&self, more: &[&str], server: &Server) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakwater"));
        command
            .args(self.arguments(more))
            .arg("-v")
            .env("BREAKWATER_BUS", server.url())
            .env_remove("RUST_LOG");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// The clock's word is the one that may differ.
fn without_seconds(mut value: Value) -> Value {
    assert!(value["seconds"].take().as_f64().unwrap() > 0.0);
    value
}

fn server(test: &str) -> Option<Server> {
    match Server::start("") {
        Ok(server) => Some(server),
        Err(error @ ServerError::NotFound) => {
            println!("SKIPPED 1 test ({test}): {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Says where the first difference is, and not all of two long documents.
fn assert_same(found: &Value, alone: &Value, whose: &str) {
    let (Value::Object(found), Value::Object(alone)) = (found, alone) else { panic!("two objects") };
    for (name, expected) in alone {
        let (expected, got) = (expected.to_string(), found[name].to_string());
        let at = expected.bytes().zip(got.bytes()).take_while(|(expected, got)| expected == got).count();
        let near = |text: &str| text.get(at.saturating_sub(40)..(at + 40).min(text.len())).map(str::to_owned);
        assert!(expected == got, "{whose}: {name}: expected {:?}, got {:?}", near(&expected), near(&got));
    }
    assert_eq!(found.len(), alone.len());
}

/// A worker as somebody would start it on another machine.
fn worker(server: &Server) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breakwater"));
    command.args(["-v", "capital", "worker", "--bus", &server.url()]).env_remove("RUST_LOG");
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Reads what a process says until a line has `words`.
fn until(said: &mut BufReader<ChildStderr>, words: &str) -> String {
    let mut all = String::new();
    loop {
        let begun = all.len();
        assert!(said.read_line(&mut all).unwrap() > 0, "no line with {words:?} in {all}");
        if all[begun..].contains(words) {
            return all;
        }
    }
}

/// Kills it without a warning, and says what it had said.
fn killed(mut child: Child, mut said: BufReader<ChildStderr>) -> String {
    child.kill().unwrap();
    child.wait().unwrap();
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    rest
}

fn heard(child: &mut Child) -> BufReader<ChildStderr> {
    BufReader::new(child.stderr.take().unwrap())
}

/// The result of a run that goes on in the background.
fn ended(child: Child) -> Value {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    without_seconds(objects(&output).remove(0))
}

fn left_on(server: &Server) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        Bus::open(&server.url().parse().unwrap()).await.unwrap().queues("").await.unwrap()
    })
}

#[test]
fn workers_of_one_process_change_no_digit() {
    let case = Case::new(3);
    for workers in ["1", "2", "3"] {
        assert_same(&case.run(&["--workers", workers]), &case.alone, workers);
    }
}

#[test]
fn one_of_one_to_four_workers_killed_changes_no_digit() {
    let case = Case::new(4);
    std::thread::scope(|scope| {
        for count in 1..=4 {
            let case = &case;
            scope.spawn(move || one_killed(case, count));
        }
    });
}

fn one_killed(case: &Case, count: usize) {
    let Some(server) = server(&format!("one of {count} workers killed")) else { return };
    let run = case.begin(&["--workers", "0"], &server);
    let mut victim = worker(&server);
    let mut said = heard(&mut victim);
    until(&mut said, "batch taken");
    let after = killed(victim, said);
    assert!(!after.contains("batch done"), "it was killed in mid-batch: {after}");
    // With one worker another takes its place, as somebody who looks after them would have it.
    let mut others: Vec<_> = (0..(count - 1).max(1)).map(|_| worker(&server)).collect();
    let heard: Vec<_> = others.iter_mut().map(heard).collect();
    assert_same(&ended(run), &case.alone, &format!("{count} workers, one of them killed"));
    let said: String = others.into_iter().zip(heard).map(|(other, said)| killed(other, said)).collect();
    assert!(said.contains("delivery=2"), "the batch of the one that was killed was handed out again: {said}");
    assert_eq!(left_on(&server), Vec::<String>::new());
}

#[test]
fn spawned_workers_change_no_digit_and_are_replaced() {
    let Some(server) = server("spawned_workers_change_no_digit_and_are_replaced") else { return };
    let case = Case::new(5);
    for workers in ["1", "4"] {
        assert_eq!(
            case.run(&["--workers", workers, "--bus", &server.url()]),
            case.alone,
            "{workers} workers"
        );
    }
    let mut run = case.begin(&["--workers", "1"], &server);
    let mut said = heard(&mut run);
    until(&mut said, "batch taken");
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", run.id())).unwrap();
    assert!(Command::new("kill").arg("-9").args(children.split_whitespace()).status().unwrap().success());
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_same(&ended(run), &case.alone, "a worker that was replaced");
    assert!(rest.contains("another takes its place") && rest.contains("delivery=2"), "{rest}");
    assert_eq!(left_on(&server), Vec::<String>::new());
}

#[test]
fn a_coordinator_that_is_killed_finds_what_was_done() {
    let Some(server) = server("a_coordinator_that_is_killed_finds_what_was_done") else { return };
    let case = Case::new(6);
    let mut first = case.begin(&["--workers", "0"], &server);
    let mut worker = worker(&server);
    let mut said = heard(&mut worker);
    let mut all = until(&mut said, "batch done");
    all += &until(&mut said, "batch done");
    first.kill().unwrap();
    first.wait().unwrap();
    assert_same(&ended(case.begin(&["--workers", "0"], &server)), &case.alone, "a second coordinator");
    all += &killed(worker, said);
    let taken: Vec<&str> =
        all.lines().filter_map(|line| line.split_once("batch taken index=")).map(|l| l.1).collect();
    let once: std::collections::BTreeSet<&&str> = taken.iter().collect();
    assert!(taken.len() > 10 && taken.len() == once.len(), "no batch was simulated twice: {all}");
    assert!(taken.iter().all(|batch| batch.ends_with("delivery=1")), "{all}");
    assert_eq!(left_on(&server), Vec::<String>::new());
}

#[test]
fn an_address_that_cannot_be_used_is_wrong_usage_and_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cp500.toml");
    std::fs::write(&file, breakwater_capital::example::cp500().to_toml().unwrap()).unwrap();
    let file = file.to_str().unwrap();
    let run = ["capital", "run", file, "--years", "1000", "--workers", "1", "--bus"];
    for (address, status, words) in [
        ("http://u:secret@localhost", 2, "expected memory:, nats://host:port"),
        ("memory:", 2, "is in one process"),
        ("nats://u:secret@127.0.0.1:1", 1, "bus nats://127.0.0.1:1 does not answer"),
    ] {
        for arguments in [[&run[..], &[address]].concat(), vec!["capital", "worker", "--bus", address]] {
            let output = breakwater(&arguments);
            assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
            assert!(
                stderr(&output).contains(words) && !stderr(&output).contains("secret"),
                "{}",
                stderr(&output)
            );
        }
    }
    let output = breakwater(&["capital", "run", file, "--workers", "0"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no worker can reach this process"), "{}", stderr(&output));
}
