//! What the integration tests share: the contracts' proof libraries in revm, and the corpus.
// Each test binary uses a part of this.
#![allow(dead_code, unreachable_pub)]

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
pub use TrieHarness::TrieHarnessErrors;

const HARNESS: Address = Address::repeat_byte(0x77);
const GAS: u64 = 1 << 40;

/// The compiled libraries behind functions, in an EVM.
pub struct Harness {
    db: InMemoryDB,
}

impl Harness {
    pub fn new() -> Self {
        let code = Bytecode::new_legacy(TrieHarness::DEPLOYED_BYTECODE.clone());
        let mut db = InMemoryDB::default();
        db.insert_account_info(HARNESS, AccountInfo::default().with_code(code));
        Self { db }
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
        let mut evm = Context::mainnet()
            .with_db(&mut self.db)
            .modify_cfg_chained(|cfg| {
                cfg.tx_gas_limit_cap = Some(u64::MAX);
                cfg.disable_nonce_check = true;
            })
            .modify_block_chained(|block| block.gas_limit = u64::MAX)
            .build_mainnet();
        let tx = TxEnv::builder()
            .kind(TxKind::Call(HARNESS))
            .gas_limit(GAS)
            .data(call.abi_encode().into())
            .build()
            .expect("a complete transaction");
        match evm.transact(tx).expect("a valid transaction").result {
            ExecutionResult::Success { output: Output::Call(data), .. } => {
                Ok(C::abi_decode_returns(&data).expect("an answer of the function's type"))
            }
            ExecutionResult::Revert { output, .. } => {
                Err(TrieHarnessErrors::abi_decode(&output).expect("a revert with an error of the libraries"))
            }
            other => panic!("the libraries must answer or revert by name: {other:?}"),
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
