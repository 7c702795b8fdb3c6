//! Published examples and closed forms, each with its source.

#![allow(clippy::unwrap_used)]

use breakwater_capital::{
    Model, Portfolio,
    exact::{
        Exact, Options,
        lattice::{Lattice, Tail},
        layers::reinstatement,
        masses,
        panjer::{Count, panjer},
        solve,
        transform::Fourier,
    },
    model::Terms,
    portfolio::{Cluster, Cover, Law, Membership, Mixing, Part, Product, Severity, Treaty},
    severity::Distribution,
    special::{gamma_lower, gamma_quantile, gamma_upper, normal_cdf, normal_density, normal_upper_quantile},
};
use realfft::num_complex::Complex64;

#[track_caller]
fn near(got: f64, want: f64, by: f64) {
    assert!((got - want).abs() <= by, "got {got}, want {want} within {by}");
}

fn law(law: Law) -> Distribution {
    Distribution::new(&Severity { id: "x".into(), cap: None, law }).unwrap()
}

/// The law itself on a lattice.
fn on_lattice(law: &Distribution, step: f64, points: usize) -> Vec<f64> {
    masses(law, &Terms { slope: 1.0, intercept: 0.0, limit: f64::INFINITY }, step, points)
}

fn poisson(mean: f64) -> impl Fn(Complex64) -> Complex64 {
    move |z| ((z - 1.0) * mean).exp()
}

fn negative_binomial(mean: f64, shape: f64) -> impl Fn(Complex64) -> Complex64 {
    move |z| (1.0 - (z - 1.0) * (mean / shape)).powf(-shape)
}

/// A count with these probabilities of 0, 1, 2, ...
fn counted(probabilities: &[f64]) -> impl Fn(Complex64) -> Complex64 {
    |z| probabilities.iter().rev().fold(Complex64::new(0.0, 0.0), |sum, p| sum * z + p)
}

fn compound(pgf: impl Fn(Complex64) -> Complex64, claim: &[f64], step: f64, points: usize) -> Lattice {
    Lattice::new(step, Fourier::new().compound(pgf, claim, points, 0.0).unwrap())
}

/// `P(X <= x)` of a law whose lattice stands for a continuous one: half of the mass on the point is above it.
fn below(lattice: &Lattice, x: f64) -> f64 {
    1.0 - 0.5 * (lattice.survival(x) + lattice.survival(x - lattice.step()))
}

fn product(id: &str, rate: f64, severity: &str, limit: f64) -> Product {
    Product {
        id: id.into(),
        rate,
        rate_sd: 0.0,
        mixing: None,
        severity: severity.into(),
        exposure: 1.0,
        tvl: None,
        deductible: 0.0,
        deductible_share: 0.0,
        limit: Some(limit),
        annual_limit: None,
        clusters: vec![],
        premium: 0.0,
        waiting_days: 0.0,
        report_days: 0.0,
    }
}

fn portfolio(rate: f64, limit: f64, law: Law) -> Portfolio {
    let mut portfolio = Portfolio::named("fact", "unit");
    portfolio.severities.push(Severity { id: "x".into(), cap: None, law });
    portfolio.products.push(product("a", rate, "x", limit));
    portfolio
}

fn excess(id: &str, attachment: f64, limit: f64, annual_limit: Option<f64>) -> Treaty {
    let cover =
        Cover::EventExcess { attachment, limit, annual_limit, reinstatements: None, annual_deductible: 0.0 };
    Treaty {
        id: id.into(),
        cover,
        share: 1.0,
        after: vec![],
        products: vec![],
        premium: 0.0,
        counterparty: None,
    }
}

fn solved(portfolio: Portfolio, step: f64) -> Exact {
    solve(&Model::new(portfolio).unwrap(), &Options { step: Some(step), ..Options::default() }).unwrap()
}

/// McNeil, "Estimating the tails of loss severity distributions using extreme value theory", ASTIN Bulletin 27 (1997),
/// 117-137: Danish fire losses above 10 million; parameters and figures as fitted to the published data.
#[test]
fn danish_fire_losses_above_a_threshold() {
    let fitted = law(Law::Splice {
        at: 10.0,
        body_weight: 1.0 - 109.0 / 2167.0,
        body: Box::new(Law::Uniform { low: 0.0, high: 10.0 }),
        tail: Box::new(Law::Gpd { location: 10.0, xi: 0.49699, scale: 6.9755 }),
    });
    let var = |level: f64| fitted.upper_quantile(1.0 - level);
    let es = |level: f64| var(level) + fitted.layer_mean(var(level), f64::INFINITY) / (1.0 - level);
    near(var(0.99), 27.290, 1e-3);
    near(es(0.99), 58.240, 3e-3);
    near(var(0.999), 94.34, 0.01);
    near(var(0.9999), 304.9, 0.1);
    near(fitted.layer_mean(50.0, 100.0), 0.086_40, 1e-5);
    // The mean excess of a generalised Pareto law over v is (beta + xi (v - u)) / (1 - xi).
    near(es(0.99) - var(0.99), (6.9755 + 0.49699 * (var(0.99) - 10.0)) / (1.0 - 0.49699), 1e-9);
}

/// actuar, vignette "Risk and ruin theory": Poisson(10) claims of Gamma(2, 1); exact values by the series.
#[test]
fn actuar_poisson_gamma() {
    let claim = law(Law::Gamma { shape: 2.0, scale: 1.0 });
    let step = 0.002;
    let year = compound(poisson(10.0), &on_lattice(&claim, step, 40_000), step, 1 << 17);
    near(year.mean(), 20.0, 1e-9);
    near(year.sd(), 60.0_f64.sqrt(), 1e-5);
    for (level, var, tvar) in
        [(0.9, 30.29587, 34.99589), (0.95, 33.79422, 38.11443), (0.99, 40.81179, 44.58095)]
    {
        near(year.var(level), var, step);
        near(year.tvar(level), tvar, 1.5e-5);
    }
}

/// The same vignette's own discretisation: step .5, "unbiased", on (0, 22).
#[test]
fn actuar_unbiased_discretisation() {
    let claim = law(Law::Gamma { shape: 2.0, scale: 1.0 });
    let (step, last) = (0.5, 44);
    let mean = |k: usize| claim.limited_mean(k as f64 * step);
    let mut masses = on_lattice(&claim, step, last);
    masses.push((mean(last) - mean(last - 1)) / step - claim.survival(22.0));
    let year = compound(poisson(10.0), &masses, step, 1024);
    for (level, var, cte) in [(0.9, 30.5, 35.419), (0.95, 34.0, 38.550), (0.99, 41.0, 45.013)] {
        assert_eq!(year.var(level), var);
        // Its CTE is the mean strictly beyond the quantile.
        let beyond = year.expect(|x| if x > var { x } else { 0.0 }) / year.survival(var);
        near(beyond, cte, 5e-4);
    }
}

/// Klugman, Panjer and Willmot, Loss Models, example 9.5 (group dental insurance).
#[test]
fn loss_models_dental() {
    let claim = [0.0, 0.15, 0.2, 0.25, 0.125, 0.075, 0.05, 0.05, 0.05, 0.025, 0.025];
    let count = [0.05, 0.1, 0.15, 0.2, 0.25, 0.15, 0.06, 0.03, 0.01];
    let year = compound(counted(&count), &claim, 25.0, 256);
    near(year.mean(), 314.5, 1e-9);
    near(year.sd(), 191.6155, 1e-4);
    for (deductible, want) in [(0.0, 314.5), (25.0, 290.75), (50.0, 267.375), (75.0, 244.584_375)] {
        near(year.expect(|x| (x - deductible).max(0.0)), want, 1e-9);
    }
}

/// Loss Models, example 9.9 and exercises 9.24, 9.34.
#[test]
fn loss_models_small_compounds() {
    let year = compound(poisson(3.0), &[0.0, 1.9 / 3.0, 0.8 / 3.0, 0.3 / 3.0], 1.0, 256);
    near(year.masses()[2], 0.129_695_3, 5e-8);
    let year = compound(counted(&[0.0625, 0.25, 0.375, 0.25, 0.0625]), &[0.0, 0.0, 0.4, 0.6], 1.0, 64);
    near(year.expect(|x| x.min(5.0)), 4.0275, 1e-12);
    near(year.mean(), 5.2, 1e-12);
    let mut claim = [0.0; 11];
    (claim[1], claim[5], claim[10]) = (0.8, 0.16, 0.04);
    let year = compound(poisson(5.0), &claim, 100.0, 1024);
    near(year.masses()[6], 0.059_892_9, 5e-8);
}

/// Loss Models, exercises 9.35 (negative binomial x uniform) and 9.39 (binomial x exponential).
#[test]
fn loss_models_continuous_claims() {
    let claim = law(Law::Uniform { low: 0.0, high: 8.0 });
    let step = 1.0 / 64.0;
    let year = compound(negative_binomial(96.0, 16.0), &on_lattice(&claim, step, 1024), step, 1 << 17);
    near(year.mean(), 384.0, 1e-7);
    near(year.sd() * year.sd(), 11_264.0, 0.01);
    near(year.var(0.95), 572.4, 0.06);
    let claim = law(Law::Gamma { shape: 1.0, scale: 100.0 });
    let step = 0.25;
    let binomial = |z: Complex64| (0.6 + z * 0.4).powi(3);
    let year = compound(binomial, &on_lattice(&claim, step, 1 << 15), step, 1 << 15);
    near(below(&year, 300.0), 0.894_053_1, 2e-7);
}

/// Bahnemann, "Distributions for Actuaries" (CAS monograph 2, 2015), example 4.2.
#[test]
fn bahnemann_poisson_gamma() {
    let claim = law(Law::Gamma { shape: 3.0, scale: 400.0 });
    let step = 1.0;
    let year = compound(poisson(2.5), &on_lattice(&claim, step, 30_000), step, 1 << 16);
    near(year.mean(), 3000.0, 1e-6);
    near(year.sd() * year.sd(), 4.8e6, 2.0);
    let third = year.expect(|x| ((x - 3000.0) / 4.8e6_f64.sqrt()).powi(3));
    near(third, 0.912_871, 1e-5);
    near(year.masses()[0], 0.082_085_0, 5e-7);
    for (x, want) in [(1000.0, 0.186_724_7), (5000.0, 0.827_283_4), (10_000.0, 0.993_437_7)] {
        near(below(&year, x), want, 1e-7);
    }
}

/// Grübel and Hermesmeier, "Computation of compound distributions I: aliasing errors and exponential tilting", ASTIN
/// Bulletin 29 (1999), 197-214: Poisson(20) claims of a Lévy law. Cell masses by the series of stable laws.
#[test]
fn aliasing_is_damped_by_tilting_or_padding() {
    // A fine lattice inside unit cells; the paper's own has 1024 unit cells.
    let (fine, cells) = (16, 1024);
    let points = fine * cells;
    let step = 1.0 / fine as f64;
    let levy = |x: f64| if x <= 0.0 { 0.0 } else { 2.0 * normal_cdf(-1.0 / x.sqrt()) };
    let rounded = |k: usize| levy((k as f64 + 0.5) * step) - levy((k as f64 - 0.5) * step);
    let claim: Vec<f64> = (0..8 * points).map(rounded).collect();
    let cell = |year: &[f64], x: usize| -> f64 {
        // A cell's ends are on points, which count by half.
        let (from, to) = (x * fine - fine / 2, x * fine + fine / 2);
        year[from + 1..to].iter().sum::<f64>() + 0.5 * (year[from] + year[to])
    };
    let facts = [(10, 3.07538e-5), (100, 1.155_480e-3), (1000, 2.012_941e-4)];
    let fourier = Fourier::new();
    let plain = fourier.compound(poisson(20.0), &claim, points, 0.0).unwrap();
    let tilted = fourier.compound(poisson(20.0), &claim, points, 24.0 / points as f64).unwrap();
    for (x, want) in facts {
        let relative = |year: &[f64]| cell(year, x) / want - 1.0;
        near(relative(&tilted), 0.0, 2e-3);
        assert!(relative(&plain).abs() > 0.05, "the plain transform wraps round, yet {x} came out right");
    }
    // Sixteen times the length leaves little that comes round, but a heavy tail has some everywhere.
    let mut padded = claim;
    padded.truncate(8 * points);
    let year = fourier.compound(poisson(20.0), &padded, 16 * points, 0.0).unwrap();
    near(cell(&year, 100) / 1.155_480e-3, 1.0, 2e-2);
}

/// Embrechts and Frei, "Panjer recursion versus FFT for compound distributions", Mathematical Methods of Operations
/// Research 69 (2009): Poisson(50) claims of Exp(1), far in the tail, by both ways.
#[test]
fn embrechts_frei_far_quantiles() {
    let claim = on_lattice(&law(Law::Gamma { shape: 1.0, scale: 1.0 }), 0.01, 4000);
    let year = compound(poisson(50.0), &claim, 0.01, 1 << 15);
    near(year.var(0.999), 85.105_955, 0.01);
    near(year.var(1.0 - 1e-6), 108.227_486, 0.01);
    let recursed = panjer(Count::Poisson(50.0), &claim, 12_000).unwrap();
    for (a, b) in year.masses().iter().zip(&recursed) {
        near(*a, *b, 1e-15);
    }
    // The recursion keeps relative digits where the transform has only noise.
    near(recursed[0].ln(), -50.0 * (1.0 - claim[0]), 1e-9);
}

/// GEMAct, its own test of a pure premium: Poisson(4) claims of Gamma(5, 1), layer 50 xs 2.
#[test]
fn gemact_layer() {
    let mut book = portfolio(4.0, 60.0, Law::Gamma { shape: 5.0, scale: 1.0 });
    book.treaties.push(excess("layer", 2.0, 50.0, None));
    near(solved(book, 0.01).layers[0].expected, 12.089_952_0, 1e-7);
}

/// GEMAct, its own test of reinstatements: Poisson(.5) claims of GPD(.834, 83.34), 100 xs 0, aggregate deductible 100,
/// two reinstatements at 100 %.
#[test]
fn gemact_reinstatements() {
    let mut book = portfolio(0.5, 100.0, Law::Gpd { location: 0.0, xi: 0.834, scale: 83.34 });
    let mut treaty = excess("layer", 0.0, 100.0, None);
    treaty.cover = Cover::EventExcess {
        attachment: 0.0,
        limit: 100.0,
        annual_limit: None,
        reinstatements: Some(vec![1.0, 1.0]),
        annual_deductible: 100.0,
    };
    treaty.premium = 1.0;
    book.treaties.push(treaty);
    let layer = solved(book, 0.01).layers.remove(0);
    near(layer.expected, 4.513_94, 1e-5);
    near(layer.expected / (1.0 + layer.reinstatement_premium), 4.320_16, 1e-5);
}

/// PAL charges the first reinstatement's price for what has none left: 150 for 1.5 limits at [100 %, 0 %].
#[test]
fn each_reinstatement_has_its_own_price() {
    near(100.0 * reinstatement(10.0, &[1.0, 0.0], 15.0), 100.0, 1e-12);
    near(100.0 * reinstatement(10.0, &[1.0, 0.5], 15.0), 125.0, 1e-12);
    near(100.0 * reinstatement(10.0, &[1.0, 0.5], 30.0), 150.0, 1e-12);
    near(100.0 * reinstatement(10.0, &[1.0], 4.0), 40.0, 1e-12);
    assert_eq!(reinstatement(10.0, &[], 10.0), 0.0);
}

/// A geometric number (mean 4) of Exp(3) claims: no claim with probability 1/5, else Exp(15).
#[test]
fn geometric_exponential_in_closed_form() {
    let mut book = portfolio(4.0, 400.0, Law::Gamma { shape: 1.0, scale: 3.0 });
    book.mixings.push(Mixing { id: "m".into(), shape: 1.0 });
    book.products[0].mixing = Some("m".into());
    let exact = solved(book, 0.005);
    for (level, want) in [(0.9, 31.191_623), (0.99, 65.730_400), (0.995, 76.127_607)] {
        near(exact.gross.var(level), want, 0.005);
        near(exact.gross.tvar(level), want + 15.0, 1.5e-5);
    }
    near(exact.none, 0.2, 1e-12);
    near(exact.mean, 12.0, 1e-9);
}

/// Homer and Clark, "Insurance applications of bivariate distributions", CAS Forum (2003): negative binomial with mean
/// 5 and contagion .04, claims on five points, 400,000 xs 600,000 of each claim ceded.
#[test]
fn homer_clark_gross_and_net() {
    let points = Law::Empirical {
        values: (1..=5).map(|k| 200_000.0 * f64::from(k)).collect(),
        weights: Some(vec![0.378, 0.235, 0.146, 0.091, 0.15]),
    };
    let book = |limit: f64| {
        let mut book = portfolio(5.0, limit, points.clone());
        book.mixings.push(Mixing { id: "m".into(), shape: 25.0 });
        book.products[0].mixing = Some("m".into());
        solved(book, 200_000.0)
    };
    let (gross, net) = (book(1e6), book(600_000.0));
    near(gross.mean, 2.400e6, 1.0);
    near(gross.sd, 1_340_895.0, 1.0);
    near(net.mean, 2.009e6, 1.0);
    near(net.sd, 1_059_077.0, 1.0);
    near(gross.none, 0.010_482_6, 5e-8);
    near(gross.gross.masses()[0], 0.010_482_6, 5e-8);
}

/// Parts of the tail mean of independent gamma variables of one scale, in closed form: shape times the upper tail of
/// the sum with one more in its shape.
#[test]
fn euler_parts_of_gamma_variables() {
    let (step, points) = (0.005, 20_000);
    let laws = [1.0, 2.0, 5.0].map(|shape| on_lattice(&law(Law::Gamma { shape, scale: 1.0 }), step, points));
    let fourier = Fourier::new();
    let sum_of = |a: &[f64], b: &[f64]| fourier.convolve(a, b, points);
    let others = [sum_of(&laws[1], &laws[2]), sum_of(&laws[0], &laws[2]), sum_of(&laws[0], &laws[1])];
    let sum = Lattice::new(step, sum_of(&others[2], &laws[2]));
    near(sum.var(0.99), 15.999_963, step);
    near(sum.tvar(0.99), 17.590_153, 1e-5);
    let tail = Tail::new(&sum, 0.99);
    for ((own, others), want) in laws.iter().zip(&others).zip([2.198_769, 4.397_538, 10.993_846]) {
        let kernel = tail.kernel(others, points);
        let part: f64 =
            own.iter().zip(&kernel).enumerate().map(|(x, (mass, k))| x as f64 * step * mass * k).sum();
        near(part / tail.probability, want, 1e-5);
    }
    let quantile = gamma_quantile(8.0, 0.99);
    near(quantile, 15.999_963, 1e-6);
    near(8.0 * gamma_upper(9.0, quantile) / 0.01, 17.590_153, 1e-6);
    near(gamma_lower(8.0, quantile), 0.99, 1e-13);
}

/// Parts of the tail mean of correlated normal variables: mean plus covariance with the sum over its deviation, times
/// the normal hazard.
#[test]
fn euler_parts_of_normal_variables() {
    let (mean, sd) = ([10.0, 20.0, 30.0], [2.0, 5.0, 4.0]);
    let correlation = [[1.0, 0.3, 0.0], [0.3, 1.0, 0.5], [0.0, 0.5, 1.0]];
    let with_sum = |i: usize| -> f64 { (0..3).map(|j| correlation[i][j] * sd[i] * sd[j]).sum() };
    let spread = (0..3).map(with_sum).sum::<f64>().sqrt();
    let hazard = normal_density(normal_upper_quantile(0.01)) / 0.01;
    let parts = [0, 1, 2].map(|i| mean[i] + with_sum(i) / spread * hazard);
    for (part, want) in parts.iter().zip([12.214_119, 32.019_504, 38.223_871]) {
        near(*part, want, 1e-6);
    }
    near(parts.iter().sum(), 82.457_494, 1e-6);
}

/// Two Poisson risks of unit claims, own rates 1 and 2, and a shock of rate .5 that hits both; by enumeration.
#[test]
fn euler_parts_under_a_common_shock() {
    let mut book = portfolio(1.0, 1.0, Law::Degenerate { value: 1.0 });
    book.products.push(product("b", 2.0, "x", 1.0));
    book.clusters.push(Cluster {
        id: "c".into(),
        rate: 0.5,
        rate_sd: 0.0,
        hit: 1.0,
        copula: None,
        follow_up: None,
    });
    book.products.iter_mut().for_each(|p| p.clusters = vec![Membership::Plain("c".into())]);
    let exact = solved(book, 1.0);
    assert_eq!(exact.gross.var(0.99), 10.0);
    let allocation = exact.allocation.unwrap();
    near(allocation.tvar, 11.223_613, 5e-7);
    near(allocation.contributions[0], 4.507_359, 5e-7);
    near(allocation.contributions[1], 6.716_254, 5e-7);
    // Counts have covariance .5: var S = 1.5 + 2.5 + 2 * .5, and the correlation is .5 / sqrt(1.5 * 2.5).
    near(exact.sd * exact.sd, 5.0, 1e-9);
    near((exact.sd * exact.sd - 4.0) / 2.0 / (1.5_f64 * 2.5).sqrt(), 0.258_199, 5e-7);
}

/// Directive 2009/138/EC (Solvency II), factor of premium and reserve risk: the 99.5 % quantile of a lognormal variable
/// with mean 1, less 1.
#[test]
fn solvency_lognormal_factor() {
    for (sd, want) in [(0.10_f64, 0.286_554), (0.15, 0.452_232)] {
        let square = (1.0 + sd * sd).ln();
        let variable = law(Law::Lognormal { mu: -0.5 * square, sigma: square.sqrt() });
        near(variable.mean(), 1.0, 1e-14);
        near(variable.upper_quantile(0.005) - 1.0, want, 5e-7);
    }
}

/// `aggregate` reweighs a mixture over an attachment as if conditional and gets 2.5563 for 10 xs 1 of Exp(1) or Exp(5).
#[test]
fn a_mixture_with_an_attachment() {
    let exponential = |scale| Part { weight: 0.5, law: Law::Gamma { shape: 1.0, scale } };
    let mixture = Law::Mixture { parts: vec![exponential(1.0), exponential(5.0)] };
    near(law(mixture.clone()).layer_mean(1.0, 11.0), 1.9538, 5e-5);
    let mut book = portfolio(1.0, 100.0, mixture);
    book.treaties.push(excess("layer", 1.0, 10.0, None));
    near(solved(book, 0.02).layers[0].expected, 1.9538, 5e-5);
}

/// GEMAct drops an atom at zero from the claim but not from the count.
#[test]
fn an_atom_at_zero_stays_one() {
    let exact = solved(portfolio(2.0, 1.0, Law::Empirical { values: vec![0.0, 1.0], weights: None }), 0.5);
    near(exact.mean, 1.0, 1e-12);
    near(exact.none, (-1.0_f64).exp(), 1e-14);
    near(exact.gross.masses()[0], (-1.0_f64).exp(), 1e-14);
}

/// PAL counts a loss of 15 as one that exhausts 10 xs 10; a layer behind another sees what that left.
#[test]
fn layers_exhaust_by_what_they_pay_and_see_what_is_left() {
    let mut book = portfolio(0.1, 15.0, Law::Degenerate { value: 15.0 });
    book.treaties.push(excess("first", 10.0, 10.0, Some(10.0)));
    let mut behind = excess("behind", 3.0, 5.0, None);
    behind.after = vec!["first".into()];
    book.treaties.push(behind);
    let once = 1.0 - (-0.1_f64).exp();
    let twice = once - 0.1 * (-0.1_f64).exp();
    let layers = {
        let mut alone = book.clone();
        alone.treaties.truncate(1);
        solved(alone, 1.0).layers
    };
    near(layers[0].attaches, once, 1e-12);
    near(layers[0].exhausts, twice, 1e-12);
    near(layers[0].expected_unlimited, 0.5, 1e-12);
    // Behind a layer with an annual limit nothing one-dimensional is left.
    let refused =
        solve(&Model::new(book.clone()).unwrap(), &Options { step: Some(1.0), ..Options::default() });
    assert_eq!(refused.unwrap().refused[0].at, "treaty \"behind\"");
    book.treaties[0] = excess("first", 10.0, 10.0, None);
    // 15 less 5 leaves 10, of which 5 xs 3 takes 5.
    near(solved(book, 1.0).layers[1].expected, 0.1 * 5.0, 1e-12);
}

/// Both ways to a compound agree, count by count.
#[test]
fn panjer_and_fourier_agree() {
    let claim = on_lattice(&law(Law::Beta { alpha: 0.8, beta: 2.5 }), 0.01, 101);
    let twenty = |z: Complex64| (1.0 - 0.15 + z * 0.15).powi(20);
    let pairs: [(Count, Vec<f64>); 3] = [
        (Count::Poisson(7.5), compound(poisson(7.5), &claim, 0.01, 4096).masses().to_vec()),
        (
            Count::NegativeBinomial { mean: 7.5, shape: 0.7 },
            compound(negative_binomial(7.5, 0.7), &claim, 0.01, 1 << 15).masses().to_vec(),
        ),
        (
            Count::Binomial { trials: 20, probability: 0.15 },
            compound(twenty, &claim, 0.01, 4096).masses().to_vec(),
        ),
    ];
    for (count, transformed) in pairs {
        for (a, b) in panjer(count, &claim, 2000).unwrap().iter().zip(&transformed) {
            near(*a, *b, 1e-14);
        }
    }
    for bad in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
        assert_eq!(panjer(Count::Poisson(bad), &claim, 10).unwrap_err().at, "count");
    }
    assert_eq!(panjer(Count::Poisson(1e4), &claim, 10).unwrap_err().at, "count");
    assert_eq!(panjer(Count::Poisson(1.0), &[], 10).unwrap_err().at, "claim");
    let fourier = Fourier::new();
    let at =
        |claim: &[f64], points, tilt| fourier.compound(poisson(1.0), claim, points, tilt).unwrap_err().at;
    assert_eq!(at(&claim, 101, 0.0), "points");
    assert_eq!(at(&[f64::NAN], 128, 0.0), "claim");
    assert_eq!(at(&claim, 128, -1.0), "tilt");
    assert_eq!(at(&claim, 128, 1.0), "tilt");
}
