//! `capital require`.

use breakwater_capital::analysis::require::{self, Requirement};
use breakwater_capital::outcome;
use clap::Args;

use super::study::{Asked, watched};
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, table};
use breakwater_report::figure::{figure, fixed, percent};

/// Whose requirement.
#[derive(Debug, Args)]
pub(crate) struct Require {
    #[command(flatten)]
    asked: Asked,
}

/// Says how much must be held.
pub(crate) fn require(asked: &Require, screen: &Screen) -> Result<Outcome, Failure> {
    let study = asked.asked.study()?;
    let outcome =
        watched(study.options.years, |watch| outcome::evaluate(&study.model, &study.options, watch))?;
    let found = require::require(&study.model, &outcome);
    study.answer("capital required", &found, screen, |_| tables(&found))?;
    Ok(Outcome::Ok)
}

fn tables(found: &Requirement) -> Vec<String> {
    let rows: Vec<Vec<String>> = found
        .needs
        .iter()
        .map(|n| {
            let mut row = vec![format!("{} %", fixed(100.0 * n.level, 2))];
            row.extend(figure(n.var, n.var_error));
            row.extend(figure(n.over_var, n.var_error));
            row.extend(figure(n.tvar, n.tvar_error));
            row.extend(figure(n.over_tvar, n.tvar_error));
            row
        })
        .collect();
    let needs = table(
        &["level", "net VaR", "", "held less VaR", "", "net TVaR", "", "held less TVaR", ""],
        &rows,
        &[0, 1, 3, 5, 7],
    );
    let held = format!("held: {}", figure(found.held, 0.0)[0]);
    let rows: Vec<Vec<String>> = found
        .tranches
        .iter()
        .map(|t| {
            let mut row = vec![t.id.clone(), figure(t.capital, 0.0)[0].clone()];
            row.extend(figure(t.mean, t.mean_error));
            row.extend(percent(t.attach, t.attach_error));
            row.extend(percent(t.exhaust, t.exhaust_error));
            row
        })
        .collect();
    let tranches = table(
        &["tranche", "capital", "mean loss", "", "attaches %", "", "exhausted %", ""],
        &rows,
        &[1, 2, 4, 6],
    );
    if found.tranches.is_empty() { vec![held, needs] } else { vec![held, needs, tranches] }
}
