//! Draws from laws that have no table: normal, gamma, Poisson, positive stable.
//!
//! Only [`Stream`], `libm` and the four operations are used, so that a draw is the same number on every machine.

use crate::{rng::Stream, special::normal_quantile};

/// From this mean on a Poisson count is drawn by rejection rather than by adding up probabilities.
const MANY: f64 = 10.0;

/// A standard normal number, by inversion: one word a draw.
pub fn normal(stream: &mut Stream) -> f64 {
    normal_quantile(stream.unit())
}

/// A gamma number of this shape, above 0, and of scale 1: its mean is the shape.
///
/// Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000): the cube of a normal
/// number, accepted in at least 95 of 100 cases. Below shape 1 a number of shape + 1 times `U^(1/shape)` (section 6 there).
pub fn gamma(stream: &mut Stream, shape: f64) -> f64 {
    if shape < 1.0 {
        let boost = libm::exp(libm::log(stream.unit()) / shape);
        return gamma(stream, shape + 1.0) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(stream);
        let root = 1.0 + c * x;
        let u = stream.unit();
        if root <= 0.0 {
            continue;
        }
        let v = root * root * root;
        let square = x * x;
        if u < 1.0 - 0.0331 * square * square || libm::log(u) < 0.5 * square + d * (1.0 - v + libm::log(v)) {
            return d * v;
        }
    }
}

/// The logarithm of a gamma number, which is there even where the number itself is below every float.
pub fn log_gamma(stream: &mut Stream, shape: f64) -> f64 {
    let log_boost = if shape < 1.0 { libm::log(stream.unit()) / shape } else { 0.0 };
    log_boost + libm::log(gamma(stream, if shape < 1.0 { shape + 1.0 } else { shape }))
}

/// A gamma factor of mean one and variance `1 / shape`.
pub fn factor(stream: &mut Stream, shape: f64) -> f64 {
    gamma(stream, shape) / shape
}

/// A Poisson count; 0 for a mean of 0 or below.
///
/// Small means by inversion (one word), others by the transformed rejection of Hörmann, "The transformed rejection
/// method for generating Poisson random variables", Insurance: Mathematics and Economics 12 (1993), algorithm PTRS.
pub fn poisson(stream: &mut Stream, mean: f64) -> u64 {
    if mean <= 0.0 {
        0
    } else if mean < MANY {
        few(stream.unit(), mean, libm::exp(-mean))
    } else {
        many(stream, mean)
    }
}

/// The count at which the sum of probabilities passes `u`; `none` is the probability of 0.
pub fn few(u: f64, mean: f64, none: f64) -> u64 {
    let mut left = u;
    let mut p = none;
    let mut count = 0;
    // Beyond 200 nothing is left of a mean below ten; the bound ends the sum where rounding would not.
    while left > p && count < 200 {
        left -= p;
        count += 1;
        p *= mean / count as f64;
    }
    count
}

fn many(stream: &mut Stream, mean: f64) -> u64 {
    let log_mean = libm::log(mean);
    let b = 0.931 + 2.53 * mean.sqrt();
    let a = -0.059 + 0.02483 * b;
    let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    let v_r = 0.9277 - 3.6224 / (b - 2.0);
    loop {
        let u = stream.unit() - 0.5;
        let v = stream.unit();
        let us = 0.5 - u.abs();
        let k = libm::floor((2.0 * a / us + b) * u + mean + 0.43);
        if us >= 0.07 && v <= v_r {
            return k as u64;
        }
        if k < 0.0 || (us < 0.013 && v > us) {
            continue;
        }
        let hat = libm::log(v) + libm::log(inverse_alpha) - libm::log(a / (us * us) + b);
        if hat <= -mean + k * log_mean - libm::lgamma(k + 1.0) {
            return k as u64;
        }
    }
}

/// `alpha * ln S` for a positive stable `S` with `E[exp(-s S)] = exp(-s^alpha)`, `alpha` in (0, 1].
///
/// Kanter, "Stable densities under change of scale", Annals of Probability 3 (1975): with `phi` uniform on (0, pi) and
/// `E` exponential, `S = sin(alpha phi) / sin(phi)^(1/alpha) * (sin((1-alpha) phi) / E)^((1-alpha)/alpha)`.
/// The logarithm times `alpha` is what Gumbel's copula needs and stays finite for every `alpha`.
pub fn log_stable(stream: &mut Stream, alpha: f64) -> f64 {
    if alpha >= 1.0 {
        return 0.0;
    }
    let phi = core::f64::consts::PI * stream.unit();
    let e = stream.exponential();
    let sine = |x: f64| libm::log(libm::sin(x));
    alpha * sine(alpha * phi) - sine(phi) + (1.0 - alpha) * (sine((1.0 - alpha) * phi) - libm::log(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        rng::Purpose,
        special::{gamma_lower, normal_cdf},
    };

    const N: usize = 200_000;

    fn stream() -> Stream {
        Stream::new(7, Purpose::Timeline, 0)
    }

    /// Pearson's statistic of counts in cells of known probability must lie within 5 standard deviations of its mean.
    fn fits(counts: &[u64], probabilities: &[f64], what: &str) {
        let n: u64 = counts.iter().sum();
        let mut chi = 0.0;
        for (&count, &p) in counts.iter().zip(probabilities) {
            let expected = n as f64 * p;
            assert!(expected > 5.0, "{what}: a cell expects {expected}");
            chi += (count as f64 - expected) * (count as f64 - expected) / expected;
        }
        let df = counts.len() as f64 - 1.0;
        assert!(chi < df + 5.0 * (2.0 * df).sqrt(), "{what}: chi-square {chi} at {df} degrees of freedom");
    }

    /// Fifty equal cells of a number's own distribution function.
    fn uniform(draws: impl Iterator<Item = f64>, what: &str) {
        let mut counts = [0; 50];
        draws.for_each(|u| counts[((u * 50.0) as usize).min(49)] += 1);
        fits(&counts, &[0.02; 50], what);
    }

    #[test]
    fn normal_numbers_are_normal() {
        let mut s = stream();
        uniform((0..N).map(|_| normal_cdf(normal(&mut s))), "normal");
    }

    #[test]
    fn gamma_numbers_are_gamma_for_small_and_large_shapes() {
        for shape in [0.05, 0.5, 1.0, 4.0, 250.0] {
            let mut s = stream();
            uniform((0..N).map(|_| gamma_lower(shape, gamma(&mut s, shape))), &format!("gamma {shape}"));
        }
    }

    #[test]
    fn counts_are_poisson_on_both_sides_of_the_switch() {
        for mean in [0.05, 1.0, 9.99, 10.0, 33.0, 400.0] {
            let mut s = stream();
            let sd = f64::sqrt(mean);
            // Cells of single counts around the mean, and one cell on either side.
            let low = (mean - 3.0 * sd).max(0.0) as u64;
            let high = (mean + 3.0 * sd) as u64 + 2;
            let p = |k: u64| {
                let k = k as f64;
                (-mean + k * mean.ln() - libm::lgamma(k + 1.0)).exp()
            };
            let mut probabilities: Vec<f64> = (low..high).map(p).collect();
            let below: f64 = (0..low).map(p).sum();
            let inside: f64 = probabilities.iter().sum();
            probabilities[0] += below;
            *probabilities.last_mut().unwrap() += 1.0 - inside - below;
            let mut counts = vec![0; probabilities.len()];
            for _ in 0..N {
                let k = poisson(&mut s, mean).clamp(low, high - 1);
                counts[(k - low) as usize] += 1;
            }
            fits(&counts, &probabilities, &format!("Poisson {mean}"));
        }
    }

    #[test]
    fn a_count_of_a_million_has_its_mean_and_variance() {
        let mut s = stream();
        let draws: Vec<f64> = (0..50_000).map(|_| poisson(&mut s, 1e6) as f64 - 1e6).collect();
        let n = draws.len() as f64;
        let mean = draws.iter().sum::<f64>() / n;
        let variance = draws.iter().map(|d| d * d).sum::<f64>() / n;
        assert!(mean.abs() < 5.0 * 1e3 / n.sqrt(), "{mean}");
        assert!((variance / 1e6 - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{variance}");
    }

    #[test]
    fn no_mean_no_count() {
        assert_eq!(poisson(&mut stream(), 0.0), 0);
    }

    #[test]
    fn stable_numbers_have_their_laplace_transform() {
        for alpha in [0.3, 0.5, 0.9] {
            let mut s = stream();
            let draws: Vec<f64> = (0..N).map(|_| (log_stable(&mut s, alpha) / alpha).exp()).collect();
            for at in [0.2f64, 1.0, 3.0] {
                let terms: Vec<f64> = draws.iter().map(|x| (-at * x).exp()).collect();
                let mean = terms.iter().sum::<f64>() / N as f64;
                let square = terms.iter().map(|t| t * t).sum::<f64>() / N as f64;
                let error = ((square - mean * mean) / N as f64).sqrt();
                let want = (-at.powf(alpha)).exp();
                assert!((mean - want).abs() < 5.0 * error, "alpha {alpha} at {at}: {mean}, want {want}");
            }
        }
        assert_eq!(log_stable(&mut stream(), 1.0), 0.0);
    }
}
