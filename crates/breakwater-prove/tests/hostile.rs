//! Bytes from anybody: readers answer or refuse, and never panic.

// A test that cannot read its own data must stop.
#![allow(clippy::unwrap_used)]

use alloy::primitives::B256;
use breakwater_prove::document::Document;
use breakwater_prove::gauge::GaugeSpec;
use breakwater_prove::header::Header;
use breakwater_prove::packed::Walks;
use breakwater_prove::trie::Key;
use proptest::collection::vec;
use proptest::prelude::*;

/// Every reader of bytes on the same bytes.
fn read_all(bytes: &[u8]) {
    let _ = Header::parse(bytes);
    let _ = GaugeSpec::decode(bytes);
    let _ = Document::parse(bytes);
    let _ = serde_json::from_slice::<GaugeSpec>(bytes);
    for at in [0, bytes.len() / 2, bytes.len()] {
        let (nodes, paths) = bytes.split_at(at);
        if let Ok(mut walks) = Walks::new(nodes, paths) {
            let _ = walks.walk(B256::repeat_byte(7), Key::whole(B256::ZERO));
            let _ = walks.storage(B256::ZERO, B256::ZERO);
            let _ = walks.done();
        }
    }
}

/// RLP-shaped bytes get further than noise.
fn shaped() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        Just(vec![0xf9, 0x02, 0x11]),
        Just(vec![0xb8, 0x40]),
        Just(vec![0xff; 9]),
        Just(vec![0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        vec(any::<u8>(), 32).prop_map(|hash| [vec![0xa0], hash].concat()),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4000) })]

    #[test]
    fn noise_is_refused(bytes in vec(any::<u8>(), 0..600)) {
        read_all(&bytes);
    }

    #[test]
    fn bytes_in_the_shape_of_rlp_are_refused(bytes in shaped()) {
        read_all(&bytes);
    }

    #[test]
    fn damaged_text_is_refused(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/evidence.json");
        let file: serde_json::Value = serde_json::from_slice(&std::fs::read(vectors).unwrap()).unwrap();
        let text = file["documents"][0]["text"].as_str().unwrap();
        let good = Document::parse(text.as_bytes()).unwrap();
        let mut bytes = text.as_bytes().to_vec();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        read_all(&bytes);
        if let Ok(document) = Document::parse(&bytes) {
            prop_assert_eq!(document == good, bytes == text.as_bytes());
            prop_assert_eq!(document.canonical().unwrap().into_bytes(), bytes);
        }
    }
}
