//! Three reporters and a keeper as processes beside one chain, killed at any moment.
//!
//! A bank is drained in the very transaction that changes its code, which no proof decides.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alloy::hex;
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::rpc::types::Filter;
use alloy::signers::SignerSync;
use alloy::sol_types::{SolCall, SolEvent, SolValue};
use breakwater_bindings::contracts::{QuorumRung, Reporters};
use breakwater_bindings::demo::DemoToken;
use breakwater_bindings::eip712::{self, LossReport};
use breakwater_bindings::gauges::{self, Form, GaugeSpec, Side};
use breakwater_bindings::{Catalog, Incidents, Policies, Pool, TimelockController};
use serde_json::{Value, json};
use support::author::creation_code;
use support::has_anvil;
use support::stage::{DAY, DOLLAR, Stage, Who};

alloy::sol! {
    interface Bank {
        function setUp(address asset) external;
        function deposit(uint256 amount) external;
        function upgradeToAndCall(address implementation, bytes data) external;
        function handOver(address successor) external;
    }
}

/// keccak256("eip1967.proxy.implementation") - 1
const IMPLEMENTATION: B256 =
    B256::new(hex!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"));

/// Steps in which everything must be paid; each mines a block.
const STEPS_MAX: u32 = 240;
/// Pause between two blocks.
const PACE: Duration = Duration::from_millis(300);
/// What the buyer has in the bank, dollars; somebody else has half of it there.
const DEPOSIT: u64 = 1_000;
/// The keeper's place among the nodes; the reporters' are before it.
const KEEPER: usize = 3;
/// The first node's place among anvil's accounts.
const FIRST_KEY: usize = 5;

struct Town {
    stage: Stage,
    bank: Address,
    nodes: [Option<Child>; 4],
}

impl Drop for Town {
    fn drop(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.kill(node));
    }
}

impl Town {
    /// Reporters admitted, a bank with money, and cover of a position in it in force.
    fn build() -> Self {
        let mut stage = Stage::build_disputed();
        let bank = found_bank(&stage);
        stage.gauge = list_gauge(&stage, bank);
        stage.product = stage.list_product();
        stage.open_for_business();
        let product = stage.product.to_string();
        stage.done(Who::Buyer, &["buy", "--product", &product, "--sum", "2000", "--days", "30"]);
        stage.pass(DAY + 1);
        let disputes = stage.deployment().disputes.clone().unwrap();
        for key in &stage.anvil.keys()[FIRST_KEY..FIRST_KEY + KEEPER] {
            let (reporter, amount) = (key.address(), 10 * DOLLAR);
            stage.send(
                Who::Deployer,
                stage.asset,
                &DemoToken::mintCall { to: reporter, amount: U256::from(amount) },
            );
            let send = |to: Address, data: Vec<u8>| stage.send_raw(reporter, Some(to), data.into());
            let approve = DemoToken::approveCall { spender: disputes.reporters, value: U256::MAX };
            send(stage.asset, approve.abi_encode());
            send(disputes.reporters, Reporters::bondCall { amount: amount.into() }.abi_encode());
            govern(&stage, disputes.reporters, &Reporters::admitCall { reporter });
        }
        // Two blocks of one second would be no onset and what comes after it.
        let _: Value = stage.request("anvil_setBlockTimestampInterval", json!([1]));
        Self { stage, bank, nodes: [const { None }; 4] }
    }

    /// Starts a node's process; it goes on from its journal.
    fn start(&mut self, node: usize) {
        let stage = &self.stage;
        let config = format!(
            "deployment = {:?}\njournal = {:?}\nrpc_urls = [{:?}]\npoll_seconds = 1\nconfirmations = 2\nsign_after_blocks = 2\n",
            stage.path("deployment.json"),
            stage.path(&format!("node{node}.sqlite")),
            stage.anvil.url().as_str(),
        );
        let file = stage.path(&format!("node{node}.toml"));
        fs::write(&file, config).unwrap();
        let log =
            File::options().create(true).append(true).open(stage.path(&format!("node{node}.log"))).unwrap();
        let key = hex::encode_prefixed(stage.anvil.keys()[FIRST_KEY + node].to_bytes());
        let role = if node == KEEPER { "keeper" } else { "reporter" };
        let child = Command::new(env!("CARGO_BIN_EXE_breakwater"))
            .args([
                "node",
                "--json",
                "-v",
                "--role",
                role,
                "--config",
                &file,
                "--signatures",
                &stage.path("mail"),
            ])
            .env_remove("ETH_RPC_URL")
            .env_remove("RUST_LOG")
            .env("ETH_PRIVATE_KEY", key)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.nodes[node] = Some(child);
    }

    /// Kills a node's process without a word, wherever it is.
    fn kill(&mut self, node: usize) {
        if let Some(mut child) = self.nodes[node].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// New code and the depositors' money gone, in one transaction.
    fn drain(&self) {
        let stage = &self.stage;
        let implementation = stage.create(creation_code("MigratedBank").to_vec());
        let thief = Bank::handOverCall { successor: Address::repeat_byte(0x66) }.abi_encode();
        let upgrade = Bank::upgradeToAndCallCall { implementation, data: thief.into() };
        stage.send(Who::Deployer, self.bank, &upgrade);
    }

    fn step(&mut self) {
        std::thread::sleep(PACE);
        self.stage.mine(1);
        for node in 0..self.nodes.len() {
            // The local chain may answer with the state of the block that it is just making, and a node with no
            // other endpoint then gives up: whoever runs it starts it again.
            if self.nodes[node].as_mut().is_some_and(|child| child.try_wait().unwrap().is_some()) {
                println!("node {node} gave up and is started again");
                self.start(node);
            }
        }
    }

    fn events<E: SolEvent>(&self, of: Address) -> Vec<E> {
        let (stage, endpoints) = (&self.stage, self.stage.endpoints());
        let filter = Filter::new().address(of).event_signature(E::SIGNATURE_HASH);
        let logs = stage.runtime.block_on(async {
            let head = endpoints.head_number().await.unwrap();
            endpoints.logs(0..=head, &filter).await.unwrap()
        });
        logs.iter().map(|log| E::decode_log(&log.inner).unwrap().data).collect()
    }

    fn posted(&self) -> Vec<QuorumRung::Posted> {
        self.events(self.stage.deployment().disputes.as_ref().unwrap().quorum_rung)
    }

    fn settled(&self) -> Vec<Policies::Settled> {
        self.events(self.stage.deployment().policies)
    }

    fn balance(&self, of: Address) -> U256 {
        self.stage.view(self.stage.asset, &DemoToken::balanceOfCall { account: of })
    }

    /// One incident, one payment of what the buyer lost but the deductible, and books that balance.
    fn check_paid(&self, before: U256) {
        let deployment = self.stage.deployment();
        let opened: Vec<Incidents::Opened> = self.events(deployment.incidents);
        assert_eq!((opened.len(), self.posted().len()), (1, 1), "{}", self.logs());
        let whole = u128::from(DEPOSIT * DOLLAR * 3 / 2);
        assert_eq!((opened[0].m.base, opened[0].m.loss), (whole, whole));
        let finals: Vec<Incidents::Finalised> = self.events(deployment.incidents);
        assert_eq!(finals.len(), 1);
        let paid: Vec<Policies::Settled> =
            self.settled().into_iter().filter(|settled| !settled.paid.is_zero()).collect();
        assert_eq!(paid.len(), 1, "paid once");
        assert_eq!(paid[0].lost, U256::from(DEPOSIT * DOLLAR));
        // The sum insured is twice the deposit, so that what the holder bears of it is beyond the loss.
        assert_eq!(paid[0].paid, U256::from(DEPOSIT * DOLLAR));
        let got = self.balance(self.stage.address(Who::Buyer)) - before;
        // The rest of what was paid are the bounties of the signer and of the keeper.
        assert!(got <= paid[0].paid && got >= paid[0].paid * U256::from(98) / U256::from(100), "{got}");
        let pool = self.stage.pool;
        let state = self.stage.view(pool, &Pool::stateCall {});
        let booking = self.stage.view(pool, &Pool::bookingCall { incident: U256::from(1) });
        let unearned = state.unearnedScaled.div_ceil(U256::from(1_000_000_000_000_000_000_u64));
        let layers: U256 = state.layers.into_iter().map(U256::from).sum();
        let reserved = U256::from(booking.funded.saturating_sub(booking.paid));
        let parts = [layers, unearned, reserved, state.owed, state.pendingDeposits, state.redeemable];
        assert_eq!(self.balance(pool), parts.into_iter().sum::<U256>(), "the books");
    }

    /// What the nodes said, for the message of a failure.
    fn logs(&self) -> String {
        let log = |node: usize| {
            let text = fs::read_to_string(self.stage.path(&format!("node{node}.log"))).unwrap_or_default();
            // One line for each block says nothing that the first one did not.
            let lines = text.lines().filter(|line| !line.contains("undecided"));
            format!("\n--- node {node}\n{}", lines.collect::<Vec<_>>().join("\n"))
        };
        (0..self.nodes.len()).map(log).collect()
    }
}

/// Does what only the admin may, by way of the timelock. An account made up by the local chain would spoil its proofs.
fn govern(stage: &Stage, target: Address, call: &impl SolCall) {
    let (payload, timelock) = (Bytes::from(call.abi_encode()), stage.deployment().timelock);
    let schedule = TimelockController::scheduleCall {
        target,
        value: U256::ZERO,
        data: payload.clone(),
        predecessor: B256::ZERO,
        salt: B256::ZERO,
        delay: U256::from(1),
    };
    stage.send(Who::Deployer, timelock, &schedule);
    stage.pass(2);
    let (value, predecessor, salt) = (U256::ZERO, B256::ZERO, B256::ZERO);
    let execute = TimelockController::executeCall { target, value, payload, predecessor, salt };
    stage.send(Who::Deployer, timelock, &execute);
}

/// A bank behind a proxy, with money of two depositors.
fn found_bank(stage: &Stage) -> Address {
    let implementation = stage.create(creation_code("MigratingBank").to_vec());
    let code = [creation_code("UpgradableProxy").to_vec(), implementation.abi_encode()].concat();
    let bank = stage.create(code);
    stage.send(Who::Deployer, bank, &Bank::setUpCall { asset: stage.asset });
    for (who, dollars) in [(Who::Buyer, DEPOSIT), (Who::Other, DEPOSIT / 2)] {
        stage.send(who, stage.asset, &DemoToken::approveCall { spender: bank, value: U256::MAX });
        stage.send(who, bank, &Bank::depositCall { amount: U256::from(dollars * DOLLAR) });
    }
    bank
}

/// What the bank holds against what it owes, with its proxy, its implementation and the token pinned.
fn list_gauge(stage: &Stage, bank: Address) -> B256 {
    let code_hash = |account: Address| {
        let code: Bytes = stage.request("eth_getCode", json!([account, "latest"]));
        keccak256(code)
    };
    let value: B256 = stage.request("eth_getStorageAt", json!([bank, IMPLEMENTATION, "latest"]));
    let mut accounts = [bank, stage.asset];
    accounts.sort_unstable();
    let place = |account: Address| accounts.iter().position(|at| *at == account).unwrap() as u8;
    let number = |number: u64| B256::from(U256::from(number));
    let held = keccak256((bank, U256::ZERO).abi_encode());
    let term = |account, side, slot| gauges::Term {
        account,
        side,
        native: false,
        slot,
        offset: 0,
        width: 256,
        scale: 1,
    };
    let mut terms =
        vec![term(place(stage.asset), Side::AssetAdd, held), term(place(bank), Side::ClaimAdd, number(2))];
    terms.sort_by_key(|term| term.account);
    let spec = GaugeSpec {
        chainId: U256::from(31_337),
        form: Form::Par,
        asset: stage.asset,
        threshold: 50_000_000_000_000_000,
        growth: 0,
        pinnedAt: 0,
        floor: 1,
        assets0: 0,
        shares0: 0,
        accounts: accounts
            .iter()
            .map(|account| gauges::PinnedAccount { account: *account, codeHash: code_hash(*account) })
            .collect(),
        pins: vec![gauges::Pin { account: place(bank), slot: IMPLEMENTATION, value }],
        terms,
        holding: gauges::Holding {
            account: place(bank),
            vyper: false,
            nested: false,
            offset: 0,
            width: 256,
            scale: 1,
            word: 0,
            base: number(1),
            innerKey: B256::ZERO,
        },
    };
    let id = keccak256(spec.abi_encode());
    let list = Catalog::listGaugeCall { spec: spec.into(), priors: Vec::new() };
    stage.send(Who::Deployer, stage.deployment().catalog, &list);
    id
}

/// A small generator, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Runs all four nodes through the drain and kills one of them now and then, at any moment of a block.
fn kills(seed: u64) {
    let mut town = Town::build();
    let mut dice = Dice(seed);
    (0..town.nodes.len()).for_each(|node| town.start(node));
    let before = town.balance(town.stage.address(Who::Buyer));
    let (mut kills, mut back_in, mut after) = (0, 0, 0);
    for step in 0..STEPS_MAX {
        if step == 8 {
            town.drain();
        }
        town.step();
        if let Some(dead) = town.nodes.iter().position(Option::is_none) {
            back_in -= 1;
            if back_in == 0 {
                town.start(dead);
            }
        } else if dice.roll(4) == 0 {
            std::thread::sleep(Duration::from_millis(dice.roll(1_000)));
            town.kill(dice.roll(4) as usize);
            (kills, back_in) = (kills + 1, 1 + dice.roll(4));
        }
        // What was paid must not be paid again a little later.
        after += u32::from(after > 0 || !town.settled().is_empty());
        if after > 12 {
            break;
        }
    }
    println!("seed {seed}: {kills} kills");
    assert!(after > 12, "seed {seed}: not paid {}", town.logs());
    town.check_paid(before);
}

#[test]
fn any_node_may_be_killed_and_the_loss_is_paid_once() {
    if has_anvil() {
        kills(1);
    }
}

#[test]
fn long_many_kills() {
    if std::env::var_os("BREAKWATER_LONG").is_none() {
        println!("SKIPPED 1 test: BREAKWATER_LONG is not set");
        return;
    }
    (2..22).for_each(kills);
}

#[test]
fn one_honest_reporter_and_one_liar_post_nothing() {
    if !has_anvil() {
        return;
    }
    let mut town = Town::build();
    let before = town.balance(town.stage.address(Who::Buyer));
    town.start(0);
    town.start(KEEPER);
    (0..6).for_each(|_| town.step());
    town.drain();
    let mail = town.stage.path("mail");
    let letters = || {
        let files = fs::read_dir(&mail).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect::<Vec<_>>()
    };
    for _ in 0..STEPS_MAX {
        town.step();
        if !letters().is_empty() {
            break;
        }
    }
    // The liar says that less was lost, by the same rule in everything else.
    let honest: Value = serde_json::from_slice(&fs::read(&letters()[0]).unwrap()).unwrap();
    let message: Bytes = serde_json::from_value(honest["message"].clone()).unwrap();
    let report = LossReport::abi_decode(&message).unwrap();
    let lie = LossReport { loss: report.loss / 2, ..report };
    let rung = town.stage.deployment().disputes.as_ref().unwrap().quorum_rung;
    let liar = &town.stage.anvil.keys()[FIRST_KEY + 2];
    let digest = eip712::digest(&lie, 31_337, rung);
    let signature = Bytes::copy_from_slice(&liar.sign_hash_sync(&digest).unwrap().as_bytes());
    let letter = json!({ "kind": "loss", "message": Bytes::from(lie.abi_encode()), "signature": signature });
    fs::write(format!("{mail}/{digest}-{}.json", liar.address()), letter.to_string()).unwrap();
    (0..30).for_each(|_| town.step());
    assert_eq!((town.posted().len(), town.settled().len()), (0, 0), "{}", town.logs());
    // With a second honest one there is a quorum, though it comes late.
    town.start(1);
    for _ in 0..STEPS_MAX {
        town.step();
        if !town.settled().is_empty() {
            break;
        }
    }
    (0..6).for_each(|_| town.step());
    town.check_paid(before);
}
