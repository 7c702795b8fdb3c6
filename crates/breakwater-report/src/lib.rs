//! A capital run as one HTML file: charts, tables, inputs and hashes.
//!
//! The key decision: charts are SVG whose shapes have classes in place of colours, so that one file is light, dark and
//! printable by its style sheet alone. It holds no script, loads nothing and needs no fonts of its own.
//!
//! The crate is pure: an outcome in, a string out.

mod charts;
pub mod figure;
mod page;
mod plot;

use breakwater_capital::{Model, joint::Joint, outcome::Outcome};

/// What a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// What was run.
    pub model: &'a Model,
    /// What came out.
    pub outcome: &'a Outcome,
    /// The same with fewer years, fewest first.
    pub convergence: &'a [Converged],
    /// Which clusters have their bad years together.
    pub joint: Option<&'a Joint>,
}

/// TVaR 99 % after so many years.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Converged {
    /// Years simulated.
    pub years: u64,
    /// Gross figure and its standard error, in the portfolio's unit.
    pub gross: [f64; 2],
    /// Net figure and its standard error, in the portfolio's unit.
    pub net: [f64; 2],
}

impl Converged {
    /// Of an outcome.
    pub fn of(outcome: &Outcome) -> Self {
        let errors = &outcome.standard_errors;
        Self {
            years: outcome.years,
            gross: [outcome.gross.tvar99, errors.gross.tvar99],
            net: [outcome.net.tvar99, errors.net.tvar99],
        }
    }
}

/// The whole file.
pub fn html(report: &Report<'_>) -> String {
    page::page(report)
}
