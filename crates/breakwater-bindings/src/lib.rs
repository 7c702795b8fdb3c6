//! Contract types from the committed artifacts, deployment and addresses.

pub mod gauges;
