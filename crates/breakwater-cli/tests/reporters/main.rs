//! Three reporters and a keeper as processes beside one chain.
//!
//! What no proof decides: a bank is drained after a word that its gauge pins has changed, or after its code has.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod by_hand;
mod kills;
mod objections;
#[path = "../support/mod.rs"]
mod support;
mod town;
mod watching;
