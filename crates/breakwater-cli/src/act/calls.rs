//! Calls of a proposal as people write them: a contract by name, a function with its types, arguments as text.

use std::path::Path;

use alloy::dyn_abi::{JsonAbiExt, Specifier};
use alloy::json_abi::Function;
use alloy::primitives::{Address, Bytes};
use breakwater_bindings::Deployment;
use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;

/// One call as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    /// A name of the deployment file, or an address.
    pub(crate) to: String,
    /// Such as `setTerms(uint8,uint16)`.
    #[serde(default)]
    pub(crate) function: Option<String>,
    /// Its arguments in order.
    #[serde(default)]
    pub(crate) arguments: Vec<String>,
    /// Calldata in place of function and arguments.
    #[serde(default)]
    pub(crate) data: Option<Bytes>,
}

/// Calls of a JSON file.
pub(crate) fn read(file: &Path) -> Result<Vec<Written>, Failure> {
    let refuse = |wrong: String| Failure::usage(wrong).right("calls as breakwater gov propose --help shows");
    let text = std::fs::read_to_string(file)
        .map_err(|error| refuse(format!("cannot read {}: {error}", file.display())))?;
    serde_json::from_str(&text).map_err(|error| refuse(format!("{}: {error}", file.display())))
}

impl Written {
    /// Address and calldata.
    pub(crate) fn resolve(&self, deployment: &Deployment) -> Result<(Address, Bytes), Failure> {
        let to = contract(deployment, &self.to)?;
        match (&self.function, &self.data) {
            (Some(function), None) => Ok((to, encode(function, &self.arguments)?)),
            (None, Some(data)) => Ok((to, data.clone())),
            _ => Err(Failure::usage(format!(
                "the call to {}: expected a function or data, one of them",
                self.to
            ))
            .right("--function with its --argument, or --data")),
        }
    }
}

/// An address that the deployment file has under this name.
fn contract(deployment: &Deployment, text: &str) -> Result<Address, Failure> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let file = serde_json::to_value(deployment).unwrap_or_default();
    let named = [&file, &file["governance"], &file["pools"]]
        .into_iter()
        .find_map(|part| part.get(text).and_then(Value::as_str)?.parse().ok());
    named.ok_or_else(|| {
        Failure::usage(format!("--to: expected a contract's name or address, got {text:?}"))
            .right("a name of the deployment file, such as catalog or signal")
    })
}

fn encode(signature: &str, arguments: &[String]) -> Result<Bytes, Failure> {
    let refuse =
        |wrong: String| Failure::usage(wrong).right("--function \"setTerms(uint8,uint16)\" and the like");
    let function =
        Function::parse(signature).map_err(|error| refuse(format!("--function {signature:?}: {error}")))?;
    if function.inputs.len() != arguments.len() {
        let (expected, got) = (function.inputs.len(), arguments.len());
        return Err(refuse(format!("{signature}: expected {expected} arguments, got {got}")));
    }
    let mut values = Vec::with_capacity(arguments.len());
    for (input, text) in function.inputs.iter().zip(arguments) {
        let kind = input.resolve().map_err(|error| refuse(format!("{signature}: {error}")))?;
        let value = kind
            .coerce_str(text)
            .map_err(|error| refuse(format!("--argument {text:?}: expected {kind}: {error}")))?;
        values.push(value);
    }
    let data = function.abi_encode_input(&values).map_err(|error| refuse(format!("{signature}: {error}")))?;
    Ok(data.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use alloy::sol_types::SolCall;
    use breakwater_bindings::Signal;

    #[test]
    fn functions_are_encoded_as_their_bindings_do() {
        let data = encode("setTerms(uint8,uint16)", &["1".to_owned(), "500".to_owned()]).unwrap();
        assert_eq!(data.as_ref(), Signal::setTermsCall { newMode: 1, newMaxBps: 500 }.abi_encode());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert!(encode("setTerms(uint8,uint16)", &texts(&["1"])).is_err());
        assert!(encode("setTerms(uint8,uint16)", &texts(&["1", "x"])).is_err());
        assert!(encode("setTerms(uint8,uint16)", &texts(&["256", "1"])).is_err());
        assert!(encode("setTerms(uint8,nothing)", &texts(&["1", "2"])).is_err());
        assert!(encode("setTerms", &[]).is_err());
    }
}
