//! What must hold after any sequence of operations.

mod invariants;
mod market;
mod random_runs;
