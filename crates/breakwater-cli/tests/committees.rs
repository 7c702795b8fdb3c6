//! Commands of committees and reinsurers on a real deployment.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolValue;
use breakwater_bindings::AccessManager;
use support::has_anvil;
use support::stage::{Stage, Who};

alloy::sol! {
    function setCommittee(uint8 duty, uint256 quorum, address[] members) external;
    function floorRate(bytes32 product) external view returns (uint64 rate, bool fresh);
    function validUntil(address pool) external view returns (uint64);
}

/// The contract that takes certificates, under a manager of the deployer, with two signers of three.
fn underwriting(stage: &Stage) -> Address {
    let code = support::author::creation_code("Underwriting").to_vec();
    let deployer = stage.address(Who::Deployer);
    let manager = [AccessManager::BYTECODE.as_ref(), &deployer.abi_encode()].concat();
    let manager = stage.create(manager);
    let made = stage.create([code, manager.abi_encode()].concat());
    let mut members: Vec<Address> =
        [Who::Curator, Who::Underwriter, Who::Other].map(|who| stage.address(who)).to_vec();
    members.sort();
    for duty in 0..2 {
        let set = setCommitteeCall { duty, quorum: U256::from(2), members: members.clone() };
        stage.send(Who::Deployer, made, &set);
    }
    made
}

#[test]
fn rates_and_certificates_go_from_hand_to_hand_to_the_chain() {
    if !has_anvil() {
        return;
    }
    let stage = Stage::build();
    let (contract, product) = (underwriting(&stage).to_string(), stage.product.to_string());
    let hash = B256::repeat_byte(3).to_string();
    let file = stage.path("rate.json");
    let sign = [
        "rate",
        "sign",
        "--underwriting",
        &contract,
        "--product",
        &product,
        "--floor-rate",
        "2.5",
        "--model",
        &hash,
        "--inputs",
        &hash,
        "--out",
        &file,
    ];
    let sheet = stage.done(Who::Curator, &sign);
    assert_eq!(sheet["fields"]["floorRate"], "2.5000 %");
    let post = ["rate", "post", "--message", &file];
    let (status, said) = stage.refused(Who::Buyer, &post);
    assert!(status == 1 && said.contains("with 1 signature(s) would revert"), "{said}");
    let output = support::breakwater(&[
        "rate",
        "countersign",
        "--message",
        &file,
        "--private-key",
        &stage.key(Who::Underwriter),
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", support::stderr(&output));
    assert!(support::stdout(&output).contains("2 signature(s)"), "{}", support::stdout(&output));
    stage.foretold(Who::Buyer, &post);
    let rate = stage.view(contract.parse().unwrap(), &floorRateCall { product: stage.product });
    assert!(rate.fresh && rate.rate == 25_000_000_000_000_000, "{}", rate.rate);

    // What people read and what is signed must be the same.
    let changed = std::fs::read_to_string(&file).unwrap().replace("2.5000 %", "0.0001 %");
    std::fs::write(&file, changed).unwrap();
    let (status, said) = stage.refused(Who::Buyer, &post);
    assert!(status == 2 && said.contains("not those of the message"), "{said}");

    let limits = stage.path("limits.json");
    let text = serde_json::json!({
        "leverageBps": "15000", "products": [{ "id": stage.product, "cap": "1000000000" }], "clusters": [],
        "model": hash, "data": hash, "seed": hash,
    });
    std::fs::write(&limits, text.to_string()).unwrap();
    let file = stage.path("certificate.json");
    let sign = [
        "certify",
        "sign",
        "--underwriting",
        &contract,
        "--pool",
        "dollars",
        "--limits",
        &limits,
        "--out",
        &file,
    ];
    stage.done(Who::Other, &sign);
    let output = support::breakwater(&[
        "certify",
        "countersign",
        "--message",
        &file,
        "--private-key",
        &stage.key(Who::Curator),
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", support::stderr(&output));
    stage.foretold(Who::Buyer, &["certify", "post", "--message", &file]);
    assert!(stage.view(contract.parse().unwrap(), &validUntilCall { pool: stage.pool }) > 0);
    let (status, said) = stage.refused(Who::Buyer, &["rate", "post", "--message", &file]);
    assert!(status == 2 && said.contains("expected a RatePosting"), "{said}");
}
