//! What wrong usage and unreachable chains look like to a person and to a script.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use support::{breakwater, stderr, stdout};

fn assert_refused(arguments: &[&str], status: i32, wrong: &str) {
    let output = breakwater(arguments);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {text}");
    assert_eq!(stdout(&output), "", "{arguments:?} must leave stdout to data");
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains(" WARN ")).collect();
    assert_eq!(lines.len(), 3, "{arguments:?}: {text}");
    assert!(lines[0].starts_with("error: ") && lines[0].contains(wrong), "{arguments:?}: {text}");
    assert!(lines[1].starts_with("right: ") && lines[2].starts_with(" more: "), "{arguments:?}: {text}");
}

#[test]
fn wrong_usage_exits_with_two_and_three_lines() {
    assert_refused(&[], 2, "a command is missing");
    assert_refused(&["chian"], 2, "chian");
    assert_refused(&["chain", "check"], 2, "--rpc-url");
    assert_refused(&["chain", "check", "--rpc-url", "nowhere"], 2, "--rpc-url");
    assert_refused(&["chain", "check", "--rpc-url", "http://127.0.0.1:1", "--colour"], 2, "--colour");
    assert_refused(&["replay"], 2, "PATH");
    assert_refused(&["replay", "no such file"], 2, "no such file");
}

#[test]
fn a_dead_endpoint_is_a_failure() {
    assert_refused(
        &["chain", "check", "--rpc-url", "http://127.0.0.1:1"],
        1,
        "no endpoint gave a usable answer",
    );
}

#[test]
fn secrets_are_not_repeated() {
    let url = "http://user:hunter2@127.0.0.1:1/v2/c0ffee";
    let output = breakwater(&["-v", "chain", "check", "--rpc-url", url]);
    assert_eq!(output.status.code(), Some(1));
    for secret in ["hunter2", "c0ffee"] {
        assert!(!stderr(&output).contains(secret), "{}", stderr(&output));
    }
}

#[test]
fn files_that_are_no_cases_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert_refused(&["replay", path], 2, "no case");
    let file = folder.path().join("a.json");
    std::fs::write(&file, "{").unwrap();
    assert_refused(&["replay", path], 2, "a.json");
}

#[test]
fn help_and_version_are_data() {
    for arguments in [&["--help"][..], &["--version"], &["replay", "--help"], &["chain", "check", "--help"]] {
        let output = breakwater(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(stdout(&output).contains("breakwater") && stderr(&output).is_empty(), "{arguments:?}");
    }
}
