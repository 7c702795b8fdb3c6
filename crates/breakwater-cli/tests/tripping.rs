//! Three reporters stop a protocol for a time, through the commands of all who take part.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use alloy::hex;
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{SolCall, SolConstructor};
use breakwater_bindings::TimelockController;
use breakwater_bindings::contracts::{Assembly, Breaker, Reporters};
use breakwater_bindings::demo::{DemoToken, GuardedVault, GuardedVaultAttack};
use breakwater_bindings::deploy::Disputes;
use serde_json::{Value, json};
use support::stage::{DOLLAR, Stage, Who, change, number};
use support::{breakwater, has_anvil, stderr, stdout};

/// The first reporter's place among anvil's accounts.
const FIRST_KEY: usize = 5;
const HOUR: u64 = 3_600;
/// What an hour of a wrong pause costs.
const PRICE: u64 = 100;

/// A deployment with three reporters, and a vault of the underwriter's that asks the breaker.
struct Town {
    stage: Stage,
    vault: Address,
    attack: Address,
}

impl Town {
    fn build() -> Self {
        let stage = Stage::build_disputed();
        let disputes = stage.deployment().disputes.clone().unwrap();
        for index in 0..3 {
            let (reporter, amount) = (key(&stage, index).address(), 1_000 * DOLLAR);
            mint(&stage, reporter, amount);
            let approve = DemoToken::approveCall { spender: disputes.reporters, value: U256::MAX };
            stage.send_raw(reporter, Some(stage.asset), approve.abi_encode().into());
            let bond = Reporters::bondCall { amount: amount.into() };
            stage.send_raw(reporter, Some(disputes.reporters), bond.abi_encode().into());
            govern(&stage, disputes.reporters, &Reporters::admitCall { reporter });
        }
        stake(&stage, &disputes);
        let arguments = GuardedVault::constructorCall {
            asset_: stage.asset,
            breaker_: disputes.breaker,
            owner_: stage.address(Who::Underwriter),
        };
        let code = [GuardedVault::BYTECODE.as_ref(), &arguments.abi_encode()].concat();
        let vault = stage.create(code);
        let code = GuardedVaultAttack::constructorCall { vault }.abi_encode();
        let attack = stage.create([GuardedVaultAttack::BYTECODE.as_ref(), &code].concat());
        Self { stage, vault, attack }
    }

    fn disputes(&self) -> &Disputes {
        self.stage.deployment().disputes.as_ref().unwrap()
    }

    fn agree(&self) {
        let (vault, guardian) = (self.vault.to_string(), self.stage.address(Who::Curator).to_string());
        let price = PRICE.to_string();
        let terms = [
            "breaker",
            "agree",
            "--target",
            &vault,
            "--guardian",
            &guardian,
            "--price-per-hour",
            &price,
            "--max-duration",
            "6h",
            "--period",
            "12h",
            "--signers",
            "3",
        ];
        let (status, said) = self.stage.refused(Who::Other, &terms);
        assert!(status == 1 && said.contains("NotForTarget"), "{said}");
        self.stage.foretold(Who::Underwriter, &terms);
        self.stage.mine(1);
    }

    /// The first step of the drain: a small deposit is asked back many times over.
    fn prepare(&self) {
        let (stage, vault) = (&self.stage, self.vault);
        stage.send(Who::Buyer, stage.asset, &DemoToken::approveCall { spender: vault, value: U256::MAX });
        let assets = U256::from(10_000 * DOLLAR);
        stage.send(Who::Buyer, vault, &GuardedVault::depositCall { assets });
        mint(stage, self.attack, 1_000 * DOLLAR);
        stage.send(Who::Other, self.attack, &GuardedVaultAttack::prepareCall { times: U256::from(11) });
    }

    /// Whether the second step would go through now.
    fn drains(&self) -> bool {
        let data = Bytes::from(GuardedVaultAttack::finishCall {}.abi_encode());
        let call =
            json!([{ "to": self.attack, "data": data, "from": self.stage.address(Who::Other) }, "latest"]);
        let answer: Result<Bytes, _> =
            self.stage.runtime.block_on(self.stage.endpoints().request("eth_call", call));
        answer.is_ok()
    }

    /// Signed by one after the other, each with its own key.
    fn sign(&self, duration: &str, file: &str) {
        let (vault, evidence) = (self.vault.to_string(), B256::repeat_byte(7).to_string());
        let path = self.stage.path(file);
        let sign = [
            "trip",
            "sign",
            "--target",
            &vault,
            "--duration",
            duration,
            "--evidence",
            &evidence,
            "--out",
            &path,
            "--json",
        ];
        let place = self.place();
        let place: Vec<&str> = place.iter().map(String::as_str).collect();
        let output = breakwater(&[&sign[..], &place, &["--private-key", &self.secret(0)]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let sheet: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(sheet["type"], "BreakerTrip");
        assert_eq!(sheet["contract"], json!(self.disputes().breaker));
        for index in 1..3 {
            let more = ["trip", "countersign", "--message", &path, "--private-key", &self.secret(index)];
            let output = breakwater(&more);
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        }
    }

    fn status(&self) -> Value {
        let mut seen = self.stage.seen(&["trip", "status"]);
        assert_eq!(seen.len(), 1, "one protocol agreed");
        seen.remove(0)
    }

    fn secret(&self, index: usize) -> String {
        hex::encode_prefixed(key(&self.stage, index).to_bytes())
    }

    fn place(&self) -> [String; 4] {
        let url = self.stage.anvil.url().as_str().to_owned();
        ["--rpc-url".to_owned(), url, "--deployment".to_owned(), self.stage.path("deployment.json")]
    }

    /// Bond of a reporter that is held.
    fn held(&self, index: usize) -> u128 {
        let reporter = key(&self.stage, index).address();
        self.stage.view(self.disputes().reporters, &Reporters::bondOfCall { reporter }).held
    }
}

fn key(stage: &Stage, index: usize) -> &PrivateKeySigner {
    &stage.anvil.keys()[FIRST_KEY + index]
}

fn mint(stage: &Stage, to: Address, amount: u64) {
    stage.send(Who::Deployer, stage.asset, &DemoToken::mintCall { to, amount: U256::from(amount) });
}

/// The buyer has all stake that judges trips.
fn stake(stage: &Stage, disputes: &Disputes) {
    let approve = DemoToken::approveCall { spender: disputes.judges, value: U256::MAX };
    stage.send(Who::Buyer, stage.asset, &approve);
    stage.send(Who::Buyer, disputes.judges, &Assembly::stakeCall { amount: u128::from(DOLLAR) });
}

/// Does what only the admin may, by way of the timelock.
fn govern(stage: &Stage, target: Address, call: &impl SolCall) {
    let (payload, timelock) = (Bytes::from(call.abi_encode()), stage.deployment().timelock);
    let (value, predecessor, salt) = (U256::ZERO, B256::ZERO, B256::ZERO);
    let data = payload.clone();
    let schedule =
        TimelockController::scheduleCall { target, value, data, predecessor, salt, delay: U256::from(1) };
    stage.send(Who::Deployer, timelock, &schedule);
    stage.pass(2);
    let execute = TimelockController::executeCall { target, value, payload, predecessor, salt };
    stage.send(Who::Deployer, timelock, &execute);
}

#[test]
fn three_reporters_stop_a_drain_and_the_protocol_goes_on() {
    if !has_anvil() {
        return;
    }
    let town = Town::build();
    let stage = &town.stage;
    town.agree();
    town.prepare();
    let status = town.status();
    assert_eq!((&status["stopped"], &status["trip"]), (&json!(false), &Value::Null));
    assert_eq!(number(&status["agreement"]["price_per_hour"]), u128::from(PRICE * DOLLAR));

    // Two signatures are no trip.
    town.sign("2h", "trip.json");
    let text = std::fs::read_to_string(stage.path("trip.json")).unwrap();
    let mut two: Value = serde_json::from_str(&text).unwrap();
    two["signatures"].as_array_mut().unwrap().pop();
    std::fs::write(stage.path("two.json"), two.to_string()).unwrap();
    let (status, said) = stage.refused(Who::Other, &["trip", "post", "--message", &stage.path("two.json")]);
    assert!(status == 1 && said.contains("TooFewSigners"), "{said}");

    // Somebody else sends what the three signed.
    stage.foretold(Who::Other, &["trip", "post", "--message", &stage.path("trip.json")]);
    let status = town.status();
    assert_eq!((&status["stopped"], &status["trip"]["verdict"]), (&json!(true), &json!("standing")));
    assert_eq!(town.held(0), u128::from(2 * PRICE * DOLLAR));
    assert_eq!(town.held(2), u128::from(2 * PRICE * DOLLAR));
    stage.pass(HOUR + 60);
    assert!(!town.drains(), "the second step is refused");

    // The owner mends the vault; a stranger cannot end the trip, the guardian can.
    let holder = town.attack;
    stage.send(Who::Underwriter, town.vault, &GuardedVault::strikeCall { holder });
    let vault = town.vault.to_string();
    let undo = ["trip", "undo", "--target", &vault];
    let (status, said) = stage.refused(Who::Other, &undo);
    assert!(status == 1 && said.contains("NotGuardian"), "{said}");
    let told = stage.foretold(Who::Curator, &undo);
    assert_eq!(change(&told, "stopped")["after"], "no");
    let (status, said) = stage.refused(Who::Curator, &undo);
    assert!(status == 1 && said.contains("NotTripped"), "{said}");
    let assets = stage.view(town.vault, &GuardedVault::totalAssetsCall {});
    assert_eq!(assets, U256::from(11_000 * DOLLAR), "nothing was taken");

    // The period is not over; a week later nothing can change the trip any more.
    town.sign("1h", "again.json");
    let (status, said) = stage.refused(Who::Other, &["trip", "post", "--message", &stage.path("again.json")]);
    assert!(status == 1 && said.contains("TooSoon"), "{said}");
    let (status, said) = stage.refused(Who::Other, &["trip", "settle", "--trip", "1"]);
    assert!(status == 1 && said.contains("StillOpen"), "{said}");
    stage.pass(7 * 24 * HOUR);
    stage.foretold(Who::Other, &["trip", "settle", "--trip", "1"]);
    assert_eq!(town.held(0), 0);
    stage.done(Who::Curator, &["breaker", "quit", "--target", &vault]);
    assert_eq!(town.status()["agreement"], Value::Null);
}

#[test]
fn a_trip_ends_by_itself_and_costs_its_signers_what_judges_say() {
    if !has_anvil() {
        return;
    }
    let town = Town::build();
    let stage = &town.stage;
    town.agree();
    town.sign("2h", "trip.json");
    stage.done(Who::Other, &["trip", "post", "--message", &stage.path("trip.json")]);
    let vault = town.vault;
    let stopped = || stage.view(vault, &GuardedVault::breakerCall {});
    assert_eq!(stopped(), town.disputes().breaker);
    assert!(stage.view(town.disputes().breaker, &Breaker::trippedCall { target: vault }));
    stage.pass(2 * HOUR);
    assert!(!stage.view(town.disputes().breaker, &Breaker::trippedCall { target: vault }));
    let assets = U256::from(DOLLAR);
    stage.send(Who::Buyer, stage.asset, &DemoToken::approveCall { spender: vault, value: U256::MAX });
    stage.send(Who::Buyer, vault, &GuardedVault::depositCall { assets });

    let challenge = ["challenge-trip", "--trip", "1"];
    let (status, said) = stage.refused(Who::Other, &challenge);
    assert!(status == 1 && said.contains("NotGuardian"), "{said}");
    stage.foretold(Who::Curator, &challenge);
    let of_case = ["--trip", "1"];
    stage.done(Who::Other, &[&["assess", "begin"], &of_case[..]].concat());
    let secret = stage.path("vote.json");
    let vote = ["assess", "commit", "--percent", "0", "--secret", &secret];
    stage.done(Who::Buyer, &[&vote[..], &of_case].concat());
    stage.pass(HOUR + 1);
    stage.done(Who::Buyer, &["assess", "reveal", "--secret", &secret]);
    stage.pass(HOUR + 1);
    stage.done(Who::Other, &[&["assess", "close"], &of_case[..]].concat());
    assert_eq!(town.status()["trip"]["verdict"], "wrong");
    stage.foretold(Who::Other, &["trip", "settle", "--trip", "1"]);
    let each = 2 * PRICE * DOLLAR;
    for index in 0..3 {
        let reporter = key(stage, index).address();
        let bond = stage.view(town.disputes().reporters, &Reporters::bondOfCall { reporter });
        assert_eq!((bond.bonded, bond.held), (u128::from(1_000 * DOLLAR - each), 0));
    }
    let prover = stage.address(Who::Curator);
    let reward = stage.view(town.disputes().reporters, &Reporters::rewardsCall { prover });
    assert_eq!(reward, u128::from(each), "two hours at the agreed price");
}
