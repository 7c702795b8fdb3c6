//! Unsigned integers in JSON as decimal strings, because a wad does not survive a reader that keeps numbers as
//! doubles. A plain JSON integer is read too. For `#[serde(with = "...")]`.

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Writes decimal digits.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer, N: std::fmt::Display>(value: &N, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Reads digits without a sign or leading zeros, or a JSON integer.
///
/// # Errors
/// Anything else, and what does not fit into `N`.
pub fn deserialize<'de, D: Deserializer<'de>, N: TryFrom<u128>>(deserializer: D) -> Result<N, D::Error> {
    let value = match Number::deserialize(deserializer)? {
        Number::Plain(value) => u128::from(value),
        Number::Text(text) => parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "expected an unsigned decimal integer of at most 128 bits, got {text:?}"
            ))
        })?,
    };
    N::try_from(value)
        .map_err(|_| D::Error::custom(format!("{value} does not fit into {}", std::any::type_name::<N>())))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(u64),
    Text(String),
}

/// Digits only and no leading zero: `str::parse` would also take a plus sign.
pub(crate) fn parse(text: &str) -> Option<u128> {
    let canonical = text == "0" || !text.starts_with('0');
    (canonical && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}
