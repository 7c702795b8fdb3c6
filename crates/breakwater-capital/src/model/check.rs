//! From a document to a model: every name known, every number possible.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cluster, Dependence, Member, Model, Pool, Product, Terms, Treaty, correlation, treaties};
use crate::{
    fault::Fault,
    portfolio::{self, Copula, Cover, Membership, Portfolio, Regime, SCHEMA},
    severity::Distribution,
};

type Names<'a> = BTreeMap<&'a str, usize>;

pub(super) fn model(portfolio: Portfolio) -> Result<Model, Fault> {
    if portfolio.schema != SCHEMA {
        return Err(Fault::new("schema", format!("{:?}; this version reads {SCHEMA:?}", portfolio.schema)));
    }
    if portfolio.products.is_empty() {
        return Err(Fault::new("product", "none; a portfolio has at least one product"));
    }
    let severity_names = names("severity", portfolio.severities.iter().map(|s| s.id.as_str()))?;
    let mixing_names = names("mixing", portfolio.mixings.iter().map(|m| m.id.as_str()))?;
    let cluster_names = names("cluster", portfolio.clusters.iter().map(|c| c.id.as_str()))?;
    let product_names = names("product", portfolio.products.iter().map(|p| p.id.as_str()))?;
    let treaty_names = names("treaty", portfolio.treaties.iter().map(|t| t.id.as_str()))?;
    names("pool", portfolio.pools.iter().map(|p| p.id.as_str()))?;

    let severities = portfolio
        .severities
        .iter()
        .map(|s| Distribution::new(s).map_err(|f| f.within(&place("severity", &s.id))))
        .collect::<Result<Vec<_>, _>>()?;
    let mixings = portfolio
        .mixings
        .iter()
        .map(|m| shape(m.shape, &format!("{}.shape", place("mixing", &m.id))))
        .collect::<Result<Vec<_>, _>>()?;
    let products = portfolio
        .products
        .iter()
        .map(|p| product(p, &severity_names, &mixing_names).map_err(|f| f.within(&place("product", &p.id))))
        .collect::<Result<Vec<_>, _>>()?;
    let clusters = clusters(&portfolio, &cluster_names)?;
    contagion(&portfolio)?;
    let regimes = regimes(&portfolio)?;
    busy(&portfolio, &clusters, &regimes)?;
    let (resolved, order, counterparties) = reinsurance(&portfolio, &treaty_names, &product_names)?;
    let pools = pools(&portfolio, &product_names, &severity_names, &cluster_names)?;
    let hash = portfolio.hash()?;
    Ok(Model {
        severities,
        mixings,
        clusters,
        products,
        treaties: resolved,
        treaty_order: order,
        counterparties,
        regimes,
        contagion: portfolio.contagion.clone(),
        pools,
        hash,
        portfolio,
    })
}

fn product(p: &portfolio::Product, severities: &Names<'_>, mixings: &Names<'_>) -> Result<Product, Fault> {
    let rate = at_least_zero(p.rate, "rate")?;
    let posterior = posterior(p.rate, p.rate_sd)?;
    let exposure = stake(p.exposure, || "exposure".into())?;
    if let Some(tvl) = p.tvl {
        let tvl = stake(tvl, || "tvl".into())?;
        if exposure > tvl {
            return Err(Fault::new(
                "exposure",
                format!("{exposure} is above the value locked, {tvl}; cover at most that"),
            ));
        }
    }
    let deductible = amount(p.deductible, "deductible")?;
    let share = at_least_zero(p.deductible_share, "deductible_share")?;
    if share >= 1.0 {
        return Err(Fault::new("deductible_share", format!("{share}; it must be below 1")));
    }
    if share > 0.0 && deductible > 0.0 {
        return Err(Fault::new("deductible_share", "beside a deductible; name one of the two"));
    }
    let limit = p.limit.map_or(Ok(exposure), |l| stake(l, || "limit".into()))?;
    let annual_limit = p.annual_limit.map_or(Ok(f64::INFINITY), |l| stake(l, || "annual_limit".into()))?;
    at_least_zero(p.waiting_days, "waiting_days")?;
    at_least_zero(p.report_days, "report_days")?;
    Ok(Product {
        rate,
        posterior,
        mixing: p.mixing.as_ref().map(|id| find(mixings, id, "mixing")).transpose()?,
        severity: find(severities, &p.severity, "severity")?,
        terms: Terms {
            slope: exposure / (1.0 - share),
            intercept: if share > 0.0 { exposure * share / (1.0 - share) } else { deductible },
            limit,
        },
        annual_limit,
        premium: amount(p.premium, "premium")?,
    })
}

/// Shape of the gamma law with this mean and standard deviation.
fn posterior(rate: f64, sd: f64) -> Result<Option<f64>, Fault> {
    let sd = at_least_zero(sd, "rate_sd")?;
    if sd == 0.0 {
        return Ok(None);
    }
    if rate == 0.0 {
        return Err(Fault::new(
            "rate_sd",
            format!("{sd} around a rate of 0; an uncertain rate has a mean above 0"),
        ));
    }
    let shape = (rate / sd) * (rate / sd);
    if !(SPREAD..=1e9).contains(&shape) {
        let what = format!("{sd} around a rate of {rate}; it must be from a 30,000th to 30 times the rate");
        return Err(Fault::new("rate_sd", what));
    }
    Ok(Some(shape))
}

/// Least shape of a gamma law: below it almost every year has nothing and one in thousands has thousands of attacks.
const SPREAD: f64 = 1e-3;

/// Most attacks and hits a year that are expected: more are another model's subject, and no machine's.
const BUSIEST: f64 = 1e6;

fn shape(value: f64, at: &str) -> Result<f64, Fault> {
    match positive(value, || at.to_owned())? {
        value if (SPREAD..=1e9).contains(&value) => Ok(value),
        value => Err(Fault::new(
            at,
            format!("{value}; it must be from {SPREAD} (a variance of a thousand) to 1e9"),
        )),
    }
}

/// Refuses what would never end.
fn busy(portfolio: &Portfolio, clusters: &[Cluster], regimes: &[Regime]) -> Result<(), Fault> {
    let own = portfolio.products.iter().fold(0.0, |sum, p| sum + p.rate);
    let hits = |c: &Cluster| c.rate * (1.0 + c.members.iter().fold(0.0, |sum, m| sum + m.hit));
    let shocks = clusters.iter().fold(0.0, |sum, c| sum + hits(c));
    let worst = regimes.iter().fold(0.0f64, |worst, r| worst.max(r.hazard));
    let expected = (own + shocks) * worst;
    if expected > BUSIEST {
        let what = format!(
            "{expected} attacks and hits a year are expected together; at most {BUSIEST} can be simulated"
        );
        return Err(Fault::new("product.rate and cluster.rate", what));
    }
    Ok(())
}

fn clusters(portfolio: &Portfolio, names: &Names<'_>) -> Result<Vec<Cluster>, Fault> {
    let mut members = vec![Vec::new(); portfolio.clusters.len()];
    for (index, p) in portfolio.products.iter().enumerate() {
        let mut seen = BTreeSet::new();
        for membership in &p.clusters {
            let at = format!("{}.clusters", place("product", &p.id));
            let k = find(names, membership.id(), &at)?;
            if !seen.insert(k) {
                return Err(Fault::new(at, format!("{:?} twice", membership.id())));
            }
            let hit = match membership {
                Membership::Plain(_) => portfolio.clusters[k].hit,
                Membership::Own { hit, .. } => probability(*hit, &format!("{at}.hit"))?,
            };
            members[k].push(Member { product: index, hit });
        }
    }
    let resolve = |(c, members): (&portfolio::Cluster, Vec<Member>)| {
        probability(c.hit, "hit")?;
        if let Some(f) = &c.follow_up {
            probability(f.probability, "follow_up.probability")?;
            let others = members.len().saturating_sub(1) as f64;
            if f.probability * others >= 1.0 {
                let what = format!(
                    "{} for each of {others} other members: attacks would breed without end; keep the product below 1",
                    f.probability
                );
                return Err(Fault::new("follow_up.probability", what));
            }
            positive(f.within_days, || "follow_up.within_days".into())?;
        }
        Ok(Cluster {
            rate: at_least_zero(c.rate, "rate")?,
            posterior: posterior(c.rate, c.rate_sd)?,
            copula: c.copula.as_ref().map(|copula| dependence(copula, &members, portfolio)).transpose()?,
            follow_up: c.follow_up.clone(),
            members,
        })
    };
    portfolio
        .clusters
        .iter()
        .zip(members)
        .map(|pair| {
            let at = place("cluster", &pair.0.id);
            resolve(pair).map_err(|f: Fault| f.within(&at))
        })
        .collect()
}

fn dependence(copula: &Copula, members: &[Member], portfolio: &Portfolio) -> Result<Dependence, Fault> {
    let factor = match copula {
        Copula::Gaussian { rho, matrix } | Copula::T { rho, matrix, .. } => {
            if let Copula::T { df, .. } = copula {
                positive(*df, || "copula.df".into())?;
            }
            match (rho, matrix) {
                (Some(rho), None) => {
                    if !(0.0..1.0).contains(rho) {
                        return Err(Fault::new("copula.rho", format!("{rho}; it must be from 0 to below 1")));
                    }
                    None
                }
                (None, Some(matrix)) => {
                    let names: Vec<&str> =
                        members.iter().map(|m| portfolio.products[m.product].id.as_str()).collect();
                    Some(correlation::factor(matrix, &names, "copula.matrix")?)
                }
                _ => return Err(Fault::new("copula", "give either rho or matrix")),
            }
        }
        Copula::Clayton { theta } => {
            positive(*theta, || "copula.theta".into())?;
            None
        }
        Copula::Gumbel { theta } => {
            if !theta.is_finite() || *theta < 1.0 {
                return Err(Fault::new("copula.theta", format!("{theta}; Gumbel's is at least 1")));
            }
            None
        }
    };
    Ok(Dependence { copula: copula.clone(), factor })
}

fn contagion(portfolio: &Portfolio) -> Result<(), Fault> {
    let Some(c) = &portfolio.contagion else { return Ok(()) };
    let branching = at_least_zero(c.branching, "contagion.branching")?;
    if branching >= 1.0 {
        return Err(Fault::new(
            "contagion.branching",
            format!("{branching}; from 1 on attacks breed without end"),
        ));
    }
    positive(c.decay_days, || "contagion.decay_days".into()).map(drop)
}

fn regimes(portfolio: &Portfolio) -> Result<Vec<Regime>, Fault> {
    names("regime", portfolio.regimes.iter().map(|r| r.id.as_str()))?;
    if portfolio.regimes.is_empty() {
        return Ok(vec![Regime {
            id: "every year".into(),
            probability: 1.0,
            hazard: 1.0,
            tvl: 1.0,
            capital: 1.0,
            premium: 1.0,
        }]);
    }
    let mut sum = 0.0;
    for r in &portfolio.regimes {
        let at = |field: &str| format!("{}.{field}", place("regime", &r.id));
        sum += probability(r.probability, &at("probability"))?;
        at_least_zero(r.hazard, &at("hazard"))?;
        stake(r.tvl, || at("tvl"))?;
        stake(r.capital, || at("capital"))?;
        amount(r.premium, &at("premium"))?;
    }
    if (sum - 1.0).abs() > 1e-9 {
        return Err(Fault::new("regime.probability", format!("they sum to {sum}; they must sum to 1")));
    }
    Ok(portfolio.regimes.clone())
}

type Reinsurance = (Vec<Treaty>, Vec<usize>, Vec<(String, f64)>);

fn reinsurance(portfolio: &Portfolio, names: &Names<'_>, products: &Names<'_>) -> Result<Reinsurance, Fault> {
    let mut counterparties: Vec<(String, f64)> = vec![];
    let mut resolved = vec![];
    for t in &portfolio.treaties {
        let treaty =
            treaty(t, names, products, &mut counterparties).map_err(|f| f.within(&place("treaty", &t.id)))?;
        resolved.push(treaty);
    }
    let ids: Vec<&str> = portfolio.treaties.iter().map(|t| t.id.as_str()).collect();
    let order = treaties::order(&resolved, &ids)?;
    treaties::no_overlap(&resolved, &ids)?;
    Ok((resolved, order, counterparties))
}

fn treaty(
    t: &portfolio::Treaty,
    names: &Names<'_>,
    products: &Names<'_>,
    counterparties: &mut Vec<(String, f64)>,
) -> Result<Treaty, Fault> {
    let share = positive(t.share, || "share".into())?;
    if share > 1.0 {
        return Err(Fault::new("share", format!("{share}; at most all of the layer, 1, can be placed")));
    }
    cover(&t.cover).map_err(|f| f.within("cover"))?;
    let after = t.after.iter().map(|id| find(names, id, "after")).collect::<Result<Vec<_>, _>>()?;
    let covers = if t.products.is_empty() {
        None
    } else {
        let mut covers = vec![false; products.len()];
        for id in &t.products {
            covers[find(products, id, "products")?] = true;
        }
        Some(covers)
    };
    let counterparty = match &t.counterparty {
        None => None,
        Some(c) => {
            let p = probability(c.default_probability, "counterparty.default_probability")?;
            let recovery = probability(c.recovery, "counterparty.recovery")?;
            let known = counterparties.iter().position(|(id, _)| *id == c.id);
            if let Some(k) = known.filter(|&k| counterparties[k].1 != p) {
                let what =
                    format!("{p} here and {} in a treaty before; one reinsurer has one", counterparties[k].1);
                return Err(Fault::new("counterparty.default_probability", what));
            }
            let index = known.unwrap_or_else(|| {
                counterparties.push((c.id.clone(), p));
                counterparties.len() - 1
            });
            Some((index, recovery))
        }
    };
    let premium = amount(t.premium, "premium")?;
    Ok(Treaty { cover: t.cover.clone(), share, after, covers, premium, counterparty })
}

fn cover(cover: &Cover) -> Result<(), Fault> {
    let some = |value: &Option<f64>, at: &str| value.map_or(Ok(0.0), |v| stake(v, || at.into()));
    match cover {
        Cover::QuotaShare { event_limit, annual_limit } => {
            some(event_limit, "event_limit")?;
            some(annual_limit, "annual_limit")?;
        }
        Cover::EventExcess { attachment, limit, annual_limit, reinstatements, annual_deductible } => {
            amount(*attachment, "attachment")?;
            stake(*limit, || "limit".into())?;
            some(annual_limit, "annual_limit")?;
            amount(*annual_deductible, "annual_deductible")?;
            for (i, price) in reinstatements.iter().flatten().enumerate() {
                at_least_zero(*price, &format!("reinstatements[{i}]"))?;
            }
        }
        Cover::StopLoss { attachment, limit } => {
            amount(*attachment, "attachment")?;
            stake(*limit, || "limit".into())?;
        }
        Cover::Catastrophe { trigger, pays, events } => {
            stake(*trigger, || "trigger".into())?;
            stake(*pays, || "pays".into())?;
            if *events == 0 {
                return Err(Fault::new("events", "0; it must pay for at least one event"));
            }
        }
    }
    Ok(())
}

fn pools(
    portfolio: &Portfolio,
    products: &Names<'_>,
    severities: &Names<'_>,
    clusters: &Names<'_>,
) -> Result<Vec<Pool>, Fault> {
    let mut owner: Vec<Option<&str>> = vec![None; portfolio.products.len()];
    let mut resolved = vec![];
    for p in &portfolio.pools {
        let one = pool(p, products, severities, clusters).map_err(|f| f.within(&place("pool", &p.id)))?;
        for &index in &one.products {
            if let Some(other) = owner[index].replace(&p.id) {
                let what = format!(
                    "{:?} is in pool {other:?} too; a product is in one",
                    portfolio.products[index].id
                );
                return Err(Fault::new(format!("{}.products", place("pool", &p.id)), what));
            }
        }
        resolved.push(one);
    }
    Ok(resolved)
}

fn pool(
    p: &portfolio::Pool,
    products: &Names<'_>,
    severities: &Names<'_>,
    clusters: &Names<'_>,
) -> Result<Pool, Fault> {
    amount(p.surplus, "surplus")?;
    probability(p.premium_to_surplus, "premium_to_surplus")?;
    names("tranche", p.tranches.iter().map(|t| t.id.as_str()))?;
    for t in &p.tranches {
        amount(t.capital, &format!("{}.capital", place("tranche", &t.id)))?;
        at_least_zero(t.premium_weight, &format!("{}.premium_weight", place("tranche", &t.id)))?;
    }
    let mut mine: Vec<usize> = if p.products.is_empty() {
        (0..products.len()).collect()
    } else {
        p.products.iter().map(|id| find(products, id, "products")).collect::<Result<_, _>>()?
    };
    mine.sort_unstable();
    if let Some(twice) = mine.windows(2).find(|w| w[0] == w[1]) {
        return Err(Fault::new("products", format!("number {} of the portfolio's products twice", twice[0])));
    }
    let (mut reserve_severity, mut reserve_cluster) = (None, None);
    if let Some(r) = &p.reserve {
        probability(r.share, "reserve.share")?;
        at_least_zero(r.rate, "reserve.rate")?;
        if !r.yield_rate.is_finite() || r.yield_rate <= -1.0 {
            return Err(Fault::new("reserve.yield_rate", format!("{}; it must be above -1", r.yield_rate)));
        }
        reserve_severity = Some(find(severities, &r.severity, "reserve.severity")?);
        reserve_cluster = r.cluster.as_ref().map(|id| find(clusters, id, "reserve.cluster")).transpose()?;
    }
    if let Some(b) = &p.behaviour {
        probability(b.renewal, "behaviour.renewal")?;
        probability(b.redemption, "behaviour.redemption")?;
        let rest = [
            ("lapse_per_rise", b.lapse_per_rise),
            ("redemption_per_loss", b.redemption_per_loss),
            ("deposits", b.deposits),
            ("exit_days", b.exit_days),
            ("price_response", b.price_response),
        ];
        for (field, value) in rest {
            at_least_zero(value, &format!("behaviour.{field}"))?;
        }
    }
    Ok(Pool { terms: p.clone(), products: mine, reserve_severity, reserve_cluster })
}

fn names<'a>(kind: &str, ids: impl Iterator<Item = &'a str>) -> Result<Names<'a>, Fault> {
    let mut names = BTreeMap::new();
    for (index, id) in ids.enumerate() {
        if id.is_empty() {
            return Err(Fault::new(format!("{kind}[{index}].id"), "empty; give it a name"));
        }
        if let Some(before) = names.insert(id, index) {
            return Err(Fault::new(
                format!("{kind}[{index}].id"),
                format!("{id:?} is {kind}[{before}] already; ids are unique"),
            ));
        }
    }
    Ok(names)
}

fn find(names: &Names<'_>, id: &str, at: &str) -> Result<usize, Fault> {
    names.get(id).copied().ok_or_else(|| {
        let known: Vec<&str> = names.keys().copied().take(5).collect();
        let more = if names.len() > known.len() { ", ..." } else { "" };
        Fault::new(at, format!("{id:?} is not in the document; known: {}{more}", known.join(", ")))
    })
}

fn place(kind: &str, id: &str) -> String {
    format!("{kind} {id:?}")
}

fn positive(value: f64, at: impl Fn() -> String) -> Result<f64, Fault> {
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err(Fault::new(at(), format!("{value}; it must be a finite number above 0")))
    }
}

fn at_least_zero(value: f64, at: &str) -> Result<f64, Fault> {
    if value.is_finite() && value >= 0.0 {
        Ok(value)
    } else {
        Err(Fault::new(at, format!("{value}; it must be a finite number, at least 0")))
    }
}

/// Largest amount: beyond it sums of powers leave what a float can hold.
const LARGEST: f64 = 1e30;
/// Smallest amount at stake: below it claims vanish in single precision.
const SMALLEST: f64 = 1e-18;

/// An amount above 0.
fn stake(value: f64, at: impl Fn() -> String) -> Result<f64, Fault> {
    let value = positive(value, &at)?;
    if (SMALLEST..=LARGEST).contains(&value) {
        return Ok(value);
    }
    Err(Fault::new(at(), format!("{value}; amounts are from {SMALLEST} to {LARGEST}: name another unit")))
}

/// An amount, perhaps nothing.
fn amount(value: f64, at: &str) -> Result<f64, Fault> {
    let value = at_least_zero(value, at)?;
    if value <= LARGEST {
        return Ok(value);
    }
    Err(Fault::new(at, format!("{value}; amounts are at most {LARGEST}: name another unit")))
}

fn probability(value: f64, at: &str) -> Result<f64, Fault> {
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(Fault::new(at, format!("{value}; it must be from 0 to 1")))
    }
}
