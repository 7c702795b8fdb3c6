//! RPC with cross-checked endpoints, block following through reorganisations, sending transactions.
