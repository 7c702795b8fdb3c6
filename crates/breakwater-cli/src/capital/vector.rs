//! `vectors/certificate.json` is the certificate of `vectors/certificate.toml`; the Solidity test reads the same file.
//!
//! With `BREAKWATER_WRITE_VECTORS` set, the file is written instead of compared.

use alloy::primitives::{Address, B256, U256, address, hex, keccak256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolStruct;
use breakwater_bindings::eip712::{Cap, CapacityCertificate, NAME, VERSION, digest, domain, signer_set};
use breakwater_capital::{Model, Options, evaluate};
use serde_json::{Value, json};

use super::fit::{Ask, Measure, fit};
use crate::act::limits::certificate;

const CHAIN_ID: u64 = 11_155_111;
const CONTRACT: Address = address!("0x5fbdb2315678afecb367f032d93f642f64180aa3");
const POOL: Address = address!("0x4000000000000000000000000000000000000004");
const KEY_NAME: &str = "breakwater test key";
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/");

/// What the defaults of `capital certify` give on the portfolio.
fn made() -> CapacityCertificate {
    let text = std::fs::read_to_string(format!("{FOLDER}certificate.toml")).unwrap();
    let model = Model::from_toml(&text).unwrap();
    let ask = Ask {
        level: 0.995,
        measure: Measure::Tvar,
        product_share: 1.0,
        cluster_share: 1.0,
        stress: 0.9,
        decimals: 6,
    };
    let options = Options { years: 20_000, seed: 1, threads: 1 };
    let fit = fit(&model, &ask, &|model| evaluate(model, &options, &|_| true)).unwrap();
    let key = PrivateKeySigner::from_bytes(&keccak256(KEY_NAME)).unwrap();
    let set = signer_set(U256::ONE, &[key.address()]);
    certificate(&fit.limits, POOL, set, U256::from(7), [1_703_800_020, 1_703_886_420])
}

fn file() -> Value {
    let key = PrivateKeySigner::from_bytes(&keccak256(KEY_NAME)).unwrap();
    let made = made();
    let digest = digest(&made, CHAIN_ID, CONTRACT);
    let signature = key.sign_hash_sync(&digest).unwrap();
    let caps = |caps: &[Cap]| -> Value {
        caps.iter().map(|cap| json!({ "id": cap.id, "cap": cap.cap.to_string() })).collect()
    };
    let separator: B256 = domain(CHAIN_ID, CONTRACT).separator();
    json!({
        "about": [
            "The capacity certificate of vectors/certificate.toml, as `breakwater capital certify` finds it. Layout: eip712.json.",
            "breakwater capital certify vectors/certificate.toml --decimals 6 --years 20000 --method crude",
        ],
        "domain": {
            "name": NAME, "version": VERSION, "chainId": CHAIN_ID.to_string(), "verifyingContract": CONTRACT,
            "separator": separator,
        },
        "key": { "name": KEY_NAME, "private": keccak256(KEY_NAME), "address": key.address() },
        "signerSet": { "quorum": "1", "signers": [key.address()], "hash": made.signerSet },
        "messages": { "CapacityCertificate": {
            "type": CapacityCertificate::eip712_encode_type(),
            "typeHash": made.eip712_type_hash(),
            "value": {
                "pool": made.pool, "leverageBps": made.leverageBps.to_string(), "products": caps(&made.products),
                "clusters": caps(&made.clusters), "model": made.model, "data": made.data, "seed": made.seed,
                "signerSet": made.signerSet, "nonce": made.nonce.to_string(),
                "validFrom": made.validFrom.to_string(), "validUntil": made.validUntil.to_string(),
            },
            "structHash": made.eip712_hash_struct(),
            "digest": digest,
            "signature": hex::encode_prefixed(signature.as_bytes()),
        } },
    })
}

#[test]
fn the_committed_certificate_is_what_the_portfolio_gives() {
    let path = format!("{FOLDER}certificate.json");
    let fresh = format!("{:#}\n", file());
    if std::env::var_os("BREAKWATER_WRITE_VECTORS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), fresh);
}
