//! Seconds and block numbers, which must not be mixed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Seconds of one day: the bucket of every schedule.
pub const DAY: u64 = 86_400;
/// Seconds of a year of 365 days, to which rates refer.
pub const YEAR: u64 = 365 * DAY;

/// Seconds since 1970, as blocks carry them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

/// Number of a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Block(pub u64);

impl Time {
    /// The plain number of seconds.
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// The time `seconds` later. The sum stops at the end of u64, which no clock reaches, so comparisons hold.
    #[must_use]
    pub const fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this time, zero if it is not earlier.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole days since 1970, rounded down.
    pub const fn day(self) -> u64 {
        self.0 / DAY
    }

    /// True at 00:00:00 UTC.
    pub const fn is_day_boundary(self) -> bool {
        self.0.is_multiple_of(DAY)
    }

    /// Number of the epoch this time lies in, for epochs of `length` seconds; a length of zero counts as one.
    pub const fn epoch(self, length: u64) -> u64 {
        self.0 / if length == 0 { 1 } else { length }
    }
}

impl Block {
    /// The plain number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The block `count` later; stops at the end of u64, which no chain reaches.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// The block before; block zero has none and stays.
    #[must_use]
    pub const fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_epochs_round_down() {
        let time = Time(3 * DAY + 5);
        assert_eq!(time.day(), 3);
        assert!(!time.is_day_boundary());
        assert!(Time(3 * DAY).is_day_boundary());
        assert_eq!(time.epoch(2 * DAY), 1);
        assert_eq!(Time(9).epoch(0), 9);
    }

    #[test]
    fn differences_stop_at_zero() {
        assert_eq!(Time(5).since(Time(7)), 0);
        assert_eq!(Time(7).since(Time(5)), 2);
        assert_eq!(Block(0).before(), Block(0));
        assert_eq!(Time(u64::MAX).plus(1), Time(u64::MAX));
    }
}
