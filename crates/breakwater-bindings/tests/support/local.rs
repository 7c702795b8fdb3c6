//! A local anvil that deploys, for this crate's tests and those of crates above.
// Each test binary uses a part of this, and one that cannot drive its own chain must stop.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use alloy::primitives::{Address, B256, Bytes, Log, U256};
use alloy::rpc::types::{Filter, TransactionReceipt};
use alloy::sol_types::{SolCall, SolConstructor};
use breakwater_bindings::deploy::{
    Answer, Ceiling, Chain, CouncilConfig, Deployer, DisputesConfig, PoolConfig, Step, TimelockConfig,
};
use breakwater_bindings::{Config, errors};
use breakwater_chain::{Anvil, AnvilError, ChainError, Endpoints};
use serde_json::{Value, json};

/// A chain whose accounts sign by themselves.
pub struct Local {
    pub endpoints: Endpoints,
    anvil: Anvil,
}

const WEEK: u32 = 604_800;
const WAD: u64 = 1_000_000_000_000_000_000;

impl Local {
    /// None after a printed skip where there is no anvil.
    pub fn start(test: &str, more: &[&str]) -> Option<Self> {
        let mut builder = Anvil::builder().hardfork("prague");
        for arg in more {
            builder = builder.arg(arg);
        }
        match builder.start() {
            Ok(anvil) => Some(Self { endpoints: anvil.endpoints().clone(), anvil }),
            Err(AnvilError::NotFound { .. }) => {
                println!("SKIPPED 1 test ({test}): anvil is not installed");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        self.anvil.url().as_str()
    }

    pub async fn accounts(&self) -> Vec<Address> {
        self.endpoints.request("eth_accounts", ()).await.unwrap()
    }

    pub async fn transact(&self, transaction: Value) -> Result<TransactionReceipt, ChainError> {
        // Blocks made within a second would be of one time, which no chain has.
        let _: Value = self.endpoints.request("evm_increaseTime", [12]).await?;
        let hash: B256 = self.endpoints.request("eth_sendTransaction", [&transaction]).await?;
        let receipt: TransactionReceipt = self.endpoints.request("eth_getTransactionReceipt", [hash]).await?;
        if !receipt.status() {
            let again: Result<Bytes, ChainError> =
                self.endpoints.request("eth_call", (&transaction, "latest")).await;
            let data = again.as_ref().err().and_then(ChainError::revert_data).cloned();
            panic!("reverted: {}, {again:?}", data.as_ref().map(errors::describe).unwrap_or_default());
        }
        Ok(receipt)
    }

    /// Sends as an account whose key nobody has.
    pub async fn act_as(&self, from: Address, to: Address, call: &impl SolCall) {
        let _: Value = self.endpoints.request("anvil_impersonateAccount", [from]).await.unwrap();
        let _: Value = self.endpoints.request("anvil_setBalance", (from, U256::from(WAD))).await.unwrap();
        let data = Bytes::from(call.abi_encode());
        self.transact(json!({ "from": from, "to": to, "data": data })).await.unwrap();
    }
}

impl Chain for Local {
    type Error = ChainError;

    async fn chain_id(&self) -> Result<u64, ChainError> {
        self.endpoints.chain_id().await
    }

    async fn block_number(&self) -> Result<u64, ChainError> {
        self.endpoints.head_number().await
    }

    async fn code(&self, at: Address) -> Result<Bytes, ChainError> {
        self.endpoints.request("eth_getCode", (at, "latest")).await
    }

    async fn balance(&self, at: Address) -> Result<U256, ChainError> {
        self.endpoints.request("eth_getBalance", (at, "latest")).await
    }

    async fn call(&self, from: Address, to: Address, data: Bytes) -> Result<Answer, ChainError> {
        let call = json!({ "from": from, "to": to, "data": data });
        match self.endpoints.request("eth_call", (call, "latest")).await {
            Ok(data) => Ok(Answer::Returned(data)),
            Err(error) => match error.revert_data() {
                Some(data) => Ok(Answer::Reverted(data.clone())),
                // A revert without data.
                None if matches!(error, ChainError::Reverted { .. }) => Ok(Answer::Reverted(Bytes::new())),
                None => Err(error),
            },
        }
    }

    async fn logs(&self, of: Address, from_block: u64) -> Result<Vec<Log>, ChainError> {
        let head = self.endpoints.head_number().await?;
        let logs = self.endpoints.logs(from_block..=head, &Filter::new().address(of)).await?;
        Ok(logs.into_iter().map(|log| log.inner).collect())
    }
}

impl Deployer for Local {
    async fn send(&self, step: &Step) -> Result<(), ChainError> {
        let value = step.value;
        let transaction = json!({ "from": step.sender, "to": step.to, "data": step.data, "value": value });
        let receipt = self.transact(transaction).await?;
        println!("{:>10} gas: {}", receipt.gas_used, step.name);
        Ok(())
    }

    async fn send_raw(&self, transaction: Bytes) -> Result<(), ChainError> {
        let _: B256 = self.endpoints.request("eth_sendRawTransaction", [transaction]).await?;
        Ok(())
    }
}

/// A configuration with one pool, over a token made for it.
pub async fn config(local: &Local) -> Config {
    let accounts = local.accounts().await;
    let token = breakwater_bindings::demo::DemoToken::constructorCall {
        name: "Dollar".to_owned(),
        symbol: "USD".to_owned(),
        decimals_: 6,
    };
    let init = [&breakwater_bindings::demo::DemoToken::BYTECODE[..], &token.abi_encode()].concat();
    let receipt = local.transact(json!({ "from": accounts[9], "data": Bytes::from(init) })).await.unwrap();
    Config {
        chain_id: 31_337,
        deployer: accounts[0],
        salt: B256::repeat_byte(1),
        timelock: TimelockConfig {
            min_delay_s: 86_400,
            proposers: vec![accounts[1]],
            executors: vec![Address::ZERO],
        },
        council: None,
        lister: accounts[2],
        guardian: accounts[5],
        dwell_blocks: 32,
        quorum_window_blocks: 96,
        assembly_window_blocks: 400,
        guardian_delay_blocks: 20,
        heavy_bps: u16::MAX,
        claim_window_s: WEEK,
        ceilings: vec![Ceiling { rung: 3, asset: receipt.contract_address.unwrap(), most: 1_000 }],
        disputes: None,
        pools: vec![PoolConfig {
            name: "dollar".to_owned(),
            asset: receipt.contract_address.unwrap(),
            curator: accounts[4],
            epoch: WEEK,
            cooldown: WEEK,
            leverage_bps: 40_000,
            curator_share_bps: 500,
            subordination_bps: 2_000,
            surplus_bps: 1_000,
            weight_bps: [5_000, 3_000, 2_000],
            cost_of_capital: WAD / 10,
            kink: WAD / 10 * 8,
            scarcity_kink: WAD / 2 * 3,
            scarcity_full: 4 * WAD,
            surge_slope: WAD,
            surge_max: 3 * WAD,
            surge_half_life: 86_400,
            certified: false,
            gate: Address::ZERO,
            curator_fee_bps: 0,
        }],
    }
}

/// The same, with reporters and an assembly.
pub async fn with_disputes(local: &Local) -> Config {
    let mut config = config(local).await;
    let token = config.pools[0].asset;
    config.disputes = Some(DisputesConfig {
        bond_asset: token,
        sink: Address::repeat_byte(0xde),
        quorum: 3,
        min_bond: 10_000_000_000,
        unbond_delay_s: 4 * WEEK,
        prover_bps: 3_000,
        report_bond: 5_000_000_000,
        challenge_bond: 1_000_000_000,
        stake_token: token,
        commit_time_s: 3_600,
        reveal_time_s: 3_600,
        unstake_delay_s: WEEK,
        stake_quorum_bps: 1_000,
        slash_bps: 1_000,
    });
    config
}

/// The same, with a council in place of the timelock's proposers.
pub async fn with_council(local: &Local) -> Config {
    let accounts = local.accounts().await;
    let mut config = config(local).await;
    config.timelock.proposers.clear();
    config.timelock.executors.clear();
    config.council = Some(CouncilConfig {
        holder: accounts[5],
        guardian: accounts[6],
        identity_registrar: accounts[7],
        voting_delay_s: 86_400,
        voting_period_s: WEEK,
        extension_s: 172_800,
        threshold: 10_000 * u128::from(WAD),
        quorum_percent: 4,
    });
    config
}
