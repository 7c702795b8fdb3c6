//! What a revert says, by name where the contracts' errors are known.

use alloy::primitives::Bytes;
use alloy::sol_types::{Revert, SolError, SolInterface};
use breakwater_bindings::{Catalog, Incidents, Policies, Pool, ProofRung, Tranche};

/// A revert in words: the error's name and arguments, or its bytes.
pub(crate) fn describe(data: &Bytes, trouble: Option<&str>) -> String {
    if data.is_empty() {
        return trouble.unwrap_or("without data").to_owned();
    }
    if let Ok(revert) = Revert::abi_decode(data) {
        return revert.reason;
    }
    named::<Pool::PoolErrors>(data)
        .or_else(|| named::<Policies::PoliciesErrors>(data))
        .or_else(|| named::<Tranche::TrancheErrors>(data))
        .or_else(|| named::<Catalog::CatalogErrors>(data))
        .or_else(|| named::<Incidents::IncidentsErrors>(data))
        .or_else(|| named::<ProofRung::ProofRungErrors>(data))
        .unwrap_or_else(|| data.to_string())
}

/// The derived form names the error twice, as variant and as struct; once is enough.
fn named<E: SolInterface + std::fmt::Debug>(data: &[u8]) -> Option<String> {
    let text = format!("{:?}", E::abi_decode(data).ok()?);
    let inner = text.split_once('(').map(|(_, rest)| rest.trim_end_matches(')').to_owned());
    Some(inner.unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{B256, U256};

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
