//! What holds in every year of every portfolio.

use super::*;
use breakwater_capital::{
    Portfolio,
    portfolio::{
        Cluster, Contagion, Copula, Counterparty, Cover, FollowUp, Law, Membership, Mixing, Pool, Product,
        Regime, Reserve, Severity, Tranche, Treaty,
    },
    rng::Stream,
    timeline::Room,
};
use proptest::prelude::*;

/// A small portfolio with a little of everything, from a seed.
fn random(seed: u64) -> Portfolio {
    let mut s = Stream::new(seed, Purpose::Points, 0);
    let mut p = Portfolio::named("random", "USD");
    let between = |s: &mut Stream, low: f64, high: f64| low + (high - low) * s.unit();
    let chance = |s: &mut Stream, p: f64| s.unit() < p;
    p.mixings.push(Mixing { id: "m".into(), shape: between(&mut s, 0.3, 5.0) });
    let laws = [
        Law::Uniform { low: 0.0, high: 1.0 },
        Law::Empirical { values: vec![0.0, 0.2, 1.0], weights: None },
        Law::Gpd { location: 0.05, xi: 0.8, scale: 0.2 },
    ];
    for (i, law) in laws.into_iter().enumerate() {
        p.severities.push(Severity { id: format!("s{i}"), cap: Some(1.0), law });
    }
    if chance(&mut s, 0.5) {
        p.contagion =
            Some(Contagion { branching: between(&mut s, 0.0, 0.5), decay_days: between(&mut s, 0.1, 90.0) });
    }
    let products = 2 + (s.word() % 4) as usize;
    for k in 0..2 {
        let rho = Some(between(&mut s, 0.0, 0.9));
        let copula = match s.word() % 5 {
            0 => None,
            1 => Some(Copula::Gaussian { rho, matrix: None }),
            2 => Some(Copula::T { df: between(&mut s, 0.5, 8.0), rho, matrix: None }),
            3 => Some(Copula::Clayton { theta: between(&mut s, 0.1, 8.0) }),
            _ => Some(Copula::Gumbel { theta: between(&mut s, 1.0, 8.0) }),
        };
        let follow_up = chance(&mut s, 0.5).then_some(FollowUp { probability: 0.05, within_days: 30.0 });
        let rate = between(&mut s, 0.0, 1.5);
        let rate_sd = if chance(&mut s, 0.3) { 0.5 * rate } else { 0.0 };
        p.clusters.push(Cluster {
            id: format!("c{k}"),
            rate,
            rate_sd,
            hit: between(&mut s, 0.1, 1.0),
            copula,
            follow_up,
        });
    }
    if chance(&mut s, 0.5) {
        let calm =
            Regime { id: "calm".into(), probability: 0.7, hazard: 0.8, tvl: 1.1, capital: 1.2, premium: 1.0 };
        let storm = Regime {
            id: "storm".into(),
            probability: 0.3,
            hazard: 2.0,
            tvl: 0.6,
            capital: 0.5,
            premium: 0.8,
        };
        p.regimes = vec![calm, storm];
    }
    for i in 0..products {
        let exposure = between(&mut s, 1.0, 50.0);
        let rate = between(&mut s, 0.0, 2.0);
        let share = chance(&mut s, 0.3);
        let mut clusters = vec![];
        for k in 0..2 {
            if chance(&mut s, 0.6) {
                clusters.push(Membership::Plain(format!("c{k}")));
            }
        }
        p.products.push(Product {
            id: format!("p{i}"),
            rate,
            rate_sd: if chance(&mut s, 0.3) { rate } else { 0.0 },
            mixing: chance(&mut s, 0.5).then(|| "m".into()),
            severity: format!("s{}", s.word() % 3),
            exposure,
            tvl: None,
            deductible: if share { 0.0 } else { between(&mut s, 0.0, 0.1 * exposure) },
            deductible_share: if share { 0.1 } else { 0.0 },
            limit: None,
            annual_limit: chance(&mut s, 0.3).then_some(1.2 * exposure),
            clusters,
            premium: 1.0,
            waiting_days: 0.0,
            report_days: 0.0,
        });
    }
    for i in 0..(s.word() % 5) as usize {
        let treaty = treaty(&mut s, i, &p.treaties, products);
        p.treaties.push(treaty);
    }
    let split = products.min(1 + (s.word() % 3) as usize);
    let ids: Vec<String> = p.products.iter().map(|p| p.id.clone()).collect();
    for (id, own) in [("one", &ids[..split]), ("two", &ids[split..])] {
        let reserve = chance(&mut s, 0.5).then(|| Reserve {
            share: 0.4,
            yield_rate: 0.05,
            rate: 0.3,
            severity: "s1".into(),
            cluster: Some("c0".into()),
        });
        if own.is_empty() {
            continue;
        }
        p.pools.push(Pool {
            id: id.into(),
            products: own.to_vec(),
            surplus: between(&mut s, 0.0, 10.0),
            tranches: vec![
                Tranche { id: "j".into(), capital: between(&mut s, 0.0, 20.0), premium_weight: 1.0 },
                Tranche { id: "s".into(), capital: between(&mut s, 0.0, 40.0), premium_weight: 1.0 },
            ],
            premium_to_surplus: 0.1,
            reserve,
            behaviour: None,
        });
    }
    p
}

/// A treaty that may come after some of those there are.
fn treaty(s: &mut Stream, i: usize, before: &[Treaty], products: usize) -> Treaty {
    let cover = match s.word() % 4 {
        0 => Cover::QuotaShare { event_limit: Some(30.0), annual_limit: Some(80.0 * s.unit()) },
        1 => Cover::EventExcess {
            attachment: 20.0 * s.unit(),
            limit: 1.0 + 20.0 * s.unit(),
            annual_limit: None,
            reinstatements: (s.unit() < 0.5).then(|| vec![1.0, 0.5]),
            annual_deductible: 5.0 * s.unit(),
        },
        2 => Cover::StopLoss { attachment: 40.0 * s.unit(), limit: 1.0 + 30.0 * s.unit() },
        _ => Cover::Catastrophe { trigger: 1.0 + 20.0 * s.unit(), pays: 1.0 + 15.0 * s.unit(), events: 2 },
    };
    let by_event = |c: &Cover| !matches!(c, Cover::StopLoss { .. });
    let mut after = vec![];
    for t in before {
        if (!by_event(&cover) || by_event(&t.cover)) && s.unit() < 0.5 {
            after.push(t.id.clone());
        }
    }
    let some = s.unit() < 0.4;
    let counterparty =
        Counterparty { id: format!("re{}", s.word() % 2), default_probability: 0.3, recovery: s.unit() };
    Treaty {
        id: format!("t{i}"),
        cover,
        share: 0.1 + 0.4 * s.unit(),
        after,
        products: (0..products).filter(|_| some && s.unit() < 0.6).map(|k| format!("p{k}")).collect(),
        premium: 3.0,
        counterparty: (s.unit() < 0.4).then_some(counterparty),
    }
}

/// The settled years of some keys.
fn years(portfolio: Portfolio, keys: u64) -> Option<(Model, Vec<(Year, Settled)>)> {
    // Random layers may overlap, which is refused.
    let model = Model::new(portfolio).ok()?;
    let engine = Timeline::new(&model).unwrap();
    let mut room = Room::default();
    let years = (0..keys)
        .map(|key| {
            let (mut year, mut settled) = (Year::default(), Settled::default());
            engine.sampler().year(key, &mut room, &mut year);
            engine.settler().settle(&mut year, &mut settled);
            (year, settled)
        })
        .collect();
    Some((model, years))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn layer_losses_and_net_are_gross_in_every_year(seed: u64) {
        let Some((model, years)) = years(random(seed), 60) else { return Ok(()) };
        for (year, s) in &years {
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * (1.0 + a.abs());
            let claims: f64 = year.hits.iter().map(|h| h.amount).sum();
            prop_assert!(close(s.gross, claims));
            prop_assert!(close(s.net + s.paid.iter().sum::<f64>(), s.gross), "{s:?}");
            prop_assert!(s.net >= 0.0 && s.net <= s.gross + 1e-9 && s.largest <= s.gross + 1e-9);
            prop_assert!(s.events.iter().all(|&e| e >= 0.0));
            for (t, treaty) in model.treaties.iter().enumerate() {
                let most = treaty.annual_limit() * treaty.share;
                prop_assert!(s.paid[t] >= 0.0 && s.paid[t] <= s.owed[t] && s.owed[t] <= most * (1.0 + 1e-12));
                prop_assert!(s.reinstatement[t] >= 0.0 && s.reinstatement[t] <= 1.5 * treaty.premium * (1.0 + 1e-12));
            }
            prop_assert!(close(s.pools.iter().map(|p| p.claims).sum(), s.net), "{s:?}");
            let prices = model.regimes[year.regime].capital;
            for (pool, p) in model.pools.iter().zip(&s.pools) {
                let borne: f64 = p.borne.iter().sum();
                let capital = pool.capital();
                prop_assert!(borne <= capital + 1e-9 && p.unpaid >= 0.0 && p.reserve <= 0.4 * capital * prices + 1e-9);
                if prices <= 1.0 {
                    prop_assert!(close(borne + p.unpaid, p.claims + p.reserve + capital * (1.0 - prices)));
                }
                // Later tranches bear nothing before the earlier ones are gone.
                if p.borne[2] > capital * (1.0 - prices).max(0.0) + 1e-9 {
                    prop_assert!(close(p.borne[0] + p.borne[1], pool.terms.surplus + pool.terms.tranches[0].capital));
                }
                prop_assert!(p.unpaid == 0.0 || close(borne, capital));
            }
            let all = [s.gross, s.net, s.largest];
            let all = all.iter().chain(&s.paid).chain(&s.reinstatement).chain(&s.events);
            prop_assert!(all.chain(s.pools.iter().flat_map(|p| &p.borne)).all(|v| v.is_finite()));
        }
    }

    #[test]
    fn more_cover_never_lowers_the_loss_of_any_year(seed: u64, which in 0usize..6, more in 1.0f64..4.0) {
        let portfolio = random(seed);
        let mut larger = portfolio.clone();
        let product = which % larger.products.len();
        larger.products[product].exposure *= more;
        let limited = portfolio.products.iter().any(|p| p.annual_limit.is_some());
        let (Some((_, before)), Some((_, after))) = (years(portfolio, 40), years(larger, 40)) else { return Ok(()) };
        for ((_, before), (_, after)) in before.iter().zip(&after) {
            prop_assert!(after.gross >= before.gross - 1e-9);
            // An annual limit eaten by an earlier event is not there for the largest.
            prop_assert!(limited || after.largest >= before.largest - 1e-9);
        }
    }

    #[test]
    fn a_treaty_never_raises_the_net_claims_of_any_year(seed: u64) {
        let portfolio = random(seed);
        let mut with = portfolio.clone();
        let mut s = Stream::new(seed, Purpose::Points, 1);
        let one = treaty(&mut s, 9, &with.treaties, with.products.len());
        with.treaties.push(one);
        let (Some((_, before)), Some((_, after))) = (years(portfolio, 40), years(with, 40)) else { return Ok(()) };
        for ((_, before), (_, after)) in before.iter().zip(&after) {
            prop_assert!(after.gross == before.gross);
            prop_assert!(after.net <= before.net + 1e-9, "{} after {}", after.net, before.net);
        }
    }

    #[test]
    fn a_tail_mean_is_never_below_its_quantile(seed: u64) {
        let Ok(model) = Model::new(random(seed)) else { return Ok(()) };
        let merged = run(&Timeline::new(&model).unwrap(), &model, 1500, seed, 1);
        for (bins, sums) in merged.bins.iter().zip(&merged.sums) {
            let law = Distribution::new(bins, merged.years as f64);
            for level in law.levels() {
                prop_assert!(level.tvar >= level.var && level.var >= 0.0, "{level:?}");
                prop_assert!([level.var_error, level.tvar_error].iter().all(|e| e.is_finite() && *e >= 0.0));
            }
            let all = moments(sums, merged.years as f64);
            prop_assert!(all.mean.is_finite() && all.mean_error.is_finite() && all.sd.is_finite());
        }
    }
}
