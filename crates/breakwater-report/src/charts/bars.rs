//! Bars: allocation, and what tranches bear.

use breakwater_capital::Model;
use breakwater_capital::outcome::{Outcome, Share};

use super::{SIDES, WIDTH};
use crate::figure::{figure, trimmed};
use crate::plot::{Anchor, Plot, Scale, shortened};

const LEFT: f64 = 150.0;
const RIGHT: f64 = WIDTH - 96.0;
const STEP: f64 = 24.0;

/// The largest parts of the TVaR with their intervals.
pub(crate) fn allocation(parts: &[Share], errors: &[f64], whole: f64, most: usize, unit: &str) -> String {
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|&a, &b| parts[b].tvar99.total_cmp(&parts[a].tvar99).then(a.cmp(&b)));
    order.truncate(most);
    let greatest = order.iter().fold(0.0f64, |top, &i| top.max(parts[i].tvar99 + SIDES * errors[i]));
    let bottom = 8.0 + STEP * order.len() as f64;
    let x = Scale::linear(0.0, greatest, LEFT, RIGHT);
    let mut plot = Plot::new(WIDTH, bottom + 46.0);
    plot.x_axis(&x, [4.0, bottom], 6, unit);
    for (row, &i) in order.iter().enumerate() {
        let (part, error) = (&parts[i], errors[i]);
        let y = 8.0 + STEP * row as f64;
        let middle = y + 9.0;
        let end = x.at(part.tvar99);
        let [value, said] = figure(part.tvar99, error);
        let share = if whole > 0.0 { 100.0 * part.tvar99 / whole } else { 0.0 };
        let about = format!("{}: {value} {said}, {share:.1} % of the whole", part.id);
        plot.text("name", Anchor::End, [LEFT - 8.0, middle + 4.0], &shortened(&part.id, 20));
        plot.rect("bar a", [LEFT, y], [end - LEFT, 18.0], &about);
        let span = |side: f64| [x.at(part.tvar99 + side * SIDES * error), middle];
        plot.line("whisker ink", span(-1.0), span(1.0));
        let beside = x.at(part.tvar99 + SIDES * error) + 8.0;
        plot.text("value", Anchor::Start, [beside, middle + 4.0], &format!("{value} · {share:.1} %"));
    }
    plot.finish("The largest parts of the gross TVaR 99 %")
}

/// What each tranche loses of its capital: in an average year, at 99.5 % and in the worst 1 % of years.
pub(crate) fn tranches(model: &Model, outcome: &Outcome) -> String {
    let capital: Vec<f64> = model
        .pools
        .iter()
        .flat_map(|p| std::iter::once(p.terms.surplus).chain(p.terms.tranches.iter().map(|t| t.capital)))
        .collect();
    let rows: Vec<_> = outcome.tranches.iter().zip(&capital).filter(|(_, c)| **c > 0.0).collect();
    let group = 62.0;
    let bottom = 8.0 + group * rows.len() as f64;
    let x = Scale::linear(0.0, 100.0, LEFT, RIGHT);
    let mut plot = Plot::new(WIDTH, bottom + 46.0);
    plot.x_axis(&x, [4.0, bottom], 5, "% of its capital");
    for (row, (tranche, capital)) in rows.iter().enumerate() {
        let y = 8.0 + group * row as f64;
        plot.text("name", Anchor::End, [LEFT - 8.0, y + 30.0], &shortened(&tranche.id, 20));
        let figures = &tranche.figures;
        let bars = [
            ("a", "mean", figures.mean),
            ("c", "VaR 99.5 %", figures.var995),
            ("b", "TVaR 99 %", figures.tvar99),
        ];
        for (place, (class, name, value)) in bars.into_iter().enumerate() {
            let top = y + 16.0 * place as f64;
            let part = 100.0 * value / *capital;
            let end = x.at(part);
            plot.rect(&format!("bar {class}"), [LEFT, top], [(end - LEFT).max(1.0), 13.0], name);
            let words = format!("{} %", trimmed((part * 100.0).round() / 100.0));
            plot.text("value", Anchor::Start, [end + 6.0, top + 11.0], &words);
        }
    }
    plot.finish("Losses of surplus and tranches as shares of their capital")
}
