//! From a configuration to the transactions, each with a question that tells whether it is done.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::sol_types::{SolCall, SolConstructor, SolValue};
use serde::{Deserialize, Serialize};

use super::config::{Config, ConfigError, PoolConfig};
use super::proxy;
use crate::artifact::{Artifact, ArtifactError, Libraries};
use crate::contracts::{
    AccessManager, Catalog, Incidents, Policies, Pool, ProofRung, TimelockController, Wording,
};
use crate::decimal;

/// Role that may list gauges.
pub const LISTER: u64 = 1;
/// Role that may register pools.
pub const REGISTRAR: u64 = 2;
/// Role that may change roles; OpenZeppelin's.
const ADMIN: u64 = 0;
/// `Rung.Proof`.
const PROOF_RUNG: u8 = 0;

/// Addresses of a deployment and what they follow from; its JSON form is what other tools read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployment {
    /// The chain.
    #[serde(with = "decimal")]
    pub chain_id: u64,
    /// No log of the deployment lies before this block.
    #[serde(with = "decimal")]
    pub from_block: u64,
    /// OpenZeppelin's timelock, admin of the roles.
    pub timelock: Address,
    /// OpenZeppelin's access manager, which keeps the roles.
    pub access_manager: Address,
    /// `EthereumHistory`.
    pub history: Address,
    /// `Wording`.
    pub wording: Address,
    /// `Catalog`.
    pub catalog: Address,
    /// `Incidents`.
    pub incidents: Address,
    /// `Policies`.
    pub policies: Address,
    /// `ProofRung`.
    pub proof_rung: Address,
    /// The library that pools are linked to.
    pub bookings: Address,
    /// Pools of the configuration by name.
    pub pools: BTreeMap<String, Address>,
    /// What all of it was made from.
    pub config: Config,
}

impl Deployment {
    /// The contracts whose logs tell the state; pools that were registered later are named in the catalog's.
    pub fn contracts(&self) -> Vec<Address> {
        let fixed = [self.catalog, self.incidents, self.policies, self.proof_rung, self.history];
        fixed.into_iter().chain(self.pools.values().copied()).collect()
    }

    /// What contracts are linked to.
    pub fn libraries(&self) -> Libraries {
        Libraries::from([("Bookings".to_owned(), self.bookings)])
    }
}

/// One transaction of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does, in words.
    pub name: String,
    /// Who must send it.
    pub sender: Address,
    /// Where to.
    pub to: Address,
    /// Wei.
    pub value: U256,
    /// Calldata.
    pub data: Bytes,
    /// How to see that it is done.
    pub done: Done,
}

/// What holds once a step is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// There is code at the address.
    Code(Address),
    /// A view answers exactly this.
    Answer {
        /// The contract.
        to: Address,
        /// The view's calldata.
        data: Bytes,
        /// Its answer.
        expected: Bytes,
    },
    /// An account has at least so much, in wei.
    Balance(Address, U256),
}

/// Transactions in the order in which they must run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What to do.
    pub steps: Vec<Step>,
    /// Where everything will stand; `from_block` is 0 until it runs.
    pub deployment: Deployment,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The code cannot be had.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
}

/// Every transaction that the configuration needs, done or not.
///
/// # Errors
/// [`PlanError`].
pub fn plan(config: &Config) -> Result<Plan, PlanError> {
    config.check()?;
    let mut steps = Steps { config, steps: Vec::new() };
    let deployment = steps.contracts()?;
    steps.wire(&deployment);
    steps.roles(&deployment);
    steps.hand_over(&deployment);
    let mut deployment = deployment;
    for pool in &config.pools {
        let address = steps.pool(&deployment, pool)?;
        deployment.pools.insert(pool.name.clone(), address);
    }
    Ok(Plan { steps: steps.steps, deployment })
}

struct Steps<'a> {
    config: &'a Config,
    steps: Vec<Step>,
}

impl Steps<'_> {
    fn contracts(&mut self) -> Result<Deployment, PlanError> {
        let config = self.config;
        let timelock = TimelockController::constructorCall {
            minDelay: U256::from(config.timelock.min_delay_s),
            proposers: config.timelock.proposers.clone(),
            executors: config.timelock.executors.clone(),
            // The timelock administers itself from the start.
            admin: Address::ZERO,
        };
        let timelock = self.create("TimelockController", &timelock.abi_encode())?;
        let manager = AccessManager::constructorCall { initialAdmin: config.deployer };
        let access_manager = self.create("AccessManager", &manager.abi_encode())?;
        let history = self.create("EthereumHistory", &[])?;
        let (dwell, window) = (config.dwell_blocks, config.claim_window_s);
        let wording = Wording::constructorCall { dwell_: dwell, claimWindow_: window };
        let wording = self.create("Wording", &wording.abi_encode())?;
        let catalog = Catalog::constructorCall { authority: access_manager, wording };
        let catalog = self.create("Catalog", &catalog.abi_encode())?;
        let incidents = Incidents::constructorCall {
            catalog_: catalog,
            authority: access_manager,
            dwell_: dwell,
            claimWindow_: window,
        };
        let incidents = self.create("Incidents", &incidents.abi_encode())?;
        let policies = Policies::constructorCall { catalog_: catalog, incidents_: incidents };
        let policies = self.create("Policies", &policies.abi_encode())?;
        let rung = ProofRung::constructorCall { history_: history, catalog_: catalog, incidents_: incidents };
        let proof_rung = self.create("ProofRung", &rung.abi_encode())?;
        let bookings = self.create("Bookings", &[])?;
        Ok(Deployment {
            chain_id: config.chain_id,
            from_block: 0,
            timelock,
            access_manager,
            history,
            wording,
            catalog,
            incidents,
            policies,
            proof_rung,
            bookings,
            pools: BTreeMap::new(),
            config: config.clone(),
        })
    }

    fn wire(&mut self, to: &Deployment) {
        let wire = Incidents::wireCall {
            policies_: to.policies,
            rungContracts: vec![to.proof_rung],
            rungs: vec![PROOF_RUNG],
        };
        let done = answer(to.incidents, &Incidents::policiesCall {}, to.policies.abi_encode());
        self.call("wire the incidents to policies and proof rung", to.incidents, &wire, done);
    }

    fn roles(&mut self, to: &Deployment) {
        let functions = [
            (Catalog::listGaugeCall::SELECTOR, LISTER, "lister"),
            // Asked only for cover of protocols; everyone lists cover of positions.
            (Catalog::listProductCall::SELECTOR, LISTER, "lister of protocol cover"),
            (Catalog::registerPoolCall::SELECTOR, REGISTRAR, "registrar"),
        ];
        for (selector, role, name) in functions {
            let set = AccessManager::setTargetFunctionRoleCall {
                target: to.catalog,
                selectors: vec![selector.into()],
                roleId: role,
            };
            let get =
                AccessManager::getTargetFunctionRoleCall { target: to.catalog, selector: selector.into() };
            let done = answer(to.access_manager, &get, role.abi_encode());
            self.call(&format!("open the {name}'s function to its role"), to.access_manager, &set, done);
        }
        self.grant(to, LISTER, self.config.lister, "lister");
        self.grant(to, REGISTRAR, self.config.registrar, "registrar");
    }

    fn hand_over(&mut self, to: &Deployment) {
        self.grant(to, ADMIN, to.timelock, "admin");
        let deployer = self.config.deployer;
        let renounce = AccessManager::renounceRoleCall { roleId: ADMIN, callerConfirmation: deployer };
        let done = has_role(to.access_manager, ADMIN, deployer, false);
        self.call("give up the deployer's admin role", to.access_manager, &renounce, done);
    }

    fn pool(&mut self, to: &Deployment, pool: &PoolConfig) -> Result<Address, PlanError> {
        // Pools of the same terms differ by their name.
        let salt = keccak256((self.config.salt, pool.name.as_bytes().to_vec()).abi_encode_packed());
        let arguments = pool_arguments(to, pool);
        let init = Artifact::load("Pool")?.init_code(&to.libraries(), &arguments)?;
        let address = self.create_code(&format!("Pool {:?}", pool.name), salt, &init);
        let register = Catalog::registerPoolCall { pool: address };
        let done = answer(to.catalog, &Catalog::isPoolCall { pool: address }, true.abi_encode());
        self.call(&format!("register pool {:?}", pool.name), to.catalog, &register, done);
        if let Some(step) = self.steps.last_mut() {
            step.sender = self.config.registrar;
        }
        Ok(address)
    }

    fn grant(&mut self, to: &Deployment, role: u64, account: Address, name: &str) {
        let grant = AccessManager::grantRoleCall { roleId: role, account, executionDelay: 0 };
        let done = has_role(to.access_manager, role, account, true);
        self.call(&format!("give {account} the role of {name}"), to.access_manager, &grant, done);
    }

    fn create(&mut self, name: &str, arguments: &[u8]) -> Result<Address, PlanError> {
        let init = Artifact::load(name)?.init_code(&Libraries::new(), arguments)?;
        Ok(self.create_code(name, self.config.salt, &init))
    }

    fn create_code(&mut self, name: &str, salt: B256, init: &[u8]) -> Address {
        let address = proxy::address_of(salt, init);
        self.steps.push(Step {
            name: format!("create {name}"),
            sender: self.config.deployer,
            to: proxy::PROXY,
            value: U256::ZERO,
            data: proxy::calldata(salt, init),
            done: Done::Code(address),
        });
        address
    }

    fn call(&mut self, name: &str, to: Address, call: &impl SolCall, done: Done) {
        self.steps.push(Step {
            name: name.to_owned(),
            sender: self.config.deployer,
            to,
            value: U256::ZERO,
            data: call.abi_encode().into(),
            done,
        });
    }
}

/// A pool's constructor arguments.
fn pool_arguments(to: &Deployment, pool: &PoolConfig) -> Vec<u8> {
    let arguments = Pool::constructorCall {
        c: pool.into(),
        catalog_: to.catalog,
        incidents_: to.incidents,
        policies_: to.policies,
    };
    arguments.abi_encode()
}

fn has_role(manager: Address, role: u64, account: Address, holds: bool) -> Done {
    // The answer's second word is the execution delay: none.
    answer(manager, &AccessManager::hasRoleCall { roleId: role, account }, (holds, 0_u32).abi_encode())
}

fn answer(to: Address, view: &impl SolCall, expected: Vec<u8>) -> Done {
    Done::Answer { to, data: view.abi_encode().into(), expected: expected.into() }
}

#[cfg(test)]
mod tests;
