//! Years after years.

#![allow(clippy::unwrap_used)]

use breakwater_capital::{
    Model,
    outcome::{Failure, Options, evaluate},
    years::{Estimate, YearsOptions, YearsReport, run, run_watched},
};

fn model(text: &str) -> Model {
    let head = "schema = \"breakwater-portfolio/1\"\nname = \"test\"\nunit = \"USD\"\n";
    let half = "[[severity]]\nid = \"half\"\nlaw = { kind = \"degenerate\", value = 0.5 }\n\
                [[severity]]\nid = \"exponential\"\nlaw = { kind = \"gamma\", shape = 1.0, scale = 1.0 }\n";
    Model::from_toml(&format!("{head}{half}{text}")).unwrap()
}

fn years(model: &Model, paths: u64, years: u32) -> YearsReport {
    run(model, &YearsOptions { paths, years, seed: 5, threads: 2 }).unwrap()
}

#[track_caller]
fn near(got: Estimate, want: f64) {
    assert!((got.value - want).abs() < 4.0 * got.error + 1e-9, "{got:?}, want {want}");
    assert!(got.error <= 0.06 * want.abs() + 1e-9, "{got:?} says nothing about {want}");
}

#[track_caller]
fn exactly(got: Estimate, want: f64) {
    assert!((got.value - want).abs() < 1e-6 * want.abs().max(1.0), "{got:?}, want {want}");
    // A variance of nothing, but for rounding.
    assert!(got.error < 1e-6 * want.abs().max(1.0), "{got:?}");
}

/// A product without attacks, its premium, and a pool of 100 in one tranche.
fn calm(premium: f64, pool: &str) -> String {
    format!(
        "[[product]]\nid = \"a\"\nrate = 0.0\nseverity = \"half\"\nexposure = 100.0\npremium = {premium}\n\
         [[pool]]\nid = \"p\"\n{pool}\n[[pool.tranche]]\nid = \"t\"\ncapital = 100.0\n"
    )
}

#[test]
fn ruin_is_that_of_cramer_and_lundberg() {
    // Ten exponential claims of mean 1 a year, half as much premium again, surplus u: within 25 years almost all ruin
    // that ever comes has come.
    let at = |u: f64| {
        let m = model(&format!(
            "[[product]]\nid = \"a\"\nrate = 10.0\nseverity = \"exponential\"\nexposure = 1.0\nlimit = 1e6\npremium = 15.0\n\
             [[pool]]\nid = \"p\"\nsurplus = {u}\npremium_to_surplus = 1.0\ntranche = []\n"
        ));
        years(&m, 8000, 25).pools.remove(0)
    };
    for u in [0.5, 3.0] {
        let pool = at(u);
        let ruin = pool.years.last().unwrap().ruin;
        let want = (-0.5 * u / 1.5f64).exp() / 1.5;
        // Premium comes in once a day: on average half a day's is early.
        let early = want * 0.5 / 1.5 * 15.0 / 365.0 / 2.0;
        assert!((ruin.value - want + early).abs() < 4.0 * ruin.error, "{ruin:?}, want {want}");
        let time = pool.time_to_insolvency.unwrap();
        assert_eq!(time.paths as f64, (ruin.value * 8000.0).round());
        // Given ruin, the deficit is exponential of mean 1 again: claims have no memory.
        let unpaid: f64 = pool.years.iter().map(|y| y.unpaid.value).sum();
        assert!((unpaid / ruin.value - 1.0).abs() < 4.0 / (time.paths as f64).sqrt(), "{unpaid}");
    }
}

/// Much of what the schema says.
fn rich() -> Model {
    model(
        "[contagion]\nbranching = 0.3\ndecay_days = 20.0\n\
         [[regime]]\nid = \"calm\"\nprobability = 0.8\n\
         [[regime]]\nid = \"storm\"\nprobability = 0.2\nhazard = 2.0\ncapital = 0.9\ntvl = 0.8\npremium = 0.7\n\
         [[cluster]]\nid = \"c\"\nrate = 0.3\nhit = 0.7\n\
         [[product]]\nid = \"a\"\nrate = 0.8\nseverity = \"half\"\nexposure = 20.0\npremium = 9.0\nclusters = [\"c\"]\n\
         [[product]]\nid = \"b\"\nrate = 0.5\nseverity = \"exponential\"\nexposure = 10.0\nlimit = 40.0\npremium = 8.0\nclusters = [\"c\"]\n\
         [[product]]\nid = \"d\"\nrate = 0.3\nseverity = \"half\"\nexposure = 30.0\nannual_limit = 20.0\npremium = 6.0\n\
         [[treaty]]\nid = \"x\"\npremium = 1.0\n\
         cover = { kind = \"event-excess\", attachment = 8.0, limit = 10.0, reinstatements = [1.0] }\n\
         [[treaty]]\nid = \"s\"\nafter = [\"x\"]\ncover = { kind = \"stop-loss\", attachment = 30.0, limit = 10.0 }\n\
         [[pool]]\nid = \"one\"\nproducts = [\"a\", \"b\"]\nsurplus = 3.0\npremium_to_surplus = 0.2\n\
         reserve = { share = 0.6, yield_rate = 0.04, rate = 0.05, severity = \"half\", cluster = \"c\" }\n\
         behaviour = { renewal = 0.95, lapse_per_rise = 0.05, redemption = 0.1, redemption_per_loss = 0.2, deposits = 0.1, exit_days = 21, price_response = 0.5 }\n\
         [[pool.tranche]]\nid = \"j\"\ncapital = 15.0\npremium_weight = 2.0\n\
         [[pool.tranche]]\nid = \"s\"\ncapital = 30.0\npremium_weight = 1.0\n\
         [[pool]]\nid = \"two\"\nproducts = [\"d\"]\nsurplus = 10.0\n[[pool.tranche]]\nid = \"t\"\ncapital = 15.0\n",
    )
}

#[test]
fn digits_do_not_depend_on_threads() {
    let of = |threads| run(&rich(), &YearsOptions { paths: 500, years: 4, seed: 1, threads }).unwrap();
    let one = of(1);
    // Without printing them: they are long.
    assert!(one == of(2));
    assert!(one == of(5));
    let other = run(&rich(), &YearsOptions { paths: 500, years: 4, seed: 2, threads: 1 }).unwrap();
    assert!(one.pools != other.pools);
    // It is a document.
    let text = serde_json::to_string(&one).unwrap();
    let read: YearsReport = serde_json::from_str(&text).unwrap();
    assert!(read.hashes == one.hashes && read.pools[1].days.insolvent == one.pools[1].days.insolvent);
}

#[test]
fn a_report_hangs_together() {
    let report = years(&rich(), 3000, 5);
    for pool in &report.pools {
        assert!(pool.years.windows(2).all(|w| w[0].ruin.value <= w[1].ruin.value));
        assert!(pool.years.last().unwrap().ruin.value > 0.0);
        assert_eq!(pool.days.insolvent.len(), 5 * 365);
        for (year, end) in pool.years.iter().zip(pool.days.insolvent.iter().skip(364).step_by(365)) {
            assert!((year.ruin.value - end).abs() < 1e-12);
        }
        assert!(pool.days.insolvent.is_sorted());
        let paths = pool.time_to_insolvency.as_ref().unwrap().paths;
        assert_eq!(paths as f64, (pool.years[4].ruin.value * 3000.0).round());
        for year in &pool.years {
            for spread in [&year.capital, &year.premium, &year.shortfall] {
                assert!(spread.quantiles.windows(2).all(|w| w[0].value <= w[1].value));
                let all = spread.quantiles.iter().flat_map(|q| [q.value, q.error]);
                assert!(all.chain([spread.mean.value, spread.mean.error]).all(|v| v.is_finite() && v >= 0.0));
            }
        }
        let days = &pool.days;
        let rows = days.payable.iter().zip(&days.liquid).zip(&days.shortfall).zip(&days.short);
        for (((payable, liquid), shortfall), short) in rows {
            assert!(payable.is_finite() && liquid.is_finite() && shortfall <= payable && *short <= 1.0);
        }
        // The rich pool is short now and then, for most of it is in the reserve.
        assert!(pool.id == "two" || pool.years[0].short.value > 0.01);
    }
}

#[test]
fn the_first_year_is_the_one_year_engines() {
    // Without premium, yield and behaviour the year's end is what one year of simulation leaves.
    let mut portfolio = rich().portfolio;
    portfolio.products.iter_mut().for_each(|p| p.premium = 0.0);
    portfolio.treaties.iter_mut().for_each(|t| t.premium = 0.0);
    for pool in &mut portfolio.pools {
        pool.behaviour = None;
        // Years event by event hold a reserve fixed; here claims are paid out of it, and it fails less.
        pool.reserve = None;
    }
    let m = Model::new(portfolio).unwrap();
    let many = years(&m, 40_000, 1);
    let one = evaluate(&m, &Options { years: 200_000, seed: 3, threads: 2 }, &|_| true).unwrap();
    let borne =
        |from: usize, to: usize| -> f64 { one.tranches[from..to].iter().map(|l| l.figures.mean).sum() };
    let unpaid = |id: &str| one.others.iter().find(|l| l.id == format!("{id}/unpaid")).unwrap();
    for (pool, lost, capital) in [(&many.pools[0], borne(0, 3), 48.0), (&many.pools[1], borne(3, 5), 25.0)] {
        let row = &pool.years[0];
        let other = unpaid(&pool.id);
        let close = |got: Estimate, want: f64, error: f64| {
            let error = (got.error * got.error + error * error).sqrt();
            assert!((got.value - want).abs() <= 4.0 * error, "{}: {got:?}, want {want}", pool.id);
        };
        close(row.ruin, other.attach, (other.attach / 200_000.0).sqrt());
        close(row.capital.mean, capital - lost, 0.04);
        // Covers end with the pool, so no more than that stays unpaid.
        assert!(row.unpaid.value <= other.figures.mean);
    }
}

#[test]
fn premium_yield_and_renewals_by_hand() {
    let m = model(&calm(
        10.0,
        "premium_to_surplus = 0.25\nreserve = { share = 0.5, yield_rate = 0.1, rate = 0.0, severity = \"half\" }\n\
         behaviour = { renewal = 0.9 }",
    ));
    let pool = &years(&m, 40, 2).pools[0];
    // Half of 100 earns a tenth; then half of 115 does.
    exactly(pool.years[0].premium.mean, 10.0);
    exactly(pool.years[0].capital.mean, 115.0);
    exactly(pool.years[1].in_force, 0.9);
    exactly(pool.years[1].premium.mean, 9.0);
    exactly(pool.years[1].capital.mean, 115.0 + 9.0 + 5.75);
    assert!(
        pool.years[1].capital.quantiles.iter().all(|q| (q.value - 129.75).abs() < 1e-3 && q.error < 1e-3)
    );
    assert_eq!((pool.years[1].ruin.value, pool.years[1].short.value), (0.0, 0.0));
    assert!(pool.time_to_insolvency.is_none());
}

#[test]
fn prices_rise_after_a_loss_and_covers_lapse_for_it() {
    let m = model(
        &(calm(10.0, "behaviour = { price_response = 0.5, lapse_per_rise = 0.1 }")
            + "[[regime]]\nid = \"bad\"\nprobability = 1.0\ncapital = 0.8\n"),
    );
    let pool = &years(&m, 3, 3).pools[0];
    // 100 fall to 80 and earn 10: a loss of 10, half of which on a premium of 10 is a rise of half; half of all lapse.
    exactly(pool.years[0].capital.mean, 90.0);
    exactly(pool.years[1].in_force, 0.5);
    exactly(pool.years[1].premium.mean, 7.5);
    // 90 fall to 72 and earn 7.5: a loss of 10.5, half of it more than the premium of 5 in force: prices double, which is
    // a rise of a third.
    exactly(pool.years[1].capital.mean, 79.5);
    exactly(pool.years[2].in_force, 1.0 / 3.0);
    exactly(pool.years[2].premium.mean, 20.0 / 3.0);
}

#[test]
fn underwriters_run_after_a_loss_and_wait_their_days() {
    let run = |more: &str, exit: &str| {
        let m = model(
            &(calm(0.0, &format!("behaviour = {{ redemption_per_loss = 0.1, exit_days = {exit} }}"))
                .replace("premium = 0", &format!("{more}\npremium = 0"))
                + "[[regime]]\nid = \"bad\"\nprobability = 1.0\ncapital = 0.8\n"),
        );
        years(&m, 2, 1).pools.remove(0)
    };
    // A fifth of the capital is lost on the first day: two tenths of what is left ask, and get 16.
    let pool = run("", "10.0");
    exactly(pool.years[0].redeemed, 16.0);
    exactly(pool.years[0].capital.mean, 64.0);
    assert_eq!(pool.days.payable[9], 0.0);
    assert!((pool.days.payable[10] - 16.0).abs() < 1e-9);
    // Claims of covers that ended may be reported for 40 days.
    let pool = run("report_days = 40.0", "10.0");
    assert_eq!(pool.days.payable[39], 0.0);
    assert!((pool.days.payable[40] - 16.0).abs() < 1e-9);
    exactly(run("", "400.0").years[0].redeemed, 0.0);
}

#[test]
fn an_ordinary_year_sees_its_share_ask_and_deposits_follow_profits() {
    let m = model(&calm(0.0, "behaviour = { redemption = 0.3, deposits = 0.5 }"));
    let pool = &years(&m, 2, 2).pools[0];
    exactly(pool.years[0].redeemed, 30.0);
    // Neither profit nor loss: no deposits.
    exactly(pool.years[1].capital.mean, 49.0);
    let m = model(&calm(10.0, "behaviour = { deposits = 0.5 }"));
    let pool = &years(&m, 2, 3).pools[0];
    exactly(pool.years[0].capital.mean, 110.0);
    exactly(pool.years[2].capital.mean, 230.0);
}

#[test]
fn a_run_on_a_pool_that_is_invested_finds_no_cash() {
    let m = model(&calm(
        0.0,
        "reserve = { share = 0.75, rate = 0.0, severity = \"half\" }\nbehaviour = { redemption = 1.0, exit_days = 5 }",
    ));
    let pool = &years(&m, 2, 1).pools[0];
    exactly(pool.years[0].shortfall.mean, 75.0);
    exactly(pool.years[0].short_days, 1.0);
    exactly(pool.years[0].short, 1.0);
    assert_eq!((pool.days.shortfall[5], pool.days.short[5], pool.days.short_error[5]), (75.0, 1.0, 0.0));
    exactly(pool.years[0].capital.mean, 0.0);
    // Empty is not insolvent: nobody is owed.
    assert_eq!(pool.years[0].ruin.value, 0.0);
}

#[test]
fn cover_waits_in_the_first_year_only() {
    let m = model(
        "[[product]]\nid = \"a\"\nrate = 4.0\nseverity = \"half\"\nexposure = 2.0\npremium = 8.0\nwaiting_days = 73.0\n\
         [[pool]]\nid = \"p\"\nsurplus = 1000.0\ntranche = []\n",
    );
    let pool = &years(&m, 10_000, 2).pools[0];
    exactly(pool.years[0].premium.mean, 6.4);
    near(pool.years[0].claims, 3.2);
    exactly(pool.years[1].premium.mean, 8.0);
    near(pool.years[1].claims, 4.0);
    assert!(pool.days.payable[..73].iter().all(|&p| p == 0.0));
}

#[test]
fn what_stop_losses_will_pay_keeps_a_pool_solvent_until_they_do() {
    let text = |limit: f64| {
        format!(
            "[[product]]\nid = \"a\"\nrate = 3.0\nseverity = \"half\"\nexposure = 20.0\n\
             [[treaty]]\nid = \"s\"\ncover = {{ kind = \"stop-loss\", attachment = 15.0, limit = {limit} }}\n\
             [[pool]]\nid = \"p\"\nsurplus = 15.0\ntranche = []\n"
        )
    };
    // All above the capital is covered: never insolvent, but claims wait for the year's end.
    let pool = &years(&model(&text(1e6)), 2000, 1).pools[0];
    assert_eq!(pool.years[0].ruin.value, 0.0);
    assert!(pool.years[0].short.value > 0.5);
    // A limit of one claim: insolvent from the third claim on, beyond 25.
    let pool = &years(&model(&text(10.0)), 20_000, 1).pools[0];
    let e = (-3.0f64).exp();
    near(pool.years[0].ruin, 1.0 - e * (1.0 + 3.0 + 4.5));
}

#[test]
fn more_surplus_never_makes_ruin_likelier() {
    let ruin = |more: f64| {
        let mut portfolio = rich().portfolio;
        // Behaviour feeds back; without it paths differ by the surplus alone.
        portfolio.pools.iter_mut().for_each(|p| {
            p.behaviour = None;
            p.surplus += more;
        });
        years(&Model::new(portfolio).unwrap(), 1500, 4)
    };
    let (less, more) = (ruin(0.0), ruin(5.0));
    for (less, more) in less.pools.iter().zip(&more.pools) {
        let mut days = less.days.insolvent.iter().zip(&more.days.insolvent);
        assert!(days.clone().all(|(l, m)| m <= l));
        assert!(days.next_back().is_some_and(|(l, m)| m < l));
    }
}

#[test]
fn what_cannot_be_run_is_refused() {
    let options = |paths, years| YearsOptions { paths, years, seed: 1, threads: 1 };
    let why = |m: &Model, o| match run(m, &o) {
        Err(Failure::Refused(why)) => why,
        _ => panic!("not refused"),
    };
    assert!(why(&rich(), options(0, 1)).contains("0 paths"));
    assert!(why(&rich(), options(1, 0)).contains("0 years"));
    assert!(why(&rich(), options(u64::MAX, 9)).contains("at most"));
    let none = model("[[product]]\nid = \"a\"\nrate = 0.0\nseverity = \"half\"\nexposure = 1.0\n");
    assert!(why(&none, options(1, 1)).contains("no pool"));
    assert!(run_watched(&rich(), &options(100, 1), &|_| false) == Err(Failure::Ended));
}
