//! The contracts that the keeper reads and calls.

use alloy::primitives::Address;

/// Addresses of one deployment. Pools are learnt from the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contracts {
    /// Gauges, products, pools.
    pub catalog: Address,
    /// Incidents and the registry of positions.
    pub incidents: Address,
    /// Policies.
    pub policies: Address,
    /// Losses from proofs.
    pub proof_rung: Address,
    /// `EthereumHistory`, which keeps block hashes.
    pub history: Address,
    /// Rungs on triggers: feeds, series, watched oracles, canaries.
    pub machines: Vec<Address>,
    /// Losses that reporters sign for, where there are any.
    pub quorum: Option<QuorumContracts>,
    /// The first block of the deployment's logs.
    pub from_block: u64,
    /// The first block whose traffic tells the holders of enumerated gauges.
    pub traffic_from: u64,
}

/// Where reports of the quorum go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumContracts {
    /// `QuorumRung`.
    pub rung: Address,
    /// `Reporters`.
    pub reporters: Address,
    /// `Assembly`.
    pub assembly: Address,
}

impl Contracts {
    /// Those whose logs the keeper reads.
    pub(crate) fn emitters(&self) -> Vec<Address> {
        let fixed = [self.catalog, self.incidents, self.policies, self.proof_rung];
        let quorum = self.quorum.iter().flat_map(|quorum| [quorum.rung, quorum.assembly]);
        fixed.into_iter().chain(quorum).chain(self.machines.iter().copied()).collect()
    }
}
