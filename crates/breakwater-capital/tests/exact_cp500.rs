//! The reference job without simulation, against the table of our own study ("Exact answers", computed by a numpy
//! script on lattices of .00125 to .005) and against closed forms.

#![allow(clippy::unwrap_used)]

use breakwater_capital::{
    Model, Portfolio,
    exact::{Exact, Options, solve},
    example::cp500,
    portfolio::{Cover, Regime},
};

fn exact(portfolio: Portfolio) -> Exact {
    solve(&Model::new(portfolio).unwrap(), &Options { step: Some(0.005), ..Options::default() }).unwrap()
}

/// Without the stop loss, whose attachment no exact law knows.
fn independent() -> Portfolio {
    let mut portfolio = negative_binomial();
    portfolio.mixings.clear();
    portfolio.products.iter_mut().for_each(|product| product.mixing = None);
    portfolio
}

fn negative_binomial() -> Portfolio {
    let mut portfolio = cp500();
    portfolio.clusters.clear();
    portfolio.products.iter_mut().for_each(|product| product.clusters.clear());
    portfolio
}

/// Whether a figure rounds to the digits shown.
#[track_caller]
fn shown(got: f64, want: f64, digits: i32) {
    let unit = 10.0_f64.powi(-digits);
    assert!((got - want).abs() <= 0.5001 * unit, "got {got}, want {want} to {digits} digits");
}

#[track_caller]
fn levels(exact: &Exact, var: [f64; 2], tvar: f64, by: f64) {
    let at = |level: f64| exact.levels.iter().find(|l| l.level == level).unwrap();
    shown(at(0.99).var, var[0], 3);
    shown(at(0.995).var, var[1], 3);
    assert!((at(0.99).tvar - tvar).abs() <= by, "{}", at(0.99).tvar);
}

#[test]
fn the_full_case_has_the_digits_of_the_table() {
    let exact = exact(cp500());
    shown(exact.mean, 4.53670, 5);
    // 5.08421 at this step, 5.08420 from .00125 on.
    shown(exact.sd, 5.0842, 4);
    levels(&exact, [23.335, 26.925], 28.5428, 0.5e-4);
    let [first, second] = &exact.layers[..] else { panic!("{:?}", exact.layers) };
    shown(first.expected, 1.08098, 5);
    shown(first.expected_unlimited, 1.08169, 5);
    shown(first.attaches, 0.3988, 4);
    shown(first.exhausts, 0.000_723, 5);
    // The script sums each claim's survival by trapezoids, which cost it the sixth digit: it gives .555451 at this step
    // and .5554527 at a quarter of it, we .5554544 and .5554540.
    assert!((second.expected - 0.555_454).abs() < 6e-7 && (second.expected - 0.555_453).abs() < 1.6e-6);
    assert!((second.expected_unlimited - 0.555_502).abs() < 6e-7);
    shown(second.attaches, 0.1275, 4);
    assert_eq!(exact.refused.len(), 1);
    assert_eq!(exact.refused[0].at, "treaty \"stop loss\"");
}

#[test]
fn euler_contributions_have_the_digits_of_the_table_and_sum_to_the_tail_mean() {
    let exact = exact(cp500());
    let allocation = exact.allocation.unwrap();
    let parts = &allocation.contributions;
    for (product, want) in [(499, 3.9354), (498, 2.3382), (497, 1.5849), (496, 1.0947)] {
        assert!((parts[product] - want).abs() < 1.1e-4, "{product}: {}", parts[product]);
    }
    // The table's 1.7932 is the script's 1.793217 at this step; without its trapezoids it is 1.793256.
    assert!((parts[494] - 1.793_256).abs() < 2e-6, "{}", parts[494]);
    let sum: f64 = parts.iter().sum();
    assert!((sum - allocation.tvar).abs() < 1e-8, "{sum} {}", allocation.tvar);
    assert!(parts.iter().all(|part| *part > 0.0));
}

#[test]
fn the_independent_case_has_the_digits_of_the_table_and_closed_forms() {
    let portfolio = independent();
    let model = Model::new(portfolio.clone()).unwrap();
    let exact = exact(portfolio);
    let mut moments = [0.0; 3];
    for product in &model.products {
        let (law, terms) = (&model.severities[product.severity], product.terms);
        let mean = |low: f64, high: f64| {
            let share = |y: f64| (y.min(terms.limit) + terms.intercept) / terms.slope;
            terms.slope * law.layer_mean(share(low), share(high))
        };
        moments[0] += product.rate * mean(0.0, 15.0);
        moments[1] += product.rate * mean(2.0, 6.0);
        moments[2] += product.rate * mean(6.0, 18.0);
    }
    assert!((exact.mean - moments[0]).abs() < 1e-10);
    assert!((exact.layers[0].expected_unlimited - moments[1]).abs() < 1e-10);
    assert!((exact.layers[1].expected_unlimited - moments[2]).abs() < 1e-10);
    // The table's mean and layers come from trapezoids: 3.46180, .658913, .305920.
    assert!((exact.mean - 3.46180).abs() < 1.6e-5, "{}", exact.mean);
    assert!((moments[1] - 0.658_913).abs() < 3e-6 && (moments[2] - 0.305_920).abs() < 3e-6, "{moments:?}");
    assert!((exact.layers[0].expected - 0.658_860).abs() < 3e-6, "{}", exact.layers[0].expected);
    assert!((exact.layers[1].expected - 0.305_917).abs() < 3e-6, "{}", exact.layers[1].expected);
    assert!((exact.sd - 3.61385).abs() < 1.5e-5, "{}", exact.sd);
    // The script's tail mean rises with finer lattices: 20.80713, 20.80721 (the table's), 20.80726 at .005, .0025 and
    // .00125; ours is at 20.8073 from the first on.
    levels(&exact, [17.675, 19.675], 20.8073, 0.5e-4);
    let finer = solve(&model, &Options { step: Some(0.0025), ..Options::default() }).unwrap();
    assert_eq!((finer.gross.var(0.99), finer.gross.var(0.995)), (17.6725, 19.675));
    assert!((finer.gross.tvar(0.99) - 20.8072).abs() < 1.2e-4);
}

#[test]
fn the_negative_binomial_case_has_the_digits_of_the_table() {
    let exact = exact(negative_binomial());
    // The script's trapezoids put it at 3.46181; the closed form of the independent case, which it shares, is below.
    assert!((exact.mean - 3.461_80).abs() < 1e-6, "{}", exact.mean);
    shown(exact.sd, 4.00698, 4);
    levels(&exact, [18.900, 21.465], 22.7374, 1.6e-4);
}

#[test]
fn threads_change_no_digit() {
    let model = Model::new(cp500()).unwrap();
    let options = Options { step: Some(0.02), ..Options::default() };
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let exact = pool.install(|| solve(&model, &options)).unwrap();
        (exact.gross, exact.layers, exact.curve, exact.allocation)
    };
    let one = run(1);
    for threads in [2, 5] {
        assert_eq!(run(threads), one);
    }
}

#[test]
fn uncertain_rates_are_negative_binomials_one_by_one() {
    // A gamma factor that only one product names is that product's uncertain rate.
    let mut factor = cp500();
    factor.products.truncate(40);
    let mut uncertain = factor.clone();
    for (index, (with, without)) in factor.products.iter_mut().zip(&mut uncertain.products).enumerate() {
        with.mixing = None;
        without.mixing = None;
        if index < 5 {
            factor
                .mixings
                .push(breakwater_capital::portfolio::Mixing { id: format!("m{index}"), shape: 0.25 });
            with.mixing = Some(format!("m{index}"));
            without.rate_sd = 2.0 * without.rate;
        }
    }
    let options = Options { step: Some(0.001), ..Options::default() };
    let [a, b] = [factor, uncertain].map(|p| solve(&Model::new(p).unwrap(), &options).unwrap());
    assert!((a.sd - b.sd).abs() < 1e-12 && a.sd > 0.0);
    for (x, y) in a.allocation.unwrap().contributions.iter().zip(&b.allocation.unwrap().contributions) {
        assert!((x - y).abs() < 1e-12);
    }
}

#[test]
fn states_of_the_market_are_mixed_by_their_probabilities() {
    let regime = |id: &str, probability, hazard, tvl| Regime {
        id: id.into(),
        probability,
        hazard,
        tvl,
        capital: 1.0,
        premium: 1.0,
    };
    let mut portfolio = cp500();
    portfolio.products.truncate(100);
    let alone = |hazard: f64, tvl: f64| {
        let mut scaled = portfolio.clone();
        scaled.clusters.iter_mut().for_each(|cluster| cluster.rate *= hazard);
        for product in &mut scaled.products {
            product.rate *= hazard;
            product.exposure *= tvl;
            product.tvl = None;
            product.deductible *= tvl;
            product.limit = product.limit.map(|limit| limit * tvl);
        }
        solve(&Model::new(scaled).unwrap(), &Options { step: Some(0.001), ..Options::default() }).unwrap()
    };
    let mut both = portfolio.clone();
    both.regimes = vec![regime("calm", 0.75, 1.0, 1.0), regime("stress", 0.25, 3.0, 0.5)];
    let mixed =
        solve(&Model::new(both).unwrap(), &Options { step: Some(0.001), ..Options::default() }).unwrap();
    let (calm, stress) = (alone(1.0, 1.0), alone(3.0, 0.5));
    assert!((mixed.mean - 0.75 * calm.mean - 0.25 * stress.mean).abs() < 1e-10);
    for x in [0.0, 0.05, 0.4, 1.0] {
        let want = 0.75 * calm.gross.survival(x) + 0.25 * stress.gross.survival(x);
        assert!((mixed.gross.survival(x) - want).abs() < 1e-10);
    }
    let allocation = mixed.allocation.unwrap();
    assert!((allocation.contributions.iter().sum::<f64>() - allocation.tvar).abs() < 1e-9);
}

#[test]
fn treaties_of_some_products_and_after_others() {
    let mut portfolio = cp500();
    portfolio.treaties.truncate(2);
    portfolio.treaties[0].products = (400..500).map(|i| format!("p{i:03}")).collect();
    portfolio.treaties[0].share = 0.5;
    let layers = exact(portfolio.clone()).layers;
    // The same layer on a portfolio of these products alone.
    let mut alone = portfolio.clone();
    alone.products.drain(..400);
    alone.treaties.truncate(1);
    alone.treaties[0].products.clear();
    let want = exact(alone).layers.remove(0);
    assert!((layers[0].expected - want.expected).abs() < 1e-9, "{layers:?}");
    assert!((layers[0].attaches - want.attaches).abs() < 1e-9);
    // A stop loss behind an unlimited quota share is one on what the share leaves.
    let mut behind = cp500();
    behind.treaties.truncate(1);
    behind.treaties[0].cover = Cover::QuotaShare { event_limit: None, annual_limit: None };
    behind.treaties[0].share = 0.4;
    let mut stop = behind.treaties[0].clone();
    stop.id = "stop".into();
    stop.share = 1.0;
    stop.cover = Cover::StopLoss { attachment: 6.0, limit: 3.0 };
    stop.after = vec!["layer 1".into()];
    behind.treaties.push(stop);
    let behind = exact(behind);
    let want = behind.gross.expect(|x| (0.6 * x - 6.0).clamp(0.0, 3.0));
    assert!((behind.layers[1].expected - want).abs() < 2e-6, "{} {want}", behind.layers[1].expected);
    assert!((behind.layers[0].expected - 0.4 * behind.mean).abs() < 1e-9);
}

#[test]
fn occurrence_and_aggregate_curves_fall_and_one_bounds_the_other() {
    let exact = exact(cp500());
    assert!(exact.curve.len() > 100);
    for pair in exact.curve.windows(2) {
        assert!(pair[0].amount < pair[1].amount && pair[0].aggregate > pair[1].aggregate);
        assert!(pair[0].occurrence >= pair[1].occurrence);
    }
    assert!(exact.curve.iter().all(|point| point.occurrence <= point.aggregate + 1e-9));
    // No event above the first attachment: closed form for claims, the lattice for shocks.
    let first = exact.curve.iter().find(|point| point.amount >= 2.0).unwrap();
    assert!(
        first.occurrence <= exact.layers[0].attaches && first.occurrence > 0.9 * exact.layers[0].attaches
    );
}

#[test]
fn what_has_no_exact_law_is_refused_with_its_place() {
    let refused = |change: fn(&mut Portfolio)| {
        let mut portfolio = cp500();
        change(&mut portfolio);
        solve(&Model::new(portfolio).unwrap(), &Options { step: Some(0.05), ..Options::default() })
            .unwrap_err()
            .at
    };
    assert_eq!(refused(|p| p.products[3].annual_limit = Some(1.0)), "product \"p003\".annual_limit");
    assert_eq!(refused(|p| p.products[3].rate_sd = 0.01), "product \"p003\".rate_sd");
    assert_eq!(
        refused(
            |p| p.clusters[1].copula = Some(breakwater_capital::portfolio::Copula::Clayton { theta: 1.0 })
        ),
        "cluster \"c1\".copula"
    );
    assert_eq!(
        refused(|p| p.clusters[1].follow_up =
            Some(breakwater_capital::portfolio::FollowUp { probability: 0.01, within_days: 3.0 })),
        "cluster \"c1\".follow_up"
    );
    assert_eq!(
        refused(|p| p.contagion =
            Some(breakwater_capital::portfolio::Contagion { branching: 0.1, decay_days: 5.0 })),
        "contagion"
    );
    let model = Model::new(cp500()).unwrap();
    let option = |options: Options| solve(&model, &options).unwrap_err().at;
    let good = || Options { step: Some(0.05), ..Options::default() };
    for bad in [0.0, 1.0, -0.5, f64::NAN, f64::INFINITY] {
        assert_eq!(option(Options { levels: vec![0.9, bad], ..good() }), "levels[1]");
        assert_eq!(option(Options { allocation: Some(bad), ..good() }), "allocation");
    }
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(option(Options { step: Some(bad), ..good() }), "step");
        assert_eq!(option(Options { length: Some(bad), ..good() }), "length");
        assert_eq!(option(Options { tolerance: bad, ..good() }), "tolerance");
        assert_eq!(option(Options { tolerance: 2.0, ..good() }), "tolerance");
    }
    assert_eq!(option(Options { step: Some(1e-9), ..good() }), "step");
    // A lattice that the year's loss would leave wraps round and is refused.
    assert_eq!(option(Options { length: Some(60.0), ..good() }), "length");
    let long = solve(&model, &Options { length: Some(400.0), ..good() }).unwrap();
    assert!(long.gross.value(long.gross.masses().len()) >= 400.0);
}

#[test]
fn a_known_rate_is_the_limit_of_uncertain_ones() {
    let mut portfolio = cp500();
    portfolio.mixings.clear();
    portfolio.products.iter_mut().for_each(|product| product.mixing = None);
    let options = Options { step: Some(0.02), ..Options::default() };
    let known = solve(&Model::new(portfolio.clone()).unwrap(), &options).unwrap();
    // The shapes are 6e8, where the plain power has lost seven digits.
    portfolio.products.iter_mut().take(20).for_each(|product| product.rate_sd = 4e-5 * product.rate);
    let uncertain = solve(&Model::new(portfolio).unwrap(), &options).unwrap();
    for (a, b) in known.gross.masses().iter().zip(uncertain.gross.masses()) {
        assert!((a - b).abs() < 1e-11);
    }
}

#[test]
fn a_year_without_events_has_a_law_too() {
    let mut portfolio = cp500();
    portfolio.products.iter_mut().for_each(|product| product.rate = 0.0);
    portfolio.clusters.iter_mut().for_each(|cluster| cluster.rate = 0.0);
    let exact = solve(&Model::new(portfolio).unwrap(), &Options::default()).unwrap();
    assert!(exact.mean.abs() < 1e-12 && exact.none == 1.0, "{}", exact.mean);
    assert!(exact.levels.iter().all(|level| level.var == 0.0 && level.tvar < 1e-9));
    assert!(exact.allocation.unwrap().contributions.iter().all(|part| part.abs() < 1e-9));
}

#[test]
fn the_step_is_chosen_by_the_tolerance() {
    let exact = solve(&Model::new(cp500()).unwrap(), &Options::default()).unwrap();
    assert_eq!(exact.gross.step(), 0.005);
}
