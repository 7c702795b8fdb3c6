//! A sum whose parts end at the beginning of some day: a cluster's exposure.

use std::collections::BTreeMap;

use alloy_primitives::U256;
use breakwater_primitives::{MathError, Time};

/// A sum that runs off by day; reading it walks the days since it was rolled last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Buckets {
    /// Sum of what ends after `rolled`.
    pub sum: u128,
    /// Day: all that ends up to it is out of the sum.
    pub rolled: u64,
    ends: BTreeMap<u64, u128>,
}

impl Buckets {
    /// The sum at `time`, not before the day that was rolled last.
    pub fn at(&self, time: Time) -> u128 {
        let later = self.ends.range(self.rolled.saturating_add(1)..);
        let ended: u128 = later.take_while(|(day, _)| **day <= time.day()).map(|(_, amount)| amount).sum();
        // What ended was part of the sum.
        self.sum.saturating_sub(ended)
    }

    /// What ends when `day` begins.
    pub fn ending(&self, day: u64) -> u128 {
        self.ends.get(&day).copied().unwrap_or(0)
    }

    /// Adds `amount` until `day`, which is after `time`.
    ///
    /// # Errors
    /// Overflow beyond 128 bits.
    pub fn add(&mut self, amount: u128, day: u64, time: Time) -> Result<(), MathError> {
        let overflow = MathError::Overflow { limit: 128, got: 129 };
        let sum = self.at(time).checked_add(amount).ok_or(overflow)?;
        // At most the sum, which was found to fit.
        *self.ends.entry(day).or_default() += amount;
        (self.sum, self.rolled) = (sum, time.day().max(self.rolled));
        Ok(())
    }

    /// Takes `amount` out that was added until `day`, which is after `time`.
    ///
    /// # Errors
    /// Underflow where less was added.
    pub fn remove(&mut self, amount: u128, day: u64, time: Time) -> Result<(), MathError> {
        let less = |from: u128| {
            let (minuend, subtrahend) = (U256::from(from), U256::from(amount));
            from.checked_sub(amount).ok_or(MathError::Underflow { minuend, subtrahend })
        };
        let (ending, sum) = (less(self.ending(day))?, less(self.at(time))?);
        self.ends.insert(day, ending);
        (self.sum, self.rolled) = (sum, time.day().max(self.rolled));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use breakwater_primitives::DAY;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_part_counts_until_its_day_begins() {
        let mut cluster = Buckets::default();
        cluster.add(70, 12, Time(10 * DAY)).expect("small");
        cluster.add(30, 11, Time(10 * DAY + 5)).expect("small");
        assert_eq!(cluster.at(Time(11 * DAY - 1)), 100);
        assert_eq!(cluster.at(Time(11 * DAY)), 70);
        assert_eq!(cluster.remove(71, 12, Time(11 * DAY)).ok(), None);
        cluster.remove(20, 12, Time(11 * DAY)).expect("it was added");
        assert_eq!(cluster.at(Time(12 * DAY - 1)), 50);
        assert_eq!(cluster.at(Time(12 * DAY)), 0);
    }

    proptest! {
        #[test]
        fn the_sum_is_that_of_the_parts_that_did_not_end(
            acts in prop::collection::vec((0..3 * DAY, 1..1_000u128, 1..9u64, any::<bool>()), 1..40),
        ) {
            let (mut cluster, mut parts, mut now) = (Buckets::default(), Vec::<(u128, u64)>::new(), 0);
            for (wait, amount, days, takes) in acts {
                now += wait;
                let time = Time(now);
                parts.retain(|(_, day)| *day > time.day());
                match parts.last().copied() {
                    Some((amount, day)) if takes => {
                        parts.pop();
                        cluster.remove(amount, day, time).expect("it was added");
                    }
                    _ => {
                        parts.push((amount, time.day() + days));
                        cluster.add(amount, time.day() + days, time).expect("small");
                    }
                }
                prop_assert_eq!(cluster.at(time), parts.iter().map(|(amount, _)| amount).sum::<u128>());
            }
        }
    }
}
