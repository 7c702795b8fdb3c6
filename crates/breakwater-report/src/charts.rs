//! The charts of a report.

mod bars;
mod curves;
mod heat;
mod layers;

pub(crate) use bars::{allocation, tranches};
pub(crate) use curves::{convergence, exceedance};
pub(crate) use heat::heat;
pub(crate) use layers::layers;

/// Width of every chart, in units of the drawing.
const WIDTH: f64 = 760.0;
/// Standard errors to each side of an interval that holds the truth 95 times of a hundred.
const SIDES: f64 = 1.96;
