//! The analyst's questions, answered from simulated years: who causes the capital, what a cover must cost, what breaks
//! the pool, how much it may write, how many years are enough.
//!
//! Each answer is a pure function of a model and of [`Years`]: years of an engine kept with their claims, so that a
//! product, a cluster or a treaty can be taken out of the very same years. What two answers share of chance cancels.

pub mod allocate;
pub mod capacity;
pub mod converge;
pub mod price;
pub mod programme;
pub mod require;
pub mod reverse;
pub mod scenario;
pub mod stress;
pub mod years;

pub(crate) mod parallel;
mod tail;

pub use years::Years;
