//! Revert data in words: the name and the arguments of any error that a deployed contract knows.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use alloy::dyn_abi::{DynSolValue, JsonAbiExt};
use alloy::json_abi::Error;
use alloy::primitives::{Bytes, Selector};
use alloy::sol_types::{Panic, Revert, SolError};

use crate::artifact::{Artifact, names};

/// An error with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// Its name in Solidity, `Error` for a plain message and `Panic` for a failed check of the compiler.
    pub name: String,
    /// Name and value of each argument, in order.
    pub arguments: Vec<(String, String)>,
}

impl std::fmt::Display for Decoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let arguments: Vec<String> =
            self.arguments.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        write!(f, "{}({})", self.name, arguments.join(", "))
    }
}

/// What revert data says; none if no deployed contract knows the error, or there is no data.
pub fn decode(data: &[u8]) -> Option<Decoded> {
    if let Ok(message) = Revert::abi_decode(data) {
        let arguments = vec![("message".to_owned(), message.reason)];
        return Some(Decoded { name: "Error".to_owned(), arguments });
    }
    if let Ok(panic) = Panic::abi_decode(data) {
        let arguments = vec![("code".to_owned(), format!("{:#x}", panic.code))];
        return Some(Decoded { name: "Panic".to_owned(), arguments });
    }
    let (selector, body) = data.split_first_chunk::<4>()?;
    let error = known().get(&Selector::from(*selector))?;
    let values = error.abi_decode_input(body).ok()?;
    let arguments =
        error.inputs.iter().zip(values).map(|(input, value)| (input.name.clone(), show(&value))).collect();
    Some(Decoded { name: error.name.clone(), arguments })
}

/// [`decode`] for logs: the words, or the data itself.
pub fn describe(data: &Bytes) -> String {
    decode(data).map_or_else(|| format!("unknown error {data}"), |decoded| decoded.to_string())
}

/// Every error of every deployed contract. Errors of one selector have one signature.
fn known() -> &'static BTreeMap<Selector, Error> {
    static KNOWN: OnceLock<BTreeMap<Selector, Error>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        // A broken artifact knows no errors; a test reads every one of them.
        let artifacts = names().filter_map(|name| Artifact::load(name).ok());
        artifacts
            .flat_map(|artifact| artifact.abi().errors().cloned().collect::<Vec<_>>())
            .map(|error| (error.selector(), error))
            .collect()
    })
}

/// A value as people read it: numbers in decimals, names of fields as text.
pub(crate) fn show(value: &DynSolValue) -> String {
    match value {
        DynSolValue::Uint(number, _) => number.to_string(),
        DynSolValue::Int(number, _) => number.to_string(),
        DynSolValue::Address(address) => address.to_string(),
        DynSolValue::Bool(flag) => flag.to_string(),
        DynSolValue::FixedBytes(word, width) => {
            text(&word[..*width]).unwrap_or_else(|| alloy::primitives::hex::encode_prefixed(&word[..*width]))
        }
        DynSolValue::Bytes(bytes) => alloy::primitives::hex::encode_prefixed(bytes),
        DynSolValue::String(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// Names of fields come as ASCII, left-aligned.
fn text(word: &[u8]) -> Option<String> {
    let end = word.iter().rposition(|byte| *byte != 0)? + 1;
    let text = std::str::from_utf8(&word[..end]).ok()?;
    (end < 32 && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::{Catalog, Policies, ProofRung};
    use alloy::primitives::{Address, B256, U256};

    #[test]
    fn errors_come_out_in_words() {
        let range = Catalog::OutOfRange { field: field("threshold"), got: U256::from(7) };
        assert_eq!(describe(&range.abi_encode().into()), "OutOfRange(field: threshold, got: 7)");
        let gauge = B256::repeat_byte(0xab);
        let unknown = ProofRung::UnknownGauge { gauge }.abi_encode();
        assert_eq!(describe(&unknown.into()), format!("UnknownGauge(gauge: {gauge})"));
        let consent = Policies::NoConsent { position: Address::ZERO }.abi_encode();
        assert_eq!(decode(&consent).unwrap().name, "NoConsent");
        let plain = Revert::from("too late").abi_encode();
        assert_eq!(describe(&plain.into()), "Error(message: too late)");
        let panic = Panic::from(alloy::sol_types::PanicKind::UnderOverflow).abi_encode();
        assert_eq!(describe(&panic.into()), "Panic(code: 0x11)");
    }

    #[test]
    fn foreign_and_broken_data_are_shown_as_they_are() {
        assert_eq!(decode(&[]), None);
        assert_eq!(describe(&Bytes::from_static(&[1, 2, 3, 4])), "unknown error 0x01020304");
        let mut cut = ProofRung::UnknownGauge { gauge: B256::ZERO }.abi_encode();
        cut.pop();
        assert_eq!(decode(&cut), None);
    }

    fn field(name: &str) -> B256 {
        let mut word = B256::ZERO;
        word[..name.len()].copy_from_slice(name.as_bytes());
        word
    }
}
