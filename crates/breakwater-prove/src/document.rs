//! `evidence/1`: what a finding rests on, as canonical JSON whose keccak256 stands for it in signed reports.
//!
//! One document has one byte form: UTF-8 without a byte order mark, members sorted by name, no white space,
//! integers as decimal strings without leading zeros, bytes as lower-case hex with `0x`, and in text only
//! printable ASCII other than `"` and `\`, so that nothing is ever escaped.
//! [`Document::parse`] takes that form and no other; the hash of a document therefore names its content.
//! docs/interfaces.md describes each field.

mod json;

pub use json::{Difference, DocumentError};

use alloy::primitives::{B256, U256, keccak256};

/// Value of the member `format`.
pub const FORMAT: &str = "evidence/1";
/// Longest document, in bytes: a report is to be read by people too.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Longest name of a rule, of a value or of a tool, in bytes.
pub const TEXT_BYTES_MAX: usize = 100;

/// Evidence that anybody can check again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The chain.
    pub chain_id: u64,
    /// Blocks that were read, strictly ascending by number; at least one.
    pub blocks: Vec<BlockRef>,
    /// What was found, by which rule.
    pub finding: Finding,
    /// Hashes of the transactions that caused it, in the order in which they ran; distinct.
    pub transactions: Vec<B256>,
    /// Name and version of the program that wrote it.
    pub tool: String,
}

/// A block by number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef {
    /// Block number.
    pub number: u64,
    /// Block hash.
    pub hash: B256,
}

/// What was read, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A gauge.
    Gauge {
        /// The gauge's id.
        gauge: B256,
        /// Ascending by block, at most one a block; at least one.
        readings: Vec<GaugeReading>,
    },
    /// Any other rule.
    Rule {
        /// Name and version of the rule.
        rule: String,
        /// Ascending by block, then by name; at least one.
        readings: Vec<RuleReading>,
    },
}

/// A gauge in one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GaugeReading {
    /// Number of one of the blocks.
    pub block: u64,
    /// Gauge units.
    pub assets: u128,
    /// Shares, or claims in gauge units.
    pub claims: u128,
    /// Hash over the holders of an enumerated gauge, else zero.
    pub holders: B256,
}

/// A number that a rule looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleReading {
    /// Number of one of the blocks.
    pub block: u64,
    /// What the number is.
    pub name: String,
    /// Its value, in the unit that the rule states.
    pub value: U256,
}

impl Document {
    /// keccak256 of the canonical bytes.
    ///
    /// # Errors
    /// Those of [`canonical`](Self::canonical).
    pub fn hash(&self) -> Result<B256, DocumentError> {
        self.canonical().map(keccak256)
    }

    /// The one byte form.
    ///
    /// # Errors
    /// [`DocumentError`] naming the rule that the document breaks.
    pub fn canonical(&self) -> Result<String, DocumentError> {
        self.check()?;
        let text = json::write(self);
        if text.len() > DOCUMENT_BYTES_MAX {
            return Err(DocumentError::TooLong { max: DOCUMENT_BYTES_MAX, got: text.len() });
        }
        Ok(text)
    }

    /// Reads the canonical form.
    ///
    /// # Errors
    /// [`DocumentError`]; [`DocumentError::NotCanonical`] for another form of a good document.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return Err(DocumentError::TooLong { max: DOCUMENT_BYTES_MAX, got: bytes.len() });
        }
        let document = json::read(bytes)?;
        let canonical = document.canonical()?;
        match Difference::first(canonical.as_bytes(), bytes) {
            Some(difference) => Err(DocumentError::NotCanonical(difference)),
            None => Ok(document),
        }
    }

    fn check(&self) -> Result<(), DocumentError> {
        text("tool", &self.tool)?;
        ascending("blocks", self.blocks.iter().map(|block| block.number))?;
        match &self.finding {
            Finding::Gauge { readings, .. } => {
                ascending("readings", readings.iter().map(|reading| reading.block))?;
                readings.iter().try_for_each(|reading| self.check_block(reading.block))?;
            }
            Finding::Rule { rule, readings } => {
                text("rule", rule)?;
                ascending("readings", readings.iter().map(|reading| (reading.block, reading.name.as_str())))?;
                for reading in readings {
                    text("name", &reading.name)?;
                    self.check_block(reading.block)?;
                }
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        match self.transactions.iter().find(|hash| !seen.insert(**hash)) {
            Some(twice) => Err(DocumentError::Twice(*twice)),
            None => Ok(()),
        }
    }

    fn check_block(&self, number: u64) -> Result<(), DocumentError> {
        let listed = self.blocks.binary_search_by_key(&number, |block| block.number).is_ok();
        if listed { Ok(()) } else { Err(DocumentError::UnlistedBlock(number)) }
    }
}

fn ascending<T: PartialOrd>(list: &'static str, items: impl Iterator<Item = T>) -> Result<(), DocumentError> {
    let items: Vec<T> = items.collect();
    if items.is_empty() {
        return Err(DocumentError::Empty(list));
    }
    let sorted = items.windows(2).all(|pair| pair[0] < pair[1]);
    if sorted { Ok(()) } else { Err(DocumentError::Order(list)) }
}

fn text(member: &'static str, value: &str) -> Result<(), DocumentError> {
    let plain = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\';
    if !value.is_empty() && value.len() <= TEXT_BYTES_MAX && value.bytes().all(plain) {
        return Ok(());
    }
    Err(DocumentError::Text { member, got: value.to_owned() })
}

#[cfg(test)]
mod tests;
