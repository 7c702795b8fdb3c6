//! `capital allocate`.

use breakwater_capital::analysis::allocate::{self, Allocation, Part, Whole};
use clap::Args;

use super::study::{Asked, Level, refused};
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, grouped, table};
use breakwater_report::figure::figure;

/// What to allocate.
#[derive(Debug, Args)]
pub(crate) struct Allocate {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    level: Level,
    /// Products that the tables list; JSON has all
    #[arg(long, value_name = "N", default_value_t = 15)]
    top: usize,
}

/// Allocates and says who causes what.
pub(crate) fn allocate(asked: &Allocate, screen: &Screen) -> Result<Outcome, Failure> {
    let study = asked.asked.study()?;
    let years = study.years()?;
    let found = allocate::allocate(&study.model, &years, asked.level.level, study.options.threads)
        .map_err(|stopped| refused(&stopped, "--level between 0 and 1, for example 0.99"))?;
    study.answer("allocation", &found, screen, |_| tables(&found, asked.top))?;
    Ok(Outcome::Ok)
}

fn tables(found: &Allocation, top: usize) -> Vec<String> {
    let level = 100.0 * found.level;
    let mut out = vec![];
    for (name, whole) in [("gross", &found.gross), ("net", &found.net)] {
        let [tvar, error] = figure(whole.tvar, whole.tvar_error);
        let [saved, saved_error] = figure(whole.diversification, whole.diversification_error);
        out.push(format!(
            "{name}: TVaR {level:.2} % {tvar} {error}; diversification takes off {saved} {saved_error}"
        ));
        out.push(parts("product", whole, &whole.products, top));
        out.push(parts("cause", whole, &whole.causes, whole.causes.len()));
    }
    let mut rows: Vec<Vec<String>> = found
        .treaties
        .iter()
        .map(|t| {
            let cells = [
                figure(t.mean, t.mean_error),
                figure(t.euler, t.euler_error),
                figure(t.marginal, t.marginal_error),
            ];
            std::iter::once(t.id.clone()).chain(cells.into_iter().flatten()).collect()
        })
        .collect();
    let [kept, kept_error] = figure(found.retained.0, found.retained.1);
    rows.push(vec!["retained".into(), String::new(), String::new(), kept, kept_error]);
    out.push(table(
        &["treaty", "mean", "", "of gross TVaR", "", "net TVaR without it", ""],
        &rows,
        &[1, 3, 5],
    ));
    let rows: Vec<Vec<String>> = found
        .tranches
        .iter()
        .map(|t| {
            let [euler, error] = figure(t.euler, t.euler_error);
            vec![t.id.clone(), euler, error]
        })
        .collect();
    out.push(table(&["tranche", "of net TVaR", ""], &rows, &[1]));
    out
}

/// The largest parts, and what the rest is together.
fn parts(kind: &str, whole: &Whole, parts: &[Part], top: usize) -> String {
    let mut order: Vec<&Part> = parts.iter().collect();
    order.sort_by(|a, b| b.euler.total_cmp(&a.euler));
    let percent =
        |part: f64| format!("{:.1}", if whole.tvar > 0.0 { 100.0 * part / whole.tvar } else { 0.0 });
    let mut rows: Vec<Vec<String>> = order
        .iter()
        .take(top)
        .map(|p| {
            let mut row = vec![p.id.clone()];
            row.extend(figure(p.mean, p.mean_error));
            row.extend(figure(p.euler, p.euler_error));
            row.push(percent(p.euler));
            row.extend(figure(p.marginal, p.marginal_error));
            row.push(figure(p.alone, 0.0)[0].clone());
            row
        })
        .collect();
    if let Some(rest) = order.get(top..).filter(|rest| !rest.is_empty()) {
        let sum = |of: fn(&Part) -> f64| rest.iter().fold(0.0, |sum, p| sum + of(p));
        let one = |value: f64| figure(value, 0.0)[0].clone();
        let (mean, euler, alone) = (sum(|p| p.mean), sum(|p| p.euler), sum(|p| p.alone));
        let none = String::new;
        rows.push(vec![
            format!("{} more", grouped(rest.len())),
            one(mean),
            none(),
            one(euler),
            none(),
            percent(euler),
            none(),
            none(),
            one(alone),
        ]);
    }
    table(&[kind, "mean", "", "Euler", "", "%", "marginal", "", "alone"], &rows, &[1, 3, 5, 6, 8])
}
