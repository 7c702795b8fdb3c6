//! Contract types from the committed artifacts, deployment and addresses.
//!
//! The key decision: everything is read from `contracts/artifacts`, which `cargo xtask artifacts` writes, so a
//! build needs no Solidity compiler and no ABI is written twice.
//! This crate knows no endpoint: deployment and its check are handed a [`deploy::Chain`].

pub mod artifact;
pub mod contracts;
pub mod decimal;
pub mod demo;
pub mod deploy;
pub mod eip712;
pub mod errors;
pub mod events;
pub mod gauges;
pub mod triggers;
pub mod verify;

pub use contracts::{
    AccessManager, Assembly, Breaker, BreakwaterToken, Catalog, Certificate, Council, EthereumHistory,
    Factory, Identities, Incidents, Policies, PolicyDesk, Pool, PoolDesk, ProofRung, QuorumRung, Reporters,
    Router, Signal, Timelock, TimelockController, Tranche, Treaty, TreatyFactory, Underwriting, Wording,
};
pub use deploy::{Config, Deployment, PoolConfig};
