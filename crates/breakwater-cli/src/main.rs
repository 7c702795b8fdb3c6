//! The breakwater command.
fn main() {}
