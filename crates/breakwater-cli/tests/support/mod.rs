//! Runs the binary, and writes cases in the corpus format by playing them once on a local chain.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

pub(crate) mod author;
pub(crate) mod stage;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The binary under test; colours and endpoints of the caller's shell shall not matter.
pub(crate) fn breakwater(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breakwater"));
    for name in [
        "ETH_RPC_URL",
        "ETH_FROM",
        "ETH_PRIVATE_KEY",
        "ETH_KEYSTORE",
        "ETH_KEYSTORE_ACCOUNT",
        "ETH_PASSWORD",
        "BREAKWATER_DEPLOYMENT",
        "RUST_LOG",
    ] {
        command.env_remove(name);
    }
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap()
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Each line of standard output as JSON.
pub(crate) fn objects(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The corpus' folder of this name, or a counted and printed skip.
pub(crate) fn corpus(folder: &str) -> Option<PathBuf> {
    let found = std::env::var_os("BREAKWATER_CORPUS").map(|root| Path::new(&root).join(folder));
    if found.is_none() {
        println!("SKIPPED 1 test: BREAKWATER_CORPUS is not set, so there is no {folder}");
    }
    found
}

/// True where anvil can be found; else a counted and printed skip.
pub(crate) fn has_anvil() -> bool {
    let found = breakwater_chain::Anvil::find();
    if let Err(error) = &found {
        println!("SKIPPED 1 test: {error}");
    }
    found.is_ok()
}
