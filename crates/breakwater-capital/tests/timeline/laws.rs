//! The years' laws: against the fast engine, and against what is known in closed form.

use super::*;
use breakwater_capital::{example, flat::Flat, simulate::variable};

#[test]
fn cp500_is_the_same_by_both_engines() {
    let m = Model::new(example::cp500()).unwrap();
    let years = 200_000;
    let slow = run(&Timeline::new(&m).unwrap(), &m, years, 5, 2);
    let fast = run(&Flat::new(&m).unwrap(), &m, 4 * years, 6, 2);
    agree(&slow, &fast, 6);
    // And what is known exactly: capital-engine research, FFT.
    let gross = moments(&slow.sums[variable::GROSS], years as f64);
    near((gross.mean, gross.mean_error), 4.53670);
    near((gross.sd, gross.sd_error), 5.08420);
    let level = Distribution::new(&slow.bins[variable::GROSS], years as f64).level(0.99).unwrap();
    near((level.var, level.var_error), 23.335);
    near((level.tvar, level.tvar_error), 28.5428);
    let stop_loss = moments(&slow.sums[5], years as f64);
    assert!((stop_loss.mean - 0.009553).abs() < 4.0 * stop_loss.mean_error);
    // Contributions by product and by cause too.
    let (slow, fast) = (slow.tail.finish().unwrap(), fast.tail.finish().unwrap());
    for (one, two) in [(slow.products, fast.products), (slow.causes, fast.causes)] {
        for (place, (a, b)) in one.into_iter().zip(two).enumerate() {
            let error = (a.1 * a.1 + b.1 * b.1).sqrt();
            // Five, for there are five hundred of them.
            assert!((a.0 - b.0).abs() <= 5.0 * error + 0.01, "{place}: {a:?} and {b:?}");
        }
    }
}

#[test]
fn a_small_portfolio_is_the_same_by_both_engines() {
    let m = model(
        "[[mixing]]\nid = \"m\"\nshape = 2.0\n\
         [[severity]]\nid = \"s\"\nlaw = { kind = \"beta\", alpha = 0.8, beta = 2.0 }\n\
         [[severity]]\nid = \"d\"\nlaw = { kind = \"empirical\", values = [0.0, 0.3, 1.0] }\n\
         [[cluster]]\nid = \"c\"\nrate = 0.3\nhit = 0.5\n\
         [[product]]\nid = \"a\"\nrate = 0.5\nseverity = \"s\"\nexposure = 10.0\nmixing = \"m\"\nclusters = [\"c\"]\n\
         [[product]]\nid = \"b\"\nrate = 1.5\nseverity = \"d\"\nexposure = 5.0\ndeductible_share = 0.1\nclusters = [{ id = \"c\", hit = 0.9 }]\n\
         [[product]]\nid = \"e\"\nrate = 0.1\nseverity = \"s\"\nexposure = 40.0\ndeductible = 1.0\nlimit = 20.0\nmixing = \"m\"\n\
         [[treaty]]\nid = \"q\"\nshare = 0.3\ncover = { kind = \"quota-share\", event_limit = 4.0 }\n\
         [[treaty]]\nid = \"x\"\nshare = 0.8\ncover = { kind = \"event-excess\", attachment = 4.0, limit = 6.0, annual_limit = 10.0, annual_deductible = 1.0 }\n\
         [[treaty]]\nid = \"s\"\nafter = [\"q\", \"x\"]\ncover = { kind = \"stop-loss\", attachment = 8.0, limit = 5.0 }\n\
         [[pool]]\nid = \"p\"\nsurplus = 2.0\n[[pool.tranche]]\nid = \"j\"\ncapital = 5.0\n[[pool.tranche]]\nid = \"s\"\ncapital = 10.0\n",
    );
    let slow = run(&Timeline::new(&m).unwrap(), &m, 300_000, 7, 2);
    let fast = run(&Flat::new(&m).unwrap(), &m, 600_000, 8, 2);
    agree(&slow, &fast, 9);
}

#[test]
fn digits_do_not_depend_on_threads_or_batches() {
    let m = model(
        &(products(3, 9.0)
            + "[contagion]\nbranching = 0.4\ndecay_days = 20.0\n\
               [[treaty]]\nid = \"x\"\ncover = { kind = \"event-excess\", attachment = 2, limit = 2, annual_limit = 5 }\n"),
    );
    let engine = Timeline::new(&m).unwrap();
    let years = 300_000;
    let one = run(&engine, &m, years, 9, 1);
    for threads in [2, 4] {
        let other = run(&engine, &m, years, 9, threads);
        assert_eq!((&one.sums, &one.bins), (&other.sums, &other.bins));
    }
    let plan = Timeline::plan(&m, plan(&m, &Options { years, seed: 9, threads: 1 }));
    let mut merger = simulate::Merger::new(&plan);
    (0..plan.batches()).for_each(|index| merger.batch(simulate::batch(&engine, &plan, index)));
    let merged = merger.finish();
    assert_eq!((&one.sums, &one.bins), (&merged.sums, &merged.bins));
    assert_eq!(one.tail.finish(), merged.tail.finish());
}

/// Attacks a year, by the gross loss of a portfolio in which each costs one.
fn attacks(more: &str, rate: f64) -> Model {
    model(&(products(1, 2.0).replace("rate = 1.0", &format!("rate = {rate}")) + more))
}

#[test]
fn contagion_multiplies_attacks_by_one_over_one_less_branching() {
    // Delays of minutes: a year is a long horizon.
    let m = attacks("[contagion]\nbranching = 0.6\ndecay_days = 0.01\n", 2.0);
    near(mean(&m, 0, 100_000), 5.0);
}

#[test]
fn contagion_is_cut_off_by_the_years_end() {
    // With delays of mean 1/b the expected intensity solves m' = -(1-n) b (m - m*), m(0) = rate:
    // the year's attacks are rate / (1-n) * (1 - n (1 - exp(-(1-n) b)) / ((1-n) b)).
    let m = attacks("[contagion]\nbranching = 0.5\ndecay_days = 73.0\n", 2.0);
    let (n, b) = (0.5f64, 5.0f64);
    let k = (1.0 - n) * b;
    near(mean(&m, 0, 200_000), 2.0 / (1.0 - n) * (1.0 - n * (1.0 - (-k).exp()) / k));
}

#[test]
fn shocks_do_not_breed_contagion_but_follow_ups_do() {
    let cluster = "[[cluster]]\nid = \"c\"\nrate = 0.5\nhit = 1.0\n";
    let two = "[[severity]]\nid = \"half\"\nlaw = { kind = \"degenerate\", value = 0.5 }\n\
               [[product]]\nid = \"a\"\nrate = 0.0\nseverity = \"half\"\nexposure = 2.0\nclusters = [\"c\"]\n\
               [[product]]\nid = \"b\"\nrate = 1e-9\nseverity = \"half\"\nexposure = 2.0\nclusters = [{ id = \"c\", hit = 0.0 }]\n";
    let contagion = "[contagion]\nbranching = 0.5\ndecay_days = 0.01\n";
    near(mean(&model(&format!("{contagion}{cluster}{two}")), 0, 100_000), 0.5);
    // A shock hits a; b follows with probability .25. An attack on b has a follow with .25 (and a then b), and
    // every attack has .5 children on b. Expected total from one attack: of either kind the same t, for an attack on a
    // and one on b have the same offspring in number: t = 1 + (.25 + .5) t = 4. So .5 * (1 + .25 * 4) a year.
    let follow = "follow_up = { probability = 0.25, within_days = 0.001 }\n";
    near(mean(&model(&format!("{contagion}{cluster}{follow}{two}")), 0, 200_000), 1.0);
}

#[test]
fn every_other_member_is_followed_up_within_the_delay() {
    // 300 members, so that the skips between followers matter: 20 * 299 / 1000 of them, and theirs, half cut off at
    // most by the year's end.
    let mut text = "[[severity]]\nid = \"half\"\nlaw = { kind = \"degenerate\", value = 0.5 }\n\
                    [[cluster]]\nid = \"c\"\nrate = 0.0\nhit = 0.0\nfollow_up = { probability = 0.001, within_days = 0.01 }\n"
        .to_owned();
    for i in 0..300 {
        let rate = if i == 0 { 1.0 } else { 0.0 };
        text += &format!(
            "[[product]]\nid = \"{i}\"\nrate = {rate}\nseverity = \"half\"\nexposure = 2.0\nclusters = [\"c\"]\n"
        );
    }
    let m = model(&text);
    near(mean(&m, 0, 200_000), 1.0 / (1.0 - 0.299));
    let longest = model(&text.replace("within_days = 0.01", "within_days = 730.0"));
    let engine = Timeline::new(&longest).unwrap();
    let (mut year, mut room) = (Year::default(), breakwater_capital::timeline::Room::default());
    for key in 0..2000 {
        engine.sampler().year(key, &mut room, &mut year);
        assert!(year.events.iter().all(|e| e.time > 0.0 && e.time < 1.0));
        assert!(year.events.is_sorted_by(|a, b| a.time <= b.time));
    }
}

#[test]
fn uncertain_rates_make_counts_negative_binomial() {
    // Mean 2, standard deviation of the rate 1.5: variance 2 + 1.5^2. Products, and shocks of a cluster.
    let product =
        attacks("", 2.0).portfolio.to_toml().unwrap().replace("rate = 2.0", "rate = 2.0\nrate_sd = 1.5");
    let cluster = products(1, 2.0).replace("rate = 1.0", "rate = 0.0")
        + "clusters = [\"c\"]\n[[cluster]]\nid = \"c\"\nrate = 2.0\nrate_sd = 1.5\nhit = 1.0\n";
    for m in [Model::from_toml(&product).unwrap(), model(&cluster)] {
        let merged = run(&Timeline::new(&m).unwrap(), &m, 200_000, 2, 2);
        let got = moments(&merged.sums[0], 200_000.0);
        near((got.mean, got.mean_error), 2.0);
        near((got.sd, got.sd_error), (2.0f64 + 2.25).sqrt());
    }
}

#[test]
fn a_state_of_the_market_moves_rates_and_amounts() {
    let m = attacks(
        "annual_limit = 1.0\n[[regime]]\nid = \"calm\"\nprobability = 0.75\nhazard = 0.5\n\
         [[regime]]\nid = \"storm\"\nprobability = 0.25\nhazard = 2.0\ntvl = 3.0\n",
        1.0,
    );
    // With a limit of one claim a year the loss is 1 or 3 if there is any attack.
    let want = 0.75 * (1.0 - (-0.5f64).exp()) + 0.25 * 3.0 * (1.0 - (-2.0f64).exp());
    near(mean(&m, 0, 100_000), want);
}

#[test]
fn a_reinsurer_that_may_fail_pays_less_by_its_probability() {
    let m = attacks(
        "[[treaty]]\nid = \"q\"\nshare = 0.5\ncover = { kind = \"quota-share\" }\n\
         counterparty = { id = \"re\", default_probability = 0.2, recovery = 0.25 }\n",
        2.0,
    );
    near(mean(&m, 3, 100_000), 1.0 * (1.0 - 0.2 * 0.75));
}

#[test]
fn reserves_fail_on_their_own_and_with_their_cluster() {
    let m = attacks(
        "clusters = [\"c\"]\n[[cluster]]\nid = \"c\"\nrate = 0.4\nhit = 0.5\n\
         [[pool]]\nid = \"p\"\nsurplus = 1000.0\n\
         reserve = { share = 0.3, rate = 0.1, severity = \"half\", cluster = \"c\" }\ntranche = []\n",
        0.0,
    );
    // Failures at a rate of .1 + .4 * .5, each halving the 300: expected loss 300 (1 - exp(-.3 / 2)).
    let reserve = 3 + 1 + 1;
    near(mean(&m, reserve, 100_000), 300.0 * (1.0 - (-0.15f64).exp()));
    // Claims of shocks are 1 each, and surplus bears both.
    near(mean(&m, 3, 100_000), 0.2 + 300.0 * (1.0 - (-0.15f64).exp()));
}

#[test]
fn a_copula_makes_an_event_larger_and_the_mean_none() {
    let text = |copula: &str| {
        let mut text = "[[severity]]\nid = \"s\"\nlaw = { kind = \"beta\", alpha = 0.5, beta = 1.5 }\n"
            .to_owned()
            + "[[cluster]]\nid = \"c\"\nrate = 1.0\nhit = 0.7\n"
            + copula;
        for i in 0..10 {
            text += &format!(
                "[[product]]\nid = \"{i}\"\nrate = 0.0\nseverity = \"s\"\nexposure = 1.0\nclusters = [\"c\"]\n"
            );
        }
        model(&text)
    };
    let sd = |m: &Model| {
        let merged = run(&Timeline::new(m).unwrap(), m, 100_000, 4, 2);
        let got = moments(&merged.sums[0], 1e5);
        near((got.mean, got.mean_error), 7.0 * 0.25);
        got.sd
    };
    let independent = sd(&text(""));
    let none = sd(&text("copula = { kind = \"gaussian\", rho = 0.0 }\n"));
    assert!((none - independent).abs() < 0.02, "{none} and {independent}");
    for copula in [
        "{ kind = \"gaussian\", rho = 0.6 }",
        "{ kind = \"t\", df = 3.0, rho = 0.6 }",
        "{ kind = \"clayton\", theta = 2.0 }",
        "{ kind = \"gumbel\", theta = 2.0 }",
    ] {
        let dependent = sd(&text(&format!("copula = {copula}\n")));
        assert!(dependent > independent + 0.1, "{copula}: {dependent} and {independent}");
    }
}

#[test]
fn what_would_never_end_is_refused() {
    let m = model(
        "[contagion]\nbranching = 0.6\ndecay_days = 10.0\n\
         [[severity]]\nid = \"half\"\nlaw = { kind = \"degenerate\", value = 0.5 }\n\
         [[cluster]]\nid = \"c\"\nrate = 0.1\nhit = 1.0\nfollow_up = { probability = 0.5, within_days = 3.0 }\n\
         [[product]]\nid = \"a\"\nrate = 1.0\nseverity = \"half\"\nexposure = 1.0\nclusters = [\"c\"]\n\
         [[product]]\nid = \"b\"\nrate = 1.0\nseverity = \"half\"\nexposure = 1.0\nclusters = [\"c\"]\n",
    );
    assert!(Timeline::new(&m).unwrap_err().contains("without end"));
    let busy = attacks("", 2.0).portfolio.to_toml().unwrap().replace("rate = 2.0", "rate = 2000000.0");
    assert!(Model::from_toml(&busy).unwrap_err().what.contains("a year are expected"));
    let wild =
        attacks("", 2.0).portfolio.to_toml().unwrap().replace("rate = 2.0", "rate = 2.0\nrate_sd = 50.0");
    assert!(Timeline::new(&Model::from_toml(&wild).unwrap()).unwrap_err().contains("shape"));
}

#[test]
fn an_outcome_says_what_only_the_order_of_events_knows() {
    use breakwater_capital::outcome::{columns, evaluate};
    let treaty = "[[treaty]]\nid = \"x\"\npremium = 8.0\n\
                  cover = { kind = \"event-excess\", attachment = 0.0, limit = 1.0, reinstatements = [0.5] }\n\
                  [[pool]]\nid = \"p\"\nsurplus = 2.0\ntranche = []\n";
    let options = Options { years: 50_000, seed: 1, threads: 2 };
    let m = attacks(treaty, 2.0);
    let outcome = evaluate(&m, &options, &|_| true).unwrap();
    assert_eq!(outcome.method, "timeline");
    assert_eq!(columns(&m).len(), 3 + 1 + 1 + 3);
    // Half of 8 for the first of the year's attacks.
    let premium = (outcome.others[0].figures.mean, outcome.standard_errors.others[0].figures.mean);
    near(premium, 4.0 * (1.0 - (-2.0f64).exp()));
    assert_eq!(outcome.others[1].id, "p/reserve");
    assert!(outcome.others[2].attach > 0.0 && outcome.others[2].id == "p/unpaid");
    // Where reinstatements are free the fast engine says it all.
    let free = attacks(&treaty.replace("0.5", "0.0"), 2.0);
    assert_eq!(evaluate(&free, &options, &|_| true).unwrap().method, "crude");
    assert_eq!(columns(&free).len(), 3 + 1 + 1);
}
