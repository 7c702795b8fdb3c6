//! Where a year's events come from: independent streams of events, each with a rate measure on the lattice.

use rayon::prelude::*;
use realfft::num_complex::Complex64;

use super::{lattice::push, transform::Fourier};

/// Sources whose transforms are held at the same time.
const HELD: usize = 64;

/// Events of one kind: Poisson, or Poisson with a gamma-distributed rate.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    /// Shape of the rate's gamma law; none for a known rate.
    pub(super) shape: Option<f64>,
    /// Events a year that cost each point of the lattice.
    pub(super) measure: Vec<f64>,
    /// Events a year, those that cost nothing included.
    pub(super) rate: f64,
}

impl Source {
    /// Probability that none of its events happens, if they happen at `rate`.
    pub(super) fn none(&self, rate: f64) -> f64 {
        match self.shape {
            None => libm::exp(-rate),
            Some(shape) => libm::exp(-shape * libm::log1p(rate / shape)),
        }
    }

    /// Adds a rate measure.
    pub(super) fn add(&mut self, rate: f64, masses: &[f64]) {
        if self.measure.len() < masses.len() {
            self.measure.resize(masses.len(), 0.0);
        }
        for (sum, mass) in self.measure.iter_mut().zip(masses) {
            *sum += rate * mass;
        }
        self.rate += rate;
    }

    /// Events a year above the point `index`.
    pub(super) fn rate_above(&self, index: usize) -> f64 {
        self.measure.get(index + 1..).map_or(0.0, |above| above.iter().rev().sum())
    }

    /// The logarithm of `E[exp(theta S)]` if `mgf` is the integral of `exp(theta x)` over the rate measure.
    pub(super) fn cumulant(&self, mgf: f64) -> f64 {
        match self.shape {
            None => mgf - self.rate,
            Some(shape) => {
                let base = (self.rate - mgf) / shape;
                if base > -1.0 { -shape * libm::log1p(base) } else { f64::INFINITY }
            }
        }
    }
}

/// The law of the year's sum over all sources, as a transform of `points`, each event first put through `clip` on a
/// lattice of this step.
pub(super) fn spectrum(
    fourier: &Fourier,
    sources: &[&Source],
    points: usize,
    clip: Option<(f64, &(dyn Fn(f64) -> f64 + Sync))>,
) -> Vec<Complex64> {
    let transform = |source: &Source| match clip {
        None => fourier.forward(&source.measure, points),
        Some((step, clip)) => fourier.forward(&clipped(&source.measure, points, step, clip), points),
    };
    // Poisson streams together are one Poisson stream.
    let mut plain = Source::default();
    for source in sources.iter().filter(|source| source.shape.is_none()) {
        plain.add(1.0, &source.measure);
        plain.rate += source.rate - 1.0;
    }
    let mut year: Vec<Complex64> = if plain.measure.is_empty() {
        vec![Complex64::new(1.0, 0.0); points / 2 + 1]
    } else {
        transform(&plain).into_iter().map(|value| (value - plain.rate).exp()).collect()
    };
    let mixed: Vec<(&Source, f64)> =
        sources.iter().filter_map(|source| Some((*source, source.shape?))).collect();
    for held in mixed.chunks(HELD) {
        let factors: Vec<Vec<Complex64>> = held
            .par_iter()
            .map(|(source, shape)| {
                let values = transform(source).into_iter();
                values.map(|value| negative_binomial(source.rate, *shape, value)).collect()
            })
            .collect();
        for factor in factors {
            year.iter_mut().zip(factor).for_each(|(product, factor)| *product *= factor);
        }
    }
    year
}

fn clipped(measure: &[f64], points: usize, step: f64, clip: &dyn Fn(f64) -> f64) -> Vec<f64> {
    let top = (0..measure.len()).fold(0.0_f64, |top, k| top.max(clip(k as f64 * step)));
    let length = ((top / step).ceil() as usize).saturating_add(2).min(points);
    let mut clipped = vec![0.0; length];
    push(measure, 1.0, step, &mut clipped, clip);
    clipped
}

/// The transform of a year seen from an event of this source: one more event than the year has raises the gamma rate.
pub(super) fn seen_from(fourier: &Fourier, source: &Source, year: &[Complex64], points: usize) -> Vec<f64> {
    let Some(shape) = source.shape else {
        return fourier.inverse(year.to_vec(), points);
    };
    let mut spectrum = fourier.forward(&source.measure, points);
    for (value, year) in spectrum.iter_mut().zip(year) {
        *value = year / base(source.rate, shape, *value);
    }
    fourier.inverse(spectrum, points)
}

fn base(rate: f64, shape: f64, value: Complex64) -> Complex64 {
    1.0 + (rate - value) / shape
}

/// `(1 + (rate - value) / shape)^-shape`, the transform of a negative binomial number of events.
///
/// The real part of what is raised is at least 1, so that the principal branch is the right one.
fn negative_binomial(rate: f64, shape: f64, value: Complex64) -> Complex64 {
    if shape == shape.round() && shape < 64.0 {
        return base(rate, shape, value).powi(-(shape as i32));
    }
    // For large shapes the logarithm of one plus little keeps the digits that the sum would lose.
    let little = (rate - value) / shape;
    let ln = 0.5 * libm::log1p(little.re * (2.0 + little.re) + little.im * little.im);
    let angle = libm::atan2(little.im, 1.0 + little.re);
    (Complex64::new(ln, angle) * -shape).exp()
}
