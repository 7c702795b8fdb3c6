//! Amounts, times and rates: how people give them and how they are shown.
//!
//! Whatever a person types is exact or refused; nothing is rounded on the way in.

use alloy::primitives::{Address, B256, U256};
use breakwater_primitives::DAY;
use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::style::{amount, grouped};

/// An ERC-20 token, as its contract describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// Its contract.
    pub(crate) address: Address,
    /// Its symbol.
    pub(crate) symbol: String,
    /// Its decimals.
    pub(crate) decimals: u8,
}

impl Token {
    /// An amount with all of its decimals and the symbol.
    pub(crate) fn show(&self, units: impl Into<U256>) -> String {
        format!("{} {}", amount(units.into(), self.decimals), self.symbol)
    }

    /// Units of an amount such as `1000.5`, as given with `flag`.
    pub(crate) fn parse(&self, flag: &str, text: &str) -> Result<U256, Failure> {
        decimal(text, self.decimals).ok_or_else(|| {
            Failure::usage(format!("{flag}: expected an amount of {}, got {text:?}", self.symbol)).right(
                format!(
                    "digits with at most {} decimals after a point, such as {flag} 1000.5",
                    self.decimals
                ),
            )
        })
    }

    /// [`Token::parse`] for what the contracts keep in 128 bits.
    pub(crate) fn parse_u128(&self, flag: &str, text: &str) -> Result<u128, Failure> {
        let units = self.parse(flag, text)?;
        u128::try_from(units).map_err(|_| {
            Failure::usage(format!("{flag}: expected at most {} units, got {units}", u128::MAX))
                .right("a smaller amount")
        })
    }

    /// Address, symbol and decimals for scripts.
    pub(crate) fn json(&self) -> Value {
        json!({ "address": self.address, "symbol": self.symbol, "decimals": self.decimals })
    }
}

/// A value that is shown to people in one way and to scripts in another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// Units of a token.
    Amount(U256, Token),
    /// A plain number.
    Number(U256),
    /// Seconds since 1970; zero is never.
    Time(u64),
    /// A fraction of 1e18.
    Wad(U256),
    /// An account.
    Account(Address),
    /// A hash or an id.
    Id(B256),
    /// Words.
    Text(String),
    /// There is no such thing.
    Nothing,
}

impl Quantity {
    /// For people, with unit.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Amount(units, token) => token.show(*units),
            Self::Number(number) => grouped(number),
            Self::Time(0) => "never".to_owned(),
            Self::Time(seconds) => utc(*seconds),
            Self::Wad(wad) => percent(*wad),
            Self::Account(account) => account.to_string(),
            Self::Id(id) => id.to_string(),
            Self::Text(text) => text.clone(),
            Self::Nothing => "-".to_owned(),
        }
    }

    /// For scripts: integers that may exceed 53 bits as decimal strings, times in seconds.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Amount(number, _) | Self::Number(number) | Self::Wad(number) => number.to_string().into(),
            Self::Time(seconds) => (*seconds).into(),
            Self::Account(account) => json!(account),
            Self::Id(id) => json!(id),
            Self::Text(text) => text.clone().into(),
            Self::Nothing => Value::Null,
        }
    }

    /// Name of the unit for scripts.
    pub(crate) fn unit(&self) -> &str {
        match self {
            Self::Amount(_, token) => &token.symbol,
            Self::Number(_) => "number",
            Self::Time(_) => "time",
            Self::Wad(_) => "wad",
            Self::Account(_) => "account",
            Self::Id(_) => "id",
            Self::Text(_) => "text",
            Self::Nothing => "none",
        }
    }
}

/// `2026-12-01 00:00:00 UTC`; the number of seconds where no calendar reaches.
pub(crate) fn utc(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    match time {
        Some(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        None => format!("{seconds} s"),
    }
}

/// A length of time in the largest unit that it is a whole number of, up to days.
pub(crate) fn span(seconds: u64) -> String {
    for (length, name) in [(DAY, "days"), (3_600, "hours"), (60, "minutes")] {
        if seconds != 0 && seconds.is_multiple_of(length) {
            let count = seconds / length;
            return format!(
                "{} {}",
                grouped(count),
                if count == 1 { name.trim_end_matches('s') } else { name }
            );
        }
    }
    format!("{} s", grouped(seconds))
}

/// A fraction of 1e18 in per cent with four decimals, rounded down.
pub(crate) fn percent(wad: U256) -> String {
    let millionths = wad / U256::from(1_000_000_000_000_u64);
    let (whole, rest) = millionths.div_rem(U256::from(10_000));
    format!("{}.{rest:0>4} %", grouped(whole))
}

/// Basis points in per cent.
pub(crate) fn bps(points: u64) -> String {
    format!("{}.{:02} %", points / 100, points % 100)
}

/// A time as given with `flag`: `2026-12-01` (midnight UTC), `2026-12-01T12:00:00Z`, or `+20m` after `now`.
pub(crate) fn parse_time(flag: &str, text: &str, now: u64) -> Result<u64, Failure> {
    let relative = text.strip_prefix('+').and_then(parse_span).and_then(|length| now.checked_add(length));
    let exact = || text.parse::<Timestamp>().ok();
    let midnight =
        || text.parse::<civil::Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    let seconds = relative.or_else(|| {
        let time = if text.contains(':') { exact() } else { midnight() };
        time.and_then(|time| u64::try_from(time.as_second()).ok())
    });
    seconds.ok_or_else(|| {
        Failure::usage(format!("{flag}: expected a time, got {text:?}"))
            .right(format!("{flag} 2026-12-01 (00:00 UTC), {flag} 2026-12-01T12:00:00Z, or {flag} +20m"))
    })
}

/// Seconds of `90s`, `20m`, `36h`, `14d` or `2w`.
pub(crate) fn parse_span(text: &str) -> Option<u64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse::<u64>().ok()).flatten()?.checked_mul(unit)
}

/// A rate in per cent a year, as given with `flag`, as a fraction of 1e18.
pub(crate) fn parse_percent(flag: &str, text: &str) -> Result<u64, Failure> {
    // A per cent is 1e16 of 1e18, so sixteen decimals are exact.
    let wad = decimal(text.trim_end_matches('%').trim_end(), 16).and_then(|wad| u64::try_from(wad).ok());
    wad.ok_or_else(|| {
        Failure::usage(format!("{flag}: expected per cent a year, got {text:?}"))
            .right(format!("digits with at most 16 decimals, such as {flag} 2.5"))
    })
}

/// Digits, then perhaps a point and at most `decimals` more; no sign, no exponent, no separators.
fn decimal(text: &str, decimals: u8) -> Option<U256> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let width = usize::from(decimals);
    let rest = if text.contains('.') { rest } else { "" };
    let fits =
        digits(whole) && (rest.is_empty() && !text.contains('.') || digits(rest)) && rest.len() <= width;
    fits.then(|| format!("{whole}{rest:0<width$}").parse().ok()).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    fn dollar() -> Token {
        Token { address: Address::ZERO, symbol: "dUSD".to_owned(), decimals: 6 }
    }

    #[test]
    fn amounts_are_exact_or_refused() {
        let token = dollar();
        for (text, units) in
            [("1000.5", 1_000_500_000_u64), ("0.000001", 1), ("7", 7_000_000), ("007", 7_000_000)]
        {
            assert_eq!(token.parse("--sum", text).unwrap(), U256::from(units), "{text}");
        }
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e6", "1,000", "1.0000001", " 1", "0x10", "1.2.3"] {
            assert!(token.parse("--sum", text).is_err(), "{text:?}");
        }
        let huge = "9".repeat(80);
        assert!(token.parse("--sum", &huge).is_err());
        assert!(token.parse_u128("--sum", &"9".repeat(40)).is_err());
        let whole = Token { decimals: 0, ..token };
        assert_eq!(whole.parse("--sum", "12").unwrap(), U256::from(12));
        assert!(whole.parse("--sum", "12.0").is_err());
    }

    #[test]
    fn times_are_read_and_shown_in_utc() {
        assert_eq!(parse_time("--until", "2026-12-01", 0).unwrap(), 1_796_083_200);
        assert_eq!(parse_time("--until", "2026-12-01T02:00:00+02:00", 0).unwrap(), 1_796_083_200);
        assert_eq!(parse_time("--deadline", "+20m", 100).unwrap(), 1_300);
        assert_eq!(utc(1_796_083_200), "2026-12-01 00:00:00 UTC");
        assert_eq!(utc(u64::MAX), format!("{} s", u64::MAX));
        for text in
            ["tomorrow", "2026-13-01", "2026-12-01T00:00:00", "20m", "+20", "+99999999999999999999d", ""]
        {
            assert!(parse_time("--until", text, 0).is_err(), "{text:?}");
        }
    }

    #[test]
    fn spans_and_rates_have_units() {
        assert_eq!([span(86_400), span(7_200), span(61), span(0)], ["1 day", "2 hours", "61 s", "0 s"]);
        assert_eq!(parse_percent("--floor-rate", "2.5").unwrap(), 25_000_000_000_000_000);
        assert!(parse_percent("--floor-rate", "2,5").is_err());
        assert_eq!(percent(U256::from(25_000_000_000_000_000_u64)), "2.5000 %");
        assert_eq!(bps(1_005), "10.05 %");
    }
}
