//! Gauges, the gauge compiler, and header, account and storage proofs.

pub mod gauge;
