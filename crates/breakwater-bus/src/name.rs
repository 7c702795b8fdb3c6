//! Names of queues and topics, and ids of what they carry.

use crate::BusError;

const LONGEST: usize = 128;

/// Checks the name of a queue or topic: it becomes a folder on a server's disk.
pub(crate) fn name(name: &str) -> Result<(), BusError> {
    check("name of a queue or topic", "1 to 128 of A-Z a-z 0-9 _ -", name, |byte| matches!(byte, b'_' | b'-'))
}

/// Checks the id of a job, file or event: it becomes one word of a subject.
pub(crate) fn id(id: &str) -> Result<(), BusError> {
    check("id", "1 to 128 of A-Z a-z 0-9 _ - :", id, |byte| matches!(byte, b'_' | b'-' | b':'))
}

fn check(
    what: &'static str,
    expected: &'static str,
    got: &str,
    also: fn(u8) -> bool,
) -> Result<(), BusError> {
    let fits = (1..=LONGEST).contains(&got.len())
        && got.bytes().all(|byte| byte.is_ascii_alphanumeric() || also(byte));
    if fits {
        Ok(())
    } else {
        Err(BusError::Name { what, expected, got: got.chars().take(LONGEST).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_subjects_only() {
        assert!(id("1:0xab:17").is_ok());
        assert!(id(&"x".repeat(LONGEST)).is_ok());
        for bad in ["", "a.b", "*", ">", "a b", "é", &"x".repeat(LONGEST + 1)] {
            assert!(matches!(id(bad), Err(BusError::Name { .. })), "{bad}");
        }
        assert!(name("capital-0a1b").is_ok());
        assert!(matches!(name("a:b"), Err(BusError::Name { .. })));
    }
}
