//! From a live pool to a portfolio, from the portfolio to limits, and back onto the chain.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use alloy::primitives::aliases::U40;
use alloy::primitives::{Address, B256, U256};
use alloy::sol_types::SolValue;
use breakwater_bindings::{AccessManager, Pool, TreatyFactory, Underwriting};
use serde_json::{Value, json};
use support::stage::{DAY, DOLLAR, Stage, Who};
use support::{breakwater, has_anvil, objects, stderr, stdout};

const CLUSTER: B256 = B256::repeat_byte(0xc1);

/// A stage with a pool that certificates bind, and who signs them: two of three.
struct Certified {
    stage: Stage,
    underwriting: Address,
    pool: Address,
}

impl Certified {
    fn build() -> Self {
        let stage = Stage::build();
        let deployer = stage.address(Who::Deployer);
        let manager = stage.create([AccessManager::BYTECODE.as_ref(), &deployer.abi_encode()].concat());
        let code = support::author::creation_code("Underwriting").to_vec();
        let underwriting = stage.create([code, manager.abi_encode()].concat());
        let mut members: Vec<Address> =
            [Who::Curator, Who::Underwriter, Who::Other].map(|who| stage.address(who)).to_vec();
        members.sort();
        for duty in 0..2 {
            let set =
                Underwriting::setCommitteeCall { duty, quorum: U256::from(2), members: members.clone() };
            stage.send(Who::Deployer, underwriting, &set);
        }
        let cluster = Underwriting::setClusterCall { id: stage.product, cluster: CLUSTER };
        stage.send(Who::Deployer, underwriting, &cluster);
        let file = stage.path("deployment.json");
        let mut deployment: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        deployment["underwriting"] = json!(underwriting);
        std::fs::write(&file, deployment.to_string()).unwrap();
        let mut config = stage.pool_config("certified");
        config["certified"] = json!(true);
        let terms = stage.path("pool.json");
        std::fs::write(&terms, config.to_string()).unwrap();
        let told = stage.done(Who::Other, &["pool", "create", "--config", &terms]);
        let pool: Address = told["result"]["pool"].as_str().unwrap().parse().unwrap();
        deployment["pools"]["certified"] = json!(pool);
        std::fs::write(&file, deployment.to_string()).unwrap();
        let certified = Self { stage, underwriting, pool };
        certified.fund();
        certified
    }

    /// Money in, the curator's cap, a treaty on the layer above, and ten days.
    fn fund(&self) {
        let stage = &self.stage;
        let pool = ["--pool", "certified"];
        for (who, tranche, amount) in
            [(Who::Curator, "junior", "400000"), (Who::Underwriter, "senior", "1000000")]
        {
            stage.done(who, &[&["deposit", "--tranche", tranche, "--amount", amount][..], &pool].concat());
        }
        stage.pass(DAY);
        for (who, tranche) in [(Who::Curator, "junior"), (Who::Underwriter, "senior")] {
            stage.done(who, &[&["claim", "--tranche", tranche][..], &pool].concat());
        }
        stage.done(Who::Curator, &[&["pool", "lock", "--all"][..], &pool].concat());
        let product = stage.product.to_string();
        let set = ["pool", "set-product", "--product", &product, "--cap", "500000", "--floor-rate", "2"];
        stage.done(Who::Curator, &[&set[..], &pool].concat());
        let now = stage.runtime.block_on(stage.endpoints().head()).unwrap().timestamp();
        let dollars = |amount: u64| u128::from(amount * DOLLAR);
        let terms = TreatyFactory::TreatyTerms {
            cedant: self.pool,
            asset: stage.asset,
            aggregate: false,
            shareBps: 5_000,
            premiumBps: 1_000,
            attachment: dollars(100_000),
            limit: dollars(50_000),
            yearlyLimit: dollars(40_000),
            start: U40::from(now + 9 * DAY + 3_600),
            end: U40::from(now + 400 * DAY),
            notice: 0,
        };
        let factory = stage.view(self.pool, &Pool::treatyFactoryCall {});
        stage.send(Who::Other, factory, &TreatyFactory::makeCall { terms });
        let made: Vec<Value> =
            stage.request("eth_getLogs", json!([{ "address": factory, "fromBlock": "0x0" }]));
        let topic = made.last().unwrap()["topics"][1].as_str().unwrap().to_owned();
        let treaty = Address::from_word(topic.parse().unwrap());
        stage.send(Who::Curator, self.pool, &Pool::attachTreatyCall { treaty });
        let treaty = treaty.to_string();
        stage.done(Who::Other, &["treaty", "deposit", "--treaty", &treaty, "--amount", "30000"]);
        stage.pass(10 * DAY);
    }

    /// Two of the committee sign and somebody posts, all by commands.
    fn post(&self, kind: &str, file: &str) {
        let key = self.stage.key(Who::Underwriter);
        let output = breakwater(&[kind, "countersign", "--message", file, "--private-key", &key]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        self.stage.done(Who::Buyer, &[kind, "post", "--message", file]);
    }

    fn limits(&self) -> Underwriting::limitsReturn {
        let call = Underwriting::limitsCall { pool: self.pool, product: self.stage.product };
        self.stage.view(self.underwriting, &call)
    }
}

fn run(arguments: &[&str]) -> Vec<Value> {
    let output = breakwater(&[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
    objects(&output)
}

fn noted(read: &Value) -> Vec<&str> {
    read["notes"].as_array().unwrap().iter().map(|note| note["name"].as_str().unwrap()).collect()
}

#[test]
fn a_pool_is_read_simulated_certified_and_bound() {
    if !has_anvil() {
        return;
    }
    let certified = Certified::build();
    let stage = &certified.stage;
    let product = stage.product.to_string();
    let rate = stage.path("rate.json");
    let hash = B256::repeat_byte(3).to_string();
    let sign = ["rate", "sign", "--product", &product, "--floor-rate", "2.5", "--model", &hash];
    let rest = ["--inputs", &hash, "--out", &rate, "--valid-for", "30d"];
    stage.done(Who::Curator, &[&sign[..], &rest].concat());
    certified.post("rate", &rate);

    // Nothing is insured: only what the caps allow makes a portfolio.
    let read = ["capital", "read", "--pool", "certified"];
    let (status, said) = {
        let output = stage.look(&read);
        (output.status.code(), stderr(&output))
    };
    assert!(status == Some(1) && said.contains("insures nothing yet"), "{said}");
    let file = stage.path("certified.toml");
    let told = stage.seen(&[&read[..], &["--exposure", "caps", "--out", &file]].concat()).remove(0);
    assert_eq!(told["caps"][0], json!({ "id": product, "cap": "0" }), "nothing is certified yet");
    assert_eq!(told["toml"].as_str().unwrap(), std::fs::read_to_string(&file).unwrap());
    assert_eq!(noted(&told), ["premium-least", "cluster-rate"]);
    let document: toml::Value = toml::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let cover = &document["product"][0];
    assert_eq!(cover["id"].as_str(), Some(product.as_str()));
    assert_eq!(cover["exposure"].as_float(), Some(500_000.0));
    assert_eq!(cover["deductible_share"].as_float(), Some(0.05));
    assert_eq!((cover["waiting_days"].as_float(), cover["report_days"].as_float()), (Some(1.0), Some(7.0)));
    // 2.5 % posted and 5 % cost of capital over a leverage of 2.
    let premium = cover["premium"].as_float().unwrap();
    assert!((premium - 500_000.0 * 0.05).abs() < 1e-6, "{premium}");
    assert_eq!(document["cluster"][0]["id"].as_str(), Some(CLUSTER.to_string().as_str()));
    let pool = &document["pool"][0];
    let capital: Vec<f64> =
        pool["tranche"].as_array().unwrap().iter().map(|t| t["capital"].as_float().unwrap()).collect();
    assert_eq!(capital, [400_000.0, 0.0, 1_000_000.0]);
    assert_eq!(pool["premium_to_surplus"].as_float(), Some(0.1));
    let treaty = &document["treaty"][0];
    assert_eq!(treaty["share"].as_float(), Some(0.5));
    let layer = &treaty["cover"];
    assert_eq!(layer["kind"].as_str(), Some("event-excess"));
    assert_eq!(
        (layer["attachment"].as_float(), layer["limit"].as_float()),
        (Some(100_000.0), Some(50_000.0))
    );
    // Not the 40,000 of its terms, for only 30,000 are there; before its share of a half.
    assert_eq!(layer["annual_limit"].as_float(), Some(60_000.0));
    assert!((treaty["premium"].as_float().unwrap() - premium / 10.0).abs() < 1e-9);

    // The posted rate is what a unit of the sum costs in expectation.
    let found = run(&["capital", "run", &file, "--years", "200000"]).remove(0);
    assert_eq!(found["hashes"]["data"], told["data"]);
    let (mean, error) = (
        found["gross"]["mean"].as_f64().unwrap(),
        found["standard_errors"]["gross"]["mean"].as_f64().unwrap(),
    );
    assert!((mean - 0.025 * 500_000.0).abs() < 4.0 * error, "{mean} ± {error}");

    // Limits, signed at once.
    let (limits, signed) = (stage.path("limits.json"), stage.path("certificate.json"));
    let certify = ["capital", "certify", &file, "--years", "20000", "--out", &limits, "--sign", &signed];
    let more = ["--pool", "certified", "--valid-for", "20d", "--json"];
    let output = stage.run(Who::Curator, &[&certify[..], &more].concat());
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let said = objects(&output);
    let (fit, sheet) = (&said[0], &said[1]);
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&limits).unwrap()).unwrap();
    assert_eq!(written["data"], told["data"]);
    assert_eq!(written["model"], found["hashes"]["model"]);
    assert_eq!(written["products"][0]["cap"], fit["products"][0]["cap"]);
    assert_eq!(sheet["fields"]["leverageBps"], written["leverageBps"]);
    let need = &fit["needs_at_caps"];
    let most = need["value"].as_f64().unwrap() + 2.0 * need["error"].as_f64().unwrap();
    assert!(most <= 1_400_000.0 && most > 1_000_000.0, "{fit}");
    certified.post("certify", &signed);
    assert_eq!(certified.limits().productCap, 0, "a first limit waits two days");
    stage.pass(2 * DAY);
    let number = |value: &Value| value.as_str().unwrap().parse::<u128>().unwrap();
    let bound = certified.limits();
    assert_eq!(bound.productCap, number(&written["products"][0]["cap"]));
    assert_eq!(bound.clusterMost, number(&written["clusters"][0]["cap"]));
    assert_eq!(u128::from(bound.leverageBps), number(&written["leverageBps"]));
    assert!(bound.open && bound.cluster == CLUSTER);

    // Now it sells, and what is insured is read back: the same block gives everybody the same document.
    let buy = ["buy", "--product", &product, "--sum", "100000", "--days", "90"];
    stage.done(Who::Buyer, &buy);
    stage.pass(2 * DAY);
    let block = stage.runtime.block_on(stage.endpoints().head()).unwrap().number().to_string();
    let hazards = stage.path("hazards.toml");
    let text = format!("[[cluster]]\nid = \"{CLUSTER}\"\nrate = 0.02\nhit = 0.5\n");
    std::fs::write(&hazards, text).unwrap();
    let second = [&read[..], &["--severity", &hazards, "--block", &block, "--out", &file]].concat();
    let told = stage.seen(&second).remove(0);
    stage.pass(DAY);
    assert_eq!(stage.seen(&second).remove(0), told);
    assert_eq!(noted(&told), ["event-is-shock"]);
    assert_eq!(told["caps"][0]["cap"], "500000000000", "the curator's is the lower one");
    let document: toml::Value = toml::from_str(told["toml"].as_str().unwrap()).unwrap();
    assert_eq!(document["product"][0]["exposure"].as_float(), Some(100_000.0));
    let premium = document["product"][0]["premium"].as_float().unwrap();
    // The lowest rate is 2.5 % and 5 % over the leverage in force; scarcity comes on top.
    let least = 100_000.0 * (0.025 + 0.05 * 10_000.0 / f64::from(bound.leverageBps));
    assert!(premium >= least && premium < 1.1 * least, "{premium}, at least {least}");
    assert!(document["pool"][0]["surplus"].as_float().unwrap() > 0.0, "two days of premium are earned");

    // A lower limit is in force at once.
    let more = ["--product-share", "0.05", "--pool", "certified", "--valid-for", "20d"];
    let output = stage.run(Who::Curator, &[&certify[..], &more].concat());
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("CapacityCertificate for"), "{}", stdout(&output));
    certified.post("certify", &signed);
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&limits).unwrap()).unwrap();
    let bound = certified.limits();
    assert_eq!(bound.productCap, number(&written["products"][0]["cap"]));
    assert!(bound.productCap > 70_000 * u128::from(DOLLAR) && bound.productCap < 71_000 * u128::from(DOLLAR));
    assert_eq!(bound.clusterMost, bound.productCap);
    assert_eq!(u128::from(bound.leverageBps), number(&written["leverageBps"]));
}

#[test]
fn what_cannot_be_certified_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.toml").to_str().unwrap().to_owned();
    let small = breakwater(&["capital", "example", "small"]);
    std::fs::write(&file, &small.stdout).unwrap();
    let refused = |arguments: &[&str]| {
        let output = breakwater(&[&["capital", "certify", &file][..], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{}{}", stdout(&output), stderr(&output));
        stderr(&output)
    };
    let said = refused(&["--decimals", "6"]);
    assert!(said.contains("its id is not 32 bytes in hex"), "{said}");
    for (arguments, words) in [
        (&[][..], "--decimals"),
        (&["--decimals", "6", "--stress", "1"], "--stress: expected a quantile"),
        (&["--decimals", "6", "--product-share", "0"], "--product-share: expected a share"),
        (&["--decimals", "6", "--measure", "mean"], "mean"),
        (&["--decimals", "6", "--years", "0"], "0"),
        (&["--sign", "certificate.json"], "--pool"),
    ] {
        let said = refused(arguments);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}
