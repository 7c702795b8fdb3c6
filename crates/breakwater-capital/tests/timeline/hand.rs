//! Years computed by hand.

use super::*;

fn with(n: usize, more: &str) -> Model {
    model(&(products(n, 100.0) + more))
}

#[test]
fn an_event_excess_pays_its_layer_until_the_year_is_used_up() {
    let m = with(
        1,
        "[[treaty]]\nid = \"x\"\nshare = 0.5\n\
         cover = { kind = \"event-excess\", attachment = 10, limit = 20, annual_limit = 30, annual_deductible = 5 }\n",
    );
    // In the layer 20, 15, 20; the first 5 are kept; then 15, 15 and nothing, for the annual limit is 30. Half is placed.
    let s = settle(&m, year(&[&[(0, 40.0)], &[(0, 25.0)], &[(0, 30.0)]]));
    assert_eq!(s.events, [32.5, 17.5, 30.0]);
    assert_eq!((s.gross, s.net, s.largest), (95.0, 80.0, 40.0));
    assert_eq!(s.paid, [15.0]);
}

#[test]
fn a_quota_share_has_limits_before_its_share() {
    let m = with(
        1,
        "[[treaty]]\nid = \"q\"\nshare = 0.25\n\
         cover = { kind = \"quota-share\", event_limit = 40, annual_limit = 60 }\n",
    );
    let s = settle(&m, year(&[&[(0, 50.0)], &[(0, 30.0)], &[(0, 8.0)]]));
    assert_eq!(s.events, [40.0, 25.0, 8.0]);
    assert_eq!(s.paid, [15.0]);
    assert_eq!(s.net, 73.0);
}

#[test]
fn a_stop_loss_sees_the_year_after_those_it_names_only() {
    let m = with(
        1,
        "[[treaty]]\nid = \"x\"\ncover = { kind = \"event-excess\", attachment = 10, limit = 10 }\n\
         [[treaty]]\nid = \"blind\"\nshare = 0.5\ncover = { kind = \"stop-loss\", attachment = 30, limit = 10 }\n\
         [[treaty]]\nid = \"last\"\nafter = [\"x\", \"blind\"]\ncover = { kind = \"stop-loss\", attachment = 20, limit = 100 }\n",
    );
    // Gross 45. The layer pays 10 + 10. The blind one sees 45 and pays half of 10; the last sees 20 and pays nothing.
    let s = settle(&m, year(&[&[(0, 20.0)], &[(0, 25.0)]]));
    assert_eq!(s.paid, [20.0, 5.0, 0.0]);
    assert_eq!(s.net, 20.0);
    let s = settle(&m, year(&[&[(0, 20.0)], &[(0, 37.0)]]));
    assert_eq!(s.paid, [20.0, 5.0, 12.0]);
    assert_eq!(s.net, 20.0);
}

#[test]
fn a_catastrophe_pays_its_amount_for_so_many_events_and_never_more_than_the_loss() {
    let m = with(
        1,
        "[[treaty]]\nid = \"x\"\ncover = { kind = \"event-excess\", attachment = 12, limit = 100 }\n\
         [[treaty]]\nid = \"c\"\nafter = [\"x\"]\ncover = { kind = \"catastrophe\", trigger = 10, pays = 11, events = 2 }\n",
    );
    // It looks at 9, 12, 10 and 12: the second and third trigger it, and the third pays no more than its 10.
    let s = settle(&m, year(&[&[(0, 9.0)], &[(0, 50.0)], &[(0, 10.0)], &[(0, 60.0)]]));
    assert_eq!(s.events, [9.0, 1.0, 0.0, 12.0]);
    assert_eq!(s.paid, [86.0, 21.0]);
}

#[test]
fn products_outside_a_treaty_are_not_its_business() {
    let m = with(
        3,
        "[[treaty]]\nid = \"ab\"\nproducts = [\"a\", \"b\"]\ncover = { kind = \"event-excess\", attachment = 10, limit = 30 }\n\
         [[treaty]]\nid = \"b\"\nproducts = [\"b\"]\nafter = [\"ab\"]\nshare = 0.5\ncover = { kind = \"quota-share\" }\n\
         [[treaty]]\nid = \"all\"\nafter = [\"ab\", \"b\"]\ncover = { kind = \"stop-loss\", attachment = 40, limit = 10 }\n\
         [[pool]]\nid = \"one\"\nproducts = [\"a\", \"c\"]\nsurplus = 8.0\n[[pool.tranche]]\nid = \"t\"\ncapital = 100.0\n\
         [[pool]]\nid = \"two\"\nproducts = [\"b\"]\nsurplus = 1.0\n[[pool.tranche]]\nid = \"t\"\ncapital = 2.0\n",
    );
    // Hits of 10, 30 and 40. The first treaty sees 40 of the 80 and pays 30: 7.5 of a's, 22.5 of b's.
    // The second sees the 7.5 left of b and pays 3.75. The third sees 46.25 and pays 6.25, by what is left of each:
    // 2.5, 3.75 and 40 of 46.25.
    let s = settle(&m, year(&[&[(0, 10.0), (1, 30.0), (2, 40.0)]]));
    assert_eq!(s.paid, [30.0, 3.75, 6.25]);
    close(s.net, 40.0);
    let kept = 40.0 / 46.25;
    close(s.pools[0].claims, 42.5 * kept);
    close(s.pools[1].claims, 3.75 * kept);
    close(s.pools[0].borne[0], 8.0);
    close(s.pools[0].borne[1], 42.5 * kept - 8.0);
    close(s.pools[1].borne[1], 2.0);
    close(s.pools[1].unpaid, 3.75 * kept - 3.0);
}

#[test]
fn nobody_is_paid_twice_for_one_loss() {
    // Of one product and of all: what one has paid the other does not.
    let m = with(
        2,
        "[[treaty]]\nid = \"a\"\nproducts = [\"a\"]\ncover = { kind = \"quota-share\" }\n\
         [[treaty]]\nid = \"all\"\nshare = 0.5\ncover = { kind = \"quota-share\" }\n",
    );
    let s = settle(&m, year(&[&[(0, 10.0), (1, 30.0)], &[(0, 6.0)]]));
    assert_eq!(s.paid, [16.0, 15.0]);
    assert_eq!(s.net, 15.0);
    // A stop loss that looks at the gross year, beside a quota share that pays most of it.
    let m = with(
        1,
        "[[treaty]]\nid = \"q\"\nshare = 0.9\ncover = { kind = \"quota-share\" }\n\
         [[treaty]]\nid = \"s\"\ncover = { kind = \"stop-loss\", attachment = 10, limit = 100 }\n",
    );
    let s = settle(&m, year(&[&[(0, 30.0)]]));
    assert_eq!(s.paid[0], 27.0);
    close(s.paid[1], 3.0);
    close(s.net, 0.0);
}

#[test]
fn the_same_reinsurer_defaults_on_all_and_the_next_one_does_not_pay_for_it() {
    let treaty = |id: &str, more: &str, recovery: f64| {
        format!(
            "[[treaty]]\nid = \"{id}\"\n{more}\n\
             counterparty = {{ id = \"re\", default_probability = 0.1, recovery = {recovery} }}\n"
        )
    };
    let m = with(
        1,
        &(treaty("x", "cover = { kind = \"event-excess\", attachment = 10, limit = 20 }", 0.25)
            + &treaty("q", "after = [\"x\"]\nshare = 0.5\ncover = { kind = \"quota-share\" }", 0.5)
            + "[[treaty]]\nid = \"s\"\nafter = [\"x\", \"q\"]\ncover = { kind = \"stop-loss\", attachment = 4, limit = 100 }\n"),
    );
    let good = settle(&m, Year { defaulted: vec![false], ..year(&[&[(0, 30.0)]]) });
    assert_eq!(good.paid, [20.0, 5.0, 1.0]);
    assert_eq!(good.net, 4.0);
    let bad = settle(&m, Year { defaulted: vec![true], ..year(&[&[(0, 30.0)]]) });
    assert_eq!(bad.owed, [20.0, 5.0, 1.0]);
    assert_eq!(bad.paid, [5.0, 2.5, 1.0]);
    assert_eq!(bad.events, [22.5]);
    assert_eq!(bad.net, 21.5);
}

#[test]
fn an_annual_limit_of_a_product_is_eaten_in_the_order_of_time() {
    let m = model(
        &(products(1, 100.0)
            + "annual_limit = 60.0\n\
               [[treaty]]\nid = \"x\"\ncover = { kind = \"event-excess\", attachment = 15, limit = 100 }\n"),
    );
    let mut y = year(&[&[(0, 50.0)], &[(0, 50.0)], &[(0, 50.0)]]);
    let mut s = Settled::default();
    let engine = Timeline::new(&m).unwrap();
    engine.settler().settle(&mut y, &mut s);
    assert_eq!(y.hits.iter().map(|h| h.amount).collect::<Vec<_>>(), [50.0, 10.0, 0.0]);
    assert_eq!((s.gross, s.net), (60.0, 25.0));
    // The next year begins anew.
    engine.settler().settle(&mut year(&[&[(0, 50.0)]]), &mut s);
    assert_eq!(s.gross, 50.0);
}

#[test]
fn surplus_then_tranches_bear_claims_and_failed_reserves() {
    let m = with(
        1,
        "[[regime]]\nid = \"calm\"\nprobability = 0.5\n\
         [[regime]]\nid = \"crash\"\nprobability = 0.5\ncapital = 0.5\n\
         [[pool]]\nid = \"p\"\nsurplus = 10.0\nreserve = { share = 0.5, rate = 1.0, severity = \"half\" }\n\
         [[pool.tranche]]\nid = \"junior\"\ncapital = 20.0\n\
         [[pool.tranche]]\nid = \"senior\"\ncapital = 70.0\n",
    );
    let fail = |share| breakwater_capital::timeline::Failure { time: 0.1, pool: 0, share };
    let mut y = year(&[&[(0, 4.0)], &[(0, 8.0)]]);
    // Half of the capital of 100 is in the reserve; a fifth and then a quarter of what is left fail: 20 in all.
    y.failures = vec![fail(0.2), fail(0.25)];
    let s = settle(&m, y.clone());
    let pool = &s.pools[0];
    close(pool.claims, 12.0);
    close(pool.reserve, 20.0);
    close(pool.borne[0], 10.0);
    close(pool.borne[1], 20.0);
    close(pool.borne[2], 2.0);
    assert_eq!(pool.unpaid, 0.0);
    // In a crash half of everything is gone before; claims of 12 and 10 of the reserve go through 5, 10 and into 35.
    y.regime = 1;
    let s = settle(&m, y.clone());
    let pool = &s.pools[0];
    close(pool.reserve, 10.0);
    close(pool.borne[0], 10.0);
    close(pool.borne[1], 20.0);
    close(pool.borne[2], 42.0);
    // Nothing is left exactly when all is borne; what is owed beyond that is said.
    y.failures.clear();
    y.hits[1].amount = 50.0;
    let s = settle(&m, y);
    close(s.pools[0].borne[2], 70.0);
    close(s.pools[0].unpaid, 4.0);
}

#[test]
fn events_of_one_moment_stay_in_the_order_of_drawing() {
    let m = with(
        2,
        "[[treaty]]\nid = \"x\"\ncover = { kind = \"event-excess\", attachment = 0, limit = 9, annual_limit = 9 }\n",
    );
    let mut y = year(&[&[(0, 9.0)], &[(1, 9.0)]]);
    y.events[1].time = y.events[0].time;
    assert_eq!(settle(&m, y).events, [0.0, 9.0]);
}

#[test]
fn a_treaty_by_event_cannot_come_after_one_of_the_year() {
    let m = with(
        1,
        "[[treaty]]\nid = \"s\"\ncover = { kind = \"stop-loss\", attachment = 10, limit = 10 }\n\
         [[treaty]]\nid = \"x\"\nafter = [\"s\"]\ncover = { kind = \"event-excess\", attachment = 1, limit = 1 }\n",
    );
    let why = Timeline::new(&m).unwrap_err();
    assert!(why.contains("\"x\"") && why.contains("\"s\""), "{why}");
}
