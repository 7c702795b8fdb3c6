//! Running a plan: what is done is skipped, what is missing is sent, and then seen to be done.

use std::future::Future;

use alloy::primitives::{Address, Bytes, Log, U256};

use super::plan::{Deployment, Done, Plan, Step};
use super::proxy::{PRESIGNED, PRESIGNED_COST_WEI, PROXY, PROXY_CODE, PROXY_SIGNER};

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It returned.
    Returned(Bytes),
    /// It reverted, with this data.
    Reverted(Bytes),
}

/// The newest state of a chain; whoever has endpoints implements it.
pub trait Chain: Sync {
    /// Why the chain could not be asked.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The chain's id.
    fn chain_id(&self) -> impl Future<Output = Result<u64, Self::Error>> + Send;
    /// Number of the newest block.
    fn block_number(&self) -> impl Future<Output = Result<u64, Self::Error>> + Send;
    /// The code of an account; empty if it has none.
    fn code(&self, at: Address) -> impl Future<Output = Result<Bytes, Self::Error>> + Send;
    /// The balance of an account, in wei.
    fn balance(&self, at: Address) -> impl Future<Output = Result<U256, Self::Error>> + Send;
    /// A call that changes nothing, as if `from` made it.
    fn call(
        &self,
        from: Address,
        to: Address,
        data: Bytes,
    ) -> impl Future<Output = Result<Answer, Self::Error>> + Send;
    /// All logs of a contract from a block on, in order.
    fn logs(
        &self,
        of: Address,
        from_block: u64,
    ) -> impl Future<Output = Result<Vec<Log>, Self::Error>> + Send;
}

/// Who can also send.
pub trait Deployer: Chain {
    /// Sends a step from its sender and waits until it is mined.
    ///
    /// # Errors
    /// If it cannot be sent, or reverted.
    fn send(&self, step: &Step) -> impl Future<Output = Result<(), Self::Error>> + Send;
    /// Sends a signed transaction as it is and waits until it is mined.
    ///
    /// # Errors
    /// If the node refuses it.
    fn send_raw(&self, transaction: Bytes) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It was done before.
    Skipped,
    /// It was sent and is done.
    Sent,
}

/// Why a deployment stopped; running it again goes on from there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError<E: std::error::Error> {
    /// The chain could not be asked, or refused a transaction.
    #[error("{step}: {error}")]
    Chain {
        /// What was being done.
        step: String,
        /// Why it failed.
        error: E,
    },
    /// The configuration is for another chain.
    #[error("the configuration is for chain {expected}, the endpoint is on chain {got}")]
    WrongChain {
        /// The configuration's.
        expected: u64,
        /// The endpoint's.
        got: u64,
    },
    /// The deterministic deployment proxy is missing and cannot be created.
    #[error(
        "the deployment proxy {PROXY} is missing and its presigned transaction failed ({0}): \
         the chain must take transactions without a chain id at 100 gwei, or have the proxy already"
    )]
    NoProxy(String),
    /// Something else stands at the proxy's address.
    #[error("at {PROXY} stands another contract than the deployment proxy")]
    WrongProxy,
    /// A step was mined and had no effect.
    #[error("{0}: the transaction was mined, but what it should do is not done")]
    NoEffect(String),
}

/// Sends what is missing, in order; `on_step` hears of each step when it is done.
///
/// `from_block` of the answer is the newest block before the first step if the contracts were not there, else 0.
///
/// # Errors
/// [`RunError`] naming the step.
pub async fn run<D: Deployer>(
    plan: &Plan,
    chain: &D,
    mut on_step: impl FnMut(&Step, Progress),
) -> Result<Deployment, RunError<D::Error>> {
    let expected = plan.deployment.chain_id;
    let got = chain.chain_id().await.map_err(at("asking for the chain id"))?;
    if got != expected {
        return Err(RunError::WrongChain { expected, got });
    }
    let head = chain.block_number().await.map_err(at("asking for the newest block"))?;
    let first = chain.code(plan.deployment.timelock).await.map_err(at("asking for code"))?;
    ensure_proxy(plan, chain, &mut on_step).await?;
    for step in &plan.steps {
        on_step(step, ensure(chain, step).await?);
    }
    let from_block = if first.is_empty() { head } else { 0 };
    Ok(Deployment { from_block, ..plan.deployment.clone() })
}

async fn ensure<D: Deployer>(chain: &D, step: &Step) -> Result<Progress, RunError<D::Error>> {
    if is_done(chain, step).await? {
        return Ok(Progress::Skipped);
    }
    chain.send(step).await.map_err(at(&step.name))?;
    if is_done(chain, step).await? { Ok(Progress::Sent) } else { Err(RunError::NoEffect(step.name.clone())) }
}

async fn is_done<D: Deployer>(chain: &D, step: &Step) -> Result<bool, RunError<D::Error>> {
    let fail = at(&step.name);
    Ok(match &step.done {
        Done::Code(address) => !chain.code(*address).await.map_err(fail)?.is_empty(),
        Done::Balance(account, least) => chain.balance(*account).await.map_err(fail)? >= *least,
        Done::Answer { to, data, expected } => {
            let answer = chain.call(step.sender, *to, data.clone()).await.map_err(fail)?;
            answer == Answer::Returned(expected.clone())
        }
    })
}

async fn ensure_proxy<D: Deployer>(
    plan: &Plan,
    chain: &D,
    on_step: &mut impl FnMut(&Step, Progress),
) -> Result<(), RunError<D::Error>> {
    let code = chain.code(PROXY).await.map_err(at("asking for the deployment proxy"))?;
    if code.as_ref() == PROXY_CODE {
        return Ok(());
    }
    if !code.is_empty() {
        return Err(RunError::WrongProxy);
    }
    let fund = Step {
        name: "fund the presigned transaction of the deployment proxy".to_owned(),
        sender: plan.deployment.config.deployer,
        to: PROXY_SIGNER,
        value: PRESIGNED_COST_WEI,
        data: Bytes::new(),
        done: Done::Balance(PROXY_SIGNER, PRESIGNED_COST_WEI),
    };
    on_step(&fund, ensure(chain, &fund).await?);
    let sent = chain.send_raw(Bytes::from_static(PRESIGNED)).await;
    let code = chain.code(PROXY).await.map_err(at("asking for the deployment proxy"))?;
    match sent {
        _ if code.as_ref() == PROXY_CODE => Ok(()),
        Ok(()) => Err(RunError::NoProxy("it was mined without effect".to_owned())),
        Err(error) => Err(RunError::NoProxy(error.to_string())),
    }
}

fn at<E: std::error::Error>(step: &str) -> impl FnOnce(E) -> RunError<E> {
    let step = step.to_owned();
    |error| RunError::Chain { step, error }
}
