//! How results look: colour, tables, numbers for people.

use std::io::IsTerminal;

use alloy::primitives::U256;
use comfy_table::{CellAlignment, Table};
use serde_json::Value;

use crate::args::{Color, Global};

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Palette {
    on: bool,
}

impl Palette {
    /// Colour as the user wants it; `terminal`: the output goes to one.
    pub(crate) fn new(when: Color, terminal: bool) -> Self {
        let wanted = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { on: when == Color::Always || (when == Color::Auto && wanted) }
    }

    /// No colour.
    pub(crate) fn plain() -> Self {
        Self { on: false }
    }

    /// Wrong.
    pub(crate) fn red(self, text: &str) -> String {
        self.paint("31;1", text)
    }

    /// Right.
    pub(crate) fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Worth a look.
    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Worth less than a look.
    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Where results go and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// JSON in place of text.
    pub(crate) json: bool,
    /// Colours of stdout.
    pub(crate) palette: Palette,
}

impl Screen {
    /// As the flags say.
    pub(crate) fn new(global: &Global) -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self { json: global.json, palette: Palette::new(global.color, terminal && !global.json) }
    }

    /// Prints one JSON value on a line of its own.
    pub(crate) fn object(&self, value: &Value) {
        line(&value.to_string());
    }

    /// Prints a line of text, and nothing where JSON is wanted.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        if !self.json {
            line(text.as_ref());
        }
    }

    /// "ok" or "no", in its colour and four wide.
    pub(crate) fn verdict(&self, ok: bool) -> String {
        if ok { self.palette.green("ok  ") } else { self.palette.red("no  ") }
    }
}

/// `println!` panics when the reader has gone; whoever closes a pipe has seen enough.
/// A disk that is full has not, and a script must not take half a line for a result.
fn line(text: &str) {
    use std::io::Write as _;
    if let Err(error) = writeln!(std::io::stdout(), "{text}") {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        eprintln!("error: cannot write to standard output: {error}");
        eprintln!("right: an output with room for the result");
        eprintln!(" more: breakwater help");
        std::process::exit(1);
    }
}

/// A table without borders; the columns named in `right` are flush right.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>], right: &[usize]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(header.to_vec());
    for row in rows {
        table.add_row(row.clone());
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Digits in groups of three: `1,234,567`.
pub(crate) fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits.as_str()),
    };
    let mut text = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An amount in whole units with all of its decimals: columns of them align, and no unit is hidden.
pub(crate) fn amount(units: impl Into<U256>, decimals: u8) -> String {
    let (whole, rest) = units.into().div_rem(one(decimals));
    let width = usize::from(decimals);
    match width {
        0 => grouped(whole),
        _ => format!("{}.{rest:0>width$}", grouped(whole)),
    }
}

/// An amount in whole units and hundredths, rounded down, for sentences.
pub(crate) fn cents(units: impl Into<U256>, decimals: u8) -> String {
    let (whole, rest) = units.into().div_rem(one(decimals));
    let hundredths = rest * U256::from(100) / one(decimals);
    format!("{}.{hundredths:0>2}", grouped(whole))
}

fn one(decimals: u8) -> U256 {
    U256::from(10).pow(U256::from(decimals))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_from_the_right() {
        let groups = [(0u64, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")];
        for (number, text) in groups {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(grouped(-1_234), "-1,234");
    }

    #[test]
    fn amounts_keep_every_unit() {
        assert_eq!(amount(U256::from(1_234_500_000u64), 6), "1,234.500000");
        assert_eq!(amount(U256::from(1u64), 6), "0.000001");
        assert_eq!(amount(U256::from(7u64), 0), "7");
    }

    #[test]
    fn cents_round_down() {
        assert_eq!(cents(U256::from(1_234_509_999u64), 6), "1,234.50");
        assert_eq!(cents(U256::from(999_999u64), 6), "0.99");
        assert_eq!(cents(U256::from(7u64), 0), "7.00");
    }

    #[test]
    fn tables_align_and_end_without_spaces() {
        let rows = vec![vec!["a".to_owned(), "1".to_owned()], vec!["long".to_owned(), "1,000".to_owned()]];
        let text = table(&["name", "units"], &rows, &[1]);
        assert_eq!(text, "name  units\na         1\nlong  1,000");
    }
}
