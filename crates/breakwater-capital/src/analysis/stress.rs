//! What a scenario does to the pool: the year given that it happens.
//!
//! Years are simulated in the scenario's market, and to each the struck events are added, last in the year, with hits and
//! severities drawn anew: `E[. | the event happens]`. Treaties are applied again to the whole year, and what they leave
//! goes through surplus and tranches in order. The event alone is shown beside it.

use serde::{Deserialize, Serialize};

use super::{
    parallel::pieces,
    programme::{Atom, Programme, Recoveries, atoms},
    scenario::{Scenario, Struck},
    tail::Squares,
    years::Years,
};
use crate::{
    fault::Fault,
    model::Model,
    outcome::{Failure, Options},
    rng::{Purpose, Stream},
    timeline::copula,
};

/// An amount that depends on chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Amount {
    /// Its mean.
    pub mean: f64,
    /// Standard error of that.
    pub mean_error: f64,
    /// Exceeded in half of the years.
    pub median: f64,
    /// Exceeded in one year of twenty.
    pub q95: f64,
    /// Exceeded in one year of a hundred.
    pub q99: f64,
}

/// What a slice of capital bears.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Borne {
    /// `pool/tranche`; the last is `beyond the pools`, without capital.
    pub id: String,
    /// Its capital in the scenario.
    pub capital: f64,
    /// What it loses in the year.
    pub mean: f64,
    /// Standard error of that.
    pub mean_error: f64,
    /// Probability that it is used up.
    pub exhaust: f64,
    /// Standard error of that.
    pub exhaust_error: f64,
}

/// What a scenario does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stressed {
    /// Its name.
    pub id: String,
    /// What happens.
    pub about: String,
    /// What was struck: clusters and products by name.
    pub struck: Vec<String>,
    /// Years it stands on.
    pub years: u64,
    /// The struck events alone, gross.
    pub event_gross: Amount,
    /// The struck events alone, net of treaties that serve nothing else.
    pub event_net: Amount,
    /// The whole year, gross.
    pub gross: Amount,
    /// The whole year, net.
    pub net: Amount,
    /// What each treaty pays in the year, in the document's order: name, mean, standard error.
    pub treaties: Vec<(String, f64, f64)>,
    /// What surplus and tranches bear.
    pub tranches: Vec<Borne>,
    /// What remains of the pools' capital at the year's end, before premium.
    pub remains: Amount,
    /// Probability that a pool loses more than it holds.
    pub breaks: f64,
    /// Standard error of that.
    pub breaks_error: f64,
}

/// Why a scenario could not be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The scenario names what the portfolio does not have, or its market makes the portfolio impossible.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Years could not be simulated.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// A model under a scenario.
///
/// # Errors
/// See [`Unfit`].
pub fn stress(
    model: &Model,
    scenario: &Scenario,
    options: &Options,
    watch: &(dyn Fn(u64) -> bool + Sync),
) -> Result<Stressed, Unfit> {
    let struck = scenario.resolve(model)?;
    let defaulted = scenario.defaulted(model)?;
    let market = Model::new(scenario.market(&model.portfolio))?;
    let years = Years::simulate(&market, options, watch)?;
    let study = Study {
        model: &market,
        years: &years,
        programme: Programme::new(&market, years.is_ordered()),
        struck: &struck,
        defaulted,
        capital: scenario.capital,
        seed: options.seed,
    };
    Ok(study.report(scenario, options.threads))
}

struct Study<'a> {
    model: &'a Model,
    years: &'a Years,
    programme: Programme<'a>,
    struck: &'a [Struck],
    defaulted: Vec<bool>,
    capital: f64,
    seed: u64,
}

/// Places in a year's results.
const EVENT_GROSS: usize = 0;
const EVENT_NET: usize = 1;
const GROSS: usize = 2;
const NET: usize = 3;
const REMAINS: usize = 4;
const BROKEN: usize = 5;
/// Treaties, then slices of capital, then what none bears.
const REST: usize = 6;

impl Study<'_> {
    fn slices(&self) -> Vec<(String, f64)> {
        let pools = self.model.pools.iter().flat_map(|p| {
            let tranches = p
                .terms
                .tranches
                .iter()
                .map(|t| (format!("{}/{}", p.terms.id, t.id), t.capital * self.capital));
            std::iter::once((format!("{}/surplus", p.terms.id), p.terms.surplus * self.capital))
                .chain(tranches)
        });
        pools.chain(std::iter::once(("beyond the pools".to_owned(), 0.0))).collect()
    }

    fn report(&self, scenario: &Scenario, threads: usize) -> Stressed {
        let slices = self.slices();
        let treaties = self.model.treaties.len();
        let width = REST + treaties + slices.len();
        // The number of slices is the number of results, so that each year is a row of fixed width.
        let rows: Vec<f64> = pieces(self.years.len(), threads, |range| self.rows(range, width)).concat();
        let column = |i: usize| -> Vec<f64> { rows.iter().skip(i).step_by(width).copied().collect() };
        let n = self.years.len();
        let mean = |i: usize| {
            let mut sums = Squares::default();
            column(i).into_iter().for_each(|v| sums.add(v));
            (sums.sum / n as f64, sums.error(n, n as f64))
        };
        let treaty = |t: usize| {
            let (mean, error) = mean(REST + t);
            (self.model.portfolio.treaties[t].id.clone(), mean, error)
        };
        let borne = |(s, (id, capital)): (usize, &(String, f64))| {
            let losses = column(REST + treaties + s);
            let full = |v: &&f64| *capital > 0.0 && **v >= capital * (1.0 - 1e-12);
            let exhaust = losses.iter().filter(full).count() as f64 / n as f64;
            let (mean, mean_error) = mean(REST + treaties + s);
            let exhaust_error = (exhaust * (1.0 - exhaust) / n as f64).sqrt();
            Borne { id: id.clone(), capital: *capital, mean, mean_error, exhaust, exhaust_error }
        };
        let (breaks, breaks_error) = mean(BROKEN);
        Stressed {
            id: scenario.id.clone(),
            about: scenario.about.clone(),
            struck: self.struck.iter().map(|s| s.name.clone()).collect(),
            years: n as u64,
            event_gross: amount(column(EVENT_GROSS), mean(EVENT_GROSS)),
            event_net: amount(column(EVENT_NET), mean(EVENT_NET)),
            gross: amount(column(GROSS), mean(GROSS)),
            net: amount(column(NET), mean(NET)),
            treaties: (0..treaties).map(treaty).collect(),
            tranches: slices.iter().enumerate().map(borne).collect(),
            remains: amount(column(REMAINS), mean(REMAINS)),
            breaks,
            breaks_error,
        }
    }

    fn rows(&self, range: std::ops::Range<usize>, width: usize) -> Vec<f64> {
        let mut rows = vec![0.0; range.len() * width];
        let (mut list, mut alone, mut work) = (vec![], vec![], Recoveries::default());
        for (year, row) in range.zip(rows.chunks_mut(width)) {
            atoms(self.years.events(year), |_, _| true, &mut list);
            self.strike(year, list.last().map_or(0, |a| a.event + 1), &mut alone);
            let sum = |atoms: &[Atom]| atoms.iter().fold(0.0, |sum, a| sum + a.amount);
            row[EVENT_GROSS] = sum(&alone);
            row[EVENT_NET] = self.programme.net(&alone, &self.defaulted, &mut work);
            list.extend_from_slice(&alone);
            row[GROSS] = sum(&list);
            let net = self.programme.settle(&list, &self.defaulted, &mut work);
            row[NET] = net.iter().fold(0.0, |sum, n| sum + n).max(0.0);
            self.bear(&list, net, row);
            row[REST..REST + self.model.treaties.len()].copy_from_slice(&work.paid);
        }
        rows
    }

    /// What surplus and tranches bear of the net claims of their pools' products.
    fn bear(&self, list: &[Atom], net: &[f64], row: &mut [f64]) {
        let mut slice = REST + self.model.treaties.len();
        let (mut remains, mut covered) = (0.0, 0.0);
        for pool in &self.model.pools {
            let mine = list
                .iter()
                .zip(net)
                .filter(|(a, _)| pool.products.binary_search(&(a.product as usize)).is_ok());
            let loss = mine.fold(0.0, |sum, (_, n)| sum + n).max(0.0);
            let mut left = loss;
            let capitals =
                std::iter::once(pool.terms.surplus).chain(pool.terms.tranches.iter().map(|t| t.capital));
            for capital in capitals.map(|c| c * self.capital) {
                let borne = left.min(capital);
                row[slice] = borne;
                slice += 1;
                left -= borne;
                remains += capital - borne;
            }
            covered += loss - left;
            if left > 0.0 {
                row[BROKEN] = 1.0;
            }
        }
        row[slice] = (row[NET] - covered).max(0.0);
        row[REMAINS] = remains;
    }

    /// The struck events of a year.
    fn strike(&self, year: usize, mut event: u32, out: &mut Vec<Atom>) {
        out.clear();
        let mut stream = Stream::new(self.seed, Purpose::Stress, year as u64);
        let (mut hits, mut uppers) = (vec![], vec![]);
        for struck in self.struck {
            hits.clear();
            // Who is hit, then what each loses; the second draw is each member's own, unless a copula joins them.
            uppers.clear();
            for (place, &(_, hit)) in struck.members.iter().enumerate() {
                let (luck, upper) = (stream.unit(), stream.unit());
                if luck < hit {
                    hits.push(place as u32);
                    uppers.push(upper);
                }
            }
            let joined = struck.cluster.and_then(|k| self.model.clusters[k].copula.as_ref());
            if let Some(copula) = joined {
                copula::draw(copula, &hits, &mut stream, &mut uppers);
            }
            for (&place, &upper) in hits.iter().zip(&uppers) {
                let product = struck.members[place as usize].0;
                let p = &self.model.products[product];
                let share =
                    struck.share.unwrap_or_else(|| self.model.severities[p.severity].upper_quantile(upper));
                let amount = p.terms.payout(share).min(p.annual_limit);
                if amount > 0.0 {
                    out.push(Atom { event, product: product as u32, amount });
                }
            }
            event += 1;
        }
    }
}

fn amount(mut values: Vec<f64>, (mean, mean_error): (f64, f64)) -> Amount {
    values.sort_unstable_by(f64::total_cmp);
    let at = |level: f64| values[((level * values.len() as f64) as usize).min(values.len() - 1)];
    Amount { mean, mean_error, median: at(0.5), q95: at(0.95), q99: at(0.99) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        analysis::{price::expected_loss, scenario},
        example::cp500,
        portfolio::{Pool, Portfolio, Tranche},
    };

    fn pooled() -> Portfolio {
        let mut portfolio = cp500();
        let tranche = |id: &str, capital: f64| Tranche { id: id.into(), capital, premium_weight: 0.0 };
        portfolio.pools.push(Pool {
            id: "pool".into(),
            products: vec![],
            surplus: 1.0,
            tranches: vec![tranche("junior", 6.0), tranche("senior", 13.0)],
            premium_to_surplus: 0.0,
            reserve: None,
            behaviour: None,
        });
        portfolio
    }

    fn run(portfolio: Portfolio, text: &str, years: u64) -> Stressed {
        let model = Model::new(portfolio).unwrap();
        let scenario = scenario::parse(text).unwrap().remove(0);
        stress(&model, &scenario, &Options { years, seed: 9, threads: 2 }, &|_| true).unwrap()
    }

    #[test]
    fn a_struck_product_loses_what_its_terms_say() {
        let text = "[[scenario]]\nid = \"one\"\nhazard = 0.0\n[[scenario.strike]]\nproducts = [\"p499\"]\nshare = 0.5";
        let s = run(pooled(), text, 2_000);
        // Exposure e, deductible 2 %, limit 15: half of it less the deductible, capped; treaties take 4 xs 2 and 12 xs 6.
        let p = &cp500().products[499];
        let gross = (0.48 * p.exposure).min(15.0);
        let net = gross - (gross - 2.0).clamp(0.0, 4.0) - (gross - 6.0).clamp(0.0, 12.0);
        // Nothing else happens in a year without attacks.
        assert!((s.event_gross.mean - gross).abs() < 1e-9, "{s:?}");
        assert!((s.gross.mean - gross).abs() < 1e-9 && (s.gross.q99 - gross).abs() < 1e-9);
        assert!((s.net.mean - net).abs() < 1e-9 && (s.event_net.mean - net).abs() < 1e-9);
        assert!((s.remains.mean - (20.0 - net)).abs() < 1e-9);
        assert_eq!((s.breaks, s.tranches[0].exhaust), (0.0, 1.0));
        let borne: f64 = s.tranches.iter().map(|t| t.mean).sum();
        assert!((borne - s.net.mean).abs() < 1e-9);
    }

    #[test]
    fn a_strike_adds_its_expected_loss() {
        let text = "[[scenario]]\nid = \"shock\"\n[[scenario.strike]]\ncluster = \"c9\"";
        let s = run(pooled(), text, 20_000);
        let model = Model::new(pooled()).unwrap();
        // A shock's expected loss is what the cluster adds to the mean, over its rate.
        let mut quiet = pooled();
        quiet.clusters[9].rate = 0.0;
        let quiet = Model::new(quiet).unwrap();
        let mean = |m: &Model| (0..500).map(|i| expected_loss(m, i).unwrap()).sum::<f64>();
        let shock = (mean(&model) - mean(&quiet)) / 0.02;
        assert!((s.event_gross.mean - shock).abs() < 4.0 * s.event_gross.mean_error, "{shock} {s:?}");
        assert!((s.gross.mean - shock - mean(&model)).abs() < 4.0 * s.gross.mean_error);
        assert!(s.net.mean < s.gross.mean && s.net.mean > 0.0);
        assert!(s.treaties.iter().all(|t| t.1 > 0.0));
    }

    #[test]
    fn a_market_scales_rates_covers_and_capital() {
        let base = run(pooled(), "[[scenario]]\nid = \"none\"", 40_000);
        let twice = run(pooled(), "[[scenario]]\nid = \"twice\"\nhazard = 2.0\ncapital = 0.5", 40_000);
        let error = 2.0 * base.gross.mean_error + twice.gross.mean_error;
        assert!((twice.gross.mean - 2.0 * base.gross.mean).abs() < 4.0 * error);
        assert_eq!(twice.tranches[2].capital, 6.5);
        let half = run(pooled(), "[[scenario]]\nid = \"half\"\ntvl = 0.5", 40_000);
        // The same years with claims of half the size, to single precision.
        assert!((half.gross.mean - 0.5 * base.gross.mean).abs() < 1e-5 * base.gross.mean);
        assert!(base.event_gross.mean == 0.0 && base.breaks <= twice.breaks);
    }

    #[test]
    fn the_shipped_scenarios_run_on_any_portfolio() {
        let model = Model::new(pooled()).unwrap();
        for scenario in scenario::named().unwrap() {
            let options = Options { years: 4_000, seed: 1, threads: 1 };
            let s = stress(&model, &scenario, &options, &|_| true).unwrap();
            let again = stress(&model, &scenario, &Options { threads: 2, ..options }, &|_| true).unwrap();
            assert_eq!(s, again);
            assert!(s.net.mean <= s.gross.mean && s.remains.mean >= 0.0, "{s:?}");
        }
    }
}
