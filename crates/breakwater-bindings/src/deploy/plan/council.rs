//! The council's part of a plan: votes, council with its own timelock, identities and signals.

use alloy::primitives::{Address, U256, aliases::U48};
use alloy::sol_types::{SolCall, SolConstructor, SolValue};
use serde::{Deserialize, Serialize};

use super::{Deployment, LISTER, PlanError, Steps, answer};
use crate::contracts::{AccessManager, BreakwaterToken, Council, Identities, Signal, TimelockController};

/// Role that may add and remove identities.
pub const IDENTITY_REGISTRAR: u64 = 3;

/// Where the council's contracts stand; its timelock is the deployment's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Governance {
    /// `BreakwaterToken`.
    pub token: Address,
    /// `Council`.
    pub council: Address,
    /// `Identities`.
    pub identities: Address,
    /// `Signal`.
    pub signal: Address,
}

impl Steps<'_> {
    /// The timelock; with a council, one that the council makes and that serves it alone.
    pub(super) fn timelock(&mut self) -> Result<(Address, Option<Governance>), PlanError> {
        let config = self.config;
        let Some(council) = &config.council else {
            let timelock = TimelockController::constructorCall {
                minDelay: U256::from(config.timelock.min_delay_s),
                proposers: config.timelock.proposers.clone(),
                executors: config.timelock.executors.clone(),
                // The timelock administers itself from the start.
                admin: Address::ZERO,
            };
            return Ok((self.create("TimelockController", &timelock.abi_encode())?, None));
        };
        let token = BreakwaterToken::constructorCall { holder: council.holder };
        let token = self.create("BreakwaterToken", &token.abi_encode())?;
        let terms = Council::Terms {
            votingDelay: U48::from(council.voting_delay_s),
            votingPeriod: council.voting_period_s,
            extension: U48::from(council.extension_s),
            threshold: U256::from(council.threshold),
            quorumPercent: U256::from(council.quorum_percent),
            delay: U256::from(config.timelock.min_delay_s),
            guardian: council.guardian,
        };
        let made = Council::constructorCall { votes: token, terms };
        let address = self.create("Council", &made.abi_encode())?;
        // A contract's nonces begin at 1, and its timelock is the first that it creates.
        let timelock = address.create(1);
        let governance =
            Governance { token, council: address, identities: Address::ZERO, signal: Address::ZERO };
        Ok((timelock, Some(governance)))
    }

    /// Identities and signals, which know the catalog.
    pub(super) fn signals(&mut self, to: &mut Deployment) -> Result<(), PlanError> {
        let (manager, catalog) = (to.access_manager, to.catalog);
        let Some(governance) = &mut to.governance else { return Ok(()) };
        let identities = Identities::constructorCall { authority: manager };
        governance.identities = self.create("Identities", &identities.abi_encode())?;
        let signal = Signal::constructorCall {
            authority: manager,
            catalog_: catalog,
            token_: governance.token,
            identities_: governance.identities,
        };
        governance.signal = self.create("Signal", &signal.abi_encode())?;
        Ok(())
    }

    /// The council lists through its timelock, and somebody keeps identities.
    pub(super) fn council_roles(&mut self, to: &Deployment) {
        let (Some(governance), Some(config)) = (&to.governance, &self.config.council) else { return };
        let registrar = config.identity_registrar;
        let selectors = [Identities::addCall::SELECTOR.into(), Identities::removeCall::SELECTOR.into()];
        for selector in selectors {
            let set = AccessManager::setTargetFunctionRoleCall {
                target: governance.identities,
                selectors: vec![selector],
                roleId: IDENTITY_REGISTRAR,
            };
            let get = AccessManager::getTargetFunctionRoleCall { target: governance.identities, selector };
            let done = answer(to.access_manager, &get, IDENTITY_REGISTRAR.abi_encode());
            self.call("open the identity registrar's function to its role", to.access_manager, &set, done);
        }
        self.grant(to, IDENTITY_REGISTRAR, registrar, "identity registrar");
        self.grant(to, LISTER, to.timelock, "lister, for the council,");
    }
}
