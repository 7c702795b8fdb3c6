//! The proof of one block: its header, and the accounts and words that something reads in it.

use crate::gauge::{AccountReads, AccountWords, Words};
use crate::header::{Header, HeaderError};
use crate::proof::{AccountProof, ProofError};
use alloy::primitives::{B256, Bytes};
use breakwater_chain::{ChainError, Endpoints, Head, Lie, Rejection};

/// Slots in one request: some nodes refuse more than a thousand.
const SLOTS_PER_REQUEST: usize = 256;

/// A header with proven accounts, in the order in which they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockProof {
    header: Header,
    rlp: Bytes,
    accounts: Vec<AccountProof>,
}

/// Why a block cannot be proven.
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
    /// Parts that do not belong together.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl BlockProof {
    /// Puts a header and accounts that are proven under its state root together.
    ///
    /// # Errors
    /// [`BlockError::Header`].
    pub fn new(head: &Head, accounts: Vec<AccountProof>) -> Result<Self, BlockError> {
        let header =
            Header::parse(head.rlp()).map_err(|error| BlockError::Header { number: head.number(), error })?;
        Ok(Self { header, rlp: head.rlp().clone(), accounts })
    }

    /// Fetches and verifies what `reads` asks for.
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
        let mut accounts = Vec::with_capacity(reads.len());
        for read in reads {
            accounts.push(fetch_account(endpoints, head, read).await?);
        }
        Self::new(head, accounts)
    }

    /// The header's fields.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The header as the contracts take it.
    pub fn rlp(&self) -> &Bytes {
        &self.rlp
    }

    /// The accounts.
    pub fn accounts(&self) -> &[AccountProof] {
        &self.accounts
    }

    /// The same block with only these accounts and slots, in this order.
    ///
    /// # Errors
    /// [`BlockError::Proof`] for something that is not proven here.
    pub fn select(&self, reads: &[AccountReads]) -> Result<Self, BlockError> {
        let accounts = reads
            .iter()
            .map(|read| {
                let found = self.accounts.iter().find(|proof| proof.address() == read.account);
                let missing = || ProofError::Answer {
                    what: "proven account",
                    expected: read.account.to_string(),
                    got: "none".to_owned(),
                };
                found.ok_or_else(missing)?.select(&read.slots)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { header: self.header, rlp: self.rlp.clone(), accounts })
    }

    /// The proven words, as [`GaugeSpec::read`](crate::gauge::GaugeSpec::read) takes them.
    pub fn words(&self) -> Words {
        let words = |proof: &AccountProof| AccountWords {
            code_hash: proof.state().code_hash,
            balance: proof.state().balance,
            slots: proof.slots().iter().map(|slot| slot.value()).collect(),
        };
        Words {
            number: self.header.number,
            time: self.header.time,
            accounts: self.accounts.iter().map(words).collect(),
        }
    }
}

async fn fetch_account(
    endpoints: &Endpoints,
    head: &Head,
    read: &AccountReads,
) -> Result<AccountProof, BlockError> {
    let mut unique: Vec<B256> = read.slots.clone();
    unique.sort_unstable();
    unique.dedup();
    let mut whole: Option<AccountProof> = None;
    // An account without slots is asked for once as well.
    let empty: &[B256] = &[];
    let chunks = unique.chunks(SLOTS_PER_REQUEST).chain(unique.is_empty().then_some(empty));
    for slots in chunks {
        let part = endpoints
            .proof_checked(head, read.account, slots, |answer| {
                AccountProof::verify(head.state_root(), read.account, slots, answer).map_err(reject)
            })
            .await?;
        match &mut whole {
            Some(whole) => whole.extend(part)?,
            None => whole = Some(part),
        }
    }
    // There is always at least one chunk.
    let whole = whole.ok_or_else(|| ChainError::Empty("no slots to prove".to_owned()))?;
    Ok(whole.select(&read.slots)?)
}

/// A proof that does not hold is a lie; the endpoint is named by whoever asked it.
fn reject(error: ProofError) -> Rejection {
    let lie = match error {
        ProofError::Answer { what, expected, got } => Lie::new(what, expected, got),
        ProofError::Claim { what, claimed, proven } => Lie::new(what, proven, claimed),
        other => Lie::new("state proof", "nodes that prove it", other),
    };
    lie.into()
}
