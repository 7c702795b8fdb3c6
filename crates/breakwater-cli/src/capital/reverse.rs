//! `capital reverse`.

use breakwater_capital::analysis::reverse::{self, Reverse as Found, Shock, Suspect, Way};
use clap::Args;

use super::study::{Asked, refused};
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, grouped, table};
use breakwater_report::figure::{figure, fixed, percent};

/// What breaks.
#[derive(Debug, Args)]
pub(crate) struct Reverse {
    #[command(flatten)]
    asked: Asked,
    /// Loss beyond which the pool is broken, in the portfolio's unit [default: the capital of all pools]
    #[arg(long, value_name = "AMOUNT")]
    breaking_point: Option<f64>,
}

/// Says in which ways the pool breaks.
pub(crate) fn reverse(asked: &Reverse, screen: &Screen) -> Result<Outcome, Failure> {
    let study = asked.asked.study()?;
    let years = study.years()?;
    let found = reverse::reverse(&study.model, &years, asked.breaking_point, study.options.threads)
        .map_err(|stopped| refused(&stopped, "--breaking-point AMOUNT, from 0 on"))?;
    study.answer("reverse stress", &found, screen, |_| tables(&found))?;
    Ok(Outcome::Ok)
}

fn tables(found: &Found) -> Vec<String> {
    let [p, error] = percent(found.probability, found.probability_error);
    let point = &figure(found.breaking_point, 0.0)[0];
    let mut out = vec![match found.at_most {
        None => format!(
            "a loss above {point} in {p} {error} % of years ({}); then {} above it on average, {} events in the year \
             (ordinarily {}), the largest {} % of the gross loss",
            grouped(found.broken),
            figure(found.mean_excess, 0.0)[0],
            fixed(found.events[0], 1),
            fixed(found.events[1], 1),
            fixed(100.0 * found.largest_event, 0),
        ),
        Some(bound) => format!(
            "no year of {} lost more than {point}; with 95 % confidence fewer than {} % do",
            grouped(found.years),
            fixed(100.0 * bound, 4)
        ),
    }];
    if found.broken > 0 {
        let last = found.suffice.len();
        let suffice = found.suffice.iter().enumerate().filter(|s| *s.1 > 0.0).map(|(i, share)| {
            let more = if i + 1 == last { " or more" } else { "" };
            vec![format!("{}{more}", i + 1), fixed(100.0 * share, 1)]
        });
        out.push(table(&["events that suffice", "% of breaking years"], &suffice.collect::<Vec<_>>(), &[1]));
        out.push(ways("pattern", &found.patterns));
        out.push(ways("way", &found.ways));
        out.push(suspects("cause", &found.causes));
        out.push(suspects("product", &found.products));
    }
    out.push(shocks("single claim on", &found.single_products));
    if !found.single_clusters.is_empty() {
        out.push(shocks("all members of", &found.single_clusters));
    }
    out
}

fn ways(kind: &str, ways: &[Way]) -> String {
    let said =
        |(what, times): &(String, u32)| if *times == 1 { what.clone() } else { format!("{times} × {what}") };
    let rows: Vec<Vec<String>> = ways
        .iter()
        .map(|w| {
            let [p, error] = percent(w.given_break, w.given_break_error);
            vec![w.events.iter().map(said).collect::<Vec<_>>().join(" + "), p, error]
        })
        .collect();
    table(&[kind, "% of breaking years", ""], &rows, &[1])
}

fn suspects(kind: &str, suspects: &[Suspect]) -> String {
    let rows: Vec<Vec<String>> = suspects
        .iter()
        .map(|s| {
            let [p, error] = percent(s.given_break, s.given_break_error);
            let times = if s.any_year > 0.0 { fixed(s.given_break / s.any_year, 1) } else { "-".into() };
            vec![s.id.clone(), fixed(100.0 * s.share, 2), p, error, fixed(100.0 * s.any_year, 2), times]
        })
        .collect();
    table(
        &[kind, "% of the loss", "in % of breaking years", "", "in % of years", "times as often"],
        &rows,
        &[1, 2, 4, 5],
    )
}

fn shocks(kind: &str, shocks: &[Shock]) -> String {
    let rows: Vec<Vec<String>> = shocks
        .iter()
        .map(|s| {
            vec![
                s.id.clone(),
                figure(s.most, 0.0)[0].clone(),
                s.breaking_share.map_or_else(|| "never".into(), |x| fixed(100.0 * x, 2)),
                s.probability.map_or_else(|| "-".into(), |p| fixed(100.0 * p, 4)),
            ]
        })
        .collect();
    table(&[kind, "costs at most, net", "breaks from a share lost of %", "% a year"], &rows, &[1, 2, 3])
}
