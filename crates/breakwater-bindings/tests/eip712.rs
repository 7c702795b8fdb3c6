//! `vectors/eip712.json` is what these messages hash to; the Solidity test reads the same file.
//!
//! With `BREAKWATER_WRITE_VECTORS` set, the file is written instead of compared.
// A test that cannot read its own data must stop.
#![allow(clippy::unwrap_used)]

use alloy::primitives::{Address, B256, FixedBytes, U256, address, b256, keccak256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolStruct;
use breakwater_bindings::eip712::{
    BreakerTrip, Cap, CapacityCertificate, LossReport, NAME, PositionConsent, PositionsReport, RatePosting,
    RenewalOrder, SignatureError, VERSION, digest, domain, position_leaf, recover, signer_set,
};
use serde_json::{Value, json};

const CHAIN_ID: u64 = 11_155_111;
const CONTRACT: Address = address!("0x5fbdb2315678afecb367f032d93f642f64180aa3");
const KEY_NAME: &str = "breakwater test key";
const SIGNERS: [Address; 3] = [
    address!("0x1000000000000000000000000000000000000001"),
    address!("0x2000000000000000000000000000000000000002"),
    address!("0x3000000000000000000000000000000000000003"),
];

fn key() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&keccak256(KEY_NAME)).unwrap()
}

fn set() -> B256 {
    signer_set(U256::from(2), &SIGNERS)
}

fn loss_report() -> LossReport {
    LossReport {
        gauge: b256!("0x11000000000000000000000000000000000000000000000000000000000000aa"),
        incident: U256::from(7),
        onset: 18_884_863,
        reading: 18_884_895,
        onsetTime: 1_703_800_000,
        afterTime: 1_703_800_012,
        base: u128::MAX,
        loss: 1_234_567_890_123_456_789_012,
        evidence: b256!("0x22000000000000000000000000000000000000000000000000000000000000bb"),
        signerSet: set(),
        nonce: U256::MAX,
        validFrom: 1_703_800_020,
        validUntil: u64::MAX,
    }
}

fn capacity_certificate() -> CapacityCertificate {
    let cap = |byte: u8, cap: u128| Cap { id: B256::repeat_byte(byte), cap };
    CapacityCertificate {
        pool: address!("0x4000000000000000000000000000000000000004"),
        leverageBps: 40_000,
        products: vec![cap(1, 5_000_000_000_000), cap(2, u128::MAX)],
        clusters: vec![cap(3, 9_000_000_000_000)],
        model: B256::repeat_byte(0xa1),
        data: B256::repeat_byte(0xa2),
        seed: B256::repeat_byte(0xa3),
        signerSet: set(),
        nonce: U256::from(12),
        validFrom: 1_703_800_020,
        validUntil: 1_703_886_420,
    }
}

fn rate_posting() -> RatePosting {
    RatePosting {
        product: B256::repeat_byte(0xb1),
        floorRate: 26_000_000_000_000_000,
        model: B256::repeat_byte(0xb2),
        inputs: B256::repeat_byte(0xb3),
        signerSet: set(),
        nonce: U256::from(13),
        validFrom: 1_703_800_020,
        validUntil: 1_703_886_420,
    }
}

fn breaker_trip() -> BreakerTrip {
    BreakerTrip {
        target: address!("0x6000000000000000000000000000000000000006"),
        selector: FixedBytes([0x2e, 0x1a, 0x7d, 0x4d]),
        number: 18_884_863,
        blockHash: B256::repeat_byte(0xc1),
        transaction: B256::ZERO,
        evidence: B256::repeat_byte(0xc2),
        duration: 3_600,
        signerSet: set(),
        nonce: U256::from(14),
        validFrom: 1_703_800_020,
        validUntil: 1_703_800_320,
    }
}

fn position_consent() -> PositionConsent {
    PositionConsent {
        position: address!("0x7000000000000000000000000000000000000007"),
        product: B256::repeat_byte(0xd1),
        buyer: address!("0x8000000000000000000000000000000000000008"),
        nonce: U256::ZERO,
        deadline: U256::from(1_703_886_420_u64),
    }
}

/// One account that lost everything and one that lost a third.
fn positions() -> [(Address, u128, u128); 2] {
    [(SIGNERS[0], 5_000_000, 5_000_000), (SIGNERS[1], u128::MAX / 3, u128::MAX)]
}

/// The pair of both leaves, in ascending order.
fn positions_root() -> B256 {
    let mut leaves = positions().map(|(account, lost, value)| position_leaf(account, lost, value));
    leaves.sort();
    keccak256(leaves.concat())
}

fn positions_report() -> PositionsReport {
    PositionsReport {
        incident: U256::from(7),
        root: positions_root(),
        evidence: B256::repeat_byte(0xe1),
        signerSet: set(),
        nonce: U256::from(15),
        validFrom: 1_703_800_020,
        validUntil: 1_703_886_420,
    }
}

fn renewal_order() -> RenewalOrder {
    RenewalOrder {
        policy: U256::from(3),
        sum: 10_000_000_000,
        term: 2_592_000,
        lead: 86_400,
        maxPremium: U256::from(60_000_000),
        tip: U256::from(500_000),
        distributor: address!("0x9000000000000000000000000000000000000009"),
        feeBps: 150,
        // The second under the key of policy 3.
        nonce: (U256::from(3) << 64) + U256::from(1),
        deadline: 1_706_400_000,
    }
}

fn message<T: SolStruct>(message: &T, value: Value) -> Value {
    let digest = digest(message, CHAIN_ID, CONTRACT);
    let signature = key().sign_hash_sync(&digest).unwrap();
    json!({
        "type": T::eip712_encode_type(),
        "typeHash": message.eip712_type_hash(),
        "value": value,
        "structHash": message.eip712_hash_struct(),
        "digest": digest,
        "signature": alloy::primitives::hex::encode_prefixed(signature.as_bytes()),
    })
}

/// Integers as decimal strings: several do not survive a reader that keeps numbers as doubles.
macro_rules! value {
    ($message:expr, [$($word:ident),*], [$($number:ident),*]) => {{
        let mut map = serde_json::Map::new();
        $(map.insert(stringify!($word).to_owned(), json!($message.$word));)*
        $(map.insert(stringify!($number).to_owned(), json!($message.$number.to_string()));)*
        Value::Object(map)
    }};
}

fn caps(caps: &[Cap]) -> Value {
    caps.iter().map(|cap| json!({ "id": cap.id, "cap": cap.cap.to_string() })).collect()
}

fn file() -> Value {
    let (report, certificate, posting, trip, consent, positions_report, order) = (
        loss_report(),
        capacity_certificate(),
        rate_posting(),
        breaker_trip(),
        position_consent(),
        positions_report(),
        renewal_order(),
    );
    let mut capacity = value!(
        certificate,
        [pool, model, data, seed, signerSet],
        [leverageBps, nonce, validFrom, validUntil]
    );
    capacity["products"] = caps(&certificate.products);
    capacity["clusters"] = caps(&certificate.clusters);
    json!({
        "about": [
            "EIP-712 messages of Breakwater: values and what they hash to. docs/interfaces.md describes each field.",
            "The key is keccak256 of its name as a private key of secp256k1; signatures are r, s, v.",
        ],
        "domain": {
            "name": NAME,
            "version": VERSION,
            "chainId": CHAIN_ID.to_string(),
            "verifyingContract": CONTRACT,
            "separator": domain(CHAIN_ID, CONTRACT).separator(),
        },
        "key": { "name": KEY_NAME, "private": keccak256(KEY_NAME), "address": key().address() },
        "signerSet": { "quorum": "2", "signers": SIGNERS, "hash": set() },
        "positions": {
            "leaves": positions().map(|(account, lost, value)| json!({
                "account": account,
                "lost": lost.to_string(),
                "value": value.to_string(),
                "leaf": position_leaf(account, lost, value),
            })),
            "root": positions_root(),
        },
        "messages": {
            "LossReport": message(&report, value!(
                report,
                [gauge, evidence, signerSet],
                [incident, onset, reading, onsetTime, afterTime, base, loss, nonce, validFrom, validUntil]
            )),
            "CapacityCertificate": message(&certificate, capacity),
            "RatePosting": message(&posting, value!(
                posting,
                [product, model, inputs, signerSet],
                [floorRate, nonce, validFrom, validUntil]
            )),
            "BreakerTrip": message(&trip, value!(
                trip,
                [target, selector, blockHash, transaction, evidence, signerSet],
                [number, duration, nonce, validFrom, validUntil]
            )),
            "PositionConsent": message(&consent, value!(
                consent,
                [position, product, buyer],
                [nonce, deadline]
            )),
            "PositionsReport": message(&positions_report, value!(
                positions_report,
                [root, evidence, signerSet],
                [incident, nonce, validFrom, validUntil]
            )),
            "RenewalOrder": message(&order, value!(
                order,
                [distributor],
                [policy, sum, term, lead, maxPremium, tip, feeBps, nonce, deadline]
            )),
        },
    })
}

#[test]
fn the_committed_vectors_are_what_the_messages_hash_to() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/eip712.json");
    let fresh = serde_json::to_string_pretty(&file()).unwrap() + "\n";
    if std::env::var_os("BREAKWATER_WRITE_VECTORS").is_some() {
        std::fs::write(path, &fresh).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), fresh);
}

#[test]
fn every_signature_names_its_signer() {
    for (name, message) in file()["messages"].as_object().unwrap() {
        let digest: B256 = message["digest"].as_str().unwrap().parse().unwrap();
        let signature = alloy::primitives::hex::decode(message["signature"].as_str().unwrap()).unwrap();
        assert_eq!(recover(digest, &signature), Ok(key().address()), "{name}");
        assert_ne!(recover(B256::repeat_byte(1), &signature), Ok(key().address()), "{name}");
    }
}

#[test]
fn signatures_that_contracts_refuse_are_refused() {
    let digest = digest(&rate_posting(), CHAIN_ID, CONTRACT);
    let good = key().sign_hash_sync(&digest).unwrap().as_bytes().to_vec();
    assert!(matches!(recover(digest, &good[..64]), Err(SignatureError::Malformed(_))));
    let mut bare = good.clone();
    bare[64] -= 27;
    assert!(matches!(recover(digest, &bare), Err(SignatureError::Malformed(_))));
    let order =
        U256::from_str_radix("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16).unwrap();
    let mut mirrored = good.clone();
    let s = order - U256::from_be_slice(&good[32..64]);
    mirrored[32..64].copy_from_slice(&s.to_be_bytes::<32>());
    mirrored[64] = 27 + 28 - good[64];
    assert_eq!(recover(digest, &mirrored), Err(SignatureError::HighS));
}

#[test]
fn another_chain_or_contract_gives_another_digest() {
    let message = position_consent();
    let here = digest(&message, CHAIN_ID, CONTRACT);
    assert_ne!(here, digest(&message, 1, CONTRACT));
    assert_ne!(here, digest(&message, CHAIN_ID, SIGNERS[0]));
}

/// The text must name every field with its type hash, or signers read something else than they sign.
#[test]
fn the_document_names_every_field_and_type_hash() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/interfaces.md")).unwrap();
    let cap = Cap { id: B256::ZERO, cap: 0 };
    assert!(text.contains(&cap.eip712_type_hash().to_string()), "{}", cap.eip712_type_hash());
    for (name, message) in file()["messages"].as_object().unwrap() {
        let section = text.split(&format!("### {name}\n")).nth(1).unwrap_or_else(|| panic!("{name}"));
        let section = section.split("\n## ").next().unwrap().split("\n### ").next().unwrap();
        assert!(section.contains(message["typeHash"].as_str().unwrap()), "{name}: {}", message["typeHash"]);
        let signature = message["type"].as_str().unwrap();
        let fields = signature.split(['(', ')']).nth(1).unwrap();
        for field in fields.split(',') {
            let (kind, field) = field.split_once(' ').unwrap();
            assert!(section.contains(&format!("`{field}`")), "{name}.{field}");
            let shared = ["signerSet", "nonce", "validFrom", "validUntil"].contains(&field);
            let row = format!("| `{field}` | `{kind}` |");
            assert!(section.contains(&row) || shared && text.contains(&row), "{name}.{field}: {kind}");
        }
    }
}
