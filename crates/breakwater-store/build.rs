//! Rebuilds when a migration is added; the embedding macro cannot notice a new file by itself.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
