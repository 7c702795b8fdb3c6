//! Deployment over RPC: what `breakwater_bindings::deploy` asks of a chain and of whoever can send.

use std::time::Duration;

use alloy::primitives::{Address, Bytes, Log, TxKind, U256, keccak256};
use alloy::rpc::types::{Filter, TransactionRequest};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolValue;
use breakwater_bindings::deploy::{Answer, Chain, Deployer, Step};
use breakwater_chain::{
    ActionKey, ActionKeyError, ChainError, Endpoints, MemoryJournal, SendError, SendOptions, SendRequest,
    Sender,
};
use tokio::sync::Mutex;

use crate::local::{Actor, Call, Local, LocalError};

/// Pause between two looks at whether a transaction is mined.
const POLL: Duration = Duration::from_millis(200);

/// Blocks in which a transaction must be mined.
const BLOCKS_MAX: u64 = 50;

/// Why a chain could not be deployed to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeployError {
    /// It could not be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A transaction could not be sent, or failed.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A step could not be named.
    #[error(transparent)]
    Key(#[from] ActionKeyError),
    /// The step is another account's.
    #[error("expected the key of {expected}, got that of {got}")]
    WrongSender {
        /// Who must send it.
        expected: Address,
        /// Whose key was given.
        got: Address,
    },
}

/// A chain that can be read.
pub(crate) struct Readable {
    endpoints: Endpoints,
}

/// A chain and an account that sends.
pub(crate) struct Sending {
    chain: Readable,
    sender: Sender<MemoryJournal>,
}

impl Readable {
    /// Reads through these endpoints.
    pub(crate) fn new(endpoints: Endpoints) -> Self {
        Self { endpoints }
    }
}

impl Sending {
    /// Sends as this account.
    pub(crate) async fn new(endpoints: Endpoints, signer: PrivateKeySigner) -> Result<Self, ChainError> {
        // Every step is seen to be done, and a second run does what a reorganisation took back.
        let options = SendOptions { confirmations: 0, ..SendOptions::default() };
        let sender = Sender::new(endpoints.clone(), MemoryJournal::default(), signer, options).await?;
        Ok(Self { chain: Readable::new(endpoints), sender })
    }
}

impl Chain for Readable {
    type Error = DeployError;

    async fn chain_id(&self) -> Result<u64, DeployError> {
        Ok(self.endpoints.chain_id().await?)
    }

    async fn block_number(&self) -> Result<u64, DeployError> {
        Ok(self.endpoints.head_number().await?)
    }

    async fn code(&self, at: Address) -> Result<Bytes, DeployError> {
        Ok(self.endpoints.request("eth_getCode", (at, "latest")).await?)
    }

    async fn balance(&self, at: Address) -> Result<U256, DeployError> {
        Ok(self.endpoints.request("eth_getBalance", (at, "latest")).await?)
    }

    async fn call(&self, from: Address, to: Address, data: Bytes) -> Result<Answer, DeployError> {
        let head = self.endpoints.head().await?;
        let request = TransactionRequest::default().from(from).to(to).input(data.into());
        match self.endpoints.call(&head, &request).await {
            Ok(answer) => Ok(Answer::Returned(answer)),
            Err(ChainError::Reverted { error, .. }) => Ok(Answer::Reverted(error.data.unwrap_or_default())),
            Err(error) => Err(error.into()),
        }
    }

    async fn logs(&self, of: Address, from_block: u64) -> Result<Vec<Log>, DeployError> {
        let head = self.endpoints.head_number().await?;
        let logs = self.endpoints.logs(from_block..=head, &Filter::new().address(of)).await?;
        Ok(logs.into_iter().map(|log| log.inner).collect())
    }
}

impl Chain for Sending {
    type Error = DeployError;

    async fn chain_id(&self) -> Result<u64, DeployError> {
        self.chain.chain_id().await
    }

    async fn block_number(&self) -> Result<u64, DeployError> {
        self.chain.block_number().await
    }

    async fn code(&self, at: Address) -> Result<Bytes, DeployError> {
        self.chain.code(at).await
    }

    async fn balance(&self, at: Address) -> Result<U256, DeployError> {
        self.chain.balance(at).await
    }

    async fn call(&self, from: Address, to: Address, data: Bytes) -> Result<Answer, DeployError> {
        self.chain.call(from, to, data).await
    }

    async fn logs(&self, of: Address, from_block: u64) -> Result<Vec<Log>, DeployError> {
        self.chain.logs(of, from_block).await
    }
}

impl Deployer for Sending {
    async fn send(&self, step: &Step) -> Result<(), DeployError> {
        let (expected, got) = (step.sender, self.sender.address());
        if expected != got {
            return Err(DeployError::WrongSender { expected, got });
        }
        let digest = keccak256((step.to, step.value, step.data.clone()).abi_encode());
        let request = SendRequest {
            key: ActionKey::new(format!("deploy:{digest}"))?,
            to: TxKind::Call(step.to),
            data: step.data.clone(),
            value: step.value,
            gas_limit: None,
        };
        self.sender.send_and_wait(&request, POLL, BLOCKS_MAX).await?;
        Ok(())
    }

    async fn send_raw(&self, transaction: Bytes) -> Result<(), DeployError> {
        let hash = keccak256(&transaction);
        let endpoints = &self.chain.endpoints;
        let _: serde_json::Value = endpoints.request("eth_sendRawTransaction", [&transaction]).await?;
        let last = endpoints.head_number().await?.saturating_add(BLOCKS_MAX);
        while endpoints.receipt(hash).await?.is_none() && endpoints.head_number().await? <= last {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

/// A local chain whose blocks come when a step is sent.
pub(crate) struct OnLocal<'a> {
    chain: Readable,
    local: Mutex<&'a mut Local>,
    actors: Vec<Actor>,
}

impl<'a> OnLocal<'a> {
    /// Sends as whichever of these accounts a step asks for.
    pub(crate) fn new(local: &'a mut Local, actors: Vec<Actor>) -> Self {
        Self { chain: Readable::new(local.endpoints().clone()), local: Mutex::new(local), actors }
    }
}

impl Chain for OnLocal<'_> {
    type Error = LocalError;

    async fn chain_id(&self) -> Result<u64, LocalError> {
        self.chain.chain_id().await.map_err(on_local)
    }

    async fn block_number(&self) -> Result<u64, LocalError> {
        self.chain.block_number().await.map_err(on_local)
    }

    async fn code(&self, at: Address) -> Result<Bytes, LocalError> {
        self.chain.code(at).await.map_err(on_local)
    }

    async fn balance(&self, at: Address) -> Result<U256, LocalError> {
        self.chain.balance(at).await.map_err(on_local)
    }

    async fn call(&self, from: Address, to: Address, data: Bytes) -> Result<Answer, LocalError> {
        self.chain.call(from, to, data).await.map_err(on_local)
    }

    async fn logs(&self, of: Address, from_block: u64) -> Result<Vec<Log>, LocalError> {
        self.chain.logs(of, from_block).await.map_err(on_local)
    }
}

impl Deployer for OnLocal<'_> {
    async fn send(&self, step: &Step) -> Result<(), LocalError> {
        let actor = self.actors.iter().find(|actor| actor.address() == step.sender);
        let actor =
            actor.ok_or_else(|| LocalError::Missing { what: format!("the key of {}", step.sender) })?;
        let call = Call::raw(&step.name, Some(step.to), step.data.clone()).with_value(step.value);
        self.local.lock().await.run(actor, call).await?;
        Ok(())
    }

    async fn send_raw(&self, transaction: Bytes) -> Result<(), LocalError> {
        let mut local = self.local.lock().await;
        let _: serde_json::Value =
            local.endpoints().request("eth_sendRawTransaction", [&transaction]).await?;
        local.flush().await?;
        Ok(())
    }
}

/// Reading fails on a local chain in one way only.
fn on_local(error: DeployError) -> LocalError {
    match error {
        DeployError::Chain(error) => error.into(),
        other => LocalError::Missing { what: other.to_string() },
    }
}
