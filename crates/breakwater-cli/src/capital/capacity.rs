//! `capital capacity`.

use breakwater_capital::analysis::capacity::{self, Ask, Cap, Capacity as Found};
use clap::Args;

use super::study::{Asked, Level, refused};
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, grouped, table};
use breakwater_report::figure::{figure, fixed};

/// What to optimise.
#[derive(Debug, Args)]
pub(crate) struct Capacity {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    level: Level,
    /// The most that the gross TVaR may be, in the portfolio's unit [default: the capital of all pools]
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<f64>,
    /// Least scale of every product: 1 is its exposure in the portfolio
    #[arg(long, value_name = "FACTOR", default_value_t = 0.0)]
    least: f64,
    /// Greatest scale of every product
    #[arg(long, value_name = "FACTOR", default_value_t = 2.0)]
    most: f64,
    /// Premium as expected loss times one plus this [default: the premiums in the portfolio]
    #[arg(long, value_name = "FRACTION")]
    loading: Option<f64>,
    /// Gap to the upper bound at which to stop, a fraction of it
    #[arg(long, value_name = "FRACTION", default_value_t = 0.005)]
    gap: f64,
    /// Products that the table lists; JSON has all
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
}

/// Finds caps and leverage.
pub(crate) fn capacity(asked: &Capacity, screen: &Screen) -> Result<Outcome, Failure> {
    let study = asked.asked.study()?;
    let held = study.model.pools.iter().fold(0.0, |sum, p| sum + p.capital());
    let budget = asked.budget.unwrap_or(held);
    let ask = Ask {
        level: asked.level.level,
        budget,
        bounds: [asked.least, asked.most],
        loading: asked.loading,
        gap: asked.gap,
    };
    let years = study.years()?;
    let found = capacity::capacity(&study.model, &years, &ask, study.options.threads).map_err(|stopped| {
        refused(
            &stopped,
            "--budget AMOUNT (or a portfolio with pools), --loading FRACTION (or premiums), --least, --most",
        )
    })?;
    study.answer("capacity", &found, screen, |_| tables(&found, asked.top))?;
    Ok(Outcome::Ok)
}

fn tables(found: &Found, top: usize) -> Vec<String> {
    let one = |value: f64| figure(value, 0.0)[0].clone();
    let head = format!(
        "premium less expected loss {} (now {}), at most {}: a gap of {} % after {} rounds\n\
         gross TVaR {:.2} % {} of {} (now {}); leverage {}",
        one(found.gain),
        one(found.gain_now),
        one(found.at_most),
        fixed(100.0 * found.gap, 3),
        found.rounds,
        100.0 * found.ask.level,
        one(found.tvar),
        one(found.ask.budget),
        one(found.tvar_now),
        fixed(found.leverage, 3),
    );
    vec![head, caps("cluster", &found.clusters, found.clusters.len()), caps("product", &found.products, top)]
}

fn caps(kind: &str, caps: &[Cap], top: usize) -> String {
    let mut order: Vec<&Cap> = caps.iter().collect();
    order.sort_by(|a, b| b.cap.total_cmp(&a.cap));
    let row = |c: &&Cap| {
        let cells = [c.cap, c.scale, c.tvar, c.gain].map(|v| figure(v, 0.0)[0].clone());
        std::iter::once(c.id.clone()).chain(cells).collect::<Vec<_>>()
    };
    let mut rows: Vec<Vec<String>> = order.iter().take(top).map(row).collect();
    if order.len() > top {
        let mut more = vec![format!("{} more", grouped(order.len() - top))];
        more.resize(5, String::new());
        rows.push(more);
    }
    table(&[kind, "cap", "scale", "of TVaR", "gain"], &rows, &[1, 2, 3, 4])
}
