//! A portfolio from a file or from standard input.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use breakwater_capital::{Fault, Portfolio};

use super::MORE;
use crate::failure::Failure;

/// The largest document that is read: a hundred thousand products with all of their fields are 50 MiB.
const LARGEST: u64 = 1 << 30;

/// Reads and parses a portfolio; `-` is standard input. Whether its numbers are possible is not checked yet.
pub(crate) fn portfolio(file: &Path) -> Result<Portfolio, Failure> {
    let text = text(file)?;
    let parsed = if is_json(file, &text) { Portfolio::from_json(&text) } else { Portfolio::from_toml(&text) };
    parsed.map_err(|fault| refused(file, &fault))
}

/// A fault of the document, as a failure of the command.
pub(crate) fn refused(file: &Path, fault: &Fault) -> Failure {
    Failure::usage(format!("{}: {fault}", name(file)))
        .right("a portfolio as docs/capital-engine.md describes it, or `breakwater capital example small`")
        .more(MORE)
}

/// What to call the file in a sentence.
pub(crate) fn name(file: &Path) -> String {
    if is_standard_input(file) { "standard input".to_owned() } else { file.display().to_string() }
}

fn is_standard_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// By the file's extension, and where that says nothing by what the text begins with.
fn is_json(file: &Path, text: &str) -> bool {
    match file.extension().and_then(|e| e.to_str()) {
        Some("json") => true,
        Some("toml") => false,
        _ => text.trim_start().starts_with('{'),
    }
}

/// The whole text of a file.
pub(crate) fn text(file: &Path) -> Result<String, Failure> {
    let unreadable = |wrong: String| {
        Failure::usage(format!("cannot read {}: {wrong}", name(file)))
            .right("a file with a portfolio in TOML or JSON, or - for standard input")
            .more(MORE)
    };
    let mut bytes = vec![];
    let read = if is_standard_input(file) {
        std::io::stdin().take(LARGEST + 1).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|f| f.take(LARGEST + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(unreadable(format!("it is larger than {} MiB", LARGEST >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| {
        unreadable(format!("byte {} is not UTF-8; is it a text?", error.utf8_error().valid_up_to() + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_says_the_form_and_else_the_text() {
        assert!(is_json(Path::new("a.json"), "schema = 1"));
        assert!(!is_json(Path::new("a.toml"), "{"));
        assert!(is_json(Path::new("-"), "\n {\"schema\": 1}"));
        assert!(!is_json(Path::new("portfolio"), "schema = 1"));
    }
}
