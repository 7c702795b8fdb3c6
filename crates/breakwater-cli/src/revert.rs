//! What a revert says, by name where the contracts' errors are known.

use alloy::primitives::Bytes;

/// A revert in words: the error's name and arguments, or its bytes.
pub(crate) fn describe(data: Bytes, trouble: Option<&str>) -> String {
    match (data.is_empty(), trouble) {
        (true, Some(trouble)) => trouble.to_owned(),
        (true, None) => "without data".to_owned(),
        (false, _) => data.to_string(),
    }
}
