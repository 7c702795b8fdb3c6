//! The gauge's own types, from `contracts/src/interfaces/IGauges.sol`.
//!
//! They come from the source file because an artifact keeps enums only as numbers.
// The macro writes one item for each Solidity item; the documentation is in the Solidity file.
#![allow(missing_docs, clippy::too_many_arguments)]

use alloy::sol;

sol! {
    #![sol(all_derives = true)]
    "../../contracts/src/interfaces/IGauges.sol"
}
