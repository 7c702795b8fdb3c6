//! The canonical form of a document.

use super::{BlockRef, Document, FORMAT, Finding, GaugeReading, RuleReading};
use alloy::primitives::{B256, U256};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt::Write;

/// Why bytes are not a document, or a document has no byte form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Longer than a document may be.
    #[error("a document has at most {max} bytes, got {got}")]
    TooLong {
        /// Most bytes.
        max: usize,
        /// How many there are.
        got: usize,
    },
    /// Not JSON, or members that are missing, unknown or of another type.
    #[error("not an evidence document: {0}")]
    Json(String),
    /// A format that this version does not know.
    #[error("expected format {FORMAT}, got {0:?}")]
    Format(String),
    /// Not a decimal integer without leading zeros that fits the member.
    #[error("{member}: expected a decimal integer of at most {bits} bits, got {got:?}")]
    Integer {
        /// The member's name.
        member: &'static str,
        /// How large it may be.
        bits: usize,
        /// What stands there.
        got: String,
    },
    /// Neither a gauge nor a rule, or both.
    #[error("expected either a gauge or a rule")]
    Source,
    /// A list that must not be empty.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// A list that is not strictly ascending.
    #[error("{0} must be strictly ascending")]
    Order(&'static str),
    /// A reading of a block that is not listed.
    #[error("there is a reading of block {0}, which is not among the blocks")]
    UnlistedBlock(u64),
    /// A transaction that is listed twice.
    #[error("transaction {0} is listed twice")]
    Twice(B256),
    /// Text that would have to be escaped, is empty or too long.
    #[error("{member}: expected up to 100 printable ASCII characters without \" and \\, got {got:?}")]
    Text {
        /// The member's name.
        member: &'static str,
        /// What stands there.
        got: String,
    },
    /// A good document in another than its one form.
    #[error("not in canonical form: {0}")]
    NotCanonical(Difference),
}

/// The first place where bytes differ from the canonical form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at} expected {expected:?}, got {got:?}")]
pub struct Difference {
    /// Position, from 0.
    pub at: usize,
    /// A few bytes that belong there.
    pub expected: String,
    /// A few bytes that stand there.
    pub got: String,
}

impl Difference {
    pub(super) fn first(expected: &[u8], got: &[u8]) -> Option<Self> {
        if expected == got {
            return None;
        }
        let at = expected.iter().zip(got).take_while(|(one, other)| one == other).count();
        let some = |bytes: &[u8]| String::from_utf8_lossy(&bytes[at..bytes.len().min(at + 20)]).into_owned();
        Some(Self { at, expected: some(expected), got: some(got) })
    }
}

/// Writes a document that was checked. Members stand in the order of their names.
pub(super) fn write(document: &Document) -> String {
    let blocks =
        list(&document.blocks, |block| format!(r#"{{"hash":"{}","number":"{}"}}"#, block.hash, block.number));
    let (source, readings) = match &document.finding {
        Finding::Gauge { gauge, readings } => {
            (format!(r#""gauge":"{gauge}""#), list(readings, gauge_reading))
        }
        Finding::Rule { rule, readings } => (format!(r#""rule":"{rule}""#), list(readings, rule_reading)),
    };
    let transactions = list(&document.transactions, |hash| format!(r#""{hash}""#));
    let head = format!(r#"{{"blocks":{blocks},"chainId":"{}","format":"{FORMAT}""#, document.chain_id);
    let tail = format!(r#""tool":"{}","transactions":{transactions}}}"#, document.tool);
    // "gauge" comes before "readings", "rule" after it.
    match &document.finding {
        Finding::Gauge { .. } => format!(r#"{head},{source},"readings":{readings},{tail}"#),
        Finding::Rule { .. } => format!(r#"{head},"readings":{readings},{source},{tail}"#),
    }
}

fn gauge_reading(reading: &GaugeReading) -> String {
    let GaugeReading { block, assets, claims, holders } = reading;
    format!(r#"{{"assets":"{assets}","block":"{block}","claims":"{claims}","holders":"{holders}"}}"#)
}

fn rule_reading(reading: &RuleReading) -> String {
    let RuleReading { block, name, value } = reading;
    format!(r#"{{"block":"{block}","name":"{name}","value":"{value}"}}"#)
}

fn list<T>(items: &[T], write: impl Fn(&T) -> String) -> String {
    let mut text = String::from("[");
    for (index, item) in items.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{}", write(item));
    }
    text + "]"
}

/// Reads a document in any JSON form; the caller compares it with the canonical one.
pub(super) fn read(bytes: &[u8]) -> Result<Document, DocumentError> {
    let raw: Raw = parse(bytes)?;
    if raw.format != FORMAT {
        return Err(DocumentError::Format(raw.format));
    }
    let finding = match (raw.gauge, raw.rule) {
        (Some(gauge), None) => Finding::Gauge { gauge, readings: each(raw.readings, read_gauge)? },
        (None, Some(rule)) => Finding::Rule { rule, readings: each(raw.readings, read_rule)? },
        _ => return Err(DocumentError::Source),
    };
    let block = |block: RawBlock| {
        Ok(BlockRef { number: integer("number", 64, &block.number)?.saturating_to(), hash: block.hash })
    };
    Ok(Document {
        chain_id: integer("chainId", 64, &raw.chain_id)?.saturating_to(),
        blocks: raw.blocks.into_iter().map(block).collect::<Result<_, DocumentError>>()?,
        finding,
        transactions: raw.transactions,
        tool: raw.tool,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    blocks: Vec<RawBlock>,
    chain_id: String,
    format: String,
    gauge: Option<B256>,
    rule: Option<String>,
    readings: Vec<serde_json::Value>,
    tool: String,
    transactions: Vec<B256>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBlock {
    hash: B256,
    number: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGauge {
    assets: String,
    block: String,
    claims: String,
    holders: B256,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    block: String,
    name: String,
    value: String,
}

fn read_gauge(raw: RawGauge) -> Result<GaugeReading, DocumentError> {
    Ok(GaugeReading {
        block: integer("block", 64, &raw.block)?.saturating_to(),
        assets: integer("assets", 128, &raw.assets)?.saturating_to(),
        claims: integer("claims", 128, &raw.claims)?.saturating_to(),
        holders: raw.holders,
    })
}

fn read_rule(raw: RawRule) -> Result<RuleReading, DocumentError> {
    let block = integer("block", 64, &raw.block)?.saturating_to();
    Ok(RuleReading { block, name: raw.name, value: integer("value", 256, &raw.value)? })
}

fn each<R: DeserializeOwned, T>(
    values: Vec<serde_json::Value>,
    read: impl Fn(R) -> Result<T, DocumentError>,
) -> Result<Vec<T>, DocumentError> {
    let typed = |value| serde_json::from_value(value).map_err(|error| DocumentError::Json(error.to_string()));
    values.into_iter().map(|value| read(typed(value)?)).collect()
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DocumentError> {
    serde_json::from_slice(bytes).map_err(|error| DocumentError::Json(error.to_string()))
}

/// The saturating conversions above are exact, because the width is checked here.
fn integer(member: &'static str, bits: usize, text: &str) -> Result<U256, DocumentError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = digits.then(|| U256::from_str_radix(text, 10).ok()).flatten();
    match value {
        Some(value) if value.bit_len() <= bits => Ok(value),
        _ => Err(DocumentError::Integer { member, bits, got: text.chars().take(100).collect() }),
    }
}
