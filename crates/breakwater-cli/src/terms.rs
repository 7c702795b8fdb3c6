//! Terms of a product with the gauge behind them, and the text that the contracts render from both.

use alloy::sol_types::SolValue;
use breakwater_bindings::{Catalog, Wording};

/// The call that renders the wording of these terms.
///
/// # Errors
/// None as long as both contracts mean the same structs; the types come out once for each of them.
pub(crate) fn wording_call(
    terms: &Catalog::Product,
    gauge: &Catalog::GaugeInfo,
) -> Result<Wording::wordingCall, alloy::sol_types::Error> {
    Ok(Wording::wordingCall {
        terms: Wording::Product::abi_decode(&terms.abi_encode())?,
        gauge: Wording::GaugeInfo::abi_decode(&gauge.abi_encode())?,
    })
}

/// The lines below a heading of a wording, up to the next one.
pub(crate) fn section<'a>(wording: &'a str, heading: &str) -> &'a str {
    let mark = format!("## {heading}\n");
    let Some((_, rest)) = wording.split_once(&mark) else { return "" };
    rest.split("\n## ").next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_end_where_the_next_begins() {
        let text = "# T\n\n## One\n\na\nb\n\n## Two\n\nc\n";
        assert_eq!([section(text, "One"), section(text, "Two"), section(text, "Three")], ["a\nb", "c", ""]);
    }
}
