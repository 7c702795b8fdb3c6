//! From a configuration to the transactions, each with a question that tells whether it is done.

use std::collections::BTreeMap;

use alloy::primitives::{Address, Bytes, U256, keccak256};
use alloy::sol_types::{SolCall, SolConstructor, SolValue};
use serde::{Deserialize, Serialize};

use super::config::{Ceiling, Config, ConfigError, PoolConfig};
use super::{clone, proxy};
use crate::artifact::{Artifact, ArtifactError, Libraries};
use crate::contracts::{
    AccessManager, Catalog, Factory, Incidents, Policies, PolicyDesk, Pool, PoolDesk, ProofRung, Router,
    TreatyFactory, Underwriting, Wording,
};
use crate::decimal;

/// Role that may list gauges.
pub const LISTER: u64 = 1;
/// Role that may change roles; OpenZeppelin's.
const ADMIN: u64 = 0;
/// `Rung.Proof`.
const PROOF_RUNG: u8 = 0;
/// `Rung.Feed`.
const FEED_RUNG: u8 = 1;
/// `Rung.Canary`.
const CANARY_RUNG: u8 = 2;

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
    /// OpenZeppelin's timelock, admin of the roles; the council's own `Timelock` if there is one.
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
    /// `FeedRung`: prices that stay below a strike.
    pub feed_rung: Address,
    /// `SeriesRung`: impermanent loss between two times.
    pub series_rung: Address,
    /// `OracleRung`: liquidations at a price that was wrong.
    pub oracle_rung: Address,
    /// `CanaryRung`: positions that cannot be withdrawn.
    pub canary_rung: Address,
    /// The library that pools are linked to.
    pub bookings: Address,
    /// `PoolDesk`, the colder half of the code that all pools run.
    pub pool_desk: Address,
    /// `Pool`, the code that all pools run; itself no pool.
    pub pool_code: Address,
    /// `Tranche`, the code that all tranches run; itself no tranche.
    pub tranche_code: Address,
    /// `Factory`, which makes and registers pools.
    pub factory: Address,
    /// The council's contracts, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governance: Option<Governance>,
    /// `TreatyFactory`: pools cede only to treaties made there.
    pub treaty_factory: Address,
    /// The library that holds pools' idle capital.
    pub idle: Address,
    /// `Router`: one purchase over several pools.
    pub router: Address,
    /// `Underwriting`: certified limits and rates.
    pub underwriting: Address,
    /// Reporters, quorum rung, assembly and breaker, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disputes: Option<Disputes>,
    /// Pools of the configuration by name.
    pub pools: BTreeMap<String, Address>,
    /// What all of it was made from.
    pub config: Config,
}

impl Deployment {
    /// The contracts whose logs tell the state; pools that were made later are named in the factory's.
    pub fn contracts(&self) -> Vec<Address> {
        let fixed = [self.catalog, self.incidents, self.policies, self.history, self.factory];
        let machines = self.machines().map(|(_, address, _)| address);
        let disputes = self.disputes.iter().flat_map(Disputes::codes).map(|(_, address)| address);
        fixed.into_iter().chain(machines).chain(disputes).chain(self.pools.values().copied()).collect()
    }

    /// The contracts that the incidents are wired to, each with its number in `Rung`.
    pub fn rungs(&self) -> Vec<(Address, u8)> {
        let machines = self.machines().map(|(_, address, rung)| (address, rung));
        machines.into_iter().chain(self.disputes.iter().flat_map(Disputes::rungs)).collect()
    }

    /// Name, address and number of each rung that needs nobody's word, in the order of the wiring.
    pub fn machines(&self) -> [(&'static str, Address, u8); 5] {
        [
            ("ProofRung", self.proof_rung, PROOF_RUNG),
            ("FeedRung", self.feed_rung, FEED_RUNG),
            ("SeriesRung", self.series_rung, FEED_RUNG),
            ("OracleRung", self.oracle_rung, FEED_RUNG),
            ("CanaryRung", self.canary_rung, CANARY_RUNG),
        ]
    }

    /// What contracts are linked to.
    pub fn libraries(&self) -> Libraries {
        Libraries::from([("Bookings".to_owned(), self.bookings), ("Idle".to_owned(), self.idle)])
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
    let mut deployment = steps.contracts()?;
    steps.signals(&mut deployment)?;
    steps.disputes(&mut deployment)?;
    steps.wire(&deployment);
    steps.limits(&deployment);
    steps.roles(&deployment);
    steps.hand_over(&deployment);
    for pool in &config.pools {
        let address = steps.pool(&deployment, pool);
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
        let (timelock, governance) = self.timelock()?;
        let manager = AccessManager::constructorCall { initialAdmin: config.deployer };
        let access_manager = self.create("AccessManager", &manager.abi_encode())?;
        let history = self.create("EthereumHistory", &[])?;
        let times = Wording::Times {
            dwell: config.dwell_blocks,
            claimWindow: config.claim_window_s,
            quorumWindow: config.quorum_window_blocks,
            assemblyWindow: config.assembly_window_blocks,
            guardianDelay: config.guardian_delay_blocks,
            heavyBps: config.heavy_bps,
        };
        let wording = Wording::constructorCall { times_: times };
        let wording = self.create("Wording", &wording.abi_encode())?;
        let catalog = Catalog::constructorCall { authority: access_manager, wording };
        let catalog = self.create("Catalog", &catalog.abi_encode())?;
        let incidents = Incidents::constructorCall { catalog_: catalog, authority: access_manager };
        let incidents = self.create("Incidents", &incidents.abi_encode())?;
        // It works on the storage of `Policies`, whose address answers for it.
        let desk = PolicyDesk::constructorCall { catalog_: catalog, incidents_: incidents };
        let desk_ = self.create("PolicyDesk", &desk.abi_encode())?;
        let policies = Policies::constructorCall { catalog_: catalog, incidents_: incidents, desk_ };
        let policies = self.create("Policies", &policies.abi_encode())?;
        let rung = ProofRung::constructorCall { history_: history, catalog_: catalog, incidents_: incidents };
        // All rungs are made with the same three.
        let rung = rung.abi_encode();
        let mut to = Deployment {
            chain_id: config.chain_id,
            from_block: 0,
            timelock,
            access_manager,
            history,
            wording,
            catalog,
            incidents,
            policies,
            proof_rung: self.create("ProofRung", &rung)?,
            feed_rung: self.create("FeedRung", &rung)?,
            series_rung: self.create("SeriesRung", &rung)?,
            oracle_rung: self.create("OracleRung", &rung)?,
            canary_rung: self.create("CanaryRung", &rung)?,
            bookings: self.create("Bookings", &[])?,
            pool_desk: Address::ZERO,
            pool_code: Address::ZERO,
            tranche_code: Address::ZERO,
            factory: Address::ZERO,
            governance,
            treaty_factory: Address::ZERO,
            idle: self.create("Idle", &[])?,
            router: Address::ZERO,
            underwriting: Address::ZERO,
            disputes: None,
            pools: BTreeMap::new(),
            config: config.clone(),
        };
        self.pool_code(&mut to)?;
        let underwriting = Underwriting::constructorCall { authority: access_manager };
        to.underwriting = self.create("Underwriting", &underwriting.abi_encode())?;
        let router = Router::constructorCall { catalog_: catalog, policies_: policies };
        to.router = self.create("Router", &router.abi_encode())?;
        Ok(to)
    }

    /// What pools run, and the factory that makes them.
    fn pool_code(&mut self, to: &mut Deployment) -> Result<(), PlanError> {
        let treaties = TreatyFactory::constructorCall { catalog_: to.catalog };
        to.treaty_factory = self.create("TreatyFactory", &treaties.abi_encode())?;
        let desk = PoolDesk::constructorCall {
            catalog_: to.catalog,
            incidents_: to.incidents,
            treaties_: to.treaty_factory,
        };
        to.pool_desk = self.create_linked("PoolDesk", &to.libraries(), &desk.abi_encode())?;
        let pool = Pool::constructorCall {
            catalog_: to.catalog,
            incidents_: to.incidents,
            policies_: to.policies,
            desk: to.pool_desk,
        };
        to.pool_code = self.create_linked("Pool", &to.libraries(), &pool.abi_encode())?;
        to.tranche_code = self.create("Tranche", &[])?;
        let factory =
            Factory::constructorCall { catalog_: to.catalog, pool_: to.pool_code, tranche_: to.tranche_code };
        to.factory = self.create("Factory", &factory.abi_encode())?;
        Ok(())
    }

    fn wire(&mut self, to: &Deployment) {
        let (contracts, rungs) = to.rungs().into_iter().unzip();
        let wire = Incidents::wireCall { policies_: to.policies, contracts, rungs };
        let done = answer(to.incidents, &Incidents::policiesCall {}, to.policies.abi_encode());
        self.call("wire the incidents to policies and rungs", to.incidents, &wire, done);
        let wire = Catalog::wireCall { factory_: to.factory };
        let done = answer(to.catalog, &Catalog::factoryCall {}, to.factory.abi_encode());
        self.call("wire the catalog to the factory", to.catalog, &wire, done);
    }

    /// What only the timelock sets from the hand-over on.
    fn limits(&mut self, to: &Deployment) {
        let guardian = self.config.guardian;
        if !guardian.is_zero() {
            let set = Incidents::setGuardianCall { guardian_: guardian };
            let done = answer(to.incidents, &Incidents::guardianCall {}, guardian.abi_encode());
            self.call("name the guardian", to.incidents, &set, done);
        }
        for Ceiling { rung, asset, most } in self.config.ceilings.clone() {
            let set = Incidents::setCeilingCall { rung, asset, ceiling_: most };
            let get = Incidents::ceilingCall { rung, asset };
            let done = answer(to.incidents, &get, U256::from(most).abi_encode());
            self.call(&format!("set the ceiling of rung {rung} in {asset}"), to.incidents, &set, done);
        }
    }

    fn roles(&mut self, to: &Deployment) {
        let functions = [
            (to.catalog, Catalog::listGaugeCall::SELECTOR, LISTER, "lister"),
            (to.catalog, Catalog::listTriggerCall::SELECTOR, LISTER, "lister of triggers"),
            // Asked only for terms with a registrant; everyone lists cover of positions.
            (to.catalog, Catalog::listProductCall::SELECTOR, LISTER, "lister of registrants"),
            (to.catalog, Catalog::admitCall::SELECTOR, LISTER, "admitter of pools"),
            (to.underwriting, Underwriting::setClusterCall::SELECTOR, LISTER, "lister of clusters"),
        ];
        for (target, selector, role, name) in functions {
            let set = AccessManager::setTargetFunctionRoleCall {
                target,
                selectors: vec![selector.into()],
                roleId: role,
            };
            let get = AccessManager::getTargetFunctionRoleCall { target, selector: selector.into() };
            let done = answer(to.access_manager, &get, role.abi_encode());
            self.call(&format!("open the {name}'s function to its role"), to.access_manager, &set, done);
        }
        self.grant(to, LISTER, self.config.lister, "lister");
        self.council_roles(to);
    }

    fn hand_over(&mut self, to: &Deployment) {
        self.grant(to, ADMIN, to.timelock, "admin");
        let deployer = self.config.deployer;
        let renounce = AccessManager::renounceRoleCall { roleId: ADMIN, callerConfirmation: deployer };
        let done = has_role(to.access_manager, ADMIN, deployer, false);
        self.call("give up the deployer's admin role", to.access_manager, &renounce, done);
    }

    fn pool(&mut self, to: &Deployment, pool: &PoolConfig) -> Address {
        // Pools of the same terms differ by their name.
        let salt = keccak256((self.config.salt, pool.name.as_bytes().to_vec()).abi_encode_packed());
        let config = pool.to_sol(to.underwriting);
        let address = clone::pool_address(to.factory, to.pool_code, self.config.deployer, salt, &config);
        let create = Factory::createPoolCall { config, salt };
        self.call(&format!("make pool {:?}", pool.name), to.factory, &create, Done::Code(address));
        address
    }

    fn grant(&mut self, to: &Deployment, role: u64, account: Address, name: &str) {
        let grant = AccessManager::grantRoleCall { roleId: role, account, executionDelay: 0 };
        let done = has_role(to.access_manager, role, account, true);
        self.call(&format!("give {account} the role of {name}"), to.access_manager, &grant, done);
    }

    fn create(&mut self, name: &str, arguments: &[u8]) -> Result<Address, PlanError> {
        self.create_linked(name, &Libraries::new(), arguments)
    }

    fn create_linked(
        &mut self,
        name: &str,
        libraries: &Libraries,
        arguments: &[u8],
    ) -> Result<Address, PlanError> {
        let init = Artifact::load(name)?.init_code(libraries, arguments)?;
        let salt = self.config.salt;
        let address = proxy::address_of(salt, &init);
        self.steps.push(Step {
            name: format!("create {name}"),
            sender: self.config.deployer,
            to: proxy::PROXY,
            value: U256::ZERO,
            data: proxy::calldata(salt, &init),
            done: Done::Code(address),
        });
        Ok(address)
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

fn has_role(manager: Address, role: u64, account: Address, holds: bool) -> Done {
    // The answer's second word is the execution delay: none.
    answer(manager, &AccessManager::hasRoleCall { roleId: role, account }, (holds, 0_u32).abi_encode())
}

fn answer(to: Address, view: &impl SolCall, expected: Vec<u8>) -> Done {
    Done::Answer { to, data: view.abi_encode().into(), expected: expected.into() }
}

mod council;
mod disputes;
#[cfg(test)]
mod tests;

pub use council::{Governance, IDENTITY_REGISTRAR};
pub use disputes::Disputes;
