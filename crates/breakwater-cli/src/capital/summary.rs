//! What a run found, as tables for people.

use breakwater_capital::outcome::{Figures, Layer, LayerErrors, Outcome, Share};

use breakwater_report::figure::{figure, percent, trimmed};

use crate::style::{Palette, grouped, table};

/// Parts of the allocation that are listed.
const LISTED: usize = 10;

/// What was run.
pub(crate) fn head(found: &Outcome, threads: usize, palette: Palette) -> String {
    let threads = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
    format!(
        "{}  {} years, seed {}, {}, {threads}, {:.3} s\n{}",
        palette.bold(&found.portfolio),
        grouped(found.years),
        found.seed,
        found.method,
        found.seconds,
        palette.dim(&format!("amounts in {}; ± is one standard error", found.unit)),
    )
}

/// Everything else.
pub(crate) fn tables(found: &Outcome, palette: Palette) -> String {
    let errors = &found.standard_errors;
    let mut parts = vec![yearly(found), levels(found)];
    if !found.layers.is_empty() {
        parts.push(borne("treaty", &found.layers, &errors.layers));
    }
    if !found.tranches.is_empty() {
        parts.push(borne("tranche", &found.tranches, &errors.tranches));
    }
    if !found.others.is_empty() {
        parts.push(borne("other", &found.others, &errors.others));
    }
    let whole = found.gross.tvar99;
    parts.push(allocation("TVaR 99 % by product", &found.allocation, &errors.allocation, whole));
    parts.push(allocation("TVaR 99 % by cause", &found.causes, &errors.causes, whole));
    let hashes = &found.hashes;
    parts.push(palette.dim(&format!("model {}\ndata  {}\nseed  {}", hashes.model, hashes.data, hashes.seed)));
    parts.iter().map(|part| format!("\n{part}")).collect::<Vec<_>>().join("\n")
}

fn yearly(found: &Outcome) -> String {
    let errors = &found.standard_errors;
    let row = |name: &str, of: fn(&Figures) -> f64| {
        let pairs = [(&found.gross, &errors.gross), (&found.net, &errors.net)];
        let cells = pairs.into_iter().flat_map(|(value, error)| figure(of(value), of(error)));
        std::iter::once(name.to_owned()).chain(cells).collect::<Vec<_>>()
    };
    let rows = [
        row("mean", |f| f.mean),
        row("sd", |f| f.sd),
        row("VaR 99 %", |f| f.var99),
        row("VaR 99.5 %", |f| f.var995),
        row("TVaR 99 %", |f| f.tvar99),
    ];
    table(&["a year", "gross", "", "net", ""], &rows, &[1, 3])
}

fn levels(found: &Outcome) -> String {
    let errors = &found.levels;
    let rows: Vec<Vec<String>> = errors
        .gross
        .iter()
        .zip(&errors.net)
        .zip(&errors.largest)
        .map(|((gross, net), largest)| {
            let cells = [
                figure(gross.var, gross.var_error),
                figure(gross.tvar, gross.tvar_error),
                figure(net.var, net.var_error),
                figure(net.tvar, net.tvar_error),
                figure(largest.var, largest.var_error),
            ];
            let name = format!("{} %", trimmed(100.0 * gross.level));
            std::iter::once(name).chain(cells.into_iter().flatten()).collect()
        })
        .collect();
    let header = ["level", "gross VaR", "", "TVaR", "", "net VaR", "", "TVaR", "", "largest event", ""];
    table(&header, &rows, &[0, 1, 3, 5, 7, 9])
}

fn borne(kind: &str, layers: &[Layer], errors: &[LayerErrors]) -> String {
    let rows: Vec<Vec<String>> = layers
        .iter()
        .zip(errors)
        .map(|(layer, error)| {
            let cells = [
                figure(layer.figures.mean, error.figures.mean),
                figure(layer.figures.sd, error.figures.sd),
                figure(layer.figures.var99, error.figures.var99),
                figure(layer.figures.tvar99, error.figures.tvar99),
                percent(layer.attach, error.attach),
                percent(layer.exhaust, error.exhaust),
            ];
            std::iter::once(layer.id.clone()).chain(cells.into_iter().flatten()).collect()
        })
        .collect();
    let header =
        [kind, "mean", "", "sd", "", "VaR 99 %", "", "TVaR 99 %", "", "attaches %", "", "exhausted %", ""];
    table(&header, &rows, &[1, 3, 5, 7, 9, 11])
}

/// The largest parts, and what the rest is together.
fn allocation(title: &str, parts: &[Share], errors: &[f64], whole: f64) -> String {
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|&a, &b| parts[b].tvar99.total_cmp(&parts[a].tvar99).then(a.cmp(&b)));
    let of_whole = |part: f64| if whole > 0.0 { 100.0 * part / whole } else { 0.0 };
    let mut rows: Vec<Vec<String>> = order
        .iter()
        .take(LISTED)
        .map(|&i| {
            let [value, error] = figure(parts[i].tvar99, errors[i]);
            vec![parts[i].id.clone(), value, error, format!("{:.1}", of_whole(parts[i].tvar99))]
        })
        .collect();
    if let Some(rest) = order.get(LISTED..).filter(|rest| !rest.is_empty()) {
        let sum = rest.iter().fold(0.0, |sum, &i| sum + parts[i].tvar99);
        let [value, _] = figure(sum, 0.0);
        rows.push(vec![
            format!("{} more", grouped(rest.len())),
            value,
            String::new(),
            format!("{:.1}", of_whole(sum)),
        ]);
    }
    table(&[title, "", "", "%"], &rows, &[1, 3])
}
