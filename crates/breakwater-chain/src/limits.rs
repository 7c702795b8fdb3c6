//! Every bound on talking to endpoints, in one place and with its reason.

use std::time::Duration;

/// Bounds on calls, retries and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest wait for one answer of one endpoint.
    pub call_timeout: Duration,
    /// How often the whole list of endpoints is asked before a call fails; at least 1 is used.
    pub rounds: u32,
    /// Wait before the second round; it doubles for each further one.
    pub backoff_first: Duration,
    /// Longest wait between two rounds.
    pub backoff_max: Duration,
    /// How long an endpoint is set aside after its first failure; doubles with each in a row.
    pub demotion_first: Duration,
    /// Longest time an endpoint is set aside for failing.
    pub demotion_max: Duration,
    /// How long an endpoint that gave a false answer is set aside.
    pub lie_demotion: Duration,
    /// How many blocks behind the others an endpoint may be before it is set aside.
    pub lag_blocks_max: u64,
    /// Largest answer body that is read, in bytes.
    pub answer_bytes_max: usize,
    /// Most blocks asked for in one log query; smaller pieces follow if a node refuses.
    pub logs_blocks_max: u64,
}

impl Default for Limits {
    /// Values for a chain with a block every few seconds: a failing node costs at most one
    /// block, and a call gives up within about a minute.
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(8),
            rounds: 3,
            backoff_first: Duration::from_millis(250),
            backoff_max: Duration::from_secs(4),
            demotion_first: Duration::from_secs(15),
            demotion_max: Duration::from_secs(300),
            lie_demotion: Duration::from_secs(3600),
            lag_blocks_max: 3,
            // A full mainnet block with receipts is below 20 MiB.
            answer_bytes_max: 64 * 1024 * 1024,
            logs_blocks_max: 2000,
        }
    }
}

impl Limits {
    /// Wait before round `round`, counted from 0; nothing before the first.
    pub(crate) fn backoff(&self, round: u32) -> Duration {
        match round {
            0 => Duration::ZERO,
            later => doubled(self.backoff_first, later - 1).min(self.backoff_max),
        }
    }

    /// How long an endpoint is set aside after `failures` in a row.
    pub(crate) fn demotion(&self, failures: u32) -> Duration {
        doubled(self.demotion_first, failures.saturating_sub(1)).min(self.demotion_max)
    }
}

fn doubled(first: Duration, times: u32) -> Duration {
    // Sixteen doublings exceed every sensible maximum, and the factor cannot overflow.
    first.saturating_mul(1 << times.min(16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_bound() {
        let limits = Limits::default();
        assert_eq!(limits.backoff(0), Duration::ZERO);
        assert_eq!(limits.backoff(1), limits.backoff_first);
        assert_eq!(limits.backoff(3), limits.backoff_first * 4);
        assert_eq!(limits.backoff(u32::MAX), limits.backoff_max);
        assert_eq!(limits.demotion(1), limits.demotion_first);
        assert_eq!(limits.demotion(u32::MAX), limits.demotion_max);
    }
}
