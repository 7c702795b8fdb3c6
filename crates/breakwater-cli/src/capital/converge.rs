//! `capital converge`.

use breakwater_capital::analysis::converge::{self, Convergence, effort};
use breakwater_capital::outcome::Figures;
use clap::Args;

use super::study::{Asked, watched};
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, grouped, table};
use breakwater_report::figure::{figure, fixed};

/// What to watch converge.
#[derive(Debug, Args)]
pub(crate) struct Converge {
    #[command(flatten)]
    asked: Asked,
    /// Rows: all years, the first half of them, the first quarter, and so on
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=30))]
    steps: u8,
    /// Relative standard error to be reached, a fraction
    #[arg(long, value_name = "FRACTION", default_value_t = 0.01)]
    error: f64,
}

/// Says how many years are enough.
pub(crate) fn converge(asked: &Converge, screen: &Screen) -> Result<Outcome, Failure> {
    let study = asked.asked.study()?;
    let steps = usize::from(asked.steps);
    let found = watched(effort(study.options.years, steps), |watch| {
        converge::converge(&study.model, &study.options, steps, asked.error, watch)
    })?;
    study.answer("convergence", &found, screen, |_| tables(&found))?;
    Ok(Outcome::Ok)
}

fn tables(found: &Convergence) -> Vec<String> {
    let side = |name: &str, of: fn(&converge::Row) -> (&Figures, &Figures)| {
        let rows: Vec<Vec<String>> = found
            .rows
            .iter()
            .map(|row| {
                let (f, e) = of(row);
                let cells = [
                    figure(f.mean, e.mean),
                    figure(f.sd, e.sd),
                    figure(f.var99, e.var99),
                    figure(f.var995, e.var995),
                    figure(f.tvar99, e.tvar99),
                ];
                std::iter::once(grouped(row.years)).chain(cells.into_iter().flatten()).collect()
            })
            .collect();
        let header = [name, "mean", "", "sd", "", "VaR 99 %", "", "VaR 99.5 %", "", "TVaR 99 %", ""];
        table(&header, &rows, &[0, 1, 3, 5, 7, 9])
    };
    let rows: Vec<Vec<String>> = found
        .enough
        .iter()
        .map(|e| {
            vec![
                e.figure.clone(),
                fixed(100.0 * e.relative_error, 3),
                e.years.map_or_else(|| "-".into(), grouped),
            ]
        })
        .collect();
    let needed = format!("years for {} %", fixed(100.0 * found.wanted, 2));
    vec![
        side("gross, years", |row| (&row.gross, &row.gross_errors)),
        side("net, years", |row| (&row.net, &row.net_errors)),
        table(&["figure", "error now, %", &needed], &rows, &[1, 2]),
    ]
}
