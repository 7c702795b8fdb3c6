//! What the integration tests share: the contracts' proof libraries in revm, and the corpus.
// Each test binary uses a part of this.
#![allow(dead_code, unreachable_pub)]

pub mod state;

use std::path::PathBuf;

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol;
use alloy::sol_types::{SolCall, SolInterface};
use revm::bytecode::Bytecode;
use revm::context::TxEnv;
use revm::context::result::{ExecutionResult, Output};
use revm::database::InMemoryDB;
use revm::primitives::TxKind;
use revm::state::AccountInfo;
use revm::{Context, ExecuteEvm, MainBuilder, MainContext};

sol!(
    #[allow(missing_docs)]
    #[sol(all_derives)]
    TrieHarness,
    "../../contracts/artifacts/TrieHarness.json"
);
sol!(
    #[allow(missing_docs, clippy::too_many_arguments)]
    #[sol(all_derives)]
    GaugeHarness,
    "../../contracts/artifacts/GaugeHarness.json"
);
pub use TrieHarness::TrieHarnessErrors;

const TRIE: Address = Address::repeat_byte(0x77);
const GAUGE: Address = Address::repeat_byte(0x78);
const GAS: u64 = 1 << 40;
/// The time of the block in which the libraries run, seconds.
pub const NOW: u64 = 1_800_000_000;

/// The compiled libraries behind functions, in an EVM.
pub struct Harness {
    db: InMemoryDB,
}

impl Harness {
    pub fn new() -> Self {
        let mut db = InMemoryDB::default();
        for (at, code) in
            [(TRIE, TrieHarness::DEPLOYED_BYTECODE.clone()), (GAUGE, GaugeHarness::DEPLOYED_BYTECODE.clone())]
        {
            let code = Bytecode::new_legacy(code);
            db.insert_account_info(at, AccountInfo::default().with_code(code));
        }
        Self { db }
    }

    /// A call of the gauge libraries; none: it reverts.
    pub fn gauge<C: SolCall>(&mut self, call: C) -> Result<C::Return, Bytes> {
        self.raw(GAUGE, call.abi_encode())
            .map(|data| C::abi_decode_returns(&data).expect("an answer of the function's type"))
    }

    pub fn header(&mut self, data: Bytes) -> Result<Header::Parsed, TrieHarnessErrors> {
        self.call(TrieHarness::headerCall { data })
    }

    pub fn account(
        &mut self,
        (nodes, paths): (Bytes, Bytes),
        root: B256,
        addr: Address,
    ) -> Result<Trie::Account, TrieHarnessErrors> {
        self.call(TrieHarness::accountCall { nodes, paths, root, addr })
    }

    pub fn storage(
        &mut self,
        (nodes, paths): (Bytes, Bytes),
        root: B256,
        slot: B256,
    ) -> Result<U256, TrieHarnessErrors> {
        self.call(TrieHarness::storageValueCall { nodes, paths, root, slot })
    }

    pub fn walk(
        &mut self,
        (nodes, paths): (Bytes, Bytes),
        root: B256,
        key: B256,
    ) -> Result<Option<Bytes>, TrieHarnessErrors> {
        let answer = self.call(TrieHarness::walkCall { nodes, paths, root, key })?;
        assert!(answer.present || answer.value.is_empty(), "an absent value has no bytes");
        Ok(answer.present.then_some(answer.value))
    }

    fn call<C: SolCall>(&mut self, call: C) -> Result<C::Return, TrieHarnessErrors> {
        match self.raw(TRIE, call.abi_encode()) {
            Ok(data) => Ok(C::abi_decode_returns(&data).expect("an answer of the function's type")),
            Err(data) => {
                Err(TrieHarnessErrors::abi_decode(&data).expect("a revert with an error of the libraries"))
            }
        }
    }

    /// The answer, or the revert data.
    fn raw(&mut self, at: Address, data: Vec<u8>) -> Result<Bytes, Bytes> {
        let mut evm = Context::mainnet()
            .with_db(&mut self.db)
            .modify_cfg_chained(|cfg| {
                cfg.tx_gas_limit_cap = Some(u64::MAX);
                cfg.disable_nonce_check = true;
            })
            .modify_block_chained(|block| {
                block.gas_limit = u64::MAX;
                block.timestamp = U256::from(NOW);
            })
            .build_mainnet();
        let tx = TxEnv::builder()
            .kind(TxKind::Call(at))
            .gas_limit(GAS)
            .data(data.into())
            .build()
            .expect("a complete transaction");
        match evm.transact(tx).expect("a valid transaction").result {
            ExecutionResult::Success { output: Output::Call(data), .. } => Ok(data),
            ExecutionResult::Revert { output, .. } => Err(output),
            other => panic!("the libraries must answer or revert: {other:?}"),
        }
    }
}

/// The corpus' folder, or none after a printed skip.
pub fn corpus(test: &str) -> Option<PathBuf> {
    match std::env::var_os("BREAKWATER_CORPUS") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => {
            println!("SKIPPED 1 test ({test}): BREAKWATER_CORPUS is not set");
            None
        }
    }
}

/// A committed vector file.
pub fn vectors(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
