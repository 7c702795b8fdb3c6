//! The programme: which amounts each treaty and each tranche bears.

use breakwater_capital::Model;
use breakwater_capital::outcome::{Layer, Outcome};
use breakwater_capital::portfolio::Cover;

use super::WIDTH;
use crate::figure::{fixed, trimmed};
use crate::plot::{Anchor, Plot, Scale, shortened, tick};

const LEFT: f64 = 84.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 350.0;

/// A box of the diagram.
struct Slab {
    name: String,
    /// From and to, in amounts; up without end if `to` is none.
    from: f64,
    to: Option<f64>,
    /// Share that is placed.
    share: f64,
    class: &'static str,
    terms: String,
}

/// One column a treaty, and one for each pool.
pub(crate) fn layers(model: &Model, outcome: &Outcome) -> String {
    let treaties: Vec<(Slab, &Layer)> =
        model.portfolio.treaties.iter().map(slab).zip(&outcome.layers).collect();
    let mut tops: Vec<f64> = treaties.iter().map(|(s, _)| s.to.unwrap_or(s.from)).collect();
    tops.extend(model.pools.iter().map(breakwater_capital::model::Pool::capital));
    let known = tops.iter().fold(0.0f64, |most, &t| most.max(t));
    let highest = if known > 0.0 { 1.06 * known } else { outcome.gross.var995.max(1.0) };
    let columns = treaties.len() + model.pools.len();
    let y = Scale::linear(0.0, highest, BOTTOM, TOP);
    let right = WIDTH - 14.0;
    let width = (right - LEFT) / columns.max(1) as f64;
    let mut plot = Plot::new(WIDTH, BOTTOM + 58.0);
    let ticks: Vec<(f64, String)> = y.ticks(7).into_iter().map(|v| (v, tick(v))).collect();
    plot.y_axis(&y, [LEFT, right], &ticks, &outcome.unit);
    let letters = (width / 7.2) as usize;
    for (place, (slab, layer)) in treaties.iter().enumerate() {
        let x = LEFT + width * place as f64;
        head(&mut plot, x + 0.5 * width, letters, &slab.name, &slab.terms);
        column(&mut plot, &y, [x, width], slab, layer, highest);
    }
    let mut tranche = 0;
    for (place, pool) in model.pools.iter().enumerate() {
        let x = LEFT + width * (treaties.len() + place) as f64;
        head(&mut plot, x + 0.5 * width, letters, &pool.terms.id, "pool, by year");
        let mut from = 0.0;
        let sizes = std::iter::once(pool.terms.surplus).chain(pool.terms.tranches.iter().map(|t| t.capital));
        for (step, size) in sizes.enumerate() {
            let layer = &outcome.tranches[tranche];
            tranche += 1;
            if size > 0.0 {
                let name = layer.id.rsplit('/').next().unwrap_or_default().to_owned();
                let class = ["slab d", "slab e"][step % 2];
                let to = Some(from + size);
                let slab = Slab { name, from, to, share: 1.0, class, terms: String::new() };
                column(&mut plot, &y, [x, width], &slab, layer, highest);
                let low = y.at(from) - y.at(from + size);
                if low > 30.0 {
                    let place = [x + 0.5 * width, y.at(from + size) + 12.0];
                    plot.text("name", Anchor::Middle, place, &shortened(&slab.name, letters));
                }
            }
            from += size;
        }
    }
    plot.finish("Which amounts each treaty and each tranche bears")
}

fn head(plot: &mut Plot, middle: f64, letters: usize, name: &str, terms: &str) {
    plot.text("strong", Anchor::Middle, [middle, 16.0], &shortened(name, letters));
    plot.text("tick", Anchor::Middle, [middle, 32.0], &shortened(terms, letters * 6 / 5));
}

/// The box itself, as wide as the share that is placed, with what it bears below.
fn column(plot: &mut Plot, y: &Scale, [x, width]: [f64; 2], slab: &Slab, layer: &Layer, highest: f64) {
    let inner = 0.84 * width;
    let left = x + 0.5 * (width - inner);
    let to = slab.to.unwrap_or(highest);
    let (top, bottom) = (y.at(to), y.at(slab.from));
    let mean = digits(layer.figures.mean);
    let attach = digits(100.0 * layer.attach);
    let about = format!("{}: {mean} a year, something in {attach} % of years", layer.id);
    if slab.share < 1.0 {
        plot.rect("slab open", [left, top], [inner, bottom - top], &about);
    }
    plot.rect(slab.class, [left, top], [slab.share * inner, bottom - top], &about);
    if slab.class == "slab a" {
        let middle = x + 0.5 * width;
        plot.text("tick", Anchor::Middle, [middle, BOTTOM + 18.0], &format!("{mean} a year"));
        plot.text("tick", Anchor::Middle, [middle, BOTTOM + 34.0], &format!("{attach} % of years"));
    }
}

/// Three digits: a diagram has no room for more.
fn digits(value: f64) -> String {
    if value <= 0.0 {
        return "0".into();
    }
    let decimals = (2.0 - value.log10().floor()).clamp(0.0, 6.0) as usize;
    fixed(value, decimals)
}

fn slab(treaty: &breakwater_capital::portfolio::Treaty) -> Slab {
    let n = |x: f64| trimmed((1e4 * x).round() / 1e4);
    let placed =
        if treaty.share < 1.0 { format!("{} % of ", n(100.0 * treaty.share)) } else { String::new() };
    let (from, to, terms) = match &treaty.cover {
        Cover::QuotaShare { event_limit, .. } => (0.0, *event_limit, "each event".to_owned()),
        Cover::EventExcess { attachment, limit, .. } => {
            (*attachment, Some(attachment + limit), format!("{} xs {}, event", n(*limit), n(*attachment)))
        }
        Cover::StopLoss { attachment, limit } => {
            (*attachment, Some(attachment + limit), format!("{} xs {}, year", n(*limit), n(*attachment)))
        }
        Cover::Catastrophe { trigger, pays, .. } => {
            (*trigger, Some(trigger + pays), format!("{} from {} on", n(*pays), n(*trigger)))
        }
    };
    Slab { name: treaty.id.clone(), from, to, share: treaty.share, class: "slab a", terms: placed + &terms }
}
