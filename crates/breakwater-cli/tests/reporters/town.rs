//! A town with a bank, its cover, three reporters and a keeper, each a process beside one chain.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alloy::hex;
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::rpc::types::Filter;
use alloy::signers::SignerSync;
use alloy::sol_types::{SolCall, SolEvent, SolValue};
use breakwater_bindings::contracts::{QuorumRung, Reporters};
use breakwater_bindings::demo::DemoToken;
use breakwater_bindings::deploy::Disputes;
use breakwater_bindings::eip712::{self, LossReport};
use breakwater_bindings::gauges::{self, Form, GaugeSpec, Side};
use breakwater_bindings::{Catalog, Incidents, Policies, Pool, TimelockController};
use serde_json::{Value, json};

use crate::support::author::creation_code;
use crate::support::stage::{DAY, DOLLAR, Stage, Who};

alloy::sol! {
    interface Bank {
        function setUp(address asset) external;
        function deposit(uint256 amount) external;
        function lend(address elsewhere, uint256 amount) external;
        function upgradeToAndCall(address implementation, bytes data) external;
        function handOver(address successor) external;
    }
    interface Wallet {
        function call(address target, bytes data) external;
    }
}

/// keccak256("eip1967.proxy.implementation") - 1
const IMPLEMENTATION: B256 =
    B256::new(hex!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"));

/// Steps in which everything must be paid; each mines a block.
pub(crate) const STEPS_MAX: u32 = 240;
/// Pause between two blocks.
const PACE: Duration = Duration::from_millis(250);
/// What the buyer has in the bank, dollars; somebody else has half of it there.
pub(crate) const DEPOSIT: u64 = 1_000;
/// The keeper's place among the nodes; the reporters' are before it.
pub(crate) const KEEPER: usize = 3;
/// The first node's place among anvil's accounts.
pub(crate) const FIRST_KEY: usize = 5;

/// What a node may be slow by where nothing else waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the bank keeps its money, and how it is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its manager lends it away, after a pinned word that is no code changed: the rule decides.
    Plain,
    /// New code moves it, which an honest migration does as well: a person decides.
    Proxied,
}

pub(crate) struct Town {
    pub(crate) stage: Stage,
    pub(crate) bank: Address,
    kind: Kind,
    /// Who reports, in the order of their nodes.
    pub(crate) reporters: [Address; 3],
    pub(crate) nodes: [Option<Child>; 4],
}

impl Drop for Town {
    fn drop(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.kill(node));
    }
}

impl Town {
    /// Reporters admitted, a bank with money, and cover of a position in it in force. The third reporter of a bank
    /// behind a proxy is an account with code, which the third key owns.
    pub(crate) fn build(kind: Kind) -> Self {
        let mut stage = Stage::build_disputed();
        let mut reporters = [0, 1, 2].map(|index| stage.anvil.keys()[FIRST_KEY + index].address());
        if kind == Kind::Proxied {
            let owner = reporters[2];
            reporters[2] = stage.create([creation_code("Wallet").to_vec(), owner.abi_encode()].concat());
        }
        for to in reporters {
            let mint = DemoToken::mintCall { to, amount: U256::from(100 * DOLLAR) };
            stage.send(Who::Deployer, stage.asset, &mint);
        }
        let bank = found_bank(&stage, kind);
        stage.gauge = list_gauge(&stage, bank, kind);
        stage.product = stage.list_product();
        stage.open_for_business();
        let product = stage.product.to_string();
        stage.done(Who::Buyer, &["buy", "--product", &product, "--sum", "2000", "--days", "30"]);
        stage.pass(DAY + 1);
        for (index, reporter) in reporters.into_iter().enumerate() {
            admit(&stage, reporter, stage.anvil.keys()[FIRST_KEY + index].address());
        }
        // Two blocks of one second would be no onset and what comes after it.
        let _: Value = stage.request("anvil_setBlockTimestampInterval", json!([1]));
        Self { stage, bank, kind, reporters, nodes: [const { None }; 4] }
    }

    pub(crate) fn disputes(&self) -> &Disputes {
        self.stage.deployment().disputes.as_ref().unwrap()
    }

    /// Starts a node's process; it goes on from its journal.
    pub(crate) fn start(&mut self, node: usize) {
        self.start_with(node, &[]);
    }

    /// The same with further flags.
    pub(crate) fn start_with(&mut self, node: usize, flags: &[&str]) {
        let mail = self.stage.path("mail");
        let child = spawn(&self.stage, node, &[&["--signatures", &mail], flags].concat());
        self.nodes[node] = Some(child);
    }

    /// Kills a node's process without a word, wherever it is.
    pub(crate) fn kill(&mut self, node: usize) {
        if let Some(mut child) = self.nodes[node].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// A pinned word that is no code changes: somebody mints a unit of the asset.
    pub(crate) fn shake_pins(&self) {
        let mint = DemoToken::mintCall { to: Address::repeat_byte(0x67), amount: U256::ONE };
        self.stage.send(Who::Deployer, self.stage.asset, &mint);
    }

    /// What the gauge pins changes, and the depositors' money is gone.
    pub(crate) fn drain(&self) {
        let (stage, thief) = (&self.stage, Address::repeat_byte(0x66));
        match self.kind {
            Kind::Plain => {
                self.shake_pins();
                let amount = U256::from(DEPOSIT * DOLLAR * 3 / 2);
                stage.send(Who::Deployer, self.bank, &Bank::lendCall { elsewhere: thief, amount });
            }
            Kind::Proxied => {
                let implementation = stage.create(creation_code("MigratedBank").to_vec());
                let hand_over = Bank::handOverCall { successor: thief }.abi_encode();
                let upgrade = Bank::upgradeToAndCallCall { implementation, data: hand_over.into() };
                stage.send(Who::Deployer, self.bank, &upgrade);
            }
        }
    }

    /// Mines a block. No node ends by itself, whatever the local chain answers while it is making one.
    pub(crate) fn step(&mut self) {
        std::thread::sleep(PACE);
        self.stage.mine(1);
        for node in 0..self.nodes.len() {
            let over = self.nodes[node].as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(over.is_none(), "node {node} gave up: {}", self.logs());
        }
    }

    /// Mines a block that is this much later.
    pub(crate) fn leap(&self, seconds: u64) {
        // A fixed interval goes before any other time.
        let _: Value = self.stage.request("anvil_removeBlockTimestampInterval", json!([]));
        let head = self.stage.runtime.block_on(self.stage.endpoints().head()).unwrap();
        let time = head.timestamp() + seconds;
        let _: Value = self.stage.request("evm_setNextBlockTimestamp", json!([time]));
        self.stage.mine(1);
        let _: Value = self.stage.request("anvil_setBlockTimestampInterval", json!([1]));
    }

    /// Steps until something holds.
    pub(crate) fn step_until(&mut self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        for _ in 0..STEPS_MAX {
            self.step();
            if holds(self) {
                return;
            }
        }
        panic!("{what}: not after {STEPS_MAX} blocks {}", self.logs());
    }

    /// Waits, without a block but those that transactions make, until something holds.
    pub(crate) fn wait_until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < deadline, "{what}: not after {PATIENCE:?} {}", self.logs());
            std::thread::sleep(PACE);
        }
    }

    /// A report as every reporter would sign it, but for what it says, with the signature of a node's key.
    pub(crate) fn signature(&self, report: &LossReport, node: usize) -> Bytes {
        let digest = eip712::digest(report, 31_337, self.disputes().quorum_rung);
        let key = &self.stage.anvil.keys()[FIRST_KEY + node];
        Bytes::copy_from_slice(&key.sign_hash_sync(&digest).unwrap().as_bytes())
    }

    /// A report of the loss of everything between two blocks, from the reporters whose nodes are named.
    pub(crate) fn fabricated(&self, onset: u64, reading: u64) -> LossReport {
        let stage = &self.stage;
        let head = |number: u64| stage.runtime.block_on(stage.endpoints().head_at(number, None)).unwrap();
        let (quorum, members) = {
            let set = stage.view(self.disputes().reporters, &Reporters::membersCall {});
            (set._0, set._1)
        };
        let whole = u128::from(DEPOSIT * DOLLAR * 3 / 2);
        LossReport {
            gauge: stage.gauge,
            incident: U256::ZERO,
            onset,
            reading,
            onsetTime: head(onset).timestamp(),
            afterTime: head(onset + 1).timestamp(),
            base: whole,
            loss: whole,
            evidence: B256::repeat_byte(7),
            signerSet: eip712::signer_set(quorum, &members),
            nonce: U256::from(1),
            validFrom: 0,
            validUntil: u64::MAX,
        }
    }

    /// Posts a report with the signatures of these nodes' keys.
    pub(crate) fn post(&self, report: &LossReport, nodes: &[usize]) {
        let mut signed: Vec<(Address, Bytes)> =
            nodes.iter().map(|node| (self.reporters[*node], self.signature(report, *node))).collect();
        signed.sort();
        let (signers, signatures) = signed.into_iter().unzip();
        let report = QuorumRung::LossReport::abi_decode(&report.abi_encode()).unwrap();
        let post = QuorumRung::postCall { report, signers, signatures };
        self.stage.send(Who::Other, self.disputes().quorum_rung, &post);
    }

    /// Letters in the directory that the nodes share.
    pub(crate) fn letters(&self) -> Vec<std::path::PathBuf> {
        let Ok(files) = fs::read_dir(self.stage.path("mail")) else { return Vec::new() };
        let files = files.map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
    }

    pub(crate) fn head(&self) -> u64 {
        self.stage.runtime.block_on(self.stage.endpoints().head_number()).unwrap()
    }

    /// Lines of a node's output that tell of this event.
    pub(crate) fn told(&self, node: usize, event: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.stage.path(&format!("node{node}.log"))).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["event"] == event).collect()
    }

    pub(crate) fn events<E: SolEvent>(&self, of: Address) -> Vec<E> {
        let (stage, endpoints) = (&self.stage, self.stage.endpoints());
        let filter = Filter::new().address(of).event_signature(E::SIGNATURE_HASH);
        let logs = stage.runtime.block_on(async {
            let head = endpoints.head_number().await.unwrap();
            endpoints.logs(0..=head, &filter).await.unwrap()
        });
        logs.iter().map(|log| E::decode_log(&log.inner).unwrap().data).collect()
    }

    pub(crate) fn posted(&self) -> Vec<QuorumRung::Posted> {
        self.events(self.stage.deployment().disputes.as_ref().unwrap().quorum_rung)
    }

    pub(crate) fn settled(&self) -> Vec<Policies::Settled> {
        self.events(self.stage.deployment().policies)
    }

    pub(crate) fn balance(&self, of: Address) -> U256 {
        self.stage.view(self.stage.asset, &DemoToken::balanceOfCall { account: of })
    }

    /// One incident, one payment of what the buyer lost but the deductible, and books that balance.
    pub(crate) fn check_paid(&self, before: U256) {
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
    pub(crate) fn logs(&self) -> String {
        let log = |node: usize| {
            let text = fs::read_to_string(self.stage.path(&format!("node{node}.log"))).unwrap_or_default();
            // One line for each block says nothing that the first one did not.
            let lines = text.lines().filter(|line| !line.contains("undecided"));
            format!("\n--- node {node}\n{}", lines.collect::<Vec<_>>().join("\n"))
        };
        (0..self.nodes.len()).map(log).collect()
    }
}

/// Starts a node's process; it goes on from its journal.
pub(crate) fn spawn(stage: &Stage, node: usize, flags: &[&str]) -> Child {
    let config = format!(
        "deployment = {:?}\njournal = {:?}\nrpc_urls = [{:?}]\npoll_seconds = 1\nconfirmations = 2\nsign_after_blocks = 2\n",
        stage.path("deployment.json"),
        stage.path(&format!("node{node}.sqlite")),
        stage.anvil.url().as_str(),
    );
    let file = stage.path(&format!("node{node}.toml"));
    fs::write(&file, config).unwrap();
    let log = File::options().create(true).append(true).open(stage.path(&format!("node{node}.log"))).unwrap();
    let key = hex::encode_prefixed(stage.anvil.keys()[FIRST_KEY + node].to_bytes());
    let role = if node == KEEPER { "keeper" } else { "reporter" };
    Command::new(env!("CARGO_BIN_EXE_breakwater"))
        .args(["node", "--json", "-v", "--role", role, "--config", &file])
        .args(flags)
        .env_remove("ETH_RPC_URL")
        .env_remove("RUST_LOG")
        .env("ETH_PRIVATE_KEY", key)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Bonds what a reporter has and admits it; an account with code acts by its owner.
fn admit(stage: &Stage, reporter: Address, key: Address) {
    let registry = stage.deployment().disputes.as_ref().unwrap().reporters;
    let send = |to: Address, data: Vec<u8>| {
        let wrapped = Wallet::callCall { target: to, data: data.clone().into() }.abi_encode();
        let (to, data) = if reporter == key { (to, data) } else { (reporter, wrapped) };
        stage.send_raw(key, Some(to), data.into());
    };
    let approve = DemoToken::approveCall { spender: registry, value: U256::MAX };
    send(stage.asset, approve.abi_encode());
    send(registry, Reporters::bondCall { amount: u128::from(10 * DOLLAR) }.abi_encode());
    govern(stage, registry, &Reporters::admitCall { reporter });
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

/// A bank with money of two depositors.
fn found_bank(stage: &Stage, kind: Kind) -> Address {
    let bank = match kind {
        Kind::Plain => {
            let arguments = (stage.asset, stage.address(Who::Deployer)).abi_encode();
            stage.create([creation_code("ThinBank").to_vec(), arguments].concat())
        }
        Kind::Proxied => {
            let implementation = stage.create(creation_code("MigratingBank").to_vec());
            let code = [creation_code("UpgradableProxy").to_vec(), implementation.abi_encode()].concat();
            let bank = stage.create(code);
            stage.send(Who::Deployer, bank, &Bank::setUpCall { asset: stage.asset });
            bank
        }
    };
    for (who, dollars) in [(Who::Buyer, DEPOSIT), (Who::Other, DEPOSIT / 2)] {
        stage.send(who, stage.asset, &DemoToken::approveCall { spender: bank, value: U256::MAX });
        stage.send(who, bank, &Bank::depositCall { amount: U256::from(dollars * DOLLAR) });
    }
    bank
}

/// What the bank holds against what it owes, with all code pinned, and the proxy's implementation or the supply of
/// the asset.
fn list_gauge(stage: &Stage, bank: Address, kind: Kind) -> B256 {
    let code_hash = |account: Address| {
        let code: Bytes = stage.request("eth_getCode", json!([account, "latest"]));
        keccak256(code)
    };
    let mut accounts = [bank, stage.asset];
    accounts.sort_unstable();
    let place = |account: Address| accounts.iter().position(|at| *at == account).unwrap() as u8;
    let number = |number: u64| B256::from(U256::from(number));
    let (pinned, slot, claims, owed) = match kind {
        Kind::Plain => (stage.asset, number(2), number(1), number(0)),
        Kind::Proxied => (bank, IMPLEMENTATION, number(2), number(1)),
    };
    let value: B256 = stage.request("eth_getStorageAt", json!([pinned, slot, "latest"]));
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
        vec![term(place(stage.asset), Side::AssetAdd, held), term(place(bank), Side::ClaimAdd, claims)];
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
        pins: vec![gauges::Pin { account: place(pinned), slot, value }],
        terms,
        holding: gauges::Holding {
            account: place(bank),
            vyper: false,
            nested: false,
            offset: 0,
            width: 256,
            scale: 1,
            word: 0,
            base: owed,
            innerKey: B256::ZERO,
        },
    };
    let id = keccak256(spec.abi_encode());
    let list = Catalog::listGaugeCall { spec: spec.into(), priors: Vec::new() };
    stage.send(Who::Deployer, stage.deployment().catalog, &list);
    id
}
