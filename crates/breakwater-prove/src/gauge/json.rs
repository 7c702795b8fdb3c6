//! How a gauge looks in JSON: names in place of numbers, and integers as decimal strings
//! ([`breakwater_bindings::decimal`]).

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
