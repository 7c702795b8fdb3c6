//! Running the EVM over somebody else's state.
//!
//! A [`View`] is the state after one block, pinned by hash. Calls run on it as `eth_call` would run
//! them, but here every word they read is seen and any word can be replaced, which is how the gauge
//! compiler learns what a view's answer is made of. [`replay_block`] runs a block's own
//! transactions again and tells what they did.
//!
//! The EVM reads state synchronously while sources are asynchronous, so a read parks its thread.
//! **Use a multi-threaded tokio runtime** and call from `spawn_blocking` (or [`off_thread`]) when
//! the source is remote. The road not taken is an asynchronous EVM: it would put a stack switch on
//! every storage read, most of which the cache answers at once.
//!
//! State that a source does not have is an error, never a zero.

mod cache;
mod db;
mod error;
mod memory;
mod recorder;
mod replay;
mod rpc;
mod rules;
mod source;
mod trace;
mod view;

pub use cache::{
    AHEAD_READS_MAX, CACHED_BLOCKS_MAX, CACHED_CODES_MAX, CACHED_READS_PER_BLOCK_MAX, REMEMBERED_CALLS_MAX,
    Reader,
};
pub use error::{EvmError, SourceError};
pub use memory::{MemorySource, MemoryState};
pub use replay::{BLOCK_TRANSACTIONS_MAX, BlockReplay, TxReplay, replay_block, replay_tx};
pub use revm::primitives::hardfork::SpecId;
pub use rpc::{BATCH_REQUESTS_MAX, RpcSource};
pub use rules::{MAINNET, Rules};
pub use source::{
    Answer, BlockHead, BlockRef, Got, Receipt, SourceAccount, SourceBlock, SourceTransaction, StateSource,
    Want,
};
pub use trace::{
    Access, Entry, FRAME_BYTES_MAX, Frame, FrameKind, PREIMAGE_BYTES_MAX, TRACE_ENTRIES_MAX, TRANSFER_TOPIC,
    Trace, Transfer, token_transfer,
};
pub use view::{AccountChange, CALL_GAS, CallOutcome, CallRequest, Changes, Ending, Fork, Overrides, View};

/// Runs blocking work (views, replays) on a thread where blocking is allowed.
///
/// # Errors
/// [`EvmError::Worker`] when the work panicked or the runtime is shutting down.
pub async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, EvmError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| EvmError::Worker { detail: error.to_string() })
}
