//! Deployment: which transactions bring Breakwater onto a chain, and sending those that are missing.
//!
//! Every contract is created by the deterministic deployment proxy with CREATE2, so its address follows from
//! the configuration alone, and running a plan again does only what is not yet done.
//! The road not taken is deploying from nonces: one failed transaction would move every later address.

pub(crate) mod clone;
mod config;
mod plan;
mod proxy;
mod run;

pub use config::{Ceiling, Config, ConfigError, CouncilConfig, DisputesConfig, PoolConfig, TimelockConfig};
pub use plan::{
    Deployment, Disputes, Done, Governance, IDENTITY_REGISTRAR, LISTER, Plan, PlanError, Step, plan,
};
pub use proxy::{PRESIGNED, PRESIGNED_COST_WEI, PROXY, PROXY_CODE, PROXY_SIGNER};
pub use run::{Answer, Chain, Deployer, Progress, RunError, run};
