//! A source over JSON-RPC. Every read of state names the block by hash (EIP-1898).

use alloy::{
    eips::BlockNumberOrTag,
    network::TransactionResponse,
    primitives::{Address, B256, Bytes, U64, U256},
    rpc::{
        client::{RpcClient, Waiter},
        types::{Block, Header, Transaction, TransactionReceipt},
    },
    transports::TransportError,
};
use serde_json::{Value, json};

use crate::{
    error::SourceError,
    source::{
        Answer, BlockHead, BlockRef, Got, Receipt, SourceAccount, SourceBlock, SourceTransaction,
        StateSource, Want,
    },
};

/// Requests sent in one batch; public endpoints commonly refuse more.
pub const BATCH_REQUESTS_MAX: usize = 100;
/// An account takes three requests: balance, nonce, code.
const REQUESTS_PER_ACCOUNT: usize = 3;
/// Wei in a gwei, the unit of withdrawals.
const GWEI: u64 = 1_000_000_000;

/// A source over one JSON-RPC endpoint.
#[derive(Clone, Debug)]
pub struct RpcSource {
    client: RpcClient,
}

enum Asked {
    Account(Address, Waiter<U256>, Waiter<U64>, Waiter<Bytes>),
    Storage(Address, U256, Waiter<U256>),
}

impl RpcSource {
    /// A source over this client.
    pub fn new(client: RpcClient) -> Self {
        Self { client }
    }

    /// A source over an HTTP endpoint.
    ///
    /// # Errors
    /// [`SourceError::Malformed`] when the address is not a URL; the address itself is not
    /// repeated, since it often holds a key.
    pub fn http(url: &str) -> Result<Self, SourceError> {
        let url = url.parse().map_err(
            |error: <alloy::transports::http::reqwest::Url as std::str::FromStr>::Err| {
                SourceError::Malformed { what: "endpoint address", detail: error.to_string() }
            },
        )?;
        Ok(Self::new(RpcClient::new_http(url)))
    }

    async fn ask<T: alloy::rpc::json_rpc::RpcRecv>(
        &self,
        what: &'static str,
        method: &'static str,
        params: Value,
    ) -> Result<T, SourceError> {
        self.client.request(method, params).await.map_err(|error| failed(what, &error))
    }

    async fn batch(&self, wants: &[Want], block: BlockRef) -> Result<Vec<Got>, SourceError> {
        let at = json!({ "blockHash": block.hash });
        let mut batch = self.client.new_batch();
        let mut asked = Vec::with_capacity(wants.len());
        for want in wants {
            asked.push(match *want {
                Want::Account(address) => {
                    let params = json!([address, at]);
                    let wrong = |error: TransportError| failed("an account", &error);
                    Asked::Account(
                        address,
                        batch.add_call("eth_getBalance", &params).map_err(wrong)?,
                        batch.add_call("eth_getTransactionCount", &params).map_err(wrong)?,
                        batch.add_call("eth_getCode", &params).map_err(wrong)?,
                    )
                }
                Want::Storage(address, slot) => {
                    let params = json!([address, slot, at]);
                    let wrong = |error: TransportError| failed("a storage word", &error);
                    Asked::Storage(address, slot, batch.add_call("eth_getStorageAt", &params).map_err(wrong)?)
                }
            });
        }
        batch.send().await.map_err(|error| failed("a batch", &error))?;
        let mut got = Vec::with_capacity(asked.len());
        for waiting in asked {
            got.push(answered(waiting).await?);
        }
        Ok(got)
    }
}

async fn answered(asked: Asked) -> Result<Got, SourceError> {
    let wrong = |error: TransportError| failed("an answer of a batch", &error);
    match asked {
        Asked::Account(address, balance, nonce, code) => {
            let balance = balance.await.map_err(wrong)?;
            let nonce = nonce.await.map_err(wrong)?.to();
            let code = code.await.map_err(wrong)?;
            Ok(Got::Account(address, SourceAccount { balance, nonce, code, empty_but_present: false }))
        }
        Asked::Storage(address, slot, word) => Ok(Got::Storage(address, slot, word.await.map_err(wrong)?)),
    }
}

impl StateSource for RpcSource {
    fn chain_id(&self) -> Answer<'_, u64> {
        Box::pin(async {
            let id: U64 = self.ask("the chain id", "eth_chainId", json!([])).await?;
            Ok(id.to())
        })
    }

    fn latest(&self) -> Answer<'_, u64> {
        Box::pin(async {
            let number: U64 = self.ask("the newest block number", "eth_blockNumber", json!([])).await?;
            Ok(number.to())
        })
    }

    fn head(&self, number: u64) -> Answer<'_, BlockHead> {
        Box::pin(async move {
            let params = json!([BlockNumberOrTag::Number(number), false]);
            let block: Option<Block<B256>> = self.ask("a header", "eth_getBlockByNumber", params).await?;
            block.map(|block| head_of(&block.header)).ok_or(SourceError::UnknownBlock { number })
        })
    }

    fn block(&self, number: u64) -> Answer<'_, SourceBlock> {
        Box::pin(async move {
            let params = json!([BlockNumberOrTag::Number(number), true]);
            let block: Option<Block<Transaction>> =
                self.ask("a block", "eth_getBlockByNumber", params).await?;
            block.ok_or(SourceError::UnknownBlock { number }).and_then(block_of)
        })
    }

    fn receipts(&self, block: BlockRef) -> Answer<'_, Vec<Receipt>> {
        Box::pin(async move {
            let params = json!([BlockNumberOrTag::Number(block.number)]);
            let receipts: Option<Vec<TransactionReceipt>> =
                self.ask("receipts", "eth_getBlockReceipts", params).await?;
            let receipts = receipts.ok_or(SourceError::UnknownBlock { number: block.number })?;
            receipts.iter().map(|receipt| receipt_of(receipt, block)).collect()
        })
    }

    fn account(&self, address: Address, block: BlockRef) -> Answer<'_, SourceAccount> {
        Box::pin(async move {
            match self.batch(&[Want::Account(address)], block).await?.pop() {
                Some(Got::Account(_, account)) => Ok(account),
                _ => Err(SourceError::MissingAccount { address, number: block.number }),
            }
        })
    }

    fn storage(&self, address: Address, slot: U256, block: BlockRef) -> Answer<'_, U256> {
        Box::pin(async move {
            let params = json!([address, slot, { "blockHash": block.hash }]);
            self.ask("a storage word", "eth_getStorageAt", params).await
        })
    }

    fn read<'a>(&'a self, wants: &'a [Want], block: BlockRef) -> Answer<'a, Vec<Got>> {
        Box::pin(async move {
            let mut got = Vec::with_capacity(wants.len());
            for part in wants.chunks(BATCH_REQUESTS_MAX / REQUESTS_PER_ACCOUNT) {
                got.extend(self.batch(part, block).await?);
            }
            Ok(got)
        })
    }
}

fn failed(what: &'static str, error: &TransportError) -> SourceError {
    match error {
        TransportError::DeserError { err, .. } => SourceError::Malformed { what, detail: err.to_string() },
        other => SourceError::Transport { what, detail: other.to_string() },
    }
}

fn head_of(header: &Header) -> BlockHead {
    let inner = &header.inner;
    BlockHead {
        block: BlockRef { number: inner.number, hash: header.hash },
        parent: inner.parent_hash,
        state_root: inner.state_root,
        timestamp: inner.timestamp,
        beneficiary: inner.beneficiary,
        gas_limit: inner.gas_limit,
        gas_used: inner.gas_used,
        base_fee: inner.base_fee_per_gas,
        difficulty: inner.difficulty,
        mix_hash: inner.mix_hash,
        excess_blob_gas: inner.excess_blob_gas,
        parent_beacon_root: inner.parent_beacon_block_root,
        has_withdrawals: inner.withdrawals_root.is_some(),
        has_requests: inner.requests_hash.is_some(),
    }
}

fn block_of(block: Block<Transaction>) -> Result<SourceBlock, SourceError> {
    let head = head_of(&block.header);
    let withdrawals = block.withdrawals.iter().flat_map(|all| all.iter());
    let withdrawals =
        withdrawals.map(|one| (one.address, U256::from(one.amount) * U256::from(GWEI))).collect();
    let transactions = block.transactions.into_transactions().map(|tx| transaction_of(tx, &head));
    Ok(SourceBlock { head, transactions: transactions.collect::<Result<_, _>>()?, withdrawals })
}

/// Development nodes let unlocked accounts send without a signature of theirs, so the sender the
/// node states is used; a node that lies about it fails against the receipts.
fn transaction_of(tx: Transaction, head: &BlockHead) -> Result<SourceTransaction, SourceError> {
    if tx.block_hash.is_some_and(|hash| hash != head.block.hash) {
        return Err(SourceError::Reorganised {
            number: head.block.number,
            expected: head.block.hash,
            got: tx.block_hash.unwrap_or_default(),
        });
    }
    let from = tx.from();
    let envelope = tx.into_inner();
    Ok(SourceTransaction { hash: *envelope.tx_hash(), from, envelope })
}

fn receipt_of(receipt: &TransactionReceipt, block: BlockRef) -> Result<Receipt, SourceError> {
    if let Some(got) = receipt.block_hash.filter(|hash| *hash != block.hash) {
        return Err(SourceError::Reorganised { number: block.number, expected: block.hash, got });
    }
    let status = receipt.inner.as_receipt().and_then(|inner| match inner.status {
        alloy::consensus::Eip658Value::Eip658(status) => Some(status),
        alloy::consensus::Eip658Value::PostState(_) => None,
    });
    Ok(Receipt {
        hash: receipt.transaction_hash,
        status,
        gas_used: receipt.gas_used,
        logs: receipt.inner.logs().len() as u64,
    })
}
