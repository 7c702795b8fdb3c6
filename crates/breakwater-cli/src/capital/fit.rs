//! The largest exposures that a pool's capital carries, as limits that a contract takes.
//!
//! All exposures grow by one factor until what the net year needs, at a level and with two standard errors on top, is the
//! pool's capital. Every run has the same seed, so more cover never looks safer by chance.

use std::collections::BTreeMap;

use alloy::primitives::{B256, U256};
use breakwater_capital::measure::{LEVELS, Level};
use breakwater_capital::outcome::{Failure as Stopped, Outcome as Found};
use breakwater_capital::{Model, Portfolio};
use clap::ValueEnum;

use crate::act::limits::{Limits, Line};
use crate::failure::Failure;

/// The most leverage that any pool can have, of 10,000.
const MOST_LEVERAGE: u32 = 100_000;

/// Caps that one certificate may have.
const MOST_CAPS: usize = 128;

/// Standard errors that must still fit: sampling error lends no capacity.
const ERRORS: f64 = 2.0;

/// How near the factor is brought to the largest one, relative to it.
const NEAR: f64 = 1e-3;

/// What the net year needs, and its standard error.
type Need = (f64, f64);

/// Ids and their caps, units of the asset, in the document's order.
type Caps = Vec<(B256, u128)>;

/// How often the factor is lowered by [`NEAR`] until rounded caps fit.
const RETREATS: u32 = 20;

/// What the net year needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Measure {
    /// The quantile
    Var,
    /// The mean of the years beyond it
    Tvar,
}

/// What the limits must keep to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ask {
    pub(super) level: f64,
    pub(super) measure: Measure,
    /// The most that one product's cap may be, as a share of the capital.
    pub(super) product_share: f64,
    /// The most that a cluster may lose in a stressed shock, as a share of the capital.
    pub(super) cluster_share: f64,
    /// Quantile of the share lost in such a shock.
    pub(super) stress: f64,
    /// Decimals of the asset.
    pub(super) decimals: u8,
}

/// Limits, and what they stand on.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    pub(super) limits: Limits,
    /// Whole units of the asset.
    pub(super) capital: f64,
    /// What the portfolio needs as it is, with its standard error.
    pub(super) now: Need,
    /// What it needs at the caps, with its standard error.
    pub(super) need: Need,
    /// What all exposures were multiplied by before single bounds.
    pub(super) scale: f64,
    /// Exposures of the portfolio, in the order of the caps.
    pub(super) exposures: Vec<f64>,
    pub(super) runs: u32,
    /// Clusters that are no chain's, and so have no cap.
    pub(super) unnamed: Vec<String>,
}

/// Why there are no limits.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The engine ended.
    Run(Stopped),
    /// In words.
    Words(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Words(failure)
    }
}

/// Finds the limits. `run` evaluates a portfolio, always with the same seed and years.
pub(super) fn fit(
    model: &Model,
    ask: &Ask,
    run: &dyn Fn(&Model) -> Result<Found, Stopped>,
) -> Result<Fit, Refusal> {
    let mut study = Study::new(model, ask, run)?;
    let found = study.evaluate(model)?;
    let now = study.needs(&found)?;
    let scale = study.largest()?;
    let (scale, caps, need) = study.rounded(scale)?;
    let (clusters, unnamed) = study.clusters(&caps)?;
    let lines = |caps: Caps| -> Vec<Line> {
        let sorted: BTreeMap<B256, u128> = caps.into_iter().collect();
        sorted.into_iter().map(|(id, cap)| Line { id, cap }).collect()
    };
    let products: Caps = study.ids.iter().copied().zip(caps.iter().copied()).collect();
    let mut order: Vec<usize> = (0..products.len()).collect();
    order.sort_by_key(|&i| study.ids[i]);
    Ok(Fit {
        limits: Limits {
            leverage_bps: study.leverage(&caps, &clusters)?,
            products: lines(products),
            clusters: lines(clusters),
            model: found.hashes.model,
            data: found.hashes.data,
            seed: found.hashes.seed,
        },
        capital: study.capital,
        now,
        need,
        scale,
        exposures: order.iter().map(|&i| study.exposures[i]).collect(),
        runs: study.runs,
        unnamed,
    })
}

struct Study<'a> {
    model: &'a Model,
    ask: &'a Ask,
    run: &'a dyn Fn(&Model) -> Result<Found, Stopped>,
    /// Of the products, in the document's order.
    ids: Vec<B256>,
    exposures: Vec<f64>,
    capital: f64,
    runs: u32,
}

impl<'a> Study<'a> {
    fn new(
        model: &'a Model,
        ask: &'a Ask,
        run: &'a dyn Fn(&Model) -> Result<Found, Stopped>,
    ) -> Result<Self, Failure> {
        let document = &model.portfolio;
        let [pool] = &model.pools[..] else {
            return Err(Failure::usage(format!("expected one pool, got {}", model.pools.len()))
                .right("a portfolio of the one pool that the certificate is for"));
        };
        if pool.products.len() != document.products.len() {
            return Err(Failure::usage("some products are not the pool's")
                .right("a portfolio of the one pool that the certificate is for"));
        }
        let capital = pool.capital();
        if capital <= 0.0 {
            return Err(
                Failure::usage("the pool holds no capital").right("a pool with surplus or tranches above 0")
            );
        }
        let mut ids: Vec<B256> = Vec::new();
        for product in &document.products {
            let id = parse_id(&product.id).ok_or_else(|| {
                Failure::usage(format!("product {:?}: its id is not 32 bytes in hex", product.id))
                    .right("ids of products on a chain, as breakwater capital read writes them")
            })?;
            if ids.contains(&id) {
                return Err(Failure::usage(format!("product {id} is in the portfolio twice")).right("once"));
            }
            ids.push(id);
        }
        let exposures = document.products.iter().map(|product| product.exposure).collect();
        Ok(Self { model, ask, run, ids, exposures, capital, runs: 0 })
    }

    fn evaluate(&mut self, model: &Model) -> Result<Found, Refusal> {
        self.runs += 1;
        (self.run)(model).map_err(Refusal::Run)
    }

    /// What a run's net year needs, and its standard error.
    fn needs(&self, found: &Found) -> Result<Need, Failure> {
        let at = |level: &&Level| level.level == self.ask.level;
        let level = found.levels.net.iter().find(at).ok_or_else(|| {
            let known: Vec<String> = LEVELS.iter().map(f64::to_string).collect();
            Failure::usage(format!("--level: expected a level that is reported, got {}", self.ask.level))
                .right(format!("one of {}", known.join(", ")))
        })?;
        Ok(match self.ask.measure {
            Measure::Var => (level.var, level.var_error),
            Measure::Tvar => (level.tvar, level.tvar_error),
        })
    }

    fn fits(&self, (need, error): Need) -> bool {
        need + ERRORS * error <= self.capital
    }

    /// What the portfolio needs with these exposures.
    fn need_at(&mut self, exposures: &[f64]) -> Result<Need, Refusal> {
        let document = with_exposures(&self.model.portfolio, exposures);
        if document.products.is_empty() {
            return Ok((0.0, 0.0));
        }
        let model = Model::new(document).map_err(|fault| Failure::new(fault.to_string()))?;
        let found = self.evaluate(&model)?;
        Ok(self.needs(&found)?)
    }

    /// Exposures at a factor, each at most its share of the capital.
    fn scaled(&self, scale: f64) -> Vec<f64> {
        let most = self.ask.product_share * self.capital;
        self.exposures.iter().map(|exposure| (scale * exposure).min(most)).collect()
    }

    /// The largest factor that fits, from below.
    fn largest(&mut self) -> Result<f64, Refusal> {
        let sum = self.exposures.iter().fold(0.0, |sum, exposure| sum + exposure);
        let mut high = f64::from(MOST_LEVERAGE) / 10_000.0 * self.capital / sum;
        let need = self.need_at(&self.scaled(high))?;
        if self.fits(need) {
            return Ok(high);
        }
        let mut low = 0.0;
        while high - low > NEAR * high {
            let middle = f64::midpoint(low, high);
            let need = self.need_at(&self.scaled(middle))?;
            if self.fits(need) {
                low = middle;
            } else {
                high = middle;
            }
            // A thousandth of the portfolio's own size is no cover worth a certificate.
            if high < NEAR * NEAR {
                return Err(Failure::new("the pool's capital carries no cover at this level")
                    .right("more capital, or a lower --level")
                    .into());
            }
        }
        Ok(low)
    }

    /// Rounded caps that fit, at this factor or a little below, and what they need. What is certified is what was run.
    ///
    /// Where years are drawn by the portfolio itself, a rounding may draw others, and these may need a little more.
    fn rounded(&mut self, mut scale: f64) -> Result<(f64, Vec<u128>, Need), Refusal> {
        let mut need = (0.0, 0.0);
        for _ in 0..RETREATS {
            let caps = self.caps(scale)?;
            let exposures: Vec<f64> = caps.iter().map(|&cap| value(cap, self.ask.decimals)).collect();
            need = self.need_at(&exposures)?;
            if self.fits(need) {
                return Ok((scale, caps, need));
            }
            scale *= 1.0 - NEAR;
        }
        let needed = need.0 + ERRORS * need.1;
        let wrong =
            format!("near the caps found the net year needs {needed}, and the pool holds {}", self.capital);
        Err(Failure::new(wrong).right("more --years, for needs that rise steadily with the exposures").into())
    }

    /// Caps in units of the asset at a factor, rounded down.
    fn caps(&self, scale: f64) -> Result<Vec<u128>, Failure> {
        self.scaled(scale).into_iter().map(|exposure| self.units(exposure)).collect()
    }

    fn units(&self, amount: f64) -> Result<u128, Failure> {
        floor_units(amount, self.ask.decimals).ok_or_else(|| {
            Failure::usage(format!("{amount} with {} decimals does not fit 128 bits", self.ask.decimals))
                .right("--decimals of the pool's asset, and amounts in whole units of it")
        })
    }

    /// Caps of clusters: all of their members' caps, but never so much that one stressed shock, whatever the mix of its
    /// members, takes more than the share of the capital that clusters are allowed.
    fn clusters(&self, caps: &[u128]) -> Result<(Caps, Vec<String>), Failure> {
        let (mut lines, mut unnamed) = (Caps::new(), Vec::new());
        for (cluster, words) in self.model.clusters.iter().zip(&self.model.portfolio.clusters) {
            let Some(id) = parse_id(&words.id) else {
                unnamed.push(words.id.clone());
                continue;
            };
            if lines.iter().any(|(known, _)| *known == id) {
                return Err(Failure::usage(format!("cluster {id} is in the portfolio twice")).right("once"));
            }
            let members = cluster.members.iter().map(|member| member.product);
            let sum = members.clone().try_fold(0_u128, |sum, i| sum.checked_add(caps[i]));
            let sum = sum.ok_or_else(|| Failure::usage(format!("cluster {id}: its caps exceed 128 bits")))?;
            let worst = members.map(|i| self.stressed(i)).fold(0.0, f64::max);
            let most = self.ask.cluster_share * self.capital;
            // Where no member loses anything in the stress, it bounds nothing.
            let bound = if worst > 0.0 { self.units(most / worst)? } else { u128::MAX };
            lines.push((id, sum.min(bound)));
        }
        Ok((lines, unnamed))
    }

    /// What a sum of one is paid when a product loses the stressed share.
    fn stressed(&self, product: usize) -> f64 {
        let terms = &self.model.products[product];
        let share = self.model.severities[terms.severity].upper_quantile(1.0 - self.ask.stress);
        terms.terms.payout(share) / self.exposures[product]
    }

    /// All that may be sold over the capital, of 10,000, rounded down.
    fn leverage(&self, caps: &[u128], clusters: &[(B256, u128)]) -> Result<u32, Failure> {
        let mut all = clusters.iter().map(|(_, cap)| U256::from(*cap)).sum::<U256>();
        for (product, cap) in self.model.portfolio.products.iter().zip(caps) {
            if product.clusters.iter().all(|membership| parse_id(membership.id()).is_none()) {
                all += U256::from(*cap);
            }
        }
        // A product in two clusters counts in both; no more than the caps together is ever sold.
        all = all.min(caps.iter().map(|&cap| U256::from(cap)).sum());
        let capital = U256::from(self.units(self.capital)?) + U256::ONE;
        let bps = all * U256::from(10_000) / capital;
        Ok(u32::try_from(bps).unwrap_or(MOST_LEVERAGE).min(MOST_LEVERAGE))
    }
}

/// Refuses what one certificate cannot hold.
pub(super) fn count(limits: &Limits) -> Result<(), Failure> {
    match limits.products.len() + limits.clusters.len() {
        0..=MOST_CAPS => Ok(()),
        got => Err(Failure::usage(format!("expected at most {MOST_CAPS} caps, got {got}"))
            .right("a pool of fewer products and clusters")),
    }
}

/// The portfolio with other exposures; amounts of its terms go along, and what has none is left out.
fn with_exposures(document: &Portfolio, exposures: &[f64]) -> Portfolio {
    let mut out = document.clone();
    for (product, &exposure) in out.products.iter_mut().zip(exposures) {
        let ratio = exposure / product.exposure;
        product.exposure = exposure;
        product.deductible *= ratio;
        product.premium *= ratio;
        for amount in [&mut product.limit, &mut product.annual_limit].into_iter().flatten() {
            *amount *= ratio;
        }
        // What is locked does not grow with what is covered, but must not be below it.
        product.tvl = product.tvl.map(|tvl| tvl.max(exposure));
    }
    let gone: Vec<String> =
        out.products.iter().filter(|p| p.exposure <= 0.0).map(|product| product.id.clone()).collect();
    out.products.retain(|product| product.exposure > 0.0);
    for treaty in &mut out.treaties {
        treaty.products.retain(|id| !gone.contains(id));
    }
    for pool in &mut out.pools {
        pool.products.retain(|id| !gone.contains(id));
    }
    out
}

/// 32 bytes in hex, with or without 0x.
fn parse_id(text: &str) -> Option<B256> {
    text.parse().ok()
}

/// Units of an amount in whole units of a token, exactly rounded down; nothing where they do not fit 128 bits.
pub(super) fn floor_units(amount: f64, decimals: u8) -> Option<u128> {
    if !amount.is_finite() || amount < 0.0 {
        return None;
    }
    let scale = U256::from(10).checked_pow(U256::from(decimals))?;
    // A double is mantissa · 2^exponent, so its digits are known to the last one.
    let bits = amount.to_bits();
    let (power, fraction) = ((bits >> 52) as i64, bits & ((1 << 52) - 1));
    let (mantissa, exponent) =
        if power == 0 { (fraction, -1_074) } else { (fraction | 1 << 52, power - 1_075) };
    let product = U256::from(mantissa).checked_mul(scale)?;
    let units = match usize::try_from(exponent) {
        Ok(up) if up < 128 => product.checked_mul(U256::ONE << up)?,
        Ok(_) => return (mantissa == 0).then_some(0),
        Err(_) => product >> usize::try_from(-exponent).unwrap_or(usize::MAX),
    };
    u128::try_from(units).ok()
}

/// A cap in whole units of a token.
fn value(units: u128, decimals: u8) -> f64 {
    // Digits with a decimal exponent always parse, and the parser rounds once.
    format!("{units}e-{decimals}").parse().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use breakwater_capital::{Options, evaluate};

    const A: &str = "0x1100000000000000000000000000000000000000000000000000000000000011";
    const B: &str = "0x2200000000000000000000000000000000000000000000000000000000000022";
    const C: &str = "0x3300000000000000000000000000000000000000000000000000000000000033";

    fn model(extra: &str) -> Model {
        let text = format!(
            r#"
            schema = "breakwater-portfolio/1"
            name = "two"
            unit = "dUSD"
            [[severity]]
            id = "half"
            law = {{ kind = "degenerate", value = 0.5 }}
            [[cluster]]
            id = "{C}"
            rate = 0.02
            hit = 1.0
            [[product]]
            id = "{B}"
            rate = 0.0
            severity = "half"
            exposure = 200.0
            clusters = ["{C}"]
            [[product]]
            id = "{A}"
            rate = 0.0
            severity = "half"
            exposure = 100.0
            clusters = ["{C}"]
            {extra}
            [[pool]]
            id = "pool"
            surplus = 0.0
            [[pool.tranche]]
            id = "junior"
            capital = 600.0
            "#
        );
        Model::from_toml(&text).unwrap()
    }

    fn ask() -> Ask {
        Ask {
            level: 0.995,
            measure: Measure::Var,
            product_share: 10.0,
            cluster_share: 1.0,
            stress: 0.9,
            decimals: 6,
        }
    }

    fn fitted(model: &Model, ask: &Ask) -> Result<Fit, Refusal> {
        let options = Options { years: 20_000, seed: 5, threads: 1 };
        fit(model, ask, &|model| evaluate(model, &options, &|_| true))
    }

    #[test]
    fn one_shock_that_halves_everything_carries_twice_the_capital() {
        // At 99.5 % the year has exactly one shock, which takes half of every sum: exposures of 1200 need 600.
        let fit = fitted(&model(""), &ask()).unwrap();
        assert!((fit.scale - 4.0).abs() < 4.0 * 2.0 * NEAR, "{}", fit.scale);
        assert!(fit.need.0 + ERRORS * fit.need.1 <= 600.0 && fit.need.0 > 590.0, "{:?}", fit.need);
        assert!((fit.now.0 - 150.0).abs() < 0.5, "{:?}", fit.now);
        let ids: Vec<String> = fit.limits.products.iter().map(|line| line.id.to_string()).collect();
        assert_eq!(ids, [A, B], "ascending, though the portfolio has them otherwise");
        assert_eq!(fit.exposures, [100.0, 200.0]);
        let [a, b] = [fit.limits.products[0].cap, fit.limits.products[1].cap];
        assert!(a <= floor_units(100.0 * fit.scale, 6).unwrap() && b.abs_diff(2 * a) <= 1, "{a} {b}");
        // Half of what the cluster insures is at most the capital, as the stress is the severity's only value.
        assert_eq!(fit.limits.clusters[0].cap, (a + b).min(1_200_000_000));
        assert_eq!(u128::from(fit.limits.leverage_bps), (a + b) * 10_000 / 600_000_001);
        assert_eq!(fit.limits.data, model("").hash);
    }

    #[test]
    fn single_bounds_bind() {
        let ask = Ask { product_share: 0.5, cluster_share: 0.25, ..ask() };
        let fit = fitted(&model(""), &ask).unwrap();
        assert!(fit.limits.products.iter().all(|line| line.cap == 300_000_000), "{:?}", fit.limits);
        assert_eq!(fit.limits.clusters[0].cap, 300_000_000, "a quarter of 600, lost when half is lost");
        assert_eq!(fit.limits.leverage_bps, 4_999, "300 of 600 and a unit more, rounded down");
    }

    #[test]
    fn a_treaty_makes_room_and_more_capital_too() {
        let treaty = "[[treaty]]\nid = \"layer\"\ncover = { kind = \"event-excess\", attachment = 400.0, limit = 200.0 }";
        let (without, with) = (fitted(&model(""), &ask()).unwrap(), fitted(&model(treaty), &ask()).unwrap());
        // 600 held and 200 ceded carry a shock of 800.
        assert!((with.scale / without.scale - 4.0 / 3.0).abs() < 0.01, "{} {}", with.scale, without.scale);
    }

    #[test]
    fn what_no_contract_takes_is_refused() {
        let refused = |model: &Model, ask: &Ask| match fitted(model, ask) {
            Err(Refusal::Words(failure)) => failure.wrong().to_owned(),
            other => panic!("{other:?}"),
        };
        let text = model("").portfolio.to_toml().unwrap();
        let named = Model::from_toml(&text.replace(A, "aave")).unwrap();
        assert!(refused(&named, &ask()).contains("product \"aave\""));
        let twice = Model::from_toml(&text.replacen(A, &B.replace("0x", ""), 1)).unwrap();
        assert!(refused(&twice, &ask()).contains("twice"));
        let none = Model::from_toml(&text.replace("600.0", "0.0")).unwrap();
        assert!(refused(&none, &ask()).contains("no capital"));
        assert!(refused(&model(""), &Ask { level: 0.9951, ..ask() }).contains("--level"));
        let modelled = Model::from_toml(&text.replace(C, "oracle")).unwrap();
        let fit = fitted(&modelled, &ask()).unwrap();
        assert_eq!((fit.limits.clusters.len(), fit.unnamed), (0, vec!["oracle".to_owned()]));
    }

    #[test]
    fn units_are_rounded_down_exactly() {
        assert_eq!(floor_units(0.3, 6), Some(299_999), "0.3 is a little less than three tenths");
        assert_eq!(floor_units(0.1, 18), Some(100_000_000_000_000_005));
        assert_eq!(floor_units(1_234_567.0, 18), Some(1_234_567_000_000_000_000_000_000));
        assert_eq!(floor_units(0.0, 18), Some(0));
        assert_eq!(floor_units(5e-324, 18), Some(0));
        assert_eq!(floor_units(1e20, 18), Some(100_000_000_000_000_000_000 * 10_u128.pow(18)));
        for none in [f64::NAN, f64::INFINITY, -1.0, 1e39] {
            assert_eq!(floor_units(none, 6), None, "{none}");
        }
        assert_eq!(floor_units(1.0, 60), None);
    }
}
