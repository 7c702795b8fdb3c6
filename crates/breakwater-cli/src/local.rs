//! A local chain with a clock of its own: blocks come when they are asked for, at the time they are asked for.

use std::collections::{BTreeMap, HashMap};

use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy::eips::eip2718::Encodable2718;
use alloy::network::TxSignerSync;
use alloy::primitives::{Address, B256, Bytes, TxKind, U64, U256, keccak256};
use alloy::rpc::types::TransactionRequest;
use alloy::signers::local::PrivateKeySigner;
use breakwater_chain::{Anvil, AnvilError, ChainError, Endpoints, Head, Receipt};
use serde_json::{Value, json};

use crate::revert;

/// Wei that each of our own accounts starts with: enough for any number of transactions.
const PURSE: u128 = 1_000_000 * 1_000_000_000_000_000_000;

/// Gas limit of the blocks that carry our own transactions.
const BLOCK_GAS: u64 = 60_000_000;

/// Base fee of those blocks, wei per gas, whatever the blocks between them cost.
const BASE_FEE: u64 = 1_000_000_000;

/// Gas limit of one of our own transactions where the caller names none.
const CALL_GAS: u64 = 16_000_000;

/// Wei per gas offered; local money.
const FEE: u128 = 1_000_000_000_000;

/// Why a local chain could not be driven on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalError {
    /// It did not start.
    #[error(transparent)]
    Anvil(#[from] AnvilError),
    /// It does not answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The genesis file could not be written.
    #[error("genesis file: {0}")]
    Genesis(#[from] std::io::Error),
    /// A key could not sign.
    #[error("signing {what}: {reason}")]
    Signing {
        /// Which transaction.
        what: String,
        /// The signer's words.
        reason: String,
    },
    /// One of our own transactions reverted.
    #[error("{what} reverted: {reason}")]
    Reverted {
        /// Which.
        what: String,
        /// The decoded error.
        reason: String,
    },
    /// A transaction was not taken into the blocks made for it.
    #[error("{what} ({hash}) was not mined in {blocks} blocks")]
    NotMined {
        /// Which.
        what: String,
        /// Its hash.
        hash: B256,
        /// How many blocks were made.
        blocks: u64,
    },
    /// A receipt lacks what it should have.
    #[error("missing: {what}")]
    Missing {
        /// What.
        what: String,
    },
    /// The clock of a chain does not run backwards.
    #[error("next block: expected a time after {newest}, got {got}")]
    Backwards {
        /// Time of the newest block, seconds.
        newest: u64,
        /// The time asked for, seconds.
        got: u64,
    },
}

/// How a local chain begins.
#[derive(Debug, Clone)]
pub(crate) struct Genesis {
    /// Chain id.
    pub(crate) chain_id: u64,
    /// Seconds.
    pub(crate) time: u64,
    /// Wei per gas.
    pub(crate) base_fee: u64,
    /// Accounts besides our own, in the form of a genesis file.
    pub(crate) alloc: BTreeMap<Address, Value>,
}

/// One of our own accounts, funded in the genesis; its key follows from its name.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    /// Who it is, in words.
    pub(crate) name: String,
    /// Its key.
    pub(crate) key: PrivateKeySigner,
}

impl Actor {
    /// The account of this name; worthless anywhere but on a local chain.
    pub(crate) fn new(name: &str) -> Self {
        let secret = keccak256(format!("breakwater local chain: {name}"));
        // Only zero and numbers from the curve's order on are no keys, and no name is known to hash there.
        let key = PrivateKeySigner::from_bytes(&secret).unwrap_or_else(|_| PrivateKeySigner::random());
        Self { name: name.to_owned(), key }
    }

    /// Its address.
    pub(crate) fn address(&self) -> Address {
        self.key.address()
    }
}

/// A transaction of ours to be signed and queued.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// What it does, in words.
    pub(crate) what: String,
    /// Contract, or none to create one.
    pub(crate) to: Option<Address>,
    /// Calldata or creation code.
    pub(crate) data: Bytes,
    /// Wei.
    pub(crate) value: U256,
    /// Gas limit.
    pub(crate) gas: u64,
}

impl Call {
    /// A call of a contract.
    pub(crate) fn to(what: impl Into<String>, to: Address, call: &impl alloy::sol_types::SolCall) -> Self {
        Self::raw(what, Some(to), call.abi_encode().into())
    }

    /// A contract creation.
    pub(crate) fn create(what: impl Into<String>, code: impl Into<Bytes>) -> Self {
        Self::raw(what, None, code.into())
    }

    /// A call with given calldata.
    pub(crate) fn raw(what: impl Into<String>, to: Option<Address>, data: Bytes) -> Self {
        Self { what: what.into(), to, data, value: U256::ZERO, gas: CALL_GAS }
    }

    /// Sends wei along.
    pub(crate) fn with_value(mut self, wei: U256) -> Self {
        self.value = wei;
        self
    }
}

/// The chain, its clock, and what waits for the next block.
#[derive(Debug)]
pub(crate) struct Local {
    anvil: Anvil,
    chain_id: u64,
    time: u64,
    nonces: HashMap<Address, u64>,
    waiting: Vec<(B256, String)>,
    /// The file is read while anvil starts, and may be again; it lives as long as the chain.
    _genesis: tempfile::TempDir,
}

impl Local {
    /// Starts a chain with Prague's rules on which `actors` have money.
    pub(crate) async fn start(genesis: &Genesis, actors: &[&Actor]) -> Result<Self, LocalError> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("genesis.json");
        std::fs::write(&file, genesis_file(genesis, actors).to_string())?;
        let anvil = Anvil::builder()
            .genesis(&file)
            .hardfork("prague")
            .chain_id(genesis.chain_id)
            .automine(false)
            .arg("--order")
            .arg("fifo")
            .start()?;
        let mut local = Self {
            anvil,
            chain_id: genesis.chain_id,
            time: genesis.time,
            nonces: HashMap::new(),
            waiting: Vec::new(),
            _genesis: folder,
        };
        // The genesis block of anvil names an empty state, so nothing could be proven in it.
        local.seal(genesis.time + 1).await?;
        Ok(local)
    }

    /// Where the chain listens.
    pub(crate) fn url(&self) -> &url::Url {
        self.anvil.url()
    }

    /// The chain's endpoints.
    pub(crate) fn endpoints(&self) -> &Endpoints {
        self.anvil.endpoints()
    }

    /// Time of the newest block, seconds.
    pub(crate) fn time(&self) -> u64 {
        self.time
    }

    /// Chain id.
    pub(crate) fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The newest block.
    pub(crate) async fn head(&self) -> Result<Head, LocalError> {
        Ok(self.endpoints().head().await?)
    }

    /// Signs and queues a transaction for the next block.
    pub(crate) async fn queue(&mut self, from: &Actor, call: Call) -> Result<B256, LocalError> {
        let nonce = self.next_nonce(from.address()).await?;
        let raw = self.sign(from, &call, nonce)?;
        let hash: B256 = self.endpoints().request("eth_sendRawTransaction", [raw]).await?;
        self.nonces.insert(from.address(), nonce + 1);
        self.waiting.push((hash, call.what));
        Ok(hash)
    }

    /// The nonce that the next transaction of an account will have.
    pub(crate) async fn nonce_of(&mut self, account: &Actor) -> Result<u64, LocalError> {
        self.next_nonce(account.address()).await
    }

    /// Queues a transaction, makes blocks until it is mined, and returns its receipt.
    pub(crate) async fn run(&mut self, from: &Actor, call: Call) -> Result<Receipt, LocalError> {
        let what = call.what.clone();
        let hash = self.queue(from, call).await?;
        let receipts = self.flush().await?;
        let found = receipts.into_iter().find(|receipt| receipt.tx_hash == hash);
        found.ok_or(LocalError::NotMined { what, hash, blocks: 1 })
    }

    /// Creates a contract and gives its address.
    pub(crate) async fn create(
        &mut self,
        from: &Actor,
        what: &str,
        code: Vec<u8>,
    ) -> Result<Address, LocalError> {
        let receipt = self.run(from, Call::create(format!("creating {what}"), code)).await?;
        receipt.created.ok_or_else(|| LocalError::Missing { what: format!("the address of {what}") })
    }

    /// Makes blocks a second apart until nothing of ours waits; the receipts in order of queueing.
    pub(crate) async fn flush(&mut self) -> Result<Vec<Receipt>, LocalError> {
        const BLOCKS_MAX: u64 = 8;
        let mut receipts = Vec::new();
        for _ in 0..BLOCKS_MAX {
            receipts.extend(self.seal(self.time + 1).await?);
            if self.waiting.is_empty() {
                return Ok(receipts);
            }
        }
        let (hash, what) = self.waiting.remove(0);
        Err(LocalError::NotMined { what, hash, blocks: BLOCKS_MAX })
    }

    /// Makes one block of our own at `time` with what waits; receipts of ours that it holds.
    pub(crate) async fn seal(&mut self, time: u64) -> Result<Vec<Receipt>, LocalError> {
        let endpoints = self.endpoints();
        let _: Value = endpoints.request("evm_setBlockGasLimit", [U64::from(BLOCK_GAS)]).await?;
        let _: Value = endpoints.request("anvil_setNextBlockBaseFeePerGas", [U64::from(BASE_FEE)]).await?;
        self.mine(time).await?;
        let mut receipts = Vec::new();
        for (hash, what) in std::mem::take(&mut self.waiting) {
            match self.endpoints().receipt(hash).await? {
                None => self.waiting.push((hash, what)),
                Some(receipt) if receipt.success => receipts.push(receipt),
                Some(receipt) => {
                    let reason = self.revert_reason(receipt.tx_hash).await;
                    return Err(LocalError::Reverted { what, reason });
                }
            }
        }
        Ok(receipts)
    }

    /// Makes the next block at `time` with whatever the pool holds.
    pub(crate) async fn mine(&mut self, time: u64) -> Result<(), LocalError> {
        if time <= self.time {
            return Err(LocalError::Backwards { newest: self.time, got: time });
        }
        self.anvil.set_next_timestamp(time).await?;
        let _: Value = self.endpoints().request("evm_mine", ()).await?;
        self.time = time;
        Ok(())
    }

    /// After the chain went back: nonces and time are asked for again, and nothing of ours waits.
    #[cfg(test)]
    pub(crate) fn forget_nonces(&mut self) {
        self.nonces.clear();
        self.waiting.clear();
    }

    /// How many transactions wait in the pool, whoever sent them.
    pub(crate) async fn pooled(&self) -> Result<u64, LocalError> {
        #[derive(serde::Deserialize)]
        struct Status {
            pending: U64,
        }
        let status: Status = self.endpoints().request("txpool_status", ()).await?;
        Ok(status.pending.to())
    }

    /// Reads a view on the newest block.
    pub(crate) async fn view<C: alloy::sol_types::SolCall>(
        &self,
        to: Address,
        call: &C,
    ) -> Result<C::Return, LocalError> {
        let head = self.head().await?;
        let request = TransactionRequest::default().to(to).input(call.abi_encode().into());
        let answer = self.endpoints().call(&head, &request).await?;
        C::abi_decode_returns(&answer).map_err(|error| LocalError::Reverted {
            what: C::SIGNATURE.to_owned(),
            reason: format!("its answer does not decode: {error}"),
        })
    }

    /// What a mined transaction reverted with, as far as the node can say.
    pub(crate) async fn revert_reason(&self, hash: B256) -> String {
        let options = json!({ "tracer": "callTracer", "tracerConfig": { "onlyTopCall": true } });
        let trace: Result<Value, _> =
            self.endpoints().request("debug_traceTransaction", (hash, options)).await;
        match trace {
            Ok(trace) => {
                let output = trace["output"].as_str().and_then(|output| output.parse().ok());
                revert::describe(&output.unwrap_or_default(), trace["error"].as_str())
            }
            Err(error) => format!("no trace: {error}"),
        }
    }

    async fn next_nonce(&mut self, account: Address) -> Result<u64, LocalError> {
        if let Some(nonce) = self.nonces.get(&account) {
            return Ok(*nonce);
        }
        let nonce: U64 = self.endpoints().request("eth_getTransactionCount", (account, "latest")).await?;
        Ok(nonce.to())
    }

    fn sign(&self, from: &Actor, call: &Call, nonce: u64) -> Result<Bytes, LocalError> {
        let mut transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit: call.gas,
            max_fee_per_gas: FEE,
            max_priority_fee_per_gas: 1,
            to: call.to.map_or(TxKind::Create, TxKind::Call),
            value: call.value,
            access_list: Default::default(),
            input: call.data.clone(),
        };
        let signature = from
            .key
            .sign_transaction_sync(&mut transaction)
            .map_err(|error| LocalError::Signing { what: call.what.clone(), reason: error.to_string() })?;
        Ok(TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into())
    }
}

fn genesis_file(genesis: &Genesis, actors: &[&Actor]) -> Value {
    let mut alloc = genesis.alloc.clone();
    for actor in actors {
        alloc.insert(actor.address(), json!({ "balance": U256::from(PURSE) }));
    }
    json!({
        "config": { "chainId": genesis.chain_id },
        "timestamp": U64::from(genesis.time),
        "gasLimit": U64::from(BLOCK_GAS),
        "baseFeePerGas": U64::from(genesis.base_fee),
        "difficulty": "0x0",
        "alloc": alloc,
    })
}
