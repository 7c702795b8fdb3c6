//! revm over cached RPC state: running views and replaying transactions.
