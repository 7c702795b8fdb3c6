//! Checking a deployment from the chain alone: code, wiring, roles, and that no key can move money.
//!
//! The check trusts the committed artifacts and nothing else: each contract's code must be the artifact's, so
//! what the artifact cannot do, the contract cannot do.

mod council;
mod disputes;
mod functions;
mod roles;

use alloy::primitives::{Address, Bytes, Log};
use alloy::sol_types::{SolCall, SolError, SolEvent};

use crate::artifact::{Artifact, ArtifactError};
use crate::contracts::{Catalog, Incidents, Policies, Pool, ProofRung, Wording};
use crate::deploy::{Answer, Chain, Deployment, Disputes, PlanError, clone, plan};

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is as it must be.
    Holds,
    /// It is not as configured, though nothing that users rely on is broken.
    Note,
    /// Something that users rely on does not hold.
    Broken,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it came out.
    pub verdict: Verdict,
    /// What was checked: `addresses`, `code`, `roles`, `timelock`, `functions`, `wiring`, `pools`,
    /// `council`.
    pub check: &'static str,
    /// What was found, in a sentence.
    pub what: String,
}

/// Why a deployment cannot be checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError<E: std::error::Error> {
    /// The chain could not be asked.
    #[error("asking for {what}: {error}")]
    Chain {
        /// What was asked for.
        what: String,
        /// Why there is no answer.
        error: E,
    },
    /// The endpoint is on another chain.
    #[error("the deployment is on chain {expected}, the endpoint on chain {got}")]
    WrongChain {
        /// The deployment's.
        expected: u64,
        /// The endpoint's.
        got: u64,
    },
    /// The configuration in the deployment gives no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An artifact is broken.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
}

/// Checks everything; a deployment is good if no finding is [`Verdict::Broken`].
///
/// # Errors
/// [`VerifyError`] if the chain cannot be asked; what it answers is never an error but a finding.
pub async fn verify<C: Chain>(
    chain: &C,
    deployment: &Deployment,
) -> Result<Vec<Finding>, VerifyError<C::Error>> {
    let got = chain.chain_id().await.map_err(at("the chain id"))?;
    if got != deployment.chain_id {
        return Err(VerifyError::WrongChain { expected: deployment.chain_id, got });
    }
    let mut check = Check { chain, deployment, findings: Vec::new() };
    check.addresses()?;
    check.codes().await?;
    check.wiring().await?;
    check.pools().await?;
    council::check(&mut check).await?;
    disputes::check(&mut check).await?;
    roles::check(&mut check).await?;
    functions::check(&mut check).await?;
    Ok(check.findings)
}

/// What the checks share.
struct Check<'a, C> {
    chain: &'a C,
    deployment: &'a Deployment,
    findings: Vec<Finding>,
}

impl<C: Chain> Check<'_, C> {
    /// The addresses must be those that the configuration gives: so the constructors' arguments are its own.
    fn addresses(&mut self) -> Result<(), VerifyError<C::Error>> {
        let expected = Deployment {
            from_block: self.deployment.from_block,
            ..plan(&self.deployment.config)?.deployment
        };
        let same = &expected == self.deployment;
        self.note("addresses", same, "every address follows from the configuration and the artifacts");
        Ok(())
    }

    async fn codes(&mut self) -> Result<(), VerifyError<C::Error>> {
        let to = self.deployment;
        for (name, address) in [
            (if to.governance.is_some() { "Timelock" } else { "TimelockController" }, to.timelock),
            ("AccessManager", to.access_manager),
            ("EthereumHistory", to.history),
            ("Wording", to.wording),
            ("Catalog", to.catalog),
            ("Incidents", to.incidents),
            ("Policies", to.policies),
            ("Bookings", to.bookings),
            ("PoolDesk", to.pool_desk),
            ("Pool", to.pool_code),
            ("Tranche", to.tranche_code),
            ("Factory", to.factory),
            ("TreatyFactory", to.treaty_factory),
            ("Underwriting", to.underwriting),
            ("Idle", to.idle),
            ("Router", to.router),
        ] {
            self.code(name, address).await?;
        }
        let machines = to.machines().map(|(name, address, _)| (name, address));
        for (name, address) in machines.into_iter().chain(to.disputes.iter().flat_map(Disputes::codes)) {
            self.code(name, address).await?;
        }
        if let Some(desk) = self.ask(to.policies, &Policies::deskCall {}).await? {
            self.code("PolicyDesk", desk).await?;
        }
        if let Some(certificate) = self.ask(to.wording, &Wording::certificateCall {}).await? {
            self.code("Certificate", certificate).await?;
        }
        Ok(())
    }

    /// The code at an address must be the artifact's.
    async fn code(&mut self, name: &str, address: Address) -> Result<bool, VerifyError<C::Error>> {
        let code = self.chain.code(address).await.map_err(at("code"))?;
        let same = Artifact::load(name)?.compare(address, &code, &self.deployment.libraries());
        match &same {
            Ok(()) => self.note("code", true, &format!("{name} at {address} is the artifact's")),
            Err(error) => self.note("code", false, &format!("{name} at {address}: {error}")),
        }
        Ok(same.is_ok())
    }

    async fn wiring(&mut self) -> Result<(), VerifyError<C::Error>> {
        let to = self.deployment;
        let policies = self.ask(to.incidents, &Incidents::policiesCall {}).await?;
        self.note("wiring", policies == Some(to.policies), "Incidents is wired to Policies");

        let logs = self.chain.logs(to.incidents, to.from_block).await.map_err(at("logs"))?;
        let wired: Vec<Incidents::Wired> = events(&logs);
        let (contracts, rungs): (Vec<Address>, Vec<u8>) = to.rungs().into_iter().unzip();
        let only = wired.len() == 1 && wired[0].rungContracts == contracts && wired[0].rungs == rungs;
        let people = if to.disputes.is_some() { ", QuorumRung and Assembly" } else { "" };
        let machines = to.machines().map(|(name, ..)| name).join(", ");
        self.note("wiring", only, &format!("{machines}{people}: no other rung was ever wired"));

        let again = Incidents::wireCall { policies_: to.policies, contracts, rungs };
        self.wired_once("Incidents", to.incidents, &again).await?;

        let factory = self.ask(to.catalog, &Catalog::factoryCall {}).await?;
        let registers = "Catalog is wired to Factory, which alone registers pools";
        self.note("wiring", factory == Some(to.factory), registers);
        self.wired_once("Catalog", to.catalog, &Catalog::wireCall { factory_: to.factory }).await?;

        let pairs = [
            (to.policies, "Policies", self.ask(to.policies, &Policies::catalogCall {}).await?, to.catalog),
            (
                to.policies,
                "Policies",
                self.ask(to.policies, &Policies::incidentsCall {}).await?,
                to.incidents,
            ),
            (
                to.catalog,
                "Catalog",
                self.ask(to.catalog, &Catalog::authorityCall {}).await?,
                to.access_manager,
            ),
            (
                to.incidents,
                "Incidents",
                self.ask(to.incidents, &Incidents::authorityCall {}).await?,
                to.access_manager,
            ),
        ];
        for (_, name, got, expected) in pairs {
            self.note("wiring", got == Some(expected), &format!("{name} knows {expected}"));
        }
        for (name, rung, _) in to.machines() {
            // Every rung has these views, and the same selectors.
            let history = self.ask(rung, &ProofRung::historyCall {}).await?;
            let incidents = self.ask(rung, &ProofRung::incidentsCall {}).await?;
            let knows = (history, incidents) == (Some(to.history), Some(to.incidents));
            self.note("wiring", knows, &format!("{name} knows {} and {}", to.history, to.incidents));
        }
        Ok(())
    }

    /// Both contracts that are wired have the same refusal of a second time.
    async fn wired_once<T: SolCall>(
        &mut self,
        name: &str,
        at: Address,
        again: &T,
    ) -> Result<(), VerifyError<C::Error>> {
        let answer = self.call(self.deployment.timelock, at, again).await?;
        let refused =
            matches!(answer, Answer::Reverted(data) if data.as_ref() == Incidents::AlreadyWired::SELECTOR);
        self.note("wiring", refused, &format!("{name} cannot be wired again, not even by the timelock"));
        Ok(())
    }

    /// Every registered pool, configured or not, must be this system's.
    async fn pools(&mut self) -> Result<(), VerifyError<C::Error>> {
        let to = self.deployment;
        let logs = self.chain.logs(to.catalog, to.from_block).await.map_err(at("logs"))?;
        let registered: Vec<Address> =
            events::<Catalog::PoolRegistered>(&logs).into_iter().map(|event| event.pool).collect();
        for (name, pool) in &to.pools {
            self.note("pools", registered.contains(pool), &format!("pool {name:?} at {pool} is registered"));
        }
        for pool in registered {
            let code = self.chain.code(pool).await.map_err(at("code"))?;
            let ours = clone::is_pool(&code, to.pool_code);
            self.note("code", ours, &format!("the pool at {pool} runs the code of pools"));
            if ours {
                self.pool(pool).await?;
            }
            if !to.pools.values().any(|known| *known == pool) {
                self.findings.push(Finding {
                    verdict: Verdict::Note,
                    check: "pools",
                    what: format!("pool {pool} is registered and not in the configuration"),
                });
            }
        }
        Ok(())
    }

    async fn pool(&mut self, pool: Address) -> Result<(), VerifyError<C::Error>> {
        let to = self.deployment;
        let knows = [
            (self.ask(pool, &Pool::catalogCall {}).await?, to.catalog),
            (self.ask(pool, &Pool::incidentsCall {}).await?, to.incidents),
            (self.ask(pool, &Pool::policiesCall {}).await?, to.policies),
        ];
        let ours = knows.iter().all(|(got, expected)| *got == Some(*expected));
        self.note("pools", ours, &format!("pool {pool} serves this Catalog, Incidents and Policies"));
        for index in 1..=3_u8 {
            let call = Pool::trancheCall { index: alloy::primitives::U256::from(index) };
            if let Some(tranche) = self.ask(pool, &call).await? {
                let code = self.chain.code(tranche).await.map_err(at("code"))?;
                let ours = clone::is_tranche(&code, to.tranche_code, pool, index);
                self.note("code", ours, &format!("tranche {index} of pool {pool} runs the code of tranches"));
            }
        }
        Ok(())
    }

    /// A view's answer; none if it reverts or answers something else, which the next finding tells.
    async fn ask<T: SolCall>(
        &mut self,
        to: Address,
        call: &T,
    ) -> Result<Option<T::Return>, VerifyError<C::Error>> {
        Ok(match self.call(Address::ZERO, to, call).await? {
            Answer::Returned(data) => T::abi_decode_returns_validate(&data).ok(),
            Answer::Reverted(_) => None,
        })
    }

    async fn call<T: SolCall>(
        &self,
        from: Address,
        to: Address,
        call: &T,
    ) -> Result<Answer, VerifyError<C::Error>> {
        self.raw(from, to, call.abi_encode().into()).await
    }

    async fn raw(&self, from: Address, to: Address, data: Bytes) -> Result<Answer, VerifyError<C::Error>> {
        self.chain.call(from, to, data).await.map_err(at("a view"))
    }

    fn note(&mut self, check: &'static str, holds: bool, what: &str) {
        let (verdict, what) = if holds {
            (Verdict::Holds, what.to_owned())
        } else {
            (Verdict::Broken, format!("does not hold: {what}"))
        };
        self.findings.push(Finding { verdict, check, what });
    }
}

/// The events of one kind among logs.
fn events<E: SolEvent>(logs: &[Log]) -> Vec<E> {
    logs.iter().filter_map(|log| E::decode_log(log).ok()).map(|log| log.data).collect()
}

fn at<E: std::error::Error>(what: &str) -> impl FnOnce(E) -> VerifyError<E> {
    let what = what.to_owned();
    |error| VerifyError::Chain { what, error }
}
