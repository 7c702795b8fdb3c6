//! What a cover, and what a treaty must cost.
//!
//! A cover is priced at the margin, as the last one written: `price = expected loss + cost of capital * marginal TVaR`.
//! The expected loss is the gross one on either basis, for reinsurers want at least what they pay; the marginal TVaR is
//! that of the gross or of the net year, see [`super::allocate`]. Where Wald's equation holds (no contagion, follow-ups,
//! market states or annual limit) the expected loss is exact: expected number of claims times `E[payout]`, by limited means.
//!
//! A treaty is priced for a reinsurer who locks the most it can pay, `L`, and wants the return `r` on its own part of that:
//! `(P - E[R]) = r (L - P)`, so `P = (E[R] + r L) / (1 + r)`; a treaty without a bound locks TVaR of what it pays.
//! A reinstatement costs its price times the premium times the share of the limit that is reinstated: with prices `c_k`,
//! limit `l` and `A` paid in the year, `F = sum_k c_k clamp(A - (k - 1) l, 0, l) / l` premiums are due, so that the premium
//! before reinstatements is `P / (1 + E[F])` (Sundt 1991; Hess and Schmidt, "Optimal premium plans for reinsurance with
//! reinstatements", ASTIN Bulletin 34 (2004)).

use serde::{Deserialize, Serialize};

use super::{
    allocate::{Allocation, Part},
    tail::{Ranked, Squares},
    years::Years,
};
use crate::{
    fault::Fault,
    model::{Model, Treaty},
    outcome::Failure,
    portfolio::{self, Cover, Portfolio},
    simulate::variable,
};

/// Whose TVaR a cover's capital is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Before treaties.
    Gross,
    /// After treaties.
    Net,
}

/// Price of a product at the margin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoverPrice {
    /// The product.
    pub id: String,
    /// Expected claims a year.
    pub expected_loss: f64,
    /// Standard error of that; 0 where it is exact.
    pub expected_loss_error: f64,
    /// What TVaR falls by without it.
    pub marginal: f64,
    /// Standard error of that.
    pub marginal_error: f64,
    /// Expected loss and cost of capital.
    pub price: f64,
    /// Standard error of that: the two errors added, which bounds the error of the sum.
    pub price_error: f64,
    /// Price a year per unit of exposure.
    pub rate: f64,
    /// What the portfolio says it is sold for a year.
    pub premium: f64,
}

/// Price of a treaty at a return.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TreatyPrice {
    /// The treaty.
    pub id: String,
    /// Expected annual recovery.
    pub expected_recovery: f64,
    /// Standard error of that.
    pub expected_recovery_error: f64,
    /// Standard deviation of the annual recovery.
    pub sd: f64,
    /// What the reinsurer locks.
    pub locked: f64,
    /// Expected premiums due for reinstatements, as a share of the premium.
    pub reinstatement: f64,
    /// Standard error of that.
    pub reinstatement_error: f64,
    /// Premium before reinstatements at which the reinsurer earns nothing.
    pub pure_premium: f64,
    /// Premium before reinstatements at the return that was asked for.
    pub price: f64,
    /// Standard error of that.
    pub price_error: f64,
    /// `price` as a share of what is locked.
    pub rate_on_line: f64,
    /// What the portfolio says it pays, before reinstatements.
    pub premium: f64,
    /// The return that earns the reinsurer; none where the premium covers all that is locked.
    pub return_now: Option<f64>,
    /// What the net TVaR would be higher by without it.
    pub saves: f64,
    /// Standard error of that.
    pub saves_error: f64,
}

/// Expected claims a year of a product, where Wald's equation gives them.
pub fn expected_loss(model: &Model, product: usize) -> Option<f64> {
    let p = model.products.get(product)?;
    let member = |c: &&crate::model::Cluster| c.members.iter().any(|m| m.product == product);
    let plain = model.contagion.is_none()
        && model.regimes.iter().all(|r| r.hazard == 1.0 && r.tvl == 1.0)
        && p.annual_limit.is_infinite()
        && !model.clusters.iter().filter(member).any(|c| c.follow_up.is_some());
    if !plain {
        return None;
    }
    let shocks = model.clusters.iter().map(|c| {
        let hit = c.members.iter().find(|m| m.product == product).map_or(0.0, |m| m.hit);
        c.rate * hit
    });
    let claims = shocks.fold(p.rate, |sum, s| sum + s);
    let law = &model.severities[p.severity];
    let at = |amount: f64| law.limited_mean(amount / p.terms.slope);
    let layer = at(p.terms.intercept + p.terms.limit) - at(p.terms.intercept);
    Some(claims * p.terms.slope * layer)
}

/// What is to be written anew: products, and what they need that the portfolio does not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCover {
    /// Laws of the share lost.
    #[serde(default, rename = "severity")]
    pub severities: Vec<portfolio::Severity>,
    /// Factors of rates.
    #[serde(default, rename = "mixing")]
    pub mixings: Vec<portfolio::Mixing>,
    /// Clusters.
    #[serde(default, rename = "cluster")]
    pub clusters: Vec<portfolio::Cluster>,
    /// The products.
    #[serde(rename = "product")]
    pub products: Vec<portfolio::Product>,
}

impl NewCover {
    /// Reads TOML.
    ///
    /// # Errors
    /// What does not parse, with its line.
    pub fn from_toml(text: &str) -> Result<Self, Fault> {
        toml::from_str(text).map_err(|e| Fault::new("the TOML document", e.to_string()))
    }

    /// The portfolio with it, after all that it has. A single pool that names its products underwrites it too.
    pub fn added_to(&self, portfolio: &Portfolio) -> Portfolio {
        let mut all = portfolio.clone();
        all.severities.extend_from_slice(&self.severities);
        all.mixings.extend_from_slice(&self.mixings);
        all.clusters.extend_from_slice(&self.clusters);
        all.products.extend_from_slice(&self.products);
        if let [pool] = all.pools.as_mut_slice()
            && !pool.products.is_empty()
        {
            pool.products.extend(self.products.iter().map(|p| p.id.clone()));
        }
        all
    }
}

/// Prices of all products, each as the last one written, at a cost of capital of so much a year per unit.
///
/// # Errors
/// [`Failure::Refused`] if the cost is negative or not finite.
pub fn covers(
    model: &Model,
    allocation: &Allocation,
    basis: Basis,
    cost: f64,
) -> Result<Vec<CoverPrice>, Failure> {
    rate(cost, "cost of capital")?;
    let side = match basis {
        Basis::Gross => &allocation.gross,
        Basis::Net => &allocation.net,
    };
    let price = |(index, (gross, part)): (usize, (&Part, &Part))| {
        let product = &model.portfolio.products[index];
        let (expected_loss, expected_loss_error) =
            expected_loss(model, index).map_or((gross.mean, gross.mean_error), |exact| (exact, 0.0));
        let price = expected_loss + cost * part.marginal;
        CoverPrice {
            id: part.id.clone(),
            expected_loss,
            expected_loss_error,
            marginal: part.marginal,
            marginal_error: part.marginal_error,
            price,
            price_error: expected_loss_error + cost * part.marginal_error,
            rate: price / product.exposure,
            premium: product.premium,
        }
    };
    Ok(allocation.gross.products.iter().zip(&side.products).enumerate().map(price).collect())
}

/// Prices of all treaties at a return a year on what the reinsurer risks.
///
/// # Errors
/// [`Failure::Refused`] if the return is negative or not finite.
pub fn treaties(
    model: &Model,
    years: &Years,
    allocation: &Allocation,
    wanted: f64,
) -> Result<Vec<TreatyPrice>, Failure> {
    rate(wanted, "return")?;
    let one = |(index, treaty): (usize, &Treaty)| {
        let relief = &allocation.treaties[index];
        let recoveries = years.values(variable::TREATIES + index);
        let bound = treaty.annual_limit() * treaty.share;
        let locked =
            if bound.is_finite() { bound } else { Ranked::new(recoveries, allocation.level).tail().tvar };
        let mut factor = Squares::default();
        recoveries.iter().for_each(|&r| factor.add(reinstated(treaty, r)));
        let n = years.len();
        let (reinstatement, reinstatement_error) = (factor.sum / n as f64, factor.error(n, n as f64));
        let per_premium = 1.0 + reinstatement;
        let (mean, premium) = (relief.mean, treaty.premium);
        let price = (mean + wanted * locked) / (1.0 + wanted) / per_premium;
        let earned = premium * per_premium;
        TreatyPrice {
            id: relief.id.clone(),
            expected_recovery: mean,
            expected_recovery_error: relief.mean_error,
            sd: relief.sd,
            locked,
            reinstatement,
            reinstatement_error,
            pure_premium: mean / per_premium,
            price,
            price_error: relief.mean_error / (1.0 + wanted) / per_premium
                + price * reinstatement_error / per_premium,
            rate_on_line: if locked > 0.0 { price / locked } else { 0.0 },
            premium,
            return_now: (earned > 0.0 && earned < locked).then(|| (earned - mean) / (locked - earned)),
            saves: relief.marginal,
            saves_error: relief.marginal_error,
        }
    };
    Ok(model.treaties.iter().enumerate().map(one).collect())
}

/// How many premiums are due for reinstatements in a year in which a treaty paid so much.
pub fn reinstated(treaty: &Treaty, recovery: f64) -> f64 {
    let Cover::EventExcess { limit, reinstatements: Some(prices), .. } = &treaty.cover else { return 0.0 };
    let used = recovery / treaty.share;
    let one = |(k, price): (usize, &f64)| price * (used - k as f64 * limit).max(0.0).min(*limit) / limit;
    prices.iter().enumerate().map(one).fold(0.0, |sum, f| sum + f)
}

fn rate(value: f64, what: &str) -> Result<(), Failure> {
    if value.is_finite() && value >= 0.0 {
        Ok(())
    } else {
        Err(Failure::Refused(format!("{what} {value}; it must be a finite number, at least 0")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{analysis::allocate::allocate, example::cp500, outcome::Options};

    fn study(portfolio: Portfolio, years: u64) -> (Model, Years, Allocation) {
        let model = Model::new(portfolio).unwrap();
        let years = Years::simulate(&model, &Options { years, seed: 2, threads: 2 }, &|_| true).unwrap();
        let allocation = allocate(&model, &years, 0.99, 2).unwrap();
        (model, years, allocation)
    }

    #[test]
    fn expected_losses_are_exact_and_sum_to_the_mean() {
        let (model, _, allocation) = study(cp500(), 60_000);
        let prices = covers(&model, &allocation, Basis::Net, 0.1).unwrap();
        // By FFT the mean is 4.53670.
        let sum: f64 = prices.iter().map(|p| p.expected_loss).sum();
        assert!((sum - 4.53670).abs() < 2e-5, "{sum}");
        for (price, part) in prices.iter().zip(&allocation.gross.products) {
            // 500 figures: the worst of them within five errors.
            let off = (price.expected_loss - part.mean).abs();
            assert!(off <= 5.0 * part.mean_error, "{}: {off} {}", price.id, part.mean_error);
            assert!(price.price >= price.expected_loss - 0.1 * 3.0 * price.marginal_error, "{price:?}");
        }
        let largest = &prices[499];
        let part = &allocation.net.products[499];
        assert!((largest.price - largest.expected_loss - 0.1 * part.marginal).abs() < 1e-12);
        assert!((largest.rate - largest.price / 40.0).abs() < 1e-3);
    }

    /// One heavy-tailed line under 100 xs 0 with an annual deductible of 100 and two reinstatements at 100 %.
    fn reinstating() -> Portfolio {
        let text = r#"
            schema = "breakwater-portfolio/1"
            name = "reinstatements"
            unit = "thousand"
            [[severity]]
            id = "heavy"
            law = { kind = "gpd", xi = 0.834, scale = 83.34 }
            [[product]]
            id = "line"
            rate = 0.5
            severity = "heavy"
            exposure = 1.0
            limit = 100.0
            [[treaty]]
            id = "layer"
            premium = 5.0
            cover = { kind = "event-excess", attachment = 0.0, limit = 100.0, annual_deductible = 100.0, reinstatements = [1.0, 1.0] }
        "#;
        toml::from_str(text).unwrap()
    }

    #[test]
    fn premium_with_reinstatements_is_that_of_the_literature() {
        // Expected ceded 4.51394 and premium 4.32016, recomputed exactly; GEMAct's own tests say 4.31899 on a coarser grid.
        let (model, years, allocation) = study(reinstating(), 400_000);
        let t = &treaties(&model, &years, &allocation, 0.0).unwrap()[0];
        assert!((t.expected_recovery - 4.51394).abs() < 3.0 * t.expected_recovery_error, "{t:?}");
        let error = t.expected_recovery_error;
        assert!((t.pure_premium - 4.32016).abs() < 3.0 * error, "{t:?}");
        assert_eq!(t.locked, 300.0);
        assert!((t.price - t.pure_premium).abs() < 1e-12);
        // At a return the reinsurer earns exactly that on its own money.
        let t = &treaties(&model, &years, &allocation, 0.25).unwrap()[0];
        let earned = t.price * (1.0 + t.reinstatement);
        assert!(((earned - t.expected_recovery) / (t.locked - earned) - 0.25).abs() < 1e-9);
        let now = 5.0 * (1.0 + t.reinstatement);
        assert!((t.return_now.unwrap() - (now - t.expected_recovery) / (300.0 - now)).abs() < 1e-12);
    }

    #[test]
    fn a_reinstatement_costs_its_own_price() {
        // Prices 100 % and 0, one and a half limits used: one premium, not one and a half.
        let mut portfolio = reinstating();
        portfolio.treaties[0].cover = Cover::EventExcess {
            attachment: 0.0,
            limit: 10.0,
            annual_limit: None,
            reinstatements: Some(vec![1.0, 0.0]),
            annual_deductible: 0.0,
        };
        let treaty = Model::new(portfolio).unwrap().treaties.remove(0);
        assert_eq!(reinstated(&treaty, 15.0), 1.0);
        assert_eq!(reinstated(&treaty, 5.0), 0.5);
        // The last limit is not reinstated.
        assert_eq!(reinstated(&treaty, 30.0), 1.0);
    }

    #[test]
    fn more_cover_costs_more_and_a_new_product_is_the_last_one() {
        let text = |exposure: f64| {
            format!(
                "[[product]]\nid = \"new\"\nrate = 0.05\nseverity = \"share\"\nexposure = {exposure:?}\nclusters = [\"c0\"]\n"
            )
        };
        let price = |exposure: f64| {
            let new = NewCover::from_toml(&text(exposure)).unwrap();
            let (model, _, allocation) = study(new.added_to(&cp500()), 40_000);
            let prices = covers(&model, &allocation, Basis::Gross, 0.1).unwrap();
            assert_eq!((prices.len(), prices[500].id.as_str()), (501, "new"));
            prices[500].clone()
        };
        let (small, large) = (price(2.0), price(20.0));
        assert!(large.expected_loss > small.expected_loss && large.price > small.price);
        // Expected loss is in proportion; capital is more than that.
        assert!((large.expected_loss / small.expected_loss - 10.0).abs() < 1e-9);
        assert!(large.marginal / small.marginal > 10.0);
        assert!(NewCover::from_toml("[[product]]\nid = 1").is_err());
    }

    #[test]
    fn costs_are_numbers() {
        let (model, years, allocation) = study(reinstating(), 2_000);
        assert!(covers(&model, &allocation, Basis::Gross, -0.1).is_err());
        assert!(covers(&model, &allocation, Basis::Gross, f64::NAN).is_err());
        assert!(treaties(&model, &years, &allocation, f64::INFINITY).is_err());
    }
}
