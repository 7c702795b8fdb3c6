//! The capital engine: how much a pool must hold, and what each cover costs it.
//!
//! A [`Portfolio`] says what can go wrong, how large it gets, what depends on what, and who bears it.
//! The crate is pure: the same portfolio, options and seed give the same digits on every machine, at any number of
//! threads and in any number of processes.
//! It knows no clock, file, network or randomness but the seed it is handed.
//!
//! Amounts are `f64` in the portfolio's own unit, for they are expectations of a model and not money; what leaves for
//! a contract is rounded to integers where it leaves.

pub mod agents;
pub mod alias;
pub mod analysis;
pub mod engine;
pub mod exact;
pub mod example;
pub mod fault;
pub mod flat;
pub mod histogram;
pub mod joint;
pub mod measure;
pub mod method;
pub mod model;
pub mod outcome;
pub mod portfolio;
pub mod quantiles;
pub mod rng;
pub mod sample;
pub mod severity;
pub mod simulate;
pub mod special;
pub mod tail;
pub mod tilt;
pub mod timeline;
pub mod years;

pub use fault::Fault;
pub use method::Method;
pub use model::Model;
pub use outcome::{Options, Outcome, evaluate};
pub use portfolio::Portfolio;
