//! Headers, whole blocks and receipts, each checked against a hash that is already trusted.

use alloy::consensus::TxEnvelope;
use alloy::consensus::proofs::{calculate_receipt_root, calculate_transaction_root};
use alloy::primitives::{Address, B256, Bytes, Log, TxHash, U64};
use alloy::rpc::types::{Transaction, TransactionReceipt, TransactionRequest};
use serde::Deserialize;
use serde_json::Value;

use crate::choose::choose;
use crate::endpoints::Endpoints;
use crate::error::{ChainError, Lie, Rejection};
use crate::head::Head;

/// What became of a transaction, reduced to what honest nodes cannot differ on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// Hash of the transaction.
    pub tx_hash: TxHash,
    /// Block that holds it.
    pub block_hash: B256,
    /// That block's number.
    pub block_number: u64,
    /// Position in the block, from 0.
    pub index: u64,
    /// Whether it ran without reverting.
    pub success: bool,
    /// Gas used.
    pub gas_used: u64,
    /// Price paid, in wei per gas.
    pub gas_price: u128,
    /// Contract created by it.
    pub created: Option<Address>,
    /// Its logs in order.
    pub logs: Vec<Log>,
}

impl Receipt {
    /// Takes a receipt from a node's form.
    ///
    /// # Errors
    /// [`Rejection::Absent`] while the transaction is not in a block.
    pub fn from_rpc(receipt: TransactionReceipt) -> Result<Self, Rejection> {
        let pending = || Rejection::Absent(format!("block of transaction {}", receipt.transaction_hash));
        Ok(Self {
            tx_hash: receipt.transaction_hash,
            block_hash: receipt.block_hash.ok_or_else(pending)?,
            block_number: receipt.block_number.ok_or_else(pending)?,
            index: receipt.transaction_index.ok_or_else(pending)?,
            success: receipt.inner.status(),
            gas_used: receipt.gas_used,
            gas_price: receipt.effective_gas_price,
            created: receipt.contract_address,
            logs: receipt.inner.logs().iter().map(|log| log.inner.clone()).collect(),
        })
    }
}

#[derive(Deserialize)]
struct Block {
    transactions: Vec<Value>,
}

impl Endpoints {
    /// The chain id, voted.
    ///
    /// # Errors
    /// As [`Endpoints::vote`].
    pub async fn chain_id(&self) -> Result<u64, ChainError> {
        self.vote("eth_chainId", (), |id: U64| Ok(id.to::<u64>())).await
    }

    /// The height that half of the endpoints in good standing have reached.
    ///
    /// It is the lower median: no single endpoint can pull it up alone, and one far behind
    /// the upper median is set aside and no longer counted.
    ///
    /// # Errors
    /// As [`Endpoints::poll_all`].
    pub async fn head_number(&self) -> Result<u64, ChainError> {
        let mut answers = self.poll_all("eth_blockNumber", (), |number: U64| Ok(number.to::<u64>())).await?;
        answers.sort_by_key(|(_, number)| *number);
        // The list is never empty, and an index below its length is in range.
        let reference = answers[answers.len() / 2].1;
        let lags = |number: u64| number.saturating_add(self.limits().lag_blocks_max) < reference;
        for (label, number) in answers.iter().filter(|(_, number)| lags(*number)) {
            self.demote_laggard(label, *number, reference);
        }
        answers.retain(|(_, number)| !lags(*number));
        Ok(answers[(answers.len() - 1) / 2].1)
    }

    /// The newest block that half of the endpoints have.
    ///
    /// # Errors
    /// As [`Endpoints::head_at`].
    pub async fn head(&self) -> Result<Head, ChainError> {
        self.head_at(self.head_number().await?, None).await
    }

    /// The header with this hash; one honest endpoint suffices.
    ///
    /// # Errors
    /// As [`Endpoints::call_checked`].
    pub async fn head_by_hash(&self, hash: B256) -> Result<Head, ChainError> {
        self.call_checked("eth_getBlockByHash", (hash, false), |json: Value| {
            let head = header_or_absent(&json, || format!("block {hash}"))?;
            match head.hash() == hash {
                true => Ok(head),
                false => Err(Lie::new("hash of the header asked for", hash, head.hash()).into()),
            }
        })
        .await
    }

    /// The header at a height, as the endpoints agree on it.
    ///
    /// `parent` is the hash of the followed block below, which decides between answers
    /// without a majority.
    ///
    /// # Errors
    /// [`ChainError::Disagreement`] if undecidable, [`ChainError::NotFound`] above the head.
    pub async fn head_at(&self, number: u64, parent: Option<B256>) -> Result<Head, ChainError> {
        let answers = self
            .poll_all("eth_getBlockByNumber", (U64::from(number), false), |json: Value| {
                header_at(&json, number)
            })
            .await?;
        choose(number, answers, parent)
    }

    /// The header at a height on one endpoint's word, for callers that check its parent links.
    pub(crate) async fn head_unconfirmed(&self, number: u64) -> Result<Head, ChainError> {
        self.call_checked("eth_getBlockByNumber", (U64::from(number), false), |json: Value| {
            header_at(&json, number)
        })
        .await
    }

    /// All receipts of a block, verified against its receipts root.
    ///
    /// # Errors
    /// As [`Endpoints::call_checked`].
    pub async fn receipts(&self, head: &Head) -> Result<Vec<TransactionReceipt>, ChainError> {
        let expected = head.header().receipts_root;
        self.call_checked("eth_getBlockReceipts", [head.block_id()], |json: Value| {
            let receipts: Vec<TransactionReceipt> = whole(json, || format!("receipts of {head:?}"))?;
            let consensus: Vec<_> =
                receipts.iter().map(|receipt| receipt.inner.clone().into_primitives_receipt()).collect();
            let root = calculate_receipt_root(&consensus);
            // The root does not fix where a node says that the receipts stand.
            let stray = receipts.iter().find(|receipt| receipt.block_hash != Some(head.hash()));
            match stray {
                Some(receipt) => {
                    Err(Lie::new("block of a receipt", head.hash(), format!("{:?}", receipt.block_hash))
                        .into())
                }
                None if root != expected => Err(Lie::new("receipts root", expected, root).into()),
                None => Ok(receipts),
            }
        })
        .await
    }

    /// All transactions of a block, verified against its transactions root.
    ///
    /// # Errors
    /// As [`Endpoints::call_checked`].
    pub async fn transactions(&self, head: &Head) -> Result<Vec<Transaction>, ChainError> {
        let expected = head.header().transactions_root;
        self.call_checked("eth_getBlockByHash", (head.hash(), true), |json: Value| {
            let block: Block = whole(json, || format!("{head:?}"))?;
            let transactions: Vec<Transaction> = whole(Value::Array(block.transactions), String::new)?;
            let consensus: Vec<TxEnvelope> =
                transactions.iter().map(|transaction| transaction.inner.inner().clone()).collect();
            let root = calculate_transaction_root(&consensus);
            match root == expected {
                true => Ok(transactions),
                false => Err(Lie::new("transactions root", expected, root).into()),
            }
        })
        .await
    }

    /// The receipt of a transaction, voted; `None` where most endpoints know of none.
    ///
    /// # Errors
    /// As [`Endpoints::vote`].
    pub async fn receipt(&self, hash: TxHash) -> Result<Option<Receipt>, ChainError> {
        self.vote("eth_getTransactionReceipt", [hash], |receipt| own_receipt(hash, receipt)).await
    }

    /// Whether any endpoint in good standing knows of a receipt of the transaction.
    ///
    /// # Errors
    /// As [`Endpoints::poll_all`].
    pub async fn receipt_exists(&self, hash: TxHash) -> Result<bool, ChainError> {
        let answers =
            self.poll_all("eth_getTransactionReceipt", [hash], |receipt| own_receipt(hash, receipt)).await?;
        Ok(answers.iter().any(|(_, receipt)| receipt.is_some()))
    }

    /// Runs a call on the state after a block; one endpoint's word is taken.
    ///
    /// # Errors
    /// [`ChainError::Reverted`] with the revert data, else as [`Endpoints::call_checked`].
    pub async fn call(&self, head: &Head, call: &TransactionRequest) -> Result<Bytes, ChainError> {
        self.request("eth_call", (call, head.block_id())).await
    }
}

fn own_receipt(hash: TxHash, receipt: Option<TransactionReceipt>) -> Result<Option<Receipt>, Rejection> {
    match receipt {
        None => Ok(None),
        Some(receipt) if receipt.transaction_hash != hash => {
            Err(Lie::new("transaction of a receipt", hash, receipt.transaction_hash).into())
        }
        // Some nodes show receipts of pending transactions, which is as good as none.
        Some(receipt) => Ok(Receipt::from_rpc(receipt).ok()),
    }
}

fn header_at(json: &Value, number: u64) -> Result<Head, Rejection> {
    let head = header_or_absent(json, || format!("block {number}"))?;
    match head.number() == number {
        true => Ok(head),
        false => Err(Lie::new("number of the header asked for", number, head.number()).into()),
    }
}

fn header_or_absent(json: &Value, what: impl Fn() -> String) -> Result<Head, Rejection> {
    match json.is_null() {
        true => Err(Rejection::Absent(what())),
        false => Head::from_json(json),
    }
}

/// Decodes what the chain's own types can hold; other transaction types cannot be verified.
fn whole<T: serde::de::DeserializeOwned>(json: Value, what: impl Fn() -> String) -> Result<T, Rejection> {
    if json.is_null() {
        return Err(Rejection::Absent(what()));
    }
    serde_json::from_value(json).map_err(|error| Rejection::Unverifiable(error.to_string()))
}
