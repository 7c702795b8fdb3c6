//! The compiled laws of the share lost.

#![allow(clippy::unwrap_used)]

use breakwater_capital::{
    portfolio::{Law, Part, Severity},
    severity::Distribution,
};
use proptest::prelude::*;

fn compiled(law: Law, cap: Option<f64>) -> Distribution {
    Distribution::new(&Severity { id: "x".into(), cap, law }).unwrap()
}

fn refused(law: Law, cap: Option<f64>) -> String {
    Distribution::new(&Severity { id: "x".into(), cap, law }).unwrap_err().at
}

fn close(got: f64, want: f64, relative: f64) {
    assert!((got - want).abs() <= relative * want.abs().max(1e-300), "got {got:e}, want {want:e}");
}

fn lognormal(mu: f64, sigma: f64) -> Law {
    Law::Lognormal { mu, sigma }
}

fn gpd(location: f64, xi: f64, scale: f64) -> Law {
    Law::Gpd { location, xi, scale }
}

fn spliced(at: f64, body_weight: f64, body: Law, tail: Law) -> Law {
    Law::Splice { at, body_weight, body: Box::new(body), tail: Box::new(tail) }
}

fn cp500() -> Distribution {
    compiled(spliced(0.15, 0.75, lognormal((0.04_f64).ln(), 1.0), gpd(0.15, 0.5, 0.2)), Some(1.0))
}

fn leaf() -> impl Strategy<Value = Law> {
    prop_oneof![
        (-4.0..1.0_f64, 0.1..2.5_f64).prop_map(|(mu, sigma)| lognormal(mu, sigma)),
        (0.2..20.0_f64, 0.2..20.0_f64).prop_map(|(alpha, beta)| Law::Beta { alpha, beta }),
        (0.2..30.0_f64, 0.01..1.0_f64).prop_map(|(shape, scale)| Law::Gamma { shape, scale }),
        (0.0..0.3_f64, -0.9..0.9_f64, 0.01..1.0_f64)
            .prop_map(|(location, xi, scale)| gpd(location, xi, scale)),
        (0.0..0.5_f64, 0.01..1.0_f64).prop_map(|(low, width)| Law::Uniform { low, high: low + width }),
        prop::collection::vec((0.0..2.0_f64, 0.1..3.0_f64), 1..8).prop_map(|pairs| {
            let (values, weights) = pairs.into_iter().unzip();
            Law::Empirical { values, weights: Some(weights) }
        }),
        (0.0..2.0_f64).prop_map(|value| Law::Degenerate { value }),
    ]
}

fn any_law() -> impl Strategy<Value = Law> {
    prop_oneof![
        2 => leaf(),
        1 => (0.05..0.9_f64, leaf(), leaf()).prop_map(|(weight, body, tail)| spliced(0.4, weight, body, tail)),
        1 => prop::collection::vec((0.1..2.0_f64, leaf()), 1..4).prop_map(|parts| Law::Mixture {
            parts: parts.into_iter().map(|(weight, law)| Part { weight, law }).collect(),
        }),
    ]
}

/// A law that compiles; splices with an impossible side do not.
fn any_distribution() -> impl Strategy<Value = Distribution> {
    (any_law(), prop::option::of(0.2..3.0_f64)).prop_filter_map("a possible law", |(law, cap)| {
        Distribution::new(&Severity { id: "x".into(), cap, law }).ok()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_quantile_inverts_the_survival(law in any_distribution(), v in 0.0..1.0_f64) {
        let x = law.upper_quantile(v);
        prop_assert!(law.survival(x * (1.0 + 1e-9) + 1e-12) <= v * (1.0 + 1e-7) + 1e-13, "{x} at {v}");
        prop_assert!(x <= 0.0 || law.survival(x * (1.0 - 1e-9) - 1e-12) >= v * (1.0 - 1e-7) - 1e-13, "{x} at {v}");
        prop_assert!(law.upper_quantile((v * 1.01).min(1.0)) <= x * (1.0 + 1e-12));
    }

    #[test]
    fn limited_means_increase_and_bend_down(law in any_distribution(), a in 0.0..2.0_f64, d in 0.001..0.5_f64) {
        let [l0, l1, l2] = [a, a + d, a + 2.0 * d].map(|x| law.limited_mean(x));
        prop_assert!(l0 <= l1 + 1e-13 && l1 <= l2 + 1e-13 && l2 <= law.mean() + 1e-12);
        prop_assert!(l2 - l1 <= l1 - l0 + 1e-11, "{l0} {l1} {l2}");
        prop_assert!(l1 <= a + d + 1e-12);
        let layer = law.layer_mean(a, a + d);
        prop_assert!((layer - (l1 - l0)).abs() <= 1e-11, "{layer} {}", l1 - l0);
        prop_assert!(layer <= d * law.survival(a) + 1e-11 && layer >= d * law.survival(a + d) - 1e-11);
        let far = if law.max().is_finite() { law.max() } else { 1e90 };
        prop_assert!((law.limited_mean(far) - law.mean()).abs() <= 1e-9 * law.mean());
    }

    #[test]
    fn the_limited_mean_is_the_integral_of_the_survival(law in any_distribution(), x in 0.05..2.0_f64) {
        // The trapezoidal sum between atoms errs by at most the fall of the survival times the step.
        let n = 4000;
        let h = x / f64::from(n);
        let sum: f64 = (0..n).map(|i| law.survival((f64::from(i) + 0.5) * h) * h).sum();
        prop_assert!((sum - law.limited_mean(x)).abs() <= h, "{sum} {}", law.limited_mean(x));
    }

    #[test]
    fn atoms_are_where_the_survival_falls(law in any_distribution()) {
        for (value, mass) in law.atoms() {
            let before = if value > 0.0 { law.survival(value * (1.0 - 1e-12)) } else { 1.0 };
            prop_assert!((before - law.survival(value) - mass).abs() < 1e-8, "{value}: {mass}");
        }
        let total: f64 = law.atoms().iter().map(|atom| atom.1).sum();
        prop_assert!(total <= 1.0 + 1e-12);
    }

    #[test]
    fn at_a_jump_the_quantile_jumps(law in any_distribution()) {
        for v in law.jumps() {
            let (above, below) = (law.upper_quantile(v * (1.0 - 1e-12)), law.upper_quantile(v * (1.0 + 1e-12)));
            prop_assert!(above > below, "{above} and {below} at {v}");
            let middle = 0.5 * (above + below);
            prop_assert!((law.survival(middle) - v).abs() <= 1e-9 * v.max(1e-3), "no gap at {v}");
        }
    }
}

#[test]
fn the_reference_severity_has_the_values_of_its_formula() {
    let law = cp500();
    // P(X > .15) = .25 and P(X > .35) = .25 (1 + .5)^-2; capped at 1 with (1 + .5 * .85 / .2)^-2.
    close(law.survival(0.15), 0.25, 1e-15);
    close(law.survival(0.35), 0.25 / 2.25, 1e-14);
    let atom = 0.25 / (3.125 * 3.125);
    let atoms = law.atoms();
    assert_eq!(atoms.len(), 1);
    close(atoms[0].1, atom, 1e-13);
    assert_eq!((atoms[0].0, law.survival(1.0), law.max()), (1.0, 0.0, 1.0));
    assert_eq!(law.upper_quantile(0.5 * atom), 1.0);
    assert!(law.jumps().is_empty());
    close(law.upper_quantile(0.25 / 2.25), 0.35, 1e-13);
    // .75 ndtr(ln(.05 / .04)) / ndtr(ln(.15 / .04)), by scipy.
    close(1.0 - law.survival(0.05), 0.4865234476716439, 1e-13);
}

#[test]
fn gpd_layers_have_their_closed_form() {
    // (2 * .2) ((1 + .5 * .2 / .2)^-1 - (1 + .5 * .6 / .2)^-1)
    let law = compiled(gpd(0.0, 0.5, 0.2), None);
    close(law.layer_mean(0.2, 0.6), 0.4 * (1.0 / 1.5 - 1.0 / 2.5), 1e-14);
    close(law.mean(), 0.4, 1e-14);
    let exponential = compiled(gpd(0.0, 0.0, 2.0), None);
    close(exponential.survival(3.0), (-1.5_f64).exp(), 1e-14);
    close(exponential.limited_mean(3.0), 2.0 * (1.0 - (-1.5_f64).exp()), 1e-14);
    let bounded = compiled(gpd(0.1, -0.5, 0.2), None);
    close(bounded.max(), 0.5, 1e-15);
    // Infinite means, capped: the integrals of 1 / (1 + t) to 9 and of (1 + t)^(-2/3) to 7.
    close(compiled(gpd(0.0, 1.0, 1.0), Some(9.0)).mean(), 10.0_f64.ln(), 1e-14);
    close(compiled(gpd(0.0, 1.5, 1.5), Some(7.0)).mean(), 3.0, 1e-14);
}

#[test]
fn gaps_in_the_support_are_jumps() {
    let law = compiled(Law::Empirical { values: vec![0.5, 0.1, 0.5, 0.9], weights: None }, None);
    assert_eq!(law.atoms(), vec![(0.1, 0.25), (0.5, 0.5), (0.9, 0.25)]);
    assert_eq!(law.jumps(), vec![0.25, 0.75]);
    assert_eq!(
        [0.0, 0.2, 0.25, 0.5, 0.75, 1.0].map(|v| law.upper_quantile(v)),
        [0.9, 0.9, 0.5, 0.5, 0.1, 0.1]
    );
    let gap = compiled(spliced(0.3, 0.6, Law::Uniform { low: 0.0, high: 0.2 }, gpd(0.5, 0.2, 0.1)), None);
    assert_eq!(gap.jumps(), vec![0.4]);
    assert_eq!(gap.upper_quantile(0.4), 0.2);
    assert!(gap.upper_quantile(0.399_999_9) > 0.5);
    assert_eq!(compiled(Law::Degenerate { value: 0.3 }, None).upper_quantile(1.0), 0.3);
    let capped = compiled(Law::Empirical { values: vec![0.5, 2.0], weights: None }, Some(1.0));
    assert_eq!(capped.atoms(), vec![(0.5, 0.5), (1.0, 0.5)]);
    assert_eq!(capped.mean(), 0.75);
}

#[test]
fn bad_laws_are_refused_with_their_place() {
    let bad = [f64::NAN, f64::INFINITY, -1.0, 0.0];
    for x in bad {
        assert_eq!(refused(lognormal(0.0, x), None), "law.sigma");
        assert_eq!(refused(Law::Beta { alpha: x, beta: 1.0 }, None), "law.alpha");
        assert_eq!(refused(Law::Gamma { shape: 1.0, scale: x }, None), "law.scale");
        assert_eq!(refused(gpd(0.0, 0.5, x), None), "law.scale");
        assert_eq!(refused(spliced(x, 0.5, lognormal(0.0, 1.0), gpd(0.0, 0.1, 1.0)), None), "law.at");
        assert_eq!(
            refused(spliced(0.5, x, lognormal(0.0, 1.0), gpd(0.0, 0.1, 1.0)), None),
            "law.body_weight"
        );
        assert_eq!(refused(lognormal(0.0, 1.0), Some(x)), "cap");
        assert_eq!(
            refused(Law::Empirical { values: vec![1.0], weights: Some(vec![x]) }, None),
            "law.weights[0]"
        );
        let part = Part { weight: x, law: lognormal(0.0, 1.0) };
        assert_eq!(refused(Law::Mixture { parts: vec![part] }, None), "law.parts[0].weight");
    }
    for x in &bad[..3] {
        assert_eq!(refused(gpd(*x, 0.5, 1.0), None), "law.location");
        assert_eq!(refused(Law::Degenerate { value: *x }, None), "law.value");
        assert_eq!(refused(Law::Empirical { values: vec![0.2, *x], weights: None }, None), "law.values[1]");
    }
    assert_eq!(refused(lognormal(f64::NAN, 1.0), None), "law.mu");
    assert_eq!(refused(gpd(0.0, f64::NAN, 1.0), Some(1.0)), "law.xi");
    assert_eq!(refused(gpd(0.0, 1.0, 1.0), None), "cap");
    assert_eq!(refused(Law::Mixture { parts: vec![] }, None), "law.parts");
    assert_eq!(refused(Law::Empirical { values: vec![], weights: None }, None), "law.values");
    assert_eq!(refused(Law::Empirical { values: vec![1.0], weights: Some(vec![]) }, None), "law.weights");
    assert_eq!(refused(Law::Uniform { low: 0.5, high: 0.5 }, None), "law.high");
    assert_eq!(
        refused(spliced(0.5, 0.5, Law::Degenerate { value: 0.7 }, gpd(0.5, 0.1, 1.0)), None),
        "law.body"
    );
    assert_eq!(
        refused(spliced(0.5, 0.5, lognormal(0.0, 1.0), Law::Uniform { low: 0.0, high: 0.5 }), None),
        "law.tail"
    );
    let nested = spliced(0.5, 0.5, lognormal(0.0, -1.0), gpd(0.5, 0.1, 1.0));
    let part = Part { weight: 1.0, law: nested };
    assert_eq!(refused(Law::Mixture { parts: vec![part] }, None), "law.parts[0].law.body.sigma");
    let mut deep = lognormal(0.0, 1.0);
    for _ in 0..40 {
        deep = Law::Mixture { parts: vec![Part { weight: 1.0, law: deep }] };
    }
    assert!(refused(deep, None).starts_with("law.parts[0].law."));
}

fn extreme() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-320..308_i32, 1.0..10.0_f64).prop_map(|(power, digit)| digit * 10.0_f64.powi(power)),
        (-10.0..10.0_f64),
        Just(0.0),
        Just(-0.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::MIN_POSITIVE),
    ]
}

fn extreme_law() -> impl Strategy<Value = Law> {
    let leaf = (0..7_usize, extreme(), extreme(), extreme()).prop_map(|(kind, a, b, c)| match kind {
        0 => lognormal(a, b),
        1 => Law::Beta { alpha: a, beta: b },
        2 => Law::Gamma { shape: a, scale: b },
        3 => gpd(a, b, c),
        4 => Law::Uniform { low: a, high: b },
        5 => Law::Empirical { values: vec![a, b, c], weights: None },
        _ => Law::Degenerate { value: a },
    });
    let leaf = leaf.boxed();
    prop_oneof![
        4 => leaf.clone(),
        1 => (extreme(), 0.01..0.99_f64, leaf.clone(), leaf.clone()).prop_map(|(at, w, a, b)| spliced(at, w, a, b)),
        1 => (extreme(), leaf.clone(), leaf).prop_map(|(weight, a, b)| Law::Mixture {
            parts: vec![Part { weight, law: a }, Part { weight: 1.0, law: b }],
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Whatever the parameters: a fault, or numbers that are numbers.
    #[test]
    fn no_parameter_makes_what_is_no_number(law in extreme_law(), cap in prop::option::of(extreme()), x in extreme(), v in 0.0..=1.0_f64) {
        let Ok(law) = Distribution::new(&Severity { id: "x".into(), cap, law }) else { return Ok(()) };
        prop_assert!(law.mean().is_finite() && law.mean() >= 0.0, "mean {}", law.mean());
        prop_assert!(!law.max().is_nan());
        if !x.is_nan() {
            let survival = law.survival(x);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&survival), "survival({x}) {survival}");
            let limited = law.limited_mean(x);
            prop_assert!(limited.is_finite() && limited >= 0.0 && limited <= law.mean() * (1.0 + 1e-9), "limited({x}) {limited}");
            let layer = law.layer_mean(x, x.abs() * 2.0 + 1.0);
            prop_assert!(layer.is_finite() && layer >= 0.0, "layer {layer}");
        }
        for v in [v, 0.0, 1.0, 1e-300, 1.0 - f64::EPSILON] {
            let quantile = law.upper_quantile(v);
            prop_assert!(quantile >= 0.0 && quantile <= law.max(), "quantile({v}) {quantile}");
        }
        prop_assert!(law.jumps().iter().all(|v| *v > 0.0 && *v < 1.0));
        prop_assert!(law.atoms().iter().all(|atom| atom.0.is_finite() && atom.1 >= 0.0 && atom.1 <= 1.0 + 1e-12));
    }
}
