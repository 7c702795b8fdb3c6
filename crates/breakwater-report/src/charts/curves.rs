//! Exceedance curves, and convergence.

use breakwater_capital::outcome::Outcome;

use super::{SIDES, WIDTH};
use crate::Converged;
use crate::figure::{figure, grouped};
use crate::plot::{Plot, Scale, tick};

const LEFT: f64 = 106.0;
const RIGHT: f64 = WIDTH - 14.0;

/// Yearly probability of more than an amount, on a logarithmic scale, with its band.
pub(crate) fn exceedance(outcome: &Outcome) -> String {
    let (top, bottom) = (12.0, 330.0);
    let curves = [("a", &outcome.curves.gross), ("b", &outcome.curves.net), ("c", &outcome.curves.largest)];
    let greatest = curves.iter().flat_map(|(_, c)| c.last()).fold(0.0, |most: f64, p| most.max(p[0]));
    // What fewer than ten years decide is not drawn as if it were known.
    let rarest = (10.0 / outcome.years as f64).min(0.1);
    let curves = curves.map(|(class, curve)| (class, cut(curve, rarest)));
    let reach = curves.iter().flat_map(|(_, c)| c.last()).fold(0.0, |most: f64, p| most.max(p[0]));
    let x = Scale::linear(0.0, if reach > 0.0 { 1.03 * reach } else { greatest }, LEFT, RIGHT);
    let y = Scale::log(rarest, 1.0, bottom, top);
    let mut plot = Plot::new(WIDTH, bottom + 46.0);
    plot.x_axis(&x, [top, bottom], 8, &outcome.unit);
    let ticks: Vec<(f64, String)> = y.ticks(0).into_iter().map(|p| (p, period(p))).collect();
    plot.y_axis(&y, [LEFT, RIGHT], &ticks, "a year with more, once in");
    for (class, points) in &curves {
        let edge = |side: f64| points.iter().map(move |p| [x.at(p[0]), y.at(p[1] + side * SIDES * p[2])]);
        let band: Vec<[f64; 2]> = edge(1.0).chain(edge(-1.0).rev()).collect();
        plot.path(&format!("band {class}"), &band, true);
        let line: Vec<[f64; 2]> = points.iter().map(|p| [x.at(p[0]), y.at(p[1])]).collect();
        plot.path(&format!("line {class}"), &line, false);
    }
    plot.finish("Exceedance curves: gross year, net year and largest event")
}

/// A curve down to a probability: what is beyond is cut off where the line to it crosses.
fn cut(curve: &[[f64; 3]], rarest: f64) -> Vec<[f64; 3]> {
    let shown = curve.partition_point(|p| p[1] >= rarest);
    let mut points = curve[..shown].to_vec();
    if let (Some(&last), Some(&[x, p, _])) = (points.last(), curve.get(shown)) {
        let part = if p > 0.0 { (last[1] / rarest).ln() / (last[1] / p).ln() } else { 0.0 };
        points.push([last[0] + part * (x - last[0]), rarest, last[2] * rarest / last[1]]);
    }
    points
}

fn period(probability: f64) -> String {
    match 1.0 / probability {
        years if years < 1.5 => "every year".into(),
        years => format!("{} years", tick(years.round())),
    }
}

/// TVaR 99 % by the number of years, with intervals.
pub(crate) fn convergence(points: &[Converged], unit: &str) -> String {
    let (top, bottom) = (12.0, 250.0);
    let all = |of: fn(&Converged) -> [f64; 2]| points.iter().map(of);
    let ends = all(|p| p.gross).chain(all(|p| p.net)).flat_map(|[v, e]| [v - SIDES * e, v + SIDES * e]);
    let (least, most) = ends.fold((f64::INFINITY, 0.0f64), |(a, b), v| (a.min(v), b.max(v)));
    let years = |i: Option<&Converged>| i.map_or(1.0, |p| p.years.max(1) as f64);
    let x = Scale::log(years(points.first()) / 1.5, years(points.last()) * 1.5, LEFT, RIGHT);
    let room = 0.05 * (most - least.min(most));
    let y = Scale::linear((least.min(most) - room).max(0.0), most + room, bottom, top);
    let mut plot = Plot::new(WIDTH, bottom + 46.0);
    plot.x_axis(&x, [top, bottom], 6, "years simulated");
    let ticks: Vec<(f64, String)> = y.ticks(6).into_iter().map(|v| (v, tick(v))).collect();
    plot.y_axis(&y, [LEFT, RIGHT], &ticks, unit);
    for (class, shift, of) in
        [("a", -3.0, (|p| p.gross) as fn(&Converged) -> [f64; 2]), ("b", 3.0, |p| p.net)]
    {
        let line: Vec<[f64; 2]> =
            points.iter().map(|p| [x.at(p.years as f64) + shift, y.at(of(p)[0])]).collect();
        plot.path(&format!("line thin {class}"), &line, false);
        for (point, &[px, py]) in points.iter().zip(&line) {
            let [value, error] = of(point);
            let span = |side: f64| [px, y.at(value + side * SIDES * error)];
            plot.line(&format!("whisker {class}"), span(-1.0), span(1.0));
            let [value, error] = figure(value, error);
            plot.dot(
                &format!("dot {class}"),
                [px, py],
                &format!("{} years: {value} {error}", grouped(point.years)),
            );
        }
    }
    plot.finish("Convergence of TVaR 99 % with the number of years")
}
