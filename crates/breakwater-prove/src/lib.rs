//! Gauges, the gauge compiler, and header, account and storage proofs.
//!
//! The key decision: what the contracts decide is decided here by the same rules before anything is sent, and
//! tests run both on the same input.
//! A type that says *proven* ([`proof::AccountProof`], [`block::BlockProof`]) can only be made by verifying.
//!
//! | module | subject |
//! |---|---|
//! | [`gauge`] | what a gauge is, its id, and what it reads |
//! | [`compiler`] | finding a gauge for a contract |
//! | [`header`], [`trie`], [`rlp`] | reading what the chain hashed, strictly |
//! | [`proof`], [`block`] | `eth_getProof` answers, verified; whole blocks of them |
//! | [`receipts`] | the walk to one receipt of a block |
//! | [`packed`], [`evidence`] | what the proof rung is sent, and reading it back |
//! | [`document`] | `evidence/1`, which signed reports name by its hash |
//!
//! Words become a reading without any chain:
//!
//! ```
//! use alloy::primitives::{B256, U256};
//! use breakwater_prove::gauge::{AccountWords, GaugeSpec, Words};
//!
//! let spec: GaugeSpec = serde_json::from_str(
//!     r#"{
//!         "chainId": "1", "form": "par", "asset": "0x0000000000000000000000000000000000000000",
//!         "threshold": "50000000000000000", "growth": "0", "pinnedAt": "0", "floor": "1",
//!         "assets0": "0", "shares0": "0",
//!         "accounts": [{
//!             "account": "0x1111111111111111111111111111111111111111",
//!             "codeHash": "0x2222222222222222222222222222222222222222222222222222222222222222"
//!         }],
//!         "pins": [],
//!         "terms": [
//!             {"account": 0, "side": "assetAdd", "native": true, "scale": "1"},
//!             {"account": 0, "side": "claimAdd", "width": 256, "scale": "1"}
//!         ],
//!         "holding": {
//!             "account": 0, "width": 256, "scale": "1",
//!             "base": "0x0000000000000000000000000000000000000000000000000000000000000001"
//!         }
//!     }"#,
//! )?;
//! spec.validate()?;
//! let bank = AccountWords {
//!     code_hash: B256::repeat_byte(0x22),
//!     balance: U256::from(90),
//!     slots: vec![U256::from(100)],
//! };
//! let words = Words { number: 5, time: 60, accounts: vec![bank] };
//! let reading = spec.read(&words, &[])?;
//! assert_eq!((reading.assets, reading.claims), (90, 100));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod block;
pub mod compiler;
pub mod document;
pub mod evidence;
pub mod gauge;
pub mod header;
pub mod packed;
pub mod proof;
pub mod receipts;
pub mod rlp;
pub mod trie;
