//! What a revert says, by name where the contracts' errors are known.

use alloy::primitives::Bytes;
use alloy::sol_types::{Revert, SolError};
use breakwater_bindings::errors;

/// A revert in words: the error's name and arguments, or its bytes.
pub(crate) fn describe(data: &Bytes, trouble: Option<&str>) -> String {
    if data.is_empty() {
        return trouble.unwrap_or("without data").to_owned();
    }
    if let Ok(revert) = Revert::abi_decode(data) {
        return revert.reason;
    }
    errors::decode(data).map_or_else(|| data.to_string(), |decoded| decoded.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{B256, U256};
    use breakwater_bindings::{Catalog, Pool};

    #[test]
    fn errors_come_out_with_their_arguments() {
        let error = Catalog::UnknownGauge { gauge: B256::repeat_byte(7) }.abi_encode();
        let text = describe(&error.into(), None);
        assert!(text.starts_with("UnknownGauge") && text.contains("0x0707"), "{text}");
        let error = Pool::CapacityExceeded { wanted: U256::from(5), capacity: U256::from(3) }.abi_encode();
        let text = describe(&error.into(), None);
        assert!(text.contains("CapacityExceeded") && text.contains('5') && text.contains('3'), "{text}");
    }

    #[test]
    fn strings_and_strangers_are_not_lost() {
        let revert = Revert::from("too late").abi_encode();
        assert_eq!(describe(&revert.into(), None), "too late");
        assert_eq!(describe(&Bytes::from_static(&[1, 2, 3, 4]), None), "0x01020304");
        assert_eq!(describe(&Bytes::new(), Some("out of gas")), "out of gas");
        assert_eq!(describe(&Bytes::new(), None), "without data");
    }
}
