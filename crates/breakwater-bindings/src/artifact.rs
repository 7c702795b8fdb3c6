//! Code of the committed artifacts: linked for creation, and compared with what stands on a chain.

use std::collections::BTreeMap;

use alloy::json_abi::JsonAbi;
use alloy::primitives::{Address, Bytes, hex};
use serde::Deserialize;

/// Compiled contracts by name.
macro_rules! artifacts {
    ($($name:literal),+) => {
        const FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../contracts/artifacts/", $name, ".json")))),+];
    };
}

artifacts!(
    "AccessManager",
    "Assembly",
    "Bookings",
    "Breaker",
    "BreakwaterToken",
    "CanaryRung",
    "Catalog",
    "Certificate",
    "Council",
    "EthereumHistory",
    "Factory",
    "FeedRung",
    "Identities",
    "Idle",
    "Incidents",
    "ListGate",
    "OracleRung",
    "Policies",
    "PolicyDesk",
    "Pool",
    "PoolDesk",
    "ProofRung",
    "QuorumRung",
    "Reporters",
    "Router",
    "SeriesRung",
    "Signal",
    "Timelock",
    "TimelockController",
    "Tranche",
    "TreatyFactory",
    "Underwriting",
    "Wording"
);

/// Names of the contracts that are deployed, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// Addresses of linked libraries by name.
pub type Libraries = BTreeMap<String, Address>;

/// Why there is no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// No such contract is deployed.
    #[error("no artifact {0:?}")]
    Unknown(String),
    /// The committed file is broken.
    #[error("artifact {name}: {reason}")]
    Malformed {
        /// The contract.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The code needs a library whose address was not given.
    #[error("{name} needs the address of library {library}")]
    Unlinked {
        /// The contract.
        name: String,
        /// The library.
        library: String,
    },
}

/// Where code on a chain is not that of the artifact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeMismatch {
    /// The artifact itself cannot be used.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// Another length; 0: no code at all.
    #[error("expected {expected} bytes of code, got {got}")]
    Length {
        /// The artifact's.
        expected: usize,
        /// The chain's.
        got: usize,
    },
    /// Another byte, outside of immutables.
    #[error("code differs at byte {at}: expected {expected:#04x}, got {got:#04x}")]
    Byte {
        /// Position, from 0.
        at: usize,
        /// The artifact's.
        expected: u8,
        /// The chain's.
        got: u8,
    },
}

/// One compiled contract.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    contract_name: String,
    abi: JsonAbi,
    bytecode: String,
    deployed_bytecode: String,
    immutable_references: Vec<Span>,
    link_references: Option<Links>,
    deployed_link_references: Option<Links>,
}

/// File to library to places.
type Links = BTreeMap<String, BTreeMap<String, Vec<Span>>>;

#[derive(Clone, Copy, Debug, Deserialize)]
struct Span {
    start: usize,
    length: usize,
}

impl Artifact {
    /// The artifact of a contract that is deployed.
    ///
    /// # Errors
    /// [`ArtifactError::Unknown`], [`ArtifactError::Malformed`].
    pub fn load(name: &str) -> Result<Self, ArtifactError> {
        let (_, text) = FILES
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| ArtifactError::Unknown(name.to_owned()))?;
        serde_json::from_str(text)
            .map_err(|error| ArtifactError::Malformed { name: name.to_owned(), reason: error.to_string() })
    }

    /// The contract's interface.
    pub fn abi(&self) -> &JsonAbi {
        &self.abi
    }

    /// Creation code with its libraries' addresses and its constructor's arguments.
    ///
    /// # Errors
    /// [`ArtifactError::Unlinked`], [`ArtifactError::Malformed`].
    pub fn init_code(&self, libraries: &Libraries, arguments: &[u8]) -> Result<Bytes, ArtifactError> {
        let mut code = self.linked(&self.bytecode, self.link_references.as_ref(), libraries)?;
        code.extend_from_slice(arguments);
        Ok(code.into())
    }

    /// Compares the code of the contract at `at`; the places of immutables may hold anything.
    ///
    /// # Errors
    /// [`CodeMismatch`] naming the first difference.
    pub fn compare(&self, at: Address, code: &[u8], libraries: &Libraries) -> Result<(), CodeMismatch> {
        let mut expected =
            self.linked(&self.deployed_bytecode, self.deployed_link_references.as_ref(), libraries)?;
        if expected.len() != code.len() {
            return Err(CodeMismatch::Length { expected: expected.len(), got: code.len() });
        }
        // A library begins with PUSH20 of its own address, by which it refuses to be called directly.
        if expected.first() == Some(&0x73) && expected.get(1..21) == Some(&[0; 20]) {
            expected[1..21].copy_from_slice(at.as_slice());
        }
        let mut free = vec![false; code.len()];
        for span in &self.immutable_references {
            let end = span.start.saturating_add(span.length).min(free.len());
            free.get_mut(span.start..end).into_iter().flatten().for_each(|free| *free = true);
        }
        let differs = |at: &usize| !free[*at] && expected[*at] != code[*at];
        match (0..code.len()).find(differs) {
            Some(at) => Err(CodeMismatch::Byte { at, expected: expected[at], got: code[at] }),
            None => Ok(()),
        }
    }

    fn linked(
        &self,
        text: &str,
        links: Option<&Links>,
        libraries: &Libraries,
    ) -> Result<Vec<u8>, ArtifactError> {
        let malformed =
            |reason: String| ArtifactError::Malformed { name: self.contract_name.clone(), reason };
        // Places that wait for an address are not hex, so they are filled before anything is decoded.
        let mut text = text.strip_prefix("0x").unwrap_or(text).to_owned();
        for (library, spans) in links.into_iter().flat_map(BTreeMap::values).flatten() {
            let address = libraries.get(library).ok_or_else(|| ArtifactError::Unlinked {
                name: self.contract_name.clone(),
                library: library.clone(),
            })?;
            for span in spans {
                let range = 2 * span.start..2 * span.start.saturating_add(span.length);
                if span.length != 20 || text.get(range.clone()).is_none() {
                    return Err(malformed(format!("{library} cannot be linked at byte {}", span.start)));
                }
                text.replace_range(range, &hex::encode(address));
            }
        }
        hex::decode(text).map_err(|error| malformed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_artifact_is_whole() {
        for (name, _) in FILES {
            let artifact = Artifact::load(name).unwrap();
            let libraries = Libraries::from(
                ["Bookings", "Idle"].map(|name| (name.to_owned(), Address::repeat_byte(0xb0))),
            );
            let init = artifact.init_code(&libraries, &[]).unwrap();
            assert!(init.len() > 100, "{name}");
            let code = hex::decode(artifact.deployed_bytecode.replace(|c| !char::is_ascii_hexdigit(&c), "0"));
            assert!(code.is_ok(), "{name}");
        }
        assert_eq!(Artifact::load("Nothing").unwrap_err(), ArtifactError::Unknown("Nothing".to_owned()));
    }

    #[test]
    fn a_pool_is_linked_before_it_is_used() {
        let pool = Artifact::load("Pool").unwrap();
        let error = pool.init_code(&Libraries::new(), &[]).unwrap_err();
        assert_eq!(
            error,
            ArtifactError::Unlinked { name: "Pool".to_owned(), library: "Bookings".to_owned() }
        );
        let at = Address::repeat_byte(0xb0);
        let libraries = Libraries::from(["Bookings", "Idle"].map(|name| (name.to_owned(), at)));
        let init = pool.init_code(&libraries, &[1, 2]).unwrap();
        assert!(init.ends_with(&[1, 2]));
        assert!(init.windows(20).any(|window| window == at.as_slice()));
    }

    #[test]
    fn one_changed_byte_is_found_and_immutables_are_not() {
        let catalog = Artifact::load("Catalog").unwrap();
        let at = Address::repeat_byte(1);
        let mut code = catalog.linked(&catalog.deployed_bytecode, None, &Libraries::new()).unwrap();
        assert_eq!(catalog.compare(at, &code, &Libraries::new()), Ok(()));
        let span = catalog.immutable_references[0];
        code[span.start] ^= 1;
        assert_eq!(catalog.compare(at, &code, &Libraries::new()), Ok(()));
        code[7] ^= 1;
        assert!(matches!(
            catalog.compare(at, &code, &Libraries::new()),
            Err(CodeMismatch::Byte { at: 7, .. })
        ));
        assert!(matches!(
            catalog.compare(at, &[], &Libraries::new()),
            Err(CodeMismatch::Length { got: 0, .. })
        ));
    }
}
