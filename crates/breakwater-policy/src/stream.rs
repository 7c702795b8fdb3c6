//! Premium that is still to be earned, streaming second by second until the policies' expiries.

use std::collections::BTreeMap;

use alloy_primitives::U256;
use breakwater_primitives::{DAY, MathError, Time, U256Ext, WAD, mul_div_ceil};

/// All streams of a pool together: one rate, and for each day what of it ends when that day begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    /// Pool units · 1e18 per second.
    pub rate: U256,
    /// Pool units · 1e18 not yet earned.
    pub scaled: U256,
    /// Up to when it was earned.
    pub to: Time,
    ends: BTreeMap<u64, U256>,
}

impl Stream {
    /// An empty stream that begins at `time`.
    pub fn starting(time: Time) -> Self {
        Self { to: time, ..Self::default() }
    }

    /// Pool units not yet earned, rounded up.
    pub fn unearned(&self) -> U256 {
        // A quotient of a 256-bit number by 1e18 cannot overflow.
        mul_div_ceil(self.scaled, U256::from(1), U256::from(WAD)).unwrap_or(U256::MAX)
    }

    /// What ends when `day` begins, pool units · 1e18 per second.
    pub fn ending(&self, day: u64) -> U256 {
        self.ends.get(&day).copied().unwrap_or_default()
    }

    /// Earns up to `time`, day by day, and returns the pool units earned.
    ///
    /// # Errors
    /// Underflow if rates and ends disagree, which no sequence of the calls here makes.
    pub fn accrue(&mut self, time: Time) -> Result<u128, MathError> {
        let before = self.unearned();
        while let Some((&day, &ending)) = self.ends.first_key_value() {
            let end = Time(day.saturating_mul(DAY));
            if end > time {
                break;
            }
            self.run(end)?;
            self.rate = self.rate.minus(ending)?;
            self.ends.remove(&day);
        }
        self.run(time)?;
        before.minus(self.unearned())?.to_u128()
    }

    /// Adds a stream from `self.to` to `expiry` (a day boundary); returns by how much unearned grew.
    ///
    /// # Errors
    /// Overflow beyond 256 bits.
    pub fn add(&mut self, rate: U256, expiry: Time) -> Result<u128, MathError> {
        let before = self.unearned();
        self.scaled = self.scaled.plus(rate.times(U256::from(expiry.since(self.to)))?)?;
        self.rate = self.rate.plus(rate)?;
        let end = self.ends.entry(expiry.day()).or_default();
        *end = end.plus(rate)?;
        self.unearned().minus(before)?.to_u128()
    }

    /// Takes out a stream that would run to `expiry`; returns by how much unearned fell.
    ///
    /// # Errors
    /// Underflow if that much does not stream to `expiry`.
    pub fn cut(&mut self, rate: U256, expiry: Time) -> Result<u128, MathError> {
        let before = self.unearned();
        if !rate.is_zero() {
            let end = self.ends.entry(expiry.day()).or_default();
            *end = end.minus(rate)?;
            if end.is_zero() {
                self.ends.remove(&expiry.day());
            }
            self.rate = self.rate.minus(rate)?;
            self.scaled = self.scaled.minus(rate.times(U256::from(expiry.since(self.to)))?)?;
        }
        before.minus(self.unearned())?.to_u128()
    }

    /// What would be left at `time`, pool units · 1e18, without earning it.
    pub fn scaled_at(&self, time: Time) -> U256 {
        let mut later = self.clone();
        match later.accrue(time) {
            Ok(_) => later.scaled,
            // Unreachable for streams made here; the stored value is then the truth.
            Err(_) => self.scaled,
        }
    }

    fn run(&mut self, time: Time) -> Result<(), MathError> {
        self.scaled = self.scaled.minus(self.rate.times(U256::from(time.since(self.to)))?)?;
        self.to = self.to.max(time);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(units: u64) -> U256 {
        U256::from(units) * U256::from(WAD)
    }

    #[test]
    fn earns_day_by_day_and_stops_at_the_end() {
        let mut stream = Stream::starting(Time(0));
        // Two units a second for one day, one unit a second for two.
        assert_eq!(stream.add(scaled(2), Time(DAY)), Ok(2 * u128::from(DAY)));
        assert_eq!(stream.add(scaled(1), Time(2 * DAY)), Ok(2 * u128::from(DAY)));
        assert_eq!(stream.accrue(Time(10)), Ok(30));
        assert_eq!(stream.accrue(Time(DAY + 10)), Ok(3 * u128::from(DAY - 10) + 10));
        assert_eq!(stream.rate, scaled(1));
        assert_eq!(stream.accrue(Time(900 * DAY)), Ok(u128::from(DAY - 10)));
        assert_eq!((stream.rate, stream.scaled), (U256::ZERO, U256::ZERO));
    }

    #[test]
    fn unearned_rounds_up() {
        let mut stream = Stream::starting(Time(0));
        stream.add(U256::from(1), Time(DAY)).expect("fits");
        assert_eq!(stream.unearned(), U256::from(1));
        assert_eq!(stream.accrue(Time(DAY - 1)), Ok(0));
        assert_eq!(stream.accrue(Time(DAY)), Ok(1));
    }

    #[test]
    fn a_cut_takes_the_rest_of_its_stream() {
        let mut stream = Stream::starting(Time(0));
        stream.add(scaled(3), Time(DAY)).expect("fits");
        stream.accrue(Time(DAY / 2)).expect("runs");
        assert_eq!(stream.cut(scaled(1), Time(DAY)), Ok(u128::from(DAY / 2)));
        assert_eq!(stream.accrue(Time(DAY)), Ok(u128::from(DAY)));
        assert!(stream.cut(scaled(1), Time(DAY)).is_err());
    }

    #[test]
    fn the_future_is_seen_without_earning_it() {
        let mut stream = Stream::starting(Time(0));
        stream.add(scaled(1), Time(DAY)).expect("fits");
        assert_eq!(stream.scaled_at(Time(100)), scaled(DAY - 100));
        assert_eq!(stream.to, Time(0));
    }
}
