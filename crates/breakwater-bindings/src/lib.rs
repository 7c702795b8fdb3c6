//! Contract types from the committed artifacts, deployment and addresses.

pub mod eip712;
pub mod gauges;
