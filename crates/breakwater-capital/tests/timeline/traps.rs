//! What other engines get wrong, each with the right number.

use super::*;

#[test]
fn trap_the_first_limit_is_no_reinstatement() {
    // PAL 0.3.1 charges 150: it prices the reinstatement of the first limit as the second.
    let m = model(
        &(products(1, 1000.0)
            + "[[treaty]]\nid = \"x\"\npremium = 100.0\n\
               cover = { kind = \"event-excess\", attachment = 0, limit = 10, reinstatements = [1.0, 0.0] }\n"),
    );
    let s = settle(&m, year(&[&[(0, 10.0)], &[(0, 5.0)]]));
    assert_eq!(s.paid, [15.0]);
    assert_eq!(s.reinstatement, [100.0]);
    // Half a limit: half the first price.
    assert_eq!(settle(&m, year(&[&[(0, 5.0)]])).reinstatement, [50.0]);
    // The last limit is reinstated by nobody.
    let m = model(
        &(products(1, 1000.0)
            + "[[treaty]]\nid = \"x\"\npremium = 100.0\nshare = 0.5\n\
               cover = { kind = \"event-excess\", attachment = 0, limit = 10, reinstatements = [1.0, 0.5] }\n"),
    );
    let s = settle(&m, year(&[&[(0, 10.0)], &[(0, 8.0)], &[(0, 10.0)], &[(0, 10.0)]]));
    assert_eq!(s.paid, [15.0]);
    assert_eq!(s.events, [5.0, 4.0, 5.0, 9.0]);
    assert_eq!(s.reinstatement, [150.0]);
}

#[test]
fn reinstatement_premium_of_the_generalised_pareto_example() {
    // GEMAct's own example: Poisson(.5) events of GPD(.834, 83.34), 100 xs 0, annual deductible 100, two reinstatements
    // at full price: ceded 4.51394, and the premium that pays for it 4.32016.
    let m = model(
        "[[severity]]\nid = \"s\"\nlaw = { kind = \"gpd\", xi = 0.834, scale = 83.34 }\n\
         [[product]]\nid = \"a\"\nrate = 0.5\nseverity = \"s\"\nexposure = 1.0\nlimit = 1e9\n\
         [[treaty]]\nid = \"x\"\npremium = 1.0\n\
         cover = { kind = \"event-excess\", attachment = 0, limit = 100, annual_deductible = 100, reinstatements = [1.0, 1.0] }\n",
    );
    let years = 400_000;
    let ceded = mean(&m, 3, years);
    near(ceded, 4.51394);
    // The extras begin after the treaty, for there is no pool.
    let reinstated = mean(&m, 4, years);
    let price = ceded.0 / (1.0 + reinstated.0);
    assert!((price - 4.32016).abs() < 4.0 * ceded.1, "{price}");
}

#[test]
fn trap_a_mixture_with_an_attachment_keeps_its_weights() {
    // aggregate 1.11.0 reweights and finds 2.5563.
    let law = "[[severity]]\nid = \"s\"\nlaw = { kind = \"mixture\", parts = [\
               { weight = 0.5, law = { kind = \"gamma\", shape = 1.0, scale = 1.0 } },\
               { weight = 0.5, law = { kind = \"gamma\", shape = 1.0, scale = 5.0 } }] }\n";
    let want = 0.5 * ((-1.0f64).exp() - (-11.0f64).exp()) + 2.5 * ((-0.2f64).exp() - (-2.2f64).exp());
    assert!((want - 1.9538).abs() < 1e-4);
    let ground = format!("{law}[[product]]\nid = \"a\"\nrate = 1.0\nseverity = \"s\"\nexposure = 1.0\n");
    let terms = model(&format!("{ground}deductible = 1.0\nlimit = 10.0\n"));
    near(mean(&terms, 0, 100_000), want);
    let treaty = model(&format!(
        "{ground}limit = 1e6\n[[treaty]]\nid = \"x\"\ncover = {{ kind = \"event-excess\", attachment = 1, limit = 10 }}\n"
    ));
    near(mean(&treaty, 3, 100_000), want);
}

#[test]
fn trap_an_atom_at_zero_is_a_claim_of_nothing() {
    // GEMAct's tower draws given that the claim is above zero, but does not thin the count.
    let m = model(
        "[[severity]]\nid = \"s\"\nlaw = { kind = \"empirical\", values = [0.0, 0.4], weights = [3.0, 1.0] }\n\
         [[product]]\nid = \"a\"\nrate = 2.0\nseverity = \"s\"\nexposure = 10.0\n",
    );
    near(mean(&m, 0, 100_000), 2.0);
    // And nothing is a claim of nobody: a year of nothing but empty claims has no loss.
    let merged = run(&Timeline::new(&m).unwrap(), &m, 100_000, 3, 1);
    let positive = Distribution::new(&merged.bins[0], 1e5).positive();
    near(positive, 1.0 - (-0.5f64).exp());
}

#[test]
fn trap_the_last_year_is_a_year() {
    // GEMAct's tower leaves the last year as memory had it. Here a thousand attacks a year: none is without.
    let m = model(&products(1, 2.0).replace("rate = 1.0", "rate = 1000.0"));
    for years in [1, 2047, 2048, 2049] {
        let merged = run(&Timeline::new(&m).unwrap(), &m, years, 1, 1);
        assert_eq!(merged.years, years);
        let least = merged.bins[0].first().unwrap().low;
        assert!(least > 700.0 && least < 1300.0, "{least}");
        let most = merged.bins[0].last().unwrap().high;
        assert!(most < 1300.0, "{most}");
    }
}

#[test]
fn trap_an_outer_layer_sees_what_the_inner_left() {
    // reinsureR's open wish: the inner layer is used up, and the outer one, which looks at what is left, drops down.
    let m = model(
        &(products(1, 1000.0)
            + "[[treaty]]\nid = \"inner\"\ncover = { kind = \"event-excess\", attachment = 5, limit = 10, annual_limit = 10 }\n\
               [[treaty]]\nid = \"outer\"\nafter = [\"inner\"]\ncover = { kind = \"event-excess\", attachment = 5, limit = 20 }\n"),
    );
    let s = settle(&m, year(&[&[(0, 18.0)], &[(0, 18.0)]]));
    assert_eq!(s.paid, [10.0, 16.0]);
    assert_eq!(s.events, [5.0, 5.0]);
    // Beside it, a tower that looks at the gross loss does not.
    let m = model(
        &(products(1, 1000.0)
            + "[[treaty]]\nid = \"inner\"\ncover = { kind = \"event-excess\", attachment = 5, limit = 10, annual_limit = 10 }\n\
               [[treaty]]\nid = \"outer\"\ncover = { kind = \"event-excess\", attachment = 15, limit = 20 }\n"),
    );
    assert_eq!(settle(&m, year(&[&[(0, 18.0)], &[(0, 18.0)]])).events, [5.0, 15.0]);
}
