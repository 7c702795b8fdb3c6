//! Set-up, demo, tests, snapshots and generated files.
fn main() {}
