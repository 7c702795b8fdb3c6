//! `vectors/evidence.json`: canonical documents with their hashes, and what is refused.
//!
//! With `BREAKWATER_WRITE_VECTORS` set, the file is written instead of compared.

use super::*;
use serde_json::{Value, json};

fn of_gauge() -> Document {
    let hash = |byte: u8| B256::repeat_byte(byte);
    Document {
        chain_id: 1,
        blocks: vec![
            BlockRef { number: 18_884_863, hash: hash(0xb1) },
            BlockRef { number: 18_884_864, hash: hash(0xb2) },
        ],
        finding: Finding::Gauge {
            gauge: hash(0xa9),
            readings: vec![
                GaugeReading { block: 18_884_863, assets: u128::MAX, claims: 1_000, holders: B256::ZERO },
                GaugeReading { block: 18_884_864, assets: 0, claims: 1_000, holders: B256::ZERO },
            ],
        },
        transactions: vec![hash(0xc2), hash(0xc1)],
        tool: "breakwater 0.1.0".to_owned(),
    }
}

fn of_rule() -> Document {
    let reading = |name: &str, value| RuleReading { block: 7, name: name.to_owned(), value };
    Document {
        chain_id: u64::MAX,
        blocks: vec![BlockRef { number: 7, hash: B256::repeat_byte(1) }],
        finding: Finding::Rule {
            rule: "outflow/1".to_owned(),
            readings: vec![reading("limit", U256::from(10)), reading("outflow", U256::MAX)],
        },
        transactions: vec![],
        tool: "breakwater 0.1.0".to_owned(),
    }
}

/// What is refused, made from good text by one replacement, and the words of the refusal.
const REFUSED: [(&str, &str, &str, &str); 16] = [
    ("white space", r#""chainId":"1""#, r#""chainId": "1""#, "canonical"),
    ("a line break at the end", "\"]}", "\"]}\n", "canonical"),
    (
        "members out of order",
        r#""chainId":"1","format":"evidence/1""#,
        r#""format":"evidence/1","chainId":"1""#,
        "canonical",
    ),
    ("an integer with a leading zero", r#""chainId":"1""#, r#""chainId":"01""#, "canonical"),
    ("an integer as a number", r#""chainId":"1""#, r#""chainId":1"#, "not an evidence document"),
    ("a signed integer", r#""chainId":"1""#, r#""chainId":"+1""#, "chainId"),
    (
        "an integer that is too large",
        r#""assets":"0""#,
        r#""assets":"340282366920938463463374607431768211456""#,
        "assets",
    ),
    ("upper-case hex", r#""gauge":"0xa9"#, r#""gauge":"0xA9"#, "canonical"),
    ("an escaped character", "breakwater", "bre\\u0061kwater", "canonical"),
    ("an unknown member", r#""format""#, r#""extra":"1","format""#, "unknown field"),
    ("a member twice", r#""format":"#, r#""format":"evidence/1","format":"#, "duplicate field"),
    ("a missing member", r#","tool":"breakwater 0.1.0""#, "", "missing field"),
    ("another format", "evidence/1", "evidence/2", "expected format"),
    (
        "neither gauge nor rule",
        r#""gauge":"0xa9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9a9","#,
        "",
        "either a gauge or a rule",
    ),
    (
        "a reading of an unlisted block",
        r#""block":"18884863""#,
        r#""block":"18884862""#,
        "not among the blocks",
    ),
    (
        "a transaction twice",
        "0xc1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1",
        "0xc2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2",
        "twice",
    ),
];

fn file() -> Value {
    let good = |name: &str, document: Document| json!({ "name": name, "text": document.canonical().unwrap(), "hash": document.hash().unwrap() });
    let text = of_gauge().canonical().unwrap();
    let refused: Vec<Value> = REFUSED
        .iter()
        .map(|(name, from, to, _)| {
            assert!(text.contains(from), "{name}");
            json!({ "name": name, "text": text.replacen(from, to, 1) })
        })
        .collect();
    json!({
        "about": [
            "evidence/1 documents of Breakwater: the canonical text, and keccak256 of its bytes. docs/interfaces.md describes each field.",
            "refused: text that no reader may take for a document.",
        ],
        "documents": [good("a gauge", of_gauge()), good("a rule", of_rule())],
        "refused": refused,
    })
}

#[test]
fn the_committed_vectors_are_what_documents_hash_to() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/evidence.json");
    let fresh = serde_json::to_string_pretty(&file()).unwrap() + "\n";
    if std::env::var_os("BREAKWATER_WRITE_VECTORS").is_some() {
        std::fs::write(path, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap();
    assert_eq!(committed, fresh);
    let committed: Value = serde_json::from_str(&committed).unwrap();
    for good in committed["documents"].as_array().unwrap() {
        let text = good["text"].as_str().unwrap();
        let document = Document::parse(text.as_bytes()).unwrap();
        assert_eq!(document.canonical().unwrap(), text);
        assert_eq!(json!(document.hash().unwrap()), good["hash"]);
        assert_eq!(json!(keccak256(text)), good["hash"]);
    }
}

#[test]
fn every_other_form_is_refused_by_name() {
    let text = of_gauge().canonical().unwrap();
    for (name, from, to, words) in REFUSED {
        let error = Document::parse(text.replacen(from, to, 1).as_bytes()).expect_err(name).to_string();
        assert!(error.contains(words), "{name}: {error}");
    }
    for cut in 0..text.len() {
        assert!(Document::parse(&text.as_bytes()[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn keys_are_sorted_and_text_is_plain_json() {
    for document in [of_gauge(), of_rule()] {
        let text = document.canonical().unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_sorted(&value);
        assert_eq!(serde_json::to_string(&value).unwrap(), text, "compact JSON in the order read");
        assert_eq!(Document::parse(text.as_bytes()).unwrap(), document);
    }
}

fn assert_sorted(value: &Value) {
    match value {
        Value::Object(map) => {
            let names: Vec<&String> = map.keys().collect();
            assert!(names.is_sorted(), "{names:?}");
            map.values().for_each(assert_sorted);
        }
        Value::Array(items) => items.iter().for_each(assert_sorted),
        Value::String(_) => {}
        other => panic!("only objects, lists and text: {other}"),
    }
}

#[test]
fn a_document_that_breaks_a_rule_has_no_form() {
    type Break = fn(&mut Document);
    type Is = fn(&DocumentError) -> bool;
    let cases: [(Break, Is); 7] = [
        (|d| d.blocks.clear(), |e| matches!(e, DocumentError::Empty("blocks"))),
        (|d| d.blocks.swap(0, 1), |e| matches!(e, DocumentError::Order("blocks"))),
        (|d| d.tool.clear(), |e| matches!(e, DocumentError::Text { member: "tool", .. })),
        (|d| d.tool.push('"'), |e| matches!(e, DocumentError::Text { .. })),
        (|d| d.tool = "x".repeat(101), |e| matches!(e, DocumentError::Text { .. })),
        (|d| d.transactions.push(d.transactions[0]), |e| matches!(e, DocumentError::Twice(_))),
        (
            |d| d.finding = Finding::Gauge { gauge: B256::ZERO, readings: vec![] },
            |e| matches!(e, DocumentError::Empty("readings")),
        ),
    ];
    for (index, (break_it, expected)) in cases.into_iter().enumerate() {
        let mut document = of_gauge();
        break_it(&mut document);
        let error = document.canonical().expect_err("the rule must hold");
        assert!(expected(&error), "case {index}: {error}");
    }
    let mut long = of_gauge();
    long.transactions = (0..20_000_u32).map(|at| B256::from(U256::from(at))).collect();
    assert!(matches!(long.hash(), Err(DocumentError::TooLong { .. })));
}
