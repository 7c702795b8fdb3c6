//! Reading evidence as the contract does, before anything is paid for sending it.

use super::Evidence;
use crate::gauge::{AccountWords, Form, GaugeSpec, ReadError, Reading, Words};
use crate::header::{Header, HeaderError};
use crate::packed::{PackedError, Walks};
use alloy::primitives::{Address, B256, U256};
use breakwater_policy::measure::{self, Loss};

/// A block of evidence, with what the gauge reads in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockReading {
    /// The header; whether the chain knows its hash is for the caller to check.
    pub header: Header,
    /// The gauge in this block.
    pub reading: Reading,
}

/// What `provePositions` reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionReadings {
    /// Onset and later block.
    pub headers: [Header; 2],
    /// The gauge at the later block; none at the incident's own reading, which the contract knows.
    pub later: Option<Reading>,
    /// Each account's shares or claims at the onset, and at the later block.
    pub held: Vec<(u128, u128)>,
}

/// Why evidence would be refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// Another number of headers belongs there.
    #[error("expected {least} to {most} headers, got {got}")]
    HeaderCount {
        /// Fewest.
        least: usize,
        /// Most.
        most: usize,
        /// How many there are.
        got: usize,
    },
    /// A header is malformed.
    #[error("header {index}: {error}")]
    Header {
        /// Position, from 0.
        index: usize,
        /// What is wrong with it.
        error: HeaderError,
    },
    /// Headers are not ascending by number.
    #[error("block {next} follows block {previous}")]
    NotAscending {
        /// The earlier one.
        previous: u64,
        /// The one that follows it.
        next: u64,
    },
    /// The second block does not follow the onset.
    #[error("block {next} is not the one after {onset}")]
    NotAdjacent {
        /// The onset.
        onset: u64,
        /// The block given as the next one.
        next: u64,
    },
    /// A walk is wrong.
    #[error(transparent)]
    Packed(#[from] PackedError),
    /// The gauge cannot be read.
    #[error("block {number}: {error}")]
    Read {
        /// The block.
        number: u64,
        /// Why not.
        error: Box<ReadError>,
    },
    /// There is no loss that the contract would take.
    #[error("no loss: {0}")]
    Loss(String),
}

/// An assertion that the contract would take, as far as evidence alone can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssertionCheck {
    /// Block a, the last healthy one.
    pub onset: BlockReading,
    /// Block a + 1.
    pub next: BlockReading,
    /// The block that sizes the loss.
    pub reading: BlockReading,
}

impl AssertionCheck {
    /// The loss that the contract would find: the onset shows half the threshold, the reading the whole.
    ///
    /// # Errors
    /// [`CheckError::Loss`] with the contract's reason.
    pub fn loss(&self, spec: &GaugeSpec) -> Result<Loss, CheckError> {
        let health = spec.health().map_err(|error| CheckError::Loss(error.to_string()))?;
        let [a, next, b] = [&self.onset, &self.next, &self.reading].map(|at| (&at.reading).into());
        measure::assess(&health, &a, &next, &b).map_err(|refusal| CheckError::Loss(refusal.to_string()))
    }
}

impl Evidence {
    /// The headers, ascending.
    ///
    /// # Errors
    /// [`CheckError::HeaderCount`], [`CheckError::Header`], [`CheckError::NotAscending`].
    pub fn parse_headers(&self, least: usize, most: usize) -> Result<Vec<Header>, CheckError> {
        let got = self.headers.len();
        if got < least || got > most {
            return Err(CheckError::HeaderCount { least, most, got });
        }
        let parse = |(index, rlp): (usize, &alloy::primitives::Bytes)| {
            Header::parse(rlp).map_err(|error| CheckError::Header { index, error })
        };
        let headers = self.headers.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
        match headers.windows(2).find(|pair| pair[0].number >= pair[1].number) {
            Some(pair) => Err(CheckError::NotAscending { previous: pair[0].number, next: pair[1].number }),
            None => Ok(headers),
        }
    }

    /// Reads the gauge in every block; the first `exact` of them without saturation.
    ///
    /// # Errors
    /// Any [`CheckError`] but [`CheckError::Loss`].
    pub fn read(&self, spec: &GaugeSpec, exact: usize) -> Result<Vec<BlockReading>, CheckError> {
        let headers = self.parse_headers(1, 3)?;
        let mut walks = Walks::new(&self.nodes, &self.paths)?;
        let mut read = Vec::with_capacity(headers.len());
        for (index, header) in headers.into_iter().enumerate() {
            let reading = read_block(spec, &self.holders, &mut walks, &header, index < exact)?;
            read.push(BlockReading { header, reading });
        }
        walks.done()?;
        Ok(read)
    }

    /// Reads the evidence of `assertLoss`: a, a + 1 and perhaps a later block.
    ///
    /// # Errors
    /// Any [`CheckError`].
    pub fn read_assertion(&self, spec: &GaugeSpec) -> Result<AssertionCheck, CheckError> {
        self.parse_headers(2, 3)?;
        // Only the onset must read within range: a drain may leave less than nothing.
        let read = self.read(spec, 1)?;
        let (onset, next, reading) = (read[0], read[1], read[read.len() - 1]);
        if next.header.number != onset.header.number.saturating_add(1) {
            return Err(CheckError::NotAdjacent { onset: onset.header.number, next: next.header.number });
        }
        Ok(AssertionCheck { onset, next, reading })
    }

    /// Reads the evidence of `provePositions`. `at_reading`: the later block is the incident's own reading.
    ///
    /// # Errors
    /// Any [`CheckError`] but [`CheckError::Loss`].
    pub fn read_positions(
        &self,
        spec: &GaugeSpec,
        accounts: &[Address],
        at_reading: bool,
    ) -> Result<PositionReadings, CheckError> {
        let headers = self.parse_headers(2, 2)?;
        let mut walks = Walks::new(&self.nodes, &self.paths)?;
        let before = read_holdings(spec, accounts, &mut walks, &headers[0])?;
        let later = if at_reading || spec.form == Form::Enumerated {
            None
        } else {
            Some(read_block(spec, &[], &mut walks, &headers[1], false)?)
        };
        let after = read_holdings(spec, accounts, &mut walks, &headers[1])?;
        walks.done()?;
        let held = before.into_iter().zip(after).collect();
        Ok(PositionReadings { headers: [headers[0], headers[1]], later, held })
    }
}

fn read_block(
    spec: &GaugeSpec,
    holders: &[Address],
    walks: &mut Walks<'_>,
    header: &Header,
    exact: bool,
) -> Result<Reading, CheckError> {
    let mut accounts = Vec::with_capacity(spec.accounts.len());
    for read in spec.reads(holders) {
        let state = walks.account(header.state_root, read.account)?;
        let slots = read.slots.iter().map(|slot| walks.storage(state.storage_root, *slot));
        accounts.push(AccountWords {
            slots: slots.collect::<Result<_, _>>()?,
            code_hash: state.code_hash,
            balance: state.balance,
        });
    }
    let words = Words { number: header.number, time: header.time, accounts };
    let reading = if exact { spec.read(&words, holders) } else { spec.read_later(&words, holders) };
    reading.map_err(|error| CheckError::Read { number: header.number, error: Box::new(error) })
}

fn read_holdings(
    spec: &GaugeSpec,
    accounts: &[Address],
    walks: &mut Walks<'_>,
    header: &Header,
) -> Result<Vec<u128>, CheckError> {
    let fail = |error: ReadError| CheckError::Read { number: header.number, error: Box::new(error) };
    spec.validate_reads().map_err(|error| fail(error.into()))?;
    let (root, code_hash) = holding_root(spec, walks, header)?;
    spec.check_holding_code(code_hash).map_err(|error| fail(error.into()))?;
    accounts.iter().map(|account| Ok(spec.holder_claim(word(spec, walks, root, *account)?))).collect()
}

fn holding_root(
    spec: &GaugeSpec,
    walks: &mut Walks<'_>,
    header: &Header,
) -> Result<(B256, B256), CheckError> {
    // The index was checked by `validate_reads`.
    let state = walks.account(header.state_root, spec.holding_account().unwrap_or_default())?;
    Ok((state.storage_root, state.code_hash))
}

fn word(spec: &GaugeSpec, walks: &mut Walks<'_>, root: B256, account: Address) -> Result<U256, CheckError> {
    Ok(walks.storage(root, spec.holder_slot(account))?)
}
