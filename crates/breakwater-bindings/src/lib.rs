//! Contract types from the committed artifacts, deployment and addresses.

pub mod contracts;
pub mod eip712;
pub mod gauges;
