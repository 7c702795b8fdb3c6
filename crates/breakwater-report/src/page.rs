//! The page around the charts.

use breakwater_capital::measure::Level;
use breakwater_capital::outcome::{Figures, Layer, LayerErrors, Outcome, Share};

use crate::figure::{figure, grouped, percent, trimmed};
use crate::plot::escape;
use crate::{Report, charts};

/// Products, and causes, that have a bar.
const BARS: usize = 15;
/// Rows of the full table of the allocation: what is beyond is in the data, not on the page.
const ROWS: usize = 500;

pub(crate) fn page(report: &Report<'_>) -> String {
    let Report { outcome, model, .. } = *report;
    let mut parts = vec![head(outcome), cards(outcome), curves(report)];
    if !outcome.layers.is_empty() || !model.pools.is_empty() {
        parts.push(programme(report));
    }
    parts.push(allocation(outcome));
    if let Some(joint) = report.joint.filter(|j| j.names.len() > 1) {
        let about = format!(
            "Of the years in which all losses on a cluster's products are among its worst 1 %, how many are among the \
             worst of another; without dependence it would be 1 %. From {} of the years. The clusters with the largest \
             parts of the capital.",
            grouped(joint.years)
        );
        parts.push(section("Clusters in bad years", &about, &charts::heat(joint)));
    }
    if report.convergence.len() > 1 {
        let body =
            legend(&[("a", "gross"), ("b", "net")]) + &charts::convergence(report.convergence, &outcome.unit);
        let about =
            "TVaR 99 % after so many years of the same run; bars hold the truth 95 times of a hundred.";
        parts.push(section("Convergence", about, &body));
    }
    parts.push(section("Figures", "± is one standard error.", &(figures(outcome) + &levels(outcome))));
    parts.push(inputs(report));
    let title = escape(&outcome.portfolio);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}: capital</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
        include_str!("style.css"),
        parts.concat()
    )
}

fn section(title: &str, about: &str, body: &str) -> String {
    let about = if about.is_empty() { String::new() } else { format!("<p>{}</p>\n", escape(about)) };
    format!("<section>\n<h2>{}</h2>\n{about}{body}</section>\n", escape(title))
}

fn head(outcome: &Outcome) -> String {
    format!(
        "<header>\n<h1>{}</h1>\n<p>{} years, seed {}, method {}. Amounts in {}.</p>\n</header>\n",
        escape(&outcome.portfolio),
        grouped(outcome.years),
        outcome.seed,
        escape(&outcome.method),
        escape(&outcome.unit)
    )
}

/// The figures that are looked for first.
fn cards(outcome: &Outcome) -> String {
    let errors = &outcome.standard_errors;
    let card = |name: &str, value: f64, error: f64| {
        let [value, error] = figure(value, error);
        format!("<div><span>{name}</span><strong>{value}</strong><em>{error}</em></div>\n")
    };
    let cards = [
        card("expected loss, gross", outcome.gross.mean, errors.gross.mean),
        card("expected loss, net", outcome.net.mean, errors.net.mean),
        card("TVaR 99 %, gross", outcome.gross.tvar99, errors.gross.tvar99),
        card("TVaR 99 %, net", outcome.net.tvar99, errors.net.tvar99),
        card("VaR 99.5 %, gross", outcome.gross.var995, errors.gross.var995),
        card("VaR 99.5 %, net", outcome.net.var995, errors.net.var995),
    ];
    format!("<div class=\"cards\">\n{}</div>\n", cards.concat())
}

fn legend(entries: &[(&str, &str)]) -> String {
    let entry =
        |(class, name): &(&str, &str)| format!("<span class=\"key {class}\"></span>{} ", escape(name));
    format!("<p class=\"legend\">{}</p>\n", entries.iter().map(entry).collect::<String>())
}

fn curves(report: &Report<'_>) -> String {
    let body = legend(&[("a", "gross year"), ("b", "net year"), ("c", "largest event, gross")])
        + &charts::exceedance(report.outcome);
    let about = "How often a year loses more than an amount; bands hold the truth 95 times of a hundred. What fewer \
                 than ten simulated years say is left out.";
    section("Exceedance", about, &body)
}

fn programme(report: &Report<'_>) -> String {
    let Report { outcome, model, .. } = *report;
    let errors = &outcome.standard_errors;
    let mut body = charts::layers(model, outcome);
    if !outcome.layers.is_empty() {
        body += &borne("treaty", &outcome.layers, &errors.layers, true);
    }
    let mut sections = section(
        "Programme",
        "What each treaty pays for, as wide as the share that is placed, and what each pool holds for the rest.",
        &body,
    );
    if !outcome.tranches.is_empty() {
        let keys = legend(&[
            ("a", "average year"),
            ("c", "VaR 99.5 %"),
            ("b", "mean of the worst 1 % of its years"),
        ]);
        let body = keys
            + &charts::tranches(model, outcome)
            + &borne("tranche", &outcome.tranches, &errors.tranches, true);
        sections += &section("Tranches", "Losses as shares of each one's capital.", &body);
    }
    if !outcome.others.is_empty() {
        sections += &section("Besides", "", &borne("amount", &outcome.others, &errors.others, false));
    }
    sections
}

fn allocation(outcome: &Outcome) -> String {
    let (errors, whole, unit) = (&outcome.standard_errors, outcome.gross.tvar99, outcome.unit.as_str());
    let chart = |title: &str, parts: &[Share], errors: &[f64]| {
        format!("<h3>{title}</h3>\n{}", charts::allocation(parts, errors, whole, BARS, unit))
    };
    let body = chart("Products", &outcome.allocation, &errors.allocation)
        + &chart("Causes", &outcome.causes, &errors.causes)
        + &parts("product", &outcome.allocation, &errors.allocation, whole);
    let about = "What each brings to the mean of the worst 1 % of gross years; all parts sum to the whole. Whiskers \
                 hold the truth 95 times of a hundred.";
    section("Allocation of the gross TVaR 99 %", about, &body)
}

fn parts(kind: &str, parts: &[Share], errors: &[f64], whole: f64) -> String {
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|&a, &b| parts[b].tvar99.total_cmp(&parts[a].tvar99).then(a.cmp(&b)));
    let row = |&i: &usize| {
        let [value, error] = figure(parts[i].tvar99, errors[i]);
        let share = if whole > 0.0 { 100.0 * parts[i].tvar99 / whole } else { 0.0 };
        vec![parts[i].id.clone(), value, error, format!("{share:.2}")]
    };
    let rows: Vec<Vec<String>> = order.iter().take(ROWS).map(row).collect();
    let count = if rows.len() < parts.len() {
        format!("The {} largest of {} parts", rows.len(), grouped(parts.len()))
    } else {
        format!("All {} parts", grouped(parts.len()))
    };
    let table = table(&[kind, "part", "±", "% of the whole"], &rows);
    format!("<details><summary>{count}</summary>\n{table}</details>\n")
}

/// The first column is names; pairs of a value and its error follow.
fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let head: String = header.iter().map(|h| format!("<th>{}</th>", escape(h))).collect();
    let body: String = rows
        .iter()
        .map(|row| {
            let cells: String = row.iter().map(|c| format!("<td>{}</td>", escape(c))).collect();
            format!("<tr>{cells}</tr>\n")
        })
        .collect();
    format!(
        "<div class=\"scroll\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table></div>\n"
    )
}

fn with_error([value, error]: [String; 2]) -> String {
    if error.is_empty() { value } else { format!("{value} {error}") }
}

fn figures(outcome: &Outcome) -> String {
    let errors = &outcome.standard_errors;
    let row = |name: &str, of: fn(&Figures) -> f64| {
        let cell = |value: &Figures, error: &Figures| with_error(figure(of(value), of(error)));
        vec![name.to_owned(), cell(&outcome.gross, &errors.gross), cell(&outcome.net, &errors.net)]
    };
    let rows = [
        row("mean", |f| f.mean),
        row("standard deviation", |f| f.sd),
        row("VaR 99 %", |f| f.var99),
        row("VaR 99.5 %", |f| f.var995),
        row("TVaR 99 %", |f| f.tvar99),
    ];
    table(&["a year", "gross", "net"], &rows)
}

fn levels(outcome: &Outcome) -> String {
    let all = &outcome.levels;
    let var = |l: &Level| with_error(figure(l.var, l.var_error));
    let tail = |l: &Level| with_error(figure(l.tvar, l.tvar_error));
    let rows: Vec<Vec<String>> = all
        .gross
        .iter()
        .zip(&all.net)
        .zip(&all.largest)
        .map(|((gross, net), largest)| {
            let name = format!("{} %", trimmed(100.0 * gross.level));
            vec![name, var(gross), tail(gross), var(net), tail(net), var(largest)]
        })
        .collect();
    table(&["level", "gross VaR", "gross TVaR", "net VaR", "net TVaR", "largest event"], &rows)
}

/// `bounded`: there is something that can be used up.
fn borne(kind: &str, layers: &[Layer], errors: &[LayerErrors], bounded: bool) -> String {
    let rows: Vec<Vec<String>> = layers
        .iter()
        .zip(errors)
        .map(|(layer, error)| {
            let of = |of: fn(&Figures) -> f64| with_error(figure(of(&layer.figures), of(&error.figures)));
            let mut row =
                vec![layer.id.clone(), of(|f| f.mean), of(|f| f.sd), of(|f| f.var995), of(|f| f.tvar99)];
            row.push(with_error(percent(layer.attach, error.attach)));
            if bounded {
                row.push(with_error(percent(layer.exhaust, error.exhaust)));
            }
            row
        })
        .collect();
    let header = [kind, "mean", "sd", "VaR 99.5 %", "TVaR 99 %", "attaches, %", "exhausted, %"];
    table(&header[..if bounded { 7 } else { 6 }], &rows)
}

fn inputs(report: &Report<'_>) -> String {
    let Report { outcome, model, .. } = *report;
    let document = &model.portfolio;
    let sum = |of: fn(&breakwater_capital::portfolio::Product) -> f64| {
        with_error(figure(document.products.iter().fold(0.0, |sum, p| sum + of(p)), 0.0))
    };
    let rows = [
        ("products", grouped(document.products.len())),
        ("exposure, all products", sum(|p| p.exposure)),
        ("premium a year", sum(|p| p.premium)),
        ("attacks a year on products alone", sum(|p| p.rate)),
        ("clusters", grouped(document.clusters.len())),
        ("laws of the share lost", grouped(document.severities.len())),
        ("states of the market", grouped(model.regimes.len())),
        ("treaties", grouped(document.treaties.len())),
        ("pools", grouped(document.pools.len())),
        ("hash of the portfolio", outcome.hashes.data.to_string()),
        ("hash of the engine and its method", outcome.hashes.model.to_string()),
        ("hash of seed and years", outcome.hashes.seed.to_string()),
        ("made by", concat!("breakwater ", env!("CARGO_PKG_VERSION")).to_owned()),
    ];
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.into(), value]).collect();
    let about = "The same portfolio, seed and years give the same digits on any machine.";
    section("Inputs", about, &table(&["", ""], &rows).replace("<table>", "<table class=\"plain\">"))
}
