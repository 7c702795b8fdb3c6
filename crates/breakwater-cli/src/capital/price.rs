//! `capital price`.

use std::path::PathBuf;

use breakwater_capital::analysis::{
    allocate::allocate,
    price::{self, Basis, CoverPrice, NewCover, TreatyPrice},
};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::study::{Asked, Level, refused};
use super::{MORE, input};
use crate::failure::{Failure, Outcome};
use crate::style::{Screen, grouped, table};
use breakwater_report::figure::{figure, fixed};

/// What to price and how.
#[derive(Debug, Args)]
pub(crate) struct Price {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    level: Level,
    /// TOML with [[product]] tables to write anew, and what they need of [[severity]], [[mixing]] and [[cluster]]; only
    /// these are listed
    #[arg(long, value_name = "FILE")]
    cover: Option<PathBuf>,
    /// Cost of a unit of capital a year, a fraction
    #[arg(long, value_name = "RATE", default_value_t = 0.1)]
    cost_of_capital: f64,
    /// Whose TVaR the capital of a cover is taken from
    #[arg(long, value_enum, default_value_t = Side::Net)]
    basis: Side,
    /// Return a year that a reinsurer wants on what it risks, a fraction
    #[arg(long = "return", value_name = "RATE", default_value_t = 0.15)]
    wanted: f64,
    /// Products that the table lists, dearest first; JSON has all
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
}

/// Before or after treaties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// Before treaties
    Gross,
    /// After treaties
    Net,
}

/// Prices found.
#[derive(Debug, Serialize)]
struct Prices {
    years: u64,
    level: f64,
    cost_of_capital: f64,
    basis: Basis,
    wanted_return: f64,
    covers: Vec<CoverPrice>,
    treaties: Vec<TreatyPrice>,
}

/// Prices covers and treaties.
pub(crate) fn price(asked: &Price, screen: &Screen) -> Result<Outcome, Failure> {
    let new = asked.cover.as_ref().map(|file| {
        let text = input::text(file)?;
        NewCover::from_toml(&text).map_err(|fault| {
            Failure::usage(format!("{}: {fault}", input::name(file)))
                .right("TOML with [[product]] tables as in a portfolio")
                .more(MORE)
        })
    });
    let new = new.transpose()?;
    let study = asked.asked.sample.study(&asked.asked.file, |portfolio| {
        Ok(new.as_ref().map_or_else(|| portfolio.clone(), |new| new.added_to(&portfolio)))
    })?;
    let years = study.years()?;
    let right = "--level inside (0, 1), --cost-of-capital and --return from 0 on";
    let allocation = allocate(&study.model, &years, asked.level.level, study.options.threads)
        .map_err(|stopped| refused(&stopped, right))?;
    let basis = match asked.basis {
        Side::Gross => Basis::Gross,
        Side::Net => Basis::Net,
    };
    let mut covers = price::covers(&study.model, &allocation, basis, asked.cost_of_capital)
        .map_err(|stopped| refused(&stopped, right))?;
    if let Some(new) = &new {
        covers.drain(..covers.len() - new.products.len());
    }
    let treaties = price::treaties(&study.model, &years, &allocation, asked.wanted)
        .map_err(|stopped| refused(&stopped, right))?;
    let found = Prices {
        years: allocation.years,
        level: allocation.level,
        cost_of_capital: asked.cost_of_capital,
        basis,
        wanted_return: asked.wanted,
        covers,
        treaties,
    };
    study.answer("prices", &found, screen, |_| tables(&found, asked.top))?;
    Ok(Outcome::Ok)
}

fn tables(found: &Prices, top: usize) -> Vec<String> {
    let mut order: Vec<&CoverPrice> = found.covers.iter().collect();
    order.sort_by(|a, b| b.price.total_cmp(&a.price));
    let mut rows: Vec<Vec<String>> = order
        .iter()
        .take(top)
        .map(|p| {
            let mut row = vec![p.id.clone()];
            row.extend(figure(p.expected_loss, p.expected_loss_error));
            row.extend(figure(p.marginal, p.marginal_error));
            row.extend(figure(p.price, p.price_error));
            row.push(fixed(100.0 * p.rate, 3));
            row.push(figure(p.premium, 0.0)[0].clone());
            row
        })
        .collect();
    if order.len() > top {
        let mut row = vec![format!("{} more", grouped(order.len() - top))];
        row.resize(9, String::new());
        rows.push(row);
    }
    let covers = table(
        &["cover", "expected loss", "", "marginal TVaR", "", "price", "", "% of exposure", "premium now"],
        &rows,
        &[1, 3, 5, 7, 8],
    );
    let head = format!(
        "capital: marginal {} TVaR {:.2} % at {:.2} % a year; reinsurers want {:.2} %",
        match found.basis {
            Basis::Gross => "gross",
            Basis::Net => "net",
        },
        100.0 * found.level,
        100.0 * found.cost_of_capital,
        100.0 * found.wanted_return
    );
    let rows: Vec<Vec<String>> = found
        .treaties
        .iter()
        .map(|t| {
            let mut row = vec![t.id.clone()];
            row.extend(figure(t.expected_recovery, t.expected_recovery_error));
            row.push(figure(t.sd, 0.0)[0].clone());
            row.push(fixed(100.0 * t.reinstatement, 2));
            row.extend(figure(t.price, t.price_error));
            row.push(fixed(100.0 * t.rate_on_line, 2));
            row.push(figure(t.premium, 0.0)[0].clone());
            row.push(t.return_now.map_or_else(|| "-".into(), |r| fixed(100.0 * r, 2)));
            row.extend(figure(t.saves, t.saves_error));
            row
        })
        .collect();
    let treaties = table(
        &[
            "treaty",
            "expected recovery",
            "",
            "sd",
            "reinstatement %",
            "price",
            "",
            "on line %",
            "premium now",
            "return now %",
            "saves TVaR",
            "",
        ],
        &rows,
        &[1, 3, 4, 5, 7, 8, 9, 10],
    );
    if found.treaties.is_empty() { vec![head, covers] } else { vec![head, covers, treaties] }
}
