//! Plays a case's transactions on a local chain, each in a block like its own, and compares the outcomes.

use alloy::consensus::TxEnvelope;
use alloy::consensus::transaction::Transaction as _;
use alloy::eips::eip2718::Decodable2718;
use alloy::primitives::{Address, B256, U64};
use breakwater_chain::Receipt;
use serde_json::Value;

use crate::local::{Actor, Genesis, Local, LocalError};
use crate::replay::case::{Block, Scene, Step};

/// Our own part of the chain begins this long before the case, seconds: room to deploy and to fund.
const LEAD: u64 = 3 * 86_400;

/// Price of a token of calldata under the floor of EIP-7623, and tokens of a byte that is not zero.
const FLOOR_PER_TOKEN: u64 = 10;
const TOKENS_PER_BYTE: u64 = 4;
const TRANSACTION_GAS: u64 = 21_000;

/// A recorded outcome that did not come out again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("step {step}: {field}: expected {expected}, got {got}")]
pub(crate) struct Difference {
    /// Step number.
    pub(crate) step: u64,
    /// What differs.
    pub(crate) field: &'static str,
    /// As recorded.
    pub(crate) expected: String,
    /// As played.
    pub(crate) got: String,
}

/// A step as it was played.
#[derive(Debug, Clone)]
pub(crate) struct Played {
    /// The block that holds it.
    pub(crate) number: u64,
    /// What differs from the record.
    pub(crate) differences: Vec<Difference>,
}

/// Starts the chain of a case, some days before the case does.
pub(crate) async fn start(scene: &Scene, actors: &[&Actor]) -> Result<Local, LocalError> {
    let alloc = scene
        .alloc
        .iter()
        .map(|(address, account)| (*address, serde_json::to_value(account).unwrap_or_default()))
        .collect();
    let genesis = Genesis {
        chain_id: scene.chain_id,
        time: scene.genesis_time.saturating_sub(LEAD),
        base_fee: scene.base_fee,
        alloc,
    };
    Local::start(&genesis, actors).await
}

/// Plays one step in a block of its own.
pub(crate) async fn play(local: &mut Local, step: &Step) -> Result<Played, LocalError> {
    prepare(local, &step.block).await?;
    let hash: Result<B256, _> = local.endpoints().request("eth_sendRawTransaction", [&step.raw]).await;
    local.mine(step.block.time).await?;
    // Fees of our own blocks shall not end where the case's author looks.
    let _: Value = local.endpoints().request("anvil_setCoinbase", [Address::repeat_byte(0xbe)]).await?;
    let number = local.head().await?.number();
    let differences = match hash {
        Err(error) => vec![differs(step, "transaction", step.hash, error)],
        Ok(hash) if hash != step.hash => vec![differs(step, "hash", step.hash, hash)],
        Ok(hash) => match local.endpoints().receipt(hash).await? {
            Some(receipt) => compare(step, &receipt, number),
            None => vec![differs(step, "block", number, "none: the transaction was not mined")],
        },
    };
    Ok(Played { number, differences })
}

async fn prepare(local: &Local, block: &Block) -> Result<(), LocalError> {
    let endpoints = local.endpoints();
    let _: Value = endpoints.request("evm_setBlockGasLimit", [U64::from(block.gas_limit)]).await?;
    let _: Value = endpoints.request("anvil_setCoinbase", [block.miner]).await?;
    let _: Value = endpoints.request("anvil_setNextBlockBaseFeePerGas", [U64::from(block.base_fee)]).await?;
    // Only newer nodes can fix the randomness; a contract that uses it then differs and is reported.
    let randao: Result<Value, _> =
        endpoints.request("anvil_setNextBlockPrevRandao", [block.prev_randao]).await;
    if let Err(error) = randao {
        tracing::debug!(%error, "prevrandao stays the node's own");
    }
    Ok(())
}

fn compare(step: &Step, receipt: &Receipt, number: u64) -> Vec<Difference> {
    let recorded = &step.recorded;
    let gas = recorded.gas_used.max(calldata_floor(step));
    let mut found = Vec::new();
    let mut check = |field, same: bool, expected: String, got: String| {
        if !same {
            found.push(Difference { step: step.index, field, expected, got });
        }
    };
    let logs = receipt.logs.len() as u64;
    check("block", receipt.block_number == number, number.to_string(), receipt.block_number.to_string());
    check(
        "success",
        receipt.success == recorded.success,
        recorded.success.to_string(),
        receipt.success.to_string(),
    );
    check("gas used", receipt.gas_used == gas, gas.to_string(), receipt.gas_used.to_string());
    check("logs", logs == recorded.logs, recorded.logs.to_string(), logs.to_string());
    check(
        "created",
        receipt.created == recorded.created,
        format!("{:?}", recorded.created),
        format!("{:?}", receipt.created),
    );
    found
}

/// Least gas of a transaction under Prague's rules; the record may come from a time before them.
fn calldata_floor(step: &Step) -> u64 {
    let Ok(transaction) = TxEnvelope::decode_2718(&mut step.raw.as_ref()) else { return 0 };
    let input = transaction.input();
    let zeros = input.iter().filter(|byte| **byte == 0).count() as u64;
    let tokens = zeros + (input.len() as u64 - zeros) * TOKENS_PER_BYTE;
    TRANSACTION_GAS + tokens * FLOOR_PER_TOKEN
}

fn differs(step: &Step, field: &'static str, expected: impl ToString, got: impl ToString) -> Difference {
    Difference { step: step.index, field, expected: expected.to_string(), got: got.to_string() }
}
