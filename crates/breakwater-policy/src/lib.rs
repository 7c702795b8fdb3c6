//! The protocol's arithmetic: executable specification and twin of the contracts.
