//! The keeper on a local chain, driven block by block, with a journal that goes with it.

use std::path::Path;
use std::sync::Arc;

use alloy::primitives::Address;
use breakwater_bindings::Deployment;
use breakwater_chain::{Endpoints, SendOptions, Sender};
use breakwater_evm::{EvmError, Reader, RpcSource, Rules};
use breakwater_node::{
    Contracts, DeskParts, Keeper, KeeperParts, QuorumContracts, ReporterParts, Standing, TickReport,
};
use breakwater_store::{Identity, Store};

use crate::local::{Actor, Local};
use crate::market::{DWELL, Market};
use crate::trouble::Trouble;

/// The rungs on triggers.
pub(crate) fn machines(deployment: &Deployment) -> Vec<Address> {
    vec![deployment.feed_rung, deployment.series_rung, deployment.oracle_rung, deployment.canary_rung]
}

/// How often a tick is tried again when its error may heal.
const RETRIES_MAX: u32 = 3;

/// A keeper with its journal in a folder of its own.
pub(crate) struct LocalKeeper {
    keeper: Keeper,
    _journal: Option<tempfile::TempDir>,
}

impl LocalKeeper {
    /// Begins at the market's deployment.
    pub(crate) async fn start(local: &Local, market: &Market) -> Result<Self, Trouble> {
        Self::start_as(local, market, &market.cast.keeper, None).await
    }

    /// Another node beside the keeper: it carries what reporters leave in the desk's directory, and signs there
    /// itself if it is one of them.
    pub(crate) async fn start_as(
        local: &Local,
        market: &Market,
        actor: &Actor,
        desk: Option<DeskParts>,
    ) -> Result<Self, Trouble> {
        let journal = tempfile::tempdir()?;
        let file = journal.path().join("keeper.sqlite");
        let keeper = Self::open_as(local, market, (actor, desk), &file, local.endpoints()).await?;
        Ok(Self { _journal: Some(journal), ..keeper })
    }

    /// Resumes a journal that the caller keeps, or begins it.
    #[cfg(test)]
    pub(crate) async fn open(
        local: &Local,
        market: &Market,
        journal: &Path,
        endpoints: &Endpoints,
    ) -> Result<Self, Trouble> {
        Self::open_as(local, market, (&market.cast.keeper, None), journal, endpoints).await
    }

    async fn open_as(
        local: &Local,
        market: &Market,
        (actor, desk): (&Actor, Option<DeskParts>),
        journal: &Path,
        endpoints: &Endpoints,
    ) -> Result<Self, Trouble> {
        let endpoints = endpoints.clone();
        let genesis = endpoints.head_at(0, None).await?;
        let identity = Identity {
            chain_id: local.chain_id(),
            genesis: genesis.hash(),
            deployment: market.deployment.incidents,
        };
        let store = Arc::new(Store::open(journal, identity).await?);
        let options = SendOptions { confirmations: 2, ..SendOptions::default() };
        let key = actor.key.clone();
        let sender = Sender::new(endpoints.clone(), store.clone(), key, options).await?;
        let source = RpcSource::http(local.url().as_str()).map_err(EvmError::from)?;
        let parts = KeeperParts {
            endpoints,
            reader: Reader::new(Arc::new(source)),
            rules: Rules::Auto,
            deployment: Contracts {
                catalog: market.deployment.catalog,
                incidents: market.deployment.incidents,
                policies: market.deployment.policies,
                proof_rung: market.deployment.proof_rung,
                history: market.deployment.history,
                machines: machines(&market.deployment),
                quorum: market.deployment.disputes.as_ref().map(|disputes| QuorumContracts {
                    rung: disputes.quorum_rung,
                    reporters: disputes.reporters,
                    assembly: disputes.assembly,
                }),
                from_block: market.deployment.from_block,
                traffic_from: market.deployment.from_block,
            },
            dwell: DWELL,
            store,
            sender,
            desk,
        };
        Ok(Self { keeper: Keeper::new(parts).await?, _journal: None })
    }

    /// Handles what is new on the chain; a busy machine gets a few chances.
    pub(crate) async fn tick(&mut self) -> Result<TickReport, Trouble> {
        let mut failed = 0;
        loop {
            match self.keeper.tick().await {
                Err(error) if error.is_transient() && failed < RETRIES_MAX => failed += 1,
                outcome => return Ok(outcome?),
            }
        }
    }

    /// How a reporter on this chain takes part in the quorum: it signs two blocks after a reading.
    pub(crate) fn desk(signatures: &Path, reporter: Option<&Actor>) -> DeskParts {
        let reporter = reporter.map(|actor| ReporterParts {
            key: actor.key.clone(),
            sign_after: 2,
            refusals: None,
            challenge: false,
        });
        DeskParts { signatures: signatures.to_owned(), reporter }
    }

    /// Whether an incident dwells.
    pub(crate) fn dwells(&self) -> bool {
        self.keeper.incidents().any(|(_, incident)| incident.standing == Standing::Dwelling)
    }
}
