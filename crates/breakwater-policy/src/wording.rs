//! Numbers as the wording and the certificate show them, letter by letter.
//!
//! The contracts render the text; whoever shows a product off chain must not show another number beside it.

use alloy_primitives::U256;
use breakwater_primitives::{BPS, DAY, MathError, Time, WAD, Wad, mul_div_floor};

use crate::due;
use crate::terms::Product;

/// The worked example of a wording: a loss of half, or of all above a threshold of half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// Share lost, wad.
    pub lambda: U256,
    /// Share of the sum that counts after the deductible, wad; the most that is paid of it.
    pub fraction: U256,
    /// Share of the position's worth that is paid, wad.
    pub paid: U256,
}

/// The numbers of the example for a product and its gauge's threshold, each rounded down.
///
/// # Errors
/// None for a listed product.
pub fn example(product: &Product, threshold: Wad) -> Result<Example, MathError> {
    let lambda = U256::from(if threshold.get() <= WAD / 2 { WAD / 2 } else { WAD });
    let fraction = due::fraction(lambda, product.deductible)?;
    let paid = mul_div_floor(fraction, product.loss_cap.wide(), U256::from(BPS))?;
    Ok(Example { lambda, fraction, paid })
}

/// A share of `whole` (10,000 or 1e18) in percent, exact up to sixteen places: `12.5 %`.
pub fn percent(part: U256, whole: u64) -> String {
    let scale = U256::from(WAD / whole.max(1));
    format!("{} %", fixed_point(part.saturating_mul(scale), 16))
}

/// `value` with `decimals` places and no zeros at the end: 1500000 with 6 is `1.5`. More than 77 decimals fit no
/// word and show the bare number.
pub fn fixed_point(value: U256, decimals: u8) -> String {
    if decimals == 0 || decimals > 77 {
        return value.to_string();
    }
    let (whole, rest) = value.div_rem(U256::from(10).pow(U256::from(decimals)));
    if rest.is_zero() {
        return whole.to_string();
    }
    let places = format!("{:0>width$}", rest.to_string(), width = usize::from(decimals));
    format!("{whole}.{}", places.trim_end_matches('0'))
}

/// A time span in the largest unit that divides it: `3 days`, `1 hour`, `90 seconds`.
pub fn span(seconds: u64) -> String {
    let units = [(DAY, "day"), (3_600, "hour"), (60, "minute")];
    let unit = units.into_iter().find(|(length, _)| seconds != 0 && seconds.is_multiple_of(*length));
    let (length, noun) = unit.unwrap_or((1, "second"));
    plural(seconds / length, noun)
}

/// `1 block`, `2 blocks`.
pub fn plural(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A moment as `2026-11-20 09:05 UTC`; seconds are dropped.
pub fn moment(time: Time) -> String {
    let (year, month, day) = date(time.day());
    let second = time.0 % DAY;
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", second / 3_600, second % 3_600 / 60)
}

/// Year, month and day of the month of a day after 1970-01-01, by walking years and months.
pub fn date(epoch_day: u64) -> (u64, u64, u64) {
    // 400 years have 146,097 days wherever they begin.
    let (mut year, mut left) = (1970 + epoch_day / 146_097 * 400, epoch_day % 146_097);
    while left >= days_of(year) {
        left -= days_of(year);
        year += 1;
    }
    let february = if days_of(year) == 366 { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in months {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

fn days_of(year: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use breakwater_primitives::Bps;

    use super::*;

    #[test]
    fn fractions_are_exact() {
        assert_eq!(percent(U256::from(1_250), 10_000), "12.5 %");
        assert_eq!(percent(U256::from(10_000), 10_000), "100 %");
        assert_eq!(percent(U256::from(1), 10_000), "0.01 %");
        assert_eq!(percent(U256::from(WAD / 20), WAD), "5 %");
        assert_eq!(percent(U256::from(1), WAD), "0.0000000000000001 %");
    }

    #[test]
    fn amounts_drop_their_zeros() {
        assert_eq!(fixed_point(U256::from(1_500_000), 6), "1.5");
        assert_eq!(fixed_point(U256::from(1_000_000), 6), "1");
        assert_eq!(fixed_point(U256::from(42), 6), "0.000042");
        assert_eq!(fixed_point(U256::from(42), 0), "42");
        assert_eq!(fixed_point(U256::from(42), 78), "42");
    }

    #[test]
    fn spans_take_the_largest_unit() {
        assert_eq!(span(3 * DAY), "3 days");
        assert_eq!(span(DAY), "1 day");
        assert_eq!(span(7_200), "2 hours");
        assert_eq!(span(120), "2 minutes");
        assert_eq!(span(90), "90 seconds");
        assert_eq!(span(0), "0 seconds");
        assert_eq!(plural(1, "block"), "1 block");
    }

    #[test]
    fn moments_know_leap_years() {
        assert_eq!(moment(Time(0)), "1970-01-01 00:00 UTC");
        assert_eq!(moment(Time(951_782_399)), "2000-02-28 23:59 UTC");
        assert_eq!(moment(Time(951_782_400)), "2000-02-29 00:00 UTC");
        assert_eq!(moment(Time(1_795_165_500)), "2026-11-20 09:05 UTC");
        assert_eq!(date(u64::from(u32::MAX) / DAY), (2106, 2, 7));
        // 2100 is no leap year.
        assert_eq!(date(47_540), (2100, 2, 28));
        assert_eq!(date(47_541), (2100, 3, 1));
    }

    #[test]
    fn the_example_is_worked_by_the_code_that_settles() {
        let gauges = [Default::default(), Default::default()];
        let product = crate::ops::sample_products(&gauges, Default::default(), Default::default()).remove(0);
        let product = Product { deductible: Bps::new(2_000), loss_cap: Bps::new(9_000), ..product };
        let found = example(&product, Wad::new(WAD / 20)).expect("in range");
        // (50 % - 20 %) / 80 % = 37.5 %, of which 90 %.
        assert_eq!(percent(found.fraction, WAD), "37.5 %");
        assert_eq!(percent(found.paid, WAD), "33.75 %");
        let high = example(&product, Wad::new(WAD / 2 + 1)).expect("in range");
        assert_eq!((high.lambda, high.fraction), (U256::from(WAD), U256::from(WAD)));
    }
}
