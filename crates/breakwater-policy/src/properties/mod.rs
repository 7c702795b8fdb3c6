//! What must hold after any sequence of operations.

mod capital;
mod cover;
mod edges;
mod invariants;
mod lane;
mod life;
mod market;
mod measure;
mod price;
mod random_runs;
mod stage;
mod treaty;
