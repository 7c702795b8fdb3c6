//! Properties of the analyst's answers, over portfolios that nobody chose.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

use breakwater_capital::{
    Model, Portfolio,
    analysis::{
        Years,
        allocate::{Allocation, allocate},
        capacity::{Ask, capacity},
        price::{Basis, covers, expected_loss},
    },
    outcome::Options,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Line {
    rate: f64,
    exposure: f64,
    deductible: f64,
    cluster: usize,
    hit: f64,
}

fn line() -> impl Strategy<Value = Line> {
    (0.01..0.6f64, 1.0..50.0f64, 0.0..0.3f64, 0..2usize, 0.1..1.0f64).prop_map(
        |(rate, exposure, deductible, cluster, hit)| Line { rate, exposure, deductible, cluster, hit },
    )
}

#[derive(Clone, Debug)]
struct Programme {
    attachment: f64,
    limit: f64,
    reinstatements: usize,
    quota: f64,
    stop: f64,
}

fn programme() -> impl Strategy<Value = Programme> {
    (1.0..20.0f64, 1.0..30.0f64, 0..3usize, 0.1..0.9f64, 5.0..60.0f64).prop_map(
        |(attachment, limit, reinstatements, quota, stop)| Programme {
            attachment,
            limit,
            reinstatements,
            quota,
            stop,
        },
    )
}

/// A portfolio of these lines; `ordered` makes one that needs its events in order.
fn document(lines: &[Line], programme: &Programme, ordered: bool) -> String {
    let mut text = String::from(
        "schema = \"breakwater-portfolio/1\"\nname = \"any\"\nunit = \"USD\"\n\
         [[mixing]]\nid = \"all\"\nshape = 2.0\n\
         [[severity]]\nid = \"share\"\nlaw = { kind = \"beta\", alpha = 0.7, beta = 1.5 }\n\
         [[cluster]]\nid = \"k0\"\nrate = 0.2\nhit = 0.5\n[[cluster]]\nid = \"k1\"\nrate = 0.05\nhit = 0.9\n",
    );
    for (i, l) in lines.iter().enumerate() {
        text += &format!(
            "[[product]]\nid = \"p{i}\"\nrate = {:?}\nmixing = \"all\"\nseverity = \"share\"\nexposure = {:?}\n\
             deductible = {:?}\nclusters = [{{ id = \"k{}\", hit = {:?} }}]\n",
            l.rate,
            l.exposure,
            l.deductible * l.exposure,
            l.cluster,
            l.hit
        );
    }
    let Programme { attachment, limit, reinstatements, quota, stop } = programme;
    let prices = vec!["1.0"; *reinstatements].join(", ");
    text += &format!(
        "[[treaty]]\nid = \"layer\"\n{}\
         cover = {{ kind = \"event-excess\", attachment = {attachment:?}, limit = {limit:?}, reinstatements = [{prices}] }}\n",
        if ordered { "after = [\"quota\"]\nproducts = [\"p0\", \"p1\"]\n" } else { "" }
    );
    if ordered {
        text += &format!(
            "[[treaty]]\nid = \"quota\"\nshare = {quota:?}\ncover = {{ kind = \"quota-share\" }}\n\
             counterparty = {{ id = \"re\", default_probability = 0.2, recovery = 0.3 }}\n"
        );
    }
    let after = if ordered { "\"layer\", \"quota\"" } else { "\"layer\"" };
    text += &format!(
        "[[treaty]]\nid = \"stop\"\nafter = [{after}]\ncover = {{ kind = \"stop-loss\", attachment = {stop:?}, limit = 50.0 }}\n"
    );
    text
}

fn ask(text: &str, years: u64) -> (Model, Years, Allocation) {
    let model = Model::from_toml(text).unwrap();
    let years = Years::simulate(&model, &Options { years, seed: 77, threads: 1 }, &|_| true).unwrap();
    let allocation = allocate(&model, &years, 0.98, 1).unwrap();
    (model, years, allocation)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_sum_and_no_part_needs_more_at_the_margin_than_alone(
        lines in prop::collection::vec(line(), 2..7),
        programme in programme(),
        ordered in any::<bool>(),
    ) {
        let (_, _, a) = ask(&document(&lines, &programme, ordered), 3_000);
        let small = 1e-5 * a.gross.tvar + 1e-9;
        for whole in [&a.gross, &a.net] {
            prop_assert!((whole.products.iter().map(|p| p.euler).sum::<f64>() - whole.tvar).abs() <= small);
            prop_assert!((whole.causes.iter().map(|p| p.euler).sum::<f64>() - whole.tvar).abs() <= small);
        }
        let layers = a.treaties.iter().map(|t| t.euler).sum::<f64>() + a.retained.0;
        prop_assert!((layers - a.gross.tvar).abs() <= small);
        // Coherence holds on the sample: subadditivity, and taking cover away never raises a gross loss.
        for p in a.gross.products.iter().chain(&a.gross.causes) {
            prop_assert!(p.marginal <= p.euler + small && p.euler <= p.alone + small, "{p:?}");
            prop_assert!(p.marginal >= -small && p.mean >= -small, "{p:?}");
        }
        prop_assert!(a.gross.diversification >= -small);
        // A treaty never raises net claims, so the net tail without it is no better; unless its reinsurer fails, for what
        // it owes and does not pay comes off before the others look.
        for t in &a.treaties {
            prop_assert!((ordered || t.marginal >= -small) && t.mean >= 0.0, "{t:?}");
        }
        prop_assert!(a.net.tvar <= a.gross.tvar + small);
    }

    #[test]
    fn more_cover_never_lowers_expected_loss(
        lines in prop::collection::vec(line(), 2..5),
        programme in programme(),
        more in 1.0..3.0f64,
    ) {
        let mut larger = lines.clone();
        // The deductible stays what it was in amount.
        larger[0].exposure *= more;
        larger[0].deductible /= more;
        let of = |lines: &[Line]| {
            let (model, _, a) = ask(&document(lines, &programme, false), 2_000);
            let mean = a.gross.products.iter().map(|p| p.mean).sum::<f64>();
            let error = a.gross.products.iter().map(|p| p.mean_error).sum::<f64>();
            let price = covers(&model, &a, Basis::Gross, 0.1).unwrap().swap_remove(0);
            (expected_loss(&model, 0).unwrap(), mean, error, price)
        };
        let (small, large) = (of(&lines), of(&larger));
        prop_assert!(large.0 >= small.0 * (1.0 - 1e-12));
        // Claims that pay nothing are never drawn, so the years are other years: within sampling error.
        prop_assert!(large.1 >= small.1 - 5.0 * (small.2 + large.2));
        let error = small.3.price_error + large.3.price_error;
        prop_assert!(large.3.price >= small.3.price - 5.0 * error, "{:?} {:?}", small.3, large.3);
    }

    #[test]
    fn caps_keep_the_budget_and_gain_no_more_than_the_bound(
        lines in prop::collection::vec(line(), 2..7),
        programme in programme(),
        budget in 0.2..1.5f64,
        loading in 0.05..1.0f64,
    ) {
        let (model, years, a) = ask(&document(&lines, &programme, false), 2_000);
        let budget = budget * a.gross.tvar;
        let asked = Ask { level: 0.98, budget, bounds: [0.0, 1.0], loading: Some(loading), gap: 0.02 };
        let c = capacity(&model, &years, &asked, 1).unwrap();
        prop_assert!(c.tvar <= budget * (1.0 + 1e-9) && c.gain <= c.at_most * (1.0 + 1e-9));
        // Scaling everything alike is one of the choices.
        let alike = c.gain_now * (budget / c.tvar_now).min(1.0);
        prop_assert!(c.at_most >= alike * (1.0 - 1e-9), "{} {alike}", c.at_most);
        prop_assert!(c.gap <= 0.02 + 1e-9, "gap {} after {} rounds", c.gap, c.rounds);
    }
}

#[test]
fn a_portfolio_and_its_toml_are_allocated_alike() {
    let lines = vec![Line { rate: 0.3, exposure: 20.0, deductible: 0.1, cluster: 0, hit: 0.5 }; 3];
    let programme = Programme { attachment: 5.0, limit: 10.0, reinstatements: 1, quota: 0.5, stop: 20.0 };
    let text = document(&lines, &programme, true);
    let again = toml::to_string(&toml::from_str::<Portfolio>(&text).unwrap()).unwrap();
    assert_eq!(ask(&text, 1_000).2, ask(&again, 1_000).2);
}
