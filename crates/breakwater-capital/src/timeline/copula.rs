//! Dependence of the severities within one shock, by the ways of drawing that need no multivariate law.
//!
//! All draws are *upper* probabilities: a small one is a large loss. Marshall and Olkin, "Families of multivariate
//! distributions", JASA 83 (1988), for the frailties of Clayton and Gumbel; McNeil, Frey and Embrechts, "Quantitative
//! Risk Management" (2015), section 7.3, for the elliptical ones.

use crate::{
    model::Dependence,
    portfolio::Copula,
    rng::Stream,
    sample::{gamma, log_gamma, log_stable, normal},
    special::{beta_both, normal_upper},
};

/// From this many degrees of freedom on Student's copula is the Gaussian one to seven digits.
const GAUSSIAN_FROM: f64 = 1e7;

/// Upper probabilities of the members hit, in the order of `hit`: ascending places among the cluster's members.
pub(crate) fn draw(dependence: &Dependence, hit: &[u32], stream: &mut Stream, out: &mut Vec<f64>) {
    out.clear();
    match &dependence.copula {
        Copula::Gaussian { rho, .. } => {
            scores(*rho, dependence.factor.as_deref(), hit, stream, out);
            out.iter_mut().for_each(|x| *x = normal_upper(*x));
        }
        Copula::T { df, rho, .. } => {
            scores(*rho, dependence.factor.as_deref(), hit, stream, out);
            if *df >= GAUSSIAN_FROM {
                out.iter_mut().for_each(|x| *x = normal_upper(*x));
            } else {
                // A chi-square number of so many degrees of freedom over them, the same for all members.
                let spread = 2.0 * gamma(stream, 0.5 * df) / df;
                out.iter_mut().for_each(|x| *x = student_upper(*x * *x / spread, *x, *df));
            }
        }
        Copula::Clayton { theta } => {
            // The generator's inverse is the Laplace transform of a gamma frailty of shape 1 / theta. In logarithms, for a
            // large theta takes the frailty below every float.
            let frailty = log_gamma(stream, 1.0 / theta);
            let one = |stream: &mut Stream| libm::log(stream.exponential()) - frailty;
            out.extend(hit.iter().map(|_| libm::exp(-log_one_plus_exp(one(stream)) / theta)));
        }
        Copula::Gumbel { theta } => {
            let alpha = 1.0 / theta;
            let frailty = log_stable(stream, alpha);
            let one = |stream: &mut Stream| alpha * libm::log(stream.exponential()) - frailty;
            // Gumbel's copula is of lower probabilities, and its large values go together.
            out.extend(hit.iter().map(|_| -libm::expm1(-libm::exp(one(stream)))));
        }
    }
}

/// Correlated standard normal numbers.
fn scores(
    rho: Option<f64>,
    factor: Option<&[Vec<f64>]>,
    hit: &[u32],
    stream: &mut Stream,
    out: &mut Vec<f64>,
) {
    let Some(factor) = factor else {
        // One factor common to all.
        let rho = rho.unwrap_or(0.0);
        let (common, own) = (rho.sqrt() * normal(stream), (1.0 - rho).sqrt());
        out.extend(hit.iter().map(|_| common + own * normal(stream)));
        return;
    };
    // Members that were not hit have their numbers too, for the others' stand on them.
    let last = hit.last().map_or(0, |&l| l as usize + 1);
    let independent: Vec<f64> = (0..last).map(|_| normal(stream)).collect();
    let row = |&i: &u32| factor[i as usize].iter().zip(&independent).fold(0.0, |sum, (l, z)| sum + l * z);
    out.extend(hit.iter().map(row));
}

/// `ln(1 + e^x)`.
fn log_one_plus_exp(x: f64) -> f64 {
    if x > 40.0 { x } else { libm::log1p(libm::exp(x)) }
}

/// `P(T > t)` of Student's law, for `t` of the sign of `sign` and of this square.
fn student_upper(square: f64, sign: f64, df: f64) -> f64 {
    let whole = df + square;
    let half = 0.5 * beta_both(0.5 * df, 0.5, df / whole, square / whole).0;
    if sign < 0.0 { 1.0 - half } else { half }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    fn pairs(copula: Copula, factor: Option<Vec<Vec<f64>>>) -> Vec<[f64; 2]> {
        let dependence = Dependence { copula, factor };
        let mut stream = Stream::new(3, Purpose::Timeline, 0);
        let mut out = vec![];
        (0..20_000)
            .map(|_| {
                draw(&dependence, &[0, 1], &mut stream, &mut out);
                assert!(out.iter().all(|v| (0.0..=1.0).contains(v)), "{out:?}");
                [out[0], out[1]]
            })
            .collect()
    }

    /// Kendall's tau between consecutive draws (each pair of pairs used once, so that the terms are independent), and
    /// five of its standard errors.
    fn tau(pairs: &[[f64; 2]]) -> (f64, f64) {
        let terms: Vec<f64> =
            pairs.as_chunks::<2>().0.iter().map(|[a, b]| ((a[0] - b[0]) * (a[1] - b[1])).signum()).collect();
        let n = terms.len() as f64;
        let mean = terms.iter().sum::<f64>() / n;
        (mean, 5.0 * ((1.0 - mean * mean) / n).sqrt())
    }

    fn agrees(copula: Copula, factor: Option<Vec<Vec<f64>>>, want: f64) {
        let what = format!("{copula:?}");
        let pairs = pairs(copula, factor);
        let (got, error) = tau(&pairs);
        assert!((got - want).abs() < error, "{what}: tau {got}, want {want}");
        // Each margin is uniform: its mean is a half, its variance a twelfth.
        let n = pairs.len() as f64;
        for side in 0..2 {
            let mean = pairs.iter().map(|p| p[side]).sum::<f64>() / n;
            let variance = pairs.iter().map(|p| (p[side] - 0.5) * (p[side] - 0.5)).sum::<f64>() / n;
            assert!((mean - 0.5).abs() < 5.0 / (12.0 * n).sqrt(), "{what}: margin {side} has mean {mean}");
            assert!((variance - 1.0 / 12.0).abs() < 5.0 / (180.0 * n).sqrt(), "{what}: variance {variance}");
        }
    }

    /// Tau of an elliptical copula is `2 / pi * asin(rho)`.
    fn elliptical(rho: f64) -> f64 {
        rho.asin() / core::f64::consts::FRAC_PI_2
    }

    fn two_by_two(rho: f64) -> Option<Vec<Vec<f64>>> {
        Some(vec![vec![1.0, 0.0], vec![rho, (1.0 - rho * rho).sqrt()]])
    }

    #[test]
    fn kendalls_tau_is_that_of_the_formula() {
        agrees(Copula::Gaussian { rho: Some(0.5), matrix: None }, None, elliptical(0.5));
        agrees(Copula::Gaussian { rho: None, matrix: None }, two_by_two(-0.6), elliptical(-0.6));
        agrees(Copula::T { df: 3.0, rho: Some(0.7), matrix: None }, None, elliptical(0.7));
        agrees(Copula::T { df: 0.5, rho: None, matrix: None }, two_by_two(-0.3), elliptical(-0.3));
        agrees(Copula::Clayton { theta: 2.0 }, None, 0.5);
        agrees(Copula::Clayton { theta: 0.1 }, None, 0.1 / 2.1);
        agrees(Copula::Clayton { theta: 600.0 }, None, 600.0 / 602.0);
        agrees(Copula::Gumbel { theta: 1.0 }, None, 0.0);
        agrees(Copula::Gumbel { theta: 2.5 }, None, 0.6);
        agrees(Copula::Gumbel { theta: 40.0 }, None, 0.975);
    }

    /// Probability that the second is among the worst two in a hundred given that the first is.
    fn joint(pairs: &[[f64; 2]]) -> f64 {
        let worst = |p: &&[f64; 2]| p[0] < 0.02;
        let first = pairs.iter().filter(worst).count();
        pairs.iter().filter(worst).filter(|p| p[1] < 0.02).count() as f64 / first as f64
    }

    #[test]
    fn large_losses_go_together_and_small_ones_less() {
        // Tail dependence: Clayton 2^(-1/theta), Gumbel 2 - 2^(1/theta), Gauss none.
        let clayton = pairs(Copula::Clayton { theta: 2.0 }, None);
        assert!((joint(&clayton) - 0.707).abs() < 0.12, "{}", joint(&clayton));
        let gumbel = pairs(Copula::Gumbel { theta: 2.0 }, None);
        assert!((joint(&gumbel) - 0.586).abs() < 0.12, "{}", joint(&gumbel));
        let gauss = pairs(Copula::Gaussian { rho: Some(elliptical(0.5)), matrix: None }, None);
        assert!(joint(&gauss) < 0.25);
        let flipped: Vec<[f64; 2]> = clayton.iter().map(|p| [1.0 - p[0], 1.0 - p[1]]).collect();
        assert!(joint(&flipped) < 0.15);
    }

    #[test]
    fn a_pair_of_a_matrix_is_the_same_pair_whoever_else_is_hit() {
        let factor = Some(vec![vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0], vec![0.8, 0.0, 0.6]]);
        let dependence = Dependence { copula: Copula::Gaussian { rho: None, matrix: None }, factor };
        let mut stream = Stream::new(5, Purpose::Timeline, 0);
        let mut out = vec![];
        let pairs: Vec<[f64; 2]> = (0..20_000)
            .map(|_| {
                draw(&dependence, &[0, 2], &mut stream, &mut out);
                [out[0], out[1]]
            })
            .collect();
        let (got, error) = tau(&pairs);
        assert!((got - elliptical(0.8)).abs() < error, "{got}");
    }

    #[test]
    fn students_upper_probability_is_known() {
        // One degree of freedom is Cauchy: P(T > 1) = 1/4. Two: P(T > t) = (1 - t / sqrt(2 + t^2)) / 2.
        assert!((student_upper(1.0, 1.0, 1.0) - 0.25).abs() < 1e-14);
        assert!((student_upper(1.0, -1.0, 1.0) - 0.75).abs() < 1e-14);
        let want = 0.5 * (1.0 - 3.0 / 11.0f64.sqrt());
        assert!((student_upper(9.0, 3.0, 2.0) - want).abs() < 1e-14);
    }
}
