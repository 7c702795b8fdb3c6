//! Gauges, the gauge compiler, and header, account and storage proofs.

pub mod block;
pub mod compiler;
pub mod document;
pub mod evidence;
pub mod gauge;
pub mod header;
pub mod packed;
pub mod proof;
pub mod rlp;
pub mod trie;
