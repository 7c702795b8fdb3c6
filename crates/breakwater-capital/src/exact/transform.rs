//! Fourier transforms of laws: sums of claims, sums of a random number of claims, and correlations.

use std::sync::{Arc, Mutex, PoisonError};

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex64};

use crate::fault::Fault;

/// Shorter factors than this are multiplied out directly.
const DIRECT: usize = 48;
/// The longest lattice there is: a gigabyte of complex numbers.
pub const MOST_POINTS: usize = 1 << 26;

/// Plans for transforms of every length that was asked for.
#[derive(Default)]
pub struct Fourier {
    planner: Mutex<Option<RealFftPlanner<f64>>>,
}

impl core::fmt::Debug for Fourier {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Fourier")
    }
}

impl Fourier {
    /// No plans yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The least length at or above `points` that transforms fast: even, and a product of twos and threes.
    pub fn good_length(points: usize) -> usize {
        let power = points.next_power_of_two().max(64);
        let shorter = [(9, 16), (3, 4), (27, 32)].map(|(part, whole)| power / whole * part);
        shorter.into_iter().find(|length| *length >= points).unwrap_or(power)
    }

    fn plans(&self, length: usize) -> (Arc<dyn RealToComplex<f64>>, Arc<dyn ComplexToReal<f64>>) {
        // A panic while planning leaves at worst a plan out.
        let mut planner = self.planner.lock().unwrap_or_else(PoisonError::into_inner);
        let planner = planner.get_or_insert_with(RealFftPlanner::new);
        (planner.plan_fft_forward(length), planner.plan_fft_inverse(length))
    }

    /// The transform of `masses`, continued by zeros; what is beyond `length` is left out.
    pub fn forward(&self, masses: &[f64], length: usize) -> Vec<Complex64> {
        let plan = self.plans(length).0;
        let mut input = vec![0.0; length];
        let used = masses.len().min(length);
        input[..used].copy_from_slice(&masses[..used]);
        let mut output = vec![Complex64::new(0.0, 0.0); length / 2 + 1];
        // Both lengths are those of the plan, which is all that can fail.
        let done = plan.process(&mut input, &mut output);
        debug_assert!(done.is_ok());
        output
    }

    /// The inverse of [`Self::forward`].
    pub fn inverse(&self, mut spectrum: Vec<Complex64>, length: usize) -> Vec<f64> {
        let plan = self.plans(length).1;
        // The transform of real numbers is real at both ends; what rounding left there would be an error.
        if let Some(first) = spectrum.first_mut() {
            first.im = 0.0;
        }
        if let Some(last) = spectrum.last_mut() {
            last.im = 0.0;
        }
        let mut output = vec![0.0; length];
        let done = plan.process(&mut spectrum, &mut output);
        debug_assert!(done.is_ok());
        let scale = 1.0 / length as f64;
        for x in &mut output {
            *x *= scale;
        }
        output
    }

    /// The law of a sum of two, cut at `most` points.
    pub fn convolve(&self, a: &[f64], b: &[f64], most: usize) -> Vec<f64> {
        let full = a.len() + b.len() - 1;
        let kept = full.min(most);
        let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
        if short.len() <= DIRECT {
            let mut out = vec![0.0; full];
            for (shift, x) in short.iter().enumerate() {
                for (sum, y) in out[shift..].iter_mut().zip(long) {
                    *sum += x * y;
                }
            }
            out.truncate(kept);
            return out;
        }
        let length = Self::good_length(full);
        let mut product = self.forward(a, length);
        for (x, y) in product.iter_mut().zip(self.forward(b, length)) {
            *x *= y;
        }
        let mut out = self.inverse(product, length);
        out.truncate(kept);
        out
    }

    /// For both factors of a product of laws, `sum over y of other[y] * kernel[x + y]` at every `x` of the factor.
    pub fn correlate_both(&self, kernel: &[f64], a: &[f64], b: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let direct = |out: usize, other: &[f64]| -> Vec<f64> {
            let mut sums = vec![0.0; out];
            for (shift, weight) in other.iter().enumerate() {
                for (sum, value) in sums.iter_mut().zip(kernel.get(shift..).unwrap_or(&[])) {
                    *sum += weight * value;
                }
            }
            sums
        };
        let small = a.len().min(b.len()) <= DIRECT;
        if small && a.len().max(b.len()) <= DIRECT {
            return (direct(a.len(), b), direct(b.len(), a));
        }
        // A factor that is long with a short other one is a short sum for each of its points, and the other way round a
        // long sum for each of few points: as many products either way.
        if small {
            let short_out = |out: usize, other: &[f64]| -> Vec<f64> {
                (0..out).map(|x| dot(other, kernel.get(x..).unwrap_or(&[]))).collect()
            };
            return if a.len() <= b.len() {
                (short_out(a.len(), b), direct(b.len(), a))
            } else {
                (direct(a.len(), b), short_out(b.len(), a))
            };
        }
        let length = Self::good_length(kernel.len().max(a.len() + b.len() - 1));
        let k = self.forward(kernel, length);
        let against = |other: &[f64], points: usize| {
            let mut product = self.forward(other, length);
            for (x, y) in product.iter_mut().zip(&k) {
                *x = x.conj() * y;
            }
            let mut out = self.inverse(product, length);
            out.truncate(points);
            out
        };
        (against(b, a.len()), against(a, b.len()))
    }

    /// The law of a sum of a random number of claims: `pgf` is the number's probability generating function and
    /// `claim` the masses of one claim on the lattice.
    ///
    /// The transform is cyclic: what is beyond `points` comes round to the beginning unless `tilt` damps it (by
    /// `exp(-tilt)` a point, Grübel and Hermesmeier 1999); about `20 / points` leaves it a billionth of what it was.
    ///
    /// # Errors
    /// No claim, an odd or oversized lattice, or a tilt that is negative or so strong that the digits are gone.
    pub fn compound(
        &self,
        pgf: impl Fn(Complex64) -> Complex64,
        claim: &[f64],
        points: usize,
        tilt: f64,
    ) -> Result<Vec<f64>, Fault> {
        if points < 2 || points % 2 == 1 || points > MOST_POINTS {
            return Err(Fault::new("points", format!("is even and from 2 to {MOST_POINTS}, not {points}")));
        }
        if claim.is_empty() || claim.iter().any(|mass| !mass.is_finite()) {
            return Err(Fault::new("claim", "has at least one mass and only finite ones"));
        }
        if !(tilt >= 0.0 && tilt * points as f64 <= 36.0) {
            return Err(Fault::new(
                "tilt",
                format!("times the points is from 0 to 36, not {}", tilt * points as f64),
            ));
        }
        let damped: Vec<f64> = claim
            .iter()
            .take(points)
            .enumerate()
            .map(|(k, mass)| mass * libm::exp(-tilt * k as f64))
            .collect();
        let spectrum = self.forward(&damped, points).into_iter().map(pgf).collect();
        let mut out = self.inverse(spectrum, points);
        for (k, mass) in out.iter_mut().enumerate() {
            *mass *= libm::exp(tilt * k as f64);
        }
        Ok(out)
    }
}

/// The sum of products, by eight lanes in a fixed order.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (mut lanes, common) = ([0.0; 8], a.len().min(b.len()));
    let (a, b) = (&a[..common], &b[..common]);
    let (chunks, rest) = (a.chunks_exact(8), common / 8 * 8);
    for (x, y) in chunks.zip(b.chunks_exact(8)) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    let tail: f64 = a[rest..].iter().zip(&b[rest..]).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f64>() + tail
}
