//! The protocol's arithmetic: executable specification and twin of the contracts.
//!
//! The key decision: the whole settlement layer is one value, [`World`], and each entry point of the contracts is one
//! method that either answers what it did or refuses and changes nothing.
//! There is no clock, chain, network or randomness here: time, block and caller come in with each call.
//! docs/design.md is the text; this crate, the contracts and the tests that compare them are its three readers.
//!
//! Amounts in `u128` are units of a pool's asset (or of a gauge, where the field says so), `U256` are shares, rates or
//! products of both.
//! Every quotient names its direction.
//!
//! | module | subject |
//! |---|---|
//! | [`measure`] | what was lost, from readings |
//! | [`due`] | what a loss makes due |
//! | [`price`], [`sale`], [`router`] | what cover costs |
//! | [`underwriting`], [`certificates`], [`buckets`] | what may be sold at all |
//! | [`vault`] | what idle capital counts for |
//! | [`stream`], [`exposure`], [`trace`] | what time does |
//! | [`waterfall`], [`booking`], [`pay`] | who bears a loss, and how it is paid |
//! | [`holder`] | splitting, renewing, several products under one sum |
//! | [`shares`], [`tranche`], [`deposit`], [`redeem`], [`recovery`] | capital coming, leaving and coming back |
//! | [`treaty`], [`ceding`], [`reinsurance`] | losses that others bear |
//! | [`signal`] | what holders of votes say of a rate |
//! | [`incident`], [`ladder`], [`registry`], [`policies`], [`settle`], [`curator`] | who may do what, when |
//! | `ops` (a feature) | random operations for property tests |
//! | [`events`], [`replay`], [`words`], [`wording`] | what the outside sees |

pub mod booking;
pub mod buckets;
pub mod ceding;
pub mod certificates;
pub mod context;
pub mod curator;
pub mod deposit;
pub mod due;
pub mod events;
pub mod exposure;
pub mod holder;
pub mod incident;
pub mod ladder;
pub mod ledger;
pub mod measure;
#[cfg(any(test, feature = "ops"))]
pub mod ops;
pub mod pay;
pub mod policies;
pub mod pool;
pub mod price;
pub mod recovery;
pub mod redeem;
pub mod refusal;
pub mod registry;
pub mod reinsurance;
pub mod replay;
pub mod router;
pub mod sale;
pub mod settle;
pub mod shares;
pub mod signal;
pub mod stream;
pub mod terms;
pub mod trace;
pub mod tranche;
pub mod treaty;
pub mod underwriting;
pub mod vault;
pub mod waterfall;
pub mod wording;
pub mod words;
pub mod world;

#[cfg(test)]
mod properties;

pub use context::{Context, Effects};
pub use events::{Event, Log};
pub use refusal::Refusal;
pub use world::{Deployment, World};
