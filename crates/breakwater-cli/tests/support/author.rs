//! Writes a case in the format attack-corpus/1: plays it once and records what became of each transaction.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy::eips::eip2718::Encodable2718;
use alloy::network::TxSignerSync;
use alloy::primitives::{Address, B256, Bytes, TxKind, U64, U256, keccak256};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol;
use alloy::sol_types::{SolCall, SolValue};
use breakwater_chain::Anvil;
use serde_json::{Value, json};

sol! {
    interface Token {
        function mint(address to, uint256 amount) external;
        function approve(address spender, uint256 amount) external;
        function transfer(address to, uint256 amount) external;
    }
    interface Vault {
        function deposit(uint256 assets, address receiver) external;
        function redeem(uint256 shares, address receiver, address owner) external;
        function chargeFee(uint256 shares) external;
        function skim(address to) external;
        function rebalance(address strategy, uint256 amount) external;
        function recall(address strategy, uint256 amount) external;
        function split(uint256 factor) external;
    }
    interface SplitShares {
        function redeem(uint256 shares) external;
    }
    interface Bank {
        function setUp(address asset) external;
        function deposit(uint256 amount) external;
        function withdraw(uint256 amount) external;
        function lend(address elsewhere, uint256 amount) external;
        function upgradeToAndCall(address implementation, bytes data) external;
        function handOver(address successor) external;
    }
}

const GENESIS: u64 = 1_700_000_000;
const SPACING: u64 = 12;
const NAMES: [&str; 6] = ["deployer", "manager", "alice", "bob", "carol", "whale"];

/// Constructor arguments.
pub(crate) trait Arguments {
    /// Encoded as a sequence, like those of a call.
    fn encode(&self) -> Vec<u8>;
}

impl Arguments for () {
    fn encode(&self) -> Vec<u8> {
        Vec::new()
    }
}

impl Arguments for (Address,) {
    fn encode(&self) -> Vec<u8> {
        self.abi_encode_params()
    }
}

impl Arguments for (Address, Address) {
    fn encode(&self) -> Vec<u8> {
        self.abi_encode_params()
    }
}

impl Arguments for (String, String, U256) {
    fn encode(&self) -> Vec<u8> {
        self.abi_encode_params()
    }
}

/// One whole token of 18 decimals.
pub(crate) fn tokens(count: u64) -> U256 {
    U256::from(count) * U256::from(10).pow(U256::from(18))
}

/// A case while it is written.
pub(crate) struct Author {
    id: String,
    anvil: Anvil,
    runtime: tokio::runtime::Runtime,
    nonces: BTreeMap<Address, u64>,
    steps: Vec<Value>,
    covered: Vec<Address>,
    attack_steps: Vec<usize>,
    losses: Vec<Value>,
    _folder: tempfile::TempDir,
}

impl Author {
    /// Starts the chain of a case.
    pub(crate) fn new(id: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let genesis = folder.path().join("genesis.json");
        let file = json!({
            "config": { "chainId": 31337 }, "timestamp": U64::from(GENESIS), "gasLimit": U64::from(30_000_000),
            "baseFeePerGas": U64::from(1_000_000_000), "difficulty": "0x0", "alloc": alloc(),
        });
        std::fs::write(&genesis, file.to_string()).unwrap();
        let anvil = Anvil::builder()
            .genesis(&genesis)
            .hardfork("prague")
            .chain_id(31337)
            .automine(false)
            .start()
            .unwrap();
        Self {
            id: id.to_owned(),
            anvil,
            runtime: tokio::runtime::Runtime::new().unwrap(),
            nonces: BTreeMap::new(),
            steps: Vec::new(),
            covered: Vec::new(),
            attack_steps: Vec::new(),
            losses: Vec::new(),
            _folder: folder,
        }
    }

    /// Deploys a contract of `contracts/artifacts` and gives its address.
    pub(crate) fn deploy(&mut self, name: &str, arguments: impl Arguments) -> Address {
        let mut code = creation_code(name).to_vec();
        code.extend(arguments.encode());
        let receipt = self.play("setup", "deployer", None, code.into(), &format!("deploy {name}"));
        receipt["contractAddress"].as_str().unwrap().parse().unwrap()
    }

    /// An ordinary transaction.
    pub(crate) fn call(&mut self, from: &str, to: Address, call: &impl SolCall) {
        self.play("benign", from, Some(to), call.abi_encode().into(), "traffic");
    }

    /// A harmless transaction that looks like an attack.
    pub(crate) fn suspicious(&mut self, from: &str, to: Address, call: &impl SolCall) {
        self.play("hard_negative", from, Some(to), call.abi_encode().into(), "harmless");
    }

    /// Names the contract that a policy would cover.
    pub(crate) fn cover(&mut self, address: Address) {
        self.covered.push(address);
    }

    /// Where the chain listens, for as long as the author lives.
    pub(crate) fn url(&self) -> String {
        self.anvil.url().to_string()
    }

    /// Number of the newest block.
    pub(crate) fn newest(&self) -> u64 {
        self.steps.len() as u64
    }

    /// Writes the case into a folder.
    pub(crate) fn finish(self, folder: &Path) -> PathBuf {
        let file = folder.join(format!("{}.json", self.id));
        let covered: Vec<Value> = self.covered.iter().map(|address| json!({ "address": address })).collect();
        let names: BTreeMap<Address, &str> = NAMES.iter().map(|name| (account(name), *name)).collect();
        let case = json!({
            "format": "attack-corpus/1", "id": self.id, "title": self.id, "classes": ["negative"], "damage": "none",
            "chain": { "chainId": 31337, "hardfork": "prague", "genesis": {
                "timestamp": GENESIS, "gasLimit": U64::from(30_000_000), "baseFeePerGas": U64::from(1_000_000_000),
            } },
            "alloc": alloc(), "names": names, "covered": covered, "tracked": {},
            "attackSteps": self.attack_steps, "benignSteps": [], "losses": self.losses, "steps": self.steps,
        });
        std::fs::write(&file, serde_json::to_string_pretty(&case).unwrap()).unwrap();
        file
    }

    fn play(&mut self, phase: &str, from: &str, to: Option<Address>, data: Bytes, note: &str) -> Value {
        let nonce = *self.nonces.get(&account(from)).unwrap_or(&0);
        self.nonces.insert(account(from), nonce + 1);
        let raw = sign(from, to, data, nonce);
        let time = GENESIS + SPACING * (self.steps.len() as u64 + 1);
        let (endpoints, anvil) = (self.anvil.endpoints(), &self.anvil);
        let (hash, receipt, block) = self.runtime.block_on(async {
            let hash: B256 = endpoints.request("eth_sendRawTransaction", [&raw]).await.unwrap();
            anvil.set_next_timestamp(time).await.unwrap();
            let _: Value = endpoints.request("evm_mine", ()).await.unwrap();
            let receipt: Value = endpoints.request("eth_getTransactionReceipt", [hash]).await.unwrap();
            let block: Value =
                endpoints.request("eth_getBlockByNumber", (&receipt["blockNumber"], false)).await.unwrap();
            (hash, receipt, block)
        });
        let success = number(&receipt["status"]);
        assert_eq!(success, 1, "{}: step {} ({note}) reverted", self.id, self.steps.len());
        self.steps.push(json!({
            "i": self.steps.len(), "phase": phase, "from": account(from), "sender": from, "to": to, "note": note,
            "raw": raw, "hash": hash, "status": success, "gasUsed": number(&receipt["gasUsed"]),
            "logs": receipt["logs"].as_array().unwrap().len(), "created": receipt["contractAddress"],
            "block": {
                "number": number(&block["number"]), "timestamp": time, "hash": block["hash"],
                "baseFeePerGas": block["baseFeePerGas"], "gasLimit": block["gasLimit"], "miner": block["miner"],
                "prevRandao": block["mixHash"], "stateRoot": block["stateRoot"],
            },
        }));
        receipt
    }
}

/// The account of this name.
pub(crate) fn account(name: &str) -> Address {
    key(name).address()
}

fn key(name: &str) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&keccak256(format!("negative case: {name}"))).unwrap()
}

fn alloc() -> Value {
    let purse = json!({ "balance": U256::from(1_000) * U256::from(10).pow(U256::from(18)) });
    NAMES
        .iter()
        .map(|name| (account(name).to_string(), purse.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn sign(from: &str, to: Option<Address>, data: Bytes, nonce: u64) -> Bytes {
    let mut transaction = TxEip1559 {
        chain_id: 31337,
        nonce,
        gas_limit: 6_000_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 0,
        to: to.map_or(TxKind::Create, TxKind::Call),
        value: U256::ZERO,
        access_list: Default::default(),
        input: data,
    };
    let signature = key(from).sign_transaction_sync(&mut transaction).unwrap();
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}

/// Creation code of a committed artifact.
pub(crate) fn creation_code(name: &str) -> Bytes {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../contracts/artifacts/{name}.json"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let artifact: Value = serde_json::from_str(&text).unwrap();
    artifact["bytecode"].as_str().unwrap().parse().unwrap()
}

fn number(quantity: &Value) -> u64 {
    serde_json::from_value::<U64>(quantity.clone()).unwrap().to()
}
