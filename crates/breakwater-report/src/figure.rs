//! Numbers for people: as many digits as their standard error leaves.

/// A figure and its standard error, each as text; the error is `±0.012`, and empty where there is none.
pub fn figure(value: f64, error: f64) -> [String; 2] {
    let decimals = decimals(if error > 0.0 { error } else { value.abs() * 1e-3 });
    let said = if error > 0.0 { format!("±{}", fixed(error, decimals)) } else { String::new() };
    [fixed(value, decimals), said]
}

/// A probability in per cent, with its standard error.
pub fn percent(probability: f64, error: f64) -> [String; 2] {
    figure(100.0 * probability, 100.0 * error)
}

/// Digits in groups of three: `1,234,567`.
pub fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits.as_str()),
    };
    let mut text = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Without trailing zeros: `99.5`, `12`.
pub fn trimmed(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Decimals that show two digits of an error.
fn decimals(error: f64) -> usize {
    if error <= 0.0 || !error.is_finite() {
        return 2;
    }
    // At least none, at most eight: what is finer than that is rounding.
    (1.0 - error.log10().floor()).clamp(0.0, 8.0) as usize
}

/// With so many decimals, and digits before the point in groups.
pub fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    // What rounds to zero has no sign.
    let text = if text.trim_start_matches(['-', '0', '.']).is_empty() { text.replace('-', "") } else { text };
    match text.split_once('.') {
        Some((whole, rest)) => format!("{}.{rest}", grouped(whole)),
        None => grouped(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_two_digits_and_its_figure_as_many_places() {
        assert_eq!(figure(4.536_712, 0.005_08), ["4.5367", "±0.0051"]);
        assert_eq!(figure(12_345.6, 120.0), ["12,346", "±120"]);
        assert_eq!(figure(3.25, 0.0), ["3.2500", ""]);
        assert_eq!(figure(0.0, 0.0), ["0.00", ""]);
        assert_eq!(percent(0.398_81, 0.000_49), ["39.881", "±0.049"]);
    }

    #[test]
    fn zero_has_no_sign() {
        assert_eq!(fixed(-0.000_1, 2), "0.00");
        assert_eq!(fixed(-1_234.5, 1), "-1,234.5");
    }
}
