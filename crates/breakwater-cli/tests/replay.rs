//! Attack cases of the corpus: what is proven is exact, and nothing harmless opens an incident.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use serde_json::{Value, json};
use support::{breakwater, corpus, has_anvil, objects, stderr, stdout};

const KEYS: [&str; 12] = [
    "id",
    "class",
    "victim",
    "true_loss",
    "measured_loss",
    "proven",
    "reason",
    "blocks_to_assert",
    "blocks_to_payout",
    "gas_report",
    "gas_settle",
    "false_incidents",
];

#[test]
fn proven_losses_of_the_corpus_are_exact_and_nothing_harmless_is_one() {
    let Some(cases) = corpus("attacks-dev") else { return };
    if !has_anvil() {
        return;
    }
    let output = breakwater(&["replay", "--json", cases.to_str().unwrap()]);
    println!("{}", stdout(&output));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines = objects(&output);
    assert_eq!(lines.len(), std::fs::read_dir(&cases).unwrap().filter(is_case).count());
    for line in &lines {
        let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, KEYS, "{line}");
        assert_eq!(line["false_incidents"], 0, "{line}");
        match line["proven"].as_bool().unwrap() {
            true => check_proven(line),
            false => assert!(line["reason"].is_string() && line["measured_loss"].is_null(), "{line}"),
        }
    }
    let proven = lines.iter().filter(|line| line["proven"] == true).count();
    assert!(proven >= 4, "{proven} of {} proven", lines.len());
}

fn check_proven(line: &Value) {
    assert_eq!(line["measured_loss"], line["true_loss"], "{line}");
    assert_eq!(line["blocks_to_assert"], 1, "{line}");
    assert_eq!(line["blocks_to_payout"], 1, "the instant lane pays in the block of the assertion: {line}");
    assert!(line["reason"].is_null(), "{line}");
    for gas in ["gas_report", "gas_settle"] {
        assert!(line[gas].as_u64().is_some_and(|gas| gas > 21_000), "{gas}: {line}");
    }
}

fn is_case(entry: &std::io::Result<std::fs::DirEntry>) -> bool {
    entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "json")
}

/// Plays the first case with a change; the exit status, its line, and what was said about it.
fn play_changed(change: impl FnOnce(&mut Value)) -> Option<(i32, Value, String)> {
    let cases = corpus("attacks-dev")?;
    if !has_anvil() {
        return None;
    }
    let mut case: Value = serde_json::from_slice(&std::fs::read(cases.join("d01.json")).unwrap()).unwrap();
    change(&mut case);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("changed.json");
    std::fs::write(&file, case.to_string()).unwrap();
    let output = breakwater(&["replay", "--json", file.to_str().unwrap()]);
    let line = objects(&output).pop().unwrap_or_default();
    Some((output.status.code().unwrap(), line, stderr(&output)))
}

#[test]
fn an_outcome_that_differs_from_the_record_is_a_failure() {
    let changed = play_changed(|case| {
        case["steps"][4]["status"] = 0.into();
        case["steps"][5]["gasUsed"] = 1_000_000.into();
    });
    let Some((status, _, said)) = changed else { return };
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("step 4: success: expected false, got true"), "{said}");
    assert!(said.contains("step 5: gas used: expected 1000000, got 175473"), "{said}");
}

#[test]
fn an_incident_that_no_label_explains_is_a_false_one_and_no_success() {
    let Some((status, line, said)) = play_changed(|case| case["attackSteps"] = Value::Array(Vec::new()))
    else {
        return;
    };
    assert_eq!((status, &line["false_incidents"], &line["proven"]), (1, &1.into(), &false.into()), "{said}");
    assert!(line["measured_loss"].is_null(), "{line}");

    let harmless = play_changed(|case| case["losses"][0]["delta"] = "0".into());
    let Some((status, line, said)) = harmless else { return };
    assert_eq!((status, &line["false_incidents"]), (1, &1.into()), "{line} {said}");
}

#[test]
fn labels_change_the_report_and_never_the_play() {
    let unlabelled = play_changed(|case| {
        for label in ["names", "classes", "losses", "tracked", "attackSteps", "benignSteps", "title"] {
            case[label].take();
        }
        case["classes"] = Value::Array(Vec::new());
        (case["names"], case["losses"], case["attackSteps"]) = (json!({}), json!([]), json!([]));
        for step in case["steps"].as_array_mut().unwrap() {
            let step = step.as_object_mut().unwrap();
            for label in ["phase", "note", "sender", "tracked"] {
                step.remove(label);
            }
        }
    });
    let Some((_, line, said)) = unlabelled else { return };
    assert_eq!(
        line["false_incidents"], 1,
        "the same incident, and nobody who says what it was: {line} {said}"
    );
}

#[test]
fn cases_that_cannot_be_played_are_refused() {
    let refused = |change: fn(&mut Value), words: &str| {
        if let Some((status, _, said)) = play_changed(change) {
            assert_eq!(status, 2, "{said}");
            assert!(said.contains(words), "{words} in {said}");
        }
    };
    refused(
        |case| case["format"] = "attack-corpus/2".into(),
        "expected attack-corpus/1, got attack-corpus/2",
    );
    refused(
        |case| case["steps"][3]["block"]["timestamp"] = 1_700_000_000.into(),
        "step 3: expected a time after",
    );
    refused(|case| case["alloc"] = json!([]), "changed.json");
}
