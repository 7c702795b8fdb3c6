//! Runtime sizes of the contracts that are deployed, committed and held under the chain's limit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::tools;

/// EIP-170.
const LIMIT_BYTES: usize = 24_576;

/// Rewrites `contracts/snapshots/sizes.txt`.
pub(crate) fn write(artifacts: &BTreeMap<String, String>) -> Result<()> {
    let path = tools::contracts().join("snapshots/sizes.txt");
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    Ok(fs::write(path, table(artifacts)?)?)
}

/// Fails if the committed table differs.
pub(crate) fn check(artifacts: &BTreeMap<String, String>) -> Result<()> {
    let committed = fs::read_to_string(tools::contracts().join("snapshots/sizes.txt")).unwrap_or_default();
    if committed != table(artifacts)? {
        bail!("contract sizes changed: run `cargo xtask artifacts` and commit contracts/snapshots/sizes.txt");
    }
    Ok(())
}

fn table(artifacts: &BTreeMap<String, String>) -> Result<String> {
    let mut text = String::from("contract                  runtime bytes   of 24,576\n");
    for artifact in artifacts.values() {
        let artifact: Value = serde_json::from_str(artifact)?;
        let source = artifact["source"].as_str().unwrap_or_default();
        if !source.starts_with("src/") {
            continue;
        }
        let name = artifact["contractName"].as_str().unwrap_or_default();
        let bytes = artifact["deployedBytecode"].as_str().unwrap_or_default().len().saturating_sub(2) / 2;
        if bytes > LIMIT_BYTES {
            bail!("{name} has {bytes} bytes of runtime code, over the chain's limit of {LIMIT_BYTES}");
        }
        writeln!(text, "{name:<24} {bytes:>14} {:>10.1} %", bytes as f64 * 100.0 / LIMIT_BYTES as f64)?;
    }
    Ok(text)
}
