//! How many years are enough.
//!
//! A run of fewer years is the beginning of the longer one, block for block, so that the rows of the report are nested:
//! what changes from one to the next is what the added years said. The error of a figure falls with the root of the number
//! of years, so that a relative error `e` needs `n (error / (e * figure))^2` of them.

use serde::{Deserialize, Serialize};

use crate::{
    model::Model,
    outcome::{Failure, Figures, Options, Outcome, evaluate},
    simulate::BLOCK,
};

/// The figures of a run of so many years.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Years.
    pub years: u64,
    /// Gross figures.
    pub gross: Figures,
    /// Their standard errors.
    pub gross_errors: Figures,
    /// Net figures.
    pub net: Figures,
    /// Their standard errors.
    pub net_errors: Figures,
}

/// How many years a figure needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enough {
    /// The figure, for example `net tvar99`.
    pub figure: String,
    /// Its value in the longest run.
    pub value: f64,
    /// Its relative standard error there.
    pub relative_error: f64,
    /// Years at which that is the error asked for; none if the figure is zero.
    pub years: Option<u64>,
}

/// A convergence report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Convergence {
    /// How the years were drawn.
    pub method: String,
    /// The relative standard error asked for.
    pub wanted: f64,
    /// Nested runs, fewest years first.
    pub rows: Vec<Row>,
    /// By figure.
    pub enough: Vec<Enough>,
}

/// Runs the model with `options.years` years and with the first half, quarter, ... of them, `steps` rows in all where a
/// row has at least one block of [`BLOCK`] years; `wanted` is the relative standard error to be reached.
///
/// # Errors
/// What a run's are; [`Failure::Refused`] if `wanted` is not above 0.
pub fn converge(
    model: &Model,
    options: &Options,
    steps: usize,
    wanted: f64,
    watch: &(dyn Fn(u64) -> bool + Sync),
) -> Result<Convergence, Failure> {
    if !(wanted.is_finite() && wanted > 0.0) {
        return Err(Failure::Refused(format!("relative error {wanted}; it must be above 0")));
    }
    let mut outcomes = vec![];
    for years in prefixes(options.years, steps) {
        outcomes.push(evaluate(model, &Options { years, ..*options }, watch)?);
    }
    let last = outcomes.last().ok_or(Failure::Years(options.years))?;
    let enough = enough(last, wanted);
    let method = last.method.clone();
    Ok(Convergence { method, wanted, rows: outcomes.iter().map(row).collect(), enough })
}

/// Years that a report of so many years simulates in all, for a progress bar.
pub fn effort(years: u64, steps: usize) -> u64 {
    prefixes(years, steps).iter().sum()
}

/// Whole blocks, so that each run is the beginning of the next; the last is all years.
fn prefixes(years: u64, steps: usize) -> Vec<u64> {
    let block = BLOCK as u64;
    let half = |k: usize| years.checked_shr(k as u32).unwrap_or(0) / block * block;
    let mut rows: Vec<u64> = (1..steps.max(1)).map(half).filter(|&n| n > 0).collect();
    rows.dedup();
    rows.reverse();
    rows.push(years);
    rows
}

fn row(outcome: &Outcome) -> Row {
    Row {
        years: outcome.years,
        gross: outcome.gross,
        gross_errors: outcome.standard_errors.gross,
        net: outcome.net,
        net_errors: outcome.standard_errors.net,
    }
}

fn enough(outcome: &Outcome, wanted: f64) -> Vec<Enough> {
    let of = |side: &str, figures: &Figures, errors: &Figures| {
        let name = |figure: &str| format!("{side} {figure}");
        [
            (name("mean"), figures.mean, errors.mean),
            (name("sd"), figures.sd, errors.sd),
            (name("var99"), figures.var99, errors.var99),
            (name("var995"), figures.var995, errors.var995),
            (name("tvar99"), figures.tvar99, errors.tvar99),
        ]
    };
    let one = |(figure, value, error): (String, f64, f64)| {
        let relative_error = if value > 0.0 { error / value } else { 0.0 };
        let ratio = relative_error / wanted;
        // Rounded up: a year more never hurts.
        let years = (value > 0.0).then(|| (outcome.years as f64 * ratio * ratio).ceil() as u64);
        Enough { figure, value, relative_error, years }
    };
    let errors = &outcome.standard_errors;
    let gross = of("gross", &outcome.gross, &errors.gross);
    gross.into_iter().chain(of("net", &outcome.net, &errors.net)).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::cp500;

    #[test]
    fn rows_are_nested_and_errors_fall_with_the_root() {
        let model = Model::new(cp500()).unwrap();
        let options = Options { years: 262_144, seed: 8, threads: 2 };
        let report = converge(&model, &options, 5, 0.005, &|_| true).unwrap();
        let years: Vec<u64> = report.rows.iter().map(|r| r.years).collect();
        assert_eq!(years, [16_384, 32_768, 65_536, 131_072, 262_144]);
        // A row is what a run of so many years says.
        let alone = evaluate(&model, &Options { years: 65_536, ..options }, &|_| true).unwrap();
        assert_eq!(report.rows[2].gross, alone.gross);
        let (few, many) = (&report.rows[0].gross_errors, &report.rows[4].gross_errors);
        assert!((few.mean / many.mean / 4.0 - 1.0).abs() < 0.1, "{} {}", few.mean, many.mean);
        // The study's crude error at a million years is .25 % of TVaR 99: half a per cent needs about 250,000.
        let tvar = report.enough.iter().find(|e| e.figure == "gross tvar99").unwrap();
        let needed = tvar.years.unwrap();
        assert!((150_000..400_000).contains(&needed), "{needed}");
        // As many years as it says bring the error asked for.
        let options = Options { years: needed, ..options };
        let run = evaluate(&model, &options, &|_| true).unwrap();
        let error = run.standard_errors.gross.tvar99 / run.gross.tvar99;
        assert!((error / 0.005 - 1.0).abs() < 0.1, "{error}");
    }

    #[test]
    fn short_runs_have_fewer_rows() {
        let block = BLOCK as u64;
        assert_eq!(prefixes(block - 1, 5), [block - 1]);
        assert_eq!(prefixes(2 * block + 7, 5), [block, 2 * block + 7]);
        assert_eq!(effort(2 * block + 7, 5), 3 * block + 7);
        assert_eq!(prefixes(1 << 20, 1), [1 << 20]);
        let model = Model::new(cp500()).unwrap();
        let options = Options { years: 100, seed: 8, threads: 1 };
        assert!(converge(&model, &options, 3, 0.0, &|_| true).is_err());
        assert!(converge(&model, &options, 3, f64::NAN, &|_| true).is_err());
    }
}
