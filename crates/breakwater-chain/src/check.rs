//! Whether a chain's headers, proofs and block hashes work the way the proof rung needs.

use alloy::primitives::{Address, B256, Bytes, KECCAK256_EMPTY, TxKind, U64, U256, address, hex, keccak256};
use alloy::rpc::types::TransactionRequest;
use serde_json::Value;

use crate::endpoints::Endpoints;
use crate::error::{ChainError, Rejection};
use crate::head::Head;

/// The contract of EIP-2935 that keeps the hashes of past blocks.
pub const HISTORY_CONTRACT: Address = address!("0000F90827F1C53a10cb7A02335B175320002935");

/// How many past blocks that contract answers for.
pub const HISTORY_BLOCKS: u64 = 8191;

/// Ages at which the history is tried: its newest entry, beyond BLOCKHASH, and near its end.
/// A few blocks are left at the end, since some nodes run calls in the following block.
const HISTORY_AGES: [u64; 4] = [0, 1, 256, HISTORY_BLOCKS - 10];

/// `mstore(0, number()) mstore(32, blockhash(number() - 1)) return(0, 64)` as creation code.
/// It names the block that it ran in, as nodes differ on whether a call runs in or after a block.
const BLOCKHASH_CODE: [u8; 17] = hex!("43600052600143034060205260406000f3");

/// One property of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// Whether it holds.
    pub ok: bool,
    /// The values seen, or what is missing, in words.
    pub detail: String,
}

/// What was found out about a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainReport {
    /// Chain id.
    pub chain_id: u64,
    /// Height at which everything was looked at.
    pub number: u64,
    /// The checks in the order in which they build on each other.
    pub checks: Vec<Check>,
}

impl ChainReport {
    /// Name of the check that a header hashes to its hash.
    pub const HEADER: &'static str = "header hash";
    /// Name of the check that accounts and storage can be proven.
    pub const PROOF: &'static str = "account proof";
    /// Name of the check that EIP-2935 answers.
    pub const HISTORY: &'static str = "EIP-2935 history";
    /// Name of the check that BLOCKHASH answers.
    pub const BLOCKHASH: &'static str = "BLOCKHASH";

    /// Whether the check with this name holds.
    pub fn holds(&self, name: &str) -> bool {
        self.checks.iter().any(|check| check.name == name && check.ok)
    }

    /// Whether losses can be proven here: headers and state verify and some past hash is on chain.
    pub fn has_proof_rung(&self) -> bool {
        self.holds(Self::HEADER)
            && self.holds(Self::PROOF)
            && (self.holds(Self::HISTORY) || self.holds(Self::BLOCKHASH))
    }
}

/// Looks at a chain's newest block and reports what works.
///
/// A property that does not hold is a finding and not an error.
///
/// # Errors
/// [`ChainError`] when the chain cannot be read at all.
pub async fn check_chain(endpoints: &Endpoints) -> Result<ChainReport, ChainError> {
    let chain_id = endpoints.chain_id().await?;
    let number = endpoints.head_number().await?;
    let json: Value = endpoints.request("eth_getBlockByNumber", (U64::from(number), false)).await?;
    let (header, head) = check_header(number, &json);
    let mut checks = vec![header];
    match head {
        Some(head) => {
            checks.push(check_proof(endpoints, &head).await?);
            checks.push(check_history(endpoints, &head).await?);
            checks.push(check_blockhash(endpoints, &head).await?);
        }
        None => {
            let untried = |name| Check {
                name,
                ok: false,
                detail: "not tried: needs a header that hashes to its hash".to_owned(),
            };
            checks.extend([ChainReport::PROOF, ChainReport::HISTORY, ChainReport::BLOCKHASH].map(untried));
        }
    }
    Ok(ChainReport { chain_id, number, checks })
}

fn check_header(number: u64, json: &Value) -> (Check, Option<Head>) {
    let name = ChainReport::HEADER;
    let no_rung = |why: String| Check { name, ok: false, detail: format!("no proof rung here: {why}") };
    match Head::from_json(json) {
        Ok(head) => {
            let detail = format!("block {number} hashes to {}", head.hash());
            (Check { name, ok: true, detail }, Some(head))
        }
        Err(Rejection::Lie(lie)) => {
            let unknown = unknown_fields(json);
            let fields = match unknown.is_empty() {
                true => String::new(),
                false => format!("; fields unknown here: {}", unknown.join(", ")),
            };
            (no_rung(format!("{lie}{fields}")), None)
        }
        Err(Rejection::Absent(what) | Rejection::Unverifiable(what)) => (no_rung(what), None),
    }
}

/// Fields of the node's block that are neither in an Ethereum header nor known to be outside of it.
fn unknown_fields(json: &Value) -> Vec<String> {
    const OUTSIDE: [&str; 6] = ["hash", "size", "totalDifficulty", "transactions", "uncles", "withdrawals"];
    let known: Value = serde_json::from_value::<alloy::rpc::types::Header>(json.clone())
        .ok()
        .and_then(|header| serde_json::to_value(header).ok())
        .unwrap_or_default();
    let fields = json.as_object().into_iter().flat_map(|fields| fields.keys());
    fields
        .filter(|field| known.get(field.as_str()).is_none() && !OUTSIDE.contains(&field.as_str()))
        .cloned()
        .collect()
}

/// One account with a slot that exists and one that does not; both must be provable.
async fn check_proof(endpoints: &Endpoints, head: &Head) -> Result<Check, ChainError> {
    let name = ChainReport::PROOF;
    let newest = B256::from(U256::from(head.number().saturating_sub(1) % HISTORY_BLOCKS));
    let absent = keccak256("a slot that nobody writes");
    match endpoints.account(head, HISTORY_CONTRACT, &[newest, absent]).await {
        Ok(account) => {
            let kind = if account.code_hash == KECCAK256_EMPTY { "an absent account" } else { "an account" };
            let detail = format!("{kind}, a slot and an absent slot verify against {}", head.state_root());
            Ok(Check { name, ok: true, detail })
        }
        Err(error) => finding(name, error),
    }
}

async fn check_history(endpoints: &Endpoints, head: &Head) -> Result<Check, ChainError> {
    let name = ChainReport::HISTORY;
    let fails = |detail: String| Ok(Check { name, ok: false, detail });
    match endpoints.account(head, HISTORY_CONTRACT, &[]).await {
        Ok(account) if account.code_hash != KECCAK256_EMPTY => {}
        Ok(_) => return fails(format!("no contract at {HISTORY_CONTRACT}")),
        Err(error) => return finding(name, error),
    }
    let asked: Vec<u64> =
        HISTORY_AGES.iter().filter_map(|age| head.number().checked_sub(1)?.checked_sub(*age)).collect();
    if asked.is_empty() {
        return fails("the chain has no past block yet".to_owned());
    }
    for number in &asked {
        let expected = endpoints.head_at(*number, None).await?.hash();
        let call = TransactionRequest {
            to: Some(TxKind::Call(HISTORY_CONTRACT)),
            input: Bytes::from(B256::from(U256::from(*number)).to_vec()).into(),
            ..Default::default()
        };
        match endpoints.call(head, &call).await {
            Ok(answer) if answer.as_ref() == expected.as_slice() => {}
            Ok(answer) => {
                return fails(format!("for block {number}: expected {expected}, got {answer}"));
            }
            Err(ChainError::Reverted { error, .. }) => {
                return fails(format!("for block {number}: reverted, {error}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Check { name, ok: true, detail: format!("right for blocks {asked:?}") })
}

async fn check_blockhash(endpoints: &Endpoints, head: &Head) -> Result<Check, ChainError> {
    let name = ChainReport::BLOCKHASH;
    let call = TransactionRequest {
        to: Some(TxKind::Create),
        input: Bytes::from_static(&BLOCKHASH_CODE).into(),
        ..Default::default()
    };
    let answer = match endpoints.call(head, &call).await {
        Ok(answer) => answer,
        Err(error) => return finding(name, error),
    };
    let fails = |detail: String| Ok(Check { name, ok: false, detail });
    let Some((number, got)) = answer.split_at_checked(32).filter(|(_, hash)| hash.len() == 32) else {
        return fails(format!("expected 64 bytes, got {}", answer.len()));
    };
    let ran_in = U256::from_be_slice(number);
    let got = B256::from_slice(got);
    let expected = match ran_in.saturating_to::<u64>().checked_sub(1) {
        Some(above) if above == head.number() => head.hash(),
        Some(above) if above.checked_add(1) == Some(head.number()) => head.parent_hash(),
        _ => return fails(format!("the call ran in block {ran_in}, expected {}", head.number())),
    };
    match got == expected {
        true => Ok(Check { name, ok: true, detail: format!("of the block before {ran_in}: {got}") }),
        false => fails(format!("of the block before {ran_in}: expected {expected}, got {got}")),
    }
}

/// A node that cannot do something is a finding; one that cannot be reached is an error.
fn finding(name: &'static str, error: ChainError) -> Result<Check, ChainError> {
    match error.is_transient() {
        true => Err(error),
        false => Ok(Check { name, ok: false, detail: error.to_string() }),
    }
}
