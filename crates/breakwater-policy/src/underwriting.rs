//! Limits and rates that committees sign: what is in force follows from what was signed and the time.
//!
//! A limit falls at once and rises slowly, so that a wrong certificate can stop sales but can never open a pool wide
//! before those whom it endangers could see it.

use alloy_primitives::U256;
use breakwater_primitives::{BPS, DAY, MathError, U256Ext, mul_div_ceil};

/// Seconds before a limit that was loosened begins to rise.
pub const DELAY: u64 = 2 * DAY;
/// A limit or rate moves by at most one part in so many of itself a day.
pub const PART: u128 = 10;
/// Wad a year by which any rate may move in a day.
pub const RATE_STEP: u64 = 1_000_000_000_000_000;
/// Most by which credit or surcharge move a rate, bps.
pub const MAX_CREDIT_BPS: i64 = 2_000;
/// Most by which a signal of voters moves a rate, bps.
pub const MAX_SIGNAL_BPS: i64 = 1_000;

/// A limit as a certificate sets it, in bps of leverage or pool units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limit {
    /// In force until `start`.
    pub from: u128,
    /// Never exceeded.
    pub target: u128,
    /// Most that was in force when a rise was asked for; zero: nothing ever was.
    pub peak: u128,
    /// Seconds at which the rise begins.
    pub start: u64,
}

impl Limit {
    /// The limit in force at `time`; a rise is rounded down.
    ///
    /// The first limit ever comes whole after its delay: what the curator allows bounds it.
    ///
    /// # Errors
    /// None for times of 64 bits.
    pub fn at(&self, time: u64) -> Result<u128, MathError> {
        if self.from >= self.target {
            return Ok(self.target);
        }
        let Some(elapsed) = time.checked_sub(self.start) else { return Ok(self.from) };
        if self.peak == 0 {
            return Ok(self.target);
        }
        let slope = U256::from(self.peak.div_ceil(PART));
        let risen = slope.times(U256::from(elapsed))? / U256::from(DAY);
        let reached = U256::from(self.from).plus(risen)?;
        reached.min(U256::from(self.target)).to_u128()
    }

    /// The limit after `target` was signed at `time`; `named` is false if the certificate before left it out.
    ///
    /// # Errors
    /// As [`Limit::at`].
    pub fn set(&self, target: u128, named: bool, time: u64) -> Result<Self, MathError> {
        let reached = self.at(time)?;
        let in_force = if named { reached } else { 0 };
        if named && in_force < target && target <= self.target {
            return Ok(Self { target, ..*self });
        }
        Ok(Self {
            from: target.min(in_force),
            target,
            peak: self.peak.max(reached),
            start: time.saturating_add(DELAY),
        })
    }
}

/// A rate that moves from `from` at `start` toward `target`; what it moves is rounded down.
///
/// # Errors
/// None for rates and times of 64 bits.
pub fn rate_at(from: u64, target: u64, start: u64, time: u64) -> Result<u64, MathError> {
    let a_day = (u128::from(from) / PART).max(u128::from(RATE_STEP));
    let moved = U256::from(a_day).times(U256::from(time.saturating_sub(start)))? / U256::from(DAY);
    let moved = u64::try_from(moved).unwrap_or(u64::MAX);
    Ok(if target > from {
        target.min(from.saturating_add(moved))
    } else {
        target.max(from.saturating_sub(moved))
    })
}

/// A posted rate with credit and signal, both within their bounds, rounded up; at most 64 bits.
///
/// # Errors
/// None for a rate of 64 bits.
pub fn floor_rate(posted: u64, credit_bps: i64, signal_bps: i64) -> Result<u64, MathError> {
    let credit = credit_bps.clamp(-MAX_CREDIT_BPS, MAX_CREDIT_BPS);
    let signal = signal_bps.clamp(-MAX_SIGNAL_BPS, MAX_SIGNAL_BPS);
    // At least 7,000 with both at their lower bounds.
    let factor = (10_000 + credit + signal).unsigned_abs();
    let rate = mul_div_ceil(U256::from(posted), U256::from(factor), U256::from(BPS))?;
    Ok(u64::try_from(rate).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_limit_is_whole_after_its_delay() {
        let first = Limit::default().set(1_000, false, 100).expect("small");
        assert_eq!(first.at(100 + DELAY - 1), Ok(0));
        assert_eq!(first.at(100 + DELAY), Ok(1_000));
    }

    #[test]
    fn a_later_rise_is_a_tenth_a_day() {
        let first = Limit::default().set(1_000, false, 0).expect("small");
        let second = first.set(1_500, true, DELAY).expect("small");
        assert_eq!(second.at(2 * DELAY), Ok(1_000));
        assert_eq!(second.at(2 * DELAY + DAY), Ok(1_100));
        assert_eq!(second.at(2 * DELAY + 5 * DAY), Ok(1_500));
        assert_eq!(second.at(2 * DELAY + 50 * DAY), Ok(1_500));
    }

    #[test]
    fn a_limit_left_out_does_not_come_back_whole() {
        let first = Limit::default().set(1_000, false, 0).expect("small");
        let back = first.set(1_000, false, DELAY).expect("small");
        assert_eq!(back.at(2 * DELAY), Ok(0));
        assert_eq!(back.at(2 * DELAY + DAY), Ok(100));
    }

    #[test]
    fn a_rate_near_zero_is_not_stuck() {
        assert_eq!(rate_at(0, u64::MAX, 0, DAY), Ok(RATE_STEP));
        assert_eq!(rate_at(RATE_STEP, 0, 0, DAY), Ok(0));
    }

    #[test]
    fn a_rate_with_all_credit_keeps_seven_tenths() {
        assert_eq!(floor_rate(1_000, -9_999, -9_999), Ok(700));
        assert_eq!(floor_rate(1_000, 9_999, 9_999), Ok(1_300));
        assert_eq!(floor_rate(u64::MAX, 2_000, 0), Ok(u64::MAX));
    }

    /// Certificates as (seconds after the last, target, whether it names the limit).
    fn certificates() -> impl Strategy<Value = Vec<(u64, u128, bool)>> {
        prop::collection::vec((0..5 * DAY, 0..10_000u128, prop::bool::weighted(0.9)), 1..12)
    }

    proptest! {
        #[test]
        fn a_certificate_never_loosens_faster_than_its_bound(all in certificates(), probe in 0..3 * DAY) {
            let (mut limit, mut time, mut named, mut most) = (Limit::default(), 0u64, false, 0u128);
            for (wait, target, names) in all {
                // Between two certificates a day lifts the limit by at most a tenth of the most it has been.
                let (a, b) = (time + probe.min(wait), time + (probe + DAY).min(wait));
                if named && limit.peak != 0 {
                    let (x, y) = (limit.at(a).expect("small"), limit.at(b).expect("small"));
                    prop_assert!(y - x <= most.max(x).div_ceil(PART) + 1, "{x} to {y}, {most} at most before");
                }
                time += wait;
                if names {
                    let before = if named { limit.at(time).expect("small") } else { 0 };
                    most = most.max(limit.at(time).expect("small"));
                    limit = limit.set(target, named, time).expect("small");
                    let after = limit.at(time).expect("small");
                    // At the moment of signing nothing rises, and a fall is whole.
                    prop_assert!(after <= before);
                    prop_assert_eq!(after, before.min(target));
                }
                named = names;
            }
        }

        #[test]
        fn a_rate_never_moves_faster_than_its_bound(
            from in 0..u64::MAX, target in 0..u64::MAX, a in 0..100 * DAY, more in 0..DAY,
        ) {
            let (x, y) = (rate_at(from, target, 0, a).expect("small"), rate_at(from, target, 0, a + more).expect("small"));
            prop_assert!(x.abs_diff(y) <= (from / 10).max(RATE_STEP) + 1);
            prop_assert!(y.min(x) >= from.min(target) && y.max(x) <= from.max(target));
        }
    }
}
