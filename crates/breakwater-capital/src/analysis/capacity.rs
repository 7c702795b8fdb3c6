//! How much of each cover to write under a capital budget.
//!
//! Exposure, deductible and limit of product `i` are scaled by `s_i`, so its claims scale too and the year's gross loss
//! `S(s) = sum_i s_i X_i` is linear in `s`. Wanted is
//!
//! `max sum_i s_i (premium_i - E[X_i])  subject to  TVaR(S(s)) <= budget,  low_i <= s_i <= high_i`.
//!
//! On fixed years TVaR is convex and homogeneous (Rockafellar and Uryasev, "Optimization of conditional value-at-risk",
//! Journal of Risk 2 (2000)), with Euler's parts `g` at any point as a subgradient: `TVaR(S(s)) >= g . s` for every `s`.
//! So each `g`, and each mean of several, gives a relaxation whose optimum is a fractional knapsack (Dantzig 1957) and an
//! upper bound of the answer. The scales answer the mean of all `g` so far, `g` answers the mean of all scales so far
//! (fictitious play, which converges in such games: Robinson, "An iterative method of solving a game", Annals of
//! Mathematics 54 (1951)); scales over the budget are drawn back towards the low ends, which convexity keeps inside.
//! The report states the best scales found, the least upper bound, and the gap between them.
//!
//! The problem is of the gross year: treaties with attachments make the net year neither linear nor convex in the scales.
//! Whoever has treaties runs the scaled portfolio, [`scaled`], and looks at its net figures.

use serde::{Deserialize, Serialize};

use super::{parallel::pieces, price::expected_loss, years::Years};
use crate::{model::Model, outcome::Failure, portfolio::Portfolio};

/// Rounds at most.
const ROUNDS: usize = 400;

/// What to optimise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Level of the TVaR.
    pub level: f64,
    /// The most that the gross TVaR may be.
    pub budget: f64,
    /// Least and greatest scale of every product: 1 is the exposure of the portfolio.
    pub bounds: [f64; 2],
    /// Premium as expected loss times one plus this; none for the premiums that the portfolio says.
    pub loading: Option<f64>,
    /// Relative gap at which to stop.
    pub gap: f64,
}

/// A product's cap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cap {
    /// The product, or the cluster.
    pub id: String,
    /// What its exposure is multiplied by; of a cluster, the ratio of the sums.
    pub scale: f64,
    /// The exposure to write.
    pub cap: f64,
    /// Its part of the TVaR.
    pub tvar: f64,
    /// Premium less expected loss.
    pub gain: f64,
}

/// The best scales found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// What was asked.
    pub ask: Ask,
    /// Years it stands on.
    pub years: u64,
    /// Premium less expected loss of the portfolio as it is.
    pub gain_now: f64,
    /// TVaR of the portfolio as it is.
    pub tvar_now: f64,
    /// Premium less expected loss at the scales found.
    pub gain: f64,
    /// No scales gain more than this on these years.
    pub at_most: f64,
    /// `1 - gain / at_most`.
    pub gap: f64,
    /// TVaR at the scales found; at most the budget.
    pub tvar: f64,
    /// Sum of exposures over the budget.
    pub leverage: f64,
    /// By product, in the document's order.
    pub products: Vec<Cap>,
    /// By cluster: sums over its members.
    pub clusters: Vec<Cap>,
    /// Rounds it took.
    pub rounds: usize,
}

/// Scales of most gain under the budget.
///
/// # Errors
/// [`Failure::Refused`] if a number of the ask is impossible, the least scales are above the budget already, or no product
/// gains anything.
pub fn capacity(model: &Model, years: &Years, ask: &Ask, threads: usize) -> Result<Capacity, Failure> {
    check(ask)?;
    if years.is_empty() {
        return Err(Failure::Years(0));
    }
    let study = Study::new(model, years, ask, threads);
    if study.gains.iter().all(|&g| g <= 0.0) {
        let what =
            "no product's premium is above its expected loss; name premiums in the portfolio, or a loading";
        return Err(Failure::Refused(what.into()));
    }
    let low = vec![ask.bounds[0]; study.gains.len()];
    let (least, _) = study.tvar(&low);
    if least > ask.budget {
        let what = format!(
            "at the least scales TVaR is {least}, above the budget of {}; lower the least scale or raise the budget",
            ask.budget
        );
        return Err(Failure::Refused(what));
    }
    Ok(study.solve(&low, least))
}

/// A portfolio with each product's cover scaled. Products of scale 0 are left out, for an exposure is above 0.
pub fn scaled(portfolio: &Portfolio, scales: &[f64]) -> Portfolio {
    let mut out = portfolio.clone();
    let mut scale = scales.iter();
    for p in &mut out.products {
        let s = scale.next().copied().unwrap_or(1.0);
        p.exposure *= s;
        p.deductible *= s;
        p.premium *= s;
        for amount in [&mut p.limit, &mut p.annual_limit].into_iter().flatten() {
            *amount *= s;
        }
        // What is locked does not grow with what is covered, but must not be below it.
        p.tvl = p.tvl.map(|tvl| tvl.max(p.exposure));
    }
    let gone: Vec<String> = out.products.iter().filter(|p| p.exposure <= 0.0).map(|p| p.id.clone()).collect();
    out.products.retain(|p| p.exposure > 0.0);
    for t in &mut out.treaties {
        t.products.retain(|id| !gone.contains(id));
    }
    for p in &mut out.pools {
        p.products.retain(|id| !gone.contains(id));
    }
    out
}

fn check(ask: &Ask) -> Result<(), Failure> {
    let wrong = |what: String| Err(Failure::Refused(what));
    if !(ask.level > 0.0 && ask.level < 1.0) {
        return wrong(format!("level {}; it must be inside (0, 1)", ask.level));
    }
    if !(ask.budget.is_finite() && ask.budget > 0.0) {
        return wrong(format!("budget {}; it must be a finite amount above 0", ask.budget));
    }
    let [low, high] = ask.bounds;
    if !(low.is_finite() && high.is_finite() && low >= 0.0 && high >= low && high > 0.0) {
        return wrong(format!("scales from {low} to {high}; they must be finite, ascending, from 0 on"));
    }
    if ask.loading.is_some_and(|l| !(l.is_finite() && l >= -1.0)) {
        return wrong(format!("loading {}; it must be at least -1", ask.loading.unwrap_or(0.0)));
    }
    if !(ask.gap.is_finite() && ask.gap >= 0.0) {
        return wrong(format!("gap {}; it must be at least 0", ask.gap));
    }
    Ok(())
}

struct Study<'a> {
    model: &'a Model,
    years: &'a Years,
    ask: &'a Ask,
    /// Premium less expected loss at scale 1.
    gains: Vec<f64>,
    target: f64,
    threads: usize,
}

impl<'a> Study<'a> {
    fn new(model: &'a Model, years: &'a Years, ask: &'a Ask, threads: usize) -> Self {
        let mut means = vec![0.0; model.products.len()];
        for year in 0..years.len() {
            for &(product, amount) in years.events(year).flat_map(|e| e.claims) {
                means[product as usize] += f64::from(amount) / years.len() as f64;
            }
        }
        let gain = |(i, &mean): (usize, &f64)| {
            let loss = expected_loss(model, i).unwrap_or(mean);
            ask.loading.map_or(model.products[i].premium - loss, |l| l * loss)
        };
        let gains = means.iter().enumerate().map(gain).collect();
        let target = ((1.0 - ask.level) * years.len() as f64).max(1.0);
        Self { model, years, ask, gains, target, threads }
    }

    /// TVaR at these scales, and each product's part of it per unit of scale: a subgradient.
    fn tvar(&self, scales: &[f64]) -> (f64, Vec<f64>) {
        let sums: Vec<f64> = pieces(self.years.len(), self.threads, |range| {
            let year = |year| {
                self.years
                    .events(year)
                    .flat_map(|e| e.claims)
                    .fold(0.0, |sum, &(product, amount)| sum + scales[product as usize] * f64::from(amount))
            };
            range.map(year).collect::<Vec<f64>>()
        })
        .concat();
        let mut order: Vec<u32> = (0..sums.len() as u32).collect();
        let whole = (self.target - 1e-9 * self.target).ceil() as usize;
        // Ties go by the year's place, so that the same years are chosen on every machine.
        let worse = |a: &u32, b: &u32| sums[*b as usize].total_cmp(&sums[*a as usize]).then(a.cmp(b));
        if whole < order.len() {
            order.select_nth_unstable_by(whole - 1, worse);
        }
        // The year at the quantile counts for what is missing.
        let last = order[whole - 1];
        order.truncate(whole);
        order.sort_unstable();
        let mut parts = vec![0.0; scales.len()];
        for year in order {
            let weight = if year == last { self.target - (whole - 1) as f64 } else { 1.0 };
            for &(product, amount) in self.years.events(year as usize).flat_map(|e| e.claims) {
                parts[product as usize] += weight * f64::from(amount) / self.target;
            }
        }
        (dot(scales, &parts), parts)
    }

    /// The most gain with `parts . s` within the budget: Dantzig's greedy order is optimal where parts of products may be
    /// taken.
    fn knapsack(&self, parts: &[f64]) -> Vec<f64> {
        let [low, high] = self.ask.bounds;
        let mut scales = vec![low; parts.len()];
        let mut left = self.ask.budget - dot(&scales, parts);
        let mut order: Vec<usize> = (0..parts.len()).filter(|&i| self.gains[i] > 0.0).collect();
        // gain / part, descending, without dividing by parts that are zero.
        order.sort_by(|&a, &b| {
            (self.gains[b] * parts[a]).total_cmp(&(self.gains[a] * parts[b])).then(a.cmp(&b))
        });
        for i in order {
            let room = parts[i] * (high - low);
            if room <= left {
                scales[i] = high;
                left -= room;
            } else {
                scales[i] = low + (high - low) * (left / room).max(0.0);
                break;
            }
        }
        scales
    }

    fn solve(&self, low: &[f64], least: f64) -> Capacity {
        let [_, high] = self.ask.bounds;
        let wanted: Vec<f64> =
            self.gains.iter().zip(low).map(|(&g, &low)| if g > 0.0 { high } else { low }).collect();
        let (_, mut parts) = self.tvar(&wanted);
        let mut mean = self.knapsack(&parts);
        let mut at_most = dot(&mean, &self.gains);
        let mut best = (dot(low, &self.gains), low.to_vec());
        let mut rounds = 0;
        while rounds < ROUNDS {
            rounds += 1;
            let (tvar, answer) = self.tvar(&mean);
            let back = if tvar > self.ask.budget { (self.ask.budget - least) / (tvar - least) } else { 1.0 };
            let inside: Vec<f64> = mean.iter().zip(low).map(|(s, l)| l + back * (s - l)).collect();
            let gain = dot(&inside, &self.gains);
            if gain > best.0 {
                best = (gain, inside);
            }
            if at_most - best.0 <= self.ask.gap * at_most.abs() {
                break;
            }
            let step = 2.0 / (rounds + 2) as f64;
            mix(&mut parts, &answer, step);
            let scales = self.knapsack(&parts);
            at_most = at_most.min(dot(&scales, &self.gains));
            mix(&mut mean, &scales, step);
        }
        self.report(best.1, at_most.max(best.0), rounds)
    }

    fn report(&self, scales: Vec<f64>, at_most: f64, rounds: usize) -> Capacity {
        let ones = vec![1.0; scales.len()];
        let (tvar_now, _) = self.tvar(&ones);
        let (tvar, parts) = self.tvar(&scales);
        let document = &self.model.portfolio;
        let cap = |i: usize| Cap {
            id: document.products[i].id.clone(),
            scale: scales[i],
            cap: scales[i] * document.products[i].exposure,
            tvar: scales[i] * parts[i],
            gain: scales[i] * self.gains[i],
        };
        let products: Vec<Cap> = (0..scales.len()).map(cap).collect();
        let cluster = |(c, names): (&crate::model::Cluster, &crate::portfolio::Cluster)| {
            let sum = |f: fn(&Cap) -> f64| c.members.iter().fold(0.0, |sum, m| sum + f(&products[m.product]));
            let now = c.members.iter().fold(0.0, |sum, m| sum + document.products[m.product].exposure);
            let cap = sum(|p| p.cap);
            let scale = if now > 0.0 { cap / now } else { 0.0 };
            Cap { id: names.id.clone(), scale, cap, tvar: sum(|p| p.tvar), gain: sum(|p| p.gain) }
        };
        let gain = dot(&scales, &self.gains);
        Capacity {
            ask: self.ask.clone(),
            years: self.years.len() as u64,
            gain_now: dot(&ones, &self.gains),
            tvar_now,
            gain,
            at_most,
            gap: if at_most > 0.0 { 1.0 - gain / at_most } else { 0.0 },
            tvar,
            leverage: products.iter().fold(0.0, |sum, p| sum + p.cap) / self.ask.budget,
            clusters: self.model.clusters.iter().zip(&document.clusters).map(cluster).collect(),
            products,
            rounds,
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

/// Moves a mean by a step towards a value.
fn mix(mean: &mut [f64], value: &[f64], step: f64) {
    mean.iter_mut().zip(value).for_each(|(m, v)| *m += step * (v - *m));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{example::cp500, outcome::Options};

    fn sample(portfolio: Portfolio, years: u64) -> (Model, Years) {
        let model = Model::new(portfolio).unwrap();
        let years = Years::simulate(&model, &Options { years, seed: 21, threads: 2 }, &|_| true).unwrap();
        (model, years)
    }

    fn ask(budget: f64) -> Ask {
        Ask { level: 0.99, budget, bounds: [0.0, 2.0], loading: Some(0.5), gap: 0.01 }
    }

    #[test]
    fn cp500_under_a_budget() {
        let (model, years) = sample(cp500(), 50_000);
        let c = capacity(&model, &years, &ask(20.0), 2).unwrap();
        println!(
            "rounds {} gain {} at most {} gap {} tvar {} now {} {}",
            c.rounds, c.gain, c.at_most, c.gap, c.tvar, c.gain_now, c.tvar_now
        );
        assert!(c.tvar <= 20.0 * (1.0 + 1e-9) && c.tvar > 19.0, "{}", c.tvar);
        assert!(c.gain <= c.at_most && c.gap <= 0.01, "gap {} after {}", c.gap, c.rounds);
        // Better than scaling everything alike.
        assert!(c.gain > c.gain_now * 20.0 / c.tvar_now);
        assert!(c.products.iter().all(|p| (0.0..=2.0).contains(&p.scale)));
        let parts: f64 = c.products.iter().map(|p| p.tvar).sum();
        assert!((parts - c.tvar).abs() < 1e-9);
        let exposure: f64 = c.products.iter().map(|p| p.cap).sum();
        assert!((c.leverage - exposure / 20.0).abs() < 1e-12);
        assert!((c.clusters.iter().map(|k| k.cap).sum::<f64>() - exposure).abs() < 1e-9);
        // The scaled portfolio, simulated, has that TVaR.
        let scales: Vec<f64> = c.products.iter().map(|p| p.scale).collect();
        let (_, again) = sample(scaled(&cp500(), &scales), 200_000);
        let level = crate::analysis::tail::Ranked::new(again.gross(), 0.99).tail();
        // Chosen on 50,000 years, so a little optimistic there.
        assert!((level.tvar / c.tvar - 1.0).abs() < 0.15, "{} {}", level.tvar, c.tvar);
    }

    #[test]
    fn two_independent_lines_share_a_budget_by_their_ratio() {
        // Line a gains twice as much for the same risk; both are struck by the one shock, so that TVaR adds up: the
        // exact answer writes all of a first and fills with b.
        let text = r#"
            schema = "breakwater-portfolio/1"
            name = "two"
            unit = "USD"
            [[severity]]
            id = "all"
            law = { kind = "degenerate", value = 1.0 }
            [[cluster]]
            id = "shared"
            rate = 0.5
            hit = 1.0
            [[product]]
            id = "a"
            rate = 0.0
            severity = "all"
            exposure = 10.0
            premium = 9.0
            clusters = ["shared"]
            [[product]]
            id = "b"
            rate = 0.0
            severity = "all"
            exposure = 10.0
            premium = 7.0
            clusters = ["shared"]
        "#;
        let (model, years) = sample(toml::from_str(text).unwrap(), 20_000);
        let one = Ask { loading: None, bounds: [0.0, 1.0], ..ask(1.0) };
        let unit = Study::new(&model, &years, &one, 1).tvar(&[1.0, 0.0]).0;
        let c = capacity(&model, &years, &Ask { budget: 1.25 * unit, ..one }, 1).unwrap();
        assert!((c.products[0].scale - 1.0).abs() < 1e-9, "{c:?}");
        assert!((c.products[1].scale - 0.25).abs() < 1e-9, "{c:?}");
        // Gains 9 - 5 and 7 - 5 at scale 1.
        assert!((c.gain - 4.5).abs() < 1e-9 && c.gap < 1e-9, "{c:?}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let (model, years) = sample(cp500(), 4_000);
        let refused = |ask: Ask| matches!(capacity(&model, &years, &ask, 1), Err(Failure::Refused(_)));
        assert!(refused(Ask { budget: 1.0, bounds: [0.5, 1.0], ..ask(20.0) }));
        // cp500 names no premiums.
        assert!(refused(Ask { loading: None, ..ask(20.0) }));
        assert!(refused(Ask { bounds: [2.0, 1.0], ..ask(20.0) }));
        assert!(refused(ask(f64::NAN)) && refused(ask(-1.0)));
        assert!(refused(Ask { level: 1.0, ..ask(20.0) }));
        // A budget that is enough for everything.
        let c = capacity(&model, &years, &ask(1e6), 1).unwrap();
        assert!(c.products.iter().all(|p| p.scale == 2.0) && c.gap.abs() < 1e-12);
    }
}
