//! The proof of one block: its header, and accounts and words that are proven under its state root.

use std::collections::BTreeMap;

use crate::gauge::{AccountReads, AccountWords, GaugeSpec, ReadError, Reading, Words};
use crate::header::{Header, HeaderError};
use crate::packed::{PackedError, Packer};
use crate::proof::{AccountProof, ProofError};
use alloy::primitives::{Address, B256, Bytes};
use breakwater_chain::{ChainError, Endpoints, Head, Lie, Rejection};

/// Slots in one request: some nodes refuse more than a thousand.
pub const SLOTS_PER_REQUEST: usize = 256;

/// A header with proven accounts and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockProof {
    header: Header,
    rlp: Bytes,
    accounts: BTreeMap<Address, AccountProof>,
}

/// Why a block proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// No endpoint gave a good answer; each is named with what it did.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The contracts would not take the header.
    #[error("block {number}: {error}")]
    Header {
        /// The block.
        number: u64,
        /// What is wrong with it.
        error: HeaderError,
    },
    /// Parts that do not belong together, or a word that is not proven here.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The walks do not fit into evidence.
    #[error(transparent)]
    Packed(#[from] PackedError),
    /// The gauge cannot be read in this block.
    #[error("block {number}: {error}")]
    Read {
        /// The block.
        number: u64,
        /// Why not.
        error: Box<ReadError>,
    },
}

impl BlockProof {
    /// Puts a header and accounts that are proven under its state root together.
    ///
    /// # Errors
    /// [`BlockError::Header`], or [`BlockError::Proof`] if an account was proven under another root.
    pub fn new(head: &Head, accounts: Vec<AccountProof>) -> Result<Self, BlockError> {
        let header =
            Header::parse(head.rlp()).map_err(|error| BlockError::Header { number: head.number(), error })?;
        let mut block = Self { header, rlp: head.rlp().clone(), accounts: BTreeMap::new() };
        accounts.into_iter().try_for_each(|account| block.add(account))?;
        Ok(block)
    }

    /// Fetches and verifies what `reads` ask for, each account once.
    ///
    /// A false answer is recorded against its endpoint and the next one is asked.
    ///
    /// # Errors
    /// [`BlockError::Chain`] naming every endpoint with its fault, or [`BlockError::Header`].
    pub async fn fetch(
        endpoints: &Endpoints,
        head: &Head,
        reads: &[AccountReads],
    ) -> Result<Self, BlockError> {
        let mut block = Self::new(head, Vec::new())?;
        let mut wanted: BTreeMap<Address, Vec<B256>> = BTreeMap::new();
        for read in reads {
            wanted.entry(read.account).or_default().extend(&read.slots);
        }
        for (account, mut slots) in wanted {
            slots.sort_unstable();
            slots.dedup();
            // An account without slots is asked for as well.
            let none: &[B256] = &[];
            for slots in slots.chunks(SLOTS_PER_REQUEST).chain(slots.is_empty().then_some(none)) {
                block.add(fetch_account(endpoints, head, account, slots).await?)?;
            }
        }
        Ok(block)
    }

    /// The header's fields.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header as the contracts take it.
    pub fn rlp(&self) -> &Bytes {
        &self.rlp
    }

    /// What is proven of an account.
    pub fn account(&self, address: Address) -> Option<&AccountProof> {
        self.accounts.get(&address)
    }

    /// The words that `reads` ask for, as [`GaugeSpec::read`] takes them.
    ///
    /// # Errors
    /// [`BlockError::Proof`] for something that is not proven here.
    pub fn words(&self, reads: &[AccountReads]) -> Result<Words, BlockError> {
        let accounts = reads
            .iter()
            .map(|read| {
                let proof = self.proven(read.account)?;
                let slots = read.slots.iter().map(|slot| Ok(proof.slot(*slot)?.value()));
                Ok(AccountWords {
                    code_hash: proof.state().code_hash,
                    balance: proof.state().balance,
                    slots: slots.collect::<Result<_, ProofError>>()?,
                })
            })
            .collect::<Result<_, ProofError>>()?;
        Ok(Words { number: self.header.number, time: self.header.time, accounts })
    }

    /// Reads a gauge as at the onset; see [`GaugeSpec::read`].
    ///
    /// # Errors
    /// [`BlockError::Read`], or [`BlockError::Proof`] if a word is not proven here.
    pub fn read(&self, spec: &GaugeSpec, holders: &[Address]) -> Result<Reading, BlockError> {
        let words = self.words(&spec.reads(holders))?;
        spec.read(&words, holders)
            .map_err(|error| BlockError::Read { number: words.number, error: Box::new(error) })
    }

    /// Reads a gauge as at a later block; see [`GaugeSpec::read_later`].
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_later(&self, spec: &GaugeSpec, holders: &[Address]) -> Result<Reading, BlockError> {
        let words = self.words(&spec.reads(holders))?;
        spec.read_later(&words, holders)
            .map_err(|error| BlockError::Read { number: words.number, error: Box::new(error) })
    }

    /// Packs the walks of `reads`: each account's, then those of its slots in order.
    ///
    /// # Errors
    /// [`BlockError::Proof`] for something that is not proven here, [`BlockError::Packed`] if it is too much.
    pub fn pack(&self, reads: &[AccountReads], packer: &mut Packer) -> Result<(), BlockError> {
        for read in reads {
            let proof = self.proven(read.account)?;
            packer.push(proof.nodes())?;
            for slot in &read.slots {
                packer.push(proof.slot(*slot)?.nodes())?;
            }
        }
        Ok(())
    }

    fn proven(&self, account: Address) -> Result<&AccountProof, ProofError> {
        self.accounts.get(&account).ok_or_else(|| ProofError::Answer {
            what: "proven account",
            expected: account.to_string(),
            got: "none".to_owned(),
        })
    }

    fn add(&mut self, proof: AccountProof) -> Result<(), ProofError> {
        if proof.state_root() != self.header.state_root {
            return Err(ProofError::Answer {
                what: "state root",
                expected: self.header.state_root.to_string(),
                got: proof.state_root().to_string(),
            });
        }
        match self.accounts.get_mut(&proof.address()) {
            Some(known) => known.extend(proof),
            None => {
                self.accounts.insert(proof.address(), proof);
                Ok(())
            }
        }
    }
}

async fn fetch_account(
    endpoints: &Endpoints,
    head: &Head,
    account: Address,
    slots: &[B256],
) -> Result<AccountProof, ChainError> {
    endpoints
        .proof_checked(head, account, slots, |answer| {
            AccountProof::verify(head.state_root(), account, slots, answer).map_err(reject)
        })
        .await
}

/// A proof that does not hold is a lie; whoever asked names the endpoint.
fn reject(error: ProofError) -> Rejection {
    let lie = match error {
        ProofError::Answer { what, expected, got } => Lie::new(what, expected, got),
        ProofError::Claim { what, claimed, proven } => Lie::new(what, proven, claimed),
        other => Lie::new("state proof", "nodes that prove it", other),
    };
    lie.into()
}
