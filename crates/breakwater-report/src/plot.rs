//! Axes, scales and shapes in SVG.

use std::fmt::Write as _;

use crate::figure::{grouped, trimmed};

/// Text that may stand in HTML and SVG, attributes included.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// At most so many characters, the last an ellipsis where some were left out.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// From values to places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Scale {
    /// Even steps. An empty range is widened.
    pub(crate) fn linear(low: f64, high: f64, from: f64, to: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, from, to, log: false }
    }

    /// Even factors; both ends above zero.
    pub(crate) fn log(low: f64, high: f64, from: f64, to: f64) -> Self {
        let high = if high > low { high } else { low * 10.0 };
        Self { low, high, from, to, log: true }
    }

    /// Where a value is, kept within the axis.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let part = if self.log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + part.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// Round values along the axis, about `wanted` of them; every decade on a logarithmic one.
    pub(crate) fn ticks(&self, wanted: usize) -> Vec<f64> {
        if self.log {
            let (first, last) = (self.low.log10().ceil() as i32, (self.high.log10() + 1e-9).floor() as i32);
            let decades = (first..=last).map(|e| 10f64.powi(e));
            if last - first >= 2 {
                return decades.collect();
            }
            // Where few decades fit, parts of them too.
            let parts = (first - 1..=last).flat_map(|e| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(e)));
            return parts.filter(|v| (self.low..=self.high).contains(v)).collect();
        }
        let raw = (self.high - self.low) / wanted.max(1) as f64;
        let unit = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|m| m * unit >= raw).unwrap_or(10.0) * unit;
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last).map(|k| k as f64 * step).collect()
    }
}

/// A value at a tick.
pub(crate) fn tick(value: f64) -> String {
    if value.abs() >= 1000.0 { grouped(format!("{value:.0}")) } else { trimmed(value) }
}

/// A drawing under way.
#[derive(Debug)]
pub(crate) struct Plot {
    width: f64,
    height: f64,
    body: String,
}

/// Where text is anchored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Plot {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    fn add(&mut self, shape: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.body.write_fmt(shape);
        self.body.push('\n');
    }

    pub(crate) fn line(&mut self, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
        self.add(format_args!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        ));
    }

    /// A rectangle with words that show when one points at it.
    pub(crate) fn rect(&mut self, class: &str, [x, y]: [f64; 2], [w, h]: [f64; 2], about: &str) {
        let (w, h) = (w.max(0.0), h.max(0.0));
        self.add(format_args!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{w:.1}" height="{h:.1}"><title>{}</title></rect>"#,
            escape(about)
        ));
    }

    /// A rectangle of one hue, the stronger the nearer `part` is to one.
    pub(crate) fn heat(&mut self, part: f64, [x, y]: [f64; 2], [w, h]: [f64; 2], about: &str) {
        let part = part.clamp(0.0, 1.0);
        self.add(format_args!(
            r#"<rect class="heat" fill-opacity="{part:.3}" x="{x:.1}" y="{y:.1}" width="{w:.1}" height="{h:.1}"><title>{}</title></rect>"#,
            escape(about)
        ));
    }

    pub(crate) fn dot(&mut self, class: &str, [x, y]: [f64; 2], about: &str) {
        self.add(format_args!(
            r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="3.5"><title>{}</title></circle>"#,
            escape(about)
        ));
    }

    pub(crate) fn text(&mut self, class: &str, anchor: Anchor, [x, y]: [f64; 2], words: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.add(format_args!(
            r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{}</text>"#,
            escape(words)
        ));
    }

    /// Text that runs upwards.
    pub(crate) fn upwards(&mut self, class: &str, [x, y]: [f64; 2], words: &str) {
        self.add(format_args!(
            r#"<text class="{class}" text-anchor="middle" transform="translate({x:.1} {y:.1}) rotate(-90)">{}</text>"#,
            escape(words)
        ));
    }

    pub(crate) fn path(&mut self, class: &str, points: &[[f64; 2]], closed: bool) {
        let mut d = String::new();
        for (i, [x, y]) in points.iter().enumerate() {
            let _ = write!(d, "{}{x:.1} {y:.1}", if i == 0 { "M" } else { "L" });
        }
        if !points.is_empty() {
            let end = if closed { "Z" } else { "" };
            self.add(format_args!(r#"<path class="{class}" d="{d}{end}"/>"#));
        }
    }

    /// Grid lines and values of a horizontal axis at `bottom`; lines reach up to `top`.
    pub(crate) fn x_axis(&mut self, scale: &Scale, [top, bottom]: [f64; 2], ticks: usize, title: &str) {
        for value in scale.ticks(ticks) {
            let x = scale.at(value);
            self.line("grid", [x, top], [x, bottom]);
            self.text("tick", Anchor::Middle, [x, bottom + 16.0], &tick(value));
        }
        let middle = 0.5 * (scale.from + scale.to);
        self.text("label", Anchor::Middle, [middle, bottom + 36.0], title);
    }

    /// Grid lines of a vertical axis, each with its words.
    pub(crate) fn y_axis(
        &mut self,
        scale: &Scale,
        [left, right]: [f64; 2],
        ticks: &[(f64, String)],
        title: &str,
    ) {
        for (value, words) in ticks {
            let y = scale.at(*value);
            self.line("grid", [left, y], [right, y]);
            self.text("tick", Anchor::End, [left - 6.0, y + 4.0], words);
        }
        let middle = 0.5 * (scale.from + scale.to);
        self.upwards("label", [14.0, middle], title);
    }

    /// The whole element; `about` is read out in its place.
    pub(crate) fn finish(self, about: &str) -> String {
        let Self { width, height, body } = self;
        format!(
            "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{}\">\n{body}</svg>\n",
            escape(about)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(Scale::linear(0.0, 47.0, 0.0, 1.0).ticks(5), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(Scale::log(0.0007, 1.0, 0.0, 1.0).ticks(5).len(), 4);
        assert_eq!(Scale::linear(0.0, 0.0, 0.0, 10.0).at(0.0), 0.0);
    }

    #[test]
    fn names_cannot_leave_their_place() {
        assert_eq!(escape("<b a='1'>&\""), "&lt;b a=&#39;1&#39;&gt;&amp;&quot;");
        assert_eq!(shortened("lending market", 8), "lending…");
    }
}
