//! Messages that are signed off chain, from `contracts/src/libraries/Eip712Types.sol`.
//!
//! `docs/interfaces.md` describes each field; `vectors/eip712.json` pins names, order, types and hashes.

use alloy::primitives::{Address, B256, Signature, U256, keccak256};
use alloy::sol_types::{Eip712Domain, SolStruct, SolValue};

pub use generated::{
    BreakerTrip, Cap, CapacityCertificate, LossReport, PositionConsent, PositionsReport, RatePosting,
    RenewalOrder,
};

/// Name of the domain.
pub const NAME: &str = "Breakwater";
/// Version of the domain.
pub const VERSION: &str = "1";

mod generated {
    // The macro writes one item for each Solidity item; the documentation is in the Solidity file.
    #![allow(missing_docs)]
    alloy::sol! {
        #![sol(all_derives = true, extra_derives(serde::Serialize, serde::Deserialize))]
        "../../contracts/src/libraries/Eip712Types.sol"
    }
}

/// Why a signature counts for nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not 65 bytes of r, s and a recovery id.
    #[error("not a signature: {0}")]
    Malformed(String),
    /// The other of the two signatures that exist for every signed message; contracts refuse it.
    #[error("the signature's s is in the upper half of the curve's order")]
    HighS,
    /// No key can have signed so.
    #[error("no signer can be recovered: {0}")]
    Unrecoverable(String),
}

/// The domain of messages for one contract on one chain.
pub fn domain(chain_id: u64, verifying_contract: Address) -> Eip712Domain {
    Eip712Domain::new(
        Some(NAME.into()),
        Some(VERSION.into()),
        Some(U256::from(chain_id)),
        Some(verifying_contract),
        None,
    )
}

/// What is signed: keccak256(0x1901, domain separator, struct hash).
pub fn digest<T: SolStruct>(message: &T, chain_id: u64, verifying_contract: Address) -> B256 {
    message.eip712_signing_hash(&domain(chain_id, verifying_contract))
}

/// Who signed the digest, from 65 bytes r, s, v with v 27 or 28.
///
/// # Errors
/// [`SignatureError`]; a contract that checks signatures refuses the same.
pub fn recover(digest: B256, signature: &[u8]) -> Result<Address, SignatureError> {
    // The parser would also take recovery ids 0 and 1, which contracts do not.
    let v = signature.get(64).copied();
    if signature.len() != 65 || !matches!(v, Some(27 | 28)) {
        let got =
            format!("expected 65 bytes that end with 27 or 28, got {} that end with {v:?}", signature.len());
        return Err(SignatureError::Malformed(got));
    }
    let signature =
        Signature::from_raw(signature).map_err(|error| SignatureError::Malformed(error.to_string()))?;
    if signature.normalize_s().is_some() {
        return Err(SignatureError::HighS);
    }
    signature
        .recover_address_from_prehash(&digest)
        .map_err(|error| SignatureError::Unrecoverable(error.to_string()))
}

/// What `signerSet` names: `quorum` of `signers`, who must be strictly ascending.
pub fn signer_set(quorum: U256, signers: &[Address]) -> B256 {
    keccak256((quorum, signers.to_vec()).abi_encode_params())
}

/// One leaf of the tree under [`PositionsReport::root`]: what `account` lost and what its position was worth at the
/// onset, both in gauge units. Pairs above it are hashed in ascending order, as OpenZeppelin's `MerkleProof` reads them.
pub fn position_leaf(account: Address, lost: u128, value: u128) -> B256 {
    keccak256(keccak256((account, lost, value).abi_encode_params()))
}
