//! Which clusters have their bad years together.

use breakwater_capital::joint::Joint;

use super::WIDTH;
use crate::plot::{Anchor, Plot, shortened};

const LEFT: f64 = 130.0;
const TOP: f64 = 78.0;

/// For each pair: how often the column's cluster has one of its worst years when the row's has.
pub(crate) fn heat(joint: &Joint) -> String {
    let n = joint.names.len();
    let cell = ((WIDTH - LEFT - 14.0) / n.max(1) as f64).min(56.0);
    let high = cell.min(34.0);
    let mut plot = Plot::new(WIDTH, TOP + high * n as f64 + 14.0);
    // The scale is by the square root: one in a hundred is what independence gives, and should be told from nothing.
    let strength = |p: f64| p.sqrt();
    let letters = if cell > 50.0 { 7 } else { 5 };
    for (k, name) in joint.names.iter().enumerate() {
        let x = LEFT + cell * (k as f64 + 0.5);
        plot.text("tick", Anchor::Middle, [x, TOP - 8.0], &shortened(name, letters));
        plot.text(
            "name",
            Anchor::End,
            [LEFT - 8.0, TOP + high * (k as f64 + 0.5) + 4.0],
            &shortened(name, 16),
        );
    }
    plot.text("label", Anchor::Start, [LEFT, 20.0], "has one of its worst 1 % of years");
    plot.text("label", Anchor::End, [LEFT - 8.0, TOP - 8.0], "when this has");
    for (row, values) in joint.together.iter().enumerate() {
        for (column, &p) in values.iter().enumerate() {
            let place = [LEFT + cell * column as f64, TOP + high * row as f64];
            let about = format!("{} when {}: {:.1} %", joint.names[column], joint.names[row], 100.0 * p);
            plot.heat(if row == column { 0.0 } else { strength(p) }, place, [cell - 2.0, high - 2.0], &about);
            let words = if row == column { "·".to_owned() } else { format!("{:.0}", 100.0 * p) };
            let class = if row != column && strength(p) > 0.6 { "value over" } else { "value" };
            plot.text(
                class,
                Anchor::Middle,
                [place[0] + 0.5 * cell - 1.0, place[1] + 0.5 * high + 3.0],
                &words,
            );
        }
    }
    plot.finish("How often clusters have their worst years together, in per cent")
}
