//! How a gauge looks in JSON: names in place of numbers, and integers as decimal strings, because
//! a wad does not survive a reader that keeps numbers as doubles.

/// An unsigned integer as a decimal string; a plain JSON integer is read too.
pub(crate) mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer, N: std::fmt::Display>(
        value: &N,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, N: TryFrom<u128>>(
        deserializer: D,
    ) -> Result<N, D::Error> {
        let value = match Number::deserialize(deserializer)? {
            Number::Plain(value) => u128::from(value),
            Number::Text(text) => parse(&text).ok_or_else(|| {
                D::Error::custom(format!(
                    "expected an unsigned decimal integer of at most 128 bits, got {text:?}"
                ))
            })?,
        };
        N::try_from(value).map_err(|_| {
            D::Error::custom(format!("{value} does not fit into {}", std::any::type_name::<N>()))
        })
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
}

/// Writes a field-less Solidity enum by name.
macro_rules! named {
    ($module:ident, $type:ident, $($variant:ident => $name:literal),+) => {
        pub(crate) mod $module {
            use crate::gauge::$type;
            use serde::{Deserialize, Deserializer, Serializer, de::Error};

            const NAMES: &[&str] = &[$($name),+];

            pub(crate) fn serialize<S: Serializer>(value: &$type, serializer: S) -> Result<S::Ok, S::Error> {
                match value {
                    $($type::$variant => serializer.serialize_str($name),)+
                    // `sol!` adds a variant for numbers that the enum does not have.
                    $type::__Invalid => Err(serde::ser::Error::custom(concat!("invalid ", stringify!($type)))),
                }
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let name = String::deserialize(deserializer)?;
                match name.as_str() {
                    $($name => Ok($type::$variant),)+
                    _ => Err(D::Error::unknown_variant(&name, NAMES)),
                }
            }
        }
    };
}

named!(form, Form, Ratio => "ratio", Par => "par", Enumerated => "enumerated", Geometric => "geometric");
named!(side, Side,
    AssetAdd => "assetAdd", AssetSub => "assetSub", ClaimAdd => "claimAdd", ClaimSub => "claimSub");
