//! A deployment on a local chain with a pool, a listed gauge and a product, for the commands of all actors.
//!
//! Accounts are anvil's own, so that whatever is no command of ours is sent by the node without a key.

use std::process::Output;
use std::time::{Duration, Instant};

use alloy::hex;
use alloy::primitives::{Address, B256, Bytes, U64, U256, keccak256};
use alloy::rpc::types::TransactionRequest;
use alloy::sol_types::{SolCall, SolConstructor, SolValue};
use breakwater_bindings::demo::DemoToken;
use breakwater_bindings::gauges::{self, Form, GaugeSpec, Side};
use breakwater_bindings::{Catalog, Deployment, Pool, Wording};
use breakwater_chain::{Anvil, Endpoints};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{breakwater, objects, stderr, stdout};

/// Units of one dollar.
pub(crate) const DOLLAR: u64 = 1_000_000;

/// Seconds of a day.
pub(crate) const DAY: u64 = 86_400;

/// Who acts on the stage, by their place among anvil's accounts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who {
    /// Deploys, lists, registers.
    Deployer,
    /// Curates the pool.
    Curator,
    /// Puts money into senior.
    Underwriter,
    /// Buys cover.
    Buyer,
    /// Somebody else.
    Other,
}

/// What a deployment has beside the settlement layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extra {
    Nothing,
    Disputes,
    Council,
}

/// The stage.
pub(crate) struct Stage {
    pub(crate) anvil: Anvil,
    pub(crate) runtime: Runtime,
    pub(crate) folder: TempDir,
    deployment: Option<Deployment>,
    pub(crate) asset: Address,
    pub(crate) pool: Address,
    pub(crate) gauge: B256,
    pub(crate) product: B256,
}

impl Stage {
    /// Deploys through the command, lists a gauge and a product, and hands out dollars.
    pub(crate) fn build() -> Self {
        let arguments =
            DemoToken::constructorCall { name: "Dollar".into(), symbol: "dUSD".into(), decimals_: 6 };
        Self::build_with([DemoToken::BYTECODE.as_ref(), &arguments.abi_encode()].concat(), Extra::Nothing)
    }

    /// The same with reporters, a quorum rung and an assembly.
    pub(crate) fn build_disputed() -> Self {
        let arguments =
            DemoToken::constructorCall { name: "Dollar".into(), symbol: "dUSD".into(), decimals_: 6 };
        Self::build_with([DemoToken::BYTECODE.as_ref(), &arguments.abi_encode()].concat(), Extra::Disputes)
    }

    /// The same under a council, all of whose votes are the curator's.
    pub(crate) fn build_governed() -> Self {
        let arguments =
            DemoToken::constructorCall { name: "Dollar".into(), symbol: "dUSD".into(), decimals_: 6 };
        Self::build_with([DemoToken::BYTECODE.as_ref(), &arguments.abi_encode()].concat(), Extra::Council)
    }

    /// The same on another asset: the artifact of a token of six decimals that anyone may mint.
    pub(crate) fn build_on(token: &str) -> Self {
        Self::build_with(super::author::creation_code(token).to_vec(), Extra::Nothing)
    }

    fn build_with(asset: Vec<u8>, extra: Extra) -> Self {
        let anvil = Anvil::builder().hardfork("prague").start().unwrap();
        let runtime = Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut stage = Self {
            asset: Address::ZERO,
            pool: Address::ZERO,
            gauge: B256::ZERO,
            product: B256::ZERO,
            deployment: None,
            anvil,
            runtime,
            folder,
        };
        stage.mine(1);
        stage.asset = stage.create(asset);
        stage.deploy(extra);
        stage.gauge = stage.list_gauge();
        stage.product = stage.list_product();
        for who in [Who::Curator, Who::Underwriter, Who::Buyer, Who::Other] {
            let mint = DemoToken::mintCall { to: stage.address(who), amount: U256::from(2_000_000 * DOLLAR) };
            stage.send(Who::Deployer, stage.asset, &mint);
        }
        stage
    }

    /// Curator's junior locked, senior money in, and the product on sale: all through commands.
    pub(crate) fn open_for_business(&self) {
        for (who, tranche, amount) in
            [(Who::Curator, "junior", "400000"), (Who::Underwriter, "senior", "1000000")]
        {
            self.done(who, &["deposit", "--pool", "dollars", "--tranche", tranche, "--amount", amount]);
        }
        self.pass(DAY);
        for (who, tranche) in [(Who::Curator, "junior"), (Who::Underwriter, "senior")] {
            self.done(who, &["claim", "--pool", "dollars", "--tranche", tranche]);
        }
        self.done(Who::Curator, &["pool", "lock", "--pool", "dollars", "--all"]);
        let product = self.product.to_string();
        let cap = ["pool", "set-product", "--pool", "dollars", "--product", &product, "--cap", "500000"];
        self.done(Who::Curator, &[&cap[..], &["--floor-rate", "2"]].concat());
        self.pass(10 * DAY);
    }

    /// Runs a command as somebody, with key, chain and deployment.
    pub(crate) fn run(&self, who: Who, arguments: &[&str]) -> Output {
        let key = self.key(who);
        breakwater(
            &[
                arguments,
                &["--private-key", &key],
                &self.place().iter().map(String::as_str).collect::<Vec<_>>()[..],
            ]
            .concat(),
        )
    }

    /// Runs a command that only looks.
    pub(crate) fn look(&self, arguments: &[&str]) -> Output {
        breakwater(&[arguments, &self.place().iter().map(String::as_str).collect::<Vec<_>>()[..]].concat())
    }

    /// The JSON object of a command that acts and succeeds.
    pub(crate) fn done(&self, who: Who, arguments: &[&str]) -> Value {
        let output = self.run(who, &[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
        let mut objects = objects(&output);
        assert_eq!(objects.len(), 1, "{arguments:?} prints one object");
        objects.remove(0)
    }

    /// The JSON objects of a command that only looks.
    pub(crate) fn seen(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.look(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
        objects(&output)
    }

    /// A command that is refused: its exit status and what stderr says.
    pub(crate) fn refused(&self, who: Who, arguments: &[&str]) -> (i32, String) {
        let output = self.run(who, arguments);
        assert_eq!(stdout(&output), "", "{arguments:?} must leave stdout to data");
        (output.status.code().unwrap(), stderr(&output))
    }

    /// A dry run and then the real one, in a block of the same time: what was foretold must be what happens, and
    /// the dry run itself must change nothing.
    pub(crate) fn foretold(&self, who: Who, arguments: &[&str]) -> Value {
        let root = self.root();
        let dry = self.done(who, &[arguments, &["--dry-run"]].concat());
        assert_eq!(self.root(), root, "{arguments:?} --dry-run changed the chain");
        assert_eq!(dry["dry_run"], true);
        let steps = dry["steps"].as_array().unwrap().len() as u64;
        // Each step is a block of its own; a rehearsal counts on the last one to be at its time.
        let time = dry["block"]["time"].as_u64().unwrap();
        assert!(steps >= 1 && dry["steps"].as_array().unwrap().iter().all(|step| step["tx_hash"].is_null()));
        self.freeze(time);
        let real = self.done(who, arguments);
        self.thaw();
        assert_eq!(real["dry_run"], false);
        let after = |run: &Value| {
            let changes = run["changes"].as_array().unwrap().iter();
            changes
                .map(|change| (change["what"].clone(), change["before"].clone(), change["after"].clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(after(&dry), after(&real), "{arguments:?}: foretold and real differ");
        assert_eq!(dry["result"], real["result"], "{arguments:?}");
        let names = |run: &Value| {
            run["events"].as_array().unwrap().iter().map(|event| event["name"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&dry), names(&real), "{arguments:?}");
        real
    }

    /// Addresses, once they are there.
    pub(crate) fn deployment(&self) -> &Deployment {
        self.deployment.as_ref().unwrap()
    }

    pub(crate) fn endpoints(&self) -> &Endpoints {
        self.anvil.endpoints()
    }

    pub(crate) fn address(&self, who: Who) -> Address {
        self.anvil.keys()[who as usize].address()
    }

    pub(crate) fn key(&self, who: Who) -> String {
        hex::encode_prefixed(self.anvil.keys()[who as usize].to_bytes())
    }

    /// Path of a file in the stage's folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Lets time pass and mines a block.
    pub(crate) fn pass(&self, seconds: u64) {
        let _: Value = self.request("evm_increaseTime", json!([seconds]));
        self.mine(1);
    }

    pub(crate) fn mine(&self, blocks: u64) {
        self.runtime.block_on(self.anvil.mine(blocks)).unwrap();
    }

    /// Blocks from here on all have this time.
    fn freeze(&self, time: u64) {
        let _: Value = self.request("anvil_setBlockTimestampInterval", json!([0]));
        let _: Value = self.request("evm_setNextBlockTimestamp", json!([time]));
    }

    fn thaw(&self) {
        let _: Value = self.request("anvil_removeBlockTimestampInterval", json!([]));
    }

    fn root(&self) -> (B256, U64) {
        let head = self.runtime.block_on(self.endpoints().head()).unwrap();
        (head.state_root(), U64::from(head.number()))
    }

    pub(crate) fn request<T: serde::de::DeserializeOwned>(&self, method: &'static str, params: Value) -> T {
        self.runtime.block_on(self.endpoints().request(method, params)).unwrap()
    }

    /// Sends as one of anvil's accounts; a revert fails the test.
    pub(crate) fn send(&self, who: Who, to: Address, call: &impl SolCall) {
        self.send_raw(self.address(who), Some(to), call.abi_encode().into());
    }

    /// Sends as any account, also as a contract.
    pub(crate) fn send_as(&self, from: Address, to: Address, call: &impl SolCall) {
        let _: Value = self.request("anvil_impersonateAccount", json!([from]));
        let _: Value = self.request("anvil_setBalance", json!([from, "0xde0b6b3a7640000"]));
        self.send_raw(from, Some(to), call.abi_encode().into());
    }

    /// Sends as an account whose key anvil has.
    pub(crate) fn send_raw(&self, from: Address, to: Option<Address>, data: Bytes) -> Value {
        let transaction = TransactionRequest {
            from: Some(from),
            to: to.map(Into::into),
            input: data.into(),
            ..Default::default()
        };
        let hash: B256 = self.request("eth_sendTransaction", json!([transaction]));
        let deadline = Instant::now() + Duration::from_secs(20);
        let receipt: Value = loop {
            // On a busy machine the block comes a moment after the answer.
            match self.request("eth_getTransactionReceipt", json!([hash])) {
                Value::Null => assert!(Instant::now() < deadline, "{hash} is not mined"),
                receipt => break receipt,
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(receipt["status"], "0x1", "{receipt}");
        receipt
    }

    /// Reads a view.
    pub(crate) fn view<C: SolCall>(&self, to: Address, call: &C) -> C::Return {
        let request = TransactionRequest::default().to(to).input(call.abi_encode().into());
        let output: Bytes = self.request("eth_call", json!([request, "latest"]));
        C::abi_decode_returns(&output).unwrap()
    }

    fn place(&self) -> Vec<String> {
        ["--rpc-url", self.anvil.url().as_str(), "--deployment", &self.path("deployment.json")]
            .map(str::to_owned)
            .to_vec()
    }

    /// Creates a contract as the deployer.
    pub(crate) fn create(&self, code: Vec<u8>) -> Address {
        let receipt = self.send_raw(self.address(Who::Deployer), None, code.into());
        serde_json::from_value(receipt["contractAddress"].clone()).unwrap()
    }

    fn deploy(&mut self, extra: Extra) {
        let deployer = self.address(Who::Deployer);
        let mut config = json!({
            "chainId": "31337", "deployer": deployer, "salt": B256::ZERO, "lister": deployer, "guardian": Address::ZERO,
            "dwellBlocks": "8", "quorumWindowBlocks": "10", "assemblyWindowBlocks": "7200",
            "guardianDelayBlocks": "10", "heavyBps": "65535", "claimWindowS": (30 * DAY).to_string(),
            "timelock": { "minDelayS": "1", "proposers": [deployer], "executors": [Address::ZERO] },
            "pools": [self.pool_config("dollars")],
        });
        if extra == Extra::Council {
            config["timelock"] =
                json!({ "minDelayS": (2 * DAY).to_string(), "proposers": [], "executors": [] });
            config["council"] = json!({
                "holder": self.address(Who::Curator), "guardian": Address::ZERO, "identityRegistrar": deployer,
                "votingDelayS": DAY.to_string(), "votingPeriodS": (3 * DAY).to_string(),
                "extensionS": DAY.to_string(), "threshold": "1000000000000000000000", "quorumPercent": "4",
            });
        }
        if extra == Extra::Disputes {
            config["ceilings"] = json!([{ "rung": "3", "asset": self.asset, "most": "1000000000000" }]);
            config["disputes"] = json!({
                "bondAsset": self.asset, "sink": Address::repeat_byte(0xdd), "quorum": "2", "minBond": "1000000",
                "unbondDelayS": (60 * DAY).to_string(), "proverBps": "5000", "reportBond": "100000",
                "challengeBond": "1000000", "stakeToken": self.asset, "commitTimeS": "3600",
                "revealTimeS": "3600", "unstakeDelayS": "14400", "stakeQuorumBps": "1000", "slashBps": "1000",
            });
        }
        let (file, out) = (self.path("config.json"), self.path("deployment.json"));
        std::fs::write(&file, config.to_string()).unwrap();
        let key = self.key(Who::Deployer);
        let url = self.anvil.url().as_str();
        let output = breakwater(&[
            "deploy",
            "--rpc-url",
            url,
            "--private-key",
            &key,
            "--config",
            &file,
            "--out",
            &out,
        ]);
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        self.deployment = Some(serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap());
        self.pool = self.deployment().pools["dollars"];
    }

    /// Terms of a pool of this name.
    pub(crate) fn pool_config(&self, name: &str) -> Value {
        json!({
            "name": name, "asset": self.asset, "curator": self.address(Who::Curator), "epoch": DAY.to_string(),
            "cooldown": (7 * DAY).to_string(), "leverageBps": "20000", "curatorShareBps": "2000",
            "subordinationBps": "2000", "surplusBps": "1000", "weightBps": [5_000, 3_000, 2_000],
            "costOfCapital": "50000000000000000", "kink": "800000000000000000", "scarcityKink": "1500000000000000000",
            "scarcityFull": "3000000000000000000", "surgeSlope": "1000000000000000000",
            "surgeMax": "2000000000000000000", "surgeHalfLife": (7 * DAY).to_string(),
        })
    }

    /// A par gauge over the asset's own storage: shape is what listing looks at.
    fn list_gauge(&self) -> B256 {
        self.list_gauge_over(0)
    }

    /// Another gauge of the same words, whose holders stand in the mapping at a slot of its own.
    pub(crate) fn list_gauge_over(&self, base: u64) -> B256 {
        let code: Bytes = self.request("eth_getCode", json!([self.asset, "latest"]));
        let term = |side: Side| gauges::Term {
            account: 0,
            side,
            native: false,
            slot: slot(2),
            offset: 0,
            width: 128,
            scale: 1,
        };
        let spec = GaugeSpec {
            chainId: U256::from(31_337),
            form: Form::Par,
            asset: self.asset,
            threshold: 50_000_000_000_000_000,
            growth: 0,
            pinnedAt: 0,
            floor: 1,
            assets0: 0,
            shares0: 0,
            accounts: vec![gauges::PinnedAccount { account: self.asset, codeHash: keccak256(code) }],
            pins: Vec::new(),
            terms: vec![term(Side::AssetAdd), term(Side::ClaimAdd)],
            holding: gauges::Holding {
                account: 0,
                vyper: false,
                nested: false,
                offset: 0,
                width: 128,
                scale: 1,
                word: 0,
                base: slot(base),
                innerKey: B256::ZERO,
            },
        };
        let id = keccak256(spec.abi_encode());
        self.send(
            Who::Deployer,
            self.deployment().catalog,
            &Catalog::listGaugeCall { spec: spec.into(), priors: Vec::new() },
        );
        id
    }

    pub(crate) fn list_product(&self) -> B256 {
        self.list_product_on(self.gauge)
    }

    /// The stage's terms on another gauge.
    pub(crate) fn list_product_on(&self, gauge: B256) -> B256 {
        let terms = Catalog::Product {
            gauge,
            kind: 0,
            asset: self.asset,
            registrant: Address::ZERO,
            unitNum: 1,
            unitDen: 1,
            minSum: u128::from(DOLLAR),
            eventLimit: 0,
            deductibleBps: 500,
            lossCapBps: 10_000,
            bountyBps: 50,
            instant: false,
            waitingPeriod: DAY as u32,
            reportWindow: 7 * DAY as u32,
            minTerm: DAY as u32,
            maxTerm: 365 * DAY as u32,
            salvage: Address::ZERO,
        };
        let gauge = self.view(self.deployment().catalog, &Catalog::gaugeInfoCall { gauge });
        let call = Wording::wordingCall {
            terms: Wording::Product::abi_decode(&terms.abi_encode()).unwrap(),
            gauge: Wording::GaugeInfo::abi_decode(&gauge.abi_encode()).unwrap(),
        };
        let text = self.view(self.deployment().wording, &call);
        let id = keccak256(terms.abi_encode());
        let list = Catalog::listProductCall { terms, hash: keccak256(text) };
        self.send(Who::Deployer, self.deployment().catalog, &list);
        id
    }

    /// Tranche by its place, 1 to 3.
    pub(crate) fn tranche(&self, index: u64) -> Address {
        self.view(self.pool, &Pool::trancheCall { index: U256::from(index) })
    }
}

fn slot(number: u64) -> B256 {
    B256::from(U256::from(number))
}

/// What a command says of one of the numbers that it looks at.
pub(crate) fn change<'a>(told: &'a Value, what: &str) -> &'a Value {
    let changes = told["changes"].as_array().unwrap();
    changes.iter().find(|change| change["what"] == what).unwrap_or_else(|| panic!("{what}: {told}"))
}

/// An amount of a JSON answer.
pub(crate) fn number(value: &Value) -> u128 {
    value.as_str().unwrap().parse().unwrap()
}
